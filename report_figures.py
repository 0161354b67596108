"""Figures of the analysis, each as PNG and SVG, the same bytes from the same inputs.

Reads  the analysis (verdict.json's content), the loaded runs, <results>/scores/ and <results>/subsets/*.json.
Writes <output>/figures/*.png and *.svg; `analyze_results.py` calls it.

Colours are Okabe and Ito's, told apart by the colour-blind; markers and line styles say the same again, for print in
grey. Every point that has an interval shows it. The scale stands on every figure.
"""

import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np

from arrow_files import read_arrow
from common import UserError, read_json
from report_tables import arm_records, capital, interval_words, model_words, show_share
from training_configs import CLAIM, SCORE_KEYS, SCORE_WEIGHTS, SUBSETS

COLUMN_WIDTH = 3.3  # inches: a column of a paper, and the width of a phone
PAGE_WIDTH = 6.9  # inches: two columns of a paper
PIXELS_PER_INCH = 300
STYLE = {
    "font.size": 8, "axes.titlesize": 8.5, "axes.labelsize": 8, "xtick.labelsize": 7.5, "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7,
    "axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.5, "axes.axisbelow": True, "lines.linewidth": 1.3,
    "figure.constrained_layout.use": True, "savefig.facecolor": "white", "svg.hashsalt": "quality-tradeoff",
    "svg.fonttype": "path",
}  # fmt: skip

# How each selection rule is drawn: colour, marker, line, and its words in the legend.
RULES = {
    "top": {"color": "#0072B2", "marker": "o", "line": "-", "label": "best-scored rows"},
    "random": {"color": "#D55E00", "marker": "s", "line": ":", "label": "random rows"},
    "longest": {"color": "#009E73", "marker": "D", "line": "", "label": "longest rows"},
    "source_matched": {"color": "#E69F00", "marker": "^", "line": "", "label": "random, ultra's sources"},
    "length_matched": {"color": "#56B4E9", "marker": "X", "line": "", "label": "random, ultra's lengths"},
    "diverse": {"color": "#0072B2", "marker": "*", "line": "", "label": "high-scored, many topics"},
    "band": {"color": "#555555", "marker": ".", "line": "-", "label": "bands of score"},
    "bottom": {"color": "#CC79A7", "marker": "v", "line": "", "label": "worst-scored rows"},
    None: {"color": "#555555", "marker": "P", "line": "", "label": "other subsets"},
}
LADDER = {"top": 1.0, "random": 1.08, "bottom": 0.93}  # kinds of several numbers of rows; equal ones side by side
ANCHORS = {CLAIM["anchor"]: ("#000000", (0, (5, 2))), CLAIM["base"]: ("#777777", (0, (1, 1.5)))}
METRIC_LABELS = {
    "bits_per_byte": "Held-out loss, bits per byte (lower is better)",
    "task_completion": "Task completion, % (higher is better)",
}
VERDICT_MARKS = {"supported": "✓ supported", "refuted": "✗ refuted", "inconclusive": "? inconclusive"}
DIMENSION_LINES = ["-", "--", "-.", ":"]
DIMENSION_COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]


def draw_figures(analysis: dict, runs: list[dict], results: Path, folder: Path) -> list[dict]:
    """Draw every figure that there is data for; returns {"name", "title", "caption", "alt", "svg"} of each."""
    import matplotlib

    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        figures = [draw_retention(analysis, folder)]
        for size in analysis["sizes"]:
            records = arm_records(analysis, size)
            used = {run["experiment"] for run in records}  # of several seeds, the first
            loaded = [run for run in runs if run["experiment"] in used]
            note = scale_note(analysis, size)
            figures.append(draw_performance(records, size, note, interval_words(analysis), folder))
            figures.append(draw_quality_bands(loaded, size, note, folder))
            figures.append(draw_loss_curves(loaded, size, note, folder))
        figures.append(draw_score_distributions(results, study_note(analysis), folder))
    return [figure for figure in figures if figure]


def scale_note(analysis: dict, size: str) -> str:
    """What stands on a figure of one size: its scale and model, and whether it is only the demo."""
    summary = analysis["sizes"][size]
    parts = [size, summary["scale_label"] or "no trained run", model_words(summary), demo_mark(summary)]
    return " · ".join(part for part in parts if part)


