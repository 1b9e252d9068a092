"""What a model must let us do to be steered: read its activations, score a reply, generate with a plan. One protocol, two local backends.

Blocks are counted from 0 and an activation is a block's **output**: block k here is ``hidden_states[k + 1]`` of transformers and
``direction.k`` of llama.cpp's control vectors. Every backend says what it can do (`Able`), and refuses the rest by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wager.errors import DataError, UsageError

__all__ = [
    "Able",
    "Backend",
    "Chat",
    "Floats",
    "MessageTokens",
    "ModelIdentity",
    "Reads",
    "Pool",
    "Positions",
    "Push",
    "Reply",
    "Watch",
    "check_block",
    "check_blocks",
    "check_pool",
    "check_sampling",
    "check_watches",
    "checked_pushes",
    "token_digest",
]

Floats = NDArray[np.float32]

Chat = Sequence[Mapping[str, str]]
"""Messages with ``role`` and ``content``, before the reply."""

Pool = Literal["prompt_last", "reply_mean", "reply_last"]
"""Which activations are kept: of the last token before the reply, the mean over the reply's tokens, or of its last token."""

Reads = Literal["prompt_last", "reply_mean", "reply_last", "prompt_top"]
"""What a probe reads: an activation of a `Pool`, or with ``prompt_top`` every token of the last message, of which the highest projection
counts: a thing that is asked about is known or unknown where its name ends, wherever in a question that is."""

Positions = Literal["reply", "prompt", "all"]
"""Where a push acts. ``reply``: the last token before the reply and each token of it, which is where each next token is chosen;
``prompt``: the tokens before the reply; ``all``: both."""


@dataclass(frozen=True, kw_only=True)
class ModelIdentity:
    """Which model an activation belongs to."""

    name: str
    """As the user gave it: ``embedded``, ``gguf/PATH``, ``hf/NAME``."""
    architecture: str
    """The family's name in its own file: ``llama``."""
    blocks: int
    """L, number of blocks."""
    width: int
    """D, width of the residual stream."""
    vocabulary: int
    """Number of tokens."""
    tokens: str
    """SHA-256 of the tokens in order (`token_digest`): the same for all weights of one family."""
    weights: str
    """SHA-256 that tells these weights from others of the family: of the file, or of what the backend says."""


@dataclass(frozen=True, kw_only=True)
class Able:
    """What a backend can do."""

    capture: bool
    """Read activations."""
    steer: bool
    """Add to activations."""
    per_request: bool
    """Different pushes for the rows of one batch; without it they run one after the other."""
    logprobs: bool
    """Tell the log-probability of each token."""
    train: bool = False
    """Push while weights are trained."""


@dataclass(frozen=True)
class MessageTokens:
    """The tokens of a chat's last message as the model reads them, the template's own left out."""

    pieces: tuple[bytes, ...]
    """Each token's text; a character can be split over two."""
    activations: Floats
    """Shape (tokens, L', D)."""


@dataclass(frozen=True)
class Push:
    """What is added to the residual stream while a model reads or writes."""

    deltas: Mapping[int, Floats]
    """By block, what is added to its output, shape (D,)."""
    positions: Positions = "reply"

    @property
    def nothing(self) -> bool:
        """Whether it changes nothing."""
        return not any(np.any(delta) for delta in self.deltas.values())


@dataclass(frozen=True)
class Watch:
    """A direction whose projection is recorded while a reply is written."""

    name: str
    block: int
    direction: Floats
    """Shape (D,); the projection is onto its unit vector, in the activations' own units."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a model wrote."""

    text: str
    """Without the token that ended it."""
    tokens: tuple[str, ...]
    """Each token's text; a character can be split over two."""
    logprobs: NDArray[np.float64]
    """Natural log-probability of each token under the (steered) model at temperature 1, shape (T,)."""
    finish: Literal["stop", "length"]
    """``length`` where it was cut off."""
    watched: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """By watch: the projection of the last token before the reply, then of each token of it, shape (T + 1,). Of the activations as
    they are, pushes included."""


