"""The books: what each account holds and what each strategy made.

A position keeps cost and quantity, never an average price. A trade of signed value v and signed quantity q

- in the direction held, or from flat: adds q and v;
- against it: releases cost * closed / held (rounded down once; the rest stays in the cost), and books
  -(value of the closed part) - released as realised; what is left over opens the other way with its share of v.

So realised - cost == -(sum of all v) holds exactly, always, whatever was rounded: `validate` asserts it against the cash.
The value of a trade is ticks * lots * n / d, rounded down with the remainder carried to the position's next trade; with it no
rounding is ever lost. A fee is rounded up by the venue for each trade, and posted in its own asset; one of a third
asset counts in the position at that asset's stated price, rounded down. A fee of spot that was paid in base left the position
with its trade: the whole lots that all such fees have begun are released as sold at the price of the trade, so that what
is held is what can be sold, and a value that would be marked for ever is not.

A contract moves no base asset. Its trades have a signed value too, of which the profit is minus the sum: ticks * lots of
quote for a linear one; for an inverse one -lots * contract / price of base, for what it is worth in base falls as the price rises. That quotient is taken up,
against us, to a 2^-30 of a unit, which is then carried as above: a thousand million trades lose a unit. To the balance of
the settle asset are posted the change of realised, the fee, and funding; so total == opening + realised - fees - funding, always.

Each account's balance of an asset is its opening amount plus all postings; `locked` is what positions and open orders hold.
"""

from libc.stdlib cimport calloc, free

from tradebot._core.instrument cimport INVERSE, SPOT, add, instrument_from_tuple, inverse_carry, lots_begun, muldiv_carry, muldiv_down, quotient, settle_asset, subtract


cdef int ledger_open(LedgerC* ledger, uint32_t accounts, uint32_t assets, uint32_t strategies, uint32_t instruments) except -1:
    cdef uint32_t strategy, instrument
    ledger.accounts = accounts
    ledger.assets = assets
    ledger.strategies = strategies
    ledger.instruments = instruments
    ledger.fee_asset = FeeAssetC(NO_ASSET, 1, 1)
    ledger.balances = <BalanceC*>calloc(accounts * assets + 1, sizeof(BalanceC))
    ledger.positions = <PositionC*>calloc(strategies * instruments + 1, sizeof(PositionC))
    if ledger.balances == NULL or ledger.positions == NULL:
        raise MemoryError("no memory for the ledger")
    for strategy in range(strategies):
        for instrument in range(instruments):
            ledger_position(ledger, <uint16_t>strategy, instrument).strategy = <uint16_t>strategy
            ledger_position(ledger, <uint16_t>strategy, instrument).instrument = instrument
    return 0


cdef int ledger_close(LedgerC* ledger) noexcept nogil:
    free(ledger.balances)
    free(ledger.positions)
    ledger.balances = NULL
    ledger.positions = NULL
    return 0


cdef int ledger_fill(
    LedgerC* ledger, PositionC* position, const InstrumentC* instrument, bint is_sell,
    int64_t ticks, int64_t lots, int64_t fee, uint16_t fee_asset,
) except -1 nogil:
    """Post one trade: value, quantity and fee. Raises OverflowError where an amount leaves 64 bits; then nothing is posted."""
    cdef int overflow = 0
    cdef BalanceC* quote_balance = ledger_balance(ledger, position.account, instrument.quote)
    cdef BalanceC* base_balance = ledger_balance(ledger, position.account, instrument.base)
    cdef BalanceC* fee_balance = ledger_balance(ledger, position.account, fee_asset)
    cdef PositionC before = position[0]
    cdef int64_t quote_before = quote_balance.total, base_before = base_balance.total, fee_before = fee_balance.total
    if instrument.kind == SPOT:
        spot_fill(ledger, position, instrument, is_sell, ticks, lots, fee, fee_asset, &overflow)
    else:
        contract_fill(ledger, position, instrument, is_sell, ticks, lots, fee, fee_asset, &overflow)
    if overflow:
        position[0] = before
        quote_balance.total = quote_before
        base_balance.total = base_before
        fee_balance.total = fee_before
        with gil:
            raise OverflowError(f"a posting of {ticks} ticks times {lots} lots leaves 64 bits")
    return 0


