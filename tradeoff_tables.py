"""Tables of dose and response, curves, the exchange rate, cost, and what the score is worth.

Reads  the analysis (verdict.json's content); `analyze_results.py` calls it.
"""

from report_tables import (
    METRIC_NAMES,
    NONE,
    interval_words,
    p_words,
    show,
    show_count,
    show_interval,
    show_p,
    show_seconds,
    speed_words,
    table_note,
)
from training_configs import ALL_EXPERIMENTS, SCORE_KEYS, split_seed


def make_tables(analysis: dict) -> list[dict]:
    """Every table that has rows, as report_tables.make_tables gives them."""
    tables = [dose_table(analysis), exchange_table(analysis), curve_table(analysis), correlation_table(analysis)]
    tables += [budget_table(analysis), cost_table(analysis), efficiency_table(analysis)]
    tables += [band_table(analysis), dimension_table(analysis)]
    return [table for table in tables if table["cells"]]


def show_number(value: float | None, interval: list | None = None) -> str:
    """Three digits, such as 9.52 [4.1, 20.3]; an end that is not known is a dash."""
    if value is None:
        return NONE
    ends = [NONE if end is None else f"{end:.3g}" for end in interval or []]
    return f"{value:.3g}" + (f" [{', '.join(ends)}]" if set(ends) - {NONE} else "")


def show_rows(value: float | None, interval: list | None = None) -> str:
    if value is None:
        return NONE
    ends = "" if not interval else f" [{', '.join(show_count(end) for end in interval)}]"
    return f"{show_count(value)}{ends}"


def show_gain(metric: str, value: float | None, interval: list | None = None) -> str:
    ends = f" {show_interval(metric, *interval, difference=True)}" if interval else ""
    return f"{show(metric, value, difference=True)}{ends}"


def show_hours(hours: float | None) -> str:
    return NONE if hours is None else show_seconds(hours * 3600)


def table(analysis: dict, name: str, title: str, note: str, headings: list[str], rows: list[tuple]) -> dict:
    """`rows`: (size, cells, record); each record is given its size and scale."""
    records = [{"size": size, **record, "scale": analysis["sizes"][size]["scale_label"]} for size, _, record in rows]
    return {
        "name": name, "title": title, "note": table_note(analysis, note), "headings": headings,
        "cells": [cells for _, cells, _ in rows], "records": records,
    }  # fmt: skip


def ends_of(interval: list | None) -> dict:
    return dict(zip(("low", "high"), interval or (None, None), strict=True))


# ---------------------------------------------------------------------------------------------------------------------
# Dose and response, the trade


def dose_table(analysis: dict) -> dict:
    rows = []
    for size, summary in analysis["sizes"].items():
        for series in summary["dose_response"]:
            metric, trend = series["metric"], series["trend"]
            shown = show_gain(metric, trend["slope"], trend["interval"])
            rows.append((
                size, [f"{size}, {METRIC_NAMES[metric]}", " < ".join(series["arms"]), shown, show_p(trend["p"])],
                {"metric": metric, "arms": " ".join(series["arms"]), "slope": trend["slope"], "p": trend["p"],
                 **ends_of(trend["interval"])},
            ))  # fmt: skip
    note = (
        "Arms of one number of rows in the order of their scores, the worst first; trend: by how much each step is "
        f"better than the one before, in a straight line through all. {interval_words(analysis)}"
    )
    return table(analysis, "dose_response", "Does a higher score help, step by step?", note,
                 ["", "arms", "trend", "p"], rows)  # fmt: skip


def exchange_rows(metric: str, summary: dict) -> list[tuple[str, str, dict]]:
    """(quantity, value in words, its record) for one metric of one size: fitted, then interpolated."""
    content, rows = summary["tradeoff"][metric], []
    kappa = {**content["kappa"], "remark": exponent_remark(content)}
    found = {"κ: random rows that one ultra row is worth": (kappa, show_number)}
    if content["epochs_differ"] and kappa.get("rows_counted_once"):
        found["κ where more passes count as nothing"] = (kappa["rows_counted_once"], show_number)
    if kappa.get("rows_counted_by_own_R_star"):
        found["κ where passes count by the R* of these arms"] = (kappa["rows_counted_by_own_R_star"], show_number)
    found |= {f"rows of {tier} that reach the claim": (part, show_rows) for tier, part in content["n80"].items()}
    worth = {**summary["repetition"][metric], "remark": repetition_remark(summary["repetition"][metric], content)}
    found["R*: passes until repeating wears off"] = (worth, show_number)
    for quantity, (part, words) in found.items():
        shown = words(part["value"], part["interval"]) if part["identified"] else "not identified"
        rows.append((quantity, shown, part))
    plain = content["nonparametric"]
    for part in plain["kappa"]:
        rows.append((f"κ at {part['rows']:,} ultra rows, interpolated", censored_words(part, show_number), part))
    for tier, part in plain["n80"].items():
        rows.append((f"rows of {tier} that reach the claim, interpolated", censored_words(part, show_rows), part))
    return rows


