"""Files of instruction data in every format, damaged with their structure in mind, read in processes that may die.

    python tests/hardening/fuzz_readers.py --minutes 30
    python tests/hardening/fuzz_readers.py --case 1234        # one case again, in this process
    python tests/hardening/fuzz_readers.py --minutes 1 --first 5000

A case is its number: the same number gives the same file, with the same libraries. Each batch is a process of its own
of at most MEMORY_BYTES, so that what a native library does to the process - a crash, an endless loop, more memory than
there is - is a finding as well as a traceback is. Ends with status 1 where something was found.
"""

import argparse
import faulthandler
import gzip
import io
import json
import pickle
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as parquet

sys.path.insert(0, str(Path(__file__).parent))

import fuzz  # noqa: E402

BATCH = 400  # cases to a process
SECONDS_A_CASE = 40  # beyond which the process is killed: a hang
MEMORY_BYTES = 6 * 2**30

# ---------------------------------------------------------------------------------------------------------------------
# Rows

TEXTS = ["Add 2 and 3.", "It is 5.", "", " ", "汉字 🙂", "a\0b", "\u202eabc\u200b", "<|im_end|>", "x" * 70_000,
         "\ufeff", "\ud800", "\r", "\r\n\r\n", '"', '""', ",", "\\", "\x1b[31m", "=1+1", "null", "\u2028", "[",
         "{}"]  # fmt: skip
PLAIN = [
    lambda n: {"id": f"r{n}", "instruction": f"Add {n} and 2.", "response": f"It is {n + 2}."},
    lambda n: {"instruction": f"Sort {n}", "input": "3 1 2", "output": "1 2 3"},
    lambda n: {"messages": [{"role": "user", "content": f"Hi {n}"}, {"role": "assistant", "content": "Hello"}]},
    lambda n: {"conversations": [{"from": "human", "value": f"Hi {n}"}, {"from": "gpt", "value": "Hello"}] * 3},
    lambda n: {"prompt": [{"role": "user", "content": f"{n}?"}], "chosen": [{"role": "assistant", "content": "Yes"}]},
    lambda n: {"question": f"What is {n}?", "answer": n, "context": None, "source": "wiki"},
]


def odd_value(dice: random.Random):
    """What no text should be: nothing, numbers of any size, nested emptiness, text of all sorts."""
    kind = dice.randrange(9)
    if kind == 0:
        return dice.choice([None, True, -0.0, float("nan"), float("inf"), 1e308, 5e-324, 2**63, -(2**64), 10**300])
    if kind == 1:
        return 10 ** dice.choice([400, 4_299, 4_300, 6_000])
    if kind == 2:
        nested = None
        for _ in range(dice.choice([3] * 20 + [300] * 5 + [40_000])):
            nested = [nested] if dice.random() < 0.5 else {"a": nested}
        return nested
    if kind == 3:
        return [None, {"role": None, "content": None}, [], {}, "text"][: dice.randrange(6)]
    if kind == 4:
        return [{"role": dice.choice(TEXTS), "content": odd_value(dice)} for _ in range(dice.randrange(3))]
    if kind == 5:
        return {"text": dice.choice(TEXTS), dice.choice(TEXTS): None}
    return dice.choice(TEXTS)


def make_rows(dice: random.Random, odd: float) -> list:
    """Rows of one layout or of several, a share of whose values are odd."""
    layouts = PLAIN if dice.random() < 0.2 else [dice.choice(PLAIN)]
    rows = []
    for number in range(dice.choice([0, 1, 2, 5, 5, 5, 30, 30, 300])):
        row = dice.choice(layouts)(number)
        for name in list(row):
            if dice.random() < odd:
                row[name] = odd_value(dice)
            if dice.random() < odd / 4:
                del row[name]
        if dice.random() < odd:
            row[dice.choice(["Instruction ", "", "id", "messages", "\0", "other", "source"])] = odd_value(dice)
        rows.append(row if dice.random() > odd / 9 else odd_value(dice))
    return rows


def shallow(value, depth: int = 40):
    """The value as Arrow and `json` can take it: not nested deeper."""
    if isinstance(value, list | dict) and not depth:
        return None
    if isinstance(value, list):
        return [shallow(part, depth - 1) for part in value]
    return {key: shallow(part, depth - 1) for key, part in value.items()} if isinstance(value, dict) else value


