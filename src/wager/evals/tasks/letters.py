"""`letters`: how often a letter occurs in a word. Tokens hide letters, so a model of tokens has to guess.

Kalai et al. (2025), sec. 3.3.2: "How many Ds are in DEEPSEEK? If you know, just say the number with no commentary."
"""

from __future__ import annotations

import random
import re
from importlib.resources import files

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate

from wager.errors import UsageError

__all__ = ["counted", "letter_count", "letters", "words"]

NUMBERS = {
    "zero": 0, "none": 0, "no": 0, "one": 1, "once": 1, "two": 2, "twice": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip


def words() -> list[str]:
    """The words that are asked about, in capitals."""
    return files("wager.evals.tasks").joinpath("data", "words.txt").read_text(encoding="utf-8").split()


@task
def letters(n: int = 200, spelled: bool = False, seed: int = 0) -> Task:
    """How many of a letter are in a word; a quarter of the letters are absent, and doubled ones are favoured.

    Args:
        n: how many items.
        spelled: the spelled-out variant: the word is written letter by letter, so that counting needs no look inside a token.
        seed: of the choice and the order.
    """
    if n < 1:
        raise UsageError(f"n is at least 1, got {n}")
    rng = random.Random(seed)  # noqa: S311 (a choice of questions, not a secret)
    samples: dict[str, Sample] = {"DEEPSEEK-D": _sample("DEEPSEEK", "D", spelled), "STRAWBERRY-R": _sample("STRAWBERRY", "R", spelled)}
    chosen = words()
    most = len(chosen) * 26
    if n > most:
        raise UsageError(f"there are {most} pairs of a word and a letter, got n={n}")
    while len(samples) < n:
        word = rng.choice(chosen)
        doubled = [letter for letter in sorted(set(word)) if word.count(letter) > 1]
        pool = rng.choices(
            [sorted(set("ABCDEFGHIJKLMNOPQRSTUVWXYZ") - set(word)), doubled or sorted(set(word)), sorted(set(word))], [1, 2, 1]
        )[0]
        letter = rng.choice(pool)
        samples.setdefault(f"{word}-{letter}", _sample(word, letter, spelled))
    ordered = list(samples.values())[:n]
    rng.shuffle(ordered)
    return Task(
        dataset=MemoryDataset(ordered, name="letters"),
        solver=generate(),
        scorer=letter_count(),
        config=GenerateConfig(max_tokens=48 if spelled else 24, temperature=0.0),
    )


def _sample(word: str, letter: str, spelled: bool) -> Sample:
    shown = f"{word} ({', '.join(word)})" if spelled else word
    size = len(word)
    return Sample(
        id=f"{word}-{letter}",
        input=f"How many {letter}s are in {shown}? If you know, just say the number with no commentary.",
        target=str(word.count(letter)),
        metadata={"stratum": "up to 6 letters" if size <= 6 else "7 to 9 letters" if size <= 9 else "10 letters or more", "letter": letter},
    )


@scorer(metrics=[accuracy(), stderr()])
def letter_count() -> Scorer:
    """The number that the reply gives against the count."""

    async def score(state: TaskState, target: Target) -> Score:
        found = counted(state.output.completion, str(state.metadata.get("letter", "")))
        either = EITHER.search(state.output.completion.lower())
        if either and _value(either["number"]) != _value(either["other"]):
            return Score(value=INCORRECT, answer=either.group(), explanation="offers two numbers and claims neither")
        if found is None:
            return Score(value=INCORRECT, answer="", explanation="no number is given", reason="invalid_response_format")
        return Score(value=CORRECT if found == int(target.text) else INCORRECT, answer=str(found))

    return score


def _number(without: tuple[str, ...] = ()) -> str:
    words = "|".join(word for word in NUMBERS if word not in without)
    return rf"(?<![\w.,-])(?P<number>\d+|{words})(?![\w-]|[.,]\d)"


ANY, PLAIN = _number(), _number(without=("no", "none", "once", "twice"))
EITHER = re.compile(rf"{PLAIN},? or (?:{PLAIN.replace('<number>', '<other>')})")
"""Two numbers offered as one of two: neither is claimed."""
ADVERB = r"(?:exactly |only |just |a total of |about )?"
MARKED = rf"\banswer(?: is)?\W{{0,3}}{ADVERB}{ANY}"
SAID = rf"(?:\b(?:there (?:is|are)|has|have|contains|appears|occurs)\b|=)\W{{0,3}}{ADVERB}{_number(without=('no',))}"


def counted(reply: str, letter: str = "") -> int | None:
    """The number that a reply gives, in digits or in words up to ten; None if there is none.

    In this order: the whole reply, the last after "answer", one beside the letter ("2 Es", "two letter Es"), after "there are" and
    the like, and the first one.

    >>> counted("DEEPSEEK has 8 letters and 4 Es.", "E")
    4
    """
    text = re.sub(r"[*_`]", "", reply).lower()
    marked = [match["number"] for match in re.finditer(MARKED, text)]
    if marked and not re.fullmatch(rf"\W*{ANY}\W*", text):
        return _value(marked[-1])
    named = rf"(?:(?:times?|occurrences?|letters?) )?(?:of )?(?:the )?(?:letter )?[\"'“‘]?{re.escape(letter.lower())}[\"'”’]?s?\b"
    for pattern in (rf"^\W*{ANY}\W*$", *([f"{ANY} {named}"] if letter else []), SAID, PLAIN):
        found = re.search(pattern, text)
        if found:
            return _value(found["number"])
    return None


def _value(number: str) -> int:
    return int(number) if number.isdigit() else NUMBERS[number]
