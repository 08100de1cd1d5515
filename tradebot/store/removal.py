"""Rows taken out of a table of the embedded engine, also where the disk is full."""

from typing import Final

from tradebot.domain.errors import StoreError, StoreFull
from tradebot.store.backend import Backend

WAIT_S: Final = 600.0
ATTEMPTS_MAX: Final = 10


def delete_rows(backend: Backend, table: str, where: str) -> None:
    """Remove the rows of `table` that `where` names, one removal at a time.

    A part that holds nothing else is dropped, which is instant and needs no room. What merges have mixed with other
    rows is rewritten without them; a rewrite on a full disk would wait for ever, so room is checked before.

    A merge that was under way ends between a look and a removal, and the rows are in another part than was seen. So what
    counts is that none is left: as long as some are, it is looked again. Raises StoreError where they do not go.
    """
    with backend.lease("the removal of rows", WAIT_S):
        for attempt in range(ATTEMPTS_MAX):
            try:
                _remove(backend, table, where)
            except StoreFull:
                raise
            except StoreError:  # a part that a merge took away meanwhile cannot be dropped
                if attempt == ATTEMPTS_MAX - 1:
                    raise
            if not backend.rows(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1"):
                return
    raise StoreError(f"expected rows of {table} to be removed, found some of them after {ATTEMPTS_MAX} attempts; run this again")


def _remove(backend: Backend, table: str, where: str) -> None:
    mixed_bytes = _drop_parts(backend, table, where)
    if mixed_bytes:
        backend.check_room(2 * mixed_bytes)
        backend.command(f"ALTER TABLE {table} DELETE WHERE {where} SETTINGS mutations_sync = 2")


def _drop_parts(backend: Backend, table: str, where: str) -> int:
    """Drop the parts whose rows all match; returns the bytes of the parts of which only some do."""
    backend.command(f"SYSTEM STOP MERGES {table}")
    try:
        parts = backend.rows(
            f"SELECT name, bytes_on_disk, rows = matching FROM {backend.parts(table)} AS parts "
            f"INNER JOIN (SELECT _part AS name, count() AS matching FROM {table} WHERE {where} GROUP BY _part) "
            "AS found USING (name)"
        )
        for name, _, whole in parts:
            if whole:
                backend.command(f"ALTER TABLE {table} DROP PART '{name}'")
    finally:
        backend.command(f"SYSTEM START MERGES {table}")
    return sum(size for _, size, whole in parts if not whole)
