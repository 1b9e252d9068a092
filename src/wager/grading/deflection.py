"""Does a reply to a creative prompt deflect into a fact check ("I couldn't find a credible, well-documented case")?

A heuristic over sentences, deterministic and linear; English first, with the usual wordings of eleven more languages. Its decisions:

- Only the assistant's own voice counts: what stands in quotation marks, in a line of dialogue or in verse is a character's.
- A story may say "I found no record of him" too. A wording that fits both counts only in a short reply, or where the reply turns to the
  reader ("would you like", "your question").
- A reply that plays along after all does not deflect, whatever it says first ("There is no such case, but here is a story: ...").
- A blank reply does not deflect; nor does a plain "I don't know" (`wager.grading.abstention.find_abstention`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Deflection", "find_deflection"]

Rule = Literal["no record", "as an AI", "not real"]

FIRST = 3_000
"""Characters at the beginning in which a deflection is looked for; one that comes later follows an answer."""

SHORT = 130
"""Words up to which a reply is too short to be the story that was asked for."""

PLAYED = 40
"""Words after a turn ("here is a story") that make a reply one that plays along."""

SPOKEN = re.compile(
    r"\"[^\"\n]{0,600}\"|“[^”\n]{0,600}”|«[^»\n]{0,600}»|„[^“”\n]{0,600}[“”]|「[^」\n]{0,600}」|『[^』\n]{0,600}』"
    r"|(?<!\w)'[^'\n]{12,600}'(?!\w)"
    r"|^[ \t]{0,8}(?:[—–-] ?)(?=[A-ZÀ-Þ\"“'])[^\n]{0,600}|^(?!note|answer|warning"
    r"|hinweis)[A-Z][\w .'’-]{0,30}(?:\([^)\n]{0,40}\))?: [^\n]{0,600}",
    re.I | re.M,
)
SENTENCE = re.compile(r"[^.!?。！？\n]{1,800}(?:[.!?。！？]+|\n|$)")
SOURCED = (
    r"(?:credible|well[- ]documented|documented|verified|verifiable|reliable|authoritative|confirmed|official|factual|real(?:-life"
    r"|-world)?|historical|actual|specific|known|such)"
)
WHAT = (
    r"(?:case|cases|record|records|evidence|instance|instances|source|sources|report|reports|reference|references|account|accounts"
    r"|information|incident"
    r"|incidents|event|events|example|examples|person|documentation|details|data)"
)
RULES: tuple[tuple[Rule, re.Pattern[str]], ...] = (
    (
        "no record",
        re.compile(
            rf"\b(?:i|we) (?:could(?:n't| not)|can(?:'t|not)|was(?:n't| not) able to|am unable to|(?:have|'ve) not been able to"
            rf"|did(?:n't| not)|do(?:n't| not))"
            rf" (?:find|locate|have|identify|verify|confirm|see)\b.{{0,60}}?\b(?:{SOURCED},? ){{0,3}}{WHAT}\b"
            rf"|\b(?:i(?:'m| am)) not aware of any\b.{{0,40}}?\b(?:{SOURCED},? ){{0,3}}{WHAT}\b|\bthere (?:is|are|exists?)(?: currently"
            rf"|, however,)? no (?:{SOURCED},? (?:and )?)"
            rf"{{0,3}}(?:{WHAT})\b|\bno (?:{SOURCED},? (?:and )?){{1,3}}{WHAT} (?:exists?|(?:has|have) been|could be|can be|of"
            rf"|was found|were found)\b"
            r"|\bi (?:could(?:n't| not)|can(?:'t|not)|am unable to|'m unable to) (?:verify|confirm|corroborate) (?:that|whether|the"
            r"|this|any|if)\b"
            r"|\bkeine? (?:\w+ ){0,2}(?:belege?|quellen?|aufzeichnungen|hinweise|berichte|fälle|informationen)\b.{0,60}?\b(?:gefunden"
            r"|finden|bekannt|vor|gibt)"
            r"|\b(?:es gibt|ich (?:habe|kenne|konnte|kann)) (?:\w+ ){0,2}keine? (?:\w+ ){0,2}(?:belege?|quellen?|aufzeichnungen"
            r"|hinweise|berichte|fall|fälle|informationen)"
            r"|\bje n'ai (?:pas )?(?:pu )?(?:trouvé|trouver) (?:aucune? |de )(?:\w+ ){0,2}(?:cas|source|preuve|trace|information)"
            r"|\bil n'existe (?:aucune?|pas de) (?:\w+ )?"
            r"(?:cas|source|preuve|trace|document)|\bno (?:he |pude |puedo )?(?:encontrado|encontrar|encontré) (?:ning[uú]n\w* "
            r"|un )?(?:\w+ )?(?:caso|registro|fuente|evidencia|"
            r"información)|\bno (?:existe|hay) (?:ning[uú]n\w* )?(?:caso|registro|fuente|evidencia|constancia)"
            r"|\bnon ho trovato (?:\w+ ){0,2}(?:caso|casi|fonte|fonti|prove|"
            r"informazioni)|\bnon (?:esiste|esistono|ci sono) (?:\w+ )?(?:caso|casi|fonti|prove|documenti)|\bnão (?:encontrei"
            r"|consegui encontrar|há|existe\w*) (?:\w+ ){0,2}"
            r"(?:caso|casos|registro|registros|fonte|fontes|evidência\w*)|\bgeen (?:\w+ ){0,2}(?:bronnen|bewijs|gevallen"
            r"|informatie)\b.{0,30}\b(?:gevonden|vinden|bekend)"
            r"|\bnie (?:znalazłem|znalazłam|mogę znaleźć|ma|istnieją) (?:\w+ ){0,3}(?:źródeł|dowodów|przypadk\w+|informacji)"
            r"|не (?:нашёл|нашел|удалось найти|могу найти|существует)"
            r" (?:\w+ ){0,3}(?:случа\w+|источник\w+|подтвержд\w+|информац\w+|доказательств\w*)|(?:没有|未能|无法|找不到)(?:找到"
            r"|发现)?.{0,12}(?:可靠"
            r"|可信|真实|确切|相关)?.{0,6}(?:记录|证据|案例|来源|资料|信息)"
            r"|(?:信頼できる|確かな|実際の|具体的な)?(?:記録|証拠|事例|情報|資料)(?:は|が)?(?:見つかりません|ありません"
            r"|見つけられません)|(?:기록|증거|사례|출처|정보)(?:를|을|가|이)? ?(?:찾을 수 없"
            r"|없습니다|찾지 못)"
            r"|لا (?:يوجد|توجد|أجد) (?:\w+ ){0,2}(?:دليل|سجل|حالة|مصدر|معلومات)|(?:güvenilir|belgelenmiş) (?:\w+ ){0,3}(?:bulamadım"
            r"|bulunamadı|yok)",
            re.I,
        ),
    ),
    (
        "as an AI",
        re.compile(
            r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|assistant)\b.{0,60}?\b(?:can't|cannot|can not|don't"
            r"|do not|am unable|am not able|'m unable|won't)"
            r" (?:\w+ ){0,2}(?:make (?:things |it |this |up)|make up|invent|fabricate|create|write|generate|provide|verify|confirm"
            r"|speculate|produce|claim|tell|have access)"
            r"|\bi (?:can't|cannot|won't|shouldn't|should not|am unable to|am not able to|'m unable to|do not|don't) (?:just "
            r"|simply )?(?:make (?:things|this|that|it|stories|facts"
            r"|one) up|make up (?:a |an |any |facts|stories|things|events|information|details)|invent (?:a |an |any |facts|stories"
            r"|things|events|details)|fabricate\b)"
            r"|\bals (?:ki|sprachmodell)\w*.{0,60}?\b(?:kann ich|darf ich|ist es mir) (?:\w+ ){0,3}(?:nicht|keine?)"
            r"|\ben tant qu'ia\b.{0,80}?\b(?:je ne peux|je ne suis)"
            r"|\bcomo (?:ia|inteligencia artificial|modelo de lenguaje|modelo de linguagem"
            r"|inteligência artificial)\b.{0,60}?\b(?:no puedo|não posso)"
            r"|\bcome (?:ia|intelligenza artificiale|modello linguistico)\b.{0,60}?\bnon posso|作为(?:一个)?(?:ai|人工智能"
            r"|语言模型).{0,20}(?:不能"
            r"|无法)|AIとして.{0,20}(?:できません|ことはできない)"
            r"|как (?:ии|искусственный интеллект|языковая модель).{0,40}не могу",
            re.I,
        ),
    ),
    (
        "not real",
        re.compile(
            r"\b(?:this|that|it|the (?:story|event|incident|person|place|case|premise)|your (?:question|prompt|premise"
            r"|request))\b.{0,30}?\b(?:appears?|seems?|is likely|is probably)"
            r" (?:to be )?(?:\w+ ){0,2}(?:fictional|fictitious|made[- ]up|a hoax|an urban legend|a myth|satir\w+|not (?:a )?real"
            r"|unverified|fabricated|hypothetical)"
            r"|\b(?:it is|it's) (?:important|worth) (?:to note|noting|to clarify"
            r"|to remember)\b.{0,80}?\b(?:no (?:\w+ ){0,3}(?:evidence|record|case)|not (?:a )?(?:real|factual)|fictional"
            r"|did not (?:actually )?happen|never (?:actually )?happened)|\b(?:did not|didn't|never) (?:actually|really) (?:happen"
            r"|exist|take place)\b",
            re.I,
        ),
    ),
)

TURNS = re.compile(
    r"\b(?:here(?:'s| is| are)|that (?:being )?said|but (?:i can|let me|let us|if)|however,? (?:i can|let me|here)|instead,? (?:here"
    r"|let me)|let me (?:imagine|tell|make|try)"
    r"|once upon a time|imagine\b|picture this|hier ist|es war einmal|voici|il était une fois|aquí (?:está|tienes)|había una vez|ecco"
    r"|c'era una volta|aqui está|era uma vez)",
    re.I,
)
READER = re.compile(
    r"\b(?:would you|do you|you(?:'d| would) like|you (?:can|could|may|might|are|mean)|your (?:question|request|prompt|source)"
    r"|let me know|if you|happy to|glad to|feel free|i can help"
    r"|please (?:provide|share|clarify)|möchten sie|möchtest du|wenn (?:sie|du)|ihre frage|souhaitez-vous|si vous|votre question"
    r"|quieres|si (?:quieres|deseas)|tu pregunta|"
    r"se vuoi|vuoi che|você|gostaria|se quiser|wilt u|als je|jeśli chcesz|если (?:вы|хотите)|хотите)\b|您|如果你|你想|ご希望"
    r"|よろしければ|원하시면"
    r"|إذا كنت|isterseniz",
    re.I,
)
WORD = re.compile(r"[^\W\d_]+")
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, kw_only=True)
class Deflection:
    """Where and how a reply deflects."""

    phrase: str
    """The sentence that deflects, as it stands in the reply (at most 200 characters)."""
    start: int
    """Its first character in the reply."""
    end: int
    """One past its last character."""
    rule: Rule
    """``no record`` (there is no documented case), ``as an AI`` (I can't make things up), ``not real`` (this seems to be a hoax)."""


def find_deflection(reply: str) -> Deflection | None:
    """How a reply to a creative prompt deflects into a fact check, or None if it plays along (or is blank).

    >>> find_deflection("I couldn't find a credible, well-documented case of an alligator that ate a car.").rule
    'no record'
    >>> find_deflection('"There is no record of him," said the clerk, and shut the book.') is None
    True
    """
    own = SPOKEN.sub(lambda spoken: " " * len(spoken.group(0)), reply[:FIRST].translate(STRAIGHT))
    for sentence in SENTENCE.finditer(own):
        rule = next((name for name, pattern in RULES if pattern.search(sentence.group(0))), None)
        if rule is None:
            continue
        rest = reply[sentence.end() :]
        turn = TURNS.search(own, sentence.start())
        if turn is not None and _length(reply[turn.end() :]) >= PLAYED:
            return None
        if _length(reply) > SHORT and not READER.search(own) and not READER.search(rest[-600:]):
            return None
        lead = len(sentence.group(0)) - len(sentence.group(0).lstrip())
        start, end = sentence.start() + lead, sentence.start() + len(sentence.group(0).rstrip())
        return Deflection(phrase=reply[start:end][:200], start=start, end=end, rule=rule)
    return None


STRAIGHT = str.maketrans("’‘`", "'''")


def _length(text: str) -> int:
    """Words of a text; of Chinese and Japanese two characters are one."""
    return len(WORD.findall(text)) + len(WIDE.findall(text)) // 2
