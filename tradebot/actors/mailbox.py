"""Mailboxes over ZeroMQ: every actor has one, and whoever has something for it puts it there.

A mailbox is bounded at both ends. What nobody takes is refused to the sender, which decides: commands and answers are said
again by their own protocol, of market facts the hole is told. A message is one msgspec Struct; there are no envelopes.

The sockets are ipc files in a folder that only the user may enter. Reading is driven by the loop: the descriptor of a ZeroMQ
socket tells of a change once, so what is there is always taken to the end. An actor in the loop of the sender is told by the same
call, through the ring that it has there (`mail.pyx`).

What pyzmq's own methods add in Python around a call is half of what a message costs here, so the calls below it are used.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

import zmq
from zmq.backend import Socket as Plain

from tradebot.actors.mail import Mail
from tradebot.domain.codec import Message, message_from_bytes, to_bytes

DRAIN_MAX: Final = 256  # messages before others get their turn
HIGH_WATER: Final = 10_000  # messages that wait at either end
RECONNECT_MS: Final = 10  # between two looks for an actor that is down
NUMBER_BYTES: Final = 8  # of a question, before its body, and of its answer


def address(folder: Path, name: str) -> str:
    return f"ipc://{folder / name}"


NOBLOCK: Final = int(zmq.NOBLOCK)
SNDMORE: Final = int(zmq.NOBLOCK | zmq.SNDMORE)
EVENTS: Final = int(zmq.EVENTS)
RCVMORE: Final = int(zmq.RCVMORE)
POLLIN: Final = int(zmq.POLLIN)
POLLOUT: Final = int(zmq.POLLOUT)

Socket = zmq.Socket[bytes]
get = cast(Callable[[Socket, int], int], Plain.get)
receive, put = Plain.recv, Plain.send


def has_more(socket: Socket) -> bool:
    """Whether a message waits at a socket."""
    return bool(get(socket, EVENTS) & POLLIN)


def take_waiting(socket: Socket, most: int) -> list[bytes]:
    """Messages of one frame that wait, at most so many. Fewer: none is left, and the descriptor will tell of the next.

    To ask whether there is more costs as much as three messages, and to be told that there is none as an exception three times
    that: so one that comes alone is asked after, and a flood is read until it ends.
    """
    if not has_more(socket):
        return []
    found = [receive(socket, NOBLOCK)]
    if most > 1 and has_more(socket):
        with contextlib.suppress(zmq.Again):
            while len(found) < most:
                found.append(receive(socket, NOBLOCK))
    return found


def take_frames(socket: Socket) -> list[bytes]:
    """One message that waits, frame by frame."""
    found = [receive(socket, NOBLOCK)]
    while get(socket, RCVMORE):
        found.append(receive(socket, NOBLOCK))
    return found


def put_frames(socket: Socket, *frames: bytes) -> bool:
    """Send a message; False where there is no room for it.

    A socket may say that it is full because it has not yet heard that its peer has read: it hears so when it is asked what it
    is ready for.
    """
    try:
        put(socket, frames[0], SNDMORE if len(frames) > 1 else NOBLOCK)
    except zmq.Again:
        if not get(socket, EVENTS) & POLLOUT:
            return False
        put(socket, frames[0], SNDMORE if len(frames) > 1 else NOBLOCK)
    for at in range(1, len(frames)):  # once its first frame is taken, a message is taken whole
        put(socket, frames[at], SNDMORE if at + 1 < len(frames) else NOBLOCK)
    return True


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
        if self._socket.closed:
            return
        found = take_waiting(self._socket, DRAIN_MAX)
        if len(found) == DRAIN_MAX:
            self._loop.call_soon(self._drain)
        if found:
            self._take([message_from_bytes(one) for one in found])

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close(linger=0)


class Posts:
    """The mailboxes of others, in this loop or behind a socket: who sends does not see which."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        self._context, self._folder = context, folder
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        self._here: dict[str, Mail] = {}

    def hold(self, name: str, mail: Mail) -> None:
        """From now on an actor of that name is in this loop; one that was started again takes the place of the one before."""
        self._here[name] = mail

    def send(self, name: str, message: Message) -> bool:
        """Put a message into a mailbox; False where it is full, and nothing was put there."""
        mail = self._here.get(name)
        if mail is not None:
            return mail.tell(message)
        return put_frames(self._sockets.get(name) or self._open(name), to_bytes(message))

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
        if self._socket.closed:
            return
        for _ in range(DRAIN_MAX):
            if not has_more(self._socket):
                return
            self._answer_one(receive(self._socket, NOBLOCK), take_frames(self._socket))
        self._loop.call_soon(self._drain)

    def _answer_one(self, client: bytes, frames: list[bytes]) -> None:
        """A question of one frame begins with its number, as `Asking` sends it; one in an envelope is a REQ socket's."""
        if len(frames) == 1:
            question = frames[0]
            put_frames(self._socket, client, question[:NUMBER_BYTES] + self._answer(question[NUMBER_BYTES:]))
        else:
            *envelope, body = frames
            put_frames(self._socket, client, *envelope, self._answer(body))

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
