"""Any instruction data -> clean, deduplicated, scored rows, and the subsets that the study compares.

Read, clean, drop exact duplicates, score, drop near-duplicates (the best-scored row of each cluster stays), drop what
an evaluation suite asks, reserve the held-out rows, cut the subsets of `training_configs.SUBSETS`. Every row that does
not arrive is in the ledger, by reason and source. A pool of fewer than FULL_SCALE_ROWS rows shrinks every subset by one
factor, the scale.

Reads  what --dataset names: local files or folders, hub ids, or "demo", the embedded corpus (no network)
Writes <results>/scores/ + scores.json + scores_statistics.json, <results>/subsets/<subset>/ + <subset>.json;
       until it is done <results>/.filter_work/, from which the same command goes on after a kill

    python filter_datasets.py --dataset demo
    python filter_datasets.py --max_samples 10000
    python filter_datasets.py --dataset my_rows.jsonl another_folder owner/name
"""

import os
import shutil
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow

from common import (
    UserError,
    add_results_dir,
    argument_parser,
    clear,
    hash_json,
    hash_path,
    is_done,
    locked,
    provenance,
    read_json,
    require_disk,
    require_writable,
    run_main,
    write_json,
)
from corpus_shards import Job, ShardedRows, describe_folder, disk_errors
from dataset_files import hash_input
from filter_steps import (
    SHARD_ROWS,
    Corpus,
    count_rows,
    distinct_rows,
    near_duplicate_clusters,
    read_corpus,
    score_rows,
    write_scores,
)
from near_duplicates import best_of_each, text_digest
from quality_scorer import SCORE_KEYS, SCORER_VERSION, QualityScorer
from subset_selection import (
    best_first,
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
    SUBSETS,
)
from verifiable_tasks import make_suite

WORK_FOLDER = ".filter_work"
# Work left by a killed run is of use only to the same code: these modules decide what is in it.
CODE = [
    "filter_datasets", "filter_steps", "corpus_shards", "near_duplicates", "dataset_files", "dataset_readers",
    "quality_scorer", "pair_features", "text_features", "word_facts", "training_configs",
]  # fmt: skip

# The suites that models are evaluated on: no row may ask what they ask.
EVALUATION_SUITES = [
    {"suite": settings["suite"], "prompts": settings["suite_prompts"], "seed": settings["suite_seed"]}
    for settings in (EVALUATION, {**EVALUATION, **DEMO_SETTINGS})
]


def main() -> None:
    arguments = parse_arguments()
    results = require_writable(arguments.results_dir)
    with disk_errors(results), locked(results):
        scores = filter_and_cut(results, arguments)
    print_report(results, scores)
    experiment = "demo" if arguments.dataset == ["demo"] else "ultra_10k_500M"
    folder = "" if arguments.results_dir == "results" else f" --results_dir {arguments.results_dir}"
    print(f"\nnext: python train_quality_comparison.py {experiment}{folder}")


def filter_and_cut(results: Path, arguments) -> dict:
    """Make what is not done of scores and subsets. The content of scores.json."""
    config = stage_config(arguments)
    inputs = {entry: hash_input(entry) for entry in arguments.dataset}
    heldout = results / "subsets" / "heldout.json"
    if is_done(results / "scores.json", config, inputs, arguments.force) and heldout.exists():
        print(f"skipped: {results / 'scores.json'} is already done")
        shutil.rmtree(results / WORK_FOLDER, ignore_errors=True)
    else:
        make_scores(results, config, inputs, arguments.num_proc)
    return make_subsets(results, arguments.force, arguments.num_proc)


def parse_arguments():
    parser = argument_parser(__doc__)
    add_results_dir(parser)
    parser.add_argument(
        "--dataset", nargs="+", default=DEFAULT_DATASETS, metavar="X",
        help=f"local files or folders, hub ids (owner/name or owner/name:config), demo (default: {DEFAULT_DATASETS})",
    )  # fmt: skip
    parser.add_argument("--split", default="train", help="of hub data sets and saved folders (default: train)")
    parser.add_argument("--max_samples", type=int, help="a seeded sample of so many rows over the whole input")
    parser.add_argument("--seed", type=int, default=0, help="of the sample, held-out and random rows (default: 0)")
    parser.add_argument("--num_proc", type=int, default=os.cpu_count(), help="processes (default: all cores)")
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
    return {
        "dataset": arguments.dataset,
        "split": arguments.split,
        "max_samples": arguments.max_samples,
        "seed": arguments.seed,
        "cleaning": CLEANING,
        "heldout": HELDOUT,
        "evaluation_suites": EVALUATION_SUITES,
        "score_weights": SCORE_WEIGHTS,
        "scorer_version": SCORER_VERSION,
    }


# ---------------------------------------------------------------------------------------------------------------------
# Scores: read, clean, deduplicate, score, reserve


def make_scores(results: Path, config: dict, inputs: dict, num_proc: int) -> None:
    """Write scores/, subsets/heldout/ and, last, scores.json."""
    started = time.time()
    job = Job(work_folder(results, config, inputs), num_proc)
    corpus = read_corpus(job, config)
    require_room(results, corpus)
    rows, scores, scorer = filter_rows(job, corpus, config)
    heldout, kept = reserve_heldout(corpus, rows, config["seed"])
    if len(kept) == len(heldout):
        refuse(results, f"too few usable rows, none is left beside the held-out ones: {corpus.ledger.one_line()}")
    scores = scores[:, np.isin(rows, kept)]
    files, content_hash = write_scores(job, corpus, kept, scores)
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
        "ledger": corpus.ledger.summary(len(kept)),
        "distribution": {key: describe(values) for key, values in zip(SCORE_KEYS, scores, strict=True)},
        "scorer": {"version": SCORER_VERSION, "weights": scorer.weights, "statistics": "scores_statistics.json"},
        "steps": job.steps,
    }
    write_json(results / "scores.json", facts)
    shutil.rmtree(results / WORK_FOLDER)


