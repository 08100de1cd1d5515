"""What differs between three books, named and in words; every kind of it, and nothing where they agree."""

import msgspec
import pytest

from tests.engine.test_contracts import LIN, margin
from tests.strategies.support import plan
from tradebot.domain.links import BookOrder, BookTrade, VenueBooks
from tradebot.domain.venue import OrderStatus, PositionStatus
from tradebot.engine.differences import find_differences
from tradebot.engine.own_book import OwnBook, Terms

PLAN = plan(1, [LIN], margins=[margin()], opening={"USDT": 1_000})
STATUS = OrderStatus(7, True, False, 203, 2, 1, 199, 0, 1)
OWN = OwnBook(
    orders={7: Terms(203, 2, 1, 199)}, instruments={7: LIN}, following=frozenset(), fills=1, positions={1: 5}, costs={1: 500},
    cash=[(0, 0), (400, 400)], busy=frozenset(),
)  # fmt: skip
BOOKS = VenueBooks(
    2, 1, 1, 0, 0, 0, [], [BookOrder(7, 203, 2, 1, 199, 1)], [STATUS], [BookTrade(3, 7, 1, 203)], {"USDT": 901},
    [PositionStatus(1, 5, 501)],
)  # fmt: skip
FILLS = {3: (7, 1, 203, 0)}
ENGINE = "0.002 at 101.5 from 99.5 on, 0.001 filled"


def texts(own: OwnBook = OWN, fills: dict[int, tuple[int, int, int, int]] = FILLS, **books: object) -> list[str]:
    return [one.text() for one in find_differences(PLAN, own, fills, msgspec.structs.replace(BOOKS, **books))]


def status(**changes: object) -> OrderStatus:
    return msgspec.structs.replace(STATUS, **changes)


def test_books_that_agree_differ_in_nothing_whatever_a_closing_trade_released() -> None:
    assert texts() == []
    assert texts(positions=[PositionStatus(1, 5, 333)], balances={"USDT": 733}) == []


@pytest.mark.parametrize(
    ("changes", "venue"),
    [
        ({"price": 204}, "0.002 at 102.0 from 99.5 on, 0.001 filled"),
        ({"quantity": 3}, "0.003 at 101.5 from 99.5 on, 0.001 filled"),
        ({"trigger": 198}, "0.002 at 101.5 from 99.0 on, 0.001 filled"),
        ({"filled": 0}, "0.002 at 101.5 from 99.5 on, 0.000 filled"),
        ({"is_triggered": True}, "0.002 at 101.5, 0.001 filled"),
    ],
)
def test_an_order_on_other_terms_is_told_with_its_terms_in_each_book(changes: dict[str, object], venue: str) -> None:
    assert texts(open_orders=[status(**changes)]) == [
        f"order 7: the engine has {ENGINE}, the gateway {ENGINE}, the venue {venue}"
    ]


def test_a_gateway_on_other_terms_differs_too() -> None:
    (found,) = texts(held=[BookOrder(7, 204, 2, 1, 199, 1)])
    assert "the gateway 0.002 at 102.0" in found


def test_an_order_under_way_is_left_out_and_so_is_a_trigger_that_the_venue_moves() -> None:
    assert texts(msgspec.structs.replace(OWN, busy=frozenset({7})), open_orders=[status(price=1)]) == []
    follows = msgspec.structs.replace(OWN, following=frozenset({7}), orders={7: Terms(203, 2, 1, 0)})
    assert texts(follows, open_orders=[status(trigger=205)]) == []
    assert len(texts(follows, open_orders=[status(price=205)])) == 1


def test_a_strangers_order_is_told_in_its_instrument_or_in_ticks() -> None:
    stranger = status(client_id=9, trigger=0)
    assert texts(open_orders=[STATUS, stranger])[0].endswith("the gateway none, the venue 0.002 at 101.5, 0.001 filled")
    unknown = msgspec.structs.replace(stranger, instrument=44)
    assert texts(open_orders=[STATUS, unknown])[0].endswith("the venue 2 lots at 203 ticks, 1 filled")


@pytest.mark.parametrize(("lots", "text"), [(4, "4 lots"), (-5, "-5 lots")])
def test_a_position_that_is_not_as_large_differs(lots: int, text: str) -> None:
    assert texts(positions=[PositionStatus(1, lots, 501)]) == [
        f"position BTC/USDT:USDT@test: the engine has 5 lots, the venue {text}"
    ]


def test_a_position_that_only_one_side_has_differs() -> None:
    assert texts(positions=[], balances={"USDT": 400}) == ["position BTC/USDT:USDT@test: the engine has 5 lots, the venue 0 lots"]
    assert texts(positions=[*BOOKS.positions, PositionStatus(44, 1, 9)]) == [
        "position in instrument 44: the engine has 0 lots, the venue 1 lots"
    ]


@pytest.mark.parametrize("told", [900, 902])
def test_a_wallet_a_unit_off_differs_either_way(told: int) -> None:
    assert texts(balances={"USDT": told}) == [f"balance USDT: the engine has 901, the venue {told}"]


def test_an_asset_that_the_venue_does_not_tell_is_nothing_there() -> None:
    assert texts(balances={}) == ["balance USDT: the engine has 901, the venue none"]
    assert texts(balances={"USDT": 901, "BTC": 0}) == []


def test_a_fill_that_one_side_does_not_have_differs() -> None:
    assert texts(fills={}) == ["fill 3: the engine has none, the venue 1 lots at 203 ticks of order 7"]
    assert texts(trades=[]) == ["fill 3: the engine has 1 lots at 203 ticks of order 7, the venue none"]
