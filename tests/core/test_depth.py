"""The L2 book: one suite on the compiled book and on the plain-Python one, then both in lock-step on random levels."""

import os
import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.depth import BUY, SELL, ReferenceDepth
from tradebot._core.depth import L2Book
from tradebot._core.types import RECORD_DTYPE, Flag, Kind

FULL = os.environ.get("TRADEBOT_FULL") == "1"


def level(side: int, price: int, quantity: int, flags: int = Flag.LAST, kind: int = Kind.L2_LEVEL) -> np.ndarray:
    row = np.zeros(1, dtype=RECORD_DTYPE)
    row["kind"], row["price"], row["quantity"], row["flags"] = kind, price, quantity, side | flags
    return row


@pytest.fixture(params=[L2Book, ReferenceDepth])
def book(request):
    return request.param()


def test_a_level_is_set_to_its_new_total_and_deleted_by_zero(book) -> None:
    assert book.apply(level(BUY, 100, 5)) == 1
    assert book.apply(level(BUY, 100, 5)) == 0
    assert book.apply(level(BUY, 100, 3)) == 1
    assert (book.bid, book.bid_quantity, book.ask, book.ask_quantity) == (100, 3, None, 0)
    assert book.apply(level(BUY, 100, 0)) == 1
    assert book.apply(level(BUY, 100, 0)) == 0
    assert book.bid is None


def test_the_best_price_falls_to_the_next_level_however_far(book) -> None:
    for price in (10**12, 63, 0, -1, -(10**9)):
        book.apply(level(BUY, price, 1))
        book.apply(level(SELL, price + 10**13, 1))
    for price in (10**12, 63, 0, -1):
        assert (book.bid, book.quantity(BUY, price)) == (price, 1)
        book.apply(level(BUY, price, 0))
    assert book.bid == -(10**9)
    assert book.depth(SELL, 2) == [(10**13 - 10**9, 1), (10**13 - 1, 1)]


def test_inside_a_message_the_sides_may_cross_and_both_are_kept(book) -> None:
    book.apply(level(SELL, 101, 2))
    book.apply(level(BUY, 102, 3, flags=0))
    assert (book.bid, book.ask) == (102, 101)
    book.apply(level(SELL, 101, 0))
    assert (book.bid, book.ask) == (102, None)


def test_a_snapshot_begins_with_an_empty_book(book) -> None:
    book.apply(level(BUY, 100, 5))
    book.apply(level(SELL, 105, 0, flags=Flag.SNAPSHOT | Flag.BEGIN))
    assert (book.bid, book.ask) == (None, None)


def test_void_records_and_other_kinds_change_nothing(book) -> None:
    assert book.apply(level(BUY, 100, 5, flags=Flag.VOID)) == 0
    assert book.apply(level(BUY, 100, 5, kind=Kind.TRADE)) == 0
    assert book.bid is None


def test_bbo_is_given_after_each_message_and_not_inside_one() -> None:
    rows = np.concatenate(
        [
            level(BUY, 100, 5, flags=Flag.SNAPSHOT | Flag.BEGIN),
            level(SELL, 103, 7, flags=Flag.SNAPSHOT | Flag.LAST),
            level(BUY, 104, 1, flags=0),
            level(BUY, 104, 1, kind=Kind.TRADE),
            level(SELL, 103, 0),
        ]
    )
    assert L2Book().apply_bbo(rows).tolist() == [(1, 100, 5, 103, 7), (4, 104, 1, 0, 0)]


REGIMES = {"dense": (64, 1), "sparse": (2_000, 1_000), "drifting": (40, 1)}


def levels(seed: int, count: int, regime: str) -> Iterator[np.ndarray]:
    """Random levels: dense around a middle; 1,000 ticks apart; or around a middle that doubles."""
    chance, (width, step) = random.Random(seed), REGIMES[regime]
    for number in range(count):
        middle = 50_000 + (number * 50_000 // count if regime == "drifting" else 0)
        side = chance.randrange(2)
        price = middle + chance.randrange(-width, width) * step
        flags = Flag.SNAPSHOT | Flag.BEGIN if chance.random() < 0.0005 else Flag.LAST
        yield level(side, price, chance.choice((0, 0, 1, 7, 2**58 - 1)), flags)


@pytest.mark.parametrize("regime", REGIMES)
def test_both_books_agree_after_every_operation(regime) -> None:
    """100,000 levels a regime in full; a sample of them in `make test`."""
    compiled, reference = L2Book(), ReferenceDepth()
    for number, row in enumerate(levels(42, 100_000 if FULL else 2_000, regime)):
        assert compiled.apply(row) == reference.apply(row)
        assert (compiled.bid, compiled.ask) == (reference.bid, reference.ask)
        assert (compiled.bid_quantity, compiled.ask_quantity) == (reference.bid_quantity, reference.ask_quantity)
        assert compiled.hash() == reference.hash(), number
        if number % 50 == 0:
            compiled.validate()
        if number % 500 == 0:
            restored = L2Book()
            restored.restore(compiled.state())
            assert restored.hash() == compiled.hash()
            compiled = restored


def test_a_price_that_wanders_far_leaves_no_shelves_behind() -> None:
    book = L2Book()
    for price in range(0, 64 * 20_000, 64):
        book.apply(level(BUY, price, 1))
        book.apply(level(BUY, price, 0))
    book.apply(level(BUY, 7, 1))
    book.validate()
    assert book.state() == [[(7, 1)], []]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from([0, 1, 63, 64, 65, 65_536, 65_600, 10**11, -1, -64, -65]),
            st.integers(-1, 3),
            st.sampled_from([0, Flag.LAST, Flag.SNAPSHOT | Flag.BEGIN, Flag.VOID]),
        ),
        max_size=60,
    )
)
def test_both_books_agree_at_the_edges(rows) -> None:
    compiled, reference = L2Book(), ReferenceDepth()
    for row in rows:
        assert compiled.apply(level(*row)) == reference.apply(level(*row))
        compiled.validate()
        assert compiled.hash() == reference.hash()


def test_an_array_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="expected an array of RECORD_DTYPE"):
        L2Book().apply(np.zeros(3))
