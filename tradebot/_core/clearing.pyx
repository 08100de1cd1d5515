"""The simulated venue's clearing of contracts: it keeps books of its own, settles funding and liquidates.

A venue knows our positions before we do, by the latency of its answers. So the simulated one has a ledger, the same code as the
engine's, that takes each fill as it happens; what it decides reaches the engine as facts, FUNDING_PAID and LIQUIDATED, which the
engine posts as it is told. Live, a real venue is the one that tells.

*Funding*: on a FUNDING fact each position pays notional * rate (`margin.funding_payment`), at the price of the fact, else at the
last mark, else at the middle.

*Liquidation*: judged whenever the mark moves, and where no marks are told, the middle of the book; after each fill and each settlement.
When margin and unrealised no longer exceed the maintenance margin, open orders of the position are cancelled and the position is
closed whole at that price, rounded against us; what is left of the margin goes to the venue as a fee. So exactly the margin is
lost: isolated that of the position, cross the balance of the asset, with every contract that settles in it. A venue closes by steps
and may give back the rest; we assume that it does not. A gap beyond the margin is made up by the venue's fund, as a negative fee.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free

from tradebot._core.by_price cimport price_end_all
from tradebot._core.instrument cimport SPOT, InstrumentC, add, settle_asset
from tradebot._core.ledger cimport PositionC, ledger_balance, ledger_close, ledger_fill, ledger_from_list, ledger_funding, ledger_open, ledger_position, ledger_to_list, position_unrealised
from tradebot._core.margin cimport MarginC, funding_payment, maintenance, margins_close, margins_open, position_margin
from tradebot._core.queue cimport queue_push
from tradebot._core.types cimport FactC, Flag, Kind, RecordC, Reject, Side
from tradebot._core.venue cimport ClearingC, ConditionalC, RestingC, VenueMarketC, answer_gone, conditional_remove, make_answer, note_held, resting_remove, venue_mark2


cdef int clearing_open(SimulatorC* simulator, list margins, list opening, uint32_t strategies, bint pays_funding) except -1:
    """Keep books where any market has margin; `opening` is in money units by asset number."""
    cdef ClearingC* clearing = &simulator.clearing
    cdef uint32_t at
    if not any(row is not None for row in margins):
        return 0
    clearing.margins = margins_open(margins, simulator.market_count)
    clearing.price2 = <int64_t*>calloc(simulator.market_count + 1, sizeof(int64_t))
    clearing.due = <uint8_t*>calloc(simulator.market_count + 1, sizeof(uint8_t))
    if clearing.price2 == NULL or clearing.due == NULL:
        raise MemoryError("no memory for the clearing")
    clearing.pays_funding = pays_funding
    ledger_open(&clearing.ledger, 1, len(opening), strategies, simulator.market_count)
    clearing.ledger.fee_asset = simulator.fee_asset
    for at in range(len(opening)):
        clearing.ledger.balances[at].opening = clearing.ledger.balances[at].total = opening[at]
    return 0


cdef int clearing_close(SimulatorC* simulator) noexcept nogil:
    margins_close(simulator.clearing.margins, simulator.market_count)
    free(simulator.clearing.price2)
    free(simulator.clearing.due)
    ledger_close(&simulator.clearing.ledger)
    return 0


cdef int clearing_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil:
    """Look at a market after a recorded event. Only where `margins` is there."""
    cdef ClearingC* clearing = &simulator.clearing
    cdef int64_t mark2
    if simulator.markets[index].terms.kind == SPOT or record.flags & Flag.VOID:
        return 0
    if record.kind == Kind.FUNDING and clearing.pays_funding:
        settle_funding(simulator, index, record)
    elif not is_whole(record):
        return 0
    if not is_held(clearing, index):
        return 0
    mark2 = venue_mark2(&simulator.markets[index])
    if mark2 == 0 or (mark2 == clearing.price2[index] and not clearing.due[index]):
        return 0
    clearing.price2[index] = mark2
    clearing.due[index] = 0
    if clearing.margins[index].is_cross:
        return judge_account(simulator, settle_asset(&simulator.markets[index].terms))
    return judge_positions(simulator, index)


cdef inline bint is_whole(const RecordC* record) noexcept nogil:
    """The book stands: it is not in the middle of a message or a snapshot."""
    return record.flags & Flag.LAST or not (record.kind == Kind.L2_LEVEL or record.flags & Flag.SNAPSHOT)


cdef inline bint is_held(const ClearingC* clearing, uint32_t index) noexcept nogil:
    cdef uint32_t strategy
    for strategy in range(clearing.ledger.strategies):
        if ledger_position(&clearing.ledger, <uint16_t>strategy, index).quantity:
            return 1
    return 0


cdef int settle_funding(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil:
    cdef ClearingC* clearing = &simulator.clearing
    cdef const InstrumentC* terms = &simulator.markets[index].terms
    cdef int64_t mark2 = 2 * record.price if record.price > 0 else venue_mark2(&simulator.markets[index])
    cdef int64_t rate = <int64_t>record.id, paid
    cdef uint32_t strategy
    cdef int overflow = 0
    cdef PositionC* position
    cdef FactC fact
    for strategy in range(clearing.ledger.strategies):
        position = ledger_position(&clearing.ledger, <uint16_t>strategy, index)
        if position.quantity == 0:
            continue
        if mark2 == 0:
            with gil:
                raise ValueError(f"a funding settlement of instrument {terms.id} comes without a price, and neither mark nor book is known: import marks")
        paid = funding_payment(terms, position.quantity, mark2, rate, &overflow)
        if overflow:
            with gil:
                raise OverflowError(f"the funding of {position.quantity} lots at {mark2 / 2} ticks leaves 64 bits")
        ledger_funding(&clearing.ledger, position, terms, paid)
        make_answer(simulator, &fact, Kind.FUNDING_PAID, 0, terms.id, <uint16_t>strategy, 0)
        fact.head.price = mark2 >> 1
        fact.head.quantity = position.quantity
        fact.head.id = record.id
        fact.tail.fee = paid
        fact.tail.fee_asset = settle_asset(terms)
        queue_push(&simulator.answers, fact.head.time_ns, &fact)
    clearing.due[index] = 1
    return 0


cdef int judge_positions(SimulatorC* simulator, uint32_t index) except -1 nogil:
    """Isolated: each strategy's position by itself."""
    cdef ClearingC* clearing = &simulator.clearing
    cdef const InstrumentC* terms = &simulator.markets[index].terms
    cdef const MarginC* margin = &clearing.margins[index]
    cdef int64_t mark2 = clearing.price2[index], backing, needed
    cdef PositionC* position
    cdef uint32_t strategy
    cdef int overflow = 0
    for strategy in range(clearing.ledger.strategies):
        position = ledger_position(&clearing.ledger, <uint16_t>strategy, index)
        if position.quantity == 0:
            continue
        backing = position_margin(margin, position, &overflow)
        needed = maintenance(margin, terms, position.quantity, mark2, &overflow)
        if overflow or backing + position_unrealised(position, terms, mark2) <= needed:
            cancel_orders(simulator, index, <uint16_t>strategy)
            close_position(simulator, index, position, backing, 1)
    return 0


