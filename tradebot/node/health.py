"""How the parts of a node are: what their root knows of them, how far readers are behind, and what each last said of an error.

The root writes what it knows into the run's folder whenever a part starts or dies, so that no question holds up a restart. A root
that hangs writes nothing: so of each process it is also looked whether it is there, and of each part whether it answers.

journal/<run id>/parts.json     process id, starts and last exit of each part
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from tradebot.actors.mailbox import ask_all
from tradebot.actors.offspring import state_of
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import LocalError, NotRunning
from tradebot.node.root_lock import root_of
from tradebot.node.session_files import API, ENGINE, GATEWAY, STORE, find_current, mailboxes_of, write_whole

NAME: Final = "parts.json"
STARTED: Final = "root: the node starts\n"
"""A line in the log: what stands before it is of an earlier start."""

ANSWER_S: Final = 2.0  # that a part has to answer, and all of them together
RUNNING: Final = "running"
LOG_BYTES: Final = 1 << 18  # of the end of the log that are looked at


def write_parts(folder: Path, figures: dict[str, dict[str, Any]]) -> None:
    """What the root knows. A disk that is full must not end it: what was known before stays there then."""
    with contextlib.suppress(OSError):
        write_whole(folder / NAME, msgspec.json.encode(figures))


class Heard:
    """What the parts of a home's run say at their desks, asked all at once until one deadline, and the root with them. Raises
    NotRunning where the home has no run.
    """

    def __init__(self, home: Path) -> None:
        self.home, self.folder = home, find_current(home)
        self.known = read_parts(self.folder)
        names = {*self.known, *(name for name, _ in each_part(self.known))}
        desks = {name: f"{name}.desk" for name in sorted({*names, ENGINE, GATEWAY, STORE, ROOT})}
        body = msgspec.json.encode({"verb": "status"})
        try:
            folder = mailboxes_of(self.folder)
        except LocalError:  # whoever is there, it is none of the node's
            folder = None
        found = ask_all(folder, desks.values(), body, ANSWER_S) if folder else {}
        self.said = {
            name: msgspec.json.decode(said, type=dict[str, Any]) if (said := found.get(desk)) is not None else None
            for name, desk in desks.items()
        }

    def answer(self, name: str) -> dict[str, Any]:
        """Raises NotRunning where the part does not answer, LocalError where it refuses."""
        said = self.said.get(name)
        if said is None:
            limit = f"within {ANSWER_S:g} s"
            raise NotRunning(
                f"expected the {name} of run {self.folder.name} to answer {limit}, found nobody: is the node running?"
            )
        if "error" in said:
            raise LocalError(f"expected the {name} to do status, found: {said['error']}")
        return said

    def mailbox(self, name: str) -> dict[str, Any] | None:
        """The figures of a part's mailbox; None where it does not answer."""
        return (self.said.get(name) or {}).get("mailbox")

    def root(self) -> dict[str, Any]:
        """`pid, state, mailbox` of the root: `running`, `silent` where it lives and does not answer, `dead` where it is gone."""
        try:
            pid = root_of(self.home)
        except NotRunning:
            pid = None
        state = RUNNING if self.said[ROOT] is not None else "silent" if pid and is_alive(pid) else "dead"
        return {"pid": pid, "state": state, "mailbox": self.mailbox(ROOT)}

    def seen(self, state: str, pid: int | None, names: Iterable[str], is_kept: bool) -> str:
        """The state of what the root last knew to run. Nobody's process is that of a node without a root: the number of one that
        was may be another's by now.
        """
        if state != RUNNING or any(self.said.get(name) is not None for name in names):
            return state
        return "silent" if is_kept and (pid is None or is_alive(pid)) else "dead"


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended: one that nobody has taken leave of yet has."""
    return state_of(pid) not in ("", "Z", "X")


def part_health(heard: Heard, facts: int) -> dict[str, dict[str, Any]]:
    """By process: `pid, state, starts, last_exit, behind, error, mailbox`, and `parts` where several live in it. `state` is what
    the root knows, but `dead` where the process is gone and `silent` where it does not answer. `behind` are the facts, of as many
    as the engine has, that a reader has still to take: None of a part that reads nothing, or does not answer; `mailbox` the
    figures of its mailbox, None where it does not answer.
    """
    inside = [name for one in heard.known.values() for name in one.get("parts", {})]
    errors = last_errors(heard.home / "logs" / f"{heard.folder.name}.log", [*heard.known, *inside])
    more = {name: {"behind": None, "error": errors[name], "mailbox": heard.mailbox(name)} for name in heard.known}
    found = {name: {**known, **more[name]} for name, known in seen_parts(heard).items()}
    for known in found.values():
        for name, inner in known.get("parts", {}).items():
            inner["mailbox"] = heard.mailbox(name)
            inner["error"] = errors[name]
            inner["pid"] = (heard.said.get(name) or {}).get("pid")
    if STORE in found:
        found[STORE] |= store_health(heard, facts)
    return found


def seen_parts(heard: Heard) -> dict[str, dict[str, Any]]:
    """What the root knows of each process and of the parts in it, with the state that is seen now."""
    is_kept = heard.root()["state"] != "dead"
    found = {}
    for process, known in heard.known.items():
        pid, inner = known["pid"], known.get("parts", {})
        found[process] = {**known, "state": heard.seen(known["state"], pid, inner or [process], is_kept)}
        if inner:
            parts = {name: {**one, "state": heard.seen(one["state"], pid, [name], is_kept)} for name, one in inner.items()}
            found[process]["parts"] = parts
    return found


def each_part(parts: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """By name, whether it has a process of its own or lives with others."""
    for process, known in parts.items():
        yield from known.get("parts", {process: known}).items()


def seen_peers(told: dict[str, str], parts: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What the engine was told of the others, but of who is seen to be otherwise: a root that hangs tells nothing."""
    states = {name: one["state"] for name, one in each_part(parts)}
    words = {"dead": "dead: its process is gone", "silent": "silent: it does not answer"}
    return {name: words.get(states.get(name, ""), word) if word == "there" else word for name, word in told.items()}


