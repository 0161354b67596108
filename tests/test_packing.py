"""Packing wastes little, loses nothing, and rows of one block never see each other."""

import numpy as np
import pytest

from language_model import Example, encode_examples
from packing import collate_blocks, pack_rows, plan_steps

ROWS = [("Add 3 and 4.", "The sum is 7."), ("Name a colour.", "Blue."), ("Repeat stone twice.", "stone stone")]


def test_pack_rows_best_fit_by_hand():
    assert pack_rows([6, 5, 4, 3, 2], 10) == [[0, 2], [1, 3, 4]]


def test_pack_rows_keeps_every_row_once_and_fills_blocks():
    lengths = np.random.default_rng(0).integers(1, 65, 5_000).tolist()
    blocks = pack_rows(lengths, 128)
    assert sorted(index for block in blocks for index in block) == list(range(5_000))
    fills = [sum(lengths[index] for index in block) for block in blocks]
    assert max(fills) <= 128
    assert sum(fills) / (128 * len(blocks)) > 0.99


def test_pack_rows_refuses_what_cannot_fit():
    with pytest.raises(ValueError, match="129 tokens"):
        pack_rows([129], 128)


def test_plan_steps_visits_every_block_once_an_epoch_in_different_orders():
    steps = plan_steps(blocks=10, blocks_per_step=4, epochs=3, seed=1)
    order = np.concatenate(steps)
    assert [len(step) for step in steps] == [4] * 7 + [2]
    epochs = order.reshape(3, 10)
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()
    assert np.array_equal(order, np.concatenate(plan_steps(10, 4, 3, 1)))
    assert not np.array_equal(order, np.concatenate(plan_steps(10, 4, 3, 2)))


def test_collate_blocks_by_hand():
    examples = [Example([5, 6, 7], 1, False, False), Example([8, 9], 1, False, False)]
    batch = collate_blocks(examples, [[0, 1]], block_tokens=7, pad_id=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9, 0, 0]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1]]
    assert batch["row_starts"].tolist() == [0, 3, 5, 7]
    assert batch["before"].tolist() == [0, 1, 3] and batch["targets"].tolist() == [6, 7, 9]


def test_what_is_learnt_counts_through_blocks():
    examples = [Example([5, 6, 7], 1, False, False), Example([8, 9, 10], 2, False, False)]
    batch = collate_blocks(examples, [[0], [], [1]], block_tokens=4, pad_id=0)
    assert batch["before"].tolist() == [0, 1, 9] and batch["targets"].tolist() == [6, 7, 10]
    nothing = collate_blocks(examples, [[]], block_tokens=4, pad_id=0)
    assert not len(nothing["before"]) and not len(nothing["targets"])


@pytest.mark.parametrize("family", ["scratch", "pythia", "qwen2.5", "ettin", "gemma3", "olmo2"])
def test_packed_rows_give_the_logits_and_gradients_of_rows_alone(family, tiny_models, tokenizer):
    import torch

    model = tiny_models[family].train()
    examples = encode_examples(tokenizer, *map(list, zip(*ROWS, strict=True)), max_tokens=64)
    block = list(range(len(examples)))
    batch = collate_blocks(examples, [block], 160, tokenizer.pad_token_id)
    batch = {name: torch.from_numpy(array) for name, array in batch.items()}

    def loss_and_gradients(inputs, before, targets):
        model.zero_grad()
        logits = model(**inputs, use_cache=False).logits
        torch.nn.functional.cross_entropy(logits.flatten(0, 1)[before], targets, reduction="sum").backward()
        gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
        return logits.detach(), gradients

    inputs = {name: batch[name] for name in ("input_ids", "position_ids")}
    packed, packed_gradients = loss_and_gradients(inputs, batch["before"], batch["targets"])
    start, summed = 0, None
    for example in examples:
        ids = torch.tensor([list(example.ids)])
        first = example.prompt_tokens
        before = torch.arange(first - 1, ids.shape[1] - 1)
        alone, gradients = loss_and_gradients({"input_ids": ids}, before, ids[0, first:])
        torch.testing.assert_close(packed[:, start : start + ids.shape[1]], alone, atol=1e-5, rtol=1e-4)
        summed = gradients if summed is None else [a + b for a, b in zip(summed, gradients, strict=True)]
        start += ids.shape[1]
    for ours, reference in zip(packed_gradients, summed, strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-4, rtol=1e-3)
