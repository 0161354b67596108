"""Evaluate one run: held-out loss, loss by quality band, task completion.

    python evaluate_quality_tradeoff.py results/ultra_10k_500M
    python evaluate_quality_tradeoff.py results/ultra_10k_500M --eval_dataset other_rows.jsonl owner/name

Reads  <run>/model/, <run>/experiment_config.json, subsets/heldout/ beside the run, outside sets.
Writes <run>/evaluation/heldout_loss.json and heldout_loss/ (one row per example: nats, tokens, bytes),
       <run>/evaluation/task_completion.json and task_completion/ (one row per prompt: answer, passed),
       <run>/evaluation/outside/<set>.json and <set>/ (the loss of each --eval_dataset, like the held-out loss),
       <run>/quality_analysis/quality_bands.json (bits per byte by band of each score dimension).

Held-out loss is the response's negative log-likelihood; bits per byte compare across tokenizers. Loss alone is not
quality: task completion, the share of verifiable prompts whose checker passes, stands beside it. Intervals are 95%:
of losses by a bootstrap over rows, of shares Wilson's; both speak of other rows of the same kinds.
"""

import functools
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pyarrow

import verifiable_tasks
from arrow_files import write_arrow
from command_line import argument_parser, run_main
from common import UserError, clear, hash_strings, is_done, provenance, read_json, sole_use, write_json
from dataset_files import hash_input
from dataset_readers import read_rows
from language_model import encode_examples, end_token_id, response_losses
from lineage import read_subset, run_inputs
from lm_harness import evaluate_harness, require_harness
from retention_statistics import POWER, bootstrap_ratios, percentile_interval, wilson_interval
from text_generation import RunModel
from training_configs import HELDOUT, SCORE_KEYS

BANDS = 5
BOOTSTRAP_DRAWS = 1_000
LARGEST_EXPONENT = 709  # of e, in a float


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("run", help="folder of a finished run, such as results/ultra_10k_500M")
    parser.add_argument("--force", action="store_true", help="evaluate again even where it is done")
    parser.add_argument(
        "--eval_dataset", nargs="+", action="extend", default=[], metavar="FILE_OR_HUB",
        help="other data sets to measure the loss on",
    )  # fmt: skip
    parser.add_argument("--lm_eval", metavar="TASKS", help="also lm-evaluation-harness's tasks, such as ifeval,gsm8k")
    arguments = parser.parse_args()
    with sole_use(arguments.run):
        evaluate_run(Path(arguments.run), arguments.force, arguments.eval_dataset, arguments.lm_eval)


def evaluate_run(run: Path, force: bool, eval_datasets: Sequence[str] = (), lm_eval: str | None = None) -> dict:
    """Evaluate a finished run, as far as that is not done yet; returns its headline metrics."""
    config, inputs = run_inputs(run)
    if lm_eval:
        require_harness(lm_eval)
    for entry in eval_datasets:
        hash_input(entry)  # an unreachable set is refused at once, and the hub is probed before its library is imported
    run_model = RunModel(run / "model", config["precision"])
    heldout = evaluate_heldout(run, config, inputs, run_model, force)
    for entry in eval_datasets:
        outside = evaluate_outside(run, config, inputs, run_model, entry, force)
        print(f"{run.name}: {outside['bits_per_byte']:.4f} bits per byte over {outside['rows']} rows of {entry}")
    tasks = evaluate_tasks(run, config, inputs, run_model, force)
    low, high = tasks["interval"]
    print(
        f"{run.name}: {heldout['bits_per_byte']:.4f} bits per byte over {heldout['rows']} held-out rows, "
        f"task completion {tasks['task_completion']:.1%} [{low:.1%}, {high:.1%}] of {tasks['prompts']} prompts, "
        f"loose {tasks['task_completion_loose']:.1%}; two models differ detectably from "
        f"{tasks['minimum_detectable_difference']:.1%} on"
    )
    if lm_eval:
        print(evaluate_harness(run, inputs, run_model, lm_eval, force)["lm_eval"])
    return {"bits_per_byte": heldout["bits_per_byte"], "task_completion": tasks["task_completion"]}


def refuse_other_evaluation(run: Path, config: dict, inputs: dict) -> None:
    """Raises UserError where a run was evaluated with other settings, or on other rows or tasks, than these."""
    how = {"remedy": "--reevaluate evaluates again, without training"}
    is_done(run / "evaluation" / "heldout_loss.json", heldout_settings(config), inputs, **how)
    is_done(run / "evaluation" / "task_completion.json", task_settings(config), task_inputs(config, inputs), **how)


