"""`make soak`: a node for a long while at a high rate, killed now and then: do its memory and descriptors stay flat?

    python -m tradebot.testing.soak --minutes 20 --rate 50000

Each second the anonymous memory (RssAnon: not the mapped journal) and the descriptors of every process are read. A slope is
least squares over the second half of each life that lasted a minute, all lives of a part together; root and zygote live through.
What a part is meant to keep grows too: the paper venue keeps every order that it was ever sent, so its slope is given per order.
At the end the judge of `chaos` reads the books.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from tradebot.actors.watching import ROOT
from tradebot.node.session_files import ENGINE, FEED, GATEWAY, STORE, VENUE
from tradebot.store import synthetic
from tradebot.store.client import open_store
from tradebot.testing.chaos import CONFIG, PARTS, ZYGOTE, Node
from tradebot.testing.chaos_judge import judge

WATCHED: Final = (ROOT, ZYGOTE, *PARTS)
VICTIMS: Final = (ENGINE, GATEWAY, VENUE, FEED, STORE)
LIFE_S: Final = 60.0  # a shorter one tells nothing of a slope
EVENTS_PER_S: Final = 300_000 / 1_800  # of the synthetic market


class Lives:
    """What was read of each process: by part and process id, rows of (seconds, bytes, descriptors)."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], list[tuple[float, int, int]]] = {}

    def look(self, node: Node, now_s: float) -> None:
        for name in WATCHED:
            for pid in node.pids(name):
                found = read_process(pid)
                if found is not None:
                    self.rows.setdefault((name, pid), []).append((now_s, *found))

    def figures(self, name: str) -> dict[str, Any]:
        """Lives that tell something, megabytes at the end of the longest, megabytes an hour, most descriptors."""
        lives = [np.array(rows, float) for (part, _), rows in self.rows.items() if part == name]
        told = [one for one in lives if one[-1, 0] - one[0, 0] >= LIFE_S]
        longest = max(lives, key=len, default=np.zeros((1, 3)))
        return {
            "lives": len(lives),
            "megabytes": round(longest[-1, 1] / 1e6, 1),
            "megabytes_per_hour": round(slope(told) * 3_600 / 1e6, 2) if told else None,
            "descriptors_max": int(max((one[:, 2].max() for one in lives), default=0)),
            "descriptors_end": int(longest[-1, 2]),
        }


def slope(lives: list[np.ndarray[Any, np.dtype[np.float64]]]) -> float:
    """Bytes a second: least squares over the second half of each life, each with a level of its own."""
    above = below = 0.0
    for rows in lives:
        half = rows[len(rows) // 2 :]
        seconds = half[:, 0] - half[:, 0].mean()
        above += float((seconds * (half[:, 1] - half[:, 1].mean())).sum())
        below += float((seconds**2).sum())
    return above / below if below else 0.0


def read_process(pid: int) -> tuple[int, int] | None:
    """(bytes of anonymous memory, descriptors); None where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        memory = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
        return memory << 10, len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except (OSError, StopIteration):
        return None


def kills(seconds: float, every_s: float, seed: int) -> Iterator[tuple[float, str]]:
    """When whom: each part in turn, in an order of chance, with a while after the last."""
    chance, at_s = random.Random(seed), every_s
    while at_s < seconds - LIFE_S:
        yield at_s, chance.choice(VICTIMS)
        at_s += every_s * chance.uniform(0.5, 1.5)


def soak(place: Path, seconds: float, rate: float, every_s: float, seed: int) -> dict[str, Any]:
    """Run it in the folder `place`. Raises TimedOut, LocalError where the node does not come back."""
    with open_store(place / "home" / "data") as store:
        store.import_records(synthetic.INSTRUMENT, *synthetic.open_source())
    speed = rate / EVENTS_PER_S
    config = CONFIG.replace("SEED", str(seed)).replace("speed = 10.0", f"speed = {speed:.3f}")
    node, lives = Node(place, config.replace("segment_mb = 4", "segment_mb = 64")), Lives()
    told = 0
    try:
        node.start()
        node.find()
        node.wait_trading()
        began_s = time.monotonic()
        first = node.ask(ENGINE, "status") or {}
        due = list(kills(seconds, every_s, seed))
        count = len(due)
        while (now_s := time.monotonic() - began_s) < seconds:
            lives.look(node, now_s)
            if due and now_s >= due[0][0]:
                node.signal(due.pop(0)[1], signal.SIGKILL)
                node.wait_trading()
            time.sleep(1.0)
        last = node.ask(ENGINE, "status") or {}
        told = int(last.get("facts", 0)) - int(first.get("facts", 0))
        node.settle()
        judgement = judge(node.folder)
        return {
            "seconds": round(seconds),
            "facts_per_s": round(told / seconds),
            "kills": count,
            "orders": judgement.orders,
            "lost": judgement.lost,
            "doubled": judgement.doubled,
            "ledger_equal": judgement.ledger_equal,
            "replay_identical": judgement.replay_identical,
            "facts_equal": judgement.facts_equal,
            "parts": {name: lives.figures(name) for name in WATCHED},
        }
    finally:
        node.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tradebot.testing.soak")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=50_000.0, help="market facts a second")
    parser.add_argument("--every", type=float, default=30.0, metavar="SECONDS", help="between two kills")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        found = soak(Path(folder), words.minutes * 60, words.rate, words.every, words.seed)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    is_good = not found["lost"] and not found["doubled"] and found["ledger_equal"] and found["replay_identical"]
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
