"""The training loop: packed blocks, AdamW, warmup-stable-decay, mixed precision, checkpoints that survive a kill."""

import os
import time
from pathlib import Path

import numpy as np

from common import hash_json
from language_model import IGNORED_LABEL, Example, autocast, pick_device, pick_precision
from packing import collate_blocks, pack_rows, plan_steps

MICRO_BATCH_TOKENS = {"cpu": 2_048, "cuda": 16_384}
LOSS_CURVE_POINTS = 200
FEW_STEPS = 50
# Dense peak in bf16/fp16 with fp32 accumulation, FLOP/s, from the makers' data sheets.
PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L4": 121e12, "RTX 4090": 165e12}


class TrainingFailed(Exception):
    """A run that cannot go on, such as one whose loss is not finite; other runs of the group can."""


def fit(model, examples: list[Example], config: dict, pad_id: int, checkpoint: Path, checkpoint_seconds: float) -> dict:
    """Fine-tune all weights of `model` in place, from the last checkpoint if there is one of this very run.

    Every step takes about `tokens_per_step` tokens of packed rows. Returns the facts for train_results.json:
    tokens, steps, train_seconds, the loss curve and what follows from them. Raises TrainingFailed on a loss that is
    not finite.
    """
    device, precision = pick_device(), pick_precision(config["precision"])
    model.to(device).train()
    if config["gradient_checkpointing"]:
        model.gradient_checkpointing_enable()
    run = PackedRun(model, examples, config, pad_id, device, precision)
    log = load_checkpoint(checkpoint, run) or {"losses": [], "tokens": 0, "response_tokens": 0, "seconds": 0.0}
    if len(run.steps) < FEW_STEPS:
        print(f"warning: {len(run.steps)} optimiser steps are few; below {FEW_STEPS} a model may barely move")
    run_steps(run, log, checkpoint, checkpoint_seconds)
    return {**summarise_log(log, run, config), **speed(log, model, device), "precision": precision}


class PackedRun:
    """What a run consists of once its rows are packed: blocks, the steps' plan, optimiser and loss scaler."""

    def __init__(self, model, examples: list[Example], config: dict, pad_id: int, device: str, precision: str):
        import torch

        self.model, self.examples, self.config, self.pad_id = model, examples, config, pad_id
        self.device, self.precision = device, precision
        self.blocks = pack_rows([len(example.ids) for example in examples], config["block_tokens"])
        blocks_per_step = max(1, config["tokens_per_step"] // config["block_tokens"])
        self.steps = plan_steps(len(self.blocks), blocks_per_step, config["epochs"], config["seed"])
        self.micro_batch = max(1, MICRO_BATCH_TOKENS[device] // config["block_tokens"])
        self.optimizer = new_optimizer(model, config)
        self.scaler = torch.amp.GradScaler(device, enabled=precision == "fp16")
        self.identity = hash_json({"config": config, "blocks": self.blocks, "lengths": [len(e.ids) for e in examples]})

    def block_tokens(self, numbers) -> tuple[int, int]:
        """Tokens and response tokens of some blocks, padding left out."""
        rows = [self.examples[index] for number in numbers for index in self.blocks[number]]
        tokens = sum(len(example.ids) for example in rows)
        return tokens, tokens - sum(example.prompt_tokens for example in rows)


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
    """All steps that `log` does not have yet; appends to it as they are done."""
    from tqdm import tqdm

    saved = time.time()
    bar = tqdm(total=len(run.steps), initial=len(log["losses"]), desc="train", unit="step", leave=False)
    for step in range(len(log["losses"]), len(run.steps)):
        began = time.time()
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate_at(step, len(run.steps), run.config)
        tokens, response_tokens = run.block_tokens(run.steps[step])
        loss = train_step(run, run.steps[step], response_tokens)
        if not np.isfinite(loss):
            raise TrainingFailed(f"the loss became {loss} at step {step + 1} of {len(run.steps)}; try a lower "
                                 "learning_rate (--set learning_rate=...)")  # fmt: skip
        log["losses"].append(loss)
        log["tokens"] += tokens
        log["response_tokens"] += response_tokens
        log["seconds"] += time.time() - began
        bar.update()
        bar.set_postfix(loss=f"{loss:.3f}", tokens_per_s=f"{log['tokens'] / log['seconds']:,.0f}", refresh=False)
        if time.time() - saved > checkpoint_seconds:
            save_checkpoint(checkpoint, run, log)
            saved = time.time()
    bar.close()


def train_step(run: PackedRun, numbers: np.ndarray, response_tokens: int) -> float:
    """One optimiser step over some blocks; the mean loss per response token of the whole step.

    Runs in micro-batches that fit the device; where one does not, halves them and starts the step anew.
    """
    import torch

    while True:
        run.optimizer.zero_grad(set_to_none=True)
        try:
            loss = 0.0
            for start in range(0, len(numbers), run.micro_batch):
                loss += backward(run, numbers[start : start + run.micro_batch], response_tokens)
            break
        except torch.OutOfMemoryError:
            if run.micro_batch == 1:
                raise TrainingFailed("out of memory with one block at a time; try --set block_tokens=... "
                                     "max_tokens=... or gradient_checkpointing=true") from None  # fmt: skip
            run.micro_batch //= 2
            torch.cuda.empty_cache()
            print(f"out of memory: going on with {run.micro_batch} blocks at a time, the same tokens per step")
    run.scaler.unscale_(run.optimizer)
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), run.config["max_grad_norm"])
    run.scaler.step(run.optimizer)
    run.scaler.update()
    return loss


