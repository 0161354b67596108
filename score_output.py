"""Scores as lines to read in a terminal (distributions, sources, rows, one pair explained) and as files of rows.

`quality_scorer.py` is the command.
"""

import json
import textwrap
from collections import Counter
from pathlib import Path

import numpy as np

from common import UserError, one_line, require_apart, require_writable, whole_file
from training_configs import SCORE_KEYS, SCORE_WEIGHTS

WRITE_ROWS = 2_000


def distribution_table(scores: dict[str, np.ndarray]) -> list[str]:
    """One line per score: mean, standard deviation and percentiles."""
    lines = [f"{'':18s}" + "".join(f"{name:>9s}" for name in ("mean", "sd", "p5", "p25", "median", "p75", "p95"))]
    return lines + [distribution_line(key, scores[key]) for key in SCORE_KEYS]


def distribution_line(name: str, values: np.ndarray) -> str:
    """A line of that table."""
    numbers = [values.mean(), values.std(), *np.percentile(values, [5, 25, 50, 75, 95])]
    return f"{name:18s}" + "".join(f"{number:9.3f}" for number in numbers)


def source_table(sources: list[str], scores: dict[str, np.ndarray]) -> list[str]:
    """One line per source, most rows first: rows and the mean of each score."""
    lines = [f"{'source':28s}{'rows':>9s}" + "".join(f"{key:>18s}" for key in SCORE_KEYS)]
    labels = np.array(sources)
    for source, rows in Counter(sources).most_common():
        means = "".join(f"{scores[key][labels == source].mean():18.3f}" for key in SCORE_KEYS)
        lines.append(f"{one_line(source)[:27]:28s}{rows:9,d}{means}")
    return lines


def excerpt(text: str, characters: int = 320) -> str:
    """The text on wrapped, indented lines, cut in the middle where long; control characters shown as spaces."""
    flat = one_line(text)
    if len(flat) > characters:
        flat = f"{flat[: characters * 2 // 3]} [...] {flat[-characters // 3 :]}"
    return textwrap.fill(flat, 112, initial_indent="    ", subsequent_indent="    ") or "    (empty)"


def example_lines(table, scores: dict[str, np.ndarray], positions) -> list[str]:
    """Rows of an Arrow table to read, each with its scores."""
    lines = []
    for position in positions:
        row = table.slice(position, 1).to_pylist()[0]
        numbers = "  ".join(f"{key} {scores[key][position]:.3f}" for key in SCORE_KEYS)
        lines += [f"  {numbers}  [{one_line(row['source'])}, id {one_line(row['id'])}]"]
        lines += [excerpt(row["instruction"]), "    ->", excerpt(row["response"]), ""]
    return lines


def rows_lines(table, scores: dict[str, np.ndarray]) -> list[str]:
    """Means by source where there are several, then the best and the worst rows."""
    sources = table["source"].to_pylist()
    by_source = ["", *source_table(sources, scores)] if len(set(sources)) > 1 else []
    order = np.lexsort((np.arange(table.num_rows), -scores["quality"]))
    best, worst = (example_lines(table, scores, positions[:5]) for positions in (order, order[::-1]))
    return [*by_source, "", "best", *best, "worst", *worst]


def ledger_line(ledger: dict) -> str:
    """What became of the rows read, in one line. `ledger`: as `dataset_readers.read_rows` gives it."""
    dropped = [f"{reason} {sum(by_source.values()):,}" for reason, by_source in ledger["dropped"].items()]
    changed = [f"{reason} {rows:,}" for reason, rows in ledger["modified"].items()]
    parts = [f"{ledger['rows_read']:,} rows read, {ledger['kept']:,} kept"]
    parts += [f"dropped: {', '.join(dropped)}"] if dropped else []
    return "; ".join(parts + ([f"changed: {', '.join(changed)}"] if changed else []))


SUB_SCORES = {
    "content": "names as much as was asked for",
    "density": "specific words among all",
    "structure": "lists, paragraphs, blocks where it is long",
    "coherence": "opens on the topic, parts in order",
    "completeness": "ends as finished text does",
    "relevance": "takes up what the instruction names",
    "word_order": "words in an English order",
    "spelling": "words that a dictionary has",
    "casing": "sentences begin with capitals",
    "code_order": "code's brackets close, its blocks stand further in",
    "arithmetic": "sums written out hold",
    "form": "JSON, a list, a sentence, a word or code where that was asked for",
    "no_loops": "nothing over and over, nor the instruction again",
    "no_refusal": "does not decline",
    "no_padding": "no filler, boilerplate or blanks",
    "no_remains": "no other turns, page remains, unfilled fields or lost characters",
    "vocabulary": "varied words",
    "asks": "the instruction asks for something",
    "specificity": "the instruction gives names, numbers, conditions",
    "well_formed": "the instruction is sound English",
    "constraints": "the instruction sets conditions",
    "ask_readability": "the instruction reads plainly",
    "answer_readability": "the response reads plainly",
    "reasoning": "connectives, equations",
    "technical": "terms, numbers, code",
    "knowledge": "names, points",
    "template": "the instruction's pattern is rare in the corpus",
    "topic": "the instruction's words are rare in the corpus",
}
SHOWN_LOSSES, LEAST_LOSS = 3, 0.005


def explanation(scores: dict[str, float], weights: dict[str, float], losses: dict[str, float]) -> list[str]:
    """One pair's scores with bars, what holds the total back most, then each sub-score and what full marks in it would
    add to the total; `scores` and `losses` as QualityScorer.explain and .losses give them."""

    def bar(value: float) -> str:
        return f"{value:6.3f}  {'#' * round(20 * value):20s}"

    lines = [f"{'quality':18s} {bar(scores['quality'])}".rstrip()]
    lines += [f"{name:18s} {bar(scores[name])}  weight {weights[name]:.2f}" for name in SCORE_WEIGHTS]
    largest = sorted(losses, key=losses.get, reverse=True)[:SHOWN_LOSSES]
    lost = [f"{name} (-{losses[name]:.3f}): {SUB_SCORES[name]}" for name in largest if losses[name] >= LEAST_LOSS]
    lines += ["", "the total is held back most by"] + [f"  {line}" for line in lost or ["nothing much"]]
    lines += ["", f"{'':49s}full marks add"]
    for name, loss in losses.items():
        lines.append(f"  {name:18s} {bar(scores[name])}  {loss:+10.3f}      {SUB_SCORES[name]}")
    return lines


def scored_rows_path(output: str | None, data: str) -> Path | None:
    """Where --output goes, None without it. Raises UserError where that is impossible, or would replace the `data`,
    whose other columns the scored rows lack."""
    path = Path(output) if output else None
    if path and path.suffix not in (".jsonl", ".parquet"):
        raise UserError(f"--output {path}: write scored rows as .jsonl or .parquet")
    if path:
        require_apart("--output", path, data)
        require_writable(path.parent)
    return path


def write_scored_rows(path: Path, table) -> str:
    """Write rows and scores as JSON lines or Parquet, whole or not at all; says where."""
    with whole_file(path) as temporary:
        if path.suffix == ".parquet":
            import pyarrow.parquet

            pyarrow.parquet.write_table(table, temporary)
        else:
            with open(temporary, "w", encoding="utf-8", errors="surrogatepass") as file:
                for batch in table.to_batches(WRITE_ROWS):
                    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
    return f"scored rows: {path}"
