"""What a result rests on: the rows of a subset, the model that was trained, each by a hash of its content.

Reads  <results>/subsets/, <results>/scores.json, a run's folder. Writes nothing. Ids alone would not do: the same ids
may come with other texts the next time.
"""

import functools
import hashlib
from pathlib import Path

from arrow_files import read_arrow
from common import UserError, hash_path, probe_hub, read_json

ROW_BYTES = 16  # of a row's digest
ROW_COLUMNS = ["id", "instruction", "response"]  # what a row is: its scores may change, and it stays the same


def is_text(column) -> bool:
    """Whether a column of a pyarrow table is of strings with none missing."""
    return str(column.type) in ("string", "large_string") and not column.null_count


def row_digests(table, columns: list[str] = ROW_COLUMNS) -> list[bytes]:
    """ROW_BYTES for every row of a pyarrow table, which tell some columns of texts apart. Lone surrogates are fine."""
    digests = []
    for batch in table.select(columns).to_batches(10_000):
        for texts in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            parts = [text.encode("utf-8", "surrogatepass") for text in texts]
            framed = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
            digests.append(hashlib.blake2b(framed, digest_size=ROW_BYTES).digest())
    return digests


def hash_rows(digests: list[bytes]) -> str:
    """SHA-256 of rows in their order, given their `row_digests`."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


def require_subset(results_dir: Path, name: str) -> dict:
    """The JSON of a finished subset. Raises UserError that names the command which makes it."""
    marker = results_dir / "subsets" / f"{name}.json"
    scores = read_json(results_dir / "scores.json") if (results_dir / "scores.json").exists() else {}
    if name in scores.get("subsets_left_out", {}):
        reason = scores["subsets_left_out"][name]
        raise UserError(
            f"subset {name} was left out at scale {scores['scale_label']} ({reason}): a pool of "
            f"{scores['pool_rows']:,} rows is too small for it; give filter_datasets.py more"
        )
    if not marker.exists():
        raise UserError(
            f"subset {name} is missing under {results_dir}; make it: python filter_datasets.py (--dataset demo for the "
            "embedded corpus)"
        )
    return read_json(marker)


def read_subset(results_dir: Path, name: str, rows_hash: str, columns: list[str] | None = None):
    """The rows of a subset, all columns or some. Raises UserError where they are damaged, or not those of the hash."""
    folder = results_dir / "subsets" / name
    table = read_arrow(folder, columns)
    if not all(is_text(table[column]) for column in ROW_COLUMNS):
        raise UserError(f"{folder} must hold texts in {', '.join(ROW_COLUMNS)}; run filter_datasets.py with --force")
    if hash_rows(row_digests(table)) != rows_hash:
        raise UserError(f"{folder} does not hold the rows that {name}.json names; run filter_datasets.py with --force")
    return table


def run_inputs(run: Path) -> tuple[dict, dict[str, str]]:
    """A finished run's resolved config, and the hashes of its model and of the held-out rows.

    Raises UserError where the weights are not those that were trained; where they were removed to save disk, what is
    done stays done.
    """
    if not (run / "train_results.json").exists():
        raise UserError(f"{run} has no finished training; run: python train_quality_comparison.py {run.name}")
    inputs, weights = evaluation_inputs(run), run / "model" / "model.safetensors"
    if weights.exists() and hash_path(weights) != inputs["model"]:
        raise UserError(f"{weights} is not the model that was trained (model_hash in train_results.json); put that "
                        f"back, or train again: python train_quality_comparison.py {run.name} --force")  # fmt: skip
    return read_json(run / "experiment_config.json")["config"], inputs


def evaluation_inputs(run: Path) -> dict[str, str]:
    """The hashes, by its own account, of a trained model and of the rows that it is tested on."""
    model = read_json(run / "train_results.json")["model_hash"]
    return {"model": model, "heldout": require_subset(run.parent, "heldout")["rows_hash"]}


@functools.cache  # once for all experiments of a group
def model_fingerprint(name_or_path: str) -> str:
    """What identifies a pretrained model: the hash of a local folder, or the hub id as it is."""
    if Path(name_or_path).is_dir():
        return hash_path(name_or_path)
    probe_hub("models", name_or_path)
    return name_or_path
