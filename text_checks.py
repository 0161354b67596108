"""What can be checked in the plain text of one answer, beside its ask: repetition, order, layout, how it ends, whether
sums hold and brackets close, and whether it has the form that was asked for.

Functions of strings that show what no count of words does. `pair_features.py` makes sub-scores of them.
"""

import re

# ---------------------------------------------------------------------------------------------------------------------
# What is said again, of the ask or of the answer itself


def looped_fraction(text: str) -> float:
    """Share of the text that is one piece said three times or more in a row, up to the text's end; in [0, 1].

    Degenerate generation loops until it is cut off, so the last characters give the period away."""
    end, tail = len(text), text[-LOOP_TAIL:]
    before = text.rfind(tail, 0, end - 1)
    period = end - len(tail) - before
    if before < 0 or period == 0 or period == 1 and not tail[0].isalnum():
        return 0.0  # a rule of dashes or dots is not a loop
    repeats = 1
    while text.endswith(text[-period:], 0, end - repeats * period):
        repeats += 1
    return repeats * period / end if repeats > 2 or repeats > 1 and period > 40 else 0.0


LOOP_TAIL = 8  # characters; shorter tails recur by chance
LOOP_CHARACTERS = 2_500
SHORT_CHARACTERS = 200  # a longer text said twice repeats its sentences, or a tail of some length


def echoed_fraction(ask: str, text: str) -> float:
    """Share of an answer that is its whole ask, repeated at its start or within its first words: at least LEAST_ECHO,
    or 0 without one."""
    ask = ask.strip()
    echoes = len(ask) >= ECHO_CHARACTERS and ask in text[: len(ask) + ECHO_WITHIN] and not ask.startswith(CODE_BEGINS)
    return max(LEAST_ECHO, len(ask) / len(text)) if echoes else 0.0


ECHO_CHARACTERS, ECHO_WITHIN, LEAST_ECHO = 20, 80, 0.25
CODE_BEGINS = ("def ", "class ", "import ", "from ", "function ", "public ", "#", "<")  # begun code is carried on


def says_again(ask: str, answer: str) -> bool:
    """Whether an answer is hardly more than its ask repeated."""
    return bool(answer) and 0.9 * len(ask) <= len(answer) <= len(ask) + 2 and answer.strip() in ask


def quoted(ask: str, answer: str) -> float:
    """How an answer made of the ask's words occurs in it: 1 between punctuation marks, as an option does; 0.9 within a
    phrase; 0.5 not in one piece."""
    ask, answer = ask.lower(), answer.lower().strip(" .\n")
    found, place = 0.5, ask.find(answer)
    while place >= 0:
        end = place + len(answer)
        before, after = ask[max(0, place - 4) : place].rstrip(" "), ask[end : end + 4].lstrip(" ")
        if before[-1:] in PHRASE_ENDS and after[:1] in PHRASE_ENDS:
            return 1.0
        found, place = 0.9, ask.find(answer, place + 1)
    return found


PHRASE_ENDS = "\n\t.,;:!?()[]<>{}|*-\"'“”‘’"  # and the text's own ends


