"""What every stage that touches a model shares: prompt format, encoding, loading, response losses.

There is one `format_prompt` and one `encode_examples`, so that training, held-out loss and generation see the same
tokens. torch and transformers are imported inside the functions that need them.
"""

import re
import time
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arrow_files import read_arrow
from common import UserError, clear, hash_path, made_otherwise, provenance, read_json, write_json

# One plain format for every model, so that base models without a chat template compare.
PROMPT_HEAD = "### Instruction:\n"
PROMPT_TAIL = "\n\n### Response:\n"

IGNORED_LABEL = -100  # what torch's cross-entropy leaves out
TOKENIZER_SAMPLE_ROWS = 100_000
LOSS_BATCH_TOKENS = {"cuda": 32_768, "cpu": 4_096}  # padded tokens per forward pass
# trust_remote_code is said explicitly: otherwise transformers asks on the terminal whether to run a repository's code.
SAFELY = {"use_safetensors": True, "trust_remote_code": False}
LOGIT_BYTES = 2**30  # fp32 logits of held-out loss at a time


def format_prompt(instruction: str) -> str:
    """The text that a model reads before its response."""
    return f"{PROMPT_HEAD}{instruction}{PROMPT_TAIL}"


# ---------------------------------------------------------------------------------------------------------------------
# Encoding


@dataclass
class Example:
    """One row as token ids: the prompt's, then the response's with its end token (unless the response was cut).

    Four bytes a token, where a list of integers takes nine times that: a million rows stay in memory.
    """

    ids: array
    prompt_tokens: int
    prompt_cut: bool
    response_cut: bool


def encode_prompts(tokenizer, instructions: list[str], max_prompt_tokens: int) -> list[list[int]]:
    """Token ids of each formatted prompt; a long instruction loses its end, never the format around it."""
    head, tail = _ids(tokenizer, [PROMPT_HEAD, PROMPT_TAIL])
    head = _start_ids(tokenizer) + head
    room = max(0, max_prompt_tokens - len(head) - len(tail))
    return [head + ids[:room] + tail for ids in _ids(tokenizer, instructions)]


