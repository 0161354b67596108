"""The README says what the files say: its numbers are those of the published study, its links and commands exist."""

import argparse
import importlib
import json
import re
import shlex
import signal
import sys
from pathlib import Path

import pyarrow
import pytest

import update_readme
from arrow_files import write_arrow
from common import read_json
from training_configs import ALL_EXPERIMENTS, GROUPS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
STUDY = update_readme.REFERENCE / update_readme.STUDY


def test_numbers_are_those_of_the_published_study():
    assert update_readme.fill_markers(README, update_readme.REFERENCE) == README


def test_the_published_summary_is_that_of_its_verdict():
    verdict = read_json(STUDY / "analysis" / "verdict.json")
    summary = (STUDY / "analysis" / "summary.md").read_text()
    for metric, anchors in verdict["sizes"][update_readme.STUDY]["retention"].items():
        result = anchors["random_1k"]
        assert result["verdict"] in summary, metric
        assert result["R"] is None or f"{result['R']:.0%}" in summary, metric


def test_every_marker_of_the_readme_is_filled():
    for name in ("summary", "times", "score", "speed"):
        block = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
        assert block and block[1].count("|") > 8, name


def test_links_scripts_and_experiments_exist():
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", README)
    assert links and [link for link in links if not (ROOT / link).exists()] == []
    scripts = re.findall(r"python (\w+\.py)", README)
    assert scripts and [script for script in scripts if not (ROOT / script).exists()] == []
    experiments = re.findall(r"python train_quality_comparison\.py (\w+)", README)
    assert experiments and set(experiments) <= {*ALL_EXPERIMENTS, *GROUPS}


def test_every_command_of_the_readme_is_one_that_its_script_takes(monkeypatch):
    """Each is parsed by its script's own parser, and goes no further."""

    class Parsed(Exception):
        pass

    parse, commands = argparse.ArgumentParser.parse_args, re.findall(r"(?:python|8) (\w+)\.py([^#`\n]*)", README)

    def parse_and_stop(self, *arguments, **how):
        parse(self, *arguments, **how)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(signal, "signal", lambda *_arguments: None)
    assert len(commands) > 25
    for script, options in commands:
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *shlex.split(options.replace(" ...", " all"))])
        with pytest.raises(Parsed):
            importlib.import_module(script).main()


def test_every_module_is_in_the_readme_and_the_other_way_round():
    named = set(re.findall(r"\b(\w+\.py)\b", README))
    assert named == {path.name for path in ROOT.glob("*.py")}


def test_publishing_leaves_out_weights_and_rows(tmp_path):
    study = tmp_path / "study"
    files = ["scores.json", "scores_statistics.json", "subsets/ultra_10k.json", "subsets/ultra_10k/state.json",
             "tokenizer_768/tokenizer.json", "a/train_results.json", "a/model/config.json",
             "a/model/model.safetensors", "a/evaluation/heldout_loss.json", "a/evaluation/heldout_loss/data.arrow",
             "a/evaluation/heldout_loss/dataset_info.json", "analysis/summary.md",
             "analysis/figures/x.png"]  # fmt: skip
    for name in files:
        (study / name).parent.mkdir(parents=True, exist_ok=True)
        (study / name).write_text("{}")
    update_readme.publish(study, tmp_path / "published")
    published = sorted(str(path.relative_to(tmp_path / "published")) for path in tmp_path.glob("published/**/*.*"))
    assert published == ["a/evaluation/heldout_loss.json", "a/train_results.json", "analysis/figures/x.png",
                         "analysis/summary.md", "scores.json", "subsets/ultra_10k.json"]  # fmt: skip


def test_paths_out_of_the_repository_are_published_as_names(tmp_path):
    facts = {
        "argv": ["a.py", "/home/me/data/pool.jsonl", "../x/y/", "results/small"],
        "../in/a.gz": 1,
        "said": "1/2 and /3",
    }
    (tmp_path / "scorer").mkdir()
    (tmp_path / "scorer" / "validation.json").write_text(json.dumps(facts))
    update_readme.publish(tmp_path / "scorer", tmp_path / "published")
    argv = ["a.py", "pool.jsonl", "y", "results/small"]
    assert read_json(tmp_path / "published" / "validation.json") == {"argv": argv, "a.gz": 1, "said": "1/2 and /3"}


def test_sixteen_processes_are_not_six():
    entries = [
        {"name": name, "missing": None, "processes_16": {"rows_per_second": rate}}
        for name, rate in (("this scorer", 300.0), ("other", 200.0))
    ]
    facts = {"config": {"process_counts": [1, 16]}, "response_bytes_per_row": 1_900.0, "contenders": entries}
    row = ("scoring, rows/s of 1.9 KB, 16 processes", "300", "other: 200", "1.50x")
    assert update_readme.scorer_rows(facts) == [row]


def test_evidence_is_published_beside_what_is_there(tmp_path):
    (tmp_path / "benchmark").mkdir()
    for name in ("train.json", "log.txt"):
        (tmp_path / "benchmark" / name).write_text("{}")
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "filter.json").write_text("{}")
    update_readme.publish(tmp_path / "benchmark", tmp_path / "published")
    assert sorted(path.name for path in (tmp_path / "published").iterdir()) == ["filter.json", "train.json"]


def test_answers_of_all_models_stand_side_by_side_as_text(tmp_path):
    for model, answer in (
        ("medium_1M_a", ""),
        ("random_1k_a", "x|y`z\n<b>"),
        ("random_1k_a_s1", "z"),
        ("band1_10k_a", "z"),
    ):
        folder = tmp_path / model / "evaluation"
        folder.mkdir(parents=True)
        row = {"id": "1", "family": "sum", "prompt": "Add 1\nand 2.", "answer": answer, "passed": not answer}
        write_arrow(folder / "task_completion", pyarrow.Table.from_pylist([row]))
        (folder / "task_completion.json").write_text("{}")
    page = update_readme.answers_page(tmp_path)
    assert "> Add 1\n> and 2." in page
    assert "| random_1k_a | no | `x\\|y'z <b>` |\n| medium_1M_a | yes | (nothing) |\n" in page


def test_gpu_rows_stand_beside_the_first_that_ran():
    ran = {"tokens_per_second": 100.0, "mfu": 0.4, "peak_memory_gib": 10.0}
    sizes = {"500M": {"a": {"failed": "out of memory"}, "b": ran, "c": ran | {"tokens_per_second": 50.0}}}
    sizes |= {"1B": {"a": {"failed": "out of memory"}}, "3B": {}}
    facts = {"provenance": {"hardware": {"gpus": ["X"]}}, "sizes": sizes, "six_runs_hours": None}
    ours = "b: 100, 40.0% MFU, 10 GiB"
    assert update_readme.train_gpu_rows(facts) == [
        ("training 500M, X, tokens/s", ours, "a: out of memory", ""),
        ("training 500M, X, tokens/s", ours, "c: 50, 40.0% MFU, 10 GiB", "2.00x"),
    ]
    hours = update_readme.train_gpu_rows(facts | {"six_runs_hours": {"training": 1.0, "evaluation": 0.25}})[-1]
    assert hours[1] == "1.00 of training, 0.25 of evaluation"
