"""The subsets side by side: a table for the terminal and a figure.

Reads  scores.json and subsets/<subset>.json.
Writes subsets/figures/subsets.png and .svg. `python filter_datasets.py` is the command.
"""

import textwrap
from collections import Counter
from pathlib import Path

import numpy as np

from common import one_line, read_json
from report_figures import PAGE_WIDTH, STYLE, save
from training_configs import SUBSETS

HEADINGS = (
    f"{'subset':19}{'rule':15}{'rows':>9}{'prompts':>9}{'score':>7}{'range':>12}{'words':>7}{'p5-p95':>11}  most from"
)
SHOWN_SOURCES = 7  # the rest of them is "other"
LABEL_CHARACTERS = 32  # of a source's name
# Okabe and Ito's colours, each with a hatch of its own and the hatch's colour: apart in grey too.
SOURCE_STYLES = [
    ("#0072B2", "", "white"), ("#F0E442", "////", "#666666"), ("#D55E00", "", "white"), ("#56B4E9", "....", "#333333"),
    ("#009E73", "\\\\\\\\", "white"), ("#E69F00", "xxxx", "#444444"), ("#CC79A7", "----", "white"),
    ("#BBBBBB", "", "white"),
]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Table


def load_subsets(results: Path, scores: dict) -> list[dict]:
    """The JSON of every subset that was cut, those of one rule together, and of the held-out rows."""
    names = [name for name in SUBSETS if name not in scores["subsets_left_out"]]
    rules = list(dict.fromkeys(SUBSETS[name]["rule"] for name in names))
    names.sort(key=lambda name: rules.index(SUBSETS[name]["rule"]))
    return [read_json(results / "subsets" / f"{name}.json") for name in [*names, "heldout"]]


def print_subsets(results: Path, scores: dict) -> None:
    """One line for each subset, what was left out and why, and what a reader should not overlook."""
    subsets = load_subsets(results, scores)
    print("\n".join(subset_table(subsets)))
    print(f"scale {scores['scale_label']}: " + ("full size" if scores["scale"] == 1 else "every subset shrunk by this"))
    print("\n".join(left_out_lines(scores["subsets_left_out"]) + remarks(subsets)))


def subset_table(subsets: list[dict]) -> list[str]:
    """The subsets side by side, at most 120 columns wide, with an empty line between groups."""
    lines = [HEADINGS]
    for subset, opens in zip(subsets, opens_group(subsets), strict=True):
        lines += [""] * opens + [subset_line(subset)]
    return lines


def opens_group(subsets: list[dict]) -> list[bool]:
    """Whether a new group starts with each subset: a rule of several subsets is one, rules of one stand together."""
    sizes = Counter(subset["rule"] for subset in subsets)
    groups = [subset["rule"] if sizes[subset["rule"]] > 1 else subset["subset"] == "heldout" for subset in subsets]
    return [False] + [before != group for before, group in zip(groups, groups[1:], strict=False)]


def subset_line(subset: dict) -> str:
    score, words = subset["score"], subset["response_words"]
    line = f"{subset['subset']:19}{subset['rule'].split()[0]:15}{subset['rows']:9,}{subset['distinct_instructions']:9,}"
    if not subset["rows"]:
        return line
    spread = f"{score['min']:.3f}-{score['max']:.3f}"
    lengths = f"{words['p5']:.0f}-{words['p95']:.0f}"
    largest = list(subset["source_mix"].items())[:2]
    shares = [f"{one_line(source)[:24]} {rows / subset['rows']:.0%}" for source, rows in largest]
    sources = shares[0] if len(", ".join(shares)) > 29 else ", ".join(shares)
    return f"{line}{score['mean']:7.3f}{spread:>12}{words['mean']:7.0f}{lengths:>11}  {sources}"


def left_out_lines(left_out: dict[str, str]) -> list[str]:
    """The subsets that the pool is too small for, by reason."""
    names = {reason: [name for name in left_out if left_out[name] == reason] for reason in left_out.values()}
    sentences = [f"left out, {reason}: {', '.join(those)}" for reason, those in names.items()]
    return [line for sentence in sentences for line in textwrap.wrap(sentence, 120, subsequent_indent="  ")]


def remarks(subsets: list[dict]) -> list[str]:
    """Tiers that are most of the pool, how well matched controls match, what `diverse` gains over plain top."""
    lines = []
    for subset in subsets:
        name, facts = subset["subset"], subset.get("selection", {})
        if subset["rule"] == "top" and subset["pool_fraction"] > 0.5:
            lines.append(f"{name} takes {subset['pool_fraction']:.0%} of the pool: it is little else than the pool")
        if "rows_unmatched" in facts:
            lines.append(matching_line(subset, facts))
        if facts.get("coverage"):
            found = facts["coverage"]
            parts = [f"{found[kind]['topics']} ({kind})" for kind in found]
            lines.append(f"{name}: of {facts['candidate_topics']:,} topics it has {', '.join(parts)}")
    return lines


