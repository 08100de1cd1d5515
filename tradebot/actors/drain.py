"""A ZeroMQ socket in a loop: what is there is taken to the end, some at a time, so that others get their turn.

The descriptor of such a socket tells of a change once, and sending may take that news away, so whoever sends calls `look` behind
it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import zmq

TURN_MAX: Final = 64

Frames = list[zmq.Frame]


def has_more(socket: "zmq.Socket[bytes]") -> bool:
    """Whether a message waits at a socket."""
    events = socket.getsockopt(zmq.EVENTS)
    assert isinstance(events, int)
    return bool(events & zmq.POLLIN)


class Drain:
    """Calls `take` with each message of a socket, which it owns."""

    def __init__(self, socket: "zmq.Socket[bytes]", take: Callable[[Frames], None]) -> None:
        self._socket, self._take = socket, take
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._is_due = False
        self._loop.add_reader(socket.fileno(), self.look)
        self.look_soon()

    def look_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self.look)

    def look(self) -> None:
        self._is_due = False
        if not self._is_open:
            return
        for _ in range(TURN_MAX):
            if not has_more(self._socket):
                return
            self._take(self._socket.recv_multipart(zmq.NOBLOCK, copy=False))
            if not self._is_open:
                return
        self.look_soon()

    def forget(self) -> None:
        """Look no more; the socket is closed by another."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._socket.fileno())

    def close(self, linger_ms: int = 0) -> None:
        self.forget()
        self._socket.close(linger=linger_ms)
