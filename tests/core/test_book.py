"""The L3 book: one suite on the compiled book and on the plain-Python one, then both in lock-step on random operations."""

import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.book import BUY, SELL, ReferenceBook
from tests.reference.digest import digest_bytes as reference_digest
from tradebot._core.book import L3Book
from tradebot._core.digest import digest_bytes
from tradebot._core.match import would_trade
from tradebot._core.types import RECORD_DTYPE, Flag, Kind

ADD, CHANGE, DELETE, EXECUTE = Kind.L3_ADD, Kind.L3_CHANGE, Kind.L3_DELETE, Kind.L3_EXECUTE
FULL = os.environ.get("TRADEBOT_FULL") == "1"


def record(kind: int, order_id: int, side: int = BUY, price: int = 0, quantity: int = 0, flags: int = 0) -> np.ndarray:
    row = np.zeros(1, dtype=RECORD_DTYPE)
    row["kind"], row["id"], row["price"], row["quantity"], row["flags"] = kind, order_id, price, quantity, side | flags
    return row


@pytest.fixture(params=[L3Book, ReferenceBook])
def book(request):
    return request.param()


def test_orders_at_a_price_queue_in_order_of_arrival(book) -> None:
    for order_id in (3, 1, 2):
        book.apply(record(ADD, order_id, BUY, 100, order_id))
    assert book.queue(100) == [(3, 3), (1, 1), (2, 2)]
    assert book.depth(BUY, 5) == [(100, 6, 3)]


def test_less_quantity_keeps_the_place_and_more_loses_it(book) -> None:
    book.apply(record(ADD, 1, BUY, 100, 5))
    book.apply(record(ADD, 2, BUY, 100, 5))
    book.apply(record(CHANGE, 1, BUY, 100, 4))
    assert book.queue(100) == [(1, 4), (2, 5)]
    book.apply(record(CHANGE, 1, BUY, 100, 6))
    assert book.queue(100) == [(2, 5), (1, 6)]


def test_another_price_goes_to_the_tail_there(book) -> None:
    book.apply(record(ADD, 1, BUY, 100, 5))
    book.apply(record(ADD, 2, BUY, 101, 5))
    book.apply(record(CHANGE, 1, BUY, 101, 5))
    assert book.queue(101) == [(2, 5), (1, 5)]
    assert book.bid == 101
    assert book.queue(100) == []


def test_an_execution_takes_from_the_named_order_and_removes_it_at_zero(book) -> None:
    book.apply(record(ADD, 1, SELL, 100, 5))
    book.apply(record(ADD, 2, SELL, 100, 5))
    book.apply(record(EXECUTE, 2, SELL, 100, 3))
    assert book.queue(100) == [(1, 5), (2, 2)]
    book.apply(record(EXECUTE, 1, SELL, 100, 5))
    assert book.queue(100) == [(2, 2)]


def test_an_order_that_crosses_is_parked_and_rests_when_it_no_longer_does(book) -> None:
    book.apply(record(ADD, 1, SELL, 100, 5))
    book.apply(record(ADD, 2, BUY, 101, 7))
    assert (book.bid, book.ask, book.parked_count) == (None, 100, 1)
    book.apply(record(CHANGE, 2, BUY, 101, 2))
    book.apply(record(EXECUTE, 1, SELL, 100, 5))
    assert (book.bid, book.ask, book.parked_count) == (101, None, 0)
    assert book.queue(101) == [(2, 2)]


def test_parked_orders_rest_in_order_of_arrival(book) -> None:
    book.apply(record(ADD, 1, SELL, 100, 5))
    for order_id in (7, 5, 6):
        book.apply(record(ADD, order_id, BUY, 100, 1))
    book.apply(record(DELETE, 1))
    assert book.queue(100) == [(7, 1), (5, 1), (6, 1)]


@pytest.mark.parametrize("price", [0, 255, 256, 10**11, 999_999_999, -300])
def test_any_price_is_as_good_as_another(book, price) -> None:
    book.apply(record(ADD, 1, BUY, price, 1))
    book.apply(record(ADD, 2, SELL, price + 10**9, 1))
    assert (book.bid, book.ask) == (price, price + 10**9)
    book.apply(record(DELETE, 1))
    assert (book.bid, book.ask) == (None, price + 10**9)
    book.validate()


def test_what_is_void_or_unknown_or_empty_changes_nothing(book) -> None:
    book.apply(record(ADD, 1, BUY, 100, 5))
    before = book.hash()
    assert book.apply(record(ADD, 2, BUY, 100, 5, Flag.VOID)) == 0
    assert book.apply(record(ADD, 3, BUY, 100, 0)) == 0
    assert book.unknown_count == 0
    assert book.apply(record(DELETE, 9)) == 0
    assert book.apply(record(ADD, 1, SELL, 200, 5)) == 0
    assert book.unknown_count == 2
    assert book.hash() == before


