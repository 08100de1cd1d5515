"""The record, its kinds and flags, the numbered refusals: the contract of every compiled module.

The normative table of what each slot means per kind is `RECORD_TABLE` in types.pyx.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef struct RecordC:
    int64_t time_ns             # when we received it; never decreases along a stream
    int64_t venue_ns            # when the venue says it happened; 0 where unknown
    uint64_t venue_sequence     # the venue's own number; 0 where unknown
    int64_t price               # ticks
    int64_t quantity            # lots
    uint64_t id                 # per kind
    uint64_t id2                # per kind
    uint32_t instrument         # instrument version
    uint8_t kind                # Kind
    uint8_t flags               # Flag, or'ed
    uint16_t owner              # account or strategy, per kind


cdef struct ExtraC:             # the second slot of commands and account facts
    int64_t trigger             # per kind
    int64_t expiry_ns           # 0: none
    int64_t display             # per kind
    uint64_t parent             # order id of the parent; 0: none
    int64_t fee                 # money units of the fee asset; positive is paid
    uint64_t trade_id           # of a fill
    uint64_t cause              # sequence of the fact that triggered it
    uint16_t fee_asset          # asset number
    uint8_t order_type          # OrderType
    uint8_t time_in_force       # TimeInForce
    uint8_t kind                # as in the first slot
    uint8_t flags               # CONT, and Flag per kind
    uint16_t reject             # Reject


cdef struct FactC:              # what commands and account facts are: 128 bytes
    RecordC head
    ExtraC tail


cpdef enum Kind:
    TRADE = 1
    L2_LEVEL = 2
    L3_ADD = 3
    L3_CHANGE = 4
    L3_DELETE = 5
    L3_EXECUTE = 6
    QUOTE = 7
    BAR = 8
    MARK = 9
    GAP = 10
    FEED_STATE = 11
    TIMER = 12
    OPEN_INTEREST = 13
    FUNDING = 14
    INSTRUMENT_CHANGED = 15
    ORDER_ACCEPTED = 64
    ORDER_REJECTED = 65
    ORDER_FILLED = 66
    ORDER_CANCELLED = 67
    CANCEL_REJECTED = 68
    ORDER_AMENDED = 69
    AMEND_REJECTED = 70
    ORDER_TRIGGERED = 71
    FUNDING_PAID = 72
    LIQUIDATED = 73
    STRATEGY_QUARANTINED = 80
    TRADING_STATE_CHANGED = 81
    EPOCH_STARTED = 82
    OPERATOR_ACT = 83
    PLACE_ORDER = 128
    CANCEL_ORDER = 129
    AMEND_ORDER = 130


cpdef enum Flag:
    SELL = 1                    # side: absent is buy or bid
    SNAPSHOT = 2                # part of a book snapshot
    BEGIN = 4                   # first record of a snapshot: the book is cleared before it
    LAST = 8                    # last record of a venue message or snapshot
    MAKER = 16                  # of a fill: our order rested
    RESTATED = 32               # of a bar: it replaces the one of the same label
    VOID = 64                   # kept for the record, applied to nothing (an importer's repair)
    CONT = 128                  # second slot of a two-slot record


cpdef enum OrderFlag:           # in the second slot of a command that places an order, beside CONT
    REDUCE_ONLY = 1             # no fill of it takes the strategy's position through zero
    BY_MARK = 2                 # its trigger watches the mark price instead of the last trade
    PROTECTIVE = 4              # guards a position: halts and order rates do not hold it back
    JOINS = 8                   # shares its lots with one of its group that waits: it is refused where none does any more


cpdef enum Side:
    BUY = 0
    SELL_SIDE = 1


cpdef enum OrderType:
    LIMIT = 1
    MARKET = 2
    STOP = 3                    # a market order once the price has come against it
    STOP_LIMIT = 4
    TAKE_PROFIT = 5             # a market order once the price has come its way
    TAKE_PROFIT_LIMIT = 6
    TRAILING_STOP = 7           # a stop that follows the best price at a distance


cpdef enum TimeInForce:
    GTC = 1
    IOC = 2
    FOK = 3
    POST_ONLY = 4


cpdef enum OrderState:
    SENT = 1                    # the command left; the venue has not answered
    OPEN = 2                    # resting
    CANCELLING = 3              # resting, a cancel is on its way
    DONE = 4                    # filled, cancelled or rejected


cpdef enum TradingState:
    ACTIVE = 0
    REDUCING = 1                # only orders that bring a position nearer to zero
    HALTED = 2                  # no new orders; cancels pass


cpdef enum Act:                 # what an operator has the engine do, beside changing the trading state
    CANCEL_ENTRIES = 1          # cancel all open orders but those that guard
    CANCEL_ALL = 2
    FLATTEN = 3                 # cancel all, and close every position at the market
    QUARANTINE = 4              # shut a strategy out, as if it had raised


cpdef enum Reject:
    ACCEPTED = 0
    # 1xx malformed
    SIDE_UNKNOWN = 101
    ORDER_TYPE_UNKNOWN = 102
    TIME_IN_FORCE_UNKNOWN = 103
    QUANTITY_NOT_POSITIVE = 104
    PRICE_MISSING = 105
    TRIGGER_MISSING = 106
    # 2xx instrument
    INSTRUMENT_UNKNOWN = 201
    INSTRUMENT_NOT_TRADED = 202
    NO_MARKET = 203
    NO_TRIGGER_PRICE = 204
    # 3xx price and size
    QUANTITY_TOO_SMALL = 301
    QUANTITY_TOO_LARGE = 302
    NOTIONAL_TOO_SMALL = 303
    NOTIONAL_TOO_LARGE = 304
    PRICE_OUT_OF_BAND = 305
    POSITION_TOO_LARGE = 306
    STOP_ON_WRONG_SIDE = 307
    TARGET_ON_WRONG_SIDE = 308
    NOTHING_TO_REDUCE = 309
    # 4xx capital
    BALANCE_TOO_SMALL = 401
    # 5xx halted
    TRADING_HALTED = 501
    TRADING_REDUCING = 502
    ORDER_RATE_TOO_HIGH = 503
    ORDERS_OPEN_TOO_MANY = 504
    STRATEGY_IS_QUARANTINED = 505
    # 6xx gateway
    TOO_OLD_TO_SEND = 601       # when it could first be sent: it never was
    # 9xx venue
    VENUE_POST_ONLY_WOULD_TAKE = 901
    VENUE_FILL_OR_KILL_UNFILLED = 902
    VENUE_NO_LIQUIDITY = 903
    VENUE_ORDER_UNKNOWN = 904
    VENUE_SELF_TRADE = 905
    VENUE_AMEND_TOO_SMALL = 906
    VENUE_GROUP_DONE = 907
    VENUE_REDUCE_ONLY = 908
    VENUE_LIQUIDATED = 910
    VENUE_NOT_ACCEPTED = 911    # proven never to have come to the venue
    VENUE_REFUSED = 912         # by a rule of its own
    VENUE_BALANCE_TOO_SMALL = 913


cdef int refuse_record(const RecordC* record, int64_t number) except -1 nogil


cdef inline bint is_bounded(int64_t value) noexcept nogil:
    """Within what prices and quantities may be, -2**58 up to 2**58: sums and differences of a few then stay within 64 bits."""
    return (<uint64_t>value + (<uint64_t>1 << 58)) >> 59 == 0


cdef inline bint amounts_are_bounded(const RecordC* record) noexcept nogil:
    """Whether price and quantity are: one test of both, because books ask it of every record."""
    return ((<uint64_t>record.price + (<uint64_t>1 << 58)) | (<uint64_t>record.quantity + (<uint64_t>1 << 58))) >> 59 == 0


cdef inline bint record_is_bounded(const RecordC* record) noexcept nogil:
    """Whether every price and quantity of a record is, and its times are before 2116."""
    if not amounts_are_bounded(record):
        return 0
    if (<uint64_t>record.time_ns >> 62) | ((<uint64_t>record.venue_ns + (<uint64_t>1 << 62)) >> 63):
        return 0
    if record.kind != Kind.QUOTE and record.kind != Kind.BAR:
        return 1
    return is_bounded(<int64_t>record.id) and is_bounded(<int64_t>record.id2) and (
        record.kind == Kind.QUOTE or is_bounded(<int64_t>record.venue_sequence)
    )


cdef inline int check_amounts(const RecordC* record, int64_t number) except -1 nogil:
    """Raises ValueError where a price or quantity is beyond what sums of them can hold."""
    return 0 if amounts_are_bounded(record) else refuse_record(record, number)


cdef inline int check_bounds(const RecordC* record, int64_t number) except -1 nogil:
    """The same, and for times: what engine and venue ask of a stream."""
    return 0 if record_is_bounded(record) else refuse_record(record, number)
