"""Answer the question from finished runs: the verdict, its tables and figures, and a report. Loads no model.

    python analyze_results.py ./results/
    python analyze_results.py ./results/ --output_dir ./analysis/
    python analyze_results.py ./results/ --compare ultra_10k_500M random_10k_500M
    python analyze_results.py ./results/ --compare ultra_10k my_subset/

Reads  <results>/*/train_results.json and what stands beside it (evaluation/, quality_analysis/, generation_analysis/),
       <results>/scores/ and <results>/subsets/*.json. Any of it may be missing: what cannot be used is named.
Writes <results>/analysis/ (or --output_dir): verdict.json (every number with its interval, n and method), tables/
       (CSV, Markdown, LaTeX), figures/ (PNG, SVG), report.html (one self-contained page), report.md, summary.md,
       generations.html (the models' answers side by side). With --compare only compare_<A>_vs_<B>.html, .md and .json:
       of two experiments, or of two subsets (names in <results>/subsets/, or folders saved by `datasets`).

The claim is tested for each model size and metric by T = m_ultra - 0.8 m_medium - 0.2 m_anchor > 0, at one-sided 95% by
a paired bootstrap over task families or sources where there are enough of them, else over instructions or examples;
over seeds where there are several. Runs are compared only where they share model, scale, test set and test settings.

verdict.json holds, for each size under `sizes` (an end of an interval that the data do not bound is null):
  retention[metric][anchor]  verdict, T, R, gain with intervals; unit and clusters of the bootstrap; seeds per arm
  retention_by_source        [{source, n, ultra, medium, anchor (bits per byte), gain, R with intervals}]
  contrasts          [{name, family, a, b (lists of arms), metric, difference, interval, p, p_holm, test, n, clusters,
                     minimum_detectable, missing}]; families in contrast_statistics.py; p null where runs miss
  dose_response      [{name, arms (lowest scores first), metric, values [{arm, value, low, high, rows, score}],
                     trend {slope, interval, p, test}}]
  tradeoff[metric]   tiers {tier: {points [{rows, value, interval, run, seeds, loss, epochs, used}], A}}, E, alpha,
                     alpha_interval, shared_exponent_test, aicc {form}, kappa {value, interval, identified, why,
                     runs_to_add}, n80 {tier}, target_loss, nonparametric {kappa [...], n80 {tier}}; of `loss`: bits
                     per byte, or the share of prompts that fail
  repetition[metric] R* of effective rows {value, interval, identified, why, runs_to_add}
  rank_correlation[metric]   quality against required rows {value, interval, n, why, tiers, quality, relative_rows}
  cost               one per arm, means of its seeds [{run, arm, seeds, device, train_hours, filter_hours,
                     total_hours, tokens, rows, <metric>, gain {metric}, per_hour {metric},
                     per_million_tokens, per_thousand_rows, on_frontier [metric],
                     tokens_per_second}]
  cost_frontier[metric]      [{from_hours, run, value}]: the best run from each budget on
  score_usefulness   bands [{arm, metric, score, gain, interval}], dimensions {name: {rank_correlation {metric},
                     test_bands [{band, low, high, rows, gain, interval}]}}, drop_one [contrast + dimension]
  seeds[metric]      spread between seeds {degrees, sd, sd_of_examples (its part by test examples), runs_per_arm, why}
  arms[metric]       {arm: the mean of its seeds {value, low, high, n, method, rows, seeds, runs}}
  resampling[metric] what the bootstrap drew {unit, clusters, effective_clusters, groups, group_words, seeds, method}
  missing            planned experiments that are not there
`verdict` is about `verdict_sizes`: 500M and 1B, or, without any run of these, the sizes that stand in for them.
Each entry of `runs` also has base_arm and seed; a repeat with another seed is an arm of its own there (ultra_10k_s1).
"""

from pathlib import Path

import experiment_comparison
import generation_browser
import model_tables
import report_figures
import report_pages
import report_tables
import subset_comparison
import tradeoff_figures
import tradeoff_tables
from command_line import add_results_dir, argument_parser, run_main
from common import Facts, UserError, hash_path, provenance, read_json, require_writable, sole_use, write_json
from finished_runs import load_runs
from report_sentences import left_out_sentences
from study_analysis import analyse, compare_groups, scale_words
from training_configs import CLAIM, split_seed

