"""Retries, breakers and fall-backs, on real connections; only the clock, the waits and the dice are the test's own."""

import asyncio
import json
import random
from contextlib import aclosing

import pytest

from gateway_upstream_server import TEXT, ScriptedUpstream
from wager.errors import ModelError, UsageError
from wager.gateway.breaker import Breaker
from wager.gateway.resilient import Resilient
from wager.gateway.upstream import UpstreamError
from wager.gateway.upstream_http import HttpUpstream

ASK = {"messages": [{"role": "user", "content": "What is the capital of Peru?"}]}


@pytest.fixture
def server():
    with ScriptedUpstream() as running:
        yield running


class Time:
    """A clock that goes on when somebody waits."""

    def __init__(self):
        self.now, self.waits = 1000.0, []

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


class Whole(random.Random):
    """Dice that always show the most."""

    def uniform(self, a, b):
        return b


def using(server, names, work, *, time=None, events=None, models=None, **options):
    time = time or Time()
    events = [] if events is None else events
    given = {"clock": time.clock, "sleep": time.sleep, "rng": Whole(), "on_event": lambda name, who: events.append((name, who)), **options}

    async def main():
        urls = [name if name.startswith("http") else server.url(name) for name in names]
        made = [
            HttpUpstream(url, model=model, first_byte_seconds=0.3) for url, model in zip(urls, models or ["m"] * len(names), strict=True)
        ]
        upstream = Resilient(made, **given)
        await upstream.start()
        try:
            return await work(upstream)
        finally:
            await upstream.close()

    return asyncio.run(main())


async def chat(upstream):
    return (await upstream.chat(ASK))["choices"][0]["message"]["content"]


async def streamed(upstream):
    async with aclosing(upstream.stream(ASK)) as stream:
        return "".join([choice["delta"].get("content") or "" async for chunk in stream for choice in chunk["choices"]])


async def sent(upstream):
    return json.loads((await upstream.send("POST", "/chat/completions", json.dumps(ASK).encode(), {})).body)["choices"][0]["message"][
        "content"
    ]


async def sent_stream(upstream):
    async with aclosing(upstream.send_stream("POST", "/chat/completions", json.dumps({**ASK, "stream": True}).encode(), {})) as stream:
        raw = b"".join([piece async for piece in stream])
    values = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith(b"data: {")]
    return "".join(choice["delta"].get("content") or "" for value in values for choice in value["choices"])


WAYS = [chat, streamed, sent, sent_stream]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again(server, way, status):
    time = Time()
    assert using(server, [f"status-{status}-2"], way, time=time) == TEXT
    assert time.waits == [0.25, 0.5]  # 0.25 · 2^0 and 0.25 · 2^1, the dice showing the most


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_what_is_refused_is_refused_once(server, way, status):
    with pytest.raises(UpstreamError) as caught:
        using(server, [f"status-{status}", "ok"], way)
    assert caught.value.status == status
    assert len(server.requests) == 1


def test_tries_are_counted_and_the_last_error_told(server):
    with pytest.raises(UpstreamError, match="Told to say 500"):
        using(server, ["status-500"], chat, tries=4, attempts=9)
    assert len(server.requests) == 4


def test_attempts_of_all_servers_are_counted(server):
    with pytest.raises(UpstreamError):
        using(server, ["status-500", "status-503"], chat, tries=3, attempts=4)
    assert server.counts == {"status-500": 3, "status-503": 1}


def test_waits_grow_to_their_longest_and_the_time_in_all_is_limited(server):
    time = Time()
    with pytest.raises(UpstreamError):
        using(server, ["status-500"], chat, time=time, tries=99, attempts=99, failures=99, first_wait=1.0, longest_wait=4.0, seconds=12.0)
    assert time.waits == [1.0, 2.0, 4.0, 4.0]  # 1 + 2 + 4 + 4 = 11; the next would end at 15
    assert len(server.requests) == 5


