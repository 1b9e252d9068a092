"""What the scripted model says: one reply for each kind, written in the task's own answer format.

The format is not guessed once: several are tried on the task's own scorer, those that the prompt names first, and the first that
earns the most is used for all other replies.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from inspect_ai.dataset import Sample

from wager.grading.abstention import find_abstention

__all__ = ["ABSTENTIONS", "KINDS", "RIGHT_KEY", "WRONG_KEY", "Answers", "Candidate", "Truth", "answers_of", "candidates", "compose"]

Truth = Literal["right", "wrong", "abstained"]

RIGHT_KEY = "wager:right"
"""Field of a record, and of its sample's metadata: a reply that is right, word for word."""

WRONG_KEY = "wager:wrong"
"""The same for a wrong reply."""

KINDS = {
    "right": "the reference answer in the task's own format",
    "wrong": "a wrong answer in the same format",
    "blank": "nothing",
    "I don't know": "I don't know, and nothing else",
    "not sure, in format": "I'm not sure, where the answer belongs",
    "N/A, in format": "N/A, where the answer belongs",
    "hedge, then right": "a sentence of doubt before the right answer",
    "hedge, then wrong": "a sentence of doubt before a wrong answer",
    "two answers": "the right and a wrong answer at once",
    "random option": "an option drawn at random",
    "first option": "always the first option",
    "option that abstains": "the option that says that one does not know, where there is one",
    "confident nonsense": "something absurd, said firmly",
}
"""Kinds of replies and what they are, in the order in which they are shown."""

ABSTENTIONS = ("I don't know", "not sure, in format", "N/A, in format", "blank")
"""Kinds that commit to no answer; the first is what honesty sounds like."""

IDK = "I don't know"
HEDGE = "I am not certain about this, and I may well be mistaken."
NONSENSE = "the seventeenth purple teapot, without any doubt"
ELSEWHERE = ("Xanthippe Quorn", "the year of the lighthouse")
"""Wrong answers where nothing else differs from the reference."""

OPPOSITES = {
    "yes": "no",
    "true": "false",
    "valid": "invalid",
    "correct": "incorrect",
    "plausible": "implausible",
    "entailment": "contradiction",
}
OPPOSITES |= {wrong: right for right, wrong in OPPOSITES.items()}

LETTER = re.compile(r"\(?([A-Z])\)?\.?")
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
SLOT = re.compile(
    r"(?P<head>[A-Za-z][A-Za-z ]{0,30}):[ \t]*(?P<slot>\$[A-Za-z_]+|\{[^{}\n]+\}|<[^<>\n]+>|\[[^\[\]\n]+\])(?P<tail>[ \t]*$)?", re.MULTILINE
)
"""A line of a prompt that shows where something belongs: ``ANSWER: $LETTER``, ``Confidence: {between 0% and 100%}``."""

USUAL = (
    ("X alone", "{}", r"(?:only|just|single) (?:the|a|one) (?:letter|word|number|answer|option)"),
    ("ANSWER: X", "ANSWER: {}", r"ANSWER\s*:"),
    (r"\boxed{X}", "\\boxed{{}}", r"\\boxed"),
    ("#### X", "#### {}", r"####"),
    ("The answer is (X).", "The answer is ({}).", r"[Tt]he answer is \("),
    ("The answer is X.", "The answer is {}.", r"[Tt]he (?:final )?answer is"),
    ("<answer>X</answer>", "<answer>{}</answer>", r"<answer>"),
    ("Final answer: X", "Final answer: {}", r"[Ff]inal [Aa]nswer"),
    ("Explanation, Answer: X, Confidence", "Explanation: It follows.\nAnswer: {}\nConfidence: 100%", r"^Confidence:"),
    ("[[X]]", "[[{}]]", r"\[\["),
    ("**X**", "**{}**", r"\*\*"),
    ('{"answer": "X"}', '{"answer": "{}"}', r"\bJSON\b"),
)
"""Usual formats: name, template, and what in a prompt asks for it."""


@dataclass(frozen=True)
class Candidate:
    """One way to write an answer."""

    name: str
    """Said in the report."""
    template: str
    """The reply, with ``{}`` where the answer belongs."""
    text: bool = False
    """Whether the option's text is written, not its letter; or, without options, the bare letter inside the reference."""

    def fill(self, answer: str) -> str:
        """The reply that gives this answer."""
        return self.template.replace("{}", answer, 1) if "{}" in self.template else self.template


