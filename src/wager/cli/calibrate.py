"""``wager calibrate``: from graded answers to probabilities, a threshold with a promise, and a policy file."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wager.answers import ConfidenceSource
from wager.cli.arguments import named_columns
from wager.cli.columns import columns, plain
from wager.errors import DataError, UnknownNameError, UsageError
from wager.files import replacing

if TYPE_CHECKING:
    from wager.elicit.verbal import Shades
    from wager.importers import Imported
    from wager.metrics.results import Estimate
    from wager.policy.answers import GivenAnswers
    from wager.policy.making import Made, Promise
    from wager.policy.policy import Policy
    from wager.policy.risk_table import RiskTable
    from wager.table import AnswerTable

__all__ = ["add_parser"]

DEFAULT_TARGET = 0.75
FEWEST_OF_A_JOURNAL = 20
"""Graded answers below which a journal is not calibrated from: so few say nothing, and they come from whoever cared to give feedback."""

EXAMPLES = """\
examples:
  wager calibrate wager-runs/capitals-*/answers.parquet --source logprob
  wager calibrate answers.parquet --source stated --risk 0.1 --delta 0.1 --write policy.toml
  wager calibrate answers.csv --map correct=is_right,confidence=p --target 0.75 --hedge-above 0.5 --below look_up
  wager calibrate --check new_answers.parquet --policy policy.toml
  wager calibrate --from-journal wager-journal --source logprob --where task=gateway/factual --kind factual --policy policy.toml