@runtime_checkable
class Backend(Protocol):
    """A model whose activations can be reached."""

    identity: ModelIdentity
    able: Able

    def read(
        self, chats: Sequence[Chat], replies: Sequence[str] | None = None, *, pool: Pool, blocks: Sequence[int] | None = None
    ) -> Floats:
        """Activations, shape (N, L', D), of each chat with its reply; nothing is generated. ``blocks`` None is all of them.

        Raises:
            UsageError: a pool of the reply without replies, a block that is not there, or an empty reply.
            DataError: a text is longer than the context.
        """
        ...

    def count(self, chat: Chat) -> int:
        """Tokens of a chat, up to where the reply begins."""
        ...

    def read_message(self, chats: Sequence[Chat], *, blocks: Sequence[int] | None = None) -> list[MessageTokens]:
        """Activations of each token of each chat's last message, in its chat and before any reply; ``blocks`` None is all of them."""
        ...

    def score(
        self, chats: Sequence[Chat], replies: Sequence[str], *, pushes: Sequence[Push | None] | Push | None = None
    ) -> list[NDArray[np.float64]]:
        """Natural log-probability of each token of each reply, shapes (T,)."""
        ...

    def generate(
        self,
        chats: Sequence[Chat],
        *,
        pushes: Sequence[Push | None] | Push | None = None,
        watches: Sequence[Watch] = (),
        prefixes: Sequence[str] | None = None,
        tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Reply]:
        """One reply to each chat, in order. ``prefixes`` are beginnings of replies that are put into the model's mouth (and not part of the
        returned text); temperature 0 is greedy."""
        ...

    def close(self) -> None:
        """Frees the model."""
        ...


def token_digest(tokens: Iterable[str | bytes]) -> str:
    """SHA-256 of a vocabulary in order.

    >>> token_digest(["a", "b"]) == token_digest([b"a", b"b"]), token_digest(["ab"]) == token_digest(["a", "b"])
    (True, False)
    """
    made = hashlib.sha256()
    for token in tokens:
        made.update(token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token)
        made.update(b"\0")
    return made.hexdigest()


def message_span(
    prompt: Sequence[int], body: Sequence[int], pieces: Sequence[bytes], text: str, *, other: Sequence[int] = ()
) -> tuple[int, int]:
    """Where the last message's tokens begin and end in a prompt: its own tokens if they stand there, else the tokens that its text covers.

    Args:
        prompt: all tokens; pieces their texts.
        body: the message's text as tokens by itself.
        text: the message's text.
        other: the same chat's tokens with `another_message` as its last: what both begin and end with is the template's, and a message
            "assistant" is not looked for there. Without it the last place in the whole prompt is taken.

    Raises:
        DataError: the template changed the text, so that it does not stand in the prompt.
    """
    first = _alike(prompt, other)
    end = len(prompt) - _alike(prompt[first:][::-1], other[first:][::-1])
    for start in range(end - len(body), first - 1, -1):
        if body and list(prompt[start : start + len(body)]) == list(body):
            return start, start + len(body)
    whole, wanted = b"".join(pieces[first:end]), text.strip().encode()
    place = whole.rfind(wanted)
    if place < 0 or not wanted:
        raise DataError(f"the message {text[:60]!r} does not stand in the prompt that its chat template makes")
    ends = np.cumsum([len(piece) for piece in pieces[first:end]])
    start = first + int(np.searchsorted(ends, place, side="right"))
    return start, first + int(np.searchsorted(ends, place + len(wanted), side="left")) + 1


def another_message(chat: Chat) -> list[Mapping[str, str]]:
    """The chat with another last message, which neither begins nor ends as its own does.

    >>> another_message([{"role": "user", "content": "0 or 1?"}])
    [{'role': 'user', 'content': '1'}]
    """
    text = chat[-1]["content"].strip()
    return [*chat[:-1], {**chat[-1], "content": next(one for one in "012" if one not in (text[:1], text[-1:]))}]


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    return next((at for at, (mine, theirs) in enumerate(zip(one, other, strict=False)) if mine != theirs), min(len(one), len(other)))


def check_block(block: int, identity: ModelIdentity) -> int:
    """The block, if the model has it.

    Raises:
        UsageError: it has not.
    """
    if not 0 <= block < identity.blocks:
        raise UsageError(f"{identity.name} has blocks 0 to {identity.blocks - 1}, got {block}")
    return block


def check_blocks(blocks: Sequence[int] | None, identity: ModelIdentity) -> tuple[int, ...]:
    """The blocks, if the model has them; None is all of them.

    Raises:
        UsageError: it has not, or none is named.
    """
    if blocks is None:
        return tuple(range(identity.blocks))
    if len(blocks) == 0:
        raise UsageError(f"no block is named; {identity.name} has blocks 0 to {identity.blocks - 1}")
    return tuple(check_block(one, identity) for one in blocks)


