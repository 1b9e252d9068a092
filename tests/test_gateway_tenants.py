"""Several clients, one gateway: each pays for what it asks and sees what it asked; and what nobody allowed to keep is kept nowhere."""

import asyncio
import contextlib
import io
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from gateway_inside import USAGE, Inside, Reply, Ruled, Said, answering, knobs, policy
from wager.gateway.app import Gateway, application
from wager.gateway.charging import Bill
from wager.gateway.decision import Spent
from wager.gateway.journal import SqliteJournal
from wager.gateway.keys import Key, Keys, hash_key
from wager.gateway.limits import MemoryLimits
from wager.gateway.logs import configure
from wager.gateway.metrics import Metrics
from wager.gateway.settings import Settings
from wager.gateway.upstream import Answered, UpstreamError
from wager.lookup.passages import Found, Passage

ALICE, BOB, ROOT = (f"wager-{letter * 40}" for letter in "abr")
BUDGET = 100_000
CANARY = "zyxcanary"

Json = dict[str, Any]


class Telling(Ruled):
    """A server whose raw answers a test writes."""

    body: bytes = b'{"choices": []}'
    events: tuple[bytes, ...] = ()
    silent = False
    """Tells no usage of its decided answers."""
    hangs = False
    """Answers nothing."""
    passed = 0
    """Bytes of the last request that was passed through as a stream."""

    async def chat(self, request: Json) -> Json:
        await self.waits()
        found = await super().chat(request)
        return {name: value for name, value in found.items() if name != "usage"} if self.silent else found

    async def waits(self) -> None:
        if self.hangs:
            await asyncio.sleep(10)

    async def stream(self, request: Json) -> AsyncIterator[Json]:
        await self.waits()
        async for one in super().stream(request):
            if not (self.silent and "usage" in one):
                yield one

    async def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        await self.waits()
        return Answered(status=200, body=self.body, headers={"content-type": "application/json"})

    async def send_stream(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        await self.waits()
        self.passed = len(body or b"")
        for one in self.events:
            yield one


class Tenants(Inside):
    """A gateway with three keys: alice and bob with a budget, root who sees all."""

    def __init__(self, client: TestClient, model: Telling, gateway: Gateway) -> None:
        super().__init__(client, model)
        self.told, self.gateway = model, gateway

    def by(self, key: str, method: str, path: str, body: object = None, **headers: str) -> Any:
        """One request with a key."""
        return self.ask(method, path, body, headers={"authorization": f"Bearer {key}", **headers})

    def spent(self, name: str = "alice") -> int:
        """Tokens charged to a key so far."""
        limits = self.gateway.limits
        assert isinstance(limits, MemoryLimits)
        return limits._spent.get(name, (0, 0))[1]


@contextlib.contextmanager
def tenants(rules: Mapping[str, Reply], folder: Path, *, keep_text: bool = False, keyed: bool = True, **options: Any) -> Iterator[Tenants]:
    model = Telling(rules)
    keys = [
        Key(name="alice", hash=hash_key(ALICE), tokens_per_day=BUDGET),
        Key(name="bob", hash=hash_key(BOB), tokens_per_day=BUDGET),
        Key(name="root", hash=hash_key(ROOT), admin=True),
    ]
    journal = SqliteJournal(folder / "journal", keep_text=keep_text)
    gateway = Gateway(
        settings=Settings(page=False),
        answering=answering(model, options.pop("policy", policy()), **options),
        upstream=model,
        keys=Keys(keys) if keyed else Keys(),
        limits=MemoryLimits(),
        journal=journal,
        metrics=Metrics(),
    )

    @contextlib.asynccontextmanager
    async def life(app: Any) -> AsyncIterator[None]:
        await journal.start()
        yield
        await journal.close()

    with TestClient(application(gateway, lifespan=life), base_url="http://localhost") as client:
        yield Tenants(client, model, gateway)


def asking(prompt: str, **more: Any) -> Json:
    return {"messages": [{"role": "user", "content": prompt}], **more}


def size(body: object) -> int:
    return len(json.dumps(body).encode())


# Budgets


def test_a_bill_is_the_usage_that_is_told_or_a_quarter_of_the_bytes() -> None:
    told, untold, vectors = Bill(400), Bill(400), Bill(400)
    told.body(b'{"usage": {"prompt_tokens": 5, "total_tokens": 5}}')
    untold.body(b'{"usage": {"prompt_tokens": 0, "completion_tokens": true}}')
    vectors.body(b'{"data": [{"embedding": [0.5]}]}', text=False)
    assert told.tokens(ended=True) == 5
    assert untold.tokens(ended=True) == 115  # 400 and 58 bytes
    assert vectors.tokens(ended=True) == 100


def test_a_bill_of_a_stream_counts_texts_and_takes_the_last_usage() -> None:
    bill = Bill(0)
    bill.stream(b'data: {"choices": [{"delta": {"role": "assistant", "content": "12345678"}}], "usage": null}\n\n')
    bill.stream(b'event: response.output_text.delta\r\ndata: {"delta": "1234", "type": "response.output_text.delta"}\r\n\r\n: hm\n\n')
    assert bill.tokens(ended=True) == 3
    bill.stream(b'data: {"response": {"usage": {"input_tokens": 1, "output_tokens": 1}}}\n\ndata: [DONE]\n\n')
    assert bill.tokens(ended=True) == 2
    assert bill.tokens(ended=False) == 3  # what was sent after it was told is not in it
    bill.stream(b"data: {half of a\n\n")
    assert bill.tokens(ended=False) == 6


def test_a_bill_of_a_decided_request_is_that_of_its_calls() -> None:
    bill = Bill(40)
    bill.text("1234")
    assert bill.tokens(ended=True, spent=Spent(calls=2, tokens_in=3, tokens_out=4)) == 7
    assert bill.tokens(ended=False, spent=Spent(calls=2, tokens_in=3, tokens_out=4)) == 11
    assert bill.tokens(ended=True, spent=Spent(calls=1)) == 11
    assert bill.tokens(ended=True, spent=Spent()) == 0


RAW = {"x-wager-act": "raw"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/embeddings"])
def test_what_is_passed_through_is_charged(tmp_path: Path, path: str) -> None:
    body = asking("Hello", input="Hello")
    with tenants({}, tmp_path) as served:
        served.told.body = b'{"usage": {"prompt_tokens": 30, "completion_tokens": 12}}'
        assert served.by(ALICE, "POST", path, body, **RAW).status == 200
        assert served.spent() == 42
        served.told.body = b'{"data": "%s"}' % (b"x" * 400)
        assert served.by(BOB, "POST", path, body, **RAW).status == 200
        answered = 0 if path == "/v1/embeddings" else len(served.told.body)
        assert served.spent("bob") == -(-(size(body) + answered) // 4)


def test_a_raw_stream_is_charged_and_a_spent_budget_refuses_the_next(tmp_path: Path) -> None:
    body = asking("Hello", stream=True, wager={"act": "raw"})
    with tenants({}, tmp_path) as served:
        served.told.events = (
            b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n',
            b'data: {"choices": [], "usage": {"total_tokens": 100000}}\n\ndata: [DONE]\n\n',
        )
        served.by(ALICE, "POST", "/v1/chat/completions", body)
        assert served.spent() == BUDGET
        refused = served.by(ALICE, "POST", "/v1/chat/completions", body)
        assert (refused.status, refused.json["error"]["code"]) == (429, "insufficient_quota")
        assert served.by(ALICE, "POST", "/v1/embeddings", {"input": "x"}).status == 429


@pytest.mark.parametrize("stream", [False, True])
def test_decided_requests_are_charged_as_told_or_by_their_bytes(tmp_path: Path, stream: bool) -> None:
    body = asking("Good morning!", wager={"kind": "smalltalk"}, stream=stream)
    with tenants({"": "Good morning to you"}, tmp_path) as served:
        assert served.by(ALICE, "POST", "/v1/chat/completions", body).status == 200
        assert served.spent() == USAGE["total_tokens"]
        served.told.silent = True
        assert served.by(BOB, "POST", "/v1/chat/completions", body).status == 200
        assert served.spent("bob") == -(-(size(body) + len("Good morning to you")) // 4)


def test_a_failed_call_is_not_charged(tmp_path: Path) -> None:
    with tenants({"": UpstreamError(502, "gone")}, tmp_path) as served:
        assert served.by(ALICE, "POST", "/v1/chat/completions", asking("What is it?", wager={"kind": "factual"})).status == 502
        assert served.spent() == 0


class Left:
    """A client that reads so many events of a stream and goes; in place of a server, so that when it goes is known."""

    def __init__(self, served: Tenants, body: Json, events: int, *, cut: bool = False) -> None:
        self._app, self._body, self._left, self._cut = served.client.app, json.dumps(body).encode(), events, cut
        self.sent = b""

    async def receive(self) -> Json:
        body, self._body = self._body, b""
        if not body:
            while self._left > 0:
                await asyncio.sleep(0.01)
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Json) -> None:
        if self._cut:
            raise OSError("gone")
        if message.get("body"):
            self._left -= 1
            self.sent += message["body"]
            if self._left <= 0:
                await asyncio.sleep(10)

    def run(self) -> None:
        headers = [(b"authorization", f"Bearer {ALICE}".encode()), (b"content-length", str(len(self._body)).encode())]
        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers, "query_string": b""}
        with contextlib.suppress(ClientDisconnect):
            asyncio.run(self._app({**scope, "asgi": {"spec_version": "2.4" if self._cut else "2.3"}}, self.receive, self.send))  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"act": "raw"}, {"kind": "smalltalk"}])
