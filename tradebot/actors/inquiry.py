"""Questions to the desk of another actor from within a loop: one under way at a time, the others wait, nobody is held up.

One that is not answered in time is dropped with its connection, so that a desk that comes back later does not find it: what was
asked of one that hung is not done behind the asker's back.
"""

import asyncio
from pathlib import Path
from typing import Final

import zmq

from tradebot.actors.bus import address
from tradebot.actors.curve import Context
from tradebot.actors.drain import Drain, Frames

WAITING_MAX: Final = 32


class Crowded(Exception):
    """Too many questions wait."""


class Inquiry:
    def __init__(self, context: Context, folder: Path, name: str, timeout_s: float) -> None:
        self._context, self._address, self._timeout_s = context, address(folder, name), timeout_s
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._answer: asyncio.Future[bytes] | None = None
        self._drain: Drain | None = None
        self._socket: zmq.Socket[bytes] | None = None

    async def ask(self, body: bytes) -> bytes | None:
        """The answer; None where nobody answers in time: whether it was done is then not known. Raises Crowded, and then it
        was not.
        """
        if self._waiting >= WAITING_MAX:
            raise Crowded(f"expected at most {WAITING_MAX} questions that wait, found as many")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(body)
        finally:
            self._waiting -= 1

    async def _ask(self, body: bytes) -> bytes | None:
        socket, drain = self._open()
        self._answer = asyncio.get_running_loop().create_future()
        socket.send_multipart([b"", body], zmq.NOBLOCK)
        drain.look_soon()
        try:
            return await asyncio.wait_for(self._answer, self._timeout_s)
        except TimeoutError:
            self.close()
            return None
        finally:
            self._answer = None

    def _open(self) -> "tuple[zmq.Socket[bytes], Drain]":
        if self._socket is None or self._drain is None:
            self._socket = self._context.socket(zmq.DEALER)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.connect(self._address)
            self._drain = Drain(self._socket, self._hear)
        return self._socket, self._drain

    def _hear(self, frames: Frames) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(frames[-1].bytes)

    def close(self) -> None:
        if self._drain is not None:
            self._drain.close()
        self._socket = self._drain = None
