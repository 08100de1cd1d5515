"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

class Flag(IntEnum):
    SELL = 1
    SNAPSHOT = 2
    BEGIN = 4
    LAST = 8
    MAKER = 16
    RESTATED = 32
    VOID = 64
    CONT = 128

class Kind(IntEnum):
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

class OrderFlag(IntEnum):
    REDUCE_ONLY = 1
    BY_MARK = 2
    PROTECTIVE = 4

class OrderState(IntEnum):
    SENT = 1
    OPEN = 2
    CANCELLING = 3
    DONE = 4

class OrderType(IntEnum):
    LIMIT = 1
    MARKET = 2
    STOP = 3
    STOP_LIMIT = 4
    TAKE_PROFIT = 5
    TAKE_PROFIT_LIMIT = 6
    TRAILING_STOP = 7

class Reject(IntEnum):
    ACCEPTED = 0
    SIDE_UNKNOWN = 101
    ORDER_TYPE_UNKNOWN = 102
    TIME_IN_FORCE_UNKNOWN = 103
    QUANTITY_NOT_POSITIVE = 104
    PRICE_MISSING = 105
    TRIGGER_MISSING = 106
    INSTRUMENT_UNKNOWN = 201
    INSTRUMENT_NOT_TRADED = 202
    NO_MARKET = 203
    NO_TRIGGER_PRICE = 204
    QUANTITY_TOO_SMALL = 301
    QUANTITY_TOO_LARGE = 302
    NOTIONAL_TOO_SMALL = 303
    NOTIONAL_TOO_LARGE = 304
    PRICE_OUT_OF_BAND = 305
    POSITION_TOO_LARGE = 306
    STOP_ON_WRONG_SIDE = 307
    TARGET_ON_WRONG_SIDE = 308
    NOTHING_TO_REDUCE = 309
    BALANCE_TOO_SMALL = 401
    TRADING_HALTED = 501
    TRADING_REDUCING = 502
    ORDER_RATE_TOO_HIGH = 503
    ORDERS_OPEN_TOO_MANY = 504
    STRATEGY_IS_QUARANTINED = 505
    TOO_OLD_TO_SEND = 601
    VENUE_POST_ONLY_WOULD_TAKE = 901
    VENUE_FILL_OR_KILL_UNFILLED = 902
    VENUE_NO_LIQUIDITY = 903
    VENUE_ORDER_UNKNOWN = 904
    VENUE_SELF_TRADE = 905
    VENUE_AMEND_TOO_SMALL = 906
    VENUE_GROUP_DONE = 907
    VENUE_REDUCE_ONLY = 908
    VENUE_LIQUIDATED = 910
    VENUE_NOT_ACCEPTED = 911
    VENUE_REFUSED = 912
    VENUE_BALANCE_TOO_SMALL = 913

class Side(IntEnum):
    BUY = 0
    SELL_SIDE = 1

class TimeInForce(IntEnum):
    GTC = 1
    IOC = 2
    FOK = 3
    POST_ONLY = 4

class TradingState(IntEnum):
    ACTIVE = 0
    REDUCING = 1
    HALTED = 2

class Act(IntEnum):
    CANCEL_ENTRIES = 1
    CANCEL_ALL = 2
    FLATTEN = 3
    QUARANTINE = 4

RECORD_DTYPE: np.dtype[np.void]
EXTRA_DTYPE: np.dtype[np.void]
FACT_DTYPE: np.dtype[np.void]
SAMPLE_DTYPE: np.dtype[np.void]
MARKOUT_DTYPE: np.dtype[np.void]
DOUBT_DTYPE: np.dtype[np.void]
BBO_DTYPE: np.dtype[np.void]
RECORD_TABLE: dict[Kind, dict[str, str]]

def record_rows(records: npt.NDArray[np.void]) -> npt.NDArray[np.void]: ...
