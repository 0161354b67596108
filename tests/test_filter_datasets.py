"""The filter stage end to end on small input, its arithmetic by hand, and what a kill leaves behind."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow
import pytest

import corpus_shards
import dataset_formats
import decontamination_steps
import filter_datasets
import filter_steps
import subset_report
import subset_selection
from arrow_files import read_arrow, write_table
from common import UserError, read_json
from near_duplicates import normalise
from subset_selection import describe
from training_configs import SCORE_KEYS, SUBSETS
from verifiable_tasks import make_suite


def run(folder, *options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filter_datasets, "draw_subsets", lambda *arguments: None)  # test_subset_selection draws it
        patch.setattr(sys, "argv", ["filter_datasets.py", "--results_dir", str(folder), "--num_proc", "1", *options])
        patch.setattr("scorecard_page.draw_figures", lambda card: defaultdict(list))  # test_scorecard.py draws them
        filter_datasets.main()
    return read_json(folder / "scores.json")


def make_rows(rows):
    rng = np.random.default_rng(0)
    return [
        {
            "id": f"row-{number:04d}",
            "source": "common" if number % 4 else "rare",
            "instruction": f"Explain topic {number} about " + " ".join(f"i{word}" for word in rng.integers(0, 900, 9)),
            "response": "It is " + " ".join(f"r{word}" for word in rng.integers(0, 900, rng.integers(5, 60))) + ".",
        }
        for number in range(rows)
    ]


def spoilt_rows(rows):
    """`make_rows` and after it one row for every reason to drop one."""
    suite_prompt = make_suite(*filter_datasets.EVALUATION_SUITES[0].values())[5]["prompt"]
    near = {**rows[8], "id": "near", "response": rows[8]["response"] + " And so on."}
    long = " ".join(["word"] * 40)
    return [
        *rows,
        {**rows[0], "id": "no ask", "instruction": " \n"},
        {**rows[0], "id": "no answer", "response": ""},
        {**rows[0], "id": "long", "response": "x" * 50_001},
        {**rows[0], "id": "exact", "instruction": rows[0]["instruction"].upper() + "  "},
        {**near, "id": "near a", "instruction": f"{long} {near['instruction']}"},
        {
            **near,
            "id": "near b",
            "instruction": f"{long} {near['instruction']}",
            "response": near["response"] + " End.",
        },
        {**rows[1], "id": "leak", "instruction": f"  {suite_prompt.upper()}", "response": "Something quite new here."},
        {"id": "no columns", "text": "?"},
    ]


def write_input(folder, rows):
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(results folder, scores.json, the input) of one run that everything below only reads."""
    folder = tmp_path_factory.mktemp("filter")
    path = write_input(folder, spoilt_rows(make_rows(600)))
    return folder / "results", run(folder / "results", "--dataset", path), path


def subset_of(finished, name):
    return read_json(finished[0] / "subsets" / f"{name}.json"), read_arrow(finished[0] / "subsets" / name).to_pylist()


# ---------------------------------------------------------------------------------------------------------------------
# What a run writes


def test_ledger_names_every_row(finished):
    ledger = finished[1]["ledger"]
    dropped = {reason: sum(by.values()) for step in ledger["steps"] for reason, by in step["dropped"].items()}
    assert dropped == {
        "no_usable_columns": 1, "empty_instruction": 1, "empty_response": 1, "too_long": 1, "exact_duplicate": 1,
        "near_duplicate": 1, "in_evaluation_suite": 1,
    }  # fmt: skip
    assert (ledger["rows_read"], ledger["rows_dropped"], ledger["rows"]) == (608, 7, 601)
    for step in ledger["steps"]:
        assert step["rows_in"] - step["rows_out"] == sum(sum(by.values()) for by in step["dropped"].values())
    for before, after in zip(ledger["steps"], ledger["steps"][1:], strict=False):
        assert before["rows_out"] == after["rows_in"]


