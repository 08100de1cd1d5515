"""docs/orders.md: each of its examples runs over the small market that it names, and does what stands beside it."""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from tests.strategies.support import book, row, run
from tradebot import Strategy
from tradebot._core.merge import Merge
from tradebot._core.types import Flag, Kind

PAGE: Final = (Path(__file__).parents[2] / "docs" / "orders.md").read_text()

Fills = list[tuple[bool, float, float]]


def examples() -> dict[str, type[Strategy]]:
    """The one class of each block, by name."""
    found = {}
    for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        names: dict[str, object] = {"Strategy": Strategy}
        exec(text, names)
        ((name, kind),) = [(name, one) for name, one in names.items() if isinstance(one, type) and one is not Strategy]
        found[name] = kind
    return found


EXAMPLES: Final = examples()


def told(*prices: float) -> list[np.ndarray]:
    """Trades a second apart at prices in quote units."""
    return [row(1 + at, Kind.TRADE, int(price * 2), 1) for at, price in enumerate(prices)]


def moved(seconds: float, bid: float, ask: float) -> list[np.ndarray]:
    """Another book in the place of the first."""
    return [
        row(seconds, Kind.L3_DELETE, 0, 0, 1), row(seconds, Kind.L3_DELETE, 0, 0, 2, Flag.SELL),
        row(seconds, Kind.L3_ADD, int(2 * bid), 1_000, 3), row(seconds, Kind.L3_ADD, int(2 * ask), 1_000, 4, Flag.SELL),
    ]  # fmt: skip


def played(name: str, *rows: np.ndarray) -> tuple[Fills, Merge]:
    """What an example bought and sold: (is_sell, price, quantity)."""
    fills: Fills = []

    class Watched(EXAMPLES[name]):  # type: ignore[misc]
        def on_fill(self, fill) -> None:
            fills.append((fill.is_sell, fill.price, fill.quantity))
            super().on_fill(fill)

    merge = run(Watched(), [*book(), *rows])
    assert merge.kernel.failures == []
    return fills, merge


def open_orders(merge: Merge) -> list[tuple[float, float]]:
    """(limit, quantity) of what is open at the end."""
    return [(one[1] / 2, one[2] / 1_000) for one in merge.kernel.snapshot()[8]]


def test_every_example_of_the_page_is_run_here() -> None:
    assert set(EXAMPLES) == set(CASES) | {"Plain", "Chase"}


DOWN, UP = [*moved(3.5, 95, 97), *told(101, 101, 101, 95, 95)], [*moved(3.5, 105.5, 106), *told(101, 101, 101, 105.5, 105.5)]
CASES: Final = {
    "Breakout": [
        (told(101, 102, 102), []),
        (told(101, 101, 103, 103), [(False, 101.0, 0.01)]),
        ([*told(101, 101, 101, 97, 97), *moved(3.5, 97, 98)], [(False, 98.0, 0.01)]),
    ],
    "Follow": [
        (told(101, 101, 104, 103, 103), [(False, 101.0, 0.01)]),
        (told(101, 101, 104, 102, 102), [(False, 101.0, 0.01), (True, 100.0, 0.01)]),
    ],
    "Guarded": [
        (DOWN, [(False, 101.0, 0.01), (True, 95.0, 0.01)]),
        (UP, [(False, 101.0, 0.01), (True, 105.0, 0.01)]),
    ],
    "Tighten": [(told(101, 101, 101, 97, 101), [(False, 101.0, 0.01), (True, 100.0, 0.01)])],
    "Steer": [(told(101, 101, 101, 101, 101), [(False, 101.0, 0.03), (True, 100.0, 0.02)])],
    "Part": [(told(101, 101, 101, 101), [(False, 101.0, 0.02), (True, 100.0, 0.02)])],
}


@pytest.mark.parametrize(("name", "at"), [(name, at) for name, cases in CASES.items() for at in range(len(cases))])
def test_an_example_trades_what_stands_beside_it(name: str, at: int) -> None:
    rows, fills = CASES[name][at]
    rows = sorted(rows, key=lambda one: int(one["time_ns"][0]))
    assert played(name, *rows)[0] == fills


def test_plain_orders_take_rest_and_stand_aside() -> None:
    fills, merge = played("Plain", *told(101, 101))
    assert fills == [(False, 101.0, 0.01)]
    assert open_orders(merge) == [(99.0, 0.01), (103.0, 0.01)]


def test_an_order_that_chases_keeps_its_id_and_takes_the_new_price_and_size() -> None:
    fills, merge = played("Chase", *told(101, 101, 101))
    assert fills == [] and open_orders(merge) == [(100.0, 0.008)]
    assert merge.kernel.orders == 1
