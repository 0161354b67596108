"""The evidence about a scorer: fits against hand numbers and planted truth, corruptions, one-line errors."""

import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_quality_scorer import PAIRS

from common import UserError
from quality_scorer import QualityScorer
from retention_statistics import wilson_interval
from scorer_validation import (
    CORRUPTIONS,
    FURTHER_CORRUPTIONS,
    INSTRUCTION_CORRUPTIONS,
    accuracy,
    character_noise,
    citation_marks,
    corruption_evidence,
    corruption_lines,
    corruption_table,
    indentation_lost,
    left_out_words,
    line_breaks,
    lines_numbered,
    list_literal,
    logistic_fit,
    names_made_up,
    pair_subsets,
    read_pairs,
    said_twice,
    sentence_missing,
    space_before_marks,
    space_lost,
    title_case,
    vague,
    validate,
    validation_lines,
    words_blanked,
    words_doubled,
)
from training_configs import SCORE_KEYS

REPOSITORY = Path(__file__).resolve().parent.parent


def test_logistic_fit_equals_the_hand_numbers_of_one_column():
    # 30 of 40 pairs agree with a difference of 1, 10 with -1: log odds log(3), information n p (1 - p)
    fit = logistic_fit(np.array([[1.0]] * 30 + [[-1.0]] * 10))
    assert fit["coefficients"] == pytest.approx([math.log(3)], abs=1e-9)
    assert fit["standard_errors"] == pytest.approx([1 / math.sqrt(40 * 0.75 * 0.25)], abs=1e-9)


def test_logistic_fit_finds_what_was_planted():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(20_000, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    chance = 1 / (1 + np.exp(-columns @ np.array([1.5, -0.5])))
    signs = np.where(rng.random(len(chance)) < chance, 1.0, -1.0)
    fit = logistic_fit(columns * signs[:, None])
    for found, error, planted in zip(fit["coefficients"], fit["standard_errors"], [1.5, -0.5], strict=True):
        assert abs(found - planted) < 3 * error and error < 0.05


def test_no_fit_where_none_is_finite():
    assert logistic_fit(np.array([[1.0], [2.0]])) is None  # separated
    assert logistic_fit(np.array([[1.0, 2.0], [-1.0, -2.0], [1.0, 2.0]])) is None  # one column says what the other does
    assert logistic_fit(np.zeros((5, 2))) is None


def test_accuracy_counts_ties_half_and_draws_whole_groups():
    row = accuracy(np.array([1.0, -1.0, 0.0, 2.0]), np.array(["a", "b", "c", "d"]))
    assert row["accuracy"] == 0.625 and row["pairs"] == 4
    wins = np.where(np.arange(400) % 2 < 1, 1.0, -1.0)
    alone = accuracy(wins, np.arange(400))
    clustered = accuracy(np.repeat(wins[:20], 20), np.repeat(np.arange(20), 20))
    assert clustered["high"] - clustered["low"] > 2 * (alone["high"] - alone["low"])
    # the normal interval of a share of half over 400: half a width of 1.96 * 0.5 / 20
    assert alone["high"] - alone["low"] == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.15)


def test_pairs_that_all_agree_are_no_certainty():
    for wins, pairs in ((1, 1), (20, 20), (0, 20), (19, 20)):
        row = accuracy(np.where(np.arange(pairs) < wins, 1.0, -1.0), np.arange(pairs))
        low, high = wilson_interval(wins, pairs)
        assert row["low"] <= low and row["high"] >= high, (wins, pairs)
    row = accuracy(np.ones(40), np.repeat([0, 1], 20))
    assert row["low"] == pytest.approx(wilson_interval(2, 2)[0])  # pairs of two instructions, not forty


def test_subsets_by_kind_and_by_like_length():
    masks = pair_subsets(np.array(["x", "y", "x"]), np.array([10, 10, 0]), np.array([10, 20, 0]))
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "all": [True, True, True],
        "kind x": [True, False, True],
        "kind y": [False, True, False],
        "like length": [True, False, True],
    }


def planted_pairs() -> dict[str, list[str]]:
    """Pairs whose preferred answer is the one that ends in its number of stars, whatever its length."""
    rng = random.Random(0)
    pairs = {"instruction": [], "chosen": [], "rejected": [], "kind": []}
    for number in range(300):
        answers = [f"{'word ' * rng.randint(1, 40)}{'*' * stars}" for stars in (rng.randint(1, 9), rng.randint(1, 9))]
        better = answers[0].count("*") - answers[1].count("*") + rng.gauss(0, 2) > 0
        pairs["instruction"].append(f"ask {number}")
        pairs["chosen"].append(answers[0] if better else answers[1])
        pairs["rejected"].append(answers[1] if better else answers[0])
        pairs["kind"].append("")
    return pairs


