"""Monitors and links: who is told when an actor dies, falls silent or comes back, and who ends with it."""

import pytest

from tradebot.actors.child_spec import KILLED, NORMAL
from tradebot.actors.watching import NO_ACTOR, Watching
from tradebot.domain.signals import Demonitor, Exit, Link, Monitor, Reachable, Terminated, Unlink, Unreachable


@pytest.fixture
def watching() -> Watching:
    made = Watching()
    for name in ("a", "b", "c"):
        assert made.started(name) == []
    return made


def test_a_watcher_is_told_of_death_silence_and_return_and_of_later_starts(watching: Watching) -> None:
    assert watching.take(Monitor(1, "a", "b")) == []
    assert watching.unanswered("b", 5) == [("a", Unreachable(1, "b", 5))]
    assert watching.unanswered("b", 5) == [], "once"
    assert watching.answered("b") == [("a", Reachable(1, "b"))]
    assert watching.answered("b") == []
    for _ in range(2):
        assert watching.ended("b", KILLED) == [("a", Terminated(1, "b", KILLED))]
        assert watching.started("b") == [("a", Reachable(1, "b"))]
    assert watching.ended("c", KILLED) == []


def test_what_is_so_already_is_told_at_once(watching: Watching) -> None:
    assert watching.take(Monitor(1, "a", "nobody")) == [("a", Terminated(1, "nobody", NO_ACTOR))]
    watching.unanswered("b", 9)
    assert watching.take(Monitor(1, "a", "b")) == [("a", Unreachable(1, "b", 9))]
    assert watching.started("nobody") == [("a", Reachable(1, "nobody"))]


def test_one_that_is_silent_and_dies_is_dead_and_no_longer_silent(watching: Watching) -> None:
    watching.take(Monitor(1, "a", "b"))
    watching.unanswered("b", 5)
    assert watching.ended("b", KILLED) == [("a", Terminated(1, "b", KILLED))]
    assert watching.unanswered("b", 6) == [], "it does not live"
    watching.started("b")
    assert watching.answered("b") == []


def test_who_ends_watches_no_more_and_who_takes_it_back_neither(watching: Watching) -> None:
    for watcher in ("a", "c"):
        watching.take(Monitor(1, watcher, "b"))
    watching.ended("a", KILLED)
    watching.started("a")
    assert watching.ended("b", KILLED) == [("c", Terminated(1, "b", KILLED))]
    watching.take(Demonitor(1, "c", "b"))
    assert watching.started("b") == []
    watching.take(Demonitor(1, "c", "b"))


def test_linked_ones_end_together_unless_one_ends_as_it_should(watching: Watching) -> None:
    assert watching.take(Link(1, "a", "b")) == []
    assert watching.take(Link(1, "c", "a")) == []
    assert watching.ended("a", NORMAL) == []
    watching.started("a")
    watching.take(Link(1, "a", "b"))
    watching.take(Link(1, "c", "a"))
    assert watching.ended("a", "exit 1") == [("b", Exit(1, "a", "exit 1")), ("c", Exit(1, "a", "exit 1"))]
    assert watching.ended("b", "linked") == [], "the link went with the first"


def test_a_link_to_the_dead_ends_the_other_and_one_that_was_taken_back_nobody(watching: Watching) -> None:
    assert watching.take(Link(1, "a", "nobody")) == [("a", Exit(1, "nobody", NO_ACTOR))]
    assert watching.take(Link(1, "nobody", "a")) == [("a", Exit(1, "nobody", NO_ACTOR))]
    assert watching.take(Link(1, "a", "a")) == []
    watching.take(Link(1, "a", "b"))
    watching.take(Unlink(1, "b", "a"))
    assert watching.ended("a", KILLED) == []


def test_a_watcher_that_is_linked_too_is_told_both(watching: Watching) -> None:
    watching.take(Monitor(1, "a", "b"))
    watching.take(Link(1, "a", "b"))
    assert watching.ended("b", KILLED) == [("a", Terminated(1, "b", KILLED)), ("a", Exit(1, "b", KILLED))]


def test_a_message_that_is_not_for_it_changes_nothing(watching: Watching) -> None:
    assert watching.take(Reachable(1, "a")) == []
    assert not watching.monitors and not watching.links
