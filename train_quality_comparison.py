"""Train the study's models, one experiment or a group, then evaluate and generate from each.

    python train_quality_comparison.py ultra_10k_500M
    python train_quality_comparison.py all --skip_existing

Groups: all (the six main runs), ablations, controls, bands, curve, demo, everything.

Reads  subsets/<subset>/ and subsets/heldout/, which filter_datasets.py writes.
Writes <experiment>/experiment_config.json, train_results.json, model/ (safetensors and tokenizer),
       what evaluate_quality_tradeoff.py and generation_analysis.py write, and experiment_summary.json.

A finished run with the same configuration and the same data is skipped; one made otherwise is refused by name, and
--force rebuilds it. A run killed half-way goes on from its last checkpoint.
"""

import os
import sys
import time
from pathlib import Path

from common import (
    UserError,
    add_results_dir,
    argument_parser,
    clear,
    hash_json,
    hash_path,
    is_done,
    provenance,
    read_arrow,
    read_json,
    require_disk,
    require_writable,
    run_main,
    write_json,
)
from evaluate_quality_tradeoff import evaluate_run, suite_tasks
from generation_analysis import analyse_run
from language_model import (
    encode_examples,
    learn_tokenizer,
    load_model,
    model_fingerprint,
    new_model,
    pad_token_id,
    quiet_transformers,
)
from training_configs import TRAINING, experiment_config, experiments_of, model_spec
from training_loop import TrainingFailed, fit

MANY_CUT_FRACTION = 0.1

# ---------------------------------------------------------------------------------------------------------------------
# The command


def main() -> None:
    parser = argument_parser(__doc__)
    add_results_dir(parser)
    parser.add_argument("experiment", help="an experiment or a group, such as ultra_10k_500M or all")
    parser.add_argument("--family", help="model family: ettin (default), pythia, qwen2.5, scratch")
    parser.add_argument("--model", help="a model of your own: a local folder or a hub id, for every size")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other settings, such as epochs=2")
    parser.add_argument("--seed", type=int, help="seed of the order of rows and of new weights (default: 0)")
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument("--bf16", action="store_true", help="train in bf16 (the default where the GPU has it)")
    precision.add_argument("--fp16", action="store_true", help="train in fp16, with fp32 weights and loss scaling")
    parser.add_argument(
        "--skip_existing",
        action="store_true",
        help="skip what is done with this very configuration and data: what happens anyway, said out loud; "
        "a run made otherwise is refused, never skipped",
    )
    parser.add_argument("--force", action="store_true", help="train again even where it is done")
    parser.add_argument("--checkpoint_seconds", type=float, default=600, help="time between checkpoints (default: 600)")
    args = parser.parse_args()
    configs = [experiment_config(name, overrides_from(args)) for name in experiments_of(args.experiment)]
    failed = run_experiments(configs, require_writable(args.results_dir), args.force, args.checkpoint_seconds)
    print(f"next: python analyze_results.py {args.results_dir}")
    if failed:
        print(f"error: failed: {', '.join(failed)}; see experiment_summary.json", file=sys.stderr)
        sys.exit(1)


def overrides_from(args) -> dict:
    """The settings that the command line changes, typed."""
    overrides = {key: getattr(args, key) for key in ("family", "model", "seed") if getattr(args, key) is not None}
    if args.bf16 or args.fp16:
        overrides["precision"] = "bf16" if args.bf16 else "fp16"
    for pair in args.set:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"--set takes KEY=VALUE, not {pair!r}")
        overrides[key] = typed(value)
    return overrides


