"""Measures of generated text, by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pyarrow
import pytest

import generation_analysis as analysis
import generation_measures as ga
from common import UserError
from training_configs import experiment_config


def answer(text, ended=True):
    row = {"id": "a", "source": "s", "instruction": "one two three four five", "response": "six seven"}
    return ga.measure_answer(row, {"answer": text, "tokens": len(text.split()), "ended": ended})


def test_repetition_copying_and_length():
    measured = answer("one two three four x one two three four")
    # 4-grams: 6, of which "one two three four" twice: 5 distinct; that same one stands in the instruction.
    assert measured["rep_4"] == pytest.approx(1 / 6)
    assert measured["copy_fraction"] == pytest.approx(2 / 6)
    assert measured["length_ratio"] == pytest.approx(9 / 2)


@pytest.mark.parametrize("words, fits", [(1, True), (4, True), (5, False), (0, False)])
def test_a_length_fits_between_a_half_and_two(words, fits):
    assert answer("word " * words)["length_fits"] is fits  # the reference has two


def test_an_empty_answer_is_measured_not_invented():
    measured = answer("  ")
    assert measured["empty"] and not measured["looped"]
    assert measured["copy_fraction"] is None and measured["rep_4"] is None
    assert answer("one two three")["rep_4"] is None and answer("one two three four")["rep_4"] == 0


@pytest.mark.parametrize(
    "text, looped",
    [
        ("go go go", True),
        ("a b a b a b", True),
        ("so it is. it is. it is.", True),
        ("go go", False),
        ("a b c a b d a b e", False),
        ("- - - - -", False),  # a ruled line, not a loop
        ("Done.\n" + "-" * 30, False),
        ("," * 128, True),
        ("a list: " + ", . " * 40, True),
        ("my_name my_name my_name", True),
        ("", False),
    ],
)
def test_loops(text, looped):
    assert ga.ends_in_loop(ga.WORD.findall(text)) is looped


def test_distinct_is_over_a_fixed_number_of_words(monkeypatch):
    monkeypatch.setattr(ga, "DISTINCT_WORDS", 4)
    assert ga.distinct_fraction([["a", "b"], ["a", "c", "d"]], 1) == pytest.approx(3 / 4)
    assert ga.distinct_fraction([["a", "b", "c"]], 1) is None


def test_summary_counts_only_what_was_measured():
    rows = [answer("one two three four five"), answer("", ended=False) | {"id": "b"}]
    summary = analysis.summarise_generations(rows)
    assert summary["prompts"] == 2 and summary["end_token_rate"] == 0.5 and summary["empty_rate"] == 0.5
    assert summary["intervals"]["end_token_rate"]["n"] == 2 and summary["intervals"]["copy_fraction"] is None
    assert summary["copy_fraction"] == 1.0
    assert summary["distinct_2"] is None and summary["self_bleu"] is None and summary["sampled"] is None
    assert "not independent" in summary["notes"]["quality_score_diagnostic"]


def test_samples_do_not_enter_the_greedy_measures_and_have_numbers_of_their_own():
    rows = [answer("one two three"), answer("") | {"sample": 1}, answer("") | {"sample": 2}]
    summary = analysis.summarise_generations(rows)
    assert summary["empty_rate"] == 0 and summary["length_ratio_median"] == 1.5
    assert summary["sampled"]["answers"] == 2 and summary["sampled"]["empty_rate"] == 1


def test_each_sample_is_drawn_by_its_prompt_and_number_alone():
    """Whatever the order of the prompts: the numbers of prompt b's second sample are the same."""
    drawn = []

    def generate(instructions, _prompt_tokens, new_tokens, _what, sampling=None):
        drawn.append(sampling and sampling["uniforms"])
        return [{"answer": text, "tokens": 1, "ended": True} for text in instructions]

    prompts = [{"id": key, "source": "s", "instruction": key, "response": "r"} for key in "ab"]
    settings = {"max_tokens": 9, "generation_max_new_tokens": 5, "generation_num_samples": 2, "generation_seed": 0}
    settings |= {"generation_temperature": 0.7}
    for order in (prompts, prompts[::-1]):
        rows = analysis.answer_prompts(SimpleNamespace(generate=generate), order, settings)
        asked = [row["id"] for row in order] * 3
        assert [row["answer"] for row in rows] == asked and [row["sample"] for row in rows] == [0, 0, 1, 1, 2, 2]
    greedy, uniforms, _, turned = drawn
    assert greedy is None and uniforms.shape == (4, 5) and len(np.unique(uniforms)) == 20
    assert (uniforms == turned[[1, 0, 3, 2]]).all()


