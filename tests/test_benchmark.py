"""The benchmark: every contender runs or says why not, the numbers are kept, mistakes take one line."""

import json
import subprocess
import sys
from pathlib import Path

from test_quality_scorer import PAIRS

from benchmark import CONTENDERS, available, benchmark_scorer, table_lines

REPOSITORY = Path(__file__).resolve().parent.parent


def test_contenders_are_measured_beside_each_other():
    instructions, responses = (list(column) * 20 for column in zip(*PAIRS, strict=True))
    entries = benchmark_scorer(instructions, responses, rounds=2, process_counts=[1, 2])
    assert [entry["name"] for entry in entries] == list(CONTENDERS)
    for entry in entries:
        if not entry["missing"]:
            assert len(entry["processes_2"]["rounds"]) == 2
            assert entry["processes_1"]["rows_per_second"] > 0 and entry["processes_1"]["peak_memory_gib"] > 0
    assert len(table_lines(entries, [1, 2])) == len(CONTENDERS) + 1


def test_what_is_not_installed_is_said():
    def absent():
        import no_such_package  # noqa: F401

    assert available(absent) == "not installed (no_such_package)"


def test_the_command_line_writes_its_numbers(tmp_path):
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(json.dumps({"instruction": ask, "response": reply}) for ask, reply in PAIRS))
    command = [sys.executable, "benchmark.py", "scorer", "--rounds", "1", "--results_dir", str(tmp_path), "--data"]
    done = subprocess.run([*command, str(data)], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0 and "bare str.split" in done.stdout, done.stderr
    facts = json.loads((tmp_path / "benchmark" / "scorer.json").read_text())
    assert facts["config"]["rows"] == len(PAIRS) and facts["provenance"]["hardware"]["cores"]
    done = subprocess.run([*command, "nowhere.jsonl"], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
