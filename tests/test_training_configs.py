"""The study's experiments are all there, and a slip in a setting is caught by name."""

import re

import pytest

from training_configs import (
    ALL_EXPERIMENTS,
    CLAIM,
    CONTROL_CONFIGS,
    EXPERIMENTS,
    GROUPS,
    MODEL_FAMILIES,
    SCORE_WEIGHTS,
    SUBSETS,
    ConfigError,
    experiment_config,
    experiments_of,
    model_spec,
)


def test_the_six_main_runs():
    expected = {f"{tier}_{size}" for tier in ("ultra_10k", "high_100k", "medium_1M") for size in ("500M", "1B")}
    assert set(EXPERIMENTS) == expected
    assert {"random_1k_500M", "random_10k_500M", "longest_10k_500M", "random_100k_500M"} <= set(CONTROL_CONFIGS)
    assert "random_10k_1B" in CONTROL_CONFIGS
    assert {"ultra_5k_500M", "low_100k_500M"} <= set(GROUPS["ablations"])


def test_every_experiment_resolves_and_names_a_subset_of_its_size():
    for name in ALL_EXPERIMENTS:
        config = experiment_config(name)
        assert config["subset"] is None or config["subset"] in SUBSETS
        assert model_spec(config)
        assert "demo" not in name or config["suite"] == "demo"


def test_subset_names_tell_their_rows():
    units = {"k": 1_000, "M": 1_000_000}
    for name, subset in SUBSETS.items():
        number, unit = re.search(r"_(\d+)([kM])(_d\d)?$", name).groups()[:2]
        assert subset["rows"] == int(number) * units[unit]


def test_a_control_has_the_rows_of_its_tier():
    controls = {name: subset["controls"] for name, subset in SUBSETS.items() if "controls" in subset}
    assert len(controls) >= 2
    for name, tier in controls.items():
        assert SUBSETS[name]["rows"] == SUBSETS[tier]["rows"] and "controls" not in SUBSETS[tier]


def test_controls_of_the_claim_are_trained_like_ultra():
    ultra = experiment_config("ultra_10k_500M")
    for control in CLAIM["controls"]:
        config = experiment_config(f"{control}_500M")
        assert {key for key in config if config[key] != ultra[key]} == {"experiment", "base_experiment", "subset"}
        assert f"{control}_500M" in CONTROL_CONFIGS


def test_bands_cover_the_pool():
    bands = [SUBSETS[config["subset"]] for config in GROUPS["bands"].values()]
    assert [subset["band"] for subset in bands] == list(range(1, bands[0]["bands"] + 1))


def test_weights_sum_to_one():
    assert sum(SCORE_WEIGHTS.values()) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("ultra_10k_500M", {"learning_rat": 1e-4}), "unknown setting 'learning_rat'.*learning_rate"),
        (("ultra_10k_500M", {"epochs": "three"}), "'epochs' takes a int"),
        (("ultra_10k_500M", {"epochs": True}), "'epochs' takes a int"),
        (("ultra_10k_500M", {"epochs": None}), "'epochs' takes a int such as 1, not None"),
        (("ultra_10k_500M", {"heldout_rows": 1e3}), "'heldout_rows' takes a int such as 1000, not 1000.0"),
        (("ultra_10k_500M", {"model": 5}), "'model' takes a str"),
        (("ultra_10k_500M", {"model": ""}), "'model' is empty"),
        (("ultra_10k_500M", {"subset": ""}), "'subset' is empty"),
        (("ultra_10k_500M", {"learning_rate": float("nan")}), "'learning_rate' must be a finite number, more than 0"),
        (("ultra_10k_500M", {"precision": "fp61"}), "'precision' cannot be 'fp61'.*fp16"),
        (("ultra_10k_500M", {"epochs": 0}), "'epochs' must be a finite number, more than 0"),
        (("ultra_10k_500M", {"seed": -1}), "'seed' must be a finite number, 0 or more"),
        (("ultra_10k_500M", {"warmup_fraction": 0.9}), "are more than all steps together"),
        (("ultra_10k_500M_s1234567890", {}), "unknown experiment"),
        (("ultra_10_500M", {}), "unknown experiment.*ultra_10k_500M"),
    ],
)
def test_slips_are_named(arguments, message):
    with pytest.raises(ConfigError, match=message):
        experiment_config(*arguments)


