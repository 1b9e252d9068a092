"""The look-up over a folder: what is read, how it is cut, found and kept up to date, and what hostile files can do (nothing)."""

import asyncio
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import wager.lookup.documents as documents
import wager.lookup.index as index_module
from wager.errors import DataError, ModelError, OutputError, UsageError
from wager.lookup.documents import read_document
from wager.lookup.folder import Folder
from wager.lookup.index import Index
from wager.lookup.passages import Found, Passage
from wager.lookup.pieces import LONG, SHORT, Block, pieces
from wager.lookup.relevance import RELEVANT, relevant
from wager.lookup.webpage import html_blocks
from wager.lookup.words import content_terms, terms


def with_folder(path: Path, use: Callable[[Folder], Awaitable[None]], **options: object) -> None:
    async def run() -> None:
        folder = Folder(path, **{"every": 0, "seconds": 40, **options})
        await folder.start()
        try:
            await use(folder)
        finally:
            await folder.close()

    asyncio.run(run())


def asked(path: Path, question: str, **options: object) -> Found:
    found: list[Found] = []

    async def use(folder: Folder) -> None:
        found.append(await folder.search(question))

    with_folder(path, use, **options)
    return found[0]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests must not change what is found."""
    monkeypatch.setattr("wager.lookup.folder._PATIENCE", 20.0)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    shelf = tmp_path / "shelf"
    (shelf / "south").mkdir(parents=True)
    (shelf / "south" / "peru.md").write_text("# Peru\n\nA country.\n\n## Cities\n\nLima is the capital of Peru.\nCusco is older.\n")
    (shelf / "bees.txt").write_text("Bees make honey.\n\nThey dance.\n")
    (shelf / "page.html").write_text("<title>Llamas</title>\n<script>var capital = 'Lima Peru'</script>\n<p>Llamas <b>spit</b>.</p>")
    (shelf / "data.csv").write_text("city,country\nQuito,Ecuador\nBogotá,Colombia\n")
    return shelf


# What is found, and where it stands


def test_a_passage_says_where_it_stands(shelf: Path) -> None:
    found = asked(shelf, "What is the capital of Peru?")
    assert found.problem is None
    best = found.passages[0]
    assert (best.title, best.lookup) == ("Peru", "documents")
    assert best.uri == (shelf.resolve() / "south" / "peru.md").as_uri() + "#L1-L8"
    assert "Lima is the capital of Peru." in best.text
    assert best.score is not None


def test_the_better_passage_comes_first_and_the_limit_holds(shelf: Path) -> None:
    (shelf / "other.md").write_text("# Countries\n\nPeru is a country, and so is Chile.\n")

    async def use(folder: Folder) -> None:
        found = await folder.search("capital Lima Peru")
        assert [passage.title for passage in found.passages] == ["Peru", "Countries"]
        assert found.passages[0].score > found.passages[1].score  # type: ignore[operator]
        assert len((await folder.search("capital Lima Peru", limit=1)).passages) == 1

    with_folder(shelf, use)


def test_nothing_fits_is_no_problem(shelf: Path) -> None:
    found = asked(shelf, "zeppelin")
    assert found.passages == ()
    assert found.problem is None


def test_accents_case_and_plural_do_not_matter(shelf: Path) -> None:
    assert asked(shelf, "BOGOTA").passages[0].title == "data.csv"
    assert asked(shelf, "a llama").passages[0].title == "llamas".title()


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("東京は日本の首都である。", "日本の首都はどこですか"),
        ("北京是中华人民共和国的首都。", "中国的首都是哪里？北京吗"),
        ("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "เมืองหลวงของไทย"),
        ("서울은 대한민국의 수도이다.", "대한민국 수도"),
        ("猫が好きです。", "猫"),
        ("かわいい白猫", "猫"),
        ("दिल्ली भारत की राजधानी है।", "भारत की राजधानी"),
        ("Ελλάδα: η πρωτεύουσα είναι η Αθήνα.", "ΑΘΗΝΑ"),
        ("ＦＵＬＬ width", "full"),
    ],
)
def test_scripts_without_blanks_and_with_marks_are_found(tmp_path: Path, text: str, question: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    (tmp_path / "b.txt").write_text("Nothing of the kind. 天気がいい。อากาศดี 날씨 मौसम", encoding="utf-8")
    found = asked(tmp_path, question)
    assert [passage.title for passage in found.passages] == ["a.txt"]


@pytest.mark.parametrize(
    "question",
    [
        '"', '""', "peru AND", "NOT peru", "peru OR", "title:peru", "NEAR(peru lima)", "peru*", "^peru", "{title words}: peru", "(peru", "peru'; DROP TABLE fts; --",
        "a" * 100_000, " ".join(f"w{n}" for n in range(5000)), "\x00", "\ud800 peru", "", "?!", "the of and", "\u0301", "-peru", "+peru", "peru\\", "１ ² ½",
    ],
)  # fmt: skip
def test_a_question_is_never_read_as_a_query(shelf: Path, question: str) -> None:
    found = asked(shelf, question)
    assert found.problem is None
    if "peru" in question:
        assert "Peru" in [passage.title for passage in found.passages]


def test_no_text_breaks_the_query() -> None:
    index = Index(Path("/a"))

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.text(max_size=60))
    def holds(text: str) -> None:
        assert index.search(content_terms(text), limit=3, seconds=5) == []

    holds()
    index.close()


def test_two_terms_of_a_question_are_alternatives_and_the_words_of_the_stop_lists_do_not_count(shelf: Path) -> None:
    assert content_terms("What is the capital of Peru?") == ["capital", "peru"]
    assert content_terms("Wie heißt die Hauptstadt von Österreich?") == ["heisst", "hauptstadt", "osterreich"]
    assert content_terms("Quelle est la capitale du Pérou ?") == ["capitale", "perou"]
    assert content_terms("who is it") == ["who", "is", "it"]  # nothing else is left
    assert terms("राजधानी") == ["राजधानी"]
    assert terms("白い猫 x", every=True) == ["白い", "い猫", "猫", "x"]
    assert terms("Peruvian studies of glass buses") == ["peruvian", "study", "of", "glass", "buse"]


# Reading files


def test_markdown_headings_begin_passages_and_code_has_none(tmp_path: Path) -> None:
    long = "word " * 70
    (tmp_path / "a.md").write_text(f"Intro\n=====\n\n{long}\n\n```sh\n# no heading\n```\n\n## Second\n\n{long}\n")
    document = read_document(tmp_path / "a.md", most_bytes=10_000)
    assert document.title == "Intro"
    assert [(piece.first, piece.last) for piece in document.pieces] == [(1, 8), (10, 12)]
    assert "# no heading" in document.pieces[0].text


def test_the_title_comes_from_front_matter_heading_or_name(tmp_path: Path) -> None:
    cases = {
        "a.md": "---\ntitle: 'Front'\n---\n# Head\n",
        "b.md": "text\n\n# Head #\n",
        "c.txt": "# no heading here\n",
        "d.rst": "====\nHead\n====\n\ntext\n",
    }
    for name, text in cases.items():
        (tmp_path / name).write_text(text)
    titles = {name: read_document(tmp_path / name, most_bytes=1000).title for name in cases}
    assert titles == {"a.md": "Front", "b.md": "Head", "c.txt": "c.txt", "d.rst": "Head"}


def test_pieces_are_short_but_not_too_short_and_lose_no_word() -> None:
    rng = np.random.default_rng(3)
    blocks, line = [], 1
    for number in range(200):
        size = int(rng.integers(1, 500))
        blocks.append(
            Block(text=" ".join(f"w{number}x{at}" for at in range(size)), first=line, last=line, heading=number % 7 == 0 and size < 20)
        )
        line += 2
    found = list(pieces(blocks))
    assert [word for piece in found for word in piece.text.split()] == [word for block in blocks for word in block.text.split()]
    sizes = [len(piece.text.split()) for piece in found]
    assert max(sizes) <= LONG
    assert np.mean([size >= SHORT for size in sizes]) > 0.4


def test_a_long_line_and_a_long_word_are_cut_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("first\n" + "word " * 450 + "\n" + "x" * 3000 + "\n" + "東京" * 500)
    found = read_document(tmp_path / "a.log", most_bytes=100_000).pieces
    assert all(len(piece.text) <= 11 * LONG for piece in found)
    assert {2, 3, 4} <= {piece.first for piece in found}
    assert sum(piece.text.count("x") for piece in found) == 3000


def test_html_keeps_text_and_lines_and_drops_scripts(tmp_path: Path) -> None:
    page = (
        "<html><head><title>T</title><style>p { x }</style>\n<script>if (a<b) alert('</p>')\n</script></head>\n"
        "<body><!-- <p>hidden</p>\n--><h1 class='a\nb'>Big <i>one</i></h1>\n<p>x &lt;b&gt; 3 < 4</p><svg><title>no</title></svg>tail<script>open"
    )
    title, blocks = html_blocks(page)
    assert title == "Big one"
    assert [(block.text, block.first, block.heading) for block in blocks] == [
        ("Big one", 6, True),
        ("x <b> 3 < 4", 7, False),
        ("tail", 7, False),
    ]


@pytest.mark.parametrize("part", ["<a ", "<![", "<!--", "<p", "</", "<!DOCTYPE [", "<script>", "<svg>", "&#", "<a x='"])
def test_html_made_to_be_slow_is_read(part: str) -> None:
    _, blocks = html_blocks(f"<p>Lima</p>{part * 30_000}")  # the bare parser takes 20 s for the first of these, and grows with the square
    assert blocks[0].text.startswith("Lima")


def test_encodings_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "bom.txt").write_bytes("\ufeffMünchen".encode())
    (tmp_path / "wide.txt").write_bytes("München".encode("utf-16"))
    (tmp_path / "latin.txt").write_bytes("München".encode("latin-1"))
    read = {path.name: read_document(path, most_bytes=100) for path in tmp_path.iterdir()}
    assert {name: document.pieces[0].text for name, document in read.items()} == dict.fromkeys(read, "München")
    assert {name for name, document in read.items() if document.latin} == {"latin.txt"}


def test_control_and_hidden_characters_are_removed_and_lines_stay(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("one\x1b[2J\u202e\U000e0041two\u2028three\x0bfour\r\nfive\u200b\n", encoding="utf-8")
    document = read_document(tmp_path / "a.log", most_bytes=1000)
    assert document.pieces[0].text == "one[2Jtwo three four\nfive"
    assert (document.pieces[0].first, document.pieces[0].last) == (1, 2)


def test_what_cannot_be_read_is_counted(shelf: Path) -> None:
    (shelf / "large.txt").write_text("x" * 2001)
    (shelf / "binary.txt").write_bytes(b"a\0b")
    (shelf / "image.png").write_bytes(b"png")
    (shelf / "latin.txt").write_bytes(b"caf\xe9")
    os.mkfifo(shelf / "pipe.txt")

    async def use(folder: Folder) -> None:
        counted = folder.indexed()
        assert counted.left_out == {"not text": 1, "too large": 1}
        assert (counted.files, counted.latin) == (5, 1)

    with_folder(shelf, use, most_bytes=2000)


def test_an_unreadable_file_is_counted_and_tried_again(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, locked = os.open, {"peru.md"}

    def denied(path: Path, flags: int) -> int:  # the tests may run as root, whom no permission stops
        if Path(path).name in locked:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags)

    monkeypatch.setattr(documents.os, "open", denied)

    async def use(folder: Folder) -> None:
        assert folder.indexed().left_out == {"cannot be read: Permission denied": 1}
        assert (await folder.search("Lima")).passages == ()
        locked.clear()
        assert (await folder.search("Lima")).passages[0].title == "Peru"
        assert folder.indexed().left_out == {}
        locked.add("peru.md")
        (shelf / "south" / "peru.md").write_text("# Peru\n\nLima, once more.\n")
        assert (await folder.search("Lima")).passages == (), "what may no longer be read is no longer shown"

    with_folder(shelf, use)


def test_a_link_is_not_opened_even_if_it_came_after_the_listing(shelf: Path) -> None:
    (shelf / "link.txt").symlink_to(shelf / "bees.txt")
    with pytest.raises(OSError, match="symbolic links"):
        read_document(shelf / "link.txt", most_bytes=1000)


def test_a_pdf_without_the_package_is_counted(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    monkeypatch.setattr(documents.importlib.util, "find_spec", lambda name: None)
    (shelf / "a.pdf").write_bytes(b"%PDF-1.4")

    async def use(folder: Folder) -> None:
        assert folder.indexed().left_out == {"PDF without the package pypdf": 1}

    with_folder(shelf, use)


def test_a_pdf_is_cited_by_page(tmp_path: Path) -> None:
    pytest.importorskip("pypdf")
    (tmp_path / "a.pdf").write_bytes(minimal_pdf("Lima is the capital"))
    (tmp_path / "damaged.pdf").write_bytes(b"%PDF-1.4 nothing")

    async def use(folder: Folder) -> None:
        found = await folder.search("capital")
        assert found.passages[0].uri.endswith("a.pdf#page=1")
        assert folder.indexed().left_out == {"a damaged PDF": 1}

    with_folder(tmp_path, use)


def minimal_pdf(text: str) -> bytes:
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, held in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, held)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + b"xref\n0 6\n0000000000 65535 f \n" + table + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(body)


# The folder


def test_hidden_files_and_links_that_leave_are_not_read(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("password hunter2")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "deep.txt").write_text("password deep")
    (shelf / "link.txt").symlink_to(tmp_path / "secret.txt")
    (shelf / "linked").symlink_to(tmp_path / "outside", target_is_directory=True)
    (shelf / "loop").symlink_to(shelf, target_is_directory=True)
    (shelf / ".hidden.txt").write_text("password hidden")
    (shelf / ".git").mkdir()
    (shelf / ".git" / "config.txt").write_text("password git")
    (shelf / "dangling.txt").symlink_to(shelf / "nowhere.txt")
    assert asked(shelf, "password").passages == ()


def test_a_link_that_stays_is_read_once(shelf: Path) -> None:
    (shelf / "again.md").symlink_to(shelf / "south" / "peru.md")
    (shelf / "..data").mkdir()
    (shelf / "..data" / "mounted.txt").write_text("zeppelin")
    (shelf / "mounted.txt").symlink_to(Path("..data") / "mounted.txt")  # as Kubernetes mounts a configuration
    assert [passage.title for passage in asked(shelf, "Lima").passages] == ["Peru"]
    assert asked(shelf, "zeppelin").passages[0].uri.endswith("/shelf/mounted.txt#L1")


def test_new_changed_and_deleted_files_are_noticed(shelf: Path) -> None:
    async def use(folder: Folder) -> None:
        async def titles(question: str) -> list[str]:
            return [passage.title for passage in (await folder.search(question)).passages]

        (shelf / "south" / "chile.md").write_text("# Chile\n\nSantiago.\n")
        assert await titles("Santiago") == ["Chile"]
        (shelf / "south" / "chile.md").write_text("# Chile\n\nValparaíso!\n")
        assert await titles("Santiago") == []
        assert await titles("Valparaiso") == ["Chile"]
        (shelf / "south" / "chile.md").rename(shelf / "moved.md")
        assert await titles("Valparaiso") == ["Chile"]
        (shelf / "moved.md").unlink()
        assert await titles("Valparaiso") == []
        (shelf / "bees.txt").write_bytes(b"Bees\0")
        assert await titles("honey") == []
        assert folder.indexed().left_out == {"not text": 1}

    with_folder(shelf, use)


def test_an_edit_that_keeps_size_and_time_is_noticed(shelf: Path) -> None:
    async def use(folder: Folder) -> None:
        path = shelf / "bees.txt"
        before = path.stat()
        path.write_text(path.read_text().replace("honey", "money"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (await folder.search("money")).passages[0].title == "bees.txt"

    with_folder(shelf, use)


def test_changes_are_looked_for_no_more_often_than_asked(shelf: Path) -> None:
    async def use(folder: Folder) -> None:
        (shelf / "new.txt").write_text("zeppelin")
        assert (await folder.search("zeppelin")).passages == ()

    with_folder(shelf, use, every=3600)


def test_a_folder_that_disappears_keeps_its_documents_and_says_so(shelf: Path) -> None:
    async def use(folder: Folder) -> None:
        shelf.rename(shelf.with_name("gone"))
        found = await folder.search("Lima")
        assert found.passages[0].title == "Peru"
        assert found.problem == "changes could not be read: No such file or directory"
        shelf.with_name("gone").rename(shelf)
        assert (await folder.search("Lima")).problem is None

    with_folder(shelf, use)


def test_a_search_does_not_wait_for_a_long_update(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    async def use(folder: Folder) -> None:
        def slow(path: Path, *, most_bytes: int) -> documents.Document:
            go_on.wait(20)
            return read_document(path, most_bytes=most_bytes)

        monkeypatch.setattr("wager.lookup.folder.read_document", slow)
        (shelf / "new.txt").write_text("zeppelin")
        found = await folder.search("Lima")
        assert found.passages[0].title == "Peru"
        assert found.problem == "changed files are still being read"
        go_on.set()
        while (found := await folder.search("zeppelin")).problem:
            await asyncio.sleep(0.01)
        assert found.passages[0].title == "new.txt"

    monkeypatch.setattr("wager.lookup.folder._PATIENCE", 0.2)
    with_folder(shelf, use)


def test_five_thousand_files(tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / f"{number // 500}").mkdir(exist_ok=True)
        (tmp_path / f"{number // 500}" / f"{number}.txt").write_text(f"Note {number} on topic{number % 100}. " + "filler " * 30)
    ticks: list[float] = []

    async def use(folder: Folder) -> None:
        assert folder.indexed().files == 5000
        found = await folder.search("note 4321 topic21")
        assert found.passages[0].title == "4321.txt"
        (tmp_path / "0" / "1.txt").unlink()
        results = await asyncio.gather(*(folder.search(f"note {number}") for number in range(2000, 2020)))
        assert [result.passages[0].title for result in results] == [f"{number}.txt" for number in range(2000, 2020)]
        assert folder.indexed().files == 4999

    async def ticking() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.005)

    async def run() -> None:
        ticker = asyncio.create_task(ticking())
        folder = Folder(tmp_path, every=0, seconds=40)
        await folder.start()
        began = len(ticks)
        await use(folder)
        ticker.cancel()
        await folder.close()
        assert began > 20, "the loop went on while files were read"

    asyncio.run(run())


# The index in a file


def test_an_index_in_a_file_is_kept_and_brought_up_to_date(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index.sqlite"
    assert asked(shelf, "Lima", index=index).passages[0].title == "Peru"
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("index*")} == {"index.sqlite": 0o600}
    (shelf / "bees.txt").unlink()
    (shelf / "new.txt").write_text("zeppelin")
    read: list[str] = []

    def noted(path: Path, *, most_bytes: int) -> documents.Document:
        read.append(path.name)
        return read_document(path, most_bytes=most_bytes)

    monkeypatch.setattr("wager.lookup.folder.read_document", noted)

    async def use(folder: Folder) -> None:
        assert (await folder.search("Lima")).passages[0].title == "Peru"
        assert (await folder.search("zeppelin")).passages[0].title == "new.txt"
        assert (await folder.search("honey")).passages == ()

    with_folder(shelf, use, index=index)
    assert read == ["new.txt"]


WORKER = """
import asyncio, sys
from pathlib import Path
from wager.lookup.folder import Folder
async def main():
    folder = Folder(Path(sys.argv[1]), index=Path(sys.argv[2]), every=0)
    await folder.start()
    for number in range(30):
        (Path(sys.argv[1]) / f"{sys.argv[3]}-{number}.txt").write_text(f"note {sys.argv[3]}{number} zeppelin")
        found = await folder.search("zeppelin")
        assert found.passages or found.problem == "changed files are still being read", found
    await folder.close()
