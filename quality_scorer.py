"""Score instruction-response pairs: clarity, response quality, diversity, complexity, and their weighted total.

No model, no network, no random number: a score is a pure function of the text and, after `fit`, of counts over the
corpus, equal to the last bit on every machine, batch size and process count. Every score lies in [0, 1] for any string.

What needs English (word order, unknown words, readability, phrases) is weighed by the confidence that the text is
English prose, and abstains - takes its neutral value - on other languages, code and tables.

Reads data files. Writes scored rows where --output says, a page where --scorecard says, corpus counts where --fit says,
and the evidence to <results>/scorer/validation.json and corruptions.json:

    python quality_scorer.py FILE [--max_samples N] [--seed 0] [--num_proc N]     distribution, best and worst rows
    python quality_scorer.py FILE --output scored.jsonl [--fit counts.json]       the rows with their scores
    python quality_scorer.py FILE --scorecard PATH.html                           the same and more as a page, and JSON
    python quality_scorer.py FILE --ifd MODEL [--weights ifd=0.1]                 and instruction-following difficulty
    python quality_scorer.py --explain --instruction TEXT --response TEXT         one pair's sub-scores
    python quality_scorer.py --validate PAIRS                                     does it pick the preferred answer
    python quality_scorer.py --corruptions FILE                                   does it see damage done to answers
"""

import argparse
import math
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow

from command_line import add_results_dir, argument_parser, positive, run_main, whole
from common import UserError, hash_files, provenance, read_json, require_apart, require_writable, write_json
from corpus_shards import run_tasks
from pair_features import Content, answer_parts, ask_parts, asked_bits, content_words, depth_parts, expected_content
from score_dimensions import clarity, complexity, diversity, response_quality
from score_output import (
    distribution_table,
    example_lines,
    explanation,
    ledger_line,
    rows_lines,
    scored_rows_path,
    write_scored_rows,
)
from text_features import Texts, clamp, fraction, log_of, read_texts, spaced
from training_configs import SCORE_KEYS, SCORE_WEIGHTS
from word_facts import WORDS

SCORER_VERSION = 9  # raise it whenever a score may change


# ---------------------------------------------------------------------------------------------------------------------
# The scorer


def check_weights(weights: dict | None) -> dict[str, float]:
    """The default weights with `weights` over them. Raises ValueError on an unknown name or an impossible weight."""
    unknown = sorted(set(weights or {}) - set(SCORE_WEIGHTS))
    if unknown:
        raise ValueError(f"unknown score weight {unknown[0]!r}; the dimensions are {', '.join(SCORE_WEIGHTS)}")
    merged = {name: float((weights or {}).get(name, SCORE_WEIGHTS[name])) for name in SCORE_WEIGHTS}
    if min(merged.values()) < 0 or not 0 < sum(merged.values()) < math.inf:  # a NaN is below neither
        raise ValueError(f"score weights and their sum must be finite, not negative and not all 0; got {merged}")
    return merged


def listed(texts, name: str) -> list[str]:
    """The texts of a list, Series or Arrow column. Raises ValueError for a single text, and for what is no text."""
    if isinstance(texts, str | bytes):
        raise ValueError(f"{name} is one text, where a list of texts is needed; score() takes one pair")
    texts = texts.to_pylist() if hasattr(texts, "to_pylist") else list(texts)  # a pandas Series is cut by its labels
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"{name}[{row}] is {text!r}, no text; leave such rows out")
    return texts


def require_counts(state: dict) -> None:
    """Raises ValueError where a scorer's state, as read from JSON, lacks proper counts or weights."""
    counts = [state["template_counts"], state["document_counts"]]
    if not all(isinstance(part, dict) for part in [*counts, state["weights"]]):
        raise ValueError("counts and weights are no objects")
    whole = [state["rows"], state.get("unlisted", 0), *(count for part in counts for count in part.values())]
    if not all(type(count) is int and 0 <= count < 2**53 for count in whole):
        raise ValueError("a count is no whole number")
    if not all(isinstance(weight, int | float) for weight in state["weights"].values()):
        raise ValueError("a weight is no number")


