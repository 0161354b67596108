"""The command line that all scripts share: how they parse, how settings and numbers are read, how mistakes end them."""

import argparse
import errno
import math
import os
import sys

from common import UserError, one_line
from json_kinds import LARGEST
from training_configs import ConfigError

DISK_ERRORS = [  # that need no traceback: disk full, read-only, forbidden, broken, no such folder
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR, errno.EISDIR,
    errno.EEXIST, errno.ENAMETOOLONG,
]  # fmt: skip


def run_main(main) -> None:
    """Run a stage's `main()`: a user's mistake becomes one line on stderr and exit status 2."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None: closed from the start
        stream.reconfigure(errors="backslashreplace")  # a character that the terminal lacks must not end a run
    try:
        main()
        if sys.stdout:
            sys.stdout.flush()
    except (UserError, ConfigError) as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted: run the same command to go on", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {one_line(f'{where}{error.strerror}')}; fix that and run the same command", file=sys.stderr)
        sys.exit(2)


def argument_parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose --help shows the module's docstring as it stands."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def add_settings(parser: argparse.ArgumentParser, example: str) -> None:
    """The option that changes settings of training_configs.py; `settings_from` reads it."""
    several = {"nargs": "+", "action": "extend", "default": []}
    parser.add_argument("--set", **several, metavar="KEY=VALUE", help=f"other settings, such as {example}")


def settings_from(pairs: list[str]) -> dict:
    """{"epochs": 2} of ["epochs=2"]: values are null, true, false, an integer, a number, or the text itself.

    Raises UserError on an integer of more bits than NumPy's and Arrow's have, and on what is no pair.
    """
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"--set takes KEY=VALUE, not {pair!r}")
        settings[key] = _typed(value)
        if isinstance(settings[key], int) and settings[key] >= LARGEST:
            raise UserError(f"setting {key!r} must be less than 2**62, not {value}")
    return settings


def _typed(text: str):
    plain = {"null": None, "true": True, "false": False}
    if text in plain:
        return plain[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def whole(text: str, least: int = 0) -> int:
    """An option's value as an integer of at least `least`, and of fewer bits than NumPy's and Arrow's have."""
    if not text.isdecimal() or not least <= int(text) < LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return int(text)


def positive(text: str) -> int:
    """An option's value as an integer of at least 1."""
    return whole(text, least=1)


def not_negative(text: str) -> float:
    """An option's value as a finite number of at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return value


def positive_number(text: str) -> float:
    """An option's value as a finite number above 0."""
    if not (value := not_negative(text)):
        raise argparse.ArgumentTypeError("it must be more than 0")
    return value


def positive_fraction(text: str) -> float:
    """An option's value as a share above 0, of at most 1."""
    if (value := positive_number(text)) > 1:
        raise argparse.ArgumentTypeError(f"{text} is more than 1, the whole")
    return value


def folder_name(text: str) -> str:
    """An option's value as the name of a folder: an empty one, as of a shell variable not set, would be the current."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; name a folder, . for the current one")
    return text


def add_results_dir(parser: argparse.ArgumentParser) -> None:
    """The option of the stages that read and write a whole results folder."""
    parser.add_argument(
        "--results_dir", type=folder_name, default="results", help="where stages read and write (default: results)"
    )
