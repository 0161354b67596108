"""What each selection rule picks, on pools where the truth is planted, and how the subsets are shown."""

import json
from collections import Counter

import numpy as np
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import subset_rules
from subset_report import draw_sources, draw_subsets, figure_files, left_out_lines, matching_line, remarks, subset_table
from subset_rules import (
    Pool,
    balanced,
    best_first,
    count_words,
    facts_of,
    ks_distance,
    length_bins,
    nearest_available,
    pick_rows,
    why_impossible,
)
from subset_selection import draw_stratified, duplicates_removed, heldout_rows, profile, scale_of
from topic_spread import distinct_words, find_topics, first_of_each_instruction, nearest, sketch, spread
from training_configs import SUBSETS


def pool_of(sources, quality=None, lengths=None, instructions=None, balance="none", order=None):
    """A pool with these sources; unless they are given, scores fall from row to row and all responses have one word."""
    rows = len(sources)
    table = pyarrow.table(
        {
            "id": [f"row-{row:04d}" for row in range(rows)],
            "source": list(sources),
            "instruction": instructions or [f"Do thing {row}." for row in range(rows)],
            "response": [" ".join(["word"] * length) for length in (lengths or [1] * rows)],
            "quality": quality if quality is not None else np.linspace(0.9, 0.1, rows),
        }
    )
    table = table if order is None else table.take(order)
    return Pool(facts_of(table), lambda some: table["instruction"].take(some).to_pylist(), balance)


def ids_of(pool, rows):
    return pool.facts["id"].take(rows).to_pylist()


def pick(pool, count, seed=0, **subset):
    rows, facts = pick_rows(subset, count, pool, seed)
    assert len(rows) == count == len(set(rows.tolist()))
    return rows, facts


TOP = {"rule": "top", "rows": 0}


# ---------------------------------------------------------------------------------------------------------------------
# Sizes and held-out rows