class QualityScorer:
    """Scores of instruction-response pairs, each in [0, 1].

    `weights` overrides `training_configs.SCORE_WEIGHTS` by name; the total is divided by their sum. `fit` adds what is
    relative to a corpus; until then those parts take a neutral value."""

    def __init__(self, weights: dict[str, float] | None = None):
        self.weights = check_weights(weights)
        self.rows = 0
        self.template_counts: Counter = Counter()
        self.document_counts: Counter = Counter()
        self.unlisted = 0  # the count of a key in neither: 1 where keys of a single row were left out to save memory

    def fit(self, batches) -> "QualityScorer":
        """Count instruction templates and words over a corpus; each batch is (instructions, responses). Raises
        ValueError where instructions are no texts, or a batch is a single pair."""
        for instructions, _responses in batches:
            if isinstance(instructions, str):
                raise ValueError("instructions is one text; for one batch write fit([(instructions, responses)])")
            instructions = listed(instructions, "instructions")
            for start in range(0, len(instructions), CHUNK_ROWS):
                self.count(instructions[start : start + CHUNK_ROWS])
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

    def add_counts(self, other: "QualityScorer") -> None:
        """Add what another scorer has counted over other rows."""
        self.rows += other.rows
        self.template_counts.update(other.template_counts)
        self.document_counts.update(other.document_counts)

    def to_dict(self) -> dict:
        """Weights and fit statistics as plain values that JSON holds."""
        return {
            "scorer_version": SCORER_VERSION,
            "weights": self.weights,
            "rows": self.rows,
            "template_counts": dict(sorted(self.template_counts.items())),
            "document_counts": dict(sorted(self.document_counts.items())),
            "unlisted": self.unlisted,
        }

    @classmethod
    def from_dict(cls, state: dict) -> "QualityScorer":
        """A scorer from `to_dict`'s value. Raises ValueError where another version of the scorer made it."""
        if state["scorer_version"] != SCORER_VERSION:
            raise ValueError(f"fitted by scorer version {state['scorer_version']}, this is {SCORER_VERSION}: fit again")
        require_counts(state)
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
        """The same for many pairs: five float64 arrays of their number. Raises ValueError where the lengths differ, and
        for what is no text."""
        pairs = list(zip(listed(instructions, "instructions"), listed(responses, "responses"), strict=True))
        chunks = [self.sub_scores(pairs[start : start + CHUNK_ROWS]) for start in range(0, len(pairs), CHUNK_ROWS)]
        return {key: np.concatenate([np.empty(0), *(chunk[key] for chunk in chunks)]) for key in SCORE_KEYS}

    def explain(self, instruction: str, response: str) -> dict[str, float]:
        """The five scores and every sub-score behind them, by name."""
        return {name: float(values[0]) for name, values in self.sub_scores([(instruction, response)]).items()}

    def losses(self, explained: dict[str, float]) -> dict[str, float]:
        """What each sub-score takes from the total, by name: how much more it would be with full marks in that one."""
        parts = {name: np.array([value]) for name, value in explained.items() if name not in SCORE_KEYS}
        has_words = parts["completeness"] > 0
        full = {name: self.totals(parts | {name: np.ones(1)}, has_words)["quality"] for name in parts}
        return {name: float(total[0]) - explained["quality"] for name, total in full.items()}

    def sub_scores(self, pairs: list[tuple[str, str]]) -> dict[str, np.ndarray]:
        """The five scores and every sub-score of some pairs, an array each."""
        WORDS.make_room()
        asks = read_texts([*(instruction for instruction, _ in pairs), LAST_TEXT])
        answers = read_texts([*(response for _, response in pairs), LAST_TEXT])
        bits = asked_bits(asks)
        asked = zip(asks.texts, bits.tolist(), asks.lengths.tolist(), strict=True)
        expected = np.array([expected_content(*ask) for ask in asked])
        content = content_words(asks, self.rarity)
        parts = answer_parts(asks, bits, answers, expected, content) | depth_parts(answers)
        topic = content.topic()
        parts |= ask_parts(asks, bits, topic)
        parts["template"], parts["topic"] = self.freshness(asks, topic)
        return {name: values[:-1] for name, values in (self.totals(parts, answers.words > 0) | parts).items()}

    def totals(self, parts: dict[str, np.ndarray], has_words: np.ndarray) -> dict[str, np.ndarray]:
        """The five scores from the sub-scores; an answer without a word has neither diversity nor complexity."""
        scores = {
            "clarity": clarity(parts),
            "response_quality": response_quality(parts),
            "diversity": diversity(parts) * has_words,
            "complexity": complexity(parts) * has_words,
        }
        total = sum([self.weights[name] * scores[name] for name in SCORE_WEIGHTS]) / sum(self.weights.values())
        return {"quality": clamp(total)} | scores

    def rarity(self, stem: str) -> int:
        """Weight of a content word in thousandths: inverse document frequency after `fit`, before it longer words count
        for more. Whole, so that sums of it do not depend on their order."""
        if self.rows:
            count = self.document_counts.get(stem, self.unlisted)
            return round(1000 * (log_of(self.rows + 1) - log_of(count + 1) + 0.1))
        return 200 * min(len(stem), 8)

    def freshness(self, asks: Texts, topic: Content) -> tuple[np.ndarray, np.ndarray]:
        """(template, topic) in [0, 1]: 1 where the corpus holds little like it; the neutral 0.5 before `fit`."""
        rows = len(asks.texts)
        if not self.rows:
            return np.full(rows, 0.5), np.full(rows, 0.5)
        counts, unlisted = self.template_counts, self.unlisted
        crowds = [max([counts.get(key, unlisted) for key in templates(text)], default=0) for text in asks.texts]
        logs, whole = np.array([log_of(1 + crowd) for crowd in crowds]), log_of(1 + self.rows)
        template = 1.0 - clamp(logs / whole / 0.8)
        weights = np.bincount(topic.row, topic.weight, minlength=rows)
        rarity = fraction(weights, np.bincount(topic.row, minlength=rows)) / 1000
        return template, clamp(rarity / whole)


