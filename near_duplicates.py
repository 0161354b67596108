"""Exact and near-duplicate rows.

Exact: equal instruction and response after NFKC, case folding and collapsing of white space (`text_digest`).

Near: the word 5-grams of instruction and response together have a Jaccard similarity of at least 0.8, and so have the
words of the two responses; case, quotes, bullets and punctuation around words do not count (`word_hashes`). The
condition on the responses is for prompts that quote one long passage and ask different things of it: 5-grams alone call
those alike, whatever is asked and answered. Candidates come from MinHash signatures (rensa) by locality-sensitive
hashing; each is verified on the 5-grams and words themselves. Rows that are linked, directly or through others, form
one cluster.

The steps are functions of a part of the rows, so that parts can be done apart, in any process:
    signatures -> band_keys, sketches     of some texts
    band_pairs                            of one band, all rows: 8 bytes of key and 32 of sketch a row
    verified_links                        of some candidate pairs: reads the texts of their rows
    cluster_numbers                       of all links
`near_duplicates` does all of them in memory. Pure functions of the text: the same on every machine and in every
process. Reads and writes no files.
"""

import functools
import hashlib
import itertools
from array import array
from collections.abc import Callable, Iterator

import numpy as np
from rensa import RMinHash

from plain_text import INVISIBLE, nfkc, unescaped

NEAR_DUPLICATE_VERSION = 4  # raise it whenever other rows may be near-duplicates
SHINGLE_WORDS = 5
# 20 bands of 6 slots: a pair of Jaccard 0.8 shares a band with probability 0.998, one of 0.5 with 0.27.
BANDS, BAND_SLOTS = 20, 6
SLOTS = BANDS * BAND_SLOTS
SIGNATURE_SEED = 42
# Two bits of a slot are kept to compare rows by: equal for all of the Jaccard share and a quarter of the rest. Pairs
# with fewer equal ones than three standard errors below what the threshold gives are not looked at: 1 in 700 of those
# that lie right on the threshold.
SKETCH_WORDS, SKETCH_STANDARD_ERRORS = 4, 3
# In a band, a row is compared with at most this many rows after it. In a bucket of n rows, such as templated data
# fills, that makes 50 n pairs at most instead of n^2 / 2; its rows are ordered so that similar ones are close.
BUCKET_WINDOW = 50
BATCH_ROWS = 200  # texts hashed together: intermediate arrays stay in the processor's cache
PAIRS_PER_BLOCK = 20_000  # whose texts are in memory at once
PAIRS_AT_ONCE = 1_000_000  # whose row numbers are

_generator = np.random.default_rng(20_240_229)
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2^64
BASE_INVERSE = np.uint64(pow(int(BASE), -1, 2**64))
PLACES = _generator.integers(1, 2**63, SHINGLE_WORDS, dtype=np.uint64) | np.uint64(1)
ASCII = bytes(range(128))
# What becomes of a byte: 0 up to the space, since control characters part words as white space does; small letters.
LINE, BETWEEN = 1, 2  # ends a line; stands between two texts
FOLD = bytes(LINE if byte in b"\n\r" else 0 for byte in range(33)) + bytes(range(33, 255)).lower() + bytes([BETWEEN])
QUOTES = b"'`\""  # count as nothing wherever they stand
# Typographic marks and what is written for them in plain ASCII.
TYPOGRAPHY = {
    "‘": b"'", "’": b"'", "‚": b"'", "‹": b"'", "›": b"'", "“": b"'", "”": b"'", "„": b"'", "«": b"'", "»": b"'",
    "‐": b"-", "–": b"-", "−": b"-", "—": b" - ", "。": b". ", "、": b", ", "「": b" ", "」": b" ",
    **dict.fromkeys("•◦‣▪●○·", b"*"), **dict.fromkeys(INVISIBLE, b""),
}  # fmt: skip
# Marks that say nothing at the ends of a word: "**Note:**" is the word "note". Signs that make another word of it stay
# (C++, -5, 50%, #1), as does what stands within one (3.5, x[i], 10-20), and of a longer run the rest. FOLD writes each
# as a small number, so that a kind of mark is a range of them. A pause alone is no word; "*" and "+" may be operators,
# but at the start of a line they are bullets, as "-" is.
MARK_BYTES = b"-#.,;:!?()[]{}_*+"  # the plus is none, but a bullet
MARKS, PAUSES, PUNCTUATION, BULLETS = (3, 19), (3, 11), (5, 19), (18, 20)
FOLD = FOLD.translate(bytes.maketrans(MARK_BYTES, bytes(range(MARKS[0], BULLETS[1]))))
DASH, POINT = FOLD[ord("-")], FOLD[ord(".")]
DIGITS = (ord("0"), ord("9") + 1)
COMPARISONS = (ord("="), ord(">") + 1)  # the mark before belongs to them: !=, *=, ->
LONGEST_RUN = 30


