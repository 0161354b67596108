"""What training would take, estimated beforehand: rows, tokens, steps, hours, memory, disk of each experiment.

Reads what training would read; trains nothing and writes nothing but a tokenizer that has to be learnt first. Called by
`python train_quality_comparison.py all --dry_run`.
"""

import time

import numpy as np

from language_model import pick_device, pick_precision
from training_loop import (
    PEAK_FLOPS,
    blocks_and_step,
    gpu_peak,
    new_accelerator,
    new_run,
    train_step,
    weights_must_fit,
)
from training_memory import CHECKPOINT_BYTES_PER_PARAMETER, gpu_bytes

GPU_HOUR_BUDGET = 3.5
SAMPLE_ROWS = 20_000  # encoded of a larger subset, whose totals are scaled
PROBE_STEPS, PROBE_SECONDS = 3, 30
# What a stated rate is taken to be of: an H100.
STATED_GPU = {"device": "cuda", "precision": "bf16", "memory": 80e9, "peak": PEAK_FLOPS["H100"]}


def sample_rows(table):
    """The rows to encode and how many rows of the subset each stands for."""
    if table.num_rows <= SAMPLE_ROWS:
        return table, 1.0
    chosen = np.sort(np.random.default_rng(0).permutation(table.num_rows)[:SAMPLE_ROWS])
    return table.take(chosen), table.num_rows / SAMPLE_ROWS


def packed_size(lengths: list[int], config: dict, weight: float) -> dict:
    """Rows, tokens, blocks and steps of all epochs; each of `lengths` stands for `weight` rows."""
    blocks, blocks_per_step = blocks_and_step(lengths, config)
    blocks = round(len(blocks) * weight)
    return {
        "rows": round(len(lengths) * weight),
        "tokens": round(sum(lengths) * weight) * config["epochs"],
        "blocks": blocks,
        "steps": -(-blocks * config["epochs"] // blocks_per_step),
        "sampled": weight > 1,
    }


@weights_must_fit()
def probe_rate(
    model, examples: list, config: dict, pad_id: int, precision: str, compiled: bool, micro_tokens: int | None
) -> float:
    """Tokens per second of a few real steps on this device; the first, which may compile, does not count."""
    accelerator = new_accelerator()
    model.to(accelerator.device).train()
    wanted = config["tokens_per_step"] * (PROBE_STEPS + 1)
    repeats = 1 + wanted // sum(len(example.ids) for example in examples)  # so that a small subset fills the steps
    examples = examples * repeats
    taken = np.cumsum([len(example.ids) for example in examples]).searchsorted(wanted) + 1
    config = {**config, "epochs": 1}
    run = new_run(model, examples[:taken], config, pad_id, accelerator, precision, compiled, micro_tokens)
    done, spent = 0, 0.0
    for number in range(PROBE_STEPS + 1):
        blocks = run.steps[number % len(run.steps)]
        tokens, response_tokens = run.block_tokens(blocks)
        began = time.perf_counter()
        train_step(run, blocks, response_tokens).item()
        if number:
            done, spent = done + tokens, spent + time.perf_counter() - began
        if spent > PROBE_SECONDS:
            break
    return done / spent


def stated_rate(parameters: int, tokens_per_second: float | None, mfu: float | None) -> float | None:
    """Tokens per second as the user states them: outright, or as a share of an H100's peak; None for a probe."""
    if tokens_per_second:
        return tokens_per_second
    return mfu * STATED_GPU["peak"] / (6 * parameters) if mfu else None


def at_hand(precision: str) -> dict:
    """This machine as STATED_GPU describes one, with the precision that a setting comes to; None for what it lacks."""
    device = pick_device()
    precision = pick_precision(precision)
    return {"device": device, "precision": precision, "memory": gpu_bytes(device), "peak": gpu_peak(device)}


def estimate(size: dict, parameters: int, rate: float, plan: dict) -> dict:
    """One experiment's line, from what `packed_size` and `plan_memory` give."""
    model_bytes = 4 * parameters
    return {
        **size,
        "tokens_per_second": rate,
        "hours": size["tokens"] / rate / 3600,
        "peak_memory_gib": plan["peak_bytes"] / 2**30,
        "gradient_checkpointing": plan["gradient_checkpointing"],
        # the old and the new checkpoint while one is written; the model stays
        "disk_gib": (2 * CHECKPOINT_BYTES_PER_PARAMETER * parameters + model_bytes) / 2**30,
        "kept_gib": model_bytes / 2**30,
    }


def table_lines(lines: dict[str, dict]) -> list[str]:
    """The experiments one below the other, and the total beside the budget."""
    heads = ["rows", "tokens", "blocks", "steps", "tokens/s", "hours", "mem GiB", "disk GiB"]
    shown = [f"{'':26s}" + "".join(f"{head:>13s}" for head in heads)]
    for name, line in lines.items():
        about = "~" if line["sampled"] else ""
        counts = "".join(f"{about + format(line[key], ','):>13s}" for key in ("rows", "tokens", "blocks", "steps"))
        rest = f"{line['tokens_per_second']:13,.0f}{line['hours']:13.3f}{line['peak_memory_gib']:13.2f}"
        recomputed = " (activations recomputed)" if line["gradient_checkpointing"] else ""
        shown.append(f"{name:26s}{counts}{rest}{line['disk_gib']:13.2f}{recomputed}")
    hours = sum(line["hours"] for line in lines.values())
    disk = max((line["disk_gib"] - line["kept_gib"] for line in lines.values()), default=0.0)
    disk += sum(line["kept_gib"] for line in lines.values())
    shown.append(f"total: {hours:.2f} hours of training, budget {GPU_HOUR_BUDGET} GPU-hours with evaluation; "
                 f"{disk:.2f} GiB of disk at most")  # fmt: skip
    return shown
