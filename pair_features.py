"""What an instruction asks for, and how well a response answers it: the sub-scores below the four dimensions.

Each sub-score is an array with an entry for each pair, in [0, 1], higher is better; its docstring says why it exists.
What needs English - word order, spelling, casing, padding, readability - is weighed by the confidence that
the text is English prose (`Texts.english`), and takes its neutral value, mostly 1, on other languages, code, tables.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from text_checks import (
    blocks_indented,
    brackets_match,
    completeness,
    concludes_early,
    echoed_fraction,
    keeps_form,
    layout,
    looped_or_repeated,
    numbers_rise,
    quoted,
    said_twice,
    says_again,
    sums_hold,
)
from text_features import (
    COMMA,
    MATTR_WINDOW,
    STOP,
    Texts,
    abstain,
    among,
    capitals,
    fraction,
    has_code_marks,
    mattr,
    ramp,
    saturating,
    stem_keys,
    vacuous_words,
)
from text_remains import (
    AROUND_WORDS,
    TURN_WORDS,
    WRAPPERS,
    around_text,
    ends_in_other_script,
    goes_on,
    has_loose_link,
    has_prompt_remains,
    has_template_marks,
    is_wrapped,
    litter,
)
from text_soundness import (
    capitals_in_place,
    casing,
    further_faults,
    readability,
    spelling,
    word_order,
)
from word_facts import (
    ASK_BIT,
    CHOICE_BIT,
    CLASSES,
    CODE_ASK_BIT,
    CONSTRAINT_SHIFT,
    FACT_BIT,
    FOREIGN_BIT,
    LONG_BIT,
    MAKING_BIT,
    OPEN_BIT,
    POLAR_BIT,
    POLITE_BIT,
    WORDS,
    YOU_BIT,
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
WORD_LIMIT = re.compile(r"(?<!\d)(\d{1,3}(?:,\d{3})+|\d{2,9})[- ]words?\b")  # 1,000 words are not 000
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
        return min(150.0, max(CHOICE, float(limit.group(1).replace(",", "")) / 6))
    if bits & CHOICE_BIT or any([phrase in lowered for phrase in CHOICE_PHRASES]):
        return CHOICE
    if bits & CODE_ASK_BIT:
        return FACT if bits & FACT_BIT else CODE
    if bits & LONG_BIT and bits & MAKING_BIT:
        return LONG
    if bits & FACT_BIT:
        return FACT
    return OPEN if tokens < 60 or bits & OPEN_BIT else FACT


class Content(NamedTuple):
    """The distinct content words of each instruction, sorted by row."""

    row: np.ndarray
    stem: np.ndarray
    weight: np.ndarray  # int64, thousandths: whole, so that their sums are exact in any order
    topical: np.ndarray  # bool: specific words; all of them where an instruction has none

    def topic(self) -> "Content":
        """What the instructions are about: the topical words alone."""
        return Content(*(column[self.topical] for column in self))


IS_SPECIFIC = class_flags("wNum#xyj")
IS_COMMON = class_flags("g")


def content_words(asks: Texts, rarity: Callable[[str], int]) -> Content:
    """The content words of the asks, each weighed by the rarity of its stem."""
    specific = IS_SPECIFIC[asks.token_class]
    topical = specific | (asks.sum(specific) == 0)[asks.token_row]
    chosen = np.flatnonzero(specific | IS_COMMON[asks.token_class])
    keys = asks.token_row[chosen] << 32 | asks.fact("stem")[chosen]
    keys = np.sort(keys << 1 | ~topical[chosen])  # of equal words a topical one comes first
    keys = keys[np.append(True, keys[1:] >> 1 != keys[:-1] >> 1)] if len(keys) else keys
    stem = keys >> 1 & 0xFFFFFFFF
    distinct, places = np.unique(stem, return_inverse=True)
    weights = np.array([rarity(WORDS.stems[number]) for number in distinct.tolist()], np.int64)
    return Content(keys >> 33, stem, weights[places] if len(distinct) else weights, keys & 1 == 0)


# ---------------------------------------------------------------------------------------------------------------------
# Phrases of an answer

REFUSALS = (  # "I cannot", not regret: "I'm sorry to hear that" may be just what was asked for
    "i cannot", "i can't", "i'm not able", "i am not able", "i'm unable", "i am unable", "sorry, but", "apologize, but",
    "as an ai", "as a language model", "as an artificial", "i don't have enough", "i won't help", "i will not help",
    "i must decline", "i have to decline", "i do not have access", "i don't have access",
)  # fmt: skip
IDIOM = re.compile(  # what begins like a refusal and is none: "I cannot stress enough", "I can't wait"
    r"\bi can(?:no|')t (?:(?:believe|imagine|wait|help but|emphasi[sz]e|stress)\b|(?:\w+ ){1,4}enough\b)"
)
# What an assistant says about itself and to its user, not about the matter.
BOILERPLATE = (
    "hope this helps", "let me know if", "feel free to", "as an ai", "as a language model", "great question",
    "happy to help", "hesitate to", "if you have any", "<nooutput>", "lorem ipsum",
)  # fmt: skip
# Each phrase of a kind has one of these words, so that a table of a batch's words tells where it is worth a search.
HINTS = [TURN_WORDS, AROUND_WORDS, "conclusion summary overall"]
TURN_HINT, AROUND_HINT, CONCLUSION_HINT = (1 << bit for bit in range(len(HINTS)))
HINT_BITS = {word: 1 << bit for bit, words in enumerate(HINTS) for word in words.split()}


def hints_in(answers: Texts) -> np.ndarray:
    """int64[rows]: which hints the words of each answer give, as bits."""
    bits = np.array([HINT_BITS.get(word, 0) for word in answers.tokens.words])[answers.tokens.word]
    return np.bitwise_or.reduceat(bits, answers.starts) * (answers.lengths > 0)


def edges(text: str) -> str:
    """The lower-cased two ends of a text, where refusals and boilerplate stand; without what only reads like them."""
    text = text if len(text) < 500 else f"{text[:200]}\n{text[-300:]}"
    text = text.lower().replace("’", "'")
    return IDIOM.sub(lambda found: " " * len(found[0]), text) if "i can" in text[:200] else text


# ---------------------------------------------------------------------------------------------------------------------
# The answer


def no_padding(answers: Texts, edge_texts: list[str], lines: np.ndarray) -> np.ndarray:
    """1 less the share of words in sentences that name next to nothing specific, and of hedges, boilerplate, blanks.

    Human and model answers hold 1-5% of words in such sentences; filler is made of them."""
    boilerplate = np.array([sum([phrase in text for phrase in BOILERPLATE]) for text in edge_texts])
    vacuous = vacuous_words(answers) * ramp(answers.words, 8.0, 60.0)  # a short answer may be one plain sentence
    padding = fraction(vacuous + 2 * answers.count("h"), answers.lengths) + 0.07 * boilerplate
    prose = np.maximum(answers.english, answers.code)  # padding in code is prose, and shows as such
    blank = np.array([3 * text.count("\n\n\n") / max(1, len(text)) for text in answers.texts])
    value = abstain(1.0 - 0.8 * np.minimum(1.0, padding), prose * (answers.words > 8))
    return value * (1.0 - blank) * (1.0 - 0.6 * broken_lines(answers, lines))


def no_remains(
    wanted: list[str], answers: Texts, edge_texts: list[str], code_asked: np.ndarray, hints: np.ndarray
) -> np.ndarray:
    """1 for an answer and nothing else, in any language: halved by another speaker's turn after it and by what it is
    wrapped in, less for remains of a web page around or within it, for fields left unfilled and for lost characters.
    `wanted`: of `asked_text`."""
    turns = np.array([has_template_marks(*texts) for texts in zip(wanted, answers.texts, strict=True)])
    for row in [row for row, text in enumerate(answers.texts) if text[:1] in WRAPPERS or not text.isascii()]:
        turns[row] |= is_wrapped(wanted[row], answers.texts[row], bool(answers.code[row]))
        turns[row] |= ends_in_other_script(wanted[row], answers.texts[row])
    for row in np.flatnonzero(hints & TURN_HINT).tolist():
        turns[row] |= goes_on(wanted[row], answers.texts[row])
    around = np.array([has_loose_link(*texts) for texts in zip(wanted, edge_texts, strict=True)]).astype(int)
    for row in np.flatnonzero(hints & AROUND_HINT).tolist():
        around[row] += around_text(wanted[row], edge_texts[row])
    around *= ~code_asked
    code = list(zip(code_asked.tolist(), answers.code.tolist(), strict=True))
    within = np.array([litter(*row, *kind) for *row, kind in zip(wanted, answers.texts, code, strict=True)])
    spoilt = 0.04 * np.minimum(within, 5) + 0.4 * ramp(fraction(within, answers.words), 0.0, 0.1)
    return np.where(turns, 0.5, 1.0) * (1.0 - np.minimum(0.6, 0.12 * around)) * (1.0 - spoilt)


def broken_lines(answers: Texts, lines: np.ndarray) -> np.ndarray:
    """1 where running prose stands in lines of a word or two; 0 for lists of words, which lack the little ones."""
    prose = ramp(fraction(answers.count("dpcb"), answers.lengths), 0.1, 0.25)
    return prose * ramp(fraction(lines, answers.lengths), 0.4, 0.8)


def no_refusal(answers: Texts, edge_texts: list[str]) -> np.ndarray:
    """Low where the answer opens by declining, less low where much follows."""
    refused = np.array([any([phrase in text[:200] for phrase in REFUSALS]) for text in edge_texts])
    return np.where(refused, np.where(answers.words > 60, 0.5, 0.2), 1.0)


OPENING_TOKENS, FIRST_WORDS = 25, 6


def coherence(answers: Texts, topic: Content, hints: np.ndarray) -> np.ndarray:
    """Whether the parts stand in order: an opening on the topic that leans on nothing before it, numbers that rise, a
    conclusion that comes last."""
    rows = len(answers.texts)
    opening = stem_keys(answers, np.flatnonzero(answers.token_place < OPENING_TOKENS))
    on_topic = np.bincount(topic.row, among(topic.row << 32 | topic.stem, opening), minlength=rows) > 0
    has_topic = np.bincount(topic.row, minlength=rows) > 0
    first_words = np.minimum(answers.starts[:, None] + np.arange(FIRST_WORDS), len(answers.token_row) - 1)
    first_words = answers.tokens.word[first_words]
    leaning = (answers.facts["leaning"][first_words] == 1) & (np.arange(FIRST_WORDS) < answers.lengths[:, None])
    leans_back = leaning.any(axis=1) | (answers.facts["backward"][first_words[:, 0]] == 1)
    value = np.where(leans_back, 0.7, 1.0) * np.where(has_topic & ~on_topic, 0.8, 1.0)
    value = abstain(value, ramp(answers.words, 10.0, 30.0))
    value = value * np.where([numbers_rise(text) for text in answers.texts], 1.0, 0.6)
    for row in np.flatnonzero(hints & CONCLUSION_HINT).tolist():
        value[row] *= 0.85 if concludes_early(answers.texts[row]) else 1.0
    return value


def structure(answers: Texts) -> np.ndarray:
    """Lists, headings, paragraphs, tables and code blocks, in an answer long enough to need them; neutral in others."""
    marks = np.array([layout(text) for text in answers.texts])
    return abstain(saturating(marks, 12.0), saturating(answers.words, 100.0), 0.4)


def relevance(
    answers: Texts, content: Content, specific: np.ndarray, fit: np.ndarray, expected: np.ndarray
) -> np.ndarray:
    """Rarity-weighted share of the ask's content words that the answer takes up, or of its own that the ask has.

    The share is that of the topical or of all content words, whichever is more: one specific word ("two") may hide what
    is asked about. Two fifths is full mark, as is an answer drawn by a quarter from the ask. A right answer of a few
    words may share none ("Name three rivers." "Rhine, Loire, Po."), to a closed question above all; what those that
    share none lose grows with their words. `specific`: the answers' keys; `fit`: of `fits_closed`."""
    rows, topical = len(answers.texts), content.topical
    keys = content.row << 32 | content.stem
    found = among(keys, specific) | among(keys, stem_keys(answers, np.flatnonzero(IS_COMMON[answers.token_class])))
    for place in np.flatnonzero(answers.code[content.row] & ~found).tolist():
        # in code words stand inside names: isPrime, list_files
        found[place] = WORDS.stems[content.stem[place]] in answers.texts[content.row[place]].lower()
    weights = [content.weight * topical, np.where(topical, 2, 1) * content.weight]  # a common word says half as much
    recalls = [
        fraction(np.bincount(content.row, weight * found, rows), np.bincount(content.row, weight, rows))
        for weight in weights
    ]
    kinds = np.bincount(specific >> 32, minlength=rows)
    shared = np.bincount(content.row, found & topical, rows) / (kinds + 2.0)  # of few words a share says little
    known = np.bincount(content.row, minlength=rows) > 0
    overlap = np.maximum(ramp(np.maximum(*recalls), 0.0, 0.4), ramp(shared, 0.0, 0.25))
    overlap = np.where(fit == 0, overlap, np.maximum(fit, 0.0))
    closed = expected <= FACT
    benefit = np.where(closed, 0.5, 0.25) * (1.0 - saturating(answers.words, np.where(closed, 12.0, 25.0))) * (fit >= 0)
    return np.where(known, overlap + benefit * (1.0 - overlap), NEUTRAL_RELEVANCE)


