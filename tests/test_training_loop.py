"""Training: what a step optimises, schedules, precision, and resuming to the last bit."""

import copy
import signal
from types import SimpleNamespace

import pytest
import torch

import packed_loss
import training_loop
import training_memory
import training_speed
import training_steps
from common import UserError
from training_configs import TRAINING
from training_loop import fit
from training_steps import TrainingFailed, learning_rate_at

SETTINGS = {"learning_rate": 5e-3, "tokens_per_step": 256, "block_tokens": 64, "max_tokens": 64, "epochs": 3}
CONFIG = {**TRAINING, **SETTINGS, "precision": "fp32"}


def run(model, examples, tokenizer, folder, config=CONFIG, checkpoint_seconds=1e9, **how):
    return fit(model, examples, config, tokenizer.pad_token_id, folder / "checkpoint.pt", checkpoint_seconds, **how)


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_same(one, other):
    assert all((one[name] == other[name]).all() for name in one)


def test_learning_rate_warms_up_stays_and_decays_to_zero():
    config = {"learning_rate": 1.0, "warmup_fraction": 0.2, "decay_fraction": 0.4}
    rates = [learning_rate_at(step, 10, config) for step in range(10)]
    assert rates == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_training_lowers_the_loss_and_counts_every_token(model, examples, tokenizer, tmp_path):
    facts = run(model, examples, tokenizer, tmp_path)
    assert facts["loss_curve"][-1]["loss"] < 0.8 * facts["loss_curve"][0]["loss"]
    assert facts["tokens"] == 3 * sum(len(example.ids) for example in examples)
    assert facts["response_tokens"] == 3 * sum(len(example.ids) - example.prompt_tokens for example in examples)
    assert facts["steps"] == -(-3 * facts["blocks"] // 4)


def test_the_curve_is_of_stretches_that_end_with_the_last_step(model, examples, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(training_loop, "LOSS_CURVE_POINTS", 4)
    facts = run(model, examples, tokenizer, tmp_path)
    steps, stretch = facts["steps"], -(-facts["steps"] // 4)
    assert [point["step"] for point in facts["loss_curve"]] == [min(stretch * n, steps) for n in (1, 2, 3, 4)]
    assert facts["packing_efficiency"] == facts["tokens"] / 3 / (facts["blocks"] * 64)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_gradients_are_clipped_as_they_are_and_not_as_scaled(precision, model, examples, tokenizer, tmp_path):
    config = {**CONFIG, "precision": precision, "max_grad_norm": 1e-3, "epochs": 1, "tokens_per_step": 64_000}
    run(model, examples, tokenizer, tmp_path, config)
    norm = sum((weight.grad**2).sum() for weight in model.parameters()) ** 0.5
    assert norm.item() == pytest.approx(1e-3, rel=1e-2)


def test_weights_decay_and_norms_do_not(model):
    decayed, plain = training_loop.new_optimizer(model, CONFIG).param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (CONFIG["weight_decay"], 0)
    norms = [weight for name, weight in model.named_parameters() if "norm" in name]
    assert {id(weight) for weight in plain["params"]} == {id(weight) for weight in norms}


def test_what_training_alone_needs_is_undone_after_it(model, examples, tokenizer, tmp_path, monkeypatch):
    plain = copy.deepcopy(model)
    expected = run(plain, examples, tokenizer, tmp_path / "plain")
    monkeypatch.setattr(training_loop, "pick_attention", lambda model, *_: model.set_attn_implementation("eager"))
    facts = run(model, examples, tokenizer, tmp_path, {**CONFIG, "gradient_checkpointing": "on"})
    assert facts["gradient_checkpointing"] and facts["attention"] == "eager"
    assert facts["final_loss"] == pytest.approx(expected["final_loss"], rel=1e-4)
    assert model.config._attn_implementation == plain.config._attn_implementation == expected["attention"] == "sdpa"
    assert not model.is_gradient_checkpointing


def test_the_step_does_not_depend_on_the_micro_batch(model, examples, tokenizer, tmp_path, monkeypatch):
    results = {}
    for tokens in (64, 256):
        monkeypatch.setitem(training_memory.MICRO_BATCH_TOKENS, training_loop.pick_device(), [tokens])
        trained = copy.deepcopy(model)
        results[tokens] = run(trained, examples, tokenizer, tmp_path)["loss_curve"], weights(trained)
    losses = [[point["loss"] for point in results[tokens][0]] for tokens in (64, 256)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_first_loss_is_the_mean_over_response_tokens(model, examples, tokenizer, tmp_path):
    from language_model import response_losses

    device = training_loop.pick_device()
    nll, tokens = response_losses(model.to(device), examples, tokenizer.pad_token_id, device, "fp32")
    config = {**CONFIG, "epochs": 1, "tokens_per_step": 64 * 1_000}
    facts = run(model, examples, tokenizer, tmp_path, config)
    assert facts["steps"] == 1
    assert facts["loss_curve"][0]["loss"] == pytest.approx(nll.sum() / tokens.sum(), rel=1e-5)


def test_a_step_of_rows_by_themselves_is_the_step_of_the_same_rows_packed(
    model, examples, tokenizer, tmp_path, monkeypatch, capsys
):
    config = {**CONFIG, "epochs": 1, "tokens_per_step": 64_000}
    packed = copy.deepcopy(model)
    expected = run(packed, examples, tokenizer, tmp_path, config)
    facts = {}
    for tokens in (64, 64_000):
        monkeypatch.setitem(training_memory.MICRO_BATCH_TOKENS, training_loop.pick_device(), [tokens])
        alone = copy.deepcopy(model)
        facts = run(alone, examples, tokenizer, tmp_path, config | {"packed": False})
        assert facts["final_loss"] == pytest.approx(expected["final_loss"], rel=1e-6)
        for name, tensor in alone.state_dict().items():
            assert torch.allclose(tensor, packed.state_dict()[name], atol=1e-5)
    assert (facts["blocks"], facts["packed"], facts["packing_efficiency"]) == (len(examples), False, None)
    assert f"{len(examples)} rows, each by itself" in capsys.readouterr().out


def test_rows_by_themselves_take_as_many_tokens_a_step(model, examples, tokenizer, tmp_path):
    facts = run(model, examples, tokenizer, tmp_path, CONFIG | {"packed": False, "epochs": 1})
    assert facts["tokens"] == sum(len(example.ids) for example in examples)
    assert facts["steps"] == pytest.approx(facts["tokens"] / CONFIG["tokens_per_step"], abs=1)


def test_resume_after_a_kill_equals_an_undisturbed_run(model, examples, tokenizer, tmp_path, monkeypatch, capsys):
    undisturbed = copy.deepcopy(model)
    expected, random = run(undisturbed, examples, tokenizer, tmp_path), torch.get_rng_state()

    class Killed(Exception):
        pass

    step, taken = training_steps.train_step, []

    def killing_step(*arguments):
        if len(taken) == 5:
            raise Killed
        taken.append(1)
        return step(*arguments)

    monkeypatch.setattr(training_steps, "train_step", killing_step)
    with pytest.raises(Killed):
        run(copy.deepcopy(model), examples, tokenizer, tmp_path, checkpoint_seconds=0)
    monkeypatch.setattr(training_steps, "train_step", step)
    (tmp_path / "checkpoint.tmp").write_bytes(b"half a checkpoint")
    resumed = copy.deepcopy(model)
    torch.manual_seed(random[0].item() + 1)
    facts = run(resumed, examples, tokenizer, tmp_path)
    assert (torch.get_rng_state() == random).all()
    saved = 5 - training_steps.STEPS_AHEAD[training_loop.pick_device()]
    assert f"resuming at step {saved + 1} of" in capsys.readouterr().out
    assert facts["loss_curve"] == expected["loss_curve"]
    assert facts["tokens"] == expected["tokens"]
    assert_same(weights(resumed), weights(undisturbed))


def test_a_checkpoint_of_another_run_is_refused_and_replaced_only_by_force(model, examples, tokenizer, tmp_path):
    run(copy.deepcopy(model), examples, tokenizer, tmp_path, checkpoint_seconds=0)
    saved = (tmp_path / "checkpoint.pt").read_bytes()
    changed = copy.deepcopy(examples)
    changed[3].ids[5] += 1  # as many rows of the same lengths
    other = {**CONFIG, "learning_rate": 2e-3}
    for rows, config, words in (
        (examples, other, "learning_rate: 0.005 there, 0.002 now"),
        (examples[:-1], CONFIG, "its rows"),
        (changed, CONFIG, "its rows"),
    ):
        with pytest.raises(
            UserError, match=rf"checkpoint\.pt is of a run made otherwise \({words}.*--force trains anew"
        ):
            run(copy.deepcopy(model), rows, tokenizer, tmp_path, config)
    assert (tmp_path / "checkpoint.pt").read_bytes() == saved
    fresh, trained = copy.deepcopy(model), copy.deepcopy(model)
    run(fresh, examples, tokenizer, tmp_path / "elsewhere", other)
    run(trained, examples, tokenizer, tmp_path, other, force=True)
    assert_same(weights(trained), weights(fresh))


def test_dropout_is_drawn_by_the_seed_whatever_ran_before(model, examples, tokenizer, tmp_path):
    curves = []
    for number, (before, seed) in enumerate([(1, 0), (2, 0), (2, 1)]):
        dropping = copy.deepcopy(model)
        for layer in dropping.model.layers:
            layer.self_attn.attention_dropout = 0.5
        torch.manual_seed(before)
        config = {**CONFIG, "seed": seed, "epochs": 1, "tokens_per_step": 64_000}
        curves.append(run(dropping, examples, tokenizer, tmp_path / str(number), config)["loss_curve"])
    assert curves[0] == curves[1] != curves[2]


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_trains_fp32_weights(precision, model, examples, tokenizer, tmp_path):
    facts = run(model, examples, tokenizer, tmp_path, {**CONFIG, "precision": precision})
    assert facts["precision"] == precision
    assert facts["loss_curve"][-1]["loss"] < 0.8 * facts["loss_curve"][0]["loss"]
    assert {str(tensor.dtype) for tensor in model.parameters()} == {"torch.float32"}


def test_steps_whose_fp16_gradients_overflow_are_skipped_and_counted(
    model, examples, tokenizer, tmp_path, monkeypatch, capsys
):
    """A loss too large for the first scale of 65,536, which is halved until the gradients are finite."""
    before, backward = weights(model), training_steps.backward
    monkeypatch.setattr(training_steps, "backward", lambda run, numbers, tokens: backward(run, numbers, tokens / 1e3))
    facts = run(model, examples, tokenizer, tmp_path, CONFIG | {"precision": "fp16"})
    assert 0 < facts["skipped_steps"] < facts["steps"]
    assert f"{facts['skipped_steps']} of {facts['steps']} steps changed nothing" in capsys.readouterr().out
    assert any((before[name] != tensor.cpu()).any() for name, tensor in weights(model).items())


def test_a_note_arrives_before_what_is_queued_behind_it():
    """Or else the GPU would run empty while the next step is prepared."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    accelerator = training_loop.new_accelerator()
    step = torch.ones((), device="cuda")
    run = SimpleNamespace(optimizer=SimpleNamespace(state={"weight": {"step": step}}), device="cuda",
                          accelerator=accelerator)  # fmt: skip
    for _ in range(2):  # the first allocates
        note = training_steps.queue_note(run, torch.full((), 2.5, device="cuda"), float("inf"), [15])
        torch.cuda._sleep(10**9)  # cycles: half a second
        assert training_steps.read_note(note) == (2.5, 1, False, signal.SIGTERM)
        assert not torch.cuda.current_stream().query()
        torch.cuda.synchronize()


def test_a_loss_that_is_not_finite_stops_the_run(model, examples, tokenizer, tmp_path):
    with torch.no_grad():
        model.get_input_embeddings().weight[:] = float("nan")
    with pytest.raises(TrainingFailed, match="nan at step 1"):
        run(model, examples, tokenizer, tmp_path)


def test_weights_that_the_last_step_broke_are_not_kept(model, examples, tokenizer, tmp_path):
    """A rate so high that the only step's loss is finite and what it leaves is not."""
    from train_quality_comparison import require_finite

    require_finite(weights(model))
    run(model, examples, tokenizer, tmp_path, {**CONFIG, "epochs": 1, "tokens_per_step": 64_000, "learning_rate": 1e39})
    with pytest.raises(TrainingFailed, match="the last step left .* weights not finite"):
        require_finite(weights(model))


def test_peaks_are_found_by_whole_words():
    names = [
        "NVIDIA H100 80GB HBM3",
        "NVIDIA H100 PCIe",
        "NVIDIA H100 NVL",
        "NVIDIA L40S",
        "NVIDIA L4",
        "NVIDIA L40",
        "NVIDIA A100-SXM4-80GB",
    ]
    peaks = [training_speed.peak_flops(name) for name in names]
    assert peaks == [989e12, 756e12, 835e12, 362e12, 121e12, None, 312e12]


def test_utilisation_is_of_all_gpus_and_compiling_has_to_pay(model, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100 80GB HBM3")
    parameters = sum(weight.numel() for weight in model.parameters())
    assert training_speed.flops_utilisation(model, 1e6, "cuda", 2) == pytest.approx(6e6 * parameters / (2 * 989e12))
    breaking_even = int(20 * 0.4 * 989e12 / (6 * parameters))  # tokens that take 20 s
    for tokens, pays in ((breaking_even, False), (breaking_even + 1, True)):
        assert training_loop.wants_compiling({"compile": "auto"}, parameters, tokens, 989e12) == pays
    alone = {"compile": "auto", "packed": False}
    assert not training_loop.wants_compiling(alone, parameters, 10**15, 989e12)
    assert not training_loop.wants_compiling({"compile": "auto"}, parameters, 10**15, None)
    assert training_loop.wants_compiling({"compile": "on"}, parameters, 1, None)


@pytest.mark.parametrize("checkpointing", ["off", "on"])
def test_compiled_layers_train_alike_and_are_plain_again(checkpointing, model, examples, tmp_path, monkeypatch):
    sizes, collate = [], training_steps.collate_blocks
    monkeypatch.setattr(training_steps, "collate_blocks", lambda *a: sizes.append(len(a[1])) or collate(*a))
    plain, compiled = torch.compile, []
    monkeypatch.setattr(torch, "compile", lambda f, **how: compiled.append(f) or plain(f, backend="eager", **how))
    other, config = copy.deepcopy(model), {**CONFIG, "tokens_per_step": 7 * 64, "gradient_checkpointing": checkpointing}
    facts = [
        fit(some, examples, {**config, "compile": choice}, 0, tmp_path / f"{choice}.pt", 1e9)
        for some, choice in ((model, "on"), (other, "off"))
    ]
    assert [found["compiled"] for found in facts] == [True, False]
    assert set(sizes[: len(sizes) // 2]) == {7} and sizes[-1] == 4  # one shape, though the last step does not fill it
    norm = model.model.norm._call_impl
    assert packed_loss.cross_entropy in compiled and norm in compiled and len(compiled) == 2 + len(model.model.layers)
    assert facts[0]["final_loss"] == pytest.approx(facts[1]["final_loss"], rel=1e-5)
    assert all(module._compiled_call_impl is None for module in model.modules())