def study_note(analysis: dict) -> str:
    """What stands on a figure of several sizes."""
    demo = [f"size {size}: not the answer" for size, summary in analysis["sizes"].items() if demo_mark(summary)]
    return " · ".join([analysis["scale_label"], *demo])


def demo_mark(summary: dict) -> str:
    return "demo: not the answer" if summary["demo"] else ""


def put_note(figure, note: str) -> None:
    """The scale above the panels, on as many lines as a column needs."""
    figure.suptitle("\n".join(textwrap.wrap(note, 62)), fontsize=6.5, color="#444444")


def save(figure, folder: Path, name: str, title: str, caption: str, alt: str) -> dict:
    """Write PNG and SVG without a date, so that the same data gives the same bytes."""
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box in its place says as much
        figure.savefig(folder / f"{name}.png", dpi=PIXELS_PER_INCH, metadata={"Software": None})
        figure.set_layout_engine("none")  # the layout is done; solving it again would take as long
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)
    return {"name": name, "title": title, "caption": capital(caption), "alt": alt, "svg": folder / f"{name}.svg"}


def legend_below(figure, axes, **settings) -> None:
    """One legend of all panels under them, each label once."""
    shown = [axis.get_legend_handles_labels() for axis in axes]
    by_label = {label: handle for handles, labels in shown for handle, label in zip(handles, labels, strict=True)}
    look = {"loc": "outside lower center", "ncols": 2, "frameon": False, "fontsize": 6.5, **settings}
    figure.legend(by_label.values(), by_label.keys(), **look)


def rule_of(run: dict) -> str | None:
    return run["rule"] if run["rule"] in RULES else None


def factor_of(metric: str) -> int:
    return 100 if metric == "task_completion" else 1


# ---------------------------------------------------------------------------------------------------------------------
# Performance against rows


def draw_performance(records: list[dict], size: str, note: str, bars: str, folder: Path) -> dict | None:
    """Each metric against training rows, one panel per metric, arms with their intervals; `bars` says over what."""
    import matplotlib.pyplot as plt

    records = [run for run in records if on_ladder(run) or run["arm"] in ANCHORS]
    metrics = [metric for metric in METRIC_LABELS if any(metric in run["metrics"] and run["rows"] for run in records)]
    if not metrics:
        return None
    height = 0.9 + 2.0 * len(metrics)
    figure, axes = plt.subplots(len(metrics), 1, figsize=(COLUMN_WIDTH, height), squeeze=False, sharex=True)
    axes = axes[:, 0]
    for axis, metric in zip(axes, metrics, strict=True):
        draw_performance_panel(axis, [run for run in records if metric in run["metrics"]], metric)
    axes[-1].set_xlabel("training rows")
    legend_below(figure, axes, columnspacing=1, handlelength=1.6)
    put_note(figure, note)
    return save(
        figure, folder, f"performance_{size}", f"Performance against training rows, {size}",
        f"{note}. Lines join arms of as many passes over their rows. Bars: {bars}. An open mark reads the same rows in "
        "more passes. Across: the anchor and the untouched model, with their intervals; an arrow says that it lies off "
        "the panel.",
        "; ".join(describe_performance(run) for run in records),
    )  # fmt: skip


def draw_performance_panel(axis, records: list[dict], metric: str) -> None:
    factor = factor_of(metric)
    for rule in LADDER:
        style, points = RULES[rule], [run for run in records if run["rows"] and rule_of(run) == rule]
        for repeated, epochs in sorted({(is_repeated(run), run["epochs"]) for run in points}):
            chosen = [run for run in points if (is_repeated(run), run["epochs"]) == (repeated, epochs)]
            draw_points(axis, chosen, metric, factor, rule, style, repeated)
    axis.set_xscale("log")
    axis.set_title(METRIC_LABELS[metric], loc="left")
    plain_log_ticks(axis, [run["rows"] for run in records if run["rows"]])
    for run in records:
        if run["arm"] in ANCHORS:
            draw_anchor(axis, run, metric, factor)


