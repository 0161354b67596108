"""Subsets as files for other trainers, with a dataset card for the Hugging Face hub.

Reads  <results>/subsets/<subset>/ + <subset>.json, scores.json
Writes <results>/exports/<format>/<subset>_<style>.jsonl or .parquet, a JSON of the same name beside it, and README.md,
       the card of all files there: a folder can be uploaded as it is, each file is a configuration of its own. Each
       format has a folder, since the hub's loader reads all files of a repository by one format

Styles: `alpaca` (instruction, input, output), `messages` (role, content) and `sharegpt` (from, value); every row keeps
its id, source and quality. Read back by `dataset_readers.py`, each gives the same ids, instructions and responses.

    python filter_datasets.py --export messages --format parquet --subset ultra_10k high_100k
"""

import json
import shlex
import time
from pathlib import Path

from arrow_files import read_arrow
from common import (
    UserError,
    clear,
    is_done,
    one_line,
    provenance,
    read_json,
    require_writable,
    whole_file,
    write_json,
    write_text,
)
from training_configs import SUBSETS

STYLES = ["alpaca", "messages", "sharegpt"]
FORMATS = ["jsonl", "parquet"]
BATCH_ROWS = 10_000
LARGEST_SOURCES = 5  # that the card names
SIZE_CATEGORIES = {  # of the hub -> rows below which it holds
    "n<1K": 10**3, "1K<n<10K": 10**4, "10K<n<100K": 10**5, "100K<n<1M": 10**6, "1M<n<10M": 10**7, "10M<n<100M": 10**8,
    "100M<n<1B": 10**9,
}  # fmt: skip


def export_subsets(
    results: Path, style: str, file_format: str, subsets: list[str] | None, license_id: str, force: bool
):
    """Write the named subsets, or all but the held-out rows, and the card. Raises UserError where one is not there."""
    scores = read_json(results / "scores.json")
    planned = [name for name in SUBSETS if name not in scores["subsets_left_out"]]
    names = subsets or planned
    there = sorted(path.stem for path in (results / "subsets").glob("*.json"))
    if unknown := [name for name in names if name not in {*there, *planned}]:
        raise UserError(f"no subset {unknown[0]!r} under {results / 'subsets'}; --subset takes of {', '.join(there)}")
    if missing := [name for name in names if name not in there]:
        command = shlex.join(["python", *(part for part in scores["provenance"]["argv"] if part != "--force")])
        raise UserError(f"{results / 'subsets'} is not finished, it lacks {', '.join(missing)}; first run: {command}")
    folder = require_writable(results / "exports" / file_format)
    for name in names:
        path = folder / f"{name}_{style}.{file_format}"
        if export_subset(results, name, style, path, force):
            print(f"wrote {path}")
        else:
            print(f"skipped: {path} is already done")
    write_text(folder / "README.md", make_card(results, folder, license_id))


def export_files(folder: Path) -> list[Path]:
    """All files that an export may write to one of its folders, beside the card; other files there are not ours."""
    return [folder / f"{name}_{style}.{folder.name}" for name in [*SUBSETS, "heldout"] for style in STYLES]


def marker_of(path: Path) -> Path:
    """The JSON beside an export."""
    return path.with_name(f"{path.name}.json")


def remove_exports(results: Path) -> None:
    """Remove exports of scores that are made anew: nothing tells them from those of the new ones."""
    for folder in (results / "exports" / file_format for file_format in FORMATS):
        old = [path for path in export_files(folder) if path.exists() or marker_of(path).exists()]
        for path in old:
            clear(marker_of(path), path)
        if old:
            clear(folder / "README.md")
            print(f"removed the {len(old)} exports of before in {folder}")


def export_subset(results: Path, name: str, style: str, path: Path, force: bool) -> bool:
    """Write one subset to `path`, then its JSON; False where that is done."""
    started = time.time()
    subset, marker = read_json(results / "subsets" / f"{name}.json"), marker_of(path)
    config = {"subset": name, "style": style, "format": path.suffix[1:]}
    inputs = {"subset": subset["rows_hash"], **subset["provenance"]["inputs"]}
    if is_done(marker, config, inputs, force):
        return False
    table = read_arrow(results / "subsets" / name, ["id", "source", "instruction", "response", "quality"])
    clear(marker, path)
    with whole_file(path) as temporary:
        (_write_jsonl if path.suffix == ".jsonl" else _write_parquet)(temporary, styled_batches(table, style))
    facts = {key: subset[key] for key in ("rule", "rows", "scale_label", "score", "source_mix", "rows_hash")}
    write_json(marker, {"config": config, "provenance": provenance(started, inputs), "file": path.name, **facts})
    return True


# ---------------------------------------------------------------------------------------------------------------------
# Rows


def styled_batches(table, style: str):
    """The rows in a style, BATCH_ROWS at a time, as lists of dicts."""
    for batch in table.to_batches(BATCH_ROWS):
        yield [styled_row(row, style) for row in batch.to_pylist()]


