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
    return f"scale {label}" if label and label[0].isdigit() else label


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


