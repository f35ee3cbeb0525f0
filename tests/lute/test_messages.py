"""Messages of Tasks: their form on the wire, and what is made of others."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.lute.messages import (
    Decoder,
    Kind,
    Message,
    MessageError,
    array_message,
    array_of,
    encode,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
messages = st.builds(Message, st.sampled_from(Kind), json_values, st.binary())


@given(st.lists(messages), st.integers(1, 50))
def test_messages_come_out_as_they_went_in_however_the_bytes_are_cut(sent, size):
    data = b"".join(map(encode, sent))
    decoder = Decoder()

    heard = [
        message
        for start in range(0, len(data), size)
        for message in decoder.feed(data[start : start + size])
    ]

    assert heard == sent


@given(st.binary(min_size=8))
def test_any_bytes_are_messages_or_an_error(data):
    try:
        for message in Decoder().feed(data):
            assert isinstance(message.kind, Kind)
    except MessageError:
        pass


@pytest.mark.parametrize(
    "head", [b"{}", b"[]", b'{"kind": "nonsense"}', b"\xff", b"[" * 100_000, b"null"]
)
def test_a_head_that_is_none_is_an_error(head):
    frame = len(head).to_bytes(4) + bytes(4) + head

    with pytest.raises(MessageError, match="no message"):
        list(Decoder().feed(frame))


def test_a_frame_that_claims_to_be_huge_is_refused_before_it_is_waited_for():
    with pytest.raises(MessageError, match="too large"):
        list(Decoder().feed(b"\xff" * 8))


def test_what_is_no_json_cannot_be_sent():
    with pytest.raises(MessageError, match="JSON value"):
        encode(Message(Kind.LOG, {1, 2}))


@pytest.mark.parametrize("values", [array("d", [0.5, 1e300]), array("i", []), b"abc"])
def test_an_array_comes_out_as_it_went_in(values):
    [message] = Decoder().feed(encode(array_message(values)))

    assert array_of(message).tobytes() == bytes(values)


def test_an_array_of_two_dimensions_keeps_its_shape():
    message = array_message(memoryview(bytes(range(6))).cast("B", (2, 3)))

    assert message.content == {"type": "B", "shape": [2, 3]}
    assert array_of(message).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "content", [None, {}, {"type": "O", "shape": []}, {"type": "d", "shape": [9]}, {"type": "d"}]
)
def test_an_array_that_does_not_fit_is_an_error(content):
    with pytest.raises(MessageError):
        array_of(Message(Kind.ARRAY, content, bytes(8)))
