"""The loss over learnt positions, whole or in chunks, is the plain one; so are its gradients, for every family."""

import json
import shutil
from pathlib import Path

import pytest

import packed_loss
from gpu_benchmark import VARIANTS
from language_model import split_head
from packed_loss import new_packed_loss
from packing import collate_blocks
from training_configs import MODEL_FAMILIES, TRAINING
from training_memory import model_shape, plan_memory

ROOT = Path(__file__).parent.parent


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


def test_a_run_is_fitted_into_memory_and_activations_are_recomputed_last():
    shape = {"layers": 24, "width": 1_280, "mlp_width": 3_328, "key_value_width": 1_280, "vocabulary": 32_768}
    config = {"block_tokens": 1_024, "tokens_per_step": 32_768, "gradient_checkpointing": "auto"}

    def planned(memory, micro_tokens=None, compiled=False, **changed):
        where = {"device": "cuda" if memory else "cpu", "precision": "bf16", "memory": memory}
        plan = plan_memory(506e6, shape, config | changed, where, compiled, micro_tokens)
        return plan["micro_batch_tokens"], plan["gradient_checkpointing"]

    # GB without recomputing, by tokens at a time: 61, 36, 26, 18; with it 12, 10, 13, 10.5. Four fifths may be used.
    by_memory = {80e9: (32_768, False), 70e9: (16_384, False), 40e9: (8_192, False), 24e9: (4_096, False)}
    by_memory |= {18e9: (32_768, True), 13e9: (16_384, True), 1e9: (4_096, True), None: (2_048, False)}
    assert {memory: planned(memory) for memory in by_memory} == by_memory
    assert planned(70e9, compiled=True) == (32_768, False) and planned(40e9, compiled=True) == (16_384, False)
    assert planned(40e9, 32_768) == (32_768, True)  # as many at a time as the user says
    assert planned(80e9, gradient_checkpointing="on") == (32_768, True)
    assert planned(15e9, gradient_checkpointing="off") == planned(1e8, gradient_checkpointing="off") == (4_096, False)
    assert planned(70e9, tokens_per_step=4_096) == (32_768, False)  # no micro-batch is larger than its step
    assert planned(70e9, tokens_per_step=4_096, packed=False) == (16_384, False)  # but padding may be


def test_the_estimate_of_memory_is_near_what_was_measured():
    measured = json.loads((ROOT / "results" / "reference" / "benchmark" / "train_gpu.json").read_text())
    assert measured["provenance"]["hardware"]["gpus"] == ["NVIDIA H100 80GB HBM3"]  # 85e9 bytes
    where, compared = {"device": "cuda", "precision": "bf16", "memory": 85e9}, 0
    for size, parameters in (("500M", 506e6), ("1B", 994e6)):
        spec = MODEL_FAMILIES["scratch"][size]["llama"]
        width, mlp = spec["hidden_size"], spec["intermediate_size"]
        shape = {"layers": 24, "width": width, "mlp_width": mlp, "key_value_width": width, "vocabulary": 32_768}
        for name, settings in VARIANTS.items():
            compiled, checkpointing = settings["compile"] == "on", settings["gradient_checkpointing"] == "on"
            peak = plan_memory(parameters, shape, TRAINING | settings, where, compiled)["peak_bytes"] / 2**30
            found, above = measured["sizes"][size][name]["peak_memory_gib"], 1.3 if checkpointing else 1.1
            assert 0.9 * found < peak < above * found, (size, name)
            compared += 1
    assert compared == 6


@pytest.mark.parametrize("family", ["scratch", "pythia", "qwen2.5", "ettin", "gemma3", "olmo2"])
def test_in_bf16_the_residual_stream_is_bf16_as_long_as_the_loss_is_computed(
    family, tiny_models, examples, monkeypatch
):
    import torch

    model, seen = tiny_models[family], []
    modules = {name: new_packed_loss(model, name) for name in ("fp32", "bf16", "fp16")}
    layers = [part for part in model.modules() if type(part).__name__ in model._no_split_modules]
    hooks = [layer.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0].dtype)) for layer in layers]
    batch = {name: torch.from_numpy(array) for name, array in collate_blocks(examples, [[0, 1]], 64, 1).items()}
    losses = {name: module(**batch, longest_row=64).item() for name, module in modules.items()}
    for hook in hooks:
        hook.remove()
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2 + [torch.float32] * 2
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=1e-2)
    source = packed_loss.residual_source(model, split_head(model)[0])
    assert not source._forward_hooks and packed_loss.residual_source(model, None) is None
    monkeypatch.setattr(model, "_no_split_modules", None)
    assert packed_loss.residual_source(model, split_head(model)[0]) is None
