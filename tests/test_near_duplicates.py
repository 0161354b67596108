"""Duplicates: similarities by hand and by plain sets, planted near-duplicates, clusters, buckets that are too large."""

import re
import unicodedata

import numpy as np
import pytest

import near_duplicates as module
from near_duplicates import ShingleSets, best_of_each, first_of_each, near_duplicates, normalise, text_digest

PAUSES, MARKS = ".,;:!?-#", ".,;:!?()[]{}*_-#"


def plain_word(word):
    stripped = word.strip(".,;:!?()[]{}*_")
    before = word[: len(word) - len(word.lstrip(".,;:!?()[]{}*_"))][-1:]
    return before + stripped if stripped[0] in "=>" or (before == "." and stripped[0] in "0123456789") else stripped


BULLETS = {"*": "\ue000", "+": "\ue001"}


def plain_words(text):
    text = re.sub("[！（），：；？]", r"\g<0> ", text).translate(dict.fromkeys(map(ord, "'`\"")))
    for bullet in re.finditer(r"(?:\A|[\n\r])[^\S\n\r]*([*+])(?=\s|\Z)", text):
        place = bullet.start(1)
        around = text[max(bullet.start() - 1, 0) : bullet.start()] + text[place + 2 : place + 3]
        if not re.fullmatch("[0-9]{2}", around):
            text = f"{text[:place]}{BULLETS[text[place]]}{text[place + 1 :]}"
    words = normalise(text).split()
    digits = [[bool(re.match("[0-9]", word[place])) for word in words] + [False] for place in (-1, 0)]
    kept = []
    for number, word in enumerate(words):
        if word in BULLETS.values():
            continue
        if word.strip(MARKS):
            kept.append(plain_word(word))
        elif word == "-" and number and digits[0][number - 1] and digits[1][number + 1]:
            kept.append(word)
        elif word[0] not in PAUSES or word[-1] not in PAUSES:
            kept.append(word)
    return kept or [{bullet: mark for mark, bullet in BULLETS.items()}.get(word, word) for word in words]


def plain_shingles(text, size):
    words = plain_words(text)
    return {tuple(words[start : start + size]) for start in range(max(1, len(words) - size + 1))} if words else set()


def plain_jaccard(first, second, size):
    first, second = plain_shingles(first, size), plain_shingles(second, size)
    return len(first & second) / max(1, len(first | second))


def shingles(texts, size=5):
    return module.windows(*module.word_hashes(texts), size)


def random_text(rng, words):
    return " ".join(f"w{number}" for number in rng.integers(0, 5_000, words))


def clusters_of(pairs, threshold=0.8):
    def pairs_of(rows):
        return [pairs[row][0] for row in rows], [pairs[row][1] for row in rows]

    return near_duplicates(len(pairs), pairs_of, threshold)


def test_exact_duplicates_are_equal_after_normalisation():
    assert normalise("  ＡBC\tﬁne\n\nStraße ") == "abc fine strasse"
    assert text_digest("A  b", "c") == text_digest("a b", "C ")
    assert text_digest("a b", "c") != text_digest("a", "b c")
    assert text_digest("\ud800") != text_digest("")
    assert first_of_each([b"b" * 16, b"a" * 16, b"b" * 16, b"a" * 15 + b"\0"]).tolist() == [True, True, False, True]


def test_the_short_way_to_nfkc_is_the_whole_one():
    rng = np.random.default_rng(9)
    letters = [*"ae .", "\xa0", "…", "\u0301", "\u0323", "é", "ﬁ", "Ａ", "가", "\u1161", "½", "\ud800"]
    for size in rng.integers(1, 6, 2_000):
        text = "".join(rng.choice(letters, size))
        assert module.nfkc(text) == unicodedata.normalize("NFKC", text), ascii(text)


def test_shingles_by_hand():
    hashes, offsets = shingles(["a b c d e f", "A  b c\nd e", "x y", "", "b c d e f"])
    assert offsets.tolist() == [0, 2, 3, 4, 4, 5]
    assert hashes[0] == hashes[2] and hashes[1] == hashes[4] and len(set(hashes.tolist())) == 3
    words, offsets = shingles(["a b a", "b a"], size=1)
    assert offsets.tolist() == [0, 3, 5] and words[0] == words[2] == words[4] and words[1] == words[3]


def test_order_and_length_of_words_matter():
    hashes, _ = shingles(["a b", "b a", "ab", "a", "a b c d e", "e d c b a", "a\0b"])
    assert len(set(hashes.tolist())) == 6 and hashes[0] == hashes[6]  # NUL is read as a space


