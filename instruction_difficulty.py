"""Instruction-following difficulty (IFD): how much of a response's loss is left once its instruction is given.

IFD = mean token loss of the response after its instruction / mean token loss of the same tokens without it, under a
small local causal language model (Li et al. 2024, "From Quantity to Quality", NAACL; their repository Cherry_LLM). Near
0: the instruction determines the response. Near 1: it hardly helps. From 1 on it does not help at all, and Cherry
discards such rows.

"Without its instruction" keeps the response's half of the prompt format ("### Response:", after the tokenizer's start
token where it has one) and leaves the instruction's half out, as Cherry does. So both losses follow the same last
tokens, the first response token has something to be predicted from, and the ratio is of the instruction alone. The end
token does not count: a cut response has none, and one that a model never learnt would drown a short answer.

Both losses are over the same response tokens. Prompt and response have MAX_TOKENS together, as in training: the
instruction gives way first, down to half of them, then the response's end; rows cut are counted, never dropped.
Null, counted by the first reason of NULL_REASONS that holds: an empty instruction (nothing to leave out) or response, a
response cut to nothing, one of a single token (a ratio of two guesses, no mean), a loss without instruction of 0, a
loss that is no number.

It is off by default, and not part of the total unless a weight is given: a weight prefers hard rows, which are not the
same as good ones, since a response to another instruction is hard too (`LOG.md`). It depends on the model. Always in
fp32, so that a GPU gives what a CPU gives, to rounding.

    python quality_scorer.py FILE --ifd MODEL [--weights ifd=0.1]     beside the dimensions
    python filter_datasets.py --ifd MODEL                             as a column of <results>/scores/
    python instruction_difficulty.py FILE --ifd MODEL                 evidence: does a wrong instruction raise it

The last reads a data file and writes <results>/scorer/ifd_evidence.json.
"""

import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

import score_output
from command_line import add_results_dir, argument_parser, positive, run_main, whole
from common import UserError, hash_files, hash_path, one_line, probe_hub, provenance, require_writable, write_json
from cost_statistics import ranks
from dataset_readers import read_rows
from language_model import (
    Example,
    encode_examples,
    end_token_id,
    length_batches,
    load_model,
    pick_device,
    quiet_transformers,
    response_losses,
    response_start_ids,
)
from scorecard import correlation

MAX_TOKENS = 512  # prompt and response: what training gives a row, and Cherry's length
LOGIT_BYTES = {"cpu": 2**28, "cuda": 2**32}  # of a batch's logits, the largest thing in memory; at least one row
ENCODE_ROWS = 1_000
ESTIMATE_BATCHES = 3
NULL_REASONS = [
    "empty_instruction", "empty_response", "response_cut_to_nothing", "one_token_response", "loss_of_zero",
    "loss_not_finite",
]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# The model


def model_identity(name_or_path: str) -> str:
    """What tells one model from another: the hash of a folder's files, or hub id and commit. Raises UserError."""
    if Path(name_or_path).is_dir():
        if not (Path(name_or_path) / "config.json").exists():
            raise UserError(f"--ifd {name_or_path}: no model in this folder (config.json is missing)")
        return hash_path(name_or_path)
    probe_hub("models", name_or_path)
    from transformers.utils import cached_file, extract_commit_hash

    quiet_transformers()
    try:
        file = cached_file(name_or_path, "config.json")
    except (OSError, ValueError) as error:
        raise UserError(
            f"--ifd {name_or_path}: no such folder, and the hub does not give it; give the folder of a causal "
            "language model, or a hub id and a network"
        ) from error
    return f"{name_or_path}@{extract_commit_hash(file, None)}"


def settings(name_or_path: str) -> dict:
    """What the numbers depend on beside the rows, for a stage's config."""
    return {"model": model_identity(name_or_path), "max_tokens": MAX_TOKENS, "precision": "fp32"}


def load(name_or_path: str) -> tuple:
    """(model, tokenizer, device) for `measure`: on the GPU where there is one."""
    device = pick_device()
    model, tokenizer = load_model(name_or_path)
    return model.to(device), tokenizer, device


def measure_rows(name_or_path: str, instructions: list[str], responses: list[str]) -> tuple[np.ndarray, dict]:
    """`measure` by a model that is loaded for it."""
    model, tokenizer, device = load(name_or_path)
    return measure(model, tokenizer, instructions, responses, device)


# ---------------------------------------------------------------------------------------------------------------------
# Rows to their difficulty


