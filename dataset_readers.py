"""Read instruction data of any common shape into one table: id, source, instruction, response.

`read_rows` takes local files (JSON, JSON lines, CSV, Parquet, Arrow), folders of such files or of
`datasets.save_to_disk`, hub ids ("owner/name", or "owner/name:config") and "demo", the embedded corpus. What the
columns mean is found from their names, row by row (`find_layout`), or said by `columns`. Text is kept as it is, except
that end-marker literals at the end of a response go, and that lone surrogates, which UTF-8 cannot hold, become U+FFFD:
both counted.

Of a dialogue the first exchange is read; with `turns="all"` every answer is a row, `<id>#1`, `<id>#2` and so on. The
instruction of a later one is the dialogue so far: the system text, then every turn under its name, blank lines between:

    User: Name a river.

    Assistant: The Nile.

    User: And a longer one?

So is that of a row with earlier exchanges in a column `history`, whose own answer alone is read by default; choices
beside a question stand in its instruction (`choice_questions.py`). A turn that calls a tool is not an answer: in the
history it is its text and its calls in JSON; what the tool returned is "Tool: ...". A prompt of one text that ends with
the mark of an answer, as in "Human: Name a river. Assistant:" on two lines, is read without its marks, as such a
history. Every input row is in the ledger: kept, or dropped under a reason. `dataset_files.py` opens the input,
`dialogues.py` reads the turns.
"""

import functools
import itertools
import re
from collections import Counter
from typing import NamedTuple

import numpy as np
import pyarrow
import pyarrow.compute

from choice_questions import with_choices
from common import UserError
from dataset_files import open_dataset
from dataset_formats import CHUNK_BYTES, CHUNK_ROWS, Chunk
from dialogues import (
    Unusable,
    answered_prompt,
    dialogue_exchanges,
    history_turns,
    is_missing,
    join_paragraphs,
    joined_turns,
    strip_end_markers,
    text_of,
    turns_of,
)
from filter_ledger import EXAMPLE_CHARACTERS, EXAMPLES

COLUMNS = ["id", "source", "instruction", "response"]
# 64-bit offsets: a table of more than 2 GiB of text cannot be reordered with Arrow's plain strings.
SCHEMA = pyarrow.schema([(name, pyarrow.large_string()) for name in COLUMNS])

LONE_SURROGATES = re.compile("[\ud800-\udfff]")
MAX_UNREADABLE_FRACTION = 0.01  # of a file's rows
MIN_USABLE_FRACTION = 0.01  # that have columns which are understood: in any text column some text looks like a dialogue
MIN_JUDGED_ROWS = 100  # that could be read: of a file of fewer, rows that hold no pair are no reason to refuse it
NOT_UNDERSTOOD = [
    "no_usable_columns", "no_dialogue", "no_user_turn", "no_answer_after_user_turn", "not_text", "answer_is_no_choice",
    "empty",
]  # fmt: skip

TURN_COLUMNS = ["messages", "conversations", "conversation"]
INSTRUCTION_COLUMNS = ["instruction", "prompt", "question", "query", "input", "problem", "inputs", "user", "context"]
RESPONSE_COLUMNS = [
    "response", "output", "completion", "solution", "generated_solution", "answer", "targets", "assistant", "chosen"
]  # fmt: skip
EXTRA_COLUMNS = ["input", "context"]  # what the instruction is about
NO_EXTRA = ["<noinput>", "<no input>", "n/a", "nan", "none", "null"]  # how some data sets write that there is none
HISTORY_COLUMNS = ["history"]
CHOICE_COLUMNS = ["choices", "options"]
SYSTEM_COLUMNS = ["system", "system_prompt", "definition"]
LONE_COLUMNS = ["chosen", "text", "chat", "dialogue", "dialog", "data"]  # may hold a dialogue, where no other has any
USED_COLUMNS = {
    *("id", "source"), *TURN_COLUMNS, *INSTRUCTION_COLUMNS, *RESPONSE_COLUMNS, *EXTRA_COLUMNS, *SYSTEM_COLUMNS,
    *LONE_COLUMNS, *HISTORY_COLUMNS, *CHOICE_COLUMNS,
}  # fmt: skip
NAMEABLE = ["instruction", "input", "response", "messages", "system", "id", "source"]  # what `columns` may name
UNDERSTOOD = (
    "instruction/response, instruction/input/output, prompt/completion, prompt/response, question/answer, "
    "problem/solution, inputs/targets, instruction/context/response, prompt/chosen, "
    "messages [{role, content}] or conversations [{from, value}], [text, ...], [{input, output}], "
    "text with the marks of turns (### Human: ... ### Assistant: ..., a chat template)"
)


