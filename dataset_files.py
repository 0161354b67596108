"""Open data sets as chunks of rows that are not parsed yet: local files, folders, hub ids, the embedded corpus.

One entry of `--dataset` becomes one or more `Part`s, one for a file; a part yields `Chunk`s, whose rows are parsed only
when asked for. JSON lines, Parquet and Arrow are streamed, a JSON array is read whole. A local entry never touches the
network. What a row means is for `dataset_readers.py`.
"""

import contextlib
import csv
import functools
import gzip
import io
import itertools
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow

import common
from common import UserError

DEMO_ROWS = 50_000
DEMO_SEED = 0  # of the corpus; --seed draws samples and subsets, so that the corpus stays one thing

CHUNK_ROWS = 4_096

DATA_SUFFIXES = [".json", ".jsonl", ".csv", ".parquet", ".arrow"]
COMPRESSED_SUFFIXES = [".gz", ".zst"]  # of .json, .jsonl and .csv
FORMATS = f"{' '.join(DATA_SUFFIXES)}; .json, .jsonl and .csv also as .gz and .zst"


# ---------------------------------------------------------------------------------------------------------------------
# Files, folders, hub


class Chunk(NamedTuple):
    """Some rows in order, not parsed yet. `take(offsets)` gives for each a dict, or a sentence on why it is none."""

    rows: int
    take: Callable[[np.ndarray], list[dict | str]]


class Part(NamedTuple):
    """One file, or one data set of the hub: its name as a source, where it is, its rows chunk by chunk."""

    name: str
    path: str
    chunks: Iterable[Chunk]


def open_dataset(entry: str, split: str, columns: set[str]) -> Iterable[Part]:
    """The parts of one `--dataset` entry; of tables only `columns`, in any case. Raises UserError where it is none."""
    if entry == "demo":
        return [Part("demo", "demo", _list_chunks(make_demo()))]
    if is_hub_id(entry):
        return [Part(entry, entry, _table_chunks(load_from_hub(entry, split), columns))]
    path = Path(entry).expanduser()
    if path.is_dir():
        return _open_folder(path, split, columns)
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
    from verifiable_tasks import make_demo_rows  # takes a second, which only this needs

    return make_demo_rows(DEMO_ROWS, DEMO_SEED)


def data_suffix(path: Path) -> str | None:
    """The suffix that tells the format, without that of a compression; None where the file is no data file."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSED_SUFFIXES:
        return suffixes[0] if len(suffixes) == 2 and suffixes[0] in (".json", ".jsonl", ".csv") else None
    return suffixes[-1] if suffixes and suffixes[-1] in DATA_SUFFIXES else None


def source_name(path: Path) -> str:
    """A file's name without the suffixes of format and compression."""
    name = path.name
    for suffix in [*COMPRESSED_SUFFIXES, *DATA_SUFFIXES]:
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return name


def _open_folder(folder: Path, split: str, columns: set[str]) -> Iterable[Part]:
    if (folder / "dataset_dict.json").exists():
        splits = common.read_json(folder / "dataset_dict.json")["splits"]
        if split not in splits:
            raise UserError(f"{folder} has no split {split!r}; --split takes one of {', '.join(splits)}")
        return [Part(folder.name, str(folder / split), _table_chunks(common.read_arrow(folder / split), columns))]
    if (folder / "state.json").exists():
        return [Part(folder.name, str(folder), _table_chunks(common.read_arrow(folder), columns))]
    files = sorted(path for path in folder.iterdir() if path.is_file() and data_suffix(path))
    if not files:
        raise UserError(f"{folder} holds no data file; understood: {FORMATS}")
    return [Part(source_name(path), str(path), open_file(path, columns)) for path in files]


def open_file(path: Path, columns: set[str]) -> Iterable[Chunk]:
    """The rows of one local file, chunk by chunk. Raises UserError, naming the file, where it is damaged."""
    suffix = data_suffix(path)
    if suffix is None:
        raise UserError(f"{path} is no data file; understood: {FORMATS}")
    try:
        if suffix == ".parquet":
            yield from _parquet_chunks(path, columns)
        elif suffix == ".arrow":
            yield from _table_chunks(_read_arrow_file(path), columns)
        else:
            yield from (_csv_chunks if suffix == ".csv" else _json_chunks)(path)
    except EOFError as error:
        raise UserError(f"{path} ends in the middle of its gzip stream: fetch the file again") from error
    except (OSError, zlib.error, pyarrow.ArrowException) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or _first_line(error)}") from error