def test_scores_hold_every_kept_row_once(finished):
    table = read_arrow(finished[0] / "scores")
    assert table.column_names == ["id", "source", "instruction", "response", *SCORE_KEYS]
    assert table.num_rows == finished[1]["rows"] == finished[1]["heldout_rows"] + finished[1]["pool_rows"] == 601
    assert len(set(table["id"].to_pylist())) == 601
    assert len({"near a", "near b"} & set(table["id"].to_pylist())) == 1
    for key in SCORE_KEYS:
        values = table[key].to_numpy()
        assert finished[1]["distribution"][key] == describe(values)
        assert values.min() >= 0 and values.max() <= 1


def test_heldout_rows_are_stratified_and_apart(finished):
    facts, heldout = subset_of(finished, "heldout")
    assert facts["rows"] == len(heldout) == 30  # 5% of 601
    counts = Counter(row["source"] for row in heldout)
    assert abs(counts["rare"] - 7.5) < 1 and abs(counts["common"] - 22.5) < 1
    asked = {normalise(row["instruction"]) for row in heldout}
    for name in SUBSETS:
        if name not in finished[1]["subsets_left_out"]:
            assert not asked & {normalise(row["instruction"]) for row in subset_of(finished, name)[1]}


def test_subsets_follow_their_rules(finished):
    scores = finished[1]
    heldout = {row["id"] for row in subset_of(finished, "heldout")[1]}
    pool = [row for row in read_arrow(finished[0] / "scores").to_pylist() if row["id"] not in heldout]
    assert len(pool) == scores["pool_rows"] == 571 and scores["scale"] == 2_000 and scores["scale_label"] == "1:2000"
    best = [row["id"] for row in sorted(pool, key=lambda row: (-row["quality"], row["id"]))]
    longest = [row["id"] for row in sorted(pool, key=lambda row: (-len(row["response"].split()), row["id"]))]
    wanted = {"ultra_10k": best[:5], "high_100k": best[:50], "medium_1M": best[:500], "low_100k": best[-50:]}
    wanted["longest_10k"] = longest[:5]
    for name, ids in wanted.items():
        facts, rows = subset_of(finished, name)
        assert [row["id"] for row in rows] == ids
        assert facts["rows"] == len(ids) == SUBSETS[name]["rows"] // 2_000
    small, large = subset_of(finished, "random_10k")[1], subset_of(finished, "random_100k")[1]
    assert large[: len(small)] == small
    assert scores["subsets_left_out"] == dict.fromkeys(["ultra_1k", "random_1k"], "smaller than one row at this scale")
    assert not (finished[0] / "subsets" / "random_1k.json").exists()


def test_a_subset_says_what_it_is(finished):
    facts, rows = subset_of(finished, "high_100k")
    quality = [row["quality"] for row in rows]
    assert (facts["score"]["min"], facts["score"]["max"]) == (min(quality), max(quality))
    assert facts["score"]["mean"] == pytest.approx(np.mean(quality))
    assert facts["pool_rows"] == 571 and facts["pool_fraction"] == pytest.approx(50 / 571)
    assert (facts["rule"], facts["full_scale_rows"], facts["scale"]) == ("top", 100_000, 2_000)
    assert sum(facts["source_mix"].values()) == 50
    assert facts["provenance"]["inputs"] == {"scores": finished[1]["content_hash"]}
    assert facts["pool_duplicates_removed"] == {"exact_duplicate": 1, "near_duplicate": 1}
    words = [len(row["instruction"].split()) for row in rows]
    assert facts["instruction_words"]["mean"] == pytest.approx(np.mean(words))


def test_a_control_says_what_it_controls_and_how_well_it_matches(finished):
    ultra = {row["id"] for row in subset_of(finished, "ultra_10k")[1]}
    facts, rows = subset_of(finished, "source_matched_10k")
    assert facts["controls"] == "ultra_10k" and facts["config"]["tier"] == SUBSETS["ultra_10k"]
    assert facts["source_mix"] == subset_of(finished, "ultra_10k")[0]["source_mix"]
    assert facts["selection"] == {"rows_unmatched": 0, "source_mix_distance": 0}
    assert len(rows) == len(ultra) and not ultra & {row["id"] for row in rows}


