"""The loss over learnt positions, whole or in chunks, is the plain one; so are its gradients, for every family."""

import shutil

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
        monkeypatch.setattr(packed_loss, "CHUNK_ABOVE_BYTES", 0)
        monkeypatch.setattr(packed_loss, "CHUNK_BYTES", 16 * 7 * model.config.vocab_size)  # seven positions at a time
    arrays = collate_blocks(examples, [[0, 1], [2]], 128, 1)
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}

    def plain():
        inputs = {name: batch[name] for name in ("input_ids", "position_ids")}
        logits = model(**inputs, use_cache=False).logits.flatten(0, 1)[batch["before"]]
        return torch.nn.functional.cross_entropy(logits, batch["targets"], reduction="sum")

    checkpoint, chunks = torch.utils.checkpoint.checkpoint, []
    monkeypatch.setattr(
        "torch.utils.checkpoint.checkpoint", lambda *a, **how: chunks.append(1) or checkpoint(*a, **how)
    )
    expected, gradients = loss_and_gradients(model, plain)
    loss, ours = loss_and_gradients(model, lambda: new_packed_loss(model, "fp32")(**batch, longest_row=128))
    assert loss == pytest.approx(expected, rel=1e-6)
    assert len(chunks) == (-(-len(batch["targets"]) // 7) if chunked else 0)
    for one, other in zip(ours, gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(not shutil.which("g++"), reason="compiles on a CPU by g++")
def test_the_compiled_loss_is_the_plain_one_and_keeps_no_fp32_logits(tiny_models):
    import torch

    module = new_packed_loss(tiny_models["scratch"], "bf16")
    module.compile_cross_entropy()
    kept, found = {True: [], False: []}, []
    for compiled, loss_of in ((True, module.cross_entropy), (False, packed_loss.cross_entropy)):
        for rows in (5, 31):
            logits = torch.randn(rows, 64, generator=torch.Generator().manual_seed(rows)).bfloat16().requires_grad_()
            keep = lambda t, some=kept[compiled]: some.append(t) or t  # noqa: E731
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
                loss = loss_of(logits, torch.arange(rows))
            loss.backward()
            found += [loss.detach(), logits.grad]
    dtypes = [{t.dtype for t in kept[compiled] if t.numel() >= 64} for compiled in (True, False)]
    assert dtypes == [{torch.bfloat16}, {torch.float32}]  # of what is as large as the logits
    for ours, plain in zip(found[:4], found[4:], strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-3, rtol=1e-2)


def test_a_model_that_changes_its_logits_after_the_head_keeps_its_own(tiny_models, monkeypatch):
    model = tiny_models["scratch"]
    forward = type(model).forward

    def capped(self, *arguments, **how):
        output = forward(self, *arguments, **how)
        output.logits = output.logits.tanh()
        return output

    monkeypatch.setattr(type(model), "forward", capped)
    assert split_head(model) == (None, None)


@pytest.mark.parametrize("name", ["GPT2Config", "OPTConfig", "BloomConfig", "GPTNeoConfig", "GPTJConfig"])
def test_the_shape_of_models_that_name_their_parts_otherwise(name):
    import transformers

    config = getattr(transformers, name)()
    shape = model_shape(config)
    assert shape["mlp_width"] == 4 * config.hidden_size and shape["key_value_width"] == config.hidden_size
    assert min(shape.values()) > 0


def test_activations_are_recomputed_only_where_memory_asks_for_it(tiny_models):
    shape = model_shape(tiny_models["scratch"].config)
    config = {"block_tokens": 1_024, "tokens_per_step": 32_768}
    plain = footprint_bytes(10**9, shape, config, "cuda", "bf16", False)
    step = {**config, "tokens_per_step": 4_096}  # no micro-batch is larger than its step
    assert footprint_bytes(10**9, shape, step, "cuda", "bf16", False) < plain
    padded = {**step, "packed": False}
    assert footprint_bytes(10**9, shape, padded, "cuda", "bf16", False) == plain
    assert 18e9 < footprint_bytes(10**9, shape, config, "cuda", "bf16", True) < plain
    assert wants_checkpointing("auto", plain, plain) and not wants_checkpointing("auto", plain, 2 * plain)
    deeper = footprint_bytes(10**9, {**shape, "layers": 5}, config, "cuda", "bf16", True)
    kept = 4 * shape["width"] * (5 - shape["layers"]) * 16_384  # of a layer that is recomputed only its fp32 input
    assert deeper == footprint_bytes(10**9, shape, config, "cuda", "bf16", True) + kept
    assert not wants_checkpointing("auto", plain, None)
    assert wants_checkpointing("on", 0, None) and not wants_checkpointing("off", plain, 1)
