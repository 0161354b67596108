"""Reading in shards: whatever the shards, wherever they are parsed, what one reader of the whole input finds."""

import json
import pickle

import pyarrow
import pyarrow.parquet
import pytest

import dataset_formats
from common import UserError
from dataset_files import open_dataset
from dataset_readers import read_rows, renamed_ids, replace_values
from dataset_shards import SHARD_CHUNKS, check_parts, merge_ledgers, read_shard, shards_of_input
from filter_ledger import EXAMPLES


def write_lines(path, rows):
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return str(path)


def write_inputs(folder):
    """Every kind of file, with rows to drop in all, recurring ids, and more examples of a reason than are kept."""
    chats = [
        {
            "id": n % 40,
            "conversations": [{"from": who, "value": f"{who} {n} {turn}"} for turn in "abc" for who in SPEAK],
        }
        for n in range(60)
    ]
    chats[7]["conversations"] = chats[33]["conversations"] = "no dialogue"
    lines = [*chats, "{broken\n", *({"instruction": {"n": n}, "response": "x"} for n in range(15)), *chats]
    flat = [{"ask": {"text": f"Ask {n}"}, "say": f"Answer {n} \ud800</s>"} for n in range(30)]
    (folder / "array.json").write_text(
        json.dumps([*flat, *({"instruction": {"n": n}, "response": "x"} for n in range(9))])
    )
    (folder / "rows.csv").write_text("prompt,completion\n" + "".join(f"p{n},c{n}\n" for n in range(25)))
    table = pyarrow.table({"prompt": [f"q{n}" for n in range(50)], "response": [f"r{n}" for n in range(50)]})
    pyarrow.parquet.write_table(table, folder / "rows.parquet", row_group_size=20)
    paths = [write_lines(folder / "chats.jsonl", lines)]
    return [*paths, *(str(folder / name) for name in ("array.json", "rows.csv", "rows.parquet"))]


SPEAK = ("human", "gpt")
COLUMNS = {"instruction": "ask.text", "response": "say"}


def read_in_shards(datasets, columns, turns, rows):
    """(table with final ids, ledger, numbers of rows), each shard sent as to another process."""
    found = []
    for segments in shards_of_input(datasets, "train", columns, rows):
        found.append(read_shard(pickle.loads(pickle.dumps(segments)), columns, turns))
    tables, ledgers, reports = zip(*found, strict=True)
    check_parts(list(reports), columns)
    table, ledger = pyarrow.concat_tables(tables), merge_ledgers(list(ledgers))
    renamed = renamed_ids(table["id"])
    ledger["modified"]["duplicate_id_suffixed"] = len(renamed)
    return table.set_column(0, "id", replace_values(table["id"], renamed)), ledger, [each.num_rows for each in tables]


@pytest.mark.parametrize("turns", ["first", "all"])
@pytest.mark.parametrize("rows", [1, 50, 10_000])
def test_shards_together_are_the_whole(tmp_path, monkeypatch, turns, rows):
    monkeypatch.setattr(dataset_formats, "CHUNK_ROWS", 13)
    monkeypatch.setattr("dataset_readers.MAX_UNREADABLE_FRACTION", 0.05)
    datasets = write_inputs(tmp_path)
    whole, wanted = read_rows(datasets, None, 0, columns=COLUMNS, turns=turns)
    table, ledger, sizes = read_in_shards(datasets, COLUMNS, turns, rows)
    assert table.to_pylist() == whole.to_pylist() and ledger == wanted
    assert len(sizes) > 2 and ledger["rows_added"] == (232 if turns == "all" else 0)
    assert {reason: len(lines) for reason, lines in ledger["examples"].items()} == {
        "no_dialogue": 4, "not_text": EXAMPLES, "unreadable": 1
    }  # fmt: skip
    assert ledger["modified"]["duplicate_id_suffixed"] > 0


def test_shards_of_long_rows_are_few_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_formats, "CHUNK_BYTES", 1_000)
    path = write_lines(tmp_path / "d.jsonl", [{"prompt": "p" * 900, "response": str(n)} for n in range(100)])
    chunks = open_dataset(path, ["train"], {"prompt"})[0].chunks
    sizes = [len(segments) for segments in shards_of_input([path], "train", None, 10_000)]
    assert max(sizes) == SHARD_CHUNKS and sum(sizes) == sum(1 for _ in chunks) >= 50


def test_a_chunk_of_a_table_travels_without_the_rows_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_formats, "CHUNK_ROWS", 10)
    table = pyarrow.table({"prompt": ["p" * 1_000] * 500, "response": ["r"] * 500})
    with pyarrow.OSFile(str(tmp_path / "d.arrow"), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    segments = next(shards_of_input([str(tmp_path / "d.arrow")], "train", None, 10))
    assert len(pickle.dumps(segments)) < 30_000


@pytest.mark.parametrize(
    "rows, columns",
    [
        ([{"prompt": "a", "response": "b"}] * 50 + ["no JSON\n"] * 2, None),
        ([{"text": "a"}] * 30, None),
        ([{"prompt": "a", "response": "b"}] * 30, {"instruction": "x", "response": "y"}),
        ([], None),
    ],
)
def test_what_is_of_no_use_is_said_in_the_same_words(tmp_path, monkeypatch, rows, columns):
    monkeypatch.setattr(dataset_formats, "CHUNK_ROWS", 10)
    good = write_lines(tmp_path / "good.jsonl", [{"prompt": "a", "response": "b"}] * 9)
    datasets = [good, write_lines(tmp_path / "bad.jsonl", rows)]
    messages = []
    for read in (
        lambda: read_rows(datasets, None, 0, columns=columns),
        lambda: read_in_shards(datasets, columns, "first", 5),
    ):
        with pytest.raises(UserError) as error:
            read()
        messages.append(str(error.value))
    assert messages[0] == messages[1]
