"""Standard benchmarks of a run's model by lm-evaluation-harness (optional: pip install lm-eval==0.4.13).

    python evaluate_quality_tradeoff.py results/ultra_10k_500M --lm_eval ifeval,gsm8k

Reads  <run>/model/, the harness's tasks; a name ending in .yaml is a task file of your own
Writes <run>/evaluation/lm_eval/ (the harness's own files and one record per sample) and, the marker, last,
       <run>/evaluation/lm_eval.json (its scores beside ours)

Prompts reach the model as the tokens that it was trained on: the format is given to the harness as the tokenizer's chat
template, and its parts are tokenised apart as in training.
"""

import re
import time
from importlib import metadata
from pathlib import Path

from common import UserError, clear, hash_path, is_done, provenance, read_json, write_json
from language_model import PROMPT_HEAD, PROMPT_TAIL, encode_formatted, end_token_id
from text_generation import left_padded

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}{{ message['content'] + eos_token }}{% else %}"
    + "{{ " + repr(PROMPT_HEAD) + " + message['content'] + " + repr(PROMPT_TAIL) + " }}{% endif %}{% endfor %}"
)  # fmt: skip
OURS = {"bits_per_byte": "heldout_loss.json", "task_completion": "task_completion.json"}


def evaluate_harness(run: Path, inputs: dict, run_model, tasks: str, force: bool) -> dict:
    """Run the named tasks (comma-separated) unless that is done; returns lm_eval.json. Raises UserError."""
    names, version = task_names(tasks), require_harness(tasks)
    started = time.time()
    marker = run / "evaluation" / "lm_eval.json"
    settings = {"tasks": names, "precision": "fp32", "lm_eval": version, "chat_template": CHAT_TEMPLATE}
    inputs = {"model": inputs["model"], **{str(file): hash_path(file) for file in task_files(names)}}
    if is_done(marker, settings, inputs, force):
        print(f"skipped: {marker} is already done")
        return read_json(marker)
    marker.parent.mkdir(exist_ok=True)
    clear(marker, marker.with_suffix(""))
    results = run_harness(run_model.load(), names, marker.with_suffix(""))
    markers = {name: run / "evaluation" / file for name, file in OURS.items()}
    ours = {name: read_json(path)[name] for name, path in markers.items() if path.exists()}
    write_json(
        marker,
        {"config": settings, "provenance": provenance(started, inputs), "ours": ours, "lm_eval": scores_of(results)},
    )
    return read_json(marker)


def task_names(tasks: str) -> list[str]:
    return [name.strip() for name in tasks.split(",") if name.strip()]


def require_harness(tasks: str) -> str:
    """The installed harness's version. Raises UserError where it is absent or no task is named."""
    if not task_names(tasks):
        raise UserError("--lm_eval names no task; give some, such as --lm_eval ifeval,gsm8k")
    try:
        return metadata.version("lm_eval")
    except metadata.PackageNotFoundError as error:
        raise UserError("--lm_eval needs lm-evaluation-harness: pip install lm-eval==0.4.13") from error


def run_harness(run_model, names: list[str], folder: Path) -> dict:
    """The harness's results; its files and samples go under `folder`."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=[str(file.parent) for file in task_files(names)] or None)
    tasks = [task_name(Path(name)) if name.endswith(".yaml") else name for name in names]
    if unknown := [task for task in tasks if not manager.match_tasks([task])]:
        raise UserError(f"lm-evaluation-harness has no task {', '.join(unknown)}; see: lm_eval ls tasks")
    model = harness_model(run_model.model, run_model.tokenizer)
    tracker = EvaluationTracker(output_path=str(folder))
    results = simple_evaluate(
        model, tasks=tasks, task_manager=manager, evaluation_tracker=tracker, apply_chat_template=True
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task, records in samples.items():
        tracker.save_results_samples(task_name=task, samples=records)
    return results


def harness_model(model, tokenizer):
    """The harness's own model class over ours, with prompts tokenised as in training; gives `tokenizer` a template."""
    from lm_eval.models.huggingface import HFLM

    tokenizer.chat_template = CHAT_TEMPLATE
    if tokenizer.eos_token is None:
        tokenizer.eos_token = tokenizer.sep_token

    class TrainedFormat(HFLM):
        def tok_encode(self, string, add_special_tokens=None, left_truncate_len=None, **_kwargs):
            ids = encode_formatted(self.tokenizer, string, add_special_tokens is not False)
            return ids[-left_truncate_len:] if left_truncate_len else ids

        def tok_batch_encode(self, strings, padding_side="left", left_truncate_len=None, truncation=False):
            prompts = [self.tok_encode(string, left_truncate_len=left_truncate_len) for string in strings]
            return left_padded(prompts, end_token_id(self.tokenizer))

    return TrainedFormat(pretrained=model, tokenizer=tokenizer, batch_size=16)


def task_files(names: list[str]) -> list[Path]:
    """The user's task files among the names. Raises UserError where one is missing."""
    files = [Path(name) for name in names if name.endswith(".yaml")]
    for file in files:
        if not file.exists():
            raise UserError(f"--lm_eval: no task file {file}")
    return files


def task_name(file: Path) -> str:
    """The name that a task file gives itself. Read as text, since it may hold tags that only the harness knows."""
    found = re.search(r"^task:\s*[\"']?([\w-]+)", file.read_text(encoding="utf-8"), re.M)
    if not found:
        raise UserError(f"--lm_eval: {file} has no line `task: NAME`")
    return found[1]


def scores_of(results: dict) -> dict:
    """{task: {metric: number}}; the standard errors stand under the harness's own names (..._stderr,...)."""
    return {
        task: {name: value for name, value in scores.items() if isinstance(value, int | float)}
        for task, scores in results["results"].items()
    }
