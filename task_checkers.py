"""Pure checkers of verifiable answers: `checker(answer, **arguments) -> bool`.

Each checker is strict about what was asked and lenient about what was not: a lead-in ("The answer is 42."), quotes,
bullets or a code fence never fail an answer, while a second candidate ("42 or 43") or a loop ("42. 42. 42.") does.
An answer may go on to say why it is right. Checkers only read the answer: nothing in it is executed, every pattern runs
in linear time, and answers of more than `MAX_ANSWER_CHARACTERS` fail unread, so that any string whatever gets a verdict
at once.

Used through `verifiable_tasks.check`; reads and writes no files. A change of what any of them accepts needs a higher
`verifiable_tasks.SUITE_VERSION`; a test holds the verdicts of its reference table.
"""

import json
import re

from answer_text import (
    CONCLUSION,
    CORRECTIONS,
    DENIALS,
    HEDGES,
    INLINE_MARKER,
    JOINING_WORDS,
    LIST_MARKER,
    NEGATION_REACH_WORDS,
    NEGATIONS,
    SENTENCE_END,
    WRAPPING,
    candidates,
    conclusions,
    explains,
    first_line,
    in_digits,
    integer_of,
    numbers_of,
    opening_clause,
    settles,
    unfence,
    words_of,
)

MAX_LEAD_WORDS = 8  # "There are 3 words: ...": an answer given first, then explained
MAX_NAMING_WORDS = 30  # "The second word of ... is drum": of a sentence that names an option
ANNOUNCING_WORDS = set(
    "sure here sentence answer response output result solution".split()
)  # "Sure! Here is one:" is not the sentence that was asked for
STEP_WORDS = set("first then next step let let's start starts starting if more less".split())  # working, no answer yet
LIST_WORDS = {"a", "an", "the", "and", "or", "with", "of", "in", "on", "to"}  # with given words, a list, no sentence
SELECTION_WORDS = set(
    "the word words is are in both lists list share shared common that i would i'd choose pick select".split()
)
NUMBERED_LINE = re.compile(r"([0-9]{1,2})[.)][ \t]*(.*)")
NEXT_SENTENCE = re.compile(r"[.!?][\"')*]{0,3}\s+[\"'(*]{0,3}[A-Z]|[a-z][.!?][A-Z]|\n[ \t]*\w")
TITLES = re.compile(r"\b(Mr|Mrs|Ms|Dr|St)\.")
REASON = re.compile(r"\b(?:because|since|as)\b", re.IGNORECASE)
CLAIM = re.compile(
    r"\b(?:is|are|be|equals|makes|gives)[ *$\"'`]{1,4}[0-9,]+[*$\"'`]{0,4}(?: [A-Za-z]+){0,2}[ .!*$]{0,4}$"
)
THE_NEXT = re.compile(r"\bthe next\b", re.IGNORECASE)  # number of a sequence; "next" alone is a step
DIGIT_THEN_LETTER = re.compile(r"(?<=[0-9])(?=[A-Za-z])")
MONTH_NAMES = "january february march april may june july august september october november december".split()
MONTH_PATTERN = "|".join(f"{name}|{name[:3]}" for name in MONTH_NAMES)
DAY_PATTERN = r"([0-9]{1,2})(?:st|nd|rd|th)?"
DATE = re.compile(
    rf"\b(?:{DAY_PATTERN}(?: of)? ({MONTH_PATTERN})|({MONTH_PATTERN})\.? (?:the )?{DAY_PATTERN})\b", re.IGNORECASE
)
TABLE_RULE = set("|:- \t")  # the characters of the line under a header


@settles
def is_number(answer, value, operands=()):
    """The whole number `value`, in digits or words; numbers of the question (`operands`) may be repeated beside it.

    Given at once ("There are 3 words: ..."), it may be explained with other numbers, and it may be concluded from them
    ("It grows by 5, so the next one is 50."; "It grows by 5. The next one is 50.").
    """
    text = in_digits(answer)
    if _is_hedged(words_of(text), value):
        return False
    results = numbers_of(text.rpartition("=")[2]), numbers_of(CONCLUSION.split(text)[-1])
    if any(set(result) == {value} for result in results):
        return True
    numbers, corrected = numbers_of(text), CORRECTIONS & set(words_of(text))
    edges = numbers[-1:] if corrected else numbers[:1] + numbers[-1:]
    alone = value in edges and set(numbers) <= {value, *operands}
    claimed = not corrected and _claims_number(text, value)
    return alone or claimed or _leads_with_number(text, value, operands, MAX_LEAD_WORDS)


