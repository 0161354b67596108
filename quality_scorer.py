"""Score instruction-response pairs: clarity, response quality, diversity, complexity, and their weighted total.

No model, no network, no random number: a score is a pure function of the text and, after `fit`, of counts over the
corpus, equal to the last bit on every machine, batch size and process count. Every score lies in [0, 1] for any string.

What needs English (word order, unknown words, readability, phrases) is weighed by the confidence that the text is
English prose, and abstains - takes its neutral value - on other languages, code and tables.

Reads data files; writes the evidence to <results>/scores/validation.json and corruptions.json, else nothing:

    python quality_scorer.py FILE [--max_samples N] [--seed 0] [--num_proc N]     distribution, best and worst rows
    python quality_scorer.py --explain --instruction TEXT --response TEXT         one pair's sub-scores
    python quality_scorer.py --validate PAIRS                                     does it pick the preferred answer
    python quality_scorer.py --corruptions FILE                                   does it see damage done to answers
"""

import argparse
import math
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from common import UserError, hash_path, provenance, require_writable, run_main, write_json
from pair_features import Content, answer_parts, ask_parts, asked_bits, content_words, depth_parts, expected_content
from text_features import Texts, clamp, fraction, read_texts, spaced
from training_configs import SCORE_WEIGHTS
from word_facts import WORDS

SCORER_VERSION = 3  # raise it whenever a score may change
DIMENSIONS = ["clarity", "response_quality", "diversity", "complexity"]
SCORE_KEYS = ["quality", *DIMENSIONS]


# ---------------------------------------------------------------------------------------------------------------------
# The scorer


def check_weights(weights: dict | None) -> dict[str, float]:
    """The default weights with `weights` over them. Raises ValueError on an unknown name or a weight that is none."""
    unknown = sorted(set(weights or {}) - set(DIMENSIONS))
    if unknown:
        raise ValueError(f"unknown score weight {unknown[0]!r}; the dimensions are {', '.join(DIMENSIONS)}")
    merged = {name: float((weights or {}).get(name, SCORE_WEIGHTS[name])) for name in DIMENSIONS}
    if not all(math.isfinite(weight) and weight >= 0 for weight in merged.values()) or not sum(merged.values()):
        raise ValueError(f"score weights must be finite, not negative and not all 0; got {merged}")
    return merged


