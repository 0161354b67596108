"""Families of verifiable tasks: each draws the content of one task at a difficulty from 1 to 3.

A family is a function `(rng, difficulty) -> draft`. A draft holds `form` (which of the family's core phrasings fit),
`slots` (what fills them), `answer` and `wrong` (bare, right and plausibly wrong), `frames` (full sentences around an
answer, `{}` standing for it), `checker` with its `arguments`, and `key`, the content that makes the task what it is.

Phrasings are composed: opener + core + closer. A stable hash splits the composed phrasings, and the keys, between a
"suite" part and a "training" part, so that no prompt of the suite is ever a training prompt while its words are.

Used by `verifiable_tasks` and `demo_corpus`; reads and writes no files.
"""

import functools
import hashlib
import itertools
import json
import random
from collections.abc import Callable

from task_phrasings import CLOSERS, CORES, OPENERS

SUITE_PARTS, ALL_PARTS = 1, 4  # one phrasing in four and one value in four belong to the suite

EASY_NOUNS = "lamp drum tree boat chair stone river cloud bread spoon glass table clock apple mouse eagle".split()
OTHER_NOUNS = (
    "horse tiger lemon grape peach olive onion carrot pepper window pencil basket bottle candle hammer ladder mirror "
    "pillow ribbon saddle blanket bridge castle forest garden island market mountain valley village wagon whistle "
    "brush camel crown fence flute ghost glove knife piano plate robot scarf sheep shirt snake stool sword towel "
    "train truck whale wheel zebra anchor banana barrel camera carpet cherry drawer engine guitar helmet jacket "
    "kettle kitten monkey needle saucer spider statue teapot tomato tunnel turkey violin airplane backpack balloon "
    "bicycle blackbird butterfly cabbage calendar chocolate compass computer cottage crocodile curtain dinosaur "
    "dolphin dragonfly elephant envelope fountain giraffe hedgehog jellyfish keyboard kitchen lantern leopard library "
    "motorbike mushroom necklace newspaper notebook octopus parachute pavement penguin pineapple pumpkin sandwich "
    "sausage saxophone scooter sculpture squirrel staircase submarine suitcase telephone telescope tractor trumpet "
    "umbrella vulture waterfall"
).split()
NOUNS = EASY_NOUNS + OTHER_NOUNS
ADJECTIVES = "red blue green white black small large dry new quiet warm cold heavy light clean dark".split()
NAMES = "Anna Ben Clara David Emma Frank Grace Henry Irene Jack Karen Leo Mary Nina Oscar Paul".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
CITIES = "Paris Rome Cairo Delhi Lima Oslo Tokyo Dublin Madrid Boston Sydney Vienna".split()
OPENING_WORDS = (
    "Today Often Sometimes Now Again Still Here Yesterday Afterwards Clearly Earlier Eventually Finally Happily "
    "Indoors Lately Later Luckily Mostly Normally Nowadays Occasionally Once Outside Perhaps Quietly Rarely Recently "
    "Sadly Seldom Slowly Somehow Soon Suddenly Then There Tomorrow Tonight Upstairs Usually"
).split()
SMALL_WORDS = "smaller less lower fewer smallest least lowest fewest"
LARGE_WORDS = "larger more higher bigger greater largest most highest biggest greatest"

SENTENCES_BY_LENGTH = {  # words -> a sentence of that many words about {w}
    4: "The {w} looks {a}.",
    5: "The {w} is very {a}.",
    6: "We saw a {a} {w} today.",
    7: "Once we saw a {a} {w} outside.",
    8: "My friend keeps the {w} in a box.",
    9: "My friend keeps the {w} in a {a} box.",
    10: "Last week my friend put the {w} in a box.",
    11: "Last week my friend put the {w} in a {a} box.",
    12: "Last week my good friend put the {w} in a {a} box.",
}


def part_of(text: str) -> str:
    """The part, "suite" or "training", where a phrasing or a key belongs; the same on every machine."""
    return "suite" if hashlib.sha256(text.encode()).digest()[0] % ALL_PARTS < SUITE_PARTS else "training"


@functools.cache
def phrasings(family: str, form: str, part: str) -> list[tuple[str, str, str]]:
    """The (opener, core, closer) combinations of a family's form that belong to `part`."""
    combinations = itertools.product(OPENERS, CORES[family][form], CLOSERS)
    return [parts for parts in combinations if part_of("|".join((family, form, *parts))) == part]