def test_a_snapshot_begins_with_an_empty_book(book) -> None:
    book.apply(record(ADD, 1, BUY, 100, 5))
    book.apply(record(ADD, 2, SELL, 90, 5, Flag.SNAPSHOT | Flag.BEGIN))
    assert (book.bid, book.ask, book.order_count) == (None, 90, 1)


REGIMES = {"dense": (1, 40), "sparse": (1_000, 60), "jumps": (7, 500)}


def operations(seed: int, count: int, regime: str):
    """Random rows that keep a few dozen orders alive: adds that sometimes cross, changes, deletes, executions."""
    chance = random.Random(seed)
    step, width = REGIMES[regime]
    live: dict[int, tuple[int, int, int]] = {}
    middle, next_id = 1_000_000, 1
    for _ in range(count):
        draw = chance.random()
        if regime == "jumps" and draw < 0.002:
            middle = middle * 2 if middle < 10**10 else 1_000_000
        if len(live) < 40 and (draw < 0.55 or not live):
            side = chance.randrange(2)
            away = chance.randrange(-3, width) * step
            price = middle - away if side == BUY else middle + away
            quantity = chance.randrange(0, 9)
            yield record(ADD, next_id, side, price, quantity, Flag.VOID if draw < 0.01 else 0)
            live[next_id] = (side, price, quantity)
            next_id += 1
            continue
        order_id = chance.choice(list(live))
        side, price, quantity = live[order_id]
        if draw < 0.75:
            del live[order_id]
            yield record(DELETE, order_id, side, price, quantity)
        elif draw < 0.88:
            yield record(EXECUTE, order_id, side, price, chance.randrange(1, 5))
        else:
            moved = price + chance.choice((0, 0, step, -step))
            live[order_id] = (side, moved, quantity)
            yield record(CHANGE, order_id, side, moved, chance.randrange(0, 12))


@pytest.mark.parametrize("regime", REGIMES)
def test_both_books_agree_after_every_operation(regime) -> None:
    """100,000 operations a regime in full; a sample of them in `make test`."""
    compiled, reference = L3Book(), ReferenceBook()
    chance = random.Random(7)
    for number, row in enumerate(operations(42, 100_000 if FULL else 6_000, regime)):
        assert compiled.apply(row) == reference.apply(row)
        assert (compiled.bid, compiled.ask) == (reference.bid, reference.ask)
        assert compiled.hash() == reference.hash(), number
        assert compiled.unknown_count == reference.unknown_count
        if number % 50 == 0:
            compiled.validate()
            side, quantity = chance.randrange(2), chance.randrange(1, 60)
            assert would_trade(compiled, side, None, quantity) == reference.would_trade(side, None, quantity)
        if number % 500 == 0:
            restored = L3Book()
            restored.restore(compiled.state())
            assert restored.hash() == compiled.hash()
            compiled = restored
    assert compiled.order_count > 0


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([ADD, ADD, ADD, CHANGE, DELETE, EXECUTE]),
            st.integers(1, 6),
            st.integers(0, 1),
            st.sampled_from([0, 1, 255, 256, 257, 10**11, 10**11 + 1, -1, -257]),
            st.integers(0, 5),
        ),
        max_size=40,
    )
)
def test_both_books_agree_at_the_edges(rows) -> None:
    compiled, reference = L3Book(), ReferenceBook()
    for row in rows:
        compiled.apply(record(*row))
        reference.apply(record(*row))
        compiled.validate()
        assert compiled.hash() == reference.hash()


@given(st.binary(max_size=300))
def test_the_digest_is_that_of_its_plain_twin(data) -> None:
    assert digest_bytes(data) == reference_digest(data)


def test_an_execution_of_no_lots_or_fewer_changes_nothing(book) -> None:
    book.apply(record(ADD, 1, BUY, 100, 5))
    for lots in (0, -1, -(2**58)):
        assert book.apply(record(EXECUTE, 1, BUY, 100, lots)) == 0
    assert book.queue(100) == [(1, 5)]


@pytest.mark.parametrize(("price", "lots"), [(2**62, 1), (-(2**62), 1), (2**58 + 1, 1), (100, 2**58 + 1)])
def test_a_price_or_quantity_beyond_any_markets_is_refused_and_what_came_before_is_in(price: int, lots: int) -> None:
    compiled = L3Book()
    with pytest.raises(ValueError, match=r"record 1 of the stream .*expected at most 2\*\*58"):
        compiled.apply(np.concatenate([record(ADD, 1, BUY, 2**58, 2**58), record(ADD, 2, BUY, price, lots)]))
    compiled.validate()
    assert (compiled.bid, compiled.order_count) == (2**58, 1)


def test_records_at_an_address_that_is_not_aligned_are_read_all_the_same() -> None:
    rows = np.concatenate([record(ADD, 1, BUY, 100, 5), record(ADD, 2, SELL, 101, 5)])
    shifted = np.frombuffer(b"x" + rows.tobytes(), np.uint8)[1:].view(rows.dtype)
    one, two = L3Book(), L3Book()
    one.apply(rows)
    two.apply(shifted)
    assert one.hash() == two.hash()
