"""What the root says to systemd, where that has started it (sd_notify(3), sd_watchdog_enabled(3))."""

import asyncio
import contextlib
import os
import socket
from typing import Final

NOTIFY_S: Final = 1.0

async def tell_watchdog() -> None:
    """Say that this loop turns, twice in the time after which systemd kills and starts again (sd_watchdog_enabled(3)); for ever,
    where systemd has one on this process.
    """
    time_us, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID") or str(os.getpid())
    if process != str(os.getpid()) or not time_us.isdecimal() or int(time_us) == 0:
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(int(time_us) / 2e6)


def notify(state: str) -> None:
    """Tell systemd, where it asked to be told (sd_notify(3)). One that does not read is not waited for."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.settimeout(NOTIFY_S if not state.startswith("WATCHDOG") else 0.0)
        line.connect("\0" + path[1:] if path.startswith("@") else path)
        line.send(state.encode())