def draw_anchor(axis, run: dict, metric: str, factor: float) -> None:
    """An anchor as a line across with its interval as a band; one far off the points as a note at the edge."""
    color, dashes = ANCHORS[run["arm"]]
    value, low, high = (run["metrics"][metric][key] * factor for key in ("value", "low", "high"))
    bottom, top = axis.get_ylim()
    if not bottom - 0.3 * (top - bottom) < value < top + 0.3 * (top - bottom):
        above, room = value > top, 0.12 * (top - bottom)
        axis.set_ylim(bottom - (0 if above else room), top + (room if above else 0))
        axis.text(
            0.98, 0.98 if above else 0.02, f"{anchor_label(run['arm'])}: {value:.3g} {'↑' if above else '↓'}",
            transform=axis.transAxes, ha="right", va="top" if above else "bottom", fontsize=7.5, color="#555555",
        )  # fmt: skip
        return
    axis.axhspan(low, high, color=color, alpha=0.1, linewidth=0)
    axis.axhline(value, color=color, linestyle=dashes, linewidth=1, label=anchor_label(run["arm"]))


def draw_points(axis, runs: list[dict], metric: str, factor: float, rule, style: dict, repeated: bool) -> None:
    runs = sorted(runs, key=lambda run: run["rows"])
    x = np.array([run["rows"] for run in runs]) * LADDER[rule] * (1.16 if repeated else 1)
    values, low, high = (
        np.array([run["metrics"][metric][key] for run in runs]) * factor for key in ("value", "low", "high")
    )
    axis.errorbar(
        x, values, yerr=np.maximum(0, [values - low, high - values]), color=style["color"], marker=style["marker"],
        markersize=4.5, linestyle="" if repeated else style["line"], capsize=2, elinewidth=0.9,
        markerfacecolor="white" if repeated else style["color"],
        label="the same rows, more passes" if repeated else style["label"],
    )  # fmt: skip


def on_ladder(run: dict) -> bool:
    """Whether an arm is of a kind that is compared over its number of rows; of several draws the first."""
    return rule_of(run) in LADDER and not SUBSETS.get(run["subset"], {}).get("draw", 0)


def is_repeated(run: dict) -> bool:
    """An arm that reads a subset of another arm's name for longer, such as ultra_10k_x10. Seeds are no arms here."""
    return run["base_arm"] != run["subset"] and run["subset"] in SUBSETS


def anchor_label(arm: str) -> str:
    return "untouched base model" if arm == CLAIM["base"] else f"anchor: {arm}"


def describe_performance(run: dict) -> str:
    parts = []
    for metric, shown in run["metrics"].items():
        factor, digits = (100, 1) if metric == "task_completion" else (1, 3)
        parts.append(f"{metric.replace('_', ' ')} {shown['value'] * factor:.{digits}f}{'%' if factor == 100 else ''}")
    return f"{run['experiment']}, {run['rows']:,} rows: {', '.join(parts) or 'not evaluated'}"


