"""Training on one GPU: model FLOPs utilisation, peak memory, trl's SFTTrainer beside it; `python benchmark.py train`.

Writes <results>/benchmark/train_gpu.json

Models of random weights and rows of random tokens, since neither changes the speed: lengths are log-normal, cut at
max_tokens, with a mean of 300; a third of a row is prompt. Every contender trains a copy of the same model: on few rows
to warm up (and to compile), on these again, and on all. What counts is the difference of the last two, so that what a
run pays but once is left out: the steady state.
"""

import gc
import time
from array import array
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from common import reason_of
from language_model import (
    Example,
    learn_bpe,
    new_model_config,
    pick_device,
    pick_precision,
    quiet_transformers,
    response_losses,
)
from packing import pack_rows
from text_generation import RunModel
from train_benchmark import sft_trainer, trainer_arguments
from training_configs import EVALUATION, EXPERIMENTS, HELDOUT, SUBSETS, TRAINING
from training_loop import fit
from training_speed import flops_utilisation
from training_steps import TrainingFailed

SIZES = ["500M", "1B"]
TOKENS_PER_ROW, MEDIAN_TOKENS = 300, 278  # log-normal, cut at 512 tokens
WARM_STEPS, STEPS = 3, 21
VARIANTS = {
    "compiled layers": {"compile": "on", "gradient_checkpointing": "off"},
    "plain layers": {"compile": "off", "gradient_checkpointing": "off"},
    "compiled layers, gradient checkpointing": {"compile": "on", "gradient_checkpointing": "on"},
}
SFT_STEPS = 9
# trl packs one row behind the other, each seeing those before it (wrapped), or keeps rows apart (bfd). Without the
# package flash-attn it masks all blocks of a micro-batch as one sequence: hence few at a time as well.
SFT = {
    f"trl SFTTrainer, {packing}, blocks at a time: {blocks}{', compiled' * compiled}": {
        "packing_strategy": packing, "blocks": blocks, "torch_compile": compiled,
    }
    for packing, blocks, compiled in [
        ("wrapped", 16, False), ("wrapped", 4, False), ("wrapped", 1, False), ("bfd", 4, False), ("wrapped", 4, True)
    ]
}  # fmt: skip
ASK, ANSWERS, NEW_TOKENS, LOSS_ROWS = "Name one more thing that is found by the sea. ", 1_000, 48, 200
BARS = {"mfu": 0.45, "peak_memory_gib": {"500M": 20 * 1e9 / 2**30, "1B": 35 * 1e9 / 2**30}, "six_runs_hours": 3.5,
        "times_trl": 1.2}  # fmt: skip


def benchmark_gpu(specs: dict[str, dict], config: dict, steps: int, write) -> dict:
    """Facts for train_gpu.json, given to `write` after every contender, since the slowest may never end.

    specs: {size: {"vocab_size", "llama"}}; trl comes last, and trains the first size only.
    """
    quiet_transformers()
    sizes, evaluation = {size: {} for size in specs}, {}
    missing = {} if find_spec("trl") else {name: "not installed (trl)" for name in SFT}

    def facts() -> dict:
        hours = six_runs_hours(sizes, evaluation)
        return {"sizes": sizes, "evaluation": evaluation, "six_runs_hours": hours, "bars": BARS, "missing": missing}

    def contend(size: str, name: str, train, settings: dict, steps: int) -> None:
        few, rows = (step_rows(specs[size]["vocab_size"], number, config) for number in (WARM_STEPS, steps))
        sizes[size][name] = measure(train, specs[size], few, rows, {**config, **settings})
        write(facts())

    for size in specs:
        for name, settings in VARIANTS.items():
            contend(size, name, train_ours, settings, steps)
        evaluation[size] = measure_evaluation(specs[size])
        write(facts())
    for name, settings in {} if missing else SFT.items():
        contend(next(iter(specs)), name, train_sft, settings, min(steps, SFT_STEPS))
    return facts()


