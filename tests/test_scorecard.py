"""The scorecard: its numbers by hand and by planted truth, its page under hostile rows, when it is made again."""

import html.parser
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow
import pytest

import filter_datasets
import scorecard
from arrow_files import read_arrow, write_arrow
from common import UserError, read_json, write_json
from corpus_shards import ShardedRows, write_folder
from scorecard import (
    correlation,
    draw_weights,
    excerpt,
    jaccard,
    length_edges,
    make_scorecard,
    rows_to_read,
    top_rows,
    weight_sensitivity,
    within_groups,
)
from scorecard_figures import shorten
from scorecard_page import page_path, read_evidence, refresh_scorecard, scorecard_html, write_scorecard
from scorecard_tables import damage_cell, same_rows, weight_lines
from training_configs import SCORE_WEIGHTS

ROOT = Path(__file__).parent.parent
NO_EVIDENCE = {"validation": None, "corruptions": None, "benchmark": None}
VALIDATION = {
    "config": {"data": "/some/where/pairs.jsonl", "scorer_version": 8, "weights": SCORE_WEIGHTS},
    "accuracy": {
        "all": {
            "quality": {"pairs": 1234, "accuracy": 0.8765, "low": 0.861, "high": 0.892},
            "length alone": {"pairs": 1234, "accuracy": 0.6543, "low": 0.64, "high": 0.67},
        }
    },
    "partial_effect": {
        "score": {"coefficient": 2.5, "standard_error": 0.125},
        "log_length": {"coefficient": -0.5, "standard_error": 0.25},
    },
}
CORRUPTIONS = {
    "config": {"data": "rows.jsonl", "scorer_version": 9, "weights": SCORE_WEIGHTS},
    "kinds": [
        {"kind": "truncated", "rows": 40, "original_wins": 0.75, "by_length": {"0": 0.5, "25": None}},
        {"kind": "shuffled_words", "rows": 40, "original_wins": 0.95, "by_length": {"0": 0.9, "25": 1.0}},
        {"kind": "emptied", "rows": 0, "original_wins": None, "by_length": {"0": None, "25": None}},
    ],
}
BENCHMARK = {
    "config": {"data": "demo", "rows": 500, "rounds": 3, "process_counts": [1, 2], "scorer_version": 9},
    "response_bytes_per_row": 1900.4,
    "contenders": [
        {"name": "this scorer", "missing": None,
         **{f"processes_{n}": {"rows_per_second": 4321.0 * n, "peak_memory_gib": 0.4} for n in (1, 2)}},
        {"name": "another", "missing": "not installed (another)"},
    ],
}  # fmt: skip
EVIDENCE = {"validation": VALIDATION, "corruptions": CORRUPTIONS, "benchmark": BENCHMARK}


def make_table(rows: int, seed: int = 0, **columns):
    """A scored table; total and dimensions agree. Longer answers score higher in complexity alone."""
    rng = np.random.default_rng(seed)
    words = rng.integers(1, 300, rows)
    scores = {name: rng.random(rows) for name in SCORE_WEIGHTS}
    scores["complexity"] = words / 300
    scores["quality"] = sum(SCORE_WEIGHTS[name] * scores[name] for name in SCORE_WEIGHTS)
    texts = {
        "id": [f"row-{number:05d}" for number in range(rows)],
        "source": [f"source {number % 3}" for number in range(rows)],
        "instruction": [f"Ask {number}" for number in range(rows)],
        "response": [" ".join(["word"] * count) for count in words],
    }
    return pyarrow.table({**texts, **scores, **columns})


def card_of(table, evidence=NO_EVIDENCE, **config):
    config = {"data": "rows.jsonl", "scorer_version": 9, "weights": SCORE_WEIGHTS} | config
    provenance = {"git_commit": None, "git_dirty": False, "python": "3", "inputs": {}}
    return {"config": config, "provenance": provenance} | make_scorecard(table, SCORE_WEIGHTS, evidence)


@pytest.fixture
def without_figures(monkeypatch):
    """For tests of something else: the figures are most of a page's time."""
    monkeypatch.setattr("scorecard_page.draw_figures", lambda card: defaultdict(list))


# ---------------------------------------------------------------------------------------------------------------------
# Arithmetic by hand


