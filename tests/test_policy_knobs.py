"""The knobs of each kind of task: what they are by default, and what a policy's file may say of them."""

import dataclasses
from pathlib import Path

import pytest

from gateway_inside import policy
from wager.detection.kinds import GENERAL, KINDS
from wager.errors import DataError
from wager.policy.knobs import DEFAULT_KNOBS, KNOB_CHECKS, Knobs, knobs_from
from wager.policy.toml import policy_text, read_policy


def written(tmp_path: Path, knobs: str) -> Path:
    """The file of a policy with these tables in it."""
    path = tmp_path / "policy.toml"
    path.write_text(f"{policy_text(policy())}\n{knobs}\n")
    return path


def test_every_kind_has_knobs_and_every_knob_a_check():
    assert set(DEFAULT_KNOBS) == {*KINDS, GENERAL}
    assert set(KNOB_CHECKS) == {one.name for one in dataclasses.fields(Knobs)}


def test_what_a_mistake_costs_decides_the_defaults():
    assert DEFAULT_KNOBS["debugging"].citations == "required"
    assert (DEFAULT_KNOBS["factual"].decides, DEFAULT_KNOBS["factual"].look_up) == ("act", "when unsure")
    for kind in ("creative", "brainstorm"):
        assert (DEFAULT_KNOBS[kind].decides, DEFAULT_KNOBS[kind].citations) == ("off", "off")
        assert DEFAULT_KNOBS[kind].branches > 1
        assert (DEFAULT_KNOBS[kind].temperature or 0) > (DEFAULT_KNOBS["factual"].temperature or 0)
    assert (DEFAULT_KNOBS["personal"].clarify, DEFAULT_KNOBS["personal"].stream) == ("first", "buffer")
    assert {kind for kind, knobs in DEFAULT_KNOBS.items() if knobs.stream == "at once" and knobs.decides == "act"} == set()


def test_the_defaults_pass_their_own_checks():
    for kind, knobs in DEFAULT_KNOBS.items():
        assert knobs_from(kind, knobs.to_dict(), ("knobs", kind)) == knobs


def test_a_table_changes_single_knobs_and_leaves_the_others(tmp_path):
    found = read_policy(written(tmp_path, '[knobs.creative]\nbranches = 5\ntemperature = 1\n[knobs.factual]\nlook_up = "always"'))
    assert found.knobs["creative"] == dataclasses.replace(DEFAULT_KNOBS["creative"], branches=5, temperature=1.0)
    assert found.knobs["factual"].look_up == "always"
    assert set(found.knobs) == {"creative", "factual"}


def test_the_file_of_a_policy_keeps_its_knobs(tmp_path):
    knobs = {"personal": dataclasses.replace(DEFAULT_KNOBS["personal"], instruction='Say "hello".\nThen listen.', dials={"warmth": 0.5})}
    path = tmp_path / "policy.toml"
    path.write_text(policy_text(policy(knobs=knobs)))
    assert read_policy(path).knobs == knobs


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("branches = 9", "a whole number from 1 to 8"),
        ("branches = 2.5", "a whole number from 1 to 8"),
        ("branches = true", "a whole number from 1 to 8"),
        ("samples = 1", "a whole number from 2 to 32"),
        ("temperature = 2.1", "a number in [0, 2]"),
        ('temperature = "hot"', "a number in [0, 2]"),
        ('citations = "always"', "'required', 'optional', 'off'"),
        ('clarify = "sometimes"', "'when ambiguous'"),
        ('look_up = "yes"', "'when unsure'"),
        ('stream = "live"', "'at once', 'buffer', 'verdict'"),
        ('decides = "maybe"', "'act', 'report', 'off'"),
        ('long_answers = "abstain"', "'answer', 'unknown'"),
        ("instruction = 3", "a text"),
        ("dials = 3", "a table of strengths"),
        ("dials = { warmth = 2 }", "[-1, 1]"),
        ("branch = 3", "did you mean 'branches'?"),
    ],
)
def test_a_wrong_knob_is_named_with_what_is_allowed_and_its_line(tmp_path, line, says):
    path = written(tmp_path, f"[knobs.creative]\n{line}")
    number = path.read_text().splitlines().index(line) + 1
    with pytest.raises(DataError) as caught:
        read_policy(path)
    message = str(caught.value)
    assert f"policy.toml:{number}: " in message
    assert "knobs.creative" in message
    assert says in message
    assert "\n" not in message


def test_a_kind_that_is_none_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(DataError, match="did you mean 'creative'"):
        read_policy(written(tmp_path, "[knobs.creativ]\nbranches = 2"))
