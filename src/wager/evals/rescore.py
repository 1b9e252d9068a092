"""Scoring an existing Inspect log at a confidence target, without one model call: ``inspect score LOG --scorer wager/closed_rubric``."""

from __future__ import annotations

from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from wager.answers import Outcome
from wager.errors import UsageError
from wager.evals.metrics import rubric_metrics
from wager.evals.rubric import METADATA_KEY
from wager.evals.verdict import Verdict, verdict_of
from wager.grading.abstention import find_abstention, is_blank
from wager.targets import ConfidenceTarget

__all__ = ["closed_rubric"]


@scorer(metrics=rubric_metrics())
def closed_rubric(target: float | None = None, headline: str | None = None) -> Scorer:
    """The three-way verdict from the scores that a log holds already (closed rubric: the model was told no target).

    Args:
        target: confidence target at which points are counted; all usual ones without it.
        headline: which of the log's scores decides; its first by default.
    """
    if target is not None:
        ConfidenceTarget(target)

    told = target

    async def score(state: TaskState, target: Target) -> Score:
        existing = state.scores or {}
        if headline is not None and headline not in existing:
            raise UsageError(f"the log has no score named {headline!r}; it has {', '.join(existing) or 'none'}")
        decided = existing.get(headline) if headline else next(iter(existing.values()), None)
        reply = state.output.completion
        labels = [chr(ord("A") + position) for position in range(len(state.choices))]
        abstention = find_abstention(reply, labels=labels)
        if is_blank(reply):
            verdict = Verdict(Outcome.UNPARSED, reason="blank reply")
        elif abstention is not None:
            verdict = Verdict(Outcome.ABSTAINED, reason=f"{abstention.rule}: {abstention.phrase}")
        else:
            verdict = verdict_of(decided)
        return Score(
            value={outcome.value: int(outcome is verdict.outcome) for outcome in Outcome if outcome is not Outcome.FAILED},
            answer=decided.answer if decided else None,
            explanation=verdict.reason,
            metadata={METADATA_KEY: {"outcome": verdict.outcome.value, "credit": verdict.credit, "reason": verdict.reason, "target": told}},
        )

    return score
