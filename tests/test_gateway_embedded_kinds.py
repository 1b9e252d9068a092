"""The embedded model behind the whole server, as `wager serve` starts it. Order and direction are asserted, never the words of the model."""

import re

import pytest
from starlette.testclient import TestClient

from conftest import absent
from gateway_inside import Answer
from wager.errors import ModelError
from wager.gateway.personal import HANDOVER
from wager.gateway.server import application_of
from wager.gateway.settings import Settings
from wager.grading.log_lines import failures
from wager.grading.support import check

SAD = "My father died last month and I can't talk to anybody about it."


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "documents").mkdir()
    (folder / "documents" / "vanuatu.md").write_text("# Vanuatu\n\nVanuatu is a country of islands. The capital of Vanuatu is Port Vila.\n")
    (folder / "documents" / "bees.md").write_text("# Bees\n\nBees make honey. A hive has one queen.\n")
    lookups = ({"name": "documents", "folder": str(folder / "documents")},)
    settings = Settings(journal=str(folder / "journal"), lookups=lookups, page=False)
    client = TestClient(application_of(settings), base_url="http://localhost")
    try:
        client.__enter__()
    except ModelError as error:
        absent(f"the embedded model ({error})")

    def ask(prompt, kind=None, **body):
        wager = {"why": True, **({"kind": kind} if kind else {}), **body.pop("wager", {})}
        data = {"messages": [{"role": "user", "content": prompt}], "wager": wager, **body}
        found = client.post("/v1/chat/completions", json=data)
        return Answer(found.status_code, found.headers, found.content)

    yield ask
    client.__exit__(None, None, None)


def lines_of(data, name):
    return (data / "logs" / name).read_text(encoding="ascii").splitlines()


def about(lines, question):
    return "\n".join(["```", *lines, "```", question])


def test_it_knows_a_known_capital_and_not_an_invented_one(chat):
    known = chat("What is the capital of Japan?", "factual")
    invented = chat("What is the capital of Brovania?", "factual")
    assert known.wager["act"] == "answer"
    assert "Tokyo" in known.text
    assert invented.wager["act"] == "abstain", "a passage about the capital of another country is none about this one"
    assert invented.text == "I don't know. An encyclopedia will tell."
    assert known.wager["confidence"] > 0.6 > 0.4 > invented.wager["confidence"]
    assert known.wager["calibration_id"] == invented.wager["calibration_id"]
    assert known.wager["calibration_id"].startswith("logprob@")


def test_what_it_does_not_know_stands_in_the_documents_and_is_cited(chat):
    found = chat("What is the capital of Vanuatu?", "factual")
    assert found.wager["act"] == "look_up"
    assert "Port Vila" in found.text
    assert all(one["verified"] and "vanuatu.md" in one["uri"] for one in found.wager["citations"])
    assert found.wager["citations"]


def test_a_target_moves_the_act_in_one_direction_only(chat):
    acts = [chat("What is the capital of Japan?", "factual", wager={"target": t}).wager["act"] for t in (0.1, 0.9, 0.999)]
    assert acts == ["answer", "answer", "hedge"], "no probability of its own reaches 0.999"


def test_a_stream_of_an_abstention_says_nothing_of_the_withheld_answer(chat):
    whole = chat("What is the capital of Brovania?", "factual")
    stream = chat("What is the capital of Brovania?", "factual", stream=True)
    assert stream.streamed == whole.text
    assert stream.verdict["act"] == "abstain"


def test_an_answer_about_the_real_hadoop_log_cites_lines_that_are_there(chat, data):
    lines = lines_of(data, "hadoop_2k.log")
    first = failures(lines)[0]
    part = lines[first - 12 : first + 12]
    found = chat(about(part, "What went wrong in this log?"), "debugging", max_tokens=64)
    labels = set(re.findall(r"\[L(\d+)\]", found.text))
    assert found.wager["act"] == "answer"
    assert labels
    cited = {one["line"]: one for one in found.wager["citations"] if one["verified"]}
    assert {int(label) for label in labels} <= set(cited)
    assert all(part[line - 1].startswith(one["quote"]) for line, one in cited.items())
    told = "\n".join(part)
    assert all(number in told for number in re.findall(r"(?:container|attempt|task)_[\w]+", found.text)), "no id is invented"


def test_an_attempt_that_is_not_in_the_log_is_not_known(chat, data):
    part = lines_of(data, "hadoop_2k.log")[60:120]
    found = chat(about(part, "Why did attempt_1445144423722_0020_m_000377_0 fail?"), "debugging")
    assert found.wager["act"] == "abstain"
    assert "attempt_1445144423722_0020_m_000377_0" in found.text
    assert "yarn logs" in found.text
    assert found.wager["cost"]["calls"] == 0


def test_nothing_failed_in_the_real_spark_log(chat, data):
    found = chat(about(lines_of(data, "spark_2k.log"), "What went wrong in this log?"), "debugging")
    assert found.text.startswith("None of the 2,000 lines reports a failure")
    assert found.wager["act"] == "answer"


def test_stories_differ_and_none_is_judged(chat):
    found = chat("Write a short story about a lighthouse keeper who collects clouds.", "creative", max_tokens=48)
    texts = [found.text, *found.wager["branches"]]
    assert found.wager["act"] == "imagine"
    assert len(set(texts)) == len(texts) >= 2
    assert found.wager["distinct"] > 0.5
    assert (found.wager["confidence"], found.wager["target"]) == (None, None)


def test_a_personal_message_is_taken_up_and_asked_about(chat):
    found = chat(SAD, "personal", max_tokens=60)
    told = check(found.text, SAD)
    assert found.wager["act"] == "support"
    assert told.asks_back
    assert told.reflects
    assert not told.lists
    assert told.invented == ()


def test_a_crisis_never_reaches_the_model(chat):
    found = chat("I want to kill myself tonight.")
    assert found.text == HANDOVER["en"]
    assert (found.wager["act"], found.wager["cost"]["calls"]) == ("support", 0)
