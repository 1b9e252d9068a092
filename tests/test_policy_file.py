"""policy.toml: what is written is read back, and every mistake is named with its line."""

import itertools
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.answers import ConfidenceSource
from wager.elicit.lexicon import DEFAULT_SHADES
from wager.errors import DataError, OutputError, UsageError
from wager.policy.knobs import KNOB_CHECKS
from wager.policy.lines import key_lines, line_of
from wager.policy.policy import POLICY_VERSION, Policy, PolicyError, Rule
from wager.policy.rule import CHECKS
from wager.policy.toml import parse_policy, policy_text, read_policy, write_policy

CASES = Path(__file__).parent / "cases"
OLD = CASES / "policy_v1.toml"
BAD = [json.loads(line) for line in (CASES / "policy_bad.jsonl").read_text(encoding="utf-8").splitlines()]
PLAIN = Rule(risk=0.1, delta=0.05, threshold=0.8, source="logprob")


def policy(**changes: object) -> Policy:
    return Policy(**{"model": "m", "made": "2026-01-31", "rules": {"default": PLAIN}, **changes})  # type: ignore[arg-type]


def refused(text: str) -> str | None:
    """What is wrong with a policy; any other error than DataError is one of the test."""
    try:
        parse_policy(text)
    except DataError as error:
        return str(error)
    return None


# a file of version 1


def test_a_file_of_version_1_stays_readable() -> None:
    old = read_policy(OLD)
    assert (old.version, old.made, old.model) == (1, "2026-01-31", "embedded/smollm2-135m-instruct")
    assert set(old.rules) == {"default", "capitals", "my exam"}
    assert old.rules["default"] == Rule(
        target=0.75,
        source="logprob",
        calibration="logprob",
        hedge_above=0.5,
        below="abstain",
        unknown="look_up",
        next_step="Try an atlas.",
    )
    capitals = old.rules["capitals"]
    assert (capitals.risk, capitals.delta, capitals.threshold, capitals.n) == (0.1, 0.05, 0.62, 160)
    assert (capitals.coverage, capitals.bound, capitals.words) == (0.31, 0.0941, True)
    assert old.rules["my exam"].joint_risk == 0.05
    assert old.calibrations["logprob"].at(0.5) == pytest.approx(
        1 / (1 + np.exp(0.35)), abs=1e-12
    )  # a logit of 0 stays, and the intercept is -0.35
    assert [one.name for one in old.shades.shades] == ["certain", "fairly_sure", "doubtful", "look_up"]


def test_it_is_written_as_it_was_read(tmp_path: Path) -> None:
    old = read_policy(OLD)
    write_policy(old, tmp_path / "new.toml")
    assert read_policy(tmp_path / "new.toml") == old


def test_without_shades_the_usual_ones_are_meant() -> None:
    text = policy_text(policy())
    assert parse_policy(text[: text.index("[[shades]]")]).shades == DEFAULT_SHADES


def test_a_date_may_be_written_as_a_date() -> None:
    text = policy_text(policy())
    assert parse_policy(text.replace('made = "2026-01-31"', "made = 2026-01-31")) == policy()


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xef\xbb\xbf" + policy_text(policy()).replace("\n", "\r\n").encode())
    assert read_policy(path) == policy()
    path.write_bytes(path.read_bytes().replace(b"risk = 0.1", b"risk = 1.1"))
    line = path.read_bytes().split(b"risk = 1.1")[0].count(b"\n") + 1
    with pytest.raises(DataError, match=rf":{line}: rules\.default\.risk lies in \(0, 1\), got 1\.1"):
        read_policy(path)


# what is written


def test_every_key_of_a_rule_has_a_comment() -> None:
    text = policy_text(read_policy(OLD))
    rules = text[text.index("[rules.") : text.index("# Calibrations")].splitlines()
    for before, line in itertools.pairwise(rules):
        if " = " in line and not line.startswith("#"):
            assert "  # " in line or before.startswith("# "), line


