"""What a run costs and what it gives for that, and whether the score says which rows are useful; pure numpy.

Reads and writes nothing; `study_analysis.py` calls it.
"""

import math
from statistics import NormalDist

import numpy as np

# Fewer points leave a rank correlation without an interval: of 5 points with a true one of 0.97, it held 52%.
MIN_RANKED = 10


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties at their mean. `values` (n,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def rank_correlation(x, y, confidence: float = 0.95) -> dict:
    """Spearman's correlation with an interval by Fisher's z: {"value", "interval", "n", "why"}.

    The standard error is sqrt((1 + r^2 / 2) / (n - 3)) (Bonett and Wright 2000). Null with `why` under three points,
    where a side is constant, and, for the interval alone, under MIN_RANKED points or at 1 and -1.
    """
    n = len(x)
    result = {"value": None, "interval": [None, None], "n": n, "why": None}
    if n < 3:
        return {**result, "why": f"{n} points"}
    first, second = ranks(x), ranks(y)
    if first.std() == 0 or second.std() == 0:
        return {**result, "why": "one side is the same everywhere"}
    value = float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))
    result["value"] = value
    if n < MIN_RANKED or math.isclose(abs(value), 1):
        why = f"{n} points leave no interval" if n < MIN_RANKED else "in perfect order: no interval"
        return {**result, "why": why}
    z = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt((1 + value**2 / 2) / (n - 3))
    centre = math.atanh(value)
    return {**result, "interval": [math.tanh(centre - z), math.tanh(centre + z)]}


def cost_record(run: dict, gains: dict, filter_hours: float | None) -> dict:
    """One run's cost, with that of filtering, and its `gains` {metric: gain over the anchor} per unit of that.

    `run`: {"experiment", "rows", "tokens", "train_seconds", "scored", "values"}. A subset chosen by score pays for
    filtering the whole pool, a random one does not. Hours are by the clock, on whatever each stage ran on; null where
    not known.
    """
    train_hours = None if run["train_seconds"] is None else run["train_seconds"] / 3600
    filtering = filter_hours if run["scored"] else 0.0
    hours = None if None in (train_hours, filtering) else train_hours + filtering

    def per(amount: float | None) -> dict:
        return {metric: gain / amount if amount and gain is not None else None for metric, gain in gains.items()}

    return {
        "run": run["experiment"], "train_hours": train_hours, "filter_hours": filtering, "total_hours": hours,
        "tokens": run["tokens"], "rows": run["rows"], **run["values"], "gain": gains,
        "per_hour": per(hours), "per_million_tokens": per((run["tokens"] or 0) / 1e6),
        "per_thousand_rows": per((run["rows"] or 0) / 1e3), "on_frontier": [],
    }  # fmt: skip


def mark_frontier(records: list[dict], metrics: dict[str, int]) -> dict[str, list[dict]]:
    """Note on each record the metrics in which no cheaper run is as good; returns the best run from each budget on.

    A run whose cost is not known is left out. `metrics`: {metric: sign}. Returns {metric: [{"from_hours", "run",
    "value"}]}, cheapest first.
    """
    frontier = {}
    for metric, sign in metrics.items():
        known = [item for item in records if item.get(metric) is not None and item["total_hours"] is not None]
        best, frontier[metric] = -math.inf, []
        for record in sorted(known, key=lambda item: (item["total_hours"], -sign * item[metric], item["run"])):
            if sign * record[metric] > best:
                best = sign * record[metric]
                record["on_frontier"].append(metric)
                step = {"from_hours": record["total_hours"], "run": record["run"], "value": record[metric]}
                frontier[metric].append(step)
    return frontier


def gains_by_band(first, second, scores, count: int, draws: int, seed: int, confidence: float) -> list[dict]:
    """How much better the first of two runs is in each band of a score of the test rows, lowest scores first.

    `first`, `second`: {"numerators", "denominators"} (examples,), oriented; `scores` (examples,). Paired bootstrap.
    """
    rng, bands = np.random.default_rng(seed), []
    for number, part in enumerate(np.array_split(np.argsort(scores, kind="stable"), count), start=1):
        if len(part) < 2:
            continue
        weights = rng.multinomial(len(part), np.full(len(part), 1 / len(part)), size=draws)
        whole = np.ones((1, len(part)))
        metrics = []
        for pick in (whole, weights):
            ratios = [pick @ run["numerators"][part] / (pick @ run["denominators"][part]) for run in (first, second)]
            metrics.append(ratios[0] - ratios[1])
        low, high = np.quantile(metrics[1], [(1 - confidence) / 2, (1 + confidence) / 2])
        bands.append(
            {"band": number, "low": float(scores[part].min()), "high": float(scores[part].max()), "rows": len(part),
             "gain": float(metrics[0][0]), "interval": [float(low), float(high)]}
        )  # fmt: skip
    return bands
