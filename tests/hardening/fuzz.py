"""Damage a study's files and other input, and look for a traceback, a crash or a hang; only a UserError may come.

    python tests/hardening/fuzz.py --minutes 30
    python tests/hardening/fuzz.py --minutes 2 --target stages

Hypothesis draws valid files and damages them: bytes are flipped, cut, doubled and put in, nodes of JSON replaced and
removed. Each target runs in a process of its own, whose last input is kept, so that a crash is a finding as well. What
was found is printed once for each place in the code; the inputs lie under --work.

Targets: checkers (of the verifiable suite), scorer, checkpoints, stages (the files of a finished study, and each
command on them), facts (values in that study's JSON files). Instruction data has a fuzzer of its own,
`fuzz_readers.py`; `tests/test_hostile_input.py` runs some seconds of both.
"""

import argparse
import contextlib
import functools
import io
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from common import UserError  # noqa: E402
from training_configs import ConfigError  # noqa: E402

HANG_SECONDS = 30  # of CPU time
MEMORY_BYTES = 8 * 2**30
BATCH = 10  # examples between two looks at the clock

# ---------------------------------------------------------------------------------------------------------------------
# Damage

NASTY = [b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"\\", b"\n", b"\\ud800", b"1e999", b"-1", b"{", b"[" * 3_000,
         b"9" * 5_000, b",", b"<|endoftext|>", b"\xe2\x80\xae", b"PAR1", b"ARROW1"]  # fmt: skip
BYTE_DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["flip", "insert", "nasty", "delete", "double", "cut", "swap"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 2**16),
    ),
    min_size=1,
    max_size=4,
)
TEXT = st.text(max_size=30) | st.sampled_from(
    ["<|endoftext|>", "<script>alert(1)</script>", "../../etc/passwd", "a\0b", "=HYPERLINK(1)", "\ud800", "\u202eabc",
     "", " ", "### Response:\n", "x" * 3_000]
)  # fmt: skip
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


def damage_bytes(content: bytes, steps: list[tuple]) -> bytes:
    """The content after each (kind, place as a fraction, number)."""
    content = bytearray(content)
    for kind, where, number in steps:
        at, size = int(where * (len(content) + 1)), 1 + number % 200
        if kind == "flip" and at < len(content):
            content[at] ^= 1 + number % 255
        elif kind == "insert":
            content[at:at] = random.Random(number).randbytes(1 + size % 9)
        elif kind == "nasty":
            content[at:at] = NASTY[number % len(NASTY)]
        elif kind == "delete":
            del content[at : at + size]
        elif kind == "double":
            content[at:at] = content[at : at + size]
        elif kind == "cut":
            del content[at:]
        elif kind == "swap":
            other = number * 7919 % (len(content) + 1)
            content[at : at + size] = content[other : other + size]
    return bytes(content)


def damage_json(content, number: int, value):
    """Plain values with one node replaced by `value`; or removed, where `value` is "remove"."""
    nodes = [(holder, key) for holder, key in _nodes({"root": content})]
    holder, key = nodes[number % len(nodes)]
    if value == "remove" and len(nodes) > 1 and (holder, key) != nodes[0]:
        del holder[key]
        return content
    if (holder, key) == nodes[0]:
        return value
    holder[key] = value
    return content


def _nodes(holder):
    for key, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
        yield holder, key
        if isinstance(value, dict | list):
            yield from _nodes(value)


# ---------------------------------------------------------------------------------------------------------------------
# Checkers, scorer, checkpoints

ANSWER_PIECES = st.lists(
    TEXT | st.sampled_from(["42", "The answer is", "```", "1. ", "{", "}", '"a": 1', "|", "---", ",", " or ", "-",
                            "٣", "NaN", "[" * 5_000, "9" * 6_000, "a" * 9_000, " " * 9_000, "12 March", "because"]),
    max_size=12,
)  # fmt: skip
CHECKER_CASE = st.tuples(st.integers(0, 10**6), ANSWER_PIECES, BYTE_DAMAGE)


def attack_checkers(case, _folder: Path) -> None:
    import verifiable_tasks

    number, pieces, damage = case
    tasks = suite_of_all()
    task = tasks[number % len(tasks)]
    damaged = damage_bytes(str(task["reference"]).encode(), damage).decode("utf-8", "replace")
    for answer in ("".join(pieces), damaged, "".join([*pieces, str(task["reference"])])):
        assert verifiable_tasks.check(task, answer) in (True, False)
        assert verifiable_tasks.check_loose(task, answer) in (True, False)


