"""Every setting of the study, as plain dicts: data sets, score weights, subsets, models, experiments.

Pure data and a few look-ups; imports nothing local. To add an arm, add one line to a dict below:
an experiment is an arm at a size (`ultra_10k_500M`), and an arm names the subset it trains on and for how long.
"""

import difflib
import math
import re

# ---------------------------------------------------------------------------------------------------------------------
# Data and scores

# About 1.9M rows together, so that taking 1M of them is a choice. Licences: see the README.
DEFAULT_DATASETS = ["teknium/OpenHermes-2.5", "allenai/tulu-3-sft-mixture"]

SCORE_WEIGHTS = {"clarity": 0.25, "response_quality": 0.35, "diversity": 0.20, "complexity": 0.20}
SCORE_KEYS = ["quality", *SCORE_WEIGHTS]  # the columns of scores: the weighted total first

CLEANING = {  # null or false: that step is off, and the ledger says so
    "min_response_characters": 1,
    "max_characters": 50_000,  # prompt and response together; longer rows are dumps, not instructions
    "drop_exact_duplicates": True,
    "near_duplicate_jaccard": 0.8,  # over word 5-grams; off, near-duplicates of held-out rows stay in the pool
    "drop_evaluation_items": True,  # rows that hold an item of the verifiable suites; not of --decontaminate
    "drop_heldout_responses": True,  # rows that hold the response of a held-out row
}

HELDOUT = {"max_rows": 2_000, "max_fraction": 0.05}  # of the cleaned pool, whichever is fewer

# `rows` is the size at full scale. A pool of fewer than FULL_SCALE_ROWS shrinks every subset by one common factor.
# subset_rules.py says what the rules mean. Random subsets are prefixes of one shuffled order, so that random_1k is part
# of random_10k, and so on; another `draw` is another order. A control has as many rows as the tier that it `controls`.
FULL_SCALE_ROWS = 1_000_000
SUBSETS = {
    "ultra_10k": {"rule": "top", "rows": 10_000},
    "high_100k": {"rule": "top", "rows": 100_000},
    "medium_1M": {"rule": "top", "rows": 1_000_000},
    "low_100k": {"rule": "bottom", "rows": 100_000},
    "longest_10k": {"rule": "longest", "rows": 10_000},
    "source_matched_10k": {"rule": "source_matched", "rows": 10_000, "controls": "ultra_10k"},
    "length_matched_10k": {"rule": "length_matched", "rows": 10_000, "controls": "ultra_10k"},
    "diverse_10k": {"rule": "diverse", "rows": 10_000, "candidates_per_row": 10, "rows_per_topic": 10},
    **{f"band{band}_10k": {"rule": "band", "rows": 10_000, "band": band, "bands": 5} for band in (1, 2, 3, 4, 5)},
    "ultra_1k": {"rule": "top", "rows": 1_000},
    "ultra_3k": {"rule": "top", "rows": 3_000},
    "ultra_5k": {"rule": "top", "rows": 5_000},
    "random_1k": {"rule": "random", "rows": 1_000},
    "random_3k": {"rule": "random", "rows": 3_000},
    "random_10k": {"rule": "random", "rows": 10_000},
    "random_10k_d1": {"rule": "random", "rows": 10_000, "draw": 1},
    "random_10k_d2": {"rule": "random", "rows": 10_000, "draw": 2},
    "random_30k": {"rule": "random", "rows": 30_000},
    "random_100k": {"rule": "random", "rows": 100_000},
}

# ---------------------------------------------------------------------------------------------------------------------
# Models: each family at sizes that compare. `model` is a hub id or a local folder; `llama` is trained from scratch,
# with a byte-level BPE of `vocab_size` tokens learnt from the pool.

