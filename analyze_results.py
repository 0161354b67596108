"""Answer the question from finished runs: the verdict, its tables and figures, and a report. Loads no model.

    python analyze_results.py ./results/
    python analyze_results.py ./results/ --output_dir ./analysis/
    python analyze_results.py ./results/ --compare ultra_10k_500M random_10k_500M

Reads  <results>/*/train_results.json and what stands beside it (evaluation/, quality_analysis/, generation_analysis/),
       <results>/scores/ and <results>/subsets/*.json. Any of it may be missing: what cannot be used is named.
Writes <results>/analysis/ (or --output_dir): verdict.json (every number with its interval, n and method), tables/
       (CSV, Markdown, LaTeX), figures/ (PNG, SVG), report.html (one self-contained page), report.md, summary.md.

The claim is tested for each model size and metric by T = m_ultra - 0.8 m_medium - 0.2 m_anchor > 0, at one-sided 95% by
a paired bootstrap over examples. Runs are compared only where they share model, scale, test set and test settings.
"""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

import retention_statistics as statistics
from common import (
    UserError,
    add_results_dir,
    argument_parser,
    hash_path,
    hash_strings,
    provenance,
    read_arrow,
    read_json,
    require_writable,
    run_main,
    write_json,
)
from training_configs import ALL_EXPERIMENTS, ARMS, CLAIM, EXPERIMENTS, SUBSETS

# The primary metrics. `sign` orients: higher is better.
METRICS = {
    "bits_per_byte": {"sign": -1, "marker": "evaluation/heldout_loss.json", "test_set": "heldout"},
    "task_completion": {"sign": 1, "marker": "evaluation/task_completion.json", "test_set": "suite"},
}
SIZES = list(dict.fromkeys(config["size"] for config in EXPERIMENTS.values()))  # the claim is about these
BOOTSTRAP_SEED = 0
SIGNIFICANT_DIGITS = 6  # of what verdict.json states: beyond the bootstrap's own error, and the same on every machine
# An arm may differ from the next in these; in anything else of the recipe a difference is reported.
FREE_SETTINGS = {"experiment", "subset", "size", "epochs", "model_spec", "family", "model"}


def main() -> None:
    parser = argument_parser(__doc__)
    add_results_dir(parser)
    parser.add_argument("results", nargs="?", help="the results folder (same as --results_dir)")
    parser.add_argument("--output_dir", help="where to write (default: <results>/analysis)")
    parser.add_argument("--compare", nargs=2, metavar=("A", "B"), help="only compare these two experiments")
    args = parser.parse_args()
    results = Path(args.results or args.results_dir)
    output = Path(args.output_dir or results / "analysis")
    runs, left_out = load_runs(results)
    require_writable(output)
    if args.compare:
        compare(runs, left_out, args.compare, output)
        return
    analysis = analyse(runs, left_out, CLAIM)
    analysis["provenance"] = lasting_provenance(runs)
    write_outputs(output, results, round_numbers(analysis), runs)


def compare(runs: list[dict], left_out: list[dict], names: list[str], output: Path) -> None:
    """Write and print the paired comparison of two experiments."""
    import experiment_comparison

    first, second = (experiment_comparison.pick_run(runs, name, left_out) for name in names)
    experiment_comparison.require_comparable(first, second)
    records = compare_pair(runs, first["experiment"], second["experiment"], CLAIM)
    labels = [scale_words(run["train"]) for run in (first, second)]
    comparison = experiment_comparison.make_comparison(first, second, records, labels)
    comparison["provenance"] = lasting_provenance([first, second])
    comparison = round_numbers(comparison)
    page = experiment_comparison.write_comparison(comparison, output)
    print(experiment_comparison.comparison_text(comparison))
    print(page)


