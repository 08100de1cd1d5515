"""Ports of this machine that nobody has now."""

import contextlib
import socket


def free_ports(count: int) -> int:
    """The first of so many in a row."""
    while True:
        with contextlib.suppress(OSError, OverflowError), contextlib.ExitStack() as held:
            first = _bound(held, 0)
            for port in range(first + 1, first + count):
                _bound(held, port)
            return first


def _bound(held: contextlib.ExitStack, port: int) -> int:
    one = held.enter_context(socket.socket())
    one.bind(("127.0.0.1", port))
    return int(one.getsockname()[1])
