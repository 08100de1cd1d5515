"""Views of facts and state for strategies: prices and sizes in quote and base units, no object per event.

One view of each kind exists per instrument and strategy; it is pointed at the fact before the callback and shut after. To keep a
value, keep the value: reading a view later raises StaleViewError, instead of showing what has since changed underneath.
"""

from tradebot._core.book cimport NO_ASK, NO_BID, book_level_quantity, book_next_down, book_next_up
from tradebot._core.collateral cimport collateral_wallet
from tradebot._core.context cimport BY_LEVELS, NOBODY
from tradebot._core.depth cimport depth_next_down, depth_next_up, depth_quantity
from tradebot._core.instrument cimport INVERSE, SPOT, price_of, quantity_of
from tradebot._core.ledger cimport position_unrealised
from tradebot._core.margin cimport liquidation_ticks, position_margin
from tradebot._core.market cimport mark2_of
from tradebot._core.orders cimport order_remaining
from tradebot._core.types cimport Flag, Kind, OrderFlag, OrderState, Side

from tradebot._core import types as _types

cdef double MONEY_UNIT = 1e8
cdef double NAN_VALUE = float("nan")


class StaleViewError(RuntimeError):
    """A view was read after its callback returned."""


cdef class View:
    cdef int check(self) except -1:
        if self.call != self.context.call:
            raise StaleViewError(
                f"{type(self).__name__} was read after its callback returned: keep the values you need, not the view"
            )
        return 0

    @property
    def instrument(self) -> str:
        """Its name, such as BTC/USD@bitstamp."""
        return self.name_of_instrument

    @property
    def time_ns(self) -> int:
        """When the engine received the fact being handled, ns since 1970."""
        self.check()
        return self.context.time_ns


cdef class TradeView(View):
    """A trade at the venue."""

    @property
    def price(self) -> float:
        self.check()
        return price_of(&self.market.terms, self.record.price)

    @property
    def quantity(self) -> float:
        self.check()
        return quantity_of(&self.market.terms, self.record.quantity)

    @property
    def is_sell(self) -> bool:
        """The aggressor sold."""
        self.check()
        return bool(self.record.flags & Flag.SELL)

    @property
    def venue_ns(self) -> int:
        self.check()
        return self.record.venue_ns

    @property
    def trade_id(self) -> int:
        self.check()
        return self.record.venue_sequence


cdef class BookView(View):
    """The book of one instrument, as received so far."""

    @property
    def bid(self) -> float:
        """Best bid, nan where there is none."""
        self.check()
        return price_of(&self.market.terms, self.market.bid) if self.market.bid else NAN_VALUE

    @property
    def ask(self) -> float:
        """Best ask, nan where there is none."""
        self.check()
        return price_of(&self.market.terms, self.market.ask) if self.market.ask else NAN_VALUE

    @property
    def bid_quantity(self) -> float:
        self.check()
        return quantity_of(&self.market.terms, self.market.bid_quantity)

    @property
    def ask_quantity(self) -> float:
        self.check()
        return quantity_of(&self.market.terms, self.market.ask_quantity)

    @property
    def middle(self) -> float:
        """(bid + ask) / 2, nan where a side is empty."""
        self.check()
        if self.market.bid == 0 or self.market.ask == 0:
            return NAN_VALUE
        return (price_of(&self.market.terms, self.market.bid) + price_of(&self.market.terms, self.market.ask)) / 2.0

    @property
    def spread(self) -> float:
        """ask - bid, nan where a side is empty."""
        self.check()
        if self.market.bid == 0 or self.market.ask == 0:
            return NAN_VALUE
        return price_of(&self.market.terms, self.market.ask - self.market.bid)

    @property
    def last(self) -> float:
        """Price of the last trade, or the close of the last bar where trades are not told; nan before there is one."""
        self.check()
        return price_of(&self.market.terms, self.market.last_price) if self.market.last_price else NAN_VALUE

    def bids(self, levels: int = 10) -> list[tuple[float, float]]:
        """(price, quantity) of up to `levels` prices, the best first. Empty where only quotes are fed."""
        self.check()
        return self._side(Side.BUY, levels)

    def asks(self, levels: int = 10) -> list[tuple[float, float]]:
        """(price, quantity) of up to `levels` prices, the best first. Empty where only quotes are fed."""
        self.check()
        return self._side(Side.SELL_SIDE, levels)

    cdef list _side(self, uint8_t side, int64_t levels):
        cdef const MarketC* market = self.market
        cdef bint by_levels = market.book_kind == BY_LEVELS
        cdef int64_t price, quantity
        cdef list rows = []
        if side == Side.BUY:
            price = market.depth.bid if by_levels else market.book.bid
        else:
            price = market.depth.ask if by_levels else market.book.ask
        while price != NO_BID and price != NO_ASK and len(rows) < levels:
            quantity = depth_quantity(&market.depth, side, price) if by_levels else book_level_quantity(&market.book, price)
            rows.append((price_of(&market.terms, price), quantity_of(&market.terms, quantity)))
            if side == Side.BUY:
                price = depth_next_down(&market.depth, side, price) if by_levels else book_next_down(&market.book, price)
            else:
                price = depth_next_up(&market.depth, side, price) if by_levels else book_next_up(&market.book, price)
        return rows


