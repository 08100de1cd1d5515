"""How far a feed was heard: what comes next is taken, once, and what was lost is asked for again (`telling`)."""

from typing import Final

from tradebot.domain.market import MarketAsked, Records

VERSION: Final = 1
ASK_AGAIN_NS: Final = 20_000_000


class Hearing:
    """Of one receiver, by its `name`. `stream` and `sequence` are those of the last message taken; 0 before the first."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stream = self.sequence = 0
        self._misses = False
        self._asked_ns = 0

    def stand_at(self, stream: int, sequence: int) -> None:
        """Go on from what was written down."""
        self.stream, self.sequence = stream, sequence

    def take(self, message: Records) -> bool:
        """Whether it is to be taken now. What came before, or from a feed that is gone, is not; nor is what comes too early, for
        that will be told again. A message of no stream is nobody's to repeat, and taken as it comes.
        """
        if message.stream == 0:
            return True
        place, reached = (message.stream, message.sequence), (self.stream, self.sequence)
        is_next = message.is_new or (place == (self.stream, self.sequence + 1) and message.data)
        if place > reached and is_next:
            self.stream, self.sequence = place
            self._misses = False
            return True
        self._misses = self._misses or place > reached
        return False

    def ask(self, now_ns: int) -> MarketAsked | None:
        """A question for what is missing, now and then."""
        if not self._misses or now_ns < self._asked_ns + ASK_AGAIN_NS:
            return None
        self._asked_ns = now_ns
        return self.asked()

    def asked(self) -> MarketAsked:
        return MarketAsked(VERSION, self.name, self.stream, self.sequence)
