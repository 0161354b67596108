"""What kind of value stands under each key that a reader of our JSON files uses; `common.read_json` holds files to it.

Pure data and one look-up; imports nothing local. A kind is

    int     a count, a seed, a step: a whole number from 0 on
    float   any finite number
    str, bool, dict, list, None
    {key: kind}     an object; a missing key is noticed by whoever reads it; keys not named here may hold anything
    {ANY: kind}     an object whose other keys are data, with values of one kind; {SOME: kind}: not an empty one
    [kind]          a list of one kind; [kind, SOME]: not an empty one
    (kind, kind)    either
"""

import json
import math
from pathlib import PurePath

ANY, SOME = "*", "+"
LARGEST = 2**62  # of a whole number: beyond it NumPy and Arrow have none

NUMBER, COUNT, TEXT = (float, None), (int, None), (str, None)  # each of which may be unknown
INTERVAL = [float]
PROVENANCE = {
    "started": str, "seconds": NUMBER, "argv": [str], "inputs": {ANY: str}, "git_commit": TEXT,
    "hardware": {"cpu": str, "cores": COUNT, "gpus": [str]},
}  # fmt: skip
FACTS = {"config": dict, "provenance": PROVENANCE}
DAMAGE = {"kind": str, "rows": int, "original_wins": NUMBER, "by_length": {SOME: NUMBER}}
SPREAD = {ANY: float}  # mean, least, most, percentiles
DROPPED = {ANY: {ANY: int}}  # {reason: {source: rows}}

SCORER = {"data": (str, [str]), "scorer_version": int, "weights": SPREAD}  # what evidence on the score was made with

SUBSET = {
    **FACTS, "subset": str, "rule": str, "rows": int, "scale": float, "scale_label": str, "pool_rows": int,
    "pool_fraction": float, "rows_hash": str, "distinct_instructions": int, "score": SPREAD,
    "source_mix": {ANY: int}, "instruction_words": SPREAD, "response_words": SPREAD, "controls": TEXT,
    "selection": {
        "rows_unmatched": int, "ks_distance": float, "tier_words": SPREAD, "matched_words": SPREAD,
        "source_mix_distance": float, "candidate_topics": int, "coverage": ({ANY: {"topics": int}}, None),
    },
}  # fmt: skip

# What `experiment_config` of training_configs.py resolves.
CONFIG = {
    "experiment": str, "base_experiment": str, "subset": TEXT, "size": str, "family": str, "model": TEXT,
    "epochs": float, "learning_rate": float, "tokens_per_step": int, "block_tokens": int, "max_tokens": int,
    "precision": str, "seed": int, "suite": str, "suite_prompts": int, "suite_seed": int, "suite_max_new_tokens": int,
    "heldout_rows": COUNT, "generation_prompts": int, "generation_max_new_tokens": int, "generation_num_samples": int,
    "generation_temperature": float, "generation_seed": int,
    "model_spec": {"model": TEXT, "vocab_size": int, "llama": dict},
}  # fmt: skip

