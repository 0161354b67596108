"""Remains that are no part of an answer: further turns of a chat, marks of a chat template, an unfinished thought, what
surrounds a text on a web page or in a prompt, fields to be filled in, entities, lost characters. And those of an ask.

All are found by plain marks, which most answers lack, so that a quick test comes before each slow search. `ask` is the
part of an instruction that says what is wanted, in lower case; what it asks for does not count as remains.
"""

import re

CODE_SPAN = re.compile(r"```.*?(?:```|$)|`[^`\n]*`", re.S)
WORD = re.compile("[a-z]+")


def says(ask: str, words: str) -> bool:
    """Whether an ask has one of some words."""
    return not set(words.split()).isdisjoint(WORD.findall(ask))


# ---------------------------------------------------------------------------------------------------------------------
# Another's turn

# A line within an answer that hands the turn back to the user, "User: And in winter?", or asks a new question.
SPEAKER = re.compile(
    r"\n[>*_]*(?:\d{1,3}\. ?|#+ ?)?(?:(?:instruction|user|human)[ \t*_]{0,4}:|(?<=[# ])instruction[ \t]*\n)", re.I
)
QUESTION = re.compile(r"\n[ \t\r]*\n[>*_# ]*(?:question|q|prompt)[ \t*_]{0,4}:", re.I)  # a number would make it a list
TURN_WORDS = "user human instruction question prompt q"
SPEAKER_ASKS = (
    "conversation conversations dialog dialogue dialogues chat script scene transcript roleplay role interview"
)
QUESTION_ASKS = (
    "questions quiz quizzes faq faqs trivia riddle riddles interview exam exams flashcard flashcards joke jokes "
    "prompt prompts test"
)
TEMPLATE_MARK = re.compile(
    r"<\|(?:im_|endoftext|user|assistant|system|eot|start|end|begin)\w*\|?>|</s>|<eos>|<(?:start|end)_of_turn>|<<SYS>>|"
    r"\[/?INST\]"
)


def has_template_marks(ask: str, text: str) -> bool:
    """Whether an answer has marks of a chat template that its ask has not, or is a thought that comes to no answer."""
    if "<" not in text and "[" not in text:
        return False
    mark = TEMPLATE_MARK.search(text)
    if mark and mark[0].lower() not in ask:
        return True
    return "<think>" in text and not text.partition("</think>")[2].strip()


# What a whole answer is wrapped in, by how it begins: a template's label, its system prompt, the number or the mark of
# quotation that every line has, a list of one text as Python writes it.
LABEL = re.compile(r"\*{0,2}(?:#{1,4} ?(?:response|assistant|output)\b|(?:assistant|output) ?:)", re.I)
SYSTEM_PROMPT = re.compile(r"you are an? (?:[\w-]+,? ){0,4}?(?:helpful|honest|ai|expert|assistant|chatbot)\b", re.I)
QUOTED_LINE = re.compile(r"(?:>|\+)(?: ?[\w\"'*#(\[]|\s*$)")
WRAPPERS = frozenset(" \n#*aAoOyY1>+[")  # what such an answer begins with
ROLE_ASKS = f"{SPEAKER_ASKS} prompt persona system letter horoscope poem story compliment"
LIST_ASKS = "list array json python code yaml output format string strings"


def is_wrapped(ask: str, text: str, is_code: bool) -> bool:
    """Whether an answer as a whole is wrapped in what is no part of it. Only one that begins as WRAPPERS say can be."""
    opening = text[:80].lstrip()
    if opening[:1] not in WRAPPERS:  # nor is one of blanks
        return False
    label = LABEL.match(opening)
    if label:
        return label[0].strip("*# :").lower() not in ask
    if opening[0] in "yY":
        return bool(SYSTEM_PROMPT.match(opening)) and not says(ask, ROLE_ASKS)
    if opening[0] == "[":
        return opening[1:2] in ("'", '"') and text.rstrip()[-2:] in ("']", '"]') and not says(ask, LIST_ASKS)
    return not is_code and opening[0] in "1>+" and has_marked_lines(text.strip())


def has_marked_lines(text: str) -> bool:
    """Whether all lines of a text are numbered, without a stop, or begin with a mark of quotation."""
    lines = text.split("\n")
    if text[0] == "1":
        return len(lines) > 2 and all([line.startswith(f"{place} ") for place, line in enumerate(lines, 1)])
    return len(text) > 20 and all([line[:1] == text[0] and QUOTED_LINE.match(line) for line in lines if line.strip()])


