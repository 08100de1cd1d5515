"""A socket without what Python adds: everything once and in order, the end as a value, and nothing once it is closed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tradebot.actors.wire import Wire

Pair = tuple[Wire, Wire]


def joined(folder: Path, reader: int, writer: int, room: int = 1_000) -> Iterator[Pair]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    ends = context.socket(reader), context.socket(writer)
    for one in ends:
        one.setsockopt(zmq.RCVHWM, room)
        one.setsockopt(zmq.SNDHWM, room)
    ends[0].bind(f"ipc://{folder}/wire")
    ends[1].connect(f"ipc://{folder}/wire")
    wires = Wire(ends[0]), Wire(ends[1])
    yield wires
    for wire in wires:
        wire.close(0)
    context.destroy(linger=0)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pair]:
    yield from joined(tmp_path, zmq.PULL, zmq.PUSH, room=10)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Pair]:
    yield from joined(tmp_path, zmq.ROUTER, zmq.DEALER)


def test_messages_come_once_in_order_and_no_more_than_asked_for(pipe: Pair) -> None:
    reader, writer = pipe
    bodies = [b"%d" % number * number for number in range(8)]  # an empty one among them
    assert all(writer.put(one) for one in bodies)
    found: list[bytes] = []
    while len(found) < 8:
        more = reader.take(3)
        assert len(more) <= 3
        found += more
    assert found == bodies and reader.take(3) == [] and reader.take_frames() == []


def test_frames_of_a_message_stay_together(desk: Pair) -> None:
    reader, writer = desk
    assert writer.put(b"", b"body", b"x" * 100_000) and writer.put(b"next")
    found: list[list[bytes]] = []
    while len(found) < 2:
        if frames := reader.take_frames():
            found.append(frames)
    (client, *first), second = found
    assert first == [b"", b"body", b"x" * 100_000] and second == [client, b"next"]
    assert reader.put(client, b"answer")
    while not (answer := writer.take_frames()):
        time.sleep(0.001)
    assert answer == [b"answer"]


def test_a_full_one_refuses_and_what_it_took_arrives(pipe: Pair) -> None:
    reader, writer = pipe
    count = next(number for number in range(10_000) if not writer.put(b"%d" % number))
    assert count >= 10
    found: list[bytes] = []
    while len(found) < count:
        found += reader.take(100)
    assert found == [b"%d" % number for number in range(count)]
    until = time.monotonic() + 10
    while not writer.put(b"again"):
        assert time.monotonic() < until, "there is room again"


def test_nobody_is_refused_by_old_news_of_a_full_mailbox(pipe: Pair) -> None:
    """A socket looks for news of its reader about once a millisecond; between two looks it says that it is full when it is not.
    News take a moment to come, and a busy machine may let the millisecond pass: so many of the rounds count, not one.
    """
    reader, writer = pipe
    refused = sent = taken = 0
    for _ in range(60):
        while writer.put(b"x"):
            sent += 1
        while taken < sent:
            taken += len(reader.take(100))
        until_ns = time.perf_counter_ns() + 300_000
        while time.perf_counter_ns() < until_ns:
            pass
        is_sent = writer.put(b"x")
        sent, refused = sent + is_sent, refused + (not is_sent)
    assert refused < 20


def test_a_closed_one_takes_nothing_in_and_gives_nothing_out(pipe: Pair) -> None:
    assert pipe[1].put(b"lost")
    for wire in pipe:
        wire.close(0)
        assert wire.take(1) == wire.take_frames() == [] and not wire.put(b"x")


def test_what_is_no_bytes_is_refused(pipe: Pair) -> None:
    with pytest.raises(TypeError):
        pipe[1].put("text")  # type: ignore[arg-type]
