"""Texts by the batch: their tokens, and what is counted in each text.

A batch of texts is one run of tokens in order. Each distinct token is looked up once (`word_facts.WORDS`), everything
else is array work over the run. All sums are of whole numbers, and every fraction is computed row by row from them, so
that no score can depend on what else is in the batch.
"""

from decimal import Context
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow

from word_facts import CLASSES, NO_WORD, UNSPACED, WORDS, class_flags, reading_ease

# ---------------------------------------------------------------------------------------------------------------------
# Small functions of arrays or numbers


def clamp(value):
    """`value` held in [0, 1]."""
    return np.minimum(np.maximum(value, 0.0), 1.0)


def saturating(amount: np.ndarray, scale) -> np.ndarray:
    """0 at 0, 0.63 at `scale`, then towards 1: each further one adds less."""
    return 1.0 - exp_minus(amount / scale)


def exp_minus(amounts: np.ndarray) -> np.ndarray:
    """exp(-amounts), by operations that IEEE 754 fixes to the last bit: libm's and numpy's vary with the processor."""
    amounts = np.minimum(amounts, 700.0)
    halvings = np.rint(amounts / LN2_HIGH)
    rest = amounts - halvings * LN2_HIGH - halvings * LN2_LOW
    total = np.ones(len(rest))
    for power in range(EXP_TERMS, 0, -1):
        total = 1.0 - total * rest / power
    return np.ldexp(total, -halvings.astype(np.int32))


# log(2) in two parts whose products with small whole numbers are exact (fdlibm); 0.35^14 / 14! is below the last bit
LN2_HIGH, LN2_LOW, EXP_TERMS = 6.93147180369123816490e-01, 1.90821492927058770002e-10, 13


@lru_cache(maxsize=100_000)
def log_of(number: int) -> float:
    """The natural logarithm, correctly rounded, and so the same on every machine."""
    return float(DECIMALS.ln(number))


DECIMALS = Context(prec=30)


def ramp(value, low: float, high: float):
    """0 at `low`, 1 at `high`, straight between and flat beyond; falls where high < low."""
    return clamp((value - low) / (high - low))


def abstain(value, confidence, neutral: float = 1.0):
    """`value` where it can be judged, `neutral` where it cannot, in between by `confidence`."""
    return neutral + confidence * (value - neutral)


