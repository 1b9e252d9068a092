"""What a system prompt says of the task as a whole: a short table of plain roles, and nothing when in doubt.

Only the first sentence is read, and only where it gives the assistant a role ("You are a translator."). A sentence with the roles of two
kinds says nothing, nor does a role that is not in the table: the detector then looks at the user's own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from wager.detection.features import folded

__all__ = ["ROLES", "hinted"]

READ = 400
"""Characters of a system prompt that are looked at."""

OPENINGS: Final = re.compile(
    r"\b(?:you are|you're|act as|you act as|your (?:role|task|job) is|du bist|sie sind|deine aufgabe ist|tu es|vous êtes|"
    r"ton rôle est|eres|tú eres|usted es|actúa como|tu tarea es|você é|aja como|sua tarefa é|sei|agisci come|"
    r"il tuo compito è|je bent|jij bent|u bent|jouw taak is|jesteś|twoim zadaniem jest|ты|вы|твоя задача|sen bir|"
    r"görevin)\b|أنت|आप एक|तुम एक|你是|您是|あなたは|당신은|너는"
)
"""How a role is given."""

ROLES: Final[Mapping[str, str]] = {
    "transform": (
        r"translator|translation (?:assistant|engine|tool)|translate|summari[sz]er"
        r"|summari[sz]e (?:the|every|all|each|whatever|any)|proofreader|copy ?editor|(?:über|ueber)setzer(?:in)?"
        r"|übersetzungs\w+|lektor(?:in)?|traducteur|traductrice|correcteur|traductora?|corrector|tradutora?|revisora?"
        r"|traduttore|traduttrice|vertaler|tłumacz(?:ka|em)?|переводчик|çevirmen|مترجم|अनुवादक|翻译(?:员|助手|家)?|翻訳(?:者|家|アシスタント)"
        r"|번역가|번역 도우미"
    ),
    "debugging": (
        r"debugging (?:assistant|expert|helper)|debugger|log (?:analyst|analysis|analy[sz]er)"
        r"|(?:site reliability|sre|incident|on-call) (?:engineer|assistant|analyst)|stack trace (?:analyst|expert)"
        r"|fehlersuche|log-?analyse|assistant de débogage|asistente de depuración|assistente de depuração|assistente di debug"
        r"|отладчик|hata ayıklama|调试助手|日志分析\w*|デバッグ(?:アシスタント|担当)|디버깅 (?:도우미|전문가)"
    ),
    "creative": (
        r"creative writ(?:er|ing)|novelist|poet|storyteller|playwright|screenwriter|songwriter|lyricist|dichter(?:in)?"
        r"|schriftsteller(?:in)?|geschichtenerzähler(?:in)?|poète|romanci(?:er|ère)|conteu(?:r|se)|poeta|novelista|romancista"
        r"|romanziere|schrijver|poetą|pisarzem|поэт|писатель|сказочник|şair|yazar|شاعر|कवि|诗人|小说家|詩人|小説家|시인|소설가"
    ),
    "brainstorm": (
        r"brainstorm(?:ing)?(?: partner| assistant)?|idea generator|ideengeber(?:in)?|générateur d'idées|generador de ideas"
        r"|gerador de ideias|generatore di idee|генератор идей|fikir üretici|头脑风暴\w*|ブレインストーミング\w*|브레인스토밍\w*"
    ),
    "personal": (
        r"(?:empathetic|supportive|caring) (?:listener|companion|friend)|emotional support(?: companion| assistant)?"
        r"|listening ear|einfühlsame[rn]? (?:zuhörer(?:in)?|begleiter(?:in)?)|écoute bienveillante|oyente empátic[oa]"
        r"|ouvinte empátic[oa]|ascoltatore empatico|empathische luisteraar|empatyczny słuchacz|сочувствующий слушатель"
        r"|empatik dinleyici|倾听者|聞き役|공감하는 상담자"
    ),
    "reasoning": (
        r"math(?:s|ematics)? (?:tutor|teacher|solver|assistant)"
        r"|(?:senior |expert )?(?:python |java |software )?(?:programmer|coding assistant|code generator|software developer)"
        r"|mathelehrer(?:in)?|programmierassistent(?:in)?|professeur de math\w*|profesora? de matemáticas"
        r"|professora? de matemática|insegnante di matematica|wiskundeleraar|программист|учитель математики"
        r"|matematik öğretmeni|编程助手|数学老师|数学教師|プログラマー|수학 선생님|프로그래머"
    ),
    "factual": (
        r"(?:fact-?checker|encyclop(?:a)?edia|reference librarian|trivia (?:expert|assistant)|quizmaster)|faktenprüfer(?:in)?"
        r"|enzyklopädie|encyclopédie|enciclopedia|enciclopédia|encyclopedie|encyklopedią|энциклопедия|ansiklopedi|百科全书|百科事典"
        r"|백과사전"
    ),
    "smalltalk": (
        r"chit-?chat (?:bot|partner|companion)|small ?talk (?:bot|partner)|plauder(?:bot|partner|partnerin)|собеседник"
        r"|闲聊(?:机器人|伙伴)|雑談(?:相手|ボット)|잡담 친구"
    ),
}
"""By kind, the roles that are wholly about it."""

_LETTERS: Final = "a-zß-žа-яё"  # scripts that put blanks between words
_ROLES: Final = {kind: re.compile(rf"(?<![{_LETTERS}])(?:{roles})(?![{_LETTERS}])") for kind, roles in ROLES.items()}
_NOT: Final = re.compile(r"\b(?:not|never|isn't|aren't|kein|keine|nicht|pas|no|não|non|niet|geen|nie|не|değil)\b|不是|ではない|아니")
_END: Final = re.compile(r"[.!?\n。！？]")


def hinted(system: str | None) -> tuple[str, str] | None:
    """The kind that a system prompt is wholly about, and the words that say so; None when in doubt.

    >>> hinted("You are a translator. Reply in French.")
    ('transform', 'translator')
    >>> hinted("You are a helpful assistant.") is None
    True
    >>> hinted("You are a poet and translator.") is None
    True
    """
    if not system or not system.strip():
        return None
    first = _END.split(folded(system[:READ].encode("utf-8", "replace").decode()).strip(), maxsplit=1)[0]
    opening = OPENINGS.search(first)
    if opening is None or _NOT.search(first):
        return None
    found = {kind: match.group() for kind, roles in _ROLES.items() if (match := roles.search(first)) is not None}
    return next(iter(found.items())) if len(found) == 1 else None
