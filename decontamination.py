"""Rows that hold what a benchmark asks or answers, found by word 8-grams.

A row is contaminated by a benchmark's item where at least half of the words of the item's question, or of its answer,
and at least 13 of them (all, where there are fewer), stand in the row within word 8-grams that the two share
(`overlap`). So an item copied into a longer row is found, and a phrase in common is not. Half the item in 8-grams with
one and the same row is the rule of Tulu 3 (Lambert et al. 2024, arXiv:2411.15124), there in tokens; 13 words are the
evidence that GPT-3 asked for (Brown et al. 2020, appendix C). Without them, short templated questions are found in
every row of their template; with one shared 13-gram alone, long items are found by a standing phrase.

Words are runs of letters and digits: case, punctuation and spacing do not count, nor do HTML's tags and entities and
what is not seen, such as soft hyphens. Two kinds of text say too little:

- *Templates.* An n-gram that more than MAX_ITEMS items of one benchmark share is its wording, not its content, and does
  not count: neither as found nor among the words to be found.
- *Short texts.* A question of fewer than 8 words, or of template only, is compared with a row's instruction as a
  whole, or with what may stand by itself at its end: its last paragraph, as behind a system text, or its last turn.
  "What is 2 + 2?" inside a longer text is no leak. An answer of that kind is not looked for.

Pure functions of the text over numpy arrays: `build_index` once, then `overlap` for any batch of rows, in any process.
Paraphrases and translations are not found. Reads and writes no files.
"""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from near_duplicates import BASE, BASE_INVERSE, is_new, mix, powers
from plain_text import INVISIBLE_MARKS, nfkc, unescaped, without_tags
from text_features import spaced

NGRAM_WORDS = 8
MIN_COVERAGE = 0.5  # of an item's words
MIN_WORDS = 13  # found at least, or all where an item has fewer
MAX_ITEMS = 10  # of a benchmark, as GPT-3 drops the n-grams found in more than 10 documents
BLOCK_CHARACTERS = 1_000_000  # what is hashed at once
TURN = "\n\nUser: "
ENDING_CHARACTERS = 500  # of the end of an instruction, where a short question may stand

# ASCII letters in lower case, all other ASCII but digits as spaces; 0, which stands between two texts, stays.
FOLD = bytes(
    byte if byte == 0 or byte > 127 or chr(byte).islower() or chr(byte).isdigit() else ord(chr(byte).lower())
    if chr(byte).isupper() else 32
    for byte in range(256)
)  # fmt: skip
WORD_BYTES = 32  # a longer word counts by its first bytes and its length
MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)  # of the first bytes of a little-endian number


class Index(NamedTuple):
    """The n-grams of all items. A text is a question or an answer; an item has one or two."""

    ngrams: np.ndarray  # uint64, sorted, distinct
    maybe: np.ndarray  # bool[2^bits]: whether an n-gram of these high bits is there, so that most need no search
    offsets: np.ndarray  # int64[len(ngrams) + 1] into the next two
    text: np.ndarray  # the texts an n-gram stands in
    place: np.ndarray  # and the number of its first word there
    text_words: np.ndarray  # words of each text that its counted n-grams cover
    text_item: np.ndarray  # the item of each text
    item_benchmark: np.ndarray  # the benchmark of each item, a number
    benchmarks: list[str]  # their names
    whole: np.ndarray  # uint64, sorted: the questions that are compared as a whole
    whole_item: np.ndarray  # and their items


class Hits(NamedTuple):
    """Pairs of a row and an item that it holds, each once, by row and then by item."""

    row: np.ndarray  # int64[hits], place of the row in the batch
    item: np.ndarray
    coverage: np.ndarray  # float64, share of the item's words found: of its question or its answer, the larger


# ---------------------------------------------------------------------------------------------------------------------
# Words and n-grams as numbers