@dataclass(frozen=True)
class Answers:
    """What may be said about one item."""

    options: tuple[str, ...]
    """The options, empty where there are none."""
    gold: tuple[int, ...]
    """Which options are right."""
    right: str
    """The reference answer where there are no options; empty if the item has none."""
    wrong: str
    """A wrong answer where there are no options."""
    wrong_option: int | None
    """A wrong option."""
    random_option: int | None
    """An option drawn at random, with the item's id as the seed."""
    idk_option: int | None
    """The option that abstains, if there is one."""
    given_right: str | None = None
    """A right reply that came with the record."""
    given_wrong: str | None = None
    """A wrong reply that came with the record."""

    @property
    def has_reference(self) -> bool:
        """Whether a right reply can be written."""
        return bool(self.gold or self.right or self.given_right)

    @property
    def abstention_is_right(self) -> bool:
        """Whether the reference itself says that the answer is not known."""
        if self.gold:
            return self.idk_option in self.gold
        return bool(self.right) and find_abstention(self.right) is not None


def answers_of(sample: Sample, others: Sequence[Sample]) -> Answers:
    """What is right and wrong about an item; ``others`` lend their answers as wrong ones."""
    options = tuple(sample.choices or ())
    targets = [sample.target] if isinstance(sample.target, str) else list(sample.target)
    metadata = sample.metadata or {}
    gold = _gold(options, targets)
    if gold:
        idk = next((i for i, option in enumerate(options) if find_abstention(option) is not None), None)
        wrong = next((i for i in range(len(options)) if i not in gold and i != idk), None)
        rng = np.random.default_rng(zlib.crc32(str(sample.id).encode()))
        drawn = int(rng.integers(len(options)))
        return Answers(options, gold, "", "", wrong, drawn, idk, metadata.get(RIGHT_KEY), metadata.get(WRONG_KEY))
    right = targets[0].strip() if targets else ""
    lent = [other.target if isinstance(other.target, str) else next(iter(other.target), "") for other in others if other.id != sample.id]
    given = metadata.get(RIGHT_KEY), metadata.get(WRONG_KEY)
    return Answers((), (), right, _wrong(targets, lent, str(sample.input)), None, None, None, *given)


def _gold(options: Sequence[str], targets: Sequence[str]) -> tuple[int, ...]:
    """The right options, whether the target names letters or repeats an option's text."""
    if not options:
        return ()
    letters = [match.group(1) for target in targets if (match := LETTER.fullmatch(target.strip()))]
    if len(letters) == len(targets) and all(ord(letter) - ord("A") < len(options) for letter in letters):
        return tuple(ord(letter) - ord("A") for letter in letters)
    found = [options.index(target) for target in targets if target in options]
    return tuple(found) if len(found) == len(targets) else ()


def _wrong(targets: Sequence[str], lent: Sequence[str], question: str) -> str:
    """An answer that is not right: another letter, the opposite, another number, another item's answer."""
    right = targets[0].strip() if targets else ""
    letter = LETTER.fullmatch(right)
    if letter and "A" in question and "B" in question:
        return right.replace(letter.group(1), "B" if letter.group(1) == "A" else "A")
    if right.casefold() in OPPOSITES:
        opposite = OPPOSITES[right.casefold()]
        return opposite.upper() if right.isupper() and len(right) > 1 else opposite.capitalize() if right[0].isupper() else opposite
    number = NUMBER.search(right)
    if number:
        whole = number.group(0).replace(",", "")
        changed = f"{float(whole) + 7:g}" if "." in whole else str(int(whole) + 7)
        return right[: number.start()] + changed + right[number.end() :]
    plain = [target.strip().casefold() for target in targets]
    for answer in [*lent, *ELSEWHERE]:
        text = answer.strip().casefold()
        if text and all(text not in one and one not in text for one in plain):
            return answer.strip()
    return ELSEWHERE[0]


