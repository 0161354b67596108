"""Verifiable tasks: prompts whose answers a program can check, for evaluation and for the embedded demo.

`make_suite("general", ...)` is the evaluation suite for real models; `make_suite("demo", ...)` has easy tasks and
questions about an invented world that only the rows of `demo_corpus.py` teach. Everything is drawn from string seeds
and is the same on every machine. The families are in `task_families.py`, `format_families.py` and
`reasoning_families.py`, the checkers in `task_checkers.py`. Reads and writes no files.

    python verifiable_tasks.py                # every family, one example of each difficulty
    python verifiable_tasks.py --suite demo --seed 1
"""

import hashlib
import json
import random
import re

from answer_text import MAX_ANSWER_CHARACTERS, plain, words_of
from command_line import argument_parser, run_main, whole
from demo_corpus import ALL_FAMILIES, DEMO_FAMILIES
from format_families import FORMAT_FAMILIES
from reasoning_families import REASONING_FAMILIES
from task_checkers import CHECKERS, sentence_of
from task_families import FAMILIES, content, draw
from task_phrasings import CLOSERS, OPENERS

SUITE_VERSION = 7  # raise it with any change of what a checker accepts: results of two versions do not compare

GENERAL_FAMILIES = {**FAMILIES, **FORMAT_FAMILIES, **REASONING_FAMILIES}
EVERY_FAMILY = {**GENERAL_FAMILIES, **ALL_FAMILIES}
SUITES = {  # suite -> family -> its difficulties there
    "general": {family: [1, 2, 3] for family in GENERAL_FAMILIES},
    "demo": {family: settings["difficulties"] for family, settings in DEMO_FAMILIES.items()},
}
MAX_REDRAWS = 1_000  # a cell of family and difficulty that yields no new task in so many draws is exhausted


def make_suite(name: str, prompts: int, seed: int) -> list[dict]:
    """`prompts` different tasks of the suite `name` ("general" or "demo"), balanced over families, then difficulties.

    Two that differ in their phrasing alone are the same task, since intervals take tasks as independent. A task is
    {"id", "family", "difficulty", "prompt", "reference", "checker", "arguments"}, plain JSON values. Raises ValueError
    for an unknown suite, or for more prompts than a family can tell apart.
    """
    if name not in SUITES:
        raise ValueError(f"no suite named {name!r}; there are: {', '.join(SUITES)}")
    tasks, seen, cells = [], set(), _cells(SUITES[name])
    for number in range(prompts):
        family, difficulty = next(cells)
        rng = random.Random(f"{seed}/{name}/{number}")
        task = _unseen_task(family, difficulty, rng, seen)
        tasks.append({"id": f"{name}-{seed}-{number:05d}", **task})
    return tasks


def _cells(families: dict[str, list[int]]):
    """(family, difficulty) without end: each round visits every family once, at its next difficulty."""
    round_number = 0
    while True:
        for family, difficulties in families.items():
            yield family, difficulties[round_number % len(difficulties)]
        round_number += 1


def _unseen_task(family: str, difficulty: int, rng: random.Random, seen: set[tuple[str, str]]) -> dict:
    for _ in range(MAX_REDRAWS):
        draft, prompt = draw(family, EVERY_FAMILY[family], difficulty, "suite", rng)
        asked = (family, content(family, draft))
        if asked not in seen:
            seen.add(asked)
            return {
                "family": family, "difficulty": difficulty, "prompt": prompt, "reference": draft["answer"],
                "checker": draft["checker"], "arguments": draft["arguments"],
            }  # fmt: skip
    raise ValueError(f"family {family} has no more different prompts of difficulty {difficulty}; ask for fewer")


def check(task: dict, answer: str) -> bool:
    """Whether the string `answer` solves the task (strict); never raises, and over-long answers fail unread.

    The prompt may be repeated before the answer; alone it solves nothing, even where its words would pass the checker.
    """
    prompt = task.get("prompt", "")
    if len(answer) > MAX_ANSWER_CHARACTERS or _is_echo(answer, prompt):
        return False
    said = prompt and re.match(rf"\W*(?:question:\W*)?{re.escape(prompt)}", answer, re.IGNORECASE)
    if said:
        answer = answer[said.end() :]
        if " ".join(_core(prompt)[:5]) in " ".join(_core(answer)):  # the question begun again
            return False
    answer = plain(answer)
    if task["checker"] == "sentence" and _is_part(words_of(sentence_of(answer)), words_of(prompt)):
        return False
    return CHECKERS[task["checker"]](answer, **task["arguments"])


def _is_part(words: list[str], of_words: list[str]) -> bool:
    """Whether the words stand in this order, without a gap, among `of_words`: no sentence of the writer's own."""
    return f" {' '.join(words)} " in f" {' '.join(of_words)} "


def _is_echo(answer: str, prompt: str) -> bool:
    """Whether the answer is the prompt, with or without its opener and closer."""
    return abs(len(answer) - len(prompt)) < MAX_FRAME_CHARACTERS and bool(prompt) and _core(answer) == _core(prompt)


MAX_FRAME_CHARACTERS = max(map(len, OPENERS)) + max(map(len, CLOSERS)) + 10


def _core(text: str) -> list[str]:
    """The words of a prompt less its opener and its closer."""
    text = " ".join(text.lower().split())
    for opener in OPENERS:
        text = text.removeprefix(opener.lower())
    for closer in CLOSERS:
        text = text.removesuffix(closer.lower())
    return [word.strip('.?!"') for word in text.split()]


def check_loose(task: dict, answer: str) -> bool:
    """Whether the answer passes as it is, or less its first line, its last line or both, each also without asterisks.

    The loose accuracy of IFEval (Zhou et al. 2023, arXiv:2311.07911), which forgives a greeting, a closing remark and
    Markdown emphasis. Whatever passes `check` passes here.
    """
    if len(answer) > MAX_ANSWER_CHARACTERS:
        return False
    lines = answer.split("\n")
    variants = [answer, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    variants = dict.fromkeys(variants + [variant.replace("*", "") for variant in variants])
    return any(check(task, variant) for variant in variants)


def suite_hash(tasks: list[dict]) -> str:
    """SHA-256, in hex, of SUITE_VERSION and the tasks as canonical JSON."""
    canonical = json.dumps([SUITE_VERSION, tasks], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _examples(name: str, seed: int) -> list[dict]:
    """The first task of every (family, difficulty) of a suite, families in their order."""
    cells = sum(len(difficulties) for difficulties in SUITES[name].values())
    first = {}
    for task in make_suite(name, 3 * cells, seed):
        first.setdefault((task["family"], task["difficulty"]), task)
    return sorted(first.values(), key=lambda task: (list(SUITES[name]).index(task["family"]), task["difficulty"]))


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--suite", choices=SUITES, default="general", help="which suite to show (default: general)")
    parser.add_argument("--seed", type=whole, default=0, help="of the draw (default: 0)")
    arguments = parser.parse_args()
    print(f"{'family':20}{'difficulty':12}{'checker':16}prompt -> reference")
    for task in _examples(arguments.suite, arguments.seed):
        shown = f"{task['prompt']!r} -> {task['reference']!r}"
        print(f"{task['family']:20}{task['difficulty']:<12}{task['checker']:16}{shown}")


if __name__ == "__main__":
    run_main(main)
