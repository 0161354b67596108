"""Any instruction data -> clean, deduplicated, scored rows, and the subsets that the study compares.

Read, clean, drop exact duplicates, score, drop near-duplicates (the best-scored row of each cluster stays), drop what
holds an item of an evaluation suite or a benchmark, reserve the held-out rows, cut the subsets of
`training_configs.SUBSETS`. Every row that does not arrive is in the ledger, by reason and source. A pool of fewer than
FULL_SCALE_ROWS rows shrinks every subset by one factor, the scale.

Reads  what --dataset names: local files or folders, hub ids, or "demo", the embedded corpus (no network)
Writes <results>/scores/ + scores.json + scores_statistics.json, <results>/subsets/<subset>/ + <subset>.json,
       <results>/subsets/figures/, <results>/scores/scorecard.html and .json: a page to judge the scores by

    python filter_datasets.py --dataset demo
    python filter_datasets.py --max_samples 10000
    python filter_datasets.py --dataset my_rows.jsonl another_folder owner/name --decontaminate openai/gsm8k:main
    python filter_datasets.py --max_samples 2000 --ifd MODEL     a column ifd more: instruction-following difficulty
    python filter_datasets.py --export messages --format parquet --subset ultra_10k
"""

import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute

import instruction_difficulty
from common import (
    UserError,
    add_results_dir,
    argument_parser,
    clear,
    hash_strings,
    is_done,
    provenance,
    require_disk,
    require_writable,
    run_main,
    write_arrow,
    write_json,
)
from dataset_export import FORMATS, STYLES, export_subsets
from dataset_files import hash_input, source_name
from dataset_readers import parse_columns, read_benchmark, read_rows
from decontamination import (
    build_index,
    distinct_items,
    find_hits,
    rows_by_benchmark,
    shared_ngram,
    without_standing_texts,
)
from near_duplicates import best_of_each, first_of_each, near_duplicates, text_digest
from quality_scorer import SCORE_KEYS, SCORER_VERSION, QualityScorer
from scorecard_page import refresh_scorecard
from subset_report import draw_subsets, figure_files, print_subsets
from subset_rules import best_first
from subset_selection import (
    describe,
    disk_bytes,
    draw_stratified,
    heldout_rows,
    make_subsets,
    scale_facts,
    write_heldout,
)
from training_configs import (
    CLEANING,
    DEFAULT_DATASETS,
    DEMO_SETTINGS,
    EVALUATION,
    HELDOUT,
    SCORE_WEIGHTS,
)
from verifiable_tasks import make_suite

BATCH_ROWS = 2_000
EXAMPLES = 20  # of each reason to drop a row, kept for a look
EXAMPLE_CHARACTERS = 100

# The suites that models are evaluated on: no row may ask what they ask.
EVALUATION_SUITES = [
    {"suite": settings["suite"], "prompts": settings["suite_prompts"], "seed": settings["suite_seed"]}
    for settings in (EVALUATION, {**EVALUATION, **DEMO_SETTINGS})
]


def main() -> None:
    arguments = parse_arguments()
    results = require_writable(arguments.results_dir)
    if arguments.dataset is None and arguments.export and (results / "scores.json").exists():
        return export(results, arguments)  # what is there, whatever it was made from
    arguments.dataset = arguments.dataset or DEFAULT_DATASETS
    config = stage_config(arguments)
    inputs = {entry: hash_input(entry) for entry in [*arguments.dataset, *arguments.decontaminate]}
    heldout = results / "subsets" / "heldout.json"
    if is_done(results / "scores.json", config, inputs, arguments.force) and heldout.exists():
        print(f"skipped: {results / 'scores.json'} is already done")
    else:
        make_scores(results, config, inputs, arguments.num_proc, arguments.ifd)
    figure = figure_files(results)
    scores = make_subsets(results, arguments.force, arguments.balance, stale=figure)
    print_report(results, scores)
    if not all(file.exists() for file in figure):
        draw_subsets(results, scores)
    print(f"figure: {figure[0]}")
    print(refresh_scorecard(results, scores))
    if arguments.export:
        export(results, arguments)
    experiment = "demo" if arguments.dataset == ["demo"] else "ultra_10k_500M"
    folder = "" if arguments.results_dir == "results" else f" --results_dir {arguments.results_dir}"
    print(f"\nnext: python train_quality_comparison.py {experiment}{folder}")


