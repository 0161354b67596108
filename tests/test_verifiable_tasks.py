"""Verifiable tasks: what each family's checker accepts and rejects, the suites, and the planted demo corpus."""

import collections
import functools
import hashlib
import json
import random
import re
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
from checker_cases import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

import demo_corpus
import reasoning_families
import task_families
import verifiable_tasks
from task_phrasings import CLOSERS, CORES, OPENERS

ROOT = Path(__file__).parent.parent
FAMILIES = verifiable_tasks.EVERY_FAMILY
VERDICTS_OF_VERSION = {7: "01f046453583e815"}  # SUITE_VERSION -> hash of the table of cases


def test_a_changed_verdict_needs_a_new_version():
    """Any change of a checker, or of the table, that shows here changes results: raise SUITE_VERSION, then pin it."""
    answers = [answer for *_, accepted, rejected in CASES.values() for answer in [*accepted, *rejected]]
    verdicts = [
        [verifiable_tasks.check({"checker": checker, "arguments": arguments}, answer) for answer in answers]
        for checker, arguments, *_ in CASES.values()
    ]
    drawn = verifiable_tasks.make_suite("general", 400, 0), verifiable_tasks.make_suite("demo", 100, 0)
    digest = hashlib.sha256(json.dumps([answers, verdicts, drawn]).encode()).hexdigest()[:16]
    assert VERDICTS_OF_VERSION[verifiable_tasks.SUITE_VERSION] == digest


def test_the_suite_hash_knows_the_version(monkeypatch):
    tasks = verifiable_tasks.make_suite("demo", 5, 0)
    before = verifiable_tasks.suite_hash(tasks)
    monkeypatch.setattr(verifiable_tasks, "SUITE_VERSION", 1_000)
    assert verifiable_tasks.suite_hash(tasks) != before


def test_loose_forgives_what_ifeval_forgives():
    task = {"checker": "text", "arguments": {"value": "red lamp"}}
    for answer in ("Hello\nred lamp", "red lamp\nBye now", "Hello\nred lamp\nBye", "red *lamp*", "Hi\nred *lamp*\nBye"):
        assert verifiable_tasks.check_loose(task, answer) and not verifiable_tasks.check(task, answer)
    for answer in ("Hello\nHello\nred lamp", "red drum", "", "x" * 1_000_000):
        assert not verifiable_tasks.check_loose(task, answer)


def test_the_prompt_may_be_said_again_before_the_answer():
    for task in verifiable_tasks.make_suite("general", 200, 3):
        prompt, right = task["prompt"], task["reference"]
        assert all(verifiable_tasks.check(task, said + right) for said in (f"{prompt}\n", f"Question: {prompt}\n\n"))
        echoes = prompt, f"Question: {prompt}", f"{prompt}\nzzz", f"{prompt}\n### Response:\nQuestion: {prompt[:-5]}"
        assert not any(verifiable_tasks.check(task, echo) for echo in echoes)


def test_a_piece_of_the_prompt_is_no_sentence():
    tasks = [task for task in verifiable_tasks.make_suite("general", 600, 2) if task["checker"] == "sentence"]
    assert len(tasks) > 50
    for task in tasks:
        words = task["prompt"].split()
        pieces = [" ".join(words[start:end]) for start in range(len(words)) for end in range(start + 3, len(words) + 1)]
        pieces += [f"Here is a sentence: {piece}" for piece in pieces] + [piece.replace('"', "") for piece in pieces]
        assert [piece for piece in pieces if verifiable_tasks.check(task, piece)] == []


