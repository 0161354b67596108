"""Exact and near-duplicate rows.

Exact: equal instruction and response after NFKC, case folding and collapsing of white space (`text_digest`).

Near: the word 5-grams of instruction and response together have a Jaccard similarity of at least 0.8, and so have the
words of the two responses. The second condition is for prompts that quote one long passage and ask different things
of it: 5-grams alone call those alike, whatever is asked and answered. Candidates come from MinHash signatures (rensa)
by locality-sensitive hashing; each is verified on the 5-grams and words themselves. Rows that are linked, directly or
through others, form one cluster (`near_duplicates`).

Pure functions of the text: the same on every machine and in every process. Reads and writes no files.
"""

import functools
import hashlib
import unicodedata
from collections.abc import Callable

import numpy as np
from rensa import RMinHash

SHINGLE_WORDS = 5
# 20 bands of 6 slots: a pair of Jaccard 0.8 shares a band with probability 0.998, one of 0.5 with 0.27.
BANDS, BAND_SLOTS = 20, 6
SIGNATURE_SEED = 42
# Pairs whose signatures agree in less than this much under the threshold are not looked at: four standard errors.
ESTIMATE_MARGIN = 0.15
# In a band, a row is compared with so many rows after it at most. It bounds the pairs of a bucket of n rows, which is
# what templated data fills, by 50 n in place of n^2 / 2; the bucket's rows are ordered so that like stands by like.
BUCKET_WINDOW = 50
BATCH_ROWS = 1_000
PAIRS_PER_BLOCK = 20_000

_generator = np.random.default_rng(20_240_229)
BYTE_VALUES = _generator.integers(1, 2**63, 256, dtype=np.uint64)
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2^64
BASE_INVERSE = np.uint64(pow(int(BASE), -1, 2**64))
PLACES = _generator.integers(1, 2**63, SHINGLE_WORDS, dtype=np.uint64) | np.uint64(1)
IS_SPACE = np.isin(np.arange(256), [0, 9, 10, 11, 12, 13, 32])


# ---------------------------------------------------------------------------------------------------------------------
# Exact duplicates


def normalise(text: str) -> str:
    """The text as it is compared: NFKC, case folded, runs of white space as one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def text_digest(*texts: str) -> bytes:
    """16 bytes that are equal where the normalised texts are."""
    joined = "\0".join(normalise(text) for text in texts)
    return hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def first_of_each(digests: list[bytes]) -> np.ndarray:
    """True for the first row of every digest, as a mask over the rows."""
    mask = np.zeros(len(digests), bool)
    mask[np.unique(np.array(digests, "V16"), return_index=True)[1]] = True
    return mask


# ---------------------------------------------------------------------------------------------------------------------
# Word 5-grams as numbers


@functools.lru_cache(maxsize=2)
def _powers(base: np.uint64, length: int) -> np.ndarray:
    powers = np.full(length, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def word_hashes(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit hash of every word of every text in order, and the number of the text it stands in.

    Words are what stands between white space after NFKC and case folding. A word's hash is the polynomial of its bytes
    modulo 2^64, read off running sums over the whole batch: no Python object is made for a word.
    """
    joined = "\0".join(text.replace("\0", " ") for text in texts)
    folded = unicodedata.normalize("NFKC", joined).casefold().encode("utf-8", "surrogatepass")
    content = np.frombuffer(b"\0" + folded + b"\0", np.uint8)
    space = IS_SPACE[content]
    starts = np.flatnonzero(space[:-1] & ~space[1:]) + 1
    ends = np.flatnonzero(~space[:-1] & space[1:]) + 1
    length = 1 << len(content).bit_length()  # few different lengths, so that the powers are made once
    sums = np.zeros(len(content) + 1, np.uint64)
    np.cumsum(BYTE_VALUES[content] * _powers(BASE, length)[: len(content)], out=sums[1:])
    words = (sums[ends] - sums[starts]) * _powers(BASE_INVERSE, length)[starts]
    text_numbers = np.searchsorted(np.flatnonzero(content == 0)[1:-1], starts)
    return _mix(words), text_numbers


