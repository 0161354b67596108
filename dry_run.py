"""What training would take, estimated beforehand: rows, tokens, steps, hours, memory, disk of each experiment.

Reads what training would read; trains nothing and writes nothing but a tokenizer that has to be learnt first. Called by
`python train_quality_comparison.py all --dry_run`.
"""

import time

import numpy as np

from packed_attention import pick_attention
from training_loop import (
    PEAK_FLOPS,
    PackedRun,
    blocks_and_step,
    new_accelerator,
    train_step,
    turn_on_checkpointing,
    weights_must_fit,
)
from training_memory import CHECKPOINT_BYTES_PER_PARAMETER, footprint_bytes, wants_checkpointing

GPU_HOUR_BUDGET = 3.5
SAMPLE_ROWS = 20_000  # encoded of a larger subset, whose totals are scaled
PROBE_STEPS, PROBE_SECONDS = 3, 30
ASSUMED_GPU, ASSUMED_GPU_BYTES = "H100", 80e9


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
def probe_rate(model, examples: list, config: dict, pad_id: int, precision: str) -> float:
    """Tokens per second of a few real steps on this device, without compiled layers; the first does not count."""
    accelerator = new_accelerator()
    model.to(accelerator.device).train()
    turn_on_checkpointing(model, config, accelerator.device.type, precision)
    wanted = config["tokens_per_step"] * (PROBE_STEPS + 1)
    repeats = 1 + wanted // sum(len(example.ids) for example in examples)  # so that a small subset fills the steps
    examples = examples * repeats
    taken = np.cumsum([len(example.ids) for example in examples]).searchsorted(wanted) + 1
    run = PackedRun(model, examples[:taken], {**config, "epochs": 1}, pad_id, accelerator, precision)
    if run.packed:
        pick_attention(model, run.device, precision)
    done, spent = 0, 0.0
    for number in range(PROBE_STEPS + 1):
        blocks = run.steps[number % len(run.steps)]
        tokens, response_tokens = run.block_tokens(blocks)
        began = time.perf_counter()
        train_step(run, blocks, response_tokens)
        if number:
            done, spent = done + tokens, spent + time.perf_counter() - began
        if spent > PROBE_SECONDS:
            break
    return done / spent


def stated_rate(parameters: int, tokens_per_second: float | None, mfu: float | None) -> float | None:
    """Tokens per second as the user states them: outright, or as a share of an H100's peak; None for a probe."""
    if tokens_per_second:
        return tokens_per_second
    return mfu * PEAK_FLOPS[ASSUMED_GPU] / (6 * parameters) if mfu else None


def estimate(size: dict, config: dict, parameters: int, shape: dict, rate: float, where: dict) -> dict:
    """One experiment's line. where: device, precision and memory (bytes of the GPU; None on a CPU)."""
    plain = footprint_bytes(parameters, shape, config, where["device"], where["precision"], False)
    checkpointing = wants_checkpointing(config["gradient_checkpointing"], plain, where["memory"])
    peak = footprint_bytes(parameters, shape, config, where["device"], where["precision"], checkpointing)
    model_bytes = 4 * parameters
    return {
        **size,
        "tokens_per_second": rate,
        "hours": size["tokens"] / rate / 3600,
        "peak_memory_gib": peak / 2**30,
        "gradient_checkpointing": checkpointing,
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
