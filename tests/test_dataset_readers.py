"""Reading: every schema and format, the ledger, the sample, faults. Values by hand; no network."""

import gzip
import json
import os
import time

import pyarrow
import pyarrow.parquet
import pytest

import dataset_files
import dataset_formats
import dataset_readers
from benchmark_items import read_benchmark
from common import UserError
from dataset_files import hash_input, is_hub_id
from dataset_readers import find_layout, parse_columns, read_rows, renamed_ids
from dataset_shards import check_parts, read_shard, shards_of_input
from dialogues import Unusable, dialogue_exchanges, join_paragraphs, strip_end_markers, turns_of


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def read_one(tmp_path, row):
    table, ledger = read_rows([write_lines(tmp_path / "data.jsonl", [row])], None, 0)
    return table.to_pylist(), ledger


def pairs(rows):
    return [{"instruction": f"ask {number}", "response": f"answer {number}"} for number in range(rows)]


USER, BOT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
SYSTEM = {"role": "system", "content": "Be kind."}
SCHEMAS = [
    ({"instruction": "Hi", "response": "Hello"}, "Hi", "Hello"),
    ({"instruction": "Add", "input": "1 2", "output": "3"}, "Add\n\n1 2", "3"),
    ({"instruction": "Add", "input": "", "output": "3"}, "Add", "3"),
    ({"instruction": "Add", "input": None, "response": 3}, "Add", "3"),
    ({"Instruction": "Add", "Input": "1 2", "Response": "3"}, "Add\n\n1 2", "3"),
    ({"instruction": "Who?", "context": "Ann is.", "response": "Ann"}, "Who?\n\nAnn is.", "Ann"),
    ({"prompt": " Hi", "completion": " Hello\n"}, " Hi", " Hello\n"),
    ({"prompt": "Hi", "response": "Hello"}, "Hi", "Hello"),
    ({"question": "Hi", "answer": "Hello"}, "Hi", "Hello"),
    ({"system_prompt": "Be kind.", "question": "Hi", "response": "Hello"}, "Be kind.\n\nHi", "Hello"),
    ({"input": "Hi", "output": "Hello"}, "Hi", "Hello"),
    ({"messages": [SYSTEM, USER, BOT, USER, BOT]}, "Be kind.\n\nHi", "Hello"),
    ({"prompt": "ignored", "messages": [USER, BOT]}, "Hi", "Hello"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, BOT]}, "Hi", "Hello"),
    ({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}, "Hi", "Hello"),
    ({"conversations": [{"from": "gpt", "value": "?"}, USER, BOT]}, "Hi", "Hello"),
    ({"prompt": "Hi", "chosen": "Hello", "rejected": "Go"}, "Hi", "Hello"),
    ({"prompt": "Hi", "chosen": [USER, BOT], "rejected": [USER, USER]}, "Hi", "Hello"),
    ({"prompt": "Hi", "chosen": [BOT]}, "Hi", "Hello"),
    ({"prompt": [SYSTEM, USER], "chosen": [BOT]}, "Be kind.\n\nHi", "Hello"),
    ({"prompt": [USER], "completion": "Hello"}, "Hi", "Hello"),
    ({"messages": [{"role": "tool", "content": "3"}, USER, BOT]}, "Tool: 3\n\nUser: Hi", "Hello"),
    ({"chosen": [USER, BOT], "rejected": [USER, USER]}, "Hi", "Hello"),
    ({"instruction": "Add", "input": "<noinput>", "output": "3"}, "Add", "3"),
    ({"instruction": "Add", "input": " N/A", "output": "3"}, "Add", "3"),
    ({"instruction": "Add", "context": "nan", "output": "3"}, "Add", "3"),
    ({"instruction": "More", "output": "No", "history": []}, "More", "No"),
    (
        {"instruction": "More", "input": "x", "output": "No", "history": [["Hi", "Hello"]], "system": "Be kind."},
        "Be kind.\n\nUser: Hi\n\nAssistant: Hello\n\nUser: More\n\nx",
        "No",
    ),
    (
        {"instruction": "More", "output": "No", "history": '[["Hi", "Hello"]]'},
        "User: Hi\n\nAssistant: Hello\n\nUser: More",
        "No",
    ),
    ({"instruction": "More", "output": "No", "history": "a long one"}, "More", "No"),
    ({"question": "Two?", "choices": ["1", "2", "3"], "answer": 1}, "Two?\nA. 1\nB. 2\nC. 3", "B. 2"),
    ({"question": "Two?", "choices": ["1", "2", "3"], "answer": "1"}, "Two?\nA. 1\nB. 2\nC. 3", "1"),
    ({"question": "Two?", "choices": ["one", "two"], "answer": "(b)"}, "Two?\nA. one\nB. two", "B. two"),
    (
        {"question": "Two?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answer": "2"},
        "Two?\n1. x\n2. y",
        "2. y",
    ),
    ({"question": "Two: x, y?", "options": {"A": "x", "B": "y"}, "answer": "Because y."}, "Two: x, y?", "Because y."),
    ({"question": "Two?", "options": ["A) x", "B) y"], "answer": "B"}, "Two?\nA) x\nB) y", "B) y"),
    ({"question": "Two?", "options": [{"a": 1}], "answer": "B"}, "Two?", "B"),
    ({"messages": json.dumps([SYSTEM, USER, BOT])}, "Be kind.\n\nHi", "Hello"),
    ({"conversations": str([USER, BOT])}, "Hi", "Hello"),
    ({"conversations": ["Hi", "Hello", "And?", "No."]}, "Hi", "Hello"),
    ({"conversation": [{"input": "Hi", "output": "Hello"}, {"input": "And?", "output": "No."}]}, "Hi", "Hello"),
    ({"problem": "1 + 2", "solution": "Add: 3", "answer": "3"}, "1 + 2", "Add: 3"),
    ({"inputs": "Hi", "targets": "Hello"}, "Hi", "Hello"),
    ({"messages": [{"role": "User ", "content": "Hi"}, {"role": "ASSISTANT", "content": "Hello"}]}, "Hi", "Hello"),
    ({"data": ["Hi", "Hello"]}, "Hi", "Hello"),  # UltraChat
    ({"user": "Hi", "assistant": "Hello"}, "Hi", "Hello"),
    ({"Context": "Hi", "Response": "Hello"}, "Hi", "Hello"),
    ({"definition": "Add.", "inputs": "1 2", "targets": "3"}, "Add.\n\n1 2", "3"),  # Super-NaturalInstructions
    ({"problem": "1 + 2", "generated_solution": "Add: 3", "expected_answer": "3"}, "1 + 2", "Add: 3"),
    ({"conversations": {"from": ["human", "gpt"], "value": ["Hi", "Hello"]}}, "Hi", "Hello"),  # datasets' Sequence
    ({"system": "SYSTEM: Be kind.", "chat": "USER: Hi\n\n\nASSISTANT: Hello <|endoftext|>"}, "Be kind.\n\nHi", "Hello"),
    (
        {"instruction": "Hi", "response": "Hello", "text": "User: No\nAssistant: No", "data": ["No", "No"]},
        "Hi",
        "Hello",
    ),
]
# One text for the whole dialogue, as it was made for training: what it says is the same.
MARKED = {
    "Guanaco": "### Human: Hi### Assistant: Hello### Human: And?### Assistant: No.",
    "Guanaco, made to stop": "### Human: Hi\n### Assistant: Hello\n### Human",
    "Alpaca": "### Instruction:\nHi\n\n### Response:\nHello",
    "Alpaca without colons": "### Instruction\nHi\n\n### Response\nHello",
    "hh-rlhf": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: And?\n\nAssistant: No.",
    "Vicuna": "USER: Hi ASSISTANT: Hello</s>USER: And? ASSISTANT: No.</s>",
    "glaive": "USER: Hi\n\n\nASSISTANT: Hello <|endoftext|>\n\n\nUSER: And?",
    "ChatML": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n",
    "Llama 2": "<s>[INST] Hi [/INST] Hello </s><s>[INST] And? [/INST] No. </s>",
    "Llama 3": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>",
    "Gemma": "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n",
    "Zephyr": "<|user|>\nHi</s>\n<|assistant|>\nHello</s>\n",
    "Phi": "<|user|>\nHi<|end|>\n<|assistant|>\nHello<|end|>\n<|endoftext|>",
}


