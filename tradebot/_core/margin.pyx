"""Margin of contracts: initial for what is held and ordered, maintenance by tiers, and the price of liquidation.

The rules are those that Binance publishes for USD-M and COIN-M contracts, in one-way mode, in money units of the settle asset:

- *Initial margin* is notional / leverage, rounded up. A position's is taken at what it cost. Open orders ask for more where they
  could make the position larger: the worse of all buys filled and all sales filled, never both. What only brings a
  position nearer to zero asks for nothing, by order of placement; what opens asks for its taker fee too.
- *Maintenance margin* is notional at the mark * rate - amount, by the tier of the notional; a tier's amount is
  floor * (rate - rate before) + amount before, so it does not jump.
- *Isolated*: a position has the margin it cost and no more. Funding that it pays is drawn from it. It is liquidated when margin +
  unrealised <= maintenance. *Cross*: the whole balance of the asset backs all contracts that settle in it; all of them are
  liquidated when balance + unrealised of all <= maintenance of all.

Positions of different strategies are never netted, which asks for at least what the venue would. Who judges and closes is `clearing`.
"""

from libc.stdlib cimport calloc, free

from tradebot._core.instrument cimport FEE_SCALE, INVERSE, add, instrument_from_tuple, muldiv_up, notional_up, quotient

cdef int64_t RATE_SCALE = 1_000_000_000_000
cdef double NAN_VALUE = float("nan")


cdef MarginC* margins_open(list rows, uint32_t count) except NULL:
    """Margins by market from rows of (leverage, is cross, [(floor, rate, amount)]), None for spot."""
    cdef MarginC* margins = <MarginC*>calloc(count + 1, sizeof(MarginC))
    cdef uint32_t at, tier
    if margins == NULL:
        raise MemoryError("no memory for the margins")
    for at in range(len(rows)):
        if rows[at] is None:
            continue
        margins[at].leverage, margins[at].is_cross, tiers = rows[at]
        assert margins[at].leverage >= 1
        assert tiers and tiers[0][0] == 0
        margins[at].tier_count = len(tiers)
        margins[at].tiers = <TierC*>calloc(len(tiers), sizeof(TierC))
        if margins[at].tiers == NULL:
            margins_close(margins, count)
            raise MemoryError("no memory for the tiers")
        for tier in range(len(tiers)):
            margins[at].tiers[tier].floor, margins[at].tiers[tier].rate, margins[at].tiers[tier].amount = tiers[tier]
    return margins


cdef int margins_close(MarginC* margins, uint32_t count) noexcept nogil:
    cdef uint32_t at
    if margins != NULL:
        for at in range(count):
            free(margins[at].tiers)
    free(margins)
    return 0


cdef inline int64_t size_of(int64_t amount) noexcept nogil:
    return amount if amount >= 0 else -amount


cdef int64_t position_margin(const MarginC* margin, const PositionC* position, int* overflow) noexcept nogil:
    """What an isolated position is backed by: the initial margin of what it cost, less the funding drawn from it."""
    return muldiv_up(size_of(position.cost), 1, 1, margin.leverage, overflow) - position.drawn


cdef int64_t maintenance(
    const MarginC* margin, const InstrumentC* terms, int64_t lots, int64_t mark2, int* overflow
) noexcept nogil:
    """Of `lots` (signed) at half of `mark2`, rounded up."""
    cdef int64_t notional = notional_at(terms, size_of(lots), mark2, overflow)
    cdef const TierC* tier = tier_of(margin, notional)
    return muldiv_up(notional, tier.rate, 1, FEE_SCALE, overflow) - tier.amount


cdef int64_t notional_at(const InstrumentC* terms, int64_t lots, int64_t mark2, int* overflow) noexcept nogil:
    if terms.kind == INVERSE:
        return quotient(lots, 2, terms.value_num, 1, mark2, terms.value_den, 1, overflow)
    return muldiv_up(mark2, lots, terms.value_num, 2 * terms.value_den, overflow)


cdef const TierC* tier_of(const MarginC* margin, int64_t notional) noexcept nogil:
    cdef uint32_t at = margin.tier_count - 1
    while at and notional <= margin.tiers[at].floor:
        at -= 1
    return &margin.tiers[at]


cdef int64_t margin_held(
    const MarginC* margin, const InstrumentC* terms, const PositionC* position, const OrdersC* orders,
    const OrderListC* list, const OrderC* extra, int64_t lock_fee, int* overflow,
) noexcept nogil:
    """What a position and its open orders hold of the settle asset; `extra` is an order to come, perhaps in the place of an open one
    of its id, NULL for none. Orders count at the most that is asked of them, those that only reduce not at all."""
    cdef int64_t entry = size_of(position.cost)
    cdef int64_t worst, held, fee
    cdef int64_t value[2]
    cdef int64_t reducing[2]            # lots that orders of a side may still take from the position
    cdef uint32_t handle = list.head
    value[0] = entry if position.quantity > 0 else 0
    value[1] = entry if position.quantity < 0 else 0
    reducing[0] = -position.quantity if position.quantity < 0 else 0
    reducing[1] = position.quantity if position.quantity > 0 else 0
    while handle:
        if extra == NULL or orders.items[handle].id != extra.id:
            add_order(&orders.items[handle], terms, value, reducing, overflow)
        handle = orders.items[handle].next
    if extra != NULL:
        add_order(extra, terms, value, reducing, overflow)
    worst = value[0] if value[0] > value[1] else value[1]
    if worst < entry:
        worst = entry
    held = muldiv_up(worst, 1, 1, margin.leverage, overflow)
    fee = muldiv_up(worst - entry, lock_fee, 1, FEE_SCALE, overflow)
    add(&held, fee, overflow)
    if not margin.is_cross:
        held -= position.drawn
    return held if held > 0 else 0


