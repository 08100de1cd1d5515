"""Where clients ask over tcp: each request with the name that its key has; an answer when there is one, in any order.

A client that does not take its answers loses them; nobody waits for it.
"""

from collections.abc import Callable
from typing import Final

import zmq

from tradebot.actors.curve import BOX_BYTES, Context, bind_secured
from tradebot.actors.drain import Drain, Frames

HIGH_WATER: Final = 200  # answers that wait for one client
HEARD_HIGH_WATER: Final = 8  # messages of one client that wait to be heard: they may be large
FRAME_BYTES_MAX: Final = 1 << 20  # what is too large is refused and counted; whoever sends more is cut off by libzmq, uncounted
FRAMES_MAX: Final = 3  # the client's address, an empty one where it is a REQ, the body

Address = list[bytes]
Take = Callable[[str, Address, bytes], None]
"""(name, where the answer goes, body)."""


class Requests:
    def __init__(self, context: Context, address: str, secret: str, take: Take) -> None:
        self._take = take
        self._socket = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
        self._socket.setsockopt(zmq.RCVHWM, HEARD_HIGH_WATER)
        self._socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX + BOX_BYTES)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.peers = bind_secured(self._socket, address, secret, key="node.api.address")
        self.lost = self.garbage = 0
        self._drain = Drain(self._socket, self._hear)

    def _hear(self, frames: Frames) -> None:
        if not 2 <= len(frames) <= FRAMES_MAX:
            self.garbage += 1
            return
        body = frames[-1]
        self._take(str(body.get("User-Id")), [frame.bytes for frame in frames[:-1]], body.bytes)

    def answer(self, address: Address, body: bytes) -> None:
        try:
            self._socket.send_multipart([*address, body], zmq.NOBLOCK)
        except zmq.ZMQError:  # its queue is full, or it is gone
            self.lost += 1
        self._drain.look_soon()

    def close(self) -> None:
        self.peers.close()
        self._drain.close(linger_ms=100)
