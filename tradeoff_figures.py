"""Figures of dose and response, the Pareto frontier of cost, and the tier curves, where their numbers were computed.

Reads  the analysis (verdict.json's content).
Writes <output>/figures/*.png and *.svg, drawn as those of report_figures.py. `analyze_results.py` calls it.
"""

from pathlib import Path

import numpy as np

from report_figures import (
    COLUMN_WIDTH,
    METRIC_LABELS,
    RULES,
    STYLE,
    factor_of,
    legend_below,
    plain_log_ticks,
    put_note,
    rule_of,
    save,
    scale_note,
)
from report_tables import METRIC_NAMES, arm_records, interval_words, p_words
from tradeoff_tables import best_form

CURVES = {"ultra": "top", "random": "random"}  # the tiers with a curve, and how they are drawn
APART = {"ultra": 0.97, "random": 1.03}  # so that points of equal rows do not hide each other
CURVE_POINTS = 60
SERIES = {"tiers_100k": "Low, random and high scores", "bands": "Bands of score"}


def draw_figures(analysis: dict, folder: Path) -> list[dict]:
    """Every figure that there is data for, as report_figures.draw_figures gives them."""
    import matplotlib

    matplotlib.use("Agg")
    figures = []
    with matplotlib.rc_context(STYLE):
        for size, summary in analysis["sizes"].items():
            note, bars = scale_note(analysis, size), interval_words(analysis)
            records = {run["arm"]: run for run in arm_records(analysis, size)}
            figures.append(draw_equal_rows(records, analysis["config"]["claim"]["ultra"], size, note, bars, folder))
            for name in SERIES:
                series = [part for part in summary["dose_response"] if part["name"] == name]
                figures.append(draw_doses(name, series, size, note, bars, folder))
            figures.append(draw_pareto(summary["cost"], records, size, note, bars, folder))
            figures.append(draw_curves(summary["tradeoff"], size, note, bars, folder))
    return [figure for figure in figures if figure]


def panels(count: int, height: float = 1.9, **settings):
    """Panels of a column's width below one another; returns the figure and its axes as a list."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(count, 1, figsize=(COLUMN_WIDTH, 0.35 + height * count), squeeze=False, **settings)
    return figure, list(axes[:, 0])


def draw_equal_rows(records: dict, ultra: str, size: str, note: str, bars: str, folder: Path) -> dict | None:
    """Every arm with ultra's number of rows, an arm a line, the metrics side by side, ultra's value marked through."""
    import matplotlib.pyplot as plt

    rows = records[ultra]["rows"] if ultra in records else None
    runs = [run for run in records.values() if run["rows"] and run["rows"] == rows]
    metrics = [metric for metric in METRIC_LABELS if metric in records.get(ultra, {"metrics": {}})["metrics"]]
    if len(runs) < 2 or not metrics:
        return None
    runs.sort(key=lambda run: (run["arm"] != ultra, list(RULES).index(rule_of(run))))
    height = 0.75 + 0.17 * len(runs)
    figure, axes = plt.subplots(1, len(metrics), figsize=(COLUMN_WIDTH, height), squeeze=False, sharey=True)
    for axis, metric in zip(axes[0], metrics, strict=True):
        draw_equal_panel(axis, runs, metric)
    axes[0][0].set_yticks(range(len(runs)), [run["arm"] for run in runs], fontsize=6.5)
    axes[0][0].set_ylim(len(runs) - 0.5, -0.5)
    put_note(figure, note)
    alt = "; ".join(
        f"{METRIC_NAMES[metric]}: "
        + ", ".join(f"{run['arm']} {run['metrics'][metric]['value'] * factor_of(metric):.3g}" for run in runs
                    if metric in run["metrics"]) for metric in metrics
    )  # fmt: skip
    return save(
        figure, folder, f"equal_rows_{size}", f"As many rows as {ultra}, picked otherwise, {size}",
        f"{note}. Arms of {rows:,} rows; the line through marks {ultra}. Bars: {bars}; of two bars that overlap the "
        "arms may still differ, since both took the same test: the table has the paired differences.", alt,
    )  # fmt: skip


SHORT_LABELS = {
    "bits_per_byte": "bits per byte\n(lower is better)",
    "task_completion": "task completion, %\n(higher is better)",
}


def draw_equal_panel(axis, runs: list[dict], metric: str) -> None:
    for place, run in enumerate(runs):
        if metric not in run["metrics"]:
            continue
        style = RULES[rule_of(run)]
        value, low, high = (run["metrics"][metric][key] * factor_of(metric) for key in ("value", "low", "high"))
        if place == 0:
            axis.axvline(value, color=style["color"], linewidth=0.8, linestyle=(0, (4, 2)))
        axis.errorbar(value, place, xerr=np.maximum(0, [[value - low], [high - value]]), color=style["color"],
                      marker=style["marker"], markersize=4, capsize=1.5, elinewidth=0.9)  # fmt: skip
    axis.set_xlabel(SHORT_LABELS[metric], fontsize=7)


def draw_doses(name: str, series: list[dict], size: str, note: str, bars: str, folder: Path) -> dict | None:
    """Each series of arms of one number of rows, from the lowest-scored to the highest, with the trend's p."""
    if not series:
        return None
    figure, axes = panels(len(series))
    for axis, part in zip(axes, series, strict=True):
        factor = factor_of(part["metric"])
        value, low, high = (
            np.array([item[key] for item in part["values"]]) * factor for key in ("value", "low", "high")
        )
        place = np.arange(len(value))
        axis.errorbar(place, value, yerr=np.maximum(0, [value - low, high - value]), color="#0072B2", marker="o",
                      markersize=4, capsize=2)  # fmt: skip
        labels = [arm.replace("_", "\n", 1) for arm in part["arms"]]
        axis.set_xticks(place, labels, fontsize=6.5)
        axis.set_xlim(-0.4, len(value) - 0.6)
        title = f"{SERIES[name]}, trend: p {p_words(part['trend']['p'])}"
        axis.set_title(f"{title}\n{METRIC_LABELS[part['metric']]}", loc="left", fontsize=7.5)
    put_note(figure, note)
    alt = "; ".join(
        f"{METRIC_NAMES[part['metric']]}: "
        + ", ".join(f"{item['arm']} {item['value'] * factor_of(part['metric']):.3g}" for item in part["values"])
        for part in series
    )
    return save(
        figure, folder, f"dose_response_{name}_{size}", f"{SERIES[name]}, {size}",
        f"{note}. Arms of one number of rows, from the lowest-scored on the left to the highest. Bars: {bars}.", alt,
    )  # fmt: skip


