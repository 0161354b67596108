"""The analysis end to end, on simulated results folders: what it finds, what it leaves out, what it writes."""

import csv
import html.parser
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake_results import ARMS, FakeStudy, write_arrow, write_json, write_study

import analyze_results
import report_figures
import report_pages
import report_tables
from arrow_files import read_arrow
from common import UserError, read_json
from training_configs import CLAIM

ROOT = Path(__file__).parent.parent
QUICK = {**CLAIM, "bootstrap_draws": 500}
CORE = ["random_1k", "ultra_10k", "random_10k", "medium_1M"]


def analyse(folder, claim=QUICK):
    runs, left_out = analyze_results.load_runs(Path(folder))
    return analyze_results.analyse(runs, left_out, claim)


def run_command(*arguments, **settings):
    command = [sys.executable, "analyze_results.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **settings)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A small study of one real size and the demo, analysed once by the command."""
    folder = tmp_path_factory.mktemp("study") / "results"
    arms = [*CORE, "base", "longest_10k", "high_100k"]
    write_study(folder, sizes=["500M", "demo"], arms=arms, prompts=300, heldout_rows=200)
    done = run_command(folder)
    assert done.returncode == 0, done.stderr
    return folder, done


# ---------------------------------------------------------------------------------------------------------------------
# The command


def test_prints_a_table_the_verdict_and_last_the_report(study):
    folder, done = study
    lines = done.stdout.strip().splitlines()
    assert "ultra_10k" in lines[0] and "500M, bits per byte" in done.stdout and "refuted" in done.stdout
    assert lines[-1] == str(folder / "analysis" / "report.html")
    assert done.stderr == ""


def test_writes_every_file(study):
    written = {str(path.relative_to(study[0] / "analysis")) for path in (study[0] / "analysis").rglob("*.*")}
    tables = ["retention", "runs", "contrasts", "generation", "task_families"]
    assert {f"tables/{name}.{suffix}" for name in tables for suffix in ("csv", "md", "tex")} <= written
    drawn = ["retention", "score_distributions"]
    drawn += [f"{name}_{size}" for name in ("performance", "quality_bands", "loss_curves") for size in ("500M", "demo")]
    assert {f"figures/{name}.{suffix}" for name in drawn for suffix in ("png", "svg")} <= written
    assert {"verdict.json", "report.html", "report.md", "summary.md"} <= written


def test_same_inputs_same_bytes_even_without_torch_and_datasets(study, tmp_path):
    block = "import sys; sys.modules.update(torch=None, datasets=None, transformers=None); sys.argv[0] = 'x'; "
    code = block + "import analyze_results; analyze_results.run_main(analyze_results.main)"
    command = [sys.executable, "-c", code, str(study[0]), "--output_dir", str(tmp_path / "again")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for path in sorted((study[0] / "analysis").rglob("*.*")):
        twin = tmp_path / "again" / path.relative_to(study[0] / "analysis")
        if path.name == "verdict.json":  # its provenance holds the command line, which names another folder
            first, second = read_json(path), read_json(twin)
            assert first["provenance"].pop("argv") != second["provenance"].pop("argv")
            assert first == second
        else:
            assert path.read_bytes() == twin.read_bytes(), path.name


def test_help_imports_no_plotting():
    code = "import sys, analyze_results; print([m for m in ('matplotlib', 'pyarrow', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda folder: None, "no folder"),
        (lambda folder: folder.mkdir(), "train_quality_comparison.py"),
        (lambda folder: write_json(folder / "a_500M/train_results.json", {"config": {}}), "json lacks 'experiment'"),
    ],
)
def test_errors_are_one_line(tmp_path, prepare, words):
    folder = tmp_path / "results"
    prepare(folder)
    done = run_command(folder)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and words in done.stderr
    assert not (folder / "analysis").exists()


# ---------------------------------------------------------------------------------------------------------------------
# What it finds


