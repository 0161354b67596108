"""Rows on disk in shards: written whole or not at all, read in any order, worked on by several processes.

A step of a long job is a function of one shard that writes one file (`run_step`), run by the processes of this machine
or of a Ray cluster. A file is written under another name and renamed once it is whole, so a run that was killed at any
instant goes on from the files that are there and repeats only the shards that were in work. Memory holds some shards
at a time, whatever the number of rows.

Reads and writes what it is told to. `filter_steps.py` and `decontamination_steps.py` hold the steps,
`subset_selection.py` writes subsets with it.
"""

import contextlib
import ctypes
import functools
import json
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pyarrow

from arrow_files import BATCH_ROWS, data_files, describe_folder, open_stream, whole_folder
from common import UserError, whole_file

# Fixed, so that the files have the same bytes whatever shards and processes they come from.
FILE_ROWS = 100_000
GATHER_ROWS = 5_000  # rows held at once while they are brought into order: whole batches
RAY = "ray==2.60.0"  # optional; the version that was tested
RAY_TASKS_PER_CORE = 2  # handed out at a time: one in work, one ready; more would only fill the memory of the cluster
RAY_ANSWER_SECONDS = 10
RAY_RETRIES = 10  # of a task whose process or node was lost


# ---------------------------------------------------------------------------------------------------------------------
# Whole files


def write_array(path, array: np.ndarray) -> None:
    """Write one numpy array to a file that `numpy.load` reads."""
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array)


