"""One data file as chunks of rows that are not parsed yet: JSON, JSON lines, CSV, Parquet, Arrow, compressed or not.

The rows of a chunk are parsed only when asked for. Everything is streamed, so that memory is that of a chunk whatever
the size of a file. What a damaged file claims is not believed. Which files an input has is for `dataset_files.py`.
"""

import bz2
import codecs
import csv
import functools
import gzip
import io
import itertools
import json
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow

from common import UserError, reason_of

CHUNK_ROWS = 4_096
MAX_EMPTY_ROWS = 1_000_000  # that a table may have without bytes to hold them
CHUNK_BYTES = 8 * 2**20  # of JSON or CSV text; of tables eight times as many
MAX_ROW_BYTES = 32 * 2**20  # of JSON text or of a CSV cell; anything longer is no instruction and is not read

TEXT_SUFFIXES = [".json", ".jsonl", ".ndjson", ".csv", ".tsv"]
DATA_SUFFIXES = [*TEXT_SUFFIXES, ".parquet", ".arrow"]
COMPRESSED_SUFFIXES = [".gz", ".bz2", ".xz", ".zst"]  # of TEXT_SUFFIXES
DELIMITERS = ",;\t|"  # of CSV, whatever its suffix: the one that finds most known names in the header
SPACES = re.compile(r"[ \t\r\n]*")
ESCAPED_BYTES = re.compile("[\udc80-\udcff]")  # what errors="surrogateescape" makes of bytes that are not UTF-8
NOT_UTF8 = "not UTF-8 (byte {:#x}); convert the file, as with iconv -f latin1 -t utf-8"
CSV_QUOTES = (
    'is a quote never closed? A cell that begins with " must end with it, and each " within must be doubled: ""; '
    "where the text has plain quotes, convert the file to JSON lines"
)
FORMATS = f"{' '.join(DATA_SUFFIXES)}; those of text also as {' '.join(COMPRESSED_SUFFIXES)}"


class Chunk(NamedTuple):
    """Some rows in order, not parsed yet. `take(offsets)` gives for each a dict, or a phrase that says why it has none.

    It can be sent to another process, which then parses it."""

    rows: int
    take: Callable[[np.ndarray], list[dict | str]]
    place: Callable[[int], str]  # where the row of an offset is in its file: ":12" by line, ", row 12" by row


def data_suffix(path: Path) -> str | None:
    """The suffix that tells the format, without that of a compression; None where the file is no data file."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSED_SUFFIXES:
        return suffixes[0] if len(suffixes) == 2 and suffixes[0] in TEXT_SUFFIXES else None
    return suffixes[-1] if suffixes and suffixes[-1] in DATA_SUFFIXES else None


def source_name(path: Path) -> str:
    """A file's name without the suffixes of format and compression."""
    name = path.name
    for suffix in [*COMPRESSED_SUFFIXES, *DATA_SUFFIXES]:
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return name


def open_file(path: Path, columns: set[str]) -> Iterable[Chunk]:
    """The rows of one local file, chunk by chunk. Raises UserError, naming the file, where it is damaged."""
    suffix = data_suffix(path)
    if suffix is None:
        raise UserError(f"{path} is not a data file; understood: {FORMATS}")
    try:
        if suffix == ".parquet":
            yield from _parquet_chunks(path, columns)
        elif suffix == ".arrow":
            yield from table_chunks(believable(_read_arrow_file(path), path), columns)
        elif suffix in (".csv", ".tsv"):
            yield from _csv_chunks(path, columns)
        else:
            yield from _json_chunks(path)
    except EOFError as error:
        raise UserError(f"{path} ends in the middle of its {path.suffix[1:]} stream: fetch the file again") from error
    except (OSError, zlib.error, lzma.LZMAError, pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or reason_of(error)}") from error


