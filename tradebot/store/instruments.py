"""Instruments by name: how one is made from a few words, and how people find one.

The id is a checksum of symbol, venue and version, so that every store gives an instrument the same number.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final
from zlib import crc32

from tradebot.domain.errors import UnknownInstrument, UsageError
from tradebot.domain.instrument import INVERSE, LINEAR, SPOT, Instrument, split_name
from tradebot.domain.units import parse_decimal

_RATIO_MAX: Final = 1 << 62
_DIGITS_MAX: Final = 18
LIST_REMEDY = "see `tradebot data list`, or bring ticks with `tradebot data import`"


def instrument_id(symbol: str, venue: str, version: int) -> int:
    return crc32(f"{symbol}@{venue}#{version}".encode())


def make_instrument(
    name: str, tick: str, lot: str, multiplier: str = "1", version: int = 1, valid_from_ns: int = 0
) -> Instrument:
    """The instrument of that name: "BASE/QUOTE@venue" is spot, ":QUOTE" or ":BASE" behind it a linear or inverse contract, a
    perpetual where no date follows, as in ":QUOTE-240628".

    Raises UsageError where the name, tick, lot or multiplier is not one.
    """
    symbol, venue = split_name(name)
    pair, _, settled = symbol.partition(":")
    settle, dash, date = settled.partition("-")
    base, slash, quote = pair.partition("/")
    kinds = {"": SPOT, quote: LINEAR, base: INVERSE}
    is_settled = settle in kinds and pair + ":" != symbol and (not dash or (settle and is_date(date)))
    if not (base and slash and quote and venue) or base == quote or not is_settled:
        raise UsageError(
            'expected an instrument such as "BTC/USD@bitstamp" or "BTC/USDT:USDT@binance-linear", ' f"found {name!r}"
        )
    instrument = Instrument(
        id=instrument_id(symbol, venue, version),
        symbol=symbol,
        venue=venue,
        base=base,
        quote=quote,
        tick=tick,
        lot=lot,
        kind=kinds[settle],
        multiplier=multiplier,
        version=version,
        valid_from_ns=valid_from_ns,
    )
    check_steps(instrument)
    return instrument


def is_date(text: str) -> bool:
    """YYMMDD, as ccxt writes the day on which a future settles."""
    return len(text) == 6 and text.isdecimal() and 1 <= int(text[2:4]) <= 12 and 1 <= int(text[4:]) <= 31


def spot_instrument(name: str, tick: str, lot: str, version: int = 1) -> Instrument:
    """The spot instrument "BASE/QUOTE@venue". Raises UsageError where the name, tick or lot is not one."""
    instrument = make_instrument(name, tick, lot, version=version)
    if instrument.kind != SPOT:
        raise UsageError(f'expected a spot instrument such as "BTC/USD@bitstamp", found {name!r}')
    return instrument


def check_steps(instrument: Instrument) -> None:
    """Raises UsageError where tick, lot or multiplier is none that the core can count with."""
    steps = {"tick": instrument.tick, "lot": instrument.lot, "multiplier": instrument.multiplier}
    for what, text in steps.items():
        try:
            value = parse_decimal(text)
        except ValueError as error:
            raise UsageError(f"expected a {what} for {instrument.name}: {error}") from error
        if not value > 0:
            raise UsageError(f"expected a positive {what} for {instrument.name}, found {text}")
        if abs(value.adjusted()) > _DIGITS_MAX:
            raise UsageError(f"expected a {what} between 1e-18 and 1e18 for {instrument.name}, found {text[:40]}")
    _check_ratios(instrument)


def _check_ratios(instrument: Instrument) -> None:
    """What the core computes with must fit its integers, with room for a product."""
    ratios = (
        instrument.tick_size.as_integer_ratio(), instrument.lot_size.as_integer_ratio(), instrument.notional_ratio,
        instrument.base_ratio,
    )  # fmt: skip
    if max(max(ratio) for ratio in ratios) > _RATIO_MAX:
        raise UsageError(
            f"expected a tick, a lot and a multiplier for {instrument.name} whose product is between 1e-18 and 1e18, found tick "
            f"{instrument.tick}, lot {instrument.lot} and multiplier {instrument.multiplier}"
        )


def find_instrument(known: Sequence[Instrument], text: str) -> Instrument:
    """The newest version of "BTC/USD@bitstamp", or of "BTC/USD" where one venue has it. Raises
    UnknownInstrument.
    """
    symbol, venue = split_name(text)
    found = [one for one in known if one.symbol == symbol and venue in (None, one.venue)]
    names = sorted({one.name for one in found})
    if len(names) > 1:
        raise UnknownInstrument(
            f"expected one instrument for {text!r}, found {', '.join(names)}; add the @venue"
        )
    if not found:
        raise UnknownInstrument(f"expected a known instrument, found {text!r}; {_nearest(known, text)}")
    return max(found, key=lambda one: one.version)


def _nearest(known: Sequence[Instrument], text: str) -> str:
    names = sorted({one.name for one in known})
    if not names:
        return f"the store holds none yet; {LIST_REMEDY}"
    nearest = get_close_matches(text, names, n=1, cutoff=0.0)
    return f"the nearest is {nearest[0]}; {LIST_REMEDY}"
