"""From finished runs to the content of verdict.json: claim, contrasts, trade-off, cost, what the score is worth.

Reads and writes nothing; `analyze_results.py` calls it with the runs that `finished_runs.py` loaded.
"""

from pathlib import Path

import numpy as np

import contrast_statistics as planning
import retention_statistics as statistics
from finished_runs import METRICS, SIZES, comparable_runs, recipe_differences, split_comparable
from study_tradeoff import cost_of, rank_correlation_of, tradeoff_of, usefulness_of
from training_configs import ALL_EXPERIMENTS

BOOTSTRAP_SEED = 0
# What is kept of a subset's JSON: enough to see how the arms differ beside quality.
SUBSET_FACTS = ["rows", "pool_fraction", "score", "distinct_instructions", "response_words", "source_mix"]


def analyse(runs: list[dict], left_out: list[dict], claim: dict, filter_hours: float | None = None) -> dict:
    """The content of verdict.json, less its provenance. `runs` as `load_runs` gives them."""
    others = sorted({run["size"] for run in runs} - set(SIZES))
    is_study = any(run["size"] in SIZES for run in runs)  # a demo alone is no reason to name what the study lacks
    present = [*SIZES, *others] if is_study else others
    sizes, run_records, left_out, scored = {}, [], list(left_out), {}
    for size in present:
        kept, omitted = comparable_runs([run for run in runs if run["size"] == size])
        sizes[size], records, more, scored[size] = analyse_size(size, kept, claim, filter_hours)
        run_records += records
        left_out += omitted + more
    compare_sizes(sizes, scored, claim)
    adjust_p_values(sizes)
    labels = sorted({label for run in runs if (label := scale_words(run["train"]))})
    claimed = claimed_sizes(sizes)
    return {
        "config": {"claim": claim, "bootstrap_seed": BOOTSTRAP_SEED, "metrics": list(METRICS)},
        "provenance": None,
        "scale_label": ", ".join(labels) or "no trained run",
        "verdict": statistics.overall_verdict([sizes[size]["verdict"] for size in claimed]),
        "verdict_sizes": claimed,
        "sizes": sizes,
        "runs": run_records,
        "left_out": left_out,
    }


def claimed_sizes(sizes: dict) -> list[str]:
    """The sizes that the overall verdict is about: the study's own, or, without any, those that stand in for them.

    A demo never counts: its corpus is made up.
    """
    named = [size for size in sizes if size in SIZES] or list(sizes)
    return [size for size in named if not sizes[size]["demo"]]


def analyse_size(size: str, runs: list, claim: dict, filter_hours: float | None) -> tuple[dict, list, list, dict]:
    """One size: its summary, one record per run, the runs left out of a metric, and the scores of each metric."""
    records = {run["experiment"]: run_record(run) for run in runs}
    retention, contrasts, doses, left_out, scored = {}, [], [], [], {}
    for metric in METRICS:
        evaluated = [run for run in runs if metric in run["metrics"]]
        kept, omitted = split_comparable(
            evaluated, lambda run, metric=metric: run["metrics"][metric]["test"], "test", metric
        )
        left_out += omitted
        scores = scored[metric] = score_runs(kept, metric, claim)
        for column, run in enumerate(kept):
            records[run["experiment"]]["metrics"][metric] = estimate(scores, column, metric, claim)
        retention[metric] = retention_of(scores, size, claim)
        contrasts += contrasts_of(scores, size, metric, claim)
        doses += dose_response_of(scores, metric, claim)
    trained = next((run["train"] for run in runs if run["subset"]), runs[0]["train"] if runs else {})
    primary = [retention[metric][claim["anchor"]]["verdict"] for metric in METRICS]
    tradeoff, repetition = tradeoff_of(scored, size, claim)
    summary = {
        "verdict": statistics.overall_verdict(primary),
        "demo": size == "demo" or any(suite_of(run) == "demo" for run in runs),
        "model": model_name(trained.get("config", {})),
        "parameters": trained.get("parameters"),
        "scale_label": scale_words(trained),
        "retention": retention,
        "retention_by_source": retention_by_source(scored["bits_per_byte"], claim),
        "contrasts": contrasts,
        "recipe_differences": recipe_differences(runs),
        "missing": [name for name in ALL_EXPERIMENTS if name.endswith(f"_{size}") and name not in records],
        "seeds": {metric: seed_record(scores) for metric, scores in scored.items()},
        "arms": {metric: arm_estimates(scores, metric, claim) for metric, scores in scored.items()},
        "resampling": {metric: resampling_of(scores, claim) for metric, scores in scored.items()},
        "dose_response": doses,
        "tradeoff": tradeoff,
        "repetition": repetition,
        "rank_correlation": {
            metric: rank_correlation_of(scored[metric], tradeoff[metric], claim) for metric in METRICS
        },
        **cost_of(scored, runs, claim, filter_hours),
        "score_usefulness": usefulness_of(scored, contrasts, claim, BOOTSTRAP_SEED),
    }
    return summary, list(records.values()), left_out, scored


