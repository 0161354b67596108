"""The input of the filter stage in shards, each parsed by itself in any process.

`shards_of_input` opens the input and deals out its chunks unparsed; `read_shard` parses one shard. What concerns the
whole input is put together afterwards from the shards' reports: `check_parts` says whether each part can be used,
`merge_ledgers` what became of the rows. The result is that of `dataset_readers.read_rows` whatever the shards, but for
ids that recur, which only a look at all rows can find.

Reads what `dataset_files.py` opens; writes nothing.
"""

from collections import Counter
from typing import NamedTuple

from common import UserError
from dataset_files import open_dataset
from dataset_formats import Chunk
from dataset_readers import PartReport, RowCollector, no_such_columns, used_columns
from filter_ledger import EXAMPLES

SHARD_CHUNKS = 8  # at most: a chunk of long rows is some 8 MiB of text, or eight times as much of a table


class Segment(NamedTuple):
    """One chunk of a part, not parsed yet: the part's place in the input, name and path, and its first row's index."""

    part: int
    name: str
    path: str
    index: int
    chunk: Chunk


def shards_of_input(datasets: list[str], split: str, columns: dict[str, str] | None, shard_rows: int):
    """The whole input as lists of segments, `shard_rows` rows or SHARD_CHUNKS chunks each; the last may be less."""
    segments, rows = [], 0
    for segment in _segments_of_input(datasets, split, used_columns(columns)):
        segments.append(segment)
        rows += segment.chunk.rows
        if rows >= shard_rows or len(segments) == SHARD_CHUNKS:
            yield segments
            segments, rows = [], 0
    if segments:
        yield segments


def _segments_of_input(datasets: list[str], split: str, used: set[str]):
    number = 0
    for entry in datasets:
        index = 0  # of a row in its data set: part of the id of a row that has none
        for part in open_dataset(entry, [split], used):
            before = index
            for chunk in part.chunks:
                yield Segment(number, part.name, part.path, index, chunk)
                index += chunk.rows
            if index == before:
                PartReport(part.name, part.path).check()
            number += 1


def read_shard(segments: list[Segment], columns: dict[str, str] | None, turns: str):
    """Parse one shard: (pyarrow Table whose ids may recur, ledger, {part's number: its PartReport as a dict})."""
    collector, reports = RowCollector(None, 0, columns or {}, turns), {}
    for segment in segments:
        report = reports.setdefault(segment.part, PartReport(segment.name, segment.path))
        report.read(segment.chunk, segment.index, collector)
    table = collector.table(unique=False)
    return table, collector.ledger(table.num_rows), {part: vars(report) for part, report in reports.items()}


def check_parts(reports: list[dict], columns: dict[str, str] | None) -> None:
    """Raises UserError for the first part that cannot be used, or where no row has the `columns`.

    reports: those of the shards, in their order.
    """
    parts = {}
    for part, found in (item for report in reports for item in report.items()):
        parts.setdefault(part, PartReport(found["name"], found["path"])).add(found)
    for report in parts.values():
        report.check()
    if columns and parts and not any(report.renamed for report in parts.values()):
        raise UserError(no_such_columns(columns))


def merge_ledgers(ledgers: list[dict]) -> dict:
    """The ledger of all shards, from those of each."""
    dropped: dict[str, Counter] = {}
    examples: dict[str, list] = {}
    for ledger in ledgers:
        for reason, sources in ledger["dropped"].items():
            dropped.setdefault(reason, Counter()).update(sources)
        for reason, lines in ledger["examples"].items():
            examples.setdefault(reason, []).extend(lines)
    modified = sum((Counter(ledger["modified"]) for ledger in ledgers), Counter())
    return {
        **{key: sum(ledger[key] for ledger in ledgers) for key in ("rows_read", "rows_added", "kept")},
        "dropped": {reason: dict(sorted(sources.items())) for reason, sources in sorted(dropped.items())},
        "modified": dict(sorted(modified.items())),
        "examples": {reason: lines[:EXAMPLES] for reason, lines in sorted(examples.items())},
        "sampled": ledgers[0]["sampled"],
    }
