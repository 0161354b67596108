"""Families of verifiable tasks about the form of an answer: tables, letter case, words to avoid, repeats, extracts.

Each is a function `(rng, difficulty) -> draft`, as `task_families` describes it. Used by `verifiable_tasks`; reads and
writes no files.
"""

from task_families import ADJECTIVES, CITIES, EASY_NOUNS, NAMES, NOUNS, draft_of, joined, other


def write_table(rng, difficulty):
    """A Markdown table of given rows: two rows of two columns; three of three; four of three, most points first."""
    count, width = ((2, 2), (3, 3), (4, 3))[difficulty - 1]
    points = map(str, rng.sample(range(10, 100), count))
    names, cities = rng.sample(NAMES, count), rng.sample(CITIES, count)
    rows = [list(row[:width]) for row in zip(names, points, cities, strict=True)]
    columns = ["name", "points", "city"][:width]
    facts = "; ".join(", ".join(row) for row in rows)
    if difficulty == 3:
        rows = sorted(rows, key=lambda row: -int(row[1]))
    return draft_of(
        "sorted" if difficulty == 3 else "table", {"columns": joined(columns), "facts": facts},
        _markdown([columns, *rows]), _markdown([columns, *rows[1:], rows[0]]), ["{}"],
        "table", {"rows": [columns, *rows]}, facts,
    )  # fmt: skip


def _markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


COMMON_WORDS = {  # hard to do without -> a sentence with it
    "the": "The {word} looks good today.",
    "a": "A {word} looks good today.",
    "is": "This {word} is good.",
    "it": "This {word} has it all.",
    "my": "My {word} looks good today.",
    "in": "Our {word} stands in here.",
}


def forbidden_words(rng, difficulty):
    """A sentence with a given word and without an adjective; without one common word; without three."""
    word, count = rng.choice(NOUNS), (1, 1, 3)[difficulty - 1]
    forbidden = rng.sample(ADJECTIVES if difficulty == 1 else list(COMMON_WORDS), count)
    answer = f"This {word} looks good today."
    wrong = COMMON_WORDS.get(forbidden[-1], f"This {{word}} looks {forbidden[-1]} today.").format(word=word)
    listed = ", ".join(f'"{item}"' for item in forbidden[:-1])
    listed = f'{listed} or "{forbidden[-1]}"' if listed else f'"{forbidden[-1]}"'
    return draft_of(
        "without", {"word": word, "forbidden": listed}, answer, wrong, ["{}"], "sentence",
        {"min_words": 3, "max_words": 40, "required": [word], "forbidden": forbidden}, f"{word} {forbidden}",
    )  # fmt: skip


def letter_case(rng, difficulty):
    """Three words of capitals in small letters; four words with a capital each; five, one of them in capitals."""
    words = rng.sample(NOUNS, 2 + difficulty)
    place = rng.randrange(len(words))
    form, shown, answer, wrong = {
        1: ("lower", " ".join(words).upper(), " ".join(words), " ".join(words).capitalize()),
        2: ("title", " ".join(words), " ".join(words).title(), " ".join(words).capitalize()),
        3: ("one", " ".join(words), _raised(words, place), _raised(words, place - 1)),
    }[difficulty]
    return draft_of(
        form, {"text": shown, "word": words[place]}, answer, wrong, ["The new text is: {}."],
        "text", {"value": answer, "match_case": True}, f"{' '.join(words)} {place if difficulty == 3 else ''}",
    )  # fmt: skip


def _raised(words, place):
    place %= len(words)
    return " ".join([*words[:place], words[place].upper(), *words[place + 1 :]])


def drop_repeats(rng, difficulty):
    """Each word of a list once: of four words with one repeat; six with two; nine with three."""
    kept = rng.sample(EASY_NOUNS if difficulty == 1 else NOUNS, (3, 4, 6)[difficulty - 1])
    words = list(kept)
    for word in rng.sample(kept, difficulty):
        words.insert(rng.randint(words.index(word) + 1, len(words)), word)
    return draft_of(
        "once", {"words": joined(words)}, joined(kept), joined(words), ["Each word once: {}."],
        "items", {"values": kept}, joined(words),
    )  # fmt: skip


def extract_items(rng, difficulty):
    """The numbers of a text with two of them; the numbers or the names of one with three; the names among five."""
    count = (2, 3, 5)[difficulty - 1]
    names, cities, nouns = rng.sample(NAMES, count), rng.sample(CITIES, count), rng.sample(NOUNS, count)
    numbers = [str(number) for number in rng.sample(range(3, 100), count)]
    form = "numbers" if difficulty == 1 else "names" if difficulty == 3 else rng.choice(["numbers", "names"])
    text = " ".join(
        f"In {city} {name} sold every {noun} for {number} dollars."
        for city, name, noun, number in zip(cities, names, nouns, numbers, strict=True)
    )
    values = numbers if form == "numbers" else names
    wrong = [*values[:-1], other(rng, cities, values[-1])]
    return draft_of(
        form, {"text": text}, joined(values), joined(wrong), [f"The {form} are: {{}}."],
        "items", {"values": values}, f"{form} {text}",
    )  # fmt: skip


def common_words(rng, difficulty):
    """The words that two lists share: one of three; two of five; three of seven."""
    size, shared = ((3, 1), (5, 2), (7, 3))[difficulty - 1]
    words = rng.sample(NOUNS, 2 * size - shared)
    first, second = words[:size], [*words[:shared], *words[size:]]
    rng.shuffle(first)
    rng.shuffle(second)
    answer = [word for word in first if word in second]
    wrong = [*answer[:-1], other(rng, second, *answer)]
    return draft_of(
        "both", {"first": joined(first), "second": joined(second)}, joined(answer), joined(wrong),
        ["In both lists: {}."], "selection", {"options": answer, "count": shared}, f"{first} {second}",
    )  # fmt: skip


FORMAT_FAMILIES = {
    make.__name__: make
    for make in (write_table, forbidden_words, letter_case, drop_repeats, extract_items, common_words)
}
