"""Pure checkers of verifiable answers: `checker(answer, **arguments) -> bool`.

Each checker is strict about what was asked and lenient about what was not: a lead-in ("The answer is 42."), quotes,
bullets or a code fence never fail an answer, while a second candidate ("42 or 43") or a loop ("42. 42. 42.") does.
An answer may go on to say why it is right. Checkers only read the answer: nothing in it is executed, every pattern runs
in linear time, and answers of more than `MAX_ANSWER_CHARACTERS` fail unread, so that any string whatever gets a verdict
at once.

Used through `verifiable_tasks.check`; reads and writes no files. A change of what any of them accepts needs a higher
`verifiable_tasks.SUITE_VERSION`; a test holds the verdicts of its reference table.
"""

import functools
import itertools
import json
import re

MAX_ANSWER_CHARACTERS = 10_000  # the longest reference has about 300; a longer answer is a runaway generation
MAX_LEAD_IN_WORDS = 20  # "Here are the words in alphabetical order:" has 7
LOOP_REPEATS = 3  # an answer that ends on one phrase so many times over is a runaway, whatever the phrase says
MAX_LOOP_WORDS = 30
MAX_NUMBER_CHARACTERS = 20  # int() is quadratic in the digits and refuses more than 4,300 of them
MAX_LEAD_WORDS = 8  # "There are 3 words: ...": an answer given first, then explained
MAX_NAMING_WORDS = 30  # "The second word of ... is drum": of a sentence that names an option
MIN_REASON_WORDS = 3  # fewer are no explanation: "42. 43. 44." is three answers

HEDGES = set("or not never maybe perhaps possibly could might between either isn't aren't wasn't doesn't don't".split())
DENIALS = {"wrong", "incorrect", "false"}  # "42 is wrong": behind what they deny
NEGATIONS = {"not", "never", "isn't", "aren't", "wasn't", "doesn't", "don't", "cannot", "can't"}
NEGATION_REACH_WORDS = 3  # "is not in Marl": the negation stands at most this far before what it denies
ANNOUNCING_WORDS = set(
    "sure here sentence answer response output result solution".split()
)  # "Sure! Here is one:" is not the sentence that was asked for
JOINING_WORDS = {"and", "then"}
CORRECTIONS = {"no", "wait", "actually", "sorry", "correction", "oops", "mistake", "instead"}
STEP_WORDS = set("first then next step let let's start starts starting if more less".split())  # working, no answer yet
FILLERS = set("the a final correct right my our so therefore thus hence".split())  # "Answer: the final answer is"
LIST_WORDS = {"a", "an", "the", "and", "or", "with", "of", "in", "on", "to"}  # with given words, a list, no sentence
SELECTION_WORDS = set(
    "the word words is are in both lists list share shared common that i would i'd choose pick select".split()
)
UNITS = dict(zip("one two three four five six seven eight nine".split(), range(1, 10), strict=True))
TEENS = dict(
    zip(
        "zero ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(),
        [0, *range(10, 20)],
        strict=True,
    )
)
TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
NUMBER_WORDS = {**UNITS, **TEENS, **TENS, "a": 1}  # "a" of "a hundred" alone

