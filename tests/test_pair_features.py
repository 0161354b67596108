"""Sub-scores by hand: what an ask expects, lines and code out of order."""

import numpy as np
import pytest

from pair_features import (
    CHOICE,
    CODE,
    FACT,
    LONG,
    OPEN,
    broken_lines,
    code_order,
    expected_content,
)
from text_features import read_texts
from word_facts import CHOICE_BIT, CODE_ASK_BIT, FACT_BIT, LONG_BIT, MAKING_BIT, OPEN_BIT


def test_prose_in_lines_of_a_word_is_broken_and_a_list_of_words_is_not():
    prose = "The river is long and the hill is in the sun"
    answers = read_texts([prose.replace(" ", "\n"), prose, "Loire\nSeine\nRhone\nTarn", "."])
    lines = np.array([text.count("\n") for text in answers.texts])
    assert broken_lines(answers, lines).tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "text, bits, tokens, expected",
    [
        ("Write 60 words", LONG_BIT | MAKING_BIT, 3, 10.0), ("Write 9,000 words", 0, 3, 150.0),
        ("00 words", 0, 3, CHOICE), ("yes or no?", 0, 3, CHOICE), ("pick", CHOICE_BIT, 1, CHOICE),
        ("code", CODE_ASK_BIT, 1, CODE),
        ("code", CODE_ASK_BIT | FACT_BIT, 1, FACT), ("essay", LONG_BIT | MAKING_BIT, 1, LONG),
        ("essay", LONG_BIT, 1, OPEN), ("who", FACT_BIT, 1, FACT), ("hm", 0, 59, OPEN), ("hm", 0, 60, FACT),
        ("hm", OPEN_BIT, 60, OPEN),
    ],
)  # fmt: skip
def test_how_much_is_expected(text, bits, tokens, expected):
    assert expected_content(text, bits, tokens) == expected


def test_code_without_its_brackets_or_its_indentation_is_out_of_order():
    code = "def add(first, second):\n    if first > 0:\n        return (first + second)\n    return {0: [first]}[0];\n"
    flat = code.replace("    ", "")
    open_ended = code.replace(")", "").replace("]", "").replace("}", "")
    answers = read_texts([code, flat, open_ended, "Plain prose (with marks).", "."])
    found = code_order(answers).tolist()
    assert answers.code.tolist() == [True, True, True, False, False]
    assert found[0] == 1.0 and found[1] == pytest.approx(0.6) and found[2] == 0.0 and found[3:] == [1.0, 1.0]
