"""A second machine on this one: the golden set in a child whose CPU has fewer features, or in another build.

glibc and numpy choose faster code where the CPU has it. Both can be told what it lacks, so one machine is several: the C library
by GLIBC_TUNABLES (names of 2.33 and newer first, those before it behind; it passes over what it does not know), numpy by
NPY_DISABLE_CPU_FEATURES, which takes the names that this numpy chooses among and no others.
"""

import json
import os
import subprocess
import sys
from typing import Any, Final

from tests import variants

LACKS: Final = (
    "AVX", "AVX2", "AVX512F", "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512VL", "BMI1", "BMI2", "ERMS", "FMA", "FMA4", "LZCNT",
    "MOVBE", "POPCNT", "SSE4_1", "SSE4_2", "SSSE3", "AVX2_Usable", "AVX_Usable", "AVX512F_Usable", "FMA_Usable",
    "AVX_Fast_Unaligned_Load",
)  # fmt: skip
PROBE: Final = """
import ctypes, json
from numpy._core._multiarray_umath import __cpu_dispatch__ as names, __cpu_features__ as has
print(json.dumps([name for name in names if has.get(name)]))
"""


def mask() -> dict[str, str]:
    """What is told to a child so that it sees the least CPU."""
    return {
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=" + ",".join(f"-{name}" for name in LACKS),
        "NPY_DISABLE_CPU_FEATURES": " ".join(chosen({})),
    }


def chosen(told: dict[str, str]) -> list[str]:
    """The features that numpy chooses code for, in a child that is told so."""
    done = subprocess.run([sys.executable, "-c", PROBE], env=os.environ | told, capture_output=True, text=True, check=True)
    return [str(name) for name in json.loads(done.stdout)]


def digests(build: str | None = None, masked: bool = False) -> dict[str, str]:
    """The digests of a child of that build, None being the one in place."""
    told: dict[str, Any] = variants.environment(build) | (mask() if masked else {})
    command = [sys.executable, "-m", "tests.golden.runs"]
    done = subprocess.run(command, cwd=variants.ROOT, env=told, capture_output=True, text=True)
    assert done.returncode == 0, f"the golden set failed in the build {build}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return dict(json.loads(done.stdout))