def encode_examples(tokenizer, instructions: list[str], responses: list[str], max_tokens: int) -> list[Example | None]:
    """Encode rows for training or loss: prompt and response tokenised apart, at most `max_tokens` together.

    Where a row is too long, the instruction gives way first, down to half of the room; then the response is cut, and
    loses its end token. None for a row whose response has no tokens, or none that fit beside the bare format.
    """
    prompts = encode_prompts(tokenizer, instructions, max_prompt_tokens=1_000_000_000)
    end = end_token_id(tokenizer)
    examples: list[Example | None] = []
    for instruction, prompt, response in zip(instructions, prompts, _ids(tokenizer, responses), strict=True):
        response_ids = response + [end]
        room = max(max_tokens - len(response_ids), max_tokens // 2)
        prompt_cut = len(prompt) > room
        if prompt_cut:
            prompt = encode_prompts(tokenizer, [instruction], room)[0]
        kept = response_ids[: max(0, max_tokens - len(prompt))]
        if response and kept:
            examples.append(Example(array("i", prompt + kept), len(prompt), prompt_cut, len(kept) < len(response_ids)))
        else:
            examples.append(None)
    return examples


def _ids(tokenizer, texts: list[str]) -> list[list[int]]:
    """Special-token strings inside the texts are encoded as plain text; no special token is added."""
    if not texts:
        return []
    return tokenizer(texts, add_special_tokens=False, split_special_tokens=True, verbose=False).input_ids


def _start_ids(tokenizer) -> list[int]:
    """What this tokenizer puts before every text: <bos>, [CLS] (Ettin), [gMASK]<sop> (GLM)."""
    plain, whole = (tokenizer("a", add_special_tokens=added).input_ids for added in (False, True))
    before = (number for number in range(len(whole)) if whole[number : number + len(plain)] == plain)
    return whole[: next(before, 0)]


def response_start_ids(tokenizer) -> list[int]:
    """What stands before a response that has no instruction: the start token, if any, and the tail of the format."""
    return _start_ids(tokenizer) + _ids(tokenizer, [PROMPT_TAIL])[0]


def encode_formatted(tokenizer, text: str, with_start: bool = True) -> list[int]:
    """Token ids of a text that holds the format already, as training has them: its parts tokenised apart.

    In one piece, "?" at an instruction's end and the line breaks behind it may be one token, which training never saw.
    """
    end = tokenizer.eos_token
    marks = "|".join(map(re.escape, (PROMPT_HEAD, PROMPT_TAIL, end)))
    ids = list(_start_ids(tokenizer)) if with_start else []
    for part in filter(None, re.split(f"({marks})", text)):
        ids += [end_token_id(tokenizer)] if part == end else _ids(tokenizer, [part])[0]
    return ids


def end_token_id(tokenizer) -> int:
    """The id that ends a response. Encoder-born tokenizers such as Ettin's call it the separator."""
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    if end is None:
        raise UserError("this tokenizer has no end token (eos_token), so that no response could end; choose another")
    return end


# ---------------------------------------------------------------------------------------------------------------------
# Models and tokenizers


def pick_device() -> str:
    """The device to run on: "cuda" where there is a GPU, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def pick_precision(asked: str) -> str:
    """The precision to run in: "bf16", "fp16" or "fp32"; "auto" is bf16 where the GPU has it, else fp32."""
    import torch

    if asked != "auto":
        return asked
    # Older GPUs, such as T4 and V100, only emulate it, slower than fp32.
    has_it = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if has_it else "fp32"


def autocast(device: str, precision: str):
    """The context for forward passes; weights stay fp32 (the master weights) at every precision."""
    import torch

    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]
    return torch.autocast(device, dtype=dtype, enabled=precision != "fp32")


# What transformers raises on a config that makes no model, such as one with no heads or an unknown activation, on
# weights of another shape, and on kernels that are not installed.
IMPOSSIBLE_MODEL = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, ImportError)


def load_model(name_or_path: str):
    """A pretrained causal language model in fp32 and its tokenizer, from a local folder or the hub.

    Only safetensors are read and no code of the repository is run. Raises UserError where that cannot be.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, GenerationConfig

    quiet_transformers()
    load_config(name_or_path)
    tokenizer = load_tokenizer(name_or_path)
    folder = Path(name_or_path)
    if folder.is_dir() and not any(folder.glob("*.safetensors")):
        raise UserError(f"the model folder {name_or_path} has no safetensors, and nothing else is loaded; load it with "
                        "transformers where you trust it, and save it anew by its save_pretrained")  # fmt: skip
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            name_or_path, dtype="float32", output_loading_info=True, **SAFELY
        )
    except (OSError, SafetensorError, *IMPOSSIBLE_MODEL) as error:
        raise _cannot_load(name_or_path, error) from error
    if lacking := sorted(found["missing_keys"]):  # transformers draws them at random
        raise UserError(f"the model {name_or_path} lacks {len(lacking)} of its weights ({lacking[0]}): is it the whole "
                        "language model, with its head?")  # fmt: skip
    require_room_for_tokens(model, tokenizer, name_or_path)
    # A repository's own sampling and penalties would set models apart.
    model.generation_config = GenerationConfig(eos_token_id=end_token_id(tokenizer))
    if getattr(model.config, "output_router_logits", False):  # for a loss beside ours, which fails on padded batches
        model.config.output_router_logits = False
    return model, tokenizer