TINY_LLAMA = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
}
DEFAULT_FAMILY = "ettin"
MODEL_FAMILIES = {
    "ettin": {  # open weights and data, MIT; both sizes saw identical data
        "500M": {"model": "jhu-clsp/ettin-decoder-400m"},
        "1B": {"model": "jhu-clsp/ettin-decoder-1b"},
    },
    "pythia": {"500M": {"model": "EleutherAI/pythia-410m"}, "1B": {"model": "EleutherAI/pythia-1b"}},
    "qwen2.5": {"500M": {"model": "Qwen/Qwen2.5-0.5B"}, "1B": {"model": "Qwen/Qwen2.5-1.5B"}},
    "gemma3": {"270M": {"model": "google/gemma-3-270m"}},
    "smollm2": {"135M": {"model": "HuggingFaceTB/SmolLM2-135M"}},
    "scratch": {
        "500M": {  # 506M parameters; heads of 128, which GPUs' kernels are fastest at
            "vocab_size": 32_768,
            "llama": {
                "hidden_size": 1280,
                "intermediate_size": 3328,
                "num_hidden_layers": 24,
                "num_attention_heads": 10,
                "num_key_value_heads": 10,
            },
        },
        "1B": {  # 994M parameters
            "vocab_size": 32_768,
            "llama": {
                "hidden_size": 1792,
                "intermediate_size": 4864,
                "num_hidden_layers": 24,
                "num_attention_heads": 14,
                "num_key_value_heads": 14,
            },
        },
        "small": {"vocab_size": 4_096, "llama": TINY_LLAMA},  # 1.4M parameters: the reference study, hours on two cores
        "demo": {"vocab_size": 768, "llama": TINY_LLAMA},  # 0.95M parameters: minutes on a laptop's CPU
    },
}

# ---------------------------------------------------------------------------------------------------------------------
# Training, evaluation, generation: one recipe for every arm

TRAINING = {
    "family": DEFAULT_FAMILY,
    "model": None,  # a hub id or folder in place of the family's
    "epochs": 1,
    "learning_rate": 5e-5,
    "warmup_fraction": 0.03,  # of the steps; then constant,
    "decay_fraction": 0.2,  # then linear to zero over the last fifth
    "tokens_per_step": 32_768,
    "block_tokens": 1_024,  # rows are packed into blocks of this length
    "max_tokens": 512,  # per row, prompt and response
    "weight_decay": 0.01,
    "adam_betas": [0.9, 0.95],
    "max_grad_norm": 1.0,
    "precision": "auto",  # auto: bf16 where the device has it, else fp32; or bf16, fp16, fp32
    "gradient_checkpointing": "auto",  # auto: only where the GPU's memory asks for it; or on, off
    "compile": "auto",  # torch.compile of each layer; auto: on one GPU, where training is long enough to pay for it
    "seed": 0,
}

CHOICES = {
    "precision": ["auto", "bf16", "fp16", "fp32"],
    "gradient_checkpointing": ["auto", "on", "off"],
    "compile": ["auto", "on", "off"],
    "suite": ["general", "demo"],
}
MAY_BE_NULL = {"subset": "ultra_10k", "size": "500M", "model": "owner/name", "heldout_rows": 1_000}  # or of this type
MAY_BE_ZERO = [  # other numbers may not
    "seed", "suite_seed", "weight_decay", "warmup_fraction", "decay_fraction",
    "generation_num_samples", "generation_seed",
]  # fmt: skip

EVALUATION = {
    "suite": "general",
    "suite_prompts": 3_000,
    "suite_seed": 0,
    "suite_max_new_tokens": 128,
    "heldout_rows": None,  # null: all of them
    "generation_prompts": 200,
    "generation_max_new_tokens": 256,
    "generation_num_samples": 4,  # sampled answers to each prompt, beside the greedy one
    "generation_temperature": 0.7,
    "generation_seed": 0,
}

# ---------------------------------------------------------------------------------------------------------------------
# Experiments

