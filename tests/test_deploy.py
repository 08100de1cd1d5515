"""The unit for systemd has what the root speaks to it, and leaves alone what a person must mend."""

from pathlib import Path

from tradebot.domain.errors import EXIT_REFUSED, EXIT_USAGE

UNIT = Path(__file__).parents[1] / "deploy" / "tradebot.service"


def test_the_unit_watches_the_root_and_starts_it_again_unless_a_person_must_mend_it() -> None:
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#")]
    found = dict(line.split("=", 1) for line in lines)
    assert (found["Type"], found["NotifyAccess"], found["Restart"]) == ("notify", "main", "always")
    assert int(found["WatchdogSec"]) > 0 and found["WatchdogSignal"] == "SIGKILL", "one that is stopped takes no other"
    assert found["RestartPreventExitStatus"] == f"{EXIT_USAGE} {EXIT_REFUSED}"
