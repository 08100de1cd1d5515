"""What a kernel holds as people are told of it: open orders and positions, in the units of their instruments."""

from collections.abc import Sequence
from typing import Any

from tradebot._core.kernel import Kernel
from tradebot.domain.orders import OrderFlag, OrderState
from tradebot.domain.units import money_text
from tradebot.engine.plan import Plan


def orders_of(kernel: Kernel, plan: Plan, names: Sequence[str]) -> list[dict[str, Any]]:
    """Open orders; `names` are those of the strategies."""
    found = []
    for row in kernel.open_orders():
        instrument = plan.instruments[row[6]]
        found.append(
            {
                "id": row[0],
                "instrument": instrument.name,
                "strategy": row[7],
                "strategy_name": names[row[7]],
                "side": "sell" if row[8] else "buy",
                "price": instrument.price_text(row[1]),
                "quantity": instrument.quantity_text(row[2]),
                "filled": instrument.quantity_text(row[3]),
                "state": OrderState(row[11]).name.lower(),
                "trigger": instrument.price_text(row[13]) if row[13] else None,
                "is_guard": bool(row[19] & OrderFlag.PROTECTIVE),
            }
        )
    return found


def quotes_of(kernel: Kernel, plan: Plan) -> dict[str, dict[str, str | None]]:
    """By instrument its best prices and that of its last trade; None where there is none."""
    found = {}
    for index, instrument in enumerate(plan.instruments):
        bid, ask, last, _ = kernel.market(index)
        prices = zip(("bid", "ask", "last"), (bid, ask, last), strict=True)
        found[instrument.name] = {name: instrument.price_text(price) if price else None for name, price in prices}
    return found


def positions_of(kernel: Kernel, plan: Plan, names: Sequence[str]) -> list[dict[str, Any]]:
    """Positions with what they earned."""
    found = []
    for row in kernel.positions():
        strategy, index, quantity = row[1], row[2], row[4]
        instrument = plan.instruments[index]
        found.append(
            {
                "strategy": strategy,
                "strategy_name": names[strategy],
                "instrument": instrument.name,
                "quantity": instrument.quantity_text(quantity),
                "realised": money_text(row[6]),
                "unrealised": money_text(kernel.unrealised(strategy, index)),
                "fees": money_text(row[7]),
                "funding": money_text(row[11]),
            }
        )
    return found
