"""A reply as evidence, read without a scorer: what it answers, whether it abstains, and the tokens up to the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from wager.elicit.evidence import Reply, Token
from wager.elicit.wording import short_answer
from wager.grading.abstention import find_abstention, is_blank

__all__ = ["finished", "read_reply"]


def read_reply(text: str, tokens: Sequence[Token] = ()) -> Reply:
    """A reply with its answer, as far as it can be told without a scorer.

    What comes after the answer says nothing of how sure it is (a name that a long reply repeats becomes likelier each time): the tokens
    end with it.

    >>> read_reply("The capital of Peru is Lima.").answer, read_reply("I don't know.").is_answer
    ('Lima', False)
    """
    known = not is_blank(text)
    answer = short_answer(text) if known else None
    reply = Reply(text, tuple(tokens), answer, find_abstention(text) is None, known)
    if answer is None:
        return reply
    end, place, written = text.find(answer) + len(answer), 0, 0
    while place < len(reply.tokens) and written < end:
        written += len(reply.tokens[place].text)
        place += 1
    return replace(reply, tokens=reply.tokens[:place])


def finished(text: str, *, cut_off: bool) -> str:
    """A reply without a last sentence that was cut off, where another one stands before it.

    >>> finished("Lima. It lies on the", cut_off=True)
    'Lima.'
    """
    text = text.strip()
    if not cut_off:
        return text
    ends = [match.end() for match in re.finditer(r"[.!?][\"')]?(?=\s)", text)]
    return text[: ends[-1]] if ends else f"{text} ..."