def hash_words(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit hash of every word of every text in order, and the number of the text it stands in.

    A word is read by its first 32 bytes, eight at a time: work for each word, not for each byte.
    """
    joined = "\0".join(map(_plain, texts))
    folded = b"\0" + joined.encode("utf-8", "replace").translate(FOLD) + bytes(WORD_BYTES + 8)
    content = np.frombuffer(folded, np.uint8)
    is_word = content > 32
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]
    lengths = ends - starts
    eights = np.ndarray(len(content) - 7, np.uint64, folded, 0, (1,))  # at every byte, the eight bytes from there
    hashes = mix((eights[starts] & MASKS[np.minimum(lengths, 8)]) + lengths.astype(np.uint64))
    for first in range(8, WORD_BYTES, 8):
        longer = np.flatnonzero(lengths > first)
        part = eights[starts[longer] + first] & MASKS[np.minimum(lengths[longer] - first, 8)]
        hashes[longer] = mix(hashes[longer] ^ part)
    borders = np.flatnonzero(content[: len(folded) - WORD_BYTES - 8] == 0)[1:]
    return hashes, np.searchsorted(borders, starts)


def _plain(text: str) -> str:
    """The text made ready for FOLD: all scripts in lower case, typographic marks in their plain forms, no 0."""
    text = without_tags(unescaped(text))
    if not text.isascii():
        text = spaced(INVISIBLE_MARKS.sub("", nfkc(text)).lower())
    return text.replace("\0", " ")


class Hashes(NamedTuple):
    """What a batch of texts holds: of every word n-gram within one text its hash, its text and the place of its first
    word there; and one hash of each text's words in all, 0 where it has none."""

    ngrams: np.ndarray
    text: np.ndarray
    place: np.ndarray
    whole: np.ndarray


def hash_texts(texts: list[str]) -> Hashes:
    """Read off the running sums of a polynomial in the words, so that the work does not grow with NGRAM_WORDS."""
    words, numbers = hash_words(texts)
    count = max(len(words) - NGRAM_WORDS + 1, 0)
    length = 1 << len(words).bit_length()  # few different lengths, so that the powers are made once
    inverse = powers(BASE_INVERSE, length)
    sums = np.zeros(len(words) + 1, np.uint64)
    np.cumsum(words * powers(BASE, length)[: len(words)], out=sums[1:])
    inside = np.flatnonzero(numbers[:count] == numbers[len(numbers) - count :])
    ngrams = (sums[inside + NGRAM_WORDS] - sums[inside]) * inverse[inside]
    bounds = np.searchsorted(numbers, np.arange(len(texts) + 1))
    whole = (sums[bounds[1:]] - sums[bounds[:-1]]) * inverse[bounds[:-1]]
    return Hashes(ngrams, numbers[inside], inside - bounds[numbers[inside]], whole)


# ---------------------------------------------------------------------------------------------------------------------
# The index


def build_index(benchmarks: dict[str, Iterable[tuple[str, str]]]) -> Index:
    """The index of the items, (question, answer) each, of every benchmark by its name; "" where there is none."""
    parts, items_before, text_item, item_benchmark, whole = [], 0, [], [], {}
    for number, items in enumerate(map(distinct_items, benchmarks.values())):
        first_item = {}  # by text
        for item, pair in enumerate(items, start=items_before):
            for text in filter(None, pair):
                first_item.setdefault(text, item)
        hashes = hash_texts(list(first_item))
        ngrams, text, place = _content_ngrams(hashes)
        has_content = np.isin(np.arange(len(first_item)), text)
        questions = {question for question, _ in items}
        for (body, item), digest, has in zip(first_item.items(), hashes.whole.tolist(), has_content, strict=True):
            if body in questions and digest and not has:
                whole.setdefault(digest, item)
        parts.append((ngrams, text + len(text_item), place))
        text_item += first_item.values()
        item_benchmark += [number] * len(items)
        items_before += len(items)
    ngrams, text, place = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _sorted_index(ngrams, text, place, text_item, item_benchmark, list(benchmarks), whole)


def distinct_items(items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The items in the order of their numbers in the index: each once, those of no text left out."""
    return list(dict.fromkeys(item for item in items if any(item)))


def _sorted_index(ngrams, text, place, text_item, item_benchmark, benchmarks, whole) -> Index:
    order = np.argsort(ngrams, kind="stable")
    distinct, counts = np.unique(ngrams, return_counts=True)
    bits = min(max(16 * len(distinct), 2).bit_length(), 24)
    maybe = np.zeros(1 << bits, bool)
    maybe[distinct >> np.uint64(64 - bits)] = True
    group = np.lexsort((place, text))
    text_words = np.zeros(len(text_item), np.int64)
    having, words = _covered_words(text[group], place[group])
    text_words[having] = words
    return Index(
        distinct, maybe, np.concatenate([[0], np.cumsum(counts)]), text[order], place[order], text_words,
        np.array(text_item, np.int64), np.array(item_benchmark, np.int64), benchmarks,
        np.array(sorted(whole), np.uint64), np.array([whole[digest] for digest in sorted(whole)], np.int64),
    )  # fmt: skip


def _content_ngrams(hashes: Hashes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The n-grams of a benchmark's texts that at most MAX_ITEMS of them share: hashes, texts, places.

    An n-gram that a text repeats counts at its first place, so that a loop is no longer than its period.
    """
    order = np.lexsort((hashes.place, hashes.text, hashes.ngrams))
    ngrams, text, place = (values[order] for values in hashes[:3])
    new_ngram = is_new(ngrams)
    new = new_ngram | is_new(text)
    ngrams, text, place, new_ngram = ngrams[new], text[new], place[new], new_ngram[new]
    sharing = np.diff(np.append(np.flatnonzero(new_ngram), len(ngrams)))
    content = np.repeat(sharing <= MAX_ITEMS, sharing)
    return ngrams[content], text[content], place[content]


def _covered_words(groups: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(each group, words that its n-grams cover); sorted by group and then by place, no place twice."""
    if not len(groups):
        return groups, places
    starts = np.flatnonzero(is_new(groups))
    steps = np.minimum(np.diff(places, append=0), NGRAM_WORDS)
    steps[np.append(starts[1:], len(groups)) - 1] = NGRAM_WORDS
    return groups[starts], np.add.reduceat(steps, starts)


# ---------------------------------------------------------------------------------------------------------------------
# Rows against the index


def overlap(instructions: list[str], responses: list[str], index: Index) -> Hits:
    """The items that each row holds; see the top of the module."""
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for start, stop in _blocks(instructions, responses):
        asks, answers = instructions[start:stop], responses[start:stop]
        hashes = hash_texts([text for pair in zip(asks, answers, strict=True) for text in pair])
        whole = _whole_hits(hashes.whole[::2], index)
        for rows, items, coverage in (whole, _ending_hits(asks, index), _ngram_hits(hashes, index)):
            found.append((rows + start, items, coverage))
    rows, items, coverage = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((-coverage, items, rows))
    rows, items, coverage = rows[order], items[order], coverage[order]
    kept = (is_new(rows) | is_new(items)) & (coverage >= MIN_COVERAGE)
    return Hits(rows[kept], items[kept], coverage[kept])


def _blocks(instructions: list[str], responses: list[str]) -> Iterable[tuple[int, int]]:
    """Spans of rows of about BLOCK_CHARACTERS."""
    lengths = (len(pair[0]) + len(pair[1]) for pair in zip(instructions, responses, strict=True))
    blocks = np.array([total // BLOCK_CHARACTERS for total in itertools.accumulate(lengths)], np.int64)
    starts = np.flatnonzero(is_new(blocks)).tolist()
    return itertools.pairwise([*starts, len(blocks)])


def _whole_hits(whole: np.ndarray, index: Index) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, found = _look_up(index.whole, whole)
    return rows, index.whole_item[found], np.ones(len(rows))


def _ending_hits(instructions: list[str], index: Index) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The items that stand by themselves at the end of an instruction."""
    found = [(row, end) for row, text in enumerate(instructions) if "\n" in text for end in endings(text)]
    if not found or not len(index.whole):
        return _whole_hits(np.empty(0, np.uint64), index)
    rows, ends = zip(*found, strict=True)
    hits, items, coverage = _whole_hits(hash_texts(list(ends)).whole, index)
    return np.array(rows, np.int64)[hits], items, coverage


def endings(instruction: str) -> set[str]:
    """The last paragraph of an instruction and its last turn (`dialogues.py`), where they are short."""
    end = instruction.rstrip()[-ENDING_CHARACTERS:].replace("\r", "")
    parts = (end.rpartition(mark) for mark in ("\n\n", TURN))
    return {text.removeprefix(TURN.lstrip()) for _, mark, text in parts if mark}


def _look_up(values: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of `wanted` are among the sorted `values`, and where."""
    found = np.searchsorted(values, wanted)
    there = np.flatnonzero(np.append(values, np.uint64(0))[found] == wanted)
    there = there[found[there] < len(values)]
    return there, found[there]


def _ngram_hits(hashes: Hashes, index: Index) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, item, share of a text of the item that is found), for every text of which MIN_WORDS are."""
    shift = np.uint64(65 - len(index.maybe).bit_length())
    likely = np.flatnonzero(index.maybe[hashes.ngrams >> shift])
    there, found = _look_up(index.ngrams, hashes.ngrams[likely])
    rows = hashes.text[likely[there]] // 2
    many = index.offsets[found + 1] - index.offsets[found]
    before = np.cumsum(many) - many
    postings = np.arange(many.sum()) + np.repeat(index.offsets[found] - before, many)
    texts = max(len(index.text_item), 1)
    pairs, places = np.repeat(rows, many) * texts + index.text[postings], index.place[postings]
    order = np.lexsort((places, pairs))
    pairs, places = pairs[order], places[order]
    new = is_new(pairs) | is_new(places)
    pairs, words = _covered_words(pairs[new], places[new])
    enough = words >= np.minimum(index.text_words[pairs % texts], MIN_WORDS)
    rows, text, words = pairs[enough] // texts, pairs[enough] % texts, words[enough]
    return rows, index.text_item[text], words / index.text_words[text]


def find_hits(batches: Iterable[tuple[list[str], list[str]]], index: Index) -> Hits:
    """`overlap` of batch after batch (instructions, responses), rows numbered through."""
    found, rows = [Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))], 0
    for instructions, responses in batches:
        hits = overlap(instructions, responses, index)
        found.append(hits._replace(row=hits.row + rows))
        rows += len(instructions)
    return Hits(*map(np.concatenate, zip(*found, strict=True)))


def without_standing_texts(hits: Hits, dialogues: np.ndarray) -> Hits:
    """The hits without those of items that rows of more than MAX_ITEMS dialogues hold: what so many say is no leak.

    `dialogues`: that of each row; every later turn of one holds the answers before it. For items that are rows of the
    same pool. A benchmark's item stays one however often it leaked.
    """
    said = np.unique(np.stack([hits.item, dialogues[hits.row]]), axis=1)[0]  # each item once for a dialogue
    many = np.bincount(said, minlength=hits.item.max(initial=0) + 1)[hits.item] > MAX_ITEMS
    return Hits(*(values[~many] for values in hits))


def rows_by_benchmark(hits: Hits, index: Index, rows: int) -> dict[str, np.ndarray]:
    """For each benchmark, which of `rows` rows hold one of its items: bool[rows]."""
    masks = {name: np.zeros(rows, bool) for name in index.benchmarks}
    for number, mask in enumerate(masks.values()):
        mask[hits.row[index.item_benchmark[hits.item] == number]] = True
    return masks


def shared_ngram(row: tuple[str, str], item: tuple[str, str]) -> str:
    """The first n-gram of the item that stands in the row, for a reader; the question where it is compared whole."""
    there = {ngram for text in row for ngram in _ngrams(text)}
    shared = (ngram for text in item for ngram in _ngrams(text) if ngram in there)
    return next(shared, " ".join(_words(item[0])))


def _ngrams(text: str) -> list[str]:
    words = _words(text)
    return [" ".join(words[place : place + NGRAM_WORDS]) for place in range(len(words) - NGRAM_WORDS + 1)]


def _words(text: str) -> list[str]:
    return _plain(text).encode("utf-8", "replace").translate(FOLD).decode().split()
