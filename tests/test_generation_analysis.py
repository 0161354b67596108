"""Measures of generated text, by hand."""

import pytest

import generation_analysis as ga


def answer(text, ended=True):
    row = {"id": "a", "source": "s", "instruction": "one two three four five", "response": "six seven"}
    return ga.measure_answer(row, {"answer": text, "tokens": len(text.split()), "ended": ended})


def test_repetition_copying_and_length():
    measured = answer("one two three four x one two three four")
    # 4-grams: 6, of which "one two three four" twice: 5 distinct; that same one stands in the instruction.
    assert measured["rep_4"] == pytest.approx(1 / 6)
    assert measured["copy_fraction"] == pytest.approx(2 / 6)
    assert measured["length_ratio"] == pytest.approx(9 / 2)


def test_an_empty_answer_is_measured_not_invented():
    measured = answer("  ")
    assert measured["empty"] and not measured["looped"]
    assert measured["copy_fraction"] is None and measured["rep_4"] == 0.0


@pytest.mark.parametrize(
    "text, looped",
    [
        ("go go go", True),
        ("a b a b a b", True),
        ("so it is. it is. it is.", True),
        ("go go", False),
        ("a b c a b d a b e", False),
        ("- - - - -", False),  # a ruled line, not a loop
        ("", False),
    ],
)
def test_loops(text, looped):
    assert ga.ends_in_loop(ga.WORD.findall(text)) is looped


def test_distinct_is_over_a_fixed_number_of_words(monkeypatch):
    monkeypatch.setattr(ga, "DISTINCT_WORDS", 4)
    assert ga.distinct_fraction([["a", "b"], ["a", "c", "d"]], 1) == pytest.approx(3 / 4)
    assert ga.distinct_fraction([["a", "b", "c"]], 1) is None


def test_summary_counts_only_what_was_measured():
    rows = [answer("one two three four five"), answer("", ended=False)]
    summary = ga.summarise_generations(rows)
    assert summary["end_token_rate"] == 0.5 and summary["empty_rate"] == 0.5
    assert summary["copy_fraction"] == 1.0
    assert summary["distinct_2"] is None
