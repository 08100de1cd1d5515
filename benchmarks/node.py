"""What a node's engine takes in: facts a second from another process, and a start on a long journal.

The engine is the process of a real node with a strategy and its journal on a disk; facts come over ZeroMQ in messages of 256, as
fast as it takes them. Recovery is the time from the start of that process to its first answer, less that of a start on an empty
journal; no snapshot helps.

Run: python -m benchmarks.node [facts]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tradebot.actors.bus import Bus
from tradebot.actors.mailbox import Posts, ask
from tradebot.domain.market import RECORDS_MAX, Records
from tradebot.node.build import make_plan
from tradebot.node.config import config_to_dict, load_config
from tradebot.node.session_files import ENGINE, FEED, Prepared, ipc_folder, next_epoch, write_prepared
from tradebot.node.strategies import fingerprint_of
from tradebot.store import synthetic

GOAL_FACTS = 300_000
CONFIG = """
mode = "sandbox"
account = {{ venue = "{venue}", start = ["100000 USD", "1 BTC"] }}
node = {{ sync = "none", snapshot_facts = 1000000000 }}
[[strategy]]
use = "tradebot.strategies.crossover:Crossover"
instruments = ["{symbol}"]
params = {{ fast = 6, slow = 24, notional = 1000.0 }}
"""


def prepare(folder: Path) -> None:
    """A run's folder with what the engine needs."""
    instrument = synthetic.INSTRUMENT
    file = folder / "node.toml"
    file.write_text(CONFIG.format(venue=instrument.venue, symbol=instrument.symbol))
    config = load_config([file], {}, []).config
    plan = make_plan(config, [instrument], 0)
    prepared = Prepared(
        run_id="bench", config=config_to_dict(config), plan=plan, fingerprint=fingerprint_of(config.strategy, plan), ticks=0
    )
    write_prepared(folder, prepared)
    ipc_folder(folder).mkdir(exist_ok=True, mode=0o700)


def start(folder: Path) -> tuple["subprocess.Popen[bytes]", float]:
    """An engine that answers, and the seconds until it did."""
    command = [sys.executable, "-m", "tradebot.node.part_main", ENGINE, str(folder), "--epoch", str(next_epoch(folder))]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    while status(folder, 30.0) is None:
        pass
    return process, time.perf_counter() - began


def status(folder: Path, timeout_s: float = 5.0) -> dict[str, Any] | None:
    found = ask(ipc_folder(folder), f"{ENGINE}.desk", msgspec.json.encode({"verb": "status"}), timeout_s)
    return None if found is None else msgspec.json.decode(found)


def push(folder: Path, facts: int) -> float:
    """Seconds from the first message to the engine's answer that it has them all."""
    records = np.concatenate(list(synthetic.open_source(events=facts)[1]))[:facts]
    bodies = [records[at : at + RECORDS_MAX].tobytes() for at in range(0, facts, RECORDS_MAX)]
    bus = Bus(ipc_folder(folder))
    posts = Posts(bus, FEED, time.time_ns())
    began = time.perf_counter()
    for number, body in enumerate(bodies):
        while not posts.send(ENGINE, Records(1, number, body)):
            time.sleep(0.001)
    while (found := status(folder)) is None or found["facts"] < facts:
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    posts.close()
    bus.close()
    return seconds


def main() -> None:
    facts = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="tradebot-bench-") as name:
        folder = Path(name)
        prepare(folder)
        process, empty_s = start(folder)
        seconds = push(folder, facts)
        process.kill()
        process.wait()
        process, full_s = start(folder)
        process.kill()
        process.wait()
    print(
        f"node: {facts / seconds:,.0f} facts/s from another process into engine and journal (goal {GOAL_FACTS:,}); "
        f"start {empty_s:.2f} s, with a tail of {facts:,} facts {full_s - empty_s:.2f} s more (goal 1 s a million)"
    )


if __name__ == "__main__":
    main()
