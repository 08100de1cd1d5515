"""One matcher for backtest, sandbox and paper: our orders among the recorded ones, in exact queue position.

The simulated venue lives on the venue's own time. It consumes the recorded order-by-order stream at `venue_ns`, and our
commands when they arrive, `order_latency_ns` after they left; its answers reach the engine `answer_latency_ns` later.
At one instant the recorded event comes first.

Where the data tells order by order, our orders rest beside the book, not in it: each remembers the rank that the book gave at its arrival. Then the queue is
exact. When the record says that maker M at price p traded x lots, the taker met better prices first, and earlier
orders at p before M; so our orders at a better price, or at p with a smaller rank, would have traded: they fill, up to x in all.
Orders of ours behind M do not. An order that rests, in the record, at or through our price would have met us: we fill against it.
An arriving order that crosses the recorded book is parked by the book until its executions tell what it did.

What is assumed, and said in every report: recorded flow does not react to us; what we took stays taken (an order that we
traded with has that much less, for good); an execution that went to us went in the record to another, whose own history is
left as it is. After a book snapshot our orders stand behind everything in it.

Where the data tells totals per price, the queue is modelled: by_levels.pyx; where it tells best quotes only, they are levels of
which only the touch is known: by_quotes.pyx. Where it tells no book, orders are matched on bars (by_bars.pyx) or on trades
(by_trades.pyx), as the run says.

With `fee_in_base` a buy pays its fee out of what it bought, as on Binance without a fee coin; a sale pays in the quote asset
always. With a `fee_asset` both pay in that third asset, at its stated price, while the account has enough of it, and then as without.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from tradebot._core.arena cimport grow, index_clear, index_close, index_delete, index_get, index_open, index_put
from tradebot._core.book cimport NO_ASK, NO_BID, book_apply, book_close, book_from_list, book_level_quantity, book_open, book_quantity_ahead, book_reduce, book_to_list
from tradebot._core.by_bars cimport bars_fill, bars_market, bars_open, bars_order
from tradebot._core.by_levels cimport levels_fill_crossed, levels_market, levels_match, levels_take
from tradebot._core.by_price cimport price_cancel, price_order, price_would_take, priced_from_list, priced_to_list
from tradebot._core.by_quotes cimport quotes_ahead, quotes_close, quotes_market
from tradebot._core.by_trades cimport trades_market
from tradebot._core.clearing cimport clearing_close, clearing_from_list, clearing_market, clearing_open, clearing_to_list
from tradebot._core.conditional cimport conditional_check, conditional_find, conditional_release, conditional_take, conditional_watch, conditionals_from_list, conditionals_to_list, group_waits
from tradebot._core.depth cimport depth_close, depth_from_list, depth_open, depth_quantity, depth_to_list
from tradebot._core.doubts cimport doubts_from_bytes, doubts_to_bytes
from tradebot._core.instrument cimport instrument_from_tuple
from tradebot._core.intervals cimport interval_code
from tradebot._core.ledger cimport NO_ASSET
from tradebot._core.latency cimport latency_arrival, latency_close, latency_from_list, latency_open, latency_to_list
from tradebot._core.match cimport match_find, matches_close
from tradebot._core.priced cimport BY_BARS, BY_BOOK, BY_TRADES
from tradebot._core.queue cimport queue_close, queue_from_list, queue_pop, queue_push, queue_to_list
from tradebot._core.queue_model cimport QueueKind
from tradebot._core.types cimport FactC, Flag, Kind, OrderFlag, OrderType, RecordC, Reject, Side, TimeInForce, check_bounds
from tradebot._core.venue cimport HORIZONS, ConditionalC, HeldC, MarkoutC, RestingC, RestingListC, SimulatorC, VenueMarketC, answer_end, answer_fill, answer_gone, answer_taken, conditional_remove, drop_reducing, fill_resting, held_of, make_answer, markouts_settle, note_instant, pending_from_bytes, pending_to_bytes, reducible, resting_bound, resting_insert, resting_lots, resting_remove, trim_reducing

from collections.abc import Sequence

import numpy as np

from tradebot._core.types import DOUBT_DTYPE, FACT_DTYPE, MARKOUT_DTYPE, record_rows

assert MARKOUT_DTYPE.itemsize == sizeof(MarkoutC)


cdef int simulator_send(void* simulator, const FactC* command) except -1 nogil:
    """The outlet of a backtest's kernel."""
    cdef SimulatorC* venue = <SimulatorC*>simulator
    return queue_push(&venue.arrivals, latency_arrival(&venue.order_latency, command.head.time_ns), command)


cdef int simulator_market(SimulatorC* simulator, uint32_t index, const RecordC* record, int64_t time_ns) except -1 nogil:
    """Take in one recorded event at venue time `time_ns`; then see what contracts make of it."""
    take_market(simulator, index, record, time_ns)
    if simulator.clearing.margins != NULL:
        return clearing_market(simulator, index, record)
    return 0


