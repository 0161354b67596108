"""Which rows a subset takes: the rules of `training_configs.SUBSETS` as pure functions of the rows.

    top, bottom       the best and the worst by score
    longest           most words in the response
    random            a prefix of one shuffled order (of a second, third order with `draw`)
    band              random rows of one of `bands` disjoint score bands of equal size; band 1 is the best
    source_matched    random rows outside the tier it `controls`, as many of each source as the tier has
    length_matched    the same for the number of words in the response
    diverse           best-scored rows spread over topics, one per instruction (`topic_spread`)

With `balance="source"`, every order by score or length takes the sources in turn, each in its share of the pool, so
that a tier is not just a data set's name. What ties is ordered by id, and every draw depends on ids and seed alone:
the same rows give the same subsets in whatever order they came.

The rules see `facts_of` the rows, some 100 bytes each, not their text; only `diverse` asks for its candidates'
instructions. Reads and writes no files.
"""

import hashlib
from collections.abc import Callable
from functools import cached_property

import numpy as np
import pyarrow
import pyarrow.compute

from lineage import ROW_BYTES, row_digests
from topic_spread import pick_diverse, places_within

# Each random rule has a stream of its own, so that no draw depends on another.
STREAMS = {"random": 2, "diverse": 3, "source_matched": 4, "length_matched": 5, "band": 6}
BLOCK = 10_000  # texts that are Python strings at one time
LENGTH_BIN_GROWTH = 20  # a bin of lengths is a twentieth of its length wide: one word up to 40, two up to 60


class Pool:
    """The rows to choose from as the rules see them, and the orders that several rules share.

    facts: `facts_of` them, one chunk a column. texts_of(rows): the instructions of some. balance: none or source.
    """

    def __init__(self, facts, texts_of: Callable, balance: str = "none"):
        self.facts, self.texts_of, self.balance, self.rows = facts, texts_of, balance, facts.num_rows
        self.by_id = by_id(facts["id"])
        self.quality = facts["quality"].to_numpy()
        self.response_words = facts["response_words"].to_numpy()
        names = pyarrow.array(sorted(pyarrow.compute.unique(facts["source"]).to_pylist()), facts["source"].type)
        self.sources = pyarrow.compute.index_in(facts["source"], names).to_numpy().astype(np.int64)  # numbers, by name

    @cached_property
    def best_first(self) -> np.ndarray:
        """All row numbers from the highest score to the lowest, equal ones by id."""
        return self._ordered(self.quality)

    @cached_property
    def longest_first(self) -> np.ndarray:
        """All row numbers from the most words in the response to the fewest, equal ones by id."""
        return self._ordered(self.response_words)

    def _ordered(self, values: np.ndarray) -> np.ndarray:
        order = highest_first(values, self.by_id)
        return balanced(order, self.sources) if self.balance == "source" else order

    def shuffled(self, rule: str, seed: int, draw: int = 0) -> np.ndarray:
        """All row numbers in a random order that depends on the ids, the rule's stream, seed and draw alone."""
        stream = [seed, STREAMS[rule], draw] if draw else [seed, STREAMS[rule]]
        return self.by_id[np.random.default_rng(stream).permutation(self.rows)]


def why_impossible(subset: dict, count: int, pool_rows: int) -> str | None:
    """Why a pool of `pool_rows` rows cannot give `count` rows of this subset; None where it can."""
    if not count:
        return "smaller than one row at this scale"
    if count > pool_rows:
        return f"{count:,} rows wanted, {pool_rows:,} in the pool"
    if subset["rule"] == "band" and count > pool_rows // subset["bands"]:
        return f"{count:,} rows wanted, {pool_rows // subset['bands']:,} in a band"
    if "controls" in subset and count > pool_rows - count:
        return f"{count:,} rows wanted, {pool_rows - count:,} outside {subset['controls']}"
    return None


def pick_rows(subset: dict, count: int, pool: Pool, seed: int) -> tuple[np.ndarray, dict]:
    """Row numbers of a subset in the order in which they are stored, and what its JSON says of the selection.

    subset: an entry of SUBSETS; one that `controls` a tier of as many rows also holds the tier's own, under `tier`.
    count: one for which `why_impossible` finds no reason.
    """
    rule = subset["rule"]
    if rule == "random":
        return pool.shuffled(rule, seed, subset.get("draw", 0))[:count], {}
    if rule == "band":
        return draw_from_band(subset, count, pool, seed)
    if rule == "diverse":
        return pick_diverse(pool.best_first, count, pool.texts_of, subset, pool.shuffled(rule, seed), seed)
    if "controls" in subset:
        tier, _ = pick_rows(subset["tier"], count, pool, seed)
        outside = pool.shuffled(rule, seed)
        outside = outside[~np.isin(outside, tier)]
        if rule == "source_matched":
            return match_sources(tier, outside, pool.sources)
        return match_lengths(tier, outside, pool.response_words)
    order = pool.longest_first if rule == "longest" else pool.best_first
    return (order[-count:] if rule == "bottom" else order[:count]), {}


# ---------------------------------------------------------------------------------------------------------------------
# Orders


def by_id(ids) -> np.ndarray:
    """All row numbers in the order of their ids."""
    return pyarrow.compute.sort_indices(ids).to_numpy().astype(np.int64)


