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
    ARTICLES,
    CLAUSE_END,
    CONCLUSION,
    CORRECTIONS,
    DATE,
    EVERY_UNIT_WORD,
    HEDGE_REACH_WORDS,
    HEDGES,
    INLINE_MARKER,
    JOINING_WORDS,
    LIST_MARKER,
    NEGATIONS,
    NUMBER_WORDS,
    REFUSAL,
    RELATED_DATE,
    SENTENCE_END,
    UNIT_WORDS,
    WRAPPING,
    candidates,
    clauses,
    conclusions,
    dates_of,
    explains,
    first_line,
    in_digits,
    integer_of,
    is_denied,
    is_hedged,
    is_only_related,
    names_of,
    numbers_of,
    opening_clause,
    settles,
    unfence,
    without_same,
    words_of,
)

MAX_LEAD_WORDS = 8  # "There are 3 words: ...": an answer given first, then explained
MAX_NAMING_WORDS = 30  # "The second word of ... is drum": of a sentence that names an option
ANNOUNCING_WORDS = set(
    "sure here sentence answer response output result solution".split()
)  # "Sure! Here is one:" is not the sentence that was asked for
STEP_WORDS = set("first then next step let let's start starts starting if more less".split())  # working, no answer yet
# With the given words alone, these make a list, or a sentence about the words: not one that was asked for.
LIST_WORDS = {"a", "an", "the", "and", "or", "with", "of", "in", "on", "to", *NUMBER_WORDS}
WORDS_FOR_WORDS = {"word", "words", "sentence", "list"}
ABOUT_WORDS = {*WORDS_FOR_WORDS, *"is are was first last next begins starts ends following these here this it".split()}
SELECTION_WORDS = set(
    "a an the word words is are appear appears in both lists list share shared contain common that they these my "
    "choice sure i i've i'll have would i'd choose chose chosen pick picked select selected take".split()
)
STEPS = set("tomorrow yesterday day days week weeks later next after before ago".split())  # "in 2 days it is Saturday"
EXPLAINING_WORDS = set(  # about an option that is not the answer: "spoon starts with s", "the first is lamp"
    "start starts begin begins end ends with first second third fourth fifth sixth seventh last before after "
    "other others smaller smallest larger largest less least greater lower lowest higher highest not do "
    "does don't doesn't".split()
)
OPEN_WORDS = {"also", "too", "both"}  # "spoon also starts with t": a second answer
NUMBERED_LINE = re.compile(r"([0-9]{1,2})[.)][ \t]*(.*)")
NUMBERS_AT_END = re.compile(  # "It prints 12, 36": candidates, where one number was asked for
    r"(?<![0-9.-])([0-9]{1,20})[*`]{0,2}(?:, |,? (?:and|then) |\n\s{0,4})(?:(?:and|then) )?[*`]{0,2}([0-9]{1,20})\Z"
)
MAX_LIST_END_CHARACTERS = 80
MAX_ANNOUNCEMENTS = 3
NEXT_SENTENCE = re.compile(r"[.!?][\"')*]{0,3}\s+[\"'(*]{0,3}[A-Z]|[a-z][.!?][A-Z]|\n[ \t]*\w")
TITLES = re.compile(r"\b(Mr|Mrs|Ms|Dr|St)\.")
REASON = re.compile(r"\b(?:because|since|as)\b", re.IGNORECASE)
CLAIM = re.compile(
    r"\b(?:(?:is|are|be|equals|makes|gives)\b|(?:total|count)\**:)[ *$\"'`]{1,4}[0-9,]+[*$\"'`]{0,4}"
    r"(?: [A-Za-z]+){0,3}[ .!*$]{0,4}$",
    re.IGNORECASE,
)
WORDS_LONG = re.compile(r"\bwords long\b", re.IGNORECASE)  # a measure, not the label "long"
THE_NEXT = re.compile(r"\bthe next\b", re.IGNORECASE)  # number of a sequence; "next" alone is a step
DIGIT_THEN_LETTER = re.compile(r"(?<=[0-9])(?=[A-Za-z])")
TABLE_RULE = set("|:- \t")  # the characters of the line under a header


