"""Hand-computed cases, and simulated studies whose truth is known."""

from statistics import NormalDist

import numpy as np
import pytest

import analysis_benchmark
import retention_statistics as statistics

SHARE, CONFIDENCE = 0.8, 0.95


def simulate_passes(rng, rates, prompts):
    """Pass/fail of several models on shared prompts, (models, prompts): correlated by the prompts' difficulty."""
    difficulty = rng.standard_normal(prompts)
    ability = 0.8 * difficulty + 0.6 * rng.standard_normal((len(rates), prompts))
    return (ability < np.array([[NormalDist().inv_cdf(rate)] for rate in rates])).astype(float)


def simulate_bits(rng, levels, rows):
    """Minus bits and bytes, (models, rows) each: long and short rows, losses correlated across models."""
    size = np.round(rng.lognormal(5, 0.8, rows)) + 1
    per_byte = np.array(levels)[:, None] + rng.normal(0, 0.25, rows) + rng.normal(0, 0.1, (len(levels), rows))
    return -per_byte * size, np.tile(size, (len(levels), 1))


def retention_of(numerators, denominators, seed, draws=500):
    points = statistics.ratio_of_sums(numerators, denominators)
    resampled = statistics.bootstrap_ratios(numerators, denominators, draws, seed)
    return statistics.retention(points, resampled, numerators.shape[1], SHARE, CONFIDENCE)


def simulate_retentions(make, studies=400):
    results = []
    for seed in range(studies):
        numerators, denominators = make(np.random.default_rng(seed))
        results.append(retention_of(numerators, denominators, seed))
    return results


def covered_fraction(results, key, truth):
    return np.mean([result[key][0] <= truth <= result[key][1] for result in results])


def test_ratio_of_sums_and_bootstrap_against_a_plain_loop():
    numerators = np.array([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 4.0, 0.0]])
    denominators = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 2.0]])
    assert statistics.ratio_of_sums(numerators, denominators).tolist() == [0.75, 0.5]
    draws = statistics.bootstrap_ratios(numerators, denominators, 7, seed=3)
    picked = np.random.default_rng(3).integers(0, 4, size=(7, 4))
    for draw, rows in zip(draws, picked, strict=True):
        expected = [n[rows].sum() / d[rows].sum() for n, d in zip(numerators, denominators, strict=True)]
        np.testing.assert_allclose(draw, expected)


def test_bootstrap_is_the_same_for_a_seed_and_in_chunks(monkeypatch):
    values = np.random.default_rng(0).random((3, 50))
    whole = statistics.bootstrap_ratios(values, np.ones_like(values), 40, seed=1)
    monkeypatch.setattr(statistics, "CHUNK_VALUES", 50 * 7)
    np.testing.assert_allclose(statistics.bootstrap_ratios(values, np.ones_like(values), 40, seed=1), whole)


def test_bootstrap_pairs_the_runs():
    values = np.random.default_rng(0).random((1, 200))
    twins = statistics.bootstrap_ratios(np.repeat(values, 2, axis=0), np.ones((2, 200)), 100, seed=0)
    np.testing.assert_array_equal(twins[:, 0], twins[:, 1])


def test_wilson_interval_by_hand():
    low, high = statistics.wilson_interval(0, 10)
    assert low == 0 and high == pytest.approx(0.2775, abs=1e-4)
    assert statistics.wilson_interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert statistics.wilson_interval(10, 10)[1] == 1


def test_mcnemar_by_hand():
    first = np.array([True] * 6 + [False] * 1 + [True] * 5)
    second = np.array([False] * 6 + [True] * 1 + [True] * 5)
    assert statistics.mcnemar_p(first, second) == pytest.approx(2 * (1 + 7) / 2**7)
    assert statistics.mcnemar_p(second, first) == pytest.approx(2 * (1 + 7) / 2**7)
    assert statistics.mcnemar_p(first, first) == 1


def test_mcnemar_stays_finite_for_thousands_of_discordant_prompts():
    first = np.arange(4_000) % 3 > 0
    assert 0 < statistics.mcnemar_p(first, ~first) < 1e-50


def test_sign_flip_against_all_sign_patterns():
    differences = np.array([0.9, 0.4, 0.7, -0.1, 0.5])
    patterns = np.array(np.meshgrid(*[[-1, 1]] * 5)).reshape(5, -1).T
    exact = np.mean(np.abs(patterns @ differences) >= abs(differences.sum()) - 1e-12)
    assert statistics.sign_flip_p_values(differences[None], 20_000, seed=0)[0] == pytest.approx(exact, abs=0.01)
    assert statistics.sign_flip_p_values(np.zeros((1, 5)), 100, seed=0) == [1]
    assert statistics.sign_flip_p_values(np.ones((1, 60)), 99, seed=0) == [1 / 100]  # never 0