class QualityScorer:
    """Scores of instruction-response pairs, each in [0, 1].

    `weights` overrides `training_configs.SCORE_WEIGHTS` by name; the total is divided by their sum. `fit` adds what is
    relative to a corpus; without it those parts take a neutral value."""

    def __init__(self, weights: dict[str, float] | None = None):
        self.weights = check_weights(weights)
        self.rows = 0
        self.template_counts: Counter = Counter()
        self.document_counts: Counter = Counter()
        self.unlisted = 0  # the count of what is in neither: 1 where those of one row were left out to save memory

    def fit(self, batches) -> "QualityScorer":
        """Count instruction templates and words over a corpus; each batch is (instructions, responses)."""
        for instructions, _responses in batches:
            for start in range(0, len(instructions), CHUNK_ROWS):
                self.count(list(instructions[start : start + CHUNK_ROWS]))
        return self

    def count(self, instructions: list[str]) -> None:
        """Add instructions to the counts."""
        WORDS.make_room()
        asks = read_texts([*instructions, LAST_TEXT])
        content = content_words(asks, lambda stem: 0)
        stems, rows = np.unique(content.stem[content.row < len(instructions)], return_counts=True)
        self.rows += len(instructions)
        for stem, count in zip(stems.tolist(), rows.tolist(), strict=True):
            self.document_counts[WORDS.stems[stem]] += count
        for text in asks.texts[:-1]:
            self.template_counts.update(templates(text))

    def to_dict(self) -> dict:
        """Weights and fit statistics as plain values that JSON holds."""
        return {
            "scorer_version": SCORER_VERSION,
            "weights": self.weights,
            "rows": self.rows,
            "template_counts": dict(self.template_counts),
            "document_counts": dict(self.document_counts),
            "unlisted": self.unlisted,
        }

    @classmethod
    def from_dict(cls, state: dict) -> "QualityScorer":
        """A scorer from `to_dict`'s value. Raises ValueError where another version of the scorer made it."""
        if state["scorer_version"] != SCORER_VERSION:
            raise ValueError(f"fitted by scorer version {state['scorer_version']}, this is {SCORER_VERSION}: fit again")
        scorer = cls(state["weights"])
        scorer.rows = state["rows"]
        scorer.template_counts = Counter(state["template_counts"])
        scorer.document_counts = Counter(state["document_counts"])
        scorer.unlisted = state.get("unlisted", 0)
        return scorer

    def score(self, instruction: str, response: str) -> dict[str, float]:
        """The total and the four dimensions of one pair."""
        return {name: value for name, value in self.explain(instruction, response).items() if name in SCORE_KEYS}

    def score_batch(self, instructions, responses) -> dict[str, np.ndarray]:
        """The same for many pairs: five float64 arrays of their number. Raises ValueError where the lengths differ."""
        pairs = list(zip(instructions, responses, strict=True))
        chunks = [self.sub_scores(pairs[start : start + CHUNK_ROWS]) for start in range(0, len(pairs), CHUNK_ROWS)]
        return {key: np.concatenate([np.empty(0), *(chunk[key] for chunk in chunks)]) for key in SCORE_KEYS}

    def explain(self, instruction: str, response: str) -> dict[str, float]:
        """The five scores and every sub-score behind them, by name."""
        return {name: float(values[0]) for name, values in self.sub_scores([(instruction, response)]).items()}

    def sub_scores(self, pairs: list[tuple[str, str]]) -> dict[str, np.ndarray]:
        """The five scores and every sub-score of some pairs, an array each."""
        WORDS.make_room()
        asks = read_texts([*(instruction for instruction, _ in pairs), LAST_TEXT])
        answers = read_texts([*(response for _, response in pairs), LAST_TEXT])
        bits = asked_bits(asks)
        asked = zip(asks.texts, bits.tolist(), asks.lengths.tolist(), strict=True)
        expected = np.array([expected_content(*ask) for ask in asked])
        content = content_words(asks, self.rarity)
        parts = answer_parts(asks, answers, expected, content) | ask_parts(asks, bits) | depth_parts(answers)
        parts["template"], parts["topic"] = self.freshness(asks, content)
        scores = {
            "clarity": clarity(parts),
            "response_quality": response_quality(parts),
            "diversity": diversity(parts) * (answers.words > 0),
            "complexity": complexity(parts) * (answers.words > 0),
        }
        total = sum([self.weights[name] * scores[name] for name in DIMENSIONS]) / sum(self.weights.values())
        return {name: values[:-1] for name, values in ({"quality": clamp(total)} | scores | parts).items()}

    def rarity(self, stem: str) -> int:
        """Weight of a content word in thousandths: inverse document frequency after `fit`, before it longer words count
        for more. Whole, so that sums of it do not hang on their order."""
        if self.rows:
            return round(1000 * (math.log((self.rows + 1) / (self.document_counts.get(stem, self.unlisted) + 1)) + 0.1))
        return 200 * min(len(stem), 8)

    def freshness(self, asks: Texts, content: Content) -> tuple[np.ndarray, np.ndarray]:
        """(template, topic) in [0, 1]: 1 where the corpus holds little like it; the neutral 0.5 before `fit`."""
        rows = len(asks.texts)
        if not self.rows:
            return np.full(rows, 0.5), np.full(rows, 0.5)
        counts, unlisted = self.template_counts, self.unlisted
        crowds = [max([counts.get(key, unlisted) for key in templates(text)], default=0) for text in asks.texts]
        logs = np.array([math.log1p(crowd) for crowd in crowds])
        template = 1.0 - clamp(logs / math.log1p(self.rows) / 0.8)
        weights = np.bincount(content.row, content.weight, minlength=rows)
        rarity = fraction(weights, np.bincount(content.row, minlength=rows)) / 1000
        return template, clamp(rarity / math.log(self.rows + 1))


CHUNK_ROWS = 1_000
LAST_TEXT = "."  # closes a chunk, so that every array has something in it


# ---------------------------------------------------------------------------------------------------------------------
# The dimensions, from the sub-scores by name


