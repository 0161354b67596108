"""Checks of one text by hand: repetition, order, layout, endings, sums, brackets, blocks of code, forms."""

import pytest

from pair_features import FACT
from text_checks import (
    CHECKED_CHARACTERS,
    LEAST_ECHO,
    blocks_indented,
    brackets_match,
    completeness,
    concludes_early,
    echoed_fraction,
    holds,
    keeps_form,
    layout,
    looped_fraction,
    looped_or_repeated,
    numbers_rise,
    quoted,
    said_twice,
    says_again,
    sums_hold,
    value_of,
)


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
    assert echoed_fraction(ask, f'The question "{ask}" can be answered so: the Nile.') > LEAST_ECHO
    assert echoed_fraction(ask, f"{'The Nile is long. ' * 6}{ask}") == 0.0
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


def test_order_of_items_and_conclusions():
    assert numbers_rise("1. a\n2. b\n3. c") and numbers_rise("no items") and numbers_rise("1. a\n3. c")
    assert not numbers_rise("2. b\n1. a") and not numbers_rise("1. a\n3. c\n2. b")
    assert numbers_rise("The answer is 12. Why:\n1. Add.\n2. Done.") and numbers_rise("In 1901. 1. a 2. b")
    assert not numbers_rise("Steps: 2. Done. 1. Add.") and not numbers_rise("## 2. Done\n\n**1. Add**")
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
        ("the words\n" * 30, 60, 0.8), ("It is done. 🎉", 3, 1.0), ("It is done!\n\n❤️👩‍🚀 ", 3, 1.0), ("🎉🎉", 1, 0.95),
        ("It is done.\n\n---", 3, 1.0), ("First, then, 🎉", 2, 0.35), ("It was ---", 2, 0.35),
    ],
)  # fmt: skip
def test_how_an_answer_ends(text, words, found):
    assert completeness(text, words, False, False, FACT, 1.0) == pytest.approx(found)


def test_an_end_that_leads_on_and_a_sentence_without_its_stop():
    assert completeness("It is the", 3, True, False, FACT, 1.0) == 0.35
    assert completeness("Paris is old", 3, False, True, FACT, 1.0) == 0.7
    assert completeness("mots " * 30, 30, False, False, FACT, 0.0) == 0.8


@pytest.mark.parametrize(
    "chain, value",
    [
        ("2 + 3 * 4", 14), ("20 - 2 * 3 - 4", 10), ("2*3+4*5", 26), ("100 / 4 * 2", 50), ("3 x 4", 12), ("3x4", 12),
        ("7 × 8 ÷ 4", 14), ("1,200 + 34", 1234), ("0.5 * 2.5", 1.25), ("10 - 3 - 2", 5), ("5 - 8", -3),
        ("4 / 0", None), ("4 / 0.0 + 1", None), ("60 / 3/4", None), ("0 / 4", 0),
    ],
)  # fmt: skip
def test_value_of_a_chain(chain, value):
    assert value_of(chain) == value


@pytest.mark.parametrize(
    "chain, said, right",
    [
        ("2 + 2", "4", True), ("2 + 2", "4.0", True), ("2 + 2", "5", False), ("3 - 5", "-2", True),
        ("10 / 3", "3.33", True), ("10 / 3", "3.34", True), ("10 / 3", "3.4", True), ("10 / 3", "3.35", False),
        ("2 / 3", "0.67", True), ("2 / 3", "0.7", True), ("2 / 3", "0.9", False), ("0.1 + 0.2", "0.3", True),
        ("1,000 * 1,000", "1,000,000", True), ("999 * 999", "998,000", False), ("4 / 0", "7", True),
        ("9.75 * 2", "19", True), ("9.75 * 2", "21", False),
    ],
)  # fmt: skip
def test_a_result_holds_to_a_unit_of_its_last_digit_and_whole_numbers_exactly(chain, said, right):
    assert holds(chain, said) is right


