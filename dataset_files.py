"""Open data sets, one or many files each: local files, folders, hub ids, the embedded corpus.

One entry of `--dataset` becomes one or more `Part`s, one for a file; a part yields chunks of rows that are not parsed
yet (`dataset_formats.py`). A hub data set is kept in the library's cache, or streamed where it is larger than
MAX_CACHED_BYTES; a local entry never touches the network. What a row means is for `dataset_readers.py`.
"""

import contextlib
import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import common
from arrow_files import read_arrow
from common import UserError, reason_of
from dataset_formats import (
    CHUNK_ROWS,
    FORMATS,
    Chunk,
    batch_chunks,
    believable,
    data_suffix,
    list_chunks,
    narrow,
    open_file,
    source_name,
    table_chunks,
)
from demo_corpus import make_demo_rows

DEMO_ROWS = 50_000
DEMO_SEED = 0  # of the corpus; --seed draws samples and subsets, so that the corpus stays one thing

MAX_CACHED_BYTES = 10 * 2**30  # of a hub data set

SPLIT_NAMES = ["train", "test", "validation", "valid", "val", "dev", "eval", "evaluation"]
SPLIT_WORDS = {**{name: name for name in SPLIT_NAMES}, "training": "train", "testing": "test"}
# train.jsonl, train-00000-of-00003.parquet, and a part of a split: train_sft.jsonl
SPLIT_FILE = re.compile(rf"((?:{'|'.join(SPLIT_NAMES)})(?:_[a-z]+)*)([-_.]\d.*)?")
# gsm8k_test, mine-test-00000-of-00001, test.en, test_v1: the words and what parts them as `datasets` has it.
SPLIT_WORD = re.compile(rf"(?<![^-._ 0-9])({'|'.join(SPLIT_WORDS)})(?![^-._ 0-9])", re.I)
# Of a benchmark: the first that it has.
EVALUATION_SPLITS = ["test", "eval", "evaluation", "validation", "valid", "val", "dev", "train"]
SHOWN_FILES = 5  # that a folder holds beside its data
NO_DATA = ["dataset_info.json", "dataset_infos.json", "config.json"]  # what hub folders hold beside their data


# ---------------------------------------------------------------------------------------------------------------------
# Files, folders, hub


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
        return [Part("demo", "demo", list_chunks(make_demo()))]
    if is_hub_id(entry):
        return [Part(entry, entry, hub_chunks(entry, splits, columns))]
    path = Path(entry).expanduser()
    if path.is_dir():
        return _open_folder(path, splits, columns)
    return [Part(source_name(path), str(path), open_file(path, columns))]


def is_hub_id(entry: str) -> bool:
    """Whether `entry` can only be a hub id. Raises UserError where it looks like a path and nothing is there, or a pipe
    or device, which can be read once at most."""
    path = Path(entry).expanduser()
    if path.is_file() or path.is_dir():
        return False
    if path.exists():
        raise UserError(f"{entry} is neither a file nor a folder; write its rows to a file first")
    is_path = entry.startswith((".", "/", "~")) or entry.count("/") > 1 or data_suffix(Path(entry))
    if is_path or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+)?", entry):
        raise UserError(f"{entry} does not exist; --dataset takes a local file or folder, a hub id or demo")
    return True


@functools.cache
def make_demo() -> list[dict]:
    """The rows of the embedded corpus."""
    return make_demo_rows(DEMO_ROWS, DEMO_SEED)


def _open_folder(folder: Path, splits: list[str], columns: set[str]) -> Iterable[Part]:
    if (folder / "dataset_dict.json").exists():
        splits = _wanted_splits(folder, splits, common.read_json(folder / "dataset_dict.json")["splits"])
        return [Part(folder.name, str(folder / split), _saved_chunks(folder / split, columns)) for split in splits]
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
        files = _files_of_splits(folder, files, split_of, splits)
    parts = []
    for path in files:
        name = split_of.get(path)
        if name in (None, *SPLIT_NAMES):
            name = folder.name if _is_named_by_split(path.relative_to(folder)) else source_name(path)
        parts.append(Part(name, str(path), open_file(path, columns)))
    return parts


def _files_of_splits(folder: Path, files: list[Path], split_of: dict[Path, str], wanted: list[str]) -> list[Path]:
    """The files of the first of the wanted splits that is there; those that tell no split are training data."""
    found = sorted(set(split_of.values()))
    parts = [split for split in found if split.startswith("train_")]
    if len(split_of) < len(files) and not parts:
        found = sorted({*found, "train"})
    splits = _wanted_splits(folder, wanted, found)
    with_others = "train" in splits or splits == parts
    kept = [path for path in files if (split_of[path] in splits if path in split_of else with_others)]
    left_out = sorted({path for path in files if split_of.get(path) in (None, *SPLIT_NAMES)} - set(kept))
    if named := [str(name) for path in left_out if not _is_named_by_split(name := path.relative_to(folder))]:
        more = f" and {len(named) - SHOWN_FILES} more" if len(named) > SHOWN_FILES else ""
        print(common.one_line(f"{folder}: not read, by their names: {', '.join(named[:SHOWN_FILES])}{more}"))
    return kept


