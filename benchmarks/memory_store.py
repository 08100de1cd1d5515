"""Facts of a store replayed: peak memory must not grow with their number, and 100 million fit into 500 MB.

A child process imports a seeded stream of levels into an embedded store, another runs a backtest without a strategy over
it, from the store's blocks to the digest, and says how much memory it had at most. The store is made in a folder of its
own and removed.

Run: python -m benchmarks.memory_store [rows] [folder]
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FULL = 100_000_000
SMALLER = 4  # the same over a part of the rows, so many times fewer, shows growth

_IMPORT = """
import json, sys, time
from pathlib import Path
from benchmarks.memory_store import instrument, peak_mb
from tradebot.store.client import open_store
from tradebot.store.imports import ImportSource
from tradebot.testing.flow import deltas

rows, made = int(sys.argv[2]), instrument()
with open_store(Path(sys.argv[1])) as store:
    started = time.perf_counter()
    store.import_records(made, ImportSource("flow", 1, str(rows), "seeded"), deltas(rows, made.id))
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "bytes_per_row": store.catalogue()[0].bytes / rows}))
"""

_REPLAY = """
import json, sys, time
from pathlib import Path
from benchmarks.memory_store import instrument, peak_mb, plan
from tradebot.engine.drive import drive
from tradebot.engine.plan import make_merge
from tradebot.engine.ports import Nobody
from tradebot.store.client import open_store
from tradebot.strategies.strategy import Strategy

class Idle(Strategy):
    pass

with open_store(Path(sys.argv[1])) as store:
    data = store.catalogue()[0]
    end_ns = data.first_ns + int((data.last_ns - data.first_ns) * float(sys.argv[2])) + 1
    merge = make_merge(plan(), [Idle()])
    started = time.perf_counter()
    drive(merge, store.stream([instrument().id], None, end_ns), Nobody())
    seconds = time.perf_counter() - started
    print(json.dumps({"events": merge.events, "seconds": seconds, "peak_mb": peak_mb(), "digest": merge.kernel.digest_text}))
"""


def instrument():  # type: ignore[no-untyped-def]
    """What the stream is of."""
    from tradebot.store.instruments import spot_instrument

    return spot_instrument("BASE/QUOTE@flow", "0.1", "0.001")


def plan():  # type: ignore[no-untyped-def]
    """A run of it in which nothing trades."""
    from tradebot.engine.plan import Limits, Place, Plan

    return Plan(
        instruments=[instrument()], opening={"BASE": 10**12, "QUOTE": 10**15}, places=[Place([0], [Limits()])],
        maker_fee=20_000, taker_fee=50_000, fee_in_base=False, order_latency_ns=50_000_000, answer_latency_ns=50_000_000,
        sample_interval_ns=3600 * 10**9,
    )  # fmt: skip


def peak_mb() -> float:
    """VmHWM is this process's own; ru_maxrss would count what the parent held when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def measure(rows: int, folder: Path | None = None) -> list[dict[str, object]]:
    """The import, the replay of a quarter of its time and of all of it."""
    home = Path(tempfile.mkdtemp(prefix="memory-", dir=folder))
    try:
        place = str(home / "data")
        found = [{"what": f"import of {rows:,} rows", **_run(_IMPORT, place, str(rows))}]
        for part in (1 / SMALLER, 1.0):
            found.append({"what": f"replay of {part:.0%}", **_run(_REPLAY, place, str(part))})
        return found
    finally:
        shutil.rmtree(home)


def _run(code: str, *arguments: str) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else FULL
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    for row in measure(rows, folder):
        print("memory_store: " + ", ".join(f"{name} {_shown(value)}" for name, value in row.items()))


def _shown(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
