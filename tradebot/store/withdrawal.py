"""An import taken out of the store again: unseen at once, then gone, whoever is killed.

The manifest row goes first, so from then on no reader sees any of the rows; then the rows go, then the name in
`imports_begun`. Killed in between, the import is one that was begun and not finished: the same removal goes on with it, and
the same import, made again, fills it up. A stream that was under way over the rows ends short: it is asked that nobody
reads them.

What another import goes on with is needed for its book, and goes only with it or after it.
"""

from collections.abc import Sequence

from msgspec import Struct

from tradebot.domain.errors import Refused, UsageError
from tradebot.store.backend import Backend
from tradebot.store.intake import announce, find_report

ID_DIGITS_MIN = 4


class Held(Struct, frozen=True):
    """An import as the store lists it. An unfinished one has rows that nobody sees, and neither times nor path."""

    import_id: str
    instrument: str
    format: str
    rows: int
    first_ns: int
    last_ns: int
    path: str
    follows: str = ""
    is_finished: bool = True


def list_imports(backend: Backend, names: dict[int, str]) -> list[Held]:
    """All finished imports, oldest first; `names` are those of the instruments by id."""
    found = []
    for id_, instrument, path in backend.rows("SELECT id, instrument, path FROM imports ORDER BY committed, id"):
        if one := find_report(backend, id_):
            name = names.get(instrument, one.instrument)
            found.append(Held(one.import_id, name, one.format, one.rows, one.first_ns, one.last_ns, path, one.follows))
    return found


def list_unfinished(backend: Backend, names: dict[int, str]) -> list[Held]:
    """Those begun and not finished: killed, or removed in part, or under way just now."""
    rows = backend.rows(
        "SELECT id, any(instrument) FROM imports_begun WHERE id NOT IN (SELECT id FROM imports) GROUP BY id ORDER BY id"
    )
    counts = dict(
        backend.rows("SELECT `import`, count() FROM ticks WHERE `import` NOT IN (SELECT id FROM imports) GROUP BY `import`")
    )
    return [
        Held(f"{id_:016x}", names.get(instrument, str(instrument)), "", counts.get(id_, 0), 0, 0, "", is_finished=False)
        for id_, instrument in rows
    ]


def choose_imports(held: Sequence[Held], wanted: Sequence[str]) -> list[Held]:
    """By id or the start of one, each once; those that go on from others come before them.

    Raises UsageError where a name is that of none or of several, Refused where one that stays goes on from one that is to go.
    """
    chosen = {one.import_id: one for one in (_find(held, text) for text in wanted)}
    for one in held:
        if one.follows in chosen and one.import_id not in chosen:
            raise Refused(
                f"expected no import that goes on with the book of {one.follows}, found {one.import_id}; remove that one before "
                f"it, or both: `tradebot data remove {one.follows} {one.import_id}`"
            )
    ordered: list[Held] = []
    while left := [one for one in chosen.values() if one not in ordered]:
        followed = {one.follows for one in left}
        ordered += [one for one in left if one.import_id not in followed]
    return ordered


def remove_import(backend: Backend, import_id: str) -> None:
    """Take one out; see the head of this file. Raises StoreError where it is being imported just now."""
    number = int(import_id, 16)
    report = find_report(backend, number)
    content = (report.content_id if report else "") or import_id
    with backend.lease(f"the import {content}", 0):
        (instrument,) = backend.rows(
            f"SELECT instrument FROM imports WHERE id = {number} UNION ALL "
            f"SELECT instrument FROM imports_begun WHERE id = {number} LIMIT 1"
        )[0]
        # It stays known as begun until the last, also where an older version has not noted it.
        if not backend.rows(f"SELECT 1 FROM imports_begun WHERE id = {number} LIMIT 1"):
            announce(backend, number, instrument)
        for table, where in (
            ("imports", f"id = {number}"),
            ("ticks", f"`instrument` = {instrument} AND `import` = {number}"),
            ("imports_begun", f"id = {number}"),
        ):
            if backend.rows(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1"):
                backend.delete(table, where)


def _find(held: Sequence[Held], text: str) -> Held:
    found = [one for one in held if one.import_id == text]
    if not found and len(text) >= ID_DIGITS_MIN:
        found = [one for one in held if one.import_id.startswith(text.lower())]
    if len(found) != 1:
        known = ", ".join(one.import_id for one in held[-3:]) or "none"
        several = f"{len(found)} that begin so" if found else "none"
        raise UsageError(f"expected the id of an import, found {text!r}: {several}; see `tradebot data list`; the last: {known}")
    return found[0]
