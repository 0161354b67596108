"""Two subsets side by side, trained on or not: rows, overlap, scores, lengths, sources, and the runs that used them.

    python analyze_results.py ./results/ --compare ultra_10k random_10k
    python analyze_results.py ./results/ --compare ultra_10k my_rows/

Reads  two folders of Arrow rows: of <results>/subsets/, or any folder that `datasets` saved (`save_to_disk`), with the
       columns instruction and response; source and the scores where they are there; the runs trained on both.
Writes <output>/compare_<A>_vs_<B>.html, .md and .json, the JSON last.
"""

from collections import Counter
from pathlib import Path

import numpy as np

import experiment_comparison
from arrow_files import read_arrow
from common import UserError, hash_path
from lineage import is_text, row_digests
from report_tables import NONE, join_words
from training_configs import SCORE_KEYS

TEXTS = ["instruction", "response"]
SOURCES_SHOWN = 3


def find_subset(results: Path, name: str) -> Path | None:
    """The folder of a subset: of <results>/subsets/ by its name, or any folder of Arrow rows by its path."""
    folders = (results / "subsets" / name, Path(name))
    return next((folder for folder in folders if (folder / "state.json").exists()), None)


def describe_subset(name: str, folder: Path) -> tuple[dict, dict]:
    """Facts of a subset, and the sets of its rows' digests and of its prompts: a row is its texts, whatever its id.

    Raises UserError where it lacks a text or has no rows.
    """
    table = read_arrow(folder)
    if lacking := [column for column in TEXTS if column not in table.column_names]:
        raise UserError(f"--compare {name}: {folder} has no column {' and no '.join(lacking)}")
    if not table.num_rows:
        raise UserError(f"--compare {name}: {folder} has no rows")
    if empty := [column for column in TEXTS if not is_text(table[column])]:
        raise UserError(f"--compare {name}: {folder} must hold a text in every row of {' and '.join(empty)}")
    words = {text: np.array([len(row.split()) for row in table[text].to_pylist()]) for text in TEXTS}
    mix = Counter(table["source"].drop_null().to_pylist() if "source" in table.column_names else [])
    prompts = set(table["instruction"].to_pylist())
    facts = {
        "subset": name,
        "rows": table.num_rows,
        "distinct_instructions": len(prompts),
        **{f"{text}_words_mean": float(counts.mean()) for text, counts in words.items()},
        **{f"{text}_words_median": float(np.median(counts)) for text, counts in words.items()},
        "scores": mean_scores(table),
        "source_mix": dict(sorted(mix.items(), key=lambda item: (-item[1], item[0]))),
        "hash": hash_path(folder),
    }
    return facts, {"rows": set(row_digests(table, TEXTS)), "prompts": prompts}


def mean_scores(table) -> dict[str, float]:
    """The mean of each score that every row has: one over some of the rows would not be the subset's."""
    scores = {score: table[score] for score in SCORE_KEYS if score in table.column_names}
    numbers = {score: column.to_numpy() for score, column in scores.items() if not column.null_count}
    return {score: float(values.mean()) for score, values in numbers.items() if values.dtype.kind in "fiu"
            and np.isfinite(values).all()}  # fmt: skip


def make_comparison(results: Path, names: list[str], trained: list[dict], scale: str | None) -> dict:
    """The content of the JSON, less its provenance. `trained`: comparisons of runs that trained on both subsets."""
    labels = [Path(name).name for name in names]
    labels = labels if labels[0] != labels[1] else names
    described = [describe_subset(label, find_subset(results, name)) for label, name in zip(labels, names, strict=True)]
    (_, first), (_, second) = described
    return {
        "config": {"first": labels[0], "second": labels[1]},
        "provenance": None,
        "scale_label": scale or "subsets alone",
        "subsets": [facts for facts, _ in described],
        "shared": {kind: len(first[kind] & second[kind]) for kind in ("rows", "prompts")},
        "runs": trained,
    }


# ---------------------------------------------------------------------------------------------------------------------
# Words and tables


def sentence(comparison: dict) -> str:
    """What the two share and, where runs trained on them, which of those is better; more is not to be read off rows."""
    first, second = comparison["config"]["first"], comparison["config"]["second"]
    shared = comparison["shared"]
    start = f"{first} and {second} share {shared['rows']:,} rows and {shared['prompts']:,} prompts"
    if not comparison["runs"]:
        return f"{start}; no two runs trained on them, so nothing is known of what they do for a model."
    parts = [trained_words(pair, comparison["config"]) for pair in comparison["runs"]]
    return f"{start}; trained on, {'; '.join(parts)}."


def trained_words(pair: dict, names: dict) -> str:
    phrases = {
        "first is better": f"{names['first']} is better",
        "second is better": f"{names['second']} is better",
        "no difference seen": "no difference is seen",
    }
    words = experiment_comparison.readings_words(pair["contrasts"], phrases)
    return f"at {pair['runs'][0]['size']} {join_words(words)}"


def cautions(comparison: dict) -> list[str]:
    points = ["A mean score says what the score likes, not what a model learns; only runs on both subsets tell that."]
    for pair in comparison["runs"]:
        size = pair["runs"][0]["size"]
        points += [f"{size}: {point}" for point in experiment_comparison.cautions(pair)]
    counts = [facts["rows"] for facts in comparison["subsets"]]
    if counts[0] != counts[1]:
        points.append(f"They have {counts[0]:,} and {counts[1]:,} rows: a difference may be one of number alone.")
    return points


def subset_table(comparison: dict) -> dict:
    first, second = comparison["subsets"]
    plain = {"rows": ",", "distinct_instructions": ","}
    plain |= {f"{text}_words_{kind}": form for text in TEXTS for kind, form in (("mean", ".1f"), ("median", ".0f"))}
    cells = [[key.replace("_", " "), f"{first[key]:{form}}", f"{second[key]:{form}}"] for key, form in plain.items()]
    for score in SCORE_KEYS:
        values = [facts["scores"].get(score) for facts in (first, second)]
        if any(value is not None for value in values):
            shown = [NONE if value is None else f"{value:.3f}" for value in values]
            cells.append([f"mean {score.replace('_', ' ')}", *shown])
    cells.append(["largest sources", *[source_words(facts) for facts in (first, second)]])
    return {"title": "The rows", "headings": ["", first["subset"], second["subset"]], "cells": cells,
            "note": f"{comparison['scale_label']}. Words by white space; scores as the rows carry them."}  # fmt: skip


def source_words(facts: dict) -> str:
    largest = list(facts["source_mix"].items())[:SOURCES_SHOWN]
    return ", ".join(f"{source} {count / facts['rows']:.0%}" for source, count in largest) or NONE


def tables_of(comparison: dict) -> list[dict]:
    return [subset_table(comparison), *[experiment_comparison.comparison_table(pair) for pair in comparison["runs"]]]
