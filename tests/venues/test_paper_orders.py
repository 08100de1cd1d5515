"""What the paper venue forgets, when, and what it still says of it."""

import numpy as np
import pytest

from tests.strategies.support import BTC, plan
from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Flag, Kind, OrderType, TimeInForce
from tradebot.domain.venue import DUPLICATE_ID, OK, UNKNOWN_ORDER, Ask, Capabilities, Duplicates, VenueReply, VenueRequest
from tradebot.testing.simulation import MemoryJournal
from tradebot.venues.paper import PaperVenue
from tradebot.venues.paper_orders import FOR_EVER, PaperOrders, Retention

SECOND = 1_000_000_000
KEPT = Retention(time_ns=10 * SECOND, orders_min=3)


def fact_of(kind: Kind, client_id: int, **slots: int) -> np.void:
    fact = np.zeros(1, FACT_DTYPE)
    fact["kind"], fact["id"], fact["instrument"], fact["flags2"] = kind, client_id, BTC.id, Flag.CONT
    for name, value in slots.items():
        fact[name] = value
    return fact[0]


def ended(book: PaperOrders, client_id: int, at_ns: int) -> None:
    """An order that is filled as soon as it is there."""
    book.place(client_id, fact_of(Kind.PLACE_ORDER, client_id, quantity=1))
    book.note(client_id, fact_of(Kind.ORDER_ACCEPTED, client_id), at_ns)
    book.note(client_id, fact_of(Kind.ORDER_FILLED, client_id, quantity=1, trade_id=client_id, venue_ns=at_ns), at_ns)


def ids(facts: bytes) -> list[int]:
    return [int(one) for one in np.frombuffer(facts, FACT_DTYPE)["trade_id"]]


def filled(count: int = 6) -> PaperOrders:
    """Order n ends at second n."""
    book = PaperOrders(KEPT)
    for number in range(1, count + 1):
        ended(book, number, number * SECOND)
    return book


def test_an_order_is_forgotten_only_when_both_its_time_and_its_number_have_passed() -> None:
    book = filled()
    book.forget(11 * SECOND)
    assert set(book.by_id) == {1, 2, 3, 4, 5, 6}, "ten seconds, and not more"
    book.forget(12 * SECOND)
    assert set(book.by_id) == {2, 3, 4, 5, 6} and book.forgotten_ns == 1 * SECOND
    book.forget(10_000 * SECOND)
    assert set(book.by_id) == {4, 5, 6}, "the last three stay, however long nothing comes"


def test_what_is_open_is_never_forgotten_nor_are_its_fills() -> None:
    book = PaperOrders(KEPT)
    book.place(1, fact_of(Kind.PLACE_ORDER, 1, quantity=5))
    book.note(1, fact_of(Kind.ORDER_ACCEPTED, 1), SECOND)
    book.note(1, fact_of(Kind.ORDER_FILLED, 1, quantity=1, parent=4, trade_id=99, venue_ns=SECOND), SECOND)
    for number in range(2, 9):
        ended(book, number, number * SECOND)
    book.forget(100 * SECOND)
    assert set(book.by_id) == {1, 6, 7, 8} and [one.client_id for one in book.going.values()] == [1]
    assert ids(book.trades_of(1)) == [99] and ids(book.trades_since(0)) == [6, 7, 8]
    assert (book.placed, book.traded) == (8, 8), "counted as well as what is kept"


def test_of_an_instant_that_is_forgotten_in_part_no_trade_is_told() -> None:
    book = PaperOrders(KEPT)
    for number in range(1, 6):
        ended(book, number, SECOND if number < 4 else 2 * SECOND)
    book.forget(30 * SECOND)
    assert set(book.by_id) == {3, 4, 5} and book.forgotten_ns == SECOND
    assert ids(book.trades_since(0)) == ids(book.trades_since(SECOND)) == [4, 5] and ids(book.trades_of(3)) == [3]


