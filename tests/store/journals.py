"""Frames and small journals for the tests of the journal, and a writer that is a process of its own."""

import sys
from pathlib import Path

from tradebot.domain.frames import Frame, FrameKind
from tradebot.store.journal import Journal
from tradebot.store.journal_segments import list_segments

RUN = "run-1"
SMALL = 4_096
SECOND = 1_000_000_000


def frame(number: int, slots: int = 2, body: bytes = b"") -> Frame:
    """The frame of `slots` one-slot facts that follows `number` such frames; each byte of it tells its number."""
    digest = f"{number + 1:032x}"
    facts = bytes([number % 251 + 1]) * 64 * slots
    return Frame(FrameKind.FACTS, 1, number * slots, slots, (number + 1) * SECOND, digest, facts, b"", body)


def fill(folder: Path, count: int, segment_bytes: int = SMALL, run_id: str = RUN, **more: str) -> list[Frame]:
    """A journal of `count` frames, closed again."""
    frames = [frame(number) for number in range(count)]
    with Journal.create_or_open(folder, run_id, segment_bytes=segment_bytes, **more) as journal:  # type: ignore[arg-type]
        for one in frames:
            journal.append(one)
    return frames


def read(folder: Path, after_sequence: int = 0) -> list[Frame]:
    with Journal.create_or_open(folder, RUN, segment_bytes=SMALL) as journal:
        return list(journal.frames(after_sequence))


def files(folder: Path) -> list[str]:
    return [segment.path.name for segment in list_segments(folder)]


def overwrite(path: Path, data: bytes | bytearray) -> None:
    """Without truncating it first, which some file systems answer with a write to the disk: here it is done for every bit."""
    with path.open("r+b") as file:
        file.write(data)


def write_for_ever(folder: Path, write: str) -> None:
    """Go on where the journal ends, frame after frame, and say each number when it is in: `kill -9` ends it."""
    with Journal.create_or_open(folder, RUN, segment_bytes=SMALL, write=write) as journal:  # type: ignore[arg-type]
        number = journal.last.sequence // 2
        while True:
            journal.append(frame(number))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            number += 1


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]), sys.argv[2])
