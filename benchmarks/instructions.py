"""Instructions an operation takes, counted by callgrind and held against `baseline.json`.

Times of a shared machine drift by tens of percent; the count of instructions of a fixed piece of work does not. Each workload
runs twice in a process of its own, over N and over 2N operations with everything else alike, and the difference over N is
the cost of one. A rise of more than 3% fails and names the operation; a fall is told, and kept by `make bench-baseline`.

Counts belong to what was built by one compiler and run by one interpreter. The baseline names both; under another the
comparison is printed and fails nothing. Cache misses and wrong guesses of the processor are absent: a count that
stays equal is no proof that the time does.

Run: python -m benchmarks.instructions check | baseline
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.workloads import WORKLOADS

RISE_MAX: Final = 0.03
ROOT: Final = Path(__file__).parents[1]
BASELINE: Final = Path(__file__).with_name("baseline.json")
COLLECTED: Final = re.compile(r"Collected : (\d+)")
COMPILER: Final = re.compile(rb"GCC: \([^)]*\) [\d.]+|clang version [\d.]+")
TIMEOUT_S: Final = 600


class Change(NamedTuple):
    """One operation now and in the baseline; None where one of both does not know it."""

    name: str
    now: float | None
    before: float | None

    @property
    def ratio(self) -> float | None:
        return self.now / self.before if self.now is not None and self.before else None

    @property
    def fails(self) -> bool:
        return self.ratio is None or self.ratio > 1 + RISE_MAX

    def __str__(self) -> str:
        if self.ratio is None:
            known, unknown = ("counted", "in the baseline") if self.before is None else ("in the baseline", "a workload")
            return f"{self.name}: {known} but not {unknown}; make bench-baseline writes it anew"
        verdict = "ROSE" if self.fails else "fell" if self.ratio < 1 - RISE_MAX else "same"
        return f"{self.name}: {self.now:,.1f} instructions, baseline {self.before:,.1f} ({self.ratio - 1:+.2%}) {verdict}"


def count_all(names: Iterable[str] = WORKLOADS) -> dict[str, float]:
    """Instructions an operation, by name; as many at once as there are cores, for a count does not mind its neighbours."""
    wanted = list(names)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(wanted, pool.map(count_one, wanted), strict=True))


def count_one(name: str, count: int | None = None) -> float:
    """Instructions of one operation of a workload, over `count` of them (default: the workload's own)."""
    count = count or WORKLOADS[name].count
    once, twice = (collected(name, part, 2 * count) for part in (count, 2 * count))
    return (twice - once) / count


def collected(name: str, count: int, count_max: int) -> int:
    """All instructions of one process that prepares `count_max` operations and does `count` of them."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}"]
    command += [sys.executable, "-m", "benchmarks.workloads", name, str(count), str(count_max)]
    run = partial(subprocess.run, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S)
    said = run(command, check=False)
    found = COLLECTED.search(said.stderr)
    if said.returncode or not found:
        sys.exit(f"{name}: expected a count from callgrind, found exit {said.returncode}: {said.stderr[-500:]}")
    return int(found[1])


def environment() -> dict[str, str]:
    """The same for every count, whatever the caller's holds: hashes, threads, locale and where sources are."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "LC_ALL": "C",
    }


def machine() -> dict[str, str]:
    """What a count depends on besides our sources."""
    import numpy

    return {
        "compiler": compiler_of(next((ROOT / "tradebot" / "_core").glob("kernel.*.so")).read_bytes()),
        "python": sys.version.replace("\n", " "),
        "numpy": numpy.__version__,
        "architecture": platform.machine(),
    }


def compiler_of(module: bytes) -> str:
    """Who compiled a module, by the note that compilers leave in it."""
    found = COMPILER.search(module)
    return found[0].decode() if found else "unknown"


def compare(now: Mapping[str, float], before: Mapping[str, float]) -> list[Change]:
    return [Change(name, now.get(name), before.get(name)) for name in sorted(now.keys() | before.keys())]


def check(now: Mapping[str, float], machine_now: Mapping[str, str], baseline: Mapping[str, Mapping[str, object]]) -> int:
    """Print the comparison; 1 where an operation rose and the baseline is of this compiler and interpreter, else 0."""
    changes = compare(now, baseline["instructions"])  # type: ignore[arg-type]
    for change in changes:
        print(change)
    others = [f"{key} {value}" for key, value in baseline["machine"].items() if machine_now.get(key) != value]
    failed = [change.name for change in changes if change.fails]
    if others:
        print(f"warning: the baseline is of another machine ({'; '.join(others)}), so nothing fails")
    elif failed:
        print(f"failed: {'; '.join(failed)}: more than {RISE_MAX:.0%} above {BASELINE.name}, or in one of both only")
    return int(bool(failed) and not others)


def main() -> int:
    verb = sys.argv[1] if len(sys.argv) > 1 else "check"
    if not shutil.which("valgrind"):
        print("skipped: expected valgrind on the path, found none; install it to count instructions")
        return 0
    now = count_all()
    if verb == "baseline":
        kept = {"machine": machine(), "instructions": {name: round(value, 2) for name, value in now.items()}}
        BASELINE.write_text(json.dumps(kept, indent=2) + "\n")
        print(f"{BASELINE.name}: {len(now)} operations written")
        return 0
    return check(now, machine(), json.loads(BASELINE.read_text()))


if __name__ == "__main__":
    sys.exit(main())
