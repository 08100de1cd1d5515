"""The part of a node that keeps its run in the store: a recorder on a thread of its own, begun anew whenever it fails. Beside it
the journals of the run are tended.

Trading does not depend on it. A store that cannot be reached, is full or may not be written is said in the part's status, and
tried again after a while, for as long as the node runs.
"""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from tradebot.domain.codec import Message
from tradebot.domain.errors import TradebotError
from tradebot.node.config import config_from_dict
from tradebot.node.part import Addressed, Base
from tradebot.node.places import store_place
from tradebot.node.recorder import Recorder
from tradebot.node.session_files import STORE, read_prepared
from tradebot.node.tending import Tending
from tradebot.store.client import open_store

POLL_S: Final = 0.25
WRITE_S: Final = 2.0  # after which what was taken is written
RETRY_S: Final = 1.0
RETRY_S_MAX: Final = 30.0
END_S: Final = 4.0  # less than its supervisor waits
TENDED_S: Final = 0.5  # it may be killed at any moment


class StoreWriter:
    """Follows a run's journal until told to end. `status` may be asked from another thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prepared = read_prepared(folder)
        self.dsn = config_from_dict(self.prepared.config).store
        self.ended = Event()
        self.facts = 0
        self.needed = 0  # behind which fact of the engine's journal a recorder may still read: all, until one has begun
        self.failures = 0
        self.error: str | None = None

    def run(self) -> None:
        while True:
            try:
                self.record()
                return
            except (TradebotError, OSError) as error:
                self.failures += 1
                self.tell(str(error))
            wait_s = min(RETRY_S_MAX, RETRY_S * 2 ** min(self.failures - 1, 10))
            if self.ended.wait(wait_s):
                return

    def record(self) -> None:
        """Until the end. Raises TradebotError or OSError where the store or the journal fails."""
        home = self.folder.parents[1]
        with open_store(store_place(home, self.dsn)) as store:
            recorder = Recorder(store, self.folder, self.prepared)
            try:
                self.needed, self.facts = recorder.needed, recorder.shadow.sequence
                while not self.ended.is_set():
                    self.follow(recorder)
                recorder.end()
                self.facts = recorder.shadow.sequence
            finally:
                recorder.close()

    def follow(self, recorder: Recorder) -> None:
        """Read for as long as a write may wait, then write."""
        until_s = time.monotonic() + WRITE_S
        while time.monotonic() < until_s and not self.ended.is_set():
            if not recorder.read():
                self.ended.wait(POLL_S)
        recorder.write()
        self.needed = recorder.needed
        self.facts, self.failures, self.error = recorder.shadow.sequence, 0, None

    def tell(self, error: str) -> None:
        if error != self.error:
            sys.stderr.write(f"{STORE}: {error}\n")
        self.error = error

    def status(self) -> dict[str, Any]:
        return {"facts": self.facts, "is_written": self.error is None, "why_not": self.error}


class StorePart(Base):
    """The process around it: nobody sends it anything."""

    name = STORE

    def __init__(self, folder: Path) -> None:
        self.writer = StoreWriter(folder)
        self.thread = Thread(target=self.writer.run, name="store-writer", daemon=True)
        prepared = self.writer.prepared
        node = config_from_dict(prepared.config).node
        self.tending = Tending(folder, prepared.run_id, node, lambda: self.writer.needed)
        self.tender = Thread(target=self.tending.run, name="tending", daemon=True)

    def open(self, now_ns: int) -> Iterable[Addressed]:
        self.thread.start()
        self.tender.start()
        return ()

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]:
        return ()

    def on_clock(self, now_ns: int) -> Iterable[Addressed]:
        assert self.thread.is_alive(), "the writer ends when it is told to"
        return ()

    def close(self) -> None:
        self.writer.ended.set()
        self.tending.ended.set()
        self.thread.join(END_S)
        self.tender.join(TENDED_S)

    def status(self) -> dict[str, Any]:
        """That nobody tends the journals ends no node: it is told."""
        return self.writer.status() | self.tending.status() | {"is_tended": self.tender.is_alive()}