CHUNK_ROWS = 1_000
LAST_TEXT = "."  # closes a chunk, so that every array has something in it


def templates(instruction: str) -> list[str]:
    """The keys of an instruction's template: its first and its last four words."""
    text = spaced(instruction)
    first, last = text.split(None, 4)[:4], text.rsplit(None, 4)[-4:]
    return [" ".join(["^", *first]).lower(), " ".join([*last, "$"]).lower()] if first else []


# ---------------------------------------------------------------------------------------------------------------------
# Command line. What only the command needs is imported where it is used, so that importing the scorer stays cheap.


BATCH_ROWS = 2_000


def score_rows(scorer: QualityScorer, instructions, responses, num_proc: int = 1) -> dict[str, np.ndarray]:
    """`score_batch` over many rows, lists or Arrow columns, by `num_proc` processes: the same numbers for any."""
    scored = list(run_batches(score_one_batch, scorer, (instructions, responses), num_proc))
    return {key: np.concatenate([np.empty(0), *(batch[key] for batch in scored)]) for key in SCORE_KEYS}


def score_one_batch(scorer: QualityScorer, batch: tuple[list, list]) -> dict[str, np.ndarray]:
    return scorer.score_batch(*batch)


def fit_rows(scorer: QualityScorer, instructions, num_proc: int) -> None:
    """`fit` on many instructions, a list or Arrow column, by `num_proc` processes: the same counts for any."""
    for counter in run_batches(count_one_batch, None, (instructions,), num_proc):
        scorer.add_counts(counter)


def count_one_batch(_context, batch: tuple[list]) -> QualityScorer:
    return QualityScorer().fit([(*batch, None)])


def run_batches(function, context, columns: tuple, num_proc: int):
    """`function(context, batch)` for every BATCH_ROWS rows of some columns, each batch a tuple of lists: an Arrow table
    is never in Python whole."""

    def batches():
        for start in range(0, len(columns[0]), BATCH_ROWS):
            parts = (column[start : start + BATCH_ROWS] for column in columns)
            yield tuple(part if isinstance(part, list) else part.to_pylist() for part in parts)

    return run_tasks(function, context, batches(), num_proc if len(columns[0]) > BATCH_ROWS else 1)


