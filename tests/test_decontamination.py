"""Decontamination: planted items are found, near misses and templates are not. Shares by hand."""

import random

import numpy as np
import pytest

from decontamination import (
    Hits,
    build_index,
    distinct_items,
    find_hits,
    hash_words,
    overlap,
    rows_by_benchmark,
    shared_ngram,
    without_standing_texts,
)


def words(first, count):
    """`count` words that no other span of numbers has."""
    return " ".join(f"word{number}" for number in range(first, first + count))


def hits(rows, items):
    """[(row, item, coverage)] of rows and items, (instruction, response) and (question, answer)."""
    found = overlap(*map(list, zip(*rows, strict=True)), build_index({"b": items}))
    return [(row, item, round(share, 3)) for row, item, share in zip(*(v.tolist() for v in found), strict=True)]


def test_a_copied_question_or_answer_is_found_and_no_other_row_is():
    items = [(words(1_000 * n, 20), words(1_000 * n + 500, 30)) for n in range(9)]
    rows = [(words(10**6 + 100 * n, 40), words(2 * 10**6 + 100 * n, 60)) for n in range(50)]
    rows[7] = (f"{words(50_000, 9)} {items[3][0]} {words(51_000, 9)}", "Yes.")
    rows[8] = ("Tell me.", f"{words(52_000, 5)}\n\n{items[4][1]}.")
    assert hits(rows, items) == [(7, 3, 1.0), (8, 4, 1.0)]


def test_case_punctuation_and_spacing_do_not_count():
    question = "How many birds sit on the old fence, if three of the ten flew off?"
    row = f'Answer this: "{question.upper()}"'.replace(" ", "  \n").replace(",", " -- ")
    assert hits([(row, "Seven.")], [(question, "")]) == [(0, 0, 1.0)]


@pytest.mark.parametrize(
    ("shared", "found"),
    [
        (12, []),  # of 24 words half, but fewer than 13
        (13, [(0, 0, 0.542)]),  # 13 / 24
        (24, [(0, 0, 1.0)]),
    ],
)
def test_how_much_of_an_item_counts(shared, found):
    assert hits([(f"{words(90_000, 9)} {words(0, shared)} {words(91_000, 9)}", "a")], [(words(0, 24), "")]) == found


def test_of_a_long_item_half_of_the_words_must_be_there():
    row = [(words(0, 20), words(900, 9))]
    assert hits(row, [(words(0, 41), "")]) == [] and hits(row, [(words(0, 40), "")]) == [(0, 0, 0.5)]


def test_a_changed_word_costs_the_ngrams_over_it_and_not_the_item():
    changed = f"{words(0, 10)} other {words(11, 10)}"
    assert hits([(changed, "a")], [(words(0, 21), "")]) == [(0, 0, round(20 / 21, 3))]


def test_question_and_answer_are_counted_apart_and_the_larger_share_is_given():
    item = (words(0, 20), words(100, 20))
    assert hits([(words(0, 15), words(100, 18))], [item]) == [(0, 0, 0.9)]
    assert hits([(f"{words(0, 10)} {words(100, 9)}", "a")], [item]) == []  # 19 words, of neither 13


def test_short_questions_are_compared_as_a_whole_and_short_answers_not_at_all():
    items = [("What is 2 + 2?", "It is 4.")]
    rows = [("what is 2+2", "Four."), ("Tell me: what is 2 + 2?", "4"), ("Say it", "It is 4."), ("", "")]
    assert hits(rows, items) == [(0, 0, 1.0)]


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ("You are a helpful assistant.\n\n", True), ("User: Hi\n\nAssistant: Hello.\n\nUser: ", True),
        ("x" * 900 + "\n\n", True), ("See:\r\n\r\n", True), ("See: ", False), ("See:\n", False),
    ],
)  # fmt: skip
def test_short_questions_are_found_behind_a_system_text_or_a_dialogue(before, found):
    rows = [("Other", "4"), (f"{before}What is 2 + 2?", "4"), (f"{before}What is 2 + 3?", "5")]
    assert hits(rows, [("What is 2 + 2?", "")]) == [(1, 0, 1.0)] * found


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("w", "w\u00ad").replace(" ", "\u200b "), lambda text: text.replace(" ", "&nbsp;"),
        lambda text: text.replace("word", "<b>word</b>"), lambda text: text.replace(" ", "\\n"),
        lambda text: f"<p class=x>{text.replace(' ', '</li><li>')}</p>", lambda text: text.replace(" ", "<br/>"),
    ],
)  # fmt: skip
def test_what_a_page_does_not_show_does_not_count(change):
    question = words(0, 30)
    assert hits([(change(question), "Yes.")], [(question, "")]) == [(0, 0, 1.0)]
    assert hits([(question, "Yes.")], [(change(question), "")]) == [(0, 0, 1.0)]