@pytest.mark.parametrize(
    "text, share",
    [
        ("12 * 3 = 36", 1.0), ("12 * 3 = 37", 0.0), ("So 12 * 3 = 36, and 2 + 2 = 5.", 0.5),
        ("3 * 4 + 1 = 12 + 1 = 13", 1.0), ("3 * 4 + 1 = 12 + 1 = 14", 0.0), ("She pays $5 + $7 = $12.", 1.0),
        ("She pays $5 + $7 = $13.", 0.0), ("6 x 7 = 41 eggs", 0.0), ("1+1=3\n1+1=2\n2-1=1", 2 / 3),
        ("1,200 + 34 = 1,234, then", 1.0), ("5 - 8 = -3", 1.0), ("5 - 8 = 3", 0.0),
    ],
)  # fmt: skip
def test_share_of_the_sums_that_hold(text, share):
    assert sums_hold(text) == share


@pytest.mark.parametrize(
    "text",
    [
        "", "no sum at all", "x = 3", "2x + 3 = 8", "x^2 + 1 + 1 = 9", "f(2) + 1 + 1 = 9", "- 3 + 5 = 9", "-3 + 5 = 9",
        "(2 + 3) * 4 * 5 = 9", "1 + 1 = 3%", "1 + 1 = 3/4", "1 + 1 = 3x", "1 + 1 = 3 * 4", "1 + 1 = 2.5.1",
        "1 + 1 == 3", "1 + 1 >= 3", "60 / 3/4 = 9", "1 / 0 = 9", "v1.2 + 3 = 9", "12:30 = 9", "on 2020-01-02",
        "pages 3-5 and 7-9",
        "from 3 - 5 to 9", "10 = 9", "1 + 1 3 = 9", "2^3 * 2 = 9",
    ],
)  # fmt: skip
def test_what_is_no_sum_is_not_judged(text):
    assert sums_hold(text) == 1.0


def test_brackets_close_what_was_last_opened_or_are_wrong():
    assert brackets_match("f(x[0], {1: 2})") == 1.0
    assert brackets_match("f(x[0], {1: 2)}") == pytest.approx(1 - 2 / 6)  # ")" and what it left open
    assert brackets_match("((()") == 0.5 and brackets_match(")))(") == 0.0
    assert brackets_match("(((") == brackets_match("") == 1.0  # too few to tell


def test_what_is_open_where_reading_stops_is_not_wrong():
    assert brackets_match("((((" + " " * (CHECKED_CHARACTERS - 4)) == 0.0
    assert brackets_match("((((" + " " * (CHECKED_CHARACTERS - 3)) == 1.0


def test_blocks_are_followed_by_lines_further_in():
    assert blocks_indented("def f(x):\n    if x:\n\n        return 1\n    return 2") == 1.0
    assert blocks_indented("def f(x):\nif x:\n    return 1") == 0.5
    assert (
        blocks_indented("int main() {\n\treturn 0;\n}") == 1.0 and blocks_indented("int main() {\nreturn 0;\n}") == 0.0
    )
    assert blocks_indented("Note this:\nno block") == blocks_indented("def f(x):") == blocks_indented("") == 1.0


@pytest.mark.parametrize(
    "ask, text, code_asked, kept",
    [
        ("give the result as json.", '{"a": 1}', False, True), ("give the result as json.", "a is 1", False, False),
        ("convert the json below to yaml.", "a: 1", False, True),
        ("as a bulleted list, name rivers.", "- Loire\n- Seine", False, True),
        ("list rivers in bullet points.", "1. Loire", False, True),
        ("list rivers in bullet points.", "Loire, Seine", False, False),
        ("based on these bullet points, write a text.", "A text.", False, True),
        ("explain it in one sentence.", "It is so, e.g. here.", False, True),
        ("explain it in one sentence.", "It is. It was. It will be.", False, False),
        ("answer with one word.", "Paris", False, True),
        ("answer with one word.", "The city is called Paris.", False, False),
        ("change one word of it.", "The cat sat on a mat.", False, True),
        ("write a python function that adds.", "def add(a, b): return a + b", True, True),
        ("write a python function that adds.", "Take both and add them up.", True, False),
        ("write a shell script that lists files.", "ls -l", True, True),
        ("what does the function do?", "It adds both numbers.", True, True),
        ("", "", False, True), ("", "", True, True),
    ],
)  # fmt: skip
def test_the_form_that_was_asked_for(ask, text, code_asked, kept):
    assert keeps_form(ask, text, code_asked) is kept
