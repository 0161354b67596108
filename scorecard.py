"""What there is to know about the scores of a corpus, as one dict of plain values.

Distributions, sources, correlations, length, how far the choice of the best rows depends on the weights, rows to read,
and the evidence that was measured.

Pure: computes, reads and writes nothing. `scorecard_page.py` makes JSON and HTML of it, for
`python quality_scorer.py FILE --scorecard PATH.html` and `python filter_datasets.py`.

What is heavy (words, rank correlations, the weight draws) is computed on a seeded sample of SAMPLE_ROWS rows, and the
dict says of how many. Distributions and the rows to read come from all rows.
"""

import re
from collections import Counter

import numpy as np
import pyarrow
import pyarrow.compute

from cost_statistics import ranks
from training_configs import SCORE_KEYS

SCORECARD_VERSION = 2  # raise it whenever the content or the page changes, so that old ones are made anew
SAMPLE_ROWS = 100_000
BLOCK = 5_000  # texts that are Python strings at one time
PERCENTILES = [1, 5, 10, 25, 50, 75, 90, 95, 99]
HISTOGRAM_BINS = 50  # over [0, 1]
SHOWN_SOURCES = 12  # the others are taken together
DECIMALS = 6


def make_scorecard(table, weights: dict[str, float], evidence: dict, seed: int = 0) -> dict:
    """The scorecard of scored rows: columns id, source, instruction, response and SCORE_KEYS, each in [0, 1].

    `table`: a pyarrow Table, or `corpus_shards.ShardedRows`, whose texts are then in memory some at a time. `weights`:
    those that `quality` was made with. `evidence`: "validation", "corruptions" and "benchmark", each the content of the
    JSON that the scorer's commands write, or None. Raises ValueError where there is no row."""
    scores = {key: table.column(key).to_numpy() for key in SCORE_KEYS}
    rows = len(scores["quality"])
    if not rows:
        raise ValueError("a scorecard needs at least one row")
    names, codes = encode_sources(table.column("source"))
    chosen = sample_positions(table, rows, seed)
    sample = {key: values[chosen] for key, values in scores.items()}
    words = word_counts(table, chosen)
    return {
        "scorecard_version": SCORECARD_VERSION,
        "rows": rows,
        "sources": len(names),
        "weights": dict(weights),
        "sample": {
            "rows": len(chosen),
            "of": rows,
            "seed": seed,
            "used_for": ["correlation", "length", "weight_sensitivity"],
        },
        "distribution": {key: describe_scores(values) for key, values in scores.items()},
        "by_source": by_source(scores, names, codes),
        "correlation": correlations(sample | {"log_words": np.log1p(words)}),
        "length": length_facts(sample, words, codes[chosen]),
        "weight_sensitivity": weight_sensitivity(sample, weights, seed=seed),
        "rows_to_read": rows_to_read(table, scores["quality"], codes),
        "evidence": {name: evidence.get(name) for name in ("validation", "corruptions", "benchmark")},
    }


def plain(value) -> float | None:
    """A number as JSON holds it, to DECIMALS; None where there is none."""
    return None if value is None or not np.isfinite(value) else round(float(value), DECIMALS)


# ---------------------------------------------------------------------------------------------------------------------
# Sample and sources


def sample_positions(table, rows: int, seed: int) -> np.ndarray:
    """Row numbers of the sample, at most SAMPLE_ROWS, in the order of the ids: whatever ties, ties by id."""
    chosen = np.arange(rows)
    if rows > SAMPLE_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(rows, SAMPLE_ROWS, replace=False))
    order = pyarrow.compute.sort_indices(pyarrow.array(values_at(table, "id", chosen), pyarrow.large_string()))
    return chosen[order.to_numpy()]


def values_at(table, name: str, positions: np.ndarray) -> list:
    """A column's values at these positions, in their order."""
    if isinstance(table, pyarrow.Table):  # whose own `take` would copy the whole column
        column = table[name]
        return [column[position].as_py() for position in positions.tolist()]
    return table.take(positions, [name])[name].to_pylist()


def word_counts(table, positions: np.ndarray) -> np.ndarray:
    """Words, split at white space, of the responses at these positions."""
    order = np.argsort(positions)
    counts = np.empty(len(positions), np.int64)
    for start in range(0, len(order), BLOCK):
        part = order[start : start + BLOCK]
        counts[part] = [len(text.split()) for text in values_at(table, "response", positions[part])]
    return counts


def encode_sources(column) -> tuple[list[str], np.ndarray]:
    """Source names, most rows first (ties by name), and each row's number among them."""
    encoded = column.combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = encoded.indices.to_numpy()
    rows = np.bincount(codes, minlength=len(names))
    order = sorted(range(len(names)), key=lambda code: (-rows[code], names[code]))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return [names[code] for code in order], rank[codes]


