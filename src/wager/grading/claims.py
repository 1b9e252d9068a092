"""What a reply claims, sentence by sentence, what it cites for it, and which facts of a claim can be looked up in a text.

A heuristic, linear in the reply. Headings, questions, advice, greetings and admissions ("the log does not say") claim nothing. A hedge
("it may be the network") claims nothing unless it names a number or a thing: "it may be executor 99" does. A sentence that denies
("task 377 does not appear") is a claim about what is absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from wager.grading.entities import Entity, entities
from wager.grading.log_lines import level
from wager.grading.material import FENCE, split_lines

__all__ = ["Claim", "Fact", "Line", "Part", "claims", "content_words", "facts", "read"]

MOST_CITED = 50
"""Lines that one citation may span; a longer range is cut there, since nobody checks it."""

LOOKED_AT = 2_000
"""Characters of a sentence that are read."""

MOST_LINES = 5_000
"""Lines of a reply that are read; what follows is dropped from a checked reply, since it was not checked."""

WORD_FOR_LINE = r"(?:lines?|ln|zeilen?|lignes?|l[ií]neas?|linhas?|righe|riga|строк[аеи])"
LIST = r"(?:\s{0,2}(?:-|–|—|to|bis|,|;|and|und|et|y|&)\s{0,2}(?:" + WORD_FOR_LINE + r"\s?)?L?\d{1,7}){0,12}"
BRACKETS = re.compile(
    rf"\[\s{{0,2}}(?:see )?(?:{WORD_FOR_LINE}\s{{0,2}})?L?\d{{1,7}}{LIST}\s{{0,2}}\](?![\w(])"
    rf"|\((?:see )?(?:{WORD_FOR_LINE}\s{{0,2}}|L(?=\d))L?\d{{1,7}}{LIST}\)|【\s{{0,2}}L?\d{{1,7}}{LIST}[^】]{{0,20}}】",
    re.I,
)
OF_A_FILE = (
    r"[\w./-]{1,120}\.[A-Za-z]{1,5}[\"'`]?,?\s{1,2}(?:at |on )?line \d{1,7}|\bline \d{1,7} (?:of"
    r"|in) [\"'`]?[\w./-]{1,120}\.[A-Za-z]{1,5}\b"
)
INLINE = re.compile(
    rf"(?P<file>{OF_A_FILE})|\b{WORD_FOR_LINE}\s{{1,2}}L?\d{{1,7}}(?!\.\d){LIST}(?!\w)|\bL\d{{1,7}}(?:\s?[-–,]\s?L\d{{1,7}}){{0,12}}\b",
    re.I,
)
SPAN = re.compile(r"L?(\d{1,7})(?:\s{0,2}(?:-|–|—|to|bis)\s{0,2}(?:\w{4,6}\s)?L?(\d{1,7}))?", re.I)

LINE_OF_FILE = re.compile(r"\b([\w./-]{1,120}\.[A-Za-z]{1,5})[\"'`]?,?\s{1,2}(?:at |on )?line (\d{1,7})\b")
BULLET = re.compile(r"\s{0,20}(?:(?:[-*•+–]|\d{1,3}[.)]|[a-z]\))\s+|>\s?)?")
HEADING = re.compile(r"#{1,6}\s|(?:\*\*|__)[^*_]{1,120}(?:\*\*|__):?\s*$|[-=_*]{3,}\s*$|\|[-:| ]+\|?\s*$")
END = re.compile(r"[.!?…]+[\"'”’)*_`]{0,3}(?=\s)|[。！？]")
SHORT = re.compile(r"\b(?:e\.g|i\.e|etc|vs|no|nr|dr|mr|ms|mrs|st|approx|cf|z\.B|d\.h|p\.ej)\.$", re.I)
KEPT_WHOLE = re.compile(r"`[^`\n]{1,400}`|\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”")

QUESTION = re.compile(r".*[?？][\"'”)*\s]*$", re.S)
ADMITS = re.compile(
    r"\b(?:i|we) (?:do not|don't|cannot|can't|could not|couldn't|am not able to|am unable to) (?:know|tell|say|see why|determine"
    r"|be sure|confirm)"
    r"|\b(?:unclear|unknown|not clear|not sure|impossible to (?:say|tell|know)|cannot be (?:determined|said|known)"
    r"|can't be (?:determined|said))\b"
    r"|\b(?:log|logs|lines?|material|text|trace|document|excerpt|passages?|it|they|this) (?:alone )?(?:does not|doesn't|do not|don't)"
    r" (?:say|tell|show why|show what|show how|explain|reveal|indicate)\b"
    r"|\b(?:weiß (?:ich )?(?:es )?nicht|ich weiß nicht|je ne sais pas|no (?:lo )?sé|non (?:lo )?so|não sei)\b",
    re.I,
)
HEDGES = re.compile(
    r"\b(?:may|might|could|perhaps|possibly|probably|presumably|likely|seems?|appears? to|suggests?|i (?:think|guess|suspect|believe"
    r"|assume)"
    r"|vielleicht|vermutlich|wahrscheinlich|peut-être|probablement|quizás?|tal vez|probablemente|forse|talvez)\b",
    re.I,
)
ADVISES = re.compile(
    r"(?:please |then |next,? |first,? |to (?:fix|find|resolve|check|confirm|debug|investigate)\b.{0,80}?, )?(?:check|look|try|run"
    r"|open|search|increase|raise|reduce"
    r"|lower|set|make sure|ensure|verify|inspect|consider|review|restart|use|see|ask|compare|send|share|provide|paste|add|enable"
    r"|examine|prüfe|vérifiez|revise)\b"
    r"|.{0,80}\b(?:you (?:should|could|can|may want|might want|need)|i (?:recommend|suggest|would|can)|let me know|it is worth"
    r"|recommended)\b",
    re.I,
)
GREETS = re.compile(
    r"(?:sure|yes|no|okay|ok|of course|certainly|hello|hi|thanks?(?: you)?|great|in short|summary|answer|ja|nein|oui|non|sí"
    r"|no)?[\s.!,:*]*$"
    r"|(?:here(?:'s| is| are)|below (?:is|are)|based on|according to|let's|i(?:'ll| will)|i (?:have )?(?:read|looked|checked|reviewed"
    r"|analy[sz]ed))\b[^\d`\"]{0,120}[:.]\s*$",
    re.I,
)
DENIES = re.compile(
    r"\b(?:(?:there (?:is|are|was|were)|(?:shows?|showed|contains?|reports?|records?|has|have|had|with|see|saw|found|find"
    r"|finds) )\s?(?:no|not any|none)\b"
    r"|no (?:such |other )?(?:line|lines|mention|trace|sign|signs|record|evidence|entry|entries|errors?|failures?|exceptions?"
    r"|warnings?|tasks?|stages?|executors?"
    r"|containers?)\b|none of|nothing (?:failed|went wrong|crashed|broke|was lost)|nowhere|without (?:any )?(?:errors?|failures?"
    r"|exceptions?)"
    r"|(?:is|are|was|were|does|do|did|has|have|can)(?: not|n't|not) (?:\w+ )?(?:appear|see any|find|occur|mention|mentioned|contain"
    r"|include|listed?|present"
    r"|found|in the|there|show any|"
    r"report any|have|stand|named|recorded|logged|fail|failed|crash|crashed|lost)|not (?:mentioned|found|present|listed|in the (?:log"
    r"|text|material|lines))"
    r"|nichts (?:fehlgeschlagen|ist)|kein(?:e|en)? (?:fehler|zeile)|aucune? (?:erreur|échec|ligne)|ning[uú]n (?:error|fallo)"
    r"|nada falló|nessun errore|nenhum erro)",
    re.I,
)

QUOTED = re.compile(r"`([^`\n]{2,400})`|\"([^\"\n]{2,400})\"|“([^”\n]{2,400})”|«([^»\n]{2,400})»|„([^“”\n]{2,400})[“”]")
DOTTED = re.compile(
    r"\b[A-Za-z_$][\w$]{0,60}(?:\.[A-Za-z_$][\w$]{0,60}){1,12}\b|\b[A-Z][A-Z0-9]{1,30}(?:_[A-Z0-9]{1,30}){1,8}\b"
    r"|\b[a-z]\w{0,40}_\w{0,40}\d\b"
)
NUMBER = re.compile(r"(?<![\w.])[-+]?\d{1,20}(?:[.,:/-]\d{1,12}){0,8}")
PROPER = re.compile(
    r"(?<=[\w,;:'’)] )[A-Z][^\W\d_]{2,40}\b"
    r"|^[A-Z][^\W\d_]{2,40}(?= (?:is|was|are|were|became|has been|lies|stands|was born|died|ist|war|est|était|es|fue|era|è|é|foi|[A-Z]))"
)
"""A capitalised word inside a sentence, or its subject at the beginning."""
WORD = re.compile(r"[^\W\d_]{2,40}")
HUMPS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_A-Za-z]+")
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
STOP = frozenset(
    re.findall(
        r"\S+",
        """a an the and or of to in on at by for with from as is are was were be been being it its this that these those there
        here then than so because which who what when where why how not no nor but if also had has have having do does did will
        would can could may might must should i you we they he she his her their our your my me us them into onto over after
        before during while about up down out off only just very more most line lines log logs says shows said show indicates
        means message reported reports report caused cause due result because der die das und oder ist war ein eine einen im am
        von zu mit auf für nicht le la les un une des et ou est était du dans sur pour par el los las una y o es era en del con
        por para il lo gli di che e da nel o os as um uma em do""",
    )
)
"""Words that say nothing about which line or passage a sentence takes them from."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something in a claim that either stands in a text or does not."""

    kind: Literal["quote", "thing", "name", "number", "proper"]
    """A quotation, a named thing (`wager.grading.entities`), a dotted or capital name, a number, or a proper noun."""
    value: str
    """As it stands in the claim."""
    entity: Entity | None = None
    """The named thing; None for the others."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence that states something."""

    text: str
    """As it stands in the reply, with its citations, without bullet."""
    said: str
    """Without its citations."""
    start: int
    """Its first character in the reply."""
    end: int
    """One past its last."""
    cited: tuple[int, ...]
    """Numbers that it cites, 1-based, in order and each once; ranges are spelt out. Empty without a citation."""
    denies: bool = False
    """Whether it says that something is absent or did not happen."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A sentence of a reply."""

    text: str
    """As it stands."""
    claim: Claim | None
    """What it claims, or None."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a reply."""

    prefix: str
    """Indent and bullet."""
    parts: tuple[Part, ...]
    """Its sentences; none for a blank line."""
    heading: bool = False
    """Whether it is a heading or leads to what follows ("These lines report a failure:")."""
    code: bool = False
    """Whether it stands in a fenced block or is its fence."""


