"""Models of all kinds that --model may bring: what is right goes on, packed where it keeps rows apart and a row to a
sequence where it does not; what would train wrongly is refused by name."""

import copy
import json
import re

import pytest

from common import UserError
from language_model import encode_examples, load_config, load_model, response_losses
from model_probe import require_positions, require_trainable
from packed_loss import new_packed_loss
from packing import collate_blocks
from training_memory import footprint_bytes, model_shape

SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
GROUPED = {**SHAPE, "num_key_value_heads": 1}
EXPERTS = {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 2}
HYBRID = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_n_groups": 1}
LINEAR = {f"linear_num_{part}_heads": 2 for part in ("key", "value")}
LINEAR |= {f"linear_{part}_head_dim": 16 for part in ("key", "value")}
SETTINGS = {"max_tokens": 512, "block_tokens": 512, "suite_max_new_tokens": 128, "generation_max_new_tokens": 256}
SETTINGS |= {"tokens_per_step": 4_096}
RIGHT = {
    "Qwen3Config": GROUPED | {"head_dim": 16},
    "MistralConfig": GROUPED | {"sliding_window": 8},
    "Phi3Config": GROUPED,
    "Gemma2Config": GROUPED | {"head_dim": 16, "sliding_window": 8, "attn_logit_softcapping": 2.0},
    "Gemma4TextConfig": GROUPED
    | {"head_dim": 16, "sliding_window": 8, "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 300},
    "CohereConfig": GROUPED,
    "GraniteConfig": GROUPED,
    "SmolLM3Config": GROUPED,
    "StableLmConfig": GROUPED,
    "MixtralConfig": EXPERTS | {"output_router_logits": True},
    "GPT2Config": GPT2 | {"n_positions": 768},
    "GPTNeoConfig": {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]]},
}
ALONE = {
    "GptOssConfig": EXPERTS | {"head_dim": 16},
    "FalconConfig": SHAPE,
    "OPTConfig": SHAPE | {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "BloomConfig": {"hidden_size": 32, "n_layer": 2, "n_head": 2},
    "MptConfig": {"d_model": 32, "n_layers": 2, "n_heads": 2},
    "Lfm2Config": GROUPED | {"layer_types": ["conv", "full_attention"]},
    "MambaConfig": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
    "Qwen3_5TextConfig": GROUPED | LINEAR | {"head_dim": 16, "layer_types": ["linear_attention", "full_attention"]},
    "FalconH1Config": GROUPED | HYBRID | {"head_dim": 16, "mamba_d_ssm": 64},
    "GraniteMoeHybridConfig": EXPERTS | HYBRID | {"layer_types": ["mamba", "attention"]},
}
WRONG = {
    "BertConfig": (SHAPE, "looks ahead"),
    "WhisperConfig": (
        {"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 64, "encoder_layers": 2},
        "padding of a batch",
    ),
}


def tiny(name: str, settings: dict, tokenizer):
    """A model of random weights, large enough that no token of what it reads goes under."""
    import torch
    import transformers

    ids = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id}
    config = getattr(transformers, name)(vocab_size=300, **ids, **settings)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight += 0.1 * torch.randn_like(weight)
    return model


def saved(model, tokenizer, folder) -> str:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("name", RIGHT)
def test_what_keeps_rows_apart_passes_and_its_packed_loss_is_that_of_rows_alone(name, tokenizer, tmp_path):
    import torch

    model, found = load_model(saved(tiny(name, RIGHT[name], tokenizer), tokenizer, tmp_path))
    require_positions(model.config, SETTINGS | {"max_tokens": 256})
    assert require_trainable(model, found, name, SETTINGS) is None
    rows = [("Add 3 and 4.", "The sum is 7."), ("Name a colour.", "Blue."), ("Why?", "It depends, as ever.")]
    examples = encode_examples(tokenizer, *map(list, zip(*rows, strict=True)), max_tokens=64)
    arrays = collate_blocks(examples, [[1, 0], [2]], 128, tokenizer.pad_token_id)
    batch = {key: torch.from_numpy(array) for key, array in arrays.items()}
    packed = new_packed_loss(model.eval(), "fp32")(**batch, longest_row=64).item()
    assert packed == pytest.approx(response_losses(model, examples, 1, "cpu", "fp32")[0].sum(), rel=1e-5)
    assert new_packed_loss(model, "bf16")(**batch, longest_row=64).item() == pytest.approx(packed, rel=1e-2)
    shape = model_shape(load_config(str(tmp_path)))
    assert footprint_bytes(10**6, shape, SETTINGS, "fp32", 2_048, False, False) > 16 * 10**6


@pytest.mark.parametrize("name", ALONE)
def test_what_does_not_keep_rows_apart_is_told_and_its_loss_over_padded_rows_is_that_of_rows_alone(name, tokenizer):
    import torch

    model = tiny(name, ALONE[name], tokenizer)
    reason = require_trainable(model.train(), tokenizer, name, SETTINGS)
    assert reason == "a packed row's loss changes with the row before it" and model.training
    examples = encode_examples(tokenizer, ["Add 3 and 4.", "Why?"], ["The sum is 7.", "It depends."], max_tokens=64)
    alone, model = [], model.eval()
    for example in examples:
        ids = torch.tensor([list(example.ids)])
        logits = model(input_ids=ids, use_cache=False).logits[0, example.prompt_tokens - 1 : -1]
        loss = torch.nn.functional.cross_entropy(logits, ids[0, example.prompt_tokens :], reduction="sum")
        loss.backward()
        alone.append(loss.item())
    gradients = {key: weight.grad.clone() for key, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    arrays = collate_blocks(examples, [[0], [1]], max(len(example.ids) for example in examples), 1)
    batch = {key: torch.from_numpy(array) for key, array in arrays.items()} | {"position_ids": None}
    assert new_packed_loss(model, "bf16")(**batch, longest_row=64).item() == pytest.approx(sum(alone), rel=1e-2)
    loss = new_packed_loss(model, "fp32")(**batch, longest_row=64)
    loss.backward()
    assert loss.item() == pytest.approx(sum(alone), rel=1e-5)
    largest = max(gradient.abs().max().item() for gradient in gradients.values())
    for key, gradient in gradients.items():
        assert torch.allclose(model.get_parameter(key).grad, gradient, rtol=1e-3, atol=1e-5 * largest), key
    assert response_losses(model, examples, 1, "cpu", "fp32")[0].tolist() == pytest.approx(alone, rel=1e-5)
    assert footprint_bytes(10**6, model_shape(model.config), SETTINGS, "fp32", 2_048, False, False) > 16 * 10**6


@pytest.mark.parametrize("name", WRONG)
def test_what_would_train_wrongly_is_refused_with_the_reason(name, tokenizer):
    settings, reason = WRONG[name]
    model = tiny(name, settings, tokenizer)
    with pytest.raises(UserError, match=f"the model mine .* cannot be used here: .*{reason}"):
        require_trainable(model.train(), tokenizer, "mine", SETTINGS)
    assert model.training


def test_a_model_that_cannot_run_on_a_block_may_take_rows_and_one_that_cannot_is_refused_in_one_line(tokenizer):
    settings = RIGHT["GPTNeoConfig"]
    model = tiny("GPTNeoConfig", settings | {"max_position_embeddings": 256}, tokenizer)
    reason = require_trainable(model, tokenizer, "mine", SETTINGS)
    assert re.fullmatch(r"it does not run on a packed block \(\w+: .+\)", reason)
    with pytest.raises(UserError, match=r"does not run on rows of text \(\w+: .*\)"):
        require_trainable(
            tiny("GPTNeoConfig", settings | {"max_position_embeddings": 16}, tokenizer), tokenizer, "mine", SETTINGS
        )


def test_where_memory_ends_the_model_is_not_blamed(tiny_models, tokenizer, monkeypatch):
    """A CPU's error is of no kind of its own; on a block alone it would pass for rows that are not kept apart."""
    import torch

    model = copy.deepcopy(tiny_models["scratch"])
    forward = model.forward

    def small_memory(input_ids, **how):
        if input_ids.shape[1] >= 512:
            torch.empty(2**60)
        return forward(input_ids=input_ids, **how)

    monkeypatch.setattr(model, "forward", small_memory)
    with pytest.raises(UserError, match="out of memory while the model was tried"):
        require_trainable(model, tokenizer, "mine", SETTINGS)


def test_a_model_is_tried_on_whole_rows_however_short_those_of_the_run_are(tiny_models, tokenizer):
    short = SETTINGS | {"max_tokens": 16, "block_tokens": 16}
    assert require_trainable(tiny_models["scratch"], tokenizer, "mine", short) is None


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("T5Config", {"d_model": 32, "num_layers": 1}, "no causal language model of this type"),
        ("Gemma3Config", {}, "more than text"),
        ("LlamaConfig", GROUPED | {"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantised"),
    ],
)
def test_a_config_alone_tells_what_is_of_no_use(name, settings, reason, tmp_path):
    import transformers

    getattr(transformers, name)(**settings).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=f"cannot be used here: .*{reason}"):
        load_config(str(tmp_path))


