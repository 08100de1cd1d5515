"""The embedded ClickHouse engine: the one place that speaks to it, and that turns its errors into ours.

A process has one engine and an engine one path. Work goes through handles, which are cheap (0.3 ms): a handle does one
thing at a time and nothing at all while it streams, different handles work side by side in different threads, and the
interpreter is free meanwhile. So each stream and each client of ours has a handle of its own. After a fork the engine
hangs, so a child process starts fresh.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy.typing as npt

from tradebot.domain.errors import StoreError
from tradebot.store.backend import Column, explain, local_parts
from tradebot.store.leases import Leases
from tradebot.store.native import Buffer, decode_blocks, decode_rows, encode_block
from tradebot.store.removal import delete_rows
from tradebot.store.schema import Layout

_FORMAT: Final = "Native"

# Tables are loaded before the call returns and by one thread: loaded beside it, or by several at once, an open failed now and
# then on a busy machine ("recursive_mutex lock failed", ASYNC_LOAD_WAIT_FAILED).
_OPTIONS: Final = "async_load_databases=0&tables_loader_foreground_pool_size=1"
_TRIES: Final = 3
_PAUSE_S: Final = 0.05

_open_paths: list[Path] = []  # of this process: at most one


class Handle:
    """One line to the engine; calls from several threads wait for each other."""

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._lock = Lock()
        self._scratch: Any = None
        with self.guard():
            self._connection = connect(path)
            # A read in order would take several blocks of each part before it gives the first.
            self._connection.query("SET read_in_order_use_buffering = 0")

    def close(self) -> None:
        with self._lock:
            self._connection.close()
            if self._scratch is not None:
                self._scratch.close()

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> bytes:
        """The whole result in Native format, none for a statement without rows."""
        with self._lock, self.guard():
            return bytes(self._connection.query(sql, _FORMAT, params=dict(parameters or {})).bytes() or b"")

    def insert(self, table: str, names: Sequence[str], pieces: Sequence[Buffer]) -> None:
        """Insert the block that the pieces make up."""
        columns = ", ".join(f"`{name}`" for name in names)
        with self._lock, self.guard():
            path = self._file_of(pieces)
            self._connection.query(f"INSERT INTO {table} ({columns}) FROM INFILE '{path}' FORMAT {_FORMAT}", _FORMAT)

    def stream(self, sql: str) -> Generator[bytes, None, None]:
        """The blocks of a large result as they are made; the handle can do nothing else until it is closed."""
        with self._lock, self.guard():
            result = self._connection.send_query(sql, _FORMAT)
            try:
                for chunk in result:
                    yield chunk.bytes()
            finally:
                result.close()

    def _file_of(self, pieces: Sequence[Buffer]) -> str:
        """A file for the engine to read, in memory where the system has such files. It is written over at each insert, for
        fresh memory costs more than the copy, and is never longer than the last block.
        """
        if self._scratch is None:
            self._scratch = _scratch_file()
        file = self._scratch
        file.seek(0)
        file.writelines(pieces)
        file.truncate()
        file.flush()
        return file.name if isinstance(file.name, str) else f"/proc/self/fd/{file.fileno()}"

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Raise what the engine or the disk did as StoreFull or StoreError, in one line."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            raise explain(self.place, error) from error


def connect(path: Path, pause: Callable[[float], None] = time.sleep) -> Any:
    """A connection of chdb's. What fails by itself gets a second chance and a third; what is broken fails again, with its
    RuntimeError.
    """
    import chdb

    for _ in range(_TRIES - 1):
        try:
            return chdb.connect(f"{os.path.realpath(path)}?{_OPTIONS}")
        except RuntimeError:
            pause(_PAUSE_S)
    return chdb.connect(f"{os.path.realpath(path)}?{_OPTIONS}")


class Engine:
    """The engine on `path`, a Backend. Raises StoreError where this process has another path open, StoreFull on a
    full disk.
    """

    def __init__(self, path: Path) -> None:
        if _open_paths:
            raise StoreError(
                f"expected one open store in a process, found {_open_paths[0]} open when {path} was asked "
                "for; close the first"
            )
        self.path = path
        self.place = str(path)
        self.layout = Layout()
        self.leases = Leases()
        self._handle = Handle(path)
        _open_paths.append(path)

    def close(self) -> None:
        if self.path in _open_paths:
            _open_paths.remove(self.path)
            self._handle.close()

    def command(self, sql: str) -> None:
        self._handle.query(sql)

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        return decode_rows(self._handle.query(sql, parameters))

    def insert(self, table: str, columns: Mapping[str, Column], types: Mapping[str, str]) -> None:
        self._handle.insert(table, list(columns), encode_block(columns, types))

    def blocks(self, sql: str) -> Iterator[list[npt.NDArray[Any]]]:
        handle = Handle(self.path)
        try:
            for data in handle.stream(sql):
                yield from decode_blocks(data)
        finally:
            handle.close()

    def delete(self, table: str, where: str) -> None:
        delete_rows(self, table, where)

    def parts(self, table: str) -> str:
        return local_parts(table)

    def lease(self, name: str, wait_s: float) -> AbstractContextManager[None]:
        return self.leases.lease(name, wait_s)

    def check_room(self, needed_bytes: int) -> None:
        check_room(self.path, needed_bytes)


def check_room(path: Path, needed_bytes: int) -> None:
    """See Backend.check_room."""
    free_bytes = shutil.disk_usage(path).free
    if free_bytes < needed_bytes:
        raise explain(str(path), f"No space left: {free_bytes} of {needed_bytes} bytes")


def _scratch_file() -> Any:
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").exists():
        return os.fdopen(os.memfd_create("block"), "wb", buffering=0)
    return tempfile.NamedTemporaryFile(suffix=".native")