WORD = re.compile(r"[A-Za-z0-9]+(?:[.,'-][A-Za-z0-9]+)*")
SIGNED_TOKEN = re.compile(r"(?<![A-Za-z0-9])-?[A-Za-z0-9]+(?:[.,'][A-Za-z0-9]+)*")
INTEGER = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.0+)?")
LIST_MARKER = re.compile(r"^[ \t]{0,8}(?:[-*+]|[0-9]{1,2}[.)])[ \t]+", re.MULTILINE)
UNIT_PATTERN, TEEN_PATTERN, TENS_PATTERN = "|".join(UNITS), "|".join(TEENS), "|".join(TENS)
UNDER_HUNDRED = rf"(?:{TENS_PATTERN})(?:[ -](?:{UNIT_PATTERN}))?|{TEEN_PATTERN}|{UNIT_PATTERN}"
NAMED_NUMBER = re.compile(
    rf"\b(?:({UNIT_PATTERN}|a) hundred(?:(?: and)? ({UNDER_HUNDRED}))?|({UNDER_HUNDRED}))\b", re.IGNORECASE
)
TIMES = re.compile(r"\b(?<!than )(?:(once)|twice)\b(?=[.!]*\s*$|[.!]*\s+in\b)", re.IGNORECASE)  # not "once you add"
INLINE_MARKER = re.compile(r"(?<![^\s(])[0-9]{1,2}[.)](?=\s)")
NUMBERED_LINE = re.compile(r"([0-9]{1,2})[.)][ \t]*(.*)")
ANSWER_MARKER = re.compile(
    r"\banswer[ \t*]{0,4}(?:is\b(?! (?:found|given|obtained|calculated|computed))|:|=|\n)", re.IGNORECASE
)
BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
LATEX_TEXT = re.compile(r"\\(?:text|textbf|mathrm)\{([^{}]*)\}")
GSM8K_MARKER = re.compile(r"^####[ \t]{1,8}(?=[^\n]+\Z)", re.MULTILINE)
LINE_MARK = re.compile(r"^[ \t]{0,3}(?:#{1,6}|>)[ \t]+", re.MULTILINE)  # of a heading or a quotation
CONSENT = re.compile(r"\A(?:sure|certainly|of course|absolutely|okay)[!.:]\s+", re.IGNORECASE)
LEAD_IN_END = re.compile(
    r"[:=]|->|\banswer[ *]{0,4}\n|\b(?:is|are|gives|becomes|reads|spel(?:led|t)(?: out)?(?: as)?)\b", re.IGNORECASE
)
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')*]{0,3}\s+|\n")
NEXT_SENTENCE = re.compile(r"[.!?][\"')*]{0,3}\s+[\"'(*]{0,3}[A-Z]|[a-z][.!?][A-Z]|\n[ \t]*\w")
TITLES = re.compile(r"\b(Mr|Mrs|Ms|Dr|St)\.")
REASON = re.compile(r"\b(?:because|since|as)\b", re.IGNORECASE)
CONCLUSION = re.compile(r"\b(?:so|therefore|thus|hence)\b", re.IGNORECASE)
CLAIM = re.compile(
    r"\b(?:is|are|be|equals|makes|gives)[ *$\"'`]{1,4}[0-9,]+[*$\"'`]{0,4}(?: [A-Za-z]+){0,2}[ .!*$]{0,4}$"
)
THE_NEXT = re.compile(r"\bthe next\b", re.IGNORECASE)  # number of a sequence; "next" alone is a step
LEAD_END = re.compile(r"[.!?:;](?=[\s\"')*]|$)|[\n(]|,?\s(?:because|since|as|which)\b", re.IGNORECASE)
DIGIT_THEN_LETTER = re.compile(r"(?<=[0-9])(?=[A-Za-z])")
PLAIN_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
MONTH_NAMES = "january february march april may june july august september october november december".split()
MONTH_PATTERN = "|".join(f"{name}|{name[:3]}" for name in MONTH_NAMES)
DAY_PATTERN = r"([0-9]{1,2})(?:st|nd|rd|th)?"
DATE = re.compile(
    rf"\b(?:{DAY_PATTERN}(?: of)? ({MONTH_PATTERN})|({MONTH_PATTERN})\.? (?:the )?{DAY_PATTERN})\b", re.IGNORECASE
)
TABLE_RULE = set("|:- \t")  # the characters of the line under a header
WRAPPING = " \t\r\n.,;!?\"'`*_$"


def plain(answer):
    """The answer without "Sure!", line marks of Markdown and LaTeX's \\text; a last line "#### 42" is an answer."""
    answer = CONSENT.sub("", LATEX_TEXT.sub(r"\1", answer.translate(PLAIN_QUOTES).strip()))
    return LINE_MARK.sub("", GSM8K_MARKER.sub("Answer: ", answer))


def _words(text):
    return [word.lower() for word in WORD.findall(text)]


