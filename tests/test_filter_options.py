"""The filter stage's options on what is read and what may not stay: columns, turns, benchmarks, held-out responses."""

import numpy as np
import pyarrow
import pytest
from test_dataset_readers import write_lines
from test_filter_datasets import run

import dataset_formats
import filter_steps
from arrow_files import read_arrow, write_table
from common import UserError
from corpus_shards import Job, ShardedRows
from decontamination_steps import EVALUATION_SUITES, holds_heldout_response
from filter_ledger import Ledger
from filter_steps import REASONS, cleaning_reasons, read_corpus
from training_configs import ConfigError, cleaning_config
from verifiable_tasks import make_suite


def words(rng, count):
    return " ".join(f"w{number}" for number in rng.integers(0, 5_000, count))


def test_benchmarks_columns_and_turns_together(tmp_path, capsys, monkeypatch):
    rng = np.random.default_rng(0)
    questions = [words(rng, 25) for _ in range(6)]
    bench = write_lines(tmp_path / "bench.jsonl", [{"question": text, "answer": "7"} for text in questions])
    flat = [{"source": "flat", "a": {"b": words(rng, 12)}, "c": words(rng, 30)} for _ in range(120)]
    flat[5]["a"]["b"] = f"Please: {questions[2].upper()}! {words(rng, 9)}"
    flat[9]["c"] = f"{words(rng, 9)} {questions[3]}"
    flat[11]["a"]["b"] = " "
    chats = []
    for number in range(60):
        turns = [{"from": speaker, "value": words(rng, 20)} for speaker in ("human", "gpt", "human", "gpt")]
        chats.append({"id": f"chat{number}", "conversations": turns})
    chats[4]["conversations"][2]["value"] = questions[0]
    data = [write_lines(tmp_path / "flat.jsonl", flat), write_lines(tmp_path / "chats.jsonl", chats)]
    facts = run(
        tmp_path / "results", "--dataset", *data, "--columns", "instruction=a.b,response=c", "--turns", "all",
        "--decontaminate", bench,
    )  # fmt: skip
    ledger = facts["ledger"]
    assert (ledger["rows_read"], ledger["rows_added"]) == (180, 60)
    dropped = {reason: by for step in ledger["steps"] for reason, by in step["dropped"].items()}
    # A dialogue is held out as a whole, but for what its source's share has no room for: that goes.
    leaked = dropped.pop("shares_heldout_dialogue", {"chats": 0})
    assert dropped == {"empty_instruction": {"flat": 1}, "in_bench": {"chats": 1, "flat": 2}}
    assert leaked["chats"] < 2 and ledger["rows"] == 236 - leaked["chats"]
    assert ledger["examples"]["empty_instruction"] == ["flat-11: "]
    found = ledger["contamination"]["bench"]
    assert (found["items"], found["rows"], found["rows_by_source"]) == (6, 3, {"chats": 1, "flat": 2})
    hits = {example["id"]: (example["item"], example["coverage"]) for example in found["examples"]}
    assert hits == {
        "flat-5": (questions[2][:100], 1.0), "flat-9": (questions[3][:100], 1.0), "chat4#2": (questions[0][:100], 1.0)
    }  # fmt: skip
    assert all(example["ngram"] in " ".join(questions) for example in found["examples"])
    ids = set(read_arrow(tmp_path / "results" / "scores")["id"].to_pylist())
    assert not ids & {"flat-5", "flat-9", "flat-11", "chat4#2"}
    assert facts["provenance"]["inputs"].keys() == {*data, bench}
    assert "hold one of the 6 items of bench" in capsys.readouterr().out
    for module, name, value in ((dataset_formats, "CHUNK_ROWS", 9), (filter_steps, "SHARD_ROWS", 30)):
        monkeypatch.setattr(module, name, value)
    again = run(
        tmp_path / "again", "--dataset", *data, "--columns", "instruction=a.b,response=c", "--turns", "all",
        "--decontaminate", bench, "--num_proc", "2",
    )  # fmt: skip
    assert (again["ledger"], again["content_hash"]) == (ledger, facts["content_hash"])