def test_verdict_json_holds_value_interval_n_and_method(study):
    verdict = read_json(study[0] / "analysis" / "verdict.json")
    assert list(verdict)[:2] == ["config", "provenance"]
    for run in verdict["runs"]:
        for estimate in run["metrics"].values():
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
            assert estimate["n"] in (200, 300) and estimate["method"]
    retention = verdict["sizes"]["500M"]["retention"]["task_completion"]["random_1k"]
    assert retention["n"] == 300 and retention["T_lower"] < retention["T"] < retention["T_upper"]
    assert "500M" in str(verdict["provenance"]["inputs"]) and verdict["scale_label"] == "SIMULATED NUMBERS, scale 1:50"


def test_numbers_agree_with_the_stages_own(study):
    verdict = read_json(study[0] / "analysis" / "verdict.json")
    for run in verdict["runs"]:
        for metric, file in (("bits_per_byte", "heldout_loss"), ("task_completion", "task_completion")):
            stated = read_json(study[0] / run["folder"] / "evaluation" / f"{file}.json")[metric]
            assert run["metrics"][metric]["value"] == pytest.approx(stated, rel=1e-5)


def test_runs_stand_by_size_then_rows(study):
    runs = [run["experiment"] for run in read_json(study[0] / "analysis" / "verdict.json")["runs"]]
    arms = ["base", "random_1k", "ultra_10k", "random_10k", "longest_10k", "high_100k", "medium_1M"]
    assert runs == [f"{arm}_{size}" for size in ("500M", "demo") for arm in arms]


