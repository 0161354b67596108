"""Measures of generated answers: one answer at a time, then over all of them with intervals. No judge, no network.

Reads and writes nothing; `generation_analysis.py` calls it. A measure that an answer does not allow is null and stays
out of the mean; its n says how many counted. All look at form: a fluent wrong answer passes every one of them.
"""

import json
import re
import unicodedata
from collections import Counter

import numpy as np

from pair_features import REFUSALS, edges
from retention_statistics import bootstrap_ratios, percentile_interval, wilson_interval
from word_facts import WORD_CLASS, stem

DISTINCT_WORDS = 1_000  # distinct-n falls with length, so it is taken over a fixed number of words
SELF_BLEU_WORDS = 100  # of each answer
LOOP_REPEATS = 3
LOOP_MARKS = 40  # marks with no word between them: a ruled line that ends an answer is shorter
BOOTSTRAP_DRAWS = 2_000
WORD = re.compile(r"\w+|[^\w\s]")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
# measure -> the column of `measure_answer` that it is the mean of
RATES = {
    "end_token_rate": "ended", "empty_rate": "empty", "loop_rate": "looped", "refusal_rate": "refused",
    "length_fit_rate": "length_fits", "language_drift_rate": "language_drifted",
}  # fmt: skip
MEANS = {
    "mean_response_tokens": "tokens", "rep_4": "rep_4", "copy_fraction": "copy_fraction", "coherence": "coherence",
}  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------------
# One answer


def measure_answer(row: dict, answer: dict, sample: int = 0) -> dict:
    """One generation with its measures, each a number, a flag or null. `sample` 0 is the greedy answer.

    rep_4: share of the answer's word 4-grams that it has said before (seq-rep-4, Welleck et al. 2020); null under 4
    words.
    looped: the answer ends on one phrase over and over (the loops of Holtzman et al. 2020; `ends_in_loop`).
    copy_fraction: share of the answer's word 4-grams that stand in the instruction; null under 4 words.
    length_ratio: words of the answer to words of the reference; length_fits: between a half and two.
    coherence, refused, language_drifted, constraints: see the functions below.
    """
    text, reference_text = answer["answer"], row["response"]
    words, reference = WORD.findall(text), WORD.findall(reference_text)
    grams = word_ngrams(words, 4)
    seen = set(word_ngrams(WORD.findall(row["instruction"]), 4))
    ratio = len(words) / len(reference) if reference else None
    asked = find_constraints(row["instruction"])
    return {
        **{key: row[key] for key in ("id", "source", "instruction")},
        "reference": reference_text,
        "sample": sample,
        "answer": text,
        "tokens": answer["tokens"],
        "ended": answer["ended"],
        "empty": not text.strip(),
        "looped": ends_in_loop(words),
        "rep_4": 1 - len(set(grams)) / len(grams) if grams else None,
        "copy_fraction": sum(gram in seen for gram in grams) / len(grams) if grams else None,
        "length_ratio": ratio,
        "length_fits": None if ratio is None else 0.5 <= ratio <= 2,
        "coherence": coherence(text),
        "refused": refuses(text),
        "language_drifted": drifted(text, reference_text),
        "constraints": len(asked),
        "constraints_kept": sum(keeps(text, *constraint) for constraint in asked),
        "constraints_kept_by_reference": sum(keeps(reference_text, *constraint) for constraint in asked),
    }


