"""Market facts read back from the store in order, counted, and named by a checksum.

Only imports whose manifest row is there are seen (`intake` writes them).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot._core.columns import gather_records
from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.domain.errors import EmptyRange
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import time_text
from tradebot.store.ahead import read_ahead
from tradebot.store.backend import Backend
from tradebot.store.batches import Records, merge_in_time, rebatch

BLOCK_ROWS: Final = 1 << 16
SLICE_ROWS: Final = 1 << 22

_SLOTS: Final = RECORD_DTYPE.names or ()
# Without the import: the same ticks have the same checksum, whichever version of an importer brought them.
_HASHED: Final = ", ".join(f"`{name}`" for name in ("row", *_SLOTS))
_READ: Final = ", ".join(f"`{name}`" for name in _SLOTS)

Block = list[npt.NDArray[Any]]


class Selection(Struct, frozen=True):
    """What a stream over the same range gives. `checksum` is 128 bits in hex: sums of SipHash and CityHash of
    each row with its place in its import, so it does not depend on how the rows are stored. `imports` are ids
    in hex.
    """

    rows: int
    first_ns: int
    last_ns: int
    checksum: str
    imports: list[str]


class Dataset(Struct, frozen=True):
    """What the store holds of one instrument. `bytes` is its share, by rows, of the compressed table."""

    instrument: str
    instrument_id: int
    rows: int
    first_ns: int
    last_ns: int
    imports: list[str]
    bytes: int


def stream(
    backend: Backend,
    instrument_ids: Sequence[int],
    from_ns: int | None,
    to_ns: int | None,
    batch_rows: int,
    kinds: Sequence[int] | None = None,
    only: Sequence[str] | None = None,
) -> Iterator[Records]:
    """Records in batches, ordered by (time_ns, position of the instrument, import, row). See Store.stream."""
    assert len(set(instrument_ids)) == len(instrument_ids)
    blocks = [_stream_one(backend, one, from_ns, to_ns, kinds, only) for one in instrument_ids]
    if len(blocks) == 1:
        return _gathered(blocks[0], batch_rows)
    return rebatch(merge_in_time([map(gather_records, one) for one in blocks]), batch_rows)


def _stream_one(
    backend: Backend,
    instrument_id: int,
    from_ns: int | None,
    to_ns: int | None,
    kinds: Sequence[int] | None,
    only: Sequence[str] | None,
) -> Iterator[Block]:
    yield from read_ahead(_slices(backend, instrument_id, from_ns, to_ns, kinds, only))


def _slices(
    backend: Backend,
    instrument_id: int,
    from_ns: int | None,
    to_ns: int | None,
    kinds: Sequence[int] | None,
    only: Sequence[str] | None,
) -> Iterator[Block]:
    """One statement after the other over about `SLICE_ROWS` rows each: a statement holds a block of every part that it
    touches, and a long import lies in as many parts as it had blocks until they are merged. What is committed does not
    change, so the slices are those of one moment.
    """
    rows = backend.rows(
        f"SELECT id, rows, first_ns, last_ns FROM imports WHERE instrument = {instrument_id}{_only(only)} ORDER BY id"
    )
    held = [row for row in rows if row[1]]
    if not held:
        return
    imports = [row[0] for row in held]
    first_ns, last_ns = min(row[2] for row in held), max(row[3] for row in held)
    count = -(-sum(row[1] for row in held) // SLICE_ROWS)
    cuts = [first_ns + (last_ns - first_ns) * number // count for number in range(1, count)]
    inner = [cut for cut in cuts if (from_ns is None or cut > from_ns) and (to_ns is None or cut < to_ns)]
    for start, end in pairwise([from_ns, *dict.fromkeys(inner), to_ns]):
        where = _where([instrument_id], imports, start, end)
        if kinds is not None:
            where += f" AND kind IN ({', '.join(str(int(kind)) for kind in kinds)})"
        yield from backend.blocks(read_statement(where))


def _gathered(blocks: Iterator[Block], batch_rows: int) -> Iterator[Records]:
    """As `rebatch` of the records of each block, each row copied once."""
    assert batch_rows > 0
    batch, filled = np.empty(batch_rows, RECORD_DTYPE), 0
    for block in blocks:
        taken, rows = 0, len(block[0])
        while taken < rows:
            count = min(batch_rows - filled, rows - taken)
            gather_records([column[taken : taken + count] for column in block], batch[filled : filled + count])
            taken, filled = taken + count, filled + count
            if filled == batch_rows:
                yield batch
                batch, filled = np.empty(batch_rows, RECORD_DTYPE), 0
    if filled:
        yield batch[:filled]


def read(backend: Backend, where: str) -> Iterator[Records]:
    """The records of one instrument that `where` names, in order, block by block as they come."""
    return (gather_records(block) for block in backend.blocks(read_statement(where)))


def read_statement(where: str) -> str:
    """The order is that of the table's key, so one thread reads straight through and nothing is sorted."""
    return (
        f"SELECT {_READ} FROM ticks WHERE {where} ORDER BY instrument, time_ns, `import`, `row` "
        f"SETTINGS optimize_read_in_order = 1, max_threads = 1, max_block_size = {BLOCK_ROWS}"
    )


