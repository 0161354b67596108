"""What an instruction asks for, and how well a response answers it: the sub-scores below the four dimensions.

Each sub-score is an array with an entry for each pair, in [0, 1], higher is better, and has one reason to exist: its
docstring. What needs English - word order, spelling, casing, padding, readability - is weighed by the confidence that
the text is English prose (`Texts.english`), and takes its neutral value, mostly 1, on other languages, code, tables.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from text_features import (
    COMMA,
    STOP,
    Texts,
    abstain,
    among,
    capitals,
    fraction,
    mattr,
    neighbours,
    ramp,
    sample_readability,
    saturating,
    stem_keys,
    vacuous_words,
)
from word_facts import (
    ASK_BIT,
    CHOICE_BIT,
    CODE_ASK_BIT,
    CONSTRAINT_SHIFT,
    FACT_BIT,
    LONG_BIT,
    MAKING_BIT,
    OPEN_BIT,
    WORDS,
    class_flags,
)

# ---------------------------------------------------------------------------------------------------------------------
# What is asked for

# Distinct specific words that a full answer has, by kind of ask; about a third of all its words. A choice is answered
# by one, an essay by a hundred. An answer with as many gets 0.63 of the mark for content.
CHOICE, FACT, CODE, OPEN, LONG = 0.2, 1.5, 10.0, 25.0, 50.0
THOROUGH = 70.0

CHOICE_PHRASES = (
    "(a)", "a)", "a. ", "options:", "yes or no", "yes/no", "true or false", "true/false", "or negative", "which of the",
    "or not.", "odd one out", "how many", "how much", "fill in", "one word", "multiple choice", "- yes", "or incorrect",
)  # fmt: skip
WORD_LIMIT = re.compile(r"(\d{2,4})[- ]words?\b")
HEAD_TOKENS, TAIL_TOKENS = 40, 70  # of a long instruction the ask stands at the head or the foot


def asked_bits(asks: Texts) -> np.ndarray:
    """int64[rows]: what the words say where the ask stands, as bits."""
    bits = asks.fact("asked")
    from_end = asks.lengths[asks.token_row] - asks.token_place
    bits = np.where((asks.token_place < HEAD_TOKENS) | (from_end <= TAIL_TOKENS), bits, 0)
    return np.bitwise_or.reduceat(bits, asks.starts) * (asks.lengths > 0)


def asked_text(text: str) -> str:
    """The lower-cased text where the ask stands."""
    return (text if len(text) <= 700 else f"{text[:250]}\n{text[-450:]}").lower()


def expected_content(text: str, bits: int, tokens: int) -> float:
    """How many distinct specific words a full answer has, by what one instruction asks for."""
    lowered = asked_text(text)
    limit = WORD_LIMIT.search(lowered) if "word" in lowered else None
    if limit:
        return min(150.0, float(limit.group(1)) / 6)
    if bits & CHOICE_BIT or any([phrase in lowered for phrase in CHOICE_PHRASES]):
        return CHOICE
    if bits & LONG_BIT and bits & MAKING_BIT:
        return LONG
    if bits & FACT_BIT:
        return FACT
    if bits & CODE_ASK_BIT:
        return CODE
    return OPEN if tokens < 60 or bits & OPEN_BIT else FACT


class Content(NamedTuple):
    """The distinct specific words of each instruction; where it has none, its common content words."""

    row: np.ndarray
    stem: np.ndarray
    weight: np.ndarray  # int64, thousandths: whole, so that their sums are exact in any order


IS_SPECIFIC = class_flags("wNum#xyj")
IS_COMMON = class_flags("g")


def content_words(asks: Texts, rarity: Callable[[str], int]) -> Content:
    """The content words of the asks, sorted by row, each weighed by the rarity of its stem."""
    specific = IS_SPECIFIC[asks.token_class]
    bare = asks.sum(specific) == 0
    keys = stem_keys(asks, np.flatnonzero(specific | (IS_COMMON[asks.token_class] & bare[asks.token_row])))
    row, stem = keys >> 32, keys & 0xFFFFFFFF
    distinct, places = np.unique(stem, return_inverse=True)
    weights = np.array([rarity(WORDS.stems[number]) for number in distinct.tolist()], np.int64)
    return Content(row, stem, weights[places] if len(distinct) else weights)


# ---------------------------------------------------------------------------------------------------------------------
# Soundness of a text

# Two neighbours that English word order all but rules out: "the of", "a is", "of and", "and or", "to was", ...
ODD_PAIRS = [("d", "dpcb"), ("p", "cb"), ("c", "c"), ("b", "c")]
ODD_NEIGHBOURS = np.any([np.outer(class_flags(first), class_flags(then)) for first, then in ODD_PAIRS], axis=0)


def word_order(texts: Texts) -> np.ndarray:
    """1 for English word order, 0 for words in random order: odd neighbours among closed-class words ("the of").

    English prose has under 2% of them, shuffled words 35%."""
    heads = texts.count("dpcb")
    odd = neighbours(texts, ODD_NEIGHBOURS[texts.token_class[:-1], texts.token_class[1:]])
    return np.where(heads < 3, 1.0, abstain(1.0 - ramp(fraction(odd, heads), 0.0, 0.4), texts.english))


def spelling(texts: Texts, confidence: np.ndarray) -> np.ndarray:
    """Falls with the share of words that no dictionary has or that mix cases, names and terms included, from the first
    one: noise is told from names only by how much there is."""
    unknown = fraction(texts.unknown_words, texts.lengths - texts.count("ej#"))
    return abstain(1.0 - ramp(unknown, 0.0, 0.5), confidence)


def casing(texts: Texts, usual=1.0) -> np.ndarray:
    """From 0.4 to 1 with the share of sentences that begin with a capital, a digit or a mark, the first one included.

    `usual` is how far the rule holds in this data: half where the instruction itself is in lower case."""
    lower, stops = texts.tokens.lower, texts.tokens.end == STOP
    begins_low = texts.first(lower) * np.where(texts.words < 6, 0.5, 1.0)
    wrong = neighbours(texts, stops[:-1] & lower[1:]) + begins_low
    return abstain(1.0 - 0.6 * wrong / (texts.sum(stops) + 1), texts.english * usual)


def readability(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """(Flesch reading ease of the opening as a mark, syllables per word). 1 for plain English, 40 to 110, lower beyond;
    the neutral 0.8 where the text is not English."""
    ease, syllables_per_word = sample_readability(texts)
    return abstain(ramp(ease, -60.0, 40.0) * ramp(ease, 150.0, 110.0), texts.english, 0.8), syllables_per_word


# ---------------------------------------------------------------------------------------------------------------------
# What is read from one answer's text as it stands

REFUSALS = (  # of being able, not of regret: "I'm sorry to hear that" may be just what was asked for
    "i cannot", "i can't", "i'm not able", "i am not able", "i'm unable", "i am unable", "sorry, but", "apologize, but",
    "as an ai", "as a language model", "as an artificial", "i don't have enough",
)  # fmt: skip
# What an assistant says about itself and to its user, not about the matter.
BOILERPLATE = (
    "hope this helps", "let me know if", "feel free to", "as an ai", "as a language model", "great question",
    "happy to help", "hesitate to", "if you have any", "<nooutput>", "lorem ipsum",
)  # fmt: skip
CONCLUSIONS = ("in conclusion", "in summary", "overall,")


def edges(text: str) -> str:
    """The lower-cased two ends of a text, where refusals and boilerplate stand."""
    text = text if len(text) < 500 else f"{text[:200]}\n{text[-300:]}"
    return text.lower().replace("’", "'")


def looped_fraction(text: str) -> float:
    """Share of the text that is one piece said three times or more on end, up to the text's end; in [0, 1].

    Degenerate generation loops until it is cut off, so the last characters give the period away."""
    end, tail = len(text), text[-LOOP_TAIL:]
    before = text.rfind(tail, 0, end - 1)
    period = end - len(tail) - before
    if before < 0 or period < 2:
        return 0.0
    repeats = 1
    while text.endswith(text[-period:], 0, end - repeats * period):
        repeats += 1
    return repeats * period / end if repeats > 2 or repeats > 1 and period > 40 else 0.0


LOOP_TAIL = 8  # characters; shorter tails recur by chance
LOOP_CHARACTERS = 2_500


def looped_or_repeated(text: str) -> float:
    """The share of sentences or lines said before, or of a loop at the end, whichever is larger."""
    share = looped_fraction(text[-LOOP_CHARACTERS:].strip())
    pieces = [piece for piece in text.replace(". ", "\n").split("\n") if len(piece) > 12]
    return max(share, 1.0 - len(set(pieces)) / len(pieces)) if len(pieces) > 1 else share


def numbers_rise(text: str) -> bool:
    """Whether the items "1. ", "2. ", ... stand in the order of their numbers."""
    last, number = text.find("1. "), 2
    while last >= 0 and number < 30:
        place = text.find(f"{number}. ")
        if 0 <= place < last:
            return False
        last, number = place, number + 1
    return True


def concludes_early(text: str) -> bool:
    """Whether a conclusion stands in the first half."""
    first_half = text[: len(text) // 2].lower()
    return any([phrase in first_half for phrase in CONCLUSIONS])


def layout(text: str) -> float:
    """Lists, headings, paragraphs, tables and code blocks, counted."""
    lines = text.split("\n")
    starts = "".join([line.lstrip()[:1] for line in lines])
    items = sum(map(starts.count, "-*•+123456789"))
    blocks = starts.count("|") + (text.count("```") if "`" in text else 0)
    bold = text.count("**") / 2 if "*" in text else 0.0
    return items + 2 * starts.count("#") + bold + 1.5 * lines.count("") + blocks


FINAL_MARKS = frozenset(".!?\"'”’)]}`*|>…。！？」》；;$")


def completeness(text: str, words: float, ends_open: bool, expected: float, english: float) -> float:
    """1 where an answer ends as finished text does; low where it breaks off, on a word that leads on (`ends_open`)."""
    text = text.rstrip()
    if "`" in text and text.count("```") % 2 or text.count("{") > text.count("}"):
        return 0.4
    last = text[-1]
    if last in FINAL_MARKS or last.isdigit():
        return 0.7 if text.count("(") > text.count(")") else 1.0
    if last in ",:;-–(" or ends_open and words > 3:
        return 0.35
    if words < 15 and words <= max(8.0, 3.0 * expected):
        return 0.95
    last_line = text[text.rfind("\n") + 1 :].lstrip()
    if last_line[:1] in "-*•+|#" or last_line[:1].isdigit() or len(last_line) < 40:
        return 0.8  # a list item or a label needs no full stop
    return abstain(0.4, english, 0.8)


# ---------------------------------------------------------------------------------------------------------------------
# The answer


def no_padding(answers: Texts, edge_texts: list[str]) -> np.ndarray:
    """1 less the share of words in sentences that name next to nothing specific, and of hedges and boilerplate.

    Human and model answers hold 1-5% of words in such sentences; filler is made of them."""
    boilerplate = np.array([sum([phrase in text for phrase in BOILERPLATE]) for text in edge_texts])
    padding = fraction(vacuous_words(answers) + 2 * answers.count("h"), answers.lengths) + 0.07 * boilerplate
    prose = np.maximum(answers.english, answers.code)  # padding in code is prose, and shows as such
    return abstain(1.0 - 0.8 * np.minimum(1.0, padding), prose * (answers.words > 8))


def no_refusal(answers: Texts, edge_texts: list[str]) -> np.ndarray:
    """Low where the answer opens by declining; less so where much follows."""
    refused = np.array([any([phrase in text[:200] for phrase in REFUSALS]) for text in edge_texts])
    return np.where(refused, np.where(answers.words > 60, 0.5, 0.2), 1.0)


OPENING_TOKENS = 25


def coherence(answers: Texts, content: Content) -> np.ndarray:
    """Whether the parts stand in order: an opening on the topic that leans on nothing before it, numbers that rise, a
    conclusion that comes last."""
    rows = len(answers.texts)
    opening = stem_keys(answers, np.flatnonzero(answers.token_place < OPENING_TOKENS))
    on_topic = np.bincount(content.row, among(content.row << 32 | content.stem, opening), minlength=rows) > 0
    has_content = np.bincount(content.row, minlength=rows) > 0
    leans_back = answers.first(answers.fact("backward")) == 1
    value = np.where(leans_back, 0.7, 1.0) * np.where(has_content & ~on_topic, 0.8, 1.0)
    value = np.where(answers.words > 12, value, 1.0)
    value = value * np.where([numbers_rise(text) for text in answers.texts], 1.0, 0.6)
    return value * np.where([concludes_early(text) for text in answers.texts], 0.85, 1.0)


def structure(answers: Texts) -> np.ndarray:
    """Lists, headings, paragraphs, tables and code blocks, in an answer long enough to need them; neutral in others."""
    marks = np.array([layout(text) for text in answers.texts])
    return abstain(saturating(marks, 12.0), saturating(answers.words, 100.0), 0.4)


def relevance(answers: Texts, content: Content, specific: np.ndarray) -> np.ndarray:
    """Rarity-weighted share of the ask's content words that the answer takes up, or of its own that the ask has.

    Two fifths of the ask's words is full mark, as is an answer drawn by a third from the ask (a choice, an extract).
    `specific`: the answers' keys."""
    rows = len(answers.texts)
    found = among(content.row << 32 | content.stem, specific)
    for place in np.flatnonzero(answers.code[content.row] & ~found).tolist():
        # in code words stand inside names: isPrime, list_files
        found[place] = WORDS.stems[content.stem[place]] in answers.texts[content.row[place]].lower()
    recall = fraction(
        np.bincount(content.row, content.weight * found, minlength=rows),
        np.bincount(content.row, content.weight, minlength=rows),
    )
    shared = fraction(np.bincount(content.row, found, minlength=rows), np.bincount(specific >> 32, minlength=rows))
    known = (np.bincount(content.row, minlength=rows) > 0) & (answers.words >= 4)
    return np.where(known, np.maximum(ramp(recall, 0.0, 0.4), ramp(shared, 0.0, 0.3)), NEUTRAL_RELEVANCE)