# ---------------------------------------------------------------------------------------------------------------------
# Distributions


def describe_scores(values: np.ndarray) -> dict:
    """Mean, standard deviation, percentiles and histogram counts of scores in [0, 1]."""
    counts, _ = np.histogram(values, bins=HISTOGRAM_BINS, range=(0, 1))
    shown = np.percentile(values, PERCENTILES)
    return {
        "mean": plain(values.mean()),
        "sd": plain(values.std()),
        "min": plain(values.min()),
        "max": plain(values.max()),
        "percentiles": {str(percent): plain(value) for percent, value in zip(PERCENTILES, shown, strict=True)},
        "histogram": counts.tolist(),
    }


def by_source(scores: dict[str, np.ndarray], names: list[str], codes: np.ndarray) -> list[dict]:
    """One entry for each of the largest sources, then one, of source None, for all others together."""
    shown = SHOWN_SOURCES if len(names) > SHOWN_SOURCES + 1 else len(names)
    groups = np.minimum(codes, shown)
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups))
    entries = []
    for number, rows in enumerate(np.split(order, ends[:-1])):
        merged = number == SHOWN_SOURCES and shown < len(names)
        entry = {"source": None if merged else names[number], "sources": len(names) - shown if merged else 1}
        distribution = {key: describe_scores(values[rows]) for key, values in scores.items()}
        entries.append(entry | {"rows": len(rows), "distribution": distribution})
    return entries


# ---------------------------------------------------------------------------------------------------------------------
# Rank correlations and length


def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Pearson's; None where one of them does not vary, and for two rows, which always agree or disagree."""
    if len(first) < 3:
        return None
    first, second = first - first.mean(), second - second.mean()
    size = np.sqrt((first**2).mean() * (second**2).mean())
    varies = min(np.abs(first).max(), np.abs(second).max()) > 1e-6  # ranks and scores differ by more than rounding
    return plain((first * second).mean() / size) if varies else None


