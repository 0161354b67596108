"""Opening: what is large is streamed, what is damaged is named, hub data sets by a local stand-in. No network."""

import bz2
import csv
import gzip
import json
import lzma
import types

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from test_dataset_readers import pairs

import dataset_files
import dataset_formats
from benchmark_items import read_benchmark
from common import UserError
from dataset_formats import open_file, source_name
from dataset_readers import EXAMPLES, read_rows


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read(*paths, **options):
    table, ledger = read_rows([str(path) for path in paths], options.pop("max_samples", None), 0, **options)
    return table.select(["instruction", "response"]).to_pylist(), ledger


# ---------------------------------------------------------------------------------------------------------------------
# JSON in pieces


@pytest.mark.parametrize("chunk_bytes", [8, 64, 10_000])
def test_an_array_is_the_same_in_any_pieces(tmp_path, monkeypatch, chunk_bytes):
    rows = [{**row, "response": row["response"] + ' é"]},\\ [ 😀'} for row in pairs(40)]
    (tmp_path / "d.json").write_text(" \n[ " + " ,\n".join(json.dumps(row, indent=1) for row in rows) + "\n ] \n")
    monkeypatch.setattr(dataset_formats, "CHUNK_BYTES", chunk_bytes)
    assert read(tmp_path / "d.json")[0] == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"instruction": "a", "response": "b"}', "from row 0 on: Expecting ',' delimiter"),
        ('[{"instruction": "a", "response": "b"},', "from row 1 on: Expecting value"),
        ('[{"instruction": "a", "response": "b"} {}]', "from row 0 on: Expecting ',' delimiter"),
        ('[{"instruction": "a", "resp', "from row 0 on: Unterminated string"),
        ("[" * 100_000, "from row 0 on: maximum recursion depth"),
    ],
)
def test_a_damaged_array_says_from_where(tmp_path, content, message):
    (tmp_path / "d.json").write_text(content)
    with pytest.raises(UserError, match=f"holds no whole JSON array, {message}"):
        read(tmp_path / "d.json")


def test_what_follows_an_array_is_not_lost(tmp_path):
    for first, rows in (("[]", 0), (json.dumps(pairs(2)), 2)):
        (tmp_path / "d.json").write_text(f"{first}\n{json.dumps(pairs(1))}")
        with pytest.raises(UserError, match=f"goes on after its JSON array of {rows} rows"):
            read(tmp_path / "d.json")


def test_an_array_in_memory_is_a_chunk(tmp_path, monkeypatch):
    """100 chunks are read; the most text held at once is that of two."""
    monkeypatch.setattr(dataset_formats, "CHUNK_BYTES", 1_000)
    rows = [{"instruction": "a", "response": "b" * 950}] * 100
    (tmp_path / "d.json").write_text(json.dumps(rows))
    held = []
    decode = dataset_formats._decode_element
    monkeypatch.setattr(dataset_formats, "_decode_element", lambda *a: held.append(len(a[1])) or decode(*a))
    assert len(list(open_file(tmp_path / "d.json", set()))) == 50 and max(held) <= 2_000


def test_rows_too_long_to_hold_are_counted_and_the_rest_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_formats, "MAX_ROW_BYTES", 1_000)
    monkeypatch.setattr(dataset_formats, "CHUNK_BYTES", 300)
    long = json.dumps({"instruction": "x", "response": "y" * 5_000})
    (tmp_path / "d.jsonl").write_text(f"{lines(pairs(150))}{long}\n\n{lines(pairs(150))}{long}")
    found, ledger = read(tmp_path / "d.jsonl")
    assert found == pairs(150) * 2 and ledger["dropped"] == {"unreadable": {"d": 2}}
    assert ledger["examples"]["unreadable"] == [
        f"{tmp_path}/d.jsonl:{line}: longer than 0 MiB" for line in (151, 303)
    ]  # fmt: skip
    (tmp_path / "d.json").write_text(f"[{json.dumps(pairs(1)[0])}, {long}]")
    with pytest.raises(UserError, match="from row 1 on: Unterminated string starting at, within 0 MiB"):
        read(tmp_path / "d.json")