def export(results: Path, arguments) -> None:
    export_subsets(
        results, arguments.export, arguments.format, arguments.subset, arguments.license, arguments.force
    )  # fmt: skip


def parse_arguments():
    parser = argument_parser(__doc__)
    add_results_dir(parser)
    parser.add_argument(
        "--dataset", nargs="+", metavar="X",
        help=f"local files or folders, hub ids (owner/name or owner/name:config), demo (default: {DEFAULT_DATASETS})",
    )  # fmt: skip
    parser.add_argument("--split", default="train", help="of hub data sets and saved folders (default: train)")
    parser.add_argument(
        "--columns", type=parse_columns, metavar="instruction=A,response=B",
        help="what the columns are, where their names do not tell; also input, system, messages, id, source; A.B nests",
    )  # fmt: skip
    parser.add_argument(
        "--turns", choices=["first", "all"], default="first",
        help="of a dialogue the first exchange, or a row for every answer with what led to it (default: first)",
    )  # fmt: skip
    parser.add_argument(
        "--decontaminate", nargs="+", default=[], metavar="X",
        help="benchmarks, files or hub ids as in --dataset: rows that hold one of their items are dropped",
    )  # fmt: skip
    parser.add_argument("--max_samples", type=int, help="a seeded sample of so many rows over the whole input")
    parser.add_argument("--seed", type=int, default=0, help="of the sample, held-out and random rows (default: 0)")
    parser.add_argument(
        "--balance", choices=["none", "source"], default="none",
        help="source: rank rows within their source, so that each tier holds the sources in their share of the pool",
    )  # fmt: skip
    parser.add_argument("--num_proc", type=int, default=os.cpu_count(), help="scoring processes (default: all cores)")
    parser.add_argument("--ifd", metavar="MODEL", help="a causal language model, folder or hub id; in no total; slow")
    parser.add_argument(
        "--export", choices=STYLES,
        help="write subsets under exports/ in this style; without --dataset, of what the results folder holds",
    )  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default="jsonl", help="of the export (default: jsonl)")
    parser.add_argument("--subset", nargs="+", metavar="NAME", help="to export (default: all but heldout)")
    parser.add_argument("--license", default="unknown", help="for the card of the export (default: unknown)")
    parser.add_argument("--force", action="store_true", help="rebuild what is there")
    arguments = parser.parse_args()
    for option in ("max_samples", "num_proc"):
        if getattr(arguments, option) is not None and getattr(arguments, option) < 1:
            parser.error(f"--{option} must be at least 1")
    if arguments.seed < 0:
        parser.error("--seed must be at least 0")
    return arguments


def stage_config(arguments) -> dict:
    """What the scores depend on, beside the input itself. The number of processes is not among it."""
    config = {
        "dataset": arguments.dataset,
        "split": arguments.split,
        "columns": arguments.columns,
        "turns": arguments.turns,
        "decontaminate": arguments.decontaminate,
        "max_samples": arguments.max_samples,
        "seed": arguments.seed,
        "cleaning": CLEANING,
        "heldout": HELDOUT,
        "evaluation_suites": EVALUATION_SUITES,
        "score_weights": SCORE_WEIGHTS,
        "scorer_version": SCORER_VERSION,
    }
    return config if arguments.ifd is None else config | {"ifd": instruction_difficulty.settings(arguments.ifd)}


# ---------------------------------------------------------------------------------------------------------------------
# Scores: read, clean, deduplicate, score, reserve


