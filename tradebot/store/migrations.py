"""From the tables of an earlier version to today's, step by step and with their rows.

A store says in `schema_versions` which version it has. A new store gets today's tables at once; an older one is not
touched by opening it, but only by `tradebot store migrate`; a newer one is refused. A step is a list of statements that
may be run again (IF EXISTS, IF NOT EXISTS), and its version is written behind it: a migration that was killed goes on
with the step it was in.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from tradebot.domain.errors import StoreError
from tradebot.store.backend import Backend
from tradebot.store.schema import TABLES, VERSION, VERSIONS


class Migration(Struct, frozen=True):
    """The step to `version` from the one before. `{ticks}` in a statement stands for the table that has the rows,
    with what reaches all servers of a cluster; so does the name of any other table.
    """

    version: int
    why: str
    statements: tuple[str, ...]


MIGRATIONS: Final = [  # version 1 is the first
    Migration(
        2,
        "ticks are written and read in less time; rows that are there keep their codecs until parts are merged",
        (
            "ALTER TABLE {ticks} MODIFY COLUMN `instrument` UInt32 CODEC(T64)",
            "ALTER TABLE {ticks} MODIFY COLUMN `import` UInt64 CODEC(T64)",
            "ALTER TABLE {ticks} MODIFY COLUMN `row` UInt64 CODEC(Delta, LZ4)",
            "ALTER TABLE {ticks} MODIFY COLUMN `flags` UInt8 CODEC(ZSTD(1))",
        ),
    ),
]

# Column statistics, which newer engines make with every merge, cost a third of it; no statement of ours uses them.
_STATISTICS: Final = "auto_statistics_types"


def prepare(backend: Backend, target: int = VERSION) -> None:
    """Make a new store's tables. Raises StoreError where the store is of another version than `target`."""
    found = version_of(backend)
    if found is None:
        make_tables(backend)
        _write_version(backend, target)
    elif found < target:
        raise StoreError(
            f"expected a store of schema version {target} at {backend.place}, found {found}; "
            "bring it there with `tradebot store migrate`, after a `tradebot store backup`"
        )
    elif found > target:
        raise StoreError(
            f"expected a store of schema version {target} at {backend.place}, found {found}; "
            "update tradebot, or give another --home"
        )


def migrate(
    backend: Backend, migrations: Sequence[Migration] = MIGRATIONS, target: int = VERSION
) -> tuple[int, list[Migration]]:
    """Bring the store to `target`: the version it had and the steps done. Raises StoreError."""
    found = version_of(backend)
    if found is None or found > target:
        prepare(backend, target)
        return target, []
    steps = [one for one in migrations if found < one.version <= target]
    assert [one.version for one in steps] == list(range(found + 1, target + 1))
    names = {
        one.name: f"{backend.layout.kept(one.name)}{backend.layout.everywhere}" for one in (*TABLES, VERSIONS)
    }
    for step in steps:
        for statement in step.statements:
            backend.command(statement.format_map(names))
        _write_version(backend, step.version)
    if steps:
        _leave_statistics(backend)
    return found, steps


def version_of(backend: Backend) -> int | None:
    """None for a store whose tables are not all there yet."""
    for statement in VERSIONS.statements(backend.layout):
        backend.command(statement)
    versions = [row[0] for row in backend.rows("SELECT version FROM schema_versions")]
    return max(versions, default=None)


def make_tables(backend: Backend) -> None:
    """All but that of the version, where they are missing."""
    for table in TABLES:
        for statement in table.statements(backend.layout):
            backend.command(statement)
    _leave_statistics(backend)


def _leave_statistics(backend: Backend) -> None:
    if backend.rows(f"SELECT 1 FROM system.merge_tree_settings WHERE name = '{_STATISTICS}'"):
        table = f"{backend.layout.kept('ticks')}{backend.layout.everywhere}"
        backend.command(f"ALTER TABLE {table} MODIFY SETTING {_STATISTICS} = ''")


def _write_version(backend: Backend, version: int) -> None:
    backend.insert("schema_versions", {"version": [version]}, {"version": "UInt32"})
