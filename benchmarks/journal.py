"""What a frame of 64 records costs the journal, beside what cannot be left out: copying its bytes into a mapping, and CRC32C.

Both write into files allocated and mapped anew, in turns, so that a busy machine slows both alike. `disk` pays for the first
touch of each page, which is most of it and the file system's; `memory` is a file system in memory whose pages were touched
before.

Run: python -m benchmarks.journal [frames]
"""

import mmap
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tradebot._core.frames import FrameKind, crc32c
from tradebot.domain.frames import digest_halves
from tradebot.store.journal import Journal
from tradebot.store.journal_reader import JournalReader

FULL = 12_000
ROUNDS = 9
RECORDS = 64
GOAL = 1.5
FRAME_BYTES = 64 + 64 * RECORDS
PAGE = 4_096
MEMORY = Path("/dev/shm")
FACTS = bytes(range(256)) * (RECORDS * 64 // 256)
LOW, HIGH = digest_halves(f"{7:032x}")


def measure(frames: int) -> list[dict[str, object]]:
    """Nanoseconds a frame, the best of some rounds: the journal's, and its bare parts'. The checksum is of what was read back."""
    rows = []
    for what, place, is_warm in (("disk", None, False), ("memory", MEMORY if MEMORY.is_dir() else None, True)):
        ours, bare = [], []
        with tempfile.TemporaryDirectory(dir=place) as name:
            for _ in range(ROUNDS):
                bare.append(_bare(Path(name) / "bare", frames, is_warm))
                spent, facts, checksum = _journal(Path(name) / "journal", frames, is_warm)
                ours.append(spent)
        rows.append({"what": what, "ns": min(ours), "bare_ns": min(bare), "facts": facts, "checksum": checksum})
    return rows


def _journal(folder: Path, frames: int, is_warm: bool) -> tuple[float, int, int]:
    size = PAGE * (frames * FRAME_BYTES // PAGE + 2)
    with Journal.create_or_open(folder, "bench", segment_bytes=size) as journal:
        if is_warm:
            _warm(folder / "00000001.tbj", PAGE, size)  # the first page holds the head
        append = journal.append_parts
        started = time.perf_counter_ns()
        for number in range(frames):
            append(FrameKind.FACTS, 1, number * RECORDS, RECORDS, number, LOW, HIGH, FACTS, b"", b"")
        spent = (time.perf_counter_ns() - started) / frames
    facts, checksum = _read_back(folder)
    shutil.rmtree(folder)
    return spent, facts, checksum


def _read_back(folder: Path) -> tuple[int, int]:
    facts = checksum = 0
    with JournalReader(folder) as reader:
        while found := reader.poll():
            for frame in found:
                facts += frame.facts_count
                checksum = crc32c(frame.facts, checksum)
    return facts, checksum


def _bare(path: Path, frames: int, is_warm: bool) -> float:
    whole = FACTS + bytes(64)
    size = FRAME_BYTES * frames
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(descriptor, 0, size)
    if is_warm:
        _warm(path, 0, size)
    with mmap.mmap(descriptor, size) as target:
        started = time.perf_counter_ns()
        for at in range(0, size, FRAME_BYTES):
            target[at : at + FRAME_BYTES] = whole
            crc32c(whole)
        spent = (time.perf_counter_ns() - started) / frames
    os.close(descriptor)
    path.unlink()
    return spent


def _warm(path: Path, start: int, end: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(end - start))


def main() -> None:
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else FULL):
        ratio = float(str(row["ns"])) / float(str(row["bare_ns"]))
        print(
            f"journal: {row['what']}: {row['ns']:.0f} ns a frame of {RECORDS} records, its bare parts {row['bare_ns']:.0f} ns, "
            f"ratio {ratio:.2f} (goal {GOAL}), checksum {row['checksum']:08x}"
        )


if __name__ == "__main__":
    main()
