"""Clusters, seeds, families of contrasts, cost and ranks: hand-computed, planted, or faults that must be named."""

import shutil

import fake_results
import numpy as np
import pytest
from fake_results import FakeStudy, write_arrow, write_json

import analyze_results
import contrast_statistics as planning
import cost_statistics as cost
import experiment_comparison
import reference_distributions as reference
import report_sentences
import report_tables
import retention_statistics as statistics
import study_analysis
import study_tradeoff
import tradeoff_statistics as curves
import tradeoff_tables
from analysis_benchmark import retention_study, run_analysis_benchmark
from common import read_json
from finished_runs import load_runs
from study_analysis import analyse, compare_groups, retention_by_source
from training_configs import CLAIM

QUICK = {**CLAIM, "bootstrap_draws": 300}


def test_t_and_f_against_published_tables():
    assert reference.t_quantile(0.975, 1) == pytest.approx(12.7062, abs=1e-4)
    assert reference.t_quantile(0.95, 9) == pytest.approx(1.83311, abs=1e-5)
    assert reference.t_quantile(0.025, 4) == pytest.approx(-2.77645, abs=1e-5)
    assert reference.f_tail(4.06618, 3, 8) == pytest.approx(0.05, abs=1e-6)


def test_units_by_hand():
    labels = np.array(["a", "a", "b", "c"])
    assert statistics.effective_units(labels) == pytest.approx(16 / 6)
    assert statistics.unit_sums(np.array([[1.0, 2, 4, 8]]), labels).tolist() == [[3, 4, 8]]
    few, many = np.arange(40) % 4, np.arange(40) % 20
    assert statistics.choose_unit({"family": few, "example": np.arange(40)}) == ("example", 40)
    assert statistics.choose_unit({"family": many, "example": np.arange(40)}) == ("family", 20)
    assert statistics.choose_unit({"family": np.arange(40) % 10, "example": np.arange(40)}) == ("family", 10)


def test_few_units_widen_as_students_t_does():
    draws = np.random.default_rng(0).standard_normal(200_000) * np.sqrt(9 / 10)
    low, high = statistics.percentile_interval(draws, 0.95, units=10)
    assert high == pytest.approx(reference.t_quantile(0.975, 9), abs=0.05) and low == pytest.approx(-high, abs=0.08)
    assert statistics.expanded_tail(0.025, None) == 0.025


def test_few_units_make_p_agree_with_the_interval():
    draws = np.random.default_rng(0).normal(2.2, 1, 20_000)
    assert statistics.bootstrap_p(draws) < 0.05 < statistics.bootstrap_p(draws, units=8)
    low, _ = statistics.percentile_interval(draws, 0.95, units=8)
    assert low < 0


def test_seed_spread_by_hand():
    draws = np.array([[1.0, 2.0, 9.0], [1.0, 4.0, 0.0]])  # the first two move apart by 1 around their mean
    spread = statistics.seed_spread(np.array([1.0, 3.0, 5.0]), [[0, 1], [2]], draws)
    expected = {"degrees": 1, "sd": pytest.approx(np.sqrt(2)), "sd_of_examples": pytest.approx(np.sqrt(0.5))}
    assert spread == expected
    assert statistics.seed_spread(np.array([1.0]), [[0]], draws[:, :1]) == statistics.NO_SPREAD
    known = {"degrees": 100_000, "sd": 2.0, "sd_of_examples": 1.0}  # the draws hold the examples' part already
    noise = statistics.arm_draws(np.zeros((20_000, 4)), [[0, 1, 2], [3]], known, 0)
    assert noise.std(axis=0) == pytest.approx([1, np.sqrt(3)], rel=0.02)


@pytest.mark.parametrize(
    "scenario",
    [
        {"rates": [0.44, 0.5, 0.2], "seeds": [3, 3, 3], "seed_sd": 0.03},
        {"rates": [0.44, 0.5, 0.2], "families": 25, "family_sd": 0.1},
    ],
)
def test_intervals_cover_with_seeds_and_with_families(scenario):
    record = retention_study(scenario, studies=100, prompts=300, draws=300, processes=1)
    assert 0.88 <= record["T_covered_rate"] <= 0.99
    assert record["supported_rate"] <= 0.1  # 5% at the boundary