def said_twice(text: str) -> bool:
    """Whether a text is one thing said twice, with blanks between."""
    text = text.strip()
    first = text[: len(text) // 2].rstrip()
    return text.endswith(first) and text[len(first) : len(text) - len(first)].isspace()


def looped_or_repeated(text: str) -> float:
    """The share of repeated sentences or lines, or of a loop at the end, whichever is larger."""
    if len(text) < SHORT_CHARACTERS and said_twice(text):
        return 0.5
    share = looped_fraction(text[-LOOP_CHARACTERS:].strip())
    pieces = [piece for piece in text.replace(". ", "\n").split("\n") if len(piece) > 12]
    return max(share, 1.0 - len(set(pieces)) / len(pieces)) if len(pieces) > 1 else share


# ---------------------------------------------------------------------------------------------------------------------
# Order, layout, ending


def numbers_rise(text: str) -> bool:
    """Whether the items "1. ", "2. ", ... stand in the order of their numbers, each where it is first met."""
    if "1. " not in text:
        return True
    pieces = text.split(". ")
    places: dict[str, int] = {}
    for place in [place for place, piece in enumerate(pieces[:-1]) if piece and piece[-1] in DIGITS]:
        before = pieces[place].rstrip(DIGITS)
        if follows_sentence(before):
            places.setdefault(pieces[place][len(before) :], place)
    number, last = 1, -1
    while last < places.get(str(number), -1):
        number, last = number + 1, places[str(number)]
    return str(number) not in places


DIGITS = "0123456789"


def follows_sentence(before: str) -> bool:
    """Whether what stands before a number ends a line or a sentence, but for marks of layout: not "12" or "Step "."""
    if before[-1:] in ("\n", ""):
        return True
    end = before.rstrip(" \t#*>-")[-1:]
    return end in ("\n", "") or end in '.:;!?)"' and before[-1] in " *"


CONCLUSIONS = ("in conclusion", "in summary", "overall,")


def concludes_early(text: str) -> bool:
    """Whether a conclusion stands in the first half."""
    first_half = text[: len(text) // 2].lower()
    return any([phrase in first_half for phrase in CONCLUSIONS])


NO_ITEM_MARKS = dict.fromkeys(map(ord, "-*•+123456789"))


def layout(text: str) -> float:
    """Lists, headings, paragraphs, tables and code blocks, counted; a paragraph ends in one blank line."""
    lines = text.split("\n")
    starts = "".join([line.lstrip()[:1] for line in lines])
    items = len(starts) - len(starts.translate(NO_ITEM_MARKS))
    blocks = starts.count("|") + (text.count("```") if "`" in text else 0)
    bold = text.count("**") / 2 if "*" in text else 0.0
    blank = min(lines.count(""), len(lines) // 2)
    return items + 2 * starts.count("#") + bold + 1.5 * blank + blocks


FINAL_MARKS = frozenset(".!?\"'”’)]}`*|>…。！？」》；;$")


def without_flourish(text: str) -> str:
    """A text without the pictures, or the rule of dashes, that may follow its end; itself where it is nothing else."""
    end = len(text)
    while end and (PICTURES.match(text[end - 1]) or text[end - 1].isspace()):
        end -= 1
    if text.endswith("\n---", 0, end):
        end = len(text[:end].rstrip("-").rstrip())
    return text[:end] or text


PICTURES = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff\ufe0f\u200d]")  # emoji, and what joins them


def completeness(text: str, words: float, ends_open: bool, sentence: bool, expected: float, english: float) -> float:
    """1 where an answer ends as finished text does; low where it breaks off, on a word that leads on (`ends_open`), or
    where a `sentence`, brackets or quotes are begun and not ended."""
    text = text.rstrip()
    if text[-1] >= "\u200d" or text.endswith("---"):
        text = without_flourish(text)
    if "`" in text and text.count("```") % 2 or text.count("{") > text.count("}"):
        return 0.4
    last = text[-1]
    left_open = text.count("(") > text.count(")") or text.count('"') % 2 > 0
    if last in FINAL_MARKS or last.isdigit() and words > 3:
        return 0.7 if left_open else 1.0
    if last in ",:;-–(" or ends_open:
        return 0.35
    if words < 15 and words <= max(8.0, 3.0 * expected):
        return 0.7 if left_open or sentence else 0.95
    last_line = text[text.rfind("\n") + 1 :].lstrip()
    is_list = 4 * text.count(",") > words
    if is_list or last_line[:1] in "-*•+|#" or last_line[:1].isdigit() or len(last_line) < 40:
        return 0.8  # a list item or a label needs no full stop
    return 0.8 - 0.4 * english  # from 0.4 in English prose to 0.8 where the language is not known


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

# What an ask says, in lower case, or what an answer in that form has; loose, so that only plain failures count.
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
