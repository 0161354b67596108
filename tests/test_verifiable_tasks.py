"""Verifiable tasks: what each family's checker accepts and rejects, the suites, and the planted demo corpus."""

import collections
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import demo_corpus
import task_families
import verifiable_tasks
from task_phrasings import CORES

ROOT = Path(__file__).parent.parent
FAMILIES = demo_corpus.ALL_FAMILIES

SUM = {"value": 42, "operands": [17, 25]}
LARGER = {"value": "43", "options": ["42", "43"], "opposites": ["smaller", "less", "lower"]}
WORDS = {"value": "drum", "options": ["lamp", "drum", "tree"]}
SORTED = {"values": ["apple", "lamp", "tree"]}
SORTED_NUMBERS = {"values": ["4", "7", "21"]}
COPIED = {"value": "red lamp"}
CAPITALS = {"value": "RED LAMP", "match_case": True}
PETS = {"value": "cat", "options": ["cat", "dog", "goat"]}
LABELS = {"value": "short", "options": ["short", "long"]}
TOWNS = {"value": "Paris", "options": ["Paris", "Rome", "Lima"]}

# family -> checker, arguments, accepted answers, rejected answers; near misses among both
CASES = {
    "arithmetic": (
        "number", SUM,
        ["42", "The answer is 42.", "17 + 25 = 42", "42.0", "42. Do not thank me!", "17 and 25 make **42**.", "$42"],
        ["142", "42 or 43", "17 or 42", "41", "", "-42", "17 + 25", "42.5", "The answer is not 42.", "4 2", "4200",
         "42. 42. 42.", "17 plus 25 is 42. 17 plus 25 is 42. 17 plus 25 is 42."],
    ),
    "comparison": (
        "choice", LARGER,
        ["43", "43.", "The larger number is 43.", "43 is larger than 42.", "**43**"],
        ["42", "42 or 43", "143", "43 is smaller than 42.", "43 and 42", "42 is larger than 43", "4 3",
         "43 43 43 43"],
    ),
    "number_sequence": (
        "number", {"value": 50, "operands": [30, 35, 40, 45]},
        ["50", "The next number is 50.", "30, 35, 40, 45, 50", "fifty: 50", "+5, so 45 + 5 = 50"],
        ["55", "500", "50, 55", "45", "fifty", "5 0", "50 or 55"],
    ),
    "sort_words": (
        "items", SORTED,
        ["apple, lamp, tree", "apple lamp tree", "- apple\n- lamp\n- tree", "Sure! Sorted: apple, lamp, and tree."],
        ["apple, tree, lamp", "apple, lamp", "apple, lamp, tree, drum", "apples, lamp, tree", "not apple, lamp, tree"],
    ),
    "sort_numbers": (
        "items", SORTED_NUMBERS,
        ["4, 7, 21", "4,7,21", "4 7 21", "1. 4\n2. 7\n3. 21", "In order: 4, 7 and 21."],
        ["4, 21, 7", "4, 7", "4, 7, 21, 30", "4, 7, 2 1", "4721"],
    ),
    "count_words": (
        "number", {"value": 3},
        ["3", "three", "There are 3 words.", "The answer is three."],
        ["2", "33", "3 or 4", "two", "many", "there are not 3 words"],
    ),
    "count_letters": (
        "number", {"value": 1},
        ["1", "one", "The letter a occurs 1 time.", "Just one."],
        ["2", "1 or 2", "once or twice", "11", "none", "-1"],
    ),
    "copy_text": (
        "text", COPIED,
        ["red lamp", "Red lamp.", '"red lamp"', "Here it is: red lamp", "```\nred lamp\n```"],
        ["red lamps", "lamp red", "red", "red lamp red lamp", "the red lamp", "red lamp or red drum"],
    ),
    "repeat_word": (
        "items", {"values": ["lamp"] * 3},
        ["lamp lamp lamp", "lamp, lamp, lamp", "Lamp lamp lamp.", "lamp\nlamp\nlamp"],
        ["lamp lamp", "lamp lamp lamp lamp", "lamplamplamp", "lamp lamp drum", "lamp 3 times"],
    ),
    "replace_word": (
        "text", COPIED,
        ["red lamp", "The new text is: red lamp", "The new text is red lamp.", "`red lamp`"],
        ["red drum", "red", "red drum becomes a red lamp", "blue lamp", "red lamp, blue lamp"],
    ),
    "upper_case": (
        "text", CAPITALS,
        ["RED LAMP", "RED LAMP.", "In capitals: RED LAMP", '"RED LAMP"'],
        ["red lamp", "Red Lamp", "RED lamp", "RED LAMPS", "RED", "RED LAMP RED LAMP"],
    ),
    "reverse_order": (
        "items", {"values": ["tree", "lamp", "apple"]},
        ["tree, lamp, apple", "tree lamp apple", "The new order is tree, lamp, apple.", "1) tree\n2) lamp\n3) apple"],
        ["apple, lamp, tree", "tree, apple, lamp", "eert, pmal, elppa", "tree, lamp"],
    ),
    "drop_word": (
        "items", {"values": ["apple", "tree"]},
        ["apple, tree", "apple and tree", "What remains: apple, tree.", "* apple\n* tree"],
        ["apple, lamp, tree", "apple", "tree, apple", "lamp", "apple, tree, drum"],
    ),
    "pick_position": (
        "choice", WORDS,
        ["drum", "Drum.", "The second word is drum.", "It is **drum**", "'drum'"],
        ["lamp", "drum or lamp", "drums", "lamp, drum, tree", "not drum", "", "the second"],
    ),
    "starts_with": (
        "choice", WORDS,
        ["drum", "It is drum, which starts with d.", "DRUM", "The answer: drum"],
        ["tree", "drum, tree", "d", "drumstick", "It is not drum"],
    ),
    "passage_extraction": (
        "choice", WORDS,
        ["drum", "the drum", "Anna bought the drum.", "On Monday, Anna bought the drum."],
        ["lamp", "the drum and the lamp", "drums", "Anna bought it.", "Anna never bought the drum."],
    ),
    "table_lookup": (
        "choice", TOWNS,
        ["Paris", "paris", "Anna lives in Paris.", "In Paris, as the table says."],
        ["Rome", "Paris or Rome", "Anna", "Parish", "Anna is not in Paris"],
    ),
    "json_object": (
        "json_object", {"expected": {"item": "lamp", "count": 5}},
        ['{"item": "lamp", "count": 5}', '{"count":5,"item":"lamp"}', '```json\n{"item": "lamp", "count": 5}\n```',
         '\n{\n  "item": "lamp",\n  "count": 5\n}\n', 'Here: {"item": "lamp", "count": 5}'],
        ['{"item": "lamp", "count": "5"}', '{"item": "lamp"}', '{"item": "lamp", "count": 5, "x": 1}',
         "{'item': 'lamp', 'count': 5}", '{"item": "lamp", "count": 5} {"item": "lamp", "count": 5}',
         '{"item": "lamp", "count": 5.0}', '[{"item": "lamp", "count": 5}]', '{"item": "lamp", "count": 5',
         '{"item": "drum", "item": "lamp", "count": 5}'],
    ),
    "choose_items": (
        "selection", {"options": ["apple", "lamp", "tree", "drum"], "count": 2},
        ["apple, lamp", "drum and apple", "My choice: tree, lamp.", "1. lamp\n2. drum"],
        ["apple", "apple, lamp, tree", "apple, apple", "apple, violin", "apple, lamp, tree, drum"],
    ),
    "numbered_list": (
        "numbered_list", {"values": ["apple", "lamp"]},
        ["1. apple\n2. lamp", "1) Apple\n2) Lamp", "Here you are:\n1. apple\n2. lamp", "1. **apple**\n\n2. lamp."],
        ["- apple\n- lamp", "apple\nlamp", "1. lamp\n2. apple", "1. apple", "1. apple\n3. lamp", "1. apple 2. lamp"],
    ),
    "exact_length": (
        "sentence", {"min_words": 4, "max_words": 4, "required": ["lamp"]},
        ["The lamp looks red.", "I like the lamp", "Lamp posts are tall!", '"My lamp is new."'],
        ["The lamp is very red.", "The lamp shines.", "The drum is red.", "lamp lamp lamp lamp", "Our lamps are dear"],
    ),
    "required_words": (
        "sentence", {"min_words": 3, "max_words": 14, "required": ["lamp", "tree"]},
        ["The lamp is by the tree.", "A tree, a lamp and a drum.", "Tree and lamp.", "LAMP meets TREE at night"],
        ["The lamp is by the door.", "lamp tree", "lamps and trees are here", "lamp tree lamp tree lamp tree", ""],
    ),
    "sentence_edges": (
        "sentence", {"min_words": 3, "first": "Today", "last": "lamp"},
        ["Today I saw a lamp.", '"Today he sold my lamp!"', "today we buy the lamp", "Here it is: Today I need a lamp"],
        ["I saw a lamp today.", "Today I saw lamps.", "Today lamp", "So: Today I saw a lamp.", "Lamp today lamp"],
    ),
    "rubric_label": (
        "choice", LABELS,
        ["short", "Short.", "The label is short.", "Label: **short**"],
        ["long", "short or long", "shorter", "not short", "It has 3 words."],
    ),
    "spelling": (
        "text", {"value": "l-a-m-p"},
        ["l-a-m-p", "L-A-M-P", "Lamp is spelt: l-a-m-p", '"l-a-m-p".'],
        ["lamp", "l a m p", "l-a-p", "l-a-m-p-s", "l--a-m-p"],
    ),
    **{
        f"world_{attribute}": (
            "choice", PETS,
            ["cat", "Cat.", "Bram has a cat.", "The pet of Bram is a cat.", "I think it is a cat"],
            ["dog", "a cat or a dog", "cats", "Bram has no pet.", "Bram does not have a cat.", "", "concatenate"],
        )
        for attribute in demo_corpus.WORLD_VALUES
    },
}  # fmt: skip


