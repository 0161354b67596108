"""lm-evaluation-harness on a run's model, offline, with a task file of our own."""

import importlib.util
import json
from types import SimpleNamespace

import pytest

import lm_harness
from common import UserError, read_json
from language_model import encode_examples, encode_formatted, encode_prompts, format_prompt

TASK = """
task: local_colours
dataset_path: json
dataset_kwargs:
  data_files: {{test: "{data}"}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{max_gen_toks: 4, do_sample: false, until: ["<|end|>"]}}
metric_list:
  - metric: exact_match
"""


def test_the_template_is_our_prompt_format(tokenizer):
    messages = [{"role": "user", "content": "Name a 'colour'."}]
    made = tokenizer.apply_chat_template(messages, chat_template=lm_harness.CHAT_TEMPLATE, tokenize=False)
    assert made == format_prompt("Name a 'colour'.")


def test_prompts_have_the_tokens_of_training(tokenizer):
    for instruction in ("Name a colour?", "Is it?\n\n", "  red ", "### Response:\n", tokenizer.eos_token[:-1]):
        assert (
            encode_formatted(tokenizer, format_prompt(instruction)) == encode_prompts(tokenizer, [instruction], 500)[0]
        )
    [example] = encode_examples(tokenizer, ["Name a colour?"], ["\nBlue."], 500)
    answered = format_prompt("Name a colour?") + "\nBlue." + tokenizer.eos_token
    assert encode_formatted(tokenizer, answered) == list(example.ids)


def test_what_is_missing_is_said_in_one_line(monkeypatch):
    from importlib import metadata

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(UserError, match="pip install lm-eval"):
        lm_harness.require_harness("gsm8k")
    with pytest.raises(UserError, match="names no task"):
        lm_harness.require_harness(" , ")


def test_done_is_told_by_the_task_file_and_not_by_whether_the_model_is_loaded(tmp_path, monkeypatch):
    """An evaluation that finds the rest done does not load the model, whose precision is then still "auto"."""
    task, run_model = tmp_path / "local.yaml", SimpleNamespace(precision="bf16", load=lambda: None)
    task.write_text("task: a")
    monkeypatch.setattr(lm_harness, "require_harness", lambda names: "0")
    monkeypatch.setattr(lm_harness, "run_harness", lambda *_: {"results": {"a": {"score": 0.5, "alias": "a"}}})
    arguments = (tmp_path, {"model": "m"}, run_model, f"{task}, ifeval", False)
    assert lm_harness.evaluate_harness(*arguments)["lm_eval"] == {"a": {"score": 0.5}}
    run_model.precision = "auto"
    monkeypatch.setattr(lm_harness, "run_harness", None)  # not called again
    assert lm_harness.evaluate_harness(*arguments)["lm_eval"] == {"a": {"score": 0.5}}
    task.write_text("task: b")
    with pytest.raises(UserError, match="local.yaml"):
        lm_harness.evaluate_harness(*arguments)


@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="lm-eval is not installed")
def test_a_local_task_runs_offline_and_keeps_its_samples(tiny_models, tokenizer, tmp_path):
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(json.dumps({"question": f"Name colour {n}.", "answer": "red"}) for n in range(3)))
    (tmp_path / "local.yaml").write_text(TASK.format(data=data))
    model = SimpleNamespace(model=tiny_models["scratch"], tokenizer=tokenizer, precision="fp32")
    model.load = lambda: model
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "task_completion.json").write_text('{"task_completion": 0.25}')
    task = str(tmp_path / "local.yaml")
    found = lm_harness.evaluate_harness(tmp_path, {"model": "m"}, model, task, False)
    assert found["ours"] == {"task_completion": 0.25} and "exact_match,none" in found["lm_eval"]["local_colours"]
    samples = next((tmp_path / "evaluation" / "lm_eval").rglob("samples_local_colours*.jsonl"))
    records = [json.loads(line) for line in samples.read_text().splitlines()]
    assert len(records) == 3 and format_prompt("Name colour 0.") in json.dumps(records[0]).replace("\\n", "\n")
    assert read_json(tmp_path / "evaluation" / "lm_eval.json") == found
