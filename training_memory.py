"""How much memory a training run takes, from the shape of its model: for --dry_run and for gradient checkpointing.

An estimate, for layers of the usual decoder: what a layer keeps for its backward pass is counted tensor by tensor.
"""

MICRO_BATCH_TOKENS = {"cpu": 2_048, "cuda": 16_384}
# Weights, gradients and two moments in fp32; a checkpoint holds all but the gradients.
STATE_BYTES_PER_PARAMETER = 16
CHECKPOINT_BYTES_PER_PARAMETER = 12
# Logits of one micro-batch, and what is computed from them. Plain: in fp32, their softmax and the gradients of both; by
# the compiled loss: in half precision, with their gradients. Beyond the first limit they are made in chunks of the
# second.
CHUNK_ABOVE_BYTES, CHUNK_BYTES = 2**32, 2**30
PLAIN_BYTES_PER_LOGIT, COMPILED_BYTES_PER_LOGIT = 16, 4
USABLE_FRACTION = 0.8  # of a GPU's memory: the rest is fragmentation, workspaces and the estimate's error


def model_shape(config) -> dict:
    """layers, width, mlp width, key and value width and vocabulary of a transformers config.

    GPT-2, OPT and others give no width of the MLP by this name: theirs is four times the model's. Gemma 3n gives one
    for each layer; Gemma 4 has wider heads in some layers, and its config raises where `head_dim` is asked for as an
    attribute. Mamba has no heads.
    """
    heads = getattr(config, "num_attention_heads", 1)
    key_value = getattr(config, "num_key_value_heads", None) or heads
    head_width = vars(config).get("head_dim") or config.hidden_size // heads
    mlp_width = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    return {
        "layers": config.num_hidden_layers,
        "width": config.hidden_size,
        "mlp_width": max(mlp_width) if isinstance(mlp_width, list) else mlp_width,
        "key_value_width": key_value * head_width,
        "vocabulary": config.vocab_size,
    }


def activation_bytes(shape: dict, tokens: int, block_tokens: int, precision: str, checkpointing: bool) -> float:
    """What the backward pass of a micro-batch of `tokens` needs, logits included, at its peak."""
    half = 4 if precision == "fp32" else 2
    width, mlp = shape["width"], shape["mlp_width"]
    # fp32: both norms' inputs, their normalised values and the residual; low precision: both norms' outputs, queries,
    # keys and values before and after rotation, attention's output, and four of the width of the MLP.
    layer = 4 * 5 * width + half * (5 * width + 4 * shape["key_value_width"] + 4 * mlp)
    kept = 4 * width * shape["layers"] + layer if checkpointing else layer * shape["layers"]
    mask = block_tokens * half  # SDPA's block mask, one row of it per token
    logits = PLAIN_BYTES_PER_LOGIT * tokens * shape["vocabulary"]
    return tokens * (kept + mask) + (CHUNK_BYTES if logits > CHUNK_ABOVE_BYTES else logits)


def footprint_bytes(parameters: int, shape: dict, config: dict, device: str, precision: str, checkpointing: bool):
    """Peak memory of training in bytes: weights, gradients, moments, autocast's copies and one micro-batch."""
    tokens = max(MICRO_BATCH_TOKENS[device], config["block_tokens"])
    if config.get("packed", True):  # rows by themselves take more with their padding than a step has tokens
        tokens = max(min(tokens, config["tokens_per_step"]), config["block_tokens"])
    copies = 0 if precision == "fp32" else 2 * parameters
    activations = activation_bytes(shape, tokens, config["block_tokens"], precision, checkpointing)
    return STATE_BYTES_PER_PARAMETER * parameters + copies + activations


def gpu_bytes(device: str) -> int | None:
    """The memory of the GPU; None on a CPU."""
    import torch

    return torch.cuda.get_device_properties(0).total_memory if device == "cuda" else None


def wants_checkpointing(setting: str, footprint: float, memory: float | None) -> bool:
    """Whether to recompute activations: "on", "off", or "auto": only where the run would not fit without.

    footprint: bytes without checkpointing; memory: of the GPU, None on a CPU, whose memory is not the limit.
    """
    if setting != "auto":
        return setting == "on"
    return memory is not None and footprint > USABLE_FRACTION * memory
