"""Tables of dose and response, the exchange rate, the rank correlation and cost, where they were computed.

Reads  the analysis (verdict.json's content); every key is optional. `analyze_results.py` calls it.
"""

from report_tables import METRIC_NAMES, NONE, show, show_count, show_interval, show_p, table_note


def make_tables(analysis: dict) -> list[dict]:
    """Every table that has rows, as report_tables.make_tables gives them."""
    tables = [dose_table(analysis), exchange_table(analysis), correlation_table(analysis), cost_table(analysis)]
    return [table for table in tables if table["cells"]]


def show_number(value: float | None, interval: list | None = None) -> str:
    """Three digits, such as 9.52 [4.1, 20.3]; an end that is not known is a dash."""
    if value is None:
        return NONE
    ends = "" if not interval else f" [{', '.join(NONE if end is None else f'{end:.3g}' for end in interval)}]"
    return f"{value:.3g}{ends}"


def show_rows(value: float | None, interval: list | None = None) -> str:
    if value is None:
        return NONE
    ends = "" if not interval else f" [{', '.join(show_count(end) for end in interval)}]"
    return f"{show_count(value)}{ends}"


def table(analysis: dict, name: str, title: str, note: str, headings: list[str], rows: list[tuple]) -> dict:
    """`rows`: (size, cells, record); each record is given its size and scale."""
    records = [{"size": size, **record, "scale": analysis["sizes"][size]["scale_label"]} for size, _, record in rows]
    return {
        "name": name, "title": title, "note": table_note(analysis, note), "headings": headings,
        "cells": [cells for _, cells, _ in rows], "records": records,
    }  # fmt: skip


def dose_table(analysis: dict) -> dict:
    rows = []
    for size, summary in analysis["sizes"].items():
        for series in summary.get("dose_response") or []:
            metric, trend = series["metric"], series["trend"]
            slope, interval = trend.get("slope"), trend.get("interval")
            shown = show(metric, slope, difference=True)
            shown += f" {show_interval(metric, *interval, difference=True)}" if interval else ""
            arms = " < ".join(series["arms"])
            rows.append((
                size, [f"{size}, {METRIC_NAMES[metric]}", arms, shown, show_p(trend["p"])],
                {"metric": metric, "arms": " ".join(series["arms"]), "slope": slope, "p": trend["p"],
                 "low": interval and interval[0], "high": interval and interval[1]},
            ))  # fmt: skip
    note = "Linear trend over arms of as many rows, in the order of their scores; positive: better with a higher score"
    return table(analysis, "dose_response", "Dose and response", note, ["", "arms", "trend", "p"], rows)


def exchange_table(analysis: dict) -> dict:
    """Kappa and N80, or why they cannot be told."""
    rows = []
    for size, summary in analysis["sizes"].items():
        for metric, content in (summary.get("tradeoff") or {}).items():
            found = {"κ, random rows that one ultra row is worth": content.get("kappa")}
            found |= {f"N80 of {tier}": part for tier, part in (content.get("n80") or {}).items()}
            for quantity, part in found.items():
                if not part:
                    continue
                words = show_number if quantity.startswith("κ") else show_rows
                value = words(part["value"], part["interval"]) if part["identified"] else "not identified"
                add = part.get("runs_to_add") or []
                why = "; ".join(filter(None, [part.get("why"), add and f"add: {', '.join(add)}"])) or NONE
                low, high = part["interval"] or (None, None)
                record = {"metric": metric, "quantity": quantity, "value": part["value"], "low": low, "high": high}
                record |= {"identified": part["identified"], "why": part.get("why"), "runs_to_add": " ".join(add)}
                rows.append((size, [f"{size}, {METRIC_NAMES[metric]}", quantity, value, why], record))
    note = (
        "Curves L = E + A N^-alpha per tier with shared E and alpha. N80: the fewest rows that keep the claimed share "
        "of medium's gain. Not identified: the runs there are fit any value about as well"
    )
    return table(
        analysis, "exchange_rate", "Exchange rate of quality for quantity", note, ["", "", "value", "why"], rows
    )


def correlation_table(analysis: dict) -> dict:
    rows = []
    for size, summary in analysis["sizes"].items():
        found = summary.get("rank_correlation") or {}
        for metric, part in (found if "value" not in found else {"": found}).items():
            value = show_number(part["value"], part["interval"]) if part["value"] is not None else "not identified"
            label = f"{size}, {METRIC_NAMES[metric]}" if metric else size
            record = {"metric": metric, "value": part["value"], "n": part["n"], "why": part.get("why")}
            record |= dict(zip(("low", "high"), part["interval"] or (None, None), strict=True))
            rows.append((size, [label, value, f"{part['n']}", part.get("why") or NONE], record))
    note = "Spearman's rank correlation of a tier's quality with the rows it requires, over as many points as n says"
    headings = ["", "ρ", "n", "why"]
    return table(analysis, "rank_correlation", "Quality against required quantity", note, headings, rows)


def cost_table(analysis: dict) -> dict:
    rows = []
    for size, summary in analysis["sizes"].items():
        for item in summary.get("cost") or []:
            best = item["on_frontier"]
            best = [metric for metric in METRIC_NAMES if metric in item] if best is True else best or []
            hours = item.get("total_hours", item["gpu_hours"])
            per_hour = item.get("per_gpu_hour") or {}
            shown = [show(metric, item.get(metric)) for metric in METRIC_NAMES]
            shown += [show(metric, per_hour.get(metric), difference=True) for metric in METRIC_NAMES]
            cells = [item["run"], show_number(hours), show_count(item["tokens"]), show_count(item["rows"]), *shown]
            record = {"run": item["run"], "hours": hours, "tokens": item["tokens"], "rows": item["rows"]}
            record |= {metric: item.get(metric) for metric in METRIC_NAMES}
            record |= {f"{metric}_per_hour": per_hour.get(metric) for metric in METRIC_NAMES}
            words = ", ".join(METRIC_NAMES[metric] for metric in best) or NONE
            rows.append((size, [*cells, words], {**record, "on_frontier": " ".join(best)}))
    note = (
        "Hours of the device that trained, scoring included for subsets chosen by score; per hour: gain over the "
        "anchor per hour; best for its cost: no cheaper run does as well in that metric"
    )
    headings = ["run", "hours", "tokens", "rows", "bits per byte ↓", "tasks ↑", "bits per hour", "tasks per hour"]
    return table(analysis, "cost", "What it costs", note, [*headings, "best for its cost"], rows)
