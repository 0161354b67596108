"""Open data sets as chunks of rows that are not parsed yet: local files, folders, hub ids, the embedded corpus.

One entry of `--dataset` becomes one or more `Part`s, one for a file; a part yields `Chunk`s, whose rows are parsed only
when asked for. Everything is streamed, so that memory is that of a chunk whatever the size of a file. A hub data set is
kept in the library's cache, or streamed where it is larger than MAX_CACHED_BYTES; a local entry never touches the
network. What a row means is for `dataset_readers.py`.
"""

import bz2
import codecs
import contextlib
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

import common
from common import UserError
from demo_corpus import make_demo_rows

DEMO_ROWS = 50_000
DEMO_SEED = 0  # of the corpus; --seed draws samples and subsets, so that the corpus stays one thing

CHUNK_ROWS = 4_096
MAX_EMPTY_ROWS = 1_000_000  # that a table may have without bytes to hold them
CHUNK_BYTES = 8 * 2**20  # of JSON or CSV text; of tables eight times as many
MAX_ROW_BYTES = 32 * 2**20  # of JSON text or of a CSV cell; anything longer is no instruction and is not read
MAX_CACHED_BYTES = 10 * 2**30  # of a hub data set

TEXT_SUFFIXES = [".json", ".jsonl", ".ndjson", ".csv", ".tsv"]
DATA_SUFFIXES = [*TEXT_SUFFIXES, ".parquet", ".arrow"]
COMPRESSED_SUFFIXES = [".gz", ".bz2", ".xz", ".zst"]  # of TEXT_SUFFIXES
DELIMITERS = ",;\t|"  # of CSV, whatever its name: the one that parts most names that are known
SPACES = re.compile(r"[ \t\r\n]*")
SPLIT_NAMES = ["train", "test", "validation", "valid", "val", "dev"]
SPLIT_FILE = re.compile(rf"({'|'.join(SPLIT_NAMES)})([-_.]\d.*)?")  # train.jsonl, train-00000-of-00003.parquet
EVALUATION_SPLITS = ["test", "validation", "train"]  # of a benchmark: the first that it has
ESCAPED_BYTES = re.compile("[\udc80-\udcff]")  # what errors="surrogateescape" makes of bytes that are not UTF-8
NOT_UTF8 = "not UTF-8 (byte {:#x}); convert the file, as with iconv -f latin1 -t utf-8"
SHOWN_FILES = 5  # that a folder holds beside its data
NO_DATA = ["dataset_info.json", "dataset_infos.json", "config.json"]  # what hub folders hold beside their data
FORMATS = f"{' '.join(DATA_SUFFIXES)}; those of text also as {' '.join(COMPRESSED_SUFFIXES)}"


# ---------------------------------------------------------------------------------------------------------------------
# Files, folders, hub


class Chunk(NamedTuple):
    """Some rows in order, not parsed yet. `take(offsets)` gives for each a dict, or a phrase that says why it has none.

    It can be sent to another process, which then parses it."""

    rows: int
    take: Callable[[np.ndarray], list[dict | str]]
    place: Callable[[int], str]  # where the row of an offset is in its file: ":12" by line, ", row 12" by row


class Part(NamedTuple):
    """One file, or one data set of the hub: its name as a source, where it is, its rows chunk by chunk."""

    name: str
    path: str
    chunks: Iterable[Chunk]


def open_dataset(entry: str, splits: list[str], columns: set[str]) -> Iterable[Part]:
    """The parts of one `--dataset` entry; where it has splits, only those of the first of `splits` that is there.

    Of tables only `columns` are read, named in lower case, which match any case. Raises UserError.
    """
    if entry == "demo":
        return [Part("demo", "demo", _list_chunks(make_demo()))]
    if is_hub_id(entry):
        return [Part(entry, entry, hub_chunks(entry, splits, columns))]
    path = Path(entry).expanduser()
    if path.is_dir():
        return _open_folder(path, splits, columns)
    return [Part(source_name(path), str(path), open_file(path, columns))]


