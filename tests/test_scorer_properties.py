"""What must hold for any text: range, determinism, no say of the batch, and that damage never raises the mean."""

import math
import os
import random
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_quality_scorer import DAMAGE, PAIRS

from quality_scorer import QualityScorer
from text_features import exp_minus, log_of
from training_configs import SCORE_KEYS

ROOT = Path(__file__).resolve().parent.parent

# What turns the scorer's branches: limits, lists, code, marks, scripts, halves of characters.
FRAGMENTS = [
    "Write 1,000 words", "in 10 words", "00 words", "2500-word", "yes or no", "Is it?", "Yes.", "(A)", "true", "the",
    "Translate", "of and", "rivers", "Photosynthesis", "However,", "because", "1. ", "2. ", "- ", "# ", "```", "| a |",
    "def f(x):\n    return x", "{", "</div>", "x = 1", "$\\frac{a}{b}$", "As an AI", "hope this helps", "!!!", ".",
    "\n", "\n\n\n", "\t", "\x00", "\ud800", "\u202e", "🎉", "é", "你好", "学习是人工智能。" * 19, "สวัสดี", "İ", "'",
    "a" * 120, "qzxv", "McX", "12,5%", "http://a.b/c?d=e",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=30).flatmap(
    lambda parts: st.sampled_from(["", " ", "\n"]).map(lambda gap: gap.join(parts))
)
ROWS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.booleans(), st.randoms(use_true_random=False))
def test_any_rows_score_in_range_and_alike_in_any_batch_and_order(rows, fitted, rng):
    scorer = QualityScorer()
    if fitted:
        scorer.fit([tuple(zip(*rows, strict=True))])
    whole = scorer.sub_scores(rows)
    for name, values in whole.items():
        assert np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1, name
    order = rng.sample(range(len(rows)), len(rows))
    cut = rng.randrange(len(rows) + 1)
    for places in (order[:cut], order[cut:]):
        part = scorer.score_batch([rows[place][0] for place in places], [rows[place][1] for place in places])
        assert all(part[key].tobytes() == whole[key][places].tobytes() for key in SCORE_KEYS)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(DAMAGE), st.integers(0, 2**32))
def test_damage_never_raises_the_mean(corrupt, seed):
    rng, answers = random.Random(seed), [answer for _, answer in PAIRS]
    asks = [ask for ask, _ in PAIRS]
    damaged = [corrupt(answer, rng, answers) for answer in answers]
    scorer = QualityScorer()
    before, after = (scorer.score_batch(asks, texts)["quality"].mean() for texts in (answers, damaged))
    assert after <= before


@pytest.mark.parametrize("limit", ["1,000 words", "10000 words", "00 words", "a 2,500-word essay"])
def test_a_word_limit_in_thousands_is_read_whole(limit):
    explain = lambda ask, answer: QualityScorer().explain(ask, answer)  # noqa: E731
    assert explain(f"Write {limit} on bees.", "")["quality"] < 0.25
    if limit != "00 words":
        few = explain(f"Write {limit} on bees.", "Bees are insects that make honey.")
        assert few["content"] == explain("Write 1000 words on bees.", "Bees are insects that make honey.")["content"]


def test_a_long_answer_without_spaces_has_content():
    answer = "".join(chr(0x4E00 + number % 150) for number in range(6_000))
    for ask in ("Which is it, (a) or (b)?", "请详细介绍。"):
        assert QualityScorer().explain(ask, answer)["content"] > 0.85


def test_what_is_put_around_an_answer_does_not_pay():
    ask, answer = PAIRS[0]
    page = f'<html><body><div class="nav">Home</div><p>{answer}</p><div>All rights reserved</div></body></html>'
    blanks = answer.replace(" ", "\n\n\n")
    whole = QualityScorer().score(ask, answer)["quality"]
    for text in (page, blanks, f"{ask}\n{answer}", f"{answer}\n\nAll rights reserved. Privacy policy. Terms of use."):
        assert QualityScorer().score(ask, text)["quality"] < whole
    asked = QualityScorer().explain("Write an HTML page on the colour of the sky.", page)
    assert asked["no_remains"] > QualityScorer().explain(ask, page)["no_remains"]
    begun = "def add(first, second):\n    total = abs(first) + abs(second)\n    if total > 9:"
    assert QualityScorer().explain(begun, f"{begun}\n        total = 9\n    return total")["no_loops"] == 1.0


PLAIN_PROCESSOR = {  # as one without fused multiply-add or wide vectors works
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX X86_V3 X86_V4",
}
HASH_OF_SCORES = """
import hashlib, numpy
from quality_scorer import QualityScorer
from text_features import saturating
rows = [(f"Name {n} kinds of tree.", f"Oak, {n}. " + "An ash is tall, since it has light. " * n) for n in range(300)]
scorer = QualityScorer().fit([tuple(zip(*rows))])
parts = [*scorer.sub_scores(rows).values(), saturating(numpy.linspace(0, 9, 20_000), 1.0)]
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


def test_scores_are_the_same_to_the_last_bit_on_a_plainer_processor():
    run = lambda extra: subprocess.run(  # noqa: E731
        [sys.executable, "-W", "ignore", "-c", HASH_OF_SCORES],
        env=os.environ | extra, cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert run({}) == run(PLAIN_PROCESSOR)


def test_powers_and_logarithms_are_right_to_the_last_digits():
    amounts = np.append(np.linspace(0, 40, 4001), [700, 1e9])
    exact = np.array([float(Decimal(-min(amount, 700.0)).exp()) for amount in amounts.tolist()])
    assert np.abs(exp_minus(amounts) / exact - 1).max() < 1e-15
    assert exp_minus(np.array([0.0, 0.7, 3.25])).tolist() == [1.0, math.exp(-0.7), math.exp(-3.25)]
    assert [log_of(number) for number in (1, 2, 10**6)] == [0.0, math.log(2), math.log(10**6)]


@pytest.mark.parametrize(
    "piece",
    [
        "\n", "\r\n", "\n ", ".", "?", "`", "``` ", "<b", "<b ", "[your ", "{{a", "&", "\\", ">", "\n- ", "> ", "\n> ",
        "\n1 ", "[1]", ".[1]", "1. ", " XXXX", "_", "%20", "you are a ", "# ", "{input", "🎉", "\n---", "i can't a ",
        "The ", "WORD ", " .", "Word.Word ",
    ],
)  # fmt: skip
def test_no_run_of_marks_takes_long(piece):
    """A pattern that begins anew at each mark of a long run would take its square: 24 s for lines that are empty."""
    ask, run = "In one sentence, as a bulleted list, in JSON: who is the user?", piece * (28_000 // len(piece))
    started = time.process_time()
    for text in (f"user {run}x", f"The user asks.\n{run} q"):
        QualityScorer().score(ask, text)
        QualityScorer().score("Write a Python function.", text)
    assert time.process_time() - started < 3