def highest_first(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The rows of `order` from the highest value to the lowest, equal ones as they stand."""
    return order[np.argsort(-values[order], kind="stable")]


def best_first(quality: np.ndarray, ids) -> np.ndarray:
    """Row numbers from the highest score to the lowest, equal ones by id."""
    return highest_first(quality, by_id(ids))


def balanced(order: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """The rows of `order` with every source in its share of the pool in any prefix, each source in its own order.

    Rows go by their quantile within their source, (place + 1/2) / rows of the source: Webster's method of
    apportionment. Unlike the largest remainder it never takes a row from a source when the number of rows grows, so
    that a small tier stays a part of the larger. Equal quantiles keep their order.
    """
    groups = sources[order]
    quantiles = (2 * places_within(groups) + 1) / (2 * np.bincount(groups))[groups]
    return order[np.argsort(quantiles, kind="stable")]


def draw_from_band(subset: dict, count: int, pool: Pool, seed: int) -> tuple[np.ndarray, dict]:
    """Random rows of one band of the order by score, and the scores that the band reaches over."""
    band = np.array_split(pool.best_first, subset["bands"])[subset["band"] - 1]
    order = pool.shuffled("band", seed)
    quality = pool.quality[band]
    facts = {"band_rows": len(band), "band_score": {"min": float(quality.min()), "max": float(quality.max())}}
    return order[np.isin(order, band)][:count], facts


# ---------------------------------------------------------------------------------------------------------------------
# Matched controls


def take_quotas(groups: np.ndarray, quotas: np.ndarray) -> np.ndarray:
    """A mask over rows in some order, given the group of each: the first quotas[g] rows of each group g."""
    return places_within(groups) < quotas[groups]


def match_sources(tier: np.ndarray, outside: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, dict]:
    """Rows of the shuffled `outside`, as many of each source as the tier has.

    Where a source has too few, the rest are the next rows of any source. The facts say how many, and how far the two
    mixes are apart: total variation, the share of rows that would have to change their source.
    """
    kinds = int(sources.max()) + 1
    wanted = np.bincount(sources[tier], minlength=kinds)
    taken = take_quotas(sources[outside], wanted)
    lacking = len(tier) - int(taken.sum())
    taken[np.flatnonzero(~taken)[:lacking]] = True
    rows = outside[taken]
    moved = np.abs(np.bincount(sources[rows], minlength=kinds) - wanted).sum() / 2
    return rows, {"rows_unmatched": lacking, "source_mix_distance": float(moved / len(tier))}


def match_lengths(tier: np.ndarray, outside: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, dict]:
    """Rows of the shuffled `outside` with the tier's distribution of words per response, one for one.

    Lengths fall in bins a twentieth wide. Where a bin has too few rows outside the tier, the nearest bins that have
    rows left stand in, the longest bin choosing first. The facts say for how many rows, and how far the distributions
    are apart: the Kolmogorov-Smirnov distance, and quantiles of both.
    """
    bins = length_bins(words)
    wanted = np.bincount(bins[tier], minlength=bins.max() + 1)
    granted = nearest_available(wanted, np.bincount(bins[outside], minlength=bins.max() + 1))
    rows = outside[take_quotas(bins[outside], granted)]
    facts = {
        "rows_unmatched": int(np.maximum(wanted - granted, 0).sum()),
        "ks_distance": ks_distance(words[tier], words[rows]),
        "tier_words": length_facts(words[tier]),
        "matched_words": length_facts(words[rows]),
    }
    return rows, facts


def length_bins(words: np.ndarray) -> np.ndarray:
    """The bin of each number of words: bounds grow by a twentieth, by one at least, in whole numbers."""
    bounds = [1]
    while bounds[-1] <= words.max():
        bounds.append(bounds[-1] + max(1, bounds[-1] // LENGTH_BIN_GROWTH))
    return np.searchsorted(bounds, words, side="right")


def nearest_available(wanted: np.ndarray, available: np.ndarray) -> np.ndarray:
    """How many to take from each bin so that all of `wanted` is met from what is `available`, near bins first."""
    granted = np.minimum(wanted, available)
    left = available - granted
    lacking = wanted - granted
    for place in np.flatnonzero(lacking)[::-1]:
        for near in np.argsort(np.abs(np.arange(len(left)) - place), kind="stable"):
            moved = min(lacking[place], left[near])
            granted[near] += moved
            left[near] -= moved
            lacking[place] -= moved
            if not lacking[place]:
                break
    return granted


def ks_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference between the two cumulative distributions: 0 where they are equal, 1 where apart."""
    values = np.union1d(first, second)
    shares = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())


# ---------------------------------------------------------------------------------------------------------------------
# What rules and descriptions need of a row, in place of its text


def facts_of(table):
    """Of every row its id, source and quality, the words of both texts, and bytes to tell instructions and rows apart.

    table: columns id, source, instruction, response, quality.
    """
    asked = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for text in table["instruction"].to_pylist()
    ]
    facts = table.select(["id", "source", "quality"])
    for name in ("instruction", "response"):
        facts = facts.append_column(f"{name}_words", pyarrow.array(count_words(table[name]), pyarrow.int64()))
    facts = facts.append_column("asked", pyarrow.array(asked, pyarrow.binary(16)))
    return facts.append_column("row", pyarrow.array(row_digests(table), pyarrow.binary(ROW_BYTES)))


def length_facts(words: np.ndarray) -> dict:
    """Mean and percentiles of some lengths; null where there are none."""
    names = ["mean", "p5", "median", "p95"]
    if not len(words):
        return dict.fromkeys(names)
    return dict(zip(names, [float(words.mean()), *np.percentile(words, [5, 50, 95]).tolist()], strict=True))


def count_words(column) -> np.ndarray:
    """Words, by white space, of every text of a pyarrow column; int64."""
    counts = np.empty(len(column), np.int64)
    for start in range(0, len(column), BLOCK):
        counts[start : start + BLOCK] = [len(text.split()) for text in column.slice(start, BLOCK).to_pylist()]
    return counts
