"""The fills of a run as exact money: the books a second time, from nothing but what was filled.

The ledger in `_core` posts as it goes. This file adds up ticks times lots as whole numbers, turns the sum
into money once at the end, and so can accuse the ledger. It keeps the ledger's rounding, which is why the two
must be equal to the last unit: what was paid is rounded down once over all trades (the ledger carries the
remainder), what is held is rounded down at the middle price, a fee in the base asset is valued at its trade's
price and rounded down.

Money is an int of 1e-8 quote units everywhere; between, sums are ints of half-ticks times lots, which is
exact because a middle price is half a number of ticks. No float is used.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot._core.types import Flag
from tradebot.domain.errors import BadContainer, NotBuiltYet
from tradebot.domain.instrument import Instrument
from tradebot.domain.orders import Kind
from tradebot.domain.units import money_text
from tradebot.research.results import Records, RunFiles

Integers = npt.NDArray[np.int64]
Key = tuple[int, int]  # (strategy, instrument)


class Book(Struct, frozen=True, kw_only=True):
    """What one strategy did in one instrument; money in units of 1e-8 of the quote asset.

    `gross` is marked at `middle2`, the last bid + ask in ticks; `spread` is what the fills earned against the
    middle price at the venue just before each of them; `unmarked` counts the fills where that middle was not
    known.
    """

    strategy: int
    instrument: Instrument
    fills: Records
    fees_each: Integers
    middle2: int
    position_lots: int
    gross: int
    spread: int
    fees: int
    turnover: int
    maker_turnover: int
    maker_fees: int
    unmarked: int

    @property
    def key(self) -> Key:
        return self.strategy, self.instrument.id


def all_fills(facts: Records) -> Records:
    """The ORDER_FILLED facts, in order."""
    return np.asarray(facts[facts["kind"] == Kind.ORDER_FILLED])


def books(run: RunFiles) -> list[Book]:
    """One book per strategy and instrument that filled or was sampled, in the order of their numbers."""
    fills = all_fills(run.facts)
    return [_book(run, key, fills[_of_key(fills, "owner", key)]) for key in keys(run, fills)]


def keys(run: RunFiles, fills: Records) -> list[Key]:
    """Every (strategy, instrument) of the fills and samples, sorted."""
    pairs = (
        _pairs(fills["owner"], fills["instrument"]),
        _pairs(run.samples["strategy"], run.samples["instrument"]),
    )
    return [(pair >> 32, pair & 0xFFFF_FFFF) for pair in np.unique(np.concatenate(pairs)).tolist()]


def samples_of(run: RunFiles, key: Key) -> Records:
    """The samples of one strategy in one instrument, in time order."""
    return np.asarray(run.samples[_of_key(run.samples, "strategy", key)])


def signs(fills: Records) -> Integers:
    """+1 for a purchase, -1 for a sale."""
    return np.where(fills["flags"] & Flag.SELL, -1, 1).astype(np.int64)


def signed_lots(fills: Records) -> Integers:
    return np.asarray(signs(fills) * fills["quantity"], dtype=np.int64)


def is_maker(fills: Records) -> npt.NDArray[np.bool_]:
    return np.asarray(fills["flags"] & Flag.MAKER, dtype=np.bool_)


def exact_sum(left: Integers, right: Integers) -> int:
    """The sum of products, in Python integers: a tick times a lot already fills 57 bits, a sum of them would
    wrap."""
    return sum(a * b for a, b in zip(left.tolist(), right.tolist(), strict=True))


def money(half_ticks_lots: int, instrument: Instrument) -> int:
    """Money units of the quote asset for a number of half-ticks times lots; rounded once, half to even."""
    numerator, denominator = instrument.notional_ratio
    return round(Fraction(half_ticks_lots * numerator, 2 * denominator))


def fees_in_quote(fills: Records, instrument: Instrument, assets: list[str]) -> Integers:
    """The fee of each fill in money units of the quote asset; a fee in the base asset is valued at the price
    of its trade, rounded down. Raises NotBuiltYet on any other asset."""
    fees = np.array(fills["fee"], dtype=np.int64)
    worth = Fraction(*instrument.notional_ratio) / Fraction(*instrument.base_ratio)  # of a base unit, a tick
    for index in np.flatnonzero(fees).tolist():
        number = int(fills["fee_asset"][index])
        asset = assets[number] if number < len(assets) else f"number {number}"
        if asset == instrument.base:
            fees[index] = math.floor(worth * int(fees[index]) * int(fills["price"][index]))
        elif asset != instrument.quote:
            raise NotBuiltYet(
                f"expected fees in {instrument.quote} or {instrument.base}, found asset {asset} in fill "
                f"{index}; name one of the two as the fee asset in the run's costs"
            )
    return fees


def gross(fills: Records, middle2: int, instrument: Instrument) -> int:
    """Money units received less paid, what is held marked at half of `middle2`; rounded as the ledger
    rounds."""
    numerator, denominator = instrument.notional_ratio
    lots = signed_lots(fills)
    held = exact_sum(lots, np.full(len(lots), middle2, np.int64)) * numerator // (2 * denominator)
    return held - exact_sum(lots, fills["price"]) * numerator // denominator


def disagreements(run: RunFiles, books_: list[Book]) -> list[str]:
    """Where the ledger's last sample differs from the fills, one line each; empty when the books agree.

    The last sample of a strategy in an instrument must stand behind its last fill; position, P&L and fees
    must be equal to the last unit.
    """
    return [line for book in books_ for line in _book_disagreements(run, book)]


def _pairs(strategies: npt.NDArray[np.uint16], instruments: npt.NDArray[np.uint32]) -> Integers:
    """Strategy and instrument as one number: plain integers sort fast, structured pairs do not."""
    return np.unique(strategies.astype(np.int64) << 32 | instruments)


def _of_key(records: Records, owner: str, key: Key) -> npt.NDArray[np.bool_]:
    return np.asarray((records[owner] == key[0]) & (records["instrument"] == key[1]), dtype=np.bool_)


def _book(run: RunFiles, key: Key, fills: Records) -> Book:
    instrument = run.manifest.instrument(key[1])
    lots, price2 = signed_lots(fills), 2 * fills["price"]
    fees_each = fees_in_quote(fills, instrument, run.manifest.assets)
    position, middle2, maker = sum(lots.tolist()), _last_middle2(run, key), is_maker(fills)
    if position and not middle2:
        raise BadContainer(
            f"expected a sample with bid and ask to mark the position in {instrument.name}, found none; "
            "run the backtest again"
        )
    known = fills["trigger"] != 0
    return Book(
        strategy=key[0],
        instrument=instrument,
        fills=fills,
        fees_each=fees_each,
        middle2=middle2,
        position_lots=position,
        gross=gross(fills, middle2, instrument),
        spread=money(exact_sum(lots[known], (fills["trigger"] - price2)[known]), instrument),
        fees=sum(fees_each.tolist()),
        turnover=money(exact_sum(fills["quantity"], price2), instrument),
        maker_turnover=money(exact_sum(fills["quantity"][maker], price2[maker]), instrument),
        maker_fees=sum(fees_each[maker].tolist()),
        unmarked=int(np.count_nonzero(~known)),
    )


def _last_middle2(run: RunFiles, key: Key) -> int:
    samples = samples_of(run, key)
    both = np.flatnonzero((samples["bid"] > 0) & (samples["ask"] > 0))
    return int(samples["bid"][both[-1]] + samples["ask"][both[-1]]) if len(both) else 0


def _book_disagreements(run: RunFiles, book: Book) -> Iterator[str]:
    name = f"{run.manifest.strategy_name(book.strategy)} in {book.instrument.name}"
    samples = samples_of(run, book.key)
    if not len(samples):
        yield f"{name}: expected a sample of the ledger behind the last fill, found none"
        return
    last = samples[-1]
    if len(book.fills) and book.fills["time_ns"][-1] > last["time_ns"]:
        yield f"{name}: expected the ledger's last sample behind the last fill, found fills after it"
    if book.position_lots != last["position"]:
        yield f"{name}: position is {book.position_lots} lots by the fills, {last['position']} by the ledger"
    total = int(last["realised"]) + int(last["unrealised"])
    if book.gross != total:
        yield f"{name}: gross P&L is {money_text(book.gross)} by the fills, {money_text(total)} by the ledger"
    if book.fees != last["fees"]:
        fees = money_text(int(last["fees"]))
        yield f"{name}: fees are {money_text(book.fees)} by the fills, {fees} by the ledger"
