"""Loads users' actors by the names that the configuration gives."""

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Final

import msgspec

from tradebot._core.types import Kind
from tradebot.actors.actor import EVERY_KIND, Actor
from tradebot.domain.errors import EXIT_DONE, ConfigError
from tradebot.domain.params import make_params
from tradebot.node import identity, loading
from tradebot.node.loading import Sort
from tradebot.node.node_schema import ActorUse

SORT: Final = Sort(Actor, "an Actor", "actors")
CHECK_S: Final = 30.0
NOWHERE: Final = ModuleSpec("", None)
MORE_EVENTS: Final = frozenset({"answer_refused", "journal_begins"})  # which are no facts


def load_actor(what: str, use: ActorUse) -> type[Actor]:
    """Its class, with what that declares looked at. Raises ConfigError, StrategyBlocked."""
    found: type[Actor] = loading.load_class(what, use.target, SORT)
    check_events(what, found)
    check_messages(what, found)
    return found


def make_actor(use: ActorUse) -> Actor:
    """Raises ConfigError: no such code, code that fails, a parameter that is unknown or out of bounds, an event that is none."""
    what = f"actor {use.name!r}"
    try:
        return loading.make(what, load_actor(what, use), use.params)
    except KeyboardInterrupt as error:  # of its own making: it is made in a process that no terminal interrupts
        raise loading.unloadable(what, error) from error


def check_actor(use: ActorUse) -> None:
    """All that can be said of an actor without making it: its constructor may do what it likes. Raises ConfigError."""
    what = f"actor {use.name!r}"
    found = load_actor(what, use)
    try:
        make_params(found, found.Params, use.params)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}") from error


def check_messages(what: str, actor: type[Actor]) -> None:
    try:
        if actor.messages is not None:
            msgspec.msgpack.Decoder(actor.messages)
    except (TypeError, ValueError, NameError) as error:
        raise ConfigError(f"{what}: expected messages to be a Struct, or several with a tag each, found: {error}") from error


def check_apart(uses: Sequence[ActorUse], file: Path) -> str:
    """What is wrong with actors, found by a process of its own, which is told of them in `file`: what they do when they are
    loaded must not be done to who asks. Empty where nothing is.
    """
    file.write_bytes(msgspec.json.encode(uses))
    words = [sys.executable, "-m", "tradebot.node.actor_check", str(file)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=CHECK_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"expected actors that load within {CHECK_S:g} s, found that they do not"
    if done.returncode == EXIT_DONE:
        return ""
    said = done.stderr.strip().splitlines()
    return said[-1] if said else f"expected actors that load, found that the process that loads them ended with {done.returncode}"


def check_events(what: str, actor: type[Actor]) -> None:
    """One that is misspelt would never be heard of, and nobody would be told."""
    known = {kind.name.lower() for kind in Kind} | MORE_EVENTS
    is_set = isinstance(actor.events, set | frozenset | tuple | list)
    if not is_set or (wrong := sorted(set(actor.events) - known - EVERY_KIND)):
        found = wrong[0] if is_set else repr(actor.events)
        raise ConfigError(
            f"{what}: expected events to be a set of kinds such as order_filled and strategy_quarantined, found {found}"
        )


def mark_of(use: ActorUse) -> str:
    """Names what an actor is made of: other code in its file, or other words, another mark. Its module is not loaded. Raises
    OSError, ImportError where there is none, and what the packages around it raise.
    """
    target = use.target
    path = target.module if target.is_file else (importlib.util.find_spec(target.module) or NOWHERE).origin
    code = Path(path).read_bytes() if path else b""
    return identity.identity([hashlib.sha256(code).hexdigest(), msgspec.to_builtins(use)])
