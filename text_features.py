"""Texts by the batch: their tokens, and what is counted of them row by row.

A batch of texts is one run of tokens in order. Each distinct token is looked up once (`word_facts.TOKENS`), everything
else is array work over the run. All sums are of whole numbers, and every fraction is worked out row by row from them,
so that no score can depend on what else is in the batch.
"""

import math
from typing import NamedTuple

import numpy as np
import pyarrow

from word_facts import CLASSES, STOP, TOKENS, UNSPACED, UPPER, class_flags, flesch_from_counts

# ---------------------------------------------------------------------------------------------------------------------
# Small shapes, of arrays or of numbers


def clamp(value):
    """`value` held in [0, 1]."""
    return np.minimum(np.maximum(value, 0.0), 1.0)


def saturating(amount: np.ndarray, scale) -> np.ndarray:
    """0 at 0, 0.63 at `scale`, towards 1: more helps, ever less. By `math.exp`: numpy's varies with the processor."""
    return 1.0 - np.array([math.exp(-ratio) for ratio in (amount / scale).tolist()])


def ramp(value, low: float, high: float):
    """0 at `low`, 1 at `high`, straight between and flat beyond; falls where high < low."""
    return clamp((value - low) / (high - low))


def abstain(value, confidence, neutral: float = 1.0):
    """`value` where it can be judged, `neutral` where it cannot, between by `confidence`."""
    return neutral + confidence * (value - neutral)


