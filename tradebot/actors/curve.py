"""Who may speak over tcp: CURVE on every endpoint, and a list of the public keys that are let in, each with a name.

`bind_secured` is the only place that binds to tcp; it knows no way without CURVE. libzmq asks the handler at a fixed inproc
address (ZAP, rfc.zeromq.org/spec/27) about each handshake before anything of the peer is read; what it answers as the user's id
is on each of its messages. Where no handler is there, nobody is let in.
"""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import zmq
from zmq.utils import z85

from tradebot.actors.door import Door
from tradebot.actors.drain import Drain, Frames
from tradebot.domain.errors import LocalError
from tradebot.domain.published import published

ZAP: Final = "inproc://zeromq.zap.01"
DOMAIN: Final = b"tradebot"
ZAP_FRAMES: Final = 7  # version, request, domain, address, identity, mechanism, key
BOX_BYTES: Final = 33  # of a message beside what it carries: its name, a nonce, flags and the box's own (rfc.zeromq.org/spec/26)
HANDSHAKE_MS: Final = 5_000  # a peer that does not get through it by then is cut off
KEEPALIVE_S: Final = 30
BINDS_MAX: Final = 20
AGAIN_S: Final = 0.1
TELL_S: Final = 60.0  # between two lines about one thing

Context = zmq.Context[zmq.Socket[bytes]]


def make_keys() -> tuple[str, str]:
    """A public key and its secret one, in Z85."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def public_key_of(secret: str) -> str:
    return zmq.curve_public(secret.encode()).decode()


def read_or_make_secret(path: Path) -> str:
    """The secret key in a file that only the user may read; made where there is none. Raises LocalError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        write_secret(path, make_keys()[1])
    check_private(path.parent)
    check_private(path)
    try:
        secret = path.read_text("ascii").strip()
        said = published(public_key_of(secret))
    except (ValueError, zmq.ZMQError) as error:
        raise LocalError(f"expected a secret key in {path}, found something else: remove it, and one is made") from error
    except OSError as error:
        raise LocalError(f"expected a secret key in {path}, found: {error.strerror}; remove it, and one is made") from error
    if said:
        raise LocalError(f"{path}: {said}: remove it, and one is made")
    return secret


def write_secret(path: Path, secret: str) -> None:
    """A new file, readable by the user alone. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(descriptor)


def check_private(path: Path) -> None:
    """Raises LocalError where others may read or enter it."""
    if path.stat().st_mode & 0o077:
        mode = "0700" if path.is_dir() else "0600"
        raise LocalError(f"expected {path} to be the user's alone, found that others may read it: chmod {mode} it")


def bind_secured(
    socket: "zmq.Socket[bytes]", address: str, secret: str, refused: Callable[[], None] = lambda: None, key: str = "node.bus"
) -> "Peers":
    """Bind behind CURVE and the list; who comes and goes from then on. `refused` is called for each that is not let in; `key` is
    where the configuration has the address. Raises LocalError where that cannot be had, and closes the socket.
    """
    socket.curve_server = True
    socket.curve_secretkey = secret.encode()
    socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, KEEPALIVE_S)
    assert socket.getsockopt(zmq.MECHANISM) == zmq.CURVE
    try:
        door = _open_door(address)
    except OSError as error:
        socket.close(linger=0)
        why = "another program has it" if error.errno == errno.EADDRINUSE else error.strerror
        raise LocalError(f"expected to bind {address}, found: {why}; choose another {key}") from error
    peers = Peers(socket, door, address, refused)
    socket.setsockopt(zmq.USE_FD, door.descriptor())
    socket.bind(address)
    return peers


def _open_door(address: str) -> Door:
    """Some tries where another has the address: it may be one of ours that is about to end. Raises OSError."""
    for _ in range(BINDS_MAX - 1):
        try:
            return Door(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            time.sleep(AGAIN_S)
    return Door(address)


class Gate:
    """Lets in whom `names` has, by public key; counts the others."""

    def __init__(self, context: Context, names: Mapping[str, str]) -> None:
        self._names, self.denied = names, 0
        self._socket = context.socket(zmq.REP)
        self._socket.bind(ZAP)
        self._drain = Drain(self._socket, self._judge)

    def _judge(self, frames: Frames) -> None:
        parts = [frame.bytes for frame in frames]
        name = self._names.get(key_of(parts))
        if name is None:
            self.denied += 1
        verdict = [b"200", b"known", name.encode(), b""] if name is not None else [b"400", b"unknown key", b"", b""]
        self._socket.send_multipart([b"1.0", parts[1] if len(parts) > 1 else b"", *verdict])

    def close(self) -> None:
        self._drain.close()


def key_of(parts: list[bytes]) -> str:
    """The public key that asks for entry, in Z85; empty where it is none."""
    is_curve = len(parts) == ZAP_FRAMES and parts[2] == DOMAIN and parts[5] == b"CURVE" and len(parts[6]) == 32
    return z85.encode(parts[6]).decode() if is_curve else ""


EVENTS: Final = {
    zmq.Event.ACCEPTED: "accepted",
    zmq.Event.DISCONNECTED: "disconnected",
    zmq.Event.HANDSHAKE_FAILED_AUTH: "failed",
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL: "failed",
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL: "failed",
}


class Peers:
    """Counts who came to a socket, who went, and whose handshake came to nothing: of the last `refused` is told each time. Shuts
    the door where too many came.
    """

    def __init__(self, socket: "zmq.Socket[bytes]", door: Door, address: str, refused: Callable[[], None]) -> None:
        self._door, self._address, self._refused = door, address, refused
        self.full = 0
        self._told_s = -TELL_S
        self._counts = dict.fromkeys(EVENTS.values(), 0)
        self.came: Callable[[int], None] = lambda descriptor: None
        self.went = self.came
        self._socket = socket
        monitor: Any = socket.get_monitor_socket(sum(EVENTS))
        self._drain = Drain(monitor, self._count)

    def _count(self, frames: Frames) -> None:
        number = int.from_bytes(frames[0].bytes[:2], "little")  # the event's number, then its descriptor or error
        if number not in EVENTS:
            return
        event = EVENTS[zmq.Event(number)]
        self._counts[event] += 1
        if event != "failed":
            descriptor = int.from_bytes(frames[0].bytes[2:6], "little", signed=True)
            (self.came if event == "accepted" else self.went)(descriptor)
        if event == "failed":
            self._refused()
        elif self._door.count(self.connected):
            self._tell_full()

    def _tell_full(self) -> None:
        """Said at the first, then once a minute at most."""
        self.full += 1
        if time.monotonic() - self._told_s >= TELL_S:
            self._told_s = time.monotonic()
            sys.stderr.write(
                f"{self._address}: {self.connected} are connected, which is all that may be; others are kept out until half of "
                f"them are gone; {self.full} times by now\n"
            )

    @property
    def connected(self) -> int:
        return self._counts["accepted"] - self._counts["disconnected"]  # the second is told of every one, whatever became of it

    @property
    def failed(self) -> int:
        return self._counts["failed"]

    @property
    def accepted(self) -> int:
        return self._counts["accepted"]

    def close(self) -> None:
        self._drain.forget()
        self._socket.disable_monitor()
        self._door.close()