def test_correlation_by_hand():
    assert correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])) == 0.5
    assert correlation(np.array([1.0, 2.0, 3.0]), np.full(3, 0.1)) is None
    assert correlation(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None
    assert correlation(np.empty(0), np.empty(0)) is None
    assert within_groups(np.array([1.0, 3.0, 10.0]), np.array([0, 0, 1])).tolist() == [-1.0, 1.0, 0.0]


def test_a_correlation_that_only_sources_make_vanishes_within_them():
    rng = np.random.default_rng(0)
    source = np.repeat([0, 1], 500)
    words = np.where(source, 200, 20) + rng.integers(0, 15, 1000)
    score = np.where(source, 0.8, 0.3) + rng.random(1000) / 10
    facts = scorecard.length_facts({"quality": score}, words, source)["rank_correlation"]["quality"]
    assert facts["raw"] > 0.7 and abs(facts["source_partialled_out"]) < 0.1


def test_top_rows_take_the_first_of_equal_ones():
    assert top_rows(np.array([0.5, 0.9, 0.5, 0.5]), 2).tolist() == [True, True, False, False]
    assert top_rows(np.array([0.5, 0.9]), 0).tolist() == [False, False]
    assert top_rows(np.array([0.5, 0.9]), 2).all()


def test_jaccard_by_hand():
    assert jaccard(np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)) == 1 / 3
    assert jaccard(np.zeros(3, bool), np.zeros(3, bool)) is None


def test_cells_and_shares_of_rows_by_hand():
    assert (same_rows(1.0), same_rows(1 / 3), same_rows(0.0)) == ("100%", "50%", "0%")
    cells = [damage_cell(rate) for rate in (0.95, 0.9, 0.7, 0.5)]
    assert [(entry["tone"], entry["heat"]) for entry in cells] == [("high", 12), ("high", 12), ("low", 20), ("low", 40)]


def test_length_edges_are_half_steps_of_two():
    assert length_edges(0) == [0] and length_edges(1) == [0, 1]
    assert length_edges(20) == [0, 1, 2, 3, 4, 6, 8, 11, 16]


def test_length_bins_by_hand():
    words = np.array([0, 1, 4, 5, 5, 100])
    facts = scorecard.length_facts({"quality": np.arange(6) / 10}, words, np.zeros(6, int))
    shown = [
        (entry["from_words"], entry["to_words"], entry["rows"], entry["quality"]["median"]) for entry in facts["bins"]
    ]
    assert shown == [(0, 0, 1, 0.0), (1, 1, 1, 0.1), (4, 5, 3, 0.3), (91, 100, 1, 0.5)]
    assert facts["rank_correlation"]["quality"]["raw"] == pytest.approx(0.985611)  # one tie


# ---------------------------------------------------------------------------------------------------------------------
# Weights


def test_equal_dimensions_make_weights_irrelevant():
    values = np.random.default_rng(0).random(1000).round(2)  # with ties
    facts = weight_sensitivity(dict.fromkeys(SCORE_WEIGHTS, values), SCORE_WEIGHTS, draws=20)
    for percent, rows in (("1", 10), ("10", 100)):
        top = facts["top"][percent]
        assert (top["rows"], top["mean"], top["p5"], top["min"]) == (rows, 1.0, 1.0, 1.0)
        share = rows / 1000
        assert top["by_chance"] == pytest.approx(share / (2 - share), abs=1e-6)  # rows in both over rows in either
    for entry in facts["leave_one_out"].values():
        assert entry == {"jaccard": {"1": 1.0, "10": 1.0}, "spearman": 1.0}


def test_leaving_a_dimension_out_by_hand():
    rows = np.arange(100)
    scores = {"a": rows / 100, "b": np.where(rows < 10, 1.0, 0.0)}
    facts = weight_sensitivity(scores, {"a": 1.0, "b": 3.0}, draws=5)
    assert facts["leave_one_out"]["b"]["jaccard"] == {
        "1": 0.0,
        "10": 0.0,
    }  # with b the first ten lead, without the last
    assert facts["leave_one_out"]["a"]["jaccard"] == {"1": 0.0, "10": 1.0}  # rows 9 and 0 lead: b alone ties by order
    assert facts["spread"]["weights"]["a"]["sd"] == pytest.approx(np.sqrt(0.25 * 0.75 / 51), abs=1e-6)
    assert facts["top"]["10"]["min"] == 1.0  # b's weight never falls so low that it matters


def test_noise_left_out_changes_little_and_what_ranks_changes_much():
    rng = np.random.default_rng(0)
    scores = {"signal": rng.random(2000), "noise": rng.random(2000) / 100}
    facts = weight_sensitivity(scores, {"signal": 0.5, "noise": 0.5})
    assert (
        facts["leave_one_out"]["noise"]["jaccard"]["10"] > 0.9 > 0.2 > facts["leave_one_out"]["signal"]["jaccard"]["10"]
    )
    assert facts["leave_one_out"]["noise"]["spearman"] > 0.99


