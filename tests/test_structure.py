"""The house stays as it is: imports run one way, --help answers at once, nothing happens at import."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Every module stands on a floor; it may import only from floors below its own.
FLOORS = [
    "answer_text contrast_statistics cost_statistics dialogues json_kinds packed_attention plain_text "
    "reference_distributions task_phrasings text_checks text_remains training_configs training_speed word_facts",
    "choice_questions common near_duplicates retention_statistics scorecard task_checkers task_families "
    "text_features tradeoff_statistics",
    "arrow_files command_line dataset_formats decontamination demo_corpus format_families reasoning_families "
    "report_tables score_dimensions score_output text_soundness topic_spread training_checkpoints training_memory",
    "corpus_shards dataset_export dataset_files finished_runs generation_cache language_model lineage "
    "model_tables pair_features report_figures tradeoff_tables update_readme verifiable_tasks",
    "filter_ledger generation_measures packed_loss packing report_sentences scorecard_figures study_tradeoff "
    "subset_report subset_rules text_generation tradeoff_figures",
    "dataset_readers lm_harness model_probe report_pages scorecard_tables study_analysis subset_selection "
    "training_steps",
    "analysis_benchmark benchmark_items dataset_shards evaluate_quality_tradeoff experiment_comparison "
    "filter_benchmark generation_browser instruction_difficulty scorecard_page scorer_validation training_loop",
    "experiment_inputs quality_scorer subset_comparison train_benchmark",
    "analyze_results dry_run evaluation_benchmark filter_steps generation_analysis gpu_benchmark "
    "learning_rate_sweep scorer_ablation",
    "benchmark decontamination_steps train_quality_comparison",
    "filter_datasets",
]
FLOOR_OF = {name: number for number, floor in enumerate(FLOORS) for name in floor.split()}
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py") if "__main__" in path.read_text())


def imported_names(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def test_every_module_stands_on_one_floor():
    assert sorted(FLOOR_OF) == sorted(path.stem for path in ROOT.glob("*.py"))


@pytest.mark.parametrize("module", sorted(FLOOR_OF))
def test_imports_run_one_way(module):
    local = imported_names(ROOT / f"{module}.py") & set(FLOOR_OF)
    assert {name for name in local if FLOOR_OF[name] >= FLOOR_OF[module]} == set()


def test_the_analysis_needs_no_stage_and_no_torch():
    reached, waiting = set(), ["analyze_results"]
    while waiting:
        names = imported_names(ROOT / f"{waiting.pop()}.py") - reached
        reached |= names
        waiting += names & set(FLOOR_OF)
    assert not reached & {"torch", "transformers", "language_model", "quality_scorer", "filter_datasets"}


@pytest.mark.parametrize("module", sorted(FLOOR_OF))
def test_heavy_packages_are_imported_where_they_are_used(module):
    heavy = {"torch", "transformers", "datasets", "matplotlib", "pandas", "textstat", "nltk"}
    assert not imported_names(ROOT / f"{module}.py", top_level_only=True) & heavy


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_answers_at_once(script):
    before = os.times()
    answer = subprocess.run([sys.executable, f"{script}.py", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0 and "usage:" in answer.stdout
    assert os.times().children_user - before.children_user < 2  # torch alone would take longer
