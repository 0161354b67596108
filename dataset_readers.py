"""Read instruction data of any common shape into one table: id, source, instruction, response.

`read_rows` takes local files (.json, .jsonl, .csv, .parquet, .arrow), folders of such files or of
`datasets.save_to_disk`, hub ids ("owner/name", or "owner/name:config") and "demo", the embedded corpus. What the
columns mean is found from their names, row by row (`find_layout`). Text is kept as it is, except that end-marker
literals at the end of a response go, and that lone surrogates, which UTF-8 cannot hold, become U+FFFD: both counted.

Every input row is in the ledger: kept, or dropped under a reason. `dataset_files.py` opens the files.
"""

import functools
import itertools
import re
from collections import Counter
from typing import NamedTuple

import numpy as np
import pyarrow
import pyarrow.compute

from common import UserError
from dataset_files import CHUNK_ROWS, Chunk, Part, open_dataset

COLUMNS = ["id", "source", "instruction", "response"]
# 64-bit offsets: a table of more than 2 GiB of text cannot be reordered with Arrow's plain strings.
SCHEMA = pyarrow.schema([(name, pyarrow.large_string()) for name in COLUMNS])

MAX_UNREADABLE_FRACTION = 0.01  # of a file's rows
UNREADABLE_EXAMPLES = 5

TURN_COLUMNS = ["messages", "conversations", "conversation"]
INSTRUCTION_COLUMNS = ["instruction", "prompt", "question", "query", "input"]
RESPONSE_COLUMNS = ["response", "output", "completion", "answer", "chosen"]
EXTRA_COLUMNS = ["input", "context"]  # what the instruction is about
SYSTEM_COLUMNS = ["system", "system_prompt"]
USED_COLUMNS = {
    *("id", "source"), *TURN_COLUMNS, *INSTRUCTION_COLUMNS, *RESPONSE_COLUMNS, *EXTRA_COLUMNS, *SYSTEM_COLUMNS
}  # fmt: skip
UNDERSTOOD = (
    "instruction/response, instruction/input/output, prompt/completion, prompt/response, question/answer, "
    "instruction/context/response, prompt/chosen, messages [{role, content}] or conversations [{from, value}]"
)
ROLES = {
    **dict.fromkeys(["user", "human", "prompter"], "user"),
    **dict.fromkeys(["assistant", "gpt", "model", "bot", "chatgpt"], "assistant"),
    **dict.fromkeys(["system", "developer"], "system"),
}
END_MARKERS = ("<|endoftext|>", "</s>", "<|im_end|>", "<|eot_id|>")
LONE_SURROGATES = re.compile("[\ud800-\udfff]")


def read_rows(datasets: list[str], max_samples: int | None, seed: int, split: str = "train"):
    """All rows of `datasets`, or a seeded sample of `max_samples` of the usable ones: (pyarrow Table, ledger).

    The table's columns are COLUMNS, its ids are unique and its rows in the order of the input. The ledger holds
    rows_read, kept, dropped {reason: {source: rows}}, modified {reason: rows}, unreadable_examples, sampled.
    Raises UserError for what cannot be read.
    """
    from tqdm import tqdm

    collector = RowCollector(max_samples, seed)
    with tqdm(desc="read", unit=" rows", unit_scale=True, delay=2) as bar:
        for entry in datasets:
            index = 0  # of a row in its data set: part of the id of a row that has none
            for part in open_dataset(entry, split, USED_COLUMNS):
                index = _read_part(part, index, collector, bar)
    table = collector.table()
    return table, collector.ledger(table.num_rows)


def _read_part(part: Part, index: int, collector: "RowCollector", bar) -> int:
    """Read one file, or one data set of the hub, into the collector; the index of the next row."""
    rows, report = 0, PartReport(part.name, part.path)
    for chunk in part.chunks:
        wanted = collector.draw(chunk.rows, part.name)
        report.read(chunk, wanted, index + rows, collector)
        rows += chunk.rows
        collector.prune()
        bar.update(chunk.rows)
    report.check()
    return index + rows


