"""Claims of a reply against the lines or passages that it cites: hand-worked cases and two real logs."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.errors import UsageError
from wager.grading.citations import claims, extractive, nothing_failed, verify, verify_passages
from wager.grading.claims import content_words, facts
from wager.grading.log_lines import failures, salient
from wager.grading.material import split_lines

LINES = [
    "10:00:01 INFO executor.Executor: Starting executor ID 5 on host node-a-07",
    "10:00:02 INFO executor.Executor: Running task 3.0 in stage 4.0 (TID 9)",
    "10:00:03 INFO storage.MemoryStore: MemoryStore started with capacity 17.7 GB",
    "10:00:04 WARN netty.Client: Slow read took 42123ms",
    "10:00:05 INFO executor.Executor: Finished task 2.0 in stage 4.0 (TID 8)",
    "10:00:06 INFO executor.Executor: Finished task 1.0 in stage 4.0 (TID 7)",
    "10:00:07 INFO executor.Executor: Finished task 0.0 in stage 4.0 (TID 6)",
    "10:00:08 ERROR executor.Executor: Exception in task 3.0 in stage 4.0 (TID 9)",
    "java.lang.OutOfMemoryError: Java heap space",
    "10:00:09 ERROR rm.Allocator: ERROR IN CONTACTING RM.",
    "10:00:10 ERROR rm.Allocator: ERROR IN CONTACTING RM.",
]


@pytest.fixture(scope="module")
def spark(data: Path) -> list[str]:
    return split_lines((data / "logs/spark_2k.log").read_text(encoding="ascii").rstrip("\n"))


@pytest.fixture(scope="module")
def hadoop(data: Path) -> list[str]:
    return split_lines((data / "logs/hadoop_2k.log").read_text(encoding="ascii").rstrip("\n"))


def one(reply, lines=LINES, **options):
    (found,) = verify(reply, lines, **options).claims
    return found


@pytest.mark.parametrize(
    ("reply", "cited"),
    [
        ("Task 3 failed [L12].", (12,)),
        ("Task 3 failed. [L12]", (12,)),
        ("Task 3 failed [L12-L14].", (12, 13, 14)),
        ("Task 3 failed [L12, L20].", (12, 20)),
        ("Task 3 failed [L12][L13].", (12, 13)),
        ("Task 3 failed (line 12).", (12,)),
        ("Task 3 failed (lines 12-13).", (12, 13)),
        ("On line 12 task 3 failed.", (12,)),
        ("Laut Zeile 12 ist Task 3 gescheitert.", (12,)),
        ("Task 3 failed 【12】.", (12,)),
        ("Task 3 failed [12].", (12,)),
        ("Task 3 failed [L5-L900000].", tuple(range(5, 55))),
        ("Task 3 of (3) failed.", ()),
    ],
)
def test_citations_are_read_in_their_usual_forms(reply, cited):
    (found,) = claims(reply)
    assert found.cited == cited
    assert found.text == reply
    assert "[" not in found.said
    assert reply[found.start : found.end] == reply


@pytest.mark.parametrize(
    "reply",
    [
        "# What happened",
        "**Summary**",
        "Did executor 5 fail?",
        "It may be a network problem.",
        "I don't know why task 3 failed.",
        "The log does not say why executor 5 was lost.",
        "Check the executor's stderr.",
        "You should raise spark.executor.memory.",
        "Here is what the log shows:",
        "Sure!",
        "```\nspark-submit --conf x=12\n```",
        "",
    ],
)
def test_headings_questions_hedges_advice_and_admissions_claim_nothing(reply):
    assert claims(reply) == ()
    assert verify(reply, LINES).kept_text == reply


def test_a_hedge_that_names_something_is_a_claim():
    assert one("It may be that executor 99 ran out of memory.").verdict == "unsupported"


@pytest.mark.parametrize(
    ("reply", "verdict", "lines", "moved"),
    [
        ("Executor 5 started on node-a-07 [L1].", "supported", (1,), False),
        ("Task 3 in stage 4 threw an exception [L8].", "supported", (8,), False),
        ("It ran out of memory: `Java heap space` [L9].", "supported", (9,), False),
        ("The allocator could not contact the ResourceManager [L10].", "supported", (10,), False),
        ("The read was slow: 42123ms [L5].", "supported", (4,), True),
        ("The store has a capacity of 17.7 GB [L11].", "wrong place", (3,), False),
        ("The store has a capacity of 17.7 GB.", "uncited", (3,), False),
        ("Executor 5 started on node-a-07 [L99].", "wrong place", (1,), False),
        ("Executor 6 started [L1].", "unsupported", (), False),
        ("Executor 5 was killed [L1].", "unsupported", (), False),
        ("The store has a capacity of 18.7 GB [L3].", "unsupported", (), False),
        ("The message was `disk full` [L8].", "unsupported", (), False),
        ("A NullPointerException was thrown [L8].", "unsupported", (), False),
        ("The weather in Paris was pleasant [L1].", "unsupported", (), False),
        ("Everything finished [L99].", "unsupported", (), False),
        ("Somebody pulled a cable.", "uncited", (), False),
        ("There are 3 errors.", "supported", (), False),
        ("There are 44 errors.", "unsupported", (), False),
        ("There are 7 warnings.", "unsupported", (), False),
        ("The log has 11 lines.", "supported", (), False),
        ("The RM could not be contacted 2 times [L10].", "supported", (10,), False),
        ("Task 377 does not appear in the log.", "supported", (), False),
        ("I don't see any mention of executor 12.", "supported", (), False),
        ("There's no evidence of a NullPointerException.", "supported", (), False),
        ("There's no evidence of an OutOfMemoryError.", "unsupported", (), False),
        ("It ended at 10:00:10 [L11].", "supported", (11,), False),
        ("Task 3 does not appear in the log.", "unsupported", (), False),
        ("Nothing failed.", "unsupported", (), False),
        ("No errors were reported for executor 5.", "supported", (), False),
        ("There was no memory left and executor 99 crashed.", "unsupported", (), False),
    ],
)
def test_each_claim_gets_its_verdict_and_the_lines_that_hold_it(reply, verdict, lines, moved):
    found = one(reply)
    assert (found.verdict, found.lines, found.moved) == (verdict, lines, moved), found.reason
    assert found.kept == (verdict == "supported" or bool(lines))


def test_what_is_not_supported_goes_and_citations_are_put_right():
    reply = """# What happened
