"""Which answers say "I don't know": the detector of the evaluations (`wager.grading.abstention`), asked only where a cue is found.

The detector reads a text in about 50 to 300 microseconds, a corpus has millions of answers. `CUES` is a regular expression over
their words that every abstaining reply of our cases has (``tests/cases/abstention.jsonl``), and 1 to 2 in 10 of long answers; an
answer abstains if it has a cue **and** the detector says so. The expression uses nothing that means different things in RE2, Java, Rust and
Python.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wager.corpus.words import words
from wager.grading.abstention import find_abstention

__all__ = ["ABSTENTION", "CUES", "PLAIN", "abstains", "abstaining"]

ABSTENTION = "detector/1"
"""Name of this rule, stored with every count."""

_NOT = (
    "don t|do not|dont|did not|didn t|can not|cannot|can t|cant|could not|couldn t|won t|will not|m not|am not|re not|are not|was not"
    "|were not|haven t|have not|not|never|no|lack|unable|unsure|uncertain|unfamiliar|unaware|abstain|pass|skip|need|decline|refuse|rather"
    "|insufficient|limited|too little|advise|urge"
)
_THING = (
    "country|nation|state|place|city|town|person|politician|legislator|kingdom|region|territory|location|entity|individual|land|republic"
)

CUES = (
    rf"(?:^| )(?:(?:i|we|ai|assistant|model|im)(?: [a-z]+){{0,5}}? (?:{_NOT})"
    r"|(?:don t|dont|do not|t) know|(?:not|un)(?: entirely| completely| really| quite| 100)? ?(?:sure|certain|confident|clear|familiar)"
    r"|can(?: ?not| t) (?:say|tell|be|answer|determine|remember|recall)|cant (?:say|tell|be)|unable to"
    r"|unknown|not known|isn t known|undetermined|indeterminate|unanswerable|unsure|uncertain|unclear"
    r"|idk|dunno|no idea|no clue|no answer|n a|na|abstain|pass|skip|beats me|who knows|at a loss|drawing a blank|escapes me"
    r"|beyond (?:me|my)|outside (?:of )?my"
    r"|not (?:available|applicable|enough|sufficient|possible|something|within|appropriate|acceptable|ethical|okay|ok|given|provided"
    r"|specified|stated|mentioned)|insufficient|(?:impossible|difficult|hard) (?:for me )?to"
    rf"|no (?:such|known|real|recogni[sz]ed|actual|sovereign|information|context|data|{_THING})"
    r"|(?:not|isn t|wasn t|aren t|n t|to be)(?: (?:actually|really|currently|widely|an?|the|any))*"
    r" (?:real|actual|existing|recogni[sz]ed|genuine|country|nation|sovereign)"
    r"|(?:not|doesn t|don t|didn t)(?: (?:actually|really|currently))? (?:exist|correspond|match|refer|provide|give|contain|specify|mention"
    r"|state|say|include|cover|appear|seem)|sufficient"
    r"|fictional|made up|imaginary|fictitious|non ?existent|invented|mythical|hypothetical|need (?:to|more)"
    r"|no (?:lo )?sé|no lo se|desconozco|ne sais pas|ignore|aucune id[ée]e|wei(?:ß|ss) (?:ich|es|das|leider|nicht)|keine ahnung"
    r"|non (?:lo )?so|n[ãa]o sei|weet het niet|nie wiem|не знаю)(?: |$)"
    r"|不知道|不清楚|不确定|无法|わかりません|分かりません|知りません|存じません|모르겠|모릅니다|لا أعرف|मुझे नहीं पता"
)
"""What an abstaining answer has among its words; many others have it too."""

PLAIN = (
    r"^(?:sorry )?(?:i(?: m| am)? (?:really |honestly |just )?(?:don t|do not|dont|cannot|can t|can not) "
    r"(?:know|say|tell|answer|recall|remember)(?: (?:the answer|that|this|it))?"
    r"|i (?:have )?no idea|no idea|idk|dunno|(?:i m |i am )?(?:not sure|unsure|uncertain)"
    r"|(?:the answer is )?unknown|not known|n a|no answer"
    r"|(?:it )?can(?:not| t| not) be (?:determined|known|answered))$"
)
"""The rule of a printed query, which has no detector: whole answers (their words) that say nothing else. Its name is ``plain/1``."""

_CUE = re.compile(CUES)


def abstains(answer: str) -> bool:
    """Whether one answer says "I don't know": the reference.

    >>> abstains("I don't know."), abstains("I don't know for sure, but it's Paris."), abstains("Paris")
    (True, False, False)
    """
    return _CUE.search(words(answer)) is not None and _detected(answer)


@lru_cache(maxsize=1 << 16)
def _detected(answer: str) -> bool:
    return find_abstention(answer) is not None


def abstaining(answers: pa.StringArray, keys: pa.StringArray) -> pa.BooleanArray:
    """The same for a column.

    Args:
        answers: (N,) texts.
        keys: (N,) their words.
    """
    cued = pc.match_substring_regex(keys, CUES).fill_null(False)
    found = cued.to_numpy(zero_copy_only=False).copy()
    places = np.flatnonzero(found)
    found[places] = [_detected(answer) for answer in answers.take(pa.array(places)).to_pylist()]
    return pa.array(found)