def plain_log_ticks(axis, rows: list[int]) -> None:
    """Ticks of a log axis as 1K, 10K, 1M; at the rows themselves where they are so close that none may be in sight."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

    decades = np.log10(max(rows) / min(rows))
    close = FixedLocator([min(rows), max(rows)] if decades > 0.1 else [max(rows)])
    axis.xaxis.set_major_locator(close if decades < 0.5 else LogLocator(subs=(1,) if decades > 2 else (1, 3)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlim(min(rows) / 1.6, max(rows) * 1.6)


def short_count(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "K")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:g}"


# ---------------------------------------------------------------------------------------------------------------------
# Retention


def draw_retention(analysis: dict, folder: Path) -> dict | None:
    """Forest plot: the share of medium's gain that ultra keeps, by size, metric and anchor, beside the claim's line."""
    import matplotlib.pyplot as plt

    rows = [
        {"size": size, "metric": metric, "anchor": anchor, **result}
        for size, summary in analysis["sizes"].items()
        for metric, anchors in summary["retention"].items()
        for anchor, result in anchors.items()
        if result["verdict"] != "not tested"
    ]
    if not rows:
        return None
    share = analysis["config"]["claim"]["retention"]
    base = any(row["anchor"] == CLAIM["base"] for row in rows)
    opened = "; open: over the untouched model, which does not count" if base else ""
    figure, axis = plt.subplots(figsize=(COLUMN_WIDTH, 0.95 + 0.36 * len(rows)))
    low, high = forest_range(rows, share)
    axis.set_xlim(low * 100, high * 100)
    axis.set_ylim(len(rows) - 0.6, -0.8)
    axis.axvline(share * 100, color="#000000", linewidth=1.2)
    axis.axvline(100, color="#777777", linewidth=0.9, linestyle=(0, (4, 2)))
    for place, row in enumerate(rows):
        draw_retention_row(axis, place, row, low, high)
        if place and row["size"] != rows[place - 1]["size"]:
            axis.axhline(place - 0.72, color="#999999", linewidth=0.6)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(f"% of medium's gain that ultra keeps (line: the claim, {share:.0%})")
    put_note(figure, study_note(analysis))
    alt = "; ".join(f"{retention_row_label(row).replace(chr(10), ' ')}: {retention_words(row)}" for row in rows)
    return save(
        figure, folder, "retention", "Gain retained",
        f"{study_note(analysis)}. Filled: over the anchor {CLAIM['anchor']}, which the claim is about{opened}. Bars: "
        f"{interval_words(analysis)}; an arrow marks a bar that runs on. The "
        "verdict comes from the one-sided test of T, not from these bars.", alt,
    )  # fmt: skip


def forest_range(rows: list[dict], share: float) -> tuple[float, float]:
    """The x-range: the claim's line and 100% always, the intervals as far as they stay readable."""
    ends = [end for row in rows if row["R"] is not None for end in row["R_interval"]]
    return max(min([*ends, share - 0.3]) - 0.05, -0.5), min(max([*ends, 1.1]) + 0.05, 2.0)


def draw_retention_row(axis, place: int, row: dict, low: float, high: float) -> None:
    primary = row["anchor"] == CLAIM["anchor"]
    color = "#0072B2" if row["metric"] == "bits_per_byte" else "#D55E00"
    text = {"transform": axis.get_yaxis_transform(), "va": "center", "fontsize": 7}
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    axis.text(0, place - 0.42, retention_row_label(row), bbox=box, **text)
    verdict = VERDICT_MARKS[row["verdict"]] if primary else "(does not count)"
    axis.text(1, place - 0.42, verdict, ha="right", color="#000000" if primary else "#666666", bbox=box, **text)
    if row["R"] is None:
        axis.text(
            0.5, place, row["R_missing_because"], ha="center", color="#444444", bbox=box, **text | {"fontsize": 6.5}
        )
        return
    ends = np.clip(row["R_interval"], low, high) * 100
    axis.plot(ends, [place, place], color=color, linewidth=1.6)
    for end, limit, marker in zip(row["R_interval"], (low, high), ("<", ">"), strict=True):
        if end != np.clip(end, low, high):
            axis.plot(limit * 100, place, marker=marker, color=color, markersize=5, clip_on=False)
    if low <= row["R"] <= high:
        face, marker = (color if primary else "white"), ("o" if row["metric"] == "bits_per_byte" else "s")
        axis.plot(row["R"] * 100, place, marker=marker, color=color, markerfacecolor=face, markersize=6)


def retention_row_label(row: dict) -> str:
    return f"{row['size']}, {row['metric'].replace('_', ' ')}, over {row['anchor']}"


def retention_words(row: dict) -> str:
    """The row in words, for readers who do not see the figure."""
    share = "no share" if row["R"] is None else show_share(row["R"], row["R_interval"])
    return f"{share}, {row['verdict']}" if row["anchor"] == CLAIM["anchor"] else share


# ---------------------------------------------------------------------------------------------------------------------
# Loss by quality band


