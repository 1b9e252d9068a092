"""A person speaks about their life: reflect and ask before advising, invent nothing; in danger of life, hand over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wager.elicit.reading import finished
from wager.gateway.confidence import is_local
from wager.gateway.judging import no_answer
from wager.gateway.task import Task, Verdict, with_instruction
from wager.gateway.wire import text_of
from wager.grading.support import check, gentler, language_of

__all__ = ["HANDOVER", "hand_over", "support"]

Json = dict[str, Any]

WHY = "nothing is decided for personal messages: there is no target"
LONGEST = 120
"""Tokens of a reply of a model on this machine, where the client says nothing: it is asked for a few sentences."""
AGAIN = "Reply in two or three warm sentences. Name what the user feels. End with one open question. No list, no advice, no numbers."

HANDOVER: Mapping[str, str] = {
    "en": (
        "I'm really glad you told me. What you describe sounds serious, and you deserve a person beside you now, not a program. "
        "If you or someone else is in danger, call your local emergency number (112 in Europe, 911 in the US and Canada, 999 in the UK) "
        "or a crisis line; findahelpline.com lists free, confidential ones by country. If you can, tell someone near you right now. "
        "I am here to listen meanwhile."
    ),
    "de": (
        "Danke, dass du mir das sagst. Das klingt ernst, und du verdienst jetzt einen Menschen an deiner Seite, kein Programm. "
        "Bist du oder ist jemand in Gefahr, ruf bitte sofort 112 an. Die Telefonseelsorge ist Tag und Nacht kostenlos da: 0800 111 0 111; "
        "für andere Länder siehe findahelpline.com. Wenn es geht, sag es jetzt jemandem in deiner Nähe. Ich höre dir solange zu."
    ),
    "fr": (
        "Merci de me le dire. Ce que vous décrivez est grave, et vous méritez d'avoir une personne près de vous, pas un programme. "
        "En cas de danger, appelez le 112. En France, le 3114 répond jour et nuit, gratuitement ; pour les autres pays, voyez "
        "findahelpline.com. Si vous le pouvez, parlez-en maintenant à quelqu'un de proche. En attendant, je vous écoute."
    ),
    "es": (
        "Gracias por contármelo. Lo que describes parece grave, y mereces tener a una persona a tu lado, no un programa. "
        "Si tú u otra persona está en peligro, llama al 112 o al número de emergencias de tu país. En España, el 024 atiende día y noche, "
        "gratis; para otros países, mira findahelpline.com. Si puedes, díselo ahora a alguien cercano. Mientras tanto, te escucho."
    ),
}
"""What is said to somebody in danger of life, by language; English where there is no other. A configuration's ``[crisis]`` replaces it."""


def hand_over(task: Task, texts: Mapping[str, str]) -> Verdict:
    """The fixed text for signs of crisis: no model is asked, and nothing is decided."""
    said = "\n".join(text_of(one) for one in task.ask.messages if one["role"] == "user")  # one word is too little to tell a language by
    text = texts.get(language_of(said[-2000:])) or texts.get("en") or HANDOVER["en"]
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return Verdict(
        choice=choice,
        text=text,
        act="support",
        reason="There are signs of crisis: the fixed text is given, and no model is asked.",
        no_confidence="no model was asked",
        rule="crisis",
    )


async def support(task: Task) -> Verdict:
    """The model's reply, if it reflects, asks before it advises, and invents nothing; asked once more, then mended, if not."""
    choice = await _drawn(task, "")
    nothing = no_answer(choice)
    if nothing is not None:
        return nothing
    problems = _problems(task, text_of(choice["message"]))
    if not problems:
        return _verdict(choice, None, "It reflects, and asks before it advises.")
    again = await _drawn(task, AGAIN)
    text = text_of(again.get("message") or {})
    if text.strip() and not _problems(task, text):
        return _verdict(again, None, f"Asked twice: the first reply {problems}.")
    prompt = task.ask.prompt
    mended = gentler(text if text.strip() else text_of(choice["message"]), prompt, language_of(prompt))
    return _verdict(again if text.strip() else choice, mended, f"Mended: the model's reply {_problems(task, text) or problems}.")


def _problems(task: Task, text: str) -> str:
    """What is wrong with a reply, in words; blank if nothing."""
    found = check(text, task.ask.prompt)
    wants_question = task.knobs.clarify == "first" and not task.ask.asked_back
    wrong = {
        "asks nothing": wants_question and not found.asks_back,
        "does not take up what was said": not found.reflects,
        "is a list of advice": bool(found.lists),
        "states facts that nobody gave": bool(found.invented),
        "turns away": bool(found.deflects),
    }
    return ", ".join(what for what, holds in wrong.items() if holds)


async def _drawn(task: Task, more: str) -> Json:
    named = any(task.ask.body.get(name) is not None for name in ("max_tokens", "max_completion_tokens"))
    capped = is_local(task.meter) and not named
    asked = task.asking(n=None, max_tokens=LONGEST) if capped else task.asking(n=None)
    if more:
        asked["messages"] = with_instruction(asked["messages"], more)
    response = await task.meter.chat(asked)
    choice: Json = dict(response["choices"][0])
    if capped and choice.get("finish_reason") == "length":  # our limit, not the client's: it need not see half a sentence
        message = choice["message"]
        choice |= {"message": {**message, "content": finished(text_of(message), cut_off=True)}, "finish_reason": "stop"}
    return choice


def _verdict(choice: Json, text: str | None, reason: str) -> Verdict:
    return Verdict(choice=choice, text=text, act="support", reason=reason, no_confidence=WHY)
