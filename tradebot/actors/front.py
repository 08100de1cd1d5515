"""The tcp side of a process: who is let in, the desk for requests and the stream, on one ZeroMQ context of its own."""

from collections.abc import Mapping
from pathlib import Path

import zmq

from tradebot.actors.curve import Context, Gate
from tradebot.actors.inquiry import Inquiry
from tradebot.actors.requests import Requests, Take
from tradebot.actors.streams import Places, Stream
from tradebot.domain.errors import LocalError


class Front:
    """`names` are those of the public keys that may enter; `places`, the message of where topics stand, is said at a topic of
    its own. Raises LocalError where an address cannot be had.
    """

    def __init__(
        self, names: Mapping[str, str], secret: str, requests_at: str, streams_at: str, take: Take, places: tuple[str, Places]
    ) -> None:
        self._context: Context = zmq.Context()
        self._questions: list[Inquiry] = []
        self.gate = Gate(self._context, names)
        try:
            self.requests = Requests(self._context, requests_at, secret, take)
            self.stream = Stream(self._context, streams_at, secret, *places)
        except LocalError:
            self.gate.close()
            self._context.destroy(linger=0)
            raise

    def questions(self, folder: Path, name: str, timeout_s: float) -> Inquiry:
        """To the desk of another actor, on the same context."""
        made = Inquiry(self._context, folder, name, timeout_s)
        self._questions.append(made)
        return made

    def figures(self) -> dict[str, int]:
        """Who is there, and what was refused before it was read."""
        peers = (self.requests.peers, self.stream.peers)
        return {
            "connected": sum(one.connected for one in peers),
            "accepted": sum(one.accepted for one in peers),
            "keys_denied": self.gate.denied,
            "full": sum(one.full for one in peers),
            "handshakes_failed": sum(one.failed for one in peers),
            "garbage": self.requests.garbage + self.stream.garbage,
            "answers_lost": self.requests.lost,
            "subscriptions": self.stream.subscriptions,
            "subscribers_cut_off": self.stream.subscribed.cut_off,
            "told": self.stream.told,
        }

    def close(self) -> None:
        for one in self._questions:
            one.close()
        self.requests.close()
        self.stream.close()
        self.gate.close()
        self._context.destroy(linger=0)