def filter_rows(job: Job, corpus: Corpus, config: dict) -> tuple[np.ndarray, np.ndarray, QualityScorer]:
    """Rows that are clean, no duplicates and in no evaluation suite: their numbers, their scores, the fitted scorer."""
    rows = distinct_rows(corpus)
    if not len(rows):
        refuse(job.folder.parent.parent, f"no usable row: {corpus.ledger.one_line()}")
    scorer = count_rows(job, corpus, rows)
    clusters = near_duplicate_clusters(job, corpus, rows, config["cleaning"]["near_duplicate_jaccard"])
    scores = score_rows(job, corpus, rows, scorer)
    order = best_first(scores[SCORE_KEYS.index("quality")], corpus.ids.take(pyarrow.array(rows)))
    kept = corpus.ledger.drop("near-duplicates", rows, {"near_duplicate": ~best_of_each(clusters, order)})
    prompts = [text_digest(task["prompt"]) for suite in EVALUATION_SUITES for task in make_suite(*suite.values())]
    in_suite = np.isin(corpus.asked[kept], np.array(prompts, "V16"))
    kept = corpus.ledger.drop("evaluation suites", kept, {"in_evaluation_suite": in_suite})
    return kept, scores[:, np.isin(rows, kept)], scorer


def reserve_heldout(corpus: Corpus, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The held-out rows, and all rows that stay: none but held-out ones asks what a held-out row asks."""
    digests = corpus.asked[rows]
    is_heldout = np.zeros(len(rows), bool)
    rng = np.random.default_rng([seed, 1])
    is_heldout[draw_stratified(corpus.sources[rows], digests, heldout_rows(len(rows)), rng)] = True
    shares = np.isin(digests, digests[is_heldout]) & ~is_heldout
    kept = corpus.ledger.drop("held-out instructions", rows, {"shares_heldout_instruction": shares})
    return rows[is_heldout], kept


# ---------------------------------------------------------------------------------------------------------------------
# Files


def work_folder(results: Path, config: dict, inputs: dict) -> Path:
    """Where this very job keeps its unfinished work; what another job, or other code, left there goes."""
    code = {name: hash_path(Path(__file__).with_name(f"{name}.py")) for name in CODE}
    folder = results / WORK_FOLDER / hash_json([config, inputs, code, SHARD_ROWS])[:16]
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other)
    if folder.exists():
        print(f"going on with the work of a run that did not end, in {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def refuse(results: Path, message: str) -> NoReturn:
    """Leave nothing behind, and say why."""
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
    """Put a folder of finished files in its place."""
    describe_folder(staged, files)
    os.replace(staged, folder)


def remove_old(results: Path) -> None:
    """Remove scores and subsets, all markers first: a kill in between leaves nothing that looks finished."""
    clear(results / "scores.json")
    for marker in (results / "subsets").glob("*.json"):
        clear(marker)
    clear(results / "scores_statistics.json", results / "scores", results / "subsets")


# ---------------------------------------------------------------------------------------------------------------------
# Report


def print_report(results: Path, scores: dict) -> None:
    """The ledger, the scale, and one line for each subset."""
    print("\n" + "\n".join(ledger_lines(scores["ledger"])))
    print(
        f"{scores['rows']:,} rows scored: {scores['pool_rows']:,} to choose from, {scores['heldout_rows']:,} held out\n"
    )
    names = [name for name in [*SUBSETS, "heldout"] if name not in scores["subsets_left_out"]]
    subsets = [read_json(results / "subsets" / f"{name}.json") for name in names]
    print("\n".join(subset_table(subsets)))
    print(f"scale {scores['scale_label']}: " + ("full size" if scores["scale"] == 1 else "every subset shrunk by this"))
    if scores["subsets_left_out"]:
        print(f"left out, smaller than one row at this scale: {', '.join(scores['subsets_left_out'])}")
    for subset in subsets:
        if subset["rule"] == "top" and subset["pool_fraction"] > 0.5:
            print(
                f"{subset['subset']} takes {subset['pool_fraction']:.0%} of the pool: it is little else than the pool"
            )


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
    return lines + [f"   unreadable: {example}" for example in ledger["unreadable_examples"]]


def subset_table(subsets: list[dict]) -> list[str]:
    """The subsets side by side."""
    heads = f"{'subset':14}{'rule':12}{'rows':>9}{'prompts':>9}{'of pool':>9}{'score':>8}{'range':>14}{'words':>8}"
    lines = [f"{heads}{'entropy':>9}  most from"]
    for subset in subsets:
        score, words = subset["score"], subset["response_words"]
        source, rows = next(iter(subset["source_mix"].items()), ("-", 0))
        most = f"{source} {rows / max(subset['rows'], 1):.0%}"
        numbers = f"{'-':>8}{'-':>14}{'-':>8}"
        if subset["rows"]:
            numbers = f"{score['mean']:8.3f}{score['min']:8.3f}-{score['max']:.3f}{words['mean']:8.1f}"
        lines.append(
            f"{subset['subset']:14}{subset['rule'].split()[0]:12}{subset['rows']:9,}{subset['distinct_instructions']:9,}"
            f"{subset['pool_fraction']:9.1%}{numbers}{subset['source_entropy_bits']:9.2f}  {most}"
        )
    return lines


if __name__ == "__main__":
    run_main(main)