def draw_quality_bands(runs: list[dict], size: str, note: str, folder: Path) -> dict | None:
    """Heat map: bits per byte of each arm on each fifth of the held-out rows by quality score."""
    import matplotlib.pyplot as plt

    measured = [run for run in runs if "bits_per_byte" in run["metrics"] and quality_bands_of(run)]
    if not measured:
        return None
    bands = quality_bands_of(measured[0])
    measured = [run for run in measured if len(quality_bands_of(run)) == len(bands)]
    values = np.array([[band["bits_per_byte"] for band in quality_bands_of(run)] for run in measured])
    excess = values - values.min(axis=0)
    # An untrained model can lie far above the rest; the shades are to tell the trained ones apart.
    trained = [bool(run["subset"]) for run in measured]
    darkest = max(float(excess[trained].max()) if any(trained) else float(excess.max()), 1e-9)
    figure, axis = plt.subplots(figsize=(COLUMN_WIDTH, 1.35 + 0.19 * len(measured)))
    image = axis.imshow(excess, cmap="Blues", aspect="auto", vmin=0, vmax=darkest)
    for row, column in np.ndindex(values.shape):
        best = excess[row, column] == 0
        dark = excess[row, column] > 0.6 * darkest
        axis.text(
            column, row, f"{values[row, column]:.3f}", ha="center", va="center", fontsize=6.5,
            color="white" if dark else "black", fontweight="bold" if best else "normal",
        )  # fmt: skip
    axis.set_xticks(range(len(bands)), [f"{band['low']:.2f}–\n{band['high']:.2f}" for band in bands], fontsize=6.5)
    axis.set_yticks(range(len(measured)), [run["arm"] for run in measured], fontsize=6.5)
    axis.set_xlabel("quality of the held-out rows, in fifths")
    axis.grid(visible=False)
    axis.tick_params(length=0)
    put_note(figure, note)
    extend = "max" if excess.max() > darkest else "neither"
    figure.colorbar(image, ax=axis, label="above the band's best arm", location="bottom", pad=0.02, extend=extend,
                    aspect=40)  # fmt: skip
    best = [measured[row]["arm"] for row in values.argmin(axis=0)]
    return save(
        figure, folder, f"quality_bands_{size}", f"Loss by training subset and evaluation quality, {size}",
        f"{note}. Bits per byte (lower is better); shade: how far above the best arm of that band; bold: the best. Of "
        "several seeds the first.",
        "Best arm by band, lowest quality first: " + ", ".join(best),
    )  # fmt: skip


def quality_bands_of(run: dict) -> list[dict]:
    return (run["quality_bands"] or {}).get("bands", {}).get("quality", [])


# ---------------------------------------------------------------------------------------------------------------------
# Training loss


def draw_loss_curves(runs: list[dict], size: str, note: str, folder: Path) -> dict | None:
    """Training loss against optimizer steps, one line per run; every arm's step holds as many tokens."""
    import matplotlib.pyplot as plt

    trained = [run for run in runs if run["train"].get("loss_curve")]
    if not trained:
        return None
    figure, axis = plt.subplots(figsize=(COLUMN_WIDTH, 3.0))
    named = len(trained) <= NAMED_LINES
    for rule, style in RULES.items():
        group = [run for run in trained if rule_of(run) == rule]
        for place, run in enumerate(group):
            strength = 1 - 0.65 * (len(group) - 1 - place) / max(1, len(group) - 1)
            label = run["arm"] if named else None if place < len(group) - 1 else style["label"]
            draw_loss_curve(axis, run, style, strength, label)
    axis.set_xscale("log")
    axis.set_xlabel("optimizer steps")
    axis.set_ylabel("loss, nats per token")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=6.5, columnspacing=1)
    put_note(figure, note)
    ends = "; ".join(f"{run['arm']} {run['train']['loss_curve'][-1]['loss']:.2f}" for run in trained)
    return save(
        figure, folder, f"loss_curves_{size}", f"Training loss, {size}",
        f"{note}. Each line is a run's loss on its own training rows: heights compare only within a subset. "
        "Smoothed over twentieths of a decade. Of one kind, more rows are darker; of several seeds the first is drawn.",
        f"Last training loss in nats per token: {ends}",
    )  # fmt: skip


NAMED_LINES = 8  # more of them cannot be told apart: the legend then names their kinds


def draw_loss_curve(axis, run: dict, style: dict, strength: float, label: str | None) -> None:
    from matplotlib.colors import to_rgb

    curve = run["train"]["loss_curve"]
    color = 1 - strength * (1 - np.array(to_rgb(style["color"])))
    x, y = smoothed([point["step"] for point in curve], [point["loss"] for point in curve])
    axis.plot(x, y, color=color, linestyle=style["line"] or "-", linewidth=0.9)
    axis.plot(
        x[-1], y[-1], color=color, marker=style["marker"], markersize=4, linestyle=style["line"] or "-", label=label
    )


