"""IFD against a forward pass by hand, what batches and order must not change, what gives null, a planted truth."""

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_filter_datasets import make_rows, run, write_input

import filter_steps
import instruction_difficulty as difficulty
import language_model as lm
import quality_scorer
from arrow_files import read_arrow
from common import UserError, read_json
from quality_scorer import QualityScorer

ROOT = Path(__file__).parent.parent
ROWS = [
    ("Add 3 and 4.", "The sum is 7."),
    ("Name a colour of the sky, please, and say when.", "Blue, on a clear day."),
    ("Repeat the word stone twice.", "stone stone"),
    ("Go on and on " * 12, "The sky is a clear blue. " * 5),
    ("Say yes.", "Yes."),
]
INSTRUCTIONS, RESPONSES = map(list, zip(*ROWS, strict=True))


@pytest.fixture(scope="module")
def folder(tiny_models, tokenizer, tmp_path_factory):
    """A tiny model as --ifd takes it."""
    path = tmp_path_factory.mktemp("model")
    tiny_models["scratch"].save_pretrained(path)
    tokenizer.save_pretrained(path)
    return str(path)


class Planted:
    """A model of one's own: `logits` of token ids, [rows, tokens] to [rows, tokens, vocabulary]."""

    def __init__(self, tokenizer, logits):
        self.config, self.seen = SimpleNamespace(vocab_size=len(tokenizer)), []
        self.logits, self.base_model = logits, self

    def eval(self):
        return self

    def __call__(self, input_ids, use_cache):
        self.seen.append(tuple(input_ids.shape))
        return SimpleNamespace(logits=self.logits(input_ids))


def one_hot(ids, size):
    import torch

    return torch.nn.functional.one_hot(ids, size).float()


# ---------------------------------------------------------------------------------------------------------------------
# The number


def loss_by_hand(model, tokenizer, before: str, response: str) -> float:
    """Mean negative log-likelihood of the response's tokens after `before`, from one forward pass of one row."""
    import torch

    head, tail = (tokenizer(text, add_special_tokens=False).input_ids for text in (before, response))
    with torch.no_grad():
        scores = model(torch.tensor([head + tail])).logits[0].double().log_softmax(-1)
    losses = [-scores[len(head) + place - 1, token].item() for place, token in enumerate(tail)]
    return sum(losses) / len(losses)


@pytest.mark.parametrize("architecture", ["scratch", "pythia", "qwen2.5", "ettin"])
def test_ifd_is_the_ratio_of_two_forward_passes(tiny_models, tokenizer, architecture):
    model = tiny_models[architecture]
    ifd, facts = difficulty.measure(model, tokenizer, INSTRUCTIONS, RESPONSES)
    for (instruction, response), value in zip(ROWS, ifd, strict=True):
        # The parts of a prompt are tokenised apart, which this byte-level tokenizer does at these seams anyway.
        given = loss_by_hand(model, tokenizer, lm.format_prompt(instruction), response)
        alone = loss_by_hand(model, tokenizer, lm.PROMPT_TAIL, response)
        assert value == pytest.approx(given / alone, rel=1e-5)
    assert facts["measured"] == facts["rows"] == len(ROWS) and facts["null"] == {}
    assert len(set(ifd.tolist())) == len(ROWS)


@pytest.mark.parametrize("batch_tokens", [1, 60, 200, 100_000])
def test_neither_batch_size_nor_order_counts(tiny_models, tokenizer, batch_tokens):
    expected, _ = difficulty.measure(tiny_models["scratch"], tokenizer, INSTRUCTIONS, RESPONSES, batch_tokens=1)
    order = [3, 0, 4, 2, 1]
    moved = [[texts[row] for row in order] for texts in (INSTRUCTIONS, RESPONSES)]
    ifd, _ = difficulty.measure(tiny_models["scratch"], tokenizer, *moved, batch_tokens=batch_tokens)
    np.testing.assert_allclose(ifd, expected[order], rtol=1e-5)