"""


def add_parser(verbs: Any) -> None:  # Any: argparse names its subparsers' type privately
    """Adds the verb ``calibrate``."""
    parser = verbs.add_parser(
        "calibrate",
        help="make a confidence a probability, with a threshold that keeps a promise",
        description="Fit a calibrator on graded answers, certify from which confidence on to answer, and write the policy that does it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="ANSWERS", nargs="*", help="graded answers: whatever wager score reads")
    parser.add_argument(
        "--from-journal", metavar="FOLDER", help="the answers that got feedback in the journal of wager serve (or a postgresql:// address)"
    )
    parser.add_argument("--table-of", metavar="FILE", type=Path, help="certify another level from the counts that an earlier call kept")
    parser.add_argument(
        "--check", metavar="ANSWERS", nargs="+", help="does the policy's calibrator still hold on these new graded answers?"
    )
    promise = parser.add_mutually_exclusive_group()
    promise.add_argument("--target", metavar="T", type=float, help="answer where it pays at target t in [0, 1); default 0.75")
    promise.add_argument("--risk", metavar="A", type=float, help="at most this share of the given answers is wrong, in (0, 1)")
    promise.add_argument("--joint-risk", metavar="A", type=float, help="at most this share of all questions gets a wrong answer, in (0, 1)")
    parser.add_argument("--delta", metavar="D", type=float, default=0.1, help="probability that the promise does not hold; default 0.1")
    parser.add_argument("--source", metavar="S", help="the confidence, such as stated or logprob; default the only one")
    parser.add_argument(
        "--calibrator", metavar="C", default="auto", help="temperature, platt, beta, isotonic, categorical, venn_abers; default auto"
    )
    parser.add_argument(
        "--kind", metavar="KIND", help="the kind of task that the rule is for (default: default), or that is checked (default: all)"
    )
    parser.add_argument("--hedge-above", metavar="P", type=float, help="probability above which an answer is given with words of doubt")
    parser.add_argument("--below", choices=["abstain", "look_up", "clarify"], default="abstain", help="what is done below; default abstain")
    parser.add_argument("--next-step", metavar="TEXT", default="", help='said after "I don\'t know."')
    parser.add_argument("--words", action="store_true", help="say the confidence in words with every answer")
    parser.add_argument("--policy", metavar="FILE", type=Path, help="the policy to check, or to add the rule to")
    parser.add_argument("--write", metavar="FILE", type=Path, help="the policy file; default policy.toml, or --policy's")
    parser.add_argument("--where", metavar="COLUMN=VALUE", action="append", default=[], help="only these answers")
    parser.add_argument("--map", dest="mapping", metavar="OURS=THEIRS,...", action="append", default=[], help="names of columns")
    parser.add_argument("--model", metavar="NAME", help="name of the model, for files that do not say")
    parser.add_argument("--task", metavar="NAME", help="name of the task, for files that do not say")
    parser.add_argument("--thresholds", action="store_true", help="print answers, mistakes and risk above each threshold")
    parser.add_argument("--json", action="store_true", help="print the results as JSON on standard output")
    parser.set_defaults(run=run, stopped="the policy file is written whole or not at all, so run it again")


def run(options: argparse.Namespace) -> int:
    """Parses, calibrates or checks, prints."""
    if options.from_journal and (options.check or options.table_of):
        raise UsageError(f"--from-journal is for a new calibration; leave out {'--check' if options.check else '--table-of'}")
    if options.check:
        if options.paths:
            raise UsageError(f"--check takes the new answers itself; got {options.paths[0]!r} before it")
        if any(level is not None for level in (options.target, options.risk, options.joint_risk)):
            raise UsageError("--check tests the promises that the policy makes; leave out --target, --risk and --joint-risk")
        return _check(options)
    if options.table_of:
        if options.paths:
            raise UsageError(f"--table-of needs no answers; got {options.paths[0]!r}")
        return _again(options)
    if options.from_journal and options.paths:
        raise UsageError(f"--from-journal takes the answers from the journal; leave out {options.paths[0]!r}")
    if not options.paths and not options.from_journal:
        raise UsageError("give graded answers, --from-journal, or --check with new ones")
    from wager.policy.answers import given_answers, words_of
    from wager.policy.making import learned_shades, make_policy
    from wager.policy.toml import read_policy, write_policy

    promise, level = _promise(options)
    base = read_policy(options.policy) if options.policy else None
    found, table = _read(options, options.paths) if options.paths else _journal(options)
    given = given_answers(table, options.source) if options.paths else _given(table, options)
    if given.source == ConfidenceSource.COMBINED:
        raise UsageError(
            "a policy reads one confidence that a model gives, and 'combined' is fitted on several; choose one of "
            f"{', '.join(source for source in table.sources if source is not ConfidenceSource.COMBINED)} with --source"
        )
    extra: dict[str, Any] = {"below": options.below, "next_step": options.next_step, "words": options.words}
    if options.hedge_above is not None:
        extra["hedge_above"] = options.hedge_above
    made = make_policy(
        given,
        promise=promise,
        level=level,
        delta=options.delta,
        kind="default" if options.kind is None else options.kind,
        calibrator=options.calibrator,
        rule=extra,
        base=base,
    )
    words = words_of(table)
    learned = learned_shades(words) if words else None
    path = options.write or options.policy or Path("policy.toml")
    if made.policy is not None:
        write_policy(made.policy, path)
    counts = _counts_file(path, options.kind)
    with replacing(counts) as part:
        part.write_text(json.dumps({"source": given.source, "model": given.model, **made.table.to_dict()}), encoding="utf-8")
    if options.json:
        print(json.dumps(_json(given, made, learned, path), indent=1, allow_nan=False))
    else:
        print(_text(given, made, learned, options, path))
    for problem in found.problems:
        print(plain(f"wager: {problem}"), file=sys.stderr)
    if made.policy is None:
        print("wager: no policy was written: nothing can be promised at this level", file=sys.stderr)
    return 1 if found.problems or made.policy is None else 0


def _counts_file(path: Path, kind: str | None) -> Path:
    """Beside the policy: one file for each kind of task, so that the counts behind another rule stay."""
    name = "" if kind in (None, "default") else "." + re.sub(r"[^A-Za-z0-9_-]+", "-", str(kind))[:60]
    return path.with_name(f"{path.stem}{name}.risk.json")


def _promise(options: argparse.Namespace) -> tuple[Promise, float]:
    from wager.targets import ConfidenceTarget

    for name in ("risk", "joint_risk", "delta"):
        level = getattr(options, name)
        if level is not None and not 0 < level < 1:
            raise UsageError(f"--{name.replace('_', '-')} lies in (0, 1), got {level:g}")
    if options.risk is not None:
        return "risk", options.risk
    if options.joint_risk is not None:
        return "joint_risk", options.joint_risk
    return "target", ConfidenceTarget(DEFAULT_TARGET if options.target is None else options.target).t


def _read(options: argparse.Namespace, paths: Sequence[str]) -> tuple[Imported, AnswerTable]:
    """The answers, of those that --where names only."""
    from wager.importers import read_answers
    from wager.table import SCHEMA

    wanted = named_columns("--where", options.where)
    found = read_answers(
        paths,
        mapping=named_columns("--map", options.mapping),
        keep=[name for name in wanted if name not in SCHEMA.names],
        model=options.model,
        task=options.task,
    )
    return found, _where(found, wanted)


def _where(found: Imported, wanted: Mapping[str, str]) -> AnswerTable:
    from wager.table import SCHEMA

    mask = np.ones(len(found.table), dtype=bool)
    for name, value in wanted.items():
        source = found.table.arrow if name in SCHEMA.names else found.columns
        if name not in source.column_names:
            raise UnknownNameError("column", name, [*SCHEMA.names, *found.columns.column_names])
        values = [str(one) for one in source.column(name).to_pylist()]
        if value not in values:
            raise UsageError(f"no answer has {name} {value!r}; there are {', '.join(sorted(set(values))[:8])}")
        mask &= np.asarray(values, dtype=object) == value
    return found.table.select(mask)


def _journal(options: argparse.Namespace) -> tuple[Imported, AnswerTable]:
    """The answers of a gateway's journal, of those that --where names only."""
    import pyarrow as pa

    from wager.importers import Imported

    for name, given in (("--map", options.mapping), ("--model", options.model), ("--task", options.task)):
        if given:
            raise UsageError(f"{name} is for files that are named otherwise; for a journal use --where model=... or task=...")
    if re.match(r"postgres(ql)?://", options.from_journal):
        from wager.gateway import journal_postgres

        table = journal_postgres.table(options.from_journal)
    else:
        from wager.gateway import journal

        table = journal.table(options.from_journal)
    found = Imported(table=table, columns=pa.table({}), sources=(), problems=(), notes=())
    return found, _where(found, named_columns("--where", options.where))


