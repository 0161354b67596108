"""Training beside others and under faults: two processes, signals, a full disk, damaged rows, odd models."""

import copy
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_training_loop import CONFIG, assert_same, run, weights

import training_checkpoints
import training_loop
import training_steps
from common import UserError
from language_model import load_model, load_tokenizer
from training_checkpoints import TrainingStopped, noted_signals
from training_memory import model_shape
from training_steps import TrainingFailed

ROOT = Path(__file__).parent.parent
HELPER = Path(__file__).parent / "fit_in_processes.py"
TWO = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def test_two_processes_train_as_one_and_a_stopped_run_goes_on_with_any_number(tmp_path, monkeypatch):
    """Three steps by DDP, three by FSDP2, the rest in one process. Losses agree to 1e-4: sums in another order."""
    import torch
    from fit_in_processes import fit
    from safetensors.torch import load_file

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    fit(tmp_path / "whole", "one")
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HELPER.parent)]), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *TWO, str(HELPER), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **paths}, cwd=ROOT, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    fit(tmp_path, "last")
    names = ("whole/one", "ddp", "fsdp", "last")
    one, ddp, fsdp, last = (json.loads((tmp_path / name / "facts.json").read_text()) for name in names)
    expected, _, gathered, weights = (load_file(tmp_path / name / "model.safetensors") for name in names)
    assert (ddp["signal"], ddp["sharded"], fsdp["sharded"]) == (signal.SIGTERM, False, True)
    assert (ddp["sharded_layers"], fsdp["sharded_layers"]) == (0, 2)
    assert "after step 3" in ddp["stopped"] and "after step 6" in fsdp["stopped"]
    assert_same(gathered, torch.load(tmp_path / "checkpoint.pt", weights_only=True)["model"])
    losses = [[point["loss"] for point in facts["loss_curve"]] for facts in (one, last)]
    assert len(losses[0]) >= 8 and losses[0][-1] < 0.9 * losses[0][0]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert list(weights) == list(expected) == list(gathered)
    for name in weights:
        torch.testing.assert_close(weights[name], expected[name], rtol=1e-3, atol=1e-3)
    assert (one["tokens"], one["response_tokens"]) == (last["tokens"], last["response_tokens"])


def test_a_launch_that_splits_the_model_otherwise_is_refused():
    from types import SimpleNamespace

    from accelerate import DistributedType

    for kind in (DistributedType.FSDP, DistributedType.DEEPSPEED):
        with pytest.raises(UserError, match="--fsdp_version 2"):
            training_loop.require_data_parallel(SimpleNamespace(distributed_type=kind, is_fsdp2=False))


@pytest.mark.parametrize("number, ahead", [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGTERM, 1)])
def test_a_signal_leaves_a_checkpoint_from_which_the_run_is_as_undisturbed(
    number,
    ahead,
    model,
    examples,
    tokenizer,
    tmp_path,
    monkeypatch,
):
    monkeypatch.setitem(training_steps.STEPS_AHEAD, training_loop.pick_device(), ahead)
    undisturbed, stopped, resumed = copy.deepcopy(model), copy.deepcopy(model), copy.deepcopy(model)
    (tmp_path / "other").mkdir()
    expected = run(undisturbed, examples, tokenizer, tmp_path / "other")
    step, handlers = training_steps.train_step, [signal.getsignal(number)]

    def signalled_step(*arguments):
        os.kill(os.getpid(), number)
        return step(*arguments)

    monkeypatch.setattr(training_steps, "train_step", signalled_step)
    with pytest.raises(TrainingStopped, match=f"after step {1 + ahead} of .* with a checkpoint") as caught:
        run(stopped, examples, tokenizer, tmp_path)
    assert caught.value.signal == number and signal.getsignal(number) == handlers[0]
    monkeypatch.setattr(training_steps, "train_step", step)
    facts = run(resumed, examples, tokenizer, tmp_path)
    assert facts["loss_curve"] == expected["loss_curve"]
    assert_same(weights(resumed), weights(undisturbed))


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_signal_after_all_steps_are_queued_stops_the_run_too(
    ahead, model, examples, tokenizer, tmp_path, monkeypatch
):
    monkeypatch.setitem(training_steps.STEPS_AHEAD, training_loop.pick_device(), ahead)
    steps = run(copy.deepcopy(model), examples, tokenizer, tmp_path / "other")["steps"]
    notes, read = [], training_steps.read_note

    def signalled_read(note):
        notes.append(note)
        if len(notes) == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return read(note)

    monkeypatch.setattr(training_steps, "read_note", signalled_read)
    with pytest.raises(TrainingStopped, match=f"after step {steps} of {steps}, with a checkpoint"):
        run(copy.deepcopy(model), examples, tokenizer, tmp_path)
    monkeypatch.setattr(training_steps, "read_note", read)
    assert run(model, examples, tokenizer, tmp_path)["steps"] == steps


