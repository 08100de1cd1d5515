"""`restart`: end one part of the running node as at a stop, and start it again."""

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE

WAIT_S: float = 60.0


def add(verbs: Verbs) -> None:
    verb = verbs.add("restart", restart, "end a part of the running node as at a stop, and start it again; the others stay")
    verb.add_argument("part", metavar="PART", help="engine, gateway, venue, feed, store, api, an actor or their supervisor")


def restart(call: Call) -> int:
    import getpass

    from tradebot.node.restarting import restart_part

    found = restart_part(call.home, call.words.part, getpass.getuser(), WAIT_S)
    process = "" if found["pid"] is None else f", process {found['pid']}"
    said = f"{found['part']} was started again ({found['starts']} starts{process})"
    call.output.answer(found, lambda: call.output.line(said))
    return EXIT_DONE
