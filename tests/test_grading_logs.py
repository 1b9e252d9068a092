"""Material in a prompt, what reports a failure in a log, what is named and where it stands: hand-worked lines and two real logs."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.grading.log_lines import (
    entities,
    failures,
    frames,
    level,
    level_name,
    missing,
    salient,
    stands_in,
    template,
    warnings,
    where_to_look,
)
from wager.grading.material import Material, material, split_lines

FAILURES = """17/06/09 20:11:00 WARN scheduler.TaskSetManager: Lost task 1.0 in stage 4.0 (TID 377, host-3, executor 12): java.lang.OutOfMemoryError: Java heap space
17/06/09 20:11:00 WARN ipc.Client: giving up: java.net.ConnectException: refused
17/06/09 20:11:00 ERROR executor.Executor: Exception in task 1.0 in stage 4.0 (TID 377)
17/06/09 20:11:00 ERROR YarnScheduler: Lost executor 12 on mesos-slave-07: Container killed by YARN for exceeding memory limits.
2015-10-18 18:10:54 INFO mapreduce.Job: Job job_1445_0020 failed with state FAILED due to: Task failed task_1445
2015-10-18 18:10:54 INFO mapreduce.Job: Task Id : attempt_1445_0020_m_000000_0, Status : FAILED
17/06/09 20:11:00 INFO yarn.Client: final status: FAILED
Exception in thread "main" java.lang.NullPointerException
java.io.IOException: Connection reset by peer
Caused by: java.net.ConnectException: Connection refused
Traceback (most recent call last):
ValueError: invalid literal for int()
KeyError: 'x'
E       AssertionError: assert 1 == 2
FAILED tests/test_a.py::test_b - AssertionError: assert 1 == 2
==== 3 failed, 20 passed in 1.2s ====
main.c:12:5: error: expected ';' before 'return'
/usr/bin/ld: main.o: undefined reference to `foo'
error[E0308]: mismatched types
src/a.ts(3,5): error TS2345: Argument of type
make: *** [Makefile:3: all] Error 1
npm ERR! code ELIFECYCLE
Jun 14 15:16:01 combo sshd(pam_unix)[19939]: Failed password for root from 10.0.0.1 port 22 ssh2
Jun 14 15:16:01 combo kernel: Out of memory: Kill process 1234 (java) score 900
Segmentation fault (core dumped)
{"level":"error","ts":1.2,"msg":"boom"}
{"level":50,"time":1,"msg":"boom"}
{"severity": "ERROR", "message": "x"}
level=error msg="cannot open file"
E0612 10:00:00.000000 1 reflector.go:1] watch failed
Tests run: 5, Failures: 1, Errors: 0, Skipped: 0
[ERROR] Failed to execute goal
[INFO] BUILD FAILURE
Warning  BackOff  1m  kubelet  Back-off restarting failed container
Last State: Terminated Reason: OOMKilled Exit Code: 137
Process finished with exit code 1
TypeError: Cannot read properties of undefined (reading 'x')
thread 'main' panicked at src/main.rs:2:5:
bash: foo: command not found
fatal: not a git repository
2024-01-01 00:00:00,123 CRITICAL app: no disk
[2024-01-01 00:00:00] production.ERROR: oops
10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 500 1234
curl: (7) Failed to connect to localhost port 80: Connection refused
Error: Cannot find module 'x'
Uncaught ReferenceError: x is not defined
not ok 3 - adds
ORA-00942: table or view does not exist"""

HARMLESS = """17/06/09 20:10:45 INFO executor.Executor: Finished task 0.0 in stage 0.0 (TID 0). 2703 bytes result sent to driver
INFO handler: ErrorHandler registered
2024-01-01 INFO stats: 0 errors, 0 failures
INFO: error rate 0.0%
localhost : ok=2 changed=1 unreachable=0 failed=0
Tests run: 5, Failures: 0, Errors: 0, Skipped: 0
no failures were found
20 passed, 0 failed in 3s
Compiled with no errors
registered TaskFailureListener
error_count: 0
errors: []
{"level":"info","msg":"retry on error enabled","error":null}
{"msg":"done","error":"","errors":0}
level=info msg="failover configured"
10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET /error HTTP/1.1" 200 500
10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET /failed HTTP/1.1" 200 512
Process finished with exit code 0
max.task.failures=4
17/06/09 WARN NativeCodeLoader: Unable to load native-hadoop library for your platform... using builtin-java classes where applicable
import java.io.IOException;
catch (IOException e) {
class ErrorHandler:
the job has not failed
Build succeeded. 0 Warning(s) 0 Error(s)
failure threshold is 3
on failure: restart
test_error_handling.py::test_failed_login PASSED
def failed(x): return x
ERROR: 0 found
number of failures is 0
lost+found"""


@pytest.fixture(scope="module")
def spark(data: Path) -> list[str]:
    return split_lines((data / "logs/spark_2k.log").read_text(encoding="ascii").rstrip("\n"))


@pytest.fixture(scope="module")
def hadoop(data: Path) -> list[str]:
    return split_lines((data / "logs/hadoop_2k.log").read_text(encoding="ascii").rstrip("\n"))


@pytest.mark.parametrize("line", FAILURES.splitlines())
def test_a_line_that_reports_a_failure_is_one(line):
    assert failures([line]) == (0,)


@pytest.mark.parametrize("line", HARMLESS.splitlines())
def test_a_line_that_only_names_failure_is_none(line):
    assert failures([line]) == ()


def test_a_real_spark_log_in_which_nothing_failed_has_no_failure_and_no_warning(spark):
    assert len(spark) == 2000
    assert failures(spark) == () == warnings(spark)


def test_a_real_hadoop_log_has_exactly_its_error_and_fatal_lines_as_failures(hadoop):
    found = failures(hadoop)
    assert [at for at, line in enumerate(hadoop) if line.split()[2] in ("ERROR", "FATAL")] == list(found)
    assert len(found) == 152
    assert len(warnings(hadoop)) == 808
    assert sum(level_name(line) == "fatal" for line in hadoop) == 2


def test_frames_belong_to_the_failure_above_them_and_a_traceback_counts_by_its_last_line():
    java = [
        "ERROR Executor: Exception in task",
        "java.lang.OutOfMemoryError: Java heap",
        "\tat a.B.c(B.java:3)",
        "Caused by: java.io.IOException: y",
        "\t... 3 more",
        "INFO next",
    ]
    assert failures(java) == (0, 1, 3)
    assert frames(java, 0) == (1, 2, 3, 4)
    python = ["INFO a", "Traceback (most recent call last):", '  File "a.py", line 3, in <module>', "    f()", "ValueError: x", "done"]
    assert failures(python) == (4,)


def test_an_exception_logged_in_passing_under_an_info_line_is_no_failure():
    assert failures(["INFO Client: retrying", "java.io.IOException: later", "\tat a.B(B.java:1)"]) == ()
    assert failures(["WARN Client: giving up", "java.io.IOException: late", "\tat a.B(B.java:1)"]) == (1,)


def test_a_level_is_told_from_a_word_and_unknown_levels_are_none():
    assert [level(one) for one in ("INFO x: ERROR is a word", "the ERROR-free run", "<4>x", "2024 [warn] y", '{"level":40}')] == [
        "info",
        None,
        None,
        "warn",
        "warn",
    ]


def test_a_task_with_its_stage_stands_only_where_both_are_named_together(spark):
    (pair,) = entities("Why did stage 4, task 377 die?")
    assert (pair.text, pair.stage, stands_in(pair, spark)) == ("stage 4, task 377", "4", ())
    (there,) = entities("task 1.0 in stage 4.0")
    assert all("task 1.0 in stage 4.0" in spark[at] for at in stands_in(there, spark))
    assert len(stands_in(there, spark)) == 2


def test_names_are_found_in_the_ways_in_which_logs_write_them():
    lines = [
        'Got {"taskId": 377, "executorId": "12"}',
        "task 3770 in stage 40.0",
        "attempt_1445_0020_m_000377_0 on port 8080",
        "10:37:12 host:377 exec-12",
    ]
    assert stands_in(entities("task 377")[0], lines) == (0, 2)
    assert stands_in(entities("executor 12")[0], lines) == (0, 3)
    assert stands_in(entities("port 8080")[0], lines) == (2,)
    assert stands_in(entities("port 37")[0], lines) == ()
    assert stands_in(entities("stage 4")[0], lines) == ()
    assert stands_in(entities("line 4")[0], lines) == (3,)
    assert stands_in(entities("line 5")[0], lines) == ()


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("container_1445144423722_0020_01_000002 on msra-sa-41:8030", ["container", "host"]),
        ("java.net.NoRouteToHostException in Foo.java:12", ["exception", "path"]),
        ("tests/test_a.py::test_b exits with code 137", ["test", "code"]),
        ("application_1485248649253_0147 and job_1445144423722_0020", ["application", "job"]),
        ("rdd_2_1 at 10.10.34.11:48069", ["block", "host"]),
        ("ECONNREFUSED, ORA-00942, E0308", ["code", "code", "code"]),
        ("étape 4, Aufgabe 9", ["stage", "task"]),
        ("Did anything fail? Please explain.", []),
    ],
)
def test_kinds_of_names(question, kinds):
    assert [one.kind for one in entities(question)] == kinds


def test_what_is_asked_about_and_stands_nowhere_is_missing(spark, hadoop):
    assert [one.text for one in missing("Did stage 4, task 377 run out of memory on executor 5?", spark)] == ["stage 4, task 377"]
    assert [one.text for one in missing("OutOfMemoryError or NoRouteToHostException?", hadoop)] == ["OutOfMemoryError"]
    assert missing("why?", spark) == ()


def test_where_to_look_names_the_system_and_only_what_was_asked(spark, hadoop):
    asked = "Why did stage 4, task 377 fail?"
    said = where_to_look(asked, missing(asked, spark), spark)
    assert (
        said
        == "Check stage 4, task 377 in the Spark UI (Stages tab) and in the executor's stderr; look for OutOfMemoryError, lost executors and skew."
    )
    assert "yarn logs" in where_to_look("what happened?", (), hadoop)
    assert where_to_look("what happened?", (), []).startswith("Look in the full log")
    assert "NullPointerException" in where_to_look("x", entities("NullPointerException"), ["pod web-1 restarted by kubelet"])


def test_salient_lines_hold_what_is_named_the_failures_and_the_end(spark, hadoop):
    found = salient(hadoop, "Why did attempt_1445144423722_0020_m_000002_0 exit?", limit=30)
    assert len(found) == 30
    assert list(found) == sorted(set(found))
    assert any("NoRouteToHostException" in hadoop[at] and "FATAL" in hadoop[at] for at in found)
    assert len(hadoop) - 1 in found
    asked = salient(spark, "What happened to executor 5?", limit=8)
    assert 15 in asked
    assert salient(spark, "", limit=0) == ()
    assert salient([], "why?") == ()


def test_of_lines_that_say_the_same_the_first_are_salient():
    lines = [f"ERROR node {number} is gone" for number in range(100)] + ["ERROR disk full"]
    found = salient(lines, "", limit=5)
    assert 0 in found
    assert 100 in found
    assert template(lines[0]) == template(lines[99])


def test_fenced_material_is_numbered_from_one_and_the_question_is_around_it():
    found = material("Why?\n\n```log\nINFO a\n\nERROR b\n```\nTell me.")
    assert found == Material(lines=("INFO a", "", "ERROR b"), question="Why?\n\nTell me.", shape="log")
    assert found.numbered([2, 0, 7]) == "L1: INFO a\nL3: ERROR b"


def test_an_unfenced_log_is_found_whole_with_its_stray_lines(spark):
    prompt = "Did anything fail?\r\n\r\n" + "\r\n".join([*spark[:50], "a line that goes on", *spark[50:]]) + "\r\n\r\nWhich line?"
    found = material(prompt)
    assert found is not None
    assert (len(found.lines), found.question, found.shape) == (2001, "Did anything fail?\n\nWhich line?", "log")
    assert found.lines[0] == spark[0]


@pytest.mark.parametrize(
    ("prompt", "first", "question"),
    [
        ("What's up with\n\ndef f(x):\n    return x+1\n\nprint(f(2)\n\nwhy?", "def f(x):", "What's up with\n\nwhy?"),
        (
            "Document:\nThe firm grew by 3 %.\nIt hired ten.\n\nHow much did it grow?",
            "The firm grew by 3 %.",
            "Document:\n\nHow much did it grow?",
        ),
        ("a,b,c,d\n1,2,3,4\n5,6,7,8\nsum of b?", "a,b,c,d", "sum of b?"),
        ("<document>\nOne two.\n</document>\nHow many?", "One two.", "How many?"),
        ("> quoted\n> twice\nwhat is it?", "> quoted", "what is it?"),
        ("2024-01-02 10:00:00 ERROR foo broke\nwhat is it", "2024-01-02 10:00:00 ERROR foo broke", "what is it"),
        (
            'Explain "the quick brown fox jumps over the lazy dog at noon" please',
            "the quick brown fox jumps over the lazy dog at noon",
            "Explain please",
        ),
    ],
)
def test_material_of_other_shapes(prompt, first, question):
    found = material(prompt)
    assert found is not None
    assert (found.lines[0], found.question) == (first, question)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "Why is the sky blue?",
        "Write a story about a Spark job that ran out of memory.\n\nMake it long; use dialogue.\nKeep it sad.",
        "Hi, I feel sad.\nMy job ended.\nI do not know what to do.",
        "Shopping list:\n- eggs\n- milk",
        "```\n```",
    ],
)
def test_a_prompt_without_material_has_none(prompt):
    assert material(prompt) is None


def test_lines_are_counted_as_an_editor_does():
    assert split_lines("a\r\nb\x0bc\u2028d\ne") == ["a", "b\x0bc\u2028d", "e"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n"), max_size=60), max_size=12))
def test_any_text_is_read_without_error_and_positions_stay_inside(lines):
    for found in (failures(lines), warnings(lines), salient(lines, "stage 4? " + " ".join(lines), limit=5)):
        assert all(0 <= at < len(lines) for at in found)
        assert list(found) == sorted(set(found))
    got = material("\n".join(lines))
    assert got is None or any(line.strip() for line in got.lines)


HOSTILE = [
    "a." * 3000,
    "failed " * 900,
    "if error " * 700,
    "0 a " * 1500,
    "a" * 6000,
    "errors" * 1000,
    "\t" * 6000,
    "[" * 6000,
    "a-" * 3000,
    "/a" * 3000,
    '"' * 6000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_reading_stays_linear_on_hostile_lines(text):
    begun = time.process_time()
    failures([text] * 200)
    entities(text * 5)
    material("\n".join([text] * 200))
    where_to_look(text, entities(text), [text] * 50)
    assert time.process_time() - begun < 8, "far beyond a linear reading; not a measure of speed"


def test_a_hundred_thousand_lines_are_read(spark):
    lines = [*(spark * 50), "17/06/09 20:11:00 ERROR Executor: Exception in task 1.0 in stage 4.0 (TID 377)"]
    assert len(lines) == 100_001
    assert failures(lines) == (100_000,)
    assert stands_in(entities("TID 377")[0], lines) == (100_000,)
    assert 100_000 in salient(lines, "TID 377")