def report_file(arguments) -> None:
    """Score a file, write the rows and a page where --output and --scorecard say, then print what came out.

    In this order: a reader such as head may close the pipe at the first line."""
    from dataset_readers import read_rows
    from scorecard_page import page_path

    page = arguments.scorecard and page_path(arguments.scorecard, [arguments.file, *filter(None, [arguments.fit])])
    rows_path = scored_rows_path(arguments.output, arguments.file)
    table, ledger = read_rows([arguments.file], max_samples=arguments.max_samples, seed=arguments.seed)
    if not table.num_rows:
        raise UserError(f"no row of {arguments.file} can be scored: {ledger_line(ledger)}")
    started = time.perf_counter()
    scorer, origin = fitted_scorer(arguments, table)
    fit_seconds = time.perf_counter() - started
    scores = score_rows(scorer, table["instruction"], table["response"], arguments.num_proc)
    seconds = time.perf_counter() - started
    lines = [
        ledger_line(ledger),
        f"scored {table.num_rows:,} rows in {seconds:.1f} s ({table.num_rows / seconds:,.0f} rows/s; of it fit "
        f"{fit_seconds:.1f} s, {origin}; {arguments.num_proc} process{'es' * (arguments.num_proc > 1)}; "
        f"scorer version {SCORER_VERSION})",
    ]
    ifd, difficulty, hardest_easiest = report_difficulty(arguments, table, scores)
    scored = table
    for key, values in (scores | ifd).items():
        scored = scored.append_column(key, [values])
    if rows_path:
        lines.append(write_scored_rows(rows_path, scored))
    if page:
        lines += write_page(page, arguments, scored)
    print(
        "\n".join([*lines, "", *distribution_table(scores), *difficulty, *rows_lines(table, scores), *hardest_easiest])
    )


def fitted_scorer(arguments, table) -> tuple[QualityScorer, str]:
    """A scorer fitted on the table or by the counts in --fit, and a phrase that says which; writes a new --fit file."""
    path = Path(arguments.fit) if arguments.fit else None
    if path and path.exists():
        scorer = read_fitted(path, arguments.weights)
        return scorer, f"read from {path}: {scorer.rows:,} rows"
    scorer = QualityScorer(arguments.weights)
    fit_rows(scorer, table["instruction"], arguments.num_proc)
    if path:
        write_json(path, scorer.to_dict())
    return scorer, f"written to {path}" if path else "on these rows"


def read_fitted(path: Path, weights: dict | None) -> QualityScorer:
    """The scorer whose counts a --fit file holds."""
    try:
        scorer = QualityScorer.from_dict(dict(read_json(path)))
    except (ValueError, KeyError) as error:
        raise UserError(f"{path} holds no fit statistics of this scorer ({error}); remove it to fit anew") from error
    scorer.weights = check_weights(weights)
    return scorer


def write_page(page: Path, arguments, table) -> list[str]:
    """Write the scorecard of a scored file, with the evidence that --results_dir holds; says where, and how far the
    best rows depend on the weights."""
    from scorecard_page import read_evidence, write_scorecard
    from scorecard_tables import weight_lines

    config = {"data": arguments.file, "scorer_version": SCORER_VERSION, "weights": check_weights(arguments.weights)}
    config |= {"seed": arguments.seed, "max_samples": arguments.max_samples}
    config["ifd"] = {"model": arguments.ifd, "weight": arguments.weights_ifd} if arguments.ifd else None
    evidence = read_evidence(arguments.results_dir)
    card = write_scorecard(page, table, evidence, config, hash_files([arguments.file]))
    return [f"scorecard: {page}", "", *weight_lines(card)]


