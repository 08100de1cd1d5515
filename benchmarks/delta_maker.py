"""The maker of the nautilus peers over level deltas, in plain Python here, beside theirs in one run.

One order a side, two ticks from the touch, sent anew when the middle price has moved three ticks. The strategy is the peer's line
by line, but for what calls it: theirs is called at every delta and asks for the best prices, ours is called when they
changed, which is all that it looks at. Without latency, as theirs; with our risk gate, ledger, queue model and digest.

Run: python -m benchmarks.delta_maker [events]   (peers: make peers; each that is absent is skipped with a message)
"""

import sys
import time
from collections.abc import Iterator
from typing import Final

import numpy as np

from benchmarks.l3_book import make_stream
from benchmarks.peers import PEERS, YARDSTICKS, Figure, Peer, Run, find_python, find_version, measure_run, why_absent
from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot._core.views import BookView
from tradebot.engine.drive import drive
from tradebot.engine.plan import Limits, Place, Plan, make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.store.instruments import spot_instrument
from tradebot.strategies.strategy import Strategy
from tradebot.testing.replay_bench import batches

OPERATIONS: Final = 5_000_000
FULL: Final = 1_000_000
REPEATS: Final = 5
GOALS: Final = {"nautilus_v1": 30, "nautilus_v2": 12}
PROGRAMS: Final = {"nautilus_v1": ("nautilus_peer_v1.py", "mm"), "nautilus_v2": ("nautilus_peer_v2.py", "mmown")}


class Quoter(Strategy):
    """A two-sided quote, two ticks away from the touch."""

    def on_start(self) -> None:
        self.last = 0.0
        self.width = 2 * self.tick

    def on_quote(self, book: BookView) -> None:
        bid, ask = book.bid, book.ask
        middle = (bid + ask) * 0.5
        if abs(middle - self.last) >= 0.3:  # false of nan
            self.last = middle
            self.cancel_all()
            self.buy(0.01, price=bid - self.width, post_only=True)
            self.sell(0.01, price=ask + self.width, post_only=True)


def measure(events: int) -> list[tuple[float, int, str]]:
    """(events a second, orders, digest) of our runs, the best first."""
    records = to_records(np.load(make_stream(OPERATIONS) / "l2.npy"), events)
    return sorted((run(records) for _ in range(REPEATS)), reverse=True)


def to_records(rows: np.ndarray, events: int) -> Records:
    """The first levels of the stream, each a message of its own."""
    rows = rows[rows["kind"] == 0][:events]
    records = np.zeros(len(rows), dtype=RECORD_DTYPE)
    records["time_ns"] = records["venue_ns"] = rows["ts"]
    records["price"], records["quantity"] = rows["px"], rows["qty"]
    records["instrument"] = spot_instrument("BTC/USDT@bench", "0.1", "0.001").id
    records["kind"] = Kind.L2_LEVEL
    records["flags"] = np.where(rows["side"] > 0, 0, int(Flag.SELL)) | int(Flag.LAST)
    return records


def run(records: Records) -> tuple[float, int, str]:
    plan = Plan(
        instruments=[spot_instrument("BTC/USDT@bench", "0.1", "0.001")],
        opening={"BTC": 10**16, "USDT": 10**18},
        places=[Place([0], [Limits()])],
        maker_fee=20_000,
        taker_fee=50_000,
        fee_in_base=False,
        order_latency_ns=0,
        answer_latency_ns=0,
    )
    merge = make_merge(plan, [Quoter()])
    parts = batches(records)
    started = time.perf_counter()
    drive(merge, parts, Nobody())
    seconds = time.perf_counter() - started
    if merge.kernel.failures:
        raise merge.kernel.failures[0][2]
    return len(records) / seconds, merge.kernel.orders, merge.kernel.digest_text


def beside(peer: Peer, events: int) -> Iterator[Figure]:
    """The peer's maker over the same deltas."""
    python = find_python(peer)
    assert python is not None
    script, strategy = PROGRAMS[peer.name]
    arguments = ("delta", strategy, "3", str(events), ".")
    assert (YARDSTICKS / script).is_file()
    yield from measure_run(peer, python, find_version(python, peer.package), Run(script, arguments), make_stream(OPERATIONS))


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else FULL
    for name, goal in GOALS.items():
        if find_python(PEERS[name]) is None:
            print(why_absent(PEERS[name]))
            continue
        for figure in beside(PEERS[name], events):
            speed, orders, digest = measure(events)[0]
            print(f"delta mm: {speed / 1e6:.2f} M events/s, {orders:,} orders, digest {digest}; {figure}")
            if figure.speed:
                print(f"delta mm: {speed / figure.speed:.1f} times {figure.peer} {figure.version} (goal {goal})", flush=True)


if __name__ == "__main__":
    main()
