"""Held-out loss and task completion: hand-computed summaries, honest intervals, outside sets, early refusal."""

import json
import random
from types import SimpleNamespace

import numpy as np
import pyarrow
import pytest

import evaluate_quality_tradeoff as evaluation
import language_model as lm
import text_generation
import verifiable_tasks
from arrow_files import read_arrow
from common import UserError, read_json


def loss_table(sources, nll, tokens, size):
    scores = {name: np.linspace(1, 0, len(nll)) for name in evaluation.SCORE_KEYS}
    ids = [str(index) for index in range(len(nll))]
    return pyarrow.table({"id": ids, "source": sources, **scores, "nll": nll, "tokens": tokens, "bytes": size})


def test_a_loss_beyond_all_perplexity_is_kept_and_one_that_is_none_is_refused(tiny_models, tokenizer, monkeypatch):
    facts = evaluation.summarise_losses(
        loss_table(["a"] * 3, np.array([2e3, 1e3, 2e3]), np.array([1, 2, 1]), np.ones(3))
    )
    assert facts["perplexity"] is None and facts["loss_per_token"] == 1250 and facts["perplexity_interval"][1] is None
    json.dumps(facts, allow_nan=False)
    model = SimpleNamespace(load=lambda: None, model=tiny_models["scratch"], tokenizer=tokenizer, device="cpu",
                            precision="fp32")  # fmt: skip
    monkeypatch.setattr(evaluation, "response_losses", lambda *_arguments: (np.array([1.0, np.nan]), np.ones(2)))
    rows = pyarrow.table({"instruction": ["Go.", "Stop."], "response": ["Yes.", "No."]})
    with pytest.raises(UserError, match="not finite on 1 of 2 rows"):
        evaluation.measure_losses(rows, model, 64, "held-out loss")


def test_loss_summary_by_hand():
    nll = np.array([2.0, 4.0, 6.0]) * np.log(2)
    facts = evaluation.summarise_losses(loss_table(["a", "a", "b"], nll, np.array([2, 2, 2]), np.array([2, 4, 2])))
    assert facts["bits_per_byte"] == pytest.approx(12 / 8) and facts["perplexity"] == pytest.approx(2**2)
    assert facts["by_source"]["a"]["bits_per_byte"] == pytest.approx(1)
    assert facts["bits_per_byte_macro"] == pytest.approx((1 + 3) / 2)
    assert facts["by_source"]["b"]["interval"] == [None, None]  # one row says nothing of its spread
    assert facts["bits_per_byte_macro_interval"] == [None, None] and facts["by_source"]["a"]["interval"][0] >= 0.5
    json.dumps(facts, allow_nan=False)


def test_loss_intervals_cover_the_truth():
    rng, covered = np.random.default_rng(0), {"bits_per_byte": 0, "bits_per_byte_macro": 0, "perplexity": 0}
    truth = {"bits_per_byte": 1.75, "bits_per_byte_macro": 1.5, "perplexity": np.exp(1.75 * np.log(2))}
    sources = ["a"] * 50 + ["b"] * 150  # 1 and 2 bits a byte
    level = np.where(np.array(sources) == "a", 1.0, 2.0)
    for _ in range(100):
        size = rng.integers(20, 200, 200)
        nll = size * np.log(2) * (level + rng.normal(0, 0.3, 200))
        facts = evaluation.summarise_losses(loss_table(sources, nll, size, size))
        for name, value in truth.items():
            low, high = facts[f"{name}_interval"]
            covered[name] += low <= value <= high
    assert all(88 <= count <= 100 for count in covered.values()), covered


def test_sources_are_redrawn_apart():
    """Of two sources alike the mean is known better than either, by the root of two."""
    nll, size = np.tile(np.random.default_rng(0).normal(60, 9, 100), 2), np.full(200, 40)
    facts = evaluation.summarise_losses(loss_table(["a"] * 100 + ["b"] * 100, nll, size, size))
    one, both = (
        np.diff(ends)[0] for ends in (facts["by_source"]["a"]["interval"], facts["bits_per_byte_macro_interval"])
    )
    assert both / one == pytest.approx(np.sqrt(0.5), rel=0.1)


def test_bands_are_equal_parts_with_intervals():
    size = np.full(20, 10)
    bands = evaluation.quality_bands(loss_table(["a"] * 20, np.arange(20.0), size, size))["quality"]
    assert [band["rows"] for band in bands] == [4] * 5
    assert bands[0]["bits_per_byte"] == pytest.approx((16 + 17 + 18 + 19) / np.log(2) / 40)  # the lowest scores
    assert (bands[0]["low"], bands[4]["high"]) == (0, 1)
    assert all(band["interval"][0] <= band["bits_per_byte"] <= band["interval"][1] for band in bands)


def test_the_same_random_rows_for_every_model_in_the_tables_order():
    table = pyarrow.table({"id": list(range(100))})
    chosen = evaluation.choose_rows(table, 10)["id"].to_pylist()
    assert chosen == evaluation.choose_rows(table, 10)["id"].to_pylist() == sorted(set(chosen)) != list(range(10))
    assert len(evaluation.choose_rows(table, None)) == len(evaluation.choose_rows(table, 200)) == 100


def test_a_row_without_room_is_dropped_and_counted_and_a_cut_one_has_the_bytes_left_of_it(tiny_models, tokenizer):
    run_model = text_generation.RunModel(None, "fp32")
    run_model.model, run_model.tokenizer, run_model.device = tiny_models["scratch"], tokenizer, "cpu"
    responses = ["", "Blue.", "stone " * 60]
    table = pyarrow.table({"id": ["a", "b", "c"], "instruction": ["Name a colour."] * 3, "response": responses})
    rows, facts = evaluation.measure_losses(table, run_model, 80, "rows")
    kept = lm.encode_examples(tokenizer, ["Name a colour."] * 3, responses, 80)[2]
    left = len(tokenizer.decode(list(kept.ids[kept.prompt_tokens :])).encode())
    assert rows["id"].to_pylist() == ["b", "c"] and facts["rows_dropped_empty"] == 1
    assert rows["bytes"].to_pylist() == [5, left] and left < 360


