"""What a client knows of what it lost, also of a topic that it never heard."""

import pytest

from tradebot.client.heard import Heard
from tradebot.domain.wire import Facts, Places

TOPIC = "facts.fill"
NEWS = (True, 0)


def message(start: int, sequence: int) -> Facts:
    return Facts(1, start, sequence, 9, [])


def placed(**places: int) -> Heard:
    """One to whom these places of start 1 were said; the topic in question is `fill`."""
    found = Heard()
    found.note_places(Places(1, 1, {f"facts.{kind}": at for kind, at in places.items()}))
    return found


@pytest.mark.parametrize(("first", "missed"), [(1, 0), (2, 1), (6, 5)])
def test_a_topic_that_was_silent_when_it_subscribed_counts_from_one(first: int, missed: int) -> None:
    assert placed(other=9).note(TOPIC, message(1, first)) == (True, missed)


@pytest.mark.parametrize(("first", "missed"), [(6, 0), (7, 0), (8, 1)])
def test_the_last_message_said_again_was_before_its_time_and_what_is_beyond_the_next_is_lost(first: int, missed: int) -> None:
    assert placed(fill=6).note(TOPIC, message(1, first)) == (True, missed)


def test_places_said_later_for_others_or_for_a_connection_that_is_back_hide_no_loss() -> None:
    heard = placed()
    heard.note_places(Places(1, 1, {TOPIC: 6}))
    assert heard.note(TOPIC, message(1, 6)) == (True, 5)
    assert heard.note(TOPIC, message(1, 6)) == (False, 0)


def test_what_came_before_the_places_was_in_time() -> None:
    heard = Heard()
    assert heard.note(TOPIC, message(1, 4)) == NEWS
    heard.note_places(Places(1, 1, {TOPIC: 4}))
    assert heard.note(TOPIC, message(1, 5)) == NEWS


def test_without_places_the_first_message_is_no_loss() -> None:
    assert Heard().note(TOPIC, message(1, 6)) == NEWS, "a node of before says none"


@pytest.mark.parametrize("is_said", [True, False])
def test_behind_a_new_start_nobody_knows_what_was_lost_of_any_topic(is_said: bool) -> None:
    heard = placed(fill=6)
    assert heard.note(TOPIC, message(1, 7)) == NEWS
    if is_said:
        heard.note_places(Places(1, 2, {TOPIC: 1, "facts.other": 1}))
    assert heard.note(TOPIC, message(2, 1)) == (True, None)
    assert heard.note("facts.other", message(2, 1)) == (True, None), "it never heard this one, and may have lost some of it"
    assert [heard.note(TOPIC, message(2, at)) for at in (2, 2, 4)] == [NEWS, (False, 0), (True, 1)]
