"""Any instruction data -> clean, deduplicated, scored rows, and the subsets that the study compares.

Read, clean, drop exact duplicates, score, drop near-duplicates (the best-scored row of each cluster stays), drop what
holds an item of an evaluation suite or a benchmark, reserve the held-out rows, cut the subsets of
`training_configs.SUBSETS`. Every row that does not arrive is in the ledger, by reason and source. A pool of fewer than
FULL_SCALE_ROWS rows shrinks every subset by one factor, the scale.

Reads  what --dataset names: local files or folders, hub ids, or "demo", the embedded corpus (no network)
Writes <results>/scores/ + scores.json + scores_statistics.json, <results>/subsets/<subset>/ + <subset>.json,
       <results>/subsets/figures/, <results>/scores/scorecard.html and .json: a page to judge the scores by;
       until it is done <results>/.filter_work/, from which the same command goes on after a kill

    python filter_datasets.py --dataset demo
    python filter_datasets.py --max_samples 10000
    python filter_datasets.py --dataset my_rows.jsonl another_folder owner/name --decontaminate openai/gsm8k:main
    python filter_datasets.py --max_samples 2000 --ifd MODEL     one column more, instruction-following difficulty
    python filter_datasets.py --export messages --format parquet --subset ultra_10k
"""

import contextlib
import os
import shlex
import shutil
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow

import instruction_difficulty
from arrow_files import describe_folder
from command_line import add_results_dir, add_settings, argument_parser, positive, run_main, settings_from, whole
from common import (
    UserError,
    clear,
    disk_errors,
    hash_json,
    hash_path,
    is_done,
    provenance,
    require_apart,
    require_disk,
    require_writable,
    sole_use,
    write_json,
)
from corpus_shards import ENGINES, Job, ShardedRows, ray_cluster, release_memory, run_tasks
from dataset_export import FORMATS, STYLES, export_subsets, remove_exports
from dataset_files import hash_input, input_stamp
from dataset_readers import parse_columns
from decontamination_steps import EVALUATION_SUITES, drop_contaminated, holds_heldout_response, read_benchmarks
from filter_ledger import ledger_lines
from filter_steps import (
    SHARD_ROWS,
    Corpus,
    count_rows,
    distinct_rows,
    measure_difficulty,
    near_duplicate_clusters,
    read_corpus,
    score_rows,
    write_scores,
)
from near_duplicates import NEAR_DUPLICATE_VERSION, best_of_each, cluster_numbers
from quality_scorer import SCORER_VERSION, QualityScorer
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
from training_configs import DEFAULT_DATASETS, HELDOUT, SCORE_KEYS, SCORE_WEIGHTS, cleaning_config

WORK_FOLDER = ".filter_work"
# Options that an export of what is there cannot heed.
FILTERING = ["split", "columns", "turns", "decontaminate", "max_samples", "seed", "balance", "set", "ifd"]


def main() -> None:
    arguments = parse_arguments()
    results = require_writable(arguments.results_dir)
    with disk_errors(results), sole_use(results):
        if arguments.dataset is None and arguments.export and (results / "scores.json").exists():
            if arguments.filtering:
                option = arguments.filtering[0]
                raise UserError(f"--{option} decides what is filtered: give --dataset too, or leave --{option} out")
            return export(results, arguments)  # of what is there, whatever it was made from
        arguments.dataset = arguments.dataset or DEFAULT_DATASETS
        filter_and_cut(results, arguments)
        if arguments.export:
            export(results, arguments)
    if not (results / "subsets" / "ultra_10k.json").exists():
        return  # the pool is too small for the main subset, as the report says
    experiment = "demo" if arguments.dataset == ["demo"] else "ultra_10k_500M"
    folder = "" if arguments.results_dir == "results" else f" --results_dir {shlex.quote(arguments.results_dir)}"
    print(f"\nnext: python train_quality_comparison.py {experiment}{folder}")


