"""What `benchmark.py filter` measures: filter stage and scorer on many rows, near-duplicate search beside others.

The rows are made from real ones: the data over and over, each time with half of its words renamed. A
word outside the COMMON_WORDS most frequent takes the place of another of like frequency, the same one throughout a
round, so that a round has the sources, lengths, templates and near-duplicates of the data, and two rounds share little.
What is missing is the ever growing vocabulary of as many real rows.

Memory is the sum of the proportional set sizes (Pss) of all processes of the run, sampled every SAMPLE_SECONDS: pages
that processes share, and pages of files that they have mapped, count once. CPU seconds are user and system time of all
of them; on a shared machine they mean more than the wall clock.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

import near_duplicates
from common import UserError, read_json
from corpus_shards import run_tasks
from dataset_readers import read_rows
from near_duplicates import BANDS, SIGNATURE_SEED, SLOTS

COMMON_WORDS = 50  # and, of, the: never renamed
RENAMED_FRACTION = 0.5  # of the other words, in each round
SAMPLE_SECONDS = 0.2
WORD = re.compile("([A-Za-z]+)")
THRESHOLD = 0.8
DEDUP_ROWS, DEDUP_ROUNDS = 10_000, 3

# ---------------------------------------------------------------------------------------------------------------------
# Many rows from few


def make_rows(path: Path, data: str, rows: int, seed: int, num_proc: int) -> dict:
    """Write this many rows as JSON lines, made from `data` as the module says; what was made, in numbers."""
    table, _ledger = read_rows([data], None, seed)
    if not table.num_rows:
        raise UserError(f"no row of {data} can be used; give other instruction data with --data")
    columns = table.to_pydict()
    counts = Counter()
    for name in ("instruction", "response"):
        for text in columns[name]:
            counts.update(WORD.findall(text.lower()))
    words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))][COMMON_WORDS:]
    rounds = -(-rows // table.num_rows)
    sizes = [min(table.num_rows, rows - number * table.num_rows) for number in range(rounds)]
    with open(path, "w", encoding="utf-8") as file:
        for lines in run_tasks(_round, (columns, words, seed), enumerate(sizes), num_proc):
            file.write(lines)
    return {"rows": rows, "rounds": rounds, "bytes": path.stat().st_size, "bytes_per_row": path.stat().st_size / rows}


def _round(context, task) -> str:
    """The JSON lines of one round; the first leaves the data as it is."""
    (columns, words, seed), (number, rows) = context, task
    names = renamed_words(words, np.random.default_rng([seed, number])) if number else {}
    lines = []
    for row in range(rows):
        record = {"id": f"{columns['id'][row]}-{number}", "source": columns["source"][row]}
        record |= {name: rename(columns[name][row], names) for name in ("instruction", "response")}
        lines.append(json.dumps(record, ensure_ascii=False).encode("utf-8", "replace").decode() + "\n")
    return "".join(lines)


def renamed_words(words: list[str], rng: np.random.Generator) -> dict[str, str]:
    """New names for a share of the words, the most frequent first: each takes that of a neighbour in rank."""
    chosen = np.flatnonzero(rng.random(len(words)) < RENAMED_FRACTION).tolist()
    pairs = list(zip(chosen[0::2], chosen[1::2], strict=False))
    return {words[one]: words[other] for pair in pairs for one, other in (pair, pair[::-1])}


def rename(text: str, names: dict[str, str]) -> str:
    """The text with words renamed, capitals kept."""
    if not names:
        return text
    pieces = WORD.split(text)
    for place in range(1, len(pieces), 2):
        new = names.get(pieces[place].lower())
        if new:
            old = pieces[place]
            pieces[place] = new.upper() if old.isupper() and len(old) > 1 else new.title() if old[0].isupper() else new
    return "".join(pieces)


# ---------------------------------------------------------------------------------------------------------------------
# One run of the stage, watched


def run_filter(data: Path, results: Path, num_proc: int) -> dict:
    """Run the filter stage in a process of its own: what `watch` sees, and seconds by step."""
    command = ["filter_datasets.py", "--dataset", str(data), "--results_dir", str(results)]
    seen = watch([*command, "--num_proc", str(num_proc)], results.with_suffix(".log"))
    scores = read_json(results / "scores.json")
    steps = scores["steps"]
    rest = seen["seconds"] - sum(step["seconds"] for step in steps.values())
    steps["subsets, start and end"] = {"seconds": round(rest, 3)}
    return {
        "num_proc": num_proc,
        "rows": scores["ledger"]["rows_read"],
        "rows_left": scores["rows"],
        "dropped": {
            reason: sum(by.values()) for step in scores["ledger"]["steps"] for reason, by in step["dropped"].items()
        },
        **seen,
        "content_hash": scores["content_hash"],
        "steps": steps,
    }


def watch(command: list[str], log: Path) -> dict:
    """Run a script of this repository to its end: seconds, CPU seconds, peak memory of all its processes in GiB."""
    before, started = os.times(), time.perf_counter()
    with open(log, "w", encoding="utf-8") as output:
        script = Path(__file__).with_name(command[0])
        run = subprocess.Popen([sys.executable, str(script), *command[1:]], stdout=output, stderr=output)
        peak = {"pss": 0.0, "anonymous": 0.0}
        while run.poll() is None:
            found = tree_memory(run.pid)
            peak = {name: max(peak[name], found[name]) for name in peak}
            time.sleep(SAMPLE_SECONDS)
    seconds, after = time.perf_counter() - started, os.times()
    if run.returncode:
        raise UserError(f"{command[0]} failed: {log.read_text(encoding='utf-8').strip().splitlines()[-1]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    memory = {f"peak_{name}_gib": kib / 2**20 for name, kib in peak.items()}
    return {"seconds": seconds, "cpu_seconds": cpu, **memory}


def tree_memory(pid: int) -> dict:
    """Pss in KiB of a process and all below it, and the part of it that is not backed by a file."""
    total = {"pss": 0.0, "anonymous": 0.0}
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        try:
            waiting += map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it ended meanwhile
        found = dict(line.split(":", 1) for line in lines[1:])
        total["pss"] += int(found["Pss"].split()[0])
        total["anonymous"] += int(found["Pss_Anon"].split()[0])
    return total


def measure_stage(data: str, rows: int, seed: int, num_proc: int, folder: Path) -> tuple[dict, list[dict], dict]:
    """The stage on all rows by `num_proc` processes and by one, and on a quarter of them; the scorer alone on all.

    Returns what was made, the stage's runs and the scorer's (as `watch` has it).
    """
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        runs = []
        for part, processes in ((max(rows // 4, 1), num_proc), (rows, num_proc), (rows, 1)):
            path = work / f"rows_{part}.jsonl"
            if not path.exists():
                made = make_rows(path, data, part, seed, num_proc)
            results = work / f"results_{part}_{processes}"
            runs.append(run_filter(path, results, processes))
            shutil.rmtree(results)
        scorer = watch(["quality_scorer.py", str(path), "--num_proc", str(num_proc)], work / "scorer.log")
        return made, runs, scorer
    finally:
        shutil.rmtree(work, ignore_errors=True)


# ---------------------------------------------------------------------------------------------------------------------
# Near-duplicates beside other libraries: functions of (instruction, response) pairs that give a mask of those to drop


def our_near_duplicates(pairs: list[tuple[str, str]]) -> np.ndarray:
    def pairs_of(rows: np.ndarray) -> tuple[list[str], list[str]]:
        some = [pairs[row] for row in rows.tolist()]
        return [ask for ask, _ in some], [answer for _, answer in some]

    clusters = near_duplicates.near_duplicates(len(pairs), pairs_of, THRESHOLD)
    return clusters != np.arange(len(pairs))


def plain_shingles(text: str) -> set[str]:
    """Word 5-grams as most scripts make them."""
    words = text.lower().split()
    size = near_duplicates.SHINGLE_WORDS
    return {" ".join(words[start : start + size]) for start in range(max(1, len(words) - size + 1))}


def rensa_deduplicator(pairs: list[tuple[str, str]]) -> np.ndarray:
    from rensa import RMinHash, RMinHashDeduplicator

    deduplicator = RMinHashDeduplicator(threshold=THRESHOLD, num_perm=SLOTS, use_lsh=True, num_bands=BANDS)
    dropped = np.zeros(len(pairs), bool)
    for number, pair in enumerate(pairs):
        sketch = RMinHash(num_perm=SLOTS, seed=SIGNATURE_SEED)
        sketch.update(list(plain_shingles("\n".join(pair))))
        dropped[number] = not deduplicator.add(str(number), sketch)
    return dropped


def datasketch_lsh(pairs: list[tuple[str, str]]) -> np.ndarray:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=SLOTS)
    dropped = np.zeros(len(pairs), bool)
    for number, pair in enumerate(pairs):
        sketch = MinHash(num_perm=SLOTS)
        sketch.update_batch([shingle.encode("utf-8", "replace") for shingle in plain_shingles("\n".join(pair))])
        dropped[number] = bool(index.query(sketch))
        if not dropped[number]:
            index.insert(number, sketch)
    return dropped


DEDUPLICATORS = {"this search": our_near_duplicates, "rensa Deduplicator": rensa_deduplicator,
                 "datasketch MinHashLSH": datasketch_lsh}  # fmt: skip


def plant(pairs: list[tuple[str, str]], rng: np.random.Generator) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Rows that share no band with another, each followed by a copy with some words changed; the copies' Jaccard.

    From 0 to 1 in 20 words change, so that copies lie on both sides of the threshold.
    """
    keys = near_duplicates.band_keys(near_duplicates.signatures(["\n".join(pair) for pair in pairs]))
    alone = np.ones(len(pairs), bool)
    for band in keys:
        _, inverse, counts = np.unique(band, return_inverse=True, return_counts=True)
        alone &= counts[inverse] == 1
    rows, similarity = [], []
    for row in np.flatnonzero(alone).tolist():
        words = [*pairs[row][0].split(), "|||", *pairs[row][1].split()]
        if len(words) < 20:
            continue
        for place in np.flatnonzero(rng.random(len(words)) < rng.random() / 20):
            words[place] = f"new{rng.integers(10**6)}" if words[place] != "|||" else "|||"
        copy = " ".join(words).split("|||")
        rows += [pairs[row], (copy[0], copy[1])]
        one, other = (plain_shingles("\n".join(pair)) for pair in rows[-2:])
        similarity.append(len(one & other) / len(one | other))
    return rows, np.array(similarity)


