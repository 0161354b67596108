"""A dialogue of any common shape to (instruction, response) pairs.

Turns come as {role, content} or {from, value}, as texts in turn, as exchanges of {input, output}, as any of these
written in JSON or as Python writes a list (a cell of CSV), or as one text with marks of whose turn begins: a chat
template's, or "### Human: ... ### Assistant: ...".
"""

import ast
import contextlib
import itertools
import json
import re

ROLES = {
    **dict.fromkeys(["user", "human", "prompter", "[inst]", "<</sys>>"], "user"),
    **dict.fromkeys(["instruction", "input", "question"], "user"),
    **dict.fromkeys(["assistant", "gpt", "model", "bot", "ai", "chatgpt", "bing", "bard", "[/inst]"], "assistant"),
    **dict.fromkeys(["response", "answer"], "assistant"),
    **dict.fromkeys(["system", "developer", "<<sys>>"], "system"),
    **dict.fromkeys(["tool", "function", "observation", "ipython", "function_response", "tool_response"], "tool"),
    **dict.fromkeys(["function response"], "tool"),
    **dict.fromkeys(["function_call", "tool_call"], "call"),
}
MAX_HISTORY_CHARACTERS = 2**29  # of all answers of a dialogue together, each with what led to it
SPEAKERS = {
    "user": "User: ", "assistant": "Assistant: ", "call": "Assistant: ", "tool": "Tool: ", "system": "System: "
}  # fmt: skip
# What marks in a text that a turn begins, and whose. A text is read by the kind of mark that comes first in it: others
# within a turn are text. Of plain words see `_dialogue_marks` too.
TEMPLATE_MARKS = [
    re.compile(r"<\|im_start\|>(\w+)(?:<\|im_sep\|>)?"),  # ChatML, Phi 4
    re.compile(r"<\|start_header_id\|>(\w+)<\|end_header_id\|>"),  # Llama 3
    re.compile(r"<start_of_turn>(\w+)"),  # Gemma
    re.compile(r"<\|(user|prompter|assistant|system)\|>"),  # Zephyr, Phi 3, OpenAssistant
    re.compile(r"(\[/?INST\]|<</?SYS>>)"),  # Llama 2, Mistral
]
PLAIN_MARKS = [
    re.compile(r"(?<!#)### ?(human|user|system|assistant) ?(:|\r?\n|$)", re.I),  # Guanaco
    re.compile(r"(?<![^\n])### ?(instruction|input|response) ?(:|\r?\n|$)", re.I),  # Alpaca
    re.compile(r"(?<![^\n])### ?(question|answer) ?(:|\r?\n|$)", re.I),
    re.compile(r"\b(USER|HUMAN|SYSTEM|ASSISTANT|FUNCTION RESPONSE)(:)"),  # Vicuna
    re.compile(r"(?:^\s*|(?<=\n))(human|user|system|assistant|ai|bot)(:)", re.I),  # Anthropic's hh-rlhf
]
TURN_MARKS = TEMPLATE_MARKS + PLAIN_MARKS
# A prompt that ends so is a dialogue that waits for its answer.
OPEN_TURN = re.compile(
    r"(<\|im_start\|>assistant(<\|im_sep\|>)?|assistant<\|end_header_id\|>|<start_of_turn>model|<\|assistant\|>|\[/INST\]"
    r"|### ?(assistant|response|answer) ?:?|\b(assistant|ai|bot):)\s*\Z", re.I
)  # fmt: skip
OPEN_TURN_ENDS = (":", ">", "]", "assistant", "model", "response", "answer")  # which few prompts have: quick to see
OPEN_TURN_CHARACTERS = 100  # of the end of a prompt that are looked at
START_MARKERS = ("<s>", "<bos>", "<|begin_of_text|>")
END_MARKERS = (
    "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>"
)  # fmt: skip
# How the text of a turn begins that calls a tool: Hermes, glaive, Llama 3, Mistral.
CALL_MARKERS = ("<tool_call>", "<functioncall>", "<function_call>", "<|python_tag|>", "[TOOL_CALLS]")


class Unusable(Exception):
    """A row that holds no instruction-response pair; its text is the ledger's reason."""


def turns_of(value):
    """The turns of a dialogue as {role, content}, whatever shape it has; what is no dialogue comes as it is.

    Texts alone are the user's and the assistant's in turn, as in LIMA; so are the input and output of each of a list of
    exchanges, as in Capybara. Raises Unusable.
    """
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, dict):
        value = _transposed(value)
    if not isinstance(value, list) or not value:
        return value
    if all(isinstance(turn, str) for turn in value):
        return [{"role": role, "content": text} for role, text in zip(itertools.cycle(("user", "assistant")), value)]
    if all(isinstance(turn, dict) and {"input", "output"} <= set(turn) for turn in value):
        return turns_of([turn[side] for turn in value for side in ("input", "output")])
    return value


