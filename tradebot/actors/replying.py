"""Answers to the questions of actors. A question comes through the mailbox of who is asked, behind what it was told before; its
answer comes by a line of the asker's own, for the asker is at a message while it waits, and its mailbox is held.

An answer that comes when nobody waits for it any more, or to a later actor of that name, comes to nothing.
"""

import asyncio
from pathlib import Path
from typing import Final

import msgspec
import zmq

from tradebot.actors.bus import RECONNECT_MS, Bus, address, bind_ipc
from tradebot.actors.mail import Question, Questions
from tradebot.actors.mailbox import DRAIN_MAX
from tradebot.actors.wire import Wire
from tradebot.domain.codec import from_bytes, to_bytes
from tradebot.domain.signals import Replied

LINGER_MS: Final = 100
LINES_MAX: Final = 64


def line_of(name: str) -> str:
    """Where answers for an actor arrive."""
    return f"{name}.re"


class Replies:
    """Those for the actor `name`; `stream` is larger than that of any of its name before it."""

    def __init__(self, bus: Bus, name: str, stream: int) -> None:
        socket = bus.context.socket(zmq.PULL)
        bind_ipc(socket, bus.folder, line_of(name))
        self.name, self.stream = name, stream
        self._bus, self._wire, self._descriptor = bus, Wire(socket), socket.fileno()
        self._loop = asyncio.get_running_loop()
        self._questions = Questions(self._loop)
        self._is_closed = False
        self._loop.add_reader(self._descriptor, self._drain)
        self._loop.call_soon(self._drain)
        bus.replies[name] = self

    def begin(self, timeout_s: float) -> Question:
        """A question, whose future fails with TimedOut where no answer comes in time."""
        return self._questions.begin(None, timeout_s)

    @property
    def open(self) -> int:
        """Questions that wait."""
        return len(self._questions)

    def fail(self, question: Question, error: Exception) -> None:
        self._questions.fail(question.number, error)

    def take(self, body: bytes) -> None:
        """What is no answer, or not for it, is dropped: the deadline ends the question."""
        try:
            replied = from_bytes(body, Replied)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return
        if replied.stream == self.stream:
            self._questions.answer(replied.number, replied)

    def _drain(self) -> None:
        if self._is_closed:
            return
        found = self._wire.take(DRAIN_MAX)
        for one in found:
            self.take(one)
        if len(found) == DRAIN_MAX:
            self._loop.call_soon(self._drain)

    def close(self) -> None:
        self._is_closed = True
        if self._bus.replies.get(self.name) is self:
            del self._bus.replies[self.name]
        self._loop.remove_reader(self._descriptor)
        self._wire.close(0)


class ReplyLines:
    """The ways to the lines of those who asked, in this loop or behind sockets."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._wires: dict[str, Wire] = {}

    def send(self, name: str, replied: Replied) -> None:
        """Where there is no room for it, it is lost, and the asker's deadline ends the question."""
        body = to_bytes(replied)
        here: Replies | None = self._bus.replies.get(name)
        if here is not None:
            here.take(body)
        else:
            (self._wires.get(name) or self._open(name)).put(body)

    def _open(self, name: str) -> Wire:
        while len(self._wires) >= LINES_MAX:
            self._wires.pop(next(iter(self._wires))).close(LINGER_MS)  # the oldest; who asks again gets another
        socket = self._bus.context.socket(zmq.PUSH)
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.connect(reply_address(self._bus.folder, name))
        return self._wires.setdefault(name, Wire(socket))

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close(LINGER_MS)


def reply_address(folder: Path, name: str) -> str:
    return address(folder, line_of(name))
