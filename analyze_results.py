"""Answer the question from finished runs: the verdict, its tables and figures, and a report. Loads no model.

    python analyze_results.py ./results/
    python analyze_results.py ./results/ --output_dir ./analysis/

Reads  <results>/*/train_results.json and what stands beside it (evaluation/, quality_analysis/, generation_analysis/),
       <results>/scores/ and <results>/subsets/*.json. Any of it may be missing: what cannot be used is named.
Writes <results>/analysis/ (or --output_dir): verdict.json (every number with its interval, n and method), tables/
       (CSV, Markdown, LaTeX), figures/ (PNG, SVG), report.html (one self-contained page), report.md, summary.md.

The claim is tested for each model size and metric by T = m_ultra - 0.8 m_medium - 0.2 m_anchor > 0, at one-sided 95% by
a paired bootstrap over examples. Runs are compared only where they share model, scale, test set and test settings.
"""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

import retention_statistics as statistics
from common import (
    UserError,
    add_results_dir,
    argument_parser,
    hash_path,
    hash_strings,
    provenance,
    read_arrow,
    read_json,
    require_writable,
    run_main,
    write_json,
)
from training_configs import ALL_EXPERIMENTS, ARMS, CLAIM, EXPERIMENTS, SUBSETS

# The primary metrics. `sign` orients: higher is better.
METRICS = {
    "bits_per_byte": {"sign": -1, "marker": "evaluation/heldout_loss.json", "test_set": "heldout"},
    "task_completion": {"sign": 1, "marker": "evaluation/task_completion.json", "test_set": "suite"},
}
SIZES = list(dict.fromkeys(config["size"] for config in EXPERIMENTS.values()))  # the claim is about these
BOOTSTRAP_SEED = 0
SIGNIFICANT_DIGITS = 6  # of what verdict.json states: beyond the bootstrap's own error, and the same on every machine
# An arm may differ from the next in these; in anything else of the recipe a difference is reported.
FREE_SETTINGS = {"experiment", "subset", "size", "epochs", "model_spec", "family", "model"}


def main() -> None:
    parser = argument_parser(__doc__)
    add_results_dir(parser)
    parser.add_argument("results", nargs="?", help="the results folder (same as --results_dir)")
    parser.add_argument("--output_dir", help="where to write (default: <results>/analysis)")
    args = parser.parse_args()
    results = Path(args.results or args.results_dir)
    output = Path(args.output_dir or results / "analysis")
    runs, left_out = load_runs(results)
    require_writable(output)
    analysis = analyse(runs, left_out, CLAIM)
    analysis["provenance"] = lasting_provenance(runs)
    write_outputs(output, results, round_numbers(analysis), runs)


def write_outputs(output: Path, results: Path, analysis: dict, runs: list[dict]) -> None:
    """Everything the stage writes; verdict.json last, as the marker of the rest."""
    import report_figures
    import report_pages
    import report_tables

    (output / "verdict.json").unlink(missing_ok=True)
    tables = report_tables.make_tables(analysis)
    report_tables.write_tables(tables, output / "tables")
    figures = report_figures.draw_figures(analysis, runs, results, output / "figures")
    report_pages.write_pages(analysis, tables, figures, output)
    write_json(output / "verdict.json", analysis)
    print(report_pages.terminal_text(analysis))
    print(output / "report.html")


# ---------------------------------------------------------------------------------------------------------------------
# Records


def lasting_provenance(runs: list[dict]) -> dict:
    """Provenance without the clock, so that the same inputs give the same bytes; inputs by their hash."""
    inputs = {str(file.relative_to(run["folder"].parent)): hash_path(file) for run in runs for file in run["files"]}
    facts = provenance(0.0, inputs)
    return {key: value for key, value in facts.items() if key not in ("started", "seconds")}


def round_numbers(content):
    """Every float of nested plain values to SIGNIFICANT_DIGITS."""
    if isinstance(content, dict):
        return {key: round_numbers(value) for key, value in content.items()}
    if isinstance(content, list):
        return [round_numbers(value) for value in content]
    return float(f"{content:.{SIGNIFICANT_DIGITS}g}") if isinstance(content, float) else content


if __name__ == "__main__":
    run_main(main)