cdef int spot_fill(
    LedgerC* ledger, PositionC* position, const InstrumentC* instrument, bint is_sell,
    int64_t ticks, int64_t lots, int64_t fee, uint16_t fee_asset, int* overflow,
) noexcept nogil:
    cdef int64_t signed_lots = -lots if is_sell else lots
    cdef int64_t value, base, gone = 0
    cdef BalanceC* quote_balance = ledger_balance(ledger, position.account, instrument.quote)
    cdef BalanceC* base_balance = ledger_balance(ledger, position.account, instrument.base)
    value = muldiv_carry(ticks, signed_lots, instrument.value_num, instrument.value_den, &position.remainder, overflow)
    base = muldiv_down(signed_lots, 1, instrument.base_num, instrument.base_den, overflow)
    subtract(&quote_balance.total, value, overflow)
    add(&base_balance.total, base, overflow)
    subtract(&ledger_balance(ledger, position.account, fee_asset).total, fee, overflow)
    if fee_asset == instrument.base:
        gone = lots_begun(instrument, position.fees_in_base, overflow)
        add(&position.fees_in_base, fee, overflow)
        gone = lots_begun(instrument, position.fees_in_base, overflow) - gone
        fee = muldiv_down(
            ticks, fee, instrument.value_num * instrument.base_den, instrument.value_den * instrument.base_num, overflow
        )
        add(&position.fees, fee, overflow)
    elif fee_asset == instrument.quote:
        add(&position.fees, fee, overflow)
    else:
        count_fee(&ledger.fee_asset, position, fee, fee_asset, overflow)
    if is_sell:
        add(&position.sold, lots, overflow)
    else:
        add(&position.bought, lots, overflow)
    if gone:
        value -= muldiv_down(ticks, gone, instrument.value_num, instrument.value_den, overflow)
    return position_post(position, signed_lots - gone, value, overflow)


cdef int contract_fill(
    LedgerC* ledger, PositionC* position, const InstrumentC* instrument, bint is_sell,
    int64_t ticks, int64_t lots, int64_t fee, uint16_t fee_asset, int* overflow,
) noexcept nogil:
    cdef uint16_t settle = settle_asset(instrument)
    cdef int64_t signed_lots = -lots if is_sell else lots
    cdef int64_t realised = position.realised
    cdef int64_t held = position.quantity
    cdef int64_t value = contract_value(instrument, ticks, signed_lots, &position.remainder, overflow)
    position_post(position, signed_lots, value, overflow)
    release_drawn(position, held, overflow)
    add(&ledger_balance(ledger, position.account, settle).total, position.realised - realised, overflow)
    subtract(&ledger_balance(ledger, position.account, fee_asset).total, fee, overflow)
    if fee_asset == settle:
        add(&position.fees, fee, overflow)
    else:
        count_fee(&ledger.fee_asset, position, fee, fee_asset, overflow)
    if is_sell:
        add(&position.sold, lots, overflow)
    else:
        add(&position.bought, lots, overflow)
    return 0


cdef int count_fee(const FeeAssetC* third, PositionC* position, int64_t fee, uint16_t asset, int* overflow) noexcept nogil:
    """Count a fee of a third asset at its worth; one of an asset without a stated price is posted and not counted."""
    cdef int64_t worth
    if asset != third.asset:
        return 0
    worth = muldiv_down(fee, third.worth_num, 1, third.worth_den, overflow)
    add(&position.fees, worth, overflow)
    return add(&position.fees_elsewhere, worth, overflow)