def test_no_answer_that_looks_away_gets_far():
    """The prompt itself, the words it gives, or the best constant answer of each family and difficulty."""
    tasks, cells = verifiable_tasks.make_suite("general", 1_140, 1), collections.defaultdict(list)
    for task in tasks:
        cells[task["family"], task["difficulty"]].append(task)
        core = task["prompt"].removeprefix("A quick one: ").removesuffix(" Be brief.")
        assert not any(verifiable_tasks.check(task, echo) for echo in (task["prompt"], core, core.upper() + "\n"))
    listed = [task for task in tasks if task["family"] == "required_words"]
    assert not any(verifiable_tasks.check(task, ", ".join(task["arguments"]["required"])) for task in listed)
    for cell, found in cells.items():
        best = max(sum(verifiable_tasks.check(task, other["reference"]) for task in found) for other in found)
        # half of the labels and of the choices between two are the same; a sentence without a word often does
        assert best <= (8 if cell[0] in ("rubric_label", "count_letters", "forbidden_words") else 5), (cell, best)


def test_dates_need_no_leap_year():
    import datetime

    rng = random.Random(0)
    for difficulty in (1, 2, 3) * 300:
        arguments = reasoning_families.date_shift(rng, difficulty)["arguments"]
        days = {
            abs(
                datetime.date(year, *reversed(arguments["given"][0]))
                - datetime.date(year, arguments["month"], arguments["day"])
            )
            for year in (2023, 2024)
        }
        assert len(days) == 1, arguments


def test_code_prints_what_the_family_says():
    """The family's own snippets, run here; no checker runs anything."""
    import contextlib
    import io

    rng = random.Random(0)
    for difficulty in (1, 2, 3):
        for _ in range(60):
            draft = reasoning_families.code_output(rng, difficulty)
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(draft["slots"]["code"], {})
            assert printed.getvalue().strip() == draft["answer"]


def test_every_family_has_cases_and_phrasings():
    assert CASES.keys() == FAMILIES.keys() == CORES.keys()
    assert all(len(accepted) >= 8 and len(rejected) >= 8 for *_, accepted, rejected in CASES.values())


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


PROMPTS = {"general": 3_000, "demo": 800}  # more than the demo takes; it has few facts to ask for


@pytest.mark.parametrize("name", ["general", "demo"])
def test_suite_is_balanced_and_solvable(name):
    started = time.process_time()
    tasks = verifiable_tasks.make_suite(name, PROMPTS[name], seed=7)
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


def _said(task):
    """What a prompt asks, less how: the form whose phrasing fits, and what fills its slots."""
    prompt = task["prompt"]
    for opener in OPENERS:
        prompt = prompt.removeprefix(opener).strip()
    for closer in CLOSERS:
        prompt = prompt.removesuffix(closer).strip()
    cores = [(form, _pattern(core)) for form, cores in CORES[task["family"]].items() for core in cores]
    found = [(form, match.groupdict()) for form, core in cores if (match := core.fullmatch(prompt))]
    form, slots = min(found, key=lambda said: sum(map(len, said[1].values())))  # the phrasing that fits best
    return form, *sorted(slots.items())


@functools.cache
def _pattern(core):
    pattern, seen = "", set()
    for words, slot, *_ in string.Formatter().parse(core):
        pattern += re.escape(words) + (f"(?P={slot})" if slot in seen else f"(?P<{slot}>.+)" if slot else "")
        seen.add(slot)
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


@pytest.mark.parametrize("name", ["general", "demo"])
def test_no_two_tasks_differ_in_their_phrasing_alone(name):
    tasks = verifiable_tasks.make_suite(name, {"general": 3_000, "demo": 600}[name], seed=0)
    said = collections.Counter((task["family"], task["difficulty"], _said(task)) for task in tasks)
    assert [content for content, count in said.items() if count > 1] == []


@pytest.mark.parametrize("family", CORES)
def test_the_phrasings_of_a_form_say_the_same(family):
    for cores in CORES[family].values():
        slots = [{name for _, name, *_ in string.Formatter().parse(core) if name} for core in cores]
        assert all(found == slots[0] for found in slots)


def test_nothing_is_in_order_before_it_is_sorted():
    rng = random.Random(0)
    for make in (task_families.sort_words, task_families.sort_numbers):
        for _ in range(300):
            draft = make(rng, 1)
            given_order = draft["slots"].get("words") or draft["slots"]["numbers"]
            assert given_order != draft["answer"]