def test_contrasts_come_in_families():
    facts = {
        "ultra_10k": {"rows": 10, "subset": "ultra_10k"}, "random_10k": {"rows": 10, "subset": "random_10k"},
        "random_10k_d1": {"rows": 10, "subset": "random_10k_d1"}, "ultra_10k_x10": {"rows": 10, "subset": "ultra_10k"},
        "ultra_5k": {"rows": 5, "subset": "ultra_5k"}, "band1_10k": {"rows": 10, "subset": "band1_10k"},
        "band5_10k": {"rows": 10, "subset": "band5_10k"}, "ultra_10k_no_clarity": {"rows": 10, "subset": "x"},
    }  # fmt: skip
    plans, families = {plan["name"]: plan for plan in planning.planned_contrasts(facts, CLAIM)}, {}
    for name, plan in plans.items():
        families.setdefault(plan["family"], []).append(name)
    others = ["random_10k", "longest_10k", "source_matched_10k", "length_matched_10k", "random_10k_d1", "mean of draws"]
    assert families == {
        "controls": [f"ultra_10k - {other}" for other in others],
        "dose_response": ["high_100k - random_100k", "random_100k - low_100k", "high_100k - low_100k"],
        "bands": ["band1_10k - band5_10k"],
        "tokens": ["ultra_10k_x10 - ultra_10k", "ultra_10k_x10 - high_100k", "ultra_10k - high_100k"],
        "ablations": ["ultra_5k - ultra_10k", "ultra_10k_no_clarity - ultra_10k"],
    }
    assert plans["ultra_10k - mean of draws"]["b"] == ["random_10k", "random_10k_d1"]
    weights = planning.contrast_weights(plans["ultra_10k - mean of draws"], list(facts))
    assert weights.tolist() == [1, -0.5, -0.5, 0, 0, 0, 0, 0]


def test_a_series_of_doses_has_three_arms_and_starts_with_the_lowest_scores():
    assert planning.planned_doses(dict.fromkeys(["high_100k", "low_100k", "band1_10k", "band5_10k"])) == {}
    arms = ["high_100k", "low_100k", "random_100k", "band1_10k", "band2_10k", "band5_10k"]
    series = {"tiers_100k": ["low_100k", "random_100k", "high_100k"], "bands": ["band5_10k", "band2_10k", "band1_10k"]}
    assert planning.planned_doses(dict.fromkeys(arms)) == series


def test_trend_weights_give_the_slope():
    assert planning.trend_weights(5) @ np.array([1.0, 3, 5, 7, 9]) == pytest.approx(2)


def test_rank_correlation_by_hand():
    assert cost.ranks([3, 1, 3]).tolist() == [2.5, 1, 2.5]
    assert cost.ranks(np.array([30.0, 10.0, 30.0, 20.0])).tolist() == [3.5, 1.0, 3.5, 2.0]
    result = cost.rank_correlation(range(10), [9, 8, 7, 6, 5, 4, 3, 2, 0, 1])
    assert result["value"] == pytest.approx(1 - 6 * 328 / 990) and result["n"] == 10
    z, spread = np.arctanh(result["value"]), 1.95996 * np.sqrt((1 + result["value"] ** 2 / 2) / 7)
    assert result["interval"] == pytest.approx(np.tanh([z - spread, z + spread]), abs=1e-5)
    assert cost.rank_correlation(range(10), range(10))["interval"] == [None, None]  # chance alone has no such order
    assert cost.rank_correlation([1, 2], [1, 2])["value"] is None
    assert cost.rank_correlation([1, 2, 3], [1, 2, 3])["interval"] == [None, None]


def test_the_frontier_and_what_scoring_costs():
    def record(name, seconds, value, scored, filter_hours=0.5):
        run = {"experiment": name, "rows": 1_000, "tokens": 2_000_000, "train_seconds": seconds, "scored": scored}
        run |= {"values": {"task_completion": value}}
        return cost.cost_record(run, {"task_completion": 0.2}, filter_hours)

    records = [record("u", 3600, 0.4, True), record("r", 3600, 0.3, False), record("m", 7200, 0.35, False)]
    frontier = cost.mark_frontier(records, {"task_completion": 1})
    assert [step["run"] for step in frontier["task_completion"]] == ["r", "u"]
    assert [step["from_hours"] for step in frontier["task_completion"]] == [1, 1.5]
    assert records[0]["per_hour"]["task_completion"] == pytest.approx(0.2 / 1.5)
    assert records[2]["on_frontier"] == [] and records[0]["per_million_tokens"]["task_completion"] == 0.1
    assert records[0]["per_thousand_rows"]["task_completion"] == 0.2
    twins = [record("a", 3600, 0.3, False), record("b", 3600, 0.4, False)]  # of equal cost only the better one counts
    assert [step["run"] for step in cost.mark_frontier(twins, {"task_completion": 1})["task_completion"]] == ["b"]
    unknown = [record("u", 3600, 0.9, True, None), record("r", 3600, 0.3, False, None), record("t", None, 0.9, False)]
    assert unknown[0]["total_hours"] is None and unknown[0]["per_hour"]["task_completion"] is None
    frontier = cost.mark_frontier(unknown, {"task_completion": 1})  # what is not known is not free
    assert [step["run"] for step in frontier["task_completion"]] == ["r"]