Executor 5 started (line 1). Executor 99 was lost [L1].

## Memory
- Task 3 ran out of memory [L77].
- Task 8 of stage 9 vanished [L2].

## Network
- The proxy 10.9.8.7 was down [L10].

## Next
Look at the executor's stderr. What did you change?"""
    checked = verify(reply, LINES)
    assert checked.kept_text == "# What happened\nExecutor 5 started [L1].\n\n## Next\nLook at the executor's stderr. What did you change?"
    assert checked.removed == (
        "Executor 99 was lost [L1].",
        "Task 3 ran out of memory [L77].",
        "Task 8 of stage 9 vanished [L2].",
        "The proxy 10.9.8.7 was down [L10].",
    )
    assert checked.supported == 1
    assert [(place.label, place.verified) for place in checked.citations] == [
        ("[L1]", True),
        ("[L77]", False),
        ("[L2]", False),
        ("[L10]", False),
    ]
    assert [place.quote for place in checked.citations][:2] == [LINES[0], ""]


def test_an_invented_log_line_in_a_fence_goes_and_a_real_one_stays():
    reply = f"The log says:\n```\n{LINES[7]}\n10:00:12 ERROR disk: 12 sectors lost\n```"
    assert verify(reply, LINES).kept_text == f"The log says:\n```\n{LINES[7]}\n```"
    assert verify("```\n10:00:12 ERROR disk: 12 sectors lost\n```", LINES).kept_text == ""


def test_claims_without_a_place_stay_where_citations_are_not_required():
    reply = "Somebody pulled a cable. Executor 99 was lost."
    assert verify(reply, LINES).kept_text == ""
    assert verify(reply, LINES, required=False).kept_text == "Somebody pulled a cable."


def test_a_denial_does_not_carry_another_claim_past_the_check():
    assert not verify("No task failed, but executor 99 crashed [L1].", LINES).kept_text
    assert verify("Nothing failed. No errors were found.", LINES[:7]).kept_text == "Nothing failed. No errors were found."