SIGNIFICANT_DIGITS = 6  # of what verdict.json states: beyond the bootstrap's own error, and the same on every machine


def main() -> None:
    parser = argument_parser(__doc__)
    add_results_dir(parser)
    parser.add_argument("results", nargs="?", help="the results folder (same as --results_dir)")
    parser.add_argument("--output_dir", help="where to write (default: <results>/analysis)")
    parser.add_argument("--compare", nargs=2, metavar=("A", "B"), help="only these two experiments, or two subsets")
    arguments = parser.parse_args()
    results = Path(arguments.results or arguments.results_dir)
    output = Path(arguments.output_dir or results / "analysis")
    option = "--output_dir" if arguments.output_dir else "--results_dir"
    if arguments.compare and are_subsets(results, arguments.compare):
        compare_subsets(results, arguments.compare, require_writable(output, option))
        return
    runs, left_out = load_runs(results)
    require_writable(output, option)
    if arguments.compare:
        compare(runs, left_out, arguments.compare, output)
        return
    with sole_use(output):  # of two at once, one would remove the figures that the other is about to embed
        analysis = analyse(runs, left_out, CLAIM, filter_hours(results))
        analysis["provenance"] = lasting_provenance(runs)
        write_outputs(output, results, round_numbers(analysis), runs)


def compare(runs: list[dict], left_out: list[dict], names: list[str], output: Path) -> None:
    """Write and print the paired comparison of two experiments."""
    chosen = [experiment_comparison.pick_run(runs, name, left_out) for name in names]
    comparison, compared = compare_runs(runs, *chosen)
    comparison["provenance"] = lasting_provenance(compared)
    comparison = round_numbers(comparison)
    words, points = experiment_comparison.verdict_sentence(comparison), experiment_comparison.cautions(comparison)
    arms = {f"{run['arm']}_{run['size']}" for run in compared}
    ours = [item for item in left_out if split_seed(item["experiment"])[0] in arms]
    points += [f"Left out: {sentence}." for sentence in left_out_sentences({"left_out": ours})]
    report_comparison(comparison, words, points, [experiment_comparison.comparison_table(comparison)], output)


def report_comparison(comparison: dict, words: str, points: list[str], tables: list[dict], output: Path) -> None:
    """Write a comparison, print it and where it is. `words`: what it says; `points`: what stands against that."""
    page = experiment_comparison.write_comparison(comparison, words, points, tables, output)
    print(experiment_comparison.comparison_text(comparison, words, points, tables))
    print(page)


def compare_runs(runs: list[dict], first: dict, second: dict) -> tuple[dict, list[dict]]:
    """The comparison of two loaded runs and their repeats, less its provenance, and all runs in it.

    Raises UserError where they took different tests.
    """
    experiment_comparison.require_comparable(first, second)
    groups = [experiment_comparison.with_repeats(runs, run) for run in (first, second)]
    if first in groups[1] or second in groups[0]:  # a run against its own repeat
        groups = [[first], [second]]
    compared = [run for group in groups for run in group]
    for run in compared[1:]:
        experiment_comparison.require_comparable(first, run)
    records = compare_groups(groups, CLAIM)
    labels = [scale_words(run["train"]) for run in (first, second)]
    return experiment_comparison.make_comparison(groups, records, labels), compared


def are_subsets(results: Path, names: list[str]) -> bool:
    """Whether both names are of subsets. Raises UserError where one is and the other is none, or one is a data file."""
    found = [subset_comparison.find_subset(results, name) for name in names]
    if files := [name for name in names if Path(name).is_file() or (Path(name) / "dataset_dict.json").exists()]:
        raise UserError(f"--compare: {files[0]} is no subset: that is a name in {results / 'subsets'} or a folder that "
                        "Dataset.save_to_disk of `datasets` wrote, with instruction and response")  # fmt: skip
    if any(found) and not all(found):
        subset, other = names if found[0] else names[::-1]
        raise UserError(f"--compare: {subset} is a subset and {other} is none; name two experiments or two subsets")
    return all(found)