@pytest.mark.parametrize("column", ["text", "chosen", "chat", "messages"])
@pytest.mark.parametrize("name", MARKED)
def test_a_dialogue_of_one_text(tmp_path, name, column):
    (found,), _ = read_one(tmp_path, {column: MARKED[name]})
    assert (found["instruction"], found["response"]) == ("Hi", "Hello")


def test_parts_of_a_dialogue_of_one_text():
    def first(text, which="first"):
        return dialogue_exchanges(turns_of(text), "", which)

    assert first("Be kind.\n\n### Instruction:\nAdd\n\n### Input:\n1 2\n\n### Response:\n3") == [
        ("Be kind.\n\nAdd\n\n1 2", "3")
    ]
    assert len(first("A chat.\n\nUSER: Hi\n\nASSISTANT: Hello</s>USER: And? ASSISTANT: No.</s>", "all")) == 2
    assert len(first("A chat.\n\nHuman: Hi\nAssistant: Hello\nHuman: And?\nAssistant: No.", "all")) == 2
    assert first("### Instruction\nAdd\n### Input\n### Response\n3") == [("Add", "3")]
    assert first("[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST] Hello") == [("Be kind.\n\nHi", "Hello")]
    assert first("### Human: Hi### Assistant: Hello### Human: And?### Assistant: No.", "all") == [
        ("Hi", "Hello"),
        ("User: Hi\n\nAssistant: Hello\n\nUser: And?", "No."),
    ]
    # The kind of mark that comes first decides; an answer keeps what looks like others.
    said = "A play.\nUser: Ah.\n### Response: Oh."
    assert first(f"### Question: Hi\n### Answer: {said}\n### Output\n1") == [("Hi", f"{said}\n### Output\n1")]
    assert first(f"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n{said}<|im_end|>") == [("Hi", said)]
    assert first("### Human: Hi### Assistant: ") == [("Hi", "")]


@pytest.mark.parametrize(
    ("begins", "answer"),
    [
        ("### Human: Hi### Assistant: ", "See:\n\n### System\nLinux\n\n### User\nroot\n\n#### Human: you"),
        ("### Human: Hi\r\n### Assistant: ", "user: root\r\n### assistant: none"),
        ("### Instruction:\nHi\n\n### Response:\n", "Task\n### Input:\nn\n### Output:\nm\n\n### Answer\n42"),
        ("### Instruction\r\nHi\r\n\r\n### Response\r\n", "It says:\n\n### Instruction: go"),
        ("\n\nHuman: Hi\n\nAssistant: ", "A log:\nUser: root\n\nSystem: Linux\nAI: deep"),
        ("\n\nHuman: Hi\n\nAssistant: ", "A play:\nHuman: Oh\nAssistant: Ah"),
        ("User: Hi\nAI: ", "```yaml\n  user: root\n  ai: none\n```\nuser: root\nAssistant: none"),
        ("A chat. USER: Hi ASSISTANT: ", "HUMAN: is a mark, SYSTEM: and User: too"),
    ],
)
def test_an_answer_keeps_what_looks_like_marks(begins, answer):
    ((_, found),) = dialogue_exchanges(turns_of(begins + answer), "", "all")
    assert found == answer


