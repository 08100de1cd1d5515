"""Ticks of a home's store, scored: which instruments and days, the totals, and the picture beside them.

`research` judges one stream; this file hands it the streams of the store, one instrument version after the other, and
writes its page into the home's `results`. The days' figures are kept, the ticks are not.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tradebot.domain.errors import EmptyRange
from tradebot.domain.instrument import Instrument
from tradebot.node.inspection import check_range, held_versions, overlaps, range_ns
from tradebot.node.places import store_place
from tradebot.node.progress import Progress
from tradebot.research.arrivals import DAY_NS
from tradebot.research.audit import DayAudit, audit_days
from tradebot.research.audit_page import write_audit

if TYPE_CHECKING:
    from tradebot.engine.ports import Records
    from tradebot.store.client import Store


def audit_store(
    home: Path, name: str | None, start: str | None, end: str | None, progress: Progress, dsn: str | None = None
) -> dict[str, object]:
    """Score every day of an instrument, or of all; the keys are those of CLI.md, totals of the same names, and the picture.

    Raises UsageError, UnknownInstrument, EmptyRange, StoreFull.
    """
    from tradebot.store.client import open_store

    from_ns, to_ns = range_ns(start, end)
    with open_store(store_place(home, dsn)) as store:
        held = held_versions(store, name)
        check_range(held, from_ns, to_ns)
        days = []
        for instrument, data in held:
            if overlaps(data, from_ns, to_ns):
                days += _audit_one(store, instrument, from_ns, to_ns, progress)
    if not days:
        raise EmptyRange("expected ticks in the selection, found none: it lies in a hole of the recording; choose another")
    return _answer(days, write_audit(home / "results", days))


def _audit_one(
    store: "Store", instrument: Instrument, from_ns: int | None, to_ns: int | None, progress: Progress
) -> list[DayAudit]:
    from tradebot.store.facts import count_kinds

    progress.start(f"auditing {instrument.name}", sum(count_kinds(store, instrument.id, from_ns, to_ns).values()))
    try:
        return list(audit_days(instrument, _told(store.stream([instrument.id], from_ns, to_ns), progress)))
    finally:
        progress.done()


def _told(stream: "Iterator[Records]", progress: Progress) -> "Iterator[Records]":
    for batch in stream:
        yield batch
        progress.advance(len(batch))


def _answer(days: Sequence[DayAudit], picture: Path) -> dict[str, object]:
    return {
        "audit": [_fields(day) for day in days],
        "days": len(days),
        "rows": sum(day.rows for day in days),
        "score": round(sum(day.score for day in days) / len(days), 1),
        "gaps": sum(day.gaps for day in days),
        **{name: sum(getattr(day, name) for day in days) for name in ("bar_gaps", "gap_facts", "sequence_breaks")},
        "duplicates": sum(day.duplicates for day in days),
        "outliers": sum(day.outliers for day in days),
        "coverage": round(sum(day.coverage for day in days) / len(days), 6),
        "days_without_facts": _holes(days),
        "picture": str(picture),
    }


def _fields(day: DayAudit) -> dict[str, Any]:
    """The figures of a day, without the bits that only the picture needs."""
    fields: dict[str, Any] = msgspec.to_builtins(day)
    del fields["covered"]
    return fields


def _holes(days: Sequence[DayAudit]) -> int:
    """Days between the first and the last of an instrument version that have no facts."""
    spans: dict[tuple[str, int], list[int]] = {}
    for day in days:
        spans.setdefault((day.instrument, day.version), []).append(day.first_ns // DAY_NS)
    return sum(found[-1] - found[0] + 1 - len(found) for found in spans.values())
