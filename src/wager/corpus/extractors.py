"""Facts in raw text: functions that make (prompt, answer) pairs of it.

A registered extractor is a function ``(text) -> pairs``; the shipped ones are patterns. Other packages add theirs under the entry-point
group ``wager.fact extractor``; a file ending in ``.sql`` or ``package.module:function`` works without. The shipped ones are a start, not
a parser: they take what stands in one sentence, in English.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable

from wager.errors import DataError, UnknownNameError, UsageError
from wager.registry import Registry

__all__ = ["EXTRACTORS", "Extractor", "extractor"]

Extractor = Callable[[str], Iterable[tuple[str, str]]]

EXTRACTORS: Registry[Extractor] = Registry("fact extractor")
"""The registered ones by name."""

UPPER = "".join(chr(point) for point in range(0x250) if chr(point).isupper())
WORD = rf"(?:(?:[{UPPER}]|St|Jr|Sr|Dr)\.|[{UPPER}][\w'’-]*)"
NAME = rf"{WORD}(?: (?:(?:de|del|di|da|van|von|der|den|la|al|bin|of|the) ){{0,2}}{WORD}){{0,5}}"
NO_NAME = (
    "He|She|It|They|We|I|You|This|That|These|Those|The|A|An|His|Her|Its|Their|Who|What|When|Where|In|On|At|After|Before|Both|Meanwhile"
    "|Later|Then"
)
SUBJECT = rf"(?:\A|(?<=[.!?\n] )|(?<=\n))(?!(?:{NO_NAME})\b)"
"""Where a sentence begins, with a name: so neither "Marie, née Maria, was ..." nor "some think that X is ..." is taken for a fact."""
MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
DATE = rf"(?:(?:{MONTH}) \d{{1,2}}(?:st|nd|rd|th)?,? \d{{3,4}}|\d{{1,2}}(?:st|nd|rd|th)? (?:{MONTH}),? \d{{3,4}}|\d{{4}}-\d\d-\d\d)"


def _pattern(expression: str, question: str) -> Extractor:
    compiled = re.compile(expression)

    def found(text: str) -> Iterable[tuple[str, str]]:
        for match in compiled.finditer(text):
            told = match.groupdict()
            yield question.format(told["who"]), told["what"] or told["first"]

    return found


BORN = r"(?:,? \([^()]{0,60}\))?,? (?:was|were) born"
PLACE = rf"{NAME}(?:, {NAME}){{0,2}}"

SHIPPED = {
    "born": (rf"{SUBJECT}(?P<who>{NAME}){BORN} (?:in {PLACE},? )?on (?P<what>{DATE})", "When was {} born?"),
    "died": (rf"{SUBJECT}(?P<who>{NAME})(?:,? \([^()]{{0,60}}\))?,? died (?:in {PLACE},? )?on (?P<what>{DATE})", "When did {} die?"),
    "born-in": (rf"{SUBJECT}(?P<who>{NAME}){BORN} (?:on {DATE},? )?in (?P<what>{NAME})", "Where was {} born?"),
    "lived": (rf"{SUBJECT}(?P<who>{NAME}) \((?:(?:born|b\.) (?P<what>{DATE})|(?P<first>{DATE}) ?[–—-] ?{DATE}\))", "When was {} born?"),
    "capital": (rf"{SUBJECT}(?P<what>{NAME}) is the capital(?: city)? of (?:the )?(?P<who>{NAME})", "What is the capital of {}?"),
    "capital-is": (
        rf"(?:\A|(?<=[.!?\n] )|(?<=\n))The capital(?: city)? of (?:the )?(?P<who>{NAME}) is (?P<what>{NAME})",
        "What is the capital of {}?",
    ),
}
"""At the beginning of a sentence: ``X was born on DATE``; ``X died on DATE``; ``X was born in PLACE``; ``X (born DATE`` and
``X (DATE – DATE)``, which is also how a war is written; ``Y is the capital of X``; ``The capital of X is Y``."""

for _name, (_expression, _question) in SHIPPED.items():
    EXTRACTORS.register(_name)(_pattern(_expression, _question))


@EXTRACTORS.register("all")
def _all(text: str) -> Iterable[tuple[str, str]]:
    for expression, question in SHIPPED.values():
        yield from _pattern(expression, question)(text)


def extractor(name: str) -> Extractor:
    """The extractor of that name, or the function at ``package.module:function``.

    >>> list(extractor("born")("Ada Lovelace was born on December 10, 1815, in London."))
    [('When was Ada Lovelace born?', 'December 10, 1815')]

    Raises:
        UnknownNameError: no extractor is registered so.
        UsageError: the module or function cannot be found.
    """
    module, colon, function = name.partition(":")
    if not colon:
        return EXTRACTORS.get(name)
    try:
        found = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        raise UsageError(f"--facts {name!r}: no module {error.name!r} can be imported here") from error
    except AttributeError:
        raise UnknownNameError(f"function in {module}", function, dir(importlib.import_module(module))) from None
    if not callable(found):
        raise UsageError(f"--facts {name!r} is no function")

    def checked(text: str) -> Iterable[tuple[str, str]]:
        try:
            pairs = list(found(text))
        except Exception as error:  # somebody else's function: its user reads in one line what it raised
            raise DataError(f"--facts {name!r} raised {type(error).__name__}: {error}, on the text {text[:60]!r}") from error
        for pair in pairs:
            if not (isinstance(pair, tuple | list) and len(pair) == 2):
                raise DataError(f"--facts {name!r} must give pairs (prompt, answer), got {pair!r}")
            yield str(pair[0]), str(pair[1])

    return checked