def test_the_same_call_gives_the_same_bits(tiny_models, tokenizer):
    one, two = (difficulty.measure(tiny_models["scratch"], tokenizer, INSTRUCTIONS, RESPONSES)[0] for _ in range(2))
    assert one.tobytes() == two.tobytes()


def test_a_right_instruction_lowers_it_where_the_model_copies(tokenizer):
    """A model that expects what it has read: a response is easier after an instruction that names its words."""

    def counts(ids):
        return (1 + 5 * one_hot(ids, len(tokenizer)).cumsum(1)).log()

    words = ["apple", "stone", "river", "cloud", "lemon", "tiger"]
    instructions, responses = [f"Say {word} {word}." for word in words], [f"{word} {word}" for word in words]
    model = Planted(tokenizer, counts)
    right, _ = difficulty.measure(model, tokenizer, instructions, responses)
    wrong, _ = difficulty.measure(model, tokenizer, instructions[1:] + instructions[:1], responses)
    assert (right < wrong).all()
    entry = difficulty.evidence_entries(["words"] * 6, right, wrong, np.ones(6, bool))[-1]
    assert entry["wrong_higher"] == 1 and entry["median_right"] < entry["median_wrong"]


def test_a_model_deaf_to_the_instruction_gives_one(tokenizer):
    """The next token from the last one alone, and so the same losses with the instruction as without it."""
    model = Planted(tokenizer, lambda ids: 3 * one_hot((ids * 7 + 1) % len(tokenizer), len(tokenizer)))
    ifd, _ = difficulty.measure(model, tokenizer, INSTRUCTIONS, RESPONSES)
    np.testing.assert_allclose(ifd, 1, rtol=1e-12)


def test_the_start_token_stands_before_a_response_alone(tokenizer):
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    backend = tokenizer.backend_tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.add_special_tokens(["<bos>"])
    start = backend.token_to_id("<bos>")
    backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", start)])
    with_start = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<bos>", eos_token="<|end|>")
    assert lm.response_start_ids(with_start) == [start, *lm.response_start_ids(tokenizer)]
    assert tokenizer.decode(lm.response_start_ids(tokenizer)) == lm.PROMPT_TAIL


# ---------------------------------------------------------------------------------------------------------------------
# What is cut, what gives null, what fits


def test_what_is_cut_is_counted_and_both_losses_see_the_same_tokens(tiny_models, tokenizer, monkeypatch):
    monkeypatch.setattr(difficulty, "MAX_TOKENS", 70)
    instructions, responses = ["Go " * 60, "Go.", "Go " * 60], ["Blue sky.", "stone " * 60, "stone " * 60]
    examples, _ = difficulty.encode_rows(tokenizer, instructions, responses, 70)
    start = lm.response_start_ids(tokenizer)
    for example, response in zip(examples, responses, strict=True):
        alone = difficulty.without_instruction(example, start)
        kept = list(example.ids[example.prompt_tokens :])
        assert len(example.ids) <= 70 and list(alone.ids) == start + kept
        assert response.startswith(tokenizer.decode(kept)) and tokenizer.eos_token_id not in kept
        assert (tokenizer.decode(kept) != response) == example.response_cut
    _, facts = difficulty.measure(tiny_models["scratch"], tokenizer, instructions, responses)
    assert (facts["instruction_cut"], facts["response_cut"], facts["measured"]) == (2, 2, 3)


def test_a_response_that_just_fits_is_not_cut(tokenizer):
    prompt = len(lm.encode_prompts(tokenizer, ["Go."], 1_000)[0])
    response = " ".join(["stone"] * 40)  # so long that the instruction stays whole
    tokens = len(tokenizer(response).input_ids)
    for limit, cut in ((prompt + tokens, False), (prompt + tokens - 1, True)):
        example = difficulty.encode_rows(tokenizer, ["Go."], [response], limit)[0][0]
        assert example.response_cut == cut and len(example.ids) == limit


