"""The part of the analysis about trade-offs: curves per tier, cost, and what the score is worth.

Reads and writes nothing; `study_analysis.py` calls it with the scores it made of each metric.
"""

import re

import numpy as np

import tradeoff_statistics as curves
from cost_statistics import cost_record, gains_by_band, mark_frontier, rank_correlation
from finished_runs import METRICS
from retention_statistics import percentile_interval, wilson_interval
from training_configs import SCORE_KEYS

CURVE_ARMS = ["ultra_1k", "ultra_3k", "ultra_10k", "random_1k", "random_3k", "random_10k", "random_30k", "random_100k"]
REPETITION_ARMS = ["ultra_10k", "ultra_10k_x10"]
QUALITY_RULES = ["top", "random", "bottom", "band"]  # chosen by score or by no rule: not by length or source
UNSCORED_RULES = ["random", "longest"]  # need no score
R_STAR = 15.4  # of Muennighoff et al. (2023): how passes over the same rows count
INTERPOLATED_DRAWS = 1_000  # of the bootstrap, for the interpolation
TEST_BANDS = 5


def loss_of(metric: str, oriented):
    """A loss that falls as the model gets better: bits per byte, or the share of prompts that fail."""
    return (1 if metric == "task_completion" else 0) - oriented


def tier_of(subset: str) -> str:
    """ultra_10k -> ultra, random_10k_d1 -> random, band1_10k -> band1."""
    return re.sub(r"_\d+[kM].*$", "", subset)


def curve_points(scores: dict, claim: dict) -> list[dict]:
    """One point per trained arm, the mean of its seeds: its tier, rows, epochs and loss.

    Not one per run: an arm lies off a curve by more than its seeds lie apart, and three seeds would count as three
    arms. Arms with different numbers of passes do not lie on one curve over their rows: `counted` is how many rows,
    read as often as ultra reads its own, are worth as much, by the effective rows of Muennighoff et al.
    """
    points, ultra = [], scores["facts"].get(claim["ultra"], {})
    unit = curves.effective_rows(1, ultra.get("epochs") or 1, R_STAR)
    for column, (arm, group) in enumerate(zip(scores["arms"], scores["groups"], strict=True)):
        facts = scores["facts"][arm]
        if not facts["rows"]:
            continue
        points.append(
            {"run": scores["runs"][group[0]]["experiment"], "seeds": len(group), "column": column, "arm": arm,
             "subset": facts["subset"], "rows": facts["rows"],
             "counted": float(curves.effective_rows(facts["rows"], facts["epochs"] or 1, R_STAR) / unit),
             "tier": tier_of(facts["subset"]), "epochs": facts["epochs"] or 1,
             "repeated": facts["subset"] != arm and facts["subset"] in scores["arms"],
             "loss": float(loss_of(scores["metric"], scores["points"][column]))}
        )  # fmt: skip
    return points


def fitted_points(points: list[dict], names: tuple, repeated: bool = False) -> list[np.ndarray]:
    """The columns `names` of the points of the two tiers with a curve; more passes over an arm's own rows only where
    `repeated` asks for them."""
    fitted = [
        point for point in points if point["tier"] in (curves.TIER, curves.REFERENCE)
        and (repeated or not point["repeated"])
    ]  # fmt: skip
    return [np.array([point[name] for point in fitted]) for name in names]


def tradeoff_of(scored: dict, size: str, claim: dict) -> tuple[dict, dict]:
    """{metric: tier curves, kappa, N80 and the interpolation}, and {metric: what repetition is worth}."""
    tradeoff, repetition = {}, {}
    for metric, scores in scored.items():
        points = curve_points(scores, claim)
        found = tradeoff[metric] = curves_of_metric(scores, points, size, claim)
        columns = fitted_points(points, ("rows", "epochs", "loss", "tier", "subset"), repeated=True)
        worth = curves.repetition(*columns, claim["confidence"])
        if found["kappa"]["why"] == NO_GAIN:
            worth |= {"value": None, "interval": [None, None], "identified": False, "why": NO_GAIN}
        settled = worth["identified"] or worth["why"] == NO_GAIN
        repetition[metric] = {**worth, "runs_to_add": [] if settled else to_add(REPETITION_ARMS, scores, size)}
        if worth["identified"] and "rows_counted_once" in found["kappa"]:
            own = kappa_counted(points, worth["value"], claim["confidence"])
            found["kappa"]["rows_counted_by_own_R_star"] = own
    return tradeoff, repetition