def _given(table: AnswerTable, options: argparse.Namespace) -> GivenAnswers:
    """The graded answers of a journal, if they are enough."""
    from wager.policy.answers import given_answers

    sources = [options.source] if options.source in table.sources else table.sources
    graded = max((int((table.answered & ~np.isnan(table.confidence(one))).sum()) for one in sources), default=0)
    if graded < FEWEST_OF_A_JOURNAL:
        where = (
            "the journal" if "://" in options.from_journal else f"the journal {options.from_journal!r}"
        )  # an address may hold a password
        raise DataError(
            f"{where} has {graded} graded answers with a confidence among {len(table):,} decisions, and {FEWEST_OF_A_JOURNAL} are needed "
            "at least; give feedback (right or wrong) on the playground page or with POST /v1/feedback"
        )
    return given_answers(table, options.source)


def _text(given: GivenAnswers, made: Made, learned: Shades | None, options: argparse.Namespace, path: Path) -> str:
    right = int((given.correct >= 0.5).sum())
    wrong = len(given.correct) - right
    nothing = f", {given.n_unanswerable} of them to questions that have no answer" if given.n_unanswerable else ""
    out = ", ".join(f"{count} {name}" for name, count in given.left_out.items())
    lines = [
        plain(f"{len(given.correct):,} answers of {given.model} to {', '.join(given.tasks)} with a {given.source} confidence: ")
        + f"{right:,} right, {wrong:,} wrong{nothing}"
        + (f"; left out: {out}" if out else ""),
        "",
        *columns(_quality(made)),
        "",
        plain(f"{made.calibration.calibrator.kind}: {made.calibration.reason}. After: cross-fitted."),
        "",
        *_wrapped(made.certificate.sentence),
        *_words(learned),
    ]
    if options.thresholds:
        lines += ["", *columns(_thresholds(made.table))]
    lines.append("")
    if made.policy is not None:
        lines.append(f"wrote {path}")
    lines.append(f"wrote {_counts_file(path, options.kind)}")
    return "\n".join(lines)


def _quality(made: Made) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", "log loss", "Brier", "ECE", "AUROC")]
    for name, parts in (("before", made.judgement.before), (f"after {made.calibration.calibrator.kind}", made.judgement.after)):
        rows.append((name, *(_shown(parts[key]) for key in ("log_loss", "brier", "ece", "auroc"))))
    return rows


def _words(learned: Shades | None) -> list[str]:
    """What the words of this model are worth; a policy writes them as people mean them, whatever the model means."""
    known = [shade for shade in learned or () if shade.origin == "learned" and shade.value is not None]
    said = [f"{shade.phrases[0]!r} is worth {shade.value:.2f} [{shade.low:.2f}, {shade.high:.2f}] ({shade.n} answers)" for shade in known]
    return ["", *_wrapped(f"from this model {'; '.join(said)}")] if said else []


