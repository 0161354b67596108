"""The sweep of learning rates: rows set aside are apart from the rest, every rate has one budget, the best is named."""

import copy
import sys

import numpy as np
import pytest
from test_training_loop import CONFIG

import learning_rate_sweep
import train_quality_comparison
from common import UserError
from language_model import pick_device, response_losses
from learning_rate_sweep import dev_rows, run_sweep, sweep_table, within_budget

HOW = {"checkpoint_seconds": 1e9, "report_to": None, "micro_batch_tokens": None, "force": False}


def test_rows_set_aside_share_no_instruction_with_the_rest():
    instructions = [f"ask {number // 3}" for number in range(300)]
    aside = dev_rows(instructions, 0)
    assert 27 <= aside.sum() <= 30 and np.array_equal(aside, dev_rows(instructions, 0))
    assert not np.array_equal(aside, dev_rows(instructions, 1))
    named = np.array(instructions)
    assert not set(named[aside]) & set(named[~aside])
    assert dev_rows([f"ask {number}" for number in range(20_000)], 0).sum() == 500


@pytest.mark.parametrize("stage, option", [("sweep", ["--sweep_learning_rate", "1e-4"]), ("dry_run", ["--dry_run"])])
def test_rows_that_teach_nothing_are_a_users_mistake(stage, option, tmp_path, monkeypatch):
    def nothing(*_arguments, **_how):
        raise train_quality_comparison.TrainingFailed("no row has a response to learn from")

    monkeypatch.setattr(train_quality_comparison, stage, nothing)
    monkeypatch.setattr(train_quality_comparison.signal, "signal", lambda *_arguments: None)
    monkeypatch.setattr(sys, "argv", ["train.py", "ultra_10k_demo", "--results_dir", str(tmp_path), *option])
    with pytest.raises(UserError, match="no row has a response"):
        train_quality_comparison.main()


def test_every_rate_has_one_budget_and_a_second_call_trains_none(model, examples, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(learning_rate_sweep, "SWEEP_STEPS", 2)
    plan = {"config": {**CONFIG, "experiment": "ultra_10k_demo", "epochs": 1}, "inputs": {"subset": "abc"}}
    budget = 2 * CONFIG["tokens_per_step"]
    assert budget - 64 < sum(len(example.ids) for example in within_budget(examples[5:], plan["config"])) <= budget
    once, twice = (within_budget(examples[5:], {**plan["config"], "epochs": epochs}) for epochs in (1, 2))
    assert sum(len(example.ids) for example in twice) <= budget / 2 < sum(len(example.ids) for example in once)
    started = []

    def start():
        started.append(copy.deepcopy(model))
        return started[-1], tokenizer, True

    rates = [1e-5, 5e-3, 1e30]
    entries = run_sweep(plan, examples[5:], examples[:5], start, rates, tmp_path / "sweep", HOW)
    low, high, broken = entries
    assert low["tokens"] == high["tokens"] <= budget and low["steps"] == high["steps"]
    assert high["dev_loss"] < low["dev_loss"]
    nll, tokens = response_losses(started[0], examples[:5], tokenizer.pad_token_id, pick_device(), "fp32")
    assert low["dev_loss"] == pytest.approx(nll.sum() / tokens.sum(), rel=1e-6)
    assert broken["dev_loss"] is None and "the loss on the rows set aside is nan" in broken["reason"]
    assert run_sweep(plan, examples[5:], examples[:5], start, rates, tmp_path / "sweep", HOW) == entries
    assert len(started) == 3
    lines = sweep_table(entries)
    assert len(lines) == 6 and "0.005; it is at the edge, so try higher ones too" in lines[-1]
    assert (
        "try lower ones too"
        in sweep_table([high, {**low, "dev_loss": 9.0, "config": {**CONFIG, "learning_rate": 1}}])[-1]
    )