@pytest.mark.parametrize(
    ("prompt", "instruction"),
    [
        ("\n\nHuman: Hi\n\nAssistant:", "Hi"),
        (
            "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: And?\n\nAssistant: ",
            "User: Hi\n\nAssistant: Hello\n\nUser: And?",
        ),
        ("Be kind.\n\n### Instruction:\nHi\n\n### Response:\n", "Be kind.\n\nHi"),
        (
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
            "Be kind.\n\nHi",
        ),
        ("<s>[INST] Hi [/INST]", "Hi"),
        ("What follows on\nHuman: Hi\nAssistant: Hello", "What follows on\nHuman: Hi\nAssistant: Hello"),
        ("Go on:\nAssistant:", "Go on:\nAssistant:"),
        ("<|im_start|>user<|im_sep|>", "<|im_start|>user<|im_sep|>"),
    ],
)
@pytest.mark.parametrize("turns", ["first", "all"])
def test_a_prompt_with_the_marks_of_a_template_is_read_without_them(tmp_path, prompt, instruction, turns):
    path = write_lines(tmp_path / "data.jsonl", [{"prompt": prompt, "completion": "No."}])
    (found,) = read_rows([path], None, 0, turns=turns)[0].to_pylist()
    assert (found["instruction"], found["response"]) == (instruction, "No.")


def test_a_text_column_of_few_dialogues_is_no_instruction_data(tmp_path):
    rows = [{"text": f"A note on {number}."} for number in range(300)]
    rows[7]["text"] = rows[8]["text"] = rows[9]["text"] = "User: Hi\nAI: Hello"
    with pytest.raises(UserError, match=r"no usable columns in 297 of 300 rows: found text;"):
        read_rows([write_lines(tmp_path / "notes.jsonl", rows)], None, 0)
    rows[10]["text"] = rows[7]["text"]
    assert read_rows([write_lines(tmp_path / "notes.jsonl", rows)], None, 0)[0].num_rows == 4


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": [{"role": "customer", "content": "Hi"}, BOT]}, "no_user_turn"),
        ({"messages": [USER, {"role": "agent", "content": "Hello"}]}, "no_answer_after_user_turn"),
        ({"instruction": "Hi", "response": ["a", "b"]}, "no_dialogue"),
        ({"instruction": "Hi", "response": {"a": 1}}, "not_text"),
        ({"instruction": "Hi", "response": " "}, "empty"),
    ],
)
def test_a_file_of_rows_that_are_not_understood_is_refused_beside_a_good_one(tmp_path, row, reason):
    good, bad = write_lines(tmp_path / "good.jsonl", pairs(300)), tmp_path / "bad.jsonl"
    write_lines(bad, [row] * 198 + pairs(2))
    for read in (read_rows, read_in_shards):
        with pytest.raises(UserError, match=rf"bad.jsonl: 198 of 200 rows hold no .* \(198 {reason}\); leave it out"):
            read([good, str(bad)], None, 0)
        write_lines(bad, [row] * 198 + pairs(3))
        read([good, str(bad)], None, 0)
        write_lines(bad, [row] * 99)  # too few to tell
        read([good, str(bad)], None, 0)
        write_lines(bad, [row] * 198 + pairs(2))


def read_in_shards(datasets, *_):
    reports = [read_shard(shard, None, "first")[2] for shard in shards_of_input(datasets, "train", None, 64)]
    check_parts(json.loads(json.dumps(reports)), None)


def test_a_text_of_many_marks_or_none_is_read_in_no_time():
    runs = dict.fromkeys(("\n", " ", "### ", "<|im_start|>", "[", "</s>"), 100_000) | {"USER: a ": 300_000}
    for run, times in runs.items():
        started = time.process_time()  # of the processor: other work beside it must not count
        with pytest.raises(Unusable):
            dialogue_exchanges(turns_of(run * times), "", "first")
        assert time.process_time() - started < 3, run
    started = time.process_time()
    assert strip_end_markers("a" + " </s>" * 300_000) == "a" and time.process_time() - started < 3