def test_bootstrap_p_by_hand():
    """4 of 99 draws lie beyond zero, and each side counts."""
    assert statistics.bootstrap_p(np.array([-1.0] * 4 + [1.0] * 95)) == pytest.approx(2 * 5 / 100)
    assert statistics.bootstrap_p(np.zeros(9)) == 1


def test_sign_flip_is_level_under_no_effect():
    rng = np.random.default_rng(5)
    p_values = statistics.sign_flip_p_values(rng.standard_t(4, (400, 60)), 2_000, seed=0)
    assert 0.03 <= np.mean(np.array(p_values) < 0.05) <= 0.07


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.6, 0.7]) == [1, 1]
    assert statistics.holm([]) == []


def normal_draws(standard_error):
    """10,000 draws of a normal distribution, evenly over its quantiles."""
    return standard_error * np.array([NormalDist().inv_cdf((index + 0.5) / 10_000) for index in range(10_000)])


def test_minimum_detectable_effect_is_the_textbook_sum():
    effect = statistics.minimum_detectable_effect
    assert effect(normal_draws(1), 0.95, sides=2) == pytest.approx(1.95996 + 0.84162, abs=2e-3)
    assert effect(normal_draws(2), 0.95, sides=1) == pytest.approx(2 * (1.64485 + 0.84162), abs=2e-3)
    assert effect(np.zeros(9), 0.95, sides=2) is None
    few = effect(normal_draws(1), 0.95, sides=2, units=10)  # Student's t, 9 degrees: 2.2622 and 0.8834
    assert few == pytest.approx((2.26216 + 0.88340) * (10 / 9) ** 0.5, abs=1e-2)


@pytest.mark.parametrize("degrees, quantiles", [(1, 12.706 + 1.3764), (2, 4.3027 + 1.0607)])
def test_minimum_detectable_effect_of_two_or_three_seeds_is_a_number_that_can_be_used(degrees, quantiles):
    """Of so few degrees of freedom draws have no finite variance: their standard deviation is that of the worst one."""
    spread = {"degrees": degrees, "sd": 0.01, "sd_of_examples": 0.0}
    draws = statistics.arm_draws(np.zeros((10_000, 2)), [[0], [1]], spread, seed=0) @ [1, -1]
    effect = statistics.minimum_detectable_effect(draws, 0.95, sides=2)
    assert effect == pytest.approx(0.01 * 2**0.5 * quantiles, rel=0.1)


@pytest.mark.parametrize("rows, units", [(300, None), (12, 12)])
def test_minimum_detectable_effect_is_found_at_80_percent(rows, units):
    rng = np.random.default_rng(0)
    spread = 0.4
    drawn = spread / np.sqrt(rows) * np.sqrt((rows - 1) / rows)  # the spread that a bootstrap shows on average
    effect = statistics.minimum_detectable_effect(normal_draws(drawn), 0.95, 2, units)
    found = [
        statistics.percentile_interval(
            statistics.bootstrap_ratios(rng.normal(effect, spread, (1, rows)), np.ones((1, rows)), 400, study),
            units=units,
        )[0] > 0
        for study in range(400)
    ]  # fmt: skip
    assert 0.75 <= np.mean(found) <= 0.85


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [((0.1, 0.2), "supported"), ((-0.2, -0.1), "refuted"), ((-0.1, 0.1), "inconclusive"), ((0, 0), "inconclusive")],
)
def test_verdict_of(bounds, verdict):
    assert statistics.verdict_of(*bounds) == verdict


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "inconclusive"], "inconclusive"),
        (["supported", "not tested"], "not tested"),
        (["inconclusive", "not tested"], "not tested"),
        (["refuted", "not tested"], "refuted"),
        (["refuted", "supported"], "refuted"),
        ([], "not tested"),
    ],
)
def test_overall_verdict(parts, verdict):
    assert statistics.overall_verdict(parts) == verdict


def test_retention_by_hand():
    points = np.array([0.5, 0.6, 0.2])
    draws = points + np.zeros((100, 3))
    result = statistics.retention(points, draws, 100, SHARE, CONFIDENCE)
    assert result["T"] == pytest.approx(0.5 - 0.48 - 0.04)
    assert result["R"] == pytest.approx(0.75)
    assert result["R_interval"] == pytest.approx([0.75, 0.75])
    assert result["verdict"] == "refuted"


