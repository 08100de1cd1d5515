"""Every change of a balance in a run, by name: the journal of its books, made from nothing but its facts.

Opening balances and these postings give the closing balances to the last unit; `balance_differences` holds the ledger to that. A
spot trade posts its value to the quote asset and what was bought or sold to the base asset; a contract what its trade realised
to the asset it settles in. Fees, funding, and what a liquidation left are postings of their own. Amounts are money units,
positive where the account received.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import Final

import numpy as np
from msgspec import Struct

from tradebot._core.types import Flag
from tradebot.domain.instrument import Instrument
from tradebot.domain.orders import Kind
from tradebot.domain.units import money_from_text, money_text
from tradebot.research.results import RunFiles
from tradebot.research.valuation import trade_values, units_down

KINDS: Final = (int(Kind.ORDER_FILLED), int(Kind.FUNDING_PAID), int(Kind.LIQUIDATED))


class Posting(Struct, frozen=True):
    """`row` is the fact that caused it; `what` is value, base, realised, fee, funding or liquidation."""

    row: int
    time_ns: int
    strategy: int
    instrument: int
    what: str
    asset: str
    amount: int


class Position:
    """What is held of one instrument by one strategy, with the ledger's rules of rounding."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.held = self.cost = self.traded = self.posted = 0

    def trade(self, lots: int, ticks: int) -> tuple[int, int]:
        """(value posted, profit realised) of a trade of signed lots."""
        self.traded += trade_values(self.instrument, (lots,), (2 * ticks,))[0]
        value = units_down(self.instrument, self.traded) - self.posted
        self.posted += value
        held, self.held = self.held, self.held + lots
        if held == 0 or (held > 0) == (lots > 0):
            self.cost += value
            return value, 0
        closed = min(abs(lots), abs(held))
        released, of_closed = self.cost * closed // abs(held), value * closed // abs(lots)
        self.cost += value - of_closed - released
        return value, -of_closed - released


def postings(run: RunFiles) -> Iterator[Posting]:
    """All of them, in the order of the facts."""
    positions: dict[tuple[int, int], Position] = {}
    for row in np.flatnonzero(np.isin(run.facts["kind"], KINDS)).tolist():
        fact = run.facts[row]
        key = int(fact["owner"]), int(fact["instrument"])
        position = positions.get(key) or positions.setdefault(key, Position(run.manifest.instrument(key[1])))
        for what, asset, amount in _changes(fact, position, run.manifest.assets):
            yield Posting(row, int(fact["time_ns"]), *key, what, asset, amount)


def closing_balances(run: RunFiles) -> dict[str, int]:
    """Opening balances and all postings, by asset."""
    totals = {asset: money_from_text(run.manifest.opening.get(asset, "0")) for asset in run.manifest.assets}
    for one in postings(run):
        totals[one.asset] += one.amount
    return totals


def balance_differences(run: RunFiles) -> list[str]:
    """Where the ledger's closing balances are not opening and postings, one line each; empty where they agree."""
    if not run.manifest.closing:
        return []
    return [
        f"the balance of {asset} is {money_text(total)} by the postings, {run.manifest.closing[asset]} by the ledger"
        for asset, total in closing_balances(run).items()
        if total != money_from_text(run.manifest.closing[asset])
    ]


def _changes(fact: np.void, position: Position, assets: list[str]) -> Iterator[tuple[str, str, int]]:
    instrument, fee_asset, fee = position.instrument, assets[int(fact["fee_asset"])], -int(fact["fee"])
    if fact["kind"] == Kind.FUNDING_PAID:
        yield "funding", fee_asset, fee
        return
    lots = int(fact["quantity"]) * (-1 if fact["flags"] & Flag.SELL else 1)
    value, realised = position.trade(lots, int(fact["price"]))
    if instrument.is_contract:
        yield "realised", instrument.settle, realised
    else:
        yield "value", instrument.quote, -value
        yield "base", instrument.base, floor(lots * Fraction(*instrument.base_ratio))
    yield "liquidation" if fact["kind"] == Kind.LIQUIDATED else "fee", fee_asset, fee
