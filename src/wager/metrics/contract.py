"""The JSON of ``wager score``: stable, versioned, for other tools to read. docs/score.md describes every key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wager.metrics.results import Board, BoardGroup, BoardPair, Confidence, Estimate, to_json

__all__ = ["SCHEMA", "board_json"]

SCHEMA = 1
"""Raised when a key changes meaning; a new key does not raise it."""

FLAT = ("brier", "log_loss", "ece", "smooth_ece", "auroc", "aurc", "augrc")
"""Metrics of the headline confidence that stand in the group itself."""
NO_CONFIDENCE = "the answers have no confidence"


def board_json(board: Board) -> dict[str, Any]:
    """The board as JSON values: numbers are plain, what cannot be computed is null with its reason under ``reasons``."""
    return {
        "schema": SCHEMA,
        "targets": list(board.targets),
        "tie": board.tie,
        "missing": board.missing,
        "groups": [_group(group, board) for group in board.groups],
        "pairs": [_pair(pair, board) for pair in board.pairs],
        "behaviour": [to_json(one) for one in board.behaviour],
        "notes": list(board.notes),
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    made: dict[str, Any] = {"value": found.value, "low": found.low, "high": found.high, "n": found.n, "n_excluded": found.n_excluded}
    if found.reason is not None:
        made["reason"] = found.reason
    return made


def _by_target(found: Mapping[str, Estimate]) -> dict[str, Any]:
    return {t: _estimate(one) for t, one in found.items()}


def _group(group: BoardGroup, board: Board) -> dict[str, Any]:
    head = group.confidences[0] if group.confidences else None
    reasons: dict[str, str] = {}
    intervals: dict[str, dict[str, float | None]] = {}

    def flat(name: str, found: Estimate | None, missing: str = NO_CONFIDENCE) -> float | None:
        if found is None or found.value is None:
            reasons[name] = (found.reason if found is not None else None) or missing
            return None
        if found.low is not None:
            intervals[name] = {"low": found.low, "high": found.high}
        return found.value

    made: dict[str, Any] = {
        "by": group.by,
        "n": group.n,
        "n_items": group.n_items,
        "counts": group.counts,
        "missing": group.missing,
        "unanswerable": group.unanswerable,
        "score": _by_target(group.score),
        "score_by_confidence": _by_target(head.score) if head else None,
        "always_answer": _by_target(group.always_answer),
        "oracle": _by_target(group.oracle),
        "rank": {str(t): _rank(group, board, t) for t in map(_name, board.targets)},
        **{name: flat(name, found) for name, found in group.rates.items()},
        "confidence": head.source if head else None,
        **{name: flat(name, head.metrics[name] if head else None) for name in FLAT},
        "ece_bins": head.ece_bins if head else None,
    }
    if head is None:
        reasons |= dict.fromkeys(("score_by_confidence", "confidence", "ece_bins", "corp", "lost"), NO_CONFIDENCE)
        made |= {"corp": None, "lost": None}
    else:
        made |= _parts(head, flat)
    others = {one.source: _confidence(one) for one in group.confidences}
    return made | {"confidences": others, "intervals": intervals, "reasons": reasons}


def _parts(found: Confidence, flat: Any) -> dict[str, Any]:
    return {
        "corp": {name: flat(f"corp.{name}", one) for name, one in found.corp.items()},
        "lost": {t: {name: flat(f"lost.{t}.{name}", one) for name, one in parts.items()} for t, parts in found.lost.items()},
    }


def _confidence(found: Confidence) -> dict[str, Any]:
    """Everything about one source, each as an estimate."""
    return {
        "n": found.n,
        "constant": found.constant,
        "ece_bins": found.ece_bins,
        **{name: _estimate(one) for name, one in found.metrics.items()},
        "corp": {name: _estimate(one) for name, one in found.corp.items()},
        "score": _by_target(found.score),
        "at": {t: {name: _estimate(one) for name, one in parts.items()} for t, parts in found.at.items()},
        "regret_crossfitted": _by_target(found.regret_crossfitted),
        "corp_curve": [list(point) for point in found.corp_curve],
        "lost": {t: {name: _estimate(one) for name, one in parts.items()} for t, parts in found.lost.items()},
    }


def _name(t: float) -> str:
    return f"{t:g}"


def _rank(group: BoardGroup, board: Board, t: str) -> dict[str, int | None] | None:
    at = {_name(one): place for place, one in enumerate(board.grid)}.get(t)
    if at is None:
        return None
    ranks = group.ranks
    return {
        "value": ranks.rank[at],
        "low": ranks.low[at],
        "high": ranks.high[at],
        "if_incorrect": ranks.if_incorrect[at],
        "if_abstained": ranks.if_abstained[at],
    }


def _pair(pair: BoardPair, board: Board) -> dict[str, Any]:
    reasons = {}
    if pair.mcnemar_p is None:
        reasons["mcnemar_p"] = "partial credit, or several samples of an item"
    if pair.auroc is None:
        reasons["auroc"] = "no confidence of one source in both"
    return {
        "a": board.groups[pair.a].by,
        "b": board.groups[pair.b].by,
        "n_items": pair.n_items,
        "score": _by_target(pair.score),
        "accuracy": _estimate(pair.accuracy),
        "mcnemar_p": pair.mcnemar_p,
        "auroc": None if pair.auroc is None else _estimate(pair.auroc),
        "reasons": reasons,
    }
