"""`diverse`: best-scored rows spread over topics, and how much of the pool a subset covers.

Score first: the candidates are the best-scored row of each instruction, `candidates_per_row` times as many as are
wanted. Then spread: the candidates' instructions are clustered into topics, one for every `rows_per_topic` rows
wanted, and the topics take turns, each giving its best row, until there are enough. So each topic gives equally many
as long as it has any, and the last round goes by score. One row per instruction, then clusters and the best of each,
is what Yu et al. (arXiv 2409.11378, k-means and quality) and Liu et al. (DEITA, arXiv 2312.15685, score first) found
to help; greedy facility location (QDIT, arXiv 2311.14736; Superfiltering) needs all pairs. Here the topics are those of
words and not of a model's embedding: no weights, no network, seconds for 1M rows.

A topic is a cluster of spherical k-means over sketches of the words of an instruction: each distinct word adds its
rarity, log2(texts / texts with it) rounded down, to 4 of 256 places with a random sign (sparse random projection). All
arithmetic is on whole numbers that float32 holds exactly, so that every machine finds the same topics.

Pure functions of the text. Reads and writes no files.
"""

import re
from collections.abc import Callable

import numpy as np

from near_duplicates import is_new, text_digest, word_hashes

DIMENSIONS, PLACES_PER_WORD = 256, 4
UNIT = 127  # the length of a sketch, so that its entries fit a byte
MAX_TOPICS = 1_000
ROUNDS, FITTED_TEXTS = 10, 25_000  # of k-means
CHARACTERS = 500  # of the start and of the end of an instruction: what is asked stands there, not in a long passage
MEASURED_ROWS = 2_000  # of a subset and of the pool, for the mean similarities
BLOCK = 2_000
NO_WORD = re.compile(r"[\W_]+")


def pick_diverse(
    order: np.ndarray, count: int, texts_of: Callable, settings: dict, shuffled: np.ndarray, seed: int
) -> tuple[np.ndarray, dict]:
    """`count` rows, best first, and what the JSON says of them, with plain top and random rows beside.

    order: all row numbers, the best first; shuffled: all of them in random order; texts_of(rows): their instructions;
    settings: `candidates_per_row` and `rows_per_topic`. Where the pool has fewer instructions than `count`, the best
    of the other rows follow.
    """
    candidates = first_of_each_instruction(order, count * settings["candidates_per_row"], texts_of)
    parts = [candidates, order[:count], shuffled[:count], shuffled[-MEASURED_ROWS:]]
    ends = np.cumsum([len(rows) for rows in parts])
    numbers, words = distinct_words(np.concatenate(parts), texts_of)
    sketches = sketch(numbers, words, ends[-1])
    topics = min(MAX_TOPICS, max(1, round(count / settings["rows_per_topic"])))
    centres = find_topics(sketches[: ends[0]], topics, seed)
    labels = nearest(sketches, centres)
    picked = spread(labels[: ends[0]], count)
    rows = candidates[picked]
    filled = order[~np.isin(order, rows)][: count - len(rows)]
    members = {"diverse": picked, "top": np.arange(ends[0], ends[1]), "random": np.arange(ends[1], ends[2])}
    pool = sketches[ends[2] :]
    facts = {
        "candidates": len(candidates),
        "candidate_topics": len(np.unique(labels[: ends[0]])),
        "rows_that_repeat_an_instruction": len(filled),
        "coverage": {
            name: {
                "topics": len(np.unique(labels[texts])),
                "instruction_words": len(np.unique(words[np.isin(numbers, texts)])),
                "similarity_to_nearest": similarity_to_nearest(sketches[texts]),
                "pool_similarity": float(highest_products(pool, sketches[texts]).mean() / UNIT**2),
            }
            for name, texts in members.items()
        },
    }
    return np.concatenate([rows, filled]), facts


def first_of_each_instruction(order: np.ndarray, count: int, texts_of: Callable) -> np.ndarray:
    """Up to `count` rows in the order of `order`, no two with the same instruction after normalisation."""
    seen, rows = set(), []
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        for row, text in zip(block.tolist(), texts_of(block), strict=True):
            digest = text_digest(text)
            if digest not in seen:
                seen.add(digest)
                rows.append(row)
                if len(rows) == count:
                    return np.array(rows, np.int64)
    return np.array(rows, np.int64)


def spread(topics: np.ndarray, count: int) -> np.ndarray:
    """Which `count` of the candidates to take, in their order, when the topics take turns. topics: of each candidate,
    the best candidate first."""
    return np.sort(np.argsort(places_within(topics), kind="stable")[:count])


def places_within(groups: np.ndarray) -> np.ndarray:
    """The place, from 0, of each entry among the entries of its group. groups: small integers."""
    grouped = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    places = np.empty(len(groups), np.int64)
    places[grouped] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return places


# ---------------------------------------------------------------------------------------------------------------------
# Sketches of words


