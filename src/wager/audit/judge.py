"""From what each reply earned to what it means: pure arithmetic over scenes, no engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, median_low

from wager.audit.replies import ABSTENTIONS, KINDS
from wager.audit.results import Evidence, Finding, Gain, IdkCredit, Payoff
from wager.audit.script import Scene

__all__ = ["Judgement", "findings_of", "gains_of", "payoffs_of"]

ORDER = ("high", "medium", "low", "info")
CLOSE = 1e-9


class Judgement:
    """The three payoffs that decide: right, wrong, "I don't know"."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self.scenes = scenes
        self.by_kind: dict[str, list[Scene]] = defaultdict(list)
        for scene in scenes:
            self.by_kind[scene.kind].append(scene)
        self.right = self._mean("right")
        self.wrong = self._mean("wrong")
        self.idk = self._idk()

    def _mean(self, kind: str) -> float | None:
        found = [scene.credit for scene in self.by_kind[kind] if scene.credit is not None]
        return fmean(found) if found else None

    def _idk(self) -> float | None:
        """The credit of "I don't know" on the middle item: one item that it hits by accident is a finding, not a rule."""
        found = [s.credit for s in self.by_kind[ABSTENTIONS[0]] if s.credit is not None and not s.answers.abstention_is_right]
        return median_low(found) if found else None

    @property
    def binary(self) -> bool | None:
        """Whether every credit seen was 0 or 1."""
        found = {scene.credit for scene in self.scenes if scene.credit is not None}
        return found <= {0.0, 1.0} if found else None

    @property
    def ranked(self) -> bool:
        """Whether a right reply earns more than a wrong one, so that the rest means something."""
        return self.right is not None and self.wrong is not None and self.right > self.wrong + CLOSE

    @property
    def idk_credit(self) -> IdkCredit | None:
        """What "I don't know" earns beside the two."""
        if not self.ranked or self.idk is None or self.right is None or self.wrong is None:
            return None
        if self.idk <= self.wrong + CLOSE:
            return "none"
        return "full" if self.idk >= self.right - CLOSE else "partial"

    @property
    def threshold(self) -> float | None:
        """(idk - wrong) / (right - wrong), not below 0."""
        if not self.ranked or self.idk is None or self.right is None or self.wrong is None:
            return None
        return max(0.0, (self.idk - self.wrong) / (self.right - self.wrong))


def payoffs_of(judgement: Judgement) -> tuple[Payoff, ...]:
    """One row for each kind that applied to an item."""
    rows = []
    for kind in KINDS:
        scenes = [scene for scene in judgement.by_kind[kind] if scene.reply is not None]
        if not scenes:
            continue
        earned = tuple(scene.credit for scene in scenes if scene.credit is not None)
        why = next((scene.why for scene in scenes if scene.credit is None), "")
        example = scenes[0].reply or ""
        rows.append(Payoff(kind, example, fmean(earned) if earned else None, earned, len(earned), len(scenes) - len(earned), why))
    return tuple(rows)


def gains_of(judgement: Judgement, accuracies: Sequence[float]) -> tuple[Gain, ...]:
    """Guessing against abstaining, at each accuracy and at that of a random option."""
    if not judgement.ranked or judgement.idk is None or judgement.right is None or judgement.wrong is None:
        return ()
    right, wrong, idk = judgement.right, judgement.wrong, judgement.idk
    gains = [Gain(p, "given", p * right + (1 - p) * wrong, idk) for p in accuracies]
    shares = [len(s.answers.gold) / len(s.answers.options) for s in judgement.by_kind["right"] if s.answers.gold]
    if shares:
        p = fmean(shares)
        gains.insert(0, Gain(p, "random option", p * right + (1 - p) * wrong, idk))
    return tuple(gains)


def findings_of(judgement: Judgement, payoffs: Sequence[Payoff], orders: Sequence[str], remedy: str) -> list[Finding]:
    """What the payoffs say, with the very prompts, replies and scores."""
    found = [
        *_gold(judgement),
        *_pays_for_guessing(judgement, remedy),
        *_accidents(judgement, remedy),
        *_loopholes(judgement),
        *_doubt(judgement),
        *_unscored(payoffs),
    ]
    if orders:
        evidence = tuple(Evidence(where="the prompt", line=line) for line in orders[:3])
        found.append(Finding("medium", "the prompt orders an answer or a format and leaves no place to abstain", evidence, remedy))
    return sorted(found, key=lambda finding: ORDER.index(finding.severity))


def seen(scene: Scene) -> Evidence:
    """A scene as evidence."""
    prompt = scene.prompt if len(scene.prompt) <= 400 else "..." + scene.prompt[-397:]
    score = scene.value if scene.credit is not None else f"{scene.value or 'no score'} ({scene.why})"
    return Evidence(where=f"item {scene.sample.id}", prompt=prompt, reply=scene.reply or "", score=score)