# ---------------------------------------------------------------------------------------------------------------------
# Facts of a run


def suite_of(run: dict) -> str | None:
    return run["metrics"].get("task_completion", {}).get("summary", {}).get("suite")


def scale_words(train: dict) -> str | None:
    """The scale as it stands on tables and figures: "scale 1:20"."""
    label = train.get("scale_label")
    words = f"scale {label}" if label and label[0].isdigit() else label
    # The scale stands on every table and figure, and so must this.
    return f"SIMULATED NUMBERS, {words}" if train.get("simulated") and words else words


def model_name(config: dict) -> str | None:
    """The model's own name: the last part of a hub id or path; a new one by its family."""
    spec = config.get("model_spec") or {}
    return Path(spec["model"]).name if spec.get("model") else config.get("family")


def run_record(run: dict) -> dict:
    """What verdict.json and the tables say of one run; its metrics are added later. A repeat's arm ends in its seed."""
    train = run["train"]
    copied = ["tokens", "steps", "train_seconds", "tokens_per_second", "mfu", "peak_memory_gib"]
    perplexity = run["metrics"].get("bits_per_byte", {}).get("summary", {}).get("perplexity")
    return {
        **{key: run[key] for key in ("experiment", "size", "arm", "subset", "rule", "rows")},
        "arm": arm_of_record(run),
        "base_arm": run["arm"],
        "seed": run["seed"],
        "folder": run["folder"].name,
        "epochs": train["config"].get("epochs") if run["subset"] else 0,
        **{key: train.get(key) for key in copied},
        "metrics": {},
        "perplexity": perplexity,
        "generation": {key: value for key, value in (run["generation"] or {}).items() if is_measure(key, value)},
        "generation_intervals": (run["generation"] or {}).get("intervals") or {},
        "by_family": run["metrics"].get("task_completion", {}).get("summary", {}).get("by_family", {}),
        "subset_facts": {key: value for key, value in (run["subset_facts"] or {}).items() if key in SUBSET_FACTS},
        "inputs": train.get("provenance", {}).get("inputs", {}),
        "model_hash": train.get("model_hash"),
        "git_commit": train.get("provenance", {}).get("git_commit"),
    }


def arm_of_record(run: dict) -> str:
    repeat = run["experiment"].removeprefix(f"{run['arm']}_{run['size']}")
    return f"{run['arm']}{repeat}" if repeat.startswith("_s") else run["arm"]


def is_measure(key: str, value) -> bool:
    return key not in ("config", "provenance") and (value is None or isinstance(value, int | float))


# ---------------------------------------------------------------------------------------------------------------------
# Metrics and their bootstrap draws


