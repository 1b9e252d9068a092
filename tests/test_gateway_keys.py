"""Keys of the gateway's clients, the address it may listen on, and what its logs must never show."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wager.errors import DataError, OutputError, UsageError
from wager.gateway import keys as module
from wager.gateway.keys import Key, Keys, add_key, bearer, check_binding, hash_key, is_loopback, new_key
from wager.gateway.logs import REQUEST_ID, configure, log

ALICE = "wager-" + "a" * 40


def test_a_new_key_is_found_by_its_hash_and_shown_nowhere_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    alice = add_key(file, "alice", requests_per_minute=60, tokens_per_day=10_000)
    bob = add_key(file, "bob")
    text = file.read_text()
    assert alice not in text
    assert bob not in text
    assert file.stat().st_mode & 0o777 == 0o600
    keys = Keys.read(file)
    assert len(keys) == 2
    assert keys.find(alice) == Key(name="alice", hash=hash_key(alice), requests_per_minute=60.0, tokens_per_day=10_000)
    assert keys.find(bob) == Key(name="bob", hash=hash_key(bob))
    with pytest.raises(UsageError, match="there is a key named 'bob'"):
        add_key(file, "bob")


@pytest.mark.parametrize("presented", [None, "", " ", ALICE[:-1], ALICE + "a", ALICE.upper(), hash_key(ALICE), "\ud83d", "x" * 10**6])
def test_what_is_no_key_is_refused(presented: str | None) -> None:
    keys = Keys([Key(name="alice", hash=hash_key(ALICE))])
    assert keys.find(presented) is None
    found = keys.find(ALICE)
    assert found is not None
    assert found.name == "alice"


def test_an_administrator_is_made_in_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    made = add_key(file, "alice")
    found = Keys.read(file).find(made)
    assert found is not None
    assert not found.admin
    file.write_text(file.read_text().rstrip() + "\nadmin = true\n")
    found = Keys.read(file).find(made)
    assert found is not None
    assert found.admin


def test_a_withdrawn_key_is_refused_like_an_unknown_one() -> None:
    assert Keys([Key(name="alice", hash=hash_key(ALICE), allowed=False)]).find(ALICE) is None


def test_known_and_unknown_keys_take_the_same_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(module.hmac, "compare_digest", compare)
    keys = Keys([Key(name="alice", hash=hash_key(ALICE))])
    for presented in (ALICE, "wager-" + "b" * 40, None):
        keys.find(presented)
    assert compared == [(32, 32)] * 3


def test_new_keys_differ_and_are_long_enough_for_a_plain_hash() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 40
    assert all(hash_key(key).startswith("sha256:") for key in made)


@pytest.mark.parametrize("chosen", ["secret", "correct horse battery staple and more", "é" * 40, "x" * 300, "a" * 31])
def test_a_key_that_a_person_chose_is_not_hashed_and_not_shown(chosen: str) -> None:
    with pytest.raises(UsageError, match="--new-key") as raised:
        hash_key(chosen)
    assert chosen not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "hold no key"),
        ("keys = 3", "hold 'keys'"),
        ("[other]\nx = 1", "hold 'other'"),
        ("[[keys]", "not TOML"),
        ("[[keys]]\nname = 'a'", "needs a name and a hash"),
        (f"[[keys]]\nname = 'a b'\nhash = '{hash_key(ALICE)}'", "got 'a b'"),
        ("[[keys]]\nname = 'a'\nhash = 'wager-plain-key-in-the-file'", "a hash is 'sha256:'"),
        (f"[[keys]]\nname = 'a'\nhash = '{hash_key(ALICE)}'\nrate = 3", "unknown 'rate'"),
        (f"[[keys]]\nname = 'a'\nhash = '{hash_key(ALICE)}'\nrequests_per_minute = 0", "number above 0, got 0"),
        (f"[[keys]]\nname = 'a'\nhash = '{hash_key(ALICE)}'\nrequests_per_minute = nan", "got nan"),
        (f"[[keys]]\nname = 'a'\nhash = '{hash_key(ALICE)}'\ntokens_per_day = 1.5", "whole number above 0, got 1.5"),
        (f"[[keys]]\nname = 'a'\nhash = '{hash_key(ALICE)}'\nallowed = 'yes'", "true or false"),
        (f"[[keys]]\nname = 'a'\nhash = '{hash_key(ALICE)}'\nadmin = 1", "'admin' is true or false, got 1"),
        (f"[[keys]]\nname = 'a'\nhash = '{hash_key(ALICE)}'\n" * 2, "given twice"),
    ],
)
def test_a_file_of_keys_that_is_wrong_is_one_line_without_a_secret(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(DataError) as raised:
        Keys.read(file)
    message = str(raised.value)
    assert said in message
    assert "\n" not in message
    assert "wager-plain-key" not in message
    assert hash_key(ALICE) not in message


def test_a_file_of_keys_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        Keys.read(tmp_path / "keys.toml")
    with pytest.raises(OutputError, match="cannot be written"):
        add_key(tmp_path / "no" / "keys.toml", "alice")
    with pytest.raises(UsageError, match="a name has"):
        add_key(tmp_path / "keys.toml", 'a"\nallowed = true')


@pytest.mark.parametrize(
    ("header", "key"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("Bearer", None), ("Bearer ", None), ("", None), (None, None)],
)
def test_the_key_is_read_from_the_header(header: str | None, key: str | None) -> None:
    assert bearer(header) == key


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LOCALHOST", "::ffff:127.0.0.1"])
def test_an_open_server_listens_to_this_machine(host: str) -> None:
    check_binding(host, Keys())
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "10.0.0.7", "example.org", "localhost.example.org", "::ffff:10.0.0.7", "127.0.0.1.x"]
)
def test_an_open_server_listens_to_no_other_machine_unless_told(host: str) -> None:
    with pytest.raises(UsageError, match="asks for no key"):
        check_binding(host, Keys())
    check_binding(host, Keys(), insecure=True)
    check_binding(host, Keys([Key(name="alice", hash=hash_key(ALICE))]))


# Logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    names = ("wager", "uvicorn", "aiohttp", "uvicorn.access", "aiohttp.access", "uvicorn.error", "uvicorn.asgi")
    before = {name: (list(one.handlers), one.level, one.propagate, one.disabled) for name in names if (one := logging.getLogger(name))}
    yield io.StringIO()
    for name, (handlers, level, propagate, disabled) in before.items():
        logger = logging.getLogger(name)
        logger.handlers[:], logger.level, logger.propagate, logger.disabled = handlers, level, propagate, disabled
        logger.setLevel(level)


LOG = logging.getLogger("wager.gateway")


def test_a_log_line_is_json_with_the_id_of_its_request(stream: io.StringIO) -> None:
    configure(stream=stream)
    token = REQUEST_ID.set("req_1")
    log(LOG, logging.INFO, "request", route="/v1/models", status=200, ms=1.5, key=None)
    REQUEST_ID.reset(token)
    LOG.debug("not shown")
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info", "logger": "wager.gateway", "event": "request", "request_id": "req_1",
        "route": "/v1/models", "status": 200, "ms": 1.5, "key": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}", "api_key={}", '"api-key": "{}"', "upstream said: {} is wrong",
        "https://me:{}@host/v1", "redis://:{}@host/0", "postgresql://wager:{}@db/x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("lines", [True, False])
def test_no_key_is_logged(stream: io.StringIO, text: str, lines: bool) -> None:
    secret = "sk-proj-4f9aB_cD-eF0123456789"
    configure(stream=stream, lines=lines)
    LOG.warning(text.format(secret))
    LOG.warning("%s", text.format(secret))
    log(LOG, logging.ERROR, "call", url=text.format(secret), nested={"header": text.format(secret)})
    assert "4f9aB" not in stream.getvalue()
    assert stream.getvalue().count("***") == 4


@given(text=st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "L"]), max_size=40))
@pytest.mark.parametrize("lines", [True, False])
def test_a_log_line_stays_one_printable_line(text: str, lines: bool) -> None:
    stream = io.StringIO()
    handler = configure(stream=stream, lines=lines)
    try:
        log(LOG, logging.INFO, text, field=text)
    finally:
        for name in ("wager", "uvicorn", "aiohttp"):
            logging.getLogger(name).handlers.remove(handler)
            logging.getLogger(name).propagate = True
    line = stream.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    if lines:
        assert line.isascii()
        json.loads(line)


def test_an_unexpected_error_shows_where_not_what_it_says(stream: io.StringIO) -> None:
    configure(stream=stream)
    try:
        raise KeyError("my prompt about a disease")
    except KeyError:
        LOG.exception("a request failed")
    line = json.loads(stream.getvalue())
    assert line["error"] == "KeyError"
    assert "test_gateway_keys.py" in line["at"][-1]
    assert "disease" not in stream.getvalue()


def test_an_error_made_for_readers_is_shown(stream: io.StringIO) -> None:
    configure(stream=stream)
    try:
        raise OutputError("the disk is full")
    except OutputError:
        LOG.exception("stopped")
    assert json.loads(stream.getvalue())["message"] == "the disk is full"


def test_the_servers_access_log_is_silent_and_its_errors_are_ours(stream: io.StringIO) -> None:
    configure(stream=stream)
    logging.getLogger("uvicorn.access").info("GET /?key=secret")
    logging.getLogger("uvicorn.error").error("port in use")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["port in use"]
