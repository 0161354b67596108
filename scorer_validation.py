"""Evidence for a scorer: does it pick the preferred answer, length aside, and does it see damage done to an answer?

Pure functions compute; `quality_scorer.py --validate PAIRS` and `--corruptions FILE` print the tables and write the
JSON. A scorer here is any function of instructions and responses that gives an array of scores for each dimension.
"""

import contextlib
import random
import re
from collections import Counter

import numpy as np

from common import UserError
from dataset_files import open_dataset
from dataset_readers import (
    EXTRA_COLUMNS,
    INSTRUCTION_COLUMNS,
    SYSTEM_COLUMNS,
    USED_COLUMNS,
    exchanges,
    layout_of,
)
from dialogues import Unusable
from retention_statistics import FEW_EVENTS, wilson_interval

PAIR_COLUMNS = ["instruction", "chosen", "rejected"]
PAIR_SHAPE = "instruction (or prompt, question), chosen, rejected: texts or lists of turns"
ASK_COLUMNS = [*INSTRUCTION_COLUMNS, *EXTRA_COLUMNS, *SYSTEM_COLUMNS]
LIKE_LENGTH = (0.9, 1.11)  # words of the preferred answer over words of the other
RESAMPLES = 1_000
LENGTH_BINS = [0, 25, 50, 100, 200, 400]  # words of the original answer, from


def word_counts(texts: list[str]) -> np.ndarray:
    return np.array([len(text.split()) for text in texts])


# ---------------------------------------------------------------------------------------------------------------------
# Preferences


def read_pairs(file: str) -> tuple[dict[str, list[str]], dict[str, int]]:
    """(pairs, left out) of preference data in any shape that `dataset_readers.py` knows: texts, or dialogues, with the
    instruction in a column or in them. pairs: columns instruction, chosen, rejected and kind ("" where the file has
    none); left out: rows by reason. Raises UserError where no row can be used."""
    pairs, left_out, first = {name: [] for name in [*PAIR_COLUMNS, "kind"]}, Counter(), None
    for part in open_dataset(file, ["train"], {*USED_COLUMNS, *pairs}):
        for chunk in part.chunks:
            for record in chunk.take(np.arange(chunk.rows)):
                reason = add_pair(pairs, record)
                if reason:
                    left_out[reason] += 1
                    first = first or f"row {len(pairs['kind']) + 1}: {reason}; --validate needs {PAIR_SHAPE}"
    if not pairs["kind"]:
        raise UserError(f"{file}, {first}" if first else f"{file} has no rows")
    return pairs, dict(left_out)


def add_pair(pairs: dict[str, list[str]], record) -> str | None:
    """Append one record; or give the reason why it is left out: it is no record, or a column holds no answer."""
    if isinstance(record, str):  # what is wrong with its line
        return "unreadable"
    sides = {column: _ask_and_answer(record, column) for column in ("chosen", "rejected")}
    for column, side in sides.items():
        if side is None:
            return f"column {column!r} holds no answer to an instruction"
    texts = (*sides["chosen"], sides["rejected"][1], record.get("kind") or "")
    for name, text in zip([*PAIR_COLUMNS, "kind"], texts, strict=True):
        pairs[name].append(str(text))
    return None


def _ask_and_answer(record: dict, column: str) -> tuple[str, str] | None:
    """The instruction and the (last) answer of one of the two columns, None where it holds none."""
    names = {name.strip().lower(): name for name in record if isinstance(name, str)}
    row = {name: record[names[name]] for name in ASK_COLUMNS if name in names}
    row["chosen"] = record.get(names.get(column))
    layout = layout_of(row)
    if layout and row["chosen"] is not None:
        with contextlib.suppress(Unusable):
            return exchanges(row, layout, "all")[-1]  # the answers before the last are the same in both
    return None


def left_out_words(left_out: dict[str, int]) -> str:
    """What became of the rows that make no pair."""
    return "; ".join(f"{rows:,} row{'s' * (rows > 1)} left out: {reason}" for reason, rows in left_out.items())


