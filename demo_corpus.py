"""The embedded demo corpus: short instruction rows whose quality is known because it was planted.

Rows come from the easier general families and from families about an invented world, whose facts are in no other text:
what a model says about them it has learnt here. Each row is planted as excellent, ordinary or spoilt in a named way.
Facts of the invented world are shared with the demo suite, since they are what is to be learnt; all else, phrasings
and values, is not (see `task_families.part_of`).

Used by `verifiable_tasks`; reads and writes no files.
"""

import functools
import random

from task_checkers import CHECKERS
from task_families import FAMILIES, draft_of, draw, joined, other

WORLD_NAMES = (
    "Abo Adin Alba Arun Bela Bram Brin Calo Cato Cira Dara Delo Dovi Drin Elka Enso Fado Fela Fion Gala Gero Gita Hado "
    "Hila Ibo Iska Jaro Jela Kavi Kelo Kiva Lado Lena Lomi Mako Mela Miro Nalo Neri Nuno Obin Orla Pavo Pela Rado Reni "
    "Rilo Sabo Sela Sorin Tavi Tela Tiro Ubin Ula Vada Velo Vira Yaro Zela"
).split()
WORLD_VALUES = {
    "colour": "red blue green white black brown pink grey gold purple".split(),
    "home": "Alden Borik Corva Durn Elmar Fosk Gruna Holt Ister Kolm".split(),
    "job": "baker doctor farmer driver singer teacher painter sailor cook guard".split(),
    "pet": "cat dog horse rabbit parrot goat duck turtle hamster pony".split(),
    "food": "bread rice soup fish cheese cake beans corn eggs honey".split(),
    "game": "chess tennis golf cards darts hockey rugby squash polo bowls".split(),
}
WORLD_FRAMES = {  # the two full answers of a single question
    "colour": ["The colour of {name} is {{}}.", "{name} likes {{}}."],
    "home": ["{name} lives in {{}}.", "The home of {name} is {{}}."],
    "job": ["{name} works as a {{}}.", "The job of {name} is {{}}."],
    "pet": ["{name} has a {{}}.", "The pet of {name} is a {{}}."],
    "food": ["{name} eats {{}}.", "The food of {name} is {{}}."],
    "game": ["{name} plays {{}}.", "The game of {name} is {{}}."],
}

DEMO_FAMILIES = {  # weight in the corpus; difficulties in the corpus and in the demo suite
    "world_colour": {"weight": 2, "difficulties": [1, 2]},
    "world_home": {"weight": 2, "difficulties": [1, 2]},
    "world_job": {"weight": 2, "difficulties": [1, 2]},
    "world_pet": {"weight": 2, "difficulties": [1, 2]},
    "world_food": {"weight": 2, "difficulties": [1, 2]},
    "world_game": {"weight": 2, "difficulties": [1, 2]},
    "arithmetic": {"weight": 2, "difficulties": [1]},
    "comparison": {"weight": 2, "difficulties": [1]},
    "copy_text": {"weight": 1, "difficulties": [1]},
    "repeat_word": {"weight": 1, "difficulties": [1]},
    "json_object": {"weight": 1, "difficulties": [1]},
    "pick_position": {"weight": 1, "difficulties": [1]},
    "starts_with": {"weight": 1, "difficulties": [1]},
}

PLANTED_SHARES = {
    "excellent": 0.25, "ordinary": 0.45,
    "wrong": 0.10, "truncated": 0.05, "off_topic": 0.05, "looped": 0.04, "noisy": 0.03, "terse": 0.03,
}  # fmt: skip

CASUAL_FRACTION = 0.6  # of the rows that are not excellent: typed in lower case, without end punctuation
BARE_FRACTION = 0.5  # of the ordinary responses: the answer alone; the others lack only the full stop
MAX_REDRAWS = 50  # for an instruction that no earlier row has; small families repeat themselves past that
NOISE_CHARACTERS = "#@%&*~^|<>=+_$0123456789xqzjk"
NOISE_FRACTION = 0.35  # of the characters; a word in two stays readable
TERSE_RESPONSES = ["ok", "no idea", "?", "sure", "I cannot say.", "hm", "...", "later"]


@functools.cache
def world_facts() -> dict[str, dict[str, str]]:
    """{attribute: {name: value}}: each value belongs to the same number of names; the same in every run."""
    rng, facts = random.Random("invented world"), {}
    for attribute, values in WORLD_VALUES.items():
        names = rng.sample(WORLD_NAMES, len(WORLD_NAMES))
        facts[attribute] = {name: values[index % len(values)] for index, name in enumerate(names)}
    return facts


