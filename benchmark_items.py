"""Read the items of a benchmark, (question, answer) each, from what `dataset_files.py` opens; writes nothing.

Any input of `dataset_readers.read_rows` will do, and questions alone: what is tested on need not be instruction data.
"""

import contextlib

import numpy as np

from common import UserError, one_line
from dataset_files import EVALUATION_SPLITS, open_dataset
from dataset_readers import INSTRUCTION_COLUMNS, RESPONSE_COLUMNS, USED_COLUMNS, PartReport, exchanges, layout_of
from dialogues import Unusable, last_turn

# Answers are often single letters, which say nothing.
QUESTION_COLUMNS = [*INSTRUCTION_COLUMNS, "text", "goal", "ctx", "sentence"]
ANSWER_COLUMNS = [*RESPONSE_COLUMNS, "canonical_solution", "target"]


def read_benchmark(entry: str) -> list[tuple[str, str]]:
    """(question, answer) of every item of a benchmark: any input of `read_rows`, or one with questions alone.

    Of its splits it reads test, else validation, else train; of a dialogue every exchange. "" where there is no answer.
    Prints how many rows have nothing that is understood. Raises UserError.
    """
    items, missed, rows, used = [], 0, 0, {*USED_COLUMNS, *QUESTION_COLUMNS, *ANSWER_COLUMNS}
    for part in open_dataset(entry, EVALUATION_SPLITS, used):
        report = PartReport(part.name, part.path)
        for chunk in part.chunks:
            for offset, record in enumerate(chunk.take(np.arange(chunk.rows))):
                found = []
                if isinstance(record, dict):
                    found = [item for item in _questions_and_answers(record) if any(item)]
                else:
                    report.add_problem(chunk.place(offset), record)
                items += found
                missed += not found
            report.rows += chunk.rows
        report.parsed = report.rows
        report.check()
        rows += report.rows
    if not items:
        raise UserError(f"--decontaminate {entry}: no row has a text under {', '.join(QUESTION_COLUMNS)}, messages")
    if missed:
        print(one_line(f"--decontaminate {entry}: {missed:,} of {rows:,} rows have no text to look for"))
    return items


def _questions_and_answers(record: dict) -> list[tuple[str, str]]:
    layout = layout_of(record)
    if layout:
        layout = layout._replace(choices=None)  # fewer of its words would then be the question
        with contextlib.suppress(Unusable):  # its question may still be read
            first, *later = exchanges(record, layout, "all")
            return [first, *((last_turn(question), answer) for question, answer in later)]
    names = {column.strip().lower(): column for column in record if isinstance(column, str)}

    def first_text(candidates: list[str]) -> str:
        texts = (record[names[name]] for name in candidates if name in names)
        return next((text for text in texts if isinstance(text, str) and text), "")

    return [(first_text(QUESTION_COLUMNS), first_text(ANSWER_COLUMNS))]