def filter_and_cut(results: Path, arguments) -> None:
    """Make what is not done yet of scores, subsets, their figure and the scorecard, and print the report."""
    config = stage_config(arguments)
    entries = [*arguments.dataset, *arguments.decontaminate]
    require_outside(results, arguments.dataset)
    stamps = {entry: input_stamp(entry) for entry in entries}
    inputs = {entry: hash_input(entry) for entry in entries}
    heldout = results / "subsets" / "heldout.json"
    if is_done(results / "scores.json", config, inputs, arguments.force) and heldout.exists():
        print(f"skipped: {results / 'scores.json'} is already done")
        shutil.rmtree(results / WORK_FOLDER, ignore_errors=True)
    else:
        with ray_cluster() if arguments.engine == "ray" else contextlib.nullcontext():
            make_scores(results, config, inputs, stamps, arguments)
        release_memory()
    figure = figure_files(results)
    scores = make_subsets(results, arguments.force, arguments.balance, figure, arguments.num_proc)
    release_memory()
    print_report(results, scores)
    print(f"figure: {figure[0]}")
    pages = ["scorecard"] if all(file.exists() for file in figure) else ["scorecard", "figure"]
    for _ in run_tasks(make_page, (results, scores), pages, min(arguments.num_proc, len(pages))):
        pass


def make_page(context, page: str) -> None:
    """Draw the figure of the subsets, or make the scorecard."""
    if page == "figure":
        draw_subsets(*context)
    else:
        print(refresh_scorecard(*context), flush=True)


def export(results: Path, arguments) -> None:
    export_subsets(results, arguments.export, arguments.format, arguments.subset, arguments.license, arguments.force)


def parse_arguments():
    parser = argument_parser(__doc__)
    add_results_dir(parser)
    parser.add_argument(
        "--dataset", nargs="+", action="extend", metavar="X",
        help=f"local files or folders, hub ids (owner/name or owner/name:config), demo (default: {DEFAULT_DATASETS})",
    )  # fmt: skip
    parser.add_argument("--split", default="train", help="of hub data sets and saved folders (default: train)")
    parser.add_argument(
        "--columns", type=parse_columns, metavar="instruction=A,response=B",
        help="what the columns are, where names do not say; also input, system, messages, id, source; A.B: nested",
    )  # fmt: skip
    parser.add_argument(
        "--turns", choices=["first", "all"], default="first",
        help="the first exchange of a dialogue, or a row for every answer with what led to it (default: first)",
    )  # fmt: skip
    parser.add_argument(
        "--decontaminate", nargs="+", action="extend", default=[], metavar="X",
        help="benchmarks, files or hub ids as in --dataset: rows that hold one of their items are dropped",
    )  # fmt: skip
    parser.add_argument("--max_samples", type=positive, help="only so many rows, drawn by --seed from the whole input")
    parser.add_argument("--seed", type=whole, default=0, help="of the sample, held-out and random rows (default: 0)")
    parser.add_argument(
        "--balance", choices=["none", "source"], default="none",
        help="source: rank rows within their source, so that each tier holds the sources in their share of the pool",
    )  # fmt: skip
    add_settings(parser, "max_characters=2000 (null: no limit)")
    parser.add_argument("--num_proc", type=positive, default=os.cpu_count(), help="processes (default: all cores)")
    parser.add_argument(
        "--engine", choices=ENGINES, default="local",
        help="ray: read, deduplicate, score on the Ray cluster of RAY_ADDRESS; results_dir must be on a disk that "
        "all its nodes share (default: local)",
    )  # fmt: skip
    parser.add_argument(
        "--ifd",
        metavar="MODEL",
        help="causal language model, folder or hub id, that measures difficulty; a column, in no total",
    )
    parser.add_argument(
        "--export", choices=STYLES,
        help="write subsets to exports/ in this style; without --dataset, from what the results folder holds",
    )  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default="jsonl", help="of the export (default: jsonl)")
    parser.add_argument(
        "--subset", nargs="+", action="extend", metavar="NAME", help="subsets to export (default: all but heldout)"
    )
    parser.add_argument("--license", default="unknown", help="for the card of the export (default: unknown)")
    parser.add_argument("--force", action="store_true", help="rebuild what is there")
    arguments, defaults = parser.parse_args(), vars(parser.parse_args([]))
    if arguments.subset and not arguments.export:
        parser.error("--subset says what to --export")
    arguments.filtering = [name for name in FILTERING if getattr(arguments, name) != defaults[name]]
    return arguments


