"""Our own answer table as Parquet: outcomes are taken over as they are.

The results folder of ``wager eval`` holds such a file beside the logs that it was made from; `wager.importers.read_answers` then reads
the table alone, so that no answer counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from wager.errors import DataError
from wager.importers.formats import Block, Importer, Options, formats
from wager.importers.settle import TEXTS
from wager.importers.source import Source
from wager.table import SCHEMA, SCHEMA_VERSION, AnswerTable

__all__ = ["is_answer_table"]


def is_answer_table(source: Source) -> bool:
    """Whether a file is Parquet with the columns that every answer table has."""
    needed = {field.name for field in SCHEMA if not field.nullable}
    try:
        return source.kind == "parquet" and needed <= set(source.names)
    except (pa.ArrowException, OSError):
        return False


def _read(source: Source, options: Options, notes: set[str]) -> Iterator[Block]:
    wanted = [name for name in SCHEMA.names if name in source.names and (options.texts or name not in TEXTS)]
    kept = [name for name in options.keep if name in source.names]
    try:
        whole = pq.read_table(source.path, columns=list(dict.fromkeys([*wanted, *kept])))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source.name} cannot be read as an answer table: {error}") from error
    table = AnswerTable(whole.select(wanted))
    version = table.metadata.get("schema")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise DataError(f"{source.name} has answer-table version {version}, this wager reads up to {SCHEMA_VERSION}; update wager")
    columns = {name: table.arrow.column(name) for name in wanted}
    yield Block(len(table), columns, {name: whole.column(name) for name in kept}, rereads=False)


formats.register("wager")(Importer("wager", is_answer_table, _read))
