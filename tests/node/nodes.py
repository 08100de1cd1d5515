"""A node of real processes in a folder of a test's own, with a strategy that can be edited, and the command line on its home."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tradebot.actors.watching import ROOT
from tradebot.cli.main import main
from tradebot.domain.errors import EXIT_DONE
from tradebot.engine.session import note_of
from tradebot.node.facts import frames_of
from tradebot.node.session_files import ENGINE, read_prepared
from tradebot.testing.chaos import PARTS, Node
from tradebot.testing.chaos_judge import read_venue

WAIT_S: Final = 20.0

CONFIG: Final = """\
mode = "sandbox"
account = { venue = "synthetic", start = ["100000 USD", "1 BTC"] }
costs = { fees = "account", latency = "2ms" }
node = { speed = 20.0, sync = "none", segment_mb = 1, snapshot_facts = 1000 }

[[strategy]]
use = "FILE:Resting"
name = "resting"
instruments = ["BTC/USD"]
"""

RESTING: Final = '''
from msgspec import Struct
from tradebot.strategies.strategy import Strategy


class Resting(Strategy):
    """Buys once, guarded, and rests one entry far away."""

    class State(Struct):
        is_done: bool = False

    def on_trade(self, trade):
        if not self.state.is_done and self.book.spread > 0:
            self.state.is_done = True
            self.buy(0.01, stop_loss=self.book.bid - 3_000)
            self.buy(0.02, price=self.book.bid - 3_000)
'''


class Place:
    """A node in a folder of its own, with the command line on its home."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.strategy = folder / "resting.py"
        self.strategy.write_text(RESTING)
        self.node = Node(folder, CONFIG.replace("FILE", str(self.strategy)))

    def start(self, *words: str) -> str:
        """Start the node and wait until it trades; the run's id."""
        said = len(self.events())
        self.node.start(*words)
        self.wait(lambda: len(self.events()) > said)
        self.node.find()
        self.node.wait_trading()
        self.wait(lambda: "ready" in [one["event"] for one in self.events()[said:]])
        return self.node.folder.name

    def call(self, code: int, *words: str) -> dict[str, Any]:
        """A verb on the home, which must end with `code`; its answer."""
        self.capsys.readouterr()
        found = main(["--home", str(self.node.home), "--json", *words])
        said = self.capsys.readouterr()
        assert found == code, said
        return dict(json.loads(said.out)) if code == EXIT_DONE else {"error": said.err}

    def ask(self, *words: str) -> dict[str, Any]:
        return self.call(EXIT_DONE, *words)

    def start_refused(self, code: int, *words: str) -> str:
        """A start that must end by itself with `code`; what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "tradebot", "--home", str(self.node.home), "run", "-c", str(self.node.config), *words],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done
        assert done.stdout == "" and done.stderr.count("\n") == 1, done
        return done.stderr

    def events(self) -> list[dict[str, Any]]:
        """What the root said."""
        lines = (self.folder / "root.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait(self, is_so: Callable[[], Any]) -> None:
        until = time.monotonic() + WAIT_S
        while not is_so():
            assert time.monotonic() < until, "it did not come about"
            time.sleep(0.02)

    def wait_orders(self, count: int) -> list[dict[str, Any]]:
        self.wait(lambda: len(self.ask("orders")["orders"]) == count)
        return list(self.ask("orders")["orders"])

    def stop(self) -> int:
        """End it as systemd would; the exit code of the root."""
        assert self.node.root is not None
        self.node.signal(ROOT, signal.SIGTERM)
        return self.node.root.wait(30)

    def alive(self) -> list[int]:
        return [pid for name in PARTS for pid in self.node.pids(name)]

    def open_at_venue(self) -> list[Any]:
        """The orders that are open by the venue's own journal, of a node that has ended."""
        return [one for one in read_venue(self.node.folder, read_prepared(self.node.folder)).all_orders() if one.is_open]

    def controls(self) -> list[tuple[str, str]]:
        """Who did what, and why; without what the comparison of the books does by itself."""
        notes = [note_of(frame) for frame in frames_of(self.node.folder / ENGINE) if frame.body and frame.facts_count]
        return [(one.who, one.why) for one in notes if one.who not in ("", "reconcile")]
