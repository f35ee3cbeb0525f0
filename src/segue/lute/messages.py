"""What a Task and its Executor say to each other: the messages and their form on the wire.

A message is a kind, a JSON value and, for large data, bytes beside it. On the wire it is a
frame::

    8 bytes   length of the head, length of the data: two unsigned numbers, big endian
    head      JSON, UTF-8: {"kind": ..., "content": ...}
    data      bytes as they are

Nothing of a peer is ever executed: the head is plain JSON, and data are bytes until
somebody asks for an `array.array` of them. Pure: this module reads and writes bytes, and
knows no socket.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_LENGTHS: Final = struct.Struct(">II")
#: A head longer than this is no message of ours.
HEAD_LIMIT_BYTES: Final = 16 * 2**20
DATA_LIMIT_BYTES: Final = 2**30


class Kind(StrEnum):
    """What a message is about."""

    #: First on a connection over the network: the token of the job.
    HELLO = "hello"
    #: The Task has its parameters and waits for CONTINUE.
    STARTED = "started"
    #: Executor to Task: what had to be done before it is done.
    CONTINUE = "continue"
    #: Text for people.
    LOG = "log"
    #: An array: its type and shape in the content, its values in the data.
    ARRAY = "array"
    #: What the Task says of itself while it runs.
    METADATA = "metadata"
    #: The Task asks for something, such as `running_tasks`.
    REQUEST = "request"
    #: Executor to Task: the answer.
    RESPONSE = "response"
    #: How the Task has ended, and with what.
    RESULT = "result"
    #: The Task has failed; the content says why.
    FAILED = "failed"


class MessageError(Exception):
    """What came is no message of ours; nothing more of this peer can be understood."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `content` is a JSON value, `data` what is too large for one."""

    kind: Kind
    content: Any = None
    data: bytes = b""


def encode(message: Message) -> bytes:
    """Return the message as a frame.

    Raises
    ------
    MessageError
        If it is too large, or its content is no JSON value.

    Examples
    --------
    >>> list(Decoder().feed(encode(Message(Kind.LOG, "hello"))))
    [Message(kind=<Kind.LOG: 'log'>, content='hello', data=b'')]
    """
    try:
        head = json.dumps({"kind": message.kind.value, "content": message.content}).encode()
    except (TypeError, ValueError) as error:
        raise MessageError(f"the content of a message must be a JSON value: {error}") from error
    _check_lengths(len(head), len(message.data))
    return _LENGTHS.pack(len(head), len(message.data)) + head + message.data


class Decoder:
    """Turns bytes as they come in into messages.

    `limit_bytes` is what a head and its data may have; it may be changed between messages.
    """

    def __init__(self, limit_bytes: int = DATA_LIMIT_BYTES) -> None:
        self._buffer = bytearray()
        self.limit_bytes = limit_bytes

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take bytes in; yield the messages that are complete.

        Raises
        ------
        MessageError
            If what came cannot be a message.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            head_length, data_length = _LENGTHS.unpack_from(self._buffer)
            _check_lengths(head_length, data_length, self.limit_bytes)
            end = _LENGTHS.size + head_length + data_length
            if len(self._buffer) < end:
                return
            head = bytes(self._buffer[_LENGTHS.size : _LENGTHS.size + head_length])
            body = bytes(self._buffer[_LENGTHS.size + head_length : end])
            del self._buffer[:end]
            yield _message(head, body)


def _check_lengths(head: int, data: int, limit: int = DATA_LIMIT_BYTES) -> None:
    if head > min(HEAD_LIMIT_BYTES, limit) or data > limit:
        raise MessageError(f"a message of {head:,} and {data:,} bytes is too large")


def _message(head: bytes, data: bytes) -> Message:
    try:
        value = json.loads(head)
        return Message(Kind(value["kind"]), value.get("content"), data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MessageError(f"this is no message: {head[:80]!r}") from error


# Arrays ----------------------------------------------------------------------


def array_message(values: Any) -> Message:
    """Return the message that holds an array.

    Parameters
    ----------
    values
        Anything with the buffer protocol and values of one simple type: an
        `array.array`, an array of numpy, bytes.
    """
    view = memoryview(values)
    if not view.c_contiguous:
        view = memoryview(view.tobytes()).cast("B").cast(view.format, view.shape)  # type: ignore[call-overload]
    content = {"type": view.format, "shape": list(view.shape or ())}
    return Message(Kind.ARRAY, content, view.tobytes())


def array_of(message: Message) -> array[Any]:
    """Return the values of an array's message, one behind the other; the shape is in its content.

    Raises
    ------
    MessageError
        If they do not fit their type and shape.

    Examples
    --------
    >>> array_of(array_message(array("d", [1.5, 2.0]))).tolist()
    [1.5, 2.0]
    """
    try:
        values = array(message.content["type"], b"")
        values.frombytes(message.data)
        expected = 1
        for length in message.content["shape"]:
            expected *= length
    except (TypeError, ValueError, KeyError) as error:
        raise MessageError(f"this is no array: {message.content!r}") from error
    if expected != len(values):
        raise MessageError(f"{len(values)} values do not have the shape {message.content['shape']}")
    return values
