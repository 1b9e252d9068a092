"""How sure, from when on, in which words, and what to do: graded answers to a `Policy`.

In: confidences and verdicts of graded answers. Out: calibrators, certified thresholds, shades and rules, in one TOML file.
May import elicit, metrics, grading and layer 0; never Inspect. A new calibrator is a class in a file of its own and an entry in
`calibrators.KINDS`. Papers: Guo et al. (2017), arXiv 1706.04599; Angelopoulos et al. (2021), arXiv 2110.01052.
"""
