"""Graded outcomes beside projections: read from columns, turned into a probability, told beside length and rarity."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wager.cli.columns import columns, plain
from wager.cli.steer_beside import as_json, estimate, table
from wager.cli.steer_rows import Rows, text_of
from wager.errors import DataError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from wager.steering.graded import Graded

__all__ = ["Outcomes", "add_options", "judged", "judged_json", "judged_text", "probabilities", "read_outcomes", "texts"]

NONE = ("abstained", "unparsed", "ungraded", "failed", "missing", "nan", "none", "null")
"""What stands where nothing was graded, beside an empty cell: there is no right or wrong in it."""

ALLOWED = "1, 0, true, false, right or wrong, or is empty where nothing was graded"

SAID = {"before": "before a word is said", "reply": "mean of the reply"}
"""Heads of the tables."""


def add_options(add: Callable[..., Any]) -> None:
    """The options of graded outcomes."""
    add("--outcome", metavar="COL", help="column of graded outcomes: 1 or 0, true or false, right or wrong; empty where nothing was graded")
    add("--tells", choices=("1", "0"), default="1", help="which outcome more of the trait is to mean: 1 (right, default) or 0 (wrong)")
    add("--phrasing", metavar="COL", help="column that names each row's phrasing: these are held out, too")
    add("--subject", metavar="COL", help="column of what is asked about, whose length and rarity are the baseline; default the prompt")
    add("--question", metavar="COL", help="column of what is independent; default the subject")


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Graded outcomes, one place for each row."""

    column: str
    """Where they stand."""
    tells: str
    """``1`` or ``0``: which of them is told."""
    shown: tuple[bool | None, ...]
    """Whether it is that one; None where nothing was graded."""
    groups: tuple[str, ...] | None
    """The phrasing of each row; None if it is not known."""
    subjects: tuple[str, ...]
    """What length and rarity are taken of."""
    questions: tuple[str, ...]
    """What is independent."""


def read_outcomes(options: argparse.Namespace, rows: Rows) -> Outcomes | None:
    """What the columns say; None without ``--outcome``.

    Raises:
        UsageError: a column without ``--outcome``, or too few questions of one kind.
        UnknownNameError: no such column.
        DataError: an outcome that cannot be read, or an empty phrasing, subject or question; the message names the row.
    """
    named = {name: getattr(options, name) for name in ("outcome", "phrasing", "subject", "question")}
    if options.outcome is None:
        idle = [name for name in ("phrasing", "subject") if named[name] is not None] + ["tells"] * (options.tells != "1")
        idle += ["question"] * (options.question is not None and options.base is None)
        if idle:
            raise UsageError(f"--{idle[0]} goes with --outcome, which names the column of graded outcomes")
        return None
    if options.outcome not in (names := _columns(rows)):
        raise UnknownNameError("column", options.outcome, names)
    subjects = texts(rows, options.subject) or tuple(chat[-1]["content"] for chat in rows.chats)
    verdicts = [verdict(one.get(options.outcome), options.outcome, at) for at, one in enumerate(rows.records, start=1)]
    made = Outcomes(
        column=options.outcome,
        tells=options.tells,
        shown=tuple(None if one is None else one == (options.tells == "1") for one in verdicts),
        groups=texts(rows, options.phrasing),
        subjects=subjects,
        questions=texts(rows, options.question) or tuple(one.casefold() for one in subjects),
    )
    _enough(made)
    return made


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for record in rows.records for name in record))


def texts(rows: Rows, column: str | None) -> tuple[str, ...] | None:
    """The texts, or whole numbers as texts, of a column; None without a column.

    Raises:
        UnknownNameError: no such column.
        DataError: an empty cell; the message names the row.
    """
    if column is None:
        return None
    if column not in (names := _columns(rows)):
        raise UnknownNameError("column", column, names)
    cells = [record.get(column) for record in rows.records]
    return tuple(text_of(str(one) if type(one) is int else one, column, at) for at, one in enumerate(cells, start=1))


