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
from text_soundness import capitals_in_place, crowded_words, further_faults
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


PLAIN_TEXT = "The river runs down from the hills to the sea, and then it is lost in the salt of the wide water."
TITLED = PLAIN_TEXT.title()
LOUD = PLAIN_TEXT.replace("river", "RIVER").replace("hills", "HILLS").replace("lost", "LOST").replace("salt", "SALT")


def capitals_of(text: str, ask: str = "tell me of it.") -> float:
    answers, ones = read_texts([text, "."]), np.ones(2)
    return float(capitals_in_place([ask, ""], answers, np.array([text.count("\n"), 0]), ones)[0])


@pytest.mark.parametrize("text", [TITLED, LOUD])
def test_capitals_out_of_place(text):
    assert capitals_of(text) == pytest.approx(0.4)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN_TEXT, "The Nile\nThe Rhine\nThe Loire\nThe Seine\nThe Volga", "",
        "SELECT name FROM towns WHERE size > 5 ORDER", "SMART goals are SMART since they are SMART. SMART ones help.",
        "NASA and IBM are not in the EU or the UNHCR.",
        "1. The Lord of the Rings\n2. The Hunger Games\n3. A Tale of Two Cities",
    ],
)  # fmt: skip
def test_capitals_in_their_place(text):
    assert capitals_of(text) == 1.0


def test_a_title_that_was_asked_for_may_have_its_capitals():
    assert capitals_of(TITLED, "give me a title for this poem.") == 1.0


def test_words_that_run_into_each_other():
    texts = ["It is late.Then we go,since all sleep.", "See list.append and example.com, or 3.14 and U.S. law.", "."]
    assert crowded_words(read_texts(texts)).tolist() == [2, 0, 0]


def faults_of(answer: str, ask: str = "What is it?") -> float:
    return float(further_faults(read_texts([ask, "."]), read_texts([answer, "."]))[0])


def test_faults_that_count_as_misspelt_words():
    spaced_out = "It is late . We go , since all sleep . They do ."
    assert faults_of(spaced_out) == 4.0 and faults_of(spaced_out, "Go on : it is late .") == 0.0
    assert faults_of("It is late.Then we go.Since all sleep.They do.") == 4.0 and faults_of("So is it .") == 0.0
    names = "Bagopi Dulavor Fenik Gorumat Hibaco Jeruna Kolabi ran."
    assert faults_of(names) == 3.0 and faults_of(names, f"Who ran of {names}") == 0.0