def score_runs(runs: list[dict], metric: str, claim: dict) -> dict:
    """Oriented metrics and their bootstrap draws, by run and by arm (the mean over its seeds).

    {"runs", "arms", "groups" (columns of each arm), "facts" {arm: ...}, "points" and "draws" of arms, "run_points",
    "run_draws", "numerators" and "denominators" of arms by unit, "unit", "units", "examples", ...}.
    """
    arms = list(dict.fromkeys(run["arm"] for run in runs))
    groups = [[column for column, run in enumerate(runs) if run["arm"] == arm] for arm in arms]
    first = [runs[group[0]] for group in groups]
    facts = {run["arm"]: {**{key: run[key] for key in ("rows", "subset", "rule")}, "scores": run["subset_scores"],
                          "epochs": run["train"]["config"].get("epochs")} for run in first}  # fmt: skip
    scores = {"runs": runs, "arms": arms, "groups": groups, "facts": facts, "metric": metric, "examples": 0}
    scores |= {"unit": None, "units": None, "unit_count": 0, "groups_count": 0, "spread": statistics.NO_SPREAD}
    if not runs:
        return scores
    values = [run["metrics"][metric] for run in runs]
    numerators, denominators = (np.stack([value[key] for value in values]) for key in ("numerators", "denominators"))
    examples = numerators.shape[1]
    labels = {"family": values[0]["family"], "instruction": values[0]["instruction"], "example": np.arange(examples)}
    unit, units = statistics.choose_unit(labels)
    if unit == "instruction" and units == examples:
        unit = "example"
    sums, sizes = (
        (x if unit == "example" else statistics.unit_sums(x, labels[unit])) for x in (numerators, denominators)
    )
    run_draws = statistics.bootstrap_ratios(sums, sizes, claim["bootstrap_draws"], BOOTSTRAP_SEED)
    run_points = statistics.ratio_of_sums(numerators, denominators)
    spread = statistics.seed_spread(run_points, groups, run_draws)
    return scores | {
        "examples": examples, "unit": unit, "units": units, "unit_count": sums.shape[1], "spread": spread,
        "groups_count": len(set(labels["family"])),
        "passed": numerators.sum(axis=1), "run_points": run_points, "run_draws": run_draws,
        "points": np.array([run_points[group].mean() for group in groups]),
        "draws": statistics.arm_draws(run_draws, groups, spread, training_draws_seed(runs[0]["size"]),
                                      np.array([run["subset"] is not None for run in first])),
        "numerators": np.stack([sums[group].mean(axis=0) for group in groups]),
        "denominators": np.stack([sizes[group].mean(axis=0) for group in groups]),
        "by_example": {arm: {"numerators": numerators[group].mean(axis=0), "denominators": denominators[group[0]]}
                       for arm, group in zip(arms, groups, strict=True)},
        "example_scores": values[0]["scores"],
    }  # fmt: skip


def training_draws_seed(size: str) -> int:
    """Sizes are trained separately: with equal draws, the spread of seeds would cancel in a difference of two sizes."""
    return SIZES.index(size) if size in SIZES else BOOTSTRAP_SEED


UNIT_WORDS = {"bits_per_byte": {"family": "sources"}, "task_completion": {"family": "task families"}}


def unit_words(scores: dict) -> str:
    plain = {"family": "families", "instruction": "instructions", "example": "examples"}
    return UNIT_WORDS[scores["metric"]].get(scores["unit"], plain.get(scores["unit"], "examples"))


def draw_words(scores: dict, claim: dict) -> str:
    seeds = " and seeds" if scores["spread"]["degrees"] else ""
    return f"paired percentile bootstrap over {unit_words(scores)}{seeds}, {claim['bootstrap_draws']:,} draws"


def seed_record(scores: dict) -> dict:
    """How far seeds lie apart, and from how many runs that is known."""
    repeats = {arm: len(group) for arm, group in zip(scores["arms"], scores["groups"], strict=True) if len(group) > 1}
    known = bool(scores["spread"]["degrees"])
    why = None if known else "one seed per arm: differences between training runs are not in the intervals"
    return {**scores["spread"], "runs_per_arm": repeats, "why": why}


def estimate(scores: dict, column: int, metric: str, claim: dict) -> dict:
    """One run's metric as it is usually written, with its interval, n and method."""
    sign, examples = METRICS[metric]["sign"], scores["examples"]
    value = float(sign * scores["run_points"][column])
    if metric == "task_completion":
        low, high = statistics.wilson_interval(int(scores["passed"][column]), examples, claim["confidence"])
        method = "Wilson score interval over prompts"
    else:
        draws = sign * scores["run_draws"][:, column]
        low, high = statistics.percentile_interval(draws, claim["confidence"], scores["units"])
        method = f"percentile bootstrap over {unit_words(scores)}, {claim['bootstrap_draws']:,} draws"
    return {"value": value, "low": min(low, value), "high": max(high, value), "n": examples, "method": method}