def test_a_shorter_context_of_the_model_is_kept_to(tiny_models, tokenizer, monkeypatch):
    model = tiny_models["scratch"]
    monkeypatch.setattr(model.config, "max_position_embeddings", 64)
    _, facts = difficulty.measure(model, tokenizer, ["Go."], ["stone " * 100])
    assert facts["max_tokens"] == 64 and facts["response_cut"] == 1


def test_nulls_by_reason(tiny_models, tokenizer):
    instructions = ["Add 3 and 4.", " \n", "Say it.", "Say it.", "Say it."]
    responses = ["The sum is 7.", "A sum.", "", " \n ", "7"]
    ifd, facts = difficulty.measure(tiny_models["scratch"], tokenizer, instructions, responses)
    assert np.isfinite(ifd).tolist() == [True, False, False, False, False]
    assert facts["null"] == {"empty_instruction": 1, "empty_response": 2, "one_token_response": 1}
    assert facts["measured"] + sum(facts["null"].values()) == facts["rows"] == 5


def test_a_response_without_room_is_null(tiny_models, tokenizer, monkeypatch):
    bare = len(lm.encode_prompts(tokenizer, [""], 1_000)[0])
    for room, reason in ((0, "response_cut_to_nothing"), (1, "response_cut_to_nothing")):
        monkeypatch.setattr(difficulty, "MAX_TOKENS", bare + room)
        _, facts = difficulty.measure(tiny_models["scratch"], tokenizer, ["Go on."], ["stone stone, the sky"])
        assert facts["null"] == {reason: 1} and facts["measured"] == 0


def test_losses_of_zero_and_no_number_are_null(tokenizer):
    def knows_all(ids):
        return 1e4 * one_hot(ids.roll(-1, 1), len(tokenizer))

    def broken(ids):
        return knows_all(ids) * float("nan")

    for logits, reason in ((knows_all, "loss_of_zero"), (broken, "loss_not_finite")):
        ifd, facts = difficulty.measure(Planted(tokenizer, logits), tokenizer, INSTRUCTIONS, RESPONSES)
        assert np.isnan(ifd).all() and facts["null"] == {reason: len(ROWS)}


def test_no_row_is_no_error(tiny_models, tokenizer):
    ifd, facts = difficulty.measure(tiny_models["scratch"], tokenizer, [], [])
    assert len(ifd) == 0 and facts["rows"] == facts["measured"] == 0
    assert "no row" in difficulty.distribution_line(ifd) and difficulty.facts_line(facts)


def test_logits_stay_within_their_memory(tokenizer, monkeypatch):
    monkeypatch.setattr(difficulty, "LOGIT_BYTES", {"cpu": 4 * len(tokenizer) * 300})
    model = Planted(tokenizer, lambda ids: one_hot(ids, len(tokenizer)))
    difficulty.measure(model, tokenizer, INSTRUCTIONS * 10, RESPONSES * 10)
    assert max(rows for rows, _ in model.seen) > 1
    assert all(rows == 1 or rows * width <= 300 for rows, width in model.seen)