def test_no_turn_of_a_heldout_dialogue_stays(tmp_path, monkeypatch):
    """Dialogues of 14 turns: an answer that the 13 turns behind it hold is no standing text. Ids of rows that are no
    dialogue may look like those of turns."""
    rng = np.random.default_rng(3)
    chats = [{"id": f"chat#{n}", "conversations": [words(rng, 15) for _ in range(28)]} for n in range(40)]
    leak = {"id": "leak", "prompt": "Repeat.", "response": " ".join(chat["conversations"][1] for chat in chats)}
    flat = [{"id": f"q#{n}", "prompt": words(rng, 9), "response": words(rng, 9)} for n in range(200)]
    data = write_lines(tmp_path / "d.jsonl", [*chats, *flat, leak])
    facts = run(tmp_path / "results", "--dataset", data, "--turns", "all", "--set", "near_duplicate_jaccard=null")
    heldout = read_arrow(tmp_path / "results" / "subsets" / "heldout")["id"].to_pylist()
    ids = set(read_arrow(tmp_path / "results" / "scores")["id"].to_pylist()) - set(heldout)
    chat_of = {name.rpartition("#")[0] for name in heldout if name.startswith("chat")}
    assert chat_of and not [name for name in ids if name.rpartition("#")[0] in chat_of]
    dropped = facts["ledger"]["steps"][-1]["dropped"].get("shares_heldout_dialogue", {})
    assert sum(dropped.values()) < 14 and len(heldout) + len(ids) > 700
    assert "leak" in heldout or "leak" not in ids
    monkeypatch.setattr(filter_steps, "SHARD_ROWS", 5)  # cuts a sample within dialogues
    run(tmp_path / "sample", "--dataset", data, "--turns", "all", "--max_samples", "900")
    heldout = read_arrow(tmp_path / "sample" / "subsets" / "heldout")["id"].to_pylist()
    ids = set(read_arrow(tmp_path / "sample" / "scores")["id"].to_pylist()) - set(heldout)
    chat_of = {name.rpartition("#")[0] for name in heldout if name.startswith("chat")}
    assert chat_of and not [name for name in ids if name.rpartition("#")[0] in chat_of]


def test_a_benchmark_that_changed_is_no_longer_done(tmp_path):
    rng = np.random.default_rng(1)
    data = write_lines(
        tmp_path / "d.jsonl", [{"prompt": words(rng, 9), "response": words(rng, 9)} for _ in range(60)]
    )  # fmt: skip
    bench = write_lines(tmp_path / "b.jsonl", [{"prompt": "one"}])
    run(tmp_path / "results", "--dataset", data, "--decontaminate", bench)
    write_lines(tmp_path / "b.jsonl", [{"prompt": "two"}])
    with pytest.raises(UserError, match=r"input .*b\.jsonl.*--force rebuilds it"):
        run(tmp_path / "results", "--dataset", data, "--decontaminate", bench)


def test_rows_that_hold_a_heldout_response(tmp_path):
    rng = np.random.default_rng(2)
    answer, standing = words(rng, 20), words(rng, 9)
    texts = [("Ask", answer), (f"Shorten: {answer}", "Yes"), (words(rng, 9), words(rng, 20))]
    texts += [("Say", standing), *((f"Other {n}", standing) for n in range(12))]
    config = {"dataset": [write_lines(tmp_path / "d.jsonl", [{"prompt": ask, "response": say} for ask, say in texts])]}
    config |= {"split": "train", "columns": None, "turns": "first", "max_samples": None, "cleaning": cleaning_config()}
    job = Job(tmp_path, 1)
    holds = holds_heldout_response(job, read_corpus(job, config), np.arange(1, 16), np.array([0, 3]))
    assert np.flatnonzero(holds).tolist() == [0]  # row 1; what 13 rows answer alike is no leak


def test_the_ledger_keeps_twenty_examples_of_a_reason(tmp_path):
    write_table(
        tmp_path / "d.arrow", pyarrow.table({"id": [str(n) for n in range(30)], "instruction": ["x" * 500] * 30})
    )
    read = {"rows_read": 30, "rows_added": 0, "kept": 30, "dropped": {}, "modified": {}, "examples": {}}
    ledger = Ledger(np.zeros(30, int), ["s"], ShardedRows([tmp_path / "d.arrow"]), read)
    left = ledger.drop("clean", np.arange(30), {"too_long": np.arange(30) > 4})
    assert left.tolist() == [0, 1, 2, 3, 4] and ledger.steps[-1]["dropped"] == {"too_long": {"s": 25}}
    assert len(ledger.examples["too_long"]) == 20 and ledger.examples["too_long"][0] == f"5: {'x' * 100}"


