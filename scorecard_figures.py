"""The scorecard's figures: small panels of one size, each an SVG that takes its colours from the page around it.

A panel is drawn by matplotlib in the colours of PALETTE, which then become the page's CSS variables: one drawing serves
light, dark and print. Text stays text, in the page's font. Panels flow into as many columns as the screen has room
for, so that their letters stay readable on a phone. `scorecard_page.py` calls `draw_figures`.
"""

import io
import re
import warnings

import numpy as np

from common import one_line
from report_figures import DIMENSION_COLORS, STYLE, short_count
from report_tables import NONE
from scorecard import HISTOGRAM_BINS
from training_configs import SCORE_KEYS, SCORE_WEIGHTS

NAMES = {key: key.replace("_", " ") for key in SCORE_KEYS} | {"quality": "total"}
PANEL_INCHES = 3.0
INK, SOFT, LINE, TOTAL = "#1c1e21", "#55595f", "#d5d8dd", "#3b4250"
COLORS = {"quality": TOTAL, **dict(zip(SCORE_WEIGHTS, DIMENSION_COLORS, strict=True))}
PALETTE = {INK: "--ink", SOFT: "--soft", LINE: "--line", TOTAL: "--total"} | {
    color.lower(): f"--dimension-{number}" for number, color in enumerate(DIMENSION_COLORS, start=1)
}
PANEL_STYLE = STYLE | {
    "figure.constrained_layout.use": False, "svg.fonttype": "none", "text.parse_math": False, "text.color": INK,
    "axes.edgecolor": SOFT, "axes.labelcolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT, "grid.color": LINE,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "xtick.major.size": 2.5, "ytick.major.size": 0,
}  # fmt: skip
FEWEST_ROWS = 20  # a bin of fewer has no band worth drawing, unless no bin has more


def draw_figures(card: dict) -> dict[str, list[dict]]:
    """Panels by section: {"title", "alt", "svg"} each, the total first, then the dimensions."""
    import matplotlib

    with matplotlib.rc_context(PANEL_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser has the fonts, not matplotlib
        return {
            "distribution": [*(histogram_panel(card, key) for key in SCORE_KEYS), words_panel(card)],
            "by_source": [*(source_panel(card, key) for key in SCORE_KEYS), source_rows_panel(card)],
            "length": [*(length_panel(card, key) for key in SCORE_KEYS), length_correlation_panel(card)],
            "weights": [*filter(None, (overlap_panel(card, percent) for percent in ("1", "10"))), spread_panel(card)],
        }


def new_axis(height: float = 1.8, left: float = 0.4):
    """A figure of the panels' width and one axis in it; margins in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PANEL_INCHES, height))
    bottom, right, top = 0.4, 0.1, 0.06
    width = (PANEL_INCHES - left - right) / PANEL_INCHES
    axis = figure.add_axes((left / PANEL_INCHES, bottom / height, width, (height - bottom - top) / height))
    return figure, axis


def finish(figure, name: str, title: str, alt: str) -> dict:
    """The panel with its SVG in the page's colours, without what only a separate file would need. `name` is the panel's
    own on the page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r'\1 aria-hidden="true"', text, count=1)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'(id="|href="#|url\(#)(?=\w)', rf"\g<1>{name}-", text)  # ids are the page's, not the panel's
    for color, variable in PALETTE.items():
        text = text.replace(color, f"var({variable})")
    return {"title": title, "alt": alt, "svg": re.sub(r"\s*\n\s*", " ", text)}


def score_axis(axis) -> None:
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])


def show(value: float | None, digits: int = 2) -> str:
    """A number with a true minus, and none before a zero."""
    return NONE if value is None else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def row_axis(labels: list[str]):
    """An axis of one line for each label, the first on top."""
    figure, axis = new_axis(0.6 + 0.19 * max(len(labels), 5), left=1.2)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.set_yticks(range(len(labels)), [shorten(label) for label in labels])
    axis.grid(axis="y", visible=False)
    return figure, axis


def shorten(label: str) -> str:
    """At most 20 characters: both ends of a long name, since names often differ in their last letters alone."""
    return label if len(label) <= 20 else f"{label[:9]}…{label[-10:]}"


def rows_word(rows: int) -> str:
    return f"{rows:,} row{'s' * (rows != 1)}"


# ---------------------------------------------------------------------------------------------------------------------
# Distributions


def spread_words(facts: dict) -> str:
    at = facts["percentiles"]
    return f"mean {show(facts['mean'])}, median {show(at['50'])}, 80% of rows {show(at['10'])} to {show(at['90'])}"