# ---------------------------------------------------------------------------------------------------------------------
# Exact duplicates


def normalise(text: str) -> str:
    """The text as it is compared: NFKC, case folded, runs of white space as one space."""
    return " ".join(nfkc(text).casefold().split())


def text_digest(*texts: str) -> bytes:
    """16 bytes that are equal where the normalised texts are."""
    joined = "\0".join(normalise(text) for text in texts)
    return hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def first_of_each(digests) -> np.ndarray:
    """True for the first row of every digest, as a mask over the rows."""
    mask = np.zeros(len(digests), bool)
    mask[np.unique(np.array(digests, "V16"), return_index=True)[1]] = True
    return mask


# ---------------------------------------------------------------------------------------------------------------------
# Word 5-grams as numbers


@functools.lru_cache(maxsize=8)
def powers(base: np.uint64, length: int) -> np.ndarray:
    """The first `length` powers of a base modulo 2^64, from 1."""
    factors = np.full(length, base, np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)


def _folded(text: str) -> bytes:
    """The text, `unescaped`, as `normalise` has it, but for ASCII letters, which FOLD lowers, white space, marks."""
    text = unescaped(text)
    if text.isascii():
        return text.encode()
    text = nfkc(text, " ")
    content = text.encode("utf-8", "surrogatepass")
    others = content.translate(None, ASCII).decode("utf-8", "surrogatepass")  # mostly quotes and dashes: no letters
    content = content if others.casefold() == others else text.casefold().encode("utf-8", "surrogatepass")
    for mark in TYPOGRAPHY.keys() & set(others):
        content = content.replace(mark.encode(), TYPOGRAPHY[mark])
    return content