def test_rows_and_answers_must_find_room_in_the_positions():
    from transformers import GPT2Config, Phi3Config

    scaled = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    phi = Phi3Config(**GROUPED, original_max_position_embeddings=768, rope_parameters=scaled)
    for config in (GPT2Config(n_positions=768), phi):
        require_positions(config, SETTINGS)
        with pytest.raises(UserError, match="more than the 768 positions of this model; give --set max_tokens=512"):
            require_positions(config, SETTINGS | {"max_tokens": 513})


def test_padding_takes_no_position_that_rows_do_not(tokenizer):
    examples = encode_examples(tokenizer, ["Add 3 and 4.", "Why?"], ["The sum is 7.", "So."], 64)
    arrays = collate_blocks(examples, [[0], [1]], 160, tokenizer.pad_token_id)
    assert arrays["position_ids"].max() == len(examples[0].ids) - 1
    assert collate_blocks(examples, [[]], 160, 1)["position_ids"].max() == 0


def test_weights_that_are_not_there_are_not_drawn_at_random(tiny_models, tokenizer, tmp_path):
    folder = saved(tiny_models["scratch"].model, tokenizer, tmp_path)  # without its head
    with pytest.raises(UserError, match=r"lacks 1 of its weights \(lm_head.weight\)"):
        load_model(folder)