def phrase(draft: dict, opener: str, core: str, closer: str) -> str:
    """One prompt: the filled core between opener and closer, its first letter raised where nothing precedes it."""
    text = core.format(**draft["slots"])
    text = f"{opener} {text}" if opener else text[0].upper() + text[1:]
    return f"{text} {closer}".rstrip()


def draw(family: str, make: Callable, difficulty: int, part: str, rng: random.Random) -> tuple[dict, str]:
    """A draft of the family whose key belongs to `part`, and a prompt in a phrasing of that part."""
    draft = make(rng, difficulty)
    while draft["key"] is not None and part_of(f"{family}|{draft['key']}") != part:
        draft = make(rng, difficulty)
    return draft, phrase(draft, *rng.choice(phrasings(family, draft["form"], part)))


def content(family: str, draft: dict) -> str:
    """What a task asks, whatever its phrasing: drafts alike in this are the same task."""
    return f"{draft['form']}|{CORES[family][draft['form']][0].format(**draft['slots'])}"


def draft_of(form, slots, answer, wrong, frames, checker, arguments, key) -> dict:
    """A draft, as the module's docstring describes it; a `key` of None leaves the split to the phrasing alone."""
    return {
        "form": form, "slots": slots, "answer": answer, "wrong": wrong, "frames": frames,
        "checker": checker, "arguments": arguments, "key": key,
    }  # fmt: skip


def other(rng, options, *taken):
    """One of `options` that is none of `taken`."""
    return rng.choice([option for option in options if option not in taken])


def joined(words):
    """Words as a list in running text."""
    return ", ".join(words)


def _nouns(difficulty):
    """Common short nouns at difficulty 1: few enough for a small tokenizer to know each as one token."""
    return EASY_NOUNS if difficulty == 1 else NOUNS


def _swapped(values):
    """The first two different neighbours exchanged: a plausible slip in an ordered answer."""
    index = next(index for index in range(len(values) - 1) if values[index] != values[index + 1])
    return [*values[:index], values[index + 1], values[index], *values[index + 2 :]]


def arithmetic(rng, difficulty):
    """Sums of one-digit numbers; then two-digit sums and differences; then products and three operands.

    The one-digit sums are a closed table, to be learnt like facts: they have no key, only their phrasings are split.
    """
    if difficulty == 1:
        form, operands = "plus", [rng.randint(1, 9), rng.randint(1, 9)]
    elif difficulty == 2:
        form, operands = rng.choice(["plus", "minus"]), [rng.randint(50, 99), rng.randint(11, 49)]
    else:
        form = rng.choice(["times", "three"])
        operands = [rng.randint(11, 19), rng.randint(3, 9)] if form == "times" else rng.sample(range(11, 99), 3)
    if form == "minus" and operands[0] == 2 * operands[1]:
        operands[0] += 1  # the result must not be one of the operands, which an answer may repeat
    a, b, c = (*operands, 0)[:3]
    value = {"plus": a + b, "minus": a - b, "times": a * b, "three": a + b + c}[form]
    wrong = value + rng.choice([-2, -1, 1, 2, 10])
    wrong = wrong + 20 if wrong in operands or wrong < 1 else wrong
    frames = {"plus": f"{a} plus {b} is {{}}.", "minus": f"{a} minus {b} is {{}}.", "times": f"{a} times {b} is {{}}."}
    return draft_of(
        form, {"a": a, "b": b, "c": c}, str(value), str(wrong), [frames.get(form, "The sum is {}.")],
        "number", {"value": value, "operands": operands}, None if difficulty == 1 else f"{form} {operands}",
    )  # fmt: skip


def comparison(rng, difficulty):
    """The larger or smaller of two numbers to 12; of three to 999; of five close ones."""
    if difficulty == 1:
        numbers = rng.sample(range(1, 13), 2)
    elif difficulty == 2:
        numbers = rng.sample(range(100, 1000), 3)
    else:
        base = rng.randint(1000, 9000)
        numbers = [base + offset for offset in rng.sample(range(120), 5)]
    ordered, upwards = sorted(numbers), rng.random() < 0.5
    value, wrong = (ordered[-1], ordered[0]) if upwards else (ordered[0], ordered[-1])
    form = ("larger" if upwards else "smaller") if difficulty == 1 else ("largest" if upwards else "smallest")
    opposites = (SMALL_WORDS if upwards else LARGE_WORDS).split()
    return draft_of(
        form, {"numbers": " or ".join(map(str, numbers)) if difficulty == 1 else joined(map(str, numbers))},
        str(value), str(wrong), ["The answer is {}.", f"The {form} number is {{}}."],
        "choice", {"value": str(value), "options": [str(n) for n in numbers], "opposites": opposites},
        f"{form} {numbers}",
    )  # fmt: skip