@pytest.mark.parametrize(
    ("pool", "scale"),
    [
        (5_000_000, 1), (1_000_000, 1), (999_999, 2), (500_000, 2), (499_999, 3), (333_334, 3), (333_333, 4),
        (100_000, 10), (99_999, 12), (83_333, 15), (57_544, 20), (188, 6_000), (2, 500_000), (1, 1_000_000),
    ],
)  # fmt: skip
def test_scale(pool, scale):
    assert scale_of(pool) == scale
    tiers = [SUBSETS[name]["rows"] // scale for name in ("ultra_10k", "high_100k", "medium_1M")]
    assert tiers[2] <= pool


def test_heldout_size():
    assert [heldout_rows(rows) for rows in (1, 19, 40, 39_999, 40_000, 10**6)] == [1, 1, 2, 1_999, 2_000, 2_000]


def draw(sources, groups, count, seed=0):
    return draw_stratified(np.array(sources), np.array(groups), count, np.random.default_rng(seed))


def test_stratified_draw_gives_each_source_its_share():
    sources, groups = ["a"] * 50 + ["b"] * 30 + ["c"] * 20, list(range(100))
    drawn = draw(sources, groups, 10)
    assert Counter(sources[row] for row in drawn) == {"a": 5, "b": 3, "c": 2}
    assert drawn.tolist() == sorted(set(drawn.tolist())) == draw(sources, groups, 10).tolist()
    assert drawn.tolist() != draw(sources, groups, 10, seed=1).tolist()
    assert len(draw(sources, groups, 7)) == 7  # 3.5, 2.1, 1.4
    assert draw(sources, groups, 0).tolist() == []


def test_stratified_draw_takes_whole_groups_and_the_largest_last():
    groups = [0] * 40 + [number // 4 for number in range(4, 64)]  # one group of 40, 15 groups of 4
    drawn = Counter(groups[row] for row in draw(["a"] * 100, groups, 10))
    assert sorted(drawn.values()) == [2, 4, 4] and 0 not in drawn
    assert len(draw(["a"] * 40, [0] * 40, 10)) == 10


# ---------------------------------------------------------------------------------------------------------------------
# Orders and draws


def test_rules_break_ties_by_id():
    table = {
        "id": ["c", "a", "b", "d"],
        "source": list("xxxx"),
        "instruction": list("ijkl"),
        "quality": [0.5, 0.5, 0.9, 0.1],
    }
    table = pyarrow.table({**table, "response": ["w w w", "w w w w", "w w w", "w w w w"]})
    pool = Pool(facts_of(table), None)

    def picked(rule, count):
        return ids_of(pool, pick(pool, count, rule=rule)[0])

    assert best_first(np.array([0.5, 0.5, 0.9, 0.1]), pool.facts["id"]).tolist() == [2, 1, 0, 3]
    assert picked("top", 2) == ["b", "a"]
    assert picked("bottom", 2) == ["c", "d"]
    assert picked("longest", 3) == ["a", "d", "b"]
    assert picked("random", 2) == picked("random", 4)[:2] and sorted(picked("random", 4)) == ["a", "b", "c", "d"]


def test_draws_are_prefixes_of_orders_of_their_own():
    pool = pool_of(["a"] * 200)
    orders = {draw: pick(pool, 200, rule="random", draw=draw)[0] for draw in (0, 1, 2)}
    for draw, order in orders.items():
        assert pick(pool, 20, rule="random", draw=draw)[0].tolist() == order[:20].tolist()
    assert np.array_equal(orders[0], pick(pool, 200, rule="random")[0])
    assert max((orders[one] == orders[other]).mean() for one, other in ((0, 1), (0, 2), (1, 2))) < 0.05
    assert not np.array_equal(orders[1], pick(pool, 200, rule="random", draw=1, seed=1)[0])


def test_each_random_rule_has_an_order_of_its_own():
    pool = pool_of(["a"] * 200)
    orders = {tuple(pool.shuffled(rule, 0).tolist()) for rule in subset_rules.STREAMS}
    assert len(orders) == len(subset_rules.STREAMS)


SMALL_SUBSETS = {
    name: {**subset, **({"tier": SUBSETS[subset["controls"]]} if "controls" in subset else {})}
    for name, subset in SUBSETS.items()
    if subset["rows"] <= 10_000
}


@pytest.mark.parametrize("balance", ["none", "source"])
def test_the_order_of_the_rows_changes_nothing(balance):
    rng = np.random.default_rng(3)
    words = [f"topic{number}" for number in range(12)]
    columns = {
        "sources": rng.choice(["a", "b", "c"], 300, p=[0.7, 0.2, 0.1]).tolist(),
        "quality": rng.integers(0, 8, 300) / 8,  # ties everywhere
        "lengths": rng.integers(1, 60, 300).tolist(),
        "instructions": [f"Tell {' '.join(rng.choice(words, 3))} now" for _ in range(300)],  # some are equal
    }
    for subset in SMALL_SUBSETS.values():
        results = []
        for order in (np.arange(300), rng.permutation(300)):
            pool = pool_of(**columns, balance=balance, order=order)
            rows, facts = pick(pool, 20, **subset)
            results.append((ids_of(pool, rows), json.dumps(facts)))
        assert results[0] == results[1]


@pytest.mark.parametrize("quality", [[0.5] * 40, None])
@pytest.mark.parametrize("sources", [["only"] * 40, [f"s{row}" for row in range(40)]])
@pytest.mark.parametrize("balance", ["none", "source"])
def test_pools_of_one_source_one_row_per_source_or_one_score(quality, sources, balance):
    pool = pool_of(sources, quality, balance=balance)
    for subset in SMALL_SUBSETS.values():
        for count in (1, 8):
            rows, facts = pick(pool, count, **subset)
            if subset["rule"] == "source_matched":  # no source has a row left outside where each has one
                lacking = count if len(set(sources)) > 1 else 0
                assert facts == {"rows_unmatched": lacking, "source_mix_distance": lacking / count}


def test_bands_are_disjoint_equal_and_in_order():
    pool = pool_of(["a"] * 103, np.random.default_rng(0).permutation(103) / 103)
    quality = pool.facts["quality"].to_numpy()
    bands = [pick(pool, 20, rule="band", band=band, bands=5) for band in (1, 2, 3, 4, 5)]
    assert [facts["band_rows"] for _, facts in bands] == [21, 21, 21, 20, 20]
    assert len({row for rows, _ in bands for row in rows.tolist()}) == 100
    for (_, better), (_, worse) in zip(bands, bands[1:], strict=False):
        assert better["band_score"]["min"] > worse["band_score"]["max"]
    for band, (rows, facts) in enumerate(bands, 1):
        low, high = facts["band_score"]["min"], facts["band_score"]["max"]
        assert low <= quality[rows].min() <= quality[rows].max() <= high
        assert rows[:5].tolist() == pick(pool, 5, rule="band", band=band, bands=5)[0].tolist()


# ---------------------------------------------------------------------------------------------------------------------
# --balance source


def test_balanced_order_by_hand():
    """Quantiles: a 1/12 3/12 5/12 7/12 9/12 11/12, b 1/6 3/6 5/6, c 1/2, where b scores better."""
    sources = np.array([0] * 6 + [1] * 3 + [2])
    order = balanced(np.arange(10), sources)
    assert order.tolist() == [0, 6, 1, 2, 7, 9, 3, 4, 8, 5]
    pool = pool_of("aaaaaabbbc", balance="source")
    assert Counter(pool.facts["source"].take(pick(pool, 5, rule="top")[0]).to_pylist()) == {"a": 3, "b": 2}
    assert pick(pool, 3, rule="bottom")[0].tolist() == [4, 8, 5]
    longest = pool_of("aaaaaabbbc", lengths=[*range(20, 14, -1), 3, 2, 1, 1], balance="source")
    assert pick(longest, 5, rule="longest")[0].tolist() == order.tolist()[:5]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_every_balanced_prefix_has_the_mix_of_the_pool(sizes):
    sources = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    order = balanced(np.arange(len(sources)), sources)
    assert sorted(order.tolist()) == list(range(len(sources)))
    for rows in range(1, len(sources) + 1):
        counts = np.bincount(sources[order[:rows]], minlength=len(sizes))
        assert np.abs(counts - rows * np.array(sizes) / len(sources)).max() < 1
    for source in range(len(sizes)):
        assert (np.diff(order[sources[order] == source]) > 0).all()  # best first within a source


# ---------------------------------------------------------------------------------------------------------------------
# Matched controls


def test_source_matched_has_the_mix_of_its_tier_and_none_of_its_rows():
    sources = ["a"] * 6 + ["b"] * 3 + ["c"] + ["c", "b", "a"] * 30
    pool = pool_of(sources)
    rows, facts = pick(pool, 10, rule="source_matched", controls="tier", tier=TOP)
    assert Counter(sources[row] for row in rows) == {"a": 6, "b": 3, "c": 1}
    assert rows.min() >= 10  # the tier is rows 0 to 9
    assert facts == {"rows_unmatched": 0, "source_mix_distance": 0.0}
    assert set(rows.tolist()) != set(
        pick(pool, 10, seed=1, rule="source_matched", controls="tier", tier=TOP)[0].tolist()
    )


def test_a_source_that_is_all_in_the_tier_is_not_made_up():
    sources = ["rare"] * 4 + ["a"] * 4 + ["rare"] + ["a"] * 20 + ["b"] * 11
    rows, facts = pick(pool_of(sources), 8, rule="source_matched", controls="tier", tier=TOP)
    mix = Counter(sources[row] for row in rows)
    assert mix["rare"] == 1 and mix["a"] >= 4 and rows.min() >= 8
    assert facts == {"rows_unmatched": 3, "source_mix_distance": 3 / 8}


def test_length_bins_by_hand():
    words = np.array([0, 1, 2, 39, 40, 41, 42, 43, 44, 60, 61, 62, 63])
    bins = length_bins(words)
    assert bins[:4].tolist() == [0, 1, 2, 39]
    assert bins[4:9].tolist() == [40, 40, 41, 41, 42]  # two words wide from 40 on
    assert len(set(bins[9:12].tolist())) == 1 and bins[12] == bins[11] + 1  # three from 60 on
    wide = length_bins(np.arange(1, 5_000))
    for lengths in np.split(np.arange(1, 5_000), np.flatnonzero(np.diff(wide)) + 1):
        assert lengths[-1] - lengths[0] <= lengths[0] / 20


def test_nearest_available_by_hand():
    def granted(wanted, available):
        return nearest_available(np.array(wanted), np.array(available)).tolist()

    assert granted([0, 2, 1], [5, 5, 5]) == [0, 2, 1]
    assert granted([0, 3, 0], [1, 1, 1]) == [1, 1, 1]
    assert granted([0, 0, 0, 2], [4, 1, 0, 0]) == [1, 1, 0, 0]  # the nearest first, then the next
    assert granted([0, 1, 2, 0], [2, 1, 0, 1]) == [1, 1, 0, 1]  # bin 2 chooses first: it ties and takes the shorter
    assert granted([0, 0], [3, 3]) == [0, 0]


def test_length_matched_has_the_lengths_of_its_tier():
    rng = np.random.default_rng(1)
    lengths = [*rng.integers(20, 40, 50).tolist(), *rng.permutation(np.repeat(np.arange(1, 60), 9)).tolist()]
    pool = pool_of(["a"] * len(lengths), lengths=lengths)
    rows, facts = pick(pool, 50, rule="length_matched", controls="tier", tier=TOP)
    assert Counter(lengths[row] for row in rows) == Counter(lengths[:50]) and rows.min() >= 50
    assert facts["rows_unmatched"] == 0 and facts["ks_distance"] == 0
    assert facts["tier_words"] == facts["matched_words"]


def test_a_length_that_only_the_tier_has_is_said():
    lengths = [100] * 10 + [5] * 5 + [50] * 6 + [1] * 40
    pool = pool_of(["a"] * len(lengths), lengths=lengths)
    rows, facts = pick(pool, 10, rule="length_matched", controls="tier", tier=TOP)
    assert Counter(lengths[row] for row in rows) == {50: 6, 5: 4}
    assert facts["rows_unmatched"] == 10 and facts["ks_distance"] == 1
    assert facts["tier_words"]["mean"] == 100 and facts["matched_words"]["mean"] == 32
    line = matching_line({"subset": "length_matched_10k", "controls": "tier"}, facts)
    assert "32.0 words on average against 100.0" in line and line.endswith("outside the tier: 10")


def test_ks_distance_by_hand():
    assert ks_distance(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 4])) == 0
    assert ks_distance(np.array([1, 1]), np.array([2, 2])) == 1
    assert ks_distance(np.array([1, 2, 3, 4]), np.array([3, 4, 5, 6])) == 0.5