@functools.cache
def suite_of_all() -> list[dict]:
    import verifiable_tasks

    return [task for name in verifiable_tasks.SUITES for task in verifiable_tasks.make_suite(name, 300, 0)]


LONG_TEXT = st.lists(
    TEXT | st.sampled_from(["word ", "? ", "```\n", "- item\n", "🙂", "汉字", "e\u0301", "\u200b" * 50]), max_size=60
)
GOOD = [{"id": f"r{n}", "instruction": f"Add {n} and 2.", "response": f"It is {n + 2}.<|im_end|>"} for n in range(6)]
SCORER_CASE = st.tuples(st.lists(st.tuples(LONG_TEXT, LONG_TEXT), min_size=1, max_size=4), st.integers(0, 10**6), VALUE)


def attack_scorer(case, folder: Path) -> None:
    import numpy as np

    from quality_scorer import QualityScorer

    pairs, number, value = case
    instructions, responses = (["".join(pair[side]) for pair in pairs] for side in (0, 1))
    scorer = QualityScorer().fit([(instructions, responses)])
    for name, scores in scorer.score_batch(instructions, responses).items():
        assert np.all(np.isfinite(scores)) and np.all((scores >= 0) & (scores <= 1)), (name, scores)
    counts = folder / "counts.json"
    counts.write_text(json.dumps(damage_json(json.loads(json.dumps(scorer.to_dict())), number, value)))
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, GOOD)))
    command("quality_scorer", str(folder / "data.jsonl"), "--fit", str(counts))


def attack_checkpoints(damage, folder: Path) -> None:
    import copy

    from training_loop import fit

    model, examples, config, whole = small_run()
    checkpoint = folder / "checkpoint.pt"
    checkpoint.write_bytes(damage_bytes(whole, damage))
    fit(copy.deepcopy(model), examples, config, 1, checkpoint, 1e9)


@functools.cache
def small_run() -> tuple:
    """A tiny model, its rows and settings, and the bytes of a checkpoint of it."""
    import copy
    from array import array

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from language_model import Example
    from training_configs import TRAINING
    from training_loop import fit

    shape = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**shape, num_attention_heads=2, num_key_value_heads=2))
    examples = [Example(array("i", range(2, 12)), 4, False, False) for _ in range(4)]
    config = {**TRAINING, "tokens_per_step": 32, "block_tokens": 16, "max_tokens": 16}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint.pt"
        fit(copy.deepcopy(model), examples, config, 1, checkpoint, -1)
        return model, examples, config, checkpoint.read_bytes()


# ---------------------------------------------------------------------------------------------------------------------
# Stages: any file of a finished study damaged, then any command

STUDY = ROOT / "results" / "fuzz_study"
SMALL = ["epochs=1", "suite_prompts=24", "generation_prompts=8", "suite_max_new_tokens=6",
         "generation_max_new_tokens=6", "heldout_rows=20", "tokens_per_step=512"]  # fmt: skip
COMMANDS = ["filter", "export", "train", "train_new", "evaluate", "generate", "analyse", "compare"]
STAGE_CASE = st.tuples(
    st.integers(0, 10**6), st.sampled_from(COMMANDS), BYTE_DAMAGE, st.booleans(), st.integers(0, 10**6),
    VALUE | st.just("remove"),
)  # fmt: skip


def make_study() -> None:
    """A finished study of three runs, its exports, and evidence on the score, once."""
    if (STUDY / "exports").exists():
        return
    where, arms = ["--results_dir", str(STUDY)], ["random_1k", "ultra_10k", "medium_1M"]
    for name in ("scorer", "benchmark"):
        shutil.copytree(ROOT / "results" / "reference" / name, STUDY / name, dirs_exist_ok=True)
    for arguments in (
        ["filter_datasets.py", "--dataset", "demo", "--max_samples", "3000", *where],
        *(["train_quality_comparison.py", f"{arm}_demo", *where, "--skip_existing", "--set", *SMALL] for arm in arms),
        ["analyze_results.py", str(STUDY)],
        ["filter_datasets.py", "--export", "alpaca", *where],
    ):
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)


def attack_stages(case, folder: Path) -> None:
    which, name, damage, structural, number, value = case
    study = copy_study(folder)
    files = sorted(path for path in study.rglob("*") if path.is_file() and path.parent.name != "analysis")
    if which % 3:  # Arrow files are the most, the fewest kinds: two of three times a JSON
        files = [path for path in files if path.suffix == ".json"]
    victim = files[which % len(files)]
    if victim.suffix == ".json" and structural:
        content = damage_json(json.loads(victim.read_text()), number, value)
        victim.write_text(json.dumps(content))
    else:
        victim.write_bytes(damage_bytes(victim.read_bytes(), damage))
    command(*arguments_of(name, study, number % 2 == 0))


