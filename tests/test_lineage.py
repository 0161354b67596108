"""Results rest on the content of rows and weights, not on their names: what changed is never taken for what it was."""

import pyarrow
import pytest

from arrow_files import write_arrow
from common import UserError, read_json, write_json
from lineage import hash_rows, read_subset, row_digests, run_inputs

TABLE = pyarrow.table({"id": ["a", "b"], "instruction": ["x", "y"], "response": ["u" * 5_000, "v"]})


def hash_of(**changed) -> str:
    return hash_rows(row_digests(pyarrow.table({**TABLE.to_pydict(), **changed})))


def test_the_hash_of_rows_tells_every_text_their_order_and_their_boundaries_apart():
    hashes = [
        hash_rows(row_digests(TABLE)),
        hash_of(id=["a", "c"]),
        hash_of(response=["u" * 5_000, "V"]),
        hash_of(instruction=["y", "x"]),
        hash_of(instruction=["x", "yv"], response=["u" * 5_000, ""]),
        hash_rows(row_digests(TABLE.take([1, 0]))),
        hash_rows(row_digests(TABLE.slice(0, 1))),
    ]
    assert len(set(hashes)) == len(hashes)
    chunks = pyarrow.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)])
    scored = chunks.append_column("quality", [[0.1, 0.2]])
    assert hash_rows(row_digests(scored)) == hashes[0]  # scores and chunks are no part of a row


def test_damaged_rows_and_other_rows_are_named(tmp_path):
    write_arrow(tmp_path / "subsets" / "ultra_10k", TABLE)
    rows_hash = hash_rows(row_digests(TABLE))
    assert read_subset(tmp_path, "ultra_10k", rows_hash).num_rows == 2
    with pytest.raises(UserError, match="does not hold the rows that ultra_10k.json names"):
        read_subset(tmp_path, "ultra_10k", "other")
    file = next((tmp_path / "subsets" / "ultra_10k").glob("*.arrow"))
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"uuuu", b"uvuu", 1))  # still text
    with pytest.raises(UserError, match="does not hold the rows"):
        read_subset(tmp_path, "ultra_10k", rows_hash)
    file.write_bytes(whole.replace(b"uuuu", b"\xff\xfe\xfd\xfc", 1))
    with pytest.raises(UserError, match="ultra_10k is damaged"):
        read_subset(tmp_path, "ultra_10k", rows_hash)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="ultra_10k is damaged"):
        read_subset(tmp_path, "ultra_10k", rows_hash)


@pytest.mark.parametrize("column", [{"id": [1, 2]}, {"response": ["u", None]}, {"instruction": [3.0, 4.0]}])
def test_rows_that_are_no_texts_are_refused(tmp_path, column):
    write_arrow(tmp_path / "subsets" / "mine", pyarrow.table({**TABLE.to_pydict(), **column}))
    with pytest.raises(UserError, match="must hold texts in id, instruction, response"):
        read_subset(tmp_path, "mine", "any")


def test_a_model_that_changed_since_it_was_trained_is_refused(tmp_path):
    from common import hash_path

    run, weights = tmp_path / "ultra_10k_demo", tmp_path / "ultra_10k_demo" / "model" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"trained")
    write_json(run / "train_results.json", {"model_hash": hash_path(weights)})
    write_json(run / "experiment_config.json", {"config": {"seed": 0}})
    (tmp_path / "subsets").mkdir()
    write_json(tmp_path / "subsets" / "heldout.json", {"rows_hash": "h"})
    assert run_inputs(run) == ({"seed": 0}, {"model": hash_path(weights), "heldout": "h"})
    weights.write_bytes(b"another")
    with pytest.raises(UserError, match="is not the model that was trained"):
        run_inputs(run)
    inputs = {"model": read_json(run / "train_results.json")["model_hash"], "heldout": "h"}
    weights.unlink()  # to save disk: what is done stays done
    assert run_inputs(run) == ({"seed": 0}, inputs)
