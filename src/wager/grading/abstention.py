"""Does a reply abstain? It does if it says "I don't know" in some form and commits itself to no answer.

A heuristic over sentences: deterministic, and linear in the reply's length. Its decisions:

- A hedged answer is an answer ("I don't know for sure, but it's Paris"; "I don't know. The capital is Lima."; "Paris, though I'm not
  sure"), as in SimpleQA's three-way grading. The last answer field (``ANSWER: ...``, a box, an answer tag) outweighs what is around it.
- Reasoning that answers nothing and ends in "So I don't know" abstains, however much it states on the way.
- Denying that the thing asked about exists ("Zubrowka is not a real country") abstains; "none", "zero" and "none of the options" are answers.
- A refusal gives no answer and abstains. Reported speech, titles and the note's own words repeated by the model do not.
- A blank reply is neither (`is_blank`). Of a very long reply the beginning and the end are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Abstention", "find_abstention", "is_blank"]

Rule = Literal["says so", "unknown answer", "false premise", "refusal"]


@dataclass(frozen=True)
class Abstention:
    """Where and how a reply abstains."""

    phrase: str
    """The sentence or field that abstains, as it stands in the reply (at most 200 characters)."""
    start: int
    """Its first character in the reply."""
    end: int
    """One past its last character."""
    rule: Rule
    """``says so`` (I don't know), ``unknown answer`` (ANSWER: unknown), ``false premise`` (there is no such country), ``refusal``."""


@dataclass(frozen=True)
class _Sentence:
    text: str
    start: int
    end: int


HALF = 8000
"""Characters read at either end of a reply that is longer than two of these."""

LAST_WORDS = 3
"""Only so many sentences at the end can withdraw what was stated before them."""

LOOKED_AT = 400
"""Characters of a sentence that are read; a longer one says what it does by then."""

SAME_LENGTH = str.maketrans("’‘`“”*_#>|$\t\r\f\v\xa0", "'''\"\"" + " " * 11)
"""Curly to straight quotes, markup to blanks; every character keeps its place, so that spans stay true."""

ECHO = re.compile(
    r"(?:answer only if you are[^\n]{0,250}?|\ban answer of .{0,3})\bi don't know.{0,3} receives 0 points\.?"
    r"|if you are not, reply exactly .{0,3}i don't know.{0,3}; this overrides[^\n.]{0,120}\.?",
    re.I,
)
"""The note itself, repeated by the model."""

BOXED = re.compile(r"\\boxed ?\{ ?(?:\\(?:text|mathrm|textbf|mathbf) ?\{)?(?P<value>[^{}]{0,200})\}")
TAGGED = re.compile(r"<answer (?P<value>[^<]{0,300})</answer", re.I)
MARKER = re.compile(
    r"(?:^|\n|(?<=[.!?,] )|(?<=[{,]))[ \-]{0,12}[\"']?(?:(?:so|thus|therefore|hence),? )?(?:(?:the|my) )?(?:(?:final|correct|best) )?answer[\"']?"
    r"(?:(?: {0,4}(?:is|would be))? {0,4}[:=] {0,4}| (?:is|would be) | {0,4}(?=\n))\n{0,3}(?P<value>[^\n]{1,300})",
    re.I,
)

UNKNOWN_FIELD = re.compile(
    r"(?:(?:i )?(?:abstain|pass|skip)|(?:none ?/ ?)?unknown|not known|n ?/ ?a|idk|dunno|no idea|no answer|not sure|unsure|uncertain|"
    r"undetermined|indeterminate|not enough information|insufficient information|unanswerable|not available|not applicable|"
    r"(?:can ?not|can't) (?:be (?:determined|known|answered)|say|tell|determine|answer))"
    r"(?: (?:with|from|without|based on|due to|given|in|for)\b(?!.*\b(?:but|though|however)\b).*)?[\s.!?)\]}\"']*",
    re.I,
)
"""A whole reply, or a whole answer field, that names no answer."""

NA_WITHOUT_SLASH = re.compile(r"na[\s.]*", re.I)

PREFACE = re.compile(
    r"(?:(?:i(?:'m| am)? )?(?:(?:so |very |really |truly )?sorry|apologi[sz]e|afraid)(?: (?:that|to hear)[^,.;]{1,60},? (?:but|however)| about that| for (?:the|your|any) [\w ]{1,30}| to say(?: that)?| that)?"
    r"|unfortunately|hmm+|uh+|um+|well|oh|honestly|frankly|to be honest|in all honesty|regrettably|sadly|okay|ok|so|therefore|thus|hence|in conclusion|finally|"
    r"overall|in short|but|however|although|though|yet|still|and|sure|actually|then|(?:my|the) (?:final )?answer(?: is| would be)?|a(?=:)|"
    r"(?:but )?as an? (?:\w+-based )?(?:ai|artificial intelligence|responsible|large)(?: language)?(?: model| assistant| system)?(?: developed by \w+)?|as a (?:large )?language model|"
    r"i(?:'d|'ll| would| will| must| have to| should| can only| can| do)? (?:tell you|say|answer|respond|reply|admit|confess|guess|suppose|think|believe|feel)(?: that)?|"
    r"i(?:'m| am) (?:just |only )?an ai(?: language model| assistant)?|at this time|currently|for this question|as far as i (?:know|can tell|am aware)|to (?:the best of )?my knowledge|it (?:seems|appears)(?: that)?|please note that|"
    r"lo siento|d[eé]sol[eé]e?|es tut mir leid|tut mir leid|mi dispiace|desculpe|eu|leider|das)"
    r"(?:\s*[,;:.!–—-]+\s*|\s+)",
    re.I,
)

SUBORDINATE = re.compile(r"(?:since|as|because|given|without|based on|considering|with|due to|while|for|my|i|it|this|the|we|in)\b", re.I)

ADVERBS = (
    r"(?:(?:really|honestly|simply|just|still|truly|also|currently|actually|genuinely|personally|quite|very|too|at all|entirely|completely|"
    r"exactly|totally|fully|absolutely|100 ?%|even|yet|sufficiently|certainly|specifically) ){0,3}"
)

UNNAMED = r"(?:any|an?|the|my|that|this|enough|sufficient|such|specific|reliable|accurate|definitive|direct|personal|real-time|current|up-to-date|exact|precise|confident)"

ADMITS = re.compile(
    rf"(?:(?:i|we) {ADVERBS}(?:do ?n[o']t|do not|did not|didn't|dont|can ?not) {ADVERBS}|(?:do not|don't|dont) )"
    r"(?:know|recall|remember)\b(?! (?:of )?(?:any|an?)(?: \w+)? (?:better|other|reason|faster|way|evidence|doubt)| a reason| of any| any(?:one|body)| that (?:it|the))"
    rf"|(?:i|we)(?: {ADVERBS}| )(?:do not|don't|dont) {ADVERBS}have (?!(?:any |an )?(?:personal )?(?:opinion|belief|feeling|preference|bias|emotion))(?:{UNNAMED}|access|information|knowledge|data|details|answers?)\b"
    rf"|(?:i(?:'ve| have)?|we(?:'ve| have)?) {ADVERBS}(?:have |got )?(?:absolutely )?no (?:idea|clue|information|knowledge|record|data|answer|memory|way (?:of|to)|reliable|specific|access)"
    rf"|(?:i|we) {ADVERBS}(?:can ?not|can't|cant|could not|couldn't) {ADVERBS}(?:be (?:sure|certain|confident)|answer|determine|say|tell|find|verify|confirm|recall|identify|know|"
    rf"locate|remember|name|decide|guess|calculate|compute|choose between|give {UNNAMED}|think of (?!any(?:thing|one)? (?:other|better|but|else))|make (?:a|any)|(?:provide|offer) (?:an? |any |the )?(?:definitive|exact|accurate|confident|specific|numerical|reliable|precise|answer))"
    r"|i(?:'ll| will| would|'d| must| have to| should| shall| choose to| prefer to|'m going to| am going to| need to)?(?: rather| therefore| have to| choose to| prefer to| thus)? abstain\b"
    r"|i(?:'ll| will| would|'d| must| have to)?(?: rather| have to)? (?:pass|skip)(?: on\b| this\b| here\b| it\b|[.!]*$)"
    r"|i(?:'d| would) (?:rather not|prefer not to) (?:answer|say|guess)|i prefer not to (?:answer|say|guess)|i lack (?:the|enough|sufficient|any)\b"
    r"|(?:i(?:'d| would)? )?need (?:to (?:look|check|search|research)|more (?:information|context|details|data))"
    r"|(?:i(?:'ve| have)? )?never heard of"
    rf"|(?:i(?:'m| am)|we(?:'re| are)) {ADVERBS}(?:not {ADVERBS}(?:sure|certain|confident|familiar|aware|able to|(?:more than|above|over|>|at least) )|unsure|uncertain|unfamiliar|unaware|unable to|at a loss)"
    r"|(?:idk|dunno|no idea|no clue|beats me|(?:not|un)(?: entirely| completely| really| quite| 100 ?%)? ?sure|uncertain|can't (?:say|tell)|cannot (?:say|tell|determine|answer)|unable to (?:determine|say|answer))\b(?! about the rest)"
    r"|it(?:'s| is) (?:unclear|unknown|not clear|not known|(?:not possible|impossible|difficult|hard)(?: for me)? to (?:know|say|tell|determine|answer|provide|give|identify|verify|compare|calculate|pick|choose|be (?:sure|certain)))\b"
    r"|(?:the|this|that|its|it) (?:[\w'-]+ ){0,7}?(?:(?:is|are|was|remains?) (?:unknown|not known|unclear|undetermined|indeterminate|not something i know)(?! to)|(?:can ?not|can't) be (?:determined|known|answered|inferred|calculated))\b"
    r"|that(?:'s| is) (?:not something i know|beyond (?:me|my knowledge)|outside my knowledge)"
    r"|(?:there (?:is|'s)|there is simply)? ?(?:not enough|insufficient|no) (?:information|context|data)\b"
    r"|i (?:do not|don't) (?:think|believe)(?: that)? i (?:can|know|have)"
    r"|the (?:question|problem|passage|text|context|article|document|(?:given |provided )?information)(?: provided| given)? (?:does not|doesn't|is not|isn't) (?:provide|give|contain|specify|mention|state|say|include|sufficient|enough)"
    r"|my (?:knowledge|training)(?: data)? (?:does not|doesn't|do not) (?:cover|include|contain)",
    re.I,
)  # fmt: skip

OTHER_LANGUAGES = re.compile(
    r"no (?:lo )?sé\b|no lo se\b|desconozco|(?:je )?ne sais pas|j(?:e )?l'ignore|aucune id[ée]e|(?:das )?wei(?:ß|ss) ich (?:es |das )?(?:leider )?nicht|"
    r"ich wei(?:ß|ss) (?:es |das )?(?:leider )?nicht|keine ahnung|non (?:lo )?so\b|n[ãa]o sei\b|ik weet het niet|nie wiem|(?:я )?не знаю|"
    r"[^是\"「“]{0,60}(?:不知道|不清楚|不确定|无法(?:确定|回答))|[^\"「]{0,60}(?:わかりません|分かりません|知りません|存じません)|모르겠|모릅니다|لا أعرف|मुझे नहीं पता",
    re.I,
)
BUT_ELSEWHERE = re.compile(r"\b(?:pero|mais|aber|ma|mas|c'est|es ist|creo|dass? es)\b|但|が、|可能是|应该是", re.I)

THING = r"(?:country|nation|state|place|city|town|person|politician|legislator|kingdom|region|territory|location|entity|individual|land|republic)"
INVENTED = r"(?:fictional|made-up|made up|imaginary|fictitious|nonexistent|non-existent|invented|mythical|hypothetical)"
FALSE_PREMISE = re.compile(
    rf"(?:there(?:'s| is| was| are| were)(?: currently)? (?:no|not an?|not any)|there (?:does not|doesn't) (?:seem|appear) to be an?y?|i (?:do not|don't) (?:believe|think)(?: that)? there(?:'s| is| was)|no)"
    rf" (?:an? |any )?(?:(?:such|known|real|recogni[sz]ed|actual|sovereign) ){{0,2}}(?:(?<=such ){THING}|{THING} (?:called|named|known as|by (?:that|this|the)|with (?:that|this|the) name|of that name))"
    rf"|i (?:could not|couldn't|cannot|can't|was unable to|did not|didn't) find (?:an?|any|{THING})"
    rf"|[^.?]{{1,80}}?(?:(?:is|was|are)(?: not|n't)|(?:does not|doesn't) (?:appear|seem) to be) (?:actually |really |currently )?(?:an? )?(?:(?:widely )?(?:real|actual|recogni[sz]ed|existing|genuine)\b|(?:country|nation|sovereign state)\b)"
    rf"|(?!no,)(?:[\w\"'-]+ ){{1,6}}?(?:does not|doesn't|do not|don't|did not|didn't) (?:actually |really |currently )?exist\b"
    rf"|[^.?]{{1,120}}?(?:is|are|'s|appears to be|seems to be|might be|may be|the capital of)(?: likely| probably| entirely| purely)? (?:an? )?{INVENTED}(?: (?:\w+ )?{THING}\b|[.,;]|$| and| or)",
    re.I,
)  # fmt: skip
NAMES_ONE = re.compile(
    r"\b(?:its|the|whose) (?:\w+ ){0,2}(?:capital|answer|name|birthday|seat)(?: city)? (?:of [\w ]{1,30} )?(?:is|was) (?!not\b|un|also\b|n't)",
    re.I,
)

REFUSES = re.compile(
    r"(?:i|we) (?:simply |just |also |absolutely |really )?(?:cannot|can't|can not|could not|couldn't|won't|will not|do not|don't|(?:am|are|'m|'re) (?:not able to|unable to))"
    r" (?:help|assist|fulfil|fulfill|comply|satisfy|discuss|support|engage|participate|encourage|promote|condone|recommend|suggest|share|create|write|generate|produce|respond|reply|"
    r"continue|do (?:that|this)|endorse|advise|accommodate|disclose|reveal|feel comfortable|answer (?:that|this) question|"
    r"(?:provide|offer|give)(?! (?:an? |any |the )?(?:definitive|exact|accurate|confident|specific|numerical|reliable|precise|answer)))\b"
    r"|i(?:'m| am) (?:not able to|unable to) (?:help|assist|provide|fulfil|fulfill|comply|satisfy|discuss|support|share|access|do)|i(?:'m| am) not (?:comfortable|going to (?:help|answer|do))"
    r"|i (?:must |have to |will have to )?(?:decline|refuse)\b|i (?:strongly )?(?:advise|urge) (?:you )?against|(?:it(?:'s| is) (?:not|never)|i (?:do not|don't) (?:think|believe) it(?:'s| is)) (?:appropriate|acceptable|ethical|okay|ok)\b"
    r"|it(?:'s| is) not within my\b|i(?:'ll| will)? not answer",
    re.I,
)  # fmt: skip
"""What is declined; ways of not knowing ("provide an exact answer") are left to `ADMITS`."""
COMPLIES = re.compile(r"(?:(?:however|but|instead|that said),? )?(?:here(?:'s| is| are)|i can tell you that|step 1\b|1\.)", re.I)

GUESSES = re.compile(
    r"(?:maybe|perhaps|probably|possibly|(?:most )?likely|roughly|around|about|approximately|let's say|say,|if i (?:had|have|were|must)|(?:my|a|an|the) (?:best |closest |educated )?guess|"
    r"i(?:'d| would|'ll)? (?:have to |go with|think|believe|guess|say|suppose|choose|pick|assume|lean|suspect)|(?:it|that|this|he|she|they|there) (?:might|may|could|would|should|must) (?:have )?be|is it\b|"
    r"i(?:'m| am) (?:fairly|pretty|quite|thinking|leaning|going with))",
    re.I,
)
STATES = re.compile(
    r"(?:(?:the|its|it|that|this|his|her|their|they|he|she|there|in|on|both|my answer)\b|(?-i:[A-Z])[\w'-]*)(?:'s| (?:[^,;]{0,120}? )??(?:is|was|are|were|equals|has|became|will be|would be|might be|may be|could be|should be)) "
    r"(?P<article>an? )?\w"
    r"|it's (?P<article2>an? )?\w",
    re.I,
)
"""A clause that states something; what is said about the question itself or about ignorance is told apart by `ABOUT`."""

ABOUT = re.compile(
    r"\b(?:not|no|never|none|unknown|unclear|cannot|without|fictional|imaginary|made[- ]up|fictitious|ambiguous|impossible|hypothetical|depends?|lack|unable|questions?|information|"
    r"context|knowledge|training|data|prompt|confiden\w+|penal\w+|points?|threshold|target|please|sorry|beyond|outside|important|best to|better to|recommended?|worth|because|you|your|"
    r"provide|accurate|misspell\w*|typo|difficult|hard|unfamiliar|mistakes?|sources?)\b|n't\b",
    re.I,
)
OF_THE_TASK = re.compile(
    r"\b(?:confiden\w+|penal\w+|points?|threshold|my target|question|thank|happy to help|glad to|point out|let me|let's|step by step|my (?:knowledge|training|memory)|look(?:ing)? (?:this|it) up)\b|\?\s*$|^(?:first|okay|sure|great)\W*$",
    re.I,
)
CONCLUDES = re.compile(
    r"(?:so|therefore|thus|hence|in conclusion|finally|overall|in short|as a result|ultimately|(?:unfortunately,? |however,? )?without|unfortunately|given|since|because|(?:my|the) (?:final )?answer|i (?:will|must|have to|'ll))\b|i'll\b|[^\"]{1,300}[,;:] (?:and )?(?:so|therefore|thus|hence)\b|[^\"]{0,300}\babstain[.!]*$",
    re.I,
)
BARE = re.compile(r"(?:i (?:really |honestly |just )?(?:don't|do not) know|idk|i abstain|unknown|no idea|i'm not sure)[.!\s]*", re.I)
WITHDRAWS = re.compile(
    r"(?:(?:so|therefore|thus|hence|actually|on reflection),? )*i (?:(?:really |honestly )?(?:don't|do not) know|(?:'ll |will |must )?abstain)[.!]*",
    re.I,
)
"""What takes back an answer field; doubt alone does not."""

CLOSEST = re.compile(r"\b(?:closest|nearest|most likely|best) (?:\w+ ){0,2}(?:is|was|would be|might be|could be)\b(?! (?:not|to|un))", re.I)
TURNS = re.compile(r"[,;:–—(]| - |\b(?:but|however|although|though|yet|still)\b", re.I)
FRAGMENT = re.compile(
    r"(?!I\b|Sorry|Please|Thank|None|Hope|Could|Can|Would|Do|Did|Is|Are|If|Let|No\b)(?:[A-Z][\w'.-]*|\d\S*)(?: (?!or\b)[\w'.-]+){0,3}[.?!)]*"
)
ENDS = re.compile(r"(?<![.!?])[.!?]++[\"')\]]*+(?=\s|$)|[。！？]|\n")
INITIALS = re.compile(r"\b(?:St|Dr|Mr|Mrs|Ms|vs|No|[A-Z])\.$")
LETTER_OR_DIGIT = re.compile(r"[^\W_]")
PLACEHOLDERS = re.compile(r"\\(?:boxed|text|mathrm|textbf|mathbf)\b")


def is_blank(reply: str) -> bool:
    r"""Whether a reply holds no letter and no digit: neither an answer nor an abstention.

    >>> is_blank("**"), is_blank(r"\boxed{}"), is_blank("0")
    (True, True, False)
    """
    return LETTER_OR_DIGIT.search(PLACEHOLDERS.sub("", reply)) is None


def find_abstention(reply: str, *, labels: Sequence[str] = ()) -> Abstention | None:
    """How the reply as a whole abstains, or None if it answers (or is blank).

    Args:
        reply: the whole reply, best without its confidence line.
        labels: what counts as an answer by itself: the option letters of a multiple-choice question (``ANSWER: I`` is then
            option I), or named classes such as "Unknown".

    >>> find_abstention("ANSWER: I'm not sure", labels="ABCDEFGHIJ").rule
    'says so'
    >>> find_abstention("ANSWER: I", labels="ABCDEFGHIJ") is None
    True
    >>> find_abstention("I don't know for sure, but it's Paris.") is None
    True
    """
    if is_blank(reply):
        return None
    thought = reply.rfind("</think>") + len("</think>") if "</think>" in reply else 0
    offset = thought if not is_blank(reply[thought:]) else 0
    offset += len(reply[offset:]) - len(reply[offset:].lstrip())
    view, gap = _both_ends(reply[offset:].rstrip())
    found = _read(view, {label.casefold() for label in labels})
    if found is None:
        return None
    sentence, rule = found
    start, end = (place + offset + (gap if place > HALF else 0) for place in (sentence.start, sentence.end))
    return Abstention(reply[start:end][:200], start, end, rule)


def _both_ends(text: str) -> tuple[str, int]:
    """The text with plain punctuation, its middle left out if it is very long, and how many characters were."""
    gap = 0
    if len(text) > 2 * HALF:
        gap = len(text) - 2 * HALF - 1
        text = f"{text[:HALF]}\n{text[-HALF:]}"
    text = text.translate(SAME_LENGTH)
    return ECHO.sub(lambda echo: " " * len(echo.group(0)), text), gap


def _read(text: str, labels: set[str]) -> tuple[_Sentence, Rule] | None:
    sentences = list(_sentences(text, 0, len(text)))
    if not sentences:
        return None
    fields = [match for pattern in (MARKER, BOXED, TAGGED) for match in pattern.finditer(text)]
    fields = [match for match in fields if not is_blank(match.group("value"))]
    if fields:
        last = max(fields, key=lambda match: match.start("value"))
        field = _Sentence(_unwrapped(last.group("value")), last.start("value"), last.end("value"))
        if _is_label(field.text, labels):
            return None
        if UNKNOWN_FIELD.fullmatch(field.text) or (labels and NA_WITHOUT_SLASH.fullmatch(field.text)):
            return field, "unknown answer"
        in_field = _weigh(list(_sentences(text, field.start, field.end)))
        if in_field:
            return in_field
        return (sentences[-1], "says so") if sentences[-1].start >= field.end and WITHDRAWS.fullmatch(sentences[-1].text) else None
    if len(sentences) == 1:
        whole = sentences[0]
        if _is_label(whole.text, labels):
            return None
        if UNKNOWN_FIELD.fullmatch(whole.text):
            return whole, "unknown answer" if whole.text.lower().startswith(("unknown", "n")) else "says so"
    return _weigh(sentences)


def _is_label(value: str, labels: set[str]) -> bool:
    """Whether a field is one of the labels, several of them, or one with its text ("I) cannot be determined")."""
    if not labels:
        return False
    bare = value.strip("()[]{}\"'. ").casefold()
    if bare in labels or all(part in labels for part in re.split(r"\s*,\s*|\s+and\s+|\s*&\s*|\s+", bare)):
        return True
    opening = re.match(r"\(?([^\s().:,/]{1,3})(?:\)|\.(?=\s)|:)", value)
    return opening is not None and opening.group(1).casefold() in labels


def _weigh(sentences: Sequence[_Sentence]) -> tuple[_Sentence, Rule] | None:
    """Reads sentence by sentence; an admission that concludes outweighs what was stated before it."""
    found: tuple[_Sentence, Rule] | None = None
    settled = committed = False
    for place, sentence in enumerate(sentences):
        rule = _abstains(sentence.text)
        if rule is not None and rule != "states":
            is_last_word = place == len(sentences) - 1 and place >= 2 and BARE.fullmatch(sentence.text) is not None
            concludes = CONCLUDES.match(sentence.text) and (rule == "says so" or (rule == "false premise" and place == len(sentences) - 1))
            if committed and not settled and place >= len(sentences) - LAST_WORDS and (concludes or is_last_word):
                found, committed = (sentence, rule), False
            elif found is None and not committed:
                found = (sentence, rule)
        elif found is None:
            settled = settled or CLOSEST.search(sentence.text) is not None
            committed = committed or rule == "states" or not (OF_THE_TASK.search(sentence.text) or PREFACE.fullmatch(f"{sentence.text} "))
        elif rule == "states" or _commits_after(sentence.text, found[1]):
            committed = True
    return None if committed else found


def _abstains(sentence: str) -> Rule | Literal["states"] | None:
    """The rule by which a sentence abstains, ``states`` if it admits something and answers all the same, or None."""
    if sentence.startswith('"'):
        quoted, _, rest = sentence[1:].partition('"')
        if re.search(r"\w", rest):
            if not re.match(r"[,.]? (?:is|would be) my (?:final )?(?:answer|reply|response)", rest, re.I) and not FALSE_PREMISE.match(
                sentence
            ):
                return "states"
            sentence = quoted if not FALSE_PREMISE.match(sentence) else sentence
    for core in _cores(_unwrapped(sentence)):
        declined = REFUSES.match(core)
        if declined:
            return "states" if _goes_on_to_answer(core[declined.end() :], only_after_but=True) else "refusal"
        if FALSE_PREMISE.match(core):
            return "states" if NAMES_ONE.search(core) else "false premise"
        elsewhere = OTHER_LANGUAGES.match(core)
        if elsewhere:
            return "states" if BUT_ELSEWHERE.search(core, elsewhere.end()) else "says so"
        admitted = ADMITS.match(core)
        if admitted:
            return "states" if _goes_on_to_answer(core[admitted.end() :]) else "says so"
    return None


def _cores(sentence: str) -> Iterator[str]:
    """The sentence, what follows its prefaces ("I'm sorry, but ..."), and its closing clauses ("..., so I don't know")."""
    core = sentence
    for _ in range(6):
        yield core
        preface = PREFACE.match(core)
        if preface is None or not core[preface.end() :].strip():
            break
        core = core[preface.end() :].strip()
    if SUBORDINATE.match(core) and not GUESSES.match(core):
        for turn in list(re.finditer(r"[,;:] ", core))[:4]:
            tail = core[turn.end() :].strip()
            is_so = re.match(r"(?:and )?(?:so|therefore|thus|hence)\b", tail, re.I)
            if is_so or re.match(r"(?:since|as|because|given|without|based|considering|with|due|while|for)\b", core, re.I):
                for _ in range(3):
                    yield tail
                    preface = PREFACE.match(tail)
                    if preface is None:
                        break
                    tail = tail[preface.end() :].strip()


def _goes_on_to_answer(rest: str, *, only_after_but: bool = False) -> bool:
    """Whether what follows an admission in the same sentence commits to an answer."""
    for turn in list(TURNS.finditer(rest))[:12]:
        tail = rest[turn.end() :].strip(" ,")
        adversative = turn.group(0).strip().isalpha()
        if only_after_but and not adversative:
            continue
        for _ in range(4):
            if FRAGMENT.fullmatch(tail) or (_clause_commits(tail, articles=adversative)):
                return True
            if adversative and re.search(r"\d", tail) and not ABOUT.search(tail):
                return True
            preface = PREFACE.match(tail)
            if preface is None:
                break
            tail = tail[preface.end() :].strip()
    return False


def _clause_commits(clause: str, *, articles: bool) -> bool:
    if ABOUT.search(clause):
        return False
    if GUESSES.match(clause):
        return True
    stated = STATES.match(clause)
    return stated is not None and (articles or not (stated.group("article") or stated.group("article2")))


def _commits_after(sentence: str, rule: Rule) -> bool:
    """Whether a sentence after an admission answers all the same; background ("It is a small country") does not."""
    if rule == "refusal":
        return COMPLIES.match(sentence) is not None
    if CLOSEST.search(sentence):
        return True
    core = sentence
    for _ in range(3):
        if GUESSES.match(core) and not ABOUT.search(core):
            return True
        if not core.endswith("?") and (FRAGMENT.fullmatch(core) or _clause_commits(core, articles=False)):
            return True
        preface = PREFACE.match(core)
        if preface is None:
            break
        core = core[preface.end() :].strip()
    return (
        rule != "false premise"
        and re.search(r"\d", core) is not None
        and re.match(r"i\b|if\b", core, re.I) is None
        and not ABOUT.search(core)
    )


def _sentences(text: str, start: int, end: int) -> Iterator[_Sentence]:
    begin = start
    for boundary in (*ENDS.finditer(text, start, end), None):
        stop = boundary.end() if boundary else end
        if boundary and boundary.group(0) == "." and INITIALS.search(text, max(begin, stop - 5), stop):
            continue
        piece = text[begin:stop]
        if LETTER_OR_DIGIT.search(piece):
            left = begin + len(piece) - len(piece.lstrip(" -\n"))
            yield _Sentence(" ".join(text[left : min(stop, left + LOOKED_AT)].split()), left, left + len(text[left:stop].rstrip()))
        begin = stop


def _unwrapped(text: str) -> str:
    """Without what may stand around a field or a whole sentence: quotes, brackets, a box."""
    text = re.sub(r"\\(?:boxed|text|mathrm|textbf)\b|[{}\\]", " ", text)
    text = text.strip()
    return text.strip("\"'()[] ") if text[:1] in "\"'([" else text.rstrip('"')
