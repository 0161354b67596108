"""Questions with choices beside them: the choices belong to what is asked, and a place among them is no answer.

Pure functions of a row's cells. Reads and writes no files.
"""

import re
import string

from dialogues import Unusable, text_of

PLACE = re.compile(r"(-?\d+)(?:\.0)?|\(?([A-Za-z])[).]?")  # a number from 0 on, or a letter


def with_choices(question: str, choices, answer) -> tuple[str, str]:
    """The question with a line for each choice, unless it has them already, and the answer as its choice.

    choices: texts, {"text": texts, "label": labels} as in ARC, or {label: text}; a row of others stays as it is.
    answer: the cell. Raises Unusable where it is a place and there is none such.
    """
    text_of_label, answered = _labelled(choices), text_of(answer)
    if not text_of_label:
        return question, answered
    lines = {label: _line(label, text) for label, text in text_of_label.items()}
    if not all(text in question for text in text_of_label.values()):
        question = "\n".join([question.rstrip(), *lines.values()])
    place, is_choice = PLACE.fullmatch(answered.strip()), answered.strip() in text_of_label.values()
    if not place or (is_choice and isinstance(answer, str)):  # 2 is a place where "2" is a choice
        return question, answered
    label = place[2].upper() if place[2] else place[1]
    if label not in lines and place[1] and 0 <= int(place[1][:9]) < len(lines):
        label = list(lines)[int(place[1])]
    if label not in lines and not is_choice:
        raise Unusable("answer_is_no_choice")
    return question, lines.get(label, answered)


def _line(label: str, text: str) -> str:
    return text if re.match(rf"\W?{re.escape(label)}\W", text) else f"{label}. {text}"


def _labelled(choices) -> dict[str, str]:
    """The text of each choice by its label; {} for what is no list of choices."""
    if isinstance(choices, dict):
        labels, texts = choices.get("label"), choices.get("text")
        if not isinstance(labels, list) or not isinstance(texts, list):
            labels, texts = list(choices), list(choices.values())
    else:
        labels, texts = string.ascii_uppercase, choices
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in (*labels, *texts)):
        return {}
    return {label.upper(): text for label, text in zip(labels, texts, strict=False)}