def measure_deduplicators(pairs: list[tuple[str, str]], seed: int) -> list[dict]:
    """Documents a CPU second of every library on the same rows, in turn; precision and recall on planted copies."""
    planted, similarity = plant(pairs, np.random.default_rng([seed, 9]))
    wanted = similarity >= THRESHOLD
    entries = {name: {"name": name, "missing": None, "rounds": []} for name in DEDUPLICATORS}
    for _ in range(DEDUP_ROUNDS):
        for name, find in DEDUPLICATORS.items():
            try:
                started = time.process_time()
                dropped = find(pairs)
            except ImportError as error:
                entries[name]["missing"] = f"not installed ({error.name})"
                continue
            entries[name]["rounds"].append(len(pairs) / (time.process_time() - started))
            entries[name]["dropped"] = int(dropped.sum())
    for name, entry in entries.items():
        if entry["missing"] is None:
            found = DEDUPLICATORS[name](planted)
            copies, originals = found[1::2], found[0::2]
            right = int((copies & wanted).sum())
            entry["documents_per_second"] = float(np.median(entry["rounds"]))
            entry["recall"] = right / max(int(wanted.sum()), 1)
            entry["precision"] = right / max(int(copies.sum() + originals.sum()), 1)
    return list(entries.values())


# ---------------------------------------------------------------------------------------------------------------------
# Report