cdef int judge_account(SimulatorC* simulator, uint16_t asset) except -1 nogil:
    """Cross: all contracts that settle in one asset together."""
    cdef ClearingC* clearing = &simulator.clearing
    cdef PositionC* position
    cdef const InstrumentC* terms
    cdef int64_t equity = ledger_balance(&clearing.ledger, 0, asset).total, needed = 0, price2
    cdef uint32_t at, last = 0, count = clearing.ledger.strategies * clearing.ledger.instruments
    cdef int overflow = 0
    for at in range(count):
        position = &clearing.ledger.positions[at]
        terms = &simulator.markets[position.instrument].terms
        if position.quantity and settles_in(terms, asset):
            last = at
            price2 = clearing.price2[position.instrument]
            add(&equity, position_unrealised(position, terms, price2), &overflow)
            add(&needed, maintenance(&clearing.margins[position.instrument], terms, position.quantity, price2, &overflow), &overflow)
    if equity > needed and not overflow:
        return 0
    for at in range(count):
        position = &clearing.ledger.positions[at]
        if settles_in(&simulator.markets[position.instrument].terms, asset):
            cancel_orders(simulator, position.instrument, position.strategy)
            if position.quantity:
                close_position(simulator, position.instrument, position, 0, at == last)
    return 0


