"""Training speed beside named references: the same rows, model, optimiser and tokens a step, in one call.

`python benchmark.py train` calls it. Contenders take turns, round after round; what counts are ratios of tokens that
are no padding per second. The rows are encoded before, and a reference that packs does so before its clock starts.
"""

import copy
import time
from array import array
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from language_model import (
    IGNORED_LABEL,
    Example,
    encode_examples,
    learn_bpe,
    new_model_config,
    pick_device,
    quiet_transformers,
    response_losses,
    right_padded,
)
from packing import collate_blocks, pack_rows, plan_steps
from reference_distributions import t_quantile
from training_configs import MODEL_FAMILIES, TRAINING
from training_loop import fit, new_optimizer
from training_steps import learning_rate_at

SETTINGS = {"learning_rate": 1e-3, "tokens_per_step": 1_024, "block_tokens": 256, "max_tokens": 256,
            "precision": "fp32", "gradient_checkpointing": "off"}  # fmt: skip
CONFIG = {**TRAINING, **SETTINGS}
VOCABULARY = 8_192
HELDOUT_ROWS, CHECK_SEEDS = 100, 5
OURS, TRAINER, SFT = "this repository", "transformers.Trainer, dynamic padding", "trl SFTTrainer, packing"
BARE = "bare loop over ready-packed blocks"
BARS = {TRAINER: 2.5, SFT: 1.7, BARE: 0.95}

# ---------------------------------------------------------------------------------------------------------------------
# Contenders: each trains `model` in place for one pass over the examples and gives the seconds that took


def timed(work) -> dict:
    """Seconds of wall clock, and of CPU time in this process, which other jobs on the machine take no share of."""
    began, began_cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - began, "cpu": time.process_time() - began_cpu}


def train_ours(model, examples, _tokenizer, folder: Path) -> dict:
    return timed(lambda: fit(model, examples, CONFIG, 0, folder / "checkpoint.pt", 1e9))


