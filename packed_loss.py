"""The training loss of packed blocks as one module, so that accelerate can wrap it: body, head, cross-entropy.

The head sees only the positions that are learnt, about half of them in instruction data, and in chunks where the
logits would otherwise be the largest thing in memory. Both give the plain loss: see `language_model.split_head`.
"""

from contextlib import contextmanager

from language_model import autocast, split_head
from packed_attention import ROW_WISE
from training_memory import CHUNK_ABOVE_BYTES, CHUNK_BYTES, COMPILED_BYTES_PER_LOGIT, PLAIN_BYTES_PER_LOGIT


def new_packed_loss(model, precision: str):
    """A torch module over `model`, whose forward gives the summed negative log-likelihood of the response tokens, in
    nats, as a scalar. It takes the arrays of `packing.collate_blocks`, and a length that no row exceeds; no positions
    where each block is one row, with padding behind it that a causal model does not see."""
    import torch

    body, head = split_head(model)
    source = residual_source(model, body) if precision == "bf16" else None

    class PackedLoss(torch.nn.Module):
        _no_split_modules = getattr(model, "_no_split_modules", None)  # where accelerate's FSDP looks for layers

        def __init__(self):
            super().__init__()
            self.model = model
            self.cross_entropy, self.bytes_per_logit = cross_entropy, PLAIN_BYTES_PER_LOGIT

        def compile_cross_entropy(self):
            """From now on by one kernel, which reads the logits as they are and keeps no fp32 copy of them."""
            self.cross_entropy = torch.compile(cross_entropy, dynamic=True)
            self.bytes_per_logit = COMPILED_BYTES_PER_LOGIT if precision != "fp32" else PLAIN_BYTES_PER_LOGIT

        def forward(self, input_ids, position_ids, row_starts, before, targets, longest_row):
            # No attention mask and no cache: only then does the model keep the rows of a block apart.
            inputs = {"input_ids": input_ids, "use_cache": False}
            inputs |= {} if position_ids is None else {"position_ids": position_ids}
            if (
                position_ids is not None and model.config._attn_implementation in ROW_WISE
            ):  # these take all blocks as one, and its rows' starts
                inputs |= {"input_ids": input_ids.view(1, -1), "position_ids": position_ids.view(1, -1)}
                inputs |= {"cu_seq_lens_q": row_starts, "cu_seq_lens_k": row_starts}
                inputs |= {"max_length_q": longest_row, "max_length_k": longest_row}
            with autocast(input_ids.device.type, precision):
                whole = body is None
                with rounded_output(source):
                    states = self.model(**inputs).logits if whole else body(**inputs).last_hidden_state
                states = states.flatten(0, 1).index_select(0, before)
                return self.summed_loss(torch.nn.Identity() if whole else head, states, targets)

        def summed_loss(self, head, states, targets):
            """Summed cross-entropy of head(states) against the targets; states: (targets, width).

            Where the logits would take too much memory, in chunks that are computed again in the backward pass.
            """
            from torch.utils.checkpoint import checkpoint

            def loss_of(states, targets):
                return self.cross_entropy(head(states), targets)

            bytes_per_row = self.bytes_per_logit * model.config.vocab_size
            if len(targets) * bytes_per_row <= CHUNK_ABOVE_BYTES:
                return loss_of(states, targets)
            rows = max(1, CHUNK_BYTES // bytes_per_row)
            chunks = zip(states.split(rows), targets.split(rows), strict=True)
            return sum(checkpoint(loss_of, *chunk, use_reentrant=False) for chunk in chunks)

    return PackedLoss()


def residual_source(model, body):
    """The module whose output enters the first layer: the largest around the embedding that holds no layer; None where
    the model names no layers."""
    embedding, names, part = model.get_input_embeddings(), model._no_split_modules or (), body
    while part is not None and any(type(inner).__name__ in names for inner in part.modules()):
        part = next((child for child in part.children() if any(inner is embedding for inner in child.modules())), None)
    return None if part is body else part


@contextmanager
def rounded_output(module):
    """`module`, if any, gives bf16 meanwhile: a residual stream that starts in bf16 stays so, half as large to read and
    write as autocast's, which is fp32."""
    import torch

    hook = module and module.register_forward_hook(lambda _module, _inputs, states: states.to(torch.bfloat16))
    try:
        yield
    finally:
        if hook:
            hook.remove()


def cross_entropy(logits, targets):
    """Summed over the rows of `logits`, in fp32."""
    import torch

    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")
