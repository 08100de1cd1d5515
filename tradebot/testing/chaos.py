"""`chaos`: a node of real processes whose parts are killed at seeded moments, and a judge who reads what is left.

SIGKILL falls on engine, gateway, venue, feed, store, the zygote and on the root, which is started again as systemd would; now and
then a part is stopped by SIGSTOP and goes on later, perhaps after its lease, when another has taken its place, or a second dies
while the first is not back. Where parts live together, whoever is struck takes the others and their supervisor along. What is
chosen, and when, comes from one seed; what the machine makes of it does not, so a seed does not do the same again: the journals
that a bad run leaves behind say what happened.

At the end the root is held and the feed holds still, so that nothing new comes; trading is halted and every order cancelled; when
all is quiet the root is killed, its children end with it, and the judge reads (`chaos_judge`).
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from tradebot.actors.mailbox import ask
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import EXIT_FAILED, LocalError, TimedOut
from tradebot.node.session_files import ENGINE, FEED, GATEWAY, STORE, VENUE, ipc_folder
from tradebot.node.tree_shape import Shape, shape_of
from tradebot.store import synthetic
from tradebot.store.client import open_store
from tradebot.testing.chaos_judge import Judgement, judge

ZYGOTE: Final = "zygote"
PARTS: Final = (ENGINE, GATEWAY, VENUE, FEED, STORE)
WEIGHTS: Final = {ENGINE: 5, GATEWAY: 5, VENUE: 5, FEED: 2, STORE: 2, ROOT: 2, ZYGOTE: 2}
EVENTS: Final = 20_000
BACK_S: Final = 60.0  # the longest until it trades again
QUIET_S: Final = 30.0
CANCELS_MAX: Final = 10
ASK_S: Final = 1.0
LOOK_S: Final = 0.01
AGAIN_SHARE: Final = 0.2  # of kills that do not wait until the one before is mended
GAVE_UP: Final = b"its parts died more than"
STOP_S: Final = 5.0  # the longest that a part is held; for longer than its lease half of the time

CONFIG: Final = """\
mode = "sandbox"
account = { venue = "synthetic", start = ["100000 USD", "1 BTC"] }
costs = { fees = "account", latency = "5ms" }
risk = { price_band = "5%" }

[node]
place = "apart"
speed = 10.0
rounds = 0
sync = "none"
segment_mb = 4
snapshot_facts = 20000
on_stop = "keep"
lease = "2s"

[[strategy]]
use = "tradebot.testing.hurried:Hurried"
name = "hurried"
instruments = ["BTC/USD"]
params = { seed = SEED, eager = 0.6 }

