"""Duplicates: similarities by hand and by plain sets, planted near-duplicates, clusters, buckets that are too large."""

import numpy as np
import pytest

import near_duplicates as module
from near_duplicates import best_of_each, first_of_each, jaccard, near_duplicates, normalise, shingles, text_digest


def plain_shingles(text, size):
    words = normalise(text).split()
    return {tuple(words[start : start + size]) for start in range(max(1, len(words) - size + 1))} if words else set()


def plain_jaccard(first, second, size):
    first, second = plain_shingles(first, size), plain_shingles(second, size)
    return len(first & second) / max(1, len(first | second))


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


def test_shingles_by_hand():
    hashes, offsets = shingles(["a b c d e f", "A  b c\nd e", "x y", "", "b c d e f"])
    assert offsets.tolist() == [0, 2, 3, 4, 4, 5]
    assert hashes[0] == hashes[2] and hashes[1] == hashes[4] and len(set(hashes.tolist())) == 3
    words, offsets = shingles(["a b a", "b a"], size=1)
    assert offsets.tolist() == [0, 3, 5] and words[0] == words[2] == words[4] and words[1] == words[3]


def test_order_and_length_of_words_matter():
    hashes, _ = shingles(["a b", "b a", "ab", "a", "a b c d e", "e d c b a", "a\0b"])
    assert len(set(hashes.tolist())) == 6 and hashes[0] == hashes[6]  # NUL is read as a space


def test_hashes_do_not_depend_on_the_batch():
    rng = np.random.default_rng(0)
    texts = [random_text(rng, words) for words in (1, 4, 5, 6, 50, 900)] + ["", "日本語 のテキスト", "ﬁ É"]
    together, offsets = shingles(texts)
    for number, text in enumerate(texts):
        alone, _ = shingles([text])
        assert together[offsets[number] : offsets[number + 1]].tolist() == alone.tolist()


def test_jaccard_is_that_of_plain_sets():
    rng = np.random.default_rng(1)
    texts = [random_text(rng, int(words)) for words in rng.integers(0, 60, 30)]
    texts += [" ".join(text.split()[: len(text) // 9]) for text in texts]
    pairs = rng.integers(0, len(texts), (200, 2))
    for size in (1, 5):
        found = jaccard(lambda rows: [texts[row] for row in rows], pairs, size)
        wanted = [plain_jaccard(texts[i], texts[j], size) for i, j in pairs]
        assert found.tolist() == pytest.approx(wanted)


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


def test_a_bucket_larger_than_the_window(monkeypatch):
    rng = np.random.default_rng(5)
    monkeypatch.setattr(module, "BUCKET_WINDOW", 5)
    passage = random_text(rng, 200).split()
    rows = []
    for _ in range(300):
        words = list(passage)
        words[rng.integers(200)] = "changed"
        rows.append((" ".join(words), "yes"))
    pairs = module.candidate_pairs(module.signatures([" ".join(row) for row in rows]), 0.8)
    assert len(pairs) <= module.BANDS * 5 * 300  # not 300 * 299 / 2
    assert set(clusters_of(rows)) == {0}


def test_empty_texts_and_no_rows():
    assert clusters_of([]).tolist() == []
    assert clusters_of([("a", "b")]).tolist() == [0]
    assert clusters_of([("", ""), ("", ""), ("a", "")]).tolist() == [0, 1, 2]


def test_the_best_of_each_cluster_stays():
    clusters = np.array([0, 1, 0, 1, 4])
    assert best_of_each(clusters, np.array([3, 2, 0, 4, 1])).tolist() == [False, False, True, True, True]
