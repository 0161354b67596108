"""Exports: every style in both formats gives back the rows it was made of, to us and to others' loaders."""

import json
import sys

import pyarrow
import pytest

import dataset_export
import filter_datasets
from arrow_files import write_arrow
from common import UserError, read_json, write_json
from dataset_export import FORMATS, STYLES, export_subsets, size_category
from dataset_readers import read_rows
from training_configs import SUBSETS

TEXTS = [(' Say\u2028 "it"\n', "It\u0085's <|endoftext|> é\tso. "), ("User: Hi\n\nAssistant: Ho\n\nUser: Why?", "[1]")]
ROWS = [
    {"id": identity, "source": "s", "instruction": instruction, "response": response, "quality": quality}
    for identity, (instruction, response), quality in zip(["a", "b#2"], TEXTS, [0.5, 0.25], strict=True)
]


@pytest.fixture
def results(tmp_path):
    """A results folder that holds two subsets of ROWS and what the card tells of."""
    for name in ("ultra_10k", "heldout"):
        write_arrow(tmp_path / "subsets" / name, pyarrow.Table.from_pylist(ROWS))
        score = {"mean": 0.375, "min": 0.25, "max": 0.5}
        facts = {"rule": "top", "rows": 2, "scale_label": "1:2", "score": score, "source_mix": {"s": 1, "t|u": 1}}
        facts |= {"rows_hash": "i" * 64, "provenance": {"inputs": {"scores": "h"}}}
        write_json(tmp_path / "subsets" / f"{name}.json", facts)
    argv = ["filter_datasets.py", "--dataset", "/home/me/rows.jsonl"]
    write_json(tmp_path / "scores.json", {
        "config": {"dataset": ["/home/me/rows.jsonl", "owner/name"]}, "content_hash": "h", "heldout_rows": 2,
        "provenance": {"argv": argv, "git_commit": "c", "started": "now"},
        "ledger": {"rows_read": 9, "rows": 4, "steps": [{"step": "clean", "dropped": {"too_long": {"s": 2, "t": 3}}}]},
        "scorer": {"version": 3, "weights": {"clarity": 1.0}},
        "subsets_left_out": dict.fromkeys(SUBSETS.keys() - {"ultra_10k"}, "too small"),
    })  # fmt: skip
    return tmp_path


def export(results, style="messages", file_format="jsonl", **options):
    export_subsets(results, style, file_format, **{"subsets": None, "license_id": "unknown", "force": False, **options})


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("file_format", FORMATS)
def test_rows_come_back_as_they_were(results, tmp_path, style, file_format, monkeypatch):
    import datasets

    monkeypatch.setattr(dataset_export, "BATCH_ROWS", 1)
    export(results, style, file_format)
    path = results / "exports" / file_format / f"ultra_10k_{style}.{file_format}"
    table, ledger = read_rows([str(path)], None, 0)
    assert table.to_pylist() == [{name: row[name] for name in table.column_names} for row in ROWS]
    assert ledger["dropped"] == ledger["modified"] == {}
    name = "json" if file_format == "jsonl" else "parquet"
    loaded = datasets.load_dataset(name, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["quality"][:] == [0.5, 0.25] and loaded["id"][:] == ["a", "b#2"]


def test_messages_fill_a_chat_template(results):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    export(results)
    row = json.loads(
        (results / "exports" / "jsonl" / "ultra_10k_messages.jsonl").read_text(encoding="utf-8").split("\n")[1]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"?": 0}, unk_token="?")))
    tokenizer.chat_template = "{% for turn in messages %}<{{ turn['role'] }}>{{ turn['content'] }}{% endfor %}"
    text = tokenizer.apply_chat_template(row["messages"], tokenize=False)
    assert text == f"<user>{ROWS[1]['instruction']}<assistant>[1]"


