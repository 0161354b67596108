"""The cache in place: what transformers' own gives, to the last bit, also where a window slides."""

import types

import pytest
import torch

from generation_cache import bytes_per_token, roomy_cache
from text_generation import GENERATION_MEMORY_FRACTION, GENERATION_TOKENS, generation_tokens

FAMILIES = ["scratch", "pythia", "qwen2.5", "ettin", "gemma3", "olmo2"]


@pytest.mark.parametrize("window", [None, 8])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_transformers_own_cache(family, window, tiny_models, monkeypatch):
    model = tiny_models[family].eval()
    if window and getattr(model.config, "sliding_window", None):
        monkeypatch.setattr(model.config, "sliding_window", window)
    ids = torch.arange(5, 5 + 2 * 24).view(2, 24)
    mask = torch.ones_like(ids)
    mask[0, :3] = 0  # padded on the left
    own, ours = None, roomy_cache(model, 24)
    for start, end in ((0, 6), *((place, place + 1) for place in range(6, 24))):
        how = {"input_ids": ids[:, start:end], "attention_mask": mask[:, :end], "use_cache": True}
        with torch.inference_mode():
            expected = model(**how, past_key_values=own)
            found = model(**how, past_key_values=ours)
        own = expected.past_key_values
        assert torch.equal(found.logits, expected.logits), end
    assert found.past_key_values is ours and ours.get_seq_length() == own.get_seq_length() == 24


def test_room_is_taken_once(tiny_models):
    cache = roomy_cache(tiny_models["scratch"], 10)
    states = torch.arange(4.0).expand(2, 1, 3, 4)
    places = set()
    for start in (0, 3, 6):
        keys, values = cache.update(states + start, -states, 0)
        places.add((keys.data_ptr(), values.data_ptr()))
    assert len(places) == 1 and keys.shape == (2, 1, 9, 4)
    assert keys[0, 0, :, 1].tolist() == [1.0] * 3 + [4.0] * 3 + [7.0] * 3


def test_an_architecture_that_is_not_under_test_keeps_its_own_cache():
    assert roomy_cache(types.SimpleNamespace(config=types.SimpleNamespace(model_type="mamba")), 10) is None
    assert roomy_cache(types.SimpleNamespace(config=types.SimpleNamespace()), 10) is None


def test_a_batch_takes_its_share_of_a_gpu(tiny_models):
    model, config = tiny_models["scratch"], tiny_models["scratch"].config
    width = config.hidden_size * config.num_key_value_heads // config.num_attention_heads
    cached = 2 * config.num_hidden_layers * width
    each = 4 * (cached + 4 * config.hidden_size + 3 * config.intermediate_size)
    assert bytes_per_token(model) == each
    assert generation_tokens(model, None) == GENERATION_TOKENS
    assert generation_tokens(model, 10**9) == int(GENERATION_MEMORY_FRACTION * 10**9 / each)
