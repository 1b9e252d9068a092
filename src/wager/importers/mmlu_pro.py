"""MMLU-Pro output files: a JSON list, often alone in a zip, with ``pred`` (null where no option could be read from the reply).

The benchmark's own scripts replace a missing answer by a random option and count it. Here it stays missing. The model's name is in
the file's name (``model_outputs_NAME_5shots``). Reference: Wang et al. 2024, arXiv 2406.01574.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from wager.importers.formats import Block, Importer, Options, formats
from wager.importers.source import Source
from wager.importers.table import column_plan, read_plan

__all__ = ["COLUMNS"]

COLUMNS = {
    "item": ("question_id",),
    "question": ("question",),
    "reference": ("answer",),
    "answer": ("pred",),
    "reply": ("model_outputs", "generated_text", "model_output", "output"),
    "stratum": ("category",),
}
"""Our column -> what files call it, the first that is there."""

NAME = re.compile(r"(?:model_outputs_|results?_)?(?P<model>.+?)(?:_\d+shots?)?(?:_(?:non_)?cot)?$")


def _is_output(source: Source) -> bool:
    return source.kind in ("list", "archive", "lines") and {"question_id", "pred", "answer", "answer_index"} <= set(source.names)


def _read(source: Source, options: Options, notes: set[str]) -> Iterator[Block]:
    plan = column_plan(source, options, notes, COLUMNS)
    named = NAME.match(source.path.name.split(".json")[0].removesuffix(".zip"))
    model = options.model or (named["model"] if named else source.path.stem)
    plan = replace(plan, constants={"model": model, "task": options.task or "mmlu_pro"})
    yield from read_plan(source, plan, rereads=False)


formats.register("mmlu-pro")(Importer("mmlu-pro", _is_output, _read))
