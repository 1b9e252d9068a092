"""Does a reply to a question of fact hedge: does it say, in some form, that it gives no answer? And is it a reply at all?

A heuristic over sentences, deterministic. `wager.grading.abstention` reads what ordinary models say; steered ones also apologise for a
confusion, offer help with something else, call themselves a chatbot, or break off. Its decisions:

- A sentence that commits outweighs all hedges around it: "I'm sorry for the misunderstanding. Lima is the capital." is an answer.
- "X is a fictional character" hedges; "a fictional character in a novel by Y" invents, and is an answer.
- A reply that runs in a loop or holds no letter and no digit is `broken`: it neither hedges nor answers, whatever it began with.
  Garbled text that does not repeat itself cannot be told by this.
- Only English; of a long reply the beginning is read.
"""

from __future__ import annotations

import re
from typing import Literal

from wager.grading.abstention import find_abstention, is_blank
from wager.grading.deflection import find_deflection

__all__ = ["broken", "hedged"]

READ = 4_000
"""Characters of a reply that are read."""

LOOPS = {1: 5, 2: 4}
"""So many times in a row is a loop, by the words of what is repeated; three times from three words on."""

LONGEST_LOOP = 12
"""Words of the longest repeated phrase that is looked for."""

MANY = 24
"""From so many words on, the share of distinct runs of three is looked at."""

DISTINCT = 0.62
"""With a smaller share of distinct runs of three words a reply goes round in circles."""

WORD = re.compile(r"\w+(?:'\w+)*")
STUCK = re.compile(r"(\S)\1{14,}|(\S{2,20}?)\2{6,}")

STRAIGHT = str.maketrans("’‘`“”*_", "'''\"\"  ")
SENTENCE = re.compile(r"[^.!?\n]+(?:\.(?=\w)[^.!?\n]*)*(?:[.!?]+|\n|\Z)")

AGENT = r"(?:i|we|the (?:ai|chatbot|assistant|model|bot))"
ADVERB = r"(?:really |currently |simply |just |only |still |also |always |unfortunately |however,? |even ){0,2}"
EVASIVE = re.compile(
    r"^(?:[^,]{0,30}, )?(?:i'm|i am|we're|we are|my) (?:so |very |really |truly |deeply )?(?:sorry|afraid|apologi[sz]e|apologies)\b"
    r"|^(?:i |we |my |please accept my )?(?:(?:sincerely|must|do) )?apologi(?:[sz]e|es)\b|^sorry\b"
    rf"|\b{AGENT}(?:'m| am| is|'re| are)? {ADVERB}(?:not |un)(?:able|capable|available|here|designed|programmed|equipped|trained|allowed"
    r"|familiar|aware|sure|certain|going to|supposed)\b"
    rf"|\b{AGENT} {ADVERB}(?:can't|cannot|can not|could not|couldn't|don't|do not|doesn't|does not|didn't|did not|won't|will not"
    r"|haven't|have not|am unable|lack|have no|has no|had no)\b"
    r"|\b(?:provide|give|offer|suggest|find|need) (?:you )?(?:with )?(?:an? |the )?(?:\w+ )?(?:more|better|suitable|appropriate)\b"
    r"|\b(?:however|but|instead),? (?:\w+ )?i(?:'d| can| could| may| might)(?: only)? (?:help|assist|provide|offer|suggest|recommend)\b"
    r"|\bi (?:can|could|may) only (?:help|assist|provide|offer|suggest)\b"
    r"|\b(?:impossible|not possible|difficult|hard) (?:for me )?to (?:say|tell|know|determine|provide|give|answer|find)\b"
    r"|\b(?:might|may|could)(?: not be able|n't be able| not be the|(?: be)? refer(?:ring)?) to\b"
    r"|\b(?:might|may) not be (?:able|available)\b"
    r"|\bas an? (?:[\w-]+ ){0,3}(?:ai|artificial intelligence|chatbot|chat bot|language model|assistant|virtual assistant)\b"
    r"|\bi(?:'m| am) (?:just |only )?an? (?:[\w-]+ ){0,3}(?:ai|chatbot|language model|assistant|bot)\b"
    r"|\b(?:is|are|was|were|be|remains?) (?:still |currently |as yet |largely |not yet )?"
    r"(?:unknown|unclear|undetermined|unavailable|uncertain"
    r"|not (?:\w+ )?(?:known|available|clear|certain|documented|specified|recorded|recogni[sz]ed|listed))\b(?!:)"
    r"|\b(?:there|here) (?:is|are|was|were|exists?|seems to be|appears to be) (?:currently |simply |actually )?"
    r"(?:no|not any|nothing|not enough)"
    r" (?:[\w-]+,? ){0,4}(?:records?|information|evidence|mention|such|data|sources?|answer|references?|one|person|place|thing|trace)\b"
    r"|\bno (?:[\w-]+ ){0,3}(?:records?|information|evidence|data|sources?|answers?)(?: \w+){0,3}"
    r" (?:available|exists?|found|known|about|on|of)\b"
    r"|\b(?:does|do|did)(?: not|n't) (?:actually |really |seem to |appear to )?(?:exist|correspond to|refer to|match|be a (?:real|known))\b"
    r"|\b(?:not|n't) (?:actually |really |be |appear to be |seem to be )?(?:an? )?(?:real|actual|existing|well-known|widely known"
    r"|recogni[sz]ed|known|documented|familiar) \w+"
    r"|\b(?:couldn't|could not|can't|cannot|unable to|not able to|failed to) (?:find|locate|verify|confirm|identify|recall|tell)\b"
    r"|\b(?:beyond|outside(?: of)?) my (?:knowledge|training|scope|expertise|capabilit\w+)"
    r"|\bi (?:don't|do not|never)\b|\b(?:misspell\w*|misspelt|typo)\b|\bnever heard\b|\b(?:no|not any) idea\b",
    re.I,
)
"""A sentence that says there is no answer."""

