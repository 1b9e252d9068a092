"""From what a file says to outcomes: one rule for every format.

A verdict of the file stands; else answer and reference are compared. What is missing becomes what the caller asked for, and is
counted. A reply that was scored wrong and says "I don't know" is an abstention. Everything is done by column: a comparison runs once
for each pair of reference and answer, however many rows share it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from wager.answers import ConfidenceSource, Outcome
from wager.errors import DataError
from wager.grading.abstention import find_abstention, is_blank
from wager.grading.matching import comparisons
from wager.importers.formats import Block, Options
from wager.table import SCHEMA, constant_column

__all__ = ["KEPT", "MISSING", "TEXTS", "Tally", "settle"]

MISSING = "missing"
"""What an importer says in the column ``outcome`` of a reply from which no answer could be read."""

TEXTS = ("question", "reference", "answer", "reply")
"""Columns that only ``texts=True`` keeps."""

KEPT = "keep: "
"""Before the name of a column that ``keep`` asked for."""

CODES = {**{outcome.value: place for place, outcome in enumerate(Outcome)}, MISSING: len(Outcome)}
CORRECT, INCORRECT, ABSTAINED, UNPARSED, UNGRADED = (
    CODES[outcome] for outcome in (Outcome.CORRECT, Outcome.INCORRECT, Outcome.ABSTAINED, Outcome.UNPARSED, Outcome.UNGRADED)
)
ABSENT = CODES[MISSING]

VERDICTS = dict.fromkeys(("true", "yes", "correct", "right", "t", "y", "c"), 1.0) | dict.fromkeys(
    ("false", "no", "incorrect", "wrong", "f", "n", "i"), 0.0
)
"""What a column ``correct`` may say beside numbers in [0, 1]."""

LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

REASONS = ("no answer in the file", "no verdict in the file", "says that it does not know; the file scored it wrong", "no reference")

REMEMBERED = 200_000
"""Pairs of reference and answer whose verdict is remembered from block to block."""

CUT_OFF_LENGTH = 200
"""Characters from which on a reply without an answer that stops in mid-sentence counts as cut off."""


@dataclass
class Tally:
    """What was counted while files were read; becomes the notes."""

    rows: int = 0
    missing: int = 0
    missing_with_reply: int = 0
    missing_abstaining: int = 0
    missing_cut_off: int = 0
    said_unknown: int = 0
    unread_verdicts: dict[str, tuple[int, str]] = field(default_factory=dict)
    confidences: dict[str, tuple[int, str]] = field(default_factory=dict)
    pairs: dict[tuple[str, str], int] = field(default_factory=dict)

    def copy(self) -> Tally:
        """As it stands; the remembered pairs are shared."""
        return replace(self, unread_verdicts=dict(self.unread_verdicts), confidences=dict(self.confidences))

    def bad(self, where: dict[str, tuple[int, str]], name: str, count: int, first: str) -> None:
        """Counts values of a column that cannot be used; the first one found is kept for the message."""
        before = where.get(name)
        where[name] = (count + before[0], before[1]) if before else (count, first)


def settle(block: Block, options: Options, tally: Tally, what: str) -> pa.Table:
    """The rows of a block with their outcomes: columns of `wager.table.SCHEMA`, and kept ones with `KEPT` before their name.

    Args:
        block: of N rows.
        options: of the caller.
        tally: is added to.
        what: the file, as messages name it.

    Raises:
        DataError: a column cannot be read, or the block gives no verdict.
    """
    columns = block.columns
    codes, credit, reasons = _verdicts(block, options, tally, what)
    replies = text(columns["reply"], block.size) if "reply" in columns else None
    labels = columns.get("labels")
    if block.rereads and replies is not None:
        _reread(codes, credit, reasons, replies, labels, columns.get("reference"), tally)
    _settle_missing(codes, credit, reasons, replies, labels, columns.get("reference"), options, tally)
    tally.rows += block.size
    made: dict[str, Any] = {
        "outcome": _coded(codes, tuple(CODES)[:ABSENT]),
        "credit": pa.array(credit, mask=np.isnan(credit)),
        **_identity(block, what),
    }
    given = text(columns["reason"], block.size) if "reason" in columns else None
    ours = _coded(reasons, REASONS)
    made["reason"] = pc.coalesce(given, ours) if given is not None else ours
    for name in (*(f"confidence_{source.value}" for source in ConfidenceSource), "seconds"):
        if name in columns:
            made[name] = _numbers_within(columns[name], name, block, tally)
    for name in ("tokens_in", "tokens_out"):
        if name in columns:
            made[name] = _whole_numbers(columns[name], name, block, what)
    if options.texts:
        for name in TEXTS:
            if name in columns:
                made[name] = _references(columns[name], block.size) if name == "reference" else text(columns[name], block.size)
    for name, values in block.kept.items():
        made[KEPT + name] = values if isinstance(values, pa.Array | pa.ChunkedArray) else text(values, block.size)
    return pa.table(
        {
            name: constant_column(None, block.size, SCHEMA.field(name).type)
            if not name.startswith(KEPT) and not isinstance(values, pa.ChunkedArray) and values.null_count == block.size
            else values
            for name, values in made.items()
        }
    )


# verdicts


def _verdicts(block: Block, options: Options, tally: Tally, what: str) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[Any]]:
    """(outcome codes, credits, places in `REASONS` or -1), each of shape (N,)."""
    columns, n = block.columns, block.size
    codes = np.full(n, UNGRADED, dtype=np.int64)
    credit = np.full(n, np.nan)
    reasons = np.full(n, -1, dtype=np.int64)
    if "outcome" in columns:
        codes, known = _outcomes(columns["outcome"], block, what)
        reasons[~known] = 1
        answered = (codes == CORRECT) | (codes == INCORRECT)
        given, present = numbers(columns["credit"], n) if "credit" in columns else (credit, np.zeros(n, dtype=bool))
        outside = answered & present & ~((given >= 0) & (given <= 1))
        if outside.any():
            row = int(np.argmax(outside))
            raise DataError(f"{what}, row {block.first + row}: a credit lies in [0, 1], got {_shown(columns['credit'], row)}")
        credit = np.where(answered, np.where(present, given, (codes == CORRECT).astype(float)), np.nan)
    elif "correct" in columns or "credit" in columns:
        name = "correct" if "correct" in columns else "credit"
        credit = _read_verdicts(columns[name], name, block, tally, what)
        codes = np.where(np.isnan(credit), UNGRADED, np.where(credit >= 0.5, CORRECT, INCORRECT))
        if "answer" in columns:
            codes[(codes == UNGRADED) & _blanks(text(columns["answer"], n))] = ABSENT
        reasons[codes == UNGRADED] = 1
    elif "reference" in columns and "answer" in columns:
        codes = _compared(columns["reference"], text(columns["answer"], n), n, options.comparison, tally)
        credit = np.where(codes == CORRECT, 1.0, np.where(codes == INCORRECT, 0.0, np.nan))
        reasons[codes == UNGRADED] = 3
    else:
        raise DataError(
            f"{what}: a row needs an outcome, or correct, or reference and answer; got {', '.join(map(repr, columns)) or 'none of them'}"
        )
    return codes, credit, reasons


def _outcomes(values: Any, block: Block, what: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    encoded = pc.utf8_lower(pc.utf8_trim_whitespace(text(values, block.size))).dictionary_encode()
    found = encoded.dictionary.to_pylist()
    indices = _indices(encoded)
    for place, value in enumerate(found):
        if value and value not in CODES:
            row = block.first + int(np.argmax(indices == place))
            raise DataError(f"{what}, row {row}: unknown outcome {value!r}; allowed: {', '.join(Outcome)}")
    table = np.asarray([CODES[value] if value else UNGRADED for value in found] + [UNGRADED], dtype=np.int64)
    return table[indices], indices >= 0


def _read_verdicts(values: Any, name: str, block: Block, tally: Tally, what: str) -> NDArray[np.float64]:
    """Credits in [0, 1], NaN where there is none or none can be read."""
    column = _array(values, block.size)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_dictionary(column.type):
        encoded = text(column, block.size).dictionary_encode()
        table = np.asarray([_credit(value) for value in encoded.dictionary.to_pylist()] + [np.nan])
        credit = table[_indices(encoded)]
        present = ~_blanks(text(column, block.size))
    else:
        credit, present = numbers(column, block.size)
        credit = np.where((credit >= 0) & (credit <= 1), credit, np.nan)
    bad = present & np.isnan(credit)
    if bad.any():
        first = f"{_shown(values, int(np.argmax(bad)))} on row {block.first + int(np.argmax(bad))} of {what}"
        if bad.sum() == present.sum():
            allowed = "true or false, yes or no, 1 or 0, or a credit in [0, 1]"
            raise DataError(f"{what}: the column for {name!r} holds no verdict; allowed: {allowed}; the first is {first}")
        tally.bad(tally.unread_verdicts, name, int(bad.sum()), first)
    return credit


def _credit(value: str) -> float:
    word = value.strip().casefold()
    if word in VERDICTS:
        return VERDICTS[word]
    try:
        number = float(word)
    except ValueError:
        return math.nan
    return number if 0 <= number <= 1 else math.nan


def _compared(references: Any, answers: pa.Array, n: int, comparison: str, tally: Tally) -> NDArray[Any]:
    """Outcome codes, shape (N,): one comparison for each pair of reference and answer."""
    accepted = _as_keys(references, n).dictionary_encode()
    said = answers.dictionary_encode()
    keys, texts = accepted.dictionary.to_pylist(), said.dictionary.to_pylist()
    rows, columns = _indices(accepted), _indices(said)
    blank = np.asarray([is_blank(one) for one in texts] + [True])[columns]
    without = np.asarray([not _accepted(key) for key in keys] + [True])[rows]
    codes = np.where(blank, ABSENT, UNGRADED)
    usable = ~blank & ~without
    pairs = rows[usable] * len(texts) + columns[usable]
    found, place = np.unique(pairs, return_inverse=True)
    compare = comparisons.get(comparison)
    verdicts = np.empty(len(found), dtype=np.int64)
    for at, pair in enumerate(found.tolist()):
        verdicts[at] = _verdict_of_pair(keys[pair // len(texts)], texts[pair % len(texts)], compare, tally)
    codes[usable] = verdicts[place]
    tally.said_unknown += int((codes == ABSTAINED).sum())
    return codes


def _verdict_of_pair(key: str, answer: str, compare: Callable[[str, Sequence[str]], bool], tally: Tally) -> int:
    known = tally.pairs.get((key, answer))
    if known is not None:
        return known
    accepted = _accepted(key)
    labels = LETTERS if all(len(one) == 1 for one in accepted) else ()
    right = compare(answer, accepted)
    code = CORRECT if right else ABSTAINED if find_abstention(answer, labels=labels) else INCORRECT
    if len(tally.pairs) >= REMEMBERED:
        tally.pairs.clear()
    tally.pairs[key, answer] = code
    return code


LIST_KEY = "\0"
"""Begins the key of a reference that is a list."""


def _as_keys(references: Any, n: int) -> pa.Array:
    """References as one text each; of a list, its JSON."""
    column = _array(references, n, lists=True)
    if not pa.types.is_list(column.type) and not pa.types.is_large_list(column.type):
        return text(column, n)
    return pa.array([None if one is None else LIST_KEY + json.dumps([str(v) for v in one if v is not None]) for one in column.to_pylist()])


def _accepted(key: str) -> list[str]:
    given = json.loads(key[1:]) if key.startswith(LIST_KEY) else [key]
    return [one for one in given if one.strip()]


def _references(values: Any, n: int) -> pa.Array:
    column = _array(values, n, lists=True)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return column.cast(SCHEMA.field("reference").type)
    column = text(column, n)
    return pa.array([[one] if one else [] for one in column.to_pylist()], SCHEMA.field("reference").type)


# what the reply says


def _reread(
    codes: NDArray[Any],
    credit: NDArray[np.float64],
    reasons: NDArray[Any],
    replies: pa.Array,
    labels: Any,
    references: Any,
    tally: Tally,
) -> None:
    """Replies that were scored wrong: a blank one is missing, one that says "I don't know" abstains."""
    wrong = np.flatnonzero(codes == INCORRECT)
    if not len(wrong):
        return
    known: dict[tuple[str, Any], int] = {}
    golds = _array(references, len(codes), lists=True).take(pa.array(wrong)).to_pylist() if references is not None else [None] * len(wrong)
    for row, reply, gold in zip(wrong.tolist(), replies.take(pa.array(wrong)).to_pylist(), golds, strict=True):
        if reply is None:
            continue
        options = (labels[row] if labels else None) or (LETTERS if _is_letter(gold) else ())
        key = (reply, tuple(options))
        if key not in known:
            known[key] = ABSENT if is_blank(reply) else ABSTAINED if find_abstention(reply, labels=options) else INCORRECT
        codes[row] = known[key]
    changed = wrong[codes[wrong] != INCORRECT]
    credit[changed] = np.nan
    said = wrong[codes[wrong] == ABSTAINED]
    reasons[said] = 2
    tally.said_unknown += len(said)


def _is_letter(gold: Any) -> bool:
    if isinstance(gold, list):
        return bool(gold) and all(_is_letter(one) for one in gold)
    return isinstance(gold, str) and len(gold) == 1 and gold.isalpha()


def _settle_missing(
    codes: NDArray[Any],
    credit: NDArray[np.float64],
    reasons: NDArray[Any],
    replies: pa.Array | None,
    labels: Any,
    references: Any,
    options: Options,
    tally: Tally,
) -> None:
    rows = np.flatnonzero(codes == ABSENT)
    if not len(rows):
        return
    said = replies.take(pa.array(rows)).to_pylist() if replies is not None else [None] * len(rows)
    golds = _array(references, len(codes), lists=True).take(pa.array(rows)).to_pylist() if references is not None else [None] * len(rows)
    abstains = np.zeros(len(rows), dtype=bool)
    for place, (row, reply, gold) in enumerate(zip(rows.tolist(), said, golds, strict=True)):
        if reply is None or is_blank(reply):
            continue
        tally.missing_with_reply += 1
        letters = (labels[row] if labels else None) or (LETTERS if _is_letter(gold) else ())
        abstains[place] = find_abstention(reply, labels=letters) is not None
        tally.missing_cut_off += not abstains[place] and len(reply) >= CUT_OFF_LENGTH and reply.rstrip()[-1:] not in ".!?。！？\"')]}*$`"
    tally.missing += len(rows)
    tally.missing_abstaining += int(abstains.sum())
    if options.missing == "unparsed":
        codes[rows] = np.where(abstains, ABSTAINED, UNPARSED)
    else:
        codes[rows] = CODES[options.missing]
    credit[rows] = 0.0 if options.missing == "incorrect" else np.nan
    reasons[rows] = 0


# columns


def _identity(block: Block, what: str) -> dict[str, Any]:
    columns, n = block.columns, block.size
    made: dict[str, Any] = {}
    target = None
    if "target" in columns:
        values, present = numbers(columns["target"], n)
        bad = present & ~((values >= 0) & (values < 1))
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(f"{what}, row {block.first + row}: a target lies in [0, 1), got {_shown(columns['target'], row)}")
        target = made["target"] = pa.array(values, mask=np.isnan(values))
    for name, default in (("task", None), ("model", None), ("arm", "closed"), ("stratum", None)):
        given = columns.get(name)
        kind = pa.string()
        if isinstance(given, str):
            made[name] = constant_column(given, n, kind)
        elif given is not None:
            made[name] = text(given, n) if default is None else pc.fill_null(text(given, n), default)
        elif name == "arm" and target is not None:
            made[name] = pc.if_else(pc.is_valid(target), "open", "closed")
        elif default is not None:
            made[name] = constant_column(default, n, kind)
    made["item"] = text(columns["item"], n) if "item" in columns else pa.array(range(block.first, block.first + n)).cast(pa.string())
    if "sample" in columns:
        sample = _whole_numbers(columns["sample"], "sample", block, what)
        made["sample"] = pc.fill_null(sample, 1)
    if "answerable" in columns:
        made["answerable"] = pc.fill_null(_array(columns["answerable"], n).cast(pa.bool_()), True)
    else:
        made["answerable"] = constant_column(True, n, pa.bool_())
    return made


def _numbers_within(values: Any, name: str, block: Block, tally: Tally) -> pa.Array:
    found, present = numbers(values, block.size)
    usable = found >= 0 if name == "seconds" else (found >= 0) & (found <= 1)
    bad = present & ~usable
    if bad.any() and name != "seconds":
        row = int(np.argmax(bad))
        tally.bad(tally.confidences, name, int(bad.sum()), f"{_shown(values, row)} on row {block.first + row}")
    return pa.array(np.where(usable, found, np.nan), mask=~usable)


def _whole_numbers(values: Any, name: str, block: Block, what: str) -> pa.Array:
    found, present = numbers(values, block.size)
    bad = present & ~((found >= 0) & (found < 2**31) & (found == np.floor(found)))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{what}, row {block.first + row}: {name} is a whole number from 0 on, got {_shown(values, row)}")
    whole = np.where(np.isnan(found), 0, found).astype(np.int32)
    return pa.array(whole, mask=np.isnan(found))


def numbers(values: Any, n: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A column as (numbers, NaN where there is none; whether the file gave anything), each of shape (N,)."""
    column = _array(values, n)
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.utf8_trim_whitespace(text(column, n))
        present = ~_blanks(column)
        try:
            column = pc.if_else(pa.array(present), column, None).cast(pa.float64())
        except pa.ArrowInvalid:
            column = pa.array([_number(one) for one in column.to_pylist()], pa.float64())
    else:
        present = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
        column = column.cast(pa.int8()).cast(pa.float64()) if pa.types.is_boolean(column.type) else column.cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64), present