cdef int take_market(SimulatorC* simulator, uint32_t index, const RecordC* record, int64_t time_ns) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint64_t trades = simulator.trade_number
    markouts_settle(simulator, time_ns)
    simulator.time_ns = time_ns
    note_instant(market, time_ns)
    if record.flags & Flag.VOID:
        return 0
    if simulator.grade == BY_BARS:
        bars_market(simulator, index, record)
        return settle_linked(simulator, index, trades)
    if record.kind == Kind.TRADE:
        market.last_price = record.price
    elif record.kind == Kind.MARK and record.price:
        market.mark_price = record.price
    elif record.kind > Kind.L3_EXECUTE and record.kind != Kind.QUOTE:
        return 0
    if market.conditionals.count and (record.kind == Kind.TRADE or record.kind == Kind.MARK):
        conditional_watch(simulator, index, record.price, record.kind == Kind.MARK)
    if simulator.grade == BY_TRADES:
        trades_market(simulator, index, record)
    elif record.kind == Kind.QUOTE:
        if not market.by_orders and (market.by_quotes or not market.by_levels):
            quotes_market(simulator, index, record)
    elif record.kind >= Kind.L3_ADD:
        take_event(simulator, index, record)
    elif not market.by_orders:
        if market.by_quotes and record.kind == Kind.L2_LEVEL:
            quotes_close(market)
        market.by_levels |= record.kind == Kind.L2_LEVEL
        levels_market(simulator, index, record)
    return settle_linked(simulator, index, trades)


cdef inline int settle_linked(SimulatorC* simulator, uint32_t index, uint64_t trades) except -1 nogil:
    """After an event: `trades` is how many there were before it."""
    if simulator.markets[index].linked and simulator.trade_number != trades:
        trim_reducing(simulator, index)
    return 0


