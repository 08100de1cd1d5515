"""Instruments as a venue lists them, and finer where its book is."""

import pytest

from tradebot.domain.errors import UsageError
from tradebot.feeds.feed import Listing
from tradebot.store.listings import decimals_of, listed_instrument, refine

LISTING = Listing("AAAUSD", "AAA/USD", "0.0100", "1.00000000", quantity_min="2.0", notional_min="10.00")


def test_a_listing_is_an_instrument_without_the_zeros() -> None:
    made = listed_instrument(LISTING, "venue")
    assert (made.name, made.tick, made.lot) == ("AAA/USD@venue", "0.01", "1")
    assert (made.quantity_min, made.notional_min, made.kind) == ("2", "10", "spot")


def test_a_listing_without_a_tick_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a positive tick"):
        listed_instrument(LISTING._replace(tick="0"), "venue")


def test_orders_older_than_the_step_make_the_step_finer() -> None:
    made = listed_instrument(LISTING, "venue")
    assert refine(made, [b'[["1.00","3"],["1.230000","4.000","x"]]']) == made
    finer = refine(made, [b'[["1.00","3"]]', b'[ [ "1.001" , "11979.30000000" ] ]'])
    assert (finer.tick, finer.lot, finer.id) == ("0.001", "0.1", made.id)


def test_a_step_that_is_no_power_of_ten_stays_unless_a_level_lies_between() -> None:
    made = listed_instrument(LISTING._replace(tick="0.05"), "venue")
    assert refine(made, [b'[["1.10","1"]]']).tick == "0.05"
    assert refine(made, [b'[["1.12","1"]]']).tick == "0.01"
    assert refine(made, [b'[["1.1","1"],["1.5","1"],["1.3","1"]]']).tick == "0.05"


def test_decimals_are_counted_as_written() -> None:
    assert decimals_of(b'{"b":[["61773.6","1001"]],"a":[["61774.0","2.50"]]}') == (1, 2)
    assert decimals_of(b"{}") == (0, 0)
