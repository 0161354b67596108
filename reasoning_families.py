"""Families of verifiable tasks that take a step of thought: word problems, units, dates, order, translation, code.

Each is a function `(rng, difficulty) -> draft`, as `task_families` describes it. An answer may show its working: what
it comes to is checked. Used by `verifiable_tasks`; reads and writes no files.
"""

import datetime

from answer_text import LARGER_UNITS
from task_families import DAYS, NAMES, draft_of, joined, other

THINGS = "apples pears books coins pens cards stamps eggs shells buttons".split()
MONTHS = ("January February March April May June July August September October November December").split()
RELATIONS = [  # comparative, the one at its upper end, its opposite, the one at its lower end
    ("taller", "tallest", "shorter", "shortest"), ("older", "oldest", "younger", "youngest"),
    ("faster", "fastest", "slower", "slowest"), ("heavier", "heaviest", "lighter", "lightest"),
]  # fmt: skip
INVENTED_WORDS = "zan tolo mip reka sulo vint bako dema fiso gur hapa jel kimo lorn nuba pesk".split()
PLAIN_WORDS = "red blue small large old new lamp tree house river stone bird dog boat king road".split()


def number_draft(form, slots, value, wrong, operands, frame, key, **arguments):
    """A draft whose answer is a whole number that working may lead to."""
    return draft_of(
        form, slots, str(value), str(wrong), [frame], "final_number",
        {"value": value, "operands": operands, **arguments}, key,
    )  # fmt: skip


def _slip(rng, value, *taken):
    """A number near `value` that none of `taken` equals."""
    near = [value + step for step in (-3, -2, -1, 1, 2, 3, 10)]
    return rng.choice([number for number in near if number > 0 and number not in taken])


def word_problem(rng, difficulty):
    """A story with one step; with two; with three."""
    name, second = rng.sample(NAMES, 2)
    thing = rng.choice(THINGS)
    while True:  # until the result is none of the story's numbers, which an answer may repeat
        story, ask, value, operands = (_one_step, _two_steps, _three_steps)[difficulty - 1](rng, name, second, thing)
        if value not in operands:
            break
    return number_draft(
        "solve", {"story": story, "ask": ask}, value, _slip(rng, value, *operands), operands, "The answer is {}.",
        f"{story} {ask}",
    )  # fmt: skip


def _one_step(rng, name, second, thing):
    a, b = rng.randint(20, 60), rng.randint(3, 19)
    kind = rng.choice(["more", "fewer", "boxes"])
    if kind == "more":
        return f"{name} has {a} {thing} and gets {b} more.", f"How many {thing} does {name} have now?", a + b, [a, b]
    if kind == "fewer":
        ask = f"How many {thing} does {name} have left?"
        return f"{name} has {a} {thing} and gives {b} of them to {second}.", ask, a - b, [a, b]
    a, b = rng.randint(3, 9), rng.randint(3, 12)
    return f"{name} has {a} boxes with {b} {thing} in each.", f"How many {thing} are there in all?", a * b, [a, b]


def _two_steps(rng, name, second, thing):
    a, b, c = rng.randint(30, 70), rng.randint(10, 29), rng.randint(3, 9)
    if rng.random() < 0.5:
        story = f"{name} has {a} {thing}, buys {b} more and then gives {c} to {second}."
        return story, f"How many {thing} does {name} have now?", a + b - c, [a, b, c]
    a, b, c = rng.randint(3, 9), rng.randint(4, 12), rng.randint(3, 20)
    story = f"{name} has {a} boxes with {b} {thing} in each, and {c} loose {thing}."
    return story, f"How many {thing} does {name} have in all?", a * b + c, [a, b, c]


