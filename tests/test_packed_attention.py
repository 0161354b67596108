"""Row-wise attention gives what rows alone give; on a GPU with its kernels, elsewhere with a stand-in for them."""

import copy

import numpy as np
import pytest
from test_packing import ROWS

import packed_attention
from language_model import encode_examples, pick_precision
from packed_loss import new_packed_loss
from packing import collate_blocks

FAMILIES = ["scratch", "pythia", "qwen2.5", "ettin", "gemma3", "olmo2"]


def by_hand(query, key, value, starts, _starts, longest, _longest, scale, window_size, enable_gqa=False):
    """varlen_attn in plain PyTorch: (tokens, heads, width), one row after the other."""
    import torch

    groups = query.shape[1] // key.shape[1]
    assert enable_gqa == (groups > 1)
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    attended = torch.empty_like(query)
    for start, end in zip(starts[:-1], starts[1:], strict=True):
        assert end - start <= longest
        scores = torch.einsum("qhd,khd->hqk", query[start:end], key[start:end]) * scale
        back = torch.arange(end - start)[:, None] - torch.arange(end - start)[None]
        seen = (back >= 0) & ((back <= window_size[0]) if window_size[0] >= 0 else True)
        weights = scores.masked_fill(~seen, -torch.inf).softmax(-1)
        attended[start:end] = torch.einsum("hqk,khd->qhd", weights, value[start:end])
    return attended


def packed_and_alone(model, tokenizer, device: str, precision: str):
    """Summed loss and gradients of packed blocks with row-wise attention, and with SDPA row by row in fp32."""
    import torch

    examples = encode_examples(tokenizer, *map(list, zip(*ROWS, strict=True)), max_tokens=64)
    model.to(device).train()

    def loss_and_gradients(blocks, precision, attention):
        model.zero_grad()
        packed_loss = new_packed_loss(model, precision)
        model.set_attn_implementation(attention)
        loss = torch.zeros((), device=device)
        for block in blocks:
            arrays = collate_blocks(examples, block, 160, tokenizer.pad_token_id)
            batch = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
            loss = loss + packed_loss(**batch, longest_row=int(np.diff(arrays["row_starts"]).max()))
        loss.backward()
        return loss.item(), {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}

    packed_attention.register()
    alone = loss_and_gradients([[[index]] for index in range(len(examples))], "fp32", "sdpa")
    packed = loss_and_gradients([[[2, 1], [0]]], precision, packed_attention.PACKED_ROWS)
    model.set_attn_implementation("sdpa")
    return packed, alone


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_in_packed_blocks_are_as_rows_alone(family, tiny_models, tokenizer, monkeypatch):
    import torch

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", by_hand)
    (loss, gradients), (expected, expected_gradients) = packed_and_alone(tiny_models[family], tokenizer, "cpu", "fp32")
    assert loss == pytest.approx(expected, rel=1e-5)
    for name, gradient in expected_gradients.items():
        torch.testing.assert_close(gradients[name], gradient, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_kernels_agree_on_a_gpu(family, tiny_models, tokenizer):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    model = tiny_models[family]
    assert packed_attention.pick_attention(model, "cuda", "bf16") in packed_attention.ROW_WISE
    model.set_attn_implementation("sdpa")
    (loss, gradients), (expected, expected_gradients) = packed_and_alone(model, tokenizer, "cuda", "bf16")
    model.to("cpu")
    assert loss == pytest.approx(expected, rel=1e-2)
    ours, exact = (
        np.concatenate([some[name].float().cpu().numpy().ravel() for name in expected_gradients])
        for some in (gradients, expected_gradients)
    )
    assert np.linalg.norm(ours - exact) < 0.03 * np.linalg.norm(exact)


def test_what_rotation_made_fp32_goes_to_the_kernels_in_half_precision(monkeypatch):
    import torch

    seen = []
    kernel = lambda *states, **_how: seen.extend(states[:3]) or states[0]  # noqa: E731
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", kernel)
    query, starts = torch.ones(1, 2, 3, 8), torch.tensor([0, 3])
    how = {"fewer_heads": {}, "cu_seq_lens_q": starts, "max_length_q": 3}
    packed_attention.attend(None, query, query, query.to(torch.bfloat16), None, **how)
    assert {state.dtype for state in seen} == {torch.bfloat16} and len(seen) == 3


def test_only_attention_that_is_known_is_replaced(tiny_models):
    assert all(packed_attention.is_plain(model.config) for model in tiny_models.values())
    for change in ({"attn_logit_softcapping": 50.0}, {"attention_dropout": 0.1}, {"head_dim": 512}, {"head_dim": 12}):
        config = copy.deepcopy(tiny_models["gemma3"].config)
        for name, value in change.items():
            setattr(config, name, value)
        assert not packed_attention.is_plain(config), change
    from transformers import GptOssConfig  # gives attention sinks as well

    assert not packed_attention.is_plain(GptOssConfig())


def test_without_a_gpu_the_model_keeps_its_attention(tiny_models):
    for device, precision in (("cpu", "bf16"), ("cuda", "fp32")):
        tiny_models["scratch"].set_attn_implementation("sdpa")
        assert packed_attention.pick_attention(tiny_models["scratch"], device, precision) == "sdpa"


def test_gpus_before_ampere_get_neither_its_kernels_nor_emulated_bf16(tiny_models, monkeypatch):
    """A T4: bf16 is emulated there, and FlashAttention's kernels raise."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert (pick_precision("auto"), pick_precision("fp16")) == ("fp32", "fp16")
    tiny_models["scratch"].set_attn_implementation("sdpa")
    for capability, attention in (((7, 5), "sdpa"), ((8, 0), packed_attention.PACKED_ROWS)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda found=capability: found)
        assert packed_attention.pick_attention(tiny_models["scratch"], "cuda", "fp16") == attention
    tiny_models["scratch"].set_attn_implementation("sdpa")