def number_sequence(rng, difficulty):
    """The next number: counting on by 1, 2, 5 or 10; by any step; downwards, doubling or tripling."""
    start, step = rng.randint(1, 60), rng.choice([1, 2, 5, 10])
    if difficulty == 2:
        start, step = rng.randint(5, 80), rng.randint(3, 12)
    if difficulty == 3:
        start, step = rng.randint(60, 140), -rng.randint(3, 13)
    terms = [start + step * index for index in range(5)]
    if difficulty == 3 and rng.random() < 0.5:
        start, factor = rng.choice([(rng.randint(2, 40), 2), (rng.randint(2, 15), 3)])
        terms = [start * factor**index for index in range(5)]
    value, shown = terms[4], terms[:4]
    return draft_of(
        "next", {"numbers": joined(map(str, shown))}, str(value), str(value + rng.choice([-1, 1])),
        ["The next number is {}."], "number", {"value": value, "operands": shown}, str(shown),
    )  # fmt: skip


def sort_words(rng, difficulty):
    """Three, five or eight words into alphabetical order."""
    words = ordered = rng.sample(NOUNS, (3, 5, 8)[difficulty - 1])
    while words == ordered:  # nothing to do
        rng.shuffle(words)
        ordered = sorted(words)
    return draft_of(
        "ascending", {"words": joined(words)}, joined(ordered), joined(_swapped(ordered)),
        ["In alphabetical order: {}."], "items", {"values": ordered}, joined(words),
    )  # fmt: skip


def sort_numbers(rng, difficulty):
    """Three to seven numbers into ascending or descending order."""
    numbers = rng.sample(range(1, (30, 100, 1000)[difficulty - 1]), (3, 5, 7)[difficulty - 1])
    form = "ascending" if difficulty == 1 else rng.choice(["ascending", "descending"])
    while numbers == sorted(numbers, reverse=form == "descending"):  # nothing to do
        rng.shuffle(numbers)
    ordered = [str(number) for number in sorted(numbers, reverse=form == "descending")]
    return draft_of(
        form, {"numbers": joined(map(str, numbers))}, joined(ordered), joined(_swapped(ordered)),
        ["In order: {}."], "items", {"values": ordered}, f"{form} {numbers}",
    )  # fmt: skip


def _sentence(rng, clauses):
    """Lower-case words "the red lamp is near the drum", one clause or more joined by "and"."""
    nouns = iter(rng.sample(NOUNS, 2 * clauses))
    parts = [f"the {rng.choice(ADJECTIVES)} {next(nouns)} is near the {next(nouns)}" for _ in range(clauses)]
    return " and ".join(parts)


def count_words(rng, difficulty):
    """How many words a short text has: 2 to 5, 5 to 9, 10 to 16."""
    low, high = ((2, 5), (5, 9), (10, 16))[difficulty - 1]
    words = [rng.choice(NOUNS if index % 2 else ADJECTIVES) for index in range(rng.randint(low, high))]
    return draft_of(
        "words", {"text": " ".join(words)}, str(len(words)), str(len(words) + rng.choice([-1, 1])),
        ["There are {} words."], "number", {"value": len(words)}, " ".join(words),
    )  # fmt: skip


def count_letters(rng, difficulty):
    """How often a letter stands in one word; in two; in three. Each count is as likely as the next: most are 1."""
    count, letters = rng.randint(1, (2, 3, 4)[difficulty - 1]), []
    while not letters:
        words = rng.sample([noun for noun in NOUNS if len(noun) >= 3 + difficulty], difficulty)
        text = " ".join(words)
        letters = sorted(letter for letter in set(text) - {" "} if text.count(letter) == count)
    letter = rng.choice(letters)
    return draft_of(
        "letters", {"text": text, "letter": letter}, str(count), str(count + 1),
        [f"The letter {letter} occurs {{}} time{'s' if count > 1 else ''}."],
        "number", {"value": count}, f"{letter} {text}",
    )  # fmt: skip


