"""What the simulated venue keeps where the data tell prices and no book: one struct of plain fields, without behaviour."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.types cimport RecordC


cdef enum Grade:                # what the data tell that orders are matched on
    BY_BOOK = 0
    BY_BARS = 1
    BY_TRADES = 2


cdef struct WaitingC:           # an order of ours that trades at the next price that the data tell
    uint64_t id
    uint64_t parent             # the group it shares its lots with; 0: none
    int64_t price               # ticks: the limit, or how far a market order is paid for
    int64_t remaining           # lots
    int64_t sent_ns
    uint16_t strategy
    uint8_t side
    uint8_t order_type
    uint8_t time_in_force
    uint8_t flags               # OrderFlag
    uint8_t triggered           # a market order that was conditional: it is paid however far it goes


cdef struct WaitingListC:       # by arrival
    WaitingC* items
    uint32_t count
    uint32_t items_max


cdef struct StepC:              # a trade inside the bar under way
    int64_t time_ns             # the venue's
    int64_t price               # ticks


cdef struct PathC:              # in order of time
    StepC* items
    uint32_t count
    uint32_t items_max


cdef struct PricedC:            # one instrument
    RecordC bar                 # by bars: the one under way at the venue
    int64_t open_ns             # when it opened there
    uint8_t is_open             # there is one
    uint16_t bar_code           # `owner` of the stored bars that fill, and
    int64_t bar_ns              # their interval
    int64_t room                # lots that ours may still take of the bar, or of the trade
    int64_t marked2             # by trades: twice the last price; else 0
    WaitingListC waiting
    PathC path


cdef struct DoubtC:             # a bar that reached a stop and a target of ours, and does not tell which came first
    int64_t time_ns             # when the bar opened at the venue
    uint64_t stop               # order id
    uint64_t target             # order id
    int64_t lots
    int64_t stop_price          # ticks paid or got, costs included
    int64_t target_price
    int64_t difference          # money units of quote that the target first would have brought more, fees included
    uint32_t instrument
    uint16_t strategy
    uint16_t known              # 1: trades of the bar told which came first, and that one was taken


cdef struct DoubtListC:
    DoubtC* items
    uint32_t count
    uint32_t items_max
