"""No part outlives its root, whatever it is at when that is killed; and one that did all the same is ended by the next start.

A part is stopped, or a strategy of the engine spins, in Python or in C where it holds the interpreter's lock; then the root is
killed.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.nodes import RESTING, Place
from tradebot.actors.watching import ROOT
from tradebot.node.orphans import end_orphans
from tradebot.node.session_files import ENGINE, STORE
from tradebot.node.tree_shape import shape_of
from tradebot.testing.chaos import PARTS, ZYGOTE

GONE_S = 1.0
SPINS = {"python": "while True: pass", "c": "sum(itertools.repeat(1))"}


def spinning(place: Place, how: str) -> str:
    """The strategy, which spins once a file is there and says so by another."""
    wanted, said = str(place.folder / "spin"), str(place.folder / "spins")
    body = f"        if Path({wanted!r}).exists():\n            Path({said!r}).touch()\n"
    head = "    def on_trade(self, trade):\n"
    return "import itertools\nfrom pathlib import Path\n" + RESTING.replace(head, f"{head}{body}            {SPINS[how]}\n")


def kill_root(place: Place) -> None:
    """What it leaves behind would be there a second later."""
    place.node.signal(ROOT, signal.SIGKILL)
    until = time.monotonic() + GONE_S
    while left := place.alive():
        assert time.monotonic() < until, f"{left} outlived their root"
        time.sleep(0.01)


@pytest.mark.parametrize("how", SPINS)
def test_an_engine_that_spins_is_killed_with_its_root(place: Place, how: str) -> None:
    place.strategy.write_text(spinning(place, how))
    place.start()
    (place.folder / "spin").touch()
    place.wait((place.folder / "spins").exists)
    kill_root(place)
    (place.folder / "spin").unlink()
    place.start()
    assert place.stop() == 0


@pytest.mark.parametrize("shape", ["apart", "together"])
def test_parts_that_stand_still_are_killed_with_their_root_and_the_next_one_starts(place: Place, shape: str) -> None:
    place.node.config.write_text(place.node.config.read_text().replace("node = {", f'node = {{ place = "{shape}",'))
    place.node.shape = shape_of(shape)
    place.start()
    for name in (ENGINE, STORE):  # one that was forked, one that was not
        assert place.node.signal(name, signal.SIGSTOP)
    kill_root(place)
    place.start()
    assert place.stop() == 0 and place.alive() == []


def test_parts_are_the_roots_own_and_the_end_of_the_zygote_fells_and_hides_none(place: Place) -> None:
    place.start()
    assert place.node.root is not None
    before = {name: place.node.pids(name) for name in PARTS}
    children = children_of(place.node.root.pid)
    assert sorted(children) == sorted(pid for pids in (*before.values(), place.node.pids(ZYGOTE)) for pid in pids)
    place.node.signal(ZYGOTE, signal.SIGKILL)
    place.wait(lambda: place.node.pids(ZYGOTE) == [])
    assert {name: place.node.pids(name) for name in PARTS} == before
    place.node.signal(ENGINE, signal.SIGABRT)
    place.wait(lambda: {"event": "restart", "part": ENGINE, "reason": "signal SIGABRT"}.items() <= place.events()[-1].items())
    place.node.wait_trading()
    assert all(state_of(pid) != "Z" for pid in children_of(place.node.root.pid))
    assert place.stop() == 0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "journal" / "run").mkdir(parents=True)
    return tmp_path / "home"


class Pretenders:
    """Processes with the words of parts."""

    def __init__(self) -> None:
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self, folder: str, below: Path, module: str = "tradebot.node.part_main") -> subprocess.Popen[bytes]:
        """One that shows such words: `folder` as given, in the working folder `below`."""
        shown = ["python", "-m", module, "engine", folder, "--epoch", "1"]
        code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nfrom tradebot.actors.naming import name_process\n"
        code += f"name_process({shown!r})\nprint(flush=True)\nsignal.pause()"
        words = [sys.executable, "-c", code, "-" * 512]
        one = subprocess.Popen(words, cwd=below, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": ":".join(sys.path)})
        self.all.append(one)
        assert one.stdout is not None and one.stdout.readline()
        return one

    def alive(self) -> list[subprocess.Popen[bytes]]:
        return [one for one in self.all if one.poll() is None]


@pytest.fixture
def pretenders() -> Iterator[Pretenders]:
    found = Pretenders()
    yield found
    for one in found.all:
        one.kill()
        one.communicate()


def test_orphans_of_a_home_are_killed_however_they_name_it_and_nobody_else(home: Path, pretenders: Pretenders) -> None:
    """Paths below a working folder mean what they mean there."""
    elsewhere = home.parent / "elsewhere"
    (elsewhere / "home" / "journal" / "run").mkdir(parents=True)
    whole = pretenders.start(str(home / "journal" / "run"), elsewhere)
    whole.send_signal(signal.SIGSTOP)
    below = pretenders.start("home/journal/run", home.parent)
    others = [
        pretenders.start("home/journal/run", elsewhere),
        pretenders.start(str(elsewhere / "home" / "journal" / "run"), home.parent),
        pretenders.start(str(home / "journal" / "run"), home, "tradebot.node.another"),
    ]
    found = end_orphans(home)
    assert sorted(found) == sorted(f"engine (process {one.pid})" for one in (whole, below))
    assert pretenders.alive() == others
    assert [whole.wait(5), below.wait(5)] == [-signal.SIGKILL] * 2
    assert end_orphans(home) == []


def test_a_start_ends_what_an_earlier_root_left_and_says_so_in_one_line(place: Place, pretenders: Pretenders) -> None:
    place.start()
    kill_root(place)
    orphan = pretenders.start(str(place.node.folder), place.folder)
    place.start()
    assert orphan.wait(5) == -signal.SIGKILL
    said = (place.folder / "root.log").read_text().splitlines()
    assert said.count(f"killed what an earlier root had left behind: engine (process {orphan.pid})") == 1
    assert place.stop() == 0


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