@pytest.mark.parametrize(
    "to_come, said", [(None, "100 rows will take about 3.7"), (300, "300 rows will take about 11.1")]
)
def test_a_long_run_says_so_after_three_batches(monkeypatch, capsys, to_come, said):
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(difficulty, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    with difficulty.Progress(tokens=40_000, rows=100, device="cpu", rows_to_come=to_come) as progress:
        for _ in range(2):
            progress.add(1, 100)
        assert "will take" not in capsys.readouterr().err
        progress.add(1, 100)
    # 300 tokens in the clock's one step of 100 s: 40,000 tokens take 13,333 s
    assert f"{said} hours on cpu (3 tokens/s)" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------------------------
# In the total, in words, as evidence


def test_weighted_total_by_hand():
    quality, ifd = np.array([0.5, 0.5, 0.5, 0.5]), np.array([0.8, 1.0, 1.7, np.nan])
    total = difficulty.weighted_total(quality, 1.0, ifd, 0.25)
    np.testing.assert_allclose(total, [(0.5 + 0.25 * 0.8) / 1.25, 0.4, 0.4, 0.5])
    assert (difficulty.weighted_total(quality, 1.0, ifd, 0.0) == quality).all()
    rising = difficulty.weighted_total(np.full(50, 0.5), 1.0, np.linspace(0, 0.999, 50), 0.1)
    assert (np.diff(rising) > 0).all() and rising.min() >= 0 and rising.max() <= 1


def test_correlations_are_over_the_rows_that_have_one():
    ifd = np.array([0.1, np.nan, 0.2, 0.9, 0.3])
    others = {"rising": np.array([1, 9, 2, 4, 3.0]), "flat": np.ones(5)}
    line = difficulty.correlation_line(ifd, others)
    assert line == "ifd, rank correlation with rising +1.000, flat -"
    assert difficulty.correlation_line(np.full(5, np.nan), others).endswith("rising -, flat -")


def test_extremes_leave_nulls_out():
    high, low = difficulty.extremes(np.array([0.5, np.nan, 0.9, 0.1, 0.9]), 2)
    assert high.tolist() == [2, 4] and low.tolist() == [3, 0]


def test_a_mismatch_is_another_row_of_the_same_source():
    sources = ["a", "b", "a", "a", "b", "lone", "a"]
    other = difficulty.mismatched(sources, 0)
    assert sorted(other.tolist()) == list(range(7))
    assert all(sources[row] == sources[found] for row, found in enumerate(other))
    assert [row for row in range(7) if other[row] == row] == [5]


def test_evidence_by_hand():
    right, wrong = np.array([0.5, 0.6, np.nan, 1.2, 0.4]), np.array([0.9, 0.5, 0.7, 1.1, 0.4])
    compared = np.array([True, True, True, True, False])
    a, b, everything = difficulty.evidence_entries(["a", "a", "a", "b", "b"], right, wrong, compared)
    assert (a["source"], a["rows"], a["wrong_higher"], a["right_from_1"]) == ("a", 2, 0.5, 0)
    assert (b["rows"], b["wrong_higher"], b["right_from_1"], b["wrong_from_1"]) == (1, 0, 1, 1)
    # under a weight a wrong instruction gains where it raises IFD and leaves it below 1
    assert (a["wrong_gains"], b["wrong_gains"]) == (0.5, 0)
    worse = difficulty.evidence_entries(["a"], np.array([0.9]), np.array([1.0]), np.array([True]))[0]
    assert worse["wrong_higher"] == 1 and worse["wrong_gains"] == 0
    assert difficulty.evidence_lines([worse | {"source": "\x1b[31mred\nline"}])[-1].startswith("[31mred line  ")
    assert everything["rows"] == 3 and everything["wrong_higher"] == pytest.approx(1 / 3)


# ---------------------------------------------------------------------------------------------------------------------
# Commands


def command(module, *options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"{module.__name__}.py", *map(str, options)])
        module.main()


@pytest.fixture
def pairs_file(tmp_path):
    rows = [{"instruction": instruction, "response": response} for instruction, response in [*ROWS, ("Say it.", "7")]]
    return write_input(tmp_path, rows)


def test_the_scorer_prints_it_beside_the_dimensions(folder, pairs_file, tmp_path, capsys, tiny_models, tokenizer):
    kept = tmp_path / "kept.jsonl"
    command(quality_scorer, pairs_file, "--ifd", folder, "--output", kept)
    column = [json.loads(line)["ifd"] for line in kept.read_text().splitlines()]
    out = capsys.readouterr().out
    ifd, _ = difficulty.measure(tiny_models["scratch"], tokenizer, INSTRUCTIONS, RESPONSES)
    line = next(line for line in out.splitlines() if line.startswith("ifd  "))
    assert float(line.split()[1]) == pytest.approx(ifd.mean(), abs=6e-4)
    assert column[-1] is None and column[:-1] == pytest.approx(ifd.tolist(), rel=1e-4)
    assert "ifd of 5 of 6 rows" in out and "null: one token response 1" in out
    assert "log words" in out and "holds ifd" not in out
    highest = out.split("highest ifd\n")[1].split()
    assert float(highest[1]) == pytest.approx(ifd.max(), abs=6e-4)


