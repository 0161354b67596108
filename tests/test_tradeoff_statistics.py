"""Curves of planted truth, and hand-computed cases of what stands beside them."""

import numpy as np
import pytest

import tradeoff_statistics as curves
from analysis_benchmark import kappa_study

ROWS = np.array([1e3, 3e3, 1e4, 1e3, 3e3, 1e4, 3e4, 1e5])
TIERS = np.array(["ultra"] * 3 + ["random"] * 5)
KAPPA, ALPHA, E, A = 9.5, 0.18, 1.2, 1.5


def planted(noise=0.0, seed=0, kappa=KAPPA):
    losses = E + A * np.where(TIERS == "ultra", kappa * ROWS, ROWS) ** -ALPHA
    return losses + np.random.default_rng(seed).normal(0, noise, len(ROWS))


def test_an_exact_curve_is_found():
    fit = curves.fit_shared(ROWS, planted(), TIERS)
    assert fit["alpha"] == pytest.approx(ALPHA, rel=0.01) and fit["E"] == pytest.approx(E, abs=0.01)
    assert fit["A"]["random"] == pytest.approx(A, rel=0.02)
    found = curves.kappa(ROWS, planted(), TIERS)
    assert found["value"] == pytest.approx(KAPPA, rel=0.01) and found["degrees"] == 8 - 4  # E, alpha and an A for each


def test_a_profile_ends_where_it_crosses_the_limit_of_f():
    """1 + |x| crosses 1 + t^2 / df, with 2.77645 the t of 4 degrees, between points of the grid."""
    grid = np.arange(-3, 3.1, 0.5)
    ends = curves.profile_interval(grid, 1 + np.abs(grid), 4, 0.95)
    assert ends == pytest.approx((-(2.77645**2) / 4, 2.77645**2 / 4), abs=1e-4)
    assert curves.profile_interval(grid, 1 + np.maximum(grid, 0), 4, 0.95)[0] is None


@pytest.mark.parametrize("noise", [0.003, 0.01])
def test_kappas_interval_covers_the_planted_one(noise):
    record = kappa_study(noise, with_million=False, studies=60)
    assert record["identified"] >= 58 and record["covered_rate"] >= 0.88


def test_what_the_data_cannot_tell_is_said():
    flat = np.full(len(ROWS), 1.3) + np.random.default_rng(1).normal(0, 0.05, len(ROWS))
    result = curves.kappa(ROWS, flat, TIERS)
    assert not result["identified"] and result["why"]
    few = curves.kappa(ROWS[[2, 5, 7]], planted()[[2, 5, 7]], TIERS[[2, 5, 7]])
    assert not few["identified"] and few["value"] is None and "degree of freedom" in few["why"]
    rising = curves.kappa(ROWS, -planted(), TIERS)
    assert rising["value"] is None and "does not fall" in rising["why"]


def test_draws_without_any_slope_have_no_kappa_and_no_warning():
    draws = np.stack([planted(), np.full(len(ROWS), 1.3), -planted()])
    with np.errstate(all="raise"):
        found = curves.kappa_draws(ROWS, draws, TIERS)
    assert found[0] == pytest.approx(KAPPA, rel=0.1) and np.isnan(found[1:]).all()


def test_one_exponent_is_kept_where_it_is_true_and_given_up_where_it_is_not():
    assert curves.exponent_test(ROWS, planted(0.005), TIERS)["p"] > 0.05
    apart = E + np.where(TIERS == "ultra", 30 * ROWS**-0.6, 3 * ROWS**-0.15)
    test = curves.exponent_test(ROWS, apart + np.random.default_rng(0).normal(0, 0.002, len(ROWS)), TIERS)
    assert test["p"] < 0.01 and test["degrees"] == 3


def test_aicc_by_hand_and_the_better_form():
    assert curves.aicc(0.5, 10, 2) == pytest.approx(10 * np.log(0.05) + 6 + 24 / 6)
    assert curves.aicc(0.5, 4, 2) is None
    forms = curves.compare_forms(ROWS, planted(1e-4), TIERS, None)
    assert forms["shared_exponent"] < forms["one_curve_for_all"] and forms["shared_exponent"] < forms["constant"]
    losses = planted(0.01)
    sums = [curves.fit_shared(ROWS, losses, TIERS)["rss"], 0.02, np.sum((losses - losses.mean()) ** 2)]
    forms = curves.compare_forms(ROWS, losses, TIERS, 0.02)
    found = [forms[name] for name in ("shared_exponent", "exponent_per_tier", "constant")]
    assert found == pytest.approx([curves.aicc(rss, 8, k) for rss, k in zip(sums, (4, 5, 1), strict=True)])