def measure(
    model,
    tokenizer,
    instructions: list[str],
    responses: list[str],
    device: str = "cpu",
    batch_tokens: int | None = None,
    rows_to_come: int | None = None,
) -> tuple[np.ndarray, dict]:
    """IFD of each row, float64 with NaN for null, and the facts: rows, nulls by reason, rows cut, tokens, seconds.

    `batch_tokens` bounds a padded batch; by default its logits take LOGIT_BYTES. It moves results by rounding only.
    `rows_to_come`: with those after these, where these are a part; for how long it will take.
    """
    started = time.perf_counter()
    limit = min(MAX_TOKENS, getattr(model.config, "max_position_embeddings", None) or MAX_TOKENS)
    start = response_start_ids(tokenizer)
    examples, reasons = encode_rows(tokenizer, instructions, responses, limit)
    usable = [row for row, example in enumerate(examples) if example]
    batch_tokens = batch_tokens or max(1, LOGIT_BYTES[device] // (4 * model.config.vocab_size))
    batches = length_batches([len(examples[row].ids) for row in usable], batch_tokens)
    losses, pad_id = np.full((2, len(examples)), np.nan), end_token_id(tokenizer)
    tokens = sum(tokens_read(examples[row], start) for row in usable)
    with Progress(tokens, len(usable), device, rows_to_come) as progress:
        for batch in batches:
            rows = [usable[place] for place in batch]
            given = [examples[row] for row in rows]
            alone = [without_instruction(example, start) for example in given]
            for side, some in enumerate((given, alone)):
                losses[side, rows], _ = response_losses(model, some, pad_id, device, "fp32")
            progress.add(len(rows), sum(tokens_read(example, start) for example in given))
    values = ratio(*losses, reasons)
    kept = [examples[row] for row in usable]
    facts = {
        "rows": len(examples),
        "measured": int(np.isfinite(values).sum()),
        "null": {reason: count for reason in NULL_REASONS if (count := Counter(reasons)[reason])},
        "instruction_cut": sum(example.prompt_cut for example in kept),
        "response_cut": sum(example.response_cut for example in kept),
        "max_tokens": limit,
        "tokens": tokens,
        "seconds": round(time.perf_counter() - started, 3),
        "device": device,
    }
    return values, facts


def merge_facts(parts: list[dict]) -> dict:
    """The facts of all rows, from those that `measure` gave of parts of them."""
    summed = ("rows", "measured", "instruction_cut", "response_cut", "tokens", "seconds")
    merged = parts[0] | {name: sum(part[name] for part in parts) for name in summed}
    nulls = sum((Counter(part["null"]) for part in parts), Counter())
    return merged | {"null": {reason: nulls[reason] for reason in NULL_REASONS if nulls[reason]}}


def encode_rows(
    tokenizer, instructions: list[str], responses: list[str], limit: int
) -> tuple[list[Example | None], list[str | None]]:
    """Each row as prompt and response tokens without the end token, at most `limit`; or None and the reason."""
    examples: list[Example | None] = []
    for start in range(0, len(instructions), ENCODE_ROWS):
        some = slice(start, start + ENCODE_ROWS)
        # One token more than the limit, and the last one goes: a whole response's end token, a cut one's surplus.
        examples += encode_examples(tokenizer, instructions[some], responses[some], limit + 1)
    reasons: list[str | None] = []
    for row, (instruction, response) in enumerate(zip(instructions, responses, strict=True)):
        if examples[row]:
            examples[row].ids.pop()
        reasons.append(null_reason(instruction, response, examples[row]))
        if reasons[row]:
            examples[row] = None
    return examples, reasons


def null_reason(instruction: str, response: str, example: Example | None) -> str | None:
    """Why a row has no IFD, as far as its text tells."""
    if not instruction.strip():
        return "empty_instruction"
    if not response.strip():
        return "empty_response"
    tokens = len(example.ids) - example.prompt_tokens if example else 0
    if tokens == 0 or (tokens == 1 and example.response_cut):
        return "response_cut_to_nothing"
    return "one_token_response" if tokens == 1 else None


def without_instruction(example: Example, start: list[int]) -> Example:
    """The same response tokens right after the response's half of the prompt format."""
    ids = type(example.ids)("i", start) + example.ids[example.prompt_tokens :]
    return Example(ids, len(start), False, example.response_cut)


def tokens_read(example: Example, start: list[int]) -> int:
    """Tokens that the model reads for a row, with and without its instruction."""
    return 2 * len(example.ids) - example.prompt_tokens + len(start)


def ratio(given: np.ndarray, alone: np.ndarray, reasons: list[str | None]) -> np.ndarray:
    """Loss given the instruction over loss without it, NaN where there is none; completes `reasons` in place.

    Sums serve as means do: both are over the same tokens."""
    values = np.full(len(given), np.nan)
    for row, (upper, lower) in enumerate(zip(given.tolist(), alone.tolist(), strict=True)):
        if reasons[row]:
            continue
        if not np.isfinite([upper, lower]).all():
            reasons[row] = "loss_not_finite"
        elif lower == 0:
            reasons[row] = "loss_of_zero"
        else:
            values[row] = upper / lower
    return values


class Progress:
    """A bar over tokens, which, unlike rows, take equally long; it shows rows too, and warns early of a long wait."""

    def __init__(self, tokens: int, rows: int, device: str, rows_to_come: int | None = None):
        from tqdm import tqdm

        self.rows, self.device, self.rows_done, self.batches = rows, device, 0, 0
        self.rows_to_come = max(rows, rows_to_come or 0)
        self.bar = tqdm(total=tokens, desc="ifd", unit=" tokens", unit_scale=True, leave=False, delay=1)
        self.started = time.perf_counter()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error) -> None:
        self.bar.close()

    def add(self, rows: int, tokens: int) -> None:
        """Count a batch."""
        self.rows_done, self.batches = self.rows_done + rows, self.batches + 1
        self.bar.set_postfix_str(f"{self.rows_done:,}/{self.rows:,} rows", refresh=False)
        self.bar.update(tokens)
        if self.batches == ESTIMATE_BATCHES:
            rate = self.bar.n / (time.perf_counter() - self.started)
            minutes = self.bar.total / rate / 60 * self.rows_to_come / self.rows
            if minutes > 1:
                took = f"{minutes:,.0f} minutes" if minutes < 120 else f"{minutes / 60:,.1f} hours"
                self.bar.write(
                    f"ifd: {self.rows_to_come:,} rows will take about {took} on {self.device} ({rate:,.0f} tokens/s); "
                    "--max_samples N takes fewer",
                    file=sys.stderr,
                )