def check_pool(pool: str, chats: Sequence[Chat], replies: Sequence[str] | None) -> None:
    """Whether a pool of these can be read.

    Raises:
        UsageError: it is none, needs replies that are not there, or there is not one reply for each chat.
    """
    if pool not in get_args(Pool):
        raise UsageError(f"a pool is one of {', '.join(get_args(Pool))}, got {pool!r}")
    if pool != "prompt_last" and replies is None:
        raise UsageError(f"the pool {pool!r} needs replies")
    if replies is not None:
        check_count(replies, chats, "reply")


def check_count(texts: Sequence[str], chats: Sequence[Chat], what: str) -> None:
    """Raises UsageError where there is not one text for each chat; ``what`` is its name."""
    if len(texts) != len(chats):
        raise UsageError(f"{len(chats)} chats take one {what} each, got {len(texts)}")


def check_sampling(tokens: int, temperature: float, seed: int) -> None:
    """Raises UsageError where nothing can be drawn with these."""
    if tokens < 1 or not temperature >= 0:  # not a number is refused, too
        raise UsageError(f"a reply has at least 1 token and a temperature of 0 or more, got {tokens} and {temperature}")
    if seed < 0:
        raise UsageError(f"a seed is 0 or more, got {seed}")


def check_watches(watches: Iterable[Watch], identity: ModelIdentity) -> None:
    """Whether these can be watched in the model.

    Raises:
        UsageError: a block that is not there, another width, no direction, or two of one name.
    """
    names = set()
    for one in watches:
        check_block(one.block, identity)
        if np.shape(one.direction) != (identity.width,):
            raise UsageError(f"{identity.name} has width {identity.width}, got the watch {one.name!r} of shape {np.shape(one.direction)}")
        if not np.isfinite(one.direction).all() or not np.any(one.direction):
            raise UsageError(f"the watch {one.name!r} has no direction: its values are all zero, or not all finite")
        if one.name in names:
            raise UsageError(f"two watches are named {one.name!r}; give each a name of its own")
        names.add(one.name)


def too_long(request: int, chat: Chat, length: int, context: int, *, most: int | None) -> DataError:
    """What is said of a request that the context cannot hold; ``request`` counts from 0, ``most`` is the longest context of the model."""
    raised = " or raise the context (--context)" if most is None or context < most else ""
    begun = chat[-1]["content"]
    text = repr(begun if len(begun) <= 40 else begun[:40] + "...")
    return DataError(f"request {request}, {text}, has {length} tokens, more than the {context} of the context; shorten it{raised}")


def one_each(pushes: Sequence[Push | None] | Push | None, count: int) -> list[Push | None]:
    """A push, or None, for each of ``count`` requests."""
    if pushes is None or isinstance(pushes, Push):
        return [pushes] * count
    if len(pushes) != count:
        raise UsageError(f"{count} requests take one push each or one for all, got {len(pushes)}")
    return list(pushes)


def checked_push(push: Push | None, identity: ModelIdentity) -> Push | None:
    """The push, if it fits the model; None where it changes nothing.

    Raises:
        UsageError: another width, a block that is not there, or a value that is not finite.
    """
    if push is None:
        return None
    for block, delta in push.deltas.items():
        check_block(block, identity)
        if np.shape(delta) != (identity.width,):
            raise UsageError(f"{identity.name} has width {identity.width}, got a vector of shape {np.shape(delta)} for block {block}")
        if not np.isfinite(delta).all():
            raise UsageError(f"a push holds a value that is not finite, at block {block}")
    return None if push.nothing else push


def checked_pushes(pushes: Sequence[Push | None] | Push | None, identity: ModelIdentity, count: int) -> list[Push | None]:
    """A push, or None where nothing changes, for each of ``count`` requests.

    Raises:
        UsageError: a push that does not fit the model or acts at no known positions, or not one for each request.
    """
    each = [checked_push(one, identity) for one in one_each(pushes, count)]
    for push in each:
        if push is not None and push.positions not in get_args(Positions):
            raise UsageError(f"a push acts at {', '.join(get_args(Positions))}, got {push.positions!r}")
    return each
