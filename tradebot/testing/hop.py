"""`python -m tradebot.testing.hop HERE TO`: a bare hop of `bench latency` between two addresses, asleep in a read.

A message of market facts that begins with a 1 is answered by an order, which goes to the next; orders are handed on. Where TO is
`=FILE` the hop is the last: it notes when an order came, and writes that when it is told to end, by an empty message.
"""

import sys
import time
from pathlib import Path

import numpy as np
import zmq

ORDER_BYTES = 160
ORDER = b"\1" + bytes(ORDER_BYTES - 1)


def main(here: str, to: str) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    inbox, outbox = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    inbox.bind(here)
    if to.startswith("="):
        note(inbox, Path(to[1:]))
        return
    outbox.connect(to)
    while message := inbox.recv():
        if message[0] == 1:
            outbox.send(ORDER)


def note(inbox: "zmq.Socket[bytes]", file: Path) -> None:
    times = []
    while message := inbox.recv():
        if len(message) == ORDER_BYTES:
            times.append(time.monotonic_ns())
    new = file.with_suffix(".new")
    np.array(times, np.int64).tofile(new)
    new.rename(file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