def report_difficulty(arguments, table, scores: dict[str, np.ndarray]) -> tuple[dict, list[str], list[str]]:
    """With --ifd, its column, lines on its distribution and on its highest and lowest rows; a weight for it moves the
    total."""
    if arguments.ifd is None:
        return {}, [], []
    import instruction_difficulty as difficulty

    responses = table["response"].to_pylist()
    ifd, facts = difficulty.measure_rows(arguments.ifd, table["instruction"].to_pylist(), responses)
    words = np.log1p([len(response.split()) for response in responses])
    lines = [difficulty.distribution_line(ifd), "", f"{difficulty.facts_line(facts)}; model {arguments.ifd_identity}"]
    lines += [difficulty.correlation_line(ifd, {**scores, "log words": words})]
    if weight := arguments.weights_ifd:
        weights = sum(check_weights(arguments.weights).values())
        scores["quality"] = difficulty.weighted_total(scores["quality"], weights, ifd, weight)
        lines.append(f"quality above holds ifd, weight {weight:g}; where it is null, the dimensions alone")
    examples = []
    for title, positions in zip(("highest", "lowest"), difficulty.extremes(ifd, 3), strict=True):
        examples.append(f"{title} ifd")
        for position in positions:
            examples += [f"  ifd {ifd[position]:.3f}", *example_lines(table, scores, [position])]
    return {"ifd": pyarrow.array(ifd, mask=~np.isfinite(ifd))}, lines, examples


def scoring(arguments):
    """The function of instructions and responses that the evidence is about."""
    scorer = QualityScorer(arguments.weights)
    return lambda instructions, responses: score_rows(scorer, instructions, responses, arguments.num_proc)


def report_validation(arguments) -> None:
    """Print and keep how well the scores pick preferred answers."""
    from scorer_validation import left_out_words, read_pairs, validate, validation_lines

    started, path = time.time(), evidence_path(arguments, "validation.json", arguments.validate)
    pairs, left_out = read_pairs(arguments.validate)
    if left_out:
        print(left_out_words(left_out), end="\n\n")
    result = {"left_out": left_out, **validate(scoring(arguments), pairs, arguments.seed)}
    write_evidence(path, arguments, arguments.validate, started, result)
    print("\n".join(validation_lines(result)))


CORRUPTED_ROWS = 5_000


def report_corruptions(arguments) -> None:
    """Print and keep how often originals beat their corrupted copies."""
    from dataset_readers import read_rows
    from scorer_validation import corruption_evidence, corruption_lines

    started, path = time.time(), evidence_path(arguments, "corruptions.json", arguments.corruptions)
    arguments.max_samples = arguments.max_samples or CORRUPTED_ROWS  # the evidence says how many were drawn
    table, ledger = read_rows([arguments.corruptions], arguments.max_samples, arguments.seed)
    print(ledger_line(ledger))
    if not table.num_rows:
        raise UserError(f"no row of {arguments.corruptions} can be scored; see the ledger above")
    columns = table["instruction"].to_pylist(), table["response"].to_pylist()
    tables = corruption_evidence(scoring(arguments), *columns, arguments.seed)
    write_evidence(path, arguments, arguments.corruptions, started, tables)
    print("\n".join(corruption_lines(tables)))


def evidence_path(arguments, name: str, data: str) -> Path:
    """Where evidence goes: to --output or beside the scores. Raises UserError where that is impossible."""
    path = Path(arguments.output) if arguments.output else Path(arguments.results_dir) / "scorer" / name
    require_apart("--output", path, data)
    require_writable(path.parent)
    return path


def write_evidence(path: Path, arguments, data: str, started: float, result: dict) -> None:
    """Write a result as JSON, with what it was made from."""
    weights = check_weights(arguments.weights)
    config = {"data": data, "scorer_version": SCORER_VERSION, "weights": weights, "seed": arguments.seed}
    config["max_samples"] = arguments.max_samples
    write_json(path, {"config": config, "provenance": provenance(started, hash_files([data]))} | result)


def report_pair(arguments) -> None:
    """Print one pair's scores and what drove them."""
    if arguments.instruction is None or arguments.response is None:
        raise UserError("--explain needs both --instruction TEXT and --response TEXT")
    fitted = read_fitted(Path(arguments.fit), arguments.weights) if arguments.fit else None
    scorer = fitted or QualityScorer(arguments.weights)
    scores = scorer.explain(arguments.instruction, arguments.response)
    print("\n".join(explanation(scores, scorer.weights, scorer.losses(scores))))


