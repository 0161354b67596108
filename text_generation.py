"""Answers of a model to many prompts: batched, greedy or sampled, the same whatever the batch in fp32.

`RunModel` is the model of a finished run, as evaluation and generation analysis share it.
"""

import copy
import hashlib
from pathlib import Path

import numpy as np

from generation_cache import bytes_per_token, roomy_cache
from language_model import (
    autocast,
    encode_prompts,
    end_token_id,
    in_parts_that_fit,
    length_batches,
    load_model,
    pick_device,
    pick_precision,
)
from training_memory import gpu_bytes

GENERATION_BATCH = {"cuda": 2_048, "cpu": 64}  # prompts
# Tokens of a batch, prompts padded and answers at full length. A GPU, where a step takes about as long for few answers
# as for many, gets as many as this share of its memory holds.
GENERATION_TOKENS, GENERATION_MEMORY_FRACTION = 65_536, 0.4
SMALL_BATCH = 16  # prompts; a smaller batch is not regrouped but runs to its end


class RunModel:
    """A run's model, loaded when it is first needed, so that a stage with nothing left to do answers at once."""

    def __init__(self, folder: Path, precision: str):
        self.folder, self.precision = folder, precision
        self.device = self.model = self.tokenizer = self.generator = None

    def load(self) -> "RunModel":
        if self.model is None:
            self.device, self.precision = pick_device(), pick_precision(self.precision)
            self.model, self.tokenizer = load_model(str(self.folder))
            self.model.to(self.device)
        return self

    def generate(
        self, instructions: list[str], max_prompt_tokens: int, max_new_tokens: int, what: str, sampling=None
    ) -> list[dict]:
        """Greedy (or sampled) answers under a progress bar; see `generate_responses`."""
        from tqdm import tqdm

        self.load()
        with tqdm(total=len(instructions), desc=what, unit="prompt", leave=False) as bar:
            how = {"device": self.device, "precision": self.precision, "progress": bar}
            model, batch_size = self.lighter(), GENERATION_BATCH[self.device]
            how |= {"batch_size": batch_size, "batch_tokens": generation_tokens(model, gpu_bytes(self.device))}
            return generate_responses(
                model, self.tokenizer, instructions, max_prompt_tokens, max_new_tokens, sampling, **how
            )

    def lighter(self):
        """The model that generates: in bf16, where that is the precision, so that no step has to cast the weights.

        Weights alone: rotary frequencies rounded to bf16 would turn distant tokens by other angles than in training.
        """
        import torch

        if self.generator is None:
            self.generator = copy.deepcopy(self.model) if self.precision == "bf16" else self.model
            for weight in self.generator.parameters() if self.precision == "bf16" else []:
                weight.data = weight.data.to(torch.bfloat16)
        return self.generator


def generation_tokens(model, memory: int | None) -> int:
    """Padded tokens of a batch that generates. memory: bytes of the GPU; None on a CPU."""
    return int(GENERATION_MEMORY_FRACTION * memory / bytes_per_token(model)) if memory else GENERATION_TOKENS


def generate_responses(
    model, tokenizer, instructions: list[str], max_prompt_tokens: int, max_new_tokens: int, sampling=None, **how
):
    """Answers: a list of {"answer", "tokens", "ended"} in the order of `instructions`; `tokens` without the end token.

    Greedy, or with `sampling` = {"temperature", "uniforms"} drawn by uniforms (answers, max_new_tokens), a number in
    [0, 1) for each token (see `uniform_draws`), so that the numbers of an answer do not depend on order or batch.
    how: device, precision, batch_size, batch_tokens, progress (a tqdm bar or None). Batches of similar length, padded
    on the left: in fp32 an answer is that of its prompt alone; lower precision may decide otherwise where two tokens
    nearly tie. What is left of a batch when most of its answers have ended is gathered into new batches: a step costs
    about as much for few answers as for many. A batch that does not fit into memory is halved.
    """
    end = end_token_id(tokenizer)
    prompts = encode_prompts(tokenizer, instructions, max_prompt_tokens)
    answers: list[list[int]] = [[] for _ in prompts]
    model.eval()

    def lengthen(part: list[int]) -> None:
        _lengthen(part, model, tokenizer, prompts, answers, max_new_tokens, sampling, how)

    waiting = list(range(len(prompts)))
    while waiting:
        lengths = [len(prompts[index]) + max_new_tokens for index in waiting]
        batches = length_batches(lengths, how.get("batch_tokens", GENERATION_TOKENS), how["batch_size"])
        batches, waiting = [[waiting[place] for place in batch] for batch in batches], []
        for batch in batches:
            in_parts_that_fit(batch, lengthen)
            left = [index for index in batch if end not in answers[index] and len(answers[index]) < max_new_tokens]
            waiting += left
            if how.get("progress"):
                how["progress"].update(len(batch) - len(left))
    return [_answer(tokenizer, new, end) for new in answers]