def blend(parts: list[tuple[float, float]]) -> float:
    """Weighted mean of (weight, value)."""
    return sum([weight * value for weight, value in parts]) / sum([weight for weight, _ in parts])


def fluency(parts: dict[str, float]) -> float:
    """Word order, spelling and casing together: one that fails spoils the text."""
    return parts["word_order"] * parts["spelling"] * parts["casing"]


def clarity(parts: dict[str, float]) -> float:
    """How clear the pair is to read: what is asked, how specifically, how well formed; and the answer's wording."""
    ask_side = blend(
        [
            (0.35, parts["asks"]),
            (0.30, parts["specificity"]),
            (0.20, parts["well_formed"]),
            (0.15, parts["ask_readability"]),
        ]
    )
    answer_side = fluency(parts) * parts["no_refusal"] * (0.8 + 0.2 * parts["answer_readability"])
    return clamp(0.7 * ask_side + 0.3 * answer_side)


def response_quality(parts: dict[str, float]) -> float:
    """Substance times soundness: one that is cut, looped, shuffled or off the point is not saved by its length."""
    substance = parts["density"] * blend([(0.75, parts["content"]), (0.25, parts["structure"])])
    sound = fluency(parts) * parts["coherence"] * (0.2 + 0.8 * parts["completeness"])
    sound *= parts["no_loops"] * parts["no_refusal"] * parts["no_padding"]
    return clamp(substance * sound * (0.1 + 0.9 * parts["relevance"]))


def diversity(parts: dict[str, float]) -> float:
    """Vocabulary diversity of the answer, and how fresh the instruction's template and topic are in the corpus."""
    sound = parts["spelling"] * parts["no_loops"] * parts["no_refusal"] * parts["no_padding"]
    return clamp(blend([(0.6, parts["vocabulary"] * sound), (0.2, parts["template"]), (0.2, parts["topic"])]))


def complexity(parts: dict[str, float]) -> float:
    """Reasoning depth, technical content and knowledge brought together in the answer, and constraints in the ask."""
    depth = blend([(0.35, parts["reasoning"]), (0.4, parts["technical"]), (0.25, parts["knowledge"])])
    sound = fluency(parts) * parts["no_loops"] * parts["no_padding"] * parts["density"]
    answer_side = depth * sound * (0.2 + 0.8 * parts["relevance"])
    return clamp(0.7 * answer_side + 0.3 * parts["constraints"] * parts["no_refusal"])


def templates(instruction: str) -> list[str]:
    """The keys of an instruction's template: its first and its last four words."""
    text = spaced(instruction)
    first, last = text.split(None, 4)[:4], text.rsplit(None, 4)[-4:]
    return [" ".join(["^", *first]).lower(), " ".join([*last, "$"]).lower()] if first else []


# ---------------------------------------------------------------------------------------------------------------------
# Command line


BATCH_ROWS = 2_000


def score_rows(scorer: QualityScorer, instructions: list, responses: list, num_proc: int = 1) -> dict[str, np.ndarray]:
    """`score_batch` over many rows, by `num_proc` processes; the same numbers for any of them."""
    starts = range(0, len(instructions), BATCH_ROWS)
    batches = [(instructions[start : start + BATCH_ROWS], responses[start : start + BATCH_ROWS]) for start in starts]
    if num_proc > 1 and len(batches) > 1:
        import multiprocessing

        with multiprocessing.Pool(min(num_proc, len(batches))) as pool:
            scored = pool.starmap(scorer.score_batch, batches, chunksize=1)
    else:
        scored = [scorer.score_batch(*batch) for batch in batches]
    return {key: np.concatenate([np.empty(0), *(batch[key] for batch in scored)]) for key in SCORE_KEYS}


def distribution_table(scores: dict[str, np.ndarray]) -> list[str]:
    """One line per score: mean, standard deviation and percentiles."""
    lines = [f"{'':18s}" + "".join(f"{name:>9s}" for name in ("mean", "sd", "p5", "p25", "median", "p75", "p95"))]
    for key in SCORE_KEYS:
        values = scores[key]
        numbers = [values.mean(), values.std(), *np.percentile(values, [5, 25, 50, 75, 95])]
        lines.append(f"{key:18s}" + "".join(f"{number:9.3f}" for number in numbers))
    return lines


