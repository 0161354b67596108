"""The scorecard as files: one page that needs nothing beside it, and the JSON that it is made from.

Reads  a scored table; <results>/scorer/validation.json, corruptions.json, <results>/benchmark/scorer.json where made
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
    read_json,
    require_apart,
    require_writable,
    write_json,
    write_text,
)
from corpus_shards import ShardedRows
from report_pages import render_page
from scorecard import SCORECARD_VERSION, make_scorecard
from scorecard_figures import NAMES, draw_figures, rows_word
from scorecard_tables import (
    correlation_table,
    data_name,
    distribution_table,
    evidence_tables,
    has_others,
    key_facts,
    same_rows,
    sample_words,
    source_table,
    total_words,
    weight_table,
)

EVIDENCE_FILES = {
    "validation": "scorer/validation.json",
    "corruptions": "scorer/corruptions.json",
    "benchmark": "benchmark/scorer.json",
}


# ---------------------------------------------------------------------------------------------------------------------
# Files


def page_path(text: str, inputs: list[str]) -> Path:
    """Where the page goes; the JSON stands beside it. Raises UserError where that is impossible, or would replace one
    of the `inputs`."""
    path = Path(text)
    if path.suffix != ".html":
        raise UserError(f"--scorecard {text}: the name of a page ends in .html; the JSON goes beside it")
    for file in (path, path.with_suffix(".json")):
        for data in inputs:
            require_apart("--scorecard", file, data)
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
        if content:
            content.pop("provenance", None)
        evidence[name] = content
    return evidence


def write_scorecard(path: Path, table, evidence: dict, config: dict, inputs: dict[str, str]) -> dict:
    """Write PATH.html and PATH.json of a scored table, and return what the JSON holds. `config` holds data,
    scorer_version and weights at least."""
    started = time.time()
    marker = path.with_suffix(".json")
    clear(marker, path)
    card = make_scorecard(table, config["weights"], evidence)
    card = {"config": config, "provenance": provenance(started, inputs)} | card
    write_text(path, scorecard_html(card))
    write_json(marker, card)
    return card


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
    write_scorecard(path, ShardedRows.of_folder(results / "scores"), evidence, config, inputs)
    return f"scorecard: {path}"


# ---------------------------------------------------------------------------------------------------------------------
# HTML


def scorecard_html(card: dict) -> str:
    """The page. The SVG comes escaped from matplotlib."""
    from markupsafe import Markup

    figures = draw_figures(card)
    for panel in [panel for panels in figures.values() for panel in panels]:
        panel["svg"] = Markup(panel["svg"])
    return render_page(
        SCORECARD_STYLE + BODY,
        title=f"Scorecard: {data_name(card['config'])}",
        card=card,
        names=NAMES,
        figures=figures,
        facts=key_facts(card),
        dimensions=DIMENSION_WORDS,
        weights=total_words(card),
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
@media print {
  :root { --line: #ccc; --cold: #0072b2; --warm: #d55e00; --total: #3b4250; --dimension-1: #0072b2;
    --dimension-2: #d55e00; --dimension-3: #009e73; --dimension-4: #cc79a7; } }
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
  .facts { grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); } .facts li { padding: .4rem .5rem; }
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
<div class="text empty">nothing to see</div>
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
{% if card.sources > 1 %}
<section>
<h2>By source</h2>
{{ show_panels(figures.by_source) }}
<p class="note">Thick: the middle half of a source's rows; thin: 80% of them; mark: the median.
{{- ' The 12 largest sources; the others are taken together.' if has_others }}</p>
{{ show_table(tables.by_source) }}
</section>
{% endif %}
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
· {{ '{:,}'.format(row.response_words) }} word{{ 's' if row.response_words != 1 }}</span></h4>
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
