"""Which journal a call means, and what is told of it. A run's lies in `<home>/journal/<run id>/engine`."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradebot.domain.errors import LocalError, UsageError
from tradebot.node.progress import Progress

if TYPE_CHECKING:
    from tradebot.store.journal_check import Report

ENGINE: Final = "engine"
GATEWAY: Final = "gateway"
VENUE: Final = "venue"
OF_OTHERS: Final = ("journal", "segments", "frames", "torn", "corrupt", "is_written")


def find_journal(home: Path, name: str) -> Path:
    """The folder of a journal by run id, by the start of one, by path, or "last". Raises UsageError."""
    from tradebot.store.journal_segments import list_segments

    folder = home / "journal"
    runs = sorted((path for path in folder.glob("*") if path.is_dir()), key=lambda path: path.stat().st_mtime_ns)
    near = [path for path in runs if path.name.startswith(name)]
    exact = [path for path in runs if path.name == name]
    meant = runs[-1:] if name == "last" else near if len(near) == 1 else []
    for found in [Path(name), *exact, *meant]:
        for place in (found, found / ENGINE):
            if list_segments(place):
                return Path(place).absolute()
    if len(near) > 1:
        raise UsageError(f"expected one run that begins with {name!r}, found {', '.join(path.name for path in near)}")
    known = ", ".join(path.name for path in runs[-5:]) or "none"
    raise UsageError(f"expected a run with a journal, or its folder, found none for {name!r}; the latest in {folder}: {known}")


def look_at_journal(home: Path, name: str, progress: Progress) -> dict[str, object]:
    """What a journal holds and what is wrong with it, every frame looked at. Raises UsageError, LocalError."""
    return _figures(*_check(home, name, progress))


def verify_run(home: Path, name: str, progress: Progress) -> dict[str, object]:
    """The figures of the engine's journal, and what is wrong in any of the run's: those of gateway and venue under `others`, and
    snapshots. Where the folder of one journal is named it is that alone. Raises UsageError, LocalError.
    """
    found = look_at_journal(home, name, progress)
    folder = Path(str(found["journal"]))
    if folder == Path(name).absolute() or folder.name != ENGINE:
        return found | {"snapshots_damaged": damaged_snapshots(folder)}
    others = {}
    for place in (folder.parent / GATEWAY, folder.parent / VENUE):
        if any(place.glob("*.tbj*")):
            others[place.name] = look_at_journal(home, str(place), progress)
    return found | total(found, others) | {
        "others": {part: {key: one[key] for key in OF_OTHERS} for part, one in others.items()},
        "snapshots_damaged": [text for part in (ENGINE, *others) for text in damaged_snapshots(folder.parent / part)],
    }  # fmt: skip


def total(found: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
    """Of all journals of a run: how many places are wrong, and each, which of another than the engine's is named with it."""
    faults = [dict(one) for one in found["faults"]]
    for part, one in others.items():
        faults += [fault | {"segment": f"{part}/{fault['segment']}"} for fault in one["faults"]]
    return {
        "torn": found["torn"] + sum(one["torn"] for one in others.values()),
        "corrupt": found["corrupt"] + sum(one["corrupt"] for one in others.values()),
        "faults": faults,
    }


def damaged_snapshots(folder: Path) -> list[str]:
    """Those that a start would pass over, in words. An older one and a longer tail give the same state."""
    from tradebot.store.journal_snapshots import Snapshots

    snapshots, bad = Snapshots(folder), []
    for sequence in snapshots.sequences():
        snapshots.oldest(not_before=sequence)
        bad += [text for text in snapshots.bad if text not in bad]
    return bad


def export_journal(home: Path, name: str, path: Path, progress: Progress) -> dict[str, object]:
    """Its facts and outputs as Parquet. Raises UsageError, and LocalError where it is damaged."""
    from tradebot.store import journal_export

    folder, report = _check(home, name, progress)
    if report.corrupt:
        first = report.corrupt[0]
        raise LocalError(
            f"expected a whole journal in {folder}, found {first.segment} at byte {first.offset}: {first.why}; see "
            f"`tradebot journal verify {folder}`"
        )
    started = time.monotonic()
    progress.start(f"writing {path.name}", None)
    rows = journal_export.export_journal(folder, path)
    progress.done()
    return _figures(folder, report) | {"path": str(path), "rows": rows, "seconds": round(time.monotonic() - started, 3)}


def _check(home: Path, name: str, progress: Progress) -> tuple[Path, "Report"]:
    from tradebot.store.journal_check import check_journal

    folder = find_journal(home, name)
    progress.start("reading the journal", None)
    try:
        return folder, check_journal(folder, progress.advance)
    finally:
        progress.done()


def _figures(folder: Path, report: "Report") -> dict[str, object]:
    import msgspec

    files = report.segments
    return {
        "journal": str(folder),
        "run_id": report.run_id,
        "from_fact": files[0].first_sequence,
        "segments": len(files),
        "frames": sum(one.frames for one in files),
        "facts": sum(one.facts for one in files),
        "commands": sum(one.commands for one in files),
        "torn": len(report.torn),
        "corrupt": len(report.corrupt),
        "is_written": report.is_written,
        "files": msgspec.to_builtins(files),
        "faults": msgspec.to_builtins([*report.corrupt, *report.torn]),
    }
