"""`bench replay`: how fast recorded levels and trades go through engine, simulated venue and a strategy.

The stream is hftbacktest's event file, what `benchmarks/yardsticks/to_hftbacktest.py` makes of a generated one, or ticks of the
store (`stored_recording`). The run is a whole one: two books, latency both ways, the risk-averse queue, risk gate, ledger and
digest; nothing is left out for speed. Resting orders fill whole, as the peer's do. Loading, into memory, is timed apart.
"""

import resource
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tradebot._core.merge import Merge
from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Flag, Kind
from tradebot.domain.errors import BadContainer, LocalError, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import parse_decimal
from tradebot.engine.drive import drive
from tradebot.engine.plan import Grade, Limits, Margin, Place, Plan, make_merge, margin_tiers
from tradebot.engine.ports import Nobody, Records
from tradebot.store.instruments import spot_instrument
from tradebot.strategies.strategy import Strategy
from tradebot.testing.compiled_grid import CompiledGrid
from tradebot.testing.grid import Grid, Rest

BATCH_ROWS: Final = 1 << 16
SIZE_LOTS: Final = 10  # of each order
MAINTENANCE: Final = "0.005"  # of a contract's worth; the account holds enough to never be near it
STRATEGIES: Final = ("none", "grid")
FACES: Final = ("python", "compiled")

# hftbacktest's flags of an event.
_DEPTH, _TRADE, _CLEAR, _SNAPSHOT = 1, 2, 3, 4
_BUY: Final = 1 << 29
_KIND_MASK: Final = 0xFF


class Replayed(Struct, frozen=True, kw_only=True):
    """The keys of CLI.md, and what the strategy did."""

    events: int
    seconds: float
    events_per_s: int
    ns_per_event: float
    load_s: float
    orders: int
    cancels: int
    fills: int
    digest: str
    peak_rss_mb: int


class Recording(Struct, frozen=True):
    """What is replayed: records of one instrument in batches, and what orders are matched on."""

    instrument: Instrument
    batches: list[Records]
    grade: Grade = Grade.BOOK


class Facts(Nobody):
    """A recorder that keeps what the run did, for tests."""

    def __init__(self) -> None:
        self.parts: list[Records] = []

    def facts(self, facts: Records) -> None:
        self.parts.append(facts)

    def all(self) -> Records:
        return np.concatenate(self.parts) if self.parts else np.empty(0, FACT_DTYPE)


def replay(
    path: Path, strategy: str, interval_ns: int, latency_ns: int, tick: str, lot: str, face: str = "python"
) -> Replayed:
    """Load a file and run over it once. Raises BadContainer where it is no event file, UsageError on a wrong tick or lot."""
    return measure(lambda: read_file(path, tick, lot), strategy, interval_ns, latency_ns, face)


def measure(
    read: Callable[[], Recording], strategy: str, interval_ns: int, latency_ns: int, face: str = "python"
) -> Replayed:
    """Read a recording and run over it once. Raises what reading it raises, and LocalError where facts are out of order."""
    started = time.perf_counter()
    recording = read()
    load_s = time.perf_counter() - started
    merge = make_run(recording, strategy, interval_ns, latency_ns, face)
    started = time.perf_counter()
    try:
        drive(merge, recording.batches, Nobody())
    except ValueError as error:
        raise LocalError(str(error)) from error
    seconds = time.perf_counter() - started
    kernel = merge.kernel
    if kernel.failures:
        raise kernel.failures[0][2]
    return Replayed(
        events=merge.events,
        seconds=round(seconds, 6),
        events_per_s=round(merge.events / seconds),
        ns_per_event=round(seconds / merge.events * 1e9, 2),
        load_s=round(load_s, 3),
        orders=kernel.orders,
        cancels=kernel.commands - kernel.orders,
        fills=kernel.fills,
        digest=kernel.digest_text,
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )


def read_file(path: Path, tick: str, lot: str) -> Recording:
    """An event file; what it does not say, its tick and its lot, is given."""
    instrument = bench_instrument(tick, lot)
    return Recording(instrument, batches(load(path, tick, lot)))


def bench_instrument(tick: str, lot: str) -> Instrument:
    return spot_instrument("BASE/QUOTE@bench", tick, lot)


