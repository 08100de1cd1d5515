"""What others take for the same stream: their programs, in environments of their own, on one core, beside ours.

A peer is never imported and never a dependency of ours: it runs by the interpreter that an environment variable names, or by the
one that `make peers` made under `.peers`. Where there is neither, the peer is skipped with a message that says how to get it.
The programs are those of `yardsticks/`, kept as they came; this file only feeds them the stream and reads the
lines of JSON that they print. Each line becomes a `Figure` with the peer's version in it, for a ratio means nothing without.

A ratio is only fair in one run: measure ours right before or after, pinned alike (`pinned`).

Run: python -m benchmarks.peers [operations] [peer ...]
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.l3_book import YARDSTICKS, make_stream

FULL: Final = 5_000_000
ENVIRONMENTS: Final = Path(__file__).parents[1] / ".peers"
TIMEOUT_S: Final = 3600
CORE: Final = "0"


class Run(NamedTuple):
    """One start of a peer's program. `{data}` in an argument is the stream as hftbacktest's file; the folder is the stream's."""

    script: str
    arguments: tuple[str, ...]


class Peer(NamedTuple):
    """A program of others: the variable that names its interpreter, the package it measures, and what to run."""

    name: str
    variable: str
    package: str
    runs: tuple[Run, ...]


class Figure(NamedTuple):
    """One line of a peer. `speed` is events a second where it counts events, else None; `raw` is all that it said."""

    peer: str
    version: str
    what: str
    speed: float | None
    raw: dict[str, Any]

    def __str__(self) -> str:
        speed = "" if self.speed is None else f" {self.speed / 1e6:.3f} M events/s;"
        rest = ", ".join(f"{key} {value}" for key, value in self.raw.items() if key not in ("evps_med", "run_evps_med"))
        return f"{self.peer} {self.version}, {self.what}:{speed} {rest}"


class PeerFailed(Exception):
    """A peer's program ended badly; the message has its last line."""


# The second generation's `mm` has a copy of the whole book made at each event; `mmown` keeps a book of its own and is its best.
PEERS: Final = {
    peer.name: peer
    for peer in (
        Peer("hftbacktest", "TRADEBOT_PEER_HFTBACKTEST", "hftbacktest", (Run("hftbacktest_peer.py", ("roi", "{data}")),)),
        Peer(
            "nautilus_v1",
            "TRADEBOT_PEER_NAUTILUS",
            "nautilus_trader",
            (
                Run("nautilus_peer_v1.py", ("delta", "empty", "5", "1000000", ".")),
                Run("nautilus_peer_v1.py", ("delta", "mm", "5", "1000000", ".")),
            ),
        ),
        Peer(
            "nautilus_v2",
            "TRADEBOT_PEER_NAUTILUS_V2",
            "nautilus_trader",
            (
                Run("nautilus_peer_v2.py", ("delta", "empty", "5", "1000000", ".")),
                Run("nautilus_peer_v2.py", ("delta", "mmown", "5", "1000000", ".")),
                Run("nautilus_orders_v2.py", ("20000", "market,buyonly,mklimit,restcancel")),
            ),
        ),
    )
}


def find_python(peer: Peer) -> Path | None:
    """The interpreter that can run a peer, or None: the named one first, then the one of `make peers`."""
    named = os.environ.get(peer.variable)
    python = Path(named) if named else ENVIRONMENTS / peer.name / "bin" / "python"
    return python if python.is_file() else None


def why_absent(peer: Peer) -> str:
    return f"{peer.name}: skipped, expected its Python in {peer.variable} or from `make peers`, found none"


def measure(peer: Peer, folder: Path) -> list[Figure]:
    """All figures of a peer over the stream in `folder`; it must have a Python. Raises PeerFailed."""
    python = find_python(peer)
    assert python is not None, why_absent(peer)
    version = find_version(python, peer.package)
    return [figure for run in peer.runs for figure in measure_run(peer, python, version, run, folder)]


def measure_run(peer: Peer, python: Path, version: str, run: Run, folder: Path) -> list[Figure]:
    """The figures of one start of a peer's program."""
    arguments = [str(make_data(folder)) if argument == "{data}" else argument for argument in run.arguments]
    text = output_of([*pinned(), str(python), "-W", "ignore", str(YARDSTICKS / run.script), *arguments], folder)
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [Figure(peer.name, version, _what(row), row.get("evps_med", row.get("run_evps_med")), row) for row in rows]


def find_version(python: Path, package: str) -> str:
    """The installed version and the Python it runs on, without importing the package."""
    code = f"import importlib.metadata as m, platform as p; print(m.version({package!r}), p.python_version())"
    number, interpreter = output_of([str(python), "-c", code], Path.cwd()).split()
    return f"{number} (Python {interpreter})"


def make_data(folder: Path) -> Path:
    """The L2 stream of a folder as hftbacktest's event file, made once."""
    data = folder / "data.npz"
    if not data.is_file():
        half = folder / "data.part.npz"
        output_of([sys.executable, str(YARDSTICKS / "to_hftbacktest.py"), str(folder / "l2.npy"), str(half)], folder)
        half.replace(data)
    return data


def pinned() -> Sequence[str]:
    """What to put before a command so that it stays on one core; nothing where that cannot be asked for."""
    return ("taskset", "-c", CORE) if shutil.which("taskset") else ()


def output_of(command: Sequence[str], folder: Path) -> str:
    """What a program prints, run in a folder. Raises PeerFailed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise PeerFailed(f"{' '.join(command[-6:])}: expected exit 0, found {done.returncode}: {last}")
    return done.stdout


def _what(row: dict[str, Any]) -> str:
    """The name that a line gives its work: hftbacktest's `w`, or nautilus' kind and strategy."""
    return str(row["w"]) if "w" in row else " ".join(str(row[key]) for key in ("kind", "strat") if key in row) or "machine"


def main() -> int:
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else FULL
    wanted = [PEERS[name] for name in sys.argv[2:]] or list(PEERS.values())
    failed = 0
    for peer in wanted:
        if find_python(peer) is None:
            print(why_absent(peer))
            continue
        try:
            for figure in measure(peer, make_stream(operations)):
                print(figure, flush=True)
        except PeerFailed as error:
            failed = 1
            print(f"{peer.name}: failed: {error}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