def histogram_panel(card: dict, key: str) -> dict:
    """Share of rows by score, the median as a line."""
    facts = card["distribution"][key]
    figure, axis = new_axis()
    shares = np.array(facts["histogram"]) / card["rows"] * 100
    axis.stairs(shares, np.linspace(0, 1, HISTOGRAM_BINS + 1), fill=True, color=COLORS[key], alpha=0.75)
    axis.axvline(facts["percentiles"]["50"], color=INK, linewidth=1, linestyle=(0, (3, 2)))
    score_axis(axis)
    axis.set_xlabel(NAMES[key])
    axis.set_ylabel("% of rows")
    axis.yaxis.get_major_locator().set_params(nbins=4, steps=[1, 2, 5, 10])
    return finish(figure, f"spread-{key}", NAMES[key].capitalize(), f"Histogram of {NAMES[key]}: {spread_words(facts)}")


def words_panel(card: dict) -> dict:
    """Share of rows by words of the response."""
    figure, axis = new_axis()
    bins = card["length"]["bins"]
    shares = np.array([entry["rows"] for entry in bins]) / card["sample"]["rows"] * 100
    left = np.array([word_place(entry["from_words"]) for entry in bins])
    right = np.array([word_place(entry["to_words"] + 1) for entry in bins])
    axis.bar(left, shares, right - left, align="edge", color=SOFT, alpha=0.5, edgecolor="none")
    axis.set_xscale("log")
    word_ticks(axis, left.min(), right.max())
    axis.set_xlabel("words of the response")
    axis.set_ylabel("% of rows")
    axis.yaxis.get_major_locator().set_params(nbins=4, steps=[1, 2, 5, 10])
    at = card["length"]["word_percentiles"]
    alt = f"Words of the response: median {at['50']:,.0f}, 80% of rows {at['10']:,.0f} to {at['90']:,.0f}"
    return finish(figure, "words", "Words of the response", alt)


def word_place(words: float) -> float:
    return max(words, 0.7)  # no words stands left of one word on a log axis


def word_ticks(axis, low: float, high: float) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    ticks = [tick for tick in (1, 10, 100, 1_000, 10_000, 100_000) if low <= tick <= high]
    if len(ticks) < 2:
        ticks = sorted({round(low), round((low * high) ** 0.5), round(high)} - {0})
    axis.set_xlim(low / 1.1, high * 1.1)
    axis.set_xticks(ticks, [short_count(tick) for tick in ticks])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())


# ---------------------------------------------------------------------------------------------------------------------
# Sources


def source_label(entry: dict) -> str:
    """A source's name on one line; one that would print as nothing is called so."""
    if entry["source"] is None:
        return f"{entry['sources']:,} others"
    return one_line(entry["source"]) or "(no name)"


def source_panel(card: dict, key: str) -> dict:
    """A line for each source: 80% of its rows thin, half of them thick, the median as a mark."""
    entries = card["by_source"]
    figure, axis = row_axis([source_label(entry) for entry in entries])
    for place, entry in enumerate(entries):
        at = entry["distribution"][key]["percentiles"]
        axis.plot([at["10"], at["90"]], [place, place], color=COLORS[key], linewidth=1)
        axis.plot(
            [at["25"], at["75"]], [place, place], color=COLORS[key], linewidth=5, alpha=0.6, solid_capstyle="butt"
        )
        axis.plot([at["50"]] * 2, [place - 0.32, place + 0.32], color=INK, linewidth=1.6, solid_capstyle="butt")
    score_axis(axis)
    axis.set_xlabel(NAMES[key])
    medians = [f"{source_label(entry)} {show(entry['distribution'][key]['percentiles']['50'])}" for entry in entries]
    return finish(
        figure, f"source-{key}", NAMES[key].capitalize(), f"Median {NAMES[key]} by source: {', '.join(medians)}"
    )


def source_rows_panel(card: dict) -> dict:
    """Share of rows by source."""
    entries = card["by_source"]
    figure, axis = row_axis([source_label(entry) for entry in entries])
    shares = [entry["rows"] / card["rows"] * 100 for entry in entries]
    axis.barh(range(len(entries)), shares, height=0.6, color=SOFT, alpha=0.5)
    axis.set_xlabel("% of rows")
    axis.xaxis.get_major_locator().set_params(nbins=4)
    alt = ", ".join(f"{source_label(entry)} {entry['rows']:,}" for entry in entries)
    return finish(figure, "source-rows", "Rows", f"Rows by source: {alt}")


# ---------------------------------------------------------------------------------------------------------------------
# Length


