"""Not a test: a small training run for tests, here or in the processes of torchrun, and what became of it as files.

By torchrun, with a folder as the argument: three steps by DDP, stopped by SIGTERM, then three more by FSDP2.
"""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TEXTS
from torch.distributed.fsdp import FSDPModule
from transformers import LlamaConfig, LlamaForCausalLM

import training_loop
import training_steps
from language_model import encode_examples, learn_bpe
from train_quality_comparison import save_model
from training_checkpoints import TrainingStopped, whole_weights
from training_configs import TRAINING

CONFIG = {**TRAINING, "learning_rate": 5e-3, "tokens_per_step": 320, "block_tokens": 64, "max_tokens": 64, "epochs": 2}


plain_accelerator = training_loop.new_accelerator


def sharding_accelerator(*how):
    """accelerate turns FSDP on for GPUs alone, though torch has it on CPUs too: only that switch is thrown here."""
    from accelerate import DistributedType, FullyShardedDataParallelPlugin

    accelerator = plain_accelerator(*how)
    accelerator.state.distributed_type = DistributedType.FSDP
    accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap"
    )
    return accelerator


def fit(folder: Path, name: str, stop_after: int = 0) -> None:
    """Train, or go on from the folder's checkpoint; stop after so many steps (0: never), and save under the name."""
    tokenizer = learn_bpe(TEXTS, 300)
    numbers = np.random.default_rng(0).integers(0, 50, (50, 2)).tolist()
    asks, replies = [f"Add {a} and {b}." for a, b in numbers], [f"It is {a + b}." for a, b in numbers]
    examples = encode_examples(tokenizer, asks, replies, 64)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=300, tie_word_embeddings=True, **shape))
    rank, step, taken = int(os.environ.get("RANK", "0")), training_steps.train_step, []

    def stopping_step(*arguments):
        taken.append(1)
        if len(taken) == stop_after and rank == 0:  # one process alone is told; all must stop
            os.kill(os.getpid(), signal.SIGTERM)
        return step(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_steps, "train_step", stopping_step)
        patch.setattr(training_loop, "new_accelerator", sharding_accelerator if name == "fsdp" else plain_accelerator)
        try:
            facts = training_loop.fit(model, examples, CONFIG, 1, folder / "checkpoint.pt", 1e9, micro_batch_tokens=64)
        except TrainingStopped as stopped:
            facts = {"stopped": str(stopped), "signal": stopped.signal}
    facts["sharded"] = any(type(parameter).__name__ == "DTensor" for parameter in model.parameters())
    facts["sharded_layers"] = sum(isinstance(module, FSDPModule) for module in model.modules())
    weights = whole_weights(model)
    if rank == 0:
        save_model(model, weights, tokenizer, folder / name)
        (folder / name / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    for name in ("ddp", "fsdp"):
        fit(Path(sys.argv[1]), name, stop_after=3)
    training_loop.end_processes()