class PartReport:
    """What was found in a part, or in some chunks of it: whether it can be used is for the whole part to say."""

    def __init__(self, name: str, path: str):
        self.name, self.path = name, path
        self.rows = self.parsed = self.problems = 0
        self.first_problem, self.found_columns, self.usable = None, None, False

    def read(self, chunk, wanted: np.ndarray, index: int, collector: "RowCollector") -> None:
        """Parse the wanted rows of a chunk into the collector; `index`: that of its first row in the data set."""
        problems = []
        for offset, record in zip(wanted.tolist(), chunk.take(wanted), strict=True):
            if isinstance(record, str):
                problems.append(record)
                continue
            self.found_columns = self.found_columns or list(record)
            self.usable |= find_layout(tuple(record)) is not None
            collector.add(offset, record, self.name, index + offset)
        self.rows += chunk.rows
        self.parsed += len(wanted)
        self.problems += len(problems)
        self.first_problem = self.first_problem or next(iter(problems), None)
        collector.drop("unreadable", self.name, len(problems))
        collector.unreadable_examples += problems[: UNREADABLE_EXAMPLES - len(collector.unreadable_examples)]

    def add(self, later: dict) -> None:
        """Take in the report on further chunks of the same part, as a dict of its attributes."""
        for name in ("rows", "parsed", "problems"):
            setattr(self, name, getattr(self, name) + later[name])
        self.first_problem = self.first_problem or later["first_problem"]
        self.found_columns = self.found_columns or later["found_columns"]
        self.usable |= later["usable"]

    def check(self) -> None:
        """Raises UserError where the part is empty, damaged or holds nothing that is understood."""
        if not self.rows:
            raise UserError(f"{self.path} is empty: no rows in it")
        if self.problems > MAX_UNREADABLE_FRACTION * self.parsed:
            many = f"{self.problems} of {self.parsed} rows cannot be read, more than {MAX_UNREADABLE_FRACTION:.0%}"
            raise UserError(f"{self.first_problem}; {many}")
        if self.found_columns and not self.usable:
            found = ", ".join(map(str, self.found_columns))
            raise UserError(f"{self.path} has no usable columns: found {found}; understood: {UNDERSTOOD}")


# ---------------------------------------------------------------------------------------------------------------------
# The same in shards, each parsed by itself in any process


class Segment(NamedTuple):
    """One chunk of a part, not parsed yet: the part's place in the input, its name and path, its row's first index."""

    part: int
    name: str
    path: str
    index: int
    chunk: Chunk


def shards_of_input(datasets: list[str], split: str, shard_rows: int):
    """The whole input as lists of segments of at least `shard_rows` rows each, the last one apart; not parsed yet."""
    segments, rows = [], 0
    for segment in _segments_of_input(datasets, split):
        segments.append(segment)
        rows += segment.chunk.rows
        if rows >= shard_rows:
            yield segments
            segments, rows = [], 0
    if segments:
        yield segments


def _segments_of_input(datasets: list[str], split: str):
    number = 0
    for entry in datasets:
        index = 0
        for part in open_dataset(entry, split, USED_COLUMNS):
            before = index
            for chunk in part.chunks:
                yield Segment(number, part.name, part.path, index, chunk)
                index += chunk.rows
            if index == before:
                PartReport(part.name, part.path).check()
            number += 1


def read_shard(segments: list[Segment]):
    """Parse one shard: (pyarrow Table whose ids may recur, ledger, {part's number: its PartReport as a dict})."""
    collector, reports = RowCollector(None, 0), {}
    for segment in segments:
        report = reports.setdefault(segment.part, PartReport(segment.name, segment.path))
        wanted = collector.draw(segment.chunk.rows, segment.name)
        report.read(segment.chunk, wanted, segment.index, collector)
    table = collector.table(unique=False)
    return table, collector.ledger(table.num_rows), {part: vars(report) for part, report in reports.items()}


