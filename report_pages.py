"""The report: the verdict in words, report.html (one self-contained page), report.md, summary.md.

Reads  the analysis (verdict.json's content), its tables and figures; `analyze_results.py` calls it.
Writes <output>/report.html with the figures inside it, report.md beside figures/, and summary.md, the headline block.
"""

import base64
from pathlib import Path

from common import write_text
from report_sentences import glossary, lead_sentences, left_out_sentences, limits, missing_sentences, not_run_sentences
from report_tables import (
    DEMO_NOTE,
    FAMILIES,
    capital,
    contrasts_name,
    markdown_table,
    markdown_text,
    model_words,
    summary_table,
    text_table,
    wordy_columns,
)
from training_configs import MODEL_FAMILIES

# ---------------------------------------------------------------------------------------------------------------------
# Terminal and Markdown


def terminal_text(analysis: dict) -> str:
    """One table and the verdict, with what was left out between them."""
    table = summary_table(analysis)
    blocks = [text_table(table["headings"], table["cells"]), table["note"]] if table["cells"] else []
    left_out = left_out_sentences(analysis)
    blocks += ["\n".join(["left out:", *left_out])] if left_out else []
    return "\n\n".join([*blocks, " ".join(lead_sentences(analysis))]) + "\n"


def summary_markdown(analysis: dict) -> str:
    """The headline block: the answer, one table with intervals, the scale."""
    lead = [bold_verdict(markdown_text(sentence)) for sentence in lead_sentences(analysis)]
    table = summary_table(analysis)
    note = markdown_table(table) if table["cells"] else f"*{markdown_text(table['note'])}*\n"
    return "\n\n".join([*lead, *map(markdown_text, missing_sentences(analysis)), note])


def bold_verdict(sentence: str) -> str:
    """The verdict word that a sentence starts with in bold."""
    for verdict in ("Supported", "Refuted", "Inconclusive", "Not tested", "Not fully tested"):
        if sentence.startswith(verdict):
            return sentence.replace(verdict, f"**{verdict}**", 1)
    return sentence


def report_markdown(analysis: dict, tables: list[dict], figures: list[dict]) -> str:
    words = "\n".join(f"- **{markdown_text(term)}**: {markdown_text(text)}" for term, text in glossary(analysis))
    blocks = [f"# {title_of(analysis)}", summary_markdown(analysis), f"## Words used here\n\n{words}"]
    for heading, items in by_section(tables, figures).items():
        blocks.append(f"## {heading}")
        blocks += [
            f"### {figure['title']}\n\n![{markdown_text(figure['alt'])}](figures/{figure['name']}.png)\n\n"
            f"*{markdown_text(figure['caption'])}*"
            for figure in items["figures"]
        ]
        blocks += [f"### {table['title']}\n\n{markdown_table(table)}" for table in items["tables"]]
    lists = {
        "Limits": limits(analysis),
        "Left out": left_out_sentences(analysis),
        "Not run": not_run_sentences(analysis),
    }
    for heading, sentences in lists.items():
        if sentences:
            blocks.append(f"## {heading}\n\n" + "\n".join(f"- {markdown_text(sentence)}" for sentence in sentences))
    return "\n\n".join(block.rstrip() for block in blocks) + "\n"


def title_of(analysis: dict) -> str:
    claim = analysis["config"]["claim"]
    return f"Does {claim['ultra']} do {claim['retention']:.0%} of what {claim['medium']} does?"


# ---------------------------------------------------------------------------------------------------------------------
# HTML


def write_pages(analysis: dict, tables: list[dict], figures: list[dict], output: Path) -> None:
    write_text(output / "summary.md", summary_markdown(analysis))
    write_text(output / "report.md", report_markdown(analysis, tables, figures))
    samples = "generations.html" if (output / "generations.html").exists() else None
    write_text(output / "report.html", report_html(analysis, tables, figures, samples))


def report_html(analysis: dict, tables: list[dict], figures: list[dict], samples: str | None = None) -> str:
    """One self-contained page, which links to `samples` where it is given."""
    embedded = [{**figure, "source": svg_source(figure["svg"])} for figure in figures]
    return render_page(
        BODY,
        title=title_of(analysis),
        analysis=analysis,
        lead=lead_sentences(analysis),
        missing=missing_sentences(analysis),
        words=glossary(analysis),
        samples=samples,
        summary=summary_table(analysis),
        sections=by_section(tables, embedded),
        limits=limits(analysis),
        left_out=left_out_sentences(analysis),
        not_run=not_run_sentences(analysis),
        capital=capital,
        demo_note=DEMO_NOTE,
        model_words=model_words,
        wordy=wordy_columns,
    )


def render_page(body: str, **values) -> str:
    """A page in the common style from the template of its body. What comes from data, the template engine escapes."""
    import jinja2

    strict = {"autoescape": True, "undefined": jinja2.StrictUndefined}
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, **strict)
    return environment.from_string(HEAD + STYLE_SHEET + body).render(**values)