@pytest.mark.parametrize(("row", "instruction", "response"), SCHEMAS)
def test_schemas(tmp_path, row, instruction, response):
    (found,), ledger = read_one(tmp_path, row)
    assert found == {"id": "data-0", "source": "data", "instruction": instruction, "response": response}
    assert (ledger["rows_read"], ledger["kept"], ledger["dropped"]) == (1, 1, {})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": [BOT]}, "no_user_turn"),
        ({"messages": [USER]}, "no_answer_after_user_turn"),
        ({"messages": [USER, {"role": "tool", "content": "x"}]}, "no_answer_after_user_turn"),
        ({"messages": "Hi"}, "no_dialogue"),
        ({"messages": None}, "no_dialogue"),
        ({"messages": json.dumps([1, 2])}, "no_dialogue"),
        ({"messages": ["Hi"]}, "no_answer_after_user_turn"),
        ({"messages": [{"input": 1, "output": 2}]}, "no_dialogue"),
        ({"messages": []}, "no_user_turn"),
        ({"messages": "[" * 10_000}, "no_dialogue"),
        ({"messages": "[__import__('os').getcwd()]"}, "no_dialogue"),
        ({"messages": [USER, {**BOT, "tool_calls": [{}]}]}, "answer_calls_a_tool"),
        (
            {"conversations": [{"from": "human", "value": "Hi"}, {"from": "function_call", "value": "f"}]},
            "answer_calls_a_tool",
        ),
        ({"chat": "USER: Hi\n\n\nASSISTANT: <functioncall> {} <|endoftext|>"}, "answer_calls_a_tool"),
        ({"messages": [USER, {**BOT, "content": "\n<tool_call>{}</tool_call>"}]}, "answer_calls_a_tool"),
        ({"messages": {"role": ["user"], "content": []}}, "no_dialogue"),
        ({"messages": {"a": ["user"], "b": ["Hi"]}}, "no_dialogue"),
        ({"messages": {"role": "user", "content": "Hi"}}, "no_dialogue"),
        ({"instruction": "Hi", "response": {"a": 1}}, "not_text"),
        ({"instruction": True, "response": "Hello"}, "not_text"),
        ({"question": "Two?", "choices": ["x", "y"], "answer": 2}, "answer_is_no_choice"),
        ({"question": "Two?", "choices": ["x", "y"], "answer": -1}, "answer_is_no_choice"),
        ({"question": "Two?", "choices": ["x", "y"], "answer": "C"}, "answer_is_no_choice"),
        ({"prompt": "Hi", "response": "<tool_call>{}", "history": [["Hi", "Hello"]]}, "answer_calls_a_tool"),
    ],
)
def test_rows_without_a_pair_are_dropped_with_their_reason(tmp_path, row, reason):
    found, ledger = read_one(tmp_path, row)
    assert found == [] and ledger["dropped"] == {reason: {"data": 1}}
    (example,) = ledger["examples"][reason]
    assert example.startswith(f"{tmp_path}/data.jsonl:1: {next(iter(row))}: ")


SHAPES = [
    {"instruction": "Hi", "response": "Hello"},
    {"instruction": "Hi", "output": "Hello"},
    {"prompt": "Hi", "completion": "Hello"},
    {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
    {"messages": [USER, BOT]},
    {"prompt": "Hi", "chosen": "Hello"},
]


@pytest.mark.parametrize("nothing", [None, float("nan"), "", []])
def test_a_table_of_several_shapes_is_read_as_its_rows_apart(tmp_path, nothing):
    columns = list(dict.fromkeys(name for row in SHAPES for name in row))
    rows = [{name: row.get(name, nothing) for name in columns} for row in SHAPES]
    table, ledger = read_rows([write_lines(tmp_path / "d.jsonl", rows)], None, 0)
    assert table.select(["instruction", "response"]).to_pylist() == [SHAPES[0]] * 6 and ledger["dropped"] == {}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(SHAPES, _schema_of(SHAPES)), tmp_path / "d.parquet")
    assert read_rows([str(tmp_path / "d.parquet")], None, 0)[0].equals(table)


def _schema_of(rows):
    return pyarrow.unify_schemas([pyarrow.Table.from_pylist([row]).schema for row in rows])


def test_columns_that_hold_nothing_make_no_pair_of_others(tmp_path):
    (found,), _ = read_one(tmp_path, {"instruction": "", "input": "Ann is.", "context": None, "output": "Ann"})
    assert (found["instruction"], found["response"]) == ("Ann is.", "Ann")
    (found,), _ = read_one(tmp_path, {"instruction": "Who?", "input": "Ann is.", "output": ""})
    assert (found["instruction"], found["response"]) == ("Who?\n\nAnn is.", "")


# ---------------------------------------------------------------------------------------------------------------------
# Dialogues: every turn, tools

CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "add", "arguments": "é"}}]}
TOOL = {"role": "tool", "content": "3"}


def read_turns(tmp_path, rows, max_samples=None):
    path = write_lines(tmp_path / "data.jsonl", rows)
    table, ledger = read_rows([path], max_samples, 0, turns="all")
    assert ledger["rows_read"] == len(rows)
    assert len(rows) + ledger["rows_added"] == table.num_rows + sum(
        sum(by.values()) for by in ledger["dropped"].values()
    )  # fmt: skip
    return table.select(["id", "instruction", "response"]).to_pylist(), ledger


def test_every_answer_is_a_row_with_what_led_to_it(tmp_path):
    more, end = {"role": "user", "content": "More"}, {"role": "assistant", "content": "No</s>"}
    rows, ledger = read_turns(tmp_path, [{"id": "x", "messages": [SYSTEM, USER, BOT, more, end]}, pairs(1)[0]])
    assert rows == [
        {"id": "x#1", "instruction": "Be kind.\n\nHi", "response": "Hello"},
        {"id": "x#2", "instruction": "Be kind.\n\nUser: Hi\n\nAssistant: Hello\n\nUser: More", "response": "No"},
        {"id": "data-1", "instruction": "ask 0", "response": "answer 0"},
    ]
    assert ledger["rows_added"] == 1


def test_a_call_of_a_tool_is_no_answer_and_stands_in_the_history(tmp_path):
    rows, _ = read_turns(tmp_path, [{"messages": [USER, CALL, TOOL, BOT, USER, USER, BOT, BOT]}])
    call = 'Assistant: [{"function": {"name": "add", "arguments": "é"}}]'
    history = f"User: Hi\n\n{call}\n\nTool: 3"
    assert [(row["id"], row["instruction"]) for row in rows] == [
        ("data-0#1", history), ("data-0#2", f"{history}\n\nAssistant: Hello\n\nUser: Hi\n\nUser: Hi")
    ]  # fmt: skip


