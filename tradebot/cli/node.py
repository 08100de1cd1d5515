"""`run`, and what is asked of a running node or done to it: each act with who and why, as a fact of its journal."""

import getpass
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tradebot.cli import standing
from tradebot.cli.call import Call, Parser, Verbs, count_arg
from tradebot.cli.output import counted
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED, LocalError, NotRunning, Refused
from tradebot.domain.words import WHY_MAX, one_line

RECONCILE_S: Final = 10.0
RELOAD_S: Final = 60.0


def add(verbs: Verbs) -> None:
    running = verbs.add("run", run, "run a node as a configuration says, until told to stop")
    running.add_argument("--new", action="store_true", help="begin another run instead of going on with the home's")
    verbs.add("reload", reload, "have the running node read its configuration again, and start again whom the changes concern")
    standing.add(verbs)
    verbs.add("fills", fills, "fills of the home's run, from its journal").add_argument(
        "--last", type=count_arg, default=0, metavar="N", help="the last N alone"
    )
    verbs.add("reconcile", reconcile, "the books of engine, gateway and venue side by side, and what differs")
    _why(verbs.add("pause", pause, "no new orders; cancels and guards pass"))
    resuming = verbs.add("resume", resume, "trade again")
    _why(resuming)
    resuming.add_argument("--after-kill", action="store_true", help="lift the latch of `kill`")
    cancelling = verbs.add("cancel-all", cancel_all, "cancel open orders, but guards; strategies may place again: `pause` first")
    _why(cancelling)
    cancelling.add_argument("--guards", action="store_true", help="cancel those that guard a position, too")
    _why(verbs.add("flatten", flatten, "cancel all, close every position at the market; trading stays reducing until `resume`"))
    killing = verbs.add("kill", kill, "halt, cancel entries, and hold trading shut until it is lifted by hand; guards stay")
    _why(killing)
    killing.add_argument("--guards", action="store_true", help="cancel those that guard a position, too")
    killing.add_argument("--flatten", action="store_true", help="cancel all and close every position at the market, too")


def _why(parser: Parser) -> None:
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason, kept in the journal")


def run(call: Call) -> int:
    """One line of JSON for each event; words for people go to stderr."""
    from tradebot.node.running import run_node

    call.load_config()  # a file that is wrong leaves no folder behind
    run_node(call.load_config, call.make_home(), call.words.new, call.output.event, call.output.note)
    return EXIT_DONE


def reload(call: Call) -> int:
    """Has the root read its configuration again, and tells what became of it."""
    from tradebot.node.reloading import described, reload_node

    found = reload_node(call.home, RELOAD_S)
    call.output.answer(found, lambda: call.output.line(described(found["changed"], found["parts"], found["gone"])))
    return EXIT_DONE


def fills(call: Call) -> int:
    from tradebot.node.desks import node_fills

    found, beginning = node_fills(call.home)
    found = found[-call.words.last :] if call.words.last else found
    columns = ("time", "instrument", "strategy", "side", "price", "quantity", "is_maker", "fee", "fee_asset", "order", "trade")
    told = {"fills": found, "journal_from": beginning}
    call.output.answer(told, lambda: call.output.table(columns, [_cells(row, columns) for row in found]))
    if beginning:
        call.output.note(beginning["text"])
    return EXIT_DONE


def reconcile(call: Call) -> int:
    """Ends with 1 where the books differ."""
    from tradebot.node.desks import reconcile_node

    found = reconcile_node(call.home, RECONCILE_S)
    call.output.answer(found, lambda: _draw_books(call, found))
    return EXIT_DONE if found["equal"] else EXIT_FAILED


def _draw_books(call: Call, found: Mapping[str, Any]) -> None:
    engine, gateway, venue = found["engine"], found["gateway"], found["venue"]
    rows: list[tuple[object, ...]] = [("orders open", len(engine["orders"]), len(gateway["orders"]), len(venue["orders"]))]
    ids = sorted({*engine["orders"], *gateway["orders"], *venue["orders"]})
    rows += [(f"order {one}", *(book["orders"].get(one, "-") for book in (engine, gateway, venue))) for one in ids]
    rows.append(("fills since the round before", engine["fills"], "", venue["fills"]))
    held = sorted({*engine["positions"], *venue["positions"]})
    rows += [(f"position {one}", _held(engine, one), "", _held(venue, one)) for one in held]
    rows += [(f"balance {asset}", total, "", venue["balances"].get(asset, "-")) for asset, total in engine["balances"].items()]
    rows.append(("unknown", "", len(gateway["unknown"]), ""))
    rows.append(("strangers", "", "", len(venue["strangers"])))
    call.output.table(("book", "engine", "gateway", "venue"), rows)
    for one in found["differences"]:
        call.output.line(f"differs: {one['text']}")
    call.output.line("equal" if found["equal"] else f"not equal; the gate is {found['gate']}")