def test_the_wording_of_a_template_is_no_content():
    header = words(0, 20)
    items = [(f"{header} {words(1_000 + 10 * n, 4)}", "") for n in range(11)]
    rows = [(f"{header} {words(70_000, 4)}", "a"), (f"{header} {words(1_030, 4)}", "a")]
    # The header is in 11 items. Seven words of it and the four after it are what the n-grams of an item are left with.
    assert hits(rows, items) == [(1, 3, 1.0)]
    assert [hit[:2] for hit in hits(rows, items[:10])] == [(0, n) for n in range(10)] + [(1, n) for n in range(10)]


def test_a_loop_is_as_long_as_its_period():
    assert hits([(words(0, 9), "a")], [(" ".join([words(0, 9)] * 30), "")]) == []
    assert hits([(" ".join(["la"] * 9), "a")], [(" ".join(["la"] * 500), "")]) == [(0, 0, 1.0)]


def test_benchmarks_are_told_apart_and_items_numbered_as_they_are_listed():
    benchmarks = {"x": [(words(0, 20), ""), ("", ""), (words(0, 20), "")], "y": [(words(50, 20), "")], "none": []}
    index = build_index(benchmarks)
    assert [len(distinct_items(items)) for items in benchmarks.values()] == [1, 1, 0]
    batches = [([words(200, 9)], [words(0, 20)]), ([words(50, 20), words(0, 20)], ["", words(50, 20)])]
    found = find_hits(batches, index)
    assert list(zip(found.row, found.item, strict=True)) == [(0, 0), (1, 1), (2, 0), (2, 1)]
    masks = rows_by_benchmark(found, index, 3)
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "x": [True, False, True], "y": [False, True, True], "none": [False] * 3
    }  # fmt: skip


def test_batches_change_nothing(monkeypatch):
    rng = random.Random(0)
    texts = [" ".join(f"w{rng.randrange(6)}" for _ in range(rng.randrange(40))) for _ in range(200)]
    rows, items = list(zip(texts[:90], texts[50:140], strict=True)), [(text, "") for text in texts[100:]]
    whole = hits(rows, items)
    monkeypatch.setattr("decontamination.BLOCK_CHARACTERS", 50)
    assert whole and hits(rows, items) == whole


def test_a_batch_of_no_rows_holds_nothing():
    assert [len(values) for values in find_hits([([], [])], build_index({"b": []}))] == [0, 0, 0]


def test_against_a_plain_count_of_shared_ngrams():
    rng = random.Random(1)

    def text(length):
        return " ".join(rng.choice("abcd") * rng.choice([1, 9, 40]) for _ in range(length))

    items = [(text(rng.randrange(8, 40)), "") for _ in range(10)]
    rows = [(f"{text(5)} {rng.choice(items)[0][: rng.randrange(300)]} {text(9)}", text(9)) for _ in range(60)]
    expected = []
    for number, (instruction, response) in enumerate(rows):
        there = {tuple(side.split()[n : n + 8]) for side in (instruction, response) for n in range(len(side))}
        for item, (question, _) in enumerate(items):
            asked = question.split()
            firsts = {tuple(asked[n : n + 8]): n for n in reversed(range(len(asked) - 7))}
            covered = {word for ngram, n in firsts.items() if ngram in there for word in range(n, n + 8)}
            of = {word for n in firsts.values() for word in range(n, n + 8)}
            if len(covered) >= max(len(of) / 2, min(13, len(of))):
                expected.append((number, item, round(len(covered) / len(of), 3)))
    assert len(expected) > 10 and hits(rows, items) == expected


def test_items_that_many_rows_hold_are_standing_texts():
    found = Hits(np.arange(21), np.array([0] * 11 + [1] * 10), np.ones(21))
    assert without_standing_texts(found, np.arange(21)).row.tolist() == list(range(11, 21))
    dialogues = np.maximum(np.arange(21), 1)  # the first two rows are turns of one
    assert without_standing_texts(found, dialogues).row.tolist() == list(range(21))
    nothing = Hits(*(values[:0] for values in found))
    assert without_standing_texts(nothing, dialogues).row.tolist() == []


def test_words_of_any_script_length_and_odd_bytes():
    texts = ["Ab, ab", "", "x" * 40, "x" * 41, "“ab” — É", "é\0ab", "\ud800", "山高水長"]
    hashes, numbers = hash_words(texts)
    assert numbers.tolist() == [0, 0, 2, 3, 4, 4, 5, 5, 7, 7, 7, 7]
    ab, long, longer, accent = hashes[0], hashes[2], hashes[3], hashes[5]
    assert hashes[1] == ab == hashes[4] == hashes[7] and accent == hashes[6] and long != longer
    assert len(set(hashes.tolist())) == 8


def test_the_ngram_shown_is_one_that_both_hold():
    assert shared_ngram(("Say", f"so: {words(3, 12)}"), (words(0, 20), "")) == words(3, 8)
    assert shared_ngram(("What is 2+2?", "4"), ("What is 2 + 2?", "")) == "what is 2 2"