def words_equal(one, other):
    hashes, offsets = module.word_hashes([one, other])
    return hashes[: offsets[1]].tolist() == hashes[offsets[1] :].tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Yes, it is: a (small) dog!", "yes it is a small dog"),
        ("**Note:** the _x_ is `here`.", "Note the x is here"),
        ("She said “don’t” — twice…", 'she said "dont" twice'),
        ("dogs – big ones - bark", "dogs, big ones, bark"),
        ("« Oui » dit-elle !", "Oui dit-elle"),
        ("これは本です。", "これは本です"),
        ("[a], {b}; (c)...", "a b c"),
        ("## The answer\n- one\n- two", "The answer: one, two"),
        ("天気がいい。散歩、しよう！行くぞ", "天気がいい！散歩，しよう。行くぞ"),
        ("−5 °C", "-5 °C"),
        ("one:\n- a\n  - b", "* one:\r\n  + a\n\t• b"),
        ("Two:\n◦ a\n· b\n* c", "Two:\n- a\n- b\n– c"),
        ("a so\u00adft hy\u200bphen\u2060s\ufeff", "a soft hyphens"),
        ("&quot;R&amp;D&quot; isn&#39;t&nbsp;it?", '"R&D" isn\'t it?'),
        ("one<br>two<BR />three\\nfour\\r\\nfive", "one two three four five"),
    ],
)
def test_quotes_and_punctuation_around_words_do_not_count(one, other):
    assert words_equal(one, other)


def test_digests_of_words_are_equal_where_the_texts_ask_the_same():
    texts = ["What is C++?", "what is C++", '"What" is C++ ...', "What is C?"]
    texts += ["What is -5?", "What is 5?", "C++ is what?"]
    digests = module.word_digests(texts * 100)  # more than one batch
    assert digests[:7] * 100 == digests and {len(digest) for digest in digests} == {16}
    assert digests[0] == digests[1] == digests[2] and len(set(digests)) == 5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.5", "35"), ("1,000", "1000"), ("-5", "5"), ("50%", "50"), ("$5", "5"), ("C", "C++"), ("C#", "C"),
        ("x[i]", "x(i)"), ("a+b", "a-b"), ("2 * 3", "2 - 3"), ("2 * 3", "2 3"), ("2 + 3", "2 - 3"), ("a < b", "a > b"),
        ("10-20", "1020"), ("f(x)", "f x"), ("#1", "1"), ("😀", "😢"), ("é", "e"), ("a,b", "ab"),
        (".5", "5"), ("5 - 3", "5 3"), ("a != b", "a = b"), ("a *= b", "a := b"), ("[]", "{}"), (":)", ":("),
        ("12\n+ 35", "12\n* 35"), ("a\n*b* c", "a\nb* c*d"), ("*", "+"), ("- a * b", "- a b"),
        ("?", "!"), ("...", ""), ("– –", "– – –"), ("。", "！"),
    ],
)  # fmt: skip
def test_signs_and_what_stands_within_a_word_count(one, other):
    assert not words_equal(one, other)


def test_words_are_the_plain_ones_whatever_marks_there_are():
    rng = np.random.default_rng(7)
    pieces = [*"ab.,;:!?()[]{}*_-'\"`#>+ \n\t", " ", " ", "3.5", "C++", "“", "’", "—", "…", "\xa0", "É", "。"]
    texts = ["".join(rng.choice(pieces, size)) for size in rng.integers(0, 12, 4_000)]
    hashes, offsets = module.word_hashes(texts)
    typed = str.maketrans({mark: plain.decode() for mark, plain in module.TYPOGRAPHY.items()})
    known = {}
    for text, start, stop in zip(texts, offsets[:-1], offsets[1:], strict=True):
        words = plain_words(text.translate(typed))
        assert len(words) == stop - start, text
        for word, found in zip(words, hashes[start:stop].tolist(), strict=True):
            assert known.setdefault(word, found) == found, text
    assert len(set(known.values())) == len(known) > 1_000


def test_texts_of_punctuation_alone_keep_it_and_long_runs_end():
    texts = ["", "...", "?!", '""', " - – — ", "***", "()", "a ...", "... a"]
    assert [len(module.word_hashes([text])[0]) for text in texts] == [0, 1, 1, 0, 3, 1, 1, 1, 1]
    assert np.diff(module.word_hashes(texts)[1]).tolist() == [0, 1, 1, 0, 3, 1, 1, 1, 1]
    run = "." * 100_000
    assert words_equal(f"{run}a", f"{run[30:]}a") is False and len(module.word_hashes([f"a {run} b"])[0]) == 3


def test_hashes_do_not_depend_on_the_batch():
    rng = np.random.default_rng(0)
    texts = [random_text(rng, words) for words in (1, 4, 5, 6, 50, 900)] + ["", "日本語 のテキスト", "ﬁ É"]
    together, offsets = shingles(texts)
    for number, text in enumerate(texts):
        alone, _ = shingles([text])
        assert together[offsets[number] : offsets[number + 1]].tolist() == alone.tolist()


