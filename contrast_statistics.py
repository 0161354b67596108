"""Which arms are compared with which, and the dose-response trend; pure, on top of `retention_statistics`.

Reads and writes nothing; `study_analysis.py` calls it. Contrasts come in families, one question each; p-values are
corrected by Holm within a family:

    controls       ultra against as many rows picked otherwise: at random (one draw, the mean of the draws), the
                   longest, of the same sources, of the same lengths
    dose_response  high, random and low at one number of rows
    bands          the best against the worst of disjoint score bands
    tokens         the same rows for more epochs; the tokens of a larger tier from fewer rows
    ablations      every other arm with ultra's number of rows, and fewer of its rows
    sizes          one arm at two model sizes
"""

import re

import numpy as np

DOSES = {"tiers_100k": ["low_100k", "random_100k", "high_100k"]}  # least quality first


def planned_contrasts(arms: dict[str, dict], claim: dict) -> list[dict]:
    """{"family", "name", "a", "b"}: lists of arms whose mean is compared. `arms`: {arm: {"rows", "subset"}} there are.

    Controls and doses stand in the list even where an arm is missing, so that it can be named.
    """
    ultra = claim["ultra"]
    random = next((arm for arm in claim["controls"] if arm.startswith("random")), None)
    draws = sorted(arm for arm in arms if random and re.fullmatch(rf"{random}_d\d+", arm))
    plans = [pair("controls", ultra, control) for control in claim["controls"]]
    plans += [pair("controls", ultra, draw) for draw in draws]
    if draws and random in arms:
        every = [random, *draws]
        plans.append({"family": "controls", "name": f"{ultra} - mean of draws", "a": [ultra], "b": every})
    low, middle, high = DOSES["tiers_100k"]
    plans += [pair("dose_response", high, middle), pair("dose_response", middle, low), pair("dose_response", high, low)]
    bands = band_arms(arms)
    plans += [pair("bands", bands[-1], bands[0])] if len(bands) > 1 else []
    repeats = [arm for arm, facts in arms.items() if facts["subset"] in arms and facts["subset"] != arm]
    plans += [pair("tokens", arm, arms[arm]["subset"]) for arm in repeats]
    plans += [pair("tokens", arm, high) for arm in repeats if arms[arm]["subset"] == ultra]
    plans += [pair("tokens", ultra, high)] if repeats else []
    named = {arm for plan in plans for arm in [*plan["a"], *plan["b"]]} | set(bands)
    tier = ultra.rsplit("_", 1)[0]
    for arm, facts in arms.items():
        same_number = ultra in arms and facts["rows"] == arms[ultra]["rows"] and facts["rows"]
        if arm not in named and (same_number or arm == f"{tier}_5k"):
            plans.append(pair("ablations", arm, ultra))
    return plans


def pair(family: str, a: str, b: str) -> dict:
    return {"family": family, "name": f"{a} - {b}", "a": [a], "b": [b]}


def band_arms(arms) -> list[str]:
    """The arms of disjoint score bands, the worst-scored first (band 1 is the best)."""
    found = {int(match[1]): arm for arm in arms if (match := re.match(r"band(\d+)_", arm))}
    return [found[number] for number in sorted(found, reverse=True)]


def planned_doses(arms: dict[str, dict]) -> dict[str, list[str]]:
    """Series of arms in the order of their quality, the lowest first; only those of which at least three are there."""
    series = {**DOSES, "bands": band_arms(arms)}
    present = {name: [arm for arm in members if arm in arms] for name, members in series.items()}
    return {name: members for name, members in present.items() if len(members) >= 3}


def trend_weights(doses: int) -> np.ndarray:
    """Weights (doses,) of the linear trend over equally spaced doses: their sum is the slope per dose."""
    centred = np.arange(doses) - (doses - 1) / 2
    return centred / np.sum(centred**2)


def contrast_weights(plan: dict, arms: list[str]) -> np.ndarray:
    """Weights (arms,) of a plan's difference: the mean of its first arms less the mean of its second."""
    weights = np.zeros(len(arms))
    for names, sign in ((plan["a"], 1), (plan["b"], -1)):
        for name in names:
            weights[arms.index(name)] += sign / len(names)
    return weights


def shares_of_sums(numerators: np.ndarray, denominators: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Each unit's part in a weighted sum of metrics, (contrasts, units), for the sign-flip test.

    `numerators`, `denominators` (arms, units), `weights` (contrasts, arms).
    """
    return weights @ (numerators / denominators.sum(axis=1, keepdims=True))