NEUTRAL_RELEVANCE = 0.8


def content_mark(specific: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Distinct specific words, against what was asked for (0.6 of the mark) and against a thorough answer (0.4).

    Counting what is named instead of words makes padding, loops and filler worth nothing."""
    return 0.6 * saturating(specific, expected) + 0.4 * saturating(specific, THOROUGH)


def answer_parts(asks: Texts, answers: Texts, expected: np.ndarray, content: Content) -> dict[str, np.ndarray]:
    """The sub-scores of the answers; all 0 for one without a word."""
    keys = stem_keys(answers, np.flatnonzero(IS_SPECIFIC[answers.token_class]))
    kinds = np.bincount(keys >> 32, minlength=len(answers.texts))
    spelled = np.maximum(answers.english, 0.4 * answers.code)
    specific = answers.count("wN#xj") + answers.unknown_words
    doubtful = spelled * fraction(answers.unknown_words, specific)
    edge_texts = [edges(text) for text in answers.texts]
    lower_ask = asks.first(asks.tokens.lower) | (asks.lengths == 0)
    parts = {
        "content": content_mark(kinds * (1.0 - 0.7 * doubtful), expected),
        "density": np.where(answers.words > 15, ramp(fraction(specific, answers.words), 0.0, 0.35), 1.0),
        "structure": structure(answers),
        "coherence": coherence(answers, content),
        "completeness": completeness_of(answers, expected),
        "relevance": relevance(answers, content, keys),
        "word_order": word_order(answers),
        "spelling": spelling(answers, spelled),
        "casing": casing(answers, np.where(lower_ask, 0.5, 1.0)),
        "no_loops": 1.0 - np.array([looped_or_repeated(text) for text in answers.texts]),
        "no_refusal": no_refusal(answers, edge_texts),
        "no_padding": no_padding(answers, edge_texts),
        "vocabulary": vocabulary(answers),
    }
    return {name: values * (answers.words > 0) for name, values in parts.items()}


def completeness_of(answers: Texts, expected: np.ndarray) -> np.ndarray:
    """`completeness` of each answer."""
    ends_open = class_flags("dpcb")[answers.last(answers.token_class)]
    columns = [answers.words, ends_open, expected, answers.english]
    rows = zip(answers.texts, *(column.tolist() for column in columns), strict=True)
    return np.array([completeness(*row) if row[1] else 0.0 for row in rows])


TYPICAL_VOCABULARY = 0.82  # what stands in for the vocabulary of an answer too short, or not English prose, to show it


def vocabulary(answers: Texts) -> np.ndarray:
    """MATTR, 0.4 (poor) to 0.9 (rich), as a mark, drawn to the typical one where few words are there to judge."""
    evidence = saturating(answers.words, 20.0) * answers.english
    return abstain(ramp(mattr(answers), 0.4, 0.9), evidence, TYPICAL_VOCABULARY)


def depth_parts(answers: Texts) -> dict[str, np.ndarray]:
    """What an answer goes into, in saturating counts: connectives, equations; terms, numbers; names, points.
    And how plainly it reads."""
    reading, syllables_per_word = readability(answers)
    long_words = answers.words * np.maximum(0.0, syllables_per_word - 1.3) / 4  # 1.3 a word is everyday English
    equations = np.array([text.count(" = ") if "=" in text else 0 for text in answers.texts])
    named = capitals(answers) + np.array([text.count("\n") for text in answers.texts])
    parts = {
        "reasoning": saturating(answers.count("s") + equations, 6.0),
        "technical": saturating(answers.count("#x") + long_words, 25.0),
        "knowledge": saturating(named / 2, 12.0),
    }
    return {"answer_readability": reading} | {name: values * (answers.words > 0) for name, values in parts.items()}


# ---------------------------------------------------------------------------------------------------------------------
# The ask


def ask_parts(asks: Texts, bits: np.ndarray) -> dict[str, np.ndarray]:
    """The sub-scores of the instructions; all 0 for one without a word, readability apart."""
    named = capitals(asks) + asks.counts["#"]
    constraints = np.bitwise_count(bits >> CONSTRAINT_SHIFT)
    detail = named + 2 * constraints + asks.sum(asks.tokens.end == COMMA) + asks.words / 15
    asked = np.array(["?" in text for text in asks.texts]) | (bits & ASK_BIT > 0)
    parts = {
        "asks": np.where(asked, 1.0, abstain(0.3, asks.english, 0.8)),
        "specificity": saturating(detail, 4.0),
        "well_formed": spelling(asks, asks.english) * word_order(asks) * abstain(casing(asks), 0.5),
        "constraints": saturating(2 * constraints + asks.words / 25, 5.0),
    }
    reading, _ = readability(asks)
    return {name: values * (asks.words > 0) for name, values in parts.items()} | {"ask_readability": reading}
