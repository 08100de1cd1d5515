"""A round through a venue's books counts only where nothing changed in it, and the gateway has heard all that it rests on."""

from tradebot.domain.venue import BUSY, OK, Ask, OrderStatus, PositionStatus, VenueReply
from tradebot.execution.book_round import AGAIN_NS, BookRound

ORDER = OrderStatus(7, True, False, 100, 2, 1, 0, 0)
HELD = PositionStatus(1, -3, -500)


def ask(found: BookRound, *numbers: int) -> tuple[Ask, ...]:
    """What is asked, under these numbers."""
    asks = found.next_asks()
    found.waits = dict(zip(numbers, asks, strict=True))
    return asks


def answer(found: BookRound, request: int, code: int = OK, **slots: object) -> bool:
    return found.take(VenueReply(1, request, code, 1_000, **slots), 5)  # type: ignore[arg-type]


def at_its_end(sequence: int) -> tuple[BookRound, bool]:
    """A round that found the stream at 3 and, after the books, at `sequence`; and whether it is closed."""
    found = BookRound(1, 0)
    assert ask(found, 1) == (Ask.SUBSCRIBE,)
    assert not answer(found, 1, stream=1, sequence=3)
    assert ask(found, 2, 3, 4, 6) == (Ask.OPEN, Ask.TRADES, Ask.BALANCES, Ask.POSITIONS)
    assert found.next_asks() == (), "once"
    assert not answer(found, 6, positions=[HELD])
    assert not answer(found, 4, balances={"USD": 5}) and not answer(found, 2, orders=[ORDER])
    assert not answer(found, 3, forgotten_ns=40)
    assert ask(found, 5) == (Ask.SUBSCRIBE,)
    return found, answer(found, 5, stream=1, sequence=sequence)


def test_books_between_two_equal_numbers_of_the_stream_are_of_one_instant() -> None:
    found, is_closed = at_its_end(3)
    assert is_closed
    books = found.books(1, 8, 9, [])
    assert (books.round, books.answers, books.commands, books.venue_ns) == (1, 8, 9, 1_000)
    assert (books.open_orders, books.balances, books.trades, books.positions) == ([ORDER], {"USD": 5}, [], [HELD])
    assert books.forgotten_ns == 40


def test_a_venue_that_did_something_meanwhile_is_asked_again_a_little_later() -> None:
    found, is_closed = at_its_end(4)
    assert not is_closed and found.try_ns == 5 + AGAIN_NS
    assert found.next_asks() == (Ask.SUBSCRIBE,) and found.balances == {}


def test_a_refusal_begins_again_and_a_reply_to_what_was_given_up_says_nothing() -> None:
    found = BookRound(1, 0)
    ask(found, 1)
    assert not answer(found, 9, stream=1, sequence=1) and found.waits == {1: Ask.SUBSCRIBE}
    assert not answer(found, 1, BUSY) and found.try_ns > 0 and not found.waits
