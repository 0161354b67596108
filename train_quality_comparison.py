"""Train the study's models, one experiment or a group, then evaluate and generate from each.

    python train_quality_comparison.py ultra_10k_500M
    python train_quality_comparison.py all --skip_existing
    python train_quality_comparison.py all --dry_run --mfu 0.4
    torchrun --nproc_per_node 8 train_quality_comparison.py medium_1M_1B

Groups: all (the six main runs), ablations, controls, bands, curve, everything; small and demo for a CPU; 270M and 135M
(Gemma 3, SmolLM2) for a small pool.

Reads  subsets/<subset>/ and subsets/heldout/, which filter_datasets.py writes.
Writes <experiment>/experiment_config.json, train_results.json, model/ (safetensors and tokenizer),
       what evaluate_quality_tradeoff.py and generation_analysis.py write, and experiment_summary.json.

A finished run with the same configuration and the same data is skipped; one made otherwise is refused by name, and
--force rebuilds it. A run killed half-way goes on from its last checkpoint; SIGTERM and Ctrl-C write one first. Several
of these commands side by side, each on its GPU (CUDA_VISIBLE_DEVICES), share the experiments: each takes the next that
no other has taken.
"""

import gc
import os
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from command_line import (
    add_results_dir,
    add_settings,
    argument_parser,
    not_negative,
    positive,
    positive_fraction,
    positive_number,
    run_main,
    settings_from,
    whole,
)
from common import (
    UserError,
    clear,
    file_lock,
    hash_json,
    hash_path,
    is_done,
    provenance,
    read_json,
    require_disk,
    require_writable,
    write_json,
)
from dry_run import dry_run
from evaluate_quality_tradeoff import evaluate_run, refuse_other_evaluation
from experiment_inputs import (
    encode_subset,
    is_main_process,
    marker_hash,
    plan_experiment,
    read_planned,
    starting_model,
)
from generation_analysis import analyse_run, refuse_other_generations
from language_model import end_token_id, quiet_transformers
from learning_rate_sweep import sweep
from lineage import evaluation_inputs
from training_checkpoints import TrainingStopped, whole_weights
from training_configs import experiment_config, experiments_of
from training_loop import end_processes, fit, new_accelerator
from training_memory import disk_bytes
from training_steps import TrainingFailed

# What a run's folder holds about its model, and what a new model makes untrue.
OF_THE_MODEL = ["evaluation", "quality_analysis", "generation_analysis"]
TRACKERS = ["tensorboard", "wandb", "trackio"]

# ---------------------------------------------------------------------------------------------------------------------
# The command


def main() -> None:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, leave)
    if not is_main_process():
        sys.stdout = open(os.devnull, "w")  # only the main process prints; all report errors
    names = experiments_of(arguments.experiment, arguments.seeds)
    configs = [experiment_config(name, overrides_from(arguments)) for name in names]
    results_dir = require_writable(arguments.results_dir)
    try:
        failed = carry_out(arguments, configs, results_dir)
    except TrainingStopped as stopped:
        end_processes()
        print(stopped, file=sys.stderr)
        sys.exit(128 + stopped.signal)
    except TrainingFailed as failure:  # of a dry run or a sweep; a run's own is recorded, and the others go on
        raise UserError(str(failure)) from failure
    end_processes()
    if failed:
        print(f"error: failed: {', '.join(failed)}; see experiment_summary.json", file=sys.stderr)
        sys.exit(1)


def carry_out(arguments, configs: list[dict], results_dir: Path) -> list[str]:
    """What the command line asks for; the names of experiments that failed."""
    how = {key: getattr(arguments, key) for key in ("checkpoint_seconds", "report_to", "micro_batch_tokens", "force")}
    if arguments.dry_run:
        stated = {key: getattr(arguments, key) for key in ("tokens_per_second", "mfu", "micro_batch_tokens")}
        print("\n".join(dry_run(configs, results_dir, stated, arguments.force)))
        return []
    if arguments.sweep_learning_rate:
        trained = [config for config in configs if config["subset"]]
        if not trained:
            raise UserError(f"{arguments.experiment} is not trained: there is no learning rate to compare")
        sweep(trained, results_dir, arguments.sweep_learning_rate, how)
        return []
    failed = run_experiments(configs, results_dir, how, arguments.reevaluate)
    print(f"next: python analyze_results.py {arguments.results_dir}")
    return failed


def leave(number: int, _frame) -> None:
    """End on SIGTERM outside of the training steps, where no checkpoint is needed: what is written is whole."""
    print("stopped by SIGTERM; run the same command to go on", file=sys.stderr)
    sys.exit(128 + number)