def _open_bytes(path: Path) -> io.BufferedIOBase:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rb")
    if path.suffix.lower() == ".zst":
        return io.BufferedReader(pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd"))
    return open(path, "rb")


def _json_chunks(path: Path) -> Iterable[Chunk]:
    """A JSON array, which is read whole, or one JSON object a line, streamed."""
    with _open_bytes(path) as file:
        head = file.peek(64)[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
        if head.startswith(b"["):
            yield from _list_chunks(_load_array(path, file.read()))
            return
        lines = ((number, line) for number, line in enumerate(file, start=1) if not line.isspace())
        while batch := list(itertools.islice(lines, CHUNK_ROWS)):
            yield Chunk(len(batch), functools.partial(_parse_lines, path, batch))


def _load_array(path: Path, content: bytes) -> list:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} holds no whole JSON array: {error}") from error


def _parse_lines(path: Path, lines: list[tuple[int, bytes]], wanted) -> list:
    return [_parse_line(path, *lines[offset]) for offset in wanted]


def _parse_line(path: Path, number: int, line: bytes):
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error).split(":")[0]
        return f"{path}:{number}: not JSON ({reason})"
    return record if isinstance(record, dict) else f"{path}:{number}: not a JSON object"


def _list_chunks(rows: list) -> Iterable[Chunk]:
    for start in range(0, len(rows), CHUNK_ROWS):
        part = rows[start : start + CHUNK_ROWS]
        yield Chunk(len(part), functools.partial(_take_from_list, part, start))


def _take_from_list(rows: list, start: int, wanted) -> list:
    taken = [(offset, rows[offset]) for offset in wanted]
    return [row if isinstance(row, dict) else f"row {start + offset}: not an object" for offset, row in taken]


def _csv_chunks(path: Path) -> Iterable[Chunk]:
    csv.field_size_limit(sys.maxsize)
    # Bytes that are not UTF-8 come as lone surrogates, which are counted and replaced like all others.
    with io.TextIOWrapper(_open_bytes(path), encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.DictReader(file)
        try:
            while batch := list(itertools.islice(rows, CHUNK_ROWS)):
                yield from _list_chunks(batch)
        except csv.Error as error:
            raise UserError(f"{path}:{rows.line_num}: not CSV ({error})") from error


def _parquet_chunks(path: Path, columns: set[str]) -> Iterable[Chunk]:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        names = _used_columns(file.schema_arrow.names, columns)
        for batch in file.iter_batches(CHUNK_ROWS, columns=names):
            yield Chunk(batch.num_rows, functools.partial(_take_from_batch, batch))


def _read_arrow_file(path: Path) -> pyarrow.Table:
    file = pyarrow.memory_map(str(path))
    try:
        return pyarrow.ipc.open_stream(file).read_all()
    except pyarrow.ArrowInvalid:  # the other of Arrow's two file formats
        return pyarrow.ipc.open_file(file).read_all()


def _table_chunks(table: pyarrow.Table, columns: set[str]) -> Iterable[Chunk]:
    for batch in table.select(_used_columns(table.column_names, columns)).to_batches(CHUNK_ROWS):
        yield Chunk(batch.num_rows, functools.partial(_take_from_batch, batch))


def _take_from_batch(batch, wanted: np.ndarray) -> list[dict]:
    return (batch if len(wanted) == batch.num_rows else batch.take(pyarrow.array(wanted))).to_pylist()


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


def load_from_hub(entry: str, split: str) -> pyarrow.Table:
    """One split of a hub id as an Arrow table, memory-mapped from the library's cache. Raises UserError."""
    builder = hub_builder(entry)
    with _hub_errors(entry):
        builder.download_and_prepare()
        return builder.as_dataset(split=split).data.table


@contextlib.contextmanager
def _hub_errors(entry: str):
    """Within it, what the hub and its libraries raise for a wrong id, split or connection is a UserError."""
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except (OSError, ValueError, RuntimeError, HTTPError, DatasetsError) as error:
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
