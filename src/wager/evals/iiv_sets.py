"""Questions with a closed list of responses of which the valid ones are known: birthdays, capitals, and any multiple choice."""

from __future__ import annotations

import calendar
import inspect
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from wager.errors import DataError, UnknownNameError, UsageError
from wager.evals.tasks.birthdays import birthday_in  # one reading of birthdays and options, here as in the tasks
from wager.evals.tasks.capitals import countries
from wager.evals.tasks.questions import ANSWER_COLUMNS, QUESTION_COLUMNS, option_letters, texts_in
from wager.evals.tasks.records import column_of, records_of, require, text_in
from wager.grading.matching import normalise

__all__ = ["SETS", "Question", "QuestionSet", "birthday_set", "capital_set", "choice_set", "question_set"]

CHOICE_COLUMNS = ("choices", "options", "mc1_targets")


@dataclass(frozen=True)
class Question:
    """One prompt and the closed list of responses to it."""

    prompt: str
    """Running text that a response goes on with."""
    question: str
    """The same as a question, for a conversation."""
    responses: tuple[str, ...]
    """Beginning as they do after `prompt`, mostly with a blank; all different."""
    valid: tuple[bool, ...]
    """Which of them are valid: at least one is, and at least one is not."""
    ending: str = ""
    """What ends a response in running text, so that "July 1" is not the beginning of "July 12"."""


@dataclass(frozen=True)
class QuestionSet:
    """Questions of one kind."""

    name: str
    """As a reader sees it."""
    questions: tuple[Question, ...]
    """At least one."""
    left_out: int = 0
    """Records that are no question: without one clear answer, or with an answer and no errors."""
    warnings: tuple[str, ...] = ()
    """What a reader must know."""
    about: dict[str, str] = field(default_factory=dict)
    """How it was made."""


def dates(leap: bool) -> list[str]:
    """The days of a year, as "January 1"; 366 with 29 February.

    >>> len(dates(False)), dates(True)[59]
    (365, 'February 29')
    """
    year = 2000 if leap else 2001
    return [f"{calendar.month_name[month]} {day}" for month in range(1, 13) for day in range(1, calendar.monthrange(year, month)[1] + 1)]


def birthday_set(data: str, name: str = "name", birthday_column: str = "birthday", ending: str = ",") -> QuestionSet:
    """ "X was born on July 6," for each name with one birthday; the other dates of the year are the errors.

    K = 364. Somebody born on 29 February has 366 dates to choose from, 365 of them wrong.

    Args:
        data: a .csv, .jsonl, .json or .parquet file with a name and a birthday (YYYY-MM-DD or DD-MM) in each record.
        name: the column of names.
        birthday_column: the column of birthdays.
        ending: what follows a date in running text.

    Raises:
        DataError: the file cannot be read, or a birthday is none.
        UnknownNameError: no such column.
    """
    path = Path(data)
    records = records_of(path)
    require(records, [name, birthday_column], path)
    known: dict[str, set[str]] = {}
    for number, record in enumerate(records, start=1):
        where = f"{data!r}, record {number}"
        known.setdefault(text_in(record, name, where), set()).add(birthday_in(text_in(record, birthday_column, where), where))
    clear = [(person, next(iter(found))) for person, found in known.items() if len(found) == 1]
    if not clear:
        raise DataError(f"the file {data!r} holds no name with one birthday; {len(known)} names were read")
    questions = tuple(_birthday(person, found, ending) for person, found in clear)
    return QuestionSet("birthdays", questions, len(known) - len(clear), about={"data": path.name})


def _birthday(person: str, day_and_month: str, ending: str) -> Question:
    day, month = map(int, day_and_month.split("-"))
    truth = f"{calendar.month_name[month]} {day}"
    listed = dates(leap=truth == "February 29")
    question = f"What is {person}'s birthday? Reply with the month and the day only."
    return Question(f"{person} was born on", question, tuple(f" {one}" for one in listed), tuple(one == truth for one in listed), ending)


def capital_set(errors: int | str = 50, seed: int = 0, names: Literal["all", "usual"] = "all", ending: str = ".") -> QuestionSet:
    """ "The capital of X is Y." for each country and territory with an undisputed capital; capitals of others are the errors.

    Args:
        errors: how many other capitals each country gets, drawn by `seed`; ``all`` for every one (slow, and a lower threshold 1/K).
        seed: of the drawing.
        names: ``all`` accepted names of a capital are valid, or the ``usual`` one only, so that each prompt has one valid response.
        ending: what follows a capital in running text.

    Raises:
        UsageError: fewer than 1 error, or more than there are; names that are neither.
    """
    if names not in ("all", "usual"):
        raise UsageError(f"-T names is 'all' or 'usual', got {names!r}")
    asked = countries()
    cities = {normalise(one.accepted[0]): one.accepted[0] for one in asked}
    others = [_others(one.accepted, cities) for one in asked]
    most = min(map(len, others))
    count = most if errors == "all" else errors
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= most:
        raise UsageError(f"-T errors is a number from 1 to {most}, or all; got {errors!r}")
    rng = random.Random(seed)  # noqa: S311 (a choice of questions, not a secret)
    questions = []
    for country, wrong in zip(asked, others, strict=True):
        right = _distinct(country.accepted if names == "all" else country.accepted[:1])
        chosen = rng.sample(wrong, count)
        question = f"What is the capital of {country.asked_as}? Reply with its name only."
        listed, marks = (*right, *chosen), (True,) * len(right) + (False,) * count
        questions.append(Question(f"The capital of {country.asked_as} is", question, tuple(f" {one}" for one in listed), marks, ending))
    return QuestionSet("capitals", tuple(questions), about={"errors of each prompt": str(count), "valid names": names})


