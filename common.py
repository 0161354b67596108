"""What every stage shares: errors, atomic files, hashes, provenance, and the rule of when a stage is done.

A stage writes its rows as Arrow and its facts as JSON. The JSON is the completion marker of what stands beside it:
removed before a rewrite, written last. So a stage killed at any instant leaves nothing that looks finished.
"""

import errno
import fcntl
import glob
import hashlib
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path

from json_kinds import find_wrong, kinds_of

PACKAGES = ["torch", "transformers", "datasets", "accelerate", "numpy", "pandas", "pyarrow", "textstat", "rensa"]
HUB_TIMEOUT_SECONDS = 5


# ---------------------------------------------------------------------------------------------------------------------
# Errors


class UserError(Exception):
    """Something the user can fix. The message says what was wrong, where, and what to do, in one line."""


def reason_of(error: Exception) -> str:
    """The first line of what an error says; its name where it says nothing, as Python's own often do."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def one_line(text: str) -> str:
    """Text from data on one line of a terminal: line breaks, control and hidden characters become spaces."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


# ---------------------------------------------------------------------------------------------------------------------
# Files


def require_writable(folder, option: str = "--results_dir") -> Path:
    """Create `folder`, given by `option`, where it is missing. Raises UserError where nothing can be written to it."""
    folder = Path(folder)
    probe = folder / f".write_probe_{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; choose another with {option}") from error
    return folder


def require_apart(option: str, path, data) -> None:
    """Raises UserError where `path`, given by `option`, is `data`, which it would replace, or lies in that folder."""
    data = Path(data).expanduser()
    source = os.path.realpath(data)  # unlike Path.resolve, it takes a link to itself
    if os.path.exists(source) and Path(os.path.realpath(path)).is_relative_to(source):
        raise UserError(f"{option} {path} lies in the data itself, {data}; choose another")


def require_disk(folder, needed_bytes: float, what: str) -> None:
    """Raises UserError where the disk under `folder` has less than `needed_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise UserError(
            f"not enough disk for {what}: {needed_bytes / 2**20:,.1f} MiB needed, {free / 2**20:,.1f} MiB free under "
            f"{folder}; free some, or choose another disk with --results_dir"
        )


@contextmanager
def disk_errors(path):
    """Turn the error of a disk that cannot be written to into a UserError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, None):  # None: how numpy says that not all was written
            reason = "the disk is full; make room and run the same command again"
        else:
            reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}") from error


@contextmanager
def whole_file(path):
    """A temporary path to write to, renamed to `path` if all goes well. Raises UserError where the disk fails."""
    path = Path(path)
    # Two nodes may write the same file at once, where one counts as lost while its processes live on: two names.
    temporary = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.tmp")
    try:
        with disk_errors(path):
            yield temporary
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text: str) -> None:
    """Write a whole text file or leave the old one."""
    path = Path(path)
    remove_leftovers(path)
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed processes of this machine left beside `path` while writing it."""
    for file in path.parent.glob(f".{glob.escape(path.name)}.{glob.escape(platform.node())}-[0-9]*.tmp"):
        try:
            os.kill(int(file.stem.rpartition("-")[2]), 0)  # signal 0 only asks whether it is there
        except ProcessLookupError:
            file.unlink(missing_ok=True)
        except PermissionError:
            continue  # another user's, at work


def write_json(path, content: dict) -> None:
    """Write JSON whole. NaN, infinities and objects that JSON does not know raise: nothing is stringified."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


class Facts(dict):
    """A JSON object of one of our files. Asking for a key that it lacks is a UserError: another version wrote it."""

    def __init__(self, content: dict, path):
        super().__init__(content)
        self.path = path

    def __missing__(self, key):
        raise UserError(
            f"{self.path} lacks {key!r}: damaged, or written by another version; rerun the stage that writes it with "
            "--force"
        )


def read_json(path) -> dict:
    """Read one of our JSON files, as `Facts`. Raises UserError where it is missing or damaged.

    A value of another kind than `json_kinds.KINDS` gives for its key is damage too.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        hook = partial(Facts, path=path)
        content = json.loads(text, object_hook=hook, parse_float=_finite, parse_constant=_finite)
        if "\\ud" in text.lower():  # an escape that we never write; half of a surrogate pair could not be written again
            json.dumps(content, ensure_ascii=False).encode()
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); remove it and rerun the stage that writes it") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no JSON object; remove it and rerun the stage that writes it")
    if wrong := find_wrong(content, kinds_of(path)):
        raise UserError(f"{path} is damaged ({wrong}); remove it and rerun the stage that writes it")
    return content


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is not a finite number")
    return number


@contextmanager
def file_lock(path, wait: bool = False):
    """Hold `path` as a lock; gives False where another process holds it and `wait` is off. The file says who holds it.

    The system frees it when its holder ends, however it ends, so a killed run blocks nobody.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _locked_file(path, wait)
    if file is None:
        yield False
        return
    with file:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()} since {since} ({command})\n")
        file.flush()
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)


