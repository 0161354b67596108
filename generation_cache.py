"""The keys and values of a batch that generates, written in place into room that is taken once.

transformers' own cache puts each new token behind the old ones by a copy of them all, at every layer and step.
"""

from packed_attention import CHECKED_ARCHITECTURES
from training_memory import model_shape


def bytes_per_token(model) -> int:
    """What one token of a batch takes: its keys and values, and, in a prompt, a layer's intermediate states."""
    shape = model_shape(model.config.get_text_config(decoder=True))
    cached = 2 * shape["layers"] * shape["key_value_width"]
    return (cached + 4 * shape["width"] + 3 * shape["mlp_width"]) * model.dtype.itemsize


def roomy_cache(model, tokens: int):
    """The cache that `generate` would make for `model`, with room for `tokens` a row; None, so that it makes its own,
    for an architecture that the tests do not cover."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    class RoomyLayer(DynamicLayer):
        def update(self, keys, values, *_arguments, **_how):
            self.keys, self.values = write(self, self.get_seq_length(), 0, keys, values)
            return self.keys, self.values

    class RoomySlidingLayer(DynamicSlidingWindowLayer):
        def update(self, keys, values, *_arguments, **_how):
            start = self.cumulative_length
            self.cumulative_length += keys.shape[-2]
            self.keys, self.values = write(self, start, max(0, start - self.sliding_window + 1), keys, values)
            return self.keys, self.values

    def write(layer, start: int, seen_from: int, *states):
        """Put new states (rows, heads, tokens, width) at `start`; what is seen then, as views."""
        if not layer.is_initialized:
            layer.lazy_initialization(*states)
            layer.rooms = [some.new_empty(*some.shape[:2], tokens, some.shape[-1]) for some in states]
        end = start + states[0].shape[-2]
        for room, some in zip(layer.rooms, states, strict=True):
            room[:, :, start:end] = some
        return [room[:, :, seen_from:end] for room in layer.rooms]

    if getattr(model.config, "model_type", None) not in CHECKED_ARCHITECTURES:
        return None
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    for place, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[place] = RoomyLayer()
        elif type(layer) is DynamicSlidingWindowLayer:
            cache.layers[place] = RoomySlidingLayer(layer.sliding_window)
    return cache