def test_a_system_turn_within_a_dialogue_stands_in_the_history(tmp_path):
    later = {"role": "system", "content": "Be brief."}
    rows, _ = read_turns(tmp_path, [{"messages": [SYSTEM, USER, BOT, later, USER, later, BOT]}])
    history = "Be kind.\n\nUser: Hi\n\nAssistant: Hello\n\nSystem: Be brief.\n\nUser: Hi\n\nSystem: Be brief."
    assert [row["instruction"] for row in rows] == ["Be kind.\n\nHi", history]


def test_earlier_exchanges_beside_a_question_are_rows_of_their_own(tmp_path):
    row = {"instruction": "More", "output": "No", "history": [["Hi", "Hello"]]}
    rows, _ = read_turns(tmp_path, [row])
    assert [tuple(row.values()) for row in rows] == [
        ("data-0#1", "Hi", "Hello"), ("data-0#2", "User: Hi\n\nAssistant: Hello\n\nUser: More", "No")
    ]  # fmt: skip


def test_a_dialogue_whose_histories_no_memory_holds_is_dropped(tmp_path):
    path = write_lines(tmp_path / "data.jsonl", [{"messages": ["a"] * 100_000}, {"messages": ["Hi", "Hello"]}])
    table, ledger = read_rows([path], None, 0, turns="all")
    assert table["response"].to_pylist() == ["Hello"] and ledger["dropped"] == {"dialogue_too_long": {"data": 1}}
    assert read_rows([path], None, 0)[0]["response"].to_pylist() == ["a", "Hello"]


def test_a_dialogue_without_an_answer_is_dropped_once(tmp_path):
    rows, ledger = read_turns(tmp_path, [{"messages": [USER, CALL, TOOL]}, {"messages": [BOT]}])
    assert rows == [] and ledger["dropped"] == {"no_answer_after_user_turn": {"data": 1}, "no_user_turn": {"data": 1}}


def test_a_sample_of_turns_has_its_size_and_goes_on_from_first_turns(tmp_path):
    rows, ledger = read_turns(tmp_path, [{"messages": [USER, BOT] * 5} for _ in range(40)], max_samples=33)
    assert len(rows) == 33 and ledger["dropped"] == {"not_sampled": {"data": 167}}
    turns = [row["id"].split("#") for row in rows]
    assert sorted(len({turn for name, turn in turns if name == other}) for other in {name for name, _ in turns}) == [
        3, 5, 5, 5, 5, 5, 5
    ]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Named columns, benchmarks


def test_named_columns_nested_ones_too(tmp_path):
    columns = parse_columns("instruction=ask.text, response=b.c")
    rows = [
        {"ask": {"text": "Hi"}, "b.c": "Hello", "id": 5, "prompt": "no", "response": "no"},
        {"ask": {"text": "Hi"}, "b": {"c": "Hello"}},
        {"ask": "flat", "b": {"c": "Hello"}, "question": "Which?", "answer": "This"},
    ]
    table, _ = read_rows([write_lines(tmp_path / "d.jsonl", rows)], None, 0, columns=columns)
    found = [(row["id"], row["instruction"], row["response"]) for row in table.to_pylist()]
    assert found == [("5", "Hi", "Hello"), ("d-1", "Hi", "Hello"), ("d-2", "Which?", "This")]


def test_a_column_named_as_an_instruction_is_no_source(tmp_path):
    path = write_lines(tmp_path / "cot.jsonl", [{"source": "Hi", "rationale": "Hello", "id": 7}])  # as CoT-Collection
    table, _ = read_rows([path], None, 0, columns={"instruction": "source", "response": "rationale"})
    assert table.to_pylist() == [{"id": "7", "source": "cot", "instruction": "Hi", "response": "Hello"}]


def test_named_columns_of_a_table_are_read(tmp_path):
    pyarrow.parquet.write_table(
        pyarrow.table({"Ask": [{"x": "Hi", "y": 1}], "chat": ["Hello"], "z": [1]}), tmp_path / "d.parquet"
    )
    columns = {"instruction": "Ask.x", "response": "chat"}
    assert read_rows([str(tmp_path / "d.parquet")], None, 0, columns=columns)[0]["instruction"].to_pylist() == ["Hi"]


def test_rows_whose_named_columns_hold_nothing_are_read_by_their_own(tmp_path):
    rows = [{"ask": "Hi", "reply": "Hello", "prompt": None}, {"ask": None, "reply": "", "prompt": "p", "output": "o"}]
    path = write_lines(tmp_path / "d.jsonl", rows)
    table, _ = read_rows([path], None, 0, columns={"instruction": "ask", "response": "reply"})
    assert table["instruction"].to_pylist() == ["Hi", "p"] and table["response"].to_pylist() == ["Hello", "o"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("instruction=a,answer=b", "'answer' is not among instruction, input, response"),
        ("instruction=a", "name an instruction and a response, or messages"),
        ("instruction=a,response", "it takes instruction=a,response=b"),
        ("instruction=a,response=", "it takes instruction=a,response=b"),
    ],
)
def test_columns_that_say_nothing(text, message):
    with pytest.raises(UserError, match=message):
        parse_columns(text)


def test_named_columns_that_no_row_has(tmp_path):
    path = write_lines(tmp_path / "d.jsonl", pairs(2))
    with pytest.raises(UserError, match="no row has the columns a, b that --columns names"):
        read_rows([path], None, 0, columns={"instruction": "a", "response": "b"})