def within_groups(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Values less the mean of their group."""
    sizes = np.maximum(np.bincount(codes), 1)
    return values - (np.bincount(codes, values) / sizes)[codes]


def correlations(columns: dict[str, np.ndarray]) -> dict:
    """Spearman's rank correlation of every pair of columns."""
    ranked = [ranks(values) for values in columns.values()]
    return {"names": [*columns], "spearman": [[correlation(first, second) for second in ranked] for first in ranked]}


def length_edges(most_words: int) -> list[int]:
    """Lower edges of bins of words: 0, 1, 2, 3, 4, 6, 8, 11, 16, ...: half-steps of two."""
    steps = range(2 * max(1, int(most_words)).bit_length() + 2)
    return [0, *sorted({round(2 ** (step / 2)) for step in steps if round(2 ** (step / 2)) <= most_words})]


def length_facts(scores: dict[str, np.ndarray], words: np.ndarray, codes: np.ndarray) -> dict:
    """Score bands by words of the response, and rank correlations with it, raw and within sources."""
    edges = length_edges(words.max())
    number = np.digitize(words, edges) - 1
    bins = []
    for bin_number in np.unique(number):
        inside = number == bin_number
        upper = edges[bin_number + 1] - 1 if bin_number + 1 < len(edges) else int(words.max())
        entry = {"from_words": edges[bin_number], "to_words": upper, "rows": int(inside.sum())}
        for key, values in scores.items():
            low, median, high = np.percentile(values[inside], [10, 50, 90])
            entry[key] = {"p10": plain(low), "median": plain(median), "p90": plain(high)}
        bins.append(entry)
    rank_words = ranks(words)
    inner = within_groups(rank_words, codes)
    correlated = {}
    for key, values in scores.items():
        ranked = ranks(values)
        partial = correlation(within_groups(ranked, codes), inner)
        correlated[key] = {"raw": correlation(ranked, rank_words), "source_partialled_out": partial}
    shown = zip(PERCENTILES, np.percentile(words, PERCENTILES), strict=True)
    percentiles = {str(percent): plain(value) for percent, value in shown}
    return {"word_percentiles": percentiles, "bins": bins, "rank_correlation": correlated}


# ---------------------------------------------------------------------------------------------------------------------
# Weights: does it matter which?

TOP_PERCENTS = [1, 10]
# With 50 a weight of 0.25 has a standard deviation of 0.06: nine draws in ten lie between 0.16 and 0.36. That is how
# far apart people who call a dimension "somewhat more" or "somewhat less" important would put it; at 500 the weights
# would hardly move, at 5 a dimension would often vanish, which leaving one out shows more plainly.
CONCENTRATION = 50.0


def weight_sensitivity(
    scores: dict[str, np.ndarray], weights: dict[str, float], draws: int = 200, seed: int = 0
) -> dict:
    """How much of the best 1% and 10% stays under other weights: the Jaccard overlap with the default's choice.

    Weights are drawn from a Dirichlet distribution with the default as its mean; then each dimension is left out in
    turn, the other weights keeping their ratios. A weight of 0 stays 0. Ties keep the order of the rows. Overlaps are
    None where the share is less than one row."""
    names = list(weights)
    default = np.array([weights[name] for name in names], float) / sum(weights.values())
    base = total_scores(scores, dict(zip(names, default, strict=True)))
    best = {percent: top_rows(base, len(base) * percent // 100) for percent in TOP_PERCENTS}
    drawn = draw_weights(default, draws, seed)
    overlaps = {percent: [] for percent in TOP_PERCENTS}
    for draw in drawn:
        total = total_scores(scores, dict(zip(names, draw, strict=True)))
        for percent in TOP_PERCENTS:
            overlaps[percent].append(jaccard(best[percent], top_rows(total, len(base) * percent // 100)))
    return {
        "rows": len(base),
        "draws": draws,
        "concentration": CONCENTRATION,
        "seed": seed,
        "spread": weight_spread(names, default, drawn),
        "top": {str(percent): overlap_facts(best[percent], overlaps[percent]) for percent in TOP_PERCENTS},
        "leave_one_out": {name: leave_one_out(scores, weights, name, base, best) for name in names},
    }


def total_scores(scores: dict[str, np.ndarray], weights: dict[str, float]) -> np.ndarray:
    """The weighted mean, term by term: equal rows get equal totals to the last bit, which a matrix product would not
    promise."""
    return sum([weight * scores[name] for name, weight in weights.items()]) / sum(weights.values())


def draw_weights(default: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """[draws, weights]: Dirichlet draws whose mean is `default`; what is 0 there stays 0."""
    drawn = np.zeros((draws, len(default)))
    positive = default > 0
    drawn[:, positive] = np.random.default_rng(seed).dirichlet(CONCENTRATION * default[positive], draws)
    return drawn


def top_rows(total: np.ndarray, count: int) -> np.ndarray:
    """Mask of the `count` highest; among those equal to the last one, the first in order."""
    chosen = np.zeros(len(total), bool)
    if count:
        threshold = np.partition(total, len(total) - count)[len(total) - count]
        chosen[total > threshold] = True
        chosen[np.flatnonzero(total == threshold)[: count - chosen.sum()]] = True
    return chosen


def jaccard(first: np.ndarray, second: np.ndarray) -> float | None:
    """Rows in both masks over rows in either; None where both are empty."""
    either = (first | second).sum()
    return float((first & second).sum() / either) if either else None


def overlap_facts(best: np.ndarray, overlaps: list) -> dict | None:
    """Mean, 5th percentile, minimum and every draw's overlap, beside what a choice by chance would have."""
    rows = int(best.sum())
    if not rows:
        return None
    share = rows / len(best)
    return {
        "rows": rows,
        "mean": plain(np.mean(overlaps)),
        "p5": plain(np.percentile(overlaps, 5)),
        "min": plain(min(overlaps)),
        "by_chance": plain(share / (2 - share)),
        "jaccard": [plain(overlap) for overlap in overlaps],
    }


def weight_spread(names: list[str], default: np.ndarray, drawn: np.ndarray) -> dict:
    """How far the drawn weights lie from the default, by dimension and in words."""
    deviations = np.sqrt(default * (1 - default) / (CONCENTRATION + 1))
    low, high = np.percentile(drawn, [5, 95], axis=0)
    typical = float(deviations[default > 0].mean())
    by_name = {
        name: {"default": plain(default[i]), "sd": plain(deviations[i]), "p5": plain(low[i]), "p95": plain(high[i])}
        for i, name in enumerate(names)
    }
    words = f"a weight typically moves by {typical:.2f} (standard deviation) around its default"
    return {"typical_weight_sd": plain(typical), "words": words, "weights": by_name}


def leave_one_out(scores: dict, weights: dict, name: str, base: np.ndarray, best: dict) -> dict | None:
    """The overlap and rank correlation with the default where one dimension has no weight; None where none is left."""
    others = weights | {name: 0.0}
    if not sum(others.values()):
        return None
    total = total_scores(scores, others)
    overlaps = {percent: jaccard(mask, top_rows(total, int(mask.sum()))) for percent, mask in best.items()}
    shown = {str(percent): None if overlap is None else plain(overlap) for percent, overlap in overlaps.items()}
    return {"jaccard": shown, "spearman": correlation(ranks(base), ranks(total))}


# ---------------------------------------------------------------------------------------------------------------------
# Rows to read

ROWS_TO_READ = 8
OF_ONE_SOURCE = 3
LOOK_AMONG = 0.01  # of the rows: further in, a row is no longer among the best, or the worst
INSTRUCTION_CHARACTERS = 320
RESPONSE_CHARACTERS = 640


def rows_to_read(table, quality: np.ndarray, codes: np.ndarray) -> dict:
    """Best, middle and worst rows, excerpted, no row twice; where there are few rows, the three share them.

    So that a reader sees variety, at most OF_ONE_SOURCE of each are of one source, and no instruction stands twice,
    unless the rows within LOOK_AMONG of the best (the middle, the worst) hold nothing else."""
    ids = pyarrow.table({"quality": quality, "id": table.column("id")})
    order = pyarrow.compute.sort_indices(ids, [("quality", "descending"), ("id", "ascending")]).to_numpy()
    rows = len(order)
    count = max(1, min(ROWS_TO_READ, rows // 3))
    window = min(max(3 * ROWS_TO_READ, int(LOOK_AMONG * rows)), max(1, rows // 3))
    middle = np.argsort(np.abs(np.arange(rows) - (rows - 1) / 2), kind="stable")[:window]
    places = {"best": np.arange(window), "worst": np.arange(rows - 1, rows - 1 - window, -1), "middle": middle}
    shown, seen = {}, {"positions": set(), "instructions": set()}
    for name, candidates in places.items():
        positions = order[candidates].astype(np.int64)
        picked = pick_varied(values_at(table, "instruction", positions), positions, codes, count, seen)
        shown[name] = [describe_row(table, int(order[candidates[i]]), int(candidates[i]) + 1) for i in picked]
    shown["middle"].sort(key=lambda row: row["rank"])
    return {"at_most_of_one_source": OF_ONE_SOURCE, **{name: shown[name] for name in ("best", "middle", "worst")}}


def pick_varied(instructions: list[str], positions: np.ndarray, codes: np.ndarray, count: int, seen: dict) -> list[int]:
    """Indexes of `count` of the positions, ascending: by both rules, then by the one on instructions, then by none."""
    picked, per_source = [], Counter()
    for source_rule, instruction_rule in ((True, True), (False, True), (False, False)):
        for index, (position, instruction) in enumerate(zip(positions.tolist(), instructions, strict=True)):
            if len(picked) == count:
                return sorted(picked)
            source_full = source_rule and per_source[codes[position]] == OF_ONE_SOURCE
            if position in seen["positions"] or source_full:
                continue
            if instruction_rule and instruction in seen["instructions"]:
                continue
            per_source[codes[position]] += 1
            seen["positions"].add(position)
            seen["instructions"].add(instruction)
            picked.append(index)
    return sorted(picked)


def describe_row(table, position: int, rank: int) -> dict:
    """A row's rank by the total, scores and excerpts."""
    names = ["id", "source", "instruction", "response", *SCORE_KEYS]
    row = {name: values_at(table, name, np.array([position]))[0] for name in names}
    return {
        "rank": rank,
        "id": excerpt(row["id"], 80),
        "source": excerpt(row["source"], 80),
        **{key: plain(row[key]) for key in SCORE_KEYS},
        "response_words": len(row["response"].split()),
        "instruction": excerpt(row["instruction"], INSTRUCTION_CHARACTERS),
        "response": excerpt(row["response"], RESPONSE_CHARACTERS),
    }


UNPRINTABLE = re.compile(r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def excerpt(text: str, characters: int) -> str:
    """The text with its line breaks, cut in the middle where long; what would disturb a page is shown as spaces."""
    if len(text) > 3 * characters:  # a megabyte is not cleaned to show its ends
        text = f"{text[: 2 * characters]}\n{text[-characters:]}"
    text = re.sub(r"\n\s*\n", "\n\n", UNPRINTABLE.sub(" ", text)).strip()
    if not any(char.isprintable() and not char.isspace() for char in text):
        return ""  # zero-width characters alone
    if len(text) <= characters:
        return text
    head, tail = text[: characters * 2 // 3], text[-characters // 3 :]
    head, tail = re.sub(r"\s\S{0,20}$", "", head), re.sub(r"^\S{0,20}\s", "", tail)  # at a word's end if one is near
    return f"{head.rstrip()} […] {tail.lstrip()}"