@pytest.mark.parametrize(
    "subset, count, pool, reason",
    [
        (TOP, 0, 3, "smaller than one row at this scale"),
        (TOP, 3, 3, None),
        (TOP, 4, 3, "4 rows wanted, 3 in the pool"),
        ({"rule": "source_matched", "controls": "medium_1M"}, 2, 3, "2 rows wanted, 1 outside medium_1M"),
        ({"rule": "source_matched", "controls": "medium_1M"}, 2, 4, None),
        ({"rule": "band", "band": 1, "bands": 5}, 2, 9, "2 rows wanted, 1 in a band"),
        ({"rule": "band", "band": 1, "bands": 5}, 2, 10, None),
    ],
)
def test_what_a_pool_cannot_give_has_a_reason(subset, count, pool, reason):
    assert why_impossible(subset, count, pool) == reason


# ---------------------------------------------------------------------------------------------------------------------
# Diverse


def test_topics_take_turns():
    topics = np.array([0, 0, 0, 1, 0, 2, 1, 0])  # best first
    assert spread(topics, 3).tolist() == [0, 3, 5]
    assert spread(topics, 4).tolist() == [0, 1, 3, 5]  # the second round goes by score
    assert spread(topics, 6).tolist() == [0, 1, 2, 3, 5, 6]
    assert spread(topics, 99).tolist() == list(range(8))