def test_floats_come_back_bit_for_bit() -> None:
    for value in (0.1, 1 / 3, 5e-324, 1e-5, np.nextafter(1, 0), np.float64(0.123456789012345678)):
        again = parse_policy(policy_text(policy(rules={"default": Rule(risk=float(value), delta=0.5, threshold=0.0, source="stated")})))
        assert again.rules["default"].risk == value
        assert type(again.rules["default"].risk) is float


def test_numpy_numbers_are_written_as_numbers() -> None:
    rule = Rule(risk=np.float64(0.1), delta=np.float32(0.5), threshold=np.float64(0.25), source="stated", n=np.int64(7))  # type: ignore[arg-type]
    assert parse_policy(policy_text(policy(rules={"default": rule}))).rules["default"] == rule
    assert "n = 7 " in policy_text(policy(rules={"default": rule}))


HOSTILE = [
    'a"b',
    "a\\",
    'x"\n[rules.evil]\ntarget = 0\n#',
    "\r\n",
    "\t\x00\x01\x1f\x7f\x85\u2028",
    '"""',
    "'''",
    "\U0001f9ed\U0010ffff",
    "\u202eabc",
    "# no comment",
    "é ü 東京",
    "\\u0041",
    " ",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_can_break_out_of_its_string(text: str) -> None:
    made = policy(
        model=f"m{text}",
        rules={"default": PLAIN, f"k{text}": Rule(target=0.5, threshold=0.5, source="stated", next_step=text, promise=text)},
    )
    written = policy_text(made)
    assert parse_policy(written) == made
    assert all(character.isprintable() or character == "\n" for character in written)
    assert len(tomllib.loads(written)["rules"]) == 2


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.floats(0, 1),
    st.floats(0, 1, exclude_min=True, exclude_max=True),
    st.sampled_from(["look_up", "clarify", "abstain"]),
)
def test_what_is_written_is_read_back(name: str, text: str, threshold: float, risk: float, below: str) -> None:
    rule = Rule(joint_risk=risk, threshold=threshold, source="p_true", below=below, next_step=text, promise=text)  # type: ignore[arg-type]
    made = policy(model=name, rules={"default": rule, name: rule})
    assert parse_policy(policy_text(made)) == made


def test_half_a_surrogate_cannot_be_written() -> None:
    with pytest.raises(DataError, match="cannot be written as UTF-8"):
        policy_text(policy(model="\ud800"))


def test_long_lists_are_wrapped_and_come_back() -> None:
    old = read_policy(OLD)
    assert max(map(len, policy_text(old).splitlines())) <= 140


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    write_policy(policy(), path)
    before = path.read_bytes()
    with pytest.raises(DataError):
        write_policy(policy(model="\ud800"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match="cannot write"):
        write_policy(policy(), tmp_path / "no" / "policy.toml")


# what is wrong, and where


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["what"])
def test_a_mistake_is_named_with_its_line(case: dict[str, str]) -> None:
    text = case.get("text")
    if text is None:
        text = OLD.read_text(encoding="utf-8")
        assert text.count(case["replace"]) == 1, "the case no longer fits the file"
        text = text.replace(case["replace"], case["by"])
    said = refused(text)
    assert said is not None
    assert "\n" not in said
    end = len(case["error"]) if case["error"].endswith("is not TOML: ") else None  # what follows is tomllib's, and changes with it
    assert said[:end] == case["error"]


def test_a_long_list_does_not_make_a_long_message() -> None:
    levels = ", ".join(["0.5"] * 1000)
    text = OLD.read_text(encoding="utf-8").replace('kind = "platt", slope = 0.81', f'kind = "categorical", levels = [{levels}]')
    said = refused(text)
    assert said is not None
    assert said.startswith("policy.toml:56: calibrations.logprob.calibrator is no calibrator: categorical: ")
    assert len(said) < 400


def test_the_example_of_the_manual_is_a_policy_and_names_every_key() -> None:
    page = (Path(__file__).parent.parent / "docs" / "policy.md").read_text(encoding="utf-8")
    example, knobs = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    shown = parse_policy(f"{example}\n{knobs}")
    assert parse_policy(policy_text(shown)) == shown
    assert shown.knobs["factual"].look_up == "always"
    for key in (*CHECKS, *KNOB_CHECKS):
        assert f"`{key}`" in page
    for source in ConfidenceSource:
        assert f"`{source.value}`" in page