def arm_estimates(scores: dict, metric: str, claim: dict) -> dict:
    """{arm: the mean of its seeds with its interval, n, seeds and method}: what the claim and the figures speak of.

    Of passes the interval is at least Wilson's, since a bootstrap of no pass at all has no width, and ends at 0 and 1.
    """
    sign, records = METRICS[metric]["sign"], {}
    for column, (arm, group) in enumerate(zip(scores["arms"], scores["groups"], strict=True)):
        value, method = float(sign * scores["points"][column]), draw_words(scores, claim)
        draws = sign * scores["draws"][:, column]
        ends = [value, *statistics.percentile_interval(draws, claim["confidence"], scores["units"])]
        if metric == "task_completion":
            passed = round(value * scores["examples"])
            ends += statistics.wilson_interval(passed, scores["examples"], claim["confidence"])
            ends = [min(max(end, 0.0), 1.0) for end in ends]
            method += ", or Wilson score interval over prompts where that is wider"
        runs = [scores["runs"][place]["experiment"] for place in group]
        records[arm] = {
            "value": value, "low": min(ends), "high": max(ends), "n": scores["examples"], "method": method,
            "rows": scores["facts"][arm]["rows"], "seeds": len(group), "runs": runs,
        }  # fmt: skip
    return records


def resampling_of(scores: dict, claim: dict) -> dict:
    """What the bootstrap drew: its unit, how many of them, and whether seeds as well."""
    return {
        "unit": unit_words(scores), "clusters": scores["unit_count"], "effective_clusters": scores["units"],
        "groups": scores["groups_count"], "group_words": UNIT_WORDS[scores["metric"]]["family"],
        "seeds": bool(scores["spread"]["degrees"]), "method": draw_words(scores, claim),
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# The claim


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
        share, confidence, units = claim["retention"], claim["confidence"], scores["units"]
        proportion = scores["metric"] == "task_completion"
        results[anchor] = {
            **statistics.retention(points, draws, scores["examples"], share, confidence, units, proportion),
            "raw_ratio": statistics.raw_ratio(points[:2], draws[:, :2], confidence, units),
            "method": draw_words(scores, claim),
            "unit": unit_words(scores),
            "clusters": scores["unit_count"],
            "effective_clusters": scores["units"],
            "seeds": {arm: len(scores["groups"][column]) for arm, column in zip(arms, columns, strict=True)},
        }
    return results


def retention_by_source(scores: dict, claim: dict) -> list[dict]:
    """What is kept of medium's gain within each source of the held-out rows, and over sources that count alike.

    A description: no verdict, intervals over test examples alone. [{"source", "n", "ultra", "medium", "anchor", "gain",
    "gain_interval", "R", "R_interval"}], metrics as written; R as in `statistics.retention`.
    """
    arms = [claim["ultra"], claim["medium"], claim["anchor"]]
    if any(arm not in scores["arms"] for arm in arms):
        return []
    sign, sources = METRICS[scores["metric"]]["sign"], scores["runs"][0]["metrics"][scores["metric"]]["family"]
    numerators, denominators = (
        np.stack([scores["by_example"][arm][key] for arm in arms]) for key in ("numerators", "denominators")
    )
    parts = {}
    for number, source in enumerate(sorted(set(sources))):
        own = sources == source
        sums = numerators[:, own], denominators[:, own]
        draws = statistics.bootstrap_ratios(*sums, SOURCE_DRAWS, number)
        parts[source] = (int(own.sum()), statistics.ratio_of_sums(*sums), draws)
    if len(parts) > 1:
        counts, points, draws = zip(*parts.values(), strict=True)
        parts["all, sources counted alike"] = (sum(counts), np.mean(points, axis=0), np.mean(draws, axis=0))
    records = []
    for source, (n, points, draws) in parts.items():
        kept = statistics.retention(points, draws, n, claim["retention"], claim["confidence"])
        values = dict(zip(("ultra", "medium", "anchor"), map(float, sign * points), strict=True))
        shown = ("gain", "gain_interval", "R", "R_interval")
        records.append({"source": source, "n": n, **values, **{key: kept[key] for key in shown}})
    return records


SOURCE_DRAWS = 1_000

# ---------------------------------------------------------------------------------------------------------------------
# Contrasts


def contrasts_of(scores: dict, size: str, metric: str, claim: dict) -> list[dict]:
    """Every planned contrast of one metric; one whose runs are missing names them, where the study plans them."""
    records, weights = [], []
    for plan in planning.planned_contrasts(scores["facts"], claim):
        record = {"size": size, "metric": metric, "name": plan["name"], "family": plan["family"]}
        record |= {"a": plan["a"], "b": plan["b"], "first": plan["a"][0], "second": " + ".join(plan["b"])}
        record |= {"n": scores["examples"], "clusters": scores["unit_count"]}
        missing = [f"{arm}_{size}" for arm in [*plan["a"], *plan["b"]] if arm not in scores["arms"]]
        if not missing:
            weights.append(planning.contrast_weights(plan, scores["arms"]))
            records.append({**record, "missing": []})
        elif all(name in ALL_EXPERIMENTS for name in missing):
            records.append({**record, "difference": None, "interval": None, "p": None, "missing": missing})
    tested = [record for record in records if not record["missing"]]
    if tested:
        for record, result in zip(tested, test_contrasts(scores, tested, np.array(weights), claim), strict=True):
            record |= result
    return records


def test_contrasts(scores: dict, records: list[dict], weights: np.ndarray, claim: dict) -> list[dict]:
    """Difference, interval, p, test and minimum detectable effect of each contrast; `weights` (contrasts, arms)."""
    shares = planning.shares_of_sums(scores["numerators"], scores["denominators"], weights)
    permuted = statistics.sign_flip_p_values(shares, claim["bootstrap_draws"], BOOTSTRAP_SEED)
    results = []
    for record, row, p in zip(records, weights, permuted, strict=True):
        draws = scores["draws"] @ row
        result = statistics.contrast(float(scores["points"] @ row), draws, claim["confidence"], scores["units"])
        is_share, examples, arms = scores["metric"] == "task_completion", scores["examples"], row != 0
        few = is_share and statistics.has_few_events(scores["points"][arms], examples)
        if few:  # resampled, what passes next to nothing shows too little of what it might pass
            ends = statistics.wilson_sum(scores["points"][arms], row[arms], examples, claim["confidence"])
            result |= {"low": min(result["low"], ends[0]), "high": max(result["high"], ends[1])}
        if few or examples < statistics.MIN_EXAMPLES:
            result["minimum_detectable"] = None
        result["interval"] = [result["low"], result["high"]]
        test = f"sign-flip permutation over {unit_words(scores)}, {claim['bootstrap_draws']:,} draws"
        pair = [record["a"][0], record["b"][0]]
        alone = len(record["a"]) == len(record["b"]) == 1 and not scores["spread"]["degrees"]
        if is_share and alone:
            passed = [scores["by_example"][arm]["numerators"].astype(bool) for arm in pair]
            result["p_mcnemar"] = statistics.mcnemar_p(*passed)
            if scores["unit"] == "example":
                p, test = result["p_mcnemar"], "exact McNemar"
        if scores["spread"]["degrees"]:
            p = statistics.bootstrap_p(draws, scores["units"])
            test = f"bootstrap over {unit_words(scores)} and seeds, {claim['bootstrap_draws']:,} draws"
        results.append({**result, "p": p, "test": test, "method": test})
    return results


def compare_sizes(sizes: dict, scored: dict, claim: dict) -> None:
    """Add to the larger size, where both took the same test, the contrast of each arm between the sizes, if it read as
    many rows as often in both."""
    present = [size for size in SIZES if size in scored]
    for small, large in zip(present, present[1:], strict=False):
        for metric in METRICS:
            pairs = [scored[small][metric], scored[large][metric]]
            tests = [scores["runs"][0]["metrics"][metric]["test"] for scores in pairs if scores["runs"]]
            if len(tests) < 2 or tests[0] != tests[1]:
                continue
            shared = [arm for arm in pairs[0]["arms"] if arm in pairs[1]["arms"] and same_rows(arm, *pairs)]
            both = join_scores(pairs[::-1], [large, small], shared)
            plans = [planning.pair("sizes", f"{arm}_{large}", f"{arm}_{small}") for arm in shared]
            records = [
                {"size": large, "metric": metric, **plan, "first": plan["a"][0], "second": plan["b"][0],
                 "n": both["examples"], "clusters": both["unit_count"], "missing": []}
                for plan in plans
            ]  # fmt: skip
            weights = np.array([planning.contrast_weights(plan, both["arms"]) for plan in plans])
            results = test_contrasts(both, records, weights, claim) if plans else []
            sizes[large]["contrasts"] += [{**record, **result} for record, result in zip(records, results, strict=True)]


def same_rows(arm: str, first: dict, second: dict) -> bool:
    """Whether an arm is as many rows, read as often, in the scores of two sizes: at another scale it is not."""
    facts = [scores["facts"][arm] for scores in (first, second)]
    return all(facts[0][key] == facts[1][key] for key in ("rows", "epochs"))


def join_scores(pairs: list[dict], names: list[str], arms: list[str]) -> dict:
    """The scores of two sizes side by side: both resampled the same units alike and stay paired in them."""
    columns = [[scores["arms"].index(arm) for arm in arms] for scores in pairs]
    joined = {**pairs[0], "arms": [f"{arm}_{size}" for size in names for arm in arms]}
    joined["by_example"] = {
        f"{arm}_{size}": scores["by_example"][arm] for scores, size in zip(pairs, names, strict=True) for arm in arms
    }
    for key, axis in (("points", 0), ("draws", 1), ("numerators", 0), ("denominators", 0)):
        parts = [np.take(scores[key], chosen, axis=axis) for scores, chosen in zip(pairs, columns, strict=True)]
        joined[key] = np.concatenate(parts, axis=axis)
    joined["spread"] = max((scores["spread"] for scores in pairs), key=lambda spread: spread["degrees"])
    return joined


def adjust_p_values(sizes: dict) -> None:
    """Holm within each family over all sizes and metrics; the demo's apart, since it answers another question."""
    groups = {}
    for summary in sizes.values():
        for contrast in summary["contrasts"]:
            if contrast["p"] is not None:
                groups.setdefault((summary["demo"], contrast["family"]), []).append(contrast)
    for tested in groups.values():
        for contrast, p in zip(tested, statistics.holm([contrast["p"] for contrast in tested]), strict=True):
            contrast |= {"p_holm": p, "holm_tests": len(tested)}


def dose_response_of(scores: dict, metric: str, claim: dict) -> list[dict]:
    """Each series of arms of one number of rows in the order of their scores, with its linear trend."""
    records, estimates = [], arm_estimates(scores, metric, claim)
    for name, arms in planning.planned_doses(scores["facts"]).items():
        columns = [scores["arms"].index(arm) for arm in arms]
        weights = np.zeros((1, len(scores["arms"])))
        weights[0, columns] = planning.trend_weights(len(arms))
        plan = [{"a": arms[-1:], "b": arms[:-1]}]
        result = test_contrasts(scores, plan, weights, claim)[0]
        values = []
        for arm in arms:
            mean = (scores["facts"][arm]["scores"] or {}).get("quality")
            shown = {key: estimates[arm][key] for key in ("value", "low", "high", "rows")}
            values.append({"arm": arm, **shown, "score": mean})
        trend = {"slope": result["difference"], "interval": result["interval"]}
        trend |= {"p": result["p"], "test": result["test"], "oriented": "positive: better with a higher score"}
        records.append({"name": name, "arms": arms, "metric": metric, "values": values, "trend": trend,
                        "n": scores["examples"], "clusters": scores["unit_count"]})  # fmt: skip
    return records


# ---------------------------------------------------------------------------------------------------------------------
# Any two experiments


def compare_groups(groups: list[list[dict]], claim: dict) -> list[dict]:
    """The contrast of two experiments, each a run with its repeats by other seeds, on each metric that both have."""
    names, records = [group[0]["experiment"] for group in groups], []
    for metric in METRICS:
        if any(metric not in group[0]["metrics"] for group in groups):
            continue
        named = [{**run, "arm": name} for name, group in zip(names, groups, strict=True) for run in group]
        scores = score_runs([run for run in named if metric in run["metrics"]], metric, claim)
        plan = planning.pair("pair", *names)
        record = {"metric": metric, **plan, "n": scores["examples"], "clusters": scores["unit_count"]}
        weights = planning.contrast_weights(plan, scores["arms"])[None]
        records.append(record | test_contrasts(scores, [record], weights, claim)[0])
    return records