def test_one_row_per_instruction_the_best():
    instructions = ["Say  a", "say A", "Say b", "Say a", "Say c"]
    found = first_of_each_instruction(np.array([3, 1, 4, 2, 0]), 9, lambda rows: [instructions[row] for row in rows])
    assert found.tolist() == [3, 4, 2]


def planted_topics(rows_each=12):
    """Eight topics of distinct prompts about words of their own; the scores fall from topic to topic."""
    instructions = [
        f"Please explain {' '.join(f'{topic}thing{place}' for place in range(6))} for case {topic}{row}"
        for topic in "abcdefgh"
        for row in range(rows_each)
    ]
    return instructions, [instruction.split()[-1][0] for instruction in instructions]


def test_diverse_spreads_over_planted_topics():
    instructions, topics = planted_topics()
    pool = pool_of(["a"] * 96, instructions=instructions)
    rows, facts = pick(pool, 12, rule="diverse", candidates_per_row=10, rows_per_topic=1)
    assert {topics[row] for row in range(12)} == {"a"}  # what plain top would take
    assert len({topics[row] for row in rows}) == 8
    assert rows.tolist() == sorted(rows.tolist())  # best first
    found = facts["coverage"]
    assert found["diverse"]["topics"] == facts["candidate_topics"] > found["top"]["topics"]
    assert found["diverse"]["similarity_to_nearest"] < found["top"]["similarity_to_nearest"]
    assert found["diverse"]["pool_similarity"] > found["top"]["pool_similarity"]
    assert found["diverse"]["instruction_words"] > found["top"]["instruction_words"]