def source_table(sources: list[str], scores: dict[str, np.ndarray]) -> list[str]:
    """One line per source, most rows first: rows and the mean of each score."""
    lines = [f"{'source':28s}{'rows':>9s}" + "".join(f"{key:>18s}" for key in SCORE_KEYS)]
    labels = np.array(sources)
    for source, rows in Counter(sources).most_common():
        means = "".join(f"{scores[key][labels == source].mean():18.3f}" for key in SCORE_KEYS)
        lines.append(f"{source[:27]:28s}{rows:9,d}{means}")
    return lines


def excerpt(text: str, characters: int = 320) -> str:
    """The text on wrapped, indented lines, cut in the middle where long; control characters shown as spaces."""
    import textwrap

    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(flat) > characters:
        flat = f"{flat[: characters * 2 // 3]} [...] {flat[-characters // 3 :]}"
    return textwrap.fill(flat, 112, initial_indent="    ", subsequent_indent="    ") or "    (empty)"


def example_lines(rows: dict[str, list], scores: dict[str, np.ndarray], positions) -> list[str]:
    """Rows to read, each with its scores."""
    lines = []
    for position in positions:
        numbers = "  ".join(f"{key} {scores[key][position]:.3f}" for key in SCORE_KEYS)
        lines += [f"  {numbers}  [{rows['source'][position]}, id {rows['id'][position]}]"]
        lines += [excerpt(rows["instruction"][position]), "    ->", excerpt(rows["response"][position]), ""]
    return lines


def report_file(arguments) -> None:
    """Score a file and print what came out."""
    from dataset_readers import read_rows

    table, ledger = read_rows([arguments.file], max_samples=arguments.max_samples, seed=arguments.seed)
    print(ledger_line(ledger))
    rows = table.to_pydict()
    if not table.num_rows:
        raise UserError(f"no row of {arguments.file} can be scored; see the ledger above")
    started = time.perf_counter()
    batches = [(rows["instruction"], rows["response"])]
    scorer = QualityScorer(arguments.weights).fit(batches)
    fit_seconds = time.perf_counter() - started
    scores = score_rows(scorer, rows["instruction"], rows["response"], arguments.num_proc)
    seconds = time.perf_counter() - started
    print(
        f"scored {table.num_rows:,} rows in {seconds:.1f} s ({table.num_rows / seconds:,.0f} rows/s; "
        f"of it fit {fit_seconds:.1f} s; {arguments.num_proc} processes; scorer version {SCORER_VERSION})\n"
    )
    print("\n".join(distribution_table(scores)))
    if len(set(rows["source"])) > 1:
        print("\n" + "\n".join(source_table(rows["source"], scores)))
    order = np.lexsort((np.arange(table.num_rows), -scores["quality"]))
    print("\nbest\n" + "\n".join(example_lines(rows, scores, order[:5])))
    print("worst\n" + "\n".join(example_lines(rows, scores, order[::-1][:5])))


def ledger_line(ledger: dict) -> str:
    """What became of the rows read, in one line."""
    dropped = [f"{reason} {sum(by_source.values()):,}" for reason, by_source in ledger["dropped"].items()]
    changed = [f"{reason} {rows:,}" for reason, rows in ledger["modified"].items()]
    parts = [f"{ledger['rows_read']:,} rows read, {ledger['kept']:,} kept"]
    parts += [f"dropped: {', '.join(dropped)}"] if dropped else []
    return "; ".join(parts + ([f"changed: {', '.join(changed)}"] if changed else []))


def scoring(arguments):
    """The function of instructions and responses that the evidence is about."""
    scorer = QualityScorer(arguments.weights)
    return lambda instructions, responses: score_rows(scorer, instructions, responses, arguments.num_proc)


def report_validation(arguments) -> None:
    """Print and keep how well the scores pick preferred answers."""
    from scorer_validation import read_pairs, validate, validation_lines

    started = time.time()
    result = validate(scoring(arguments), read_pairs(arguments.validate), arguments.seed)
    write_evidence(arguments, "validation.json", arguments.validate, started, result)
    print("\n".join(validation_lines(result)))


