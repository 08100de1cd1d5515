"""`store migrate / backup / restore / verify`: look after the store of ticks and results."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED


def add(verbs: Verbs) -> None:
    group = verbs.add_group("store", "migrate, copy, restore and check the store of ticks and results")
    migrate_verb = group.add("migrate", migrate, "bring an older store to this version's tables, with its rows")
    migrate_verb.add_argument("--backup", metavar="DIR", type=Path, help="a new folder for a backup that is taken before")
    backup_verb = group.add("backup", back_up, "a proven copy of the store in a new folder, also while others use it")
    backup_verb.add_argument("backup", metavar="DIR", type=Path, help="the folder, which must not be there")
    restore_verb = group.add("restore", restore, "the store of a home without one, from a backup that is whole")
    restore_verb.add_argument("backup", metavar="DIR", type=Path, help="the folder of the backup")
    verify_verb = group.add("verify", verify, "is the store, or a backup, what it promises? changes nothing")
    verify_verb.add_argument("backup", metavar="DIR", nargs="?", type=Path, help="a backup; default: the store")


def migrate(call: Call) -> int:
    from tradebot.node.storekeeping import migrate_store

    found = migrate_store(call.home, call.load_dsn(), call.words.backup, call.output.progress)
    steps = cast(Sequence[Mapping[str, object]], found["steps"])

    def draw() -> None:
        call.output.line(f"schema version {found['from_version']} -> {found['to_version']}")
        for step in steps:
            call.output.line(f"{step['version']}: {step['why']}")

    call.output.answer(found, draw)
    if steps and not found["backup"]:
        call.output.note("note: no backup was taken before; `tradebot store backup DIR` takes one of the store as it is now")
    return EXIT_DONE


def back_up(call: Call) -> int:
    from tradebot.node.storekeeping import back_up_store

    found = back_up_store(call.home, call.load_dsn(), call.words.backup, call.output.progress)
    call.output.answer(found, lambda: _draw(call, "backup", found))
    return EXIT_DONE


def restore(call: Call) -> int:
    from tradebot.node.storekeeping import restore_store

    found = restore_store(call.make_home(), call.load_dsn(), call.words.backup, call.output.progress)
    call.output.answer(found, lambda: _draw(call, "restored", found))
    if lost := cast(int, found["runs_without_folder"]):
        call.output.note(
            f"note: runs in the store without their result folders, which no backup holds: {lost:,}; copy `results` of the "
            "home it was taken of beside it, for replay and report need them"
        )
    return EXIT_DONE


def verify(call: Call) -> int:
    from tradebot.node.storekeeping import verify_backup, verify_store

    progress = call.output.progress
    if call.words.backup is None:
        found = verify_store(call.home, call.load_dsn(), progress)
    else:
        found = verify_backup(call.words.backup, progress)
    checks = cast(Sequence[Mapping[str, object]], found["checks"])
    rows = [("ok" if check["ok"] else "FAILED", check["name"], check["detail"]) for check in checks]
    call.output.answer(found, lambda: call.output.table(("", "check", "detail"), rows))
    if found["sound"]:
        return EXIT_DONE
    failed = ", ".join(str(check["name"]) for check in checks if not check["ok"])
    call.output.note(f"tradebot: expected every check to pass, found some that failed: {failed}")
    return EXIT_FAILED


def _draw(call: Call, what: str, found: Mapping[str, object]) -> None:
    tables = cast(Mapping[str, int], found["tables"])
    rows: list[tuple[str, object]] = [(name, value) for name, value in found.items() if name != "tables"]
    call.output.table((what, "value"), [*rows, *((f"rows of {name}", count) for name, count in tables.items())])
