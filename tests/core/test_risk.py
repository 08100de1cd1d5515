"""The risk gate: each rule by its number, at the moment where valid becomes invalid, and the order of the rules."""

import pytest

from tradebot._core.risk import check
from tradebot._core.types import OrderFlag, OrderType, Reject, TimeInForce, TradingState

GUARD = OrderFlag.REDUCE_ONLY | OrderFlag.PROTECTIVE

# One tick times one lot is one money unit; lots of one base unit.
TERMS = (1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 150)
LIMITS = {"quantity_max": 100, "notional_max": 10_000, "position_max": 120, "band": 10_000_000, "orders_open_max": 5}
GOOD = {
    "is_sell": 0, "order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "state": TradingState.ACTIVE,
    "quarantined": 0, "price": 100, "quantity": 10, "reference": 100, "position": 0, "open_buys": 0, "open_sells": 0,
    "free_quote": 1_000, "free_base": 10, "needed": 1_000, "orders_open": 0, "time_ns": 10_000,
    "flags": 0, "trigger": 0, "trigger_price": 100, "stop": 0, "target": 0, "distance": 0,
}  # fmt: skip


def verdict(sent: list[int] | None = None, **changes: int) -> Reject:
    return Reject(check(LIMITS, TERMS, GOOD | changes, sent or [], 3, 1_000))


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        (Reject.ACCEPTED, {}),
        (Reject.SIDE_UNKNOWN, {"is_sell": 2}),
        (Reject.ORDER_TYPE_UNKNOWN, {"order_type": 9}),
        (Reject.TIME_IN_FORCE_UNKNOWN, {"time_in_force": 9}),
        (Reject.QUANTITY_NOT_POSITIVE, {"quantity": -1}),
        (Reject.PRICE_MISSING, {"price": 0}),
        (Reject.NO_MARKET, {"reference": 0}),
        (Reject.QUANTITY_TOO_SMALL, {"quantity": 0}),
        (Reject.QUANTITY_TOO_SMALL, {"quantity": 1}),
        (Reject.QUANTITY_TOO_LARGE, {"quantity": 101}),
        (Reject.NOTIONAL_TOO_SMALL, {"quantity": 2, "price": 74}),
        (Reject.NOTIONAL_TOO_LARGE, {"quantity": 100, "price": 101}),
        (Reject.PRICE_OUT_OF_BAND, {"price": 111}),
        (Reject.PRICE_OUT_OF_BAND, {"price": 89}),
        (Reject.ACCEPTED, {"price": 110}),
        (Reject.ACCEPTED, {"price": 90}),
        (Reject.ACCEPTED, {"position": 100, "open_buys": 10}),
        (Reject.POSITION_TOO_LARGE, {"position": 100, "open_buys": 11}),
        (Reject.ACCEPTED, {"position": 100, "open_sells": 100, "is_sell": 1}),
        (Reject.POSITION_TOO_LARGE, {"position": -100, "open_sells": 11, "is_sell": 1}),
        (Reject.BALANCE_TOO_SMALL, {"needed": 1_001}),
        (Reject.BALANCE_TOO_SMALL, {"is_sell": 1, "needed": 11}),
        (Reject.ACCEPTED, {"is_sell": 1, "needed": 10}),
        (Reject.TRADING_HALTED, {"state": TradingState.HALTED}),
        (Reject.TRADING_REDUCING, {"state": TradingState.REDUCING}),
        (Reject.TRADING_REDUCING, {"state": TradingState.REDUCING, "position": -9}),
        (Reject.ACCEPTED, {"state": TradingState.REDUCING, "position": -10}),
        (Reject.TRADING_REDUCING, {"state": TradingState.REDUCING, "position": -10, "open_buys": 1}),
        (Reject.ORDERS_OPEN_TOO_MANY, {"orders_open": 5}),
        (Reject.STRATEGY_IS_QUARANTINED, {"quarantined": 1}),
        (Reject.TRIGGER_MISSING, {"order_type": OrderType.STOP}),
        (Reject.ACCEPTED, {"order_type": OrderType.STOP, "trigger": 105}),
        (Reject.NO_TRIGGER_PRICE, {"order_type": OrderType.STOP, "trigger": 105, "trigger_price": 0}),
        (Reject.PRICE_MISSING, {"order_type": OrderType.STOP_LIMIT, "trigger": 105, "price": 0}),
        (Reject.ACCEPTED, {"stop": 99, "target": 101}),
        (Reject.STOP_ON_WRONG_SIDE, {"stop": 100}),
        (Reject.TARGET_ON_WRONG_SIDE, {"target": 100}),
        (Reject.ACCEPTED, {"is_sell": 1, "stop": 101, "target": 99}),
        (Reject.STOP_ON_WRONG_SIDE, {"is_sell": 1, "stop": 100}),
        (Reject.TARGET_ON_WRONG_SIDE, {"is_sell": 1, "target": 100}),
        (Reject.STOP_ON_WRONG_SIDE, {"order_type": OrderType.STOP, "trigger": 105, "stop": 105}),
        (Reject.NO_TRIGGER_PRICE, {"stop": 99, "trigger_price": 0}),
        (Reject.NO_TRIGGER_PRICE, {"distance": 1, "trigger_price": 0}),
        (Reject.ACCEPTED, {"distance": 99}),
        (Reject.STOP_ON_WRONG_SIDE, {"distance": 100}),
        (Reject.ACCEPTED, {"distance": 100, "stop": 90}),
        (Reject.ACCEPTED, {"distance": 100, "is_sell": 1}),
        (Reject.NOTHING_TO_REDUCE, {"flags": OrderFlag.REDUCE_ONLY}),
        (Reject.NOTHING_TO_REDUCE, {"flags": OrderFlag.REDUCE_ONLY, "position": 10}),
        (Reject.ACCEPTED, {"flags": OrderFlag.REDUCE_ONLY, "position": -10, "open_buys": 200}),
        (Reject.ACCEPTED, {"flags": OrderFlag.REDUCE_ONLY, "position": -10, "state": TradingState.REDUCING}),
        (Reject.TRADING_HALTED, {"flags": OrderFlag.REDUCE_ONLY, "position": -10, "state": TradingState.HALTED}),
        (Reject.ACCEPTED, {"flags": GUARD, "position": -10, "state": TradingState.HALTED, "quarantined": 1, "orders_open": 9}),
        (Reject.ACCEPTED, {"flags": GUARD, "position": -500, "quantity": 200, "needed": 0}),
        (Reject.QUANTITY_TOO_SMALL, {"flags": GUARD, "position": -10, "quantity": 1}),
        (Reject.BALANCE_TOO_SMALL, {"flags": GUARD, "position": -10, "needed": 1_001}),
    ],
)
def test_each_rule_refuses_by_its_number(expected: Reject, changes: dict[str, int]) -> None:
    needed = {"needed": 10} if changes.get("is_sell") == 1 and "needed" not in changes else {}
    assert verdict(**(needed | changes)) == expected


def test_the_order_rate_counts_a_window_that_slides() -> None:
    assert verdict(sent=[9_001, 9_002, 9_003]) == Reject.ORDER_RATE_TOO_HIGH
    assert verdict(sent=[9_000, 9_002, 9_003]) == Reject.ACCEPTED
    assert verdict(sent=[9_999, 9_999]) == Reject.ACCEPTED


def test_the_first_rule_broken_wins() -> None:
    broken = {"quantity": 101, "needed": 10**9, "state": TradingState.HALTED, "quarantined": 1}
    assert verdict(**broken) == Reject.QUANTITY_TOO_LARGE
    assert verdict(**(broken | {"quantity": 10})) == Reject.BALANCE_TOO_SMALL
    assert verdict(**(broken | {"quantity": 10, "needed": 1})) == Reject.TRADING_HALTED


def test_a_notional_beyond_64_bits_is_refused_not_wrapped() -> None:
    huge = {"quantity": 2**62, "price": 2**62, "reference": 2**62}
    assert Reject(check(dict.fromkeys(LIMITS, 0), TERMS, GOOD | huge, [])) == Reject.NOTIONAL_TOO_LARGE
