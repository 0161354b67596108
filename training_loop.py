"""A training run: packed blocks, AdamW, mixed precision, what is compiled, one process or many; see `fit`.

Many processes are accelerate's (`accelerate launch`, `torchrun`): each takes its share of a step's blocks, and the loss
is normalised by the response tokens of all of them, so that a run is the same whatever their number.
"""

import gc
import hashlib
import os
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np

from common import UserError, hash_json
from language_model import Example, pick_device, pick_precision
from packed_attention import pick_attention
from packed_loss import new_packed_loss
from packing import pack_rows, plan_steps
from training_checkpoints import CHECKPOINT_FORMAT, load_checkpoint
from training_memory import STATE_BYTES_PER_PARAMETER, gpu_bytes, model_shape, plan_memory
from training_speed import gpu_peak, speed
from training_steps import TrainingFailed, learning_rate_at, run_steps

LOSS_CURVE_POINTS = 200
# Compiling takes 5 to 18 s on an H100 and makes a 500M model twice as fast: it is regained in as many compiled seconds.
COMPILE_PAYS_FROM_SECONDS, ASSUMED_MFU = 20, 0.4
FEW_STEPS = 50
# While the main process evaluates or writes, the others wait for it this long before they give up.
PROCESS_TIMEOUT = timedelta(hours=6)


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
    try:
        run_steps(run, log, checkpoint, checkpoint_seconds)
    finally:  # also of a run that failed: what the next one of the group logs must not be taken for its
        for tracker in accelerator.trackers:  # accelerate's `end_training` would end the processes' exchange as well
            tracker.finish()
    if log["skipped_steps"]:
        print(f"warning: {log['skipped_steps']} of {len(run.steps)} steps changed nothing: fp16 gradients overflowed")
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
    if not layers:
        return
    inside = {id(module) for layer in layers for module in layer.modules()}
    around = [module for module in run.model.base_model.modules() if id(module) not in inside]
    for module in [*layers, *(module for module in around if type(module).__name__.endswith("Norm"))]:
        module.compile()
    run.accelerator.unwrap_model(run.loss).compile_cross_entropy()
    run.compiled = True


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