def to_add(arms: list[str], scores: dict, size: str) -> list[str]:
    """Experiments that would settle it: the planned ones that are missing, else repeats with other seeds."""
    missing = [f"{arm}_{size}" for arm in arms if arm not in scores["arms"]]
    return missing or [f"{arm}_{size}_s1" for arm in arms]


def curves_of_metric(scores: dict, points: list[dict], size: str, claim: dict) -> dict:
    """The content of verdict.json's `tradeoff` for one metric. Losses: bits per byte, or the share that fails."""
    confidence, metric = claim["confidence"], scores["metric"]
    rows, losses, tiers, names, columns, epochs = fitted_points(
        points, ("counted", "loss", "tier", "run", "column", "epochs")
    )
    exchange = curves.kappa(rows, losses, tiers, confidence)
    result = {
        "tiers": tier_records(scores, points), "E": None, "alpha": None, "alpha_interval": [None, None],
        "fit_why": None, "n80": {}, "arms": names.tolist(),
        "shared_exponent_test": curves.exponent_test(rows, losses, tiers), "aicc": None,
        "epochs_differ": len(set(epochs.tolist())) > 1, "R_star": R_STAR,
        "passes": scores["facts"].get(claim["ultra"], {}).get("epochs") or 1,
    }  # fmt: skip
    targets, no_target = target_of(scores, claim)
    degrees = None if no_target == NO_GAIN else exchange["degrees"]
    if no_target == NO_GAIN:  # what is fitted to noise is no curve
        exchange = {**exchange, "value": None, "interval": [None, None], "identified": False, "why": NO_GAIN}
    if degrees is not None and degrees >= 1:
        fit = curves.fit_shared(rows, losses, tiers)
        result |= {"E": fit["E"], "alpha": fit["alpha"], "residual_sd": float(np.sqrt(fit["rss"] / degrees))}
        result["alpha_interval"] = list(curves.profile_interval(curves.ALPHAS, fit["profile"], degrees, confidence))
        result["aicc"] = curves.compare_forms(rows, losses, tiers, result["shared_exponent_test"].get("rss_apart"))
        fill_amplitudes(result["tiers"], fit)
        draws = loss_of(metric, scores["draws"][:, columns])
        exchange |= over_test_examples(rows, draws, tiers, confidence)
        exchange["rows_counted_once"] = kappa_counted(points, None, confidence)
    else:
        result["fit_why"] = exchange["why"]
    settled = exchange["identified"] or no_target == NO_GAIN  # no more runs make a gain where there is none
    method = "profile likelihood over arms, shared E and alpha, F with the arms' degrees of freedom"
    result["kappa"] = {**exchange, "method": method, "n": len(rows),
                       "runs_to_add": [] if settled else to_add(CURVE_ARMS, scores, size)}  # fmt: skip
    result["target_loss"] = None if targets is None else float(targets[0])
    for tier in (curves.TIER, curves.REFERENCE):
        found = curves.n80(rows, losses, tiers, tier, result["target_loss"], claim["retention"], confidence)
        result["n80"][tier] = {**found, "why": no_target or found["why"]}
    result["nonparametric"] = interpolated(scores, [] if no_target == NO_GAIN else points, targets, confidence)
    return result