def test_on_a_log_in_which_nothing_failed_no_claim_of_failure_survives(spark):
    for reply in (
        "The job crashed [L25].",
        "Executor 5 failed on mesos-slave-07 [L16].",
        "Task 1.0 in stage 0.0 died (TID 1) [L27].",
        "The job failed at 20:10:45.",
        "Task 377 in stage 4 ran out of memory [L300].",
    ):
        assert verify(reply, spark).kept_text == "", reply
    said = nothing_failed(spark)
    assert said.startswith("None of the 2,000 lines reports a failure")
    assert "The last line is [L2000] " in said
    assert verify(said, spark).kept_text == said


def test_it_is_not_denied_that_something_failed(hadoop):
    with pytest.raises(UsageError, match=r"line 668 of 2,000 reports a failure"):
        nothing_failed(hadoop)
    assert verify("Nothing failed in this log.", hadoop).kept_text == ""
    assert nothing_failed([]) == nothing_failed(["", " "]) == "There are no lines to read."


def test_quoted_lines_survive_their_own_check_on_real_logs(spark, hadoop):
    for lines, places in ((hadoop, failures(hadoop)), (hadoop, salient(hadoop, "renew lease")), (spark, salient(spark, "stage 4"))):
        said = extractive(lines, places, "what failed?")
        checked = verify(said, lines)
        assert checked.removed == ()
        assert checked.kept_text == said
        assert checked.citations
        assert all(place.verified for place in checked.citations)


def test_lines_that_say_the_same_are_quoted_once_with_their_count(hadoop):
    said = extractive(hadoop, failures(hadoop), "")
    assert said.count("ERROR IN CONTACTING RM") == 1
    assert "ERROR IN CONTACTING RM. (and 146 more like it)" in said
    assert extractive(LINES, [], "why?") == "None of the 11 lines bears on the question."
    assert extractive(LINES, [0, 7, 99], "why?").startswith("These lines report a failure:\n- [L8] ")


def test_a_false_count_beside_a_true_quotation_is_not_kept():
    row = f"- [L10] {LINES[9]} (and 1 more like it)"
    assert verify(row, LINES).kept_text == row
    assert verify(row.replace("1 more", "500 more"), LINES).kept_text == ""


TRACE = [
    "Traceback (most recent call last):",
    '  File "app.py", line 12, in <module>',
    "    main()",
    '  File "app.py", line 8, in main',
    "    x = d['key']",
    "KeyError: 'key'",
]
CODE = ["def f(x):", "    return x / 0", "", "print(f(3))"]


@pytest.mark.parametrize(
    ("reply", "lines", "kept"),
    [
        ("The KeyError is raised in main at app.py:8 [L5-L6].", TRACE, "The KeyError is raised in main at app.py:8 [L4] [L6]."),
        ("The file app.py line 12 calls main [L2].", TRACE, "The file app.py line 12 calls main [L2]."),
        ("The file app.py line 13 calls main [L2].", TRACE, ""),
        (
            "The function divides by zero on line 2, which raises a ZeroDivisionError.",
            CODE,
            "The function divides by zero on [L2], which raises a ZeroDivisionError.",
        ),
        ("It calls `g(3)` [L4].", CODE, ""),
        ("It calls `f(3)` [L4]. Line 7 imports os.", CODE, "It calls `f(3)` [L4]."),
    ],
)
def test_traces_and_code_are_cited_by_line_and_by_file(reply, lines, kept):
    assert verify(reply, lines).kept_text == kept


PASSAGES = ["Canberra became the capital of Australia in 1913.", "The Eiffel Tower is 330 metres tall and stands in Paris."]


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ("Canberra is the capital of Australia [1].", "Canberra is the capital of Australia [1]."),
        ("Canberra is the capital of Australia [2].", "Canberra is the capital of Australia [1]."),
        ("Canberra is the capital of Australia.", "Canberra is the capital of Australia [1]."),
        ("Canberra [1]", "Canberra [1]"),
        ("Sydney is the capital of Australia [1].", ""),
        ("Canberra became the capital in 1914 [1].", ""),
        ("The tower is 330 metres tall [2]. It was built by aliens [2].", "The tower is 330 metres tall [2]."),
        ("I don't know. What do you mean?", "I don't know. What do you mean?"),
        ("It stands in Paris, says [3].", "It stands in Paris, says [2]."),
    ],
)
def test_passages_hold_what_cites_them(reply, kept):
    assert verify_passages(reply, PASSAGES).kept_text == kept