def check_parts(reports: list[dict]) -> None:
    """Raises UserError for the first part that cannot be used; `reports`: those of the shards, in their order."""
    parts = {}
    for part, found in (item for report in reports for item in report.items()):
        parts.setdefault(part, PartReport(found["name"], found["path"])).add(found)
    for report in parts.values():
        report.check()


def merge_ledgers(ledgers: list[dict]) -> dict:
    """The ledger of all shards, from those of each."""
    dropped: dict[str, Counter] = {}
    for ledger in ledgers:
        for reason, sources in ledger["dropped"].items():
            dropped.setdefault(reason, Counter()).update(sources)
    modified = sum((Counter(ledger["modified"]) for ledger in ledgers), Counter())
    return {
        "rows_read": sum(ledger["rows_read"] for ledger in ledgers),
        "kept": sum(ledger["kept"] for ledger in ledgers),
        "dropped": {reason: dict(sorted(sources.items())) for reason, sources in sorted(dropped.items())},
        "modified": dict(sorted(modified.items())),
        "unreadable_examples": [line for ledger in ledgers for line in ledger["unreadable_examples"]][
            :UNREADABLE_EXAMPLES
        ],
        "sampled": ledgers[0]["sampled"],
    }


# ---------------------------------------------------------------------------------------------------------------------
# Columns to instruction and response


class Unusable(Exception):
    """A row that holds no instruction-response pair; its text is the ledger's reason."""


class Layout(NamedTuple):
    """The columns of one kind of row by their role, None where there is none. `turns` stands for a whole dialogue."""

    turns: str | None
    instruction: str | None
    extra: str | None
    system: str | None
    response: str | None
    id: str | None
    source: str | None


@functools.lru_cache(maxsize=1024)
def find_layout(columns: tuple) -> Layout | None:
    """What the columns of a row mean, by their names in any case; None where they hold no pair."""
    names = {column.strip().lower(): column for column in columns if isinstance(column, str)}

    def first(candidates: list[str]) -> str | None:
        return next((names[name] for name in candidates if name in names), None)

    turns, instruction, response = map(first, (TURN_COLUMNS, INSTRUCTION_COLUMNS, RESPONSE_COLUMNS))
    if turns is None and (instruction is None or response is None):
        if "chosen" not in names:
            return None
        turns = names["chosen"]  # preferred dialogues that hold their own prompt
    extra = first([name for name in EXTRA_COLUMNS if names.get(name) != instruction])
    return Layout(turns, instruction, extra, first(SYSTEM_COLUMNS), response, names.get("id"), names.get("source"))


def instruction_and_response(record: dict, layout: Layout) -> tuple[str, str]:
    """The pair of one row; of several turns the first exchange. Raises Unusable."""
    system = text_of(record[layout.system]) if layout.system else ""
    if layout.turns:
        return first_exchange(record[layout.turns], system)
    prompt, response = record[layout.instruction], record[layout.response]
    if isinstance(prompt, list) or isinstance(response, list):
        return first_exchange(_joined_turns(prompt, response), system)
    extra = text_of(record[layout.extra]) if layout.extra else ""
    return join_paragraphs(system, text_of(prompt), extra), text_of(response)


def first_exchange(turns, system: str = "") -> tuple[str, str]:
    """System text and first user turn, and the assistant's turn right after it. Raises Unusable."""
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise Unusable("no_dialogue")
    roles = [ROLES.get(str(turn.get("role") or turn.get("from")).lower()) for turn in turns]
    if "user" not in roles:
        raise Unusable("no_user_turn")
    user = roles.index("user")
    if roles[user + 1 : user + 2] != ["assistant"]:
        raise Unusable("no_answer_after_user_turn")
    texts = [text_of(turn.get("content", turn.get("value"))) for turn in turns[: user + 2]]
    systems = [text for text, role in zip(texts[:user], roles, strict=False) if role == "system"]
    return join_paragraphs(*(systems or [system]), texts[user]), texts[user + 1]


