"""Rows into blocks: best-fit packing, so that a training step spends its compute on tokens and not on padding.

Rows never see each other: positions restart with each row, from which the model's attention builds a block-diagonal
mask - as long as it gets no attention mask and no cache (`use_cache=False`).
"""

import numpy as np

from language_model import Example


def pack_rows(lengths: list[int], block_tokens: int) -> list[list[int]]:
    """Row indices of each block: longest rows first, each into the fullest block that still has room for it.

    Runs in time linear in the rows for a fixed block length: open blocks are kept by the room they have left.
    Raises ValueError on a row longer than a block.
    """
    if lengths and max(lengths) > block_tokens:
        raise ValueError(f"a row of {max(lengths)} tokens does not fit into blocks of {block_tokens}")
    blocks: list[list[int]] = []
    open_blocks: list[list[int]] = [[] for _ in range(block_tokens + 1)]  # block numbers by room left
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        length = lengths[index]
        room = next((room for room in range(length, block_tokens) if open_blocks[room]), None)
        if room is None:
            room, block = block_tokens, len(blocks)
            blocks.append([])
        else:
            block = open_blocks[room].pop()
        blocks[block].append(index)
        open_blocks[room - length].append(block)
    return blocks


def plan_steps(blocks: int, blocks_per_step: int, epochs: int, seed: int) -> list[np.ndarray]:
    """Block numbers of each optimiser step: every epoch all blocks once, in a fresh seeded order.

    Steps run on across epochs, so that only the very last one may be smaller.
    """
    orders = [np.random.default_rng([seed, epoch]).permutation(blocks) for epoch in range(epochs)]
    order = np.concatenate(orders) if orders else np.empty(0, dtype=np.int64)
    return [order[start : start + blocks_per_step] for start in range(0, len(order), blocks_per_step)]


def collate_blocks(examples: list[Example], blocks: list[list[int]], block_tokens: int, pad_id: int) -> dict:
    """int64 arrays (blocks, block_tokens): input_ids, position_ids; row_starts, int32 (rows + 1,); and what is learnt:
    before (int64, flat positions of the tokens before those of the responses) and targets (the responses' tokens).

    Positions restart at 0 with each row. The padding at a block's end counts as rows of its own, none longer than the
    others, so that no position comes up that a model may lack. Row starts count through all blocks; the last is the
    end.
    """
    longest = max((len(examples[index].ids) for block in blocks for index in block), default=1)
    ids = np.full((len(blocks), block_tokens), pad_id, dtype=np.int64)
    positions = np.zeros_like(ids)
    learnt = np.zeros_like(ids, dtype=bool)
    for number, block in enumerate(blocks):
        start = 0
        for example in (examples[index] for index in block):
            end = start + len(example.ids)
            ids[number, start:end] = example.ids
            positions[number, start:end] = np.arange(end - start)
            learnt[number, start + example.prompt_tokens : end] = True
            start = end
        positions[number, start:] = np.arange(block_tokens - start) % longest
    starts = np.append(np.flatnonzero(positions == 0), positions.size).astype(np.int32)
    before = np.flatnonzero(learnt) - 1
    return {"input_ids": ids, "position_ids": positions, "row_starts": starts, "before": before, "targets": ids[learnt]}