# ---------------------------------------------------------------------------------------------------------------------
# Held-out loss


def heldout_settings(config: dict) -> dict:
    """What of an experiment's config decides its held-out loss."""
    return {key: config[key] for key in ("max_tokens", "heldout_rows", "precision")}


def evaluate_heldout(run: Path, config: dict, inputs: dict, run_model: RunModel, force: bool) -> dict:
    """Loss of every held-out row, and its bands by score; returns heldout_loss.json."""
    started, settings = time.time(), heldout_settings(config)
    marker, bands_marker = run / "evaluation" / "heldout_loss.json", run / "quality_analysis" / "quality_bands.json"
    if is_done(marker, settings, inputs, force) and is_done(bands_marker, settings, inputs, force):
        print(f"skipped: {marker} is already done")
        return read_json(marker)
    marker.parent.mkdir(exist_ok=True)
    bands_marker.parent.mkdir(exist_ok=True)
    clear(bands_marker)
    clear(marker, marker.with_suffix(""))
    table = choose_rows(read_subset(run.parent, "heldout", inputs["heldout"]), config["heldout_rows"])
    rows, how = measure_losses(table, run_model, config["max_tokens"], "held-out loss")
    write_arrow(marker.with_suffix(""), rows)
    facts = {"config": settings, "provenance": provenance(started, inputs)}
    write_json(bands_marker, {**facts, "train_subset": config["subset"], "bands": quality_bands(rows)})
    write_json(marker, {**facts, **summarise_losses(rows), **how})
    return read_json(marker)


def outside_name(entry: str) -> str:
    """A set's name as a file's, which no other set's path gives."""
    words = re.sub(r"[^\w.-]+", "_", entry).strip("_.")[-50:]
    return f"{words}-{hash_strings([entry])[:8]}"


def evaluate_outside(run: Path, config: dict, inputs: dict, run_model: RunModel, entry: str, force: bool) -> dict:
    """Loss on a set of the user's, up to HELDOUT["max_rows"] random rows of it; returns its JSON.

    Nothing keeps such a set apart from the training rows: that is up to the user.
    """
    started = time.time()
    marker = run / "evaluation" / "outside" / f"{outside_name(entry)}.json"
    settings = {"eval_dataset": entry, "max_rows": HELDOUT["max_rows"]}
    settings |= {key: config[key] for key in ("max_tokens", "precision")}
    inputs = {"model": inputs["model"], "eval_dataset": hash_input(entry)}
    if is_done(marker, settings, inputs, force):
        print(f"skipped: {marker} is already done")
        return read_json(marker)
    marker.parent.mkdir(parents=True, exist_ok=True)
    clear(marker, marker.with_suffix(""))
    table, ledger = read_rows([entry], HELDOUT["max_rows"], 0)
    rows, how = measure_losses(table, run_model, config["max_tokens"], entry)
    write_arrow(marker.with_suffix(""), rows)
    facts = {"config": settings, "provenance": provenance(started, inputs), "rows_read": ledger["rows_read"]}
    write_json(marker, {**facts, **summarise_losses(rows), **how})
    return read_json(marker)


def measure_losses(table, run_model: RunModel, max_tokens: int, what: str):
    """The per-example record of a table of rows (see `loss_rows`), and how it was measured: {"rows_dropped_empty",
    "precision", "tokens_per_second"}."""
    from tqdm import tqdm

    run_model.load()
    instructions, responses = (table[name].to_pylist() for name in ("instruction", "response"))
    examples = encode_examples(run_model.tokenizer, instructions, responses, max_tokens)
    usable = [index for index, example in enumerate(examples) if example]
    if not usable:
        raise UserError(f"none of the {len(examples)} rows for {what} has a response to measure")
    kept = [examples[index] for index in usable]
    pad_id, started = end_token_id(run_model.tokenizer), time.perf_counter()
    with tqdm(total=len(kept), desc=what, unit="row", leave=False) as bar:
        losses, tokens = response_losses(run_model.model, kept, pad_id, run_model.device, run_model.precision, bar)
    if broken := int(np.sum(~np.isfinite(losses))):
        raise UserError(f"the model's loss is not finite on {broken} of {len(kept)} rows for {what}; train it again")
    speed = sum(len(example.ids) for example in kept) / (time.perf_counter() - started)
    rows = loss_rows(table.take(usable), kept, run_model.tokenizer, losses, tokens)
    how = {"rows_dropped_empty": len(examples) - len(usable), "precision": run_model.precision}
    return rows, how | {"tokens_per_second": round(speed, 1)}


