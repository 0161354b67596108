"""The finished runs of a results folder, and which of them may be compared.

Reads  <results>/*/train_results.json and what stands beside it, <results>/subsets/; `study_analysis.py` calls it.

A run is left out, by name and with the reason, where it failed, is unfinished or damaged, was evaluated on a model that
is no longer there, or differs from the rest in its starting model, its scale, its test set or the settings of its test.
"""

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from arrow_files import read_arrow
from common import UserError, hash_strings, read_json
from training_configs import ARMS, CLAIM, EXPERIMENTS, SCORE_KEYS, SUBSETS, split_seed

# The primary metrics. `sign` orients: higher is better. `family` is the column whose values are resampled as wholes.
METRICS = {
    "bits_per_byte": {"sign": -1, "marker": "evaluation/heldout_loss.json", "test_set": "heldout", "family": "source"},
    "task_completion": {
        "sign": 1,
        "marker": "evaluation/task_completion.json",
        "test_set": "suite",
        "family": "family",
    },
}
# Arrow types of the columns, by how their names begin; of another type, a text "False" would count as a pass.
COLUMN_KINDS = {"passed": ("bool",), "nll": ("double", "float"), "bytes": ("int", "uint"), "id": ("string", "large_")}
SIZES = list(dict.fromkeys(config["size"] for config in EXPERIMENTS.values()))  # the claim is about these
# An arm may differ from the next in these; in anything else of the recipe a difference is reported.
FREE_SETTINGS = {"experiment", "base_experiment", "subset", "size", "epochs", "model_spec", "family", "model"}


# ---------------------------------------------------------------------------------------------------------------------
# Loading


def load_runs(results: Path) -> tuple[list[dict], list[dict]]:
    """Every finished run under `results`, in a fixed order, and what was left out with the reason.

    Raises UserError where there is no folder or no finished run.
    """
    if not results.is_dir():
        raise UserError(f"no folder {results}; name the folder that train_quality_comparison.py wrote (--results_dir)")
    runs, left_out = {}, []
    for folder in sorted({file.parent for file in results.glob("*/*.json") if file.name in RUN_FILES}):
        if (folder / "failure.json").exists() or not (folder / "train_results.json").exists():
            left_out.append(omission(folder.name, None, why_unfinished(folder)))
            continue
        try:
            run = load_run(folder)
        except UserError as error:
            left_out.append(omission(folder.name, None, str(error)))
            continue
        if run["experiment"] in runs:
            first = runs[run["experiment"]]["folder"].name
            left_out.append(omission(folder.name, None, f"a second run of {run['experiment']}, after folder {first}"))
            continue
        runs[run["experiment"]] = run
        left_out += run.pop("omissions")
    for item in left_out:  # paths from the results folder on, wherever that lies
        item["reason"] = item["reason"].replace(f"{results}/", f"{results.name}/")
    if not runs:
        first = f" ({left_out[0]['experiment']}: {left_out[0]['reason']})" if left_out else ""
        raise UserError(
            f"no finished run under {results}{first}; make some: python train_quality_comparison.py all "
            "(or demo, after python filter_datasets.py --dataset demo)"
        )
    return sorted(runs.values(), key=run_order), left_out


RUN_FILES = ["train_results.json", "experiment_config.json", "failure.json"]


def why_unfinished(folder: Path) -> str:
    if not (folder / "failure.json").exists():
        return "training has not finished"
    try:
        return f"failed: {read_json(folder / 'failure.json').get('reason')}"
    except UserError as error:
        return f"failed: {error}"


def omission(experiment: str, metric: str | None, reason: str) -> dict:
    """One thing that was left out of the comparison, and why."""
    return {"experiment": experiment, "metric": metric, "reason": reason}


def run_order(run: dict):
    """Sizes as in the study, within one the fewest rows first, within a number of rows as the arms are listed."""
    sizes, arms = [*SIZES, "demo"], list(ARMS)
    size = sizes.index(run["size"]) if run["size"] in sizes else len(sizes)
    arm = arms.index(run["arm"]) if run["arm"] in arms else len(arms)
    return size, run["size"], run["rows"], arm, run["experiment"]


