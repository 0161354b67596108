"""Generate from one run on held-out instructions and measure what comes out.

    python generation_analysis.py results/ultra_10k_500M

Reads  <run>/model/, <run>/experiment_config.json, subsets/heldout/ beside the run.
Writes <run>/generation_analysis/generation_analysis.json (measures) and generations/ (one row per prompt).

Greedy answers. The measures look at form - does it end, loop, copy, run on - and need no judge. The quality score of
the answers is a diagnostic only: the training rows were chosen by the same score.
"""

import re
import time
from collections import Counter
from pathlib import Path

import numpy as np

from common import argument_parser, clear, is_done, provenance, read_arrow, read_json, run_main, write_arrow, write_json
from language_model import RunModel, run_inputs
from quality_scorer import QualityScorer

DISTINCT_WORDS = 1_000  # distinct-n falls with length, so it is taken over a fixed number of words
LOOP_REPEATS = 3
WORD = re.compile(r"\w+|[^\w\s]")


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("run", help="folder of a finished run, such as results/ultra_10k_500M")
    parser.add_argument("--force", action="store_true", help="generate again even where it is done")
    args = parser.parse_args()
    analyse_run(Path(args.run), args.force)


def analyse_run(run: Path, force: bool = False) -> dict:
    """Generate and measure, unless that is done; returns generation_analysis.json."""
    import pyarrow

    started = time.time()
    config, inputs = run_inputs(run)
    settings = {key: config[key] for key in config if key.startswith("generation")}
    settings |= {key: config[key] for key in ("max_tokens", "precision")}
    marker = run / "generation_analysis" / "generation_analysis.json"
    generations = marker.with_name("generations")
    if is_done(marker, settings, inputs, force):
        print(f"skipped: {marker} is already done")
        return read_json(marker)
    marker.parent.mkdir(exist_ok=True)
    clear(marker, generations)
    prompts = spread_rows(read_arrow(run.parent / "subsets" / "heldout"), config["generation_prompts"])
    answers = RunModel(run / "model", config["precision"]).generate(
        [row["instruction"] for row in prompts],
        config["max_tokens"],
        config["generation_max_new_tokens"],
        "generation analysis",
    )
    rows = [measure_answer(row, answer) for row, answer in zip(prompts, answers, strict=True)]
    write_arrow(generations, pyarrow.Table.from_pylist(rows))
    measures = summarise_generations(rows)
    write_json(marker, {"config": settings, "provenance": provenance(started, inputs), **measures})
    print_measures(run.name, measures)
    return read_json(marker)


def spread_rows(table, count: int) -> list[dict]:
    """`count` rows of the held-out set, the same random ones for every model, in the set's order."""
    chosen = np.sort(np.random.default_rng(1).permutation(len(table))[:count])
    return table.select(["id", "source", "instruction", "response"]).take(chosen).to_pylist()


# ---------------------------------------------------------------------------------------------------------------------
# Measures


def measure_answer(row: dict, answer: dict) -> dict:
    """One generation with its per-answer measures, each a number or a flag.

    rep_4: share of the answer's word 4-grams that it has said before (Welleck et al. 2020, seq-rep-4).
    looped: the answer ends on one phrase LOOP_REPEATS times over.
    copy_fraction: share of the answer's word 4-grams that stand in the instruction; null under 4 words.
    length_ratio: words of the answer to words of the reference.
    """
    words, reference = WORD.findall(answer["answer"]), WORD.findall(row["response"])
    grams = word_ngrams(words, 4)
    seen = set(word_ngrams(WORD.findall(row["instruction"]), 4))
    return {
        **{key: row[key] for key in ("id", "source", "instruction")},
        "reference": row["response"],
        "answer": answer["answer"],
        "tokens": answer["tokens"],
        "ended": answer["ended"],
        "empty": not answer["answer"].strip(),
        "looped": ends_in_loop(words),
        "rep_4": 1 - len(set(grams)) / len(grams) if grams else 0.0,
        "copy_fraction": sum(gram in seen for gram in grams) / len(grams) if grams else None,
        "length_ratio": len(words) / len(reference) if reference else None,
    }


def word_ngrams(words: list[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n words, in order."""
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def ends_in_loop(words: list[str]) -> bool:
    """Whether the text closes on the same phrase of 1 to 32 words, LOOP_REPEATS times in a row or more."""
    for size in range(1, min(32, len(words) // LOOP_REPEATS) + 1):
        tail = words[-size * LOOP_REPEATS :]
        if tail == tail[-size:] * LOOP_REPEATS and any(word.isalnum() for word in tail):
            return True
    return False


def distinct_fraction(texts: list[list[str]], n: int) -> float | None:
    """Distinct n-grams over all n-grams in the first DISTINCT_WORDS words of all texts together (Li et al. 2016).

    Null where the texts together have fewer words than that: the number would not compare.
    """
    counts: Counter = Counter()
    room = DISTINCT_WORDS
    for words in texts:
        counts.update(word_ngrams(words[:room], n))
        room -= min(room, len(words))
    return len(counts) / counts.total() if room == 0 and counts else None


def summarise_generations(rows: list[dict]) -> dict:
    """Means and rates over all answers."""
    texts = [WORD.findall(row["answer"]) for row in rows]
    scorer = QualityScorer()
    scores = scorer.score_batch([row["instruction"] for row in rows], [row["answer"] for row in rows])
    copies = [row["copy_fraction"] for row in rows if row["copy_fraction"] is not None]
    ratios = [row["length_ratio"] for row in rows if row["length_ratio"] is not None]
    return {
        "prompts": len(rows),
        "mean_response_tokens": mean([row["tokens"] for row in rows]),
        "end_token_rate": mean([row["ended"] for row in rows]),
        "empty_rate": mean([row["empty"] for row in rows]),
        "loop_rate": mean([row["looped"] for row in rows]),
        "rep_4": mean([row["rep_4"] for row in rows]),
        "copy_fraction": mean(copies),
        "length_ratio_median": float(np.median(ratios)) if ratios else None,
        "distinct_1": distinct_fraction(texts, 1),
        "distinct_2": distinct_fraction(texts, 2),
        "quality_score_diagnostic": mean(scores["quality"]),
    }


def mean(values) -> float | None:
    """The mean of a list, null where it is empty."""
    return float(np.mean(values)) if len(values) else None


def print_measures(name: str, measures: dict) -> None:
    headline = ["end_token_rate", "loop_rate", "rep_4", "length_ratio_median"]
    measured = ", ".join(f"{key} {measures[key]:.3f}" for key in headline if measures[key] is not None)
    print(f"{name}: {measures['prompts']} generations, {measured}")


if __name__ == "__main__":
    run_main(main)