def test_a_second_run_skips_and_another_is_refused(finished, capsys):
    folder, _, path = finished
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    run(folder, "--dataset", path)
    assert "scores.json is already done" in capsys.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before
    with pytest.raises(UserError, match=r"seed: 0 there, 1 now\); --force rebuilds it"):
        run(folder, "--dataset", path, "--seed", "1")


def test_results_of_another_definition_of_near_duplicates_are_refused(finished, monkeypatch):
    monkeypatch.setattr("filter_datasets.NEAR_DUPLICATE_VERSION", 0)
    with pytest.raises(UserError, match="near_duplicate_version: [1-9][0-9]* there, 0 now"):
        run(finished[0], "--dataset", finished[2])


def test_the_report_has_a_line_for_each_subset(finished, capsys):
    run(finished[0], "--dataset", finished[2])
    printed = capsys.readouterr().out
    for name in ("ultra_10k", "medium_1M", "heldout", "scale 1:2000", "near_duplicate (", "next: python train_quality"):
        assert name in printed
    assert "medium_1M takes 88% of the pool" in printed


def test_what_comes_next_is_a_command_that_can_run(tmp_path, capsys):
    run(tmp_path / "a b", "--dataset", write_input(tmp_path, make_rows(130)))
    assert capsys.readouterr().out.endswith(f"ultra_10k_500M --results_dir '{tmp_path / 'a b'}'\n")
    run(tmp_path / "few", "--dataset", write_input(tmp_path, make_rows(40)))
    printed = capsys.readouterr().out
    assert "smaller than one row at this scale: ultra_10k" in printed and "next: " not in printed


# ---------------------------------------------------------------------------------------------------------------------
# The same again: processes, order, kills


def all_bytes(folder):
    """Every file of scores/ and subsets/ and its bytes, JSON without its provenance."""
    found = {}
    for part in ("scores", "subsets"):
        for path in sorted((folder / part).rglob("*")):
            if path.is_file():
                facts = read_json(path) if path.suffix == ".json" else None
                found[str(path.relative_to(folder))] = facts and {**facts, "provenance": None} or path.read_bytes()
    return read_json(folder / "scores.json")["content_hash"], found


def test_shards_and_processes_change_no_byte(tmp_path, monkeypatch):
    path = write_input(tmp_path, spoilt_rows(make_rows(110)))
    run(tmp_path / "whole", "--dataset", path)
    for number, (shard, files, processes) in enumerate([(7, 30, "1"), (1_000, 30, "1"), (40, 30, "3")]):
        for module, name, value in (
            (dataset_formats, "CHUNK_ROWS", shard), (filter_steps, "SHARD_ROWS", shard),
            (filter_steps, "BATCH_ROWS", 11), (corpus_shards, "FILE_ROWS", files), (corpus_shards, "GATHER_ROWS", 20),
            (subset_selection, "PART_ROWS", shard),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, value)
        monkeypatch.setattr(corpus_shards, "BATCH_ROWS", 10)
        run(tmp_path / str(number), "--dataset", path, "--num_proc", processes)
    hashes = [all_bytes(tmp_path / str(number)) for number in range(3)]
    assert hashes[0] == hashes[1] == hashes[2] and hashes[0][0] == all_bytes(tmp_path / "whole")[0]
    assert len([name for name in hashes[0][1] if name.startswith("scores/data-")]) == 4
    assert not (tmp_path / "0" / filter_datasets.WORK_FOLDER).exists()