def _claims_number(text, value):
    """Whether the last sentence has no other number and ends on "is 104" or "are 3 words"; working may stand before."""
    last = SENTENCE_END.split(text.strip(WRAPPING))[-1]
    return bool(CLAIM.search(last)) and numbers_of(last) == [value]


def _leads_with_number(text, value, operands, max_words):
    """Whether the answer opens with `value` alone, in a few words, and nothing after it takes that back."""
    lead, reason = opening_clause(text)
    found = {number for number in numbers_of(lead) if number not in operands}
    words = words_of(THE_NEXT.sub("", lead))
    if found != {value} or len(words) > max_words or STEP_WORDS & set(words) or not explains(reason):
        return False
    concluded = [numbers_of(SENTENCE_END.split(part)[0]) for part in conclusions(reason)]
    return all(value in (numbers[0], numbers[-1]) for numbers in concluded if numbers)


def _is_hedged(words, value):
    """Whether a hedge stands shortly before the number or right after it ("not 42", "42 or 17")."""
    places = [place for place, word in enumerate(words) if integer_of(word) == value]
    hedged = any(HEDGES & set(words[max(0, place - NEGATION_REACH_WORDS) : place + 2]) for place in places)
    return hedged or _is_denied(words, places)


def _is_denied(words, places):
    return any(DENIALS & set(words[place : place + 1 + NEGATION_REACH_WORDS]) for place in places)


@settles
def is_choice(answer, value, options, opposites=()):
    """`value` and no other of `options`; "43 is larger than 42" also counts, unless one of `opposites` precedes.

    All options in their order are the question said again: "the second word of lamp, drum, tree is drum". A sentence of
    more than MAX_NAMING_WORDS names nothing, nor does a number among others that are no options, unless it leads.
    """
    concluded = CONCLUSION.split(answer)[-1]
    texts = [text for text in dict.fromkeys((answer, concluded)) if not _is_aside(text, value, options)]
    return any(_names_choice(text, value, options, opposites) for text in texts)


def _choice_words(text):
    return [word.replace(",", "") if integer_of(word) is not None else word for word in words_of(text)]


def _is_aside(text, value, options):
    sentences = [_choice_words(sentence) for sentence in SENTENCE_END.split(text)]
    naming = [len(words) for words in sentences if f" {value.lower()} " in f" {' '.join(words)} "]
    if min(naming, default=0) > MAX_NAMING_WORDS:
        return True
    number, known = integer_of(value), {integer_of(option) for option in options}
    others = number is not None and set(numbers_of(text)) - known
    return bool(others) and not _leads_with_number(text, number, known - {number}, MAX_LEAD_WORDS)


def _names_choice(text, value, options, opposites):
    words = _choice_words(text)
    if "than" in words and value.lower() in words[: words.index("than")] and not set(opposites) & set(words):
        words = words[: words.index("than")]
    question = f" {' '.join(option.lower() for option in options)} "
    spaced = f" {' '.join(word for word in words if word not in JOINING_WORDS)} ".replace(question, " ", 1)
    if any(f" {option.lower()} " in spaced for option in options if option.lower() != value.lower()):
        return False
    before, found, after = spaced.partition(f" {value.lower()} ")
    negated = NEGATIONS & set(before.split()[-NEGATION_REACH_WORDS:])
    return bool(found) and not negated and not DENIALS & set(after.split()[:NEGATION_REACH_WORDS])


def is_text(answer, value, match_case=False):
    """`value` and nothing else, except for a lead-in, quotes and end punctuation; spacing is free."""

    def plain(text):
        text = " ".join(text.strip(WRAPPING).split())
        return text if match_case else text.lower()

    return any(plain(candidate) == plain(value) for candidate in candidates(answer))


def is_items(answer, values):
    """The one-word `values` in this order and no other, however they are separated, bulleted or numbered."""
    expected = [value.lower() for value in values]
    if not any(value.isdigit() for value in values):
        answer = INLINE_MARKER.sub(" ", answer)
    return any(_items(candidate) == expected for candidate in candidates(answer))


def _items(text):
    return [word for word in words_of(LIST_MARKER.sub("", text).replace(",", " ")) if word not in JOINING_WORDS]