def parse_arguments():
    parser = argument_parser(__doc__)
    add_results_dir(parser)
    parser.add_argument("experiment", help="an experiment or a group, such as ultra_10k_500M or all")
    parser.add_argument("--family", help="model family: ettin (default), pythia, qwen2.5, gemma3, smollm2, scratch")
    parser.add_argument("--model", help="a model of your own: a local folder or a hub id, for every size")
    add_settings(parser, "epochs=2")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=whole, help="seed of the order of rows and of new weights (default: 0)")
    seeds.add_argument(
        "--seeds", type=positive, default=1, help="so many seeds of each: also <experiment>_s1, _s2, ..."
    )
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument("--bf16", action="store_true", help="train in bf16 (the default where the GPU has it)")
    precision.add_argument("--fp16", action="store_true", help="train in fp16, with fp32 weights and loss scaling")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--skip_existing",
        action="store_true",
        help="skip what is done with this very configuration and data. That is the default, made explicit; "
        "a run made otherwise is refused, never skipped",
    )
    existing.add_argument("--force", action="store_true", help="train again even where it is done")
    existing.add_argument(
        "--reevaluate", action="store_true", help="evaluate what is trained again, with other settings of evaluation"
    )
    parser.add_argument(
        "--checkpoint_seconds", type=not_negative, default=600, help="time between checkpoints (default: 600)"
    )
    parser.add_argument(
        "--micro_batch_tokens", type=positive, help="tokens of one pass on a device (default: as many as should fit)"
    )
    parser.add_argument("--report_to", choices=TRACKERS, help="also send loss and speed to a tracker")
    rates = {"nargs": "+", "action": "extend", "type": positive_number, "metavar": "RATE"}
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--sweep_learning_rate", **rates, help="only compare these, on rows set aside from the subset")
    only.add_argument("--dry_run", action="store_true", help="only print what training would take")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument("--tokens_per_second", type=positive_number, help="for --dry_run: a rate in place of the probe")
    rate.add_argument("--mfu", type=positive_fraction, help="for --dry_run: a share of an H100's peak instead")
    arguments = parser.parse_args()
    if (arguments.mfu or arguments.tokens_per_second) and not arguments.dry_run:
        parser.error("--mfu and --tokens_per_second are for --dry_run alone")
    if arguments.model == "":
        parser.error("--model is empty")
    tracker = arguments.report_to
    if tracker and find_spec(tracker) is None:
        raise UserError(f"--report_to {tracker}: the package is not installed; pip install {tracker}")
    return arguments


def main_process_says(value):
    """The main process's value, in every process."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return value
    from accelerate.utils import broadcast_object_list

    new_accelerator()
    return broadcast_object_list([value])[0]


def overrides_from(arguments) -> dict:
    """The settings that the command line changes, typed."""
    given = vars(arguments)
    overrides = {key: given[key] for key in ("family", "model", "seed") if given[key] is not None}
    if arguments.bf16 or arguments.fp16:
        overrides["precision"] = "bf16" if arguments.bf16 else "fp16"
    settings = settings_from(arguments.set)
    if twice := sorted(overrides.keys() & settings.keys()):
        raise UserError(f"{twice[0]} is given by an option and by --set; give it once")
    overrides |= settings
    if overrides.get("model"):
        overrides["model"] = str(overrides["model"])
    return overrides


# ---------------------------------------------------------------------------------------------------------------------
# Experiments


def run_experiments(configs: list[dict], results_dir: Path, how: dict, reevaluate: bool = False) -> list[str]:
    """Train, evaluate and generate from each; returns the names of those that failed. Refuses before any training.

    how: checkpoint_seconds, report_to, micro_batch_tokens and force, as `fit` takes them.
    """
    plans = [plan_experiment(config, results_dir) for config in configs]
    for config, plan in zip(configs, plans, strict=True):
        if is_done(plan["marker"], plan["config"], plan["inputs"], how["force"]) and not reevaluate:
            inputs = evaluation_inputs(plan["folder"])
            refuse_other_evaluation(plan["folder"], config, inputs)
            refuse_other_generations(plan["folder"], config, inputs)
    failed = []
    for number, (config, plan) in enumerate(zip(configs, plans, strict=True), start=1):
        name = config["experiment"]
        print(f"[{number}/{len(plans)}] {name}")
        try:
            run_experiment(config, plan, results_dir, how, reevaluate)
        except TrainingFailed as error:
            if is_main_process():
                print(f"failed: {name}: {error}", file=sys.stderr)
                write_json(plan["folder"] / "failure.json", {"config": plan["config"], "reason": str(error)})
            failed.append(name)
        if is_main_process():
            write_summary(results_dir)
    return failed


def run_experiment(config: dict, plan: dict, results_dir: Path, how: dict, reevaluate: bool) -> None:
    """One experiment, unless another command works on it. All processes train; the main one does the rest."""
    if not is_main_process():
        if main_process_says(None) == "train":
            train_experiment(plan, config, results_dir, how)
        return
    with file_lock(plan["folder"] / ".lock") as held:
        if marker_hash(plan["marker"]) != plan["made_before"]:  # trained meanwhile, by a command beside this one
            how = how | {"force": False}
        finished = held and is_done(plan["marker"], plan["config"], plan["inputs"], how["force"])
        step = main_process_says("train" if held and not finished else "none")
        if not held:
            print("taken: another command is working on it")
            return
        if step == "train":
            train_experiment(plan, config, results_dir, how)
        else:
            print(f"skipped: {plan['marker']} is already done")
            write_experiment_config(plan, config)
            clear(plan["folder"] / "checkpoint.pt")
        gc.collect()  # the trained weights and their gradients, which would stay in the GPU's memory
        evaluate_run(plan["folder"], how["force"] or reevaluate)
        analyse_run(plan["folder"], how["force"] or reevaluate)


def write_experiment_config(plan: dict, config: dict) -> None:
    """The whole resolved configuration, for the stages that follow and for the reader."""
    content = {"config": config, "config_hash": hash_json(config), "inputs": plan["inputs"]}
    write_json(plan["folder"] / "experiment_config.json", content)


def write_summary(results_dir: Path) -> None:
    """Rewrite experiment_summary.json from all experiments' files, so that runs side by side lose no entry."""
    facts = {"config": {}, "provenance": provenance(time.time(), {})}
    with file_lock(results_dir / ".experiment_summary.lock", wait=True):
        folders = sorted(path.parent for path in results_dir.glob("*/experiment_config.json"))
        experiments = {folder.name: summary_entry(folder) for folder in folders}
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