def step_rows(vocabulary: int, steps: int, config: dict) -> list[Example]:
    """Random rows whose packed blocks make whole steps, so many."""
    wanted = steps * (config["tokens_per_step"] // config["block_tokens"])
    rows = random_rows(
        vocabulary, int(1.1 * wanted * config["block_tokens"] / TOKENS_PER_ROW) + 10, config["max_tokens"]
    )
    blocks = pack_rows([len(row.ids) for row in rows], config["block_tokens"])
    return [rows[index] for block in blocks[:wanted] for index in block]


def random_rows(vocabulary: int, count: int, max_tokens: int) -> list[Example]:
    """Rows of random ids, TOKENS_PER_ROW long in the mean where rows end at 512 tokens."""
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(np.log(MEDIAN_TOKENS), 0.8, count).round().clip(8, max_tokens).astype(int)
    return [
        Example(array("i", rng.integers(3, vocabulary, length).tolist()), length // 3, False, False)
        for length in lengths.tolist()
    ]


def measure(train, spec: dict, few: list[Example], rows: list[Example], config: dict) -> dict:
    """One contender on a model of its own: tokens that are no padding per second, MFU, peak memory, first seconds.

    few: the rows to warm up on, whose seconds and tokens are taken off those of `rows`.
    Out of memory, or a kernel that fails, is a result too: {"failed": why}.
    """
    import torch

    cuda = pick_device() == "cuda"
    gc.collect()  # the contender before: a trainer's parts refer to each other
    try:
        if cuda:  # which raises where a kernel failed before
            torch.cuda.empty_cache()
        model, tokenizer = new_random_model(spec)
        with TemporaryDirectory() as folder:
            began = time.perf_counter()
            train(model, tokenizer, few, config, Path(folder))
            first = time.perf_counter() - began
            if cuda:
                torch.cuda.reset_peak_memory_stats()
            once, seconds = (train(model, tokenizer, some, config, Path(folder)) for some in (few, rows))
    except (torch.AcceleratorError, torch.OutOfMemoryError, TrainingFailed) as error:  # the last: ours, out of memory
        return {"failed": reason_of(error).partition(".")[0]}
    peak = torch.cuda.max_memory_allocated() / 2**30 if cuda else None
    tokens = sum(len(row.ids) for row in rows) - sum(len(row.ids) for row in few)
    rate = tokens / (seconds - once)
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
    accumulated = max(1, config["tokens_per_step"] // config["block_tokens"] // config["blocks"])
    arguments = trainer_arguments(folder, config["blocks"], config) | {"gradient_accumulation_steps": accumulated}
    arguments |= {key: config[key] for key in ("packing_strategy", "torch_compile")}
    trainer = sft_trainer(model, tokenizer, examples, config["block_tokens"], arguments)
    began = time.perf_counter()
    trainer.train()
    return time.perf_counter() - began


def measure_evaluation(spec: dict) -> dict:
    """Seconds that evaluating one run takes, and the rates that they follow from, tokens per second: greedy and sampled
    answers of a model that never ends one, and held-out loss."""
    run_model = RunModel(Path(), "auto")
    run_model.model, run_model.tokenizer = new_random_model(spec)
    run_model.device, run_model.precision = pick_device(), pick_precision("auto")
    uniforms = np.random.default_rng(0).random((ANSWERS, NEW_TOKENS))
    sampling = {"temperature": EVALUATION["generation_temperature"], "uniforms": uniforms}
    rows = random_rows(spec["vocab_size"], LOSS_ROWS, TRAINING["max_tokens"])

    def answer(sampling) -> int:
        answers = run_model.generate([ASK] * ANSWERS, TRAINING["max_tokens"], NEW_TOKENS, "answers", sampling)
        return sum(answer["tokens"] for answer in answers)

    def lose() -> int:
        response_losses(run_model.model, rows, 0, run_model.device, run_model.precision)
        return sum(len(row.ids) for row in rows)

    works, rates = {"greedy": partial(answer, None), "sampled": partial(answer, sampling), "heldout_loss": lose}, {}
    for name, work in works.items():
        work()
        began = time.perf_counter()
        rates[name] = work() / (time.perf_counter() - began)
    greedy = EVALUATION["suite_prompts"] * EVALUATION["suite_max_new_tokens"]
    generated = EVALUATION["generation_prompts"] * EVALUATION["generation_max_new_tokens"]
    tokens = {"greedy": greedy + generated, "sampled": EVALUATION["generation_num_samples"] * generated,
              "heldout_loss": HELDOUT["max_rows"] * TOKENS_PER_ROW}  # fmt: skip
    return {"tokens_per_second": rates, "seconds": sum(tokens[name] / rate for name, rate in rates.items())}


def six_runs_hours(sizes: dict, evaluation: dict) -> dict | None:
    """{"training", "evaluation"}: hours of the six main runs at TOKENS_PER_ROW, from the fastest measured rate of each
    size; None where a size has none."""
    hours = {"training": 0.0, "evaluation": 0.0}
    for config in EXPERIMENTS.values():
        ours = [found for name, found in sizes.get(config["size"], {}).items() if name in VARIANTS]
        rates = [found["tokens_per_second"] for found in ours if "failed" not in found]
        if not rates or config["size"] not in evaluation:
            return None
        rows = SUBSETS[config["subset"]]["rows"]
        hours["training"] += rows * config.get("epochs", TRAINING["epochs"]) * TOKENS_PER_ROW / max(rates) / 3600
        hours["evaluation"] += evaluation[config["size"]]["seconds"] / 3600
    return hours


def gpu_table(facts: dict) -> list[str]:
    """Every contender's tokens per second, MFU and memory, and how many times as fast ours is as trl."""
    lines = [f"{'':54s}{'tokens/s':>10s}{'MFU':>7s}{'GiB':>7s}{'ours / it':>11s}"]
    for size, found in facts["sizes"].items():
        best = max((item.get("tokens_per_second", 0) for name, item in found.items() if name in VARIANTS), default=0)
        for name, item in found.items():
            if "failed" in item:
                lines.append(f"{size + ' ' + name:54s}{item['failed']}")
                continue
            mfu = f"{item['mfu']:7.1%}" if item["mfu"] else " " * 7
            memory = f"{item['peak_memory_gib']:7.1f}" if item["peak_memory_gib"] else " " * 7
            times = f"{best / item['tokens_per_second']:11.2f}"
            lines.append(f"{size + ' ' + name:54s}{item['tokens_per_second']:10,.0f}{mfu}{memory}{times}")
    for size, found in facts["evaluation"].items():
        rates = found["tokens_per_second"]
        shown = ", ".join(f"{rate:,.0f} {name.replace('_', ' ')}" for name, rate in rates.items())
        lines.append(f"{size} evaluation, answers that never end: {found['seconds']:.0f} s ({shown}, tokens/s)")
    if hours := facts["six_runs_hours"]:
        lines.append(f"six main runs at {TOKENS_PER_ROW} tokens a row: {sum(hours.values()):.2f} hours, "
                     f"{hours['training']:.2f} of training and {hours['evaluation']:.2f} of evaluation")  # fmt: skip
    return lines
