"""The one list of compiled modules and the one place of compiler directives.

No `-march=native` and no fast-math, and `-ffp-contract=off`: the same source gives the same bits on every
machine of one architecture, which replay promises. `TRADEBOT_DEBUG=1` builds with bounds checks, `TRADEBOT_SANITIZE=1` with
them and under address and undefined-behaviour sanitizers; `TRADEBOT_APART=FOLDER` keeps the translated C of such a build
out of the tree, so that it can be made beside the one in place (tests/variants.py does).
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
    "frames",
    "arena",
    "instrument",
    "queue",
    "book",
    "depth",
    "match",
    "exchange",
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
    "compiled",
    "market",
    "wishes",
    "guards",
    "acts",
    "kernel",
    "fold",
    "live",
    "latency",
    "queue_model",
    "venue",
    "conditional",
    "by_levels",
    "by_quotes",
    "by_price",
    "doubts",
    "bar_triggers",
    "by_bars",
    "by_trades",
    "clearing",
    "simulator",
    "merge",
    "columns",
]

# Compiled modules outside of the core: how actors tell each other here and over sockets, and a strategy as users write them.
OTHERS = [
    "tradebot.actors.letters",
    "tradebot.actors.line",
    "tradebot.actors.mail",
    "tradebot.actors.wire",
    "tradebot.testing.compiled_grid",
]

SANITIZE = os.environ.get("TRADEBOT_SANITIZE") == "1"
DEBUG = os.environ.get("TRADEBOT_DEBUG") == "1" or SANITIZE
APART = os.environ.get("TRADEBOT_APART")

# -g0: debug tables double the time to compile, and `make debug` is where they are of use.
FLAGS = [
    "-O3",
    "-g" if DEBUG else "-g0",
    "-fno-fast-math", "-ffp-contract=off", "-fwrapv", "-Wno-unused-function", "-Wno-sign-compare",
]

# The last -O and -g count. -fwrapv above defines what a signed sum does, so the sanitizer is silent about it; shifts, bounds,
# alignment, null and conversions stay looked at. Line tables are what a report needs, and no more.
SANITIZERS = [
    "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-O1", "-g1",
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


def names() -> list[str]:
    return [*(f"tradebot._core.{name}" for name in MODULES), *OTHERS]


def source_of(name: str) -> str:
    return f"{name.replace('.', '/')}.pyx"


def extension(name: str) -> Extension:
    return Extension(
        name,
        [source_of(name)],
        include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=FLAGS + (SANITIZERS if SANITIZE else ["-O0", "-g0"] if APART else []),
        extra_link_args=SANITIZERS[:1] if SANITIZE else [],
        depends=[str(p.relative_to(HERE)) for p in sorted((HERE / "tradebot" / "_core").glob("*.pxd"))],
    )


def fail_on_hints() -> None:
    """Translate every module with the directives above; exit 1 with the hints where there are any."""
    options = [text for name, value in DIRECTIVES.items() if name != "language_level" for text in ("-X", f"{name}={value}")]
    sources = [source_of(name) for name in names()]
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
        [extension(name) for name in names()],
        compiler_directives=DIRECTIVES,
        nthreads=os.cpu_count() or 1,
        build_dir=APART,
    ),
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
