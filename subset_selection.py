"""Cut the scored rows into held-out rows and subsets: sizes, rules, files.

A subset is the rows of `results/scores/` that a rule of `training_configs.SUBSETS` picks, without the held-out ones:
top and bottom by score, longest by words of the response, random as a prefix of one shuffled order. Whatever ties is
ordered by id, so that the same rows give the same subsets in whatever order they came.

Reads  scores/, scores.json, subsets/heldout/
Writes subsets/<subset>/ and <subset>.json. `python filter_datasets.py` is the command.
"""

import math
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute

from common import (
    clear,
    hash_strings,
    is_done,
    provenance,
    read_arrow,
    read_json,
    require_writable,
    write_arrow,
    write_json,
)
from quality_scorer import SCORE_KEYS
from training_configs import FULL_SCALE_ROWS, HELDOUT, SUBSETS

PERCENTILES = [1, 5, 25, 50, 75, 95, 99]
FRIENDLY_SCALES = [1, 2, 3, 4, 5, 6, 8] + [
    round(step * 10**power) for power in range(1, 7) for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
]


# ---------------------------------------------------------------------------------------------------------------------
# Sizes


def scale_of(pool_rows: int) -> int:
    """The denominator that every subset's size is divided by: the smallest friendly one whose 1M fits the pool."""
    return next(scale for scale in FRIENDLY_SCALES if FULL_SCALE_ROWS / scale <= pool_rows)


def scale_facts(pool_rows: int) -> dict:
    """The scale of a pool, and the subsets of which less than one row would be left."""
    scale = scale_of(pool_rows)
    left_out = [name for name, subset in SUBSETS.items() if subset["rows"] < scale]
    return {"scale": scale, "scale_label": f"1:{scale}", "subsets_left_out": left_out}


def heldout_rows(rows: int) -> int:
    """How many of `rows` rows to hold out: at least one."""
    return min(HELDOUT["max_rows"], max(1, int(HELDOUT["max_fraction"] * rows)))