def _data_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The data files under a folder in the order of their names, and what is none: other files, links to folders.

    Hidden files and those that describe a data set are of neither kind.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]
    shown = [path for path in paths if not _is_hidden(path.relative_to(folder))]
    shown = [path for path in shown if path.name not in NO_DATA and path.suffix.lower() != ".md"]
    data = {path: bool(data_suffix(path)) and path.is_file() for path in shown}
    return [path for path in shown if data[path]], [path for path in shown if not data[path]]


def _split_of(path: Path) -> str | None:
    """The split that a file's name tells, or the nearest folder's (train/0000.parquet); None where none does.

    A name that has the words of several is not of train: what belongs to a test must not be trained on.
    """
    for name in (source_name(path), *reversed(path.parent.parts)):
        words = [SPLIT_WORDS[word.lower()] for word in SPLIT_WORD.findall(name)]
        if words:
            word = next((word for word in words if word != "train"), "train")
            match = SPLIT_FILE.fullmatch(name) if name == source_name(path) else None
            return match[1] if match and match[1].startswith(word) else word
    return None


def _is_named_by_split(path: Path) -> bool:
    """Whether a file's name is that of a split and no more, or its nearest folder's that tells one is."""
    names = [source_name(path), *reversed(path.parent.parts)]
    name = next((name for name in names if SPLIT_WORD.search(name)), "")
    return bool(re.fullmatch(rf"({'|'.join(SPLIT_WORDS)})([-_.]\d.*)?", name, re.I))


def _wanted_splits(where, wanted: list[str], found: list[str]) -> list[str]:
    """The first of the wanted splits that is there, or its parts, such as train_sft; prints what is not read."""
    for name in wanted:
        splits = [name] if name in found else [split for split in found if split.startswith(f"{name}_")]
        if splits:
            break
    else:
        raise UserError(f"{where} has no split {wanted[0]!r}; --split takes one of {', '.join(found)}")
    if others := [split for split in found if split not in splits]:
        read = f"split {splits[0]} is" if len(splits) == 1 else f"splits {', '.join(splits)} are"
        print(common.one_line(f"{where}: {read} read, not {', '.join(others)}"))
    return splits


def _saved_chunks(folder: Path, columns: set[str]) -> Iterable[Chunk]:
    """The rows of a folder of `datasets.save_to_disk`, opened when they are asked for."""
    yield from table_chunks(believable(read_arrow(folder), folder), columns)


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
    """The wanted splits of a hub id: from the library's cache, or streamed where it is large. Raises UserError."""
    builder = hub_builder(entry)
    with _hub_errors(entry):
        if hub_bytes(entry, builder.info) > MAX_CACHED_BYTES:
            streams = builder.as_streaming_dataset()
            for split in _wanted_splits(entry, splits, list(streams)):
                tables = streams[split].with_format("arrow").iter(CHUNK_ROWS)
                yield from batch_chunks(batch for table in tables for batch in narrow(table, columns))
        else:
            builder.download_and_prepare()
            # A split may also be an expression, such as train[:10%], that only the library understands.
            is_name = re.fullmatch(r"\w+", splits[0])
            for split in _wanted_splits(entry, splits, list(builder.info.splits)) if is_name else splits[:1]:
                yield from table_chunks(builder.as_dataset(split=split).data.table, columns)


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
            f"cannot load {entry!r} from the Hugging Face hub ({reason_of(error)}); check the id and the network, or "
            "use --dataset demo, or --dataset with a local file or folder"
        ) from error


def hash_input(entry: str) -> str:
    """What one `--dataset` entry holds: a content hash, or the commit of a hub data set. Raises UserError."""
    if entry == "demo":
        return common.hash_strings(row[name] for row in make_demo() for name in sorted(row))
    if is_hub_id(entry):
        return f"commit {hub_builder(entry).hash}"
    path = Path(entry).expanduser()
    if path.is_file():
        return common.hash_path(path)
    return common.hash_strings(
        part for file in _shown_files(path) for part in (str(file.relative_to(path)), common.hash_path(file))
    )


def input_stamp(entry: str) -> list[tuple[str, int, int]]:
    """Name, size and time of change of the files of a local entry, to see whether they stay as they are."""
    if entry == "demo" or is_hub_id(entry):
        return []
    path = Path(entry).expanduser()
    files = [path] if path.is_file() else _shown_files(path)
    return [(str(file), (facts := file.stat()).st_size, facts.st_mtime_ns) for file in files]


def _shown_files(folder: Path) -> list[Path]:
    """The files under a folder but for hidden ones, such as those that git and the hub's client keep there."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [file for file in files if not _is_hidden(file.relative_to(folder))]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
