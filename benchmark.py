"""Speed and memory of a stage beside named references, in the same run on the same rows.

Rows per second depend on the machine and on what else it does, so compare ratios within one run. Every contender runs
in fresh processes, in turn with the others, round after round; the tables show medians.

Reads  --data (default: the embedded corpus)
Writes <results>/benchmark/scorer.json, filter.json, train.json (on a GPU train_gpu.json), evaluate.json,
       analysis.json

    python benchmark.py scorer
    python benchmark.py scorer --data my_rows.jsonl --rounds 5
    python benchmark.py filter --data my_rows.jsonl --rows 1000000
    python benchmark.py train
    python benchmark.py evaluate          # generation, held-out loss, intervals; lm-evaluation-harness where installed
    python benchmark.py analysis          # simulated studies of known truth
"""

import multiprocessing
import os
import re
import resource
import sys
import time
import zlib
from pathlib import Path
from statistics import median

from analysis_benchmark import run_analysis_benchmark
from command_line import add_results_dir, argument_parser, positive, run_main, whole
from common import UserError, provenance, require_writable, write_json
from dataset_readers import read_rows
from evaluation_benchmark import benchmark_evaluation, evaluation_table
from filter_benchmark import (
    DEDUP_ROWS,
    deduplicator_lines,
    measure_deduplicators,
    measure_stage,
    scorer_line,
    stage_lines,
)
from gpu_benchmark import SIZES, STEPS, benchmark_gpu, gpu_table
from language_model import pick_device
from quality_scorer import SCORER_VERSION, QualityScorer
from train_benchmark import CONFIG, benchmark_training, training_table
from training_configs import MODEL_FAMILIES, TRAINING

DEMO_SAMPLES = 20_000
TRAIN_SAMPLES = 600
BATCH_ROWS = 2_000

# ---------------------------------------------------------------------------------------------------------------------
# What is measured: functions of a batch of instructions and one of responses


def our_scorer():
    scorer = QualityScorer()
    scorer.score("Name a colour.", "Blue.")  # loads the dictionary, 0.2 s; words are learnt as they come
    return scorer.score_batch


KEYWORDS = ["because", "therefore", "however", "example", "first", "step", "explain", "specific", "important", "result"]


def keyword_and_length_heuristic():
    """What many pipelines do: lengths, keywords, marks of structure, type-token ratio, with regular expressions."""

    def score(instruction: str, response: str) -> float:
        words = re.findall(r"\b\w+\b", response.lower())
        sentences = [sentence for sentence in re.split(r"[.!?]+", response) if sentence.strip()]
        length = min(len(words) / 200, 1.0)
        keywords = sum(keyword in response.lower() for keyword in KEYWORDS) / len(KEYWORDS)
        structure = min(len(re.findall(r"^\s*(?:[-*]|\d+\.)\s", response, re.MULTILINE)) / 5, 1.0)
        variety = len(set(words)) / len(words) if words else 0.0
        sentence_length = len(words) / len(sentences) if sentences else 0.0
        overlap = len(set(re.findall(r"\b\w+\b", instruction.lower())) & set(words)) / 10
        return length + keywords + structure + variety + min(sentence_length / 20, 1.0) + min(overlap, 1.0)

    return lambda instructions, responses: [score(*pair) for pair in zip(instructions, responses, strict=True)]


def bare_split():
    return lambda _instructions, responses: [len(response.split()) for response in responses]


def zlib_level_1():
    return lambda _instructions, responses: [
        len(zlib.compress(response.encode("utf-8", "replace"), 1)) for response in responses
    ]


DATA_JUICER_FILTERS = [
    "TextLengthFilter", "AverageLineLengthFilter", "MaximumLineLengthFilter", "SpecialCharactersFilter",
    "AlphanumericFilter", "WordsNumFilter", "WordRepetitionFilter", "CharacterRepetitionFilter", "StopWordsFilter",
    "FlaggedWordFilter",
]  # fmt: skip
STOP_WORDS = "the a an and or but of to in on at for with by from is are was were be it this that as not".split()


def data_juicer_filters():
    """Data-Juicer's ten text filters, called directly on a batch; its word lists are given, not downloaded."""
    from data_juicer.ops import filter as filters

    def build(name: str):
        operator = getattr(filters, name)
        module = sys.modules[operator.__module__]
        if hasattr(module, "load_words_asset"):  # reads a list from the net
            module.load_words_asset = lambda *_arguments, **_options: {"en": STOP_WORDS, "all": STOP_WORDS}
        return operator()

    operators = [build(name) for name in DATA_JUICER_FILTERS]

    def measure(_instructions, responses):
        samples = {"text": responses, "__dj__stats__": [{} for _ in responses]}
        for operator in operators:
            samples = operator.compute_stats_batched(samples)
        return samples["__dj__stats__"]

    return measure


CONTENDERS = {
    "this scorer": our_scorer,
    "keyword-and-length heuristic": keyword_and_length_heuristic,
    "bare str.split": bare_split,
    "zlib level 1": zlib_level_1,
    "Data-Juicer, ten text filters": data_juicer_filters,
}

