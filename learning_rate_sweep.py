"""Which learning rate to train with: short runs of one budget, compared on rows set aside from the training subset.

Called by `python train_quality_comparison.py random_10k_500M --sweep_learning_rate 2e-5 5e-5 1e-4`. It changes no
result: the study's recipe is one for every arm, and `--set learning_rate=...` changes it for all.

Reads  the rows of the experiment's subset; never the held-out ones, which would then no longer be a test.
Writes <results>/learning_rate_sweep/<experiment>/<rate>.json, one for each rate.
"""

import os
import time
from functools import partial
from pathlib import Path

import numpy as np

from common import UserError, clear, is_done, provenance, read_json, sole_use, write_json
from experiment_inputs import encode_subset, plan_experiment, read_planned, starting_model, starting_outline
from language_model import Example, end_token_id, pick_device, pick_precision, quiet_transformers, response_losses
from training_loop import fit
from training_steps import TrainingFailed

DEV_FRACTION, MAX_DEV_ROWS = 0.1, 500
SWEEP_STEPS = 200  # the budget of every run: so many steps' tokens, or all epochs of the subset where they are fewer


def dev_rows(instructions: list[str], seed: int) -> np.ndarray:
    """Which rows are set aside (bool): a seeded draw of instructions, with all rows of each."""
    wanted = min(MAX_DEV_ROWS, max(1, round(DEV_FRACTION * len(instructions))))
    names, group = np.unique(np.array(instructions, dtype=object), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    sizes = np.bincount(group)[order]
    taken = order[: max(1, np.searchsorted(sizes.cumsum(), wanted, side="right"))]
    return np.isin(group, taken)


def within_budget(examples: list[Example], config: dict) -> list[Example]:
    """Rows in a seeded order, as many as the budget has room for in all epochs of them."""
    order = np.random.default_rng(config["seed"]).permutation(len(examples))
    tokens = np.cumsum([len(examples[index].ids) for index in order]) * config["epochs"]
    rows = max(1, np.searchsorted(tokens, SWEEP_STEPS * config["tokens_per_step"], side="right"))
    return [examples[index] for index in order[:rows]]


def sweep(configs: list[dict], results_dir: Path, rates: list[float], how: dict) -> None:
    """Print, for each experiment that trains, how the learning rates compare on rows of its subset set aside.

    how: force, and what `fit` takes besides.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("--sweep_learning_rate runs in one process; start it without torchrun or accelerate launch")
    quiet_transformers()
    for config in configs:
        if not config["subset"]:
            raise UserError(f"{config['experiment']} is not trained: there is no learning rate to compare")
        plan = plan_experiment(config, results_dir)
        training, folder = plan["config"], results_dir / "learning_rate_sweep" / config["experiment"]
        table = read_planned(plan, results_dir)
        aside = dev_rows(table["instruction"].to_pylist(), training["seed"])
        if aside.all():
            raise UserError(f"the rows of {config['subset']} are too few, or too alike, to set some aside")
        _, tokenizer = starting_outline(config, results_dir)
        train, dev = (encode_subset(table.filter(rows), tokenizer, training)[0] for rows in (~aside, aside))
        folder.mkdir(parents=True, exist_ok=True)  # for its lock
        with sole_use(folder):
            entries = run_sweep(plan, train, dev, partial(starting_model, config, results_dir), rates, folder, how)
        print("\n".join(sweep_table(entries)))


def run_sweep(plan: dict, train: list[Example], dev: list[Example], start, rates: list[float], folder: Path, how: dict):
    """One entry for each rate, in their order: what it was trained on and its loss on `dev`, in nats a token.

    plan: the experiment's config and inputs; start: gives (model, tokenizer, unpacked_reason), always the same; how:
    what `fit` takes besides. A rate that is done is not run again; one whose loss is not finite has a reason instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = within_budget(train, plan["config"])
    entries = []
    for rate in rates:
        started, marker = time.time(), folder / f"{rate:g}.json"
        config = {**plan["config"], "learning_rate": rate, "sweep_steps": SWEEP_STEPS, "dev_rows": len(dev)}
        print(f"learning rate {rate:g}")
        if not is_done(marker, config, plan["inputs"], how["force"]):
            clear(marker)
            decided = {**config, "inputs": plan["inputs"]}
            entry = train_and_measure(rows, dev, start, decided, marker.with_suffix(".pt"), how)
            write_json(marker, {"config": config, "provenance": provenance(started, plan["inputs"]), **entry})
            clear(marker.with_suffix(".pt"))
        entries.append(read_json(marker))
    return entries


def train_and_measure(
    rows: list[Example], dev: list[Example], start, config: dict, checkpoint: Path, how: dict
) -> dict:
    """One run of the sweep."""
    model, tokenizer, unpacked_reason = start()
    pad_id = end_token_id(tokenizer)
    fitting = {**how, "force": True}  # a checkpoint of other settings is worth little here, and is replaced
    try:
        facts = fit(model, rows, {**config, "packed": unpacked_reason is None}, pad_id, checkpoint, **fitting)
    except TrainingFailed as failure:
        return {"dev_loss": None, "reason": str(failure), "tokens": None, "steps": None, "final_loss": None}
    nll, tokens = response_losses(model, dev, pad_id, pick_device(), pick_precision(config["precision"]))
    loss = float(nll.sum() / tokens.sum())
    reason = None if np.isfinite(loss) else f"the loss on the rows set aside is {loss}"
    kept = {key: facts[key] for key in ("tokens", "steps", "final_loss")}
    return {"dev_loss": None if reason else loss, "reason": reason, **kept}


def sweep_table(entries: list[dict]) -> list[str]:
    """The rates side by side, and what follows from them."""
    lines = [f"{entries[0]['config']['experiment']}, {entries[0]['config']['dev_rows']:,} rows set aside"]
    lines.append(f"{'learning rate':>13s}{'tokens':>13s}{'steps':>8s}{'train loss':>12s}{'dev loss':>12s}")
    for entry in entries:
        rate = f"{entry['config']['learning_rate']:13g}"
        if entry["reason"]:
            lines.append(f"{rate}  {entry['reason']}")
        else:
            counts = f"{entry['tokens']:13,}{entry['steps']:8,}"
            lines.append(f"{rate}{counts}{entry['final_loss']:12.4f}{entry['dev_loss']:12.4f}")
    return [*lines, advice(entries)]


def advice(entries: list[dict]) -> str:
    """The best rate in words, and whether the sweep went far enough to say so."""
    losses = {entry["config"]["learning_rate"]: entry["dev_loss"] for entry in entries if not entry["reason"]}
    if not losses:
        return "no rate gave a finite loss: try lower ones"
    best = min(losses, key=losses.get)
    edge = "lower" if best == min(losses) else "higher" if best == max(losses) else None
    wider = f"; it is at the edge, so try {edge} ones too" if edge else ""
    return f"lowest dev loss at {best:g}{wider}; give every arm the same: --set learning_rate={best:g}"
