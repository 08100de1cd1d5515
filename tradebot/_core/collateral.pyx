"""The engine's side of margin: how much of the settle asset positions and open orders hold, and what is left for more.

A contract's position and orders hold together (`margin.margin_held`), for an order may close what another opened; so the
amount is found anew whenever one of them changes, instead of being kept per order as for spot. The part of a balance that is held is in
`locked`; an order passes the gate where what it would hold beyond that is free.

In cross margin what is lost on paper is not free, and what is won on paper is not counted.
"""

from libc.string cimport memset

from tradebot._core.book cimport NO_ASK
from tradebot._core.instrument cimport SPOT, InstrumentC, settle_asset
from tradebot._core.ledger cimport BalanceC, ledger_balance, ledger_fill, ledger_funding, ledger_position, position_unrealised, position_validate
from tradebot._core.margin cimport maintenance, margin_held, position_margin
from tradebot._core.market cimport mark2_of
from tradebot._core.orders cimport OrderC, orders_list
from tradebot._core.types cimport Flag, Kind, OrderFlag


cdef int collateral_hold(ContextC* context, uint16_t strategy, uint32_t index, int64_t lock_fee) noexcept nogil:
    """Hold what a contract's position and open orders ask for now."""
    cdef PositionC* position = ledger_position(&context.ledger, strategy, index)
    cdef int overflow = 0
    cdef int64_t held = margin_held(
        &context.margins[index], &context.markets[index].terms, position, &context.orders,
        orders_list(&context.orders, strategy, index), NULL, lock_fee, &overflow,
    )
    if overflow:
        held = position.held            # the order that led to it was refused, so nothing larger comes
    ledger_balance(&context.ledger, 0, settle_asset(&context.markets[index].terms)).locked += held - position.held
    position.held = held
    return 0


cdef int64_t collateral_needed(
    const ContextC* context, const IntentC* intent, uint64_t id, uint16_t strategy, uint32_t index, int64_t lock_fee
) noexcept nogil:
    """What an order would hold beyond what is held, in the place of an open one of its id: less than anything where that is
    nothing, as for what only reduces; huge on overflow."""
    cdef const PositionC* position = ledger_position(&context.ledger, strategy, index)
    cdef OrderC order
    cdef int overflow = 0
    cdef int64_t held
    if intent.flags & OrderFlag.REDUCE_ONLY:
        return -NO_ASK
    memset(&order, 0, sizeof(OrderC))
    order.id = id
    order.is_sell = intent.is_sell
    order.price = intent.price
    order.counted = intent.quantity
    held = margin_held(
        &context.margins[index], &context.markets[index].terms, position, &context.orders,
        orders_list(&context.orders, strategy, index), &order, lock_fee, &overflow,
    )
    if overflow:
        return NO_ASK
    return held - position.held if held > position.held else -NO_ASK


cdef int64_t collateral_free(const ContextC* context, uint32_t index) noexcept nogil:
    """What is not held of the asset that a contract settles in."""
    cdef uint16_t asset = settle_asset(&context.markets[index].terms)
    cdef const BalanceC* balance = ledger_balance(&context.ledger, 0, asset)
    cdef int64_t free = balance.total - balance.locked, unrealised
    cdef uint32_t at
    if not context.margins[index].is_cross:
        return free
    for at in range(context.ledger.strategies * context.ledger.instruments):
        if backs(context, &context.ledger.positions[at], asset):
            unrealised = unrealised_of(context, &context.ledger.positions[at])
            free += unrealised if unrealised < 0 else 0
    return free


cdef inline bint backs(const ContextC* context, const PositionC* position, uint16_t asset) noexcept nogil:
    """The asset backs this position: it is one of contracts that settle in it."""
    cdef const InstrumentC* terms = &context.markets[position.instrument].terms
    return position.quantity != 0 and terms.kind != SPOT and settle_asset(terms) == asset


cdef inline int64_t unrealised_of(const ContextC* context, const PositionC* position) noexcept nogil:
    return position_unrealised(
        position, &context.markets[position.instrument].terms,
        mark2_of(&context.markets[position.instrument]),
    )


cdef int collateral_post(
    ContextC* context, const RecordC* record, const ExtraC* extra, uint32_t index, int64_t lock_fee
) except -1:
    """Post what the venue's clearing told: FUNDING_PAID or LIQUIDATED."""
    cdef PositionC* position = ledger_position(&context.ledger, record.owner, index)
    cdef const InstrumentC* terms = &context.markets[index].terms
    if record.kind == Kind.FUNDING_PAID:
        ledger_funding(&context.ledger, position, terms, extra.fee)
    else:
        ledger_fill(
            &context.ledger, position, terms, record.flags & Flag.SELL, record.price, record.quantity, extra.fee, extra.fee_asset
        )
    return collateral_hold(context, record.owner, index, lock_fee)


cdef double collateral_wallet(const ContextC* context, const PositionC* position) noexcept nogil:
    """What backs a position: isolated, its margin; cross, the balance with what the other contracts of the asset add and need."""
    cdef uint16_t asset = settle_asset(&context.markets[position.instrument].terms)
    cdef const PositionC* other
    cdef int overflow = 0
    cdef double wallet
    cdef int64_t mark2
    cdef uint32_t at
    if not context.margins[position.instrument].is_cross:
        return <double>position_margin(&context.margins[position.instrument], position, &overflow)
    wallet = <double>ledger_balance(&context.ledger, 0, asset).total
    for at in range(context.ledger.strategies * context.ledger.instruments):
        other = &context.ledger.positions[at]
        if other != position and backs(context, other, asset):
            mark2 = mark2_of(&context.markets[other.instrument])
            wallet += <double>unrealised_of(context, other)
            wallet -= <double>maintenance(
                &context.margins[other.instrument], &context.markets[other.instrument].terms, other.quantity, mark2, &overflow
            )
    return wallet


cdef int collateral_validate(const ContextC* context) except -1:
    """Assert what positions promise, and that each balance is opening plus postings and locks what is held."""
    cdef uint32_t at
    for at in range(context.ledger.strategies * context.ledger.instruments):
        position_validate(&context.ledger.positions[at], &context.markets[context.ledger.positions[at].instrument].terms)
    for at in range(context.ledger.assets):
        validate_balance(context, <uint16_t>at)
    return 0


cdef int validate_balance(const ContextC* context, uint16_t asset) except -1:
    cdef const BalanceC* balance = ledger_balance(&context.ledger, 0, asset)
    cdef const PositionC* position
    cdef const InstrumentC* terms
    cdef uint32_t at
    cdef int64_t held = 0, posted = 0
    cdef bint has_spot = 0, has_contracts = 0
    for at in range(context.ledger.strategies * context.ledger.instruments):
        position = &context.ledger.positions[at]
        terms = &context.markets[position.instrument].terms
        if terms.kind == SPOT:
            has_spot |= terms.base == asset or terms.quote == asset
        elif settle_asset(terms) == asset:
            has_contracts = 1
            held += position.held
            posted += position.realised - (position.fees - position.fees_elsewhere) - position.funding
    assert balance.locked >= held >= 0
    assert context.orders.count > 0 or balance.locked == held
    assert has_spot or not has_contracts or balance.total == balance.opening + posted
    return 0