# ---------------------------------------------------------------------------------------------------------------------
# Files


def dump(value) -> str:
    """JSON of values however deep, or of however many digits."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError):
        return "[" * 60_000 + "]" * 60_000


def json_file(dice: random.Random, rows: list) -> tuple[bytes, str]:
    texts = [dump(row) for row in rows]
    for place in range(len(texts)):
        if dice.random() < 0.05 and texts[place].startswith("{"):  # a key that comes twice
            texts[place] = '{"instruction": [1], "id": {}, ' + texts[place][1:]
        if dice.random() < 0.01:
            texts[place] = dice.choice(
                ["", "\0", "//", "'a'", "{", "]", "NaN", "1e999", "{} {}", "\ufeff{}", ",", "[{}]"]
            )
    end = dice.choice(["\n", "\n", "\r\n", "\r", "\n\n", " \n", "\u2028", ""])
    if dice.random() < 0.5:
        text = (
            dice.choice(["[", " [ ", "[\n"])
            + dice.choice([",", ",\r\n", ", "]).join(texts)
            + dice.choice(["]", "]", "] ", ",]", "]]", ""])
        )
        suffix = ".json"
    else:
        text, suffix = end.join(texts) + dice.choice(["", end]), ".jsonl"
    return encode(dice, text), suffix


def csv_file(dice: random.Random, rows: list) -> tuple[bytes, str]:
    rows = [row for row in rows if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["instruction", "response"]
    quote = dice.choice(['"', '"', "'", ""])
    mark = dice.choice([",", ",", ",", ";", "\t"])

    def cell(value) -> str:
        text = dump(value) if not isinstance(value, str) else value
        return f"{quote}{text.replace(quote, 2 * quote) if quote and dice.random() < 0.95 else text}{quote}"

    lines = [mark.join(map(cell, names + names[: dice.randrange(2)]))]
    for row in rows:
        cells = [cell(row.get(name)) for name in names]
        lines.append(
            mark.join(
                cells[: dice.randrange(len(cells) + 1)] if dice.random() < 0.05 else cells + [""] * dice.randrange(2)
            )
        )
    end = dice.choice(["\n", "\r\n", "\r", "\n\n"])
    return encode(
        dice, "".join(line + (end if dice.random() < 0.95 else dice.choice(["\n", "\r"])) for line in lines)
    ), ".csv"


def encode(dice: random.Random, text: str) -> bytes:
    code = dice.choice(["utf-8"] * 8 + ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
    if code.startswith(("utf-16", "utf-32")):
        return text.encode(code, "surrogatepass")
    return text.encode(code, "surrogatepass" if code == "utf-8" else "ignore")


def make_table(dice: random.Random, rows: list, kinds: list[str]) -> pyarrow.Table:
    """The rows as columns, of one of the types that Arrow has for them; what has no type in common is text."""
    rows = [row for row in shallow(rows) if isinstance(row, dict)]
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        try:
            array = pyarrow.array(values)
        except (pyarrow.ArrowException, ValueError, TypeError, OverflowError):
            texts = [dump(value)[:1_000].encode("utf-8", "replace").decode() for value in values]
            array = pyarrow.array(texts)
        if pyarrow.types.is_string(array.type):
            array = odd_strings(array, dice.choice(kinds))
        columns[name.encode("utf-8", "replace").decode()] = array
    table = pyarrow.table(columns)
    if dice.random() < 0.2 and len(columns) > 1:  # a name twice
        table = table.append_column(table.column_names[0], table.column(table.num_columns - 1))
    return table


STRING_KINDS = ["string", "string", "large", "dictionary", "binary", "list", "bad_utf8"]


def odd_strings(array, kind: str):
    if kind == "large":
        return array.cast(pyarrow.large_string())
    if kind == "view":
        return array.cast(pyarrow.string_view())
    if kind == "dictionary":
        return array.dictionary_encode()
    if kind == "binary":
        return array.cast(pyarrow.binary())
    if kind == "list":
        return pyarrow.array([[text, None] for text in array.to_pylist()])
    if kind == "run_end":
        return pyarrow.compute.run_end_encode(array)
    if kind == "bad_utf8":
        return pyarrow.array([b"\xff\xfe text"] * len(array), pyarrow.binary()).view(pyarrow.string())
    return array


def parquet_file(dice: random.Random, rows: list) -> tuple[bytes, str]:
    sink = io.BytesIO()
    table, packing = make_table(dice, rows, STRING_KINDS), ["snappy", "gzip", "zstd", "none", "lz4", "brotli"]
    parquet.write_table(
        table, sink, compression=dice.choice(packing),
        use_dictionary=dice.random() < 0.5, data_page_version=dice.choice(["1.0", "2.0"]),
        row_group_size=dice.choice([1, 7, 1_000]), data_page_size=dice.choice([64, 2**20]),
        write_page_checksum=dice.random() < 0.5, write_statistics=dice.random() < 0.5,
        store_schema=dice.random() < 0.7,
    )  # fmt: skip
    return sink.getvalue(), ".parquet"


def arrow_file(dice: random.Random, rows: list) -> tuple[bytes, str]:
    table, sink = make_table(dice, rows, [*STRING_KINDS, "view", "run_end"]), io.BytesIO()
    options = pyarrow.ipc.IpcWriteOptions(compression=dice.choice([None, None, "lz4", "zstd"]))
    make = dice.choice([pyarrow.ipc.new_stream, pyarrow.ipc.new_file])
    with make(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=dice.choice([1, 7, 1_000]))
    return sink.getvalue(), ".arrow"


MAKERS = [json_file, json_file, csv_file, parquet_file, parquet_file, arrow_file, arrow_file]

# ---------------------------------------------------------------------------------------------------------------------
# Damage


def damage(dice: random.Random, content: bytes, suffix: str) -> bytes:
    """Some bytes of it wrong, most often where the format keeps what it needs to find its way."""
    content = bytearray(content)
    for _ in range(dice.choice([0, 1, 1, 1, 2, 4, 12])):
        size = len(content)
        if not size:
            break
        at = dice.choice(hot_places(content, suffix)) if dice.random() < 0.6 else dice.randrange(size)
        at = min(max(at, 0), size - 1)
        kind = dice.randrange(9)
        if kind <= 2:
            content[at] ^= 1 << dice.randrange(8)
        elif kind == 3:
            content[at] = dice.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif kind == 4:
            content[at : at + 4] = dice.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**31, 2**20]).to_bytes(4, "little")
        elif kind == 5:
            content[at : at + 8] = dice.choice([2**63 - 1, 2**64 - 1, 2**40, 2**33]).to_bytes(8, "little")
        elif kind == 6:
            span = dice.choice([1, 8, 64, 4_096])
            content[at : at + span] = b"\0" * len(content[at : at + span])
        elif kind == 7:
            content[at:at] = dice.choice(fuzz.NASTY + [b'"instruction": 1,', b"\r", b"]", b"}"])
        else:
            span = dice.choice([1, 3, 50, size // 2])
            content[at : at + span] = content[size - at : size - at + span]
    if dice.random() < 0.15:
        del content[dice.randrange(len(content) + 1) :]
        if suffix in (".parquet", ".arrow") and dice.random() < 0.7:  # cut, and yet with the right end
            length = dice.choice([0, 4, len(content), 2**31 - 1, dice.randrange(2**32)]).to_bytes(4, "little")
            content += length + (b"PAR1" if suffix == ".parquet" else b"ARROW1")
    return bytes(content)


def hot_places(content: bytes, suffix: str) -> list[int]:
    """Where the format's own words are: Parquet's footer, Arrow's messages, first and last bytes, quotes, braces."""
    size = len(content)
    places = [0, 1, 2, 3, 4, 8, size - 1, size - 4, size - 8]
    if suffix == ".parquet" and size > 12:
        footer = int.from_bytes(content[-8:-4], "little") % size
        places += [size - 8 - number * footer // 40 for number in range(1, 40)]
        places += list(range(4, min(60, size)))  # the first page's header
    elif suffix == ".arrow":
        start = content.find(b"\xff\xff\xff\xff")
        while start >= 0 and len(places) < 400:
            places += range(start, start + 300, 4)
            start = content.find(b"\xff\xff\xff\xff", start + 4)
    else:
        places += [place for place in range(min(size, 3_000)) if content[place] in b'"{}[],:\\\n'][:200]
    return places


def compressed(dice: random.Random, content: bytes) -> tuple[bytes, str]:
    if dice.random() < 0.5:
        packed, suffix = gzip.compress(content, 1), ".gz"
        packed += dice.choice([b""] * 5 + [packed, b"\0" * 9, b"rest", gzip.compress(b"")])
    else:
        packed, suffix = pyarrow.compress(content, "zstd", asbytes=True), ".zst"
        skip = b"\x50\x2a\x4d\x18" + dice.choice([4, 2**31]).to_bytes(4, "little") + b"skip"
        packed += dice.choice([b""] * 5 + [packed, b"\0" * 9, b"rest", skip])
    if dice.random() < 0.5:
        packed = damage(dice, packed, suffix)
    return packed, suffix


def write_case(number: int, folder: Path) -> Path:
    """The input of a case, written under `folder`."""
    dice = random.Random(number)
    content, suffix = dice.choice(MAKERS)(dice, make_rows(dice, dice.choice([0, 0, 0.05, 0.4])))
    if dice.random() < 0.7:
        content = damage(dice, content, suffix)
    if suffix in (".json", ".jsonl", ".csv") and dice.random() < 0.35:
        if dice.random() < 0.03:
            content += dice.choice([b" ", b"\n", b"a", b"[", b'"']) * 2**24  # a bomb
        content, packing = compressed(dice, content)
        suffix += packing
    if dice.random() < 0.06:
        suffix = dice.choice(
            [".json", ".jsonl", ".csv", ".parquet", ".arrow", ".json.gz", ".csv.zst", ".JSONL", ".txt"]
        )
    if dice.random() < 0.12:
        return write_folder(dice, content, suffix, folder)
    path = folder / f"data{suffix}"
    path.write_bytes(content)
    return path


def write_folder(dice: random.Random, content: bytes, suffix: str, folder: Path) -> Path:
    """Of `save_to_disk`, with splits, with links that lead nowhere or round, or with a folder named like a file."""
    top = folder / "data"
    top.mkdir()
    if suffix == ".arrow":
        (top / "data-0.arrow").write_bytes(content)
        state = json.dumps(
            {"_data_files": [{"filename": "data-0.arrow"}], "_fingerprint": "x", "_split": None}
        ).encode()
        (top / "state.json").write_bytes(damage(dice, state, ".json") if dice.random() < 0.5 else state)
        if dice.random() < 0.3:
            (folder / "all").mkdir()
            top = top.rename(folder / "all" / "train").parent
            splits = dice.choice([["train"], ["test"], [], None, 3, [None], {"train": 1}, ["../data"], ["train", "x"]])
            (top / "dataset_dict.json").write_text(json.dumps({"splits": splits}))
        return top
    for name in dice.sample(["train", "test-00000-of-00002", "b", ".hidden", "dataset_info", "deep/er/train"], 2):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / f"{name}{suffix}").write_bytes(content)
    kind = dice.randrange(4)
    if kind == 0:
        (top / f"broken{suffix}").symlink_to("nowhere")
    elif kind == 1:
        (top / "round").symlink_to("..")
    elif kind == 2:
        (top / f"folder{suffix}").mkdir()
    return top