def test_more_shards_than_files_may_be_open(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_formats, "CHUNK_ROWS", 2)
    monkeypatch.setattr(filter_steps, "SHARD_ROWS", 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, hard))
    try:
        assert run(tmp_path / "results", "--dataset", write_input(tmp_path, make_rows(120)))["rows"] == 120
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_counts_of_shards_together_are_those_of_the_whole(tmp_path):
    from quality_scorer import QualityScorer

    rows = make_rows(300) * 2 + make_rows(40)
    job = corpus_shards.Job(tmp_path, 1)
    asks = [row["instruction"] for row in rows]
    for shard, start in enumerate(range(0, len(asks), 97)):
        counter = QualityScorer()
        counter.count(asks[start : start + 97])
        write_table(job.path("fit", shard, "arrow"), filter_steps.counts_table(counter))
    merged = {name: {} for name in filter_steps.COUNTED}
    for number in range(filter_steps.RANGES):
        filter_steps.merge_counts_task((job, shard + 1), number)
        table = read_stream(job.path("counts", number, "arrow"))
        for kind, key, count in zip(*(table[name].to_pylist() for name in ("kind", "key", "rows_sum")), strict=True):
            merged[filter_steps.COUNTED[kind]][key.decode()] = count
    whole = QualityScorer().fit([(asks, asks)])
    for name in filter_steps.COUNTED:
        assert merged[name] == {key: count for key, count in getattr(whole, name).items() if count > 1}
    short = QualityScorer.from_dict({**whole.to_dict(), **merged, "unlisted": 1})
    pairs = asks, [row["response"] for row in rows]
    for key, values in whole.score_batch(*pairs).items():
        assert (short.score_batch(*pairs)[key] == values).all()


def read_stream(path):
    return pyarrow.ipc.open_stream(pyarrow.memory_map(str(path))).read_all()


class Killed(BaseException):
    """Stands for kill -9: nothing catches it, and no code runs after it."""


WRITERS = [
    (corpus_shards, ["write_array", "write_arrays", "write_facts", "write_rows"]),
    (filter_steps, ["write_table", "write_array", "write_arrays", "write_facts", "write_rows"]),
    (decontamination_steps, ["write_arrays"]),
    (filter_datasets, ["write_json", "place_folder", "remove_old"]),
    (subset_selection, ["write_folder", "write_json"]),
]