def store_health(heard: Heard, facts: int) -> dict[str, Any]:
    """What the store's part says of itself: an error of now, and whether what it took is written."""
    try:
        told = heard.answer(STORE)
    except (NotRunning, LocalError):
        return {"is_written": False}
    behind = max(facts - told["facts"], 0)
    return {"behind": behind, "is_written": told["is_written"]} | ({"error": told["why_not"]} if told["why_not"] else {})


def journals_health(heard: Heard) -> dict[str, Any]:
    """What is told of the run's journals by the part that tends them: bytes on the disk and from when on each is there, and what
    is damaged or could not be done. All empty where it does not answer.
    """
    try:
        told = heard.answer(STORE)
    except (NotRunning, LocalError):
        told = {}
    undone = list(told.get("undone", []))
    if not told.get("is_tended", True):
        undone.append(f"the journals are not tended, their thread has ended: see the log, then kill the process of the {STORE}")
    return {"journals": told.get("journals", {}), "journals_damaged": told.get("damaged", []), "journals_undone": undone}


def api_health(heard: Heard) -> dict[str, Any]:
    """What the part that clients reach says of itself, where the node has one: address, key, who is there, what was refused."""
    if API not in heard.known:
        return {}
    try:
        return {"api": heard.answer(API)}
    except (NotRunning, LocalError) as error:
        return {"api": {"error": str(error)}}


def read_parts(folder: Path) -> dict[str, dict[str, Any]]:
    """Empty where no root wrote any."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=dict[str, dict[str, Any]])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return {}


def last_errors(log: Path, names: Iterable[str]) -> dict[str, str | None]:
    """The last line in the log that begins with the name of each part, since the node's last start."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        text = ""
    lines = text.rpartition(STARTED)[2].splitlines()
    return {name: next((line for line in reversed(lines) if line.startswith(f"{name}: ")), None) for name in names}