def test_losses_do_not_depend_on_the_batch(tiny_models, tokenizer, monkeypatch):
    rng = random.Random(0)
    words = "stone blue sky add sum colour".split()
    texts = [[" ".join(rng.choices(words, k=rng.randint(1, 40))) for _ in range(2)] for _ in range(24)]
    examples = lm.encode_examples(tokenizer, *map(list, zip(*texts, strict=True)), 150)
    for name, model in tiny_models.items():
        losses = []
        for batch_tokens in (1, 400, 100_000):
            monkeypatch.setitem(lm.LOSS_BATCH_TOKENS, "cpu", batch_tokens)
            losses.append(lm.response_losses(model, examples, tokenizer.pad_token_id, "cpu", "fp32")[0])
        assert np.array_equal(losses[2], lm.response_losses(model, examples, tokenizer.pad_token_id, "cpu", "fp32")[0])
        np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(losses[2], losses[0], rtol=1e-5, err_msg=name)


def test_the_interval_covers_a_planted_rate():
    """A model that answers right with p = 0.62: in 200 draws of the suite, 93 to 97% of the intervals hold 0.62."""
    rng, covered, by_family = random.Random(5), 0, []
    tasks = verifiable_tasks.make_suite("general", 500, 0)
    right = [verifiable_tasks.check(task, task["reference"]) for task in tasks]
    wrong = [verifiable_tasks.check(task, "I do not know.") for task in tasks]
    assert all(right) and not any(wrong)
    for _ in range(200):
        passed = [rng.random() < 0.62 for _ in tasks]
        rows = [{**task, "passed": good, "passed_loose": good} for task, good in zip(tasks, passed, strict=True)]
        facts = evaluation.summarise_tasks(rows)
        covered += facts["interval"][0] <= 0.62 <= facts["interval"][1]
        by_family += [entry["interval"][0] <= 0.62 <= entry["interval"][1] for entry in facts["by_family"].values()]
    assert 0.93 <= covered / 200 <= 0.97
    assert 0.92 <= np.mean(by_family) <= 0.99  # of 13 prompts each: too few for the exact level


def test_task_summary_by_hand():
    rows = [
        {"family": family, "difficulty": difficulty, "passed": passed, "passed_loose": loose}
        for family, difficulty, passed, loose in [("a", 1, True, True), ("a", 2, False, True), ("b", 1, False, False)]
    ]
    facts = evaluation.summarise_tasks(rows)
    assert facts["task_completion"] == pytest.approx(1 / 3) and facts["task_completion_loose"] == pytest.approx(2 / 3)
    assert facts["by_family"]["a"]["passed"] == 1 and facts["by_family"]["a"]["passed_loose"] == 2
    assert facts["by_difficulty"]["1"]["prompts"] == 2 and facts["by_family_and_difficulty"]["a 2"]["passed"] == 0
    assert facts["minimum_detectable_difference"] == pytest.approx(2.8016 * np.sqrt(2 * (2 / 9) / 3), rel=1e-4)
    assert evaluation.summarise_tasks([{**rows[0]}] * 50)["minimum_detectable_difference"] > 0


def test_a_suite_too_large_is_refused_before_training(tmp_path):
    from train_quality_comparison import plan_experiment
    from training_configs import experiment_config

    config = experiment_config("ultra_10k_demo", {"suite_prompts": 60_000})
    with pytest.raises(UserError, match="suite_prompts=60000.*no more different prompts.*ask for fewer"):
        plan_experiment(config, tmp_path)


def test_no_two_outside_sets_share_a_file():
    entries = ["a-b.jsonl", "a_b.jsonl", "数据.jsonl", "文件.jsonl", "文", ".."]
    names = [evaluation.outside_name(entry) for entry in entries]
    assert len(set(names)) == len(names) and all(name.strip(".-") and "/" not in name for name in names)
    assert evaluation.outside_name("/data/" + "x" * 500 + ".jsonl").startswith("x")  # a name that a disk takes
    assert len(evaluation.outside_name("文" * 500).encode()) < 250


def test_an_outside_set_is_measured_like_the_held_out_rows(tiny_models, tokenizer, tmp_path):
    data = tmp_path / "outside.jsonl"
    rows = [{"instruction": f"Add {n} and 4.", "response": f"The sum is {n + 4}."} for n in range(6)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run_model = text_generation.RunModel(tmp_path, "fp32")
    run_model.model, run_model.tokenizer, run_model.device = tiny_models["scratch"], tokenizer, "cpu"
    config, run = {"max_tokens": 100, "precision": "fp32"}, tmp_path / "run"
    arguments = (run, config, {"model": "m"}, run_model, str(data), False)
    facts = evaluation.evaluate_outside(*arguments)
    (marker,) = (run / "evaluation" / "outside").glob("*.json")
    record = read_arrow(marker.with_suffix(""))
    assert len(record) == facts["rows"] == 6 and facts["config"]["eval_dataset"] == str(data)
    assert facts["bits_per_byte"] == pytest.approx(sum(record["nll"].to_pylist()) / np.log(2) / facts["response_bytes"])
    assert read_json(marker) == facts == evaluation.evaluate_outside(*arguments)  # the second time it is done
    data.write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(UserError, match="input eval_dataset"):
        evaluation.evaluate_outside(*arguments)
