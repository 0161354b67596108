"""The benchmark: every contender runs or says why not, the numbers are kept, mistakes take one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from test_quality_scorer import PAIRS

import evaluation_benchmark
import filter_benchmark
import gpu_benchmark
from benchmark import CONTENDERS, available, benchmark_scorer, measure, table_lines
from packing import pack_rows
from training_configs import TRAINING
from training_loop import weights_must_fit

REPOSITORY = Path(__file__).resolve().parent.parent


def test_contenders_are_measured_beside_each_other():
    instructions, responses = (list(column) * 20 for column in zip(*PAIRS, strict=True))
    entries = benchmark_scorer(instructions, responses, rounds=2, process_counts=[1, 2])
    assert [entry["name"] for entry in entries] == list(CONTENDERS)
    for entry in entries:
        if not entry["missing"]:
            assert len(entry["processes_2"]["rounds"]) == 2
            assert entry["processes_1"]["rows_per_second"] > 0 and entry["processes_1"]["peak_memory_gib"] > 0
    assert len(table_lines(entries, [1, 2])) == len(CONTENDERS) + 1


def test_what_is_not_installed_is_said():
    def absent():
        import no_such_package  # noqa: F401

    assert available(absent) == "not installed (no_such_package)"


def test_a_contender_that_fails_in_its_process_ends_the_measurement(capfd):
    def failing():
        return lambda _instructions, responses: {}[responses[0]]

    with pytest.raises(EOFError):
        measure(failing, ["ask"] * 2, ["the reply"] * 2, processes=2)
    assert "KeyError: 'the reply'" in capfd.readouterr().err


def run_benchmark(folder, stage, *options, data="rows.jsonl"):
    rows = [json.dumps({"instruction": ask, "response": reply}) for ask, reply in PAIRS]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    command = [sys.executable, "benchmark.py", stage, *options, "--results_dir", str(folder), "--data"]
    return subprocess.run([*command, str(folder / data)], capture_output=True, text=True, cwd=REPOSITORY)


def test_the_command_line_writes_its_numbers(tmp_path):
    done = run_benchmark(tmp_path, "scorer", "--rounds", "1")
    assert done.returncode == 0 and "bare str.split" in done.stdout, done.stderr
    facts = json.loads((tmp_path / "benchmark" / "scorer.json").read_text())
    assert facts["config"]["rows"] == len(PAIRS) and facts["provenance"]["hardware"]["cores"]
    done = run_benchmark(tmp_path, "scorer", data="nowhere.jsonl")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")


def test_words_change_names_in_pairs_and_keep_capitals():
    words = [f"word{letter}" for letter in "abcdefghijklmnopqrst"]
    names = filter_benchmark.renamed_words(words, np.random.default_rng(0))
    assert 4 <= len(names) <= 16 and all(names[names[word]] == word != names[word] for word in names)
    names = {"cat": "dog", "dog": "cat"}
    assert filter_benchmark.rename("The Cat, DOG's 2 cats: cat", names) == "The Dog, CAT's 2 cats: dog"
    assert filter_benchmark.rename("The Cat", {}) == "The Cat"


def test_memory_of_a_tree_counts_the_children():
    ours = filter_benchmark.tree_memory(os.getpid())
    assert ours["pss"] >= ours["anonymous"] > 1_000
    code = "import time; held = bytearray(b'x') * 100_000_000; print('held', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    child.stdout.readline()
    more = filter_benchmark.tree_memory(os.getpid())
    child.kill()
    child.wait()
    assert more["anonymous"] - ours["anonymous"] > 90_000


def test_planted_copies_tell_the_searches_apart():
    rng = np.random.default_rng(1)
    pairs = [(f"ask {number}", " ".join(f"w{word}" for word in rng.integers(0, 9_000, 60))) for number in range(300)]
    planted, similarity = filter_benchmark.plant(pairs, rng)
    assert len(planted) == 2 * len(similarity) == 600 and 0.2 < (similarity >= 0.8).mean() < 0.95
    ours, rensa, _ = filter_benchmark.measure_deduplicators(pairs, 0)
    assert ours["precision"] >= 0.98 and ours["recall"] >= 0.95 and ours["dropped"] == 0
    assert rensa["documents_per_second"] > 0
    assert len(filter_benchmark.deduplicator_lines([ours, rensa])) == 3


def test_the_filter_stage_is_measured(tmp_path):
    done = run_benchmark(tmp_path, "filter", "--rows", "60")
    assert done.returncode == 0 and "2 processes against 1" in done.stdout, done.stderr
    facts = json.loads((tmp_path / "benchmark" / "filter.json").read_text())
    assert [(run["rows"], run["num_proc"]) for run in facts["runs"]] == [(15, 2), (60, 2), (60, 1)]
    assert facts["runs"][1]["content_hash"] == facts["runs"][2]["content_hash"]
    runs = [*facts["runs"], facts["scorer_alone"]]
    assert all(run["peak_pss_gib"] > 0.01 and run["cpu_seconds"] > 0 for run in runs)
    assert not (tmp_path / "benchmark" / "work").exists()


def test_the_evaluation_is_measured_against_its_bars(monkeypatch):
    for name, value in {"PROMPTS": 3, "NEW_TOKENS": 3, "PLANTED_PROMPTS": 100}.items():
        monkeypatch.setattr(evaluation_benchmark, name, value)
    shape = {**evaluation_benchmark.SPEC["llama"], "num_hidden_layers": 1}
    monkeypatch.setattr(evaluation_benchmark, "SPEC", {"vocab_size": 300, "llama": shape})
    monkeypatch.setattr(evaluation_benchmark, "find_spec", lambda _name: None)
    facts = evaluation_benchmark.benchmark_evaluation(*map(list, zip(*PAIRS, strict=True)), None, 1)
    values = {name: entry["value"] for name, entry in facts["measured"].items()}
    rates, seconds = facts["tokens_per_second"], facts["generation"]["seconds"]
    assert values["same greedy answers, share"] == 1 and facts["generation"]["tokens"] <= 9
    assert values["held-out loss, times training's tokens/s"] == rates["heldout_loss"][0] / rates["training"][0]
    assert values["batched generation, times one prompt at a time"] == seconds["one at a time"] / seconds["batched"]
    assert 0.92 <= values["planted rate 0.62, share of intervals that hold it"] <= 0.98
    assert "no lm_eval" in "\n".join(evaluation_benchmark.evaluation_table(facts))


def test_the_gpu_benchmark_keeps_what_it_has_and_counts_the_hours(monkeypatch):
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    specs = {size: {"vocab_size": 300, "llama": {**shape, "num_key_value_heads": 2}} for size in ("500M", "1B")}
    config = {**TRAINING, "tokens_per_step": 2_048, "block_tokens": 512}
    monkeypatch.setattr(gpu_benchmark, "VARIANTS", {"plain layers": gpu_benchmark.VARIANTS["plain layers"]})
    monkeypatch.setattr(gpu_benchmark, "find_spec", lambda _name: None)
    for name, value in {"ANSWERS": 3, "NEW_TOKENS": 2, "LOSS_ROWS": 2}.items():
        monkeypatch.setattr(gpu_benchmark, name, value)
    written = []
    facts = gpu_benchmark.benchmark_gpu(specs, config, 5, lambda facts: written.append(json.dumps(facts)))
    assert len(written) == 4 and json.loads(written[-1]) == json.loads(json.dumps(facts))
    assert json.loads(written[0])["sizes"]["1B"] == {} and set(facts["missing"]) == set(gpu_benchmark.SFT)
    for size, rate in (("500M", 140_000), ("1B", 70_000)):
        facts["sizes"][size]["plain layers"]["tokens_per_second"] = rate
        rates = facts["evaluation"][size]["tokens_per_second"]
        assert min(rates.values()) > 0
        # 3,000 answers of 128 tokens and 200 of 256, 800 sampled ones of 256, 2,000 rows of 300
        seconds = 435_200 / rates["greedy"] + 204_800 / rates["sampled"] + 600_000 / rates["heldout_loss"]
        assert facts["evaluation"][size]["seconds"] == pytest.approx(seconds)
        facts["evaluation"][size]["seconds"] = 600.0
    rows = 3 * 10_000 + 100_000 + 1_000_000
    hours = gpu_benchmark.six_runs_hours(facts["sizes"], facts["evaluation"])
    assert hours["training"] == pytest.approx(rows * 300 * (1 / 140_000 + 1 / 70_000) / 3600)
    assert hours["evaluation"] == pytest.approx(1.0)
    facts["sizes"]["1B"]["plain layers"] = {"failed": "out of memory"}
    assert "out of memory" in "\n".join(gpu_benchmark.gpu_table(facts))
    assert gpu_benchmark.six_runs_hours(facts["sizes"], facts["evaluation"]) is None


def test_what_a_run_pays_but_once_is_left_out_of_its_speed(monkeypatch):
    """Five seconds at first, then a thousand tokens a second."""
    monkeypatch.setattr(gpu_benchmark, "new_random_model", lambda _spec: (torch.nn.Linear(1, 1), None))
    seconds = lambda _model, _tokenizer, rows, *_how: 5 + sum(len(row.ids) for row in rows) / 1_000  # noqa: E731
    config = TRAINING | {"tokens_per_step": 4_096}
    few, rows = (gpu_benchmark.step_rows(300, steps, config) for steps in (2, 10))
    for some, steps in ((few, 2), (rows, 10)):
        blocks = pack_rows([len(row.ids) for row in some], 1_024)
        assert len(blocks) == 4 * steps and sum(len(row.ids) for row in some) > 0.97 * steps * 4_096
    assert gpu_benchmark.measure(seconds, {}, few, rows, config)["tokens_per_second"] == pytest.approx(1_000)
    many = [len(row.ids) for row in gpu_benchmark.random_rows(300, 4_000, 512)]
    assert sum(many) / len(many) == pytest.approx(gpu_benchmark.TOKENS_PER_ROW, rel=0.02)


def test_a_contender_out_of_memory_is_a_result(monkeypatch):
    """Ours as well, which says so in its own way; and a kernel that fails, also where the next one is made."""

    def full(*_arguments):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    monkeypatch.setattr(gpu_benchmark, "new_random_model", lambda _spec: (torch.nn.Linear(1, 1), None))
    assert gpu_benchmark.measure(full, {}, [], [], TRAINING) == {"failed": "CUDA out of memory"}
    monkeypatch.setattr(gpu_benchmark, "fit", weights_must_fit()(full))
    failed = gpu_benchmark.measure(gpu_benchmark.train_ours, {}, [], [], TRAINING)["failed"]
    assert failed.startswith("out of memory for weights")

    def illegal(*_arguments):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nSearch for it")

    failed = {"failed": "CUDA error: an illegal memory access was encountered"}
    assert gpu_benchmark.measure(illegal, {}, [], [], TRAINING) == failed
    monkeypatch.setattr(gpu_benchmark, "new_random_model", illegal)
    assert gpu_benchmark.measure(full, {}, [], [], TRAINING) == failed
