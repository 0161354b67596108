"""Shared by all tests: no network, one thread, the smallest tokenizer and models of each architecture, not trained."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"  # models this small gain nothing from more, and tests run beside each other

import pytest

TEXTS = [
    "### Instruction:\nAdd 3 and 4.\n\n### Response:\nThe sum is 7.",
    "### Instruction:\nName a colour of the sky.\n\n### Response:\nBlue, on a clear day.",
    "### Instruction:\nRepeat the word stone twice.\n\n### Response:\nstone stone",
]


@pytest.fixture(scope="session")
def tokenizer():
    import language_model

    return language_model.learn_bpe(TEXTS, 300)


@pytest.fixture(scope="session")
def tiny_models(tokenizer):
    """{architecture: a model of two layers} for every model family, and two that --model may well bring."""
    import torch
    from transformers import (
        AutoModelForCausalLM,
        Gemma3TextConfig,
        GPTNeoXConfig,
        LlamaConfig,
        ModernBertDecoderConfig,
        Olmo2Config,
        Qwen2Config,
    )

    shape = {"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 2, "pad_token_id": tokenizer.pad_token_id}
    configs = {
        "scratch": LlamaConfig(**shape, num_key_value_heads=1),
        "pythia": GPTNeoXConfig(**shape),
        "qwen2.5": Qwen2Config(**shape, num_key_value_heads=1),
        "ettin": ModernBertDecoderConfig(**shape, local_attention=8),
        "gemma3": Gemma3TextConfig(**shape, num_key_value_heads=1, head_dim=16, sliding_window=8),
        "olmo2": Olmo2Config(**shape, num_key_value_heads=1),
    }
    torch.manual_seed(0)
    return {name: AutoModelForCausalLM.from_config(config).eval() for name, config in configs.items()}


@pytest.fixture
def examples(tokenizer):
    """Forty encoded rows of additions."""
    import numpy as np

    from language_model import encode_examples

    numbers = np.random.default_rng(0).integers(0, 50, (40, 2)).tolist()
    instructions = [f"Add {a} and {b}." for a, b in numbers]
    return encode_examples(tokenizer, instructions, [f"It is {a + b}." for a, b in numbers], 64)


@pytest.fixture
def model(tiny_models):
    """A tiny Llama that a test may train."""
    import copy

    return copy.deepcopy(tiny_models["scratch"])