OFFERS = re.compile(
    r"\bi(?:'m| am| was|'d be)? (?:\w+ ){0,2}(?:here|available|designed|programmed|happy|glad|ready|delighted|capable|able)"
    r"(?: of| to)?(?: \w+){0,2} (?:help\w*|assist\w*|provid\w+|support)\b"
    r"|\bi(?:'d| would|'ll| will| can| could| may| might)? (?:\w+ ){0,2}(?:help|assist|provide|offer|suggest|recommend|find|look)\b"
    r"|\b(?:did|do) you mean\b|\b(?:could|can|would) you (?:please )?(?:clarify|provide|specify|rephrase|give me|tell me|check)\b"
    r"|^please (?:provide|clarify|specify|rephrase|check|consult|let me know|feel free|verify)\b"
    r"|^(?:you (?:can|could|may|might|should) |it(?:'s| is) (?:best|better) to )(?:check|consult|try|ask|search|look|refer|visit)\b"
    r"|\blet me know\b|\bfeel free\b",
    re.I,
)
"""A sentence that offers something or asks back: instead of an answer a hedge, after one a politeness."""

FICTIONAL = re.compile(
    r"\b(?:is|are|was|were|be|as|appears to be|seems to be)(?: \w+)? (?:an? |the )?(?:\w+ly )?"
    r"(?:fictional|fictitious|imaginary|invented|made[- ]up|hypothetical|non-?existent)\b",
    re.I,
)
ATTRIBUTED = re.compile(
    r"\b(?:by|in|from|of|to|called|named)\b[^.]{0,60}?(?:\b(?:novel|film|movie|series|book|show|game|universe|trilogy|author|writer"
    r"|director|mythology|comics?|story)\b|\"|\b\d{4}\b)|\b(?:created|written|invented|named|called|portrayed) by\b",
    re.I,
)
"""What makes the denial of something an invention: the work it is said to come from."""

FILLER = re.compile(
    r"^(?:however|but|unfortunately|instead|sorry|thank you|thanks|okay|ok|sure|certainly|of course|well|hello|hi|the|i|if|that said"
    r"|the question|your question|let me know|feel free|this is a|great question|good question)?\W*$"
    r"|^(?:if you|let me|feel free|thank|what (?:would|can|do) you|how (?:can i|about)|is there anything|can you|could you|would you|do you"
    r"|perhaps you|you(?:'re| are)?"
    r" (?:can|could|may|might|should|looking|asking|refer)|please)\b",
    re.I,
)
GUESSES = re.compile(
    r"\bi(?:'d| would| do)? (?:think|believe|guess|say|suppose|recall|remember|know)\b(?! (?:you|anything|of any|about))"
    r"|\b(?:tell you that|my (?:best )?guess is)\b",
    re.I,
)
OF_ITSELF = re.compile(r"^(?:(?:however|but|and|so|also|instead|although),? )?(?:i|we|my|our|i'm|i'd|i'll|i've|you|your)\b", re.I)
NEGATES = re.compile(
    r"\b(?:i (?:(?:really|honestly|simply|actually|currently) )?(?:do not|don't|did not|didn't|cannot|can't|could not|couldn't)"
    r"|i(?:'m| am) (?:not|un\w+))\b",
    re.I,
)
TURN = re.compile(r"(?:[,;:]|\s-|—|–) (?:but|however|although|though|yet|still)?,? ?(?=\w)|\bbut (?=\w)", re.I)
NAMES = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+|\d")
STATES = re.compile(
    r"\b(?:is|are|was|were|has|had|won|wrote|died|flows?|lies|lived?|ruled|invented|discovered|founded|painted|located|means)\b|(?<=\w)'s\b",
    re.I,
)