# Each section with the names of its tables and figures, less the size that a figure's name ends in.
SECTIONS = {
    "How much of the gain is kept": ["retention", "retention_by_source", "performance"],
    "Is it quality, or only luck, length or more passes?": [
        "equal_rows",
        *map(contrasts_name, FAMILIES),
        "dose_response",
        "dose_response_bands",
        "dose_response_tiers_100k",
    ],
    "The trade of quality against quantity": ["tradeoff", "exchange_rate", "curves", "rank_correlation"],
    "What it costs": ["pareto", "budget", "cost", "efficiency"],
    "Does the score predict which rows are useful?": ["score_bands", "score_dimensions", "quality_bands"],
    "What the models do": ["task_families", "generation"],
    "Training and data": ["loss_curves", "score_distributions", "subsets", "runs"],
}


def by_section(tables: list[dict], figures: list[dict]) -> dict:
    """{heading: {"figures", "tables"}} of the sections that have any."""
    sections = {heading: {"figures": [], "tables": []} for heading in SECTIONS}
    for kind, items in (("figures", figures), ("tables", tables)):
        for item in items:
            sections[heading_of(item["name"])][kind].append(item)
    return {heading: items for heading, items in sections.items() if items["figures"] or items["tables"]}


def heading_of(name: str) -> str | None:
    """The section that a table or figure of this name belongs to; None where the analysis writes none such."""
    size = name.rpartition("_")[2]
    bare = name.removesuffix(f"_{size}") if any(size in sizes for sizes in MODEL_FAMILIES.values()) else name
    return next((heading for heading, names in SECTIONS.items() if bare in names), None)