def test_gains_by_band_by_hand():
    """The two rows that score lowest, then the two that score highest; a metric is a ratio of sums."""
    first = {"numerators": np.array([6.0, 1, 5, 2]), "denominators": np.array([2.0, 1, 2, 1])}
    second = {"numerators": np.array([2.0, 1, 2, 1]), "denominators": np.array([2.0, 1, 2, 1])}
    low, high = cost.gains_by_band(first, second, np.array([0.9, 0.1, 0.8, 0.2]), 2, 500, 0, 0.95)
    assert (low["band"], low["low"], low["high"], low["rows"]) == (1, 0.1, 0.2, 2)
    assert low["gain"] == pytest.approx(3 / 2 - 1) and low["interval"] == pytest.approx([0, 1])
    assert high["gain"] == pytest.approx(11 / 4 - 1) and high["interval"] == pytest.approx([1.5, 2])


@pytest.fixture(scope="module")
def curve_study(tmp_path_factory):
    """Ultra and random curves, doses, a repeat with another seed, and a failed run."""
    fake = FakeStudy(tmp_path_factory.mktemp("curve"), prompts=200, heldout_rows=150)
    arms = ["random_1k", "random_10k", "random_100k", "ultra_1k", "ultra_10k", "medium_1M", "high_100k", "low_100k"]
    for arm in arms:
        fake.write_run(arm, "500M")
        fake.write_run(arm, "1B") if arm in ("ultra_10k", "random_10k") else None
    for seed in (1, 2):
        folder = fake.folder / f"ultra_10k_500M_s{seed}"
        (fake.folder / "ultra_10k_500M").rename(fake.folder / "kept")
        fake.write_run("ultra_10k", "500M", seed=seed).rename(folder)
        (fake.folder / "kept").rename(fake.folder / "ultra_10k_500M")
    write_json(fake.folder / "longest_10k_500M" / "failure.json", {"reason": "loss is not finite"})
    return fake.folder


def test_the_whole_analysis_of_curves_doses_seeds_and_a_failed_run(curve_study):
    runs, left_out = analyze_results.load_runs(curve_study)
    analysis = analyze_results.analyse(runs, left_out, QUICK, filter_hours=0.1)
    reasons = {item["experiment"]: item["reason"] for item in analysis["left_out"]}
    assert reasons == {"longest_10k_500M": "failed: loss is not finite"}
    summary = analysis["sizes"]["500M"]
    assert summary["seeds"]["bits_per_byte"]["runs_per_arm"] == {"ultra_10k": 3}
    assert summary["retention"]["bits_per_byte"]["random_1k"]["seeds"]["ultra_10k"] == 3
    assert [dose["arms"] for dose in summary["dose_response"]] == [["low_100k", "random_100k", "high_100k"]] * 2
    assert summary["dose_response"][0]["trend"]["slope"] > 0
    curve = summary["tradeoff"]["bits_per_byte"]
    assert [point["seeds"] for point in curve["tiers"]["ultra"]["points"]] == [1, 3] and curve["tiers"]["medium"][
        "A"
    ] is not None
    assert curve["kappa"]["n"] == 5 and (curve["kappa"]["identified"] or curve["kappa"]["runs_to_add"])
    assert curve["nonparametric"]["kappa"][0]["rows"] == 20
    costs = {record["arm"]: record for record in summary["cost"]}
    assert [costs[arm]["filter_hours"] for arm in ("ultra_10k", "random_10k", "medium_1M")] == [0.1, 0, 0.1]
    assert costs["random_1k"]["gain"] == {"bits_per_byte": 0, "task_completion": 0}  # it is the anchor
    families = {}
    for contrast in [
        item for size in analysis["sizes"].values() for item in size["contrasts"] if item["p"] is not None
    ]:
        families.setdefault(contrast["family"], []).append(contrast["holm_tests"])
    assert len(families) >= 3 and all(set(tests) == {len(tests)} for tests in families.values())
    medium = curve["tiers"]["medium"]
    amplitude = (medium["points"][0]["loss"] - curve["E"]) * medium["points"][0]["counted_rows"] ** curve["alpha"]
    assert medium["A"] == pytest.approx(amplitude)
    names = {contrast["name"]: contrast for contrast in analysis["sizes"]["1B"]["contrasts"]}
    between = names["ultra_10k_1B - ultra_10k_500M"]  # the last of that name: of task completion
    larger, smaller = (analysis["sizes"][size]["arms"]["task_completion"]["ultra_10k"] for size in ("1B", "500M"))
    assert between["family"] == "sizes" and between["difference"] == pytest.approx(larger["value"] - smaller["value"])
    assert summary["recipe_differences"] == []  # a seed of a repeat is none
    arm, runs = (
        summary["arms"]["task_completion"]["ultra_10k"],
        [f"ultra_10k_500M{tail}" for tail in ("", "_s1", "_s2")],
    )
    values = [run["metrics"]["task_completion"]["value"] for run in analysis["runs"] if run["experiment"] in runs]
    assert arm["value"] == pytest.approx(sum(values) / 3) and arm["runs"] == runs and arm["seeds"] == 3
    kept = summary["retention"]["task_completion"]["random_1k"]
    means = [summary["arms"]["task_completion"][name]["value"] for name in ("ultra_10k", "medium_1M", "random_1k")]
    assert kept["R"] == pytest.approx((means[0] - means[2]) / (means[1] - means[2]))  # the table gives the ratio
    record = next(run for run in analysis["runs"] if run["experiment"] == "ultra_10k_500M_s1")
    assert record["arm"] == "ultra_10k_s1" and record["base_arm"] == "ultra_10k" and record["seed"] == 1


