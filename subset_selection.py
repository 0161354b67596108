"""Cut the scored rows into held-out rows and subsets: sizes, held-out rows, descriptions, files.

A subset is the rows of `results/scores/` that a rule of `training_configs.SUBSETS` picks (`subset_rules`), without the
held-out ones. What the pool is too small for is left out, with the reason.

Reads  scores/, scores.json, subsets/heldout/
Writes subsets/<subset>/ and <subset>.json. `python filter_datasets.py` is the command.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute

from arrow_files import read_arrow
from common import clear, is_done, provenance, read_json, require_writable, write_json
from corpus_shards import ShardedRows, release_memory, run_tasks, write_folder
from lineage import hash_rows
from subset_rules import Pool, facts_of, length_facts, pick_rows, why_impossible
from training_configs import FULL_SCALE_ROWS, HELDOUT, SCORE_KEYS, SUBSETS

PART_ROWS = 20_000  # whose texts are held at once, for their facts
PERCENTILES = [1, 5, 25, 50, 75, 95, 99]
SCORE_FACTS = {"min": "min", "max": "max", "mean": "mean", "p5": "p5", "median": "p50", "p95": "p95"}
FRIENDLY_SCALES = [1, 2, 3, 4, 5, 6, 8] + [
    round(step * 10**power) for power in range(1, 7) for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
]


# ---------------------------------------------------------------------------------------------------------------------
# Sizes


def scale_of(pool_rows: int) -> int:
    """The denominator that every subset's size is divided by: the smallest friendly one whose 1M fits the pool."""
    return next(scale for scale in FRIENDLY_SCALES if FULL_SCALE_ROWS / scale <= pool_rows)


