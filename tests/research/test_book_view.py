"""The book at a moment: whole messages only, however the stream is cut; parked orders are not shown."""

import random

import numpy as np
import pytest

from tests.reference.book import ReferenceBook
from tests.reference.depth import ReferenceDepth
from tests.research.ticks import FIRST_DAY, Market, cut, joined, row
from tests.support import Flow, records
from tradebot._core.book import L3Book
from tradebot._core.depth import L2Book
from tradebot._core.types import Flag, Kind
from tradebot.domain.errors import BadContainer
from tradebot.research import book_view
from tradebot.research.book_view import view_book

BEGIN, LAST, SNAPSHOT = int(Flag.BEGIN), int(Flag.LAST), int(Flag.SNAPSHOT)


def level(price: int, quantity: int, flags: int) -> np.void:
    return row(FIRST_DAY, Kind.L2_LEVEL, price=price, quantity=quantity, flags=flags)


def order(number: int, price: int, flags: int) -> np.void:
    return row(FIRST_DAY, Kind.L3_ADD, id=number, price=price, quantity=1, flags=flags)


@pytest.mark.parametrize("seed", range(3))
def test_price_levels_are_those_after_the_last_whole_message(seed: int) -> None:
    stream = joined(Market(seed).rows(400))
    ends = np.flatnonzero((stream["kind"] == Kind.L2_LEVEL) & (stream["flags"] & LAST != 0))
    chance = random.Random(seed)
    for _ in range(25):
        until = chance.randrange(1, len(stream))
        expected = ReferenceDepth()
        whole = ends[ends < until]
        expected.apply(stream[: whole[-1] + 1] if len(whole) else stream[:0])
        view = view_book(L2Book(), cut(stream[:until], chance, 9), 4)
        assert view.bids == expected.depth(0, 4)
        assert view.asks == expected.depth(1, 4)
        assert (view.last is None) == (not len(whole))
        assert view.last is None or view.last == stream[whole[-1]]


@pytest.mark.parametrize("seed", range(3))
def test_orders_are_those_of_the_naive_book(seed: int) -> None:
    stream = records(list(Flow(seed).rows(700)))
    chance = random.Random(seed)
    snapshots = [at for at in range(len(stream)) if stream[at]["flags"] & SNAPSHOT and not stream[at]["flags"] & LAST]
    for _ in range(12):
        until = chance.randrange(1, len(stream))
        if until - 1 in snapshots:
            continue
        expected = ReferenceBook()
        expected.apply(stream[:until])
        view = view_book(L3Book(), cut(stream[:until], chance, 9), 5)
        for side, found in ((0, view.bids), (1, view.asks)):
            assert found == [(price, lots) for price, lots, _ in expected.depth(side, 5)]


def test_a_snapshot_that_has_not_ended_has_not_happened() -> None:
    old = [order(1, 100, 0), order(2, 90, BEGIN | SNAPSHOT), order(3, 91, SNAPSHOT | LAST)]
    new = [order(4, 50, BEGIN | SNAPSHOT), order(5, 51, SNAPSHOT)]
    for parts in ([joined(old + new)], [joined(old), joined(new)], [joined([one]) for one in old + new]):
        assert view_book(L3Book(), parts, 5).bids == [(91, 1), (90, 1)]
    end = order(6, 52, SNAPSHOT | LAST)
    assert view_book(L3Book(), [joined(old + new), joined([end])], 5).bids == [(52, 1), (51, 1), (50, 1)]
    halves = [level(10, 5, BEGIN | SNAPSHOT), level(11, 5, SNAPSHOT | LAST), level(9, 5, BEGIN | SNAPSHOT)]
    assert view_book(L2Book(), [joined(halves)], 5).bids == [(11, 5), (10, 5)]


def test_a_parked_order_is_not_shown() -> None:
    view = view_book(L3Book(), [joined([order(1, 100, 1), order(2, 101, 0), order(3, 99, 0)])], 5)
    assert (view.bids, view.asks) == ([(99, 1)], [(100, 1)])


def test_void_rows_and_other_kinds_end_no_message() -> None:
    rows = [level(10, 5, 0), level(11, 5, LAST | int(Flag.VOID)), row(FIRST_DAY, Kind.TRADE, flags=LAST)]
    assert view_book(L2Book(), [joined(rows)], 5).bids == []


def test_a_message_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_view, "MESSAGE_ROWS_MAX", 100)
    with pytest.raises(BadContainer, match="no end"):
        view_book(L2Book(), [joined([level(10, 5, 0)] * 20)] * 10, 5)
