"""Reading an answer: its words, numbers, dates, units, boxes and lead-ins, and the words that take one back.

Written for `task_checkers`: what stands where, in what a model wrote. Every pattern runs in linear time, and nothing
that is read is executed. Reads and writes no files.
"""

import functools
import itertools
import re

MAX_ANSWER_CHARACTERS = 10_000  # the longest reference has about 300; a longer answer is a runaway generation
MAX_LEAD_IN_WORDS = 20  # "Here are the words in alphabetical order:" has 7
LOOP_REPEATS = 3  # an answer that ends on one phrase so many times over is a runaway, whatever the phrase says
MAX_LOOP_WORDS = 30
MAX_NUMBER_CHARACTERS = 20  # int() is quadratic in the digits and refuses more than 4,300 of them
MIN_REASON_WORDS = 3  # fewer are no explanation: "42. 43. 44." is three answers
DOUBTS = {  # the one table of words that take an answer back
    "negation": "not never no neither nor nobody nothing none except cannot can't couldn't won't wouldn't shouldn't "
    "don't doesn't didn't isn't aren't wasn't weren't hasn't haven't wrong incorrect false",  # anywhere in its clause
    "hedge": "or maybe perhaps possibly could might between either",  # shortly before it, or right after
    "correction": "no wait actually sorry correction oops mistake instead",  # anywhere: a change of mind
}
NEGATIONS, HEDGES, CORRECTIONS = (set(words.split()) for words in DOUBTS.values())
LEAD_IN_DOUBTS = (NEGATIONS | HEDGES) - {"no", "none", "nothing", "except"}  # "The list with no repeats is: ..."
HEDGE_REACH_WORDS = 3
RELATIONS = "than after before until under over below above beyond".split()  # "less than 42" names no number
ARTICLES = {"a", "an", "the"}
JOINING_WORDS = {"and", "then"}
FILLERS = set("the a final correct right my our so therefore thus hence".split())  # "Answer: the final answer is"
ONES = dict(zip("one two three four five six seven eight nine".split(), range(1, 10), strict=True))
TEENS = dict(
    zip(
        "zero ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(),
        [0, *range(10, 20)],
        strict=True,
    )
)
TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
NUMBER_WORDS = {**ONES, **TEENS, **TENS, "a": 1}  # "a" of "a hundred" alone
WORD = re.compile(r"[A-Za-z0-9]+(?:[.,'-][A-Za-z0-9]+)*")
SIGNED_TOKEN = re.compile(r"(?<![A-Za-z0-9])-?[A-Za-z0-9]+(?:[.,'][A-Za-z0-9]+)*")
INTEGER = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.0+)?")
LIST_MARKER = re.compile(r"^[ \t]{0,8}(?:[-*+]|[0-9]{1,2}[.)])[ \t]+", re.MULTILINE)
ONE_PATTERN, TEEN_PATTERN, TENS_PATTERN = "|".join(ONES), "|".join(TEENS), "|".join(TENS)
UNDER_HUNDRED = rf"(?:{TENS_PATTERN})(?:[ -](?:{ONE_PATTERN}))?|{TEEN_PATTERN}|{ONE_PATTERN}"
NAMED_NUMBER = re.compile(
    rf"\b(?:({ONE_PATTERN}|a) hundred(?:(?: and)? ({UNDER_HUNDRED}))?|({UNDER_HUNDRED}))\b", re.IGNORECASE
)
TIMES = re.compile(r"\b(?<!than )(?:(once)|twice)\b(?=[.!]*\s*$|[.!]*\s+in\b)", re.IGNORECASE)  # not "once you add"
INLINE_MARKER = re.compile(r"(?<![^\s(])[0-9]{1,2}[.)](?=\s)")
ANSWER_MARKER = re.compile(
    r"\banswer[ \t*]{0,4}(?:is\b(?! (?:found|given|obtained|calculated|computed))|:|=|\n)", re.IGNORECASE
)
BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
LATEX_TEXT = re.compile(r"\\(?:text|textbf|mathrm)\{([^{}]*)\}")
GSM8K_MARKER = re.compile(r"^####[ \t]{1,8}(?=[^\n]+\Z)", re.MULTILINE)
LINE_MARK = re.compile(r"^[ \t]{0,3}(?:#{1,6}|>)[ \t]+", re.MULTILINE)  # of a heading or a quotation
CONSENT = re.compile(
    r"\A(?:(?:sure(?: thing)?|certainly|of course|absolutely|no problem|yes|alright)[!.:]|ok(?:ay)?[!.:,])\s+",
    re.IGNORECASE,
)
LEAD_IN_END = re.compile(
    r"[:=]|->|\banswer[ *]{0,4}\n|\b(?:is|are|be|gives|becomes|means|reads|spell it|spel(?:led|t)(?: out)?(?: as)?|"
    r"translate[sd](?: to| as| into)?|written(?: with hyphens)?(?: as)?)\b",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')*]{0,3}\s+|\n")
CONCLUSION = re.compile(r"\b(?:so|therefore|thus|hence)\b", re.IGNORECASE)
CLAUSE_END = re.compile(
    r"[.,;:!?][\"')*`]{0,3}(?=\s|\Z)|[()\n]|\s-+\s|"
    r"\b(?:but|so|because|since|as|and|that|which|who|while|if|therefore|thus|hence)\b",
    re.IGNORECASE,
)
CONTRAST = re.compile(r",\s{1,4}not (?:(?:on|in|an?|the) )?[A-Za-z0-9]{1,20}\b")  # "It is 42, not 43."
LEAD_END = re.compile(r"[.!?:;](?=[\s\"')*]|$)|[\n(]|,?\s(?:because|since|as|which)\b", re.IGNORECASE)
UNIT_WORDS = {  # unit -> the words for it
    unit: set(words.split())
    for unit, words in {
        "seconds": "second seconds sec secs s",
        "minutes": "minute minutes min mins m",
        "hours": "hour hours hr hrs h",
        "days": "day days d",
        "weeks": "week weeks wk wks",
        "months": "month months",
        "years": "year years",
        "millimetres": "millimetre millimetres millimeter millimeters mm",
        "centimetres": "centimetre centimetres centimeter centimeters cm cms",
        "metres": "metre metres meter meters m",
        "kilometres": "kilometre kilometres kilometer kilometers km kms",
        "imperial lengths": "inch inches foot feet ft yard yards mile miles",
        "milligrams": "milligram milligrams mg",
        "grams": "gram grams gramme grammes g gr",
        "kilograms": "kilogram kilograms kilo kilos kg kgs",
        "other weights": "tonne tonnes ton tons pound pounds lb lbs ounce ounces oz",
    }.items()
}
EVERY_UNIT_WORD = set().union(*UNIT_WORDS.values())
LARGER_UNITS = {  # unit -> a larger one, how many of the smaller make one
    "minutes": ("hours", 60),
    "seconds": ("minutes", 60),
    "centimetres": ("metres", 100),
    "grams": ("kilograms", 1000),
    "days": ("weeks", 7),
    "hours": ("days", 24),
}
CANNOT = r"i (?:cannot|can't|could not|couldn't|won't|(?:am|was) (?:not able|unable) to)|i'm (?:not able|unable) to"
REFUSAL = re.compile(  # of the task: "I cannot find my lamp" is a sentence
    rf"\W*(?:as an? (?:ai|artificial|language)\b|(?:(?:i'm |i am )?(?:so |very )?sorry|i apologi[sz]e|unfortunately)\W+"
    rf"(?:but )?(?:{CANNOT}) (?:use|do|help|make|write|create|give|provide)\b|(?:{CANNOT}) (?:write|create|generate|"
    rf"provide|compose|produce|assist|comply|fulfil|complete|(?:make|form|use|give)\b.{{1,60}}\bsentence)\b)",
    re.IGNORECASE,
)
MONTH_NAMES = "january february march april may june july august september october november december".split()
MONTH_PATTERN = "|".join(f"{name}|{name[:3]}" for name in MONTH_NAMES)
DAY_PATTERN = r"([0-9]{1,2})(?:st|nd|rd|th)?"
DATE = re.compile(
    rf"\b(?:{DAY_PATTERN}(?: of)? ({MONTH_PATTERN})|({MONTH_PATTERN})\.? (?:the )?{DAY_PATTERN})\b", re.IGNORECASE
)
RELATED_DATE = re.compile(rf"\b(?:{'|'.join(RELATIONS)}) (?:the )?{DATE.pattern}", re.IGNORECASE)
PLAIN_MARKS = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2192": "->"})
WRAPPING = " \t\r\n.,;!?\"'`*_$"


def plain(answer):
    """The answer without "Sure!", line marks of Markdown and LaTeX's \\text; a last line "#### 42" is an answer."""
    answer = CONSENT.sub("", LATEX_TEXT.sub(r"\1", answer.translate(PLAIN_MARKS).strip()))
    return LINE_MARK.sub("", GSM8K_MARKER.sub("Answer: ", answer))


def words_of(text):
    return [word.lower() for word in WORD.findall(text)]


def names_of(text):
    """The words, whole numbers among them as plain digits."""
    numbers = {word: integer_of(word) for word in words_of(text)}
    return [word if numbers[word] is None else str(numbers[word]) for word in words_of(text)]


def clauses(text):
    """The words of each clause."""
    return [names_of(clause) for clause in CLAUSE_END.split(text)]


def is_denied(text, value):
    """Whether a clause that names `value` says no, before it or behind: "it cannot be 42", "42 isn't right"."""
    return any(NEGATIONS & set(clause) for clause in clauses(text) if value in clause)


def is_hedged(words, value, reach_behind=1):
    """Whether a hedge stands shortly before `value` or behind it: "42 or 17"."""
    places = [place for place, word in enumerate(words) if word == value]
    return any(HEDGES & set(words[max(0, place - HEDGE_REACH_WORDS) : place + 1 + reach_behind]) for place in places)


def is_only_related(words, value):
    """Whether `value` stands nowhere but right behind a relation: "less than 42", "the day after Sunday"."""
    words = [word for word in words if word not in ARTICLES]
    before = [words[place - 1] if place else "" for place, word in enumerate(words) if word == value]
    return bool(before) and set(before) <= set(RELATIONS)


def loops(words):
    """Whether the words close on one phrase of up to MAX_LOOP_WORDS words, LOOP_REPEATS times in a row."""
    for size in range(1, min(MAX_LOOP_WORDS, len(words) // LOOP_REPEATS) + 1):
        tail = words[-size * LOOP_REPEATS :]
        if tail == tail[-size:] * LOOP_REPEATS:
            return True
    return False


def unfence(text):
    """The inside of one code fence that wraps the whole text, else the text itself."""
    stripped = text.strip()
    if not (stripped.startswith("```") and stripped.endswith("```") and len(stripped) > 6):
        return stripped
    first_line, newline, rest = stripped[3:-3].partition("\n")
    return rest.strip() if newline and first_line.strip().isalnum() else stripped[3:-3].strip()


def _boxed(answer):
    """What stands in LaTeX boxes, where no word of doubt ("not", "wait") stands beside them."""
    doubtful = (NEGATIONS | HEDGES | CORRECTIONS) & set(words_of(BOXED.sub(" ", answer)))
    return [] if doubtful else BOXED.findall(answer)


def _settled(answer):
    """Where the writer settles: what is boxed, else what follows each "answer is" or "answer:", else the whole."""
    unboxed = BOXED.sub(r"\1", answer)
    spans = [span for span in ANSWER_MARKER.split(unboxed)[1:] if set(words_of(span)) - FILLERS]
    return _boxed(answer) or spans or [unboxed]


def settles(checker):
    """The checker, asked of each place where the writer settles: two that differ are no answer, nor is a loop.

    What the answer is set off against ("42, not 43") is left out.
    """

    @functools.wraps(checker)
    def checked(answer, **arguments):
        spans = _settled(answer)
        spans = [CONTRAST.sub(" ", span) for span in spans]
        return not loops(words_of(answer)) and all(checker(span, **arguments) for span in spans)

    return checked


def candidates(answer):
    """The answer whole, then without each lead-in that a person would read past ("Sure! The new text is: ...")."""
    spans = {" ".join(span.split()) for span in _settled(answer)}
    if len(spans) > 1:
        return
    answer = unfence((_boxed(answer) or [BOXED.sub(r"\1", answer)])[0])
    yield answer
    for end in itertools.islice(LEAD_IN_END.finditer(answer), MAX_LEAD_IN_WORDS):
        lead_in = words_of(answer[: end.end()])
        if len(lead_in) > MAX_LEAD_IN_WORDS or LEAD_IN_DOUBTS & set(lead_in):
            return
        yield unfence(answer[end.end() :])


def integer_of(token):
    """The whole number that a token spells, None where it spells none or something else ("1,2", "4x", "2.5")."""
    if len(token) > MAX_NUMBER_CHARACTERS or not INTEGER.fullmatch(token):
        return None
    return int(token.replace(",", "").partition(".")[0])


def numbers_of(text):
    """Numbers written in digits, in order (other digit strings as text)."""
    tokens = [token for token in SIGNED_TOKEN.findall(text) if any(character.isdigit() for character in token)]
    integers = [integer_of(token) for token in tokens]
    return [token if integer is None else integer for token, integer in zip(tokens, integers, strict=True)]


def in_digits(text):
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


def opening_clause(text):
    """The opening clause, and what follows it."""
    text = text.strip(WRAPPING + ":")
    end = LEAD_END.search(text)
    return (text[: end.start()], text[end.start() :]) if end else (text, "")


def explains(reason):
    """Whether what follows an answer are words of explanation, with no change of mind."""
    words = words_of(reason)
    return sum(word[0].isalpha() for word in words) >= MIN_REASON_WORDS and not CORRECTIONS & set(words)


def conclusions(reason):
    """What follows each "so" or "the answer is"."""
    return CONCLUSION.split(reason)[1:] + ANSWER_MARKER.split(reason)[1:]


def first_line(text):
    return text.strip().partition("\n")[0]


def without_same(text, value, unit):
    """The text without `value` said in two units, and an "or" that joins it to the value."""
    factor = LARGER_UNITS[unit][1]
    return _in_two_units(unit).sub(
        lambda match: " " if int(match[1]) * factor + int(match[2]) == value else match[0], text
    )


@functools.cache
def _in_two_units(unit):
    larger, smaller = ("|".join(sorted(UNIT_WORDS[name])) for name in (LARGER_UNITS[unit][0], unit))
    number = r"(?<![0-9.,])([0-9]{1,9})"
    return re.compile(rf"{number} (?:{larger}),? (?:and )?{number} (?:{smaller})\b(?:,? or\b)?", re.IGNORECASE)


def dates_of(text):
    """The (day, month) pairs that a text names."""
    return {
        (int(match[1] or match[4]), 1 + [name[:3] for name in MONTH_NAMES].index((match[2] or match[3]).lower()[:3]))
        for match in DATE.finditer(text)
    }
