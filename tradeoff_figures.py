"""Figures of dose and response, the Pareto frontier of cost, and the tier curves, where their numbers were computed.

Reads  the analysis (verdict.json's content); every key is optional.
Writes <output>/figures/*.png and *.svg, drawn as those of report_figures.py. `analyze_results.py` calls it.
"""

from pathlib import Path

import numpy as np

from report_figures import (
    COLUMN_WIDTH,
    METRIC_LABELS,
    RULES,
    STYLE,
    plain_log_ticks,
    put_note,
    save,
    scale_note,
    short_count,
)
from report_tables import METRIC_NAMES, show_p

TIERS = {"ultra": "top", "top": "top", "random": "random"}


def draw_figures(analysis: dict, folder: Path) -> list[dict]:
    """Every figure that there is data for, as report_figures.draw_figures gives them."""
    import matplotlib

    matplotlib.use("Agg")
    figures = []
    with matplotlib.rc_context(STYLE):
        for size, summary in analysis["sizes"].items():
            note = scale_note(analysis, size)
            records = {run["experiment"]: run for run in analysis["runs"] if run["size"] == size}
            figures.append(draw_doses(summary.get("dose_response") or [], size, note, folder))
            figures.append(draw_pareto(summary.get("cost") or [], records, size, note, folder))
            figures.append(draw_curves(summary.get("tradeoff") or {}, size, note, folder))
    return [figure for figure in figures if figure]