def stars(instructions, responses) -> dict[str, np.ndarray]:
    return {"quality": np.array([response.count("*") / 10 for response in responses])}


def test_validation_tells_the_score_from_length():
    result = validate(stars, planted_pairs())
    rows = result["accuracy"]["all"]
    assert rows["quality"]["low"] > 0.7 and rows["length alone"]["low"] < 0.5 < rows["length alone"]["high"]
    effect = result["partial_effect"]
    assert effect["score"]["coefficient"] > 5 * effect["score"]["standard_error"]
    assert abs(effect["log_length"]["coefficient"]) < 3 * effect["log_length"]["standard_error"]
    json.dumps(result, allow_nan=False)
    assert any("length alone" in line for line in validation_lines(result))


def test_pairs_are_read_and_bad_ones_named(tmp_path):
    good = tmp_path / "pairs.jsonl"
    good.write_text('{"instruction": "a", "chosen": "b", "rejected": "c", "kind": "any"}\n')
    pairs = {"instruction": ["a"], "chosen": ["b"], "rejected": ["c"], "kind": ["any"]}
    assert read_pairs(str(good)) == (pairs, {})
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"instruction": "a", "chosen": "b"}\n')
    with pytest.raises(UserError, match="row 1: column 'rejected' holds no answer .*; --validate needs instruction"):
        read_pairs(str(bad))
    lines = [
        *[bad.read_text()] * 2,
        good.read_text(),
        '{"instruction": "a", "chosen": null, "rejected": "c"}\n',
        "{oops\n",
    ]
    bad.write_text("".join(lines))
    columns = [f"column {name!r} holds no answer to an instruction" for name in ("rejected", "chosen")]
    assert read_pairs(str(bad)) == (pairs, {columns[0]: 2, columns[1]: 1, "unreadable": 1})
    assert "2 rows left out: column 'rejected'" in left_out_words(read_pairs(str(bad))[1])
    bad.write_text("")
    with pytest.raises(UserError, match="bad.jsonl"):
        read_pairs(str(bad))


ASK, GOOD, BAD = (
    {"role": role, "content": text} for role, text in (("user", "a"), ("assistant", "b"), ("assistant", "c"))
)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a", "chosen": "b", "rejected": "c"},
        {"Question": "a", "Chosen": "b", "Rejected": "c", "messages": [ASK, BAD]},
        {"prompt": "a", "chosen": [ASK, GOOD], "rejected": [ASK, BAD]},
        {"prompt": [ASK], "chosen": [GOOD], "rejected": [BAD]},
        {"chosen": [ASK, GOOD], "rejected": [ASK, BAD]},
    ],
)
def test_preferences_are_read_in_the_shapes_that_filtering_reads(tmp_path, row):
    (tmp_path / "d.json").write_text(json.dumps([row, {"instruction": "a", "chosen": "b", "rejected": ""}]))
    found, _ = read_pairs(str(tmp_path / "d.json"))
    assert found == {"instruction": ["a", "a"], "chosen": ["b", "b"], "rejected": ["c", ""], "kind": ["", ""]}


def test_of_a_preference_in_a_dialogue_the_last_answers_are_compared(tmp_path):
    talk = "\n\nHuman: a\n\nAssistant: b\n\nHuman: More?\n\nAssistant:"
    (tmp_path / "d.json").write_text(json.dumps([{"chosen": f"{talk} Yes.", "rejected": f"{talk} No."}]))
    found, _ = read_pairs(str(tmp_path / "d.json"))
    assert (found["chosen"], found["rejected"]) == (["Yes."], ["No."])
    assert found["instruction"] == ["User: a\n\nAssistant: b\n\nUser: More?"]


@pytest.mark.parametrize("row", [{"prompt": "a", "chosen": None, "rejected": "c"}, {"chosen": "b", "rejected": "c"}])
def test_a_preference_without_an_answer_or_an_instruction_is_named(tmp_path, row):
    (tmp_path / "d.json").write_text(json.dumps([row]))
    with pytest.raises(UserError, match="d.json, row 1: column 'chosen' holds no answer to an instruction"):
        read_pairs(str(tmp_path / "d.json"))


def test_corruptions_are_seeded_and_seen():
    instructions, responses = (list(column) for column in zip(*PAIRS, strict=True))
    entries = corruption_table(QualityScorer().score_batch, instructions, responses)
    assert entries == corruption_table(QualityScorer().score_batch, instructions, responses)
    assert [entry["kind"] for entry in entries] == [corrupt.__name__ for corrupt in CORRUPTIONS]
    assert np.mean([entry["original_wins"] for entry in entries]) > 0.85
    json.dumps(entries, allow_nan=False)