cdef inline bint settles_in(const InstrumentC* terms, uint16_t asset) noexcept nogil:
    return terms.kind != SPOT and settle_asset(terms) == asset


cdef int cancel_orders(SimulatorC* simulator, uint32_t index, uint16_t strategy) except -1 nogil:
    """All of a strategy in a market, those that wait for a trigger or for a price too."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef ConditionalC waiting
    cdef RestingC resting
    cdef uint8_t side
    cdef uint32_t at = 0
    while at < market.conditionals.count:
        waiting = market.conditionals.items[at]
        if waiting.strategy != strategy:
            at += 1
            continue
        conditional_remove(&market.conditionals, at)
        answer_gone(
            simulator, index, waiting.id, strategy, waiting.side, waiting.price, waiting.remaining, Reject.VENUE_LIQUIDATED, 0
        )
    for side in range(2):
        at = 0
        while at < market.resting[side].count:
            resting = market.resting[side].items[at]
            if resting.strategy != strategy:
                at += 1
                continue
            resting_remove(&market.resting[side], at)
            answer_gone(simulator, index, resting.id, strategy, side, resting.price, resting.remaining, Reject.VENUE_LIQUIDATED, 0)
    return price_end_all(simulator, index, strategy, Reject.VENUE_LIQUIDATED)


cdef int close_position(SimulatorC* simulator, uint32_t index, PositionC* position, int64_t backing, bint takes_rest) except -1 nogil:
    """Close at the judged price. `backing` is the margin that is lost; of a cross account (0) what is left of its balance."""
    cdef ClearingC* clearing = &simulator.clearing
    cdef const InstrumentC* terms = &simulator.markets[index].terms
    cdef uint16_t asset = settle_asset(terms)
    cdef bint is_sell = position.quantity > 0
    cdef int64_t lots = position.quantity if is_sell else -position.quantity
    cdef int64_t price = clearing.price2[index] >> 1, realised = position.realised, fee = 0
    cdef FactC fact
    if not is_sell:
        price = (clearing.price2[index] + 1) >> 1
    if price < 1:
        price = 1
    ledger_fill(&clearing.ledger, position, terms, is_sell, price, lots, 0, asset)
    if clearing.margins[index].is_cross:
        if takes_rest:
            fee = ledger_balance(&clearing.ledger, 0, asset).total
    else:
        fee = backing + position.realised - realised
    position.fees += fee
    ledger_balance(&clearing.ledger, 0, asset).total -= fee
    note_held(&simulator.markets[index], position.strategy, Side.SELL_SIDE if is_sell else Side.BUY, lots, 0)
    make_answer(simulator, &fact, Kind.LIQUIDATED, 0, terms.id, position.strategy, Side.SELL_SIDE if is_sell else Side.BUY)
    simulator.trade_number += 1
    fact.head.price = price
    fact.head.quantity = lots
    fact.tail.fee = fee
    fact.tail.fee_asset = asset
    fact.tail.trade_id = simulator.trade_number
    fact.tail.trigger = simulator.markets[index].instant_middle2
    return queue_push(&simulator.answers, fact.head.time_ns, &fact)


cdef object clearing_to_list(const SimulatorC* simulator):
    """None where no contracts are traded."""
    cdef uint32_t at
    if simulator.clearing.margins == NULL:
        return None
    return [
        ledger_to_list(&simulator.clearing.ledger),
        [(simulator.clearing.price2[at], simulator.clearing.due[at]) for at in range(simulator.market_count)],
    ]


cdef int clearing_from_list(SimulatorC* simulator, object state) except -1:
    cdef uint32_t at
    if state is None:
        return 0
    ledger_from_list(&simulator.clearing.ledger, state[0])
    for at in range(simulator.market_count):
        simulator.clearing.price2[at], simulator.clearing.due[at] = state[1][at]
    return 0
