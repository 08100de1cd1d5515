"""The maker where there is no book: it quotes around the last price, once for each price, and leans against what it holds."""

import numpy as np

from tests.core.price_support import bar, graded, run_over
from tests.support import BUY
from tradebot._core.types import Flag, Kind, OrderType
from tradebot.engine.plan import Grade
from tradebot.strategies.maker import InventoryMaker

PARAMS = {"size": 0.01, "inventory_max": 0.05, "half_spread": 5.0, "skew": 0.0}


def orders(bars: list[np.ndarray], **params: float) -> list[tuple[int, int]]:
    """(side, ticks) of each order sent; a tick is 0.5."""
    facts = run_over(InventoryMaker({**PARAMS, **params}), np.concatenate(bars), graded(Grade.BARS))[1]
    placed = facts[facts["kind"] == Kind.PLACE_ORDER]
    assert set(placed["order_type"].tolist()) <= {int(OrderType.LIMIT)}
    return [(int(one["flags"]) & int(Flag.SELL), int(one["price"])) for one in placed]


def test_it_quotes_both_sides_around_the_close_and_only_again_when_that_has_moved() -> None:
    quiet = [bar(at, 2_000, 2_000, 2_000, 2_000, 100) for at in range(5)]
    assert orders(quiet) == [(BUY, 1_990), (int(Flag.SELL), 2_010)]
    moved = [*quiet, *(bar(at, 2_004, 2_004, 2_004, 2_004, 100) for at in range(5, 9))]
    assert orders(moved)[:2] == [(BUY, 1_990), (int(Flag.SELL), 2_010)]


def test_before_the_first_bar_it_does_nothing() -> None:
    assert orders([bar(0, 2_000, 2_000, 2_000, 2_000, 100)]) == []
