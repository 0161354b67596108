"""The optimiser steps of a run: micro-batches, what the processes tell each other, the learning rate, the checkpoints.

`run` is a `training_loop.PackedRun` throughout.
"""

import signal
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from common import UserError
from packing import collate_blocks
from training_checkpoints import TrainingStopped, noted_signals, save_checkpoint
from training_speed import flops_utilisation

# Steps queued on the device behind the one whose loss is waited for, so that a GPU always has work.
STEPS_AHEAD = {"cpu": 0, "cuda": 1}


class TrainingFailed(Exception):
    """A run that cannot go on, such as one whose loss is not finite; other runs of the group can."""


def run_steps(run, log: dict, checkpoint: Path, checkpoint_seconds: float) -> None:
    """All steps that `log` does not have yet; appends to it as they are done.

    After SIGTERM or Ctrl-C, in whichever process, all finish what is queued, write a checkpoint and raise
    TrainingStopped.
    """
    import torch
    from tqdm import tqdm

    saved, done, main = time.monotonic(), len(log["losses"]), run.accelerator.is_main_process
    bar = tqdm(total=len(run.steps), initial=done, desc="train", unit="step", leave=False, disable=not main)
    queued, began = [], time.perf_counter()
    with bar, noted_signals() as signals:
        for step in range(done, len(run.steps)):
            queued.append(start_step(run, step, saved + checkpoint_seconds, signals))
            last, late, stop = step + 1 == len(run.steps), False, None
            while len(queued) > (0 if last or late or stop else STEPS_AHEAD[run.device]):
                finished = queued.pop(0)
                loss, updates, late, stop = read_note(finished["note"])  # waits for the device
                began = add_step(log, finished, loss, updates, len(run.steps), began)
                show_progress(run, bar, log)
            if last:  # one may have come since the last step was queued
                *_, stop = read_note(queue_note(run, torch.zeros((), device=run.accelerator.device), saved, signals))
            if late or stop:
                save_checkpoint(checkpoint, run, log)
                saved, began = time.monotonic(), time.perf_counter()
            if stop:
                raise TrainingStopped(f"stopped by {stop.name} after step {step + 1} of {len(run.steps)}, with a "
                                      "checkpoint; run the same command to go on", stop.value)  # fmt: skip


def add_step(log: dict, finished: dict, loss: float, updates: int, steps: int, began: float) -> float:
    """Add a step that is done to the log, as of `start_step`; the time now, where `began` was that of the one before.

    updates: how often the weights have changed since the first step; fp16 skips steps whose gradients are not finite.
    Raises TrainingFailed where the loss is not finite.
    """
    if not np.isfinite(loss):
        raise TrainingFailed(f"the loss became {loss} at step {len(log['losses']) + 1} of {steps}; try a lower "
                             "learning_rate (--set learning_rate=...)")  # fmt: skip
    log["losses"].append(loss)
    for key in ("tokens", "response_tokens"):
        log[key] += finished[key]
    log["skipped_steps"] = len(log["losses"]) - updates
    now = time.perf_counter()
    log["seconds"] += now - began
    return now


def start_step(run, step: int, deadline: float, signals: list[int]) -> dict:
    """Queue one step: its tokens and response_tokens, and the `note` that `read_note` waits for."""
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate_at(step, len(run.steps), run.config)
    tokens, response_tokens = run.block_tokens(run.steps[step])
    loss = train_step(run, run.steps[step], response_tokens)
    note = queue_note(run, loss, deadline, signals)
    return {"tokens": tokens, "response_tokens": response_tokens, "note": note}


def queue_note(run, loss, deadline: float, signals: list[int]) -> tuple:
    """Queue what the processes tell each other after a step; `read_note` waits for it.

    It is copied as soon as the step is done. `loss.item()` would wait for all that is queued: for the steps ahead too.
    deadline: of the next checkpoint, by time.monotonic(); signals: what this process was told so far.
    """
    import torch

    updates = next(iter(run.optimizer.state.values()))["step"]
    own = torch.tensor([time.monotonic() > deadline, max(signals, default=0)], dtype=torch.float64)
    if run.device == "cuda":
        own = own.pin_memory().to(run.accelerator.device, non_blocking=True)
    notes = run.accelerator.gather(torch.stack([loss.double(), updates.double(), *own])[None])
    notes, arrived = notes.to("cpu", non_blocking=True), None
    if run.device == "cuda":
        arrived = torch.cuda.Event()
        arrived.record()
    return notes, arrived


def read_note(note: tuple) -> tuple:
    """The loss summed over the processes, how often the weights have changed, whether a checkpoint is due in any
    process, and the highest signal any has had, None without."""
    notes, arrived = note
    if arrived:
        arrived.synchronize()
    losses, updates, lates, numbers = notes.T.tolist()
    number = int(max(numbers))
    return sum(losses), int(min(updates)), any(lates), signal.Signals(number) if number else None