def test_prompts_are_a_random_choice_in_the_tables_order():
    names = ("id", "source", "instruction", "response")
    table = pyarrow.table({name: [f"{number:02d}" for number in range(50)] for name in names})
    chosen = [int(row["id"]) for row in analysis.random_rows(table, 5)]
    assert chosen == sorted(chosen) != list(range(5)) and len(analysis.random_rows(table, 99)) == 50


def test_kept_limits_are_shares_of_those_stated():
    asked = answer("x") | {"constraints": 2, "constraints_kept": 1, "constraints_kept_by_reference": 2}
    summary = ga.summarise([asked, answer("x") | {"id": "b"}])  # the second states none
    assert (summary["instruction_following"], summary["instruction_following_of_references"]) == (0.5, 1)


def test_a_rate_has_wilsons_interval_and_samples_of_a_prompt_are_no_new_evidence():
    value, interval = ga.estimate([[True], [False], [None], [False], [False]], is_rate=True)
    low, high = ga.wilson_interval(1, 4)
    assert value == 0.25 and interval == {"low": low, "high": high, "n": 4}
    prompts = [[flag] for flag in (1, 0, 0, 1, 0, 1, 1, 0)]
    once, often = ga.estimate(prompts, False)[1], ga.estimate([group * 10 for group in prompts], False)[1]
    assert once == often
    assert ga.estimate([[None], []], True) == (None, None)


def test_few_prompts_or_such_as_agree_do_not_make_a_mean_certain():
    assert ga.estimate([[0.0], [0.0]], False) == (0, None) and ga.estimate([[0.3, 0.5], [0.4]], False)[1] is None
    values = np.random.default_rng(0).normal(0, 1, (400, 5))
    intervals = [ga.estimate([[value] for value in row], False)[1] for row in values]
    covered = np.mean([interval["low"] <= 0 <= interval["high"] for interval in intervals])
    assert covered >= 0.9  # 83% by plain percentiles


def test_coherence_is_the_overlap_of_neighbouring_sentences():
    # {cat, sat, mat} and {cat, slept}: Dice 2/5; then nothing in common.
    assert ga.coherence("The cat sat on the mat. The cat slept.") == pytest.approx(2 / 5)
    assert ga.coherence("The cat sat on the mat. The cat slept. Stocks fell.") == pytest.approx(1 / 5)
    assert ga.coherence("The cat sat. The cat sat. The cat sat.") is None  # said again: no evidence of coherence
    assert ga.coherence("One sentence only") is None


def test_self_bleu_by_hand():
    assert ga.self_bleu(["a b c d e", "a b c d e"]) == pytest.approx(1)
    # 4 of 5 words, 3 of 4 pairs, 2 of 3, 1 of 2 stand in the other; no brevity penalty at equal length.
    assert ga.self_bleu(["a b c d e", "a b c d x"]) == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert ga.self_bleu(["blue", "blue"]) == pytest.approx(1)
    assert ga.self_bleu(["blue", " "]) is None
    assert ga.self_bleu(["go " * 100 + "a b c d e", "go " * 100 + "v w x y z"]) == pytest.approx(1)  # 100 words count


@pytest.mark.parametrize(
    "text, expected, drift",
    [
        ("The cat is on the mat and it is asleep.", "This is the house of the cat, and it was warm.", False),
        ("Die Katze ist auf der Matte und das ist gut.", "This is the house of the cat, and it was warm.", True),
        ("Кошка сидит на коврике и спит.", "The cat is on the mat and it is asleep.", True),
        ("42", "The cat is on the mat and it is asleep.", None),
        ("la la la la de de de de", "The cat is on the mat and it is asleep.", None),  # French or Dutch
        ("абвгдежз abcdefgh αβγδεζηθ", "The cat is on the mat and it is asleep.", None),  # no script of most letters
        ("for i in range(10): print(i)", "The cat is on the mat and it is asleep.", None),
    ],
)
def test_language_drift(text, expected, drift):
    assert ga.drifted(text, expected) is drift


