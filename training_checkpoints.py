"""Checkpoints that survive a kill, a full disk and a stop signal: the old one stays until the new one is whole."""

import os
import pickle
import shutil
import signal
import time
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

from common import UserError, list_differences, reason_of

CHECKPOINT_FORMAT = 2  # of the optimiser's state: by the names of weights, so that it suits any number of processes

# Slurm tells every process of a job, and torchrun its own ones once more.
ONE_REQUEST_SECONDS = 3

STATE = {"model", "optimizer", "scaler", "random", "log", "identity"}


class TrainingStopped(Exception):
    """A signal asked the run to stop, and its checkpoint is written; `signal` is the number."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.signal = number


@contextmanager
def noted_signals():
    """Meanwhile, SIGTERM and Ctrl-C only add their number to the list that it yields.

    One that comes more than ONE_REQUEST_SECONDS after the first acts as before.
    """
    noted: list[int] = []
    first = float("inf")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number, _frame):
        nonlocal first
        first = min(first, time.monotonic())
        noted.append(number)
        if time.monotonic() - first > ONE_REQUEST_SECONDS:
            signal.signal(number, before[number])
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def save_checkpoint(path: Path, run, log: dict) -> None:
    """Write the whole state beside the old checkpoint, then take its place: a kill leaves one of the two, whole.

    All processes take part, the main one writes: the file is the same whatever their number and however they shard the
    model. Raises UserError where the disk does not take it; the old checkpoint is still there.
    """
    import torch
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    model, optimizer = get_state_dict(run.model, run.optimizer, options=options)
    if run.accelerator.is_main_process:
        temporary = path.with_suffix(".tmp")
        state = {"model": model, "optimizer": optimizer, "scaler": run.scaler.state_dict()}
        random = {"random": torch.get_rng_state()}
        if run.device == "cuda":
            random["cuda_random"] = torch.cuda.get_rng_state()
        try:
            torch.save({**state, **random, "log": log, "identity": run.identity, "config": run.config}, temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except (OSError, RuntimeError) as error:  # the second is what torch's writer raises
            free = shutil.disk_usage(path.parent).free / 2**20
            temporary.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or f"{free:,.0f} MiB are free; {reason_of(error)}"
            kept = "the last checkpoint is whole" if path.exists() else "there is no earlier checkpoint"
            raise UserError(
                f"cannot write {path} at step {len(log['losses'])} ({reason}); {kept}; free some disk and run the "
                "same command to go on"
            ) from error
    run.accelerator.wait_for_everyone()


def read_checkpoint(path: Path) -> dict:
    """What `save_checkpoint` wrote. Raises UserError where it is damaged: torch itself checks no sums."""
    import torch

    try:
        with zipfile.ZipFile(path) as file, open(path, "rb") as start:
            # zipfile overlooks what stands in front of an archive; torch would take it for a pickle.
            damaged = file.testzip() or (None if start.read(2) == b"PK" else "something stands in front of it")
        state = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError, EOFError, RuntimeError, NotImplementedError, ValueError, zipfile.BadZipFile, zlib.error,
        pickle.UnpicklingError,
    ) as error:  # fmt: skip
        damaged = reason_of(error)
    if not damaged and not (isinstance(state, dict) and state.keys() >= STATE):
        damaged = "it holds no training state"
    if damaged:
        raise UserError(f"{path} is damaged ({damaged}); put a whole copy there, or remove it to train from the start")
    return state


def load_checkpoint(path: Path, run, force: bool) -> dict | None:
    """Put the checkpoint's state into `run` and return its log; None where this run has none.

    One that was written with other settings, data or another model is hours of somebody's work: UserError names what
    differs, unless `force` says to begin anew.
    """
    import torch
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

    if run.accelerator.is_main_process:
        path.with_suffix(".tmp").unlink(missing_ok=True)
    if not path.exists():
        return None
    state = read_checkpoint(path)
    if state["identity"] != run.identity:
        differences = list_differences(state.get("config"), run.config) or ["its rows or their packing"]
        if not force:
            raise UserError(f"{path} is of a run made otherwise ({'; '.join(differences)}); the command that began it "
                            "goes on with it, --force trains anew")  # fmt: skip
        print(f"training anew: {path} is of a run made otherwise ({'; '.join(differences)})")
        return None
    parts = {"model_state_dict": state["model"], "optim_state_dict": state["optimizer"]}
    set_state_dict(run.model, run.optimizer, **parts, options=StateDictOptions(full_state_dict=True))
    run.scaler.load_state_dict(state["scaler"])
    if run.accelerator.is_main_process:  # whose state it is: with the same, all processes would draw the same dropout
        torch.set_rng_state(state["random"].cpu())
        if "cuda_random" in state and run.device == "cuda":
            torch.cuda.set_rng_state(state["cuda_random"].cpu())
    print(f"resuming at step {len(state['log']['losses']) + 1} of {len(run.steps)}")
    return state["log"]


def whole_weights(model) -> dict:
    """The model's weights by name, on the CPU, gathered from the processes that hold parts of them.

    All processes take part; where there are several, only the main one gets them.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    weights = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    tied = {name: weights[source] for name, source in model.all_tied_weights_keys.items() if weights}
    return {**weights, **tied}  # one tensor under both names again, so that it is saved once