def test_benchmarks_with_and_without_answers(tmp_path):
    rows = [
        {"question": "Why?", "answer": "So."},
        {"prompt": "Write", "key": 1, "canonical_solution": "code"},
        {"text": "Some"},
        {"messages": [USER, BOT]},
        {"question": "Which?", "choices": ["a", "b"], "answer": 1},
        {"label": 1, "question": "", "problem": "Sum?"},
        {"label": 1},
    ]
    assert read_benchmark(write_lines(tmp_path / "b.jsonl", rows)) == [
        ("Why?", "So."), ("Write", "code"), ("Some", ""), ("Hi", "Hello"), ("Which?", "1"),
        ("Sum?", ""),
    ]  # fmt: skip
    with pytest.raises(UserError, match="no row has a text under instruction, prompt"):
        read_benchmark(write_lines(tmp_path / "b.jsonl", rows[-1:]))


def test_of_a_benchmark_every_exchange_is_read_and_what_is_not_is_said(tmp_path, capsys):
    more = [{"role": "user", "content": "And now?"}, {"role": "assistant", "content": "Then."}]
    system = {"role": "system", "content": "Be brief."}
    rows = [{"messages": [system, USER, BOT, *more]}, {"label": 1}, {"question": ["a", 1]}]
    assert read_benchmark(write_lines(tmp_path / "b.jsonl", rows)) == [
        ("Be brief.\n\nHi", "Hello"), ("And now?", "Then."),
    ]  # fmt: skip
    assert capsys.readouterr().out.endswith("b.jsonl: 2 of 3 rows have no text to look for\n")


def test_a_damaged_benchmark_stops_and_one_bad_line_in_a_hundred_does_not(tmp_path):
    good = [{"question": f"Question {number}?"} for number in range(99)]
    assert len(read_benchmark(write_lines(tmp_path / "b.jsonl", [*good, "no object"]))) == 99
    with pytest.raises(UserError, match="b.jsonl:99: not a JSON object; 2 of 100 rows cannot be read, more than 1%"):
        read_benchmark(write_lines(tmp_path / "b.jsonl", [*good[1:], "no object", [1]]))


# ---------------------------------------------------------------------------------------------------------------------


def test_layout_is_none_without_both_sides():
    assert find_layout(("label",)) is None and find_layout(("text", "instruction")) is None
    assert find_layout(("instruction",)) is None
    assert find_layout(("chosen", "rejected")).turns == "chosen"


def test_own_id_and_source_stay_and_ids_are_unique(tmp_path):
    rows = [
        {"id": 7, "source": "s", **pairs(1)[0]},
        {"id": "7", **pairs(1)[0]},
        {"id": None, "source": "", **pairs(1)[0]},
    ]
    table, ledger = read_rows([write_lines(tmp_path / "data.jsonl", rows)], None, 0)
    assert table["id"].to_pylist() == ["7", "7#2", "data-2"]
    assert table["source"].to_pylist() == ["s", "data", "data"]
    assert ledger["modified"] == {"duplicate_id_suffixed": 1}


def test_unique_ids_avoid_ids_that_look_suffixed():
    assert renamed_ids(pyarrow.chunked_array([["a", "b"]])) == {}
    assert renamed_ids(pyarrow.chunked_array([["a", "a#2"], ["a", "a"]])) == {2: "a#3", 3: "a#4"}


def test_two_files_of_one_name(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write_lines(tmp_path / folder / "data.jsonl", pairs(2))
    table, ledger = read_rows([str(tmp_path / "x"), str(tmp_path / "y")], None, 0)
    assert table["id"].to_pylist() == ["data-0", "data-1", "data-0#2", "data-1#2"]
    assert ledger["modified"] == {"duplicate_id_suffixed": 2}


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("yes<|endoftext|>", "yes"),
        ("yes \n</s> <|im_end|>\n", "yes"),
        ("<|eot_id|>", ""),
        ("yes\n", "yes\n"),
        ("say </s> twice", "say </s> twice"),
    ],
)
def test_end_markers(text, bare):
    assert strip_end_markers(text) == bare


def test_special_tokens_inside_are_plain_text(tmp_path):
    row = {"instruction": "What is <|endoftext|>", "response": "<s> starts, </s> ends.<|im_end|>"}
    (found,), ledger = read_one(tmp_path, row)
    assert (found["instruction"], found["response"]) == ("What is <|endoftext|>", "<s> starts, </s> ends.")
    assert ledger["modified"] == {"end_marker_stripped": 1}


def test_surrogates_and_nul(tmp_path):
    (found,), ledger = read_one(tmp_path, {"instruction": "a\ud800b", "response": "c\0d \U0001f600"})
    assert (found["instruction"], found["response"]) == ("a\ufffdb", "c\0d \U0001f600")
    assert ledger["modified"] == {"lone_surrogates_replaced": 1}
    (found,), ledger = read_one(tmp_path, {"instruction": "a\ud800", "response": "b\udfff</s>", "source": "\ud800"})
    assert (found["instruction"], found["response"], found["source"]) == ("a\ufffd", "b\ufffd", "\ufffd")
    assert ledger["modified"] == {"end_marker_stripped": 1, "lone_surrogates_replaced": 1}  # rows, not cells


def test_paragraphs():
    assert join_paragraphs("a\n", "", " b") == "a\n\n b"
    assert join_paragraphs("", " a \n") == " a \n"
    assert join_paragraphs("", " ") == ""


# ---------------------------------------------------------------------------------------------------------------------
# Formats


