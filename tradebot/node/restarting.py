"""One part of a running node started again, asked for from outside."""

import time
from pathlib import Path
from typing import Any, Final

from tradebot.actors.watching import ROOT
from tradebot.node.awaiting import Awaited
from tradebot.node.desks import ask_node
from tradebot.node.health import each_part, read_parts
from tradebot.node.session_files import ACTORS, find_current

BELOW_S: Final = 2.0  # a temporary one may stay down


def restart_part(home: Path, part: str, who: str, timeout_s: float) -> dict[str, Any]:
    """Its process, which others may live in too, as it is once it runs again. Raises NotRunning, also where the node ends before;
    LocalError where the node has no such part; TimedOut, also where the root does not answer.
    """
    awaited = Awaited(home, f"{part} to run again")
    asked, folder = ask_node(home, ROOT, "restart", part=part, who=who), find_current(home)

    runs_since_s: list[float] = []

    def look() -> dict[str, Any] | None:
        known = read_parts(folder)
        parts = dict(each_part(known))
        found = {**known, **known.get(ACTORS, {}).get("supervisors", {}), **parts}.get(asked["part"], {})
        if not (found.get("starts", 0) > asked["starts"] and found["state"] == "running"):
            return None
        runs_since_s.append(time.monotonic())
        is_one_down = any(parts[name]["state"] == "stopped" for name in found.get("parts", ()) if name in parts)
        if is_one_down and runs_since_s[-1] - runs_since_s[0] < BELOW_S:
            return None  # it runs, and the word of those below it is on its way
        return {"accepted": True, "by": ROOT, "part": asked["part"], "pid": None, **found}

    return awaited.wait(look, timeout_s)
