"""Simulated studies of known truth: does the analysis cover it, and what does the whole analysis cost?

    python benchmark.py analysis

Reads  nothing
Writes <results>/benchmark/analysis.json

Retention: pass/fail of three arms on shared prompts, whose training differs by seed; at the boundary R = 0.8, just
under it, near the floor and at the ceiling, with no gain kept, and with all of it. Kappa: eight or nine arms on curves
of a planted exchange rate. Cost: 24 runs on 3,000 prompts and rows. The numbers are of simulations and are never
results.
"""

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import NormalDist

import numpy as np

import retention_statistics as statistics
import tradeoff_statistics as curves
from common import hash_strings, provenance, require_writable, write_json
from study_analysis import analyse
from training_configs import ARMS, CLAIM, SUBSETS

PROMPTS, STUDIES, DRAWS = 3_000, 500, 2_000
KAPPA, ALPHA, KAPPA_STUDIES = 9.5, 0.18, 200
# Pass rates of ultra, medium, anchor; seeds of each; sd between seeds; families, how a rate differs by them.
SCENARIOS = {
    "boundary, R = 0.8": {"rates": [0.44, 0.5, 0.2]},
    "just under, R = 0.79": {"rates": [0.437, 0.5, 0.2]},
    "boundary, 3 seeds": {"rates": [0.44, 0.5, 0.2], "seeds": [3, 3, 3], "seed_sd": 0.01},
    "just under, 3, 1, 3 seeds": {"rates": [0.437, 0.5, 0.2], "seeds": [3, 1, 3], "seed_sd": 0.01},
    "boundary, 25 families": {"rates": [0.44, 0.5, 0.2], "families": 25, "family_sd": 0.1},
    "boundary near the floor": {"rates": [0.0168, 0.02, 0.004]},
    "boundary at the ceiling": {"rates": [0.9789, 0.9989, 0.899]},
    "null, R = 0": {"rates": [0.2, 0.5, 0.2], "seeds": [3, 1, 3], "seed_sd": 0.01},
    "strong, R = 1": {"rates": [0.5, 0.5, 0.2], "seeds": [3, 1, 3], "seed_sd": 0.01},
}


# ---------------------------------------------------------------------------------------------------------------------
# Retention


def simulate_study(rng, rates, prompts, seeds=(1, 1, 1), seed_sd=0.0, families=None, family_sd=0.0):
    """Pass/fail (runs, prompts), the runs of each arm, a family per prompt; hard prompts are hard for all."""
    family = np.arange(prompts) % families if families else np.arange(prompts)
    difficulty, quantile = rng.standard_normal(prompts), np.vectorize(NormalDist().inv_cdf)
    passes, groups = [], []
    for rate, count in zip(rates, seeds, strict=True):
        groups.append(list(range(len(passes), len(passes) + count)))
        by_family = rng.normal(0, family_sd, families) if families else np.zeros(1)
        for _ in range(count):
            levels = quantile(np.clip(rate + by_family + rng.normal(0, seed_sd), 1e-3, 1 - 1e-3))
            ability = 0.8 * difficulty + 0.6 * rng.standard_normal(prompts)
            passes.append(ability < (levels[family] if families else levels))
    return np.array(passes, dtype=float), groups, family


def retention_once(scenario: dict, prompts: int, draws: int, seed: int) -> dict:
    """One simulated study: whether T's and R's intervals cover the truth, and the verdict."""
    rates = np.array(scenario["rates"])
    passes, groups, family = simulate_study(np.random.default_rng([seed, 11]), prompts=prompts, **scenario)
    units = scenario.get("families")
    sums, sizes = (statistics.unit_sums(x, family) if units else x for x in (passes, np.ones_like(passes)))
    run_draws = statistics.bootstrap_ratios(sums, sizes, draws, seed)
    points = statistics.ratio_of_sums(sums, sizes)
    arm = statistics.arm_draws(run_draws, groups, statistics.seed_spread(points, groups, run_draws), seed)
    means = np.array([points[group].mean() for group in groups])
    result = statistics.retention(means, arm, prompts, 0.8, 0.95, units, proportion=True)
    truth, ratio = rates @ [1, -0.8, -0.2], (rates[0] - rates[2]) / (rates[1] - rates[2])
    shown = result["R_interval"]
    return {
        "T": bool(result["T_interval"][0] <= truth <= result["T_interval"][1]),
        "R": None if shown is None else bool(shown[0] <= ratio <= shown[1]),
        "verdict": result["verdict"],
    }