# Few rows get three epochs, many rows one: the usual practice on either side.
ARMS = {
    "base": {"subset": None},  # the model as it comes, no training
    "ultra_10k": {"subset": "ultra_10k", "epochs": 3},
    "high_100k": {"subset": "high_100k"},
    "medium_1M": {"subset": "medium_1M"},
    "ultra_5k": {"subset": "ultra_5k", "epochs": 3},
    "low_100k": {"subset": "low_100k"},
    "random_10k": {"subset": "random_10k", "epochs": 3},
    "longest_10k": {"subset": "longest_10k", "epochs": 3},
    "source_matched_10k": {"subset": "source_matched_10k", "epochs": 3},
    "length_matched_10k": {"subset": "length_matched_10k", "epochs": 3},
    "random_10k_d1": {"subset": "random_10k_d1", "epochs": 3},
    "random_10k_d2": {"subset": "random_10k_d2", "epochs": 3},
    "diverse_10k": {"subset": "diverse_10k", "epochs": 3},
    **{f"band{band}_10k": {"subset": f"band{band}_10k", "epochs": 3} for band in (1, 2, 3, 4, 5)},
    "random_100k": {"subset": "random_100k"},
    "random_1k": {"subset": "random_1k"},  # the format-tuned anchor
    "ultra_10k_x10": {"subset": "ultra_10k", "epochs": 10},  # the tokens of high_100k, from a tenth of the rows
    "ultra_1k": {"subset": "ultra_1k", "epochs": 3},
    "ultra_3k": {"subset": "ultra_3k", "epochs": 3},
    "random_3k": {"subset": "random_3k", "epochs": 3},
    "random_30k": {"subset": "random_30k"},
}

# The demo's model starts from random weights on one thousandth of the compute: it needs more passes over few rows,
# short blocks, and a suite it can learn from the embedded corpus.
DEMO_SETTINGS = {
    "family": "scratch",
    "learning_rate": 3e-3,
    "tokens_per_step": 1_024,
    "block_tokens": 128,
    "max_tokens": 128,
    "suite": "demo",
    "suite_prompts": 600,
    "suite_max_new_tokens": 32,
    "heldout_rows": 1_000,
    "generation_prompts": 100,
    "generation_max_new_tokens": 48,
    "generation_num_samples": 2,
}


def _arms_at(size: str, arms: list[str], **settings) -> dict:
    return {f"{arm}_{size}": {**ARMS[arm], "size": size, **settings} for arm in arms}


EXPERIMENTS = {
    **_arms_at("500M", ["ultra_10k", "high_100k", "medium_1M"]),
    **_arms_at("1B", ["ultra_10k", "high_100k", "medium_1M"]),
}
ABLATION_CONFIGS = _arms_at("500M", ["ultra_5k", "low_100k", "ultra_10k_x10", "diverse_10k"])
CONTROL_CONFIGS = {
    **_arms_at("500M", ["base", "random_1k", "random_10k", "longest_10k", "random_100k"]),
    **_arms_at("500M", ["source_matched_10k", "length_matched_10k", "random_10k_d1", "random_10k_d2"]),
    **_arms_at("1B", ["base", "random_1k", "random_10k"]),
}
# Dose and response: as many rows from each of five disjoint bands of score, best to worst.
BAND_CONFIGS = _arms_at("500M", [f"band{band}_10k" for band in (1, 2, 3, 4, 5)])
CURVE_CONFIGS = _arms_at("500M", ["ultra_1k", "ultra_3k", "random_3k", "random_30k"])
DEMO_CONFIGS = {
    **_arms_at("demo", ["random_1k", "ultra_10k", "random_10k", "longest_10k"], **DEMO_SETTINGS, epochs=12),
    **_arms_at("demo", ["high_100k", "low_100k"], **DEMO_SETTINGS, epochs=2),
    **_arms_at("demo", ["medium_1M"], **DEMO_SETTINGS, epochs=1),
}

# The study that two CPU cores can carry: real data, a small model from random weights, the same arms. Rows should fit
# the model's 384 tokens (filter_datasets.py --set max_characters=1000): a tier of cut responses never learns to end.
SMALL_SETTINGS = {
    "family": "scratch",
    "learning_rate": 3e-3,
    "tokens_per_step": 1_536,
    "block_tokens": 384,
    "max_tokens": 384,
    "suite_prompts": 600,
    "suite_max_new_tokens": 64,
    "generation_prompts": 100,
    "generation_max_new_tokens": 128,
    "generation_num_samples": 2,
}
SMALL_CONFIGS = {
    **_arms_at("small", ["random_1k", "ultra_10k", "random_10k"], **SMALL_SETTINGS, epochs=6),
    **_arms_at("small", ["medium_1M", "high_100k", "random_100k", "low_100k", "random_30k"], **SMALL_SETTINGS),
    **_arms_at("small", ["longest_10k", "source_matched_10k", "length_matched_10k"], **SMALL_SETTINGS, epochs=6),
    **_arms_at("small", ["random_10k_d1", "random_10k_d2", "diverse_10k"], **SMALL_SETTINGS, epochs=6),
    **_arms_at("small", ["ultra_10k_x10"], **SMALL_SETTINGS),
    **_arms_at("small", ["ultra_1k", "ultra_3k", "ultra_5k", "random_3k"], **SMALL_SETTINGS, epochs=6),
    **_arms_at("small", [f"band{band}_10k" for band in (1, 2, 3, 4, 5)], **SMALL_SETTINGS, epochs=6),
}

