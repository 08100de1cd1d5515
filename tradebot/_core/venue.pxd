"""The simulated venue's state, its answers, its lists of our orders and its markouts: what all kinds of book share."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.arena cimport IdIndexC
from tradebot._core.book cimport NO_ASK, NO_BID, BookC
from tradebot._core.depth cimport DepthC
from tradebot._core.instrument cimport InstrumentC
from tradebot._core.latency cimport LatencyC
from tradebot._core.ledger cimport FeeAssetC, LedgerC
from tradebot._core.margin cimport MarginC
from tradebot._core.match cimport MatchesC
from tradebot._core.priced cimport DoubtListC, PricedC
from tradebot._core.queue cimport QueueC
from tradebot._core.queue_model cimport QueueModelC, StandingC
from tradebot._core.types cimport FactC, OrderFlag, Reject

cdef enum:
    HORIZONS = 3                # markouts after each fill


cdef struct RestingC:           # an order of ours that rests at the venue
    uint64_t id
    int64_t price               # ticks
    int64_t remaining           # lots
    uint64_t rank               # by orders: its place in the queue of its price, among the book's ranks
    StandingC standing          # by levels: what is ahead of it
    int64_t total               # lots of the order in all; total - remaining: filled, or taken off with its group
    uint64_t parent             # the group it shares its lots with; 0: none
    uint16_t strategy
    uint8_t time_in_force
    uint8_t flags               # OrderFlag


cdef struct RestingListC:       # of one side, the best price first, then by arrival
    RestingC* items
    uint32_t count
    uint32_t items_max
    int64_t low                 # the lowest and the highest of their prices; NO_ASK and NO_BID where there is none
    int64_t high
    uint64_t prices             # a bit for each of their prices, by its last six bits


cdef struct ConditionalC:       # an order of ours that waits at the venue for its trigger
    uint64_t id
    uint64_t parent
    int64_t price               # ticks: the limit, or how far a market order is paid for
    int64_t remaining           # lots
    int64_t total               # lots
    int64_t trigger             # ticks
    int64_t trail               # ticks behind the best price that the trigger follows; 0: it stays
    uint16_t strategy
    uint8_t side
    uint8_t order_type
    uint8_t time_in_force
    uint8_t flags               # OrderFlag
    uint8_t fired               # met at this instant; it acts after the recorded events of the instant
    int64_t sent_ns             # when it left us, and
    int64_t since_ns            # when it arrived


cdef struct ConditionalListC:   # of one market, by arrival
    ConditionalC* items
    uint32_t count
    uint32_t items_max


cdef struct HeldC:
    int64_t lots                # what a strategy holds by its fills here, signed, less what fees in base took
    int64_t fees_in_base        # money units


cdef struct VenueMarketC:
    InstrumentC terms
    BookC book                  # by orders: recorded orders only; what we took is gone from it
    DepthC depth                # by levels: recorded totals, less what we took since each was told
    uint8_t by_levels           # which of the two the data fills
    uint8_t by_orders
    uint8_t by_quotes           # the levels are the best of each side, as quotes tell them
    int64_t instant_ns          # the venue time being handled, and
    int64_t instant_middle2     # bid + ask before it, ticks; 0 where a side was empty
    RestingListC resting[2]     # by Side
    IdIndexC taken              # recorded order -> lots we took of it, as an index into taken_lots
    int64_t* taken_lots         # of one that is free: the next that is free
    uint32_t taken_free         # the first that is; 0: none
    uint32_t taken_count        # in use or free
    uint32_t taken_max
    ConditionalListC conditionals
    int64_t last_price          # ticks of the last recorded trade, by bars of the last open or close; 0 before it
    int64_t mark_price          # ticks; 0 before it is known
    HeldC* held                 # by strategy
    uint32_t held_max
    uint8_t linked              # an order in a group, or one that only reduces, has been here
    PricedC priced              # where there is no book


cdef struct MarkoutC:
    int64_t time_ns
    uint64_t trade_id
    int64_t horizon_ns
    int64_t middle2
    int64_t price
    int64_t quantity
    uint32_t instrument
    uint16_t strategy
    uint16_t maker
    int64_t spare


cdef struct PendingC:           # markouts of one horizon that wait for their time, first in first
    MarkoutC* items
    uint32_t items_max
    uint32_t head
    uint32_t tail


cdef struct ClearingC:          # the venue's own books of contracts
    LedgerC ledger
    MarginC* margins            # by market; NULL where no contracts are traded
    int64_t* price2             # by market: twice the price at which it was last judged or traded, ticks
    uint8_t* due                # by market: what is held has changed since it was judged
    uint8_t pays_funding


cdef struct SimulatorC:
    VenueMarketC* markets
    uint32_t market_count
    QueueC arrivals             # commands under way to the venue
    QueueC answers              # facts under way back
    MatchesC matches
    LatencyC order_latency
    LatencyC answer_latency
    QueueModelC queue_model
    uint8_t whole_fills         # a resting order that is reached fills whole, however little reached it
    uint8_t grade               # Grade
    int64_t paid                # by bars and trades: what a market order pays beyond the price told, fraction in 1e-8
    int64_t participation       # by bars: the share of a bar's volume that ours may take, fraction in 1e-8
    int64_t maker_fee           # fractions in 1e-8; negative is a rebate
    int64_t taker_fee
    uint8_t fee_in_base
    FeeAssetC fee_asset         # fees are paid in it as long as there is enough
    int64_t fee_left            # money units of it
    ClearingC clearing
    int64_t time_ns             # of the venue
    uint64_t trade_number
    int64_t horizons_ns[3]
    PendingC pending[3]
    int64_t markout_ns          # no markout is due before it, or at it
    DoubtListC doubts           # by bars: which of a stop and a target came first, so far
    MarkoutC* markouts          # done, until taken
    uint32_t markout_count
    uint32_t markouts_max


cdef int answer_fill(SimulatorC* simulator, uint32_t index, const RestingC* order, uint8_t side, int64_t price, int64_t lots, int64_t remaining, uint64_t other, bint is_maker, int64_t ahead) except -1 nogil
cdef int answer_taken(SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind, int64_t quantity, int64_t ahead) except -1 nogil
cdef int answer_end(SimulatorC* simulator, uint32_t index, const FactC* command, uint8_t kind, int64_t left, Reject why) except -1 nogil
cdef int answer_gone(SimulatorC* simulator, uint32_t index, uint64_t id, uint16_t strategy, uint8_t side, int64_t price, int64_t left, Reject why, uint64_t cause) except -1 nogil
cdef int make_answer(SimulatorC* simulator, FactC* fact, uint8_t kind, uint64_t id, uint32_t instrument, uint16_t strategy, uint8_t side) noexcept nogil
cdef int fill_resting(SimulatorC* simulator, uint32_t index, uint8_t side, uint32_t at, int64_t lots, uint64_t taker, int64_t ahead) except -1 nogil
cdef int resting_insert(RestingListC* list, const RestingC* order, uint8_t side) except -1 nogil
cdef int resting_remove(RestingListC* list, uint32_t at) noexcept nogil
cdef int resting_bound(RestingListC* list) noexcept nogil
cdef int markouts_settle_due(SimulatorC* simulator, int64_t time_ns) except -1 nogil
cdef int group_take(SimulatorC* simulator, uint32_t index, uint64_t parent, uint64_t taker, int64_t lots) except -1 nogil
cdef int conditional_remove(ConditionalListC* list, uint32_t at) noexcept nogil
cdef int drop_reducing(SimulatorC* simulator, uint32_t index, uint8_t side, uint32_t at) except -1 nogil
cdef HeldC* held_of(VenueMarketC* market, uint16_t strategy) except NULL nogil
cdef int note_held(VenueMarketC* market, uint16_t strategy, uint8_t side, int64_t lots, int64_t fee_in_base) except -1 nogil
cdef int64_t reducible(const VenueMarketC* market, uint16_t strategy, uint8_t side) noexcept nogil
cdef int trim_reducing(SimulatorC* simulator, uint32_t index) except -1 nogil
cdef bytes pending_to_bytes(const PendingC* pending)
cdef int pending_from_bytes(PendingC* pending, bytes body) except -1


cdef inline int64_t venue_middle2(const VenueMarketC* market) noexcept nogil:
    """Bid + ask of the recorded book, 0 where a side is empty; by trades twice the last price."""
    cdef int64_t bid = market.depth.bid if market.by_levels else market.book.bid
    cdef int64_t ask = market.depth.ask if market.by_levels else market.book.ask
    if bid == NO_BID or ask == NO_ASK:
        return market.priced.marked2
    return bid + ask


cdef inline int64_t venue_mark2(const VenueMarketC* market) noexcept nogil:
    """Twice the price at which a contract's position is judged, ticks: the mark where one was told, else the middle."""
    return 2 * market.mark_price if market.mark_price else venue_middle2(market)


cdef inline int64_t resting_lots(const VenueMarketC* market, const RestingC* order, uint8_t side) noexcept nogil:
    """What an order of ours may fill now: all that remains, or what there is to reduce."""
    cdef int64_t lots
    if not order.flags & OrderFlag.REDUCE_ONLY:
        return order.remaining
    lots = reducible(market, order.strategy, side)
    return lots if lots < order.remaining else order.remaining


cdef inline int note_instant(VenueMarketC* market, int64_t time_ns) noexcept nogil:
    """Remember the middle price before everything that happens at `time_ns`: a sweep shows as several records."""
    if time_ns != market.instant_ns:
        market.instant_ns = time_ns
        market.instant_middle2 = venue_middle2(market)
    return 0


cdef inline int markouts_settle(SimulatorC* simulator, int64_t time_ns) except -1 nogil:
    """Answer what became due before `time_ns`: the book has not changed since."""
    return markouts_settle_due(simulator, time_ns) if time_ns > simulator.markout_ns else 0