def select(
    backend: Backend,
    instruments: Sequence[Instrument],
    from_ns: int | None,
    to_ns: int | None,
    only: Sequence[str] | None = None,
) -> Selection:
    """Count and hash a range. Raises EmptyRange, naming the range that exists, where it holds nothing."""
    ids = [one.id for one in instruments]
    imports = _committed(backend, ids, only)
    found = _hash_imports(backend, _where(ids, imports, from_ns, to_ns)) if imports else []
    if not found:
        raise EmptyRange(_explain_empty(backend, instruments, from_ns, to_ns))
    return Selection(
        rows=sum(one[1] for one in found),
        first_ns=min(one[2] for one in found),
        last_ns=max(one[3] for one in found),
        checksum="".join(f"{sum(one[place] for one in found) % (1 << 64):016x}" for place in (4, 5)),
        imports=[f"{one[0]:016x}" for one in found],
    )


def has_kind(
    backend: Backend,
    instrument_id: int,
    kind: Kind,
    from_ns: int | None,
    to_ns: int | None,
    only: Sequence[str] | None = None,
) -> bool:
    """Whether the range holds a fact of a kind."""
    imports = _committed(backend, [instrument_id], only)
    if not imports:
        return False
    where = _where([instrument_id], imports, from_ns, to_ns)
    return bool(backend.rows(f"SELECT 1 FROM ticks WHERE {where} AND kind = {int(kind)} LIMIT 1"))


def _hash_imports(backend: Backend, where: str) -> list[tuple[int, ...]]:
    return backend.rows(
        f"SELECT `import`, count(), min(time_ns), max(time_ns), "
        f"sum(cityHash64({_HASHED})), sum(xxHash64({_HASHED})) FROM ticks WHERE {where} GROUP BY `import` ORDER BY `import`"
    )


def _committed(backend: Backend, instrument_ids: Sequence[int], only: Sequence[str] | None = None) -> list[int]:
    ids = ", ".join(str(one) for one in instrument_ids)
    return [one[0] for one in backend.rows(f"SELECT id FROM imports WHERE instrument IN ({ids}){_only(only)} ORDER BY id")]


def _only(imports: Sequence[str] | None) -> str:
    """What keeps a question to these imports (ids in hex), where they are named."""
    return "" if imports is None else f" AND id IN ({', '.join(str(int(one, 16)) for one in imports) or '0'})"


def _where(ids: Sequence[int], imports: Sequence[int], from_ns: int | None, to_ns: int | None) -> str:
    terms = [
        f"`instrument` = {ids[0]}" if len(ids) == 1 else f"`instrument` IN ({', '.join(map(str, ids))})",
        f"`import` IN ({', '.join(map(str, imports))})",
    ]
    if from_ns is not None:
        terms.append(f"time_ns >= {int(from_ns)}")
    if to_ns is not None:
        terms.append(f"time_ns < {int(to_ns)}")
    return " AND ".join(terms)


def _explain_empty(
    backend: Backend, instruments: Sequence[Instrument], from_ns: int | None, to_ns: int | None
) -> str:
    names = ", ".join(one.name for one in instruments)
    held = [one for one in catalogue(backend, instruments) if one.rows]
    if not held:
        return f"expected ticks of {names}, found none in the store; bring some with `tradebot data import`"
    first, last = min(one.first_ns for one in held), max(one.last_ns for one in held)
    start = "the beginning" if from_ns is None else time_text(from_ns)
    end = "the end" if to_ns is None else time_text(to_ns)
    return (
        f"expected ticks of {names} from {start} to {end}, found none; "
        f"the store holds {time_text(first)} to {time_text(last)}"
    )


def catalogue(backend: Backend, instruments: Sequence[Instrument]) -> list[Dataset]:
    """What there is of each instrument that has a committed import, in the order given."""
    found = {
        one[0]: one[1:]
        for one in backend.rows(
            "SELECT instrument, sum(rows), minIf(first_ns, rows > 0), maxIf(last_ns, rows > 0), "
            "groupArray(id) FROM (SELECT * FROM imports ORDER BY committed, id) GROUP BY instrument"
        )
    }
    row_bytes = _row_bytes(backend)
    return [
        Dataset(
            one.name,
            one.id,
            rows,
            first_ns,
            last_ns,
            [f"{number:016x}" for number in ids],
            round(rows * row_bytes),
        )
        for one in instruments
        if one.id in found
        for rows, first_ns, last_ns, ids in [found[one.id]]
    ]


def _row_bytes(backend: Backend) -> float:
    rows, size = backend.rows(f"SELECT sum(rows), sum(bytes_on_disk) FROM {backend.parts('ticks')}")[0]
    return size / rows if rows else 0.0
