"""Memory that is given back goes back to the system."""

import platform
import subprocess
import sys

import pytest

HELD = """
import sys
from tradebot.actors.heap import give_back

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

if sys.argv[1] == "given back":
    give_back()
large = bytearray(b"x") * (16 << 20)
del large
block = bytearray(b"x") * (8 << 20)
above = [b"x" * 600 for _ in range(4_000)]
before = resident()
del block
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize(("how", "is_given_back"), [("given back", True), ("as it is", False)])
def test_a_hole_under_what_is_held_goes_back_to_the_system(how: str, is_given_back: bool) -> None:
    found = subprocess.run([sys.executable, "-c", HELD, how], capture_output=True, text=True, timeout=60, check=True)
    assert (int(found.stdout) > 7 << 20) == is_given_back