def exponent_remark(content: dict) -> str | None:
    """Said beside kappa where one number cannot hold it."""
    p = content["shared_exponent_test"]["p"]
    if p is None or p >= 0.05 or not content["kappa"]["identified"]:
        return None
    return (
        f"one exponent for both tiers is rejected (p {p_words(p)}): it differs with the rows, see the interpolated ones"
    )


def repetition_remark(worth: dict, content: dict) -> str | None:
    """Said beside R* where the arms do not agree with the one that rows are counted by."""
    low, high = worth["interval"]
    if not (worth["identified"] and content["epochs_differ"]) or low <= content["R_star"] <= high:
        return None
    return f"the {content['R_star']:g} that rows are counted by lies outside"


def censored_words(part: dict, words) -> str:
    """A value read off between arms, or which way it lies beyond them."""
    if part["censored"] == "alike":
        return "not told apart"
    if part["censored"]:
        edge = part["rows_min"] if part["censored"] == "below" else part["rows_max"]
        return f"{'under' if part['censored'] == 'below' else 'over'} {words(edge)}"
    return words(part["value"], part["interval"])


def settle_words(names: list[str]) -> str:
    """The runs that would settle it; whether the study plans them, or they have to be added to its settings."""
    planned = [name for name in names if split_seed(name)[0] in ALL_EXPERIMENTS]
    other = [name for name in names if name not in planned]
    parts = [f"runs that would settle it: {', '.join(planned)}"] if planned else []
    parts += [f"to be added to training_configs.py and run: {', '.join(other)}"] if other else []
    return "; ".join(parts)


def exchange_table(analysis: dict) -> dict:
    """Kappa, N80 and R*, fitted and interpolated, or why they cannot be told and which runs would settle it."""
    rows = []
    for size, summary in analysis["sizes"].items():
        for metric in METRIC_NAMES:
            for quantity, shown, part in exchange_rows(metric, summary):
                add = part.get("runs_to_add") or []
                why = "; ".join(filter(None, [part.get("why"), part.get("remark"), add and settle_words(add)])) or NONE
                record = {"metric": metric, "quantity": quantity, "value": part["value"], **ends_of(part["interval"])}
                record |= {"identified": part.get("identified"), "why": part.get("why"), "runs_to_add": " ".join(add)}
                rows.append((size, [f"{size}, {METRIC_NAMES[metric]}", quantity, shown, why], record))
    note = (
        "From one curve per tier, L = E + A N^-alpha in the rows N, with E and alpha shared; interpolated: straight "
        "lines between the arms, over log rows, instead. Intervals of the fit: by how much arms, each the mean of its "
        "seeds, scatter around it; of the interpolation: over test examples and, where known, seeds. Not identified: "
        "the arms there are fit any value about as well"
    )
    parts = [part for summary in analysis["sizes"].values() for part in summary["tradeoff"].values()]
    if counted := [part for part in parts if part["epochs_differ"]]:
        times = "/".join(map(str, sorted({part["passes"] for part in counted})))
        note += (
            f". Arms differ in passes over their rows: N counts rows as if read {times} times, as ultra's are, where "
            f"more passes are worth what Muennighoff et al. (2023) found (R* {counted[0]['R_star']})"
        )
    headings = ["", "quantity", "value", "remark"]
    return table(analysis, "exchange_rate", "What one good row is worth in random rows", note, headings, rows)


def best_form(part: dict) -> str | None:
    """The form with the lowest AICc; null where no form has one."""
    known = {name: value for name, value in (part["aicc"] or {}).items() if value is not None}
    return min(known, key=known.get) if known else None


