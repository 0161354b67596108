"""Evaluate one run: held-out loss, loss by quality band, task completion.

    python evaluate_quality_tradeoff.py results/ultra_10k_500M

Reads  <run>/model/, <run>/experiment_config.json, subsets/heldout/ beside the run.
Writes <run>/evaluation/heldout_loss.json and heldout_loss/ (one row per example: nats, tokens, bytes),
       <run>/evaluation/task_completion.json and task_completion/ (one row per prompt: answer, passed),
       <run>/quality_analysis/quality_bands.json (bits per byte by band of each score dimension).

Held-out loss is the response's negative log-likelihood; bits per byte compare across tokenizers. Loss alone is not
quality: task completion, the share of verifiable prompts whose checker passes, stands beside it.
"""

import time
from pathlib import Path

import numpy as np

import verifiable_tasks
from common import (
    UserError,
    argument_parser,
    clear,
    is_done,
    provenance,
    read_arrow,
    read_json,
    run_main,
    write_arrow,
    write_json,
)
from language_model import RunModel, encode_examples, pad_token_id, response_losses, run_inputs
from lm_harness import evaluate_harness
from training_configs import SCORE_WEIGHTS

DIMENSIONS = ["quality", *SCORE_WEIGHTS]
BANDS = 5


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("run", help="folder of a finished run, such as results/ultra_10k_500M")
    parser.add_argument("--force", action="store_true", help="evaluate again even where it is done")
    parser.add_argument("--lm_eval", metavar="TASKS", help="also lm-evaluation-harness's tasks, such as ifeval,gsm8k")
    args = parser.parse_args()
    evaluate_run(Path(args.run), args.force, args.lm_eval)


def evaluate_run(run: Path, force: bool = False, lm_eval: str | None = None) -> dict:
    """Evaluate a finished run, or what of it is not done yet; returns its headline metrics."""
    config, inputs = run_inputs(run)
    run_model = RunModel(run / "model", config["precision"])
    heldout = evaluate_heldout(run, config, inputs, run_model, force)
    tasks = evaluate_tasks(run, config, inputs, run_model, force)
    print(
        f"{run.name}: {heldout['bits_per_byte']:.4f} bits per byte over {heldout['rows']} held-out rows, "
        f"task completion {tasks['task_completion']:.1%} of {tasks['prompts']} prompts"
    )
    if lm_eval:
        print(evaluate_harness(run, inputs, run_model, lm_eval, force)["lm_eval"])
    return {"bits_per_byte": heldout["bits_per_byte"], "task_completion": tasks["task_completion"]}


# ---------------------------------------------------------------------------------------------------------------------
# Held-out loss


def evaluate_heldout(run: Path, config: dict, inputs: dict, run_model: RunModel, force: bool) -> dict:
    """Loss of every held-out row, and its bands by score; returns heldout_loss.json."""
    from tqdm import tqdm

    started = time.time()
    settings = {key: config[key] for key in ("max_tokens", "heldout_rows", "precision")}
    marker, bands_marker = run / "evaluation" / "heldout_loss.json", run / "quality_analysis" / "quality_bands.json"
    if is_done(marker, settings, inputs, force) and is_done(bands_marker, settings, inputs, force):
        print(f"skipped: {marker} is already done")
        return read_json(marker)
    marker.parent.mkdir(exist_ok=True)
    bands_marker.parent.mkdir(exist_ok=True)
    clear(bands_marker)
    clear(marker, marker.with_suffix(""))
    table = choose_rows(read_arrow(run.parent / "subsets" / "heldout"), config["heldout_rows"])
    run_model.load()
    examples = encode_examples(
        run_model.tokenizer, table["instruction"].to_pylist(), table["response"].to_pylist(), config["max_tokens"]
    )
    usable = [index for index, example in enumerate(examples) if example]
    if not usable:
        raise UserError(f"none of the {len(examples)} held-out rows has a response to measure")
    with tqdm(total=len(usable), desc="held-out loss", unit="row", leave=False) as bar:
        kept = [examples[index] for index in usable]
        pad_id = pad_token_id(run_model.tokenizer)
        losses, tokens = response_losses(run_model.model, kept, pad_id, run_model.device, run_model.precision, bar)
    rows = loss_rows(table.take(usable), kept, run_model.tokenizer, losses, tokens)
    write_arrow(marker.with_suffix(""), rows)
    facts = {"config": settings, "provenance": provenance(started, inputs)}
    write_json(bands_marker, {**facts, "bands": quality_bands(rows)})
    write_json(marker, {**facts, **summarise_losses(rows), "rows_dropped_empty": len(examples) - len(usable)})
    return read_json(marker)