NAMED = re.compile(r"[A-Z\d\"]")
TURNED = re.compile(r"[,;:–—-] (?:but|however|although|though|and)?,? ?$")
DESCRIBES = re.compile(r"\b(?:is|are|was|were|be) (?:an? |not |based )(?!capital\b)|\b(?:can|may|might|could) vary\b|\bdepends? on\b", re.I)
"""What is said after it names no answer, if it holds no name and no figure: "is a topic of debate"."""

Kind = Literal["evades", "offers", "describes", "commits", "says nothing"]
KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = ((EVASIVE, "evades"), (OFFERS, "offers"))


def broken(reply: str) -> bool:
    """Whether a reply is none: it holds no letter and no digit, or runs in a loop.

    >>> broken("..."), broken("I can help you, I can help you, I can help you"), broken("1066")
    (True, True, False)
    """
    if is_blank(reply):
        return True
    text = reply[:READ].translate(STRAIGHT)
    if STUCK.search(text):
        return True
    words = [word.casefold() for word in WORD.findall(text) if not word.isdigit()]  # the numbers of a list hide its loop
    if any(_repeated(words, size) >= LOOPS.get(size, 3) for size in range(1, LONGEST_LOOP + 1)):
        return True
    runs = list(zip(words, words[1:], words[2:], strict=False))
    return len(words) >= MANY and len(set(runs)) < DISTINCT * len(runs)


def _repeated(words: list[str], size: int) -> int:
    """How often in a row a phrase of ``size`` words stands, at most."""
    longest = run = 0
    for place in range(size, len(words)):
        run = run + 1 if words[place] == words[place - size] else 0
        longest = max(longest, run)
    return longest // size + 1 if longest else 1


def hedged(reply: str) -> bool:
    """Whether a reply to a question of fact gives no answer: it abstains, denies that the thing exists, apologises, or offers help instead.

    A `broken` reply does not hedge. A hedge that is cut off counts; an answer with a word of doubt is an answer.

    >>> hedged("I'm sorry for any confusion. I'm here to help you with your science questions.")
    True
    >>> hedged("Ruprecht Odalvi is a fictional character in the context of the AI. However, I can provide you with")
    True
    >>> hedged("I'm sorry for the misunderstanding. Lima is the capital of Peru.")
    False
    """
    if broken(reply):
        return False
    kinds = {_kind(sentence) for sentence in _sentences(reply)}
    if "commits" in kinds:
        return False
    if "evades" in kinds or ("offers" in kinds and "describes" not in kinds):
        return True
    return find_abstention(reply) is not None or find_deflection(reply) is not None


def _sentences(reply: str) -> list[str]:
    """Sentences with plain quotes; a last one that is cut off after three words or fewer is left out."""
    text = reply[:READ].translate(STRAIGHT)
    found = [" ".join(match.group(0).split()).strip("\"' ") for match in SENTENCE.finditer(text)]
    found = [one for one in found if any(map(str.isalnum, one))]
    if len(found) > 1 and not text.rstrip().endswith((".", "!", "?", '"')) and len(found[-1].split()) <= 3:
        found.pop()
    return found


def _kind(sentence: str) -> Kind:
    """What one sentence does. One that only describes gives way to an admission beside it, but not to an offer."""
    if FICTIONAL.search(sentence):
        return "commits" if ATTRIBUTED.search(sentence) else "evades"
    asks = sentence.endswith("?")
    if GUESSES.search(sentence) and not NEGATES.search(sentence) and not asks:
        return "commits"
    for pattern, kind in KINDS:
        if found := pattern.search(sentence):
            answers = _answers_before(sentence[: found.start()]) or _answers_after(sentence[found.end() :])
            return "commits" if answers else kind
    if asks or FILLER.search(sentence) or OF_ITSELF.match(sentence):
        return "says nothing"
    if find_abstention(sentence) is not None:
        return "evades"
    described = DESCRIBES.search(sentence)
    return "describes" if described and not NAMED.search(sentence[described.end() :]) else "commits"


def _answers_before(start: str) -> bool:
    """Whether the clause before a turn to an evasion states something that is named: "It is in Somerset, but I can"."""
    turned = TURNED.search(start)
    stated = STATES.search(start) if turned else None
    return stated is not None and NAMED.search(start[stated.end() : turned.start() if turned else None]) is not None


def _answers_after(rest: str) -> bool:
    """Whether the rest of an evading sentence states something all the same: ", but the capital is Lima"."""
    for turn in TURN.finditer(rest):
        tail = rest[turn.end() :]
        if EVASIVE.search(tail) or OFFERS.search(tail) or OF_ITSELF.match(tail) or FILLER.search(tail) or find_abstention(tail) is not None:
            return False
        if STATES.search(tail) and NAMES.search(f". {tail}" if tail[:1].islower() else tail):
            return True
    return False
