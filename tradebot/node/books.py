"""The three books of the last comparison, for people: engine, gateway and venue side by side.

They are those of the instant of the round, so that what has happened since does not look like a difference. The engine's balance
is shown as it was compared: open positions of contracts at what the venue says they cost. What they cost by either is beside it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tradebot.domain.instrument import Instrument
from tradebot.domain.links import VenueBooks
from tradebot.domain.units import money_text
from tradebot.engine.differences import held_terms, instruments_of, venue_cost, venue_terms
from tradebot.engine.own_book import OwnBook, Terms
from tradebot.engine.plan import Plan
from tradebot.engine.session import Session


def books_of(session: Session, plan: Plan) -> dict[str, Any]:
    """Round, result and books; all empty before the first round."""
    found = session.reconciling
    own, books = found.own, found.books
    answer: dict[str, Any] = {
        "round": found.compared_round,
        "equal": books is not None and not found.differences,
        "differences": [msgspec.to_builtins(one) | {"text": one.text()} for one in found.differences],
        "gate": found.gate.value,
        "compared_ns": found.compared_ns,
    }
    if books is None or own is None:
        return answer
    instruments = instruments_of(plan, own, books)
    return answer | {
        "engine": {
            "orders": order_texts(own.orders, instruments),
            "fills": own.fills,
            "positions": position_texts(plan, own.positions, own.costs),
            "balances": balance_texts(plan, own, books),
        },
        "gateway": {
            "orders": order_texts(held_terms(own, books), instruments),
            "unknown": [],  # a round waits until there is none
        },
        "venue": {
            "orders": order_texts(venue_terms(own, books), instruments),
            "fills": len(books.trades),
            "positions": position_texts(
                plan,
                {one.instrument: one.lots for one in books.positions},
                {one.instrument: one.cost for one in books.positions},
            ),
            "balances": {asset: money_text(total) for asset, total in sorted(books.balances.items())},
            "strangers": sorted(venue_terms(own, books).keys() - held_terms(own, books).keys()),
        },
    }


def order_texts(orders: Mapping[int, Terms], instruments: Mapping[int, Instrument]) -> dict[str, str]:
    return {str(order): terms.text(instruments.get(order)) for order, terms in orders.items()}


def position_texts(plan: Plan, lots: Mapping[int, int], costs: Mapping[int, int]) -> dict[str, dict[str, Any]]:
    """By name: lots, as many of the base unit or contracts, and what they cost in the settle asset. Those that are flat are left
    out.
    """
    known = {one.id: one for one in plan.instruments}
    found: dict[str, dict[str, Any]] = {}
    for number, count in lots.items():
        if not count:
            continue
        told: dict[str, Any] = {"lots": count, "cost": money_text(costs[number])}
        instrument = known.get(number)
        if instrument is not None:
            told |= {"quantity": instrument.quantity_text(count), "currency": instrument.settle}
        found[instrument.name if instrument else str(number)] = told
    return found


def balance_texts(plan: Plan, own: OwnBook, books: VenueBooks) -> dict[str, str]:
    return {
        asset: money_text(own.balance(number, venue_cost(plan, books, asset), books.balances.get(asset, 0)))
        for number, asset in enumerate(plan.assets)
    }