def test_diverse_stays_among_the_best_scored():
    instructions, _ = planted_topics()
    pool = pool_of(["a"] * 96, instructions=instructions)
    rows, facts = pick(pool, 6, rule="diverse", candidates_per_row=4, rows_per_topic=1)
    assert facts["candidates"] == 24 and rows.max() < 24


def test_a_pool_of_fewer_instructions_than_rows_wanted():
    pool = pool_of(["a"] * 15, instructions=["One.", "Two.", "Three."] * 5)
    rows, facts = pick(pool, 7, rule="diverse", candidates_per_row=10, rows_per_topic=10)
    assert rows.tolist() == [0, 1, 2, 3, 4, 5, 6] and facts["rows_that_repeat_an_instruction"] == 4


def sketches_of(texts):
    numbers, words = distinct_words(np.arange(len(texts)), lambda rows: [texts[row] for row in rows])
    return sketch(numbers, words, len(texts))


def test_sketches_tell_how_alike_texts_are():
    texts = ["Bake bread!", "bread, BAKE", "solve equations", "Solve equations?", "lonely", ""] + ["filler"] * 10
    cosines = sketches_of(texts).astype(int) @ sketches_of(texts).astype(int).T / 127**2
    assert cosines[0, 1] == pytest.approx(1, abs=0.02) == cosines[2, 3]
    assert abs(cosines[0, 2]) < 0.6  # two random directions of few words
    assert (sketches_of(texts)[4:6] == 0).all()  # a word of one text alone says nothing of likeness


def test_rare_words_weigh_more():
    """64 texts: `all` in each weighs log2(64/64) = 0, `half` in 32 weighs 1, `rare` in 2 weighs 5."""
    texts = ["all half rare"] * 2 + ["all half"] * 30 + ["all"] * 32
    sketches = sketches_of(texts).astype(float)
    assert (sketches[40] == 0).all()
    half = sketches[10] / np.linalg.norm(sketches[10])
    assert sketches[0] @ half / np.linalg.norm(sketches[0]) == pytest.approx(1 / np.sqrt(26), abs=0.25)
    assert np.count_nonzero(sketches[10]) <= 4


def test_topics_are_found_and_exact():
    instructions, topics = planted_topics()
    sketches = sketches_of(instructions)
    labels = nearest(sketches, find_topics(sketches, 96, 0))
    assert len(np.unique(labels)) == 8 == len(set(zip(labels.tolist(), topics, strict=True)))
    centres = find_topics(sketches, 5, 1)
    exact = sketches.astype(np.int64) @ centres.astype(np.int64).T
    assert nearest(sketches, centres).tolist() == exact.argmax(axis=1).tolist()


# ---------------------------------------------------------------------------------------------------------------------
# Descriptions and the report


def test_profile_by_hand():
    rows = [("a", "x", "Go.", 0.2, "one two"), ("b", "y", "Go.", 0.4, "one")]
    rows += [("c", "x", "Go up and on!", 0.6, "one two three")]
    names = ("id", "source", "instruction", "quality", "response")
    facts = profile(facts_of(pyarrow.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))))
    assert facts["distinct_instructions"] == 2
    assert facts["source_mix"] == {"x": 2, "y": 1}
    assert facts["source_entropy_bits"] == pytest.approx(0.9183, abs=1e-4)
    assert facts["response_words"] == pytest.approx({"mean": 2, "p5": 1.1, "median": 2, "p95": 2.9})
    assert facts["instruction_words"] == pytest.approx({"mean": 2, "p5": 1, "median": 1, "p95": 3.7})
    wanted = {"min": 0.2, "max": 0.6, "mean": 0.4, "p5": 0.22, "median": 0.4, "p95": 0.58}
    assert facts["score"] == pytest.approx(wanted)


def test_words_are_counted_across_blocks_and_chunks(monkeypatch):
    monkeypatch.setattr(subset_rules, "BLOCK", 2)
    column = pyarrow.chunked_array([["one two", "", " \n"], ["a b\tc"], ["d"]])
    assert count_words(column).tolist() == [2, 0, 0, 3, 1]


