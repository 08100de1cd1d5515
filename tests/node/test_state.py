"""A strategy whose State cannot be kept, or not be taken back, is quarantined at once and by name: no start could go on from
it.
"""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.node.nodes import CONFIG, Place
from tradebot.node.session_files import ENGINE
from tradebot.testing.chaos_judge import judge

KEEPS: Final = '''
from msgspec import Struct
from tradebot.strategies.strategy import Strategy


class Keeps(Strategy):
    """Rests an entry; then puts into its State what does not belong there."""

    class State(Struct):
        last: int = 0

    def on_trade(self, trade):
        if self.state.last == 0 and self.book.spread > 0:
            self.state.last = 1
            self.buy(0.03, price=self.book.bid - 3_000)
        elif self.state.last == 1 and self.open_orders():
            self.state.last = VALUE
'''
BESIDE: Final = '\n[[strategy]]\nuse = "KEEPS:Keeps"\nname = "keeps"\ninstruments = ["BTC/USD"]\n'


def configure(place: Place, path: Path) -> None:
    config = (CONFIG + BESIDE).replace("speed = 20.0", "speed = 200.0")
    place.node.config.write_text(config.replace("FILE", str(place.strategy)).replace("KEEPS", str(path)))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("self.book.bid + 0.25", "its State cannot be kept: ValidationError: Expected `int`, got `float` - at `$.last`"),
        ("lambda: 1", "its State cannot be kept: TypeError: Encoding objects of type function is unsupported"),
    ],
)
def test_a_state_that_cannot_be_kept_is_a_quarantine_and_the_node_goes_on(place: Place, value: str, why: str) -> None:
    path = place.folder / "keeps.py"
    path.write_text(KEEPS.replace("VALUE", value))
    configure(place, path)
    run_id = place.start()
    place.wait(lambda: place.ask("status")["quarantined"])

    def quarantined() -> list[tuple[str, str]]:
        return [(one["strategy_name"], one["error"]) for one in place.ask("status")["quarantined"]]

    assert quarantined() == [("keeps", why)]
    place.wait(lambda: any(one["event"] == "quarantined" and one["why"] == why for one in place.events()))
    place.wait_orders(2)  # its entry is cancelled, those of the other stay
    saved = snapshots(place)
    place.wait(lambda: snapshots(place) > saved)
    for _ in range(2):
        place.node.signal(ENGINE, signal.SIGKILL)
        place.node.wait_trading()
        assert [name for name, _ in quarantined()] == ["keeps"]
    assert place.stop() == 0
    found: dict[str, Any] = place.ask("replay", run_id, "--verify")
    assert found["identical"]
    assert judge(place.node.folder).findings == []
    place.start()
    assert [name for name, _ in quarantined()] == ["keeps"]
    path.write_text(KEEPS.replace("VALUE", "2"))
    place.ask("reload")
    place.node.wait_trading()
    assert quarantined() == []
    place.node.settle()
    judged = judge(place.node.folder)  # not its replay: what is in the file now did not write the beginning
    assert (judged.lost, judged.doubled, judged.unknown_left, judged.facts_equal) == (0, 0, 0, True)


def snapshots(place: Place) -> int:
    """The fact of the newest."""
    return max((int(one.stem) for one in (place.node.folder / ENGINE / "snapshots").glob("*.tbs")), default=0)


def test_a_child_that_a_strategy_forks_ends_before_it_writes_the_journal(place: Place) -> None:
    path = place.folder / "keeps.py"
    path.write_text(KEEPS.replace("VALUE", "2 if __import__('os').fork() else 3"))
    configure(place, path)
    run_id = place.start()
    place.wait_orders(3)
    log = place.node.home / "logs" / f"{run_id}.log"
    place.wait(lambda: "a strategy must not fork" in log.read_text())
    assert place.ask("status")["quarantined"] == []
    assert place.stop() == 0
    words = ["-m", "tradebot", "--home", str(place.node.home), "--json", "replay", run_id, "--verify"]
    told = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, check=True).stdout
    assert told.count(b'"identical": true') == told.count(b"identical") > 0, "the child there goes on, and says the same"