def read_rows(
    datasets: list[str],
    max_samples: int | None,
    seed: int,
    split: str = "train",
    columns: dict[str, str] | None = None,
    turns: str = "first",
):
    """All rows of `datasets`, or a seeded sample of `max_samples` of the usable ones: (pyarrow Table, ledger).

    The table's columns are COLUMNS, its ids are unique and its rows in the order of the input. `columns` says which
    column of the input is what (`parse_columns`); `turns` is "first" or "all". The ledger holds rows_read, rows_added
    (by turns="all"), kept, dropped {reason: {source: rows}}, modified {reason: rows}, examples {reason: [text]},
    sampled. Raises UserError for what cannot be read.
    """
    from tqdm import tqdm

    collector = RowCollector(max_samples, seed, columns or {}, turns)
    with tqdm(desc="read", unit=" rows", unit_scale=True, delay=2) as bar:
        for entry in datasets:
            index = 0  # of a row in its data set: part of the id of a row that has none
            for part in open_dataset(entry, [split], used_columns(columns)):
                report = PartReport(part.name, part.path)
                for chunk in part.chunks:
                    report.read(chunk, index + report.rows, collector)
                    bar.update(chunk.rows)
                report.check()
                index += report.rows
    if columns and not collector.renamed:
        raise UserError(no_such_columns(columns))
    table = collector.table()
    return table, collector.ledger(table.num_rows)


def used_columns(columns: dict[str, str] | None) -> set[str]:
    """The names, in small letters, of the columns that are worth reading; `columns`: see `parse_columns`."""
    named = [name.strip().lower() for name in (columns or {}).values()]
    return {*USED_COLUMNS, *named, *(name.split(".")[0].strip() for name in named)}


def no_such_columns(columns: dict[str, str]) -> str:
    return f"no row has the columns {', '.join(columns.values())} that --columns names"


def parse_columns(text: str) -> dict[str, str]:
    """The columns of an option such as "instruction=a,response=b.text", by what they are. Raises UserError.

    A dot leads into a nested column. Rows that lack one of them are read by the names of their columns.
    """
    named = dict(part.strip().split("=", 1) for part in text.split(",") if "=" in part)
    wrong = [name for name in named if name not in NAMEABLE]
    if wrong or len(named) != len(text.split(",")) or not all(named.values()):
        wrong = f"{wrong[0]!r} is not among {', '.join(NAMEABLE)}" if wrong else "it takes instruction=a,response=b"
        raise UserError(f"--columns {text}: {wrong}")
    if "messages" not in named and not {"instruction", "response"} <= set(named):
        raise UserError(f"--columns {text}: name an instruction and a response, or messages")
    return named