def test_groups_and_names():
    assert experiments_of("all") == list(EXPERIMENTS)
    assert experiments_of("random_1k_500M") == ["random_1k_500M"]
    with pytest.raises(ConfigError, match="did you mean.*controls"):
        experiments_of("control")


def test_overrides_win_and_the_rest_stays():
    config = experiment_config("ultra_10k_1B", {"family": "pythia", "learning_rate": 1})
    assert (config["family"], config["learning_rate"], config["epochs"]) == ("pythia", 1, 3)
    assert model_spec(config) == {"model": "EleutherAI/pythia-1b"}
    assert model_spec(experiment_config("ultra_10k_1B", {"model": "my/model"})) == {"model": "my/model"}
    assert experiment_config("ultra_10k_demo", {"heldout_rows": None})["heldout_rows"] is None
    with pytest.raises(ConfigError, match="unknown model family"):
        model_spec(experiment_config("ultra_10k_1B", {"family": "etin"}))


@pytest.mark.parametrize("size, parameters", [("500M", 500e6), ("1B", 1e9), ("demo", 0.95e6)])
def test_scratch_models_have_the_parameters_they_claim(size, parameters):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    spec = MODEL_FAMILIES["scratch"][size]
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(vocab_size=spec["vocab_size"], tie_word_embeddings=True, **spec["llama"]))
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(parameters, rel=0.03)


def test_seeds_are_experiments_of_their_own():
    names = experiments_of("controls", 3)
    plain = list(CONTROL_CONFIGS)
    trained = [name for name in plain if CONTROL_CONFIGS[name]["subset"]]
    assert names == plain + [f"{name}_s1" for name in trained] + [f"{name}_s2" for name in trained]
    one, two = experiment_config("ultra_10k_500M"), experiment_config("ultra_10k_500M_s2")
    assert {key: two[key] for key in two if two[key] != one[key]} == {"experiment": "ultra_10k_500M_s2", "seed": 2}
    assert two["base_experiment"] == "ultra_10k_500M" and experiments_of("ultra_10k_500M_s2") == ["ultra_10k_500M_s2"]
    with pytest.raises(ConfigError, match="has seed 2 by its name"):
        experiment_config("ultra_10k_500M_s2", {"seed": 3})
    with pytest.raises(ConfigError, match="did you mean"):
        experiments_of("ultra_10k_500_s1")


def test_a_dry_run_counts_by_hand_and_scales_a_sample():
    from dry_run import estimate, packed_size, stated_rate

    config = {"block_tokens": 10, "tokens_per_step": 20, "epochs": 3}
    size = {"rows": 5, "tokens": 60, "blocks": 2, "steps": 3, "sampled": False}
    assert packed_size([6, 5, 4, 3, 2], config, 1.0) == size
    scaled = packed_size([6, 5, 4, 3, 2], config, 100.0)
    assert (scaled["rows"], scaled["tokens"], scaled["steps"], scaled["sampled"]) == (500, 6_000, 300, True)
    plan = {"peak_bytes": 3 * 2**30, "gradient_checkpointing": True}
    line = estimate(size, 2**30, 1.0, plan)
    assert (line["peak_memory_gib"], line["gradient_checkpointing"]) == (3, True)
    assert (line["disk_gib"], line["kept_gib"], line["hours"]) == (4 + 2 * 12, 4, 60 / 3600)
    assert stated_rate(10**9, None, 0.4) == pytest.approx(0.4 * 989e12 / 6e9)
