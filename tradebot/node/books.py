"""The three books of the last comparison, for people: engine, gateway and venue side by side.

They are those of the instant of the round, so that what has happened since does not look like a difference.
"""

from typing import Any

import msgspec

from tradebot.domain.units import money_text
from tradebot.engine.plan import Plan
from tradebot.engine.session import Session


def books_of(session: Session, plan: Plan) -> dict[str, Any]:
    """Round, result and books; all empty before the first round."""
    found = session.reconciling
    engine, books = found.engine, found.books
    answer: dict[str, Any] = {
        "round": found.compared_round,
        "equal": books is not None and not found.differences,
        "differences": [msgspec.to_builtins(one) | {"text": one.text()} for one in found.differences],
        "gate": found.gate.value,
        "compared_ns": found.compared_ns,
    }
    if books is None or engine is None:
        return answer
    held = {one.client_id for one in books.held}
    return answer | {
        "engine": {
            "orders": {str(order): f"{filled} filled" for order, filled in engine.orders.items()},
            "fills": engine.fills,
            "balances": {asset: money_text(total) for asset, total in zip(plan.assets, engine.balances, strict=True)},
        },
        "gateway": {
            "orders": {str(one.client_id): f"{one.filled} filled" for one in books.held},
            "unknown": [],  # a round waits until there is none
        },
        "venue": {
            "orders": {str(one.client_id): f"{one.filled} filled" for one in books.open_orders},
            "fills": len(books.trades),
            "balances": {asset: money_text(total) for asset, total in sorted(books.balances.items())},
            "strangers": [one.client_id for one in books.open_orders if one.client_id not in held],
        },
    }