def load_config(name_or_path: str):
    """A pretrained model's transformers config. Raises UserError where it is not one of a plain language model."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    try:
        config = AutoConfig.from_pretrained(name_or_path, trust_remote_code=False)
        text_config = config.get_text_config()
    except (OSError, ValueError, TypeError, StrictDataclassError) as error:  # the last: what a config's checks say
        raise _cannot_load(name_or_path, error) from error
    if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        reason = "transformers has no causal language model of this type"
    elif text_config is not config:
        reason = "it takes more than text; give its language model alone"
    elif getattr(config, "quantization_config", None):
        reason = "its weights are quantised, and cannot be trained; give the model that they were made from"
    else:
        return config
    raise UserError(f"the model {name_or_path} ({config.model_type}) cannot be used here: {reason}")


def require_room_for_tokens(model, tokenizer, name: str) -> None:
    """Raises UserError where plain text, or the end of a response, may have tokens that the model does not know."""
    rows = model.get_input_embeddings().weight.shape[0]
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    largest = max({*tokenizer.get_vocab().values()} - special | {end_token_id(tokenizer), *_start_ids(tokenizer)})
    if largest >= rows:
        raise UserError(f"the tokenizer of {name} has tokens up to {largest}, and the model knows {rows}: they do not "
                        "belong together")  # fmt: skip


def load_tokenizer(name_or_path: str):
    """A model's tokenizer. Raises UserError where there is none, or none that knows how a response ends."""
    from transformers import AutoTokenizer

    folder = Path(name_or_path)
    if folder.is_dir() and not any(folder.glob("*token*")) and not any(folder.glob("vocab*")):
        raise UserError(f"the model folder {name_or_path} has no tokenizer (tokenizer.json); put the model's own there")
    try:
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, trust_remote_code=False)
    except (OSError, ValueError, LookupError, TypeError) as error:  # the last two: JSON of another shape
        raise _cannot_load(name_or_path, error) from error
    except Exception as error:  # tokenizers, which is Rust, has no more specific one for a file it cannot parse
        if type(error) is not Exception:
            raise
        raise _cannot_load(name_or_path, error) from error
    end_token_id(tokenizer)
    return tokenizer


def _cannot_load(name_or_path: str, error: Exception) -> UserError:
    reason = " ".join((str(error).strip() or type(error).__name__).splitlines()[:2]).rstrip(".")
    return UserError(
        f"cannot load the model {name_or_path!r} ({reason}); check the id and the network, or give a local folder"
    )


def new_model(spec: dict, tokenizer_folder, seed: int):
    """A Llama with random weights drawn from `seed`, and the tokenizer learnt from the pool."""
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    torch.manual_seed(seed)
    return LlamaForCausalLM(new_model_config(spec, tokenizer)), tokenizer


def new_model_config(spec: dict, tokenizer):
    """The transformers config of a Llama of our own."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=spec["vocab_size"],
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **spec["llama"],
    )


def model_outline(spec: dict, tokenizer):
    """The model of a spec without its weights: shapes alone, on torch's meta device, in no memory."""
    import torch
    from transformers import AutoModelForCausalLM

    config = load_config(spec["model"]) if "model" in spec else new_model_config(spec, tokenizer)
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)
    except IMPOSSIBLE_MODEL as error:
        raise _cannot_load(spec["model"], error) from error


def learn_tokenizer(results_dir: Path, vocab_size: int) -> Path:
    """The folder of the tokenizer learnt from the pool's rows; learns it where it is missing or damaged."""
    started = time.time()
    folder = results_dir / f"tokenizer_{vocab_size}"
    marker = folder.with_suffix(".json")
    config = {"vocab_size": vocab_size, "sample_rows": TOKENIZER_SAMPLE_ROWS}
    inputs = {"scores": read_json(results_dir / "scores.json")["content_hash"]}
    if marker.exists() and not made_otherwise(marker, config, inputs):  # else of an earlier pool
        if read_json(marker).get("content_hash") == hash_path(folder):
            return folder
    clear(marker, folder)
    rows = read_arrow(results_dir / "scores", ["instruction", "response"]).slice(0, TOKENIZER_SAMPLE_ROWS).to_pylist()
    tokenizer = learn_bpe([format_prompt(row["instruction"]) + row["response"] for row in rows], vocab_size)
    tokenizer.save_pretrained(folder)
    facts = {"tokens": len(tokenizer), "content_hash": hash_path(folder)}
    write_json(marker, {"config": config, "provenance": provenance(started, inputs), **facts})
    return folder


def learn_bpe(texts: list[str], vocab_size: int):
    """A byte-level BPE tokenizer with an end and a pad token. The same texts give the same tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    end, pad = "<|end|>", "<|pad|>"
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[end, pad],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=end, pad_token=pad)


def quiet_transformers() -> None:
    """No progress bars or advice from transformers: the stages print their own."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


# ---------------------------------------------------------------------------------------------------------------------
# Losses