[[strategy]]
use = "tradebot.strategies.maker:InventoryMaker"
name = "maker"
instruments = ["BTC/USD"]
"""

Advance = Callable[[int], None]


class Wish(Struct, frozen=True, kw_only=True):
    """What is to be done to a node. `pause_s` is the longest between its mending and the next kill; `place` is `node.place`."""

    kills: int
    stops: int
    seed: int
    pause_s: float = 1.0
    place: str = "apart"


class Verdict(Struct, frozen=True, kw_only=True):
    """What came of it; `recovery_ms` are times from a SIGKILL to trading again, sorted. `gave_up`: how often the root ended
    because more died within its period than it restarts, and was started again from outside, as systemd would.
    """

    kills: int
    faults: int
    gave_up: int
    recovery_ms: list[float]
    judgement: Judgement

    def answer(self) -> dict[str, Any]:
        """The keys of CLI.md."""
        found = self.judgement
        return {
            "kills": self.kills,
            "faults": self.faults,
            "gave_up": self.gave_up,
            "orders": found.orders,
            "lost": found.lost,
            "doubled": found.doubled,
            "unknown_left": found.unknown_left,
            "ledger_equal": found.ledger_equal,
            "replay_identical": found.replay_identical,
            "facts_equal": found.facts_equal,
            "recovery_ms_p50": percentile(self.recovery_ms, 0.5),
            "recovery_ms_p99": percentile(self.recovery_ms, 0.99),
        }


def percentile(sorted_values: list[float], share: float) -> float | None:
    """The smallest value that at least this share does not exceed."""
    if not sorted_values:
        return None
    return round(sorted_values[max(0, -int(-share * len(sorted_values) // 1) - 1)], 1)


class Node:
    """A node that is started and killed from outside, as a user's would be."""

    def __init__(self, place: Path, config: str, shape: Shape | None = None) -> None:
        self.place, self.home = place, place / "home"
        self.shape = shape or shape_of("apart")
        self.gave_up = 0
        self.config = place / "node.toml"
        self.config.write_text(config)
        self.folder = Path()
        self.root: subprocess.Popen[bytes] | None = None
        self.errors = (place / "root.log").open("ab")

    def start(self, *more: str) -> None:
        words = ["-m", "tradebot", "--home", str(self.home), "--json", "run", "-c", str(self.config)]
        self.root = subprocess.Popen([sys.executable, *words, *more], stdout=self.errors, stderr=self.errors)

    def find(self) -> None:
        """Wait for the run's folder."""
        until = time.monotonic() + BACK_S
        while time.monotonic() < until:
            with contextlib.suppress(FileNotFoundError):
                self.folder = self.home / "journal" / (self.home / "journal" / "current").read_text().strip()
                return
            time.sleep(LOOK_S)
        raise TimedOut(f"expected a node that starts within {BACK_S:g} s, found none: see {self.errors.name}")

    def pids(self, name: str) -> list[int]:
        """The processes that a part lives in; also those of the root and of its zygote."""
        assert self.root is not None
        if name == ROOT:
            return [self.root.pid]
        if name == ZYGOTE:
            return list(_zygotes_of(self.root.pid))
        return list(_processes_of(self.shape.process_of(name), self.folder))

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Whether there was such a process."""
        found = False
        for pid in self.pids(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                found = True
        if found and name == ROOT and number == signal.SIGKILL:
            assert self.root is not None
            self.root.wait()
        return found

    def ask(self, name: str, verb: str, **words: str) -> dict[str, Any] | None:
        found = ask(ipc_folder(self.folder), f"{name}.desk", msgspec.json.encode({"verb": verb, **words}), ASK_S)
        return None if found is None else msgspec.json.decode(found, type=dict[str, Any])

    def is_trading(self) -> bool:
        """Every part that trading needs answers, the gateway hears this start of the venue, and no order is unknown."""
        found = {name: self.ask(name, "status") for name in (ENGINE, GATEWAY, VENUE, FEED)}
        engine, gateway, venue = found[ENGINE], found[GATEWAY], found[VENUE]
        if engine is None or gateway is None or venue is None or found[FEED] is None:
            return False
        is_heard = gateway["is_subscribed"] and gateway["stream"] == venue["stream"]
        return bool(engine["has_gateway"] and is_heard and gateway["lease"] == engine["epoch"] and not gateway["unknown"])

    def wait_trading(self) -> None:
        """Raises LocalError where the root ended, TimedOut."""
        until = time.monotonic() + BACK_S
        while not self.is_trading():
            self.revive()
            if time.monotonic() > until:
                raise TimedOut(f"expected to trade again within {BACK_S:g} s, found none: see {self.place}")
            time.sleep(LOOK_S)

    def revive(self) -> None:
        """Start the root again where it gave up its parts, which is right when more die than it restarts. Raises LocalError where
        it ended for another reason.
        """
        assert self.root is not None
        if self.root.poll() is None:
            return
        last = Path(self.errors.name).read_bytes().rpartition(b"\ntradebot: ")[2]
        if self.root.returncode != EXIT_FAILED or GAVE_UP not in last:
            raise LocalError(f"expected a root that runs, found that it ended with {self.root.returncode}: see {self.place}")
        self.gave_up += 1
        self.start()

    def settle(self) -> None:
        """Nothing new comes, nothing is open, and nobody is left."""
        self.signal(ROOT, signal.SIGSTOP)  # so that nobody starts anything again
        self.ask(FEED, "hold")
        self.ask(ENGINE, "state", state="HALTED", who="chaos", why="the end")
        for count in range(CANCELS_MAX):
            act = "CANCEL_ALL" if count < CANCELS_MAX // 2 else "FLATTEN"
            self.ask(ENGINE, "act", act=act, who="chaos", why="the end")
            self.wait_quiet()
            if not (self.ask(ENGINE, "orders") or {"orders": True})["orders"]:
                break  # a cancel that came too late may have left a position bare, which is guarded again
        self.end()

    def wait_quiet(self) -> None:
        until = time.monotonic() + QUIET_S
        while time.monotonic() < until:
            engine, gateway = self.ask(ENGINE, "status"), self.ask(GATEWAY, "status")
            is_quiet = engine and gateway and not engine["commands_waiting"] and not gateway["answers_waiting"]
            if is_quiet and gateway and engine and gateway["orders"] == engine["orders_open"]:
                return
            time.sleep(LOOK_S)

    def end(self) -> None:
        """Kill the root; its children end by themselves. Raises TimedOut where one does not."""
        self.signal(ROOT, signal.SIGKILL)
        until = time.monotonic() + BACK_S
        while left := [pid for name in PARTS for pid in self.pids(name)]:
            if time.monotonic() > until:
                raise TimedOut(f"expected children that end with their root, found {left} alive")
            time.sleep(LOOK_S)

    def close(self) -> None:
        """Leave nobody behind, whatever happened."""
        self.errors.close()
        if self.root is None:
            return
        self.root.kill()
        self.root.wait()
        for name in PARTS:
            self.signal(name, signal.SIGKILL)


def _processes_of(name: str, folder: Path) -> Iterator[int]:
    """The processes that run a part of the run in `folder`."""
    words = b"\0".join([b"tradebot.node.part_main", name.encode(), os.fsencode(folder)])
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words in path.read_bytes():
                yield int(path.parent.name)


def _zygotes_of(root: int) -> Iterator[int]:
    """Children of a root that fork others. A fork bears their words too, until it has its own; it leads no group then."""
    with contextlib.suppress(OSError):
        for word in Path(f"/proc/{root}/task/{root}/children").read_text().split():
            is_one = b"tradebot.actors.zygote_main" in Path(f"/proc/{word}/cmdline").read_bytes()
            if is_one and os.getpgid(int(word)) == int(word):
                yield int(word)


class Chaos:
    """The kills of one run."""

    def __init__(self, node: Node, wish: Wish) -> None:
        self.node, self.wish = node, wish
        self.chance = random.Random(wish.seed)
        self.recovery_ms: list[float] = []
        self.kills = self.stops = 0

    def run(self, advance: Advance) -> Verdict:
        self.node.start()
        self.node.find()
        self.node.wait_trading()
        while self.kills < self.wish.kills or self.stops < self.wish.stops:
            time.sleep(self.chance.uniform(0, self.wish.pause_s))
            self.strike(advance)
        self.node.settle()
        judgement = judge(self.node.folder)
        return Verdict(
            kills=self.kills, faults=self.stops, gave_up=self.node.gave_up, recovery_ms=sorted(self.recovery_ms),
            judgement=judgement,
        )  # fmt: skip

    def strike(self, advance: Advance) -> None:
        """Stop a part for a while or kill one, sometimes more than one, and wait until it trades again."""
        left = self.wish.kills - self.kills
        is_stop = self.stops < self.wish.stops and self.chance.random() < (self.wish.stops - self.stops) / (
            left + self.wish.stops - self.stops
        )
        if is_stop:
            self.hold()
            self.node.wait_trading()
            return
        killed = self.kill(advance)
        while self.kills < self.wish.kills and self.chance.random() < AGAIN_SHARE:
            time.sleep(self.chance.uniform(0, 0.4))
            killed = self.kill(advance) or killed
        self.node.wait_trading()
        self.recovery_ms.append((time.monotonic() - killed) * 1e3)

    def kill(self, advance: Advance) -> float:
        """Kill a part at this moment; when that was. One that is not there yet is waited for."""
        name = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        while not self.node.signal(name, signal.SIGKILL):
            if name == ZYGOTE:
                break  # the one before was killed, and nothing has had to be forked since
            self.node.revive()
            time.sleep(LOOK_S)
        killed = time.monotonic()
        if name == ROOT:
            self.node.start()
        self.kills += 1
        advance(1)
        return killed

    def hold(self) -> None:
        """A part stands still, and goes on as if nothing had been."""
        name = self.chance.choice((*PARTS, ZYGOTE))
        self.node.signal(name, signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.1, STOP_S))
        self.node.signal(name, signal.SIGCONT)
        self.stops += 1


def run(wish: Wish, place: Path, advance: Advance) -> Verdict:
    """Run a node in the folder `place` and strike it. Raises TimedOut, LocalError where it does not come back."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (place / "home" / "journal").exists():
        raise LocalError(f"expected a folder without a node, found one in {place}; name another")
    with open_store(place / "home" / "data") as store:
        store.import_records(synthetic.INSTRUMENT, *synthetic.open_source(events=EVENTS))
    config = CONFIG.replace("SEED", str(wish.seed)).replace('place = "apart"', f'place = "{wish.place}"')
    node = Node(place, config, shape_of(wish.place))
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return Chaos(node, wish).run(advance)
    finally:
        node.close()
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> None:
    """Told to end, it ends its node too, as at Ctrl-C."""
    raise KeyboardInterrupt
