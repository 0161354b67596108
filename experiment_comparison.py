"""Two experiments side by side, with their repeats by other seeds: the paired difference per metric in words, as one
page, Markdown and JSON.

    python analyze_results.py ./results/ --compare ultra_10k_500M random_10k_500M

Reads  two loaded runs and the records of their paired contrasts (`analyze_results.py` makes both and calls this).
Writes <output>/compare_<A>_vs_<B>.html, .md and .json, the JSON last.
"""

import re
from pathlib import Path

from common import UserError, clear, write_json, write_text
from finished_runs import split_copies
from report_pages import render_page
from report_tables import (
    METRIC_NAMES,
    join_words,
    markdown_table,
    markdown_text,
    show,
    show_interval,
    show_p,
    text_table,
)

SIGNIFICANCE = 0.05


# ---------------------------------------------------------------------------------------------------------------------
# What may be compared


def pick_run(runs: list[dict], name: str, left_out: list[dict]) -> dict:
    """The loaded run of an experiment's or a folder's name. Raises UserError, with the reason where it was left out."""
    name = name.rstrip("/").rpartition("/")[2]  # a folder's path will do
    for run in runs:
        if name in (run["experiment"], run["folder"].name):
            return run
    reasons = [item["reason"] for item in left_out if item["experiment"] == name and item["metric"] is None]
    if reasons:
        raise UserError(f"--compare {name}: {reasons[0]}")
    known = ", ".join(sorted(run["experiment"] for run in runs))
    raise UserError(f"--compare {name}: no finished run of that name; there are {known}")


def with_repeats(runs: list[dict], run: dict) -> list[dict]:
    """A run and those that repeat it with another seed alone; a run named as such a repeat stands for itself."""
    if run["experiment"] != f"{run['arm']}_{run['size']}":
        return [run]
    data = {other["experiment"]: other["train"].get("provenance", {}).get("inputs") for other in runs}
    repeats = [
        other
        for other in runs
        if (other["arm"], other["size"]) == (run["arm"], run["size"])
        and data[other["experiment"]] == data[run["experiment"]]
        and not other_differences(run, other)
        and other["metrics"].keys() >= run["metrics"].keys()
    ]
    return split_copies([run, *(other for other in repeats if other is not run)])[0]


def require_comparable(first: dict, second: dict) -> None:
    """Raises UserError where the two runs are one, took different tests of a metric, or share no metric."""
    names = [first["experiment"], second["experiment"]]
    if names[0] == names[1]:
        raise UserError(f"--compare {names[0]} {names[1]}: name two different experiments")
    shared = [metric for metric in METRIC_NAMES if metric in first["metrics"] and metric in second["metrics"]]
    for metric in shared:
        tests = [run["metrics"][metric]["test"] for run in (first, second)]
        differing = [key for key in sorted({*tests[0], *tests[1]}) if tests[0].get(key) != tests[1].get(key)]
        if differing:
            words = "; ".join(
                f"{key} {str(tests[0].get(key))[:12]} and {str(tests[1].get(key))[:12]}" for key in differing
            )
            raise UserError(
                f"{names[0]} and {names[1]} took different tests of {METRIC_NAMES[metric]} ({words}); evaluate both "
                "again on one: python evaluate_quality_tradeoff.py <run> --force"
            )
    if not shared:
        raise UserError(f"{names[0]} and {names[1]} share no metric; python evaluate_quality_tradeoff.py on both runs")


# ---------------------------------------------------------------------------------------------------------------------
# Words


def reading(record: dict) -> str:
    """What a contrast allows to be said. That nothing was found is never said to mean that there is no difference."""
    if record["p"] is None or record["p"] >= SIGNIFICANCE:
        return "no difference seen"
    return "first is better" if record["difference"] > 0 else "second is better"


def readings_words(contrasts: list[dict], phrases: dict[str, str]) -> list[str]:
    """A phrase for each reading among the contrasts, with the metrics that have it."""
    by_reading = {}
    for record in contrasts:
        by_reading.setdefault(record["reading"], []).append(METRIC_NAMES[record["metric"]])
    return [f"{phrases[word]} in {join_words(metrics)}" for word, metrics in by_reading.items()]