def copy_text(rng, difficulty):
    """One or two words, a sentence, a long sentence, word for word."""
    text = " ".join(rng.sample(_nouns(1), rng.randint(1, 2))) if difficulty == 1 else _sentence(rng, difficulty - 1)
    wrong = " ".join([*text.split()[:-1], other(rng, _nouns(difficulty), *text.split())])
    return draft_of(
        "copy", {"text": text}, text, wrong, ['The text is "{}".', 'Here it is: "{}".'], "text", {"value": text}, text
    )


def repeat_word(rng, difficulty):
    """One word or two, two or three times; four or five times; six to nine times."""
    words, low = rng.sample(_nouns(difficulty), rng.randint(1, 2)), (2, 4, 6)[difficulty - 1]
    times = rng.randint(low, low + (1, 1, 3)[difficulty - 1])
    slip, text = times + rng.choice([-1, 1]), " ".join(words)
    return draft_of(
        "one" if len(words) == 1 else "two", {"word": text, "times": "twice" if times == 2 else f"{times} times"},
        " ".join(words * times), " ".join(words * slip), ["The text is \"{}\".", "{}."],
        "items", {"values": words * times}, f"{text} {times}",
    )  # fmt: skip


def replace_word(rng, difficulty):
    """One word of a text exchanged for another, in two words, a clause, two clauses."""
    text = " ".join(rng.sample(NOUNS, 3)) if difficulty == 1 else _sentence(rng, difficulty - 1)
    words = text.split()
    old = rng.choice([word for word in words if word in NOUNS])
    new, slip = rng.sample([noun for noun in NOUNS if noun not in words], 2)
    answer, wrong = (" ".join(word if w == old else w for w in words) for word in (new, slip))
    return draft_of(
        "replace", {"text": text, "old": old, "new": new}, answer, wrong,
        ["The new text is: {}."], "text", {"value": answer}, f"{text} {old} {new}",
    )  # fmt: skip


def upper_case(rng, difficulty):
    """A word or two, a clause, two clauses, in capitals."""
    text = " ".join(rng.sample(_nouns(1), rng.randint(1, 2))) if difficulty == 1 else _sentence(rng, difficulty - 1)
    return draft_of(
        "upper", {"text": text}, text.upper(), text.capitalize(), ["In capitals: {}."],
        "text", {"value": text.upper(), "match_case": True}, text,
    )  # fmt: skip


def reverse_order(rng, difficulty):
    """Two or three, four or five, six to eight words from last to first."""
    low, high = ((2, 3), (4, 5), (6, 8))[difficulty - 1]
    words = rng.sample(NOUNS, rng.randint(low, high))
    return draft_of(
        "reverse", {"words": joined(words)}, joined(words[::-1]), joined(words), ["In reverse order: {}."],
        "items", {"values": words[::-1]}, joined(words),
    )  # fmt: skip


def drop_word(rng, difficulty):
    """A list of three, five or seven words without one of them; at 3, without two."""
    words = rng.sample(NOUNS, (3, 5, 7)[difficulty - 1])
    dropped = rng.sample(words, 2 if difficulty == 3 else 1)
    kept = [word for word in words if word not in dropped]
    return draft_of(
        "drop", {"words": joined(words), "dropped": " and ".join(dropped)}, joined(kept), joined(words),
        ["What remains: {}."], "items", {"values": kept}, f"{words} {dropped}",
    )  # fmt: skip


def pick_position(rng, difficulty):
    """The first or last of three words; the second to fourth of five; one counted from the end of seven."""
    words = rng.sample(_nouns(difficulty), (3, 5, 7)[difficulty - 1])
    places = (
        [("first", 0), ("last", -1)],
        [("second", 1), ("third", 2), ("fourth", 3)],
        [("second to last", -2), ("third to last", -3)],
    )
    place, index = rng.choice(places[difficulty - 1])
    value = words[index]
    return draft_of(
        "pick", {"words": joined(words), "place": place}, value, other(rng, words, value),
        [f"The {place} word is {{}}."], "choice", {"value": value, "options": words}, f"{place} {words}",
    )  # fmt: skip


