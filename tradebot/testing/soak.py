"""`make soak`: a node for a long while at a high rate, killed now and then: do its memory and descriptors stay flat?

    python -m tradebot.testing.soak --minutes 20 --rate 50000

Each second the memory and the descriptors of every process are read. Judged is anonymous memory (RssAnon): the resident set has
the mapped pages of the journals, too, which the kernel takes back as it likes. Both are told.

A process that is killed begins anew, so a life has to be long to tell of a slope. In the first half of the run venue, gateway and
feed are killed, then the engine, and in the last fifth the store too: so every part lives through half of it or more, while the
others die around it; root and zygote live through all. A life counts after its first `WARM_S`, in which caches fill, if it lasted
`TOLD_S` more: that of the venue when what it keeps for five minutes of what is over is full; that of the store when the embedded
database, which lets merged parts lie for up to five minutes, has made its threads (each has three files of /proc open, which are
not counted as descriptors). All lives of a part have one slope by least squares, each with a level of its own. The points
are the least of every `BLOCK_S` seconds: what is held for a moment, a query's buffers or a snapshot on its way to the disk, is no
growth, and a leak lifts the floor too. A floor depends on the one before, so the standard error is that of Newey and West over
`LAG` blocks.

A part is flat when its slope *and two standard errors more* are below the bound: that it does not grow is shown, not merely
undecided. A slope that differs from nothing by more than two standard errors is told as `grows`, however small it is.

At the end the judge of `chaos` reads the books; it steps the journal again by the code as it is, so edit none meanwhile.
"""

import argparse
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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
VICTIMS: Final = ((0.5, (VENUE, GATEWAY, FEED)), (0.8, (ENGINE,)), (1.0, (ENGINE, STORE)))  # up to which share of the run
TOLD_S: Final = 90.0  # a life that lasted less beyond that tells nothing of a slope
WARM_S: Final = dict.fromkeys(WATCHED, 150.0) | {VENUE: 360.0, STORE: 450.0}
BLOCK_S: Final = 10.0
LONG_BLOCK_S: Final = 60.0
LAG: Final = 4  # blocks
REST_S: Final = 30.0  # at the end of a span, without kills
MEMORY_MAX: Final = 6.0  # megabytes an hour that are still called flat
DESCRIPTORS_MAX: Final = 12.0  # an hour, likewise
FINDINGS_MAX: Final = 20  # that are printed
EVENTS_PER_S: Final = 300_000 / 1_800  # of the synthetic market
KEYS: Final = ("RssAnon:", "VmRSS:")
ANONYMOUS, RESIDENT, DESCRIPTORS = 1, 2, 3  # in a row; before them, when it was read

Rows = np.ndarray[Any, np.dtype[np.float64]]


class Lives:
    """What was read of each process: by part and process id, rows of (seconds, bytes, bytes with files, descriptors)."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], list[tuple[float, int, int, int]]] = {}

    def look(self, node: Node, now_s: float) -> None:
        for name in WATCHED:
            for pid in node.pids(name):
                found = read_process(pid)
                if found is not None:
                    self.rows.setdefault((name, pid), []).append((now_s, *found))

    def figures(self, name: str) -> dict[str, Any]:
        """Of how many lives, the seconds that tell something, what there is at the end of the longest, and the slopes."""
        lives = [np.array(rows, float) for (part, _), rows in self.rows.items() if part == name]
        level = ceilings if name == STORE else floors
        told = [level(one[one[:, 0] >= one[0, 0] + WARM_S[name]]) for one in lives if age_of(one) >= WARM_S[name] + TOLD_S]
        longest = max(lives, key=len, default=np.zeros((1, 4)))
        memory, descriptors = slope(told, ANONYMOUS) * 3_600 / 1e6, slope(told, DESCRIPTORS) * 3_600
        return {
            "lives": len(lives),
            "lives_long": len(told),
            "seconds_told": round(sum(float(one[-1, 0] - one[0, 0]) for one in told)),
            "megabytes": round(longest[-1, ANONYMOUS] / 1e6, 1),
            "megabytes_with_files": round(longest[-1, RESIDENT] / 1e6, 1),
            "megabytes_per_hour": as_told(told, memory, MEMORY_MAX),
            "descriptors": int(longest[-1, DESCRIPTORS]),
            "descriptors_max": int(max((one[:, DESCRIPTORS].max() for one in lives), default=0)),
            "descriptors_per_hour": as_told(told, descriptors, DESCRIPTORS_MAX),
        }


def age_of(rows: Rows) -> float:
    return float(rows[-1, 0] - rows[0, 0])


def floors(rows: Rows) -> Rows:
    """The least of each block of seconds, in the middle of which it stands."""
    return of_blocks(rows, BLOCK_S, np.min)


def ceilings(rows: Rows) -> Rows:
    """The most of each minute: of one that holds a whole segment now and then, and for how long depends on who else works."""
    return of_blocks(rows, LONG_BLOCK_S, np.max)


def of_blocks(rows: Rows, block_s: float, of: Callable[..., Any]) -> Rows:
    blocks = (rows[:, 0] // block_s).astype(np.int64)
    return np.array([[(block + 0.5) * block_s, *of(rows[blocks == block, 1:], axis=0)] for block in np.unique(blocks)])


def as_told(lives: list[Rows], found: Rows, bound: float) -> dict[str, Any] | None:
    """A slope as it is judged; None where no life was long enough."""
    if not lives:
        return None
    value, error = found.tolist()
    is_flat, grows = value + 2 * error < bound, value - 2 * error > 0
    return {"slope": round(value, 2), "error": round(error, 2), "bound": bound, "flat": is_flat, "grows": grows}


def slope(lives: list[Rows], column: int) -> Rows:
    """(what a column grows by in a second, its standard error), all lives together, each with a level of its own."""
    parts = [(one[:, 0] - one[:, 0].mean(), one[:, column] - one[:, column].mean()) for one in lives]
    below = sum(float((seconds**2).sum()) for seconds, _ in parts)
    if not below:
        return np.zeros(2)
    value = sum(float((seconds * found).sum()) for seconds, found in parts) / below
    spread = sum(spread_of(seconds * (found - value * seconds)) for seconds, found in parts)
    return np.array([value, spread**0.5 / below])


def spread_of(scores: Rows) -> float:
    """The variance of their sum, where each may depend on those up to `LAG` before it (Newey and West, 1987); a level and a slope
    were found from them.
    """
    count = len(scores)
    found = float((scores**2).sum())
    for lag in range(1, min(LAG, count - 1) + 1):
        found += 2 * (1 - lag / (LAG + 1)) * float((scores[lag:] * scores[:-lag]).sum())
    return max(0.0, found) * count / max(1, count - 2)


def read_process(pid: int) -> tuple[int, int, int] | None:
    """(bytes of anonymous memory, bytes with mapped files, descriptors); None where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        memory = {words[0]: int(words[1]) << 10 for line in lines if (words := line.split()) and words[0] in KEYS}
        return memory[KEYS[0]], memory[KEYS[1]], descriptors_of(pid)
    except (OSError, KeyError):
        return None