def test_waits_are_drawn_from_all_of_the_range(server):
    time = Time()
    with pytest.raises(UpstreamError):
        using(
            server,
            ["status-500"],
            chat,
            time=time,
            tries=40,
            attempts=40,
            failures=99,
            first_wait=1.0,
            longest_wait=1.0,
            rng=random.Random(1),
        )
    assert len(time.waits) == 39
    assert min(time.waits) < 0.1
    assert max(time.waits) > 0.9
    assert len(set(time.waits)) == 39


def test_a_server_that_says_how_long_to_wait_is_heeded(server):
    time = Time()
    assert using(server, ["status-429-1-7"], chat, time=time) == TEXT
    assert time.waits == [7.25]


def test_a_wait_that_is_too_long_is_left_to_the_client(server):
    time = Time()
    with pytest.raises(UpstreamError) as caught:
        using(server, ["status-429-1-3600"], chat, time=time)
    assert (caught.value.status, caught.value.retry_after, time.waits) == (429, 3600.0, [])


def test_the_longest_wait_that_a_server_may_ask_for_is_an_option(server):
    time = Time()
    with pytest.raises(UpstreamError):
        using(server, ["status-429-1-7"], chat, time=time, longest_retry_after=6.0)
    assert time.waits == []


def test_a_wait_that_is_too_long_goes_to_the_next_server(server):
    assert using(server, ["status-429-9-3600", "ok"], chat) == TEXT


@pytest.mark.parametrize("way", WAYS)
def test_a_dead_server_is_passed_over_at_once(server, way):
    time, events = Time(), []
    assert using(server, ["http://127.0.0.1:9/v1", "ok"], way, time=time, events=events) == TEXT
    assert time.waits == []
    assert events == [("failed", "upstream-1"), ("fell_back", "upstream-2")]


@pytest.mark.parametrize("behaviour", ["echokey-401", "redirect", "hang", "reset", "badjson", "halfchunk"])
def test_other_faults_lead_to_the_next_server_too(server, behaviour):
    assert using(server, [behaviour, "ok"], chat, tries=2) == TEXT


def test_the_next_server_is_asked_for_its_own_model(server):
    async def three(upstream):
        for model in ("auto", "first", "mine"):
            await upstream.chat({**ASK, "model": model})
            await upstream.send("POST", "/chat/completions", json.dumps({**ASK, "model": model}).encode(), {})

    using(server, ["http://127.0.0.1:9/v1", "ok"], three, models=["first", "second"])
    assert [one.json["model"] for one in server.requests] == ["second"] * 4 + ["mine"] * 2


@pytest.mark.parametrize("way", [streamed, sent_stream])
@pytest.mark.parametrize("behaviour", ["resetmid", "hangmid"])
def test_nothing_is_tried_again_once_the_stream_has_begun(server, way, behaviour, monkeypatch):
    async def broken(upstream):
        upstream._servers[0].upstream._limits = type(upstream._servers[0].upstream._limits)(
            first=1.0, whole=1.0, between=0.3, total=5.0, largest=1 << 20
        )
        with pytest.raises(UpstreamError):
            await way(upstream)
        return upstream.states()[0].in_a_row

    assert using(server, [behaviour, "ok"], broken) == 1
    assert len(server.requests) == 1


# --- breakers ---


