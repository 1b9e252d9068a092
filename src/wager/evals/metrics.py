"""The rubric's metrics inside Inspect, so that ``inspect view`` and ``inspect eval`` show them; reports use `wager.metrics`."""

from __future__ import annotations

from inspect_ai.scorer import Metric, SampleScore, Value, metric

from wager.answers import Outcome
from wager.scoring import payoff
from wager.targets import DEFAULT_TARGETS, ConfidenceTarget

__all__ = ["rubric_metrics", "three_way_metrics"]


@metric(scores="unreduced")
def three_way_metrics() -> Metric:
    """Score at the stated target (at the usual ones where none was stated), answered share, accuracy among answered, counts.

    A metric without any answer to compute it from is absent.
    """

    def compute(scores: list[SampleScore]) -> Value:  # the annotation is read by Inspect: another one selects an old calling form
        records = [(one.score.metadata or {}).get("wager") or {} for one in scores]
        outcomes = [Outcome(record["outcome"]) for record in records if "outcome" in record]
        used = [record for record in records if Outcome(record.get("outcome", Outcome.UNGRADED)).is_scored]
        answered = [Outcome(record["outcome"]).is_answer for record in used]
        credit = [float(record["credit"]) if record["credit"] is not None else 0.0 for record in used]
        values: dict[str, float] = {}
        if used:
            stated = {record["target"] for record in used}
            targets = [t for t in stated if t is not None] if stated != {None} else list(DEFAULT_TARGETS)
            for t in targets:
                values[f"score@{ConfidenceTarget(t)}"] = float(payoff(credit, answered, t).mean())
            values["answered"] = sum(answered) / len(used)
        if any(answered):
            values["accuracy_answered"] = sum(credit) / sum(answered)
        values |= {outcome.value: float(outcomes.count(outcome)) for outcome in Outcome}
        return dict(values)

    return compute


def rubric_metrics() -> list[Metric]:
    """The metrics of `wager.evals.rubric.three_way`."""
    return [three_way_metrics()]
