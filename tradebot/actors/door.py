"""The door of a tcp endpoint: where it listens, and how many may come in at once.

Whoever connects costs a descriptor, also without a key until the time for a handshake is over, and a process that has none left
ends: libzmq aborts. It knows no bound itself, so it is given a socket of ours to listen on. While as many are inside as may be,
the kernel drops who knocks (SO_ATTACH_FILTER, socket(7)); who is inside stays. Another system than Linux has no such door.
"""

import ctypes
import os
import resource
import socket
import struct
import sys
from contextlib import suppress
from typing import Final

from tradebot.domain.wire import is_ipv6

INSIDE_MAX: Final = 4_096
SHARE: Final = 8  # of the descriptors that a process may have, one in so many for those inside of one door
KNOCKING_MAX: Final = 16  # who knocks beside those inside
OPEN_FILES_MAX: Final = 65_536

SO_ATTACH_FILTER: Final = 26  # linux/socket.h, asm-generic
SO_DETACH_FILTER: Final = 27
BPF_RET: Final = 0x06  # linux/bpf_common.h


def raise_open_files() -> None:
    """Let this process, and those that it starts, have as many descriptors as the system allows it, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Door:
    """Listens at `tcp://HOST:PORT`. Raises OSError where the address cannot be had. `inside_max`: None is by the limit of
    descriptors as it is now.
    """

    def __init__(self, address: str, inside_max: int | None = None) -> None:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        family = socket.AF_INET6 if is_ipv6(host) else socket.AF_INET
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        share = INSIDE_MAX if soft == resource.RLIM_INFINITY else soft // SHARE
        self.inside_max = inside_max or max(1, min(INSIDE_MAX, share))
        self.is_shut = False
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(("" if host == "*" else host.strip("[]"), int(port)))
            self._socket.listen(KNOCKING_MAX)
        except BaseException:
            self._socket.close()
            raise

    def descriptor(self) -> int:
        """One for libzmq to listen on, which closes it."""
        return os.dup(self._socket.fileno())

    def count(self, inside: int) -> bool:
        """Shut where that many are too many, open again once half of them are gone; whether it was shut now."""
        if not self.is_shut and inside >= self.inside_max:
            self.is_shut = self._shut()
            return self.is_shut
        if self.is_shut and inside <= self.inside_max // 2:
            self.is_shut = False
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, struct.pack("i", 0))
        return False

    def _shut(self) -> bool:
        """A filter that lets nothing through (struct sock_fprog with one struct sock_filter, linux/filter.h)."""
        if sys.platform != "linux":
            return False
        program = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RET, 0, 0, 0))
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
        except OSError:  # it has no memory for it, or is forbidden to
            return False
        return True

    def close(self) -> None:
        self._socket.close()
