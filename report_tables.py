"""The tables of the analysis, as cells to read and records to compute with, written as CSV, Markdown and LaTeX.

Reads  the analysis (verdict.json's content); `analyze_results.py` calls it.
Writes <output>/tables/*.csv, *.md, *.tex.

A table is a dict: name, title, note, headings, cells (what people read) and records (plain numbers, for CSV). Its note
carries the scale, so that no table can travel without it.
"""

import csv
import io
import re
from pathlib import Path

from common import write_text
from retention_statistics import FEW_EVENTS

METRIC_NAMES = {"bits_per_byte": "bits per byte", "task_completion": "task completion"}
DEMO_NOTE = "embedded corpus, demo model: shows the pipeline, not the answer"
NONE = "–"


# ---------------------------------------------------------------------------------------------------------------------
# Numbers in words


def show(metric: str, value: float | None, difference: bool = False) -> str:
    """A metric's value or difference: bits per byte with three decimals, shares in per cent, or in points (pp)."""
    if value is None:
        return NONE
    sign = "+" if difference else ""
    if metric != "task_completion":
        return f"{value:{sign}z.3f}"  # z: no "-0.000"
    return f"{value * 100:{sign}z.1f}" + (" pp" if difference else "%")


def show_interval(metric: str, low: float, high: float, difference: bool = False) -> str:
    """Without a unit, which stands at the value before it."""
    low_text, high_text = (show(metric, end, difference).removesuffix(" pp").removesuffix("%") for end in (low, high))
    return f"[{low_text}, {high_text}]"


def show_estimate(metric: str, estimate: dict | None) -> str:
    if not estimate:
        return NONE
    return f"{show(metric, estimate['value'])} {show_interval(metric, estimate['low'], estimate['high'])}"


def show_share(value: float | None, interval: list[float] | None) -> str:
    """A share of a gain, such as 84% [78, 91]."""
    if value is None:
        return NONE
    return f"{value:z.0%}" + (f" [{interval[0] * 100:z.0f}, {interval[1] * 100:z.0f}]" if interval else "")


def show_p(value: float | None) -> str:
    if value is None:
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def p_words(value: float | None) -> str:
    """As it stands behind a "p": "< 0.001" or "= 0.030"."""
    shown = show_p(value)
    return shown if shown.startswith("<") else f"= {shown}"


def show_seconds(seconds: float | None) -> str:
    if seconds is None:
        return NONE
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def show_digits(value: float | None) -> str:
    """Three digits or, of a large number, all before the point: 4.39, 43.9, 3,171."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def show_count(value: float | None) -> str:
    """Rows and tokens: 850, 12,300, 4.1M."""
    if value is None:
        return NONE
    return f"{value / 1e6:.1f}M" if value >= 1e6 else f"{value:,.0f}"


def model_words(summary: dict) -> str | None:
    """The model that stood for a size and its real number of parameters; null where no run names it."""
    if not summary["parameters"]:
        return None
    millions = summary["parameters"] / 1e6
    size = f"{millions / 1000:.2f}B" if millions >= 1000 else f"{millions:.1f}M"
    return f"{summary['model']}, {size} parameters"


def join_words(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def interval_words(analysis: dict) -> str:
    """What the intervals are over: which units were resampled for which metric, and whether seeds as well."""
    records = [summary["resampling"] for summary in analysis["sizes"].values()]
    units = {}
    for metric, name in METRIC_NAMES.items():
        known = dict.fromkeys(record[metric]["unit"] for record in records if record[metric]["clusters"])
        if known:
            units[name] = "/".join(known)
    alike = len(set(units.values())) == 1
    parts = [*dict.fromkeys(units.values())] if alike else [f"{unit} ({name})" for name, unit in units.items()]
    seeds = any(record[metric]["seeds"] for record in records for metric in METRIC_NAMES)
    known = " and over training seeds" if seeds else "; one training seed per arm"
    return f"95% intervals over {join_words(parts) if parts else 'examples'}{known}"


UNEVEN_SPEED = 1.5


def speed_words(summary: dict) -> str | None:
    """How far the speed of training differed between arms of one size, where that makes their times no costs."""
    speeds = [item["tokens_per_second"] for item in summary["cost"] if item["tokens_per_second"]]
    if not speeds or max(speeds) < UNEVEN_SPEED * min(speeds):
        return None
    return f"arms trained at {show_count(min(speeds))} to {show_count(max(speeds))} tokens per second"


def seed_words(analysis: dict) -> str:
    """Which arms are means of several seeds, such as "means of 3 seeds: ultra_10k_500M"; empty without any."""
    by_count = {}
    for size, summary in analysis["sizes"].items():
        for arm, count in (summary["seeds"]["bits_per_byte"]["runs_per_arm"] or {}).items():
            by_count.setdefault(count, []).append(f"{arm}_{size}")
    return "; ".join(f"means of {count} seeds: {', '.join(names)}" for count, names in sorted(by_count.items()))


def arm_records(analysis: dict, size: str) -> list[dict]:
    """One record per arm of a size, in the order of the runs: its first run's, the metrics those of all its seeds."""
    found, arms = {}, analysis["sizes"][size]["arms"]
    for run in analysis["runs"]:
        if run["size"] == size:
            found.setdefault(run["base_arm"], run)
    return [
        {**run, "arm": arm, "metrics": {metric: known[arm] for metric, known in arms.items() if arm in known}}
        for arm, run in found.items()
    ]