def claims(reply: str) -> tuple[Claim, ...]:
    """What a reply claims, in order.

    >>> [(one.said, one.cited) for one in claims("# Cause\\nTask 3 failed [L12-L13]. Is that all? It may be the network.")]
    [('Task 3 failed.', (12, 13))]
    """
    return tuple(part.claim for line in read(reply) for part in line.parts if part.claim is not None)


def read(reply: str) -> tuple[Line, ...]:
    """A reply as lines of sentences, with what each claims; at most `MOST_LINES` lines."""
    found: list[Line] = []
    start, fence = 0, ""
    for raw in split_lines(reply)[:MOST_LINES]:
        mark = FENCE.match(raw[:80])
        if mark or fence:
            is_end = mark is not None and fence != "" and mark.group(1).startswith(fence)
            found.append(_in_fence(raw, start, is_mark=mark is not None and (is_end or not fence)))
            fence = "" if is_end else fence or (mark.group(1) if mark else "")
        else:
            found.append(_line(raw, start))
        start += len(raw) + (2 if reply[start + len(raw) : start + len(raw) + 2] == "\r\n" else 1)
    return tuple(found)


def _in_fence(raw: str, start: int, *, is_mark: bool) -> Line:
    """A line of a fenced block: one that looks like a line of a log claims to be one; code and commands claim nothing."""
    if is_mark or level(raw) is None:
        return Line(prefix="", parts=(Part(text=raw, claim=None),), code=True)
    bare = raw.strip()
    cited = BRACKETS.match(bare) or re.match(r"L\d{1,7}(?=:)", bare)
    numbers = numbers_in(cited.group(0)) if cited else ()
    said = bare[cited.end() :].lstrip(": ") if cited else bare
    return Line(
        prefix="", parts=(Part(text=raw, claim=Claim(text=raw, said=said, start=start, end=start + len(raw), cited=numbers)),), code=True
    )