def wins_of(difference: np.ndarray) -> np.ndarray:
    """1 where the first of a pair scores higher, 0.5 for a tie, else 0."""
    return (difference > 0) + 0.5 * (difference == 0)


def accuracy(difference: np.ndarray, groups: np.ndarray, seed: int = 0) -> dict:
    """Share of pairs whose preferred answer scores higher, ties half; 95% interval by resampling groups.

    Pairs of one instruction are not independent, so whole instructions are drawn. Where nearly all of them agree the
    interval is at least Wilson's over groups: resampled, they would show too little of those that might not."""
    wins = wins_of(difference)
    _, group = np.unique(groups, return_inverse=True)
    pairs, won = np.bincount(group), np.bincount(group, wins)
    drawn = np.random.default_rng(seed).multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), RESAMPLES)
    ends = [float(end) for end in np.percentile((drawn @ won) / (drawn @ pairs), [2.5, 97.5])]
    if min((won > 0).sum(), (won < pairs).sum()) < FEW_EVENTS:
        ends += wilson_interval(float(wins.mean()) * len(pairs), len(pairs))
    return {"pairs": len(wins), "accuracy": float(wins.mean()), "low": min(ends), "high": max(ends)}


def logistic_fit(differences: np.ndarray) -> dict | None:
    """Preference on differences [pairs, columns] between preferred and other answer, no intercept: swapping the two
    changes nothing. {"coefficients", "standard_errors"} by Newton's method; None where the columns separate the pairs
    or are not independent, so that no finite fit exists."""
    weights = np.zeros(differences.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(differences @ weights, -500, 500)))
        information = (differences * (chance * (1 - chance))[:, None]).T @ differences
        if np.linalg.cond(information) > 1e10 or np.abs(weights).max() > 1e6:
            return None
        step = np.linalg.solve(information, differences.T @ (1 - chance))
        weights = weights + step
        if np.abs(step).max() < 1e-10 * max(1.0, np.abs(weights).max()):
            errors = np.sqrt(np.diag(np.linalg.inv(information)))
            return {"coefficients": weights.tolist(), "standard_errors": errors.tolist()}
    return None


def validate(score, pairs: dict[str, list[str]], seed: int = 0) -> dict:
    """Accuracy by subset and dimension, length alone beside it, and the partial effect of score and length."""
    chosen = score(pairs["instruction"], pairs["chosen"])
    rejected = score(pairs["instruction"], pairs["rejected"])
    words = [word_counts(pairs[name]) for name in ("chosen", "rejected")]
    differences = {name: chosen[name] - rejected[name] for name in chosen}
    differences["length alone"] = words[0] - words[1]
    log_length = np.log(words[0] + 1) - np.log(words[1] + 1)
    groups = np.array(pairs["instruction"])
    subsets = {
        subset: {name: accuracy(values[rows], groups[rows], seed) for name, values in differences.items()}
        for subset, rows in pair_subsets(np.array(pairs["kind"]), *words).items()
    }
    return {"accuracy": subsets, "partial_effect": partial_effect(differences["quality"], log_length)}


def pair_subsets(kinds: np.ndarray, chosen_words: np.ndarray, rejected_words: np.ndarray) -> dict[str, np.ndarray]:
    """Masks by name: all pairs, those of each kind, those of like length; empty ones are left out."""
    masks = {"all": np.ones(len(kinds), bool)}
    masks |= {f"kind {kind}": kinds == kind for kind in sorted(set(kinds.tolist()) - {""})}
    masks["like length"] = are_of_like_length(chosen_words, rejected_words)
    return {name: mask for name, mask in masks.items() if mask.any()}


def are_of_like_length(chosen_words: np.ndarray, rejected_words: np.ndarray) -> np.ndarray:
    """Which pairs length says little of; two empty answers are alike."""
    ratio = (chosen_words + 1e-9) / (rejected_words + 1e-9)
    return (ratio >= LIKE_LENGTH[0]) & (ratio <= LIKE_LENGTH[1])


