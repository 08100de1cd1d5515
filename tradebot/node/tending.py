"""The housekeeping of a run's journals: sealed segments are compressed, and those that are old go where nobody needs them.

It runs beside the recorder, on a thread of its own, at the lowest priority and with a rest after each piece of work: no writer is
called or waits, and it goes on while the store is down. A kill at any moment leaves a whole journal (`store.journal_retention`).

What is needed is what a start needs: of each part the oldest of its snapshots, and of the engine what the recorder has not
written. A start that finds no snapshot needs all; so does a recorder of which nothing is known yet.

Every frame is looked at when its segment is compressed. A segment that is damaged stays as it is and is told, once: nobody
else reads what is older than the newest snapshot, and a copy is easiest to find early. Those that are compressed are looked at
again after a start and then once a day, one at a time: a disk forgets what nobody reads.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tradebot.domain.errors import LocalError
from tradebot.domain.units import time_text
from tradebot.node.node_schema import Node
from tradebot.node.session_files import ENGINE, GATEWAY, STORE, VENUE
from tradebot.store.journal_lock import only_packer
from tradebot.store.journal_range import first_head
from tradebot.store.journal_retention import clear_packing, pack_segment, plain_segments, prune_segments, read_whole
from tradebot.store.journal_segments import Chain, Segment, list_segments, read_segment, walk_whole
from tradebot.store.journal_snapshots import Snapshots

JOURNALS: Final = (ENGINE, GATEWAY, VENUE)
LOOK_S: Final = 5.0
RETRY_S: Final = 60.0  # after what could not be done
NICE: Final = 19
ROUND_S: Final = 86_400.0  # between two rounds over what is compressed
WORK_S: Final = 0.002  # of processor time between two rests
REST: Final = 4  # times as long as the work before it

Stamp = tuple[int, int, int]  # of a file: another is there once it was brought back


class Tending:
    """Of the run in `folder`. `needed` says behind which fact the recorder may still read; `status` may be asked from another
    thread.
    """

    def __init__(self, folder: Path, run_id: str, node: Node, needed: Callable[[], int]) -> None:
        self.folder, self.run_id, self.needed = folder, run_id, needed
        self.keep_ns, self.compresses = node.keep_ns, node.compress
        self.ended = threading.Event()
        self.damaged: dict[Path, tuple[Stamp, str]] = {}
        self.troubles: dict[str, str] = {}
        self.figures: dict[str, dict[str, Any]] = {}
        self.looked: dict[Path, float] = {}  # when, by the monotonic clock, a compressed segment was looked at
        self.rested_s = 0.0  # by the clock of its thread

    def run(self) -> None:
        """Until `ended` is set."""
        lower_priority()
        while not self.ended.is_set():
            self.tend(time.time_ns())
            self.ended.wait(RETRY_S if self.troubles else LOOK_S)

    def tend(self, now_ns: int) -> None:
        """All there is to do now."""
        self.rested_s = time.thread_time()
        for name in JOURNALS:
            try:
                self.tend_one(name, now_ns)
                self.troubles.pop(name, None)
            except (LocalError, OSError) as error:
                if self.troubles.get(name) != str(error):
                    say(str(error))
                self.troubles[name] = str(error)
            with contextlib.suppress(LocalError, OSError):  # what is wrong with it was said above
                self.figures |= {name: figures_of(self.folder / name)}

    def tend_one(self, name: str, now_ns: int) -> None:
        """Raises LocalError, OSError."""
        folder = self.folder / name
        if self.keep_ns is not None:
            prune_segments(folder, now_ns - self.keep_ns, self.needed_of(name))
        if not self.compresses:
            return
        with only_packer(folder) as is_ours:
            if not is_ours:
                return
            clear_packing(folder)
            for segment, following in plain_segments(folder):
                if self.ended.is_set():
                    return
                self.pack(segment, following)
            self.look_again(folder)
            self.damaged = {path: found for path, found in self.damaged.items() if path.exists()}

    def needed_of(self, name: str) -> int | None:
        """Behind which fact the journal of a part must be there; None where all of it must."""
        of_starts = Snapshots(self.folder / name).needed()
        return of_starts if of_starts is None or name != ENGINE else min(of_starts, self.needed())

    def pack(self, segment: Segment, following: Segment) -> None:
        """Raises LocalError where the disk is full, OSError where the file is gone."""
        stamp = stamp_of(segment.path)
        if self.damaged.get(segment.path, (None, ""))[0] == stamp:
            return
        try:
            data = read_whole(segment, following, self.run_id, self.rest)
        except LocalError as error:
            self.damaged = {**self.damaged, segment.path: (stamp, str(error))}
            say(str(error))
            return
        self.damaged = {path: found for path, found in self.damaged.items() if path != segment.path}
        pack_segment(segment, data, self.rest)

    def look_again(self, folder: Path) -> None:
        """At the first compressed segment whose turn it is. Raises OSError where it is gone."""
        now = time.monotonic()
        for segment in list_segments(folder):
            if segment.is_packed and self.is_due(segment.path, now):
                self.looked[segment.path] = now
                self.prove(segment)
                break
        self.looked = {path: at for path, at in self.looked.items() if path.exists()}

    def is_due(self, path: Path, now: float) -> bool:
        """Also where one that was damaged was brought back."""
        looked, damaged = self.looked.get(path), self.damaged.get(path)
        return looked is None or now >= looked + ROUND_S or (damaged is not None and damaged[0] != stamp_of(path))

    def prove(self, segment: Segment) -> None:
        """Tells what is damaged, once for each file."""
        stamp = stamp_of(segment.path)
        others = {path: found for path, found in self.damaged.items() if path != segment.path}
        try:
            for _ in walk_whole(segment, read_segment(segment), Chain(self.run_id)):
                self.rest()
        except LocalError as error:
            if self.damaged.get(segment.path, (None, ""))[0] != stamp:
                say(str(error))
            self.damaged = {**others, segment.path: (stamp, str(error))}
            return
        self.damaged = others

    def rest(self) -> None:
        """Where it has worked for a while; not at the end, which waits for it."""
        worked_s = time.thread_time() - self.rested_s
        if worked_s > WORK_S:
            self.ended.wait(worked_s * REST)
            self.rested_s = time.thread_time()

    def status(self) -> dict[str, Any]:
        """By journal its figures; what is damaged, with the remedy; what could not be done and is tried again."""
        return {
            "journals": self.figures,
            "damaged": [why for _, why in self.damaged.values()],
            "undone": list(self.troubles.values()),
        }


def figures_of(folder: Path) -> dict[str, Any]:
    """Bytes on the disk, and from when on the journal is there. Raises LocalError, OSError."""
    segments = list_segments(folder)
    head = first_head(folder)
    return {
        "plain_bytes": sum(one.path.stat().st_size for one in segments if not one.is_packed),
        "packed_bytes": sum(one.path.stat().st_size for one in segments if one.is_packed),
        "segments": len(segments),
        "pruned": segments[0].number - 1 if segments else 0,
        "from_fact": head.base_sequence if head else 0,
        "from_time": time_text(head.time_ns) if head and head.base_sequence else None,
    }


def stamp_of(path: Path) -> Stamp:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def lower_priority() -> None:
    """Of this thread alone, which Linux can: trading goes first."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def say(text: str) -> None:
    """Into the node's log, which may be on the disk that is full."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{STORE}: {text}\n")
        sys.stderr.flush()