def _joined_turns(prompt, response) -> list:
    """A dialogue of a prompt and a response of which at least one is a list of turns."""
    if isinstance(response, list) and any(isinstance(turn, dict) and _is_user(turn) for turn in response):
        return response
    before = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    after = response if isinstance(response, list) else [{"role": "assistant", "content": response}]
    return [*before, *after]


def _is_user(turn: dict) -> bool:
    return ROLES.get(str(turn.get("role") or turn.get("from")).lower()) == "user"


def text_of(value) -> str:
    """A cell as text: strings as they are, numbers as written, missing ones as "". Raises Unusable for the rest."""
    if isinstance(value, str):
        return value
    if value is None or value != value:  # NaN is how some tools write a missing cell
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
        return "".join(part["text"] for part in value)
    raise Unusable("not_text")


def join_paragraphs(*parts: str) -> str:
    """The parts that hold anything, with a blank line between."""
    filled = [part for part in parts if part.strip()]
    return filled[0] if len(filled) == 1 else "\n\n".join(part.strip("\n") for part in filled)


def strip_end_markers(response: str) -> str:
    """The response without the end-marker literals at its end; else as it is, white space included."""
    bare = response.rstrip()
    if not bare.endswith(END_MARKERS):
        return response
    while marker := next((marker for marker in END_MARKERS if bare.endswith(marker)), None):
        bare = bare.removesuffix(marker).rstrip()
    return bare


# ---------------------------------------------------------------------------------------------------------------------
# Rows to a table


