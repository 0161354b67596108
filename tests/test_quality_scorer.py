"""The scorer: range, determinism, Flesch against textstat, orderings that any reader would agree with."""

import argparse
import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_scorer import SCORER_VERSION, QualityScorer, parse_weights, score_rows
from score_output import explanation
from scorer_validation import CORRUPTIONS, shuffled_sentences
from text_features import mattr, read_texts, sample_readability, split_tokens
from training_configs import SCORE_KEYS, SCORE_WEIGHTS
from word_facts import WORDS, count_syllables, hyphenated_syllables, reading_ease, textstat_word

REPOSITORY = Path(__file__).resolve().parent.parent

NASTY = [
    "", " ", "\n\t\r", "\x00\x01\x02", "\ud800", "\udfff text \ud83d", "🎉🎉🎉", "...", "-", "```", "(((", "1", "a",
    "你好,世界。机器学习是人工智能的一个分支。", "สวัสดีชาวโลก", "مرحبا بالعالم", "İıŞ ǅ ß ﬁ",
    "def f(x):\n    return {x: x ** 2 for x in range(10)}\n", "$$\\frac{a}{b} = \\sqrt{c^2}$$",
    "| a | b |\n|---|---|\n| 1 | 2 |", "'" * 300, "word " * 5000, "no-space" * 4000, "\n" * 1000, "!?" * 500,
]  # fmt: skip

PAIRS = [
    (
        "Explain why the sky looks blue during the day.",
        "Sunlight holds every colour of the rainbow. When it enters the atmosphere, molecules of nitrogen and oxygen "
        "scatter the short blue waves far more than the long red ones. Therefore scattered blue light reaches our eyes "
        "from every direction, and the whole sky appears blue.",
    ),
    (
        "How do I brew a good cup of green tea at home?",
        "Heat fresh water to about 80 degrees, since boiling water makes green tea bitter. Put one teaspoon of leaves "
        "into a warm pot. Pour the water over the leaves and steep them for two minutes. Strain the tea into a cup "
        "and use the same leaves for a second infusion if you like.",
    ),
    (
        "Describe the main causes of soil erosion on farmland.",
        "Soil erosion on farmland comes from wind, running water and careless tillage. Heavy rain washes loose soil "
        "down bare slopes, while strong wind lifts dry dust from ploughed fields. Overgrazing removes the roots that "
        "bind the ground. Terraces, cover crops and hedges slow the loss.",
    ),
    (
        "What should a beginner know before adopting a rescue dog?",
        "A rescue dog often needs several weeks to trust its new home. Ask the shelter about its health, its fears and "
        "its behaviour with children. Prepare a quiet corner with a bed and fresh water. Walk the dog on a leash at "
        "first, because a frightened animal may run away.",
    ),
]


def mean_quality(pairs) -> float:
    return float(QualityScorer().score_batch(*zip(*pairs, strict=True))["quality"].mean())


DAMAGE = [corrupt for corrupt in CORRUPTIONS if corrupt is not shuffled_sentences]  # any order reads well here


def lower_case(text: str, rng: random.Random, others: list[str]) -> str:
    return text.lower()


@pytest.mark.parametrize("corrupt", [*DAMAGE, lower_case], ids=lambda corrupt: corrupt.__name__)
def test_corruption_lowers_the_mean_score(corrupt):
    rng, answers = random.Random(0), [answer for _, answer in PAIRS]
    assert mean_quality([(ask, corrupt(answer, rng, answers)) for ask, answer in PAIRS]) < mean_quality(PAIRS)


def test_answers_to_other_questions_score_lower():
    responses = [response for _, response in PAIRS]
    swapped = [(instruction, responses[row - 1]) for row, (instruction, _) in enumerate(PAIRS)]
    assert mean_quality(swapped) < mean_quality(PAIRS)


@pytest.mark.parametrize("text", NASTY)
def test_any_text_scores_within_range(text):
    scorer = QualityScorer()
    for pair in ((text, text), ("What is this?", text), (text, "An answer.")):
        scores = scorer.score(*pair)
        assert list(scores) == SCORE_KEYS
        assert all(math.isfinite(value) and 0.0 <= value <= 1.0 for value in scores.values())


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec=None, exclude_categories=[])), st.text(alphabet="ab .,\n\"'`*-1(){}é你"))
def test_random_text_scores_within_range_and_twice_the_same(instruction, response):
    scorer = QualityScorer()
    scores = scorer.explain(instruction, response)
    assert all(math.isfinite(value) and 0.0 <= value <= 1.0 for key, value in scores.items() if key in SCORE_KEYS)
    assert scores == scorer.explain(instruction, response)


