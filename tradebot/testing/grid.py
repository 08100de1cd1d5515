"""The strategies of `bench replay`: a grid maker that is the same work as its peer's, and one that only rests.

The grid keeps five orders a side, two ticks apart, around the middle price; each step it cancels what is off the grid and sends
what is missing. It is the peer's grid, step by step and in the same float arithmetic, so that submits, cancels and fills can be
held against the peer's: an order is known by its tick, on either side, until its end was seen, and a tick that is known is not
sent again.
"""

from functools import cache
from math import ceil, floor, isnan
from typing import Final

from msgspec import field

from tradebot._core.views import OrderView, RejectView, TimerView
from tradebot.strategies.strategy import Strategy, Struct

LEVELS: Final = 5
STEP_TICKS: Final = 2
RETRY_NS: Final = 1_000_000_000  # between two looks at a market that has no price yet


class Rest(Strategy):
    """One order a side, far from the market, that rests for the whole run."""

    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        size: float
        part: float = 0.1
        """How far from the middle price, as a part of it."""

    def on_start(self) -> None:
        self.after(RETRY_NS)

    def on_timer(self, timer: TimerView) -> None:
        middle = self.book.last if isnan(self.book.middle) else self.book.middle
        if isnan(middle):
            self.after(RETRY_NS)
            return
        self.buy(self.params.size, price=middle * (1 - self.params.part), post_only=True)
        self.sell(self.params.size, price=middle * (1 + self.params.part), post_only=True)


class Grid(Strategy):
    """Five orders a side; see the head of this file."""

    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        size: float
        interval_ns: int
        first_ns: int
        """When the first step is due."""
        position_max: float = 100.0

    class State(Struct):
        orders: dict[int, int] = field(default_factory=dict)
        """tick -> order id, either side, until its end was seen"""
        ticks: dict[int, int] = field(default_factory=dict)
        """order id -> tick, negative for a sale"""
        cancelling: set[int] = field(default_factory=set)
        """ticks whose cancel is under way"""
        seen: tuple[float, float] = (0.0, 0.0)
        changed: bool = True
        stepping: bool = False

    def on_start(self) -> None:
        self.after(self.params.first_ns - self.time_ns)
        self.wanted = cache(wanted_ticks)

    def on_timer(self, timer: TimerView) -> None:
        state = self.state
        if not state.stepping:
            state.stepping = True
            self.every(self.params.interval_ns)
        book = self.book
        best = (book.bid, book.ask)
        if isnan(best[0]) or isnan(best[1]):
            return
        if best != state.seen or state.changed:
            state.seen, state.changed = best, False
            self.step(*self.wanted(*best, self.tick))

    def step(self, bids: tuple[int, ...], asks: tuple[int, ...]) -> None:
        """Cancel what is off the grid, send what is missing."""
        state, held = self.state, self.position.quantity
        orders, ticks, size = state.orders, state.ticks, self.params.size
        for tick, order_id in orders.items():
            if tick not in (bids if ticks[order_id] > 0 else asks) and tick not in state.cancelling:
                state.cancelling.add(tick)
                self.cancel(order_id)
        for bid, ask in zip(bids, asks, strict=True):
            if held < self.params.position_max and bid not in orders:
                orders[bid] = order_id = self.buy(size, price=bid * self.tick, post_only=True)
                ticks[order_id] = bid
            if held > -self.params.position_max and ask not in orders:
                orders[ask] = order_id = self.sell(size, price=ask * self.tick, post_only=True)
                ticks[order_id] = -ask

    def on_order(self, order: OrderView) -> None:
        if order.is_done:
            self.forget(order.id)

    def on_reject(self, reject: RejectView) -> None:
        self.forget(reject.order_id)

    def forget(self, order_id: int) -> None:
        state = self.state
        tick = abs(state.ticks.pop(order_id))
        del state.orders[tick]
        state.cancelling.discard(tick)
        state.changed = True


def wanted_ticks(bid: float, ask: float, tick: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The grid around best prices: ticks of bids from the best down and of asks from the best up.

    In the peer's arithmetic, in which a price is its tick times the tick size and not the nearest float.
    """
    best_bid, best_ask = round(bid / tick) * tick, round(ask / tick) * tick
    middle, gap = (best_bid + best_ask) / 2.0, tick * STEP_TICKS
    low = floor(min(middle - tick, best_bid) / gap) * gap
    high = ceil(max(middle + tick, best_ask) / gap) * gap
    return (
        tuple(round((low - at * gap) / tick) for at in range(LEVELS)),
        tuple(round((high + at * gap) / tick) for at in range(LEVELS)),
    )