def curve_table(analysis: dict) -> dict:
    rows = []
    for size, summary in analysis["sizes"].items():
        for metric, part in summary["tradeoff"].items():
            if part["alpha"] is None:
                continue
            test, forms = part["shared_exponent_test"], part["aicc"]
            best = (best_form(part) or "too few arms to tell").replace("_", " ")
            interval = part["alpha_interval"]
            floor = "not identified" if interval[0] is None else show_number(part["E"])
            shown = [floor, show_number(part["alpha"], interval), show_number(part["residual_sd"])]
            cells = [f"{size}, {METRIC_NAMES[metric]}", f"{len(part['arms'])}", *shown, show_p(test["p"]), best]
            record = {"metric": metric, "arms": " ".join(part["arms"]), "E": part["E"], "alpha": part["alpha"]}
            record |= {"alpha_low": interval[0], "alpha_high": interval[1], "residual_sd": part["residual_sd"]}
            record |= {"exponent_p": test["p"], **{f"aicc_{name}": value for name, value in forms.items()}}
            rows.append((size, cells, record))
    note = (
        "The curves of ultra and random rows. E: the loss that no number of rows gets under, not identified where an "
        "alpha near 0 fits about as well; alpha: how fast rows tell; scatter: standard deviation of the arms around "
        "their curve; p: of one alpha for both tiers against one each (F test). Best form: by AICc among one exponent, "
        "one per tier, one curve for all rows alike, a constant"
    )
    headings = ["", "arms", "E", "alpha", "scatter", "p of one alpha", "best form"]
    return table(analysis, "curves", "The curves behind it", note, headings, rows)


def correlation_table(analysis: dict) -> dict:
    rows = []
    for size, summary in analysis["sizes"].items():
        for metric, part in summary["rank_correlation"].items():
            value = show_number(part["value"], part["interval"]) if part["value"] is not None else "not identified"
            remark = part["why"] or f"over {', '.join(part['tiers'])}"
            record = {"metric": metric, "value": part["value"], "n": part["n"], "why": part["why"]}
            record |= ends_of(part["interval"]) | {"tiers": " ".join(part["tiers"])}
            rows.append((size, [f"{size}, {METRIC_NAMES[metric]}", value, f"{part['n']}", remark], record))
    note = (
        "Spearman's rank correlation of a tier's mean score with the rows that it needs for one and the same loss, "
        "read off the curves: negative where quality saves rows. n: tiers it rests on; they share rows and one curve, "
        "so the interval is a rough one"
    )
    title = "Do better tiers need fewer rows?"
    return table(analysis, "rank_correlation", title, note, ["", "ρ", "n", "remark"], rows)


# ---------------------------------------------------------------------------------------------------------------------
# Cost


def budget_table(analysis: dict) -> dict:
    rows = []
    for size, summary in analysis["sizes"].items():
        for metric, steps in summary["cost_frontier"].items():
            for step in steps:
                cells = [f"{size}, {METRIC_NAMES[metric]}", show_hours(step["from_hours"]), step["run"],
                         show(metric, step["value"])]  # fmt: skip
                rows.append((size, cells, {"metric": metric, **step}))
    note = (
        "From so much time on, the best arm by its measured value; neighbours may differ by less than their intervals"
    )
    return table(analysis, "budget", "The best arm for a budget", note, ["", "from", "arm", "value"], rows)


def cost_table(analysis: dict) -> dict:
    rows = []
    for size, summary in analysis["sizes"].items():
        for item in summary["cost"]:
            best = ", ".join(METRIC_NAMES[metric] for metric in item["on_frontier"]) or NONE
            times = [show_hours(item[key]) for key in ("total_hours", "filter_hours")]
            shown = [show(metric, item.get(metric)) for metric in METRIC_NAMES]
            counts = [show_count(item["tokens"]), show_count(item["rows"])]
            cells = [item["run"], item["device"], *times, *counts, *shown, best]
            keys = ["run", "device", "total_hours", "filter_hours", "tokens", "rows", *METRIC_NAMES]
            rows.append(
                (size, cells, {key: item.get(key) for key in keys} | {"on_frontier": " ".join(item["on_frontier"])})
            )
    note = (
        "Time of training on the device, and of filtering the whole pool (reading, deduplicating, scoring) on a CPU "
        "for arms that need a score. Best for its cost: no cheaper arm does as well in that metric"
    )
    uneven = [f"{size}: {words}" for size, summary in analysis["sizes"].items() if (words := speed_words(summary))]
    note += f". Other jobs shared the machine, it seems: {'; '.join(uneven)}" if uneven else ""
    headings = ["arm", "device", "time", "of it filtering", "tokens", "rows", "bits per byte ↓", "tasks ↑"]
    return table(analysis, "cost", "What it costs", note, [*headings, "best for its cost"], rows)


PER = {"per_hour": "hour", "per_million_tokens": "million tokens", "per_thousand_rows": "thousand rows"}