def show_progress(run, bar, log: dict) -> None:
    """Loss and speed of the step just done, on the bar and for the trackers."""
    rate = log["tokens"] / log["seconds"]
    shown = {"loss": log["losses"][-1], "tokens_per_s": rate}
    utilisation = flops_utilisation(run.model, rate, run.device, run.accelerator.num_processes)
    if utilisation is not None:
        shown["mfu"] = utilisation
    bar.set_postfix({key: f"{value:,.0f}" if value > 100 else f"{value:.3f}" for key, value in shown.items()}, False)
    bar.update()
    if run.accelerator.trackers:
        learning_rate = learning_rate_at(bar.n - 1, len(run.steps), run.config)
        run.accelerator.log({**shown, "tokens": log["tokens"], "lr": learning_rate}, bar.n)


def train_step(run, numbers: np.ndarray, response_tokens: int):
    """One optimiser step over some blocks; this process's share of the mean loss per response token of the whole step.

    Runs in micro-batches that fit the device; where one does not, halves them and starts the step anew. The loss is a
    scalar tensor that the device may not have computed yet.
    """
    import torch

    while True:
        run.optimizer.zero_grad(set_to_none=True)
        try:
            loss = step_loss(run, micro_batches(run, numbers), response_tokens)
        except torch.OutOfMemoryError:
            loss = None
        if loss is not None:
            break
        halve_micro_batch(run)  # only now are the activations free: the error held them while it was handled
    run.scaler.unscale_(run.optimizer)
    run.accelerator.clip_grad_norm_(run.model.parameters(), run.config["max_grad_norm"])
    run.scaler.step(run.optimizer)
    run.scaler.update()
    return loss


def halve_micro_batch(run) -> None:
    """After running out of memory: half as many blocks at a time. Raises where there is nothing to halve."""
    import torch

    if run.accelerator.num_processes > 1:  # the others wait for this one's gradients: it cannot start the step anew
        raise UserError(f"out of memory with {run.micro_batch} blocks at a time on one of several processes; "
                        f"give --micro_batch_tokens {max(1, run.micro_batch // 2) * run.widest}")  # fmt: skip
    if run.micro_batch == 1:
        raise TrainingFailed("out of memory with one block at a time; try --set block_tokens=... "
                             "max_tokens=... or gradient_checkpointing=on")  # fmt: skip
    run.micro_batch //= 2
    torch.cuda.empty_cache()
    print(f"out of memory: going on with {run.micro_batch} blocks at a time, the same tokens per step")


def micro_batches(run, numbers: np.ndarray) -> list[np.ndarray]:
    """This process's blocks of a step, in micro-batches: as many for every process, some of them perhaps empty.

    Blocks that are rows come by length, so that few of a micro-batch need much padding.
    """
    world, rank = run.accelerator.num_processes, run.accelerator.process_index
    if not run.packed:
        numbers = numbers[np.argsort([-run.lengths[number] for number in numbers], kind="stable")]
    own, largest = numbers[rank::world], -(-len(numbers) // world)
    return [own[start : start + run.micro_batch] for start in range(0, largest, run.micro_batch)]


def step_loss(run, batches: list[np.ndarray], response_tokens: int):
    """Forward and backward of all micro-batches; the processes exchange gradients in the last backward only."""
    import torch

    total = torch.zeros((), device=run.accelerator.device)
    for number, batch in enumerate(batches, start=1):
        with run.accelerator.no_sync(run.loss) if number < len(batches) else nullcontext():
            total += backward(run, batch, response_tokens)
    return total


def backward(run, numbers: np.ndarray, response_tokens: int):
    """Forward and backward of one micro-batch; its share of the step's mean loss, as a scalar tensor.

    No blocks at all become a block of padding, whose loss and gradients are zero.
    """
    import torch

    blocks = [run.blocks[number] for number in numbers] or [[]]
    if run.compiled:  # always one shape, which the last step would not fill
        blocks += [[]] * (run.micro_batch - len(blocks))
    arrays = collate_blocks(run.examples, blocks, run.width(blocks), run.pad_id)
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if run.device == "cuda":  # from pinned memory, so that the next micro-batch is prepared while this one runs
        batch = {
            name: tensor.pin_memory().to(run.accelerator.device, non_blocking=True) for name, tensor in batch.items()
        }
    if run.compiled:
        torch._dynamo.maybe_mark_dynamic(batch["row_starts"], 0)
    batch |= {} if run.packed else {"position_ids": None}
    loss = run.loss(**batch, longest_row=run.longest_row) / response_tokens
    # The processes' gradients are averaged, where the step's mean over all response tokens wants their sum.
    run.scaler.scale(loss * run.accelerator.num_processes).backward()
    return loss.detach()


def learning_rate_at(step: int, steps: int, config: dict) -> float:
    """Warmup-stable-decay: linear up over the first steps, constant, linear to zero over the last ones."""
    warmup = max(1, round(steps * config["warmup_fraction"]))
    decay = max(1, round(steps * config["decay_fraction"]))
    return config["learning_rate"] * min(1.0, (step + 1) / warmup, (steps - step) / decay)
