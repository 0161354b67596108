"""The statistics of the claim, in numpy alone: paired bootstrap, retention, contrasts, p-values, power.

Reads and writes nothing; `analyze_results.py` calls it. Every metric comes oriented so that higher is better: task
completion as it is, bits per byte negated. A metric of one run is a ratio of sums over examples,

    m = sum(numerators) / sum(denominators)

(passes over prompts; minus bits over bytes), and units of examples are what is resampled, the same ones for all runs at
once, so that every difference between runs is a paired one. A unit is a task family or a source where there are enough
of them, else the rows of one instruction, else one example: examples of a unit rise and fall together, and counting
them as independent would make every interval too short (Miller 2024, arXiv 2411.00640). Where arms were trained with
several seeds, the spread between seeds is drawn too; with one seed everywhere it is not in the intervals.
"""

import math
from statistics import NormalDist

import numpy as np

from reference_distributions import f_tail, t_quantile

MIN_UNITS = 10  # effective families or sources: with fewer, their resampling is no measure of how they differ
MIN_EXAMPLES = 30  # with fewer, a percentile bootstrap claims too much, and no verdict is given
FEW_EVENTS = 5  # passes, or failures, of an arm: fewer, resampled, show too little of how many there might have been
POWER = 0.8  # of the minimum detectable effect
CHUNK_VALUES = 500_000  # resampled indices held at once: 4 MB, which stays near the cache


# ---------------------------------------------------------------------------------------------------------------------
# Resampling


