"""Every submit, cancel and fill of the grid maker beside hftbacktest's own, row for row, on one event file.

The peer's rows are what `yardsticks/hftbacktest_grid_log.py` writes in the peer's own environment: an .npz whose `log` holds
(time_ns, kind, side, price_ticks, quantity_lots), kind 0 submit, 1 cancel request, 2 fill, 3 post-only order that expired.

Run: python -m benchmarks.hftbacktest_rows data.npz grid_log.npz
"""

import sys
from pathlib import Path

import numpy as np

from tradebot._core.types import Kind
from tradebot.engine.drive import drive
from tradebot.engine.ports import Records
from tradebot.testing.replay_bench import Facts, batches, load, prepare

INTERVAL_NS, LATENCY_NS = 100_000_000, 1_000_000
KINDS = {0: Kind.PLACE_ORDER, 1: Kind.CANCEL_ORDER, 2: Kind.ORDER_FILLED, 3: Kind.ORDER_REJECTED}
NAMES = {0: "submits", 1: "cancels", 2: "fills", 3: "expired"}

Rows = list[tuple[int, ...]]


def compare(events: Path, log: Path) -> dict[str, tuple[int, int, bool]]:
    """By name: how many rows of the peer's, how many of ours, and whether they are equal."""
    records, facts = load(events, "0.1", "0.001"), Facts()
    drive(prepare(records, "grid", INTERVAL_NS, LATENCY_NS, "0.1", "0.001"), batches(records), facts)
    theirs, ours = np.load(log)["log"], facts.all()
    found = {}
    for kind, name in NAMES.items():
        left, right = _theirs(theirs, kind), _ours(ours, kind)
        found[name] = (len(left), len(right), left == right)
    return found


def _theirs(log: Records, kind: int) -> Rows:
    rows = log[log["kind"] == kind]
    return sorted(zip(*(rows[name].tolist() for name in ("time_ns", "side", "price_ticks")), strict=True))


def _ours(facts: Records, kind: int) -> Rows:
    """A fill and an expiry happen at the venue's time; what we send at ours."""
    placed = facts[facts["kind"] == Kind.PLACE_ORDER]
    terms = dict(zip(placed["id"].tolist(), zip(_sides(placed), placed["price"].tolist(), strict=True), strict=True))
    rows = facts[facts["kind"] == KINDS[kind]]
    times = rows["venue_ns"] if kind in (2, 3) else rows["time_ns"]
    return sorted((time, *terms[order_id]) for time, order_id in zip(times.tolist(), rows["id"].tolist(), strict=True))


def _sides(facts: Records) -> list[int]:
    return np.where(facts["flags"] & 1, -1, 1).tolist()


def main() -> None:
    for name, (theirs, ours, equal) in compare(Path(sys.argv[1]), Path(sys.argv[2])).items():
        print(f"{name}: peer {theirs:,}, ours {ours:,}, {'equal row for row' if equal else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