def _number(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None


def text(values: Any, n: int) -> pa.Array:
    """A column as texts, None where it is empty; a value that is no text is written as JSON."""
    column = _array(values, n)
    if pa.types.is_string(column.type):
        return column
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.array([None if one is None else json.dumps(one, default=str) for one in column.to_pylist()], pa.string())


def _array(values: Any, n: int, *, lists: bool = False) -> pa.Array:
    """One Arrow array of the values; plain lists of mixed types become texts."""
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks()
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, str):
        return pa.repeat(values, n)
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pa.nulls(n, pa.string())
    if kinds <= {bool} or kinds <= {int, float} or kinds == {str}:
        try:
            return pa.array(values, pa.float64()) if kinds == {int, float} else pa.array(values)
        except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
            pass
    if lists and kinds & {list, tuple}:
        return pa.array([None if one is None else [_as_text(v) for v in _listed(one)] for one in values], pa.list_(pa.string()))
    return pa.array([None if value is None else _as_text(value) for value in values], pa.string())


def _listed(value: Any) -> list[Any]:
    return [one for one in value if one is not None] if isinstance(value, list | tuple) else [value]


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", errors="replace").decode()  # half a surrogate pair, as a JSON escape can hold, is no text
    return json.dumps(value, default=str)


def _blanks(column: pa.Array) -> NDArray[np.bool_]:
    empty = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True)
    return np.asarray(empty.to_numpy(zero_copy_only=False), dtype=bool)


def _indices(encoded: pa.DictionaryArray) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _coded(codes: NDArray[Any], words: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(words)).cast(pa.string())


def _shown(values: Any, row: int) -> str:
    value = values if isinstance(values, str) else values[row]
    value = value.as_py() if isinstance(value, pa.Scalar) else value
    return f"{value:g}" if isinstance(value, float) else repr(value)[:60]
