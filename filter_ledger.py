"""What became of every row of the filter stage, as scores.json keeps it: by step, reason and source, with examples.

Computes; reads the texts of the examples, writes nothing.
"""

import numpy as np

from common import one_line
from corpus_shards import ShardedRows

EXAMPLES = 20  # of each reason to drop a row, kept for a look
EXAMPLE_CHARACTERS = 100


class Ledger:
    """What became of every row, step by step, by reason and source. `texts` holds all rows, with their final ids."""

    def __init__(self, source_codes: np.ndarray, source_names: list[str], texts: ShardedRows, read_ledger: dict):
        self.codes, self.names, self.texts = source_codes, source_names, texts
        self.rows_read, self.rows_added = read_ledger["rows_read"], read_ledger["rows_added"]
        self.modified = read_ledger["modified"]
        self.examples = dict(read_ledger["examples"])
        self.contamination = {}
        step = {"step": "read", "rows_in": self.rows_read + self.rows_added, "rows_out": read_ledger["kept"]}
        self.steps = [{**step, "dropped": read_ledger["dropped"]}]

    def drop(self, step: str, rows: np.ndarray, masks: dict[str, np.ndarray]) -> np.ndarray:
        """The rows under none of the masks; a row under several counts under the first."""
        stay, dropped = np.ones(len(rows), bool), {}
        for reason, mask in masks.items():
            gone = rows[mask & stay]
            if len(gone):
                dropped[reason] = self.by_source(gone)
                first = self.texts.take(gone[:EXAMPLES], ["id", "instruction"]).to_pylist()
                self.examples[reason] = [f"{row['id']}: {row['instruction'][:EXAMPLE_CHARACTERS]}" for row in first]
            stay &= ~mask
        self.steps.append({"step": step, "rows_in": len(rows), "rows_out": int(stay.sum()), "dropped": dropped})
        return rows[stay]

    def by_source(self, rows: np.ndarray) -> dict[str, int]:
        """How many of the rows each source has, those of none left out."""
        counts = np.bincount(self.codes[rows], minlength=len(self.names)).tolist()
        return {name: count for name, count in zip(self.names, counts, strict=True) if count}

    def add_hits(self, benchmark: str, items: int, rows: np.ndarray, examples: list[dict]) -> None:
        """Note which rows hold an item of a benchmark; a row may hold items of several."""
        self.contamination[benchmark] = {
            "items": items, "rows": len(rows), "rows_by_source": self.by_source(rows), "examples": examples
        }  # fmt: skip

    def summary(self, rows: int, cleaning: dict) -> dict:
        """The ledger as JSON holds it: every row read is among the `rows` left, or dropped under one reason.

        cleaning: the settings that the steps ran with, as training_configs.CLEANING.
        """
        dropped = sum(count for step in self.steps for by in step["dropped"].values() for count in by.values())
        came = self.rows_read + self.rows_added
        assert came == rows + dropped, f"{came} rows read or added, {rows} left, {dropped} dropped"
        return {
            "rows_read": self.rows_read,
            "rows_added": self.rows_added,
            "rows_dropped": dropped,
            "rows": rows,
            "steps": self.steps,
            "off": [key for key, value in cleaning.items() if value in (None, False)],
            "modified": self.modified,
            "contamination": self.contamination,
            "examples": self.examples,
        }

    def one_line(self) -> str:
        """Rows read, and the reasons of those dropped."""
        reasons = {reason: sum(by.values()) for step in self.steps for reason, by in step["dropped"].items()}
        return ", ".join([f"{self.rows_read} read", *(f"{count} {reason}" for reason, count in reasons.items())])


def ledger_lines(ledger: dict) -> list[str]:
    """One line per step: what came in, what went and why, with the sources it came from. ledger: a `summary`."""
    lines = [f"{ledger['rows_read']:,} rows read"]
    for step in ledger["steps"]:
        for reason, by_source in step["dropped"].items():
            sources = sorted(by_source.items(), key=lambda item: (-item[1], item[0]))
            shown = ", ".join(f"{one_line(source)} {rows:,}" for source, rows in sources[:4])
            more = f", {len(sources) - 4} more sources" if len(sources) > 4 else ""
            lines.append(f"  -{sum(by_source.values()):<9,} {step['step']}: {reason} ({shown}{more})")
    if ledger["off"]:
        lines.append(f"   off: {', '.join(ledger['off'])}")
    lines += [f"   {rows:<9,} changed: {reason}" for reason, rows in ledger["modified"].items()]
    for benchmark, facts in ledger["contamination"].items():
        lines.append(f"   {facts['rows']:<9,} hold one of the {facts['items']:,} items of {benchmark}")
    return lines + [f"   unreadable: {one_line(example)}" for example in ledger["examples"].get("unreadable", [])[:5]]