cdef int64_t contract_value(const InstrumentC* instrument, int64_t ticks, int64_t lots, int64_t* carry, int* overflow) noexcept nogil:
    if instrument.kind == INVERSE:
        return inverse_carry(-lots, instrument.value_num, ticks, instrument.value_den, carry, overflow)
    return muldiv_carry(ticks, lots, instrument.value_num, instrument.value_den, carry, overflow)


cdef int release_drawn(PositionC* position, int64_t held, int* overflow) noexcept nogil:
    """What a position no longer holds has no margin that funding could have been drawn from."""
    cdef int64_t now = position.quantity
    if now == 0 or (now > 0) != (held > 0):
        position.drawn = 0
    elif (now > held) != (now > 0):
        position.drawn = muldiv_down(position.drawn, now, 1, held, overflow) if held > 0 else muldiv_down(position.drawn, -now, 1, -held, overflow)
    return 0


cdef int ledger_funding(LedgerC* ledger, PositionC* position, const InstrumentC* instrument, int64_t paid) except -1 nogil:
    """Post a payment of funding; positive is paid, out of the position's margin, and what is received fills that up again first."""
    cdef int overflow = 0
    subtract(&ledger_balance(ledger, position.account, settle_asset(instrument)).total, paid, &overflow)
    add(&position.funding, paid, &overflow)
    add(&position.drawn, paid, &overflow)
    if position.drawn < 0:
        position.drawn = 0
    if overflow:
        with gil:
            raise OverflowError(f"a funding payment of {paid} money units leaves 64 bits")
    return 0


cdef int position_post(PositionC* position, int64_t lots, int64_t value, int* overflow) noexcept nogil:
    cdef int64_t held = position.quantity
    cdef int64_t size = lots if lots > 0 else -lots
    cdef int64_t held_size = held if held > 0 else -held
    cdef int64_t closed, released, value_closed
    if lots == 0:       # a fee took all that was bought: what rounding left of its value is the position's
        return subtract(&position.realised, value, overflow) if held == 0 else add(&position.cost, value, overflow)
    if held == 0 or (held > 0) == (lots > 0):
        add(&position.quantity, lots, overflow)
        return add(&position.cost, value, overflow)
    closed = size if size < held_size else held_size
    released = muldiv_down(position.cost, closed, 1, held_size, overflow)
    value_closed = muldiv_down(value, closed, 1, size, overflow)
    subtract(&position.realised, value_closed, overflow)
    subtract(&position.realised, released, overflow)
    add(&position.cost, value - value_closed, overflow)
    subtract(&position.cost, released, overflow)
    return add(&position.quantity, lots, overflow)


cdef int64_t position_unrealised(const PositionC* position, const InstrumentC* instrument, int64_t middle2) noexcept nogil:
    """Money units of the settle asset at half of `middle2` (bid + ask, or twice the mark, in ticks), rounded down."""
    cdef int overflow = 0
    if instrument.kind == INVERSE:
        if middle2 == 0:
            return 0
        return quotient(-position.quantity, 2, instrument.value_num, 1, middle2, instrument.value_den, 0, &overflow) - position.cost
    return muldiv_down(middle2, position.quantity, instrument.value_num, 2 * instrument.value_den, &overflow) - position.cost


cdef object ledger_to_list(const LedgerC* ledger):
    cdef uint32_t at
    balances = [
        (ledger.balances[at].opening, ledger.balances[at].total, ledger.balances[at].locked)
        for at in range(ledger.accounts * ledger.assets)
    ]
    positions = [
        (
            ledger.positions[at].account, ledger.positions[at].strategy, ledger.positions[at].instrument,
            ledger.positions[at].side, ledger.positions[at].quantity, ledger.positions[at].cost,
            ledger.positions[at].realised, ledger.positions[at].fees, ledger.positions[at].remainder,
            ledger.positions[at].bought, ledger.positions[at].sold, ledger.positions[at].funding,
            ledger.positions[at].drawn, ledger.positions[at].held, ledger.positions[at].fees_elsewhere,
            ledger.positions[at].fees_in_base,
        )
        for at in range(ledger.strategies * ledger.instruments)
    ]
    return [balances, positions]


