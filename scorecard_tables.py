"""The scorecard in words and tables: headings, cells and a note each, for `scorecard_page.py` to show.

A cell is text, or a dict of text and how strongly it is coloured. Pure: reads and writes nothing.
"""

from pathlib import Path

from report_tables import NONE, join_words
from scorecard import excerpt
from scorecard_figures import NAMES, rows_word, show, source_label
from training_configs import SCORE_KEYS

EVIDENCE_COMMANDS = {
    "validation": "python quality_scorer.py --validate PAIRS",
    "corruptions": "python quality_scorer.py --corruptions FILE",
    "benchmark": "python benchmark.py scorer",
}


def data_name(config: dict) -> str:
    """The data's names without their folders."""
    data = config["data"] if isinstance(config["data"], list) else [config["data"]]
    names = [Path(name).name if name.startswith(("/", ".", "~")) else name for name in data]
    return excerpt(", ".join(names), 200)


def weights_words(weights: dict[str, float]) -> str:
    return ", ".join(f"{NAMES.get(name, name)} {weight:g}" for name, weight in weights.items())


def total_words(card: dict) -> str:
    """The weights of the total, that of instruction-following difficulty among them where it has one."""
    words, ifd = weights_words(card["weights"]), card["config"].get("ifd")
    if ifd and ifd["weight"]:
        words += f", instruction-following difficulty {ifd['weight']:g} by {data_name({'data': ifd['model']})}"
        words += " (left out where weights vary below)"
    return words


def same_rows(jaccard: float) -> str:
    """The share of rows that two choices of one size have in common, from their Jaccard overlap."""
    return f"{2 * jaccard / (1 + jaccard):.0%}"


def key_facts(card: dict) -> list[dict]:
    """The numbers at the top: {"value", "name", "note"}."""
    at = card["distribution"]["quality"]["percentiles"]
    length = card["length"]["rank_correlation"]["quality"]
    facts = [
        {
            "value": show(at["50"]),
            "name": "median total score",
            "note": f"80% of rows: {show(at['10'])} to {show(at['90'])}",
        },
        {
            "value": show(length["source_partialled_out"]),
            "name": "rank correlation of the total with length",
            "note": f"source partialled out; {show(length['raw'])} raw",
        },
    ]
    top = card["weight_sensitivity"]["top"]["10"]
    if top:
        note = f"mean Jaccard {show(top['mean'])}, worst of {len(top['jaccard'])} draws {show(top['min'])}"
        facts.append(
            {"value": same_rows(top["mean"]), "name": "of the best tenth stays when weights vary", "note": note}
        )
    validation, corruptions = card["evidence"]["validation"], card["evidence"]["corruptions"]
    if validation:
        rows, like = next(iter(validation["accuracy"].values())), validation["accuracy"].get("like length")
        note = f"on {data_name(validation['config'])}; length alone {rows['length alone']['accuracy']:.1%}"
        note += f"; pairs of like length {like['quality']['accuracy']:.1%}" if like else ""
        value = f"{rows['quality']['accuracy']:.1%}"
        facts.append({"value": value, "name": "of preferred answers score higher", "note": note})
    if corruptions and corruption_mean(corruptions) is not None:
        note = f"on {data_name(corruptions['config'])}, mean of {len(corruptions['kinds'])} kinds of damage"
        value = f"{corruption_mean(corruptions):.1%}"
        facts.append({"value": value, "name": "of originals beat their damaged copy", "note": note})
    return facts


def corruption_mean(corruptions: dict) -> float | None:
    rates = [entry["original_wins"] for entry in corruptions["kinds"] if entry["original_wins"] is not None]
    return sum(rates) / len(rates) if rates else None


WELL = 0.9  # an original should beat its damaged copy nine times in ten


def damage_cell(rate: float | None) -> dict:
    """Pale blue from WELL up; below it the more orange the nearer to chance."""
    return cell(rate, 0.3 if (rate or 0) >= WELL else ((rate or 0) - WELL) / (WELL - 0.5), 3)


def cell(value: float | None, heat: float = 0.0, digits: int = 2) -> dict:
    """A number and how strongly its cell is coloured, from -1 (orange) to 1 (blue): mildly."""
    heat = 0.0 if value is None else max(-1.0, min(1.0, heat))
    return {"text": show(value, digits), "heat": round(abs(heat) * 40), "tone": "low" if heat < 0 else "high"}


