"""What a client loses while its cable is cut is told to it, also of a topic that it had never heard."""

from collections.abc import Iterator

import pytest

from tests.node.cable import Cable
from tests.node.reached import Reached
from tradebot.client import Fact, Gap, Metrics

KIND = "facts.trading_state_changed"


@pytest.fixture
def cable(reached: Reached) -> Iterator[Cable]:
    made = Cable(reached.port + 1)
    yield made
    made.close()


def steer(reached: Reached, times: int, after: int = 0) -> int:
    """Pause and resume, each in a message of its own; the number of the last, as one hears it whose cable is whole."""
    with reached.client("operator") as operator:
        told = operator.subscribe(["metrics", KIND], silence_s=20)
        next(told)
        facts = (one for one in told if isinstance(one, Fact) and one.sequence > after)
        for _ in range(times):
            for verb in ("pause", "resume"):
                operator.control(verb)
                last = next(facts)
        told.close()  # type: ignore[attr-defined]
    return last.sequence


@pytest.mark.parametrize("topic", ["facts", KIND])
def test_what_was_lost_of_a_topic_never_heard_is_told_before_its_first_message(
    reached: Reached, cable: Cable, topic: str
) -> None:
    reached.start()
    with reached.client("viewer", streams=cable.address) as viewer:
        told = viewer.subscribe(["metrics", topic], silence_s=20)
        next(one for one in told if isinstance(one, Metrics))
        cable.cut()
        last = steer(reached, times=3)
        cable.mend()
        gap, fact = next((one, next(told)) for one in told if one.topic == KIND)
        assert last == 6 and gap == Gap(topic=KIND, missed=5)
        assert isinstance(fact, Fact) and fact.sequence == 6


def test_what_was_before_a_clients_time_is_no_loss_to_it_and_neither_is_what_others_subscribe(
    reached: Reached, cable: Cable
) -> None:
    reached.start()
    assert steer(reached, times=1) == 2
    with reached.client("viewer", streams=cable.address) as viewer:
        told = viewer.subscribe([KIND], silence_s=20)
        heard = [next(told)]
        assert steer(reached, times=1, after=2) == 4, "meanwhile another subscribes to the same"
        heard += [next(told), next(told)]
        assert [one.sequence for one in heard if isinstance(one, Fact)] == [2, 3, 4]
