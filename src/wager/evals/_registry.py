"""What Inspect loads when it looks for ``wager/...``: tasks, the rubric's solver, scorer and metrics, and model providers."""

from wager.evals.elicit import elicited, elicited_answer, eliciting
from wager.evals.metrics import three_way_metrics
from wager.evals.rescore import closed_rubric
from wager.evals.rubric import open_rubric, state_target, three_way
from wager.evals.steered import steered
from wager.evals.tasks import birthdays, capitals, letters, questions
from wager.models.provider import embedded, gguf

__all__ = [
    "birthdays",
    "capitals",
    "closed_rubric",
    "elicited",
    "elicited_answer",
    "eliciting",
    "embedded",
    "gguf",
    "letters",
    "open_rubric",
    "questions",
    "state_target",
    "steered",
    "three_way",
    "three_way_metrics",
]
