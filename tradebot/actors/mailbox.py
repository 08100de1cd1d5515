"""Mailboxes over ZeroMQ: every actor has one, and whoever has something for it puts it there.

A mailbox is bounded at both ends. What nobody takes is refused to the sender, which decides: commands and answers are said
again by their own protocol, of market facts the hole is told. A message is one msgspec Struct; there are no envelopes.

The sockets are ipc files in a folder that only the user may enter. Reading is driven by the loop: the descriptor of a ZeroMQ
socket tells of a change once, so what is there is always taken to the end.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import zmq

from tradebot.domain.codec import Message, message_from_bytes, to_bytes

DRAIN_MAX: Final = 256  # messages before others get their turn
HIGH_WATER: Final = 10_000  # messages that wait at either end
RECONNECT_MS: Final = 10  # between two looks for an actor that is down


def address(folder: Path, name: str) -> str:
    return f"ipc://{folder / name}"


def has_more(socket: "zmq.Socket[bytes]") -> bool:
    """Whether a message waits at a socket."""
    events = socket.getsockopt(zmq.EVENTS)
    assert isinstance(events, int)
    return bool(events & zmq.POLLIN)


class Inbox:
    """The mailbox of an actor; `take` is called with each drain, within the loop."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], folder: Path, name: str, take: Callable[[list[Message]], None]
    ) -> None:
        self._socket = context.socket(zmq.PULL)
        self._socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
        self._socket.bind(address(folder, name))
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._drain)
        self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        found: list[Message] = []
        while len(found) < DRAIN_MAX and has_more(self._socket):
            found.append(message_from_bytes(self._socket.recv(zmq.NOBLOCK)))
        if found:
            self._take(found)
            self._loop.call_soon(self._drain)

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close(linger=0)


class Posts:
    """The mailboxes of others."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        self._context, self._folder = context, folder
        self._sockets: dict[str, zmq.Socket[bytes]] = {}

    def send(self, name: str, message: Message) -> bool:
        """Put a message into a mailbox; False where it is full, and nothing was put there."""
        socket = self._sockets.get(name) or self._open(name)
        try:
            socket.send(to_bytes(message), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _open(self, name: str) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.PUSH)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.connect(address(self._folder, name))
        return self._sockets.setdefault(name, socket)

    def close(self) -> None:
        for socket in self._sockets.values():
            socket.close(linger=100)


class Desk:
    """Where an actor is asked questions: one answer for each, in order of arrival. Bodies are bytes."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], folder: Path, name: str, answer: Callable[[bytes], bytes]
    ) -> None:
        self._socket = context.socket(zmq.ROUTER)
        self._socket.bind(address(folder, name))
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._drain)
        self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        while has_more(self._socket):
            client, *_, body = self._socket.recv_multipart(zmq.NOBLOCK)
            self._socket.send_multipart([client, b"", self._answer(body)], zmq.NOBLOCK)

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close(linger=100)


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