# ---------------------------------------------------------------------------------------------------------------------
# Reading


def read_case(number: int, folder: Path) -> None:
    """What the stages do with an input: read its rows in one of their ways, and check that they add up."""
    from benchmark_items import read_benchmark
    from dataset_files import hash_input, open_dataset
    from dataset_readers import parse_columns, read_rows
    from dataset_shards import check_parts, merge_ledgers, read_shard, shards_of_input

    path, how = str(write_case(number, folder)), random.Random(f"how {number}").randrange(8)
    columns = parse_columns("instruction=prompt,response=messages.content") if how == 0 else None
    turns = ["first", "all"][number % 2]
    if how == 1:
        read_benchmark(path)
    elif how == 2:
        hash_input(path)
        for part in open_dataset(path, ["train", "test"], {"instruction", "response", "messages"}):
            for chunk in part.chunks:
                pickle.loads(pickle.dumps(chunk)).take(np.arange(chunk.rows))  # as it goes to another process
    elif how <= 4:
        found = [read_shard(shard, columns, turns) for shard in shards_of_input([path], "train", columns, 100)]
        check_parts([reports for *_, reports in found], columns)
        check_ledger(merge_ledgers([ledger for _, ledger, _ in found]), [table for table, *_ in found])
    else:
        table, ledger = read_rows([path], 3 if how == 5 else None, 0, columns=columns, turns=turns)
        check_ledger(ledger, [table])


