"""The report: the verdict in words, report.html (one self-contained page), report.md, summary.md.

Reads  the analysis (verdict.json's content), its tables and figures; `analyze_results.py` calls it.
Writes <output>/report.html with the figures inside it, report.md beside figures/, and summary.md, the headline block.
"""

import base64
from pathlib import Path

from common import write_text
from report_tables import (
    DEMO_NOTE,
    METRIC_NAMES,
    capital,
    markdown_table,
    markdown_text,
    model_words,
    reading_of,
    show_share,
    summary_table,
    text_table,
)
from training_configs import ALL_EXPERIMENTS

# ---------------------------------------------------------------------------------------------------------------------
# Sentences


def verdict_sentences(analysis: dict) -> list[str]:
    """The answer first: one sentence per size on the claim, one on the controls where there are any."""
    tested, missing = [], []
    for size, summary in analysis["sizes"].items():
        if is_tested(summary, analysis):
            tested.append(claim_sentence(size, summary, analysis))
        else:
            missing.append(missing_sentence(size, summary, analysis))
        tested += controls_sentences(size, summary)
    return tested + missing


def lead_sentences(analysis: dict) -> list[str]:
    """The answer in two sentences: the claim over all sizes, then whether it is quality that did it."""
    claim, sizes = analysis["config"]["claim"], analysis["sizes"]
    tested = {size: summary for size, summary in sizes.items() if is_tested(summary, analysis)}
    study = {size: summary for size, summary in tested.items() if not summary["demo"]} or tested
    aim = f"the claim asks for {claim['retention']:.0%} in both metrics"
    untested = [size for size, summary in sizes.items() if size not in tested and not summary["demo"]]
    if not study:
        results = [anchors[claim["anchor"]] for summary in sizes.values() for anchors in summary["retention"].values()]
        names = sorted({name for result in results for name in result.get("missing", [])})
        first = f"Not tested: {join_words(names)} missing or not comparable; {aim}."
    else:
        parts = [f"at {size} {kept_words(summary, claim)}" for size, summary in study.items()]
        demo = all(summary["demo"] for summary in study.values())
        verdict = demo_verdict(study) if demo else analysis["verdict"]
        words = verdict.capitalize() + (" for the demo's own small world" if demo else "")
        of = f"of the gain of {claim['medium']} over {claim['anchor']}, {claim['ultra']} keeps"
        rest = f" ({join_words(untested)} not tested)" if untested and not demo else ""
        first = f"{words}: {of} {'; '.join(parts)}, where {aim}{rest}."
    controls = [words for size, summary in (study or sizes).items() if (words := controls_words(size, summary))]
    none = "No other rows of the same number were trained on, so that quality cannot be told from luck or length."
    second = f"Beside as many rows picked otherwise, {claim['ultra']} is {'; '.join(controls)}." if controls else none
    return [first, second]


def controls_words(size: str, summary: dict) -> str | None:
    """At one size: the controls with the same reading on the same metrics, named together."""
    readings = {}
    for contrast in control_contrasts(summary):
        words = f"{reading_of(contrast)} in {METRIC_NAMES[contrast['metric']]}"
        readings.setdefault(contrast["second"], []).append(words)
    groups = {}
    for control, words in readings.items():
        groups.setdefault(join_words(words), []).append(control)
    parts = [f"{words} against {join_words(names)}" for words, names in groups.items()]
    return f"at {size} " + ", ".join(parts) if parts else None


def control_contrasts(summary: dict) -> list[dict]:
    """The contrasts of ultra against as many other rows that could be tested."""
    contrasts = [contrast for contrast in summary["contrasts"] if contrast["p"] is not None]
    return [contrast for contrast in contrasts if contrast.get("family", "controls") == "controls"]


def demo_verdict(study: dict) -> str:
    """The verdicts of the demo's sizes, each once."""
    return ", ".join(dict.fromkeys(summary["verdict"] for summary in study.values()))


def kept_words(summary: dict, claim: dict) -> str:
    results = {metric: anchors[claim["anchor"]] for metric, anchors in summary["retention"].items()}
    return join_words([f"{retained_phrase(result)} in {METRIC_NAMES[metric]}" for metric, result in results.items()])


def is_tested(summary: dict, analysis: dict) -> bool:
    """Whether any metric of a size could be tested against the primary anchor."""
    anchor = analysis["config"]["claim"]["anchor"]
    return any(anchors[anchor]["verdict"] != "not tested" for anchors in summary["retention"].values())


def size_title(size: str, summary: dict) -> str:
    """A size with the model that really stood for it: a small one may be standing in for a larger."""
    return f"{size} ({model_words(summary)})" if model_words(summary) else size


