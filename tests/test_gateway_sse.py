"""Server-sent events: every legal way to write them is read alike, however the bytes are cut; everything else is an error, never a crash."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_upstream_server import DONE, event
from wager.gateway.redaction import Redaction
from wager.gateway.sse import EventParser
from wager.gateway.upstream import UpstreamError

LIMA = json.loads(event("Lima")[6:])
STOP = json.loads(event(finish="stop")[6:])

ODD = (
    b"\xef\xbb\xbf: a comment\r\n\r\n"
    + event("Lima", end="\r\n")
    + event("Lima", end="\r")
    + event("Lima")
    + event("Lima").replace(b", ", b",\ndata:", 1)  # one value on two lines
    + event("Lima", end="\r\n").replace(b", ", b",\r\ndata:", 1)
    + b"id: 1\nretry: 5\nevent: message\n"
    + event("Lima").replace(b"data: ", b"data:")
    + b"data\n\n: \n\nnonsense\n\n"
    + event(finish="stop")
    + DONE
    + b"data: {ignored\n\n"
)


def read(pieces: list[bytes], **options: int) -> tuple[list[dict], UpstreamError | None]:
    parser, found = EventParser(**options), []
    try:
        for piece in pieces:
            found.extend(parser.feed(piece))
        found.extend(parser.end())
    except UpstreamError as error:
        return found, error
    return found, None


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


def test_every_way_to_write_events_is_read_alike():
    assert read([ODD]) == ([LIMA] * 6 + [STOP], None)


@given(st.lists(st.integers(0, len(ODD)), max_size=12))
def test_where_the_bytes_are_cut_changes_nothing(places):
    assert read(cut(ODD, places)) == ([LIMA] * 6 + [STOP], None)


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert read([b"\xef\xbb", b"\xbf" + event("Lima") + DONE]) == ([LIMA], None)
    assert read([event("Lima") + b"\xef\xbb\xbf" + event("Lima") + DONE]) == ([LIMA], None)  # elsewhere it is


def test_single_bytes_are_read_like_the_whole():
    assert read([bytes([byte]) for byte in ODD]) == read([ODD])


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_any_bytes_are_read_or_refused_alike_however_they_are_cut(data, places):
    whole, error = read([data])
    again, same = read(cut(data, places))
    assert whole == again
    assert (error is None) == (same is None)
    assert error is not None, "no stream of random bytes has an end"


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=5), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_is_written_is_read(values, end):
    values = [{"choices": [], "x": value} for value in values]
    data = "".join(f"data: {json.dumps(value, ensure_ascii=False)}{end}{end}" for value in values).encode() + DONE
    assert read([data]) == (values, None)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"data: {\n\n" + DONE, 502, "upstream_invalid"),
        (b'data: {"a": "\xff"}\n\n' + DONE, 502, "upstream_invalid"),
        (b"data: [1]\n\n" + DONE, 502, "upstream_invalid"),
        (b"data: 5\n\n" + DONE, 502, "upstream_invalid"),
        (event("Lima")[:-10], 502, "upstream_closed"),  # half an event
        (event("Lima"), 502, "upstream_closed"),  # no end at all
        (b"", 502, "upstream_closed"),
        (b'data: {"error": {"message": "slow down", "code": 429}}\n\n', 429, None),
        (b'data: {"error": {"message": "slow down", "type": "rate_limit_error"}}\n\n', 429, None),
        (b'event: error\ndata: {"message": "broken"}\n\n', 502, None),
        (b'data: {"error": "no more memory"}\n\n', 502, None),
        (b'data: {"error": {"message": "m", "code": "model_not_found"}}\n\n', 502, "model_not_found"),
        (b"data: " + b"[" * 100_000 + b"\n\n", 502, "upstream_invalid"),
    ],
)
def test_what_is_no_stream_of_objects_is_an_error_of_its_own_kind(data, status, code):
    found, error = read([data])
    assert (error.status, error.code) == (status, code)
    assert all(one == LIMA for one in found)


def test_events_before_a_broken_one_in_the_same_piece_are_delivered():
    found, error = read([event("Lima") + b"data: {\n\n"])
    assert (found, error.status) == ([LIMA], 502)


def test_a_null_error_beside_choices_is_no_error():
    assert read([event("Lima").replace(b'"id"', b'"error": null, "id"') + DONE])[1] is None


def test_the_last_event_counts_without_its_blank_line():
    assert read([event(finish="stop").rstrip(b"\n")]) == ([STOP], None)
    assert read([event("Lima") + b"data: [DONE]"]) == ([LIMA], None)


def test_a_finish_reason_is_an_end_too():
    assert read([event("Lima") + event(finish="stop")]) == ([LIMA, STOP], None)


@pytest.mark.parametrize("data", [b"data: " + b"x" * 200, b"data: x\n" * 60, b": " + b"x" * 200])
def test_an_event_has_a_largest_size_before_its_end_has_come(data):
    assert read([data], largest_event=100)[1].code == "upstream_too_large"
    assert read([bytes([byte]) for byte in data], largest_event=100)[1].code == "upstream_too_large"


def test_a_stream_has_a_largest_size_comments_included():
    found, error = read([b": keep-alive\n\n"] * 10, largest_stream=100)
    assert (found, error.code) == ([], "upstream_too_large")


def test_values_that_json_has_no_word_for_become_null():
    found, _ = read([b'data: {"choices": [], "logprob": -Infinity, "half": "\\ud83d"}\n\n' + DONE])
    assert found == [{"choices": [], "logprob": None, "half": "?"}]


def test_the_key_never_leaves_an_event():
    parser = EventParser(key="sk-secret-1234")
    (found,) = parser.feed(b'data: {"choices": [], "x": "my key is sk-secret-1234."}\n\n')
    assert found["x"] == "my key is [key]."


@given(st.lists(st.sampled_from([b"sk-", b"sk-s", b"secret", b"x", b"sk-secret", b"-", b"s", b"k", b""]), max_size=30))
def test_a_key_in_raw_bytes_is_taken_out_however_they_are_cut(pieces):
    redaction = Redaction("sk-secret")
    passed = [redaction.feed(piece) for piece in pieces] + [redaction.end()]
    assert b"".join(passed) == b"".join(pieces).replace(b"sk-secret", b"[key]")


def test_without_a_key_every_byte_passes_at_once():
    assert Redaction(None).feed(b"anything") == b"anything"