# ---------------------------------------------------------------------------------------------------------------------
# How it is measured


def score_part(make, instructions: list, responses: list, line) -> None:
    """In a process of its own: say when ready, wait, score; when it began, was done, and the most memory it held."""
    run = make()
    line.send("ready")
    line.recv()
    started = time.perf_counter()
    for start in range(0, len(responses), BATCH_ROWS):
        run(instructions[start : start + BATCH_ROWS], responses[start : start + BATCH_ROWS])
    line.send((started, time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20))


def measure(make, instructions: list, responses: list, processes: int) -> dict:
    """Rows/s by this many processes, from when all are ready to when the last is done; each begins cold.

    Raises EOFError where one of them fails; what failed stands on its stderr.
    """
    context = multiprocessing.get_context("fork")  # the rows are shared, not sent
    lines, workers = [], []
    for first in range(processes):
        line, far_end = context.Pipe()
        part = instructions[first::processes], responses[first::processes]
        workers.append(context.Process(target=score_part, args=(make, *part, far_end), daemon=True))
        workers[-1].start()
        far_end.close()  # only the process holds it now: when it ends, so does the line
        lines.append(line)
    for line in lines:
        line.recv()
    for line in lines:
        line.send("go")
    done = [line.recv() for line in lines]
    for worker in workers:
        worker.join()
    seconds = max(ended for _, ended, _ in done) - min(started for started, _, _ in done)
    return {"rows_per_second": len(responses) / seconds, "peak_memory_gib": max(memory for _, _, memory in done)}


def available(make) -> str | None:
    """Why a contender cannot run here; None where it can."""
    try:
        make()
    except ImportError as error:
        return f"not installed ({error.name or error})"
    return None


def benchmark_scorer(instructions: list, responses: list, rounds: int, process_counts: list[int]) -> list[dict]:
    """One entry per contender: rows/s by processes, the median of rounds and every round; peak memory of a process."""
    missing = {name: available(make) for name, make in CONTENDERS.items()}
    runs = {(name, count): [] for name in CONTENDERS for count in process_counts if not missing[name]}
    for _ in range(rounds):
        for name, count in runs:
            runs[name, count].append(measure(CONTENDERS[name], instructions, responses, count))
    return [
        {"name": name, "missing": missing[name]}
        | {f"processes_{count}": summary(runs[name, count]) for count in process_counts if not missing[name]}
        for name in CONTENDERS
    ]


def summary(runs: list[dict]) -> dict:
    """The median of the runs, and all of them."""
    rates = [run["rows_per_second"] for run in runs]
    memory = max(run["peak_memory_gib"] for run in runs)
    return {"rows_per_second": median(rates), "rounds": rates, "peak_memory_gib": memory}


# ---------------------------------------------------------------------------------------------------------------------
# Report


def table_lines(entries: list[dict], process_counts: list[int]) -> list[str]:
    """The contenders side by side; the last column is speed against the bare str.split of the same run."""
    heads = "".join(f"{f'rows/s, {count} proc':>16s}" for count in process_counts)
    lines = [f"{'':32s}{heads}{'of str.split':>14s}{'peak GiB':>10s}"]
    rates = {entry["name"]: entry for entry in entries}
    first = f"processes_{process_counts[0]}"
    base = rates["bare str.split"][first]["rows_per_second"]
    for entry in entries:
        if entry["missing"]:
            lines.append(f"{entry['name']:32s}{entry['missing']:>16s}")
            continue
        runs = [entry[f"processes_{count}"] for count in process_counts]
        numbers = "".join(f"{run['rows_per_second']:16,.0f}" for run in runs)
        memory = max(run["peak_memory_gib"] for run in runs)
        lines.append(f"{entry['name']:32s}{numbers}{runs[0]['rows_per_second'] / base:14.2f}{memory:10.2f}")
    return lines


def parse_arguments():
    parser = argument_parser(__doc__)
    add_results_dir(parser)
    parser.add_argument("stage", choices=["scorer", "filter", "train", "evaluate", "analysis"], help="what to measure")
    parser.add_argument(
        "--rows", type=positive, default=1_000_000, help="of filter: rows made of the data (default: 1000000)"
    )
    parser.add_argument("--data", default="demo", help="instruction data (default: the embedded corpus)")
    parser.add_argument("--model", help="evaluate: a model's folder or id (default: random weights)")
    parser.add_argument("--max_samples", type=positive, help="rows to take from --data")
    parser.add_argument("--rounds", type=positive, default=3, help="runs of each contender (default: 3)")
    parser.add_argument(
        "--num_proc", type=positive, default=2, help="processes to measure besides a single one (default: 2)"
    )
    parser.add_argument("--seed", type=whole, default=0, help="of the sample (default: 0)")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    if arguments.stage == "analysis":
        run_analysis_benchmark(arguments.results_dir, arguments.num_proc)
        return
    folder = require_writable(Path(arguments.results_dir) / "benchmark")
    reports = {
        "scorer": report_scorer,
        "filter": report_filter,
        "train": report_training,
        "evaluate": report_evaluation,
    }
    reports[arguments.stage](arguments, folder)