def descriptors_of(pid: int) -> int:
    """Those that are open on something else than a file of /proc."""
    found = 0
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += not str(one.readlink()).startswith("/proc/")
    return found


def kills(seconds: float, every_s: float, seed: int) -> Iterator[tuple[float, str]]:
    """When whom: in an order of chance, those of one span and then those of the next, with a while after the last of each."""
    chance, begins_s = random.Random(seed), 0.0
    for share, victims in VICTIMS:
        at_s = begins_s + every_s
        begins_s = share * seconds
        while at_s < begins_s - REST_S:
            yield at_s, chance.choice(victims)
            at_s += every_s * chance.uniform(0.5, 1.5)


def soak(place: Path, seconds: float, rate: float, every_s: float, seed: int, samples: Path | None = None) -> dict[str, Any]:
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
        killed = dict.fromkeys(PARTS, 0)
        while (now_s := time.monotonic() - began_s) < seconds:
            lives.look(node, now_s)
            if due and now_s >= due[0][0]:
                name = due.pop(0)[1]
                killed[name] += node.signal(name, signal.SIGKILL)
                node.wait_trading()
            time.sleep(1.0)
        if samples is not None:
            samples.write_text(json.dumps([[*life, rows] for life, rows in lives.rows.items()]))
        last = node.ask(ENGINE, "status") or {}
        told = int(last.get("facts", 0)) - int(first.get("facts", 0))
        node.settle()
        judgement = judge(node.folder)
        parts = {name: lives.figures(name) for name in WATCHED}
        return {
            "seconds": round(seconds),
            "facts_per_s": round(told / seconds),
            "kills": killed,
            "orders": judgement.orders,
            "lost": judgement.lost,
            "doubled": judgement.doubled,
            "ledger_equal": judgement.ledger_equal,
            "replay_identical": judgement.replay_identical,
            "facts_equal": judgement.facts_equal,
            "findings": judgement.findings[:FINDINGS_MAX],
            "flat": is_flat(parts),
            "parts": parts,
        }
    finally:
        node.close()


def is_flat(parts: dict[str, dict[str, Any]]) -> bool:
    """Every part has lived long enough to tell, and is flat in memory and descriptors."""
    slopes = [one[key] for one in parts.values() for key in ("megabytes_per_hour", "descriptors_per_hour")]
    return all(one is not None and one["flat"] for one in slopes)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tradebot.testing.soak")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=50_000.0, help="market facts a second")
    parser.add_argument("--every", type=float, default=30.0, metavar="SECONDS", help="between two kills")
    parser.add_argument("--samples", type=Path, metavar="FILE", help="write what was read of each process there, as JSON")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="soak-"))
    found = soak(place, words.minutes * 60, words.rate, words.every, words.seed, words.samples)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    is_good = not found["lost"] and not found["doubled"] and found["ledger_equal"] and found["replay_identical"]
    if is_good:
        shutil.rmtree(place)
    else:
        sys.stderr.write(f"what was found is in {place}: its journals say what happened\n")
    return 0 if is_good and found["flat"] else 1


if __name__ == "__main__":
    sys.exit(main())
