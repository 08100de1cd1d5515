"""A store that goes on when the process that owned it ends: it is opened again, and may now be our own.

A backtest that began beside an import should not fail at its end because the import was done before. What the old owner had
not begun is asked of the new one; what it may have done in part is an error, for nobody can tell. Leases end with their
owner, so nothing is opened again while one is held.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy.typing as npt

from tradebot.store.backend import Backend, Column
from tradebot.store.remote import NotDone

Answer = TypeVar("Answer")


class Opened(NamedTuple):
    """A backend, and what gives it up with all that belongs to it."""

    backend: Backend
    close: Callable[[], None]


class Following:
    """A Backend that is opened by `reopen` when it has gone."""

    def __init__(self, opened: Opened, reopen: Callable[[], Opened]) -> None:
        self.place = opened.backend.place
        self.layout = opened.backend.layout
        self._opened = opened
        self._reopen = reopen
        self._leases = 0

    def close(self) -> None:
        self._opened.close()

    def command(self, sql: str) -> None:
        self._try(lambda backend: backend.command(sql))

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        return self._try(lambda backend: backend.rows(sql, parameters))

    def insert(self, table: str, columns: Mapping[str, Column], types: Mapping[str, str]) -> None:
        self._try(lambda backend: backend.insert(table, columns, types))

    def delete(self, table: str, where: str) -> None:
        self._try(lambda backend: backend.delete(table, where))

    def blocks(self, sql: str) -> Iterator[list[npt.NDArray[Any]]]:
        """A stream that has begun ends with its owner."""
        first, rest = self._try(lambda backend: _begun(backend.blocks(sql)))
        yield from first
        yield from rest

    def parts(self, table: str) -> str:
        return self._opened.backend.parts(table)

    @contextmanager
    def lease(self, name: str, wait_s: float) -> Iterator[None]:
        with self._try(lambda backend: backend.lease(name, wait_s)):
            self._leases += 1
            try:
                yield
            finally:
                self._leases -= 1

    def check_room(self, needed_bytes: int) -> None:
        self._opened.backend.check_room(needed_bytes)

    def _try(self, work: Callable[[Backend], Answer]) -> Answer:
        try:
            return work(self._opened.backend)
        except NotDone:
            if self._leases:
                raise
        self._opened.close()
        self._opened = self._reopen()
        return work(self._opened.backend)


def _begun(
    blocks: Iterator[list[npt.NDArray[Any]]],
) -> tuple[list[list[npt.NDArray[Any]]], Iterator[list[npt.NDArray[Any]]]]:
    """The first block, where there is one, and the rest."""
    return [block for _, block in zip(range(1), blocks, strict=False)], blocks
