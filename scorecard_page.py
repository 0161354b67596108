"""The scorecard as files: one page that needs nothing beside it, and the JSON that it is made from.

Reads  a scored table; <results>/scores/validation.json, corruptions.json, <results>/benchmark/scorer.json where made
Writes PATH.html and PATH.json, the JSON last

    python quality_scorer.py FILE --scorecard PATH.html     of any data file
    python filter_datasets.py                               results/scores/scorecard.html
"""

import time
from pathlib import Path

from common import (
    UserError,
    clear,
    hash_json,
    provenance,
    read_arrow,
    read_json,
    require_writable,
    write_json,
    write_text,
)
from report_pages import HEAD, STYLE_SHEET, join_words
from report_tables import NONE
from scorecard import SCORE_COLUMNS, SCORECARD_VERSION, excerpt, make_scorecard
from scorecard_figures import NAMES, draw_figures, rows_word, show, source_label

EVIDENCE_FILES = {
    "validation": "scores/validation.json",
    "corruptions": "scores/corruptions.json",
    "benchmark": "benchmark/scorer.json",
}
EVIDENCE_COMMANDS = {
    "validation": "python quality_scorer.py --validate PAIRS",
    "corruptions": "python quality_scorer.py --corruptions FILE",
    "benchmark": "python benchmark.py scorer",
}


# ---------------------------------------------------------------------------------------------------------------------
# Files


def page_path(text: str) -> Path:
    """Where the page goes; the JSON stands beside it. Raises UserError where that cannot be."""
    path = Path(text)
    if path.suffix != ".html":
        raise UserError(f"--scorecard {text}: the name of a page ends in .html; the JSON goes beside it")
    try:
        require_writable(path.parent)
    except UserError as error:
        raise UserError(f"--scorecard {text}: cannot write to {path.parent}") from error
    return path


def read_evidence(results) -> dict[str, dict | None]:
    """What the scorer's commands measured, by name, without its provenance; None where it was not measured."""
    evidence = {}
    for name, file in EVIDENCE_FILES.items():
        path = Path(results) / file
        content = read_json(path) if path.exists() else None
        evidence[name] = content and {key: value for key, value in content.items() if key != "provenance"}
    return evidence


def write_scorecard(path: Path, table, evidence: dict, config: dict, inputs: dict[str, str]) -> None:
    """Write PATH.html and PATH.json of a scored table. `config` holds data, scorer_version and weights at least."""
    started = time.time()
    marker = path.with_suffix(".json")
    clear(marker, path)
    card = make_scorecard(table, config["weights"], evidence)
    card = {"config": config, "provenance": provenance(started, inputs)} | card
    write_text(path, scorecard_html(card))
    write_json(marker, card)


def refresh_scorecard(results: Path, scores: dict) -> str:
    """Make <results>/scores/scorecard.html unless that of these scores and this evidence is there; says what it did.

    `scores` is the content of scores.json. A rebuild of scores/ takes the scorecard away with the folder."""
    path = results / "scores" / "scorecard.html"
    evidence = read_evidence(results)
    config = {
        "data": scores["config"]["dataset"],
        "scorer_version": scores["scorer"]["version"],
        "weights": scores["scorer"]["weights"],
        "scorecard_version": SCORECARD_VERSION,
        "content_hash": scores["content_hash"],
        "evidence_hash": hash_json(evidence),
    }
    marker = path.with_suffix(".json")
    if path.exists() and marker.exists() and read_json(marker).get("config") == config:
        return f"scorecard: {path} is already done"
    inputs = {"scores": scores["content_hash"]}
    write_scorecard(path, read_arrow(results / "scores"), evidence, config, inputs)
    return f"scorecard: {path}"


# ---------------------------------------------------------------------------------------------------------------------
# Words and tables


def data_name(config: dict) -> str:
    """The data's names without their folders."""
    data = config["data"] if isinstance(config["data"], list) else [config["data"]]
    names = [Path(name).name if name.startswith(("/", ".", "~")) else name for name in data]
    return excerpt(", ".join(names), 200)