def distribution_table(card: dict) -> dict:
    percents = ["1", "10", "25", "50", "75", "90", "99"]
    cells = []
    for key in SCORE_KEYS:
        facts = card["distribution"][key]
        numbers = [facts["mean"], facts["sd"], *(facts["percentiles"][percent] for percent in percents)]
        cells.append([NAMES[key], *map(show, numbers)])
    headings = ["score", "mean", "sd", *("median" if percent == "50" else f"p{percent}" for percent in percents)]
    note = f"{rows_word(card['rows'])}; p10: 10% of the rows score lower."
    return {"title": "Distribution of the scores", "headings": headings, "cells": cells, "note": note}


def source_table(card: dict) -> dict:
    cells = [
        [source_label(entry), f"{entry['rows']:,}", *(show(entry["distribution"][key]["mean"]) for key in SCORE_KEYS)]
        for entry in card["by_source"]
    ]
    headings = ["source", "rows", *(f"mean {NAMES[key]}" for key in SCORE_KEYS)]
    note = "Largest sources first." + (" The smaller ones are taken together." if has_others(card) else "")
    return {"title": "Mean scores by source", "headings": headings, "cells": cells, "note": note}


def has_others(card: dict) -> bool:
    return card["by_source"][-1]["source"] is None


def correlation_table(card: dict) -> dict:
    names = [NAMES.get(name, name.replace("_", " ")) for name in card["correlation"]["names"]]
    matrix = card["correlation"]["spearman"]
    cells = [
        [name, *("" if row == column else cell(value, value or 0) for column, value in enumerate(values))]
        for row, (name, values) in enumerate(zip(names, matrix, strict=True))
    ]
    note = f"Spearman's rank correlation over {sample_words(card)}. {NONE}: does not vary."
    return {"title": "Rank correlations", "headings": ["", *names], "cells": cells, "note": note}


def sample_words(card: dict) -> str:
    sample = card["sample"]
    if sample["rows"] == sample["of"]:
        return "the one row" if sample["of"] == 1 else f"all {sample['of']:,} rows"
    return f"a sample of {sample['rows']:,} of {sample['of']:,} rows (seed {sample['seed']})"


def weight_table(card: dict) -> dict:
    """Overlaps of draws and of leaving a dimension out."""
    facts = card["weight_sensitivity"]
    cells = []
    for name in ("mean", "p5", "min"):
        words = {"mean": "weights drawn, mean", "p5": "weights drawn, 5th percentile", "min": "weights drawn, worst"}
        tops = [top and top[name] for top in facts["top"].values()]
        cells.append([words[name], *(cell(value, value or 0) for value in tops), NONE])
    for name, entry in facts["leave_one_out"].items():
        entry = entry or {"jaccard": dict.fromkeys(facts["top"]), "spearman": None}
        overlaps = [cell(value, value or 0) for value in entry["jaccard"].values()]
        cells.append([f"without {NAMES.get(name, name)}", *overlaps, show(entry["spearman"])])
    headings = [
        "weights",
        *(f"Jaccard, best {percent}%" for percent in facts["top"]),
        "rank correlation with the total",
    ]
    note = f"{sample_words(card).capitalize()}. {NONE}: not defined here, or a share of less than one row."
    return {"title": "Overlap with the default's best rows", "headings": headings, "cells": cells, "note": note}


def weight_lines(card: dict) -> list[str]:
    """`weight_table` for a terminal."""
    table = weight_table(card)
    rows = [[part["text"] if isinstance(part, dict) else part for part in row] for row in table["cells"]]
    lines = [table["title"], f"{'':32s}{'best 1%':>10s}{'best 10%':>10s}"]
    return lines + [f"{name:32s}{one:>10s}{ten:>10s}" for name, one, ten, _ in rows]


def evidence_tables(card: dict) -> list[dict]:
    """One entry a kind of evidence: heading, table or None, the command that makes it."""
    makers = {"validation": preference_table, "corruptions": corruptions_table, "benchmark": speed_table}
    headings = {
        "validation": "Does it pick the preferred answer?",
        "corruptions": "Does it see damage done to an answer?",
        "benchmark": "How fast is it?",
    }
    return [
        {
            "heading": headings[name],
            "table": make(card["evidence"][name], card) if card["evidence"][name] else None,
            "command": EVIDENCE_COMMANDS[name],
        }
        for name, make in makers.items()
    ]