def starts_with(rng, difficulty):
    """Which of three, five or eight words starts (at 3: ends) with a letter."""
    end, form = (-1, "ends") if difficulty == 3 else (0, "starts")
    value = rng.choice(_nouns(difficulty))
    others = [noun for noun in _nouns(difficulty) if noun[end] != value[end]]
    words = [value, *rng.sample(others, (2, 4, 7)[difficulty - 1])]
    rng.shuffle(words)
    return draft_of(
        form, {"words": joined(words), "letter": value[end]}, value, other(rng, words, value),
        [f"The word that {form} with {value[end]} is {{}}.", "It is {}."], "choice", {"value": value, "options": words},
        f"{value[end]} {words}",
    )  # fmt: skip


def passage_extraction(rng, difficulty):
    """What one person bought, or on which day, from a passage about two, three or five people."""
    people = (2, 3, 5)[difficulty - 1]
    names, things, days = rng.sample(NAMES, people), rng.sample(NOUNS, people), rng.sample(DAYS, people)
    rows = list(zip(names, things, days, strict=True))
    passage = " ".join(f"On {day} {name} bought the {thing}." for name, thing, day in rows)
    name, thing, day = rng.choice(rows)
    form = "thing" if difficulty == 1 else rng.choice(["thing", "day", "name"])
    value, options, frame = {
        "thing": (thing, things, f"{name} bought the {{}}."),
        "day": (day, days, f"{name} went shopping on {{}}."),
        "name": (name, names, f"{{}} bought the {thing}."),
    }[form]
    return draft_of(
        form, {"passage": passage, "name": name, "thing": thing}, value, other(rng, options, value), [frame],
        "choice", {"value": value, "options": options}, f"{form} {passage} {name}",
    )  # fmt: skip


def table_lookup(rng, difficulty):
    """A cell of a table of three, five or eight rows; at 3, the name with the most points."""
    rows = (3, 5, 8)[difficulty - 1]
    names, points = rng.sample(NAMES, rows), [str(number) for number in rng.sample(range(10, 100), rows)]
    cities = rng.sample(CITIES, rows)
    table = "\n".join(["name | city | points", *map(" | ".join, zip(names, cities, points, strict=True))])
    index = rng.randrange(rows)
    form = "most" if difficulty == 3 else rng.choice(["city", "points"])
    if form == "most":
        index = max(range(rows), key=lambda row: int(points[row]))
    column = {"city": cities, "points": points, "most": names}[form]
    frame = {"city": f"{names[index]} lives in {{}}.", "points": f"{names[index]} has {{}} points."}
    return draft_of(
        form, {"table": table, "name": names[index]}, column[index], other(rng, column, column[index]),
        [frame.get(form, "{} has the most points.")], "choice", {"value": column[index], "options": column},
        f"{form} {table} {index}",
    )  # fmt: skip


def json_object(rng, difficulty):
    """A JSON object with one, two or three keys whose values are given (a number among them from 2 on)."""
    facts = {"item": rng.choice(NOUNS)}
    if difficulty == 1:
        noun = rng.choice(_nouns(1))
        facts = {rng.choice(["item", "thing", "word"]): rng.choice([noun, f"{rng.choice(ADJECTIVES)} {noun}"])}
    if difficulty >= 2:
        facts["count"] = rng.randint(1, 60)
    if difficulty == 3:
        facts["city"] = rng.choice(CITIES)
    first_key, first_value = next(iter(facts.items()))
    wrong = {**facts, first_key: other(rng, _nouns(difficulty), first_value)}
    between = " = " if difficulty == 1 else " "  # the harder prompts say that keys and values follow
    shown = " and ".join(f"{key}{between}{value}" for key, value in facts.items())
    return draft_of(
        "one" if difficulty == 1 else "several", {"facts": shown}, json.dumps(facts), json.dumps(wrong), ["{}"],
        "json_object", {"expected": facts}, shown,
    )  # fmt: skip


def choose_items(rng, difficulty):
    """Exactly one or two, three, four of the words given."""
    count = (rng.randint(1, 2), 3, 4)[difficulty - 1]
    words = rng.sample(NOUNS, count + 2 + difficulty)
    answer = rng.sample(words, count)
    wrong = [*answer, other(rng, words, *answer)]
    return draft_of(
        "choose", {"words": joined(words), "count": count}, joined(answer), joined(wrong), ["My choice: {}."],
        "selection", {"options": words, "count": count}, f"{count} {words}",
    )  # fmt: skip