def test_signals_at_once_are_one_request_and_a_later_one_acts_as_before(monkeypatch):
    """Under Slurm a process of torchrun is told by both; were the second to end it, no checkpoint would be written."""
    seen, now = [], 100.0
    monkeypatch.setattr(training_checkpoints.time, "monotonic", lambda: now)
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("before"))
    with noted_signals() as noted:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        assert (set(noted), seen) == ({signal.SIGTERM}, [])
        now += 4
        os.kill(os.getpid(), signal.SIGTERM)
        assert (set(noted), seen) == ({signal.SIGTERM}, ["before"])
    signal.signal(signal.SIGTERM, before)


def test_a_model_whose_weights_are_broken_is_not_saved(model, tokenizer, tmp_path, monkeypatch):
    import torch

    import train_quality_comparison

    with torch.no_grad():
        model.get_input_embeddings().weight[0, 0] = float("inf")
    monkeypatch.setattr(train_quality_comparison, "starting_model", lambda *_: (model, tokenizer, None))
    plan = {
        "config": {},
        "inputs": {},
        "subset": None,
        "folder": tmp_path / "run",
        "marker": tmp_path / "run" / "m.json",
    }
    with pytest.raises(TrainingFailed, match="weights not finite"):
        train_quality_comparison.train_experiment(plan, {}, tmp_path, {"force": False})
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["experiment_config.json"]


def test_a_run_that_goes_on_needs_no_room_for_the_checkpoint_it_has(model, tokenizer, tmp_path, monkeypatch):
    import train_quality_comparison

    asked = []
    monkeypatch.setattr(train_quality_comparison, "require_disk", lambda _folder, needed, _what: asked.append(needed))
    monkeypatch.setattr(train_quality_comparison, "starting_model", lambda *_: (copy.deepcopy(model), tokenizer, None))
    folder = tmp_path / "run"
    plan = {"config": {}, "inputs": {}, "subset": None, "folder": folder, "marker": folder / "m.json"}
    for checkpoint in (None, b"12345"):
        if checkpoint:
            (folder / "checkpoint.pt").write_bytes(checkpoint)
        train_quality_comparison.train_experiment(plan, {}, tmp_path, {"force": False})
    assert asked[1] == asked[0] - 5


def test_a_full_disk_leaves_the_old_checkpoint_whole(model, examples, tokenizer, tmp_path, monkeypatch):
    import torch

    save, saved = torch.save, []

    def full(state, path):
        saved.append(1)
        if len(saved) == 3:
            Path(path).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        save(state, path)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match="at step 3 .No space left on device.; the last checkpoint is whole"):
        run(copy.deepcopy(model), examples, tokenizer, tmp_path, checkpoint_seconds=-1)
    assert not (tmp_path / "checkpoint.tmp").exists()
    assert len(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["log"]["losses"]) == 2


def test_the_micro_batch_is_halved_where_memory_ends(model, examples, tokenizer, tmp_path, monkeypatch, capsys):
    import torch

    plain, halved = copy.deepcopy(model), copy.deepcopy(model)
    (tmp_path / "other").mkdir()
    expected = run(plain, examples, tokenizer, tmp_path / "other")
    backward = training_steps.backward

    def small_memory(run, numbers, response_tokens):
        if len(numbers) > 1:
            raise torch.OutOfMemoryError("no memory")
        return backward(run, numbers, response_tokens)

    monkeypatch.setattr(training_steps, "backward", small_memory)
    facts = run(halved, examples, tokenizer, tmp_path)
    assert "going on with 1 blocks at a time" in capsys.readouterr().out
    assert [point["loss"] for point in facts["loss_curve"]] == pytest.approx(
        [point["loss"] for point in expected["loss_curve"]], rel=1e-3
    )
    assert facts["steps"] == expected["steps"] and facts["tokens"] == expected["tokens"]


