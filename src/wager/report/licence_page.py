"""The page of a licence: what a dial has shown, as one HTML file that needs no network, the verdict with its reasons first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wager.report.page_file import write_sections
from wager.steering.licence_results import Example, Licence

if TYPE_CHECKING:
    from wager.report.sections import Draw

__all__ = ["write_licence_page"]


def write_licence_page(
    path: str | os.PathLike[str], licence: Licence, *, command: str | None = None, examples: Sequence[Example] = ()
) -> None:
    """Writes the page; an existing file is replaced only once the new one is complete.

    Args:
        path: the HTML file.
        licence: the numbers; shown, never recomputed. What is None is shown as not known, with its reason.
        command: the command line that makes this page again.
        examples: replies to show beside the numbers (`wager.steering.licence.examples_of`); as text, whatever they hold.

    Raises:
        MissingExtraError: Altair or vl-convert is not installed.
        OutputError: the file cannot be written.
    """

    def sections(draw: Draw) -> str:
        from wager.report.licence_sections import licence_sections

        return licence_sections(licence, examples, command, draw)

    write_sections(path, f"Licence: {licence.trait[:200]}", sections, what="the page of a licence")