def styled_row(row: dict, style: str) -> dict:
    """One row as other trainers read it."""
    asked, answered = row["instruction"], row["response"]
    if style == "alpaca":
        texts = {"instruction": asked, "input": "", "output": answered}
    elif style == "messages":
        texts = {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]}
    else:
        texts = {"conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": answered}]}
    return {"id": row["id"], "source": row["source"], **texts, "quality": row["quality"]}


def _write_jsonl(path: Path, batches) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for rows in batches:
            file.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


def _write_parquet(path: Path, batches) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    writer = None
    try:
        for rows in batches:
            table = pyarrow.Table.from_pylist(rows)
            writer = writer or parquet.ParquetWriter(path, table.schema, compression="zstd", write_page_checksum=True)
            writer.write_table(table)
    finally:
        if writer:
            writer.close()


# ---------------------------------------------------------------------------------------------------------------------
# The card


def make_card(results: Path, folder: Path, license_id: str) -> str:
    """The dataset card, README.md, of all exports that are whole and of the scores as they stand."""
    scores = read_json(results / "scores.json")
    found = [read_json(path) for path in sorted(map(marker_of, export_files(folder))) if path.exists()]
    exports = [export for export in found if export["provenance"]["inputs"]["scores"] == scores["content_hash"]]
    return "\n".join([*_front_matter(exports, license_id), *_files(exports), *_history(scores, exports), ""])


def size_category(rows: int) -> str:
    """The hub's size category of this many rows."""
    return next(name for name, below in SIZE_CATEGORIES.items() if rows < below)


def _front_matter(exports: list[dict], license_id: str) -> list[str]:
    lines = ["---", f"license: {json.dumps(license_id)}", "task_categories:", "- text-generation"]
    lines += ["tags:", "- instruction-tuning"]
    sizes = sorted({size_category(export["rows"]) for export in exports}, key=[*SIZE_CATEGORIES].index)
    lines += ["size_categories:", *(f"- {json.dumps(size)}" for size in sizes), "configs:"]
    for export in exports:
        name = export["file"].replace(".", "_")
        lines += [f"- config_name: {name}", "  data_files:", "  - split: train", f"    path: {export['file']}"]
    return [*lines, "---", ""]


def _files(exports: list[dict]) -> list[str]:
    heads = ["file", "rows", "picked by", "score, mean and range", "most from", "hash of the rows"]
    lines = ["# Instruction data, scored and selected", "", _table_line(heads), _table_line(["---"] * len(heads))]
    for export in exports:
        score, mix = export["score"], list(export["source_mix"].items())
        numbers = f"{score['mean']:.3f}, {score['min']:.3f} to {score['max']:.3f}" if export["rows"] else "-"
        sources = ", ".join(f"{source} {rows / export['rows']:.0%}" for source, rows in mix[:LARGEST_SOURCES])
        more = f" and {len(mix) - LARGEST_SOURCES} more" if len(mix) > LARGEST_SOURCES else ""
        rule = f"{export['rule']}, scale {export['scale_label']}"
        name, ids = f"`{export['file']}`", f"`{export['rows_hash'][:16]}`"
        lines.append(_table_line([name, f"{export['rows']:,}", rule, numbers, sources + more, ids]))
    return [*lines, ""]


def _table_line(cells: list[str]) -> str:
    return f"| {' | '.join(one_line(cell).replace('|', '/') for cell in cells)} |"


def _history(scores: dict, exports: list[dict]) -> list[str]:
    ledger, made = scores["ledger"], scores["provenance"]
    inputs = ", ".join(f"`{_shareable(entry)}`" for entry in scores["config"]["dataset"])
    lines = [
        "## How it was made",
        "",
        f"From {inputs}: {ledger['rows_read']:,} rows read, {ledger['rows']:,} of them cleaned and scored, "
        f"{scores['heldout_rows']:,} of these held out for testing. What was dropped, by step:",
        "",
    ]
    for step in ledger["steps"]:
        lines += [
            f"- {step['step']}: {reason}, {sum(rows.values()):,} rows" for reason, rows in step["dropped"].items()
        ]
    weights = ", ".join(f"{name} {weight}" for name, weight in scores["scorer"]["weights"].items())
    lines += ["", f"Scores lie in [0, 1], of the text alone (version {scores['scorer']['version']}; {weights}).", ""]
    commands = dict.fromkeys(_command(made["argv"]) for made in (made, *(export["provenance"] for export in exports)))
    lines += ["```bash", *commands, "```", ""]
    return [*lines, f"Commit `{made['git_commit']}`, {made['started']}. Each source keeps its own licence."]


def _command(argv: list[str]) -> str:
    return shlex.join(["python", *map(_shareable, argv)])


def _shareable(path: str) -> str:
    """An absolute path by its name alone: the card is for others."""
    return Path(path).name if Path(path).is_absolute() else path
