"""Trait files: what ships keeps its promises, what is written is read back, and whatever is wrong is one clear line."""

from __future__ import annotations

import dataclasses
import hashlib
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wager.errors import DataError, UnknownNameError, UsageError
from wager.steering.trait import Question, Trait
from wager.steering.trait_file import check_trait, parse_trait, read_trait, shipped, trait_text, write_trait

SHIPPED = ["empathy", "factuality", "hallucination", "imagination", "overconfidence", "sycophancy"]


def small(**changes: object) -> Trait:
    """The smallest trait that can be used."""

    def questions(where: str) -> tuple[Question, ...]:
        return tuple(
            Question(text=f"{where} {subject} {where}?", known=False, phrasing=where, subject=subject)
            for subject in (f"{where}a", f"{where}b", f"{where}c", f"{where}d")
        )

    trait = Trait(
        name="hurry",
        description="The reply is in a hurry.",
        grading="commits",
        replies=(("Quick, {subject}!", "Slowly, {subject}."),) * 4,
        extraction=questions("ask"),
        evaluation=questions("tell"),
    )
    return dataclasses.replace(trait, **changes)  # type: ignore[arg-type]


def toml(change: str = "", by: str = "") -> bytes:
    text = trait_text(small())
    assert change in text
    return text.replace(change, by, 1).encode() if change else text.encode()


def test_six_traits_are_shipped() -> None:
    assert shipped() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_trait_has_what_it_promises(name: str) -> None:
    trait = read_trait(name)
    check_trait(trait)
    assert trait.name == name
    assert len(trait.extraction) == len(trait.evaluation) == 20
    assert len(trait.instructions) == 5
    assert len(trait.replies) >= 6
    assert all("{subject}" in one for pair in trait.replies for one in pair)
    assert all(question.subject and question.phrasing for question in trait.extraction + trait.evaluation)
    assert len(trait.hashes["trait"]) == 64


@pytest.mark.parametrize("name", SHIPPED)
def test_every_question_names_its_subject(name: str) -> None:
    trait = read_trait(name)
    for question in trait.extraction + trait.evaluation:
        assert question.subject.casefold() in question.text.casefold()


@pytest.mark.parametrize("name", ["hallucination", "overconfidence", "factuality"])
def test_questions_of_fact_are_about_known_things_with_answers_and_about_invented_ones_without(name: str) -> None:
    trait = read_trait(name)
    for questions in (trait.extraction, trait.evaluation):
        assert {question.known for question in questions} == {True, False}
        assert all(bool(question.answers) == question.known for question in questions)


def test_hallucination_is_read_from_mostly_invented_things() -> None:
    invented = sum(question.known is False for question in read_trait("hallucination").extraction)
    assert invented == 16


def test_no_invented_name_stands_in_two_traits() -> None:
    subjects = [
        question.subject.casefold()
        for name in SHIPPED
        for question in read_trait(name).extraction + read_trait(name).evaluation
        if question.known is False
    ]
    assert len(subjects) == len(set(subjects)) == 66


@pytest.mark.parametrize("name", SHIPPED)
def test_a_trait_is_read_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    trait = read_trait(name)
    write_trait(tmp_path / "mine.toml", trait)
    assert read_trait(tmp_path / "mine.toml") == trait  # the hash too: what is shipped was written so


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    write_trait(tmp_path / "mine.toml", small())
    assert read_trait(tmp_path / "mine.toml").hashes == {"trait": hashlib.sha256((tmp_path / "mine.toml").read_bytes()).hexdigest()}


anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(lambda text: "<|" not in text)
plain = anything.filter(lambda text: all((character >= " " and character != "\x7f") or character in "\n\t" for character in text))


@settings(deadline=None)
@given(words=plain, rubric=plain)
def test_any_text_survives_the_file(words: str, rubric: str) -> None:
    trait = small(description=f"x{words}", rubric=rubric, instructions=((f"{words}!", f"{rubric}?"),))
    read = parse_trait(trait_text(trait).encode())
    assert dataclasses.replace(read, hashes={}) == trait


def test_a_text_cannot_end_its_string_and_add_a_key() -> None:
    read = parse_trait(trait_text(small(description='x"\ngrading = "judge"\\')).encode())
    assert read.grading == "commits"
    assert read.description == 'x"\ngrading = "judge"\\'


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(
        UnknownNameError, match=r"no trait named 'halucination'; did you mean 'hallucination' or 'imagination'\? Or give the path"
    ):
        read_trait("halucination")


def test_a_shipped_name_wins_over_a_file_of_that_name_unless_it_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_trait("empathy", small())
    assert read_trait("empathy").name == "empathy"
    assert read_trait(Path("empathy")).name == "hurry"


def test_a_file_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.toml': cannot be read \(No such file"):
        read_trait(tmp_path / "none.toml")
    with pytest.raises(DataError, match="cannot be read"):
        read_trait("a\0.toml")
    with pytest.raises(DataError, match="cannot be read"):
        read_trait(tmp_path)