def test_draws_have_the_default_as_mean_and_the_stated_spread():
    default = np.array([0.5, 0.3, 0.2, 0.0])
    drawn = draw_weights(default, 20_000, 0)
    assert np.allclose(drawn.sum(axis=1), 1) and (drawn[:, 3] == 0).all()
    assert np.allclose(drawn.mean(axis=0), default, atol=0.002)
    assert np.allclose(drawn.std(axis=0), np.sqrt(default * (1 - default) / 51), atol=0.002)


@pytest.mark.parametrize(("rows", "small", "large"), [(9, None, None), (99, None, 9), (100, 1, 10), (2900, 29, 290)])
def test_a_share_of_less_than_a_row_is_null(rows, small, large):
    scores = {name: np.random.default_rng(0).random(rows) for name in SCORE_WEIGHTS}
    facts = weight_sensitivity(scores, SCORE_WEIGHTS, draws=3)
    assert [top and top["rows"] for top in facts["top"].values()] == [small, large]
    assert (facts["leave_one_out"]["clarity"]["jaccard"]["1"] is None) == (small is None)


def test_a_lone_weight_cannot_be_left_out():
    scores = {"a": np.arange(200.0), "b": np.arange(200.0)[::-1]}
    facts = weight_sensitivity(scores, {"a": 1.0, "b": 0.0}, draws=3)
    assert facts["leave_one_out"]["a"] is None and facts["leave_one_out"]["b"]["spearman"] == 1.0
    assert facts["top"]["10"]["min"] == 1.0


# ---------------------------------------------------------------------------------------------------------------------
# The whole dict


def test_counts_add_up_and_the_planted_length_effect_is_found():
    card = make_scorecard(make_table(3000), SCORE_WEIGHTS, NO_EVIDENCE)
    assert card["rows"] == 3000 == sum(entry["rows"] for entry in card["by_source"]) and card["sources"] == 3
    for facts in [card["distribution"], *(entry["distribution"] for entry in card["by_source"])]:
        assert {sum(entry["histogram"]) for entry in facts.values()} in ({3000}, {1000})
    assert sum(entry["rows"] for entry in card["length"]["bins"]) == 3000
    length = card["length"]["rank_correlation"]
    assert length["complexity"]["source_partialled_out"] > 0.99 and abs(length["clarity"]["raw"]) < 0.06
    names, matrix = card["correlation"]["names"], np.array(card["correlation"]["spearman"])
    assert names[-1] == "log_words" and np.array_equal(matrix, matrix.T) and np.all(np.diag(matrix) == 1)
    assert matrix[names.index("complexity"), -1] == length["complexity"]["raw"]
    json.dumps(card, allow_nan=False)


def test_order_of_the_rows_changes_nothing():
    table = make_table(500, quality=np.repeat(0.5, 500))  # ties everywhere
    shuffled = table.take(np.random.default_rng(1).permutation(500))
    assert make_scorecard(table, SCORE_WEIGHTS, NO_EVIDENCE) == make_scorecard(shuffled, SCORE_WEIGHTS, NO_EVIDENCE)


def test_a_large_table_is_sampled_and_says_so(monkeypatch):
    table = make_table(900)
    chunks = pyarrow.concat_tables([table.slice(0, 1), table.slice(1, 600), table.slice(601)])
    whole = make_scorecard(table, SCORE_WEIGHTS, NO_EVIDENCE)
    monkeypatch.setattr(scorecard, "SAMPLE_ROWS", 400)
    card = make_scorecard(chunks, SCORE_WEIGHTS, NO_EVIDENCE)
    assert card["sample"]["rows"] == 400 and card["sample"]["of"] == 900
    assert card["weight_sensitivity"]["rows"] == 400 == sum(entry["rows"] for entry in card["length"]["bins"])
    assert card["distribution"] == whole["distribution"] and card["rows_to_read"] == whole["rows_to_read"]
    assert card["length"]["rank_correlation"]["complexity"]["raw"] > 0.99  # words stand beside their own scores
    assert card == make_scorecard(chunks, SCORE_WEIGHTS, NO_EVIDENCE)
    assert card["correlation"] != make_scorecard(chunks, SCORE_WEIGHTS, NO_EVIDENCE, seed=1)["correlation"]