def partial_effect(score_difference: np.ndarray, log_length_difference: np.ndarray) -> dict | None:
    """The logistic fit of preference on both differences, each in its root mean square, so that the two compare."""
    columns = np.column_stack([score_difference, log_length_difference])
    scale = np.sqrt((columns**2).mean(axis=0))
    fit = logistic_fit(columns / np.where(scale > 0, scale, 1))
    if fit is None:
        return None
    pairs = zip(fit["coefficients"], fit["standard_errors"], strict=True)
    rows = [{"coefficient": coefficient, "standard_error": error} for coefficient, error in pairs]
    return dict(zip(["score", "log_length"], rows, strict=True))


def validation_lines(result: dict) -> list[str]:
    """The tables of what `validate` found, for a terminal."""
    lines = []
    for subset, rows in result["accuracy"].items():
        lines += [f"{subset} ({rows['quality']['pairs']:,} pairs)"]
        for name, row in rows.items():
            lines.append(f"  {name:18s}{row['accuracy']:7.3f}   [{row['low']:.3f}, {row['high']:.3f}]")
        lines.append("")
    if result["partial_effect"] is None:
        return [*lines, "no logistic fit: score and length separate the pairs, or go together"]
    lines.append("logistic fit of preference, per root mean square of the difference (standard error)")
    for name, row in result["partial_effect"].items():
        lines.append(f"  {name:18s}{row['coefficient']:7.3f}   ({row['standard_error']:.3f})")
    return lines


# ---------------------------------------------------------------------------------------------------------------------
# Corruptions: what is done to a text, by a seeded generator; `others` are the answers, or the instructions, of all rows

SENTENCE_GAP = re.compile(r"(?<=[.!?])\s+")
REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I cannot answer this question.",
    "I am unable to assist with this request.",
]
FILLER = [
    "It is important to note that this is a topic that many people care about.",
    "There are many things to consider here, and each of them matters in its own way.",
    "At the end of the day, it all depends on the situation and the people involved.",
    "As mentioned above, this is something that should be considered with care.",
    "I hope this helps! Let me know if you have any other questions.",
    "Needless to say, there is a lot more that could be said about this.",
]


def truncated(text: str, rng: random.Random, others: list[str]) -> str:
    words = text.split(" ")
    return " ".join(words[: max(1, int(len(words) * rng.uniform(0.4, 0.8)))])


def shuffled_words(text: str, rng: random.Random, others: list[str]) -> str:
    words = text.split()
    return " ".join(rng.sample(words, len(words)))


def shuffled_sentences(text: str, rng: random.Random, others: list[str]) -> str:
    sentences = SENTENCE_GAP.split(text)
    return " ".join(rng.sample(sentences, len(sentences)))


def mismatched(text: str, rng: random.Random, others: list[str]) -> str:
    return rng.choice(others)


def looped(text: str, rng: random.Random, others: list[str]) -> str:
    return text + (" " + SENTENCE_GAP.split(text)[-1]) * rng.randint(4, 8)


def character_noise(text: str, rng: random.Random, others: list[str]) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "".join(rng.choice(letters) if char.isalpha() and rng.random() < 0.08 else char for char in text)


def emptied(text: str, rng: random.Random, others: list[str]) -> str:
    return rng.choice(["", " ", "\n", ".", "..."])


def refused(text: str, rng: random.Random, others: list[str]) -> str:
    return rng.choice(REFUSALS)