def tier_records(scores: dict, points: list[dict]) -> dict:
    """{tier: {"points": [...], "A": null}}, fewest rows first; values as the metric is usually written."""
    sign, tiers = METRICS[scores["metric"]]["sign"], {}
    for point in sorted(points, key=lambda point: (point["tier"], point["rows"], point["run"])):
        draws = sign * scores["draws"][:, point["column"]]
        value = float(sign * scores["points"][point["column"]])
        record = {"rows": point["rows"], "counted_rows": point["counted"], "epochs": point["epochs"]}
        record |= {"value": value, "loss": point["loss"]}
        ends = [value, *percentile_interval(draws, units=scores["units"])]
        if scores["metric"] == "task_completion":  # a bootstrap of no pass at all has no width
            ends += wilson_interval(round(value * scores["examples"]), scores["examples"])
            ends = [min(max(end, 0.0), 1.0) for end in ends]
        record |= {"interval": [min(ends), max(ends)], "run": point["run"], "seeds": point["seeds"]}
        tiers.setdefault(point["tier"], {"points": [], "A": None})["points"].append(
            record | {"used": not point["repeated"]}
        )
    return tiers


def fill_amplitudes(tiers: dict, fit: dict) -> None:
    """A of each tier: fitted, or, without a curve of its own, the mean that its points ask for."""
    for name, tier in tiers.items():
        used = [point for point in tier["points"] if point["used"]] or tier["points"]
        given = [(point["loss"] - fit["E"]) * point["counted_rows"] ** fit["alpha"] for point in used]
        tier["A"] = fit["A"].get(name, float(np.mean(given)))
        tier["A_from"] = "fitted with E and alpha" if name in fit["A"] else "its points, given E and alpha"


NO_GAIN = "medium's own gain over the anchor is not clear of zero, so that nothing can be traded for it"


def target_of(scores: dict, claim: dict) -> tuple[np.ndarray | None, str | None]:
    """The loss at which T = 0, and its bootstrap draws after it, (1 + draws,); or null and why there is none."""
    arms = [claim["medium"], claim["anchor"]]
    if any(arm not in scores["arms"] for arm in arms):
        return None, "the runs that set the target (medium, anchor) are missing"
    columns = [scores["arms"].index(arm) for arm in arms]
    gain = scores["draws"][:, columns] @ np.array([1.0, -1.0])
    if percentile_interval(gain, claim["confidence"], scores["units"])[0] <= 0:
        return None, NO_GAIN
    weights = np.array([claim["retention"], 1 - claim["retention"]])
    oriented = np.concatenate([scores["points"][None, columns], scores["draws"][:, columns]]) @ weights
    return loss_of(scores["metric"], oriented), None


def over_test_examples(rows, draws, tiers, confidence: float) -> dict:
    """Kappa refitted to the bootstrap's draws: how far it rests on test examples and, where known, on seeds."""
    refitted = curves.kappa_draws(rows, draws, tiers)
    refitted = refitted[np.isfinite(refitted)]
    known = len(refitted) > 0.9 * len(draws)
    return {"interval_over_examples": list(percentile_interval(refitted, confidence)) if known else [None, None]}


def kappa_counted(points: list[dict], r_star: float | None, confidence: float) -> dict:
    """Kappa with passes counted by another R*, or not at all where it is null: how far it rests on counting them."""
    rows, losses, tiers, epochs = fitted_points(points, ("rows", "loss", "tier", "epochs"))
    if r_star is not None:
        rows = curves.effective_rows(rows, epochs, r_star)
    other = curves.kappa(rows, losses, tiers, confidence)
    return {key: other[key] for key in ("value", "interval", "identified", "why")}


# ---------------------------------------------------------------------------------------------------------------------
# Without a form


