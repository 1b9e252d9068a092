"""A trait from a sentence: a capable chat model is asked for instruction pairs, questions and a rubric, as JSON.

What the model says is not trusted: it is parsed as JSON and nothing else, its name must look like a name, and its texts hold no control
characters. A question that is there twice is dropped; those with the same opening words or the same content go into the same set, so that
extraction and evaluation share no phrasing. The recipe of Chen et al. 2025 (arXiv 2507.21509), with the split by phrasing added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from wager.errors import DataError, UsageError
from wager.grading.distinct import same_content
from wager.grading.matching import normalise
from wager.steering.trait import Question, Trait
from wager.steering.trait_file import CONTROL, INSTRUCTION_PAIRS, NAME, check_trait

__all__ = ["TRIES", "draft_prompt", "draft_trait"]

TRIES = 3
"""How often the model is asked before its replies are given up."""

EACH = 20
"""Questions of each set."""

OPENING = 3
"""Words that questions of one phrasing begin with."""

LONGEST = 1_000
"""Characters of one text of the model's."""

READ = 100_000
"""Characters of a reply that are read."""

SENTENCE = 500
"""Characters of a description."""


def draft_trait(sentence: str, ask: Callable[[str], str], *, name: str | None = None, tries: int = TRIES) -> Trait:
    """The trait that a sentence describes, drafted by a model; graded by a judge with the drafted rubric. Read it before you use it.

    Args:
        sentence: what a reply with the trait does: "The reply is in a great hurry."
        ask: prompt in, text out; a model that can write JSON of about 60 lines.
        name: of the trait; None takes the model's.
        tries: how often it is asked; from the second time on it is told what was wrong.

    Raises:
        UsageError: the sentence, the name or the number of tries is not allowed.
        DataError: after all tries no reply could be used; the message says what was wrong with the last one.
    """
    if not sentence.strip() or len(sentence) > SENTENCE or CONTROL.search(sentence):
        raise UsageError(f"a trait is described in a sentence of 1 to {SENTENCE} plain characters, got {len(sentence)}")
    if name is not None and not NAME.fullmatch(name):
        raise UsageError(f"a trait's name is 1 to 40 small letters, digits or _, a letter first, got {name!r}")
    if tries < 1:
        raise UsageError(f"tries is at least 1, got {tries}")
    wrong = ""
    for _ in range(tries):
        try:
            return _parsed(ask(draft_prompt(sentence, wrong=wrong)), sentence=" ".join(sentence.split()), name=name)
        except DataError as error:
            wrong = str(error)
    raise DataError(
        f"the model drafted no usable trait in {tries} {'tries' if tries > 1 else 'try'}; at last {wrong}: use a more capable model"
    )


def draft_prompt(sentence: str, *, wrong: str = "") -> str:
    """What the model is asked; ``wrong`` says what was wrong with its last reply."""
    again = f"\nYour last reply could not be used: {wrong}. Reply again.\n" if wrong else ""
    return (
        f"A trait of a chat model, in a sentence: {' '.join(sentence.split())}\n\n"
        "Prepare a test for it. Reply with one JSON object and nothing else, with these keys:\n"
        '"name": one or two words in small letters, joined by _.\n'
        f'"instructions": a list of {INSTRUCTION_PAIRS} pairs. Each pair is a list of two short system prompts in plain English: '
        "the first asks for the trait, the second for its opposite.\n"
        f'"questions": a list of {2 * EACH} user messages, each a text, in which the trait can show without being asked for. '
        f"They are about different things, and at most {EACH // 2} begin with the same {OPENING} words.\n"
        '"rubric": two sentences for a judge: what a reply that shows the trait does, and what one does that does not.\n'
        f"{again}"
    )


def _parsed(said: object, *, sentence: str, name: str | None) -> Trait:
    values = _object(said)
    extraction, evaluation = _split(_questions(values))
    trait = Trait(
        name=name or _drafted_name(values.get("name")),
        description=sentence,
        grading="judge",
        rubric=_text(values.get("rubric"), "rubric"),
        instructions=_instructions(values),
        extraction=extraction,
        evaluation=evaluation,
    )
    try:
        check_trait(trait)
    except UsageError as error:
        raise DataError(str(error)) from None
    return trait