cdef int take_event(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil:
    """Take in what happened to one recorded order."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint32_t handle
    cdef uint8_t side
    if record.kind > Kind.L3_EXECUTE:
        return 0
    market.by_orders = 1
    market.by_levels = 0
    market.by_quotes = 0
    side = record.flags & Flag.SELL
    if record.kind == Kind.L3_EXECUTE and market.resting[side].count:
        handle = index_get(&market.book.by_id, record.id)
        fill_ahead_of(
            simulator, index, side, record.price, market.book.nodes[handle].rank if handle else 0, record.quantity, record.id2
        )
    if market.taken_count and (record.kind == Kind.L3_CHANGE or record.kind == Kind.L3_ADD):
        apply_less_taken(market, record)
    else:
        book_apply(&market.book, record)
    if market.taken_count and record.kind == Kind.L3_DELETE:
        forget_taken(market, record.id)
    if record.flags & Flag.SNAPSHOT:
        if not record.flags & Flag.LAST:
            return 0
        requeue_after_snapshot(market)
    if market.resting[0].count or market.resting[1].count:
        fill_crossed(simulator, index)
    return 0


cdef int simulator_open(SimulatorC* simulator, uint32_t index, const RecordC* bar, int64_t time_ns) except -1 nogil:
    """A bar opens at venue time `time_ns`; its range comes by `simulator_market`."""
    cdef uint64_t trades = simulator.trade_number
    markouts_settle(simulator, time_ns)
    simulator.time_ns = time_ns
    note_instant(&simulator.markets[index], time_ns)
    bars_open(simulator, index, bar)
    return settle_linked(simulator, index, trades)


cdef int requeue_after_snapshot(VenueMarketC* market) noexcept nogil:
    """A snapshot says nothing of our place, so we take the last one."""
    cdef uint32_t at
    cdef uint8_t side
    for side in range(2):
        for at in range(market.resting[side].count):
            market.resting[side].items[at].rank = market.book.rank_next
            market.book.rank_next += 1
    return 0


cdef int apply_less_taken(VenueMarketC* market, const RecordC* record) except -1 nogil:
    """A change of an order that we took from, or a snapshot that shows it again: it has that much less than the record says."""
    cdef RecordC less = record[0]
    cdef uint32_t entry = index_get(&market.taken, record.id)
    if entry:
        less.quantity -= market.taken_lots[entry]
    book_apply(&market.book, &less)
    return 0


cdef int forget_taken(VenueMarketC* market, uint64_t id) noexcept nogil:
    """An order that has left the book: its place among those that we took from is another's."""
    cdef uint32_t entry = index_get(&market.taken, id)
    if entry:
        index_delete(&market.taken, id)
        market.taken_lots[entry] = market.taken_free
        market.taken_free = entry
    return 0


cdef uint32_t taken_entry(VenueMarketC* market, uint64_t id) except 0 nogil:
    """Where what we took of an order is counted."""
    cdef uint32_t entry = index_get(&market.taken, id)
    if entry:
        return entry
    entry = market.taken_free
    if entry:
        market.taken_free = <uint32_t>market.taken_lots[entry]
    else:
        market.taken_count += 1
        entry = market.taken_count
        grow(<void**>&market.taken_lots, sizeof(int64_t), &market.taken_max, entry + 1)
    market.taken_lots[entry] = 0
    index_put(&market.taken, id, entry)
    return entry


cdef int fill_ahead_of(
    SimulatorC* simulator, uint32_t index, uint8_t side, int64_t price, uint64_t rank, int64_t quantity, uint64_t taker,
) except -1 nogil:
    """Fill our orders of `side` that stand before (`price`, `rank`), up to `quantity` lots."""
    cdef RestingListC* list = &simulator.markets[index].resting[side]
    cdef int64_t left = quantity, lots
    cdef RestingC* order
    while list.count and left > 0:
        order = &list.items[0]
        if order.price != price and (order.price < price if side == Side.BUY else order.price > price):
            return 0
        if order.price == price and order.rank >= rank:
            return 0
        lots = resting_lots(&simulator.markets[index], order, side)
        if lots == 0:
            drop_reducing(simulator, index, side, 0)
            continue
        if lots > left:
            lots = left
        left -= lots
        fill_first(simulator, index, side, lots, taker)
    return 0


cdef int fill_crossed(SimulatorC* simulator, uint32_t index) except -1 nogil:
    """Fill our orders that a recorded order now rests at or through, at our price, taking from that order."""
    if simulator.markets[index].by_levels:
        return levels_fill_crossed(simulator, index)
    return orders_fill_crossed(simulator, index)


cdef int orders_fill_crossed(SimulatorC* simulator, uint32_t index) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef RestingListC* list
    cdef uint8_t side
    cdef uint32_t at
    cdef RestingC* order
    cdef int64_t lots
    for side in range(2):
        list = &market.resting[side]
        while list.count:
            order = &list.items[0]
            if market.book.ask > order.price if side == Side.BUY else market.book.bid < order.price:
                break
            lots = resting_lots(market, order, side)
            if lots == 0:
                drop_reducing(simulator, index, side, 0)
                continue
            match_find(&market.book, &simulator.matches, side, order.price, lots)
            for at in range(simulator.matches.count):
                fill_first(simulator, index, side, simulator.matches.items[at].quantity, simulator.matches.items[at].maker)
            take_matches(simulator, market)
    return 0


cdef int fill_first(SimulatorC* simulator, uint32_t index, uint8_t side, int64_t lots, uint64_t taker) except -1 nogil:
    """Fill `lots` of our best order of a side."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef const RestingC* order = &market.resting[side].items[0]
    return fill_resting(
        simulator, index, side, 0, lots, taker, book_quantity_ahead(&market.book, side, order.price, order.rank)
    )


cdef int take_matches(SimulatorC* simulator, VenueMarketC* market) except -1 nogil:
    """Take what was matched out of the recorded book, for good."""
    cdef uint32_t at
    for at in range(simulator.matches.count):
        market.taken_lots[taken_entry(market, simulator.matches.items[at].maker)] += simulator.matches.items[at].quantity
    for at in range(simulator.matches.count):
        book_reduce(&market.book, index_get(&market.book.by_id, simulator.matches.items[at].maker), simulator.matches.items[at].quantity)
    return 0


cdef int simulator_arrive(SimulatorC* simulator) except -1 nogil:
    """Take the next command at the venue."""
    cdef FactC command
    cdef uint64_t trades
    cdef uint32_t index = 0
    markouts_settle(simulator, simulator.arrivals.items[0].time_ns)
    simulator.time_ns = simulator.arrivals.items[0].time_ns
    queue_pop(&simulator.arrivals, &command)
    while simulator.markets[index].terms.id != command.head.instrument:
        index += 1
    note_instant(&simulator.markets[index], simulator.time_ns)
    trades = simulator.trade_number
    if command.head.kind == Kind.CANCEL_ORDER:
        return take_cancel(simulator, index, &command)
    if command.head.kind == Kind.AMEND_ORDER:
        take_amend(simulator, index, &command)
    elif command.head.kind == Kind.ORDER_TRIGGERED:
        take_triggered(simulator, index, command.head.id)
    else:
        if command.tail.parent or command.tail.flags & OrderFlag.REDUCE_ONLY:
            simulator.markets[index].linked = 1
        if command.tail.flags & OrderFlag.JOINS and not group_waits(&simulator.markets[index].conditionals, command.tail.parent):
            answer_end(simulator, index, &command, Kind.ORDER_REJECTED, command.head.quantity, Reject.VENUE_GROUP_DONE)
        elif command.tail.order_type > OrderType.MARKET:
            conditional_take(simulator, index, &command)
        else:
            take_order(simulator, index, &command, Kind.ORDER_ACCEPTED)
    if simulator.trade_number != trades:
        if simulator.grade == BY_BOOK:
            fill_crossed(simulator, index)      # what we took may have let a parked order rest through ours
        if simulator.markets[index].linked:
            trim_reducing(simulator, index)
    return 0


cdef int take_cancel(SimulatorC* simulator, uint32_t index, const FactC* command) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef ConditionalC waiting
    cdef RestingC resting
    cdef uint8_t side
    cdef uint32_t at
    cdef int64_t found = conditional_find(&market.conditionals, command.head.id)
    if found >= 0:
        waiting = market.conditionals.items[found]
        conditional_remove(&market.conditionals, <uint32_t>found)
        return answer_gone(
            simulator, index, waiting.id, waiting.strategy, waiting.side, waiting.price, waiting.remaining, Reject.ACCEPTED, command.tail.cause
        )
    for side in range(2):
        for at in range(market.resting[side].count):
            if market.resting[side].items[at].id == command.head.id:
                resting = market.resting[side].items[at]
                resting_remove(&market.resting[side], at)
                return answer_gone(
                    simulator, index, resting.id, resting.strategy, side, resting.price, resting.remaining, Reject.ACCEPTED, command.tail.cause
                )
    if price_cancel(simulator, index, command):
        return 0
    return refuse_change(simulator, index, command, Kind.CANCEL_REJECTED, Reject.VENUE_ORDER_UNKNOWN)


cdef int refuse_change(SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind, Reject why) except -1 nogil:
    cdef FactC fact
    make_answer(
        simulator, &fact, kind, command.head.id, simulator.markets[index].terms.id, command.head.owner, command.head.flags & Flag.SELL
    )
    fact.tail.reject = <uint16_t>why
    fact.tail.cause = command.tail.cause
    return queue_push(&simulator.answers, fact.head.time_ns, &fact)


cdef int take_triggered(SimulatorC* simulator, uint32_t index, uint64_t id) except -1 nogil:
    """A trigger was met at this instant, and its order acts now; it may have been cancelled in between."""
    cdef FactC order
    cdef int64_t at = conditional_find(&simulator.markets[index].conditionals, id)
    if at < 0:
        return 0
    conditional_release(simulator, index, <uint32_t>at, &order)
    return take_order(simulator, index, &order, Kind.ORDER_TRIGGERED)


cdef int take_amend(SimulatorC* simulator, uint32_t index, const FactC* command) except -1 nogil:
    """Change an order. Fewer lots at the same price keep the place in the queue; any other change of a resting order loses it."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint8_t side
    cdef uint32_t at
    cdef int64_t found = conditional_find(&market.conditionals, command.head.id)
    if found >= 0:
        return amend_conditional(simulator, index, <uint32_t>found, command)
    for side in range(2):
        for at in range(market.resting[side].count):
            if market.resting[side].items[at].id == command.head.id:
                return amend_resting(simulator, index, side, at, command)
    return refuse_change(simulator, index, command, Kind.AMEND_REJECTED, Reject.VENUE_ORDER_UNKNOWN)


cdef int amend_conditional(SimulatorC* simulator, uint32_t index, uint32_t at, const FactC* command) except -1 nogil:
    cdef ConditionalC* order = &simulator.markets[index].conditionals.items[at]
    cdef FactC shown
    cdef int64_t remaining = command.head.quantity - (order.total - order.remaining)
    if order.fired or remaining <= 0:
        return refuse_change(
            simulator, index, command, Kind.AMEND_REJECTED, Reject.VENUE_ORDER_UNKNOWN if order.fired else Reject.VENUE_AMEND_TOO_SMALL
        )
    order.remaining = remaining
    order.total = command.head.quantity
    order.price = command.head.price
    if command.tail.trigger:
        order.trigger = command.tail.trigger
    shown = command[0]
    shown.head.flags = order.side
    shown.tail.trigger = order.trigger
    answer_taken(simulator, index, &shown, Kind.ORDER_AMENDED, order.total, -1)
    return conditional_check(simulator, index, at)


cdef int amend_resting(SimulatorC* simulator, uint32_t index, uint8_t side, uint32_t at, const FactC* command) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef RestingC order = market.resting[side].items[at]
    cdef FactC again
    cdef int64_t remaining = command.head.quantity - (order.total - order.remaining)
    if remaining <= 0:
        return refuse_change(simulator, index, command, Kind.AMEND_REJECTED, Reject.VENUE_AMEND_TOO_SMALL)
    again = command[0]
    again.head.flags = side
    again.tail.trigger = 0
    if command.head.price == order.price and remaining <= order.remaining:
        market.resting[side].items[at].remaining = remaining
        market.resting[side].items[at].total = command.head.quantity
        return answer_taken(simulator, index, &again, Kind.ORDER_AMENDED, command.head.quantity, -1)
    again.head.quantity = remaining
    again.tail.display = order.total - order.remaining
    again.tail.parent = order.parent
    again.tail.flags = order.flags
    again.tail.time_in_force = order.time_in_force
    again.tail.order_type = OrderType.LIMIT
    if order.time_in_force == TimeInForce.POST_ONLY and would_take(simulator, index, side, command.head.price):
        return refuse_change(simulator, index, command, Kind.AMEND_REJECTED, Reject.VENUE_POST_ONLY_WOULD_TAKE)
    resting_remove(&market.resting[side], at)
    return take_order(simulator, index, &again, Kind.ORDER_AMENDED)


cdef bint would_take(SimulatorC* simulator, uint32_t index, uint8_t side, int64_t price) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    if simulator.grade != BY_BOOK:
        return price_would_take(market, side, price)
    if own_price_blocks(market, side, price):
        return 1
    find_matches(simulator, market, side, price, 1)
    return simulator.matches.count != 0


cdef int find_matches(SimulatorC* simulator, VenueMarketC* market, uint8_t side, int64_t limit, int64_t lots) except -1 nogil:
    if market.by_levels:
        return levels_match(market, &simulator.matches, side, limit, lots)
    return match_find(&market.book, &simulator.matches, side, limit, lots)


cdef int take_order(SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind) except -1 nogil:
    """An order of ours arrives, or comes anew: refuse it, or take it, trade what it can, and rest or cancel what remains.

    `kind` is what is answered first: ORDER_ACCEPTED, ORDER_AMENDED, or nothing for one that was triggered, which was said already.
    """
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint8_t side = command.head.flags & Flag.SELL
    cdef uint8_t force = command.tail.time_in_force
    cdef bint immediate = force == TimeInForce.IOC or force == TimeInForce.FOK
    cdef int64_t limit = reach_of(command, side), left = command.head.quantity
    cdef int64_t possible = may_fill(market, command, side, left)
    cdef bint meets_own = own_price_blocks(market, side, limit)
    if simulator.grade == BY_BARS:
        return bars_order(simulator, index, command, kind)
    if simulator.grade == BY_TRADES:
        return price_order(simulator, index, command, kind)
    if possible == 0:
        return answer_end(
            simulator, index, command, Kind.ORDER_REJECTED if kind == Kind.ORDER_ACCEPTED else Kind.ORDER_CANCELLED, left,
            Reject.VENUE_REDUCE_ONLY,
        )
    find_matches(simulator, market, side, own_limit(market, side) if meets_own else limit, possible)
    if force == TimeInForce.POST_ONLY and (simulator.matches.count or meets_own):
        return answer_end(simulator, index, command, Kind.ORDER_REJECTED, left, Reject.VENUE_POST_ONLY_WOULD_TAKE)
    if force == TimeInForce.FOK and simulator.matches.quantity < left:
        return answer_end(simulator, index, command, Kind.ORDER_REJECTED, left, Reject.VENUE_FILL_OR_KILL_UNFILLED)
    if simulator.matches.count == 0 and not meets_own and not immediate:
        return rest_order(simulator, index, command, left, kind)
    answer_order(simulator, index, command, kind, -1)
    left = trade_order(simulator, index, command, left)
    while meets_own and command.tail.flags & OrderFlag.PROTECTIVE and may_fill(market, command, side, left):
        end_own(simulator, index, 1 - side)
        meets_own = own_price_blocks(market, side, limit)
        find_matches(simulator, market, side, own_limit(market, side) if meets_own else limit, may_fill(market, command, side, left))
        left = trade_order(simulator, index, command, left)
    if left == 0:
        return 0
    if may_fill(market, command, side, left) == 0:
        return answer_end(simulator, index, command, Kind.ORDER_CANCELLED, left, Reject.VENUE_REDUCE_ONLY)
    if meets_own:
        return answer_end(simulator, index, command, Kind.ORDER_CANCELLED, left, Reject.VENUE_SELF_TRADE)
    if immediate:
        return answer_end(simulator, index, command, Kind.ORDER_CANCELLED, left, Reject.VENUE_NO_LIQUIDITY)
    return rest_order(simulator, index, command, left, 0)


cdef inline int64_t may_fill(const VenueMarketC* market, const FactC* command, uint8_t side, int64_t left) noexcept nogil:
    """What is left of an order, or, of one that only reduces, what there is to reduce."""
    cdef int64_t lots
    if not command.tail.flags & OrderFlag.REDUCE_ONLY:
        return left
    lots = reducible(market, command.head.owner, side)
    return lots if lots < left else left


cdef inline int64_t reach_of(const FactC* command, uint8_t side) noexcept nogil:
    """How far an order may trade: to its price, or, of a market order that was triggered, as far as there is anything."""
    if command.tail.trigger and command.tail.order_type == OrderType.MARKET:
        return NO_ASK if side == Side.BUY else NO_BID
    return command.head.price


cdef inline int answer_order(SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind, int64_t ahead) except -1 nogil:
    if kind == Kind.ORDER_ACCEPTED:
        return answer_taken(simulator, index, command, kind, command.head.quantity, ahead)
    if kind == Kind.ORDER_AMENDED:
        return answer_taken(simulator, index, command, kind, command.head.quantity + command.tail.display, ahead)
    return 0


cdef int end_own(SimulatorC* simulator, uint32_t index, uint8_t side) except -1 nogil:
    """A guard goes before our own best order of the other side: that one ends."""
    cdef RestingC gone = simulator.markets[index].resting[side].items[0]
    resting_remove(&simulator.markets[index].resting[side], 0)
    return answer_gone(simulator, index, gone.id, gone.strategy, side, gone.price, gone.remaining, Reject.VENUE_SELF_TRADE, 0)


cdef int64_t trade_order(SimulatorC* simulator, uint32_t index, const FactC* command, int64_t quantity) except? -1 nogil:
    """Trade what `matches` holds; returns the lots that remain."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef RestingC order
    cdef uint32_t at
    cdef int64_t left = quantity
    order.id = command.head.id
    order.strategy = command.head.owner
    order.price = command.head.price
    order.parent = command.tail.parent
    order.rank = 0
    for at in range(simulator.matches.count):
        left -= simulator.matches.items[at].quantity
        answer_fill(
            simulator, index, &order, command.head.flags & Flag.SELL, simulator.matches.items[at].price,
            simulator.matches.items[at].quantity, left, simulator.matches.items[at].maker, 0, 0,
        )
    if market.by_levels:
        levels_take(market, &simulator.matches, command.head.flags & Flag.SELL)
    else:
        take_matches(simulator, market)
    return left


cdef bint own_price_blocks(const VenueMarketC* market, uint8_t side, int64_t price) noexcept nogil:
    """An order of ours rests on the other side within reach."""
    cdef const RestingListC* other = &market.resting[1 - side]
    if other.count == 0:
        return 0
    return price >= other.items[0].price if side == Side.BUY else price <= other.items[0].price


cdef int64_t own_limit(const VenueMarketC* market, uint8_t side) noexcept nogil:
    """The last price before our own resting order: the venue prevents self-trades by ending the newer order."""
    cdef const RestingListC* other = &market.resting[1 - side]
    return other.items[0].price - 1 if side == Side.BUY else other.items[0].price + 1


cdef int rest_order(SimulatorC* simulator, uint32_t index, const FactC* command, int64_t left, uint8_t kind) except -1 nogil:
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint8_t side = command.head.flags & Flag.SELL
    cdef int64_t ahead
    cdef RestingC order
    order.id = command.head.id
    order.price = command.head.price
    order.remaining = left
    order.rank = market.book.rank_next
    order.strategy = command.head.owner
    order.total = command.head.quantity + command.tail.display
    order.parent = command.tail.parent
    order.time_in_force = command.tail.time_in_force
    order.flags = command.tail.flags & ~Flag.CONT
    market.book.rank_next += 1
    ahead = depth_quantity(&market.depth, side, order.price) if market.by_levels else book_level_quantity(&market.book, order.price)
    order.standing.ahead = <double>ahead
    order.standing.traded = 0
    if market.by_quotes:
        order.standing.ahead = quotes_ahead(market, side, order.price)
        if order.standing.ahead != <double>ahead:
            ahead = -1                          # it is not told
    resting_insert(&market.resting[side], &order, side)
    return answer_order(simulator, index, command, kind, ahead)


cdef class Simulator:
    """A simulated venue. Latencies as `_core.latency` takes them; fees are fractions in 1e-8, negative for a rebate; instruments
    as in the kernel. The queue model counts where the data tells levels; `half_powers` is twice the exponent of BY_POWER.

    `grade` is what orders are matched on: (Grade, what a market order pays beyond the price told, the share of a bar's volume that
    ours may take, both in 1e-8, and by instrument the interval in ns of the bars that fill); the last three count without a book.
    Where any of `margins` is a row (`_core.margin`), the venue clears contracts for `strategies` of an account that has `opening`
    money units by asset. `fee_asset`: (asset number, worth of one as a ratio of the settle asset).
    """

    def __cinit__(
        self, instruments: list, order_latency: tuple, answer_latency: tuple, maker_fee: int, taker_fee: int,
        fee_in_base: bool, queue_kind: int = QueueKind.RISK_AVERSE, half_powers: int = 6, whole_fills: bool = False,
        grade: tuple = (BY_BOOK, 0, 0, ()), horizons_ns: tuple = (1_000_000_000, 5_000_000_000, 30_000_000_000),
        margins: Sequence = (), opening: Sequence = (), strategies: int = 0, pays_funding: bool = True,
        fee_asset: tuple = (NO_ASSET, 1, 1),
    ):
        cdef uint32_t at
        memset(&self.simulator, 0, sizeof(SimulatorC))
        self.simulator.market_count = len(instruments)
        self.simulator.markets = <VenueMarketC*>calloc(len(instruments) + 1, sizeof(VenueMarketC))
        if self.simulator.markets == NULL:
            raise MemoryError("no memory for the simulated markets")
        index_open(&self.by_id, 64)
        for at in range(self.simulator.market_count):
            instrument_from_tuple(&self.simulator.markets[at].terms, instruments[at])
            book_open(&self.simulator.markets[at].book)
            depth_open(&self.simulator.markets[at].depth)
            index_open(&self.simulator.markets[at].taken, 64)
            resting_bound(&self.simulator.markets[at].resting[0])
            resting_bound(&self.simulator.markets[at].resting[1])
            index_put(&self.by_id, self.simulator.markets[at].terms.id, at + 1)
        latency_open(&self.simulator.order_latency, order_latency)
        latency_open(&self.simulator.answer_latency, answer_latency)
        self.simulator.queue_model.kind = queue_kind
        self.simulator.queue_model.half_powers = half_powers
        self.simulator.whole_fills = whole_fills
        self.simulator.grade, self.simulator.paid, self.simulator.participation, intervals_ns = grade
        for at, interval_ns in enumerate(intervals_ns):
            self.simulator.markets[at].priced.bar_ns = interval_ns
            self.simulator.markets[at].priced.bar_code = interval_code(interval_ns)
        self.simulator.maker_fee = maker_fee
        self.simulator.taker_fee = taker_fee
        self.simulator.fee_in_base = fee_in_base
        for at in range(HORIZONS):
            self.simulator.horizons_ns[at] = horizons_ns[at]
        self.simulator.fee_asset.asset, self.simulator.fee_asset.worth_num, self.simulator.fee_asset.worth_den = fee_asset
        self.simulator.fee_left = opening[fee_asset[0]] if fee_asset[0] < len(opening) else 0
        clearing_open(&self.simulator, list(margins), list(opening), strategies, pays_funding)

    def __dealloc__(self):
        cdef uint32_t at
        for at in range(self.simulator.market_count):
            book_close(&self.simulator.markets[at].book)
            depth_close(&self.simulator.markets[at].depth)
            index_close(&self.simulator.markets[at].taken)
            free(self.simulator.markets[at].taken_lots)
            free(self.simulator.markets[at].conditionals.items)
            free(self.simulator.markets[at].held)
            free(self.simulator.markets[at].resting[0].items)
            free(self.simulator.markets[at].resting[1].items)
            free(self.simulator.markets[at].priced.waiting.items)
            free(self.simulator.markets[at].priced.path.items)
        for at in range(HORIZONS):
            free(self.simulator.pending[at].items)
        free(self.simulator.markets)
        free(self.simulator.markouts)
        free(self.simulator.doubts.items)
        queue_close(&self.simulator.arrivals)
        queue_close(&self.simulator.answers)
        matches_close(&self.simulator.matches)
        latency_close(&self.simulator.order_latency)
        latency_close(&self.simulator.answer_latency)
        clearing_close(&self.simulator)
        index_close(&self.by_id)

    def market(self, records) -> None:
        """Take in recorded events, each at its `venue_ns`, bars that fill at their close; commands that arrive before are taken first."""
        cdef const RecordC[::1] rows = record_rows(records)
        cdef Py_ssize_t at
        cdef uint32_t index
        cdef int64_t shown_ns
        for at in range(rows.shape[0]):
            check_bounds(&rows[at], at)
            index = self.index_of(rows[at].instrument)
            shown_ns = rows[at].venue_ns
            if self.simulator.grade == BY_BARS and bars_fill(&self.simulator.markets[index], &rows[at]):
                shown_ns = rows[at].time_ns
            self.advance(shown_ns - 1)
            simulator_market(&self.simulator, index, &rows[at], shown_ns)

    def open(self, records) -> None:
        """Let bars open, each at its `venue_ns`, its label; commands that arrive before one are taken first. By bars only."""
        cdef const RecordC[::1] rows = record_rows(records)
        cdef Py_ssize_t at
        assert self.simulator.grade == BY_BARS
        for at in range(rows.shape[0]):
            check_bounds(&rows[at], at)
            self.advance(rows[at].venue_ns - 1)
            simulator_open(&self.simulator, self.index_of(rows[at].instrument), &rows[at], rows[at].venue_ns)

    def send(self, commands) -> None:
        """Send commands: an array of FACT_DTYPE; each arrives `order_latency_ns` after its `time_ns`."""
        cdef const FactC[::1] rows
        cdef Py_ssize_t at
        if commands.dtype != FACT_DTYPE:
            raise TypeError(f"expected an array of FACT_DTYPE, found {commands.dtype}")
        rows = np.array(commands, order="C")
        for at in range(rows.shape[0]):
            self.index_of(rows[at].head.instrument)
            check_bounds(&rows[at].head, at)
            simulator_send(&self.simulator, &rows[at])

    cdef uint32_t index_of(self, uint32_t instrument) except? 0xFFFFFFFF:
        cdef uint32_t found = index_get(&self.by_id, instrument)
        if found == 0:
            raise ValueError(f"a fact names instrument {instrument}, which is not at this venue")
        return found - 1

    def advance(self, time_ns: int) -> None:
        """Take every command that has arrived by `time_ns`."""
        cdef int64_t until = time_ns
        while self.simulator.arrivals.count and self.simulator.arrivals.items[0].time_ns <= until:
            simulator_arrive(&self.simulator)

    def take_answers(self):
        """Answers so far, in the order they reach the engine, as an array of FACT_DTYPE."""
        facts = np.empty(self.simulator.answers.count, dtype=FACT_DTYPE)
        cdef FactC[::1] rows = facts
        cdef Py_ssize_t at
        for at in range(rows.shape[0]):
            queue_pop(&self.simulator.answers, &rows[at])
        return facts

    def take_markouts(self):
        """Markouts that came due since the last call, as an array of MARKOUT_DTYPE."""
        cdef bytes body = (<char*>self.simulator.markouts)[: self.simulator.markout_count * sizeof(MarkoutC)] if self.simulator.markout_count else b""
        self.simulator.markout_count = 0
        return np.frombuffer(body, dtype=MARKOUT_DTYPE)

    def doubts(self):
        """At bar grade: the bars so far that reached a stop and a target of ours, as an array of DOUBT_DTYPE."""
        return np.frombuffer(doubts_to_bytes(&self.simulator.doubts), dtype=DOUBT_DTYPE)

    def resting(self, index: int, side: int) -> list[tuple[int, int, int, int]]:
        """(order id, price, lots that remain, lots ahead of it) of our resting orders, the best first."""
        cdef const VenueMarketC* market = &self.simulator.markets[index]
        cdef const RestingListC* list = &market.resting[side]
        cdef uint32_t at
        return [
            (
                list.items[at].id, list.items[at].price, list.items[at].remaining,
                <int64_t>(list.items[at].standing.ahead + 0.5) if market.by_levels
                else book_quantity_ahead(&market.book, side, list.items[at].price, list.items[at].rank),
            )
            for at in range(list.count)
        ]

    def clearing(self) -> list | None:
        """The venue's own books of contracts, as `Ledger.state` has them; None where none are traded."""
        found = clearing_to_list(&self.simulator)
        return None if found is None else found[0]

    def snapshot(self) -> list:
        """Plain data that `restore` takes."""
        cdef uint32_t at
        assert self.simulator.markout_count == 0, "take the markouts before a snapshot"
        return [
            self.simulator.time_ns,
            self.simulator.trade_number,
            queue_to_list(&self.simulator.arrivals),
            queue_to_list(&self.simulator.answers),
            [venue_market_to_list(&self.simulator.markets[at]) for at in range(self.simulator.market_count)],
            [pending_to_bytes(&self.simulator.pending[at]) for at in range(HORIZONS)],
            latency_to_list(&self.simulator.order_latency),
            latency_to_list(&self.simulator.answer_latency),
            self.doubts().tobytes(),
            clearing_to_list(&self.simulator),
            self.simulator.fee_left,
        ]

    def restore(self, state: list) -> None:
        cdef uint32_t at
        self.simulator.time_ns = state[0]
        self.simulator.trade_number = state[1]
        queue_from_list(&self.simulator.arrivals, state[2])
        queue_from_list(&self.simulator.answers, state[3])
        for at in range(self.simulator.market_count):
            venue_market_from_list(&self.simulator.markets[at], state[4][at])
        for at in range(HORIZONS):
            pending_from_bytes(&self.simulator.pending[at], state[5][at])
        self.simulator.markout_ns = 0
        latency_from_list(&self.simulator.order_latency, state[6])
        latency_from_list(&self.simulator.answer_latency, state[7])
        doubts_from_bytes(&self.simulator.doubts, state[8])
        clearing_from_list(&self.simulator, state[9])
        self.simulator.fee_left = state[10]


cdef list venue_market_to_list(const VenueMarketC* market):
    """The book, our resting orders per side, and what we took: by recorded order id."""
    cdef uint32_t at
    cdef uint64_t entry
    resting = [
        [
            (
                market.resting[side].items[at].id, market.resting[side].items[at].price, market.resting[side].items[at].remaining,
                market.resting[side].items[at].rank, market.resting[side].items[at].strategy,
                market.resting[side].items[at].standing.ahead, market.resting[side].items[at].standing.traded,
                market.resting[side].items[at].total, market.resting[side].items[at].parent,
                market.resting[side].items[at].time_in_force, market.resting[side].items[at].flags,
            )
            for at in range(market.resting[side].count)
        ]
        for side in range(2)
    ]
    taken = sorted(
        (market.taken.entries[entry].id, market.taken_lots[market.taken.entries[entry].handle])
        for entry in range(market.taken.mask + 1)
        if market.taken.entries[entry].handle
    )
    return [
        book_to_list(&market.book), resting, taken, depth_to_list(&market.depth),
        market.by_levels, market.by_orders, market.instant_ns, market.instant_middle2,
        conditionals_to_list(&market.conditionals), market.last_price, market.mark_price, market.linked,
        [
            (at, market.held[at].lots, market.held[at].fees_in_base)
            for at in range(market.held_max)
            if market.held[at].lots or market.held[at].fees_in_base
        ],
        priced_to_list(&market.priced), market.by_quotes,
    ]


cdef int venue_market_from_list(VenueMarketC* market, object state) except -1:
    cdef RestingC order
    cdef uint8_t side
    book_from_list(&market.book, state[0])
    for side in range(2):
        market.resting[side].count = 0
        resting_bound(&market.resting[side])
        for (
            order.id, order.price, order.remaining, order.rank, order.strategy, order.standing.ahead, order.standing.traded,
            order.total, order.parent, order.time_in_force, order.flags,
        ) in state[1][side]:
            resting_insert(&market.resting[side], &order, side)
    index_clear(&market.taken)
    market.taken_count = market.taken_free = 0
    depth_from_list(&market.depth, state[3])
    market.by_levels, market.by_orders, market.instant_ns, market.instant_middle2 = state[4:8]
    conditionals_from_list(&market.conditionals, state[8])
    market.last_price, market.mark_price, market.linked = state[9:12]
    if market.held_max:
        memset(market.held, 0, market.held_max * sizeof(HeldC))
    for strategy, lots, fees_in_base in state[12]:
        held_of(market, strategy)[0] = HeldC(lots, fees_in_base)
    priced_from_list(&market.priced, state[13])
    market.by_quotes = state[14]
    for id, lots in state[2]:
        market.taken_count += 1
        grow(<void**>&market.taken_lots, sizeof(int64_t), &market.taken_max, market.taken_count + 1)
        market.taken_lots[market.taken_count] = lots
        index_put(&market.taken, id, market.taken_count)
    return 0