def _transposed(columns: dict):
    """The turns of a list for each of their keys, which is what `datasets` makes of a Sequence of dicts."""
    if not ({"role", "content"} <= set(columns) or {"from", "value"} <= set(columns)):
        return columns
    if not all(isinstance(column, list) for column in columns.values()) or len(set(map(len, columns.values()))) > 1:
        return columns
    return [dict(zip(columns, turn, strict=True)) for turn in zip(*columns.values(), strict=True)]


def _parsed(text: str) -> list:
    """What a text says as JSON or as Python's list, or by the marks of its turns. Raises Unusable."""
    if text.lstrip()[:1] == "[":
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(text)
        with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            return ast.literal_eval(text.strip())
    return _marked_turns(text)


def _marked_turns(text: str) -> list[dict]:
    """The turns of a text with marks; what stands before the first is a system text. Raises Unusable without marks."""
    marks = _marks_in(text)
    ends = [mark.start() for mark in marks] + [len(text)]
    parts = [("system", text[: ends[0]])]
    parts += [(mark[1], text[mark.end() : end]) for mark, end in zip(marks, ends[1:], strict=True)]
    said = []  # (role, its texts in a row: an instruction and its input)
    for name, part in parts:
        role, content = ROLES.get(name.lower()), without_suffixes(part.strip(), START_MARKERS + END_MARKERS)
        if said and said[-1][0] == role:
            said[-1][1].append(content)
        elif content or role == "assistant":
            said.append((role, [content]))
    return [{"role": role, "content": join_paragraphs(*texts)} for role, texts in said]


def _marks_in(text: str) -> list[re.Match]:
    """The marks of turns in a text, of the kind that comes first. Raises Unusable where there are none."""
    first = [(found.start(), place) for place, kind in enumerate(TURN_MARKS) if (found := kind.search(text))]
    if not first:
        raise Unusable("no_dialogue")
    kind = TURN_MARKS[min(first)[1]]
    marks = list(kind.finditer(text))
    return marks if kind in TEMPLATE_MARKS else _dialogue_marks(text, marks)


def _dialogue_marks(text: str, marks: list[re.Match]) -> list[re.Match]:
    """Of marks that are plain words those of the dialogue itself: an answer may hold a play, a log or headings.

    They are spelt as the first of their role; names alone stand after a blank line where the first two do. A system
    text comes before all others, an input right behind its instruction.
    """
    apart = marks[0].re is PLAIN_MARKS[-1] and all(_after_blank_line(text, mark) for mark in marks[:2])
    spelling_of, kept = {}, []
    for mark in marks:
        name, role = mark[1].lower(), ROLES[mark[1].lower()]
        spelling = mark[1], mark[2] == ":"
        is_input = name == "input" and kept and kept[-1][1].lower() == "instruction"
        if not mark[2] and kept:  # at the end of the text
            kept.append(mark)
        elif kept and (role == "system" or (apart and not _after_blank_line(text, mark))):
            continue
        elif is_input or spelling_of.setdefault(role, spelling) == spelling:
            kept.append(mark)
    return kept


def _after_blank_line(text: str, mark: re.Match) -> bool:
    return text[max(0, mark.start(1) - 4) : mark.start(1)].replace("\r", "").endswith("\n\n")


def answered_prompt(prompt: str) -> list[dict] | None:
    """The turns of a prompt in one text that ends with the mark of an answer, without that; None for any other."""
    end = prompt[-OPEN_TURN_CHARACTERS:]
    if not end.rstrip().lower().endswith(OPEN_TURN_ENDS) or not OPEN_TURN.search(end):
        return None
    with contextlib.suppress(Unusable):
        turns = _marked_turns(prompt)
        if turns[-1:] == [{"role": "assistant", "content": ""}] and any(turn["role"] == "user" for turn in turns):
            return turns[:-1]
    return None


