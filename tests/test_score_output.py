"""Scored rows as files, and corpus counts kept and used again, by the command."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet
import pytest
from test_scorer_validation import REPOSITORY, run

import quality_scorer
from common import UserError
from quality_scorer import QualityScorer
from score_output import explanation, rows_lines, scored_rows_path, write_scored_rows
from training_configs import SCORE_KEYS

ROWS = [
    {
        "instruction": f"Explain how the {animal} lives.",
        "response": f"The {animal} sleeps all day, \ud800 then it eats.",
    }
    for animal in ("otter", "raven", "lynx", "newt")
]


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_scored_rows_are_the_rows_with_the_scores_of_a_fit_on_them(data, tmp_path):
    done = run(data, "--output", tmp_path / "scored.jsonl")
    assert done.returncode == 0, done.stderr
    scored = [json.loads(line) for line in (tmp_path / "scored.jsonl").read_text().splitlines()]
    instructions, responses = ([row[name] for row in scored] for name in ("instruction", "response"))
    assert instructions == [row["instruction"] for row in ROWS]
    scorer = QualityScorer().fit([(instructions, responses)])
    assert [row["quality"] for row in scored] == scorer.score_batch(instructions, responses)["quality"].tolist()
    assert run(data, "--output", tmp_path / "scored.parquet").returncode == 0
    table = pyarrow.parquet.read_table(tmp_path / "scored.parquet")
    assert [{key: row[key] for key in SCORE_KEYS} for row in table.to_pylist()] == [
        {key: row[key] for key in SCORE_KEYS} for row in scored
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl", "scored.jsonl", "scored.parquet"]


def test_counts_are_kept_and_used_again(data, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps(ROWS[0]) + "\n")
    counts, scored = tmp_path / "counts.json", tmp_path / "scored.jsonl"
    assert "written to" in run(data, "--fit", counts).stdout
    assert "read from" in run(other, "--fit", counts, "--output", scored).stdout
    scorer = QualityScorer().fit([([row["instruction"] for row in ROWS], [""] * len(ROWS))])
    row = json.loads(scored.read_text())
    assert row["quality"] == scorer.score(row["instruction"], row["response"])["quality"]


def test_counts_keep_what_they_say_of_words_they_left_out_and_take_other_weights(tmp_path):
    scorer = QualityScorer().fit([([row["instruction"] for row in ROWS], [""] * len(ROWS))])
    scorer.unlisted = 2
    (tmp_path / "counts.json").write_text(json.dumps(scorer.to_dict()))
    options = SimpleNamespace(fit=str(tmp_path / "counts.json"), weights={"diversity": 0.0})
    again, _ = quality_scorer.fitted_scorer(options, None)
    assert (
        again.rarity("zebra") == scorer.rarity("zebra") != QualityScorer().fit([(["a"] * 4, [""] * 4)]).rarity("zebra")
    )
    assert again.weights["diversity"] == 0 and again.weights["clarity"] == scorer.weights["clarity"]


def test_what_is_shown_first_is_what_matters_most():
    scores = {key: np.array([0.5, 0.9, 0.1]) for key in SCORE_KEYS}
    texts = {name: [f"{name} {row}" for row in "abc"] for name in ("id", "source", "instruction", "response")}
    lines = [line for line in rows_lines(pyarrow.table(texts), scores) if "id id" in line]
    assert [line[-2] for line in lines] == list("baccab")
    losses = {"content": 0.1, "relevance": 0.3, "casing": 0.0, "spelling": 0.2}
    values = dict.fromkeys([*SCORE_KEYS, *losses], 0.5)
    shown = explanation(values, QualityScorer().weights, losses)
    start = shown.index("the total is held back most by") + 1
    assert [line.split()[0] for line in shown[start : start + 3]] == ["relevance", "spelling", "content"]


def test_files_are_whole_though_the_reader_closes_the_pipe_at_the_first_line(data, tmp_path):
    command = [sys.executable, "-u", "quality_scorer.py", data, "--output", tmp_path / "a.jsonl"]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY)
    process.stdout.close()
    assert process.stderr.read().decode() == "" and process.wait() == 141
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == len(ROWS)


def test_counts_of_another_version_are_refused(data, tmp_path):
    counts = tmp_path / "counts.json"
    counts.write_text(json.dumps(QualityScorer().to_dict() | {"scorer_version": 1}))
    done = run(data, "--fit", counts)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "version 1" in done.stderr
    counts.write_text("{}")
    assert "holds no fit statistics" in run(data, "--fit", counts).stderr


def test_another_kind_of_file_is_refused_before_anything_is_read(tmp_path):
    done = run(tmp_path / "missing.jsonl", "--output", tmp_path / "scored.csv")
    assert done.returncode == 2 and ".jsonl or .parquet" in done.stderr


def test_the_data_itself_is_not_written_over(tmp_path):
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps({"instruction": "Hi", "response": "Hello", "note": "mine"}) + "\n")
    (tmp_path / "link.jsonl").symlink_to(data)
    for source, output in ((data, data), (data, tmp_path / "link.jsonl"), (tmp_path, tmp_path / "scored.jsonl")):
        with pytest.raises(UserError, match="lies in the data itself"):
            scored_rows_path(str(output), str(source))
    assert scored_rows_path(str(tmp_path / "scored.jsonl"), str(data)) == tmp_path / "scored.jsonl"


@pytest.mark.parametrize("mode", ["--validate", "--corruptions"])
def test_evidence_is_not_written_over_its_data(tmp_path, mode):
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"instruction": "Hi", "response": "Hello", "chosen": "Hello.", "rejected": "No."}))
    before = data.read_bytes()
    done = run(mode, data, "--output", data)
    assert (done.returncode, done.stdout) == (2, "") and "lies in the data itself" in done.stderr
    assert data.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--validate", "p.jsonl", "--max_samples", 5], "--max_samples does nothing beside --validate"),
        (["--corruptions", "p.jsonl", "--fit", "counts.json"], "--fit does nothing beside --corruptions"),
        (["rows.jsonl", "--instruction", "Go."], "--instruction does nothing beside FILE"),
        (["rows.jsonl", "--validate", "p.jsonl"], "FILE does nothing beside --validate"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(arguments, words):
    done = run(*arguments)
    assert done.returncode == 2 and words in done.stderr, done.stderr


def test_one_pair_is_explained_with_the_counts_of_a_corpus(data, tmp_path):
    counts = tmp_path / "counts.json"
    assert run(data, "--fit", counts).returncode == 0
    pair = ["--explain", "--instruction", ROWS[0]["instruction"], "--response", "The otter sleeps all day."]
    fitted, alone = (run(*pair, *options).stdout for options in (["--fit", counts], []))
    scorer = QualityScorer.from_dict(json.loads(counts.read_text()))
    quality = scorer.score(ROWS[0]["instruction"], "The otter sleeps all day.")["quality"]
    assert f"quality             {quality:.3f}" in fitted and fitted != alone
    missing = run(*pair, "--fit", tmp_path / "none.json")
    assert missing.returncode == 2 and "none.json" in missing.stderr


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    path = scored_rows_path(str(tmp_path / "scored.parquet"), "demo")
    with pytest.raises(UserError, match="scored.parquet: the disk is full"):
        write_scored_rows(path, pyarrow.table({"a": [1]}))
    assert not list(tmp_path.iterdir())


def test_scores_and_counts_do_not_depend_on_how_rows_are_handed_over(data, monkeypatch):
    monkeypatch.setattr(quality_scorer, "BATCH_ROWS", 3)
    instructions, responses = ([row[name] for row in ROWS] for name in ("instruction", "response"))
    responses = [response.replace("\ud800", "") for response in responses]
    scorer = QualityScorer()
    from_lists = quality_scorer.score_rows(scorer, instructions, responses)["quality"]
    arrow = [pyarrow.chunked_array([column[:1], column[1:]]) for column in (instructions, responses)]
    counted = json.dumps(QualityScorer().fit([(instructions, responses)]).to_dict())
    for num_proc in (1, 2):
        assert (quality_scorer.score_rows(scorer, *arrow, num_proc)["quality"] == from_lists).all()
        fitted = QualityScorer()
        quality_scorer.fit_rows(fitted, arrow[0], num_proc)
        assert json.dumps(fitted.to_dict()) == counted