def draw_stratified(sources: np.ndarray, groups: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of `count` rows, each source in its share (largest remainder), in ascending order.

    Rows of one group, which are answers to one instruction, are drawn together, so that few are left that a held-out
    row forbids. A group larger than its source's share comes last.
    """
    names, sizes = np.unique(sources, return_counts=True)
    shares = sizes * count / max(len(sources), 1)
    quotas = np.floor(shares).astype(int)
    quotas[np.lexsort((names, quotas - shares))[: count - quotas.sum()]] += 1
    drawn = [np.empty(0, np.int64)]
    for name, quota in zip(names, quotas, strict=True):
        rows = np.flatnonzero(sources == name)
        _, group, group_sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
        order = np.lexsort((rng.permutation(len(group_sizes))[group], group_sizes[group] > quota))
        drawn.append(rows[order[:quota]])
    return np.sort(np.concatenate(drawn))


def disk_bytes(table) -> float:
    """What scores, held-out rows and subsets of these rows can take: no tier is larger than the pool."""
    subsets = sum(subset["rows"] for subset in SUBSETS.values()) / FULL_SCALE_ROWS
    row_bytes = table.nbytes + 8 * len(SCORE_KEYS) * table.num_rows
    return 1.1 * row_bytes * (1 + HELDOUT["max_fraction"] + subsets)


# ---------------------------------------------------------------------------------------------------------------------
# Rules


def best_first(quality: np.ndarray, ids) -> np.ndarray:
    """Row numbers from the highest score to the lowest, equal ones by id."""
    table = pyarrow.table({"quality": quality, "id": ids})
    order = pyarrow.compute.sort_indices(table, [("quality", "descending"), ("id", "ascending")])
    return order.to_numpy().astype(np.int64)


def longest_first(words: np.ndarray, ids) -> np.ndarray:
    """Row numbers from the most words in the response to the fewest, equal ones by id."""
    return best_first(words, ids)


def shuffled(ids, seed: int) -> np.ndarray:
    """Row numbers in a random order that depends on the ids and the seed alone."""
    by_id = pyarrow.compute.sort_indices(ids).to_numpy().astype(np.int64)
    return by_id[np.random.default_rng([seed, 2]).permutation(len(by_id))]


def pick_rows(rule: str, count: int, table, words: np.ndarray, seed: int) -> np.ndarray:
    """The numbers of `count` rows of a table with columns id and quality, in the order they are stored in."""
    if rule == "random":
        return shuffled(table["id"], seed)[:count]
    if rule == "longest":
        return longest_first(words, table["id"])[:count]
    order = best_first(table["quality"].to_numpy(), table["id"])
    return {"top": order[:count], "bottom": order[-count:]}[rule]


def count_words(column) -> np.ndarray:
    """Words, by white space, of every text of a column."""
    counts = [len(text.split()) for chunk in column.chunks for text in chunk.to_pylist()]
    return np.array(counts, np.int64)


# ---------------------------------------------------------------------------------------------------------------------
# Descriptions


def describe(values: np.ndarray) -> dict:
    """Mean, standard deviation, extremes and percentiles of some numbers; null where there are none."""
    names = ["mean", "sd", "min", "max", *(f"p{percent}" for percent in PERCENTILES)]
    if not len(values):
        return dict.fromkeys(names)
    numbers = [values.mean(), values.std(), values.min(), values.max(), *np.percentile(values, PERCENTILES)]
    return {name: float(number) for name, number in zip(names, numbers, strict=True)}


def profile(table) -> dict:
    """What a subset's JSON says of its rows: the hash of their ids, different prompts, scores, sources, length."""
    mix = dict(sorted(Counter(table["source"].to_pylist()).items(), key=lambda item: (-item[1], item[0])))
    score, words = describe(table["quality"].to_numpy()), describe(count_words(table["response"]))
    shares = [rows / table.num_rows for rows in mix.values()]
    return {
        "ids_hash": hash_strings(table["id"].to_pylist()),
        "distinct_instructions": len(pyarrow.compute.unique(table["instruction"])),
        "score": {key: score[key] for key in ("min", "max", "mean")},
        "source_mix": mix,
        "source_entropy_bits": sum((-share * math.log2(share) for share in shares), 0.0),
        "response_words": {"mean": words["mean"], "p5": words["p5"], "median": words["p50"], "p95": words["p95"]},
    }


# ---------------------------------------------------------------------------------------------------------------------
# Files


def write_subset(results: Path, config: dict, inputs: dict, table, pool_rows: int, started: float) -> None:
    """Write one subset's rows, then its JSON."""
    name = config["subset"]
    marker, folder = results / "subsets" / f"{name}.json", results / "subsets" / name
    require_writable(folder.parent)
    clear(marker, folder)
    write_arrow(folder, table)
    scale = scale_facts(pool_rows)
    facts = {
        "config": config,
        "provenance": provenance(started, inputs),
        "subset": name,
        "rule": config["rule"],
        "rows": table.num_rows,
        "full_scale_rows": config["rows"],
        "scale": scale["scale"],
        "scale_label": scale["scale_label"],
        "pool_rows": pool_rows,
        "pool_fraction": table.num_rows / pool_rows,
        **profile(table),
    }
    write_json(marker, facts)


def write_heldout(results: Path, scored, is_heldout: np.ndarray, seed: int, content_hash: str) -> None:
    """Write the rows that every experiment is tested on; `scored` are all rows, the mask says which of them."""
    config = {"subset": "heldout", "rule": "stratified by source", "rows": HELDOUT["max_rows"], "seed": seed}
    table = scored.filter(pyarrow.array(is_heldout))
    pool_rows = scored.num_rows - table.num_rows
    write_subset(results, config, {"scores": content_hash}, table, pool_rows, time.time())


def make_subsets(results: Path, force: bool) -> dict:
    """Write every subset that is not done. The content of scores.json, up to date with SUBSETS."""
    scores = read_json(results / "scores.json")
    facts, inputs, seed = scale_facts(scores["pool_rows"]), {"scores": scores["content_hash"]}, scores["config"]["seed"]
    if any(scores[key] != value for key, value in facts.items()):
        scores |= facts
        write_json(results / "scores.json", scores)
    configs = [
        {"subset": name, **subset, "seed": seed}
        for name, subset in SUBSETS.items()
        if name not in scores["subsets_left_out"]
    ]
    wanted = [
        config
        for config in configs
        if not is_done(results / "subsets" / f"{config['subset']}.json", config, inputs, force)
    ]
    if len(wanted) < len(configs):
        print(f"skipped: {len(configs) - len(wanted)} subsets under {results / 'subsets'} are already done")
    if wanted:
        cut_subsets(results, wanted, inputs, scores["scale"])
    return scores


def cut_subsets(results: Path, configs: list[dict], inputs: dict, scale: int) -> None:
    """Pick and write subsets from the rows that are not held out."""
    from tqdm import tqdm

    table = read_arrow(results / "scores")
    heldout = read_arrow(results / "subsets" / "heldout", ["id"])["id"]
    is_heldout = pyarrow.compute.is_in(table["id"], value_set=heldout)
    pool = table.filter(pyarrow.compute.invert(is_heldout)).combine_chunks()
    words = count_words(pool["response"])
    for config in tqdm(configs, desc="subsets", unit=" subsets", delay=2):
        started = time.time()
        rows = pick_rows(config["rule"], config["rows"] // scale, pool, words, config["seed"])
        write_subset(results, config, inputs, pool.take(rows), pool.num_rows, started)