def stage_config(arguments) -> dict:
    """What the scores depend on, besides the input itself. The number of processes does not change them."""
    config = {
        "dataset": arguments.dataset,
        "split": arguments.split,
        "columns": arguments.columns,
        "turns": arguments.turns,
        "decontaminate": arguments.decontaminate,
        "max_samples": arguments.max_samples,
        "seed": arguments.seed,
        "cleaning": cleaning_config(settings_from(arguments.set)),
        "near_duplicate_version": NEAR_DUPLICATE_VERSION,
        "heldout": HELDOUT,
        "evaluation_suites": EVALUATION_SUITES,
        "score_weights": SCORE_WEIGHTS,
        "scorer_version": SCORER_VERSION,
    }
    return config if arguments.ifd is None else config | {"ifd": instruction_difficulty.settings(arguments.ifd)}


# ---------------------------------------------------------------------------------------------------------------------
# Scores: read, clean, deduplicate, score, reserve


def make_scores(results: Path, config: dict, inputs: dict, stamps: dict, arguments) -> None:
    """Write scores/, subsets/heldout/ and, last, scores.json. `stamps`: the inputs' before they were hashed."""
    started = time.time()
    benchmarks = read_benchmarks(config["decontaminate"], config["cleaning"]["drop_evaluation_items"])
    job = Job(work_folder(results, config, inputs), arguments.num_proc, arguments.engine)
    corpus = read_corpus(job, config)
    if changed := [entry for entry, stamp in stamps.items() if input_stamp(entry) != stamp]:
        refuse(results, f"{changed[0]} changed while it was read; run this again when it is whole")
    require_room(results, corpus)
    rows, scores, scorer = filter_rows(job, corpus, config, benchmarks)
    heldout, kept = reserve_heldout(job, corpus, rows, config)
    if len(kept) == len(heldout):
        where = "beside the held-out ones" if len(heldout) else "at all"
        refuse(results, f"too few usable rows, none is left {where}: {corpus.ledger.one_line()}")
    chosen = np.isin(rows, kept)
    scores = {key: values[chosen] for key, values in scores.items()}
    distribution = {key: describe(values) for key, values in scores.items()}
    ifd, ifd_facts = add_difficulty(job, corpus, kept, arguments.ifd)
    files, content_hash = write_scores(job, corpus, kept, scores | ifd)
    with job.timed("held-out rows, files"):
        remove_old(results)
        place_folder(job.folder / "scores", files, results / "scores")
        write_json(results / "scores_statistics.json", scorer.to_dict())
        is_heldout = np.isin(kept, heldout)
        write_heldout(results, ShardedRows.of_folder(results / "scores"), is_heldout, config["seed"], content_hash)
    facts = {
        "config": config,
        "provenance": provenance(started, inputs),
        "rows": len(kept),
        "heldout_rows": len(heldout),
        "pool_rows": len(kept) - len(heldout),
        **scale_facts(len(kept) - len(heldout)),
        "content_hash": content_hash,
        "ledger": corpus.ledger.summary(len(kept), config["cleaning"]),
        "distribution": distribution,
        "scorer": {"version": SCORER_VERSION, "weights": scorer.weights, "statistics": "scores_statistics.json"},
        **ifd_facts,
        "steps": job.steps,
    }
    write_json(results / "scores.json", facts)
    shutil.rmtree(results / WORK_FOLDER)


def filter_rows(
    job: Job, corpus: Corpus, config: dict, benchmarks: dict
) -> tuple[np.ndarray, dict[str, np.ndarray], QualityScorer]:
    """Rows that are clean, no duplicates and hold no benchmark's item: their numbers, their scores, the scorer."""
    rows = distinct_rows(corpus, config["cleaning"]["drop_exact_duplicates"])
    if not len(rows):
        refuse(job.folder.parent.parent, f"no usable row: {corpus.ledger.one_line()}")
    scorer = count_rows(job, corpus, rows)
    threshold, kept = config["cleaning"]["near_duplicate_jaccard"], rows
    clusters = near_duplicate_clusters(job, corpus, rows, threshold) if threshold else None
    scores = score_rows(job, corpus, rows, scorer)
    if threshold:
        order = best_first(scores[SCORE_KEYS.index("quality")], corpus.ids.take(pyarrow.array(rows)))
        kept = corpus.ledger.drop("near-duplicates", rows, {"near_duplicate": ~best_of_each(clusters, order)})
    if benchmarks:
        kept = drop_contaminated(job, corpus, kept, benchmarks)
    return kept, dict(zip(SCORE_KEYS, scores[:, np.isin(rows, kept)], strict=True)), scorer