def weights_words(weights: dict[str, float]) -> str:
    return ", ".join(f"{NAMES.get(name, name)} {weight:g}" for name, weight in weights.items())


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
        note = f"length alone {rows['length alone']['accuracy']:.1%}"
        note += f"; pairs of like length {like['quality']['accuracy']:.1%}" if like else ""
        value = f"{rows['quality']['accuracy']:.1%}"
        facts.append({"value": value, "name": "of preferred answers score higher", "note": note})
    if corruptions and corruption_mean(corruptions) is not None:
        value, kinds = f"{corruption_mean(corruptions):.1%}", f"mean of {len(corruptions['kinds'])} kinds of damage"
        facts.append({"value": value, "name": "of originals beat their damaged copy", "note": kinds})
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
    for key in SCORE_COLUMNS:
        facts = card["distribution"][key]
        numbers = [facts["mean"], facts["sd"], *(facts["percentiles"][percent] for percent in percents)]
        cells.append([NAMES[key], *map(show, numbers)])
    headings = ["score", "mean", "sd", *("median" if percent == "50" else f"p{percent}" for percent in percents)]
    note = f"{rows_word(card['rows'])}; p10: 10% of the rows score lower."
    return {"title": "Distribution of the scores", "headings": headings, "cells": cells, "note": note}


def source_table(card: dict) -> dict:
    cells = [
        [
            source_label(entry),
            f"{entry['rows']:,}",
            *(show(entry["distribution"][key]["mean"]) for key in SCORE_COLUMNS),
        ]
        for entry in card["by_source"]
    ]
    headings = ["source", "rows", *(f"mean {NAMES[key]}" for key in SCORE_COLUMNS)]
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


# ---------------------------------------------------------------------------------------------------------------------
# HTML


def scorecard_html(card: dict) -> str:
    """The page. Everything from data is escaped by the template engine; the SVG comes escaped from matplotlib."""
    import jinja2
    from markupsafe import Markup

    strict = {"autoescape": True, "undefined": jinja2.StrictUndefined}
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, **strict)
    figures = draw_figures(card)
    for panel in [panel for panels in figures.values() for panel in panels]:
        panel["svg"] = Markup(panel["svg"])
    return environment.from_string(HEAD + STYLE_SHEET + SCORECARD_STYLE + BODY).render(
        title=f"Scorecard: {data_name(card['config'])}",
        card=card,
        names=NAMES,
        figures=figures,
        facts=key_facts(card),
        dimensions=DIMENSION_WORDS,
        weights=weights_words(card["weights"]),
        sample=sample_words(card),
        same_rows=same_rows,
        rows_word=rows_word,
        tables={
            "distribution": distribution_table(card),
            "by_source": source_table(card),
            "correlation": correlation_table(card),
            "weights": weight_table(card),
        },
        has_others=has_others(card),
        evidence=evidence_tables(card),
    )


DIMENSION_WORDS = {
    "clarity": "what is asked is clear, specific and well formed, and the answer readable",
    "response_quality": "the answer is on the point, complete, coherent and fluent, without loops, padding or refusal",
    "diversity": "the answer's vocabulary is varied, the ask's template and topic uncommon in its corpus",
    "complexity": "reasoning steps, technical content, knowledge brought together, constraints in the ask",
}

