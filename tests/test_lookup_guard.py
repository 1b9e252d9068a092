"""Addresses that look-ups may not reach: however they are written, whatever a name server says, and wherever a server redirects to."""

import asyncio
import ipaddress
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wager.lookup.guard as guard
import wager.lookup.pinned as pinned
from wager.errors import ModelError, UsageError
from wager.lookup.guard import check_address, check_form, check_url
from wager.lookup.mcp import McpTool
from wager.lookup.pinned import PinnedTransport


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://127.8.9.10:8080/x", "http://[::1]/", "http://localhost/", "http://10.1.2.3/", "http://172.31.0.1/", "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data", "http://100.100.100.200/", "http://168.63.129.16/", "http://192.0.0.192/", "http://0.0.0.0/", "http://[::]/",
        "http://224.0.0.1/", "http://255.255.255.255/", "http://240.0.0.1/", "http://198.18.0.1/", "http://[fe80::1]/", "http://[fc00::1]/", "http://[fd00:ec2::254]/",
        "http://[ff02::1]/", "http://[fec0::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/", "http://[64:ff9b::10.0.0.1]/",
        "http://[64:ff9b:1::1]/", "http://[2002:7f00:1::]/", "http://[2001:0:7f00:1::]/", "http://[2001:db8::1]/", "http://[100::1]/", "http://[5f00::1]/",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_unless_allowed(url: str) -> None:
    with pytest.raises(UsageError, match="look-ups reach only the public internet: set allow_private = true"):
        check_url(url, allow_private=False)
    check_url(url, allow_private=True)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://2130706433/", "unusual spelling"), ("http://0x7f000001/", "unusual spelling"), ("http://017700000001/", "unusual spelling"),
        ("http://127.1/", "unusual spelling"), ("http://0177.0.0.1/", "unusual spelling"), ("http://0x7f.0.0.1/", "unusual spelling"),
        ("http://127.0.0.0x1/", "unusual spelling"), ("http://127.0.0.1./", "unusual spelling"), ("http://0/", "unusual spelling"), ("http://1.2.3.4.5/", "unusual spelling"),
        ("http://１２７.０.０.１/", "no plain name"), ("http://①②⑦.0.0.1/", "no plain name"), ("http://exa%6dple.org/", "no plain name"),
        ("http://loc\u212aalhost/", "no plain name"), ("http://a..b/", "no plain name"), ("http://-a.org/", "no plain name"), (f"http://{'a.' * 130}org/", "no plain name"),
        ("http://[fe80::1%25eth0]/", "names a network interface"), ("http://[1:2]/", "no IPv6 address|URL"), ("http://[v1.x]/", "no IPv6 address|URL"),
        ("ftp://example.org/", "begins with http"), ("file:///etc/passwd", "begins with http"), ("gopher://a.org/", "begins with http"), ("//example.org/", "begins with http"),
        ("example.org", "begins with http"), ("", "begins with http"), ("http:example.org", "names a host"), ("http:///x", "names a host"), ("http://:80/", "names a host"),
        ("http://a.org:0/", "port from 1"), ("http://a.org:65536/", "not a URL"), ("http://a.org:x/", "not a URL"), ("http://[::1/", "not a URL"),
        ("http://user:pw@a.org/", "no user name or password"), ("http://@a.org/", "no user name or password"), ("http://a.org\\@127.0.0.1/", "backslashes"),
        ("http://a.org /", "no blanks"), ("http://a.org/\r\nHost: b", "no blanks"), ("\thttp://a.org/", "no blanks"),
    ],
)  # fmt: skip
def test_urls_that_programs_read_in_several_ways_are_refused_even_where_private_is_allowed(url: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as raised:
        check_url(url, allow_private=True)
    assert "\n" not in str(raised.value)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://1.1.1.1/",
        "http://[2606:4700:4700::1111]:8080/x?y=@z",
        "https://8.8.8.8",
        "http://[64:ff9b::8.8.8.8]/",
        "http://[::ffff:8.8.8.8]/",
    ],
)
def test_public_addresses_are_left(url: str) -> None:
    check_url(url, allow_private=False)


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_left(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    wrong = check_address(str(address))
    inner = getattr(address, "ipv4_mapped", None) or address
    if inner.is_private or inner.is_loopback or inner.is_link_local or inner.is_multicast or inner.is_unspecified:
        assert wrong is not None
    if wrong is None:
        assert inner.is_global or address in ipaddress.ip_network("64:ff9b::/96")


def test_every_address_of_a_name_must_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, {"two.example": ["1.1.1.1", "10.0.0.1"], "none.example": []})
    with pytest.raises(UsageError, match=r"'two\.example' has the private address 10\.0\.0\.1"):
        check_url("http://two.example/", allow_private=False)
    with pytest.raises(UsageError, match=r"'gone\.example' has no address"):
        check_url("http://gone.example/", allow_private=False)


def test_a_form_is_checked_without_a_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, {})
    assert check_form("https://Gone.Example:444/p").hostname == "gone.example"