def response_losses(model, examples: list[Example], pad_id: int, device: str, precision: str, progress=None):
    """Per example, the summed negative log-likelihood of its response tokens, in nats (float64), and their number.

    Batched by length. Rows are padded on the right, where causal attention keeps the padding out of sight, so no
    attention mask is needed and the result does not depend on the batch. The head sees the response's positions alone.
    A batch that does not fit into memory is halved.
    """
    import torch

    losses, counts = np.zeros(len(examples)), np.zeros(len(examples), dtype=np.int64)
    model.eval()
    body, head = split_head(model)

    def measure(batch: list[int]) -> None:
        ids, labels = right_padded([examples[index] for index in batch], pad_id)
        ids, labels = torch.from_numpy(ids).to(device), torch.from_numpy(labels).to(device)
        wanted = labels[:, 1:] != IGNORED_LABEL
        with torch.inference_mode(), autocast(device, precision):
            if body is None:
                hidden, to_logits = model(input_ids=ids, use_cache=False).logits[:, :-1][wanted], torch.nn.Identity()
            else:
                hidden, to_logits = body(input_ids=ids, use_cache=False).last_hidden_state[:, :-1][wanted], head
            token_losses = torch.zeros(wanted.shape, dtype=torch.float64, device=device)
            token_losses[wanted] = _token_losses(to_logits, hidden, labels[:, 1:][wanted], model.config.vocab_size)
        losses[batch] = token_losses.sum(dim=1).cpu().numpy()
        counts[batch] = wanted.sum(dim=1).cpu().numpy()

    for batch in length_batches([len(example.ids) for example in examples], LOSS_BATCH_TOKENS[device]):
        in_parts_that_fit(batch, measure)
        if progress:
            progress.update(len(batch))
    return losses, counts


def in_parts_that_fit(batch: list[int], work) -> None:
    """`work(batch)`, in halves, and halves of those, where the device's memory runs out; one alone must fit."""
    import torch

    try:
        return work(batch)
    except torch.OutOfMemoryError:
        if len(batch) == 1:
            raise
    torch.cuda.empty_cache()  # only now: while it was handled, the error held what the batch had taken
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        in_parts_that_fit(half, work)


def _token_losses(to_logits, hidden, targets, vocabulary: int):
    """Negative log-likelihood of each target, float64, with no more than LOGIT_BYTES of fp32 logits at a time."""
    import torch

    pieces = zip(*(some.split(max(1, LOGIT_BYTES // (4 * vocabulary))) for some in (hidden, targets)), strict=True)
    losses = [torch.nn.functional.cross_entropy(to_logits(a).float(), b, reduction="none") for a, b in pieces]
    return torch.cat(losses).double()


def split_head(model):
    """(body, head) such that head(body(...).last_hidden_state) gives the model's logits; (None, None) where none do.

    Tried on a few tokens rather than assumed: some models scale or cap their logits after the head.
    """
    import torch

    if model.base_model is model:
        return None, None
    children = [child for name, child in model.named_children() if name != model.base_model_prefix]
    if not children:
        return None, None
    head = torch.nn.Sequential(*children)
    ids = torch.arange(8, device=model.device)[None] % model.config.vocab_size
    was_training = model.training
    model.eval()
    with torch.no_grad():
        expected = model(input_ids=ids, use_cache=False).logits
        hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        same = hidden.shape[-1] == model.get_output_embeddings().in_features and torch.equal(head(hidden), expected)
    model.train(was_training)
    return (model.base_model, head) if same else (None, None)


def length_batches(lengths: list[int], batch_tokens: int, most_rows: int | None = None) -> list[list[int]]:
    """Indices in batches of similar length whose padded size is at most `batch_tokens` (one row at least)."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        rows = len(batches[-1]) + 1 if batches else 0
        if rows and rows * lengths[batches[-1][0]] <= batch_tokens and rows <= (most_rows or rows):
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def right_padded(examples: list[Example], pad_id: int):
    """Token ids and labels, int64 (rows, longest); labels are the response's ids, IGNORED_LABEL elsewhere."""
    width = max(len(example.ids) for example in examples)
    ids = np.full((len(examples), width), pad_id, dtype=np.int64)
    labels = np.full((len(examples), width), IGNORED_LABEL, dtype=np.int64)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = example.ids
        labels[row, example.prompt_tokens : len(example.ids)] = example.ids[example.prompt_tokens :]
    return ids, labels