# By the end of the file's path. The first that fits holds.
KINDS = {
    "dataset_dict.json": {"splits": [str]},  # these two are the datasets library's
    "state.json": {"_data_files": [{"filename": str}]},
    "scores.json": {
        **FACTS,
        "config": {
            "dataset": [str], "seed": int, "decontaminate": [str], "cleaning": dict, "columns": ({ANY: str}, None),
        },
        "rows": int, "heldout_rows": int, "pool_rows": int, "scale": float, "scale_label": str,
        "subsets_left_out": {ANY: str}, "content_hash": str,
        "scorer": {"version": int, "weights": SPREAD, "statistics": TEXT}, "distribution": {ANY: SPREAD},
        "ledger": {
            "rows_read": int, "rows_added": int, "rows_dropped": int, "rows": int, "modified": {ANY: int},
            "steps": [{"step": str, "rows_in": int, "rows_out": int, "dropped": DROPPED}],
            "contamination": {ANY: {"items": int, "rows": int}},
        },
        "steps": {ANY: {"seconds": float, "cpu_seconds": float, "tasks": int}},
    },
    "subsets/*.json": SUBSET,
    "exports/*/*.json": {**SUBSET, "file": str},
    "experiment_config.json": {"config": CONFIG},
    "train_results.json": {
        **FACTS, "config": CONFIG, "parameters": COUNT, "scale": NUMBER, "scale_label": TEXT,
        "steps": int, "tokens": int,
        "rows": {"trained": int}, "loss_curve": [{"step": int, "loss": float}], "final_loss": NUMBER,
        "train_seconds": NUMBER, "tokens_per_second": NUMBER, "mfu": NUMBER, "peak_memory_gib": NUMBER,
        "model_hash": str,
    },
    "failure.json": {"reason": str},
    "heldout_loss.json": {
        **FACTS, "rows": int, "bits_per_byte": float, "perplexity": NUMBER, "by_source": {ANY: {"rows": int}},
    },
    "outside/*.json": {**FACTS, "rows": int, "bits_per_byte": float},
    "task_completion.json": {
        **FACTS, "suite": str, "prompts": int, "task_completion": float, "interval": INTERVAL,
        "task_completion_loose": float, "minimum_detectable_difference": float,
        "by_family": {ANY: {"prompts": int, "passed": int, "interval": INTERVAL}},
    },
    "quality_bands.json": {
        **FACTS,
        "bands": {ANY: [{"low": float, "high": float, "rows": int, "bits_per_byte": float, "interval": INTERVAL}]},
    },
    "generation_analysis.json": {
        **FACTS, "prompts": int, "intervals": {ANY: ({"low": float, "high": float, "n": int}, None)},
    },
    "lm_eval.json": {**FACTS, "lm_eval": dict},
    "scorer/validation.json": {
        **FACTS, "config": SCORER,
        "accuracy": {SOME: {SOME: {"pairs": int, "accuracy": float, "low": float, "high": float}}},
        "partial_effect": ({ANY: {"coefficient": float, "standard_error": float}}, None),
    },
    "scorer/corruptions.json": {
        **FACTS, "config": SCORER,
        "kinds": [DAMAGE, SOME], "further": [DAMAGE], "instruction": [DAMAGE],
    },
    "benchmark/scorer.json": {
        **FACTS, "config": {**SCORER, "rows": int, "rounds": int, "process_counts": [int, SOME]},
        "response_bytes_per_row": float,
        "contenders": [
            {"name": str, "missing": TEXT, ANY: ({"rows_per_second": float, "peak_memory_gib": NUMBER}, None)}
        ],
    },
}  # fmt: skip


def kinds_of(path) -> dict:
    """The kinds of a file's keys, by its path; empty for a file that is not ours."""
    return next((kinds for pattern, kinds in KINDS.items() if PurePath(path).match(pattern)), {})


def find_wrong(value, kind, place: str = "") -> str | None:
    """The first value of a kind other than `kind`, such as "rows is null, not a count"; None where all is well."""
    if isinstance(kind, tuple):
        phrases = [find_wrong(value, choice, place) for choice in kind]
        return None if None in phrases else phrases[0]
    plain = type(kind) if isinstance(kind, dict | list) else kind
    if not _is_a(value, plain):
        return f"{place} is {json.dumps(value)[:40]}, not {NAMES[plain]}"
    if isinstance(kind, dict | list) and SOME in kind and not value:
        return f"{place} is empty"
    if isinstance(kind, dict):
        parts = [(key, kind.get(key, kind.get(ANY, kind.get(SOME)))) for key in value]
    else:
        parts = [(key, kind[0]) for key in range(len(value))] if isinstance(kind, list) else []
    found = (find_wrong(value[key], part, f"{place}.{key}" if place else key) for key, part in parts if part)
    return next(filter(None, found), None)


NAMES = {
    int: "a count", float: "a number", str: "a text", bool: "true or false", dict: "an object", list: "a list",
    None: "null",
}  # fmt: skip


def _is_a(value, kind) -> bool:
    if kind is None:
        return value is None
    if kind not in (int, float):
        return isinstance(value, kind)
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST
    return whole and value >= 0 if kind is int else whole or (isinstance(value, float) and math.isfinite(value))
