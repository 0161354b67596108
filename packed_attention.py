"""Attention that sees the rows of packed blocks one by one: FlashAttention over rows of any length, as PyTorch has it.

SDPA keeps rows apart by a mask of block by block, and computes what the mask then hides. This one is told where each
row starts and never looks across. For CUDA in bf16 or fp16; registered with transformers under PACKED_ROWS.
"""

import inspect
from functools import partial
from importlib.util import find_spec

PACKED_ROWS = "packed_rows"
ROW_WISE = (PACKED_ROWS, "flash_attention_2")
MAX_HEAD_WIDTH = 256  # of FlashAttention's kernels
AMPERE = (8, 0)  # compute capability: the first that they run on
# Architectures whose packed rows are tested, on a GPU too. Others may give attention more than `attend` knows of, such
# as sinks or a bias, which it would silently leave out.
CHECKED_ARCHITECTURES = {"llama", "gpt_neox", "qwen2", "modernbert-decoder", "gemma3_text", "olmo2"}


def pick_attention(model, device: str, precision: str) -> str:
    """Switch `model` to the best available attention for packed rows, and give its name.

    The package flash-attn where it is installed, else PyTorch's own kernels (from 2.10 on) where attention `is_plain`;
    otherwise the model keeps what it has, which is SDPA. Neither runs on GPUs before Ampere.
    """
    import torch
    from transformers.utils import is_flash_attn_2_available

    able = device == "cuda" and precision in ("bf16", "fp16") and torch.cuda.get_device_capability() >= AMPERE
    if able and getattr(model, "_supports_flash_attn", False):
        if is_flash_attn_2_available():
            model.set_attn_implementation("flash_attention_2")
        elif find_spec("torch.nn.attention.varlen") and is_plain(model.config):
            register()
            model.set_attn_implementation(PACKED_ROWS)
    return model.config._attn_implementation


def is_plain(config) -> bool:
    """Whether attention is known to be softmax over scaled products alone, with heads that the kernels take."""
    if config.model_type not in CHECKED_ARCHITECTURES:
        return False
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    altered = getattr(config, "attn_logit_softcapping", None) or getattr(config, "attention_dropout", 0)
    return not altered and width % 8 == 0 and width <= MAX_HEAD_WIDTH


def register() -> None:
    """Make PACKED_ROWS known to transformers. It gets no mask function, so models make no mask."""
    from torch.nn.attention.varlen import varlen_attn
    from transformers import AttentionInterface

    asks = "enable_gqa" in inspect.signature(varlen_attn).parameters  # before 2.12 it takes fewer heads without asking
    AttentionInterface.register(PACKED_ROWS, partial(attend, fewer_heads={"enable_gqa": True} if asks else {}))


def attend(
    _module, query, key, value, _mask, fewer_heads, scaling=None, sliding_window=None, cu_seq_lens_q=None, **kwargs
):
    """transformers' attention function: query (1, heads, tokens, width), key and value with as many heads or fewer.

    cu_seq_lens_q: int32 (rows + 1,), where each row starts, and the end. max_length_q: at least the longest row.
    sliding_window: how many tokens back a token sees, itself counted. fewer_heads: what to tell varlen_attn then.
    Gives (1, tokens, heads, width) and None.
    """
    from torch.nn.attention.varlen import varlen_attn

    # Rotary positions make fp32 of what autocast had in half precision; the values are as they were.
    # Squeezed, not indexed: the gradients of an index are copied once more, into the layout that it had.
    query, key, value = (states.squeeze(0).transpose(0, 1).to(value.dtype) for states in (query, key, value))
    window = (-1 if sliding_window is None else sliding_window - 1, 0)
    grouped = fewer_heads if key.shape[1] != query.shape[1] else {}
    starts, longest = cu_seq_lens_q, kwargs["max_length_q"]
    attended = varlen_attn(
        query, key, value, starts, starts, longest, longest, scale=scaling, window_size=window, **grouped
    )
    return attended[None], None