def _open_bytes(path: Path) -> io.BufferedIOBase:
    """The bytes of a text file, decompressed; UTF-16, told by its first two bytes, comes as UTF-8."""
    if path.suffix.lower() == ".zst":
        file = io.BufferedReader(pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd"))
    else:
        opened_by = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
        file = opened_by.get(path.suffix.lower(), open)(path, "rb")
    if file.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return io.BufferedReader(_FromUtf16(file))
    return file


class _FromUtf16(io.RawIOBase):
    """A file of UTF-16 read as UTF-8."""

    def __init__(self, file):
        self.text, self.waiting = io.TextIOWrapper(file, "utf-16", errors="replace", newline=""), b""

    def readable(self):
        return True

    def readinto(self, buffer):
        self.waiting = self.waiting or self.text.read(CHUNK_ROWS).encode()
        size = min(len(buffer), len(self.waiting))
        buffer[:size], self.waiting = self.waiting[:size], self.waiting[size:]
        return size


def _json_chunks(path: Path) -> Iterable[Chunk]:
    """A JSON array, or one JSON object a line."""
    with _open_bytes(path) as file:
        if file.peek(64)[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            first = 0
            for rows in _batched(_read_array(path, file)):
                yield _list_chunk(rows, first)
                first += len(rows)
        else:
            lines = enumerate(_read_lines(file), start=1)
            for batch in _batched((line, len(line[1])) for line in lines if not line[1].isspace()):
                yield _lines_chunk(batch)


def _batched(sized: Iterable[tuple]) -> Iterable[list]:
    """Lists of the values of (value, bytes), of at most CHUNK_ROWS and about CHUNK_BYTES."""
    batch, total = [], 0
    for value, size in sized:
        batch.append(value)
        total += size
        if len(batch) == CHUNK_ROWS or total >= CHUNK_BYTES:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _read_lines(file) -> Iterable[bytes]:
    """The lines of a file; one of more than MAX_ROW_BYTES is not held in memory and comes as b""."""
    while line := file.readline(MAX_ROW_BYTES):
        if len(line) < MAX_ROW_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(CHUNK_BYTES)
        yield b""


def _lines_chunk(lines: list[tuple[int, bytes]]) -> Chunk:
    return Chunk(len(lines), functools.partial(_take_lines, lines), functools.partial(_line_place, lines))


def _take_lines(lines: list[tuple[int, bytes]], wanted: np.ndarray) -> list[dict | str]:
    return [_parse_line(lines[offset][1]) for offset in wanted]


def _line_place(lines: list[tuple[int, bytes]], offset: int) -> str:
    return f":{lines[offset][0]}"


def _json_reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error).split(":")[0]


def _parse_line(line: bytes) -> dict | str:
    try:
        record = json.loads(line.decode("utf-8-sig", "surrogatepass"))  # given bytes it guesses, line by line
    except UnicodeDecodeError as error:
        return NOT_UTF8.format(error.object[error.start])
    except (ValueError, RecursionError) as error:
        if line.strip() == b"{":
            return "a JSON object over several lines; each must be one line, or all one array"
        return f"not JSON ({_json_reason(error)})" if line else f"longer than {MAX_ROW_BYTES / 2**20:.0f} MiB"
    return record if isinstance(record, dict) else "not a JSON object"


def _read_array(path: Path, file) -> Iterable[tuple[object, int]]:
    """The elements of a JSON array and the length of their texts, decoded from some CHUNK_BYTES of text at a time."""
    source = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    text = source.read(CHUNK_BYTES)
    place = SPACES.match(text, text.index("[") + 1).end()
    row, delimiter = 0, "]" if text[place : place + 1] == "]" else ","
    place += delimiter == "]"
    while delimiter == ",":
        try:
            element, delimiter, size, text, place = _decode_element(source, text, place)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} holds no whole JSON array, from row {row} on: {_json_reason(error)}") from error
        yield _not_utf8(text[place - 1 - size : place - 1]) or element, size
        row += 1
    if (text[place:] + source.read(CHUNK_BYTES)).strip():
        raise UserError(f"{path} goes on after its JSON array of {row} rows: make it one array, or JSON lines")


def _decode_element(source: io.TextIOBase, text: str, place: int) -> tuple[object, str, int, str, int]:
    """(element at `place`, its delimiter, its length, the text as far as it had to be read, the place after it).

    What cannot be decoded may merely be cut off: it is tried again with twice the text, up to MAX_ROW_BYTES.
    """
    more = CHUNK_BYTES
    while True:
        try:
            element, end = json.JSONDecoder().raw_decode(text, SPACES.match(text, place).end())
            end = SPACES.match(text, end).end()
            if text[end : end + 1] in (",", "]"):
                return element, text[end], end - place, text, end + 1
            problem = json.JSONDecodeError("Expecting ',' delimiter", "", 0)
        except json.JSONDecodeError as error:
            problem = error
        if len(text) - place > MAX_ROW_BYTES:
            raise ValueError(f"{problem.msg}, within {MAX_ROW_BYTES / 2**20:.0f} MiB")
        added = source.read(more)
        if not added:
            raise problem
        text, place, more = text[place:] + added, 0, 2 * more


