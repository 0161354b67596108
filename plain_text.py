"""Texts as they are compared: one Unicode form, without what a reader of the page does not see.

Pure functions of the text. Reads and writes no files.
"""

import html
import re
import unicodedata

# What NFKC makes marks between letters of: there is no space beside them, but they part words.
WIDE = re.compile("[\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]")
# Soft hyphens, joiners, marks of direction, of byte order and of variants: they are not seen, and copies lose them.
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufe0e\ufe0f\ufeff"
INVISIBLE_MARKS = re.compile(f"[{INVISIBLE}]")
LINE_BREAKS = re.compile(r"<br ?/?>", re.I)
# Tags that part words, and those that only set their type.
BLOCK_TAGS = re.compile(r"</?(?:p|div|li|ul|ol|td|tr|table|h[1-6])(?: [^<>]*)?/?>", re.I)
TYPE_TAGS = re.compile(r"</?(?:b|i|u|em|strong|sub|sup|span|font|code|a)(?: [^<>]*)?/?>", re.I)


def nfkc(text: str, after_wide: str = "") -> str:
    """The text in Unicode's form NFKC, with `after_wide` after each mark of WIDE. Most that is not in that form is a
    mark or two, which are faster replaced."""
    if text.isascii():
        return text
    text = text.replace("\xa0", " ").replace("…", "...")
    if unicodedata.is_normalized("NFKC", text):
        return text
    return unicodedata.normalize("NFKC", WIDE.sub(rf"\g<0>{after_wide}", text) if after_wide else text)


def unescaped(text: str) -> str:
    """The text with HTML's entities as their characters, and <br> and a written-out \\n as the line's end they mean."""
    if "\\" in text:  # one character is found many times as fast as two
        text = text.replace("\\r\\n", "\n").replace("\\n", "\n")
    if "<" in text:
        text = LINE_BREAKS.sub("\n", text)
    return html.unescape(text) if "&" in text else text


def without_tags(text: str) -> str:
    """The text without HTML's tags of words and paragraphs."""
    return TYPE_TAGS.sub("", BLOCK_TAGS.sub(" ", text)) if "<" in text else text