def measured_on(evidence: dict, card: dict) -> str:
    """What the evidence was measured on, and a warning where that was another scorer than this page's."""
    config = evidence["config"]
    words = f"Measured on {data_name(config)}, scorer version {config['scorer_version']}."
    if config["scorer_version"] != card["config"]["scorer_version"]:
        words += f" The scores on this page are of version {card['config']['scorer_version']}: measure again."
    if config.get("weights", card["weights"]) != card["weights"]:
        words += f" Measured with other weights than this page's: {weights_words(config['weights'])}."
    return words


def preference_table(validation: dict, card: dict) -> dict:
    """Accuracy with its interval by score and set of pairs."""
    subsets = validation["accuracy"]
    cells = []
    for name in next(iter(subsets.values())):
        rows = [rows[name] for rows in subsets.values()]
        shown = [f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" for row in rows]
        cells.append([NAMES.get(name, name), *shown])
    pairs = [next(iter(rows.values()))["pairs"] for rows in subsets.values()]
    headings = ["score", *(f"{name} ({count:,} pairs)" for name, count in zip(subsets, pairs, strict=True))]
    effect = validation.get("partial_effect")
    note = "Share of pairs whose preferred answer scores higher, ties half, with 95% interval over instructions."
    if effect:
        shown = [
            f"{name.replace('_', ' ')} {show(row['coefficient'])} (standard error {show(row['standard_error'])})"
            for name, row in effect.items()
        ]
        note += f" Logistic fit of preference on both differences, each in its root mean square: {join_words(shown)}."
    note = f"{note} {measured_on(validation, card)}"
    return {"title": "Preferred answers", "headings": headings, "cells": cells, "note": note}


def corruptions_table(corruptions: dict, card: dict) -> dict:
    """How often the original beats its damaged copy, by kind and words of the original."""
    kinds = corruptions["kinds"]
    starts = list(kinds[0]["by_length"])
    cells = []
    for entry in kinds:
        rates = [entry["original_wins"], *entry["by_length"].values()]
        shown = [damage_cell(rate) for rate in rates]
        cells.append([entry["kind"].replace("_", " "), f"{entry['rows']:,}", *shown])
    mean = corruption_mean(corruptions)
    cells.append(["mean of kinds", "", damage_cell(mean), *("" for _ in starts)])
    ends = [f"\u2060–\u2060{int(following) - 1}" for following in starts[1:]]  # no line breaks at the dash
    headings = ["damage", "rows", "all", *(f"{a}{b}" for a, b in zip(starts, [*ends, "+"], strict=True))]
    note = (
        "Share of originals that score higher than their damaged copy, ties half (0.5: chance), in all and by words of "
        f"the original. Blue from {WELL}, orange below. {measured_on(corruptions, card)}"
    )
    return {"title": "Damaged copies", "headings": headings, "cells": cells, "note": note}


def speed_table(benchmark: dict, card: dict) -> dict:
    """Rows per second beside references of the same run."""
    counts, entries = benchmark["config"]["process_counts"], benchmark["contenders"]
    cells = []
    for entry in entries:
        runs = [entry.get(f"processes_{count}") for count in counts]
        memory = max((run["peak_memory_gib"] for run in runs if run), default=None)
        rates = [f"{run['rows_per_second']:,.0f}" if run else NONE for run in runs]
        rates[0] = entry["missing"] or rates[0]
        cells.append([entry["name"], *rates, show(memory)])
    headings = [
        "measured",
        *(f"rows/s, {count} process{'es' * (count > 1)}" for count in counts),
        "peak GiB of a process",
    ]
    config = benchmark["config"]
    note = (
        f"{config['rows']:,} rows, {benchmark['response_bytes_per_row']:,.0f} bytes a response, median of "
        f"{config['rounds']} round{'s' * (config['rounds'] > 1)}; compare within the table. "
        f"{measured_on(benchmark, card)}"
    )
    return {"title": "Speed", "headings": headings, "cells": cells, "note": note}