def smoothed(steps: list[int], losses: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Means over a twentieth of a decade of steps: single batches differ by more than the runs do."""
    bins = np.unique(np.round(np.log10(steps) * 20), return_inverse=True)[1]
    counts = np.bincount(bins)
    return np.bincount(bins, steps) / counts, np.bincount(bins, losses) / counts


# ---------------------------------------------------------------------------------------------------------------------
# Scores


def draw_score_distributions(results: Path, note: str, folder: Path) -> dict | None:
    """The pool's quality scores with the cut-offs of the best-scored subsets, and the four dimensions beside."""
    import matplotlib.pyplot as plt

    if not (results / "scores.json").exists() or not (results / "scores").is_dir():
        return None
    try:
        scores, cuts = read_arrow(results / "scores", SCORE_KEYS), tier_cutoffs(results)
    except UserError as error:
        print(f"left out: the figure of the scores ({error})", file=sys.stderr)
        return None
    figure, (above, below) = plt.subplots(2, 1, figsize=(COLUMN_WIDTH, 4.2))
    edges = np.linspace(0, 1, 101)
    quality = scores["quality"].to_numpy()
    above.hist(quality, bins=edges, color="#9ecae1")
    above.set_xlim(0, 1)
    above.set_xlabel("quality score")
    above.set_ylabel("rows of the pool")
    label_cutoffs(above, cuts)
    for (name, color), line in zip(zip(SCORE_WEIGHTS, DIMENSION_COLORS, strict=True), DIMENSION_LINES, strict=True):
        counts, _ = np.histogram(scores[name].to_numpy(), bins=edges)
        smooth = np.convolve(counts / len(scores) * 100, np.ones(3) / 3, mode="same")
        below.plot((edges[:-1] + edges[1:]) / 2, smooth, color=color, linestyle=line, label=name.replace("_", " "))
    below.set_xlabel("score of one dimension")
    below.set_ylabel("% of rows per 0.01 of score")
    below.set_xlim(0, 1)
    legend_below(figure, [below])
    note = f"{len(scores):,} rows · {note}"
    put_note(figure, note)
    alt = "; ".join(f"{name} takes {rows:,} rows of score {cut:.3f} and above" for name, cut, rows in cuts)
    return save(
        figure, folder, "score_distributions", "Scores of the pool",
        f"{note}. Above: the weighted score, with the lowest score that each subset of best rows takes. Below: the "
        "four dimensions.", f"Distribution of scores. {alt}",
    )  # fmt: skip


def tier_cutoffs(results: Path) -> list[tuple[str, float, int]]:
    """(subset, its lowest score, rows) of the best-scored tiers that were made, the lowest first."""
    cuts = []
    for name in (CLAIM["ultra"], "high_100k", CLAIM["medium"]):
        path = results / "subsets" / f"{name}.json"
        if path.exists():
            subset = read_json(path)
            cuts.append((name, subset["score"]["min"], subset["rows"]))
    return sorted(cuts, key=lambda cut: cut[1])


NAME_WIDTH = 0.35  # of a cut-off's name, in scores


def label_cutoffs(axis, cuts: list[tuple[str, float, int]]) -> None:
    """A line for each cut-off, its name at its own height: higher cuts are taller, so that no line meets a name."""
    top = axis.get_ylim()[1]
    axis.set_ylim(0, top * (1.05 + 0.12 * len(cuts)))
    for place, (name, cut, _) in enumerate(cuts):
        height = top * (1.05 + 0.12 * place)
        axis.plot([cut, cut], [0, height], color="#333333", linewidth=0.9, linestyle=DIMENSION_LINES[place])
        side = "right" if cut > NAME_WIDTH else "left"  # names stand towards the shorter lines, where there is room
        text = f"{name} ≥ {cut:.2f}"
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        shown = f"{text} " if side == "right" else f" {text}"
        axis.text(cut, height, shown, ha=side, va="center", fontsize=6.5, bbox=box)