def _line(raw: str, start: int) -> Line:
    bullet = BULLET.match(raw)
    prefix = bullet.group(0) if bullet else ""
    body = raw[len(prefix) :]
    if not body.strip():
        return Line(prefix=raw, parts=())
    if HEADING.match(body) or (body.rstrip()[-1:] in ":：" and not BRACKETS.search(body[:LOOKED_AT]) and not facts(body[:LOOKED_AT])):
        return Line(prefix=prefix, parts=(Part(text=body, claim=None),), heading=True)
    parts = tuple(Part(text=body[a:b], claim=_claim(body[a:b], start + len(prefix) + a)) for a, b in _sentences(body))
    return Line(prefix=prefix, parts=parts)


def _sentences(body: str) -> Iterator[tuple[int, int]]:
    """Where the sentences of a line begin and end; a citation after the full stop belongs to the sentence before it.

    A line that begins with a citation is a quotation, and one sentence.
    """
    if BRACKETS.match(body):
        yield 0, len(body.rstrip())
        return
    whole = [(match.start(), match.end()) for match in KEPT_WHOLE.finditer(body)]
    begin = at = 0
    for end in END.finditer(body):
        while at < len(whole) and whole[at][1] <= end.start():
            at += 1
        inside = at < len(whole) and whole[at][0] < end.start() < whole[at][1] - 1
        if end.end() <= begin or inside or (end.group(0) == "." and SHORT.search(body, max(begin, end.end() - 8), end.end())):
            continue
        stop = end.end()
        while cited := BRACKETS.match(body, stop + (len(body[stop : stop + 4]) - len(body[stop : stop + 4].lstrip()))):
            stop = cited.end()
            stop += 1 if body[stop : stop + 1] in (".", "。") else 0
        yield begin, stop
        begin = stop + len(body[stop : stop + 200]) - len(body[stop : stop + 200].lstrip())
    if body[begin:].strip():
        yield begin, len(body.rstrip())


