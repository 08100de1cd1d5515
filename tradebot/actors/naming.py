"""What `ps` shows of a forked process: its own words, where those of the zygote stand.

The kernel shows the memory between arg_start and arg_end (proc(5), /proc/pid/stat); what was written there by exec may be
written over. A zygote is started with room to spare.
"""

import contextlib
import ctypes
from pathlib import Path
from typing import Final

ROOM: Final = "-" * 512
"""The last word of a zygote: room for a child's words."""

_ARG_START, _ARG_END = 47, 48  # places in /proc/pid/stat, from 0


def name_process(words: list[str]) -> None:
    """Show these words as the command line of this process, as far as there is room. Where it cannot be, nothing changes."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = ("0 0 " + Path("/proc/self/stat").read_text().rpartition(")")[2]).split()
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
        text = b"\0".join(word.encode() for word in words)[: end - start - 1]
        ctypes.memmove(start, text + bytes(end - start - len(text)), end - start)