# The same arms on small pretrained models, for one GPU and a pool of a hundredth of the study's tokens: small steps.
PRETRAINED_SETTINGS = {
    "tokens_per_step": 4_096,
    "block_tokens": 512,
    "generation_prompts": 100,
    "generation_max_new_tokens": 128,
    "generation_num_samples": 2,
}
PRETRAINED_ARMS = [  # the longest first, for several processes that share them out
    "medium_1M", "random_100k", "high_100k", "low_100k", "ultra_10k_x10", "random_30k", "base", "random_1k",
    "ultra_10k", "random_10k", "longest_10k", "source_matched_10k", "length_matched_10k", "diverse_10k",
    "random_10k_d1", "random_10k_d2", "ultra_3k", "random_3k",
]  # fmt: skip
GEMMA_CONFIGS = _arms_at("270M", PRETRAINED_ARMS, family="gemma3", **PRETRAINED_SETTINGS)
SMOLLM_CONFIGS = _arms_at("135M", PRETRAINED_ARMS, family="smollm2", **PRETRAINED_SETTINGS)

GROUPS = {
    "all": EXPERIMENTS,
    "ablations": ABLATION_CONFIGS,
    "controls": CONTROL_CONFIGS,
    "bands": BAND_CONFIGS,
    "curve": CURVE_CONFIGS,
    "demo": DEMO_CONFIGS,
    "small": SMALL_CONFIGS,
    "270M": GEMMA_CONFIGS,
    "135M": SMOLLM_CONFIGS,
    "everything": {**CONTROL_CONFIGS, **EXPERIMENTS, **ABLATION_CONFIGS, **BAND_CONFIGS, **CURVE_CONFIGS},
}
ALL_EXPERIMENTS = {**GROUPS["everything"], **DEMO_CONFIGS, **SMALL_CONFIGS, **GEMMA_CONFIGS, **SMOLLM_CONFIGS}

# What the analysis compares (the design's definitions): u, M and the anchors, and the controls of u.
CLAIM = {
    "ultra": "ultra_10k",
    "medium": "medium_1M",
    "anchor": "random_1k",
    "base": "base",
    "controls": ["random_10k", "longest_10k", "source_matched_10k", "length_matched_10k"],
    "retention": 0.8,
    "confidence": 0.95,
    "bootstrap_draws": 10_000,
}

# ---------------------------------------------------------------------------------------------------------------------
# Look-ups


class ConfigError(ValueError):
    """A setting that does not exist or has the wrong type; the message names the nearest valid ones."""


def nearest(name: str, choices) -> str:
    """A sentence that names the choices closest to `name`, or all of them where none is close."""
    choices = sorted(choices)
    close = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(choices)}"


def experiments_of(name: str, seeds: int = 1) -> list[str]:
    """The experiments that a group's or an experiment's name stands for, in running order.

    With several seeds, those of seed 0 come first, under their plain names; then `<experiment>_s1` and so on, for those
    that train at all.
    """
    base, seed = split_seed(name)
    if name not in GROUPS and base not in ALL_EXPERIMENTS:
        raise ConfigError(f"unknown experiment {name!r}: {nearest(name, [*ALL_EXPERIMENTS, *GROUPS])}")
    if seed and seeds > 1:
        raise ConfigError(f"{name} names one seed already; for {seeds} seeds give {base}")
    names = list(GROUPS.get(name, [name]))
    trained = [name for name in names if ALL_EXPERIMENTS[split_seed(name)[0]]["subset"]]
    return names + [f"{name}_s{seed}" for seed in range(1, seeds) for name in trained]


