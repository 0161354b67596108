"""One encoding for training, loss and generation: what is learnt, what is cut, what batches must not change."""

import numpy as np
import pytest

import language_model as lm


def encode(tokenizer, instruction: str, response: str, max_tokens: int):
    return lm.encode_examples(tokenizer, [instruction], [response], max_tokens)[0]


def test_example_is_prompt_then_response_then_end(tokenizer):
    example = encode(tokenizer, "Add 3 and 4.", "The sum is 7.", 200)
    prompt, response = list(example.ids[: example.prompt_tokens]), list(example.ids[example.prompt_tokens :])
    assert tokenizer.decode(prompt) == lm.format_prompt("Add 3 and 4.")
    assert response[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(response[:-1]) == "The sum is 7."
    assert prompt == lm.encode_prompts(tokenizer, ["Add 3 and 4."], 200)[0]
    assert not example.prompt_cut and not example.response_cut


def test_special_token_strings_in_data_are_plain_text(tokenizer):
    example = encode(tokenizer, "Say <|end|> and <|pad|>.", "<|end|> it is", 200)
    assert example.ids.count(tokenizer.eos_token_id) == 1
    assert tokenizer.pad_token_id not in example.ids
    assert tokenizer.decode(list(example.ids[example.prompt_tokens : -1])) == "<|end|> it is"


@pytest.mark.parametrize("max_tokens", [40, 64, 100])
def test_a_long_prompt_gives_way_and_the_response_stays_whole(tokenizer, max_tokens):
    example = encode(tokenizer, "word " * 500, "Blue.", max_tokens)
    assert len(example.ids) <= max_tokens
    assert example.prompt_cut and not example.response_cut
    assert tokenizer.decode(list(example.ids[example.prompt_tokens : -1])) == "Blue."
    assert tokenizer.decode(list(example.ids[: example.prompt_tokens])).endswith(lm.PROMPT_TAIL)


def test_a_cut_response_does_not_learn_to_end(tokenizer):
    example = encode(tokenizer, "Go on.", "word " * 500, 64)
    assert example.response_cut and len(example.ids) == 64
    assert tokenizer.eos_token_id not in example.ids
    assert len(example.ids) - example.prompt_tokens >= 32
    assert encode(tokenizer, "word " * 500, "word " * 500, 64).prompt_tokens == 32


def test_a_row_without_response_is_no_example(tokenizer):
    assert encode(tokenizer, "Say nothing.", "", 64) is None


@pytest.mark.parametrize("max_tokens", range(1, 60, 7))
def test_no_row_is_longer_than_its_cap(tokenizer, max_tokens):
    examples = lm.encode_examples(tokenizer, ["word " * 100, "Go."], ["word " * 100, "Blue."], max_tokens)
    kept = [example for example in examples if example]
    assert all(example.prompt_tokens < len(example.ids) <= max_tokens for example in kept)


def test_response_losses_match_a_row_at_a_time(tiny_models, tokenizer):
    import torch

    model = tiny_models["scratch"].eval()
    rows = [("Add 3 and 4.", "The sum is 7."), ("Name a colour.", "Blue."), ("Go " * 30, "stone " * 20)]
    examples = lm.encode_examples(tokenizer, *map(list, zip(*rows, strict=True)), max_tokens=150)
    losses, tokens = lm.response_losses(model, examples, tokenizer.pad_token_id, "cpu", "fp32")
    for index, example in enumerate(examples):
        ids = torch.tensor([list(example.ids)])
        log_probabilities = model(ids).logits.log_softmax(-1)[0, :-1]
        expected = -sum(
            log_probabilities[place - 1, example.ids[place]].item()
            for place in range(example.prompt_tokens, len(example.ids))
        )
        assert losses[index] == pytest.approx(expected, rel=1e-5)
        assert tokens[index] == len(example.ids) - example.prompt_tokens


def test_losses_of_a_batch_that_does_not_fit_are_measured_in_halves(tiny_models, tokenizer, monkeypatch):
    import torch

    model, sizes, pad, most = tiny_models["scratch"], [], tokenizer.pad_token_id, [2]
    words = ["one", "two", "three four", "five six seven", "eight"]
    examples = lm.encode_examples(tokenizer, words, words[::-1], max_tokens=50)
    whole, tokens = lm.response_losses(model, examples, pad, "cpu", "fp32")
    right_padded = lm.right_padded

    def small_memory(some, pad_id):
        sizes.append(len(some))
        if len(some) > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return right_padded(some, pad_id)

    monkeypatch.setattr(lm, "right_padded", small_memory)
    halves, same_tokens = lm.response_losses(model, examples, pad, "cpu", "fp32")
    assert halves == pytest.approx(whole, rel=1e-5) and (tokens == same_tokens).all() and sizes == [5, 2, 3, 1, 2]
    most[0] = 0
    with pytest.raises(torch.OutOfMemoryError):
        lm.response_losses(model, examples, pad, "cpu", "fp32")


def test_length_batches_cover_all_within_the_budget():
    lengths = np.random.default_rng(0).integers(1, 300, 500).tolist()
    assert max(map(len, lm.length_batches(lengths, 1_000, 3))) == 3
    batches = lm.length_batches(lengths, 1_000)
    assert sorted(index for batch in batches for index in batch) == list(range(500))
    assert all(len(batch) * max(lengths[index] for index in batch) <= 1_000 for batch in batches)


def test_learn_bpe_is_the_same_for_the_same_texts(tokenizer):
    from conftest import TEXTS

    again = lm.learn_bpe(TEXTS, 300)
    assert again.get_vocab() == tokenizer.get_vocab()


def test_the_start_token_of_a_tokenizer_comes_first_whatever_its_name(tokenizer):
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    backend = tokenizer.backend_tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.add_special_tokens(["[CLS]", "[SEP]"])
    ids = {name: backend.token_to_id(name) for name in ("[CLS]", "[SEP]")}
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=list(ids.items()))
    encoder_born = PreTrainedTokenizerFast(tokenizer_object=backend, cls_token="[CLS]", sep_token="[SEP]")
    example = encode(encoder_born, "Name a colour.", "Blue.", 100)
    assert example.ids[0] == ids["[CLS]"] and example.ids[-1] == ids["[SEP]"]
    assert example.ids.count(ids["[CLS]"]) == example.ids.count(ids["[SEP]"]) == 1
    single = "[CLS] [SEP] $A"  # two, as GLM has
    backend.post_processor = processors.TemplateProcessing(single=single, special_tokens=list(ids.items()))
    unnamed = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>")
    assert list(encode(unnamed, "Name a colour.", "Blue.", 100).ids)[:2] == [ids["[CLS]"], ids["[SEP]"]]
    assert list(encode(tokenizer, "a", "b", 100).ids)[0] not in ids.values()