def write_format(folder, name, rows):
    path = folder / name
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if name.endswith(".json"):
        path.write_text(json.dumps(rows))
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".zst"):
        with pyarrow.CompressedOutputStream(str(path), "zstd") as file:
            file.write(text.encode())
    elif name.endswith(".parquet"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif name.endswith(".arrow"):
        table = pyarrow.Table.from_pylist(rows)
        with pyarrow.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    else:
        path.write_bytes(
            b"\xef\xbb\xbfinstruction,response\n" + b"".join(b'ask %d,"answer %d"\n' % (n, n) for n in range(9))
        )
    return path


FORMATS = ["d.json", "d.jsonl.gz", "d.jsonl.zst", "d.parquet", "d.arrow", "d.csv"]


@pytest.mark.parametrize("name", FORMATS)
def test_formats(tmp_path, name):
    table, ledger = read_rows([str(write_format(tmp_path, name, pairs(9)))], None, 0)
    assert table.select(["instruction", "response"]).to_pylist() == pairs(9)
    assert set(table["source"].to_pylist()) == {"d"} and ledger["kept"] == 9


def test_folder_of_files_and_saved_folders(tmp_path):
    import datasets

    (tmp_path / "files").mkdir()
    for name in ("a.json", "b.jsonl.gz"):
        write_format(tmp_path / "files", name, pairs(2))
    (tmp_path / "files" / "README.md").write_text("not data")
    saved = datasets.Dataset.from_list(pairs(3))
    saved.save_to_disk(tmp_path / "saved")
    datasets.DatasetDict({"train": saved, "test": saved.select([0])}).save_to_disk(tmp_path / "splits")
    assert read_rows([str(tmp_path / "files")], None, 0)[0]["id"].to_pylist() == ["a-0", "a-1", "b-2", "b-3"]
    assert read_rows([str(tmp_path / "saved")], None, 0)[0].num_rows == 3
    assert read_rows([str(tmp_path / "splits")], None, 0, split="test")[0].num_rows == 1
    with pytest.raises(UserError, match="no split 'dev'; --split takes one of train, test"):
        read_rows([str(tmp_path / "splits")], None, 0, split="dev")


def test_wide_tables_are_read_by_the_columns_that_matter(tmp_path):
    rows = [{**row, "embedding": [0.5, 0.5]} for row in pairs(2)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "d.parquet")
    chunk = next(iter(dataset_formats.open_file(tmp_path / "d.parquet", {"instruction", "response"})))
    assert chunk.take([0, 1]) == pairs(2)


# ---------------------------------------------------------------------------------------------------------------------
# The sample


def sample(paths, rows, seed=0):
    table, ledger = read_rows(paths, rows, seed)
    dropped = sum(count for by_source in ledger["dropped"].values() for count in by_source.values())
    assert ledger["rows_read"] == ledger["kept"] + dropped and ledger["kept"] == table.num_rows
    return table["id"].to_pylist(), ledger


def test_sample_is_seeded_and_over_the_whole_input(tmp_path):
    paths = [write_lines(tmp_path / f"{name}.jsonl", pairs(6_000)) for name in ("a", "b")]
    ids, ledger = sample(paths, 100)
    assert len(ids) == 100 and ledger["sampled"].startswith("seeded sample")
    assert ledger["dropped"] == {"not_sampled": {
        name: 6_000 - sum(identity.startswith(name) for identity in ids) for name in ("a", "b")
    }}  # fmt: skip
    numbers = [int(identity[2:]) + 6_000 * identity.startswith("b") for identity in ids]
    assert numbers == sorted(numbers)  # in the order of the input
    thirds = [sum(4_000 * third <= number < 4_000 * (third + 1) for number in numbers) for third in range(3)]
    assert min(thirds) > 15  # of 33 each
    assert sample(paths, 100)[0] == ids and sample(paths, 100, seed=1)[0] != ids


def test_smaller_samples_are_part_of_larger_ones_and_all_rows_of_none(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", pairs(5_000))
    assert set(sample([path], 50)[0]) < set(sample([path], 500)[0])
    assert len(sample([path], 9_000)[0]) == 5_000


def test_the_sample_is_the_same_in_any_pieces(tmp_path, monkeypatch):
    path = write_lines(tmp_path / "a.jsonl", pairs(3_000))
    whole = sample([path], 40)[0]
    for module in (dataset_formats, dataset_readers):
        monkeypatch.setattr(module, "CHUNK_ROWS", 50)
    assert sample([path], 40)[0] == whole


def test_damage_is_measured_against_the_rows_that_were_parsed(tmp_path, monkeypatch):
    for module in (dataset_formats, dataset_readers):
        monkeypatch.setattr(module, "CHUNK_ROWS", 100)
    rows = [json.dumps(row) if number > 9 else "{" for number, row in enumerate(pairs(3_000))]
    (tmp_path / "d.jsonl").write_text("\n".join(rows))
    with pytest.raises(UserError, match="more than 1%"):
        read_rows([str(tmp_path / "d.jsonl")], 5, 0)


@pytest.mark.parametrize("turns", ["first", "all"])
def test_long_rows_are_moved_to_arrow_in_smaller_batches(tmp_path, monkeypatch, turns):
    monkeypatch.setattr(dataset_formats, "CHUNK_ROWS", 10)
    monkeypatch.setattr(dataset_readers, "CHUNK_BYTES", 1_000)
    long = {"role": "assistant", "content": "x" * 200}
    rows = [{"messages": [USER, BOT if turns == "all" else long, USER, long]} for _ in range(30)]
    table, _ = read_rows([write_lines(tmp_path / "d.jsonl", rows)], None, 0, turns=turns)
    assert table["id"].num_chunks == 3


def test_sample_takes_usable_rows_only(tmp_path):
    rows = [row if number % 2 else {"messages": [USER]} for number, row in enumerate(pairs(1_000))]
    ids, _ = sample([write_lines(tmp_path / "a.jsonl", rows)], 400)
    assert len(ids) == 400 and all(int(identity[2:]) % 2 for identity in ids)


# ---------------------------------------------------------------------------------------------------------------------
# Faults


def test_bad_lines_up_to_one_percent_are_skipped_and_counted(tmp_path):
    lines = [json.dumps(row) for row in pairs(200)]
    lines[6] = '{"instruction": broken'
    lines[9] = "[1, 2]"
    (tmp_path / "d.jsonl").write_text("\n\n".join(lines))
    table, ledger = read_rows([str(tmp_path / "d.jsonl")], None, 0)
    assert table.num_rows == 198 and ledger["dropped"] == {"unreadable": {"d": 2}} and ledger["rows_read"] == 200
    first, second = ledger["examples"]["unreadable"]
    assert f"{tmp_path}/d.jsonl:13: not JSON (Expecting value)" in first and "d.jsonl:19: not a JSON object" in second


def test_utf_16_without_its_mark_is_refused_and_not_read_shifted_by_a_byte(tmp_path):
    rows = [{"instruction": f"Price {i} in € now?", "response": f"It costs {i} € today."} for i in range(200)]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "d.jsonl").write_text(lines, encoding="utf-16-le")
    with pytest.raises(UserError, match=r"d\.jsonl:1: not UTF-8 .*; 200 of 200 rows cannot be read"):
        read_rows([str(tmp_path / "d.jsonl")], None, 0)


def test_json_objects_over_several_lines_are_not_called_no_json(tmp_path):
    for content in ({"data": pairs(3)}, *pairs(1)):
        (tmp_path / "d.json").write_text(json.dumps(content, indent=2))
        with pytest.raises(UserError, match=r"d\.json:1: a JSON object over several lines"):
            read_rows([str(tmp_path / "d.json")], None, 0)


def test_more_than_one_percent_stops_at_the_first(tmp_path):
    lines = [json.dumps(row) for row in pairs(100)]
    lines[6] = b"\xff\xfe".decode("latin-1")
    lines[9] = "{"
    (tmp_path / "d.jsonl").write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"d\.jsonl:7: not JSON .*; 2 of 100 rows cannot be read, more than 1%"):
        read_rows([str(tmp_path / "d.jsonl")], None, 0)