def report_corruptions(arguments) -> None:
    """Print and keep how often originals beat their corrupted copies."""
    from dataset_readers import read_rows
    from scorer_validation import corruption_lines, corruption_table

    started = time.time()
    table, ledger = read_rows([arguments.corruptions], arguments.max_samples or 5_000, arguments.seed)
    print(ledger_line(ledger))
    if not table.num_rows:
        raise UserError(f"no row of {arguments.corruptions} can be scored; see the ledger above")
    columns = table["instruction"].to_pylist(), table["response"].to_pylist()
    entries = corruption_table(scoring(arguments), *columns, arguments.seed)
    write_evidence(arguments, "corruptions.json", arguments.corruptions, started, {"kinds": entries})
    print("\n".join(corruption_lines(entries)))


def write_evidence(arguments, name: str, data: str, started: float, result: dict) -> None:
    """Write a result as JSON, with what it was made from, to --output or beside the scores."""
    path = Path(arguments.output) if arguments.output else Path(arguments.results_dir) / "scores" / name
    require_writable(path.parent)
    weights = check_weights(arguments.weights)
    config = {"data": data, "scorer_version": SCORER_VERSION, "weights": weights, "seed": arguments.seed}
    config["max_samples"] = arguments.max_samples
    inputs = {data: hash_path(data)} if Path(data).exists() else {}
    write_json(path, {"config": config, "provenance": provenance(started, inputs)} | result)


def report_pair(arguments) -> None:
    """Print one pair's scores and what drove them."""
    if arguments.instruction is None or arguments.response is None:
        raise UserError("--explain needs both --instruction TEXT and --response TEXT")
    print("\n".join(explanation(QualityScorer(arguments.weights), arguments.instruction, arguments.response)))


def explanation(scorer: QualityScorer, instruction: str, response: str) -> list[str]:
    """One pair's scores with bars, then each sub-score."""
    scores = scorer.explain(instruction, response)
    lines = []
    for name, value in scores.items():
        weight = f"weight {scorer.weights[name]:.2f}" if name in DIMENSIONS else ""
        indent = "" if name in SCORE_KEYS else "  "
        lines.append(f"{indent + name:20s} {value:6.3f}  {'#' * round(30 * value):30s}  {weight}".rstrip())
    return lines


def parse_weights(text: str) -> dict[str, float]:
    """Weights by name from text such as clarity=0.5,diversity=0; those not named keep their default."""
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return check_weights({name.strip(): float(value) for name, value in pairs})
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; write for example clarity=0.5,diversity=0") from error


def positive(text: str) -> int:
    """An integer of at least 1."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", metavar="FILE", help="instruction data, JSON, JSONL, CSV, ...")
    parser.add_argument("--max_samples", type=positive, metavar="N", help="rows to score, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0, help="for --max_samples (default: 0)")
    parser.add_argument("--num_proc", type=positive, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--weights", type=parse_weights, metavar="NAME=W,...", help="weights of dimensions to override")
    parser.add_argument("--explain", action="store_true", help="one pair's sub-scores and what drove them")
    parser.add_argument("--instruction", metavar="TEXT", help="for --explain")
    parser.add_argument("--response", metavar="TEXT", help="for --explain")
    parser.add_argument(
        "--validate", metavar="PAIRS", help="columns instruction, chosen, rejected; kind if there is one"
    )
    parser.add_argument("--corruptions", metavar="FILE", help="instruction data, of it 5,000 rows or --max_samples")
    parser.add_argument("--results_dir", default="results", help="for what is written (default: results)")
    parser.add_argument("--output", metavar="FILE", help="JSON of --validate or --corruptions, in place of the usual")
    arguments = parser.parse_args()
    try:
        report(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def report(arguments) -> None:
    """Do what was asked for."""
    if arguments.explain:
        report_pair(arguments)
    elif arguments.validate:
        report_validation(arguments)
    elif arguments.corruptions:
        report_corruptions(arguments)
    elif arguments.file:
        report_file(arguments)
    else:
        raise UserError("give a FILE to score, or --explain, --validate or --corruptions (see --help)")


if __name__ == "__main__":
    run_main(main)