def fraction(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; 0 where the whole is."""
    return part / np.where(whole > 0, whole, 1) * (whole > 0)


# ---------------------------------------------------------------------------------------------------------------------
# Texts and tokens

MAX_CHARACTERS = 30_000  # only the two ends of a longer text are read
CHARACTERS_PER_UNSPACED_WORD = 1.6  # Chinese; others are of the same order


def readable(text: str) -> str:
    """The part of a text that is read: of a very long one its two ends; what UTF-8 cannot hold is replaced."""
    if len(text) > MAX_CHARACTERS:
        text = f"{text[: MAX_CHARACTERS * 2 // 3]}\n{text[-MAX_CHARACTERS // 3 :]}"
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


# Typographic marks are read as their plain forms, so that all marks are single bytes.
PLAIN_FORMS = {
    "\xa0": " ", "\u3000": " ", "\u2028": "\n", "“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...",
    "•": "*", "。": ".", "！": "!", "？": "?", "，": ",", "、": ",", "；": ";", "：": ":",
}  # fmt: skip


def spaced(text: str) -> str:
    """The text with plain marks, and one-byte spaces between its tokens."""
    if text.isascii():
        return text
    for mark, plain in PLAIN_FORMS.items():
        text = text.replace(mark, plain)
    return UNSPACED.sub(r" \g<0> ", text) if not text.isascii() and UNSPACED.search(text) else text


# What a byte is, in bits.
SPACE, MARK, CLOSER, STOP_MARK, COMMA_MARK, CAPITAL, SMALL, CODE_MARK = (1 << bit for bit in range(8))
BYTES = {
    SPACE: "\t\n\v\f\r\x1c\x1d\x1e\x1f ",  # as str.split has it
    MARK: "\"'`*_()[]{}<>.,;:!?~|#-+=/\\$%&^@",
    CLOSER: "\"'`*_)]}>",
    STOP_MARK: ".!?",
    COMMA_MARK: ",;:",
    CAPITAL: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    SMALL: "abcdefghijklmnopqrstuvwxyz",
    CODE_MARK: "(={;<$",
}
KINDS = bytes(sum(bit for bit, characters in BYTES.items() if chr(byte) in characters) for byte in range(256))
UNDECIDED, PLAIN, COMMA, STOP = range(-1, 3)
MAX_MARKS = 60  # stripped on a side; what has more is not a word


class Tokens(NamedTuple):
    """Tokens as they stand in the texts, split at white space as str.split does it; an entry for each token."""

    word: np.ndarray  # number of the word within the marks, in lower case
    words: list[str]  # the distinct ones by number; one is empty
    lengths: np.ndarray  # tokens of each text
    end: np.ndarray  # PLAIN, COMMA or STOP, closing brackets and quotes apart
    lead_stop: np.ndarray  # bool: a stop among the marks before the word
    trail_stop: np.ndarray  # bool: among those after it
    upper: np.ndarray  # bool: the word begins with a capital
    lower: np.ndarray
    capitals: np.ndarray  # capitals in the word
    characters: np.ndarray  # bytes of the word
    marks: np.ndarray  # bytes taken off
    code_marks: np.ndarray  # of each text


def split_tokens(texts: list[str]) -> Tokens:
    """The tokens of all texts, found in their joined bytes: marks are taken off, letters lowered, words numbered."""
    encoded = [spaced(text).encode() for text in texts]
    row_ends = np.cumsum([len(text) + 1 for text in encoded])
    joined = b"\n".join([b"", *encoded, b""])
    kinds = np.frombuffer(joined.translate(KINDS), np.uint8)
    space = kinds == SPACE
    change = np.flatnonzero(space[1:] != space[:-1]) + 1
    start, stop = change[::2], change[1::2]
    lengths = np.diff(np.searchsorted(start, row_ends), prepend=0)
    keep = ~space
    stop, end, trail_stop = strip_end(kinds, keep, start, stop)
    start, lead_stop = strip_start(kinds, keep, start, stop)
    letters = np.frombuffer(joined.lower(), np.uint8)[keep]
    offsets = np.append(0, np.cumsum(stop - start)).astype(np.int32)
    buffers = [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(letters)]
    words = pyarrow.Array.from_buffers(pyarrow.string(), len(start), buffers).dictionary_encode()
    capitals = np.flatnonzero(kinds == CAPITAL)
    token_of_capital = np.searchsorted(start, capitals, "right") - 1
    within = capitals < stop[token_of_capital]
    return Tokens(
        words.indices.to_numpy(),
        words.dictionary.to_pylist(),
        lengths,
        end,
        lead_stop,
        trail_stop,
        kinds[start] == CAPITAL,
        kinds[start] == SMALL,
        np.bincount(token_of_capital[within], minlength=len(start)),
        stop - start,
        change[1::2] - change[::2] - (stop - start),
        np.add.reduceat(kinds & CODE_MARK > 0, np.append(0, row_ends[:-1]), dtype=np.int64),
    )


def strip_end(kinds, keep, start, stop) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(where each word stops, PLAIN, COMMA or STOP, whether a stop was stripped); takes the marks out of `keep`."""
    stop, end, stopped = stop.copy(), np.full(len(stop), UNDECIDED), np.zeros(len(stop), bool)
    active = np.flatnonzero(kinds[stop - 1] & MARK)
    for _ in range(MAX_MARKS):
        kind = kinds[stop[active] - 1]
        says = np.where(kind & STOP_MARK, STOP, np.where(kind & COMMA_MARK, COMMA, PLAIN))
        decides = (end[active] == UNDECIDED) & (kind & CLOSER == 0)
        end[active[decides]] = says[decides]
        stopped[active] |= kind & STOP_MARK > 0
        stop[active] -= 1
        keep[stop[active]] = False
        active = active[(stop[active] > start[active]) & (kinds[stop[active] - 1] & MARK > 0)]
    return stop, np.maximum(end, PLAIN), stopped


def strip_start(kinds, keep, start, stop) -> tuple[np.ndarray, np.ndarray]:
    """(where each word starts, whether a stop was stripped); takes the marks out of `keep`."""
    start, stopped = start.copy(), np.zeros(len(start), bool)
    active = np.flatnonzero((kinds[start] & MARK > 0) & (start < stop))
    for _ in range(MAX_MARKS):
        stopped[active] |= kinds[start[active]] & STOP_MARK > 0
        keep[start[active]] = False
        start[active] += 1
        active = active[(start[active] < stop[active]) & (kinds[start[active]] & MARK > 0)]
    return start, stopped


class Texts(NamedTuple):
    """A batch of texts, the last of which is not empty. Arrays named `token_...` have an entry for each token."""

    texts: list[str]
    starts: np.ndarray  # int64[rows], the first token; of an empty row, a token of another one
    lengths: np.ndarray  # int64[rows], tokens
    token_row: np.ndarray
    token_place: np.ndarray  # place of a token in its row
    tokens: Tokens
    facts: dict[str, np.ndarray]  # word_facts' columns, an entry for each distinct word
    token_class: np.ndarray
    counts: dict[str, np.ndarray]  # tokens of each class, int64[rows]
    words: np.ndarray  # tokens with a letter or digit; a character of an unspaced script counts for less than one
    unknown_words: np.ndarray
    english: np.ndarray  # confidence in [0, 1] that this is English prose; what needs English is weighed by it
    code: np.ndarray  # bool[rows]: a good part is code, mark-up or formulas

    def fact(self, name: str) -> np.ndarray:
        """A column of facts, an entry for each token."""
        return self.facts[name][self.tokens.word]

    def sum(self, values: np.ndarray) -> np.ndarray:
        """int64[rows]: sums over each row's tokens of flags or whole numbers."""
        if values.dtype == bool:
            return np.bincount(self.token_row[values], minlength=len(self.texts))
        return np.bincount(self.token_row, values, minlength=len(self.texts)).astype(np.int64)

    def first(self, values: np.ndarray) -> np.ndarray:
        """What `values` has for each row's first token."""
        return values[self.starts]

    def last(self, values: np.ndarray) -> np.ndarray:
        """What `values` has for each row's last token."""
        return values[np.maximum(self.starts + self.lengths - 1, 0)]

    def count(self, letters: str) -> np.ndarray:
        """int64[rows]: tokens of these classes."""
        return sum([self.counts[letter] for letter in letters])


CODE_LINE_ENDS = tuple(":;{}()[],>=")


def has_code_marks(characters, marks):
    """Whether 1.5% of a text's characters are marks of code; of one text or of an array of them."""
    return (marks > 2) & (marks > 0.015 * characters)


def is_code(text: str, marks: int) -> bool:
    """Whether a good part of a text is code: it is full of code's marks, and its lines end as code's do."""
    if not has_code_marks(len(text), marks):
        return False
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    return sum([line.endswith(CODE_LINE_ENDS) for line in lines]) > 0.25 * len(lines)


def english_confidence(function_words, known, letters, characters, code) -> np.ndarray:
    """1 for English, 0 for other languages and code, between for mixed or short text.

    English running text has 35-50% closed-class words, other languages and code under 15%. A list or a label may have
    none: there the share of dictionary words decides (French, German, Spanish stay under 70% of the CMU dictionary)."""
    by_grammar = ramp(fraction(function_words, letters), 0.08, 0.2)
    by_vocabulary = ramp(fraction(known, letters), 0.7, 0.9)
    return np.maximum(by_grammar, by_vocabulary) * fraction(letters, letters + characters) * ~code


def shown_class(tokens: Tokens, facts: dict[str, np.ndarray]) -> np.ndarray:
    """The class number of each token: its word's, or what its capitals show."""
    shown = facts["cls"][tokens.word]
    unknown = shown == CLASSES.index("u")
    named = unknown & tokens.upper & (tokens.capitals == 1) & (tokens.characters > 1)
    named |= unknown & (tokens.capitals == tokens.characters) & (tokens.characters <= ACRONYM_LETTERS)
    plain = (tokens.capitals == 0) | (tokens.capitals == tokens.characters) | (tokens.upper & (tokens.capitals == 1))
    mixed = ~plain & CAN_BE_MIXED[shown] & (facts["alpha"][tokens.word] == 1)
    return np.where(named, CLASSES.index("N"), np.where(mixed, CLASSES.index("m"), shown))


CAN_BE_MIXED = class_flags("gwu")
ACRONYM_LETTERS = 6


def read_texts(texts: list[str]) -> Texts:
    """Read a batch. Any strings will do, but the last must not be empty or blank."""
    texts = [readable(text) for text in texts]
    rows = len(texts)
    tokens = split_tokens(texts)
    lengths = tokens.lengths
    facts = WORDS.look_up(tokens.words)
    ends = np.cumsum(lengths)
    token_row = np.repeat(np.arange(rows), lengths)
    token_class = shown_class(tokens, facts)
    table = np.bincount(token_row * len(CLASSES) + token_class, minlength=rows * len(CLASSES))
    counts = dict(zip(CLASSES, table.reshape(rows, len(CLASSES)).T, strict=True))
    characters = counts["j"]
    spaced_words = lengths - counts["e"] - characters
    letters = spaced_words - counts["#"]
    unknown = counts["u"] + counts["m"] + counts["y"]
    known = letters - unknown - counts["N"] - counts["x"]
    function_words = known - counts["g"] - counts["w"]
    code = np.array(list(map(is_code, texts, tokens.code_marks.tolist())))
    return Texts(
        texts,
        ends - lengths,
        lengths,
        token_row,
        np.arange(len(token_row)) - (ends - lengths)[token_row],
        tokens,
        facts,
        token_class,
        counts,
        spaced_words + characters / CHARACTERS_PER_UNSPACED_WORD,
        unknown,
        english_confidence(function_words, known, letters, characters, code),
        code,
    )


# ---------------------------------------------------------------------------------------------------------------------
# What is counted along the run of tokens

SAMPLE_TOKENS = 100


def sentence_pieces(texts: Texts, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the tokens at `places`: (int8: a word before the first stop, bool: a stop, int8: a word after the last)."""
    word, lead, trail = (
        values[places] for values in (texts.tokens.word, texts.tokens.lead_stop, texts.tokens.trail_stop)
    )
    head, inner, tail = (texts.facts[name][word] for name in ("head", "stop", "tail"))
    after = np.where(inner == 1, tail, head)  # the last stop is within the word, or before it
    stop = (inner == 1) | lead | trail
    return np.where(lead, 0, head), stop, np.where(trail | ~stop, 0, after)


def sample_counts(texts: Texts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(words, sentences, syllables) of the first 100 tokens of each row, as textstat counts them: Flesch (1948) takes
    samples of 100 words, not whole texts."""
    sampled = np.flatnonzero(texts.token_place < SAMPLE_TOKENS)
    row, rows = texts.token_row[sampled], len(texts.texts)
    syllables = WORDS.count_syllables(texts.tokens.words, texts.tokens.word[sampled], texts.facts)
    words = np.bincount(row, syllables != NO_WORD, minlength=rows)
    syllables = np.bincount(row, np.maximum(syllables, 0), minlength=rows)
    head, stop, tail = sentence_pieces(texts, sampled)
    last = np.append(row[1:] != row[:-1], True)
    seen = np.cumsum(head + tail, dtype=np.int64)
    ends = np.flatnonzero(stop | last)  # a sentence ends at a stop, and with the text
    before = seen[ends] - tail[ends]
    begun = np.append(0, before[:-1])
    new_row = np.append(True, row[ends][1:] != row[ends][:-1])
    begun[new_row] = (seen - head - tail)[np.append(0, np.flatnonzero(last)[:-1] + 1)]
    long_enough = before - begun >= 3  # textstat leaves out sentences of fewer words
    sentences = np.bincount(row[ends][long_enough], minlength=rows)
    return words, np.maximum(sentences, 1), syllables


def sample_readability(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """(Flesch reading ease, syllables per word) of the same tokens; zeros where there are no words."""
    words, sentences, syllables = sample_counts(texts)
    rows = zip(words.tolist(), sentences.tolist(), syllables.tolist(), strict=True)
    ease = np.array([reading_ease(*row) for row in rows])
    return ease, fraction(syllables, words)


MATTR_WINDOW, MATTR_WINDOWS = 50, 4


def mattr(texts: Texts) -> np.ndarray:
    """Moving-average type-token ratio (Covington & McFall 2010), window 50, at four even places; in [0, 1].

    It does not change with length, where the raw ratio falls. Words differ by their capital and their marks too, which
    adds some 0.04; marks alone, such as bullets, do not count. Below 50 tokens it is the plain ratio."""
    tokens = texts.tokens
    marks = np.minimum(tokens.marks, 7)
    kinds_of_token = ((tokens.word.astype(np.int64) * 8 + marks) * 3 + tokens.end) * 2 + tokens.upper
    length = np.minimum(texts.lengths, MATTR_WINDOW)
    windows = np.clip(1 + (texts.lengths - 1) // MATTR_WINDOW, 1, MATTR_WINDOWS)
    row = np.repeat(np.arange(len(windows)), windows)
    step = np.arange(len(row)) - (np.cumsum(windows) - windows)[row]
    room = texts.lengths - length
    starts = texts.starts[row] + room[row] * step // np.maximum(windows[row] - 1, 1)
    place = np.arange(MATTR_WINDOW)
    at = np.minimum(starts[:, None] + place, len(texts.token_row) - 1)
    inside = (place < length[row][:, None]) & (tokens.characters > 0)[at]
    found = np.sort(np.where(inside, kinds_of_token[at], -1), axis=1)
    kinds = 1 + (found[:, 1:] != found[:, :-1]).sum(axis=1) - (found[:, 0] < 0)
    return fraction(np.bincount(row, kinds), np.bincount(row, inside.sum(axis=1)))


VACUOUS_SENTENCE_WORDS, VACUOUS_SPECIFIC_FRACTION = 6, 0.15
NAMES_SOMETHING = class_flags("wN#xj")


def vacuous_words(texts: Texts) -> np.ndarray:
    """Tokens of each row in sentences of six or more words that name next to nothing specific."""
    is_end = texts.tokens.end == STOP
    is_end[(texts.starts + texts.lengths - 1)[texts.lengths > 0]] = True
    ends = np.flatnonzero(is_end)
    specific = np.cumsum(NAMES_SOMETHING[texts.token_class])[ends]
    length, specific = np.diff(ends, prepend=-1), np.diff(specific, prepend=0)
    vacuous = (length >= VACUOUS_SENTENCE_WORDS) & (specific <= VACUOUS_SPECIFIC_FRACTION * length)
    return np.bincount(texts.token_row[ends], length * vacuous, minlength=len(texts.texts))


def neighbours(texts: Texts, flags: np.ndarray) -> np.ndarray:
    """How many pairs of adjacent tokens of each row are flagged; `flags` has an entry for each token but the last."""
    row = texts.token_row[:-1]
    return np.bincount(row[flags & (row == texts.token_row[1:])], minlength=len(texts.texts))


def capitals(texts: Texts) -> np.ndarray:
    """Tokens of each row that begin with a capital, the first one not counted; fewer where the row shouts, since there
    capitals name nothing."""
    named = texts.sum(texts.tokens.upper & (texts.token_place > 0))
    places = np.flatnonzero(texts.tokens.capitals > 1)
    places = places[texts.tokens.capitals[places] == texts.tokens.characters[places]]
    loud = np.bincount(texts.token_row[places[texts.token_place[places] > 0]], minlength=len(texts.texts))
    return named - loud * ramp(fraction(loud, texts.lengths), 0.3, 0.6)


def stem_keys(texts: Texts, chosen: np.ndarray) -> np.ndarray:
    """Sorted distinct keys, row * 2^32 + stem, of the tokens chosen (flags or places)."""
    keys = (texts.token_row[chosen] << 32) | texts.facts["stem"][texts.tokens.word[chosen]]
    keys.sort()
    return keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys


def among(keys: np.ndarray, sorted_keys: np.ndarray) -> np.ndarray:
    """bool: which keys are in a sorted array."""
    if not len(sorted_keys):
        return np.zeros(len(keys), bool)
    places = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return sorted_keys[places] == keys
