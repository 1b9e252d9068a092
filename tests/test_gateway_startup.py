"""Before the gateway listens: what cannot work stops it in one line without a secret in it, and what may be expected is told."""

import signal
import socket
import subprocess
import time
from dataclasses import replace
from importlib.resources import files

import pytest

from gateway_inside import MODEL, calibration, policy
from gateway_process import KEY, command, ends, environment, free_port, settings
from gateway_scripted import Scripted
from wager.errors import DataError, ModelError, UsageError
from wager.gateway.server import check
from wager.gateway.settings import Settings, UpstreamSettings, address_shown, read_settings
from wager.gateway.startup import expectations, for_another
from wager.policy.calibration import levels_of
from wager.policy.policy import Policy, Rule
from wager.policy.toml import policy_text, read_policy

LEVELS = levels_of([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [0, 0, 0, 1, 0, 1, 1, 1])
"""Above 0.5 three of eight answers lie, all right; above 0.35 five, four of them right."""


def made(rule, **changes):
    fitted = replace(calibration(n=8, n_wrong=4, **changes), levels=LEVELS)
    return Policy(model=MODEL, made="2026-01-31", rules={"default": rule}, calibrations={"logprob": fitted})


def asking(model, **more):
    """Settings in front of a server that is not asked."""
    return Settings(**{"upstreams": (UpstreamSettings(url="http://127.0.0.1:9/v1", model=model),), "journal": None, **more})


def target(t, **more):
    return Rule(target=t, source="logprob", calibration="logprob", **more)


def certified(threshold, **more):
    return Rule(risk=0.1, delta=0.05, threshold=threshold, source="logprob", **{"calibration": "logprob", **more})


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        (target(0.5), "rule 'default': probability > 0.5; of 8 graded answers 38 % lie above it, 100 % of them right"),
        (target(0.35), "rule 'default': probability > 0.35; of 8 graded answers 62 % lie above it, 80 % of them right"),
        (certified(0.35), "rule 'default': logprob > 0.35; of 8 graded answers 62 % lie above it, 80 % of them right"),
        (certified(0.75), "rule 'default': logprob > 0.75; of 8 graded answers 12 % lie above it, 100 % of them right"),
        (target(0.0), "rule 'default': probability > 0; of 8 graded answers 100 % lie above it, 50 % of them right"),
    ],
)
def test_coverage_and_accuracy_are_those_of_the_graded_answers(rule, line):
    assert expectations(made(rule), name="own") == [line]


@pytest.mark.parametrize("rule", [target(0.8), target(0.95), certified(0.8), certified(0.99)])
def test_what_no_graded_answer_reaches_stops_the_start_in_one_line(rule):
    with pytest.raises(UsageError) as caught:
        expectations(made(rule), name="own")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("own: the ")
    assert f"{rule.target or rule.threshold:g}" in message
    assert "above all 8 graded answers" in message
    assert "lower it" in message


def test_a_certificate_that_nothing_reached_stops_the_start():
    rule = certified(0.5, n=40, coverage=0.0, bound=0.0)
    with pytest.raises(UsageError, match=r"reached by none of 40 graded answers: certify another"):
        expectations(made(rule), name="own")


def test_a_target_above_the_highest_probability_stops_the_start_without_levels():
    low = {"kind": "platt", "slope": 0.1, "intercept": -2.0, "clip": 1e-6}
    rules = replace(made(target(0.9)), calibrations={"logprob": calibration(values=low)})
    with pytest.raises(UsageError, match="out of reach: the calibration gives at most"):
        expectations(rules, name="own")


def test_what_is_not_known_is_said_to_be_unknown():
    (early,) = expectations(policy(), name="own")
    assert "coverage and accuracy unknown" in early
    (bare,) = expectations(made(certified(0.5, calibration=None, n=40, coverage=0.25, bound=0.1)), name="own")
    assert "answered 25 % of 40 graded questions; accuracy unknown without a calibration" in bare


def test_each_rule_has_its_line():
    rules = made(target(0.5))
    both = replace(rules, rules={**rules.rules, "reasoning": target(0.35)})
    assert [line.split(":")[0] for line in expectations(both, name="own")] == ["rule 'default'", "rule 'reasoning'"]
    with pytest.raises(UsageError, match="'reasoning'"):
        expectations(replace(rules, rules={**rules.rules, "reasoning": target(0.99)}), name="own")