def test_the_card_can_be_read_by_the_hub_and_by_people(results):
    import datasets

    export(results, license_id="cc-by-4.0")
    export(results, "alpaca", "parquet", license_id="cc-by-4.0")
    export(results, "alpaca", license_id="cc-by-4.0")
    card = (results / "exports" / "jsonl" / "README.md").read_text()
    assert card.startswith('---\nlicense: "cc-by-4.0"\n') and '- "n<1K"\nconfigs:' in card
    line = (
        f"| `ultra_10k_messages.jsonl` | 2 | top, scale 1:2 | 0.375, 0.250 to 0.500 | s 50%, t/u 50% | `{'i' * 16}` |"
    )
    made = "From `rows.jsonl`, `owner/name`: 9 rows read, 4 of them cleaned and scored, 2 of these held out"
    for told in (line, made, "- clean: too_long, 5 rows", "python filter_datasets.py --dataset rows.jsonl\n"):
        assert told in card
    assert "/home" not in card and "heldout" not in card
    found = {
        name: datasets.load_dataset(str(folder), name, split="train", cache_dir=str(results / "cache"))["id"][:]
        for folder in (results / "exports").iterdir()
        for name in datasets.get_dataset_config_names(str(folder))
    }
    names = ["ultra_10k_alpaca_jsonl", "ultra_10k_messages_jsonl", "ultra_10k_alpaca_parquet"]
    assert found == dict.fromkeys(names, ["a", "b#2"])


def test_what_is_done_is_skipped_and_what_is_stale_is_not_told_of(results, capsys):
    export(results)
    path = results / "exports" / "jsonl" / "ultra_10k_messages.jsonl"
    before = path.stat().st_mtime_ns
    export(results)
    assert "skipped" in capsys.readouterr().out and path.stat().st_mtime_ns == before
    subset = results / "subsets" / "ultra_10k.json"
    write_json(subset, {**read_json(subset), "rows_hash": "j" * 64})
    with pytest.raises(UserError, match="input subset: .*--force rebuilds"):
        export(results)
    export(results, force=True)
    write_json(results / "scores.json", {**read_json(results / "scores.json"), "content_hash": "other"})
    assert "ultra_10k" not in dataset_export.make_card(results, results / "exports" / "jsonl", "mit")


def test_a_kill_leaves_nothing_that_looks_finished(results, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    export(results)
    monkeypatch.setattr(dataset_export, "_write_jsonl", killed)
    with pytest.raises(KeyboardInterrupt):
        export(results, force=True)
    assert [path.name for path in (results / "exports" / "jsonl").iterdir()] == ["README.md"]


@pytest.mark.parametrize("subsets", [None, ["ultra_10k", "high_100k"]])
def test_subsets_that_a_kill_left_uncut_are_named_with_the_command_that_cuts_them(results, subsets):
    scores = read_json(results / "scores.json")
    del scores["subsets_left_out"]["high_100k"]
    scores["provenance"]["argv"].append("--force")
    write_json(results / "scores.json", scores)
    with pytest.raises(UserError, match=r"lacks high_100k; first run: python filter_datasets.py .*rows.jsonl$"):
        export(results, subsets=subsets)
    assert not (results / "exports").exists()
    export(results, subsets=["ultra_10k"])


def test_a_licence_of_any_text_and_files_of_others_beside_an_export(results):
    import yaml

    folder = results / "exports" / "jsonl"
    folder.mkdir(parents=True)
    (folder / "notes.json").write_text("[1]")
    (results / "subsets" / "notes.json").write_text("[1]")
    export(results, license_id='cc: by # "x"\n')
    front = (folder / "README.md").read_text().split("---\n")[1]
    assert yaml.safe_load(front)["license"] == 'cc: by # "x"\n'
    dataset_export.remove_exports(results)
    assert [path.name for path in folder.iterdir()] == ["notes.json"]


def test_an_unknown_subset_is_named(results):
    with pytest.raises(UserError, match="no subset 'ultra' .* takes of heldout, ultra_10k"):
        export(results, subsets=["ultra"])


def test_the_filter_exports_what_is_there_without_scoring(results, monkeypatch):
    monkeypatch.setattr(filter_datasets, "make_scores", None)
    monkeypatch.setattr(
        sys,
        "argv",
        ["filter_datasets.py", "--results_dir", str(results), "--export", "sharegpt", "--subset", "heldout"],
    )
    filter_datasets.main()
    assert [path.name for path in (results / "exports").glob("*/*.jsonl")] == ["heldout_sharegpt.jsonl"]


def test_an_export_of_what_is_there_refuses_what_it_cannot_heed(results, monkeypatch):
    command = ["filter_datasets.py", "--results_dir", str(results), "--export", "messages", "--set", "max_characters=9"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(UserError, match="--set decides what is filtered: give --dataset too"):
        filter_datasets.main()
    assert not (results / "exports").exists()


def test_sizes_in_the_words_of_the_hub():
    assert [size_category(rows) for rows in (0, 999, 1_000, 10**6, 10**8)] == [
        "n<1K", "n<1K", "1K<n<10K", "1M<n<10M", "100M<n<1B"
    ]  # fmt: skip
