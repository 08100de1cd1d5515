"""Peak memory of a backtest must not grow with the length of the data: the same stream once, and many times over.

Run: python -m benchmarks.memory [repeats]
"""

import json
import subprocess
import sys

FULL = 20
EVENTS = 300_000

_CHILD = """
import json, sys
import numpy as np
from benchmarks.memory import stream
from tradebot.engine.drive import drive
from tradebot.engine.plan import Limits, Place, Plan, make_merge
from tradebot.engine.ports import Nobody
from tradebot.store.synthetic import INSTRUMENT
from tradebot.strategies.maker import InventoryMaker

plan = Plan(
    instruments=[INSTRUMENT], opening={"USD": 10**15, "BTC": 10**12}, places=[Place([0], [Limits(band=5_000_000)])],
    maker_fee=300_000, taker_fee=400_000, fee_in_base=False, order_latency_ns=50_000_000, answer_latency_ns=50_000_000,
    sample_interval_ns=10**9,
)
merge = make_merge(plan, [InventoryMaker()])
drive(merge, stream(int(sys.argv[1])), Nobody())
# VmHWM is this process's own; ru_maxrss would count what the parent held when it forked.
lines = open("/proc/self/status").read().splitlines()
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
print(json.dumps({"events": merge.events, "peak_mb": peak, "digest": merge.kernel.digest_text, "orders": merge.kernel.orders}))
"""


def stream(repeats: int):  # type: ignore[no-untyped-def]
    """The seeded stream `repeats` times over, each round later than the one before and begun with a cleared book."""
    import numpy as np

    from tradebot._core.types import Flag, Kind
    from tradebot.store import synthetic

    _, batches = synthetic.open_source(events=EVENTS)
    once = np.concatenate(list(batches))
    span = int(once["time_ns"][-1] - once["time_ns"][0]) + 1_000_000_000
    first_add = int(np.flatnonzero(once["kind"] == Kind.L3_ADD)[0])
    once["flags"][first_add] |= Flag.SNAPSHOT | Flag.BEGIN | Flag.LAST
    for number in range(repeats):
        later = once.copy()
        later["time_ns"] += number * span
        later["venue_ns"][later["venue_ns"] != 0] += number * span
        for at in range(0, len(later), 65_536):
            yield later[at : at + 65_536].copy()
        del later  # before the next copy is made, or two rounds would be held


def measure(repeats: int) -> list[dict[str, object]]:
    """Peak megabytes of a process over one round and over `repeats`."""
    rows = []
    for count in (1, repeats):
        found = subprocess.run([sys.executable, "-c", _CHILD, str(count)], check=True, capture_output=True, text=True).stdout
        rows.append({"what": f"{count} rounds", **json.loads(found)})
    return rows


def main() -> None:
    rows = measure(int(sys.argv[1]) if len(sys.argv) > 1 else FULL)
    for row in rows:
        print(f"memory: {row['events']:,} events, {row['orders']:,} orders, peak {row['peak_mb']:.0f} MB, digest {row['digest']}")
    more_mb, times = rows[1]["peak_mb"] - rows[0]["peak_mb"], rows[1]["events"] / rows[0]["events"]
    print(f"memory: {more_mb:+.0f} MB for {times:.0f} times the data")


if __name__ == "__main__":
    main()