def _object(said: object) -> Mapping[str, Any]:
    """The JSON object of a reply: all of it, or the first that begins at a brace (in a fence, after a greeting) and has a key of ours."""
    if not isinstance(said, str) or not said.strip():
        raise DataError("the reply was empty")
    text = said[said.rfind("</think>") + len("</think>") if "</think>" in said else 0 :][:READ]
    decoder = json.JSONDecoder()
    for place in [match.start() for match in re.finditer(r"\{", text)][:50]:
        try:
            value, _ = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and value.keys() & {"instructions", "questions", "rubric"}:
            return value
    raise DataError("the reply held no JSON object with the keys name, instructions, questions, rubric")


def _drafted_name(value: object) -> str:
    found = re.sub(r"[ -]+", "_", value.strip().lower()) if isinstance(value, str) else ""
    if not NAME.fullmatch(found):
        raise DataError(f"name is 1 to 40 small letters, digits or _, a letter first, got {_brief(value)}")
    return found


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
        raise DataError(f"{where} is a text of 1 to {LONGEST} characters, got {_brief(value)}")
    if CONTROL.search(value):
        raise DataError(f"{where} holds a control character or a template's token")
    return value.strip()


def _instructions(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    listed = values.get("instructions")
    if not isinstance(listed, list) or len(listed) < INSTRUCTION_PAIRS:
        raise DataError(
            f"instructions is a list of {INSTRUCTION_PAIRS} pairs, got {len(listed) if isinstance(listed, list) else _brief(listed)}"
        )
    pairs = []
    for place, pair in enumerate(listed[: 2 * INSTRUCTION_PAIRS]):
        if not isinstance(pair, list) or len(pair) != 2:
            raise DataError(f"instructions[{place}] is a list of two texts, got {_brief(pair)}")
        one, other = (_text(each, f"instructions[{place}]") for each in pair)
        if normalise(one) == normalise(other):
            raise DataError(f"instructions[{place}] asks for the trait and for its opposite in the same words")
        pairs.append((one, other))
    return tuple(pairs)


def _questions(values: Mapping[str, Any]) -> list[str]:
    listed = values.get("questions")
    if not isinstance(listed, list):
        raise DataError(f"questions is a list of {2 * EACH} texts, got {_brief(listed)}")
    texts = [_text(each, f"questions[{place}]") for place, each in enumerate(listed[: 4 * EACH])]
    kept = list({normalise(text): text for text in texts}.values())
    if len(kept) < 2 * EACH:
        raise DataError(f"questions is a list of {2 * EACH} different texts, got {len(kept)} different ones of {len(listed)}")
    return kept


def _split(texts: list[str]) -> tuple[tuple[Question, ...], tuple[Question, ...]]:
    """Two sets of `EACH`; questions with the same opening words, or that say the same, stay together."""
    groups: list[list[str]] = []
    for text in texts:
        alike = [group for group in groups if any(_opening(text) == _opening(other) or same_content(text, other) for other in group)]
        groups = [group for group in groups if group not in alike] + [[*(other for group in alike for other in group), text]]
    chosen = _chosen(groups)
    sides: dict[bool, list[Question]] = {True: [], False: []}
    for place, group in enumerate(groups):
        sides[place in chosen].extend(Question(text=text, phrasing=_opening(text)) for text in group)
    return tuple(sides[True][:EACH]), tuple(sides[False][:EACH])


def _opening(text: str) -> str:
    return " ".join(normalise(text).split()[:OPENING])


def _chosen(groups: list[list[str]]) -> frozenset[int]:
    """Groups that hold at least `EACH` questions and leave as many; of all sums that can be made the smallest that does."""
    total = sum(map(len, groups))
    made: dict[int, frozenset[int]] = {0: frozenset()}
    for place, group in enumerate(groups):
        for count, places in list(made.items()):
            made.setdefault(count + len(group), places | {place})
    fitting = [count for count in made if EACH <= count <= total - EACH]
    if not fitting:
        largest = max(groups, key=len)
        raise DataError(
            f"questions cannot be split into two sets of {EACH} that share no phrasing: {len(largest)} of {total} are alike, "
            f"such as {_brief(largest[0])}"
        )
    return made[min(fitting)]


def _brief(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