class PartReport:
    """What was found in a part, or in some chunks of it; only that on the whole part tells whether it can be used."""

    def __init__(self, name: str, path: str):
        self.name, self.path = name, path
        self.rows = self.parsed = self.problems = self.usable = 0
        self.not_understood: dict[str, int] = {}  # rows by reason
        self.first_problem, self.found_columns, self.renamed = None, None, False

    def read(self, chunk: Chunk, index: int, collector: "RowCollector") -> None:
        """Parse a chunk, or its sampled rows, into the collector. `index`: that of its first row in the data set."""
        wanted = collector.draw(chunk.rows, self.name)
        for offset, record in zip(wanted.tolist(), chunk.take(wanted), strict=True):
            if isinstance(record, str):
                collector.drop("unreadable", self.name, example=self.add_problem(chunk.place(offset), record))
                continue
            record = collector.rename(record)
            self.found_columns = self.found_columns or [str(column) for column in record]
            reason = collector.add(offset, record, self.name, index + offset)
            self.usable += reason != "no_usable_columns"
            if not reason and any(not text or text.isspace() for text in collector.rows[-1][-2:]):
                self.add_not_understood("empty", 1)  # it is dropped later, as an empty instruction or response
            elif reason in NOT_UNDERSTOOD:
                self.add_not_understood(reason, 1)
            if reason and collector.wants_example(reason):
                collector.add_example(reason, f"{self.path}{chunk.place(offset)}", record)
        self.rows += chunk.rows
        self.parsed += len(wanted)
        self.renamed |= collector.renamed
        collector.prune()

    def add_problem(self, place: str, reason: str) -> str:
        """Count a row that cannot be read; where it is, and why."""
        problem = f"{self.path}{place}: {reason}"
        self.first_problem = self.first_problem or problem
        self.problems += 1
        return problem

    def add_not_understood(self, reason: str, rows: int) -> None:
        self.not_understood[reason] = self.not_understood.get(reason, 0) + rows

    def add(self, later: dict) -> None:
        """Take in the report on further chunks of the same part, as a dict of its attributes."""
        for name in ("rows", "parsed", "problems", "usable"):
            setattr(self, name, getattr(self, name) + later[name])
        for reason, rows in later["not_understood"].items():
            self.add_not_understood(reason, rows)
        for name in ("first_problem", "found_columns", "renamed"):
            setattr(self, name, getattr(self, name) or later[name])

    def check(self) -> None:
        """Raises UserError where the part is empty, damaged or holds nothing that is understood."""
        if not self.rows:
            raise UserError(f"{self.path} is empty: no rows in it")
        if self.problems > MAX_UNREADABLE_FRACTION * self.parsed:
            many = f"{self.problems} of {self.parsed} rows cannot be read, more than {MAX_UNREADABLE_FRACTION:.0%}"
            raise UserError(f"{self.first_problem}; {many}")
        if self.found_columns and self.usable <= MIN_USABLE_FRACTION * (self.parsed - self.problems):
            few = f" in {self.parsed - self.usable} of {self.parsed} rows" if self.usable else ""
            found = f"no usable columns{few}: found {', '.join(self.found_columns)}"
            raise UserError(f"{self.path} has {found}; understood: {UNDERSTOOD}; --columns names others")
        readable, lost = self.parsed - self.problems, sum(self.not_understood.values())
        if readable >= MIN_JUDGED_ROWS and readable - lost <= MIN_USABLE_FRACTION * readable:
            reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in self.not_understood.items())
            few = f"{lost:,} of {readable:,} rows hold no instruction and response that are understood"
            raise UserError(f"{self.path}: {few} ({reasons}); leave it out, or say with --columns what is what")


# ---------------------------------------------------------------------------------------------------------------------
# Columns to instruction and response


class Layout(NamedTuple):
    """The columns of one kind of row by their role, None where there is none. `turns` stands for a whole dialogue, and
    `lone` says that it is one of LONE_COLUMNS, which may well hold none."""

    turns: str | None
    instruction: str | None
    extra: str | None
    system: str | None
    response: str | None
    history: str | None
    choices: str | None
    id: str | None
    source: str | None
    lone: bool


@functools.lru_cache(maxsize=1024)
def find_layout(columns: tuple) -> Layout | None:
    """What the columns of a row mean, by their names in any case; None where they hold no pair."""
    names = {column.strip().lower(): column for column in columns if isinstance(column, str)}

    def first(candidates: list[str]) -> str | None:
        return next((names[name] for name in candidates if name in names), None)

    turns, instruction, response = map(first, (TURN_COLUMNS, INSTRUCTION_COLUMNS, RESPONSE_COLUMNS))
    lone = turns is None and instruction is None and response == names.get("chosen")
    if lone:
        turns = first(LONE_COLUMNS)
    if turns is None and (instruction is None or response is None):
        return None
    extra = first([name for name in EXTRA_COLUMNS if names.get(name) != instruction])
    system, history, choices = map(first, (SYSTEM_COLUMNS, HISTORY_COLUMNS, CHOICE_COLUMNS))
    identity, source = names.get("id"), names.get("source")
    return Layout(turns, instruction, extra, system, response, history, choices, identity, source, lone)


def layout_of(record: dict) -> Layout | None:
    """What the columns of this row mean: those that hold anything, where they make a pair, else all of them.

    A table has every column in every row: where data sets of several shapes are joined, most are empty.
    """
    filled = tuple(name for name, value in record.items() if not _is_empty(value))
    return find_layout(filled) or find_layout(tuple(record))


def _is_empty(value) -> bool:
    return is_missing(value) or value == "" or value == []


