"""Imports of a home's store, listed and taken out again: what would go is said before, and what runs were made of stays.

The store knows how rows go; this file knows who may still need them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tradebot.domain.errors import Refused
from tradebot.node.places import store_place
from tradebot.node.progress import Progress

if TYPE_CHECKING:
    from tradebot.store.client import Store

RUNS_NAMED_MAX = 3


def remove_imports(
    home: Path, wanted: Sequence[str], is_agreed: bool, is_forced: bool, progress: Progress, dsn: str | None = None
) -> dict[str, object]:
    """Take imports out where it `is_agreed`, else only say what would go. Those that a run in the store was made of stay
    unless it `is_forced`.

    Raises UsageError where an id is not known, Refused, StoreError.
    """
    from tradebot.store.client import open_store

    with open_store(store_place(home, dsn)) as store:
        chosen = store.choose_imports(wanted)
        runs = {one.import_id: _runs_of(store, one.import_id) for one in chosen}
        used = {import_id: found for import_id, found in runs.items() if found}
        if used and not is_forced:
            raise Refused(_explain(used))
        if is_agreed:
            progress.start("removing", len(chosen))
            for one in chosen:
                store.remove_import(one.import_id)
                progress.advance(1)
            progress.done()
    return {
        "removed": is_agreed,
        "rows": sum(one.rows for one in chosen),
        "imports": [{**msgspec.to_builtins(one), "runs": runs[one.import_id]} for one in chosen],
    }


def _runs_of(store: "Store", import_id: str) -> list[str]:
    """The runs in the store whose selection has the import."""
    return [str(run["run_id"]) for run in store.runs() if import_id in run.get("selection", {}).get("imports", [])]


def _explain(used: dict[str, list[str]]) -> str:
    import_id, found = next(iter(used.items()))
    more = f" and {len(found) - RUNS_NAMED_MAX} more" if len(found) > RUNS_NAMED_MAX else ""
    return (
        f"expected an import that no run was made of, found {import_id} in {', '.join(found[:RUNS_NAMED_MAX])}{more}, which "
        "could not be replayed without it; give --force to remove it all the same"
    )