# ---------------------------------------------------------------------------------------------------------------------
# The tables


def make_tables(analysis: dict) -> list[dict]:
    """Every table that has rows. Each carries the scale, and says so where it is only the demo."""
    tables = [retention_table(analysis), source_table(analysis)]
    tables += [*contrast_tables(analysis), performance_table(analysis)]
    return [table for table in tables if table["cells"]]


def capital(text: str) -> str:
    """The first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def table_note(analysis: dict, text: str) -> str:
    demo = [size for size, summary in analysis["sizes"].items() if summary["demo"]]
    parts = [capital(analysis["scale_label"]), text, f"Size {', '.join(demo)}: {DEMO_NOTE}" if demo else ""]
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


def summary_table(analysis: dict) -> dict:
    """The headline: per size and metric, the three runs of the claim, what is kept, the verdict."""
    claim = analysis["config"]["claim"]
    cells = []
    for size, summary in analysis["sizes"].items():
        for metric, anchors in summary["retention"].items():
            result = anchors[claim["anchor"]]
            if result["verdict"] == "not tested":
                continue
            shown = [summary["arms"][metric][claim[role]] for role in ("ultra", "medium", "anchor")]
            cells.append(
                [
                    f"{size}, {METRIC_NAMES[metric]} {ARROWS[metric]}",
                    result["verdict"], show_share(result["R"], result["R_interval"]),
                    *[show_estimate(metric, estimate) for estimate in shown],
                ]
            )  # fmt: skip
    headings = ["", "verdict", "gain kept", claim["ultra"], claim["medium"], f"anchor {claim['anchor']}"]
    claimed = f"claim: at least {claim['retention']:.0%} of the gain kept"
    note = ". ".join(filter(None, [interval_words(analysis), capital(seed_words(analysis)), capital(claimed)]))
    return {"name": "summary", "title": "The claim", "note": table_note(analysis, note), "headings": headings,
            "cells": cells, "records": []}  # fmt: skip


ARROWS = {"bits_per_byte": "↓", "task_completion": "↑"}


def scale_of(analysis: dict, run: dict) -> str | None:
    """The scale of a run's size, which is also that of the untrained model beside the trained ones."""
    return analysis["sizes"][run["size"]]["scale_label"]