def test_bounds_of_few_units_are_students_one_sided_for_T_and_two_sided_for_gain_and_R():
    """Draws over 12 units: t of 11 degrees is 1.7959 and 2.2010, widened by sqrt(12 / 11) since draws spread less."""
    noise, widened = np.random.default_rng(0).standard_normal(200_000), np.sqrt(12 / 11)
    points = np.array([9.0, 10.0, 0.0])
    by_ultra = points + noise[:, None] * [1, 0, 0]
    result = statistics.retention(points, by_ultra, 100, SHARE, CONFIDENCE, units=12)
    assert [result["T_lower"] - 1, result["T_upper"] - 1] == pytest.approx(
        [-1.7959 * widened, 1.7959 * widened], abs=0.03
    )
    assert np.array(result["T_interval"]) - 1 == pytest.approx([-2.2010 * widened, 2.2010 * widened], abs=0.04)
    assert np.array(result["R_interval"]) - 0.9 == pytest.approx([-0.22010 * widened, 0.22010 * widened], abs=0.004)
    assert result["T_minimum_detectable"] == pytest.approx((1.7959 + 0.8755) * widened, abs=0.01)
    by_medium = points + noise[:, None] * [0, 1, 0]
    gains = statistics.retention(points, by_medium, 100, SHARE, CONFIDENCE, units=12)["gain_interval"]
    assert np.array(gains) - 10 == pytest.approx([-2.2010 * widened, 2.2010 * widened], abs=0.04)
    assert statistics.contrast(0.0, noise, CONFIDENCE)["minimum_detectable"] == pytest.approx(2.8016, abs=0.02)


def test_draws_without_any_gain_leave_the_ratio_a_number():
    points = np.array([0.5, 0.6, 0.2])
    draws = points + np.zeros((1_000, 3))
    draws[:10] = 0.2  # in a hundredth of the draws all three are the same: 0 / 0
    assert statistics.retention(points, draws, 100, SHARE, CONFIDENCE)["R_interval"] == pytest.approx([0.75, 0.75])


def test_no_ratio_where_medium_gains_nothing():
    rng = np.random.default_rng(0)
    draws = np.array([0.3, 0.3, 0.3]) + rng.normal(0, 0.01, (1_000, 3))
    result = statistics.retention(np.array([0.3, 0.3, 0.3]), draws, 100, SHARE, CONFIDENCE)
    assert result["R"] is None and result["R_interval"] is None and "not clear of zero" in result["R_missing_because"]


def test_a_model_that_learnt_nothing_is_no_support_where_medium_learnt_less_than_nothing():
    """Level with the anchor, above medium: T > 0, without any gain that could be kept."""
    points = np.array([0.50, 0.40, 0.50])
    result = statistics.retention(points, points + np.zeros((50, 3)), 100, SHARE, CONFIDENCE)
    assert result["T"] > 0 and result["verdict"] == "inconclusive" and "no gain to keep" in result["verdict_note"]


@pytest.mark.parametrize("ultra, verdict, side", [(0.6, "supported", "above"), (0.4, "refuted", "below")])
def test_without_a_clear_gain_a_verdict_says_what_it_does_not_say(ultra, verdict, side):
    draws = np.array([[ultra, 0.5 + step, 0.5 - step] for step in np.linspace(-0.02, 0.03, 200)])
    result = statistics.retention(np.array([ultra, 0.505, 0.495]), draws, 100, SHARE, CONFIDENCE)
    assert result["verdict"] == verdict and result["R"] is None and f"lies {side} the mark" in result["verdict_note"]


def test_medium_below_the_anchor_is_never_a_refutation():
    points = np.array([0.41, 0.40, 0.50])  # ultra beats medium, and yet T < 0
    result = statistics.retention(points, points + np.zeros((50, 3)), 100, SHARE, CONFIDENCE)
    assert result["T"] < 0 and result["verdict"] == "inconclusive" and "no gain to keep" in result["verdict_note"]


def test_few_examples_give_no_verdict():
    points = np.array([0.9, 0.5, 0.1])
    result = statistics.retention(points, points + np.zeros((50, 3)), 29, SHARE, CONFIDENCE)
    assert result["verdict"] == "inconclusive" and "29 examples" in result["verdict_note"]
    assert result["R"] is None and "29 examples" in result["R_missing_because"]
    assert statistics.retention(points, points + np.zeros((50, 3)), 30, SHARE, CONFIDENCE)["verdict"] == "supported"


