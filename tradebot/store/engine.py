"""The embedded ClickHouse engine: the one place that speaks to clickhouse-connect, and that turns its errors
into ours.

A process has one engine and an engine one path; each open stream needs a handle of its own, for a handle that
streams cannot be asked anything else. After a fork the engine hangs, so a child process starts fresh.
"""

import errno
import gc
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tradebot.domain.errors import StoreError, StoreFull

Column = npt.NDArray[Any] | Sequence[Any]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_WORDS: Final = (
    "NOT_ENOUGH_SPACE",
    "No space left",
    "Cannot reserve",
    "errno: 28",
    "errno: 122",
    "errno: 27",
)
_MESSAGE_MAX: Final = 300

_open_paths: list[Path] = []  # of this process: at most one


def is_disk_full(error: OSError) -> bool:
    return error.errno in _FULL


class Engine:
    """The engine on `path`. Raises StoreError where this process has another path open, StoreFull on a full
    disk.
    """

    def __init__(self, path: Path) -> None:
        if _open_paths:
            raise StoreError(
                f"expected one open store in a process, found {_open_paths[0]} open when {path} was asked "
                "for; close the first"
            )
        self.path = path
        with self.guard():
            self._client = self._connect()
        _open_paths.append(path)

    def close(self) -> None:
        if self.path in _open_paths:
            _open_paths.remove(self.path)
            self._client.close()

    def command(self, sql: str) -> None:
        """Run a statement that gives no rows."""
        with self.guard():
            self._client.command(sql)

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        with self.guard():
            return list(self._client.query(sql, parameters=dict(parameters or {})).result_rows)

    def insert(self, table: str, columns: Mapping[str, Column], types: Mapping[str, str]) -> None:
        """Insert whole columns as one block; it is on disk when this returns."""
        with self.guard():
            self._client.insert(
                table,
                list(columns.values()),
                column_names=list(columns),
                column_type_names=[types[name] for name in columns],
                column_oriented=True,
            )
        # The client keeps what it sent in a cycle of references; left to the collector, a long import holds a
        # gigabyte of it.
        gc.collect()

    def blocks(self, sql: str) -> Iterator[list[npt.NDArray[Any]]]:
        """The columns of each block of a large result, as it comes; the engine holds a few blocks at most."""
        with self.guard():
            client = self._connect()
        try:
            with self.guard(), client.query_column_block_stream(sql) as stream:
                for block in stream:
                    yield [np.asarray(column) for column in block]
        finally:
            client.close()

    def check_room(self, needed_bytes: int) -> None:
        """Raise StoreFull where the disk has less than this left: some work of the engine waits for room in
        silence.
        """
        free_bytes = shutil.disk_usage(self.path).free
        if free_bytes < needed_bytes:
            raise self._explain(f"{free_bytes} of {needed_bytes} bytes", full=True)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Raise what the engine or the disk did as StoreFull or StoreError, in one line."""
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            yield
        except OSError as error:
            raise self._explain(str(error), is_disk_full(error)) from error
        except (ClickHouseError, RuntimeError) as error:
            text = " ".join(str(error).split())
            raise self._explain(text[:_MESSAGE_MAX], any(word in text for word in _FULL_WORDS)) from error

    def _connect(self) -> Any:
        import clickhouse_connect

        return clickhouse_connect.get_client(interface="chdb", path=str(self.path))

    def _explain(self, text: str, full: bool) -> StoreError:
        if full:
            return StoreFull(
                f"expected room on the disk of {self.path}, found it full ({text[:120]}); "
                "free some, or give another --home: what was imported before is whole"
            )
        return StoreError(f"the store {self.path} failed: {text}")