def train_experiment(plan: dict, config: dict, results_dir: Path, how: dict) -> None:
    """Train one model and write experiment_config.json, model/ and, the marker, last, train_results.json.

    Every process of a run trains; the main one writes.
    """
    started = time.time()
    training, folder = plan["config"], plan["folder"]
    checkpoint = folder / "checkpoint.pt"
    # Of a run that failed the checkpoint is of no use with the other settings that it advised.
    how = how | {"force": main_process_says(how["force"] or (folder / "failure.json").exists())}
    quiet_transformers()
    model, tokenizer, unpacked_reason = starting_model(config, results_dir)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if is_main_process():
        there = checkpoint.stat().st_size if checkpoint.exists() else 0
        needed = disk_bytes(parameters, trained=bool(plan["subset"])) - there
        require_disk(results_dir, needed, f"the model and checkpoints of {folder.name}")
        folder.mkdir(exist_ok=True)
        clear(plan["marker"], folder / "model", folder / "failure.json", *[folder / name for name in OF_THE_MODEL])
        write_experiment_config(plan, config)
    subset = plan["subset"]
    facts = {"parameters": parameters, "scale": None, "scale_label": None, "steps": 0, "tokens": 0}
    facts |= {"rows": {"trained": 0}, "loss_curve": [], "final_loss": None, "train_seconds": 0.0}
    if subset:
        examples, rows = encode_subset(read_planned(plan, results_dir), tokenizer, training)
        facts |= {"scale": subset["scale"], "scale_label": subset["scale_label"], "rows": rows}
        # With other data, a checkpoint is of another run.
        decided = {**training, "packed": unpacked_reason is None, "inputs": plan["inputs"]}
        facts |= fit(model, examples, decided, end_token_id(tokenizer), checkpoint, **how)
        facts |= {"unpacked_reason": unpacked_reason}
    weights = whole_weights(model)
    if is_main_process():
        require_finite(weights)
        save_model(model, weights, tokenizer, folder / "model")
        facts["model_hash"] = hash_path(folder / "model" / "model.safetensors")
        write_json(plan["marker"], {"config": training, "provenance": provenance(started, plan["inputs"]), **facts})
        checkpoint.unlink(missing_ok=True)


def require_finite(weights: dict) -> None:
    """Raises TrainingFailed where the very last step, after which no loss is computed, broke the weights."""
    broken = [name for name, weight in weights.items() if not weight.isfinite().all()]
    if broken:
        raise TrainingFailed(f"the last step left {len(broken)} of {len(weights)} weights not finite ({broken[0]}); "
                             "try a lower learning_rate (--set learning_rate=...)")  # fmt: skip


def save_model(model, weights: dict, tokenizer, folder: Path) -> None:
    """Weights as one safetensors file, so that it has one hash, and the tokenizer. UserError on a full disk."""
    from safetensors import SafetensorError

    try:
        model.save_pretrained(folder, state_dict=weights, max_shard_size="100GB")
        tokenizer.save_pretrained(folder)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        kept = folder.with_name("checkpoint.pt").exists()
        goes_on = "goes on from the last checkpoint" if kept else "trains anew, for want of a checkpoint"
        raise UserError(
            f"cannot write {folder} ({reason}); free some disk and run the same command: it {goes_on}"
        ) from error


if __name__ == "__main__":
    run_main(main)