SCORECARD_STYLE = """
:root { --total: #3b4250; --dimension-1: #0072b2; --dimension-2: #d55e00; --dimension-3: #009e73;
  --dimension-4: #cc79a7; --cold: #0072b2; --warm: #d55e00; }
@media (prefers-color-scheme: dark) {
  :root { --total: #c3c8d2; --dimension-1: #5db3ea; --dimension-2: #ff8a3d; --dimension-3: #35c79b;
    --dimension-4: #e59cc4; --cold: #3b8fd0; --warm: #d9772f; } }
@media print { :root { --line: #ccc; --cold: #0072b2; --warm: #d55e00; --total: #3b4250; --dimension-1: #0072b2; --dimension-2: #d55e00; --dimension-3: #009e73;
  --dimension-4: #cc79a7; } }
.lead { font-size: 1.02rem; border-left: .3rem solid var(--line); padding-left: .9rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .6rem; padding: 0;
  margin: 1.2rem 0; list-style: none; }
.facts li { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .9rem;
  line-height: 1.35; }
.facts b { display: block; font-size: 1.55rem; font-variant-numeric: tabular-nums; line-height: 1.3; }
.facts span { display: block; color: var(--soft); font-size: .82rem; }
.dimensions { padding: 0; list-style: none; }
.dimensions li { padding-left: 1.1rem; text-indent: -1.1rem; }
.dimensions li::before { content: ""; display: inline-block; width: .7rem; height: .7rem; margin-right: .4rem;
  border-radius: .15rem; background: var(--color); }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: .9rem 1.2rem;
  margin: 1rem 0; }
.panels figure { margin: 0; }
.panels h3 { margin: 0 0 .2rem; font-size: .9rem; }
.panels svg { display: block; width: 100%; height: auto; overflow: visible; font-family: inherit; }
.panels svg * { stroke-linejoin: round; stroke-linecap: butt; }
td[style] { background: color-mix(in srgb, var(--tone) var(--heat), var(--page)); }
.high { --tone: var(--cold); } .low { --tone: var(--warm); }
.rows { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(27rem, 100%), 1fr)); gap: 1rem;
  align-items: start; }
.row { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem;
  min-width: 0; }
.row h4 { display: flex; justify-content: space-between; gap: .8rem; margin: 0; font-size: 1.05rem; }
.row h4 span { color: var(--soft); font-weight: 400; font-size: .82rem; text-align: right; min-width: 0;
  overflow-wrap: anywhere; }
.meters { display: grid; grid-template-columns: repeat(2, 1fr); gap: .15rem .9rem; margin: .4rem 0 .6rem; padding: 0;
  list-style: none; font-size: .8rem; font-variant-numeric: tabular-nums; }
.meters li { display: flex; justify-content: space-between; background: linear-gradient(var(--color), var(--color))
  left bottom / var(--share) 3px no-repeat, linear-gradient(var(--line), var(--line)) left bottom / 100% 3px no-repeat;
  padding-bottom: 4px; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .86rem; line-height: 1.45; max-height: 24rem;
  overflow: auto; margin: .2rem 0 .6rem; unicode-bidi: isolate; }
.text.empty { color: var(--soft); font-style: italic; }
.row p.label { margin: 0; color: var(--soft); font-size: .74rem; letter-spacing: .04em; text-transform: uppercase; }
.clarity { --color: var(--dimension-1); } .response_quality { --color: var(--dimension-2); }
.diversity { --color: var(--dimension-3); } .complexity { --color: var(--dimension-4); }
.missing { border: 1px dashed var(--line); border-radius: .4rem; padding: .6rem .9rem; }
@media print {
  .panels { grid-template-columns: repeat(2, 1fr); } .rows { grid-template-columns: repeat(2, 1fr); }
  .facts { grid-template-columns: repeat(5, 1fr); } .facts li { padding: .4rem .5rem; }
  .row, .panels figure, .facts li, .scroll { break-inside: avoid; } .text { max-height: none; overflow: visible; }
  .facts li, td[style], .meters li, .dimensions li::before { print-color-adjust: exact; }
}
"""

