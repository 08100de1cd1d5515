"""Mailboxes over ZeroMQ: every actor has one, and whoever has something for it puts it there.

A mailbox is bounded at both ends. What nobody takes is refused to the sender, which decides: commands and answers are said
again by their own protocol, of market facts the hole is told. A message is one msgspec Struct; there are no envelopes.

The sockets are ipc files in a folder that only the user may enter. Reading is driven by the loop: the descriptor of a ZeroMQ
socket tells of a change once, so what is there is always taken to the end. An actor in the loop of the sender is told by the same
call, through the ring that it has there (`mail.pyx`).
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import zmq

from tradebot.actors.mail import Mail
from tradebot.actors.wire import Wire
from tradebot.domain.codec import Message, message_from_bytes, to_bytes

DRAIN_MAX: Final = 256  # messages before others get their turn
HIGH_WATER: Final = 10_000  # messages that wait at either end
RECONNECT_MS: Final = 10  # between two looks for an actor that is down
NUMBER_BYTES: Final = 8  # of a question, before its body, and of its answer


def address(folder: Path, name: str) -> str:
    return f"ipc://{folder / name}"


class Inbox:
    """The mailbox of an actor; `take` is called with each drain, within the loop."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], folder: Path, name: str, take: Callable[[list[Message]], None]
    ) -> None:
        socket = context.socket(zmq.PULL)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
        socket.bind(address(folder, name))
        self._wire, self._descriptor = Wire(socket), socket.fileno()
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._drain)
        self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        found = self._wire.take(DRAIN_MAX)
        if len(found) == DRAIN_MAX:
            self._loop.call_soon(self._drain)
        if found:
            self._take([message_from_bytes(one) for one in found])

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._wire.close(0)


class Posts:
    """The mailboxes of others, in this loop or behind a socket: who sends does not see which."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        self._context, self._folder = context, folder
        self._wires: dict[str, Wire] = {}
        self._here: dict[str, Mail] = {}

    def hold(self, name: str, mail: Mail) -> None:
        """From now on an actor of that name is in this loop; one that was started again takes the place of the one before."""
        self._here[name] = mail

    def send(self, name: str, message: Message) -> bool:
        """Put a message into a mailbox; False where it is full, and nothing was put there."""
        mail = self._here.get(name)
        if mail is not None:
            return mail.tell(message)
        return (self._wires.get(name) or self._open(name)).put(to_bytes(message))

    def _open(self, name: str) -> Wire:
        socket = self._context.socket(zmq.PUSH)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.connect(address(self._folder, name))
        return self._wires.setdefault(name, Wire(socket))

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close(100)


class Desk:
    """Where an actor is asked questions: one answer for each, in order of arrival. Bodies are bytes."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], folder: Path, name: str, answer: Callable[[bytes], bytes]
    ) -> None:
        socket = context.socket(zmq.ROUTER)
        socket.bind(address(folder, name))
        self._wire, self._descriptor = Wire(socket), socket.fileno()
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._drain)
        self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        for _ in range(DRAIN_MAX):
            frames = self._wire.take_frames()
            if not frames:
                return
            self._answer_one(*frames)
        self._loop.call_soon(self._drain)

    def _answer_one(self, client: bytes, *frames: bytes) -> None:
        """A question of one frame begins with its number, as `Asking` sends it; one in an envelope is a REQ socket's."""
        *envelope, question = frames
        if envelope:
            self._wire.put(client, *envelope, self._answer(question))
        else:
            self._wire.put(client, question[:NUMBER_BYTES] + self._answer(question[NUMBER_BYTES:]))

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._wire.close(100)


def ask(folder: Path, name: str, body: bytes, timeout_s: float) -> bytes | None:
    """Ask at a desk from outside; None where nobody answers in time."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.REQ)
    socket.setsockopt(zmq.LINGER, 0)
    try:
        socket.connect(address(folder, name))
        socket.send(body)
        return socket.recv() if socket.poll(round(timeout_s * 1000)) else None
    finally:
        socket.close()
        context.term()
