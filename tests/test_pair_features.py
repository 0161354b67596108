"""Small functions of the sub-scores, by hand: what is said again, what stands around an answer, how it ends."""

import numpy as np
import pytest

from pair_features import (
    CHOICE,
    CODE,
    FACT,
    LEAST_ECHO,
    LONG,
    OPEN,
    broken_lines,
    code_order,
    completeness,
    concludes_early,
    echoed_fraction,
    expected_content,
    layout,
    looped_fraction,
    looped_or_repeated,
    numbers_rise,
    quoted,
    said_twice,
    says_again,
)
from text_features import read_texts
from word_facts import CHOICE_BIT, CODE_ASK_BIT, FACT_BIT, LONG_BIT, MAKING_BIT, OPEN_BIT


@pytest.mark.parametrize(
    "text, twice",
    [
        ("Yes. Yes.", True), (" One two.\n\nOne two.\n", True), ("a    a", True), ("", False), ("  ", False),
        ("a", False), ("aa", False), ("Yes.Yes.", False), ("Yes. No.", False), ("a a a", False),
        ("One two. One two. One", False),
    ],
)  # fmt: skip
def test_a_text_said_twice(text, twice):
    assert said_twice(text) is twice


def test_share_of_a_loop_at_the_end():
    assert looped_fraction("a word " * 30) == pytest.approx(1.0)
    assert looped_fraction("0123456789" * 3) == 1.0 and looped_fraction("0123456789" * 2) == 0.0
    assert looped_fraction("x" * 70 + "0123456789" * 3) == 0.3
    long = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF"  # longer than 40 characters: twice is a loop
    assert looped_fraction(long * 2) == 1.0 and looped_fraction(long) == 0.0
    assert looped_fraction("a" * 50) == 1.0 and looped_fraction("-" * 50) == looped_fraction("") == 0.0


def test_sentences_said_before_count_as_loops():
    assert looped_or_repeated("One two. One two.") == 0.5
    rivers = "The Loire is long. The Seine is short. The Rhone is wide. "
    assert looped_or_repeated(rivers + "The Loire is long. The Tarn is deep") == pytest.approx(1 / 5)
    assert looped_or_repeated(rivers) == looped_or_repeated("") == 0.0


def test_an_ask_said_again_before_its_answer_is_an_echo_of_its_share():
    ask = "Name the longest river."  # 23 characters
    assert echoed_fraction(ask, f"{ask} It is the Nile, I think.") == pytest.approx(23 / 48)
    assert echoed_fraction(ask, ask) == 1.0 and echoed_fraction(ask, f"{ask} {'x' * 500}") == LEAST_ECHO
    assert echoed_fraction(f" {ask}\n", f"\n{ask}{'x' * 22}") == pytest.approx(0.5)
    assert echoed_fraction(ask, "It is the Nile.") == echoed_fraction("Name a river.", "Name a river.") == 0.0
    assert echoed_fraction("def add(first, second):", "def add(first, second):\n    return first") == 0.0


def test_an_answer_that_is_next_to_nothing_but_its_ask():
    ask = "Name the longest river."
    assert says_again(ask, ask) and says_again(ask, f" {ask} ") and says_again(ask, ask[:-2])
    assert not says_again(ask, ask[:-3]) and not says_again(ask, "Name the largest river.") and not says_again("", "")


@pytest.mark.parametrize(
    "ask, answer, how",
    [
        ("Which: red, blue, or green?", "blue", 1.0), ("Pick.\nA) red\nB) blue", "Red.", 1.0), ("red", "red", 1.0),
        ("The old mill stands there.", "old mill", 0.9), ("The old mill stands.", "mill old", 0.5),
        ("A redder shade: red?", "red", 1.0), ("Is infrared seen?", "red", 0.9),
    ],
)  # fmt: skip
def test_how_an_answer_stands_in_its_ask(ask, answer, how):
    assert quoted(ask, answer) == how


def test_prose_in_lines_of_a_word_is_broken_and_a_list_of_words_is_not():
    prose = "The river is long and the hill is in the sun"
    answers = read_texts([prose.replace(" ", "\n"), prose, "Loire\nSeine\nRhone\nTarn", "."])
    lines = np.array([text.count("\n") for text in answers.texts])
    assert broken_lines(answers, lines).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_order_of_items_and_conclusions():
    assert numbers_rise("1. a\n2. b\n3. c") and numbers_rise("no items") and numbers_rise("1. a\n3. c")
    assert not numbers_rise("2. b\n1. a") and not numbers_rise("1. a\n3. c\n2. b")
    assert concludes_early("In conclusion, yes. It rained all day long.") and not concludes_early(
        "It rained. Overall, bad."
    )


def test_layout_counts_items_headings_paragraphs_tables_and_blocks():
    assert layout("- a\n  * b\n1. c") == 3.0 and layout("# head") == 2.0 and layout("a\n\nb") == 1.5
    assert layout("| a |\n| b |") == 2.0 and layout("```\nx\n```") == 2.0 and layout("so **bold** a") == 1.0
    assert layout("\n" * 9) == 1.5 * 5 and layout("plain text") == layout("") == 0.0


@pytest.mark.parametrize(
    "text, words, found",
    [
        ("It is done.", 3, 1.0), ("It is (done.", 3, 0.7), ('He said "so.', 3, 0.7), ("It has 12 in 30", 5, 1.0),
        ("```\nx = 1", 3, 0.4), ("f() {", 1, 0.4), ("First, then,", 2, 0.35), ("Paris", 1, 0.95),
        ("Paris (old", 2, 0.7), ("words " * 30, 30, 0.4), ("- one\n- " + "more words " * 9, 20, 0.8),
        ("the words\n" * 30, 60, 0.8),
    ],
)  # fmt: skip
def test_how_an_answer_ends(text, words, found):
    assert completeness(text, words, False, False, FACT, 1.0) == pytest.approx(found)


def test_an_end_that_leads_on_and_a_sentence_without_its_stop():
    assert completeness("It is the", 3, True, False, FACT, 1.0) == 0.35
    assert completeness("Paris is old", 3, False, True, FACT, 1.0) == 0.7
    assert completeness("mots " * 30, 30, False, False, FACT, 0.0) == 0.8


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
