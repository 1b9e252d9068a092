"""Answers of other frameworks, leaderboards and tables as an `AnswerTable`.

In: files, told apart by content. Out: `Imported`: the table, what could not be used, what a reader must know. May import layer 0 and
grading; never an evaluation engine. One file per source, each a list of what its columns are called; add one there, register it in
`formats`, and put its name into `ORDER`.
"""

from wager.importers import every_eval_ever, helm, inspect_log, lm_eval, mmlu_pro, simpleqa, swe_bench, table, wager_table  # noqa: F401
from wager.importers.every_eval_ever import write_every_eval_ever
from wager.importers.formats import Block, Importer, Missing, Options, formats
from wager.importers.reading import Imported, SourceFile, read_answers

__all__ = ["Block", "Imported", "Importer", "Missing", "Options", "SourceFile", "formats", "read_answers", "write_every_eval_ever"]