def answers(monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> list[str]:
    """A name server that knows these names and forgets an address each time it is asked for more than one; what it was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str | None, port: int, *rest: object, **more: object) -> list[tuple[object, ...]]:
        if isinstance(host, bytes):
            host = host.decode()
        try:
            ipaddress.ip_address(str(host))
        except ValueError:
            asked.append(str(host))
            if host not in names:
                raise socket.gaierror(-2, "Name or service not known") from None
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in names[host]]
        return real(host, port, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


# At the time of connecting


@asynccontextmanager
async def listening(reply: bytes, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that says one thing: its port, and what it was asked."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(reply)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


def get(
    url_of: Callable[[int], str], use: Callable[[httpx2.Response, list[bytes]], Awaitable[None]], reply: bytes, **options: object
) -> None:
    async def run() -> None:
        async with listening(reply, tls=options.get("tls")) as (port, heard):  # type: ignore[arg-type]
            transport = PinnedTransport(allow_private=bool(options.get("allow_private", True)))
            async with httpx2.AsyncClient(transport=transport, follow_redirects=True) as client:
                await use(await client.get(url_of(port)), heard)

    asyncio.run(run())


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def test_a_name_that_changes_between_check_and_use_reaches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"rebind.example": ["1.1.1.1"]}
    answers(monkeypatch, names)
    check_url("http://rebind.example/", allow_private=False)
    names["rebind.example"] = ["127.0.0.1"]

    async def run() -> list[bytes]:
        async with listening(OK) as (port, heard), httpx2.AsyncClient(transport=PinnedTransport(allow_private=False)) as client:
            with pytest.raises(httpx2.ConnectError, match="loopback address"):
                await client.get(f"http://rebind.example:{port}/")
            return heard

    assert asyncio.run(run()) == []


def test_the_checked_address_is_connected_to_and_the_name_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, {"server.example": ["127.0.0.1"]})

    async def use(response: httpx2.Response, heard: list[bytes]) -> None:
        assert response.text == "ok"
        assert b"\r\nHost: server.example:" in heard[0]
        assert asked == ["server.example"]

    get(lambda port: f"http://server.example:{port}/x", use, OK)


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, {"server.example": ["127.0.0.9", "127.0.0.1"]})  # nothing listens on the first

    async def use(response: httpx2.Response, heard: list[bytes]) -> None:
        assert response.text == "ok"

    get(lambda port: f"http://server.example:{port}/x", use, OK)


def test_a_redirect_to_a_private_address_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_V4", ((ipaddress.IPv4Network("127.0.0.2/32"), "private"),))  # 127.0.0.1 plays the public server

    async def run() -> None:
        async with listening(OK, host="127.0.0.2") as (inside, heard):
            for place in (f"http://127.0.0.2:{inside}/", f"http://127.0.2:{inside}/", f"http://[::ffff:127.0.0.2]:{inside}/"):
                reply = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
                async with listening(reply) as (port, first):
                    async with httpx2.AsyncClient(transport=PinnedTransport(allow_private=False), follow_redirects=True) as client:
                        with pytest.raises(httpx2.ConnectError, match=r"private address|unusual spelling"):
                            await client.get(f"http://127.0.0.1:{port}/")
                    assert len(first) == 1
            assert heard == []

    asyncio.run(run())


def test_an_mcp_server_that_redirects_inside_is_a_dead_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_V4", ((ipaddress.IPv4Network("127.0.0.2/32"), "private"),))

    async def run() -> list[bytes]:
        async with listening(OK, host="127.0.0.2") as (inside, heard):
            reply = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.2:{inside}/mcp\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            async with listening(reply.encode()) as (port, _):
                tool = McpTool(url=f"http://127.0.0.1:{port}/mcp", start_seconds=5)
                with pytest.raises(ModelError, match="cannot reach its MCP server"):
                    await tool.start()
                await tool.close()
            return heard

    assert asyncio.run(run()) == []


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1/")

    async def run() -> None:
        transport = PinnedTransport(allow_private=True)
        async with listening(OK) as (port, _), httpx2.AsyncClient(transport=transport, trust_env=False) as client:
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "ok"

    asyncio.run(run())


def test_an_answer_that_never_ends_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinned, "MOST_BYTES", 1_000_000)
    body = b"x" * 2_000_000

    async def use(response: httpx2.Response, heard: list[bytes]) -> None:
        raise AssertionError("read whole")

    with pytest.raises(httpx2.ReadError, match="larger than"):
        get(lambda port: f"http://127.0.0.1:{port}/", use, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)


def test_certificates_are_checked_against_the_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=server.example",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run([*made, "-addext", "subjectAltName=DNS:server.example"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    answers(monkeypatch, {"server.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})

    async def use(response: httpx2.Response, heard: list[bytes]) -> None:
        assert response.text == "ok"

    get(lambda port: f"https://server.example:{port}/", use, OK, tls=context)
    with pytest.raises(httpx2.ConnectError, match=r"(?i)certificate"):
        get(lambda port: f"https://other.example:{port}/", use, OK, tls=context)