def load_run(folder: Path) -> dict:
    """One run: its training facts, the per-example arrays of each metric, and its side measures where present."""
    train = read_json(folder / "train_results.json")
    config = train["config"]
    experiment, size, subset = config["experiment"], config["size"], config["subset"]
    rows = train["rows"]["trained"]
    base, seeded = base_experiment(config, folder)
    experiment = seeded or experiment
    run = {
        "experiment": experiment, "size": size, "arm": base.removesuffix(f"_{size}"), "subset": subset,
        "seed": config.get("seed"),
        "rule": SUBSETS.get(subset, {}).get("rule"), "rows": rows, "folder": folder, "train": train,
        "metrics": {}, "omissions": [], "files": [folder / "train_results.json"],
    }  # fmt: skip
    for metric in METRICS:
        try:
            run["metrics"][metric] = load_metric(run, metric)
        except UserError as error:
            run["omissions"].append(omission(experiment, metric, str(error)))
    run["subset_scores"] = subset_scores(run)
    run["subset_facts"] = read_optional(run, folder.parent / "subsets" / f"{subset}.json")
    run["quality_bands"] = read_optional(run, folder / "quality_analysis" / "quality_bands.json")
    run["generation"] = read_optional(run, folder / "generation_analysis" / "generation_analysis.json")
    return run


def base_experiment(config: dict, folder: Path) -> tuple[str, str | None]:
    """The experiment that a run repeats with another seed, and the run's own name where it is such a repeat.

    `ultra_10k_500M_s1` repeats `ultra_10k_500M`, whether its configuration says so or, of a run of that experiment, its
    folder alone. A folder of another name makes no other run of it.
    """
    base, seed = split_seed(config["experiment"])
    if seed:
        return base, config["experiment"]
    return base, folder.name if split_seed(folder.name)[0] == base != folder.name else None


def subset_scores(run: dict) -> dict | None:
    """Mean of each score over the rows of a run's subset, where its rows are still there; null elsewhere."""
    folder = run["folder"].parent / "subsets" / str(run["subset"])
    if not (folder / "state.json").exists():
        return None
    try:
        table = read_arrow(folder)
    except UserError as error:
        run["omissions"].append(omission(run["experiment"], "subset", str(error)))
        return None
    present = [name for name in SCORE_KEYS if name in table.column_names]
    return {name: float(np.mean(table[name].to_numpy())) for name in present} or None


def read_optional(run: dict, path: Path) -> dict | None:
    """A side measure's JSON, or null; what is damaged is named among the omissions."""
    if not path.exists():
        return None
    try:
        content = read_json(path)
    except UserError as error:
        run["omissions"].append(omission(run["experiment"], path.stem, str(error)))
        return None
    run["files"].append(path)
    return content


def load_metric(run: dict, metric: str) -> dict:
    """{"summary", "test", "numerators", "denominators"} of one run: arrays over examples, in the order of their ids.

    Raises UserError where the evaluation is missing, damaged, of another model, or does not add up to its summary.
    """
    marker = run["folder"] / METRICS[metric]["marker"]
    if not marker.exists():
        raise UserError(f"not evaluated: {marker.name} is missing; python evaluate_quality_tradeoff.py {run['folder']}")
    summary = read_json(marker)
    inputs = summary.get("provenance", {}).get("inputs", {})
    if inputs.get("model") != run["train"].get("model_hash"):
        raise UserError("evaluated on another model than the one now in the folder; evaluate again with --force")
    test_set = inputs.get(METRICS[metric]["test_set"])
    if test_set is None:
        raise UserError(f"{marker.name} does not say which test set it used; evaluate again with --force")
    ids, numerators, denominators, extra = metric_arrays(marker.with_suffix(""), metric)
    value = float(METRICS[metric]["sign"] * numerators.sum() / denominators.sum())
    if not np.isclose(value, summary.get(metric, np.nan), rtol=1e-6, atol=1e-9):
        raise UserError(f"{marker.name} and its rows do not agree; evaluate again with --force")
    order = sorted(range(len(ids)), key=ids.__getitem__)
    run["files"] += [marker, marker.with_suffix("")]
    settings = {key: value for key, value in summary.get("config", {}).items() if key != "precision"}
    examples = hash_examples(ids, extra["family"], denominators)
    test = {f"{METRICS[metric]['test_set']}_hash": test_set, "examples": examples, **settings}
    instructions = heldout_instructions(run["folder"].parent) if metric == "bits_per_byte" else {}
    return {
        "summary": summary, "test": test, "numerators": numerators[order], "denominators": denominators[order],
        "family": extra["family"][order], "scores": {name: extra[name][order] for name in SCORE_KEYS if name in extra},
        "instruction": np.array([instructions.get(ids[index], ids[index]) for index in order]),
    }  # fmt: skip