def tier_curve(scores: dict, points: list[dict], tier: str) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of a tier, its falling curve over them: as measured, then by draws (1 + draws, n)."""
    own = [point for point in points if point["tier"] == tier and not point["repeated"]]
    rows = sorted({point["counted"] for point in own})
    every = np.concatenate([scores["points"][None], scores["draws"][:INTERPOLATED_DRAWS]])
    columns = [[point["column"] for point in own if point["counted"] == number] for number in rows]
    losses = [loss_of(scores["metric"], every[:, group].mean(axis=1)) for group in columns]
    return np.array(rows, dtype=float), curves.falling_fit(np.stack(losses, axis=1))


def interpolated(scores: dict, points: list[dict], targets: np.ndarray | None, confidence: float) -> dict:
    """Kappa at each number of ultra rows, and N80 of each tier, by interpolating falling curves in log rows."""
    present = {point["tier"] for point in points}
    result = {"kappa": [], "n80": {}, "method": "falling curves, linear in log rows"}
    if {curves.TIER, curves.REFERENCE} <= present:
        rows, reference = tier_curve(scores, points, curves.REFERENCE)
        own_rows, own = tier_curve(scores, points, curves.TIER)
        for index, number in enumerate(own_rows):
            needed = curves.rows_at_loss(rows, reference, own[:, index])
            record = curves.censored_record(needed[0], needed[1:], rows, confidence, factor=number)
            if (needed == rows[0]).all() or (record["value"] and record["interval"] == [None, None]):
                # At the floor, say: draws tell nothing apart, or give anything from no rows to endless ones.
                record |= {"value": None, "interval": [None, None], "censored": "alike"}
            result["kappa"].append({"rows": round(float(number)), **record})
    for tier in [curves.TIER, curves.REFERENCE] if targets is not None else []:
        if tier in present:
            rows, curve = tier_curve(scores, points, tier)
            needed = curves.rows_at_loss(rows, curve, targets[: len(curve)])
            result["n80"][tier] = curves.censored_record(needed[0], needed[1:], rows, confidence)
    return result


# ---------------------------------------------------------------------------------------------------------------------
# Quality against required quantity


def rank_correlation_of(scores: dict, tradeoff: dict, claim: dict) -> dict:
    """Rank correlation of a tier's mean score with the rows it needs for the target: negative if quality saves rows.

    A tier's rows come from its A at the shared E and alpha; their order does not depend on the target.
    """
    quality, needed, tiers = [], [], []
    for name, tier in tradeoff["tiers"].items():
        arms = [arm for arm, facts in scores["facts"].items() if facts["subset"] and tier_of(facts["subset"]) == name]
        means = [facts["scores"]["quality"] for arm in arms if (facts := scores["facts"][arm])["scores"]]
        if tier["A"] and tier["A"] > 0 and means and scores["facts"][arms[0]]["rule"] in QUALITY_RULES:
            quality.append(float(np.mean(means)))
            needed.append(tier["A"] ** (1 / tradeoff["alpha"]))
            tiers.append(name)
    result = rank_correlation(quality, needed, claim["confidence"])
    if tradeoff["alpha"] is None:
        result["why"] = f"no curve to read required rows from: {tradeoff['fit_why']}"
    return {**result, "tiers": tiers, "quality": quality, "relative_rows": needed, "method": "Spearman, Fisher's z"}


# ---------------------------------------------------------------------------------------------------------------------
# Cost


def cost_of(scored: dict, runs: list[dict], claim: dict, filter_hours: float | None) -> dict:
    """{"cost": one record per arm, "cost_frontier": {metric: the best arm from each budget on}}.

    An arm is the mean of its seeds: otherwise the luckiest seed would be the best run for its cost.
    """
    by_arm = {}
    for run in runs:
        if run["subset"]:
            by_arm.setdefault(run["arm"], []).append(run)
    records = []
    for arm, group in by_arm.items():
        values, gains = {}, {}
        for metric, scores in scored.items():
            if arm not in scores["arms"]:
                continue
            oriented = float(scores["points"][scores["arms"].index(arm)])
            values[metric] = METRICS[metric]["sign"] * oriented
            if claim["anchor"] in scores["arms"]:
                gains[metric] = oriented - float(scores["points"][scores["arms"].index(claim["anchor"])])
        records.append(cost_of_arm(arm, group, values, gains, filter_hours))
    frontier = mark_frontier(records, {metric: METRICS[metric]["sign"] for metric in METRICS})
    return {"cost": records, "cost_frontier": frontier}


def cost_of_arm(arm: str, group: list[dict], values: dict, gains: dict, filter_hours: float | None) -> dict:
    """The record of one arm: seconds and tokens of one run, the mean over its seeds."""
    first, seconds = group[0], [run["train"].get("train_seconds") for run in group]
    facts = {"experiment": f"{arm}_{first['size']}", "rows": first["rows"], "tokens": first["train"].get("tokens"),
             "values": values, "scored": first["rule"] not in UNSCORED_RULES,
             "train_seconds": None if None in seconds else float(np.mean(seconds))}  # fmt: skip
    gpus = first["train"].get("provenance", {}).get("hardware", {}).get("gpus") or []
    device = gpus[0] if gpus else "CPU"
    tokens, seconds = facts["tokens"], facts["train_seconds"]
    return {
        **cost_record(facts, gains, filter_hours), "arm": arm, "seeds": len(group), "device": device,
        "tokens_per_second": tokens / seconds if tokens and seconds else None,
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Is the score worth anything?


def usefulness_of(scored: dict, contrasts: list[dict], claim: dict, seed: int) -> dict:
    """Gain against the score of the training rows (equal numbers of them) and of the test rows; dimensions dropped."""
    random = next((arm for arm in claim["controls"] if arm.startswith("random")), None)
    return {
        "bands": [record for metric in METRICS for record in training_bands(scored[metric], claim)],
        "dimensions": {name: dimension_record(scored, name, claim, random, seed) for name in SCORE_KEYS},
        "drop_one": [
            {"dimension": name, **contrast}
            for contrast in contrasts
            for name in SCORE_KEYS
            if re.search(rf"_(no|without|drop)_{name}(_|$)", contrast["first"])
        ],
    }


def equal_arms(scores: dict, claim: dict) -> list[str]:
    """Arms with ultra's number of rows and epochs whose subset's scores are known."""
    ultra = scores["facts"].get(claim["ultra"])
    alike = [
        arm for arm, facts in scores["facts"].items() if ultra and facts["scores"] and facts["rows"] == ultra["rows"]
    ]
    return [arm for arm in alike if scores["facts"][arm]["epochs"] == ultra["epochs"]]


def training_bands(scores: dict, claim: dict) -> list[dict]:
    """Each band arm's gain over the anchor, the lowest scores first, with its interval."""
    if claim["anchor"] not in scores["arms"]:
        return []
    records, anchor = [], scores["arms"].index(claim["anchor"])
    for arm in sorted((arm for arm in scores["arms"] if scores["facts"][arm]["rule"] == "band"), reverse=True):
        column = scores["arms"].index(arm)
        gain = scores["draws"][:, column] - scores["draws"][:, anchor]
        interval = percentile_interval(gain, claim["confidence"], scores["units"])
        facts = scores["facts"][arm]
        records.append(
            {"arm": arm, "metric": scores["metric"], "score": (facts["scores"] or {}).get("quality"),
             "gain": float(scores["points"][column] - scores["points"][anchor]), "interval": list(interval)}
        )  # fmt: skip
    return records


def dimension_record(scored: dict, name: str, claim: dict, random: str | None, seed: int) -> dict:
    """One score dimension: its rank correlation with gain over equal arms, ultra's gain over random by band."""
    by_metric = {}
    for metric, scores in scored.items():
        arms = [arm for arm in equal_arms(scores, claim) if name in scores["facts"][arm]["scores"]]
        gains = [float(scores["points"][scores["arms"].index(arm)]) for arm in arms]
        means = [scores["facts"][arm]["scores"][name] for arm in arms]
        by_metric[metric] = {**rank_correlation(means, gains, claim["confidence"]), "arms": arms}
    loss = scored["bits_per_byte"]
    both = [loss["by_example"].get(arm) for arm in (claim["ultra"], random)] if loss["runs"] else [None]
    values = loss.get("example_scores", {}).get(name)
    bands = []
    if None not in both and values is not None:
        bands = gains_by_band(*both, values, TEST_BANDS, INTERPOLATED_DRAWS, seed, claim["confidence"])
    return {"rank_correlation": by_metric, "test_bands": bands, "test_bands_of": [claim["ultra"], random]}