def test_every_family_has_cases_and_phrasings():
    assert CASES.keys() == FAMILIES.keys() == CORES.keys()
    assert all(len(accepted) >= 4 and len(rejected) >= 4 for *_, accepted, rejected in CASES.values())


@pytest.mark.parametrize("family", CASES)
def test_checker_accepts_and_rejects(family):
    checker, arguments, accepted, rejected = CASES[family]
    task = {"checker": checker, "arguments": arguments}
    assert [answer for answer in accepted if not verifiable_tasks.check(task, answer)] == []
    assert [answer for answer in rejected if verifiable_tasks.check(task, answer)] == []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("difficulty", [1, 2, 3])
@pytest.mark.parametrize("part", ["suite", "training"])
def test_answers_pass_and_slips_fail(family, difficulty, part):
    rng = random.Random(f"{family}/{difficulty}")
    for _ in range(30):
        draft, _ = task_families.draw(family, FAMILIES[family], difficulty, part, rng)
        assert draft["checker"] == ("items" if draft["form"] == "pair" else CASES[family][0])
        for frame in ["{}", *draft["frames"]]:
            right, wrong = (frame.replace("{}", draft[key]) for key in ("answer", "wrong"))
            assert verifiable_tasks.check(draft, right), (right, draft)
            assert not verifiable_tasks.check(draft, wrong), (wrong, draft)


