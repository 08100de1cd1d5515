"""Supervisors below that of all actors: what one does to its own is done to nobody else, and one that gives up is started again
by the one above, by whose rules that is.
"""

import contextlib
import os
import signal

import pytest

from tests.node.acted import Actors
from tradebot.cli.main import main
from tradebot.domain.errors import EXIT_DONE, ConfigError
from tradebot.node.actor_group import supervisor_of
from tradebot.node.config import load_config
from tradebot.node.health import is_alive
from tradebot.node.session_files import ACTORS

FAST = 'intensity = 1\nperiod = "60s"\nbackoff = "0s"'


def pair(actors: Actors, rules: str, place: str = "loop") -> None:
    """`one`, and below a supervisor of their own `two` and `three`, `two` in a process."""
    actors.supervisors = f'[[node.actors.supervisor]]\nname = "pair"\n{rules}'
    actors.use("one")
    actors.use("two", more='supervisor = "pair"\nplace = "process"')
    actors.use("three", more=f'supervisor = "pair"\nplace = "{place}"')
    actors.write()
    actors.place.start()
    actors.place.wait(lambda: actors.starts("one", "two", "three") == [1, 1, 1])
    actors.place.wait(lambda: set(actors.states().values()) == {"running"})


def kill(actors: Actors, name: str) -> None:
    """And wait until another has begun."""
    before = actors.starts(name)[0]
    os.kill(actors.pid(name), signal.SIGKILL)
    actors.place.wait(lambda: actors.starts(name)[0] == before + 1 and actors.states()[name] == "running")


@pytest.mark.parametrize("where", ["loop", "process"])
def test_all_of_one_for_all_begin_anew_and_nobody_beside_them(actors: Actors, where: str) -> None:
    pair(actors, f'strategy = "one_for_all"\n{FAST}', where)
    kill(actors, "two")
    actors.place.wait(lambda: actors.starts("one", "two", "three") == [1, 2, 2])
    assert actors.lines("three").count("end") == 1
    found = actors.status()["supervisors"]["pair"]
    assert found == {"state": "running", "starts": 1, "last_exit": None, "parts": ["two", "three"]}


def test_one_that_gives_up_is_started_again_by_the_one_above_and_ends_nobody_else(actors: Actors) -> None:
    pair(actors, FAST)
    pid = actors.place.node.pids(ACTORS)[0]
    kill(actors, "two")
    kill(actors, "two")  # once more than it may
    actors.place.wait(lambda: actors.starts("one", "two", "three") == [1, 3, 2])
    found = actors.status()["supervisors"]["pair"]
    assert (found["state"], found["starts"]) == ("running", 2)
    assert found["last_exit"] == "it gave up: those below it died too often"
    assert actors.place.node.pids(ACTORS) == [pid]
    events = [one["event"] for one in actors.place.events()]
    assert events.count("supervisor_ended") == 1 and "restart" not in events
    actors.place.capsys.readouterr()
    assert main(["--home", str(actors.place.node.home), "status"]) == EXIT_DONE
    page = [line.split()[:1] for line in actors.place.capsys.readouterr().out.splitlines()]
    at = page.index(["actors"])
    assert page[at + 1 : at + 5] == [["one"], ["pair"], ["two"], ["three"]]


def test_a_supervisor_is_restarted_by_its_name_with_all_below_it(actors: Actors) -> None:
    pair(actors, FAST)
    found = actors.place.ask("restart", "pair")
    assert (found["part"], found["state"], found["starts"]) == ("pair", "running", 2)
    actors.place.wait(lambda: actors.starts("one", "two", "three") == [1, 2, 2])
    assert [actors.lines(name).count("end") for name in ("two", "three")] == [1, 1]
    assert actors.status()["supervisors"]["pair"]["last_exit"] == "shutdown"


def test_a_group_that_waits_for_one_is_back_when_that_one_is_started_or_taken_away(actors: Actors) -> None:
    pair(actors, 'strategy = "one_for_all"\nintensity = 100\nbackoff = "600s"\nbackoff_max = "600s"')

    def is_waiting() -> bool:
        """The first restart is at once, and so is one after a life of a second."""
        states = actors.states()
        if states["two"] == "running":
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(actors.pid("two"), signal.SIGKILL)
        return states == {"one": "running", "two": "restarting", "three": "restarting"}

    actors.place.wait(is_waiting)
    actors.place.ask("restart", "two")
    actors.place.wait(lambda: set(actors.states().values()) == {"running"})
    actors.place.wait(is_waiting)
    actors.use("two", more='place = "process"')  # it is below the first now
    actors.write()
    actors.place.ask("reload")
    actors.place.wait(lambda: set(actors.states().values()) == {"running"})