def test_similarity_is_that_of_plain_sets():
    rng = np.random.default_rng(1)
    texts = [random_text(rng, int(words)) for words in rng.integers(0, 60, 30)]
    texts += [" ".join(text.split()[: len(text) // 9]) for text in texts] + ["one two", "two one", ""]
    first, second = rng.integers(0, len(texts), (2, 500))
    for size in (1, 5):
        sets = ShingleSets(module.words_of(texts), size)
        wanted = np.array([plain_jaccard(texts[i], texts[j], size) for i, j in zip(first, second, strict=True)])
        assert [sets.jaccard(i, j) for i, j in zip(first, second, strict=True)] == pytest.approx(wanted)
        for threshold in (0.3, 0.8, 1.0):
            assert (sets.alike(first, second, threshold) == (wanted >= threshold)).all()
            assert sets.possible(first, second, threshold)[wanted >= threshold].all()


def test_joined_words_are_those_of_the_joined_texts():
    asks, answers = ["a b c", "", "d", "e f"], ["g", "h i", "", "j k l m"]
    words, offsets = module.joined_words(module.word_hashes(asks), module.word_hashes(answers))
    whole, whole_offsets = module.word_hashes([" ".join(pair) for pair in zip(asks, answers, strict=True)])
    assert words.tolist() == whole.tolist() and offsets.tolist() == whole_offsets.tolist()


def test_clusters_by_hand():
    links = np.array([[5, 4], [1, 3], [3, 5], [2, 2], [6, 7]])
    assert module.cluster_numbers(9, links).tolist() == [0, 1, 2, 1, 1, 1, 6, 6, 8]
    chain = np.random.default_rng(0).permutation(500)
    assert set(module.cluster_numbers(500, np.stack([chain[:-1], chain[1:]], axis=1))) == {0}


@pytest.mark.parametrize("at_once", [1, 7, 10**6])
def test_pairs_that_hang_together_come_in_a_row_however_many_are_held_at_once(monkeypatch, at_once):
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", at_once)
    monkeypatch.setattr(module, "PAIRS_PER_BLOCK", 5)
    rows = 60
    pairs = np.sort(np.random.default_rng(1).integers(0, rows, (32, 2)), axis=1)
    codes = np.unique(pairs[:, 0] * rows + pairs[:, 1])
    blocks = list(module.candidate_blocks(module.grouped_by_cluster(codes, rows), rows))
    assert [len(block) for block in blocks[:-1]] == [5] * (len(codes) // 5)
    found = np.concatenate(blocks)
    assert sorted(found[:, 0] * rows + found[:, 1]) == codes.tolist()
    clusters = module.cluster_numbers(rows, found)[found[:, 0]]
    assert clusters.tolist() == sorted(clusters)
    assert len(set(clusters)) > 5


def test_sketches_differ_where_two_bits_of_a_slot_do():
    rng = np.random.default_rng(6)
    table = rng.integers(0, 2**32, (40, module.SLOTS), dtype=np.uint32)
    first, second = rng.integers(0, 40, (2, 99))
    wanted = ((table[first] & 3) != (table[second] & 3)).sum(axis=1)
    assert module.mismatches(module.sketches(table), first, second).tolist() == wanted.tolist()


def planted(rng, originals):
    """Rows, and the original of each: random texts, and copies with one to three words changed in a hundred."""
    rows = [(random_text(rng, 60), random_text(rng, 80)) for _ in range(originals)]
    owners = list(range(originals))
    for number in range(0, originals, 2):
        words = [*rows[number][0].split(), "|", *rows[number][1].split()]
        for place in rng.integers(0, 60, rng.integers(1, 4)):
            words[place] = "changed"
        rows.append(tuple(" ".join(words).split(" | ")))
        owners.append(number)
    return rows, owners


PROSE = (
    'The "old" mill, built in 1850, isn\'t open: its wheel (made of oak) broke; nobody mended it. Who would? '
    "A firm from Leeds - well known for its clocks - offered to; the council, however, said no! "
)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: re.sub(r"[.,;:!?()'\"]", "", text),
        lambda text: re.sub(r"[.,;:!?](?= )", " !", text),
        lambda text: re.sub(r"\b([a-z]{4,})\b", r"**\1**", text),
        lambda text: re.sub(r", | - ", "—", text).replace("'", "’"),
        lambda text: text.upper(),
        lambda text: text.replace(" ", "\u00a0").replace("e", "\u00ade\u200b").replace("'", "&#39;"),
        lambda text: "* " + text.replace(". ", ".<br>* ").replace("; ", ";\\n* "),
    ],
)
def test_copies_that_differ_in_typography_alone_are_near_duplicates(change):
    rng = np.random.default_rng(8)
    rows = [(f"{random_text(rng, 4)}? {PROSE}", f"{PROSE} {random_text(rng, 5)}.") for _ in range(3)]
    rows += [tuple(map(change, row)) for row in rows]
    assert clusters_of(rows).tolist()[3:] == clusters_of(rows).tolist()[:3]


def test_planted_near_duplicates_are_found_and_nothing_else():
    rows, owners = planted(np.random.default_rng(2), 2_000)
    clusters = clusters_of(rows)
    similar = [
        plain_jaccard(" ".join(rows[owner]), " ".join(row), 5) >= 0.8 for row, owner in zip(rows, owners, strict=True)
    ]
    merged = [number for number in range(len(rows)) if clusters[number] != number]
    wanted = [number for number, owner in enumerate(owners) if owner != number and similar[number]]
    assert len(wanted) > 900
    right = sum(clusters[number] == owners[number] for number in merged)
    assert right == len(merged)  # precision 1: every link is verified
    assert len(set(merged) & set(wanted)) >= 0.99 * len(wanted)


def test_templated_rows_stay_apart():
    rows = [(f"What is {a} plus {b}? Answer with the number only.", str(a + b)) for a in range(40) for b in range(40)]
    assert clusters_of(rows).tolist() == list(range(1_600))


def test_one_passage_asked_different_things_is_no_duplicate():
    passage = random_text(np.random.default_rng(3), 300)
    rows = [(f"{passage}\nWho came?", "Ann"), (f"{passage}\nWho left?", "Bob"), (f"Read: {passage}\nWho came?", "ann ")]
    assert plain_jaccard(" ".join(rows[0]), " ".join(rows[1]), 5) > 0.9
    assert clusters_of(rows).tolist() == [0, 1, 0]


def test_a_chain_is_one_cluster():
    words = random_text(np.random.default_rng(4), 120).split()
    texts = [" ".join(words[shift : shift + 90]) for shift in (0, 7, 14, 21)]
    assert plain_jaccard(texts[0], texts[1], 5) >= 0.8 > plain_jaccard(texts[0], texts[3], 5)
    assert clusters_of([(text, "yes") for text in texts]).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("rows", "window"), [(300, 5), (1_000, module.BUCKET_WINDOW)])
def test_a_bucket_larger_than_the_window(monkeypatch, rows, window):
    rng = np.random.default_rng(5)
    monkeypatch.setattr(module, "BUCKET_WINDOW", window)
    passage = random_text(rng, 200).split()
    pairs = []
    for _ in range(rows):
        words = list(passage)
        for place in rng.integers(0, 200, 2):
            words[place] = f"changed{rng.integers(10**6)}"
        pairs.append((" ".join(words), "yes"))
    table = module.signatures(["\n".join(pair) for pair in pairs])
    keys, sketch = module.band_keys(table), module.sketches(table)
    for band in range(module.BANDS):  # not 300 * 299 / 2
        assert len(module.band_pairs(keys[band], keys[(band + 1) % module.BANDS], sketch, 0.8)) <= window * rows
    similar = sum(plain_jaccard(pairs[0][0], pair[0], 5) >= 0.8 for pair in pairs) / rows
    assert 0.5 < similar  # of the passage's copies, most pairs are near-duplicates and some are not
    assert np.count_nonzero(clusters_of(pairs) == 0) >= 0.99 * rows


def test_blocks_of_any_size_give_the_same_clusters(monkeypatch):
    rows, _ = planted(np.random.default_rng(7), 300)
    whole = clusters_of(rows).tolist()
    monkeypatch.setattr(module, "PAIRS_PER_BLOCK", 3)
    assert clusters_of(rows).tolist() == whole


def test_empty_texts_and_no_rows():
    assert clusters_of([]).tolist() == []
    assert clusters_of([("a", "b")]).tolist() == [0]
    assert clusters_of([("", ""), ("", ""), ("a", "")]).tolist() == [0, 1, 2]
    assert clusters_of([("", '""'), ("", "''"), ("a", "''")]).tolist() == [0, 1, 2]


def test_answers_of_marks_alone_are_equal_only_where_their_marks_are():
    ask = random_text(np.random.default_rng(9), 30)
    rows = [(ask, "..."), (ask, "?"), (ask.upper(), "..."), (f"{ask}?", "?"), (ask, "😀"), (ask, "😢!"), (ask, "😀!")]
    assert clusters_of(rows).tolist() == [0, 1, 0, 1, 4, 5, 4]


def test_the_best_of_each_cluster_stays():
    clusters = np.array([0, 1, 0, 1, 4])
    assert best_of_each(clusters, np.array([3, 2, 0, 4, 1])).tolist() == [False, False, True, True, True]