def _others(accepted: Sequence[str], cities: dict[str, str]) -> list[str]:
    own = {normalise(one) for one in accepted}
    return [city for key, city in cities.items() if key not in own]


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def choice_set(
    data: str,
    prompt: str | None = None,
    choices: str | None = None,
    answer: str | None = None,
    show: Literal["letters", "text"] = "letters",
    ending: str | None = None,
) -> QuestionSet:
    """Multiple choice from a file: the options are the responses.

    Args:
        data: a .csv, .jsonl, .json or .parquet file.
        prompt, choices, answer: its columns of the question, of the options (a list or a JSON list), and of the valid option or options
            (an option's text, its letter, or its number from 0); found among the usual names if not given.
        show: ``letters`` lists the options under the question and the responses are letters, as in the paper's Figure 2; ``text`` does
            not show them, and the responses are the options themselves.
        ending: what follows a response in running text; a line break after texts, nothing after letters if not given.

    Raises:
        DataError: the file cannot be read, or an answer is none of the options.
        UnknownNameError, UsageError: no such column.
    """
    if show not in ("letters", "text"):
        raise UsageError(f"-T show is 'letters' or 'text', got {show!r}")
    path = Path(data)
    records = records_of(path)
    ask = column_of(records, prompt, QUESTION_COLUMNS, "prompt", path)
    offer = column_of(records, choices, CHOICE_COLUMNS, "choices", path)
    accept = column_of(records, answer, ANSWER_COLUMNS, "answer", path)
    ended = ("" if show == "letters" else "\n") if ending is None else ending
    questions = []
    for number, record in enumerate(records, start=1):
        where = f"{data!r}, record {number}"
        made = _choice(record, ask, offer, accept, show, ended, where)
        if made is not None:
            questions.append(made)
    if not questions:
        raise DataError(f"the file {data!r} holds no question with a valid and an erroneous option; {len(records)} records were read")
    about = {"data": path.name, "columns": f"{ask}, {offer}, {accept}", "responses": show}
    return QuestionSet(path.stem, tuple(questions), len(records) - len(questions), about=about)


def _choice(record: dict[str, Any], ask: str, offer: str, accept: str, show: str, ending: str, where: str) -> Question | None:
    """None where the options are not all different, or all of them or none are valid."""
    text, options = text_in(record, ask, where), texts_in(record.get(offer))
    if len(set(options)) < max(len(options), 2) or len(options) > 26:
        return None
    right = set(option_letters(record.get(accept), texts_in(record.get(accept)), options, where))
    letters = [chr(ord("A") + place) for place in range(len(options))]
    valid = tuple(letter in right for letter in letters)
    if all(valid) or not any(valid):
        return None
    if show == "text":
        return Question(f"{text}\nAnswer:", f"{text}\nReply with the answer only.", tuple(f" {one}" for one in options), valid, ending)
    listed = "\n".join([text, *(f"{letter}. {option}" for letter, option in zip(letters, options, strict=True))])
    question = f"{listed}\nReply with the letter only."
    return Question(f"{listed}\nAnswer:", question, tuple(f" {letter}" for letter in letters), valid, ending)


SETS: dict[str, Callable[..., QuestionSet]] = {"birthdays": birthday_set, "capitals": capital_set}
"""Sets that have a name; any other is a file of multiple choice."""

FILES = (".csv", ".jsonl", ".ndjson", ".json", ".parquet")


def question_set(name: str, args: dict[str, Any]) -> QuestionSet:
    """The named set, or the multiple-choice file of that path, made with these arguments.

    Raises:
        UnknownNameError: no such set, file or argument; the nearest names are in the message.
        UsageError: an argument that the set cannot do without is absent.
        DataError: the file is absent or is not what it should be.
    """
    if name in SETS:
        make = SETS[name]
    elif Path(name).suffix.lower() in FILES:
        make, args = choice_set, {"data": name, **args}
    else:
        raise UnknownNameError("question set", name, SETS, hint=f"Or give a file of multiple choice: {', '.join(FILES)}")
    parameters = inspect.signature(make).parameters
    for argument in args:
        if argument not in parameters:
            raise UnknownNameError(f"argument of the set {name!r}", argument, parameters, hint="Arguments are given as -T name=value")
    for argument, parameter in parameters.items():
        if parameter.default is parameter.empty and argument not in args:
            raise UsageError(f"the set {name!r} needs the argument {argument!r}: give it as -T {argument}=VALUE")
    return make(**args)