def test_n80_solves_the_planted_curve():
    target = E + A * (KAPPA * 5_000) ** -ALPHA
    found = curves.n80(ROWS, planted(0.002), TIERS, "ultra", target)
    assert found["identified"] and found["interval"][0] < 5_000 < found["interval"][1]
    assert found["value"] == pytest.approx(5_000, rel=0.2)
    far = curves.n80(ROWS, planted(0.0001), TIERS, "ultra", E + A * (KAPPA * 20_000) ** -ALPHA)
    assert far["identified"] and far["why"] == "extrapolated beyond the arms"
    never = curves.n80(ROWS, planted(0.001), TIERS, "ultra", E - 0.5)
    assert never["value"] is None and "no number of rows" in never["why"]
    assert "missing" in curves.n80(ROWS, planted(), TIERS, "ultra", None)["why"]


def test_the_target_is_one_more_measurement_of_variance_068():
    """The profile against least squares in other parameters: E and the tiers' A, with the value at N80 a row."""
    losses, target, number = planted(0.01), 1.45, 4_000.0
    found = curves.n80_profile(ROWS, losses, TIERS, "ultra", target, 0.8, np.log([number]))
    sums = []
    for alpha in curves.ALPHAS:
        power = (ROWS / number) ** -alpha
        design = np.stack([np.ones(8), power * (TIERS == "ultra"), power * (TIERS == "random")], axis=1)
        design = np.vstack([design, np.array([1, 1, 0]) / np.sqrt(0.68)])
        measured = np.append(losses, target / np.sqrt(0.68))
        sums.append(np.sum((design @ np.linalg.lstsq(design, measured, rcond=None)[0] - measured) ** 2))
    assert found == pytest.approx([min(sums)], rel=1e-6)


def test_effective_rows_by_hand():
    assert curves.effective_rows(100, 1, 15.4) == 100
    assert curves.effective_rows(100, 3, 15.4) == pytest.approx(100 + 1540 * (1 - np.exp(-2 / 15.4)))
    assert curves.effective_rows(100, 1e9, 15.4) == pytest.approx(1640)


def test_repetition_needs_two_numbers_of_epochs_and_finds_a_planted_constant():
    rows, tiers = np.append(ROWS, [1e4, 1e4]), np.append(TIERS, ["ultra", "ultra"])
    epochs = np.array([1.0] * 8 + [10, 30])
    subsets = np.array([f"{tier}_{number:.0f}" for tier, number in zip(tiers, rows, strict=True)])
    effective = curves.effective_rows(rows, epochs, 8.0)
    losses = E + A * np.where(tiers == "ultra", KAPPA, 1) ** -ALPHA * effective**-ALPHA
    losses = losses + np.random.default_rng(0).normal(0, 0.001, 10)
    found = curves.repetition(rows, epochs, losses, tiers, subsets)
    assert found["identified"] and found["interval"][0] < 8 < found["interval"][1]
    none = curves.repetition(ROWS, np.ones(8), planted(), TIERS, subsets[:8])
    assert none["value"] is None and "two numbers of epochs" in none["why"]


def test_falling_fit_by_hand():
    fitted = curves.falling_fit(np.array([[3.0, 1.0, 2.0, 0.0], [1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_allclose(fitted, [[3, 1.5, 1.5, 0], [2.5, 2.5, 2.5, 2.5]])


def test_rows_at_loss_interpolates_in_log_rows_and_censors():
    rows, curve = np.array([10.0, 1000.0]), np.array([[2.0, 1.0]] * 4)
    found = curves.rows_at_loss(rows, curve, np.array([1.5, 3.0, 0.5, 2.0]))
    np.testing.assert_allclose(found, [100, 0, np.inf, 10])
    record = curves.censored_record(np.inf, np.full(10, np.inf), rows, 0.95)
    assert record["value"] is None and record["censored"] == "above"
    record = curves.censored_record(0, np.array([0, 0, 20, 30, 30]), rows, 0.95, factor=10)
    assert record["value"] is None and record["censored"] == "below" and record["interval"] == [None, 3]
    assert (record["rows_min"], record["rows_max"]) == (1, 100)
