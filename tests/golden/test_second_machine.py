"""One set of digests: in this process, with CPU features masked, in the debug build, and under sanitizers.

In `make test`: here, and masked. The debug build and the sanitized one are compiled first, so they are of `make second-machine`.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests import variants
from tests.golden import machines
from tests.golden.runs import RUNS, digests, golden

ALL = os.environ.get("TRADEBOT_SECOND_MACHINE") == "1" or os.environ.get("TRADEBOT_FULL") == "1"
of_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or platform.machine() != "x86_64", reason="the names are glibc's, of x86-64"
)
GOLDEN = json.loads((Path(__file__).parent / "digests.json").read_text())


@pytest.fixture(scope="module")
def here() -> dict[str, str]:
    """What this process comes to."""
    return digests()


def test_the_golden_set_comes_to_its_digests(here: dict[str, str]) -> None:
    assert golden(here) == GOLDEN


def test_restored_runs_come_to_what_the_same_run_came_to(here: dict[str, str]) -> None:
    assert here["by orders, restored"] == here["by orders"]
    assert here["by levels, restored"] == here["by levels, BY_LOG"]
    assert len(set(GOLDEN.values())) == len(RUNS) - 2, "two different runs of one digest"


@of_glibc
def test_a_machine_of_fewer_cpu_features_comes_to_the_same(here: dict[str, str]) -> None:
    assert machines.digests(masked=True) == here


@of_glibc
def test_the_mask_takes_features_away() -> None:
    """Without this, names that nobody knows would make the test above hold."""
    plain = machines.chosen({})
    if not plain:
        pytest.skip("this machine has no more than numpy is built for")
    assert machines.chosen(machines.mask()) == []
    loader = "/lib64/ld-linux-x86-64.so.2"
    told = [
        subprocess.run([loader, "--list-diagnostics"], env=env, capture_output=True, text=True).stdout
        for env in (os.environ, os.environ | {"GLIBC_TUNABLES": machines.mask()["GLIBC_TUNABLES"]})
    ]
    features = [[line for line in text.splitlines() if line.startswith("x86.cpu_features")] for text in told]
    if not features[0]:
        pytest.skip("this glibc does not tell what it found")
    assert features[0] != features[1]


@pytest.mark.skipif(not ALL, reason="the debug build is of `make second-machine`")
def test_the_debug_build_comes_to_the_same(here: dict[str, str]) -> None:
    if sys.platform != "linux":
        pytest.skip("built apart on Linux only")
    variants.build("debug")
    assert machines.digests("debug") == here
    assert machines.digests("debug", masked=True) == here


@pytest.mark.skipif(not ALL, reason="the sanitized build is of `make second-machine`")
def test_the_sanitized_build_comes_to_the_same(here: dict[str, str]) -> None:
    variants.build("sanitized")
    assert machines.digests("sanitized") == here
