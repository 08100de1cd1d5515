"""What each connection to a stream has subscribed, and an end to one that sends more than a subscriber does.

libzmq keeps whatever is subscribed, some forty bytes for each of a topic's, before anybody is asked, and has no way to end one
connection. It tells of each message on which descriptor it came, so that connection is shut there: libzmq sees its end and frees
what it held. What of it was on its way meanwhile is passed over.
"""

import os
import socket
import time
from contextlib import suppress
from typing import Final

import zmq

LINE_BYTES_MAX: Final = 4_096  # topics that one connection has subscribed
NAME_BYTES_MAX: Final = 262_144  # those of all connections of one key
TOPIC_COST: Final = 16  # bytes for each topic beside its text
MESSAGES_MAX: Final = 500  # of one connection, within
WINDOW_S: Final = 10.0
LEFT_MAX: Final = 256  # pieces of what is on its way that are thrown away
PIECE_BYTES: Final = 65_536


class Line:
    """One connection."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.topics: set[bytes] = set()
        self.bytes = 0
        self.messages, self.since_s = 0, time.monotonic()

    def is_hasty(self) -> bool:
        """Whether this message is one too many."""
        now = time.monotonic()
        if now - self.since_s > WINDOW_S:
            self.messages, self.since_s = 0, now
        self.messages += 1
        return self.messages > MESSAGES_MAX


class Subscriptions:
    """By descriptor; `port` is that of the stream."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lines: dict[int, Line] = {}
        self._ended: set[int] = set()
        self._bytes: dict[str, int] = {}  # by name of the key
        self.cut_off = 0

    def takes(self, frame: zmq.Frame) -> bool:
        """Whether a message counts; where it is too much, its connection is at an end."""
        try:
            descriptor, name = int(frame.get(zmq.SRCFD)), str(frame.get("User-Id"))
        except zmq.ZMQError:  # libzmq's own, of a connection that is gone
            return False
        if descriptor in self._ended:
            return False
        line = self._lines.setdefault(descriptor, Line(name))
        self._note(line, frame.bytes)
        if not line.is_hasty() and line.bytes <= LINE_BYTES_MAX and self._bytes.get(name, 0) <= NAME_BYTES_MAX:
            return True
        self.cut_off += 1
        self.end(descriptor)
        shut(descriptor, self._port)
        return False

    def _note(self, line: Line, body: bytes) -> None:
        kind, topic = body[:1], body[1:]
        if kind == b"\1" and topic not in line.topics:
            line.topics.add(topic)
            self._weigh(line, len(topic) + TOPIC_COST)
        elif kind == b"\0" and topic in line.topics:
            line.topics.remove(topic)
            self._weigh(line, -len(topic) - TOPIC_COST)

    def _weigh(self, line: Line, more: int) -> None:
        line.bytes += more
        self._bytes[line.name] = self._bytes.get(line.name, 0) + more

    def begin(self, descriptor: int) -> None:
        """A new connection is there."""
        self.end(descriptor)
        self._ended.discard(descriptor)

    def end(self, descriptor: int) -> None:
        """A connection is gone, or is to be: what still comes of it counts no more."""
        self._ended.add(descriptor)
        line = self._lines.pop(descriptor, None)
        if line is not None:
            self._weigh(line, -line.bytes)


def shut(descriptor: int, port: int) -> None:
    """End a connection and throw away what is on its way, which may be much; nothing where it is gone already."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as line:
        if line.getsockname()[1] != port:  # the number is another's by now
            return
        line.shutdown(socket.SHUT_RDWR)
        for _ in range(LEFT_MAX):
            if not line.recv(PIECE_BYTES, socket.MSG_DONTWAIT):
                return
