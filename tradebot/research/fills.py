"""The fills of a run as exact money: the books a second time, from nothing but what was filled.

The ledger in `_core` posts as it goes. This file adds up ticks times lots as whole numbers, turns the sum
into money once at the end, and so can accuse the ledger. It keeps the ledger's rounding, which is why the two
must be equal to the last unit: what was paid is rounded down once over all trades (the ledger carries the
remainder), what is held is rounded down at the middle price, a fee in the base asset is valued at its trade's
price and rounded down, and so are the whole lots that such fees took out of the position.

Money is an int of 1e-8 quote units everywhere; between, sums are ints of half-ticks times lots, which is
exact because a middle price is half a number of ticks; `valuation` has the rule for inverse contracts. No float is used.

Contracts: a liquidation is a fill of no order, marked prices are the venue's marks where it told any, and funding comes from the
FUNDING_PAID facts. For them money is in the asset that the contract settles in.
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
from tradebot.research.valuation import held_units, trade_values, units_down, units_nearest

Integers = npt.NDArray[np.int64]
Key = tuple[int, int]  # (strategy, instrument)


class Book(Struct, frozen=True, kw_only=True):
    """What one strategy did in one instrument; money in units of 1e-8 of the settle asset.

    `moved` is by how many lots each fill changed the position: the trade, less what fees in base took with it. `gross` is
    marked at `middle2`, the last bid + ask in ticks, or twice the last mark of a contract, and is before `fees` and
    `funding`, which are positive where they were paid; `spread` is what the fills earned against the middle price at the
    venue just before each of them; `unmarked` counts the fills where that middle was not known.
    """

    strategy: int
    instrument: Instrument
    fills: Records
    moved: Integers
    fees_each: Integers
    middle2: int
    position_lots: int
    gross: int
    spread: int
    fees: int
    funding: int
    liquidations: int
    turnover: int
    maker_turnover: int
    maker_fees: int
    unmarked: int

    @property
    def key(self) -> Key:
        return self.strategy, self.instrument.id


def all_fills(facts: Records) -> Records:
    """The ORDER_FILLED and LIQUIDATED facts, in order."""
    return np.asarray(facts[(facts["kind"] == Kind.ORDER_FILLED) | (facts["kind"] == Kind.LIQUIDATED)])


def all_funding(facts: Records) -> Records:
    """The FUNDING_PAID facts, in order."""
    return np.asarray(facts[facts["kind"] == Kind.FUNDING_PAID])


def books(run: RunFiles) -> list[Book]:
    """One book per strategy and instrument that filled or was sampled, in the order of their numbers."""
    fills, funding = all_fills(run.facts), all_funding(run.facts)
    return [
        _book(run, key, fills[_of_key(fills, "owner", key)], funding[_of_key(funding, "owner", key)])
        for key in keys(run, fills)
    ]


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


def fees_in_settle(fills: Records, instrument: Instrument, assets: list[str], price: str = "") -> Integers:
    """The fee of each fill in money units of the settle asset, rounded down; a spot fee in the base asset is valued at the
    price of its trade, one of a third asset at `price`. Raises NotBuiltYet on an asset without a price."""
    fees = np.array(fills["fee"], dtype=np.int64)
    worth = Fraction(*instrument.notional_ratio) / Fraction(*instrument.base_ratio)  # of a base unit, a tick
    for index in np.flatnonzero(fees).tolist():
        number = int(fills["fee_asset"][index])
        asset = assets[number] if number < len(assets) else f"number {number}"
        if asset == instrument.settle:
            continue
        if asset == instrument.base and not instrument.is_contract:
            fees[index] = math.floor(worth * int(fees[index]) * int(fills["price"][index]))
        elif price:
            fees[index] = math.floor(Fraction(price) * int(fees[index]))
        else:
            raise NotBuiltYet(
                f"expected fees in {instrument.quote} or {instrument.base}, found asset {asset} in fill "
                f"{index}; name one of the two as the fee asset in the run's costs"
            )
    return fees


def lots_taken(fills: Records, instrument: Instrument, assets: list[str]) -> Integers:
    """The lots that fees in the base asset took out of the position with each fill: whole ones, each when the fees begin it."""
    taken = np.zeros(len(fills), dtype=np.int64)
    if instrument.is_contract or instrument.base not in assets:
        return taken
    numerator, denominator = instrument.base_ratio
    paid = before = 0
    for index in np.flatnonzero((fills["fee_asset"] == assets.index(instrument.base)) & (fills["fee"] != 0)).tolist():
        paid += int(fills["fee"][index]) * denominator
        taken[index] = -(-paid // numerator) - before
        before += int(taken[index])
    return taken


def gross(fills: Records, taken: Integers, middle2: int, instrument: Instrument) -> int:
    """Money units received less paid, what is held marked at half of `middle2` and what fees took at its trade's price;
    rounded as the ledger rounds."""
    lots = signed_lots(fills).tolist()
    paid = sum(trade_values(instrument, lots, (2 * fills["price"]).tolist()))
    held = held_units(instrument, sum(lots) - sum(taken.tolist()), middle2)
    with_fees = np.flatnonzero(taken)
    left = trade_values(instrument, taken[with_fees].tolist(), (2 * fills["price"][with_fees]).tolist())
    return held + sum(units_down(instrument, value) for value in left) - units_down(instrument, paid)


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


def _book(run: RunFiles, key: Key, fills: Records, funding: Records) -> Book:
    instrument = run.manifest.instrument(key[1])
    lots, price2 = signed_lots(fills), 2 * fills["price"]
    fees_each = fees_in_settle(fills, instrument, run.manifest.assets, run.manifest.costs.fee_price)
    taken = lots_taken(fills, instrument, run.manifest.assets)
    position, middle2, maker = sum((lots - taken).tolist()), _last_middle2(run, key), is_maker(fills)
    if position and not middle2:
        raise BadContainer(
            f"expected a sample with bid and ask to mark the position in {instrument.name}, found none; "
            "run the backtest again"
        )
    known = fills["trigger"] != 0
    at_middle = trade_values(instrument, lots[known].tolist(), fills["trigger"][known].tolist())
    at_price = trade_values(instrument, lots.tolist(), price2.tolist())
    at_known = [value for value, is_known in zip(at_price, known.tolist(), strict=True) if is_known]
    at_maker = [abs(value) for value, is_own in zip(at_price, maker.tolist(), strict=True) if is_own]
    return Book(
        strategy=key[0],
        instrument=instrument,
        fills=fills,
        moved=lots - taken,
        fees_each=fees_each,
        middle2=middle2,
        position_lots=position,
        gross=gross(fills, taken, middle2, instrument),
        spread=units_nearest(instrument, sum(at_middle) - sum(at_known)),
        fees=sum(fees_each.tolist()),
        funding=sum(funding["fee"].tolist()),
        liquidations=int(np.count_nonzero(fills["kind"] == Kind.LIQUIDATED)),
        turnover=units_nearest(instrument, sum(map(abs, at_price))),
        maker_turnover=units_nearest(instrument, sum(at_maker)),
        maker_fees=sum(fees_each[maker].tolist()),
        unmarked=int(np.count_nonzero(~known)),
    )


def _last_middle2(run: RunFiles, key: Key) -> int:
    samples = samples_of(run, key)
    if len(samples) and samples["mark"][-1] > 0:
        return int(2 * samples["mark"][-1])
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
    earned = book.gross - book.funding
    if earned != total:
        yield f"{name}: gross P&L is {money_text(earned)} by the fills, {money_text(total)} by the ledger"
    if book.fees != last["fees"]:
        fees = money_text(int(last["fees"]))
        yield f"{name}: fees are {money_text(book.fees)} by the fills, {fees} by the ledger"
