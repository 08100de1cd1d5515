"""`bench latency`: from a tick's intended time to its order at the venue, per offered rate, beside bare hops at the same pace.

The engine, the gateway and the paper venue are those of a node, with their journals, never flushed, and no latency of the
venue's own. A generator offers facts at a steady pace, whatever becomes of them; a trade among them is answered by an order. The
time is from when the message with the trade was meant to leave to when the venue has the order, as its journalled answer says.

    ipc      each in a process of its own, as a node runs them; raw: as many processes, PUSH to PULL, with the same messages
    tcp      the same over tcp, behind CURVE; raw: the bare hops over tcp without it
    inproc   all in one loop, told through their mailboxes there; raw: deques and call_soon, with the same messages
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from tradebot.testing.bare_hops import hop_loop, hop_processes, hop_tcp
from tradebot.testing.pinged_node import through_loop, through_processes, through_tcp
from tradebot.testing.tick_stream import Stream, stream_of

WARM_PART: Final = 10  # one in so many is left out, at the beginning

SIDES: Final = {
    "ipc": (through_processes, hop_processes), "tcp": (through_tcp, hop_tcp), "inproc": (through_loop, hop_loop),
}  # fmt: skip

Times = np.ndarray[Any, np.dtype[np.int64]]


def measure(rate: int, mode: str, seconds: float = 5.0, rounds: int = 1) -> dict[str, object]:
    """The figures of CLI.md; the bare hops before and after each round are one measure."""
    stream = stream_of(rate, seconds)
    ours, bare = SIDES[mode]
    found, raw = [], [in_folder(bare, stream)]
    for _ in range(rounds):
        found.append(in_folder(ours, stream))
        raw.append(in_folder(bare, stream))
    return told(rate, mode, stream, np.concatenate(found), np.concatenate(raw))


def told(rate: int, mode: str, stream: Stream, found: Times, raw: Times) -> dict[str, object]:
    names, parts = ("p50_us", "p99_us", "p999_us", "max_us"), (50, 99, 99.9, 100)
    answer: dict[str, object] = {"mode": mode, "rate": rate}
    answer |= {name: round(float(np.percentile(found, part)) / 1e3, 1) for name, part in zip(names, parts, strict=True)}
    answer |= {f"raw_{name}": round(float(np.percentile(raw, part)) / 1e3, 1) for name, part in zip(names, parts, strict=True)}
    ratio = round(float(np.percentile(found, 99) / np.percentile(raw, 99)), 2)
    return answer | {"ratio_p99": ratio, "orders": len(found), "facts_a_message": stream.facts}


def in_folder(one: Callable[[Path, Stream], Times], stream: Stream) -> Times:
    with TemporaryDirectory(prefix="bench-") as name:
        times = one(Path(name), stream)
    return times[len(times) // WARM_PART :]