def verdict(value: object, column: str, place: int) -> bool | None:
    """What a cell says; None where nothing was graded.

    Raises:
        DataError: it says neither; the message names the row.
    """
    from wager.importers.settle import VERDICTS

    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    said = str(value).strip().casefold() if isinstance(value, str | bool) else value
    if said in ("", *NONE):
        return None
    if isinstance(said, str):
        found = VERDICTS.get(said, {"1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0}.get(said))
    else:
        found = float(said) if isinstance(said, int | float) and said in (0, 1) else None
    if found is None:
        raise DataError(f"row {place}: {column!r} says {ALLOWED}; got {str(value)[:40]!r}")
    return found == 1.0


def _enough(found: Outcomes) -> None:
    kinds = [len({name for name, one in zip(found.questions, found.shown, strict=True) if one is kind}) for kind in (True, False)]
    if min(kinds) < 2:
        right, wrong = kinds if found.tells == "1" else reversed(kinds)
        raise UsageError(
            f"--outcome {found.column!r}: {right} questions say 1, {wrong} say 0 and {found.shown.count(None)} rows are ungraded;"
            " at least 2 of each are needed, and 5 for an interval"
        )


def judged(
    found: Outcomes, values: Mapping[str, Sequence[float | None]], replies: Sequence[str], tokens: Callable[[str], Sequence[int]], seed: int
) -> dict[str, Graded | str]:
    """By name of what was read, what it is worth; or why that cannot be told, where replies are missing.

    Beside what is read of a reply stand the length and rarity of the reply's words, too.
    """
    from wager.steering.baseline import surface_features
    from wager.steering.graded import graded

    asked: dict[str, Any] = dict(surface_features(found.subjects, tokens=tokens))
    said = [at for at, reply in enumerate(replies) if reply.strip()]  # blanks alone have no surface form, and nothing to say
    of_reply = surface_features([replies[at] for at in said], tokens=tokens)
    spread = {f"{name} of the reply": [math.nan] * len(replies) for name in of_reply}
    for name, known in of_reply.items():
        for at, value in zip(said, known.tolist(), strict=True):
            spread[f"{name} of the reply"][at] = value
    made: dict[str, Graded | str] = {}
    for name, read in values.items():
        of = name.startswith("reply")
        features = asked | (spread if of else {})
        read = [None if of and not reply.strip() else one for one, reply in zip(read, replies, strict=True)]
        try:
            made[name] = graded(read, found.shown, features, groups=found.groups, questions=found.questions, seed=seed)
        except UsageError as error:  # rows whose reply is empty are left out: one kind may be gone with them
            made[name] = str(error)
    return made


def probabilities(one: Graded | str, values: Sequence[float | None]) -> list[float | None]:
    """Of the outcome that is told, for every row with a projection."""
    if isinstance(one, str):
        return [None] * len(values)
    return [None if value is None else float(one.calibrated.probability(value)) for value in values]


def judged_text(found: Outcomes, made: Mapping[str, Graded | str]) -> list[str]:
    """The tables, each with its verdict."""
    ones = sum(one is True for one in found.shown)
    graded = len(found.shown) - found.shown.count(None)
    lines = [
        plain(f"outcome {found.column!r}: {graded} rows graded, {ones} of them {found.tells}, which is told; ")
        + f"{found.shown.count(None)} ungraded, left out"
    ]
    for name, one in made.items():
        head = SAID.get(name, plain(f"by the probe, {name}"))
        if isinstance(one, str):
            lines += ["", plain(f"{head}: not measured ({one})")]
            continue
        lines += ["", *columns(table(one.beside, "projection", head=f"AUROC, {head}")), "", *_words(one, named=found.groups is not None)]
    return lines


def _words(one: Graded, *, named: bool) -> list[str]:
    asked, worded = one.calibrated.questions, one.calibrated.phrasings
    lines = [f"verdict: {one.verdict}{' on held-out questions' if one.phrasings_missing else ''}"]
    if one.phrasings_missing:
        lines.append(
            plain(f"held-out phrasings were not measured: {one.phrasings_missing if named else 'name their column with --phrasing'}")
        )
    told = [("questions", asked), *([] if one.phrasings_missing else [("phrasings", worded)])]
    errors = "; ".join(f"{name}: ECE {estimate(part.ece)}, Brier {estimate(part.brier)}" for name, part in told)
    lines.append(f"probability on held-out {errors}")
    if one.calibrated.slope == 0:
        lines.append("more of it does not mean more of that outcome: every probability is the share; see --tells")
    if one.calibrated.unread:
        lines.append(f"{one.calibrated.unread} graded rows have no projection, left out")
    missing = None if one.beside.questions is None else one.beside.questions.difference.reason
    return [*lines, plain(missing)] if missing else lines


def judged_json(found: Outcomes, made: Mapping[str, Graded | str]) -> dict[str, Any]:
    """All figures."""
    from wager.metrics.results import to_json

    def one(graded: Graded | str) -> dict[str, Any]:
        if isinstance(graded, str):
            return {"reason": graded}
        return {"calibrated": to_json(graded.calibrated), **as_json(graded.beside), "phrasings missing": graded.phrasings_missing}

    return {"column": found.column, "tells": int(found.tells), **{name: one(graded) for name, graded in made.items()}}
