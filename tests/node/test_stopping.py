"""A stop does what the configuration says, waits for a part that hangs to be killed and come back, and names what is left; what
closes a position is sent however late it comes.
"""

import os
import signal
from typing import Any

import pytest

from tests.node.nodes import RESTING, Place
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED
from tradebot.node.session_files import VENUE

BARE = RESTING.replace(", stop_loss=self.book.bid - 3_000", "")


def set_up(place: Place, more: str, strategy: str = BARE) -> None:
    place.strategy.write_text(strategy)
    text = place.node.config.read_text()
    place.node.config.write_text(text.replace("node = {", f"node = {{ {more},"))
    place.start()
    place.wait(lambda: positions(place) == ["0.01000000"] and len(place.ask("orders")["orders"]) >= 1)


def positions(place: Place) -> list[str]:
    return [one["quantity"] for one in place.ask("positions")["positions"]]


def told(place: Place) -> dict[str, Any]:
    return next(one for one in reversed(place.events()) if one["event"] == "stopped")


@pytest.mark.parametrize("how", ["cancel", "flatten"])
def test_a_stop_waits_until_a_venue_that_hangs_was_killed_and_is_back(place: Place, how: str) -> None:
    set_up(place, f'on_stop = "{how}", lease = "2s", order_age = "300ms"')
    place.node.signal(VENUE, signal.SIGSTOP)
    assert place.stop() == EXIT_DONE
    assert "left" not in told(place)
    open_now = place.open_at_venue()
    assert open_now == []
    if how == "flatten":
        assert "0.01000000" not in (place.folder / "root.log").read_text()


def test_what_a_stop_could_not_do_is_named_and_it_has_failed(place: Place) -> None:
    set_up(place, 'on_stop = "flatten", lease = "30s"')
    place.node.signal(VENUE, signal.SIGSTOP)
    root = place.node.root
    assert root is not None
    place.node.signal("root", signal.SIGTERM)
    place.wait(lambda: place.ask("status")["commands_waiting"] == 0 and place.ask("status")["trading"] == "reducing")
    os.kill(root.pid, signal.SIGTERM)  # it waits no longer
    assert root.wait(20) == EXIT_FAILED
    left = told(place)["left"]
    assert any("a position of resting, 0.01000000 BTC/USD" in one for one in left) and any("order" in one for one in left)
    said = (place.folder / "root.log").read_text().splitlines()[-1]
    assert 'as node.on_stop = "flatten" has it' in said and "start the node again" in said


def test_a_flatten_is_done_however_late_the_venue_is_back_and_status_says_until_then_what_is_open(place: Place) -> None:
    set_up(place, 'lease = "2s", order_age = "300ms"')
    place.node.signal(VENUE, signal.SIGSTOP)
    assert place.ask("flatten", "--why", "enough")["closes"] == 1
    assert place.ask("status")["positions_open"] == ["resting 0.01000000 BTC/USD@synthetic"]
    place.wait(lambda: positions(place) in ([], ["0.00000000"]))
    assert place.ask("status")["positions_open"] == []


def test_a_flatten_of_a_home_that_was_killed_lifts_nothing(place: Place) -> None:
    set_up(place, 'lease = "2s"')
    place.ask("kill", "--why", "no more")
    assert place.ask("status")["trading"] == "halted"
    found = place.ask("flatten")
    assert found["closes"] == 1 and "stays killed" in found["note"]
    place.wait(lambda: positions(place) in ([], ["0.00000000"]))
    assert place.ask("status")["trading"] == "halted"
