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
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from common import (
    UserError,
    add_results_dir,
    add_settings,
    argument_parser,
    clear,
    file_lock,
    hash_json,
    hash_path,
    hash_strings,
    is_done,
    not_negative,
    positive,
    positive_fraction,
    positive_number,
    provenance,
    read_arrow,
    read_json,
    require_disk,
    require_writable,
    run_main,
    settings_from,
    whole,
    write_json,
)
from dry_run import STATED_GPU, at_hand, estimate, packed_size, probe_rate, sample_rows, stated_rate, table_lines
from evaluate_quality_tradeoff import evaluate_run, suite_tasks
from generation_analysis import analyse_run
from language_model import (
    encode_examples,
    end_token_id,
    learn_tokenizer,
    load_config,
    load_model,
    load_tokenizer,
    model_fingerprint,
    model_outline,
    new_model,
    quiet_transformers,
)
from learning_rate_sweep import dev_rows, run_sweep, sweep_table
from model_probe import require_positions, require_trainable
from training_checkpoints import TrainingStopped, whole_weights
from training_configs import TRAINING, experiment_config, experiments_of, model_spec
from training_loop import TrainingFailed, end_processes, fit, new_accelerator, wants_compiling
from training_memory import model_shape, plan_memory

MANY_CUT_FRACTION = 0.1
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
    how = {key: getattr(arguments, key) for key in ("checkpoint_seconds", "report_to", "micro_batch_tokens")}
    if arguments.dry_run:
        stated = {key: getattr(arguments, key) for key in ("tokens_per_second", "mfu", "micro_batch_tokens")}
        print("\n".join(dry_run(configs, results_dir, **stated)))
        return []
    if arguments.sweep_learning_rate:
        sweep(configs, results_dir, arguments.sweep_learning_rate, {**how, "force": arguments.force})
        return []
    failed = run_experiments(configs, results_dir, arguments.force, how)
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
    parser.add_argument(
        "--skip_existing",
        action="store_true",
        help="skip what is done with this very configuration and data. That is the default, made explicit; "
        "a run made otherwise is refused, never skipped",
    )
    parser.add_argument("--force", action="store_true", help="train again even where it is done")
    parser.add_argument(
        "--checkpoint_seconds", type=not_negative, default=600, help="time between checkpoints (default: 600)"
    )
    parser.add_argument(
        "--micro_batch_tokens", type=positive, help="tokens of one pass on a device (default: as many as should fit)"
    )
    parser.add_argument("--report_to", choices=TRACKERS, help="also send loss and speed to a tracker")
    rates = {"nargs": "+", "type": positive_number, "metavar": "RATE"}
    parser.add_argument("--sweep_learning_rate", **rates, help="only compare these, on rows set aside from the subset")
    parser.add_argument("--dry_run", action="store_true", help="only print what training would take")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument("--tokens_per_second", type=positive_number, help="for --dry_run: a rate in place of the probe")
    rate.add_argument("--mfu", type=positive_fraction, help="for --dry_run: a share of an H100's peak instead")
    arguments = parser.parse_args()
    tracker = arguments.report_to
    if tracker and find_spec(tracker) is None:
        raise UserError(f"--report_to {tracker}: the package is not installed; pip install {tracker}")
    return arguments


def is_main_process() -> bool:
    """Whether this process is the one that speaks and writes; torchrun and accelerate number them in RANK."""
    return int(os.environ.get("RANK", "0")) == 0


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
    return overrides | settings_from(arguments.set)


# ---------------------------------------------------------------------------------------------------------------------
# Experiments


def run_experiments(configs: list[dict], results_dir: Path, force: bool, how: dict) -> list[str]:
    """Train, evaluate and generate from each; returns the names of those that failed. Refuses before any training.

    how: checkpoint_seconds, report_to and micro_batch_tokens, as `fit` takes them.
    """
    plans = [plan_experiment(config, results_dir) for config in configs]
    for plan in plans:
        is_done(plan["marker"], plan["config"], plan["inputs"], force)
    failed = []
    for number, (config, plan) in enumerate(zip(configs, plans, strict=True), start=1):
        name = config["experiment"]
        print(f"[{number}/{len(plans)}] {name}")
        try:
            run_experiment(config, plan, results_dir, force, how)
        except TrainingFailed as error:
            if is_main_process():
                print(f"failed: {name}: {error}", file=sys.stderr)
                write_json(plan["folder"] / "failure.json", {"config": plan["config"], "reason": str(error)})
            failed.append(name)
        if is_main_process():
            write_summary(results_dir)
    return failed


def run_experiment(config: dict, plan: dict, results_dir: Path, force: bool, how: dict) -> None:
    """One experiment, unless another command works on it. All processes train; the main one does the rest."""
    if not is_main_process():
        if main_process_says(None) == "train":
            train_experiment(plan, config, results_dir, how)
        return
    with file_lock(plan["folder"] / ".lock") as held:
        finished = held and is_done(plan["marker"], plan["config"], plan["inputs"], force)
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
        evaluate_run(plan["folder"], force)
        analyse_run(plan["folder"], force)


