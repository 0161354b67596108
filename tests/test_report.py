"""The report's presentation: sentences, tables and figures of every kind, --compare, and what a reader's eyes need."""

import copy
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_results import FakeStudy, write_arrow, write_study

import analyze_results
import experiment_comparison
import model_tables
import report_figures
import report_pages
import report_sentences
import report_tables
import subset_comparison
import tradeoff_figures
import tradeoff_tables
import update_readme
from common import UserError, read_json
from training_configs import CLAIM

ROOT = Path(__file__).parent.parent
QUICK = {**CLAIM, "bootstrap_draws": 300}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Analysis, tables, page, figures and folder of a simulated size with every kind of arm."""
    folder = tmp_path_factory.mktemp("study") / "results"
    write_study(folder, sizes=["500M"], prompts=200, heldout_rows=150)
    runs, left_out = analyze_results.load_runs(folder)
    analysis = analyze_results.analyse(runs, left_out, QUICK)
    analysis = analyze_results.round_numbers(analysis)
    makers = (report_tables, tradeoff_tables, model_tables)
    tables = [table for maker in makers for table in maker.make_tables(analysis)]
    figures = report_figures.draw_figures(analysis, runs, folder, folder / "figures")
    figures += tradeoff_figures.draw_figures(analysis, folder / "figures")
    return analysis, tables, report_pages.report_html(analysis, tables, figures, "generations.html"), figures, folder


def test_every_question_has_its_table_and_figure(study):
    _, tables, page, figures, _ = study
    by_name = {table["name"]: table for table in tables}
    drawn = {
        "retention",
        "performance_500M",
        "dose_response_tiers_100k_500M",
        "pareto_500M",
        "tradeoff_500M",
        "equal_rows_500M",
    }
    assert drawn | {"quality_bands_500M", "loss_curves_500M", "score_distributions"} <= {
        item["name"] for item in figures
    }
    asked = {
        "retention_by_source",
        "contrasts",
        "contrasts_dose_response",
        "exchange_rate",
        "curves",
        "rank_correlation",
        "budget",
        "cost",
    }
    assert asked | {"efficiency", "retention", "runs", "score_dimensions"} <= set(by_name)
    for table in tables:
        assert {len(row) for row in table["cells"]} == {len(table["headings"])}, table["name"]
    assert 'href="generations.html"' in page


def test_no_number_is_minus_nought():
    assert report_tables.show_share(-0.001, [-0.042, 0.004]) == "0% [-4, 0]"
    assert report_tables.show("task_completion", -0.0001, difference=True) == "+0.0 pp"
    assert report_tables.show("bits_per_byte", -0.0001, difference=True) == "+0.000"
    assert report_tables.show_interval("bits_per_byte", -0.0006, -0.0004, difference=True) == "[-0.001, +0.000]"


def test_a_floor_is_shown_where_alpha_is_clear_of_zero(study):
    analysis = copy.deepcopy(study[0])
    part = analysis["sizes"]["500M"]["tradeoff"]["bits_per_byte"]
    for low, shown in ((0.1, tradeoff_tables.show_number(part["E"])), (None, "not identified")):
        part["alpha_interval"][0] = low
        assert tradeoff_tables.curve_table(analysis)["cells"][0][2] == shown


def test_curves_are_drawn_only_where_they_tell_something(study):
    from matplotlib.figure import Figure

    part = copy.deepcopy(study[0]["sizes"]["500M"]["tradeoff"]["bits_per_byte"])
    part["aicc"] = {"shared_exponent": 1.0, "constant": 2.0}

    def curves_drawn():
        axis = Figure().subplots()
        tradeoff_figures.draw_curve_panel(axis, part, "bits_per_byte")
        return sum(len(line.get_xdata()) == tradeoff_figures.CURVE_POINTS for line in axis.lines)

    for identified, drawn in ((True, 2), (False, 0)):
        part["kappa"]["identified"] = identified
        assert curves_drawn() == drawn
    del part["tiers"]["random"]  # one tier has no exchange rate, but may have a curve
    assert curves_drawn() == 1
    part["aicc"]["constant"] = 0.5
    assert curves_drawn() == 0


def test_what_cannot_be_told_names_the_runs_that_would_tell():
    words = tradeoff_tables.settle_words(["random_30k_500M", "ultra_10k_500M_s1", "ultra_1k_1B"])
    assert words.startswith("runs that would settle it: random_30k_500M, ultra_10k_500M_s1; ")
    assert words.endswith("to be added to training_configs.py and run: ultra_1k_1B")
    below = {"value": None, "interval": [None, None], "censored": "below", "rows_min": 83.0, "rows_max": 833.0}
    assert tradeoff_tables.censored_words(below, tradeoff_tables.show_rows) == "under 83"


def test_figures_fit_a_column_and_are_labelled_simulated(study):
    from PIL import Image

    for figure in study[3]:
        png = Image.open(figure["svg"].with_suffix(".png"))
        assert png.width == round(report_figures.COLUMN_WIDTH * report_figures.PIXELS_PER_INCH), figure["name"]
        assert "SIMULATED" in figure["caption"], figure["name"]
    assert all("SIMULATED" in table["note"] for table in study[1])
    assert "Simulated numbers" in study[2]


@pytest.mark.parametrize(
    ("rows", "labels"),
    [([83], ["83"]), ([825, 833], ["833"]), ([400, 833], ["400", "833"]),
     ([1_000, 66_666], ["1K", "3K", "10K", "30K", "100K"]), ([100, 1_000_000], ["100", "1K", "10K", "100K", "1M"])],
)  # fmt: skip
def test_an_axis_of_rows_has_numbers_however_close_they_are(rows, labels):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    axis = figure.subplots()
    axis.set_xscale("log")
    report_figures.plain_log_ticks(axis, rows)
    FigureCanvasAgg(figure).draw()
    low, high = axis.get_xlim()
    shown = [tick.label1.get_text() for tick in axis.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert shown == labels


def test_the_answer_is_two_sentences_before_any_table(study):
    lead = report_pages.lead_sentences(study[0])
    assert len(lead) == 2 and lead[0].startswith("Refuted: of the gain that 20,000 rows (medium_1M) bring")
    assert lead[1].startswith("Against as many rows picked otherwise, ultra_10k is ")
    text = study[2]
    assert text.index("Refuted: of the gain") < text.index("<table>")


@pytest.mark.parametrize(
    "verdicts, words",
    [
        (["supported", "not tested"], "Supported at 500M and not tested at 1B: of the gain"),
        (["not tested", "not tested"], "Not fully tested at 500M and not tested at 1B: of the gain"),
        (["not tested"], "Not fully tested: of the gain"),
    ],
)
def test_what_one_size_says_is_not_hidden_by_what_was_not_run(tmp_path, verdicts, words):
    write_study(tmp_path, sizes=["500M"], arms=["random_1k", "ultra_10k", "medium_1M"], prompts=60, heldout_rows=60)
    analysis = analyze_results.analyse(*analyze_results.load_runs(tmp_path), QUICK)
    analysis |= {"verdict": "not tested", "verdict_sizes": ["500M", "1B"][: len(verdicts)]}
    for size, verdict in zip(["500M", "1B"], verdicts, strict=False):
        analysis["sizes"][size]["verdict"] = verdict
    assert report_sentences.lead_sentences(analysis)[0].startswith(words)
    assert report_pages.summary_markdown(analysis).startswith(f"**{words[:9]}")


def test_a_verdict_without_a_share_does_not_read_as_if_nothing_were_kept():
    result = {"R": None, "R_missing_because": "no clear gain", "verdict": "supported"}
    assert (
        report_sentences.retained_phrase(result, "M")
        == "enough by T, but no share that can be stated in M (no clear gain)"
    )
    refuted = report_sentences.retained_phrase({**result, "verdict": "refuted"}, "M")
    assert refuted.startswith("too little by T, and no share")


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("inconclusive", "100% [0, 600] in M (inconclusive)"), ("supported", "100% [0, 600] in M")],
)
def test_a_share_that_decides_nothing_does_not_stand_in_the_answer_as_if_it_did(verdict, words):
    result = {"R": 1.0, "R_interval": [0.0, 6.0], "verdict": verdict}
    assert report_sentences.retained_phrase(result, "M") == words


def test_how_often_chance_refutes_or_supports_is_said(study):
    (said,) = [point for point in report_sentences.limits(study[0]) if "chance" in point]
    assert "every one of the 2 tests" in said and "just fails in at most 5%" in said and "in up to 10%." in said


def test_units_that_both_metrics_share_are_named_once(study):
    record = {"unit": "examples", "clusters": 60, "seeds": False}
    sizes = {"500M": {"resampling": dict.fromkeys(report_tables.METRIC_NAMES, record)}}
    assert report_tables.interval_words({"sizes": sizes}) == "95% intervals over examples; one training seed per arm"


def test_a_model_that_stands_in_for_the_study_has_the_verdict_and_its_limits(tmp_path):
    arms = ["random_1k", "ultra_10k", "random_10k", "medium_1M"]
    write_study(tmp_path, sizes=["small"], arms=arms, prompts=200, heldout_rows=150)
    runs, left_out = analyze_results.load_runs(tmp_path)
    analysis = analyze_results.analyse(runs, left_out, QUICK)
    assert analysis["verdict_sizes"] == ["small"] and analysis["verdict"] == analysis["sizes"]["small"]["verdict"]
    assert report_sentences.lead_sentences(analysis)[0].startswith(analysis["verdict"].capitalize())
    limits = " ".join(report_sentences.limits(analysis))
    assert "stands in for the sizes that the question is about" in limits and "starts from random weights" in limits


def test_controls_are_named_in_words_and_draws_only_by_their_mean():
    def contrast(second, b, metric, p):
        return {"family": "controls", "second": second, "b": b, "metric": metric, "p": p, "p_holm": p, "difference": 1}

    contrasts = [
        contrast(second, b, metric, p)
        for metric, p in (("bits_per_byte", 0.001), ("task_completion", 0.5))
        for second, b in (("random_10k", ["random_10k"]), ("random_10k_d1", ["random_10k_d1"]),
                          ("random_10k + random_10k_d1", ["random_10k", "random_10k_d1"]),
                          ("longest_10k", ["longest_10k"]))
    ]  # fmt: skip
    sentence = report_sentences.control_sentence({"500M": {"contrasts": contrasts}}, CLAIM)
    assert sentence == (
        "Against as many rows picked otherwise, ultra_10k is better in bits per byte and not detectably different in "
        "task completion than random rows (mean of their draws) and the longest rows."
    )


def test_a_correction_that_takes_a_finding_away_is_said_and_so_is_a_form_that_does_not_fit():
    contrast = {"p": 0.008, "p_holm": 0.114, "difference": -0.2}
    assert report_tables.shown_reading(contrast) == "not distinguishable (worse by p)"
    assert report_tables.shown_reading({**contrast, "p": 0.3}) == "not distinguishable"
    assert report_tables.shown_reading({**contrast, "p_holm": 0.01}) == "worse"
    content = {
        "shared_exponent_test": {"p": 0.003},
        "kappa": {"identified": True},
        "epochs_differ": True,
        "R_star": 15.4,
    }
    assert "rejected (p = 0.003)" in tradeoff_tables.exponent_remark(content)
    assert tradeoff_tables.exponent_remark({**content, "shared_exponent_test": {"p": None}}) is None
    assert tradeoff_tables.exponent_remark({**content, "kappa": {"identified": False}}) is None
    assert "15.4" in tradeoff_tables.repetition_remark({"identified": True, "interval": [0.9, 5.2]}, content)
    assert tradeoff_tables.repetition_remark({"identified": True, "interval": [0.9, 52]}, content) is None


def test_arms_whose_times_are_no_costs_are_told():
    speeds = [{"tokens_per_second": speed} for speed in (1_200, None, 5_100)]
    assert report_tables.speed_words({"cost": speeds}) == "arms trained at 1,200 to 5,100 tokens per second"
    assert report_tables.speed_words({"cost": speeds[1:]}) is None


def test_numbers_in_words():
    assert [report_tables.show_p(p) for p in (0.0004, 0.001, 0.0496)] == ["< 0.001", "0.001", "0.050"]
    assert [report_tables.show_digits(value) for value in (4.39, 43.9, 3171.4)] == ["4.39", "43.9", "3,171"]
    assert [report_tables.show_seconds(value) for value in (None, 119, 120, 7200)] == ["–", "119 s", "2.0 min", "2.0 h"]
    assert tradeoff_tables.show_hours(None) == "–"
    readings = [report_tables.reading_of({"p": 0.05, "difference": d}, "p") for d in (1, -1)]
    assert readings == ["not distinguishable"] * 2
    assert experiment_comparison.reading({"p": 0.04, "difference": -1}) == "second is better"


def test_a_family_that_one_prompt_passes_is_shown_and_the_rest_are_counted(study):
    counts = {"rare": {"prompts": 300, "passed": 1}, "never": {"prompts": 300, "passed": 0}}
    runs = [{**run, "by_family": counts} for run in study[0]["runs"]]
    table = model_tables.family_table({**study[0], "runs": runs})
    assert [row[0] for row in table["cells"]] == ["rare"] and "In 1 other families none" in table["note"]


def test_limits_that_the_numbers_ask_for(study):
    """The suite too hard for all, medium nearly the whole pool; not said where it is not so."""
    analysis = study[0]
    said = " ".join(report_sentences.limits(analysis))
    assert "too hard" not in said and "nearly the pool" not in said and "One training seed per arm" in said
    summary = analysis["sizes"]["500M"]
    floored = {arm: {**item, "value": 0.04} for arm, item in summary["arms"]["task_completion"].items()}
    seeds = {metric: {**item, "runs_per_arm": {"ultra_10k": 3}} for metric, item in summary["seeds"].items()}
    summary = {**summary, "arms": {**summary["arms"], "task_completion": floored}, "seeds": seeds}
    runs = [{**run, "subset_facts": {"pool_fraction": 0.97}} for run in analysis["runs"]]
    said = " ".join(report_sentences.limits({**analysis, "sizes": {"500M": summary}, "runs": runs}))
    assert "no model completes 5% of the tasks (the best 4.0%)" in said and "medium_1M takes 97%" in said
    assert "at 500M ultra_10k (3)" in said and "One training seed per arm" not in said


def test_a_size_without_the_claims_runs_names_the_first_to_train(tmp_path):
    write_study(tmp_path, sizes=["500M"], arms=["random_1k", "ultra_10k"], prompts=60, heldout_rows=60)
    analysis = analyze_results.analyse(*analyze_results.load_runs(tmp_path), QUICK)
    (sentence,) = [text for text in report_sentences.missing_sentences(analysis) if text.startswith("500M")]
    assert "Missing: medium_1M_500M." in sentence and sentence.endswith("train_quality_comparison.py medium_1M_500M")


def test_runs_that_are_there_but_cannot_be_used_are_not_called_missing(tmp_path):
    write_study(tmp_path, sizes=["500M"], arms=["random_1k", "ultra_10k", "medium_1M"], prompts=60, heldout_rows=60)
    for marker in tmp_path.glob("medium_1M_500M/evaluation/*.json"):
        marker.unlink()
    analysis = analyze_results.analyse(*analyze_results.load_runs(tmp_path), QUICK)
    (sentence,) = [text for text in report_sentences.missing_sentences(analysis) if text.startswith("500M")]
    assert "not comparable: medium_1M_500M;" in sentence and "train_quality_comparison" not in sentence
    assert report_sentences.in_brackets(None) == "" and report_sentences.in_brackets(None, "a") == " (a)"
    assert "can be compared with ultra_10k" in report_sentences.lead_sentences(analysis)[1]


def test_a_finding_that_only_the_correction_takes_away_is_told():
    contrast = {"family": "controls", "second": "longest_10k", "b": ["longest_10k"], "metric": "bits_per_byte",
                "p": 0.008, "p_holm": 0.114, "difference": -0.2}  # fmt: skip
    sentence = report_sentences.control_sentence({"500M": {"contrasts": [contrast]}}, CLAIM)
    assert "not detectably better or worse than the longest rows" in sentence
    assert sentence.endswith("it would be worse than the longest rows in bits per byte (p 0.008, corrected 0.114).")


def test_headings_never_skip_a_level(study):
    levels = [int(level) for level in re.findall(r"<h([1-6])", study[2])]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_stands_out_in_light_and_in_dark():
    """WCAG 2 contrast of every text colour on both grounds is 4.5 or more."""
    blocks = re.findall(r":root \{(.*?)\}", report_pages.STYLE_SHEET, re.DOTALL)[:2]
    for block in blocks:
        colors = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for text in ("ink", "soft", "link", "supported", "refuted", "inconclusive", "untested"):
            for ground in ("page", "card"):
                bright, dim = sorted((luminance(colors[text]), luminance(colors[ground])), reverse=True)
                assert (bright + 0.05) / (dim + 0.05) >= 4.5, (text, ground)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_text_is_no_formula(text):
    assert report_tables.csv_cell(text) == f"'{text}"
    assert report_tables.csv_cell(-1.5) == -1.5 and report_tables.csv_cell("a-b") == "a-b"


def test_latex_holds_no_bare_mark():
    assert report_tables.latex_text("a_b\n50% 漢") == r"a\_b 50\% ?"
    assert report_tables.latex_text("-0.5 [-1, +2] 1-2 a-3") == "$-$0.5 [$-$1, +2] 1-2 a-3"


def test_a_latex_table_wraps_its_sentences_and_is_never_blown_up():
    words = {"name": "n", "title": "T", "note": "n", "headings": ["", "a", "b"], "cells": [["x", "1", "word " * 12]]}
    text = report_tables.latex_table(words)
    assert r"\begin{tabular}{lrp{6cm}}" in text and r"\ifdim\width>\linewidth\linewidth\else\width\fi" in text


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX here")
def test_tables_compile(study, tmp_path):
    body = "\n".join(report_tables.latex_table(table) for table in study[1])
    head = "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}\n"
    (tmp_path / "t.tex").write_text(head + body + "\\end{document}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-1500:]


# ---------------------------------------------------------------------------------------------------------------------
# --compare


def pair(folder, **second):
    fake = FakeStudy(folder, prompts=300, heldout_rows=200)
    fake.write_run("ultra_10k", "500M")
    fake.write_run("low_100k", "500M", **second)
    return analyze_results.load_runs(folder)


def compare(folder, *names):
    command = [sys.executable, "analyze_results.py", str(folder), "--compare", *names]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_compare_writes_page_markdown_and_json(tmp_path):
    pair(tmp_path)
    done = compare(tmp_path, "ultra_10k_500M", "low_100k_500M")
    assert done.returncode == 0, done.stderr
    assert "ultra_10k_500M is better than low_100k_500M in bits per byte and task completion." in done.stdout
    stem = tmp_path / "analysis" / "compare_ultra_10k_500M_vs_low_100k_500M"
    content = read_json(stem.with_suffix(".json"))
    for record in content["contrasts"]:
        metric, (first, second) = record["metric"], content["runs"]
        sign = -1 if metric == "bits_per_byte" else 1
        expected = sign * (first["metrics"][metric] - second["metrics"][metric])
        assert record["difference"] == pytest.approx(expected, rel=1e-4)
        assert record["interval"][0] <= record["difference"] <= record["interval"][1]
    for suffix in (".html", ".md"):
        assert "SIMULATED" in stem.with_suffix(suffix).read_text()
    assert content["other_differences"][0] == "epochs: 3 and 1" and not any(
        words.startswith(("learning_rate", "seed", "scale")) for words in content["other_differences"]
    )


@pytest.mark.parametrize(
    "settings, words", [({"suite_hash": "x"}, "suite_hash"), ({"heldout_hash": "x"}, "heldout_hash")]
)
def test_compare_refuses_other_tests_by_name(tmp_path, settings, words):
    runs, left_out = pair(tmp_path, **settings)
    first, second = (
        experiment_comparison.pick_run(runs, name, left_out) for name in ("ultra_10k_500M", "low_100k_500M")
    )
    with pytest.raises(UserError, match=words):
        experiment_comparison.require_comparable(first, second)


def test_compare_names_what_there_is(tmp_path):
    runs, left_out = pair(tmp_path)
    with pytest.raises(UserError, match="there are low_100k_500M, ultra_10k_500M"):
        experiment_comparison.pick_run(runs, "ultra", left_out)
    with pytest.raises(UserError, match="two different"):
        experiment_comparison.require_comparable(runs[0], runs[0])


def write_rows(folder, ids, **columns):
    texts = {"instruction": [f"ask {key}" for key in ids], "response": ["a b c"] * len(ids)}
    write_arrow(folder, {"id": ids, **texts, **columns})


def test_compare_takes_subsets_with_the_runs_trained_on_them(tmp_path):
    pair(tmp_path)
    write_rows(tmp_path / "subsets" / "ultra_10k", ["1", "2"], source=["s", "t"], quality=[0.9, 0.7])
    write_rows(tmp_path / "subsets" / "low_100k", ["2", "3", "4"], source=["s", "s", "s"], quality=[0.1, 0.2, 0.3])
    done = compare(tmp_path, "ultra_10k", "low_100k")
    assert done.returncode == 0, done.stderr
    assert "share 1 rows and 1 prompts; trained on, at 500M ultra_10k is better in" in done.stdout
    content = read_json(tmp_path / "analysis" / "compare_ultra_10k_vs_low_100k.json")
    assert [facts["rows"] for facts in content["subsets"]] == [2, 3] and len(content["runs"]) == 1
    assert content["subsets"][0]["scores"]["quality"] == pytest.approx(0.8)
    assert "They have 2 and 3 rows" in done.stdout


def test_subsets_are_compared_where_their_runs_cannot_be(tmp_path):
    pair(tmp_path, suite_hash="other")
    for name in ("ultra_10k", "low_100k"):
        write_rows(tmp_path / "subsets" / name, ["1", "2"])
    done = compare(tmp_path, "ultra_10k", "low_100k")
    assert done.returncode == 0, done.stderr
    assert "share 2 rows" in done.stdout and "Not compared: ultra_10k_500M and low_100k_500M took" in done.stdout


def test_compare_takes_rows_of_ones_own_without_any_run(tmp_path):
    write_rows(tmp_path / "mine", ["1", "2"])
    write_rows(tmp_path / "subsets" / "ultra_10k", ["1"], quality=[0.5])
    done = compare(tmp_path, "ultra_10k", str(tmp_path / "mine"))
    assert done.returncode == 0 and "nothing is known of what they do for a model" in done.stdout, done.stderr
    assert "share 1 rows" in done.stdout
    assert str(tmp_path) not in (tmp_path / "analysis" / "compare_ultra_10k_vs_mine.md").read_text()
    write_arrow(tmp_path / "mine", {"instruction": ["ask 1", "ask 1"], "response": ["a b c", "a"]})
    done = compare(tmp_path, "ultra_10k", str(tmp_path / "mine"))
    assert "share 1 rows and 1 prompts" in done.stdout, done.stderr
    done = compare(tmp_path, "ultra_10k", "ultra_10k_500M")
    assert done.returncode == 2 and "name two experiments or two subsets" in done.stderr


def test_shared_rows_are_those_of_equal_texts_whatever_their_ids(tmp_path):
    texts = {"instruction": ["ask 1", "ask 2"], "response": ["a", "b"]}
    write_arrow(tmp_path / "mine", {"id": ["0", "1"], **texts})
    write_arrow(tmp_path / "again", {"id": [7, 8], **texts})
    write_arrow(tmp_path / "other", {"id": ["0", "1"], "instruction": ["ask 3", "ask 1"], "response": ["c", "d"]})
    for name, shared in (("again", {"rows": 2, "prompts": 2}), ("other", {"rows": 0, "prompts": 1})):
        folders = [str(tmp_path / folder) for folder in ("mine", name)]
        assert subset_comparison.make_comparison(tmp_path, folders, [], None)["shared"] == shared


def test_compared_rows_may_lack_scores_and_sources_but_no_text(tmp_path):
    scores = {"quality": [0.5, None], "clarity": [0.5, float("nan")], "diversity": ["a", "b"], "complexity": [0, 1]}
    write_rows(tmp_path / "mine", ["1", "2"], source=["s", None], **scores)
    facts, _ = subset_comparison.describe_subset("mine", tmp_path / "mine")
    assert facts["scores"] == {"complexity": 0.5} and facts["source_mix"] == {"s": 1}
    for texts in (["ask", None], [1, 2]):
        write_arrow(tmp_path / "bad", {"instruction": texts, "response": ["a", "b"]})
        with pytest.raises(UserError, match="must hold a text in every row of instruction"):
            subset_comparison.describe_subset("bad", tmp_path / "bad")


def test_a_file_of_rows_to_compare_is_told_what_a_subset_is(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"instruction": "a", "response": "b"}\n')
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    for name in ("rows.jsonl", "splits"):
        with pytest.raises(UserError, match="Dataset.save_to_disk"):
            analyze_results.are_subsets(tmp_path, [str(tmp_path / name)] * 2)


def test_no_finding_is_not_called_equality():
    record = {"metric": "task_completion", "difference": 0.01, "p": 0.4, "minimum_detectable": 0.045}
    record["reading"] = experiment_comparison.reading(record)
    comparison = {"config": {"first": "a", "second": "b"}, "contrasts": [record], "other_differences": [], "runs": []}
    sentence = experiment_comparison.verdict_sentence(comparison)
    assert sentence == "No difference is seen between a and b in task completion."
    assert "a true difference of 4.5 pp would have been found" in experiment_comparison.cautions(comparison)[0]


def test_what_is_published_is_not_published_over_itself(tmp_path, monkeypatch):
    study = tmp_path / "reference" / "small"
    (study / "analysis").mkdir(parents=True)
    (study / "analysis" / "summary.md").write_text("x")
    monkeypatch.setattr(sys, "argv", ["update_readme.py", str(study)])
    monkeypatch.setattr(update_readme, "REFERENCE", tmp_path / "reference")
    with pytest.raises(UserError, match="is what was published"):
        update_readme.main()
    assert (study / "analysis" / "summary.md").exists()


def test_simulated_runs_are_not_published(tmp_path, monkeypatch):
    pair(tmp_path)
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "summary.md").write_text("x")
    monkeypatch.setattr(sys, "argv", ["update_readme.py", str(tmp_path)])
    monkeypatch.setattr(update_readme, "REFERENCE", tmp_path / "reference")
    with pytest.raises(UserError, match="simulated"):
        update_readme.main()
