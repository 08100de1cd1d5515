"""What of a node's configuration may change while it runs, and which parts start again for it.

The tree stays; a part that a change concerns ends as at a stop and starts with the new values, and an engine whose strategies or
limits changed begins them anew on its books, as after any edit. What makes the run what it is, its account, its market and its
costs, changes only between a stop and a start.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from tradebot.domain.errors import ConfigError, NotRunning, Refused
from tradebot.node.awaiting import Awaited
from tradebot.node.config import config_to_dict
from tradebot.node.schema import Config
from tradebot.node.session_files import ACTORS, API, ENGINE, FEED, GATEWAY, STORE, VENUE, find_current, write_whole

NAME: Final = "reload.json"
CONCERNS: Final[dict[str, tuple[str, ...]]] = {
    "strategy": (ENGINE,),
    "risk": (ENGINE,),
    "node.speed": (FEED,),
    "node.rounds": (FEED,),
    "node.sync": (VENUE, GATEWAY, ENGINE),
    "node.write": (VENUE, GATEWAY, ENGINE),
    "node.segment_mb": (VENUE, GATEWAY, ENGINE),
    "node.snapshot_facts": (VENUE, ENGINE),
    "node.reconcile": (ENGINE,),
    "node.order_age": (GATEWAY,),
    "node.record": (STORE,),
    "node.keep": (STORE,),
    "node.compress": (STORE,),
    "node.api": (API,),
    "node.actors": (ACTORS,),
    "node.supervisor": (),
    "node.lease": (),
    "node.memory_mb": (),
    "node.on_stop": (),
}
"""By key, or the table that it is in: the parts that must start again."""


def changes(before: Config, after: Config) -> list[str]:
    """The keys whose values differ. Tables of a list are called by their names, and one that came or went is one key."""
    return sorted(_differing(config_to_dict(before), config_to_dict(after), ()))


def _differing(old: object, new: object, path: tuple[str, ...]) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _differing(old.get(key), new.get(key), (*path, key))
        return
    olds, news = _by_name(old), _by_name(new)
    if olds is None or news is None or (olds.keys() == news.keys() and list(olds) != list(news)):
        yield ".".join(path)  # also where they are in another order
    else:
        yield from _differing(olds, news, path)


def _by_name(value: object) -> dict[str, object] | None:
    """The tables of a list; None where it is none, or they have no names."""
    if not isinstance(value, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in value):
        return None
    return {one["name"]: one for one in value}


def parts_concerned(changed: list[str]) -> set[str]:
    """Raises ConfigError for a key that must not change while a node runs."""
    return {part for path in changed for part in _parts_of(path)}


def _parts_of(path: str) -> tuple[str, ...]:
    for name, parts in CONCERNS.items():
        if path == name or path.startswith((f"{name}.", f"{name}[")):
            return parts
    raise ConfigError(f"{path}: expected it to stay while the node runs, found it changed: stop the node and start it again")


def write_outcome(folder: Path, outcome: dict[str, Any]) -> None:
    """For who asked: the number grows with each reload of the run."""
    write_whole(folder / NAME, msgspec.json.encode({"number": read_outcome(folder).get("number", 0) + 1, **outcome}))


def read_outcome(folder: Path) -> dict[str, Any]:
    """Of the last reload; empty before the first."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return {}


def reload_node(home: Path, timeout_s: float) -> dict[str, Any]:
    """Have the home's root read its configuration again, and wait for what becomes of it. Raises Refused; NotRunning, also where
    the node ends before; TimedOut, also where the root does not answer.
    """
    awaited, folder = Awaited(home, "a node that reloads"), find_current(home)
    if awaited.phase == "starting":  # the signal would end it
        raise NotRunning("expected a node that is ready, found one that starts: `tradebot reload` once it trades")
    before = read_outcome(folder).get("number", 0)
    os.kill(awaited.root, signal.SIGHUP)

    def look() -> dict[str, Any] | None:
        found = read_outcome(folder)
        return found if found.get("number", 0) != before else None

    found = awaited.wait(look, timeout_s)
    if not found["accepted"]:
        raise Refused(found["why"])
    return found


def described(changed: list[str], parts: list[str], gone: list[str]) -> str:
    """What a reload did, for people; `gone` are those of the parts that it took away, which end in their own time."""
    what = ", ".join(changed) if changed else "nothing"
    again = [name for name in parts if name not in gone]
    ended = f"; taken away: {', '.join(gone)}" if gone else ""
    return f"changed: {what}; started again: {', '.join(again) or 'nobody'}{ended}"