def test_weights_of_another_shape_are_refused(tiny_models, tokenizer, tmp_path):
    folder = saved(tiny_models["scratch"], tokenizer, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"intermediate_size": 48}))
    with pytest.raises(UserError, match="cannot load the model"):
        load_model(folder)


def test_a_tokenizer_may_have_special_tokens_beyond_the_embedding_but_no_others(tiny_models, tokenizer, tmp_path):
    """As Gemma 3 has one for images, and many a tuned model a pad token of its own."""
    folder, larger = saved(tiny_models["scratch"], tokenizer, tmp_path), copy.deepcopy(tokenizer)
    larger.add_special_tokens({"pad_token": "[PAD]"})
    larger.save_pretrained(folder)
    model, found = load_model(folder)
    assert found.pad_token_id == len(tokenizer) == model.config.vocab_size
    require_trainable(model, found, "mine", SETTINGS)
    larger.add_tokens(["xyzzy"])
    larger.save_pretrained(folder)
    with pytest.raises(UserError, match="has tokens up to 301, and the model knows 300"):
        load_model(folder)


def test_a_saved_model_ends_where_its_training_says_and_samples_by_no_settings_of_its_own(
    tiny_models, tokenizer, tmp_path
):
    from transformers import GenerationConfig

    model = tiny_models["qwen2.5"]
    before, model.generation_config = model.generation_config, GenerationConfig(do_sample=True, eos_token_id=[7, 8])
    folder = saved(model, tokenizer, tmp_path / "before")
    model.generation_config = before
    loaded, found = load_model(folder)
    saved(loaded, found, tmp_path / "after")
    settings = GenerationConfig.from_pretrained(tmp_path / "after")
    assert settings.eos_token_id == tokenizer.eos_token_id and not settings.do_sample