def test_a_client_that_leaves_a_stream_pays_for_what_it_got(tmp_path: Path, options: Json) -> None:
    body = asking("Good morning!", stream=True, wager=options)
    with tenants({"": "Good morning to you"}, tmp_path) as served:
        served.told.events = tuple(
            b'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n' % text for text in (b"Good", b" morning", b" to")
        )
        client = Left(served, body, 2)
        client.run()
        assert client.sent.count(b"data: ") == 2
        asked = served.told.passed if "act" in options else size(body)
        assert served.spent() == -(-(asked + len("Good morning")) // 4)


@pytest.mark.parametrize("options", [{"act": "raw"}, {"kind": "smalltalk"}])
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_before_the_answer_pays_for_its_request(tmp_path: Path, options: Json, stream: bool) -> None:
    body = asking("Good morning!", stream=stream, wager=options)
    with tenants({"": "Good morning to you"}, tmp_path) as served:
        served.told.hangs = True
        Left(served, body, 0).run()
        assert served.spent() > 10


@pytest.mark.parametrize("options", [{"act": "raw"}, {"kind": "smalltalk"}])
def test_a_connection_that_breaks_before_the_first_event_is_charged(tmp_path: Path, options: Json) -> None:
    with tenants({"": "Good morning to you"}, tmp_path) as served:
        served.told.events = (b'data: {"choices": []}\n\n',)
        Left(served, asking("Good morning!", stream=True, wager=options), 1, cut=True).run()
        assert served.spent() > 10


# Whose decisions


def test_a_key_sees_and_judges_its_own_decisions_and_an_administrator_all(tmp_path: Path) -> None:
    ask = asking("Good morning!", wager={"kind": "smalltalk"})
    with tenants({"": "Good morning"}, tmp_path, keep_text=True) as served:
        mine = served.by(ALICE, "POST", "/v1/chat/completions", ask).wager["id"]
        streamed = served.by(BOB, "POST", "/v1/chat/completions", {**ask, "stream": True}).verdict["id"]
        for key, seen in ((ALICE, [mine]), (BOB, [streamed]), (ROOT, [streamed, mine])):
            listed = served.by(key, "GET", "/v1/wager/decisions").json["data"]
            assert [one["id"] for one in listed] == seen
            assert "client" not in listed[0]
            assert served.by(key, "GET", "/v1/wager/summary").json["decisions"] == len(seen)
            for id in (mine, streamed):  # noqa: A001
                status = 200 if id in seen else 404
                assert served.by(key, "GET", f"/v1/wager/decisions/{id}").status == status
        judged = {"id": mine, "verdict": "wrong"}
        assert served.by(BOB, "POST", "/v1/feedback", judged).status == 404
        assert served.by(ALICE, "GET", "/v1/wager/decisions").json["data"][0]["feedback"] is None
        assert served.by(BOB, "GET", f"/v1/wager/decisions?before={mine}").json["data"] == []
        assert served.by(ROOT, "POST", "/v1/feedback", judged).status == 200
        assert served.by(ALICE, "POST", "/v1/feedback", judged).status == 200
        assert served.by(ALICE, "GET", "/v1/wager/summary").json["feedback"]["wrong"] == 1
        assert served.by(BOB, "GET", "/v1/wager/summary").json["feedback"]["wrong"] == 0


@pytest.mark.parametrize("path", ["/metrics", "/v1/wager/decisions"])
def test_without_keys_no_page_of_another_site_reads_the_numbers(tmp_path: Path, path: str) -> None:
    with tenants({}, tmp_path, keyed=False) as served:
        assert served.ask("GET", path).status == 200
        assert served.ask("GET", path, headers={"host": "evil.example"}).status == 403
        assert served.ask("GET", path, headers={"origin": "http://evil.example"}).status == 403
    with tenants({}, tmp_path / "keyed") as served:
        assert served.ask("GET", path).status == 401
        assert served.by(ALICE, "GET", path).status == 200


# What is not kept

CASES: list[tuple[str, Json]] = [
    (f"What is the capital of {CANARY.title()}land?", {"kind": "factual"}),
    (f"```\n2026-11-20 ERROR {CANARY} was evicted\n2026-11-20 INFO {CANARY} gone\n```\nWhy was {CANARY} evicted?", {"kind": "debugging"}),
    (f"Write a poem on {CANARY}.", {"kind": "creative"}),
    (f"I feel low because of {CANARY}.", {"kind": "personal"}),
    (f"Good morning, {CANARY}!", {"kind": "smalltalk", "dials": {CANARY: 0.5}}),
    (f"Fix {CANARY}", {}),
]


class Shelf:
    """A look-up that finds one passage, or fails with words of its server."""

    name = "shelf"

    def __init__(self) -> None:
        self.turns = 0

    async def start(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def search(self, question: str, *, limit: int = 4) -> Found:
        self.turns += 1
        if self.turns % 2:
            return Found(problem=f"the tool says: no such {CANARY}")
        text = f"The capital of {CANARY.title()}land is {CANARY}."
        return Found(passages=(Passage(text=text, title=CANARY, uri="file:///shelf.md#L1"),))


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_a_prompt_a_passage_or_a_dial_is_kept_or_logged_without_permission(tmp_path: Path, fails: bool) -> None:
    log = io.StringIO()
    configure(stream=log)
    said = Said(text=f"It is {CANARY}, see [L2].", sure=0.2)
    replies: Reply = [said, UpstreamError(502, f"no {CANARY} here"), said] if fails else said
    rules = policy(sources=("p_true",) if fails else ("logprob",), knobs=knobs("factual", look_up="always"))
    with tenants({"": replies}, tmp_path, policy=rules, lookups=[Shelf()]) as served:
        told = b""
        for prompt, options in CASES:
            for stream in (False, True):
                told += served.by(ALICE, "POST", "/v1/chat/completions", asking(prompt, wager=options, stream=stream)).data
                served.told._turns.clear()
        listed = served.by(ROOT, "GET", "/v1/wager/decisions").json["data"]
        served.by(ROOT, "POST", "/v1/feedback", {"id": listed[0]["id"], "verdict": "wrong", "note": CANARY})
        bad = served.by(ALICE, "POST", "/v1/chat/completions", asking("Hello", wager={"dials": {f"{CANARY}\n": 0.5}}))
        assert (bad.status, bad.json["error"]["param"]) == (400, "wager.dials")
        assert CANARY.encode() in told.lower()
        assert len(listed) >= 10
        assert any("keeps no text" in note for one in listed for note in one.get("notes", ()))
        kept = {file.name: file.read_bytes() for file in (tmp_path / "journal").iterdir()}
        assert {"journal.sqlite", "journal.sqlite-wal"} <= set(kept)
    assert [name for name, data in kept.items() if CANARY.encode() in data.lower()] == []
    assert CANARY not in log.getvalue().lower()
    assert "request" in log.getvalue()


def test_a_journal_of_the_first_version_gets_the_column_of_clients(tmp_path: Path) -> None:
    async def opened() -> None:
        journal = SqliteJournal(tmp_path)
        await journal.start()
        await journal.close()

    asyncio.run(opened())
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        connection.executescript(
            "DROP INDEX wager_decisions_client; ALTER TABLE wager_decisions DROP COLUMN client; PRAGMA user_version = 1"
        )
    asyncio.run(opened())
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert "client" in {row[1] for row in connection.execute("PRAGMA table_info(wager_decisions)")}