def draw_pareto(cost: list[dict], records: dict, size: str, note: str, bars: str, folder: Path) -> dict | None:
    """Each metric against hours, scoring included, with the frontier as a stair."""
    metrics = [metric for metric in METRIC_LABELS if sum(usable(item, metric) for item in cost) > 1]
    if not metrics:
        return None
    figure, axes = panels(len(metrics), sharex=True, height=2.1)
    for axis, metric in zip(axes, metrics, strict=True):
        draw_pareto_panel(axis, [item for item in cost if usable(item, metric)], records, metric)
    axes[-1].set_xlabel("hours of training and filtering")
    legend_below(figure, axes)
    put_note(figure, note)
    best = {metric: [item["arm"] for item in frontier_of(cost, metric)] for metric in metrics}
    keys = "; ".join(
        f"{METRIC_NAMES[metric]}: {', '.join(f'{place} {arm}' for place, arm in enumerate(arms, start=1))}"
        for metric, arms in best.items()
    )
    return save(
        figure, folder, f"pareto_{size}", f"Performance against cost, {size}",
        f"{note}. Numbered, on the line, the best arm for its cost ({keys}). Bars: {bars}.",
        f"Best for their cost, cheapest first: {keys}",
    )  # fmt: skip


def usable(item: dict, metric: str) -> bool:
    return item.get(metric) is not None and bool(item["total_hours"])


def frontier_of(cost: list[dict], metric: str) -> list[dict]:
    best = [item for item in cost if metric in item["on_frontier"] and usable(item, metric)]
    return sorted(best, key=lambda item: item["total_hours"])


