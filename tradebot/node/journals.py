"""Which journal a call means, and what is told of it. A run's lies in `<home>/journal/<run id>/engine`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tradebot.domain.errors import LocalError, UsageError
from tradebot.node.progress import Progress

if TYPE_CHECKING:
    from tradebot.store.journal_check import Report

ENGINE: Final = "engine"


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
