"""Answers made of the lines themselves, for models that cannot cite: nothing in them is said by a model.

In: lines and positions in them. Out: text whose every claim quotes a line word for word, so that `wager.grading.citations.verify` keeps
all of it; or, where nothing failed, the sentence that says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from wager.errors import UsageError
from wager.grading.log_lines import failures, template, warnings

__all__ = ["QUOTE", "extractive", "nothing_failed"]

QUOTE = 400
"""Characters of a quotation."""

BLANKS = re.compile(r"\s+")
MOST_GROUPS = 12
"""Groups of like lines in an answer made of quotations."""


def extractive(lines: Sequence[str], indices: Sequence[int], question: str) -> str:
    """An answer made only of quoted lines with their numbers, for models that cannot cite. Lines that say the same are quoted once.

    Args:
        lines: the material.
        indices: the 0-based positions to quote, as `salient` or `failures` give them; those outside are passed over.
        question: what was asked; only the words for "nothing fits" depend on it.

    >>> print(extractive(["INFO a", "ERROR task 1", "ERROR task 2"], [1, 2], "What failed?"))
    These lines report a failure:
    - [L2] ERROR task 1 (and 1 more like it)
    """
    chosen = sorted({at for at in indices if 0 <= at < len(lines)})
    if not chosen:
        return f"None of the {len(lines):,} lines bears on {'the question' if question.strip() else 'it'}."
    failing = set(failures([lines[at] for at in chosen]))
    parts = [
        ("These lines report a failure:", [at for place, at in enumerate(chosen) if place in failing]),
        ("These lines bear on the question:", [at for place, at in enumerate(chosen) if place not in failing]),
    ]
    return "\n\n".join(f"{head}\n{_grouped(lines, places)}" for head, places in parts if places)


def _grouped(lines: Sequence[str], places: Sequence[int]) -> str:
    groups: dict[str, list[int]] = {}
    for at in places:
        groups.setdefault(template(lines[at]), []).append(at)
    shown = list(groups.values())[:MOST_GROUPS]
    rows = []
    for group in shown:
        text = BLANKS.sub(" ", lines[group[0]]).strip()
        text = text if len(text) <= QUOTE else text[:QUOTE].rstrip() + "..."
        rows.append(f"- [L{group[0] + 1}] {text}" + (f" (and {len(group) - 1:,} more like it)" if len(group) > 1 else ""))
    left = len(groups) - len(shown)
    return "\n".join([*rows, f"Of other kinds there are {left:,}; they are not quoted here."] if left else rows)


def nothing_failed(lines: Sequence[str]) -> str:
    """Says that none of the lines reports a failure, what was looked for, and where they end.

    Raises:
        UsageError: a line does report one; ask `wager.grading.log_lines.failures` first.

    >>> nothing_failed(["INFO start", "INFO done"])
    'None of the 2 lines reports a failure: no ERROR, no FATAL and no exception. The last line is [L2] INFO done'
    """
    bad = failures(lines)
    if bad:
        raise UsageError(f"line {bad[0] + 1} of {len(lines):,} reports a failure; quote it with extractive() instead of denying it")
    last = next((at for at in range(len(lines) - 1, -1, -1) if lines[at].strip()), None)
    if last is None:
        return "There are no lines to read."
    warned = warnings(lines)
    text = BLANKS.sub(" ", lines[last]).strip()
    said = [f"None of the {len(lines):,} lines reports a failure: no ERROR, no FATAL and no exception."]
    if warned:
        said.append(f"{len(warned):,} {'lines are warnings' if len(warned) > 1 else 'line is a warning'}, the first [L{warned[0] + 1}].")
    text = text if len(text) <= 200 else text[:200].rstrip() + "..."
    said.append(f"The last line is [L{last + 1}] {text}")
    return " ".join(said)