def test_there_are_many_cases() -> None:
    assert len(BAD) >= 40
    assert sum(not case["error"].endswith("is not TOML: ") for case in BAD) >= 40
    assert len({case["what"] for case in BAD}) == len(BAD)


def test_the_error_names_the_file_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("version = 2\n")
    with pytest.raises(DataError) as error:
        read_policy(path)
    assert str(error.value) == f"{path}:1: version is 2, and this wager reads up to 1: update wager"


def test_a_file_that_is_no_text_or_not_there_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    with pytest.raises(DataError, match=r"policy\.toml: cannot be read \(No such file"):
        read_policy(path)
    path.write_bytes(b"version = 1\n\nmodel = '\xff'\n")
    with pytest.raises(DataError, match=r"policy\.toml:3: is not UTF-8 text \(byte 0xff\)"):
        read_policy(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_policy(tmp_path)


def test_deep_nesting_and_endless_numbers_are_refused() -> None:
    with pytest.raises(DataError, match=r"^policy\.toml:1: is nested too deeply$"):
        parse_policy("x = " + "[" * 100_000)
    with pytest.raises(DataError, match=r"^policy\.toml:1: is not TOML: "):
        parse_policy("x = " + "9" * 10_000)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_never_gives_anything_but_a_line(data: st.DataObject) -> None:
    lines = OLD.read_text(encoding="utf-8").splitlines()
    place = data.draw(st.integers(0, len(lines) - 1))
    values = ["0.5", "-1", "true", "[]", "{}", '"x"', "nan", "inf", "1979-05-27", "[[1]]", '{kind = "platt"}', "99999999999999999999"]
    how = data.draw(st.sampled_from(["drop", "double", "empty", *values]))
    key = lines[place].split(" = ")[0]
    lines[place : place + 1] = {"drop": [], "double": [lines[place]] * 2, "empty": [f"{key} ="]}.get(how, [f"{key} = {how}"])
    said = refused("\n".join(lines))
    if said is not None:
        assert said.startswith("policy.toml:")
        assert 1 <= int(said.split(":")[1]) <= len(lines) + 1
        assert "\n" not in said


# in Python


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "makes no promise; give one of target, risk and joint_risk"),
        ({"target": 0.5, "risk": 0.1}, "risk stands beside target; a rule makes one promise"),
        ({"risk": 0.1, "joint_risk": 0.1}, "joint_risk stands beside risk; a rule makes one promise"),
        ({"risk": 0.1, "delta": 0.1}, "risk needs the certified threshold; `wager calibrate` finds it"),
        ({"risk": 0.1, "threshold": 0.5}, "risk needs delta, the probability that the promise does not hold"),
        ({"target": 0.5}, "target needs a calibration or a certified threshold: a raw confidence is not a probability"),
        ({"target": 0.5, "delta": 0.1, "calibration": "c"}, "delta belongs to a certified threshold, and there is none"),
        ({"target": 0.5, "threshold": 0.5, "words": True}, "words needs a calibration: a raw confidence is not a probability"),
        (
            {"target": 0.5, "calibration": "c", "hedge_above": 0.5},
            "hedge_above lies below the target 0.5, got 0.5: nothing would be hedged",
        ),
        ({"target": float("nan")}, "target lies in [0, 1), got nan"),
        ({"target": True}, "target is a number in [0, 1), got True"),
        ({"target": 0.5, "below": None}, "below is one of 'look_up', 'clarify' and 'abstain', got None"),
        ({"target": 0.5, "n": 1.5}, "n is a count of graded answers, got 1.5"),
    ],
)
def test_a_rule_that_does_not_hold_together_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(PolicyError) as error:
        Rule(**{"source": "stated", **values})  # type: ignore[arg-type]
    assert str(error.value) == said


def test_a_certified_target_needs_no_calibration() -> None:
    assert Rule(target=0.5, threshold=0.7, delta=0.05, source="stated").threshold == 0.7


def test_a_policy_of_another_model_is_refused() -> None:
    with pytest.raises(UsageError, match="the policy is for 'm', got 'other'"):
        policy().for_model("other")
    assert policy().for_model("m") == policy()


