"""Generation: answers that do not depend on the batch, and draws that fall at their probabilities."""

from contextlib import contextmanager

import pytest
import torch

import text_generation as tg
from language_model import end_token_id

PROMPTS = ["Add 3 and 4.", "Name a colour of the sky, please.", "Repeat stone.", "Go " * 20, "Why?"]


def answers_of(model, tokenizer, prompts, batch_size, sampling=None):
    how = {"device": "cpu", "precision": "fp32", "batch_size": batch_size}
    return tg.generate_responses(model, tokenizer, prompts, 100, 12, sampling, **how)


@pytest.mark.parametrize("name", ["scratch", "pythia", "qwen2.5", "ettin"])
def test_greedy_answers_do_not_depend_on_the_batch(tiny_models, tokenizer, name):
    alone = answers_of(tiny_models[name], tokenizer, PROMPTS, 1)
    assert (
        answers_of(tiny_models[name], tokenizer, PROMPTS, 5)
        == alone
        == answers_of(tiny_models[name], tokenizer, PROMPTS, 2)
    )
    assert all(answer["tokens"] <= 12 for answer in alone)
    how = {"device": "cpu", "precision": "fp32", "batch_size": 5, "batch_tokens": 150}  # bounds the batch as well
    assert tg.generate_responses(tiny_models[name], tokenizer, PROMPTS, 100, 12, **how) == alone


@pytest.mark.parametrize("name", ["scratch", "pythia", "qwen2.5"])
def test_a_sample_depends_on_its_key_alone(tiny_models, tokenizer, name):
    keys = [f"row{number}/1" for number in range(len(PROMPTS))]
    sampling = {"temperature": 1.0, "uniforms": tg.uniform_draws(keys, 12, seed=0)}
    alone = answers_of(tiny_models[name], tokenizer, PROMPTS, 1, sampling)
    turned = {"temperature": 1.0, "uniforms": tg.uniform_draws(keys[::-1], 12, seed=0)}
    assert answers_of(tiny_models[name], tokenizer, PROMPTS[::-1], 5, turned)[::-1] == alone
    assert alone != answers_of(tiny_models[name], tokenizer, PROMPTS, 5)
    other = {"temperature": 1.0, "uniforms": tg.uniform_draws(keys, 12, seed=1)}
    assert answers_of(tiny_models[name], tokenizer, PROMPTS, 1, other) != alone


def test_more_draws_go_on_where_fewer_end():
    assert (tg.uniform_draws(["a", "b"], 9, 3)[:, :4] == tg.uniform_draws(["a", "b"], 4, 3)).all()


def test_tokens_are_drawn_at_their_probabilities():
    scores = torch.tensor([[0.5, 0.0, 0.3, 0.2]]).log().expand(1000, 4)
    uniforms = torch.arange(1000, dtype=torch.float64) / 1000
    drawn = tg.drawn_tokens(scores, uniforms, temperature=1.0)[:, 0]
    assert torch.bincount(drawn, minlength=4).tolist() == pytest.approx([500, 0, 300, 200], abs=1)
    cold = tg.drawn_tokens(scores, uniforms, temperature=0.05)[:, 0]
    assert (cold == 0).float().mean() > 0.99


@contextmanager
def ending(model, tokenizer, bias):
    """`model`, for which an answer's end is likelier by `bias` in its logit; gives the rows of each forward pass."""
    rows = []

    def likelier(_head, _args, logits):
        rows.append(len(logits))
        logits[..., end_token_id(tokenizer)] += bias
        return logits

    hook = model.get_output_embeddings().register_forward_hook(likelier)
    yield rows
    hook.remove()


@pytest.mark.parametrize(("name", "temperature", "bias"), [("qwen2.5", None, 0.2), ("scratch", 1.0, 3.0)])
def test_what_is_left_of_batches_is_gathered_with_the_same_answers(tiny_models, tokenizer, name, temperature, bias):
    model, prompts, most = tiny_models[name], [f"Add {a} and {a * a}." for a in range(120)], 40
    uniforms = tg.uniform_draws(prompts, most, seed=0)
    sampling = temperature and {"temperature": temperature, "uniforms": uniforms}
    with ending(model, tokenizer, bias) as rows:
        how = {"device": "cpu", "precision": "fp32"}
        batched = tg.generate_responses(model, tokenizer, prompts, 100, most, sampling, **how, batch_size=30)
        passes = len(rows)
        alone = tg.generate_responses(model, tokenizer, prompts, 100, most, sampling, **how, batch_size=1)
    assert batched == alone
    ended = [answer["ended"] for answer in alone]
    assert 90 < sum(ended) < 120 and all(answer["tokens"] == most for answer in alone if not answer["ended"])
    assert passes < 4 * most * 0.8  # four batches to their last tokens would take all of it


def test_a_batch_that_does_not_fit_is_halved(tiny_models, tokenizer, monkeypatch):
    alone, sizes, lengthen = answers_of(tiny_models["scratch"], tokenizer, PROMPTS, 1), [], tg._lengthen

    def small_memory(batch, *arguments, most=2):
        sizes.append(len(batch))
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return lengthen(batch, *arguments)

    monkeypatch.setattr(tg, "_lengthen", small_memory)
    assert answers_of(tiny_models["scratch"], tokenizer, PROMPTS, 5) == alone and sizes == [5, 2, 3, 1, 2]
    monkeypatch.setattr(tg, "_lengthen", lambda *some: small_memory(*some, most=0))
    with pytest.raises(torch.OutOfMemoryError):
        answers_of(tiny_models["scratch"], tokenizer, PROMPTS, 5)


@pytest.mark.parametrize("name", ["scratch", "pythia", "qwen2.5", "ettin", "gemma3", "olmo2"])
def test_weights_in_bf16_generate_without_autocast(tiny_models, tokenizer, name):
    run_model = tg.RunModel("nowhere", "bf16")
    run_model.model = tiny_models[name]
    low, how = run_model.lighter(), {"device": "cpu", "batch_size": 5}
    assert {str(weight.dtype) for weight in low.parameters()} == {"torch.bfloat16"}
    assert {str(weight.dtype) for weight in run_model.model.parameters()} == {"torch.float32"}
    buffers = dict(run_model.model.named_buffers())  # the rotary frequencies among them
    assert buffers and all((buffer == buffers[place]).all() for place, buffer in low.named_buffers())
    answers = tg.generate_responses(low, tokenizer, PROMPTS, 100, 8, precision="bf16", **how)
    plain = tg.generate_responses(low, tokenizer, PROMPTS, 100, 8, precision="fp32", **how)
    assert answers == plain and len(answers) == len(PROMPTS)