asyncio.run(main())
"""


def test_several_processes_share_one_index(shelf: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.sqlite"

    async def all_of_them() -> list[tuple[int | None, bytes]]:
        started = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, str(shelf), str(index), name, stderr=asyncio.subprocess.PIPE)
            for name in ("a", "b", "c")
        ]
        said = [(await process.communicate())[1] for process in started]
        return [(process.returncode, words) for process, words in zip(started, said, strict=True)]

    assert asyncio.run(all_of_them()) == [(0, b"")] * 3

    async def use(folder: Folder) -> None:
        assert folder.indexed().files == 94
        assert len((await folder.search("zeppelin", limit=200)).passages) == 90

    with_folder(shelf, use, index=index)
    with sqlite3.connect(index) as connection:
        assert connection.execute("SELECT count(*) FROM passages").fetchone() == connection.execute("SELECT count(*) FROM fts").fetchone()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_an_index_of_something_else_is_refused_and_kept(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    asked(tmp_path / "other", "x", index=tmp_path / "index.sqlite")
    with pytest.raises(DataError, match=r"belongs to the folder .*other"):
        asked(shelf, "x", index=tmp_path / "index.sqlite")
    (tmp_path / "text.sqlite").write_text("my diary, not a database, " * 50)
    with pytest.raises(DataError, match="as an index: file is not a database"):
        asked(shelf, "x", index=tmp_path / "text.sqlite")
    assert (tmp_path / "text.sqlite").read_text().startswith("my diary")
    with sqlite3.connect(tmp_path / "mine.sqlite") as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    with pytest.raises(DataError, match="a database of something else"):
        asked(shelf, "x", index=tmp_path / "mine.sqlite")
    with pytest.raises(OutputError, match=r"cannot open the index .*in a folder that exists"):
        asked(shelf, "x", index=tmp_path / "nowhere" / "index.sqlite")


def test_an_index_of_another_version_is_built_anew(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index.sqlite"
    asked(shelf, "x", index=index)
    monkeypatch.setattr(index_module, "_VERSION", 99)
    assert asked(shelf, "Lima", index=index).passages[0].title == "Peru"
    with sqlite3.connect(index) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone() == ("99",)
    connection.close()


# Starting and ending


def test_a_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"needs a folder that exists, got .*nowhere"):
        asked(tmp_path / "nowhere", "x")
    with pytest.raises(UsageError, match="every is 0 or more"):
        Folder(tmp_path, seconds=0)


def test_sqlite_without_full_text_search_is_one_line(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare(sqlite3.Connection):
        def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
            if "fts5" in sql:
                raise sqlite3.OperationalError("no such module: fts5")
            return super().execute(sql, *rest)  # type: ignore[arg-type]

    connect = sqlite3.connect
    monkeypatch.setattr(index_module.sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Bare))
    with pytest.raises(ModelError, match="no full-text search"):
        asked(shelf, "x")


def test_a_search_before_the_start_and_after_the_end_is_a_problem(shelf: Path) -> None:
    async def run() -> None:
        folder = Folder(shelf)
        assert (await folder.search("Lima")).problem == "not started"
        assert folder.indexed().files == 0
        await folder.start()
        await folder.close()
        await folder.close()
        assert (await folder.search("Lima")).problem == "not started"
        await folder.start()
        assert (await folder.search("Lima")).passages
        await folder.close()

    asyncio.run(run())


def test_a_search_that_takes_too_long_is_a_problem(shelf: Path) -> None:
    async def use(folder: Folder) -> None:
        index = folder._index
        assert index is not None
        with index._lock:
            found = await folder.search("Lima")
        assert found.problem == "timed out after 0.2 s"

    with_folder(shelf, use, seconds=0.2, every=3600)


# Relevance


def test_relevance_is_the_weighted_share_of_the_questions_words() -> None:
    passage = Passage(text="Lima is the capital.", title="Peru", uri="")
    # capital 7 letters and peru 4 are there, population counts 8: 11 / 19
    assert relevant("capital and population of Peru", passage) == pytest.approx(11 / 19)
    rare = {"capital": 1.0, "population": 4.0, "peru": 3.0}
    assert relevant("capital and population of Peru", passage, rarity=rare) == pytest.approx(4 / 8)
    assert relevant("?", passage) == 0.0
    assert relevant("capital of Peru", passage, rarity={"capital": 0.0, "peru": 0.0}) == 1.0
    assert relevant("首都", Passage(text="東京は日本の首都", title="", uri="")) == 1.0
    assert relevant("猫", Passage(text="白猫", title="", uri="")) == 1.0


def test_rarities_are_those_of_the_folder(shelf: Path) -> None:
    async def use(folder: Folder) -> None:
        passages = folder.indexed().passages
        assert passages == 4
        rare = folder.rarities("capital of zeppelin")
        assert rare == pytest.approx({"capital": np.log(5 / 2), "zeppelin": np.log(5)})

    with_folder(shelf, use)


def test_relevance_tells_passages_of_other_questions_as_documented(data: Path) -> None:
    rows = [json.loads(line) for line in (data / "rag" / "rgb_en_fact.jsonl").read_text(encoding="utf-8").splitlines()]
    made = [Passage(text=text, title="", uri=str(at)) for at, row in enumerate(rows) for text in row["positive"]]
    right = [relevant(rows[int(passage.uri)]["query"], passage) for passage in made]
    rng = np.random.default_rng(0)
    pairs = [
        (at, made[other]) for at in range(len(rows)) for other in rng.choice(len(made), 30, replace=False) if int(made[other].uri) != at
    ]
    wrong = [relevant(rows[at]["query"], passage) for at, passage in pairs]
    assert len(right) == 395
    assert roc_auc_score([1] * len(right) + [0] * len(wrong), right + wrong) == pytest.approx(0.973, abs=0.01)
    assert np.mean(np.array(right) >= RELEVANT) == pytest.approx(0.90, abs=0.01)
    assert np.mean(np.array(wrong) >= RELEVANT) == pytest.approx(0.04, abs=0.015)
    near = [relevant(row["query"], Passage(text=text, title="", uri="")) for row in rows for text in row["negative"]]
    assert roc_auc_score([1] * len(right) + [0] * len(near), right + near) == pytest.approx(0.57, abs=0.01)
