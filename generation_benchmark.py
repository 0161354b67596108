"""Batched generation against one prompt at a time, of one model in one run; `python benchmark.py generate`.

Reads  --model (default: a Llama of 20M parameters with random weights)
Writes <results>/benchmark/generate.json

The answers must be the same; the seconds are those of a shared machine, so read the ratio.
"""

import time
from pathlib import Path

from common import provenance, write_json
from language_model import generate_responses, learn_bpe, load_model, new_model, pick_device
from verifiable_tasks import make_demo_rows, make_suite

PROMPTS, NEW_TOKENS, MAX_PROMPT_TOKENS = 64, 64, 512
RANDOM_LLAMA = {
    "vocab_size": 8_192,
    "llama": {
        "hidden_size": 384, "intermediate_size": 1_024, "num_hidden_layers": 8, "num_attention_heads": 6,
        "num_key_value_heads": 6,
    },
}  # fmt: skip


def benchmark_generate(folder: Path, model_name: str | None) -> None:
    """Time both ways; print and write the ratio and the agreement."""
    started = time.time()
    prompts = [task["prompt"] for task in make_suite("general", PROMPTS, 0)]
    model, tokenizer = load_model(model_name) if model_name else random_llama(folder)
    device = pick_device()
    model.to(device)
    seconds, answers = {}, {}
    for name, batch_size in (("batched", PROMPTS), ("one at a time", 1)):
        how = {"device": device, "precision": "fp32", "batch_size": batch_size}
        generate_responses(model, tokenizer, prompts[:1], MAX_PROMPT_TOKENS, 2, **how)  # the first call sets up
        wall = time.perf_counter()
        answers[name] = generate_responses(model, tokenizer, prompts, MAX_PROMPT_TOKENS, NEW_TOKENS, **how)
        seconds[name] = time.perf_counter() - wall
    same = sum(one == other for one, other in zip(*answers.values(), strict=True))
    ratio = seconds["one at a time"] / seconds["batched"]
    config = {"model": model_name or RANDOM_LLAMA, "prompts": PROMPTS, "max_new_tokens": NEW_TOKENS, "device": device}
    facts = {
        "seconds": seconds,
        "ratio": ratio,
        "same_answers": same,
        "tokens": sum(a["tokens"] for a in answers["batched"]),
    }
    write_json(folder / "generate.json", {"config": config, "provenance": provenance(started, {}), **facts})
    print(f"{PROMPTS} prompts x {NEW_TOKENS} tokens on {device}: batched {seconds['batched']:.1f} s, one at a time "
          f"{seconds['one at a time']:.1f} s, ratio {ratio:.1f}, same answers {same} of {PROMPTS}")  # fmt: skip
    print(f"written: {folder / 'generate.json'}")


def random_llama(folder: Path):
    """The default model: shape of a small one, weights by seed 0, a tokenizer learnt from the embedded corpus."""
    rows = make_demo_rows(2_000, 0)
    tokenizer = learn_bpe([row["instruction"] + "\n" + row["response"] for row in rows], RANDOM_LLAMA["vocab_size"])
    tokenizer.save_pretrained(folder / "tokenizer")
    return new_model(RANDOM_LLAMA, folder / "tokenizer", 0)
