"""What an actor of a user's hears of the node that it lives in."""

from typing import Any

from msgspec import Struct


class Event(Struct, frozen=True, tag=40, array_like=True):
    """Something that happened in the run: `kind` as `tradebot logs` has it, `fact` its place in the run, `text` it in words;
    what else it has, such as price and order, is in `details`. None is dropped; more than one may have the same `fact`.
    """

    version: int
    fact: int
    time: str
    kind: str
    text: str
    details: dict[str, Any]


class Quote(Struct, frozen=True, tag=41, array_like=True):
    """The best prices of an instrument, and that of its last trade, in decimal text; None where there is none. Of one who is slow
    it replaces what was not heard of the same instrument.
    """

    version: int
    instrument: str
    time_ns: int
    bid: str | None
    ask: str | None
    last: str | None


class Figures(Struct, frozen=True, tag=42, array_like=True):
    """How the node stands, as `tradebot status` has it of the engine; None while that does not answer. One who is slow misses the
    oldest.
    """

    version: int
    time_ns: int
    engine: dict[str, Any] | None
