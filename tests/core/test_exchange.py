"""The exchange in lock-step with its plain twin, then its rules one by one on both."""

import os
import random

import numpy as np
import pytest

from tests.reference.exchange import BUY, SELL, ReferenceExchange
from tradebot._core.exchange import OPERATION_DTYPE, Exchange, OperationKind

FULL = os.environ.get("TRADEBOT_FULL") == "1"
PLACE, CANCEL, MARKET = OperationKind.PLACE, OperationKind.CANCEL, OperationKind.MARKET


def operations(*rows: tuple[int, int, int, int, int]) -> np.ndarray:
    """(kind, id, side, price, lots) each."""
    found = np.zeros(len(rows), OPERATION_DTYPE)
    for at, (kind, order_id, side, price, lots) in enumerate(rows):
        found[at] = (order_id, price, lots, kind, side, 0, 0)
    return found


def shown(exchange) -> tuple[object, ...]:
    counts = (exchange.operations, exchange.fills, exchange.refused, exchange.volume, exchange.live)
    return *counts, exchange.best(BUY), exchange.best(SELL), exchange.digest_text


@pytest.fixture(params=[Exchange, ReferenceExchange])
def exchange(request):
    return request.param()


@pytest.mark.parametrize("seed", range(40 if FULL else 4))
def test_both_exchanges_agree_after_every_operation(seed: int) -> None:
    chance, compiled, reference = random.Random(seed), Exchange(), ReferenceExchange()
    for number in range(1, 1_000):
        kind = chance.choices((PLACE, CANCEL, MARKET, 9), (70, 20, 9, 1))[0]
        order_id = number if kind == PLACE and chance.random() < 0.95 else chance.randrange(max(number - 40, 0), number)
        price = 1_000 + chance.randrange(-12, 13) * chance.choice((1, 1, 1, 300))
        one = operations((kind, order_id, chance.choices((BUY, SELL, 2), (50, 50, 1))[0], price, chance.randrange(-1, 30)))
        assert compiled.apply(one) == reference.apply(one)
        assert shown(compiled) == shown(reference), number
        if number % 100 == 0:
            compiled.validate()
    assert compiled.fills > 100 and compiled.refused > 10


def test_an_order_trades_at_the_prices_that_rest_and_rests_with_what_is_left(exchange) -> None:
    exchange.apply(operations((PLACE, 1, SELL, 101, 5), (PLACE, 2, SELL, 100, 5), (PLACE, 3, BUY, 101, 12)))
    assert (exchange.fills, exchange.volume, exchange.best(BUY), exchange.best(SELL)) == (2, 10, (101, 2), None)


def test_the_first_at_a_price_trades_first(exchange) -> None:
    exchange.apply(operations((PLACE, 1, BUY, 100, 5), (PLACE, 2, BUY, 100, 5), (MARKET, 0, SELL, 0, 5), (CANCEL, 1, 0, 0, 0)))
    assert (exchange.refused, exchange.live, exchange.best(BUY)) == (1, 1, (100, 5))


def test_a_market_order_goes_with_what_it_could_not_trade(exchange) -> None:
    exchange.apply(operations((PLACE, 1, SELL, 1, 5), (MARKET, 0, BUY, 0, 9), (MARKET, 0, BUY, 0, 9)))
    assert (exchange.volume, exchange.live, exchange.refused) == (5, 0, 0)


def test_what_says_nothing_is_counted_and_changes_nothing(exchange) -> None:
    exchange.apply(operations((PLACE, 1, BUY, 5, 5)))
    exchange.apply(operations((PLACE, 1, BUY, 6, 5), (PLACE, 2, BUY, 6, 0), (MARKET, 3, 2, 0, 1)))
    exchange.apply(operations((CANCEL, 9, BUY, 0, 0), (7, 4, BUY, 1, 1)))
    assert (exchange.refused, exchange.live, exchange.best(BUY)) == (5, 1, (5, 5))


def test_another_dtype_is_refused_and_so_are_numbers_beyond_the_bounds() -> None:
    with pytest.raises(TypeError, match="expected an array of OPERATION_DTYPE, found int64"):
        Exchange().apply(np.zeros(3, np.int64))
    with pytest.raises(ValueError, match=r"operation 1 asks for 1 lots at 4611686018427387904 ticks: expected at most 2\*\*58"):
        Exchange().apply(operations((PLACE, 1, BUY, 1, 1), (PLACE, 2, SELL, 1 << 62, 1)))