def ratio_of_sums(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """The metric of each run. Both of shape (runs, examples); returns (runs,)."""
    return numerators.sum(axis=1) / denominators.sum(axis=1)


def bootstrap_ratios(numerators: np.ndarray, denominators: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The metric of every run in each of `draws` resamples of the examples, the same resample for all runs.

    Both inputs are (runs, examples); returns (draws, runs). A resample is counted once, how often each example fell
    into it, and one matrix product then gives all runs, so 24 runs cost little more than one.
    """
    runs, examples = numerators.shape
    rng = np.random.default_rng(seed)
    both = np.concatenate([numerators, denominators]).T.astype(np.float64)  # (examples, 2 * runs)
    ratios = np.empty((draws, runs))
    chunk = max(1, CHUNK_VALUES // examples)
    for start in range(0, draws, chunk):
        rows = min(chunk, draws - start)
        picked = rng.integers(0, examples, size=(rows, examples)) + np.arange(rows)[:, None] * examples
        counts = np.bincount(picked.ravel(), minlength=rows * examples).reshape(rows, examples)
        sums = counts @ both
        ratios[start : start + rows] = sums[:, :runs] / sums[:, runs:]
    return ratios


def percentile_interval(draws: np.ndarray, confidence: float = 0.95, units: float | None = None) -> tuple[float, float]:
    """The two-sided percentile interval of bootstrap draws; one of few `units` is widened by `expanded_tail`."""
    tail = expanded_tail((1 - confidence) / 2, units)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def wilson_interval(passed: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's (1927) score interval of a share: honest at 0 and at 1, where a bootstrap has no width at all."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = passed / n
    centre = share + z * z / (2 * n)
    half_width = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At the ends the two terms are equal, and rounding alone would leave a trace of their difference.
    low = 0.0 if passed == 0 else (centre - half_width) / scale
    return low, 1.0 if passed == n else (centre + half_width) / scale


def wilson_sum(shares: np.ndarray, weights: np.ndarray, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a weighted sum of shares of `n`, from Wilson's of each, put together by Zou and Donner's (2008)
    MOVER. It knows nothing of pairs, and is wide for it; at 0 and at 1 it is honest, where a bootstrap is too sure."""
    centre, below, above = float(weights @ shares), 0.0, 0.0
    for share, weight in zip(shares, weights, strict=True):
        ends = sorted(weight * end for end in wilson_interval(round(share * n), n, confidence))
        below += (weight * share - ends[0]) ** 2
        above += (ends[1] - weight * share) ** 2
    return centre - math.sqrt(below), centre + math.sqrt(above)


def expanded_tail(tail: float, units: float | None) -> float:
    """The tail to cut from bootstrap draws over `units` so that the interval is as wide as one by Student's t.

    A bootstrap over n units spreads too little by sqrt((n - 1) / n), and its percentiles know the normal's tails only:
    Hesterberg's (2015) expanded percentile interval corrects both. With thousands of units it changes nothing.
    """
    if units is None:
        return tail
    return NormalDist().cdf(-t_quantile(1 - tail, units - 1) * math.sqrt(units / (units - 1)))


# ---------------------------------------------------------------------------------------------------------------------
# Units of resampling


def effective_units(labels: np.ndarray) -> float:
    """How many units of equal size would tell as much: (sum n_g)^2 / sum n_g^2 (Kish 1965). `labels` (examples,)."""
    _, sizes = np.unique(labels, return_counts=True)
    return float(sizes.sum() ** 2 / np.sum(sizes.astype(float) ** 2))


def choose_unit(candidates: dict[str, np.ndarray]) -> tuple[str, float]:
    """The first of `candidates` (name -> labels, coarsest first) with MIN_UNITS effective units, else the last.

    Returns its name and its effective units.
    """
    units = {name: effective_units(labels) for name, labels in candidates.items()}
    name = next((name for name in units if units[name] >= MIN_UNITS), [*units][-1])
    return name, units[name]


def unit_sums(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sums of `values` (runs, examples) over the examples of each unit, in the units' sorted order: (runs, units)."""
    names, index = np.unique(labels, return_inverse=True)
    return np.stack([np.bincount(index, weights=row, minlength=len(names)) for row in values])


# ---------------------------------------------------------------------------------------------------------------------
# Seeds


NO_SPREAD = {"degrees": 0, "sd": None, "sd_of_examples": None}


def seed_spread(points: np.ndarray, groups: list[list[int]], draws: np.ndarray) -> dict:
    """The spread between runs that differ only in their seed, pooled over arms: {"degrees", "sd", "sd_of_examples"}.

    `points` (runs,), `draws` (draws, runs); `groups`: the columns of each arm. Part of it is only which examples
    each seed happens to get right, which the bootstrap holds already: `sd_of_examples`. degrees 0 and null where no arm
    has two seeds.
    """
    degrees = sum(len(group) - 1 for group in groups)
    if not degrees:
        return NO_SPREAD
    squares = sum(float(np.sum((points[group] - points[group].mean()) ** 2)) for group in groups)
    errors = draws - draws.mean(axis=0)
    apart = [errors[:, group] - errors[:, group].mean(axis=1, keepdims=True) for group in groups]
    by_examples = sum(float(np.sum(part**2)) for part in apart) / len(draws)
    return {"degrees": degrees, "sd": math.sqrt(squares / degrees), "sd_of_examples": math.sqrt(by_examples / degrees)}


def arm_draws(
    draws: np.ndarray, groups: list[list[int]], spread: dict, seed: int, trained: np.ndarray | None = None
) -> np.ndarray:
    """Bootstrap draws of each arm's mean over its seeds, (draws, arms), with the spread between seeds drawn on top.

    `draws` (draws, runs). The spread is estimated from few runs; each draw therefore takes another value of it, so that
    intervals have the tails of Student's t, less the part that resampled examples bring already. An arm with one seed
    borrows the spread of the others; one that is not `trained` (arms,) at all has none.
    """
    means = np.stack([draws[:, group].mean(axis=1) for group in groups], axis=1)
    if not spread["degrees"]:
        return means
    rng = np.random.default_rng([seed, 1])
    total = spread["sd"] ** 2 * spread["degrees"] / rng.chisquare(spread["degrees"], len(draws))
    scale = np.sqrt(np.maximum(0, total - spread["sd_of_examples"] ** 2))
    apart = np.ones(len(groups)) if trained is None else trained
    return means + rng.standard_normal(means.shape) * scale[:, None] * apart / np.sqrt([len(group) for group in groups])


# ---------------------------------------------------------------------------------------------------------------------
# Retention


def retention(
    points: np.ndarray, draws: np.ndarray, examples: int, share: float, confidence: float, units: float | None = None,
    proportion: bool = False,
) -> dict:  # fmt: skip
    """The claim "ultra keeps `share` of medium's gain over the anchor", for one metric at one size.

    `points` (3,) and `draws` (draws, 3) hold ultra, medium and anchor, oriented. The test is the linear contrast
    T = m_u - share m_M - (1 - share) m_a, which has no denominator to vanish; R = (m_u - m_a) / (m_M - m_a) is given
    only where the interval of the gain m_M - m_a lies above zero, over MIN_EXAMPLES or more. `T_lower` and `T_upper`
    are one-sided bounds. `units`: how many units the draws resampled, where they are few. `proportion`: the metric is a
    share of the examples; with fewer than FEW_EVENTS of them no ratio and no detectable effect is given, and intervals
    are at least `wilson_sum`'s.
    """
    few = proportion and has_few_events(points[:2], examples)

    def interval(weights: np.ndarray, level: float) -> list[float]:
        ends = percentile_interval(draws @ weights, level, units)
        other = wilson_sum(points, weights, examples, level) if few else ends
        return [min(ends[0], other[0]), max(ends[1], other[1])]

    weights = np.array([1.0, -share, -(1.0 - share)])
    contrast = draws @ weights
    lower, upper = interval(weights, 2 * confidence - 1)
    gain = float(points[1] - points[2])
    gain_low, gain_high = interval(np.array([0.0, 1.0, -1.0]), confidence)
    why_no_ratio = _why_no_ratio(gain_low, gain_high, examples)
    if few and not why_no_ratio:
        why_no_ratio = f"fewer than {FEW_EVENTS} passes or failures: too few for a share"
    verdict, note = _verdict_with_note(verdict_of(lower, upper), gain_low, gain_high, examples)
    return {
        "T": float(points @ weights),
        "T_lower": lower,
        "T_upper": upper,
        "T_interval": interval(weights, confidence),
        "gain": gain,
        "gain_interval": [gain_low, gain_high],
        "R": None if why_no_ratio else float(points[0] - points[2]) / gain,
        "R_interval": None if why_no_ratio else _ratio_interval(draws, confidence, units),
        "R_missing_because": why_no_ratio,
        "T_minimum_detectable": None if few else minimum_detectable_effect(contrast, confidence, 1, units),
        "verdict": verdict,
        "verdict_note": note,
        "n": examples,
    }


def has_few_events(points: np.ndarray, examples: int) -> bool:
    """Whether any of some arms passes, or fails, fewer than FEW_EVENTS of the examples; `points`: shares that pass.

    Their draws spread less than those of arms that a true effect would move away from the end."""
    return any(min(share, 1 - share) * examples < FEW_EVENTS - 1e-9 for share in points)


def _verdict_with_note(verdict: str, gain_low: float, gain_high: float, examples: int) -> tuple[str, str | None]:
    """The verdict, held back where T cannot carry it, and why; or what it does not say.

    With medium below the anchor there is no gain, and T is no test of keeping one: a model that learnt nothing, level
    with the anchor, has T > 0, and one that beats medium may have T < 0.
    """
    if examples < MIN_EXAMPLES:
        return "inconclusive", f"only {examples} examples; a verdict needs {MIN_EXAMPLES}"
    if gain_high < 0:
        return "inconclusive", "medium does worse than the anchor, so that there is no gain to keep"
    if gain_low <= 0 and verdict != "inconclusive":
        side = "above" if verdict == "supported" else "below"
        return verdict, (
            f"medium's own gain over the anchor is not clear of zero: {verdict} says that ultra lies {side} the mark "
            "between the two, not which share of a gain it keeps"
        )
    return verdict, None


def _why_no_ratio(gain_low: float, gain_high: float, examples: int) -> str | None:
    if examples < MIN_EXAMPLES:
        return f"{examples} examples are too few for one"
    if gain_low > 0:
        return None
    if gain_high < 0:
        return "medium does worse than the anchor: there is no gain to keep"
    return "medium's own gain over the anchor is not clear of zero"


def _ratio_interval(draws: np.ndarray, confidence: float, units: float | None) -> list[float]:
    """Over the draws in which medium gains at all: where R is given, at most one in forty does not."""
    gains = draws[:, 1] - draws[:, 2]
    positive = gains > 0
    return list(percentile_interval((draws[positive, 0] - draws[positive, 2]) / gains[positive], confidence, units))


def raw_ratio(points: np.ndarray, draws: np.ndarray, confidence: float, units: float | None = None) -> dict:
    """Ultra's metric as a share of medium's, no anchor: m_u / m_M, or m_M / m_u for a negated one (lower is better).

    `points` (2,), `draws` (draws, 2): ultra and medium. Null where the divisor's interval reaches zero or a draw is
    zero. The spread of seeds may draw a small share below zero: none is left then of ultra's, and of medium's no ratio.
    """
    top, bottom = (1, 0) if points[0] < 0 or points[1] < 0 else (0, 1)
    ends = percentile_interval(draws[:, bottom], confidence, units)
    if ends[0] <= 0 <= ends[1] or not draws[:, bottom].all():
        return {"value": None, "low": None, "high": None}
    sound = draws[:, bottom] * points[bottom] > 0
    ratios = np.maximum(draws[sound, top] / draws[sound, bottom], 0)
    low, high = percentile_interval(ratios, confidence, units)
    return {"value": float(points[top] / points[bottom]), "low": low, "high": high}


def verdict_of(lower: float, upper: float) -> str:
    """From the one-sided bounds of T."""
    if lower > 0:
        return "supported"
    return "refuted" if upper < 0 else "inconclusive"


def overall_verdict(verdicts: list[str]) -> str:
    """Intersection-union: the whole claim holds only where every part does, and fails where one part does.

    No correction for several tests is due: a false "supported" needs every part to be falsely supported.
    """
    for decisive in ("refuted", "not tested", "inconclusive"):
        if decisive in verdicts:
            return decisive
    return "supported" if verdicts else "not tested"


# ---------------------------------------------------------------------------------------------------------------------
# Paired contrasts


def contrast(difference: float, draws: np.ndarray, confidence: float, units: float | None = None) -> dict:
    """A paired difference of oriented metrics, or another combination of them; its bootstrap `draws` (draws,)."""
    low, high = percentile_interval(draws, confidence, units)
    return {
        "difference": float(difference),
        "low": low,
        "high": high,
        "minimum_detectable": minimum_detectable_effect(draws, confidence, 2, units),
    }


def mcnemar_p(first: np.ndarray, second: np.ndarray) -> float:
    """Exact two-sided McNemar p for two pass/fail vectors over the same prompts (McNemar 1947, binomial form)."""
    first_only = int(np.sum(first & ~second))
    second_only = int(np.sum(second & ~first))
    discordant = first_only + second_only
    tail = sum(math.comb(discordant, count) for count in range(min(first_only, second_only) + 1))
    return min(1.0, 2 * tail / 2**discordant)


def sign_flip_p_values(differences: np.ndarray, draws: int, seed: int) -> list[float]:
    """Two-sided permutation p of each sum of paired differences: under no effect each unit's sign is a coin's toss.

    `differences` (contrasts, units); all contrasts share the draws, so that many cost little more than one. The
    observed signs count as one draw, so p is never 0 (Phipson and Smyth 2010).
    """
    rng = np.random.default_rng(seed)
    contrasts, units = differences.shape
    # A tie with the observed sum must count as one: rounding in the sums would otherwise lose it.
    observed = np.abs(differences.sum(axis=1)) * (1 - 1e-9)
    chunk, as_extreme = max(1, CHUNK_VALUES // units), np.zeros(contrasts, dtype=int)
    for start in range(0, draws, chunk):
        rows = min(chunk, draws - start)
        bits = np.unpackbits(rng.integers(0, 256, size=(rows, -(-units // 8)), dtype=np.uint8), axis=1, count=units)
        sums = (bits * 2.0 - 1.0) @ differences.T
        as_extreme += np.sum(np.abs(sums) >= observed, axis=0)
    return ((1 + as_extreme) / (1 + draws)).tolist()


def bootstrap_p(draws: np.ndarray, units: float | None = None) -> float:
    """Two-sided p of a difference from its bootstrap draws: twice the smaller share beyond zero (Efron 1979).

    Of few `units` it is read off Student's t, as their intervals are (`expanded_tail`).
    """
    beyond = min(int(np.sum(draws <= 0)), int(np.sum(draws >= 0)))
    p = min(1.0, 2 * (1 + beyond) / (1 + len(draws)))
    if units is None or p == 1:
        return p
    return f_tail(NormalDist().inv_cdf(1 - p / 2) ** 2 * (units - 1) / units, 1, units - 1)


def holm(p_values: list[float]) -> list[float]:
    """Holm's (1979) step-down correction: p-values that hold for the whole family at once, in the given order."""
    if not p_values:
        return []
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()


def minimum_detectable_effect(
    draws: np.ndarray, confidence: float, sides: int, units: float | None = None
) -> float | None:
    """The true effect that a test by these bootstrap draws would find with 80% power; `units` as for its interval.

    How far the draws reach to the test's quantile, and to the quantile of the power: of normal draws the textbook's
    (z_alpha + z_power) SE. Quantiles, since draws over few seeds have Student's tails, whose variance may be infinite.
    Null where no example told the runs apart: draws that are all alike are ignorance there, not precision.
    """
    if draws.min() == draws.max():
        return None
    tails = [expanded_tail((1 - confidence) / sides, units), expanded_tail(1 - POWER, units)]
    return sum(float(np.quantile(draws, 1 - tail) - np.quantile(draws, tail)) / 2 for tail in tails)