def draw_pareto_panel(axis, items: list[dict], records: dict, metric: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    factor = factor_of(metric)
    for item in items:
        run = records[item["arm"]]
        style = RULES[rule_of(run)]
        value, low, high = (run["metrics"][metric][key] * factor for key in ("value", "low", "high"))
        axis.errorbar(item["total_hours"], value, yerr=np.maximum(0, [[value - low], [high - value]]), markersize=4,
                      color=style["color"], marker=style["marker"], capsize=1.5, elinewidth=0.8, linestyle="",
                      label=style["label"])  # fmt: skip
    best = frontier_of(items, metric)
    axis.step([item["total_hours"] for item in best], [item[metric] * factor for item in best], where="post",
              color="#333333", linewidth=0.8, linestyle="--", zorder=0)  # fmt: skip
    down = metric == "bits_per_byte"
    beside = False
    for number, item in enumerate(best, start=1):  # on the side that no better arm can be on; arms of like cost apart
        near = 1.8 if beside else 1.2
        beside = number > 1 and item["total_hours"] < near * best[number - 2]["total_hours"]
        axis.annotate(f"{number}", (item["total_hours"], item[metric] * factor), fontsize=7, fontweight="bold",
                      xytext=(5 if beside else -4, -6 if down else 6), textcoords="offset points", va="center",
                      ha="left" if beside else "right")  # fmt: skip
    axis.set_xscale("log")
    hours = [item["total_hours"] for item in items]
    axis.xaxis.set_major_locator(LogLocator(subs=(1,) if max(hours) / min(hours) > 100 else (1, 3)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(x=0.12, y=0.14)
    axis.set_title(METRIC_LABELS[metric], loc="left")


def draw_curves(tradeoff: dict, size: str, note: str, bars: str, folder: Path) -> dict | None:
    """The arms of the two tiers with a curve, the fitted curves, and the level at which the claim holds."""
    shown = {metric: part for metric, part in tradeoff.items() if set(CURVES) & set(part["tiers"])}
    if not shown:
        return None
    figure, axes = panels(len(shown), height=2.2)
    for axis, (metric, part) in zip(axes, shown.items(), strict=True):
        draw_curve_panel(axis, part, metric)
    legend_below(figure, axes[:1], fontsize=STYLE["legend.fontsize"])
    put_note(figure, note)
    return save(
        figure, folder, f"tradeoff_{size}", f"Curves of best-scored and random rows, {size}",
        f"{note}. A point is an arm, the mean of its seeds. Bars: {bars}. Lines: L = E + A N^-alpha in rows N, with E "
        "and alpha shared, as far as there are arms; none where the arms do not identify them. Across: what the claim "
        "asks for.",
        "; ".join(f"{METRIC_NAMES[metric]}: {kappa_words(part['kappa'])}" for metric, part in shown.items()),
    )  # fmt: skip


def draw_curve_panel(axis, part: dict, metric: str) -> None:
    factor, every = factor_of(metric), []
    for name, rule in CURVES.items():
        tier = part["tiers"].get(name, {"points": [], "A": None})
        points = [point for point in tier["points"] if point["used"]]
        if not points:
            continue
        style = RULES[rule]
        rows, value = (np.array([point[key] for point in points], dtype=float) for key in ("counted_rows", "value"))
        low, high = np.array([point["interval"] for point in points], dtype=float).T
        every += list(rows)
        reach = np.maximum(0, [value - low, high - value]) * factor
        axis.errorbar(rows * APART[name], value * factor, yerr=reach, linestyle="", color=style["color"], markersize=4,
                      marker=style["marker"], capsize=2, label=style["label"])  # fmt: skip
        if tier["A"] is not None and tells_something(part):
            at = np.geomspace(rows.min(), rows.max(), CURVE_POINTS)
            loss = part["E"] + tier["A"] * at ** -part["alpha"]
            axis.plot(at, as_written(metric, loss), color=style["color"], linewidth=1)
    if part["target_loss"] is not None:
        axis.axhline(as_written(metric, part["target_loss"]), color="#000000", linewidth=0.9, linestyle=(0, (5, 2)),
                     label="what the claim asks for")  # fmt: skip
    axis.set_xscale("log")
    plain_log_ticks(axis, every)
    axis.set_xlabel(f"training rows, as if read {part['passes']} times" if part["epochs_differ"] else "training rows")
    axis.set_title(METRIC_LABELS[metric], loc="left")


def tells_something(part: dict) -> bool:
    """Whether curves were found, not fitted to noise: with both tiers their exchange rate has an interval; with one a
    constant does not fit as well."""
    return part["kappa"]["identified"] if set(CURVES) <= set(part["tiers"]) else best_form(part) != "constant"


def as_written(metric: str, loss):
    """A loss as the metric is shown: the share that fails becomes per cent that pass."""
    return (1 - loss) * 100 if metric == "task_completion" else loss


def kappa_words(kappa: dict) -> str:
    if not kappa["identified"]:
        return f"exchange rate not identified: {kappa['why']}"
    return f"one ultra row is worth {kappa['value']:.3g} random ones"
