"""Importers under damage: one execution imports one damaged recording, twice, and once in a while into a store.

Rules: nothing but a `TradebotError` of one line comes out; the same files give the same records, findings and words; every
record is one that the store takes, and the engine and both books; a refusal leaves the store as it was, an import is
read back as it was told.
"""

import random
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from tests.fuzz import mutations
from tests.fuzz.engines import is_bounded
from tests.fuzz.samples import Sample, laid_out, samples
from tradebot._core.book import L3Book
from tradebot._core.depth import L2Book
from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.domain.errors import TradebotError
from tradebot.domain.instrument import SPOT, Instrument
from tradebot.engine.plan import Limits, Margin, Place, Plan, make_merge
from tradebot.engine.ports import Records
from tradebot.store import parquet
from tradebot.store.client import Store
from tradebot.store.formats import FORMATS, Import, open_import
from tradebot.store.imports import check_findings
from tradebot.strategies.strategy import Strategy

STORED: Final = 25  # of so many executions one goes into the store
NAMES: Final = [None, "BTC/USD", "AAA/USD@venue", "AAA/USD:AAA@venue"]
STEPS: Final = [None, "0.01", "0.00000001", "1", "100", "0.3", "1e-20"]


def run(target: str, seed: int, store: Store | None) -> str:
    """One execution; "taken" or "refused". Raises whatever breaks a rule."""
    chance = random.Random(f"{target} {seed}")
    sample = altered(chance, samples()[target])
    with laid_out(sample.files, sample.target) as path:
        first, again = attempt(path, sample), attempt(path, sample)
        assert first == again, f"the same files gave {first!r:.300} and then {again!r:.300}"
        if store is not None and chance.randrange(STORED) == 0:
            stored(path, sample, store, first)
    return "refused" if isinstance(first, str) else "taken"


def altered(chance: random.Random, sample: Sample) -> Sample:
    """Damage in one file, at times in two; at times another format or another step than the file has."""
    files = dict(sample.files)
    for _ in range(chance.choice((1, 1, 1, 2))):
        name = chance.choice(list(files))
        files[name] = mutations.mutate(chance, name, files[name])
        if f"{name}.CHECKSUM" in files and chance.random() < 0.9:
            files[f"{name}.CHECKSUM"] = mutations.checksum(name, files[name])
    changed = sample._replace(files=files)
    if chance.random() < 0.05:
        changed = changed._replace(format=chance.choice(["auto", *FORMATS]))
    if chance.random() < 0.05:
        changed = changed._replace(tick=chance.choice(STEPS), lot=chance.choice(STEPS))
    if chance.random() < 0.05:
        changed = changed._replace(instrument=chance.choice(NAMES))
    return changed


def opened(path: Path, sample: Sample) -> Import:
    return open_import(path, sample.format, sample.instrument, sample.tick, sample.lot)


def attempt(path: Path, sample: Sample) -> str | tuple[bytes, bytes]:
    """The words of a refusal, or the records and what was found."""
    try:
        found = opened(path, sample)
        records = np.concatenate([np.empty(0, RECORD_DTYPE), *(check_block(found.instrument, one) for one in found.batches)])
        check_findings(found.source.findings, len(records), found.source.path)
    except TradebotError as error:
        assert "\n" not in str(error) and len(str(error)) < 2_000, f"expected words of one line, found {str(error)!r:.300}"
        return f"{type(error).__name__}: {error}"
    check_records(found.instrument, records, found.source.format == parquet.NAME)
    return records.tobytes(), msgspec.json.encode(found.source.findings)


def check_block(instrument: Instrument, block: Records) -> Records:
    assert block.dtype == RECORD_DTYPE
    assert (block["instrument"] == instrument.id).all()
    return block.copy()


def check_records(instrument: Instrument, records: Records, exported: bool) -> None:
    """What the store asks of an importer, and that engine and books take it. An export is the store's own bits, and kept so."""
    times = records["time_ns"]
    assert (times[1:] >= times[:-1]).all(), "time runs back"
    assert exported or not len(times) or times[0] >= 0, "a time before 1970"
    known = {int(kind) for kind in Kind if kind < Kind.ORDER_ACCEPTED and kind != Kind.TIMER}
    assert exported or set(np.unique(records["kind"]).tolist()) <= known
    if not set(np.unique(records["kind"]).tolist()) <= known:
        return
    if not all(is_bounded(record) for record in records):
        assert exported, "a record beyond the bounds of the core"
        return
    for book in (L3Book(), L2Book()):
        book.apply(records)
        book.validate()
    engine = make_merge(plan(instrument), [Strategy()])
    engine.feed(records)
    engine.finish()
    engine.kernel.validate()
    assert engine.events == len(records)


def plan(instrument: Instrument) -> Plan:
    return Plan(
        instruments=[instrument],
        opening={instrument.base: 10**12, instrument.quote: 10**12},
        places=[Place([0], [Limits()])],
        maker_fee=0,
        taker_fee=0,
        fee_in_base=False,
        order_latency_ns=1,
        answer_latency_ns=1,
        margins=[None if instrument.kind == SPOT else Margin(tiers=[(0, 400_000, 0)])],
    )


def stored(path: Path, sample: Sample, store: Store, expected: str | tuple[bytes, bytes]) -> None:
    """Into the store and out again."""
    before = contents(store)
    try:
        found = opened(path, sample)
        report = store.import_records(found.instrument, found.source, found.batches)
    except TradebotError:
        assert contents(store) == before, "a refusal changed the store"
        return
    assert not isinstance(expected, str), f"the store took what was refused: {expected}"
    assert report.rows * RECORD_DTYPE.itemsize == len(expected[0])
    if not report.repeated and not any(row[0] == found.instrument.id for row in before[0]):
        told = np.concatenate([np.empty(0, RECORD_DTYPE), *store.stream([found.instrument.id])])
        assert told.tobytes() == expected[0], "what was read is not what was written"


def contents(store: Store) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Rows by instrument and import, seen or not, and the imports that are whole."""
    backend = store._backend
    rows = backend.rows("SELECT instrument, import, count() FROM ticks GROUP BY instrument, import ORDER BY instrument, import")
    return [tuple(row) for row in rows], [tuple(row) for row in backend.rows("SELECT id, rows FROM imports ORDER BY id")]
