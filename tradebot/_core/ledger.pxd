"""Cash, positions, realised and unrealised profit, fees: integers that balance after every fact."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from tradebot._core.instrument cimport InstrumentC


cdef struct BalanceC:           # one asset of one account, money units
    int64_t opening
    int64_t total
    int64_t locked              # held by open orders; total - locked is free


cdef struct PositionC:          # keyed by (account, strategy, instrument, side)
    uint16_t account
    uint16_t strategy
    uint32_t instrument         # index
    uint8_t side                # position side: 0 net
    int64_t quantity            # lots, signed
    int64_t cost                # money units of settle asset paid for what is held, signed; of an inverse long negative
    int64_t realised            # money units of the settle asset, before fees and funding
    int64_t fees                # money units of the settle asset, fees of the other of the pair at the trade's price
    int64_t fees_elsewhere      # of them the worth of what was paid in an asset of its own
    int64_t fees_in_base        # money units of base that trades of spot paid, ever
    int64_t remainder           # of the value division, below value_den; of an inverse contract in 2^-30 of a unit
    int64_t bought              # lots, ever
    int64_t sold                # lots, ever
    int64_t funding             # money units of the settle asset, ever; positive is paid
    int64_t drawn               # of it what was taken out of the margin of what is held
    int64_t held                # money units of the settle asset that position and open orders hold: margin and fees


cdef struct FeeAssetC:          # a third asset that fees may be paid in, at a stated price
    uint16_t asset              # NO_ASSET: none
    int64_t worth_num           # one of it is worth worth_num / worth_den of any settle asset
    int64_t worth_den


cdef enum:
    NO_ASSET = 65535


cdef struct LedgerC:
    FeeAssetC fee_asset
    BalanceC* balances          # [account * assets + asset]
    uint32_t accounts
    uint32_t assets
    PositionC* positions        # [strategy * instruments + instrument]
    uint32_t strategies
    uint32_t instruments


cdef int ledger_open(LedgerC* ledger, uint32_t accounts, uint32_t assets, uint32_t strategies, uint32_t instruments) except -1
cdef int ledger_close(LedgerC* ledger) noexcept nogil
cdef int ledger_fill(LedgerC* ledger, PositionC* position, const InstrumentC* instrument, bint is_sell, int64_t ticks, int64_t lots, int64_t fee, uint16_t fee_asset) except -1 nogil
cdef int ledger_funding(LedgerC* ledger, PositionC* position, const InstrumentC* instrument, int64_t paid) except -1 nogil
cdef int64_t position_unrealised(const PositionC* position, const InstrumentC* instrument, int64_t middle2) noexcept nogil
cdef object ledger_to_list(const LedgerC* ledger)
cdef int ledger_from_list(LedgerC* ledger, object state) except -1
cdef int position_validate(const PositionC* position, const InstrumentC* instrument) except -1


cdef inline BalanceC* ledger_balance(const LedgerC* ledger, uint16_t account, uint16_t asset) noexcept nogil:
    return &ledger.balances[account * ledger.assets + asset]


cdef inline PositionC* ledger_position(const LedgerC* ledger, uint16_t strategy, uint32_t instrument) noexcept nogil:
    return &ledger.positions[strategy * ledger.instruments + instrument]