def test_an_id_stays_spent_and_one_that_comes_again_is_doubled() -> None:
    book = filled()
    book.forget(60 * SECOND)
    assert 1 not in book.by_id and book.has_seen(1) and not book.has_seen(7)
    book.place(1, fact_of(Kind.PLACE_ORDER, 1, quantity=1))
    assert book.doubled == [1]


def test_a_snapshot_goes_on_as_if_nothing_had_been() -> None:
    book, again = filled(), PaperOrders(KEPT)
    book.place(7, fact_of(Kind.PLACE_ORDER, 7, quantity=1))
    book.forget(13 * SECOND)
    again.from_saved(book.to_saved())
    for one in (book, again):
        one.note(7, fact_of(Kind.ORDER_CANCELLED, 7), 13 * SECOND)
        ended(one, 8, 14 * SECOND)
        one.forget(17 * SECOND)
    assert again.to_saved() == book.to_saved() and list(again.over) == list(book.over)
    assert again.by_id[8][0].fills[0] is again.trades[-1]


def market(now_ns: int) -> bytes:
    record = np.zeros(1, RECORD_DTYPE)
    record["kind"], record["instrument"], record["price"], record["quantity"] = Kind.TRADE, BTC.id, 200, 1
    record["time_ns"] = record["venue_ns"] = now_ns
    return record.tobytes()


def said(venue: PaperVenue, ask: Ask, client_id: int, now_ns: int, fact: bytes = b"") -> VenueReply:
    found = venue.on_request(VenueRequest(1, 1, ask, client_id, now_ns, SECOND, fact), now_ns)
    return next(one for one in found if isinstance(one, VenueReply))


def refused(venue: PaperVenue, client_id: int, now_ns: int) -> VenueReply:
    """An IOC order that nobody fills: over at once."""
    slots = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.IOC, "price": 100, "quantity": 1}
    fact = fact_of(Kind.PLACE_ORDER, client_id, kind2=Kind.PLACE_ORDER, **slots)
    return said(venue, Ask.PLACE, client_id, now_ns, fact.tobytes())


@pytest.mark.parametrize("duplicates", Duplicates)
def test_a_venue_says_how_far_back_it_may_have_forgotten_and_refuses_an_id_for_ever_where_it_does(
    duplicates: Duplicates,
) -> None:
    """Also after a start, from its snapshot and from its journal alone."""
    journal = MemoryJournal(lambda what: None)
    run = plan(1, [BTC], order_latency_ns=0, answer_latency_ns=0)
    venue = PaperVenue(run, journal, Capabilities(duplicates=duplicates), KEPT)
    venue.open(SECOND)
    for number in range(1, 7):
        refused(venue, number, number * SECOND)
    assert said(venue, Ask.QUERY, 1, 6 * SECOND).code == OK
    assert said(venue, Ask.QUERY, 1, 90 * SECOND).code == OK, "time alone forgets nothing: it is in no journal"
    venue._take_market(market(90 * SECOND), 90 * SECOND)
    kept = MemoryJournal(lambda what: None)
    kept.body = bytearray(journal.body)
    venue._write(90 * SECOND, facts=market(90 * SECOND))
    venue.save()
    kept.body = bytearray(journal.body)
    starts = [PaperVenue(run, one, Capabilities(duplicates=duplicates), KEPT) for one in (journal, kept)]
    for one in starts:
        one.open(91 * SECOND)
    for one in (venue, *starts):
        reply = said(one, Ask.QUERY, 1, 92 * SECOND)
        assert (reply.code, reply.forgotten_ns) == (UNKNOWN_ORDER, 3 * SECOND)
        assert said(one, Ask.QUERY, 4, 92 * SECOND).code == OK
    code = DUPLICATE_ID if duplicates is Duplicates.ALWAYS else OK
    assert {(refused(one, 1, 93 * SECOND).code == DUPLICATE_ID) for one in (venue, *starts)} == {code == DUPLICATE_ID}


def test_for_ever_is_for_ever() -> None:
    book = PaperOrders(FOR_EVER)
    for number in range(1, 50):
        ended(book, number, number)
    book.forget(2**62)
    assert len(book.by_id) == len(book.trades) == 49 and book.forgotten_ns == 0
