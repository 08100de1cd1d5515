"""How the parts of a node are: what their root knows of them, how far readers are behind, and what each last said of an error.

The root writes what it knows into the run's folder whenever a part starts or dies, so that no question holds up a restart.

journal/<run id>/parts.json     process id, starts and last exit of each part
"""

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from tradebot.actors.mailbox import ask
from tradebot.domain.errors import LocalError, NotRunning
from tradebot.node.session_files import API, STORE, find_current, ipc_folder, write_whole

NAME: Final = "parts.json"
STARTED: Final = "root: the node starts\n"
"""A line in the log: what stands before it is of an earlier start."""

SOON_S: Final = 0.5
LOG_BYTES: Final = 1 << 18  # of the end of the log that are looked at


def write_parts(folder: Path, figures: dict[str, dict[str, Any]]) -> None:
    """What the root knows. A disk that is full must not end it: what was known before stays there then."""
    with contextlib.suppress(OSError):
        write_whole(folder / NAME, msgspec.json.encode(figures))


def part_health(home: Path, facts: int) -> dict[str, dict[str, Any]]:
    """By process: `pid, state, starts, last_exit, behind, error, mailbox`, and `parts` where several live in it. `behind` are the
    facts, of as many as the engine has, that a reader has still to take: None of a part that reads nothing, or does not answer;
    `mailbox` the figures of its mailbox, None where it does not answer. Raises NotRunning where the home has no run.
    """
    folder = find_current(home)
    kept = read_parts(folder)
    errors = last_errors(home / "logs" / f"{folder.name}.log", kept)
    boxes = mailboxes(folder, [name for process, known in kept.items() for name in known.get("parts", (process,))])
    found = {
        name: {**known, "behind": None, "error": errors[name], "mailbox": boxes.get(name)} for name, known in kept.items()
    }
    for known in found.values():
        for name, inner in known.get("parts", {}).items():
            inner["mailbox"] = boxes[name]
    if STORE in found:
        found[STORE] |= store_health(home, facts)
    return found


def mailboxes(folder: Path, names: list[str]) -> dict[str, dict[str, Any] | None]:
    """By part the figures of its mailbox; they are asked at once, and one that does not answer soon has none."""
    body = msgspec.json.encode({"verb": "status"})

    def figures(name: str) -> dict[str, Any] | None:
        found = ask(ipc_folder(folder), f"{name}.desk", body, SOON_S)
        return None if found is None else msgspec.json.decode(found, type=dict[str, Any]).get("mailbox")

    with ThreadPoolExecutor(max(1, len(names))) as threads:
        return dict(zip(names, threads.map(figures, names), strict=True))


def read_parts(folder: Path) -> dict[str, dict[str, Any]]:
    """Empty where no root wrote any."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=dict[str, dict[str, Any]])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return {}


def store_health(home: Path, facts: int) -> dict[str, Any]:
    """What the store's part says of itself: an error of now, and whether what it took is written."""
    from tradebot.node.running import ask_node

    try:
        told = ask_node(home, STORE, "status")
    except (NotRunning, LocalError):
        return {"is_written": False}
    behind = max(facts - told["facts"], 0)
    return {"behind": behind, "is_written": told["is_written"]} | ({"error": told["why_not"]} if told["why_not"] else {})


def journals_health(home: Path) -> dict[str, Any]:
    """What is told of the run's journals by the part that tends them: bytes on the disk and from when on each is there, and what
    is damaged or could not be done. All empty where it does not answer.
    """
    from tradebot.node.running import ask_node

    try:
        told = ask_node(home, STORE, "status")
    except (NotRunning, LocalError):
        told = {}
    undone = list(told.get("undone", []))
    if not told.get("is_tended", True):
        undone.append(f"the journals are not tended, their thread has ended: see the log, then kill the process of the {STORE}")
    return {"journals": told.get("journals", {}), "journals_damaged": told.get("damaged", []), "journals_undone": undone}


def api_health(home: Path) -> dict[str, Any]:
    """What the part that clients reach says of itself, where the node has one: address, key, who is there, what was refused."""
    from tradebot.node.running import ask_node

    if API not in read_parts(find_current(home)):
        return {}
    try:
        return {"api": ask_node(home, API, "status")}
    except (NotRunning, LocalError) as error:
        return {"api": {"error": str(error)}}


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