def fits_closed(asks: Texts, answers: Texts) -> np.ndarray:
    """How an answer of a few words fits its ask: 1 where the ask contains it, as an option or an extract (less for a
    piece of a phrase, or for words that stand apart there), or where it says yes or no to a yes-or-no question; -1
    where it says yes or no to another question, or repeats the ask; 0 otherwise."""
    rows = len(answers.texts)
    few = (answers.words > 0) & (answers.words <= FEW_WORDS)
    chosen = np.flatnonzero(few[answers.token_row] & (answers.token_class != CLASSES.index("e")))
    keys = answers.token_row[chosen] << 32 | answers.fact("stem")[chosen]
    met = among(keys, stem_keys(asks, few[asks.token_row]))
    extract = (few & (np.bincount(answers.token_row[chosen[~met]], minlength=rows) == 0)).astype(float)
    for row in np.flatnonzero(extract).tolist():
        extract[row] = quoted(asks.texts[row], answers.texts[row])
    fit = np.where(says_yes_or_no(answers) & few, np.where(is_polar(asks), 1.0, -1.0), extract)
    echoes = [says_again(*texts) for texts in zip(asks.texts, answers.texts, strict=True)]
    return np.where(echoes, -1.0, fit)


def says_yes_or_no(answers: Texts) -> np.ndarray:
    """bool[rows]: begins with yes, no, true or false."""
    return (answers.first(answers.fact("asked")) & POLAR_BIT > 0) & (answers.lengths > 0)


