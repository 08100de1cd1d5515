"""Facts and commands between actors: one message that carries many records.

Inside the core, the journal and the store a fact is a 64-byte record (`_core.types`). Between actors records travel
as the bytes of an array, one message per drain, never one message per tick.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Kind

RECORDS_MAX: Final = 256  # records in one message

_NAMES: Final = {int(kind): kind.name.lower() for kind in Kind}


def kind_name(kind: int) -> str:
    """A kind of fact as people read it: "l2_level"; a number of a later version by itself."""
    return _NAMES.get(kind, f"kind_{kind}")


class Commands(Struct, frozen=True, tag=2, array_like=True):
    """Commands of one account on their way to its gateway or venue, as two-slot facts. `lease` is the epoch of the engine
    that holds the account now: a receiver that knows a later one refuses the message.
    """

    version: int
    sequence: int
    account: int
    lease: int
    data: bytes

    def array(self) -> npt.NDArray[np.void]:
        """The commands, without copying. Raises ValueError where the bytes are no whole number of them."""
        return np.frombuffer(self.data, dtype=FACT_DTYPE)


class AccountFacts(Struct, frozen=True, tag=3, array_like=True):
    """What happened to an account's orders, as two-slot facts in the order of their source. `sequence` is the sender's own."""

    version: int
    sequence: int
    account: int
    data: bytes

    def array(self) -> npt.NDArray[np.void]:
        """The facts, without copying. Raises ValueError where the bytes are no whole number of them."""
        return np.frombuffer(self.data, dtype=FACT_DTYPE)


class Records(Struct, frozen=True, tag=1, array_like=True):
    """Records of market facts as they left one source, in its order. `sequence` is the sender's own count within a `stream`,
    which is new after each of its starts; `is_new`: it begins with gaps, so that nothing before it matters. Without `data` it
    only says how far the sender has come.
    """

    version: int
    sequence: int
    data: bytes
    stream: int = 0
    is_new: bool = False

    def array(self) -> npt.NDArray[np.void]:
        """The records, without copying. Raises ValueError where the bytes are no whole number of records."""
        return np.frombuffer(self.data, dtype=RECORD_DTYPE)


class MarketAsked(Struct, frozen=True, tag=11, array_like=True):
    """The actor `name` has heard a feed up to message `after` of `stream`, and asks for what comes next."""

    version: int
    name: str
    stream: int
    after: int