def test_the_embedded_policy_is_reachable_and_agrees_with_its_certificate():
    rules = read_policy(files("wager.policy") / "embedded.toml")
    (line,) = expectations(rules, name="embedded")
    rule, fitted = rules.rules["default"], rules.calibrations["logprob"]
    assert f"of {fitted.n} graded answers" in line
    share, right = fitted.above(rule.threshold, calibrated=False)
    assert share == pytest.approx(rule.coverage, abs=0.05)
    assert right > fitted.levels[0][2], "above the threshold more are right than overall"


def test_the_check_of_a_server_refuses_the_file_in_one_line(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(policy_text(made(target(0.95))))
    with pytest.raises(UsageError) as caught:
        check(asking(MODEL, policy=str(path)))
    assert str(caught.value).startswith(f"{path}: the target 0.95")
    path.write_text(policy_text(made(target(0.5))))
    lines = check(asking(MODEL, policy=str(path)))
    assert any("38 % lie above it, 100 % of them right" in line for line in lines)
    assert any("keeps no journal" in line for line in lines)


def test_a_policy_for_another_model_says_that_it_decides_nothing_and_promises_nothing(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(policy_text(made(target(0.5))))
    lines = check(asking("other", policy=str(path)))
    assert f"policy mine is for {MODEL} and decides nothing for other" in lines
    assert not [line for line in lines if "graded answers" in line]
    own = check(Settings(policy=str(path), journal=None))
    assert f"policy mine is for {MODEL} and decides nothing for embedded/smollm2-135m-instruct" in own
    unknown = check(asking(None, policy=str(path)))
    assert any("of 8 graded answers" in line for line in unknown), "which model it is shows when the server has started"


def test_a_policy_is_for_the_names_under_which_its_model_is_served():
    rules = made(target(0.5))
    assert for_another(rules, MODEL, name="p") is None
    assert for_another(rules, MODEL.partition("/")[2], name="p") is None
    assert for_another(rules, None, name="p") is None
    assert for_another(None, "other", name="p") is None
    assert for_another(rules, "other", name="p") == f"policy p is for {MODEL} and decides nothing for other"


NUMBERS = ("lookup_seconds", "largest_body", "most_messages", "body_seconds", "keep_days")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_number_that_cannot_be_is_refused_by_name(name, value):
    with pytest.raises(UsageError, match=rf"^{name} is .*, got {value!r}$"):
        Settings(**{name: value})
    assert getattr(Settings(**{name: 1}), name) == 1


def test_the_seconds_of_an_upstream_are_above_zero():
    with pytest.raises(UsageError, match="seconds of an upstream is above 0, got 0"):
        UpstreamSettings(seconds=0)


def test_folders_and_model_files_that_are_absent_stop_the_check_in_one_line(tmp_path):
    absent = tmp_path / "nowhere"
    with pytest.raises(UsageError, match=r"the look-up 'documents' needs a folder that exists, got '.*nowhere'"):
        check(asking(MODEL, lookups=({"name": "documents", "folder": str(absent)},)))
    absent.mkdir()
    assert "looks up in documents" in check(asking(MODEL, lookups=({"name": "documents", "folder": str(absent)},)))
    file = tmp_path / "model.gguf"
    with pytest.raises(ModelError, match=r"no model file at '.*model\.gguf'"):
        check(Settings(upstreams=(UpstreamSettings(url=f"gguf/{file}"),), journal=None))
    file.write_bytes(b"<html>..")
    with pytest.raises(ModelError, match="is no GGUF file"):
        check(Settings(upstreams=(UpstreamSettings(url=f"gguf/{file}"),), journal=None))


def test_none_in_a_settings_file_keeps_no_journal(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text('journal = "none"')
    assert read_settings(path)["journal"] is None
    path.write_text('journal = "some"')
    assert read_settings(path)["journal"] == str(tmp_path / "some")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://me:CANARY@db:5432/wager", "postgresql://db:5432/wager"),
        ("postgresql://db/wager?user=me&password=CANARY", "postgresql://db/wager"),
        ("redis://:CANARY@cache:6379/0", "redis://cache:6379/0"),
        ("postgresql://me:x@CANARY@db/wager", "postgresql://..."),
        ("postgresql://me:CANARY/x@db/wager", "postgresql://..."),
        ("postgresql://me:CANARY?x@db/wager", "postgresql://..."),
        ("postgresql://db/wager?password=x@CANARY", "postgresql://..."),
        ("folder/of@home", "folder/of@home"),
    ],
)
def test_an_address_is_shown_without_user_password_and_options(address, shown):
    assert address_shown(address) == shown
    if shown.endswith("..."):
        with pytest.raises(UsageError, match=r"^the address of journal cannot be told apart: write @ as %40") as caught:
            Settings(journal=address)
        assert "CANARY" not in str(caught.value)
        with pytest.raises(UsageError, match="address of redis"):
            Settings(redis=address)
    elif "://" in address:
        found = Settings(journal=address, redis=address)
        assert "CANARY" not in "\n".join([repr(found), *check(replace(found, redis=None))])


@pytest.mark.parametrize(
    "url",
    [
        "https://me:CANARY@api.example/v1",
        "https://CANARY@api.example/v1",
        "https://me:CANARY/x@api.example/v1",
        "me:CANARY@api.example/v1",
        "https://api.example/v1?key=CANARY",
    ],
)
def test_an_upstream_with_a_secret_in_its_address_is_refused_without_showing_it(url):
    with pytest.raises(UsageError, match="--key-env") as caught:
        UpstreamSettings(url=url)
    assert "CANARY" not in str(caught.value)
    assert "api.example" not in str(caught.value)


@pytest.mark.parametrize("text", ['redis = ["redis://:CANARY@h"]', 'journal = ["CANARY"]', '[[upstreams]]\nurl = ["CANARY"]'])
def test_a_secret_of_another_type_is_not_shown(tmp_path, text):
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    with pytest.raises(DataError, match="is of type str, got list") as caught:
        read_settings(path)
    assert "CANARY" not in str(caught.value)


def test_workers_that_cannot_start_end_with_one_line_and_status_2(tmp_path):
    path = settings(tmp_path, f"http://127.0.0.1:{free_port()}/v1", model=None, workers=2)
    status, said = ends(tmp_path, "--config", path)
    assert status == 2
    told = [line for line in said.splitlines() if "start the server there" in line]
    assert len(told) == 1
    assert told[0].startswith("wager: no list of models from ")
    assert said.splitlines()[-1] == told[0]
    assert "Ctrl-C ends it" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("workers", [1, 2])
def test_the_line_with_the_address_is_told_once_and_the_port_answers_then(tmp_path, workers):
    with Scripted().running() as model:
        path = settings(tmp_path, model.url, workers=workers, model=None)
        port = int(path.read_text().split("port = ")[1].split("\n")[0])
        log = tmp_path / "output.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(command("--config", path), stderr=out, stdout=out, env=environment(), cwd=tmp_path)
        try:
            end = time.monotonic() + 40
            while "Ctrl-C ends it" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(40)
    said = log.read_text()
    assert said.count(f"wager serve: http://127.0.0.1:{port}/v1; Ctrl-C ends it") == 1
    assert process.returncode in (0, -signal.SIGTERM)
    assert KEY not in said


def test_a_port_that_the_system_chooses_is_told(tmp_path):
    with Scripted().running() as model:
        path = settings(tmp_path, model.url, port=0)
        process = subprocess.Popen(
            command("--config", path), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment(), cwd=tmp_path
        )
        with process:
            line = next(line for line in process.stderr if "Ctrl-C ends it" in line)
            port = int(line.split("127.0.0.1:")[1].split("/")[0])
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
    assert port > 0


def test_the_model_that_the_server_names_is_warned_of_where_the_policy_is_for_another(tmp_path):
    with Scripted().running() as model:
        path = settings(tmp_path, model.url, model=None)
        policy_file = tmp_path / "policy.toml"
        policy_file.write_text(policy_file.read_text().replace('model = "scripted"', 'model = "someone/else"'))
        process = subprocess.Popen(
            command("--config", path), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment(), cwd=tmp_path
        )
        with process:
            before = []
            for line in process.stderr:
                before.append(line)
                if "Ctrl-C ends it" in line:
                    break
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
    warned = [line for line in before if "is for someone/else and decides nothing for scripted" in line]
    assert len(warned) == 1
    assert '"level": "warning"' in warned[0]
