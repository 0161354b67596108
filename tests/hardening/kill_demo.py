"""Kill -9 a small demo at random instants, run the same command again until it ends, compare with an undisturbed run.

    python tests/hardening/kill_demo.py --kills 50

The demo is that of `make demo` on 1,500 rows with settings SMALL: half a minute on an idle core. Each round is a
results folder of its own: its three commands are killed, with all their processes, after a random share of the CPU time
that the undisturbed run took (so that it does not matter what else the machine does), and started again until they end.
Then every file of the folder must have the bytes of the undisturbed run's, after both had their clocks (CLOCKS) set to
the same and their analysis made anew from that. Lives are forked from a process that has the libraries imported,
which would take most of the time. An undisturbed run that is there already is used again.
"""

import argparse
import json
import os
import random
import runpy
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SMALL = ["epochs=1", "suite_prompts=24", "generation_prompts=8", "suite_max_new_tokens=6",
         "generation_max_new_tokens=6", "heldout_rows=20", "tokens_per_step=512"]  # fmt: skip
# Seconds, speeds, what was done in which life, and the commit, which moves where one works on the code meanwhile.
CLOCKS = {"started", "seconds", "cpu_seconds", "train_seconds", "tokens_per_second", "git_commit", "git_dirty", "argv"}
# Of the CPU time of an undisturbed run of each command; what does not go on from where it was must outlive that once.
LONGEST_LIFE = {"filter": 1.3, "train": 0.4, "analyze": 2.5}
STEPS = {"evaluation/heldout_loss.json": "held-out loss", "evaluation/task_completion.json": "task completion",
         "generation_analysis/generation_analysis.json": "generation"}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="stop after the round in which so many are reached")
    parser.add_argument("--seed", type=int, default=0, help="of the instants")
    parser.add_argument("--work", type=Path, default=Path("results/kill_demo"), help="a folder for all runs")
    args = parser.parse_args()
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "agg"}
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    import_all()
    undisturbed, times = args.work / "undisturbed", args.work / "undisturbed.json"
    if not times.exists():
        shutil.rmtree(args.work, ignore_errors=True)
        times.parent.mkdir(parents=True)
        times.write_text(json.dumps([run_to_end(command, undisturbed) for command in commands(undisturbed)]))
    seconds = json.loads(times.read_text())
    print("undisturbed: " + ", ".join(f"{value:.1f}" for value in seconds) + " CPU seconds", flush=True)
    expected = still_life(undisturbed)
    chance, kills, rounds, wrong = random.Random(args.seed), Counter(), 0, 0
    while sum(kills.values()) < args.kills:
        rounds += 1
        folder = args.work / f"round_{rounds}"
        here = disturbed_round(folder, seconds, chance)
        kills += here
        differences = compare(expected, still_life(folder))
        wrong += bool(differences)
        print(f"round {rounds}: {dict(here)}; " + ("; ".join(differences) or "as undisturbed"), flush=True)
    print(f"{sum(kills.values())} kills in {rounds} rounds, {rounds - wrong} as undisturbed: {dict(kills)}")
    sys.exit(1 if wrong else 0)


def commands(results: Path) -> list[list[str]]:
    """The commands of `make demo`, made small; a checkpoint every second."""
    where = ["--results_dir", str(results.absolute())]
    training = ["train_quality_comparison.py", "demo", "--skip_existing", "--checkpoint_seconds", "1"]
    return [
        ["filter_datasets.py", "--dataset", "demo", "--max_samples", "1500", *where],
        [*training, *where, "--set", *SMALL],
        ["analyze_results.py", str(results.absolute())],
    ]


def import_all() -> None:
    """What takes seconds to import, so that every life starts with it there."""
    import accelerate
    import datasets
    import jinja2
    import matplotlib.pyplot
    import torch._dynamo
    import torch.distributed.checkpoint.state_dict
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

    assert all([accelerate, datasets, jinja2, matplotlib.pyplot, torch, AutoModelForCausalLM, AutoTokenizer])
    assert all([LlamaForCausalLM, PreTrainedTokenizerFast])


