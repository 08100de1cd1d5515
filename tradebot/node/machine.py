"""What `doctor` looks at: is this machine fit? Each check says what it measured, whether it passed or not.

A check never raises: what it meets is its detail. The network is left alone unless it is asked for, so that a
machine without one passes.
"""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from tradebot.node.home import FOLDERS
from tradebot.node.progress import Progress

PYTHON_MIN: Final = (3, 11)
FILES_MIN: Final = 256  # open at once: the embedded engine keeps one per part and column
DISK_FREE_MIN: Final = 1 << 30
MEMORY_MIN: Final = 1 << 30
CLOCK_RESOLUTION_MAX_S: Final = 1e-6
TIME_MIN_S: Final = 1_704_067_200  # 2024-01-01: a clock before it was never set
TIME_MAX_S: Final = 4_102_444_800  # 2100-01-01
NETWORK_TIMEOUT_S: Final = 30


class Check(NamedTuple):
    """One row: `detail` says what was found, and where it failed what to do."""

    name: str
    ok: bool
    detail: str


Found = tuple[bool, str]


def check_machine(home: Path, network: bool, progress: Progress) -> Iterator[Check]:
    """Run every check, in an order in which the first failure explains the later ones."""
    checks: list[tuple[str, Callable[[], Found]]] = [
        ("python", _check_python),
        ("compiled modules", _check_modules),
        ("records", _check_records),
        ("store", _check_store),
        ("clock", _check_clock),
        ("open files", _check_open_files),
        ("disk", lambda: _check_disk(home)),
        ("memory", _check_memory),
        ("home", lambda: _check_home(home)),
        ("package index", lambda: _check_index(network)),
        ("venues", _check_venues),
    ]
    progress.start("checking", len(checks))
    for name, check in checks:
        yield _checked(name, check)
        progress.advance(1)
    progress.done()


def _checked(name: str, check: Callable[[], Found]) -> Check:
    try:
        ok, detail = check()
    except Exception as error:  # whatever goes wrong here is the finding
        ok, detail = False, f"{type(error).__name__}: {error}"
    return Check(name, ok, " ".join(detail.split()))


def _check_python() -> Found:
    found = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info[:2] >= PYTHON_MIN
    return (
        ok,
        f"{found} on {sys.platform}"
        if ok
        else f"expected 3.11 or newer, found {found}: install a newer Python",
    )


def _check_modules() -> Found:
    """Each module that has a stub beside it must be there compiled, and each that is there must import."""
    folder = Path(import_module("tradebot._core").__path__[0])
    compiled = {
        path.name.partition(".")[0] for suffix in EXTENSION_SUFFIXES for path in folder.glob(f"*{suffix}")
    }
    missing = sorted({path.stem for path in folder.glob("*.pyi")} - {"__init__"} - compiled)
    if missing or not compiled:
        found = ", ".join(missing) or "any"
        return False, f"expected compiled modules, found none for {found}: run `make install`"
    for name in sorted(compiled):
        import_module(f"tradebot._core.{name}")
    return True, f"{len(compiled)} import: {', '.join(sorted(compiled))}"


def _check_records() -> Found:
    from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE

    sizes = (RECORD_DTYPE.itemsize, FACT_DTYPE.itemsize)
    ok = sizes == (64, 128) and sys.byteorder == "little"
    return ok, f"market fact {sizes[0]} bytes, command {sizes[1]} bytes, {sys.byteorder} endian"


def _check_store() -> Found:
    from tradebot.node.ticks import round_trip

    with TemporaryDirectory(prefix="tradebot-doctor-") as folder:
        started = time.monotonic()
        rows = round_trip(Path(folder))
        taken_s = time.monotonic() - started
    return True, f"the embedded engine wrote and read {rows} records, {taken_s:.1f} s with its start"


def _check_clock() -> Found:
    steady = time.get_clock_info("monotonic")
    first, second = time.monotonic_ns(), time.monotonic_ns()
    if not steady.monotonic or second < first or steady.resolution > CLOCK_RESOLUTION_MAX_S:
        return False, f"expected a steady clock of 1 us or finer, found {steady.resolution * 1e9:.0f} ns"
    now_s = time.time()
    if not TIME_MIN_S <= now_s <= TIME_MAX_S:
        year = time.gmtime(now_s).tm_year
        return False, f"expected a wall clock between 2024 and 2100, found {year}: set the clock"
    utc = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s))
    return True, f"monotonic to {steady.resolution * 1e9:.0f} ns; the wall clock says {utc}"


def _check_open_files() -> Found:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES_MIN:
        return False, f"expected {FILES_MIN}, found {soft}: run `ulimit -n 4096`"
    return True, f"{soft} allowed (hard {hard})"


def _check_disk(home: Path) -> Found:
    place = next(path for path in (home.absolute(), *home.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < DISK_FREE_MIN:
        return False, f"expected 1 GB, found {_gigabytes(free)} free for the home: choose another --home"
    return True, f"{_gigabytes(free)} free for the home"


def _check_memory() -> Found:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return total >= MEMORY_MIN, f"{_gigabytes(total)}, {os.cpu_count()} processors"


def _check_home(home: Path) -> Found:
    if not home.exists():
        return True, f"{home} is not made yet; it will be for you alone (0700)"
    if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
        return False, f"expected a folder we may write at {home}, found none: choose another --home"
    folders = [home, *(home / name for name in FOLDERS if (home / name).exists())]
    open_to_others = [str(path) for path in folders if path.stat().st_mode & 0o077]
    if open_to_others:
        return False, f"expected mode 0700, found others let in: run `chmod 700 {' '.join(open_to_others)}`"
    return True, f"{home} is for you alone (0700)"


def _check_index(network: bool) -> Found:
    """With the user's own pip settings: that is the way the sample comes."""
    if not network:
        return True, "not checked; --network asks"
    from subprocess import TimeoutExpired, run

    from tradebot.store.sample import REQUIREMENT

    with TemporaryDirectory(prefix="tradebot-doctor-") as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            folder,
            REQUIREMENT,
        ]
        try:
            done = run(command, capture_output=True, text=True, timeout=NETWORK_TIMEOUT_S, check=False)
        except TimeoutExpired:
            return False, f"expected an answer within {NETWORK_TIMEOUT_S} s, found none: check the network"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        return False, f"expected {REQUIREMENT} from the package index, found: {last}: check pip's settings"
    return True, "in reach, the sample is there"


def _check_venues() -> Found:
    if find_spec("ccxt") is None:
        return True, "not installed: pip install tradebot[live] brings live venues"
    return True, "ccxt is installed; no venue is asked until one is configured"


def _gigabytes(count: int) -> str:
    return f"{count / (1 << 30):.1f} GB"