def list_chunks(rows: list) -> Iterable[Chunk]:
    for start in range(0, len(rows), CHUNK_ROWS):
        yield _list_chunk(rows[start : start + CHUNK_ROWS], start)


def _list_chunk(rows: list, first: int) -> Chunk:
    return Chunk(len(rows), functools.partial(_take_from_list, rows), functools.partial(_row_place, first))


class Problem(str):
    """Why something in a file is not a row."""


def _not_utf8(text: str) -> Problem | None:
    """The problem of a text read with errors="surrogateescape" where it holds a byte that is not UTF-8."""
    escaped = None if text.isascii() else ESCAPED_BYTES.search(text)
    return Problem(NOT_UTF8.format(ord(escaped[0]) - 0xDC00)) if escaped else None


def _take_from_list(rows: list, wanted: np.ndarray) -> list[dict | str]:
    return [row if isinstance(row := rows[offset], dict | Problem) else "not an object" for offset in wanted]


def _csv_chunks(path: Path, columns: set[str]) -> Iterable[Chunk]:
    csv.field_size_limit(MAX_ROW_BYTES)  # a quote that is never closed takes in all that follows
    with io.TextIOWrapper(_open_bytes(path), encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        header = file.readline(CHUNK_BYTES)
        # Strict: else a cell that begins with a lone quote takes in the rows behind it, without a word.
        rows = csv.DictReader(itertools.chain([header], file), delimiter=_delimiter(header, columns), strict=True)
        first = 0
        for batch in _batched(_csv_rows(path, rows, columns)):
            yield _list_chunk(batch, first)
            first += len(batch)


def _csv_rows(path: Path, rows: csv.DictReader, columns: set[str]) -> Iterable[tuple[dict | Problem, int]]:
    """The rows and the lengths of their texts. Raises UserError for the line on which a row begins that is not CSV."""
    line = 1
    try:
        _require_names_once(path, rows.fieldnames or [], columns)
        line = rows.line_num + 1
        for row in rows:
            problem = _swallowed_rows(row, len(rows.fieldnames) - 1) if rows.reader.dialect.delimiter == "\t" else None
            yield problem or _csv_row(row), sum(map(len, filter(None, row.values())))
            line = rows.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}:{line}: not CSV ({error}); {CSV_QUOTES}") from error


def _require_names_once(path: Path, names: list[str], columns: set[str]) -> None:
    """Raises UserError where one of `columns` has more than one column: of a row's cells the last would win."""
    counts = Counter(name.strip().lower() for name in names)
    if recurring := sorted(name for name in columns if counts[name] > 1):
        raise UserError(f"{path} has {counts[recurring[0]]} columns named {recurring[0]!r}: rename those not meant")


def _delimiter(header: str, columns: set[str]) -> str:
    """The one of DELIMITERS that finds most of `columns` in a header; the comma where none finds any."""
    names = ({name.strip(' "').lower() for name in header.strip().split(delimiter)} for delimiter in DELIMITERS)
    known = [len(found & columns) for found in names]
    return DELIMITERS[known.index(max(known))]


def _csv_row(row: dict) -> dict | Problem:
    """The row; a Problem where it has more cells than the header, since some text was then cut at its commas."""
    more = row.get(None)
    if more and any(more):  # a delimiter at the end of every line is common, and harmless
        return Problem(f"{len(row) - 1 + len(more)} cells under {len(row) - 1} names; is a delimiter not in quotes?")
    problems = (_not_utf8(cell) for name, cell in row.items() if cell and name is not None)
    return next(filter(None, problems), row)


def _swallowed_rows(row: dict, tabs: int) -> Problem | None:
    """The problem of a row with a cell of several lines that hold as many tabs as rows would.

    Text with plain quotes may have one at the start of a cell and the next at the end of one: that is CSV."""
    for cell in filter(None, row.values()):
        if "\t" in cell and tabs * cell.count("\n") == cell.count("\t") and "\n\t" not in cell:
            return Problem(f"a cell of {cell.count(chr(10)) + 1} lines that look like rows; {CSV_QUOTES}")
    return None