def retention_study(scenario: dict, studies: int, prompts: int, draws: int, processes: int) -> dict:
    once = partial(retention_once, scenario, prompts, draws)
    if processes == 1:
        results = [once(study) for study in range(studies)]
    else:
        with ProcessPoolExecutor(processes) as pool:
            results = list(pool.map(once, range(studies), chunksize=max(1, studies // (4 * processes))))
    shown = [result["R"] for result in results if result["R"] is not None]
    verdicts = [result["verdict"] for result in results]
    rates = {f"{word}_rate": verdicts.count(word) / studies for word in ("supported", "refuted", "inconclusive")}
    return {
        **scenario, "studies": studies, "prompts": prompts, **rates,
        "T_covered_rate": float(np.mean([result["T"] for result in results])),
        "R_covered_rate": float(np.mean(shown)) if shown else None, "R_shown": len(shown),
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Kappa


def kappa_study(noise: float, with_million: bool, studies: int) -> dict:
    """How often kappa's interval covers the planted one, over `studies` of eight or nine runs with `noise` in nats."""
    sizes = [1e3, 3e3, 1e4, 1e3, 3e3, 1e4, 3e4, 1e5, *([1e6] if with_million else [])]
    rows, tiers = np.array(sizes), np.array(["ultra"] * 3 + ["random"] * (len(sizes) - 3))
    losses = 1.2 + 1.5 * np.where(tiers == "ultra", KAPPA * rows, rows) ** -ALPHA
    results = [
        curves.kappa(rows, losses + np.random.default_rng([study, 5]).normal(0, noise, len(rows)), tiers)
        for study in range(studies)
    ]
    closed = [result["interval"] for result in results if result["identified"]]
    covered = [low <= KAPPA <= high for low, high in closed]
    return {
        "noise_nats": noise, "runs": len(rows), "studies": studies, "identified": len(closed),
        "covered_rate": float(np.mean(covered)) if closed else None,
        "median_interval": np.median(closed, axis=0).tolist() if closed else None,
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Cost


def simulated_runs(examples: int) -> list[dict]:
    """Every arm of the study but the last at one size, as `load_runs` would give them: 24 runs."""
    rng = np.random.default_rng(0)
    hardness, size = rng.normal(0, 0.25, examples), rng.integers(40, 900, examples).astype(float)
    names = np.array([f"family-{index % 25}" for index in range(examples)])
    return [simulated_run(rng, arm, hardness, size, names) for arm in list(ARMS)[:24]]


def simulated_run(rng, arm: str, hardness, size, names) -> dict:
    subset, examples = ARMS[arm]["subset"], len(size)
    rows = SUBSETS[subset]["rows"] if subset else 0
    level = 1.4 * (rows + 100) ** -0.1 + rng.normal(0, 0.003)
    bits = np.maximum(level + hardness + rng.normal(0, 0.08, examples), 0.01) * size
    test = {"hash": hash_strings(["simulated"])}
    shared = {"test": test, "summary": {}, "family": names, "instruction": np.arange(examples), "scores": {}}
    metrics = {
        "bits_per_byte": {**shared, "numerators": -bits, "denominators": size},
        "task_completion": {
            **shared, "denominators": np.ones(examples),
            "numerators": (hardness + rng.normal(0, 0.2, examples) < 0.5 - level).astype(float),
        },
    }  # fmt: skip
    train = {"config": {"epochs": ARMS[arm].get("epochs", 1)}, "tokens": rows * 300, "train_seconds": rows / 100}
    return {
        "experiment": f"{arm}_500M", "size": "500M", "arm": arm, "subset": subset, "seed": 0, "rows": rows,
        "rule": SUBSETS.get(subset, {}).get("rule"), "folder": Path(arm), "train": train, "metrics": metrics,
        "generation": None, "quality_bands": None, "subset_scores": None, "subset_facts": None, "files": [],
    }  # fmt: skip


def cost_of_analysis(examples: int) -> dict:
    """Seconds of CPU of the computing part (no figures) for 24 runs, and the most memory this process held."""
    runs = simulated_runs(examples)
    started = time.process_time()
    analyse(runs, [], CLAIM)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"runs": len(runs), "examples": examples, "cpu_seconds": time.process_time() - started, "peak_gib": peak}


# ---------------------------------------------------------------------------------------------------------------------
# The stage


def run_analysis_benchmark(results_dir: str, processes: int, studies: int = STUDIES, prompts: int = PROMPTS) -> dict:
    """Everything above, printed and written to <results>/benchmark/analysis.json."""
    started, folder = time.time(), require_writable(Path(results_dir) / "benchmark")
    facts = {"cost": cost_of_analysis(prompts), "retention": {}, "kappa": []}
    print(f"24 runs x {prompts:,}: {facts['cost']['cpu_seconds']:.1f} s of CPU, {facts['cost']['peak_gib']:.2f} GiB")
    kappa_studies = min(KAPPA_STUDIES, studies)
    for with_million in (False, True):
        for noise in (0.003, 0.01, 0.02):
            facts["kappa"].append(record := kappa_study(noise, with_million, kappa_studies))
            covered = "-" if record["covered_rate"] is None else f"{record['covered_rate']:.1%}"
            print(f"kappa, {record['runs']} runs, {noise} nats: identified {record['identified']}, covered {covered}")
    for name, scenario in SCENARIOS.items():
        record = facts["retention"][name] = retention_study(scenario, studies, prompts, DRAWS, processes)
        print(
            f"{name:28s} T covered {record['T_covered_rate']:.1%}, supported {record['supported_rate']:.1%}", flush=True
        )
    config = {"studies": studies, "prompts": prompts, "draws": DRAWS, "kappa": KAPPA, "alpha": ALPHA}
    facts = {"config": config, "provenance": provenance(started, {}), **facts}
    write_json(folder / "analysis.json", facts)
    print(f"\nwritten: {folder / 'analysis.json'}")
    return facts