def choose_rows(table, rows: int | None):
    """The whole table, or the same random `rows` of it for every model, in the table's order."""
    if rows is None or rows >= len(table):
        return table
    return table.take(np.sort(np.random.default_rng(0).permutation(len(table))[:rows]))


def loss_rows(table, examples: list, tokenizer, losses: np.ndarray, tokens: np.ndarray):
    """The per-example record: the row's id, source and scores, its loss in nats, response tokens and UTF-8 bytes.

    A response cut at max_tokens counts the bytes of what was left of it.
    """
    import pyarrow

    byte_counts = []
    for response, example in zip(table["response"].to_pylist(), examples, strict=True):
        if example.response_cut:
            response = tokenizer.decode(list(example.ids[example.prompt_tokens :]))
        byte_counts.append(len(response.encode("utf-8")))
    columns = {name: table[name] for name in ["id", "source", *DIMENSIONS]}
    return pyarrow.table({**columns, "nll": losses, "tokens": tokens, "bytes": np.array(byte_counts, dtype=np.int64)})


def summarise_losses(rows) -> dict:
    """Corpus-level loss: per token, as perplexity, as bits per byte, and by source."""
    sources = np.array(rows["source"].to_pylist())
    nll, tokens, size = (rows[name].to_numpy() for name in ("nll", "tokens", "bytes"))
    by_source = {
        source: {"rows": int(chosen.sum()), "bits_per_byte": bits_per_byte(nll[chosen], size[chosen])}
        for source in sorted(set(sources))
        for chosen in [sources == source]
    }
    loss = float(nll.sum() / tokens.sum())
    return {
        "rows": len(rows),
        "response_tokens": int(tokens.sum()),
        "response_bytes": int(size.sum()),
        "loss_per_token": loss,
        "perplexity": float(np.exp(loss)),
        "bits_per_byte": bits_per_byte(nll, size),
        "by_source": by_source,
    }


def bits_per_byte(nll: np.ndarray, size: np.ndarray) -> float:
    """Nats summed over rows, as bits per byte of response text."""
    return float(nll.sum() / np.log(2) / size.sum())


def quality_bands(rows) -> dict:
    """Bits per byte in BANDS equal-sized bands of each score dimension, the lowest scores first."""
    nll, size = rows["nll"].to_numpy(), rows["bytes"].to_numpy()
    bands = {}
    for dimension in DIMENSIONS:
        scores = rows[dimension].to_numpy()
        parts = np.array_split(np.argsort(scores, kind="stable"), BANDS)
        bands[dimension] = [
            {
                "band": band,
                "low": float(scores[part].min()),
                "high": float(scores[part].max()),
                "rows": len(part),
                "bits_per_byte": bits_per_byte(nll[part], size[part]),
            }
            for band, part in enumerate(parts)
            if len(part)
        ]
    return bands


# ---------------------------------------------------------------------------------------------------------------------
# Task completion


def evaluate_tasks(run: Path, config: dict, inputs: dict, run_model: RunModel, force: bool) -> dict:
    """Answers to the verifiable suite and whether each passes; returns task_completion.json."""
    import pyarrow

    started = time.time()
    settings = {key: config[key] for key in config if key.startswith("suite")}
    settings |= {key: config[key] for key in ("max_tokens", "precision")}
    try:
        tasks = verifiable_tasks.make_suite(config["suite"], config["suite_prompts"], config["suite_seed"])
    except ValueError as error:
        raise UserError(
            f"the suite {config['suite']!r} cannot give suite_prompts={config['suite_prompts']}: {error}"
        ) from error
    inputs = {"model": inputs["model"], "suite": verifiable_tasks.suite_hash(tasks)}
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
            "suite_hash": inputs["suite"],
            "prompts": len(rows),
            "task_completion": float(np.mean([row["passed"] for row in rows])),
            "by_family": count_passed(rows, "family"),
            "by_difficulty": count_passed(rows, "difficulty"),
        },
    )
    return read_json(marker)


def count_passed(rows: list[dict], key: str) -> dict:
    """{value of `key`: {"prompts", "passed"}}, in sorted order."""
    groups = sorted({row[key] for row in rows})
    passed = {group: [row["passed"] for row in rows if row[key] == group] for group in groups}
    return {str(group): {"prompts": len(passed[group]), "passed": sum(passed[group])} for group in groups}


if __name__ == "__main__":
    run_main(main)
