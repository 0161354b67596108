"""What is no part of an answer, and what only looks so because it was asked for."""

import pytest

from text_remains import (
    AROUND_WORDS,
    PAGE_PHRASES,
    PROMOTIONS,
    around_text,
    ends_in_other_script,
    goes_on,
    has_loose_link,
    has_prompt_remains,
    has_template_marks,
    is_wrapped,
    litter,
)

ASK = "why is the sky blue?"
ANSWER = "Air scatters blue light more than red light."


@pytest.mark.parametrize(
    "behind",
    [
        "\nUser: And the sea?\nAssistant: It mirrors the sky.", "\n\nHuman: Thanks", "\n**User:** And then?",
        "\n\n### Instruction:\nName a river.", "\n### Instruction\nName a river.", "\n6. Instruction: Name a river.",
        "\n\nQ: What is air?\nA: A gas.", "\n\n**Question:** What is air?", "\n\nPrompt: Name a river.",
        "<|im_end|>\n<|im_start|>user\nAnd the sea?", " [INST] And the sea? [/INST]", "</s>", "<end_of_turn>",
    ],
)  # fmt: skip
def test_another_turn_behind_an_answer(behind):
    assert has_template_marks(ASK, ANSWER + behind) or goes_on(ASK, ANSWER + behind)


@pytest.mark.parametrize(
    "ask, text",
    [
        (ASK, ANSWER),
        (ASK, f"{ANSWER}\n\n#### User experience\nIt is seen by all.\n\n### Human health\nHarmless."),
        (ASK, f"{ANSWER}\nStatement: none\nQuestion: why is it so?"),  # labels in the lines of one answer
        (ASK, f"{ANSWER}\n\n```\nUser: root\n```"),
        (ASK, "Question: why is it blue?\n\nAnswer: it scatters.\n\nQuestion: and red?"),
        ("write a dialogue between a user and a robot.", "Robot: Hello.\nUser: Hello."),
        ("make three quiz questions on air.", "Here they are.\n\nQuestion 1: What is air?"),
        ("what does <|im_end|> mean?", "The mark <|im_end|> ends a turn."),
        (ASK, "<think>\nShort waves scatter.\n</think>\nAir scatters blue light."),
        (ASK, f"{ANSWER}\n\n**Q1: January to March**\n\n#### Q2: April\n   Instruction: look up."),
        (ASK, "Instructions:\nLook up.\nUsers: many."),
    ],
)  # fmt: skip
def test_what_is_no_other_turn(ask, text):
    assert not has_template_marks(ask, text) and not goes_on(ask, text)


@pytest.mark.parametrize("text", ["<think>\nLet me see.", "<think>Short waves scatter.</think>\n"])
def test_a_thought_that_comes_to_no_answer(text):
    assert has_template_marks(ASK, text)


@pytest.mark.parametrize(
    "text",
    [
        f"### Response:\n{ANSWER}", f"Assistant: {ANSWER}", f"**Output:** {ANSWER}", f"\n\n## Response\n{ANSWER}",
        f"You are a helpful, respectful and honest assistant.\n\n{ANSWER}", f"You are an AI. {ANSWER}",
        f"1 {ANSWER}\n2 \n3 {ANSWER}", f"> {ANSWER}\n> \n> {ANSWER}", f"+{ANSWER}", f"['{ANSWER}']", f'["{ANSWER}"]',
    ],
)  # fmt: skip
def test_what_a_whole_answer_is_wrapped_in(text):
    assert is_wrapped(ASK, text, False)


