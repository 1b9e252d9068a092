"""``wager steer extract``: the direction of a trait, at the block and by the contrast that work best on development questions."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wager.cli.columns import columns, number, plain
from wager.errors import MissingExtraError, OutputError, UsageError

if TYPE_CHECKING:
    from wager.steering.backend import Backend
    from wager.steering.contrast import Shows
    from wager.steering.extract import Extraction
    from wager.steering.trait import Question, Trait
    from wager.steering.vector import Elicitation, Vector

__all__ = ["FORMATS", "add_model", "add_parsers", "blocks_of", "check_out", "development", "told", "write"]

FORMATS: Mapping[str, tuple[str, str]] = {".safetensors": ("safetensors", "steer"), ".gguf": ("", ""), ".pt": ("torch", "hf")}
"""What a vector is written as, by the file's ending, with the package that it needs and its extra."""

POOLS = ("reply_mean", "reply_last", "prompt_last")

CONTRASTS: Mapping[str, tuple[Elicitation, ...]] = {
    "teacher-forced": ("teacher-forced",),
    "prompts": ("system prompts",),
    "both": ("teacher-forced", "system prompts"),
}

QUESTIONS = 48
"""Development questions that candidates are compared on: every second pair."""

BLOCKS = re.compile(r"\d{1,5}(-\d{1,5})?")