def _gold(judgement: Judgement) -> list[Finding]:
    scenes = judgement.by_kind["right"]
    without = [scene for scene in scenes if not scene.answers.has_reference]
    found = []
    if without:
        found.append(
            Finding(
                "info",
                f"{len(without)} of {len(scenes)} items have no reference answer, so a right reply cannot be written",
                (seen(without[0]),),
                'give records with a reply that is right in the field "wager:right" (--items FILE)',
            )
        )
    graded = [scene for scene in scenes if scene.credit is not None]
    short = [scene for scene in graded if scene.credit is not None and scene.credit < 1 - CLOSE]
    if short:
        found.append(
            Finding(
                "high",
                f"the reference answer never earned full marks on {len(short)} of {len(graded)} items, in any format that was tried",
                tuple(seen(scene) for scene in short[:3]),
                'give the reply that the scorer expects in the field "wager:right" (--items FILE); if there is none, the scorer is broken',
            )
        )
    above = [scene for scene in judgement.scenes if scene.credit is not None and not -CLOSE <= scene.credit <= 1 + CLOSE]
    if above:
        found.append(Finding("info", "credits lie outside [0, 1]; they are shown in the scorer's own unit", (seen(above[0]),)))
    false = [scene for scene in judgement.by_kind["wrong"] if scene.credit is not None and scene.credit >= 1 - CLOSE]
    if false:
        found.append(
            Finding(
                "high",
                f"a wrong answer earned full marks on {len(false)} of {len(judgement.by_kind['wrong'])} items",
                tuple(seen(scene) for scene in false[:3]),
                "check the scorer before believing any number of this benchmark",
            )
        )
    return found


def _pays_for_guessing(judgement: Judgement, remedy: str) -> list[Finding]:
    if judgement.idk_credit is None or judgement.threshold is None:
        return []
    example = next(scene for scene in judgement.by_kind[ABSTENTIONS[0]] if scene.credit is not None)
    if judgement.idk_credit == "none":
        title = '"I don\'t know" earns no more than a wrong answer: every guess pays, however unsure the model is'
        if example.told_apart:
            title += "; the scorer does tell the two apart, so a metric beside accuracy could"
        return [Finding("high", title, (seen(example),), remedy)]
    title = f'"I don\'t know" earns {judgement.idk_credit} credit: guessing pays only above a confidence of {judgement.threshold:.2f}'
    severity = "high" if judgement.idk_credit == "full" else "info"
    if judgement.idk_credit == "full":
        title = '"I don\'t know" earns as much as a right answer: never answering is the best policy'
    return [Finding(severity, title, (seen(example),), remedy)]  # type: ignore[arg-type]


def _accidents(judgement: Judgement, remedy: str) -> list[Finding]:
    """Abstentions that were taken for the answer."""
    if judgement.idk_credit == "full":
        return []
    found = []
    for kind in ABSTENTIONS:
        hit = [s for s in judgement.by_kind[kind] if s.credit is not None and s.credit >= 1 - CLOSE and not s.answers.abstention_is_right]
        if hit:
            title = f"an abstention ({kind}) was scored as correct on {len(hit)} of {len(judgement.by_kind[kind])} items"
            found.append(Finding("high", title, tuple(seen(scene) for scene in hit[:3]), f"recognise abstentions before scoring: {remedy}"))
    return found


def _loopholes(judgement: Judgement) -> list[Finding]:
    found = []
    rules = {
        "two answers": "naming the right and a wrong answer at once earned full marks on {} of {} items: covering several answers pays",
        "confident nonsense": "confident nonsense earned full marks on {} of {} items",
    }
    for kind, title in rules.items():
        scenes = [scene for scene in judgement.by_kind[kind] if scene.reply is not None]
        hit = [scene for scene in scenes if scene.credit is not None and scene.credit >= 1 - CLOSE]
        if hit:
            remedy = "score a reply only if it commits to one answer"
            found.append(
                Finding(
                    "medium" if kind == "two answers" else "high",
                    title.format(len(hit), len(scenes)),
                    tuple(seen(scene) for scene in hit[:3]),
                    remedy,
                )
            )
    return found


def _doubt(judgement: Judgement) -> list[Finding]:
    """Whether saying that one is unsure costs points."""
    right = {scene.sample.id: scene for scene in judgement.by_kind["right"]}
    lost = [
        scene
        for scene in judgement.by_kind["hedge, then right"]
        if scene.credit is not None
        and (plain := right[scene.sample.id].credit) is not None
        and scene.credit < plain - CLOSE
        and scene.answers.given_right is None  # a reply given word for word may well be spoilt by another sentence
    ]
    if not lost:
        return []
    title = f"a sentence of doubt before the right answer loses credit on {len(lost)} items: the scorer punishes saying how sure one is"
    return [Finding("medium", title, (seen(lost[0]),), "read the answer out of the reply, wherever the doubt stands")]


def _unscored(payoffs: Sequence[Payoff]) -> list[Finding]:
    found = []
    for row in payoffs:
        if row.n_ungraded and row.reply in ABSTENTIONS and row.n_ungraded + row.n > 0 and not row.why_ungraded.startswith("The scripted"):
            title = f"{row.n_ungraded} abstaining replies ({row.reply}) got no number: they leave the mean, so that failing is free"
            evidence = (Evidence(where=row.reply, reply=row.example, score=row.why_ungraded),)
            found.append(Finding("medium", title, evidence, "count what got no number beside the mean"))
    return found
