"""Small questions about stored facts, answered by the engine without streaming them.

How many facts of each kind a range holds, which is the newest of some kinds, and where the newest whole book snapshot
before a moment begins: what a reader needs to know before it streams, so that it streams no more than it must. Each
question reads a few narrow columns; the last two read them backwards and stop at their answer. Only rows of
committed imports count, as everywhere.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple, Protocol

from tradebot._core.types import Flag, Kind

_PLACE: Final = "time_ns, `import`, `row`"  # where a row stands in the stream of its instrument
_INTERVAL: Final = f"if(kind = {int(Kind.BAR)}, owner, 0)"  # bars of two intervals are not the same facts
_BACKWARDS: Final = (
    "ORDER BY instrument DESC, time_ns DESC, `import` DESC, `row` DESC LIMIT 1 "
    "SETTINGS optimize_read_in_order = 1, max_threads = 1, max_block_size = 8192"
)


class Queries(Protocol):
    """An open store, as far as this file needs one."""

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]: ...


def count_kinds(
    store: Queries,
    instrument_id: int,
    from_ns: int | None = None,
    to_ns: int | None = None,
    only: Sequence[str] | None = None,
) -> dict[int, int]:
    """Rows by kind, by number of the kind; `to_ns` is exclusive. Kinds that are absent are not named."""
    rows = store.query(
        f"SELECT kind, count() FROM ticks WHERE {_where(instrument_id, from_ns, to_ns, only)} GROUP BY kind ORDER BY kind"
    )
    return dict(rows)


def count_beside(store: Queries, import_id: str, first_ns: int, last_ns: int) -> dict[int, int]:
    """Rows that other imports hold of the same instrument, kinds and range as an import (its id in hex), by kind: a stream of
    that range gives both.
    """
    number = int(import_id, 16)
    rows = store.query(
        "SELECT kind, countIf(`import` != {one:UInt64}) AS others FROM ticks WHERE `import` IN (SELECT id FROM imports) "
        "AND instrument IN (SELECT instrument FROM imports WHERE id = {one:UInt64}) "
        "AND time_ns >= {first:Int64} AND time_ns <= {last:Int64} "
        "GROUP BY kind HAVING others > 0 AND others < count() ORDER BY kind",
        {"one": number, "first": first_ns, "last": last_ns},
    )
    return dict(rows)


class Overlap(NamedTuple):
    """Rows of one kind that two imports of an instrument hold over the same time, from the first to the last moment that
    both have rows of."""

    instrument: int
    kind: int
    imports: tuple[str, str]
    first_ns: int
    last_ns: int


def find_overlaps(
    store: Queries, instrument_id: int, from_ns: int | None, to_ns: int | None, only: Sequence[str]
) -> list[Overlap]:
    """What a stream over a range and some imports gives twice, as far as times tell."""
    if not _may_overlap(store, only):
        return []
    where = _where(instrument_id, from_ns, to_ns, only)
    spans = store.query(
        f"SELECT kind, {_INTERVAL} AS spaced, `import`, min(time_ns), max(time_ns) FROM ticks WHERE {where} "
        "GROUP BY kind, spaced, `import` ORDER BY kind, spaced, `import`"
    )
    found = []
    for (kind, interval, one, *first), (*same, other, begin, last) in combinations(spans, 2):
        start, end = max(first[0], begin), min(first[1], last)
        alike = f"{where} AND kind = {kind} AND {_INTERVAL} = {interval}"
        if [kind, interval] == same and start <= end and _both_hold(store, alike, start, end, one, other):
            found.append(Overlap(instrument_id, kind, (f"{one:016x}", f"{other:016x}"), start, end))
    return found


def _may_overlap(store: Queries, only: Sequence[str]) -> bool:
    """Whether the ranges of two imports of one instrument meet: told by their manifests alone."""
    ids = ", ".join(str(int(one, 16)) for one in only) or "0"
    rows = store.query(
        f"SELECT instrument, first_ns, last_ns FROM imports WHERE id IN ({ids}) AND rows > 0 ORDER BY instrument, first_ns"
    )
    ends: dict[int, int] = {}
    for instrument, first_ns, last_ns in rows:
        if first_ns <= ends.get(instrument, first_ns - 1):
            return True
        ends[instrument] = last_ns
    return False


def _both_hold(store: Queries, where: str, start: int, end: int, one: int, other: int) -> bool:
    """Whether each has rows there: one may have a hole that the other fills."""
    rows = store.query(
        f"SELECT countIf(`import` = {one}) > 0 AND countIf(`import` = {other}) > 0 FROM ticks "
        f"WHERE {where} AND time_ns >= {start} AND time_ns <= {end}"
    )
    return bool(rows[0][0])


def count_all_kinds(store: Queries) -> dict[int, dict[int, int]]:
    """Rows by instrument id and kind, of all there is."""
    rows = store.query(
        "SELECT instrument, kind, count() FROM ticks WHERE `import` IN (SELECT id FROM imports) "
        "GROUP BY instrument, kind ORDER BY instrument, kind"
    )
    found: dict[int, dict[int, int]] = {}
    for instrument_id, kind, count in rows:
        found.setdefault(instrument_id, {})[kind] = count
    return found


def bar_spans(
    store: Queries,
    instrument_id: int,
    from_ns: int | None = None,
    to_ns: int | None = None,
    only: Sequence[str] | None = None,
) -> dict[int, tuple[int, int]]:
    """The stored bars by what they say of their interval, in seconds or 0: (shortest span in ns, lots traded in all)."""
    rows = store.query(
        f"SELECT owner, min(time_ns - venue_ns), sum(quantity) FROM ticks WHERE {_where(instrument_id, from_ns, to_ns, only)} "
        f"AND kind = {int(Kind.BAR)} AND {_flags(0)} GROUP BY owner ORDER BY owner"
    )
    return {owner: (int(span), int(lots)) for owner, span, lots in rows}


def newest_of(
    store: Queries, instrument_id: int, kinds: Sequence[Kind], from_ns: int | None = None, to_ns: int | None = None
) -> tuple[Kind, int] | None:
    """(kind, time_ns) of the newest fact of these kinds in a range, `to_ns` exclusive; None where there is none."""
    numbers = ", ".join(str(int(kind)) for kind in kinds)
    rows = store.query(
        f"SELECT kind, time_ns FROM ticks WHERE {_where(instrument_id, from_ns, to_ns)} AND kind IN ({numbers}) "
        f"AND {_flags(0)} {_BACKWARDS}"
    )
    return (Kind(rows[0][0]), int(rows[0][1])) if rows else None


def newest_snapshot(store: Queries, instrument_id: int, kind: Kind, to_ns: int) -> int | None:
    """When the newest book snapshot of `kind` that is whole before `to_ns` begins; None where there is none."""
    where = f"{_where(instrument_id, None, to_ns)} AND kind = {int(kind)}"
    end = store.query(
        f"SELECT {_PLACE} FROM ticks WHERE {where} AND {_flags(Flag.SNAPSHOT | Flag.LAST)} {_BACKWARDS}"
    )
    if not end:
        return None
    place = ", ".join(str(one) for one in end[0])
    begin = store.query(
        f"SELECT time_ns FROM ticks WHERE {where} AND time_ns <= {end[0][0]} AND ({_PLACE}) <= ({place}) "
        f"AND {_flags(Flag.BEGIN)} {_BACKWARDS}"
    )
    return int(begin[0][0]) if begin else None


def _where(instrument_id: int, from_ns: int | None, to_ns: int | None, only: Sequence[str] | None = None) -> str:
    terms = [
        f"instrument = {int(instrument_id)}",
        f"`import` IN (SELECT id FROM imports WHERE instrument = {int(instrument_id)})",
    ]
    if only is not None:
        terms.append(f"`import` IN ({', '.join(str(int(one, 16)) for one in only) or '0'})")
    if from_ns is not None:
        terms.append(f"time_ns >= {int(from_ns)}")
    if to_ns is not None:
        terms.append(f"time_ns < {int(to_ns)}")
    return " AND ".join(terms)


def _flags(wanted: int) -> str:
    """Rows that have all these flags and are not void."""
    return f"bitAnd(flags, {wanted | int(Flag.VOID)}) = {int(wanted)}"