def stage_lines(runs: list[dict]) -> list[str]:
    """The runs side by side, and how they compare."""
    heads = [f"{run['rows']:,} rows, {run['num_proc']} proc" for run in runs]
    lines = [f"{'':30s}" + "".join(f"{head:>26s}" for head in heads)]
    for label, value in (
        ("wall seconds", lambda run: f"{run['seconds']:.1f}"),
        ("CPU seconds", lambda run: f"{run['cpu_seconds']:.1f}"),
        ("rows/s", lambda run: f"{run['rows'] / run['seconds']:,.0f}"),
        ("peak memory, GiB (Pss)", lambda run: f"{run['peak_pss_gib']:.2f}"),
        ("  of it no file's, GiB", lambda run: f"{run['peak_anonymous_gib']:.2f}"),
        ("near-duplicates", lambda run: f"{run['dropped'].get('near_duplicate', 0) / run['rows']:.1%}"),
    ):
        lines.append(f"{label:30s}" + "".join(f"{value(run):>26s}" for run in runs))
    for step in runs[0]["steps"]:
        cells = []
        for run in runs:
            entry = run["steps"][step]
            cpu = f" (CPU {entry['cpu_seconds']:.1f})" if "cpu_seconds" in entry else ""
            cells.append(f"{entry['seconds']:.1f}{cpu}")
        lines.append(f"  {step:28s}" + "".join(f"{cell:>26s}" for cell in cells))
    quarter, many, one = runs
    lines.append(
        f"{many['num_proc']} processes against 1: {one['seconds'] / many['seconds']:.2f}x; "
        f"4x the rows: {many['seconds'] / quarter['seconds']:.2f}x the time, "
        f"{many['cpu_seconds'] / quarter['cpu_seconds']:.2f}x the CPU time, "
        f"{many['peak_pss_gib'] / quarter['peak_pss_gib']:.2f}x the memory"
    )
    return lines


def scorer_line(scorer: dict, rows: int, num_proc: int) -> str:
    return (
        f"quality_scorer.py alone, {rows:,} rows, {num_proc} processes: {scorer['seconds']:.1f} s, "
        f"{rows / scorer['seconds']:,.0f} rows/s with reading, peak memory {scorer['peak_pss_gib']:.2f} GiB"
    )


def deduplicator_lines(entries: list[dict]) -> list[str]:
    """The libraries side by side."""
    lines = [f"{'':26s}{'docs/s of CPU':>15s}{'of rensa':>10s}{'precision':>11s}{'recall':>8s}{'dropped':>9s}"]
    base = next(entry for entry in entries if entry["name"].startswith("rensa")).get("documents_per_second")
    for entry in entries:
        if entry["missing"]:
            lines.append(f"{entry['name']:26s}{entry['missing']:>15s}")
            continue
        rate = entry["documents_per_second"]
        numbers = f"{entry['precision']:11.3f}{entry['recall']:8.3f}{entry['dropped']:9,}"
        lines.append(f"{entry['name']:26s}{rate:15,.0f}{rate / base:9.2f}x{numbers}")
    return lines
