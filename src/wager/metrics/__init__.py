"""Estimates of a set of graded answers: value, interval, how many answers were used and how many left out.

In: arrays, or an `wager.table.AnswerTable`. Out: the frozen types of `results`. May import layer 0 and scipy.
Plain functions on arrays, one idea in each file; `rows` splits a table, `summary` puts it all together. A new metric is a
function here and a field in `results`. Papers: Kalai et al. (2025), arXiv 2509.04664; Miller (2024), arXiv 2411.00640;
Kumar et al. (2019), arXiv 1909.10155.
"""