def test_further_damage_and_damage_to_instructions_are_seen_too():
    instructions, responses = (list(column) for column in zip(*PAIRS, strict=True))
    tables = corruption_evidence(QualityScorer().score_batch, instructions, responses)
    assert tables["kinds"] == corruption_table(QualityScorer().score_batch, instructions, responses)
    further = {entry["kind"]: entry["original_wins"] for entry in tables["further"]}
    seen = ["words_doubled", "said_twice", "line_breaks", "chat_remains", "link_behind", "label_before",
            "system_prompt_before", "lines_marked", "percent_encoded", "other_script_behind", "citation_marks",
            "words_in_capitals", "title_case", "space_lost", "space_before_marks", "words_blanked", "list_literal",
            "names_made_up"]  # fmt: skip
    assert all(further[kind] > 0.8 for kind in seen), further
    clarity = {entry["kind"]: entry["original_wins"] for entry in tables["instruction"]}
    assert min(clarity.values()) > 0.8, clarity
    lines = corruption_lines(tables)
    assert len(lines) == len(CORRUPTIONS) + len(FURTHER_CORRUPTIONS) + len(INSTRUCTION_CORRUPTIONS) + 7


def test_what_further_damage_does():
    rng = random.Random(0)
    assert sentence_missing("One. Two. Three.", rng, []) == "One. Two. Three."
    assert sentence_missing("One. Two. Three. Four.", rng, []) in ("One. Three. Four.", "One. Two. Four.")
    assert said_twice("Yes.", rng, []) == "Yes.\n\nYes." and line_breaks("a b", rng, []) == "a\nb"
    assert indentation_lost("if a:\n    b\n\tc", rng, []) == "if a:\nb\nc"
    assert words_doubled("a\nb " * 500, rng, []).count("a a\n") in range(30, 75)
    assert vague("Name rivers of it", rng, []).startswith("Name ")


def test_what_is_put_before_and_within():
    rng = random.Random(0)
    assert lines_numbered("a\nb", rng, []) == "a\nb" and lines_numbered("a\nb\nc", rng, []) == "1 a\n2 b\n3 c"
    assert title_case("it's so. Yes", rng, []) == "It's So. Yes" and space_lost("a. B, c 1.5", rng, []) == "a.B,c 1.5"
    assert space_before_marks("So, 1.5 is.", rng, []) == "So , 1.5 is ."
    assert re.fullmatch(r"1\. It is\.\[\d+\] So\?\[\d+\]", citation_marks("1. It is. So?", rng, []))
    made = names_made_up("rivers of " * 50, rng, []).split()
    assert made[1::2] == ["of"] * 50 and 15 < sum(word.istitle() and len(word) == 6 for word in made) < 45
    assert len(words_blanked("rivers hills", rng, [])) == 12 and list_literal("It's", rng, []) == '["It\'s"]'


def test_noise_is_light_and_in_letters_alone():
    text = "abcd 1234. " * 500
    noisy = character_noise(text, random.Random(0), [])
    changed = [(one, other) for one, other in zip(text, noisy, strict=True) if one != other]
    assert 0.06 < len(changed) / 2_000 < 0.1 and all(one.isalpha() and other.isalpha() for one, other in changed)


def test_copies_left_as_they_were_do_not_count():
    entries = corruption_table(stars, ["a", "b"], ["One.", "One."])
    by_kind = {entry["kind"]: entry for entry in entries}
    assert by_kind["shuffled_words"]["rows"] == 0 and by_kind["shuffled_words"]["original_wins"] is None
    assert by_kind["emptied"]["original_wins"] == 0.5
    corruption_lines({"kinds": entries, "further": [], "instruction": []})


def run(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "quality_scorer.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)


def test_the_command_line_prints_and_keeps_the_evidence(tmp_path):
    pairs = tmp_path / "pairs.jsonl"
    rows = [{"instruction": ask, "chosen": reply, "rejected": reply[:60]} for ask, reply in PAIRS]
    pairs.write_text("\n".join(map(json.dumps, rows)))
    done = run("--validate", pairs, "--results_dir", tmp_path)
    assert done.returncode == 0 and "length alone" in done.stdout, done.stderr
    kept = json.loads((tmp_path / "scorer" / "validation.json").read_text())
    assert set(kept["accuracy"]["all"]) == {*SCORE_KEYS, "length alone"} and kept["provenance"]["inputs"]
    done = run("--corruptions", pairs, "--output", tmp_path / "here.json")
    assert done.returncode == 0 and "shuffled_sentences" in done.stdout, done.stderr
    kept = json.loads((tmp_path / "here.json").read_text())
    assert len(kept["kinds"]) == len(CORRUPTIONS) and kept["config"]["max_samples"] == 5_000
    done = run("--validate", tmp_path / "nowhere.jsonl")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")


def test_a_closed_pipe_is_no_error():
    command = (
        f"{sys.executable} quality_scorer.py --explain --instruction a --response b | true; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stderr == "" and done.returncode in (0, 141)  # 141: what a shell says of such an end
