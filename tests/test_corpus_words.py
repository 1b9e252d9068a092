"""The key of a text: the reference by hand, and the same for whole columns, on every code point."""

import sys
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wager.corpus.words import CHUNK, NOT_WORDS, words, words_of

SURROGATES = range(0xD800, 0xE000)
TEXTS = st.text(
    alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" \t\n\v.,-+AZazİIıiΣςσÀé\u0301\u200bn"))
) | st.text(alphabet=" aB.1\n")


def keys(texts: list[str | None]) -> list[str | None]:
    return words_of(pa.array(texts, pa.string())).to_pylist()


def expected(texts: list[str | None]) -> list[str | None]:
    return [None if text is None else words(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("  What's the CAPITAL of Perú??", "what s the capital of perú"),
        ("什么是法国的首都？", "什么是法国的首都"),
        ("日本の首都は、どこですか。", "日本の首都は どこですか"),
        ("ما هي عاصمة فرنسا؟", "ما هي عاصمة فرنسا"),
        ("हिन्दी, में!", "हिन्दी में"),  # vowel signs and the virama are marks and stay
        ("ภาษาไทย?", "ภาษาไทย"),
        ("İSTANBUL ISPARTA ıspanak", "istanbul isparta ıspanak"),
        ("ΟΔΥΣΣΕΥΣ Οδυσσεύς", "οδυσσευσ οδυσσεύσ"),
        ("ẞ ß SS", "ß ß ss"),
        ("ﬁle ǅ", "ﬁle ǆ"),
        ("a\u200bb\u200d\ufeffc", "a b c"),  # zero-width characters are formats, no letters
        ("x² ½ Ⅷ ٣", "x² ½ ⅷ ٣"),
        ("-5", "5"),
        ("foo_bar-baz", "foo bar baz"),
        ("a\u00a0b\u3000c\td", "a b c d"),
        ("👩‍👧 ok", "ok"),
        (" + ", "+"),
        ("\t?!\n", "?!"),
        ("\u00a0", "\u00a0"),  # white space beyond ASCII is not stripped from a text without words
        ("", ""),
        (" \t\n\r\v\f", ""),
        ("\x00", "\x00"),
    ],
)
def test_the_key_of_a_text_is_its_words(text: str, key: str) -> None:
    assert words(text) == key
    assert keys([text]) == [key]


def test_accents_in_one_or_two_code_points_and_ligatures_stay_different() -> None:
    assert words("é") == "\u00e9" != words("e\u0301") == "e\u0301"
    assert words("ﬁ") != words("fi")


def test_a_column_has_the_reference_keys_at_every_code_point() -> None:
    every = [chr(point) for point in range(sys.maxunicode + 1) if point not in SURROGATES]
    assert keys(every) == expected(every)


def test_a_column_has_the_reference_keys_at_every_assigned_code_point_between_letters() -> None:
    assigned = [f"Q{chr(point)}Q" for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) not in ("Cs", "Cn", "Co")]
    assert len(assigned) > 130_000
    assert keys(assigned) == expected(assigned)
    assert keys(["".join(assigned)]) == [words("".join(assigned))]


def test_the_expression_for_engines_keeps_exactly_letters_marks_and_numbers() -> None:
    """RE2 may know a later Unicode than this Python: what Python knows as assigned must agree."""
    every = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) not in ("Cs", "Cn")]
    gone = pc.match_substring_regex(pa.array(every), NOT_WORDS).to_pylist()
    wrong = [one for one, is_gone in zip(every, gone, strict=True) if is_gone == (unicodedata.category(one)[0] in "LMN")]
    assert not wrong


@given(st.lists(st.none() | TEXTS, max_size=12), st.integers(0, 4), st.integers(0, 12))
@example(["ab", None, "", "  ", "É"], 1, 4)
@example([" a", "b ", " ", "c"], 0, 4)
def test_a_slice_of_a_column_has_the_reference_keys(texts: list[str | None], start: int, size: int) -> None:
    column = pa.array(texts, pa.string()).slice(start, size)
    assert words_of(column).to_pylist() == expected(texts[start : start + size])


@given(TEXTS)
def test_the_key_of_a_key_is_itself(text: str) -> None:
    assert words(words(text)) == words(text)


@given(TEXTS)
def test_a_key_is_empty_only_where_the_text_is_blank(text: str) -> None:
    assert (words(text) == "") == (text.strip(" \t\n\r\v\f") == "")


@given(TEXTS, TEXTS)
def test_what_stands_between_words_does_not_matter(one: str, other: str) -> None:
    """Where both sides have words."""
    if any(unicodedata.category(c)[0] in "LMN" for c in one) and any(unicodedata.category(c)[0] in "LMN" for c in other):
        assert words(f"{one} {other}") == words(f" {one}\n--?! {other}.") == f"{words(one)} {words(other)}"


@pytest.mark.parametrize("rows", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 3])
def test_a_border_between_chunks_changes_nothing(rows: int) -> None:
    kinds = ["Plain words ", None, "", " ", "Ünïcode, İ Σ", "+", " ends with blanks  ", "  日本"]
    texts = [f"{kind}{row}" if kind and row % 3 else kind for row, kind in zip(range(rows), kinds * (rows // len(kinds) + 1), strict=False)]
    assert keys(texts) == expected(texts)


@pytest.mark.parametrize("texts", [[], [None], [None, None], [""], ["", None, ""], [" ", "."]])
def test_columns_without_words_keep_their_nulls_and_blanks(texts: list[str | None]) -> None:
    assert keys(texts) == expected(texts)


def test_bytes_behind_a_null_do_not_show() -> None:
    full = pa.array(["Aa", "B!", "Cc"])
    hidden = pa.StringArray.from_buffers(3, full.buffers()[1], full.buffers()[2], pa.py_buffer(bytes([0b101])))
    assert hidden.to_pylist() == ["Aa", None, "Cc"]
    assert words_of(hidden).to_pylist() == ["aa", None, "cc"]