BROVANIA = "Brovania is a country. Its capital is Zorgrad. The capital of France is Paris."
SPAIN = "Paris, which lies in France, is not the capital of Spain. Canberra, not Sydney, is the capital of Australia."
WRAPPED = "# Peru\n\nPeru lies on the Pacific and has a long coast with many\nfishing towns. The capital of\nPeru is Lima.\nQuito is small."
SHOP = "The shop does not sell bread."


@pytest.mark.parametrize(
    ("claim", "passage", "stands"),
    [
        ("The capital of Brovania is Zorgrad", BROVANIA, True),
        ("The capital of France is Paris", BROVANIA, True),
        ("The capital of France is Zorgrad", BROVANIA, False),
        ("The capital of Brovania is Paris", BROVANIA, False),
        ("Paris serves as the capital of Brovania", BROVANIA, False),
        ("Paris, the capital of Brovania, is large", BROVANIA, False),
        ("France is a country whose capital is not Paris", BROVANIA, False),
        ("Paris is the capital of Spain", SPAIN, False),
        ("Paris is not the capital of Spain", SPAIN, True),
        ("Canberra is the capital of Australia", SPAIN, True),
        ("Sydney is the capital of Australia", SPAIN, False),
        ("Lima is the capital of Peru", WRAPPED, True),
        ("Quito is the capital of Peru", WRAPPED, False),
        ("The shop sells bread", SHOP, False),
        ("The shop doesn't sell bread", SHOP, True),
    ],
)
def test_what_a_claim_names_stands_together_in_what_a_passage_affirms_or_denies(claim, passage, stands):
    assert verify_passages(f"{claim} [1].", [passage]).kept_text == (f"{claim} [1]." if stands else "")


def test_facts_and_content_words_of_a_sentence():
    assert [(fact.kind, fact.value) for fact in facts("Task 3 said `disk full` 7 times in org.apache.spark.Foo")] == [
        ("quote", "disk full"),
        ("thing", "task 3"),
        ("name", "org.apache.spark.Foo"),
        ("number", "7"),
    ]
    assert content_words("The ResourceManager was contacted") == {"resour", "manag", "rm", "contac"}


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=300), st.lists(st.text(max_size=60), max_size=6))
def test_any_reply_is_checked_without_error_and_every_kept_citation_exists(reply, lines):
    checked = verify(reply, lines)
    assert all(1 <= place.line <= len(lines) for place in checked.citations if place.verified)
    assert len(checked.removed) == sum(not found.kept for found in checked.claims)
    for found in checked.claims:
        assert reply[found.claim.start : found.claim.end] == found.claim.text
    verify_passages(reply, lines)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400))
def test_a_citation_that_does_not_exist_never_survives(number, task):
    kept = verify(f"Task {task} failed [L{number}]. See line {number + 11} for task {task}.", LINES).kept_text
    assert not any(f"[L{n}]" in kept for n in range(len(LINES) + 1, 420))


HOSTILE = [
    "[L1] " * 5000,
    "[L1-L9999999] " * 2000,
    "`" * 20000,
    "line 1, " * 5000,
    "a.b." * 5000,
    '"' * 20000,
    "[L1].\n" * 4000,
    "Task 1 failed. " * 2000,
    "[" * 30000,
    "no errors " * 4000,
]


@pytest.mark.parametrize("reply", HOSTILE, ids=range(len(HOSTILE)))
def test_checking_stays_linear_on_hostile_replies(reply):
    begun = time.process_time()
    verify(reply, LINES)
    verify_passages(reply, PASSAGES)
    assert time.process_time() - begun < 10, "far beyond a linear reading; not a measure of speed"


def test_a_claim_is_checked_against_a_hundred_thousand_lines(spark):
    lines = spark * 50
    checked = verify("Executor 5 started on mesos-slave-07 [L16]. Executor 99 was lost [L99999].", lines)
    assert checked.kept_text == "Executor 5 started on mesos-slave-07 [L16]."
