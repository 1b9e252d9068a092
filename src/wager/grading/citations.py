"""Whether the places that a reply cites exist and hold what it takes from them.

A heuristic without a model, deterministic. A claim is supported if a cited line holds every quotation, number, id, host, exception and
path that the claim names; one that names none must share two content words with it. A claim of failure needs a line that tells of one.
Its decisions:

- What stands within `NEAR` lines of the cited one is supported and marked as moved; the citation is put right.
- What stands in one line elsewhere is in the wrong place; the citation is put right, and the claim kept.
- What stands nowhere is unsupported, however real the cited line is; so is a denial of what does stand there.
- A claim without a citation is given the line that holds it all; where none does, it is dropped if citations are required.
- Passages are prose, read by sentences: see `verify_passages`.
- Counts are checked against the lines ("147 errors"), and so are denials ("nothing failed"): see `wager.grading.log_lines.failures`.

It does not understand: a claim that puts a line's true numbers into a false relation passes. Paraphrase in another language without a
single number or name fails. Line material comes from the prompt and is data; nothing in it is obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from wager.grading.claims import DENIES, Claim, Fact, claims, content_words, facts, read
from wager.grading.ground import BLANKS, NEGATES, SEARCHED, Ground
from wager.grading.kept_text import kept_text
from wager.grading.log_lines import template
from wager.grading.quoting import QUOTE, extractive, nothing_failed
from wager.grading.verdicts import Checked, Place, Verdict, Verified

__all__ = ["Checked", "Claim", "Place", "Verified", "claims", "extractive", "nothing_failed", "verify", "verify_passages"]

NEAR = 2
"""Lines around a cited one in which a claim may stand as well: models miscount."""

IN_COMMON = 2
"""Content words that a claim without a fact must share with what it cites."""

MOST_CLAIMS = 300
"""Claims that are checked; what a reply claims beyond is unsupported, since nobody looked."""

MOST_VAIN = 5
"""Places cited in vain that are told of a claim; a range may have fifty."""

SMALL = 200
"""Lines among which a place is looked for by words alone; among more a few words in common mean nothing."""

FAILS = re.compile(
    r"\b(?:fail(?:s|ed|ing|ures?)?|crash(?:ed|es|ing)?|errors?|exceptions?|killed|lost|died|abort(?:ed|s)?|time[ds]?[ -]?outs?"
    r"|out of memory|oom"
    r"|unreachable|refused|denied|broken?|corrupt(?:ed)?|unable|could not|couldn't|fehlgeschlagen|fehler|abgestürzt|verloren|échoué|échec"
    r"|erreurs?|fall[oóó]|fallad[oa]|error(?:es)?|perdid[oa]|fallit[oa]|errori|falhou|erros?)\b|\w(?:Error|Exception)\b",
    re.I,
)
"""A sentence that says this claims a failure."""

SUCCEEDS = re.compile(
    r"\b(?:succe\w+|finished (?:normally|fine)|completed (?:normally|fine|without)|all (?:went )?well|erfolgreich|réussi\w*"
    r"|éxito)\b",
    re.I,
)
BAD = r"(?:fail|crash|error|exception|fatal|problem|went wrong|lost|broke|fehler|fehlgeschlagen|erreur|échec|échoué|fall[oó]|errore?|erro)"
BETWEEN = (
    r"(?:(?:such|signs?|evidence|trace|mention|indication|records?|reports?|of|a|an|any|the|other|further|task|tasks|job|stage"
    r"|executor|line|lines"
    r"|single|real|serious|actual|reported|visible|fatal|has|have|was|were|been|did|does) ){0,5}"
)
NO_FAILURE = re.compile(
    rf"\b(?:no|nothing|never|not|without|nichts|nada|niente) {BETWEEN}[\w.]{{0,80}}?{BAD}\w*|n't {BETWEEN}{BAD}\w*"
    rf"|\bnone of .{{0,40}}?{BAD}\w*"
    rf"|\b(?:kein|aucun|ning[uú]n|nessun|nenhum)\w* (?:\w+ )?{BAD}\w*",
    re.I,
)
NO_NOUN = frozenset(
    {"appear", "mention", "found", "presen", "such", "entry", "record", "materi", "text", "contai", "any", "trace", "sign", "eviden"}
)
"""Words of a denial that are not what it denies."""
COUNT = re.compile(
    r"(?<![\w.:,/-])(?P<count>\d[\d,]{0,12})(?= (?:[\w-]+ ){0,2}(?P<what>lines?|errors?|failures?|warnings?|times|occurrences?"
    r"|exceptions?"
    r"|entries|more"
    r"|messages?|others?|zeilen|fehler|lignes|erreurs|líneas|errores)\b)",
    re.I,
)
LEADS = re.compile(
    r"(?!However|Moreover|Therefore|Thus|Also|Meanwhile|Nevertheless|Still|Today|Overall|Here|There)[A-Z][^\W\d_]{2,40}\b(?<!ly)"
    r"(?= (?:[a-z]{2,20}s|became|had|will|can|could|would|did)\b(?! of\b)|, (?:the|an?|which|whose|who|capital)\b)"
)
"""A name that begins a claim, before a verb that `wager.grading.claims.PROPER` does not know or before what it is: "Lima serves as"."""
QUOTED_MORE = re.compile(r"\s*\(and [\d,]+ more like it\)\s*$")


def verify(reply: str, lines: Sequence[str], *, required: bool = True) -> Verified:
    """Checks each claim of a reply against numbered lines, and takes out what they do not support.

    Args:
        reply: what a model said, citing ``[L12]``, ``[L12-L15]``, ``(line 12)`` or ``line 12``.
        lines: the material, whose first line is L1.
        required: whether a claim that no line can be found for is taken out; else such claims stay, unless they name what stands nowhere.

    >>> lines = ["INFO Running task 3.0 in stage 4.0 (TID 9)", "ERROR Lost executor 12 on node-7: out of memory"]
    >>> checked = verify("Executor 12 ran out of memory [L2]. Task 8 failed [L1]. Executor 12 was lost [L99].", lines)
    >>> checked.kept_text, checked.removed
    ('Executor 12 ran out of memory [L2]. Executor 12 was lost [L2].', ('Task 8 failed [L1].',))
    """
    return _verified(reply, Ground(lines, label="L"), required=required)


def verify_passages(reply: str, passages: Sequence[str], *, required: bool = True) -> Verified:
    """Checks each claim of a reply against retrieved passages that it cites as ``[1]``, ``[2]``.

    Its numbers, quotations and proper nouns must stand together: in one sentence of a cited passage, or in two neighbouring ones of which
    the second begins with a pronoun. What denies must be denied there, and what does not, must not. At least half of its content words
    must stand in what it cites.

    >>> verify_passages("Canberra is the capital of Australia [1].", ["Canberra became the capital of Australia in 1913."]).removed
    ()
    >>> verify_passages("Sydney is the capital of Australia [1].", ["Canberra became the capital of Australia in 1913."]).kept_text
    ''
    >>> verify_passages("The capital of Peru is Quito [1].", ["Peru borders Ecuador. The capital of Ecuador is Quito."]).kept_text
    ''
    """
    return _verified(reply, Ground(passages, label=""), required=required)


def _verified(reply: str, ground: Ground, *, required: bool) -> Verified:
    read_lines = read(reply)
    claimed = [part.claim for line in read_lines for part in line.parts if part.claim is not None]
    checked = {
        (one.start, one.end): _check(one, ground, required=required)
        if at < MOST_CLAIMS
        else Checked(claim=one, verdict="unsupported", reason=f"only the first {MOST_CLAIMS} claims are checked.", kept=False)
        for at, one in enumerate(claimed)
    }
    found = tuple(checked[one.start, one.end] for one in claimed)
    kept = kept_text(read_lines, checked, ground)
    return Verified(
        claims=found, kept_text=kept, removed=tuple(one.claim.text for one in found if not one.kept), citations=_places(found, ground)
    )


def _places(found: Sequence[Checked], ground: Ground) -> tuple[Place, ...]:
    good = dict.fromkeys(number for one in found if one.kept for number in one.lines)
    vain = dict.fromkeys(number for one in found for number in one.claim.cited[:MOST_VAIN] if number not in good)
    return tuple(_place(number, ground, verified=number in good) for number in (*good, *vain))


def _place(number: int, ground: Ground, *, verified: bool) -> Place:
    quote = ground.lines[number - 1][:QUOTE] if 1 <= number <= len(ground.lines) else ""
    return Place(label=f"[{ground.label}{number}]", line=number, quote=quote, verified=verified)


def _check(claim: Claim, ground: Ground, *, required: bool) -> Checked:
    there = [number - 1 for number in claim.cited if 1 <= number <= len(ground.lines)]
    quoted = _as_quotation(claim, there, ground)
    if quoted is not None:
        return quoted
    named = facts(claim.said, proper=not ground.is_log)
    if not ground.is_log and (leads := LEADS.match(claim.said)):
        named = tuple(dict.fromkeys((*named, Fact(kind="proper", value=leads.group(0)))))
    if ground.is_code:
        named = tuple(fact for fact in named if not _inferred(fact, ground))
    wanted = _without_counts(claim, named, there, ground)
    if wanted is None:
        return Checked(claim=claim, verdict="unsupported", reason="its count is wrong.", kept=False)
    if claim.denies and ground.is_log and not FAILS.search(NO_FAILURE.sub(" ", claim.said)):
        return _check_denial(claim, wanted, there, ground)
    if len(wanted) < len(named) and not wanted and not there:
        return Checked(claim=claim, verdict="supported", reason="its count is right.")
    if there and (holding := _holding(claim, wanted, there, ground)):
        return Checked(claim=claim, verdict="supported", reason=f"{_labels(holding, ground)} holds it.", lines=_numbers(holding))
    if there and wanted and ground.is_log and (beside := _beside(claim, wanted, there, ground)):
        reason = f"it stands in {_labels(beside, ground)}, beside what it cites."
        return Checked(claim=claim, verdict="supported", reason=reason, lines=_numbers(beside), moved=True)
    return _elsewhere(claim, wanted, there, ground, required=required)


def _beside(claim: Claim, wanted: Sequence[Fact], there: Sequence[int], ground: Ground) -> list[int]:
    """The one line near the cited ones that holds a claim, or the cited and near ones that hold it together; none if they do not."""
    around = sorted({at for base in there for at in range(base - NEAR, base + NEAR + 1) if 0 <= at < len(ground.lines)})
    best = _best(claim, wanted, [at for at in around if at not in there], ground)
    if best is not None:
        return [best]
    if len(wanted) < 2 or not any(ground.holds(at, fact) for at in there for fact in wanted):
        return []
    needed: list[int] = []
    for fact in wanted:
        holding = [at for at in (*needed, *there, *around) if ground.holds(at, fact)]
        needed += [at for at in holding[:1] if at not in needed]
    return _holding(claim, wanted, sorted(needed), ground)


def _elsewhere(claim: Claim, wanted: Sequence[Fact], there: Sequence[int], ground: Ground, *, required: bool) -> Checked:
    """A claim that its citations do not hold, or that has none: a place for it, or why there is none."""
    best = _best(claim, wanted, range(min(len(ground.lines), SEARCHED)), ground)
    if best is not None:
        verdict: Verdict = "wrong place" if claim.cited else "uncited"
        return Checked(claim=claim, verdict=verdict, reason=f"it stands in {_labels([best], ground)}.", lines=(best + 1,))
    absent = [fact.value for fact in wanted if not ground.somewhere(fact)]
    if absent:
        return Checked(claim=claim, verdict="unsupported", reason=f"{absent[0]!r} stands nowhere in the material.", kept=False)
    if not claim.cited:
        return Checked(claim=claim, verdict="uncited", reason="it cites nothing, and no single place holds it.", kept=not required)
    if not there:
        many = f"{len(ground.lines):,} {'lines' if ground.is_log else 'passages'}"
        return Checked(
            claim=claim, verdict="unsupported", reason=f"{ground.label}{claim.cited[0]} does not exist: there are {many}.", kept=False
        )
    if FAILS.search(claim.said) and ground.reports and not any(map(ground.tells_of_failure, there)):
        return Checked(claim=claim, verdict="unsupported", reason=f"{_labels(there, ground)} tells of no failure.", kept=False)
    if wanted:
        reason = f"{_labels(there, ground)} does not {'hold what it names' if ground.is_log else 'say it in any sentence'}."
        return Checked(claim=claim, verdict="wrong place", reason=reason, kept=False)
    return Checked(claim=claim, verdict="unsupported", reason=f"it has too little in common with {_labels(there, ground)}.", kept=False)


def _as_quotation(claim: Claim, there: Sequence[int], ground: Ground) -> Checked | None:
    """A claim that is a line itself, word for word."""
    bare = BLANKS.sub(" ", QUOTED_MORE.sub("", claim.said)).strip().strip('`"“”').casefold()
    ended = bare.endswith(("...", "…"))
    bare = bare.removesuffix("...").removesuffix("…").rstrip()
    if len(bare) < 12:
        return None
    same = ground.first_with.get(bare)
    for at in there or ([same] if same is not None and not claim.cited else []):
        line = ground.smooth[at]
        more = re.search(r"\(and ([\d,]+) more like it\)", claim.said)
        if line == bare or (ended and line.startswith(bare)):
            told = int(more.group(1).replace(",", "")) if more else 0
            if told <= ground.alike[template(ground.lines[at])] - 1:
                return Checked(claim=claim, verdict="supported", reason=f"it quotes {_labels([at], ground)}.", lines=(at + 1,))
    return None


def _check_denial(claim: Claim, wanted: Sequence[Fact], there: Sequence[int], ground: Ground) -> Checked:
    """Whether it is absent what a claim denies: "task 377 does not appear", "nothing failed"."""
    named = [fact for fact in wanted if fact.kind in ("thing", "name", "quote")]
    bad: Sequence[int] = ()
    if NO_FAILURE.search(claim.said):
        bad = [at for at in ground.failing if all(ground.holds(at, fact) for fact in named)]
    elif named and all(map(ground.somewhere, named)):
        bad = sorted(frozenset.intersection(*map(ground.places, named)))
    elif not named:
        denied = DENIES.search(claim.said)
        words = content_words(" ".join(claim.said[denied.start() :].split()[:6])) - NO_NOUN if denied else frozenset[str]()
        bad = [at for at in range(min(len(ground.lines), SEARCHED)) if words <= ground.words(at)] if words else ()
    if bad:
        return Checked(claim=claim, verdict="unsupported", reason=f"{_labels(bad[:1], ground)} says otherwise.", kept=False)
    return Checked(claim=claim, verdict="supported", reason="what it denies is absent.", lines=_numbers(there))


def _without_counts(claim: Claim, wanted: tuple[Fact, ...], there: Sequence[int], ground: Ground) -> tuple[Fact, ...] | None:
    """The facts without true counts ("147 errors"); None if a count is false."""
    if not ground.is_log:
        return wanted
    true: set[str] = set()
    for match in COUNT.finditer(claim.said):
        told, number = match.group("count"), int(match.group("count").replace(",", ""))
        alike = {ground.alike[template(ground.lines[at])] - more for at in there for more in (0, 1)}
        counted = ground.counts.get(match.group("what")[:3].lower(), frozenset())
        if number in counted or number in alike or (len(there) > 1 and number == len(there)):
            true.add(told)
            continue
        stands = any(ground.holds(at, Fact(kind="number", value=told)) for at in there)
        if not stands and (counted or not ground.somewhere(Fact(kind="number", value=told))):
            return None
    return tuple(fact for fact in wanted if not (fact.kind == "number" and fact.value in true))


def _holding(claim: Claim, wanted: Sequence[Fact], there: Sequence[int], ground: Ground) -> list[int]:
    """Of the cited places those that hold the claim together; none if they do not."""
    if not ground.is_log:
        return _told(claim, wanted, there, ground)
    if not all(any(ground.holds(at, fact) for at in there) for fact in wanted):
        return []
    holding = [at for at in there if not wanted or any(ground.holds(at, fact) for fact in wanted)]
    if ground.reports and FAILS.search(claim.said) and not any(map(ground.tells_of_failure, there)):
        return []
    if ground.reports and SUCCEEDS.search(claim.said) and any(at in ground.failing_set for at in there):
        return []
    words = content_words(claim.said)
    union = frozenset[str]().union(*map(ground.words, there))
    return holding if len(words & union) >= _needed(words, wanted, ground) else []


def _told(claim: Claim, wanted: Sequence[Fact], there: Sequence[int], ground: Ground) -> list[int]:
    """Of the cited passages those that say what the claim says, or deny what it denies; none if too few of its words stand in them."""
    denies = NEGATES.search(claim.said) is not None
    words = content_words(claim.said)
    if not wanted:
        parts = [ground.told(at)[2 if denies else 1] for at in there]
        union = frozenset[str]().union(*(part.words(place) for part in parts for place in range(len(part.lines))))
        return list(there) if len(words & union) >= _needed(words, wanted, ground) else []
    union = frozenset[str]().union(*map(ground.words, there))
    if len(words & union) < _needed(words, wanted, ground):
        return []
    return [at for at in there if _says(ground.told(at), wanted, denies=denies)]


def _says(told: tuple[Ground, Ground, Ground], wanted: Sequence[Fact], *, denies: bool) -> bool:
    """Whether one sentence holds every fact: affirmed, or with a denial of at least one of them."""
    whole, affirmed, denied = told
    together = frozenset.intersection(*map((whole if denies else affirmed).places, wanted))
    return any(not denies or any(denied.holds(at, fact) for fact in wanted) for at in together)


def _needed(words: frozenset[str], wanted: Sequence[Fact], ground: Ground) -> int:
    """How many content words a claim must share with its place."""
    if not ground.is_log:
        return min(len(words), max(IN_COMMON, (len(words) + 1) // 2))
    if not wanted:
        return 0 if ground.is_code else IN_COMMON
    return 1 if all(fact.kind == "number" for fact in wanted) and not _telling(wanted) else 0


def _inferred(fact: Fact, ground: Ground) -> bool:
    """Whether a fact is an exception that code may throw and does not name: that is inferred, not read."""
    return fact.entity is not None and fact.entity.kind == "exception" and "." not in fact.value and not ground.somewhere(fact)


def _telling(wanted: Sequence[Fact]) -> bool:
    """Whether facts pick out a place by themselves: two of them, or one that is long, as an address or a quotation is."""
    return len(wanted) > 1 or any(len(fact.value) >= 8 and fact.kind != "proper" for fact in wanted)


def _best(claim: Claim, wanted: Sequence[Fact], among: Sequence[int], ground: Ground) -> int | None:
    """The one place among some that holds the whole claim and most of its words; the first of equals."""
    if wanted:
        common = frozenset.intersection(*map(ground.places, wanted))
        candidates = [at for at in among if at in common] if common else []
    elif ground.is_log and len(among) > SMALL:
        return None
    else:
        candidates = list(among)
    words = content_words(claim.said)
    least = max(_needed(words, wanted, ground), (1 if _telling(wanted) else 2) if wanted or not ground.is_log else IN_COMMON + 1)
    if not ground.is_log:
        least = min(least, len(words))
    beyond = words - content_words(" ".join(fact.value for fact in wanted)) if ground.is_log else words
    ranked = [
        (-len(words & ground.words(at)), at)
        for at in candidates[:2000]
        if (not beyond or beyond & ground.words(at)) and _holding(claim, wanted, (at,), ground)
    ]
    return min(ranked)[1] if ranked and -min(ranked)[0] >= least else None


def _numbers(places: Sequence[int]) -> tuple[int, ...]:
    return tuple(at + 1 for at in places)


def _labels(places: Sequence[int], ground: Ground) -> str:
    return ", ".join(f"{ground.label}{at + 1}" for at in places[:5])