def verdict_sentence(comparison: dict) -> str:
    first, second = comparison["config"]["first"], comparison["config"]["second"]
    phrases = {
        "first is better": f"{first} is better than {second}",
        "second is better": f"{second} is better than {first}",
        "no difference seen": f"no difference is seen between {first} and {second}",
    }
    sentence = "; ".join(readings_words(comparison["contrasts"], phrases))
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence.startswith("no ") else f"{sentence}."


def cautions(comparison: dict) -> list[str]:
    """What stands between the numbers and a conclusion."""
    points = []
    for record in comparison["contrasts"]:
        if record["reading"] == "no difference seen" and record["minimum_detectable"] is not None:
            least = show(record["metric"], record["minimum_detectable"], difference=True).lstrip("+")
            points.append(
                f"{METRIC_NAMES[record['metric']]}: a true difference of {least} would have been found with 80% power; "
                "a smaller one may be there."
            )
    points.append(seed_words(comparison["runs"]))
    points += [f"The two also differ in {words}." for words in comparison["other_differences"]]
    return points


def seed_words(runs: list[dict]) -> str:
    """What the intervals say of training seeds."""
    if not any(run["seeds"] > 1 for run in runs):
        return "Intervals are over test examples; runs with other training seeds would differ as well."
    counts = " and ".join(f"{run['seeds']} of {run['experiment']}" for run in runs)
    alone = [run["experiment"] for run in runs if run["seeds"] == 1]
    borrows = f"; {alone[0]} borrows the spread of the other's seeds" if alone else ""
    return f"Values are means, and intervals over test examples and training seeds ({counts}){borrows}."


def other_differences(first: dict, second: dict) -> list[str]:
    """Facts beyond the data and the seed in which the runs differ: model, scale, epochs and the training recipe."""
    configs = [run["train"]["config"] for run in (first, second)]
    ignored = {"experiment", "base_experiment", "seed", "subset", "model_spec"}
    pairs = {key: [config.get(key) for config in configs] for key in sorted({*configs[0], *configs[1]} - ignored)}
    pairs["scale"] = [run["train"].get("scale_label") for run in (first, second)]
    pairs["parameters"] = [run["train"].get("parameters") for run in (first, second)]
    return [f"{key}: {values[0]} and {values[1]}" for key, values in pairs.items() if values[0] != values[1]]


# ---------------------------------------------------------------------------------------------------------------------
# Files


def make_comparison(groups: list[list[dict]], records: list[dict], labels: list[str]) -> dict:
    """The content of the JSON, less its provenance. `groups`: either experiment's run and its repeats; `records`: the
    paired contrasts, first - second, higher is better."""
    first, second = (group[0] for group in groups)
    runs = [
        {"experiment": run["experiment"], "subset": run["subset"], "rows": run["rows"], "size": run["size"],
         "epochs": run["train"]["config"].get("epochs"), "tokens": run["train"].get("tokens"), "seeds": len(group),
         "metrics": {metric: mean_of(group, metric) for metric in run["metrics"]}}
        for run, group in zip((first, second), groups, strict=True)
    ]  # fmt: skip
    return {
        "config": {"first": first["experiment"], "second": second["experiment"], "significance": SIGNIFICANCE},
        "provenance": None,
        "scale_label": ", ".join(dict.fromkeys(label for label in labels if label)) or "no trained run",
        "runs": runs,
        "contrasts": [{**record, "reading": reading(record)} for record in records],
        "other_differences": other_differences(first, second),
    }


def mean_of(group: list[dict], metric: str) -> float:
    values = [run["metrics"][metric]["summary"][metric] for run in group if metric in run["metrics"]]
    return sum(values) / len(values)