def rows_of(analysis: dict, arm: str, size: str) -> str:
    """An arm's name with the rows it really trained on."""
    rows = [run["rows"] for run in analysis["runs"] if run["arm"] == arm and run["size"] == size]
    return f"{arm} ({rows[0]:,} rows)" if rows else arm


def claim_sentence(size: str, summary: dict, analysis: dict) -> str:
    claim = analysis["config"]["claim"]
    parts = []
    for metric, anchors in summary["retention"].items():
        result = anchors[claim["anchor"]]
        parts.append(f"{retained_phrase(result)} in {METRIC_NAMES[metric]} ({result['verdict']})")
    ultra, medium = (rows_of(analysis, claim[role], size) for role in ("ultra", "medium"))
    return (
        f"{size_title(size, summary)}: {summary['verdict']}. Of the gain that {medium} brings over the anchor "
        f"{claim['anchor']}, {ultra} keeps {join_words(parts)}; the claim is {claim['retention']:.0%} or more in both."
    )


def retained_phrase(result: dict) -> str:
    if result["verdict"] == "not tested":
        return f"an unknown share (missing: {', '.join(result['missing'])})"
    if result["R"] is None:
        return f"a share that cannot be stated ({result['R_missing_because']})"
    return show_share(result["R"], result["R_interval"])


def missing_sentence(size: str, summary: dict, analysis: dict) -> str:
    anchor = analysis["config"]["claim"]["anchor"]
    missing = {name for anchors in summary["retention"].values() for name in anchors[anchor].get("missing", [])}
    names = [name for name in ALL_EXPERIMENTS if name in missing] or sorted(missing)
    return (
        f"{size}: not tested. Missing: {', '.join(names)}. Train each by its name: "
        f"python train_quality_comparison.py {names[0]}"
    )


def controls_sentences(size: str, summary: dict) -> list[str]:
    """What the controls say, in one sentence or none: is it quality, or only the number or the length of the rows?"""
    by_control = {}
    for contrast in control_contrasts(summary):
        readings = by_control.setdefault(contrast["second"], {})
        readings.setdefault(reading_of(contrast), []).append(METRIC_NAMES[contrast["metric"]])
    if not by_control:
        return []
    parts = [
        f"against {control} it is " + join_words([f"{word} in {join_words(names)}" for word, names in readings.items()])
        for control, readings in by_control.items()
    ]
    return [f"{size}, ultra beside as many rows picked otherwise: {'; '.join(parts)}."]


