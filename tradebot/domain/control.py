"""What an operator asks of a running system; each is itself a fact, with who asked and why."""

from msgspec import Struct

from tradebot.domain.orders import TradingState


class SetTradingState(Struct, frozen=True, tag=32, array_like=True):
    """Open, reduce or halt trading of one engine."""

    version: int
    state: TradingState
    who: str
    why: str