def performance_table(analysis: dict) -> dict:
    cells, records = [], []
    for run in analysis["runs"]:
        metrics = run["metrics"]
        cells.append(
            [
                run["experiment"], f"{run['rows']:,}", str(run["epochs"]), show_count(run["tokens"]),
                show_estimate("bits_per_byte", metrics.get("bits_per_byte")),
                show_estimate("task_completion", metrics.get("task_completion")),
                show_digits(run["perplexity"]), show_seconds(run["train_seconds"]),
            ]
        )  # fmt: skip
        keys = ["experiment", "size", "subset", "rows", "epochs", "tokens", "steps", "train_seconds", "perplexity"]
        record = {key: run[key] for key in keys}
        for metric in METRIC_NAMES:
            shown = metrics.get(metric, {})
            record |= {f"{metric}{tail}": shown.get(key) for tail, key in ESTIMATE_COLUMNS.items()}
        records.append({**record, "scale": scale_of(analysis, run)})
    measures = ["bits per byte ↓", "task completion ↑", "perplexity", "training"]
    note = (
        "In brackets 95% intervals of each run by itself, over test examples or groups of them (task completion: "
        "Wilson's). Tokens count every epoch. A name that ends in _s1 or _s2 repeats a run with another seed"
    )
    return {
        "name": "runs", "title": "Every run", "note": table_note(analysis, note),
        "headings": ["experiment", "rows", "epochs", "tokens", *measures], "cells": cells, "records": records,
    }  # fmt: skip


ESTIMATE_COLUMNS = {"": "value", "_low": "low", "_high": "high", "_n": "n"}


def retention_table(analysis: dict) -> dict:
    cells, records = [], []
    for size, summary in analysis["sizes"].items():
        for metric, anchors in summary["retention"].items():
            for anchor, result in anchors.items():
                if result["verdict"] != "not tested":
                    cells.append(retention_cells(size, metric, anchor, result, analysis))
                records.append(retention_record(size, metric, anchor, result, summary))
    share = analysis["config"]["claim"]["retention"]
    note = (
        f"T = ultra - {share:g} medium - {1 - share:.1g} anchor, oriented so that higher is better; supported where "
        "its one-sided 95% lower bound is above 0, refuted where the upper one is below; verdicts over the second "
        "anchor, in brackets, do not count. Detectable: the true T that would be told from 0 with 80% power; none "
        f"where an arm passes or fails fewer than {FEW_EVENTS}. Raw ratio: ultra's metric as a share of medium's (of "
        f"two losses the other way round), without an anchor. n: test examples. {interval_words(analysis)}"
    )
    headings = ["", "anchor", "verdict", "gain kept R", "T", "T bounds", "detectable", "raw ratio", "n"]
    return {
        "name": "retention", "title": "Gain retained, in numbers", "note": table_note(analysis, note),
        "headings": headings, "cells": cells, "records": records,
    }  # fmt: skip


def retention_cells(size: str, metric: str, anchor: str, result: dict, analysis: dict) -> list[str]:
    primary = anchor == analysis["config"]["claim"]["anchor"]
    raw = result["raw_ratio"]
    interval = None if raw["low"] is None else [raw["low"], raw["high"]]
    return [
        f"{size}, {METRIC_NAMES[metric]}", anchor, result["verdict"] if primary else f"({result['verdict']})",
        show_share(result["R"], result["R_interval"]), show(metric, result["T"], difference=True),
        show_interval(metric, result["T_lower"], result["T_upper"], difference=True),
        show(metric, result["T_minimum_detectable"], difference=True).lstrip("+"),
        show_share(raw["value"], interval), f"{result['n']:,}",
    ]  # fmt: skip


def retention_record(size: str, metric: str, anchor: str, result: dict, summary: dict) -> dict:
    record = {"size": size, "metric": metric, "anchor": anchor, "verdict": result["verdict"], "n": result["n"]}
    for key in ("R", "T", "T_lower", "T_upper", "T_minimum_detectable", "gain"):
        record[key] = result.get(key)
    for key in ("R_interval", "T_interval", "gain_interval"):
        low, high = result.get(key) or (None, None)
        stem = key.removesuffix("_interval")
        record |= {f"{stem}_95_low": low, f"{stem}_95_high": high}
    raw = result.get("raw_ratio", {})
    record |= {"raw_ratio": raw.get("value"), "raw_ratio_low": raw.get("low"), "raw_ratio_high": raw.get("high")}
    return {**record, "missing": " ".join(result.get("missing", [])), "scale": summary["scale_label"]}