def _held(book: Mapping[str, Any], name: str) -> str:
    one = book["positions"].get(name)
    if not one:
        return "-"
    quantity = one.get("quantity", f"{one['lots']} lots")
    return f"{quantity} that cost {one['cost']} {one.get('currency', '')}".rstrip()


def pause(call: Call) -> int:
    return _act(call, "state", state="HALTED")


def resume(call: Call) -> int:
    """Raises Refused where the home was killed and the latch is not to be lifted."""
    from tradebot.node.latch import lift_killed, read_killed

    killed = read_killed(call.home)
    if killed is not None:
        if not call.words.after_kill:
            raise Refused(
                f"expected a home that was not killed, found that {killed.who} killed it: {killed.why}; add --after-kill"
            )
        lift_killed(call.home)
        from tradebot.node.desks import is_running

        if not is_running(call.home):
            said = "lifted; start the node, then `tradebot resume`"
            call.output.answer({"accepted": True, "by": "latch"}, lambda: call.output.line(said))
            return EXIT_DONE
    return _act(call, "state", state="ACTIVE")


def cancel_all(call: Call) -> int:
    from tradebot.node.desks import ask_node
    from tradebot.node.ladder import act_of

    is_active = ask_node(call.home, "engine", "status")["trading"] == "active"
    note = "trading is active, so a strategy may place again: `tradebot pause` first to prevent it" if is_active else ""
    return _act(call, "act", note=note, act=act_of(is_flat=False, takes_guards=call.words.guards))


def flatten(call: Call) -> int:
    """Reducing first, so that nothing is opened again; it stays so. A home that was killed stays halted."""
    from tradebot.node.latch import read_killed

    if read_killed(call.home) is not None:
        return _act(call, "act", note="the home stays killed: `tradebot resume --after-kill` lifts that", act="FLATTEN")
    _ask(call, "state", state="REDUCING")
    return _act(call, "act", note="trading stays reducing: `tradebot resume` to trade again", act="FLATTEN")


def kill(call: Call) -> int:
    """The latch is on the disk before anything else: whatever happens next, nothing of this home trades again by itself."""
    from tradebot.node.desks import is_running
    from tradebot.node.ladder import act_of
    from tradebot.node.latch import IN_WORDS, new_kill, set_latch
    from tradebot.node.root_lock import has_root
    from tradebot.node.session_files import find_current

    try:
        find_current(call.home)
    except NotRunning as error:
        raise NotRunning(
            f"expected a home with a run to kill, found none in {call.home}, so nothing was latched: is it the right --home?"
        ) from error
    name, killed = new_kill(_who(), one_line(call.words.why, WHY_MAX), act_of(call.words.flatten, call.words.guards))
    try:
        set_latch(call.home, name, killed)
    except OSError as error:
        return _kill_without_latch(call, name, killed, error)
    if not is_running(call.home):
        if has_root(call.home):
            raise NotRunning(
                "latched, but the engine does not answer: its orders rest at the venue until it does, or is started again; "
                f"then it halts and {IN_WORDS[killed.act]} before anything else"
            )
        said = "latched: nothing of this home trades; no node runs, so nothing was cancelled"
        call.output.answer({"accepted": True, "by": "latch"}, lambda: call.output.line(said))
        return EXIT_DONE
    return _act(call, "kill", nonce=name, time=killed.time, act=killed.act)


def _kill_without_latch(call: Call, name: str, killed: Any, error: OSError) -> int:
    """A disk that takes no latch: the engine can halt all the same. Raises LocalError: another start would trade."""
    try:
        _ask(call, "kill", nonce=name, time=killed.time, act=killed.act)
        done = "the engine halted and did what was asked"
    except (NotRunning, LocalError) as nobody:
        done = f"nothing was done: {nobody}"
    raise LocalError(f"expected to latch the home, found {error}: a start of it would trade; {done}") from error


def _act(call: Call, verb: str, note: str = "", **words: str) -> int:
    """`note` is what to know of it."""
    found = _ask(call, verb, **words)
    if not found["accepted"]:
        raise Refused(found["why"])
    found |= {"note": note} if note else {}
    said = f"accepted by the {found['by']}{_asked_for(found)}" + (f"; {note}" if note else "")
    call.output.answer(found, lambda: call.output.line(said))
    return EXIT_DONE


def _asked_for(found: Mapping[str, Any]) -> str:
    """What an act has the venue do, in words that end a sentence."""
    if "cancels" not in found:
        return ""
    return f": cancels of {counted(found['cancels'], 'order')}, {counted(found['closes'], 'order')} to close positions"


def _ask(call: Call, verb: str, **words: str) -> dict[str, Any]:
    from tradebot.node.desks import ask_node

    return ask_node(call.home, "engine", verb, who=_who(), why=call.words.why, **words)


def _who() -> str:
    return getpass.getuser()


def _cells(row: Mapping[str, object], columns: Sequence[str]) -> list[object]:
    """A row of a table; an id is a name, not a number to be read."""
    named = {**row, "strategy": row.get("strategy_name", row.get("strategy"))}
    return [str(named[name]) if name in ("id", "order", "trade") else named[name] for name in columns]