def is_hub_id(entry: str) -> bool:
    """Whether `entry` can only be a hub id. Raises UserError where it looks like a path and nothing is there."""
    if Path(entry).expanduser().exists():
        return False
    is_path = entry.startswith((".", "/", "~")) or entry.count("/") > 1 or data_suffix(Path(entry))
    if is_path or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+)?", entry):
        raise UserError(f"{entry} does not exist; --dataset takes a local file or folder, a hub id or demo")
    return True


@functools.cache
def make_demo() -> list[dict]:
    """The rows of the embedded corpus."""
    return make_demo_rows(DEMO_ROWS, DEMO_SEED)


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


def _open_folder(folder: Path, splits: list[str], columns: set[str]) -> Iterable[Part]:
    if (folder / "dataset_dict.json").exists():
        split = _first_split(folder, splits, common.read_json(folder / "dataset_dict.json")["splits"])
        return [Part(folder.name, str(folder / split), _saved_chunks(folder / split, columns))]
    if (folder / "state.json").exists():
        return [Part(folder.name, str(folder), _saved_chunks(folder, columns))]
    files, others = _data_files(folder)
    if not files:
        raise UserError(f"{folder} holds no data file; understood: {FORMATS}")
    if others:
        names = ", ".join(str(path.relative_to(folder)) for path in others[:SHOWN_FILES])
        more = f" and {len(others) - SHOWN_FILES} more" if len(others) > SHOWN_FILES else ""
        print(common.one_line(f"{folder}: not read: {names}{more}"))
    split_of = {path: split for path in files if (split := _split_of(path.relative_to(folder)))}
    if split_of:
        split = _first_split(folder, splits, list(dict.fromkeys(split_of.values())))
        files = [path for path in files if split_of.get(path, split) == split]
    names = [folder.name if path in split_of else source_name(path) for path in files]
    return [Part(name, str(path), open_file(path, columns)) for name, path in zip(names, files, strict=True)]


def _data_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The data files under a folder in the order of their names, and what is none: other files, links to folders.

    Hidden files and those that describe a data set are of neither kind.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]
    shown = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    shown = [path for path in shown if path.name not in NO_DATA and path.suffix.lower() != ".md"]
    data = {path: bool(data_suffix(path)) and path.is_file() for path in shown}
    return [path for path in shown if data[path]], [path for path in shown if not data[path]]


def _split_of(path: Path) -> str | None:
    """The split that a file's name tells, or the nearest folder's (train/0000.parquet); None where none does."""
    names = [source_name(path), *reversed(path.parent.parts)]
    return next((match[1] for name in names if (match := SPLIT_FILE.fullmatch(name))), None)


def _first_split(where, wanted: list[str], found: list[str]) -> str:
    """The first of the wanted splits that is there; prints which others are not read."""
    split = next((name for name in wanted if name in found), None)
    if split is None:
        raise UserError(f"{where} has no split {wanted[0]!r}; --split takes one of {', '.join(found)}")
    others = [name for name in found if name != split]
    if others:
        print(common.one_line(f"{where}: split {split} is read, not {', '.join(others)}"))
    return split


def _saved_chunks(folder: Path, columns: set[str]) -> Iterable[Chunk]:
    """The rows of a folder of `datasets.save_to_disk`, opened when they are asked for."""
    yield from _table_chunks(_believable(common.read_arrow(folder), folder), columns)


def open_file(path: Path, columns: set[str]) -> Iterable[Chunk]:
    """The rows of one local file, chunk by chunk. Raises UserError, naming the file, where it is damaged."""
    suffix = data_suffix(path)
    if suffix is None:
        raise UserError(f"{path} is not a data file; understood: {FORMATS}")
    try:
        if suffix == ".parquet":
            yield from _parquet_chunks(path, columns)
        elif suffix == ".arrow":
            yield from _table_chunks(_believable(_read_arrow_file(path), path), columns)
        elif suffix in (".csv", ".tsv"):
            yield from _csv_chunks(path, columns)
        else:
            yield from _json_chunks(path)
    except EOFError as error:
        raise UserError(f"{path} ends in the middle of its {path.suffix[1:]} stream: fetch the file again") from error
    except (OSError, zlib.error, lzma.LZMAError, pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or _first_line(error)}") from error