def exchanges(record: dict, layout: Layout, turns: str) -> list[tuple[str, str]]:
    """The pair of one row; of a dialogue its first, or with turns="all" one for each answer. Raises Unusable."""
    system = text_of(record[layout.system]).removeprefix("SYSTEM: ") if layout.system else ""  # glaive has the mark too
    if layout.turns:
        return dialogue_exchanges(turns_of(record[layout.turns]), system, turns)
    prompt, response = record[layout.instruction], record[layout.response]
    if isinstance(prompt, list) or isinstance(response, list):
        return dialogue_exchanges(joined_turns(prompt, response), system, turns)
    extra = text_of(record[layout.extra]) if layout.extra else ""
    extra = "" if extra.strip().lower() in NO_EXTRA else extra
    history = history_turns(record[layout.history]) if layout.history else []
    if layout.choices or history:
        asked, response = join_paragraphs(text_of(prompt), extra), text_of(response)
        if layout.choices:
            asked, response = with_choices(asked, record[layout.choices], record[layout.response])
        if not history:
            return [(join_paragraphs(system, asked), response)]
        turn = [{"role": "user", "content": asked}, {"role": "assistant", "content": response}]
        pairs = dialogue_exchanges([*history, *turn], system, "all")
        if turns != "all" and pairs[-1][1] != response:
            raise Unusable("answer_calls_a_tool")
        return pairs if turns == "all" else pairs[-1:]
    if not extra and isinstance(prompt, str) and (asked := answered_prompt(prompt)):
        return dialogue_exchanges(joined_turns(asked, text_of(response)), system, "all")[-1:]
    return [(join_paragraphs(system, text_of(prompt), extra), text_of(response))]


# ---------------------------------------------------------------------------------------------------------------------
# Rows to a table