def write_arrays(path, **arrays) -> None:
    """Write numpy arrays by name, for `numpy.load`."""
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def write_facts(path, content) -> None:
    """Write plain values as JSON."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


# ---------------------------------------------------------------------------------------------------------------------
# Rows by number


class ShardedRows:
    """The rows of some Arrow files, numbered from 0 over all of them; a file is open only while it is read.

    `columns` adds columns, or takes their place: arrays with a value for every row, by name.
    """

    def __init__(self, paths: list, columns: dict | None = None):
        self.paths, self.columns = [str(path) for path in paths], columns or {}
        self.offsets = np.cumsum([0, *(sum(self._batch_sizes(path)) for path in self.paths)])
        self.rows = int(self.offsets[-1])

    @classmethod
    def of_folder(cls, folder) -> "ShardedRows":
        """The rows of a folder that `write_folder` or `write_arrow` wrote. Raises UserError where damaged."""
        folder = Path(folder)
        try:
            rows = cls(data_files(folder))
            for path in rows.paths:
                open_stream(path).validate(full=True)  # an offset that points out of its buffer would end the process
            return rows
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(f"{folder} is damaged ({error}); rerun the stage that writes it with --force") from error

    def _batch_sizes(self, path: str) -> list[int]:
        return [batch.num_rows for batch in open_stream(path).to_batches()]

    def column(self, name: str):
        """One column of all rows, in memory, as a chunked array."""
        if name in self.columns:
            return pyarrow.chunked_array([self.columns[name]])
        chunks = []
        for path in self.paths:
            column = open_stream(path)[name]
            chunks.append(pyarrow.concat_arrays(column.chunks) if column.num_chunks else pyarrow.array([], column.type))
        return pyarrow.chunked_array(chunks, chunks[0].type if chunks else pyarrow.large_string())

    def take_all(self):
        """All rows as they are stored, memory-mapped."""
        return pyarrow.concat_tables([open_stream(path) for path in self.paths])

    def take(self, rows: np.ndarray, names: list[str] | None = None):
        """The rows of these numbers in this order, as a Table of one batch. Holds them twice."""
        order = np.argsort(rows, kind="stable")
        ordered = np.asarray(rows)[order]
        limits = np.searchsorted(ordered, self.offsets)
        stored = [name for name in names if name not in self.columns] if names else None
        parts = []
        for shard in np.flatnonzero(np.diff(limits)).tolist():
            wanted = ordered[limits[shard] : limits[shard + 1]] - self.offsets[shard]
            parts += _take_from_file(self.paths[shard], wanted, stored)
        table = pyarrow.Table.from_batches(parts) if parts else self._empty(stored)
        if not np.array_equal(order, np.arange(len(order))):
            back = np.empty(len(order), np.int64)
            back[order] = np.arange(len(order))
            table = table.combine_chunks().take(pyarrow.array(back))
        return self._with_columns(table, rows, names)

    def _with_columns(self, table, rows: np.ndarray, names: list[str] | None):
        for name, values in self.columns.items():
            if names and name not in names:
                continue
            picked = pyarrow.array(values[rows]) if isinstance(values, np.ndarray) else values.take(pyarrow.array(rows))
            place = table.schema.get_field_index(name)
            table = table.append_column(name, picked) if place < 0 else table.set_column(place, name, picked)
        return table.select(names) if names else table

    def _empty(self, stored: list[str] | None):
        table = open_stream(self.paths[0]).slice(0, 0)
        return table.select(stored) if stored is not None else table


def _take_from_file(path: str, wanted: np.ndarray, names: list[str] | None) -> list:
    """Rows of ascending numbers of one file, copied out of it batch by batch."""
    table = open_stream(path)
    batches = (table.select(names) if names is not None else table).to_batches()
    offsets = np.cumsum([0, *(batch.num_rows for batch in batches)])
    limits = np.searchsorted(wanted, offsets)
    return [
        batches[number].take(pyarrow.array(wanted[limits[number] : limits[number + 1]] - offsets[number]))
        for number in np.flatnonzero(np.diff(limits)).tolist()
    ]


# ---------------------------------------------------------------------------------------------------------------------
# Folders of rows, as the datasets library has them


def write_rows(source: ShardedRows, task: tuple[np.ndarray, str]) -> None:
    """Write some rows, in the order given, to one Arrow file."""
    rows, path = task
    with whole_file(path) as temporary, pyarrow.OSFile(str(temporary), "wb") as sink:
        writer = None
        for start in range(0, max(len(rows), 1), GATHER_ROWS):
            table = source.take(rows[start : start + GATHER_ROWS]).combine_chunks()
            writer = writer or pyarrow.ipc.new_stream(sink, table.schema)
            for batch in table.to_batches(BATCH_ROWS):
                writer.write_batch(batch)
        writer.close()


def folder_files(folder, rows: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """The files that rows go into: tasks for `write_rows`."""
    count = max(1, -(-len(rows) // FILE_ROWS))
    return [
        (rows[number * FILE_ROWS : (number + 1) * FILE_ROWS], f"{folder}/data-{number:05d}-of-{count:05d}.arrow")
        for number in range(count)
    ]


def write_folder(folder, source: ShardedRows, rows: np.ndarray) -> None:
    """Write rows, in the order given, as a folder that `datasets.load_from_disk` opens, in place of an older one."""
    with whole_folder(folder) as new:
        tasks = folder_files(new, rows)
        for task in tasks:
            write_rows(source, task)
        describe_folder(new, [path for _, path in tasks])


# ---------------------------------------------------------------------------------------------------------------------
# Several processes


def run_tasks(function: Callable, context, tasks: Iterable, num_proc: int):
    """`function(context, task)` for every task, in their order, by `num_proc` processes; tasks are taken as needed.

    The context reaches the processes by fork, unsent. Raises UserError where a process was killed.
    """
    if num_proc == 1:
        yield from (function(context, task) for task in tasks)
        return
    waiting: deque = deque()
    pool = ProcessPoolExecutor(num_proc, initializer=_start_worker, initargs=(function, context))
    try:
        for task in tasks:
            waiting.append(pool.submit(_run, task))
            if len(waiting) > num_proc + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise UserError("a process was killed, perhaps for lack of memory: try a lower --num_proc") from error
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C only the shards in work are finished


_worker = {}


def _start_worker(function: Callable, context) -> None:
    """Keep a worker's function and context, and end the worker once its parent is gone, for whatever reason."""

    def watch(parent: int = os.getppid()) -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers it
    _worker.update(function=function, context=context)
    threading.Thread(target=watch, daemon=True).start()


def _run(task):
    return _worker["function"](_worker["context"], task)


# ---------------------------------------------------------------------------------------------------------------------
# Several machines


@contextlib.contextmanager
def ray_cluster():
    """Join the Ray cluster of RAY_ADDRESS, or one on this machine, meanwhile. Raises UserError."""
    try:
        import ray
    except ImportError as error:
        raise UserError(f"--engine ray needs Ray: pip install {RAY}") from error
    address = os.environ.get("RAY_ADDRESS", "")
    host, _, port = address.rpartition(":")
    if port.isdecimal():  # Ray itself would try for many minutes
        try:
            socket.create_connection((host, int(port)), RAY_ANSWER_SECONDS).close()
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"no Ray cluster answers at RAY_ADDRESS={address} ({reason}); see `ray status`") from error
    ray.init(log_to_driver=False, logging_level="ERROR")
    nodes = sum(node["Alive"] for node in ray.nodes())
    print(f"ray: {_ray_cores():.0f} cores on {nodes} node{'s' * (nodes > 1)}")
    try:
        yield
    finally:
        ray.shutdown()