def report_filter(arguments, folder: Path) -> None:
    """The filter stage and the scorer on many rows, and near-duplicate search beside other libraries."""
    os.environ["RAYON_NUM_THREADS"] = "1"  # one core for each library
    started, load = time.time(), os.getloadavg()[0]
    config = {"data": arguments.data, "rows": arguments.rows, "num_proc": arguments.num_proc, "seed": arguments.seed}
    table, _ledger = read_rows([arguments.data], DEDUP_ROWS, arguments.seed)
    pairs = list(zip(table["instruction"].to_pylist(), table["response"].to_pylist(), strict=True))
    deduplicators = measure_deduplicators(pairs, arguments.seed)
    made, runs, scorer = measure_stage(arguments.data, arguments.rows, arguments.seed, arguments.num_proc, folder)
    facts = {"load_average_before": load, "made": made, "runs": runs, "scorer_alone": scorer}
    facts["deduplicators"] = deduplicators
    size = f"{made['rows']:,} rows of {made['bytes_per_row']:,.0f} bytes"
    head = f"{size}, made of {arguments.data} in {made['rounds']} rounds; load average {load:.1f} before"
    lines = [head, "", *stage_lines(runs), scorer_line(scorer, made["rows"], arguments.num_proc)]
    lines += ["", *deduplicator_lines(deduplicators)]
    write_report(folder / "filter.json", config | {"scorer_version": SCORER_VERSION}, started, facts, lines)


def report_scorer(arguments, folder: Path) -> None:
    """The scorer beside named references."""
    started = time.time()
    data = arguments.data
    instructions, responses = read_columns(arguments, DEMO_SAMPLES if data == "demo" else None)
    process_counts = sorted({1, arguments.num_proc})
    entries = benchmark_scorer(instructions, responses, arguments.rounds, process_counts)
    bytes_per_row = sum(len(response.encode()) for response in responses) / len(responses)
    config = {"data": data, "rows": len(responses), "rounds": arguments.rounds, "process_counts": process_counts}
    facts = {"response_bytes_per_row": bytes_per_row, "contenders": entries}
    head = f"{len(responses):,} rows of {data}, {bytes_per_row:,.0f} bytes a response, median of {arguments.rounds}"
    lines = [head, "", *table_lines(entries, process_counts)]
    write_report(folder / "scorer.json", config | {"scorer_version": SCORER_VERSION}, started, facts, lines)


def report_training(arguments, folder: Path) -> None:
    """Training beside transformers' and trl's trainers and a bare loop; on a GPU, how much of it is used."""
    started, load = time.time(), os.getloadavg()[0]
    if pick_device() == "cuda":
        about = {"config": {**TRAINING, "steps": STEPS}, "provenance": provenance(started, {})}
        specs = {size: MODEL_FAMILIES["scratch"][size] for size in SIZES}
        file = folder / "train_gpu.json"
        facts = benchmark_gpu(specs, TRAINING, STEPS, lambda facts: write_json(file, about | facts))
        print("\n".join([*gpu_table(facts), "", f"written: {file}"]))
        return
    facts = benchmark_training(*read_columns(arguments, TRAIN_SAMPLES), arguments.rounds)
    config = {"data": arguments.data, "rounds": arguments.rounds, **CONFIG}
    size = f"{facts['rows']:,} rows of {arguments.data}, {facts['tokens_per_row']:.0f} tokens a row"
    lines = [f"{size}, median of {arguments.rounds}", "", *training_table(facts)]
    write_report(folder / "train.json", config, started, {"load_average_before": load, **facts}, lines)


def report_evaluation(arguments, folder: Path) -> None:
    """Generation, held-out loss and intervals, beside their references."""
    started, load = time.time(), os.getloadavg()[0]
    columns = read_columns(arguments, TRAIN_SAMPLES)
    facts = benchmark_evaluation(*columns, arguments.model, arguments.rounds)
    config = {"data": arguments.data, "model": arguments.model, "rounds": arguments.rounds}
    head = f"{facts['rows']:,} rows of {arguments.data}, load average {load:.1f} before"
    facts = {"load_average_before": load, **facts}
    write_report(folder / "evaluate.json", config, started, facts, [head, "", *evaluation_table(facts)])


def write_report(path: Path, config: dict, started: float, facts: dict, lines: list[str]) -> None:
    """Keep and print what was measured, and on what machine."""
    made = provenance(started, {})
    write_json(path, {"config": config, "provenance": made, **facts})
    machine = f"{made['hardware']['cores']} cores ({made['hardware']['cpu']})"
    print("\n".join([*lines, "", machine, f"written: {path}"]))


def read_columns(arguments, max_samples: int | None) -> tuple[list[str], list[str]]:
    """Instructions and responses of --data: --max_samples, else `max_samples` of them. Raises UserError without any."""
    table, _ledger = read_rows([arguments.data], arguments.max_samples or max_samples, arguments.seed)
    if not table.num_rows:
        raise UserError(f"no row of {arguments.data} can be used; give other instruction data with --data")
    return table["instruction"].to_pylist(), table["response"].to_pylist()


if __name__ == "__main__":
    run_main(main)