@settles
def is_number(answer, value, operands=()):
    """The whole number `value`, in digits or words; numbers of the question (`operands`) may be repeated beside it.

    Given at once ("There are 3 words: ..."), it may be explained with other numbers, and it may be concluded from them
    ("It grows by 5, so the next one is 50."; "It grows by 5. The next one is 50.").
    """
    text = in_digits(answer)
    if _is_taken_back(text, str(value)):
        return False
    results = numbers_of(text.rpartition("=")[2]), numbers_of(CONCLUSION.split(text)[-1])
    if any(result[-1:] == [value] and set(result) <= {value, *operands} for result in results):
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


def _is_taken_back(text, value, reach_behind=1):
    """Whether the words around `value` say that it is not the answer, may be it, or only lies beside it."""
    words = names_of(text)
    return is_denied(text, value) or is_hedged(words, value, reach_behind) or is_only_related(words, value)


@settles
def is_choice(answer, value, options, opposites=()):
    """`value` and no other of `options`; where there are `opposites`, "43 is larger than 42" also counts.

    One of the opposites said of the value ("43 is the smallest") is another answer. Others may be explained after it
    ("The word is table. Spoon starts with s."). All options in their order are the question said again: "the second
    word of lamp, drum, tree is drum". A sentence of more than MAX_NAMING_WORDS names nothing, nor does a number among
    others that are no options, unless it leads.
    """
    concluded = CONCLUSION.split(answer)[-1]
    texts = [text for text in dict.fromkeys((answer, concluded)) if not _is_aside(text, value, options)]
    return any(_names_choice(text, value, options, opposites) for text in texts)


def _is_aside(text, value, options):
    sentences = [names_of(sentence) for sentence in SENTENCE_END.split(text)]
    naming = [len(words) for words in sentences if f" {value.lower()} " in f" {' '.join(words)} "]
    if min(naming, default=0) > MAX_NAMING_WORDS:
        return True
    number, known = integer_of(value), {integer_of(option) for option in options}
    others = number is not None and set(numbers_of(text)) - known
    return bool(others) and not _leads_with_number(text, number, known - {number}, MAX_LEAD_WORDS)


def _names_choice(text, value, options, opposites):
    value, others = value.lower(), {option.lower() for option in options} - {value.lower()}
    text = WORDS_LONG.sub("words", text)
    if not value.isdigit():  # the options may be numbered
        text = INLINE_MARKER.sub(" ", LIST_MARKER.sub("", text))
    words = names_of(text)
    if is_denied(text, value) or is_only_related(words, value) or _is_said_of(text, value, opposites):
        return False
    if opposites and "than" in words and value in words[: words.index("than")]:
        words = words[: words.index("than")]
    question = f" {' '.join(option.lower() for option in options)} "
    said = f" {' '.join(word for word in words if word not in JOINING_WORDS)} ".replace(question, " ", 1).split()
    return value in said and (not others & set(said) or _leads_with_option(text, value, others))


def _is_said_of(text, value, opposites):
    return any(set(opposites) & set(clause) for clause in clauses(text) if value in clause)


def _leads_with_option(text, value, others):
    """Whether a short "The word is table." comes first, and the rest says what is different about the others."""
    lead, reason = opening_clause(text)
    words, said = set(names_of(lead)), set(names_of(reason))
    if "is" not in words or value not in words or others & words or len(names_of(lead)) > MAX_LEAD_WORDS:
        return False
    if not explains(reason) or (HEDGES | OPEN_WORDS) & said or value in said:
        return False
    sentences = [set(names_of(sentence)) for sentence in SENTENCE_END.split(reason)]
    return all(
        any(word in EXPLAINING_WORDS or (len(word) == 1 and word not in ARTICLES) for word in sentence - words)
        for sentence in sentences
        if others & sentence
    )


def is_text(answer, value, match_case=False):
    """`value` and nothing else, except for a lead-in, quotes and end punctuation; spacing is free."""
    return any(_bare(candidate, match_case) == _bare(value, match_case) for candidate in candidates(answer))


