"""How soundly a text is written: word order, spelling, casing, readability; sub-scores of `pair_features.py`.

Arrays with an entry for each text, in [0, 1], higher is better. Each is weighed by the confidence that the text is
English prose (`Texts.english`), and takes its neutral value, mostly 1, on other languages, code, tables.
"""

import numpy as np

from text_features import (
    PLAIN,
    STOP,
    Texts,
    abstain,
    among,
    fraction,
    neighbours,
    ramp,
    sample_readability,
    saturating,
    stem_keys,
)
from text_remains import says
from word_facts import CLASSES, class_flags

# Two neighbours that English word order all but rules out: "the of", "a is", "of and", "and or", "to was", ...
ODD_PAIRS = [("d", "dpcb"), ("p", "cb"), ("c", "c"), ("b", "c")]
ODD_NEIGHBOURS = np.any([np.outer(class_flags(first), class_flags(then)) for first, then in ODD_PAIRS], axis=0)


def word_order(texts: Texts) -> np.ndarray:
    """1 for English word order, 0 for words in random order: odd neighbours among closed-class words ("the of") and
    words said twice in a row, which code lacks too. English prose has under 2% of them, shuffled words 35%."""
    heads = texts.count("dpcb")
    words, letters = texts.tokens.word, texts.fact("alpha")[1:] == 1
    doubled = (words[1:] == words[:-1]) & (texts.tokens.end[:-1] == PLAIN) & letters
    odd = neighbours(texts, doubled | ODD_NEIGHBOURS[texts.token_class[:-1], texts.token_class[1:]])
    in_english = np.where(heads < 3, 1.0, abstain(1.0 - ramp(fraction(odd, heads + 1), 0.0, 0.4), texts.english))
    places = np.flatnonzero(doubled)
    row = texts.token_row[places]
    twice = np.bincount(row[texts.code[row] & (texts.token_row[places + 1] == row)], minlength=len(texts.texts))
    return in_english * (1.0 - ramp(fraction(twice, texts.lengths), 0.0, 0.2))


def spelling(texts: Texts, confidence: np.ndarray, further=0) -> np.ndarray:
    """Falls with the share of words that no dictionary has or that mix cases, names and terms included, from the first
    one: noise is told from names only by how much there is. `further`: faults that count as such words do."""
    unknown = fraction(texts.unknown_words + further, texts.lengths - texts.count("ej#"))
    return abstain(1.0 - ramp(unknown, 0.0, 0.5), confidence)


USUAL_NAMES, USUAL_NAME_FRACTION = 4, 0.15
FEW_DETACHED = 2


def further_faults(asks: Texts, answers: Texts) -> np.ndarray:
    """What counts as a misspelt word beside unknown ones: words that run into the next one ("end.Then"), from the
    second on; marks that stand alone, from the third on, where those of the ask do not; and more capitalised unknown
    words, not counting those of the ask, than names usually are."""
    detached = np.where(detached_marks(asks) > 0, 0, detached_marks(answers))
    named = np.flatnonzero(answers.token_class == NAME)
    known = among(stem_of(answers, named), stem_keys(asks, np.flatnonzero(asks.token_class == NAME)))
    names = np.bincount(answers.token_row[named[~known]], minlength=len(answers.texts))
    names = names - np.maximum(USUAL_NAMES, USUAL_NAME_FRACTION * answers.lengths)
    faults = 2 * np.maximum(0, crowded_words(answers) - 1) + 2 * np.maximum(0, detached - FEW_DETACHED)
    return np.where(answers.code, 0.0, faults + np.maximum(0.0, names))


NAME = CLASSES.index("N")


def stem_of(texts: Texts, places: np.ndarray) -> np.ndarray:
    """The keys, as of `stem_keys`, of the tokens at some places."""
    return texts.token_row[places] << 32 | texts.facts["stem"][texts.tokens.word[places]]


def crowded_words(texts: Texts) -> np.ndarray:
    """Tokens of each row that are two words with a mark between; with a stop only where a capital follows it, since
    "word.word" is an address or code."""
    tokens = texts.tokens
    places = np.flatnonzero(texts.token_class == CLASSES.index("x"))
    places = places[texts.facts["crowded"][tokens.word[places]] == 1]
    stops = texts.facts["stop"][tokens.word[places]] == 1
    places = places[~stops | (tokens.capitals[places] > tokens.upper[places])]
    return np.bincount(texts.token_row[places], minlength=len(texts.texts))


