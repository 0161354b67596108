"""The steps that drop rows which hold what models are tested on, shard by shard; `decontamination.py` has the rule.

    decontaminate      rows -> items of suites and benchmarks that they hold   one task for each shard
    held-out texts     rows -> held-out responses that they hold               one for each shard

The parent makes the index, and the processes inherit it by fork. Nothing is decided before the hits of all shards are
there: a text that very many rows hold is no leak, and that shows only over all of them.

Reads  the evaluation suites, the benchmarks of --decontaminate, the rows of a `filter_steps.Corpus`
Writes hits in the job's folder
"""

from pathlib import Path

import numpy as np

from benchmark_items import read_benchmark
from corpus_shards import Job, write_arrays
from dataset_formats import source_name
from decontamination import (
    Hits,
    Index,
    build_index,
    distinct_items,
    find_hits,
    rows_by_benchmark,
    shared_ngram,
    without_standing_texts,
)
from filter_ledger import EXAMPLE_CHARACTERS, EXAMPLES
from filter_steps import Corpus, batches_of
from training_configs import DEMO_SETTINGS, EVALUATION
from verifiable_tasks import make_suite

# The suites that models are evaluated on: no row may hold one of their prompts.
EVALUATION_SUITES = [
    {"suite": settings["suite"], "prompts": settings["suite_prompts"], "seed": settings["suite_seed"]}
    for settings in (EVALUATION, {**EVALUATION, **DEMO_SETTINGS})
]


def read_benchmarks(entries: list[str], with_suites: bool) -> dict[str, list[tuple[str, str]]]:
    """The items, (question, answer), that no row may hold: of the evaluation suites, and of each of `entries`."""
    benchmarks = {}
    if with_suites:
        suites = [make_suite(*suite.values()) for suite in EVALUATION_SUITES]
        benchmarks["evaluation_suite"] = [(task["prompt"], "") for suite in suites for task in suite]
    for entry in entries:
        name = source_name(Path(entry)) if Path(entry).exists() else entry
        benchmarks[entry if name in benchmarks else name] = read_benchmark(entry)
    return benchmarks


def drop_contaminated(job: Job, corpus: Corpus, rows: np.ndarray, benchmarks: dict) -> np.ndarray:
    """The rows that hold no item of `read_benchmarks`."""
    index = build_index(benchmarks)
    hits = corpus_hits(job, "decontaminate", corpus, rows, index)
    items = [item for benchmark in benchmarks.values() for item in distinct_items(benchmark)]
    masks = rows_by_benchmark(hits, index, len(rows))
    for number, (name, mask) in enumerate(masks.items()):
        first = np.flatnonzero(index.item_benchmark[hits.item] == number)[:EXAMPLES]
        examples = hit_examples(corpus, rows, Hits(*(values[first] for values in hits)), items)
        corpus.ledger.add_hits(name, len(distinct_items(benchmarks[name])), rows[mask], examples)
    return corpus.ledger.drop("decontamination", rows, {f"in_{name}": mask for name, mask in masks.items()})


def holds_heldout_response(job: Job, corpus: Corpus, rows: np.ndarray, heldout: np.ndarray) -> np.ndarray:
    """Which rows hold the response of a held-out row: bool[rows].

    Responses alone: half the rows of a templated source share a passage or a wording with some held-out instruction.
    """
    responses = corpus.texts.take(heldout, ["response"])["response"].to_pylist()
    index = build_index({"heldout": [("", response) for response in responses]})
    hits = without_standing_texts(corpus_hits(job, "held-out texts", corpus, rows, index), corpus.dialogues[rows])
    return rows_by_benchmark(hits, index, len(rows))["heldout"]


def corpus_hits(job: Job, step: str, corpus: Corpus, rows: np.ndarray, index: Index) -> Hits:
    """The items of the index that the rows hold; rows by their place in `rows`, which ascend."""
    parts = corpus.local_rows(rows)
    name = step.replace(" ", "-")
    tasks = job.tasks_of(name, parts, "npz")
    job.run_step(step, hits_task, (job, name, corpus.texts.paths, index), tasks, len(rows))
    found = []
    for number, before in enumerate(np.cumsum([0, *map(len, parts)])[:-1]):
        hits = Hits(**np.load(job.path(name, number, "npz")))
        found.append(hits._replace(row=hits.row + before))
    return Hits(*map(np.concatenate, zip(*found, strict=True)))


def hits_task(context, task) -> None:
    """One shard: what its rows hold."""
    (job, name, paths, index), (number, part) = context, task
    write_arrays(job.path(name, number, "npz"), **find_hits(batches_of(paths[number], part), index)._asdict())


def hit_examples(corpus: Corpus, rows: np.ndarray, hits: Hits, items: list[tuple[str, str]]) -> list[dict]:
    """Some hits for a look: the row's id, an n-gram that it shares with the item, the item, and how much of it."""
    found = corpus.texts.take(rows[hits.row], ["id", "instruction", "response"]).to_pylist()
    return [
        {
            "id": row["id"],
            "ngram": shared_ngram((row["instruction"], row["response"]), items[item]),
            "item": next(filter(None, items[item]))[:EXAMPLE_CHARACTERS],
            "coverage": round(coverage, 3),
        }
        for row, item, coverage in zip(found, hits.item.tolist(), hits.coverage.tolist(), strict=True)
    ]
