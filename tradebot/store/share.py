"""The owner's side of a shared store: other processes are served as long as the store is open.

One thread takes connections, each connection has a thread and a handle of the engine, so nobody waits for another: a
client that reads slowly holds up its own thread, with one block in hand, and neither the others nor the owner. The
interpreter is free while the engine works and while bytes are sent.

Only processes of the same user get in: the socket is 0600 in a folder that is 0700, and the kernel is asked who is at
the other end. What such a process sends is still checked, so a stray client costs its connection and nothing else.

When the owner closes, newcomers are turned away and processes that have something under way, a request or a lease, are
served until it ends or a bound is reached. Then each is told. A process that has been idle for a moment is told at once.
"""

import os
import socket
import struct
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from threading import Condition, Thread
from typing import Final

from tradebot import __version__
from tradebot.domain.errors import StoreError, StoreFull
from tradebot.store.engine import Engine, Handle
from tradebot.store.schema import VERSION
from tradebot.store.wire import (
    BODY_MAX,
    PROTOCOL,
    SOCKET_NAME,
    BadFrame,
    Closing,
    Delete,
    End,
    Failed,
    Hello,
    Insert,
    Lease,
    Message,
    Query,
    Rows,
    Stream,
    address_of,
    receive,
    send,
)

CLIENTS_MAX: Final = 64
HELLO_WAIT_S: Final = 5.0
CLOSE_WAIT_S: Final = 30.0
CUT_WAIT_S: Final = 5.0
IDLE_S: Final = 1.0  # without a request; a process between two of them is not idle
LEASE_WAIT_S_MAX: Final = 3600.0

_PEER: Final = struct.Struct("3i")  # process, user, group


class Share:
    """The service of an open engine. Raises OSError where there can be no socket."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_closing = False
        self._clients: set[Client] = set()
        self._changed = Condition()
        self._listener = _listen(engine.path)
        self._thread = Thread(target=self._accept, name="store-share", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let what is under way end, for a bounded time, and tell those who are left. May be called again."""
        with self._changed:
            self.is_closing = True
        self._wait_for_clients()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        (self.engine.path / SOCKET_NAME).unlink(missing_ok=True)
        self._thread.join()
        left = self._snapshot()
        for client in left:
            client.cut()
        for client in left:
            client.thread.join(CUT_WAIT_S)

    def leave(self, client: "Client") -> None:
        """The client's connection is over."""
        with self._changed:
            self._clients.discard(client)
            self._changed.notify_all()

    def _wait_for_clients(self) -> None:
        end = time.monotonic() + CLOSE_WAIT_S
        while (clients := self._snapshot()) and (left_s := end - time.monotonic()) > 0:
            working = {client.process for client in clients if client.is_working()}
            for client in clients:
                if client.process not in working:
                    client.dismiss()
            with self._changed:
                self._changed.wait(min(left_s, IDLE_S / 4))

    def _snapshot(self) -> list["Client"]:
        with self._changed:
            return list(self._clients)

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:  # closed
                return
            process, user = _peer(line)
            refusal = self._refusal(process, user)
            if refusal is None:
                self._admit(Client(self, line, process))
            else:
                Thread(target=_refuse, args=(line, refusal), name="store-refusal", daemon=True).start()

    def _admit(self, client: "Client") -> None:
        with self._changed:
            self._clients.add(client)
        client.thread.start()

    def _refusal(self, process: int, user: int) -> Message | None:
        if user != os.getuid():
            return Failed("expected a process of the user that owns the store")
        clients = self._snapshot()
        if self.is_closing and process not in {client.process for client in clients}:
            return Closing()
        if len(clients) >= CLIENTS_MAX:
            return Failed(f"expected at most {CLIENTS_MAX} connections at once, found them all in use; wait for some to end")
        return None


class Client:
    """One connection: a greeting, then one request after the other."""

    def __init__(self, share: Share, line: socket.socket, process: int) -> None:
        self.process = process
        self.thread = Thread(target=self._serve, name="store-client", daemon=True)
        self._share = share
        self._line = line
        self._is_busy = True
        self._idle_since = 0.0
        self._leases = ExitStack()

    def is_working(self) -> bool:
        """Whether something is under way, or was a moment ago."""
        return self._is_busy or time.monotonic() - self._idle_since < IDLE_S

    def dismiss(self) -> None:
        """Read no more requests; the thread then says that the store closes."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RD)

    def cut(self) -> None:
        """End what is under way."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        try:
            with self._line, self._leases, suppress(OSError, BadFrame):
                if self._greet():
                    self._serve_requests()
                if self._share.is_closing:
                    send(self._line, Closing())
        finally:
            self._share.leave(self)

    def _greet(self) -> bool:
        """Whether the client may go on."""
        self._line.settimeout(HELLO_WAIT_S)
        frame = receive(self._line)
        if frame is None or not isinstance(frame.message, Hello):
            return False
        send(self._line, Hello(PROTOCOL, VERSION, __version__, os.getpid()))
        self._line.settimeout(None)
        return (frame.message.protocol, frame.message.schema) == (PROTOCOL, VERSION)

    def _serve_requests(self) -> None:
        with closing(Handle(self._share.engine.path)) as handle:
            while True:
                self._idle_since, self._is_busy = time.monotonic(), False
                frame = receive(self._line)
                if frame is None:
                    return
                self._is_busy = True
                try:
                    self._answer(handle, frame.message, frame.body)
                except StoreError as error:
                    send(self._line, Failed(str(error), isinstance(error, StoreFull)))
                if isinstance(frame.message, Lease):
                    receive(self._line)  # nothing more is asked: the connection is the lease
                    return

    def _answer(self, handle: Handle, message: Message, body: bytearray) -> None:
        match message:
            case Query(sql, parameters):
                send(self._line, Rows(), [_checked(handle.query(sql, parameters))])
            case Insert(table, names):
                handle.insert(table, names, [body])
                send(self._line, Rows())
            case Delete(table, where):
                self._share.engine.delete(table, where)
                send(self._line, Rows())
            case Stream(sql):
                with closing(handle.stream(sql)) as blocks:
                    for block in blocks:
                        send(self._line, Rows(), [_checked(block)])
                send(self._line, End())
            case Lease(name, wait_s):
                self._leases.enter_context(self._share.engine.lease(name, min(wait_s, LEASE_WAIT_S_MAX)))
                send(self._line, Rows())
            case _:
                raise BadFrame("expected a request")


def _refuse(line: socket.socket, refusal: Message) -> None:
    """Hear the greeting first: a connection that is closed over unread bytes loses what it was told."""
    with line, suppress(OSError, BadFrame):
        line.settimeout(HELLO_WAIT_S)
        receive(line)
        send(line, refusal)


def _checked(result: bytes) -> bytes:
    if len(result) > BODY_MAX:
        raise StoreError(f"expected a result of at most {BODY_MAX} bytes, found {len(result)}; ask for less at once")
    return result


def _listen(folder: Path) -> socket.socket:
    """A socket in `folder`, which is ours: whatever lies there is left over."""
    (folder / SOCKET_NAME).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with address_of(folder) as address:
            listener.bind(address)
        (folder / SOCKET_NAME).chmod(0o600)
        listener.listen(CLIENTS_MAX)
    except BaseException:
        listener.close()
        raise
    return listener


def _peer(line: socket.socket) -> tuple[int, int]:
    """Process and user at the other end; ourselves where the system cannot say, for then the folder's mode decides."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, os.getuid()
    process, user, _ = _PEER.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return process, user