def _open_bytes(path: Path) -> io.BufferedIOBase:
    """The bytes of a text file, decompressed; UTF-16, which its first two bytes tell, comes as UTF-8."""
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


def _parse_line(line: bytes) -> dict | str:
    try:
        record = json.loads(line)
    except UnicodeDecodeError as error:
        return NOT_UTF8.format(error.object[error.start])
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error).split(":")[0]
        return f"not JSON ({reason})" if line else f"longer than {MAX_ROW_BYTES / 2**20:.0f} MiB"
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
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error).split(":")[0]
            raise UserError(f"{path} holds no whole JSON array, from row {row} on: {reason}") from error
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


def _list_chunks(rows: list) -> Iterable[Chunk]:
    for start in range(0, len(rows), CHUNK_ROWS):
        yield _list_chunk(rows[start : start + CHUNK_ROWS], start)


def _list_chunk(rows: list, first: int) -> Chunk:
    return Chunk(len(rows), functools.partial(_take_from_list, rows), functools.partial(_row_place, first))


class Problem(str):
    """Why what stands in a file is no row."""


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
        rows = csv.DictReader(itertools.chain([header], file), delimiter=_delimiter(header, columns))
        try:
            _require_names_once(path, rows.fieldnames or [], columns)
            first = 0
            for batch in _batched((_csv_row(row), sum(map(len, filter(None, row.values())))) for row in rows):
                yield _list_chunk(batch, first)
                first += len(batch)
        except csv.Error as error:
            raise UserError(f"{path}:{rows.line_num}: not CSV ({error}); is a quote never closed?") from error


def _require_names_once(path: Path, names: list[str], columns: set[str]) -> None:
    """Raises UserError where one of `columns` has more than one column: of a row's cells the last would win."""
    counts = Counter(name.strip().lower() for name in names)
    if recurring := sorted(name for name in columns if counts[name] > 1):
        raise UserError(f"{path} has {counts[recurring[0]]} columns named {recurring[0]!r}: rename those not meant")


def _delimiter(header: str, columns: set[str]) -> str:
    """What parts the names of a header: of DELIMITERS that which finds most of `columns`, else the comma."""
    names = ({name.strip(' "').lower() for name in header.strip().split(delimiter)} for delimiter in DELIMITERS)
    known = [len(found & columns) for found in names]
    return DELIMITERS[known.index(max(known))]


def _csv_row(row: dict) -> dict | Problem:
    """The row; where it has more cells than the header, its texts are cut at commas, and nobody knows which."""
    more = row.get(None)
    if more and any(more):  # a delimiter at the end of every line is common, and harmless
        return Problem(f"{len(row) - 1 + len(more)} cells under {len(row) - 1} names; is a delimiter not in quotes?")
    problems = (_not_utf8(cell) for name, cell in row.items() if cell and name is not None)
    return next(filter(None, problems), row)


def _parquet_chunks(path: Path, columns: set[str]) -> Iterable[Chunk]:
    import pyarrow.parquet as parquet

    # Pre-buffering holds on to every row group that was read: memory would grow with the file.
    with parquet.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        names = _used_columns(file.schema_arrow.names, columns)
        if not names:  # a damaged footer may claim any number of rows, and a negative one crashes the process
            return
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        rows = _rows_at_once(file.metadata.num_rows, sum(group.total_byte_size for group in groups))
        yield from _batch_chunks(file.iter_batches(rows, columns=names))


def _read_arrow_file(path: Path) -> pyarrow.Table:
    file = pyarrow.memory_map(str(path))
    try:
        table = pyarrow.ipc.open_stream(file).read_all()
    except pyarrow.ArrowInvalid:  # the other of Arrow's two file formats
        table = pyarrow.ipc.open_file(file).read_all()
    table.validate(full=True)  # an offset that points out of its buffer would crash the process
    return table