def length_panel(card: dict, key: str) -> dict:
    """Median and 10% to 90% of a score by words of the response."""
    bins = [entry for entry in card["length"]["bins"] if entry["rows"] >= FEWEST_ROWS] or card["length"]["bins"]
    centres = [(word_place(entry["from_words"]) * word_place(entry["to_words"])) ** 0.5 for entry in bins]
    low, median, high = ([entry[key][name] for entry in bins] for name in ("p10", "median", "p90"))
    figure, axis = new_axis()
    axis.fill_between(centres, low, high, color=COLORS[key], alpha=0.22, linewidth=0)
    if len(bins) == 1:
        axis.vlines(centres, low, high, color=COLORS[key], alpha=0.4)
    axis.plot(centres, median, color=COLORS[key], marker="o", markersize=2.4)
    axis.set_xscale("log")
    word_ticks(axis, min(centres), max(centres))
    axis.set_ylim(0, 1)
    axis.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axis.set_xlabel("words of the response")
    axis.set_ylabel(NAMES[key])
    steps = [bins[0], bins[len(bins) // 2], bins[-1]]
    words = [f"{show(entry[key]['median'])} from {entry['from_words']:,} words" for entry in steps]
    return finish(
        figure,
        f"length-{key}",
        NAMES[key].capitalize(),
        f"Median {NAMES[key]} by words of the response: {', '.join(words)}",
    )


def length_correlation_panel(card: dict) -> dict:
    """Rank correlation of each score with words: raw as an open mark, with the source partialled out as a full one."""
    facts = card["length"]["rank_correlation"]
    figure, axis = row_axis([NAMES[key] for key in facts])
    for place, (key, entry) in enumerate(facts.items()):
        known = [value for value in entry.values() if value is not None]
        axis.plot(known, [place] * len(known), color=COLORS[key], linewidth=1.2)
        if entry["raw"] is not None:
            axis.plot(entry["raw"], place, "o", color=COLORS[key], markerfacecolor="none", markersize=5)
        if entry["source_partialled_out"] is not None:
            axis.plot(entry["source_partialled_out"], place, "o", color=COLORS[key], markersize=5)
    axis.axvline(0, color=SOFT, linewidth=0.8)
    axis.set_xlim(-1, 1)
    axis.set_xticks([-1, -0.5, 0, 0.5, 1], ["−1", "−0.5", "0", "0.5", "1"])
    axis.set_xlabel("rank correlation")
    alt = ", ".join(
        f"{NAMES[key]} {show(entry['raw'])} raw, {show(entry['source_partialled_out'])} within sources"
        for key, entry in facts.items()
    )
    return finish(
        figure,
        "length-correlation",
        "Rank correlation with words",
        f"Rank correlation with words of the response: {alt}",
    )


# ---------------------------------------------------------------------------------------------------------------------
# Weights


def overlap_panel(card: dict, percent: str) -> dict | None:
    """Overlap with the default's best rows: every draw as a dot, then each dimension left out."""
    facts = card["weight_sensitivity"]
    top = facts["top"][percent]
    if top is None:
        return None
    left_out = {name: entry["jaccard"][percent] for name, entry in facts["leave_one_out"].items() if entry}
    figure, axis = row_axis([f"{facts['draws']} draws", *(f"no {NAMES.get(name, name)}" for name in left_out)])
    jitter = (np.arange(len(top["jaccard"])) * 0.6180339887 % 1 - 0.5) * 0.7
    axis.plot(top["jaccard"], jitter, "o", color=TOTAL, markersize=2.2, alpha=0.35, markeredgewidth=0)
    axis.plot([top["mean"]] * 2, [-0.45, 0.45], color=INK, linewidth=1.6)
    for place, (name, overlap) in enumerate(left_out.items(), start=1):
        axis.plot([0, overlap], [place, place], color=COLORS.get(name, SOFT), linewidth=1)
        axis.plot(overlap, place, "o", color=COLORS.get(name, SOFT), markersize=5)
    axis.axvline(top["by_chance"], color=SOFT, linewidth=1, linestyle=(0, (2, 2)))
    score_axis(axis)
    axis.set_xlabel("Jaccard overlap")
    shown = ", ".join(f"without {NAMES.get(name, name)} {show(value)}" for name, value in left_out.items())
    alt = f"Jaccard overlap of the best {percent}%: draws {show(top['mean'])} on average, {show(top['min'])} at least"
    return finish(figure, f"overlap-{percent}", f"The best {percent}%, {rows_word(top['rows'])}", f"{alt}; {shown}")


def spread_panel(card: dict) -> dict:
    """The weights that were drawn: 90% of the draws as a line, the default as a mark."""
    weights = card["weight_sensitivity"]["spread"]["weights"]
    figure, axis = row_axis([NAMES.get(name, name) for name in weights])
    for place, (name, entry) in enumerate(weights.items()):
        color = COLORS.get(name, SOFT)
        axis.plot([entry["p5"], entry["p95"]], [place, place], color=color, linewidth=5, alpha=0.6)
        axis.plot([entry["default"]] * 2, [place - 0.32, place + 0.32], color=INK, linewidth=1.6)
    score_axis(axis)
    axis.set_xlabel("weight")
    alt = ", ".join(
        f"{NAMES.get(name, name)} {show(entry['p5'])} to {show(entry['p95'])}" for name, entry in weights.items()
    )
    return finish(figure, "weights", "The weights drawn", f"90% of the drawn weights: {alt}")
