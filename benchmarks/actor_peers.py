"""Our actors beside those of ray and beside zmq.asyncio: both sides in turns, in one run, on the same cores.

Ours are the measures of `bench actors`. What each side does:

    ask       100 bytes to an actor in a process of its own, its process id back, each awaited before the next.
              Ours: `Asking.ask` to a `Desk`. ray: `ray.get(actor.answer.remote(body))`
    messages  Records of 100 bytes, encoded, sent by a process on another core, received and decoded one by one.
              Ours: `Posts` to an `Inbox`. Theirs: `zmq_asyncio.py`, its sender once a plain socket, once zmq.asyncio's too
    restart   SIGKILL of the actor's process, until another one answers. Ours: a child of a tree with a zygote. ray: an actor
              with max_restarts=-1, asked anew each 10 ms; beside it, what one call that waits sees (`yardsticks/ray_peer.py`)

All processes of a side are on one core, with `free` on all of them; the sender of messages has the other core. ray starts
anew each time, so that its daemons do not run while ours are measured. It is never a dependency: `make peers` installs it
under `.peers`, or TRADEBOT_PEER_RAY names an interpreter that has it; without it, it is skipped with a message. A ratio is
that of the medians of one round; given are the median ratio of the rounds and the smallest and largest.

Run: python -m benchmarks.actor_peers [rounds] [free]
"""

import contextlib
import json
import os
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks import peers, zmq_asyncio
from benchmarks.peers import Peer, PeerFailed, Run
from tradebot.testing import actor_bench

ROUNDS: Final = 3
RAY: Final = Peer("ray", "TRADEBOT_PEER_RAY", "ray", (Run("ray_peer.py", ()),))  # told what to measure by each pair
Side = Callable[[], list[int]]


class Pair(NamedTuple):
    """Both sides of a comparison; each call gives the times of one round, in nanoseconds."""

    name: str
    ours: Side
    theirs: Side


class Ratio(NamedTuple):
    """A comparison over its rounds: medians of the rounds' medians, and by how much theirs takes longer."""

    name: str
    ours_ns: float
    theirs_ns: float
    times: list[float]

    def __str__(self) -> str:
        spread = f"{statistics.median(self.times):.1f} times ({min(self.times):.1f} to {max(self.times):.1f})"
        return f"{self.name}: ours {self.ours_ns / 1e3:,.2f} us, theirs {self.theirs_ns / 1e3:,.2f} us: {spread}"


def measure(pairs: list[Pair], rounds: int) -> list[Ratio]:
    """All pairs once, then all again: what disturbs the machine disturbs both sides. Raises PeerFailed."""
    found: dict[str, list[tuple[float, float]]] = {pair.name: [] for pair in pairs}
    for _ in range(rounds):
        for pair in pairs:
            found[pair.name].append((statistics.median(pair.ours()), statistics.median(pair.theirs())))
    return [compare(name, medians) for name, medians in found.items()]


def compare(name: str, medians: list[tuple[float, float]]) -> Ratio:
    ours, theirs = zip(*medians, strict=True)
    return Ratio(name, statistics.median(ours), statistics.median(theirs), [other / own for own, other in medians])


def zmq_pairs(scale: float = 1.0) -> list[Pair]:
    count = max(1_000, round(200_000 * scale))
    return [
        Pair(f"messages, zmq.asyncio, {sender} sender", partial(ours_flood, count), partial(zmq_flood, sender, count))
        for sender in ("plain", "asyncio")
    ]


def ours_flood(count: int) -> list[int]:
    return actor_bench.run(lambda context, folder: actor_bench.flood(context, folder, count))


def zmq_flood(sender: str, count: int) -> list[int]:
    core = actor_bench.other_core()
    return actor_bench.run(lambda _, folder: zmq_asyncio.flood(folder, core, sender, count))


def ray_pairs(peer: Peer = RAY, scale: float = 1.0) -> list[Pair]:
    asks, kills, restarts = (max(2, round(count * scale)) for count in (3_000, 20, 10))
    ours = partial(ours_restart, kills)
    return [
        Pair("ask, ray", partial(ours_ask, asks), partial(ray_times, peer, "ask", asks)),
        Pair("restart, ray", ours, partial(ray_times, peer, "restart", restarts)),
        Pair("restart, ray, seen by a call that waits", ours, partial(ray_times, peer, "restart_waited", restarts)),
    ]


def ours_ask(count: int) -> list[int]:
    return actor_bench.run(lambda context, folder: actor_bench.ask_there(context, folder, count))


def ours_restart(count: int) -> list[int]:
    return actor_bench.run(lambda context, folder: actor_bench.restart_there(context, folder, count))


def ray_times(peer: Peer, what: str, count: int) -> list[int]:
    """One start of ray in a folder of its own. Raises PeerFailed."""
    python = peers.find_python(peer)
    assert python is not None, peers.why_absent(peer)
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        script = peers.YARDSTICKS / peer.runs[0].script
        said = peers.output_of([str(python), "-W", "ignore", str(script), what, str(count)], Path(folder))
    (row,) = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return [int(one) for one in row["times_ns"]]


def main() -> int:
    words = sys.argv[1:]
    rounds = next((int(word) for word in words if word.isdigit()), ROUNDS)
    python = peers.find_python(RAY)
    said = peers.why_absent(RAY) if python is None else f"ray {peers.find_version(python, RAY.package)}"
    print(f"{said}; load {os.getloadavg()[0]:.2f} before; {'all cores' if 'free' in words else 'one core'}", flush=True)
    pairs = zmq_pairs() + (ray_pairs() if python else [])
    with contextlib.nullcontext() if "free" in words else actor_bench.pinned():
        try:
            for ratio in measure(pairs, rounds):
                print(ratio)
        except PeerFailed as error:
            print(f"ray: failed: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
