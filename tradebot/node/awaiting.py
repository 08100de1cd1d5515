"""Waits for what a running root was asked to do, and ends where that cannot come about any more: the root is gone, is ending, or
does not answer.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from tradebot.actors.mailbox import ask
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import NotRunning, TimedOut
from tradebot.node.root_lock import has_root, root_of
from tradebot.node.session_files import find_current, mailboxes_of

LOOK_S: Final = 0.02
CHECK_S: Final = 0.5
ANSWER_S: Final = 2.0
SILENT_S: Final = 10.0  # of a root at work, which may be loading a user's code

Found = dict[str, Any]


class Awaited:
    """A home's root, and `what` it is asked for. Raises NotRunning where there is none or it is ending, TimedOut where it does
    not answer: it is asked for nothing then.
    """

    def __init__(self, home: Path, what: str) -> None:
        self.home, self.what, self.phase = home, what, ""
        self.desks, self.root = mailboxes_of(find_current(home)), root_of(home)
        if not self._answers():
            raise self._silent(ANSWER_S)
        self.heard_s = time.monotonic()

    def wait(self, look: Callable[[], Found | None], timeout_s: float) -> Found:
        """What `look` finds. Raises NotRunning, TimedOut."""
        until_s, checked_s = time.monotonic() + timeout_s, time.monotonic()
        while (found := look()) is None:
            now_s = time.monotonic()
            if now_s > until_s:
                raise TimedOut(f"expected {self.what} within {timeout_s:g} s, found none: see `tradebot status`")
            if not has_root(self.home) or root_of(self.home) != self.root:
                if (found := look()) is not None:
                    return found
                raise NotRunning(f"expected {self.what}, found that the node ended before: see its log")
            if now_s - checked_s > CHECK_S:
                self._check()
                checked_s = time.monotonic()
            time.sleep(LOOK_S)
        return found

    def _check(self) -> None:
        if self._answers():
            self.heard_s = time.monotonic()
        elif has_root(self.home) and (silent_s := time.monotonic() - self.heard_s) > SILENT_S:
            raise self._silent(silent_s)

    def _answers(self) -> bool:
        said = ask(self.desks, f"{ROOT}.desk", msgspec.json.encode({"verb": "status"}), ANSWER_S) if self.desks else None
        if said is None:
            return False
        self.phase = msgspec.json.decode(said, type=Found).get("phase", "")
        if self.phase == "ending":
            raise NotRunning(f"expected {self.what}, found that the node is ending: start it with `tradebot run -c FILE`")
        return True

    def _silent(self, seconds: float) -> TimedOut:
        return TimedOut(
            f"expected {self.what}, found that the root, process {self.root}, has not answered for {seconds:.0f} s: it starts "
            "or hangs; see `tradebot status`"
        )
