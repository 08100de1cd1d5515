"""Where the mailboxes of a node are, and how they are reached: in this loop, on this machine, or over tcp.

On one machine a mailbox is an ipc file in a folder that only the user may enter. Over tcp each has a port of its own, counted
from the bus's first, and both ends prove by CURVE that they know the node's secret key: whoever does not is not read. Whichever
it is, an actor in the loop of the sender is told without any socket. Addresses and code of actors stay the same.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import zmq

from tradebot.actors.curve import TELL_S, Context, Gate, Peers, bind_secured, public_key_of
from tradebot.actors.mail import Mail
from tradebot.domain.wire import is_ipv6

RECONNECT_MS: Final = 10  # between two looks for an actor that is down


def address(folder: Path, name: str) -> str:
    return f"ipc://{folder / name}"


def bind_ipc(socket: "zmq.Socket[bytes]", folder: Path, name: str) -> None:
    """Bind to a file of mode 0600. libzmq makes the file and listens at once, so the mask keeps others out from its first moment;
    it lasts for the bind alone, and what another thread makes meanwhile is the user's own too. The user's `x` goes right after.
    """
    before = os.umask(0o077)
    try:
        socket.bind(address(folder, name))
    finally:
        os.umask(before)
    (folder / name).chmod(0o600)


class Bus:
    """Mailboxes in a folder. What asks from outside, at desks, is always there too. A bus owns its context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context: Context = zmq.Context()
        self.hosts: frozenset[str] = frozenset()  # who lives in this loop, or will
        self.here: dict[str, Mail] = {}
        self.replies: dict[str, Any] = {}  # by name: where answers for an actor in this loop arrive (`replying.Replies`)

    def hold(self, name: str, mail: Mail) -> None:
        """From now on an actor of that name is in this loop; one that was started again takes the place of the one before."""
        self.here[name] = mail

    def bind(self, socket: "zmq.Socket[bytes]", name: str) -> None:
        bind_ipc(socket, self.folder, name)

    def refused_of(self, name: str) -> int:
        """How often somebody without the key came to the mailbox of that name and was not let in: to a file nobody can."""
        return 0

    def leave(self, socket: "zmq.Socket[bytes]") -> None:
        """A bound socket is about to be closed."""

    def connect(self, socket: "zmq.Socket[bytes]", name: str) -> None:
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.connect(address(self.folder, name))

    def close(self) -> None:
        self.context.destroy(linger=100)


class TcpBus(Bus):
    """Mailboxes on the ports from `first_port` on, in the order of `names`, behind the node's own key; those of other names, who
    live on the machine of the root, in the folder. Within a loop.
    """

    def __init__(self, folder: Path, host: str, first_port: int, names: Sequence[str], secret: str) -> None:
        super().__init__(folder)
        self.addresses = {name: f"tcp://{host}:{first_port + at}" for at, name in enumerate(names)}
        self._secret, self._public = secret, public_key_of(secret)
        self._gate: Gate | None = None
        self._peers: dict[zmq.Socket[bytes], Peers] = {}
        self._refused: Counter[str] = Counter()
        self._told_s = -TELL_S

    def bind(self, socket: "zmq.Socket[bytes]", name: str) -> None:
        """Raises LocalError where the port is another's; the socket is closed then."""
        if name not in self.addresses:
            super().bind(socket, name)
            return
        if self._gate is None:
            self._gate = Gate(self.context, {self._public: "node"})
        self._peers[socket] = bind_secured(socket, self.addresses[name], self._secret, lambda: self._refuse(name))

    def _refuse(self, name: str) -> None:
        """Counted by name, over the starts of an actor in this loop; said at the first, then once a minute at most."""
        self._refused[name] += 1
        if time.monotonic() - self._told_s >= TELL_S:
            self._told_s = time.monotonic()
            where = f"at {self.addresses[name]}, the mailbox of the {name}"
            sys.stderr.write(f"bus: a peer without the key of the bus was refused {where}; {self._refused[name]} times by now\n")

    def refused_of(self, name: str) -> int:
        return self._refused[name]

    def leave(self, socket: "zmq.Socket[bytes]") -> None:
        peers = self._peers.pop(socket, None)
        if peers is not None:
            peers.close()

    def connect(self, socket: "zmq.Socket[bytes]", name: str) -> None:
        if name not in self.addresses:
            super().connect(socket, name)
            return
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.curve_publickey, socket.curve_secretkey = self._public.encode(), self._secret.encode()
        socket.curve_serverkey = self._public.encode()
        socket.setsockopt(zmq.IPV6, is_ipv6(self.addresses[name]))
        socket.connect(self.addresses[name])

    def close(self) -> None:
        for socket in tuple(self._peers):
            self.leave(socket)
        if self._gate is not None:
            self._gate.close()
        super().close()
