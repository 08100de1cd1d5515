"""What happens in the run, for its clients: the engine's journal read beside it, in a thread.

It begins near the journal's end, at its last but one segment, so that a start of this part does not depend on how long the run
is. What it finds on its way to the end is no news: fills of it are kept, the rest is passed over. One who goes on behind a fact
that it knows is told all of it; where the journal no longer has what comes next, all that it has, and where it ends before that
fact, because its end was lost, what comes from there on.
"""

import queue
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Final

from tradebot.domain.errors import LocalError
from tradebot.node.chronicle import Chronicle
from tradebot.node.journal_tail import POLL_S, Event, Tail
from tradebot.node.session_files import API, ENGINE
from tradebot.node.watch import FILLS
from tradebot.store.journal_range import first_head
from tradebot.store.journal_segments import list_segments, read_head

AGAIN_S: Final = 1.0
FILLS_MAX: Final = 1_000
BATCHES_MAX: Final = 64  # that wait for the loop; then reading waits, and nothing else does


class JournalNews:
    """`take` gives what has happened since; `fills` are the last ones, the newest last."""

    def __init__(self, folder: Path, name: str = API, after: int | None = None, tail: Tail | None = None) -> None:
        self.folder, self.name, self.after, self.tail = folder, name, after, tail
        self.goes_on = after is not None
        self.fills: deque[Event] = deque(maxlen=FILLS_MAX)
        self.ended = threading.Event()
        self.sequence = 0  # of the last fact that was read
        self.begins_behind = 0
        self.moved_to: int | None = None  # where it goes on, because the journal ends before the fact that it was to begin behind
        self.error: str | None = None
        self._batches: queue.Queue[list[Event]] = queue.Queue(BATCHES_MAX)
        self._left, self._is_given = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self) -> list[Event]:
        """What is there now."""
        assert self._thread.is_alive(), "the reader ends when it is told to"
        found: list[Event] = []
        while True:
            try:
                found += self._batches.get_nowait()
            except queue.Empty:
                return found

    def close(self, wait_s: float) -> None:
        self.ended.set()
        self._left.set()
        if self._thread.ident is not None:
            self._thread.join(wait_s)

    def _run(self) -> None:
        while not self.ended.is_set():
            try:
                self._follow()
            except LocalError as error:  # pruned before it was read, or damaged
                self._tell(str(error))
                self.after = 0 if self._is_pruned() else None
                self.ended.wait(AGAIN_S)

    def _tell(self, error: str) -> None:
        if error != self.error:
            self.error = error
            sys.stderr.write(f"{self.name}: {error}\n")

    def _is_pruned(self) -> bool:
        """Whether one who goes on finds only what came later: of that it hears all, which begins with what is gone. Of a journal
        that is damaged nobody knows what comes next, and it begins near the end.
        """
        if self.after is None or not self.goes_on:
            return False
        try:
            first = first_head(self.folder / ENGINE)
        except LocalError:
            return False
        return first is not None and first.base_sequence > self.after

    def _follow(self) -> None:
        """Raises LocalError where what comes next is not there any more, or damaged."""
        after = self.after or 0
        self.begins_behind = beginning_near_end(self.folder / ENGINE) if self.after is None else after
        chronicle = Chronicle(self.folder, self.begins_behind if self.after is None else after or None)
        has_caught_up = self.after is not None
        try:
            while not self.ended.is_set():
                found = chronicle.poll()
                self.sequence = chronicle.reader.sequence
                self.fills.extend(one for one in found if one["event"] in FILLS)
                if has_caught_up and (news := [one for one in found if one["sequence"] > after or self.after is None]):
                    self._put(news)
                if self.after is not None:
                    self.after = self.sequence
                if not found and 0 < chronicle.reader.reached < after:
                    self.after = self.moved_to = chronicle.reader.reached
                    where = self.folder / ENGINE
                    self._tell(f"expected fact {after} in {where}, found its end at {self.after}: it goes on there")
                    return
                if not found:
                    has_caught_up, self.error = True, None
                    if self._listens(chronicle, after):
                        return
                    self.ended.wait(POLL_S)
        finally:
            if self._is_given:
                self._is_given = False  # it is the tail's, which closes it
            else:
                chronicle.close()

    # Where others read, too: what follows the end is read once

    def _listens(self, chronicle: Chronicle, after: int) -> bool:
        """Give the reader to the tail and be told, until there is reason to read again; False where it is not taken."""
        if self.tail is None or chronicle.reader.reached < after:
            return False
        self._left.clear()
        self._is_given = self.tail.join(self, chronicle)
        if self._is_given and not self.ended.is_set():
            self._left.wait()
        self.tail.part(self)
        has_left = self._is_given or self._left.is_set()
        if has_left:
            self.after = self.sequence
        return has_left

    def hear(self, found: list[Event], sequence: int) -> bool:
        try:
            if found:
                self._batches.put_nowait(found)
        except queue.Full:
            self.leave()
            return False
        self.fills.extend(one for one in found if one["event"] in FILLS)
        self.sequence = sequence
        return True

    def leave(self) -> None:
        self._left.set()

    def _put(self, found: list[Event]) -> None:
        while not self.ended.is_set():
            try:
                self._batches.put(found, timeout=POLL_S)
            except queue.Full:
                continue
            return


def beginning_near_end(folder: Path) -> int:
    """The fact behind which the last but one segment begins. Raises LocalError."""
    try:
        segments = list_segments(folder)
        return read_head(segments[-2]).base_sequence if len(segments) > 1 else read_head(segments[0]).base_sequence
    except (IndexError, FileNotFoundError):
        return 0  # it is not begun yet