def hash_examples(ids: list[str], families: np.ndarray, denominators: np.ndarray) -> str:
    """What two runs must have in common to be paired: the same examples, grouped alike, over the same bytes."""
    rows = sorted(zip(ids, families.tolist(), map(repr, denominators.tolist()), strict=True))
    return hash_strings(part for row in rows for part in row)


@cache
def heldout_instructions(results: Path) -> dict[str, str]:
    """The hash of each held-out row's instruction by the row's id; empty where the rows are not there."""
    folder = results / "subsets" / "heldout"
    if not (folder / "state.json").exists():
        return {}
    table = read_arrow(folder, ["id", "instruction"]).to_pydict()
    return {key: hash_strings([text]) for key, text in zip(table["id"], table["instruction"], strict=True)}


def metric_arrays(folder: Path, metric: str) -> tuple[list[str], np.ndarray, np.ndarray, dict]:
    """Ids, oriented numerators and denominators, (examples,) each: the metric is the ratio of their sums.

    Last, the family (a task's family, a row's source) of each example and, where there are any, its scores.
    """
    columns = ["id", "nll", "bytes"] if metric == "bits_per_byte" else ["id", "passed"]
    table = read_arrow(folder)
    if lacking := [name for name in [*columns, METRICS[metric]["family"]] if name not in table.column_names]:
        raise UserError(f"{folder.name} lacks {', '.join(lacking)}; evaluate again with --force")
    ids = table["id"].to_pylist()
    require_sound(folder, table, ids)
    extra = {name: table[name].to_numpy() for name in SCORE_KEYS if name in table.column_names}
    extra["family"] = np.array(table[METRICS[metric]["family"]].to_pylist(), dtype=str)
    if metric == "bits_per_byte":
        nll, size = (np.asarray(table[name].to_numpy(), dtype=np.float64) for name in columns[1:])
        unusable = int(np.sum(~(np.isfinite(nll) & (size >= 0))))
        numerators, denominators = -nll / np.log(2), size
    else:
        unusable = table["passed"].null_count
        numerators = np.array([bool(value) for value in table["passed"].to_pylist()], dtype=np.float64)
        denominators = np.ones(len(ids))
    if unusable:
        raise UserError(f"{unusable} of {len(ids)} examples have no finite value")
    return ids, numerators, denominators, extra


def require_sound(folder: Path, table, ids: list) -> None:
    """Raises UserError where rows do not stand for one example each, or a column is not of its kind."""
    if len(ids) < 2:
        raise UserError(f"{folder.name} has {len(ids) or 'no'} row{'s' * (not ids)}: too few for any interval")
    repeated = len(ids) - len(set(ids))
    if repeated or None in ids:  # counted twice, examples would make every interval too short
        what = f"{repeated} of {len(ids)} rows repeat an id" if repeated else "a row has no id"
        raise UserError(f"{folder.name}: {what}; evaluate again with --force")
    for name, kinds in COLUMN_KINDS.items():
        if name in table.column_names and not str(table.schema.field(name).type).startswith(kinds):
            kind = table.schema.field(name).type
            raise UserError(f"{folder.name}: column {name} holds {kind}, not {kinds[0]}; evaluate again with --force")


# ---------------------------------------------------------------------------------------------------------------------
# What may be compared


