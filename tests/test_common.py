"""Files are whole or absent, JSON is strict, and "done" means the same configuration and the same inputs."""

import argparse
import errno
import json
import os
import platform
import subprocess
import sys

import pyarrow
import pytest

import command_line as options
import common
from arrow_files import read_arrow, write_arrow
from common import UserError


def test_json_refuses_what_json_does_not_know_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    common.write_json(path, {"rate": 0.5})
    for bad in (float("nan"), float("inf"), {1, 2}, tmp_path):
        with pytest.raises((ValueError, TypeError)):
            common.write_json(path, {"rate": bad})
    assert common.read_json(path) == {"rate": 0.5}
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    common.write_json(path, {"a": 1})

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(common.os, "fsync", full_disk)
    with pytest.raises(UserError, match="disk is full"):
        common.write_json(path, {"a": 2})
    assert common.read_json(path) == {"a": 1}
    with pytest.raises(UnicodeEncodeError):
        common.write_text(path, "\ud800")
    assert common.read_json(path) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_what_a_killed_writer_left_goes_and_what_another_writes_now_stays(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    names = [f".[a].json.{platform.node()}-{pid}.tmp" for pid in (dead.pid, os.getppid(), 1)]
    for name in names:
        (tmp_path / name).write_text("half")
    common.write_json(tmp_path / "[a].json", {"a": 1})
    assert {file.name for file in tmp_path.iterdir()} == {"[a].json", *names[1:]}


def test_damaged_json_is_named(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": ')
    with pytest.raises(UserError, match="a.json is damaged"):
        common.read_json(path)


def test_arrow_round_trip_and_rewrite_over_itself(tmp_path):
    folder = tmp_path / "rows"
    write_arrow(folder, pyarrow.table({"id": ["a", "b"], "nll": [1.5, 2.5]}))
    again = read_arrow(folder)
    write_arrow(folder, again.slice(1))
    assert read_arrow(folder, ["id"]).to_pydict() == {"id": ["b"]}
    import datasets

    assert datasets.load_from_disk(str(folder))[0] == {"id": "b", "nll": 2.5}
    assert [file.name for file in tmp_path.iterdir()] == ["rows"]


def test_damaged_arrow_is_named(tmp_path):
    folder = tmp_path / "rows"
    write_arrow(folder, pyarrow.table({"id": ["a"] * 1_000}))
    shard = next(folder.glob("*.arrow"))
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(UserError, match="damaged"):
        read_arrow(folder)


def test_done_needs_the_same_config_and_the_same_inputs(tmp_path):
    marker = tmp_path / "a.json"
    config, inputs = {"epochs": 3, "betas": [0.9, 0.95]}, {"subset": "abc"}
    assert not common.is_done(marker, config, inputs)
    common.write_json(marker, {"config": config, "provenance": {"inputs": inputs}})
    assert common.is_done(marker, config, inputs)
    assert not common.is_done(marker, config, inputs, force=True)
    with pytest.raises(UserError, match="epochs: 3 there, 4 now.*--force"):
        common.is_done(marker, {**config, "epochs": 4}, inputs)
    with pytest.raises(UserError, match='input subset: "abc" there, "xyz" now'):
        common.is_done(marker, config, {"subset": "xyz"})


def test_hash_strings_tells_order_and_boundaries_apart():
    hashes = {common.hash_strings(strings) for strings in (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"])}
    assert len(hashes) == 4
    assert common.hash_strings(["\ud800"])  # a lone surrogate has a hash too


def test_an_option_given_twice_adds_to_the_first(monkeypatch):
    """Or else data, benchmarks and settings would be left out without a word."""
    import filter_datasets
    import train_quality_comparison

    command = "filter_datasets.py --dataset a b --dataset c --decontaminate d --decontaminate e --export messages"
    monkeypatch.setattr(sys, "argv", [*command.split(), *"--subset f --subset g".split()])
    given = filter_datasets.parse_arguments()
    assert (given.dataset, given.decontaminate, given.subset) == (["a", "b", "c"], ["d", "e"], ["f", "g"])
    command = "train_quality_comparison.py all --set epochs=2 --set seed=1"
    monkeypatch.setattr(sys, "argv", [*command.split(), *"--sweep_learning_rate 1 --sweep_learning_rate 2".split()])
    given = train_quality_comparison.parse_arguments()
    assert (options.settings_from(given.set), given.sweep_learning_rate) == ({"epochs": 2, "seed": 1}, [1.0, 2.0])


def test_a_setting_of_more_bits_than_json_keeps_is_refused():
    """A run would be trained, and its own results then be called damaged."""
    assert options.settings_from([f"seed={2**62 - 1}"]) == {"seed": 2**62 - 1}
    for number in (2**62, 10**20):
        with pytest.raises(UserError, match=f"setting 'seed' must be less than .*, not {number}"):
            options.settings_from([f"seed={number}"])


def test_hash_path_of_a_folder_sees_names_and_bytes(tmp_path):
    (tmp_path / "a").write_text("1")
    first = common.hash_path(tmp_path)
    (tmp_path / "a").write_text("2")
    second = common.hash_path(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, common.hash_path(tmp_path)}) == 3


def test_a_users_mistake_is_one_line_and_exit_status_2():
    imports = "from command_line import run_main\nfrom common import UserError\n"
    code = imports + "def main(): raise UserError('no such thing')\nrun_main(main)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (2, "error: no such thing\n")


def test_provenance_is_json_and_names_its_inputs():
    facts = common.provenance(0.0, {"pool": "abc"})
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["inputs"] == {"pool": "abc"} and facts["packages"]["numpy"] and facts["hardware"]["cores"] >= 1


def test_options_that_are_numbers_take_no_others():
    read = {options.whole: "0", options.positive: "1", options.not_negative: "0", options.positive_number: "1e-5",
            options.positive_fraction: "1"}  # fmt: skip
    assert [kind(text) for kind, text in read.items()] == [0, 1, 0.0, 1e-5, 1.0]
    wrong = [(options.whole, "-1"), (options.whole, str(2**62)), (options.positive, "0"), (options.not_negative, "inf"),
             (options.not_negative, "-0.1"), (options.positive_number, "nan"), (options.positive_number, "0"),
             (options.positive_number, "ten"), (options.positive_fraction, "40")]  # fmt: skip
    for kind, text in wrong:
        with pytest.raises(argparse.ArgumentTypeError):
            kind(text)


def test_a_lock_that_the_disk_refuses_is_not_taken_for_another_run(tmp_path, monkeypatch):
    def refused(*_arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(common.fcntl, "lockf", refused)
    with pytest.raises(UserError, match=r"cannot lock .*: No locks available"), common.file_lock(tmp_path / ".lock"):
        pass


def test_unwritable_results_folder_and_full_disk(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to"):
        common.require_writable(tmp_path / "file" / "results")
    with pytest.raises(UserError, match="not enough disk for the model"):
        common.require_disk(tmp_path, 2**80, "the model")
