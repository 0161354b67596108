"""Shared by all tests: no network, and the smallest tokenizer and models of each architecture, random weights."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

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
    """{architecture: a model of two layers} for the architectures of every model family."""
    import torch
    from transformers import AutoModelForCausalLM, GPTNeoXConfig, LlamaConfig, ModernBertDecoderConfig, Qwen2Config

    shape = {"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 2, "pad_token_id": tokenizer.pad_token_id}
    configs = {
        "scratch": LlamaConfig(**shape, num_key_value_heads=1),
        "pythia": GPTNeoXConfig(**shape),
        "qwen2.5": Qwen2Config(**shape, num_key_value_heads=1),
        "ettin": ModernBertDecoderConfig(**shape, local_attention=8),
    }
    torch.manual_seed(0)
    return {name: AutoModelForCausalLM.from_config(config).eval() for name, config in configs.items()}