@pytest.mark.parametrize(
    "instruction, kept, broken",
    [
        ("Explain it in at most five words.", "It rains all day.", "It rains and rains all day."),
        ("Say why in under 4 words", "Just because.", "Just because of that."),
        ("Describe a dog in one sentence.", "A dog barks. ", "A dog barks. It bites."),
        ("List three colours.", "red, green and blue", "red, green"),
        ("Name 2 rivers of Europe", "1. Rhine\n2. Danube", "1. Rhine\n2. Danube\n3. Elbe"),
        ("Return the result as JSON.", '```json\n{"a": 1}\n```', "a: 1"),
        ("Answer in all lowercase.", "yes, sir", "Yes, sir"),
        ("What are the planets? Answer in JSON.", '["Earth"]', "Earth"),
        ("Can you list the planets in JSON?", '["Earth"]', "Earth"),
        ("Write it in valid JSON", "[]", "none"),
        ("Do not explain. Answer in all caps.", "YES", "Yes"),
        ("Write exactly two paragraphs", "One.\n\nTwo.", "One.\nTwo."),
        ("Write at least 3 sentences.", "A b. C d. E f.", "A b. C d."),
    ],
)
def test_stated_limits_are_found_and_checked(instruction, kept, broken):
    (constraint,) = ga.find_constraints(instruction)
    assert ga.keeps(kept, *constraint) and not ga.keeps(broken, *constraint) and not ga.keeps(" ", *constraint)


@pytest.mark.parametrize(
    "instruction",
    [
        "Add 3 and 4 words together",
        "What is JSON?",
        "Give me a list of 3",
        "Go.",
        'Is this valid JSON: {"a": 1.5}?',
        "How do I parse a date in JSON?",
        "Explain how dates are written in JSON.",
        "Do not answer in JSON.",
        "Name 3 to 5 fruits",
        "List five or more colours",
        "List 3-5 fruits",
        "Name two or three rivers",
        "Do not write in all caps",
        "Never use all lowercase.",
        "Don't answer in all capital letters",
        "Why do people write in all caps?",
        "Write it without all uppercase words.",
    ],
)
def test_no_limit_is_read_where_none_is_stated(instruction):
    assert ga.find_constraints(instruction) == []


def test_refusals():
    assert ga.refuses("I’m sorry, but I can't do that.") and not ga.refuses("I'm sorry to hear that.")
    assert not ga.refuses("word " * 50 + "I'm sorry, but I can't do that.")  # in the middle or at the end it is none


def test_samples_drawn_by_hand_stay_until_others_are_asked_for(tmp_path):
    marker = tmp_path / "generation_analysis.json"
    config = {"max_tokens": 8, "precision": "fp32"}
    assert analysis.generation_settings(config, None, marker)["generation_num_samples"] == 4
    marker.write_text('{"config": {"generation_num_samples": 7}}')
    assert analysis.generation_settings(config, None, marker)["generation_num_samples"] == 7
    assert analysis.generation_settings(config, 0, marker)["generation_num_samples"] == 0


def test_another_number_of_samples_is_refused_where_the_experiment_asks_for_it_anew(tmp_path):
    config = experiment_config("ultra_10k_demo")  # two of each; seven were drawn by hand since
    folder, inputs = tmp_path / "generation_analysis", {"model": "m", "heldout": "h"}
    folder.mkdir()
    made = {"config": analysis.generation_settings(config, 7, None), "provenance": {"inputs": inputs}}
    (folder / "generation_analysis.json").write_text(json.dumps(made))
    (tmp_path / "experiment_config.json").write_text(json.dumps({"config": config}))
    analysis.refuse_other_generations(tmp_path, config, inputs)
    with pytest.raises(UserError, match="generation_num_samples: 7 there, 5 now.*--reevaluate"):
        analysis.refuse_other_generations(tmp_path, config | {"generation_num_samples": 5}, inputs)
    (tmp_path / "experiment_config.json").unlink()
    analysis.refuse_other_generations(tmp_path, config, inputs)
