"""Text to search terms: folded words, pairs of characters where a script has no blanks, and the words that say nothing.

A heuristic for many languages at once. Words lose case, accents and an English plural (Harman 1991, "How effective is suffixing?"); runs of
Han, kana, Hangul, Thai, Lao, Khmer and Burmese become overlapping pairs of characters, as in Lucene's CJK analyser.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata

__all__ = ["STOP_WORDS", "content_terms", "is_blankless", "terms"]

_LISTS = {
    "en": "a about all also am an and any are as at be been being but by can could did do does doing for from had has have having he"
    " her here hers him his how i if in into is it its itself just me more most my no nor not of on or our out please she should"
    " so some such tell than that the their them then there these they this those to too up us very was we were what when where"
    " which while who whom whose why will with would you your",
    "de": "aber als am an auch auf aus bei bin bis bist da dann das dass dein dem den der des die dies diese dieser doch du durch ein"
    " eine einem einen einer eines er es fur hat hatte hatten ich ihr ihre im in ist ja kann mein mir mit nach nicht noch nur ob"
    " oder sein seine sich sie sind so uber um und uns unter vom von vor wann war waren warum was welche welcher welches wem wen"
    " wenn wer werden wie wieso wir wird wo wurde wurden zu zum zur",
    "fr": "a ai as au aux avec ce ces cet cette comment d dans de des du elle en est et etait ete etre eu fut il ils j je l la le les"
    " leur lui ma mais me mes moi mon n ne nos notre nous on ont ou par pas plus pour pourquoi qu quand que quel quelle quelles"
    " quels qui quoi s sa se ses si son sont sur ta te tes toi ton tu un une vos votre vous y",
    "es": "a al como con cual cuales cuando cuanto cuantos de del desde donde e el ella ellos en entre era es esa ese eso esta este"
    " esto fue ha han hay la las le les lo los me mi mas muy no nos o para pero por porque que quien quienes se ser si sin sobre"
    " son su sus te tiene tu un una uno unos y ya yo",
    "it": "a ad ai al alla alle che chi ci come con cosa cui da dal dalla dei del della delle di dove e ed era gli ha hanno i il in"
    " io la le lo loro ma mi ne nei nel nella non o per perche piu quale quali quando quanto quanti quella quello questa questo"
    " se si sono su sua sue sui sul sulla suo tra un una uno",
    "pt": "a ao aos as com como da das de do dos e ela ele em entre era essa esse esta este eu foi ha isso isto ja la mais mas me meu"
    " minha muito na nas nao no nos o onde os ou para pela pelo por porque quais qual quando quantos que quem se sem ser seu sua"
    " sao tem um uma voce",
    "nl": "aan als bij dan dat de der die dit door een en er had heb heeft het hij hoe ik in is je kan maar me met mijn naar niet nog"
    " nu of om ook op over te tot uit van veel voor waar waarom wanneer wat welk welke werd wie wordt worden zijn ze zich zij zo"
    " zou",
    "ru": "а без бы был была были было в вам вас во все вы где для до его ее если есть же за и из или им их к как какая какие какои"
    " каков когда кто ли меня мне мы на над не него нет но ну о об он она они оно от по под при с со так такои там то тоже"
    " только ты у уже что чтобы это этот я",
}
STOP_WORDS: frozenset[str] = frozenset(itertools.chain.from_iterable(words.split() for words in _LISTS.values()))
"""Words that say nothing of the subject of a question, in eight languages, without accents."""

_BLANKLESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af"  # kana, Hangul
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_RUNS = re.compile(f"([{_BLANKLESS}]+)")
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u0652\u0670]")
_EMPTY_PAIR = re.compile("[\u3040-\u309f]{1,2}|.?[的了吗呢么是].?|什.|哪.")
"""Pairs that say little: Japanese endings in hiragana, Chinese particles and question words."""


def is_blankless(term: str) -> bool:
    """Whether the script of the term is written without blanks between words, or with few (Korean)."""
    return _RUNS.fullmatch(term) is not None


def terms(text: str, *, every: bool = False) -> list[str]:
    """The search terms of a text, in their order and with repetitions.

    Args:
        text: any text.
        every: as an index needs them: of a run without blanks also the last character, so that a single one is the beginning of some term.

    >>> terms("The Capitals of Perú")
    ['the', 'capital', 'of', 'peru']
    >>> terms("東京都 2020")
    ['東京', '京都', '2020']
    """
    return [term for _, term in _split(text, every=every)]


def content_terms(question: str) -> list[str]:
    """The terms that say what a question is about, each once; all of its terms where every one is a stop word.

    >>> content_terms("What is the capital of Peru?")
    ['capital', 'peru']
    """
    split = list(_split(question, every=False))
    telling = [term for word, term in split if word not in STOP_WORDS and not _EMPTY_PAIR.fullmatch(word)]
    return list(dict.fromkeys(telling or [term for _, term in split]))


def _split(text: str, *, every: bool) -> list[tuple[str, str]]:
    """Pairs of a folded word and its term."""
    found: list[tuple[str, str]] = []
    for token in _token().findall(_folded(text)):
        if token.isascii():
            found.append((token, _singular(token)))
            continue
        for run in filter(None, _RUNS.split(token)):
            if len(run) == 1 or not is_blankless(run):
                found.append((run, run))
            else:
                found += [(run[at : at + 2],) * 2 for at in range(len(run) - (0 if every else 1))]
    return found


@functools.cache
def _token() -> re.Pattern[str]:
    r"""Letters, digits and marks: ``\w`` without the underscore, and with the vowel signs of Indic scripts, which it lacks."""
    marks = "".join(re.escape(chr(code)) for code in range(0x300, 0x1200) if unicodedata.category(chr(code))[0] == "M")
    later = "".join(re.escape(chr(code)) for code in range(0x1200, 0xFB00) if unicodedata.category(chr(code))[0] == "M")
    return re.compile(rf"(?:[^\W_]|[{marks}{later}])+")


def _folded(text: str) -> str:
    """Without case, accents and the many widths of East Asian characters."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart))


def _singular(word: str) -> str:
    """Harman's S-stemmer, the mildest there is: it hardly ever joins words of different meaning."""
    if len(word) < 4 or word[-1] != "s" or word[-2] in "us":
        return word
    if word.endswith("ies"):
        return word if word[-4] in "ea" else word[:-3] + "y"
    return word[:-1]