@pytest.mark.parametrize("name", ["general", "demo"])
def test_suite_is_balanced_and_solvable(name):
    started = time.process_time()
    tasks = verifiable_tasks.make_suite(name, 3_000, seed=7)
    assert time.process_time() - started < 3  # under a second on an idle machine
    families = collections.Counter(task["family"] for task in tasks)
    cells = collections.Counter((task["family"], task["difficulty"]) for task in tasks)
    assert max(families.values()) - min(families.values()) <= 1
    per_family = {family: [cells[cell] for cell in cells if cell[0] == family] for family in families}
    assert all(max(counts) - min(counts) <= 1 for counts in per_family.values())
    assert len({task["prompt"] for task in tasks}) == len({task["id"] for task in tasks}) == len(tasks)
    assert all(verifiable_tasks.check(task, task["reference"]) for task in tasks)
    assert json.loads(json.dumps(tasks)) == tasks
    assert all(task["prompt"].isascii() and task["prompt"] == task["prompt"].strip() for task in tasks)


def test_general_suite_leaves_the_invented_world_out():
    families = {task["family"] for task in verifiable_tasks.make_suite("general", 200, seed=0)}
    assert len(families) >= 12 and not any(family.startswith("world_") for family in families)


def test_unknown_suite_is_named():
    with pytest.raises(ValueError, match="general, demo"):
        verifiable_tasks.make_suite("generale", 10, seed=0)


def test_an_exhausted_family_says_so():
    class Everything:
        def __contains__(self, prompt):
            return True

    with pytest.raises(ValueError, match="no more different prompts"):
        verifiable_tasks._unseen_task("copy_text", 1, random.Random("0"), Everything())


def test_same_in_another_process():
    code = (
        "from verifiable_tasks import *\n"
        "for made in make_suite('general', 200, 5), make_suite('demo', 200, 5), make_demo_rows(300, 5):\n"
        "    print(suite_hash(made))"
    )
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    here = [verifiable_tasks.make_suite(name, 200, 5) for name in ("general", "demo")]
    here.append(verifiable_tasks.make_demo_rows(300, 5))
    assert other.stdout.split() == [verifiable_tasks.suite_hash(tasks) for tasks in here]


def test_seeds_differ_and_a_shorter_suite_is_a_prefix():
    assert verifiable_tasks.make_suite("demo", 50, 1) == verifiable_tasks.make_suite("demo", 90, 1)[:50]
    prompts = [{task["prompt"] for task in verifiable_tasks.make_suite("general", 100, seed)} for seed in (1, 2)]
    assert len(prompts[0] & prompts[1]) < 10


