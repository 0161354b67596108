"""Ablation: nothing held is the score itself; holding what sees one kind of damage makes that kind unseen."""

import json
import subprocess
import sys

import numpy as np
import pytest
from test_quality_scorer import PAIRS, REPOSITORY

from quality_scorer import QualityScorer
from scorer_ablation import COLUMNS, Measured, evidence, measure, table_lines

INSTRUCTIONS, RESPONSES = (list(column) for column in zip(*PAIRS, strict=True))


@pytest.fixture(scope="module")
def measured():
    pairs = {"instruction": INSTRUCTIONS, "chosen": RESPONSES, "rejected": [text[:40] for text in RESPONSES]}
    return measure(QualityScorer(), pairs, INSTRUCTIONS, RESPONSES, seed=0)


def test_nothing_held_is_the_score_itself():
    texts = [*RESPONSES, "", " \n", "..."]
    asks = [*INSTRUCTIONS, *["Name a tree."] * 3]
    whole = QualityScorer().score_batch(asks, texts)["quality"]
    assert (Measured(QualityScorer(), asks, texts).total(None) == whole).all()


def test_a_kind_of_damage_is_unseen_without_what_sees_it(measured):
    full, held = evidence(measured), evidence(measured, "relevance")
    assert full["kinds"]["mismatched"] == 1.0 > held["kinds"]["mismatched"]
    assert full["kinds"]["emptied"] == held["kinds"]["emptied"] == 1.0


def test_what_both_answers_share_changes_no_preference(measured):
    full, held = evidence(measured), evidence(measured, "specificity")
    assert held["any_pair"] == full["any_pair"] and held["kinds"] == full["kinds"]


def test_the_mean_is_over_the_kinds_and_the_table_names_what_moved(measured):
    full, held = evidence(measured), evidence(measured, "relevance")
    assert full["corruptions"] == pytest.approx(np.mean(list(full["kinds"].values())))
    lines = table_lines(full, {"relevance": held})
    assert len(lines) == 4 and f"mismatched {held['kinds']['mismatched'] - 1:+.3f}" in lines[-1]


def test_answers_of_one_length_have_no_correlation_with_it():
    answers = ["Loire and Seine.", "An old oak.", "Blue, not red.", "No."]
    pairs = {"instruction": INSTRUCTIONS, "chosen": RESPONSES, "rejected": answers}
    full = evidence(measure(QualityScorer(), pairs, INSTRUCTIONS, [*answers[:3], "It is so."], seed=0))
    assert full["length_correlation"] is None and " - | |" in table_lines(full, {})[-1]
    lines = table_lines(full, {"topic": full | {"length_correlation": 0.5}})
    lines += table_lines(full | {"length_correlation": 0.5}, {"topic": full})
    assert [line.endswith(" - |  |") for line in lines if line.startswith("| topic")] == [True, True]


def test_the_command_writes_what_it_prints(tmp_path):
    pairs, rows = tmp_path / "pairs.jsonl", tmp_path / "rows.jsonl"
    pairs.write_text("\n".join(json.dumps({"instruction": a, "chosen": b, "rejected": "No."}) for a, b in PAIRS))
    rows.write_text("\n".join(json.dumps({"instruction": a, "response": b}) for a, b in PAIRS))
    command = [sys.executable, "scorer_ablation.py", pairs, rows, "--results_dir", tmp_path / "results"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=REPOSITORY)
    kept = json.loads((tmp_path / "results" / "scorer" / "ablation.json").read_text())
    assert (
        done.returncode == 0
        and set(COLUMNS) < set(kept["full"])
        and len(kept["held"]) == len(done.stdout.splitlines()) - 3
    )