def test_chunks_of_long_rows_are_few_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_formats, "CHUNK_BYTES", 1_000)
    rows = [{"instruction": "a", "response": str(number) * 600} for number in range(9)]
    (tmp_path / "d.jsonl").write_text(lines(rows))
    (tmp_path / "d.csv").write_text("instruction,response\n" + "".join(f"a,{row['response']}\n" for row in rows))
    for name in ("d.jsonl", "d.csv"):
        assert [chunk.rows for chunk in open_file(tmp_path / name, set())] == [2, 2, 2, 2, 1]
    table = pyarrow.Table.from_pylist([{**row, "response": row["response"] * 4} for row in rows])
    pyarrow.parquet.write_table(table, tmp_path / "d.parquet", use_dictionary=False)
    with pyarrow.ipc.new_file(tmp_path / "d.arrow", table.schema) as file:
        file.write_table(table)
    for name in ("d.parquet", "d.arrow"):  # of 8,000 bytes
        assert [chunk.rows for chunk in open_file(tmp_path / name, set())] in ([3, 3, 3], [2, 2, 2, 2, 1])


# ---------------------------------------------------------------------------------------------------------------------
# Encodings and damage

ACCENTS = [{"instruction": "café 山 😀", "response": f"naïve {number}"} for number in range(400)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "d.csv"])
def test_encodings_that_tell_themselves(tmp_path, encoding, name):
    text = {"d.jsonl": lines(ACCENTS), "d.json": json.dumps(ACCENTS, ensure_ascii=False)}.get(
        name, "instruction,response\n" + "".join(f"{row['instruction']},{row['response']}\n" for row in ACCENTS)
    )
    text = f"\ufeff{text}" if encoding == "utf-16-be" else text
    (tmp_path / name).write_bytes(text.encode(encoding))
    found, ledger = read(tmp_path / name)
    assert found == ACCENTS and ledger["modified"] == {}


def file_of(name, rows):
    """The text of a file of these rows, in the format of its name."""
    if name.endswith(".csv"):
        return "instruction,response\n" + "".join(f"{row['instruction']},{row['response']}\n" for row in rows)
    return json.dumps(rows, ensure_ascii=False) if name.endswith(".json") else lines(rows)


@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "d.csv"])
def test_rows_of_another_encoding_are_counted_or_stop(tmp_path, name):
    latin = [{"instruction": "café", "response": "naïve"}]
    (tmp_path / name).write_bytes(file_of(name, pairs(100) + latin).encode("latin-1"))
    found, ledger = read(tmp_path / name)
    place = ":101" if name == "d.jsonl" else ", row 100"
    assert found == pairs(100)
    assert f"{name}{place}: not UTF-8 (byte 0xe9); convert" in ledger["examples"]["unreadable"][0]
    (tmp_path / name).write_bytes(file_of(name, latin * 3).encode("latin-1"))
    with pytest.raises(UserError, match=r"d\.\w+(:1|, row 0): not UTF-8 .*; 3 of 3 rows cannot be read"):
        read(tmp_path / name)


def test_cells_that_are_not_utf8_are_counted(tmp_path):
    texts = pyarrow.array([b"ask"] * 200 + [b"caf\xe9"]).view(pyarrow.string())
    table = pyarrow.table({"instruction": texts, "response": ["yes"] * 201})
    pyarrow.parquet.write_table(table, tmp_path / "d.parquet")
    found, ledger = read(tmp_path / "d.parquet")
    assert len(found) == 200
    assert ledger["examples"]["unreadable"] == [f"{tmp_path}/d.parquet, row 200: not UTF-8 (byte 0xe9)"]


