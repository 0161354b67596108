"""Training on one GPU: model FLOPs utilisation, peak memory, trl's SFTTrainer beside it; `python benchmark.py train`.

Writes <results>/benchmark/train_gpu.json

Models of random weights and rows of random tokens, since neither changes the speed: lengths are log-normal with a mean
of 300 tokens, a third of a row is prompt. Every contender trains a copy of the same model on the same rows, once to
warm up (and to compile) and once for the clock, so that what is measured is the steady state.
"""

import gc
import time
from array import array
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from language_model import Example, learn_bpe, new_model_config, pick_device, quiet_transformers
from train_benchmark import sft_trainer, trainer_arguments
from training_configs import EXPERIMENTS, SUBSETS, TRAINING
from training_loop import TrainingFailed, fit, flops_utilisation

SIZES = ["500M", "1B"]
TOKENS_PER_ROW, WARM_STEPS, STEPS = 300, 3, 12
VARIANTS = {
    "compiled layers": {"compile": "on", "gradient_checkpointing": "off"},
    "plain layers": {"compile": "off", "gradient_checkpointing": "off"},
    "gradient checkpointing": {"compile": "off", "gradient_checkpointing": "on"},
}
SFT = {  # how trl packs: one row behind the other, each seeing those before it; or rows apart, by a mask of all tokens
    "trl SFTTrainer, packing wrapped": "wrapped",
    "trl SFTTrainer, packing bfd": "bfd",
}
BARS = {"mfu": 0.45, "peak_memory_gib": {"500M": 20 * 1e9 / 2**30, "1B": 35 * 1e9 / 2**30}, "six_runs_hours": 3.5,
        "times_trl": 1.2}  # fmt: skip


def benchmark_gpu(specs: dict[str, dict], config: dict, steps: int, write) -> dict:
    """Facts for train_gpu.json, given to `write` after every contender, since the slowest may never end.

    specs: {size: {"vocab_size", "llama"}}; trl comes last, and trains the first size only.
    """
    quiet_transformers()
    sizes = {size: {} for size in specs}
    contenders = [(size, name, train_ours, settings) for size in specs for name, settings in VARIANTS.items()]
    if find_spec("trl"):
        first = next(iter(specs))
        contenders += [(first, name, train_sft, {"packing_strategy": strategy}) for name, strategy in SFT.items()]
    for size, name, train, settings in contenders:
        rows = random_rows(specs[size]["vocab_size"], steps * config["tokens_per_step"], config["max_tokens"])
        sizes[size][name] = measure(train, specs[size], rows, {**config, **settings})
        facts = {"sizes": sizes, "six_runs_hours": six_runs_hours(sizes), "bars": BARS,
                 "missing": {} if find_spec("trl") else {name: "not installed (trl)" for name in SFT}}  # fmt: skip
        write(facts)
    return facts


