"""Report: self-contained pages, and pictures, from the results of a table of answers, of a data set's floor or of a measured model.

In: `wager.metrics.results` (`Summary`, `Board`), `wager.theory.results`, `wager.table.AnswerTable`, a `RunInfo` or `ExplorerInfo`.
Out: HTML, SVG and PNG files. May import layer 0 and the results of metrics and theory; draws numbers, never computes one. A new chart is
a function in `charts.py` and a figure in `sections.py` (for the floor: `theory_*.py`). Charts are Vega-Lite (Satyanarayan et al. 2017,
doi 10.1109/TVCG.2016.2599030).
"""

from wager.report.explorer import ExplorerInfo, explorer_html, write_explorer
from wager.report.info import RunInfo
from wager.report.page import write_report
from wager.report.picture import save_picture
from wager.report.theory_page import (
    save_floor_picture,
    save_trained_picture,
    write_floor_page,
    write_reduction_page,
    write_trained_page,
)

__all__ = [
    "ExplorerInfo",
    "RunInfo",
    "explorer_html",
    "save_floor_picture",
    "save_picture",
    "save_trained_picture",
    "write_explorer",
    "write_floor_page",
    "write_reduction_page",
    "write_report",
    "write_trained_page",
]