def _claim(text: str, start: int) -> Claim | None:
    head = text[:LOOKED_AT]
    numbers = tuple(dict.fromkeys(n for found in _citations(head) for n in numbers_in(found)))
    said = " ".join(re.sub(r"\s+([.,;:!?])", r"\1", INLINE.sub(lambda found: found.group("file") or " ", BRACKETS.sub(" ", head))).split())
    bare = said.strip("*_#> ")
    if not WORD.search(bare) and not NUMBER.search(bare):
        return None
    denies = DENIES.search(bare) is not None
    if QUESTION.match(bare) or GREETS.match(bare) or (ADMITS.search(bare) and not numbers):
        return None
    if not numbers and not denies and ADVISES.match(bare):
        return None
    if not numbers and not denies and HEDGES.search(bare) and not facts(bare):
        return None
    return Claim(text=text, said=said, start=start, end=start + len(text), cited=numbers, denies=denies)


def _citations(text: str) -> Iterator[str]:
    bracketed = list(BRACKETS.finditer(text))
    yield from (match.group(0) for match in bracketed)
    rest = BRACKETS.sub(lambda found: " " * len(found.group(0)), text)
    yield from (match.group(0) for match in INLINE.finditer(rest) if match.group("file") is None)


def numbers_in(citation: str) -> tuple[int, ...]:
    """The numbers of one citation, ranges spelt out up to `MOST_CITED`: ``[L12-L14, L20]`` is 12, 13, 14, 20."""
    found: list[int] = []
    for match in SPAN.finditer(citation):
        first = int(match.group(1))
        last = int(match.group(2) or first)
        found.extend(range(first, min(last, first + MOST_CITED - 1) + 1) if last >= first else (first, last))
    return tuple(dict.fromkeys(found))


