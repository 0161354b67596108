"""The exchange rate of quality and quantity: tier curves, kappa, N80, repetition; numpy alone.

Reads and writes nothing; `study_analysis.py` calls it. A tier's loss falls with its rows N as

    L = E + A_q N^-alpha

with E and alpha shared (2402.17193 has this form for tuning), so that one row of tier q is worth
kappa = (A_random / A_q)^(1/alpha) random rows at equal loss. Given alpha and kappa the rest is linear: both are
searched on a grid and no optimiser can stop early. Intervals are profile likelihood over the arms, calibrated by F with
the few degrees of freedom there are: all values whose residual sum of squares stays under RSS_min (1 + F / df). Where
that set has no end inside the grid the data cannot tell, and `identified` is false.
"""

import numpy as np

from reference_distributions import f_tail, t_quantile

ALPHAS = np.geomspace(0.01, 3, 90)  # from a curve that is a logarithm to one that is flat after its first points
LOG_KAPPAS = np.linspace(np.log(1e-3), np.log(1e4), 321)
N80_DECADES = 4  # how far beyond the rows there are N80 is looked for, either way
REPETITION_CONSTANTS = np.geomspace(0.1, 1_000, 121)  # R* of Muennighoff et al. (2023); 15.4 in their pretraining
REFERENCE, TIER = "random", "ultra"


def effective_rows(rows, epochs, constant):
    """Fresh rows that `rows` repeated for `epochs` are worth: U + U R* (1 - exp(-(epochs - 1) / R*)).

    Muennighoff et al. (2023, arXiv 2305.16264), R* = `constant`.
    """
    return rows * (1 + constant * -np.expm1(-(np.asarray(epochs) - 1) / constant))


# ---------------------------------------------------------------------------------------------------------------------
# Least squares over grids


