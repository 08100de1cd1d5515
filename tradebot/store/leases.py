"""Names that one holder at a time may have: one import of the same content, one removal of rows.

They live in the process that owns the store and end with it, or with the connection of the client that took them;
nothing on disk has to be cleaned up after a kill.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from tradebot.domain.errors import StoreError


class Leases:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._changed = Condition()

    @contextmanager
    def lease(self, name: str, wait_s: float) -> Iterator[None]:
        """Hold `name`, which another may have for `wait_s` more. Raises StoreError."""
        with self._changed:
            if not self._changed.wait_for(lambda: name not in self._held, wait_s):
                raise StoreError(
                    f"expected to be alone with {name}, found it under way elsewhere; "
                    "wait for that to end, then run this again"
                )
            self._held.add(name)
        try:
            yield
        finally:
            with self._changed:
                self._held.remove(name)
                self._changed.notify_all()