# ---------------------------------------------------------------------------------------------------------------------
# In the total, and in words


def weighted_total(quality: np.ndarray, weights: float, ifd: np.ndarray, weight: float) -> np.ndarray:
    """The total with IFD in it: (weights * quality + weight * m) / (weights + weight), `weights` the dimensions' sum.

    m = IFD below 1, so that harder rows gain, and 0 from 1 on, where the instruction does not help: the rows that
    Cherry discards. A row without IFD keeps the total of the other dimensions.
    """
    return np.where(np.isnan(ifd), quality, (weights * quality + weight * weighed(ifd)) / (weights + weight))


def weighed(ifd: np.ndarray) -> np.ndarray:
    """The m of `weighted_total`, in [0, 1]; 0 for NaN."""
    return np.where(ifd < 1, ifd, 0.0)


def distribution_line(ifd: np.ndarray) -> str:
    """A line of the scorer's table, of the rows that have one."""
    values = ifd[np.isfinite(ifd)]
    return score_output.distribution_line("ifd", values) if len(values) else f"{'ifd':18s}  no row has one"


def correlation_line(ifd: np.ndarray, others: dict[str, np.ndarray]) -> str:
    """Rank correlation of IFD with each of `others`, over the rows that have one."""
    found = np.isfinite(ifd)
    numbers = {name: correlation(ranks(ifd[found]), ranks(values[found])) for name, values in others.items()}
    shown = [f"{name} {'-' if number is None else f'{number:+.3f}'}" for name, number in numbers.items()]
    return f"ifd, rank correlation with {', '.join(shown)}"


def facts_line(facts: dict) -> str:
    """Rows measured, speed, nulls by reason and rows cut, in one line."""
    nulls = ", ".join(f"{reason.replace('_', ' ')} {rows:,}" for reason, rows in facts["null"].items()) or "none"
    return (
        f"ifd of {facts['measured']:,} of {facts['rows']:,} rows in {facts['seconds']:.1f} s "
        f"({facts['rows'] / max(facts['seconds'], 1e-9):,.1f} rows/s on {facts['device']}); null: {nulls}; cut at "
        f"{facts['max_tokens']} tokens: {facts['instruction_cut']:,} instructions, {facts['response_cut']:,} responses"
    )


