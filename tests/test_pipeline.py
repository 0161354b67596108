"""The whole pipeline by its commands, on a small piece of the embedded corpus, and what it does when disturbed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import train_quality_comparison
from arrow_files import read_arrow
from common import read_json
from experiment_inputs import plan_experiment
from finished_runs import load_runs
from training_configs import experiment_config

ROOT = Path(__file__).parent.parent
SMALL = ["--set", "epochs=1", "suite_prompts=24", "generation_prompts=8", "suite_max_new_tokens=6",
         "generation_max_new_tokens=6", "heldout_rows=20", "tokens_per_step=512"]  # fmt: skip


def run(*command, cwd=ROOT):
    return subprocess.run([sys.executable, *map(str, command)], cwd=cwd, capture_output=True, text=True)


def succeed(*command):
    answer = run(*command)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def train(experiment, results, *options):
    return run("train_quality_comparison.py", experiment, "--results_dir", results, *SMALL, *options)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A finished small study: subsets, three arms, analysis."""
    folder = tmp_path_factory.mktemp("study")
    succeed("filter_datasets.py", "--dataset", "demo", "--max_samples", "1500", "--results_dir", folder)
    answer = train("demo", folder, "--skip_existing")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return folder


def test_files_are_where_the_design_puts_them(results):
    paths = [
        "experiment_config.json",
        "train_results.json",
        "model/model.safetensors",
        "evaluation/heldout_loss.json",
        "evaluation/task_completion.json",
        "quality_analysis/quality_bands.json",
        "generation_analysis/generation_analysis.json",
    ]
    for name in ("ultra_10k_demo", "medium_1M_demo", "random_1k_demo"):
        assert [path for path in paths if not (results / name / path).exists()] == []
    summary = read_json(results / "experiment_summary.json")["experiments"]
    assert {entry["status"] for entry in summary.values()} == {"done"} and len(summary) == 7
    assert summary["ultra_10k_demo"]["files"]["training"] == "ultra_10k_demo/train_results.json"


def test_lineage_closes_from_rows_to_metric(results):
    import common
    from lineage import hash_rows, row_digests

    subset = read_json(results / "subsets" / "ultra_10k.json")
    rows = hash_rows(row_digests(read_arrow(results / "subsets" / "ultra_10k")))
    training = read_json(results / "ultra_10k_demo" / "train_results.json")
    loss = read_json(results / "ultra_10k_demo" / "evaluation" / "heldout_loss.json")
    assert subset["rows_hash"] == rows == training["provenance"]["inputs"]["subset"]
    assert loss["provenance"]["inputs"]["model"] == training["model_hash"]
    assert training["model_hash"] == common.hash_path(results / "ultra_10k_demo" / "model" / "model.safetensors")


def test_aggregates_equal_their_rows(results):
    import numpy as np

    folder = results / "medium_1M_demo" / "evaluation"
    loss, rows = read_json(folder / "heldout_loss.json"), read_arrow(folder / "heldout_loss").to_pandas()
    assert loss["bits_per_byte"] == pytest.approx(rows.nll.sum() / np.log(2) / rows.bytes.sum())
    assert loss["rows"] == len(rows) == 20
    tasks, answers = read_json(folder / "task_completion.json"), read_arrow(folder / "task_completion").to_pandas()
    assert tasks["task_completion"] == pytest.approx(answers.passed.mean())
    assert sum(family["prompts"] for family in tasks["by_family"].values()) == len(answers) == 24
    used = read_json(folder.parent / "train_results.json")["precision"]
    assert loss["config"]["precision"] == "auto" and loss["precision"] == tasks["precision"] == used


def test_every_model_answers_the_same_prompts(results):
    prompts = {
        tuple(read_arrow(folder / "evaluation" / "task_completion", ["prompt"])["prompt"].to_pylist())
        for folder in results.glob("*_demo")
    }
    assert len(prompts) == 1


def test_a_second_run_skips_everything(results):
    before = {path: path.stat().st_mtime_ns for path in results.rglob("train_results.json")}
    answer = train("demo", results, "--skip_existing")
    assert answer.returncode == 0 and answer.stdout.count("skipped: ") == 7 * 4
    assert {path: path.stat().st_mtime_ns for path in results.rglob("train_results.json")} == before