def svg_source(path: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<style>"""
STYLE_SHEET = """
:root { --ink: #1c1e21; --soft: #55595f; --page: #ffffff; --card: #f5f6f8; --line: #d5d8dd; --link: #0b57a4;
  --supported: #00694d; --refuted: #a33c00; --inconclusive: #5b5470; --untested: #55595f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e7ea; --soft: #a9adb5; --page: #15171a; --card: #1f2226; --line: #3a3e45; --link: #8ab8f0;
    --supported: #5fd3ae; --refuted: #ff9d66; --inconclusive: #c4b8e8; --untested: #a9adb5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 1.2rem 1rem 4rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .6rem 0; text-wrap: balance; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p, li { max-width: 46rem; }
a { color: var(--link); }
.scale { color: var(--soft); margin: 0 0 1rem; }
.demo { border: 2px dashed var(--refuted); border-radius: .5rem; padding: .6rem .9rem; max-width: none; }
.verdicts { display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; margin: 1rem 0; list-style: none; }
.verdicts li { background: var(--card); border: 1px solid var(--line); border-left: .35rem solid var(--tone);
  border-radius: .4rem; padding: .5rem .9rem; flex: 1 1 12rem; max-width: 24rem; }
.verdicts b { display: block; color: var(--tone); font-size: 1.15rem; }
.verdicts span { color: var(--soft); font-size: .85rem; }
.supported { --tone: var(--supported); } .refuted { --tone: var(--refuted); }
.inconclusive { --tone: var(--inconclusive); } .untested { --tone: var(--untested); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .84rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .55rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
tbody th { font-weight: 500; }
thead th { background: var(--card); white-space: normal; vertical-align: bottom; }
td.words { white-space: normal; min-width: 16rem; } td.words, th.words { text-align: left; }
tbody tr:last-child > * { border-bottom: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; max-width: 46rem; margin: .6rem 0; }
dt { font-weight: 600; } dd { margin: 0; }
@media (max-width: 36rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin: 0 0 .5rem; } }
.note, figcaption { color: var(--soft); font-size: .84rem; max-width: 46rem; margin: .4rem 0 1.2rem; }
figure { margin: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: .6rem 1.6rem;
  align-items: start; }
figure .plate { background: #ffffff; padding: .4rem; border: 1px solid var(--line); border-radius: .4rem; }
figure img { display: block; width: 100%; max-width: 34rem; margin: 0 auto; height: auto; }
.lead { font-size: 1.12rem; }
code { font-size: .9em; background: var(--card); padding: .05em .3em; border-radius: .2rem; }
details { margin: .6rem 0; } summary { cursor: pointer; }
.hash { font-family: ui-monospace, monospace; font-size: .78rem; }
@media print {
  :root { --ink: #000; --soft: #333; --page: #fff; --card: #f2f2f2; --line: #999; }
  html { font-size: 9.5pt; } body { max-width: none; padding: 0; } p, li, dl, .note { max-width: none; }
  h2 { margin-top: 1.4rem; } h3 { margin-top: 1rem; }
  .scroll { overflow: visible; border: 0; } .figures { grid-template-columns: 1fr 1fr; }
  table { font-size: 7pt; } th, td { white-space: normal; padding: .15rem .3rem; } td.words { min-width: 0; }
  figure, tr, .verdicts li { break-inside: avoid; } h2, h3 { break-after: avoid; }
}
"""
BODY = """</style>
</head>
<body>
{% macro show_table(table) %}
<div class="scroll" role="region" aria-label="{{ table.title }}" tabindex="0"><table>
<thead><tr>{% for heading in table.headings %}
<th scope="col"{{ ' class="words"' | safe if loop.index0 in wordy(table) }}>{{ heading }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.cells %}
<tr><th scope="row">{{ row[0] }}</th>
{%- for cell in row[1:] %}<td{{ ' class="words"' | safe if loop.index in wordy(table) }}>{{ cell }}</td>{% endfor %}
</tr>
{% endfor %}
</tbody></table></div>
<p class="note">{{ table.note }}</p>
{% endmacro %}
<main>
<h1>{{ title }}</h1>
<p class="scale">{{ capital(analysis.scale_label) }}. {{ analysis.runs | length }} runs compared.</p>
{% if 'SIMULATED' in analysis.scale_label %}
<p class="demo"><strong>Simulated numbers: they test the analysis and are no result.</strong></p>
{% endif %}
<p class="lead"><strong>{{ lead[0] }}</strong> {{ lead[1] }}</p>
{% for size, summary in analysis.sizes.items() if summary.demo %}
<p class="demo"><strong>Size {{ size }}: {{ demo_note }}.</strong></p>
{% endfor %}
<ul class="verdicts" aria-label="Verdict by model size">
{% for size, summary in analysis.sizes.items() %}
<li class="{{ 'untested' if summary.verdict == 'not tested' else summary.verdict }}">{{ size }}
<b>{{ summary.verdict | capitalize }}</b>
<span>{{ model_words(summary) or 'no runs' }}</span></li>
{% endfor %}
</ul>
{% if summary.cells %}
{{ show_table(summary) }}
{% endif %}
{% for sentence in missing %}
<p>{{ sentence }}</p>
{% endfor %}
<section>
<h2>Words used here</h2>
<dl>
{% for term, meaning in words %}
<dt>{{ term }}</dt><dd>{{ meaning }}</dd>
{% endfor %}
</dl>
</section>
{% for heading, content in sections.items() %}
<section>
<h2>{{ heading }}</h2>
{% if content.figures %}
<div class="figures">
{% for figure in content.figures %}
<figure>
<h3>{{ figure.title }}</h3>
<div class="plate"><img src="{{ figure.source }}" alt="{{ figure.alt }}"></div>
<figcaption>{{ figure.caption }}</figcaption>
</figure>
{% endfor %}
</div>
{% endif %}
{% for table in content.tables %}
<h3>{{ table.title }}</h3>
{{ show_table(table) }}
{% endfor %}
</section>
{% endfor %}
{% if samples %}
<section>
<h2>Read what the models wrote</h2>
<p><a href="{{ samples }}">The sample browser</a> shows their answers side by side.</p>
</section>
{% endif %}
<section>
<h2>Limits</h2>
<ul>{% for point in limits %}<li>{{ point }}</li>{% endfor %}</ul>
</section>
{% for heading, points in [('Left out', left_out), ('Planned and not run', not_run)] if points %}
<section>
<h2>{{ heading }}</h2>
<ul>{% for point in points %}<li>{{ point }}</li>{% endfor %}</ul>
</section>
{% endfor %}
<section>
<h2>Where the numbers come from</h2>
<p>Every number, with its interval, n and method, stands in <code>verdict.json</code> beside this page; the tables in
<code>tables/</code>, the figures in <code>figures/</code>. Bounds and intervals come from a bootstrap of
{{ '{:,}'.format(analysis.config.claim.bootstrap_draws) }} draws, the same for every model of a size.</p>
<details><summary>Runs, their inputs and models</summary>
<div class="scroll" role="region" aria-label="Provenance of runs" tabindex="0"><table>
<thead><tr>{% for heading in ['experiment', 'folder', 'commit', 'inputs', 'model'] %}
<th scope="col">{{ heading }}</th>{% endfor %}</tr></thead>
<tbody>
{% for run in analysis.runs %}
<tr><th scope="row">{{ run.experiment }}</th><td>{{ run.folder }}</td>
<td class="hash">{{ (run.git_commit or '–')[:12] }}</td>
<td class="hash">
{% for name, hash in run.inputs.items() %}{{ name }} {{ (hash | string)[:12] }}{{ ', ' if not loop.last }}{% endfor %}
</td>
<td class="hash">{{ (run.model_hash or '–')[:12] }}</td></tr>
{% endfor %}
</tbody></table></div>
</details>
{% if analysis.provenance %}
<details><summary>Files read, with their hashes: every number of a run comes from those under its folder</summary>
<ul class="hash">
{% for name, hash in analysis.provenance.inputs.items() %}
<li>{{ name }} {{ hash[:12] }}</li>
{% endfor %}
</ul>
</details>
<p class="note">Analysed at commit <span class="hash">{{ (analysis.provenance.git_commit or 'unknown')[:12] }}</span>
{{- ', with uncommitted changes' if analysis.provenance.git_dirty }}; Python {{ analysis.provenance.python }}.</p>
{% endif %}
</section>
</main>
</body>
</html>
"""