cdef class BarView(View):
    """A closed bar."""

    @property
    def series(self) -> BarSeries:
        """Which of the strategy's series it is of: `bar.series is self.slow`."""
        self.check()
        return self.series_told

    @property
    def open(self) -> float:
        self.check()
        return price_of(&self.market.terms, self.bar.open)

    @property
    def high(self) -> float:
        self.check()
        return price_of(&self.market.terms, self.bar.high)

    @property
    def low(self) -> float:
        self.check()
        return price_of(&self.market.terms, self.bar.low)

    @property
    def close(self) -> float:
        self.check()
        return price_of(&self.market.terms, self.bar.close)

    @property
    def volume(self) -> float:
        """In base units."""
        self.check()
        return quantity_of(&self.market.terms, self.bar.volume)

    @property
    def open_ns(self) -> int:
        """Its label: the start of the interval; of a bar by size the receipt of its first trade."""
        self.check()
        return self.bar.open_ns

    @property
    def close_ns(self) -> int:
        """The end of the interval, which is not in it; of a bar by size the receipt of its last trade."""
        self.check()
        return self.bar.close_ns

    @property
    def interval_ns(self) -> int:
        """0 of a bar by size."""
        self.check()
        return self.series_told.interval_ns

    @property
    def trades(self) -> int:
        """Trades, or stored bars, that it is made of; 0 where its interval was empty."""
        self.check()
        return self.bar.trades

    @property
    def restated(self) -> bool:
        """It replaces the bar of the same label, after a late fact; series and indicators stay as they were."""
        self.check()
        return bool(self.series_told.restated)


cdef class OrderView(View):
    """One of the strategy's own orders, as it stands after the fact."""

    @property
    def id(self) -> int:
        self.check()
        return self.order.id

    @property
    def is_sell(self) -> bool:
        self.check()
        return bool(self.order.is_sell)

    @property
    def price(self) -> float:
        """The limit as sent, after rounding to the tick; of a market order the bound it may fill at."""
        self.check()
        return price_of(&self.market.terms, self.order.price)

    @property
    def quantity(self) -> float:
        self.check()
        return quantity_of(&self.market.terms, self.order.quantity)

    @property
    def filled(self) -> float:
        self.check()
        return quantity_of(&self.market.terms, self.order.filled)

    @property
    def remaining(self) -> float:
        self.check()
        return quantity_of(&self.market.terms, order_remaining(&self.order))

    @property
    def state(self):
        """OrderState."""
        self.check()
        return _types.OrderState(self.order.state)

    @property
    def is_done(self) -> bool:
        self.check()
        return self.order.state == OrderState.DONE

    @property
    def order_type(self):
        """OrderType."""
        self.check()
        return _types.OrderType(self.order.order_type)

    @property
    def trigger(self) -> float:
        """What a conditional order waits for, quote units; nan of an order without, or whose trigger was met."""
        self.check()
        return price_of(&self.market.terms, self.order.trigger) if self.order.trigger else NAN_VALUE

    @property
    def is_guard(self) -> bool:
        """It guards a position: see `parent`."""
        self.check()
        return self.order.flags & OrderFlag.PROTECTIVE != 0

    @property
    def parent(self) -> int:
        """The order that a guard guards; 0 of others."""
        self.check()
        return self.order.parent

    @property
    def time_in_force(self):
        """TimeInForce."""
        self.check()
        return _types.TimeInForce(self.order.time_in_force)


cdef class FillView(View):
    """A trade of the strategy's own order."""

    @property
    def order_id(self) -> int:
        """0 of a liquidation, which is no order's."""
        self.check()
        return self.record.id

    @property
    def is_liquidation(self) -> bool:
        """The venue closed the position, because its margin no longer sufficed."""
        self.check()
        return self.record.kind == Kind.LIQUIDATED

    @property
    def price(self) -> float:
        self.check()
        return price_of(&self.market.terms, self.record.price)

    @property
    def quantity(self) -> float:
        self.check()
        return quantity_of(&self.market.terms, self.record.quantity)

    @property
    def remaining(self) -> float:
        """What the order may still fill, base units."""
        self.check()
        return quantity_of(&self.market.terms, order_remaining(&self.order))

    @property
    def is_sell(self) -> bool:
        self.check()
        return bool(self.record.flags & Flag.SELL)

    @property
    def is_maker(self) -> bool:
        self.check()
        return bool(self.record.flags & Flag.MAKER)

    @property
    def fee(self) -> float:
        """In the fee asset; positive is paid."""
        self.check()
        return <double>self.extra.fee / MONEY_UNIT

    @property
    def venue_ns(self) -> int:
        self.check()
        return self.record.venue_ns

    @property
    def is_done(self) -> bool:
        """Nothing of the order remains."""
        self.check()
        return self.order.state == OrderState.DONE


