"""What the positions of a run earned, each in the settle currency of its instrument, and the sums by currency."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tradebot.node.session_files import find_current, read_prepared

PARTS: Final = ("realised", "unrealised", "fees", "funding")


def name_currency(home: Path, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each with `net` and the `currency` that its money is in."""
    plan = read_prepared(find_current(home)).plan
    settles = {one.name: one.settle for one in plan.instruments}
    return [{**row, "net": f"{net_of(row):f}", "currency": settles[row["instrument"]]} for row in rows]


def totals_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """By currency: net and its parts. Currencies are never added to each other."""
    found: dict[str, dict[str, str]] = {}
    for currency in sorted({row["currency"] for row in rows}):
        mine = [row for row in rows if row["currency"] == currency]
        found[currency] = {name: f"{sum(Decimal(row[name]) for row in mine):f}" for name in ("net", *PARTS)}
    return found


def net_of(row: Mapping[str, Any]) -> Decimal:
    """Realised and unrealised less fees and funding."""
    realised, unrealised, fees, funding = (Decimal(row[name]) for name in PARTS)
    return realised + unrealised - fees - funding