def _parquet_chunks(path: Path, columns: set[str]) -> Iterable[Chunk]:
    import pyarrow.parquet as parquet

    # Pre-buffering holds on to every row group that was read: memory would grow with the file.
    with parquet.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        names = _used_columns(file.schema_arrow.names, columns)
        if not names:  # a damaged footer may claim any number of rows, and a negative one crashes the process
            return
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        rows = _rows_at_once(file.metadata.num_rows, sum(group.total_byte_size for group in groups))
        yield from batch_chunks(file.iter_batches(rows, columns=names))


def _read_arrow_file(path: Path) -> pyarrow.Table:
    file = pyarrow.memory_map(str(path))
    try:
        table = pyarrow.ipc.open_stream(file).read_all()
    except pyarrow.ArrowInvalid:  # the other of Arrow's two file formats
        table = pyarrow.ipc.open_file(file).read_all()
    table.validate(full=True)  # an offset that points out of its buffer would crash the process
    return table


def believable(table: pyarrow.Table, path: Path) -> pyarrow.Table:
    """The table. Raises UserError where it claims more rows than it can have: columns without bytes may claim any."""
    if table.num_rows > 8 * table.nbytes + MAX_EMPTY_ROWS:
        raise UserError(f"{path} is damaged: it says that it has {table.num_rows:,} rows, in {table.nbytes:,} bytes")
    return table


def table_chunks(table: pyarrow.Table, columns: set[str]) -> Iterable[Chunk]:
    return batch_chunks(narrow(table, columns))


def narrow(table: pyarrow.Table, columns: set[str]) -> list[pyarrow.RecordBatch]:
    used = _used_columns(table.column_names, columns)
    table = table.select([place for place, name in enumerate(table.column_names) if name in used])  # a name may recur
    return table.to_batches(_rows_at_once(table.num_rows, table.nbytes))


def _rows_at_once(rows: int, size: int) -> int:
    """How many rows make a chunk of a table of `rows` rows and `size` bytes: fewer where they are long."""
    return max(1, min(CHUNK_ROWS, 8 * CHUNK_BYTES * rows // max(size, 1)))


def batch_chunks(batches: Iterable[pyarrow.RecordBatch]) -> Iterable[Chunk]:
    first = 0
    for batch in batches:
        yield Chunk(batch.num_rows, TakeFromBatch(batch), functools.partial(_row_place, first))
        first += batch.num_rows


class TakeFromBatch:
    """The `take` of a chunk of a table. Sent to another process, it carries its own rows only."""

    def __init__(self, batch: pyarrow.RecordBatch):
        self.batch = batch

    def __call__(self, wanted: np.ndarray) -> list[dict | str]:
        return _take_from_batch(self.batch, wanted)

    def __reduce__(self):
        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, self.batch.schema) as writer:
            writer.write_batch(self.batch)  # unlike pickle, it writes only the slice that this is
        return _received_batch, (sink.getvalue().to_pybytes(),)


def _received_batch(content: bytes) -> TakeFromBatch:
    return TakeFromBatch(pyarrow.ipc.open_stream(content).read_next_batch())


def _row_place(first: int, offset: int) -> str:
    return f", row {first + offset}"


def _take_from_batch(batch, wanted: np.ndarray) -> list[dict | str]:
    rows = batch if len(wanted) == batch.num_rows else batch.take(pyarrow.array(wanted))
    try:  # Arrow itself checks neither texts, nor places in dictionaries, nor names in cells
        return rows.to_pylist()
    except (ValueError, pyarrow.ArrowException):
        return [_row_of(rows.slice(row, 1)) for row in range(rows.num_rows)]


def _row_of(batch) -> dict | str:
    try:
        return batch.to_pylist()[0]
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.object[error.start]:#x})"
    except (ValueError, pyarrow.ArrowException) as error:
        return f"damaged ({reason_of(error)})"


def _used_columns(names: list[str], columns: set[str]) -> list[str]:
    """The columns that matter; all of them where none does, so that an error can show them."""
    return [name for name in names if name.strip().lower() in columns] or names
