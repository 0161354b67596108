"""Checks of a model before it is trained: does it look only back, does it heed padding, and does it keep apart rows
that are packed side by side?

transformers holds well over a hundred causal models, and not all of them can. State-space layers and convolutions carry
their state from one row of a packed block into the next; attention with a mask of its own (OPT, Falcon, BLOOM, MPT) or
with one made without positions (GPT-OSS) looks across. Nothing would fail: loss and answers would be wrong. So each
model is tried on a few tokens rather than trusted; such errors are far larger than those of rounding. A model that does
not keep rows apart is trained with one row to a sequence.
"""

from common import UserError
from generation_cache import roomy_cache
from language_model import Example, encode_examples, end_token_id
from packing import collate_blocks
from text_generation import left_padded

# Others' code may fail in any of these ways on what it was not made for: text alone, a cache, positions.
FAILURES = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, NotImplementedError)
NO_MEMORY = "DefaultCPUAllocator"  # what torch names where a CPU's memory ends; its error is of no kind of its own
# Of the largest logit. Over 170 small random models, what was wrong was off by 0.007 and more, what was right by 1e-5.
TOLERANCE = 1e-3
LONG = "Name three rivers of Europe, and say of each where it springs and into which sea it flows."
SHORT = "Why is the sky blue on a clear day?"


def require_positions(model_config, config: dict) -> None:
    """Raises UserError where rows, or prompts with their answers, may be longer than the model was made for.

    config: an experiment's. Learned positions end there, and rotary ones that are scaled by the longest row of a batch
    would have a row's loss depend on the others.
    """
    rope = getattr(model_config, "rope_parameters", None) or {}
    scaled = rope.get("original_max_position_embeddings") if rope.get("rope_type") == "longrope" else None
    limit = scaled or getattr(model_config, "max_position_embeddings", None)
    answer = max(config["suite_max_new_tokens"], config["generation_max_new_tokens"])
    if limit and config["max_tokens"] + answer > limit:
        room = f"max_tokens={limit - answer} or " if limit > answer else ""
        raise UserError(
            f"max_tokens {config['max_tokens']} and answers of up to {answer} tokens are more than the {limit} "
            f"positions of this model; give --set {room}shorter answers (suite_max_new_tokens, "
            "generation_max_new_tokens)"
        )


def require_trainable(model, tokenizer, name: str, config: dict) -> str | None:
    """Try a model, in fp32 and wherever it is: why its rows must not be packed side by side; None where they may be.

    config: an experiment's; the rows are tried whole, however short its own are. Raises UserError with what the model
    cannot do.
    """
    rows = encode_examples(tokenizer, [LONG, SHORT], ["Blue.", "Blue."], max_tokens=1_000)
    if None in rows:
        raise UserError(f"the tokenizer of {name} cannot write a plain English row; choose another model")
    block_tokens = max(config["block_tokens"], sum(len(row.ids) for row in rows))
    pad_id, was_training, unpacked_reason = end_token_id(tokenizer), model.training, None
    model.eval()
    try:
        wrong = first_wrong(model, rows, pad_id)
        unpacked_reason = wrong or first_wrong_packed(model, rows, pad_id, block_tokens)
    except FAILURES as error:
        wrong = f"it does not run on rows of text ({in_words(error)})"
    model.train(was_training)
    if wrong:
        raise UserError(f"the model {name} ({model.config.model_type}) cannot be used here: {wrong}; choose another")
    return unpacked_reason


def in_words(error: Exception) -> str:
    """What a trial failed of, in one line. Raises UserError on a lack of memory, which says nothing of the model."""
    import torch

    if isinstance(error, torch.OutOfMemoryError) or NO_MEMORY in str(error):
        raise UserError("out of memory while the model was tried on two rows; free some, or take a smaller model")
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def logits_of(model, ids: list[list[int]], **how):
    """float32 (rows, tokens, vocabulary)."""
    import torch

    with torch.no_grad():
        return model(input_ids=torch.as_tensor(ids, device=model.device), use_cache=False, **how).logits.float()


def first_wrong(model, rows: list[Example], pad_id: int) -> str | None:
    """What a model gets wrong first with two rows, in words; None where all is right."""
    long, short = (list(row.ids) for row in rows)
    alone = logits_of(model, [short])[0]
    if not alone.isfinite().all():
        return "its logits are not finite"
    if differ(alone[:-1], logits_of(model, [short[:-1]])[0]):
        return "it looks ahead, so it is no causal language model"
    beside = logits_of(model, [long, short + [pad_id] * (len(long) - len(short))])[1]
    if differ(beside[: len(short)], alone):
        return "a row's loss changes with the rows beside it"
    padded, ids = padded_steps(model, long, short, pad_id)
    if differ(padded, logits_of(model, [ids])[0, len(short) - 1 :]):
        return "its answers change with the padding of a batch or by its cache"
    return None


def first_wrong_packed(model, rows: list[Example], pad_id: int, block_tokens: int) -> str | None:
    """What goes wrong with two rows in a block, in words; None where the second has the logits that it has alone."""
    import torch

    first, second = (len(row.ids) for row in rows)
    block = collate_blocks(rows, [[0, 1]], block_tokens, pad_id)
    try:
        packed = logits_of(
            model, block["input_ids"], position_ids=torch.from_numpy(block["position_ids"]).to(model.device)
        )
    except FAILURES as error:  # it takes no positions, or has too few for a block
        return f"it does not run on a packed block ({in_words(error)})"
    if differ(packed[0, first : first + second], logits_of(model, [list(rows[1].ids)])[0]):
        return "a packed row's loss changes with the row before it"
    return None


def differ(logits, expected) -> bool:
    """Whether logits are further apart than rounding explains."""
    return not (logits - expected).abs().max() <= TOLERANCE * expected.abs().max()


def padded_steps(model, long: list[int], short: list[int], pad_id: int):
    """Logits (2, vocabulary) of the first two tokens behind `short`, generated beside `long`; and all ids but the last.

    The first comes of a padded prompt, the second by the cache.
    """
    import torch
    from transformers import GenerationConfig

    ids, mask = left_padded([long, short], pad_id)
    settings = GenerationConfig(
        do_sample=False, max_new_tokens=2, min_new_tokens=2, eos_token_id=pad_id, pad_token_id=pad_id,
        output_logits=True, return_dict_in_generate=True,
    )  # fmt: skip
    out = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        past_key_values=roomy_cache(model, ids.shape[1] + 2),
        generation_config=settings,
    )
    return torch.stack([step[1].float() for step in out.logits]), short + out.sequences[1, -2:-1].tolist()
