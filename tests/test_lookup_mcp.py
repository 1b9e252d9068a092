"""The look-up over MCP, against a real server on stdio and on HTTP: what comes back, and what a server that dies, hangs or lies can do."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from mcp import MCPError
from mcp.types import INTERNAL_ERROR, CallToolResult, Tool

import wager.lookup.mcp as module
from wager.errors import MissingExtraError, ModelError, UnknownNameError, UsageError
from wager.lookup.connection import Connection
from wager.lookup.mcp import McpTool
from wager.lookup.passages import Found
from wager.lookup.results import passages_of

SERVER = Path(__file__).parent / "cases" / "mcp_server.py"
STDIO = [sys.executable, str(SERVER), "stdio"]


def with_tool(use: Callable[[McpTool], Awaitable[None]], **options: object) -> None:
    async def run() -> None:
        tool = McpTool(**options)  # type: ignore[arg-type]
        try:
            await tool.start()
            await use(tool)
        finally:
            await tool.close()

    asyncio.run(run())


def asked(question: str, tools: str, **options: object) -> Found:
    found: list[Found] = []

    async def use(tool: McpTool) -> None:
        found.append(await tool.search(question))

    with_tool(use, **{"command": STDIO, "env": {"MCP_TOOLS": tools}, "seconds": 30, "start_seconds": 60, **options})
    return found[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def http_server(port: int, tools: str, **env: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(SERVER), "http", str(port)]
    process = subprocess.Popen(command, env={**os.environ, "MCP_TOOLS": tools, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return process
        time.sleep(0.05)
    process.kill()
    raise AssertionError("the server did not start")


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture
def served() -> Iterator[tuple[int, list[subprocess.Popen[bytes]]]]:
    port, running = free_port(), []
    running.append(http_server(port, "search"))
    yield port, running
    for process in running:
        end(process)


@pytest.fixture(scope="module")
def library() -> Iterator[Callable[[str, str], Found]]:
    """A server with many tools: asks one of them."""
    port = free_port()
    process = http_server(port, "plain_search,hostile,fails,huge,empty")
    options = {"command": None, "env": None, "seconds": 30, "url": f"http://127.0.0.1:{port}/mcp", "allow_private": True}
    yield lambda question, tool: asked(question, "", tool=tool, **options)
    end(process)


# What comes back


def test_structured_records_become_passages_over_stdio() -> None:
    found = asked("Lima", "search")
    assert found.problem is None
    (passage,) = found.passages
    assert passage.text.startswith("All about Lima: word")
    assert (passage.title, passage.uri, passage.lookup) == ("About Lima", "https://example.org/a", "search")
    assert passage.score is None
    assert found.seconds > 0


def test_the_same_over_http(served: tuple[int, list[subprocess.Popen[bytes]]]) -> None:
    async def use(tool: McpTool) -> None:
        found = await asyncio.gather(*(tool.search(f"topic {number}") for number in range(8)))
        assert [one.passages[0].title for one in found] == [f"About topic {number}" for number in range(8)]

    with_tool(use, url=f"http://127.0.0.1:{served[0]}/mcp", allow_private=True, name="web", headers={"X-Key": "k"})


def test_text_links_and_resources_become_passages_and_no_address_can_run(library: Callable[[str, str], Found]) -> None:
    found = library("now", "plain_search")
    assert [(passage.text, passage.title, passage.uri) for passage in found.passages] == [
        ("Lima is the capital. now", "plain_search", "mcp:search#1"),
        ("Notes on Lima.", "notes", "mcp:search/notes%3A%2F%2F7"),
        ("Lima, in a resource.", "plain_search", "mcp:search/javascript%3Aalert%281%29"),
    ]


def test_hostile_text_stays_text(library: Callable[[str, str], Found]) -> None:
    (passage,) = library("x", "hostile").passages
    assert "\x1b" not in passage.text + passage.title
    assert "\u202e" not in passage.text + passage.title
    assert "\n" not in passage.title
    assert len(passage.title) <= 120
    assert passage.uri.startswith("mcp:search/javascript%3A")


def test_of_a_long_text_the_parts_that_fit_are_kept(library: Callable[[str, str], Found]) -> None:
    found = library("Where does the llama live?", "huge")
    assert len(found.passages) == 4
    assert any("Paragraph 40 " in passage.text for passage in found.passages)
    assert all(len(passage.text.split()) <= 200 for passage in found.passages)


def test_nothing_found_is_no_problem_and_an_error_of_the_tool_is_one(library: Callable[[str, str], Found]) -> None:
    found = library("x", "empty")
    assert (found.passages, found.problem) == ((), None)
    failed = library("x", "fails")
    assert failed.passages == ()
    assert failed.problem == "the tool says: Error executing tool fails"


def test_answers_of_many_shapes_are_read() -> None:
    def text(words: str) -> SimpleNamespace:
        return SimpleNamespace(type="text", text=words)

    def read(*blocks: SimpleNamespace, structured: dict[str, object] | None = None) -> list[tuple[str, str, str, float | None]]:
        found = passages_of(blocks, structured, question="q", limit=5, lookup="s p", tool="t")
        return [(one.text, one.title, one.uri, one.score) for one in found]

    nested = {"data": {"items": [{"name": "N", "link": "https://a.example/x?y=1", "snippet": "S", "score": 0.5}, {"no": 1}, "bare"]}}
    assert read(structured=nested) == [("S", "N", "https://a.example/x?y=1", 0.5), ("bare", "t", "mcp:s%20p#2", None)]
    assert read(text('[{"title": "T", "content": "C"}]')) == [("C", "T", "mcp:s%20p#1", None)]
    assert read(text("{not json")) == [("{not json", "t", "mcp:s%20p#1", None)]
    assert read(text("[]")) == []
    assert read(text('{"count": 0}')) == [('{"count": 0}', "t", "mcp:s%20p#1", None)]
    assert len(read(text("[" * 100_000))) == 5
    assert read(SimpleNamespace(type="image", data="x"), text("  ")) == []
    assert read(structured={"text": "A", "url": "https://user:pw@a.example/"})[0][2].startswith("mcp:")
    assert read(structured={"text": "A", "url": 'https://a.example/"><script>'})[0][2] == "https://a.example/%22%3E%3Cscript%3E"
    assert read(structured={"text": "A", "url": "http://[bad"})[0][2].startswith("mcp:")
    deep: object = {"text": "deep"}
    for _ in range(50):
        deep = {"in": deep}
    assert read(structured={"x": deep}) == []
    assert len(read(structured={"result": ["one text"] * 1000})) == 5


# Which tool, which argument


def tool(name: str, required: list[str], **properties: str) -> Tool:
    schema = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}, "required": required}
    return Tool(name=name, input_schema=schema)


SEARCH = tool("search", ["query"], query="string", limit="integer", language="string")
TWO = tool("two", ["first", "second"], first="string", second="string")


def test_the_tool_is_the_named_one_the_only_one_or_the_only_search() -> None:
    assert module._picked([TWO], None) is TWO
    assert module._picked([TWO, SEARCH], None) is SEARCH
    assert module._picked([TWO, SEARCH], "two") is TWO
    with pytest.raises(UsageError, match=r"set tool to one of them \(it has 'two', 'other'\)"):
        module._picked([TWO, tool("other", [])], None)
    with pytest.raises(UsageError, match="it has none"):
        module._picked([], None)
    with pytest.raises(UnknownNameError, match=r"no tool of the MCP server named 'serch'; did you mean 'search'"):
        module._picked([TWO, SEARCH], "serch")


def test_the_argument_is_the_named_one_or_the_only_required_text() -> None:
    assert module._takes(SEARCH, None, {}) == "query"
    assert module._takes(SEARCH, "language", {}) == "language"
    assert module._takes(TWO, None, {"first": "A"}) == "second"
    assert module._takes(tool("free", [], words="string", n="integer"), None, {}) == "words"
    with pytest.raises(UsageError, match=r"which argument of the tool 'two' takes the question: set argument \(it has 'first', 'second'\)"):
        module._takes(TWO, None, {})
    with pytest.raises(UnknownNameError, match=r"no argument of the tool 'search' named 'lmit'; did you mean 'limit'"):
        module._takes(SEARCH, None, {"lmit": 1})
    with pytest.raises(UsageError, match="it has none"):
        module._takes(Tool(name="odd", input_schema={"type": "object", "properties": [1], "required": 7}), None, {})


def test_picked_tools_are_called_with_fixed_arguments() -> None:
    assert asked("B", "hang,two", tool="two", arguments={"first": "A"}).passages[0].text == "A/B"
    with pytest.raises(UsageError, match=r"set tool .*'hang', 'fails'"):
        asked("x", "hang,fails")


def test_the_server_sees_only_the_variables_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    seen = asked("x", "environment").passages[0].text.split(",")
    assert "MCP_TOOLS" in seen
    assert "OPENAI_API_KEY" not in seen


def test_a_long_question_is_cut(library: Callable[[str, str], Found]) -> None:
    assert len(library("word " * 5000, "plain_search").passages[0].text) < 2100


# Servers that die, hang or are not there


def test_a_server_that_dies_in_a_call_is_started_again(tmp_path: Path) -> None:
    found = asked("hello", "dies", env={"MCP_TOOLS": "dies", "MCP_ONCE": str(tmp_path / "once")}, seconds=60)
    assert found.problem is None
    assert found.passages[0].text == "alive again: hello"


def test_a_server_that_dies_each_time_is_left_alone_for_a_while() -> None:
    async def use(tool: McpTool) -> None:
        first = await tool.search("x")
        assert first.problem is not None
        assert first.problem.startswith("Connection closed; next attempt in 1 s")
        again = await tool.search("x")
        assert again.problem is not None
        assert "next attempt in" in again.problem
        assert tool._connection is None
        assert tool._failures == 2, "no server was started in between"

    with_tool(use, command=STDIO, env={"MCP_TOOLS": "dies"}, seconds=60)


def test_a_server_over_http_that_is_killed_and_comes_back(served: tuple[int, list[subprocess.Popen[bytes]]]) -> None:
    port, running = served

    async def use(tool: McpTool) -> None:
        assert (await tool.search("a")).passages
        end(running[-1])
        gone = await tool.search("b")
        assert gone.passages == ()
        assert gone.problem is not None
        assert "next attempt in" in gone.problem
        running.append(await asyncio.to_thread(http_server, port, "search"))
        for _ in range(100):
            if (back := await tool.search("c")).passages:
                break
            await asyncio.sleep(0.1)
        assert back.passages[0].title == "About c"
        assert back.problem is None

    with_tool(use, url=f"http://127.0.0.1:{port}/mcp", allow_private=True)


def test_a_server_over_http_that_forgot_the_session_is_met_anew_once(
    served: tuple[int, list[subprocess.Popen[bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(tool: McpTool) -> None:
        met = tool._connection
        real, refused, closed = Connection.call, [met], [False]

        async def refusing(self: Connection, name: str, arguments: Mapping[str, object]) -> CallToolResult:
            if self is met or closed[0]:
                refused.append(self)
                raise MCPError(INTERNAL_ERROR, "Server returned an error response")
            return await real(self, name, arguments)

        monkeypatch.setattr(Connection, "call", refusing)
        assert (await tool.search("a")).passages[0].title == "About a"
        assert refused == [met, met]
        second, closed[0] = tool._connection, True
        assert (await tool.search("b")).problem == "the server refuses: Server returned an error response"
        third = tool._connection
        assert refused == [met, met, second, third]
        assert (await tool.search("c")).problem == "the server refuses: Server returned an error response"
        assert refused == [met, met, second, third, third], "no more than once"

    with_tool(use, url=f"http://127.0.0.1:{served[0]}/mcp", allow_private=True)


def test_a_server_killed_in_the_middle_of_a_call_is_a_problem_at_once() -> None:
    port = free_port()
    server = http_server(port, "hang")

    async def use(tool: McpTool) -> None:
        searching = asyncio.create_task(tool.search("x"))
        await asyncio.sleep(0.3)
        end(server)
        found = await asyncio.wait_for(searching, 10)
        assert found.problem is not None
        assert not found.problem.startswith("timed out")

    with_tool(use, url=f"http://127.0.0.1:{port}/mcp", allow_private=True, seconds=30)


def test_a_tool_that_hangs_is_a_problem_and_is_started_anew_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(tool: McpTool) -> None:
        first = tool._connection
        for _ in range(2):
            found = await tool.search("x")
            assert found.problem == "timed out after 0.2 s"
        assert tool._connection is first
        await tool.search("x")
        assert tool._connection is None

    with_tool(use, command=STDIO, env={"MCP_TOOLS": "hang"}, seconds=0.2)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ([sys.executable, "-c", "raise SystemExit(3)"], "Connection closed"),
        (["/nowhere/at-all"], "No such file or directory"),
        ([sys.executable, "-c", "import time; print('garbage', flush=True); time.sleep(60)"], "no answer within 0.5 s"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "no answer within 0.5 s"),
    ],
)
def test_a_dead_server_is_one_line_at_the_start(command: list[str], says: str) -> None:
    start = 10.0 if "within" not in says else 0.5
    with pytest.raises(ModelError) as raised:
        asked("x", "search", command=command, start_seconds=start)
    message = str(raised.value)
    assert message.startswith(f"the look-up 'search' cannot reach its MCP server {command[0]!r}: ")
    assert says in message
    assert "\n" not in message


def test_a_dead_address_is_one_line_at_the_start() -> None:
    port = free_port()
    with pytest.raises(ModelError, match=rf"cannot reach its MCP server '127\.0\.0\.1:{port}': "):
        asked("x", "search", command=None, env=None, url=f"http://127.0.0.1:{port}/secret", allow_private=True)


def test_closing_ends_the_process() -> None:
    process = int(asked("x", "environment").passages[0].text.split(",")[0])
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_search_before_the_start_and_after_the_end_is_a_problem() -> None:
    async def run() -> None:
        tool = McpTool(command=STDIO, env={"MCP_TOOLS": "search"})
        assert (await tool.search("x")).problem == "not started"
        await tool.start()
        assert (await tool.search("x")).passages
        await tool.close()
        await tool.close()
        assert (await tool.search("x")).problem == "not started"

    asyncio.run(run())


def test_many_searches_share_one_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(tool: McpTool) -> None:
        connects: list[int] = []
        connect = McpTool._connect

        async def counted(self: McpTool) -> None:
            connects.append(1)
            await connect(self)

        monkeypatch.setattr(McpTool, "_connect", counted)
        assert tool._connection is not None
        tool._connection._holder.cancel()  # type: ignore[union-attr]
        await asyncio.sleep(0.2)
        found = await asyncio.gather(*(tool.search(f"t{number}") for number in range(10)))
        assert [one.passages[0].title for one in found] == [f"About t{number}" for number in range(10)]
        assert len(connects) == 1

    with_tool(use, command=STDIO, env={"MCP_TOOLS": "search"}, seconds=60)


# Options


def test_options_that_cannot_be_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="needs either command or url"):
        McpTool()
    with pytest.raises(UsageError, match="needs either command or url"):
        McpTool(command=["a"], url="http://a.example/")
    with pytest.raises(UsageError, match=r"no shell reads it: write \['python', 'server.py'\] instead"):
        McpTool(command="python server.py")
    with pytest.raises(UsageError, match="the program first"):
        McpTool(command=[])
    with pytest.raises(UsageError, match="no user name or password"):
        McpTool(url="https://me:pw@a.example/")
    with pytest.raises(UsageError, match="are above 0"):
        McpTool(command=["a"], seconds=0)
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(MissingExtraError, match=r"needs the package 'mcp': run  python -m pip install 'wager\[mcp\]'"):
        asked("x", "search")
    assert module._listed("python", ["-m", "x; rm -rf /"]) == ["python", "-m", "x; rm -rf /"]


def test_a_private_address_is_refused_at_the_start(served: tuple[int, list[subprocess.Popen[bytes]]]) -> None:
    with pytest.raises(UsageError, match=r"loopback address 127\.0\.0\.1"):
        asked("x", "search", command=None, env=None, url=f"http://127.0.0.1:{served[0]}/mcp")
