"""`doctor`: is this machine fit to run tradebot? Each check is one row; any that fails makes the exit code
1."""

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED


def add(verbs: Verbs) -> None:
    verb = verbs.add("doctor", run, "check the machine: compiled modules, store, clock, limits, venues")
    verb.add_argument(
        "--network", action="store_true", help="also ask the package index whether it is in reach"
    )


def run(call: Call) -> int:
    from tradebot.node.machine import check_machine

    checks = list(check_machine(call.home, call.words.network, call.output.progress))
    found = {"checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks]}
    rows = [("ok" if check.ok else "FAILED", check.name, check.detail) for check in checks]
    call.output.answer(found, lambda: call.output.table(("", "check", "detail"), rows))
    failed = [check.name for check in checks if not check.ok]
    if failed:
        call.output.note(
            f"tradebot: expected every check to pass, found {len(failed)} that failed: {', '.join(failed)}"
        )
    return EXIT_FAILED if failed else EXIT_DONE