def numbered_list(rng, difficulty):
    """Two or three, four, six words as a numbered list, one a line."""
    words = rng.sample(NOUNS, (rng.randint(2, 3), 4, 6)[difficulty - 1])
    answer = "\n".join(f"{number}. {word}" for number, word in enumerate(words, start=1))
    return draft_of(
        "number", {"words": joined(words)}, answer, "\n".join(f"- {word}" for word in words), ["{}"],
        "numbered_list", {"values": words}, joined(words),
    )  # fmt: skip


def exact_length(rng, difficulty):
    """A sentence of exactly so many words about a given thing: 4 to 6, 7 to 9, 10 to 12."""
    count, word = rng.randint(1 + 3 * difficulty, 3 + 3 * difficulty), rng.choice(NOUNS)
    near = count + (1 if count < max(SENTENCES_BY_LENGTH) else -1)
    adjective = rng.choice(ADJECTIVES)
    answer, wrong = (SENTENCES_BY_LENGTH[length].format(w=word, a=adjective) for length in (count, near))
    return draft_of(
        "length", {"word": word, "count": count}, answer, wrong, ["{}"], "sentence",
        {"min_words": count, "max_words": count, "required": [word]}, f"{count} {word}",
    )  # fmt: skip


def required_words(rng, difficulty):
    """One sentence with two, three or four given words; at 3, of at most 14 words."""
    words = rng.sample(NOUNS, 1 + difficulty)
    listed = ", the ".join(words[:-1]) + " and the " + words[-1]
    answer = f"We saw the {listed} by the road."
    return draft_of(
        "limited" if difficulty == 3 else "required", {"words": joined(words)}, answer,
        answer.replace(words[-1], other(rng, NOUNS, *words)), ["{}"], "sentence",
        {"min_words": 3, "max_words": 14 if difficulty == 3 else 40, "required": words}, joined(words),
    )  # fmt: skip


def sentence_edges(rng, difficulty):
    """A sentence with its first word given; its last; both."""
    first, last = rng.choice(OPENING_WORDS), rng.choice(NOUNS)
    form = ("first", "last", "both")[difficulty - 1]
    answer = f"{first} I think about the {last}."
    wrong = f"I {first.lower()} think about the {last} you like."
    edges = {"first": {"first": first}, "last": {"last": last}, "both": {"first": first, "last": last}}[form]
    key = {"first": None, "last": last, "both": f"{first} {last}"}[form]  # too few opening words to split
    return draft_of(
        form, {"first": first, "last": last}, answer, wrong, ["{}"], "sentence", {"min_words": 3, **edges}, key
    )


def rubric_label(rng, difficulty):
    """A label by a rule that is given: by length; by a word; by two rules in order."""
    form = ("length", "keyword", "ordered")[difficulty - 1]
    words = rng.sample(NOUNS, rng.choice([2, 3, 6, 7]))
    keyword = rng.choice(NOUNS) if rng.random() < 0.5 else rng.choice(words)
    labels = {"length": ["short", "long"], "keyword": ["keep", "skip"], "ordered": ["high", "middle", "low"]}[form]
    if form == "length":
        value = "short" if len(words) < 5 else "long"
    elif form == "keyword":
        value = "keep" if keyword in words else "skip"
    else:
        value = "high" if keyword in words else "middle" if len(words) > 4 else "low"
    return draft_of(
        form, {"text": " ".join(words), "keyword": keyword}, value, other(rng, labels, value), ["The label is {}."],
        "choice", {"value": value, "options": labels}, f"{keyword} {words}",
    )  # fmt: skip


def spelling(rng, difficulty):
    """A word of up to five, six, or seven and more letters, letter by letter with hyphens."""
    low, high = ((3, 5), (6, 6), (7, 9))[difficulty - 1]
    word = rng.choice([noun for noun in NOUNS + CITIES if low <= len(noun) <= high]).lower()
    answer = "-".join(word)
    return draft_of(
        "spell", {"word": word}, answer, "-".join(word[:-2] + word[-1]), ["{}"], "text", {"value": answer}, None
    )


FAMILIES = {
    make.__name__: make
    for make in (
        arithmetic, comparison, number_sequence, sort_words, sort_numbers, count_words, count_letters, copy_text,
        repeat_word, replace_word, upper_case, reverse_order, drop_word, pick_position, starts_with,
        passage_extraction, table_lookup, json_object, choose_items, numbered_list, exact_length, required_words,
        sentence_edges, rubric_label, spelling,
    )
}  # fmt: skip