def _ray_cores() -> float:
    import ray

    return ray.cluster_resources().get("CPU", 1)


def run_tasks_on_ray(function: Callable, context, tasks: Iterable):
    """`function(context, task)` for every task by the cluster's processes; the CPU seconds of each once it is done.

    What a task writes must lie where all nodes see it by the same path. A task whose node is lost is run by another.
    """
    import ray

    run = ray.remote(max_retries=RAY_RETRIES, scheduling_strategy="SPREAD")(_run_on_node)
    shared, waiting = ray.put((function, context)), []
    try:
        for task in tasks:
            waiting.append(run.remote([shared], task))
            if len(waiting) >= RAY_TASKS_PER_CORE * _ray_cores():
                done, waiting = ray.wait(waiting)
                yield from ray.get(done)
        while waiting:
            done, waiting = ray.wait(waiting)
            yield from ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from error
        if "failed to import" in str(error.cause):
            missing = str(error.cause).strip().splitlines()[-1]
            raise UserError(
                f"a node cannot run this code ({missing}): the repository and its Python environment must lie at the "
                "same paths on every node"
            ) from error
        raise
    except ray.exceptions.RayError as error:
        raise UserError(f"a task's process was lost {RAY_RETRIES + 1} times; is there enough memory?") from error
    finally:
        for reference in waiting:
            ray.cancel(reference)


def _run_on_node(shared: list, task) -> float:
    started = time.process_time()
    function, context = _fetched(shared[0])
    function(context, task)
    return time.process_time() - started


@functools.lru_cache(maxsize=1)
def _fetched(reference):
    """What all tasks of a step share, sent to a process once."""
    import ray

    return ray.get(reference)


# ---------------------------------------------------------------------------------------------------------------------
# Jobs

ENGINES = ["local", "ray"]


class Job:
    """A job's folder on disk, its workers, and what its steps took: {step: {seconds, cpu_seconds, tasks}}.

    `engine`: local, `num_proc` processes of this machine; or ray, the processes of the cluster of `ray_cluster`.
    """

    def __init__(self, folder, num_proc: int, engine: str = "local"):
        self.folder, self.num_proc, self.engine, self.steps = Path(folder).absolute(), num_proc, engine, {}

    def path(self, name: str, number: int | None = None, suffix: str = "npy") -> Path:
        """The file that a step writes for one of its shards, or for all."""
        return self.folder / (f"{name}-{number:05d}.{suffix}" if number is not None else f"{name}.{suffix}")

    def tasks_of(self, name: str, parts: Iterable, suffix: str = "npy") -> Iterable:
        """A task for `run_step` for each part: its file of this name, its rows, (its number, the part itself)."""
        return ((self.path(name, number, suffix), len(part), (number, part)) for number, part in enumerate(parts))

    def run_step(self, name: str, function: Callable, context, tasks: Iterable, total=None, unit: str = "rows") -> None:
        """`function(context, task)`, which writes `path`, for every (path, units, task) whose file is not there yet."""
        from tqdm import tqdm

        sizes: deque = deque()

        def pending():
            for path, rows, task in tasks:
                if path.exists():
                    bar.update(rows)
                else:
                    sizes.append(rows)
                    yield task

        with self.timed(name), tqdm(total=total, desc=name, unit=f" {unit}", unit_scale=True, delay=2) as bar:
            if self.engine == "ray":
                done = run_tasks_on_ray(function, context, pending())
            else:
                done = run_tasks(function, context, pending(), self.num_proc)
            for cpu_seconds_elsewhere in done:
                self.steps[name]["tasks"] += 1
                self.steps[name]["cpu_seconds"] += cpu_seconds_elsewhere or 0
                bar.update(sizes.popleft())

    @contextlib.contextmanager
    def timed(self, name: str):
        """Count the time spent meanwhile towards the step of this name."""
        entry = self.steps.setdefault(name, {"seconds": 0.0, "cpu_seconds": 0.0, "tasks": 0})
        release_memory()  # else the processes of the step start with what was freed since the last
        started, used = time.perf_counter(), _cpu_seconds()
        try:
            yield
        finally:
            entry["seconds"] = round(entry["seconds"] + time.perf_counter() - started, 3)
            entry["cpu_seconds"] = round(entry["cpu_seconds"] + _cpu_seconds() - used, 3)
            release_memory()


def release_memory() -> None:
    """Return freed memory to the system: the allocators keep most of it, and the next step has no use for it."""
    pyarrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; others give it back themselves
    if trim:
        trim(0)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
