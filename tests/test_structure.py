"""The house stays as it is: imports run one way, --help answers at once, nothing happens at import."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Every module stands on a floor; it may import only from floors below its own.
FLOORS = [
    ["training_configs"],
    ["common"],
    ["language_model", "task_checkers", "task_phrasings", "word_facts", "retention_statistics", "report_tables"],
    ["packing", "task_families", "text_features", "report_figures", "report_pages", "update_readme", "score_output"],
    ["tradeoff_tables", "tradeoff_figures"],
    ["training_loop", "demo_corpus", "pair_features", "scorecard"],
    ["verifiable_tasks", "near_duplicates", "decontamination", "scorecard_figures"],
    ["dataset_files", "scorecard_tables"],
    ["dataset_readers", "scorecard_page"],
    ["scorer_validation", "instruction_difficulty"],
    ["quality_scorer", "topic_spread"],
    ["subset_rules"],
    ["subset_selection", "subset_report", "dataset_export", "benchmark", "scorer_ablation"],
    ["experiment_comparison"],
    ["filter_datasets", "evaluate_quality_tradeoff", "generation_analysis", "analyze_results"],
    ["train_quality_comparison"],
]
FLOOR_OF = {name: number for number, floor in enumerate(FLOORS) for name in floor}
SCRIPTS = [
    *FLOORS[-2],
    *FLOORS[-1],
    "quality_scorer",
    "benchmark",
    "verifiable_tasks",
    "update_readme",
    "scorer_ablation",
]
SCRIPTS += ["instruction_difficulty"]


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
    started = time.time()
    answer = subprocess.run([sys.executable, f"{script}.py", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0 and "usage:" in answer.stdout
    assert time.time() - started < 3  # a second on an idle machine