def reserve_heldout(job: Job, corpus: Corpus, rows: np.ndarray, config: dict) -> tuple[np.ndarray, np.ndarray]:
    """The held-out rows, and all rows that stay. None of the others has a held-out row's instruction or response, or is
    of its dialogue."""
    asked, dialogues = corpus.asked[rows], corpus.dialogues[rows]
    is_heldout = np.zeros(len(rows), bool)
    rng = np.random.default_rng([config["seed"], 1])
    groups = linked_rows(asked, dialogues)
    is_heldout[draw_stratified(corpus.sources[rows], groups, heldout_rows(len(rows)), rng)] = True
    masks = {
        "shares_heldout_instruction": np.isin(asked, asked[is_heldout]) & ~is_heldout,
        "shares_heldout_dialogue": np.isin(dialogues, dialogues[is_heldout]) & ~is_heldout,
    }
    if config["cleaning"]["drop_heldout_responses"]:
        holds = holds_heldout_response(job, corpus, rows, rows[is_heldout])
        masks["holds_heldout_response"] = holds & ~is_heldout
    return rows[is_heldout], corpus.ledger.drop("held-out rows", rows, masks)


def linked_rows(*keys: np.ndarray) -> np.ndarray:
    """The groups of rows that have one of the keys in common, directly or through others, as numbers."""
    links = []
    for key in keys:
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
        links.append(np.stack([first[place], np.arange(len(key))], axis=1))
    return cluster_numbers(len(keys[0]), np.concatenate(links))


def add_difficulty(job: Job, corpus: Corpus, rows: np.ndarray, model: str | None) -> tuple[dict, dict]:
    """The column ifd, NaN where there is none, and its facts; both empty without a model."""
    if model is None:
        return {}, {}
    ifd, facts = measure_difficulty(job, corpus, rows, model)
    print(instruction_difficulty.facts_line(facts))
    return {"ifd": ifd}, {"ifd": facts | {"distribution": describe(ifd[np.isfinite(ifd)])}}


# ---------------------------------------------------------------------------------------------------------------------
# Files


def work_folder(results: Path, config: dict, inputs: dict) -> Path:
    """The folder of this job's unfinished work. What another job, or other code, left there is removed."""
    code = {path.name: hash_path(path) for path in Path(__file__).parent.glob("*.py")}  # many of them matter
    folder = results / WORK_FOLDER / hash_json([config, inputs, code, SHARD_ROWS])[:16]
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other)
    if folder.exists():
        print(f"going on with the work of an unfinished run, in {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def require_outside(results: Path, datasets: list[str]) -> None:
    """Raises UserError where results lie in a folder of data: they would be read as data the next time."""
    for entry in datasets:
        if entry != "demo":
            require_apart("--results_dir", results, entry)


def refuse(results: Path, message: str) -> NoReturn:
    """Remove the unfinished work and raise UserError."""
    shutil.rmtree(results / WORK_FOLDER)
    raise UserError(message)


def require_room(results: Path, corpus: Corpus) -> None:
    """Raises UserError where the disk has no room for what these rows become."""
    row_bytes = sum(Path(path).stat().st_size for path in corpus.texts.paths)
    try:
        require_disk(results, disk_bytes(row_bytes, corpus.texts.rows), "scores and subsets")
    except UserError as error:
        refuse(results, str(error))


def place_folder(staged: Path, files: list[str], folder: Path) -> None:
    """Move a folder of finished files to its place, without what a killed process left beside them."""
    for leftover in {*staged.iterdir()} - {*map(Path, files)}:
        leftover.unlink()
    describe_folder(staged, files)
    os.replace(staged, folder)


def remove_old(results: Path) -> None:
    """Remove scores, subsets and their exports, markers first: a kill in between leaves nothing that looks finished."""
    clear(results / "scores.json")
    for marker in (results / "subsets").glob("*.json"):
        clear(marker)
    remove_exports(results)
    clear(results / "scores_statistics.json", results / "scores", results / "subsets")


# ---------------------------------------------------------------------------------------------------------------------
# Report


def print_report(results: Path, scores: dict) -> None:
    """The ledger and the subsets."""
    print("\n" + "\n".join(ledger_lines(scores["ledger"])))
    print(
        f"{scores['rows']:,} rows scored: {scores['pool_rows']:,} to choose from, {scores['heldout_rows']:,} held out\n"
    )
    print_subsets(results, scores)


if __name__ == "__main__":
    run_main(main)