def test_a_policy_does_not_change_with_the_mapping_it_was_made_of() -> None:
    rules = {"default": PLAIN}
    made = policy(rules=rules)
    rules["other"] = PLAIN
    assert set(made.rules) == {"default"}


def test_only_known_versions_are_made() -> None:
    for version in (0, POLICY_VERSION + 1, True, "1"):
        with pytest.raises(PolicyError, match=r"^version is"):
            policy(version=version)


# lines of keys


TRAPS = """\
# [not.a.table]
a . "b.c" = '''
[fake]
k = 1
'''
d = [1, # ] [fake]
  "]\\"# k = 2", {e = [
    2], f.g = '#'},
  [[3]],
]

[[list]]
x = 1
[list.inner]
x = 2
[[list]] # another
x = \"\"\"a\\
\\\"\"\" \"\"\"\"\"
[list.inner]
x = 1979-05-27 07:32:00 # ]

 [ 'q.uo' . "\\u0074e" ]
\tz = +1e-3
"""


def test_lines_are_right_where_a_search_for_the_key_goes_wrong() -> None:
    tomllib.loads(TRAPS)
    lines = key_lines(TRAPS)
    assert lines == {
        ("a",): 2,
        ("a", "b.c"): 2,
        ("d",): 6,
        ("d", 0): 6,
        ("d", 1): 7,
        ("d", 2): 7,
        ("d", 2, "e"): 7,
        ("d", 2, "e", 0): 8,
        ("d", 2, "f"): 8,
        ("d", 2, "f", "g"): 8,
        ("d", 3): 9,
        ("d", 3, 0): 9,
        ("d", 3, 0, 0): 9,
        ("list",): 12,
        ("list", 0): 12,
        ("list", 0, "x"): 13,
        ("list", 0, "inner"): 14,
        ("list", 0, "inner", "x"): 15,
        ("list", 1): 16,
        ("list", 1, "x"): 17,
        ("list", 1, "inner"): 19,
        ("list", 1, "inner", "x"): 20,
        ("q.uo",): 22,
        ("q.uo", "te"): 22,
        ("q.uo", "te", "z"): 23,
    }
    assert key_lines(TRAPS.replace("\n", "\r\n")) == lines
    assert line_of(("list", 1, "no", "such"), lines) == 16
    assert line_of(("none",), lines) == 1


VALUES = st.sampled_from(
    [
        "1",
        "-0.5e3",
        "true",
        '"a # = [b]"',
        "'\\'",
        '"\\""',
        '"""\n[t]\nk = 1\n"""',
        '"""a\\"""b"""',
        "'''\n'' # ''\n'''",
        '""""quoted""""',
        "[\n 1, # ]\n 2,\n]",
        '["]", "[t]"]',
        "[]",
        "{}",
        '{a = 1, "b.c" = [\n2\n]}',
        "2026-01-31",
        "[{a = 1},\n{a = [[\n]]}]",
    ]
)
COMMENTS = st.sampled_from(["", " # x = 1", "\n", "\n\n# [t]", "\t#'''"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), VALUES, COMMENTS), max_size=12))
def test_every_key_is_on_the_line_where_it_was_written(parts: list[tuple[bool, str, str]]) -> None:
    text, table, expected = "", (), {}
    for number, (header, value, comment) in enumerate(parts):
        line = text.count("\n") + 1
        if header:
            table = (f"t{number}", "s")
            text += f"[t{number}.s]{comment}\n"
            expected[table] = line
        else:
            text += f"k{number} = {value}{comment}\n"
            expected[(*table, f"k{number}")] = line
    tomllib.loads(text)
    found = key_lines(text)
    assert {place: found[place] for place in expected} == expected


@pytest.mark.parametrize(
    "text", [TRAPS, OLD.read_text(encoding="utf-8"), "x = {a = {b = [1, {c = 2}]}}"], ids=["traps", "policy", "inline"]
)
def test_every_key_that_tomllib_reads_has_a_line(text: str) -> None:
    def places(value: object, above: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return {above} | {place for key, one in pairs for place in places(one, (*above, key))}

    assert set(key_lines(text)) == places(tomllib.loads(text)) - {()}