def facts(said: str, *, proper: bool = False) -> tuple[Fact, ...]:
    """What can be looked up: quotations, named things, dotted names and numbers.

    Args:
        said: a sentence without its citations.
        proper: capitalised words inside the sentence count too (for prose; in talk of logs they are mostly product names).

    >>> [(one.kind, one.value) for one in facts("Task 3 said `disk full` 7 times")]
    [('quote', 'disk full'), ('thing', 'task 3'), ('number', '7')]
    """
    found: list[Fact] = []
    rest = said[:LOOKED_AT]
    for match in QUOTED.finditer(rest):
        value = next(group for group in match.groups() if group)
        if match.group(0)[0] == "`" or " " in value.strip() or not value.isalpha():
            found.append(Fact(kind="quote", value=value.strip()))
    rest = QUOTED.sub(lambda match: " " * len(match.group(0)), rest)
    rest = LINE_OF_FILE.sub(r"\1:\2", rest)
    for one in entities(rest):
        found.append(Fact(kind="thing", value=one.text, entity=one))
        for piece in (one.value, one.stage or ""):
            rest = (
                re.sub(rf"(?<![\w.]){re.escape(piece)}(?:\.0)?(?![\w])", lambda match: " " * len(match.group(0)), rest) if piece else rest
            )
    for match in DOTTED.finditer(rest):
        found.append(Fact(kind="name", value=match.group(0)))
    rest = DOTTED.sub(lambda match: " " * len(match.group(0)), rest)
    found.extend(Fact(kind="number", value=match.group(0).lstrip("+")) for match in NUMBER.finditer(rest))
    if proper:
        found.extend(Fact(kind="proper", value=match.group(0)) for match in PROPER.finditer(rest))
    return tuple(dict.fromkeys(found))


def content_words(text: str) -> frozenset[str]:
    """Stems of the words that tell what a text is about: compound names are taken apart, stop words left out.

    Of a compound its initials count as well: ``ResourceManager`` is ``RM``.

    A stem is the first six letters without a plural or tense ending; Chinese, Japanese and Korean count by pairs of characters.

    >>> sorted(content_words("the RetryPolicy failed in 3 retries"))
    ['fail', 'policy', 'retry', 'rp']
    """
    found: set[str] = set()
    for word in WORD.findall(text):
        if CJK.search(word):
            found.update(word[at : at + 2] for at in range(len(word) - 1))
            continue
        humps = HUMPS.findall(word) if not (word.islower() or word.istitle()) else [word]
        if len(humps) > 1:
            found.add("".join(hump[0] for hump in humps).lower())
        for hump in humps:
            low = hump.lower()
            if len(low) > 1 and low not in STOP:
                found.add(stem(low))
    return frozenset(found)


def stem(word: str) -> str:
    """A word in small letters without its usual English ending, cut at six letters."""
    for ending, put in (("ies", "y"), ("ied", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + put
            break
    return word[:6].rstrip("e") if len(word) > 4 else word