def _three_steps(rng, name, second, thing):
    if rng.random() < 0.5:
        friends, share, boxes = rng.randint(3, 6), rng.randint(4, 9), rng.randint(2, 5)
        lost = rng.choice([lost for lost in range(1, 60) if (friends * share + lost) % boxes == 0])
        each = (friends * share + lost) // boxes
        story = (
            f"{name} buys {boxes} boxes with {each} {thing} in each. {lost} of them break. "
            f"{name} shares the rest equally among {friends} friends."
        )
        return story, f"How many {thing} does each friend get?", share, [boxes, each, lost, friends]
    a, b, d = rng.randint(4, 9), rng.randint(7, 15), rng.randint(3, 9)
    c = rng.randint(2, b - 3)
    story = (
        f"{name} fills {a} boxes with {b} {thing} each. {second} takes {c} {thing} out of every box. "
        f"Then {name} finds {d} more {thing}."
    )
    return story, f"How many {thing} are there now?", a * (b - c) + d, [a, b, c, d]


def unit_conversion(rng, difficulty):
    """A larger unit in a smaller one; a larger and a smaller together; the minutes between two times of day."""
    if difficulty == 3:
        start, length = rng.randint(7 * 60, 12 * 60), rng.randint(65, 290)
        times = [f"{minutes // 60}:{minutes % 60:02d}" for minutes in (start, start + length)]
        operands = [hour_or_minute for time in times for hour_or_minute in map(int, time.split(":"))]
        return number_draft(
            "between", {"start": times[0], "end": times[1]}, length, _slip(rng, length, *operands), operands,
            "It takes {} minutes.", None, unit="minutes",
        )  # fmt: skip
    unit = rng.choice(list(LARGER_UNITS))
    larger, factor = LARGER_UNITS[unit]
    large, small = rng.randint(2, 12), rng.randint(2, factor - 1) if difficulty == 2 else 0
    value = large * factor + small
    amount = f"{large} {larger} and {small} {unit}" if small else f"{large} {larger}"
    operands = [large, factor, *([small] if small else [])]
    return number_draft(
        "convert", {"amount": amount, "unit": unit}, value, _slip(rng, value, *operands), operands,
        f"That is {{}} {unit}.", None, unit=unit,
    )  # fmt: skip


def weekday(rng, difficulty):
    """The day one to four days after or before a day; five to twelve days; thirteen to thirty days."""
    low, high = ((1, 4), (5, 12), (13, 30))[difficulty - 1]
    days = rng.choice([days for days in range(low, high + 1) if days % 7])
    form = rng.choice(["after", "before"])
    start = rng.choice(DAYS)
    value = DAYS[(DAYS.index(start) + (days if form == "after" else -days)) % 7]
    wrong = other(rng, DAYS, value, start)
    shown = f"{days} day{'s' if days > 1 else ''}"
    return draft_of(
        form, {"days": shown, "start": start}, value, wrong, [f"{shown} {form} {start} is {{}}.", "It is {}."],
        "final_choice", {"value": value, "options": DAYS, "given": [start]}, None,
    )  # fmt: skip


def date_shift(rng, difficulty):
    """The date some days on, in the same month; up to a month on, mostly in the next; one to two months on or back."""
    start = datetime.date(2023, rng.randint(3, 10), rng.randint(1, 12 if difficulty == 1 else 28))
    days = rng.randint(2, 15) if difficulty == 1 else rng.randint(29 - start.day, 31) if difficulty == 2 else 0
    days = max(2, days) if difficulty < 3 else rng.choice([-1, 1]) * rng.randint(32, 60)
    days = abs(days) if start.month < 5 else days  # back from there one would cross the end of a February
    end = start + datetime.timedelta(days)
    wrong = end + datetime.timedelta(rng.choice([-1, 1]))
    shown, answer, slip = (f"{date.day} {MONTHS[date.month - 1]}" for date in (start, end, wrong))
    return draft_of(
        "before" if days < 0 else "after", {"days": f"{abs(days)} days", "start": shown}, answer, slip,
        ["It is {}."], "date", {"day": end.day, "month": end.month, "given": [[start.day, start.month]]},
        f"{shown} {days}",
    )  # fmt: skip


