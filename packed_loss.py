"""The training loss of packed blocks as one module, so that accelerate can wrap it: body, head, cross-entropy.

The head sees only the positions that are learnt, about half of them in instruction data, and in chunks where the
logits would otherwise be the largest thing in memory. Both give the plain loss: see `language_model.split_head`.
"""

from language_model import IGNORED_LABEL, autocast, split_head
from packed_attention import ROW_WISE

# fp32 logits of one micro-batch; with their softmax and gradients they take about four times that.
CHUNK_LOGITS_ABOVE_BYTES = 2**30
CHUNK_BYTES = 2**28


def new_packed_loss(model, precision: str):
    """A torch module over `model`, whose forward gives the summed negative log-likelihood of the response tokens, in
    nats, as a scalar. It takes the arrays of `packing.collate_blocks`, and a length that no row exceeds."""
    import torch

    body, head = split_head(model)

    class PackedLoss(torch.nn.Module):
        _no_split_modules = getattr(model, "_no_split_modules", None)  # where accelerate's FSDP looks for layers

        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, position_ids, labels, row_starts, longest_row):
            # No attention mask and no cache: only then does the model keep the rows of a block apart.
            inputs = {"input_ids": input_ids, "position_ids": position_ids, "use_cache": False}
            if model.config._attn_implementation in ROW_WISE:  # these take all blocks as one, and its rows' starts
                inputs |= {"input_ids": input_ids.view(1, -1), "position_ids": position_ids.view(1, -1)}
                inputs |= {"cu_seq_lens_q": row_starts, "cu_seq_lens_k": row_starts}
                inputs |= {"max_length_q": longest_row, "max_length_k": longest_row}
                labels = labels.view(1, -1)  # a block begins with a prompt, so no label looks across its edge
            wanted = labels[:, 1:] != IGNORED_LABEL
            with autocast(input_ids.device.type, precision):
                if body is None:
                    return summed_loss(lambda logits: logits, self.model(**inputs).logits[:, :-1][wanted], labels)
                hidden = body(**inputs).last_hidden_state[:, :-1][wanted]
                return summed_loss(head, hidden, labels)

    return PackedLoss()


def summed_loss(head, hidden, labels):
    """Summed cross-entropy of head(hidden) against the labels that count; hidden: (wanted tokens, width).

    In chunks whose logits are made anew in the backward pass, where all at once would take too much memory.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    targets = labels[:, 1:][labels[:, 1:] != IGNORED_LABEL]

    def loss_of(hidden, targets):
        return torch.nn.functional.cross_entropy(head(hidden).float(), targets, reduction="sum")

    vocabulary = logit_width(head, hidden)
    if 4 * len(targets) * vocabulary <= CHUNK_LOGITS_ABOVE_BYTES:
        return loss_of(hidden, targets)
    rows = max(1, CHUNK_BYTES // (4 * vocabulary))
    chunks = zip(hidden.split(rows), targets.split(rows), strict=True)
    return sum(checkpoint(loss_of, *chunk, use_reentrant=False) for chunk in chunks)


def logit_width(head, hidden) -> int:
    """The number of logits per token: the rows of the head's last weight, or what `hidden` has where it is logits."""
    linear = list(head)[-1] if hasattr(head, "__iter__") else None
    return linear.out_features if linear is not None else hidden.shape[-1]
