"""A chat as the text that a model reads: the template that comes with its file, rendered in Jinja's sandbox.

Templates come from strangers: the sandbox lets them read the messages and nothing else, and they can change nothing.
"""

from __future__ import annotations

import datetime
import json
from typing import Any, NoReturn

from wager.errors import MissingExtraError, ModelError, UsageError
from wager.steering.backend import Chat

__all__ = ["ChatTemplate"]

ROLES = ("system", "user", "assistant")


class ChatTemplate:
    """The template of one model."""

    def __init__(self, template: bytes | str | None, *, name: str, special: dict[str, str]) -> None:
        """Compiles it.

        Args:
            template: Jinja text; None where the model has none: then only chats of one user message can be rendered, as they are.
            name: the model's, for messages.
            special: what the template may write: ``bos_token``, ``eos_token``.

        Raises:
            ModelError: the template is broken.
            MissingExtraError: jinja2 is not installed.
        """
        self._name, self._special = name, special
        self._compiled: Any = None  # Any: a template of Jinja
        if template is None:
            return
        try:
            import jinja2
            import jinja2.sandbox
        except ImportError as error:
            raise MissingExtraError("jinja2", "steer", "the chat template of a GGUF model") from error
        made = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
        made.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
        made.globals |= {"raise_exception": _refuse, "strftime_now": lambda text: datetime.datetime.now().astimezone().strftime(text)}
        try:
            self._compiled = made.from_string(template.decode(errors="replace") if isinstance(template, bytes) else template)
        except jinja2.TemplateError as error:
            raise ModelError(f"the chat template of {name} is broken: {error}") from error
        self._errors = (jinja2.TemplateError, TypeError, ValueError)

    def render(self, chat: Chat) -> str:
        """The text up to where the reply begins.

        Raises:
            UsageError: no messages, a role that is not known, or a chat that the template refuses.
        """
        if not chat:
            raise UsageError("a chat has at least one message, got none")
        for message in chat:
            if message.get("role") not in ROLES:
                raise UsageError(f"a message's role is one of {', '.join(ROLES)}, got {message.get('role')!r}")
        if self._compiled is None:
            if len(chat) > 1:
                raise UsageError(f"{self._name} has no chat template: it takes one message, got {len(chat)}")
            return chat[0]["content"]
        try:
            return str(self._compiled.render(messages=[dict(one) for one in chat], add_generation_prompt=True, **self._special))
        except self._errors as error:
            raise UsageError(f"the chat template of {self._name} refuses this chat: {error}") from error


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)
