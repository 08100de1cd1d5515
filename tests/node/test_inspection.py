"""The stored book at a moment and the best prices along a range: against naive books over the same rows, and read from the
newest snapshot on, not from the beginning."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.reference.book import ReferenceBook
from tests.reference.depth import ReferenceDepth
from tests.research.ticks import DAY, FIRST_DAY, INSTRUMENT, SECOND, Market, joined, row
from tests.support import Flow, records
from tradebot._core.types import Flag, Kind
from tradebot.domain.errors import EmptyRange, UnknownInstrument, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.node.inspection import range_ns, show_book, stream_bbo
from tradebot.store.client import Store, open_store
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import make_instrument, spot_instrument

ORDERS = spot_instrument("ETH/USD@venue", tick="0.05", lot="0.01")
PRINTS = spot_instrument("XRP/USD@venue", tick="0.01", lot="1")
OLD = make_instrument("LTC/USD@venue", tick="1", lot="1")
NEW = make_instrument("LTC/USD@venue", tick="0.1", lot="1", version=2, valid_from_ns=FIRST_DAY + DAY)

BEGIN, LAST, SNAPSHOT = int(Flag.BEGIN), int(Flag.LAST), int(Flag.SNAPSHOT)
LEVELS_STREAM = joined(Market(7).rows(900))
ORDERS_STREAM = records(list(Flow(7).rows(1_500)), ORDERS.id)

BOTH = pytest.mark.parametrize(
    "stream, instrument, make", [(LEVELS_STREAM, INSTRUMENT, ReferenceDepth), (ORDERS_STREAM, ORDERS, ReferenceBook)]
)


def one_level(instrument: Instrument, time_ns: int, price: int) -> np.ndarray:
    found = joined([row(time_ns, Kind.L2_LEVEL, price=price, quantity=3, flags=LAST)])
    found["instrument"] = instrument.id
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspection")
    prints = joined([row(FIRST_DAY, Kind.TRADE, price=5)])
    prints["instrument"] = PRINTS.id
    filled: list[tuple[Instrument, np.ndarray]] = [
        (INSTRUMENT, LEVELS_STREAM),
        (ORDERS, ORDERS_STREAM),
        (PRINTS, prints),
        (OLD, one_level(OLD, FIRST_DAY, 50)),
        (NEW, one_level(NEW, FIRST_DAY + 2 * DAY, 505)),
    ]
    with open_store(folder / "data") as store:
        for instrument, stream in filled:
            source = ImportSource("test", 1, f"{instrument.name} {instrument.version}", "nowhere")
            store.import_records(instrument, source, iter([stream]))
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int | None, int | None]]]:
    """The ranges that are streamed."""
    found: list[tuple[int | None, int | None]] = []
    stream = Store.stream

    def spied(self: Store, ids: Any, from_ns: int | None = None, to_ns: int | None = None, *more: int) -> Any:
        found.append((from_ns, to_ns))
        return stream(self, ids, from_ns, to_ns, *more)

    monkeypatch.setattr(Store, "stream", spied)
    yield found


def texts(instrument: Instrument, levels: list[tuple[int, ...]]) -> list[list[str]]:
    return [[instrument.price_text(level[0]), instrument.quantity_text(level[1])] for level in levels]


def newest_begin(stream: np.ndarray, at_ns: int) -> int | None:
    begins = stream[(stream["flags"] & BEGIN != 0) & (stream["time_ns"] <= at_ns)]
    return int(begins["time_ns"][-1]) if len(begins) else None


@BOTH
def test_the_book_is_the_naive_one_and_is_read_from_the_newest_snapshot(
    home: Path, reads: list[Any], stream: np.ndarray, instrument: Instrument, make: Any
) -> None:
    chance = random.Random(3)
    first = stream[np.isin(stream["kind"], (Kind.L2_LEVEL, Kind.L3_ADD))][0]
    moments = [int(first["time_ns"]), int(stream["time_ns"][-1])]
    moments += [chance.randrange(*moments) for _ in range(8)]
    for at_ns in moments:
        expected = make()
        expected.apply(stream[stream["time_ns"] <= at_ns])
        found = show_book(home, instrument.symbol, str(at_ns), 5)
        assert found["time_ns"] == at_ns
        assert found["bids"] == texts(instrument, expected.depth(0, 5))
        assert found["asks"] == texts(instrument, expected.depth(1, 5))
        assert found["snapshot_ns"] == newest_begin(stream, at_ns)
        assert reads.pop() == (found["snapshot_ns"], at_ns + 1) and reads == []
    assert len({newest_begin(stream, at_ns) for at_ns in moments}) > 3


def test_an_answer_says_what_it_rests_on(home: Path) -> None:
    found = show_book(home, INSTRUMENT.name, str(LEVELS_STREAM["time_ns"][-1]), 1)
    last = LEVELS_STREAM[LEVELS_STREAM["kind"] == Kind.L2_LEVEL][-1]
    assert (found["instrument"], found["book"]) == (INSTRUMENT.name, "l2")
    assert (found["last_ns"], found["venue_sequence"]) == (int(last["time_ns"]), int(last["venue_sequence"]))
    assert show_book(home, ORDERS.name, str(ORDERS_STREAM["time_ns"][-1]), 1)["book"] == "l3"


def test_a_moment_belongs_to_the_version_that_holds_then(home: Path) -> None:
    assert show_book(home, "LTC/USD", str(FIRST_DAY + DAY), 1)["bids"] == [["50", "3"]]
    assert show_book(home, "LTC/USD", str(FIRST_DAY + 2 * DAY), 1)["bids"] == [["50.5", "3"]]
    (old, new) = list(stream_bbo(home, "LTC/USD", None, None))
    assert [old[0][2], new[0][2]] == ["50", "50.5"]


def all_quotes(home: Path, name: str, start: int | None = None, end: int | None = None) -> list[Any]:
    texts = [None if one is None else str(one) for one in (start, end)]
    return [one for block in stream_bbo(home, name, *texts) for one in block]


def naive_quotes(stream: np.ndarray, instrument: Instrument, book: Any) -> list[tuple[Any, ...]]:
    """After each order event or snapshot, or each message of levels."""
    found = []
    for one in stream:
        kind, flags = int(one["kind"]), int(one["flags"])
        if flags & Flag.VOID:
            continue
        book.apply_one(one)
        is_event = Kind.L3_ADD <= kind <= Kind.L3_EXECUTE and not (flags & SNAPSHOT and not flags & LAST)
        if is_event or (kind == Kind.L2_LEVEL and flags & LAST):
            sides = (top(instrument, book, 0, book.bid), top(instrument, book, 1, book.ask))
            found.append((int(one["time_ns"]), int(one["venue_sequence"]), *sides[0], *sides[1]))
    return found


def top(instrument: Instrument, book: Any, side: int, price: int | None) -> tuple[str | None, str | None]:
    if price is None:
        return None, None
    lots = sum(one for _, one in book.queue(price)) if isinstance(book, ReferenceBook) else book.quantity(side, price)
    return instrument.price_text(price), instrument.quantity_text(lots)


@BOTH
def test_the_best_prices_are_those_of_the_naive_book_after_each_event(
    home: Path, reads: list[Any], stream: np.ndarray, instrument: Instrument, make: Any
) -> None:
    expected = naive_quotes(stream, instrument, make())
    assert any(one[2] is None for one in expected) or make is ReferenceDepth
    assert all_quotes(home, instrument.name) == expected
    reads.clear()
    start, end = int(stream["time_ns"][len(stream) // 2]), int(stream["time_ns"][-40])
    assert all_quotes(home, instrument.name, start, end) == [one for one in expected if start <= one[0] < end]
    assert reads == [(newest_begin(stream, start - 1), start), (start, end)]


def test_what_cannot_be_shown_is_said(home: Path) -> None:
    first, last = int(LEVELS_STREAM["time_ns"][0]), int(LEVELS_STREAM["time_ns"][-1])
    for at_ns in (first - 1, last + 1):
        with pytest.raises(EmptyRange, match=r"expected a moment within the ticks of BTC/USDT:USDT@venue, 2024-03-18T09:"):
            show_book(home, INSTRUMENT.name, str(at_ns), 5)
    with pytest.raises(UsageError, match="--depth of at least 1, found 0"):
        show_book(home, INSTRUMENT.name, str(first), 0)
    with pytest.raises(UsageError, match=r"--at: expected a date such as .*, found 'noon', or nanoseconds"):
        show_book(home, INSTRUMENT.name, "noon", 5)
    with pytest.raises(UnknownInstrument, match="the nearest is"):
        show_book(home, "BTC/USDD@venue", str(first), 5)
    for call in (lambda: show_book(home, "XRP/USD", str(FIRST_DAY), 5), lambda: all_quotes(home, "XRP/USD")):
        with pytest.raises(EmptyRange, match="expected order-by-order or price-level book facts of XRP/USD@venue in the sel"):
            call()
    with pytest.raises(EmptyRange, match="expected order-by-order book facts"):
        show_book(home, INSTRUMENT.name, str(last), 5, "l3")
    with pytest.raises(EmptyRange, match=r"expected a range within the ticks of .* to .*, found .* to the end"):
        all_quotes(home, INSTRUMENT.name, last + 1)
    with pytest.raises(UsageError, match="--from before --to"):
        all_quotes(home, INSTRUMENT.name, 5, 5)


def test_where_both_books_are_there_orders_are_shown_unless_asked_otherwise(tmp_path: Path) -> None:
    rows = [
        row(FIRST_DAY, Kind.L3_ADD, id=1, price=10, quantity=1),
        row(FIRST_DAY + SECOND, Kind.L2_LEVEL, price=11, quantity=2, flags=LAST),
        row(FIRST_DAY + 3 * DAY, Kind.L2_LEVEL, price=12, quantity=2, flags=LAST),
    ]
    with open_store(tmp_path / "data") as store:
        store.import_records(INSTRUMENT, ImportSource("test", 1, "both", "nowhere"), iter([joined(rows)]))
    found = {sort: show_book(tmp_path, INSTRUMENT.name, str(FIRST_DAY + DAY), 5, sort) for sort in ("auto", "l3", "l2")}
    assert [one["bids"] for one in found.values()] == [[["1.0", "0.001"]], [["1.0", "0.001"]], [["1.1", "0.002"]]]
    assert show_book(tmp_path, INSTRUMENT.name, str(FIRST_DAY + 3 * DAY), 5)["book"] == "l2", "the orders ended days ago"


def test_a_date_as_the_end_means_all_of_that_day() -> None:
    assert range_ns("2024-03-18", "2024-03-18") == (FIRST_DAY, FIRST_DAY + DAY)
    assert range_ns("2024-03-18T00:00Z", None) == (FIRST_DAY, None)
    assert range_ns(str(FIRST_DAY), str(FIRST_DAY + 5)) == (FIRST_DAY, FIRST_DAY + 5)
    assert range_ns(None, None) == (None, None)
    with pytest.raises(UsageError, match="--to: expected nanoseconds up to the year 2262"):
        range_ns(None, "9" * 19)


@pytest.mark.sample
def test_best_prices_of_the_sample_are_those_of_the_naive_book(sample_wheel: Path, tmp_path: Path) -> None:
    """The opening book of 6,511 orders and the events after it, one by one; then a range that begins among them."""
    from tradebot.store.formats import open_import

    opened = open_import(sample_wheel)
    with open_store(tmp_path / "data") as store:
        store.import_records(opened.instrument, opened.source, opened.batches)
        batch = next(iter(store.stream([opened.instrument.id], batch_rows=9_000)))
    end, start = int(batch["time_ns"][-1]), int(batch["time_ns"][8_000])
    expected = naive_quotes(batch[batch["time_ns"] < end], opened.instrument, ReferenceBook())
    assert len(expected) > 2_000
    assert all_quotes(tmp_path, "BTC/USD", None, end) == expected
    assert all_quotes(tmp_path, "BTC/USD", start, end) == [one for one in expected if one[0] >= start]