def test_raw_ratio_points_the_same_way_for_both_kinds_of_metric():
    passes = np.array([0.4, 0.5])
    assert statistics.raw_ratio(passes, np.tile(passes, (10, 1)), 0.95)["value"] == pytest.approx(0.8)
    bits = np.array([-1.0, -0.8])
    assert statistics.raw_ratio(bits, np.tile(bits, (10, 1)), 0.95)["value"] == pytest.approx(0.8)
    zero = np.array([0.4, 0.0])
    assert statistics.raw_ratio(zero, np.tile(zero, (10, 1)), 0.95)["value"] is None
    assert statistics.raw_ratio(passes, np.array([[0.4, 0.5], [0.4, 0.0]]), 0.95)["value"] is None
    draws = np.column_stack([np.full(100, 0.4), np.linspace(-0.1, 1.1, 100)])  # seeds: a share may be drawn below none
    assert statistics.raw_ratio(passes, draws, 0.95) == {"value": None, "low": None, "high": None}
    draws[:, 1], draws[:10, 0] = 0.5, -0.1
    assert statistics.raw_ratio(passes, draws, 0.95) == pytest.approx({"value": 0.8, "low": 0.0, "high": 0.8})
    draws[:, 0], draws[0, 1] = 0.4, -0.1
    assert statistics.raw_ratio(passes, draws, 0.95) == pytest.approx({"value": 0.8, "low": 0.8, "high": 0.8})


def test_intervals_of_task_completion_cover_a_planted_truth():
    rates = [0.45, 0.5, 0.2]

    def make(rng):
        passes = simulate_passes(rng, rates, 250)
        return passes, np.ones_like(passes)

    results = simulate_retentions(make)
    truth = rates[0] - SHARE * rates[1] - (1 - SHARE) * rates[2]
    assert 0.93 <= covered_fraction(results, "T_interval", truth) <= 0.97
    assert 0.93 <= covered_fraction(results, "R_interval", 0.25 / 0.3) <= 0.97


def test_intervals_of_bits_per_byte_cover_a_planted_truth():
    levels = [0.90, 0.80, 1.10]
    results = simulate_retentions(lambda rng: simulate_bits(rng, levels, 400))
    truth = -levels[0] + SHARE * levels[1] + (1 - SHARE) * levels[2]
    assert 0.93 <= covered_fraction(results, "T_interval", truth) <= 0.97


def test_false_support_just_under_the_line_stays_near_5_percent():
    rates = [0.4395, 0.5, 0.2]  # R = 0.798

    def make(rng):
        passes = simulate_passes(rng, rates, 250)
        return passes, np.ones_like(passes)

    verdicts = [result["verdict"] for result in simulate_retentions(make)]
    assert verdicts.count("supported") / len(verdicts) <= 0.06
    assert verdicts.count("refuted") / len(verdicts) <= 0.08  # it is under the line, if only just


def test_a_strong_effect_is_found_both_ways():
    rng = np.random.default_rng(0)
    passes = simulate_passes(rng, [0.6, 0.6, 0.2], 2_000)
    assert retention_of(passes, np.ones_like(passes), 0)["verdict"] == "supported"
    passes = simulate_passes(rng, [0.3, 0.6, 0.2], 2_000)
    assert retention_of(passes, np.ones_like(passes), 0)["verdict"] == "refuted"


def test_where_nearly_all_pass_chance_supports_no_claim_that_fails():
    """T = 0 at the ceiling: medium passes all of 100 prompts, which resampled knows no failure at all."""
    scenario, studies = {"rates": [0.9799, 0.9999, 0.9]}, 300
    found = analysis_benchmark.retention_study(scenario, studies, 100, 500, 1)
    assert found["supported_rate"] <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies) and found["R_shown"] == 0
    floor = analysis_benchmark.retention_study({"rates": [0.03, 0.03, 0.03]}, studies, 60, 500, 1)
    assert floor["refuted_rate"] <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)


def test_a_clear_case_stays_clear_where_ultra_passes_nothing():
    passes = np.array([[0.0] * 600, [1.0, 0.0] * 300, [0.0] * 600])
    draws = statistics.bootstrap_ratios(passes, np.ones_like(passes), 1_000, 0)
    result = statistics.retention(passes.mean(axis=1), draws, 600, 0.8, 0.95, proportion=True)
    assert result["verdict"] == "refuted" and result["R"] is None and "fewer than 5" in result["R_missing_because"]
    assert result["T_minimum_detectable"] is None


def test_the_interval_of_a_sum_of_shares_by_hand():
    """One share alone has Wilson's interval; of a difference the two distances are put together by their squares."""
    low, high = statistics.wilson_interval(3, 50)
    assert statistics.wilson_sum(np.array([0.06]), np.array([1.0]), 50) == pytest.approx((low, high))
    assert statistics.wilson_sum(np.array([0.06]), np.array([-2.0]), 50) == pytest.approx((-2 * high, -2 * low))
    found = statistics.wilson_sum(np.array([0.06, 0.06]), np.array([1.0, -1.0]), 50)
    apart = np.sqrt((0.06 - low) ** 2 + (high - 0.06) ** 2)
    assert found == pytest.approx((-apart, apart))