def _bare(text, match_case):
    text = " ".join(text.strip(WRAPPING).split())
    return text if match_case else text.lower()


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
    if NEGATIONS & {*clauses(answer[:start].rstrip(WRAPPING + ":"))[-1], *clauses(answer[end:])[0]}:
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

    Fewer than 60% different words is a loop, not a sentence; a refusal is none, nor are the required words in a list
    or called words. "Here is a sentence:" may come before.
    """
    text, given = sentence_of(answer), {word.lower() for word in (*required, first or "", last or "")}
    if REFUSAL.match(text) or _only_lists(text, given):
        return False
    words = words_of(text)
    if not words or len(words) < min_words or (max_words is not None and len(words) > max_words):
        return False
    if NEXT_SENTENCE.search(TITLES.sub(r"\1", text)) or len(set(words)) < 0.6 * len(words):
        return False
    if not {word.lower() for word in required} <= set(words) or {word.lower() for word in forbidden} & set(words):
        return False
    return (first is None or words[0] == first.lower()) and (last is None or words[-1] == last.lower())


def sentence_of(answer):
    """The answer less its fence, a heading "Answer", and "Here is a sentence:"."""
    text = unfence(answer)
    for _ in range(MAX_ANNOUNCEMENTS):
        first, newline, below = text.partition("\n")
        announcement, _, announced = text.partition(":")
        if newline and words_of(first) and set(words_of(first)) <= ANNOUNCING_WORDS:
            text = unfence(below)
        elif announced.strip() and ANNOUNCING_WORDS & set(words_of(announcement)):
            text = unfence(announced.lstrip(" *\t\r\n"))
    return text


def _only_lists(text, given):
    """Whether a text is a list of single words, or says nothing beyond the given words but that they are words."""
    parts = [words_of(part) for part in re.split(r"[,;\n]", INLINE_MARKER.sub(";", LIST_MARKER.sub(";", text)))]
    parts = [part for part in parts if part]
    others = {word for part in parts for word in part} - given - LIST_WORDS
    about_words = ABOUT_WORDS if WORDS_FOR_WORDS & others else set()
    return not others - about_words or (len(parts) > 2 and all(len(part) == 1 for part in parts))


@settles
def is_final_number(answer, value, operands=(), unit=None):
    """The whole number `value` as what the answer comes to: working with other numbers may come before it.

    That is the number alone in the first line; else the last number that is none of the question's (`operands`), or
    the one that a short first clause gives, where an explanation follows. No other unit than `unit` may stand right
    after it, while "3 hours and 14 minutes" may stand beside the same in minutes. Numbers with nothing but commas or
    "and" between them are a list of candidates.
    """
    text = DIGIT_THEN_LETTER.sub(" ", in_digits(answer))
    if unit:
        text = without_same(text, value, unit)
    words, opening = names_of(text), names_of(first_line(text))
    listed = "=" not in text and all(word.isdigit() for word in words) and len(set(words)) > 1
    opens_wrong = len(opening) == 1 and integer_of(opening[0]) not in (None, value, *operands)
    if listed or opens_wrong or _ends_on_list(text) or _is_taken_back(text, str(value)):
        return False
    if unit and _other_unit_follows(words, str(value), unit):
        return False
    numbers = [number for number in numbers_of(text) if number not in operands]
    came_to = bool(numbers) and numbers[-1] == value
    return came_to or _leads_with_number(text, value, operands, MAX_LEAD_WORDS // 2)


def _ends_on_list(text):
    end = NUMBERS_AT_END.search(text.rstrip(WRAPPING)[-MAX_LIST_END_CHARACTERS:])
    return bool(end) and end[1] != end[2]


def _other_unit_follows(words, value, unit):
    places = [place for place, word in enumerate(words) if word == value]
    after = words[places[-1] + 1 : places[-1] + 2] if places else []
    return bool(after) and after[0] in EVERY_UNIT_WORD - UNIT_WORDS[unit]


@settles
def is_final_choice(answer, value, options, given=(), claim=None, opposites=()):
    """`value` as what the answer comes to: working that names other `options` may come before it.

    That is an option alone in the first line; else the last sentence to name one, or those that name one with the word
    `claim`, less reasons ("because ...") and what stands before "so"; or a short first clause that an explanation
    follows. Options of the question (`given`) may be repeated anywhere; one of the `opposites` of the claim said of the
    value is another answer.
    """
    value, free = value.lower(), {option.lower() for option in options} - {option.lower() for option in given}
    naming = [clause for clause in map(_main_clause, SENTENCE_END.split(answer)) if free & set(words_of(clause))]
    opening = words_of(first_line(answer))
    if not naming or (len(opening) == 1 and opening[0] in free - {value}):
        return False
    claiming = [part for clause in naming for part in _claims(clause, claim, opposites, free, value)]
    if not claiming and _leads_with_choice(answer, value, free, opposites):
        return True
    claimed = [clause for clause in naming if claim in words_of(clause)]
    return all(
        free & set(words_of(clause)) == {value}
        and not _is_taken_back(clause, value, HEDGE_REACH_WORDS - 1)
        and (claim in words_of(clause) or not set(opposites) & set(words_of(clause)))
        for clause in claiming or claimed or [_last_step(naming[-1], free)]
    )


def _claims(clause, claim, opposites, free, value):
    """The parts of a clause that say the `claim` of one option, less those that deny it of another."""
    joints = r"[,:;]|\band\b" if set(opposites) & set(words_of(clause)) else r"[,:;]"
    parts = [clause] if "are" in words_of(clause) else re.split(joints, clause)
    found = [(part, free & set(words_of(part))) for part in parts if claim in words_of(part)]
    return [part for part, named in found if named == {value} or (len(named) == 1 and not is_denied(part, *named))]


def _last_step(clause, free):
    """What stands behind the last arrow; "in 2 days it is Saturday", where the parts before it count days too."""
    clause = clause.rpartition("->")[2]
    parts = [part for part in re.split(r",|\band\b", clause) if free & set(words_of(part))]
    counted = all(STEPS & set(words_of(part)) for part in parts[:-1])
    concludes = bool({*STEPS, "is", "be", "was"} & set(words_of(parts[-1]))) if parts else False
    return parts[-1] if counted and concludes else clause


def _leads_with_choice(answer, value, free, opposites):
    lead, reason = opening_clause(answer)
    words = set(words_of(lead))
    if free & words != {value} or len(words_of(lead)) > MAX_LEAD_WORDS // 2 or not explains(reason):
        return False
    concluded = [free & set(words_of(SENTENCE_END.split(part)[0])) for part in conclusions(reason)]
    doubted = _is_taken_back(lead, value, HEDGE_REACH_WORDS - 1) or set(opposites) & words
    return not doubted and all(named <= {value} for named in concluded)


def _main_clause(sentence):
    """What is left without a reason: "since ..." ends it, or stands before its last comma."""
    sentence = CONCLUSION.split(sentence)[-1]
    main = REASON.split(sentence)[0]
    return main if words_of(main) else sentence.rpartition(",")[2]


@settles
def is_date(answer, day, month, given=()):
    """Day and month, in either order, the month by its name or first three letters; a year may follow.

    A date alone in the first line is the answer; else the last sentence with a date must hold this one alone after any
    "=" and "so", beside those of the question (`given`, [day, month] each).
    """
    known = {tuple(date) for date in given}
    sentences = [sentence for sentence in SENTENCE_END.split(answer) if dates_of(sentence) - known]
    opening = first_line(answer)
    opens_wrong = not words_of(DATE.sub("", opening)) and dates_of(opening) not in (set(), {(day, month)})
    if not sentences or opens_wrong:
        return False
    result = CONCLUSION.split(sentences[-1].rpartition("=")[2])[-1]
    is_result = dates_of(result) - known == {(day, month)} <= dates_of(RELATED_DATE.sub(" ", result))
    denied = any(NEGATIONS & set(words_of(clause)) for clause in CLAUSE_END.split(result) if dates_of(clause) - known)
    return is_result and not denied and not HEDGES & set(words_of(result))


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