def make_scores(results: Path, config: dict, inputs: dict, num_proc: int, ifd_model: str | None) -> None:
    """Write scores/, subsets/heldout/ and, last, scores.json."""
    started = time.time()
    benchmarks = read_benchmarks(config["decontaminate"])
    table, read_ledger = read_rows(
        *(config[name] for name in ("dataset", "max_samples", "seed", "split", "columns", "turns"))
    )
    table = table.combine_chunks()  # rows are taken by number from here on, which is quick from one chunk only
    require_disk(results, disk_bytes(table), "scores and subsets")
    ledger = Ledger(table, read_ledger)
    rows, scores, scorer = filter_rows(table, config, benchmarks, num_proc, ledger)
    heldout, rows_kept = reserve_heldout(table, rows, config["seed"], ledger)
    if len(rows_kept) == len(heldout):
        raise UserError(f"too few usable rows, none is left beside the held-out ones: {ledger.one_line()}")
    chosen = np.isin(rows, rows_kept)
    scored = table.take(rows_kept)
    for key in SCORE_KEYS:
        scored = scored.append_column(key, pyarrow.array(scores[key][chosen]))
    scored, ifd_facts = add_difficulty(scored, ifd_model)

    remove_old(results)
    content_hash = hash_content(scored)
    write_arrow(results / "scores", scored)
    write_json(results / "scores_statistics.json", scorer.to_dict())
    write_heldout(results, scored, np.isin(rows_kept, heldout), config["seed"], content_hash)
    facts = {
        "config": config,
        "provenance": provenance(started, inputs),
        "rows": scored.num_rows,
        "heldout_rows": len(heldout),
        "pool_rows": scored.num_rows - len(heldout),
        **scale_facts(scored.num_rows - len(heldout)),
        "content_hash": content_hash,
        "ledger": ledger.summary(scored.num_rows),
        "distribution": {key: describe(scored[key].to_numpy()) for key in SCORE_KEYS},
        "scorer": {"version": SCORER_VERSION, "weights": scorer.weights, "statistics": "scores_statistics.json"},
        **ifd_facts,
    }
    write_json(results / "scores.json", facts)


def add_difficulty(scored, model: str | None) -> tuple[pyarrow.Table, dict]:
    """The rows with a column ifd, null where there is none, and its facts; as they were without a model."""
    if model is None:
        return scored, {}
    texts = scored["instruction"].to_pylist(), scored["response"].to_pylist()
    ifd, facts = instruction_difficulty.measure_rows(model, *texts)
    print(instruction_difficulty.facts_line(facts))
    distribution = describe(ifd[np.isfinite(ifd)])
    column = pyarrow.array(ifd, from_pandas=True)  # NaN becomes null
    return scored.append_column("ifd", column), {"ifd": facts | {"distribution": distribution}}


def filter_rows(table, config: dict, benchmarks: dict, num_proc: int, ledger: "Ledger"):
    """Rows that are clean, no duplicates and in no evaluation suite: their numbers, their scores, the fitted scorer."""
    rows = ledger.drop("clean", np.arange(table.num_rows), cleaning_masks(table))
    digests = [text_digest(*pair) for batch in batches_of(table, rows) for pair in zip(*batch, strict=True)]
    rows = ledger.drop("exact duplicates", rows, {"exact_duplicate": ~first_of_each(digests)})
    if not len(rows):
        raise UserError(f"no usable row: {ledger.one_line()}")
    scorer, scores = score_rows(table, rows, num_proc)
    order = best_first(scores["quality"], table["id"].take(rows))
    clusters = near_duplicates(
        len(rows), lambda some: texts_of(table, rows[some]), config["cleaning"]["near_duplicate_jaccard"]
    )
    masks = {"near_duplicate": ~best_of_each(clusters, order)}
    kept = ledger.drop("near-duplicates", rows, masks)
    kept = drop_contaminated(table, kept, benchmarks, ledger)
    chosen = np.isin(rows, kept)
    return kept, {key: values[chosen] for key, values in scores.items()}, scorer