def comparison_table(comparison: dict) -> dict:
    first, second = comparison["runs"]
    cells = [
        [
            METRIC_NAMES[record["metric"]], record["reading"],
            show(record["metric"], first["metrics"][record["metric"]]),
            show(record["metric"], second["metrics"][record["metric"]]),
            f"{show(record['metric'], record['difference'], difference=True)} "
            + show_interval(record["metric"], *record["interval"], difference=True),
            show_p(record["p"]), show(record["metric"], record["minimum_detectable"], difference=True).lstrip("+"),
            f"{record['n']:,}",
        ]
        for record in comparison["contrasts"]
    ]  # fmt: skip
    rows = "; ".join(
        f"{run['experiment']}: {run['rows']:,} rows, {run['epochs']} epochs"
        + f", {run['seeds']} seeds" * (run["seeds"] > 1)
        for run in (first, second)
    )
    note = (
        f"{comparison['scale_label']}. {rows}. Advantage of the first, positive where it is better (fewer bits per "
        "byte, more tasks completed), with its 95% interval, on the same examples; detectable: the true difference "
        "found with 80% power; p without correction for several comparisons"
    )
    headings = ["", "reading", first["experiment"], second["experiment"], "advantage", "p", "detectable", "n"]
    return {"title": "Paired differences", "note": f"{note}.", "headings": headings, "cells": cells}


def write_comparison(comparison: dict, words: str, points: list[str], tables: list[dict], output: Path) -> Path:
    """Write page, Markdown and JSON, the JSON last; returns the page's path. `words`: what the comparison says."""
    first, second = (safe_name(comparison["config"][key]) for key in ("first", "second"))
    page, text, marker = (output / f"compare_{first}_vs_{second}.{suffix}" for suffix in ("html", "md", "json"))
    clear(marker, page, text)
    write_text(text, comparison_markdown(comparison, words, points, tables))
    write_text(page, comparison_html(comparison, words, points, tables))
    write_json(marker, comparison)
    return page


def safe_name(text: str) -> str:
    return re.sub(r"[^\w.-]", "_", text.strip("/"))


def title_of(comparison: dict) -> str:
    return f"{comparison['config']['first']} against {comparison['config']['second']}"


def comparison_text(comparison: dict, words: str, points: list[str], tables: list[dict]) -> str:
    shown = "\n\n".join(text_table(table["headings"], table["cells"]) for table in tables)
    listed = "\n".join(points)
    return f"{shown}\n\n{comparison['scale_label']}\n\n{words}\n{listed}\n"


def comparison_markdown(comparison: dict, words: str, points: list[str], tables: list[dict]) -> str:
    listed = "\n".join(f"- {markdown_text(point)}" for point in points)
    shown = "\n".join(markdown_table(table) for table in tables)
    return f"# {markdown_text(title_of(comparison))}\n\n**{markdown_text(words)}**\n\n{shown}\n{listed}\n"


def comparison_html(comparison: dict, words: str, points: list[str], tables: list[dict]) -> str:
    """One page that needs nothing beside it."""
    return render_page(
        BODY,
        title=title_of(comparison),
        sentence=words,
        tables=tables,
        cautions=points,
        contrasts=comparison.get("contrasts") or [item for pair in comparison["runs"] for item in pair["contrasts"]],
        comparison=comparison,
    )


BODY = """</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
<p class="scale">{{ comparison.scale_label }}</p>
<p class="lead"><strong>{{ sentence }}</strong></p>
{% for table in tables %}
<h2>{{ table.title }}</h2>
<div class="scroll" role="region" aria-label="{{ table.title }}" tabindex="0"><table>
<thead><tr>{% for heading in table.headings %}<th scope="col">{{ heading }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.cells %}
<tr><th scope="row">{{ row[0] }}</th>{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
<p class="note">{{ table.note }}</p>
{% endfor %}
<h2>Before you conclude</h2>
<ul>{% for point in cautions %}<li>{{ point }}</li>{% endfor %}</ul>
<h2>Where the numbers come from</h2>
<ul>{% for record in contrasts %}
<li>{{ record.metric.replace('_', ' ') }}: {{ record.test }}; n = {{ '{:,}'.format(record.n) }}</li>{% endfor %}</ul>
{% if comparison.provenance %}
<ul class="hash">{% for name, hash in comparison.provenance.inputs.items() %}<li>{{ name }} {{ hash[:12] }}</li>
{% endfor %}</ul>
{% endif %}
</main>
</body>
</html>
"""