cdef class RejectView(View):
    """A refusal of an order or of a cancel, with its number."""

    @property
    def order_id(self) -> int:
        self.check()
        return self.record.id

    @property
    def reason(self):
        """Reject."""
        self.check()
        return _types.Reject(self.extra.reject)

    @property
    def is_sell(self) -> bool:
        self.check()
        return bool(self.record.flags & Flag.SELL)


cdef class PositionView(View):
    """What the strategy holds in one instrument by its own trades. Readable in any callback.

    Money is in the settle asset: quote, of an inverse contract base. A contract's quantity is in contracts.
    """

    cdef int check(self) except -1:
        if self.context.calling == NOBODY:
            raise StaleViewError("a position is read inside callbacks only")
        return 0

    cdef const MarginC* _margin(self) noexcept:
        return &self.context.margins[self.position.instrument]

    @property
    def quantity(self) -> float:
        """Base units or contracts, negative when short. Fees that buys paid out of what they bought are not in it."""
        self.check()
        return quantity_of(&self.market.terms, self.position.quantity)

    @property
    def flat(self) -> bool:
        self.check()
        return self.position.quantity == 0

    @property
    def cost(self) -> float:
        """Paid for what is held, negative when short; of an inverse contract negative when long."""
        self.check()
        return <double>self.position.cost / MONEY_UNIT

    @property
    def entry(self) -> float:
        """The average price of what is held, for show; nan when flat. The books keep the cost."""
        cdef double worth, cost
        self.check()
        if self.position.quantity == 0 or self.position.cost == 0:
            return NAN_VALUE
        worth = <double>self.position.quantity * <double>self.market.terms.value_num / <double>self.market.terms.value_den
        cost = <double>self.position.cost
        return (-worth / cost if self.market.terms.kind == INVERSE else cost / worth) * price_of(&self.market.terms, 1)

    @property
    def realised(self) -> float:
        """Before fees and funding."""
        self.check()
        return <double>self.position.realised / MONEY_UNIT

    @property
    def unrealised(self) -> float:
        """At the last middle price; of a contract at the mark price, where one is told."""
        self.check()
        return <double>position_unrealised(
            self.position, &self.market.terms, mark2_of(self.market)
        ) / MONEY_UNIT

    @property
    def fees(self) -> float:
        """Paid so far."""
        self.check()
        return <double>self.position.fees / MONEY_UNIT

    @property
    def funding(self) -> float:
        """Paid so far; negative when more was received."""
        self.check()
        return <double>self.position.funding / MONEY_UNIT

    @property
    def mark(self) -> float:
        """The price at which the position is judged: the venue's mark, else the middle; nan before either."""
        cdef int64_t mark2
        self.check()
        mark2 = mark2_of(self.market)
        return price_of(&self.market.terms, mark2) / 2.0 if mark2 else NAN_VALUE

    @property
    def margin(self) -> float:
        """What backs a contract's position, 0 for spot; cross, its initial margin."""
        cdef int overflow = 0
        self.check()
        if self.market.terms.kind == SPOT:
            return 0.0
        return <double>position_margin(self._margin(), self.position, &overflow) / MONEY_UNIT

    @property
    def liquidation_price(self) -> float:
        """The mark at which the venue would close a contract's position as things stand; nan where there is none."""
        self.check()
        if self.market.terms.kind == SPOT or self.position.quantity == 0:
            return NAN_VALUE
        return price_of(&self.market.terms, 1) * liquidation_ticks(
            self._margin(), &self.market.terms, self.position.quantity, self.position.cost,
            collateral_wallet(self.context, self.position),
        )


cdef class TimerView(View):
    """A timer that fired."""

    @property
    def number(self) -> int:
        """What `every` or `after` returned."""
        self.check()
        return self.record.id


cdef class FeedView(View):
    """A change of a feed: a gap, or down and up."""

    @property
    def is_gap(self) -> bool:
        self.check()
        return self.record.kind == Kind.GAP

    @property
    def is_up(self) -> bool:
        self.check()
        return bool(self.market.feed_is_up)
