"""The results folders of a home: made, named, found again."""

import re
import shutil
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import msgspec

from tradebot.domain.errors import UsageError
from tradebot.research.recording import explained

MANIFEST: Final = "manifest.json"
PREPARED: Final = "run.bin"  # in the journal's folder of a node's run

_LAST: Final = re.compile(r"last(?:~(\d{1,6}))?")


def make_folder(home: Path, identity: str) -> Path:
    """A new folder for a run: the time it began, and the start of what identifies it. 0700."""
    began = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    stem = f"{began}-{identity[:8]}"
    for number in range(1000):
        folder = home / "results" / (stem if number == 0 else f"{stem}-{number}")
        try:
            folder.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            continue
        return folder
    raise UsageError(f"expected fewer than 1,000 runs of {stem}, found more; remove some of {home / 'results'}")


def find_folder(home: Path, name: str, with_nodes: bool = False) -> Path:
    """The folder of a run by id, by the start of one, by path, "last", or "last~2" for the second before the last; among the
    journals of nodes, too, `with_nodes`.

    Raises UsageError that lists what there is, and what is near.
    """
    marks = {"results": MANIFEST} | ({"journal": PREPARED} if with_nodes else {})
    if any((Path(name) / mark).is_file() for mark in marks.values()):
        return Path(name)
    found = [path.parent for place, mark in marks.items() for path in (home / place).glob(f"*/{mark}")]
    runs = sorted(found, key=lambda folder: folder.name)
    back = _LAST.fullmatch(name)
    if back and runs:
        return _last(runs, int(back[1] or 0), name)
    matching = [folder for folder in runs if folder.name.startswith(name)]
    exact = [folder for folder in matching if folder.name == name]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    known = ", ".join(folder.name for folder in runs[-3:]) or "none: start one with `tradebot demo`"
    told = f"{len(matching)} that begin so" if matching else "none"
    near = "" if matching else _nearest(name, [folder.name for folder in runs])
    places = " or ".join(str(home / place) for place in marks)
    raise UsageError(f"expected a run {name!r} in {places}, found {told}{near}; the latest runs: {known}")


def is_node(folder: Path) -> bool:
    """Whether a run's folder is that of a node: its journal is the record."""
    return (folder / PREPARED).is_file()


def _last(runs: list[Path], back: int, name: str) -> Path:
    """By the time in which they ended. Raises UsageError where there are not so many."""
    if back >= len(runs):
        raise UsageError(f"expected at least {back + 1} runs for {name!r}, found {len(runs)}: name an earlier one by its id")
    return sorted(runs, key=lambda folder: (_ended_ns(folder), folder.name))[-1 - back]


def _ended_ns(folder: Path) -> int:
    """When a backtest ended, and when a node last wrote in its folder."""
    files = [folder / MANIFEST] if not is_node(folder) else [*folder.iterdir(), *(folder / "engine").glob("*")]
    return max(path.stat().st_mtime_ns for path in files)


def _nearest(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=2)
    return f"; the nearest: {', '.join(near)}" if near else ""


def remove_folder(folder: Path) -> None:
    """Take away what a run that did not end has left. What cannot be removed stays: the reason it ended counts more."""
    shutil.rmtree(folder, ignore_errors=True)


def write_manifest(folder: Path, manifest: dict[str, object]) -> None:
    """Write it whole or not at all. Raises StoreFull where the disk is full."""
    path = folder / (MANIFEST + ".new")
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        path.replace(folder / MANIFEST)
    except OSError as error:
        raise explained(error, folder) from error


def read_manifest(folder: Path) -> dict[str, object]:
    """All of a manifest as plain data. Raises UsageError where it is none."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=dict[str, object])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"expected a run's manifest in {folder}, found {error}; run it again") from error


def now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