def test_truncated_gzip(tmp_path):
    content = gzip.compress("".join(json.dumps(row) + "\n" for row in pairs(5_000)).encode())
    (tmp_path / "d.jsonl.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"d\.jsonl\.gz ends in the middle"):
        read_rows([str(tmp_path / "d.jsonl.gz")], None, 0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.jsonl", b"", r"d\.jsonl is empty"),
        ("d.json", b"[]", r"d\.json is empty"),
        ("d.csv", b"instruction,response\n", r"d\.csv is empty"),
        ("d.json", b'[{"instruction": "a"', r"d\.json holds no whole JSON array, from row 0 on: Expecting"),
        (
            "d.jsonl",
            b'{"text": "a", "label": 1}\n',
            r"no usable columns: found text, label; understood: instruction/resp",
        ),
        ("d.parquet", b"PAR1 not really", r"d\.parquet cannot be read"),
        ("d.arrow", b"not Arrow at all", r"d\.arrow cannot be read"),
        ("d.jsonl.gz", b"not gzip", r"d\.jsonl\.gz cannot be read: Not a gzipped file"),
        ("d.jsonl.zst", b"not zstd", r"d\.jsonl\.zst cannot be read"),
        ("d.txt", b"hello", r"d\.txt is not a data file; understood: \.json"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_rows([str(tmp_path / name)], None, 0)
    assert "\n" not in str(caught.value)


def test_missing_files_and_hub_ids(tmp_path):
    for missing in (f"{tmp_path}/none.jsonl", "./none", "none.json", "a/b/c", "two words"):
        with pytest.raises(UserError, match="does not exist; --dataset takes"):
            is_hub_id(missing)
    assert is_hub_id("owner/name") and is_hub_id("owner/name:main") and is_hub_id("gsm8k")
    assert not is_hub_id(str(tmp_path))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(UserError, match="neither a file nor a folder"):
        read_rows([str(tmp_path / "pipe.jsonl")], None, 0)


def test_hub_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(dataset_files.common, "probe_hub", lambda kind, name: None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="cannot load 'owner/no-such-name' .*--dataset demo.*local file") as caught:
        read_rows(["owner/no-such-name"], None, 0)
    assert "\n" not in str(caught.value)


def test_hash_of_an_input_is_of_its_content(tmp_path):
    first = hash_input(write_lines(tmp_path / "a.jsonl", pairs(2)))
    assert hash_input(write_lines(tmp_path / "b.jsonl", pairs(2))) == first
    assert hash_input(write_lines(tmp_path / "b.jsonl", pairs(3))) != first
    folder = hash_input(str(tmp_path))
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index").write_text("x")
    assert hash_input(str(tmp_path)) == folder != first


def test_demo(monkeypatch):
    monkeypatch.setattr(dataset_files, "DEMO_ROWS", 50)
    dataset_files.make_demo.cache_clear()
    table, ledger = read_rows(["demo"], None, 3)
    hashed = hash_input("demo")
    dataset_files.make_demo.cache_clear()
    assert table.num_rows == 50 and ledger["dropped"] == {} and len(set(table["id"].to_pylist())) == 50
    assert len(hashed) == 64