cdef int add_order(const OrderC* order, const InstrumentC* terms, int64_t* value, int64_t* reducing, int* overflow) noexcept nogil:
    cdef uint8_t side = order.is_sell
    cdef int64_t price = order.worst_price if order.worst_price > order.price and terms.kind != INVERSE else order.price
    cdef int64_t opening = order.counted
    cdef int64_t closing = opening if opening < reducing[side] else reducing[side]
    reducing[side] -= closing
    opening -= closing
    if opening:
        add(&value[side], notional_up(terms, price, opening, overflow), overflow)
    return 0


cdef int64_t funding_payment(const InstrumentC* terms, int64_t lots, int64_t mark2, int64_t rate, int* overflow) noexcept nogil:
    """What a position of `lots` (signed) pays at a settlement of `rate` in 1e-12; rounded up, against us.

    notional at the mark * rate, from longs to shorts where the rate is positive; of an inverse contract lots * contract / mark * rate.
    """
    if terms.kind == INVERSE:
        return quotient(2 * lots, terms.value_num, rate, 1, mark2, terms.value_den * RATE_SCALE, 1, overflow)
    return quotient(mark2, lots, terms.value_num, rate, 2 * terms.value_den, RATE_SCALE, 1, overflow)


cdef double liquidation_ticks(
    const MarginC* margin, const InstrumentC* terms, int64_t lots, int64_t cost, double wallet
) noexcept nogil:
    """The mark in ticks at which wallet + unrealised meets the maintenance margin, nan where it never does; for show.

    Linear, Binance's formula for USD-M: (wallet + amount - side * size * entry) / (size * (rate - side)). Inverse, that for COIN-M:
    size * contract * (rate + side) / (wallet + amount + side * size * contract / entry). `wallet` is the position's margin where it is
    isolated; cross, the balance with unrealised less maintenance of the other contracts. The tier is that of the price found.
    """
    cdef double side = 1.0 if lots > 0 else -1.0
    cdef double worth = <double>size_of(lots) * <double>terms.value_num / <double>terms.value_den
    cdef double entry = <double>size_of(cost)
    cdef double rate, amount, price = NAN_VALUE, notional
    cdef uint32_t at
    if lots == 0:
        return NAN_VALUE
    for at in range(margin.tier_count):
        rate = <double>margin.tiers[at].rate / FEE_SCALE
        amount = <double>margin.tiers[at].amount
        if terms.kind == INVERSE:
            if wallet + amount + side * entry == 0:
                continue
            price = worth * (rate + side) / (wallet + amount + side * entry)
            notional = worth / price if price else 0.0
        else:
            price = (wallet + amount - side * entry) / (worth * (rate - side))
            notional = worth * price
        if notional <= <double>margin.tiers[at].floor:
            break
        if at + 1 == margin.tier_count or notional <= <double>margin.tiers[at + 1].floor:
            break
    return price if price > 0 else NAN_VALUE


cdef class Margin:
    """The rules of one market for Python, without an engine: what the suites hold against the venue's own examples.

    `terms` is a tuple of `_core.instrument`, `row` is (leverage, is cross, [(floor, rate, amount)]); money in money units.
    """

    cdef MarginC* margins
    cdef InstrumentC terms

    def __cinit__(self, terms: tuple, row: tuple):
        instrument_from_tuple(&self.terms, terms)
        self.margins = margins_open([row], 1)

    def __dealloc__(self):
        margins_close(self.margins, 1)

    def initial(self, ticks: int, lots: int) -> int:
        """Of `lots` at a price."""
        cdef int overflow = 0
        cdef int64_t notional = notional_up(&self.terms, ticks, lots, &overflow)
        return checked(muldiv_up(notional, 1, 1, self.margins.leverage, &overflow), overflow)

    def maintenance(self, lots: int, mark2: int) -> int:
        cdef int overflow = 0
        return checked(maintenance(self.margins, &self.terms, lots, mark2, &overflow), overflow)

    def funding(self, lots: int, mark2: int, rate: int) -> int:
        cdef int overflow = 0
        return checked(funding_payment(&self.terms, lots, mark2, rate, &overflow), overflow)

    def liquidation_price(self, lots: int, cost: int, wallet: float) -> float:
        """In ticks; nan where there is none."""
        return liquidation_ticks(self.margins, &self.terms, lots, cost, wallet)


cdef object checked(int64_t amount, int overflow):
    if overflow:
        raise OverflowError("an amount leaves 64 bits")
    return amount