def test_the_spread_between_seeds_does_not_cancel_between_sizes(tmp_path):
    """Three seeds at each size, 0.2 apart in the share that passes: the difference of the means is known badly."""
    fake = FakeStudy(tmp_path, prompts=400, heldout_rows=40)
    for size in ("500M", "1B"):
        for seed, rate in ((2, 0.3), (1, 0.5), (0, 0.7)):
            folder = fake.write_run("ultra_10k", size, seed=seed)
            fake.write_tasks(folder, "general", "suite-1", rate)
            folder.rename(tmp_path / f"ultra_10k_{size}{f'_s{seed}' if seed else ''}")
    sizes = analyze_results.analyse(*analyze_results.load_runs(tmp_path), QUICK)["sizes"]
    between = {item["metric"]: item for item in sizes["1B"]["contrasts"] if item["family"] == "sizes"}
    contrast = between["task_completion"]
    assert contrast["high"] - contrast["low"] > 2 * 1.96 * 0.2 * np.sqrt(2 / 3)  # by the normal, t asks for more


def test_without_a_gain_of_mediums_nothing_is_traded(tmp_path):
    """Where the metric cannot tell medium from the anchor, curves, kappa and N80 would be fits to noise."""
    fake = FakeStudy(tmp_path, prompts=100, heldout_rows=100)
    for arm in ("random_1k", "random_10k", "random_100k", "ultra_1k", "ultra_10k", "medium_1M"):
        folder = fake.write_run(arm, "500M")
        fake.write_tasks(folder, "general", "suite-1", 1e-9)
    analysis = analyze_results.analyse(*analyze_results.load_runs(tmp_path), QUICK)["sizes"]["500M"]
    found = analysis["tradeoff"]["task_completion"]
    assert not found["kappa"]["identified"] and found["alpha"] is None and found["nonparametric"]["kappa"] == []
    assert "not clear of zero" in found["n80"]["ultra"]["why"] and found["kappa"]["runs_to_add"] == []
    assert all(point["interval"][1] > 0.01 for point in found["tiers"]["ultra"]["points"])  # none passed is not 0 +- 0
    worth = analysis["repetition"]["task_completion"]
    assert worth["value"] is None and "not clear of zero" in worth["why"] and worth["runs_to_add"] == []
    assert analysis["rank_correlation"]["task_completion"]["value"] is None
    assert analysis["arms"]["task_completion"]["ultra_10k"]["high"] > 0.01
    assert analysis["retention"]["task_completion"]["random_1k"]["verdict"] == "inconclusive"