def test_a_scorecard_names_the_model_and_weight_that_its_totals_hold(folder, pairs_file, tmp_path, monkeypatch):
    monkeypatch.setattr("scorecard_page.draw_figures", lambda card: defaultdict(list))
    page = tmp_path / "card.html"
    command(quality_scorer, pairs_file, "--ifd", folder, "--weights", "ifd=2", "--scorecard", page)
    card = json.loads(page.with_suffix(".json").read_text())
    assert card["config"]["ifd"] == {"model": str(folder), "weight": 2.0} and "ifd" not in card["weights"]
    assert "instruction-following difficulty 2 by" in page.read_text()


def test_a_weight_moves_the_total_and_none_leaves_it(folder, pairs_file, capsys, tiny_models, tokenizer):
    def mean_quality(*options):
        command(quality_scorer, pairs_file, *options)
        out = capsys.readouterr().out
        return float(next(line for line in out.splitlines() if line.startswith("quality  ")).split()[1])

    plain = mean_quality()
    assert mean_quality("--ifd", folder) == plain
    instructions, responses = [*INSTRUCTIONS, "Say it."], [*RESPONSES, "7"]
    batches = [(instructions, responses)]
    quality = QualityScorer({"diversity": 0}).fit(batches).score_batch(instructions, responses)["quality"]
    ifd, _ = difficulty.measure(tiny_models["scratch"], tokenizer, instructions, responses)
    expected = [q if np.isnan(i) else (0.8 * q + 2 * i * (i < 1)) / 2.8 for q, i in zip(quality, ifd, strict=True)]
    moved = mean_quality("--ifd", folder, "--weights", "diversity=0,ifd=2")
    assert moved == pytest.approx(np.mean(expected), abs=6e-4) and abs(moved - plain) > 0.01


@pytest.mark.parametrize(
    "options, message",
    [
        (["--weights", "ifd=0.1"], "needs --ifd"),
        (
            ["--ifd", "FOLDER", "--explain", "--instruction", "Go.", "--response", "Yes."],
            "FILE does nothing",
        ),
        (["--ifd", "no/such/model/folder"], "no such folder"),
        (["--ifd", "tests"], "no model in this folder"),
    ],
)
def test_options_that_make_no_sense_are_refused(folder, pairs_file, monkeypatch, options, message):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(difficulty, "probe_hub", lambda *names: None)
    with pytest.raises(UserError, match=message):
        command(quality_scorer, pairs_file, *[folder if option == "FOLDER" else option for option in options])


@pytest.mark.parametrize("text", ["ifd=-1", "ifd=nan", "ifd=x", "idf=1"])
def test_weights_that_are_none_are_refused(text):
    with pytest.raises(quality_scorer.argparse.ArgumentTypeError):
        quality_scorer.parse_weights(text)
    assert quality_scorer.parse_weights("ifd=0.1")["ifd"] == 0.1
    assert "ifd" not in quality_scorer.parse_weights("clarity=0.1")


@pytest.mark.parametrize("part_rows", [4_096, 7])
def test_the_filter_writes_a_nullable_column(folder, tmp_path, tiny_models, tokenizer, capsys, monkeypatch, part_rows):
    monkeypatch.setattr(filter_steps, "IFD_ROWS", part_rows)
    rows = make_rows(40)
    rows[7] |= {"response": "y"}  # one token, and shorter than cleaning allows
    rows[8] |= {"instruction": "Is it so?", "response": "stone"}
    path, results = write_input(tmp_path, rows), tmp_path / "results"
    options = [results, "--dataset", path]
    run(*options, "--ifd", folder)
    scores, table = read_json(results / "scores.json"), read_arrow(results / "scores")
    texts = table["instruction"].to_pylist(), table["response"].to_pylist()
    expected, facts = difficulty.measure(tiny_models["scratch"], tokenizer, *texts)
    column = table["ifd"].to_pylist()
    assert str(table.schema.field("ifd").type) == "double"
    assert [value is None for value in column] == np.isnan(expected).tolist()
    np.testing.assert_allclose([value for value in column if value is not None], expected[~np.isnan(expected)], 1e-5)
    assert scores["ifd"]["null"] == facts["null"] and scores["ifd"]["rows"] == scores["rows"]
    assert scores["ifd"]["measured"] + sum(scores["ifd"]["null"].values()) == scores["rows"]
    assert scores["config"]["ifd"]["model"] == difficulty.model_identity(folder)
    heldout = read_arrow(results / "subsets" / "heldout")
    assert heldout["ifd"].to_pylist() == [column[table["id"].to_pylist().index(i)] for i in heldout["id"].to_pylist()]

    capsys.readouterr()
    run(*options, "--ifd", folder)
    assert "is already done" in capsys.readouterr().out