def test_two_analyses_at_once_are_refused(tmp_path, monkeypatch):
    write_study(tmp_path, sizes=["500M"], arms=["ultra_10k"], prompts=40, heldout_rows=40)
    (tmp_path / "analysis").mkdir()
    code = "import sys; from common import sole_use\nwith sole_use(sys.argv[1]): print('held', flush=True); input()"
    command = [sys.executable, "-c", code, str(tmp_path / "analysis")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        monkeypatch.setattr(sys, "argv", ["analyze_results.py", str(tmp_path)])
        with pytest.raises(UserError, match="is in use by process"):
            analyze_results.main()
        assert not (tmp_path / "analysis" / "report.md").exists()
        other.communicate("\n")


def test_only_what_an_earlier_analysis_wrote_is_removed(tmp_path):
    mine = ["tables/notes.md", "figures/diagram.svg", "figures/runs.pdf", "retention.csv", "figures/runs.csv"]
    mine += ["tables/runs_2025.md", "tables/costs_of_my_lab.csv", "figures/generation_of_power.png"]
    old = ["tables/contrasts_bands.csv", "tables/runs.tex", "figures/performance_1B.png"]
    old += ["figures/dose_response_tiers_100k_small.svg", "figures/retention.png"]
    for name in [*mine, *old]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    analyze_results.remove_stale(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")) == sorted(mine)


def test_a_damaged_subset_costs_its_figure_alone(tmp_path, capsys):
    FakeStudy(tmp_path).write_pool(50)
    (tmp_path / "subsets" / "ultra_10k.json").write_text("{")
    assert report_figures.draw_score_distributions(tmp_path, "note", tmp_path) is None
    assert "ultra_10k.json is damaged" in capsys.readouterr().err


def test_numbers_are_rounded_and_filtering_has_its_hours(tmp_path):
    assert analyze_results.round_numbers({"a": [1.23456789, 3, "x", None]}) == {"a": [1.23457, 3, "x", None]}
    assert analyze_results.filter_hours(tmp_path) is None
    for seconds in (5400, 10):  # in one go; by two calls, of which the last knows of its own seconds alone
        steps = {"read": {"seconds": 1800.0}, "score": {"seconds": 3600.0}}
        write_json(tmp_path / "scores.json", {"provenance": {"seconds": seconds}, "steps": steps})
        assert analyze_results.filter_hours(tmp_path) == 1.5


def test_the_demo_never_counts_for_the_study(tmp_path):
    write_study(tmp_path, sizes=["demo"], arms=CORE, prompts=100, heldout_rows=100)
    analysis = analyse(tmp_path)
    assert analysis["sizes"]["demo"]["demo"] and analysis["sizes"]["demo"]["verdict"] == "refuted"
    assert analysis["verdict"] == "not tested"
    assert report_pages.lead_sentences(analysis)[0].startswith("Refuted, for the demo's own small world: of the gain")
    tables = report_tables.make_tables(analysis)
    assert all("shows the pipeline, not the answer" in table["note"] for table in tables)


def test_missing_runs_are_named(tmp_path):
    write_study(tmp_path, sizes=["500M"], arms=["random_1k", "ultra_10k"], prompts=60, heldout_rows=60)
    result = analyse(tmp_path)["sizes"]["500M"]
    assert result["verdict"] == "not tested"
    assert result["retention"]["bits_per_byte"]["random_1k"]["missing"] == ["medium_1M_500M"]
    assert result["retention"]["bits_per_byte"]["base"]["missing"] == ["medium_1M_500M", "base_500M"]
    assert result["contrasts"][0]["missing"] == ["random_10k_500M"]


def test_base_is_an_anchor_of_its_own(tmp_path):
    write_study(tmp_path, sizes=["500M"], arms=[*CORE, "base"], prompts=300, heldout_rows=200)
    anchors = analyse(tmp_path)["sizes"]["500M"]["retention"]["bits_per_byte"]
    assert anchors["base"]["R"] > anchors["random_1k"]["R"]
    assert anchors["base"]["raw_ratio"] == anchors["random_1k"]["raw_ratio"]


def test_holm_runs_over_the_study_and_the_demo_apart(study):
    verdict = read_json(study[0] / "analysis" / "verdict.json")
    for size in ("500M", "demo"):
        contrasts = [contrast for contrast in verdict["sizes"][size]["contrasts"] if contrast["p"] is not None]
        assert {contrast["holm_tests"] for contrast in contrasts} == {4}
        assert all(contrast["p_holm"] >= contrast["p"] for contrast in contrasts)


# ---------------------------------------------------------------------------------------------------------------------
# What it leaves out


def left_out_of(folder):
    analysis = analyse(folder)
    return analysis, {(item["experiment"], item["metric"]): item["reason"] for item in analysis["left_out"]}


@pytest.fixture
def core(tmp_path):
    """The runs of the claim at 500M, each test of its own to spoil."""
    fake = FakeStudy(tmp_path, prompts=60, heldout_rows=60)
    for arm in CORE:
        fake.write_run(arm, "500M")
    return fake


def test_another_suite_is_left_out_of_that_metric_only(core):
    core.write_run("random_10k", "500M", suite_hash="other")
    analysis, left_out = left_out_of(core.folder)
    assert "suite_hash other where they have suite-1" in left_out["random_10k_500M", "task_completion"]
    run = next(run for run in analysis["runs"] if run["arm"] == "random_10k")
    assert list(run["metrics"]) == ["bits_per_byte"]


def test_of_two_suites_as_frequent_that_of_ultra_counts(tmp_path):
    fake = FakeStudy(tmp_path, prompts=60, heldout_rows=60)
    for arm, suite in (("ultra_10k", "a"), ("medium_1M", "z")):
        fake.write_run(arm, "500M", suite_hash=suite)
    assert list(left_out_of(tmp_path)[1]) == [("medium_1M_500M", "task_completion")]


def test_rows_in_another_order_and_another_precision_are_the_same_test(core):
    before = analyse(core.folder)["sizes"]
    folder = core.folder / "ultra_10k_500M" / "evaluation" / "heldout_loss"
    write_arrow(folder, read_arrow(folder).take(list(range(60))[::-1]).to_pydict())
    marker = folder.with_suffix(".json")
    write_json(marker, {**read_json(marker), "config": {"max_tokens": 512, "precision": "bf16"}})
    assert analyse(core.folder)["sizes"] == before


def test_other_heldout_rows_are_left_out(core):
    core.write_run("medium_1M", "500M", heldout_hash="other")
    analysis, left_out = left_out_of(core.folder)
    assert "heldout_hash" in left_out["medium_1M_500M", "bits_per_byte"]
    assert analysis["sizes"]["500M"]["retention"]["bits_per_byte"]["random_1k"]["verdict"] == "not tested"
    assert analysis["sizes"]["500M"]["retention"]["task_completion"]["random_1k"]["verdict"] != "not tested"


def test_fewer_examples_of_the_same_set_are_left_out(core):
    core.heldout_rows = 30
    core.bytes, core.row_loss = core.bytes[:30], core.row_loss[:30]
    core.scores = {name: values[:30] for name, values in core.scores.items()}
    core.write_run("random_10k", "500M")
    assert "examples" in left_out_of(core.folder)[1]["random_10k_500M", "bits_per_byte"]


def change_rows(run: Path, metric: str, change) -> None:
    """Change the columns of one run's examples in place, and let its summary agree with them."""
    folder = run / "evaluation" / metric
    columns = read_arrow(folder).to_pydict()
    change(columns)
    write_arrow(folder, columns)
    value = {
        "heldout_loss": ("bits_per_byte", lambda: sum(columns["nll"]) / sum(columns["bytes"]) / math.log(2)),
        "task_completion": ("task_completion", lambda: sum(columns["passed"]) / len(columns["passed"])),
    }[metric]
    if all(isinstance(passed, bool) for passed in columns.get("passed", [])):
        write_json(folder.with_suffix(".json"), {**read_json(folder.with_suffix(".json")), value[0]: value[1]()})


@pytest.mark.parametrize(
    "metric, change, words",
    [
        ("task_completion", lambda rows: [values.extend(values) for values in rows.values()], "repeat an id"),
        ("heldout_loss", lambda rows: rows["id"].__setitem__(0, rows["id"][1]), "1 of 60 rows repeat an id"),
        ("heldout_loss", lambda rows: rows["id"].__setitem__(0, None), "a row has no id"),
        ("heldout_loss", lambda rows: [values.__delitem__(slice(1, None)) for values in rows.values()], "has 1 row:"),
        ("heldout_loss", lambda rows: rows["bytes"].__setitem__(0, -5), "1 of 60 examples have no finite value"),
        ("task_completion", lambda rows: rows.update(passed=["False"] * len(rows["id"])), "holds string, not bool"),
    ],
)
def test_rows_that_do_not_stand_for_one_example_each_are_left_out(core, metric, change, words):
    """Also where all runs have the same fault, so that they would agree with each other."""
    for arm in CORE:
        change_rows(core.folder / f"{arm}_500M", metric, change)
    left_out = left_out_of(core.folder)[1]
    named = {"heldout_loss": "bits_per_byte"}.get(metric, metric)
    assert all(words in left_out[f"{arm}_500M", named] for arm in CORE)


@pytest.mark.parametrize(
    "metric, change",
    [
        ("heldout_loss", lambda rows: rows.update(bytes=[2 * size for size in rows["bytes"]])),
        ("heldout_loss", lambda rows: rows.update(source=["elsewhere"] * len(rows["id"]))),
        ("task_completion", lambda rows: rows.update(family=["elsewhere"] * len(rows["id"]))),
    ],
)
def test_the_same_ids_over_other_bytes_or_in_other_families_are_another_test(core, metric, change):
    change_rows(core.folder / "ultra_10k_500M", metric, change)
    named = {"heldout_loss": "bits_per_byte"}.get(metric, metric)
    assert "examples" in left_out_of(core.folder)[1]["ultra_10k_500M", named]


def test_another_scale_is_left_out_whole(core):
    core.scale, core.scale_label = 0.5, "scale 1:2"
    core.write_run("medium_1M", "500M")
    analysis, left_out = left_out_of(core.folder)
    assert "scale 0.5 where they have 0.02" in left_out["medium_1M_500M", None]
    assert analysis["sizes"]["500M"]["verdict"] == "not tested"


def test_another_model_is_left_out_whole(core):
    core.write_run("medium_1M", "500M", model_spec={"model": "EleutherAI/pythia-410m"})
    analysis, left_out = left_out_of(core.folder)
    assert "pythia" in left_out["medium_1M_500M", None]
    assert "medium_1M" not in [run["arm"] for run in analysis["runs"]]


def test_an_evaluation_of_an_older_model_is_left_out(core):
    path = core.folder / "ultra_10k_500M" / "train_results.json"
    write_json(path, {**read_json(path), "model_hash": "retrained"})
    left_out = left_out_of(core.folder)[1]
    assert "another model" in left_out["ultra_10k_500M", "bits_per_byte"]


def test_rows_that_do_not_add_up_are_left_out(core):
    path = core.folder / "ultra_10k_500M" / "evaluation" / "heldout_loss.json"
    write_json(path, {**read_json(path), "bits_per_byte": 0.1})
    assert "do not agree" in left_out_of(core.folder)[1]["ultra_10k_500M", "bits_per_byte"]


def test_unfinished_damaged_and_second_runs_are_named(core):
    write_json(core.folder / "high_100k_500M" / "experiment_config.json", {})
    (core.folder / "low_100k_500M").mkdir()
    (core.folder / "low_100k_500M" / "train_results.json").write_text('{"config"')
    core.write_run("random_10k", "500M").rename(core.folder / "z_copy")
    core.write_run("random_10k", "500M")
    (core.folder / "ultra_10k_500M" / "evaluation" / "task_completion.json").unlink()
    left_out = left_out_of(core.folder)[1]
    assert left_out["high_100k_500M", None] == "training has not finished"
    assert "damaged" in left_out["low_100k_500M", None]
    assert "a second run of random_10k_500M" in left_out["z_copy", None]
    assert "not evaluated" in left_out["ultra_10k_500M", "task_completion"]


def test_differences_in_the_recipe_are_told(core):
    core.write_run("medium_1M", "500M", learning_rate=1e-3)
    notes = analyse(core.folder)["sizes"]["500M"]["recipe_differences"]
    assert len(notes) == 1 and notes[0].startswith("learning_rate: ") and "0.001 in medium_1M_500M" in notes[0]


def test_no_run_at_all_raises(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        analyse(tmp_path)


# ---------------------------------------------------------------------------------------------------------------------
# What it writes


class PageReader(html.parser.HTMLParser):
    """Collects what a reader or a browser would act on."""

    def __init__(self, page):
        super().__init__()
        self.sources, self.alts, self.tags = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        if tag == "img":
            self.alts.append(values.get("alt"))
        self.sources += [values[key] for key in ("src", "href") if key in values]


def test_report_is_one_page_with_alt_texts(study):
    page = PageReader((study[0] / "analysis" / "report.html").read_text())
    figures = list((study[0] / "analysis" / "figures").glob("*.png"))
    assert len(page.alts) == len(figures) >= 8 and all(page.alts)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert page.tags.count("h1") == 1


def test_scale_stands_on_every_table_and_page(study):
    output = study[0] / "analysis"
    for path in [*output.glob("tables/*.md"), *output.glob("tables/*.tex"), *output.glob("*.md")]:
        assert "scale 1:50" in path.read_text().lower(), path.name
    for path in output.glob("tables/*.csv"):
        rows = [row for row in csv.DictReader(path.open()) if row.get("size") != "1B"]  # of which there is no run
        assert rows and all(row["scale"] == "SIMULATED NUMBERS, scale 1:50" for row in rows), path.name


def test_names_from_data_are_escaped(tmp_path, monkeypatch):
    monkeypatch.setitem(ARMS, "<img src=x>", ARMS["ultra_1k"])
    fake = FakeStudy(tmp_path, prompts=40, heldout_rows=40)
    for arm in [*CORE, "<img src=x>"]:
        fake.write_run(arm, "500M", model_spec={"model": "x/<script>alert(1)</script>"})
    analysis = {**analyse(tmp_path), "provenance": None}
    tables = report_tables.make_tables(analysis)
    assert "&lt;img src=x>" in report_pages.report_markdown(analysis, tables, [])
    assert not re.search("<(img|script)", report_pages.report_markdown(analysis, tables, []))
    assert not re.search("<(img|script)", report_pages.report_html(analysis, tables, []))


def test_markdown_and_latex_cells():
    assert report_tables.markdown_cell("a|b_c *d* <e> [f](g)") == "a\\|b_c \\*d\\* &lt;e> [f\\](g)"
    assert report_tables.latex_text("50% & a_b ↓") == r"50\% \& a\_b $\downarrow$"
    table = {"name": "t", "title": "T", "note": "n", "headings": ["a", "b"], "cells": [["x_1", "2"]]}
    assert r"x\_1 & 2 \\" in report_tables.latex_table(table)
    assert report_tables.text_table(["", "n"], [["abc", "1"]]).splitlines()[-1] == "abc  1"


def test_verdict_is_plain_json(study):
    text = (study[0] / "analysis" / "verdict.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert str(study[0].parent) not in json.dumps({**json.loads(text), "provenance": None})