def choose_rows(table, rows: int | None):
    """The whole table, or the same random `rows` of it for every model, in the table's order."""
    if rows is None or rows >= len(table):
        return table
    return table.take(np.sort(np.random.default_rng(0).permutation(len(table))[:rows]))


def loss_rows(table, examples: list, tokenizer, losses: np.ndarray, tokens: np.ndarray):
    """The per-example record: the row's id, source, any scores, its loss in nats, response tokens and UTF-8 bytes.

    A response cut at max_tokens counts the bytes of what was left of it.
    """
    byte_counts = []
    for response, example in zip(table["response"].to_pylist(), examples, strict=True):
        if example.response_cut:
            response = tokenizer.decode(list(example.ids[example.prompt_tokens :]))
        byte_counts.append(len(response.encode("utf-8")))
    columns = {name: table[name] for name in ["id", "source", *SCORE_KEYS] if name in table.column_names}
    return pyarrow.table({**columns, "nll": losses, "tokens": tokens, "bytes": np.array(byte_counts, dtype=np.int64)})


def summarise_losses(rows) -> dict:
    """Corpus-level loss: per token, as perplexity, as bits per byte, by source, and its plain mean over sources.

    An interval of bits per byte is one over rows; for the mean over sources, rows are redrawn within each source.
    """
    sources = np.array(rows["source"].to_pylist())
    nll, tokens, size = (rows[name].to_numpy() for name in ("nll", "tokens", "bytes"))
    by_source, draws = {}, []
    for number, source in enumerate(sorted(set(sources))):
        chosen = sources == source
        drawn = resampled(nll[chosen], size[chosen] * np.log(2), seed=number)
        draws.append(drawn)
        value, rows_there = bits_per_byte(nll[chosen], size[chosen]), int(chosen.sum())
        interval = interval_of(drawn) if rows_there > 1 else [None, None]  # one row says nothing of its spread
        by_source[source] = {"rows": rows_there, "bits_per_byte": value, "interval": interval}
    single = any(entry["rows"] == 1 for entry in by_source.values())
    loss = float(nll.sum() / tokens.sum())
    loss_draws = resampled(nll, tokens, seed=0)
    return {
        "rows": len(rows),
        "response_tokens": int(tokens.sum()),
        "response_bytes": int(size.sum()),
        "loss_per_token": loss,
        "loss_per_token_interval": interval_of(loss_draws),
        "perplexity": perplexity(loss),
        "perplexity_interval": [perplexity(end) for end in interval_of(loss_draws)],
        "bits_per_byte": bits_per_byte(nll, size),
        "bits_per_byte_interval": interval_of(resampled(nll, size * np.log(2), seed=0)),
        "bits_per_byte_macro": float(np.mean([entry["bits_per_byte"] for entry in by_source.values()])),
        "bits_per_byte_macro_interval": [None, None] if single else interval_of(np.mean(draws, axis=0)),
        "by_source": by_source,
    }


def resampled(numerators: np.ndarray, denominators: np.ndarray, seed: int) -> np.ndarray:
    """Ratios of sums over BOOTSTRAP_DRAWS resamples of the rows; inputs (rows,), returns (BOOTSTRAP_DRAWS,)."""
    return bootstrap_ratios(numerators[None], denominators[None], BOOTSTRAP_DRAWS, seed)[:, 0]


def interval_of(draws: np.ndarray) -> list[float]:
    return list(percentile_interval(draws))


def perplexity(loss_per_token: float) -> float | None:
    """exp of a loss in nats; null beyond what a float holds."""
    return float(np.exp(loss_per_token)) if loss_per_token < LARGEST_EXPONENT else None


def bits_per_byte(nll: np.ndarray, size: np.ndarray) -> float:
    """Nats summed over rows, as bits per byte of response text."""
    return float(nll.sum() / np.log(2) / size.sum())


def quality_bands(rows) -> dict:
    """Bits per byte in BANDS equal-sized bands of each score dimension, the lowest scores first."""
    nll, size = rows["nll"].to_numpy(), rows["bytes"].to_numpy()
    bands = {}
    for dimension in SCORE_KEYS:
        scores = rows[dimension].to_numpy()
        parts = np.array_split(np.argsort(scores, kind="stable"), BANDS)
        bands[dimension] = [
            {
                "band": band,
                "low": float(scores[part].min()),
                "high": float(scores[part].max()),
                "rows": len(part),
                "bits_per_byte": bits_per_byte(nll[part], size[part]),
                "interval": interval_of(resampled(nll[part], size[part] * np.log(2), seed=band)),
            }
            for band, part in enumerate(parts)
            if len(part)
        ]
    return bands


# ---------------------------------------------------------------------------------------------------------------------
# Task completion