def is_selection(answer, options, count):
    """Exactly `count` different words, all of them from `options`, in any order; words such as "I choose" are free."""
    allowed = {option.lower() for option in options}
    free = SELECTION_WORDS - allowed
    bare = INLINE_MARKER.sub(" ", answer)
    picked = [[item for item in _items(candidate) if item not in free] for candidate in candidates(bare)]
    return any(len(items) == len(set(items)) == count and set(items) <= allowed for items in picked)


def is_numbered_list(answer, values):
    """One block of lines "1. ...", "2. ..." with `values` in order; prose may stand before and after it."""
    lines = [line.strip() for line in unfence(answer).splitlines() if line.strip()]
    places = [place for place, line in enumerate(lines) if LIST_MARKER.match(line) or NUMBERED_LINE.match(line)]
    matches = [NUMBERED_LINE.fullmatch(lines[place]) for place in places]
    if len(places) != len(values) or not all(matches) or places[-1] - places[0] != len(places) - 1:
        return False
    numbered = [(int(match[1]), match[2].strip(WRAPPING).lower()) for match in matches]
    return numbered == [(number, value.lower()) for number, value in enumerate(values, start=1)]


def is_json_object(answer, expected):
    """One JSON object equal to `expected`, keys in any order; prose or a fence may surround it.

    A number may be a string: that 5 is a number is nowhere said.
    """
    start, end = answer.find("{"), answer.rfind("}") + 1
    if set("[]{}") & set(answer[:start] + answer[end:]):  # an array round the object, or half of a second one
        return False
    before, after = words_of(answer[:start])[-NEGATION_REACH_WORDS:], words_of(answer[end:])[:NEGATION_REACH_WORDS]
    if NEGATIONS & set(before) or DENIALS & set(after):
        return False
    try:
        found = json.loads(answer[start:end], object_pairs_hook=_object_without_duplicates)
    except (ValueError, RecursionError):  # not JSON; nested past the interpreter's limit
        return False
    if not isinstance(found, dict) or found.keys() != expected.keys():
        return False
    return all(
        type(found[key]) in (type(value), str) and str(found[key]) == str(value) for key, value in expected.items()
    )


def _object_without_duplicates(pairs):
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def is_sentence(answer, min_words=1, max_words=None, required=(), first=None, last=None, forbidden=()):
    """One sentence of `min_words` to `max_words` words: every `required` and no `forbidden` word, edges as given.

    Fewer than 60% different words is a loop, not a sentence, and the required words joined by commas and "and" say
    nothing. "Here is a sentence:" may come before.
    """
    text = unfence(answer)
    announcement, _, announced = text.partition(":")
    text = unfence(announced) if announced.strip() and ANNOUNCING_WORDS & set(words_of(announcement)) else text
    words = words_of(text)
    if not words or len(words) < min_words or (max_words is not None and len(words) > max_words):
        return False
    if NEXT_SENTENCE.search(TITLES.sub(r"\1", text)) or len(set(words)) < 0.6 * len(words):
        return False
    if not {word.lower() for word in required} <= set(words) or {word.lower() for word in forbidden} & set(words):
        return False
    if not set(words) - {word.lower() for word in required} - LIST_WORDS:
        return False
    return (first is None or words[0] == first.lower()) and (last is None or words[-1] == last.lower())