def fraction(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; 0 where the whole is."""
    return part / np.where(whole > 0, whole, 1) * (whole > 0)


# ---------------------------------------------------------------------------------------------------------------------
# Texts and tokens

MAX_CHARACTERS = 30_000  # of a longer text the two ends are read
CHARACTERS_PER_UNSPACED_WORD = 1.6  # Chinese; others are of the same order


def readable(text: str) -> str:
    """What is read of a text: a very long one by its ends, and nothing that UTF-8 cannot hold."""
    if len(text) > MAX_CHARACTERS:
        text = f"{text[: MAX_CHARACTERS * 2 // 3]}\n{text[-MAX_CHARACTERS // 3 :]}"
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def spaced(text: str) -> str:
    """The text with one-byte spaces between its tokens."""
    if text.isascii():
        return text
    text = text.replace("\xa0", " ").replace("\u3000", " ").replace("\u2028", "\n")
    return UNSPACED.sub(r" \g<0> ", text) if UNSPACED.search(text) else text


IS_SPACE = np.zeros(256, bool)
IS_SPACE[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = True  # as str.split has it


def split_tokens(texts: list[str]) -> tuple[np.ndarray, list[str], np.ndarray]:
    """(number of each token, the distinct tokens by number, tokens of each text), as str.split but in one pass.

    The spaces are taken out of the joined bytes, and the tokens' ends make the rest an Arrow array."""
    encoded = [spaced(text).encode() for text in texts]
    row_ends = np.cumsum([len(text) + 1 for text in encoded]) - 1
    joined = np.frombuffer(b"\n".join([*encoded, b""]), np.uint8)
    space = IS_SPACE[joined]
    letters = joined[~space]
    is_end = space[1:] & ~space[:-1]
    ends = np.flatnonzero(is_end)
    spaces_before = np.cumsum(space, dtype=np.int32)
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends + 1 - spaces_before[ends]
    buffers = [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(letters)]
    tokens = pyarrow.Array.from_buffers(pyarrow.string(), len(ends), buffers).dictionary_encode()
    counts = np.diff(np.searchsorted(ends, row_ends), prepend=0)
    return tokens.indices.to_numpy(), tokens.dictionary.to_pylist(), counts


class Texts(NamedTuple):
    """A batch of texts, the last of which has a token. Arrays named `token_...` have an entry for each token."""

    texts: list[str]
    starts: np.ndarray  # int64[rows], the first token; where there is none, one of another row
    lengths: np.ndarray  # int64[rows], tokens
    token_row: np.ndarray
    token_place: np.ndarray  # place of a token in its row
    token_number: np.ndarray  # equal where tokens are
    facts: dict[str, np.ndarray]  # word_facts' columns, an entry for each token number
    token_class: np.ndarray
    counts: dict[str, np.ndarray]  # tokens of each class, int64[rows]
    words: np.ndarray  # tokens with a letter or digit; a character of a script without spaces counts for less than one
    unknown_words: np.ndarray
    english: np.ndarray  # confidence in [0, 1] that this is English prose; what needs English is weighed by it
    code: np.ndarray  # bool[rows]: a good part is code, mark-up or formulas

    def fact(self, name: str) -> np.ndarray:
        """A column of facts, an entry for each token."""
        return self.facts[name][self.token_number]

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


def is_code(text: str) -> bool:
    """Whether a text is for a good part code: 1.5% of its characters are marks of code, and lines end as code does."""
    marks = text.count("(") + text.count("=") + text.count("{") + text.count(";") + text.count("<") + text.count("$")
    if marks < 3 or marks <= 0.015 * len(text):
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


def read_texts(texts: list[str]) -> Texts:
    """Read a batch once. Any strings will do, but the last must have a token."""
    texts = [readable(text) for text in texts]
    rows = len(texts)
    token_number, distinct, lengths = split_tokens(texts)
    facts = TOKENS.look_up(distinct)
    ends = np.cumsum(lengths)
    token_row = np.repeat(np.arange(rows), lengths)
    token_class = facts["cls"][token_number]
    table = np.bincount(token_row * len(CLASSES) + token_class, minlength=rows * len(CLASSES))
    counts = dict(zip(CLASSES, table.reshape(rows, len(CLASSES)).T, strict=True))
    characters = counts["j"]
    spaced_words = lengths - counts["e"] - characters
    letters = spaced_words - counts["#"]
    unknown = counts["u"] + counts["m"] + counts["y"]
    known = letters - unknown - counts["N"] - counts["x"]
    function_words = known - counts["g"] - counts["w"]
    code = np.array([is_code(text) for text in texts])
    return Texts(
        texts,
        ends - lengths,
        lengths,
        token_row,
        np.arange(len(token_row)) - (ends - lengths)[token_row],
        token_number,
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


def sample_counts(texts: Texts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(words, sentences, syllables) of each opening of 100 tokens, as textstat counts them: Flesch 1948 takes samples
    of 100 words and not whole texts."""
    sampled = np.flatnonzero(texts.token_place < SAMPLE_TOKENS)
    number, row = texts.token_number[sampled], texts.token_row[sampled]
    words, syllables = (
        np.bincount(row, texts.facts[name][number], minlength=len(texts.texts)) for name in ("is_word", "syllables")
    )
    head, stop, tail = (texts.facts[name][number] for name in ("head", "stop", "tail"))
    last = np.append(row[1:] != row[:-1], True)
    seen = np.cumsum(head + tail, dtype=np.int64)
    ends = np.flatnonzero((stop == 1) | last)  # a sentence ends at a stop, and with the text
    before = seen[ends] - tail[ends]
    begun = np.append(0, before[:-1])
    new_row = np.append(True, row[ends][1:] != row[ends][:-1])
    begun[new_row] = (seen - head - tail)[np.append(0, np.flatnonzero(last)[:-1] + 1)]
    long_enough = before - begun >= 3  # textstat leaves out sentences of fewer words
    sentences = np.bincount(row[ends][long_enough], minlength=len(texts.texts))
    return words, np.maximum(sentences, 1), syllables


def sample_readability(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """(Flesch reading ease, syllables per word) of each opening; zeros where it has no words."""
    words, sentences, syllables = sample_counts(texts)
    rows = zip(words.tolist(), sentences.tolist(), syllables.tolist(), strict=True)
    ease = np.array([flesch_from_counts(*row)[0] for row in rows])
    return ease, fraction(syllables, words)


MATTR_WINDOW, MATTR_WINDOWS = 50, 4


def mattr(texts: Texts) -> np.ndarray:
    """Moving-average type-token ratio (Covington & McFall 2010), window 50, at four even places; in [0, 1].

    Steady in length, where the raw ratio falls with it. Tokens count as they stand: case and punctuation kept apart add
    some 0.03. Below 50 tokens it is the plain ratio."""
    length = np.minimum(texts.lengths, MATTR_WINDOW)
    windows = np.minimum(MATTR_WINDOWS, 1 + (texts.lengths - 1) // MATTR_WINDOW)
    windows = np.maximum(windows, 1)
    row = np.repeat(np.arange(len(windows)), windows)
    step = np.arange(len(row)) - (np.cumsum(windows) - windows)[row]
    room = texts.lengths - length
    starts = texts.starts[row] + room[row] * step // np.maximum(windows[row] - 1, 1)
    place = np.arange(MATTR_WINDOW)
    inside = place < length[row][:, None]
    at = np.minimum(starts[:, None] + place, len(texts.token_number) - 1)
    tokens = np.sort(np.where(inside, texts.token_number[at], -1), axis=1)
    kinds = 1 + (tokens[:, 1:] != tokens[:, :-1]).sum(axis=1) - ~inside[:, -1]
    return fraction(np.bincount(row, kinds), length * windows)


VACUOUS_SENTENCE_WORDS, VACUOUS_SPECIFIC_FRACTION = 6, 0.15
NAMES_SOMETHING = class_flags("wN#xj")


def vacuous_words(texts: Texts) -> np.ndarray:
    """Tokens of each row in sentences of six and more that name next to nothing specific."""
    is_end = texts.fact("ends") == STOP
    is_end[(texts.starts + texts.lengths - 1)[texts.lengths > 0]] = True
    ends = np.flatnonzero(is_end)
    specific = np.cumsum(NAMES_SOMETHING[texts.token_class])[ends]
    length, specific = np.diff(ends, prepend=-1), np.diff(specific, prepend=0)
    vacuous = (length >= VACUOUS_SENTENCE_WORDS) & (specific <= VACUOUS_SPECIFIC_FRACTION * length)
    return np.bincount(texts.token_row[ends], length * vacuous, minlength=len(texts.texts))


def neighbours(texts: Texts, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How often in each row a token flagged by `first` has a next one flagged by `second`."""
    both = first[:-1] & second[1:] & (texts.token_row[:-1] == texts.token_row[1:])
    return np.bincount(texts.token_row[:-1][both], minlength=len(texts.texts))


def capitals(texts: Texts) -> np.ndarray:
    """Tokens of each row that begin with a capital, the first one apart."""
    return texts.sum((texts.fact("begins") == UPPER) & (texts.token_place > 0))


def stem_keys(texts: Texts, chosen: np.ndarray) -> np.ndarray:
    """Sorted distinct keys, row * 2^32 + stem, of the tokens chosen (flags or places)."""
    keys = (texts.token_row[chosen] << 32) | texts.facts["stem"][texts.token_number[chosen]]
    keys.sort()
    return keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys


def among(keys: np.ndarray, sorted_keys: np.ndarray) -> np.ndarray:
    """bool: which keys are in a sorted array."""
    if not len(sorted_keys):
        return np.zeros(len(keys), bool)
    places = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return sorted_keys[places] == keys
