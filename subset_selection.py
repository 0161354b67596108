"""Cut the scored rows into held-out rows and subsets: sizes, rules, files.

A subset is the rows of `results/scores/` that a rule of `training_configs.SUBSETS` picks, without the held-out ones:
top and bottom by score, longest by words of the response, random as a prefix of one shuffled order. Whatever ties is
ordered by id, so that the same rows give the same subsets in whatever order they came.

Reads  scores/, scores.json, subsets/heldout/
Writes subsets/<subset>/ and <subset>.json. `python filter_datasets.py` is the command.
"""

import hashlib
import math
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

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
    write_json,
)
from corpus_shards import ShardedRows, run_tasks, write_folder
from quality_scorer import SCORE_KEYS
from training_configs import FULL_SCALE_ROWS, HELDOUT, SUBSETS

PERCENTILES = [1, 5, 25, 50, 75, 95, 99]
FRIENDLY_SCALES = [1, 2, 3, 4, 5, 6, 8] + [
    round(step * 10**power) for power in range(1, 7) for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
]


class SubsetRows(NamedTuple):
    """Rows of scores/ by number, in the order they are stored in, and `facts_of` them."""

    source: ShardedRows
    numbers: np.ndarray
    facts: pyarrow.Table


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


def disk_bytes(text_bytes: float, rows: int) -> float:
    """What scores, held-out rows and subsets of these rows can take: no tier is larger than the pool."""
    subsets = sum(subset["rows"] for subset in SUBSETS.values()) / FULL_SCALE_ROWS
    return 1.1 * (text_bytes + 8 * len(SCORE_KEYS) * rows) * (1 + HELDOUT["max_fraction"] + subsets)


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


# ---------------------------------------------------------------------------------------------------------------------
# What rules and descriptions need of a row, in place of its text: some 60 bytes


def row_facts(source: ShardedRows, num_proc: int = 1):
    """`facts_of` all rows of scores/, as a Table; the texts are read in parts."""
    parts = [np.arange(start, min(start + PART_ROWS, source.rows)) for start in range(0, source.rows, PART_ROWS)]
    tables = run_tasks(_facts_of_part, source, parts, min(num_proc, max(len(parts), 1)))
    return pyarrow.concat_tables(tables).combine_chunks()


PART_ROWS = 20_000


def _facts_of_part(source: ShardedRows, rows: np.ndarray):
    return facts_of(source.take(rows, ["id", "source", "instruction", "response", "quality"]))


def facts_of(table):
    """id, source, quality, the words of the response by white space, and a digest of the instruction, of every row."""
    words = [len(text.split()) for text in table["response"].to_pylist()]
    asked = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for text in table["instruction"].to_pylist()
    ]
    facts = table.select(["id", "source", "quality"])
    facts = facts.append_column("words", pyarrow.array(words, pyarrow.int64()))
    return facts.append_column("asked", pyarrow.array(asked, pyarrow.binary(16)))


# ---------------------------------------------------------------------------------------------------------------------
# Descriptions


def describe(values: np.ndarray) -> dict:
    """Mean, standard deviation, extremes and percentiles of some numbers; null where there are none."""
    names = ["mean", "sd", "min", "max", *(f"p{percent}" for percent in PERCENTILES)]
    if not len(values):
        return dict.fromkeys(names)
    numbers = [values.mean(), values.std(), values.min(), values.max(), *np.percentile(values, PERCENTILES)]
    return {name: float(number) for name, number in zip(names, numbers, strict=True)}


def profile(facts) -> dict:
    """What a subset's JSON says of its rows: the hash of their ids, different prompts, scores, sources, length."""
    mix = dict(sorted(Counter(facts["source"].to_pylist()).items(), key=lambda item: (-item[1], item[0])))
    score, words = describe(facts["quality"].to_numpy()), describe(facts["words"].to_numpy())
    shares = [rows / facts.num_rows for rows in mix.values()]
    return {
        "ids_hash": hash_strings(facts["id"].to_pylist()),
        "distinct_instructions": len(pyarrow.compute.unique(facts["asked"])),
        "score": {key: score[key] for key in ("min", "max", "mean")},
        "source_mix": mix,
        "source_entropy_bits": sum((-share * math.log2(share) for share in shares), 0.0),
        "response_words": {"mean": words["mean"], "p5": words["p5"], "median": words["p50"], "p95": words["p95"]},
    }


# ---------------------------------------------------------------------------------------------------------------------
# Files


def write_subset(
    results: Path, config: dict, inputs: dict, rows: SubsetRows, pool_rows: int, num_proc: int = 1
) -> None:
    """Write one subset's rows, then its JSON."""
    started, name = time.time(), config["subset"]
    marker, folder = results / "subsets" / f"{name}.json", results / "subsets" / name
    require_writable(folder.parent)
    clear(marker, folder)
    write_folder(folder, rows.source, rows.numbers, num_proc)
    scale = scale_facts(pool_rows)
    facts = {
        "config": config,
        "provenance": provenance(started, inputs),
        "subset": name,
        "rule": config["rule"],
        "rows": len(rows.numbers),
        "full_scale_rows": config["rows"],
        "scale": scale["scale"],
        "scale_label": scale["scale_label"],
        "pool_rows": pool_rows,
        "pool_fraction": len(rows.numbers) / pool_rows,
        **profile(rows.facts),
    }
    write_json(marker, facts)


def write_heldout(results: Path, source: ShardedRows, is_heldout: np.ndarray, seed: int, content_hash: str) -> None:
    """Write the rows that every experiment is tested on; `source` has all rows, the mask says which of them."""
    config = {"subset": "heldout", "rule": "stratified by source", "rows": HELDOUT["max_rows"], "seed": seed}
    numbers = np.flatnonzero(is_heldout)
    rows = SubsetRows(source, numbers, facts_of(source.take(numbers)))
    write_subset(results, config, {"scores": content_hash}, rows, source.rows - len(numbers))


def make_subsets(results: Path, force: bool, num_proc: int = 1) -> dict:
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
        cut_subsets(results, wanted, inputs, scores["scale"], num_proc)
    return scores


def cut_subsets(results: Path, configs: list[dict], inputs: dict, scale: int, num_proc: int) -> None:
    """Pick and write subsets from the rows that are not held out."""
    from tqdm import tqdm

    source = ShardedRows.of_folder(results / "scores")
    facts = row_facts(source, num_proc)
    heldout = read_arrow(results / "subsets" / "heldout", ["id"])["id"]
    is_heldout = pyarrow.compute.is_in(facts["id"], value_set=heldout).to_numpy()
    pool = np.flatnonzero(~is_heldout)
    pool_facts = facts.take(pyarrow.array(pool)).combine_chunks()
    words = pool_facts["words"].to_numpy()
    for config in tqdm(configs, desc="subsets", unit=" subsets", delay=2):
        picked = pick_rows(config["rule"], config["rows"] // scale, pool_facts, words, config["seed"])
        rows = SubsetRows(source, pool[picked], pool_facts.take(pyarrow.array(picked)))
        write_subset(results, config, inputs, rows, len(pool), num_proc)