def test_surrogates_that_an_array_spells_out_are_replaced_and_counted(tmp_path):
    (tmp_path / "d.json").write_text(r'[{"instruction": "caf\udce9 é", "response": "yes"}]')
    found, ledger = read(tmp_path / "d.json")
    assert found[0]["instruction"] == "caf\ufffd é" and ledger["modified"] == {"lone_surrogates_replaced": 1}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["d.csv", "d.tsv"])
def test_csv_of_any_delimiter(tmp_path, name, delimiter):
    cells = [
        ["a;b,c|d\te", '"instruction"', "Response "],
        *([str(n), f"ask, {n}; |", f"an\tswer {n}"] for n in range(3)),
    ]
    with open(tmp_path / name, "w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([[cell.replace('"', "") for cell in row] for row in cells])
    found, _ = read(tmp_path / name)
    assert found == [{"instruction": f"ask, {n}; |", "response": f"an\tswer {n}"} for n in range(3)]


def test_csv_is_parted_where_columns_are_named(tmp_path):
    (tmp_path / "d.csv").write_text("ask;reply;a,b\nHi;Hello;1,2\n")
    assert read(tmp_path / "d.csv", columns={"instruction": "ask", "response": "reply"})[0][0]["response"] == "Hello"


@pytest.mark.parametrize(("name", "module"), [("d.jsonl.bz2", bz2), ("d.ndjson.xz", lzma), ("d.tsv.gz", gzip)])
def test_compressed_text(tmp_path, name, module):
    text = lines(pairs(9)) if "json" in name else file_of("d.csv", pairs(9)).replace(",", "\t")
    (tmp_path / name).write_bytes(module.compress(text.encode()))
    assert read(tmp_path / name)[0] == pairs(9) and source_name(tmp_path / name) == "d"
    (tmp_path / name).write_bytes(module.compress(text.encode())[:-20])
    with pytest.raises(UserError, match="d.* (ends in the middle|cannot be read)"):
        read(tmp_path / name)
    (tmp_path / name).write_bytes(b"no such stream")
    with pytest.raises(UserError, match="d.* cannot be read"):
        read(tmp_path / name)


def test_what_of_a_folder_is_not_read_is_named(tmp_path, capsys):
    (folder := tmp_path / "d").mkdir()
    (folder / "a.jsonl").write_text(lines(pairs(2)))
    for name in ("README.md", ".hidden.jsonl", "dataset_info.json", *(f"{n}.pdf" for n in range(5))):
        (folder / name).write_text("")
    (folder / "away").symlink_to(tmp_path)
    (folder / "gone.jsonl").symlink_to(tmp_path / "nothing")
    assert read(folder)[0] == pairs(2)
    assert capsys.readouterr().out == f"{folder}: not read: 0.pdf, 1.pdf, 2.pdf, 3.pdf, 4.pdf and 2 more\n"
    for number in range(5):
        (folder / f"{number}.pdf").unlink()
    read(folder)
    assert capsys.readouterr().out == f"{folder}: not read: away, gone.jsonl\n"


def test_csv_with_a_column_twice_is_refused_where_that_column_matters(tmp_path):
    (tmp_path / "d.csv").write_text("instruction,response,Response ,note,note\nHi,Hello,Bye,1,2\n")
    with pytest.raises(UserError, match="d.csv has 2 columns named 'response': rename those not meant"):
        read(tmp_path / "d.csv")
    (tmp_path / "d.csv").write_text("instruction,response,note,note\nHi,Hello,1,2\n")
    assert read(tmp_path / "d.csv")[0][0]["response"] == "Hello"


def test_csv_rows_of_more_cells_than_names_are_counted_or_stop(tmp_path):
    good, cut = "".join(f"ask {n},answer {n},\n" for n in range(100)), "Greet,Hello, world\n"
    (tmp_path / "d.csv").write_text(f"instruction,response\n{good}{cut}")
    found, ledger = read(tmp_path / "d.csv")
    assert found == pairs(100) and ledger["dropped"] == {"unreadable": {"d": 1}}
    (example,) = ledger["examples"]["unreadable"]
    assert example.endswith("d.csv, row 100: 3 cells under 2 names; is a delimiter not in quotes?")
    (tmp_path / "d.csv").write_text(f"instruction,response\n{cut}")
    with pytest.raises(UserError, match="row 0: 3 cells under 2 names.* 1 of 1 rows cannot be read"):
        read(tmp_path / "d.csv")


@pytest.mark.parametrize("name", ["d.jsonl.gz", "d.jsonl.zst"])
def test_a_truncated_stream_is_named(tmp_path, name):
    rng = np.random.default_rng(0)
    with pyarrow.CompressedOutputStream(str(tmp_path / name), "gzip" if name.endswith("gz") else "zstd") as file:
        file.write(lines([{"instruction": str(n), "response": str(rng.random())} for n in range(9_000)]).encode())
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"(ends in the middle of its gz stream|cannot be read: Truncated compressed)"):
        read(tmp_path / name)


