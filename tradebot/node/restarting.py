"""One part of a running node started again, asked for from outside."""

import time
from pathlib import Path
from typing import Any, Final

from tradebot.actors.watching import ROOT
from tradebot.domain.errors import TimedOut
from tradebot.node.desks import ask_node
from tradebot.node.health import each_part, read_parts
from tradebot.node.session_files import find_current

LOOK_S: Final = 0.02


def restart_part(home: Path, part: str, who: str, timeout_s: float) -> dict[str, Any]:
    """Its process, which others may live in too, as it is once it runs again. Raises NotRunning; LocalError where the node has no
    such part; TimedOut.
    """
    asked = ask_node(home, ROOT, "restart", part=part, who=who)
    folder, until = find_current(home), time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = dict(each_part(read_parts(folder))).get(asked["part"]) or read_parts(folder).get(asked["part"], {})
        if found.get("starts", 0) > asked["starts"] and found["state"] == "running":
            return {"accepted": True, "by": ROOT, "part": asked["part"], "pid": None, **found}
        time.sleep(LOOK_S)
    raise TimedOut(f"expected {asked['part']} to run again within {timeout_s:g} s, found none: see `tradebot status`")
