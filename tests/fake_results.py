"""A results folder with simulated runs, for tests and for developing figures. Its numbers never leave the tests."""

import json
from pathlib import Path

import numpy as np
import pyarrow

import arrow_files

SOURCES = ["open-assistant", "math & code", "wiki <qa>", "stories"]
FAMILIES = ["arithmetic", "sorting", "counting", "copy_words", "extraction", "json_format"]
DIMENSIONS = ["quality", "clarity", "response_quality", "diversity", "complexity"]

# The true pass rate and bits per byte of each arm, its rows at full scale, and its epochs.
ARMS = {
    "base": (0.10, 1.10, None, None),
    "random_1k": (0.20, 0.95, 1_000, 1),
    "ultra_1k": (0.23, 0.935, 1_000, 3),
    "ultra_10k": (0.38, 0.86, 10_000, 3),
    "random_10k": (0.33, 0.875, 10_000, 3),
    "longest_10k": (0.29, 0.90, 10_000, 3),
    "high_100k": (0.45, 0.83, 100_000, 1),
    "low_100k": (0.28, 0.92, 100_000, 1),
    "random_100k": (0.42, 0.835, 100_000, 1),
    "medium_1M": (0.52, 0.80, 1_000_000, 1),
}
SIZE_SHIFT = {"500M": 0.0, "1B": 0.08, "small": -0.1, "demo": -0.05}


def write_arrow(folder: Path, columns: dict) -> None:
    arrow_files.write_arrow(folder, pyarrow.table(columns))


def write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