def write_outputs(output: Path, results: Path, analysis: dict, runs: list[dict]) -> None:
    """Everything the stage writes; verdict.json last, as the marker of the rest."""
    import report_figures
    import report_pages
    import report_tables
    import tradeoff_figures
    import tradeoff_tables

    (output / "verdict.json").unlink(missing_ok=True)
    tables = report_tables.make_tables(analysis) + tradeoff_tables.make_tables(analysis)
    report_tables.write_tables(tables, output / "tables")
    figures = report_figures.draw_figures(analysis, runs, results, output / "figures")
    figures += tradeoff_figures.draw_figures(analysis, output / "figures")
    report_pages.write_pages(analysis, tables, figures, output)
    write_json(output / "verdict.json", analysis)
    print(report_pages.terminal_text(analysis))
    print(output / "report.html")


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
        if not (folder / "train_results.json").exists():
            left_out.append(omission(folder.name, None, "training has not finished"))
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
    for item in left_out:  # paths as seen from beside the results folder, wherever that lies
        item["reason"] = item["reason"].replace(f"{results}/", f"{results.name}/")
    if not runs:
        raise UserError(
            f"no finished run under {results}; make some: python train_quality_comparison.py all "
            "(or demo, after python filter_datasets.py --dataset demo)"
        )
    return sorted(runs.values(), key=run_order), left_out


RUN_FILES = ["train_results.json", "experiment_config.json"]


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
    try:
        config = train["config"]
        experiment, size, subset = config["experiment"], config["size"], config["subset"]
        rows = train["rows"]["trained"]
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder / 'train_results.json'} lacks {error}; train again with --force") from error
    run = {
        "experiment": experiment, "size": size, "arm": experiment.removesuffix(f"_{size}"), "subset": subset,
        "rule": SUBSETS.get(subset, {}).get("rule"), "rows": rows, "folder": folder, "train": train,
        "metrics": {}, "omissions": [], "files": [folder / "train_results.json"],
    }  # fmt: skip
    for metric in METRICS:
        try:
            run["metrics"][metric] = load_metric(run, metric)
        except UserError as error:
            run["omissions"].append(omission(experiment, metric, str(error)))
    run["quality_bands"] = read_optional(run, "quality_analysis/quality_bands.json")
    run["generation"] = read_optional(run, "generation_analysis/generation_analysis.json")
    return run


def read_optional(run: dict, name: str) -> dict | None:
    """A side measure's JSON, or null; what is damaged is named among the omissions."""
    path = run["folder"] / name
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
    ids, numerators, denominators = metric_arrays(marker.with_suffix(""), metric)
    value = float(METRICS[metric]["sign"] * numerators.sum() / denominators.sum())
    if not np.isclose(value, summary.get(metric, np.nan), rtol=1e-6, atol=1e-9):
        raise UserError(f"{marker.name} and its rows do not agree; evaluate again with --force")
    order = sorted(range(len(ids)), key=ids.__getitem__)
    run["files"] += [marker, marker.with_suffix("")]
    settings = {key: value for key, value in summary.get("config", {}).items() if key != "precision"}
    test = {f"{METRICS[metric]['test_set']}_hash": test_set, "examples": hash_strings(sorted(ids)), **settings}
    return {
        "summary": summary, "test": test, "numerators": numerators[order], "denominators": denominators[order],
    }  # fmt: skip


