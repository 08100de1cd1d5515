"""Ports of this machine that nobody has now, and that the kernel gives nobody who connects (ip_local_port_range of ip(7))."""

import contextlib
import random
import socket
from typing import Final

from tradebot.domain.wire import is_ipv6

FIRST: Final = 10_000
LAST: Final = 32_000


def free_ports(count: int, host: str = "127.0.0.1") -> int:
    """The first of so many in a row; `host` may be one of IPv6, in brackets."""
    while True:
        with contextlib.suppress(OSError, OverflowError), contextlib.ExitStack() as held:
            first = random.randrange(FIRST, LAST)
            for port in range(first, first + count):
                _bound(held, host, port)
            return first


def has_ipv6() -> bool:
    """Whether this machine has a loopback of IPv6."""
    with contextlib.suppress(OSError), contextlib.ExitStack() as held:
        return _bound(held, "[::1]", 0) > 0
    return False


def _bound(held: contextlib.ExitStack, host: str, port: int) -> int:
    one = held.enter_context(socket.socket(socket.AF_INET6 if is_ipv6(host) else socket.AF_INET))
    one.bind((host.strip("[]"), port))
    return int(one.getsockname()[1])
