"""Finished runs of a home held against the first of them: found by name, compared by `research`, drawn beside their results."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tradebot.domain.errors import UsageError
from tradebot.node.build import finished_manifest
from tradebot.node.runs import find_folder
from tradebot.research.comparison import Comparison, compare, differences
from tradebot.research.comparison_page import write_comparison


def compare_runs(names: Sequence[str], home: Path) -> dict[str, object]:
    """Compare runs by name; the keys are those of CLI.md, what was set apart, why they are not comparable, and the page.

    Raises UsageError on fewer than two runs, or one that is not there; LocalError on a run that did not end.
    """
    if len(names) < 2:
        raise UsageError(f"expected two runs or more to compare, found {len(names)}: name another, such as last~1")
    folders = [find_folder(home, name) for name in names]
    return compare_folders(folders)


def compare_folders(folders: Sequence[Path]) -> dict[str, object]:
    """As `compare_runs`, of results folders; the page goes beside the first of them."""
    for folder in folders:
        finished_manifest(folder)
    found = compare(folders)
    return _answer(found, write_comparison(folders[0].resolve().parent, found))


def _answer(found: Comparison, picture: Path) -> dict[str, object]:
    ids = [one.run_id for one in found.runs]
    return {
        "runs": [{"run_id": one.run_id, "metrics": msgspec.to_builtins(one.metrics)} for one in found.runs],
        "differences": differences(found),
        "settings": [
            {"group": one.group, "name": one.name, "values": dict(zip(ids, one.values, strict=True))} for one in found.settings
        ],
        "comparable": not found.doubts,
        "warnings": [*found.doubts, *found.remarks],
        "page": str(picture),
    }