def compare_subsets(results: Path, names: list[str], output: Path) -> None:
    """Write and print two subsets side by side, with the runs of equal size that trained on them."""
    runs = load_runs(results)[0] if any(results.glob("*/train_results.json")) else []
    chosen = [[run for run in runs if run["arm"] == run["subset"] == name and not run["seed"]] for name in names]
    pairs = [(first, second) for first in chosen[0] for second in chosen[1] if first["size"] == second["size"]]
    pairs = [pair for pair in pairs if names[0] != names[1]]
    trained, compared, not_compared = [], [], []
    for pair in pairs:
        try:
            comparison, some = compare_runs(runs, *pair)
            trained, compared = [*trained, comparison], [*compared, *some]
        except UserError as error:  # the rows can be compared all the same
            not_compared.append(str(error))
    scale = ", ".join(dict.fromkeys(pair["scale_label"] for pair in trained)) or None
    comparison = subset_comparison.make_comparison(results, names, trained, scale)
    comparison["provenance"] = lasting_provenance(compared)
    comparison = round_numbers(comparison)
    points = subset_comparison.cautions(comparison) + [f"Not compared: {reason}." for reason in not_compared]
    report_comparison(
        comparison, subset_comparison.sentence(comparison), points, subset_comparison.tables_of(comparison), output
    )


def write_outputs(output: Path, results: Path, analysis: dict, runs: list[dict]) -> None:
    """Everything the stage writes; verdict.json last, as the marker of the rest."""
    (output / "verdict.json").unlink(missing_ok=True)
    remove_stale(output)
    makers = (report_tables, tradeoff_tables, model_tables)
    tables = [table for maker in makers for table in maker.make_tables(analysis)]
    report_tables.write_tables(tables, output / "tables")
    figures = report_figures.draw_figures(analysis, runs, results, output / "figures")
    figures += tradeoff_figures.draw_figures(analysis, output / "figures")
    analysis["generations_page"] = generation_browser.write_browser(runs, output)
    report_pages.write_pages(analysis, tables, figures, output)
    write_json(output / "verdict.json", analysis)
    print(report_pages.terminal_text(analysis))
    print(output / "report.html")


def remove_stale(output: Path) -> None:
    """Remove tables and figures of an earlier analysis, told by their names; other files are not ours."""
    for folder, kinds in (("tables", (".csv", ".md", ".tex")), ("figures", (".png", ".svg"))):
        for file in (output / folder).glob("*.*"):
            if file.suffix in kinds and report_pages.heading_of(file.stem):
                file.unlink()


# ---------------------------------------------------------------------------------------------------------------------
# Records


def filter_hours(results: Path) -> float | None:
    """Hours by the clock that filter_datasets.py took up to the scores, by its own account; null where it has none.

    Of a run that was killed and went on, the last call knows its own seconds alone, and the steps those of all calls.
    """
    try:
        scores = read_json(results / "scores.json")
        return max(scores["provenance"]["seconds"], sum(step["seconds"] for step in scores["steps"].values())) / 3600
    except (UserError, TypeError):
        return None


def lasting_provenance(runs: list[dict]) -> dict:
    """Provenance without the clock, so that the same inputs give the same bytes; inputs by their hash."""
    inputs = {str(file.relative_to(run["folder"].parent)): hash_path(file) for run in runs for file in run["files"]}
    facts = provenance(0.0, inputs)
    return {key: value for key, value in facts.items() if key not in ("started", "seconds")}


def round_numbers(content):
    """Every float of nested plain values to SIGNIFICANT_DIGITS. Facts stay such, and name their file."""
    if isinstance(content, dict):
        rounded = {key: round_numbers(value) for key, value in content.items()}
        return Facts(rounded, content.path) if isinstance(content, Facts) else rounded
    if isinstance(content, list):
        return [round_numbers(value) for value in content]
    return float(f"{content:.{SIGNIFICANT_DIGITS}g}") if isinstance(content, float) else content


if __name__ == "__main__":
    run_main(main)
