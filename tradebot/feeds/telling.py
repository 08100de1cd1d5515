"""What a feed tells, numbered, and the last of it kept, so that who lost some is told it again.

A message on its way to a process that dies is lost, and a book from which one change is missing is wrong without a sign. So
receivers write down how far they have heard, and ask from there on (`hearing`). Where what they ask for is no longer kept they
are told a gap, which empties their books, and go on from now.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from tradebot.domain.market import MarketAsked, Records

VERSION: Final = 1
KEPT_BYTES: Final = 32 << 20
AGAIN_MAX: Final = 1_024  # messages for one question; who lacks more asks again


class Telling:
    """`stream` is larger than that of any feed of the same name before; `gaps` makes the bytes of a GAP fact for each
    instrument, at a time. The first message is a gap: nothing before it matters.
    """

    def __init__(self, stream: int, gaps: Callable[[int], bytes], kept_bytes: int = KEPT_BYTES) -> None:
        self.stream, self.sequence = stream, 0
        self._gaps, self._kept_bytes = gaps, kept_bytes
        self._kept: deque[Records] = deque()
        self._bytes = 0

    def begin(self, now_ns: int) -> Records:
        """A gap for all. The first may be taken by who has heard nothing; one that comes later follows what was told before it,
        which its receivers may lack and can still ask for.
        """
        return self._keep(self._gaps(now_ns), is_new=self.sequence == 0)

    def tell(self, body: bytes) -> Records:
        """The message for these facts."""
        return self._keep(body, is_new=False)

    def pulse(self) -> Records:
        """How far it has told, without anything new: for who lost the last of it."""
        return Records(VERSION, self.sequence, b"", self.stream)

    def again(self, asked: MarketAsked, now_ns: int) -> Iterator[Records]:
        """What comes after the message that was heard last, or a gap; all there is for who has heard nothing of this start."""
        first = self._kept[0].sequence if self._kept else self.sequence + 1
        heard = asked.after if asked.stream == self.stream else 0
        if first <= heard + 1:
            at = heard + 1 - first
            yield from islice(self._kept, at, at + AGAIN_MAX)
        else:
            yield Records(VERSION, self.sequence, self._gaps(now_ns), self.stream, is_new=True)

    def _keep(self, body: bytes, is_new: bool) -> Records:
        self.sequence += 1
        message = Records(VERSION, self.sequence, body, self.stream, is_new)
        self._kept.append(message)
        self._bytes += len(body)
        while self._bytes > self._kept_bytes and len(self._kept) > 1:
            self._bytes -= len(self._kept.popleft().data)
        return message