def _mix(values: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64: every bit of the input moves every bit of the output."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def shingles(texts: list[str], size: int = SHINGLE_WORDS) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the word `size`-grams of each text, one after the other, and the offsets (texts + 1) of each.

    A text of fewer words has one shingle, of all it has; a text of none has none.
    """
    words, numbers = word_hashes(texts)
    following = np.concatenate([numbers, np.full(size, len(texts))])
    padded = np.concatenate([words, np.zeros(size, np.uint64)])
    total = np.zeros(len(words), np.uint64)
    for place in range(size):
        same_text = following[place : place + len(words)] == numbers
        total += padded[place : place + len(words)] * PLACES[place] * same_text
    whole = following[size - 1 : size - 1 + len(words)] == numbers
    first = np.concatenate([[True], numbers[1:] != numbers[:-1]])[: len(words)]
    kept = whole | first  # the first window of a text counts even where it reaches past its end
    offsets = np.concatenate([[0], np.cumsum(np.bincount(numbers[kept], minlength=len(texts)))])
    return _mix(total[kept]), offsets


def signatures(texts: list[str]) -> np.ndarray:
    """MinHash signatures, uint32 of shape (texts, BANDS * BAND_SLOTS)."""
    hashes, offsets = shingles(texts)
    slots = BANDS * BAND_SLOTS
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), slots, SIGNATURE_SEED)
    return np.array(matrix.to_rows(), np.uint32).reshape(len(texts), slots)


# ---------------------------------------------------------------------------------------------------------------------
# Candidates, verification, clusters


def candidate_pairs(table: np.ndarray, threshold: float) -> np.ndarray:
    """Pairs of rows that share a band and whose signatures agree nearly enough: shape (pairs, 2), likest first."""
    rows = len(table)
    codes = np.empty(0, np.int64)  # of the pairs found so far, sorted: first row * rows + second row
    keys = [_band_keys(table, band) for band in range(BANDS)]
    for band in range(BANDS):
        found = [codes]
        for first, second in _bucket_pairs(keys[band], keys[(band + 1) % BANDS]):
            fresh = np.minimum(first, second) * rows + np.maximum(first, second)
            fresh = fresh[~_contains(codes, fresh)]
            alike = _agreement(table, fresh // rows, fresh % rows) >= threshold - ESTIMATE_MARGIN
            found.append(fresh[alike])
        codes = np.sort(np.concatenate(found))
    pairs = np.stack([codes // rows, codes % rows], axis=1)
    return pairs[np.argsort(-_agreement(table, *pairs.T), kind="stable")]


def _band_keys(table: np.ndarray, band: int) -> np.ndarray:
    slots = table[:, band * BAND_SLOTS : (band + 1) * BAND_SLOTS].astype(np.uint64)
    keys = np.full(len(table), band, np.uint64)
    for slot in range(BAND_SLOTS):
        keys = _mix(keys + slots[:, slot])
    return keys


def _bucket_pairs(keys: np.ndarray, next_keys: np.ndarray):
    """Rows of equal key, pair by pair, as arrays (first, second); see BUCKET_WINDOW."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    members = np.flatnonzero(counts[inverse] > 1)
    # Within a bucket, rows that share the next band too stand together, then in the order of the input.
    order = members[np.lexsort((members, next_keys[members], keys[members]))]
    for step in range(1, min(BUCKET_WINDOW, len(order) - 1) + 1):
        same = keys[order[:-step]] == keys[order[step:]]
        if not same.any():
            return
        yield order[:-step][same], order[step:][same]


def _contains(codes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Whether each of `wanted` is among the sorted `codes`."""
    if not len(codes):
        return np.zeros(len(wanted), bool)
    return codes[np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)] == wanted


def _agreement(table: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Share of equal signature slots of each pair: an estimate of their Jaccard similarity."""
    blocks = [slice(start, start + PAIRS_PER_BLOCK) for start in range(0, len(first), PAIRS_PER_BLOCK)]
    shares = [(table[first[block]] == table[second[block]]).mean(axis=1) for block in blocks]
    return np.concatenate([np.empty(0), *shares])


def jaccard(texts_of: Callable[[np.ndarray], list[str]], pairs: np.ndarray, size: int) -> np.ndarray:
    """Jaccard similarity of the word `size`-grams of each pair of rows; `texts_of(rows)` gives their texts."""
    if not len(pairs):
        return np.empty(0)
    rows, places = np.unique(pairs, return_inverse=True)
    hashes, offsets = _distinct_shingles(texts_of, rows, size)
    counts = np.diff(offsets)
    first, second = places.reshape(-1, 2).T
    order = np.argsort(first, kind="stable")
    shared = np.empty(len(pairs), np.int64)
    for group in np.split(order, np.flatnonzero(np.diff(first[order])) + 1):
        row, others = first[group[0]], second[group]
        own = hashes[offsets[row] : offsets[row + 1]]
        theirs = np.concatenate([hashes[offsets[other] : offsets[other + 1]] for other in others])
        found = np.concatenate([[0], np.cumsum(_contains(own, theirs))])
        ends = np.cumsum(counts[others])
        shared[group] = found[ends] - found[ends - counts[others]]
    either = counts[first] + counts[second] - shared
    return shared / np.maximum(either, 1)


def _distinct_shingles(texts_of: Callable, rows: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct shingles of each row, sorted, one row after the other, and the offsets of each."""
    all_hashes, all_counts = [], [[0]]
    for start in range(0, len(rows), BATCH_ROWS):
        texts = texts_of(rows[start : start + BATCH_ROWS])
        hashes, offsets = shingles(texts, size)
        number = np.repeat(np.arange(len(texts)), np.diff(offsets))
        order = np.argsort(hashes)
        order = order[np.argsort(number[order].astype(np.uint16), kind="stable")]  # by text, then by hash; radix sort
        hashes, number = hashes[order], number[order]
        new = np.ones(len(hashes), bool)
        new[1:] = (hashes[1:] != hashes[:-1]) | (number[1:] != number[:-1])
        all_hashes.append(hashes[new])
        all_counts.append(np.bincount(number[new], minlength=len(texts)))
    return np.concatenate(all_hashes), np.cumsum(np.concatenate(all_counts))


def connect(parents: list[int], pairs: np.ndarray) -> None:
    """Put the two rows of every pair into one cluster. `parents`: a union-find forest whose roots are first rows."""
    for first, second in pairs.tolist():
        first, second = find_root(parents, first), find_root(parents, second)
        parents[max(first, second)] = min(first, second)


def find_root(parents: list[int], row: int) -> int:
    """The first row of the cluster that `row` is in."""
    while parents[row] != row:
        parents[row] = row = parents[parents[row]]
    return row


def near_duplicates(rows: int, pairs_of: Callable, threshold: float) -> np.ndarray:
    """The cluster of each of `rows` rows, by the number of its first row.

    `pairs_of(rows)` gives the instructions and the responses of an array of rows.
    """

    def texts_of(rows: np.ndarray) -> list[str]:
        return [f"{instruction}\n{response}" for instruction, response in zip(*pairs_of(rows), strict=True)]

    def responses_of(rows: np.ndarray) -> list[str]:
        return pairs_of(rows)[1]

    parents = list(range(rows))
    candidates = candidate_pairs(_all_signatures(rows, texts_of), threshold)
    for start in range(0, len(candidates), PAIRS_PER_BLOCK):
        block = candidates[start : start + PAIRS_PER_BLOCK]
        # What is linked already needs no proof: in a cluster of n rows, n - 1 of its n^2 / 2 pairs are enough.
        block = block[[find_root(parents, first) != find_root(parents, second) for first, second in block.tolist()]]
        block = block[jaccard(responses_of, block, 1) >= threshold]
        connect(parents, block[jaccard(texts_of, block, SHINGLE_WORDS) >= threshold])
    return np.array([find_root(parents, row) for row in range(rows)], np.int64)


def _all_signatures(rows: int, texts_of: Callable) -> np.ndarray:
    from tqdm import tqdm

    table = np.empty((rows, BANDS * BAND_SLOTS), np.uint32)
    with tqdm(total=rows, desc="near duplicates", unit=" rows", unit_scale=True, delay=2) as bar:
        for start in range(0, rows, BATCH_ROWS):
            batch = np.arange(start, min(start + BATCH_ROWS, rows))
            table[batch] = signatures(texts_of(batch))
            bar.update(len(batch))
    return table


def best_of_each(clusters: np.ndarray, best_first: np.ndarray) -> np.ndarray:
    """True for the best row of every cluster, as a mask; `best_first` holds all row numbers, the best first."""
    mask = np.zeros(len(clusters), bool)
    mask[best_first[np.unique(clusters[best_first], return_index=True)[1]]] = True
    return mask
