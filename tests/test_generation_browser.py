"""The page of answers: same prompt beside each other, nothing in a text can act, nothing is fetched."""

import json
import re

from fake_results import write_arrow

import generation_browser as browser

NASTY = "</script><script>document.title='hit'</script><!-- <img src=x onerror=alert(1)> \u2028 & ]]>"


def make_runs(folder, models=2, prompts=3):
    runs = []
    for model in range(models):
        run = folder / f"model_{model}"
        ids, texts = [f"t{n}" for n in range(prompts)], [f"Ask {n} {NASTY}" for n in range(prompts)]
        write_arrow(run / "evaluation" / "task_completion", {
            "id": ids, "family": [f"f{n % 2}" for n in range(prompts)], "prompt": texts, "reference": ["yes"] * prompts,
            "answer": [f"{NASTY} {model}"] * prompts, "passed": [n == model for n in range(prompts)],
        })  # fmt: skip
        runs.append({"experiment": run.name, "folder": run})
    return runs


def test_every_model_stands_under_the_same_prompt(tmp_path):
    data = browser.browser_data(make_runs(tmp_path))
    assert data["models"] == ["model_0", "model_1"] and len(data["prompts"]) == 3
    assert [entry["family"] for entry in data["prompts"]] == ["f0", "f1", "f0"]
    assert [[a["passed"] for a in entry["answers"]] for entry in data["prompts"]][:2] == [[True, False], [False, True]]


def test_nothing_in_a_text_can_close_the_script_or_fetch(tmp_path):
    assert browser.write_browser(make_runs(tmp_path), tmp_path) == "generations.html"
    page = (tmp_path / "generations.html").read_text()
    assert page.count("</script>") == 2 and "<img" not in page and "\u2028" not in page
    assert "default-src 'none'" in page and not re.search(
        r"https?://|innerHTML|\bsrc=|href=", page.replace("src=x", "")
    )
    found = json.loads(re.search(r'application/json">(.*?)</script>', page, re.S)[1])
    assert found["prompts"][0]["answers"][0]["text"] == f"{NASTY} 0"  # whole, as it was written


def test_what_is_amiss_is_flagged_texts_are_cut_and_samples_keep_their_number(tmp_path):
    row = {"id": "1", "source": "s", "instruction": "ask", "reference": "r", "looped": True, "refused": False,
           "language_drifted": None}  # fmt: skip
    prompts = {}
    browser.add_answer(prompts, "held-out", {**row, "answer": "x" * 5_000, "sample": 2, "ended": False}, 0)
    browser.add_answer(prompts, "held-out", {**row, "answer": " ", "sample": 0, "ended": True, "looped": None}, 1)
    ((first, second),) = [entry["answers"] for entry in prompts.values()]
    assert (first["flags"], first["sample"], len(first["text"])) == (["loops", "cut off"], 2, browser.MAX_CHARACTERS)
    assert (second["flags"], second["sample"], second["model"]) == (["empty"], 0, 1) and second["passed"] is None


def test_a_damaged_folder_does_not_end_the_page_and_is_named(tmp_path, capsys):
    runs = make_runs(tmp_path)
    (tmp_path / "model_0" / "evaluation" / "task_completion" / "state.json").write_text("{")
    assert [len(entry["answers"]) for entry in browser.browser_data(runs)["prompts"]] == [1, 1, 1]
    assert "task_completion" in capsys.readouterr().err


def test_no_answers_no_page_and_the_old_one_goes(tmp_path):
    (tmp_path / "generations.html").write_text("old")
    runs = [{"experiment": "a", "folder": tmp_path / "a"}]
    assert browser.write_browser(runs, tmp_path) is None and not (tmp_path / "generations.html").exists()


def test_the_page_stays_small_and_fair_over_families(tmp_path):
    data = browser.browser_data(make_runs(tmp_path, models=1, prompts=browser.MAX_PROMPTS + 50))
    families = [entry["family"] for entry in data["prompts"]]
    assert len(families) == browser.MAX_PROMPTS and families.count("f0") == families.count("f1")