def source_table(analysis: dict) -> dict:
    """What is kept within each source of the held-out rows, in bits per byte."""
    cells, records = [], []
    for size, summary in analysis["sizes"].items():
        for part in summary["retention_by_source"]:
            values = [show("bits_per_byte", part[role]) for role in ("ultra", "medium", "anchor")]
            kept = show_share(part["R"], part["R_interval"])
            cells.append([f"{size}, {part['source']}", f"{part['n']:,}", *values, kept])
            low, high = part["R_interval"] or (None, None)
            record = {"size": size, **{key: value for key, value in part.items() if not key.endswith("_interval")}}
            records.append({**record, "R_95_low": low, "R_95_high": high, "scale": summary["scale_label"]})
    claim = analysis["config"]["claim"]
    note = (
        "Bits per byte of the held-out rows of each source, and the plain mean over sources. A description beside the "
        "verdict, which counts bytes alike; 95% intervals over test examples. No share of few rows, nor where the "
        "interval of medium's own gain over the anchor holds zero"
    )
    headings = ["source", "rows", claim["ultra"], claim["medium"], f"anchor {claim['anchor']}", "gain kept R"]
    return {"name": "retention_by_source", "title": "Gain retained, by source of the held-out rows",
            "note": table_note(analysis, note), "headings": headings, "cells": cells, "records": records}  # fmt: skip


def reading_of(contrast: dict, p: str = "p_holm") -> str:
    if contrast["p"] is None:
        return f"missing: {', '.join(contrast['missing'])}"
    if contrast[p] >= 0.05:
        return "not distinguishable"
    return "better" if contrast["difference"] > 0 else "worse"


def shown_reading(contrast: dict) -> str:
    """The reading, and that of the test by itself where the correction for several tests took it away."""
    reading, alone = reading_of(contrast), reading_of(contrast, "p")
    return reading if alone == reading else f"{reading} ({alone} by p)"


FAMILIES = {  # of contrasts, the order and titles of their tables
    "controls": "Ultra against as many other rows",
    "dose_response": "High, random and low scores at one number of rows",
    "bands": "The best against the worst band of scores",
    "tokens": "More passes over few rows, or the tokens of a larger tier",
    "ablations": "Other ways to pick as many rows as ultra, and fewer rows",
    "sizes": "The larger model against the smaller",
}


def contrasts_name(family: str) -> str:
    return "contrasts" if family == "controls" else f"contrasts_{family}"


def contrast_tables(analysis: dict) -> list[dict]:
    every = [contrast for summary in analysis["sizes"].values() for contrast in summary["contrasts"]]
    families = {name: [contrast for contrast in every if contrast["family"] == name] for name in FAMILIES}
    return [contrasts_table(analysis, name, contrasts) for name, contrasts in families.items()]


def contrasts_table(analysis: dict, family: str, contrasts: list[dict]) -> dict:
    """The contrasts of one family; those that could not be tested are named in the note."""
    tested = [contrast for contrast in contrasts if contrast["p"] is not None]
    tests = "; ".join(dict.fromkeys(f"{METRIC_NAMES[contrast['metric']]}: {contrast['test']}" for contrast in tested))
    note = (
        "Advantage: by how much the first is better than the second (fewer bits per byte, more tasks completed), with "
        f'its 95% interval. Tests: {tests}. p (Holm) corrects for all tests of this question at once; "better" and '
        '"worse" go by it, at 0.05. Detectable: the true difference that would be found with 80% power. '
        f"Where an arm passes or fails fewer than {FEW_EVENTS}, none is named, and the interval is at least Wilson's"
    )
    missing = dict.fromkeys(name for contrast in contrasts for name in contrast["missing"])
    note += f". Not tested, for want of runs: {', '.join(missing)}" if missing else ""
    records = [
        {**{key: contrast.get(key) for key in CONTRAST_COLUMNS},
         "scale": analysis["sizes"][contrast["size"]]["scale_label"]} for contrast in contrasts
    ]  # fmt: skip
    return {
        "name": contrasts_name(family), "title": FAMILIES[family],
        "note": table_note(analysis, note), "cells": [contrast_cells(contrast) for contrast in tested],
        "headings": ["", "compared", "the first is", "advantage", "p", "p (Holm)", "detectable"], "records": records,
    }  # fmt: skip


