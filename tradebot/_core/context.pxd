"""What the kernel shares with traders and views: one struct of pointers, so that neither needs the other's class."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.book cimport BookC
from tradebot._core.depth cimport DepthC
from tradebot._core.instrument cimport InstrumentC
from tradebot._core.ledger cimport LedgerC
from tradebot._core.margin cimport MarginC
from tradebot._core.orders cimport OrdersC
from tradebot._core.timers cimport TimersC


cdef enum BookKind:             # what the best prices of a market come from; a greater one wins
    BY_QUOTES = 0
    BY_LEVELS = 2
    BY_ORDERS = 3


cdef enum Listener:
    TO_TRADES = 1
    TO_BOOK = 2
    TO_QUOTES = 4
    TO_FEED = 8
    TO_BARS = 16                # a series that is built of trades and stored bars


cdef struct MarketC:            # one instrument as the engine sees it
    InstrumentC terms
    BookC book
    DepthC depth
    uint8_t book_kind           # BookKind
    uint8_t message_changed     # a venue message under way has changed the levels,
    uint8_t message_touched     # and maybe the best of them
    uint8_t listeners           # what any seat of this market is told of: Listener, or'ed
    uint8_t feed_is_up
    int64_t bid                 # ticks; 0 where the side is empty
    int64_t ask
    int64_t bid_quantity        # lots
    int64_t ask_quantity
    int64_t last_price          # ticks of the last trade, or bar's close where no trade is told; 0 before it
    int64_t last_quantity
    int64_t mark_price          # ticks; 0 before it is known
    int64_t middle2             # bid + ask when both sides last stood, ticks; without book and quote twice the last price
    uint64_t trades


cdef enum WishKind:
    WISH_PLACE = 1
    WISH_CANCEL = 2
    WISH_AMEND = 3
    WISH_PROTECT = 4            # guard the position that is held


cdef struct WishC:              # what a strategy asked for in its callback
    uint64_t id
    int64_t price               # ticks; 0 for a market order
    int64_t quantity            # lots
    uint32_t instrument         # index
    uint16_t strategy
    uint8_t kind                # WishKind
    uint8_t is_sell
    uint8_t order_type
    uint8_t time_in_force
    uint8_t flags               # OrderFlag
    uint8_t trims               # guards of the position are to fill no more than `kept` lots, if the order passes the gate
    int64_t kept                # 0: they are cancelled
    int64_t trigger             # ticks; 0: none, or as it is
    int64_t trail               # ticks, of a trailing stop
    uint64_t parent             # group it joins; 0: none
    int64_t stop                # ticks: where what it fills is stopped out; 0: nowhere
    int64_t target              # ticks: where its profit is taken; 0: nowhere
    int64_t distance            # ticks: how far behind the best price its stop follows; 0: it stays


cdef struct ContextC:
    int64_t time_ns             # of the fact being stepped
    uint64_t sequence           # of the fact being stepped
    uint64_t call               # number of the callback; views remember it
    uint16_t calling            # strategy whose callback runs; NOBODY outside
    uint64_t* call_mark         # [0]: strategy + 1 while its callback runs, else 0; [1]: the fact. It may outlive the process
    uint64_t own_mark[2]
    uint8_t starting            # on_start runs: bars may be declared
    uint8_t by_mark             # triggers watch the mark price
    uint8_t folding             # what was recorded is taken in again without the strategies: nobody is called, nothing is sent
    uint8_t restoring           # on_start runs again only to declare; wishes are dropped
    uint64_t order_number       # of the last order id given out
    uint64_t order_base         # account and epoch bits of an order id
    int64_t worst_band          # how far from the best a market order may fill, fraction in 1e-8
    MarketC* markets
    uint32_t market_count
    MarginC* margins            # by market; all zero for spot
    LedgerC ledger
    OrdersC orders
    TimersC timers
    WishC* wishes
    uint32_t wish_count
    uint32_t wishes_max


cdef enum:
    NOBODY = 65535