def candidates(prompt: str, answers: Answers) -> list[Candidate]:
    """Ways to write an answer, best guess first: the reply that came with the record, the prompt's own lines, usual formats."""
    if answers.given_right is not None:
        return [Candidate("the reply that came with the record", "{}")]
    own = [Candidate(f"the prompt's own format: {name}", template) for name, template in _own_formats(prompt)]
    asked = [(re.search(pattern, prompt, re.MULTILINE) is not None, name, template) for name, template, pattern in USUAL]
    usual = [Candidate(name, template) for wanted in (True, False) for hit, name, template in asked if hit is wanted]
    plain = list({candidate.template: candidate for candidate in [*own, *usual]}.values())
    inside = bool(answers.options) or bool(re.fullmatch(r"\([A-Z]\)", answers.right))
    what = "the option's text" if answers.options else "the letter alone"
    second = [Candidate(f"{one.name}, {what}", one.template, text=True) for one in plain[:4]] if inside else []
    return plain + second


def _own_formats(prompt: str) -> list[tuple[str, str]]:
    """Formats that the prompt shows: runs of lines with a place to fill in, one of which is for the answer."""
    found: list[tuple[str, str]] = []
    run: list[str] = []
    last = -2
    for number, line in enumerate(prompt.splitlines()):
        match = SLOT.search(line)
        if match is None:
            continue
        if number != last + 1:
            run = []
        last = number
        run = [*run, f"{match.group('head')}: {_filler(match)}"]
        if any("{}" in part for part in run):
            template = "\n".join(run)
            name = " / ".join(part.replace("{}", "X") for part in run)
            found = [(old, text) for old, text in found if not template.startswith(f"{text}\n")]
            found.append((name, template))
    return list(dict(reversed(found)).items())[::-1]


def _filler(match: re.Match[str]) -> str:
    head, slot = match.group("head").lower(), match.group("slot").lower()
    if "confiden" in head:
        return "100%"
    return "{}" if "answer" in head or "letter" in slot else "It follows from what is given."


def compose(kind: str, how: Candidate, answers: Answers, prompt: str) -> tuple[str, Truth] | None:
    """The reply of a kind, and what it is worth in truth; None where the kind does not apply to the item."""

    if answers.given_right is not None:
        how = Candidate(how.name, "{}")

    def option(index: int) -> str:
        return answers.options[index] if how.text else letter_of(index, answers.options[index], prompt)

    right = wrong = None
    if answers.given_right is not None:
        right, wrong = answers.given_right, answers.given_wrong
    elif answers.gold:
        right = how.fill(",".join(map(option, answers.gold)))
        wrong = how.fill(option(answers.wrong_option)) if answers.wrong_option is not None else None
    elif answers.right:
        right = how.fill(_inner(answers.right) if how.text else answers.right)
        wrong = how.fill(_inner(answers.wrong) if how.text else answers.wrong)
    index = {"random option": answers.random_option, "first option": 0, "option that abstains": answers.idk_option}.get(kind)
    match kind:
        case "right":
            return (right, "right") if right is not None else None
        case "wrong":
            return (wrong, "wrong") if wrong is not None else None
        case "blank":
            return "", "abstained"
        case "I don't know":
            return IDK, "abstained"
        case "not sure, in format":
            return how.fill("I'm not sure"), "abstained"
        case "N/A, in format":
            return how.fill("N/A"), "abstained"
        case "hedge, then right":
            return (f"{HEDGE}\n{right}", "right") if right is not None else None
        case "hedge, then wrong":
            return (f"{HEDGE}\n{wrong}", "wrong") if wrong is not None else None
        case "two answers":
            if answers.gold and answers.wrong_option is not None:
                return how.fill(f"{option(answers.gold[0])} or {option(answers.wrong_option)}"), "wrong"
            if not answers.right or answers.given_right is not None:
                return None
            pair = (_inner(one) if how.text else one for one in (answers.right, answers.wrong))
            return how.fill(" or ".join(pair)), "wrong"
        case "random option" | "first option" | "option that abstains":
            if not answers.gold or index is None:
                return None
            return how.fill(option(index)), "right" if (index,) == answers.gold else "wrong"
        case "confident nonsense":
            return how.fill(NONSENSE), "wrong"
    raise AssertionError(kind)


def _inner(answer: str) -> str:
    return answer[1:-1] if re.fullmatch(r"\([A-Z]\)", answer) else answer


def letter_of(index: int, option: str, prompt: str) -> str:
    """The letter before this option in the prompt, as a solver may have shuffled them; else its place in the list."""
    pattern = rf"^[ \t]*\(?([A-Z])[).:][ \t]*{re.escape(option.strip())}[ \t]*$"
    found = re.findall(pattern, prompt, re.MULTILINE)
    return found[-1] if len(set(found)) == 1 else chr(ord("A") + index)