def test_rows_on_disk_give_the_card_of_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(scorecard, "SAMPLE_ROWS", 400)
    monkeypatch.setattr(scorecard, "BLOCK", 70)
    monkeypatch.setattr("corpus_shards.FILE_ROWS", 250)
    table = make_table(900).take(np.random.default_rng(1).permutation(900))
    write_arrow(tmp_path / "whole", table)
    write_folder(tmp_path / "files", ShardedRows.of_folder(tmp_path / "whole"), np.arange(900))
    rows = ShardedRows.of_folder(tmp_path / "files")
    assert len(rows.paths) == 4
    assert make_scorecard(rows, SCORE_WEIGHTS, NO_EVIDENCE) == make_scorecard(table, SCORE_WEIGHTS, NO_EVIDENCE)


def test_small_sources_are_taken_together(without_figures):
    sources = [f"s{min(number // 4, 40 + number % 5):02d}" for number in range(200)]
    card = make_scorecard(make_table(200, source=sources), SCORE_WEIGHTS, NO_EVIDENCE)
    entries = card["by_source"]
    assert len(entries) == 13 and entries[-1]["source"] is None and entries[-1]["sources"] == card["sources"] - 12
    assert sum(entry["rows"] for entry in entries) == 200
    rows = [entry["rows"] for entry in entries[:-1]]
    assert rows == sorted(rows, reverse=True)
    assert "33 others" in scorecard_html(card | {k: v for k, v in card_of(make_table(5)).items() if k not in card})


def test_an_empty_table_is_refused():
    with pytest.raises(ValueError, match="at least one row"):
        make_scorecard(make_table(0), SCORE_WEIGHTS, NO_EVIDENCE)


# ---------------------------------------------------------------------------------------------------------------------
# Rows to read


def test_rows_to_read_vary_where_they_can():
    sources = ["big"] * 2900 + ["small"] * 100
    quality = np.linspace(1, 0, 3000)
    quality[2900:2910] = 0.995  # some of the small source are among the best
    instructions = ["the same"] * 5 + [f"ask {number}" for number in range(2995)]
    table = make_table(3000, source=sources, quality=quality, instruction=instructions)
    shown = rows_to_read(table, quality, np.array([int(source == "small") for source in sources]))
    best = shown["best"]
    assert [row["source"] for row in best].count("big") >= 3 and len({row["instruction"] for row in best}) == 8
    assert best[0]["rank"] == 1 and [row["source"] for row in best].count("small") == 3  # filled up with "big"
    assert [row["rank"] for row in best] == sorted(row["rank"] for row in best)
    assert all(abs(row["rank"] - 1500) < 20 for row in shown["middle"])
    assert shown["worst"][0]["rank"] == 3000 and shown["worst"][-1]["quality"] >= shown["worst"][0]["quality"]


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1, 0, 0]), (2, [1, 0, 1]), (7, [2, 2, 2]), (200, [8, 8, 8])])
def test_no_row_is_shown_twice(rows, sizes):
    table = make_table(rows, instruction=["the same"] * rows, source=["one"] * rows)
    shown = make_scorecard(table, SCORE_WEIGHTS, NO_EVIDENCE)["rows_to_read"]
    groups = [shown[name] for name in ("best", "middle", "worst")]
    assert [len(group) for group in groups] == sizes
    ids = [row["id"] for group in groups for row in group]
    assert len(set(ids)) == len(ids)


def test_excerpts_are_short_and_clean():
    assert excerpt("  a\n\n \n\nb\x00\u202ec\td ", 80) == "a\n\nb  c d"
    assert excerpt("\u200b\ufeff \n", 80) == "" != excerpt("\u200bc", 80)
    cut = excerpt("start " + "filler " * 300_000 + "end", 60)
    assert cut.startswith("start filler") and cut.endswith("end") and " […] " in cut and len(cut) <= 65
    assert excerpt("字" * 500, 60) == "字" * 40 + " […] " + "字" * 20


# ---------------------------------------------------------------------------------------------------------------------
# The page