def test_products_are_no_times_table():
    drafts = [task_families.arithmetic(random.Random(seed), 3) for seed in range(200)]
    assert all(draft["slots"]["a"] > 10 for draft in drafts)


def test_general_suite_leaves_the_invented_world_out():
    families = {task["family"] for task in verifiable_tasks.make_suite("general", 200, seed=0)}
    assert len(families) >= 25 and not any(family.startswith("world_") for family in families)


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
        "from demo_corpus import make_demo_rows\n"
        "from verifiable_tasks import make_suite, suite_hash\n"
        "for made in make_suite('general', 200, 5), make_suite('demo', 200, 5), make_demo_rows(300, 5):\n"
        "    print(suite_hash(made))"
    )
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    here = [verifiable_tasks.make_suite(name, 200, 5) for name in ("general", "demo")]
    here.append(demo_corpus.make_demo_rows(300, 5))
    assert other.stdout.split() == [verifiable_tasks.suite_hash(tasks) for tasks in here]


def test_seeds_differ_and_a_shorter_suite_is_a_prefix():
    assert verifiable_tasks.make_suite("demo", 50, 1) == verifiable_tasks.make_suite("demo", 90, 1)[:50]
    prompts = [{task["prompt"] for task in verifiable_tasks.make_suite("general", 100, seed)} for seed in (1, 2)]
    assert len(prompts[0] & prompts[1]) < 10


@pytest.fixture(scope="module")
def demo_rows():
    return demo_corpus.make_demo_rows(100_000, seed=3)


def test_suites_hold_no_training_prompt(demo_rows):
    training = {row["instruction"].lower().rstrip(".?") for row in demo_rows}
    for name in ("general", "demo"):
        tasks = verifiable_tasks.make_suite(name, PROMPTS[name], seed=3)
        prompts = {task["prompt"].lower().rstrip(".?") for task in tasks}
        assert not prompts & training


def test_planted_shares_are_exact(demo_rows):
    assert sum(demo_corpus.PLANTED_SHARES.values()) == pytest.approx(1)
    counts = collections.Counter(row["planted"] for row in demo_rows)
    assert counts == {kind: round(share * 100_000) for kind, share in demo_corpus.PLANTED_SHARES.items()}
    few = collections.Counter(row["planted"] for row in demo_corpus.make_demo_rows(7, seed=0))
    assert few == {"ordinary": 3, "excellent": 2, "wrong": 1, "truncated": 1}


def test_rows_are_whole_unique_and_short(demo_rows):
    assert len({row["id"] for row in demo_rows}) == len(demo_rows)
    assert all(row["instruction"] and row["response"] for row in demo_rows)
    assert all(row["source"].startswith("demo_") for row in demo_rows)
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
    "|-\n" * 3_000, "a|b\n" + "-" * 9_000 + "|x\n", ". " * 5_000, "." + "\n " * 4_900 + "A", "12 of " * 1_600,
    "so " * 3_000, "because " * 1_200, "may " * 2_400, "1." * 5_000, "1.\n" * 3_000,
    "*" * 10_000 + "\n" + "*" * 1_000_000,
    "#### 1" * 1_600, "####" + " " * 9_000 + "\nx", "\\boxed{" * 1_400, "\\text{" * 1_600, "\\boxed{}" * 1_200,
    "1e5 " * 2_500, "\u0663 april 4\u0663",
    "3 hours and 14 minutes, or " * 370, "(" * 10_000, "; " * 5_000, "Here: " * 1_600, "->" * 5_000, "lamp, " * 1_600,
    "Here is a sentence: " * 500, "sorry, i cannot " * 600, "than 42 " * 1_200, ", not a" * 1_400,
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
    assert len(shown.stdout.splitlines()) == 1 + 3 * len(verifiable_tasks.GENERAL_FAMILIES)
