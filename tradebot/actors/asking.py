"""Questions to actors from within a loop: a future of the answer, whether the actor is in this loop or behind a socket.

Answers may come in any order and late: each question has a number, which comes back with its answer. A deadline always ends it,
so that one who asks an actor that is gone waits no longer than it meant to.
"""

import asyncio
from pathlib import Path

import zmq

from tradebot.actors.mail import Mail, Questions
from tradebot.actors.mailbox import NUMBER_BYTES, RECONNECT_MS, address, has_more, put_frames, take_frames
from tradebot.domain.errors import Refused


class Asking:
    """Asks at the desks of others. What an actor in this loop takes is a `Question`, for it to answer."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        self._context, self._folder = context, folder
        self._loop = asyncio.get_running_loop()
        self._questions = Questions(self._loop)
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        self._here: dict[str, Mail] = {}

    def hold(self, name: str, mail: Mail) -> None:
        """From now on the desk of that name is in this loop."""
        self._here[name] = mail

    def ask(self, name: str, body: bytes, timeout_s: float) -> "asyncio.Future[bytes]":
        """Awaiting it raises TimedOut where no answer comes in time, Refused where the desk has no room for the question."""
        mail = self._here.get(name)
        if mail is not None:
            return mail.ask(body, timeout_s)
        socket = self._sockets.get(name) or self._open(name)
        question = self._questions.begin(body, timeout_s)
        if not put_frames(socket, question.number.to_bytes(NUMBER_BYTES, "little") + body):
            self._questions.fail(question.number, Refused(f"expected room at the desk {name}, found none: ask again later"))
        if has_more(socket):  # sending may have taken in what the descriptor was to tell, also that its peer is another now
            self._loop.call_soon(self._drain, socket)
        return question.future

    def _open(self, name: str) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.connect(address(self._folder, name))
        self._loop.add_reader(socket.fileno(), self._drain, socket)
        return self._sockets.setdefault(name, socket)

    def _drain(self, socket: "zmq.Socket[bytes]") -> None:
        while not socket.closed and has_more(socket):
            found = take_frames(socket)[0]
            self._questions.answer(int.from_bytes(found[:NUMBER_BYTES], "little"), found[NUMBER_BYTES:])

    def close(self) -> None:
        for socket in self._sockets.values():
            self._loop.remove_reader(socket.fileno())
            socket.close(linger=0)
