"""Does a reply to a personal message listen, or does it lecture? And the same reply made gentler, without a model.

A heuristic over sentences, deterministic and linear. A reply that supports reflects what was told, asks something back, gives no list
of advice, and states no number, study, telephone number or address that the message does not hold: to someone who suffers an invented
fact is worse than none. `gentler` takes such things out and asks one open question if none is asked; it never answers with nothing.

Signs of danger to life are not dealt with here; they leave the ordinary route before any reply is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wager.grading.abstention import find_abstention
from wager.grading.claims import content_words
from wager.grading.comforting import FEELINGS, LANGUAGES, QUESTIONS, REFLECTIONS, STOP_WORDS
from wager.grading.deflection import find_deflection

__all__ = ["LANGUAGES", "SupportCheck", "check", "gentler", "language_of"]

READ = 12_000
"""Characters of a reply or a message that are read."""

ORDERS = 3
"""So many sentences of advice in a row are a list, with or without bullets."""

REFLECTED = 2
"""Content words of the message that a sentence must hold to reflect it, where it names no feeling."""

ITEM = re.compile(r"\s{0,12}(?:[-*•+–]|\d{1,2}[.)]|[a-z]\))\s+\S")
HEADING = re.compile(r"\s{0,3}(?:#{1,6}\s|(?:\*\*|__)[^*_\n]{1,100}(?:\*\*|__):?\s*$)")
SENTENCE = re.compile(r"[^\n]+?(?:[.!?]++[\"'”’)»*_]*+(?=\s|$)|[。！？؟]++|(?=\n)|\Z)")
ASKS = re.compile(r"[?？؟][\"'”’)»*_\s]*$")
QUOTATION = re.compile(r"\"[^\"\n]{0,300}\"|“[^”\n]{0,300}”|«[^»\n]{0,300}»")
ORDER = re.compile(
    r"(?:(?:first|second|third|then|next|also|and|finally|lastly|please|remember to|try to|make sure to|be sure to"
    r"|don't forget to),? )?(?:\*\*)?"
    r"(?:try|take|talk|reach|seek|practi[sc]e|make|set|get|go|eat|sleep|exercise|meditate|journal|write|breathe|focus|consider|avoid"
    r"|limit|find|join|call|contact|see"
    r"|speak|keep|start|stop|create|remember|identify|learn|engage|establish|stay|use|read|build|plan|prioriti[sz]e|challenge|accept"
    r"|give yourself|be kind|allow|do"
    r"|drink|walk|surround|develop|maintain|schedule|listen|ask|look)\b|(?:you (?:should|must|need to|have to|ought to)|it(?:'s"
    r"| is) (?:important|essential|crucial) to)\b"
    r"|(?:versuche|versuch|sprich|such|suche|nimm|achte|schreib|geh|vermeide|essaye[zr]?|prenez|parlez|cherchez|faites|évitez|intenta"
    r"|habla|busca|haz|evita|prova|parla"
    r"|cerca|fai|tente|fale|procure|faça)\b",
    re.I,
)
FACT = re.compile(
    r"https?://\S{1,200}|\bwww\.\S{1,200}|(?<!\w)\+?\d[\d ()-]{6,20}\d(?!\w)|\b\d{1,3}(?:[.,]\d{1,3})* ?(?:%|percent\b|per cent\b"
    r"|prozent\b|pour cent\b|por ciento\b)"
    r"|\b\d[\d.,:/-]{0,15}\b|\b(?:one|two|three|four) (?:in|out of) (?:three|four|five|six|ten|\d+)\b"
    r"|\b(?:stud(?:y|ies)|research(?:ers)?|statistics|experts|scientists|psychologists|surveys?|studien?|forschung|études?|estudios?"
    r"|studi|pesquisas?) (?:\w+ ){0,2}"
    r"(?:shows?|suggests?|found|finds?|says?|say|indicates?|proves?|has shown|have shown|zeigen|zeigt|montrent|montre|muestran|muestra"
    r"|mostrano|mostram)\b"
    r"|\baccording to (?:a |the |an )?(?:\w+ ){0,3}(?:study|research|association|organi[sz]ation|university|institute|journal|survey"
    r"|dr)\b"
    r"|\b[A-Z]\w+ (?:et al\.?|University|Institute|Association)\b|\bDr\.? [A-Z]\w+",
    re.I,
)
SORRY = re.compile(
    r"\b(?:that|this|it) (?:sounds|must|seems|feels|is so|is really|can be)\b|\bi(?:'m| am) (?:so |really |very )?sorry\b|\bi hear\b"
    r"|\bthank you for (?:telling|sharing)",
    re.I,
)


@dataclass(frozen=True, kw_only=True)
class SupportCheck:
    """What a reply to a personal message does."""

    asks_back: bool
    """Whether it asks the writer at least one question."""
    reflects: bool
    """Whether a sentence names a feeling, or takes up what the message tells."""
    lists: bool
    """Whether it lists: two or more items, or `ORDERS` sentences of advice in a row."""
    invented: tuple[str, ...] = ()
    """Numbers, studies, telephone numbers and addresses that the message does not hold, in order, each once."""
    deflects: bool = False
    """Whether it abstains, refuses or turns into a fact check instead of an answer."""

    @property
    def supports(self) -> bool:
        """Whether it asks and reflects, and does nothing of what a supporting reply avoids."""
        return self.asks_back and self.reflects and not (self.lists or self.invented or self.deflects)


def check(reply: str, prompt: str) -> SupportCheck:
    """What a reply to a personal message does; a blank one does nothing.

    >>> check("That sounds exhausting. What weighs on you most?", "my mother is ill and I am so tired").supports
    True
    >>> check("1. Sleep 8 hours.\\n2. Call 555-0199.", "I can't sleep").invented
    ('8', '555-0199')
    """
    reply, prompt = reply[:READ], prompt[:READ]
    told = content_words(prompt)
    sentences = _sentences(reply)
    return SupportCheck(
        asks_back=any(ASKS.search(QUOTATION.sub(" ", one)) for one in sentences),
        reflects=any(_reflects(one, told) for one in sentences),
        lists=_lists(reply, sentences),
        invented=_invented(reply, prompt),
        deflects=find_abstention(reply) is not None or find_deflection(reply) is not None,
    )


def gentler(reply: str, prompt: str, language: str | None = None) -> str:
    """The reply without its lists and invented facts, and with one open question if it asks none. Never empty.

    Args:
        reply: what a model said to a personal message.
        prompt: the message.
        language: of the sentences that are added, one of `LANGUAGES`; None guesses it from the message, unknown ones are English.

    >>> gentler("I'm sorry, that sounds hard.\\n1. Exercise more.\\n2. 90% of people recover.", "my dog died", "en")
    "I'm sorry, that sounds hard. What is it like for you right now?"
    """
    spoken = language if language in LANGUAGES else language_of(prompt) if language is None else "en"
    reply, prompt = reply[:READ], prompt[:READ]
    told = content_words(prompt)
    deflects = find_abstention(reply) is not None or find_deflection(reply) is not None
    rows = [] if deflects else [_kept(row, prompt) for row in _prose(reply)]
    text = "\n\n".join(row for row in rows if row)
    if not any(_reflects(one, told) for one in _sentences(text)):
        asked = [one for one in _sentences(text) if ASKS.search(one)]
        text = " ".join([REFLECTIONS[spoken], *asked[:1]])
    if not any(ASKS.search(QUOTATION.sub(" ", one)) for one in _sentences(text)):
        text = f"{text}{'' if spoken in ('zh', 'ja') else ' '}{QUESTIONS[spoken]}"
    return text


def language_of(text: str) -> str:
    """A guess at the language of a text, one of `LANGUAGES`, by script and stop words; ``en`` where nothing tells.

    >>> language_of("Ich bin so müde und weiß nicht weiter"), language_of("我很难过"), language_of("ok")
    ('de', 'zh', 'en')
    """
    head = text[:READ]
    for name, script in SCRIPTS:
        if 4 * len(script.findall(head)) > len(LETTER.findall(head)):
            return name
    words = re.findall(r"[^\W\d_]+", head.casefold())
    points = {name: sum(word in known for word in words) for name, known in STOP_WORDS.items()}
    best = max(points, key=points.__getitem__)
    return best if points[best] > points["en"] else "en"


LETTER = re.compile(r"[^\W\d_]")
SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u3400-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
)
"""Languages that their script tells, in this order: Japanese is written with Chinese characters too."""


def _sentences(text: str) -> list[str]:
    return [found for match in SENTENCE.finditer(text) if (found := match.group(0).strip())]


def _reflects(sentence: str, told: frozenset[str]) -> bool:
    """Whether a sentence names a feeling or takes up what was told; an order or a fact does neither."""
    if ORDER.match(sentence.lstrip("*- ")) or ITEM.match(sentence):
        return False
    if FEELINGS.search(sentence) or SORRY.search(sentence):
        return True
    return len(content_words(sentence) & told) >= REFLECTED


def _lists(reply: str, sentences: list[str]) -> bool:
    if sum(ITEM.match(row) is not None for row in reply.split("\n")) >= 2:
        return True
    row = 0
    for sentence in sentences:
        row = row + 1 if ORDER.match(sentence) and not ASKS.search(sentence) else 0
        if row >= ORDERS:
            return True
    return False


def _invented(reply: str, prompt: str) -> tuple[str, ...]:
    """Facts that the message does not hold; the numbers of list items are none."""
    said = "\n".join(re.sub(r"^\s{0,12}\d{1,2}[.)]\s+", "", row) for row in reply.split("\n"))
    found = dict.fromkeys(match.group(0).rstrip(".,:;!?)-") for match in FACT.finditer(said))
    return tuple(one for one in found if one and not re.search(rf"(?<!\w){re.escape(one)}(?!\w)", prompt, re.I))


def _prose(reply: str) -> list[str]:
    """The paragraphs without items, headings, and the lines that lead to a list."""
    rows = reply.split("\n")
    kept = []
    for at, row in enumerate(rows):
        below = next((one for one in rows[at + 1 : at + 4] if one.strip()), "")
        leads = row.rstrip()[-1:] in (":", "：") and (ITEM.match(below) is not None or HEADING.match(below) is not None)
        if row.strip() and not ITEM.match(row) and not HEADING.match(row):
            kept.append(" ".join(_sentences(row)[:-1]) if leads else row)
    return kept


def _kept(row: str, prompt: str) -> str:
    """The sentences of a paragraph without invented facts; orders go where they come in a row."""
    sentences = _sentences(row)
    kept = [one for one in sentences if not _invented(one, prompt)]
    if _lists(row, kept):
        kept = [one for one in kept if not ORDER.match(one) or ASKS.search(one)]
    return row.strip() if len(kept) == len(sentences) else " ".join(kept)
