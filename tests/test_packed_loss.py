"""The loss over learnt positions, whole or in chunks, is the plain one; so are its gradients, for every family."""

import pytest

import packed_loss
from language_model import split_head
from packed_loss import new_packed_loss
from packing import collate_blocks
from training_memory import footprint_bytes, model_shape, wants_checkpointing


def loss_and_gradients(model, loss):
    model.zero_grad()
    value = loss()
    value.backward()
    return value.item(), [parameter.grad.clone() for parameter in model.parameters()]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("family", ["scratch", "pythia", "qwen2.5", "ettin", "gemma3", "olmo2"])
def test_loss_and_gradients_equal_plain_cross_entropy(family, chunked, tiny_models, examples, monkeypatch):
    import torch

    model = tiny_models[family]
    assert split_head(model)[0] is not None
    if chunked:
        monkeypatch.setattr(packed_loss, "CHUNK_LOGITS_ABOVE_BYTES", 0)
        monkeypatch.setattr(packed_loss, "CHUNK_BYTES", 4 * 7 * model.config.vocab_size)  # seven positions at a time
    arrays = collate_blocks(examples, [[0, 1], [2]], 128, 1)
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}

    def plain():
        inputs = {name: batch[name] for name in ("input_ids", "position_ids")}
        logits = model(**inputs, use_cache=False).logits[:, :-1].flatten(0, 1)
        return torch.nn.functional.cross_entropy(logits, batch["labels"][:, 1:].flatten(), reduction="sum")

    checkpoint, chunks = torch.utils.checkpoint.checkpoint, []
    monkeypatch.setattr(
        "torch.utils.checkpoint.checkpoint", lambda *a, **how: chunks.append(1) or checkpoint(*a, **how)
    )
    expected, gradients = loss_and_gradients(model, plain)
    loss, ours = loss_and_gradients(model, lambda: new_packed_loss(model, "fp32")(**batch, longest_row=128))
    assert loss == pytest.approx(expected, rel=1e-6)
    wanted = int((batch["labels"][:, 1:] >= 0).sum())
    assert len(chunks) == (-(-wanted // 7) if chunked else 0)
    for one, other in zip(ours, gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_model_that_changes_its_logits_after_the_head_keeps_its_own(tiny_models, monkeypatch):
    model = tiny_models["scratch"]
    forward = type(model).forward

    def capped(self, *arguments, **how):
        output = forward(self, *arguments, **how)
        output.logits = output.logits.tanh()
        return output

    monkeypatch.setattr(type(model), "forward", capped)
    assert split_head(model) == (None, None)


def test_activations_are_recomputed_only_where_memory_asks_for_it(tiny_models):
    shape = model_shape(tiny_models["scratch"].config)
    config = {"block_tokens": 1_024}
    plain = footprint_bytes(10**9, shape, config, "cuda", "bf16", False)
    assert 18e9 < footprint_bytes(10**9, shape, config, "cuda", "bf16", True) < plain
    assert wants_checkpointing("auto", plain, plain) and not wants_checkpointing("auto", plain, 2 * plain)
    deeper = footprint_bytes(10**9, {**shape, "layers": 5}, config, "cuda", "bf16", True)
    kept = 4 * shape["width"] * (5 - shape["layers"]) * 16_384  # of a layer that is recomputed only its fp32 input
    assert deeper == footprint_bytes(10**9, shape, config, "cuda", "bf16", True) + kept
    assert not wants_checkpointing("auto", plain, None)
    assert wants_checkpointing("on", 0, None) and not wants_checkpointing("off", plain, 1)