def read_benchmarks(entries: list[str]) -> dict[str, list[tuple[str, str]]]:
    """The items, (question, answer), that no row may hold: of the evaluation suites, and of each of `entries`."""
    prompts = [(task["prompt"], "") for suite in EVALUATION_SUITES for task in make_suite(*suite.values())]
    benchmarks = {"evaluation_suite": prompts}
    for entry in entries:
        name = source_name(Path(entry)) if Path(entry).exists() else entry
        benchmarks[entry if name in benchmarks else name] = read_benchmark(entry)
    return benchmarks


def drop_contaminated(table, rows: np.ndarray, benchmarks: dict, ledger: "Ledger") -> np.ndarray:
    """The rows that hold no item of `read_benchmarks`."""
    index = build_index(benchmarks)
    hits = find_hits(batches_of(table, rows), index)
    items = [item for benchmark in benchmarks.values() for item in distinct_items(benchmark)]
    for name, mask in rows_by_benchmark(hits, index, len(rows)).items():
        ledger.add_hits(name, len(distinct_items(benchmarks[name])), rows[mask])
    for row, item, coverage in zip(*(values.tolist() for values in hits), strict=True):
        name = index.benchmarks[index.item_benchmark[item]]
        ledger.add_hit_example(name, int(rows[row]), items[item], coverage)
    masks = {f"in_{name}": mask for name, mask in rows_by_benchmark(hits, index, len(rows)).items()}
    return ledger.drop("decontamination", rows, masks)


def holds_heldout_response(table, rows: np.ndarray, heldout: np.ndarray) -> np.ndarray:
    """Which rows hold the response of a held-out row: bool[rows].

    Responses alone: half the rows of a templated source share a passage or a wording with some held-out instruction.
    """
    index = build_index({"heldout": [("", response) for response in table["response"].take(heldout).to_pylist()]})
    hits = without_standing_texts(find_hits(batches_of(table, rows), index))
    return rows_by_benchmark(hits, index, len(rows))["heldout"]


def cleaning_masks(table) -> dict[str, np.ndarray]:
    """Which rows go, by reason."""
    lengths = {}
    for name in ("instruction", "response"):
        trimmed = pyarrow.compute.utf8_trim_whitespace(table[name])
        lengths[name] = pyarrow.compute.utf8_length(trimmed).to_numpy()
    return {
        "empty_instruction": lengths["instruction"] == 0,
        "empty_response": lengths["response"] == 0,
        "response_too_short": lengths["response"] < CLEANING["min_response_characters"],
        "too_long": lengths["instruction"] + lengths["response"] > CLEANING["max_characters"],
    }


def reserve_heldout(table, rows: np.ndarray, seed: int, ledger: "Ledger") -> tuple[np.ndarray, np.ndarray]:
    """The held-out rows, and all rows that stay: none but held-out ones asks what a held-out row asks."""
    sources = np.array(table["source"].take(rows).to_pylist())
    digests = instruction_digests(table, rows)
    count = heldout_rows(len(rows))
    is_heldout = np.zeros(len(rows), bool)
    is_heldout[draw_stratified(sources, digests, count, np.random.default_rng([seed, 1]))] = True
    shares = np.isin(digests, digests[is_heldout]) & ~is_heldout
    holds = holds_heldout_response(table, rows, rows[is_heldout]) & ~is_heldout
    masks = {"shares_heldout_instruction": shares, "holds_heldout_response": holds}
    return rows[is_heldout], ledger.drop("held-out rows", rows, masks)