@settles
def is_final_number(answer, value, operands=(), other_units=()):
    """The whole number `value` as what the answer comes to: working with other numbers may come before it.

    That is the number alone in the first line; else the last number that is none of the question's (`operands`), or the
    one that a short first clause gives, where an explanation follows. A unit right after it must not be one of
    `other_units`. Numbers with nothing between them are a list of candidates.
    """
    text = DIGIT_THEN_LETTER.sub(" ", in_digits(answer))
    words, opening = [word.replace(",", "") for word in words_of(text)], words_of(first_line(text))
    listed = "=" not in text and all(word.isdigit() for word in words) and len(set(words)) > 1
    opens_wrong = len(opening) == 1 and integer_of(opening[0]) not in (None, value, *operands)
    if listed or opens_wrong or _is_hedged(words, value):
        return False
    places = [place for place, word in enumerate(words) if word == str(value)]
    if places and words[places[-1] + 1 : places[-1] + 2] and words[places[-1] + 1] in other_units:
        return False
    numbers = [number for number in numbers_of(text) if number not in operands]
    came_to = bool(numbers) and numbers[-1] == value
    return came_to or _leads_with_number(text, value, operands, MAX_LEAD_WORDS // 2)


@settles
def is_final_choice(answer, value, options, given=(), claim=None):
    """`value` as what the answer comes to: working that names other `options` may come before it.

    That is an option alone in the first line; else the last sentence to name one, or those that name one with the word
    `claim`, less reasons ("because ...") and what stands before "so"; or a short first clause that an explanation
    follows. Options of the question (`given`) may be repeated anywhere.
    """
    free = {option.lower() for option in options} - {option.lower() for option in given}
    clauses = [_main_clause(sentence) for sentence in SENTENCE_END.split(answer)]
    naming, opening = [clause for clause in clauses if free & set(clause)], words_of(first_line(answer))
    if not naming or (len(opening) == 1 and opening[0] in free - {value.lower()}):
        return False
    claiming = [clause for clause in naming if claim in clause and len(free & set(clause)) == 1]
    if not claiming and _leads_with_choice(answer, value, free):
        return True
    deciding = claiming or [clause for clause in naming if claim in clause] or naming[-1:]
    return all(free & set(clause) == {value.lower()} and not _is_hedged_word(clause, value) for clause in deciding)


def _leads_with_choice(text, value, free):
    lead, reason = opening_clause(text)
    words = words_of(lead)
    if free & set(words) != {value.lower()} or len(words) > MAX_LEAD_WORDS // 2 or not explains(reason):
        return False
    concluded = [free & set(words_of(SENTENCE_END.split(part)[0])) for part in conclusions(reason)]
    return not _is_hedged_word(words, value) and all(named <= {value.lower()} for named in concluded)


def _main_clause(sentence):
    """Its words without a reason: "since ..." ends it, or stands before its last comma."""
    sentence = CONCLUSION.split(sentence)[-1]
    return words_of(REASON.split(sentence)[0]) or words_of(sentence.rpartition(",")[2])


def _is_hedged_word(words, value):
    places = [place for place, word in enumerate(words) if word == value.lower()]
    reach = NEGATION_REACH_WORDS  # "Anna is not the tallest": on either side
    hedged = any(HEDGES & set(words[max(0, place - reach) : place + reach]) for place in places)
    return hedged or _is_denied(words, places)


@settles
def is_date(answer, day, month, given=()):
    """Day and month, in either order, the month by its name or first three letters; a year may follow.

    A date alone in the first line is the answer; else the last sentence with a date must hold this one alone after any
    "=" and "so", beside those of the question (`given`, [day, month] each).
    """
    known = {tuple(date) for date in given}
    sentences = [sentence for sentence in SENTENCE_END.split(answer) if _dates(sentence) - known]
    opening = first_line(answer)
    opens_wrong = not words_of(DATE.sub("", opening)) and _dates(opening) not in (set(), {(day, month)})
    if not sentences or opens_wrong:
        return False
    result = CONCLUSION.split(sentences[-1].rpartition("=")[2])[-1]
    return _dates(result) - known == {(day, month)} and not (HEDGES | DENIALS) & set(words_of(result))


def _dates(text):
    """The (day, month) pairs that a text names."""
    return {
        (int(match[1] or match[4]), 1 + [name[:3] for name in MONTH_NAMES].index((match[2] or match[3]).lower()[:3]))
        for match in DATE.finditer(text)
    }


def is_table(answer, rows):
    """One Markdown table: `rows` of cells in order, the first of them the header, a rule of dashes under it.

    Letter case, outer bars, emphasis and spacing are free; lines without a bar may stand around the table.
    """
    lines = [line.strip() for line in unfence(answer).splitlines() if "|" in line]
    if len(lines) != len(rows) + 1 or not set(lines[1]) <= TABLE_RULE or "-" not in lines[1]:
        return False
    found = [[cell.strip(WRAPPING).lower() for cell in line.strip("|").split("|")] for line in lines]
    rule = found.pop(1)
    return len(rule) == len(rows[0]) and found == [[cell.lower() for cell in row] for row in rows]


CHECKERS = {
    "number": is_number,
    "choice": is_choice,
    "text": is_text,
    "items": is_items,
    "selection": is_selection,
    "numbered_list": is_numbered_list,
    "json_object": is_json_object,
    "sentence": is_sentence,
    "final_number": is_final_number,
    "final_choice": is_final_choice,
    "date": is_date,
    "table": is_table,
}
