"""The connection between a Task and its Executor, with real sockets and processes."""

import socket
import subprocess
import sys

import pytest

from segue.lute.channel import CHANNEL_VARIABLE, TOKEN_VARIABLE, Channel, Switchboard, connect
from segue.lute.messages import Kind, Message, encode

LIMIT_S = 10.0


@pytest.fixture
def switchboard():
    board = Switchboard()
    yield board
    board.close()


def next_message(board):
    """Wait for one message and return it with its channel."""
    for _ in range(100):
        for came in board.wait(LIMIT_S):
            if not isinstance(came, str):
                return came
    raise AssertionError("no message came")


def test_a_process_inherits_its_channel(switchboard):
    descriptor = switchboard.open_pair()
    program = (
        "from segue.lute.channel import connect; from segue.lute.messages import *;"
        "channel = connect(); channel.send(Message(Kind.STARTED, {'a': 1}));"
        "print(channel.wait_for(Kind.CONTINUE).content)"
    )

    child = subprocess.Popen(
        [sys.executable, "-c", program],
        env=switchboard.environment,
        pass_fds=[descriptor],
        stdout=subprocess.PIPE,
        text=True,
    )
    switchboard.release_pair()
    channel, message = next_message(switchboard)
    channel.send(Message(Kind.LOG, "something else first"))
    channel.send(Message(Kind.CONTINUE, "go"))
    output, _ = child.communicate()

    assert message == Message(Kind.STARTED, {"a": 1})
    assert output == "go\n"


def test_a_task_without_an_executor_has_no_channel():
    assert connect({}) is None


def test_the_end_of_the_peer_is_noticed(switchboard):
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    theirs.close()

    found = channel.wait_for(Kind.CONTINUE)

    assert found is None
    assert not channel.open
    channel.send(Message(Kind.LOG, "to nobody"))
    channel.close()


def test_ranks_connect_over_the_network_with_the_token(switchboard):
    switchboard.listen("127.0.0.1")

    rank = connect(switchboard.environment)
    rank.send(Message(Kind.LOG, "rank 1"))
    _, message = next_message(switchboard)
    rank.close()

    assert message == Message(Kind.LOG, "rank 1")


STRANGERS = {
    "a wrong token": encode(Message(Kind.HELLO, "guess")),
    "no token": encode(Message(Kind.RESULT, {"status": "COMPLETED"})),
    "a long greeting": encode(Message(Kind.HELLO, "x" * 100_000)),
    "another protocol": b"GET / HTTP/1.1\r\n\r\n",
    "a token that is no text": encode(Message(Kind.HELLO, ["x"])),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_is_hung_up_on(switchboard, stranger):
    switchboard.listen("127.0.0.1")
    host, port = switchboard.environment[CHANNEL_VARIABLE].split(":")[1:]

    with socket.create_connection((host, int(port)), LIMIT_S) as caller:
        caller.sendall(STRANGERS[stranger])
        _, message = next_message(switchboard)
        try:
            left = caller.recv(1)
        except ConnectionResetError:
            left = b""

    assert message.kind is Kind.LOG
    assert "is not taken" in message.content
    assert left == b""


def test_a_stranger_who_says_nothing_keeps_nobody_waiting(switchboard):
    switchboard.listen("127.0.0.1")
    host, port = switchboard.environment[CHANNEL_VARIABLE].split(":")[1:]

    with socket.create_connection((host, int(port)), LIMIT_S):
        rank = connect(switchboard.environment)
        rank.send(Message(Kind.LOG, "mine"))
        _, message = next_message(switchboard)
        rank.close()

    assert message.content == "mine"


def test_the_token_is_not_the_same_twice():
    tokens = set()
    for _ in range(3):
        board = Switchboard()
        board.listen("127.0.0.1")
        tokens.add(board.environment[TOKEN_VARIABLE])
        board.close()

    assert len(tokens) == 3


def test_other_descriptors_are_named(switchboard):
    ours, theirs = socket.socketpair()
    switchboard.watch(ours.fileno(), "stdout")
    theirs.send(b"x")

    named = list(switchboard.wait(LIMIT_S))

    switchboard.unwatch(ours.fileno())
    ours.close()
    theirs.close()
    assert named == ["stdout"]