class Ledger:
    """What became of every row, step by step, by reason and source."""

    def __init__(self, table, read_ledger: dict):
        self.table, self.sources = table, table["source"]
        self.rows_read, self.rows_added = read_ledger["rows_read"], read_ledger["rows_added"]
        self.modified = read_ledger["modified"]
        self.examples = dict(read_ledger["examples"])
        self.contamination = {}
        step = {"step": "read", "rows_in": self.rows_read + self.rows_added, "rows_out": read_ledger["kept"]}
        self.steps = [{**step, "dropped": read_ledger["dropped"]}]

    def drop(self, step: str, rows: np.ndarray, masks: dict[str, np.ndarray]) -> np.ndarray:
        """The rows under none of the masks; a row under several counts under the first."""
        stay, dropped = np.ones(len(rows), bool), {}
        for reason, mask in masks.items():
            gone = rows[mask & stay]
            if len(gone):
                counts = Counter(self.sources.take(gone).to_pylist())
                dropped[reason] = dict(sorted(counts.items()))
                first = self.table.select(["id", "instruction"]).take(gone[:EXAMPLES]).to_pylist()
                self.examples[reason] = [f"{row['id']}: {row['instruction'][:EXAMPLE_CHARACTERS]}" for row in first]
            stay &= ~mask
        self.steps.append({"step": step, "rows_in": len(rows), "rows_out": int(stay.sum()), "dropped": dropped})
        return rows[stay]

    def add_hits(self, benchmark: str, items: int, rows: np.ndarray) -> None:
        """Note which rows hold an item of a benchmark; a row may hold items of several."""
        counts = dict(sorted(Counter(self.sources.take(rows).to_pylist()).items()))
        self.contamination[benchmark] = {"items": items, "rows": len(rows), "rows_by_source": counts, "examples": []}

    def add_hit_example(self, benchmark: str, row: int, item: tuple[str, str], coverage: float) -> None:
        """Keep a hit for a look, where there is room."""
        examples = self.contamination[benchmark]["examples"]
        if len(examples) < EXAMPLES:
            found = self.table.slice(row, 1).to_pylist()[0]
            ngram = shared_ngram((found["instruction"], found["response"]), item)
            text = next(filter(None, item))[:EXAMPLE_CHARACTERS]
            examples.append({"id": found["id"], "ngram": ngram, "item": text, "coverage": round(coverage, 3)})

    def summary(self, rows: int) -> dict:
        """The ledger as JSON holds it: every row read is among the `rows` left, or dropped under one reason."""
        dropped = sum(count for step in self.steps for by in step["dropped"].values() for count in by.values())
        came = self.rows_read + self.rows_added
        assert came == rows + dropped, f"{came} rows read or added, {rows} left, {dropped} dropped"
        return {
            "rows_read": self.rows_read,
            "rows_added": self.rows_added,
            "rows_dropped": dropped,
            "rows": rows,
            "steps": self.steps,
            "modified": self.modified,
            "contamination": self.contamination,
            "examples": self.examples,
        }

    def one_line(self) -> str:
        """Rows read, and the reasons of those dropped."""
        reasons = {reason: sum(by.values()) for step in self.steps for reason, by in step["dropped"].items()}
        return ", ".join([f"{self.rows_read} read", *(f"{count} {reason}" for reason, count in reasons.items())])


# ---------------------------------------------------------------------------------------------------------------------
# Rows in batches, scored by several processes


def texts_of(table, rows: np.ndarray) -> tuple[list[str], list[str]]:
    """Instructions and responses of the rows of these numbers."""
    part = table.select(["instruction", "response"]).take(rows)
    return part["instruction"].to_pylist(), part["response"].to_pylist()


def batches_of(table, rows: np.ndarray):
    """`texts_of` the rows, BATCH_ROWS at a time."""
    for start in range(0, len(rows), BATCH_ROWS):
        yield texts_of(table, rows[start : start + BATCH_ROWS])


def instruction_digests(table, rows: np.ndarray) -> np.ndarray:
    """16 bytes for each row, equal where the normalised instructions are."""
    digests = [text_digest(instruction) for batch in batches_of(table, rows) for instruction in batch[0]]
    return np.array(digests, "V16")


def score_rows(table, rows: np.ndarray, num_proc: int) -> tuple[QualityScorer, dict[str, np.ndarray]]:
    """Fit on all rows, then score them all: the same numbers for any `num_proc`."""
    parts = [rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS)]
    scorer = QualityScorer(SCORE_WEIGHTS).fit(_with_bar("fit", parts, (texts_of(table, part) for part in parts)))
    scored = list(_with_bar("score", parts, _score_parts(scorer, table, parts, num_proc)))
    scores = {key: np.concatenate([part[key] for part in scored]) for key in SCORE_KEYS}
    assert all(np.isfinite(values).all() for values in scores.values()), "the scorer gave a score that is no number"
    return scorer, scores


