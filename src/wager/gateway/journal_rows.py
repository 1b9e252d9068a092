"""What a journal keeps of a decision: one row, with or without the texts; and the graded answers that rows with feedback are."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from wager.answers import Answer, ConfidenceSource, Outcome
from wager.gateway.decision import SCHEMA, Citation, Decided, LookedUp, Spent
from wager.table import AnswerTable

__all__ = [
    "COLUMNS",
    "TABLE_COLUMNS",
    "TEXTS",
    "VERDICTS",
    "Entry",
    "Verdict",
    "answer_table",
    "decided_of",
    "is_given",
    "is_own",
    "row_of",
]

Verdict = Literal["right", "wrong", "unhelpful"]
"""What a reader said of a reply."""

VERDICTS: tuple[str, ...] = get_args(Verdict)
"""All of them."""

Row = tuple[Any, ...]

COLUMNS: Mapping[str, str] = {
    "id": "TEXT NOT NULL UNIQUE",
    "at": "DOUBLE PRECISION NOT NULL",  # seconds since 1970, of `made`
    "schema": "INTEGER NOT NULL",
    "kind": "TEXT NOT NULL",
    "act": "TEXT NOT NULL",
    "model": "TEXT NOT NULL",
    "policy": "TEXT NOT NULL",
    "client": "TEXT",  # name of the key that asked; null without keys
    "source": "TEXT",
    "raw": "DOUBLE PRECISION",
    "confidence": "DOUBLE PRECISION",
    "calibrated": "INTEGER NOT NULL",  # 1 where the confidence is a calibrated one
    "given": "INTEGER NOT NULL",  # 1 where the client got an answer that can be right or wrong
    "own": "INTEGER NOT NULL",  # 1 where the confidence is that of the answer given, not of one that was withheld
    "tokens_in": "BIGINT",
    "tokens_out": "BIGINT",
    "seconds": "DOUBLE PRECISION",
    "data": "TEXT NOT NULL",  # the decision without its texts, as JSON
    "question": "TEXT",
    "answer": "TEXT",
    "text": "TEXT",
}
"""Names and types of the columns that a decision fills, in SQLite and PostgreSQL alike; beside them stand ``seq`` and ``verdict``."""

TEXTS = ("question", "answer", "text")
"""Fields that have columns of their own and stay out of ``data``."""

WITHHELD = "texts of citations, branches and notes are not in the journal: it keeps no text"
"""Note on a decision that is read back with less than it had."""

FAILED = "the call for "
"""Begins why there is no confidence where a server's own words follow a colon (`wager.gateway.confidence`)."""

SOURCES = {source.value for source in ConfidenceSource}
"""Sources that a table has a column for."""

NESTED: Mapping[str, Any] = {"citations": Citation, "lookups": LookedUp}
"""Fields that hold dataclasses."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of the journal as it is shown."""

    decided: Decided
    """The decision; texts are None unless the journal keeps them."""
    verdict: Verdict | None
    """The last feedback; None without any."""


def row_of(decided: Decided, *, keep_text: bool) -> Row:
    """The values of `COLUMNS`.

    Without ``keep_text`` nothing is kept that quotes the prompt, an answer, a passage or a server: no texts, no quotes and titles of
    citations, no branches, no notes, and of a problem only what stands before a colon. A value that no database takes (NaN, a NUL, half a
    surrogate pair) becomes one that it takes.
    """
    values = {name: value for name, value in vars(decided).items() if name not in TEXTS}
    values["citations"] = [vars(one) if keep_text else {**vars(one), "quote": "", "title": None} for one in decided.citations]
    values["lookups"] = [vars(one) for one in decided.lookups]
    values["cost"] = vars(decided.cost)
    values["axes"], values["probabilities"] = dict(decided.axes), dict(decided.probabilities)
    values["dials"] = {name: dict(one) for name, one in decided.dials.items()}
    if not keep_text:
        values["lookups"] = [{**vars(one), "problem": _unquoted(one.problem)} for one in decided.lookups]
        if (decided.no_confidence or "").startswith(FAILED):
            values["no_confidence"] = _unquoted(decided.no_confidence)
        without = decided.branches or decided.notes or any(one.quote or one.title for one in decided.citations)
        values["branches"], values["notes"] = (), (WITHHELD,) if without else ()
    confidence, raw = _share(decided.confidence), _share(decided.raw)
    return (
        _clean(decided.id),
        _seconds(decided.made),
        SCHEMA,
        _clean(decided.kind),
        decided.act,
        _clean(decided.model),
        _clean(decided.policy),
        None if decided.client is None else _clean(decided.client),
        None if decided.source is None else _clean(decided.source),
        raw,
        confidence,
        int(decided.calibration_id is not None),
        int(is_given(decided)),
        int(is_own(decided)),
        decided.cost.tokens_in,
        decided.cost.tokens_out,
        decided.cost.seconds if math.isfinite(decided.cost.seconds) else None,
        json.dumps(values, separators=(",", ":"), default=float),  # numbers of numpy
        *(_clean(getattr(decided, name)) if keep_text and getattr(decided, name) is not None else None for name in TEXTS),
    )