def _shown(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    wide = "" if estimate.low is None or estimate.high is None else f" [{estimate.low:.3f}, {estimate.high:.3f}]"
    return f"{estimate.value:.3f}{wide}"


def _thresholds(table: RiskTable) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("confidence >", "answers", "wrong", "risk")]
    for threshold, n, wrong in zip(table.thresholds, table.n, table.wrong, strict=True):
        rows.append((f"{threshold:g}", f"{int(n):,}", f"{wrong:g}", "-" if not n else f"{wrong / n:.3f}"))
    return rows


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(plain(text), 118)


def _json(given: GivenAnswers, made: Made, learned: Shades | None, path: Path) -> dict[str, Any]:
    from wager.metrics.results import to_json

    return {
        "answers": len(given.correct),
        "model": given.model,
        "tasks": list(given.tasks),
        "source": given.source,
        "unanswerable": given.n_unanswerable,
        "left_out": dict(given.left_out),
        "calibration": made.calibration.to_dict(),
        "before": {name: to_json(one) for name, one in made.judgement.before.items()},
        "after": {name: to_json(one) for name, one in made.judgement.after.items()},
        "certificate": made.certificate.to_dict(),
        "table": made.table.to_dict(),
        "shades": None if learned is None else learned.to_dict(),
        "policy": str(path) if made.policy is not None else None,
    }


def _check(options: argparse.Namespace) -> int:
    """Whether each calibrator of the policy, and each certified threshold, holds on new answers."""
    from wager.policy.answers import given_answers
    from wager.policy.drift import check
    from wager.policy.toml import read_policy

    policy = read_policy(options.policy or Path("policy.toml"))
    if options.kind is not None and options.kind not in policy.rules:
        raise UnknownNameError("rule", options.kind, policy.rules)
    read, table = _read(options, options.check)
    results: list[dict[str, Any]] = []
    for kind, rule in policy.rules.items():
        if options.kind not in (None, kind):
            continue
        given = given_answers(table, rule.source)
        policy.for_model(given.model)
        found: dict[str, Any] = {"rule": kind, "source": rule.source, "answers": len(given.correct)}
        if rule.calibration is not None:
            drift = check(policy.calibrations[rule.calibration], given.confidence, given.correct, clusters=given.items)
            found |= {"verdict": drift.verdict, "sentence": drift.sentence}
            found |= {"p_value": drift.p_value, "gap_points": drift.gap.value, "slope": drift.slope.value, "needed": drift.n_needed}
        if rule.threshold is not None:
            found |= _kept(policy, kind, given)
        results.append(found)
    if options.json:
        print(json.dumps(results, indent=1, allow_nan=False))
    else:
        print("\n\n".join(_checked(one) for one in results))
    for problem in read.problems:
        print(plain(f"wager: {problem}"), file=sys.stderr)
    return 1 if read.problems or any(one.get("verdict") == "drifted" or one.get("promise") == "broken" for one in results) else 0


def _kept(policy: Policy, kind: str, given: GivenAnswers) -> dict[str, Any]:
    """What became of the promise of a certified threshold on new answers."""
    from wager.policy.kept import kept

    found = kept(policy.rules[kind], given.confidence, given.correct, clusters=given.items)
    return {"promise": found.verdict, "promise_sentence": found.sentence, "above": found.n, "total": found.total}


def _checked(found: dict[str, Any]) -> str:
    lines = [f"{found['rule']}: {found['answers']:,} new answers with a {found['source']} confidence"]
    lines += [f"  {line}" for key in ("sentence", "promise_sentence") if key in found for line in _wrapped(found[key])]
    return "\n".join(lines)


def _again(options: argparse.Namespace) -> int:
    """Another level, from the counts that are kept beside a policy."""
    from wager.policy.making import certified
    from wager.policy.risk_table import RiskTable

    promise, level = _promise(options)
    try:
        values = json.loads(options.table_of.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{str(options.table_of)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{str(options.table_of)!r} is not the JSON that wager calibrate keeps beside a policy: {error}") from error
    if not isinstance(values, dict):
        raise DataError(f"{str(options.table_of)!r} is not the JSON that wager calibrate keeps beside a policy")
    made = certified(RiskTable.from_dict({k: v for k, v in values.items() if k not in ("source", "model")}), promise, level, options.delta)
    print(json.dumps(made.to_dict(), indent=1, allow_nan=False) if options.json else "\n".join(_wrapped(made.sentence)))
    return 0 if made.threshold is not None else 1
