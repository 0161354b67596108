"""The training loop: packed blocks, AdamW, warmup-stable-decay, mixed precision, one process or many.

Many processes are accelerate's (`accelerate launch`, `torchrun`): each takes its share of a step's blocks, and the loss
is normalised by the response tokens of all of them, so that a run is the same whatever their number.
"""

import gc
import hashlib
import os
import signal
import time
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import numpy as np

from common import UserError, hash_json
from language_model import Example, pick_device, pick_precision
from packed_attention import pick_attention
from packed_loss import new_packed_loss
from packing import collate_blocks, pack_rows, plan_steps
from training_checkpoints import CHECKPOINT_FORMAT, TrainingStopped, load_checkpoint, noted_signals, save_checkpoint
from training_memory import STATE_BYTES_PER_PARAMETER, gpu_bytes, model_shape, plan_memory

LOSS_CURVE_POINTS = 200
# Compiling takes 5 to 18 s on an H100 and makes a 500M model twice as fast: it is regained in as many compiled seconds.
COMPILE_PAYS_FROM_SECONDS, ASSUMED_MFU = 20, 0.4
FEW_STEPS = 50
# Steps queued on the device behind the one whose loss is waited for, so that a GPU always has work.
STEPS_AHEAD = {"cpu": 0, "cuda": 1}
# While the main process evaluates or writes, the others wait for it this long before they give up.
PROCESS_TIMEOUT = timedelta(hours=6)
# Dense peak in bf16/fp16 with fp32 accumulation, FLOP/s, from the makers' data sheets; by words of the device's name.
PEAK_FLOPS = {"H100": 989e12, "H100 PCIe": 756e12, "H100 NVL": 835e12, "H200": 989e12, "H200 NVL": 835e12,
              "A100": 312e12, "L4": 121e12, "L40S": 362e12, "4090": 165e12}  # fmt: skip


class TrainingFailed(Exception):
    """A run that cannot go on, such as one whose loss is not finite; other runs of the group can."""


def new_accelerator(report_to: str | None = None, folder: Path | None = None):
    """accelerate's view of the processes and devices; the precision stays ours, with fp32 weights and logits."""
    from accelerate import Accelerator, InitProcessGroupKwargs

    # Under FSDP every process loads the model: it is small, and one that starts empty cannot be looked into.
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
    return Accelerator(
        cpu=pick_device() == "cpu",
        mixed_precision="no",
        log_with=report_to,
        project_dir=folder,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PROCESS_TIMEOUT)],
    )