def distinct_words(rows: np.ndarray, texts_of: Callable) -> tuple[np.ndarray, np.ndarray]:
    """The distinct words, as hashes, of each row's start and end: (place of the row in `rows`, word), sorted."""
    all_numbers, all_words = [np.empty(0, np.int32)], [np.empty(0, np.uint64)]
    for start in range(0, len(rows), BLOCK):
        words, offsets = word_hashes([start_and_end(text) for text in texts_of(rows[start : start + BLOCK])])
        numbers = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
        order = np.lexsort((words, numbers))
        words, numbers = words[order], numbers[order]
        new = is_new(words) | is_new(numbers)
        all_numbers.append(numbers[new] + np.int32(start))
        all_words.append(words[new])
    return np.concatenate(all_numbers), np.concatenate(all_words)


def start_and_end(text: str) -> str:
    """The words, without punctuation, of a text's first and last `CHARACTERS`."""
    if len(text) > 2 * CHARACTERS:
        text = f"{text[:CHARACTERS]} {text[-CHARACTERS:]}"
    return NO_WORD.sub(" ", text)


def sketch(numbers: np.ndarray, words: np.ndarray, texts: int) -> np.ndarray:
    """int8 vectors of shape (texts, DIMENSIONS) and length UNIT, whose products tell how alike the texts are.

    numbers, words: as `distinct_words` gives them. A text none of whose words stands in another is all zeros.
    """
    vocabulary, counts = np.unique(words, return_counts=True)
    rarity = np.frexp(texts / np.maximum(counts, 1))[1] - 1  # floor of the logarithm to base 2, exactly
    weights = np.where(counts > 1, rarity, 0).astype(np.int64)
    bits = vocabulary[:, None] >> np.arange(PLACES_PER_WORD, dtype=np.uint64) * np.uint64(16)
    places = (bits % np.uint64(DIMENSIONS)).astype(np.int64)
    signed = np.where(bits & np.uint64(DIMENSIONS), weights[:, None], -weights[:, None])
    sketches = np.zeros((texts, DIMENSIONS), np.int8)
    for start in range(0, texts, BLOCK):
        stop = min(start + BLOCK, texts)
        part = slice(*np.searchsorted(numbers, np.array([start, stop], numbers.dtype)))
        codes = np.searchsorted(vocabulary, words[part])
        cells = (numbers[part, None] - start) * DIMENSIONS + places[codes]
        sums = np.bincount(cells.ravel(), signed[codes].ravel(), (stop - start) * DIMENSIONS)
        sketches[start:stop] = to_unit(sums.astype(np.int64).reshape(-1, DIMENSIONS))
    return sketches


def to_unit(sums: np.ndarray) -> np.ndarray:
    """int64 vectors scaled to length UNIT and rounded; zeros stay zeros."""
    lengths = np.sqrt((sums * sums).sum(axis=1, keepdims=True))
    return np.rint(UNIT * sums / np.maximum(lengths, 1)).astype(np.int8)


# ---------------------------------------------------------------------------------------------------------------------
# Topics


def find_topics(sketches: np.ndarray, topics: int, seed: int) -> np.ndarray:
    """Centres of up to `topics` clusters by spherical k-means over FITTED_TEXTS of the texts, drawn at random."""
    drawn = np.random.default_rng([seed, 3, 1]).permutation(len(sketches))
    centres, fitted = sketches[np.sort(drawn[:topics])], sketches[np.sort(drawn[:FITTED_TEXTS])]
    for _ in range(ROUNDS):
        labels = nearest(fitted, centres)
        order = np.argsort(labels, kind="stable")
        found, starts = np.unique(labels[order], return_index=True)
        moved = to_unit(np.add.reduceat(fitted[order], starts, axis=0, dtype=np.int64))
        if len(found) == len(centres) and (moved == centres).all():
            break
        centres = moved  # a centre that no text is nearest to is gone
    return centres


def products(sketches: np.ndarray, others: np.ndarray):
    """Scalar products with all `others`, BLOCK texts at a time: at most 127^2 of 256 places, exact in float32."""
    columns = others.T.astype(np.float32)
    for start in range(0, len(sketches), BLOCK):
        yield sketches[start : start + BLOCK].astype(np.float32) @ columns


def nearest(sketches: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The number of the centre that each text is nearest to, the first of equally near ones."""
    return np.concatenate([block.argmax(axis=1) for block in products(sketches, centres)])


def highest_products(sketches: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The product of each text with the nearest of `others`."""
    return np.concatenate([block.max(axis=1) for block in products(sketches, others)])


def similarity_to_nearest(sketches: np.ndarray) -> float | None:
    """Mean cosine of a text with the most similar other one, over MEASURED_ROWS of the texts; null for one text."""
    if len(sketches) < 2:
        return None
    sample = np.unique(np.linspace(0, len(sketches) - 1, MEASURED_ROWS).astype(np.int64))
    highest = []
    for start, block in enumerate(products(sketches[sample], sketches)):
        rows = sample[start * BLOCK : (start + 1) * BLOCK]
        block[np.arange(len(rows)), rows] = -np.inf
        highest.append(block.max(axis=1))
    return float(np.concatenate(highest).mean() / UNIT**2)
