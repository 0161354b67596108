"""How much memory a training run takes, from the shape of its model: for --dry_run, micro-batches and checkpointing.

An estimate, for layers of the usual decoder: what a layer keeps for its backward pass is counted tensor by tensor.
"""

from common import UserError

# Tokens at a time, the most first: a GPU takes as many as its memory holds.
MICRO_BATCH_TOKENS = {"cpu": [2_048], "cuda": [32_768, 16_384, 8_192, 4_096]}
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
    attribute. Mamba has no heads. Raises UserError for a model that is not one stack of layers, such as BLT.
    """
    if lacking := [name for name in ("num_hidden_layers", "hidden_size", "vocab_size") if not hasattr(config, name)]:
        raise UserError(f"a model of type {config.model_type} has no {lacking[0]}, so its memory cannot be planned; "
                        "choose another")  # fmt: skip
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


def activation_bytes(
    shape: dict, tokens: int, block_tokens: int, precision: str, checkpointing: bool, compiled: bool
) -> float:
    """What the backward pass of a micro-batch of `tokens` needs, logits included, at its peak."""
    half, residual = 4 if precision == "fp32" else 2, 2 if precision == "bf16" else 4
    width, mlp, key_value = shape["width"], shape["mlp_width"], shape["key_value_width"]
    # Compiled: both norms' inputs and outputs, queries, keys, values, attention's output, gate and up.
    layer = 2 * residual * width + half * (4 * width + 2 * key_value + 2 * mlp)
    if not compiled:  # also what the norms compute in fp32, what is rotated, and two more of the MLP
        layer += (8 if precision == "bf16" else 12) * width + half * (width + 2 * key_value + 2 * mlp)
    layer += block_tokens * half / shape["layers"]  # SDPA's block mask, one row of it per token, for all layers
    per_logit = COMPILED_BYTES_PER_LOGIT if compiled and precision != "fp32" else PLAIN_BYTES_PER_LOGIT
    logits = per_logit * tokens * shape["vocabulary"]
    logits = CHUNK_BYTES if logits > CHUNK_ABOVE_BYTES else logits
    if checkpointing:  # every layer's input, and either the logits or one layer computed anew
        return tokens * residual * width * shape["layers"] + max(logits, tokens * layer)
    return tokens * layer * shape["layers"] + logits


def footprint_bytes(
    parameters: float, shape: dict, config: dict, precision: str, micro_tokens: int, checkpointing: bool, compiled: bool
) -> float:
    """Peak memory of training in bytes: weights, gradients, moments, autocast's copies and one micro-batch."""
    tokens = max(micro_tokens, config["block_tokens"])
    if config.get("packed", True):  # rows by themselves take more with their padding than a step has tokens
        tokens = max(min(tokens, config["tokens_per_step"]), config["block_tokens"])
    copies = 0 if precision == "fp32" or checkpointing else 2 * parameters
    activations = activation_bytes(shape, tokens, config["block_tokens"], precision, checkpointing, compiled)
    return STATE_BYTES_PER_PARAMETER * parameters + copies + activations


def plan_memory(
    parameters: float, shape: dict, config: dict, where: dict, compiled: bool, micro_tokens: int | None = None
) -> dict:
    """How to fit a run into memory: {"micro_batch_tokens", "gradient_checkpointing", "peak_bytes"}.

    The most tokens at a time that fit, with activations recomputed ("auto") only where even the fewest do not fit
    without; the last plan tried where none fits. parameters: of this device's share. where: device, precision and
    memory, bytes of the GPU, None on a CPU, whose memory is not the limit. micro_tokens: where the user says how many.
    """
    setting = config["gradient_checkpointing"]
    for checkpointing in [False, True] if setting == "auto" else [setting == "on"]:
        for tokens in [micro_tokens] if micro_tokens else MICRO_BATCH_TOKENS[where["device"]]:
            peak = footprint_bytes(parameters, shape, config, where["precision"], tokens, checkpointing, compiled)
            plan = {"micro_batch_tokens": tokens, "gradient_checkpointing": checkpointing, "peak_bytes": peak}
            if where["memory"] is None or peak <= USABLE_FRACTION * where["memory"]:
                return plan
    return plan


def disk_bytes(parameters: int, trained: bool = True) -> int:
    """Disk that a run takes at most: the model in fp32, and of training the old and the new checkpoint while one is
    written."""
    return (4 + 2 * CHECKPOINT_BYTES_PER_PARAMETER * trained) * parameters


def gpu_bytes(device: str) -> int | None:
    """The memory of the GPU; None on a CPU."""
    import torch

    return torch.cuda.get_device_properties(0).total_memory if device == "cuda" else None