def test_a_killed_measurement_goes_on_with_the_parts_that_are_there(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(filter_steps, "IFD_ROWS", 10)
    path, measure, calls = write_input(tmp_path, make_rows(40)), difficulty.measure, []

    def measured(*arguments, **options):
        calls.append(len(arguments[2]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return measure(*arguments, **options)

    monkeypatch.setattr(difficulty, "measure", measured)
    options = [tmp_path / "results", "--dataset", path, "--ifd", folder]
    with pytest.raises(KeyboardInterrupt):
        run(*options)
    run(*options)
    assert calls == [10, 10, 10, 10, 10] and read_json(tmp_path / "results" / "scores.json")["ifd"]["rows"] == 40
    assert read_arrow(tmp_path / "results" / "subsets" / "high_100k").column_names[-1] == "ifd"


def test_another_model_is_not_done(folder, tmp_path, tiny_models, tokenizer):
    path, results = write_input(tmp_path, make_rows(40)), tmp_path / "results"
    options = [results, "--dataset", path]
    run(*options)
    assert "ifd" not in read_arrow(results / "scores").column_names
    assert "ifd" not in read_json(results / "scores.json")["config"]
    other = tmp_path / "other"
    tiny_models["qwen2.5"].save_pretrained(other)
    tokenizer.save_pretrained(other)
    with pytest.raises(UserError, match="ifd: null there"):
        run(*options, "--ifd", folder)
    run(*options, "--ifd", folder, "--force")
    with pytest.raises(UserError, match="ifd.model"):
        run(*options, "--ifd", str(other))
    with pytest.raises(UserError, match="null now"):
        run(*options)


def test_identity_is_the_content_of_a_folder_or_the_commit_of_a_hub_id(folder, tmp_path, monkeypatch):
    import shutil

    from huggingface_hub import constants

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert difficulty.model_identity(str(copy)) == difficulty.model_identity(folder)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00\x01")
    assert difficulty.model_identity(str(copy)) != difficulty.model_identity(folder)

    commit, cached = "0123456789abcdef" * 2 + "01234567", tmp_path / "hub" / "models--owner--tiny"
    (cached / "snapshots" / commit).mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    (cached / "snapshots" / commit / "config.json").write_text("{}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(difficulty, "probe_hub", lambda *names: None)
    assert difficulty.model_identity("owner/tiny") == f"owner/tiny@{commit}"
    with pytest.raises(UserError, match="owner/other"):
        difficulty.model_identity("owner/other")


def test_the_evidence_is_printed_and_kept(folder, tmp_path, capsys):
    rows = [{**row, "source": "one"} for row in make_rows(12)]
    command(difficulty, write_input(tmp_path, rows), "--ifd", folder, "--results_dir", tmp_path / "results")
    out = capsys.readouterr().out
    evidence = json.loads((tmp_path / "results" / "scorer" / "ifd_evidence.json").read_text())
    assert [entry["source"] for entry in evidence["sources"]] == ["one", "all"]
    assert evidence["sources"][0]["rows"] == 12 and "wrong higher" in out
    assert evidence["config"]["model"] == difficulty.model_identity(folder)