def test_the_interval_of_a_share_ends_at_none_and_all(tmp_path):
    """Seeds that pass none, one and none of the prompts: their spread alone would reach below zero."""
    fake = FakeStudy(tmp_path, prompts=100, heldout_rows=100)
    for seed in (2, 1, 0):
        folder = fake.write_run("ultra_10k", "500M", seed=seed)
        fake.write_tasks(folder, "general", "suite-1", 0.05 if seed == 1 else 1e-9)
        folder.rename(tmp_path / f"ultra_10k_500M{f'_s{seed}' if seed else ''}")
    analysis = analyze_results.analyse(*analyze_results.load_runs(tmp_path), QUICK)["sizes"]["500M"]
    arm = analysis["arms"]["task_completion"]["ultra_10k"]
    assert arm["seeds"] == 3 and arm["low"] == 0 < arm["value"] < arm["high"] < 1


def test_what_is_kept_within_a_source_by_hand():
    """Two sources of 40 rows: in the first ultra keeps a half of a gain of 2, in the second medium gains nothing."""
    rng, labels = np.random.default_rng(0), np.array(["a", "b"] * 40)
    levels = {"ultra_10k": (-3.0, -2.0), "medium_1M": (-2.0, -2.0), "random_1k": (-4.0, -2.0)}
    noise = rng.normal(0, 0.01, 80)
    by_example = {
        arm: {"numerators": np.where(labels == "a", *level) + noise * (arm == "medium_1M"), "denominators": np.ones(80)}
        for arm, level in levels.items()
    }
    scores = {"arms": list(levels), "metric": "bits_per_byte", "by_example": by_example,
              "runs": [{"metrics": {"bits_per_byte": {"family": labels}}}]}  # fmt: skip
    first, second, both = retention_by_source(scores, CLAIM)
    assert (first["source"], first["n"], first["anchor"]) == ("a", 40, 4) and first["R"] == pytest.approx(0.5, abs=0.01)
    assert second["R"] is None and second["gain"] == pytest.approx(0, abs=0.01)
    assert (
        both["n"] == 80 and both["medium"] == pytest.approx(2, abs=0.01) and both["R"] == pytest.approx(0.5, abs=0.01)
    )
    assert retention_by_source({**scores, "arms": ["ultra_10k"]}, CLAIM) == []
    for arm, content in by_example.items():
        by_example[arm] = {key: values[:58] for key, values in content.items()}
    scores["runs"][0]["metrics"]["bits_per_byte"]["family"] = labels[:58]
    few = retention_by_source(scores, CLAIM)[0]
    assert few["n"] == 29 and few["R"] is None and few["gain"] == pytest.approx(2, abs=0.01)


def test_rows_are_counted_by_what_their_passes_are_worth(curve_study):
    """The fake study's ultra arms have three passes, random_100k one: on one curve it stands for fewer rows."""
    runs, left_out = analyze_results.load_runs(curve_study)
    tradeoff = analyze_results.analyse(runs, left_out, QUICK)["sizes"]["500M"]["tradeoff"]["bits_per_byte"]
    points = {point["run"]: point for tier in tradeoff["tiers"].values() for point in tier["points"]}
    assert tradeoff["epochs_differ"] and tradeoff["passes"] == 3
    assert points["ultra_10k_500M"]["counted_rows"] == points["ultra_10k_500M"]["rows"] == 200
    worth = float(curves.effective_rows(1, 3, 15.4))
    assert points["random_100k_500M"]["counted_rows"] == pytest.approx(2_000 / worth)
    assert set(tradeoff["kappa"]["rows_counted_once"]) == {"value", "interval", "identified", "why"}
    asked = 0.8 * points["medium_1M_500M"]["loss"] + 0.2 * points["random_1k_500M"]["loss"]
    assert tradeoff["target_loss"] == pytest.approx(asked)


def test_a_tiers_curve_takes_the_mean_of_equal_rows():
    points = [{"tier": "random", "repeated": False, "counted": rows, "column": column}
              for column, rows in enumerate([10, 100, 10])]  # fmt: skip
    scores = {"metric": "bits_per_byte", "points": np.array([-2.0, -1, -4]), "draws": np.full((3, 3), -1.0)}
    rows, curve = study_tradeoff.tier_curve(scores, points, "random")
    assert rows.tolist() == [10, 100] and curve.tolist() == [[3, 1], [1, 1], [1, 1], [1, 1]]


def test_sizes_that_took_other_tests_are_not_compared(tmp_path):
    fake = FakeStudy(tmp_path, prompts=60, heldout_rows=60)
    fake.write_run("ultra_10k", "500M")
    fake.write_run("ultra_10k", "1B", suite_hash="other")
    contrasts = analyze_results.analyse(*analyze_results.load_runs(tmp_path), QUICK)["sizes"]["1B"]["contrasts"]
    assert [item["metric"] for item in contrasts if item["family"] == "sizes"] == ["bits_per_byte"]