def test_a_server_that_fails_again_and_again_is_left_alone_then_tried_with_one_request(server):
    time, events = Time(), []

    async def story(upstream):
        for _ in range(3):
            with pytest.raises(UpstreamError):
                await upstream.chat(ASK)
        assert upstream.states()[0].breaker == "open"
        assert len(server.requests) == 3
        assert await upstream.healthy() is False
        with pytest.raises(UpstreamError) as caught:  # nothing is asked while it is open
            await upstream.chat(ASK)
        assert (caught.value.status, caught.value.code, caught.value.retry_after) == (503, "upstream_unavailable", 20.0)
        assert len(server.requests) == 3
        time.now += 20.0
        with pytest.raises(UpstreamError, match="Told to say 500"):  # the one trial fails
            await upstream.chat(ASK)
        assert len(server.requests) == 4
        time.now += 20.0
        answers = await asyncio.gather(*(upstream.chat(ASK) for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(one, dict) for one in answers) == 1  # the one trial; the others were not let through
        assert len(server.requests) == 5
        assert upstream.states()[0].breaker == "closed"
        assert await chat(upstream) == TEXT

    using(server, ["status-500-4"], story, time=time, events=events, tries=1, failures=3)
    assert [name for name, _ in events if name != "failed"] == ["opened", "half_opened", "opened", "half_opened", "closed"]


def test_while_one_server_is_left_alone_the_next_answers(server):
    async def four(upstream):
        return [await chat(upstream) for _ in range(4)], upstream.states()

    answers, states = using(server, ["status-500", "ok"], four, tries=1, failures=2)
    assert answers == [TEXT] * 4
    assert server.counts == {"status-500": 2, "ok": 4}
    assert [(one.upstream, one.breaker, one.in_a_row) for one in states] == [("upstream-1", "open", 2), ("upstream-2", "closed", 0)]


def test_throttling_and_refusals_are_no_failures(server):
    async def many(upstream):
        for _ in range(9):
            with pytest.raises(UpstreamError):
                await upstream.chat(ASK)
        return upstream.states()[0]

    for behaviour in ("status-429", "status-400"):
        state = using(server, [behaviour], many, tries=1, failures=2)
        assert (state.breaker, state.in_a_row) == ("closed", 0)


def test_streams_that_break_in_the_middle_open_the_breaker(server):
    async def many(upstream):
        for _ in range(3):
            with pytest.raises(UpstreamError):
                await streamed(upstream)
        return upstream.states()[0].breaker

    assert using(server, ["resetmid"], many, failures=3) == "open"


def test_a_client_that_goes_away_tells_nothing_about_the_server(server):
    time = Time()

    async def story(upstream):
        task = asyncio.create_task(upstream.chat(ASK))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with aclosing(upstream.stream(ASK)) as stream:
            pass
        del stream
        return upstream.states()[0].in_a_row

    assert using(server, ["hang"], story, time=time, failures=1) == 0


def test_a_trial_whose_client_went_away_leaves_the_place_to_the_next(server):
    time = Time()

    async def story(upstream):
        with pytest.raises(UpstreamError):
            await upstream.chat(ASK)
        time.now += 20.0
        async with aclosing(upstream.stream(ASK)):
            pass
        task = asyncio.create_task(upstream.chat({**ASK, "slow": True}))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await chat(upstream)

    assert using(server, ["status-500-1"], story, time=time, tries=1, failures=1) == TEXT


def test_closing_a_stream_reaches_the_server(server):
    async def one(upstream):
        async with aclosing(upstream.stream(ASK)) as stream:
            async for _ in stream:
                break
        for _ in range(100):
            if server.left:
                return upstream.states()[0].in_a_row
            await asyncio.sleep(0.02)
        return None

    assert using(server, ["endless"], one) == 0


def test_a_breaker_ignores_late_failures_of_requests_made_before_it_opened():
    now, changes = [0.0], []
    breaker = Breaker(failures=1, cool_down=10.0, clock=lambda: now[0], changed=changes.append)
    breaker.failed()
    now[0] = 9.0
    breaker.failed()
    assert breaker.wait() == 1.0
    assert changes == ["open"]


# --- options ---


def test_options_are_checked():
    upstream = HttpUpstream("http://127.0.0.1:9/v1", model="m")
    for upstreams, options in [([], {}), ([upstream], {"names": []}), ([upstream] * 2, {"names": ["a", "a"]}), ([upstream], {"tries": 0})]:
        with pytest.raises(UsageError):
            Resilient(upstreams, **options)


def test_a_server_that_cannot_start_leaves_none_open(server):
    with pytest.raises(ModelError):
        using(server, ["ok", "html502"], chat, models=["m", None])


def test_model_and_capabilities_are_the_first_servers(server):
    async def both(upstream):
        return upstream.model, (await upstream.capabilities()).logprobs, await upstream.healthy()

    assert using(server, ["telling", "ok"], both, models=["a", "b"]) == ("a", True, True)
