"""The end of a run's journal, read once for all in a process who have read up to it.

Each begins by itself, at its own place; who has come to the end joins, and is told from there on. Who cannot take more leaves and
reads on by itself from where it was told last, so that none waits for another. The reader is that of whoever joined last, who
knows the newest names. What is wrong with the journal sends all of them away: each finds it by itself, and says it under its own
name.
"""

import threading
import time
from typing import Any, Final, Protocol

from tradebot.domain.errors import LocalError
from tradebot.node.chronicle import Chronicle

POLL_S: Final = 0.05
TRIES_MAX: Final = 3  # of one who joins, while the journal grows under it

Event = dict[str, Any]


class Listener(Protocol):
    def hear(self, found: list[Event], sequence: int) -> bool:
        """What has happened up to that fact; False where it has no room: it reads on by itself."""

    def leave(self) -> None:
        """Read on by yourself."""


class Tail:
    """For threads of one process; what is taken from them, their readers and their calls, is within the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._chronicle: Chronicle | None = None
        self._thread: threading.Thread | None = None

    def join(self, listener: Listener, chronicle: Chronicle) -> bool:
        """Whether it is told from where its reader is now, which is the tail's then; of what was before it has been told. False
        where the journal goes too fast, or it has no room. Raises LocalError where its reader does.
        """
        with self._lock:
            if not self._listeners and self._chronicle is not None:
                self._end()
            if self._chronicle is not None and not self._meets(listener, chronicle):
                return False
            if self._chronicle is not None:
                self._chronicle.close()
            self._chronicle = chronicle
            self._listeners.append(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="journal-tail", daemon=True)
                self._thread.start()
            return True

    def part(self, listener: Listener) -> None:
        """It is told nothing more."""
        with self._lock:
            self._listeners = [one for one in self._listeners if one is not listener]

    def _meets(self, listener: Listener, chronicle: Chronicle) -> bool:
        """Whether both readers came to one place, each reading to the end. Raises LocalError."""
        assert self._chronicle is not None
        for _ in range(TRIES_MAX):
            while self._turn():
                pass
            while found := chronicle.poll():
                if not listener.hear(found, chronicle.reader.sequence):
                    return False
            if self._chronicle.reader.place == chronicle.reader.place:
                return True
        return False

    def _run(self) -> None:
        while True:
            with self._lock:
                has_more = self._turn()
                if not self._listeners:
                    self._end()
                    self._thread = None
                    return
            if not has_more:
                time.sleep(POLL_S)

    def _turn(self) -> bool:
        """Tell what there is; whether there may be more."""
        if self._chronicle is None:
            return False
        try:
            found = self._chronicle.poll()
        except LocalError:
            for one in self._listeners:
                one.leave()
            self._listeners = []
            return False
        sequence = self._chronicle.reader.sequence
        self._listeners = [one for one in self._listeners if one.hear(found, sequence)]
        return bool(found)

    def _end(self) -> None:
        if self._chronicle is not None:
            self._chronicle.close()
        self._chronicle = None
