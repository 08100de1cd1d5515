"""Snapshots of an actor's state beside its journal: `snapshots/<sequence>.tbs`, each one frame, so each has a checksum.

One appears whole or not at all: it is written under another name, flushed and renamed. Reading takes the newest that is
whole and no newer than asked; a bad one is passed over and named in `bad`, because an older snapshot and a longer tail give
the same state.

The newest are kept for starts. Who reads the journal beside its owner may be some minutes behind, and begins at one that is as
old: of those of the last ten minutes one is kept of each span of age, twice as long as the one before, and one that is older.
"""

import contextlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame, FrameError, FrameKind, put_frame, read_frame
from tradebot.store.journal_segments import NEW_SUFFIX, sync_folder, write_all

FOLDER: Final = "snapshots"
SUFFIX: Final = ".tbs"
NEWEST: Final = 3
SPAN_S: Final = 600.0


class Snapshot(NamedTuple):
    """State after `sequence` facts."""

    sequence: int
    digest: str
    data: bytes


class Snapshots:
    """Those of the journal in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self.bad: list[str] = []
        """What was passed over, in words, for the report."""

    def sequences(self) -> list[int]:
        """Of all that are there, whole or not, in order."""
        names = [path.stem for path in self.folder.glob("*" + SUFFIX)]
        return sorted(int(name) for name in names if name.isdecimal())

    def needed(self) -> int | None:
        """The fact behind which the journal must be there, so that a start from any of the newest goes on, or from an older one
        where all of these are damaged; None where none is whole.
        """
        whole = self.newest()
        return whole and min(whole.sequence, *self.sequences()[-NEWEST:])

    def oldest(self, not_before: int = 0) -> Snapshot | None:
        """The oldest whole one of no fewer than `not_before` facts."""
        self.bad = []
        wanted = (sequence for sequence in self.sequences() if sequence >= not_before)
        return next((found for sequence in wanted if (found := self._read(sequence))), None)

    def save(self, sequence: int, digest: str, data: bytes) -> None:
        """Keep it, and of the older ones those that `kept` leaves. Raises LocalError."""
        frame = Frame(FrameKind.BODY, 0, sequence, 0, 0, digest, body=data)
        whole = bytearray(frame.size)
        put_frame(whole, 0, frame)
        path = self._path(sequence)
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._write(path, whole)
        except OSError as error:
            raise LocalError(
                f"expected to write the snapshot {path}, found: {error.strerror}; the journal goes on without it: free some space"
            ) from error
        self._let_go()

    def newest(self, not_after: int | None = None) -> Snapshot | None:
        """The newest whole one of no more than `not_after` facts."""
        self.bad = []
        for sequence in reversed(self.sequences()):
            if (not_after is None or sequence <= not_after) and (found := self._read(sequence)):
                return found
        return None

    def _let_go(self) -> None:
        """By the times of their files, of which the newest is now."""
        paths = [self._path(sequence) for sequence in reversed(self.sequences())]
        with contextlib.suppress(OSError):
            times = [path.stat().st_mtime for path in paths]
            stays = kept([times[0] - one for one in times])
            for at, path in enumerate(paths):
                if at not in stays:
                    path.unlink(missing_ok=True)

    def _write(self, path: Path, whole: bytearray) -> None:
        new = path.with_name(path.name + NEW_SUFFIX)
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                write_all(descriptor, whole, 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            new.rename(path)
            sync_folder(self.folder)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise

    def _read(self, sequence: int) -> Snapshot | None:
        path = self._path(sequence)
        try:
            frame = read_frame(path.read_bytes(), 0)
        except (FrameError, OSError) as error:
            self.bad.append(f"{path}: {error}")
            return None
        if frame is None or frame.base_sequence != sequence:
            self.bad.append(f"{path}: it holds no snapshot of fact {sequence}")
            return None
        return Snapshot(sequence, frame.digest, frame.body)

    def _path(self, sequence: int) -> Path:
        return self.folder / f"{sequence:020d}{SUFFIX}"


def kept(ages_s: Sequence[float]) -> set[int]:
    """Which stay of snapshots of these ages, the newest first: the first few, of each span of age the oldest, so that one grows
    into the next, and the youngest of those older than `SPAN_S`. A clock that was set back makes ages negative: those are new.
    """
    found = set(range(min(NEWEST, len(ages_s))))
    of_spans: dict[int, int] = {}
    for at, age_s in enumerate(ages_s):
        if age_s > SPAN_S:
            found.add(at)
            break
        of_spans[math.frexp(max(age_s, 1.0))[1]] = at
    return found | set(of_spans.values())