def start(command: list[str], log: Path) -> int:
    """The command in a process and a process group of its own, what it says in `log`; the process's id."""
    process = os.fork()
    if process:
        return process
    os.setsid()
    for number in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC * (number == 1) | os.O_APPEND), number)
    sys.argv = command
    try:
        runpy.run_path(str(ROOT / command[0]), run_name="__main__")
    except SystemExit as end:
        os._exit(end.code or 0)
    except BaseException:  # noqa: BLE001  a life of its own: whatever ends it is told, and never reaches the caller
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def run_to_end(command: list[str], results: Path) -> float:
    """The CPU seconds of the command's main process, undisturbed."""
    return live(command, results.parent / "log.txt", float("inf"))


def live(command: list[str], log: Path, life: float) -> float | None:
    """Run the command to its end, and give its CPU seconds; or kill it once it has used `life` of them: None."""
    process, used = start(command, log), 0.0
    while not (ended := os.waitpid(process, os.WNOHANG))[0]:
        used = cpu_seconds(process) or used
        if used > life:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return None
        time.sleep(0.01)
    if ended[1]:
        sys.exit(f"{' '.join(command)} ended with {ended[1]}: {log.read_text()[-2000:]}")
    return used


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, without its children; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def disturbed_round(results: Path, seconds: list[float], chance: random.Random) -> Counter:
    """All commands, each killed and started again until it ends; the kills by the stage that they hit."""
    kills, log = Counter(), results.parent / "log.txt"
    shutil.rmtree(results, ignore_errors=True)
    for command, limit in zip(commands(results), seconds, strict=True):
        longest = LONGEST_LIFE[command[0].split("_")[0]] * limit
        while live(command, log, chance.uniform(0.05, longest)) is None:
            kills[stage_of(command[0], log.read_text(), results)] += 1
    return kills


def stage_of(script: str, said: str, results: Path) -> str:
    """What a killed command was at, by the last experiment it named and the files that are there."""
    if script != "train_quality_comparison.py":
        return script.split("_")[0]
    named = [line.split("] ")[1] for line in said.splitlines() if line.startswith("[")]
    if not named:
        return "train's start"
    folder = results / named[-1].strip()
    if not (folder / "train_results.json").exists():
        return "training"
    return next((step for marker, step in STEPS.items() if not (folder / marker).exists()), "between experiments")


def still_life(results: Path) -> dict[str, bytes]:
    """The bytes of every file, clocks set to 1 and the analysis made anew from that."""
    for path in results.rglob("*.json"):
        if path.parent.name not in ("analysis", "model"):
            content = stilled(json.loads(path.read_text(encoding="utf-8")))
            path.write_text(json.dumps(content), encoding="utf-8")
    for path in (results / "analysis").rglob("[!.]*"):
        if path.is_file():
            path.unlink()
    run_to_end(commands(results)[2], results)
    files = {str(path.relative_to(results)): path for path in results.rglob("*") if path.is_file()}
    return {name: path.read_bytes().replace(str(results.absolute()).encode(), b".") for name, path in files.items()}


def stilled(content):
    """Nested plain values with every value under a key of CLOCKS set to 1, or "1" where it is a text, or ["1"].

    The filter's steps are left out: what each took, and which of its tasks were left for the last life.
    """
    if isinstance(content, dict):
        if isinstance(content.get("steps"), dict):
            content = {**content, "steps": None}
        return {key: still_value(value) if key in CLOCKS else stilled(value) for key, value in content.items()}
    return [stilled(value) for value in content] if isinstance(content, list) else content


def still_value(value):
    if isinstance(value, list):
        return ["1"]
    return "1" if isinstance(value, str) else value and 1


def compare(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    """One phrase for every file that is missing, is there beside the others, or differs."""
    phrases = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    phrases += [f"{name} is left over" for name in sorted(found.keys() - expected.keys())]
    return phrases + [f"{name} differs" for name in sorted(expected) if name in found and expected[name] != found[name]]


if __name__ == "__main__":
    main()
