"""Not a test: a training run that tests start in one process, or in two by torchrun. Writes its facts as JSON.

Arguments: the folder to write to, a step after which the run is stopped by SIGTERM (0: never), and "fsdp" where the
processes are to shard the model.
"""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from conftest import TEXTS
from transformers import LlamaConfig, LlamaForCausalLM

import training_loop
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


def main() -> None:
    folder, stop_after = Path(sys.argv[1]), int(sys.argv[2])
    if sys.argv[3:] == ["fsdp"]:
        training_loop.new_accelerator = sharding_accelerator
    tokenizer = learn_bpe(TEXTS, 300)
    numbers = np.random.default_rng(0).integers(0, 50, (50, 2)).tolist()
    asks, replies = [f"Add {a} and {b}." for a, b in numbers], [f"It is {a + b}." for a, b in numbers]
    examples = encode_examples(tokenizer, asks, replies, 64)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=300, tie_word_embeddings=True, **shape))
    rank, step, taken = int(os.environ.get("RANK", "0")), training_loop.train_step, []

    def stopping_step(*arguments):
        taken.append(1)
        if len(taken) == stop_after and rank == 0:  # one process alone is told; all must stop
            os.kill(os.getpid(), signal.SIGTERM)
        return step(*arguments)

    training_loop.train_step = stopping_step
    try:
        facts = training_loop.fit(model, examples, CONFIG, 1, folder / "checkpoint.pt", 1e9, micro_batch_tokens=64)
    except TrainingStopped as stopped:
        facts = {"stopped": str(stopped), "signal": stopped.signal, "losses": []}
    facts["sharded"] = any(type(parameter).__name__ == "DTensor" for parameter in model.parameters())
    weights = whole_weights(model)
    if rank == 0:
        save_model(model, weights, tokenizer, folder / "model")
        (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
