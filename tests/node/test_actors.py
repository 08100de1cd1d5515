"""Actors of a user's own in a node of real processes: they hear of the run, are kept by a supervisor of their own, and nothing
that they do disturbs trading.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from tests.actors.children import below
from tests.node.acted import NOTER, Actors
from tests.node.nodes import Place
from tests.test_architecture import ROOT
from tradebot.actors.actor import EVERY_KIND
from tradebot.domain.errors import EXIT_DONE, EXIT_REFUSED, ConfigError
from tradebot.node.actor_code import make_actor
from tradebot.node.actor_group import safe_mark
from tradebot.node.actor_part import ActorPart, read_place
from tradebot.node.chronicle import Chronicle
from tradebot.node.health import is_alive
from tradebot.node.node_schema import ActorUse
from tradebot.node.session_files import ACTORS, ENGINE, FEED, GATEWAY, STORE, VENUE
from tradebot.testing.chaos_judge import judge

EXAMPLE = ROOT / "docs" / "examples" / "alerts.py"

KINDS = ("order_accepted", "order_filled", "trading_state_changed")


def test_the_example_of_the_documentation_says_what_happens(place: Place) -> None:
    file = place.folder / "alerts.txt"
    actors = Actors(place)
    actors.uses = {
        "watchman": f'[[node.actors.actor]]\nname = "watchman"\nuse = "{EXAMPLE}:Watchman"\n'
        "params = { low = 1.0, high = 2.0 }\n",
        "crier": f'[[node.actors.actor]]\nname = "crier"\nuse = "{EXAMPLE}:Crier"\nplace = "process"\n'
        f'params = {{ file = "{file}" }}\n',
    }
    actors.write()
    place.start()
    place.wait_orders(2)
    place.node.signal(VENUE, signal.SIGKILL)
    wanted = ("filled: buy 0.01", "BTC/USD@synthetic trades at", "venue: terminated", "venue: reachable")
    place.wait(lambda: file.exists() and all(f"watchman: {one}" in file.read_text() for one in wanted))
    assert actors.states() == {"watchman": "running", "crier": "running"}
    assert actors.status()["parts"]["crier"]["mailbox"]["messages"] >= len(wanted)


@pytest.mark.parametrize("where", ["loop", "process"])
def test_an_actor_is_started_again_and_hears_every_event_since(actors: Actors, where: str) -> None:
    actors.use("noter", more=f'place = "{where}"')
    actors.write()
    place = actors.place
    place.start()
    place.wait_orders(2)
    place.wait(lambda: sum("order_accepted" in one for one in actors.lines("noter")) == 3)
    assert (actors.pid("noter") == place.node.pids(ACTORS)[0]) == (where == "loop")
    os.kill(actors.pid("noter"), signal.SIGKILL)
    place.ask("pause")
    place.wait(lambda: len({one for one in actors.lines("noter") if "trading_state" in one}) == 3)
    place.wait(lambda: sum(one.startswith("start") for one in actors.lines("noter")) == 2)
    assert actors.status()["parts"]["noter"]["last_exit"] == "killed"
    heard = set(actors.lines("noter"))
    place.node.settle()
    told = [f"{one['event']} {one['sequence']}" for one in Chronicle(place.node.folder).events() if one["event"] in KINDS]
    paused = [at for at, one in enumerate(told) if one.startswith("trading")][2]
    assert heard.issuperset(told[: paused + 1]) and paused >= 6, (told, heard)
    assert judge(place.node.folder).findings == []


def test_the_tree_is_changed_while_it_runs_and_who_is_not_concerned_stays(actors: Actors) -> None:
    place = actors.place
    place.start()
    actors.use("one")
    actors.use("two", more='place = "process"')
    actors.write()
    assert place.ask("reload")["parts"] == [ACTORS, "one", "two"]
    place.wait(lambda: actors.lines("one") and actors.lines("two"))
    starts = {name: one["starts"] for name, one in place.ask("status")["parts"].items()}
    actors.use("two", how="x", more='place = "process"')
    actors.use("three")
    actors.write()
    assert place.ask("reload")["parts"] == ["two", "three"]
    place.wait(lambda: actors.lines("three") and sum("start" in one for one in actors.lines("two")) == 2)
    assert actors.lines("two").count("end") == 1
    assert place.ask("restart", "one")["part"] == "one"
    place.wait(lambda: sum("start" in one for one in actors.lines("one")) == 2)
    (actors.folder / "noter.py").write_text(NOTER.replace('"start {', '"begin {'))
    assert place.ask("reload")["parts"] == ["one", "two", "three"]
    place.wait(lambda: all(any("begin" in one for one in actors.lines(name)) for name in ("one", "two", "three")))
    del actors.uses["two"]
    pid = actors.pid("two")
    actors.write()
    assert place.ask("reload")["parts"] == ["two"]
    place.wait(lambda: set(actors.states()) == {"one", "three"} and not is_alive(pid))
    actors.uses.clear()
    actors.write()
    assert place.ask("reload")["parts"] == [ACTORS]
    assert ACTORS not in place.ask("status")["parts"] and place.node.pids(ACTORS) == []
    for name, count in place.ask("status")["parts"].items():
        assert count["starts"] == starts[name], name


def test_rules_of_the_tree_are_the_configuration_s(actors: Actors) -> None:
    actors.rules = 'strategy = "rest_for_one"\nintensity = 3\nbackoff = "0s"'
    for name in ("one", "two", "three"):
        actors.use(name)
    actors.use("two", more='place = "process"')
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: all(actors.lines(name) for name in ("one", "two", "three")))
    os.kill(actors.pid("two"), signal.SIGKILL)
    place.wait(lambda: sum("start" in one for one in actors.lines("three")) == 2)
    assert sum("start" in one for one in actors.lines("one")) == 1
    pid = place.node.pids(ACTORS)[0]
    for _ in range(3):
        before = actors.pid("two")
        os.kill(before, signal.SIGKILL)
        place.wait(lambda before=before: actors.states().get("two") == "running" and actors.pid("two") != before)  # type: ignore[misc]
    place.wait(lambda: place.node.pids(ACTORS) != [pid] and set(actors.states().values()) == {"running"})
    assert place.ask("status")["running"]


@pytest.mark.parametrize("where", ["loop", "process"])
def test_what_its_own_task_or_callback_raises_is_told_and_ends_nobody(actors: Actors, where: str) -> None:
    actors.use("one", how="strays", more=f'place = "{where}"')
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: any("order_filled" in one for one in actors.lines("one")))
    log = next((place.node.home / "logs").glob("*.log"))
    place.wait(lambda: "nobody waits for this" in log.read_text() and "list index out of range" in log.read_text())
    assert actors.status()["parts"]["one"]["starts"] == 1


def test_each_has_its_own_time_to_end_and_the_last_that_was_started_ends_first(actors: Actors) -> None:
    """Together they take longer than any other part may."""
    for name in ("one", "two", "three"):
        actors.use(name, more=f'shutdown = "30s"\nplace = "{"process" if name == "two" else "loop"}"', end_s=2.0)
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: set(actors.states().values()) == {"running"})
    place.stop()
    assert [actors.lines(name)[-1] for name in ("one", "two", "three")] == ["end"] * 3
    ends = [actors.file(name).stat().st_mtime for name in ("three", "two", "one")]
    assert ends == sorted(ends)


def test_several_that_hang_are_killed_at_once(actors: Actors) -> None:
    lease_s, names = 2.0, [f"a{number}" for number in range(3)]
    actors.node += f'\nlease = "{lease_s:.0f}s"'
    for name in names:
        actors.use(name, more='place = "process"')
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: set(actors.states().values()) == {"running"})
    before = {name: actors.pid(name) for name in names}
    for pid in before.values():
        os.kill(pid, signal.SIGSTOP)
    stopped_s = time.monotonic()
    seen: dict[str, float] = {}
    while len(seen) < len(names):
        assert time.monotonic() < stopped_s + 60
        seen |= {name: time.monotonic() - stopped_s for name, pid in before.items() if name not in seen and not is_alive(pid)}
        time.sleep(0.05)
    assert max(seen.values()) - min(seen.values()) < 3.5, "one that hangs takes the time of no other"
    place.wait(lambda: all(actors.states()[name] == "running" and actors.pid(name) != before[name] for name in names))


@pytest.mark.parametrize("how", ["fails", "hangs", "waits"])
def test_an_actor_that_fails_or_hangs_is_started_again_and_nobody_else_notices(actors: Actors, how: str) -> None:
    actors.node += '\nlease = "2s"'
    actors.use("bad", how=how, more='place = "process"\npatience = "1s"')
    actors.use("good")
    actors.write()
    place = actors.place
    place.start()
    place.wait_orders(2)
    place.wait(lambda: sum("start" in one for one in actors.lines("bad")) >= 2)
    place.wait(lambda: any("order_filled" in one for one in actors.lines("good")))
    assert sum("start" in one for one in actors.lines("good")) == 1
    waits = "LocalError: expected Noter.hear to return within 1 s"
    whys = {"hangs": "killed", "fails": "ValueError: it cannot begin", "waits": waits}
    assert actors.status()["parts"]["bad"]["last_exit"].startswith(whys[how])
    assert place.ask("status")["trading"] == "active"


LINKED = NOTER.replace("def start(self):", "def start(self):\n        self.link('one')", 1).replace("class Noter", "class Linked")


def test_one_that_is_linked_ends_with_the_other_wherever_they_live(actors: Actors) -> None:
    (actors.folder / "noter.py").write_text(NOTER + LINKED)
    actors.use("one", more='place = "process"')
    actors.use("two", more='restart = "temporary"')
    actors.uses["two"] = actors.uses["two"].replace(":Noter", ":Linked")
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: actors.lines("one") and actors.lines("two"))
    os.kill(actors.pid("one"), signal.SIGKILL)
    place.wait(lambda: "end" in actors.lines("two"))
    place.wait(lambda: sum("start" in one for one in actors.lines("one")) == 2)
    place.wait(lambda: actors.states()["two"] == "stopped")
    assert actors.status()["parts"]["two"]["last_exit"] == "LinkedEnd: one, to which it is linked, ended: killed"
    assert sum("start" in one for one in actors.lines("two")) == 1


CRASHING = NOTER.replace("    def start(self):", "    def start(self):\n        os._exit(7)", 1)


def test_actors_that_crash_their_process_or_give_up_end_no_node_and_hold_nobody_up(actors: Actors) -> None:
    """At the start, at a reload, and however seldom parts may die."""
    place = actors.place
    actors.node += '\nsupervisor = { intensity = 1, period = "1h" }'
    (actors.folder / "noter.py").write_text(CRASHING)
    actors.use("bad")
    actors.write()
    place.start()
    place.wait_orders(2)
    place.wait(lambda: place.ask("status")["parts"].get(ACTORS, {}).get("starts", 0) >= 3)
    (actors.folder / "noter.py").write_text(NOTER)
    actors.rules = "intensity = 0"
    actors.use("bad", how="fails")
    actors.write()
    place.ask("reload")
    place.wait(lambda: sum("start" in one for one in actors.lines("bad")) >= 1)
    actors.use("bad")
    actors.write()
    place.ask("reload")
    place.wait(lambda: actors.states() == {"bad": "running"})
    assert place.ask("status")["trading"] == "active"
    assert {name: one["starts"] for name, one in place.ask("status")["parts"].items() if name != ACTORS} == dict.fromkeys(
        (STORE, VENUE, GATEWAY, ENGINE, FEED), 1
    )


@pytest.mark.parametrize(
    "body", ["os._exit(3)", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", "raise KeyboardInterrupt"]
)
def test_what_the_code_of_an_actor_does_when_it_is_loaded_is_done_to_nobody_else(actors: Actors, body: str) -> None:
    place = actors.place
    actors.use("one")
    actors.write()
    place.start()
    (actors.folder / "noter.py").write_text(NOTER.replace("class Noter", f"{body}\n\n\nclass Noter"))
    refused = "signal" not in body
    found = place.call(EXIT_REFUSED if refused else 0, "reload")
    assert ("error" in found) == refused
    assert place.ask("status")["root"]["state"] == "running"
    assert place.stop() == 0


def test_one_that_hangs_in_its_own_process_is_unreachable_to_who_watches_it(actors: Actors) -> None:
    actors.node += '\nlease = "30s"'
    (actors.folder / "noter.py").write_text(
        NOTER.replace("def start(self):", "def start(self):\n        self.monitor('one')", 1)
        .replace('f"{message.kind} {message.fact}"', 'f"{type(message).__name__}"')
        .replace("class Noter", "class Watches") + NOTER
    )
    actors.use("one", more='place = "process"')
    actors.use("two")
    actors.uses["two"] = actors.uses["two"].replace(":Noter", ":Watches")
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: actors.lines("one") and actors.lines("two"))
    pid = actors.pid("one")
    os.kill(pid, signal.SIGSTOP)
    place.wait(lambda: "Unreachable" in actors.lines("two"))
    os.kill(pid, signal.SIGCONT)
    place.wait(lambda: "Reachable" in actors.lines("two"))


def test_a_temporary_one_is_started_again_by_hand_and_order_is_the_file_s(actors: Actors) -> None:
    actors.rules = 'strategy = "rest_for_one"'
    (actors.folder / "noter.py").write_text(NOTER.replace('self.note("end")', 'time.sleep(0.05)\n        self.note("end")'))
    for name in ("one", "two"):
        actors.use(name)
    actors.use("three", more='restart = "temporary"\nplace = "process"')
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: all(actors.lines(name) for name in ("one", "two", "three")))
    assert place.ask("restart", "three")["starts"] == 2
    actors.use("one", how="x")
    actors.write()
    assert place.ask("reload")["parts"] == ["one"]
    place.wait(lambda: sum("start" in one for one in actors.lines("one")) == 2)
    assert place.ask("restart", "two")["starts"] == 2, "it keeps its place: the others stay"
    assert place.ask("restart", ACTORS)["state"] == "running"
    assert actors.states() == dict.fromkeys(("one", "two", "three"), "running"), "all of them, as soon as that is said"
    assert place.stop() == 0
    ends = [(actors.file(name).stat().st_mtime_ns, name) for name in ("one", "two")]
    assert [name for _, name in sorted(ends)] == ["two", "one"]


def test_nothing_of_them_is_left_when_the_root_or_their_process_dies(actors: Actors) -> None:
    actors.use("one", more='place = "process"')
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: actors.lines("one"))
    pid = actors.pid("one")
    place.node.signal(ACTORS, signal.SIGKILL)
    place.wait(lambda: not is_alive(pid) and sum("start" in one for one in actors.lines("one")) == 2)
    assert place.node.root is not None
    root = place.node.root.pid
    place.wait(lambda: pid not in below(root))  # it was left to the root, which reaps it
    pid = actors.pid("one")
    place.node.root.kill()
    place.wait(lambda: not is_alive(pid) and place.alive() == [])


SAID = {
    "deadly": "Deadly: it cannot say what is wrong, for that raises KeyboardInterrupt",
    "mute": "Mute: it cannot say what is wrong, for that raises RuntimeError",
    "surrogate": "OSError: no file here",
    "lines": "ValueError: one two [2J",
    "long": "ValueError: yyyy",
}


def test_whatever_words_an_actor_ends_with_it_is_started_again(actors: Actors) -> None:
    actors.rules = "intensity = 1000"
    for how in SAID:
        actors.use(f"{how}-a", how=how)
    for how in ("deadly", "surrogate"):
        actors.use(f"{how}-b", how=how, more='place = "process"')
    actors.use("good")
    bad = [name for name in actors.uses if name != "good"]
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: min(actors.starts(*bad)) >= 2)

    def told() -> dict[str, list[dict[str, Any]]]:
        return {name: [one for one in place.events() if one["event"] == "actor_ended" and one["part"] == name] for name in bad}

    place.wait(lambda: all(told().values()))
    for name, ends in told().items():
        said = SAID[name.partition("-")[0]]
        assert ends and all(one["reason"].startswith(said) and len(one["reason"]) <= 400 for one in ends), name
    assert actors.states()["good"] == "running" and actors.starts("good") == [1]


def test_one_that_hangs_before_it_has_begun_holds_the_others_up_for_a_lease_only(actors: Actors) -> None:
    actors.node += '\nlease = "2s"'
    actors.use("one", more='place = "process"')
    actors.use("two")
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: set(actors.states().values()) == {"running"})
    words = b"\0".join([b"tradebot.node.part_main", b"one", os.fsencode(place.node.folder)])
    before = actors.pid("one")
    os.kill(before, signal.SIGKILL)
    held_s = hold_next(words, before)
    place.wait(lambda: actors.starts("one") == [2])
    assert time.monotonic() - held_s < 15.0
    assert actors.states() == {"one": "running", "two": "running"}


def hold_next(words: bytes, before: int) -> float:
    """Stop a process as soon as it is there, before it has said that it has begun; when that was."""
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                pid = int(path.parent.name)
                if pid != before and words in path.read_bytes():
                    os.kill(pid, signal.SIGSTOP)
                    return time.monotonic()
    raise AssertionError("none was started")


@pytest.mark.parametrize("where", ["loop", "process"])
def test_one_that_fails_over_each_event_hears_each_once_more_and_gets_on(actors: Actors, where: str) -> None:
    actors.rules = 'intensity = 1000\nbackoff = "0s"'
    actors.use("one", how="flaky", more=f'place = "{where}"')
    actors.write()
    place = actors.place
    place.start()
    place.wait_orders(2)

    def heard() -> list[str]:
        return [one for one in actors.lines("one") if not one.startswith(("start", "end"))]

    place.wait(lambda: len(heard()) >= 6)  # three events, all of which were there when it began
    found = heard()[:6]
    assert found[::2] == found[1::2] and len(set(found)) == 3


def test_a_fact_that_gives_several_events_is_heard_with_the_last_of_them() -> None:
    part, heard = ActorPart.__new__(ActorPart), []
    part.actor = SimpleNamespace(events=EVERY_KIND)
    part.acting = SimpleNamespace(hear=lambda event, sender, done: heard.append(done))
    part.heard_last = part.read_last = 0
    words = {"time": "", "event": "place_order", "text": ""}
    part.hear_events([{"sequence": fact, **words} for fact in (5, 5, 7)])
    places = []
    for done in heard:
        done()
        places.append(part.heard_last)
    assert places == [4, 5, 7] and part.read_last == 7


def test_what_an_actor_wrote_into_a_file_is_in_it_when_its_process_has_ended(actors: Actors) -> None:
    actors.use("one", how="buffers", more='place = "process"')
    actors.use("two", how="buffers")
    actors.write()
    actors.place.start()
    actors.place.wait(lambda: actors.starts("one", "two") == [1, 1])
    assert actors.place.stop() == EXIT_DONE
    for name in ("one", "two"):
        assert Path(f"{actors.file(name)}.book").read_text() == "written and never flushed\n"


@pytest.mark.parametrize("how", ["thread", "hangs"])
def test_one_that_does_not_let_go_holds_up_no_stop(actors: Actors, how: str) -> None:
    """Its process has the time of all actors for its end, and takes it where it has something to do."""
    actors.node += '\nlease = "2s"'
    actors.use("bad", how=how, more='shutdown = "1s"')
    for name in ("one", "two", "three", "four"):
        actors.use(name, more='shutdown = "9s"')
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: len(actors.lines("bad")) >= 2)
    began_s = time.monotonic()
    assert place.stop() == EXIT_DONE
    assert time.monotonic() - began_s < 15.0
    assert how == "hangs" or all(actors.lines(name)[-1] == "end" for name in ("one", "two", "three", "four"))


def test_one_that_a_reload_takes_away_is_told_as_an_actor(actors: Actors) -> None:
    actors.use("one")
    actors.use("two")
    actors.write()
    place = actors.place
    place.start()
    place.wait(lambda: set(actors.states().values()) == {"running"})
    del actors.uses["two"]
    actors.write()
    assert place.ask("reload")["parts"] == ["two"]
    place.wait(lambda: any(one["event"] == "actor_ended" and one["part"] == "two" for one in place.events()))
    assert not [one for one in place.events() if one["event"] == "restart"]


def test_what_is_wrong_with_an_actor_is_said_and_holds_up_no_start(actors: Actors) -> None:
    place = actors.place
    actors.use("one")
    (actors.folder / "noter.py").write_text(NOTER.replace('"order_filled"', '"order_filed"'))
    actors.write()
    place.start()
    place.wait(lambda: "expected events to be a set of kinds" in (place.folder / "root.log").read_text())
    (actors.folder / "noter.py").write_text(NOTER)
    place.ask("reload")
    place.wait(lambda: actors.states() == {"one": "running"})
    for body in ("raise SystemError('x')", NOTER.replace("events =", "messages = int | Actor; events =")):
        (actors.folder / "noter.py").write_text(body)
        assert "actor 'one': expected" in place.call(EXIT_REFUSED, "reload")["error"]
    assert actors.states() == {"one": "running"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"use": "json:JSONDecoder"}, "expected an Actor class 'JSONDecoder', found actors: none"),
        ({"use": f"{EXAMPLE}:Crier"}, "Object missing required field `file`"),
        ({"use": f"{EXAMPLE}:Crier", "params": {"fil": "x"}}, "params.fil is no parameter of Crier: expected one of file, url"),
    ],
)
def test_what_is_wrong_with_a_class_is_said_with_the_actor_s_name(words: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=f"actor 'a': .*{why}"):
        make_actor(msgspec.convert({"name": "a", **words}, ActorUse))


def test_a_mark_is_had_of_code_that_is_not_there_and_other_code_has_another(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    uses = [msgspec.convert({"name": "a", "use": use}, ActorUse) for use in (f"{file}:A", "no_such_package.inner:A", "json:A")]
    marks = [safe_mark(use) for use in uses]
    assert marks[0].startswith("FileNotFoundError") and marks[1].startswith("ModuleNotFoundError") and len(set(marks)) == 3
    file.write_text("raise SystemExit")
    first = safe_mark(uses[0])
    file.write_text("raise SystemExit(1)")
    assert len({marks[0], first, safe_mark(uses[0])}) == 3


def test_a_place_that_cannot_be_read_is_the_beginning(tmp_path: Path) -> None:
    assert read_place(tmp_path / "none") == 0
    (tmp_path / "bad").write_text("x")
    assert read_place(tmp_path / "bad") == 0
    (tmp_path / "good").write_text("17")
    assert read_place(tmp_path / "good") == 17