def test_arms_of_other_rows_are_not_compared_between_sizes(tmp_path):
    study = FakeStudy(tmp_path, prompts=60, heldout_rows=60)
    for size, scale in (("500M", 0.02), ("1B", 0.04)):
        study.scale = scale
        for arm in ("base", "random_1k", "ultra_10k", "medium_1M"):
            study.write_run(arm, size)
    analysis = analyse(*load_runs(tmp_path), QUICK)
    compared = [item["name"] for item in analysis["sizes"]["1B"]["contrasts"] if item["family"] == "sizes"]
    assert set(compared) == {"base_1B - base_500M"}  # whose rows are none at either scale
    lead = " ".join(report_sentences.lead_sentences(analysis))
    assert "20,000 or 40,000 rows (medium_1M)" in lead and "200 or 400 best-scored rows" in lead


def test_a_seed_on_other_rows_or_for_more_passes_is_no_repeat(curve_study):
    runs, left_out = load_runs(curve_study)
    repeat = next(run for run in runs if run["experiment"].endswith("_s1"))
    repeat["train"]["config"]["epochs"] += 1
    analysis = analyse(runs, left_out, QUICK)
    reasons = {item["experiment"]: item["reason"] for item in analysis["left_out"]}
    assert "other rows or passes than the other seeds of its arm: epochs" in reasons[repeat["experiment"]]
    assert repeat["experiment"] not in [run["experiment"] for run in analysis["runs"]]


def test_many_families_are_resampled_whole_and_rows_of_one_instruction_too(tmp_path, monkeypatch):
    monkeypatch.setattr(fake_results, "FAMILIES", [f"family-{number}" for number in range(12)])
    fake = FakeStudy(tmp_path, prompts=240, heldout_rows=120)
    for arm in ("random_1k", "ultra_10k", "random_10k", "medium_1M"):
        fake.write_run(arm, "500M")
    asked = {"id": [f"held-{row}" for row in range(120)], "instruction": [f"ask {row // 2}" for row in range(120)]}
    write_arrow(tmp_path / "subsets" / "heldout", asked)
    analysis = analyze_results.analyse(*analyze_results.load_runs(tmp_path), QUICK)
    words = "95% intervals over instructions (bits per byte) and task families (task completion)"
    assert report_tables.interval_words(analysis).startswith(words)
    summary = analysis["sizes"]["500M"]
    found = {metric: (item["unit"], item["clusters"]) for metric, item in summary["resampling"].items()}
    assert found == {"bits_per_byte": ("instructions", 60), "task_completion": ("task families", 12)}
    control = next(item for item in summary["contrasts"] if item["metric"] == "task_completion")
    assert control["test"].startswith("sign-flip permutation over task families") and "p_mcnemar" in control


def test_of_few_units_a_seeded_contrasts_p_agrees_with_its_interval():
    draws = np.random.default_rng(0).normal([2.2, 0], [1, 0], (20_000, 2))
    scores = {"metric": "bits_per_byte", "unit": "family", "units": 8, "spread": {"degrees": 2}, "draws": draws,
              "points": np.array([2.2, 0]), "numerators": np.ones((2, 8)), "denominators": np.ones((2, 8)),
              "examples": 100}  # fmt: skip
    record = {"a": ["a"], "b": ["b"]}
    result = study_analysis.test_contrasts(scores, [record], np.array([[1.0, -1.0]]), QUICK)[0]
    assert result["interval"][0] < 0 and result["p"] > 0.05 and "seeds" in result["test"]


def contrast_of(passed: np.ndarray) -> dict:
    """Of two arms by what they pass, (2, examples)."""
    draws = statistics.bootstrap_ratios(passed, np.ones_like(passed), 500, 0)
    examples = passed.shape[1]
    scores = {"metric": "task_completion", "unit": "example", "units": examples, "spread": {"degrees": 0},
              "points": passed.mean(axis=1), "draws": draws, "numerators": passed, "denominators": np.ones_like(passed),
              "by_example": {arm: {"numerators": row} for arm, row in zip("ab", passed, strict=True)},
              "examples": examples}  # fmt: skip
    record = {"a": ["a"], "b": ["b"]}
    return study_analysis.test_contrasts(scores, [record], np.array([[1.0, -1.0]]), QUICK)[0]