def _believable(table: pyarrow.Table, path: Path) -> pyarrow.Table:
    """The table. Raises UserError where it claims more rows than it can have: columns without bytes may claim any."""
    if table.num_rows > 8 * table.nbytes + MAX_EMPTY_ROWS:
        raise UserError(f"{path} is damaged: it says that it has {table.num_rows:,} rows, in {table.nbytes:,} bytes")
    return table


def _table_chunks(table: pyarrow.Table, columns: set[str]) -> Iterable[Chunk]:
    return _batch_chunks(_narrow(table, columns))


def _narrow(table: pyarrow.Table, columns: set[str]) -> list[pyarrow.RecordBatch]:
    used = _used_columns(table.column_names, columns)
    table = table.select([place for place, name in enumerate(table.column_names) if name in used])  # a name may recur
    return table.to_batches(_rows_at_once(table.num_rows, table.nbytes))


def _rows_at_once(rows: int, size: int) -> int:
    """How many rows make a chunk of a table of `rows` rows and `size` bytes: fewer where they are long."""
    return max(1, min(CHUNK_ROWS, 8 * CHUNK_BYTES * rows // max(size, 1)))


def _batch_chunks(batches: Iterable[pyarrow.RecordBatch]) -> Iterable[Chunk]:
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
        return f"damaged ({_first_line(error)})"


def _used_columns(names: list[str], columns: set[str]) -> list[str]:
    """The columns that matter; all of them where none does, so that an error can show them."""
    return [name for name in names if name.strip().lower() in columns] or names


# ---------------------------------------------------------------------------------------------------------------------
# The hub, and what an input is


@functools.cache
def hub_builder(entry: str):
    """The `datasets` builder of a hub id. Raises UserError at once where there is no network and no cached copy."""
    name, _, config = entry.partition(":")
    common.probe_hub("datasets", name)
    import datasets

    with _hub_errors(entry):
        return datasets.load_dataset_builder(name, config or None)


def hub_chunks(entry: str, splits: list[str], columns: set[str]) -> Iterable[Chunk]:
    """One split of a hub id: from the library's cache, or streamed where it is large. Raises UserError."""
    builder = hub_builder(entry)
    with _hub_errors(entry):
        if hub_bytes(entry, builder.info) > MAX_CACHED_BYTES:
            streams = builder.as_streaming_dataset()
            stream = streams[_first_split(entry, splits, list(streams))].with_format("arrow")
            yield from _batch_chunks(batch for table in stream.iter(CHUNK_ROWS) for batch in _narrow(table, columns))
        else:
            builder.download_and_prepare()
            # A split may also be an expression, such as train[:10%], that only the library understands.
            is_name = re.fullmatch(r"\w+", splits[0])
            split = _first_split(entry, splits, list(builder.info.splits)) if is_name else splits[0]
            yield from _table_chunks(builder.as_dataset(split=split).data.table, columns)


def hub_bytes(entry: str, info) -> int:
    """The size of a hub data set: as its card says, else that of its repository's files; 0 where neither is known."""
    if info.dataset_size or info.download_size:
        return info.dataset_size or info.download_size
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    try:
        files = HfApi().dataset_info(entry.partition(":")[0], files_metadata=True).siblings or []
    except (OSError, HTTPError):  # without a network, the data is in the cache already
        return 0
    return sum(file.size or 0 for file in files)


@contextlib.contextmanager
def _hub_errors(entry: str):
    """Within it, what the hub and its libraries raise for a wrong id, split or connection is a UserError."""
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except UserError:
        raise
    except (OSError, EOFError, ValueError, RuntimeError, HTTPError, DatasetsError) as error:
        raise UserError(
            f"cannot load {entry!r} from the Hugging Face hub ({_first_line(error)}); check the id and the network, or "
            "use --dataset demo, or --dataset with a local file or folder"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def hash_input(entry: str) -> str:
    """What one `--dataset` entry holds: a content hash, or the commit of a hub data set. Raises UserError."""
    if entry == "demo":
        return common.hash_strings(row[name] for row in make_demo() for name in sorted(row))
    if is_hub_id(entry):
        return f"commit {hub_builder(entry).hash}"
    return common.hash_path(Path(entry).expanduser())