class RowCollector:
    """Takes rows as they come and holds all, or the seeded sample; counts what became of each.

    The sample: every input row gets a random number in the order of the input, and the usable rows of the
    `max_samples` smallest stay. So memory is bounded by the sample, and most other rows need not even be parsed.
    """

    def __init__(self, max_samples: int | None, seed: int):
        self.max_samples = max_samples
        self.rng = np.random.default_rng(seed)
        self.threshold = 1.0
        self.keys = np.empty(0)
        self.rows_read = 0
        self.rows: list[tuple] = []  # (random number, position, data set, id or None, source, instruction, response)
        self.batches: list = []
        self.dropped: dict[str, Counter] = {}
        self.modified: Counter = Counter()
        self.unreadable_examples: list[str] = []

    def draw(self, rows: int, name: str) -> np.ndarray:
        """Which of the next rows to parse, as offsets."""
        self.rows_read += rows
        if self.max_samples is None:
            return np.arange(rows)
        self.keys = self.rng.random(rows)
        wanted = np.flatnonzero(self.keys < self.threshold)
        self.drop("not_sampled", name, rows - len(wanted))
        return wanted

    def add(self, offset: int, record: dict, name: str, index: int) -> None:
        """Take one row, or drop it with its reason. `index`: its place in the data set `name`."""
        layout = find_layout(tuple(record))
        if layout is None:
            return self.drop("no_usable_columns", name)
        source = record[layout.source] if layout.source else None
        source = source if isinstance(source, str) and source.strip() else name
        identity = record[layout.id] if layout.id else None
        identity = f"{source}-{index}" if identity is None or identity == "" else str(identity)
        try:
            pair = instruction_and_response(record, layout)
        except Unusable as reason:
            return self.drop(str(reason), source)
        key = self.keys[offset] if self.max_samples is not None else 0.0
        self.rows.append((key, name, identity, source, *pair))

    def drop(self, reason: str, source: str, rows: int = 1) -> None:
        """Count `rows` rows of a source as dropped."""
        if rows:
            self.dropped.setdefault(reason, Counter())[LONE_SURROGATES.sub("\ufffd", source)] += rows

    def prune(self) -> None:
        """Move full batches to Arrow; with a sample, forget the rows that cannot be in it any more."""
        if self.max_samples is None:
            if len(self.rows) >= CHUNK_ROWS:
                self._flush()
        elif len(self.rows) > 2 * self.max_samples + CHUNK_ROWS:
            self._keep_smallest()

    def _keep_smallest(self) -> None:
        if len(self.rows) <= self.max_samples:
            return
        keys = np.array([row[0] for row in self.rows])
        self.threshold = float(np.partition(keys, self.max_samples)[self.max_samples])
        for row in self.rows:
            if row[0] >= self.threshold:
                self.drop("not_sampled", row[1])
        self.rows = [row for row in self.rows if row[0] < self.threshold]

    def _flush(self) -> None:
        columns = [[self._clean_text(value) for value in column] for column in list(zip(*self.rows, strict=True))[2:5]]
        responses = [self._clean_response(row[5]) for row in self.rows]
        arrays = [pyarrow.array(column, pyarrow.large_string()) for column in [*columns, responses]]
        self.batches.append(pyarrow.record_batch(arrays, schema=SCHEMA))
        self.rows = []

    def _clean_text(self, text: str) -> str:
        if text.isascii() or not LONE_SURROGATES.search(text):
            return text
        self.modified["lone_surrogates_replaced"] += 1
        return LONE_SURROGATES.sub("\ufffd", text)

    def _clean_response(self, text: str) -> str:
        bare = strip_end_markers(text)
        self.modified["end_marker_stripped"] += bare != text
        return self._clean_text(bare)

    def table(self, unique: bool = True):
        """The rows taken; ids are made unique, unless that is left to the caller."""
        if self.max_samples is not None:
            self._keep_smallest()
        if self.rows:
            self._flush()
        table = pyarrow.Table.from_batches(self.batches, SCHEMA)
        renamed = renamed_ids(table["id"]) if unique else {}
        self.modified["duplicate_id_suffixed"] += len(renamed)
        return table.set_column(0, "id", replace_values(table["id"], renamed)) if renamed else table

    def ledger(self, kept: int) -> dict:
        dropped = {reason: dict(sorted(sources.items())) for reason, sources in sorted(self.dropped.items())}
        total = sum(rows for sources in dropped.values() for rows in sources.values())
        assert self.rows_read == kept + total, f"{self.rows_read} rows read, {kept} kept, {total} dropped"
        return {
            "rows_read": self.rows_read,
            "kept": kept,
            "dropped": dropped,
            "modified": {reason: rows for reason, rows in sorted(self.modified.items()) if rows},
            "unreadable_examples": self.unreadable_examples,
            "sampled": "all rows" if self.max_samples is None else "seeded sample over the whole input",
        }


def renamed_ids(ids) -> dict[int, str]:
    """New ids, with "#2", "#3", ... after them, for the rows whose id an earlier row has. `ids`: a chunked array."""
    if pyarrow.compute.count_distinct(ids).as_py() == len(ids):
        return {}
    codes = ids.combine_chunks().dictionary_encode().indices.to_numpy()
    is_first = np.zeros(len(codes), bool)
    is_first[np.unique(codes, return_index=True)[1]] = True
    later = np.flatnonzero(~is_first)
    taken = set(ids.filter(pyarrow.compute.match_substring(ids, "#")).to_pylist())  # all that a new id could meet
    seen, renamed = Counter(), {}
    for row, identity in zip(later.tolist(), ids.take(later).to_pylist(), strict=True):
        seen[identity] += 1
        counts = itertools.count(seen[identity] + 1)
        renamed[row] = next(name for n in counts if (name := f"{identity}#{n}") not in taken)
        taken.add(renamed[row])
    return renamed


def replace_values(column, values: dict[int, str]):
    """A chunked array of strings with other values in some rows."""
    mask = np.zeros(len(column), bool)
    mask[list(values)] = True
    others = pyarrow.array([values[row] for row in sorted(values)], column.type)
    return pyarrow.compute.replace_with_mask(column.combine_chunks(), pyarrow.array(mask), others)
