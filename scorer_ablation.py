"""What each sub-score adds to the quality score: hold it at its mean, and see what the evidence loses.

A sub-score whose absence costs nothing needs another reason to exist. Prints the table as Markdown: changes of
preference accuracy (any pair of PAIRS, those of like length), of the mean over corruption kinds of FILE's rows, of the
rank correlation with words of the response, and the kinds that move by 0.01 or more.

Reads  preference pairs (instruction, chosen, rejected) and instruction data
Writes <results>/scorer/ablation.json

    python scorer_ablation.py PAIRS FILE [--max_samples 2000] [--seed 0]
"""

import time
from pathlib import Path

import numpy as np

from command_line import add_results_dir, argument_parser, positive, run_main, whole
from common import UserError, hash_files, provenance, require_writable, write_json
from cost_statistics import ranks
from dataset_readers import read_rows
from quality_scorer import CHUNK_ROWS, SCORER_VERSION, QualityScorer
from scorecard import correlation
from scorer_validation import are_of_like_length, corrupted_copies, left_out_words, read_pairs, wins_of, word_counts

MOVED = 0.01


class Measured:
    """Sub-scores of some answers, and the total with one of them held at its mean."""

    def __init__(self, scorer: QualityScorer, instructions: list[str], responses: list[str]):
        pairs = list(zip(instructions, responses, strict=True))
        chunks = [scorer.sub_scores(pairs[start : start + CHUNK_ROWS]) for start in range(0, len(pairs), CHUNK_ROWS)]
        self.parts = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
        self.scorer, self.has_words = scorer, self.parts["completeness"] > 0

    def total(self, held: str | None, mean: float = 0.0) -> np.ndarray:
        parts = self.parts | ({held: np.full(len(self.has_words), mean)} if held else {})
        return self.scorer.totals(parts, self.has_words)["quality"]


def measure(scorer: QualityScorer, pairs: dict, instructions: list[str], responses: list[str], seed: int) -> dict:
    """All that an ablation needs, each sub-score computed once."""
    return {
        "chosen": Measured(scorer, pairs["instruction"], pairs["chosen"]),
        "rejected": Measured(scorer, pairs["instruction"], pairs["rejected"]),
        "like_length": are_of_like_length(word_counts(pairs["chosen"]), word_counts(pairs["rejected"])),
        "original": Measured(scorer, instructions, responses),
        "copies": {
            kind: (Measured(scorer, instructions, copies), changed)
            for kind, copies, changed in corrupted_copies(responses, seed)
        },
        "words": word_counts(responses),
    }


def evidence(measured: dict, held: str | None = None) -> dict:
    """The evidence with one sub-score held at its mean over the original answers of each set."""
    means = {name: float(measured[name].parts[held].mean()) if held else 0.0 for name in ("chosen", "original")}
    chosen, rejected = (measured[name].total(held, means["chosen"]) for name in ("chosen", "rejected"))
    original, like = measured["original"].total(held, means["original"]), measured["like_length"]
    kinds = {
        kind: float(wins_of(original - copies.total(held, means["original"]))[changed].mean())
        for kind, (copies, changed) in measured["copies"].items()
        if changed.any()
    }
    preferred = wins_of(chosen - rejected)
    return {
        "any_pair": float(preferred.mean()),
        "like_length": float(preferred[like].mean()) if like.any() else None,
        "corruptions": float(np.mean(list(kinds.values()))),
        "length_correlation": correlation(ranks(original), ranks(measured["words"])),
        "kinds": kinds,
    }


COLUMNS = ["any_pair", "like_length", "corruptions", "length_correlation"]


def table_lines(full: dict, held: dict[str, dict]) -> list[str]:
    """The table as Markdown."""
    numbers = " | ".join("-" if full[name] is None else f"{full[name]:.3f}" for name in COLUMNS)
    lines = [
        "| held at its mean | any pair | like length | corruptions | length | kinds |",
        "|---|---|---|---|---|---|",
    ]
    lines.append(f"| (none) | {numbers} | |")
    for name, result in held.items():
        changes = ["-" if None in (full[key], result[key]) else f"{result[key] - full[key]:+.3f}" for key in COLUMNS]
        moves = {kind: rate - full["kinds"][kind] for kind, rate in result["kinds"].items()}
        moved = [f"{kind.replace('_', ' ')} {move:+.3f}" for kind, move in moves.items() if abs(move) >= MOVED]
        lines.append(f"| {name} | {' | '.join(changes)} | {', '.join(moved)} |")
    return lines


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("pairs", metavar="PAIRS", help="columns instruction, chosen, rejected")
    parser.add_argument("file", metavar="FILE", help="instruction data whose answers are corrupted")
    parser.add_argument("--max_samples", type=positive, default=2_000, help="rows of FILE (default: 2000)")
    parser.add_argument("--seed", type=whole, default=0, help="of the sample and the corruptions (default: 0)")
    add_results_dir(parser)
    report(parser.parse_args())


def report(arguments) -> None:
    """Print and keep the table."""
    started = time.time()
    folder = require_writable(Path(arguments.results_dir) / "scorer")
    pairs, left_out = read_pairs(arguments.pairs)
    if left_out:
        print(left_out_words(left_out), end="\n\n")
    table, _ledger = read_rows([arguments.file], arguments.max_samples, arguments.seed)
    if table.num_rows < 2:
        raise UserError(f"{arguments.file} has fewer than two rows that can be scored")
    instructions, responses = table["instruction"].to_pylist(), table["response"].to_pylist()
    scorer = QualityScorer().fit([(instructions, responses)])
    measured = measure(scorer, pairs, instructions, responses, arguments.seed)
    full = evidence(measured)
    names = [name for name in measured["original"].parts if name not in scorer.score("", "")]
    held = {name: evidence(measured, name) for name in names}
    config = {"scorer_version": SCORER_VERSION, "max_samples": arguments.max_samples, "seed": arguments.seed}
    made = provenance(started, hash_files([arguments.pairs, arguments.file]))
    write_json(folder / "ablation.json", {"config": config, "provenance": made, "full": full, "held": held})
    print("\n".join(table_lines(full, held)))


if __name__ == "__main__":
    run_main(main)