def detached_marks(texts: Texts) -> np.ndarray:
    """Marks of each row that stand alone and end a sentence or a part of it."""
    places = np.flatnonzero(texts.tokens.characters == 0)
    places = places[(texts.tokens.marks[places] == 1) & (texts.tokens.end[places] != PLAIN)]
    return np.bincount(texts.token_row[places], minlength=len(texts.texts))


def casing(texts: Texts, usual=1.0) -> np.ndarray:
    """From 0.4 to 1 with the share of sentences that begin with a capital, a digit or a mark, the first one included.

    `usual` is how far the rule holds in this data: half where the instruction itself is in lower case."""
    lower, stops = texts.tokens.lower, texts.tokens.end == STOP
    ends = texts.sum(stops)
    is_sentence = np.where(ends > 0, 1.0, ramp(texts.words, 0.0, 40.0))  # or a label, without a stop
    begins_low = texts.first(lower) * np.where(texts.words < 6, 0.2, is_sentence)
    wrong = neighbours(texts, stops[:-1] & lower[1:]) + begins_low
    long = (texts.tokens.characters > 1) & (texts.fact("alpha") == 1)
    shouted = fraction(texts.sum(long & (texts.tokens.capitals == texts.tokens.characters)), texts.sum(long))
    shouting = np.where(texts.words > 3, ramp(shouted, 0.3, 0.8), 0.0)
    return abstain((1.0 - 0.6 * wrong / (ends + 1)) * (1.0 - 0.6 * shouting), texts.english * usual)


def capitals_in_place(wanted: list[str], answers: Texts, lines: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """From 0.4 to 1: low where a twentieth of the words are different ones of the dictionary in capitals, or where
    little words ("of", "the") have capitals within sentences and lines, as in a title. `usual`: as of `casing`."""
    tokens, rows = answers.tokens, len(answers.texts)
    places = np.flatnonzero(tokens.capitals > 3)
    places = places[tokens.capitals[places] == tokens.characters[places]]
    places = places[IN_DICTIONARY[answers.token_class[places]]]
    places = places[[tokens.words[number] not in SQL_WORDS for number in tokens.word[places].tolist()]]
    loud = np.maximum(0, np.bincount(stem_keys(answers, places) >> 32, minlength=rows) - 1)
    places = np.flatnonzero(tokens.upper)
    places = places[IS_LITTLE[answers.token_class[places]]]
    within = (answers.token_place[places] > 0) & (tokens.end[places - 1] == PLAIN)
    places = places[within & (tokens.capitals[places] == 1) & (tokens.characters[places] > 1)]
    titled = np.bincount(answers.token_row[places], minlength=rows) - lines  # each may begin with a little word
    titled = ramp(titled / np.maximum(answers.count("dpcb") - lines, FEW_LITTLE), 0.3, 0.6)
    for row in np.flatnonzero(titled).tolist():
        titled[row] *= not says(wanted[row], TITLE_ASKS)
    loud = ramp(fraction(loud, answers.count("hdpcbnsgw")), 0.01, 0.05)
    return abstain(1.0 - 0.6 * np.maximum(loud, titled), answers.english * usual)


FEW_LITTLE = 3
TITLE_ASKS = "title titles headline headlines heading headings name names slogan tagline motto words capitalize"
SQL_WORDS = frozenset(
    "select from where order group join inner left right outer limit desc insert into update delete create table alter "
    "drop values count having between like null distinct union case when then else average".split()
)
IN_DICTIONARY, IS_LITTLE = class_flags("hdpcbnsgw"), class_flags("dpcb")


def readability(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """(Flesch reading ease of the opening as a mark, syllables per word). 1 for plain English, 40 to 110, lower beyond;
    the neutral 0.8 where the text is not English."""
    ease, syllables_per_word = sample_readability(texts)
    judged = texts.english * saturating(texts.words, 10.0)  # a word or two make no sample
    return abstain(ramp(ease, -60.0, 40.0) * ramp(ease, 150.0, 110.0), judged, 0.8), syllables_per_word