class FakeStudy:
    """Prompts and held-out rows shared by every run, and the noise that runs share."""

    def __init__(self, folder, prompts=600, heldout_rows=500, scale=0.02, seed=0):
        self.folder, self.scale, self.rng = Path(folder), scale, np.random.default_rng(seed)
        self.scale_label = "full scale" if scale == 1 else f"scale 1:{round(1 / scale)}"
        self.prompts, self.heldout_rows = prompts, heldout_rows
        self.models, self.trained = {}, 0
        self.difficulty = self.rng.standard_normal(prompts)
        self.bytes = self.rng.integers(40, 900, heldout_rows)
        self.row_loss = self.rng.normal(0, 0.25, heldout_rows)
        self.scores = {name: self.rng.beta(5, 3, heldout_rows) for name in DIMENSIONS}

    def write_run(self, arm: str, size: str, suite_hash="suite-1", heldout_hash="heldout-1", **config) -> Path:
        """One finished run: training, evaluation, quality bands and generations."""
        rate, bits_per_byte, rows, epochs = ARMS[arm]
        shift = SIZE_SHIFT[size]
        folder = self.folder / f"{arm}_{size}"
        rows = None if rows is None else max(20, round(rows * self.scale))
        model = {"500M": "jhu-clsp/ettin-decoder-400m", "1B": "jhu-clsp/ettin-decoder-1b"}.get(size)
        config = {
            "experiment": f"{arm}_{size}", "subset": None if arm == "base" else arm, "size": size,
            "family": "ettin" if model else "scratch", "model": None, "epochs": epochs or 1, "seed": 0,
            "learning_rate": 5e-5, "model_spec": {"model": model} if model else {"vocab_size": 768, "llama": {}},
            **config,
        }  # fmt: skip
        self.write_training(folder, config, rows, epochs, bits_per_byte)
        self.write_heldout(folder, heldout_hash, bits_per_byte - shift / 2)
        self.write_tasks(folder, "demo" if size == "demo" else "general", suite_hash, rate + shift)
        self.write_bands(folder, bits_per_byte - shift / 2, arm)
        self.write_generations(folder, rate)
        return folder

    def write_training(self, folder, config, rows, epochs, level):
        self.trained += 1  # no two trainings end in the same weights
        self.models[folder.name] = f"model {self.trained}"
        steps = 0 if rows is None else max(8, rows * epochs // 100)
        at = np.unique(np.linspace(1, max(steps, 1), 60).astype(int)) if steps else []
        tokens = 0 if rows is None else rows * epochs * 300
        curve = [
            {"step": int(step), "tokens": int(tokens * step / steps), "learning_rate": 5e-5,
             "loss": float(level * 2 + 3 * step**-0.6 + self.rng.normal(0, 0.03))}
            for step in at
        ]  # fmt: skip
        parameters = {"500M": 401_000_000, "1B": 1_028_000_000, "small": 1_400_000, "demo": 905_000}[config["size"]]
        write_json(
            folder / "train_results.json",
            {
                "config": config,
                "provenance": {"git_commit": "0" * 40, "inputs": {"subset": "subset-hash", "model": "start"}},
                "simulated": True, "rows": {"trained": rows or 0},
                "scale": self.scale if rows else None, "scale_label": self.scale_label if rows else None,
                "tokens": tokens, "response_tokens": tokens // 2, "steps": steps, "loss_curve": curve,
                "train_seconds": tokens / 40_000, "tokens_per_second": 40_000 if rows else None, "mfu": 0.4,
                "peak_memory_gib": 12.5, "parameters": parameters,
                "model_hash": self.models[folder.name],
            },
        )  # fmt: skip

    def write_heldout(self, folder, heldout_hash, bits_per_byte):
        own = self.rng.normal(0, 0.08, self.heldout_rows)
        nll = self.bytes * np.log(2) * np.maximum(bits_per_byte + self.row_loss + own, 0.01)
        tokens = np.maximum(1, self.bytes // 4)
        ids = [f"held-{index}" for index in range(self.heldout_rows)]
        sources = [SOURCES[index % len(SOURCES)] for index in range(self.heldout_rows)]
        columns = {"id": ids, "source": sources, **self.scores, "nll": nll, "tokens": tokens, "bytes": self.bytes}
        write_arrow(folder / "evaluation" / "heldout_loss", columns)
        write_json(
            folder / "evaluation" / "heldout_loss.json",
            {
                "config": {"max_tokens": 512},
                "provenance": {"inputs": {"model": self.models[folder.name], "heldout": heldout_hash}},
                "rows": self.heldout_rows,
                "bits_per_byte": float(nll.sum() / np.log(2) / self.bytes.sum()),
                "loss_per_token": float(nll.sum() / tokens.sum()),
                "perplexity": float(np.exp(nll.sum() / tokens.sum())),
            },
        )  # fmt: skip

    def write_tasks(self, folder, suite, suite_hash, rate):
        from statistics import NormalDist

        ability = 0.8 * self.difficulty + 0.6 * self.rng.standard_normal(self.prompts)
        passed = ability < NormalDist().inv_cdf(rate)
        families = [FAMILIES[index % len(FAMILIES)] for index in range(self.prompts)]
        ids = [f"task-{index}" for index in range(self.prompts)]
        columns = {
            "id": ids, "family": families, "difficulty": [index % 3 + 1 for index in range(self.prompts)],
            "passed": passed, "answer": ["<b>x</b>"] * self.prompts,
        }  # fmt: skip
        write_arrow(folder / "evaluation" / "task_completion", columns)
        by_family = {
            family: {
                "prompts": families.count(family),
                "passed": int(sum(p for p, f in zip(passed, families, strict=True) if f == family)),
            }
            for family in FAMILIES
        }
        write_json(
            folder / "evaluation" / "task_completion.json",
            {
                "config": {"suite": suite, "max_tokens": 512},
                "provenance": {"inputs": {"model": self.models[folder.name], "suite": suite_hash}},
                "suite": suite, "suite_hash": suite_hash,
                "prompts": self.prompts, "task_completion": float(passed.mean()), "by_family": by_family,
            },
        )  # fmt: skip

    def write_bands(self, folder, level, arm):
        edges = np.linspace(0.2, 0.9, 6)
        tilt = {"ultra_10k": -0.02, "low_100k": 0.03}.get(arm, 0.0)
        bands = {
            name: [
                {"band": band + 1, "low": edges[band], "high": edges[band + 1], "rows": self.heldout_rows // 5,
                 "bits_per_byte": level + 0.06 * (2 - band) + tilt * (band - 2)}
                for band in range(5)
            ]
            for name in DIMENSIONS
        }  # fmt: skip
        write_json(folder / "quality_analysis" / "quality_bands.json", {"bands": bands})

    def write_generations(self, folder, rate):
        write_json(
            folder / "generation_analysis" / "generation_analysis.json",
            {
                "prompts": 200, "distinct_2": 0.3 + rate / 2, "rep_4": 0.2 - rate / 4, "loop_rate": 0.1 - rate / 10,
                "end_token_rate": 0.8 + rate / 3, "empty_rate": 0.01, "length_ratio_median": 0.9, "copy_fraction": 0.05,
                "mean_response_tokens": 88.0,
            },
        )  # fmt: skip

    def write_pool(self, rows=4_000):
        scores = {name: self.rng.beta(6, 3, rows) for name in DIMENSIONS}
        write_arrow(self.folder / "scores", {"id": [str(index) for index in range(rows)], **scores})
        write_json(self.folder / "scores.json", {"rows": rows, "ledger": {}, "distribution": {}})
        quality = np.sort(scores["quality"])[::-1]
        for subset, count in {"ultra_10k": 40, "high_100k": 400, "medium_1M": 2_000}.items():
            cut = quality[:count]
            score = {"min": float(cut.min()), "max": float(cut.max()), "mean": float(cut.mean())}
            write_json(self.folder / "subsets" / f"{subset}.json", {"rows": count, "rule": "top", "score": score})


def write_study(folder, sizes=("500M", "1B"), arms=tuple(ARMS), **settings) -> FakeStudy:
    """A whole simulated study: every arm at every size, and the scored pool."""
    study = FakeStudy(folder, **settings)
    for size in sizes:
        for arm in arms:
            study.write_run(arm, size)
    study.write_pool()
    return study
