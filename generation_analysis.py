"""Generate from one run on held-out instructions and measure what comes out.

    python generation_analysis.py results/ultra_10k_500M
    python generation_analysis.py results/ultra_10k_500M --num_samples 8 --force

Reads  <run>/model/, <run>/experiment_config.json, subsets/heldout/ beside the run.
Writes <run>/generation_analysis/generation_analysis.json (measures) and generations/ (one row per answer).

To each prompt one greedy answer (`sample` 0) and some sampled ones (1, 2, ...), each drawn by random numbers that come
from the seed, the prompt's id and the sample's number alone. The measures are those of `generation_measures.py`: they
look at form - does it end, loop, copy, run on - and need no judge. The quality score of the answers is a diagnostic
only: it is not independent of the selection, since the training rows were chosen by the same score.
"""

import time
from pathlib import Path

import numpy as np
import pyarrow

from arrow_files import write_arrow
from command_line import argument_parser, run_main, whole
from common import clear, is_done, provenance, read_json, sole_use, write_json
from generation_measures import estimate, group_rows, measure_answer, self_bleu, summarise
from lineage import read_subset, run_inputs
from quality_scorer import QualityScorer
from text_generation import RunModel, uniform_draws
from training_configs import EVALUATION

NOT_INDEPENDENT = "not independent of the selection: the training rows were chosen by this score; a diagnostic only"


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("run", help="folder of a finished run, such as results/ultra_10k_500M")
    parser.add_argument("--num_samples", type=whole, help="sampled answers to each prompt (default: the run's setting)")
    parser.add_argument("--force", action="store_true", help="generate again even where it is done")
    arguments = parser.parse_args()
    with sole_use(arguments.run):
        analyse_run(Path(arguments.run), arguments.force, arguments.num_samples)


def analyse_run(run: Path, force: bool, num_samples: int | None = None) -> dict:
    """Generate and measure, unless that is done; returns generation_analysis.json."""
    started = time.time()
    config, inputs = run_inputs(run)
    marker = run / "generation_analysis" / "generation_analysis.json"
    settings = generation_settings(config, num_samples, None if force else marker)
    generations = marker.with_name("generations")
    if is_done(marker, settings, inputs, force):
        print(f"skipped: {marker} is already done")
        return read_json(marker)
    marker.parent.mkdir(exist_ok=True)
    clear(marker, generations)
    prompts = random_rows(read_subset(run.parent, "heldout", inputs["heldout"]), settings["generation_prompts"])
    run_model = RunModel(run / "model", config["precision"])
    rows = answer_prompts(run_model, prompts, settings)
    write_arrow(generations, pyarrow.Table.from_pylist(rows))
    measures = summarise_generations(rows)
    facts = {"config": settings, "provenance": provenance(started, inputs), "precision": run_model.precision}
    write_json(marker, {**facts, **measures})
    print_measures(run.name, measures)
    return read_json(marker)


def refuse_other_generations(run: Path, config: dict, inputs: dict) -> None:
    """Raises UserError where a run's generations were made with other settings or of other rows than these.

    A number of samples that was asked for since counts; else what --num_samples asked for may stay.
    """
    marker, number = run / "generation_analysis" / "generation_analysis.json", config["generation_num_samples"]
    made = run / "experiment_config.json"  # written anew where it is missing
    before = read_json(made)["config"]["generation_num_samples"] if made.exists() else number
    settings = generation_settings(config, None if number == before else number, marker)
    is_done(marker, settings, inputs, remedy="--reevaluate generates again")


def generation_settings(config: dict, num_samples: int | None, marker: Path | None) -> dict:
    """What decides the generations. Without a number of samples, that of earlier generations, if any, is kept."""
    settings = {key: config.get(key, value) for key, value in EVALUATION.items() if key.startswith("generation")}
    settings |= {key: config[key] for key in ("max_tokens", "precision")}
    if num_samples is None and marker and marker.exists():
        num_samples = read_json(marker).get("config", {}).get("generation_num_samples")
    if num_samples is not None:
        settings["generation_num_samples"] = num_samples
    return settings


def answer_prompts(run_model: RunModel, prompts: list[dict], settings: dict) -> list[dict]:
    """The measured answers: all greedy ones, then all first samples, and so on."""
    limits = (settings["max_tokens"], settings["generation_max_new_tokens"])
    instructions = [row["instruction"] for row in prompts]
    answers = run_model.generate(instructions, *limits, "greedy answers")
    samples = settings["generation_num_samples"]
    numbered = [(row, 0) for row in prompts] + [(row, number) for number in range(1, samples + 1) for row in prompts]
    if samples:
        keys = [f"{row['id']}/{number}" for row, number in numbered[len(prompts) :]]
        uniforms = uniform_draws(keys, settings["generation_max_new_tokens"], settings["generation_seed"])
        sampling = {"temperature": settings["generation_temperature"], "uniforms": uniforms}
        answers += run_model.generate(instructions * samples, *limits, "sampled answers", sampling)
    return [measure_answer(row, answer, number) for (row, number), answer in zip(numbered, answers, strict=True)]


def random_rows(table, count: int) -> list[dict]:
    """`count` rows of the held-out set, the same random ones for every model, in the set's order."""
    chosen = np.sort(np.random.default_rng(1).permutation(len(table))[:count])
    return table.select(["id", "source", "instruction", "response"]).take(chosen).to_pylist()


# ---------------------------------------------------------------------------------------------------------------------
# Measures over all answers


def summarise_generations(rows: list[dict]) -> dict:
    """The greedy answers' measures, how alike samples are, and under "sampled" the samples' own measures."""
    greedy = [row for row in rows if row["sample"] == 0]
    sampled = [row for row in rows if row["sample"]]
    measures = summarise(greedy)
    alike = [[self_bleu([row["answer"] for row in group])] for group in group_rows(sampled)]
    measures["self_bleu"], measures["intervals"]["self_bleu"] = estimate(alike, False)
    instructions, answers = [row["instruction"] for row in greedy], [row["answer"] for row in greedy]
    scores = [[float(score)] for score in QualityScorer().score_batch(instructions, answers)["quality"]]
    name = "quality_score_diagnostic"
    measures[name], measures["intervals"][name] = estimate(scores, False)
    measures["notes"] = {name: NOT_INDEPENDENT}
    measures["sampled"] = {"answers": len(sampled), **summarise(sampled)} if sampled else None
    return measures


def print_measures(name: str, measures: dict) -> None:
    headline = ["end_token_rate", "loop_rate", "rep_4", "length_ratio_median", "self_bleu"]
    measured = ", ".join(f"{key} {measures[key]:.3f}" for key in headline if measures[key] is not None)
    print(f"{name}: {measures['prompts']} prompts, {measured}")


if __name__ == "__main__":
    run_main(main)