def extremes(ifd: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the highest and of the lowest values, equal ones by row."""
    found = np.flatnonzero(np.isfinite(ifd))
    order = found[np.argsort(-ifd[found], kind="stable")]
    return order[:count], order[::-1][:count]


# ---------------------------------------------------------------------------------------------------------------------
# Evidence: the same response after its own instruction and after another row's of its source


def mismatched(sources: list[str], seed: int) -> np.ndarray:
    """For each row the number of another row of its source, each once; the row itself where it has no other."""
    other, labels = np.arange(len(sources)), np.array(sources)
    rng = np.random.default_rng(seed)
    for source in sorted(set(sources)):
        rows = rng.permutation(np.flatnonzero(labels == source))
        other[rows] = np.roll(rows, 1)
    return other


def evidence_entries(sources: list[str], right: np.ndarray, wrong: np.ndarray, compared: np.ndarray) -> list[dict]:
    """One entry a source, most rows first, and one for all: how often the wrong instruction gives the higher IFD, and
    how often it would raise a total in which IFD has a weight."""
    compared = compared & np.isfinite(right) & np.isfinite(wrong)
    labels = np.array(sources)
    masks = {name: compared & (labels == name) for name, _ in Counter(sources).most_common()}
    entries = []
    for name, mask in {**masks, "all": compared}.items():
        if mask.any():
            entry = {"source": name, "rows": int(mask.sum()), "wrong_higher": float((wrong > right)[mask].mean())}
            for which, values in (("right", right[mask]), ("wrong", wrong[mask])):
                entry |= {f"median_{which}": float(np.median(values)), f"{which}_from_1": float((values >= 1).mean())}
            entry["wrong_gains"] = float((weighed(wrong) > weighed(right))[mask].mean())
            entries.append(entry)
    return entries


def evidence_lines(entries: list[dict]) -> list[str]:
    """The table."""
    lines = ["ifd of a response after its own instruction (right) and after another row's of its source (wrong)"]
    heads = f"{'source':28s}{'rows':>7s}{'wrong higher':>14s}{'median right':>14s}{'wrong':>8s}"
    lines.append(f"{heads}{'from 1: right':>15s}{'wrong':>8s}{'wrong gains by weight':>23s}")
    for entry in entries:
        lines.append(
            f"{one_line(entry['source'])[:27]:28s}{entry['rows']:7,d}{entry['wrong_higher']:14.1%}{entry['median_right']:14.3f}"
            f"{entry['median_wrong']:8.3f}{entry['right_from_1']:15.1%}{entry['wrong_from_1']:8.1%}"
            f"{entry['wrong_gains']:23.1%}"
        )
    return lines


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("file", metavar="FILE", help="instruction data, JSON, JSONL, CSV, ...")
    parser.add_argument("--ifd", required=True, metavar="MODEL", help="a causal language model: folder or hub id")
    parser.add_argument("--max_samples", type=positive, default=300, help="rows, drawn by --seed (default: 300)")
    parser.add_argument("--seed", type=whole, default=0, help="of the sample and of the mismatch (default: 0)")
    add_results_dir(parser)
    report_evidence(parser.parse_args())


def report_evidence(arguments) -> None:
    """Print and keep how often a wrong instruction raises IFD."""
    started = time.time()
    config = {"max_samples": arguments.max_samples, "seed": arguments.seed, **settings(arguments.ifd)}
    table, _ = read_rows([arguments.file], arguments.max_samples, arguments.seed)
    sources, instructions, responses = (table[name].to_pylist() for name in ("source", "instruction", "response"))
    other = mismatched(sources, arguments.seed)
    swapped = [instructions[row] for row in other]
    right, facts = measure_rows(arguments.ifd, instructions, responses)
    wrong, _ = measure_rows(arguments.ifd, swapped, responses)
    compared = np.array([one != two for one, two in zip(instructions, swapped, strict=True)], bool)
    # A row of another answer that reads the same is no mismatch.
    compared &= np.array([responses[row] != response for row, response in zip(other, responses, strict=True)], bool)
    entries = evidence_entries(sources, right, wrong, compared)
    if not entries:
        raise UserError(f"{arguments.file}: no source has two rows of several tokens that could be mismatched")
    folder = require_writable(Path(arguments.results_dir) / "scorer")
    made = provenance(started, hash_files([arguments.file]))
    facts = {"config": config, "provenance": made, "measured": facts, "sources": entries}
    write_json(folder / "ifd_evidence.json", facts)
    print("\n".join([facts_line(facts["measured"]), *evidence_lines(entries)]))


if __name__ == "__main__":
    run_main(main)