def run_until(writes, folder, path):
    """Run the stage and kill it before its write of this number; whether it was killed."""
    left = [writes]

    def until_killed(write):
        def wrapped(*arguments, **arrays):
            if not left[0]:
                raise Killed
            left[0] -= 1
            return write(*arguments, **arrays)

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset_formats, "CHUNK_ROWS", 20)
        patch.setattr(filter_steps, "SHARD_ROWS", 20)
        for module, names in WRITERS:
            for name in names:
                patch.setattr(module, name, until_killed(getattr(module, name)))
        try:
            run(folder, "--dataset", path)
        except Killed:
            return True
    return False


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """(all bytes, the input) of a run of 60 rows in three shards that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    path = write_input(folder, make_rows(60))
    assert not run_until(-1, folder / "results", path)
    return all_bytes(folder / "results"), path


@pytest.mark.parametrize("writes", range(0, 130, 13))
def test_a_kill_at_any_write_then_the_same_command(undisturbed, tmp_path, writes):
    wanted, path = undisturbed
    run_until(writes, tmp_path, path)
    for marker in (tmp_path / "subsets").glob("*.json"):
        rows = read_arrow(tmp_path / "subsets" / marker.stem).num_rows
        assert rows == read_json(marker)["rows"]  # whatever is marked is whole
    assert not run_until(-1, tmp_path, path)
    assert all_bytes(tmp_path) == wanted


def test_after_a_kill_only_what_was_not_finished_is_done(undisturbed, tmp_path):
    wanted, path = undisturbed
    kills = 0
    while run_until(40, tmp_path, path):
        kills += 1
    steps = read_json(tmp_path / "scores.json")["steps"]
    assert kills >= 1 and all_bytes(tmp_path) == wanted
    assert steps.get("read", {"tasks": 0})["tasks"] == 0  # done before the first kill


def test_work_of_another_input_is_not_used(undisturbed, tmp_path):
    run_until(30, tmp_path, undisturbed[1])
    other = write_input(tmp_path, make_rows(61)[1:])
    scores = run(tmp_path, "--dataset", other)
    assert "row-0000" not in read_arrow(tmp_path / "scores", ["id"])["id"].to_pylist() and scores["rows"] == 60


@pytest.mark.parametrize("module", ["text_checks.py", "format_families.py", "topic_spread.py"])
def test_work_of_other_code_is_not_used(tmp_path, monkeypatch, module):
    before = filter_datasets.work_folder(tmp_path, {}, {})
    assert filter_datasets.work_folder(tmp_path, {}, {}) == before and before.exists()
    unchanged = filter_datasets.hash_path
    monkeypatch.setattr(filter_datasets, "hash_path", lambda path: "other" if path.name == module else unchanged(path))
    assert filter_datasets.work_folder(tmp_path, {}, {}) != before and not before.exists()


def test_real_kills_of_all_processes(finished, tmp_path):
    command = [sys.executable, "filter_datasets.py", "--dataset", finished[2], "--num_proc", "2"]
    command += ["--results_dir", str(tmp_path)]
    root = Path(filter_datasets.__file__).parent
    for seconds in (0.9, 1.3):
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    run(tmp_path, "--dataset", finished[2])
    assert all_bytes(tmp_path) == all_bytes(finished[0])


# ---------------------------------------------------------------------------------------------------------------------
# Two at once, and disks that do not take more


def test_a_second_run_into_the_same_folder_is_refused_with_who_holds_it(tmp_path):
    holder = "import sys; from common import sole_use\nwith sole_use(sys.argv[1]): print('held', flush=True); input()"
    root = Path(filter_datasets.__file__).parent
    command, pipe = [sys.executable, "-c", holder, str(tmp_path)], subprocess.PIPE
    process = subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(UserError, match=rf"in use by process {process.pid} on .* since 20.*; wait for it"):
        run(tmp_path, "--dataset", write_input(tmp_path, make_rows(20)))
    process.kill()
    process.wait()
    run(tmp_path, "--dataset", write_input(tmp_path, make_rows(20)))  # its holder is dead, and blocks nobody
    assert not (tmp_path / ".lock").exists()


@pytest.mark.parametrize("writes", range(1, 110, 23))
def test_a_full_disk_stops_with_one_line_and_the_same_command_goes_on(undisturbed, tmp_path, monkeypatch, writes):
    wanted, path = undisturbed
    left, sync = [writes], os.fsync

    def full(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="No space left on device|the disk is full; make room and run the same"):
            run_until(-1, tmp_path, path)
    for marker in [*tmp_path.glob("*.json"), *(tmp_path / "subsets").glob("*.json")]:
        read_json(marker)
    assert not list(tmp_path.rglob("*.tmp"))
    run_until(-1, tmp_path, path)
    assert all_bytes(tmp_path) == wanted


def test_what_a_kill_within_a_write_leaves_goes(tmp_path):
    (tmp_path / "results" / "subsets" / ".heldout.1.tmp").mkdir(parents=True)
    (tmp_path / "results" / ".scores.1.tmp").mkdir()
    (tmp_path / "results" / ".scores.json.1.tmp").write_text("{")
    run(tmp_path / "results", "--dataset", write_input(tmp_path, make_rows(20)))
    assert not list((tmp_path / "results").rglob("*.tmp"))


def test_what_a_kill_within_a_file_of_scores_leaves_is_not_among_them(undisturbed, tmp_path):
    wanted, path = undisturbed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filter_datasets, "place_folder", lambda *_arguments: sys.exit())
        with pytest.raises(SystemExit):
            run_until(-1, tmp_path, path)
    (staged,) = tmp_path.glob(f"{filter_datasets.WORK_FOLDER}/*/scores")
    (staged / ".data-00000-of-00001.arrow.host-12.tmp").write_text("half")
    run_until(-1, tmp_path, path)
    assert all_bytes(tmp_path) == wanted


def test_force_rebuilds_and_leaves_nothing_of_before(tmp_path):
    path = write_input(tmp_path, make_rows(400))
    run(tmp_path / "results", "--dataset", path)
    assert (tmp_path / "results" / "subsets" / "random_30k.json").exists()
    run(tmp_path / "results", "--export", "alpaca", "--format", "parquet", "--subset", "ultra_10k", "heldout")
    scores = run(tmp_path / "results", "--dataset", path, "--max_samples", "20", "--force")
    assert scores["ledger"]["steps"][0]["dropped"] == {"not_sampled": {"rows": 380}} and scores["rows"] == 20
    assert not (tmp_path / "results" / "subsets" / "random_30k").exists()
    assert not any((tmp_path / "results" / "exports" / "parquet").iterdir())


def test_a_new_subset_needs_no_new_scores(tmp_path, monkeypatch):
    path = write_input(tmp_path, make_rows(60))
    before = run(tmp_path / "results", "--dataset", path)
    changed = {**SUBSETS, "random_300k": {"rule": "random", "rows": 300_000}, "random_1": {"rule": "random", "rows": 1}}
    monkeypatch.setattr(subset_selection, "SUBSETS", changed)
    monkeypatch.setattr(subset_report, "SUBSETS", changed)
    after = run(tmp_path / "results", "--dataset", path)
    assert after["content_hash"] == before["content_hash"] and after["provenance"] == before["provenance"]
    assert read_json(tmp_path / "results" / "subsets" / "random_300k.json")["rows"] == 300_000 // after["scale"]
    assert [*after["subsets_left_out"]] == [*before["subsets_left_out"], "random_1"]


def test_a_control_that_the_pool_cannot_match_is_left_out_with_the_reason(tmp_path, monkeypatch, capsys):
    control = {"source_matched_1M": {"rule": "source_matched", "rows": 1_000_000, "controls": "medium_1M"}}
    for module in (subset_selection, subset_report):
        monkeypatch.setattr(module, "SUBSETS", {**SUBSETS, **control})
    scores = run(tmp_path / "results", "--dataset", write_input(tmp_path, make_rows(60)))
    reason = "50 rows wanted, 7 outside medium_1M"  # scale 1:20000, three of the 60 rows held out
    assert scores["subsets_left_out"]["source_matched_1M"] == reason
    assert f"left out, {reason}: source_matched_1M" in capsys.readouterr().out
    assert not (tmp_path / "results" / "subsets" / "source_matched_1M.json").exists()


def test_balance_gives_every_tier_the_mix_of_the_pool_and_is_part_of_its_config(finished, tmp_path):
    scores = run(tmp_path / "results", "--dataset", finished[2], "--balance", "source")
    table = read_arrow(tmp_path / "results" / "scores")
    heldout = set(read_arrow(tmp_path / "results" / "subsets" / "heldout", ["id"])["id"].to_pylist())
    pool = Counter(row["source"] for row in table.select(["id", "source"]).to_pylist() if row["id"] not in heldout)
    for name in ("ultra_10k", "high_100k", "medium_1M", "low_100k"):
        facts = read_json(tmp_path / "results" / "subsets" / f"{name}.json")
        for source, rows in pool.items():
            share = facts["rows"] * rows / scores["pool_rows"]
            assert abs(facts["source_mix"].get(source, 0) - share) < 1
    with pytest.raises(UserError, match=r'balance: "source" there, "none" now.*--force rebuilds it'):
        run(tmp_path / "results", "--dataset", finished[2])


def test_the_figure_goes_before_a_subset_changes(tmp_path):
    path = write_input(tmp_path, make_rows(60))
    run(tmp_path / "results", "--dataset", path)
    figure = subset_report.figure_files(tmp_path / "results")
    figure[0].parent.mkdir()
    for file in figure:
        file.write_text("drawn")
    run(tmp_path / "results", "--dataset", path)
    assert all(file.exists() for file in figure)  # nothing was cut
    (tmp_path / "results" / "subsets" / "high_100k.json").unlink()
    run(tmp_path / "results", "--dataset", path)
    assert not any(file.exists() for file in figure)


def test_rows_that_ask_what_a_heldout_row_asks_leave(tmp_path):
    rows = make_rows(80)
    for number, row in enumerate(rows):
        row["instruction"] = f"Ask {number % 40} of forty things, please" + ".?"[number // 40]
    scores = run(tmp_path / "results", "--dataset", write_input(tmp_path, rows))
    heldout = read_arrow(tmp_path / "results" / "subsets" / "heldout")["instruction"].to_pylist()
    forbidden = 2 * len({text[:-1] for text in heldout}) - 4  # each is asked twice, with another mark
    assert len(heldout) == 4 and scores["rows"] == 80 - forbidden
    dropped = scores["ledger"]["steps"][-1]["dropped"].get("shares_heldout_instruction", {})
    assert sum(dropped.values()) == forbidden


# ---------------------------------------------------------------------------------------------------------------------
# Small and wrong input


def test_too_few_rows(tmp_path):
    for rows, message in (
        (make_rows(1), "too few usable rows, none is left beside the held-out ones: 1 read"),
        ([{"instruction": "a", "response": " "}], "no usable row: 1 read, 1 empty_response"),
    ):
        with pytest.raises(UserError, match=message):
            run(tmp_path / "results", "--dataset", write_input(tmp_path, rows))
        assert list((tmp_path / "results").iterdir()) == []


def test_nothing_left_after_decontamination_is_said(tmp_path):
    rows = [
        {"instruction": f"Say the word number {n} out loud, slowly and twice.", "response": "Yes."} for n in range(9)
    ]
    path = write_input(tmp_path, rows)
    with pytest.raises(UserError, match="too few usable rows, none is left at all: 9 read, 9 "):
        run(tmp_path / "results", "--dataset", path, "--decontaminate", path)


def test_an_input_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = write_input(tmp_path, make_rows(60))

    def read_while_it_grows(*arguments):
        corpus = filter_steps.read_corpus(*arguments)
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(make_rows(61)[60]) + "\n")
        return corpus

    monkeypatch.setattr(filter_datasets, "read_corpus", read_while_it_grows)
    with pytest.raises(UserError, match=r"rows\.jsonl changed while it was read"):
        run(tmp_path / "results", "--dataset", path)
    monkeypatch.undo()
    assert run(tmp_path / "results", "--dataset", path)["rows"] == 61


def test_results_inside_the_data_are_refused(tmp_path):
    write_input(tmp_path, make_rows(60))
    for folder in (tmp_path, tmp_path / "results"):
        with pytest.raises(UserError, match="lies in the data itself"):
            run(folder, "--dataset", str(tmp_path))
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match="does not exist"):
        run(tmp_path / "results", "--dataset", str(tmp_path / "loop"))


def test_two_rows(tmp_path):
    scores = run(tmp_path / "results", "--dataset", write_input(tmp_path, make_rows(2)))
    assert (scores["pool_rows"], scores["heldout_rows"], scores["scale"]) == (1, 1, 1_000_000)
    assert read_json(tmp_path / "results" / "subsets" / "medium_1M.json")["rows"] == 1


def test_full_disk_is_seen_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(filter_datasets, "disk_bytes", lambda *_sizes: 1e18)
    with pytest.raises(UserError, match="not enough disk for scores and subsets"):
        run(tmp_path / "results", "--dataset", write_input(tmp_path, make_rows(2)))
    assert list((tmp_path / "results").iterdir()) == []


def test_options_that_make_no_sense(tmp_path):
    for option in (["--max_samples", "0"], ["--num_proc", "0"], ["--seed", "-1"], ["--subset", "ultra_10k"]):
        with pytest.raises(SystemExit):
            run(tmp_path, *option)


def test_an_empty_name_of_the_results_folder_is_not_the_current_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        run("", "--dataset", "demo")
    assert "--results_dir: it is empty; name a folder" in capsys.readouterr().err and not any(tmp_path.iterdir())
