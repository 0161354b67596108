"""Publish a finished study and its evidence: copy the facts to results/reference/, set the README's numbers from them.

    python update_readme.py results/small                        a study, as analyze_results.py left it
    python update_readme.py results/benchmark results/scorer     speed (benchmark.py), worth of the score
    python update_readme.py                                      only the README, from what is published

Reads  finished, analysed results folders; folders of benchmark.py and of quality_scorer.py's --validate, --corruptions.
Writes results/reference/<name of the folder>/ (JSON, summary, tables, figures; no weights, no rows) and, in README.md,
       what stands between the markers summary, times, score and speed. No number there is typed by hand.
"""

import re
import shutil
from pathlib import Path

from arrow_files import read_arrow
from command_line import argument_parser, run_main
from common import UserError, read_json, write_json, write_text
from training_configs import CLAIM, split_seed

ROOT = Path(__file__).parent
REFERENCE = ROOT / "results" / "reference"
STUDY = "small"  # the published study that the README tells of
EVIDENCE = ["benchmark", "scorer"]  # folders of facts that are no study
PUBLISHED = [  # facts and pictures; no weights, no rows
    "scores.json",
    "subsets/*.json",
    "subsets/figures/*.png",
    "experiment_summary.json",
    "*/experiment_config.json",
    "*/train_results.json",
    "*/evaluation/*.json",
    "*/quality_analysis/*.json",
    "*/generation_analysis/*.json",
    "analysis/verdict.json",
    "analysis/summary.md",
    "analysis/report.md",
    "analysis/tables/*.md",
    "analysis/tables/*.csv",
    "analysis/figures/*.png",
]
SHOWN_ARMS = [CLAIM["anchor"], CLAIM["ultra"], *CLAIM["controls"], CLAIM["medium"]]
SHOWN_FAMILIES, SHOWN_CHARACTERS = 8, 160


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="what to publish; without any, only the README is set")
    for folder in parser.parse_args().folders:
        require_publishable(folder)
        if folder.resolve().is_relative_to(REFERENCE):
            raise UserError(f"{folder} is what was published; give the study's own folder, such as results/{STUDY}")
        publish(folder, REFERENCE / folder.name)
        print(f"published {folder} as {(REFERENCE / folder.name).relative_to(ROOT)}")
    readme = ROOT / "README.md"
    write_text(readme, fill_markers(readme.read_text(), REFERENCE))
    print("set the numbers of README.md")


def require_publishable(folder: Path) -> None:
    """Raises UserError where a folder is neither a finished study of trained models nor evidence."""
    if folder.name in EVIDENCE:
        if not list(folder.glob("*.json")):
            raise UserError(f"{folder} holds no JSON; run benchmark.py, or quality_scorer.py with --validate")
        return
    if not (folder / "analysis" / "summary.md").exists():
        raise UserError(f"{folder} is not analysed yet; run: python analyze_results.py {folder}")
    if any(read_json(file).get("simulated") for file in folder.glob("*/train_results.json")):
        raise UserError(f"{folder} holds simulated runs; only what was trained is published")


def publish(folder: Path, target: Path) -> None:
    """Copy the facts of a study, with some answers, in place of an older copy; or the JSON of a folder of evidence."""
    if folder.name in EVIDENCE:
        return copy_files(folder, target, ["*.json"])
    shutil.rmtree(target, ignore_errors=True)
    copy_files(folder, target, PUBLISHED)
    answers = answers_page(folder)
    if answers:
        write_text(target / "answers.md", answers)


def copy_files(folder: Path, target: Path, patterns: list[str]) -> None:
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern)}):
        copy = target / file.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".json":
            write_json(copy, without_places(read_json(file)))
        else:
            shutil.copyfile(file, copy)