def residual_sums(columns: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """RSS of the linear fits of `losses` (n,) on `columns` (..., n, p)."""
    basis, _ = np.linalg.qr(columns)
    fitted = np.einsum("...np,n->...p", basis, losses)
    return np.maximum(np.sum(losses**2) - np.sum(fitted**2, axis=-1), 0)


def tier_columns(rows: np.ndarray, tiers: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """The design of the shared curve, (alphas, n, 1 + tiers): a constant, (N / N0)^-alpha in a column per tier."""
    powers = np.exp(-alphas[:, None] * np.log(rows / np.exp(np.mean(np.log(rows)))))
    each = [np.ones_like(powers), *[powers * (tiers == tier) for tier in sorted(set(tiers))]]
    return np.stack(each, axis=-1)


def fit_shared(rows: np.ndarray, losses: np.ndarray, tiers: np.ndarray) -> dict:
    """The best shared curve: {"alpha", "E", "A" {tier}, "rss", "profile" (over ALPHAS)}. Inputs (n,)."""
    mean, alphas, profiles = losses.mean(), ALPHAS, []
    for _ in range(3):  # the grid, then twice around its best
        profiles.append(residual_sums(tier_columns(rows, tiers, alphas), losses - mean))
        best = int(np.argmin(profiles[-1]))
        alpha = float(alphas[best])
        alphas = np.geomspace(alphas[max(best - 1, 0)], alphas[min(best + 1, len(alphas) - 1)], 21)
    columns = tier_columns(rows, tiers, np.array([alpha]))[0]
    weights = np.linalg.lstsq(columns, losses - mean, rcond=None)[0]
    centre = np.exp(np.mean(np.log(rows)))
    amplitudes = {tier: float(a * centre**alpha) for tier, a in zip(sorted(set(tiers)), weights[1:], strict=True)}
    return {
        "alpha": alpha,
        "E": float(mean + weights[0]),
        "A": amplitudes,
        "rss": float(profiles[-1].min()),
        "profile": profiles[0],
    }


def profile_interval(grid: np.ndarray, profile: np.ndarray, degrees: int, confidence: float) -> tuple:
    """(low, high) where the profile of RSS crosses its limit, each None where it does not inside the grid."""
    minimum = float(profile.min())
    limit = minimum * (1 + t_quantile((1 + confidence) / 2, degrees) ** 2 / degrees)
    inside = np.flatnonzero(profile <= limit)
    ends = []
    for edge, step in ((inside[0], -1), (inside[-1], 1)):
        outer = edge + step
        if not 0 <= outer < len(grid):
            ends.append(None)
            continue
        share = (limit - profile[edge]) / (profile[outer] - profile[edge])
        ends.append(float(grid[edge] + share * (grid[outer] - grid[edge])))
    return tuple(ends)


# ---------------------------------------------------------------------------------------------------------------------
# Kappa


def kappa_profile(rows: np.ndarray, losses: np.ndarray, tiers: np.ndarray) -> np.ndarray:
    """RSS at each of LOG_KAPPAS, where TIER's rows count kappa times on REFERENCE's curve, least over alpha.

    A straight line in N^-alpha, whose RSS has a closed form.
    """
    shifted = np.log(rows) + LOG_KAPPAS[:, None] * (tiers == TIER)  # (kappas, n)
    shifted -= shifted.mean(axis=1, keepdims=True)
    powers = np.exp(-ALPHAS[:, None] * shifted[:, None])  # (kappas, alphas, n)
    powers -= powers.mean(axis=-1, keepdims=True)
    centred = losses - losses.mean()
    explained = (powers @ centred) ** 2 / np.sum(powers**2, axis=-1)
    return np.maximum(np.sum(centred**2) - explained, 0).min(axis=1)


def kappa(rows: np.ndarray, losses: np.ndarray, tiers: np.ndarray, confidence: float = 0.95) -> dict:
    """{"value", "interval", "identified", "why", "degrees"} of the exchange rate; inputs (n,), low losses are good."""
    result = {"value": None, "interval": [None, None], "identified": False, "why": None, "degrees": None}
    counts = {tier: len(set(rows[tiers == tier])) for tier in (TIER, REFERENCE)}
    if counts[TIER] < 1 or counts[REFERENCE] < 2:
        return {**result, "why": f"a curve needs two numbers of random rows and one of {TIER}; there are {counts}"}
    degrees = result["degrees"] = len(rows) - 2 - len(set(tiers))
    if degrees < 1:
        return {**result, "why": f"{len(rows)} arms for as many parameters: no degree of freedom is left for noise"}
    fit = fit_shared(rows, losses, tiers)
    if min(fit["A"][TIER], fit["A"][REFERENCE]) <= 0:
        return {**result, "why": "the loss does not fall with the number of rows"}
    result["value"] = float((fit["A"][REFERENCE] / fit["A"][TIER]) ** (1 / fit["alpha"]))
    ends = profile_interval(LOG_KAPPAS, kappa_profile(rows, losses, tiers), degrees, confidence)
    result["interval"] = [None if end is None else float(np.exp(end)) for end in ends]
    if None in ends:
        return {**result, "why": f"exchange rates without bound fit the {len(rows)} arms as well"}
    return {**result, "identified": True}


def kappa_draws(rows: np.ndarray, draws: np.ndarray, tiers: np.ndarray) -> np.ndarray:
    """Kappa refitted to each bootstrap draw of the losses, `draws` (draws, n); NaN where a curve rises."""
    basis = tier_columns(rows, tiers, ALPHAS)
    inverse = np.linalg.pinv(basis)  # (alphas, p, n)
    centred = draws - draws.mean(axis=1, keepdims=True)
    q, _ = np.linalg.qr(basis)
    explained = np.sum(np.einsum("anp,dn->adp", q, centred) ** 2, axis=-1)
    best = np.argmax(explained, axis=0)
    weights = np.einsum("dpn,dn->dp", inverse[best], centred)
    order = sorted(set(tiers))
    reference, tier = (weights[:, 1 + order.index(name)] for name in (REFERENCE, TIER))
    falling = (reference > 0) & (tier > 0)  # losses that are all alike have no curve at all
    ratio = np.divide(reference, tier, out=np.full(len(draws), np.nan), where=falling)
    return ratio ** (1 / ALPHAS[best])


# ---------------------------------------------------------------------------------------------------------------------
# Is one exponent enough?


def exponent_test(rows: np.ndarray, losses: np.ndarray, tiers: np.ndarray) -> dict:
    """F test of one exponent for all tiers against one each, E shared: {"statistic", "p", "degrees", "why"}."""
    curved = [tier for tier in sorted(set(tiers)) if len(set(rows[tiers == tier])) >= 2]
    degrees = len(rows) - 1 - 2 * len(curved)
    if len(curved) != 2 or degrees < 1:
        return {"statistic": None, "p": None, "degrees": None, "why": "needs two tiers and one run beyond five"}
    logs = np.log(rows) - np.mean(np.log(rows))
    powers = np.exp(-ALPHAS[:, None] * logs)  # (alphas, n)
    first, second = (powers * (tiers == tier) for tier in curved)
    shape = (len(ALPHAS), len(ALPHAS), len(rows))
    designs = [np.ones(shape), np.broadcast_to(first[:, None], shape), np.broadcast_to(second[None], shape)]
    apart = float(residual_sums(np.stack(designs, axis=-1), losses - losses.mean()).min())
    shared = max(fit_shared(rows, losses, tiers)["rss"], apart)
    statistic = (shared - apart) / (max(apart, 1e-300) / degrees)
    p = f_tail(statistic, 1, degrees)
    return {"statistic": float(statistic), "p": p, "degrees": degrees, "rss_apart": apart, "why": None}


def aicc(rss: float, runs: int, parameters: int) -> float | None:
    """Akaike's criterion for few data (Hurvich and Tsai 1989); null where it has no value.

    `parameters`: those of the curve, the noise not counted.
    """
    k = parameters + 1
    if runs - k - 1 <= 0 or rss <= 0:
        return None
    return float(runs * np.log(rss / runs) + 2 * k + 2 * k * (k + 1) / (runs - k - 1))


def compare_forms(rows: np.ndarray, losses: np.ndarray, tiers: np.ndarray, apart: float | None) -> dict:
    """AICc of the shared curve, of one exponent per tier, of one curve for all rows alike, and of a constant."""
    runs, count = len(rows), len(set(tiers))
    alike = fit_shared(rows, losses, np.full(runs, "all"))["rss"]
    return {
        "shared_exponent": aicc(fit_shared(rows, losses, tiers)["rss"], runs, count + 2),
        "exponent_per_tier": None if apart is None else aicc(apart, runs, 2 * count + 1),
        "one_curve_for_all": aicc(alike, runs, 3),
        "constant": aicc(float(np.sum((losses - losses.mean()) ** 2)), runs, 1),
    }


# ---------------------------------------------------------------------------------------------------------------------
# N80


def n80(rows, losses, tiers, tier: str, target: float | None, retention: float = 0.8, confidence: float = 0.95) -> dict:
    """The fewest rows of `tier` whose loss reaches `target` = r L_medium + (1 - r) L_anchor, by the fitted curve.

    r is `retention`. The target is a measurement too, with r^2 + (1 - r)^2 of a run's variance, and is fitted along.
    """
    result = {"value": None, "interval": [None, None], "identified": False, "why": None}
    degrees = len(rows) - 2 - len(set(tiers))
    if target is None:
        return {**result, "why": "the runs that set the target (medium, anchor) are missing"}
    if tier not in tiers or degrees < 1:
        return {**result, "why": "too few arms for a curve"}
    fit = fit_shared(rows, losses, tiers)
    if fit["A"][tier] <= 0:
        return {**result, "why": "the loss does not fall with the number of rows"}
    if target > fit["E"]:
        result["value"] = finite_power((target - fit["E"]) / fit["A"][tier], -1 / fit["alpha"])
    own = rows[tiers == tier]
    grid = np.log(own.mean()) + np.linspace(-N80_DECADES, N80_DECADES, 241) * np.log(10)
    profile = n80_profile(rows, losses, tiers, tier, target, retention, grid)
    ends = profile_interval(grid, profile, degrees, confidence)
    result["interval"] = [None if end is None else float(np.exp(end)) for end in ends]
    if result["value"] is None:
        return {**result, "why": "the fitted curve levels off above the target: no number of rows reaches it"}
    if None in ends:
        return {**result, "why": f"rows {10**N80_DECADES:,} times as many as there are, or as few, fit as well"}
    outside = not own.min() <= result["value"] <= own.max()
    return {**result, "identified": True, "why": "extrapolated beyond the arms" if outside else None}


def finite_power(base: float, exponent: float) -> float | None:
    power = exponent * np.log(base)
    return float(np.exp(power)) if abs(power) < 60 else None


def n80_profile(rows, losses, tiers, tier: str, target: float, retention: float, grid: np.ndarray) -> np.ndarray:
    """RSS at each value of `grid` (log rows), least over alpha: the tier's curve must pass the target there."""
    own = tiers == tier
    ratio = np.exp(-ALPHAS[None, :, None] * (np.log(rows)[None, None] - grid[:, None, None]))  # (grid, alphas, n)
    logs = np.log(rows) - np.mean(np.log(rows))
    powers = np.broadcast_to(np.exp(-ALPHAS[None, :, None] * logs), ratio.shape)
    constant = np.where(own, 1 - ratio, 1.0)
    others = [powers * (tiers == other) for other in sorted(set(tiers) - {tier})]
    design = np.stack([constant, ratio * own, *others], axis=-1)
    weight = (retention**2 + (1 - retention) ** 2) ** -0.5
    last = np.zeros((*design.shape[:2], 1, design.shape[-1]))
    last[..., 1] = weight
    centre = losses.mean()
    return residual_sums(
        np.concatenate([design, last], axis=2), np.append(losses - centre, weight * (target - centre))
    ).min(axis=1)  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Without a form


def falling_fit(losses: np.ndarray) -> np.ndarray:
    """The closest curves (draws, n) that never rise along the last axis: the min-max formula of isotonic regression."""
    size = losses.shape[-1]
    sums = np.concatenate([np.zeros((*losses.shape[:-1], 1)), np.cumsum(losses, axis=-1)], axis=-1)
    fitted = []
    for i in range(size):
        means = [[(sums[..., k + 1] - sums[..., j]) / (k + 1 - j) for k in range(i, size)] for j in range(i + 1)]
        fitted.append(np.min([np.max(row, axis=0) for row in means], axis=0))
    return np.stack(fitted, axis=-1)


def rows_at_loss(rows: np.ndarray, losses: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Rows (draws,) at which each interpolated curve first reaches `target` (draws,); `losses` (draws, n) falling.

    Linear in log rows. 0 where the fewest rows reach it already, infinity where the most do not.
    """
    logs, answer = np.log(rows), np.full(len(target), np.inf)
    for draw, (curve, level) in enumerate(zip(losses, target, strict=True)):
        reached = np.flatnonzero(curve <= level)
        if not len(reached):
            continue
        at = reached[0]
        if at == 0:
            answer[draw] = rows[0] if curve[0] == level else 0
            continue
        share = (curve[at - 1] - level) / (curve[at - 1] - curve[at])
        answer[draw] = np.exp(logs[at - 1] + share * (logs[at] - logs[at - 1]))
    return answer


def censored_record(value: float, draws: np.ndarray, rows: np.ndarray, confidence: float, factor: float = 1) -> dict:
    """{"value", "interval", "censored"} over `factor`; null with "below" or "above" where the curve's rows end."""
    tail = (1 - confidence) / 2
    ends = [float(end) for end in np.quantile(draws, [tail, 1 - tail], method="inverted_cdf")]
    shown = [None if not 0 < end < np.inf else end / factor for end in (value, *ends)]
    censored = None if shown[0] is not None else ("below" if value == 0 else "above")
    limits = {"rows_min": float(rows.min()) / factor, "rows_max": float(rows.max()) / factor}
    return {"value": shown[0], "interval": shown[1:], "censored": censored, **limits}


# ---------------------------------------------------------------------------------------------------------------------
# Repetition


def repetition(rows, epochs, losses, tiers, subsets, confidence: float = 0.95) -> dict:
    """R* of the effective-rows form, where some subset was trained for two numbers of epochs; all inputs (n,)."""
    result = {"value": None, "interval": [None, None], "identified": False, "why": None}
    repeated = [name for name in sorted(set(subsets)) if len(set(epochs[subsets == name])) > 1]
    degrees = len(rows) - 3 - len(set(tiers))
    if not repeated:
        return {**result, "why": "no subset was trained for two numbers of epochs"}
    if degrees < 1:
        return {**result, "why": f"{len(rows)} arms for {3 + len(set(tiers))} parameters"}
    counted = [effective_rows(rows, epochs, constant) for constant in REPETITION_CONSTANTS]
    profile = np.array([fit_shared(number, losses, tiers)["rss"] for number in counted])
    grid = np.log(REPETITION_CONSTANTS)
    ends = profile_interval(grid, profile, degrees, confidence)
    result["interval"] = [None if end is None else float(np.exp(end)) for end in ends]
    result["value"] = float(REPETITION_CONSTANTS[int(np.argmin(profile))])
    why = "repetitions from worthless to as good as fresh rows fit as well" if None in ends else None
    return {**result, "identified": None not in ends, "why": why, "repeated": repeated}