def test_what_a_step_had_summed_before_memory_ended_is_dropped(model, examples, tokenizer, tmp_path, monkeypatch):
    import torch

    config = CONFIG | {"epochs": 1, "max_grad_norm": 1e9, "tokens_per_step": 64_000}
    plain, halved, backward, calls = copy.deepcopy(model), copy.deepcopy(model), training_steps.backward, []
    for number, trained in enumerate((plain, halved)):
        checkpoint = tmp_path / f"{number}.pt"
        training_loop.fit(trained, examples, config, tokenizer.pad_token_id, checkpoint, 1e9, micro_batch_tokens=256)
        monkeypatch.setattr(training_steps, "backward", lambda *rest: calls.append(1) or fails_second(*rest))

        def fails_second(*arguments):
            if len(calls) == 2:
                raise torch.OutOfMemoryError("no memory")
            return backward(*arguments)

    assert len(calls) > 2
    for name, weight in weights(halved).items():
        torch.testing.assert_close(weight, weights(plain)[name], rtol=1e-4, atol=1e-5)


def test_a_model_that_does_not_fit_fails_its_run_alone(model, examples, tokenizer, tmp_path, monkeypatch):
    import torch

    def full(*_arguments, **_how):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    with pytest.raises(TrainingFailed, match="16 bytes a parameter"):
        run(model, examples, tokenizer, tmp_path)


def test_a_model_that_is_no_stack_of_layers_is_refused_by_what_it_lacks():
    from transformers import BltConfig

    with pytest.raises(UserError, match="type blt has no num_hidden_layers"):
        model_shape(BltConfig())


def test_a_model_without_tokenizer_end_token_or_whole_weights_is_refused(tiny_models, tokenizer, tmp_path):
    tiny_models["scratch"].save_pretrained(tmp_path / "bare")
    with pytest.raises(UserError, match="bare has no tokenizer"):
        load_model(str(tmp_path / "bare"))
    tokenizer.save_pretrained(tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match="cannot load the model .*header"):
        load_model(str(tmp_path / "bare"))
    endless = copy.deepcopy(tokenizer)
    endless.eos_token = None
    endless.save_pretrained(tmp_path / "endless")
    with pytest.raises(UserError, match="no end token"):
        load_tokenizer(str(tmp_path / "endless"))


def test_a_repository_that_wants_to_run_code_or_has_no_safetensors_is_refused(
    tiny_models, tokenizer, tmp_path, monkeypatch
):
    import torch
    from transformers import dynamic_module_utils

    asked = []  # on the terminal, where a run in a batch queue would wait for an answer
    monkeypatch.setattr(dynamic_module_utils.signal, "signal", lambda *arguments: asked.append(arguments))
    tokenizer.save_pretrained(tmp_path)
    tiny_models["scratch"].save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(tiny_models["scratch"].state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="has no safetensors, and nothing else is loaded"):
        load_model(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    own = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (tmp_path / "config.json").write_text(json.dumps({**config, **own}))
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n")
    with pytest.raises(UserError, match="cannot load the model"):
        load_model(str(tmp_path))
    assert not asked and not (tmp_path / "ran").exists()


def test_a_tracker_gets_every_step(model, examples, tokenizer, tmp_path, monkeypatch):
    """A stand-in for the package trackio, as accelerate calls it."""
    import types

    import accelerate.tracking

    logged, begun = [], []
    tracker = types.SimpleNamespace(
        init=lambda **how: begun.append(how) or tracker,
        config={},
        log=lambda values, step=None, **_how: logged.append((step, values)),
        finish=lambda: begun.append("finished"),
    )
    tracker.config = types.SimpleNamespace(update=lambda values, **_how: begun.append(values))
    monkeypatch.setitem(sys.modules, "trackio", tracker)
    monkeypatch.setattr(accelerate.tracking, "get_available_trackers", lambda: [accelerate.tracking.LoggerType.TRACKIO])
    monkeypatch.setitem(accelerate.tracking.LOGGER_TYPE_TO_CLASS, "trackio", accelerate.tracking.TrackioTracker)
    ended = []  # with it, the processes could not say another word to each other: of weights, of the next experiment
    monkeypatch.setattr(accelerate.PartialState, "destroy_process_group", lambda *_some: ended.append(True))
    facts = training_loop.fit(model, examples, CONFIG, 1, tmp_path / "checkpoint.pt", 1e9, report_to="trackio")
    assert begun[-1] == "finished" and not ended
    assert begun[0] == {"project": tmp_path.name} and begun[1]["learning_rate"] == CONFIG["learning_rate"]
    assert [step for step, _ in logged] == list(range(1, facts["steps"] + 1))
    assert logged[-1][1]["loss"] == pytest.approx(facts["loss_curve"][-1]["loss"])
    begun.clear()
    with pytest.raises(TrainingFailed):
        training_loop.fit(
            model, examples, CONFIG | {"learning_rate": 1e30}, 1, tmp_path / "checkpoint.pt", 1e9, report_to="trackio"
        )
    assert begun[-1] == "finished"  # else the next run of a group would be logged as this one
