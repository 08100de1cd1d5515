"""What a client has heard of the streams, by which it knows what it has lost.

Each topic counts its messages, so a number that is missing between two is one that was lost. Before the first message of a topic
there is nothing to compare it with but the places: where each topic stood when the client subscribed. What is beyond them was
said after that and did not come, and what is not beyond them was before this client's time.
"""

from tradebot.domain import wire


class Heard:
    """The starts and numbers of the last messages."""

    def __init__(self) -> None:
        self._start: int | None = None
        self._began_anew = False
        self._places: dict[str, int] | None = None
        self._last: dict[str, tuple[int, int]] = {}  # start and number, by topic

    def note_places(self, message: wire.Places) -> None:
        """The first ones hold: those that come later are said for others, or for this client once its connection is back, and
        then what is beyond the first ones was lost.
        """
        self._note_start(message.stream)
        if self._places is None:
            self._places = message.body

    def note(self, topic: str, message: wire.State | wire.Facts | wire.Metrics) -> tuple[bool, int | None]:
        """Whether it is news, and how many messages were lost before it: None where nobody knows how many."""
        self._note_start(message.stream)
        start, last = self._last.get(topic, (message.stream, 0))
        if start == message.stream and message.sequence <= last:
            return False, 0
        is_first = start != message.stream or last == 0
        self._last[topic] = (message.stream, message.sequence)
        if is_first and self._began_anew:
            return True, None
        if is_first:
            last = message.sequence if self._places is None else self._places.get(topic, 0)
        return True, max(0, message.sequence - 1 - last)

    def _note_start(self, start: int) -> None:
        self._began_anew |= self._start not in (None, start)
        self._start = start
