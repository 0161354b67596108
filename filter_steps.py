"""The steps from any instruction data to clean, deduplicated, scored rows, shard by shard.

    read               input -> rows, what can be dropped at once, digests       one task for each shard
    count              rows -> MinHash keys and sketches, counts for the scorer  one for each shard
    candidates         keys -> pairs that may be near-duplicates                 one for each band
    verify             pairs -> near-duplicates, on the texts themselves         one for each block of pairs
    score              rows -> scores                                            one for each shard
    ifd                rows -> their difficulty, by a model                      one for some rows, in the parent
    write              rows that stay -> files of scores/                        one for each file

Between them the parent decides what depends on all rows: exact duplicates, the counts, clusters, held-out rows.
It holds no text, only some 150 bytes a row. Every task is a pure function of its shard and of what is decided, and
writes one whole file: after a kill the same command goes on with the files that are there.

Reads  what `dataset_readers.py` opens
Writes <results>/.filter_work/<hash>/, which `filter_datasets.py` removes at the end
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute

import instruction_difficulty
import near_duplicates
from arrow_files import write_table
from common import hash_strings
from corpus_shards import Job, ShardedRows, folder_files, write_array, write_arrays, write_facts, write_rows
from dataset_readers import read_rows, renamed_ids, replace_values
from dataset_shards import check_parts, merge_ledgers, read_shard, shards_of_input
from filter_ledger import Ledger
from near_duplicates import first_of_each, text_digest
from quality_scorer import QualityScorer
from training_configs import SCORE_KEYS

SHARD_ROWS = 16_384  # of input to a shard: what a kill costs at most, for each process
BATCH_ROWS = 2_000
IFD_ROWS = 4_096  # measured together: what a kill costs at most
RANGES = 16  # parts into which what is merged over all shards is cut
COUNTED = ["template_counts", "document_counts"]  # what the scorer counts over a corpus
REASONS = ["empty_instruction", "empty_response", "response_too_short", "too_long"]  # a row counts under the first


# ---------------------------------------------------------------------------------------------------------------------
# Read


class Corpus:
    """The rows read, on disk, and what is known of each in memory: source, id, digests, why it goes."""

    def __init__(self, job: Job, shards: int, ledger: dict):
        facts = [_loaded(job.path("facts", number, "npz")) for number in range(shards)]
        texts = ShardedRows([job.path("rows", number, "arrow") for number in range(shards)])
        ids = texts.column("id")
        renamed = renamed_ids(ids)
        if renamed:
            ledger["modified"] = dict(sorted({**ledger["modified"], "duplicate_id_suffixed": len(renamed)}.items()))
        self.ids = replace_values(ids, renamed) if renamed else ids.combine_chunks()
        self.texts = ShardedRows(texts.paths, {"id": self.ids})
        self.offsets = texts.offsets
        self.exact, self.asked = (_joined(facts, name, "V16") for name in ("exact", "asked"))
        self.reasons = _joined(facts, "reasons", np.int8)
        local = [json.loads(bytes(fact["sources"])) for fact in facts]
        self.source_names = sorted({name for names in local for name in names})  # so that codes sort as names do
        place = {name: code for code, name in enumerate(self.source_names)}
        codes = [
            np.array([place[name] for name in names], np.int32)[fact["codes"]]
            for fact, names in zip(facts, local, strict=True)
        ]
        self.sources = np.concatenate([np.empty(0, np.int32), *codes])
        self.dialogues = dialogue_numbers(facts, ids, self.offsets)
        self.ledger = Ledger(self.sources, self.source_names, self.texts, ledger)

    def local_rows(self, rows: np.ndarray) -> list[np.ndarray]:
        """Ascending row numbers as numbers within each shard."""
        limits = np.searchsorted(rows, self.offsets)
        return [rows[limits[shard] : limits[shard + 1]] - self.offsets[shard] for shard in range(len(self.offsets) - 1)]


def dialogue_numbers(facts: list, ids, offsets: np.ndarray) -> np.ndarray:
    """The number of the dialogue of each row: with --turns all a dialogue is several rows, one after the other."""
    goes_on = _joined(facts, "goes_on", bool)
    for row in offsets[1:-1].tolist():  # a shard does not know the row before its first
        goes_on[row : row + 1] = 0 < row < len(ids) and is_next_turn(ids[row - 1].as_py(), ids[row].as_py())
    return np.cumsum(~goes_on)


def is_next_turn(before: str, identity: str) -> bool:
    """Whether an id is that of the next answer of a dialogue: x#3 after x#2."""
    (name, _, turn), (name_before, _, turn_before) = identity.rpartition("#"), before.rpartition("#")
    is_number = turn_before.isdecimal() and len(turn_before) < 10
    return is_number and name == name_before and turn == str(int(turn_before) + 1)