@pytest.mark.parametrize(
    "ask, text",
    [
        (ASK, ANSWER), (ASK, ""), (ASK, "   "), (ASK, "Outputs of air: none."), (ASK, "You are right to ask."),
        ("what is the output of this program?", "Output: 3"), ("write a persona.", "You are an AI. Be kind."),
        (ASK, "1 cup of air\n2 cups of light\nSome dust"), (ASK, f"> Why?\n\n{ANSWER}"), (ASK, "+5"), (ASK, "> 5"),
        ("make a list of strings.", "['a', 'b']"), (ASK, "['a', 'b'] is a list."), (ASK, "# The sky\n\nIt is blue."),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_wrapping(ask, text):
    assert not is_wrapped(ask, text, False)


def test_marked_lines_of_code_are_its_own():
    assert is_wrapped(ASK, "+ added this line\n+ and this one", False)
    assert not is_wrapped(ASK, "+ added this line\n+ and this one", True)


@pytest.mark.parametrize("tail", ["希望这个回答对您有所帮助。", "Надеюсь, это вам поможет."])
def test_an_end_in_another_script(tail):
    text = f"{ANSWER} Therefore it looks blue to us all day long. {tail}"
    assert ends_in_other_script(ASK, text)
    assert not ends_in_other_script("translate it into russian or chinese.", text)
    assert not ends_in_other_script(f"what does {tail} mean?", text) and not ends_in_other_script(ASK, tail * 9)
    assert not ends_in_other_script(ASK, f"{ANSWER} In Greek: ουρανός, and 天 in Chinese.")


@pytest.mark.parametrize(
    "ask",
    [
        "17. Name a river.", "Name a river.\n\nInput: None", "Name a river.\nInput: <noinput>", "Name it: {input}",
        "### Instruction:\nName a river.", "Name a river.\n\n### Response:", "<|im_start|>user\nName a river.",
        "You are a helpful assistant. Name a river.", "You are an AI language model.\n\nName a river.",
    ],
)  # fmt: skip
def test_what_a_file_leaves_around_an_ask(ask):
    assert has_prompt_remains(ask)


@pytest.mark.parametrize(
    "ask",
    [
        "Name a river.", "", "1. Name a river.\n2. Name a hill.", "3.5 is which share of 7?", "Format '{name}'.",
        "You are an AI assistant who lives on Mars. Describe a day.", "Is there no input: none at all?", "## Task",
    ],
)  # fmt: skip
def test_what_is_part_of_an_ask(ask):
    assert not has_prompt_remains(ask)


@pytest.mark.parametrize(
    "ask, edges, found",
    [
        (ASK, "the loire", 0), (ASK, "loire. all rights reserved. privacy policy", 2),
        (ASK, "see https://a.b or www.c.d", 1), ("give a link on rivers.", "see https://a.b", 0),
        (ASK, "the [eso](https://eso.org) has it (https://a.b)", 0), (ASK, "safe over https, as http/2 is", 0),
        (ASK, "follow us and subscribe to our letters", 2),
        ("write an ad for a shop.", "follow us and subscribe", 0),
    ],
)  # fmt: skip
def test_what_stands_around_an_answer(ask, edges, found):
    assert around_text(ask, edges) + has_loose_link(ask, edges) == found


@pytest.mark.parametrize(
    "ask, text, found",
    [
        (ASK, ANSWER, 0), (ASK, "the sk\ufffd is bl\ufffde", 2), (ASK, "itâ€™s the cafÃ©", 2),
        (ASK, "São, Ângela, café", 0),
        (ASK, "wow!!!!!!!!!!", 3), (ASK, "really?!", 0), (ASK, "Tom &amp; I, it&#39;s R&D; 3 &lt 4", 2),
        (ASK, "One.\\nTwo \\u00e9", 2), (ASK, r"the gradient \nabla f, \neq 0", 0), (ASK, "Dear {{ name }},", 1),
        (ASK, "I am [Your Name] of [Company Name], see [1] and [a, b].", 2),
        ("write a letter.", "I am [Your Name].", 0),
        (ASK, "It is so.[12] It was,[3] as said[4].", 3), ("cite your sources.", "It is so.[12]", 0),
        (ASK, "See [1](https://a.b), [2] and [3].", 0), (ASK, "The XXXX sky is ______ (XXXXXX).", 3),
        ("fill in: the ___ is blue.", "The ___ is blue.", 0), (ASK, "Super Bowl XXX, __init__ and a_b", 0),
        (ASK, "the%20sky%20is", 2), (ASK, "https://a.b/the%20sky", 0),
        (ASK, "a<br/>b<p class='x'>c</p>", 3), (ASK, "a < b > c, List<int>", 0), (ASK, "write `<p>` or `&amp;`", 0),
        ("what does a <p> do?", "A <p> begins a paragraph.", 0), ("make a web page.", "<p>Hello</p>", 0),
    ],
)  # fmt: skip
def test_litter_within_an_answer(ask, text, found):
    assert litter(ask, text, False, False) == found


def test_code_that_was_asked_for_has_its_own_marks_and_a_page_that_was_not_has_tags():
    page = "<p>Tom &amp; I</p>\\n[Your Name]"
    assert litter(ASK, page, True, True) == 0 and litter(ASK, page, False, True) == 2
    assert litter(ASK, "x = '\ufffd'", True, True) == 1


def test_citations_in_code_stand_behind_a_stop():
    assert litter(ASK, "so.[12] x = rows[0]; y = f()[1]", False, True) == 1


def test_every_phrase_has_a_word_that_hints_at_it():
    assert all(set(phrase.split()) & set(AROUND_WORDS.split()) for phrase in (*PAGE_PHRASES, *PROMOTIONS))
