"""Questions to actors from within a loop: a future of the answer, whether the actor is in this loop or behind a socket.

Answers may come in any order and late: each question has a number, which comes back with its answer. A deadline always ends it,
so that one who asks an actor that is gone waits no longer than it meant to.
"""

import asyncio
from pathlib import Path

import zmq

from tradebot.actors.bus import RECONNECT_MS, address
from tradebot.actors.mail import Mail, Questions
from tradebot.actors.mailbox import DRAIN_MAX, NUMBER_BYTES
from tradebot.actors.wire import Wire
from tradebot.domain.errors import Refused


class Asking:
    """Asks at the desks of others. What an actor in this loop takes is a `Question`, for it to answer."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        self._context, self._folder = context, folder
        self._loop = asyncio.get_running_loop()
        self._questions = Questions(self._loop)
        self._wires: dict[str, Wire] = {}
        self._here: dict[str, Mail] = {}

    def hold(self, name: str, mail: Mail) -> None:
        """From now on the desk of that name is in this loop."""
        self._here[name] = mail

    def ask(self, name: str, body: bytes, timeout_s: float) -> "asyncio.Future[bytes]":
        """Awaiting it raises TimedOut where no answer comes in time, Refused where the desk has no room for the question."""
        mail = self._here.get(name)
        if mail is not None:
            return mail.ask(body, timeout_s)
        wire = self._wires.get(name) or self._open(name)
        question = self._questions.begin(body, timeout_s)
        if not wire.put(question.number.to_bytes(NUMBER_BYTES, "little") + body):
            self._questions.fail(question.number, Refused(f"expected room at the desk {name}, found none: ask again later"))
        self._drain(wire)  # sending may have taken in what the descriptor was to tell, also that its peer is another now
        return question.future

    def _open(self, name: str) -> Wire:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.connect(address(self._folder, name))
        wire = self._wires[name] = Wire(socket)
        self._loop.add_reader(socket.fileno(), self._drain, wire)
        return wire

    def _drain(self, wire: Wire) -> None:
        """Who asked hears of it later, in its own turn: a future calls nobody."""
        found = wire.take(DRAIN_MAX)
        for one in found:
            self._questions.answer(int.from_bytes(one[:NUMBER_BYTES], "little"), one[NUMBER_BYTES:])
        if len(found) == DRAIN_MAX:
            self._loop.call_soon(self._drain, wire)

    def close(self) -> None:
        for wire in self._wires.values():
            self._loop.remove_reader(wire.socket.fileno())
            wire.close(0)
