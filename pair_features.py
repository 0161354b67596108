"""What an instruction asks for, and how well a response answers it: the sub-scores below the four dimensions.

Each sub-score lies in [0, 1], higher is better, and has one reason to exist, given in its docstring. What needs
English - word order, spelling, casing, padding, readability - is weighed by the confidence that the text is English
prose (`Profile.english`) and takes its neutral value, mostly 1, on other languages, code and tables.
"""

import re

from text_features import (
    COMMAS,
    KNOWN_SPECIFIC_FLAGS,
    LOWERS,
    ODD_HEADS,
    ODD_NEIGHBOURS,
    SENTENCE_END,
    STEMS,
    STOP_THEN_LOWER,
    STOPS,
    STRIPPED,
    UPPERS,
    WORDS,
    Profile,
    abstain,
    ramp,
    sample_readability,
    saturating,
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
CHOICE_WORDS = frozenset(
    "choose select pick classify categorize sentiment option true yes missing spam category".split()
)
FACT_WORDS = frozenset(
    "who when where which capital calculate convert compute solve rewrite edit correct translate rephrase replace "
    "arrange sort extract headline title slogan tagline motto haiku tweet sentence sentences briefly short concise "
    "antonym synonym synonyms opposite plural rhyme word phrase identify name year many paraphrase summarize summary "
    "answer question".split()
)
CODE_ASK_WORDS = frozenset(
    "python java javascript c++ sql html css regex code function program script algorithm class api query php".split()
)
MAKING_WORDS = frozenset("write compose create generate draft give provide make develop prepare tell build".split())
LONG_WORDS = frozenset(
    "essay article blog story report guide tutorial speech letter paragraphs plan lyrics song email proposal review "
    "list poem detailed detail comprehensive thorough elaborate step-by-step steps strategy outline dialogue".split()
)
OPEN_WORDS = frozenset(
    "explain describe discuss compare contrast how why what write create generate compose design develop suggest give "
    "provide list tell outline analyze imagine recommend help are should can".split()
)
WORD_LIMIT = re.compile(r"(\d{2,4})[- ]words?\b")
HEAD_TOKENS, TAIL_TOKENS = 40, 70  # of a long instruction the ask stands at the head or the foot


def asked_words(ask: Profile) -> set[str]:
    """The stripped, lower-cased words where the ask stands; to be asked for members only."""
    tokens = ask.tokens
    if len(tokens) > HEAD_TOKENS + TAIL_TOKENS:
        tokens = tokens[:HEAD_TOKENS] + tokens[-TAIL_TOKENS:]
    return {token.strip(STRIPPED).lower() for token in tokens}


def asked_text(ask: Profile) -> str:
    """The lower-cased text where the ask stands."""
    text = ask.text
    return (text if len(text) <= 700 else f"{text[:250]}\n{text[-450:]}").lower()


def expected_content(ask: Profile, words: set[str], lowered: str) -> float:
    """How many distinct specific words a full answer has, by what the instruction asks for."""
    limit = WORD_LIMIT.search(lowered) if "word" in lowered else None
    if limit:
        return min(150.0, float(limit.group(1)) / 6)
    if not CHOICE_WORDS.isdisjoint(words) or any([phrase in lowered for phrase in CHOICE_PHRASES]):
        return CHOICE
    if not LONG_WORDS.isdisjoint(words) and not MAKING_WORDS.isdisjoint(words):
        return LONG
    if not FACT_WORDS.isdisjoint(words):
        return FACT
    if not CODE_ASK_WORDS.isdisjoint(words):
        return CODE
    return OPEN if len(ask.tokens) < 60 or not OPEN_WORDS.isdisjoint(words) else FACT


def content_stems(ask: Profile) -> list[str]:
    """The distinct specific stems of an instruction, in order; where it has none, its common content words."""
    stems = dict.fromkeys(map(STEMS.__getitem__, ask.tokens))
    specific = [stem for stem in stems if stem in ask.specific]
    return specific or [stem for stem in stems if WORDS[stem][1] == "g"]


# ---------------------------------------------------------------------------------------------------------------------
# Soundness of a text


def word_order(text: Profile) -> float:
    """1 for English word order, 0 for words in random order: odd neighbours among closed-class words ("the of").

    English prose has under 2% of them, shuffled words 35%."""
    heads = sum([text.classes.count(letter) for letter in ODD_HEADS])
    if heads < 3:
        return 1.0
    odd = len(ODD_NEIGHBOURS.findall(text.classes)) / heads
    return abstain(1.0 - ramp(odd, 0.0, 0.4), text.english)


def unknown_fraction(text: Profile) -> float:
    """Share of words that no dictionary has or that mix cases, names and terms included; in [0, 1]."""
    words = len(text.classes) - text.classes.count("e") - text.classes.count("j") - text.classes.count("#")
    return text.unknown_words / words if words else 0.0


def spelling(text: Profile, confidence: float) -> float:
    """Falls with the share of unknown words, from the first one: noise is told from names only by how much there is."""
    return abstain(1.0 - ramp(unknown_fraction(text), 0.0, 0.5), confidence)


def casing(text: Profile, usual: float = 1.0) -> float:
    """From 0.4 to 1 with the share of sentences that begin with a capital, a digit or a mark, the first one included.

    `usual` is how far the rule holds in this data: half where the instruction itself is in lower case."""
    ends = sum([text.edges.count(letter) for letter in STOPS])
    wrong = len(STOP_THEN_LOWER.findall(text.edges)) + (text.edges[0] in LOWERS) * (0.5 if text.words < 6 else 1.0)
    return abstain(1.0 - 0.6 * wrong / (ends + 1), text.english * usual)


# ---------------------------------------------------------------------------------------------------------------------
# The answer

REFUSALS = (
    "i'm sorry", "i am sorry", "i cannot", "i can't", "i'm not able", "i am not able", "i'm unable", "i am unable",
    "as an ai", "as a language model", "as an artificial", "i don't have enough", "sorry, but", "i apologize",
)  # fmt: skip
# What an assistant says about itself and to its user, not about the matter.
BOILERPLATE = (
    "hope this helps", "let me know if", "feel free to", "as an ai", "as a language model", "great question",
    "happy to help", "hesitate to", "if you have any", "<nooutput>", "lorem ipsum",
)  # fmt: skip
CONCLUSIONS = ("in conclusion", "in summary", "overall,")
BACKWARD = frozenset(
    "it this these they those such however additionally also overall finally therefore then and but so moreover "
    "furthermore he she thus hence consequently another similarly next instead lastly".split()
)


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


def no_loops(answer: Profile) -> float:
    """1 less the share of sentences or lines said before, or of a loop at the end, whichever is larger."""
    share = looped_fraction(" ".join(answer.tokens[-LOOP_TOKENS:]))
    pieces = [piece for piece in answer.text.replace(". ", "\n").split("\n") if len(piece) > 12]
    if len(pieces) > 1:
        share = max(share, 1.0 - len(set(pieces)) / len(pieces))
    return 1.0 - share


LOOP_TOKENS = 400


def padding(answer: Profile, edge_text: str) -> float:
    """Share of words in sentences that name next to nothing specific, and what hedges and boilerplate add; in [0, 1].

    Human and model answers hold 1-5% of words in such sentences; filler is made of them."""
    flags = answer.classes.encode().translate(KNOWN_SPECIFIC_FLAGS)
    start = vacuous = 0
    for stop in SENTENCE_END.finditer(answer.edges):
        end = stop.end()
        length = end - start
        if length >= VACUOUS_SENTENCE_WORDS and flags.count(1, start, end) <= VACUOUS_SPECIFIC_FRACTION * length:
            vacuous += length
        start = end
    boilerplate = sum([phrase in edge_text for phrase in BOILERPLATE])
    hedges = answer.classes.count("h")
    return min(1.0, (vacuous + 2.0 * hedges) / len(flags) + 0.07 * boilerplate)


VACUOUS_SENTENCE_WORDS, VACUOUS_SPECIFIC_FRACTION = 6, 0.15


def coherence(answer: Profile, lowered: str, content: list[str]) -> float:
    """Whether the parts stand in order: an opening on the topic that leans on nothing before it, numbers that rise, a
    conclusion that comes last."""
    value = 1.0
    if answer.words > 12:
        opening = list(map(STEMS.__getitem__, answer.tokens[:25]))
        if answer.tokens[0].strip(STRIPPED).lower() in BACKWARD:
            value = 0.7
        if content and not any([stem in opening for stem in content]):
            value *= 0.8
    if not numbers_rise(answer.text):
        value *= 0.6
    half = len(lowered) // 2
    if any([lowered.find(phrase, 0, half) >= 0 for phrase in CONCLUSIONS]):
        value *= 0.85
    return value


def numbers_rise(text: str) -> bool:
    """Whether the items "1. ", "2. ", ... stand in the order of their numbers."""
    last, number = text.find("1. "), 2
    while last >= 0 and number < 30:
        place = text.find(f"{number}. ")
        if 0 <= place < last:
            return False
        last, number = place, number + 1
    return True


def structure(answer: Profile) -> float:
    """Lists, headings, paragraphs, tables and code blocks, in an answer long enough to need them; neutral in others."""
    text = answer.text
    starts = "".join([line.lstrip()[:1] for line in text.split("\n")])
    items = sum([starts.count(mark) for mark in "-*•+123456789"])
    headings = starts.count("#")
    blocks = text.count("```") + starts.count("|")
    layout = items + 2 * headings + text.count("**") / 2 + 1.5 * text.count("\n\n") + blocks
    return abstain(saturating(layout, 12.0), saturating(answer.words, 100.0), 0.4)


def completeness(answer: Profile, expected: float) -> float:
    """1 where the answer ends as finished text does; low where it breaks off."""
    text = answer.text.rstrip()
    if text.count("```") % 2 or text.count("{") > text.count("}"):
        return 0.4
    last, last_class = text[-1], answer.classes[-1]
    if last in FINAL_MARKS or last.isdigit():
        return 0.7 if text.count("(") > text.count(")") else 1.0
    if last in ",:;-–(" or last_class in "dpcb" and answer.words > 3:
        return 0.35
    if answer.words < 15 and answer.words <= max(8.0, 3.0 * expected):
        return 0.95
    last_line = text[text.rfind("\n") + 1 :].lstrip()
    if last_line[:1] in "-*•+|#" or last_line[:1].isdigit() or len(last_line) < 40:
        return 0.8  # a list item or a label needs no full stop
    return abstain(0.4, answer.english, 0.8)


FINAL_MARKS = frozenset(".!?\"'”’)]}`*|>…。！？」》；;$")


def relevance(content: list[str], weights: list[float], answer: Profile) -> float:
    """Rarity-weighted share of the ask's content words that the answer takes up, or of its own that the ask has.

    Two fifths of the ask's words is full mark, as is an answer drawn by a third from the ask (a choice, an extract)."""
    if not content or answer.words < 4:
        return NEUTRAL_RELEVANCE
    specific = answer.specific
    lowered = answer.text.lower() if answer.code else ""  # in code words stand inside names: isPrime, list_files
    found = [stem in specific or stem in lowered for stem in content]
    recall = sum([weight for weight, here in zip(weights, found, strict=True) if here]) / sum(weights)
    shared = sum(found) / len(specific) if specific else 0.0
    return max(ramp(recall, 0.0, 0.4), ramp(shared, 0.0, 0.3))


NEUTRAL_RELEVANCE = 0.8


def content_mark(specific: float, expected: float) -> float:
    """Distinct specific words, against what was asked for (0.6 of the mark) and against a thorough answer (0.4).

    Counting what is named instead of words makes padding, loops and filler worth nothing."""
    return 0.6 * saturating(specific, expected) + 0.4 * saturating(specific, THOROUGH)


ANSWER_PARTS = [
    "content", "density", "structure", "coherence", "completeness", "relevance", "word_order", "spelling", "casing",
    "no_loops", "no_refusal", "no_padding",
]  # fmt: skip


def answer_parts(
    ask: Profile, answer: Profile, expected: float, content: list[str], weights: list[float]
) -> dict[str, float]:
    """The sub-scores of an answer; all 0 for one without a word."""
    if not answer.words:
        return dict.fromkeys(ANSWER_PARTS, 0.0)
    lowered = answer.text.lower()
    edge_text = lowered if len(lowered) < 500 else f"{lowered[:200]}\n{lowered[-300:]}"
    edge_text = edge_text.replace("’", "'")
    refused = any([phrase in edge_text[:200] for phrase in REFUSALS])
    prose = max(answer.english, float(answer.code))  # padding in code is prose, and shows as such
    spelled = max(answer.english, 0.4 * answer.code)
    specific = sum([answer.classes.count(letter) for letter in "wN#xj"]) + answer.unknown_words
    doubtful = spelled * answer.unknown_words / specific if specific else 0.0
    return {
        "content": content_mark(len(answer.specific) * (1.0 - 0.7 * doubtful), expected),
        "density": ramp(specific / answer.words, 0.0, 0.35) if answer.words > 15 else 1.0,
        "structure": structure(answer),
        "coherence": coherence(answer, lowered, content),
        "completeness": completeness(answer, expected),
        "relevance": relevance(content, weights, answer),
        "word_order": word_order(answer),
        "spelling": spelling(answer, spelled),
        "casing": casing(answer, 0.5 if ask.edges[:1] in LOWERS else 1.0),
        "no_loops": no_loops(answer),
        "no_refusal": 1.0 if not refused else 0.5 if answer.words > 60 else 0.2,
        "no_padding": abstain(1.0 - 0.8 * padding(answer, edge_text), prose if answer.words > 8 else 0.0),
    }


# ---------------------------------------------------------------------------------------------------------------------
# The ask

ASK_WORDS = CHOICE_WORDS | FACT_WORDS | MAKING_WORDS | OPEN_WORDS | {"find", "use", "act", "implement", "construct"}
CONSTRAINT_WORDS = frozenset(
    "must should least most without using only exactly include including avoid between such limit ensure based "
    "according each format instead following given style less maximum minimum words sentences paragraphs".split()
)


def ask_parts(ask: Profile, words: set[str]) -> dict[str, float]:
    """The sub-scores of an instruction; all 0 for one without a word."""
    if not ask.words:
        return {"asks": 0.0, "specificity": 0.0, "well_formed": 0.0, "constraints": 0.0}
    named = sum([ask.edges.count(letter, 1) for letter in UPPERS]) + ask.classes.count("#")
    constraints = len(CONSTRAINT_WORDS & words)
    detail = named + 2 * constraints + sum([ask.edges.count(letter) for letter in COMMAS]) + ask.words / 15
    return {
        "asks": 1.0 if "?" in ask.text or not ASK_WORDS.isdisjoint(words) else abstain(0.3, ask.english, 0.8),
        "specificity": saturating(detail, 4.0),
        "well_formed": spelling(ask, ask.english) * word_order(ask) * abstain(casing(ask), 0.5),
        "constraints": saturating(2 * constraints + ask.words / 25, 5.0),
    }


def readability(text: Profile) -> tuple[float, float]:
    """(Flesch reading ease of the opening as a mark, syllables per word). 1 for plain English, 40 to 110, lower beyond;
    the neutral 0.8 where the text is not English."""
    ease, _grade, syllables_per_word = sample_readability(text.text)
    return abstain(ramp(ease, -60.0, 40.0) * ramp(ease, 150.0, 110.0), text.english, 0.8), syllables_per_word
