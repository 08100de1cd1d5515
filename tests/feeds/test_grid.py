"""Text to integers: exact on the grid, refused off it, rounded only where a price has no grid."""

import pytest

from tests.feeds.support import SPOT
from tradebot.feeds.grid import WORD, Grid, power_of_ten, rate_word

GRID = Grid(SPOT)


LARGEST = "2882303761517117.44"  # 2**58 steps
TOO_LARGE = "2882303761517117.45"


@pytest.mark.parametrize(
    ("text", "ticks"), [("1.23", 123), ("1.230000", 123), ("0", 0), ("1e1", 1_000), (LARGEST, 2**58)]
)
def test_a_price_on_the_grid_is_a_number_of_ticks(text: str, ticks: int) -> None:
    assert GRID.ticks(text) == ticks


@pytest.mark.parametrize(
    "text",
    ["1.234", "", "-1", "--1", "nan", "inf", "1_0", " 1", "1,0", "0x1", TOO_LARGE, "1e400", "9" * 70, "1e999999999999999999"],
)
def test_what_is_no_price_of_the_grid_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        GRID.ticks(text)
    with pytest.raises(ValueError):
        GRID.ticks(text)


def test_lots_have_a_grid_of_their_own() -> None:
    assert GRID.lots("0.3") == 3
    with pytest.raises(ValueError, match=r"0\.35 is not a multiple of 0\.1"):
        GRID.lots("0.35")


@pytest.mark.parametrize(("text", "ticks"), [("1.234", 123), ("1.235", 124), ("1.245", 124), ("1.2450001", 125)])
def test_a_price_without_a_grid_goes_to_the_nearest_tick(text: str, ticks: int) -> None:
    assert GRID.nearest_ticks(text) == ticks


@pytest.mark.parametrize("text", ["", "-1", "1e30", "1e999999", "x"])
def test_what_is_no_price_at_all_has_no_nearest_tick(text: str) -> None:
    with pytest.raises(ValueError):
        GRID.nearest_ticks(text)


def test_a_rate_is_counted_in_billionths_of_a_thousandth_and_may_be_negative() -> None:
    assert rate_word("0.00038167") == 381_670_000
    assert rate_word("-0.0001") == WORD - 100_000_000
    for text in ("0.0000000000001", "1e20", ""):
        with pytest.raises(ValueError):
            rate_word(text)


def test_decimals_make_a_step() -> None:
    assert [power_of_ten(decimals) for decimals in (0, 1, 8)] == ["1", "0.1", "0.00000001"]
