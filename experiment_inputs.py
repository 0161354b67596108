"""What an experiment starts from: its subset's rows as tokens, its model and tokenizer, and whether all of it is there.

Reads  <results>/subsets/, <results>/scores.json, a pretrained model where the experiment names one.
Writes <results>/tokenizer_<vocabulary>/, learnt from the pool, where a model from random weights needs it.
"""

import os
from pathlib import Path

from common import UserError, file_lock, hash_path, read_json
from evaluate_quality_tradeoff import suite_tasks
from language_model import (
    encode_examples,
    learn_tokenizer,
    load_config,
    load_model,
    load_tokenizer,
    model_outline,
    new_model,
)
from lineage import ROW_COLUMNS, model_fingerprint, read_subset, require_subset
from model_probe import require_positions, require_trainable
from training_configs import TRAINING, model_spec
from training_steps import TrainingFailed

MANY_CUT_FRACTION = 0.1


def is_main_process() -> bool:
    """Whether this process is the one that speaks and writes; torchrun and accelerate number them in RANK."""
    return int(os.environ.get("RANK") or 0) == 0


def plan_experiment(config: dict, results_dir: Path) -> dict:
    """What an experiment needs and where it is written: the training part of its config, inputs' hashes, subset.

    A folder's model is told from others by its hash, and named without the path that leads there today.
    """
    spec = model_spec(config)
    if config["max_tokens"] > config["block_tokens"]:
        raise UserError(f"max_tokens {config['max_tokens']} is more than block_tokens {config['block_tokens']}")
    if config["subset"] == "heldout":
        raise UserError("the held-out rows are the test; train on another subset")
    suite_tasks(config["suite"], config["suite_prompts"], config["suite_seed"])  # a suite too large is refused now
    require_subset(results_dir, "heldout")
    subset = require_subset(results_dir, config["subset"]) if config["subset"] else None
    inputs = {"subset": subset["rows_hash"]} if subset else {}
    if "model" in spec:
        inputs["model"] = model_fingerprint(spec["model"])
    else:
        inputs["tokenizer_rows"] = read_json(results_dir / "scores.json")["content_hash"]
    training = {key: config[key] for key in ("experiment", "subset", "size", *TRAINING)}
    if "model" in spec and Path(spec["model"]).is_dir():
        spec = {"model": Path(spec["model"]).resolve().name}
        training["model"] = spec["model"] if config["model"] else None
    folder = results_dir / config["experiment"]
    return {
        "folder": folder,
        "marker": folder / "train_results.json",
        "made_before": marker_hash(folder / "train_results.json"),
        "config": {**training, "model_spec": spec},
        "inputs": inputs,
        "subset": subset,
    }


def marker_hash(marker: Path) -> str | None:
    """What tells a marker from one that was written since; None where there is none."""
    return hash_path(marker) if marker.exists() else None


def starting_model(config: dict, results_dir: Path):
    """The model and tokenizer that an experiment starts from, and why rows must not be packed for it, or None.

    Raises UserError where the model cannot be used.
    """
    spec = model_spec(config)
    if "model" in spec:
        require_positions(load_config(spec["model"]), config)
        model, tokenizer = load_model(spec["model"])
        unpacked_reason = require_trainable(model, tokenizer, spec["model"], config)
        if unpacked_reason:
            print(f"a row to a sequence, not packed: of {spec['model']}, {unpacked_reason}")
        return model, tokenizer, unpacked_reason
    return *new_model(spec, own_tokenizer(results_dir, spec), config["seed"]), None


def own_tokenizer(results_dir: Path, spec: dict) -> Path:
    """The folder of the learnt tokenizer; of several processes, one learns it."""
    with file_lock(results_dir / f".tokenizer_{spec['vocab_size']}.lock", wait=True):
        return learn_tokenizer(results_dir, spec["vocab_size"])


def starting_outline(config: dict, results_dir: Path):
    """The model that an experiment starts from, without its weights, and its tokenizer."""
    spec = model_spec(config)
    if "model" in spec:
        outline = model_outline(spec, None)
        tokenizer = load_tokenizer(spec["model"])
    else:
        tokenizer = load_tokenizer(str(own_tokenizer(results_dir, spec)))
        outline = model_outline(spec, tokenizer)
    require_positions(outline.config, config)
    return outline, tokenizer


def read_planned(plan: dict, results_dir: Path):
    """The rows that a planned experiment trains on. Raises UserError where they changed since it was planned."""
    return read_subset(results_dir, plan["config"]["subset"], plan["subset"]["rows_hash"], ROW_COLUMNS)


def encode_subset(table, tokenizer, config: dict) -> tuple[list, dict]:
    """The subset's rows as Examples, and what became of them: trained, cut, dropped."""
    from tqdm import tqdm

    examples, max_tokens = [], config["max_tokens"]
    batches = table.to_batches(max_chunksize=2_000)
    for batch in tqdm(batches, desc="encode", unit="batch", leave=False, disable=not is_main_process()):
        columns = batch.to_pydict()
        examples += encode_examples(tokenizer, columns["instruction"], columns["response"], max_tokens)
    kept = [example for example in examples if example]
    if not kept:
        raise TrainingFailed(f"no row of {config['subset']} has a response that fits; its format alone may take more "
                             f"than max_tokens={max_tokens}")  # fmt: skip
    cut = sum(example.response_cut for example in kept)
    if cut > MANY_CUT_FRACTION * len(kept):
        print(f"warning: {cut} of {len(kept)} responses are cut at max_tokens={max_tokens}: they do not learn to end")
    return kept, {
        "trained": len(kept),
        "dropped_empty_response": len(examples) - len(kept),
        "prompt_cut": sum(example.prompt_cut for example in kept),
        "response_cut": cut,
    }