def padded(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{text} {' '.join(rng.choices(FILLER, k=rng.randint(4, 8)))}"


def sentence_missing(text: str, rng: random.Random, others: list[str]) -> str:
    sentences = SENTENCE_GAP.split(text)
    if len(sentences) < 4:
        return text
    del sentences[rng.randrange(1, len(sentences) - 1)]
    return " ".join(sentences)


def digits_changed(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"\d", lambda _digit: str(rng.randrange(10)), text)


def words_doubled(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"\S+", lambda word: f"{word[0]} {word[0]}" if rng.random() < 0.1 else word[0], text)


def said_twice(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{text}\n\n{text}"


def indentation_lost(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"\n[ \t]+", "\n", text)


def line_breaks(text: str, rng: random.Random, others: list[str]) -> str:
    return text.replace(" ", "\n")


def chat_remains(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{text}<|im_end|>\n<|im_start|>user\nThanks! What else?"


def link_behind(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{text} Visit https://www.example.com/promo?id=4417 for 50% off today!"


def answer_behind(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{text}\n\n{rng.choice(others)}"


def turns_behind(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{text}\n\nUser: Please tell me more.\nAssistant: {rng.choice(others)}"


def characters_lost(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"\w", lambda character: "\ufffd" if rng.random() < 0.02 else character[0], text)


def entities_left(text: str, rng: random.Random, others: list[str]) -> str:
    return text.replace("&", "&amp;").replace("'", "&#39;").replace('"', "&quot;").replace("\n", "<br>")


def vague(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"[A-Za-z]{6,}", lambda _word: rng.choice(["thing", "stuff", "something", "it"]), text)


def label_before(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{rng.choice(['### Response:', 'Assistant:', 'Output:'])}\n{text}"


def system_prompt_before(text: str, rng: random.Random, others: list[str]) -> str:
    return f"You are a helpful, respectful and honest assistant. Always answer as helpfully as possible.\n\n{text}"


def lines_numbered(text: str, rng: random.Random, others: list[str]) -> str:
    lines = text.split("\n")
    return "\n".join(f"{number} {line}" for number, line in enumerate(lines, 1)) if len(lines) > 2 else text


def lines_marked(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"(?m)^", rng.choice(["> ", "+"]), text)


def percent_encoded(text: str, rng: random.Random, others: list[str]) -> str:
    return text.replace(" ", "%20")


def other_script_behind(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{text} {rng.choice(['希望这个回答对您有所帮助。', 'Надеюсь, этот ответ вам поможет.'])}"


def citation_marks(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"(?<=[a-z)][.!?])(?=\s|$)", lambda _end: f"[{rng.randint(1, 40)}]", text)


def words_in_capitals(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"[A-Za-z]{4,}", lambda word: word[0].upper() if rng.random() < 0.25 else word[0], text)


def title_case(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"(?<![\w'’])[a-z]", lambda letter: letter[0].upper(), text)


def space_lost(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"([.,]) (?=\w)", r"\1", text)


def space_before_marks(text: str, rng: random.Random, others: list[str]) -> str:
    return re.sub(r"(?<=\w)([.,])(?=\s|$)", r" \1", text)


def words_blanked(text: str, rng: random.Random, others: list[str]) -> str:
    blank = rng.choice("X_")
    return re.sub(r"[A-Za-z]{4,}", lambda word: blank * len(word[0]) if rng.random() < 0.1 else word[0], text)


def list_literal(text: str, rng: random.Random, others: list[str]) -> str:
    return repr([text])


def names_made_up(text: str, rng: random.Random, others: list[str]) -> str:
    def name_or_word(word: re.Match) -> str:
        if rng.random() >= 0.6:
            return word[0]
        letters = (rng.choice("aeiou" if at % 2 else "bcdfghjklmnpqrstvwz") for at in range(len(word[0])))
        return "".join(letters).title()

    return re.sub(r"[A-Za-z]{4,}", name_or_word, text)


# And to instructions alone.


def number_before(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{rng.randint(2, 40)}. {text}"


def no_input_behind(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{text}\n\nInput: None"


def field_unfilled(text: str, rng: random.Random, others: list[str]) -> str:
    return f"{text} {{input}}"


def prompt_marks(text: str, rng: random.Random, others: list[str]) -> str:
    return f"### Instruction:\n{text}\n\n### Response:"


CORRUPTIONS = [
    truncated, shuffled_words, shuffled_sentences, mismatched, looped, character_noise, emptied, refused, padded
]  # fmt: skip
FURTHER_CORRUPTIONS = [
    sentence_missing, digits_changed, words_doubled, said_twice, indentation_lost, line_breaks, chat_remains,
    link_behind, answer_behind, turns_behind, characters_lost, entities_left, label_before, system_prompt_before,
    lines_numbered, lines_marked, percent_encoded, other_script_behind, citation_marks, words_in_capitals, title_case,
    space_lost, space_before_marks, words_blanked, list_literal, names_made_up
]  # fmt: skip
INSTRUCTION_CORRUPTIONS = [
    truncated, shuffled_words, character_noise, words_doubled, said_twice, vague, emptied, number_before,
    no_input_behind, field_unfilled, prompt_marks, system_prompt_before
]  # fmt: skip


def corrupted_copies(texts: list[str], seed: int, corruptions=CORRUPTIONS):
    """(kind, the texts damaged so, which of them it changed: bool) for each kind of damage."""
    for corrupt in corruptions:
        rng = random.Random(f"{seed} {corrupt.__name__}")
        copies = [corrupt(text, rng, texts) for text in texts]
        changed = np.array([copy != text for copy, text in zip(copies, texts, strict=True)], bool)
        yield corrupt.__name__, copies, changed


def corruption_evidence(score, instructions: list[str], responses: list[str], seed: int = 0) -> dict[str, list[dict]]:
    """Tables of damage: "kinds" to answers, whose mean is the measure; "further" kinds; "instruction", by clarity."""
    rows = (instructions, responses, seed)
    return {
        "kinds": corruption_table(score, *rows),
        "further": corruption_table(score, *rows, FURTHER_CORRUPTIONS),
        "instruction": corruption_table(score, *rows, INSTRUCTION_CORRUPTIONS, to_instructions=True),
    }


def corruption_table(
    score, instructions: list[str], responses: list[str], seed: int = 0, corruptions=CORRUPTIONS, to_instructions=False
) -> list[dict]:
    """One entry a kind: how often the original beats its corrupted copy, ties half, in all and by length bin.

    By quality, or where the damage is done `to_instructions` by clarity. Copies left as they were do not count."""
    measure, damaged = ("clarity", instructions) if to_instructions else ("quality", responses)
    original = score(instructions, responses)[measure]
    bins = np.digitize(word_counts(damaged), LENGTH_BINS) - 1
    entries = []
    for kind, copies, changed in corrupted_copies(damaged, seed, corruptions):
        pair = (copies, responses) if to_instructions else (instructions, copies)
        wins = wins_of(original - score(*pair)[measure])
        masks = [changed, *(changed & (bins == number) for number in range(len(LENGTH_BINS)))]
        rates = [float(wins[mask].mean()) if mask.any() else None for mask in masks]
        entry = {"kind": kind, "rows": int(changed.sum()), "original_wins": rates[0]}
        entries.append(entry | {"by_length": dict(zip(map(str, LENGTH_BINS), rates[1:], strict=True))})
    return entries


def corruption_lines(tables: dict[str, list[dict]]) -> list[str]:
    """The tables of `corruption_evidence`; the mean over the kinds of the first stands under it."""
    bins = "".join(f"{f'{start}+':>8s}" for start in LENGTH_BINS)
    lines = ["how often the original scores higher than its corrupted copy, in all and by words of the original"]
    lines += [f"{'':20s}{'rows':>8s}{'all':>8s}{bins}", *entry_lines(tables["kinds"])]
    rates = [entry["original_wins"] for entry in tables["kinds"] if entry["original_wins"] is not None]
    lines.append(f"{'mean':20s}{'':8s}{np.mean(rates):8.3f}" if rates else "no row could be corrupted")
    lines += ["", "other damage to answers", *entry_lines(tables["further"])]
    return [*lines, "", "damage to instructions, by the clarity of the pair", *entry_lines(tables["instruction"])]


def entry_lines(entries: list[dict]) -> list[str]:
    lines = []
    for entry in entries:
        rates = [entry["original_wins"], *entry["by_length"].values()]
        shown = "".join(f"{'-':>8s}" if rate is None else f"{rate:8.3f}" for rate in rates)
        lines.append(f"{entry['kind']:20s}{entry['rows']:8,}{shown}")
    return lines
