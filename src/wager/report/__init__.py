"""Report: self-contained pages, and pictures, from the results of a table of answers.

In: `wager.metrics.results` (`Summary`, `Board`), `wager.table.AnswerTable`, a `RunInfo` or `ExplorerInfo`. Out: HTML, SVG and PNG files.
May import layer 0 and `wager.metrics.results`; draws numbers, never computes one. A new chart is a function in `charts.py`
and a figure in `sections.py`. Charts are Vega-Lite (Satyanarayan et al. 2017, doi 10.1109/TVCG.2016.2599030).
"""

from wager.report.explorer import ExplorerInfo, explorer_html, write_explorer
from wager.report.info import RunInfo
from wager.report.page import write_report
from wager.report.picture import save_picture

__all__ = ["ExplorerInfo", "RunInfo", "explorer_html", "save_picture", "write_explorer", "write_report"]