@pytest.mark.parametrize("passes, examples, named", [((40, 60), 200, True), ((1, 2), 200, False), ((9, 14), 29, False)])
def test_no_detectable_difference_is_named_where_draws_cannot_tell(passes, examples, named):
    """Of one and two passes in 200 the draws say 1.25 pp with 80% power: exact McNemar finds it in 6% of trials."""
    passed = np.array([np.arange(examples) < count for count in passes], float)
    assert (contrast_of(passed)["minimum_detectable"] is not None) == named


def test_the_interval_of_a_difference_is_honest_where_nothing_passes():
    """Simulated: often no prompt of 200 passes; resampled, that has no width, and 62% of the intervals hold."""
    rng, covered, trials = np.random.default_rng(0), 0, 200
    for _ in range(trials):
        passed = (rng.random((2, 200)) < [[0.002], [0.006]]).astype(float)
        found = contrast_of(passed)
        covered += found["low"] <= -0.004 <= found["high"]
    assert covered >= 0.95 * trials


def test_what_the_score_is_worth(tmp_path, monkeypatch):
    """Bands, equal arms and tiers: only arms of ultra's rows and passes, only tiers picked by score or by no rule."""
    more = {"band1_10k": (0.38, 0.86), "band3_10k": (0.33, 0.88), "band5_10k": (0.25, 0.92)}
    more |= {"ultra_10k_x10": (0.4, 0.85), "ultra_10k_no_clarity": (0.36, 0.865)}
    for arm, levels in more.items():
        monkeypatch.setitem(fake_results.ARMS, arm, (*levels, 10_000, 3))
    fake = FakeStudy(tmp_path, prompts=200, heldout_rows=150)
    for arm in ("random_1k", "random_10k", "random_100k", "ultra_1k", "ultra_10k", "longest_10k", "medium_1M", *more):
        fake.write_run(arm, "500M", **({"subset": "ultra_10k", "epochs": 10} if arm == "ultra_10k_x10" else {}))
    means = {"ultra_10k": 0.9, "random_10k": 0.5, "longest_10k": 0.6, "medium_1M": 0.55, "random_1k": 0.5,
             "band1_10k": 0.85, "band3_10k": 0.5, "band5_10k": 0.2}  # fmt: skip
    for subset, mean in means.items():
        write_arrow(tmp_path / "subsets" / subset, {"id": ["1", "2"], "quality": [mean - 0.1, mean + 0.1]})
    analysis = analyze_results.analyse(*analyze_results.load_runs(tmp_path), QUICK)
    summary = analysis["sizes"]["500M"]
    worth, bits = summary["score_usefulness"], summary["arms"]["bits_per_byte"]
    bands = [band for band in worth["bands"] if band["metric"] == "bits_per_byte"]
    assert [band["arm"] for band in bands] == ["band5_10k", "band3_10k", "band1_10k"]
    assert [band["score"] for band in bands] == pytest.approx([0.2, 0.5, 0.85])
    assert bands[0]["gain"] == pytest.approx(bits["random_1k"]["value"] - bits["band5_10k"]["value"])
    quality = worth["dimensions"]["quality"]
    equal = {"ultra_10k", "random_10k", "longest_10k", "band1_10k", "band3_10k", "band5_10k"}
    assert set(quality["rank_correlation"]["bits_per_byte"]["arms"]) == equal
    assert quality["test_bands_of"] == ["ultra_10k", "random_10k"] and len(quality["test_bands"]) == 5
    gained = bits["random_10k"]["value"] - bits["ultra_10k"]["value"]
    assert np.mean([band["gain"] for band in quality["test_bands"]]) == pytest.approx(gained, abs=0.01) and gained > 0
    dropped = {(item["dimension"], item["first"]) for item in worth["drop_one"]}
    assert dropped == {("clarity", "ultra_10k_no_clarity")}
    shown = {row[0]: row[-1] for row in tradeoff_tables.dimension_table(analysis)["cells"]}
    lost = bits["ultra_10k_no_clarity"]["value"] - bits["ultra_10k"]["value"]  # what ultra is better by
    assert shown["500M, clarity"].startswith(f"bits per byte {lost:+.3f}")
    tiers = {"ultra", "random", "medium", "band1", "band3", "band5"}  # the longest rows were picked by length
    assert set(summary["rank_correlation"]["bits_per_byte"]["tiers"]) == tiers
    points = summary["tradeoff"]["bits_per_byte"]["tiers"]["ultra"]["points"]
    assert [point["run"] for point in points if not point["used"]] == ["ultra_10k_x10_500M"]