def test_duplicates_are_those_of_the_ledger():
    steps = [
        {"step": "clean", "dropped": {"too_long": {"a": 3}}},
        {"step": "exact duplicates", "dropped": {"exact_duplicate": {"a": 2, "b": 1}}},
        {"step": "near-duplicates", "dropped": {"near_duplicate": {"b": 5}}},
    ]
    assert duplicates_removed({"steps": steps}) == {"exact_duplicate": 3, "near_duplicate": 5}


def subset_facts(name, rule="top", rows=1_000_000, **more):
    words = {"mean": 1234.5, "p5": 1, "median": 90.0, "p95": 12_345}
    return {
        "subset": name, "rule": rule, "rows": rows, "distinct_instructions": rows, "pool_fraction": 0.3,
        "controls": None,
        "score": {"min": 0.1, "max": 0.9, "mean": 0.5, "p5": 0.2, "median": 0.5, "p95": 0.8}, "response_words": words,
        "source_mix": {f"a_rather_long_name_{part}": rows // 10 for part in range(10)}, "selection": {}, **more,
    }  # fmt: skip


def test_the_table_is_no_wider_than_a_terminal():
    subsets = [
        subset_facts("medium_1M"),
        subset_facts("source_matched_10k", "source_matched"),
        subset_facts("heldout", "stratified by"),
    ]
    lines = subset_table([*subsets, subset_facts("none", rows=0)])
    assert max(map(len, lines)) <= 120 and len([line for line in lines if line]) == 5
    assert all("a_rather_long_name_0 10%" in line and "0.100-0.900" in line for line in lines if "1,000,000" in line)


def test_what_was_left_out_stands_in_lines_of_a_terminal():
    lines = left_out_lines({**dict.fromkeys(SUBSETS, "smaller than one row at this scale"), "other": "2 rows wanted"})
    assert max(map(len, lines)) <= 120 and lines[-1] == "left out, 2 rows wanted: other"
    assert all(f" {name}" in " ".join(lines) for name in SUBSETS)


def test_remarks_name_what_should_not_be_overlooked():
    matched = {"rows_unmatched": 3, "source_mix_distance": 0.25}
    coverage = {"diverse": {"topics": 9}, "top": {"topics": 4}}
    lines = remarks(
        [
            subset_facts("medium_1M", pool_fraction=0.96),
            subset_facts("source_matched_10k", "source_matched", controls="ultra_10k", selection=matched),
            subset_facts("diverse_10k", "diverse", selection={"coverage": coverage, "candidate_topics": 10}),
        ]
    )
    assert lines[0] == "medium_1M takes 96% of the pool: it is little else than the pool"
    assert lines[1].startswith("source_matched_10k against ultra_10k: mix of sources 25.0% apart; rows without a match")
    assert lines[2] == "diverse_10k: of 10 topics it has 9 (diverse), 4 (top)"


def test_the_shares_of_sources_stand_side_by_side_and_fill_the_bar():
    from matplotlib.figure import Figure

    axis = Figure().add_subplot()
    draw_sources(axis, [subset_facts("one"), subset_facts("two", source_mix={"lone": 1_000_000})], np.arange(2))
    ends = [[bar.get_x() + bar.get_width() for bar in bars] for bars in zip(*axis.containers, strict=True)]
    assert all(one == pytest.approx(sorted(one)) and one[-1] == pytest.approx(1) for one in ends)


def test_the_figure_is_the_same_twice(tmp_path):
    subsets = {name: subset_facts(name, subset["rule"], subset["rows"]) for name, subset in SUBSETS.items()}
    (tmp_path / "subsets").mkdir()
    for name, facts in {**subsets, "heldout": subset_facts("heldout", "stratified", 2_000)}.items():
        (tmp_path / "subsets" / f"{name}.json").write_text(json.dumps(facts))
    scores = {"subsets_left_out": {}, "pool_rows": 5_000_000, "scale_label": "1:1"}
    drawn = []
    for _ in range(2):
        draw_subsets(tmp_path, scores)
        drawn.append([file.read_bytes() for file in figure_files(tmp_path)])
    assert drawn[0] == drawn[1]
    assert drawn[0][0].startswith(b"\x89PNG") and b"<svg" in drawn[0][1] and len(drawn[0][0]) > 20_000
