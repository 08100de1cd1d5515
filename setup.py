"""The one list of compiled modules and the one place of compiler directives.

No `-march=native` and no fast-math, and `-ffp-contract=off`: the same source gives the same bits on every
machine of one architecture, which replay promises. `TRADEBOT_DEBUG=1` builds with bounds checks.
`TRADEBOT_HINTS=1` builds nothing: it translates every module and fails where Cython gives a performance hint; `make check`
sets it.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

MODULES = [
    "types",
    "digest",
    "arena",
    "instrument",
    "queue",
    "book",
    "depth",
    "match",
    "ledger",
    "risk",
    "orders",
    "margin",
    "protection",
    "timers",
    "intervals",
    "bars",
    "indicators",
    "collateral",
    "views",
    "trader",
    "market",
    "wishes",
    "guards",
    "kernel",
    "latency",
    "queue_model",
    "venue",
    "conditional",
    "by_levels",
    "clearing",
    "simulator",
    "merge",
    "columns",
]

DEBUG = os.environ.get("TRADEBOT_DEBUG") == "1"

# -g0: debug tables double the time to compile, and `make debug` is where they are of use.
FLAGS = [
    "-O3",
    "-g" if DEBUG else "-g0",
    "-fno-fast-math", "-ffp-contract=off", "-fwrapv", "-Wno-unused-function", "-Wno-sign-compare",
]

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": DEBUG,
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
    "binding": True,
    "show_performance_hints": True,
}

HERE = Path(__file__).parent


def extension(name: str) -> Extension:
    return Extension(
        f"tradebot._core.{name}",
        [f"tradebot/_core/{name}.pyx"],
        include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=FLAGS,
        depends=[str(p.relative_to(HERE)) for p in sorted((HERE / "tradebot" / "_core").glob("*.pxd"))],
    )


def fail_on_hints() -> None:
    """Translate every module with the directives above; exit 1 with the hints where there are any."""
    options = [text for name, value in DIRECTIVES.items() if name != "language_level" for text in ("-X", f"{name}={value}")]
    sources = [f"tradebot/_core/{name}.pyx" for name in MODULES]
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "cython", "-3", *options, "--output-file", f"{scratch}/", *sources]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode or "performance hint" in said or "warning" in said:
        sys.exit(f"expected no performance hint from Cython, found:\n{said}")


if os.environ.get("TRADEBOT_HINTS") == "1":
    fail_on_hints()
    sys.exit(0)

setup(
    ext_modules=cythonize(
        [extension(name) for name in MODULES],
        compiler_directives=DIRECTIVES,
        nthreads=os.cpu_count() or 1,
    ),
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