BODY = """</style>
</head>
<body>
{% macro show_table(table) %}
<div class="scroll" role="region" aria-label="{{ table.title }}" tabindex="0"><table>
<thead><tr>{% for heading in table.headings %}<th scope="col">{{ heading }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.cells %}
<tr><th scope="row">{{ row[0] }}</th>
{%- for cell in row[1:] %}
{% if cell is mapping %}<td class="{{ cell.tone }}" style="--heat: {{ cell.heat }}%">{{ cell.text }}</td>
{%- else %}<td>{{ cell }}</td>{% endif %}
{% endfor %}
</tr>
{% endfor %}
</tbody></table></div>
<p class="note">{{ table.note }}</p>
{% endmacro %}
{% macro show_panels(panels) %}
<div class="panels">
{% for panel in panels %}
<figure role="img" aria-label="{{ panel.alt }}"><h3>{{ panel.title }}</h3>{{ panel.svg }}</figure>
{% endfor %}
</div>
{% endmacro %}
{% macro show_text(label, text) %}
<p class="label">{{ label }}</p>
{% if text %}
<div class="text" dir="auto" tabindex="0">{{ text }}</div>
{% else %}
<div class="text empty">empty</div>
{% endif %}
{% endmacro %}
<main>
<h1>{{ title }}</h1>
<p class="scale">{{ rows_word(card.rows) }} from {{ '{:,}'.format(card.sources) }}
source{{ 's' if card.sources != 1 }}. Scorer version {{ card.config.scorer_version }}; weights: {{ weights }}.</p>
<p class="lead"><strong>What the scores are, and are not.</strong> Each row, an instruction with its response, gets four
scores between 0 and 1 and their weighted mean, the total. They are computed from the text alone, by rules and counts:
no model, no network. They tell how a row reads. They cannot see that a fluent answer is wrong, whether a claim is true,
or what a reader would have needed; compare rows with them, and read some before you trust them.</p>
<ul class="facts" aria-label="Key numbers">
{% for fact in facts %}
<li><b>{{ fact.value }}</b>{{ fact.name }}<span>{{ fact.note }}</span></li>
{% endfor %}
</ul>
<ul class="dimensions" aria-label="The four dimensions">
{% for key, words in dimensions.items() %}
<li class="{{ key }}"><strong>{{ names[key] | capitalize }}</strong>: {{ words }}.</li>
{% endfor %}
</ul>
<section>
<h2>How the scores are spread</h2>
{{ show_panels(figures.distribution) }}
<p class="note">Share of the rows by score; dashed: the median.</p>
{{ show_table(tables.distribution) }}
</section>
<section>
<h2>By source</h2>
{{ show_panels(figures.by_source) }}
<p class="note">Thick: the middle half of a source's rows; thin: 80% of them; mark: the median.
{{- ' The 12 largest sources; the others are taken together.' if has_others }}</p>
{{ show_table(tables.by_source) }}
</section>
<section>
<h2>Do the dimensions say different things?</h2>
{{ show_table(tables.correlation) }}
</section>
<section>
<h2>Is it only length?</h2>
<p>A good answer may need more words than a bad one; a score that only counted words would rise along the whole
line. With the source partialled out, the correlation leaves aside that some sources are both longer and better.</p>
{{ show_panels(figures.length) }}
<p class="note">Line: the median of rows of about so many words; band: 80% of them. Rank correlation: open marks raw,
full ones with the source partialled out. Bins of fewer than 20 rows are not
drawn where there are larger ones. Over {{ sample }}; words are counted between white space, so that a text in a script
without spaces counts as few.</p>
</section>
<section>
<h2>Does the choice of weights matter?</h2>
{% set sensitivity = card.weight_sensitivity %}
<p>{{ sensitivity.draws }} sets of weights are drawn around the default (Dirichlet, concentration
{{ '%g' % sensitivity.concentration }}): {{ sensitivity.spread.words }}, about as far as people who agree on the
dimensions might disagree on their weight. The best rows under each are compared with the default's: the Jaccard overlap
is the rows in both choices over the rows in either.
{% for percent, top in sensitivity.top.items() if top %}
Of the best {{ percent }}%, {{ same_rows(top.mean) }} of the rows stay on average (overlap {{ '%.2f' % top.mean }}).
{% endfor %}
Then each dimension is left out in turn.</p>
{{ show_panels(figures.weights) }}
<p class="note">Grey dots: one draw each, the mark their mean; dashed: two choices by chance. Weights: the default as
a mark, 90% of the drawn ones as a line.</p>
{{ show_table(tables.weights) }}
</section>
<section>
<h2>Evidence</h2>
{% for item in evidence %}
<h3>{{ item.heading }}</h3>
{% if item.table %}
{{ show_table(item.table) }}
{% else %}
<p class="missing">Not measured yet. This makes it: <code>{{ item.command }}</code></p>
{% endif %}
{% endfor %}
</section>
<section>
<h2>Rows to read</h2>
<p>Ranked by the total, excerpts. So that there is something to compare, at most
{{ card.rows_to_read.at_most_of_one_source }} of each group are of one source and no instruction stands twice, as far as
the rows near that place in the ranking allow: ranks are skipped.</p>
{% for group, heading in [('best', 'Best'), ('middle', 'Around the median'), ('worst', 'Worst')] %}
{% if card.rows_to_read[group] %}
<h3>{{ heading }}</h3>
<div class="rows">
{% for row in card.rows_to_read[group] %}
<article class="row">
<h4>{{ '%.3f' % row.quality }} <span>rank {{ '{:,}'.format(row.rank) }} · {{ row.source or '(no name)' }} · {{ row.id }}
· {{ '{:,}'.format(row.response_words) }} words</span></h4>
<ul class="meters">
{% for key in dimensions %}
<li class="{{ key }}" style="--share: {{ '%.0f' % (100 * row[key]) }}%"><span>{{ names[key] }}</span><span>
{{- '%.2f' % row[key] }}</span></li>
{% endfor %}
</ul>
{{ show_text('Instruction', row.instruction) }}
{{ show_text('Response', row.response) }}
</article>
{% endfor %}
</div>
{% endif %}
{% endfor %}
</section>
<section>
<h2>Where the numbers come from</h2>
<p>Every number on this page, and more percentiles, stands in the JSON file beside it. Scores and rows to read are of
all rows; correlations, length and weights of {{ sample }}.</p>
<p class="note">Commit <span class="hash">{{ (card.provenance.git_commit or 'unknown')[:12] }}</span>
{{- ', with uncommitted changes' if card.provenance.git_dirty }}; Python {{ card.provenance.python }};
{% for name, hash in card.provenance.inputs.items() %}
{{ name.split('/') | last }} <span class="hash">{{ hash[:12] }}</span>
{% endfor %}</p>
</section>
</main>
</body>
</html>
"""