def _lengthen(batch: list[int], model, tokenizer, prompts, answers, max_new_tokens: int, sampling, how) -> None:
    """Append new ids to the answers of one batch, until few of them have not ended."""
    import torch
    from transformers import GenerationConfig

    done = [len(answers[index]) for index in batch]
    end = end_token_id(tokenizer)
    settings = GenerationConfig(
        do_sample=False, max_new_tokens=max_new_tokens - min(done), eos_token_id=end, pad_token_id=end
    )
    ids, mask = left_padded([prompts[index] + answers[index] for index in batch], end)
    ids, mask, already = ids.to(how["device"]), mask.to(how["device"]), torch.tensor(done, device=how["device"])
    draw = sampling and [_drawing(sampling["temperature"], sampling["uniforms"][batch], ids.shape[1], already)]
    # Weights already in low precision need no autocast, whose bookkeeping costs at every step.
    precision = how["precision"] if model.dtype == torch.float32 else "fp32"
    with torch.inference_mode(), autocast(how["device"], precision):
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=roomy_cache(model, ids.shape[1] + settings.max_new_tokens),
            generation_config=settings,
            logits_processor=draw,
            stopping_criteria=[_few_left(end, ids.shape[1], max_new_tokens - already)],
        )
    for index, new in zip(batch, out[:, ids.shape[1] :].tolist(), strict=True):
        new = new[: max_new_tokens - len(answers[index])]
        answers[index] += new[: new.index(end) + 1] if end in new else new


def _few_left(end: int, prompt_width: int, room):
    """The stopping rule that `generate` asks after each step: all answers count as done once few of many are left.

    room (rows,): how many tokens each answer may still get.
    """
    few = len(room) // 4 if len(room) >= SMALL_BATCH else 0

    def all_or_none(ids, _scores):
        new = ids[:, prompt_width:]
        going_on = ~(new == end).any(dim=1) & (room > new.shape[1])
        return (going_on.sum() <= few).expand(len(ids))

    return all_or_none


def left_padded(prompts: list[list[int]], pad_id: int):
    """Token ids and attention mask, both int64 (rows, longest)."""
    import torch

    width = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), width), pad_id)
    mask = torch.zeros((len(prompts), width), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids, mask


def uniform_draws(keys: list[str], count: int, seed: int) -> np.ndarray:
    """(keys, count) numbers in [0, 1) from `seed` and the key alone; a longer row begins with the shorter one."""
    seeds = [hashlib.sha256(f"{seed}/{key}".encode("utf-8", "surrogatepass")).digest() for key in keys]
    rows = [np.random.default_rng(int.from_bytes(digest[:16])).random(count) for digest in seeds]
    return np.array(rows).reshape(len(keys), count)


def _drawing(temperature: float, uniforms: np.ndarray, prompt_width: int, already):
    """What `generate` calls on a step's scores: every token but the drawn one becomes impossible.

    uniforms (rows, max_new_tokens); already (rows,): how many tokens of each answer were drawn before.
    """
    import torch

    numbers = torch.from_numpy(uniforms).to(already.device)

    def leave_the_drawn_token(ids, scores):
        places = (already + ids.shape[1] - prompt_width).clamp(max=numbers.shape[1] - 1)
        drawn = drawn_tokens(scores, numbers.gather(1, places[:, None])[:, 0], temperature)
        return torch.full_like(scores, float("-inf")).scatter_(1, drawn, 0.0)

    return leave_the_drawn_token


def drawn_tokens(scores, uniforms, temperature: float):
    """Inverse transform sampling: the first token, in order of id, at which the cumulative probability passes u.

    scores (rows, vocabulary); uniforms (rows,), float64; returns ids (rows, 1). By id and not by rank: tokens that
    nearly tie may change ranks with the batch, and then every draw would fall on another token.
    """
    import torch

    cumulative = (scores.float() / temperature).softmax(-1).cumsum(-1, dtype=torch.float64)
    targets = (uniforms * cumulative[:, -1])[:, None]
    return torch.searchsorted(cumulative, targets, right=True).clamp(max=scores.shape[1] - 1)


def _answer(tokenizer, new: list[int], end: int) -> dict:
    ended = end in new
    kept = new[: new.index(end)] if ended else new
    return {"answer": tokenizer.decode(kept, skip_special_tokens=True), "tokens": len(kept), "ended": ended}
