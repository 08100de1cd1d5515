"""Funding payments and liquidations of an account: numbered by the venue, each told once and in its order.

Where one was missed, those after the last that was told are asked for; what the stream tells meanwhile is only counted, because
the answer may be older than it, and then it is asked once more.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from tradebot._core.types import FACT_DTYPE, Kind
from tradebot.execution.held import FACT_BYTES

KINDS: Final = (Kind.FUNDING_PAID, Kind.LIQUIDATED)


class Income:
    """`upto` is the number of the last that was told."""

    def __init__(self, upto: int = 0) -> None:
        self.upto = upto
        self.is_stale = False
        self.skipped = 0

    def missed(self) -> None:
        """Some may have been."""
        self.is_stale, self.skipped = True, 0

    def hear(self, fact: bytes) -> bool:
        """One of the stream; whether it is to be told. A hole before it makes the rest stale."""
        number = int(np.frombuffer(fact, FACT_DTYPE)[0]["venue_sequence"])
        if self.is_stale:
            self.skipped += 1
            return False
        if number > self.upto + 1:
            self.missed()
        return number == self.upto + 1

    def new_of(self, facts: bytes) -> Iterator[bytes]:
        """Those of an answer that were not told yet, each when the one before was told."""
        for at in range(0, len(facts), FACT_BYTES):
            fact = facts[at : at + FACT_BYTES]
            if int(np.frombuffer(fact, FACT_DTYPE)[0]["venue_sequence"]) == self.upto + 1:
                yield fact

    def caught_up(self, is_answered: bool) -> bool:
        """After an answer: whether nothing was missed meanwhile."""
        self.is_stale = not is_answered or self.skipped > 0
        return not self.is_stale