def _loaded(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a `write_arrays` file, which is closed: there may be more shards than a process may open files."""
    with np.load(path) as saved:
        return dict(saved)


def _joined(facts: list, name: str, kind) -> np.ndarray:
    return np.concatenate([np.empty(0, kind), *(fact[name] for fact in facts)])


def read_corpus(job: Job, config: dict) -> Corpus:
    """Read the input into shards. Raises UserError for what cannot be read."""
    marker = job.path("read", suffix="json")
    if not marker.exists():
        context = (job, config["columns"], config["turns"], config["cleaning"])
        job.run_step("read", read_task, context, _read_tasks(job, config))
        write_facts(marker, _read_summary(job, config["columns"]))
    shards, ledger = json.loads(marker.read_text(encoding="utf-8"))
    return Corpus(job, shards, ledger)


def _read_tasks(job: Job, config: dict):
    """One task for each shard. A sample is drawn in one piece, in memory, and then cut into shards."""
    if config["max_samples"] is None:
        shards = shards_of_input(config["dataset"], config["split"], config["columns"], SHARD_ROWS)
        for number, segments in enumerate(shards):
            rows = sum(segment.chunk.rows for segment in segments)
            yield job.path("facts", number, "npz"), rows, (number, segments, None, None)
        return
    names = ("dataset", "max_samples", "seed", "split", "columns", "turns")
    table, ledger = read_rows(*(config[name] for name in names))
    for number, start in enumerate(range(0, max(table.num_rows, 1), SHARD_ROWS)):
        part = table.slice(start, SHARD_ROWS)
        yield job.path("facts", number, "npz"), part.num_rows, (number, None, part, None if number else ledger)


def read_task(context, task) -> None:
    """One shard of the input, parsed: its rows, and the facts of each."""
    (job, columns, turns, cleaning), (number, segments, table, ledger) = context, task
    reports = {}
    if table is None:
        table, ledger, reports = read_shard(segments, columns, turns)
    write_table(job.path("rows", number, "arrow"), table)
    exact, asked, goes_on, before = [], [], [], ("", "")
    for batch in table.to_batches(BATCH_ROWS):
        instructions, responses = batch["instruction"].to_pylist(), batch["response"].to_pylist()
        exact += map(text_digest, instructions, responses)
        asked += near_duplicates.word_digests(instructions)  # one mark more makes no other question
        for identity, instruction, response in zip(batch["id"].to_pylist(), instructions, responses, strict=True):
            # The text too: rows that are no dialogue may have such ids of their own.
            is_next = turns == "all" and is_next_turn(before[0], identity)
            goes_on.append(is_next and before[1].strip() in instruction)
            before = identity, response
    sources = table["source"].combine_chunks().dictionary_encode()
    write_arrays(
        job.path("facts", number, "npz"),
        exact=np.array(exact, "V16"),
        asked=np.array(asked, "V16"),
        goes_on=np.array(goes_on, bool),
        reasons=cleaning_reasons(table, cleaning),
        codes=sources.indices.to_numpy(),
        sources=np.frombuffer(json.dumps(sources.dictionary.to_pylist()).encode(), np.uint8),
        report=np.frombuffer(json.dumps([ledger, reports]).encode(), np.uint8),
    )


def _read_summary(job: Job, columns: dict[str, str] | None) -> tuple[int, dict]:
    """The number of shards, and the ledger of all. Raises UserError where a part of the input is of no use."""
    shards = len(list(job.folder.glob("facts-*.npz")))
    found = [json.loads(bytes(np.load(job.path("facts", number, "npz"))["report"])) for number in range(shards)]
    check_parts([reports for _, reports in found], columns)
    return shards, merge_ledgers([ledger for ledger, _ in found if ledger])  # a sample has one for all shards


def cleaning_reasons(table, cleaning: dict) -> np.ndarray:
    """For each row 0 where it stays, else 1 + the place in REASONS of the first reason to drop it."""
    lengths = {}
    for name in ("instruction", "response"):
        trimmed = pyarrow.compute.utf8_trim_whitespace(table[name])
        lengths[name] = pyarrow.compute.utf8_length(trimmed).to_numpy()
    masks = {
        "empty_instruction": lengths["instruction"] == 0,
        "empty_response": lengths["response"] == 0,
        "response_too_short": lengths["response"] < (cleaning["min_response_characters"] or 0),
        "too_long": lengths["instruction"] + lengths["response"] > (cleaning["max_characters"] or np.inf),
    }
    reasons = np.zeros(table.num_rows, np.int8)
    for place, reason in reversed(list(enumerate(REASONS, start=1))):
        reasons[masks[reason]] = place
    return reasons


def distinct_rows(corpus: Corpus, drop_exact_duplicates: bool) -> np.ndarray:
    """The rows that are clean; of exact duplicates, the first."""
    masks = {reason: corpus.reasons == place for place, reason in enumerate(REASONS, start=1)}
    rows = corpus.ledger.drop("clean", np.arange(corpus.texts.rows), masks)
    if not drop_exact_duplicates:
        return rows
    return corpus.ledger.drop("exact duplicates", rows, {"exact_duplicate": ~first_of_each(corpus.exact[rows])})


# ---------------------------------------------------------------------------------------------------------------------
# Count: signatures, and what the scorer is fitted on


def count_rows(job: Job, corpus: Corpus, rows: np.ndarray) -> QualityScorer:
    """Signatures of the rows, on disk, and a scorer fitted on them."""
    parts = corpus.local_rows(rows)
    job.run_step("count", count_task, (job, corpus.texts.paths), job.tasks_of("fit", parts, "arrow"), len(rows))
    tasks = ((job.path("counts", number, "arrow"), 1, number) for number in range(RANGES))
    job.run_step("merge counts", merge_counts_task, (job, len(parts)), tasks, RANGES, "ranges")
    scorer = QualityScorer()
    scorer.rows, scorer.unlisted = len(rows), 1
    for number in range(RANGES):
        columns = ShardedRows([job.path("counts", number, "arrow")]).take_all().to_pydict()
        for kind, key, count in zip(columns["kind"], columns["key"], columns["rows_sum"], strict=True):
            getattr(scorer, COUNTED[kind])[key.decode("utf-8", "surrogatepass")] = count
    return scorer


def count_task(context, task) -> None:
    """One shard: keys and sketches of its rows, and how many of them hold each template and word."""
    (job, paths), (number, part) = context, task
    counter, keys, sketches = QualityScorer(), [np.empty((near_duplicates.BANDS, 0), np.uint64)], []
    for instructions, responses in batches_of(paths[number], part):
        counter.count(instructions)
        signatures = near_duplicates.signatures(_whole_texts(instructions, responses))
        keys.append(near_duplicates.band_keys(signatures))
        sketches.append(near_duplicates.sketches(signatures))
    write_array(job.path("keys", number), np.concatenate(keys, axis=1))
    write_array(
        job.path("sketch", number), np.concatenate([np.empty((0, near_duplicates.SKETCH_WORDS), np.uint64), *sketches])
    )
    write_table(job.path("fit", number, "arrow"), counts_table(counter))


def batches_of(path: str, part: np.ndarray):
    """Instructions and responses of some rows of one shard, BATCH_ROWS at a time."""
    source = ShardedRows([path])
    for start in range(0, len(part), BATCH_ROWS):
        table = source.take(part[start : start + BATCH_ROWS], ["instruction", "response"])
        yield table["instruction"].to_pylist(), table["response"].to_pylist()


def _whole_texts(instructions: list[str], responses: list[str]) -> list[str]:
    return [f"{ask}\n{answer}" for ask, answer in zip(instructions, responses, strict=True)]


def counts_table(counter: QualityScorer):
    """What a scorer has counted, one line for each key, in the order of a hash of the key."""
    kinds, keys, hashes, counts = [], [], [], []
    for kind, name in enumerate(COUNTED):
        for key, count in getattr(counter, name).items():
            kinds.append(kind)
            keys.append(key.encode("utf-8", "surrogatepass"))
            hashes.append(int.from_bytes(hashlib.blake2b(keys[-1], digest_size=8).digest(), "little"))
            counts.append(count)
    columns = [
        pyarrow.array(kinds, pyarrow.int8()),
        pyarrow.array(keys, pyarrow.large_binary()),
        pyarrow.array(hashes, pyarrow.uint64()),
        pyarrow.array(counts, pyarrow.int64()),
    ]
    return pyarrow.table(columns, ["kind", "key", "hash", "rows"]).sort_by("hash")


def merge_counts_task(context, number: int) -> None:
    """One range of the keys' hashes: the counts of all shards added up, without those of 1.

    Keys counted once are most keys and most of the memory. Every key of the corpus was counted at least once, so that
    one which is not listed has a count of 1: scores are those of the full counts, however the rows were sharded.
    """
    job, shards = context
    limits = np.array([number, number + 1], np.float64) / RANGES * 2.0**64
    parts = []
    for shard in range(shards):
        table = ShardedRows([job.path("fit", shard, "arrow")]).take_all()
        start, stop = np.searchsorted(table["hash"].to_numpy().astype(np.float64), limits)
        parts.append(table.slice(start, stop - start if number + 1 < RANGES else None))
    merged = pyarrow.concat_tables(parts).group_by(["kind", "key"]).aggregate([("rows", "sum")])
    merged = merged.filter(pyarrow.compute.greater(merged["rows_sum"], 1))
    write_table(job.path("counts", number, "arrow"), merged.sort_by([("kind", "ascending"), ("key", "ascending")]))


# ---------------------------------------------------------------------------------------------------------------------
# Near-duplicates


def near_duplicate_clusters(job: Job, corpus: Corpus, rows: np.ndarray, threshold: float) -> np.ndarray:
    """The cluster of each row, by the place in `rows` of its first; see `near_duplicates.py`."""
    shards = range(len(corpus.texts.paths))
    sketch = np.concatenate([np.load(job.path("sketch", number)) for number in shards])
    bands = range(near_duplicates.BANDS)
    context = (job, sketch, threshold, len(shards))
    tasks = ((job.path("pairs", band), 1, band) for band in bands)
    job.run_step("candidates", candidates_task, context, tasks, len(bands), "bands")
    tasks = ((job.path("distinct", number), 1, number) for number in range(RANGES))
    job.run_step("merge candidates", merge_candidates_task, (job, len(rows)), tasks, RANGES, "ranges")
    codes = np.concatenate([np.load(job.path("distinct", number)) for number in range(RANGES)])
    codes = near_duplicates.grouped_by_cluster(codes, len(rows))
    tasks = job.tasks_of("links", near_duplicates.candidate_blocks(codes, len(rows)))
    context = (job, corpus.texts, rows, sketch, threshold)
    job.run_step("verify", verify_task, context, tasks, len(codes), "pairs")
    links = [np.load(path) for path in sorted(job.folder.glob("links-*.npy"))]
    return near_duplicates.cluster_numbers(len(rows), np.concatenate([np.empty((0, 2), np.int64), *links]))


def candidates_task(context, band: int) -> None:
    """One band: the pairs of rows that share it."""
    job, sketch, threshold, shards = context
    paths = [job.path("keys", number) for number in range(shards)]
    keys, next_keys = (
        np.concatenate([np.array(np.load(path, mmap_mode="r")[number]) for path in paths])  # a copy, the file closed
        for number in (band, (band + 1) % near_duplicates.BANDS)
    )
    write_array(job.path("pairs", band), near_duplicates.band_pairs(keys, next_keys, sketch, threshold))


def merge_candidates_task(context, number: int) -> None:
    """One range of first rows: the pairs that any band found, each once."""
    job, rows = context
    limits = np.array([number, number + 1]) * rows // RANGES * rows
    parts = []
    for band in range(near_duplicates.BANDS):
        codes = np.load(job.path("pairs", band), mmap_mode="r")
        parts.append(codes[slice(*np.searchsorted(codes, limits))])
    write_array(job.path("distinct", number), near_duplicates.distinct_codes(parts))


def verify_task(context, task) -> None:
    """One block of candidate pairs: those that are near-duplicates."""
    (job, texts, rows, sketch, threshold), (number, pairs) = context, task

    def pairs_of(some: np.ndarray) -> tuple[list[str], list[str]]:
        table = texts.take(rows[some], ["instruction", "response"])
        return table["instruction"].to_pylist(), table["response"].to_pylist()

    links = near_duplicates.verified_links(pairs, pairs_of, lambda some: sketch[some], threshold)
    write_array(job.path("links", number), links)


# ---------------------------------------------------------------------------------------------------------------------
# Score, write


def score_rows(job: Job, corpus: Corpus, rows: np.ndarray, scorer: QualityScorer) -> np.ndarray:
    """The scores of the rows, float64 of shape (SCORE_KEYS, rows)."""
    parts = corpus.local_rows(rows)
    job.run_step("score", score_task, (job, corpus.texts.paths, scorer), job.tasks_of("scores", parts), len(rows))
    scores = np.concatenate([np.load(job.path("scores", number)) for number in range(len(parts))], axis=1)
    assert np.isfinite(scores).all(), "the scorer gave a score that is no number"
    return scores


def score_task(context, task) -> None:
    """One shard: the scores of its rows."""
    (job, paths, scorer), (number, part) = context, task
    scores = [np.empty((len(SCORE_KEYS), 0))]
    for batch in batches_of(paths[number], part):
        found = scorer.score_batch(*batch)
        scores.append(np.stack([found[key] for key in SCORE_KEYS]))
    write_array(job.path("scores", number), np.concatenate(scores, axis=1))


def measure_difficulty(job: Job, corpus: Corpus, rows: np.ndarray, model: str) -> tuple[np.ndarray, dict]:
    """Instruction-following difficulty of the rows, NaN where there is none, and the facts of the measurement."""
    loaded, values, facts = None, [], []
    for number, start in enumerate(range(0, len(rows), IFD_ROWS)):
        path = job.path("ifd", number, "npz")
        if not path.exists():
            loaded = loaded or instruction_difficulty.load(model)
            network, tokenizer, device = loaded
            part = corpus.texts.take(rows[start : start + IFD_ROWS], ["instruction", "response"])
            texts = part["instruction"].to_pylist(), part["response"].to_pylist()
            with job.timed("ifd"):
                ifd, found = instruction_difficulty.measure(
                    network, tokenizer, *texts, device, rows_to_come=len(rows) - start
                )
            write_arrays(path, ifd=ifd, facts=np.frombuffer(json.dumps(found).encode(), np.uint8))
        saved = np.load(path)
        values.append(saved["ifd"])
        facts.append(json.loads(bytes(saved["facts"])))
    return np.concatenate(values), instruction_difficulty.merge_facts(facts)


def write_scores(job: Job, corpus: Corpus, rows: np.ndarray, scores: dict[str, np.ndarray]) -> tuple[list[str], str]:
    """The files of scores/ with the rows of these numbers, in the job's folder, and the hash of their content.

    scores: columns to add, float64 for each of the rows; NaN is written as null.
    """
    columns = {"id": corpus.ids}
    for key, values in scores.items():
        whole = np.full(corpus.texts.rows, np.nan)
        whole[rows] = values
        columns[key] = pyarrow.array(whole, from_pandas=True) if np.isnan(values).any() else whole
    source = ShardedRows(corpus.texts.paths, columns)
    (job.folder / "scores").mkdir(exist_ok=True)
    files = folder_files(job.folder / "scores", rows)
    tasks = ((Path(path), len(part), (part, path)) for part, path in files)
    job.run_step("write", write_rows, source, tasks, len(rows))
    names = ["id", "source", "instruction", "response"]
    paths = [path for _, path in files]
    tasks = ((job.path(f"hash-{name}", suffix="json"), len(rows), name) for name in names)
    job.run_step("hash", hash_task, (job, paths), tasks, len(names) * len(rows), "cells")
    hashes = [json.loads(job.path(f"hash-{name}", suffix="json").read_text()) for name in names]
    return paths, hash_strings([*hashes, *(values.tobytes().hex() for values in scores.values())])


def hash_task(context, name: str) -> None:
    """SHA-256 of one column of text over all files."""
    job, paths = context

    def values():
        for path in paths:
            with pyarrow.memory_map(path) as file:
                for batch in pyarrow.ipc.open_stream(file):
                    yield from batch[name].to_pylist()

    write_facts(job.path(f"hash-{name}", suffix="json"), hash_strings(values()))
