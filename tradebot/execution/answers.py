"""What the engine was told, until it has it: numbered without a hole, and said again for as long as it does not say so."""

from collections import deque
from typing import Final

from tradebot.domain.market import AccountFacts

VERSION: Final = 1
ANSWERS_MAX: Final = 256  # in one message


class Answers:
    """Of one account. `first` is the number of the oldest that waits."""

    def __init__(self, account: int, first: int = 1, waiting: list[bytes] | None = None) -> None:
        self.account, self.first = account, first
        self.waiting = deque(waiting or ())
        self.said_ns = 0

    def __len__(self) -> int:
        return len(self.waiting)

    @property
    def next(self) -> int:
        """The number of the one that is told next."""
        return self.first + len(self.waiting)

    def note(self, fact: bytes) -> None:
        """One that was told before, as read from the log."""
        self.waiting.append(fact)

    def add(self, facts: list[bytes], now_ns: int) -> list[AccountFacts]:
        """They are in the log: what is to be sent of them."""
        if facts and not self.waiting:
            self.said_ns = now_ns
        first = self.next
        self.waiting.extend(facts)
        return self._messages(first, facts)

    def say_again(self, now_ns: int) -> list[AccountFacts]:
        self.said_ns = now_ns
        return self._messages(self.first, list(self.waiting))

    def forget(self, upto: int) -> None:
        """The engine has those up to this number."""
        while self.waiting and self.first <= upto:
            self.waiting.popleft()
            self.first += 1

    def _messages(self, first: int, facts: list[bytes]) -> list[AccountFacts]:
        return [
            AccountFacts(VERSION, first + at, self.account, b"".join(facts[at : at + ANSWERS_MAX]))
            for at in range(0, len(facts), ANSWERS_MAX)
        ]
