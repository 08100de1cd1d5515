"""The results folders of a home: made, named, found again."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from tradebot.domain.errors import UsageError
from tradebot.research.recording import explained

MANIFEST: Final = "manifest.json"


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


def find_folder(home: Path, name: str) -> Path:
    """The folder of a run by id, by the start of one, by path, or "last". Raises UsageError that lists what there is."""
    if (Path(name) / MANIFEST).is_file():
        return Path(name)
    runs = sorted(path.parent for path in (home / "results").glob(f"*/{MANIFEST}"))
    if name == "last" and runs:
        return max(runs, key=lambda folder: (folder / MANIFEST).stat().st_mtime_ns)
    matching = [folder for folder in runs if folder.name.startswith(name)]
    exact = [folder for folder in matching if folder.name == name]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    known = ", ".join(folder.name for folder in runs[-3:]) or "none: start one with `tradebot demo`"
    found = f"{len(matching)} that begin so" if matching else "none"
    raise UsageError(f"expected a run {name!r} in {home / 'results'}, found {found}; the latest runs: {known}")


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