def panels(count: int, height: float = 1.9, **settings):
    """Panels of a column's width below one another; returns the figure and its axes as a list."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(count, 1, figsize=(COLUMN_WIDTH, 0.35 + height * count), squeeze=False, **settings)
    return figure, list(axes[:, 0])


def factor_of(metric: str) -> int:
    return 100 if metric == "task_completion" else 1


def draw_doses(series: list[dict], size: str, note: str, folder: Path) -> dict | None:
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
        axis.set_title(METRIC_LABELS[part["metric"]], loc="left")
        up = value[-1] < value[0]  # the corner that the line leaves free
        axis.text(0.98, 0.95 if up else 0.05, f"trend: p {p_words(part['trend']['p'])}", transform=axis.transAxes,
                  ha="right", va="top" if up else "bottom", fontsize=7)  # fmt: skip
    put_note(figure, note)
    alt = "; ".join(
        f"{METRIC_NAMES[part['metric']]}: "
        + ", ".join(f"{item['arm']} {item['value'] * factor_of(part['metric']):.3g}" for item in part["values"])
        for part in series
    )
    return save(
        figure, folder, f"dose_response_{size}", f"Dose and response, {size}",
        f"{note}. Arms of one number of rows, from the lowest-scored on the left to the highest. Bars: 95% "
        "intervals.", alt,
    )  # fmt: skip


def p_words(p: float | None) -> str:
    shown = show_p(p)
    return shown if shown.startswith("<") else f"= {shown}"


def draw_pareto(cost: list[dict], records: dict, size: str, note: str, folder: Path) -> dict | None:
    """Each metric against hours, scoring included, with the frontier as a stair."""
    metrics = [metric for metric in METRIC_LABELS if sum(usable(item, metric) for item in cost) > 1]
    if not metrics:
        return None
    figure, axes = panels(len(metrics), sharex=True, height=2.1)
    for axis, metric in zip(axes, metrics, strict=True):
        draw_pareto_panel(axis, [item for item in cost if usable(item, metric)], records, metric)
    axes[-1].set_xlabel("hours of training and scoring")
    shown = [axis.get_legend_handles_labels() for axis in axes]
    by_label = {label: handle for handles, labels in shown for handle, label in zip(handles, labels, strict=True)}
    figure.legend(by_label.values(), by_label.keys(), loc="outside lower center", ncols=2, frameon=False, fontsize=6.5)
    put_note(figure, note)
    best = "; ".join(
        f"{METRIC_NAMES[metric]}: {', '.join(item['run'] for item in cost if on_frontier(item, metric))}"
        for metric in metrics
    )
    return save(
        figure, folder, f"pareto_{size}", f"Performance against cost, {size}",
        f"{note}. Named, on the line: the best run for its cost. Bars: 95% intervals over examples.",
        f"Best for their cost, cheapest first: {best}",
    )  # fmt: skip


def usable(item: dict, metric: str) -> bool:
    return item.get(metric) is not None and hours_of(item) > 0


def hours_of(item: dict) -> float:
    return item.get("total_hours", item["gpu_hours"]) or 0


def on_frontier(item: dict, metric: str) -> bool:
    return item["on_frontier"] is True or metric in (item["on_frontier"] or [])


def draw_pareto_panel(axis, items: list[dict], records: dict, metric: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    factor = factor_of(metric)
    for item in items:
        run = records.get(item["run"])
        style = RULES[run["rule"] if run and run["rule"] in RULES else None]
        shown = run["metrics"].get(metric) if run else None
        value = item[metric] * factor
        reach = [[value - shown["low"] * factor], [shown["high"] * factor - value]] if shown else None
        axis.errorbar(hours_of(item), value, yerr=reach and np.maximum(0, reach), color=style["color"],
                      marker=style["marker"], markersize=4, capsize=1.5, elinewidth=0.8,
                      linestyle="", label=style["label"])  # fmt: skip
    best = sorted((item for item in items if on_frontier(item, metric)), key=hours_of)
    axis.step([hours_of(item) for item in best], [item[metric] * factor for item in best], where="post",
              color="#333333", linewidth=0.8, linestyle="--", zorder=0)  # fmt: skip
    down = metric == "bits_per_byte"
    middle = np.sqrt(max(map(hours_of, items)) * min(map(hours_of, items)))
    for item in best:
        right = hours_of(item) > middle
        name = records[item["run"]]["arm"] if item["run"] in records else item["run"]
        axis.annotate(name, (hours_of(item), item[metric] * factor), xytext=(-3 if right else 3, -9 if down else 5),
                      textcoords="offset points", fontsize=6.5, ha="right" if right else "left")  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(x=0.18, y=0.14)
    axis.set_title(METRIC_LABELS[metric], loc="left")


def draw_curves(tradeoff: dict, size: str, note: str, folder: Path) -> dict | None:
    """The tiers' points against rows with the fitted curves, where E, alpha and the tiers' A are known."""
    fitted = {
        metric: part for metric, part in tradeoff.items() if any(points_of(tier) for tier in part["tiers"].values())
    }
    if not fitted:
        return None
    figure, axes = panels(len(fitted), height=2.0)
    for axis, (metric, part) in zip(axes, fitted.items(), strict=True):
        draw_curve_panel(axis, part, metric)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    put_note(figure, note)
    return save(
        figure, folder, f"tradeoff_{size}", f"Tier curves, {size}",
        f"{note}. Lines: L = E + A N^-alpha with shared E and alpha, within the rows there are; "
        "tiers side by side. Bars: 95% intervals.",
        "; ".join(f"{METRIC_NAMES[metric]}: {kappa_words(part.get('kappa'))}" for metric, part in fitted.items()),
    )  # fmt: skip


def points_of(tier: dict) -> list[dict]:
    return [point for point in tier.get("points") or [] if point["rows"]]


def draw_curve_panel(axis, part: dict, metric: str) -> None:
    factor, every = factor_of(metric), []
    for number, (name, tier) in enumerate(part["tiers"].items()):
        points = sorted(points_of(tier), key=lambda point: point["rows"])
        if not points:
            continue
        style = RULES[TIERS.get(name, name) if TIERS.get(name, name) in RULES else None]
        rows, value = (np.array([point[key] for point in points], dtype=float) for key in ("rows", "value"))
        low, high = np.array([point["interval"] for point in points], dtype=float).T
        every += list(rows)
        axis.errorbar(rows * 1.08**number, value * factor, yerr=np.maximum(0, [value - low, high - value]) * factor,
                      linestyle="", color=style["color"], marker=style["marker"], markersize=4,
            capsize=2, label=name)  # fmt: skip
        known = [part.get("E"), part.get("alpha"), tier.get("A")]
        if metric == "bits_per_byte" and None not in known:
            at = np.geomspace(rows.min(), rows.max(), 60)
            axis.plot(at, known[0] + known[2] * at ** -known[1], color=style["color"], linewidth=1)
    axis.set_xscale("log")
    plain_log_ticks(axis, every)
    axis.set_xlabel(f"training rows, {short_count(min(every))} to {short_count(max(every))}")
    axis.set_title(METRIC_LABELS[metric], loc="left")


def kappa_words(kappa: dict | None) -> str:
    if not kappa or not kappa["identified"]:
        return f"exchange rate not identified{': ' + kappa['why'] if kappa and kappa.get('why') else ''}"
    return f"one ultra row is worth {kappa['value']:.3g} random ones"