def _loops(words):
    """Whether the words close on one phrase of up to MAX_LOOP_WORDS words, LOOP_REPEATS times in a row."""
    for size in range(1, min(MAX_LOOP_WORDS, len(words) // LOOP_REPEATS) + 1):
        tail = words[-size * LOOP_REPEATS :]
        if tail == tail[-size:] * LOOP_REPEATS:
            return True
    return False


def _unfence(text):
    """The inside of one code fence that wraps the whole text, else the text itself."""
    stripped = text.strip()
    if not (stripped.startswith("```") and stripped.endswith("```") and len(stripped) > 6):
        return stripped
    first_line, newline, rest = stripped[3:-3].partition("\n")
    return rest.strip() if newline and first_line.strip().isalnum() else stripped[3:-3].strip()


def _boxed(answer):
    """What stands in LaTeX boxes, where no word of doubt ("not", "wait") stands beside them."""
    doubtful = (HEDGES | CORRECTIONS) & set(_words(BOXED.sub(" ", answer)))
    return [] if doubtful else BOXED.findall(answer)


def _settled(answer):
    """Where the writer settles: what is boxed, else what follows each "answer is" or "answer:", else the whole."""
    unboxed = BOXED.sub(r"\1", answer)
    spans = [span for span in ANSWER_MARKER.split(unboxed)[1:] if set(_words(span)) - FILLERS]
    return _boxed(answer) or spans or [unboxed]


def settles(checker):
    """The checker, asked of each place where the writer settles: two that differ are no answer, nor is a loop."""

    @functools.wraps(checker)
    def checked(answer, **arguments):
        spans = _settled(answer)
        return not _loops(_words(answer)) and all(checker(span, **arguments) for span in spans)

    return checked


def _candidates(answer):
    """The answer whole, then without each lead-in that a person would read past ("Sure! The new text is: ...")."""
    spans = {" ".join(span.split()) for span in _settled(answer)}
    if len(spans) > 1:
        return
    answer = _unfence((_boxed(answer) or [BOXED.sub(r"\1", answer)])[0])
    yield answer
    for end in itertools.islice(LEAD_IN_END.finditer(answer), MAX_LEAD_IN_WORDS):
        lead_in = _words(answer[: end.end()])
        if len(lead_in) > MAX_LEAD_IN_WORDS or HEDGES & set(lead_in):
            return
        yield _unfence(answer[end.end() :])


def _integer(token):
    """The whole number that a token spells, None where it spells none or something else ("1,2", "4x", "2.5")."""
    if len(token) > MAX_NUMBER_CHARACTERS or not INTEGER.fullmatch(token):
        return None
    return int(token.replace(",", "").partition(".")[0])


def _numbers(text):
    """Numbers written in digits, in order (other digit strings as text)."""
    tokens = [token for token in SIGNED_TOKEN.findall(text) if any(character.isdigit() for character in token)]
    integers = [_integer(token) for token in tokens]
    return [token if integer is None else integer for token, integer in zip(tokens, integers, strict=True)]


def _in_digits(text):
    """The text with its number words to 999 as digits ("forty-two"), where it has no digit of its own.

    Beside another number "one" is no number: "the one here is five". "It occurs once" says 1.
    """
    if any(character.isdigit() for character in text):
        return text
    text = TIMES.sub(lambda match: "1 time" if match[1] else "2 times", text)
    others = any(_spelt(match) != 1 for match in NAMED_NUMBER.finditer(text))
    return NAMED_NUMBER.sub(lambda match: match[0] if others and _spelt(match) == 1 else str(_spelt(match)), text)


def _spelt(match):
    hundreds, rest, alone = match.groups()
    words = re.split("[ -]", (rest or alone or "zero").lower())
    return 100 * NUMBER_WORDS[(hundreds or "zero").lower()] + sum(NUMBER_WORDS[word] for word in words)


@settles
def is_number(answer, value, operands=()):
    """The whole number `value`, in digits or words; numbers of the question (`operands`) may be repeated beside it.

    Given at once ("There are 3 words: ..."), it may be explained with other numbers, and it may be concluded from them
    ("It grows by 5, so the next one is 50."; "It grows by 5. The next one is 50.").
    """
    text = _in_digits(answer)
    if _is_hedged(_words(text), value):
        return False
    results = _numbers(text.rpartition("=")[2]), _numbers(CONCLUSION.split(text)[-1])
    if any(set(result) == {value} for result in results):
        return True
    numbers, corrected = _numbers(text), CORRECTIONS & set(_words(text))
    edges = numbers[-1:] if corrected else numbers[:1] + numbers[-1:]
    alone = value in edges and set(numbers) <= {value, *operands}
    claimed = not corrected and _claims_number(text, value)
    return alone or claimed or _leads_with_number(text, value, operands, MAX_LEAD_WORDS)


def _claims_number(text, value):
    """Whether the last sentence has no other number and ends on "is 104" or "are 3 words"; working may stand before."""
    last = SENTENCE_END.split(text.strip(WRAPPING))[-1]
    return bool(CLAIM.search(last)) and _numbers(last) == [value]


def _leads_with_number(text, value, operands, max_words):
    """Whether the answer opens with `value` alone, in a few words, and nothing after it takes that back."""
    lead, reason = _lead(text)
    found = {number for number in _numbers(lead) if number not in operands}
    words = _words(THE_NEXT.sub("", lead))
    if found != {value} or len(words) > max_words or STEP_WORDS & set(words) or not _explains(reason):
        return False
    conclusions = [_numbers(SENTENCE_END.split(part)[0]) for part in _conclusions(reason)]
    return all(value in (numbers[0], numbers[-1]) for numbers in conclusions if numbers)


def _lead(text):
    """The opening clause, and what follows it."""
    text = text.strip(WRAPPING + ":")
    end = LEAD_END.search(text)
    return (text[: end.start()], text[end.start() :]) if end else (text, "")


def _explains(reason):
    """Whether what follows an answer are words of explanation, with no change of mind."""
    words = _words(reason)
    return sum(word[0].isalpha() for word in words) >= MIN_REASON_WORDS and not CORRECTIONS & set(words)


def _conclusions(reason):
    """What follows each "so" or "the answer is"."""
    return CONCLUSION.split(reason)[1:] + ANSWER_MARKER.split(reason)[1:]


def _is_hedged(words, value):
    """Whether a hedge stands shortly before the number or right after it ("not 42", "42 or 17")."""
    places = [place for place, word in enumerate(words) if _integer(word) == value]
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
    return [word.replace(",", "") if _integer(word) is not None else word for word in _words(text)]


def _is_aside(text, value, options):
    sentences = [_choice_words(sentence) for sentence in SENTENCE_END.split(text)]
    naming = [len(words) for words in sentences if f" {value.lower()} " in f" {' '.join(words)} "]
    if min(naming, default=0) > MAX_NAMING_WORDS:
        return True
    number, known = _integer(value), {_integer(option) for option in options}
    others = number is not None and set(_numbers(text)) - known
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

    return any(plain(candidate) == plain(value) for candidate in _candidates(answer))


def is_items(answer, values):
    """The one-word `values` in this order and no other, however they are separated, bulleted or numbered."""
    expected = [value.lower() for value in values]
    if not any(value.isdigit() for value in values):
        answer = INLINE_MARKER.sub(" ", answer)
    return any(_items(candidate) == expected for candidate in _candidates(answer))


def _items(text):
    return [word for word in _words(LIST_MARKER.sub("", text).replace(",", " ")) if word not in JOINING_WORDS]


def is_selection(answer, options, count):
    """Exactly `count` different words, all of them from `options`, in any order; words such as "I choose" are free."""
    allowed = {option.lower() for option in options}
    free = SELECTION_WORDS - allowed
    candidates = _candidates(INLINE_MARKER.sub(" ", answer))
    picked = [[item for item in _items(candidate) if item not in free] for candidate in candidates]
    return any(len(items) == len(set(items)) == count and set(items) <= allowed for items in picked)


def is_numbered_list(answer, values):
    """One block of lines "1. ...", "2. ..." with `values` in order; prose may stand before and after it."""
    lines = [line.strip() for line in _unfence(answer).splitlines() if line.strip()]
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
    before, after = _words(answer[:start])[-NEGATION_REACH_WORDS:], _words(answer[end:])[:NEGATION_REACH_WORDS]
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
    text = _unfence(answer)
    announcement, _, announced = text.partition(":")
    text = _unfence(announced) if announced.strip() and ANNOUNCING_WORDS & set(_words(announcement)) else text
    words = _words(text)
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
    text = DIGIT_THEN_LETTER.sub(" ", _in_digits(answer))
    words, opening = [word.replace(",", "") for word in _words(text)], _words(_first_line(text))
    listed = "=" not in text and all(word.isdigit() for word in words) and len(set(words)) > 1
    opens_wrong = len(opening) == 1 and _integer(opening[0]) not in (None, value, *operands)
    if listed or opens_wrong or _is_hedged(words, value):
        return False
    places = [place for place, word in enumerate(words) if word == str(value)]
    if places and words[places[-1] + 1 : places[-1] + 2] and words[places[-1] + 1] in other_units:
        return False
    numbers = [number for number in _numbers(text) if number not in operands]
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
    naming, opening = [clause for clause in clauses if free & set(clause)], _words(_first_line(answer))
    if not naming or (len(opening) == 1 and opening[0] in free - {value.lower()}):
        return False
    claiming = [clause for clause in naming if claim in clause and len(free & set(clause)) == 1]
    if not claiming and _leads_with_choice(answer, value, free):
        return True
    deciding = claiming or [clause for clause in naming if claim in clause] or naming[-1:]
    return all(free & set(clause) == {value.lower()} and not _is_hedged_word(clause, value) for clause in deciding)


def _leads_with_choice(text, value, free):
    lead, reason = _lead(text)
    words = _words(lead)
    if free & set(words) != {value.lower()} or len(words) > MAX_LEAD_WORDS // 2 or not _explains(reason):
        return False
    concluded = [free & set(_words(SENTENCE_END.split(part)[0])) for part in _conclusions(reason)]
    return not _is_hedged_word(words, value) and all(named <= {value.lower()} for named in concluded)


def _first_line(text):
    return text.strip().partition("\n")[0]


def _main_clause(sentence):
    """Its words without a reason: "since ..." ends it, or stands before its last comma."""
    sentence = CONCLUSION.split(sentence)[-1]
    return _words(REASON.split(sentence)[0]) or _words(sentence.rpartition(",")[2])


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
    opening = _first_line(answer)
    opens_wrong = not _words(DATE.sub("", opening)) and _dates(opening) not in (set(), {(day, month)})
    if not sentences or opens_wrong:
        return False
    result = CONCLUSION.split(sentences[-1].rpartition("=")[2])[-1]
    return _dates(result) - known == {(day, month)} and not (HEDGES | DENIALS) & set(_words(result))


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
    lines = [line.strip() for line in _unfence(answer).splitlines() if "|" in line]
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
