"""What engine, gateway and venue do not agree on, as a list; pure, from books that are of one instant.

Quantities, terms of orders and positions are compared as they are. Money is compared to the unit, as `own_book` says.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from tradebot.domain.instrument import Instrument
from tradebot.domain.links import VenueBooks
from tradebot.engine.own_book import OwnBook, Terms
from tradebot.engine.plan import Plan

Fills = Mapping[int, tuple[int, int, int, int]]  # trade id: order, lots, price, the venue's time


class Difference(Struct, frozen=True, kw_only=True):
    """One thing on which the books do not agree, each as text; None where a book does not have it."""

    what: str  # order, fill, position or balance
    of: str
    engine: str | None
    gateway: str | None = None
    venue: str | None

    def text(self) -> str:
        gateway = f", the gateway {self.gateway or 'none'}" if self.what == "order" else ""
        return f"{self.what} {self.of}: the engine has {self.engine or 'none'}{gateway}, the venue {self.venue or 'none'}"


def find_differences(plan: Plan, own: OwnBook, fills: Fills, books: VenueBooks) -> Iterator[Difference]:
    """All of it, in a fixed order: orders, fills, positions, balances."""
    yield from order_differences(plan, own, books)
    yield from fill_differences(fills, books)
    yield from position_differences(plan, own, books)
    yield from balance_differences(plan, own, books)


def held_terms(own: OwnBook, books: VenueBooks) -> dict[int, Terms]:
    """Orders as the gateway has them."""
    return {
        one.client_id: Terms(one.price, one.quantity, one.filled, 0 if one.client_id in own.following else one.trigger)
        for one in books.held
    }


def venue_terms(own: OwnBook, books: VenueBooks) -> dict[int, Terms]:
    """Open orders as the venue has them; a trigger that was met, or that it moves, is none."""
    gone = own.following | {one.client_id for one in books.open_orders if one.is_triggered}
    return {
        one.client_id: Terms(one.price, one.quantity, one.filled, 0 if one.client_id in gone else one.trigger)
        for one in books.open_orders
    }


def instruments_of(plan: Plan, own: OwnBook, books: VenueBooks) -> dict[int, Instrument]:
    """Of what each order is, as far as anybody knows."""
    numbered = {one.id: one for one in plan.instruments}
    told = {one.client_id: one.instrument for one in books.open_orders} | {one.client_id: one.instrument for one in books.held}
    return {order: numbered[number] for order, number in told.items() if number in numbered} | own.instruments


def order_differences(plan: Plan, own: OwnBook, books: VenueBooks) -> Iterator[Difference]:
    """Open orders that are not in all three books, or on other terms, or filled differently."""
    three = own.orders, held_terms(own, books), venue_terms(own, books)
    instruments = instruments_of(plan, own, books)
    for order in sorted({number for book in three for number in book} - own.busy):
        found = [book.get(order) for book in three]
        if any(one != found[0] for one in found):
            engine, gateway, venue = (None if one is None else one.text(instruments.get(order)) for one in found)
            yield Difference(what="order", of=str(order), engine=engine, gateway=gateway, venue=venue)


def fill_differences(fills: Fills, books: VenueBooks) -> Iterator[Difference]:
    """Fills that one side does not have, or has otherwise."""
    engine = {number: _fill_text(*fill[:3]) for number, fill in fills.items()}
    venue = {one.trade_id: _fill_text(one.client_id, one.lots, one.price) for one in books.trades}
    for trade in sorted({*engine, *venue}):
        if engine.get(trade) != venue.get(trade):
            yield Difference(what="fill", of=str(trade), engine=engine.get(trade), venue=venue.get(trade))


def _fill_text(order: int, lots: int, price: int) -> str:
    return f"{lots} lots at {price} ticks of order {order}"


def position_differences(plan: Plan, own: OwnBook, books: VenueBooks) -> Iterator[Difference]:
    """Lots of contracts, net of all strategies; a position of an instrument that is none of the run's is one, too."""
    names = {one.id: one.name for one in plan.instruments}
    venue = {one.instrument: one.lots for one in books.positions}
    for number in sorted({*own.positions, *venue}):
        ours, theirs = own.positions.get(number, 0), venue.get(number, 0)
        if ours != theirs:
            of = names.get(number, f"in instrument {number}")
            yield Difference(what="position", of=of, engine=f"{ours} lots", venue=f"{theirs} lots")


def balance_differences(plan: Plan, own: OwnBook, books: VenueBooks) -> Iterator[Difference]:
    """In money units, with open positions at what the venue says they cost. What a venue does not tell is nothing."""
    for number, asset in enumerate(plan.assets):
        told = books.balances.get(asset, 0)
        ours = own.balance(number, venue_cost(plan, books, asset), told)
        if ours != told:
            venue = str(told) if asset in books.balances else None
            yield Difference(what="balance", of=asset, engine=str(ours), venue=venue)


def venue_cost(plan: Plan, books: VenueBooks, asset: str) -> int:
    """What the open positions that settle in an asset cost, as the venue has it."""
    settled = {one.id for one in plan.instruments if one.is_contract and one.settle == asset}
    return sum(one.cost for one in books.positions if one.instrument in settled)
