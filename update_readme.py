"""Publish a finished study: copy its facts to results/reference/ and set the README's numbers from them.

    python update_readme.py results/demo

Reads  a finished, analysed results folder.
Writes results/reference/<its name>/ (JSON, summary, tables, figures; no weights, no rows) and, in README.md, what
       stands between the markers <!-- summary --> and <!-- times -->. No number there is typed by hand.
"""

import re
import shutil
from pathlib import Path

from common import UserError, argument_parser, read_json, run_main, write_text

ROOT = Path(__file__).parent
REFERENCE = ROOT / "results" / "reference"
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


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("study", help="a finished, analysed results folder, such as results/demo")
    study = Path(parser.parse_args().study)
    if not (study / "analysis" / "summary.md").exists():
        raise UserError(f"{study} is not analysed yet; run: python analyze_results.py {study}")
    if any(read_json(file).get("simulated") for file in study.glob("*/train_results.json")):
        raise UserError(f"{study} holds simulated runs; only what was trained is published")
    publish(study, REFERENCE / study.name)
    readme = ROOT / "README.md"
    write_text(readme, fill_markers(readme.read_text(), REFERENCE / study.name))
    print(f"published {study} as {(REFERENCE / study.name).relative_to(ROOT)} and set the numbers of README.md")


def publish(study: Path, target: Path) -> None:
    """Copy the study's facts, and nothing else, to a clean `target`."""
    shutil.rmtree(target, ignore_errors=True)
    for file in sorted({file for pattern in PUBLISHED for file in study.glob(pattern)}):
        copy = target / file.relative_to(study)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def fill_markers(text: str, study: Path) -> str:
    """README text with the published study's numbers between its markers."""
    blocks = {"summary": (study / "analysis" / "summary.md").read_text().strip(), "times": times_table(study)}
    for name, block in blocks.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = pattern.sub(lambda match, block=block: f"{match[1]}{block}\n{match[2]}", text)
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
    lines = [f"| stage | script | reads | writes | demo, {len(runs)} models |", "|---|---|---|---|---:|"]
    for stage, script, reads, writes, files in rows:
        seconds = sum(read_json(file)["provenance"]["seconds"] or 0 for file in files)
        took = f"{seconds:,.0f} s" if files else "seconds"
        lines.append(f"| {stage} | {script} | {reads} | {writes} | {took} |")
    return "\n".join([*lines, "", f"Measured on {hardware['cores']} cores ({hardware['cpu']}), no GPU."])


if __name__ == "__main__":
    run_main(main)
