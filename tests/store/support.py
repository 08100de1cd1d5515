"""Records, sources and child processes for the tests of the store."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE
from tradebot.domain.instrument import Instrument
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import spot_instrument

Records = npt.NDArray[np.void]

FIRST = spot_instrument("AAA/USD@venue", tick="0.01", lot="0.001")
SECOND = spot_instrument("BBB/USD@venue", tick="0.5", lot="1")

ROOT = Path(__file__).parents[2]

HOLD = """
import sys
from pathlib import Path
from tradebot.store.client import open_store
with open_store(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


def random_records(instrument: Instrument, count: int, seed: int = 1, step_ns: int = 3) -> Records:
    """Records with random bits in every slot and times that rise by 0 to `step_ns` - 1."""
    chance = np.random.default_rng(seed)
    records = np.frombuffer(chance.bytes(count * RECORD_DTYPE.itemsize), RECORD_DTYPE).copy()
    records["time_ns"] = 1_700_000_000_000_000_000 + np.cumsum(chance.integers(0, step_ns, count))
    records["instrument"] = instrument.id
    return records


def source(content: str = "content") -> ImportSource:
    return ImportSource("test", 1, content, "nowhere")


def python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    """A fresh interpreter that runs the code; the embedded engine cannot be forked."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def line_of(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def numbers_of(child: "subprocess.Popen[str]") -> list[int]:
    """What a child that ends well has printed, a number a line."""
    output, _ = child.communicate()
    assert child.returncode == 0
    return [int(line) for line in output.split()]


def kill(child: "subprocess.Popen[str]") -> None:
    child.kill()
    child.communicate()


def joined(batches: Any) -> Records:
    return np.concatenate([np.empty(0, RECORD_DTYPE), *batches])
