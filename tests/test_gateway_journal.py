"""The journal: what is acknowledged is on disk, whatever dies; texts stay out; feedback grades what was given and nothing else."""

import asyncio
import contextlib
import logging
import os
import pwd
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from conftest import absent
from gateway_decisions import SECRET, decided, talkative
from wager.answers import ConfidenceSource, Outcome
from wager.cli import main
from wager.errors import DataError, OutputError, UnknownNameError, UsageError
from wager.gateway.decision import Citation, Decided, LookedUp, Spent
from wager.gateway.group_commit import GroupCommit
from wager.gateway.journal import Journal, SqliteJournal, table
from wager.table import AnswerTable

R = TypeVar("R")

HERE = str(Path(__file__).parent)


def with_journal(folder: Path, work: Callable[[SqliteJournal], Awaitable[R]], **options: Any) -> R:
    """Runs ``work`` on an open journal, and closes it."""

    async def run() -> R:
        journal = SqliteJournal(folder, **options)
        await journal.start()
        try:
            return await work(journal)
        finally:
            await journal.close()

    return asyncio.run(run())


def ids(folder: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM wager_decisions")}


def child(code: str, *arguments: object, **options: Any) -> "subprocess.Popen[str]":
    """A process that runs ``code`` with these tests' modules."""
    environment = {**os.environ, "PYTHONPATH": HERE}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True, env=environment, **options
    )


async def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Waits until ``true()``; False if it does not become so."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.02)
    return True


# What is kept


def test_a_decision_comes_back_as_it_was_where_text_may_be_kept(tmp_path: Path) -> None:
    one = talkative(axes={"stakes": 0.25}, notes=("no log-probabilities",), distinct=1.0)

    async def work(journal: SqliteJournal) -> Decided | None:
        await journal.write(one)
        return await journal.decision(one.id)

    assert with_journal(tmp_path, work, keep_text=True) == one


def test_without_permission_no_text_reaches_the_disk_and_the_decision_says_so(tmp_path: Path) -> None:
    why = f"the call for p_true failed: {SECRET}"
    one = talkative(notes=(f"the dial {SECRET} was left out",), no_confidence=why)
    failed = replace(
        one, id="wd_2", lookups=(LookedUp(lookup="docs", passages=0, used=0, seconds=0.5, problem=f"the tool says: {SECRET}"),)
    )

    async def work(journal: SqliteJournal) -> Decided | None:
        await journal.write(one)
        await journal.write(failed)
        assert await journal.feedback(one.id, "wrong", f"no, {SECRET}", "alice")
        assert [each.problem for each in (await journal.recent(1))[0].decided.lookups] == ["the tool says"]
        return await journal.decision(one.id)

    found = with_journal(tmp_path, work)
    assert found is not None
    assert (found.question, found.answer, found.text, found.branches) == (None, None, None, ())
    assert found.citations == (Citation(label="[1]", uri="file://a.txt#L1", quote=""),)
    assert found.lookups == one.lookups
    assert found.notes == ("texts of citations, branches and notes are not in the journal: it keeps no text",)
    assert found.no_confidence == "the call for p_true failed"
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert one.id.encode() in written
    assert SECRET.encode() not in written


def test_texts_that_no_database_takes_are_kept_as_text_that_it_takes(tmp_path: Path) -> None:
    one = decided(question="half \ud83d and NUL \x00", confidence=float("nan"), reason="\ud83d \x00", axes={"stakes": np.float32(0.5)})

    async def work(journal: SqliteJournal) -> Decided | None:
        await journal.write(one)
        assert (journal.written, journal.lost) == (1, 0)
        return await journal.decision(one.id)

    found = with_journal(tmp_path, work, keep_text=True)
    assert found is not None
    assert found.question == "half ? and NUL \ufffd"
    assert found.axes == {"stakes": 0.5}


