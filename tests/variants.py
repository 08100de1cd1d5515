"""Other builds of the same source, beside the one in place: with bounds checks, and under sanitizers.

Each is a whole copy of the package in `build/NAME/lib`, made by setup.py when a source is newer than it; a child process takes
it by PYTHONPATH. Nothing of it touches the tree. `python -m tests.variants NAME` builds one.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

SANITIZED: Final = ("LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS", "PYTHONMALLOC")  # what a sanitized child is told
ROOT: Final = Path(__file__).parents[1]
SWITCHES: Final = {"debug": "TRADEBOT_DEBUG", "sanitized": "TRADEBOT_SANITIZE"}


def folder(name: str) -> Path:
    return ROOT / "build" / name


def build(name: str) -> None:
    """Make the variant where it is absent or older than a source. Raises CalledProcessError with the compiler's words."""
    if is_current(name):
        return
    place = folder(name)
    command = [sys.executable, "setup.py", "--quiet", "build", "--build-base", str(place), "--build-lib", str(place / "lib")]
    told = os.environ | {SWITCHES[name]: "1", "TRADEBOT_APART": str(place / "c")}
    done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout[-4000:], done.stderr[-4000:])
    (place / "built").touch()


def is_current(name: str) -> bool:
    stamp = folder(name) / "built"
    sources = [ROOT / "setup.py", *(path for path in (ROOT / "tradebot").rglob("*") if path.suffix in (".py", ".pyx", ".pxd"))]
    return stamp.exists() and stamp.stat().st_mtime > max(path.stat().st_mtime for path in sources)


def environment(name: str | None) -> dict[str, str]:
    """The environment of a child that runs a variant, or the build in place for None."""
    path = [str(ROOT)] if name is None else [str(folder(name) / "lib"), str(ROOT)]
    told = os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    if name == "sanitized":
        told |= {
            "LD_PRELOAD": " ".join(runtime(library) for library in ("libasan.so", "libubsan.so")),
            # Python frees little at its end; what it leaves is no leak of ours.
            "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1:abort_on_error=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
            "PYTHONMALLOC": "malloc",  # so that a view beyond an object is seen
        }
    return told


def runtime(library: str) -> str:
    """Where the compiler keeps the library of a sanitizer."""
    told = subprocess.run(["gcc", f"-print-file-name={library}"], capture_output=True, text=True, check=True)
    return told.stdout.strip()


if __name__ == "__main__":
    build(sys.argv[1])
