"""What the engine holds at one instant, in the terms in which a venue tells its own.

A balance of an asset in which contracts settle cannot be held against a venue's wallet as it stands: which part of a position's
cost a closing trade released is a choice. The engine keeps a position for each strategy and rounds the cost it releases; an
exchange nets the account. So both sides are compared as *cash*, what is left when the cost of open positions is taken out:

    cash = balance - sum of cost = opening - sum of the values traded - fees - funding

No choice is in it, only the rounding of values, and that is known. A position carries what was rounded off its values
(`remainder`), so that cash comes out exactly: on spot and of linear contracts to the last digit, of an inverse contract but for
what each trade was taken up, less than 2^-30 of a unit. The base asset of a spot fill is rounded down for each trade, by less
than a unit, where a lot is no whole number of units. The exact cash is therefore at least `least`, and above it by less than that
much for each fill; a venue that tells whole units, down, tells

    from floor(least) to floor(least + fills * what a fill was rounded by)

For all but an inverse contract and such a lot both ends are one number. Of inverse ones they are at most a unit apart until
after a thousand million fills, and mostly the same.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import Any, Final

from msgspec import Struct

from tradebot._core.kernel import Kernel
from tradebot.domain.instrument import INVERSE, Instrument
from tradebot.engine.plan import Plan

INVERSE_CARRY: Final = 1 << 30  # parts of a unit to which an inverse contract's value is taken up
INSTRUMENT, QUANTITY, COST, REMAINDER = 2, 4, 5, 8  # in the rows of `Kernel.positions`
MARKET, TRIGGER, TRAIL = 6, 13, 14  # in the rows of `Kernel.open_orders`


class Terms(Struct, frozen=True):
    """Of an open order, in ticks and lots. `trigger` is 0 where it waits for none, and where it follows the price: then the venue
    moves it and tells nobody.
    """

    price: int
    quantity: int
    filled: int
    trigger: int

    def text(self, instrument: Instrument | None) -> str:
        """For people; in ticks and lots where nobody knows of what instrument it is."""
        price, trigger = (
            f"{one} ticks" if instrument is None else instrument.price_text(one) for one in (self.price, self.trigger)
        )
        quantity = f"{self.quantity} lots" if instrument is None else instrument.quantity_text(self.quantity)
        filled = self.filled if instrument is None else instrument.quantity_text(self.filled)
        where = f"at {price}" if self.price else "at the market"
        return f"{quantity} {where}{f' from {trigger} on' if self.trigger else ''}, {filled} filled"


class OwnBook(Struct, frozen=True):
    """`fills` are those since the round before, `busy` the orders that are not compared. Positions are those of contracts, net of
    all strategies, by instrument; `cash` is by asset number, the least and the most that a venue can tell.
    """

    orders: dict[int, Terms]
    instruments: dict[int, Instrument]  # of the orders
    following: frozenset[int]  # orders whose trigger follows the price
    fills: int
    positions: dict[int, int]
    costs: dict[int, int]
    cash: list[tuple[int, int]]
    busy: frozenset[int]

    def balance(self, asset: int, cost: int, told: int) -> int:
        """Ours with open positions at what the venue says they cost; what it told, where that can be."""
        least, most = self.cash[asset]
        return min(max(told, least + cost), most + cost)


def read_book(plan: Plan, kernel: Kernel, fills: int = 0, busy: frozenset[int] = frozenset()) -> OwnBook:
    """What the kernel holds now."""
    orders = kernel.open_orders()
    held = [(plan.instruments[row[INSTRUMENT]], row) for row in kernel.positions()]
    contracts = [one for one in plan.instruments if one.is_contract]
    return OwnBook(
        orders={row[0]: Terms(row[1], row[2], row[3], 0 if row[TRAIL] else row[TRIGGER]) for row in orders},
        instruments={row[0]: plan.instruments[row[MARKET]] for row in orders},
        following=frozenset(row[0] for row in orders if row[TRAIL]),
        fills=fills,
        positions={one.id: sum(row[QUANTITY] for of, row in held if of is one) for one in contracts},
        costs={one.id: sum(row[COST] for of, row in held if of is one) for one in contracts},
        cash=list(read_cash(plan, kernel, held)),
        busy=busy,
    )


def read_cash(plan: Plan, kernel: Kernel, held: list[tuple[Instrument, tuple[Any, ...]]]) -> Iterator[tuple[int, int]]:
    """The least and the most that a venue's whole units of each asset can come to."""
    for asset, (_, total, _) in zip(plan.assets, kernel.balances(), strict=True):
        least = total - sum(cost_in(one, row) for one, row in held if one.settle == asset)
        rounded = max((rounded_by(one, asset) for one in plan.instruments), default=Fraction(0))
        yield floor(least), floor(least + kernel.fills * rounded)


def cost_in(instrument: Instrument, row: tuple[Any, ...]) -> Fraction:
    """What a position's cost and the rest of its values are in the asset that it is paid in."""
    parts = INVERSE_CARRY if instrument.kind == INVERSE else instrument.notional_ratio[1]
    return (row[COST] if instrument.is_contract else 0) + Fraction(row[REMAINDER], parts)


def rounded_by(instrument: Instrument, asset: str) -> Fraction:
    """What one fill can at most have been rounded against us in an asset, beyond the remainder that is carried."""
    if instrument.kind == INVERSE:
        return Fraction(int(asset == instrument.base), INVERSE_CARRY)
    return Fraction(int(not instrument.is_contract and asset == instrument.base and instrument.base_ratio[1] > 1))