def parse_weights(text: str) -> dict[str, float]:
    """Weights by name from text such as clarity=0.5,diversity=0; those not named keep their default."""
    try:
        pairs = [part.split("=") for part in text.split(",")]
        weights = {name.strip(): float(value) for name, value in pairs}
        if len(weights) < len(pairs):
            raise ValueError(f"a weight is given twice: {text}")
        ifd = {name: weights.pop(name) for name in ["ifd"] if name in weights}
        if not all(math.isfinite(weight) and weight >= 0 for weight in ifd.values()):
            raise ValueError(f"score weights must be finite and not negative; got {ifd}")
        checked = check_weights(weights) | ifd
        if sum(checked.values()) == math.inf:
            raise ValueError(f"score weights must have a finite sum; got {checked}")
        return checked
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; write for example clarity=0.5,diversity=0") from error


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("file", nargs="?", metavar="FILE", help="instruction data, JSON, JSONL, CSV, ...")
    parser.add_argument("--max_samples", type=positive, metavar="N", help="rows to score, drawn by --seed")
    parser.add_argument("--seed", type=whole, default=0, help="for --max_samples (default: 0)")
    parser.add_argument("--num_proc", type=positive, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--weights", type=parse_weights, metavar="NAME=W,...", help="dimensions' weights to override")
    parser.add_argument(
        "--scorecard", metavar="PATH.html", help="write a page about FILE's scores, and its JSON beside it"
    )
    parser.add_argument(
        "--ifd", metavar="MODEL", help="path or hub id of a causal language model, for instruction difficulty of FILE"
    )
    parser.add_argument("--explain", action="store_true", help="one pair's sub-scores and what drove them")
    parser.add_argument("--instruction", metavar="TEXT", help="for --explain")
    parser.add_argument("--response", metavar="TEXT", help="for --explain")
    parser.add_argument(
        "--validate",
        metavar="PAIRS",
        help="preference data: instruction or prompt, chosen, rejected; kind if there is one",
    )
    parser.add_argument("--corruptions", metavar="FILE", help="instruction data; 5,000 rows of it, or --max_samples")
    add_results_dir(parser)
    parser.add_argument(
        "--output",
        metavar="PATH",
        help="FILE's rows with their scores, .jsonl or .parquet; or the JSON of the evidence",
    )
    parser.add_argument(
        "--fit",
        metavar="PATH",
        help="corpus counts, also for --explain: used if PATH exists, else made from FILE and kept there",
    )
    report(parser.parse_args(), vars(parser.parse_args([])))


def take_ifd_options(arguments) -> None:
    """Set the weight of ifd apart from those of the dimensions. Raises UserError where --ifd or it makes no sense."""
    weights = arguments.weights or {}
    if arguments.ifd is None and "ifd" in weights:
        raise UserError("--weights ifd=... needs --ifd MODEL, the model that measures it")
    if arguments.ifd is not None:
        from instruction_difficulty import model_identity

        arguments.ifd_identity = model_identity(arguments.ifd)  # before the scoring: a model may not be there
    arguments.weights_ifd = weights.pop("ifd", 0.0)


# What can be asked for, by the argument that asks, and the options that it heeds.
MODES = {
    "explain": (report_pair, {"instruction", "response", "weights", "fit"}),
    "validate": (report_validation, {"seed", "num_proc", "weights", "output", "results_dir"}),
    "corruptions": (report_corruptions, {"max_samples", "seed", "num_proc", "weights", "output", "results_dir"}),
    "file": (report_file, {"max_samples", "seed", "num_proc", "weights", "output", "results_dir", "scorecard", "ifd",
                           "fit"}),
}  # fmt: skip


def report(arguments, defaults: dict) -> None:
    """Do what was asked for. Raises UserError for an option that would change nothing."""
    given = [name for name, value in vars(arguments).items() if value != defaults[name]]
    mode = next((mode for mode in MODES if mode in given), None)
    if mode is None:
        raise UserError("give a FILE to score, or --explain, --validate or --corruptions (see --help)")
    act, heeded = MODES[mode]
    words = {name: name.upper() if name == "file" else f"--{name}" for name in given}
    for name in given:
        if name != mode and name not in heeded:
            raise UserError(f"{words[name]} does nothing beside {words[mode]}; leave one of them out")
    take_ifd_options(arguments)
    act(arguments)


if __name__ == "__main__":
    run_main(main)
