"""A step ahead: what is made in another thread while we work on what we have.

The engine leaves the interpreter free, so a stream's next block is made while this one is used. An iterator that is left
early is closed in the thread that ran it.
"""

from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Final, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

AHEAD_MAX: Final = 2  # items that wait, each of them a block
POLL_S: Final = 0.05  # between two looks whether the reader has left


class End(NamedTuple):
    """There are no more items; `error` is what ended them."""

    error: BaseException | None


def read_ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The same items, made by a thread that is at most `AHEAD_MAX` of them ahead; what it raises is raised here."""
    ahead = Ahead(items)
    try:
        while not isinstance(item := ahead.ready.get(), End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        ahead.close()


class Ahead(Generic[Item]):
    """The thread and what it has ready."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.ready: Queue[Item | End] = Queue(AHEAD_MAX)
        self._items = items
        self._left = Event()
        self._thread = Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the thread, which stops at the item it is making."""
        self._left.set()
        while self._thread.is_alive():
            try:  # make room, so that it sees at once that the reader has left
                self.ready.get_nowait()
            except Empty:
                self._thread.join(POLL_S)

    def _run(self) -> None:
        iterator, error = iter(self._items), None
        try:
            for item in iterator:
                if not self._put(item):
                    break
            getattr(iterator, "close", lambda: None)()
        except BaseException as raised:  # the reader's to handle, whatever it is
            error = raised
        self._put(End(error))

    def _put(self, item: Item | End) -> bool:
        """False where the reader has left."""
        while not self._left.is_set():
            try:
                self.ready.put(item, timeout=POLL_S)
            except Full:
                continue
            return True
        return False