def plan_experiment(config: dict, results_dir: Path) -> dict:
    """What an experiment needs and where it is written: the training part of its config, inputs' hashes, subset."""
    spec = model_spec(config)
    if config["max_tokens"] > config["block_tokens"]:
        raise UserError(f"max_tokens {config['max_tokens']} is more than block_tokens {config['block_tokens']}")
    suite_tasks(config["suite"], config["suite_prompts"], config["suite_seed"])  # a suite too large is refused now
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
    quiet_transformers()
    model, tokenizer, unpacked_reason = starting_model(config, results_dir)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if is_main_process():
        # fp32 weights once as the model; weights and two moments as the checkpoint, old and new while it is saved
        there = checkpoint.stat().st_size if checkpoint.exists() else 0
        require_disk(results_dir, 7 * 4 * parameters - there, f"the model and checkpoints of {folder.name}")
        folder.mkdir(exist_ok=True)
        clear(plan["marker"], folder / "model", folder / "failure.json")
        write_experiment_config(plan, config)
    subset = plan["subset"]
    facts = {"parameters": parameters, "scale": None, "scale_label": None, "steps": 0, "tokens": 0}
    facts |= {"rows": {"trained": 0}, "loss_curve": [], "final_loss": None, "train_seconds": 0.0}
    if subset:
        table = read_subset(results_dir, training["subset"], subset)
        examples, rows = encode_subset(table, tokenizer, training)
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
        raise UserError(
            f"cannot write {folder} ({reason}); free some disk and run the same command: it goes on from the last "
            "checkpoint"
        ) from error


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


def read_subset(results_dir: Path, name: str, subset: dict):
    """The rows of a subset. Raises UserError where they are damaged or not those of its JSON."""
    folder = results_dir / "subsets" / name
    table = read_arrow(folder, ["id", "instruction", "response"])
    if hash_strings(table["id"].to_pylist()) != subset["ids_hash"]:
        raise UserError(f"{folder} does not hold the rows that {name}.json names; run filter_datasets.py with --force")
    return table


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
        raise TrainingFailed(f"no row of {config['subset']} has a response to learn from")
    cut = sum(example.response_cut for example in kept)
    if cut > MANY_CUT_FRACTION * len(kept):
        print(f"warning: {cut} of {len(kept)} responses are cut at max_tokens={max_tokens}: they do not learn to end")
    return kept, {
        "trained": len(kept),
        "dropped_empty_response": len(examples) - len(kept),
        "prompt_cut": sum(example.prompt_cut for example in kept),
        "response_cut": cut,
    }


# ---------------------------------------------------------------------------------------------------------------------
# Before training: learning rates compared, cost estimated


def sweep(configs: list[dict], results_dir: Path, rates: list[float], how: dict) -> None:
    """Print, for each experiment that trains, how the learning rates compare on rows of its subset set aside."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("--sweep_learning_rate runs in one process; start it without torchrun or accelerate launch")
    quiet_transformers()
    configs = [config for config in configs if config["subset"]]
    for config, plan in [(config, plan_experiment(config, results_dir)) for config in configs]:
        training = plan["config"]
        table = read_subset(results_dir, training["subset"], plan["subset"])
        aside = dev_rows(table["instruction"].to_pylist(), training["seed"])
        tokenizer = starting_tokenizer(config, results_dir)
        train, dev = (encode_subset(table.filter(rows), tokenizer, training)[0] for rows in (~aside, aside))
        folder = results_dir / "learning_rate_sweep" / training["experiment"]
        entries = run_sweep(plan, train, dev, partial(starting_model, config, results_dir), rates, folder, how)
        print("\n".join(sweep_table(entries)))


def dry_run(
    configs: list[dict], results_dir: Path, tokens_per_second=None, mfu=None, micro_batch_tokens=None
) -> list[str]:
    """Lines of a table: what each experiment that trains would take. Nothing is trained, and no result written."""
    rates, lines = {}, {}
    for config in configs:
        plan = plan_experiment(config, results_dir)  # asks whether there is a network, before transformers is imported
        if not plan["subset"]:
            continue
        quiet_transformers()
        training = plan["config"]
        tokenizer = starting_tokenizer(config, results_dir)
        outline = model_outline(training["model_spec"], tokenizer)
        require_positions(outline.config, config)
        parameters = sum(parameter.numel() for parameter in outline.parameters())
        table, weight = sample_rows(read_subset(results_dir, training["subset"], plan["subset"]))
        examples, _ = encode_subset(table, tokenizer, training)
        lengths = [len(example.ids) for example in examples]
        rate = stated_rate(parameters, tokens_per_second, mfu)
        where = STATED_GPU if rate else at_hand(training["precision"])
        work = parameters, round(sum(lengths) * weight) * training["epochs"], where["peak"]
        if not rate:
            compiled = wants_compiling(training, *work)
            key = hash_json({"model": training["model_spec"], "block": training["block_tokens"], "compiled": compiled})
            if key not in rates:
                model, _, unpacked_reason = starting_model(config, results_dir)
                probed = {**training, "packed": unpacked_reason is None}
                how = end_token_id(tokenizer), where["precision"], wants_compiling(probed, *work), micro_batch_tokens
                rates[key] = probe_rate(model, examples, probed, *how), probed["packed"]
            rate, packed = rates[key]
            training = {**training, "packed": packed}
        compiled = wants_compiling(training, *work)
        memory = plan_memory(parameters, model_shape(outline.config), training, where, compiled, micro_batch_tokens)
        lines[config["experiment"]] = estimate(packed_size(lengths, training, weight), parameters, rate, memory)
    return table_lines(lines)


def starting_tokenizer(config: dict, results_dir: Path):
    """The tokenizer that an experiment starts from, without its model."""
    spec = model_spec(config)
    return load_tokenizer(spec["model"] if "model" in spec else str(own_tokenizer(results_dir, spec)))


if __name__ == "__main__":
    run_main(main)