class RowCollector:
    """Takes rows as they come and keeps all of them or the seeded sample; counts what became of each.

    The sample: every input row gets a random number in the order of the input, and the usable rows of the
    `max_samples` smallest stay. So memory is bounded by the sample, and most other rows need not even be parsed.
    """

    def __init__(self, max_samples: int | None, seed: int, columns: dict[str, str], turns: str):
        self.max_samples, self.columns, self.turns = max_samples, columns, turns
        self.rng = np.random.default_rng(seed)
        self.threshold = 1.0
        self.keys = np.empty(0)
        self.rows_read = self.rows_added = 0
        self.renamed = False
        self.characters = 0  # of `rows`
        self.rows: list[tuple] = []  # (random number, position, data set, id or None, source, instruction, response)
        self.batches: list = []
        self.dropped: dict[str, Counter] = {}
        self.modified: Counter = Counter()
        self.examples: dict[str, list[str]] = {}

    def draw(self, rows: int, name: str) -> np.ndarray:
        """Which of the next rows to parse, as offsets."""
        self.rows_read += rows
        if self.max_samples is None:
            return np.arange(rows)
        self.keys = self.rng.random(rows)
        wanted = np.flatnonzero(self.keys <= self.threshold)
        self.drop("not_sampled", name, rows - len(wanted))
        return wanted

    def rename(self, record: dict) -> dict:
        """The row under the names that `columns` gives; as it is where it lacks one of them, or they hold nothing."""
        if not self.columns:
            return record
        try:
            renamed = {role: _cell(record, name) for role, name in self.columns.items()}
        except KeyError:
            return record
        self.renamed = True
        if all(map(_is_empty, renamed.values())):
            return record
        kept = {name: record[name] for name in ("id", "source") if name in record and name not in self.columns.values()}
        return {**kept, **renamed}

    def add(self, offset: int, record: dict, name: str, index: int) -> str | None:
        """Take one row, or drop it and return the reason. `index`: its place in the data set `name`."""
        layout = layout_of(record)
        if layout is None:
            return self.drop("no_usable_columns", name)
        source = record[layout.source] if layout.source else None
        source = source if isinstance(source, str) and source.strip() else name
        identity = record[layout.id] if layout.id else None
        identity = f"{source}-{index}" if identity is None or identity == "" else str(identity)
        try:
            pairs = exchanges(record, layout, self.turns)
        except Unusable as reason:
            prose = layout.lone and str(reason) == "no_dialogue"
            return self.drop("no_usable_columns" if prose else str(reason), source)
        key = self.keys[offset] if self.max_samples is not None else 0.0
        if self.turns == "first" or not (layout.turns or len(pairs) > 1):
            self.rows.append((key, name, identity, source, *pairs[0]))
        else:
            self.rows += [(key, name, f"{identity}#{turn}", source, *pair) for turn, pair in enumerate(pairs, start=1)]
            self.rows_added += len(pairs) - 1
        self.characters += sum(len(text) for pair in pairs for text in pair)
        return None

    def drop(self, reason: str, source: str, rows: int = 1, example: str | None = None) -> str:
        """Count `rows` rows of a source as dropped; the reason."""
        if rows:
            self.dropped.setdefault(reason, Counter())[LONE_SURROGATES.sub("\ufffd", source)] += rows
        if example and self.wants_example(reason):
            self.examples.setdefault(reason, []).append(LONE_SURROGATES.sub("\ufffd", example))
        return reason

    def wants_example(self, reason: str) -> bool:
        return len(self.examples.get(reason, [])) < EXAMPLES

    def add_example(self, reason: str, where: str, record: dict) -> None:
        """Keep where a dropped row is and how it begins, for a look."""
        shown = ", ".join(f"{name}: {str(value)[:EXAMPLE_CHARACTERS]!r}" for name, value in record.items())
        text = f"{where}: {shown[: 2 * EXAMPLE_CHARACTERS]}"
        self.examples.setdefault(reason, []).append(LONE_SURROGATES.sub("\ufffd", text))

    def prune(self) -> None:
        """Move full batches to Arrow; with a sample, forget the rows that cannot be in it any more."""
        if self.max_samples is None:
            if len(self.rows) >= CHUNK_ROWS or self.characters >= CHUNK_BYTES:
                self._flush()
        elif len(self.rows) > 2 * self.max_samples + CHUNK_ROWS:
            self._keep_smallest()

    def _keep_smallest(self) -> None:
        if len(self.rows) <= self.max_samples:
            return
        keys = np.array([row[0] for row in self.rows])
        order = np.argsort(keys, kind="stable")  # of the turns of one dialogue the first ones
        self.threshold = float(keys[order[self.max_samples - 1]])
        for place in order[self.max_samples :].tolist():
            self.drop("not_sampled", self.rows[place][1])
        self.rows = [self.rows[place] for place in np.sort(order[: self.max_samples]).tolist()]

    def _flush(self) -> None:
        columns = zip(*(self._cleaned(*row[2:]) for row in self.rows), strict=True)
        # The system's pool: Arrow's own allocator keeps what building a column took beyond it, 0.5 GiB for 1M rows.
        pool = pyarrow.system_memory_pool()
        arrays = [pyarrow.array(column, pyarrow.large_string(), memory_pool=pool) for column in columns]
        self.batches.append(pyarrow.record_batch(arrays, schema=SCHEMA))
        self.rows, self.characters = [], 0

    def _cleaned(self, identity: str, source: str, instruction: str, response: str) -> tuple[str, ...]:
        bare = strip_end_markers(response)
        self.modified["end_marker_stripped"] += bare != response
        cells = (identity, source, instruction, bare)
        if not any(LONE_SURROGATES.search(cell) for cell in cells if not cell.isascii()):
            return cells
        self.modified["lone_surrogates_replaced"] += 1
        return tuple(LONE_SURROGATES.sub("\ufffd", cell) for cell in cells)

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
        rows = self.rows_read + self.rows_added
        assert rows == kept + total, f"{rows} rows read or added, {kept} kept, {total} dropped"
        return {
            "rows_read": self.rows_read,
            "rows_added": self.rows_added,
            "kept": kept,
            "dropped": dropped,
            "modified": {reason: rows for reason, rows in sorted(self.modified.items()) if rows},
            "examples": dict(sorted(self.examples.items())),
            "sampled": "all rows" if self.max_samples is None else "seeded sample over the whole input",
        }


def _cell(record: dict, name: str):
    """The cell of a column, or of one nested in others where the name has dots. Raises KeyError."""
    if name in record:
        return record[name]
    for part in name.split("."):
        record = record[part] if isinstance(record, dict) else {}[part]
    return record


def renamed_ids(ids) -> dict[int, str]:
    """New ids, ending in "#2", "#3", ..., for the rows whose id an earlier row has. `ids`: a chunked array."""
    if pyarrow.compute.count_distinct(ids).as_py() == len(ids):
        return {}
    codes = ids.combine_chunks().dictionary_encode().indices.to_numpy()
    is_first = np.zeros(len(codes), bool)
    is_first[np.unique(codes, return_index=True)[1]] = True
    later = np.flatnonzero(~is_first)
    taken = set(ids.filter(pyarrow.compute.match_substring(ids, "#")).to_pylist())  # all that a new id could equal
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
