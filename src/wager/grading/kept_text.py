"""A reply without its claims that did not hold, and with its citations put right.

In: the lines of a reply, a verdict on each claim, what it was checked against. Out: text. Sentences that claim nothing stay as they are,
but for citations of places that do not exist; headings and bullets that lost all they led to go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from wager.grading.claims import BRACKETS, INLINE, Line, numbers_in
from wager.grading.ground import Ground
from wager.grading.verdicts import Checked

__all__ = ["kept_text"]

MOST_LABELS = 8
"""Labels that one citation becomes at most."""

EMPTY_FENCE = re.compile(r"^ {0,3}(```|~~~)[^\n]{0,80}\n {0,3}\1 *$\n?", re.M)


def kept_text(read_lines: Sequence[Line], checked: dict[tuple[int, int], Checked], ground: Ground) -> str:
    """The reply without what was not kept; headings and bullets that lost all they led to go too."""
    rows: list[tuple[str, bool, bool]] = []
    lost = False
    for line in read_lines:
        said = []
        for part in line.parts:
            one = checked[part.claim.start, part.claim.end] if part.claim else None
            if one is not None and not one.kept:
                lost = True
            else:
                said.append(_rewritten(part.text, one, ground, code=line.code))
        if line.parts and not any(text.strip() for text in said):
            continue
        rows.append((line.prefix + " ".join(said), line.heading, bool(line.parts)))
    if lost:
        rows = _without_bare_headings(rows)
        return re.sub(r"\n{3,}", "\n\n", EMPTY_FENCE.sub("", "\n".join(text for text, _, _ in rows))).strip()
    return "\n".join(text for text, _, _ in rows).strip()


def _without_bare_headings(rows: Sequence[tuple[str, bool, bool]]) -> list[tuple[str, bool, bool]]:
    found: list[tuple[str, bool, bool]] = []
    something = False
    for row in reversed(rows):
        _, is_heading, is_said = row
        if is_heading and not something:
            continue
        something = (something or is_said) and not is_heading
        found.append(row)
    return found[::-1]


def _rewritten(text: str, one: Checked | None, ground: Ground, *, code: bool) -> str:
    """A sentence with its citations put right: those of its verified places, or those that exist where it claims nothing."""
    if code:
        return text
    if one is None or not one.lines:
        return _only_existing(text, ground)
    if one.claim.cited == one.lines and text.startswith(f"[{ground.label}{one.lines[0]}] "):
        return text
    good = " ".join(f"[{ground.label}{number}]" for number in one.lines[:MOST_LABELS])
    unnamed = [number for number in one.lines if number not in one.claim.cited]
    placed = 0

    def label(found: re.Match[str]) -> str:
        nonlocal placed
        if found.groupdict().get("file"):
            return found.group(0)
        right = [number for number in numbers_in(found.group(0)) if number in one.lines]
        if right and not placed:
            right = sorted({*right, *unnamed})
        placed += len(right)
        return " ".join(f"[{ground.label}{number}]" for number in right[:MOST_LABELS]) or "\0"

    text = BRACKETS.sub(label, text)
    if ground.is_log:
        text = re.sub(rf"(?P<label>\[L\d+\])|{INLINE.pattern}", lambda found: found.group("label") or label(found), text, flags=re.I)
    if not placed and "\0" in text:
        text = text.replace("\0", good, 1)
    elif not placed:
        body, stop = (text.rstrip()[:-1], text.rstrip()[-1]) if text.rstrip()[-1:] in (".", "。", "!") else (text.rstrip(), "")
        text = f"{body} {good}{stop}"
    return _tidy(text.replace("\0", ""))


def _only_existing(text: str, ground: Ground) -> str:
    def label(found: re.Match[str]) -> str:
        numbers = [number for number in numbers_in(found.group(0)) if 1 <= number <= len(ground.lines)]
        return " ".join(f"[{ground.label}{number}]" for number in numbers[:MOST_LABELS])

    return _tidy(BRACKETS.sub(label, text)) if BRACKETS.search(text) else text


def _tidy(text: str) -> str:
    """Without the blanks that a citation left behind."""
    return re.sub(r"[ ]{2,}", " ", re.sub(r" +([.,;:!?])", r"\1", text)).strip()