def copy_study(folder: Path) -> Path:
    return Path(shutil.copytree(STUDY, folder / "study", ignore=shutil.ignore_patterns("tables", "checkpoint.pt")))


def arguments_of(name: str, study: Path, force: bool) -> list[str]:
    where, run = ["--results_dir", str(study)], str(study / "ultra_10k_demo")
    forced = ["--force"] if force else []
    return {
        "filter": ["filter_datasets", "--dataset", "demo", "--max_samples", "3000", *where],
        "export": ["filter_datasets", "--export", "alpaca", *where],
        "train": ["train_quality_comparison", "ultra_10k_demo", *where, *forced, "--set", *SMALL],
        "train_new": ["train_quality_comparison", "random_10k_demo", *where, "--set", *SMALL],
        "evaluate": ["evaluate_quality_tradeoff", run, *forced],
        "generate": ["generation_analysis", run, *forced],
        "analyse": ["analyze_results", str(study)],
        "compare": ["analyze_results", str(study), "--compare", "ultra_10k_demo", "medium_1M_demo"],
        "compare_subsets": ["analyze_results", str(study), "--compare", "ultra_10k", "random_10k"],
        "scorecard": ["quality_scorer", str(study / "rows.jsonl"), "--scorecard", str(study / "card.html"), *where],
    }[name]


# Facts: in one to three JSON files that a command reads one value is of another kind, or gone

COMMON_FACTS = ["scores.json", "subsets/heldout.json", "subsets/ultra_10k.json", "scores/state.json"]
RUN_FACTS = ["train_results.json", "experiment_config.json", "evaluation/heldout_loss.json",
             "evaluation/task_completion.json", "quality_analysis/quality_bands.json",
             "generation_analysis/generation_analysis.json", "evaluation/heldout_loss/state.json"]  # fmt: skip
ANALYSED = [f"{arm}_demo/{file}" for arm in ("ultra_10k", "medium_1M", "random_1k") for file in RUN_FACTS]
READ = {
    "filter": ["scores.json", "scores/scorecard.json", "scores_statistics.json", "scores/state.json", "subsets"],
    "export": ["scores.json", "subsets", "exports/jsonl"],
    "train": [*COMMON_FACTS, *ANALYSED[:7], "tokenizer_768.json", "experiment_summary.json"],
    "evaluate": [*COMMON_FACTS, *ANALYSED[:4]],
    "generate": [*COMMON_FACTS, *ANALYSED[:7]],
    "analyse": [*ANALYSED, "scores.json", "subsets", "analysis/verdict.json"],
    "compare": [*ANALYSED, "subsets"],
    "compare_subsets": [*ANALYSED, "subsets", "subsets/ultra_10k/state.json"],
    "scorecard": ["scorer/validation.json", "scorer/corruptions.json", "benchmark/scorer.json"],
}
OTHER = st.sampled_from(
    [None, True, False, "", "12", "text", [], [1], [None], ["a", "b"], {}, {"a": 1}, {"a": None}, 0, 1, -1, 2.5, -0.5,
     10**30, 1e308, -1e-300, float("nan"), float("inf"), "remove"]
)  # fmt: skip
WEIGHTS = (2, 3, 5, 4, 4, 3, 4, 2, 2)  # of the commands in READ: the slow ones less often
FACTS_CASE = st.tuples(
    st.sampled_from([name for name, weight in zip(READ, WEIGHTS, strict=True) for _ in range(weight)]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), OTHER | VALUE), min_size=1, max_size=3),
    st.sampled_from([False] * 11 + [True]),
)  # fmt: skip


def attack_facts(case, folder: Path) -> None:
    import training_configs

    name, changes, force = case
    training_configs.CLAIM["bootstrap_draws"] = 500  # of 10,000: more draws meet no other value
    study = copy_study(folder)
    if name == "scorecard":
        (study / "rows.jsonl").write_text("\n".join(map(json.dumps, GOOD)))
    paths = [study / name for name in READ[name]]
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    files = [file for file in files if file.exists()]
    for which, number, value in changes:
        victim = files[which % len(files)]
        victim.write_text(json.dumps(damage_json(json.loads(victim.read_text()), number, value)))
    command(*arguments_of(name, study, force))