cdef int ledger_from_list(LedgerC* ledger, object state) except -1:
    cdef uint32_t at
    cdef BalanceC* balance
    cdef PositionC* position
    assert len(state[0]) == ledger.accounts * ledger.assets
    assert len(state[1]) == ledger.strategies * ledger.instruments
    for at in range(ledger.accounts * ledger.assets):
        balance = &ledger.balances[at]
        balance.opening, balance.total, balance.locked = state[0][at]
    for at in range(ledger.strategies * ledger.instruments):
        position = &ledger.positions[at]
        (
            position.account, position.strategy, position.instrument, position.side, position.quantity,
            position.cost, position.realised, position.fees, position.remainder, position.bought,
            position.sold, position.funding, position.drawn, position.held, position.fees_elsewhere,
            position.fees_in_base,
        ) = state[1][at]
    return 0


cdef int position_validate(const PositionC* position, const InstrumentC* instrument) except -1:
    """Assert that what is held is what was traded less what fees took, and that nothing held cost nothing."""
    cdef int overflow = 0
    assert position.quantity == position.bought - position.sold - lots_begun(instrument, position.fees_in_base, &overflow)
    assert position.quantity != 0 or position.cost == 0
    assert position.remainder >= 0
    assert position.drawn >= 0
    assert position.quantity != 0 or position.drawn == 0
    return 0


cdef class Ledger:
    """One account's books with one strategy and instruments for Python: the subject of the oracle's suite.

    Amounts are integer money units; `instruments` are the tuples of `_core.instrument`; `fee_asset` is a third asset that
    fees may be in, and the ratio of what one is worth.
    """

    cdef LedgerC ledger
    cdef InstrumentC* instruments
    cdef uint32_t count

    def __cinit__(self, assets: int, instruments: list, fee_asset: tuple = (NO_ASSET, 1, 1)):
        cdef uint32_t at
        self.count = len(instruments)
        self.instruments = <InstrumentC*>calloc(self.count, sizeof(InstrumentC))
        for at in range(self.count):
            instrument_from_tuple(&self.instruments[at], instruments[at])
        ledger_open(&self.ledger, 1, assets, 1, self.count)
        self.ledger.fee_asset.asset, self.ledger.fee_asset.worth_num, self.ledger.fee_asset.worth_den = fee_asset

    def __dealloc__(self):
        ledger_close(&self.ledger)
        free(self.instruments)

    def fill(self, instrument: int, is_sell: bool, ticks: int, lots: int, fee: int, fee_asset: int) -> None:
        """Post a trade of instrument index `instrument`. Raises OverflowError beyond 64 bits."""
        ledger_fill(
            &self.ledger, ledger_position(&self.ledger, 0, instrument), &self.instruments[instrument],
            is_sell, ticks, lots, fee, fee_asset,
        )

    def pay_funding(self, instrument: int, paid: int) -> None:
        """Post a funding payment of the position in instrument index `instrument`; positive is paid."""
        ledger_funding(&self.ledger, ledger_position(&self.ledger, 0, instrument), &self.instruments[instrument], paid)

    def unrealised(self, instrument: int, middle2: int) -> int:
        return position_unrealised(ledger_position(&self.ledger, 0, instrument), &self.instruments[instrument], middle2)

    def validate(self) -> None:
        """Assert what each position promises."""
        cdef uint32_t at
        for at in range(self.count):
            position_validate(ledger_position(&self.ledger, 0, at), &self.instruments[at])

    def state(self) -> list:
        """[[(opening, total, locked) per asset], [(account, strategy, instrument, side, quantity, cost, realised, fees,
        remainder, bought, sold, funding, drawn, held, fees elsewhere, fees in base) per instrument]]."""
        return ledger_to_list(&self.ledger)

    def restore(self, state: list) -> None:
        ledger_from_list(&self.ledger, state)
