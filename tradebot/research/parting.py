"""Where runs part: the first order event that is not the same in all, and what each did from there, row by row.

Up to that event nothing needs to be shown. From it on an order stands beside the order that another run sent at the same
time, of the same strategy, instrument and side; a fill beside the fill of the same instant at the venue. So a run with
another latency, whose orders arrive later, still stands beside the run it came from. What has no partner stands alone in
its row.

A table ends where the first run to be cut off ends, so that an empty cell always means: this run did nothing of the kind.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from tradebot._core.types import Flag
from tradebot.domain.orders import Kind, OrderType, TimeInForce
from tradebot.research.fills import all_fills, is_maker
from tradebot.research.order_lives import OrderLife, of_kind, order_lives
from tradebot.research.page import money, number, span
from tradebot.research.results import Records, RunFiles

ROWS_MAX: Final = 200  # of each run, looked at from the parting on

_EVENTS: Final = (
    Kind.PLACE_ORDER, Kind.CANCEL_ORDER, Kind.AMEND_ORDER, Kind.ORDER_ACCEPTED, Kind.ORDER_REJECTED, Kind.ORDER_FILLED,
    Kind.ORDER_CANCELLED, Kind.CANCEL_REJECTED, Kind.ORDER_AMENDED, Kind.AMEND_REJECTED, Kind.ORDER_TRIGGERED,
)  # fmt: skip
_SLOTS: Final = ("time_ns", "kind", "instrument", "owner", "flags", "price", "quantity", "fee", "reject")

Place = tuple[int, str, str, str, int]  # (time, strategy, instrument, side, how many of these before it)
Lines = dict[Place, str]


class Row(Struct, frozen=True):
    """What the runs did at one place; None where a run did nothing."""

    time_ns: int
    strategy: str
    instrument: str
    side: str
    cells: list[str | None]


class Parting(Struct, frozen=True):
    """`time_ns` is that of the first order event that is not the same in all runs, None where all are.

    `orders` and `fills` are the rows from there on that are not the same in all; `orders_alike` and `fills_alike` count
    what came before.
    """

    time_ns: int | None
    orders: list[Row]
    fills: list[Row]
    orders_alike: int
    fills_alike: int


def part(runs: Sequence[RunFiles]) -> Parting:
    """Where two or more runs part."""
    events = [_order_events(run) for run in runs]
    at = _first_difference(events)
    if at is None:
        same = events[0]["kind"]
        return Parting(None, [], [], int((same == Kind.PLACE_ORDER).sum()), int((same == Kind.ORDER_FILLED).sum()))
    before = events[0]["kind"][:at]
    fills_alike = int((before == Kind.ORDER_FILLED).sum())
    orders_alike = min(_orders_before(run.facts, one, at) for run, one in zip(runs, events, strict=True))
    return Parting(
        time_ns=min(int(one["time_ns"][at]) for one in events if at < len(one)),
        orders=_beside([_orders(run, orders_alike) for run in runs]),
        fills=_beside([_fills(run, fills_alike) for run in runs]),
        orders_alike=orders_alike,
        fills_alike=fills_alike,
    )


def _order_events(run: RunFiles) -> Records:
    return np.asarray(run.facts[np.isin(run.facts["kind"], _EVENTS)])


def _first_difference(events: Sequence[Records]) -> int | None:
    """Index of the first order event that is not the same in all."""
    first, *others = events
    found = []
    for other in others:
        shared = min(len(first), len(other))
        unlike = np.zeros(shared, np.bool_)
        for slot in _SLOTS:
            unlike |= first[slot][:shared] != other[slot][:shared]
        at = np.flatnonzero(unlike)
        if len(at) or len(first) != len(other):
            found.append(int(at[0]) if len(at) else shared)
    return min(found, default=None)


def _orders_before(facts: Records, events: Records, at: int) -> int:
    """How many orders were sent before the one that event `at` is of; all that came before it, where there is no such event."""
    placed = of_kind(facts, Kind.PLACE_ORDER)
    if at >= len(events):
        return len(placed)
    own = np.flatnonzero(placed["id"] == events["id"][at])
    return int(own[0]) if len(own) else int((events["kind"][:at] == Kind.PLACE_ORDER).sum())


def _orders(run: RunFiles, first: int) -> tuple[Lines, bool]:
    """A line for each order from number `first` on; whether there are more."""
    lives = order_lives(run.facts, ROWS_MAX + 1, first)
    lines: Lines = {}
    for life in lives[:ROWS_MAX]:
        _put(lines, run, life.placed, int(life.placed["time_ns"]), _order_line(run, life))
    return lines, len(lives) > ROWS_MAX


def _fills(run: RunFiles, first: int) -> tuple[Lines, bool]:
    fills = all_fills(run.facts)[first : first + ROWS_MAX + 1]
    lines: Lines = {}
    for fill, maker in zip(fills[:ROWS_MAX], is_maker(fills).tolist(), strict=False):
        time_ns = int(fill["venue_ns"]) or int(fill["time_ns"])
        _put(lines, run, fill, time_ns, _fill_line(run, fill, maker))
    return lines, len(fills) > ROWS_MAX


def _put(lines: Lines, run: RunFiles, fact: np.void, time_ns: int, line: str) -> None:
    strategy, market = run.manifest.strategy_name(int(fact["owner"])), run.manifest.instrument(int(fact["instrument"])).name
    side = "sell" if int(fact["flags"]) & Flag.SELL else "buy"
    number_ = 0
    while (time_ns, strategy, market, side, number_) in lines:
        number_ += 1
    lines[time_ns, strategy, market, side, number_] = line


def _order_line(run: RunFiles, life: OrderLife) -> str:
    placed = life.placed
    instrument = run.manifest.instrument(int(placed["instrument"]))
    kind, force = OrderType(int(placed["order_type"])).name, TimeInForce(int(placed["time_in_force"])).name
    price = f" at {number(instrument.price_text(int(placed['price'])))}" if placed["price"] else ""
    price += f" when {number(instrument.price_text(int(placed['trigger'])))}" if placed["trigger"] else ""
    wish = f"{number(instrument.quantity_text(int(placed['quantity'])))}{price} {_words(kind)} {_words(force)}"
    filled = f", filled {number(instrument.quantity_text(life.filled_lots))}" if life.filled_lots else ""
    refused = f" ({_words(life.reject)})" if life.reject else ""
    after = f" after {span(life.ended_ns - int(placed['time_ns']))}" if life.ended_ns >= 0 else ""
    ended = "" if life.ended == "filled" else f", {life.ended}{refused}"
    return f"{wish}{filled}{ended}{after}"


def _fill_line(run: RunFiles, fill: np.void, maker: bool) -> str:
    instrument = run.manifest.instrument(int(fill["instrument"]))
    quantity, price = instrument.quantity_text(int(fill["quantity"])), instrument.price_text(int(fill["price"]))
    number_ = int(fill["fee_asset"])
    asset = run.manifest.assets[number_] if number_ < len(run.manifest.assets) else instrument.quote
    fee = money(int(fill["fee"]), asset)
    return f"{number(quantity)} at {number(price)} as {'maker' if maker else 'taker'}, fee {fee} {asset}"


def _words(name: str) -> str:
    return name.replace("_", " ").lower()


def _beside(found: Sequence[tuple[Lines, bool]]) -> list[Row]:
    """Lines of the same place in one row, in order of time; rows that are the same in all runs are left out."""
    ends = [max(lines)[0] for lines, is_cut in found if is_cut]
    places = sorted({place for lines, _ in found for place in lines if not ends or place[0] < min(ends)})
    rows = [Row(*place[:4], [lines.get(place) for lines, _ in found]) for place in places]
    return [row for row in rows if len(set(row.cells)) > 1]