def contrast_cells(contrast: dict) -> list[str]:
    metric = contrast["metric"]
    interval = show_interval(metric, contrast["low"], contrast["high"], difference=True)
    second = f"mean of {len(contrast['b'])} random draws" if len(contrast["b"]) > 1 else contrast["second"]
    return [
        f"{contrast['size']}, {METRIC_NAMES[metric]}", f"{contrast['first']} – {second}", shown_reading(contrast),
        f"{show(metric, contrast['difference'], difference=True)} {interval}", show_p(contrast["p"]),
        show_p(contrast["p_holm"]), show(metric, contrast["minimum_detectable"], difference=True).lstrip("+"),
    ]  # fmt: skip


CONTRAST_COLUMNS = [
    "size", "metric", "family", "first", "second", "difference", "low", "high", "p", "p_holm", "minimum_detectable",
    "n", "clusters", "method",
]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# A table as text


def write_tables(tables: list[dict], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        write_text(folder / f"{table['name']}.csv", csv_text(table["records"]))
        write_text(folder / f"{table['name']}.md", markdown_table(table))
        write_text(folder / f"{table['name']}.tex", latex_table(table))


def csv_text(records: list[dict]) -> str:
    """Plain numbers under snake_case names; what is unknown is empty. Text never starts as a spreadsheet's formula."""
    file = io.StringIO()
    names = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in record.items()} for record in records)
    return file.getvalue()


def csv_cell(value):
    """Text that a spreadsheet would run as a formula gets an apostrophe before it; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def markdown_table(table: dict) -> str:
    rows = [table["headings"], ["---"] + ["---:"] * (len(table["headings"]) - 1), *table["cells"]]
    lines = ["| " + " | ".join(markdown_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + f"\n\n*{markdown_text(table['note'])}*\n"


def markdown_cell(text: str) -> str:
    return markdown_text(text).replace("|", "\\|").replace("\n", " ")


def markdown_text(text: str) -> str:
    """Words from data as plain text: no markup of Markdown's or HTML's. Underscores inside words are none."""
    text = re.sub(r"([\\`*]|\b_|_\b|\](?=[(\[:]))", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;")


def wordy_columns(table: dict) -> list[int]:
    """The columns, after the first, whose cells are sentences: they wrap and stand to the left."""
    columns = range(1, len(table["headings"]))
    return [column for column in columns if any(len(row[column]) > 44 for row in table["cells"])]


LATEX_MARKS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "−": "$-$", "–": "--", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "≥": r"$\geq$", "·": r"$\cdot$",
    "κ": r"$\kappa$", "α": r"$\alpha$", "ρ": r"$\rho$", "×": r"$\times$", "≤": r"$\leq$",
    "’": "'", "“": "``", "”": "''",
}  # fmt: skip


def latex_text(text: str) -> str:
    """Plain text for pdflatex: marks escaped, a number's hyphen a minus; beyond accented Latin, a "?"."""
    text = re.sub(r"(?<![\w)])-(?=\d)", "−", text)
    return "".join(LATEX_MARKS.get(mark, mark if mark < "\u0180" else "?") for mark in text.replace("\n", " "))


LATEX_WIDTH = r"\par\smallskip\small\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def latex_table(table: dict) -> str:
    """A booktabs table, made smaller where it is wider than the page; needs \\usepackage{booktabs} and graphicx."""
    lines = [" & ".join(latex_text(cell) for cell in row) + r" \\" for row in [table["headings"], *table["cells"]]]
    wordy = wordy_columns(table)
    columns = "l" + "".join("p{6cm}" if column in wordy else "r" for column in range(1, len(table["headings"])))
    return "\n".join(
        [
            r"\begin{table}", r"\centering", rf"\caption{{{latex_text(table['title'] + '. ' + table['note'])}}}",
            rf"\label{{tab:{table['name']}}}", LATEX_WIDTH, rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}}", r"\end{table}", "",
        ]
    )  # fmt: skip


def text_table(headings: list[str], cells: list[list[str]]) -> str:
    """Columns lined up for a terminal: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [headings, *cells]) for column in range(len(headings))]
    lines = []
    for first, *others in [headings, ["-" * width for width in widths], *cells]:
        padded = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *padded]).rstrip())
    return "\n".join(lines)