def check_ledger(ledger: dict, tables: list) -> None:
    for table in tables:
        table.validate(full=True)
        table.to_pylist()
    dropped = sum(sum(counts.values()) for counts in ledger["dropped"].values())
    assert ledger["rows_read"] + ledger["rows_added"] == sum(table.num_rows for table in tables) + dropped
    json.dumps(ledger, allow_nan=False).encode()


def run_batch(first: int, work: Path, until: float) -> None:
    """In a process of its own: cases from `first` on; the last begun stands in a file, findings go to the output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = Counter()
    for number in range(first, first + BATCH):
        if time.time() > until:
            break
        (work / "last").write_text(f"{number} {time.time()}")
        started = time.process_time()
        problem = fuzz.verdict_on(lambda number, folder: ended.update([outcome(number, folder)]), number)
        seconds = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if not problem and seconds > 10:
            problem = f"slow: {seconds:.0f} s", ""
        if not problem and peak > before + 2**20:  # a GiB
            problem = "memory", f"{(peak - before) / 2**20:.1f} GiB more"
        before = max(before, peak)
        if problem:
            print(json.dumps({"case": number, "place": problem[0], "text": problem[1][-2500:]}), flush=True)
    print(json.dumps({"next": number + 1 if time.time() <= until else number, "ended": ended}), flush=True)


def outcome(number: int, folder: Path) -> str:
    """How a case ended: "read", or "one line". Anything but a UserError goes on up."""
    from common import UserError

    try:
        read_case(number, folder)
        return "read"
    except UserError:  # which `command_line.run_main` makes one line of
        return "one line"


def survey(first: int, seconds: float, work: Path) -> tuple[dict, int, Counter]:
    """Batches until the time is over: findings {place: (text, cases)}, the next case, how the cases ended."""
    until, found, ended = time.time() + seconds, {}, Counter()
    while time.time() < until - 3:
        command = [
            sys.executable,
            __file__,
            "--batch",
            "--first",
            str(first),
            "--until",
            str(until),
            "--work",
            str(work),
        ]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        output, errors, hung = wait_for(child, work / "last")
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        for line in lines:
            if "case" in line:
                found.setdefault(line["place"], (line["text"], []))[1].append(line["case"])
        if child.returncode:
            last = int((work / "last").read_text().split()[0])
            how = "hang" if hung else signal.Signals(-child.returncode).name if child.returncode < 0 else "exit"
            place = next((line for line in errors.splitlines() if ".py" in line and "dataset_" in line), errors[-200:])
            found.setdefault(f"{how} {place.strip()}", (errors[-3000:], []))[1].append(last)
            ended["process died"] += 1
            ended["before a death"] += last - first
            first = last + 1
        else:
            first = lines[-1]["next"]
            ended.update(lines[-1]["ended"])
    return found, first, ended


def wait_for(child, last: Path) -> tuple[str, str, bool]:
    """What a batch says, killed where one case takes too long."""
    while True:
        try:
            return *child.communicate(timeout=5), False
        except subprocess.TimeoutExpired:
            words = last.read_text().split() if last.exists() else []
            if len(words) == 2 and time.time() - max(float(words[1]), STARTED) > SECONDS_A_CASE:
                child.send_signal(signal.SIGABRT)  # which shows where it is
                return *child.communicate(), True


STARTED = time.time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--first", type=int, default=0, help="the first case's number")
    parser.add_argument("--case", type=int, help="this case alone")
    parser.add_argument("--work", type=Path, default=fuzz.ROOT / "results" / "fuzz_readers")
    parser.add_argument("--batch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.batch:
        return run_batch(args.first, args.work, args.until)
    if args.case is not None:
        with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
            return print(outcome(args.case, Path(folder)))
    found, following, ended = survey(args.first, 60 * args.minutes, args.work)
    print(f"cases {args.first} to {following - 1}: {dict(ended)}; {len(found)} problems")
    for place, (text, cases) in found.items():
        print(f"--- {place} (cases {cases[:8]})\n{text[-1500:]}", flush=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
