"""What the store needs of whatever holds it: statements, rows, inserts, long reads, and leases.

Three fill it: the embedded engine of this process (`engine`), the process that owns the path (`remote`), and a
ClickHouse server (`server`). All that is above them is one SQL and does not know which it has.
"""

import errno
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import numpy.typing as npt

from tradebot.domain.errors import StoreError, StoreFull
from tradebot.store.native import Column
from tradebot.store.schema import Layout

__all__ = ["Backend", "Column", "explain", "is_disk_full", "local_parts"]

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


class Backend(Protocol):
    """Every method raises StoreError, or StoreFull on a full disk, in one line."""

    place: str
    """Where the store is, as people know it."""
    layout: Layout

    def command(self, sql: str) -> None:
        """Run a statement that gives no rows."""

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a small result."""

    def insert(self, table: str, columns: Mapping[str, Column], types: Mapping[str, str]) -> None:
        """Insert whole columns as one block, all of it or nothing; it is on disk when this returns."""

    def blocks(self, sql: str) -> Iterator[list[npt.NDArray[Any]]]:
        """The columns of each block of a large result of numbers, as it comes; a few blocks at most are held."""

    def delete(self, table: str, where: str) -> None:
        """Remove rows; they are gone when this returns."""

    def parts(self, table: str) -> str:
        """What stands behind FROM where the parts on disk of a table are asked for."""

    def lease(self, name: str, wait_s: float) -> AbstractContextManager[None]:
        """Be the only one with `name`, of all that use the store, while the context lasts. Raises StoreError where
        another has it for longer than `wait_s`.
        """

    def check_room(self, needed_bytes: int) -> None:
        """Raise StoreFull where the disk has less than this left: some work of the engine waits for room in
        silence.
        """

    def close(self) -> None:
        """May be called again."""


def is_disk_full(error: OSError) -> bool:
    return error.errno in _FULL


def explain(place: str, error: BaseException | str) -> StoreError:
    """What went wrong below, as ours: StoreFull or StoreError."""
    text = " ".join(str(error).split())[:_MESSAGE_MAX]
    if (isinstance(error, OSError) and is_disk_full(error)) or any(word in text for word in _FULL_WORDS):
        return StoreFull(
            f"expected room on the disk of {place}, found it full ({text[:120]}); "
            "free some, or give another --home: what was imported before is whole"
        )
    return StoreError(f"the store {place} failed: {text}")


def local_parts(table: str) -> str:
    """The parts of a table of the engine that is asked."""
    return f"(SELECT * FROM system.parts WHERE active AND database = currentDatabase() AND table = '{table}')"