def _unquoted(problem: str | None) -> str | None:
    """A problem without what a server said of it."""
    return None if problem is None else problem.partition(": ")[0]


def is_given(decided: Decided) -> bool:
    """Whether the client got an answer that can be right or wrong: a look-up counts where the reply rests on what was found."""
    if decided.act == "look_up":
        return any(one.used for one in decided.lookups)
    return decided.act in ("answer", "hedge", "imagine", "support")


def is_own(decided: Decided) -> bool:
    """Whether the confidence is that of the answer given.

    Looking up because the confidence was too low leaves the confidence of the answer that was withheld, and what a reader says of the
    other answer says nothing of it. Where the confidence was measured again afterwards, it is above the threshold.
    """
    if decided.act != "look_up" or decided.threshold is None:
        return True
    known = [value for value in (decided.raw, decided.confidence) if value is not None]
    return all(value > decided.threshold for value in known)


def decided_of(data: str, texts: Mapping[str, str | None]) -> Decided:
    """The decision of a row: ``data``, and the three text columns. Fields of a later version of wager are left out."""
    values = json.loads(data)
    known = {one.name for one in dataclasses.fields(Decided)}
    fields: dict[str, Any] = {name: _read(name, value) for name, value in values.items() if name in known}
    return Decided(**fields | {name: texts.get(name) for name in TEXTS})


def _read(name: str, value: Any) -> Any:
    if name in NESTED:
        return tuple(_made(NESTED[name], one) for one in value)
    if name == "cost":
        return _made(Spent, value)
    return tuple(value) if isinstance(value, list) else value


def _made(kind: Any, values: Mapping[str, Any]) -> Any:
    known = {one.name for one in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in known})


TABLE_COLUMNS = ("id", "kind", "act", "model", "source", "raw", "given", "own", "tokens_in", "tokens_out", "seconds", *TEXTS, "verdict")
"""Columns that `answer_table` reads, in its order."""


def answer_table(rows: Iterable[Row], **metadata: Any) -> AnswerTable:
    """Rows of `TABLE_COLUMNS` as graded answers: task ``gateway/KIND``, item the id, stratum the act."""
    return AnswerTable.from_answers((_answer(*row) for row in rows), origin="wager journal", **metadata)


def _answer(
    item: str,
    kind: str,
    act: str,
    model: str,
    source: str | None,
    raw: float | None,
    given: int,
    own: int,
    tokens_in: int | None,
    tokens_out: int | None,
    seconds: float | None,
    question: str | None,
    answer: str | None,
    text: str | None,
    verdict: str | None,
) -> Answer:
    outcome, reason = _outcome(act, bool(given), verdict)
    confidence = {}
    if raw is not None and source in SOURCES:
        if own:
            confidence[ConfidenceSource(source)] = raw
        else:
            reason = reason or "the confidence is that of the answer before the look-up"
    return Answer(
        task=f"gateway/{kind}",
        model=model,
        item=item,
        outcome=outcome,
        credit={Outcome.CORRECT: 1.0, Outcome.INCORRECT: 0.0}.get(outcome),
        question=question,
        answer=answer,
        reply=text,
        stratum=act,
        confidence=confidence,
        reason=reason,
        tokens_in=_small(tokens_in),
        tokens_out=_small(tokens_out),
        seconds=seconds,
    )


def _outcome(act: str, given: bool, verdict: str | None) -> tuple[Outcome, str | None]:
    """What a row is worth; feedback judges the answer that was given, never the one that was withheld."""
    if not given:
        return (Outcome.UNGRADED, "refused") if act == "refuse" else (Outcome.ABSTAINED, None)
    if verdict == "right":
        return Outcome.CORRECT, None
    if verdict == "wrong":
        return Outcome.INCORRECT, None
    return Outcome.UNGRADED, "no feedback" if verdict is None else str(verdict)


def _small(count: int | None) -> int | None:
    """A count that fits the table's 32 bits; None for one that cannot be true."""
    return count if count is not None and 0 <= count < 2**31 else None


def _share(value: float | None) -> float | None:
    """A probability; None for what is none, such as NaN."""
    return float(value) if value is not None and 0 <= value <= 1 else None


def _clean(text: str) -> str:
    """Text that every database takes."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")


def _seconds(made: str) -> float:
    """Seconds since 1970 of an ISO time; of this moment where it is none."""
    try:
        return datetime.fromisoformat(made).timestamp()
    except ValueError:
        return time.time()