def command(module: str, *arguments: str) -> None:
    """A script's `main` in this process, its output kept away."""
    import importlib

    before = sys.argv
    sys.argv = [f"{module}.py", *arguments]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            importlib.import_module(module).main()
    finally:
        sys.argv = before


# ---------------------------------------------------------------------------------------------------------------------
# Running

TARGETS = {
    "checkers": (CHECKER_CASE, attack_checkers),
    "scorer": (SCORER_CASE, attack_scorer),
    "checkpoints": (BYTE_DAMAGE, attack_checkpoints),
    "stages": (STAGE_CASE, attack_stages),
    "facts": (FACTS_CASE, attack_facts),
}


class Hang(BaseException):
    """An input took more than HANG_SECONDS."""


def verdict_on(target, case, last: Path | None = None) -> tuple[str, str] | None:
    """(where in the code, traceback) of what should not have come; None where all is well."""
    if last:
        last.write_text(repr(case)[:200_000], errors="backslashreplace")

    def alarm(_number, _frame):
        raise Hang(f"more than {HANG_SECONDS} CPU seconds")

    signal.signal(signal.SIGPROF, alarm)
    signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS if last else 0)
    try:
        with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
            target(case, Path(folder))
    except (UserError, ConfigError, hypothesis.errors.UnsatisfiedAssumption):
        return None  # `command_line.run_main` makes one line of it
    except SystemExit as end:
        if end.code not in (0, 1, 2, None):
            return f"exit {end.code}", traceback.format_exc()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  whatever it is, it is the finding
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(ROOT) in frame.filename]
        place = next((frame for frame in reversed(frames) if "/.venv/" not in frame.filename), frames[-1])
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def attack(name: str, examples: int, seed: int, found: dict, last: Path | None = None) -> int:
    """Run a target on so many drawn inputs; what is found goes into `found` {place: (traceback, input)}."""
    strategy, target = TARGETS[name]
    done = [0]

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=HealthCheck
    )
    @given(strategy)
    def one(case):
        kept = repr(case)
        problem = verdict_on(target, case, last)
        done[0] += 1
        if problem:
            found.setdefault(problem[0], (problem[1], kept))

    one()
    return done[0]


def campaign(name: str, seconds: float, seed: int, work: Path) -> None:
    """In a process of its own: batches until the time is over, then the findings and the count as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    attack(name, 1, seed, {})  # what takes long is what is imported
    found, total, end = {}, 0, time.time() + seconds
    while time.time() < end:
        total += attack(name, BATCH, seed + total, found, work / f"{name}.last")
        report = {"examples": total, "found": found, "next_seed": seed + total}
        (work / f"{name}_{seed}.json").write_text(json.dumps(report, indent=1), errors="backslashreplace")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="for all targets together")
    parser.add_argument("--target", choices=TARGETS, nargs="+", default=list(TARGETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=ROOT / "results" / "fuzz", help="for what is found")
    parser.add_argument("--campaign", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    seconds = 60 * args.minutes / len(args.target)
    if args.campaign:
        return campaign(args.target[0], seconds, args.seed, args.work)
    if {"stages", "facts"} & {*args.target}:
        make_study()
    problems = [problem for name in args.target for problem in survey(name, seconds, args.seed, args.work)]
    sys.exit(1 if problems else 0)


def survey(name: str, seconds: float, seed: int, work: Path) -> list[str]:
    """Run a target's campaign, again after each crash, and print what came of it."""
    end, problems, examples = time.time() + seconds, {}, 0
    while (left := end - time.time()) > 1:
        own = ["--campaign", "--target", name, "--seed", str(seed), "--minutes", str(left / 60), "--work", str(work)]
        done = subprocess.run([sys.executable, "-X", "faulthandler", __file__, *own], capture_output=True, text=True)
        path = work / f"{name}_{seed}.json"
        report = json.loads(path.read_text()) if path.exists() else {"examples": 0, "found": {}}
        problems |= report["found"]
        examples += report["examples"]
        if done.returncode:
            shutil.copy(work / f"{name}.last", work / f"{name}.crash_{seed}")
            problems[f"the process ended with {done.returncode}"] = done.stderr[-3000:], f"{name}.crash_{seed}"
        seed += report["examples"] + 1_000_003
    print(f"{name}: {examples} inputs in {seconds:.0f} s, {len(problems)} problems", flush=True)
    for place, (text, case) in problems.items():
        print(f"--- {place}\n{text[-1500:]}\n    input: {case[:300]}", flush=True)
    return list(problems)


if __name__ == "__main__":
    main()
