"""The part of a strategy that is compiled: orders, cancels, timers, bars, and views of what it holds.

A call here never acts. It writes a wish; the kernel takes the wishes when the callback returns, sends each
through the risk gate, and drops all of them if the callback raised. So a strategy cannot act twice on half a thought.

Sizes and prices are given in base and quote units. A quantity is rounded down to whole lots; a limit is rounded to the
tick on the safe side, down for a buy and up for a sale; a value within 1e-6 of a step counts as on it.
"""

from libc.string cimport memset

from tradebot._core.arena cimport grow
from tradebot._core.bars cimport BY_NOTIONAL, BY_RECEIPT, BY_TICKS, BY_VENUE, BY_VOLUME, BarSeries
from tradebot._core.context cimport WISH_AMEND, WISH_CANCEL, WISH_PLACE, WISH_PROTECT, MarketC
from tradebot._core.instrument cimport INVERSE, SPOT, InstrumentC, price_of, quantity_of, settle_asset, steps_down, steps_up
from tradebot._core.ledger cimport ledger_balance, ledger_position
from tradebot._core.orders cimport OrderC, OrderListC, order_remaining, orders_get, orders_list, orders_walk
from tradebot._core.timers cimport KERNEL_OWNER, timers_add, timers_cancel
from tradebot._core.types cimport OrderFlag, OrderType, TimeInForce

cdef double LARGEST = 9.0e15
cdef int64_t INTERVAL_MAX_NS = 366 * 86_400 * 1_000_000_000
cdef int64_t SIZE_MAX = 4_000_000_000_000_000_000
cdef int64_t MONEY_UNIT = 100_000_000
cdef dict TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "POST_ONLY": TimeInForce.POST_ONLY,
}


