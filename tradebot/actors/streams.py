"""A stream to whoever subscribes: topics, each with its own count, and the last message of each for who comes late.

Nobody is waited for: a subscriber whose queue is full loses what comes, and sees it by the numbers that are missing. For a new
subscription the last messages of its topics are said again, with the numbers they had, so that one who has them already drops
them; they reach everybody, so each is said again once in a while only, however many subscribe and how often. Who subscribes to
the topic of places hears, before anything can be lost to it, where each topic stands: so it knows also of one that it never heard
whether a message was lost or before its time.
"""

import time
from collections.abc import Callable
from typing import Final

import zmq

from tradebot.actors.curve import BOX_BYTES, Context, bind_secured
from tradebot.actors.drain import Drain, Frames
from tradebot.actors.subscriptions import Subscriptions

HIGH_WATER: Final = 500  # messages that wait for one subscriber
TOPIC_BYTES_MAX: Final = 128
FRAME_BYTES_MAX: Final = 8_192  # what is larger than a topic is garbage; whoever sends more is cut off by libzmq, uncounted
HEARD_HIGH_WATER: Final = 16  # messages of one subscriber that wait to be heard
TOPICS_MAX: Final = 256
AGAIN_S: Final = 0.5  # between two times that the same is said again

Encode = Callable[[int], bytes]
"""A message, given its number in its topic."""

Places = Callable[[dict[str, int]], bytes]
"""The message of where each topic stands."""


class Stream:
    """`places_topic` is where `places` is said."""

    def __init__(self, context: Context, address: str, secret: str, places_topic: str, places: Places) -> None:
        self._places_topic, self._places = places_topic.encode(), places
        self._are_places_due = False
        self._socket = context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        self._socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
        self._socket.setsockopt(zmq.RCVHWM, HEARD_HIGH_WATER)
        self._socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX + BOX_BYTES)
        self.peers = bind_secured(self._socket, address, secret, key="node.api.address")
        self.subscribed = Subscriptions(int(address.rpartition(":")[2]))
        self.peers.came, self.peers.went = self.subscribed.begin, self.subscribed.end
        self._sequences: dict[bytes, int] = {}
        self._last: dict[bytes, bytes] = {}
        self._wanted: dict[bytes, None] = {}  # topics
        self._said_s: dict[bytes, float] = {}
        self.subscriptions = self.garbage = self.told = 0
        self._drain = Drain(self._socket, self._hear)

    def publish(self, topic: str, encode: Encode) -> None:
        name = topic.encode()
        self._drain.look()  # so that who has just come hears where the topics stand before anything can be lost
        self._tell_places()
        assert name in self._last or len(self._last) < TOPICS_MAX
        self._wanted.pop(name, None)  # who wants the last one hears this one
        sequence = self._sequences[name] = self._sequences.get(name, 0) + 1
        body = self._last[name] = encode(sequence)
        self._send(name, body)

    def forget(self, topic: str) -> None:
        """What was last said of it is no longer so: who comes next waits for the next message."""
        self._last.pop(topic.encode(), None)

    def repeat(self) -> None:
        """Say the last messages again of what was subscribed; called at the publisher's pace."""
        self._tell_places()
        now_s = time.monotonic()
        for name in [one for one in self._wanted if now_s - self._said_s.get(one, -AGAIN_S) >= AGAIN_S]:
            del self._wanted[name]
            if name in self._last:
                self._said_s[name] = now_s
                self._send(name, self._last[name])
        self._drain.look_soon()

    def _tell_places(self) -> None:
        if self._are_places_due:
            self._are_places_due = False
            self._send(self._places_topic, self._places({name.decode(): at for name, at in self._sequences.items()}))

    def _send(self, name: bytes, body: bytes) -> None:
        self._socket.send_multipart([name, body], zmq.NOBLOCK)  # never refused: an XPUB drops for who is full
        self.told += 1
        self._drain.look_soon()

    def _hear(self, frames: Frames) -> None:
        """A subscription or its end, or what is neither."""
        body = frames[0].bytes
        if not self.subscribed.takes(frames[0]):
            return
        if len(frames) != 1 or body[:1] not in (b"\0", b"\1") or len(body) > TOPIC_BYTES_MAX:
            self.garbage += 1
        elif body[:1] == b"\1":
            self.subscriptions += 1
            self._are_places_due |= self._places_topic.startswith(body[1:])
            self._wanted |= dict.fromkeys(name for name in self._last if name.startswith(body[1:]))

    def close(self) -> None:
        self.peers.close()
        self._drain.close()