class Outline(html.parser.HTMLParser):
    """Tags as they open and close, ids, and what would reach out of the page."""

    VOID = {"meta", "br", "img", "use", "path", "link", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.links = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.ids += [value for name, value in attributes if name == "id"]
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        assert not [name for name, _ in attributes if name.startswith("on")], attributes
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser


def check_page(page: str) -> None:
    """Well formed, self-contained, no script, no id twice, every figure with words for those who do not see it."""
    found = outline(page)
    assert not {"script", "iframe", "img", "link", "object"} & set(found.tags)
    assert all(link.startswith("#") and link[1:] in found.ids for link in found.links)
    assert len(set(found.ids)) == len(found.ids)
    assert found.tags.count("svg") == len(re.findall(r'<figure role="img" aria-label="[^"]{10,}"', page))
    assert found.tags.count("h1") == 1 and not re.search(r"\bnan\b|\bNone\b|#[0-9a-f]{6}\b.*</svg>", page)


HOSTILE = '</div><script>alert("x")</script><img src=x onerror=alert(1)> & \x00\x1b[31m {{ 7*7 }} $\\frac{x}{$ \u202e'


def test_long_names_stay_apart_and_short():
    assert shorten("a rather long source name 1") != shorten("a rather long source name 2")
    assert shorten("x" * 20) == "x" * 20 and len(shorten("x" * 21)) == 20


def test_hostile_rows_are_shown_as_text():
    names = {name: [HOSTILE] * 30 for name in ("id", "source", "instruction", "response")}
    page = scorecard_html(card_of(make_table(30, **names), EVIDENCE, data=HOSTILE))
    check_page(page)
    assert "&lt;script&gt;alert(" in page and "{{ 7*7 }}" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", page)


TABLES = {
    "one row": make_table(1),
    "all equal, one source": make_table(
        300, source=["only"] * 300, **{name: np.full(300, 0.5) for name in scorecard.SCORE_KEYS}
    ),
    "all zero, no words": make_table(40, response=[""] * 40, **dict.fromkeys(scorecard.SCORE_KEYS, np.zeros(40))),
    "not English": make_table(
        60, source=["中文 数据"] * 60, instruction=["写一首诗"] * 60, response=["春眠不觉晓"] * 60
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_odd_corpora_have_a_page(name, capsys):
    card = card_of(TABLES[name])
    json.dumps(card, allow_nan=False)
    page = scorecard_html(card)
    check_page(page)
    assert ("<h2>By source</h2>" in page) == (card["sources"] > 1)
    assert page.count("Not measured yet") == 3 and "python benchmark.py scorer" in page
    assert capsys.readouterr().err == ""


def test_evidence_is_shown_with_where_it_comes_from(without_figures):
    page = scorecard_html(card_of(make_table(30), EVIDENCE))
    check_page(page)
    for words in ("0.876 [0.861, 0.892]", "length alone", "1,234 pairs", "log length −0.50", "0–24", "8,642",
                  "not installed (another)", "Measured on pairs.jsonl, scorer version 8. The scores on this page "
                  "are of version 9: measure again."):  # fmt: skip
        assert words in page.replace("\u2060", ""), words
    assert "85.0%" in page  # mean of the kinds that could be tried
    assert "on pairs.jsonl; length alone 65.4%" in page and "on rows.jsonl, mean of 3 kinds of damage" in page
    assert "/some/where" not in page and "Not measured yet" not in page


def test_a_total_that_holds_difficulty_says_so(without_figures):
    ifd = {"model": "/some/where/model", "weight": 2.0}
    page = scorecard_html(card_of(make_table(30), ifd=ifd))
    assert "complexity 0.2, instruction-following difficulty 2 by model" in page
    for none in (None, ifd | {"weight": 0.0}):
        assert "difficulty" not in scorecard_html(card_of(make_table(30), ifd=none))


def test_the_same_card_gives_the_same_page():
    card = card_of(make_table(80), EVIDENCE)
    assert scorecard_html(card) == scorecard_html(json.loads(json.dumps(card)))


def test_a_page_needs_an_html_name_and_a_place(tmp_path):
    with pytest.raises(UserError, match=r"ends in \.html"):
        page_path(str(tmp_path / "page.json"), [])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--scorecard .*cannot write"):
        page_path(str(tmp_path / "file" / "page.html"), [])
    assert page_path(str(tmp_path / "new" / "page.html"), []).parent.is_dir()
    data = tmp_path / "rows.json"  # the page's own JSON would replace it
    data.write_text("[]")
    with pytest.raises(UserError, match=r"--scorecard .*rows\.json lies in the data itself"):
        page_path(str(tmp_path / "rows.html"), [str(data)])


# ---------------------------------------------------------------------------------------------------------------------
# Files: made, kept, made again


@pytest.fixture
def study(tmp_path, without_figures):
    """A results folder with scores, and the content of its scores.json."""
    write_arrow(tmp_path / "scores", make_table(50))
    scorer = {"version": 8, "weights": SCORE_WEIGHTS}
    return tmp_path, {"config": {"dataset": ["rows.jsonl"]}, "content_hash": "abc", "scorer": scorer}


def test_it_is_made_once_and_again_when_stale(study):
    folder, scores = study
    page, marker = folder / "scores" / "scorecard.html", folder / "scores" / "scorecard.json"
    assert refresh_scorecard(folder, scores) == f"scorecard: {page}"
    made = page.stat().st_mtime_ns, marker.stat().st_mtime_ns
    assert "already done" in refresh_scorecard(folder, scores)
    assert (page.stat().st_mtime_ns, marker.stat().st_mtime_ns) == made
    assert read_json(marker)["config"]["content_hash"] == "abc"
    page.unlink()
    assert "already done" not in refresh_scorecard(folder, scores)
    assert "already done" not in refresh_scorecard(folder, scores | {"content_hash": "def"})
    assert read_json(marker)["config"]["content_hash"] == "def"
    (folder / "scorer").mkdir()
    write_json(folder / "scorer" / "validation.json", VALIDATION | {"provenance": {}})
    assert "already done" not in refresh_scorecard(folder, scores | {"content_hash": "def"})
    assert "0.876 [0.861, 0.892]" in page.read_text() and "provenance" not in read_evidence(folder)["validation"]


def test_a_kill_in_between_leaves_nothing_that_looks_finished(study, monkeypatch):
    folder, scores = study
    refresh_scorecard(folder, scores)

    def killed(card):
        raise KeyboardInterrupt

    monkeypatch.setattr("scorecard_page.scorecard_html", killed)
    with pytest.raises(KeyboardInterrupt):
        refresh_scorecard(folder, scores | {"content_hash": "def"})
    assert not list((folder / "scores").glob("*scorecard*"))


def test_the_scores_beside_it_load_as_before(study):
    import datasets

    folder, scores = study
    refresh_scorecard(folder, scores)
    assert datasets.load_from_disk(str(folder / "scores")).num_rows == 50 == read_arrow(folder / "scores").num_rows


def test_damaged_evidence_is_named(study):
    folder, scores = study
    (folder / "scorer").mkdir()
    (folder / "scorer" / "corruptions.json").write_text('{"kinds": [')
    with pytest.raises(UserError, match="corruptions.json is damaged"):
        refresh_scorecard(folder, scores)


def test_the_commands_make_it(tmp_path, monkeypatch):
    rows = [{"instruction": f"Name {n} kinds of tree.", "response": f"Oak, ash, {n} <b>more</b>."} for n in range(40)]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    command = [sys.executable, "quality_scorer.py", data, "--scorecard", tmp_path / "out" / "page.html"]
    done = subprocess.run(
        [*map(str, command), "--results_dir", str(tmp_path)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0 and f"scorecard: {tmp_path / 'out' / 'page.html'}\n" in done.stdout, done.stderr
    card = read_json(tmp_path / "out" / "page.json")
    assert card["rows"] == 40 and card["provenance"]["inputs"] and card["config"]["weights"] == SCORE_WEIGHTS
    check_page((tmp_path / "out" / "page.html").read_text())
    monkeypatch.setattr("scorecard_page.draw_figures", lambda card: defaultdict(list))
    study = tmp_path / "study"
    argv = ["filter_datasets.py", "--dataset", str(data), "--results_dir", str(study), "--num_proc", "1"]
    monkeypatch.setattr(sys, "argv", argv)
    filter_datasets.main()
    card = read_json(study / "scores" / "scorecard.json")
    assert card["config"]["content_hash"] == read_json(study / "scores.json")["content_hash"]
    (study / "scores" / "scorecard.html").unlink()
    filter_datasets.main()
    check_page((study / "scores" / "scorecard.html").read_text())


def test_write_scorecard_agrees_with_make_scorecard(tmp_path, without_figures):
    config = {"data": "rows.jsonl", "scorer_version": 9, "weights": SCORE_WEIGHTS}
    card = write_scorecard(tmp_path / "page.html", make_table(20), NO_EVIDENCE, config, {})
    assert "without clarity" in "\n".join(weight_lines(card)) and card == read_json(tmp_path / "page.json")
    assert {**read_json(tmp_path / "page.json"), "config": 0, "provenance": 0} == {
        **make_scorecard(make_table(20), SCORE_WEIGHTS, NO_EVIDENCE), "config": 0, "provenance": 0
    }  # fmt: skip