def split_seed(name: str) -> tuple[str, int]:
    """The base experiment of a name and its seed: ("ultra_10k_500M", 2) of "ultra_10k_500M_s2"; 0 without one."""
    match = re.fullmatch(r"(.+)_s([1-9]\d{0,8})", name)
    return (match[1], int(match[2])) if match else (name, 0)


def experiment_config(name: str, overrides: dict | None = None) -> dict:
    """The full configuration of one experiment: defaults, then its own settings, then `overrides`.

    Raises ConfigError on a key that no experiment has, or a value of another type than the default's.
    """
    base, seed = split_seed(name)
    if base not in ALL_EXPERIMENTS:
        raise ConfigError(f"unknown experiment {name!r}: {nearest(name, ALL_EXPERIMENTS)}")
    if seed and "seed" in (overrides or {}):
        raise ConfigError(f"{name} has seed {seed} by its name; leave the other out, or give {base}")
    config = {"experiment": name, "base_experiment": base, "subset": None, "size": None, **TRAINING, **EVALUATION}
    settings = {**ALL_EXPERIMENTS[base], **(overrides or {})}
    for key, value in {**settings, "seed": seed or settings.get("seed", TRAINING["seed"])}.items():
        if key not in config or key in ("experiment", "base_experiment"):
            raise ConfigError(f"unknown setting {key!r} for {name}: {nearest(key, {**TRAINING, **EVALUATION})}")
        if value is not None or key not in MAY_BE_NULL:
            _check_value(key, value, {**config, **MAY_BE_NULL}[key])
        config[key] = value
    if config["warmup_fraction"] + config["decay_fraction"] > 1:
        raise ConfigError(f"warmup_fraction {config['warmup_fraction']} and decay_fraction {config['decay_fraction']} "
                          "are more than all steps together")  # fmt: skip
    return config


def cleaning_config(overrides: dict | None = None) -> dict:
    """CLEANING with `overrides`. Raises ConfigError on an unknown key or an impossible value."""
    for key, value in (overrides or {}).items():
        if key not in CLEANING:
            raise ConfigError(f"unknown setting {key!r} of cleaning: {nearest(key, CLEANING)}")
        if value is not None or isinstance(CLEANING[key], bool):
            _check_value(key, value, CLEANING[key])
        if key == "near_duplicate_jaccard" and value is not None and value > 1:
            raise ConfigError(f"setting {key!r} is a similarity, of 1 at most, not {value!r}")
    return {**CLEANING, **(overrides or {})}


def _check_value(key: str, value, default) -> None:
    number = isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)
    if not (number or type(value) is type(default)):
        raise ConfigError(f"setting {key!r} takes a {type(default).__name__} such as {default!r}, not {value!r}")
    if value == "":  # as of a shell variable not set; it would count as null
        raise ConfigError(f"setting {key!r} is empty")
    if key in CHOICES and value not in CHOICES[key]:
        raise ConfigError(f"setting {key!r} cannot be {value!r}: {nearest(str(value), CHOICES[key])}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        least = "0 or more" if key in MAY_BE_ZERO else "more than 0"
        if not math.isfinite(value) or value < 0 or (value == 0 and key not in MAY_BE_ZERO):
            raise ConfigError(f"setting {key!r} must be a finite number, {least}, not {value!r}")


def model_spec(config: dict) -> dict:
    """What to load for a resolved experiment: {"model": id or folder} or {"vocab_size", "llama"}."""
    if config["model"]:
        return {"model": config["model"]}
    family, size = config["family"], config["size"]
    if family not in MODEL_FAMILIES:
        raise ConfigError(f"unknown model family {family!r}: {nearest(family, MODEL_FAMILIES)}")
    if size not in MODEL_FAMILIES[family]:
        raise ConfigError(f"family {family!r} has no size {size!r}: {nearest(size, MODEL_FAMILIES[family])}")
    return MODEL_FAMILIES[family][size]