def test_only_the_owner_reads_the_file(tmp_path: Path) -> None:
    async def work(journal: SqliteJournal) -> None:
        await journal.write(decided())
        assert {file.stat().st_mode & 0o777 for file in (tmp_path / "new").iterdir()} == {0o600}

    with_journal(tmp_path / "new", work)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_what_is_older_than_keep_days_is_removed_with_its_feedback(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    old, new = decided(made=(now - timedelta(days=8)).isoformat()), decided(made=(now - timedelta(days=6)).isoformat())

    async def fill(journal: SqliteJournal) -> None:
        for one in (old, new):
            await journal.write(one)
            assert await journal.feedback(one.id, "right")

    with_journal(tmp_path, fill)

    async def look(journal: SqliteJournal) -> None:
        assert await until(lambda: ids(tmp_path) == {new.id})

    with_journal(tmp_path, look, keep_days=7)
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        assert connection.execute("SELECT id FROM wager_feedback").fetchall() == [(new.id,)]
    with pytest.raises(UsageError, match="above 0"):
        SqliteJournal(tmp_path, keep_days=0)


def test_recent_decisions_come_newest_first_and_page_by_page(tmp_path: Path) -> None:
    made = [decided() for _ in range(5)]

    async def work(journal: SqliteJournal) -> None:
        for one in made:
            await journal.write(one)
        await journal.feedback(made[4].id, "unhelpful")
        first = await journal.recent(2)
        assert [(one.decided.id, one.verdict) for one in first] == [(made[4].id, "unhelpful"), (made[3].id, None)]
        rest = await journal.recent(9, first[-1].decided.id)
        assert [one.decided.id for one in rest] == [made[2].id, made[1].id, made[0].id]
        assert await journal.recent(9, "wd_nobody") == []
        assert await journal.recent(0) == await journal.recent(-3) == []
        assert await journal.decision("' OR 1=1 --") is None

    with_journal(tmp_path, work)


def test_sqlite_is_a_journal(tmp_path: Path) -> None:
    journal: Journal = SqliteJournal(tmp_path)
    assert (journal.written, journal.lost) == (0, 0)
    with pytest.raises(UsageError, match="start"):
        asyncio.run(journal.write(decided()))


# Feedback


def test_the_last_verdict_counts_and_the_history_stays(tmp_path: Path) -> None:
    one = decided()

    async def work(journal: SqliteJournal) -> None:
        await journal.write(one)
        assert await journal.feedback(one.id, "right", "yes", "alice")
        assert await journal.feedback(one.id, "wrong", None, "bob")
        assert not await journal.feedback("wd_nobody", "right", None, None)
        with pytest.raises(UnknownNameError, match="did you mean 'right'"):
            await journal.feedback(one.id, "rihgt")
        assert (await journal.recent())[0].verdict == "wrong"

    with_journal(tmp_path, work, keep_text=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        rows = connection.execute("SELECT id, verdict, note, given_by FROM wager_feedback ORDER BY seq").fetchall()
    assert rows == [(one.id, "right", "yes", "alice"), (one.id, "wrong", None, "bob")]
    assert table(tmp_path).outcome.tolist() == ["incorrect"]


FOUND = (LookedUp(lookup="docs", passages=3, used=1, seconds=0.1),)
NOTHING = (LookedUp(lookup="docs", passages=3, used=0, seconds=0.1),)


@pytest.mark.parametrize(
    ("changes", "verdict", "outcome", "reason"),
    [
        ({}, "right", "correct", None),
        ({"act": "hedge"}, "wrong", "incorrect", None),
        ({}, None, "ungraded", "no feedback"),
        ({}, "unhelpful", "ungraded", "unhelpful"),
        ({"act": "abstain"}, "right", "abstained", None),
        ({"act": "abstain"}, "wrong", "abstained", None),
        ({"act": "clarify"}, "unhelpful", "abstained", None),
        ({"act": "look_up", "lookups": NOTHING}, "wrong", "abstained", None),
        ({"act": "look_up", "lookups": FOUND}, "wrong", "incorrect", None),
        ({"act": "refuse"}, "wrong", "ungraded", "refused"),
    ],
)
def test_feedback_grades_the_answer_that_was_given(
    tmp_path: Path, changes: dict[str, Any], verdict: str | None, outcome: str, reason: str | None
) -> None:
    one = decided(**changes)

    async def work(journal: SqliteJournal) -> None:
        await journal.write(one)
        if verdict is not None:
            await journal.feedback(one.id, verdict)

    with_journal(tmp_path, work)
    (row,) = table(tmp_path)
    assert (row.outcome.value, row.reason, row.stratum) == (outcome, reason, one.act)
    assert row.credit == {"correct": 1.0, "incorrect": 0.0}.get(outcome)
    assert (row.task, row.item, row.model) == ("gateway/factual", one.id, one.model)
    assert row.confidence == {ConfidenceSource.LOGPROB: 0.7}
    assert (row.tokens_in, row.tokens_out, row.seconds, row.question, row.target) == (30, 12, 1.25, None, None)


@pytest.mark.parametrize(("raw", "confidence", "kept"), [(0.3, 0.2, False), (0.9, 0.2, False), (0.3, None, False), (0.7, 0.8, True)])
def test_the_confidence_of_a_withheld_answer_is_not_paired_with_the_verdict_on_another(
    tmp_path: Path, raw: float, confidence: float | None, kept: bool
) -> None:
    one = decided(act="look_up", lookups=FOUND, raw=raw, confidence=confidence, threshold=0.5)

    async def work(journal: SqliteJournal) -> dict[str, Any]:
        await journal.write(one)
        await journal.feedback(one.id, "right")
        return await journal.summary()

    graded = with_journal(tmp_path, work)["reliability"]["calibrated"]
    (row,) = table(tmp_path)
    assert row.outcome is Outcome.CORRECT
    assert row.confidence == ({ConfidenceSource.LOGPROB: 0.7} if kept else {})
    assert len(graded) == kept


def test_unknown_numbers_stay_unknown(tmp_path: Path) -> None:
    one = decided(confidence=None, raw=None, source="tea leaves", cost=Spent(), no_confidence="the reply is empty")

    async def work(journal: SqliteJournal) -> Decided | None:
        await journal.write(one)
        return await journal.decision(one.id)

    found = with_journal(tmp_path, work)
    assert found is not None
    assert found.no_confidence == "the reply is empty"
    (row,) = table(tmp_path)
    assert (row.confidence, row.tokens_in, row.tokens_out) == ({}, None, None)


def test_the_summary_counts_unknown_apart(tmp_path: Path) -> None:
    early = "2026-11-20T00:00:00+00:00"
    rows: list[tuple[Decided, str | None]] = [
        (decided(confidence=0.82), "right"),
        (decided(confidence=0.86), "wrong"),
        (decided(confidence=0.89, act="hedge"), "right"),
        (decided(confidence=0.85), "unhelpful"),
        (decided(confidence=0.84), None),
        (decided(confidence=1.0), "right"),
        (decided(confidence=0.15, act="abstain"), "wrong"),
        (decided(confidence=0.1, calibration_id=None), "wrong"),
        (decided(confidence=None, kind="creative", act="imagine"), "right"),
        (decided(confidence=0.82, made=early), "wrong"),
    ]

    async def work(journal: SqliteJournal) -> tuple[dict[str, Any], dict[str, Any]]:
        for one, verdict in rows:
            await journal.write(one)
            if verdict is not None:
                await journal.feedback(one.id, verdict)
        return await journal.summary(datetime(2026, 11, 21, tzinfo=UTC)), await journal.summary()

    found, everything = with_journal(tmp_path, work)
    assert found["decisions"] == 9
    assert found["acts"] == {"creative": {"imagine": 1}, "factual": {"abstain": 1, "answer": 6, "hedge": 1}}
    assert found["confidence"] == {"bins": 10, "counts": [0, 2, 0, 0, 0, 0, 0, 0, 5, 1], "unknown": 1}
    assert found["feedback"] == {"right": 4, "wrong": 3, "unhelpful": 1, "none": 1}
    eight, nine = found["reliability"]["calibrated"]
    assert (eight["low"], eight["high"], eight["n"]) == (0.8, 0.9, 3)
    assert eight["mean_confidence"] == pytest.approx((0.82 + 0.86 + 0.89) / 3)
    assert eight["share_right"] == pytest.approx(2 / 3)
    assert (nine["n"], nine["share_right"], nine["mean_confidence"]) == (1, 1.0, 1.0)
    assert [(one["n"], one["share_right"]) for one in found["reliability"]["raw"]] == [(1, 0.0)]
    assert everything["decisions"] == 10
    assert everything["reliability"]["calibrated"][0]["n"] == 4


# Nothing that was acknowledged is lost

WRITER = """
import asyncio, sys
from pathlib import Path
from gateway_decisions import decided
from wager.gateway.journal import SqliteJournal
import uuid

async def main(folder, tasks, each):
    journal = SqliteJournal(Path(folder))
    await journal.start()
    async def write():
        for _ in range(each):
            one = decided(id="wd_" + uuid.uuid4().hex)
            await journal.write(one)
            print(one.id, flush=True)
    await asyncio.gather(*(write() for _ in range(tasks)))
    await journal.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def test_kill_9_loses_no_row_whose_write_had_returned(tmp_path: Path) -> None:
    rng = random.Random(5)
    acknowledged: set[str] = set()
    for _ in range(3):
        with child(WRITER, tmp_path, 8, 10**6) as process:
            assert process.stdout is not None
            for _ in range(rng.randrange(200, 800)):
                acknowledged.add(process.stdout.readline().strip())
            process.send_signal(signal.SIGKILL)
            acknowledged |= {line.strip() for line in process.stdout if len(line) == len("wd_") + 33}
    assert len(acknowledged) > 600
    assert acknowledged <= ids(tmp_path)
    assert len(table(tmp_path)) >= len(acknowledged)

    async def go_on(journal: SqliteJournal) -> None:
        await journal.write(decided())
        assert (journal.written, journal.lost) == (1, 0)

    with_journal(tmp_path, go_on)


OPENER = """
import sys
from pathlib import Path
from wager.gateway.journal import SqliteJournal

for line in sys.stdin:
    journal = SqliteJournal(Path(line.strip()))
    journal.open()
    journal.shut()
    print(flush=True)
"""


def test_several_processes_that_start_at_once_make_one_new_journal(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        openers = [stack.enter_context(child(OPENER, stdin=subprocess.PIPE)) for _ in range(4)]
        for at in range(150):
            for opener in openers:
                assert opener.stdin is not None
                opener.stdin.write(f"{tmp_path / str(at)}\n")
                opener.stdin.flush()
            assert [opener.stdout.readline() for opener in openers if opener.stdout] == ["\n"] * 4
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.close()
    assert [opener.returncode for opener in openers] == [0] * 4


def test_several_processes_write_one_journal(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(child(WRITER, tmp_path, 4, 100)) for _ in range(3)]
        told = [line.strip() for writer in writers for line in writer.stdout or ()]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(told) == 1200
    assert ids(tmp_path) == set(told)


def test_closing_writes_what_waits_and_a_cancelled_write_is_written(tmp_path: Path) -> None:
    made = [decided() for _ in range(50)]

    async def work(journal: SqliteJournal) -> None:
        tasks = [asyncio.ensure_future(journal.write(one)) for one in made]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await journal.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await journal.close()
        await journal.write(decided())
        assert (journal.written, journal.lost) == (50, 1)

    with_journal(tmp_path, work)
    assert ids(tmp_path) == {one.id for one in made}


def test_a_row_that_cannot_be_kept_takes_no_other_with_it(tmp_path: Path) -> None:
    good = [decided() for _ in range(20)]
    bad = decided(cost=Spent(tokens_in=2**70))
    no_row = replace(decided(), kind=None)  # type: ignore[arg-type]

    async def work(journal: SqliteJournal) -> None:
        await asyncio.gather(*(journal.write(one) for one in [*good[:10], bad, no_row, *good[10:], good[0]]))
        assert journal.lost == 2

    with_journal(tmp_path, work)
    assert ids(tmp_path) == {one.id for one in good}


# Where it cannot be written

FULL = """
import asyncio, logging, resource, sys, time
from pathlib import Path
from gateway_decisions import decided
from wager.errors import OutputError
from wager.gateway.journal import SqliteJournal

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main(folder):
    limit(4096)
    try:
        await SqliteJournal(folder).start()
    except OutputError as error:
        print("start:", "one line" if "\\n" not in str(error) else error)
    limit(resource.RLIM_INFINITY)
    journal = SqliteJournal(folder)
    await journal.start()
    first, second, third = decided(id="a"), decided(id="b"), decided(id="c")
    await journal.write(first)
    limit(max(file.stat().st_size for file in folder.iterdir()))
    for one in (second, third):
        await journal.write(one)
    print("full:", journal.written, journal.lost)
    limit(resource.RLIM_INFINITY)
    end = time.monotonic() + 20
    while journal.lost and time.monotonic() < end:
        await asyncio.sleep(0.05)
    print("again:", journal.written, journal.lost)
    await journal.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_full_disk_stops_the_start_and_in_flight_rows_wait_in_memory(tmp_path: Path) -> None:
    with child(FULL, tmp_path / "j", stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=60)
    assert out.splitlines() == ["start: one line", "full: 1 2", "again: 3 0"]
    assert err.count("cannot be written") == 1
    assert ids(tmp_path / "j") == {"a", "b", "c"}


def test_a_journal_that_another_process_holds_stops_the_start_in_one_line(tmp_path: Path) -> None:
    with_journal(tmp_path, lambda journal: journal.write(decided()))
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OutputError, match="another process has held it locked for 2 s"):
            SqliteJournal(tmp_path).open()


def test_while_it_is_locked_requests_go_on_and_their_rows_follow(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = [decided() for _ in range(5)]

    async def work(journal: SqliteJournal) -> None:
        other = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for one in made:
            await journal.write(one)
        assert (journal.written, journal.lost) == (0, 5)
        with pytest.raises(OutputError, match="locked"):
            await journal.feedback(made[0].id, "right")
        other.execute("ROLLBACK")
        other.close()
        assert await until(lambda: journal.lost == 0)
        assert journal.written == 5
        assert await journal.feedback(made[0].id, "right")

    with_journal(tmp_path, work)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert ids(tmp_path) == {one.id for one in made}


def test_a_damaged_file_stops_the_start_in_one_line(tmp_path: Path) -> None:
    with_journal(tmp_path, lambda journal: journal.write(decided()))
    file = tmp_path / "journal.sqlite"
    whole = file.read_bytes()
    for damage in (b"\xff" * 4096 + whole[4096:], whole[:4096] + b"\x5a" * (len(whole) - 4096), whole[: len(whole) // 2]):
        file.write_bytes(damage)
        with pytest.raises(OutputError, match="damaged") as raised:
            SqliteJournal(tmp_path).open()
        assert "\n" not in str(raised.value)
        with pytest.raises(DataError):
            table(tmp_path)


def test_damage_that_no_statement_meets_stops_the_start_too(tmp_path: Path) -> None:
    async def work(journal: SqliteJournal) -> None:
        await asyncio.gather(*(journal.write(decided()) for _ in range(200)))

    with_journal(tmp_path, work)
    file = tmp_path / "journal.sqlite"
    whole = file.read_bytes()
    page = whole.index(b"wd_", len(whole) // 2) // 4096 * 4096
    file.write_bytes(whole[:page] + b"\x5a" * 4096 + whole[page + 4096 :])
    with pytest.raises(OutputError, match="damaged"):
        SqliteJournal(tmp_path).open()


def test_a_file_that_is_removed_while_in_use_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(journal: SqliteJournal) -> None:
        await journal.write(decided())
        for file in tmp_path.iterdir():
            file.unlink()
        await journal.write(decided())
        assert (journal.written, journal.lost) == (1, 1)

    with_journal(tmp_path, work)
    assert "removed or replaced" in caplog.text
    assert "1 decisions that could not be written: they are lost" in caplog.text


def test_other_databases_and_later_versions_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = file.read_bytes()
    with pytest.raises(OutputError, match="another program"):
        SqliteJournal(tmp_path).open()
    assert file.read_bytes() == before
    with pytest.raises(DataError, match="no journal of wager"):
        table(tmp_path)
    file.unlink()
    with_journal(tmp_path, lambda journal: journal.write(decided()))
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(OutputError, match="version 9, this wager writes 2; update wager"):
        SqliteJournal(tmp_path).open()


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        SqliteJournal(tmp_path / "file").open()
    with pytest.raises(DataError, match="no journal in"):
        table(tmp_path / "nowhere")


def test_memory_is_bounded_while_nothing_can_be_written(caplog: pytest.LogCaptureFixture) -> None:
    broken, tries = True, 0
    kept: list[int] = []

    def commit(rows: Any) -> int:
        nonlocal tries
        tries += 1
        if broken:
            raise OSError(28, "No space left on device")
        kept.extend(rows)
        return 0

    async def run() -> GroupCommit[int]:
        nonlocal broken
        group = GroupCommit(commit, most_waiting=3)
        assert not any([await group.add(number) for number in range(10)])
        assert (group.written, group.lost) == (0, 10)
        assert await until(lambda: tries == 2)
        broken = False
        assert await until(lambda: group.written == 3)
        assert group.lost == 7
        assert await group.add(99)
        await asyncio.to_thread(group.close)
        return group

    group = asyncio.run(run())
    assert kept == [0, 1, 2, 99]
    assert (group.written, group.lost) == (4, 7)
    assert caplog.text.count("No space left") == 1


def test_many_writes_share_few_commits() -> None:
    commits: list[int] = []

    def commit(rows: Any) -> int:
        commits.append(len(rows))
        time.sleep(0.01)
        return 0

    async def run() -> None:
        group = GroupCommit(commit)
        assert all(await asyncio.gather(*(group.add(number) for number in range(500))))
        await asyncio.to_thread(group.close)

    asyncio.run(run())
    assert sum(commits) == 500
    assert len(commits) <= 10


# wager calibrate --from-journal


def fill(folder: Path, n: int) -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.3, 1.0, n)
    right = rng.uniform(size=n) < sure

    async def work(journal: SqliteJournal) -> None:
        made = [decided(raw=float(value), confidence=float(value)) for value in sure]
        await asyncio.gather(*(journal.write(one) for one in made))
        for one, verdict in zip(made, right, strict=True):
            await journal.feedback(one.id, "right" if verdict else "wrong")
        await journal.write(decided())
        await journal.write(decided(act="abstain"))
        await journal.write(decided(kind="creative", act="imagine", raw=None, confidence=None))

    with_journal(folder, work)


def test_calibrate_reads_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "j", 150)
    assert main(["calibrate", "--from-journal", "j", "--target", "0.5", "--where", "task=gateway/factual", "--kind", "factual"]) == 0
    out = capsys.readouterr().out
    assert "150 answers of embedded/smollm2-135m-instruct to gateway/factual with a logprob confidence" in " ".join(out.split())
    assert "left out: 1 abstained, 1 ungraded" in out
    assert (tmp_path / "policy.toml").exists()


def test_too_few_graded_rows_are_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "j", 7)
    assert main(["calibrate", "--from-journal", "j"]) == 2
    err = capsys.readouterr().err
    assert "the journal 'j' has 7 graded answers with a confidence among 10 decisions, and 20 are needed at least" in err
    assert err.count("\n") == 1
    for wrong in (["answers.parquet"], ["--check", "x.parquet"], ["--table-of", "x.json"], ["--model", "m"]):
        assert main(["calibrate", "--from-journal", "j", *wrong]) == 2
    assert main(["calibrate", "--from-journal", "nowhere"]) == 2
    assert not (tmp_path / "policy.toml").exists()


def test_a_table_of_a_journal_is_an_answer_table_on_disk(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    table(tmp_path).write(tmp_path / "answers.parquet")
    found = AnswerTable.read(tmp_path / "answers.parquet")
    assert len(found) == 8
    assert found.metadata["origin"] == "wager journal"


# PostgreSQL


class Postgres:
    """A real server in a folder of its own, on a socket there."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs, self.folder, self._user = programs, folder, user
        self._run("initdb", "-D", folder / "data", "-U", "wager", "-A", "trust", "--no-sync")
        self.start()

    def _run(self, program: str, *arguments: object) -> None:
        as_user = ["setpriv", f"--reuid={self._user}", f"--regid={self._user}", "--clear-groups"] if self._user else []
        command = [*as_user, str(self._programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", timeout=60)

    def start(self) -> None:
        options = f"-k {self.folder} -h '' -F -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")

    @property
    def dsn(self) -> str:
        return f"host={self.folder} user=wager dbname=postgres"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    pytest.importorskip("psycopg")
    places = [Path(found).parent for found in [shutil.which("pg_ctl")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    programs = next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)
    if programs is None:
        absent("a PostgreSQL server")
    user = None
    folder = Path(tempfile.mkdtemp(prefix="wager-pg-", dir="/tmp"))  # sockets have short paths; pytest's folders are the owner's alone
    if os.geteuid() == 0:  # the server refuses root
        user = next((name for name in ("postgres", "nobody") if name in {one.pw_name for one in pwd.getpwall()}), None)
        if user is None or not shutil.which("setpriv"):
            absent("a user that PostgreSQL may run as")
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    server = Postgres(programs, folder, str(pwd.getpwnam(user).pw_uid) if user else None)
    try:
        yield server
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_postgres_keeps_what_sqlite_keeps(postgres: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from wager.gateway import journal_postgres

    kept = [
        talkative(),
        decided(act="abstain"),
        decided(confidence=None, raw=None, kind="creative", client="alice"),
        decided(question="NUL \x00 \ud83d"),
    ]
    bad = decided(cost=Spent(tokens_in=2**70))

    async def fill(journal: Journal) -> tuple[Any, ...]:
        await journal.start()
        try:
            await asyncio.gather(*(journal.write(one) for one in [*kept, bad, kept[0]]))
            assert journal.lost == 1
            assert await journal.feedback(kept[0].id, "wrong", "no", "alice")
            assert await journal.feedback(kept[0].id, "right", "yes", "alice")
            assert not await journal.feedback("nobody", "right")
            assert await journal.decision("'; DROP TABLE wager_decisions; --") is None
            everything = {one.decided.id: one for one in await journal.recent(99)}
            before = await journal.recent(99, kept[0].id)
            found = await journal.decision(kept[0].id)
            own = [one.decided.id for one in await journal.recent(99, kept[2].id, client="alice")]
            assert await journal.decision(kept[0].id, client="alice") is None
            assert not await journal.feedback(kept[0].id, "right", client="alice")
            counts = [await journal.summary(), await journal.summary(datetime.now(UTC)), await journal.summary(client="alice")]
            return everything, [one.decided.id for one in before], found, own, counts
        finally:
            await journal.close()

    ours = asyncio.run(fill(SqliteJournal(tmp_path, keep_text=True)))
    theirs = asyncio.run(fill(journal_postgres.PostgresJournal(postgres.dsn, keep_text=True)))
    assert ours == theirs
    assert ours[2] == kept[0]
    assert table(tmp_path).arrow.sort_by("item").equals(journal_postgres.table(postgres.dsn).arrow.sort_by("item"))
    assert SECRET not in caplog.text


def test_postgres_that_goes_away_and_comes_back_loses_no_row(postgres: Postgres, caplog: pytest.LogCaptureFixture) -> None:
    from wager.gateway.journal_postgres import PostgresJournal

    made = [decided() for _ in range(3)]

    async def run() -> None:
        journal = PostgresJournal(postgres.dsn)
        await journal.start()
        await journal.write(made[0])
        assert await journal.decision(made[0].id) is not None
        await asyncio.to_thread(postgres.stop)
        for one in made[1:]:
            await journal.write(one)
        assert (journal.written, journal.lost) == (1, 2)
        with pytest.raises(OutputError, match="cannot be used") as raised:
            await journal.decision(made[0].id)
        assert "\n" not in str(raised.value)
        await asyncio.to_thread(postgres.start)
        assert await until(lambda: journal.lost == 0)
        for one in made:
            assert await journal.decision(one.id) is not None
        await journal.close()

    asyncio.run(run())
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


def test_postgres_that_is_not_there_stops_the_start_without_showing_the_password(tmp_path: Path) -> None:
    journal_postgres = pytest.importorskip("wager.gateway.journal_postgres")
    for dsn in (f"postgresql://me:hunter2@/wager?host={tmp_path}", "dbname=x password=hunter2 nonsense"):
        with pytest.raises(OutputError, match="the journal in PostgreSQL") as raised:
            journal_postgres.PostgresJournal(dsn).open()
        assert "hunter2" not in str(raised.value)
        assert "\n" not in str(raised.value)
