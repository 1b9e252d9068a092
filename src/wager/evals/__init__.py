"""Any Inspect task under confidence targets.

In: the name of an Inspect task, a model, targets, arms. Out: Inspect logs and an `wager.table.AnswerTable`.
Knows Inspect; may import every room of layers 0 to 2. A new task of our own goes into `wager.evals.tasks`.
`rubric` wraps a task, `run` runs the arms and resumes them, `collect` reads logs, `resolve` finds tasks and models.
Paper: Kalai, Nachum, Vempala and Zhang, "Why Language Models Hallucinate" (arXiv 2509.04664).
"""
