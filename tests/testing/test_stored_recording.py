"""`bench replay` over the store: order by order, by levels and by trades; what cannot be replayed says what it needs.

Levels are the event file's of `test_replay_bench` brought into a store, so that file and store must give the same run.
"""

from pathlib import Path

import numpy as np
import pytest

from tests.testing.test_replay_bench import MS, load, write_events
from tradebot._core.types import Kind
from tradebot.domain.errors import EmptyRange, UnknownInstrument, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.engine.plan import Grade
from tradebot.engine.ports import Records
from tradebot.store import synthetic
from tradebot.store.client import open_store
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import make_instrument, spot_instrument
from tradebot.testing.replay_bench import Recording, measure, replay
from tradebot.testing.stored_recording import read_stored

LEVELS = spot_instrument("AAA/USD@levels", tick="0.1", lot="0.001")
TRADES = make_instrument("AAA/USD:AAA@trades", tick="0.1", lot="1", multiplier="10")
BARS = spot_instrument("AAA/USD@bars", tick="0.1", lot="0.001")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with levels, trades and bars of three instruments and the seeded market order by order; events.npz beside it."""
    folder = tmp_path_factory.mktemp("stored")
    records = load(write_events(folder / "events.npz"), "0.1", "0.001")
    with open_store(folder / "data") as store:
        bring = [(LEVELS, records), (TRADES, records[records["kind"] == Kind.TRADE]), (BARS, bars(records[:50]))]
        for instrument, rows in bring:
            store.import_records(instrument, ImportSource("test", 1, instrument.name, "nowhere"), [of(instrument, rows)])
        store.import_records(synthetic.INSTRUMENT, *synthetic.open_source(events=4_000))
    return folder


def of(instrument: Instrument, rows: Records) -> Records:
    rows = rows.copy()
    rows["instrument"] = instrument.id
    return rows


def bars(rows: Records) -> Records:
    rows = rows.copy()
    rows["kind"] = Kind.BAR
    return rows


def read(folder: Path, name: str, strategy: str = "none", start: str | None = None, **steps: str) -> Recording:
    return read_stored(folder / "data", name, start, None, steps.get("tick"), steps.get("lot"), strategy)


@pytest.mark.parametrize("strategy", ["none", "grid"])
def test_levels_of_the_store_make_the_run_that_their_file_makes(folder: Path, strategy: str) -> None:
    recording = read(folder, LEVELS.name, strategy)
    found = measure(lambda: recording, strategy, 10 * MS, MS)
    expected = replay(folder / "events.npz", strategy, 10 * MS, MS, "0.1", "0.001")
    names = ("events", "orders", "cancels", "fills")
    assert [getattr(found, name) for name in names] == [getattr(expected, name) for name in names]


@pytest.mark.parametrize("face", ["python", "compiled"])
def test_an_order_by_order_book_is_replayed_and_the_grid_trades_on_it(folder: Path, face: str) -> None:
    recording = read(folder, synthetic.INSTRUMENT.name, "grid")
    found = measure(lambda: recording, "grid", 10 * MS, MS, face)
    assert found.events == 4_000 and found.orders >= 10 and found.cancels > 0
    assert recording.grade == Grade.BOOK


def test_trades_alone_of_an_inverse_contract_are_replayed_with_an_order_a_side(folder: Path) -> None:
    recording = read(folder, TRADES.name)
    found = measure(lambda: recording, "none", 10 * MS, MS)
    assert (found.orders, found.fills, recording.grade) == (2, 0, Grade.TRADES)


def test_a_range_is_what_lies_in_it(folder: Path) -> None:
    records = load(folder / "events.npz", "0.1", "0.001")
    middle = int(records["time_ns"][3_000])
    recording = read(folder, LEVELS.name, start=str(middle))
    assert sum(map(len, recording.batches)) == int(np.sum(records["time_ns"] >= middle))


def test_what_the_strategy_cannot_trade_on_is_refused_with_what_it_needs(folder: Path) -> None:
    with pytest.raises(UsageError, match="expected a book or best quotes of AAA/USD:AAA@trades, found trades only"):
        read(folder, TRADES.name, "grid")
    with pytest.raises(UsageError, match="found bars only"):
        read(folder, BARS.name)


def test_a_step_that_differs_from_the_instruments_is_refused(folder: Path) -> None:
    read(folder, LEVELS.name, tick="0.10", lot="1e-3")
    with pytest.raises(UsageError, match=r"--tick: expected 0\.1, .* found 0\.5"):
        read(folder, LEVELS.name, tick="0.5")
    with pytest.raises(UsageError, match=r"--lot: expected 0\.001, .* found 1"):
        read(folder, LEVELS.name, lot="1")


def test_an_instrument_or_a_range_that_is_not_there_names_what_is(folder: Path) -> None:
    with pytest.raises(UnknownInstrument, match="AAA/USD:AAA@trades, AAA/USD@bars, AAA/USD@levels"):
        read(folder, "BBB/USD@levels")
    with pytest.raises(UnknownInstrument, match=r"one stored instrument, found 'AAA/USD'"):
        read(folder, "AAA/USD")
    with pytest.raises(EmptyRange, match="2023-11-14"):
        read(folder, LEVELS.name, start="2024-01-01")
