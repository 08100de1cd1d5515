"""A generator of market facts in a loop, for those who share it."""

import asyncio
import contextlib
from collections.abc import Callable

from tradebot.testing.pace import Pace
from tradebot.testing.tick_stream import Stream


class Offered:
    """A generator in the loop: `offer` is called with each beat and its time, until all are offered."""

    def __init__(self, stream: Stream, offer: Callable[[int, int], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.stream, self.offer = stream, offer
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.pace = Pace(stream.every_ns, blocking=False)
        self.loop.add_reader(self.pace.descriptor, self.beat)

    def beat(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for beat in self.pace.wait():
                if beat < self.stream.count:
                    self.offer(beat, self.pace.meant_ns(beat))
        if self.pace.beats >= self.stream.count and not self.done.done():
            self.loop.remove_reader(self.pace.descriptor)
            self.pace.close()
            self.done.set_result(None)