def add_parsers(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``extract``."""
    parser = verbs.add_parser(
        "extract",
        help="find the direction of a trait",
        description="Find a trait's direction at every block, and the block and contrast whose push works best on development questions.",
    )
    add = parser.add_argument
    add("trait", metavar="TRAIT", help="hallucination, overconfidence, factuality, imagination, empathy, sycophancy, or a TOML file")
    add_model(parser)
    add("-o", "--out", metavar="FILE", type=Path, required=True, help="the vector, as .safetensors, .gguf or .pt")
    add("--elicit", choices=list(CONTRASTS), default="both", help="kinds of contrast to try; default both")
    add(
        "--method",
        choices=("mean-difference", "paired-mean-difference", "pca"),
        default="mean-difference",
        help="default mean-difference; paired: each question weighs the same",
    )
    add("--pool", choices=POOLS, default="reply_mean", help="which activations are compared; default reply_mean")
    add("--blocks", metavar="A-B", help="blocks to try, such as 12-18 or 12,15,18; default five around the middle")
    add("--dose", metavar="D", type=float, help="strength of the push they are compared at, relative to the activations; default 0.4")
    add("--least", metavar="N", type=int, help="replies that each side needs; default 20")
    add("--rounds", metavar="N", type=int, default=4, help="most rounds of replies under instructions; default 4")
    add("--tokens", metavar="N", type=int, default=24, help="of a reply; default 24")
    add("--questions", metavar="N", type=int, default=QUESTIONS, help=f"development questions of a trait about facts; default {QUESTIONS}")
    add("--judge", metavar="M", help="chat model that grades a trait for which there is no rule; a name on the server, or hf/NAME")
    add("--base-url", metavar="URL", help="the judge's server, of OpenAI's kind; the key is OPENAI_API_KEY in the environment")
    add("--seed", metavar="N", type=int, default=0, help="default 0")
    add("--json", action="store_true", help="print the result as JSON on standard output")
    parser.set_defaults(run=run, stopped="no vector was written, and nothing partial is left")


def add_model(
    parser: argparse.ArgumentParser, what: str = "embedded (default), gguf/PATH, or hf/NAME-OR-FOLDER", *, running: bool = True
) -> None:
    """The options that name a model, and how it runs."""
    parser.add_argument("--model", metavar="M", default="embedded", help=what)
    if running:
        parser.add_argument("--context", metavar="N", type=int, default=512, help="tokens of a prompt with its reply; default 512")
        parser.add_argument("--threads", metavar="N", type=int, default=1, help="of llama.cpp; default 1")


def run(options: argparse.Namespace) -> int:
    """Parses, extracts, writes, prints."""
    from wager.steering.extract import ABOUT_FACTS, DOSE, extract
    from wager.steering.opening import open_backend
    from wager.steering.trait_file import read_trait

    trait = read_trait(options.trait)
    check_out(options.out)
    _check(options)
    kinds = _contrasts(options.elicit, trait)
    facts = trait.grading in ABOUT_FACTS
    asked = development(options.questions, trait) if facts else []
    shows = _shows(options, trait)
    backend = open_backend(options.model, context=options.context, threads=options.threads)
    try:
        found = extract(
            backend,
            trait,
            shows,
            development=asked,
            elicitations=kinds,
            blocks=blocks_of(options.blocks, backend),
            dose=DOSE if options.dose is None else options.dose,
            method=options.method.replace("-", " "),
            pool=options.pool,
            rounds=options.rounds,
            tokens=options.tokens,
            seed=options.seed,
            told=told,
            **({} if options.least is None else {"least": options.least}),
        )
    finally:
        backend.close()
    write(options.out, found.vector)
    if options.json:
        print(json.dumps(_json(found, options.out), indent=1, allow_nan=False))
    else:
        print("\n".join([*_text(found, facts=facts), f"wrote {plain(str(options.out))}"]))
    return 0


def told(line: str) -> None:
    """Progress, on standard error."""
    print(plain(line), file=sys.stderr, flush=True)


def check_out(path: Path, formats: Mapping[str, tuple[str, str]] = FORMATS) -> None:
    """What can be told of a file before minutes of work: its kind, its package, its folder."""
    if path.suffix not in formats:
        raise UsageError(f"a file to write ends in {', '.join(formats)}; got {str(path)!r}")
    package, extra = formats[path.suffix]
    if package and find_spec(package) is None:
        raise MissingExtraError(package, extra, f"writing {path.suffix}")
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {str(path)!r}: no folder {str(path.parent)!r}")


def write(path: Path, vector: Vector, *, dose: float | None = None, block: int | None = None) -> tuple[int, ...]:
    """Writes a vector in the format that the file's name says; the blocks that are in it."""
    if path.suffix == ".gguf":
        from wager.steering.vector_gguf import to_gguf

        return to_gguf(path, vector, dose=dose, block=block)
    if path.suffix == ".pt":
        from wager.steering.vector_pt import to_pt

        return to_pt(path, vector, dose=dose, block=block)
    from wager.steering.vector_file import at_block, write_vector

    if dose is not None:
        raise UsageError("a .safetensors vector keeps its raw directions, and its dose is given when it is used; leave out --dose")
    write_vector(path, vector if block is None else at_block(vector, block))
    return tuple(sorted(vector.directions))


def _check(options: argparse.Namespace) -> None:
    from wager.steering.dose import check_dose

    if options.dose is not None and not check_dose(options.dose, None, beyond=True) > 0:
        raise UsageError(f"--dose is above 0 (the side to push to is known from the trait), got {options.dose:g}")
    for name in ("least", "rounds", "tokens"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name} is at least 1, got {value}")


def _contrasts(asked: str, trait: Trait) -> tuple[Elicitation, ...]:
    """The kinds that were asked for; of both, those that the trait has texts for."""
    has = {"teacher-forced": bool(trait.replies), "system prompts": bool(trait.instructions)}
    return tuple(one for one in CONTRASTS[asked] if asked != "both" or has[one])


def development(count: int, trait: Trait | None = None) -> list[Question]:
    """So many development questions, as many known as invented, spread over the phrasings; none may share anything with the trait's own.

    Raises:
        UsageError: an odd number, too few or too many, or questions in common.
    """
    from wager.steering.questions import load, overlap

    every = load("development")
    if not 4 <= count <= len(every) or count % 2:
        raise UsageError(f"--questions is an even number from 4 to {len(every)}, got {count}")
    pairs = [every[at : at + 2] for at in range(0, len(every), 2)]
    wanted = count // 2
    chosen = [one for at in range(wanted) for one in pairs[at * len(pairs) // wanted]]
    if trait is not None and (both := overlap(trait.extraction, chosen)):
        raise UsageError(
            f"the extraction questions of {trait.name!r} share {'; '.join(both[:3])} with the development questions that candidates are"
            " compared on; ask for other things, in other words"
        )
    return chosen


def _shows(options: argparse.Namespace, trait: Trait) -> Shows:
    from wager.steering.expression import judge_by, shows

    if trait.grading != "judge":
        if options.judge or options.base_url:
            raise UsageError(f"the trait {trait.name!r} is graded by a rule, not by a judge; leave out --judge and --base-url")
        return shows
    if not options.judge:
        raise UsageError(f"the trait {trait.name!r} is graded by a judge; name a chat model with --judge (and --base-url)")
    from wager.steering.opening import open_asker

    judge = judge_by(open_asker(options.judge, base_url=options.base_url, tokens=16))
    return lambda one, question, reply: shows(one, question, reply, judge=judge)


def blocks_of(given: str | None, backend: Backend) -> list[int] | None:
    """``12-18`` or ``12,15,18`` as numbers that the model has."""
    from wager.steering.backend import check_block

    if given is None:
        return None
    found: list[int] = []
    for part in given.split(","):
        if not BLOCKS.fullmatch(part.strip()):
            raise UsageError(f"--blocks takes a range such as 12-18 or a list such as 12,15,18, got {given!r}")
        first, _, last = part.strip().partition("-")
        if int(last or first) < int(first):
            raise UsageError(f"--blocks counts upwards, got {part.strip()!r}")
        for end in (int(first), int(last or first)):
            check_block(end, backend.identity)
        found += range(int(first), int(last or first) + 1)
    return found


def _text(found: Extraction, *, facts: bool) -> list[str]:
    card = found.vector.card
    block, _ = found.vector.at()
    shares = ("hedges unknown", "hedges known") if facts else ("shows it", "turned back")
    rows: list[Sequence[str]] = [("contrast", "block", "dose", "effect", *shares, "ungraded", "")]
    for one in found.tried:
        mine = "chosen" if (one.elicitation, one.block) == (card.elicitation, block) else ""
        rows.append(
            (
                one.elicitation,
                str(one.block),
                f"{one.dose:+g}",
                number(one.effect),
                _share(one.unknown),
                _share(one.known),
                str(one.ungraded),
                mine,
            )
        )
    down, up = found.signs
    counts = ", ".join(f"{name} {count}" for name, count in card.counts.items())
    stability = card.stability.get(block)
    unsteered = card.receipts["development"]["unsteered"]
    lines = [*columns(rows, left=(0, 7)), ""]
    lines.append(f"shows {plain(card.trait)}: pushed down {down:.2f}, unpushed {_share(unsteered)}, pushed up {up:.2f}")
    lines.append(
        f"block {block} of {card.model.blocks}, {card.elicitation}, {card.method};"
        f" split halves agree with cosine {'-' if stability is None else f'{stability:.2f}'}"
    )
    lines.append(f"replies: {counts}")
    lines += [plain(f"left out: {name}: {why}") for name, why in found.starved.items()]
    if facts and max(one.effect for one in found.tried if one.effect is not None) < 0.005:
        lines.append("no push hedges more on what does not exist than on what does: turn this dial where a gate fires (wager steer gate)")
    return lines


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _json(found: Extraction, out: Path) -> dict[str, Any]:
    from wager.steering.vector_card import card_to_text

    return {
        "file": str(out),
        "tried": [asdict(one) for one in found.tried],
        "signs": {"down": found.signs[0], "up": found.signs[1]},
        "starved": dict(found.starved),
        "card": json.loads(card_to_text(found.vector.card))["card"],
    }
