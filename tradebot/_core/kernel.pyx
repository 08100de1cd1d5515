"""The engine: takes one fact at a time, and turns it into commands.

A step: check that time does not run back, take the fact into the digest, apply it to book, bars, orders and ledger, call the
strategies that subscribed, and commit what each of them wished, through risk, before the next call. A
command goes to the outlet before the next fact is looked at. The kernel has no clock and does no IO; time is the
fact's own field, and the outlet is a function pointer that a simulator, or an outbox, fills.

What a strategy wishes in a callback commits when the callback returns. If it raises, its wishes are dropped, the
strategy is quarantined (a fact), its open orders are cancelled, and the rest of the run goes on.

Refusals by the risk gate are facts too: they enter the digest and reach `on_reject` within the same step. More than
`REJECTS_MAX` of them in one step quarantine the strategy, so that answering a refusal with the same order cannot hang a run.

What guards an entry (`protection`) is placed and followed here, before the strategy is told of the fill, and stays when the
strategy is quarantined.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from tradebot._core.acts cimport begin_epoch, close_again, operator_act
from tradebot._core.arena cimport grow, index_close, index_get, index_open, index_put
from tradebot._core.book cimport book_close, book_open, book_validate
from tradebot._core.collateral cimport collateral_hold, collateral_post, collateral_validate
from tradebot._core.compiled cimport Compiled, CompiledCall, compiled_call
from tradebot._core.context cimport NOBODY, TO_BARS, TO_BOOK, TO_FEED, TO_QUOTES, TO_TRADES, WISH_AMEND, WISH_CANCEL, WISH_PLACE, MarketC, WishC
from tradebot._core.depth cimport depth_close, depth_open, depth_validate
from tradebot._core.digest cimport digest_open, digest_slot
from tradebot._core.guards cimport guard_again, guard_later, note_closing_ended, note_guards, protect
from tradebot._core.instrument cimport SPOT, instrument_from_tuple
from tradebot._core.ledger cimport NO_ASSET, FeeAssetC, ledger_close, ledger_fill, ledger_from_list, ledger_open, ledger_position, ledger_to_list, position_unrealised
from tradebot._core.margin cimport margins_close, margins_open
from tradebot._core.market cimport mark2_of, market_from_list, market_take, market_to_list
from tradebot._core.orders cimport order_next_state, order_remaining, orders_close, orders_count, orders_from_list, orders_get, orders_open, orders_remove, orders_take, orders_to_list
from tradebot._core.protection cimport protections_close, protections_from_list, protections_to_list
from tradebot._core.risk cimport rate_close, rate_from_list, rate_open, rate_to_list
from tradebot._core.timers cimport KERNEL_OWNER, MISSED_NS, TimerC, timers_close, timers_fire, timers_from_list, timers_next_ns, timers_skip, timers_to_list
from tradebot._core.types cimport Flag, Kind, OrderState, TradingState
from tradebot._core.wishes cimport cancel_open, commit_amend, commit_cancel, commit_place, hold, relock, relock_filled

from collections.abc import Sequence

import numpy as np

from tradebot._core.types import FACT_DTYPE

cdef enum:
    REJECTS_MAX = 64                    # refusals of one strategy within one step

HANDLERS = (
    "on_trade", "on_book", "on_quote", "on_bar", "on_timer", "on_order", "on_fill",
    "on_reject", "on_cancel_reject", "on_amend_reject", "on_position", "on_feed",
)


cdef class Seat:
    """A strategy with the handlers it overrides; a handler it does not override costs nothing."""

    def __init__(self, Trader trader, number: int, base: type, markets: int):
        self.trader = trader
        self.number = number
        for name in HANDLERS:
            overridden = getattr(type(trader), name, None) is not getattr(base, name, None)
            handler = getattr(trader, name) if overridden else None
            if isinstance(trader, Compiled):
                handler = compiled_call(trader, name, handler)
            setattr_handler(self, name, handler)
        self.trade_views = [None] * markets
        self.bar_views = [None] * markets
        self.order_views = [None] * markets
        self.fill_views = [None] * markets
        self.reject_views = [None] * markets
        self.position_views = [None] * markets
        self.timer_views = [None] * markets
        self.feed_views = [None] * markets
        self.book_views = [None] * markets


cdef int setattr_handler(Seat seat, str name, object handler) except -1:
    if name == "on_trade":
        seat.on_trade = handler
    elif name == "on_book":
        seat.on_book = handler
    elif name == "on_quote":
        seat.on_quote = handler
    elif name == "on_bar":
        seat.on_bar = handler
    elif name == "on_timer":
        seat.on_timer = handler
    elif name == "on_order":
        seat.on_order = handler
    elif name == "on_fill":
        seat.on_fill = handler
    elif name == "on_reject":
        seat.on_reject = handler
    elif name == "on_cancel_reject":
        seat.on_cancel_reject = handler
    elif name == "on_amend_reject":
        seat.on_amend_reject = handler
    elif name == "on_position":
        seat.on_position = handler
    else:
        assert name == "on_feed"
        seat.on_feed = handler
    return 0


cdef object state_kept(Seat seat):
    """Its State as bytes; None of one that is quarantined and holds what cannot be kept."""
    try:
        return seat.trader.save_state()
    except (TypeError, ValueError, OverflowError):
        if not seat.quarantined:
            raise
        return None


cdef int load_kept(Seat seat, body) except -1:
    """Of one that is quarantined what does not fit its State is let go: it is called no more."""
    if body is None:
        return 0
    try:
        seat.trader.load_state(body)
    except Exception:
        if not seat.quarantined:
            raise
    return 0


cdef object open_view(View view, Kernel kernel, uint32_t index, str name):
    cdef ContextC* context = &kernel.context
    view.keeper = kernel
    view.context = context
    view.market = &context.markets[index]
    view.name_of_instrument = name
    return view


cdef class Kernel:
    """One engine over one account.

    `instruments`: tuples of `_core.instrument`, with `names` beside them; `opening`: money units per asset number;
    `order_base`: account and epoch bits of order ids; `lock_fee`: taker fee in 1e-8; `worst_band`: how far a market order may fill
    from the best, in 1e-8; `rate`: (orders, interval in ns), 0 orders is no limit; `margins`: those of `_core.margin`.
    """

    def __cinit__(
        self, instruments: list, names: list, opening: list, strategies: int, rate: tuple,
        lock_fee: int, fee_in_base: bool, worst_band: int, order_base: int, margins: Sequence = (), fee_asset: tuple = (NO_ASSET, 1, 1),
    ):
        cdef uint32_t at, count = len(instruments)
        self.context.markets = <MarketC*>calloc(count + 1, sizeof(MarketC))
        self.limits = <LimitsC*>calloc(strategies * count + 1, sizeof(LimitsC))
        if self.context.markets == NULL or self.limits == NULL:
            raise MemoryError("no memory for the markets")
        self.context.market_count = count
        self.context.margins = margins_open(list(margins), count)
        self.context.calling = NOBODY
        self.context.call_mark = self.context.own_mark
        self.context.call = 1               # views begin with 0, which is shut
        self.context.order_base = order_base
        self.context.worst_band = worst_band
        index_open(&self.by_id, 64)
        for at in range(count):
            instrument_from_tuple(&self.context.markets[at].terms, instruments[at])
            book_open(&self.context.markets[at].book)
            depth_open(&self.context.markets[at].depth)
            assert self.context.markets[at].terms.kind == SPOT or self.context.margins[at].leverage > 0, "a contract has a margin"
            self.context.markets[at].feed_is_up = 1
            index_put(&self.by_id, self.context.markets[at].terms.id, at + 1)
        ledger_open(&self.context.ledger, 1, len(opening), strategies, count)
        self.context.ledger.fee_asset = FeeAssetC(fee_asset[0], fee_asset[1], fee_asset[2])
        for at in range(len(opening)):
            self.context.ledger.balances[at].opening = opening[at]
            self.context.ledger.balances[at].total = opening[at]
        orders_open(&self.context.orders, strategies, count)
        rate_open(&self.rate, rate[0], rate[1])
        digest_open(&self.digest)
        self.lock_fee = lock_fee
        self.fee_in_base = fee_in_base
        self.state = TradingState.ACTIVE
        self.send = NULL
        self.target_owner = None

    def __init__(
        self, instruments: list, names: list, opening: list, strategies: int, rate: tuple,
        lock_fee: int, fee_in_base: bool, worst_band: int, order_base: int, margins: Sequence = (), fee_asset: tuple = (NO_ASSET, 1, 1),
    ):
        self.names = list(names)
        self.seats = []
        self.market_seats = [[] for _ in names]
        self.market_series = [[] for _ in names]
        self.timer_series = {}
        self.failures = []

    def __dealloc__(self):
        cdef uint32_t at
        for at in range(self.context.market_count):
            book_close(&self.context.markets[at].book)
            depth_close(&self.context.markets[at].depth)
        free(self.context.markets)
        margins_close(self.context.margins, self.context.market_count)
        free(self.limits)
        free(self.context.wishes)
        free(self.audit)
        index_close(&self.by_id)
        ledger_close(&self.context.ledger)
        orders_close(&self.context.orders)
        protections_close(&self.protections)
        timers_close(&self.context.timers)
        rate_close(&self.rate)

    cdef int connect(self, SendC send, void* target, object owner) except -1:
        """Where commands go; `owner` is kept alive."""
        self.send = send
        self.target = target
        self.target_owner = owner
        return 0

    def mark_calls(self, memory) -> None:
        """Say in two 64-bit words of `memory` which strategy's callback runs, so that where a callback ends the process or never returns,
        another process knows whose it was: the strategy's number + 1, 0 outside; the fact.
        """
        cdef uint64_t[::1] words = memory
        assert words.shape[0] >= 2
        self.mark_owner = memory
        words[0] = 0
        self.context.call_mark = &words[0]

    def seat(self, Trader trader, base: type, markets: list, limits: list) -> None:
        """Give a strategy its place: the market indexes it trades (the first is its default), and its limits for each.

        `limits` are dicts of LimitsC fields. Called once per strategy, in the order of their numbers.
        """
        cdef uint32_t index
        cdef Seat seat = Seat(trader, len(self.seats), base, self.context.market_count)
        trader.context = &self.context
        trader.keeper = self
        trader.number = seat.number
        trader.first = markets[0]
        trader.indexes = {self.names[at]: at for at in markets}
        trader.indexes.update({self.names[at].partition("@")[0]: at for at in reversed(markets)})
        trader.books = {}
        trader.positions = {}
        for index, limit in zip(markets, limits, strict=True):
            self.limits[seat.number * self.context.market_count + index] = limit
            self.market_seats[index].append(seat)
            self.context.markets[index].listeners |= (
                (TO_TRADES if seat.on_trade is not None else 0) | (TO_BOOK if seat.on_book is not None else 0)
                | (TO_QUOTES if seat.on_quote is not None else 0) | (TO_FEED if seat.on_feed is not None else 0)
            )
            self._open_views(seat, index)
        trader.first_book = trader.books[markets[0]]
        trader.first_position = trader.positions[markets[0]]
        self.seats.append(seat)

    def _open_views(self, Seat seat, index: int):
        cdef PositionView position = open_view(PositionView(), self, index, self.names[index])
        position.position = ledger_position(&self.context.ledger, seat.number, index)
        seat.trader.positions[index] = position
        seat.trader.books[index] = open_view(BookView(), self, index, self.names[index])
        seat.position_views[index] = position
        seat.book_views[index] = seat.trader.books[index]
        seat.trade_views[index] = open_view(TradeView(), self, index, self.names[index])
        seat.bar_views[index] = open_view(BarView(), self, index, self.names[index])
        seat.order_views[index] = open_view(OrderView(), self, index, self.names[index])
        seat.fill_views[index] = open_view(FillView(), self, index, self.names[index])
        seat.reject_views[index] = open_view(RejectView(), self, index, self.names[index])
        seat.timer_views[index] = open_view(TimerView(), self, index, self.names[index])
        seat.feed_views[index] = open_view(FeedView(), self, index, self.names[index])

    def start(self, time_ns: int) -> None:
        """Call every `on_start` as of `time_ns`, the time of the first fact to come."""
        cdef Seat seat
        self.context.time_ns = time_ns
        for seat in self.seats:
            self._start_seat(seat)

    def _start_seat(self, Seat seat):
        cdef BarSeries series
        if seat.quarantined:
            return
        self.context.starting = 1
        try:
            self.call(seat, seat.trader.on_start, None)
        finally:
            self.context.starting = 0
        for series in seat.trader.series:
            self.market_series[series.instrument].append((seat, series))
            self.context.markets[series.instrument].listeners |= TO_BARS
            if series.timer:
                self.timer_series[series.timer] = (seat, series)

    def stop(self) -> None:
        """Call every `on_stop`."""
        cdef Seat seat
        for seat in self.seats:
            if not seat.quarantined:
                self.call(seat, seat.trader.on_stop, None)

    cdef int step(self, const RecordC* record, const ExtraC* extra) except -1:
        """Take in one fact. `extra` is the second slot, NULL for market facts and timers."""
        cdef ContextC* context = &self.context
        assert record.time_ns >= context.time_ns, "time ran back"
        context.sequence += 1
        context.time_ns = record.time_ns
        digest_slot(&self.digest, record)
        if extra != NULL:
            digest_slot(&self.digest, extra)
        if record.kind == Kind.TIMER:
            return self.step_timer(record)
        if record.kind < Kind.ORDER_ACCEPTED:
            return self.step_market(record)
        if record.kind == Kind.TRADING_STATE_CHANGED:
            return self.step_state(record)
        if record.kind == Kind.EPOCH_STARTED:
            return begin_epoch(self, record)
        if record.kind == Kind.OPERATOR_ACT:
            return operator_act(self, record)
        return self.step_account(record, extra)

    cdef uint32_t market_of(self, uint32_t instrument) except? 0xFFFFFFFF:
        cdef uint32_t found
        if self.context.markets[self.hot_market].terms.id == instrument:
            return self.hot_market
        found = index_get(&self.by_id, instrument)
        if found == 0:
            raise ValueError(f"a fact names instrument {instrument}, which is not in this run")
        self.hot_market = found - 1
        return found - 1

    cdef int step_market(self, const RecordC* record) except -1:
        cdef uint32_t index = self.market_of(record.instrument)
        cdef MarketC* market = &self.context.markets[index]
        cdef int heard
        if record.flags & Flag.VOID:
            self.void_count += 1
            return 0
        if record.kind == Kind.GAP:
            self.gap_count += 1
        heard = market_take(market, record) & market.listeners
        return self.tell_market(index, record, heard) if heard else 0

    cdef int tell_market(self, uint32_t index, const RecordC* record, int heard) except -1:
        """Tell the market's seats what there is to hear of a fact: Listener, or'ed. Bars that it closes are told before it is."""
        cdef Seat seat
        cdef TradeView trade
        cdef FeedView feed
        if heard & TO_BARS:
            self.feed_series(index, record)
        if not heard & ~TO_BARS:
            return 0
        for seat in <list>self.market_seats[index]:
            if seat.quarantined:
                continue
            if heard & TO_TRADES and seat.on_trade is not None:
                trade = seat.trade_views[index]
                trade.record = record
                self.call(seat, seat.on_trade, trade)
            if heard & TO_BOOK and seat.on_book is not None and not seat.quarantined:
                self.call(seat, seat.on_book, seat.book_views[index])
            if heard & TO_QUOTES and seat.on_quote is not None and not seat.quarantined:
                self.call(seat, seat.on_quote, seat.book_views[index])
            if heard & TO_FEED and seat.on_feed is not None:
                feed = seat.feed_views[index]
                feed.record = record
                self.call(seat, seat.on_feed, feed)
        return 0

    cdef int step_timer(self, const RecordC* record) except -1:
        cdef TimerC timer
        cdef Seat seat
        cdef BarSeries series
        cdef TimerView view
        assert self.context.timers.count > 0
        timers_fire(&self.context.timers, &timer)
        assert timer.number == record.id
        if timer.owner == KERNEL_OWNER:
            if timer.number not in self.timer_series:
                return guard_later(self, timer.number, <int64_t>record.id2) if record.id2 else guard_again(self, timer.number)
            seat, series = self.timer_series[timer.number]
            series.fire(timer.due_ns)
            return self.miss_bars(seat, series) if record.id2 else self.tell_bars(seat, series, NULL)
        seat = self.seats[timer.owner]
        if record.id2 and timer.interval_ns:
            return timers_skip(&self.context.timers, timer.number, <int64_t>record.id2 - MISSED_NS)
        if seat.on_timer is not None and not seat.quarantined:
            view = seat.timer_views[seat.trader.first]
            view.record = record
            self.call(seat, seat.on_timer, view)
        return 0

    cdef int feed_series(self, uint32_t index, const RecordC* record) except -1:
        """Give a trade or a stored bar to every series of its instrument; bars that it closes are told before it is."""
        cdef Seat seat
        cdef BarSeries series
        for seat, series in <list>self.market_series[index]:
            self.tell_bars(seat, series, record)
        return 0

    cdef int tell_bars(self, Seat seat, BarSeries series, const RecordC* record) except -1:
        """Tell every bar that is due; `record`, where there is one, is taken in before."""
        cdef BarView view
        while self.next_bar(seat, series, record):
            record = NULL
            if series.count > series.warmup and seat.on_bar is not None and not seat.quarantined:
                view = seat.bar_views[series.instrument]
                view.series_told = series
                view.bar = series.told
                self.call(seat, seat.on_bar, view)
        return 0

    cdef int miss_bars(self, Seat seat, BarSeries series) except -1:
        """Bars that closed while nobody ran: indicators have them, as of any market that stood still, and nobody acts on them."""
        while self.next_bar(seat, series, NULL):
            pass
        return 0

    cdef int next_bar(self, Seat seat, BarSeries series, const RecordC* record) except -1:
        """A series that cannot be built from what comes shuts out the strategy that asked for it, and no other."""
        try:
            if record != NULL and not series.take(record):
                return 0
            return series.next_bar()
        except (ValueError, OverflowError) as error:
            if not seat.quarantined:
                self.quarantine(seat, error)
        return 0

    cdef int step_state(self, const RecordC* record) except -1:
        self.state = <uint8_t>record.id
        return 0

    cdef int step_account(self, const RecordC* record, const ExtraC* extra) except -1:
        cdef Seat seat = self.seats[record.owner]
        cdef OrderC* order = orders_get(&self.context.orders, record.id)
        cdef OrderC after
        cdef uint32_t index = self.market_of(record.instrument)
        cdef uint8_t kind = record.kind, state
        cdef FactC fact
        fact.head = record[0]
        fact.tail = extra[0]
        self.record(&fact)
        if kind == Kind.FUNDING_PAID or kind == Kind.LIQUIDATED:
            return self.step_margin(record, extra)
        if order == NULL:
            if kind == Kind.AMEND_REJECTED:
                return self.tell_reject(seat, seat.on_amend_reject, record, extra, index)
            assert kind == Kind.CANCEL_REJECTED, "an answer names an order that is not open"
            return self.tell_reject(seat, seat.on_cancel_reject, record, extra, index)
        state = <uint8_t>order_next_state(order.state, kind)
        assert state != 0, "an answer that cannot follow the order's state"
        order.state = state
        if kind == Kind.ORDER_FILLED:
            self.post_fill(order, record, extra, index)
        elif kind > Kind.CANCEL_REJECTED:
            self.note_answer(order, record, extra)
        after = order[0]
        if order.state == OrderState.DONE:
            relock(self, order, 0)
            orders_remove(&self.context.orders, order)
            if self.context.markets[index].terms.kind != SPOT:
                collateral_hold(&self.context, after.strategy, index, self.lock_fee)
        if after.guards or after.parent:
            note_guards(self, seat, &after, record, extra)
        if after.state == OrderState.DONE and self.protections.count:
            note_closing_ended(self, seat, after.id)
        if kind == Kind.ORDER_REJECTED:
            close_again(self, seat, &after, extra, index)
            return self.tell_reject(seat, seat.on_reject, record, extra, index)
        if kind == Kind.CANCEL_REJECTED:
            return self.tell_reject(seat, seat.on_cancel_reject, record, extra, index)
        if kind == Kind.AMEND_REJECTED:
            return self.tell_reject(seat, seat.on_amend_reject, record, extra, index)
        if kind == Kind.ORDER_FILLED:
            self._tell_fill(seat, record, extra, &after, index)
        return self.tell_order(seat, &after, index)

    cdef int step_margin(self, const RecordC* record, const ExtraC* extra) except -1:
        """The venue settled funding, or closed a position, which is told as a fill of no order."""
        cdef Seat seat = self.seats[record.owner]
        cdef uint32_t index = self.market_of(record.instrument)
        cdef OrderC none
        collateral_post(&self.context, record, extra, index, self.lock_fee)
        if record.kind == Kind.LIQUIDATED:
            self.fill_count += 1
            memset(&none, 0, sizeof(OrderC))
            none.state = OrderState.DONE
            return self._tell_fill(seat, record, extra, &none, index)
        if seat.on_position is not None and not seat.quarantined:
            self.call(seat, seat.on_position, seat.position_views[index])
        return 0

    cdef int post_fill(self, OrderC* order, const RecordC* record, const ExtraC* extra, uint32_t index) except -1:
        cdef int64_t beyond = record.quantity - order_remaining(order)
        self.fill_count += 1
        ledger_fill(
            &self.context.ledger, ledger_position(&self.context.ledger, order.strategy, index),
            &self.context.markets[index].terms, order.is_sell, record.price, record.quantity, extra.fee, extra.fee_asset,
        )
        if 0 < beyond <= order.reduced:
            order.reduced -= beyond                     # what others of its group filled was not taken off it at the venue
        orders_take(&self.context.orders, order, record.quantity)
        assert order_remaining(order) >= 0, "an order filled more than it had"
        if extra.parent == 0 if order.parent else order_remaining(order) == 0:
            order.state = OrderState.DONE
        return relock_filled(self, order)

    cdef int note_answer(self, OrderC* order, const RecordC* record, const ExtraC* extra) except -1:
        """The venue changed an order, refused to, or let it act."""
        if record.kind == Kind.ORDER_TRIGGERED:
            order.trigger = 0
            return 0
        if record.kind == Kind.ORDER_AMENDED:
            order.quantity = record.quantity
            order.price = record.price
            if order.trigger:
                order.trigger = extra.trigger
        if extra.cause:                         # ours: a change that the venue made by itself has none
            assert order.amends > 0
            order.amends -= 1
        if order.amends == 0:
            order.asked = order.worst = order.quantity
            order.worst_price = order.price
        orders_count(&self.context.orders, order)
        relock(self, order, hold(self, order))
        return 0

    cdef int _tell_fill(self, Seat seat, const RecordC* record, const ExtraC* extra, const OrderC* order, uint32_t index) except -1:
        cdef FillView view
        if seat.on_fill is not None and not seat.quarantined:
            view = seat.fill_views[index]
            view.record = record
            view.extra = extra
            view.order = order[0]
            self.call(seat, seat.on_fill, view)
        if seat.on_position is not None and not seat.quarantined:
            self.call(seat, seat.on_position, seat.position_views[index])
        return 0

    cdef int tell_order(self, Seat seat, const OrderC* order, uint32_t index) except -1:
        cdef OrderView view
        if seat.on_order is not None and not seat.quarantined:
            view = seat.order_views[index]
            view.order = order[0]
            self.call(seat, seat.on_order, view)
        return 0

    cdef int tell_reject(self, Seat seat, object handler, const RecordC* record, const ExtraC* extra, uint32_t index) except -1:
        cdef RejectView view
        if handler is not None and not seat.quarantined:
            view = seat.reject_views[index]
            view.record = record
            view.extra = extra
            self.call(seat, handler, view)
        return 0

    cdef int call(self, Seat seat, object handler, View view) except -1:
        """Call a strategy, then commit what it wished."""
        self.call_only(seat, handler, view)
        if self.context.wish_count:
            self.commit(seat)
        return 0

    cdef int call_only(self, Seat seat, object handler, View view) except -1:
        """Call a strategy. If it raises, drop what this call wished and quarantine it."""
        cdef ContextC* context = &self.context
        cdef uint32_t wishes = context.wish_count
        if context.folding:
            return 0
        context.call += 1
        context.calling = seat.number
        context.call_mark[1] = context.sequence
        context.call_mark[0] = seat.number + 1
        try:
            if view is None:
                handler()
            elif type(handler) is CompiledCall:
                (<CompiledCall>handler).run(<Compiled>seat.trader, view)
            else:
                view.call = context.call
                handler(view)
        except Exception as error:
            if getattr(error, "aborts_run", False):
                raise
            context.call_mark[0] = 0
            context.wish_count = wishes
            context.calling = NOBODY
            context.call += 1
            self.quarantine(seat, error)
            return 0
        finally:
            context.calling = NOBODY
            context.call += 1
        context.call_mark[0] = 0            # it stays where the callback ends the run
        return 0

    cdef int commit(self, Seat seat) except -1:
        """Send the wishes on, one by one; refusals may add more at the end."""
        cdef ContextC* context = &self.context
        cdef uint32_t at = 0, rejects = 0
        cdef WishC wish
        if context.restoring:
            context.wish_count = 0
            return 0
        while at < context.wish_count:
            wish = context.wishes[at]
            at += 1
            if wish.kind == WISH_PLACE:
                rejects += commit_place(self, seat, &wish) != 0
            elif wish.kind == WISH_CANCEL:
                rejects += commit_cancel(self, seat, &wish)
            elif wish.kind == WISH_AMEND:
                rejects += commit_amend(self, seat, &wish)
            else:
                rejects += protect(self, seat, &wish) != 0
            if rejects > REJECTS_MAX and not seat.quarantined:
                self.quarantine(seat, RuntimeError(f"{rejects} refusals within one fact"))
            if seat.quarantined:
                break
        context.wish_count = 0
        return 0

    cdef int _tell_refusal(self, Seat seat, object handler, const FactC* fact, uint32_t index) except -1:
        """Call within a commit: what it wishes joins the end of the same list."""
        cdef RejectView view = seat.reject_views[index]
        view.record = &fact.head
        view.extra = &fact.tail
        return self.call_only(seat, handler, view)

    cdef int quarantine(self, Seat seat, object error) except -1:
        """Shut a strategy out, say so as a fact, cancel what it has open except its guards."""
        cdef FactC fact
        cdef uint32_t index
        seat.quarantined = 1
        self.failures.append((seat.number, self.context.sequence, error))
        if self.context.restoring:
            return 0
        memset(&fact, 0, sizeof(FactC))
        fact.head.time_ns = self.context.time_ns
        fact.head.id = self.context.sequence
        fact.head.owner = seat.number
        fact.head.kind = fact.tail.kind = Kind.STRATEGY_QUARANTINED
        fact.tail.cause = self.context.sequence
        fact.tail.flags = Flag.CONT
        self.emit(&fact)
        for index in range(self.context.market_count):
            cancel_open(self, seat, index)
        return 0

    cdef int emit(self, FactC* fact) except -1:
        """Take a command, or a refusal of our own, into the digest and the audit."""
        digest_slot(&self.digest, &fact.head)
        digest_slot(&self.digest, &fact.tail)
        return self.record(fact)

    cdef int record(self, const FactC* fact) except -1:
        grow(<void**>&self.audit, sizeof(FactC), &self.audit_max, self.audit_count + 1)
        self.audit[self.audit_count] = fact[0]
        self.audit_count += 1
        return 0

    @property
    def sequence(self) -> int:
        """Facts stepped so far."""
        return self.context.sequence

    @property
    def time_ns(self) -> int:
        return self.context.time_ns

    @property
    def next_timer_ns(self) -> int:
        """When the source must next bring a TIMER fact; 2**63 - 1 where none is set."""
        return timers_next_ns(&self.context.timers)

    @property
    def commands(self) -> int:
        return self.command_count

    @property
    def orders(self) -> int:
        """Orders sent so far."""
        return self.order_count

    @property
    def fills(self) -> int:
        return self.fill_count

    @property
    def gaps(self) -> int:
        return self.gap_count

    @property
    def voids(self) -> int:
        """Facts that were kept for the record and applied to nothing."""
        return self.void_count

    @property
    def quarantined(self) -> list:
        """Numbers of the strategies that are shut out."""
        cdef Seat seat
        return [seat.number for seat in self.seats if seat.quarantined]

    @property
    def calls(self) -> int:
        """Grows with every callback; a watchdog compares it."""
        return self.context.call - 1

    @property
    def calling(self) -> int | None:
        """Number of the strategy whose callback runs, None outside."""
        return None if self.context.calling == NOBODY else self.context.calling

    @property
    def digest_text(self) -> str:
        """The digest so far: 32 hex digits."""
        return f"{self.digest.high:016x}{self.digest.low:016x}"

    def take_audit(self):
        """Commands and account facts since the last call, as an array of FACT_DTYPE."""
        facts = np.empty(self.audit_count, dtype=FACT_DTYPE)
        cdef FactC[::1] rows
        if self.audit_count:
            rows = facts
            memcpy(&rows[0], self.audit, sizeof(FactC) * self.audit_count)
            self.audit_count = 0
        return facts

    def balances(self) -> list[tuple[int, int, int]]:
        """(opening, total, locked) in money units, by asset number."""
        return ledger_to_list(&self.context.ledger)[0]

    def positions(self) -> list[tuple]:
        """The rows of `Ledger.state`, by strategy and instrument."""
        return ledger_to_list(&self.context.ledger)[1]

    def open_orders(self) -> list[tuple]:
        """The open orders as a snapshot has them: (id, price, quantity, filled, locked, sent at, market, strategy, is a sale, type, time
        in force, state, ...)."""
        return orders_to_list(&self.context.orders)

    @property
    def trading_state(self) -> int:
        return self.state

    def market(self, index: int) -> tuple[int, int, int, int]:
        """(bid, ask, last price, middle2) in ticks; 0 where unknown."""
        cdef const MarketC* market = &self.context.markets[index]
        return market.bid, market.ask, market.last_price, market.middle2

    def unrealised(self, strategy: int, index: int) -> int:
        """Money units of the settle asset at the mark, where one is told, else at the last middle price."""
        cdef const MarketC* market = &self.context.markets[index]
        return position_unrealised(ledger_position(&self.context.ledger, strategy, index), &market.terms, mark2_of(market))

    def set_trading_state(self, state: int) -> None:
        """Where trading starts; a change during a run is a TRADING_STATE_CHANGED fact."""
        self.state = state

    def set_triggers_by_mark(self, by_mark: bool) -> None:
        """Whether conditional orders watch the mark price instead of the last trade; set before the run."""
        self.context.by_mark = by_mark

    def validate(self) -> None:
        """Assert what books, ledger and orders promise; O(everything)."""
        cdef uint32_t at
        for at in range(self.context.market_count):
            book_validate(&self.context.markets[at].book)
            depth_validate(&self.context.markets[at].depth)
        collateral_validate(&self.context)

    def snapshot(self) -> list:
        """Plain data from which `restore` goes on to the same digest. Taken between steps."""
        cdef Seat seat
        assert self.context.wish_count == 0
        return [
            self.context.sequence,
            self.context.time_ns,
            [self.digest.low, self.digest.high, self.digest.count],
            [self.context.order_number, self.context.order_base],
            [self.command_count, self.order_count, self.fill_count, self.void_count, self.gap_count],
            self.state,
            [market_to_list(&self.context.markets[at]) for at in range(self.context.market_count)],
            ledger_to_list(&self.context.ledger),
            orders_to_list(&self.context.orders),
            timers_to_list(&self.context.timers),
            rate_to_list(&self.rate),
            protections_to_list(&self.protections),
            [
                [bool(seat.quarantined), state_kept(seat), [series.state() for series in seat.trader.series]]
                for seat in self.seats
            ],
        ]

    def restore(self, state: list) -> None:
        """Go on from `snapshot`: a kernel built alike, whose strategies declare again in `on_start`."""
        self.context.restoring = 1
        self.start(state[1])
        self.context.restoring = 0
        self.context.wish_count = 0
        self.failures.clear()
        self.restore_books(state)
        timers_from_list(&self.context.timers, state[9])
        self._restore_seats(state[12])

    def restore_books(self, state: list) -> None:
        """What of `snapshot` is not the strategies' own: they may have been edited since. Of the timers, those that place guards again."""
        cdef uint32_t at
        retries = {row[10] for row in state[11]} - {0}
        self.context.time_ns = state[1]
        self.context.sequence = state[0]
        self.digest.low, self.digest.high, self.digest.count = state[2]
        self.context.order_number, self.context.order_base = state[3]
        self.command_count, self.order_count, self.fill_count, self.void_count, self.gap_count = state[4]
        self.state = state[5]
        for at in range(self.context.market_count):
            market_from_list(&self.context.markets[at], state[6][at])
        ledger_from_list(&self.context.ledger, state[7])
        orders_from_list(&self.context.orders, state[8])
        timers_from_list(&self.context.timers, [state[9][0], [row for row in state[9][1] if row[2] in retries]])
        rate_from_list(&self.rate, state[10])
        protections_from_list(&self.protections, state[11])

    def _restore_seats(self, states: list):
        cdef Seat seat
        cdef BarSeries series
        assert len(states) == len(self.seats)
        self.timer_series = {}
        for seat, (quarantined, body, bars) in zip(self.seats, states, strict=True):
            seat.quarantined = quarantined
            load_kept(seat, body)
            if len(bars) != len(seat.trader.series):
                raise ValueError(f"strategy {seat.number} declared {len(seat.trader.series)} bar series, the snapshot holds {len(bars)}")
            for series, saved in zip(seat.trader.series, bars, strict=True):
                series.restore(saved)
                if series.timer:
                    self.timer_series[series.timer] = (seat, series)