def test_no_words_score_low():
    scorer = QualityScorer()
    for text in ("", "   ", "...", "\n\n"):
        scores = scorer.score("Explain how rain forms.", text)
        assert scores["response_quality"] == scores["diversity"] == 0.0
        assert scores["quality"] < 0.25


def many_rows() -> tuple[list[str], list[str]]:
    rows = [(ask, reply) for ask, _ in PAIRS for _, reply in PAIRS] + [(text, text) for text in NASTY]
    instructions, responses = zip(*rows, strict=True)
    return list(instructions), list(responses)


def test_scores_do_not_depend_on_the_batch():
    instructions, responses = many_rows()
    scorer = QualityScorer().fit([(instructions, responses)])
    whole = scorer.score_batch(instructions, responses)
    for size in (1, 7, 4096):
        starts = range(0, len(instructions), size)
        parts = [scorer.score_batch(instructions[at : at + size], responses[at : at + size]) for at in starts]
        for key in SCORE_KEYS:
            assert np.concatenate([part[key] for part in parts]).tobytes() == whole[key].tobytes()
    assert [scorer.score(*row)["quality"] for row in zip(instructions, responses, strict=True)] == list(
        whole["quality"]
    )


def test_scores_do_not_depend_on_processes():
    instructions, responses = ["Name a river."] * 4100, [f"The river number {row} is long." for row in range(4100)]
    one, two = (score_rows(QualityScorer(), instructions, responses, count) for count in (1, 2))
    assert all(one[key].tobytes() == two[key].tobytes() for key in SCORE_KEYS)


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_scores_do_not_depend_on_the_hash_seed(hash_seed):
    code = (
        "from quality_scorer import QualityScorer; from test_quality_scorer import PAIRS;"
        "scorer = QualityScorer().fit([tuple(zip(*PAIRS))]);"
        "print([value.hex() for pair in PAIRS for value in scorer.explain(*pair).values()])"
    )
    environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY}/tests", "LC_ALL": "C"}
    command = [sys.executable, "-c", code]
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=REPOSITORY
    ).stdout
    scorer = QualityScorer().fit([tuple(zip(*PAIRS, strict=True))])
    assert printed.strip() == str([value.hex() for pair in PAIRS for value in scorer.explain(*pair).values()])


def test_batch_shapes_and_types():
    scores = QualityScorer().score_batch(["a", "b"], ["c", "d"])
    assert all(scores[key].dtype == np.float64 and scores[key].shape == (2,) for key in SCORE_KEYS)
    assert all(values.shape == (0,) for values in QualityScorer().score_batch([], []).values())
    with pytest.raises(ValueError):
        QualityScorer().score_batch(["a"], [])


def test_columns_of_other_kinds_are_scored_as_lists_are():
    import pyarrow

    asks, answers = (list(column) for column in zip(*PAIRS, strict=True))
    expected = QualityScorer().fit([(asks, answers)]).score_batch(asks, answers)["quality"].tolist()
    for kind in (pyarrow.array, lambda texts: pyarrow.chunked_array([texts[:1], texts[1:]]), np.array, tuple, iter):
        scorer = QualityScorer().fit([(kind(asks), kind(answers))])
        assert scorer.score_batch(kind(asks), kind(answers))["quality"].tolist() == expected


