"""The pages of the floor: what data, a measured model and a training say about hallucination, each as one HTML file without a network."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wager.errors import DataError, MissingExtraError
from wager.report.page_file import write_sections
from wager.report.picture import check_suffix, write_picture
from wager.theory.results import Floor, ReductionStudy, TrainedFloor

if TYPE_CHECKING:
    from wager.report.sections import Draw

__all__ = ["save_floor_picture", "save_trained_picture", "write_floor_page", "write_reduction_page", "write_trained_page"]

PAGE = "the page of the floor"


def write_floor_page(path: str | os.PathLike[str], floor: Floor, *, command: str | None = None) -> None:
    """Writes the floor of a data set; an existing file is replaced only once the new one is complete.

    Args:
        path: the HTML file.
        floor: the numbers; shown, never recomputed. What is None is shown as not known, with its reason.
        command: the command line that makes this page again.

    Raises:
        MissingExtraError: Altair or vl-convert is not installed.
        OutputError: the file cannot be written.
    """

    def sections(draw: Draw) -> str:
        from wager.report.theory_floor import floor_sections

        return floor_sections(floor, command, draw)

    write_sections(path, f"The floor of {floor.source}", sections, what=PAGE)


def write_reduction_page(path: str | os.PathLike[str], study: ReductionStudy, *, command: str | None = None) -> None:
    """Writes what Theorem 1 says of models whose valid and erroneous responses are known; raises as `write_floor_page` does."""

    def sections(draw: Draw) -> str:
        from wager.report.theory_reduction import reduction_sections

        return reduction_sections(study, command, draw)

    write_sections(path, f"Is it valid? {study.questions}", sections, what=PAGE)


def write_trained_page(path: str | os.PathLike[str], floor: TrainedFloor, *, command: str | None = None) -> None:
    """Writes how learners near the floor as they are trained; raises as `write_floor_page` does."""

    def sections(draw: Draw) -> str:
        from wager.report.theory_trained import trained_sections

        return trained_sections(floor, command, draw)

    write_sections(path, "The floor, seen in training", sections, what=PAGE)


def save_floor_picture(path: str | os.PathLike[str], floor: Floor) -> None:
    """The number line beside the frequencies, about 950 pixels wide, on white.

    Args:
        path: ends in ``.svg`` or ``.png`` (drawn at twice the size, for sharp screens).
        floor: with at least one frequency.

    Raises:
        UsageError: another suffix.
        DataError: no sample was counted.
        MissingExtraError: Altair or vl-convert is not installed.
        OutputError: the file cannot be written.
    """
    check_suffix(path)
    if not any(one.rows > 0 for one in floor.frequencies):
        raise DataError("the floor holds no counted sample, so there is nothing to draw")

    def parts() -> list[Any]:
        from wager.report.theory_charts import samples_chart, share_line

        line = share_line(floor).properties(width=440, title="Bounds and estimates of the error")
        return [line, samples_chart(floor.frequencies).properties(width=300, title="How often each prompt is answered")]

    _picture(path, parts, floor.source)


def save_trained_picture(path: str | os.PathLike[str], floor: TrainedFloor) -> None:
    """Error along training beside Theorem 1 along training, about 1100 pixels wide; of the first learner with several checkpoints.

    Raises:
        UsageError: a suffix other than ``.svg`` and ``.png``.
        DataError: no learner has several checkpoints.
        MissingExtraError: Altair or vl-convert is not installed.
        OutputError: the file cannot be written.
    """
    check_suffix(path)

    def parts() -> list[Any]:
        from wager.report.theory_trained_charts import curves, error_chart, law_chart

        learners = list(curves(floor).values())
        if not learners:
            raise DataError("no learner was measured more than once, so there is no training to draw")
        error = error_chart(learners[0], floor, height=320).properties(width=420, title="Error as training goes on")
        return [error, law_chart(learners[0], height=320).properties(width=340, title="Theorem 1 along the way")]

    _picture(path, parts, floor.world)


def _picture(path: str | os.PathLike[str], parts: Callable[[], list[Any]], title: str) -> None:
    try:
        import altair as alt

        from wager.report.charts import house

        both = alt.hconcat(*parts(), spacing=32).resolve_scale(color="independent", strokeDash="independent")
    except ModuleNotFoundError as error:
        raise MissingExtraError("altair", "report", "the picture") from error
    spec = (
        house(both, size=13, legend="bottom")
        .properties(title=alt.TitleParams(title if len(title) <= 110 else title[:109] + "…"), padding=12)
        .to_dict()
    )
    write_picture(path, spec)
