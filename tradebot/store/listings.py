"""From what a venue says of an instrument to the instrument version that the store keeps.

A venue's step says what new orders must keep to. Orders older than the step rest on in its book, off the grid: a book with
one of them could not be recorded at all. So a recording's levels are looked at, and where they are finer than the venue's
step, so is the step of the instrument that is offered.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace

from tradebot.domain.instrument import Instrument
from tradebot.domain.units import parse_decimal
from tradebot.feeds.feed import Listing
from tradebot.feeds.grid import DECIMALS_MAX, power_of_ten
from tradebot.store.instruments import make_instrument

_LEVEL: Final = re.compile(rb'\[\s*"(\d+(?:\.\d+)?)"\s*,\s*"(\d+(?:\.\d+)?)"')


def listed_instrument(listing: Listing, venue: str) -> Instrument:
    """The first version of it. Raises UsageError where name, tick, lot or multiplier is none."""
    tick, lot, multiplier = (_short(text) for text in (listing.tick, listing.lot, listing.multiplier))
    made = make_instrument(f"{listing.symbol}@{venue}", tick, lot, multiplier)
    return replace(made, quantity_min=_short(listing.quantity_min), notional_min=_short(listing.notional_min))


def refine(instrument: Instrument, bodies: Iterable[bytes]) -> Instrument:
    """With a tick and lot fine enough for the levels, `["price","quantity"...]`, in these messages."""
    levels = [level for body in bodies for level in _LEVEL.findall(body)]
    tick = _finer(instrument.tick, instrument.ticks, {price.decode() for price, _ in levels})
    lot = _finer(instrument.lot, instrument.lots, {quantity.decode() for _, quantity in levels})
    return replace(instrument, tick=tick, lot=lot)


def decimals_of(body: bytes) -> tuple[int, int]:
    """How many decimals prices and quantities of a message's levels have; a level finer than any step is left out."""
    found = [[len(text.partition(b".")[2]) for text in level] for level in _LEVEL.findall(body)]
    found = [one for one in found if max(one) <= DECIMALS_MAX] or [[0, 0]]
    return max(prices for prices, _ in found), max(quantities for _, quantities in found)


def _finer(step: str, count: Callable[[str], int], texts: set[str]) -> str:
    """The step where all texts are on its grid, else the power of ten that they need."""
    written = [len(_short(text).partition(".")[2]) for text in texts if not _fits(count, text)]
    decimals = [one for one in written if one <= DECIMALS_MAX]
    if not decimals:
        return step
    needed = power_of_ten(max(*decimals, len(step.partition(".")[2])))
    return needed if parse_decimal(needed) < parse_decimal(step) else step


def _fits(count: Callable[[str], int], text: str) -> bool:
    try:
        count(text)
    except ValueError:
        return False
    return True


def _short(text: str) -> str:
    """Without the zeros that venues fill up with."""
    whole, point, fraction = text.partition(".")
    return whole + (point + rest if (rest := fraction.rstrip("0")) else "") if point else text