@pytest.mark.parametrize(
    "instructions, responses, message",
    [
        ("abc", "def", "instructions is one text"), (["abc"], b"def", "responses is one text"),
        (["a", None], ["b", "c"], r"instructions\[1\] is None"), (["a"], [float("nan")], r"responses\[0\] is nan"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_texts_is_refused_by_name(instructions, responses, message):
    with pytest.raises(ValueError, match=message):
        QualityScorer().score_batch(instructions, responses)


def test_counts_are_not_made_of_single_letters_or_of_what_is_no_text():
    asks, answers = zip(*PAIRS, strict=True)
    with pytest.raises(ValueError, match=r"instructions is one text.*fit\(\[\(instructions, responses\)\]\)"):
        QualityScorer().fit(zip(asks, answers, strict=True))
    with pytest.raises(ValueError, match=r"instructions\[1\] is None"):
        QualityScorer().fit([(["a", None], ["b", "c"])])


def test_total_is_the_weighted_sum():
    scores = QualityScorer().score(*PAIRS[0])
    by_hand = (
        0.25 * scores["clarity"]
        + 0.35 * scores["response_quality"]
        + 0.20 * scores["diversity"]
        + 0.20 * scores["complexity"]
    )
    assert SCORE_WEIGHTS == {"clarity": 0.25, "response_quality": 0.35, "diversity": 0.20, "complexity": 0.20}
    assert scores["quality"] == pytest.approx(by_hand, abs=1e-12)
    only = QualityScorer(dict.fromkeys(SCORE_WEIGHTS, 0.0) | {"diversity": 3.0}).score(*PAIRS[0])
    assert only["quality"] == pytest.approx(only["diversity"], abs=1e-12)


@pytest.mark.parametrize(
    "weights",
    [{"clarty": 1.0}, {"clarity": -1.0}, {"clarity": float("nan")}, {"clarity": 1e308, "diversity": 1e308}],
)
def test_bad_weights_are_refused(weights):
    with pytest.raises(ValueError, match="weight"):
        QualityScorer(weights)


# Reading ease by textstat 0.7.13 with the CMU dictionary's data.
FLESCH = {
    "The cat sat on the mat. It was happy there, and it didn't want to leave!": 103.54,
    "Hmm. Yes. No way, José: 'quoted' words and well-known re-use of IT'S.": 95.955,
    "Photosynthesis transforms electromagnetic radiation into chemical energy, predominantly carbohydrates.": (
        -121.89999999999995
    ),
    "- one\n- two\n- three items in a list\n\nTotal = 3.50 dollars (approx.)": 85.88886363636365,
    "": 0.0,
    "...": 0.0,
    "Flibbertigibbets xylographize the grmblfx; e.g. 12 naïve cafés.": 33.57500000000002,
}


def flesch(text: str) -> float:
    """textstat's, sentence by sentence; it leaves out those of fewer than three words."""
    words = [word for word in map(textstat_word, text.split()) if word]
    sentences = re.findall(r"\b[^.!?]+[.!?]*", text)
    long = [sentence for sentence in sentences if re.search(r"\w\S*\s\W*\w\S*\s\W*\w", sentence)]
    return reading_ease(len(words), max(1, len(long)), sum(map(count_syllables, words)))


@pytest.mark.parametrize("text", FLESCH)
def test_flesch_equals_textstat(text):
    assert flesch(text) == FLESCH[text]


def test_hyphenation_equals_pyphen():
    import pyphen

    reference = pyphen.Pyphen(lang="en_US")
    words = "xylographizing a ab abc semifluid playlisthttps café naïveté qqq hyphenationer".split()
    assert [hyphenated_syllables(word) for word in words] == [len(reference.positions(word)) + 1 for word in words]


def test_short_right_answers_to_closed_questions_are_not_doomed():
    scorer = QualityScorer()
    closed = scorer.explain("Which is a fruit?\n(A) stone\n(B) apple\n(C) chair", "(B)")
    terse = scorer.explain("Explain in detail how photosynthesis works and why plants need it.", "Light.")
    assert closed["content"] > 2 * terse["content"]
    assert closed["response_quality"] > 2 * terse["response_quality"]


def test_other_languages_abstain_from_what_needs_english():
    texts = [
        "Die Sonne scheint heute sehr hell, und deshalb gehen viele Kinder nach der Schule in den Park.",
        "机器学习是人工智能的一个分支。它让计算机从数据中学习规律,而不需要明确的编程。",
    ]
    for text in texts:
        parts = QualityScorer().explain("Schreibe einen Satz.", text)
        assert parts["word_order"] > 0.9 and parts["spelling"] > 0.9 and parts["no_padding"] > 0.9


def test_sampled_reading_ease_is_textstat_s():
    texts = [*FLESCH, " ".join(FLESCH), "One two three. " * 90, PAIRS[0][1] * 8, "."]
    ease, _ = sample_readability(read_texts(texts))
    for text, found in zip(texts, ease.tolist(), strict=True):
        plain = text.replace("_", " ")
        assert found == flesch(" ".join(plain.split()[:100]))


def test_mattr_holds_where_the_plain_ratio_falls():
    rng = random.Random(0)
    words = [f"word{rng.randrange(400)}" for _ in range(2000)]
    short, long, none = mattr(read_texts([" ".join(words[:200]), " ".join(words), "", "."]))[:3]
    assert abs(short - long) < 0.05 and none == 0.0
    assert len(set(words)) / len(words) < len(set(words[:200])) / 200 - 0.3
    assert mattr(read_texts(["the cat the Cat cat.", "."]))[0] == 0.8


def test_tokens_are_those_of_str_split():
    texts = [text for text in [*NASTY, *(text for pair in PAIRS for text in pair)] if text.isascii()]
    tokens = split_tokens([*texts, "."])
    assert tokens.lengths.tolist() == [len(text.split()) for text in [*texts, "."]]


def test_tokens_are_read_between_their_marks():
    tokens = split_tokens(['The (U.S.) "end," ...what? -- McDonald', "", "."])
    assert [tokens.words[number] for number in tokens.word] == ["the", "u.s", "end", "what", "", "mcdonald", ""]
    assert tokens.end.tolist() == [0, 2, 1, 2, 0, 0, 2]  # plain, a comma, a stop
    assert tokens.lead_stop.tolist() == [False, False, False, True, False, False, False]
    assert tokens.trail_stop.tolist() == [False, True, False, True, False, False, True]
    assert tokens.capitals.tolist() == [1, 2, 0, 0, 0, 2, 0]
    assert tokens.lengths.tolist() == [6, 0, 1]


def test_counts_of_a_text():
    texts = read_texts(["The cat sat on 2 mats.", "你好世界", "."])
    assert texts.words.tolist()[:1] == [6.0] and texts.count("d")[0] == texts.count("#")[0] == 1
    assert texts.english.tolist()[:2] == [1.0, 0.0]


def test_a_full_word_table_changes_no_score(monkeypatch):
    instructions, responses = many_rows()
    before = QualityScorer().score_batch(instructions, responses)
    monkeypatch.setattr("word_facts.MAX_WORDS", 10)
    for at, pair in enumerate(zip(instructions, responses, strict=True)):
        assert QualityScorer().score(*pair)["quality"] == before["quality"][at]
    assert len(WORDS) < 10_000


def test_fit_lowers_the_diversity_of_what_is_common():
    common = ["Explain why the sky looks blue during the day."] * 200
    scorer = QualityScorer().fit([(common, [""] * 200)])
    rare = ("Sketch a treaty between rival beekeepers.", PAIRS[0][1])
    assert scorer.score(*PAIRS[0])["diversity"] < QualityScorer().score(*PAIRS[0])["diversity"]
    assert scorer.score(*rare)["diversity"] > scorer.score(*PAIRS[0])["diversity"]


def test_fit_statistics_survive_json():
    scorer = QualityScorer({"clarity": 0.5}).fit([tuple(zip(*PAIRS, strict=True))] * 2)
    again = QualityScorer.from_dict(json.loads(json.dumps(scorer.to_dict(), allow_nan=False)))
    assert again.explain(*PAIRS[1]) == scorer.explain(*PAIRS[1])
    with pytest.raises(ValueError, match="version"):
        QualityScorer.from_dict(scorer.to_dict() | {"scorer_version": SCORER_VERSION + 1})


def test_fit_in_batches_is_fit_at_once():
    instructions, responses = (list(column) for column in zip(*PAIRS, strict=True))
    batches = [([instruction], [response]) for instruction, response in PAIRS]
    assert QualityScorer().fit(batches).to_dict() == QualityScorer().fit([(instructions, responses)]).to_dict()


def test_explanation_names_every_dimension():
    scorer = QualityScorer()
    scores = scorer.explain(PAIRS[0][0], PAIRS[0][1][:-30])
    lines = explanation(scores, scorer.weights, scorer.losses(scores))
    assert all(any(line.startswith(key) for line in lines) for key in SCORE_KEYS)
    assert {line.split()[0] for line in lines if line.startswith("  ")} >= set(scores) - set(SCORE_KEYS)


def test_what_a_sub_score_takes_is_what_the_total_lacks():
    scorer = QualityScorer()
    whole, cut = (scorer.explain(PAIRS[0][0], answer) for answer in (PAIRS[0][1], PAIRS[0][1][:-30]))
    losses = scorer.losses(cut)
    assert max(losses, key=losses.get) in ("completeness", "content") and losses["completeness"] > 0.05
    assert scorer.losses(whole)["completeness"] == 0.0
    assert min(losses.values()) >= 0 and max(scorer.losses(scorer.explain("Name a tree.", "")).values()) < 0.4


def test_command_line_reports_mistakes_in_one_line():
    command = [sys.executable, "quality_scorer.py", "--explain", "--instruction", "x"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")


@pytest.mark.parametrize("text", ["clarity=1,clarity=2", "clarity=1e308,diversity=1e308", "clarity=1e308,ifd=1e308"])
def test_weights_given_twice_or_without_a_sum_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="clarity|finite"):
        parse_weights(text)


def test_an_apology_that_was_asked_for_is_no_refusal():
    ask = "Write a formal apology for being late to the meeting."
    given = "I apologize for being late to the meeting. It was unprofessional of me, and I will be on time from now on."
    refused = (
        "I apologize, but I can't write a formal apology for being late to the meeting. It was a matter of policy."
    )
    scores = [QualityScorer().explain(ask, answer) for answer in (given, refused)]
    assert [score["no_refusal"] for score in scores] == [1.0, 0.2]
    assert scores[0]["response_quality"] > 1.5 * scores[1]["response_quality"]


@pytest.mark.parametrize(
    "opening, refuses",
    [
        ("I cannot emphasize enough how much sleep matters.", False), ("I can’t stress this enough: sleep.", False),
        ("I can't wait to tell you about sleep.", False), ("I can't help but admire it.", False),
        ("I cannot help with that.", True), ("I can't recommend that.", True), ("I won't help with that.", True),
        ("I must decline to answer this.", True), ("I do not have access to your files.", True),
    ],
)  # fmt: skip
def test_an_idiom_is_no_refusal_and_a_plain_no_is_one(opening, refuses):
    assert (QualityScorer().explain("How much should I sleep?", opening)["no_refusal"] < 1.0) is refuses


def relevance_of(instruction: str, response: str) -> float:
    return QualityScorer().explain(instruction, response)["relevance"]


def test_yes_and_no_answer_only_what_can_be_answered_so():
    for ask in ("Is the sky blue?", "The sky is blue. True or false?", "Look up. Do you think the sky is blue?"):
        assert relevance_of(ask, "Yes") == 1.0, ask
    for ask in ("What is the capital of France?", "Can you write an essay about France?"):
        assert relevance_of(ask, "Yes") == 0.0, ask


def test_a_short_extract_or_option_is_relevant_and_a_short_answer_may_share_no_word():
    ask = "Which is a mammal: the trout, the bat, or the eagle?"
    assert relevance_of(ask, "the bat") == 1.0 > relevance_of(ask, "plywood") > 0.3
    rivers, longer = (
        "Loire, Seine, Garonne.",
        "Loire, Seine, Garonne, Volga, Danube, Ganges, Niger, Parana, Yukon, Murray.",
    )
    assert relevance_of("Name some rivers.", rivers) > relevance_of("Name some rivers.", longer) > 0


def test_an_ask_of_common_words_is_answered_in_common_words():
    right = "Open source code can be read and mended by all, which is important as no one firm decides about it."
    wrong = "Whales are mammals that live in the sea, breathe air, and feed their young with milk for a year."
    asks = ["Why is open source so important?", "Explain in two ways why open source is so important."]
    for ask in asks:  # the second has words that are more specific than those of its topic
        assert relevance_of(ask, right) == 1.0 and relevance_of(ask, wrong) < 0.2, ask


def test_an_ask_said_again_is_no_answer():
    ask = "Explain in two sentences how a rainbow comes about."
    assert relevance_of(ask, ask) == relevance_of(ask, f" {ask[:-1]}") == 0.0
    assert relevance_of(ask, f"{ask} A rainbow comes about where drops of rain bend the light of the sun.") == 1.0


def test_shouting_doubled_words_and_a_run_of_one_letter_are_seen():
    ask, answer = PAIRS[0]
    explain = QualityScorer().explain
    assert explain(ask, answer.upper())["casing"] < 0.5 < explain(ask, answer)["casing"]
    doubled = " ".join(f"{word} {word}" for word in answer.split())
    assert explain(ask, doubled)["word_order"] < 0.5 * explain(ask, answer)["word_order"]
    assert explain(ask, "a" * 5_000)["no_loops"] == 0.0 and explain(ask, "-" * 5_000)["quality"] < 0.3


def test_noise_shows_in_a_short_answer_to_an_english_ask_only():
    spelling = lambda ask, answer: QualityScorer().explain(ask, answer)["spelling"]  # noqa: E731
    assert spelling("What is the mood of this review?", "pxsitive") < 0.5
    assert spelling("Translate 'bread' to Polish.", "chleb") == 1.0
    assert spelling("Who wrote this?\n\nThe log names user qwertz17x.", "qwertz17x") == 1.0


def test_a_data_frame_and_a_dataset_are_scored_as_the_readme_says():
    import datasets
    import pandas

    readme = (REPOSITORY / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0].replace("\n  ", "\n").strip()
    frame = pandas.DataFrame(PAIRS, columns=["instruction", "response"], index=[0.5 * n for n in range(len(PAIRS))])
    names = {"data": frame, "frame": frame, "dataset": datasets.Dataset.from_pandas(frame, preserve_index=False)}
    exec(code, names)
    scorer = QualityScorer().fit([tuple(zip(*PAIRS, strict=True))])
    expected = scorer.score_batch(*zip(*PAIRS, strict=True))
    for key in SCORE_KEYS:
        assert names["frame"][key].tolist() == names["dataset"][key][:] == expected[key].tolist()