def metric_arrays(folder: Path, metric: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Ids, oriented numerators and denominators, (examples,) each: the metric is the ratio of their sums."""
    columns = ["id", "nll", "bytes"] if metric == "bits_per_byte" else ["id", "passed"]
    table = read_arrow(folder, columns)
    ids = table["id"].to_pylist()
    if not ids:
        raise UserError(f"{folder.name} has no rows")
    if metric == "bits_per_byte":
        nll, size = (np.asarray(table[name].to_numpy(), dtype=np.float64) for name in columns[1:])
        unusable = int(np.sum(~np.isfinite(nll)))
        numerators, denominators = -nll / np.log(2), size
    else:
        unusable = table["passed"].null_count
        numerators = np.array([bool(value) for value in table["passed"].to_pylist()], dtype=np.float64)
        denominators = np.ones(len(ids))
    if unusable:
        raise UserError(f"{unusable} of {len(ids)} examples have no finite value")
    return ids, numerators, denominators


# ---------------------------------------------------------------------------------------------------------------------
# What may be compared


def split_comparable(runs: list[dict], key_of, what: str, metric: str | None = None) -> tuple[list, list]:
    """The runs that agree with most others on `key_of(run)` (a dict), and the rest as omissions that name differences.

    Where two keys are as frequent, the one that ultra's run has is the reference: the claim is about that run.
    """
    keys = [repr(sorted(key_of(run).items())) for run in runs]
    counts = Counter(keys)
    claimed = [key for key, run in zip(keys, runs, strict=True) if run["arm"] == CLAIM["ultra"]]
    reference = max(counts, key=lambda key: (counts[key], key in claimed, key)) if runs else None
    expected = key_of(runs[keys.index(reference)]) if runs else {}
    kept, left_out = [], []
    for key, run in zip(keys, runs, strict=True):
        if key == reference:
            kept.append(run)
            continue
        phrases = name_differences(key_of(run), expected)
        left_out.append(omission(run["experiment"], metric, f"other {what} than the rest of its size: {phrases}"))
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
    """Within one size: the runs of one starting model and one scale. An untrained model has no scale of its own."""
    same_model, other_model = split_comparable(runs, start_of, "model")
    trained = [run for run in same_model if run["subset"]]
    same_scale, other_scale = split_comparable(trained, lambda run: {"scale": run["train"].get("scale")}, "scale")
    kept = [run for run in same_model if run in same_scale or not run["subset"]]
    return kept, other_model + other_scale


def recipe_differences(runs: list[dict]) -> list[str]:
    """Training settings, beyond subset and epochs, in which the compared runs differ: worth a sentence each."""
    trained = [run for run in runs if run["subset"]]
    settings = sorted({key for run in trained for key in run["train"]["config"]} - FREE_SETTINGS)
    notes = []
    for key in settings:
        values = {}
        for run in trained:
            values.setdefault(short(run["train"]["config"].get(key)), []).append(run["experiment"])
        if len(values) > 1:
            notes.append(f"{key}: " + "; ".join(f"{value} in {', '.join(names)}" for value, names in values.items()))
    return notes


# ---------------------------------------------------------------------------------------------------------------------
# Analysis


def analyse(runs: list[dict], left_out: list[dict], claim: dict) -> dict:
    """The content of verdict.json, less its provenance. `runs` as `load_runs` gives them."""
    others = sorted({run["size"] for run in runs} - set(SIZES))
    present = [*SIZES, *others] if any(run["size"] in SIZES for run in runs) else others  # a demo alone is no study
    sizes, run_records, left_out = {}, [], list(left_out)
    for size in present:
        kept, omitted = comparable_runs([run for run in runs if run["size"] == size])
        sizes[size], records, more = analyse_size(size, kept, claim)
        run_records += records
        left_out += omitted + more
    adjust_p_values(sizes)
    labels = sorted({label for run in runs if (label := scale_words(run["train"]))})
    study = ["not tested" if sizes[size]["demo"] else sizes[size]["verdict"] for size in present if size in SIZES]
    return {
        "config": {"claim": claim, "bootstrap_seed": BOOTSTRAP_SEED, "metrics": list(METRICS)},
        "provenance": None,
        "scale_label": ", ".join(labels) or "no trained run",
        "verdict": statistics.overall_verdict(study),
        "sizes": sizes,
        "runs": run_records,
        "left_out": left_out,
    }


def analyse_size(size: str, runs: list[dict], claim: dict) -> tuple[dict, list[dict], list[dict]]:
    """One size: verdicts, contrasts, one record per run, and the runs left out of a metric."""
    records = {run["experiment"]: run_record(run) for run in runs}
    retention, contrasts, left_out = {}, [], []
    for metric in METRICS:
        evaluated = [run for run in runs if metric in run["metrics"]]
        kept, omitted = split_comparable(evaluated, partial(test_of, metric=metric), "test", metric)
        left_out += omitted
        scores = score_runs(kept, metric, claim)
        for run in kept:
            records[run["experiment"]]["metrics"][metric] = estimate(scores, run["arm"], metric, claim)
        retention[metric] = retention_of(scores, size, claim)
        contrasts += contrasts_of(scores, size, metric, claim)
    trained = next((run["train"] for run in runs if run["subset"]), runs[0]["train"] if runs else {})
    primary = [retention[metric][claim["anchor"]]["verdict"] for metric in METRICS]
    summary = {
        "verdict": statistics.overall_verdict(primary),
        "demo": size == "demo" or any(suite_of(run) == "demo" for run in runs),
        "model": model_name(trained.get("config", {})),
        "parameters": trained.get("parameters"),
        "scale_label": scale_words(trained),
        "retention": retention,
        "contrasts": contrasts,
        "recipe_differences": recipe_differences(runs),
    }
    return summary, list(records.values()), left_out


def test_of(run: dict, metric: str) -> dict:
    """What a run was tested on: the hashes of the test set and of the examples' ids, the settings of the test."""
    return run["metrics"][metric]["test"]


def suite_of(run: dict) -> str | None:
    return run["metrics"].get("task_completion", {}).get("summary", {}).get("suite")


def scale_words(train: dict) -> str | None:
    """The scale as it stands on tables and figures: "scale 1:20"."""
    label = train.get("scale_label")
    words = f"scale {label}" if label and label[0].isdigit() else label
    # The scale stands on every table and figure: so does this.
    return f"SIMULATED NUMBERS, {words}" if train.get("simulated") and words else words


def model_name(config: dict) -> str | None:
    """The model's own name: the last part of a hub id or path; a new one by its family."""
    spec = config.get("model_spec") or {}
    return Path(spec["model"]).name if spec.get("model") else config.get("family")


def run_record(run: dict) -> dict:
    """What verdict.json and the tables say of one run, its metrics still to come."""
    train = run["train"]
    copied = ["tokens", "steps", "train_seconds", "tokens_per_second", "mfu", "peak_memory_gib"]
    perplexity = run["metrics"].get("bits_per_byte", {}).get("summary", {}).get("perplexity")
    return {
        **{key: run[key] for key in ("experiment", "size", "arm", "subset", "rule", "rows")},
        "folder": run["folder"].name,
        "epochs": train["config"].get("epochs") if run["subset"] else 0,
        **{key: train.get(key) for key in copied},
        "metrics": {},
        "perplexity": perplexity,
        "generation": {key: value for key, value in (run["generation"] or {}).items() if is_measure(key, value)},
        "by_family": run["metrics"].get("task_completion", {}).get("summary", {}).get("by_family", {}),
        "inputs": train.get("provenance", {}).get("inputs", {}),
        "model_hash": train.get("model_hash"),
        "git_commit": train.get("provenance", {}).get("git_commit"),
    }


def is_measure(key: str, value) -> bool:
    return key not in ("config", "provenance") and (value is None or isinstance(value, int | float))


def score_runs(runs: list[dict], metric: str, claim: dict) -> dict:
    """Oriented metrics and their bootstrap draws: {"arms", "points" (runs,), "draws" (draws, runs), ...}."""
    scores = {"arms": [run["arm"] for run in runs], "examples": 0, "metric": metric}
    if runs:
        numerators = np.stack([run["metrics"][metric]["numerators"] for run in runs])
        denominators = np.stack([run["metrics"][metric]["denominators"] for run in runs])
        scores |= {"numerators": numerators, "denominators": denominators, "examples": numerators.shape[1]}
        scores["points"] = statistics.ratio_of_sums(numerators, denominators)
        scores["draws"] = statistics.bootstrap_ratios(
            numerators, denominators, claim["bootstrap_draws"], BOOTSTRAP_SEED
        )
    return scores


def estimate(scores: dict, arm: str, metric: str, claim: dict) -> dict:
    """One run's metric as it is usually written, with its interval, n and method."""
    column, sign = scores["arms"].index(arm), METRICS[metric]["sign"]
    value, examples = float(sign * scores["points"][column]), scores["examples"]
    if metric == "task_completion":
        passed = int(scores["numerators"][column].sum())
        low, high = statistics.wilson_interval(passed, examples, claim["confidence"])
        method = "Wilson score interval over prompts"
    else:
        low, high = statistics.percentile_interval(sign * scores["draws"][:, column], claim["confidence"])
        method = f"percentile bootstrap over examples, {claim['bootstrap_draws']} draws"
    return {"value": value, "low": low, "high": high, "n": examples, "method": method}


def retention_of(scores: dict, size: str, claim: dict) -> dict:
    """Per anchor: the retention test, or "not tested" with the experiments that are missing."""
    results = {}
    for anchor in (claim["anchor"], claim["base"]):
        arms = [claim["ultra"], claim["medium"], anchor]
        missing = [f"{arm}_{size}" for arm in arms if arm not in scores["arms"]]
        if missing:
            results[anchor] = {"verdict": "not tested", "missing": missing, "n": scores["examples"]}
            continue
        columns = [scores["arms"].index(arm) for arm in arms]
        points, draws = scores["points"][columns], scores["draws"][:, columns]
        results[anchor] = {
            **statistics.retention(points, draws, scores["examples"], claim["retention"], claim["confidence"]),
            "raw_ratio": statistics.raw_ratio(points[:2], draws[:, :2], claim["confidence"]),
            "method": f"paired percentile bootstrap over examples, {claim['bootstrap_draws']} draws",
        }
    return results


def contrasts_of(scores: dict, size: str, metric: str, claim: dict) -> list[dict]:
    """Ultra against each control of the same number of rows, where the study plans it or the run is there."""
    contrasts = []
    for control in claim["controls"]:
        arms = [claim["ultra"], control]
        if control not in scores["arms"] and f"{control}_{size}" not in ALL_EXPERIMENTS:
            continue
        record = {"size": size, "metric": metric, "first": arms[0], "second": arms[1], "n": scores["examples"]}
        missing = [f"{arm}_{size}" for arm in arms if arm not in scores["arms"]]
        if missing:
            contrasts.append({**record, "difference": None, "p": None, "missing": missing})
            continue
        columns = [scores["arms"].index(arm) for arm in arms]
        record |= statistics.contrast(scores["points"][columns], scores["draws"][:, columns], claim["confidence"])
        contrasts.append({**record, **paired_p_value(scores, columns, metric, claim), "missing": []})
    return contrasts


def paired_p_value(scores: dict, columns: list[int], metric: str, claim: dict) -> dict:
    first, second = scores["numerators"][columns]
    if metric == "task_completion":
        return {"p": statistics.mcnemar_p(first.astype(bool), second.astype(bool)), "method": "exact McNemar"}
    totals = scores["denominators"][columns].sum(axis=1)
    differences = first / totals[0] - second / totals[1]
    draws = claim["bootstrap_draws"]
    p = statistics.sign_flip_p(differences, draws, BOOTSTRAP_SEED)
    return {"p": p, "method": f"sign-flip permutation, {draws} draws"}


def compare_pair(runs: list[dict], first: str, second: str, claim: dict) -> list[dict]:
    """The paired contrast first - second of two loaded experiments, on each metric that both were tested on."""
    chosen = [run for name in (first, second) for run in runs if run["experiment"] == name]
    records = []
    for metric in METRICS:
        if any(metric not in run["metrics"] for run in chosen):
            continue
        scores = score_runs(chosen, metric, claim)
        result = statistics.contrast(scores["points"], scores["draws"], claim["confidence"])
        p = paired_p_value(scores, [0, 1], metric, claim)
        record = {"metric": metric, "name": f"{first} - {second}", "family": "pair", "a": [first], "b": [second]}
        record |= {**result, "interval": [result["low"], result["high"]], "p": p["p"], "test": p["method"]}
        records.append({**record, "n": scores["examples"]})
    return records


def adjust_p_values(sizes: dict) -> None:
    """Holm over all contrasts of the study, the demo's apart: it answers another question."""
    for demo in (False, True):
        tested = [
            contrast
            for summary in sizes.values()
            if summary["demo"] is demo
            for contrast in summary["contrasts"]
            if contrast["p"] is not None
        ]
        for contrast, p in zip(tested, statistics.holm([contrast["p"] for contrast in tested]), strict=True):
            contrast |= {"p_holm": p, "holm_tests": len(tested)}


# ---------------------------------------------------------------------------------------------------------------------
# Records


def lasting_provenance(runs: list[dict]) -> dict:
    """Provenance without the clock, so that the same inputs give the same bytes; inputs by their hash."""
    inputs = {str(file.relative_to(run["folder"].parent)): hash_path(file) for run in runs for file in run["files"]}
    facts = provenance(0.0, inputs)
    return {key: value for key, value in facts.items() if key not in ("started", "seconds")}


def round_numbers(content):
    """Every float of nested plain values to SIGNIFICANT_DIGITS."""
    if isinstance(content, dict):
        return {key: round_numbers(value) for key, value in content.items()}
    if isinstance(content, list):
        return [round_numbers(value) for value in content]
    return float(f"{content:.{SIGNIFICANT_DIGITS}g}") if isinstance(content, float) else content


if __name__ == "__main__":
    run_main(main)