def word_ngrams(words: list[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n words, in order."""
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def ends_in_loop(words: list[str]) -> bool:
    """Whether the text closes on the same phrase of 1 to 32 words, LOOP_REPEATS times in a row or more.

    A phrase without a letter or digit has to go on for LOOP_MARKS words."""
    for size in range(1, min(32, len(words) // LOOP_REPEATS) + 1):
        phrase = words[-size:]
        spoken = any(character.isalnum() for word in phrase for character in word)
        repeats = LOOP_REPEATS if spoken else max(LOOP_REPEATS, -(-LOOP_MARKS // size))
        if words[-size * repeats :] == phrase * repeats:
            return True
    return False


def refuses(text: str) -> bool:
    """Whether the answer opens by declining: one of a short list of phrases in its first 200 characters.

    String matching as for AdvBench (Zou et al. 2023), with the phrases of the quality score."""
    opening = edges(text)[:200]
    return any(phrase in opening for phrase in REFUSALS)


def coherence(text: str) -> float | None:
    """Content-word overlap of adjacent sentences, the mean of their Dice coefficients by stem; null without a pair.

    Referential cohesion as in Coh-Metrix (Graesser et al. 2004). A sentence repeated word for word counts for nothing,
    which rep_4 sees. Coherence sees a change of subject, not a wrong step.
    """
    pieces = [re.findall(r"[^\W_]+", piece.lower()) for piece in SENTENCE_END.split(text)]
    pieces = [piece for piece in pieces if piece]
    content = [{stem(word) for word in piece if word not in WORD_CLASS} for piece in pieces]
    pairs = [
        (content[at], content[at + 1])
        for at in range(len(pieces) - 1)
        if pieces[at] != pieces[at + 1] and content[at] and content[at + 1]
    ]
    dice = [2 * len(first & second) / (len(first) + len(second)) for first, second in pairs]
    return float(np.mean(dice)) if dice else None


LANGUAGE_WORDS = {  # frequent words that tell the languages of one script apart
    "en": "the and of to is that it for was with are this you",
    "de": "der die und das ist nicht ein eine mit den von zu auf",
    "fr": "le la les et est une des du dans que pour pas sur",
    "es": "el los las es una del por con para que y en su",
    "it": "il gli di che è una per della con non sono nel",
    "pt": "o os uma do da em não que para com são dos",
    "nl": "de het een van en niet dat op te zijn voor met",
}
LANGUAGE_OF = {name: set(words.split()) for name, words in LANGUAGE_WORDS.items()}
MIN_LANGUAGE_WORDS = 3


def language(text: str) -> str | None:
    """The script of most letters, and within Latin one of seven languages by frequent words (Grefenstette 1995).

    Null where it cannot tell: too few letters, too few such words, or two languages alike."""
    letters = [character for character in text[:2_000] if character.isalpha()]
    if len(letters) < 10:
        return None
    scripts = Counter(unicodedata.name(character, "?").split()[0] for character in letters)
    script, count = scripts.most_common(1)[0]
    if count < 0.5 * len(letters):
        return None
    if script != "LATIN":
        return {"HIRAGANA": "JAPANESE", "KATAKANA": "JAPANESE"}.get(script, script)
    words = re.findall(r"[^\W\d_]+", text.lower())
    hits = sorted(((sum(word in known for word in words), name) for name, known in LANGUAGE_OF.items()), reverse=True)
    return hits[0][1] if hits[0][0] >= MIN_LANGUAGE_WORDS and hits[0][0] > 1.5 * hits[1][0] else None


def drifted(answer: str, reference: str) -> bool | None:
    """Whether the answer is in another language than the reference; null where either cannot be told."""
    found, expected = language(answer), language(reference)
    return None if found is None or expected is None else found != expected


# ---------------------------------------------------------------------------------------------------------------------
# Instruction following: limits that an instruction states and a program can check, of the kinds of IFEval (Zhou et al.
# 2023). Only wordings that leave no doubt are read, so most instructions have none.

NUMBERS = {word: value for value, word in enumerate("one two three four five six seven eight nine ten".split(), 1)}
NUMBER = rf"(\d{{1,4}}|{'|'.join(NUMBERS)})"
AT_MOST = r"(?:at most|no more than|not more than|up to|a maximum of)"
UNITS = r"(words?|sentences?|paragraphs?)\b"
PATTERNS = [
    ("most", re.compile(rf"\b{AT_MOST} {NUMBER} {UNITS}", re.I)),
    ("most", re.compile(rf"\bin {NUMBER} {UNITS} or (?:less|fewer)", re.I)),
    ("below", re.compile(rf"\b(?:fewer than|less than|under) {NUMBER} {UNITS}", re.I)),
    ("least", re.compile(rf"\b(?:at least|no fewer than|a minimum of) {NUMBER} {UNITS}", re.I)),
    ("equal", re.compile(rf"\b(?:in|exactly|in exactly|in just) {NUMBER} (sentences?|paragraphs?)\b(?! or)", re.I)),
    ("equal", re.compile(rf"\bexactly {NUMBER} (words?)\b", re.I)),
]  # fmt: skip
ITEMS = re.compile(
    rf"^(?:please )?(?:list|name|give(?: me)?|suggest|provide) (?:exactly )?{NUMBER} "
    r"(?!word|sent|para|(?:to|or|and)\b)\w",  # "3 to 5" and "five or more" are no exact number
    re.I,
)
JSON_ASKED = re.compile(r"\b(?:in|as|valid) (?:valid )?(?:a )?json\b", re.I)
ABOUT = re.compile(  # a sentence that only speaks of JSON or of capitals
    r"\W*(?:how|what|why|when|where|who|which|is|are|was|does|do (?:i|you|we|they|people|the)|did|should|has|have|"
    r"explain|describe|define|discuss|tell me (?:how|what|why)|given|here|this|suppose|parse|read|if)\b",
    re.I,
)
UNWANTED = re.compile(r"\b(?:not|never|avoid|without)\b|n['\u2019]t\b", re.I)
CASES = {
    "upper": re.compile(r"\ball (?:capital letters|uppercase|upper case|caps)\b", re.I),
    "lower": re.compile(r"\ball (?:lowercase|lower case|small letters)\b", re.I),
}
LIST_LINE = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.):])\s*\S", re.M)


def find_constraints(instruction: str) -> list[tuple[str, str, int]]:
    """(kind, relation, number) of every limit stated: words, sentences, paragraphs, items, json, case."""
    found = set()
    for relation, pattern in PATTERNS:
        for number, unit in pattern.findall(instruction):
            found.add((unit.lower().rstrip("s"), relation, to_number(number)))
    if match := ITEMS.search(instruction):
        found.add(("item", "equal", to_number(match[1])))
    if asks(instruction, JSON_ASKED):
        found.add(("json", "equal", 0))
    found |= {("case", case, 0) for case, pattern in CASES.items() if asks(instruction, pattern)}
    return sorted(found)


def asks(instruction: str, pattern: re.Pattern) -> bool:
    """Whether a sentence of the instruction wants what the pattern says: no question about it, no "do not"."""
    for sentence in SENTENCE_END.split(instruction):
        match = None if ABOUT.match(sentence) else pattern.search(sentence)
        if match and not UNWANTED.search(re.split("[,;:]", sentence[: match.start()])[-1]):
            return True
    return False


def to_number(text: str) -> int:
    return NUMBERS.get(text.lower()) or int(text)


def keeps(answer: str, kind: str, relation: str, number: int) -> bool:
    """Whether an answer keeps one limit. An empty answer keeps none."""
    text = answer.strip()
    if not text:
        return False
    if kind == "json":
        return is_json(text)
    if kind == "case":
        return text == (text.upper() if relation == "upper" else text.lower()) and any(map(str.isalpha, text))
    if kind == "item":
        return number in item_counts(text)
    count = {
        "word": len(text.split()),
        "sentence": len([piece for piece in SENTENCE_END.split(text) if re.search(r"\w", piece)]),
        "paragraph": len([piece for piece in re.split(r"\n\s*\n", text) if piece.strip()]),
    }[kind]
    holds = {"most": count <= number, "below": count < number, "least": count >= number, "equal": count == number}
    return holds[relation]


def is_json(text: str) -> bool:
    """Whether the whole text, less a code fence, is a JSON object or array."""
    text = re.sub(r"^```\w*\n|\n?```$", "", text)
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def item_counts(text: str) -> set[int]:
    """How many items a text can be said to list: marked lines where there are any, else lines or parts of a line."""
    if marked := len(LIST_LINE.findall(text)):
        return {marked}
    lines = [line for line in text.splitlines() if line.strip()]
    parts = [part for part in re.split(r",\s*(?:and\s+|or\s+)?|;|\s+and\s+", text) if part.strip()]
    return {len(lines), len(parts)} if len(lines) == 1 else {len(lines)}


# ---------------------------------------------------------------------------------------------------------------------
# All answers


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


def self_bleu(texts: list[str]) -> float | None:
    """How alike one prompt's answers are: mean BLEU-4 of each against the others (Self-BLEU, Zhu et al. 2018).

    By nltk's sentence_bleu with smoothing method 1, as in Texygen, over the first SELF_BLEU_WORDS words of each; 1 is
    all the same. Null with fewer than two answers that are not empty.
    """
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    answers = [words for words in (WORD.findall(text)[:SELF_BLEU_WORDS] for text in texts) if words]
    if len(answers) < 2:
        return None
    weights = {size: (1 / size,) * size for size in (1, 2, 3, 4)}  # an answer of two words has no 4-grams to share
    smooth = SmoothingFunction().method1
    scores = [
        sentence_bleu(answers[:at] + answers[at + 1 :], own, weights[min(4, len(own))], smoothing_function=smooth)
        for at, own in enumerate(answers)
    ]
    return float(np.mean(scores))


def summarise(rows: list[dict]) -> dict:
    """Every measure over rows of `measure_answer`, and "intervals": {measure: {"low", "high", "n"}} at 95%.

    Wilson's interval for a rate with one answer a prompt; elsewhere a bootstrap over prompts, since answers to one
    prompt are alike. distinct-n has none: a resample says things twice, and is less distinct for it.
    """
    values, intervals = {"prompts": len({row["id"] for row in rows})}, {}
    groups = group_rows(rows)
    for name, column in {**RATES, **MEANS}.items():
        values[name], intervals[name] = estimate([[row[column] for row in group] for group in groups], name in RATES)
    ratios = [row["length_ratio"] for row in rows if row["length_ratio"] is not None]
    values["length_ratio_median"] = float(np.median(ratios)) if ratios else None
    for name in ("constraints_kept", "constraints_kept_by_reference"):
        flags = [[row[name] / row["constraints"] for row in group if row["constraints"]] for group in groups]
        measure = "instruction_following" if name == "constraints_kept" else "instruction_following_of_references"
        values[measure], intervals[measure] = estimate(flags, False)
    texts = [WORD.findall(row["answer"]) for row in rows]
    values |= {"distinct_1": distinct_fraction(texts, 1), "distinct_2": distinct_fraction(texts, 2)}
    return {**values, "intervals": intervals}


def group_rows(rows: list[dict]) -> list[list[dict]]:
    """The rows of each prompt, prompts in their first order."""
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(row["id"], []).append(row)
    return list(groups.values())


def estimate(groups: list[list], is_rate: bool) -> tuple[float | None, dict | None]:
    """The mean of all values that are not null, and its interval over groups; (null, null) where there is none.

    No interval where all groups agree: a bootstrap of them has no width, which is no certainty (two prompts that fail
    tell little of the next). One of few groups is as wide as Student's t asks.
    """
    groups = [kept for group in groups if (kept := [float(value) for value in group if value is not None])]
    if not groups:
        return None, None
    sums, counts = np.array([sum(group) for group in groups]), np.array([len(group) for group in groups], float)
    value = float(sums.sum() / counts.sum())
    if is_rate and counts.max() == 1:
        low, high = wilson_interval(int(sums.sum()), len(groups))
    elif np.ptp(sums / counts) == 0:
        return value, None
    else:
        draws = bootstrap_ratios(sums[None], counts[None], BOOTSTRAP_DRAWS, 0)[:, 0]
        low, high = percentile_interval(draws, units=len(groups))
    return value, {"low": low, "high": high, "n": len(groups)}