def without_places(value):
    """JSON facts with every path that leads out of the repository cut to its last part."""
    if isinstance(value, dict):
        return {without_places(key): without_places(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_places(item) for item in value]
    outside = isinstance(value, str) and value.startswith(("/", "../")) and "\n" not in value
    return value.rstrip("/").rpartition("/")[2] if outside else value


def answers_page(study: Path) -> str:
    """What the models of the claim, first seeds, answered to the first prompt of some families: no choice of ours.

    With them stand the other draws of random rows and the longer run on ultra's, whose names start as theirs do.
    """
    markers = [
        marker for arm in SHOWN_ARMS for marker in sorted(study.glob(f"{arm}_*/evaluation/task_completion.json"))
    ]
    markers = [marker for marker in markers if not split_seed(marker.parts[-3])[1]]
    tables = {marker.parts[-3]: read_arrow(marker.with_suffix("")).to_pylist() for marker in markers}
    if not tables:
        return ""
    first = {}
    for row in next(iter(tables.values())):
        first.setdefault(row["family"], row["id"])
    lines = ["# Some answers", "", "Each model's greedy answer to the suite's first prompt of each of the first "
             f"{SHOWN_FAMILIES} families, cut at {SHOWN_CHARACTERS} characters."]  # fmt: skip
    for key in list(first.values())[:SHOWN_FAMILIES]:
        rows = {name: row for name, table in tables.items() for row in table if row["id"] == key}
        asked = next(iter(rows.values()))
        lines += ["", f"## {asked['family']}", "", *quoted(asked["prompt"]), "", "| model | passes | answer |",
                  "| --- | --- | --- |"]  # fmt: skip
        lines += [f"| {name} | {'yes' if row['passed'] else 'no'} | {cell(row['answer'])} |"
                  for name, row in rows.items()]  # fmt: skip
    return "\n".join(lines) + "\n"


def quoted(text: str) -> list[str]:
    return [f"> {line}" for line in text.splitlines()]


def cell(text: str) -> str:
    """An answer as code in a Markdown table."""
    short = " ".join(text.split())[:SHOWN_CHARACTERS].replace("`", "'").replace("|", "\\|")
    return f"`{short}`" if short else "(nothing)"


# ---------------------------------------------------------------------------------------------------------------------
# Blocks of the README


def fill_markers(text: str, reference: Path) -> str:
    """README text with the published numbers between its markers."""
    blocks = {
        "summary": lambda: (reference / STUDY / "analysis" / "summary.md").read_text().strip(),
        "times": lambda: times_table(reference / STUDY),
        "score": lambda: score_table(reference / "scorer"),
        "speed": lambda: speed_table(reference / "benchmark"),
    }
    for name, block in blocks.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = pattern.sub(lambda match, block=block: f"{match[1]}{block()}\n{match[2]}", text)
    return text


def times_table(study: Path) -> str:
    """What each stage reads, writes and took, as a Markdown table; seconds from the stages' own provenance.

    The analysis states no time of its own, so that the same runs give the same bytes.
    """
    runs = sorted(path.parent for path in study.glob("*/train_results.json"))
    hardware = read_json(study / "scores.json")["provenance"]["hardware"]
    rows = [
        ("score, filter", "`filter_datasets.py`", "any instruction data", "`scores/`, `subsets/`",
         [study / "scores.json", *sorted(study.glob("subsets/*.json"))]),
        ("train", "`train_quality_comparison.py`", "`subsets/`", "`<experiment>/model/`, `train_results.json`",
         [run / "train_results.json" for run in runs]),
        ("evaluate", "`evaluate_quality_tradeoff.py`", "a run, `subsets/heldout/`",
         "`evaluation/`, `quality_analysis/`",
         [run / "evaluation" / name for run in runs for name in ("heldout_loss.json", "task_completion.json")]),
        ("generate", "`generation_analysis.py`", "a run, `subsets/heldout/`", "`generation_analysis/`",
         [run / "generation_analysis" / "generation_analysis.json" for run in runs]),
        ("analyse", "`analyze_results.py`", "all JSON and Arrow", "`analysis/`", []),
    ]  # fmt: skip
    lines = [f"| stage | script | reads | writes | this study, {len(runs)} models |", "|---|---|---|---|---:|"]
    for stage, script, reads, writes, files in rows:
        times = [read_json(file)["provenance"]["seconds"] for file in files]
        seconds = None if None in times else sum(times)  # null: the clock was set back meanwhile
        took = "not known" if seconds is None else f"{seconds / 60:,.0f} min" if seconds > 100 else f"{seconds:,.0f} s"
        took = took if files else "seconds"
        lines.append(f"| {stage} | {script} | {reads} | {writes} | {took} |")
    note = f"Wall clock of all runs added up, on {hardware['cores']} cores ({hardware['cpu']}) that other jobs shared."
    return "\n".join([*lines, "", note])


def score_table(folder: Path) -> str:
    """What the score is worth: preference pairs, and answers of several data sets beside damaged copies of them."""
    lines = ["| | this score | length alone |", "|---|---:|---:|"]
    for subset, found in read_json(folder / "validation.json")["accuracy"].items():
        ours, length = found["quality"], found["length alone"]
        lines.append(f"| preferred answer scores higher, {subset} ({ours['pairs']:,} pairs) | {with_interval(ours)} | "
                     f"{with_interval(length)} |")  # fmt: skip
    for file in sorted(folder.glob("corruptions*.json")):
        facts = read_json(file)
        wins = {entry["kind"].replace("_", " "): entry["original_wins"] for entry in facts["kinds"]}
        wins = {kind: share for kind, share in wins.items() if share is not None}
        worst, data = min(wins, key=wins.get), Path(facts["config"]["data"]).name
        lines.append(f"| answer beats its damaged copy, `{data}`, mean of {len(wins)} kinds; least: {worst} | "
                     f"{sum(wins.values()) / len(wins):.3f}; {wins[worst]:.3f} | |")  # fmt: skip
    return "\n".join(lines)


def with_interval(row: dict) -> str:
    return f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def speed_table(folder: Path) -> str:
    """Ours beside named references, each row from one run of benchmark.py; stages not measured are left out."""
    rows = [
        row
        for stage, make in (("scorer", scorer_rows), ("filter", filter_rows), ("train", train_rows),
                            ("train_gpu", train_gpu_rows), ("evaluate", evaluate_rows))
        if (folder / f"{stage}.json").exists()
        for row in make(read_json(folder / f"{stage}.json"))
    ]  # fmt: skip
    lines = ["| measure | ours | beside it, in the same run | ours / it |", "|---|---:|---|---:|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def scorer_rows(facts: dict) -> list[tuple[str, ...]]:
    processes = max(facts["config"]["process_counts"])
    many = f"processes_{processes}"
    ran = [entry for entry in facts["contenders"] if not entry["missing"]]
    ours, *others = [(entry["name"], entry[many]["rows_per_second"]) for entry in ran]
    what = f"scoring, rows/s of {facts['response_bytes_per_row'] / 1000:.1f} KB, {processes} processes"
    return [compared(what, ours[1], name, rate) for name, rate in others]


def filter_rows(facts: dict) -> list[tuple[str, ...]]:
    _, many, one = facts["runs"]
    what = f"the whole filter stage, {many['rows']:,} rows, {many['num_proc']} processes"
    first = (f"{what}: wall seconds", f"{many['seconds']:,.0f}", f"1 process: {one['seconds']:,.0f}",
             f"{one['seconds'] / many['seconds']:.2f}x as fast")  # fmt: skip
    memory = (f"{what}: peak memory", f"{many['peak_pss_gib']:.2f} GiB", "", "")
    alone = facts["scorer_alone"]
    what = f"scores alone, {many['rows']:,} rows, {many['num_proc']} processes: wall seconds, peak memory"
    scores = (what, f"{alone['seconds']:,.0f}, {alone['peak_pss_gib']:.2f} GiB", "", "")
    ours, *others = [entry for entry in facts["deduplicators"] if not entry["missing"]]
    rate = ours["documents_per_second"]
    what = "near-duplicates, documents per CPU second"
    searches = [compared(what, rate, entry["name"], entry["documents_per_second"]) for entry in others]
    return [first, memory, scores, *searches]


def train_rows(facts: dict) -> list[tuple[str, ...]]:
    ours, what = next(iter(facts["cpu"]["medians"].values())), "training a tiny Llama, tokens per CPU second"
    return [compared(what, ours, name, facts["cpu"]["medians"][name]) for name in facts["cpu"]["ratios"]]


def train_gpu_rows(facts: dict) -> list[tuple[str, ...]]:
    """One size after the other: the first that ran beside all others of it; then what the six main runs would take."""
    gpu, rows = facts["provenance"]["hardware"]["gpus"][0], []
    for size, found in facts["sizes"].items():
        first = next((name for name, item in found.items() if "failed" not in item), None)
        for name, item in found.items() if first else ():
            times = "" if "failed" in item else f"{found[first]['tokens_per_second'] / item['tokens_per_second']:.2f}x"
            if name != first:
                what = f"training {size}, {gpu}, tokens/s"
                rows.append((what, gpu_entry(first, found[first]), gpu_entry(name, item), times))
    if hours := facts["six_runs_hours"]:
        parts = f"{hours['training']:.2f} of training, {hours['evaluation']:.2f} of evaluation"
        rows.append((f"the six main runs, {gpu}: hours, by these rates", parts, "", ""))
    return rows


def gpu_entry(name: str, item: dict) -> str:
    if "failed" in item:
        return f"{name}: {item['failed']}"
    return f"{name}: {item['tokens_per_second']:,.0f}, {item['mfu']:.1%} MFU, {item['peak_memory_gib']:.0f} GiB"


def evaluate_rows(facts: dict) -> list[tuple[str, ...]]:
    seconds, rates = facts["generation"]["seconds"], facts["tokens_per_second"]
    batched, alone = seconds["batched"], seconds["one at a time"]
    loss, training = (sorted(rates[name])[len(rates[name]) // 2] for name in ("heldout_loss", "training"))
    return [("answers to 64 prompts of 64 tokens, seconds", f"{batched:.1f}", f"one prompt at a time: {alone:.1f}",
             f"{alone / batched:.1f}x as fast"),
            compared("held-out loss, tokens/s", loss, "training", training)]  # fmt: skip


def compared(what: str, ours: float, name: str, other: float) -> tuple[str, ...]:
    return what, f"{ours:,.0f}", f"{name}: {other:,.0f}", f"{ours / other:.2f}x"


if __name__ == "__main__":
    run_main(main)