def backward(run: PackedRun, numbers: np.ndarray, response_tokens: int) -> float:
    """Forward and backward of one micro-batch; its share of the step's mean loss."""
    import torch

    blocks = [run.blocks[number] for number in numbers]
    arrays = collate_blocks(run.examples, blocks, run.config["block_tokens"], run.pad_id)
    batch = {name: torch.from_numpy(array).to(run.device) for name, array in arrays.items()}
    with autocast(run.device, run.precision):
        # No attention mask and no cache: only then does the model keep the rows of a block apart.
        logits = run.model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
    wanted = batch["labels"][:, 1:] != IGNORED_LABEL
    loss = torch.nn.functional.cross_entropy(
        logits[:, :-1][wanted].float(), batch["labels"][:, 1:][wanted], reduction="sum"
    )
    loss = loss / response_tokens
    run.scaler.scale(loss).backward()
    return loss.item()


# ---------------------------------------------------------------------------------------------------------------------
# Checkpoints


def save_checkpoint(path: Path, run: PackedRun, log: dict) -> None:
    """Write the whole state beside the old checkpoint, then take its place: a kill leaves one of the two, whole."""
    import torch

    temporary = path.with_suffix(".tmp")
    state = {name: getattr(run, name).state_dict() for name in ("model", "optimizer", "scaler")}
    torch.save({**state, "random": torch.get_rng_state(), "log": log, "identity": run.identity}, temporary)
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def load_checkpoint(path: Path, run: PackedRun) -> dict | None:
    """Put the checkpoint's state into `run` and return its log; None where there is none of this very run."""
    import torch

    path.with_suffix(".tmp").unlink(missing_ok=True)
    if not path.exists():
        return None
    state = torch.load(path, map_location=run.device, weights_only=True)
    if state["identity"] != run.identity:
        print(f"{path} belongs to another configuration or other data: starting anew")
        return None
    for name in ("model", "optimizer", "scaler"):
        getattr(run, name).load_state_dict(state[name])
    torch.set_rng_state(state["random"].cpu())
    print(f"resuming at step {len(state['log']['losses']) + 1} of {len(run.steps)}")
    return state["log"]


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
    packed = len(run.blocks) * config["block_tokens"]
    return {
        "tokens": log["tokens"],
        "response_tokens": log["response_tokens"],
        "steps": steps,
        "blocks": len(run.blocks),
        "packing_efficiency": sum(len(example.ids) for example in run.examples) / packed,
        "loss_curve": curve,
        "final_loss": curve[-1]["loss"],
    }


def speed(log: dict, model, device: str) -> dict:
    """Seconds, tokens per second, model FLOPs utilisation (6 FLOPs per parameter and token), peak memory.

    Null where the device's peak is not known, as on a CPU.
    """
    import torch

    rate = log["tokens"] / log["seconds"]
    name = torch.cuda.get_device_name() if device == "cuda" else ""
    peak = next((flops for gpu, flops in PEAK_FLOPS.items() if gpu in name), None)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {
        "train_seconds": log["seconds"],
        "tokens_per_second": rate,
        "mfu": 6 * parameters * rate / peak if peak else None,
        "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None,
    }
