"""The control ladder: what each rung asks of the engine, which is what the verbs of the command line ask."""

import pytest

from tradebot.domain.wire import CONTROLS
from tradebot.node.ladder import ARGUMENTS, Step, act_of, steps_of

REDUCING, HALTED, ACTIVE = ({"verb": "state", "state": name} for name in ("REDUCING", "HALTED", "ACTIVE"))
ENTRIES, ALL, FLATTEN = ({"verb": "act", "act": name} for name in ("CANCEL_ENTRIES", "CANCEL_ALL", "FLATTEN"))


@pytest.mark.parametrize(
    ("verb", "arguments", "steps"),
    [
        ("pause", {}, [HALTED]),
        ("resume", {}, [ACTIVE]),
        ("cancel-all", {}, [ENTRIES]),
        ("cancel-all", {"guards": True}, [ALL]),
        ("cancel-all", {"guards": False}, [ENTRIES]),
        ("flatten", {}, [REDUCING, FLATTEN]),
        ("kill", {"guards": True, "flatten": True}, []),  # it goes by the latch
    ],
)
def test_a_rung_asks_for_its_steps(verb: str, arguments: dict[str, bool | int | str], steps: list[Step]) -> None:
    assert steps_of(verb, arguments) == steps


def test_a_kill_does_the_most_that_it_was_told() -> None:
    found = [act_of(is_flat, takes_guards) for is_flat in (False, True) for takes_guards in (False, True)]
    assert found == ["CANCEL_ENTRIES", "CANCEL_ALL", "FLATTEN", "FLATTEN"]


@pytest.mark.parametrize("arguments", [{"guards": 1}, {"guards": "yes"}, {"everything": True}])
def test_what_a_rung_cannot_be_told_is_refused(arguments: dict[str, bool | int | str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        steps_of("kill", arguments)


def test_every_control_is_a_rung() -> None:
    assert set(CONTROLS) == set(ARGUMENTS)