def test_cleaning_settings():
    asks, answers = ["Name a river, please."] * 2, ["The river Rhine flows to the sea.", "The Po."]
    table = pyarrow.table({"instruction": asks, "response": answers})
    long = 1 + REASONS.index("too_long")
    assert cleaning_reasons(table, cleaning_config()).tolist() == [0, 0]
    assert cleaning_reasons(table, cleaning_config({"max_characters": 53})).tolist() == [long, 0]
    assert cleaning_reasons(table, cleaning_config({"max_characters": 54})).tolist() == [0, 0]
    assert cleaning_reasons(table, cleaning_config({"max_characters": None})).tolist() == [0, 0]
    for wrong, said in (
        ({"max_character": 5}, "max_characters"),
        ({"max_characters": "many"}, "takes a"),
        ({"max_characters": 0}, "more than 0"),
        ({"near_duplicate_jaccard": 1.01}, "of 1 at most"),
        ({"near_duplicate_jaccard": 0.0}, "more than 0"),
        ({"drop_exact_duplicates": 0}, "takes a bool"),
        ({"drop_evaluation_items": None}, "takes a bool such as True, not None"),
    ):
        with pytest.raises(ConfigError, match=said):
            cleaning_config(wrong)
    assert cleaning_config({"near_duplicate_jaccard": 1})["near_duplicate_jaccard"] == 1


def test_each_step_can_be_left_out_and_the_ledger_says_so(tmp_path, capsys):
    rng = np.random.default_rng(3)
    rows = [{"prompt": words(rng, 9), "response": words(rng, 20)} for _ in range(60)]
    suite = make_suite(*EVALUATION_SUITES[0].values())
    rows += [rows[0], {"prompt": suite[3]["prompt"], "response": words(rng, 9)}]
    rows += [{"prompt": f"Shorten: {row['response']}", "response": words(rng, 9)} for row in rows[:60]]
    data = write_lines(tmp_path / "d.jsonl", rows)
    on = run(tmp_path / "on", "--dataset", data)["ledger"]
    reasons = {reason for step in on["steps"] for reason in step["dropped"]}
    assert reasons == {"exact_duplicate", "in_evaluation_suite", "holds_heldout_response"} and on["off"] == []
    keys = ["drop_exact_duplicates", "drop_evaluation_items", "drop_heldout_responses"]
    off = run(
        tmp_path / "off", "--dataset", data, "--set", *(f"{key}=false" for key in keys), "near_duplicate_jaccard=null"
    )["ledger"]
    assert [step["step"] for step in off["steps"]] == ["read", "clean", "held-out rows"]
    assert off["off"] == [keys[0], "near_duplicate_jaccard", *keys[1:]] and off["contamination"] == {}
    assert off["rows"] >= 121  # of both duplicates one goes where the other is held out
    assert f"off: {', '.join(off['off'])}" in capsys.readouterr().out


def test_no_near_duplicate_is_dropped_where_the_setting_is_null(tmp_path):
    words = "the river flows past many towns and fields on its long way down to the sea each".split()
    texts = [" ".join([*words, *words[:number], "day"]) for number in range(14, 17)]
    rows = [{"prompt": f"Tell me about a river {number}.", "response": text} for number, text in enumerate(texts)]
    rows += [{"prompt": f"How much is {n} and {n}?", "response": f"It is {2 * n}."} for n in range(40)]
    data = write_lines(tmp_path / "d.jsonl", rows)
    reasons = {}
    for value in ("0.5", "null"):
        scores = run(tmp_path / value, "--dataset", data, "--set", f"near_duplicate_jaccard={value}")
        reasons[value] = [step["step"] for step in scores["ledger"]["steps"] if step["step"] == "near-duplicates"]
    assert reasons == {"0.5": ["near-duplicates"], "null": []}