def _with_bar(name: str, parts: list[np.ndarray], results):
    """The results as they come, one for each part, under a bar that counts rows."""
    from tqdm import tqdm

    with tqdm(total=sum(map(len, parts)), desc=name, unit=" rows", unit_scale=True, delay=2) as bar:
        for part, result in zip(parts, results, strict=True):
            yield result
            bar.update(len(part))


def _score_parts(scorer: QualityScorer, table, parts: list[np.ndarray], num_proc: int):
    if num_proc == 1 or len(parts) == 1:
        yield from (scorer.score_batch(*texts_of(table, part)) for part in parts)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    pool = ProcessPoolExecutor(min(num_proc, len(parts)), initializer=_start_worker, initargs=(scorer, table))
    try:
        with pool:
            yield from pool.map(_score_part, parts)
    except BrokenProcessPool as error:
        raise UserError(
            "a scoring process was killed, for want of memory it may be: take a lower --num_proc"
        ) from error


_worker = {}


def _start_worker(scorer: QualityScorer, table) -> None:
    """Keep what a process scores with, and end the process once its parent is gone, however that ended."""
    import threading

    def watch(parent: int = os.getppid()) -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    _worker.update(scorer=scorer, table=table)
    threading.Thread(target=watch, daemon=True).start()


def _score_part(part: np.ndarray) -> dict[str, np.ndarray]:
    return _worker["scorer"].score_batch(*texts_of(_worker["table"], part))


# ---------------------------------------------------------------------------------------------------------------------
# Files


def remove_old(results: Path) -> None:
    """Remove scores and subsets, all markers first: a kill in between leaves nothing that looks finished."""
    clear(results / "scores.json")
    for marker in (results / "subsets").glob("*.json"):
        clear(marker)
    clear(results / "scores_statistics.json", results / "scores", results / "subsets")


def hash_content(table) -> str:
    """SHA-256 of all cells, column by column."""
    hashes = []
    for name in table.column_names:
        if name in [*SCORE_KEYS, "ifd"]:
            hashes.append(table[name].to_numpy().tobytes().hex())
        else:
            hashes.append(hash_strings(value for chunk in table[name].chunks for value in chunk.to_pylist()))
    return hash_strings(hashes)


# ---------------------------------------------------------------------------------------------------------------------
# Report


def print_report(results: Path, scores: dict) -> None:
    """The ledger and the subsets."""
    print("\n" + "\n".join(ledger_lines(scores["ledger"])))
    print(
        f"{scores['rows']:,} rows scored: {scores['pool_rows']:,} to choose from, {scores['heldout_rows']:,} held out\n"
    )
    print_subsets(results, scores)


def ledger_lines(ledger: dict) -> list[str]:
    """One line per step: what came in, what went and why, with the sources it came from."""
    lines = [f"{ledger['rows_read']:,} rows read"]
    for step in ledger["steps"]:
        for reason, by_source in step["dropped"].items():
            sources = sorted(by_source.items(), key=lambda item: (-item[1], item[0]))
            shown = ", ".join(f"{source} {rows:,}" for source, rows in sources[:4])
            more = f", {len(sources) - 4} more sources" if len(sources) > 4 else ""
            lines.append(f"  -{sum(by_source.values()):<9,} {step['step']}: {reason} ({shown}{more})")
    lines += [f"   {rows:<9,} changed: {reason}" for reason, rows in ledger["modified"].items()]
    for benchmark, facts in ledger["contamination"].items():
        lines.append(f"   {facts['rows']:<9,} hold one of the {facts['items']:,} items of {benchmark}")
    return lines + [f"   unreadable: {example}" for example in ledger["examples"].get("unreadable", [])[:5]]


if __name__ == "__main__":
    run_main(main)