def dialogue_exchanges(turns, system: str, which: str) -> list[tuple[str, str]]:
    """System text and first user turn, and the answer right after it; or every answer and what led to it.

    Raises Unusable.
    """
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise Unusable("no_dialogue")
    roles = [_role_of(turn) for turn in turns]
    if "user" not in roles:
        raise Unusable("no_user_turn")
    user = roles.index("user")
    end = len(turns) if which == "all" else user + 2
    texts = [_turn_text(turn) for turn in turns[:end]]
    systems = [text for text, role in zip(texts[:user], roles, strict=False) if role == "system"]
    system = join_paragraphs(*(systems or [system]))
    if which == "first":
        if roles[user + 1 : end] == ["call"]:
            raise Unusable("answer_calls_a_tool")
        answers = [user + 1] if roles[user + 1 : end] == ["assistant"] else []
    else:
        asked = [None, *itertools.accumulate(roles, lambda last, role: last if role == "system" else role)]
        answers = [n for n in range(user + 1, end) if roles[n] == "assistant" and asked[n] in ("user", "tool")]
    if not answers:
        raise Unusable("no_answer_after_user_turn")
    if len(answers) * sum(map(len, texts)) > MAX_HISTORY_CHARACTERS:
        raise Unusable("dialogue_too_long")
    return [(_instruction(system, roles[:answer], texts, user), texts[answer]) for answer in answers]


def _instruction(system: str, roles: list[str], texts: list[str], user: int) -> str:
    """What leads to an answer: the system text and the question, or the dialogue so far."""
    if user == len(roles) - 1 and set(roles[:user]) <= {"system", None, "assistant"}:
        return join_paragraphs(system, texts[user])
    begun = [None if role == "system" else role for role in roles[:user]]  # those are in `system`
    spoken = zip([*begun, *roles[user:]], texts, strict=False)
    said = (f"{SPEAKERS[role]}{text}" for role, text in spoken if role in SPEAKERS and text.strip())
    return join_paragraphs(system, *said)


def last_turn(instruction: str) -> str:
    """What the user said last in a dialogue so far, as `_instruction` writes it."""
    return f"\n\n{instruction}".rpartition(f"\n\n{SPEAKERS['user']}")[2]


def _role_of(turn: dict) -> str | None:
    role = ROLES.get(str(turn.get("role") or turn.get("from")).strip().lower())
    return "call" if role == "assistant" and _calls_tool(turn) else role


def _calls_tool(turn: dict) -> bool:
    content = turn.get("value") if turn.get("content") is None else turn["content"]
    in_text = isinstance(content, str) and content.lstrip().startswith(CALL_MARKERS)
    return bool(in_text or turn.get("tool_calls") or turn.get("function_call"))


def _turn_text(turn: dict) -> str:
    content = turn.get("content")
    text = text_of(turn.get("value") if content is None else content)
    calls = turn.get("tool_calls") or turn.get("function_call")
    return join_paragraphs(text, json.dumps(calls, ensure_ascii=False, default=str)) if calls else text


def joined_turns(prompt, response) -> list:
    """A dialogue of a prompt and a response of which at least one is a list of turns."""
    if isinstance(response, list) and any(isinstance(turn, dict) and _role_of(turn) == "user" for turn in response):
        return response
    before = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    after = response if isinstance(response, list) else [{"role": "assistant", "content": response}]
    return [*before, *after]


def history_turns(value) -> list[dict]:
    """The turns of earlier exchanges, [[asked, answered], ...] as LLaMA-Factory has them, or turns; else none."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        with contextlib.suppress(Unusable):
            value = _parsed(value)
    if not isinstance(value, list):
        return []
    if all(isinstance(pair, list | tuple) and [*map(type, pair)] == [str, str] for pair in value):
        return turns_of([text for pair in value for text in pair])
    return value if all(isinstance(turn, dict) and _role_of(turn) for turn in value) else []


def text_of(value) -> str:
    """A cell as text: strings as they are, numbers as written, missing ones as "". Raises Unusable for the rest."""
    if isinstance(value, str):
        return value
    if is_missing(value):
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
        return "".join(part["text"] for part in value)
    raise Unusable("not_text")


def is_missing(value) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # NaN is how some tools write none


def join_paragraphs(*parts: str) -> str:
    """The parts that hold anything, with a blank line between."""
    filled = [part for part in parts if part.strip()]
    return filled[0] if len(filled) == 1 else "\n\n".join(part.strip("\n") for part in filled)


def strip_end_markers(response: str) -> str:
    """The response without the end-marker literals at its end; else as it is, white space included."""
    bare = response.rstrip()
    return without_suffixes(bare, END_MARKERS) if bare.endswith(END_MARKERS) else response


def without_suffixes(text: str, suffixes: tuple[str, ...]) -> str:
    """A text without any of the suffixes at its end, however many there are, and the white space before each."""
    end = len(text)  # the text itself is cut once: there may be very many
    while suffix := next((suffix for suffix in suffixes if text.endswith(suffix, 0, end)), None):
        end -= len(suffix)
        while end and text[end - 1].isspace():
            end -= 1
    return text[:end]
