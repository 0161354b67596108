"""What training would take, estimated beforehand: rows, tokens, steps, hours, memory, disk of each experiment.

Reads what training would read; trains nothing and writes nothing but a tokenizer that has to be learnt first. Called by
`python train_quality_comparison.py all --dry_run`.
"""

import time
from pathlib import Path

import numpy as np

from common import hash_json, made_otherwise
from experiment_inputs import encode_subset, plan_experiment, read_planned, starting_model, starting_outline
from language_model import end_token_id, pick_device, pick_precision, quiet_transformers
from training_loop import blocks_and_step, new_accelerator, new_run, wants_compiling, weights_must_fit
from training_memory import disk_bytes, gpu_bytes, model_shape, plan_memory
from training_speed import PEAK_FLOPS, gpu_peak
from training_steps import train_step

GPU_HOUR_BUDGET = 3.5
SAMPLE_ROWS = 20_000  # encoded of a larger subset, whose totals are scaled
PROBE_STEPS, PROBE_SECONDS = 3, 30
NOTHING_TRAINED = {"rows": 0, "tokens": 0, "blocks": 0, "steps": 0, "sampled": False}
# What a stated rate is taken to be of: an H100.
STATED_GPU = {"device": "cuda", "precision": "bf16", "memory": 80e9, "peak": PEAK_FLOPS["H100"]}


def dry_run(configs: list[dict], results_dir: Path, stated: dict, force: bool = False) -> list[str]:
    """Lines of a table: what each experiment that is not done would take. Nothing is trained, and no result written.

    stated: tokens_per_second or mfu in place of a probe, and micro_batch_tokens; each may be None.
    """
    rates, lines = {}, {}
    for config in configs:
        plan = plan_experiment(config, results_dir)  # asks whether there is a network, before transformers is imported
        quiet_transformers()
        marker = plan["marker"]
        done = marker.exists() and not force and not made_otherwise(marker, plan["config"], plan["inputs"])
        lines[config["experiment"]] = None if done else experiment_line(config, plan, results_dir, stated, rates)
    return table_lines(lines)


def experiment_line(config: dict, plan: dict, results_dir: Path, stated: dict, rates: dict) -> dict:
    """What one experiment would take, as `estimate` gives it. rates: those probed so far, by what decides them."""
    training = dict(plan["config"])
    outline, tokenizer = starting_outline(config, results_dir)
    parameters = sum(parameter.numel() for parameter in outline.parameters())
    if not plan["subset"]:
        return estimate(NOTHING_TRAINED, parameters, None, None)
    table, weight = sample_rows(read_planned(plan, results_dir))
    examples, _ = encode_subset(table, tokenizer, training)
    lengths = [len(example.ids) for example in examples]
    tokens = round(sum(lengths) * weight) * training["epochs"]
    rate = stated_rate(parameters, stated["tokens_per_second"], stated["mfu"])
    where = STATED_GPU if rate else at_hand(training["precision"])
    if not rate:
        key = hash_json({"model": [training["model_spec"], plan["inputs"].get("model")],
                         "block": training["block_tokens"],
                         "compiled": wants_compiling(training, parameters, tokens, where["peak"])})  # fmt: skip
        if key not in rates:
            model, _, unpacked_reason = starting_model(config, results_dir)
            probed = {**training, "packed": unpacked_reason is None}
            compiled = wants_compiling(probed, parameters, tokens, where["peak"])
            how = end_token_id(tokenizer), where["precision"], compiled, stated["micro_batch_tokens"]
            rates[key] = probe_rate(model, examples, probed, *how), probed["packed"]
        rate, training["packed"] = rates[key]
    compiled = wants_compiling(training, parameters, tokens, where["peak"])
    shape = model_shape(outline.config)
    memory = plan_memory(parameters, shape, training, where, compiled, stated["micro_batch_tokens"])
    assumed = bool(stated["tokens_per_second"] or stated["mfu"]) and "model" in training["model_spec"]
    return estimate(packed_size(lengths, training, weight), parameters, rate, memory) | {"packing_assumed": assumed}


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


def estimate(size: dict, parameters: int, rate: float | None, plan: dict | None) -> dict:
    """One experiment's line, from what `packed_size` and `plan_memory` give; without a rate and a plan, of a model that
    is only saved."""
    model_bytes = 4 * parameters
    return {
        **size,
        "tokens_per_second": rate,
        "hours": size["tokens"] / rate / 3600 if rate else 0.0,
        "peak_memory_gib": plan["peak_bytes"] / 2**30 if plan else None,
        "gradient_checkpointing": plan["gradient_checkpointing"] if plan else False,
        "disk_gib": disk_bytes(parameters, trained=bool(plan)) / 2**30,
        "kept_gib": model_bytes / 2**30,
        "packing_assumed": False,
    }


def table_lines(lines: dict[str, dict | None]) -> list[str]:
    """The experiments one below the other, None for one that is done, and the total beside the budget."""
    heads = ["rows", "tokens", "blocks", "steps", "tokens/s", "hours", "mem GiB", "disk GiB"]
    shown = [f"{'':26s}" + "".join(f"{head:>13s}" for head in heads)]
    for name, line in lines.items():
        shown.append(f"{name:26s}{line_words(line) if line else '  done, not counted'}")
    lines = [line for line in lines.values() if line]
    hours = sum(line["hours"] for line in lines)
    disk = max((line["disk_gib"] - line["kept_gib"] for line in lines), default=0.0)
    disk += sum(line["kept_gib"] for line in lines)
    shown.append(f"total: {hours:.2f} hours of training, budget {GPU_HOUR_BUDGET} GPU-hours with evaluation; "
                 f"{disk:.2f} GiB of disk at most")  # fmt: skip
    if any(line["packing_assumed"] for line in lines):
        shown.append("with a stated rate no model is tried: that its rows can be packed is assumed")
    return shown


def line_words(line: dict) -> str:
    if not line["steps"]:
        return f"{'not trained':>13s}{'':78s}{line['disk_gib']:13.2f}"
    about = "~" if line["sampled"] else ""
    counts = "".join(f"{about + format(line[key], ','):>13s}" for key in ("rows", "tokens", "blocks", "steps"))
    rest = f"{line['tokens_per_second']:13,.0f}{line['hours']:13.3f}{line['peak_memory_gib']:13.2f}"
    recomputed = " (activations recomputed)" if line["gradient_checkpointing"] else ""
    return f"{counts}{rest}{line['disk_gib']:13.2f}{recomputed}"