# Letters of scripts that an answer may end in though it is not written in them.
OTHER_SCRIPT = re.compile("[\u0400-\u04ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
TAIL_CHARACTERS, TAIL_LETTERS = 40, 5
SCRIPT_ASKS = (
    "translate translation translated translations language languages chinese mandarin cantonese japanese korean "
    "russian ukrainian bulgarian serbian kanji hanzi alphabet script say world"
)


def ends_in_other_script(ask: str, text: str) -> bool:
    """Whether an answer ends in a script that neither its beginning nor its ask has, and that was not asked for."""
    if text.isascii() or len(OTHER_SCRIPT.findall(text[-TAIL_CHARACTERS:])) < TAIL_LETTERS:
        return False
    beginning = text[: max(0, len(text) - 2 * TAIL_CHARACTERS)][:200]
    return not OTHER_SCRIPT.search(ask + beginning) and not says(ask, SCRIPT_ASKS)


def goes_on(ask: str, text: str) -> bool:
    """Whether an answer goes on with a turn of the user. Only one with any of TURN_WORDS can."""
    if "`" in text:
        text = CODE_SPAN.sub("", text)
    return bool(SPEAKER.search(text)) and not says(ask, SPEAKER_ASKS) or asks_anew(ask, text)


def asks_anew(ask: str, text: str) -> bool:
    """Whether an answer that does not begin with a question goes on with one, where none was asked for."""
    found = QUESTION.search(text)
    return bool(found) and not QUESTION.match(f"\n\n{text.lstrip()}") and not says(ask, QUESTION_ASKS)


# ---------------------------------------------------------------------------------------------------------------------
# Around an ask

# What the file or the prompt that an instruction was taken from has around it: its number, the system prompt of any
# assistant, an empty input, a field not filled in, the template's own headings.
ITEM_NUMBER = re.compile(r"\d{1,3}\. \w")
NEXT_ITEM = re.compile(r"\n[ \t]*\d{1,3}\. ")  # a list of asks is no numbered one
ANY_ASSISTANT = re.compile(  # one that plays somebody, "an AI assistant who lives on Mars", is asked for
    r"you are an? (?:helpful\b|(?:[\w-]+,? ){0,4}?(?:assistant|chatbot|(?:language|ai) model)[.,!])", re.I
)
NO_INPUT = re.compile(r"\binput: ?(?:none|n/a|no input|<no ?input>)\.?$", re.I)
UNFILLED = re.compile(r"\{(?:input|instruction|question|prompt)\}", re.I)
HEADING = re.compile(r"### ?(?:instruction|response|input)\b", re.I)
END_CHARACTERS = 24


def has_prompt_remains(ask: str) -> bool:
    """Whether an instruction has around it what is no part of it."""
    opening = ask[:80].lstrip()
    if opening[:1].isdigit() and ITEM_NUMBER.match(opening) and not NEXT_ITEM.search(ask):
        return True
    if opening[:1] in "yY" and ANY_ASSISTANT.match(opening):
        return True
    if "{" in ask and UNFILLED.search(ask) or "#" in ask and HEADING.search(ask):
        return True
    if ("<" in ask or "[" in ask) and TEMPLATE_MARK.search(ask):
        return True
    end = ask[-END_CHARACTERS:].rstrip()
    return "put:" in end and bool(NO_INPUT.search(end))


# ---------------------------------------------------------------------------------------------------------------------
# Around a text

# What a web page has around its text.
PAGE_PHRASES = (
    "cookie policy", "privacy policy", "terms of use", "all rights reserved", "skip to main content",
)  # fmt: skip
# What advertises, and the words of asks for texts that may well do so.
PROMOTIONS = ("follow us", "subscribe", "click here", "visit our", "sign up", "contact us", "buy now")
AROUND_WORDS = "policy terms rights skip follow subscribe click visit sign contact buy"
PROMOTION_ASKS = (
    "ad ads advert advertisement advertising market marketing slogan mail email emails letter campaign post "
    "posts product business website site blog social sell sales sale promote promotional promotion customer "
    "customers shop store brand tweet caption company service services newsletter subscribe subscription message "
    "flyer brochure press landing youtube"
)
# A link in running text, not one named as a source, "(https://...)". What an ask about links says: where none was asked
# for, such a link is an advertisement or made up.
LINK = re.compile(r"[\w.,!] (?:https?://|www\.)")
LINK_ASKS = ("http", "www.", "link", "url", "site", "source", "resource", "online", "internet", "cite", "citation")


def around_text(ask: str, edges: str) -> int:
    """How many phrases of a page or of advertising stand at an answer's ends (`edges`, in lower case). Only an answer
    with any of AROUND_WORDS has some."""
    promotions = sum([phrase in edges for phrase in PROMOTIONS])
    promotions *= promotions > 0 and not says(ask, PROMOTION_ASKS)
    return promotions + sum([phrase in edges for phrase in PAGE_PHRASES])


def has_loose_link(ask: str, edges: str) -> bool:
    """Whether a link stands in the running text of an answer's ends."""
    found = ("://" in edges or "www." in edges) and LINK.search(edges)
    return bool(found) and not any([word in ask for word in LINK_ASKS])


# ---------------------------------------------------------------------------------------------------------------------
# Within a text

MOJIBAKE = re.compile("[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac")  # UTF-8 read as Windows-1252: Ã© for é, â€™ for ’
ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|[lr][sd]quo|[nm]dash|hellip|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
TAG = re.compile(r"</?(?:br|p|div|span|li|ul|ol|b|i|strong|em|h[1-6]|a|td|tr|table|html|body)\b[^<>]*>", re.I)
TAG_ASKS = "web webpage website page pages html tag tags markup xml svg browser react component"
ESCAPE = re.compile(r"\\(?:n(?![a-z])|r(?![a-z])|\"|u[0-9a-fA-F]{4})")
SHOUT = re.compile(r"[!?]{6,}")
TEMPLATE_FIELD = re.compile(r"\{\{ ?[A-Za-z][\w .-]{0,40}\}\}")
FIELD = re.compile(
    r"[\[<](?:your|my|insert|enter|add|recipient|sender|company|name|date|address|phone|email|title|topic|city|number)"
    r"(?: [^\]\[<>\n]{0,40})?[\]>]",
    re.I,
)
BLANK = re.compile(r"(?<=[ (])(?:X{4,}|_{3,})(?=[\s,.;:)])")
# These begin with their mark, for which the search is fast; "[1]" behind a word may be code, "[1](" is a link.
CITATION = re.compile(r"\[(?<=[\w.,;:!?\"')]\[)\d{1,3}\](?!\()")
CITATION_BEHIND_STOP = re.compile(r"\[(?<=[.!?]\[)\d{1,3}\](?!\()")
CITATION_ASKS = "cite citation citations reference references source sources index array list"
# Words of asks for what is sent or said in the name of somebody whom the ask does not name.
FIELD_ASKS = (
    "letter letters mail email emails template resume cv form message text invitation contract script note "
    "speech proposal memo bio announcement ad advertisement report invoice agreement statement review "
    "placeholder placeholders blank blanks article post press introduce introduction yourself card cards postcard"
)


def litter(ask: str, text: str, code_asked: bool, is_code: bool) -> int:
    """How many lost characters, runs of marks and, where code was not asked for, tags an answer has; where it does not
    look like code either, as a web page does, also entities, escapes and fields left unfilled."""
    found = 0
    if not text.isascii():
        found += text.count("\ufffd")
        if "\u00c3" in text or "\u00c2" in text or "\u20ac" in text:
            found += len(MOJIBAKE.findall(text))
    if "!" in text and "!!!!" in text or "?" in text and "????" in text:
        found += 3 * len(SHOUT.findall(text))
    if code_asked:
        return found
    if "`" in text:
        text = CODE_SPAN.sub("", text)
    if "<" in text and "<" not in ask and not says(ask, TAG_ASKS):
        found += len(TAG.findall(text))
    if "[" in text and "[" not in ask:
        citations = len((CITATION_BEHIND_STOP if is_code else CITATION).findall(text))
        found += citations * (citations > 0 and not says(ask, CITATION_ASKS))
    if is_code:
        return found
    if "&" in text and ";" in text:
        found += len(ENTITY.findall(text))
    if "\\" in text:
        found += len(ESCAPE.findall(text))
    if "{" in text and "{{" in text:
        found += len(TEMPLATE_FIELD.findall(text))
    if "X" in text and "XXXX" in text or "_" in text and "___" in text:
        blanks = len(BLANK.findall(text))
        found += blanks * (blanks > 0 and "__" not in ask and "xx" not in ask and not says(ask, FIELD_ASKS))
    if "%" in text and "%20" in text and "%20" not in ask and "://" not in text:
        found += text.count("%20")
    if "[" in text or "<" in text:
        fields = len(FIELD.findall(text))
        found += fields * (fields > 0 and "[" not in ask and not says(ask, FIELD_ASKS))
    return found
