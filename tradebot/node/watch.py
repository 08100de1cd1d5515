"""The state of a home's node as a monitor shows it: each second from the desks of engine and gateway, and from the journal.

A node that does not answer is a state too: what the journal says stays, and the alert tells since when nobody answers.
"""

import time
from collections import deque
from pathlib import Path
from typing import Any, Final

from tradebot.domain.errors import LocalError, NotRunning
from tradebot.domain.units import time_text
from tradebot.node.chronicle import Chronicle
from tradebot.node.desks import ask_node
from tradebot.node.latch import read_killed
from tradebot.node.session_files import ENGINE, GATEWAY, find_current

FILLS_MAX: Final = 10
ALERTS_MAX: Final = 8
ALERTING: Final = frozenset(
    {"strategy_quarantined", "trading_state_changed", "operator_act", "answer_refused", "gap", "liquidated", "epoch_started"}
)
FILLS: Final = frozenset({"order_filled", "liquidated"})


class Watch:
    """Looks at one node, again and again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.run_id = find_current(home).name
        self.chronicle = Chronicle(find_current(home))
        self.fills: deque[dict[str, Any]] = deque(maxlen=FILLS_MAX)
        self.alerts: deque[dict[str, Any]] = deque(maxlen=ALERTS_MAX)
        self.refusals = self.fills_count = 0
        self.facts: tuple[float, int] | None = None
        self.silent_since: float | None = None

    def look(self) -> dict[str, Any]:
        """One state: plain data."""
        self.read_on()
        now = time.time_ns()
        state: dict[str, Any] = {"time": time_text(now), "run_id": self.run_id, "is_running": False}
        try:
            engine, gateway = (ask_node(self.home, name, "status") for name in (ENGINE, GATEWAY))
            state |= {
                "is_running": True,
                "facts_per_s": self.rate(engine["facts"]),
                "status": engine | {"gateway": gateway},
                "positions": self.rows("positions"),
                "orders": self.rows("orders"),
            }
            self.silent_since = None
        except (NotRunning, LocalError):
            self.silent_since = self.silent_since or time.monotonic()
        return state | {
            "refusals": self.refusals,
            "fills_count": self.fills_count,
            "fills": list(self.fills),
            "alerts": [*self.warnings(state), *reversed(self.alerts)],
        }

    def rows(self, verb: str) -> list[dict[str, Any]]:
        """Rows of the engine's desk, the strategies by name."""
        name = self.chronicle.teller.strategy
        return [row | {"strategy": name(row["strategy"])} for row in ask_node(self.home, ENGINE, verb)[verb]]

    def read_on(self) -> None:
        for event in self.chronicle.events():
            if event["event"] in FILLS:
                self.fills.appendleft(event)
                self.fills_count += 1
            elif event["event"] == "order_rejected":
                self.refusals += 1
            if event["event"] in ALERTING:
                self.alerts.append(event)

    def rate(self, facts: int) -> float | None:
        """Facts a second since the last look."""
        before, self.facts = self.facts, (time.monotonic(), facts)
        if before is None or self.facts[0] <= before[0] or facts < before[1]:
            return None
        return round((facts - before[1]) / (self.facts[0] - before[0]), 1)

    def warnings(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """What is wrong now, the worst first."""
        words = []
        if killed := read_killed(self.home):
            words.append(f"killed by {killed.who} at {killed.time}: {killed.why}")
        if not state["is_running"]:
            silent = 0 if self.silent_since is None else time.monotonic() - self.silent_since
            words.append(f"nobody answers, for {silent:.0f} s: is the node running?")
            return [_warning(state, one) for one in words]
        status = state["status"]
        words += [f"the books differ: {one}" for one in status["reconcile"]["differences"]]
        words += [f"strategy {one['strategy']} is quarantined: {one['error']}" for one in status["quarantined"]]
        if unknown := status["gateway"]["unknown"]:
            words.append(f"{len(unknown)} orders are unknown: {', '.join(map(str, unknown[:3]))}")
        if strangers := status["gateway"]["strangers"]:
            words.append(f"{len(strangers)} orders at the venue are not ours: {', '.join(map(str, strangers[:3]))}")
        if not status["gateway"]["is_subscribed"]:
            words.append("the gateway does not hear the venue")
        return [_warning(state, one) for one in words]

    def close(self) -> None:
        self.chronicle.close()


def _warning(state: dict[str, Any], text: str) -> dict[str, Any]:
    return {"time": state["time"], "event": "warning", "text": text}