def test_one_that_is_temporary_stays_down_until_one_of_its_own_is_started_by_hand(actors: Actors) -> None:
    pair(actors, f'{FAST}\nrestart = "temporary"'.replace("intensity = 1", "intensity = 0"))
    os.kill(actors.pid("two"), signal.SIGKILL)
    actors.place.wait(lambda: actors.status()["supervisors"]["pair"]["state"] == "stopped")
    actors.place.wait(lambda: actors.states() == {"one": "running", "two": "stopped", "three": "stopped"})
    assert actors.starts("one", "two", "three") == [1, 1, 1]
    assert actors.place.ask("restart", "two")["state"] == "running"
    actors.place.wait(lambda: actors.starts("one", "two", "three") == [1, 2, 2])
    os.kill(actors.pid("two"), signal.SIGKILL)
    actors.place.wait(lambda: actors.states() == {"one": "running", "two": "stopped", "three": "stopped"})
    actors.use("four", more='supervisor = "pair"')
    actors.write()
    assert actors.place.ask("reload")["parts"] == ["four"]
    actors.place.wait(lambda: actors.starts("one", "two", "three", "four") == [1, 3, 3, 1])
    assert actors.status()["supervisors"]["pair"]["state"] == "running"


def test_one_that_comes_back_in_the_middle_of_a_reload_starts_nobody_that_is_elsewhere_now(actors: Actors) -> None:
    """It waits for its restart when the reload begins, and is back while another that differs takes its time to end."""
    actors.rules = 'backoff = "2s"\nbackoff_max = "2s"\nintensity = 100'
    actors.use("slow", more='shutdown = "9s"', end_s=4.0)
    pair(actors, FAST.replace("intensity = 1", "intensity = 0"))
    kill(actors, "two")
    os.kill(actors.pid("two"), signal.SIGKILL)  # the second restart in a row waits
    actors.place.wait(lambda: actors.status()["supervisors"]["pair"]["state"] == "restarting")
    actors.use("slow", how="x", more='shutdown = "9s"', end_s=4.0)
    actors.use("two", more='place = "process"')
    actors.write()
    assert actors.place.ask("reload")["parts"] == ["slow", "two"]
    actors.place.wait(lambda: actors.starts("slow") == [2] and set(actors.states().values()) == {"running"})
    pids = [one.split()[1] for one in actors.lines("two") if one.startswith("start")]
    assert [pid for pid in pids if is_alive(int(pid))] == [str(actors.pid("two"))]
    del actors.uses["two"]
    actors.write()
    actors.place.ask("reload")
    actors.place.wait(lambda: not any(is_alive(int(pid)) for pid in pids))


def test_a_reload_moves_an_actor_from_one_to_another_and_the_rest_stay(actors: Actors) -> None:
    pair(actors, 'strategy = "one_for_all"')
    actors.use("two", more='place = "process"')
    actors.use("four", more='supervisor = "pair"')
    actors.write()
    assert actors.place.ask("reload")["parts"] == ["two", "four"]
    actors.place.wait(lambda: actors.starts("one", "two", "three", "four") == [1, 2, 1, 1])
    assert actors.status()["supervisors"]["pair"]["parts"] == ["three", "four"]
    kill(actors, "two")
    assert actors.starts("one", "three", "four") == [1, 1, 1], "it is none of theirs any more"
    actors.place.ask("restart", "three")
    actors.place.wait(lambda: actors.starts("one", "two", "three", "four") == [1, 3, 2, 1])
    actors.supervisors = ""
    actors.use("three")
    actors.use("four")
    actors.write()
    assert actors.place.ask("reload")["parts"] == [ACTORS, "one", "two", "three", "four"], "other supervisors are another tree"
    actors.place.wait(lambda: set(actors.states().values()) == {"running"} and "supervisors" not in actors.status())


def uses(*lines: str) -> list[str]:
    base = ['account={venue="x",start="1 USD"}', 'strategy=[{use="a:B",instruments=["A/USD"]}]']
    return [*base, f"node.actors={{{', '.join(lines)}}}"]


def test_a_supervisor_stands_where_the_first_of_its_own_does() -> None:
    names = [("a", ""), ("b", "s"), ("c", ""), ("d", "s"), ("e", "t")]
    actor = ", ".join(f'{{name="{name}",use="m:C",supervisor="{one}"}}' for name, one in names)
    config = load_config([], {}, uses(f"actor=[{actor}]", 'supervisor=[{name="t"},{name="s",strategy="rest_for_one"}]')).config
    assert config.node.actors is not None
    spec = supervisor_of(config.node.actors)
    assert [child.id for child in spec.children] == ["a", "s", "c", "t"]
    below = spec.children[1].start
    assert [child.id for child in below.children] == ["b", "d"] and below.strategy == "rest_for_one"
    assert spec.children[1].shutdown_s is None, "as long as its own take"


@pytest.mark.parametrize(
    ("actor", "supervisor", "why"),
    [
        ('{name="a",use="m:C",supervisor="t"}', '{name="s"}', "[[node.actors.supervisor]] by its name, s, found 't'"),
        ('{name="a",use="m:C"}', '{name="s"}', "expected an actor with supervisor = 's', found none"),
        ('{name="s",use="m:C",supervisor="s"}', '{name="s"}', "found 's', which is there twice"),
        ('{name="a",use="m:C",supervisor="feed"}', '{name="feed"}', "found 'feed', which is a part of the node"),
        ('{name="a",use="m:C",supervisor="S"}', '{name="S"}', "expected a name of a-z"),
        ('{name="a",use="m:C",supervisor="s"}', '{name="s",backoff="1h"}', "expected a first wait"),
    ],
)
def test_what_is_wrong_with_supervisors_is_named(actor: str, supervisor: str, why: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config([], {}, uses(f"actor=[{actor}]", f"supervisor=[{supervisor}]"))
    assert why in str(error.value)
