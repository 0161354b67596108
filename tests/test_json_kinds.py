"""Our JSON files are held to the kinds of their values when they are read, and what we write keeps to them."""

import json
import re
from pathlib import Path

import pytest

import common
from analyze_results import round_numbers
from common import UserError
from json_kinds import ANY, SOME, find_wrong, kinds_of

ROOT = Path(__file__).parent.parent
RUN = {"config": {"epochs": 3}, "rows": {"trained": 25}, "loss_curve": [{"step": 1, "loss": 2.5}], "mfu": None}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"rows": None}, "rows is null, not an object"),
        ({"rows": {"trained": "25"}}, 'rows.trained is "25", not a count'),
        ({"rows": {"trained": -1}}, "rows.trained is -1, not a count"),
        ({"rows": {"trained": True}}, "rows.trained is true, not a count"),
        ({"rows": {"trained": 10**30}}, "rows.trained is 1000"),
        ({"loss_curve": {}}, "loss_curve is {}, not a list"),
        (
            {"loss_curve": [{"step": 1, "loss": 2.5}, {"step": 2, "loss": None}]},
            "loss_curve.1.loss is null, not a number",
        ),
        ({"config": {"epochs": []}}, "config.epochs is [], not a number"),
        ({"mfu": "fast"}, 'mfu is "fast", not a number'),
    ],
)
def test_a_value_of_another_kind_is_named_with_its_file_and_key(tmp_path, change, said):
    file = tmp_path / "train_results.json"
    file.write_text(json.dumps({**RUN, **change}))
    with pytest.raises(UserError, match=rf"train_results.json is damaged \({re.escape(said)}"):
        common.read_json(file)
    file.write_text(json.dumps({**RUN, "ours_alone": change}))
    assert common.read_json(file)["rows"]["trained"] == 25  # a key that no reader uses is free


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_damage(tmp_path, number):
    (tmp_path / "any.json").write_text(f'{{"a": [{number}]}}')
    with pytest.raises(UserError, match=f"any.json is damaged \\({number} is not a finite number"):
        common.read_json(tmp_path / "any.json")


def test_half_a_character_is_damage(tmp_path):
    (tmp_path / "any.json").write_text('{"a": "\\ud83d\\ude00"}')
    assert common.read_json(tmp_path / "any.json")["a"] == "\U0001f600"
    (tmp_path / "any.json").write_text('{"\\uD83D": 1}')
    with pytest.raises(UserError, match="any.json is damaged .*surrogates"):
        common.read_json(tmp_path / "any.json")


def test_rounded_facts_still_name_their_file(tmp_path):
    (tmp_path / "any.json").write_text('{"interval": {"high": 0.123456789}}')
    interval = round_numbers({"found": common.read_json(tmp_path / "any.json")})["found"]["interval"]
    assert interval["high"] == 0.123457
    with pytest.raises(UserError, match="any.json lacks 'low'"):
        interval["low"]


def test_what_must_not_be_empty():
    assert find_wrong({"a": {}, "b": []}, {"a": {ANY: int}, "b": [int]}) is None
    assert find_wrong({"a": {}}, {"a": {SOME: int}}) == "a is empty"
    assert find_wrong({"b": []}, {"b": [int, SOME]}) == "b is empty"
    assert find_wrong({"a": {"x": 1, "y": None}}, {"a": {"x": int, SOME: (int, None)}}) is None


def test_the_published_files_keep_to_their_kinds():
    files = [file for file in (ROOT / "results" / "reference").rglob("*.json") if kinds_of(file)]
    assert len(files) > 100
    for file in files:
        common.read_json(file)
