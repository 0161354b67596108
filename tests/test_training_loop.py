"""Training: what a step optimises, schedules, precision, and resuming to the last bit."""

import copy

import pytest

import training_loop
from training_configs import TRAINING
from training_loop import TrainingFailed, fit, learning_rate_at

SETTINGS = {"learning_rate": 5e-3, "tokens_per_step": 256, "block_tokens": 64, "max_tokens": 64, "epochs": 3}
CONFIG = {**TRAINING, **SETTINGS, "precision": "fp32"}


def run(model, examples, tokenizer, folder, config=CONFIG, checkpoint_seconds=1e9):
    return fit(model, examples, config, tokenizer.pad_token_id, folder / "checkpoint.pt", checkpoint_seconds)


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


def test_the_step_does_not_depend_on_the_micro_batch(model, examples, tokenizer, tmp_path, monkeypatch):
    results = {}
    for tokens in (64, 256):
        monkeypatch.setitem(training_loop.MICRO_BATCH_TOKENS, training_loop.pick_device(), tokens)
        trained = copy.deepcopy(model)
        results[tokens] = run(trained, examples, tokenizer, tmp_path)["loss_curve"], weights(trained)
    losses = [[point["loss"] for point in results[tokens][0]] for tokens in (64, 256)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_first_loss_is_the_mean_over_response_tokens(model, examples, tokenizer, tmp_path):
    from language_model import response_losses

    nll, tokens = response_losses(model, examples, tokenizer.pad_token_id, training_loop.pick_device(), "fp32")
    config = {**CONFIG, "epochs": 1, "tokens_per_step": 64 * 1_000}
    facts = run(model, examples, tokenizer, tmp_path, config)
    assert facts["steps"] == 1
    assert facts["loss_curve"][0]["loss"] == pytest.approx(nll.sum() / tokens.sum(), rel=1e-5)


def test_resume_after_a_kill_equals_an_undisturbed_run(model, examples, tokenizer, tmp_path, monkeypatch, capsys):
    undisturbed = copy.deepcopy(model)
    expected = run(undisturbed, examples, tokenizer, tmp_path)

    class Killed(Exception):
        pass

    step, taken = training_loop.train_step, []

    def killing_step(*arguments):
        if len(taken) == 5:
            raise Killed
        taken.append(1)
        return step(*arguments)

    monkeypatch.setattr(training_loop, "train_step", killing_step)
    with pytest.raises(Killed):
        run(copy.deepcopy(model), examples, tokenizer, tmp_path, checkpoint_seconds=0)
    monkeypatch.setattr(training_loop, "train_step", step)
    (tmp_path / "checkpoint.tmp").write_bytes(b"half a checkpoint")
    resumed = copy.deepcopy(model)
    facts = run(resumed, examples, tokenizer, tmp_path)
    assert "resuming at step 6 of" in capsys.readouterr().out
    assert facts["loss_curve"] == expected["loss_curve"]
    assert facts["tokens"] == expected["tokens"]
    assert_same(weights(resumed), weights(undisturbed))


def test_a_checkpoint_of_another_configuration_is_not_used(model, examples, tokenizer, tmp_path, capsys):
    run(copy.deepcopy(model), examples, tokenizer, tmp_path, checkpoint_seconds=0)
    other = {**CONFIG, "learning_rate": 2e-3}
    fresh, trained = copy.deepcopy(model), copy.deepcopy(model)
    run(fresh, examples, tokenizer, tmp_path / "elsewhere", other)
    run(trained, examples, tokenizer, tmp_path, other)
    assert "starting anew" in capsys.readouterr().out
    assert_same(weights(trained), weights(fresh))


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_trains_fp32_weights(precision, model, examples, tokenizer, tmp_path):
    facts = run(model, examples, tokenizer, tmp_path, {**CONFIG, "precision": precision})
    assert facts["precision"] == precision
    assert facts["loss_curve"][-1]["loss"] < 0.8 * facts["loss_curve"][0]["loss"]
    assert {str(tensor.dtype) for tensor in model.parameters()} == {"torch.float32"}


def test_a_loss_that_is_not_finite_stops_the_run(model, examples, tokenizer, tmp_path):
    import torch

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
        "NVIDIA L40S",
        "NVIDIA L4",
        "NVIDIA L40",
        "NVIDIA A100-SXM4-80GB",
    ]
    peaks = [training_loop.peak_flops(name) for name in names]
    assert peaks == [989e12, 756e12, 362e12, 121e12, None, 312e12]


def test_compiled_layers_train_alike_and_are_plain_again(model, examples, tmp_path, monkeypatch):
    import torch

    plain = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: plain(self, backend="eager"))
    other = copy.deepcopy(model)
    facts = [
        fit(some, examples, {**CONFIG, "compile": choice}, 0, tmp_path / f"{choice}.pt", 1e9)
        for some, choice in ((model, "on"), (other, "off"))
    ]
    assert [found["compiled"] for found in facts] == [True, False]
    assert facts[0]["final_loss"] == pytest.approx(facts[1]["final_loss"], rel=1e-5)
    assert all(layer._compiled_call_impl is None for layer in model.model.layers)
