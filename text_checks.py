"""What can be checked in one answer by itself: sums that hold, brackets that close, blocks that are indented, and the
form that was asked for.

Signs of a right answer that no count of words shows; each is 1, or true, where there is nothing to check."""

import re

# ---------------------------------------------------------------------------------------------------------------------
# Sums

# "3 * 4 + 1 = 13": the number stated after "=", and the chain of numbers and signs before it.
NUMBER = r"\d[\d,]*(?:\.\d+)?"
SAID = re.compile(rf"=\s?\$?(-?{NUMBER})(?![\w%/]|[.,]?\d|\s?[-+*/x×÷^]\s?\$?\d)")
CHAIN = re.compile(rf"(?<![\w.,+*/^×÷(-])(?<![-+*/x×÷\d] )({NUMBER}(?:\s?[-+*/x×÷]\s?{NUMBER})+)\s?$")
CHAIN_CHARACTERS = 100
PIECES = re.compile(rf"{NUMBER}|[-+*/x×÷]")
DIVISION = re.compile("[/÷]")


def value_of(chain: str) -> float | None:
    """What a chain of numbers and signs comes to, products first; None where it divides by 0, or twice ("60 / 3/4")."""
    if len(DIVISION.findall(chain)) > 1:
        return None
    total, product, sign = 0.0, 1.0, "*"
    for piece in PIECES.findall(chain):
        if not piece[0].isdigit():
            sign = piece
            continue
        number = float(piece.replace(",", ""))
        if sign in "+-":
            total, product = total + product, number if sign == "+" else -number
        elif sign in "/÷":
            if not number:
                return None
            product /= number
        else:
            product *= number
    return total + product


def holds(chain: str, said: str) -> bool:
    """Whether a chain comes to what is stated, to a unit of its last digit: results are rounded or cut."""
    value = value_of(chain)
    unit = 10.0 ** -len(said.partition(".")[2])
    if not set(chain) & set("/÷."):
        unit = 0.0  # whole numbers without a division have one exact result
    return value is None or abs(value - float(said.replace(",", ""))) <= unit + 1e-9 * abs(value)


def sums_hold(text: str) -> float:
    """Share of the sums written out in a text ("12 * 3 = 36") that hold; 1 where there are none."""
    sums = []
    for said in SAID.finditer(text):
        chain = CHAIN.search(text[max(0, said.start() - CHAIN_CHARACTERS) : said.start()].replace("$", ""))
        if chain:
            sums.append(holds(chain[1], said[1]))
    return sum(sums) / len(sums) if sums else 1.0


# ---------------------------------------------------------------------------------------------------------------------
# Code

BRACKET = re.compile(r"[()\[\]{}]")
OPENS = {")": "(", "]": "[", "}": "{"}
CHECKED_CHARACTERS = 4_000
FEW_BRACKETS = 4


def brackets_match(text: str) -> float:
    """Share of the brackets of a piece of code that close what was last opened, or are closed; 1 where they are few."""
    brackets, waiting, wrong = BRACKET.findall(text[:CHECKED_CHARACTERS]), [], 0
    for bracket in brackets:
        if bracket not in OPENS:
            waiting.append(bracket)
        elif waiting and waiting[-1] == OPENS[bracket]:
            waiting.pop()
        else:
            wrong += 1
    wrong += len(waiting) * (len(text) <= CHECKED_CHARACTERS)
    return 1.0 - wrong / len(brackets) if len(brackets) >= FEW_BRACKETS else 1.0


OPENERS = ("if ", "for ", "while ", "def ", "class ", "with ", "elif ", "else:", "try:", "except", "async ", "match ")


def opens_block(line: str) -> bool:
    """Whether a stripped line opens a block: in "{", or in ":" after a word of Python's that does."""
    return line[-1] == "{" or line[-1] == ":" and line.startswith(OPENERS)


def blocks_indented(text: str) -> float:
    """Share of the lines opening a block whose next line is indented further; 1 where there are none."""
    lines = [line for line in text[:CHECKED_CHARACTERS].split("\n") if line.strip()]
    depths = [len(line) - len(line.lstrip()) for line in lines]
    opens = [opens_block(line.strip()) for line in lines[:-1]]
    deeper = [then > depth for depth, then, block in zip(depths, depths[1:], opens, strict=False) if block]
    return sum(deeper) / len(deeper) if deeper else 1.0


# ---------------------------------------------------------------------------------------------------------------------
# The form that was asked for

# What an ask says, in lower case, or what an answer in that form has: loose, so that plain failures alone count.
JSON_ASKED = re.compile(r"\b(?:in|as|into|to|valid|using) (?:an? )?(?:valid )?json\b")
LIST_ASKED = re.compile(
    r"(?<!these )(?<!following )(?<!the )(?<!of )\b(?:bullet(?:ed)?[ -]?(?:point|list)|numbered list)"
)
SENTENCE_ASKED = re.compile(
    r"\b(?:in|using|with|into|as) (?:only |just )?(?:one|a single|1) sentence\b|\bone-sentence\b"
)
WORD_ASKED = re.compile(r"\b(?:in|with|using|just|only|answer|reply|respond)(?: \w+)? (?:one|a single|1)[- ]word\b")
CODE_ASKED = re.compile(
    r"\b(?:write|implement|code) (?:me )?(?:an?|some) (?:[\w+#.-]+ ){0,3}?"
    r"(?:function(?! name)|program|code|sql query|class|method|regex|(?:shell|bash|python) script)\b"
)
LIST_ITEM = re.compile(r"(?:^|\n)[ \t]*(?:[-*•+–]|\w{1,2}[.)])\s|\n[ \t]*\S")
SENTENCE_END = re.compile(r"[.!?][\"')\]]*(?:\s|$)")
CODE_SIGN = re.compile(r"[=({;<$`\[\\#|>*+]|--?\w")


def keeps_form(ask: str, text: str, code_asked: bool) -> bool:
    """Whether an answer has the form that its ask (in lower case) names: JSON, a list, one sentence, a word, code."""
    if code_asked:
        return not CODE_ASKED.search(ask) or bool(CODE_SIGN.search(text))
    if "json" in ask and JSON_ASKED.search(ask) and "{" not in text and "[" not in text:
        return False
    if ("bullet" in ask or "numbered" in ask) and LIST_ASKED.search(ask) and not LIST_ITEM.search(text):
        return False
    if "sentence" in ask and SENTENCE_ASKED.search(ask) and len(SENTENCE_END.findall(text.strip())) > 2:
        return False
    return not ("word" in ask and WORD_ASKED.search(ask) and len(text.split()) > 3)