def matching_line(subset: dict, facts: dict) -> str:
    if "ks_distance" in facts:
        means = f"{facts['matched_words']['mean']:.1f} words on average against {facts['tier_words']['mean']:.1f}"
        how = f"{means}, Kolmogorov-Smirnov distance {facts['ks_distance']:.3f}"
    else:
        how = f"mix of sources {facts['source_mix_distance']:.1%} apart"
    lacking = f"; rows without a match outside the tier: {facts['rows_unmatched']:,}" if facts["rows_unmatched"] else ""
    return f"{subset['subset']} against {subset['controls']}: {how}{lacking}"


# ---------------------------------------------------------------------------------------------------------------------
# Figure


def figure_files(results: Path) -> list[Path]:
    """Where `draw_subsets` writes."""
    return [results / "subsets" / "figures" / f"subsets.{kind}" for kind in ("png", "svg")]


def draw_subsets(results: Path, scores: dict) -> None:
    """Score, length and source mix of every subset, one line each."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullLocator

    subsets = [subset for subset in load_subsets(results, scores) if subset["rows"]]
    places = line_places(subsets)
    folder = figure_files(results)[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({**STYLE, "hatch.linewidth": 0.5}):
        height = 1.15 + 0.17 * (places[-1] + 1)
        figure, axes = plt.subplots(1, 3, figsize=(PAGE_WIDTH, height), sharey=True, width_ratios=[1, 1, 1.15])
        draw_ranges(axes[0], [subset["score"] for subset in subsets], places)
        axes[0].set_xlabel("quality score")
        draw_ranges(axes[1], [subset["response_words"] for subset in subsets], places)
        axes[1].set_xscale("log")
        axes[1].xaxis.set_major_formatter("{x:,.0f}")
        axes[1].xaxis.set_minor_locator(NullLocator())
        axes[1].set_xlabel("words in the response")
        draw_sources(axes[2], subsets, places)
        axes[0].set_yticks(places, [f"{subset['subset']}  {subset['rows']:,}" for subset in subsets])
        axes[0].set_ylim(places[-1] + 0.8, -0.8)
        marks = "bar: 5th to 95th percentile, line: median, dot: mean"
        title = f"{scores['pool_rows']:,} rows to choose from · scale {scores['scale_label']} · {marks}"
        figure.suptitle(title, fontsize=8, color="#444444")
        legend = figure.legend(loc="outside lower center", ncols=4, frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)  # a dollar in a source's name is no formula
        save(figure, folder, "subsets", "", "", "")


def line_places(subsets: list[dict]) -> np.ndarray:
    """Where each subset's line stands, from the top: half a line more between groups."""
    return np.arange(len(subsets)) + 0.5 * np.cumsum(opens_group(subsets))


def draw_ranges(axis, facts: list[dict], places: np.ndarray) -> None:
    """A bar from the 5th to the 95th percentile, a mark at the median, a dot at the mean."""
    low, middle, high, mean = (np.array([fact[key] for fact in facts]) for key in ("p5", "median", "p95", "mean"))
    axis.hlines(places, low, high, color="#9ecae1", linewidth=5)
    axis.plot(middle, places, linestyle="", marker="|", color="#0b3c5d", markersize=7, markeredgewidth=1.5)
    axis.plot(mean, places, linestyle="", marker="o", color="#0b3c5d", markersize=2.5)
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)


def draw_sources(axis, subsets: list[dict], places: np.ndarray) -> None:
    """Stacked shares of the largest sources, the rest as other."""
    totals = {}
    for subset in subsets:
        for source, rows in subset["source_mix"].items():
            totals[source] = max(totals.get(source, 0), rows / subset["rows"])
    ranked = sorted(totals, key=lambda source: (-totals[source], source))
    shown = ranked if len(ranked) <= SHOWN_SOURCES + 1 else ranked[:SHOWN_SOURCES]
    left = np.zeros(len(subsets))
    for name, (color, hatch, hatch_color) in zip([*shown, "other"], SOURCE_STYLES, strict=False):
        names = set(ranked) - set(shown) if name == "other" else {name}
        if not names:
            continue
        shares = [sum(subset["source_mix"].get(name, 0) for name in names) / subset["rows"] for subset in subsets]
        look = {"color": color, "edgecolor": "white", "linewidth": 0.4, "hatch": hatch, "hatchcolor": hatch_color}
        label = f" {one_line(name)[:LABEL_CHARACTERS]}"  # matplotlib leaves out a label that begins with _
        axis.barh(places, shares, 0.8, left, label=label, **look)
        left += shares
    axis.set_xlim(0, 1)
    axis.set_xlabel("share of rows by source")
    axis.grid(visible=False)
    axis.tick_params(axis="y", length=0)
