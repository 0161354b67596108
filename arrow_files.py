"""Rows on disk as folders of Arrow files, which `datasets.load_from_disk` opens too.

A folder takes its place whole or not at all. Needs pyarrow alone.
"""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from common import UserError, disk_errors, read_json, reason_of, whole_file, write_json

BATCH_ROWS = 1_000  # fixed, so that the same rows give the same bytes


def read_arrow(folder, columns: list[str] | None = None):
    """The rows of a folder, memory-mapped, as a pyarrow Table; all columns or some. Raises UserError on damage."""
    import pyarrow

    folder = Path(folder)
    try:
        table = pyarrow.concat_tables([open_stream(file) for file in data_files(folder)])
        table = table.select(columns or table.column_names)  # which shows names that are not UTF-8
        table.validate(full=True)  # an offset that points out of its buffer would crash the process
        return table
    except (OSError, pyarrow.ArrowException, KeyError, UnicodeError) as error:
        raise UserError(
            f"{folder} is damaged ({reason_of(error)}); rerun the stage that writes it with --force"
        ) from error


def open_stream(path):
    """The rows of one file, memory-mapped, as a pyarrow Table that nothing has checked."""
    import pyarrow

    return pyarrow.ipc.open_stream(pyarrow.memory_map(str(path))).read_all()


def data_files(folder: Path) -> list[Path]:
    """The Arrow files of a folder, by its state.json. Raises UserError."""
    names = [Path(entry["filename"]).name for entry in read_json(folder / "state.json")["_data_files"]]
    if not names:
        raise UserError(f"{folder} holds no rows, or is damaged: its state.json lists no files")
    return [folder / name for name in names]


def write_arrow(folder, table) -> None:
    """Write a pyarrow Table of plain columns as a folder, in place of an older one."""
    with whole_folder(folder) as new:
        file = new / "data-00000-of-00001.arrow"
        write_table(file, table)
        describe_folder(new, [file])


def write_table(path, table) -> None:
    """Write a pyarrow Table to one file."""
    import pyarrow

    with whole_file(path) as temporary, pyarrow.OSFile(str(temporary), "wb") as sink:
        with pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, BATCH_ROWS)


@contextmanager
def whole_folder(folder):
    """A new folder to write into, which takes the place of `folder` if all goes well. Raises UserError."""
    folder = Path(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with disk_errors(folder):
            temporary.mkdir(parents=True)
            yield temporary
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def describe_folder(folder, files: list) -> None:
    """Write the JSON files that `datasets.load_from_disk` needs beside the rows."""
    state = dict.fromkeys(["_format_columns", "_format_type", "_split"])
    state |= {"_data_files": [{"filename": Path(file).name} for file in files], "_fingerprint": "0" * 16}
    state |= {"_format_kwargs": {}, "_output_all_columns": False}
    types = {"double": "float64"}
    schema = open_stream(files[0]).schema
    features = {
        field.name: {"dtype": types.get(str(field.type), str(field.type)), "_type": "Value"} for field in schema
    }
    write_json(Path(folder) / "dataset_info.json", {"features": features})
    write_json(Path(folder) / "state.json", state)