def word_hashes(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit hash of every word of every text in order, and the offsets (texts + 1) of each text's first.

    Words are what stands between white space after NFKC and case folding, without quotes and without PUNCTUATION at
    their ends, except before a digit (.5) or COMPARISONS. PAUSES and bullets alone are none, except between digits (5 -
    3) and in a text that has nothing else, so that "?" and "..." are two answers. A word's hash is the polynomial of
    its bytes modulo 2^64, a difference of running sums over the whole batch: no Python object is made for a word.
    """
    joined = b"\xff".join([b"", *map(_folded, texts), b""])  # a byte that no text has
    content = np.frombuffer(joined.translate(FOLD, QUOTES), np.uint8)
    in_word = content > BETWEEN
    edges = np.flatnonzero(in_word[1:] != in_word[:-1])
    first, last = edges[::2] + 1, edges[1::2]  # the places of each word's first and last byte
    offsets = np.searchsorted(first, np.flatnonzero(content == BETWEEN))
    if not len(first):
        return np.empty(0, np.uint64), offsets
    begins, ends, pauses = without_punctuation(content, first, last, offsets)
    length = 1 << len(content).bit_length()  # few different lengths, so that the powers are made once
    sums = content * powers(BASE, length)[: len(content)]
    np.cumsum(sums, out=sums)
    words = mix((sums.take(ends) - sums.take(begins - 1)) * powers(BASE_INVERSE, length).take(begins))
    return np.delete(words, pauses), offsets - np.searchsorted(pauses, offsets)


def word_digests(texts: list[str]) -> list[bytes]:
    """16 bytes for each text that are equal where all of its words are, in order."""
    digests = []
    for words, offsets in words_of(texts):
        content = words.tobytes()
        for begin, end in itertools.pairwise((8 * offsets).tolist()):
            digests.append(hashlib.blake2b(content[begin:end], digest_size=16).digest())
    return digests


def without_punctuation(content: np.ndarray, first: np.ndarray, last: np.ndarray, offsets: np.ndarray) -> tuple:
    """The places of words' first and last bytes, without marks at their ends where they are more than marks, and the
    numbers of those that are none, from pause to pause.

    `content`: the bytes, folded; `first`, `last`: the places as found; `offsets`: of each text's first word."""
    opened = np.flatnonzero(is_in(MARKS, content.take(first)))
    closed = np.flatnonzero(is_in(PUNCTUATION, content.take(last)))
    alone = opened[is_in(MARKS, content[last[opened]])]
    alone = alone[inwards(first[alone], 1, last[alone], content, MARKS) > last[alone]]
    begins, ends = first.copy(), last.copy()
    begins[opened] = with_sign(inwards(first[opened], 1, last[opened], content, PUNCTUATION), content)
    ends[closed] = inwards(last[closed], -1, begins[closed], content, PUNCTUATION)
    begins[alone], ends[alone] = first[alone], last[alone]
    pauses = alone[is_in(PAUSES, content[first[alone]]) & is_in(PAUSES, content[last[alone]])]
    pauses = pauses[~is_minus(content, first[pauses], last[pauses])]
    pauses = np.sort(np.concatenate([pauses, bullets(content, first)]))
    text = np.searchsorted(offsets, pauses, side="right") - 1
    return begins, ends, pauses[np.bincount(text, minlength=1)[text] < offsets[text + 1] - offsets[text]]


def is_in(kind: tuple[int, int], values: np.ndarray) -> np.ndarray:
    """Whether bytes lie in the range of a kind: one comparison, since below it they wrap around."""
    return values - np.uint8(kind[0]) < np.uint8(kind[1] - kind[0])


def with_sign(begins: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The places of words' first bytes, one earlier where the mark before makes another word of them: .5, !=."""
    byte = content[begins]
    return begins - (is_in(COMPARISONS, byte) | is_in(DIGITS, byte) & (content[begins - 1] == POINT))


def is_minus(content: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Whether words are a dash between two numbers: 5 - 3."""
    between = is_in(DIGITS, content[first - 2]) & is_in(DIGITS, content.take(last + 2, mode="clip"))
    return between & (first == last) & (content[first] == DASH)


def bullets(content: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The numbers of words that are a lone star or plus at the start of a line, and not of a sum written in lines."""
    places = np.flatnonzero(is_in(BULLETS, content))
    places = places[(content[places - 1] <= BETWEEN) & (content[places + 1] <= BETWEEN)]
    before = inwards(places - 1, -1, np.zeros(len(places), np.int64), content, (0, LINE))
    in_sum = is_in(DIGITS, content[before - 1]) & is_in(DIGITS, content.take(places + 2, mode="clip"))
    return np.searchsorted(first, places[is_in((LINE, BETWEEN + 1), content[before]) & ~in_sum])


def inwards(places: np.ndarray, step: int, others: np.ndarray, content: np.ndarray, marks: tuple) -> np.ndarray:
    """The places of words' first bytes (step 1) or last bytes (-1) past marks, LONGEST_RUN of them at most; beyond
    `others`, the places of the other ends, where the words have no other byte."""
    places, words = places.copy(), np.arange(len(places))
    for _ in range(LONGEST_RUN):
        at = places.take(words)
        words = words[is_in(marks, content.take(at)) & ((others.take(words) - at) * step >= 0)]
        if not len(words):
            break
        places[words] += step
    return places


def mix(values: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64: every bit of the input moves every bit of the output."""
    values = values ^ (values >> np.uint64(30))
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def windows(words: np.ndarray, offsets: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the word `size`-grams of each text, one after the other, and the offsets (texts + 1) of each text's
    first; from the words and offsets of `word_hashes`.

    A text of fewer words has one, of all it has; a text of none has none.
    """
    if size == 1:
        return words, offsets
    counts = np.diff(offsets)
    padded = np.concatenate([words, np.zeros(size, np.uint64)])
    total = padded[: len(words)] * PLACES[0]
    for place in range(1, size):
        total += padded[place : place + len(words)] * PLACES[place]
    for text in np.flatnonzero((counts > 0) & (counts < size)).tolist():
        start, stop = offsets[text], offsets[text + 1]  # its one shingle must not reach into the next text
        total[start] = (words[start:stop] * PLACES[: stop - start]).sum(dtype=np.uint64)
    kept_counts = np.where(counts > 0, np.maximum(counts - size + 1, 1), 0)
    kept_offsets = np.concatenate([[0], np.cumsum(kept_counts)])
    kept = np.arange(kept_offsets[-1]) + np.repeat(offsets[:-1] - kept_offsets[:-1], kept_counts)
    return mix(total[kept]), kept_offsets


def signatures(texts: list[str]) -> np.ndarray:
    """MinHash signatures, uint32 of shape (texts, SLOTS)."""
    table = np.empty((len(texts), SLOTS), np.uint32)
    for start in range(0, len(texts), BATCH_ROWS):
        hashes, offsets = windows(*word_hashes(texts[start : start + BATCH_ROWS]), SHINGLE_WORDS)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), SLOTS, SIGNATURE_SEED)
        packed = b"".join([array("I", row).tobytes() for row in matrix.to_rows()])  # faster than numpy reads lists
        table[start : start + BATCH_ROWS] = np.frombuffer(packed, np.uint32).reshape(-1, SLOTS)
    return table


def band_keys(table: np.ndarray) -> np.ndarray:
    """What rows must share in a band to be candidates: uint64 of shape (BANDS, rows), from signatures."""
    slots = table.reshape(len(table), BANDS, BAND_SLOTS)
    keys = np.repeat(np.arange(BANDS, dtype=np.uint64)[:, None], len(table), axis=1)
    for slot in range(BAND_SLOTS):
        keys = mix(keys + slots[:, :, slot].T)
    return keys


def sketches(table: np.ndarray) -> np.ndarray:
    """Two bits of every slot of signatures, to estimate similarity by: uint64 of shape (rows, SKETCH_WORDS)."""
    bits = np.zeros((len(table), SKETCH_WORDS * 32), np.uint8)
    bits[:, :SLOTS] = table & 3
    quarters = bits.reshape(len(table), -1, 4)
    packed = quarters[:, :, 0] | quarters[:, :, 1] << 2 | quarters[:, :, 2] << 4 | quarters[:, :, 3] << 6
    return np.ascontiguousarray(packed).view(np.uint64)


# ---------------------------------------------------------------------------------------------------------------------
# Candidates


def band_pairs(keys: np.ndarray, next_keys: np.ndarray, sketch: np.ndarray, threshold: float) -> np.ndarray:
    """Pairs of rows that share a band and whose sketches agree nearly enough, as sorted codes: first * rows + second.

    `keys` and `next_keys`: of this band and the next, one for each row; `sketch`: see `sketches`.
    """
    rows, found = len(keys), [np.empty(0, np.int64)]
    most = max_mismatches(threshold)
    for first, second in _bucket_pairs(keys, next_keys):
        alike = mismatches(sketch, first, second) <= most
        first, second = first[alike], second[alike]
        found.append(np.minimum(first, second) * rows + np.maximum(first, second))
    return np.sort(np.concatenate(found))


def max_mismatches(threshold: float) -> int:
    """How many slots of the sketches of a pair may differ; see SKETCH_STANDARD_ERRORS."""
    equal = threshold + (1 - threshold) / 4
    return int(SLOTS * (1 - equal) + SKETCH_STANDARD_ERRORS * (SLOTS * equal * (1 - equal)) ** 0.5)


def mismatches(sketch: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The number of slots in which the sketches of each pair of rows differ."""
    total = np.zeros(len(first), np.int16)
    for word in range(SKETCH_WORDS):
        column = sketch[:, word]
        differs = column[first] ^ column[second]
        total += np.bitwise_count((differs | differs >> np.uint64(1)) & np.uint64(0x5555555555555555))
    return total


def _bucket_pairs(keys: np.ndarray, next_keys: np.ndarray):
    """Rows of equal key, pair by pair, as arrays (first, second); see BUCKET_WINDOW."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    same = ranked[1:] == ranked[:-1]
    member = np.zeros(len(keys), bool)
    member[:-1] |= same
    member[1:] |= same
    bucket = np.cumsum(np.concatenate([[0], ~same])[: len(keys)])[member]
    order = order[member]
    # Within a bucket, rows that share the next band too stand together, then in the order of the input.
    order = order[np.lexsort((order, next_keys[order], bucket))]
    for step in range(1, min(BUCKET_WINDOW, len(order) - 1) + 1):
        same = bucket[:-step] == bucket[step:]
        if not same.any():
            return
        yield order[:-step][same], order[step:][same]


# ---------------------------------------------------------------------------------------------------------------------
# Verification, clusters


class ShingleSets:
    """The distinct word n-grams of some texts: for each a sorted array of hashes, their number and their sum.

    `parts` holds the words of the texts, batch by batch, as `word_hashes` gives them.
    """

    def __init__(self, parts: list[tuple[np.ndarray, np.ndarray]], size: int):
        self.sets = []
        for words, word_offsets in parts:
            hashes, offsets = windows(words, word_offsets, size)
            hashes = hashes.copy()
            for begin, end in itertools.pairwise(offsets.tolist()):
                hashes[begin:end].sort()
            new = is_new(hashes)
            new[offsets[:-1][np.diff(offsets) > 0]] = True
            ends = np.cumsum(np.concatenate([[0], new]))[offsets].tolist()
            distinct = hashes[new]
            self.sets += [distinct[begin:end] for begin, end in itertools.pairwise(ends)]
        self.counts = np.array([len(distinct) for distinct in self.sets], np.int64)
        self.sums = np.array([distinct.sum() for distinct in self.sets], np.uint64)

    def equal(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether each pair of texts, given by their numbers, has the same n-grams, and at least one."""
        same_size = self.counts[first] == self.counts[second]
        return same_size & (self.sums[first] == self.sums[second]) & (self.counts[first] > 0)

    def possible(self, first: np.ndarray, second: np.ndarray, threshold: float) -> np.ndarray:
        """Whether sizes allow each pair the similarity: two different sets share at most the smaller, or all but 1."""
        one, other = self.counts[first], self.counts[second]
        small, large = np.minimum(one, other), np.maximum(one, other)
        most = np.where(one == other, (one - 1) / (one + 1), small / np.maximum(large, 1))
        return (most >= threshold) | self.equal(first, second)

    def alike(self, first: np.ndarray, second: np.ndarray, threshold: float) -> np.ndarray:
        """Whether the Jaccard similarity of each pair is at least the threshold."""
        alike = self.equal(first, second)
        for pair in np.flatnonzero(~alike & self.possible(first, second, threshold)).tolist():
            alike[pair] = self.jaccard(first[pair], second[pair]) >= threshold
        return alike

    def jaccard(self, first: int, second: int) -> float:
        """Jaccard similarity of two texts; 0 where one has no n-gram."""
        one, other = self.sets[first], self.sets[second]
        if not len(one) or not len(other):
            return 0.0
        shared = np.count_nonzero(one[np.minimum(np.searchsorted(one, other), len(one) - 1)] == other)
        return shared / (len(one) + len(other) - shared)


def is_new(values: np.ndarray) -> np.ndarray:
    """True for every value that differs from the one before it."""
    return np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]


def verified_links(pairs: np.ndarray, pairs_of: Callable, sketch_of: Callable, threshold: float) -> np.ndarray:
    """The near-duplicates among some candidate pairs, shape (n, 2), as far as they are needed to link rows.

    `pairs_of(rows)` gives the instructions and the responses of sorted row numbers, `sketch_of(rows)` their sketches.
    What is linked already needs no proof: in a cluster of n rows, n - 1 of its n^2 / 2 pairs are enough.
    """
    rows, places = np.unique(pairs, return_inverse=True)
    first, second = places.reshape(-1, 2).T
    order = np.argsort(mismatches(sketch_of(rows), first, second), kind="stable")  # most similar first
    first, second = first[order], second[order]
    asks, answers = (words_of(texts) for texts in pairs_of(rows))
    answer_words = ShingleSets(answers, 1)
    possible = answer_words.possible(first, second, threshold)
    first, second = first[possible], second[possible]
    whole_words = ShingleSets([joined_words(*pair) for pair in zip(asks, answers, strict=True)], SHINGLE_WORDS)
    cluster, linked, tried = np.arange(len(rows)), [np.empty((0, 2), np.int64)], 1
    while len(first):
        # The likeliest pairs of every cluster, each round twice as many as before: few pairs link most rows.
        by_cluster = np.argsort(cluster[first], kind="stable")
        begins = np.flatnonzero(is_new(cluster[first][by_cluster]))
        rank = np.arange(len(first)) - np.repeat(begins, np.diff(np.append(begins, len(first))))
        now = np.zeros(len(first), bool)
        now[by_cluster[rank < tried]] = True
        one, other = first[now], second[now]
        for sets in (answer_words, whole_words):
            alike = sets.alike(one, other, threshold)
            one, other = one[alike], other[alike]
        linked.append(np.stack([one, other], axis=1))
        cluster = cluster_numbers(len(rows), np.concatenate(linked))
        still = ~now & (cluster[first] != cluster[second])
        first, second, tried = first[still], second[still], 2 * tried
    return rows[np.concatenate(linked)]


def words_of(texts: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """`word_hashes`, batch by batch."""
    return [word_hashes(texts[start : start + BATCH_ROWS]) for start in range(0, len(texts), BATCH_ROWS)]


def joined_words(first: tuple, second: tuple) -> tuple[np.ndarray, np.ndarray]:
    """The words and offsets of texts one after the other, text by text, from those of each."""
    (one, one_offsets), (other, other_offsets) = first, second
    offsets = one_offsets + other_offsets
    words = np.empty(offsets[-1], np.uint64)
    words[np.arange(len(one)) + np.repeat(other_offsets[:-1], np.diff(one_offsets))] = one
    words[np.arange(len(other)) + np.repeat(one_offsets[1:], np.diff(other_offsets))] = other
    return words, offsets


def cluster_numbers(rows: int, links: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """The cluster of each of `rows` rows, by the number of its first row; `links`: pairs of rows, shape (n, 2).

    `known`: the clusters that other links have made already.
    """
    labels = np.arange(rows) if known is None else known.copy()
    first, second = links[links[:, 0] != links[:, 1]].T
    while len(first):
        one, other = labels[first], labels[second]
        apart = one != other
        first, second, one, other = first[apart], second[apart], one[apart], other[apart]
        np.minimum.at(labels, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(nearer := labels[labels], labels):
            labels = nearer
    return labels


def near_duplicates(rows: int, pairs_of: Callable, threshold: float) -> np.ndarray:
    """The cluster of each of `rows` rows, by the number of its first row; all steps, with the signatures in memory.

    `pairs_of(rows)` gives the instructions and the responses of an array of sorted row numbers.
    """
    keys, sketch = np.empty((BANDS, rows), np.uint64), np.empty((rows, SKETCH_WORDS), np.uint64)
    for start in range(0, rows, BATCH_ROWS):
        batch = np.arange(start, min(start + BATCH_ROWS, rows))
        table = signatures([f"{ask}\n{answer}" for ask, answer in zip(*pairs_of(batch), strict=True)])
        keys[:, batch], sketch[batch] = band_keys(table), sketches(table)
    codes = [band_pairs(keys[band], keys[(band + 1) % BANDS], sketch, threshold) for band in range(BANDS)]
    blocks = candidate_blocks(grouped_by_cluster(distinct_codes(codes), rows), rows)
    links = [verified_links(block, pairs_of, lambda some: sketch[some], threshold) for block in blocks]
    return cluster_numbers(rows, np.concatenate([np.empty((0, 2), np.int64), *links]))


def distinct_codes(parts: list[np.ndarray]) -> np.ndarray:
    """The codes of several bands together, each once, sorted."""
    codes = np.sort(np.concatenate(parts))
    return codes[is_new(codes)]


def grouped_by_cluster(codes: np.ndarray, rows: int) -> np.ndarray:
    """Distinct codes, sorted so that the pairs of one connected cluster stand together."""
    clusters = np.arange(rows)
    for start in range(0, len(codes), PAIRS_AT_ONCE):
        clusters = cluster_numbers(rows, pairs_of_codes(codes[start : start + PAIRS_AT_ONCE], rows), clusters)
    return codes[np.argsort(clusters[codes // max(rows, 1)], kind="stable")]


def candidate_blocks(codes: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    """The pairs of codes, in their order, in blocks of PAIRS_PER_BLOCK."""
    for start in range(0, len(codes), PAIRS_PER_BLOCK):
        yield pairs_of_codes(codes[start : start + PAIRS_PER_BLOCK], rows)


def pairs_of_codes(codes: np.ndarray, rows: int) -> np.ndarray:
    """The two row numbers of each code, shape (codes, 2)."""
    return np.stack([codes // max(rows, 1), codes % max(rows, 1)], axis=1)


def best_of_each(clusters: np.ndarray, best_first: np.ndarray) -> np.ndarray:
    """True for the best row of every cluster, as a mask; `best_first` holds all row numbers, the best first."""
    mask = np.zeros(len(clusters), bool)
    mask[best_first[np.unique(clusters[best_first], return_index=True)[1]]] = True
    return mask