def test_a_bad_page_is_named(tmp_path):
    path = tmp_path / "d.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(pairs(3_000)), path, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0x55
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"d\.parquet cannot be read: .*CRC checksum") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_table_of_no_columns_with_less_than_no_rows_does_not_end_the_process(tmp_path):
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table({}), sink)
    whole = sink.getvalue().to_pybytes()
    none = bytes.fromhex("190c16001600")  # the row group's list of columns, its bytes and its rows
    assert whole.count(none) == 1
    (tmp_path / "d.parquet").write_bytes(whole.replace(none, none[:-1] + b"\x7f"))  # -64 of them
    with pytest.raises(UserError, match="d.parquet is empty"):
        read(tmp_path / "d.parquet")


def test_a_place_beyond_its_dictionary_is_one_damaged_row():
    words = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0, 7]), pyarrow.array(["a"]), safe=False)
    take = dataset_formats.TakeFromBatch(pyarrow.record_batch({"word": words}))
    assert take(np.arange(2)) == [
        {"word": "a"},
        "damaged (index with value of 7 is out-of-bounds for array of length 1)",
    ]


def test_an_arrow_file_whose_offsets_lead_out_of_it_is_named(tmp_path):
    table = pyarrow.table({"instruction": ["abcd"] * 50, "response": ["efgh"] * 50})
    with pyarrow.OSFile(str(tmp_path / "d.arrow"), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    whole, offsets = (tmp_path / "d.arrow").read_bytes(), b"\4\0\0\0\x08\0\0\0\x0c\0\0\0"
    assert offsets in whole
    (tmp_path / "d.arrow").write_bytes(whole.replace(offsets, b"\xff\xff\xff\x7f" * 3, 1))
    with pytest.raises(UserError, match="d.arrow cannot be read"):
        read(tmp_path / "d.arrow")


def test_an_arrow_file_that_claims_rows_without_bytes_is_named(tmp_path):
    table = pyarrow.table({"instruction": pyarrow.nulls(2_000_000)})
    with pyarrow.ipc.new_file(str(tmp_path / "rows.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(UserError, match=r"rows\.arrow is damaged: it says that it has 2,000,000 rows, in 0 bytes"):
        read(tmp_path / "rows.arrow")


def test_a_cell_whose_fields_share_a_name_is_a_damaged_row(tmp_path):
    cells = pyarrow.StructArray.from_arrays([pyarrow.array(["a"]), pyarrow.array(["b"])], names=["role", "role"])
    turns = pyarrow.ListArray.from_arrays([0, 1], cells)
    table = pyarrow.table({"messages": turns})
    with pyarrow.ipc.new_file(str(tmp_path / "rows.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(UserError, match=r"row 0: damaged \(.*duplicate field names.*; 1 of 1 rows cannot be read"):
        read(tmp_path / "rows.arrow")


def test_of_a_column_that_comes_twice_the_last_one_holds(tmp_path):
    names, columns = ["instruction", "response", "response"], [["a"], ["first"], ["last"]]
    table = pyarrow.table([pyarrow.array(column) for column in columns], names=names)
    pyarrow.parquet.write_table(table, tmp_path / "d.parquet")
    with pyarrow.OSFile(str(tmp_path / "d.arrow"), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    for name in ("d.parquet", "d.arrow"):
        assert read(tmp_path / name)[0] == [{"instruction": "a", "response": "last"}]


@pytest.mark.parametrize("splits", [None, 3, "train", [None], {"train": 1}])
def test_splits_that_are_no_list_of_names(tmp_path, splits):
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": splits}))
    with pytest.raises(UserError, match="dataset_dict.json is damaged .splits"):
        read(tmp_path)


def test_a_quote_that_is_never_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_formats, "MAX_ROW_BYTES", 1_000)
    (tmp_path / "d.csv").write_text('instruction,response\na,b\n"c,' + "d e\n" * 999)
    with pytest.raises(UserError, match=r"d\.csv:3: not CSV \(field larger.*is a quote never closed"):
        read(tmp_path / "d.csv")


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("d.csv", "".join(f"{n},yes\n" for n in range(50)) + '"51,yes\n' + "ask,yes\n" * 500, 52),
        ("d.tsv", "ask\tyes\n" * 9 + '"Hi" is what\tto say\n' + "ask\tyes\n" * 9, 11),
        ("d.tsv", 'ask\tyes\nask\t"a\nb\tc\nd\t"e" and f\n', 3),
        ("d.csv", 'ask,"yes\nyes"\n' + r'ask,"say \"hi\" now, and go"' + "\n", 4),
    ],
)
def test_quotes_that_are_no_csv_stop_at_the_line_where_their_row_begins(tmp_path, name, text, line):
    (tmp_path / name).write_text("instruction,response\n".replace(",", "," if name == "d.csv" else "\t") + text)
    with pytest.raises(UserError, match=rf"{name}:{line}: not CSV .* is a quote never closed\? .* must be doubled"):
        read(tmp_path / name)


def test_rows_between_two_plain_quotes_are_seen(tmp_path):
    """The quotes begin a cell and end one, so that it is a cell by the letter."""
    rows = [f"ask {n}\tanswer {n}\n" for n in range(300)]
    rows[10], rows[20] = '"To be\tis Hamlet\n', 'not to be"\tis Hamlet\n'
    (tmp_path / "d.tsv").write_text("instruction\tresponse\n" + "".join(rows))
    found, ledger = read(tmp_path / "d.tsv")
    assert len(found) == 289 and ledger["dropped"] == {"unreadable": {"d": 1}}
    assert "row 10: a cell of 11 lines that look like rows; is a quote never closed" in str(ledger["examples"])
    code = '"Indent"\t"if x:\n\treturn\nelse:\n\tpass"\n'
    (tmp_path / "d.tsv").write_text("instruction\tresponse\n" + code)
    assert read(tmp_path / "d.tsv")[0][0]["response"].endswith("\tpass")


def test_quotes_that_are_csv(tmp_path):
    rows = [['He said "hi"', 'a, b\n\n"c"\r\nd'], ['5" wide', '"'], ["", "x"], ["\ty", "z "]]
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        with open(tmp_path / "d.csv", "w", newline="") as file:
            csv.writer(file, quoting=quoting).writerows([["instruction", "response"], *rows])
        assert [[*row.values()] for row in read(tmp_path / "d.csv")[0]] == rows
    (tmp_path / "d.csv").write_text('instruction,response\n5" wide,6" long\nsay "hi",it "is"\n')
    assert read(tmp_path / "d.csv")[0][1] == {"instruction": 'say "hi"', "response": 'it "is"'}


def test_twenty_examples_of_each_reason_are_kept(tmp_path):
    rows = [{"instruction": "Hi", "response": {"nested": "x" * 900}}, {"messages": None}] * 30
    (tmp_path / "d.jsonl").write_text(lines([*rows, *pairs(1)]))
    _, ledger = read(tmp_path / "d.jsonl")
    assert ledger["dropped"] == {"not_text": {"d": 30}, "no_dialogue": {"d": 30}}
    assert {reason: len(examples) for reason, examples in ledger["examples"].items()} == {
        "not_text": EXAMPLES, "no_dialogue": EXAMPLES
    }  # fmt: skip
    assert max(map(len, ledger["examples"]["not_text"])) < 300 + len(str(tmp_path))


# ---------------------------------------------------------------------------------------------------------------------
# Folders and the hub


def test_a_folder_is_read_to_its_depth_and_by_its_split(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / ".cache").mkdir()
    shards = ["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl"]
    for name in (*shards, "data/test.jsonl", "more_test.jsonl"):
        (tmp_path / name).write_text(lines([{"instruction": name, "response": "yes"}]))
    for name in (".cache/x.jsonl", "dataset_infos.json"):
        (tmp_path / name).write_text("{}")
    table, _ = read_rows([str(tmp_path)], None, 0)
    assert [name[-8:] for name in table["instruction"].to_pylist()] == ["02.jsonl", "02.jsonl"]
    assert table["source"].to_pylist() == [tmp_path.name, tmp_path.name]
    found, _ = read(tmp_path, split="test")
    assert [row["instruction"] for row in found] == ["data/test.jsonl", "more_test.jsonl"]
    with pytest.raises(UserError, match="no split 'dev'; --split takes one of test, train"):
        read(tmp_path, split="dev")


def test_folders_tell_splits_too(tmp_path, capsys):
    for name in ("main/train/0000.jsonl", "main/test/0000.jsonl", "test/train.jsonl", "more/0000.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(lines([{"instruction": name, "response": "yes"}]))
    table, _ = read_rows([str(tmp_path)], None, 0)
    assert capsys.readouterr().out == f"{tmp_path}: split train is read, not test\n"
    wanted = ["main/train/0000.jsonl", "more/0000.jsonl", "test/train.jsonl"]
    assert table["instruction"].to_pylist() == wanted and table["source"].to_pylist()[1] == "0000"


def test_parts_of_a_split(tmp_path, capsys):
    """As UltraChat names them; each is a source of its own."""
    names = ["train_sft-00000-of-00002", "train_sft-00001-of-00002", "train_gen", "test_sft", "more"]
    for name in names:
        (tmp_path / f"{name}.jsonl").write_text(lines([{"instruction": name, "response": "yes"}]))
    table, _ = read_rows([str(tmp_path)], None, 0)
    assert table["source"].to_pylist() == ["more", "train_gen", "train_sft", "train_sft"]
    assert capsys.readouterr().out == f"{tmp_path}: splits train_gen, train_sft are read, not test_sft\n"
    table, _ = read_rows([str(tmp_path)], None, 0, split="train_gen")
    assert table["instruction"].to_pylist() == ["train_gen"]


TESTS = "gsm8k_test.jsonl.gz mine-test-00000-of-00001.jsonl test-en.jsonl test.en.jsonl testing.jsonl eval.jsonl "
TESTS += "eval/a.jsonl Test.jsonl TEST/b.jsonl test_v1.jsonl dev_set/c.jsonl train_test_split.jsonl Validation1.jsonl"
TRAINS = ["data", "training", "gsm8k_train", "Train-00000-of-00001", "train/x", "contest_latest"]


@pytest.mark.parametrize("train", TRAINS)
@pytest.mark.parametrize("test", TESTS.split())
def test_what_is_a_test_by_its_name_is_not_trained_on(tmp_path, capsys, train, test):
    for name in (f"{train}.jsonl", test):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = lines([{"instruction": name, "response": "yes"}]).encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert [row["instruction"] for row in read(tmp_path)[0]] == [f"{train}.jsonl"]
    assert f"{tmp_path}: split train is read, not " in capsys.readouterr().out
    assert [answer for answer, _ in read_benchmark(str(tmp_path))] == [test]


def test_what_is_left_out_by_an_odd_name_is_named_and_sources_keep_theirs(tmp_path, capsys):
    for name in ("gsm8k_train", "arc-train-00000-of-00001", "Train", "Test", "gsm8k_test", "web-dev/rows"):
        (tmp_path / f"{name}.jsonl").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.jsonl").write_text(lines(pairs(1)))
    table, _ = read_rows([str(tmp_path)], None, 0)
    assert table["source"].to_pylist() == [tmp_path.name, "arc-train-00000-of-00001", "gsm8k_train"]
    split, named = capsys.readouterr().out.splitlines()
    assert split.endswith("split train is read, not dev, test")
    assert named.endswith("not read, by their names: gsm8k_test.jsonl, web-dev/rows.jsonl")


def test_names_of_sources(tmp_path):
    assert [source_name(tmp_path / name) for name in ("a.jsonl.gz", "b.c.parquet")] == ["a", "b.c"]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub data set of two splits, built by the library from local files."""
    import datasets

    files = {}
    for split, rows in (("train", 5_000), ("test", 30)):
        files[split] = str(tmp_path / f"{split}.jsonl")
        (tmp_path / f"{split}.jsonl").write_text(lines([{**row, "extra": [1]} for row in pairs(rows)]))
    builder = datasets.load_dataset_builder("json", data_files=files, cache_dir=str(tmp_path / "cache"))
    monkeypatch.setattr(dataset_files, "hub_builder", lambda entry: builder)
    monkeypatch.setattr(dataset_files, "hub_bytes", lambda entry, info: 1_000)


@pytest.mark.parametrize("largest_cached", [10**9, 0])
def test_a_hub_data_set_reads_the_same_cached_or_streamed(hub, monkeypatch, largest_cached):
    monkeypatch.setattr(dataset_files, "MAX_CACHED_BYTES", largest_cached)
    found, ledger = read("owner/name")
    assert found == pairs(5_000) and ledger["rows_read"] == 5_000
    sample, ledger = read("owner/name", max_samples=100)
    assert len(sample) == 100 and ledger["dropped"] == {"not_sampled": {"owner/name": 4_900}}
    assert [row["instruction"] for row in sample[:3]] == ["ask 3", "ask 11", "ask 92"]
    assert len(read("owner/name", split="test")[0]) == 30
    with pytest.raises(UserError, match="owner/name has no split 'dev'; --split takes one of train, test"):
        read("owner/name", split="dev")


def test_an_interrupted_download_is_one_line(monkeypatch):
    from huggingface_hub.errors import HTTPError

    class Stream:
        def with_format(self, name):
            return self

        def iter(self, rows):
            yield pyarrow.Table.from_pylist(pairs(2))
            raise HTTPError("peer closed connection\nwithout sending the complete message body")

    builder = types.SimpleNamespace(
        info=types.SimpleNamespace(dataset_size=10**12, download_size=None),
        as_streaming_dataset=lambda: {"train": Stream()},
    )
    monkeypatch.setattr(dataset_files, "hub_builder", lambda entry: builder)
    with pytest.raises(UserError, match=r"cannot load 'owner/name' .*\(peer closed connection\)") as caught:
        read("owner/name")
    assert "\n" not in str(caught.value)


def test_the_size_of_a_hub_data_set(monkeypatch):
    import huggingface_hub

    info = types.SimpleNamespace(dataset_size=None, download_size=7)
    assert dataset_files.hub_bytes("owner/name", info) == 7
    info.download_size = None
    files = [types.SimpleNamespace(size=3), types.SimpleNamespace(size=None), types.SimpleNamespace(size=4)]

    def dataset_info(api, name, files_metadata):
        assert name == "owner/name" and files_metadata
        return types.SimpleNamespace(siblings=files)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    assert dataset_files.hub_bytes("owner/name:main", info) == 7
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *a, **b: open("/no/such/file"))
    assert dataset_files.hub_bytes("owner/name", info) == 0