cdef class Trader:
    """What `Strategy` is built on. Instruments are named as in the configuration; the first is the default."""

    def __cinit__(self, *args, **kwargs):
        self.context = NULL
        self.series = []

    cdef ContextC* seated(self) except NULL:
        if self.context == NULL:
            raise RuntimeError("the strategy is not part of a run yet: build on on_start, not on __init__")
        return self.context

    cdef uint32_t index_of(self, object instrument) except? 0xFFFFFFFF:
        self.seated()
        if instrument is None:
            return self.first
        found = self.indexes.get(instrument)
        if found is None:
            raise KeyError(f"{instrument!r} is not an instrument of this strategy: {', '.join(self.indexes)}")
        return found

    cdef WishC* wish(self, uint32_t index) except NULL:
        cdef ContextC* context = self.seated()
        cdef WishC* wish
        if context.calling != self.number:
            raise RuntimeError("orders are placed and cancelled inside the strategy's own callbacks only")
        grow(<void**>&context.wishes, sizeof(WishC), &context.wishes_max, context.wish_count + 1)
        wish = &context.wishes[context.wish_count]
        memset(wish, 0, sizeof(WishC))
        wish.strategy = self.number
        wish.instrument = index
        context.wish_count += 1
        return wish

    cdef object place(
        self, bint is_sell, object quantity, object notional, object price, bint post_only,
        object time_in_force, object instrument, bint reduce_only,
    ):
        cdef uint32_t index = self.index_of(instrument)
        cdef const MarketC* market = &self.context.markets[index]
        cdef int64_t ticks = 0, lots
        cdef uint8_t force = TimeInForce.GTC
        cdef object id
        if price is not None:
            ticks = to_steps(price, market.terms.tick_num, market.terms.tick_den, is_sell, "price")
        if time_in_force is not None:
            if time_in_force not in TIMES_IN_FORCE:
                raise ValueError(f"expected a time_in_force of {', '.join(TIMES_IN_FORCE)}, found {time_in_force!r}")
            force = TIMES_IN_FORCE[time_in_force]
        if post_only:
            force = TimeInForce.POST_ONLY
        if price is None:
            if force == TimeInForce.POST_ONLY:
                raise ValueError("a post-only order needs a price")
            if force == TimeInForce.GTC:
                force = TimeInForce.IOC
        lots = self._lots(market, quantity, notional, ticks, is_sell)
        id = self.place_lots(index, is_sell, lots, ticks, force, OrderType.MARKET if price is None else OrderType.LIMIT)
        if reduce_only:
            self.context.wishes[self.context.wish_count - 1].flags = OrderFlag.REDUCE_ONLY
        return id

    cdef object place_lots(self, uint32_t index, bint is_sell, int64_t lots, int64_t ticks, uint8_t force, uint8_t order_type):
        cdef WishC* wish = self.wish(index)
        self.context.order_number += 1
        wish.id = self.context.order_base | self.context.order_number
        wish.kind = WISH_PLACE
        wish.is_sell = is_sell
        wish.price = ticks
        wish.quantity = lots
        wish.order_type = order_type
        wish.time_in_force = force
        return wish.id

    cdef int put_trigger(self, const MarketC* market, WishC* wish, object stop, object touch, object follow) except -1:
        """Make the order last wished a conditional one. A trigger is rounded so that it is met sooner."""
        cdef bint has_price = wish.order_type == OrderType.LIMIT
        if (stop is not None) + (touch is not None) + (follow is not None) != 1:
            raise TypeError("expected one of stop=, touch= and follow=")
        if wish.time_in_force == TimeInForce.POST_ONLY or wish.time_in_force == TimeInForce.FOK:
            raise ValueError("a conditional order is no post-only and no fill-or-kill order")
        if not has_price:
            wish.time_in_force = TimeInForce.GTC
        if follow is not None:
            if has_price:
                raise ValueError("a trailing stop takes no price: it is a market order once it is triggered")
            wish.trail = self.distance_of(market, follow)
            wish.order_type = OrderType.TRAILING_STOP
            wish.trigger = (market.mark_price if self.context.by_mark else market.last_price) + (-wish.trail if wish.is_sell else wish.trail)
        elif stop is not None:
            wish.trigger = to_steps(stop, market.terms.tick_num, market.terms.tick_den, wish.is_sell, "stop")
            wish.order_type = OrderType.STOP_LIMIT if has_price else OrderType.STOP
        else:
            wish.trigger = to_steps(touch, market.terms.tick_num, market.terms.tick_den, not wish.is_sell, "touch")
            wish.order_type = OrderType.TAKE_PROFIT_LIMIT if has_price else OrderType.TAKE_PROFIT
        return 0

    cdef int put_guards(self, const MarketC* market, WishC* wish, object stop_loss, object take_profit, object trail) except -1:
        """What the order fills is to be guarded by the other side, so prices are rounded as that side's: a stop is met sooner."""
        if stop_loss is not None:
            wish.stop = to_steps(stop_loss, market.terms.tick_num, market.terms.tick_den, not wish.is_sell, "stop_loss")
            if wish.stop <= 0:
                raise ValueError(f"expected a stop_loss above 0, found {stop_loss!r}")
        if take_profit is not None:
            wish.target = to_steps(take_profit, market.terms.tick_num, market.terms.tick_den, not wish.is_sell, "take_profit")
            if wish.target <= 0:
                raise ValueError(f"expected a take_profit above 0, found {take_profit!r}")
        if trail is not None:
            wish.distance = self.distance_of(market, trail)
        return 0

    cdef int64_t distance_of(self, const MarketC* market, object trail) except? -1:
        """Ticks of a distance given in quote units, or as "1.5%" of the present price; rounded down, which is met sooner."""
        cdef int64_t ticks, price
        if isinstance(trail, str):
            price = market.last_price or market.middle2 >> 1
            if not trail.endswith("%") or price == 0:
                raise ValueError(f'expected a distance in quote units, or as "1.5%" once there is a price, found {trail!r}')
            try:
                ticks = <int64_t>(price * float(trail.rstrip("%")) / 100.0)
            except ValueError:
                raise ValueError(f'expected a distance in quote units, or as "1.5%", found {trail!r}') from None
        else:
            ticks = to_steps(trail, market.terms.tick_num, market.terms.tick_den, False, "trail")
        if ticks <= 0:
            raise ValueError(f"expected a distance of at least one tick, found {trail!r}")
        return ticks

    cdef int64_t _lots(self, const MarketC* market, object quantity, object notional, int64_t ticks, bint is_sell) except? -1:
        cdef int overflow = 0
        cdef int64_t reference
        if (quantity is None) == (notional is None):
            raise TypeError("expected one of quantity= (base units) and notional= (quote units)")
        if quantity is not None:
            return to_steps(quantity, market.terms.lot_num, market.terms.lot_den, False, "quantity")
        reference = ticks or (market.bid if is_sell else market.ask) or market.last_price
        if reference <= 0:
            raise ValueError("notional= needs a price, and the market has none yet")
        if market.terms.kind != SPOT:
            return contracts_of(&market.terms, notional, reference)
        return to_steps(
            <double>notional / price_of(&market.terms, reference),
            market.terms.lot_num, market.terms.lot_den, False, "notional",
        )

    def buy(
        self, quantity=None, *, notional=None, price=None, post_only=False, time_in_force=None, instrument=None,
        stop_loss=None, take_profit=None, trail=None, stop=None, touch=None, follow=None, reduce_only=False, risk=None,
    ):
        """Ask to buy; returns the order id.

        `quantity` in base units (contracts of a contract) or `notional` in quote units; without `price` a market order (IOC).
        `time_in_force` is "GTC" (default of a limit), "IOC", "FOK" or "POST_ONLY".

        `stop_loss`, `take_profit` (prices) and `trail` (a distance in quote units, or "1.5%") guard what the order fills: a stop, following at that
        distance where `trail` is given, and a limit, as one group that rests at the venue. `stop`: wait until the price has risen to it;
        `touch`: until it has fallen to it; `follow`: until it has risen by this distance from its lowest. With `price` a limit order is sent
        then, else a market order. `reduce_only`: never fill beyond the position. `risk` is refused by name until it is built.
        Raises TypeError or ValueError on a malformed call.
        """
        cdef object id
        if risk is not None:
            self.refuse({"risk": risk})
        id = self.place(False, quantity, notional, price, post_only, time_in_force, instrument, reduce_only)
        if stop is not None or touch is not None or follow is not None or stop_loss is not None or take_profit is not None or trail is not None:
            self._attach(stop, touch, follow, stop_loss, take_profit, trail)
        return id

    def sell(
        self, quantity=None, *, notional=None, price=None, post_only=False, time_in_force=None, instrument=None,
        stop_loss=None, take_profit=None, trail=None, stop=None, touch=None, follow=None, reduce_only=False, risk=None,
    ):
        """Ask to sell; as `buy`, with rising and falling exchanged."""
        cdef object id
        if risk is not None:
            self.refuse({"risk": risk})
        id = self.place(True, quantity, notional, price, post_only, time_in_force, instrument, reduce_only)
        if stop is not None or touch is not None or follow is not None or stop_loss is not None or take_profit is not None or trail is not None:
            self._attach(stop, touch, follow, stop_loss, take_profit, trail)
        return id

    def _attach(self, stop, touch, follow, stop_loss, take_profit, trail):
        """To the order last wished."""
        cdef WishC* wish = &self.context.wishes[self.context.wish_count - 1]
        cdef const MarketC* market = &self.context.markets[wish.instrument]
        if stop is not None or touch is not None or follow is not None:
            self.put_trigger(market, wish, stop, touch, follow)
        if stop_loss is not None or take_profit is not None or trail is not None:
            if wish.flags & OrderFlag.REDUCE_ONLY:
                raise ValueError("an order that only reduces opens nothing that could be guarded")
            self.put_guards(market, wish, stop_loss, take_profit, trail)

    def protect(self, *, stop_loss=None, take_profit=None, trail=None, instrument=None) -> None:
        """Guard the whole position, in place of the guards that are open: as those arguments of `buy`.

        A stop that is passed already is met at once. Refused (NOTHING_TO_REDUCE) where there is no position.
        """
        cdef uint32_t index = self.index_of(instrument)
        cdef WishC* wish
        if stop_loss is None and take_profit is None and trail is None:
            raise TypeError("expected stop_loss=, take_profit= or trail=")
        self.cancel_guards(index)
        wish = self.wish(index)
        self.context.order_number += 1
        wish.id = self.context.order_base | self.context.order_number
        wish.kind = WISH_PROTECT
        wish.is_sell = ledger_position(&self.context.ledger, self.number, index).quantity < 0
        self.put_guards(&self.context.markets[index], wish, stop_loss, take_profit, trail)

    def amend(self, order_id: int, *, price=None, quantity=None, stop=None) -> None:
        """Ask for another limit, size or trigger of an open order; refused by `on_amend_reject` where it is done.

        `quantity` in base units is that of the order in all, what it filled included. Fewer at the same price keep the place in the queue.
        """
        cdef OrderC* order = orders_get(&self.seated().orders, order_id)
        cdef bint is_own = order != NULL and order.strategy == self.number
        cdef WishC* wish
        cdef const InstrumentC* terms
        if price is None and quantity is None and stop is None:
            raise TypeError("expected price=, quantity= or stop=")
        wish = self.wish(order.instrument if is_own else self.first)
        wish.kind = WISH_AMEND
        wish.id = order_id
        if not is_own:
            return
        terms = &self.context.markets[order.instrument].terms
        if price is not None:
            if order.order_type not in (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT):
                raise ValueError("an order without a limit takes no price")
            wish.price = to_steps(price, terms.tick_num, terms.tick_den, order.is_sell, "price")
        if quantity is not None:
            wish.quantity = to_steps(quantity, terms.lot_num, terms.lot_den, False, "quantity")
            if wish.quantity <= 0:
                raise ValueError(f"expected a quantity of at least one lot, found {quantity!r}: cancel the order instead")
        if stop is not None:
            if order.trigger == 0:
                raise ValueError("an order without a trigger, or whose trigger was met, takes no stop")
            wish.trigger = to_steps(stop, terms.tick_num, terms.tick_den, order.is_sell, "stop")

    def cancel(self, order_id: int) -> None:
        """Ask to cancel one order. A cancel of an order that is done is refused by `on_cancel_reject`."""
        self.cancel_id(order_id)

    cdef int cancel_id(self, uint64_t order_id) except -1:
        cdef OrderC* order = orders_get(&self.seated().orders, order_id)
        cdef WishC* wish = self.wish(order.instrument if order != NULL and order.strategy == self.number else self.first)
        wish.kind = WISH_CANCEL
        wish.id = order_id
        return 0

    def cancel_all(self, instrument=None, *, guards=False) -> None:
        """Ask to cancel every open order of this strategy in one instrument; those that guard its position only with `guards`."""
        cdef uint32_t handle = orders_list(&self.seated().orders, self.number, self.index_of(instrument)).head
        cdef OrderC* order
        while orders_walk(&self.context.orders, &handle, &order):
            if guards or not order.flags & OrderFlag.PROTECTIVE:
                self.cancel(order.id)

    cdef int64_t held_lots(self, uint32_t index) noexcept nogil:
        return ledger_position(&self.context.ledger, self.number, index).quantity

    cdef int64_t wished_lots(self, uint32_t index) noexcept nogil:
        """Lots that this callback has asked for already, sales negative."""
        cdef const WishC* wish
        cdef uint32_t at
        cdef int64_t lots = 0
        for at in range(self.context.wish_count):
            wish = &self.context.wishes[at]
            if wish.kind == WISH_PLACE and wish.instrument == index and wish.strategy == self.number and not wish.flags & OrderFlag.REDUCE_ONLY:
                lots += -wish.quantity if wish.is_sell else wish.quantity
        return lots

    cdef int cancel_guards(self, uint32_t index) except -1:
        cdef uint32_t handle = orders_list(&self.context.orders, self.number, index).head
        cdef OrderC* order
        while orders_walk(&self.context.orders, &handle, &order):
            if order.flags & OrderFlag.PROTECTIVE:
                self.cancel(order.id)
        return 0

    def close(self, instrument=None):
        """Ask to bring the position to zero by a market order that only reduces. What guards it is cancelled before, if the order
        passes the risk gate; where it is refused, guards stay.

        Returns the order's id, 0 where it is flat already.
        """
        cdef uint32_t index = self.index_of(instrument)
        cdef int64_t held = self.held_lots(index)
        cdef object id
        if held == 0:
            return 0
        id = self.place_lots(index, held > 0, held if held > 0 else -held, 0, TimeInForce.IOC, OrderType.MARKET)
        self.only_reduce(0)
        return id

    cdef int only_reduce(self, int64_t kept) noexcept nogil:
        """The order last wished only reduces, and guards fill no more than `kept` lots when it passes the gate."""
        cdef WishC* wish = &self.context.wishes[self.context.wish_count - 1]
        wish.flags = OrderFlag.REDUCE_ONLY
        wish.trims = 1
        wish.kept = kept
        return 0

    def target_position(self, quantity: float, *, price=None, post_only=False, instrument=None):
        """Ask for the order that brings the position to `quantity` (base units, negative is short); 0 where none is needed.

        What is open counts as filled, so asking again for the same sends nothing; cancel what should not count. Guards of what goes are
        made smaller, or cancelled at zero, if the order passes the risk gate.
        """
        cdef uint32_t index = self.index_of(instrument)
        cdef const MarketC* market = &self.context.markets[index]
        cdef OrderListC* open = orders_list(&self.context.orders, self.number, index)
        cdef int64_t wanted = to_steps(quantity if quantity >= 0 else -quantity, market.terms.lot_num, market.terms.lot_den, False, "quantity")
        cdef int64_t held = self.held_lots(index)
        cdef int64_t ticks = 0, missing
        cdef bint is_sell, reduces
        cdef object id
        cdef uint8_t force = TimeInForce.IOC
        missing = (wanted if quantity >= 0 else -wanted) - held
        missing += open.open_sells - open.open_buys - self.wished_lots(index)
        is_sell = missing < 0
        if missing == 0:
            return 0
        reduces = held != 0 and (held > 0) == is_sell and wanted <= (held if held > 0 else -held) and (wanted == 0 or (quantity > 0) == (held > 0))
        if price is not None:
            ticks = to_steps(price, market.terms.tick_num, market.terms.tick_den, is_sell, "price")
            force = TimeInForce.POST_ONLY if post_only else TimeInForce.GTC
        elif post_only:
            raise ValueError("a post-only order needs a price")
        id = self.place_lots(
            index, is_sell, -missing if is_sell else missing, ticks, force, OrderType.MARKET if price is None else OrderType.LIMIT
        )
        if reduces:
            self.only_reduce(wanted)
        return id

    def refuse(self, later: dict):
        """Say by name what an order cannot take yet; `Strategy` says when it comes."""
        raise TypeError(f"an order takes no {', '.join(name for name, value in later.items() if value is not None)}")

    def save_state(self) -> bytes:
        """What a snapshot keeps of the strategy; `Strategy` encodes its State."""
        return b""

    def check_state(self, body: bytes) -> None:
        """Raises where what `save_state` gave could not be taken back."""

    def load_state(self, body: bytes) -> None:
        """Take back what `save_state` gave."""
        assert body == b""

    def open_orders(self, instrument=None) -> list[int]:
        """Ids of the strategy's open orders in one instrument, in order of placement."""
        cdef uint32_t handle = orders_list(&self.context.orders, self.number, self.index_of(instrument)).head
        cdef OrderC* order
        cdef list ids = []
        while orders_walk(&self.context.orders, &handle, &order):
            ids.append(order.id)
        return ids

    def order_price(self, order_id: int) -> float | None:
        """The limit of an open order in quote units, None where it is not open."""
        cdef OrderC* order = orders_get(&self.seated().orders, order_id)
        return None if order == NULL else price_of(&self.context.markets[order.instrument].terms, order.price)

    def order_remaining(self, order_id: int) -> float:
        """What an order may still fill in base units, 0 where it is not open."""
        cdef OrderC* order = orders_get(&self.seated().orders, order_id)
        return 0.0 if order == NULL else quantity_of(&self.context.markets[order.instrument].terms, order_remaining(order))

    def every(self, interval_ns: int) -> int:
        """Call `on_timer` each `interval_ns` from now; returns the timer's number."""
        return self._timer(interval_ns, interval_ns)

    def after(self, delay_ns: int) -> int:
        """Call `on_timer` once, `delay_ns` from now; returns the timer's number."""
        return self._timer(delay_ns, 0)

    cdef object _timer(self, int64_t delay_ns, int64_t interval_ns):
        self.seated()
        if delay_ns <= 0:
            raise ValueError(f"expected a time of at least 1 ns, found {delay_ns}")
        return timers_add(&self.context.timers, self.context.time_ns + delay_ns, interval_ns, self.number)

    def stop_timer(self, number: int) -> None:
        timers_cancel(&self.seated().timers, number, self.number)

    def bars_of(
        self, interval_ns: int, warmup: int = 0, instrument=None, *, by_venue=False, grace_ns=0, restatements=False, source_ns=None,
    ) -> BarSeries:
        """Follow bars by time; declared in on_start. `on_bar` is first called after `warmup` bars.

        `by_venue`: by venue time, closed `grace_ns` after their end. `source_ns`: 0 from trades, else from stored bars of this
        interval; None where what comes first decides. Raises ValueError on a malformed call.
        """
        cdef BarSeries series = self._series(warmup, instrument)
        cdef int64_t now = self.context.time_ns
        if not 0 < interval_ns <= INTERVAL_MAX_NS:
            raise ValueError(f"expected an interval above 0 and of at most 366 days, found {interval_ns} ns")
        if not 0 <= grace_ns <= INTERVAL_MAX_NS or (grace_ns and not by_venue):
            raise ValueError(f"expected a grace of 0 or more for bars by venue time, and none for others, found {grace_ns} ns")
        if restatements and source_ns == 0 and not by_venue:
            raise ValueError("bars of trades by time of receipt are never restated: ask for bars by venue time")
        series.kind = BY_VENUE if by_venue else BY_RECEIPT
        series.interval_ns = interval_ns
        series.grace_ns = grace_ns
        series.restatements = restatements
        if source_ns is not None:
            series.source_is(source_ns)
        series.timer = timers_add(
            &self.context.timers, now - now % interval_ns + interval_ns + grace_ns, interval_ns, KERNEL_OWNER
        )
        self.series.append(series)
        return series

    def bars_by_size(self, ticks=None, volume=None, notional=None, warmup: int = 0, instrument=None, *, from_trades=False) -> BarSeries:
        """Follow bars of `ticks` trades, of a `volume` in base units or of a `notional` in quote units; declared in on_start.

        A volume is rounded up to lots, a notional to money units. `from_trades`: stored bars of the instrument are left out; else one that
        comes before any trade is refused. Raises ValueError on a malformed call.
        """
        cdef BarSeries series = self._series(warmup, instrument)
        if (ticks is not None) + (volume is not None) + (notional is not None) != 1:
            raise ValueError("expected one of ticks=, volume= (base units) and notional= (quote units)")
        if ticks is not None:
            series.kind = BY_TICKS
            size = ticks
        elif volume is not None:
            series.kind = BY_VOLUME
            size = to_steps(volume, series.terms.lot_num, series.terms.lot_den, True, "volume")
        else:
            series.kind = BY_NOTIONAL
            size = round(notional * MONEY_UNIT)
        if not 0 < size <= SIZE_MAX:
            raise ValueError(f"expected bars of a size above 0 and below 4e18 trades, lots or money units, found {size}")
        series.threshold = size
        if from_trades:
            series.source_is(0)
        self.series.append(series)
        return series

    cdef BarSeries _series(self, int64_t warmup, object instrument):
        cdef BarSeries series = BarSeries.__new__(BarSeries)
        self.seated()
        if not self.context.starting:
            raise RuntimeError("bars are declared in on_start, so that they are the same after a restart")
        if warmup < 0:
            raise ValueError(f"expected a warm-up of 0 or more bars, found {warmup}")
        series.keeper = self.keeper
        series.context = self.context
        series.warmup = warmup
        series.instrument = self.index_of(instrument)
        series.terms = &self.context.markets[series.instrument].terms
        return series

    @property
    def time_ns(self) -> int:
        """When the engine received the fact being handled, ns since 1970."""
        return self.seated().time_ns

    @property
    def position(self) -> PositionView:
        """Of the first instrument."""
        return self.first_position

    def position_of(self, instrument) -> PositionView:
        index = self.index_of(instrument)
        return self.positions[index]

    @property
    def book(self) -> BookView:
        """Of the first instrument; readable in the callback that asked."""
        return self._open(self.first_book)

    def book_of(self, instrument) -> BookView:
        cdef uint32_t index = self.index_of(instrument)
        cdef BookView view = self.books[index]
        return self._open(view)

    cdef BookView _open(self, BookView view):
        """Open for the callback that asks; outside the strategy's own callbacks it stays shut."""
        cdef const ContextC* context = self.seated()
        view.call = context.call if context.calling == self.number else 0
        return view

    @property
    def tick(self) -> float:
        """Of the first instrument, in quote units."""
        return price_of(&self.seated().markets[self.first].terms, 1)

    @property
    def lot(self) -> float:
        """Of the first instrument, in base units."""
        return quantity_of(&self.seated().markets[self.first].terms, 1)

    def free(self, side: str = "settle") -> float:
        """What positions and open orders do not hold of the first instrument's "settle", "quote" or "base" asset.

        A contract settles in its quote asset, an inverse one in its base asset; spot counts as settling in quote.
        """
        cdef const InstrumentC* terms = &self.seated().markets[self.first].terms
        cdef uint16_t asset = settle_asset(terms)
        if side == "quote":
            asset = terms.quote
        elif side == "base":
            asset = terms.base
        elif side != "settle":
            raise ValueError(f'expected "settle", "quote" or "base", found {side!r}')
        return (
            ledger_balance(&self.context.ledger, 0, asset).total - ledger_balance(&self.context.ledger, 0, asset).locked
        ) / 1e8


cdef int64_t contracts_of(const InstrumentC* terms, object notional, int64_t ticks) except? -1:
    """Whole lots of a contract that are worth at most `notional` quote units at a price."""
    cdef double lot_value = <double>terms.base_num / <double>terms.base_den if terms.kind == INVERSE else (
        <double>ticks * <double>terms.value_num / <double>terms.value_den
    )
    return to_steps(<double>notional * MONEY_UNIT / lot_value, 1, 1, False, "notional")


cdef int64_t to_steps(object value, int64_t num, int64_t den, bint up, str what) except? -1:
    """Whole steps of num / den in a number given by a user. Raises ValueError where it is no number of a sane size."""
    cdef double number = value
    if not -LARGEST < number * <double>den / <double>num < LARGEST:
        raise ValueError(f"expected a finite {what} below 9e15 steps, found {value!r}")
    return steps_up(number, num, den) if up else steps_down(number, num, den)