def test_a_folder_of_another_name_makes_no_other_run_and_copies_are_no_seeds(tmp_path):
    fake = FakeStudy(tmp_path, prompts=60, heldout_rows=60)
    fake.write_run("longest_10k", "500M").rename(tmp_path / "ultra_10k_500M_s1")
    fake.write_run("random_10k", "500M").rename(tmp_path / "mine_s3")
    fake.write_run("ultra_10k", "500M")
    fake.write_run("ultra_10k", "500M", seed=7).rename(tmp_path / "ultra_10k_500M_s7")
    fake.write_run("ultra_10k", "500M")
    for name in ("ultra_10k_500M_s2", "ultra_10k_500M_s3"):
        shutil.copytree(tmp_path / "ultra_10k_500M", tmp_path / name)
    runs, left_out = load_runs(tmp_path)
    found = {run["folder"].name: (run["experiment"], run["arm"]) for run in runs}
    assert found["ultra_10k_500M_s1"] == ("longest_10k_500M", "longest_10k")
    assert found["mine_s3"] == ("random_10k_500M", "random_10k")
    assert found["ultra_10k_500M_s7"] == ("ultra_10k_500M_s7", "ultra_10k")
    analysis = analyse(runs, left_out, QUICK)
    assert analysis["sizes"]["500M"]["arms"]["bits_per_byte"]["ultra_10k"]["seeds"] == 2
    reasons = {item["experiment"]: item["reason"] for item in analysis["left_out"]}
    assert set(reasons) == {"ultra_10k_500M_s2", "ultra_10k_500M_s3"}
    assert reasons["ultra_10k_500M_s2"] == "it has the weights of ultra_10k_500M: no repeat"
    copied = next(run for run in runs if run["experiment"] == "ultra_10k_500M_s3")
    first = next(run for run in runs if run["experiment"] == "ultra_10k_500M")
    assert copied not in experiment_comparison.with_repeats(runs, first)


def test_any_two_runs_are_compared_on_what_both_took(curve_study):
    runs = {run["experiment"]: run for run in analyze_results.load_runs(curve_study)[0]}
    first, second = compare_groups([[runs["high_100k_500M"]], [runs["low_100k_500M"]]], QUICK)
    assert first["metric"] == "bits_per_byte" and first["difference"] > 0
    assert second["test"] == "exact McNemar" and second["n"] == 200


def test_a_comparison_takes_the_repeats_by_other_seeds(curve_study):
    loaded, _ = analyze_results.load_runs(curve_study)
    runs = {run["experiment"]: run for run in loaded}
    names = ["ultra_10k_500M", "ultra_10k_500M_s1", "ultra_10k_500M_s2"]
    comparison, compared = analyze_results.compare_runs(loaded, runs[names[0]], runs["low_100k_500M"])
    assert [run["seeds"] for run in comparison["runs"]] == [3, 1]
    assert [run["experiment"] for run in compared] == [*names, "low_100k_500M"]
    values = [runs[name]["metrics"]["task_completion"]["summary"]["task_completion"] for name in names]
    assert comparison["runs"][0]["metrics"]["task_completion"] == pytest.approx(np.mean(values))
    assert "and seeds" in comparison["contrasts"][1]["test"] and comparison["other_differences"] == ["epochs: 3 and 1"]
    said = experiment_comparison.cautions(comparison)
    assert any("(3 of ultra_10k_500M and 1 of low_100k_500M); low_100k_500M borrows" in words for words in said)
    for second in ("low_100k_500M", names[0]):  # a repeat that is named stands for itself
        comparison, compared = analyze_results.compare_runs(loaded, runs[names[1]], runs[second])
        assert [run["seeds"] for run in comparison["runs"]] == [1, 1] and len(compared) == 2
        assert any("other training seeds would differ" in words for words in experiment_comparison.cautions(comparison))


def test_a_repeat_on_other_data_or_by_another_recipe_is_none(curve_study):
    loaded, _ = analyze_results.load_runs(curve_study)
    runs = {run["experiment"]: run for run in loaded}
    runs["ultra_10k_500M_s1"]["train"]["provenance"]["inputs"] = {"subset": "other"}
    runs["ultra_10k_500M_s2"]["train"]["config"]["learning_rate"] = 1.0
    _, compared = analyze_results.compare_runs(loaded, runs["ultra_10k_500M"], runs["low_100k_500M"])
    assert len(compared) == 2


def test_the_benchmark_writes_its_studies(tmp_path):
    facts = run_analysis_benchmark(tmp_path, processes=1, studies=2, prompts=60)
    assert read_json(tmp_path / "benchmark" / "analysis.json")["cost"]["runs"] == facts["cost"]["runs"] == 24