@pytest.fixture(scope="module")
def demo_rows():
    return verifiable_tasks.make_demo_rows(100_000, seed=3)


def test_suites_hold_no_training_prompt(demo_rows):
    training = {row["instruction"].lower().rstrip(".?") for row in demo_rows}
    for name in ("general", "demo"):
        prompts = {task["prompt"].lower().rstrip(".?") for task in verifiable_tasks.make_suite(name, 3_000, seed=3)}
        assert not prompts & training


def test_planted_shares_are_exact(demo_rows):
    assert sum(verifiable_tasks.PLANTED_SHARES.values()) == pytest.approx(1)
    counts = collections.Counter(row["planted"] for row in demo_rows)
    assert counts == {kind: round(share * 100_000) for kind, share in verifiable_tasks.PLANTED_SHARES.items()}
    few = collections.Counter(row["planted"] for row in verifiable_tasks.make_demo_rows(7, seed=0))
    assert few == {"ordinary": 3, "excellent": 2, "wrong": 1, "truncated": 1}


def test_rows_are_whole_unique_and_short(demo_rows):
    assert len({row["id"] for row in demo_rows}) == len(demo_rows)
    assert all(row["instruction"] and row["response"] for row in demo_rows)
    assert all(row["source"] == "demo_" + row["source"].removeprefix("demo_") for row in demo_rows)
    assert {row["source"].removeprefix("demo_") for row in demo_rows} == set(demo_corpus.DEMO_FAMILIES)
    assert len({row["instruction"] for row in demo_rows}) > 0.97 * len(demo_rows)
    assert sum(len(row["instruction"]) + len(row["response"]) for row in demo_rows) / len(demo_rows) < 90


def test_good_rows_pass_and_wrong_rows_fail(monkeypatch):
    drafts = []
    draw = demo_corpus._unseen

    def recording_draw(*arguments):
        drafts.append(draw(*arguments)[0])
        return drafts[-1], "instruction"

    monkeypatch.setattr(demo_corpus, "_unseen", recording_draw)
    rows = demo_corpus.make_demo_rows(5_000, seed=1)
    for row, draft in zip(rows, drafts, strict=True):
        passed = verifiable_tasks.check(draft, row["response"])
        if row["planted"] in ("excellent", "ordinary"):
            assert passed, (row, draft)
        if row["planted"] in ("wrong", "off_topic", "terse"):
            assert not passed, (row, draft)


def test_world_facts_do_not_depend_on_the_seed():
    answers = collections.defaultdict(set)
    for seed in range(3):
        for task in verifiable_tasks.make_suite("demo", 600, seed):
            for name in set(demo_corpus.WORLD_NAMES) & set(task["prompt"].replace("?", " ").replace(".", " ").split()):
                answers[task["family"], name].add(task["reference"])
    world = {key: values for key, values in answers.items() if key[0].startswith("world_")}
    assert len(world) > 200 and all(len(values) == 1 for values in world.values())


NASTY = [
    "", " ", "\0", "\ud800", "\udfff" * 100, "42" * 4_000, "-" * 10_000, ":" * 10_000, "is " * 3_000, "```" * 3_000,
    "[" * 10_000, '{"a":' * 1_600, "1,1" * 3_000 + "x", "\n" * 10_000, "9. " * 3_000, "answer: " * 1_200, "= " * 5_000,
    "a" * 1_000_000, "1" * 1_000_000, "{" * 1_000_000, "\u0661\u0662", "NaN", '{"item": NaN}', "1e999", "' or 1=1",
    "__import__('os').system('true')", "x.y-z'" * 1_600, "\t" * 9_000 + "- lamp", "than " * 2_000,
]  # fmt: skip


def _verdicts(answer):
    return [
        verifiable_tasks.check({"checker": checker, "arguments": arguments}, answer)
        for checker, arguments, *_ in CASES.values()
    ]


@pytest.mark.parametrize("number", range(len(NASTY)))
def test_nasty_strings_get_a_quick_no(number):
    started = time.process_time()
    assert not any(_verdicts(NASTY[number]))
    assert time.process_time() - started < 1


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=300))
def test_any_string_gets_a_verdict(answer):
    assert all(verdict in (True, False) for verdict in _verdicts(answer))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["42", "lamp", "drum", '{"item"', ":", "is", "or", "\n", "1.", "-", "```", "=", ","])))
def test_any_mixture_of_answer_parts_gets_a_verdict(parts):
    assert all(verdict in (True, False) for verdict in _verdicts(" ".join(parts)))


def test_the_table_shows_every_cell():
    shown = subprocess.run(
        [sys.executable, "verifiable_tasks.py", "--seed", "1"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(shown.stdout.splitlines()) == 1 + 3 * len(task_families.FAMILIES)
