"""Damage and malice that a stage must survive in one line: own files of another version, hostile names, closed pipes.

`tests/hardening/` holds the long versions, and a few seconds of its fuzzer run here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hardening import fuzz, fuzz_readers

import common
from arrow_files import read_arrow, write_arrow
from common import UserError
from corpus_shards import ShardedRows

ROOT = Path(__file__).parent.parent
HOSTILE_NAMES = ["$\\frac{1}{$", "_hidden", "\x1b[31mred\nline\u202e", "n" * 500, "=1+1|<b>", "汉字 🙂"]


def test_a_key_that_another_version_did_not_write_is_named_with_its_file(tmp_path):
    (tmp_path / "scores.json").write_text('{"config": {"seed": 0}, "parts": [{"id": 1}]}')
    found = common.read_json(tmp_path / "scores.json")
    assert found["config"] == {"seed": 0} and found.get("scale") is None
    for ask in (lambda: found["scale"], lambda: found["config"]["split"], lambda: found["parts"][0]["name"]):
        with pytest.raises(UserError, match="scores.json lacks '(scale|split|name)'.*--force"):
            ask()


@pytest.mark.parametrize("content", ["[1]", "null", '"text"', "[" * 100_000, "\xff", '{"a": 1e999'])
def test_what_is_no_json_object_is_named(tmp_path, content):
    (tmp_path / "a.json").write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match="a.json (is damaged|holds no JSON object)"):
        common.read_json(tmp_path / "a.json")


def test_a_marker_with_odd_parts_is_no_traceback(tmp_path):
    for content in ({}, {"config": [], "provenance": 3}, {"config": {"a": 1}, "provenance": {"inputs": None}}):
        (tmp_path / "a.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match="not recorded"):
            common.is_done(tmp_path / "a.json", {"a": 1}, {"rows": "x"})


def test_an_arrow_offset_that_leads_out_of_its_buffer_is_no_crash(tmp_path):
    import pyarrow

    write_arrow(tmp_path / "rows", pyarrow.table({"id": ["abcd"] * 50}))
    file = next((tmp_path / "rows").glob("*.arrow"))
    offsets = b"".join(number.to_bytes(4, "little") for number in (4, 8, 12))
    whole = file.read_bytes()
    assert offsets in whole
    file.write_bytes(whole.replace(offsets, b"\xff\xff\xff\x7f" * 3, 1))
    for read in (read_arrow, ShardedRows.of_folder):
        with pytest.raises(UserError, match="rows is damaged"):
            read(tmp_path / "rows")


@pytest.mark.parametrize(
    "raised, status, said",
    [
        ("UserError('two\\nlines \\x1b[31m')", 2, "error: two lines [31m\n"),
        ("OSError(30, 'Read-only file system', 'here/a.json')", 2, "error: here/a.json: Read-only file system; "),
        ("BrokenPipeError(32, 'Broken pipe')", 141, ""),
        ("OSError(99, 'a bug')", 1, "Traceback"),
    ],
)
def test_how_a_command_ends(raised, status, said):
    imports = "from command_line import run_main\nfrom common import UserError\n"
    code = f"{imports}def main(): raise {raised}\nrun_main(main)"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == status and answer.stderr.startswith(said)
    assert status == 1 or answer.stderr.count("\n") == bool(said)


def test_a_lock_that_each_holder_removes_lets_in_one_at_a_time(tmp_path):
    count = (
        "import sys; from common import file_lock\nfrom pathlib import Path\nfolder = Path(sys.argv[1])\n"
        "for _ in range(100):\n  with file_lock(folder / 'lock', wait=True):\n"
        "    number = int((folder / 'number').read_text()); (folder / 'number').write_text(str(number + 1))"
    )
    (tmp_path / "number").write_text("0")
    workers = [subprocess.Popen([sys.executable, "-c", count, tmp_path], cwd=ROOT) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "300"
    assert [file.name for file in tmp_path.iterdir()] == ["number"]


def test_a_lock_removed_while_it_is_asked_for_is_made_anew(tmp_path, monkeypatch):
    lock, path = common.fcntl.lockf, tmp_path / "lock"
    removals = [path]

    def lock_what_its_holder_removes(*arguments):
        lock(*arguments)
        if removals:
            removals.pop().unlink()

    monkeypatch.setattr(common.fcntl, "lockf", lock_what_its_holder_removes)
    monkeypatch.setattr(Path, "exists", lambda _path: True)  # looked for before it was removed
    with common.file_lock(path) as held:
        assert held and os.path.lexists(path) and not removals
    assert not os.path.lexists(path)


def test_a_folder_is_used_by_one_command_and_freed_with_it_even_where_it_is_killed(tmp_path):
    hold = "import sys; from common import sole_use\nwith sole_use(sys.argv[1]): print('held', flush=True); input()"
    command, pipe = [sys.executable, "-c", hold, tmp_path], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"in use by process {other.pid} on "), common.sole_use(tmp_path):
            pass
        with common.file_lock(tmp_path / ".lock") as held:
            assert not held
        other.kill()
    with common.file_lock(tmp_path / ".lock") as held, common.sole_use(tmp_path / "nowhere"):
        assert held


def test_a_checkpoint_with_one_wrong_byte_is_not_trained_on(tmp_path):
    from training_checkpoints import read_checkpoint

    *_, whole = fuzz.small_run()
    middle = len(whole) // 2
    (tmp_path / "checkpoint.pt").write_bytes(whole)
    assert read_checkpoint(tmp_path / "checkpoint.pt")["log"]["losses"]
    one_bit = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    longer = bytearray(whole)  # its list of contents says more than the file holds: an error without a word
    entry = longer.rfind(b"PK\1\2")
    longer[entry + 20 : entry + 28] = 2 * (2**30).to_bytes(4, "little")
    for damaged in (longer, one_bit, whole[:middle], b"", whole[:1] + whole, b"." + whole):
        (tmp_path / "checkpoint.pt").write_bytes(damaged)
        with pytest.raises(UserError, match="checkpoint.pt is damaged .*remove it to train from the start"):
            read_checkpoint(tmp_path / "checkpoint.pt")


@pytest.mark.parametrize("other", [{"weight": 1}, [1, 2], 3])
def test_another_whole_file_in_the_place_of_a_checkpoint_is_named(other, tmp_path):
    import torch

    from training_checkpoints import read_checkpoint

    torch.save(other, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match="checkpoint.pt is damaged .it holds no training state.; .*remove it"):
        read_checkpoint(tmp_path / "checkpoint.pt")


def test_a_damaged_tokenizer_is_learnt_again_or_named(tmp_path):
    import pyarrow
    from conftest import TEXTS

    from language_model import learn_tokenizer, load_tokenizer

    write_arrow(tmp_path / "scores", pyarrow.table({"instruction": TEXTS, "response": TEXTS}))
    common.write_json(tmp_path / "scores.json", {"content_hash": "x"})
    file = learn_tokenizer(tmp_path, 300) / "tokenizer.json"
    whole = file.read_text()
    file.write_text(whole.replace('"e":', '"z":', 1))  # another vocabulary, which tokenizers raises an Exception for
    with pytest.raises(UserError, match="cannot load the model .*out of vocabulary"):
        load_tokenizer(str(file.parent))
    for other_shape in ("{", "{}", "[]", '{"added_tokens": [], "model": {"type": "No"}}'):
        file.write_text(other_shape)
        with pytest.raises(UserError, match="cannot load the model"):
            load_tokenizer(str(file.parent))
    learn_tokenizer(tmp_path, 300)
    assert file.read_text() == whole


def test_hostile_names_of_sources_reach_neither_terminal_nor_formulas(tmp_path):
    words = "river stone light green paper table house small large quick".split()
    rows = [
        {"id": "../../etc/passwd", "source": HOSTILE_NAMES[n % len(HOSTILE_NAMES)],
         "instruction": f"Say {n} words about {words[n % 10]} {n}?",
         "response": f"The {words[n // 10 % 10]} is {n}. " * 4}
        for n in range(240)
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, [*rows, {**rows[2], "response": ""}])))
    command = [sys.executable, "filter_datasets.py", "--dataset", tmp_path / "rows.jsonl", "--results_dir", tmp_path]
    answer = subprocess.run([*map(str, command), "--num_proc", "1"], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    said = answer.stdout + answer.stderr
    assert "empty_response ([31mred line 1)" in said and "Traceback" not in said and "missing from font" not in said
    assert not [char for char in said if not char.isprintable() and char not in "\n\r"]


def test_some_files_of_the_readers_fuzzer():
    assert [number for number in range(150) if fuzz.verdict_on(fuzz_readers.read_case, number)] == []


@pytest.mark.parametrize("target, examples", [("checkers", 30), ("scorer", 5), ("checkpoints", 5)])
def test_some_seconds_of_the_fuzzer(target, examples):
    found = {}
    assert fuzz.attack(target, examples, 0, found) >= examples // 2
    assert found == {}