def ordering_logic(rng, difficulty):
    """Who is at one end of an order: three people in order; four, shuffled; five, shuffled, in both directions."""
    people = rng.sample(NAMES, 2 + difficulty)  # from the upper end to the lower
    more, most, less, least = rng.choice(RELATIONS)
    facts = []
    for upper, lower in zip(people, people[1:], strict=False):
        turned = difficulty == 3 and rng.random() < 0.5
        facts.append(f"{lower} is {less} than {upper}." if turned else f"{upper} is {more} than {lower}.")
    if difficulty > 1:
        rng.shuffle(facts)
    claim, value, wrong, opposites = rng.choice(
        [(most, people[0], people[1], [least, less]), (least, people[-1], people[-2], [most, more])]
    )
    return draft_of(
        "who", {"facts": " ".join(facts), "claim": claim}, value, wrong, [f"The {claim} is {{}}.", "It is {}."],
        "final_choice", {"value": value, "options": people, "claim": claim, "opposites": opposites},
        f"{facts} {claim}",
    )  # fmt: skip


def translate_words(rng, difficulty):
    """Words by a small dictionary of an invented language: one or two of four; three of six; four of eight, back."""
    size, length = ((4, rng.randint(1, 2)), (6, 3), (8, 4))[difficulty - 1]
    pairs = list(zip(rng.sample(PLAIN_WORDS, size), rng.sample(INVENTED_WORDS, size), strict=True))
    picked = rng.sample(pairs, length)
    dictionary = joined(f"{plain} = {invented}" for plain, invented in pairs)
    form, here, there = ("back", 1, 0) if difficulty == 3 else ("there", 0, 1)
    text, answer = (" ".join(pair[side] for pair in picked) for side in (here, there))
    slip = next(pair[there] for pair in pairs if pair not in picked)
    wrong = " ".join([*answer.split()[:-1], slip])
    return draft_of(
        form, {"dictionary": dictionary, "text": text}, answer, wrong, ["The translation is: {}."],
        "items", {"values": answer.split()}, f"{dictionary} {text}",
    )  # fmt: skip


def code_output(rng, difficulty):
    """What a snippet of Python prints, a whole number: two assignments; a loop or a list; a loop with a condition."""
    while True:
        code, value, shown = (_assignments, _loop, _condition)[difficulty - 1](rng)
        if value not in shown:
            break
    return number_draft(
        "prints", {"code": code}, value, _slip(rng, value, *shown), shown, "It prints {}.", code
    )  # fmt: skip


def _assignments(rng):
    a, b, c = rng.randint(2, 20), rng.randint(2, 9), rng.randint(2, 9)
    if rng.random() < 0.5:
        return f"a = {a}\nb = a + {b}\nprint(b)", a + b, [a, b]
    return f"a = {a}\nb = {b}\na = a + {c}\nprint(a + b)", a + b + c, [a, b, c]


def _loop(rng):
    numbers = rng.sample(range(2, 40), 4)
    kind = rng.choice(["sum", "range", "index"])
    if kind == "sum":
        return f"total = 0\nfor n in {numbers}:\n    total = total + n\nprint(total)", sum(numbers), numbers
    if kind == "range":
        stop, step = rng.randint(3, 6), rng.randint(2, 9)
        code = f"total = {step}\nfor n in range({stop}):\n    total = total + {step}\nprint(total)"
        return code, step + stop * step, [stop, step]
    first, second = rng.sample(range(4), 2)
    code = f"numbers = {numbers}\nprint(numbers[{first}] + numbers[{second}])"
    return code, numbers[first] + numbers[second], [*numbers, first, second]


def _condition(rng):
    numbers, limit = rng.sample(range(2, 40), 5), rng.randint(10, 30)
    if rng.random() < 0.5:
        code = f"total = 0\nfor n in {numbers}:\n    if n > {limit}:\n        total = total + n\nprint(total)"
        return code, sum(number for number in numbers if number > limit), [*numbers, limit]
    start, end, step = rng.randint(1, 5), rng.randint(20, 60), rng.randint(2, 3)
    value = start
    while value < end:
        value = value * step
    return f"n = {start}\nwhile n < {end}:\n    n = n * {step}\nprint(n)", value, [start, end, step]


REASONING_FAMILIES = {
    make.__name__: make
    for make in (
        word_problem, unit_conversion, weekday, date_shift, ordering_logic, translate_words, code_output,
    )
}  # fmt: skip