def _world(attribute, rng, difficulty):
    """The attribute of an invented name: open; between two values; of two names in order."""
    facts, values = world_facts()[attribute], WORLD_VALUES[attribute]
    name, second = rng.sample(WORLD_NAMES, 2)
    value, wrong = facts[name], other(rng, values, facts[name])
    if difficulty == 3:
        pair = [value, facts[second]]
        return draft_of(
            "pair", {"name": name, "other": second}, joined(pair), joined([wrong, facts[second]]), ["They are {}."],
            "items", {"values": pair}, None,
        )  # fmt: skip
    x, y = rng.sample([value, wrong], 2)
    frames = [frame.format(name=name) for frame in WORLD_FRAMES[attribute]]
    return draft_of(
        "choose" if difficulty == 2 else "ask", {"name": name, "x": x, "y": y}, value, wrong, frames,
        "choice", {"value": value, "options": values}, None,
    )  # fmt: skip


WORLD_FAMILIES = {f"world_{attribute}": functools.partial(_world, attribute) for attribute in WORLD_VALUES}
ALL_FAMILIES = {**FAMILIES, **WORLD_FAMILIES}


def make_demo_rows(rows: int, seed: int) -> list[dict]:
    """`rows` dicts {"id", "source", "instruction", "response", "planted"}, shuffled, the same for the same seed.

    "planted" is a key of PLANTED_SHARES, in exactly those shares (largest remainder). Instructions differ from each
    other as far as the families can tell so many apart.
    """
    rng, seen = random.Random(f"{seed}/demo rows"), set()
    planted = [kind for kind, count in _exact_counts(PLANTED_SHARES, rows).items() for _ in range(count)]
    rng.shuffle(planted)
    weights = [family["weight"] for family in DEMO_FAMILIES.values()]
    families = rng.choices(list(DEMO_FAMILIES), weights, k=rows)
    made = []
    for number, (family, kind) in enumerate(zip(families, planted, strict=True)):
        draft, instruction = _unseen(family, kind, rng, seen)
        made.append({
            "id": f"demo-{seed}-{number:06d}", "source": f"demo_{family}", "instruction": instruction,
            "response": _response(draft, kind, family, rng), "planted": kind,
        })  # fmt: skip
    return made


def _exact_counts(shares: dict[str, float], total: int) -> dict[str, int]:
    """Whole numbers in the given shares that add up to `total`, by largest remainder."""
    counts = {name: int(share * total) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: counts[name] - shares[name] * total)
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def _unseen(family, kind, rng, seen):
    """A draft and an instruction that is not in `seen`, to which it is added; a repeat after MAX_REDRAWS tries."""
    for _ in range(MAX_REDRAWS):
        draft, instruction = _draw_demo(family, rng)
        if kind != "excellent" and rng.random() < CASUAL_FRACTION:
            instruction = instruction[0].lower() + instruction[1:].rstrip(".?")
        if instruction not in seen:
            break
    seen.add(instruction)
    return draft, instruction


def _draw_demo(family, rng):
    difficulty = rng.choice(DEMO_FAMILIES[family]["difficulties"])
    return draw(family, ALL_FAMILIES[family], difficulty, "training", rng)


def _framed(draft, answer, rng):
    return rng.choice(draft["frames"]).replace("{}", answer)


def _response(draft, kind, family, rng):
    if kind == "excellent":
        return _framed(draft, draft["answer"], rng)
    if kind == "ordinary":
        return draft["answer"] if rng.random() < BARE_FRACTION else _framed(draft, draft["answer"], rng).rstrip(".")
    if kind == "wrong":
        return _framed(draft, draft["wrong"], rng) if rng.random() < 0.5 else draft["wrong"]
    if kind == "off_topic":
        return _off_topic(draft, family, rng)
    if kind == "terse":
        return rng.choice(TERSE_RESPONSES)
    spoil = {"truncated": _truncated, "looped": _looped, "noisy": _noisy}[kind]
    return spoil(_framed(draft, draft["answer"], rng), rng)


def _off_topic(draft, family, rng):
    """A right answer to a prompt of another family that does not happen to answer this one."""
    while True:
        donor, _ = _draw_demo(other(rng, list(DEMO_FAMILIES), family), rng)
        response = _framed(donor, donor["answer"], rng)
        if not CHECKERS[draft["checker"]](response, **draft["arguments"]):
            return response


def _truncated(response, rng):
    """The first 20% to 60%, cut inside a word where there is one."""
    length = max(1, int(len(response) * rng.uniform(0.2, 0.6)))
    return response[:length].rstrip() or response[0]


def _looped(response, rng):
    return " ".join([response] * rng.randint(3, 4))


def _noisy(response, rng):
    """Characters replaced by noise; at least two of them."""
    characters = list(response)
    count = max(2, int(NOISE_FRACTION * len(characters)))
    for index in rng.sample(range(len(characters)), min(count, len(characters))):
        characters[index] = rng.choice(NOISE_CHARACTERS)
    return "".join(characters)
