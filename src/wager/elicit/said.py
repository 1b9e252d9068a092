"""Shades that a text says: where, and in which of its words.

A heuristic over words, linear in the text's length: the longest phrase of the lexicon (`wager.elicit.lexicon`) wins, in whole words,
whatever the case, the quotes and the contractions ("I'm", "I am"). Its decisions:

- A negation before a phrase is read with it: "I'm not entirely certain" and "I wouldn't say I'm sure" are "not certain". A negation that
  the lexicon does not hold has no shade; it is never read as the phrase without it.
- "Probably not X" is the probability of X, as in the survey, and low: it is not the confidence of the answer "no".
- Words that only look like a shade are none: "most likely to", "a certain number", "make sure", "Certainly! Here is ...", what other
  people are sure of, conditions ("if you are certain"), quotations.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from wager.elicit.lexicon import DEFAULT_SHADES, Shades
from wager.elicit.phrase_tree import BLANK, BREAK, LINE, PhraseTree, Word, straight, words_of

__all__ = ["Said", "find_shades"]


@dataclass(frozen=True)
class Said:
    """One shade said in a text."""

    shade: str | None
    """Its name; None where a negation makes of it something that the lexicon does not hold."""
    start: int
    """Its first character, a negation and the "I'm" before it included."""
    end: int
    """One past its last character."""
    negated: bool
    """Whether these words hold a negation."""


NO_SHADES = (
    *("I do not know", "I think about", "I think of", "let me think", "make sure", "for sure", "to be sure", "sure thing", "sure enough"),
    *("a certain", "certain kinds", "certain types", "most certain", "more certain", "less certain", "most confident", "less confident"),
    *("how sure", "how certain", "how confident", "how likely", "are you sure", "are you certain", "are you confident", "more confident"),
    *("the most likely", "most likely to", "likely to", "unlikely to", "more likely", "less likely", "as likely", "equally likely"),
    *("more likely to be", "less likely to be", "most likely to be", "a likely", "the likely", "an unlikely", "the least likely"),
    *("least likely", "a probable", "the probable", "more probable", "less probable", "most probable", "more unlikely", "less unlikely"),
    *("would likely", "will likely", "could likely", "can likely", "and likely", "are likely", "are likely to be", "what is likely"),
    *("he is likely", "she is likely", "they are likely to be", "a good chance to", "it might be a good idea"),
    *("high level of uncertainty in the other", "high level of uncertainty about the other", "some uncertainty in the other"),
)
"""What looks like a shade and is none; like a shade it wins where it is the longest."""

PERSONAL = frozenset(("sure", "certain", "confident", "convinced", "unsure", "uncertain", "doubtful"))
"""What somebody is: it counts where that is the speaker, or the answer."""
SUBJECTS = frozenset(("it", "this", "that", "answer"))
BE = frozenset(("am", "is", "are", "was", "were", "be", "been", "being", "feel", "feels", "felt", "remain", "remains", "seem", "seems"))
CONJUNCTIONS = frozenset(("and", "but", "though", "although", "yet", "while", "so", "or"))
ADVERBS = frozenset(
    ("really", "still", "quite", "also", "actually", "honestly", "now", "just", "all", "at", "entirely", "completely", "fully", "overly")
) | {"totally", "absolutely", "100%", "too", "particularly", "especially", "exactly", "personally", "very", "that", "yet", "always", "only"}
NEGATORS = frozenset(("not", "never", "hardly", "barely", "scarcely", "neither", "nor", "no"))
SKIPPED = ADVERBS | NEGATORS | {"from"}
"""What may stand between somebody and how sure they are."""
BETWEEN = ADVERBS | {"say", "i", "am", "be", "is", "it", "as", "call", "myself", "feel", "think", "believe", "claim", "a", "to", "this"}
"""What may stand between a negation and what it negates."""
LEADING = frozenset(("i", "we", "am", "are", "feel", "would", "could", "can", "do", "did", "it", "is"))
CONDITIONS = frozenset(("if", "unless", "whether", "until", "once", "when"))
OPENERS = frozenset(("sure", "certainly", "absolutely", "definitely"))
"""At the very beginning of a longer reply, before a comma or an exclamation mark, they agree to answer and say nothing of the answer."""
REACH = 7
"""Words looked at before a phrase."""

QUOTED = re.compile(r'"[^"\n]{1,300}"|(?<=<answer>)[^<\n]{1,60}(?=</answer>)')
"""A quotation, or an answer in a tag; neither says how sure the reply is."""


def find_shades(text: str, shades: Shades = DEFAULT_SHADES) -> tuple[Said, ...]:
    """Every shade and act that a text says, in order, without overlaps.

    >>> [(found.shade, found.start, found.end) for found in find_shades("I'm not certain, but it's probably Paris.")]
    [('not_certain', 0, 15), ('likely', 26, 34)]
    """
    view = straight(text)
    words, tree = list(words_of(view)), _tree(shades)
    acts = {shade.name for shade in shades if shade.act}
    found: list[Said] = []
    place = 0
    while place < len(words):
        hit = tree.longest(words, place)
        if hit is None:
            place += 1
            continue
        stop, name = hit
        said = _said(view, words, place, stop, name, tree) if name else None
        if said and not (said.negated and name in acts):
            if found and found[-1].end > said.start:  # "I don't think it's likely": the negation belongs to what follows
                found.pop()
            found.append(said)
        place = stop
    return tuple(_unquoted(found, view))


@lru_cache(maxsize=32)
def _tree(shades: Shades) -> PhraseTree:
    named = [(phrase, shade.name) for shade in shades for phrase in shade.phrases]
    return PhraseTree([*((phrase, "") for phrase in NO_SHADES), *named])


def _said(view: str, words: Sequence[Word], place: int, stop: int, name: str, tree: PhraseTree) -> Said | None:
    """The shade that a phrase says where it stands; None where it is about something else."""
    first = place
    personal = words[stop - 1].text in PERSONAL and words[place].text not in ("i", "we", "can", "could", "hard")
    if personal:
        speaker = _speaker(view, words, place, stop)
        if speaker is None:
            return None
        first = speaker
    if words[place].text in OPENERS and place == 0 and stop == 1 and stop < len(words) and view[words[0].end] in ",!.":
        return None
    told: str | None = name
    negated = any(word.text in NEGATORS or word.text == "without" for word in words[place:stop])
    negator = _negator(words, place)
    if negator is None and personal:
        negator = _dangling(view, words, place)
    if negator is not None:
        told = None if negated else _negation(words[place:stop], tree)
        first, negated = min(first, negator), True
    while (
        first
        and words[first].link >= LINE
        and words[first - 1].text in LEADING
        and (negator is not None or (negated and words[place].text in ("not", "do", "can", "could")))
    ):
        first -= 1
    if _conditional(words, first):
        return None
    return Said(told, words[first].start, words[stop - 1].end, negated)


def _speaker(view: str, words: Sequence[Word], place: int, stop: int) -> int | None:
    """Where a statement of somebody's sureness begins, if it is the speaker's own (or the answer's); else None."""
    at = place
    while at and words[at].link >= LINE and (words[at - 1].text in SKIPPED or (words[at - 1].text == "far" and words[at].text == "from")):
        at -= 1
    bare = place + 1 == stop and at == place and words[place].text in ("sure", "certain", "confident", "convinced")
    before = words[at - 1].text if at and words[at].link >= LINE else ""
    if not before or (words[at].link == LINE and before not in BE):
        return place if not bare or _stands_alone(words, stop) else None
    if before in BE:
        who = at - 2
        while who > 0 and words[who].text in ADVERBS and words[who + 1].link >= LINE:  # "I still am", "the answer now is"
            who -= 1
        subject = words[who].text if who >= 0 and words[who + 1].link >= LINE else ""
        ours = subject in ("i", "we") and before in ("am", "are", "feel", "remain")
        return who if ours else place if subject in SUBJECTS and before in ("is", "remains", "seems") else None
    return place if before in CONJUNCTIONS and not bare else None


def _stands_alone(words: Sequence[Word], stop: int) -> bool:
    """Whether a single adjective is a statement ("Certain.", "Confident that"), and not the attribute of what follows."""
    return stop == len(words) or words[stop].link != BLANK or words[stop].text in ("that", "of", "about", "it")


def _negator(words: Sequence[Word], place: int) -> int | None:
    """The place of a negation that reaches a phrase."""
    for at in range(place - 1, max(-1, place - 1 - REACH), -1):
        if words[at + 1].link < LINE:
            return None
        word = words[at].text
        if word == "no":
            return at if at + 1 == place and words[place].link == BLANK else None
        if word in NEGATORS:
            return None if words[at + 1].text in ("only", "just", "merely") else at
        if word == "from" and at and words[at - 1].text == "far":
            return at - 1
        if word not in BETWEEN:
            return None
    return None


def _dangling(view: str, words: Sequence[Word], place: int) -> int | None:
    """The place of a negation that is cut off from what it negates: "I'm not, to be honest, certain", "not (entirely) sure"."""
    for at in range(place - 1, max(-1, place - 1 - REACH), -1):
        if any(end in ".!?;\n" for end in view[words[at].end : words[at + 1].start]):
            return None
        if words[at].text in ("not", "never", "hardly") and words[at + 1].link == BREAK:
            return at
    return None


def _negation(phrase: Sequence[Word], tree: PhraseTree) -> str | None:
    """What "not" makes of a phrase: the longest end of it that the lexicon holds with "not"."""
    core = [word.text for word in phrase]
    return next((name for at in range(len(core)) if (name := tree.exactly(["not", *core[at:]]))), None)


def _conditional(words: Sequence[Word], first: int) -> bool:
    """Whether a condition leads to a phrase: "if I'm certain"."""
    for at in range(first - 1, max(-1, first - 1 - REACH), -1):
        if words[at + 1].link < LINE:
            return False
        if words[at].text in CONDITIONS:
            return True
    return False


def _unquoted(found: Sequence[Said], view: str) -> Iterator[Said]:
    """Without what stands in a quotation, unless that is the whole text."""
    if not found:
        yield from found
        return
    inside = [match.span() for match in QUOTED.finditer(view) if len(match.group()) < len(view.strip(" \n.*"))]
    starts = [start for start, _ in inside]
    for said in found:
        at = bisect.bisect_right(starts, said.start) - 1
        if at < 0 or said.end > inside[at][1]:
            yield said