def scale_facts(pool_rows: int) -> dict:
    """The scale of a pool, and the subsets that cannot be cut from it, each with the reason."""
    scale = scale_of(pool_rows)
    reasons = {name: why_impossible(subset, subset["rows"] // scale, pool_rows) for name, subset in SUBSETS.items()}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    return {"scale": scale, "scale_label": f"1:{scale}", "subsets_left_out": left_out}


def heldout_rows(rows: int) -> int:
    """How many of `rows` rows to hold out; at least one."""
    return min(HELDOUT["max_rows"], max(1, int(HELDOUT["max_fraction"] * rows)))


def draw_stratified(sources: np.ndarray, groups: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of `count` rows, each source in its share (largest remainder), in ascending order.

    Rows of one group, which answer one instruction, are drawn together: a held-out row bars the rest of its group from
    the pool. A group larger than its source's share comes last.
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
    """The most bytes that scores, held-out rows and subsets of these rows can take."""
    subsets = sum(subset["rows"] for subset in SUBSETS.values()) / FULL_SCALE_ROWS
    return 1.1 * (text_bytes + 8 * len(SCORE_KEYS) * rows) * (1 + HELDOUT["max_fraction"] + subsets)


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
    """What a subset's JSON says of its rows: the hash of them, different prompts, scores, sources, lengths.

    facts: `subset_rules.facts_of` them.
    """
    counts = pyarrow.compute.value_counts(facts["source"]).to_pylist()
    mix = dict(sorted(((item["values"], item["counts"]) for item in counts), key=lambda item: (-item[1], item[0])))
    score = describe(facts["quality"].to_numpy())
    shares = [rows / facts.num_rows for rows in mix.values()]
    return {
        "rows_hash": hash_rows(facts["row"].to_pylist()),
        "distinct_instructions": len(pyarrow.compute.unique(facts["asked"])),
        "score": {name: score[key] for name, key in SCORE_FACTS.items()},
        "source_mix": mix,
        "source_entropy_bits": sum((-share * math.log2(share) for share in shares), 0.0),
        "instruction_words": length_facts(facts["instruction_words"].to_numpy()),
        "response_words": length_facts(facts["response_words"].to_numpy()),
    }


# ---------------------------------------------------------------------------------------------------------------------
# Files


def write_subset(
    results: Path, config: dict, inputs: dict, source: ShardedRows, rows: np.ndarray, pool_rows: int, known: dict,
    started: float,
) -> None:  # fmt: skip
    """Write one subset's rows, numbers of `source` in the order they are stored in, then its JSON.

    known: what to say beside sizes: the profile of the rows at least.
    """
    name = config["subset"]
    marker, folder = results / "subsets" / f"{name}.json", results / "subsets" / name
    require_writable(folder.parent)
    clear(marker, folder)
    write_folder(folder, source, rows)
    scale = scale_of(pool_rows)
    content = {
        "config": config,
        "provenance": provenance(started, inputs),
        "subset": name,
        "rule": config["rule"],
        "rows": len(rows),
        "full_scale_rows": config["rows"],
        "scale": scale,
        "scale_label": f"1:{scale}",
        "pool_rows": pool_rows,
        "pool_fraction": len(rows) / pool_rows,
        **known,
    }
    write_json(marker, content)


def write_heldout(results: Path, source: ShardedRows, is_heldout: np.ndarray, seed: int, content_hash: str) -> None:
    """Write the rows that every experiment is tested on; `source` has all rows, the mask says which of them."""
    config = {"subset": "heldout", "rule": "stratified by source", "rows": HELDOUT["max_rows"], "seed": seed}
    started, numbers = time.time(), np.flatnonzero(is_heldout)
    known = profile(facts_of(source.take(numbers)))
    write_subset(results, config, {"scores": content_hash}, source, numbers, source.rows - len(numbers), known, started)


def make_subsets(results: Path, force: bool, balance: str, stale: Sequence[Path], num_proc: int) -> dict:
    """Write every subset that is not done. The content of scores.json, up to date with SUBSETS.

    balance: none or source (`subset_rules`). stale: files that show the subsets, removed before one changes.
    """
    scores = read_json(results / "scores.json")
    facts, inputs = scale_facts(scores["pool_rows"]), {"scores": scores["content_hash"]}
    if any(scores[key] != value for key, value in facts.items()):
        scores |= facts
        write_json(results / "scores.json", scores)
    names = [name for name in SUBSETS if name not in scores["subsets_left_out"]]
    configs = [subset_config(name, scores["config"]["seed"], balance) for name in names]
    wanted = [
        config
        for config in configs
        if not is_done(results / "subsets" / f"{config['subset']}.json", config, inputs, force)
    ]
    if len(wanted) < len(configs):
        print(f"skipped: {len(configs) - len(wanted)} subsets under {results / 'subsets'} are already done")
    if wanted:
        for file in stale:
            file.unlink(missing_ok=True)
        cut_subsets(results, wanted, inputs, scores, num_proc)
    return scores


def subset_config(name: str, seed: int, balance: str) -> dict:
    """All that a subset depends on beside the scores; of a control, also how the tier that it controls is picked."""
    subset = SUBSETS[name]
    tier = {"tier": SUBSETS[subset["controls"]]} if "controls" in subset else {}
    return {"subset": name, **subset, **tier, "seed": seed, "balance": balance}


def cut_subsets(results: Path, configs: list[dict], inputs: dict, scores: dict, num_proc: int) -> None:
    """Pick and write subsets from the rows that are not held out."""
    from tqdm import tqdm

    source = ShardedRows.of_folder(results / "scores")
    facts = row_facts(source, num_proc)
    heldout = read_arrow(results / "subsets" / "heldout", ["id"])["id"]
    numbers = np.flatnonzero(~pyarrow.compute.is_in(facts["id"], value_set=heldout).to_numpy())
    facts = facts.take(pyarrow.array(numbers)).combine_chunks()
    release_memory()

    def texts_of(rows: np.ndarray) -> list[str]:
        return source.take(numbers[rows], ["instruction"])["instruction"].to_pylist()

    pool = Pool(facts, texts_of, configs[0]["balance"])
    pool.best_first  # noqa: B018 - computed before the processes fork, so that all of them have it
    context = (results, inputs, scores, source, numbers, pool)
    longest_first = sorted(configs, key=lambda config: (config["rule"] != "diverse", -config["rows"]))
    done = run_tasks(cut_subset, context, longest_first, min(num_proc, len(configs)))
    for _ in tqdm(done, total=len(configs), desc="subsets", unit=" subsets", delay=2):
        pass


def cut_subset(context, config: dict) -> None:
    """Pick and write one subset."""
    (results, inputs, scores, source, numbers, pool), started = context, time.time()
    picked, selection = pick_rows(config, config["rows"] // scores["scale"], pool, config["seed"])
    known = {
        **profile(pool.facts.take(pyarrow.array(picked))),
        "controls": config.get("controls"),
        "pool_duplicates_removed": duplicates_removed(scores["ledger"]),
        "selection": selection,
    }
    release_memory()
    write_subset(results, config, inputs, source, numbers[picked], pool.rows, known, started)


def row_facts(source: ShardedRows, num_proc: int):
    """`facts_of` all rows of scores/, as a Table of one chunk; the texts are read in parts."""
    parts = [np.arange(start, min(start + PART_ROWS, source.rows)) for start in range(0, source.rows, PART_ROWS)]
    tables = run_tasks(_facts_of_part, source, parts, min(num_proc, max(len(parts), 1)))
    return pyarrow.concat_tables(tables).combine_chunks()


def _facts_of_part(source: ShardedRows, rows: np.ndarray):
    return facts_of(source.take(rows, ["id", "source", "instruction", "response", "quality"]))


def duplicates_removed(ledger: dict) -> dict[str, int]:
    """How many rows left the pool as duplicates before anything was picked, by kind."""
    dropped = [(reason, sum(by.values())) for step in ledger["steps"] for reason, by in step["dropped"].items()]
    return {reason: rows for reason, rows in dropped if "duplicate" in reason}