def split_comparable(
    runs: list[dict], key_of, what: str, metric: str | None = None, rest: str = "the rest of its size"
) -> tuple[list, list]:
    """The runs that agree with most others on `key_of(run)` (a dict), and the rest as omissions that name differences.

    Where two keys are as frequent, the one that ultra's run has is the reference: the claim is about that run. Else
    that of the first run, which among seeds is the one without a number.
    """
    keys = [repr(sorted(key_of(run).items())) for run in runs]
    counts = Counter(keys)
    claimed = [key for key, run in zip(keys, runs, strict=True) if run["arm"] == CLAIM["ultra"]]
    reference = max(counts, key=lambda key: (counts[key], key in claimed, -keys.index(key))) if runs else None
    expected = key_of(runs[keys.index(reference)]) if runs else {}
    kept, left_out = [], []
    for key, run in zip(keys, runs, strict=True):
        if key == reference:
            kept.append(run)
            continue
        phrases = name_differences(key_of(run), expected)
        left_out.append(omission(run["experiment"], metric, f"other {what} than {rest}: {phrases}"))
    return kept, left_out


def name_differences(found: dict, expected: dict) -> str:
    names = [name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]
    return "; ".join(f"{name} {short(found.get(name))} where they have {short(expected.get(name))}" for name in names)


def short(value) -> str:
    text = str(value)
    return text if len(text) <= 32 else f"{text[:12]}..."


def start_of(run: dict) -> dict:
    """The weights that a run started from: a model's fingerprint, or the shape and tokenizer of a new one."""
    inputs = run["train"].get("provenance", {}).get("inputs", {})
    spec = run["train"]["config"].get("model_spec") or {}
    new_weights = {"tokenizer_rows": inputs.get("tokenizer_rows"), "llama": spec.get("llama")}
    return {"model": spec.get("model"), "fingerprint": inputs.get("model"), **(new_weights if "llama" in spec else {})}


def comparable_runs(runs: list[dict]) -> tuple[list[dict], list[dict]]:
    """Within one size: the runs of one starting model and one scale, and of an arm only those that repeat one training.

    An untrained model has no scale of its own.
    """
    same_model, other_model = split_comparable(runs, start_of, "model")
    trained = [run for run in same_model if run["subset"]]
    same_scale, other_scale = split_comparable(trained, lambda run: {"scale": run["train"].get("scale")}, "scale")
    repeats, other_training = [], []
    for arm in dict.fromkeys(run["arm"] for run in same_scale):
        group = [run for run in same_scale if run["arm"] == arm]
        alike, others = split_comparable(group, training_of, "rows or passes", rest="the other seeds of its arm")
        repeats, other_training = repeats + alike, other_training + others
    repeats, copies = split_copies(repeats)
    kept = [run for run in same_model if run in repeats or not run["subset"]]
    return kept, other_model + other_scale + other_training + copies


def split_copies(runs: list[dict]) -> tuple[list[dict], list[dict]]:
    """The runs without those that repeat another's weights or seed in its arm, and these as omissions: as seeds they
    would lie too near to each other."""
    kept, copies, seen = [], [], {}
    for run in runs:
        marks = [(run["arm"], run["size"], key, value) for key, value in
                 (("weights", run["train"].get("model_hash")), ("seed", run["seed"])) if value is not None]  # fmt: skip
        if same := next((mark for mark in marks if mark in seen), None):
            copies.append(omission(run["experiment"], None, f"it has the {same[2]} of {seen[same]}: no repeat"))
        else:
            kept.append(run)
            seen |= {mark: run["experiment"] for mark in marks}
    return kept, copies


def training_of(run: dict) -> dict:
    """What the runs of one arm must share to count as seeds of one training, whose mean and spread speak of it."""
    subset = run["train"].get("provenance", {}).get("inputs", {}).get("subset")
    return {"subset": subset, "rows": run["rows"], "epochs": run["train"]["config"].get("epochs")}


def recipe_differences(runs: list[dict]) -> list[str]:
    """Training settings, beyond subset and epochs, in which the compared runs differ, as one phrase each."""
    trained = [run for run in runs if run["subset"]]
    repeated = len({(run["arm"], run["seed"]) for run in trained}) > len({run["arm"] for run in trained})
    free = FREE_SETTINGS | ({"seed"} if repeated else set())
    settings = sorted({key for run in trained for key in run["train"]["config"]} - free)
    notes = []
    for key in settings:
        values = {}
        for run in trained:
            values.setdefault(short(run["train"]["config"].get(key)), []).append(run["experiment"])
        if len(values) > 1:
            notes.append(f"{key}: " + "; ".join(f"{value} in {', '.join(names)}" for value, names in values.items()))
    return notes
