"""A market maker that leans against its inventory: post-only quotes around a reservation price.

The idea is that of Ho and Stoll (1981) and of Avellaneda and Stoikov (High-frequency trading in a limit order book, 2008):
quote around the price at which one would be indifferent to the next trade, which lies below the middle when long and above it
when short. Here the shift is linear in inventory, and the middle is weighted by the sizes at the best prices, so that the
quotes lean away from the side that is about to give way.

It quotes one order a side, moves an order only when it is `requote` away from where it should be, and never adds to a full
inventory. A quote never takes: it is post-only, and stays a tick short of the other side, however strong the lean.

Where no book is told, at bar grade or trade grade, it quotes around the last price instead, which is all it then knows.
"""

from tradebot._core.views import BookView, OrderView, RejectView, TimerView
from tradebot.strategies.strategy import Int, Real, Strategy, Struct


class InventoryMaker(Strategy):
    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        size: Real[1e-8, 1e6] = 0.02
        """Base units of each quote."""
        inventory_max: Real[1e-8, 1e6] = 0.1
        """Base units held at most, either way."""
        half_spread: Real[0.0, 1e6] = 2.0
        """Quote units from the reservation price to each quote."""
        skew: Real[0.0, 1e6] = 4.0
        """Quote units that the reservation price moves at full inventory."""
        requote: Real[0.0, 1e6] = 1.0
        """Quote units that an order may be off before it is moved."""
        pause_ms: Int[1, 60_000] = 250
        """Least time between two looks."""

    class State(Struct):
        bid: int = 0
        """Order id of the bid, 0 where there is none."""
        ask: int = 0
        looked_ns: int = 0
        last: float = 0.0
        """The price last quoted around where there is no book."""

    def on_start(self) -> None:
        self.every(self.params.pause_ms * 1_000_000)

    def on_timer(self, timer: TimerView) -> None:
        if self.book.spread > 0.0:
            self.quote(self.book)
        elif self.book.last > 0.0 and self.book.bid != self.book.bid and self.book.ask != self.book.ask:  # both nan
            self.quote_around(self.book.last)

    def reservation_price(self, book: BookView) -> float:
        """The size-weighted middle, moved against the inventory."""
        bid, ask = book.bid, book.ask
        bid_quantity, ask_quantity = book.bid_quantity, book.ask_quantity
        middle = (bid * ask_quantity + ask * bid_quantity) / (bid_quantity + ask_quantity)
        return middle - self.lean()

    def lean(self) -> float:
        """How far the inventory moves the reservation price."""
        lean: float = self.params.skew * self.position.quantity / self.params.inventory_max
        return lean

    def quote(self, book: BookView) -> None:
        """Quote both sides around the reservation price, at best a tick short of the other side."""
        price = self.reservation_price(book)
        bid = min(price - self.params.half_spread, book.ask - self.tick)
        ask = max(price + self.params.half_spread, book.bid + self.tick)
        self.move_both(bid, ask)

    def quote_around(self, last: float) -> None:
        """Quote both sides around the last price, at best a tick from it; again when it has moved."""
        if last == self.state.last:
            return
        self.state.last = last
        price = last - self.lean()
        bid = min(price - self.params.half_spread, last - self.tick)
        self.move_both(bid, max(price + self.params.half_spread, last + self.tick))

    def move_both(self, bid: float, ask: float) -> None:
        """Bring both sides where they should be; a side that would add to a full inventory goes."""
        held = self.position.quantity
        room = self.params.inventory_max - self.params.size / 2
        self.state.bid = self.move(self.state.bid, bid, held < room, False)
        self.state.ask = self.move(self.state.ask, ask, held > -room, True)

    def move(self, order_id: int, price: float, wanted: bool, is_sell: bool) -> int:
        """Bring one side where it should be; returns the id of its order, 0 where there is none."""
        if order_id:
            at = self.order_price(order_id)
            if at is None:
                return 0
            if not wanted or abs(at - price) > self.params.requote + self.tick / 2:
                self.cancel(order_id)
            return order_id
        if not wanted:
            return 0
        place = self.sell if is_sell else self.buy
        return place(self.params.size, price=price, post_only=True)

    def on_order(self, order: OrderView) -> None:
        if order.is_done:
            self.forget(order.id)

    def on_reject(self, reject: RejectView) -> None:
        self.forget(reject.order_id)

    def forget(self, order_id: int) -> None:
        if order_id == self.state.bid:
            self.state.bid = 0
        elif order_id == self.state.ask:
            self.state.ask = 0

    def on_stop(self) -> None:
        self.cancel_all()