def efficiency_table(analysis: dict) -> dict:
    rows = []
    for size, summary in analysis["sizes"].items():
        for item in summary["cost"]:
            gains = {(metric, key): item[key].get(metric) for metric in METRIC_NAMES for key in PER}
            if any(value is not None for value in gains.values()):
                shown = [show(metric, value, difference=True) for (metric, _), value in gains.items()]
                record = {f"{metric}_{key}": value for (metric, key), value in gains.items()}
                rows.append((size, [item["run"], *shown], {"run": item["run"], **record}))
    note = "Gain over the anchor, which itself has none, divided by hours (filtering included), tokens and rows"
    headings = ["arm", *[f"{short} per {unit}" for short in ("bits", "tasks") for unit in PER.values()]]
    return table(analysis, "efficiency", "Gain for its cost", note, headings, rows)


# ---------------------------------------------------------------------------------------------------------------------
# What the score is worth


def band_table(analysis: dict) -> dict:
    """The gain of arms trained on disjoint bands of score, both metrics in a row."""
    rows = []
    for size, summary in analysis["sizes"].items():
        bands = {}
        for record in summary["score_usefulness"]["bands"]:
            bands.setdefault(record["arm"], {})[record["metric"]] = record
        for arm, records in bands.items():
            shown = [show_gain(metric, records[metric]["gain"], records[metric]["interval"]) if metric in records
                     else NONE for metric in METRIC_NAMES]  # fmt: skip
            score = next(iter(records.values()))["score"]
            record = {"arm": arm, "score": score}
            for metric, part in records.items():
                record[metric] = part["gain"]
                record |= {f"{metric}_{key}": end for key, end in ends_of(part["interval"]).items()}
            rows.append((size, [f"{arm}_{size}", show_number(score), *shown], record))
    note = f"Gain over the anchor of as many rows from each band of scores, the worst first. {interval_words(analysis)}"
    headings = ["trained on", "mean score", "gain, bits per byte", "gain, tasks"]
    return table(analysis, "score_bands", "Gain by the score of the training rows", note, headings, rows)


def dimension_table(analysis: dict) -> dict:
    """Each part of the score: does it order arms of one size by their gain, and on which test rows does ultra gain?"""
    rows = []
    for size, summary in analysis["sizes"].items():
        drops = {}
        for record in summary["score_usefulness"]["drop_one"]:
            if record["p"] is not None:
                drops.setdefault(record["dimension"], []).append(
                    f"{METRIC_NAMES[record['metric']]} {show_gain(record['metric'], -record['difference'])}"
                )
        for name in SCORE_KEYS:
            part = summary["score_usefulness"]["dimensions"][name]
            ranks = part["rank_correlation"]
            if all(rank["value"] is None for rank in ranks.values()) and not part["test_bands"]:
                continue
            bands = part["test_bands"]
            ends = [show_gain("bits_per_byte", band["gain"], band["interval"]) for band in (*bands[:1], *bands[-1:])]
            shown = [show_number(ranks[metric]["value"], ranks[metric]["interval"]) for metric in METRIC_NAMES]
            shown += [f"{ranks['bits_per_byte']['n']}", *(ends or [NONE, NONE])]
            cells = [f"{size}, {name.replace('_', ' ')}", *shown, "; ".join(drops.get(name, [])) or NONE]
            record = {"dimension": name, "arms": ranks["bits_per_byte"]["n"]}
            record |= {f"rank_correlation_{metric}": ranks[metric]["value"] for metric in METRIC_NAMES}
            record |= {f"gain_test_band_{band['band']}": band["gain"] for band in bands}
            rows.append((size, cells, record))
    of = next((part["test_bands_of"] for summary in analysis["sizes"].values()
               for part in summary["score_usefulness"]["dimensions"].values() if part["test_bands"]), None)  # fmt: skip
    note = (
        "ρ: rank correlation, over arms of ultra's number of rows and passes, of their rows' mean score with their "
        "result; n: those arms, few and overlapping. "
        + (f"Test rows: advantage of {of[0]} over {of[1]} in bits per byte on the fifth of held-out rows that scores "
           "lowest and highest. " if of else "")
        + "Dropped: how much better ultra is than rows picked without that part of the score, where such an arm was run"
    )  # fmt: skip
    headings = [
        "",
        "ρ with bits per byte gain",
        "ρ with tasks",
        "n",
        "lowest test rows",
        "highest test rows",
        "dropped",
    ]
    title = "Which part of the score predicts usefulness?"
    return table(analysis, "score_dimensions", title, note, headings, rows)
