"""Tables of the rows that the models were trained on, and of what the models do with prompts.

Reads  the analysis (verdict.json's content); `analyze_results.py` calls it.
"""

from report_tables import NONE, scale_of, table_note


def make_tables(analysis: dict) -> list[dict]:
    """Every table that has rows, as report_tables.make_tables gives them."""
    tables = [subsets_table(analysis), generation_table(analysis), family_table(analysis)]
    return [table for table in tables if table["cells"]]


def subsets_table(analysis: dict) -> dict:
    """In what, beside the score, the subsets differ: length, prompts, sources, share of the pool."""
    facts = {}
    for run in analysis["runs"]:
        if run["subset_facts"].get("source_mix"):
            facts.setdefault(run["subset"], {**run["subset_facts"], "scale": scale_of(analysis, run)})
    cells, records = [], []
    for name, subset in facts.items():
        source, count = max(subset["source_mix"].items(), key=lambda item: item[1])
        record = {
            "subset": name, "rows": subset["rows"], "pool_fraction": subset["pool_fraction"],
            "mean_score": subset["score"]["mean"], "response_words_mean": subset["response_words"]["mean"],
            "distinct_instructions": subset["distinct_instructions"], "largest_source": source,
            "largest_source_fraction": count / subset["rows"], "scale": subset["scale"],
        }  # fmt: skip
        records.append(record)
        cells.append(
            [name, f"{record['rows']:,}", f"{record['pool_fraction']:.1%}", f"{record['mean_score']:.3f}",
             f"{record['response_words_mean']:.0f}", f"{record['distinct_instructions']:,}",
             f"{source} {record['largest_source_fraction']:.0%}"]
        )  # fmt: skip
    note = "What a comparison of two subsets compares beside their scores: words of a response, prompts, sources"
    headings = ["subset", "rows", "of the pool", "mean score", "words a response", "different prompts"]
    return {
        "name": "subsets", "title": "The rows trained on", "note": table_note(analysis, note),
        "headings": [*headings, "largest source"], "cells": cells, "records": records,
    }  # fmt: skip


def shown_runs(analysis: dict, runs: list[dict]) -> list[dict]:
    """Of many runs those that the question is about, as columns that can be read; the CSV has all of them."""
    claim = analysis["config"]["claim"]
    arms = [claim["base"], claim["anchor"], *claim["controls"][:2], claim["ultra"], claim["medium"]]
    chosen = [run for run in runs if run["arm"] in arms]
    return sorted(chosen, key=lambda run: (list(analysis["sizes"]).index(run["size"]), arms.index(run["arm"])))


def generation_table(analysis: dict) -> dict:
    """Measures of the generations, one a row; no judge, so they describe and do not rank."""
    measured = [run for run in analysis["runs"] if run["generation"]]
    shown = shown_runs(analysis, measured)
    keys = list(dict.fromkeys(key for run in measured for key in run["generation"] if key != "prompts"))
    cells = [[key.replace("_", " "), *[measure_cell(run, key) for run in shown]] for key in keys]
    records = [generation_record(analysis, run, keys) for run in measured]
    note = (
        "Greedy answers to held-out prompts, first seeds, with 95% intervals over prompts. These describe form and "
        "need no judge; they do not enter the verdict. rep 4: share of repeated 4-word runs; self BLEU: how alike the "
        "sampled answers to a prompt are. All runs stand in the CSV file"
    )
    return {
        "name": "generation", "title": "What the models write", "note": table_note(analysis, note),
        "headings": ["", *[run["experiment"] for run in shown]], "cells": cells if shown else [], "records": records,
    }  # fmt: skip


def measure_cell(run: dict, key: str) -> str:
    value, interval = run["generation"].get(key), run["generation_intervals"].get(key)
    ends = f" [{show_measure(interval['low'])}, {show_measure(interval['high'])}]" if interval else ""
    return f"{show_measure(value)}{ends}"


def generation_record(analysis: dict, run: dict, keys: list[str]) -> dict:
    record = {"experiment": run["experiment"], "prompts": run["generation"].get("prompts")}
    for key in keys:
        interval = run["generation_intervals"].get(key) or {}
        record[key] = run["generation"].get(key)
        record |= {f"{key}_{end}": interval[end] for end in ("low", "high") if end in interval}
    return record | {"scale": scale_of(analysis, run)}


def show_measure(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def family_table(analysis: dict) -> dict:
    """Task completion by family, a family a row."""
    measured = [run for run in analysis["runs"] if run["by_family"] and "task_completion" in run["metrics"]]
    shown = shown_runs(analysis, measured)
    families = sorted({family for run in measured for family in run["by_family"]})
    shares = {family: [share_passed(run["by_family"].get(family)) for run in shown] for family in families}
    passed = {
        family: cells for family, cells in shares.items()
        if any((run["by_family"].get(family) or {}).get("passed") for run in shown)
    }  # fmt: skip
    cells = [[family.replace("_", " "), *shares] for family, shares in passed.items()]
    records = []
    for run in measured:
        counts = {family: run["by_family"].get(family) for family in families}
        record = {family: count and count["passed"] for family, count in counts.items()}
        records.append({"experiment": run["experiment"], **record, "scale": scale_of(analysis, run)})
    note = (
        "Per cent of the prompts of each family whose checker passes, first seeds; too few per family for fine "
        "comparisons. All runs stand in the CSV file, as numbers of prompts passed"
    )
    note += f". In {len(families) - len(passed)} other families none of these passes one" if cells else ""
    return {
        "name": "task_families", "title": "Task completion by family", "note": table_note(analysis, note),
        "headings": ["", *[run["experiment"] for run in shown]], "cells": cells if shown else [], "records": records,
    }  # fmt: skip


def share_passed(count: dict | None) -> str:
    return f"{100 * count['passed'] / count['prompts']:.0f}" if count and count["prompts"] else NONE