def _locked_file(path: Path, wait: bool):
    """The file at `path`, open and locked; None where another process holds it and `wait` is off."""
    while True:
        file = open(path, "a", encoding="utf-8")
        try:
            # Unlike flock's, no worker process inherits it.
            fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except (BlockingIOError, PermissionError):
            file.close()
            return None
        except OSError as error:
            file.close()
            reason = f"{error.strerror}; a network disk must allow locks (NFS: lockd)"
            raise UserError(f"cannot lock {path}: {reason}") from error
        if _is_at(path, file):
            return file
        file.close()  # its last holder removed it between our opening and our locking


def _is_at(path: Path, file) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def sole_use(folder):
    """Keep other commands off `folder` meanwhile. Raises UserError that names the one that is at work on it."""
    path = Path(folder) / ".lock"
    if not path.parent.is_dir():  # the stage says what is wrong with that
        yield
        return
    with file_lock(path) as held:
        if not held:
            try:
                holder = path.read_text(encoding="utf-8").strip()
            except FileNotFoundError:  # it has just ended
                holder = ""
            holder = holder or "another command"
            raise UserError(f"{folder} is in use by {holder}; wait for it, or choose another folder")
        yield


def probe_hub(kind: str, name: str) -> None:
    """Where the hub does not answer, make the Hugging Face libraries, not imported yet, use their cache alone.

    They would otherwise retry for most of a minute. kind: "datasets" or "models"; name: the hub id.
    """
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    try:
        urllib.request.urlopen(f"{endpoint}/api/{kind}/{name}", timeout=HUB_TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError:
        return  # the library knows what this answer means
    except OSError:
        os.environ["HF_HUB_OFFLINE"] = "1"


# ---------------------------------------------------------------------------------------------------------------------
# Hashes and provenance


def hash_json(content) -> str:
    """SHA-256 of plain values, the same whatever the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def hash_strings(strings) -> str:
    """SHA-256 of a sequence of strings in its order, such as the ids of a subset. Lone surrogates are fine."""
    digest = hashlib.sha256()
    for string in strings:
        data = string.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def hash_path(path) -> str:
    """SHA-256 of a file's bytes, or of a folder's file names and bytes in sorted order."""
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return hash_strings([part for file in files for part in (str(file.relative_to(path)), hash_path(file))])
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(names: list[str]) -> dict[str, str]:
    """The hash of each name that is a local file or folder, for provenance; others, such as hub ids, are left out."""
    return {name: hash_path(name) for name in names if Path(name).exists()}


def provenance(started: float, inputs: dict[str, str]) -> dict:
    """How a result came to be. `started`: time.time() at the start; `inputs`: the hash of each input by its name."""
    seconds = time.time() - started
    return {
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3) if seconds >= 0 else None,  # None: the clock was set back meanwhile
        "argv": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "hardware": _hardware(),
        "inputs": inputs,
    }


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _hardware() -> dict:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    torch = sys.modules.get("torch")  # no stage imports torch only to say that it did not need it
    gpus = torch.cuda.device_count() if torch else 0
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(gpus)],
    }


# ---------------------------------------------------------------------------------------------------------------------
# What counts as done


def is_done(
    marker, config: dict, inputs: dict[str, str], force: bool = False, remedy: str = "--force rebuilds it"
) -> bool:
    """True where a finished stage wrote `marker` with exactly this config and these inputs.

    False where it is missing, or with `force`. Raises UserError that names the differences where there are any, and the
    `remedy`.
    """
    if force or not Path(marker).exists():
        return False
    if differences := made_otherwise(marker, config, inputs):
        raise UserError(f"{marker} was made with other settings or inputs ({'; '.join(differences)}); {remedy}")
    return True


def made_otherwise(marker, config: dict, inputs: dict[str, str]) -> list[str]:
    """A phrase for each thing that sets the config and inputs that `marker` names apart from these."""
    found = read_json(marker)
    made = found.get("provenance")
    return [
        *list_differences(found.get("config"), config),
        *list_differences(made.get("inputs") if isinstance(made, dict) else None, inputs, "input "),
    ]


def list_differences(old: dict | None, new: dict, prefix: str = "") -> list[str]:
    """One phrase for each key whose value differs, nested dicts by their path."""
    if not isinstance(old, dict):
        return [f"{prefix or 'config '}not recorded"]
    phrases = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            phrases += list_differences(before, after, f"{prefix}{key}.")
        elif before != after:
            phrases.append(f"{prefix}{key}: {_short(before)} there, {_short(after)} now")
    return phrases


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:18]}...{text[-8:]}"


def clear(marker, *folders) -> None:
    """Before a rewrite, remove a marker and then what it marks: a kill in between leaves nothing that looks finished.

    Temporary files and folders of `write_text` and `write_arrow` that a killed run left go too.
    """
    Path(marker).unlink(missing_ok=True)
    for path in map(Path, [marker, *folders]):
        for leftover in [path, *path.parent.glob(f".{path.name}.*.tmp")]:
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