def load(path: Path, tick: str, lot: str) -> Records:
    """Records of an event file: levels as messages of one, prices and quantities to the nearest step."""
    try:
        with np.load(path) as archive:
            events = archive["data"]
    except (OSError, EOFError, TypeError, ValueError, KeyError, BadZipFile, zlib.error) as error:
        raise BadContainer(
            f"expected an event file with an array `data` in {path}, found: {error}; other recordings are replayed from the "
            "store, by their instrument's name"
        ) from error
    names = {"ev", "exch_ts", "local_ts", "px", "qty"}
    if not names <= set(events.dtype.names or ()):
        raise BadContainer(f"expected the fields {', '.join(sorted(names))} in {path}, found {events.dtype.names}")
    return to_records(events, tick, lot)


def to_records(events: Records, tick: str, lot: str) -> Records:
    records, instrument = np.zeros(len(events), dtype=RECORD_DTYPE), bench_instrument(tick, lot)
    kinds = (events["ev"] & _KIND_MASK).astype(np.int64)
    is_level = (kinds == _DEPTH) | (kinds == _SNAPSHOT)
    if not (is_level | (kinds == _TRADE)).all():
        raise BadContainer(f"expected depth and trade events, found kinds {sorted(set(kinds.tolist()))}")
    records["time_ns"], records["venue_ns"] = events["local_ts"], events["exch_ts"]
    records["price"] = np.rint(events["px"] / float(parse_decimal(tick)))
    records["quantity"] = np.rint(events["qty"] / float(parse_decimal(lot)))
    records["instrument"] = instrument.id
    records["kind"] = np.where(is_level, int(Kind.L2_LEVEL), int(Kind.TRADE))
    records["flags"] = np.where(events["ev"] & _BUY, 0, int(Flag.SELL)) | int(Flag.LAST)
    return records


def prepare(
    records: Records, strategy: str, interval_ns: int, latency_ns: int, tick: str, lot: str, face: str = "python"
) -> Merge:
    """As `make_run`, over the records of an event file."""
    return make_run(Recording(bench_instrument(tick, lot), batches(records)), strategy, interval_ns, latency_ns, face)


def make_run(recording: Recording, strategy: str, interval_ns: int, latency_ns: int, face: str = "python") -> Merge:
    """Engine and venue for a run; the account holds enough of both assets. `face`: how the grid is written."""
    if strategy not in STRATEGIES or not recording.batches:
        count = sum(map(len, recording.batches))
        raise UsageError(f"expected one of the strategies {', '.join(STRATEGIES)} and events, found {strategy!r}, {count}")
    # What a venue wants at the least says nothing of speed, and a run of refusals would measure those.
    instrument = replace(recording.instrument, quantity_min="0", notional_min="0")
    margin = Margin(is_cross=True, tiers=margin_tiers([("0", MAINTENANCE)])) if instrument.is_contract else None
    plan = Plan(
        instruments=[instrument],
        opening={instrument.base: 10**16, instrument.quote: 10**18},
        places=[Place([0], [Limits()])],
        maker_fee=20_000,
        taker_fee=50_000,
        fee_in_base=False,
        order_latency_ns=latency_ns,
        answer_latency_ns=latency_ns,
        whole_fills=True,
        grade=int(recording.grade),
        margins=[margin] if margin else [],
    )
    return make_merge(plan, [_strategy(recording, strategy, interval_ns, face)])


def _strategy(recording: Recording, name: str, interval_ns: int, face: str) -> Strategy:
    size = SIZE_LOTS * float(recording.instrument.lot_size)
    if name == "none":
        return Rest({"size": size})
    first = recording.batches[0][0]
    # The peer counts its steps from the venue's time of the first event; one that was long under way is known by then.
    first_ns = max(int(first["venue_ns"]) + interval_ns, int(first["time_ns"]) + 1)
    written = CompiledGrid if face == "compiled" else Grid
    return written({"size": size, "interval_ns": interval_ns, "first_ns": first_ns})


def batches(records: Records) -> list[Records]:
    return [records[at : at + BATCH_ROWS] for at in range(0, len(records), BATCH_ROWS)]