def train_bare(model, examples, _tokenizer, _folder) -> dict:
    import torch

    blocks = pack_rows([len(example.ids) for example in examples], CONFIG["block_tokens"])
    steps = plan_steps(len(blocks), CONFIG["tokens_per_step"] // CONFIG["block_tokens"], 1, 0)
    arrays = [
        collate_blocks(examples, [blocks[number] for number in step], CONFIG["block_tokens"], 0) for step in steps
    ]
    batches = [{name: torch.from_numpy(array) for name, array in with_labels(batch).items()} for batch in arrays]
    optimizer = torch.optim.AdamW(model.parameters(), lr=CONFIG["learning_rate"], fused=True)

    def train():
        for batch in batches:
            inputs = {name: batch[name] for name in ("input_ids", "position_ids", "labels")}
            model(**inputs, use_cache=False).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return timed(train)


def trainer_arguments(folder: Path, rows: int, config: dict) -> dict:
    """What the Trainers are told: fused AdamW, bf16 on a GPU, no saving, no logging. rows: of a micro-batch."""
    return {
        "output_dir": str(folder), "per_device_train_batch_size": rows, "num_train_epochs": 1,
        "bf16": pick_device() == "cuda", "use_cpu": pick_device() == "cpu", "learning_rate": config["learning_rate"],
        "optim": "adamw_torch_fused", "gradient_checkpointing": False, "report_to": [], "save_strategy": "no",
        "logging_strategy": "no", "disable_tqdm": True,
    }  # fmt: skip


def train_trainer(model, examples, _tokenizer, folder: Path) -> dict:
    import torch
    from transformers import Trainer, TrainingArguments

    def collate(batch):
        ids, labels = map(torch.from_numpy, right_padded(batch, 0))
        lengths = torch.tensor([len(example.ids) for example in batch])
        mask = torch.arange(ids.shape[1])[None] < lengths[:, None]
        return {"input_ids": ids, "labels": labels, "attention_mask": mask.long()}

    mean = np.mean([len(example.ids) for example in examples])
    arguments = trainer_arguments(folder, max(1, round(CONFIG["tokens_per_step"] / mean)), CONFIG)
    arguments = TrainingArguments(**arguments, remove_unused_columns=False)
    trainer = Trainer(model, arguments, data_collator=collate, train_dataset=examples)
    return timed(trainer.train)


def train_sft(model, examples, tokenizer, folder: Path) -> dict:
    arguments = trainer_arguments(folder, CONFIG["tokens_per_step"] // CONFIG["block_tokens"], CONFIG)
    return timed(sft_trainer(model, tokenizer, examples, CONFIG["block_tokens"], arguments).train)


def sft_trainer(model, tokenizer, examples, block_tokens: int, arguments: dict):
    """trl's SFTTrainer, which packs the rows into blocks and learns the responses alone. arguments: of SFTConfig."""
    import datasets
    from trl import SFTConfig, SFTTrainer

    masks = [[0] * example.prompt_tokens + [1] * (len(example.ids) - example.prompt_tokens) for example in examples]
    rows = datasets.Dataset.from_dict({"input_ids": [list(e.ids) for e in examples], "completion_mask": masks})
    config = SFTConfig(**arguments, packing=True, max_length=block_tokens, completion_only_loss=True)
    return SFTTrainer(model, config, train_dataset=rows, processing_class=tokenizer)


def with_labels(batch: dict) -> dict:
    """collate_blocks' arrays and the labels that transformers' models take."""
    labels = np.full(batch["input_ids"].size, IGNORED_LABEL)
    labels[batch["before"] + 1] = batch["targets"]
    return {**batch, "labels": labels.reshape(batch["input_ids"].shape)}


CONTENDERS = {OURS: train_ours, TRAINER: train_trainer, SFT: train_sft, BARE: train_bare}

# ---------------------------------------------------------------------------------------------------------------------
# How it is measured


def new_tiny_model(tokenizer, seed: int):
    """A Llama of the demo's size with random weights."""
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    spec = MODEL_FAMILIES["scratch"]["demo"]
    return LlamaForCausalLM(new_model_config({**spec, "vocab_size": len(tokenizer)}, tokenizer))


def missing_packages() -> dict[str, str]:
    """Contenders that cannot run here, and why."""
    return {} if find_spec("trl") else {SFT: "not installed (trl)"}


def benchmark_training(instructions: list, responses: list, rounds: int) -> dict:
    """Facts for train.json: tokens per second of each contender by round, ratios of ours to it, and the check."""
    quiet_transformers()
    tokenizer = learn_bpe([ask + reply for ask, reply in zip(instructions, responses, strict=True)], VOCABULARY)
    examples = length_mix(encode_examples(tokenizer, instructions, responses, 100_000), len(responses))
    tokens, missing = sum(len(example.ids) for example in examples), missing_packages()
    seconds = {name: [] for name in CONTENDERS if name not in missing}
    model = new_tiny_model(tokenizer, 0)
    for _ in range(rounds):
        for name, found in seconds.items():
            with TemporaryDirectory() as folder:
                found.append(CONTENDERS[name](copy.deepcopy(model), examples, tokenizer, Path(folder)))
    return {"rows": len(examples), "tokens_per_row": tokens / len(examples), "tokens": tokens, "missing": missing,
            "bars": BARS, **{clock: side_by_side(seconds, tokens, clock) for clock in ("wall", "cpu")},
            "heldout_check": check_heldout(examples, tokenizer, CHECK_SEEDS)}  # fmt: skip


def side_by_side(seconds: dict[str, list], tokens: int, clock: str) -> dict:
    """Tokens per second by one of the clocks: every round's, medians, and how many times as fast ours is."""
    rates = {name: [tokens / taken[clock] for taken in found] for name, found in seconds.items()}
    medians = {name: float(np.median(found)) for name, found in rates.items()}
    ratios = {name: medians[OURS] / rate for name, rate in medians.items() if name != OURS}
    by_round = {name: [a / b for a, b in zip(rates[OURS], rates[name], strict=True)] for name in ratios}
    return {"tokens_per_second": rates, "medians": medians, "ratios": ratios, "ratios_by_round": by_round}


def length_mix(encoded: list, rows: int) -> list[Example]:
    """Rows of a real mix of lengths from the text of any rows: log-normal, about 56 tokens in the mean, at most 256.

    The first third of each counts as its prompt. Fewer than `rows` where the text does not last.
    """
    text = np.concatenate([np.asarray(example.ids) for example in encoded if example])
    lengths = np.random.default_rng(0).lognormal(np.log(40), 0.84, rows).round().clip(6, CONFIG["max_tokens"])
    ends = np.cumsum(lengths.astype(int))
    ends = ends[ends <= len(text)]
    pieces = np.split(text, ends)[:-1]
    return [Example(array("i", piece.tolist()), len(piece) // 3, False, False) for piece in pieces]


def check_heldout(examples, tokenizer, seeds: int) -> dict:
    """Held-out loss per token after packed and after padded training on the same rows in the same steps, by seed.

    `interval`: 95%, of the mean relative difference, by Student's t over seeds.
    """
    heldout, train = examples[:HELDOUT_ROWS], examples[HELDOUT_ROWS:]
    losses = {"packed": [], "padded": []}
    for seed in range(seeds):
        model = new_tiny_model(tokenizer, seed)
        other = copy.deepcopy(model)
        with TemporaryDirectory() as folder:
            fit(model, train, {**CONFIG, "seed": seed}, 0, Path(folder) / "checkpoint.pt", 1e9)
        train_padded(other, train, seed)
        for name, trained in (("packed", model), ("padded", other)):
            nll, count = response_losses(trained, heldout, 0, "cpu", "fp32")
            losses[name].append(nll.sum() / count.sum())
    differences = np.array(losses["packed"]) / np.array(losses["padded"]) - 1
    half = t_quantile(0.975, seeds - 1) * differences.std(ddof=1) / seeds**0.5
    return {**{name: list(map(float, found)) for name, found in losses.items()},
            "interval": [float(differences.mean() - half), float(differences.mean() + half)]}  # fmt: skip


def train_padded(model, examples, seed: int) -> None:
    """The reference of the check: the rows of each packed step, each row by itself and padded; plain PyTorch."""
    import torch

    blocks = pack_rows([len(example.ids) for example in examples], CONFIG["block_tokens"])
    steps = plan_steps(len(blocks), CONFIG["tokens_per_step"] // CONFIG["block_tokens"], 1, seed)
    optimizer = new_optimizer(model, CONFIG)
    model.train()
    for number, step in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(number, len(steps), CONFIG)
        rows = [examples[index] for block in step for index in blocks[block]]
        ids, labels = map(torch.from_numpy, right_padded(rows, 0))
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1].flatten(0, 1)
        torch.nn.functional.cross_entropy(logits, labels[:, 1:].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CONFIG["max_grad_norm"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def training_table(facts: dict) -> list[str]:
    """The contenders side by side: tokens per second, and how many times as fast this repository is, by both clocks."""
    lines = [f"{'':40s}{'tokens/s':>10s}{'ours / it':>11s}{'tokens/CPU s':>14s}{'ours / it':>11s}{'bar':>7s}"]
    for name in CONTENDERS:
        if name in facts["missing"]:
            lines.append(f"{name:40s}{facts['missing'][name]}")
            continue
        wall, cpu = facts["wall"], facts["cpu"]
        ratios = [f"{clock['ratios'][name]:11.2f}" if name in clock["ratios"] else " " * 11 for clock in (wall, cpu)]
        bar = f"{facts['bars'][name]:7.2f}" if name in facts["bars"] else ""
        rates = f"{wall['medians'][name]:10,.0f}", f"{cpu['medians'][name]:14,.0f}"
        lines.append(f"{name:40s}{rates[0]}{ratios[0]}{rates[1]}{ratios[1]}{bar}")
    low, high = facts["heldout_check"]["interval"]
    lines.append(f"held-out loss, packed against padded: {low:+.4%} to {high:+.4%} (95%, {CHECK_SEEDS} seeds)")
    return lines