def task_settings(config: dict) -> dict:
    """What of an experiment's config decides its task completion."""
    settings = {key: config[key] for key in config if key.startswith("suite")}
    return settings | {key: config[key] for key in ("max_tokens", "precision")}


def suite_of(config: dict) -> list[dict]:
    return suite_tasks(config["suite"], config["suite_prompts"], config["suite_seed"])


def task_inputs(config: dict, inputs: dict) -> dict:
    return {"model": inputs["model"], "suite": verifiable_tasks.suite_hash(suite_of(config))}


def evaluate_tasks(run: Path, config: dict, inputs: dict, run_model: RunModel, force: bool) -> dict:
    """Answers to the verifiable suite and whether each passes; returns task_completion.json."""
    started, settings = time.time(), task_settings(config)
    tasks, inputs = suite_of(config), task_inputs(config, inputs)
    marker = run / "evaluation" / "task_completion.json"
    if is_done(marker, settings, inputs, force):
        print(f"skipped: {marker} is already done")
        return read_json(marker)
    marker.parent.mkdir(exist_ok=True)
    clear(marker, marker.with_suffix(""))
    prompts = [task["prompt"] for task in tasks]
    answers = run_model.generate(prompts, config["max_tokens"], config["suite_max_new_tokens"], "task completion")
    rows = [
        {
            **{key: task[key] for key in ("id", "family", "difficulty", "prompt", "reference")},
            "answer": answer["answer"],
            "passed": verifiable_tasks.check(task, answer["answer"]),
            "passed_loose": verifiable_tasks.check_loose(task, answer["answer"]),
            "answer_tokens": answer["tokens"],
            "ended": answer["ended"],
        }
        for task, answer in zip(tasks, answers, strict=True)
    ]
    write_arrow(marker.with_suffix(""), pyarrow.Table.from_pylist(rows))
    write_json(
        marker,
        {
            "config": settings,
            "provenance": provenance(started, inputs),
            "suite": config["suite"],
            "suite_version": verifiable_tasks.SUITE_VERSION,
            "suite_hash": inputs["suite"],
            "precision": run_model.precision,
            **summarise_tasks(rows),
        },
    )
    return read_json(marker)


@functools.cache
def suite_tasks(suite: str, prompts: int, seed: int) -> list[dict]:
    """The tasks of a run's settings, drawn in well under a second, so that training can ask before it begins.

    Raises UserError where the suite cannot give so many different prompts.
    """
    try:
        return verifiable_tasks.make_suite(suite, prompts, seed)
    except ValueError as error:
        raise UserError(f"the suite {suite!r} cannot give suite_prompts={prompts}: {error}") from error


def summarise_tasks(rows: list[dict]) -> dict:
    """Task completion, strict (`passed`) and loose, with Wilson intervals, over all prompts, families, difficulties.

    The interval takes the prompts as a random draw from the suite's families; the families are not resampled, since
    there are no others. The minimum detectable difference is the true difference between two models near this rate that
    a two-sided 95% test finds with 80% power, as if their prompts were not the same; paired, less is enough.
    """
    total = count_passed(rows, lambda row: "all")["all"]
    rate = min(max(total["passed"], 1), len(rows) - 1) / len(rows) if len(rows) > 1 else 0.5
    z = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(POWER)
    return {
        "prompts": len(rows),
        "task_completion": total["passed"] / len(rows),
        "interval": total["interval"],
        "task_completion_loose": total["passed_loose"] / len(rows),
        "interval_loose": list(wilson_interval(total["passed_loose"], len(rows))),
        "minimum_detectable_difference": z * math.sqrt(2 * rate * (1 - rate) / len(rows)),
        "by_family": count_passed(rows, lambda row: row["family"]),
        "by_difficulty": count_passed(rows, lambda row: str(row["difficulty"])),
        "by_family_and_difficulty": count_passed(rows, lambda row: f"{row['family']} {row['difficulty']}"),
    }


def count_passed(rows: list[dict], group_of) -> dict:
    """{group: {"prompts", "passed", "passed_loose", "interval"}} by `group_of(row)`, in sorted order."""
    groups: dict = {}
    for row in rows:
        counts = groups.setdefault(group_of(row), {"prompts": 0, "passed": 0, "passed_loose": 0})
        counts["prompts"] += 1
        counts["passed"] += row["passed"]
        counts["passed_loose"] += row["passed_loose"]
    return {
        group: {**groups[group], "interval": list(wilson_interval(groups[group]["passed"], groups[group]["prompts"]))}
        for group in sorted(groups)
    }


if __name__ == "__main__":
    run_main(main)
