"""What a gateway says to a venue and hears of it, whichever venue it is.
 A request carries the venue-neutral order as a two-slot fact (`_core.types`), the time at which it was made and the window
after which the venue must no longer take it. A reply has one of the codes below or the venue's own; only those of
`Capabilities.definitive` mean that nothing was done. Events are the venue's account stream: numbered from 1 without a hole as
long as `stream` is the same.
"""

from enum import IntEnum, StrEnum

from msgspec import Struct


class Ask(IntEnum):
    """What a request asks for."""

    PLACE = 1
    CANCEL = 2
    AMEND = 3
    QUERY = 4  # one order, by client id
    OPEN = 5  # the open orders of the account, ordinary and conditional
    TRADES = 6  # of one order, by client id; of all since `since_ns` where the id is 0
    BALANCES = 7
    SUBSCRIBE = 8  # to the account stream
    INCOME = 9  # funding payments and liquidations after number `after`
    POSITIONS = 10  # in contracts, of the whole account


class Duplicates(StrEnum):
    """What a venue does with a client id that it has seen before."""

    ALWAYS = "always"  # refuses it for ever
    WHILE_OPEN = "while_open"  # refuses it while the earlier order is open
    NONE = "none"  # takes it


OK = 0
DUPLICATE_ID = -2010
UNKNOWN_ORDER = -2011
EXPIRED = -1021  # the window had passed when it came
REJECTED = -2022  # by the venue's own rules; `reject` has the number
BUSY = -1003


class Capabilities(Struct, frozen=True, kw_only=True):
    """How a venue behaves, as far as safety depends on it.

    `definitive` are the codes after which an order surely does not exist. `proves_absence`: an order that is in no answer after
    its window is not there; where a venue cannot promise that, an unknown order stays unknown until an operator speaks. A request
    whose time lies up to `ahead_ns` ahead of the venue's may be taken.
    """

    duplicates: Duplicates = Duplicates.WHILE_OPEN
    definitive: frozenset[int] = frozenset({EXPIRED, REJECTED})
    proves_absence: bool = True
    window_ns: int = 2_000_000_000
    margin_ns: int = 500_000_000
    ahead_ns: int = 1_000_000_000


class VenueRequest(Struct, frozen=True, tag=16, array_like=True):
    """`request` is the gateway's own number of it, by which the reply is known. `fact` is the command for PLACE, CANCEL and
    AMEND.
    """

    version: int
    request: int
    ask: Ask
    client_id: int
    timestamp_ns: int
    window_ns: int
    fact: bytes = b""
    since_ns: int = 0
    after: int = 0


class OrderStatus(Struct, frozen=True, array_like=True):
    """An order as the venue has it. `filled` is its filled lots; an order that is not `is_open` has ended. `trigger` stays what
    was asked for when it has been met.
    """

    client_id: int
    is_open: bool
    is_triggered: bool
    price: int
    quantity: int
    filled: int
    trigger: int
    reject: int
    instrument: int = 0


class PositionStatus(Struct, frozen=True, array_like=True):
    """A position as the venue has it: net of the whole account, `lots` negative where sold short. `cost` is what it was entered
    at by the venue's own account, in money units of the settle asset and signed as the values of docs/contracts.md are: what is
    realised less `cost` is minus the sum of what was traded.
    """

    instrument: int
    lots: int
    cost: int


class VenueReply(Struct, frozen=True, tag=17, array_like=True):
    """`venue_ns` is the venue's clock when it answered; `facts` are account facts, for TRADES the fills. `balances` are
    what an exchange calls a wallet: opening, what was realised and funding less fees, without what open positions are worth.
    Of orders that ended, and of what was traded, up to `forgotten_ns` the venue may tell nothing any more; 0: it tells all.
    """

    version: int
    request: int
    code: int
    venue_ns: int
    reject: int = 0
    text: str = ""
    orders: list[OrderStatus] = []
    facts: bytes = b""
    balances: dict[str, int] = {}
    stream: int = 0
    sequence: int = 0
    positions: list[PositionStatus] = []
    forgotten_ns: int = 0


class VenueEvent(Struct, frozen=True, tag=18, array_like=True):
    """One account fact as it happened."""

    version: int
    stream: int
    sequence: int
    venue_ns: int
    fact: bytes