def random_rows(vocabulary: int, tokens: int, max_tokens: int) -> list[Example]:
    """Rows of random ids, about `tokens` tokens in all."""
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(np.log(TOKENS_PER_ROW) - 0.32, 0.8, tokens // TOKENS_PER_ROW).round()
    return [
        Example(array("i", rng.integers(3, vocabulary, length).tolist()), length // 3, False, False)
        for length in lengths.clip(8, max_tokens).astype(int).tolist()
    ]


def measure(train, spec: dict, examples: list[Example], config: dict) -> dict:
    """One contender on a model of its own: tokens that are no padding per second, MFU, peak memory, first seconds.

    Out of memory is a result too: {"failed": why}.
    """
    import torch

    cuda = pick_device() == "cuda"
    gc.collect()  # the contender before: a trainer's parts refer to each other
    if cuda:
        torch.cuda.empty_cache()
    model, tokenizer = new_random_model(spec)
    warm = examples[: max(1, len(examples) * WARM_STEPS // STEPS)]
    try:
        with TemporaryDirectory() as folder:
            began = time.perf_counter()
            train(model, tokenizer, warm, config, Path(folder))
            first = time.perf_counter() - began
            if cuda:
                torch.cuda.reset_peak_memory_stats()
            seconds = train(model, tokenizer, examples, config, Path(folder))
    except (torch.OutOfMemoryError, TrainingFailed) as error:  # trl's; ours, where no smaller micro-batch helped
        return {"failed": str(error).partition(".")[0]}
    peak = torch.cuda.max_memory_allocated() / 2**30 if cuda else None
    rate = sum(len(example.ids) for example in examples) / seconds
    return {"tokens_per_second": rate, "mfu": flops_utilisation(model, rate, pick_device(), 1),
            "peak_memory_gib": peak, "warm_up_seconds": first}  # fmt: skip


def new_random_model(spec: dict):
    """A Llama of random fp32 weights, and a tokenizer with an end token, which trl asks for."""
    import torch
    from transformers import LlamaForCausalLM

    tokenizer = learn_bpe(["a tokenizer that trl asks for"], 300)
    torch.manual_seed(0)
    with torch.device(pick_device()):
        return LlamaForCausalLM(new_model_config(spec, tokenizer)), tokenizer


def train_ours(model, _tokenizer, examples, config: dict, folder: Path) -> float:
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return fit(model, examples, config, 0, folder / "checkpoint.pt", 1e9)["train_seconds"]


def train_sft(model, tokenizer, examples, config: dict, folder: Path) -> float:
    """trl with the same rows, tokens a step, precision and optimiser, and without gradient checkpointing."""
    micro_batch = max(1, min(16_384, config["tokens_per_step"]) // config["block_tokens"])
    accumulated = max(1, config["tokens_per_step"] // config["block_tokens"] // micro_batch)
    arguments = trainer_arguments(folder, micro_batch, config) | {"gradient_accumulation_steps": accumulated}
    arguments["packing_strategy"] = config["packing_strategy"]
    trainer = sft_trainer(model, tokenizer, examples, config["block_tokens"], arguments)
    began = time.perf_counter()
    trainer.train()
    return time.perf_counter() - began


def six_runs_hours(sizes: dict) -> float | None:
    """Hours of training the six main runs at TOKENS_PER_ROW, from the fastest measured rate of each size; None where a
    size has none."""
    hours = 0.0
    for config in EXPERIMENTS.values():
        ours = [found for name, found in sizes.get(config["size"], {}).items() if name in VARIANTS]
        rates = [found["tokens_per_second"] for found in ours if "failed" not in found]
        if not rates:
            return None
        rows = SUBSETS[config["subset"]]["rows"]
        hours += rows * config.get("epochs", TRAINING["epochs"]) * TOKENS_PER_ROW / max(rates) / 3600
    return hours


def gpu_table(facts: dict) -> list[str]:
    """Every contender's tokens per second, MFU and memory, and how many times as fast ours is as trl."""
    lines = [f"{'':44s}{'tokens/s':>10s}{'MFU':>7s}{'GiB':>7s}{'ours / it':>11s}"]
    for size, found in facts["sizes"].items():
        best = max(item.get("tokens_per_second", 0) for name, item in found.items() if name in VARIANTS)
        for name, item in found.items():
            if "failed" in item:
                lines.append(f"{size + ' ' + name:44s}{item['failed']}")
                continue
            mfu = f"{item['mfu']:7.1%}" if item["mfu"] else " " * 7
            memory = f"{item['peak_memory_gib']:7.1f}" if item["peak_memory_gib"] else " " * 7
            times = f"{best / item['tokens_per_second']:11.2f}"
            lines.append(f"{size + ' ' + name:44s}{item['tokens_per_second']:10,.0f}{mfu}{memory}{times}")
    if facts["six_runs_hours"]:
        lines.append(f"six main runs at {TOKENS_PER_ROW} tokens a row: {facts['six_runs_hours']:.2f} hours of training")
    return lines
