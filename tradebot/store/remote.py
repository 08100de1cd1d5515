"""A store that another process owns, used through that process.

Each request goes over one connection and waits for its answer; a stream and a lease have a connection of their own, for
as long as they last. An owner that has nothing to say for a while is asked on a new connection whether it still lives:
a long statement is waited for, a hung process is not.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy.typing as npt

from tradebot import __version__
from tradebot.domain.errors import StoreError, StoreFull, StoreGone, StoreOwned
from tradebot.store.backend import Column, local_parts
from tradebot.store.engine import check_room
from tradebot.store.native import decode_blocks, decode_rows, encode_block
from tradebot.store.schema import VERSION, Layout
from tradebot.store.wire import (
    PROTOCOL,
    BadFrame,
    Closing,
    Delete,
    End,
    Failed,
    Frame,
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

GREET_WAIT_S: Final = 5.0
QUIET_S: Final = 10.0  # then the owner is asked whether it lives


class NotDone(StoreGone):
    """The owner went before it did anything of what was asked."""


class Line:
    """One connection to the owner, greeted. Raises OSError where nobody listens, StoreOwned where the owner does not
    answer or speaks another version, StoreGone where it is about to close.
    """

    def __init__(self, path: Path, who: str) -> None:
        self._path = path
        self._who = who
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(GREET_WAIT_S)
            with address_of(path) as address:
                self._socket.connect(address)
            self._greet()
            self._socket.settimeout(QUIET_S)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def ask(self, message: Message, body: list[Any] | None = None) -> bytearray:
        """The body of the one answer."""
        self.send(message, body)
        return self.answer().body

    def send(self, message: Message, body: list[Any] | None = None) -> None:
        try:
            self._socket.settimeout(None)
            send(self._socket, message, body or ())
            self._socket.settimeout(QUIET_S)
        except OSError as error:
            raise self._gone(self._last_words(), NotDone) from error

    def answer(self) -> Frame:
        """The next frame of what was asked, however long it takes."""
        with self._guarded():
            while True:
                try:
                    frame = receive(self._socket)
                    break
                except TimeoutError:
                    self._check_alive()
        if frame is None:
            raise self._gone("ended")
        match frame.message:
            case Failed(text, full):
                raise (StoreFull if full else StoreError)(text)
            case Closing():
                raise self._gone("closed it", NotDone)
            case Rows() | End():
                return frame
        raise self._gone("sent what nobody asked for")

    def _greet(self) -> None:
        try:
            with suppress(BrokenPipeError):  # it may have spoken before it left
                send(self._socket, Hello(PROTOCOL, VERSION, __version__, os.getpid()))
            frame = receive(self._socket)
        except (TimeoutError, BadFrame) as error:
            raise StoreOwned(f"{self._who}, which does not answer; end it, or give another --home") from error
        except ConnectionError as error:
            raise self._gone("ended", NotDone) from error
        match frame:
            case None | Frame(Closing()):
                raise self._gone("closed it", NotDone)
            case Frame(Failed(text)):
                raise StoreOwned(f"{self._who}, which refuses: {text}")
            case Frame(Hello(protocol, schema, version)):
                if (protocol, schema) != (PROTOCOL, VERSION):
                    raise StoreOwned(
                        f"{self._who} of tradebot {version}, whose store is of version {protocol}.{schema}, where "
                        f"{PROTOCOL}.{VERSION} is spoken here; wait for it to end, or use the same version"
                    )
            case _:
                raise StoreOwned(f"{self._who}, which speaks otherwise; wait for it to end")

    def _last_words(self) -> str:
        with suppress(OSError, BadFrame):
            frame = receive(self._socket)
            if frame is not None and isinstance(frame.message, Closing):
                return "closed it"
        return "ended"

    def _check_alive(self) -> None:
        """Raise where the owner does not greet any more."""
        try:
            Line(self._path, self._who).close()
        except StoreGone:
            pass  # it is closing, and finishes what is under way before
        except StoreOwned as error:
            raise StoreError(str(error)) from error

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (OSError, BadFrame) as error:
            raise self._gone("broke off") from error

    def _gone(self, how: str, kind: type[StoreGone] = StoreGone) -> StoreGone:
        return kind(
            f"expected the store {self._path} from the process that owned it, but that {how}; "
            "run the same command again: it then opens the store itself"
        )


class Remote:
    """A Backend that asks the owner. See Line for what it raises."""

    def __init__(self, path: Path, who: str) -> None:
        self.path = path
        self.place = str(path)
        self.layout = Layout()
        self._who = who
        self._line = Line(path, who)
        self._one_at_a_time = Lock()

    def close(self) -> None:
        self._line.close()

    def command(self, sql: str) -> None:
        self.rows(sql)

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        given: dict[str, Any] = dict(parameters or {})
        with self._one_at_a_time:
            return decode_rows(self._line.ask(Query(sql, given)))

    def insert(self, table: str, columns: Mapping[str, Column], types: Mapping[str, str]) -> None:
        with self._one_at_a_time:
            self._line.ask(Insert(table, list(columns)), encode_block(columns, types))

    def blocks(self, sql: str) -> Iterator[list[npt.NDArray[Any]]]:
        with closing(self._another()) as line:
            line.send(Stream(sql))
            while isinstance((frame := line.answer()).message, Rows):
                yield from decode_blocks(frame.body)

    def delete(self, table: str, where: str) -> None:
        with self._one_at_a_time:
            self._line.ask(Delete(table, where))

    def parts(self, table: str) -> str:
        return local_parts(table)

    def lease(self, name: str, wait_s: float) -> AbstractContextManager[Any]:
        line = self._another()
        try:
            line.ask(Lease(name, wait_s))
        except BaseException:
            line.close()
            raise
        return closing(line)

    def check_room(self, needed_bytes: int) -> None:
        check_room(self.path, needed_bytes)

    def _another(self) -> Line:
        try:
            return Line(self.path, self._who)
        except OSError as error:
            raise NotDone(
                f"expected the store {self.path} from the process that owned it, found nobody there; "
                "run the same command again: it then opens the store itself"
            ) from error
