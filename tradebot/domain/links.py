"""How an engine and a gateway keep in step over a connection that may lose, double and reorder.

Each numbers what it says from 1 and says it again until the other has it in its journal: commands by the engine, answers by
the gateway. A receiver takes the next number only, and tells how far it has come; that a message was sent proves nothing. Every
message of an engine carries the lease under which it acts, and a gateway that knows a later one answers `Fenced` and takes
nothing.
"""

from msgspec import Struct

from tradebot.domain.venue import OrderStatus, PositionStatus


class CommandsTaken(Struct, frozen=True, tag=4, array_like=True):
    """The gateway has every command up to `upto` in its journal, or has answered it."""

    version: int
    account: int
    upto: int


class AnswersTaken(Struct, frozen=True, tag=5, array_like=True):
    """The engine has every answer up to `upto` in its journal."""

    version: int
    account: int
    lease: int
    upto: int


class EngineUp(Struct, frozen=True, tag=6, array_like=True):
    """An engine has come up, or asks again where the gateway stands; the gateway answers `GatewayUp`, and says the answers
    after `answers_taken`.
    """

    version: int
    account: int
    lease: int
    answers_taken: int


class GatewayUp(Struct, frozen=True, tag=7, array_like=True):
    """Where a gateway stands; the engine answers with the commands after `commands_taken`."""

    version: int
    account: int
    commands_taken: int


class Fenced(Struct, frozen=True, tag=8, array_like=True):
    """What was said came under an old lease: another engine holds the account, under `lease`. The one told stops."""

    version: int
    account: int
    lease: int


class BooksAsked(Struct, frozen=True, tag=9, array_like=True):
    """The engine asks for the books of gateway and venue, trades from `since_ns` on; it asks again until `VenueBooks` comes."""

    version: int
    account: int
    lease: int
    round: int
    since_ns: int


class BookOrder(Struct, frozen=True, array_like=True):
    """An order as a gateway holds it, in ticks and lots; `trigger` is 0 where it has none, or has met it."""

    client_id: int
    price: int
    quantity: int
    filled: int
    trigger: int
    instrument: int


class BookTrade(Struct, frozen=True, array_like=True):
    """A fill as a venue tells it; `lots` are negative where it was a sale."""

    trade_id: int
    client_id: int
    lots: int
    price: int


class VenueBooks(Struct, frozen=True, tag=10, array_like=True):
    """What gateway and venue hold at one instant, as of answer `answers` and command `commands`. `busy` are orders with a command
    under way. `venue_ns` is the venue's clock before it, from which trades are asked for next time. Of what was traded up to
    `forgotten_ns` the venue tells nothing any more.
    """

    version: int
    account: int
    round: int
    answers: int
    commands: int
    venue_ns: int
    busy: list[int]
    held: list[BookOrder]
    open_orders: list[OrderStatus]
    trades: list[BookTrade]
    balances: dict[str, int]
    positions: list[PositionStatus]
    forgotten_ns: int = 0