def typed(text: str):
    """A setting's value from the command line: null, true, false, an integer, a number, or the text itself."""
    plain = {"null": None, "true": True, "false": False}
    if text in plain:
        return plain[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


# ---------------------------------------------------------------------------------------------------------------------
# Experiments


def run_experiments(configs: list[dict], results_dir: Path, force: bool, checkpoint_seconds: float) -> list[str]:
    """Train, evaluate and generate from each; returns the names of those that failed. Refuses before any training."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("one process trains one run; give each GPU an experiment of its own by CUDA_VISIBLE_DEVICES")
    plans = [plan_experiment(config, results_dir) for config in configs]
    done = [is_done(plan["marker"], plan["config"], plan["inputs"], force) for plan in plans]
    failed = []
    for number, (config, plan, finished) in enumerate(zip(configs, plans, done, strict=True), start=1):
        name = config["experiment"]
        print(f"[{number}/{len(plans)}] {name}")
        try:
            if finished:
                print(f"skipped: {plan['marker']} is already done")
                write_experiment_config(plan, config)
                clear(plan["folder"] / "checkpoint.pt")
            else:
                train_experiment(plan, config, results_dir, checkpoint_seconds)
            evaluate_run(plan["folder"], force)
            analyse_run(plan["folder"], force)
        except TrainingFailed as error:
            print(f"failed: {name}: {error}", file=sys.stderr)
            write_json(plan["folder"] / "failure.json", {"config": plan["config"], "reason": str(error)})
            failed.append(name)
        write_summary(results_dir)
    return failed


def plan_experiment(config: dict, results_dir: Path) -> dict:
    """What an experiment needs and where it goes: the training part of its config, its inputs' hashes, its subset."""
    spec = model_spec(config)
    if config["max_tokens"] > config["block_tokens"]:
        raise UserError(f"max_tokens {config['max_tokens']} is more than block_tokens {config['block_tokens']}")
    suite_tasks(config["suite"], config["suite_prompts"], config["suite_seed"])  # a suite too large shows now
    require_subset(results_dir, "heldout")
    subset = require_subset(results_dir, config["subset"]) if config["subset"] else None
    inputs = {"subset": subset["ids_hash"]} if subset else {}
    if "model" in spec:
        inputs["model"] = model_fingerprint(spec["model"])
    else:
        inputs["tokenizer_rows"] = read_json(results_dir / "scores.json")["content_hash"]
    training = {key: config[key] for key in ("experiment", "subset", "size", *TRAINING)}
    folder = results_dir / config["experiment"]
    return {
        "folder": folder,
        "marker": folder / "train_results.json",
        "config": {**training, "model_spec": spec},
        "inputs": inputs,
        "subset": subset,
    }


def require_subset(results_dir: Path, name: str) -> dict:
    """The JSON of a finished subset. Raises UserError that names the command which makes it."""
    marker = results_dir / "subsets" / f"{name}.json"
    scores = read_json(results_dir / "scores.json") if (results_dir / "scores.json").exists() else {}
    if name in scores.get("subsets_left_out", {}):
        reason = scores["subsets_left_out"][name]
        raise UserError(
            f"subset {name} was left out at scale {scores['scale_label']} ({reason}): a pool of "
            f"{scores['pool_rows']:,} rows is too small for it; give filter_datasets.py more"
        )
    if not marker.exists():
        raise UserError(
            f"subset {name} is missing under {results_dir}; make it: python filter_datasets.py (--dataset demo for the "
            "embedded corpus)"
        )
    return read_json(marker)


def write_experiment_config(plan: dict, config: dict) -> None:
    """The whole resolved configuration, for the stages that follow and for the reader."""
    content = {"config": config, "config_hash": hash_json(config), "inputs": plan["inputs"]}
    write_json(plan["folder"] / "experiment_config.json", content)


def write_summary(results_dir: Path) -> None:
    """experiment_summary.json, made anew from all experiments' files, so that runs side by side lose no entry."""
    folders = sorted(path.parent for path in results_dir.glob("*/experiment_config.json"))
    experiments = {folder.name: summary_entry(folder) for folder in folders}
    facts = {"config": {}, "provenance": provenance(time.time(), {})}
    write_json(results_dir / "experiment_summary.json", {**facts, "experiments": experiments})


def summary_entry(folder: Path) -> dict:
    """One experiment: status (done, failed or unfinished), training facts, headline metrics, where its files are."""
    markers = {
        "training": folder / "train_results.json",
        "heldout_loss": folder / "evaluation" / "heldout_loss.json",
        "task_completion": folder / "evaluation" / "task_completion.json",
        "quality_bands": folder / "quality_analysis" / "quality_bands.json",
        "generation": folder / "generation_analysis" / "generation_analysis.json",
    }
    files = {name: str(path.relative_to(folder.parent)) for name, path in markers.items() if path.exists()}
    if (folder / "failure.json").exists():
        return {"status": "failed", "reason": read_json(folder / "failure.json")["reason"], "files": files}
    if len(files) < len(markers):
        return {"status": "unfinished", "missing": [name for name in markers if name not in files], "files": files}
    results = read_json(markers["training"])
    return {
        "status": "done",
        **{key: results["config"][key] for key in ("subset", "size", "epochs", "seed")},
        "rows": results["rows"]["trained"],
        **{key: results[key] for key in ("scale_label", "tokens", "steps", "train_seconds", "final_loss")},
        "bits_per_byte": read_json(markers["heldout_loss"])["bits_per_byte"],
        "task_completion": read_json(markers["task_completion"])["task_completion"],
        "files": files,
    }


# ---------------------------------------------------------------------------------------------------------------------
# Training one model


def train_experiment(plan: dict, config: dict, results_dir: Path, checkpoint_seconds: float) -> None:
    """Train one model and write experiment_config.json, model/ and, the marker, last, train_results.json."""
    started = time.time()
    training, folder = plan["config"], plan["folder"]
    quiet_transformers()
    model, tokenizer = starting_model(training, results_dir)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    # fp32 weights once as the model; weights and two moments as the checkpoint, old and new at a time while it is saved
    require_disk(results_dir, 7 * 4 * parameters, f"the model and checkpoints of {folder.name}")
    folder.mkdir(exist_ok=True)
    clear(plan["marker"], folder / "model", folder / "failure.json")
    write_experiment_config(plan, config)
    subset = plan["subset"]
    facts = {"parameters": parameters, "scale": None, "scale_label": None, "steps": 0, "tokens": 0}
    facts |= {"rows": {"trained": 0}, "loss_curve": [], "final_loss": None, "train_seconds": 0.0}
    if subset:
        examples, rows = encode_subset(results_dir / "subsets" / training["subset"], tokenizer, training["max_tokens"])
        facts |= {"scale": subset["scale"], "scale_label": subset["scale_label"], "rows": rows}
        facts |= fit(model, examples, training, pad_token_id(tokenizer), folder / "checkpoint.pt", checkpoint_seconds)
    model.to("cpu").save_pretrained(folder / "model", max_shard_size="100GB")  # one file, one hash
    tokenizer.save_pretrained(folder / "model")
    facts["model_hash"] = hash_path(folder / "model" / "model.safetensors")
    write_json(plan["marker"], {"config": training, "provenance": provenance(started, plan["inputs"]), **facts})
    (folder / "checkpoint.pt").unlink(missing_ok=True)


def starting_model(config: dict, results_dir: Path):
    """The model and tokenizer that an experiment starts from."""
    spec = config["model_spec"]
    if "model" in spec:
        return load_model(spec["model"])
    return new_model(spec, learn_tokenizer(results_dir, spec["vocab_size"]), config["seed"])


def encode_subset(folder: Path, tokenizer, max_tokens: int) -> tuple[list, dict]:
    """The subset's rows as Examples, and what became of them: trained, cut, dropped."""
    from tqdm import tqdm

    table, examples = read_arrow(folder, ["instruction", "response"]), []
    for batch in tqdm(table.to_batches(max_chunksize=2_000), desc="encode", unit="batch", leave=False):
        columns = batch.to_pydict()
        examples += encode_examples(tokenizer, columns["instruction"], columns["response"], max_tokens)
    kept = [example for example in examples if example]
    if not kept:
        raise TrainingFailed(f"no row of {folder} has a response to learn from")
    cut = sum(example.response_cut for example in kept)
    if cut > MANY_CUT_FRACTION * len(kept):
        print(f"warning: {cut} of {len(kept)} responses are cut at max_tokens={max_tokens}: they do not learn to end")
    return kept, {
        "trained": len(kept),
        "dropped_empty_response": len(examples) - len(kept),
        "prompt_cut": sum(example.prompt_cut for example in kept),
        "response_cut": cut,
    }


if __name__ == "__main__":
    run_main(main)