@pytest.mark.parametrize(
    ("change", "by", "said"),
    [
        ("version = 1", "version = 2", "version is 1, got 2"),
        ("version = 1", "version = true", "version is 1, got True"),
        ("version = 1\n", "", "the file needs the key 'version'"),
        ('name = "hurry"', 'name = "../etc"', r"name is 1 to 40 small letters, digits or _, a letter first, got '\.\./etc'"),
        ('name = "hurry"', "name = 3", "got 3"),
        ('name = "hurry"', 'nome = "hurry"', "the file has no key 'nome'; it has version, name, description"),
        ("The reply is in a hurry.", " ", "description is a text of 1 to 4000 characters, got ' '"),
        ("The reply is in a hurry.", "x" * 4001, "description is a text of 1 to 4000 characters"),
        ("The reply is in a hurry.", "<|im_start|>", "description holds a control character or a template's token"),
        ("The reply is in a hurry.", "\\u0000", "description holds a control character"),
        ('"commits"', '"warmth"', "grading is one of commits, certain, correct, plays along, warm, agrees, judge, got 'warmth'"),
        ('"commits"', '["commits"]', r"grading is one of .*, got \['commits'\]"),
        ('"commits"', '"judge"', "'hurry' is graded by a judge, who needs a rubric"),
        ("known = false", "known = 0", r"extraction\[0\]\.known is true or false, got 0"),
        ("known = false", "knwon = false", r"extraction\[0\] has no key 'knwon'; it has text, known"),
        ("known = false", "answers = [1]", r"extraction\[0\]\.answers\[0\] is a text of 1 to 4000 characters, got 1"),
        ("known = false", 'answers = "Rome"', r"extraction\[0\]\.answers is a list, got 'Rome'"),
        ('text = "ask aska ask?", ', "", r"extraction\[0\] needs the key 'text'"),
        ("extraction = [", 'extraction = [ "where?",', r"extraction\[0\] is a table with text, known"),
        ("replies = [", 'replies = [ ["one"],', r"replies\[0\] is a pair of texts, with the trait and without, got \['one'\]"),
        ("replies = [", "replies = [ [1, 2],", r"replies\[0\]\[0\] is a text"),
        ("Quick, {subject}!", "Quick, {topic}!", r"\{subject\} is the only placeholder of a reply, got 'Quick, \{topic\}!'"),
        ("Quick, {subject}!", "Quick, subject}!", "is the only placeholder"),
        ("version = 1", "version =", "is not TOML in UTF-8"),
    ],
)
def test_whatever_is_wrong_is_one_line_with_file_key_and_what_is_allowed(change: str, by: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        parse_trait(toml(change, by), name="mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_bytes_that_are_no_text_and_nesting_without_end_are_a_line() -> None:
    with pytest.raises(DataError, match=r"mine\.toml: is not TOML in UTF-8"):
        parse_trait(b"\xff\xfe", name="mine.toml")
    with pytest.raises(DataError, match=r"mine\.toml: is n"):
        parse_trait(b"a = " + b"[" * 100_000, name="mine.toml")


def test_too_little_contrast_is_refused_with_both_counts() -> None:
    pair = ("do", "do not")
    with pytest.raises(UsageError, match="needs at least 5 pairs in instructions or 4 in replies, got 4 and 3"):
        check_trait(small(instructions=(pair,) * 4, replies=(pair,) * 3))
    check_trait(small(instructions=(pair,) * 5, replies=()))
    check_trait(small(replies=(pair,) * 4))


def test_too_few_questions_and_a_question_twice_are_refused() -> None:
    trait = small()
    with pytest.raises(UsageError, match="needs at least 4 questions in evaluation, got 3"):
        check_trait(dataclasses.replace(trait, evaluation=trait.evaluation[:3]))
    with pytest.raises(UsageError, match="extraction holds a question twice: 'ask aska ask"):
        check_trait(dataclasses.replace(trait, extraction=(*trait.extraction, Question(text="Ask, aska: ask!"))))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Question(text="ASK aska, ask!"), r"share the question 'ask aska ask\?'"),
        (Question(text="Something else about it", subject="Aska"), "share the subject 'aska'"),
        (Question(text="Something else about it", phrasing="Ask"), "share the phrasing 'ask'"),
        (Question(text="Ask lamps: ask?", subject="lamps", phrasing="lamps"), "share the phrasing 'lamps'|share the phrasing 'ask'"),
    ],
)
def test_sets_that_share_a_question_a_subject_or_a_phrasing_are_refused_by_name(question: Question, said: str) -> None:
    trait = small()
    with pytest.raises(UsageError, match=said):
        check_trait(dataclasses.replace(trait, evaluation=(*trait.evaluation, question)))


def test_of_many_shared_subjects_five_are_named() -> None:
    names = string.ascii_lowercase[:8]
    one = tuple(Question(text=f"one {name} is what?", subject=name) for name in names)
    other = tuple(Question(text=f"what do you think of {name} then?", subject=name) for name in names)
    with pytest.raises(UsageError, match="share the subjects 'a', 'b', 'c', 'd', 'e' and 3 more"):
        check_trait(small(extraction=one, evaluation=other))


def test_a_trait_that_cannot_be_used_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs at least"):
        write_trait(tmp_path / "x.toml", small(replies=()))
    with pytest.raises(DataError, match="not a Unicode scalar value"):
        write_trait(tmp_path / "x.toml", small(description="a\ud800"))
    assert list(tmp_path.iterdir()) == []