def join_words(words: list[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def limits(analysis: dict) -> list[str]:
    """What the numbers do not show, said beside them."""
    points = [
        "One training seed per run: the intervals speak of other test examples, not of other seeds.",
        "The tiers are nested selections from one pool: number of rows, quality and mix of sources change together. "
        "Only the contrasts at an equal number of rows separate quality from quantity.",
        "Fewer rows get more epochs (the epochs stand in the table of runs), so that arms differ in training tokens.",
        "Loss on held-out text is not the quality of answers; task completion covers what a program can check.",
        "A verdict of inconclusive is no evidence of a difference, nor of its absence.",
    ]
    for size, summary in analysis["sizes"].items():
        if summary["demo"]:
            points.insert(0, f"Size {size} is the {DEMO_NOTE}.")
        points += [f"{size}: the compared runs differ in {note}." for note in summary["recipe_differences"]]
        for metric, anchors in summary["retention"].items():
            notes = {result["verdict_note"] for result in anchors.values() if result.get("verdict_note")}
            points += [f"{size}, {METRIC_NAMES[metric]}: {note}." for note in sorted(notes)]
    return points


def left_out_sentences(analysis: dict) -> list[str]:
    return [
        f"{item['experiment']}{', ' + item['metric'].replace('_', ' ') if item['metric'] else ''}: {item['reason']}"
        for item in analysis["left_out"]
    ]


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
    """The headline block: verdict, one table with intervals, the scale."""
    table = summary_table(analysis)
    sentences = "\n\n".join(bold_verdict(markdown_text(sentence)) for sentence in verdict_sentences(analysis))
    note = markdown_table(table) if table["cells"] else f"*{markdown_text(table['note'])}*\n"
    return f"{sentences}\n\n{note}"


def bold_verdict(sentence: str) -> str:
    """The verdict word after a sentence's first colon in bold."""
    for verdict in ("supported", "refuted", "inconclusive", "not tested"):
        sentence = sentence.replace(f": {verdict}.", f": **{verdict}**.", 1)
    return sentence


def report_markdown(analysis: dict, tables: list[dict], figures: list[dict]) -> str:
    lead = f"**{markdown_text(' '.join(lead_sentences(analysis)))}**"
    blocks = [f"# {title_of(analysis)}", lead, summary_markdown(analysis)]
    blocks += [
        f"## {figure['title']}\n\n![{markdown_text(figure['alt'])}](figures/{figure['name']}.png)\n\n"
        f"*{markdown_text(figure['caption'])}*"
        for figure in figures
    ]
    blocks += [f"## {table['title']}\n\n{markdown_table(table)}" for table in tables]
    for heading, sentences in (("Limits", limits(analysis)), ("Left out", left_out_sentences(analysis))):
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
    """One page that needs nothing beside it but `samples`, which it links to. Everything from data is escaped by
    the template engine."""
    import jinja2

    strict = {"autoescape": True, "undefined": jinja2.StrictUndefined}
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, **strict)
    embedded = [{**figure, "source": svg_source(figure["svg"])} for figure in figures]
    by_section = {heading: {"figures": [], "tables": []} for heading in SECTIONS}
    for kind, items in (("figures", embedded), ("tables", tables)):
        for item in items:
            by_section[section_of(item["name"])][kind].append(item)
    return environment.from_string(PAGE).render(
        title=title_of(analysis),
        analysis=analysis,
        lead=lead_sentences(analysis),
        sentences=verdict_sentences(analysis),
        samples=samples,
        summary=summary_table(analysis),
        sections={heading: items for heading, items in by_section.items() if items["figures"] or items["tables"]},
        limits=limits(analysis),
        left_out=left_out_sentences(analysis),
        capital=capital,
        demo_note=DEMO_NOTE,
        model_words=model_words,
    )


# Each section with the names that its figures and tables start with.
SECTIONS = {
    "How much of the gain is kept": ["retention"],
    "Performance against rows": ["performance"],
    "Is it quality, or only number or length?": ["contrasts", "dose_response"],
    "The trade of quality against quantity": ["tradeoff", "exchange_rate", "rank_correlation"],
    "What it costs": ["pareto", "cost"],
    "On which text the loss falls": ["quality_bands"],
    "What the models do": ["task_families", "generation"],
    "Training and data": ["loss_curves", "score_distributions"],
}


def section_of(name: str) -> str:
    return next(heading for heading, starts in SECTIONS.items() if name.startswith(tuple(starts)))


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
  border-radius: .4rem; padding: .5rem .9rem; flex: 1 1 12rem; }
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
tbody tr:last-child > * { border-bottom: 0; }
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
  body { max-width: none; padding: 0; font-size: 10pt; }
  .scroll { overflow: visible; border: 0; } .figures { grid-template-columns: 1fr 1fr; }
  table { font-size: 7.5pt; } th, td { white-space: normal; padding: .15rem .3rem; }
  figure, tr, .verdicts li { break-inside: avoid; } h2, h3 { break-after: avoid; }
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
<tr><th scope="row">{{ row[0] }}</th>{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}</tr>
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
<section>
<h2>The claim, size by size</h2>
{% if summary.cells %}
{{ show_table(summary) }}
{% endif %}
{% for sentence in sentences %}
<p>{{ sentence }}</p>
{% endfor %}
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
<h2>How the verdict is made</h2>
{% set claim = analysis.config.claim %}
<p>For each size and metric, with every metric oriented so that higher is better, T is ultra's score minus
{{ claim.retention }} of medium's minus {{ '%.1g' % (1 - claim.retention) }} of the anchor's. The anchor is
{{ claim.anchor }}, a model that has only learnt the format. The claim is supported where the one-sided
{{ '%.0f' % (claim.confidence * 100) }}% lower bound of T is above zero, refuted where the upper one is below,
inconclusive otherwise; a size as a whole needs every metric to pass. Bounds come from a bootstrap of
{{ '{:,}'.format(claim.bootstrap_draws) }} draws over examples, the same ones for every model. R, the share of the gain
kept, is shown only where medium's own gain over the anchor is clear of zero.</p>
</section>
<section>
<h2>Limits</h2>
<ul>{% for point in limits %}<li>{{ point }}</li>{% endfor %}</ul>
</section>
{% if left_out %}
<section>
<h2>Left out</h2>
<ul>{% for point in left_out %}<li>{{ point }}</li>{% endfor %}</ul>
</section>
{% endif %}
<section>
<h2>Where the numbers come from</h2>
<p>Every number, with its interval, n and method, stands in <code>verdict.json</code> beside this page; the tables in
<code>tables/</code>, the figures in <code>figures/</code>.</p>
{% if analysis.get('generations_page') %}
<p>What the models write, side by side:
<a href="{{ analysis.generations_page }}">{{ analysis.generations_page }}</a>.</p>
{% endif %}
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
PAGE = HEAD + STYLE_SHEET + BODY
