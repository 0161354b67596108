"""Speed and exactness of the evaluation, beside named references in one run; `python benchmark.py evaluate`.

Reads  --data, --model (default: a Llama of random weights)
Writes <results>/benchmark/evaluate.json

Batched generation against one prompt at a time, held-out loss against training on the same rows, our token losses
against lm-evaluation-harness's on the same tokens, and intervals of a planted model. The seconds are those of a shared
machine, so read the ratios. A number whose package is absent is null.
"""

import copy
import random
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from evaluate_quality_tradeoff import summarise_tasks
from language_model import (
    encode_examples,
    end_token_id,
    format_prompt,
    learn_bpe,
    load_model,
    new_model,
    pick_device,
    response_losses,
)
from lm_harness import harness_model
from text_generation import generate_responses
from train_benchmark import CONFIG
from training_configs import MODEL_FAMILIES
from training_loop import fit
from verifiable_tasks import make_suite

PROMPTS, NEW_TOKENS, MAX_PROMPT_TOKENS = 64, 64, 512
HARNESS_ROWS = 200
PLANTED_RATE, PLANTED_DRAWS, PLANTED_PROMPTS = 0.62, 200, 1_000
SPEC = MODEL_FAMILIES["scratch"]["small"]
BARS = {
    "batched generation, times one prompt at a time": (10, float("inf")),
    "same greedy answers, share": (1, 1),
    "held-out loss, times training's tokens/s": (2.5, float("inf")),
    "token loss, largest difference to lm-evaluation-harness": (0, 1e-4),
    f"planted rate {PLANTED_RATE}, share of intervals that hold it": (0.93, 0.97),
}


def benchmark_evaluation(instructions: list, responses: list, model_name: str | None, rounds: int) -> dict:
    """Facts for evaluate.json: what was measured, in the order of BARS."""
    with TemporaryDirectory() as folder:
        model, tokenizer = load_model(model_name) if model_name else random_llama(instructions, responses, folder)
        model.to(pick_device())
        examples = encode_examples(tokenizer, instructions, responses, CONFIG["max_tokens"])
        examples = [example for example in examples if example]
        generation = time_generation(model, tokenizer, rounds)
        harness = harness_difference(model, tokenizer, examples[:HARNESS_ROWS])
        rates = time_losses(model, examples, end_token_id(tokenizer), rounds, Path(folder))
    ratios = [loss / train for loss, train in zip(rates["heldout_loss"], rates["training"], strict=True)]
    seconds = generation["seconds"]
    values = [
        seconds["one at a time"] / seconds["batched"], generation["same_answers"] / PROMPTS, float(np.median(ratios)),
        harness, planted_coverage(),
    ]  # fmt: skip
    measured = {
        name: {"value": value, "bar": [low, None if high == float("inf") else high]}
        for (name, (low, high)), value in zip(BARS.items(), values, strict=True)
    }
    return {"rows": len(examples), "measured": measured, "generation": generation, "tokens_per_second": rates}


def random_llama(instructions: list, responses: list, folder: str):
    """The default model: the small study's shape, weights by seed 0, a tokenizer learnt from the rows."""
    texts = [format_prompt(ask) + reply for ask, reply in zip(instructions, responses, strict=True)]
    learn_bpe(texts, SPEC["vocab_size"]).save_pretrained(folder)
    return new_model(SPEC, folder, 0)


def time_generation(model, tokenizer, rounds: int) -> dict:
    """Seconds of both ways, in turn, their medians; and how many of the answers are the same."""
    prompts = [task["prompt"] for task in make_suite("general", PROMPTS, 0)]
    taken, answers = {"batched": [], "one at a time": []}, {}
    for _ in range(rounds):
        for name, batch_size in zip(taken, (PROMPTS, 1), strict=True):
            how = {"device": pick_device(), "precision": "fp32", "batch_size": batch_size}
            generate_responses(model, tokenizer, prompts[:1], MAX_PROMPT_TOKENS, 2, **how)  # the first call sets up
            wall = time.perf_counter()
            answers[name] = generate_responses(model, tokenizer, prompts, MAX_PROMPT_TOKENS, NEW_TOKENS, **how)
            taken[name].append(time.perf_counter() - wall)
    same = sum(one == other for one, other in zip(*answers.values(), strict=True))
    return {"seconds": {name: float(np.median(found)) for name, found in taken.items()}, "rounds": taken,
            "same_answers": same, "tokens": sum(answer["tokens"] for answer in answers["batched"])}  # fmt: skip


def time_losses(model, examples: list, pad_id: int, rounds: int, folder: Path) -> dict[str, list[float]]:
    """Tokens per second, prompts included, of the held-out loss and of training on the same rows, in turn."""
    tokens, rates = sum(len(example.ids) for example in examples), {"heldout_loss": [], "training": []}
    for number in range(rounds):
        began = time.perf_counter()
        response_losses(model, examples, pad_id, pick_device(), "fp32")
        rates["heldout_loss"].append(tokens / (time.perf_counter() - began))
        trained, began = copy.deepcopy(model), time.perf_counter()
        fit(trained, examples, CONFIG, pad_id, folder / f"checkpoint_{number}.pt", 1e9)
        rates["training"].append(tokens / (time.perf_counter() - began))
    return rates


def harness_difference(model, tokenizer, examples: list) -> float | None:
    """The largest difference, over rows, of the mean loss per response token to what the harness finds, in nats."""
    if not find_spec("lm_eval"):
        return None
    harness = harness_model(model, tokenizer)
    requests = [
        ((str(row), ""), list(example.ids[: example.prompt_tokens]), list(example.ids[example.prompt_tokens :]))
        for row, example in enumerate(examples)
    ]
    theirs = np.array([-found for found, _ in harness._loglikelihood_tokens(requests, disable_tqdm=True)])
    ours, tokens = response_losses(model, examples, end_token_id(tokenizer), pick_device(), "fp32")
    return float(np.abs((ours - theirs) / tokens).max())


def planted_coverage() -> float:
    """How often the interval of task completion holds the rate of a model that passes each prompt with it."""
    rng, covered = random.Random(5), 0
    tasks = make_suite("general", PLANTED_PROMPTS, 0)
    for _ in range(PLANTED_DRAWS):
        passed = [rng.random() < PLANTED_RATE for _ in tasks]
        rows = [{**task, "passed": good, "passed_loose": good} for task, good in zip(tasks, passed, strict=True)]
        low, high = summarise_tasks(rows)["interval"]
        covered += low <= PLANTED_RATE <= high
    return covered / PLANTED_DRAWS


def evaluation_table(facts: dict) -> list[str]:
    """The measures beside their bars."""
    lines = [f"{'':62s}{'measured':>12s}{'bar':>16s}"]
    for name, entry in facts["measured"].items():
        low, high = entry["bar"]
        bar = f"{low:g} or more" if high is None else f"{low:g} to {high:g}"
        value = "no lm_eval" if entry["value"] is None else f"{entry['value']:.3g}"
        lines.append(f"{name:62s}{value:>12s}{bar:>16s}")
    return lines