def test_what_training_would_take_is_told_and_rates_compare_without_touching_a_run(results, capsys):
    from dry_run import dry_run
    from learning_rate_sweep import sweep

    before = {path: path.stat().st_mtime_ns for path in results.rglob("*.json")}
    config = experiment_config("high_100k_demo", {"epochs": 2, "tokens_per_step": 512})
    stated = {"tokens_per_second": None, "mfu": None, "micro_batch_tokens": None}
    _, line, total = dry_run([config], results, stated)
    trained = read_json(results / "high_100k_demo" / "train_results.json")  # the same rows, once
    name, _, tokens, blocks, steps, rate = line.replace(",", "").split()[:6]
    assert (name, int(tokens), int(blocks)) == ("high_100k_demo", 2 * trained["tokens"], trained["blocks"])
    assert int(steps) == -(-2 * int(blocks) // 4) and float(rate) > 50 and "hours of training" in total
    few, many = (
        dry_run([config], results, stated | {"mfu": 0.4, "micro_batch_tokens": count})[1].split()[-2]
        for count in (128, 512)
    )
    assert float(few) < float(many)  # GiB of memory
    how = {"checkpoint_seconds": 1e9, "report_to": None, "micro_batch_tokens": None, "force": False}
    sweep([config], results, [1e-3], how)
    assert "lowest dev loss at 0.001" in capsys.readouterr().out
    assert read_json(results / "learning_rate_sweep" / "high_100k_demo" / "0.001.json")["dev_loss"] > 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_dry_run_leaves_out_what_is_done_and_counts_what_is_only_saved(results):
    answer = train("ultra_10k_demo", results, "--dry_run", "--tokens_per_second", "1000")
    assert "done, not counted" in answer.stdout and "total: 0.00 hours" in answer.stdout
    options = ["--dry_run", "--mfu", "0.4", "--family", "scratch"]
    answer = train("base_500M", results, *options)
    parameters = 505_976_320
    assert answer.returncode == 0 and f"{4 * parameters / 2**30:.2f} GiB of disk at most" in answer.stdout


def test_other_texts_under_the_same_ids_are_other_data(tmp_path):
    """The answers change, the ids and all else stay: what was trained, measured or learnt from them is not done."""
    data, results = tmp_path / "rows.jsonl", tmp_path / "results"
    words = "one two three four five six seven eight nine ten".split()

    def filter_rows(change):
        rows = [
            {"id": f"r{n}", "instruction": f"Say {words[n % 10]} and {words[n // 10]}.",
             "response": change(f"Here it is, {words[n // 10]} after {words[n % 10]}.")} for n in range(100)
        ]  # fmt: skip
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        succeed("filter_datasets.py", "--dataset", data, "--results_dir", results, "--force")

    filter_rows(str)
    assert train("low_100k_demo", results).returncode == 0
    (results / "low_100k_demo" / "model").rename(tmp_path / "model")  # as if it were somebody's pretrained one
    pretrained = ["high_100k_demo", results, "--model", tmp_path / "model"]
    assert train(*pretrained).returncode == 0
    filter_rows(str.upper)
    answer = train(*pretrained, "--skip_existing")
    assert answer.returncode == 2 and "input subset: " in answer.stderr, answer.stdout
    answer = run("evaluate_quality_tradeoff.py", results / "high_100k_demo")
    assert answer.returncode == 2 and "input heldout: " in answer.stderr
    learnt = ["high_100k_demo", results, "--force"]  # a tokenizer of the earlier rows is there
    answer = train(*learnt)
    assert answer.returncode == 0, answer.stderr


def test_a_new_model_takes_the_old_ones_results_away_and_evaluation_alone_can_be_repeated(results, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(results, study, ignore=shutil.ignore_patterns("low_*", "high_*", "medium_*", "longest_*"))
    arm = study / "random_1k_demo"
    (arm / "evaluation" / "outside").mkdir()
    other = [*SMALL, "suite_prompts=12", "generation_num_samples=1"]
    command = ["train_quality_comparison.py", "random_1k_demo", "--results_dir", study]
    answer = run(*command, *other)
    assert answer.returncode == 2 and "suite_prompts: 24 there, 12 now" in answer.stderr
    assert "--reevaluate evaluates again, without training" in answer.stderr
    assert read_json(arm / "experiment_config.json")["config"]["suite_prompts"] == 24
    assert "is already done" in succeed(*command, *other, "--reevaluate")
    assert read_json(arm / "evaluation" / "task_completion.json")["prompts"] == 12
    generations = read_json(arm / "generation_analysis" / "generation_analysis.json")
    assert generations["config"]["generation_num_samples"] == 1
    script = "import train_quality_comparison as t; t.evaluate_run = t.os._exit; t.main()"  # killed before it evaluates
    run("-c", script, *map(str, command[1:]), *other, "--force")
    assert (arm / "train_results.json").exists() and not (arm / "evaluation").exists()
    assert not (arm / "generation_analysis").exists() and not (arm / "quality_analysis").exists()


def test_a_models_folder_is_the_same_by_any_path(results, tmp_path, monkeypatch):
    model = results / "ultra_10k_demo" / "model"
    (tmp_path / "latest").symlink_to(model)
    monkeypatch.chdir(model.parent)
    paths = [str(model), "model", "./model/", str(tmp_path / "latest")]
    plans = [plan_experiment(experiment_config("random_1k_demo", {"model": path}), results) for path in paths]
    assert plans[0]["config"]["model_spec"] == {"model": "model"} and plans[0]["config"]["model"] == "model"
    assert all((plan["config"], plan["inputs"]) == (plans[0]["config"], plans[0]["inputs"]) for plan in plans)


def test_with_force_what_a_command_beside_this_one_has_just_trained_is_not_trained_again(results, monkeypatch):
    config = read_json(results / "random_1k_demo" / "experiment_config.json")["config"]
    plan = plan_experiment(config, results)
    done = []
    monkeypatch.setattr(train_quality_comparison, "train_experiment", lambda *_: done.append("train"))
    for stage in ("evaluate_run", "analyse_run"):
        monkeypatch.setattr(train_quality_comparison, stage, lambda _run, force: done.append(force))
    for made_before in (plan["made_before"], None):  # as it was when this command began; not there then
        train_quality_comparison.run_experiment(
            config, plan | {"made_before": made_before}, results, {"force": True}, reevaluate=False
        )
    assert done == ["train", True, True, False, False]


def test_without_a_network_a_dry_run_says_so_at_once(results, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    answer = train("high_100k_500M", results, "--dry_run", "--mfu", "0.4", "--model", "nobody/no-such-model")
    assert answer.returncode == 2 and len(answer.stderr.splitlines()) == 1, answer.stderr  # no retries, no waiting
    assert answer.stderr.startswith("error: cannot load the model 'nobody/no-such-model'")


def test_other_settings_are_refused_by_name(results):
    answer = train("ultra_10k_demo", results, "learning_rate=0.5")
    assert answer.returncode == 2
    assert "learning_rate: 0.003 there, 0.5 now" in answer.stderr and "--force" in answer.stderr


def test_the_analysis_ends_with_the_verdict_and_the_report(results, tmp_path):
    output = succeed("analyze_results.py", results, "--output_dir", tmp_path / "analysis")
    assert (tmp_path / "analysis" / "report.html").exists()
    assert output.strip().endswith("report.html")
    verdict = json.loads((tmp_path / "analysis" / "verdict.json").read_text())
    assert verdict["provenance"]


@pytest.mark.parametrize(
    "command, message",
    [
        (["train_quality_comparison.py", "ultra_10k_500"], "did you mean.*ultra_10k_500M"),
        (["train_quality_comparison.py", "ultra_10k_500M"], "python filter_datasets.py"),
        (["train_quality_comparison.py", "ultra_10k_500M", "--set", "epoch=2"], "did you mean epochs"),
        (["evaluate_quality_tradeoff.py", "nowhere/ultra_10k_500M"], "train_quality_comparison.py ultra_10k_500M"),
        (["generation_analysis.py", "nowhere/ultra_10k_500M"], "train_quality_comparison.py ultra_10k_500M"),
        (["analyze_results.py", "nowhere"], "nowhere"),
        (["filter_datasets.py", "--dataset", "nowhere.jsonl"], "nowhere.jsonl"),
        (["quality_scorer.py", "nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_mistakes_are_one_line_that_teaches(command, message, tmp_path):
    import re

    answer = run(*[ROOT / command[0], *command[1:]], cwd=tmp_path)
    assert answer.returncode == 2, answer.stdout + answer.stderr
    assert re.search(message, answer.stderr) and answer.stderr.count("\n") == 1


def test_a_run_that_diverges_is_recorded_and_the_rest_goes_on(results, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(results, study, ignore=shutil.ignore_patterns("medium_1M_demo"))
    answer = train("medium_1M_demo", study, "learning_rate=1e30")
    assert answer.returncode == 1 and "failed: medium_1M_demo: the loss became nan" in answer.stderr
    summary = read_json(study / "experiment_summary.json")["experiments"]
    assert summary["medium_1M_demo"]["status"] == "failed" and "nan" in summary["medium_1M_demo"]["reason"]
    assert summary["ultra_10k_demo"]["status"] == "done"
    assert not (study / "medium_1M_demo" / "train_results.json").exists()
    left_out = {item["experiment"]: item["reason"] for item in load_runs(study)[1]}
    assert left_out.keys() == {"medium_1M_demo"} and "nan" in left_out["medium_1M_demo"]


def test_kill_during_training_then_the_same_command(results, tmp_path):
    """A SIGKILL in the middle of training; the same command finishes, with the weights of the undisturbed run."""
    study = tmp_path / "study"
    shutil.copytree(results, study, ignore=shutil.ignore_patterns("*_demo"))
    command = [sys.executable, "train_quality_comparison.py", "low_100k_demo", "--results_dir", study, *SMALL]
    command = [*map(str, command), "--checkpoint_seconds", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = study / "low_100k_demo"
    deadline = time.time() + 400
    while not (folder / "checkpoint.pt").exists() and process.poll() is None and time.time() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "train_results.json").exists()
    answer = train("low_100k_demo", study)
    assert answer.returncode == 0, answer.stderr
    assert "resuming at step" in answer.stdout
    there, here = (read_json(place / "low_100k_demo" / "train_results.json") for place in (results, study))
    assert here["model_hash"] == there["model_hash"] and here["loss_curve"] == there["loss_curve"]
