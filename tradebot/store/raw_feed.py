"""A recorded raw stream, pushed through the feed that would have read it live, and cut into batches of records.

The clock of a recorder may step back; records' times may not. A frame is stamped with the latest time seen, and the step is
counted. What the feed refuses is rejected with its file and line, and the feed is told that something was lost.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tradebot._core.types import Flag, Kind
from tradebot.feeds.feed import Feed, count
from tradebot.feeds.rows import TIME_MAX, Row, RowWriter, to_records
from tradebot.store.batches import Records
from tradebot.store.imports import Findings

BATCH_ROWS: Final = 1 << 16

_KIND, _FLAGS = 8, 9  # places in a row
_GAP: Final = int(Kind.GAP)
_VOID: Final = int(Flag.VOID)


class Frame(NamedTuple):
    """One thing that was received: where it stands, when it came, and how the feed is to be given it."""

    time_ns: int
    file: str
    line: int
    give: Callable[[int], list[Row]]


def read_frames(
    feed: Feed, frames: Iterable[Frame], findings: Findings, after_ns: int = 0, goes_on: bool = False
) -> Iterator[Records]:
    """The records of all frames, later than `after_ns`. What the feed left out on purpose is in the findings' notes at the
    end; where the recording `goes_on`, what waits in the feed may still get its book.
    """
    rows: list[Row] = []
    now_ns = after_ns + 1 if after_ns else 0
    for frame in frames:
        findings.late += frame.time_ns < now_ns
        now_ns = max(now_ns, frame.time_ns)
        rows += _receive(feed, frame, now_ns, findings)
        if len(rows) >= BATCH_ROWS:
            yield _finish(rows, findings)
            rows = []
    if rows:
        yield _finish(rows, findings)
    if not goes_on:
        feed.close()
    for reason, number in feed.notes.items():
        count(findings.notes, reason, number)
    feed.notes.clear()


def begin_after_gap(frames: Iterable[Frame], instrument_id: int) -> Iterator[Frame]:
    """The frames of a recording that does not go on from the one before it: a gap and an empty book stand before the first."""
    writer = RowWriter(instrument_id)
    for number, frame in enumerate(frames):
        if not number:
            yield frame._replace(give=lambda time_ns: writer.lost(time_ns, 0, 0, 0))
        yield frame


def _receive(feed: Feed, frame: Frame, now_ns: int, findings: Findings) -> list[Row]:
    try:
        return frame.give(now_ns)
    except ValueError as error:
        findings.reject(frame.file, frame.line, str(error))
        return feed.lose(now_ns)


def _finish(rows: list[Row], findings: Findings) -> Records:
    findings.gaps += len([row for row in rows if row[_KIND] == _GAP])
    if void := len([row for row in rows if row[_FLAGS] & _VOID]):
        findings.repair("trade_off_the_book", void)
    return to_records(rows)


def read_time(text: bytes, digits: int = 9) -> int:
    """Nanoseconds of "1633998512.0633569", exactly; of a bare integer where `digits` is 0. Raises ValueError."""
    whole, point, fraction = text.partition(b".")
    if not whole.isdigit() or (point and not (digits and fraction.isdigit() and len(fraction) <= digits)):
        raise ValueError(f"expected a time, found {text[:40]!r}")
    ns = int(whole) * int(10**digits) + int(fraction.ljust(digits, b"0") or b"0")
    if ns > TIME_MAX:
        raise ValueError(f"expected a time in 64 bits of nanoseconds, found {text[:40]!r}")
    return ns


def name_of(file: Path, folder: Path) -> str:
    """A file as findings name it."""
    return str(file.relative_to(folder)) if file.is_relative_to(folder) and file != folder else file.name