def is_polar(asks: Texts) -> np.ndarray:
    """bool[rows]: names yes, no, true or false, or has a sentence that begins with an auxiliary ("Is it?"), politeness
    ("Can you ...?") apart."""
    says = asks.fact("asked")
    begins = np.append(True, (asks.tokens.end[:-1] == STOP) | (asks.token_row[1:] != asks.token_row[:-1]))
    polite = (says & POLITE_BIT > 0) & np.append(says[1:] & YOU_BIT > 0, False)
    return asks.sum((begins & AUXILIARY[asks.token_class] & ~polite) | (says & POLAR_BIT > 0)) > 0


AUXILIARY = class_flags("b")
NEUTRAL_RELEVANCE = 0.8


def content_mark(specific: np.ndarray, plain: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Distinct specific words, half against what was asked for and half against a thorough answer. `plain` words count
    for the first half alone: they are what answers "less or more?".

    Counting what is named instead of words makes padding, loops and filler worth nothing."""
    return 0.5 * saturating(specific + plain, expected) + 0.5 * saturating(specific, THOROUGH)


def seen_from_ask(asks: Texts, bits: np.ndarray, answers: Texts) -> Texts:
    """The answers in the light of their asks: unknown words that the ask has are known, and an answer of a few words to
    an English ask is taken for English, unless the ask is about other languages or made-up words."""
    unknown = np.flatnonzero(IS_UNKNOWN[answers.token_class])
    keys = answers.token_row[unknown] << 32 | answers.fact("stem")[unknown]
    in_ask = among(keys, stem_keys(asks, np.flatnonzero(IS_UNKNOWN[asks.token_class])))
    unknown_words = answers.unknown_words - np.bincount(
        answers.token_row[unknown[in_ask]], minlength=len(answers.texts)
    )
    few, foreign = 1.0 - saturating(answers.words, FEW_WORDS), bits & FOREIGN_BIT > 0
    likely = np.where(foreign, (1.0 - few) * answers.english, np.maximum(answers.english, few * asks.english))
    return answers._replace(unknown_words=unknown_words, english=np.where(answers.code, 0.0, likely))


IS_UNKNOWN = class_flags("umy")
FEW_WORDS = 6.0


def answer_parts(
    asks: Texts, bits: np.ndarray, answers: Texts, expected: np.ndarray, content: Content
) -> dict[str, np.ndarray]:
    """The sub-scores of the answers; all 0 for one without a word."""
    answers = seen_from_ask(asks, bits, answers)
    keys = stem_keys(answers, np.flatnonzero(IS_SPECIFIC[answers.token_class]))
    kinds = np.bincount(keys >> 32, minlength=len(answers.texts))
    spelled = np.maximum(answers.english, 0.4 * answers.code)
    specific = answers.count("wN#xj") + answers.unknown_words
    doubtful = spelled * fraction(answers.unknown_words, specific)
    fit = fits_closed(asks, answers)
    expected = np.where((fit > 0) & says_yes_or_no(answers), CHOICE, expected)
    plain = np.clip(answers.words - specific, 0, 3) * np.where(fit > 0, 1.0, 0.3)
    edge_texts = [edges(text) for text in answers.texts]
    hints = hints_in(answers)
    wanted, code_asked = [asked_text(text) for text in asks.texts], bits & CODE_ASK_BIT > 0
    lines = np.array([text.count("\n") for text in answers.texts])
    echoes = np.array([echoed_fraction(*texts) for texts in zip(asks.texts, answers.texts, strict=True)])
    usual = np.where(asks.first(asks.tokens.lower) | (asks.lengths == 0), 0.5, 1.0)
    parts = {
        "content": content_mark(kinds * (1.0 - 0.7 * doubtful), plain, expected),
        "density": abstain(ramp(fraction(specific, answers.words), 0.0, 0.35), ramp(answers.words, 8.0, 40.0)),
        "structure": structure(answers),
        "coherence": coherence(answers, content.topic(), hints),
        "completeness": completeness_of(answers, expected),
        "relevance": relevance(answers, content, keys, fit, expected),
        "word_order": word_order(answers),
        "spelling": spelling(answers, spelled, further_faults(asks, answers)),
        "casing": casing(answers, usual) * capitals_in_place(wanted, answers, lines, usual),
        "no_loops": 1.0 - np.maximum([looped_or_repeated(text) for text in answers.texts], echoes),
        "code_order": code_order(answers),
        "arithmetic": 0.3 + 0.7 * np.array([sums_hold(text) if "=" in text else 1.0 for text in answers.texts]),
        "no_refusal": no_refusal(answers, edge_texts),
        "no_padding": no_padding(answers, edge_texts, lines),
        "no_remains": no_remains(wanted, answers, edge_texts, code_asked, hints),
        "form": np.where(
            [keeps_form(*row) for row in zip(wanted, answers.texts, code_asked.tolist(), strict=True)], 1.0, 0.5
        ),
        "vocabulary": vocabulary(answers),
    }
    return {name: values * (answers.words > 0) for name, values in parts.items()}


def completeness_of(answers: Texts, expected: np.ndarray) -> np.ndarray:
    """`completeness` of each answer."""
    last = answers.last(answers.token_class)
    ends_open = class_flags("dpcb")[last] & (answers.words > 3) | class_flags("dc")[last] & (answers.words > 1)
    sentence = answers.first(answers.tokens.upper) & (answers.count("bn") > 0) & (answers.words > 3)
    columns = [answers.words, ends_open, sentence, expected, answers.english]
    rows = zip(answers.texts, *(column.tolist() for column in columns), strict=True)
    return np.array([completeness(*row) if row[1] else 0.0 for row in rows])


def code_order(answers: Texts) -> np.ndarray:
    """What word order is to prose: brackets close what was opened, and blocks are indented, in texts full of marks of
    code (`blocks_indented` in code alone)."""
    value = np.ones(len(answers.texts))
    full = has_code_marks(np.array(list(map(len, answers.texts))), answers.tokens.code_marks)
    for row in np.flatnonzero(full).tolist():
        blocks = blocks_indented(answers.texts[row]) if answers.code[row] else 1.0
        value[row] = ramp(brackets_match(answers.texts[row]), 0.2, 0.9) * (0.6 + 0.4 * blocks)
    return value


TYPICAL_VOCABULARY = 0.82  # what stands in for the vocabulary of an answer too short, or not English prose, to show it


def vocabulary(answers: Texts) -> np.ndarray:
    """MATTR from 0.4 (poor) to 0.9 (rich) as a mark, drawn to the typical one where there are few words to judge."""
    evidence = np.minimum(1.0, answers.lengths / MATTR_WINDOW) * answers.english
    return abstain(ramp(mattr(answers), 0.4, 0.9), evidence, TYPICAL_VOCABULARY)


def depth_parts(answers: Texts) -> dict[str, np.ndarray]:
    """What an answer goes into, in saturating counts: connectives, equations; terms, numbers; names, points.
    And how plainly it reads."""
    reading, syllables_per_word = readability(answers)
    long_words = answers.words * np.maximum(0.0, syllables_per_word - 1.3) / 4  # 1.3 a word is everyday English
    equations = np.array([text.count(" = ") if "=" in text else 0 for text in answers.texts])
    lines = np.array([text.count("\n") for text in answers.texts])
    named = capitals(answers) + np.minimum(lines, answers.words / 4)  # a point has a few words
    parts = {
        "reasoning": saturating(answers.count("s") + equations, 6.0),
        "technical": saturating(answers.count("#x") + long_words, 25.0),
        "knowledge": saturating(named / 2, 12.0),
    }
    return {"answer_readability": reading} | {name: values * (answers.words > 0) for name, values in parts.items()}


# ---------------------------------------------------------------------------------------------------------------------
# The ask


def distinct_terms(asks: Texts, topic: Content) -> np.ndarray:
    """Distinct topical words of each ask, unknown ones not counted in English; a repeated word says nothing new."""
    kinds = np.bincount(topic.row, minlength=len(asks.texts))
    return np.maximum(0.0, kinds - asks.english * asks.unknown_words)


def ask_parts(asks: Texts, bits: np.ndarray, topic: Content) -> dict[str, np.ndarray]:
    """The sub-scores of the instructions; all 0 for one without a word, readability apart.

    Names, numbers and commas tell how specific an ask is no further than it has distinct words; what was left around it
    by its file tells nothing, and reads ill."""
    kinds = distinct_terms(asks, topic)
    named = capitals(asks) + asks.counts["#"] + asks.sum(asks.tokens.end == COMMA)
    constraints = np.bitwise_count(bits >> CONSTRAINT_SHIFT)
    detail = np.minimum(named, kinds) + 2 * constraints + kinds / 5
    once = np.array([0.5 if said_twice(text) else 1.0 for text in asks.texts])
    asked = np.array(["?" in text for text in asks.texts]) | (bits & ASK_BIT > 0)
    bare = np.where([has_prompt_remains(text) for text in asks.texts], 0.5, 1.0)
    parts = {
        "asks": np.where(asked, 1.0, abstain(0.3, asks.english, 0.8)),
        "specificity": saturating(detail, 4.0) * bare,
        "well_formed": spelling(asks, asks.english) * word_order(asks) * abstain(casing(asks), 0.5) * once * bare,
        "constraints": saturating(2 * constraints + kinds / 8, 5.0),
    }
    reading, _ = readability(asks)
    return {name: values * (asks.words > 0) for name, values in parts.items()} | {"ask_readability": reading}