def end_processes() -> None:
    """End the exchange with the other processes, which are done too.

    Left to the exit of Python, its threads sometimes kill a finished process with SIGABRT.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@contextmanager
def weights_must_fit():
    """Fail the run, not the group, where its weights do not fit into memory; `train_step` handles activations."""
    import torch

    gc.collect()  # weights and moments of the run before refer to each other, and would stay in the GPU's memory
    try:
        yield
    except torch.OutOfMemoryError as error:
        alone = int(os.environ.get("WORLD_SIZE", "1")) == 1  # otherwise the other processes would wait for this one
        raise (TrainingFailed if alone else UserError)(
            f"out of memory for weights, gradients and moments, {STATE_BYTES_PER_PARAMETER} bytes a parameter; take a "
            "GPU with more memory, or several by FSDP"
        ) from error


@weights_must_fit()
def fit(
    model, examples: list[Example], config: dict, pad_id: int, checkpoint: Path, checkpoint_seconds: float,
    report_to: str | None = None, micro_batch_tokens: int | None = None, force: bool = False,
):  # fmt: skip
    """Fine-tune all weights of `model` in place, from its last checkpoint if there is one.

    Every step takes about `tokens_per_step` tokens of packed rows. What else in `config` decides the run, such as the
    hash of the model it starts from, tells a checkpoint of this run from others. With `packed` false there, for models
    that do not keep packed rows apart, every row is a sequence of its own. report_to: a tracker of accelerate's;
    micro_batch_tokens: per process, by default as many as fit; force: a checkpoint of another run is replaced, which
    otherwise raises UserError. Returns the facts for train_results.json: tokens, steps, train_seconds, the loss curve
    and what follows from them. Raises TrainingFailed on a loss that is not finite, TrainingStopped after a signal.
    """
    import torch

    accelerator = new_accelerator(report_to, checkpoint.parent)
    torch.manual_seed(config["seed"] + accelerator.process_index)  # dropout, where a model has it
    require_data_parallel(accelerator)
    device, precision = pick_device(), pick_precision(config["precision"])
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    model.to(accelerator.device).train()
    attention_before = model.config._attn_implementation
    parameters = sum(parameter.numel() for parameter in model.parameters())
    tokens = config["epochs"] * sum(len(example.ids) for example in examples)
    peak = gpu_peak(device) if accelerator.num_processes == 1 else None
    compiled = wants_compiling(config, parameters, tokens, peak)
    run = new_run(model, examples, config, pad_id, accelerator, precision, compiled, micro_batch_tokens)
    log = load_checkpoint(checkpoint, run, force) or {"losses": [], "tokens": 0, "response_tokens": 0, "seconds": 0.0}
    log.setdefault("skipped_steps", 0)  # which a checkpoint of an earlier version lacks
    blocks = "packed blocks" if run.packed else "rows, each by itself"
    step_tokens = max(config["tokens_per_step"], config["block_tokens"] if run.packed else 0)  # a block at least
    print(f"{len(run.steps):,} steps of about {step_tokens:,} tokens, {len(run.blocks):,} {blocks}")
    if len(run.steps) < FEW_STEPS:
        print(f"warning: {len(run.steps)} optimiser steps are few; below {FEW_STEPS} a model may barely move")
    if report_to:
        plain = {key: value for key, value in config.items() if isinstance(value, str | int | float)}
        accelerator.init_trackers(checkpoint.parent.name, plain)
    run_steps(run, log, checkpoint, checkpoint_seconds)
    if log["skipped_steps"]:
        print(f"warning: {log['skipped_steps']} of {len(run.steps)} steps changed nothing: fp16 gradients overflowed")
    for tracker in accelerator.trackers:  # accelerate's `end_training` would end the exchange between processes as well
        tracker.finish()
    facts = {"packed": run.packed, "precision": precision, "attention": model.config._attn_implementation,
             "compiled": run.compiled, "gradient_checkpointing": run.checkpointing,
             "processes": accelerator.num_processes}  # fmt: skip
    if run.checkpointing:
        model.activation_checkpointing_disable()
    for module in model.modules() if run.compiled else []:
        module._compiled_call_impl = None  # evaluation meets shapes of all kinds
    if model.config._attn_implementation != attention_before:
        model.set_attn_implementation(attention_before)  # what is saved does not depend on what is installed here
    return {**summarise_log(log, run, config), **speed(log, model, device, accelerator.num_processes), **facts}


def require_data_parallel(accelerator) -> None:
    """Raises UserError where accelerate would split the model in a way that this loop does not support."""
    kind = accelerator.distributed_type.value
    if kind not in ("NO", "MULTI_GPU", "MULTI_CPU") and not accelerator.is_fsdp2:
        raise UserError(
            f"training runs on one device, or on several by DDP or FSDP2, not by {kind} as launched; use torchrun, or "
            "accelerate launch --multi_gpu, or accelerate launch --use_fsdp --fsdp_version 2 --fsdp_auto_wrap_policy "
            "TRANSFORMER_BASED_WRAP"
        )


def new_run(model, examples, config: dict, pad_id: int, accelerator, precision: str, compiled: bool, micro_tokens=None):
    """A PackedRun whose model is ready to train: fitted into memory, with fast attention, compiled where wanted."""
    plan = memory_plan(model, config, accelerator, precision, compiled, micro_tokens)
    if plan["gradient_checkpointing"]:
        model.activation_checkpointing_enable({"use_reentrant": False})
    run = PackedRun(model, examples, config, pad_id, accelerator, precision, plan)
    if run.packed:  # only now: the head was split in fp32, which the fast kernels refuse
        pick_attention(model, run.device, precision)
    if compiled:
        compile_layers(run)
    return run


def memory_plan(model, config: dict, accelerator, precision: str, compiled: bool, micro_tokens: int | None) -> dict:
    """`plan_memory` for this process's share of the model, which FSDP splits, and of a step's tokens."""
    shards = accelerator.num_processes if accelerator.is_fsdp2 else 1
    parameters = sum(parameter.numel() for parameter in model.parameters()) / shards
    own = {**config, "tokens_per_step": -(-config["tokens_per_step"] // accelerator.num_processes)}
    device = pick_device()
    where = {"device": device, "precision": precision, "memory": gpu_bytes(device)}
    return plan_memory(parameters, model_shape(model.config), own, where, compiled, micro_tokens)


def wants_compiling(config: dict, parameters: int, tokens: int, peak: float | None) -> bool:
    """Whether to compile: where the setting says so, or where it is "auto" and training takes long enough on a GPU of
    that peak, in FLOP/s; not where none is known, nor for rows by themselves, which would all be padded to one length.
    """
    if config["compile"] != "auto" or not peak or not config.get("packed", True):
        return config["compile"] == "on"
    return 6 * parameters * tokens / (ASSUMED_MFU * peak) > COMPILE_PAYS_FROM_SECONDS


def compile_layers(run: "PackedRun") -> None:
    """torch.compile of each layer, all by one compilation, of the norms around them, and of the loss."""
    layers = layers_of(run.model)
    for layer in layers:
        layer.compile()
        run.compiled = True
    if run.compiled:
        within = {id(module) for layer in layers for module in layer.modules()}
        for module in run.model.base_model.modules():
            if type(module).__name__.endswith("Norm") and id(module) not in within:
                module.compile()
        run.accelerator.unwrap_model(run.loss).compile_cross_entropy()


def layers_of(model) -> list:
    """The repeated layers of a transformers model."""
    return [module for module in model.modules() if type(module).__name__ in (model._no_split_modules or ())]


class PackedRun:
    """What a run consists of once its rows are packed: blocks, the steps' plan, optimiser and loss scaler."""

    def __init__(self, model, examples, config: dict, pad_id: int, accelerator, precision: str, plan: dict):
        import torch

        self.model, self.examples, self.config, self.pad_id = model, examples, config, pad_id
        self.compiled, self.checkpointing = False, plan["gradient_checkpointing"]
        self.accelerator, self.precision, self.device = accelerator, precision, accelerator.device.type
        self.packed = config.get("packed", True)
        self.lengths = [len(example.ids) for example in examples]
        self.longest_row = max(self.lengths)
        self.blocks, self.blocks_per_step = blocks_and_step(self.lengths, config)
        self.steps = plan_steps(len(self.blocks), self.blocks_per_step, config["epochs"], config["seed"])
        self.widest = config["block_tokens"] if self.packed else self.longest_row
        own_blocks = -(-self.blocks_per_step // accelerator.num_processes)
        self.micro_batch = min(max(1, plan["micro_batch_tokens"] // self.widest), own_blocks)
        wrapped, optimizer = accelerator.prepare(new_packed_loss(model, precision), new_optimizer(model, config))
        self.loss, self.optimizer = wrapped, optimizer.optimizer
        self.scaler = torch.amp.GradScaler(self.device, enabled=precision == "fp16")
        rows = hash_tokens(examples)
        self.identity = hash_json({"format": CHECKPOINT_FORMAT, "config": config, "blocks": self.blocks, "rows": rows})

    def width(self, blocks: list[list[int]]) -> int:
        """Tokens that each of some blocks takes, padding included."""
        if self.packed or self.compiled:  # compiled: always one shape
            return self.widest
        return max((self.lengths[row] for block in blocks for row in block), default=1)

    def block_tokens(self, numbers) -> tuple[int, int]:
        """Tokens and response tokens of some blocks, padding left out."""
        rows = [self.examples[index] for number in numbers for index in self.blocks[number]]
        tokens = sum(len(example.ids) for example in rows)
        return tokens, tokens - sum(example.prompt_tokens for example in rows)


def blocks_and_step(lengths: list[int], config: dict) -> tuple[list[list[int]], int]:
    """The rows of each block, and how many blocks make a step of about `tokens_per_step`."""
    if config.get("packed", True):
        return pack_rows(lengths, config["block_tokens"]), max(1, config["tokens_per_step"] // config["block_tokens"])
    return [[row] for row in range(len(lengths))], max(1, round(config["tokens_per_step"] / np.mean(lengths)))


def hash_tokens(examples: list[Example]) -> str:
    """SHA-256 of all rows' tokens and of where their responses begin."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(b"%d %d " % (len(example.ids), example.prompt_tokens) + example.ids.tobytes())
    return digest.hexdigest()


def new_optimizer(model, config: dict):
    """Fused AdamW; weight decay on matrices only, as is usual: not on norms and biases."""
    import torch

    matrices = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [{"params": matrices, "weight_decay": config["weight_decay"]}, {"params": vectors, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=config["learning_rate"], betas=tuple(config["adam_betas"]), fused=True)


def learning_rate_at(step: int, steps: int, config: dict) -> float:
    """Warmup-stable-decay: linear up over the first steps, constant, linear to zero over the last ones."""
    warmup = max(1, round(steps * config["warmup_fraction"]))
    decay = max(1, round(steps * config["decay_fraction"]))
    return config["learning_rate"] * min(1.0, (step + 1) / warmup, (steps - step) / decay)


# ---------------------------------------------------------------------------------------------------------------------
# Steps


def run_steps(run: PackedRun, log: dict, checkpoint: Path, checkpoint_seconds: float) -> None:
    """All steps that `log` does not have yet; appends to it as they are done.

    After SIGTERM or Ctrl-C, in whichever process, all finish what is queued, write a checkpoint and raise
    TrainingStopped.
    """
    from tqdm import tqdm

    saved, done, main = time.monotonic(), len(log["losses"]), run.accelerator.is_main_process
    bar = tqdm(total=len(run.steps), initial=done, desc="train", unit="step", leave=False, disable=not main)
    queued, began = [], time.perf_counter()
    with bar, noted_signals() as signals:
        for step in range(done, len(run.steps)):
            started = start_step(run, step)
            queued.append(started | {"note": queue_note(run, started["loss"], saved + checkpoint_seconds, signals)})
            last, late, stop = step + 1 == len(run.steps), False, None
            while len(queued) > (0 if last or late or stop else STEPS_AHEAD[run.device]):
                finished = queued.pop(0)
                loss, updates, late, stop = read_note(finished["note"])  # waits for the device
                began = add_step(log, finished, loss, updates, len(run.steps), began)
                show_progress(run, bar, log)
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


def start_step(run: PackedRun, step: int) -> dict:
    """Queue one step: its loss, as `train_step` gives it, tokens and response_tokens."""
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate_at(step, len(run.steps), run.config)
    tokens, response_tokens = run.block_tokens(run.steps[step])
    loss = train_step(run, run.steps[step], response_tokens)
    return {"loss": loss, "tokens": tokens, "response_tokens": response_tokens}


def queue_note(run: PackedRun, loss, deadline: float, signals: list[int]) -> tuple:
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


def show_progress(run: PackedRun, bar, log: dict) -> None:
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


def train_step(run: PackedRun, numbers: np.ndarray, response_tokens: int):
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


def halve_micro_batch(run: PackedRun) -> None:
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


def micro_batches(run: PackedRun, numbers: np.ndarray) -> list[np.ndarray]:
    """This process's blocks of a step, in micro-batches: as many for every process, some of them perhaps empty.

    Blocks that are rows come by length, so that few of a micro-batch need much padding.
    """
    world, rank = run.accelerator.num_processes, run.accelerator.process_index
    if not run.packed:
        numbers = numbers[np.argsort([-run.lengths[number] for number in numbers], kind="stable")]
    own, largest = numbers[rank::world], -(-len(numbers) // world)
    return [own[start : start + run.micro_batch] for start in range(0, largest, run.micro_batch)]


def step_loss(run: PackedRun, batches: list[np.ndarray], response_tokens: int):
    """Forward and backward of all micro-batches; the processes exchange gradients in the last backward only."""
    import torch

    total = torch.zeros((), device=run.accelerator.device)
    for number, batch in enumerate(batches, start=1):
        with run.accelerator.no_sync(run.loss) if number < len(batches) else nullcontext():
            total += backward(run, batch, response_tokens)
    return total


def backward(run: PackedRun, numbers: np.ndarray, response_tokens: int):
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


# ---------------------------------------------------------------------------------------------------------------------
# Facts


def summarise_log(log: dict, run: PackedRun, config: dict) -> dict:
    """Tokens, steps and the loss curve, as means over at most LOSS_CURVE_POINTS stretches of steps."""
    steps = len(log["losses"])
    stretch = -(-steps // LOSS_CURVE_POINTS)
    curve = [
        {
            "step": min(start + stretch, steps),
            "loss": float(np.mean(log["losses"][start : start + stretch])),
            "learning_rate": learning_rate_at(min(start + stretch, steps) - 1, steps, config),
        }
        for start in range(0, steps, stretch)
    ]
    room = len(run.blocks) * config["block_tokens"] if run.packed else None
    return {
        "tokens": log["tokens"],
        "response_tokens": log["response_tokens"],
        "steps": steps,
        "skipped_steps": log["skipped_steps"],
        "blocks": len(run.blocks),
        "packing_efficiency": sum(run.lengths) / room if room else None,
        "loss_curve": curve,
        "final_loss": curve[-1]["loss"],
    }


def speed(log: dict, model, device: str, processes: int) -> dict:
    """Seconds, tokens per second of all processes, model FLOPs utilisation, peak memory of this one.

    Null where the device's peak is not known, as on a CPU.
    """
    import torch

    rate = log["tokens"] / log["seconds"]
    return {
        "train_seconds": log["seconds"],
        "tokens_per_second": rate,
        "mfu": flops_utilisation(model, rate, device, processes),
        "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None,
    }


def flops_utilisation(model, tokens_per_second: float, device: str, processes: int) -> float | None:
    """Share of the GPUs' peak that goes into 6 FLOPs per parameter and token; None where the peak is not known."""
    peak = gpu_peak(device)
    parameters = sum(parameter.numel() for parameter in model.parameters()) if peak else 0
    return 6 * parameters * tokens_per_second / (peak * processes) if peak else None


def gpu_peak(device: str) -> float | None:
    """The peak of the GPU at hand, FLOP/s; None on a CPU, and where it is not known."""
    import torch

    return peak_flops(torch.cuda.get_device_name()) if device == "cuda" else None


def peak_flops(device_name: str) -> float | None:
    """The peak of a GPU by its full name, such as "NVIDIA H100 80GB HBM3"; None where it is not in the table."""
    words = set(device_name.replace("-", " ").split())
    known = [gpu for gpu in PEAK_FLOPS if words.issuperset(gpu.split())]
    return PEAK_FLOPS[max(known, key=len)] if known else None
