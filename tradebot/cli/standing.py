"""How the home's node stands: `status`, `orders`, `positions` and `pnl`, of one that runs as its engine says, of one that is down
as its journal says; then the call still ends as not running.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED, EXIT_NOT_RUNNING, NotRunning

if TYPE_CHECKING:
    from tradebot.node.health import Heard

STALE_S: Final = 30.0  # without a market fact, which is told
ORDER_COLUMNS: Final = (
    "id", "instrument", "strategy", "side", "price", "quantity", "filled", "state", "trigger", "is_guard",
)  # fmt: skip
POSITION_COLUMNS: Final = ("strategy", "instrument", "quantity", "currency", "realised", "unrealised", "fees", "funding")
PNL_COLUMNS: Final = ("strategy", "instrument", "currency", "net", "realised", "unrealised", "fees", "funding")
TOTAL_COLUMNS: Final = ("net", "realised", "unrealised", "fees", "funding")


def add(verbs: Verbs) -> None:
    verbs.add("status", status, "how the home's node stands; of one that is down, what it held last")
    verbs.add("positions", positions, "positions of the home's node, and totals by currency")
    verbs.add("orders", orders, "open orders of the home's node")
    verbs.add("pnl", pnl, "profit and loss of the home's node, by strategy and instrument, and totals by currency")


def status(call: Call) -> int:
    """Ends with 1 where the root does not answer, though its engine does: nobody starts again what dies."""
    from tradebot.node.earnings import name_currency, totals_of
    from tradebot.node.health import Heard, seen_parts
    from tradebot.node.remains import read_remains
    from tradebot.node.session_files import ENGINE

    _take_no_config(call)
    heard = Heard(call.home)
    root = heard.root()
    try:
        found, code = _whole_status(call, heard, heard.answer(ENGINE)), EXIT_DONE
    except NotRunning:
        found, code = {**read_remains(call.home), "parts": seen_parts(heard)}, EXIT_NOT_RUNNING
    rows = _positions_of(call, found, code)
    found |= {"root": root, "pnl_totals": totals_of(name_currency(call.home, rows)), "positions_open": _held(rows)}
    if code != EXIT_DONE:
        found = {name: value for name, value in found.items() if name not in ("orders", "positions")}
    elif root["state"] != "running":
        code = EXIT_FAILED
    call.output.answer(found, lambda: _draw_status(call, found))
    for why in (*found.get("journals_damaged", ()), *found.get("journals_undone", ())):
        call.output.note(f"warning: {why}")
    return code


def _whole_status(call: Call, heard: "Heard", engine: dict[str, Any]) -> dict[str, Any]:
    """What the engine says, and beside it what gateway, parts and journals say."""
    from tradebot.node.health import api_health, journals_health, part_health, seen_peers
    from tradebot.node.remains import killed_of, last_cause_of

    try:
        gateway = heard.answer("gateway")
    except NotRunning as error:
        gateway = {"error": str(error)}
    more = {"running": True, "killed": killed_of(call.home)}
    more["trading_cause"] = None if engine["trading"] == "active" else last_cause_of(call.home)
    parts = part_health(heard, engine["facts"])
    told = {"gateway": gateway, "parts": parts, "peers": seen_peers(engine.get("peers", {}), parts)}
    return {**engine, **told, **journals_health(heard), **api_health(heard), **more}


def _positions_of(call: Call, found: Mapping[str, Any], code: int) -> list[dict[str, Any]]:
    from tradebot.node.desks import ask_node

    return list(found["positions"] if code != EXIT_DONE else ask_node(call.home, "engine", "positions")["positions"])


def _held(positions: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is not flat, in words."""
    return [f"{one['strategy_name']} {one['quantity']} {one['instrument']}" for one in positions if float(one["quantity"])]


def positions(call: Call) -> int:
    return _money_rows(call, "positions", POSITION_COLUMNS)


def pnl(call: Call) -> int:
    """Realised and unrealised less fees and funding, in the settle currency of each instrument."""
    return _money_rows(call, "pnl", PNL_COLUMNS)


def _money_rows(call: Call, verb: str, columns: Sequence[str]) -> int:
    from tradebot.node.earnings import name_currency, totals_of

    _take_no_config(call)
    found, code = _found(call, "positions")
    rows = name_currency(call.home, found["positions"])
    totals = totals_of(rows)
    told = {verb: rows, "totals": totals, **_of_what(found)}

    def draw() -> None:
        _draw_headline(call, found)
        call.output.table(columns, [_cells(row, columns) for row in rows])
        call.output.line("")
        sums = [(currency, *(total[name] for name in TOTAL_COLUMNS)) for currency, total in totals.items()]
        call.output.table(("total", *TOTAL_COLUMNS), sums)

    call.output.answer(told, draw)
    return code


def orders(call: Call) -> int:
    _take_no_config(call)
    found, code = _found(call, "orders")
    told = {"orders": found["orders"], **_of_what(found)}

    def draw() -> None:
        _draw_headline(call, found)
        call.output.table(ORDER_COLUMNS, [_cells(row, ORDER_COLUMNS) for row in found["orders"]])

    call.output.answer(told, draw)
    return code


def _take_no_config(call: Call) -> None:
    call.refuse_config("the node runs as it was started; `tradebot reload` has it read its configuration again")


def _found(call: Call, verb: str) -> tuple[dict[str, Any], int]:
    """What the engine answers; where it does not, what its journal holds, and the code of a node that is down."""
    from tradebot.node.desks import ask_node
    from tradebot.node.remains import read_remains

    try:
        return ask_node(call.home, "engine", verb), EXIT_DONE
    except NotRunning:
        return read_remains(call.home), EXIT_NOT_RUNNING


def _of_what(found: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the node runs, and as of when the answer is where it does not."""
    return {"running": False, "as_of": found["as_of"]} if "as_of" in found else {"running": True}


def _draw_headline(call: Call, found: Mapping[str, Any]) -> None:
    if "as_of" not in found:
        return
    call.output.line(f"NOT RUNNING: {found['as_of']['text']}")
    if trouble := found["as_of"]["journal_error"]:
        call.output.line(f"what follows in the journal cannot be taken in: {trouble}")


def _draw_status(call: Call, found: Mapping[str, Any]) -> None:
    """A page: headline, what is wrong, parts, money."""
    from tradebot.domain.units import time_text

    output = call.output
    if trouble := _root_trouble(found):
        output.line(trouble)
    _draw_headline(call, found)
    output.line(f"run {found['run_id']}, {found['mode']}, epoch {found['epoch']}: trading is {_trading(found)}")
    if killed := found.get("killed"):
        why = killed["why"] or "no reason given"
        output.line(f"KILLED by {killed['who']} at {killed['time']}: {why}; `resume --after-kill` lifts it")
    rows: list[tuple[object, ...]] = [
        ("facts", found["facts"]), ("time", time_text(found["time_ns"])), ("orders open", found["orders_open"])
    ]  # fmt: skip
    rows += [(name, found[name]) for name in ("fills", "commands", "commands_waiting") if name in found]
    if books := found.get("reconcile"):
        equal = {True: "equal", False: "NOT EQUAL", None: "not compared yet"}[books["equal"]]
        rows.append(("books", f"{equal}, the gate is {books['gate']}, {books['rounds']} rounds"))
    if unknown := found.get("gateway", {}).get("unknown"):
        rows.append(("orders unknown", ", ".join(map(str, unknown))))
    output.line("")
    output.table(("node", "value"), rows)
    _draw_parts(output.line, output.table, {"root": found["root"], **found["parts"]})
    if journals := found.get("journals"):
        output.line("")
        columns = ("journal", "bytes", "compressed", "segments", "pruned", "from fact")
        keys = ("plain_bytes", "packed_bytes", "segments", "pruned", "from_fact")
        output.table(columns, [(name, *(one[key] for key in keys)) for name, one in journals.items()])
    if "key" in (api := found.get("api", {})):
        output.line("")
        output.table(("api", "value"), _api_rows(api))
    output.line("")
    output.table(("currency", "balance", "net of positions"), _money(found))
    for text in _troubles(found):
        output.line(text)


def _root_trouble(found: Mapping[str, Any]) -> str:
    """Empty where the root answers, or the whole node is down."""
    state, pid = found["root"]["state"], found["root"]["pid"]
    if state == "silent":
        return (
            f"THE ROOT DOES NOT ANSWER: no part that dies is started again, process {pid} hangs: `kill -9 {pid}` and start the "
            "node again (systemd does both by its watchdog)"
        )
    if state == "dead" and "as_of" not in found:
        return "THE ROOT IS DEAD: no part that dies is started again: start the node again (systemd does)"
    return ""


def _trading(found: Mapping[str, Any]) -> str:
    cause = found.get("trading_cause")
    if found["trading"] == "active":
        return "active"
    if cause is None:
        return f"{found['trading']}, since long ago: see `tradebot logs`"
    why = f": {cause['why']}" if cause["why"] else ""
    return f"{found['trading']}, by {cause['who']} at {cause['time']}{why}"


def _draw_parts(line: Callable[[str], None], table: Callable[..., None], parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Of each mailbox: how many messages it took, the most of them that waited at once, and how long a step of it takes."""
    columns = ("part", "pid", "state", "starts", "last exit", "behind", "messages", "most", "step p99 us", "last error")
    rows = []
    for process, one in parts.items():
        rows.append(_part_row(process, one))
        rows += _rows_below(one)
    if rows:
        line("")
        table(columns, rows)


def _rows_below(one: Mapping[str, Any]) -> list[tuple[object, ...]]:
    """The parts of a process, each below its supervisor where it has one besides the first."""
    parts, supervisors = one.get("parts", {}), one.get("supervisors", {})
    own = {name: supervisor for supervisor, found in supervisors.items() for name in found["parts"]}
    rows = [_part_row(f"  {name}", inner) for name, inner in parts.items() if name not in own]
    for supervisor, found in supervisors.items():
        rows.append(_part_row(f"  {supervisor}", found))
        rows += [_part_row(f"    {name}", parts[name]) for name in found["parts"] if name in parts]
    return rows


def _part_row(name: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    box = one.get("mailbox") or {}
    figures = (box.get("messages"), box.get("most_waited"), box.get("step_us_p99"))
    pid = str(one.get("pid") or "-")
    return (name, pid, one.get("state"), one.get("starts"), one.get("last_exit"), one.get("behind"), *figures, one.get("error"))


def _api_rows(api: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Where clients find the node and by which key, who is there, and what was refused; no more than that where nothing was."""
    rows: list[tuple[str, object]] = [(name, api[name]) for name in ("address", "streams", "key")]
    rows += [("peers there", api["connected"]), ("requests", sum(api["requests"].values()))]
    names = {"keys_denied": "keys denied", "handshakes_failed": "handshakes failed", "answers_lost": "answers lost"}
    rows += [(names.get(name, name), api[name]) for name in ("keys_denied", "handshakes_failed", "garbage", "answers_lost")]
    rows += [(f"refused, {code.replace('_', ' ')}", count) for code, count in api["refused"].items()]
    return rows + [(f"refused to {who}", count) for who, count in api["refused_by_name"].items()]


def _money(found: Mapping[str, Any]) -> list[tuple[object, ...]]:
    totals, balances = found["pnl_totals"], found["balances"]
    return [(name, balances.get(name), totals.get(name, {}).get("net")) for name in sorted({*balances, *totals})]


def _troubles(found: Mapping[str, Any]) -> list[str]:
    """What needs somebody, each with its reason."""
    quarantined = found.get("quarantined", ())
    said = [f"QUARANTINED: strategy {one.get('strategy_name', one['strategy'])}: {one['error']}" for one in quarantined]
    if found["trading"] == "reducing" and (held := found["positions_open"]):
        said.append(f"trading is reducing and positions are open: {', '.join(held)}; `tradebot flatten` closes them")
    said += [f"books differ: {one}" for one in found.get("reconcile", {}).get("differences", ())]
    said += [f"answer refused: {one}" for one in found.get("refused_answers", ())]
    said += [f"State not taken over: {one}" for one in found.get("states_not_taken_over", ())]
    said += [f"not usable: {one}" for one in found.get("unusable", ())]
    if error := found.get("gateway", {}).get("error"):
        said.append(f"gateway: {error}")
    if strangers := found.get("gateway", {}).get("strangers"):
        said.append(f"strangers at the venue: {', '.join(map(str, strangers))}")
    said += [f"{name} is {word}" for name, word in found.get("peers", {}).items() if word != "there"]
    if (age_s := found.get("market_age_s", 0.0)) >= STALE_S:
        said.append(f"no market fact for {age_s:.0f} s: the market rests, or the feed hears nothing of it")
    said += [f"journal: {one}" for one in found.get("opened", ())]
    said += [f"{name}: a peer without the key of the bus was refused, {count} times" for name, count in _refused_peers(found)]
    if error := found.get("api", {}).get("error"):
        said.append(f"api: {error}")
    return said


def _refused_peers(found: Mapping[str, Any]) -> list[tuple[str, int]]:
    """By part how often the bus refused one that came to it, where it did."""
    from tradebot.node.health import each_part

    boxes = {name: one.get("mailbox") or {} for name, one in each_part({"root": found["root"], **found["parts"]})}
    counts = {name: box.get("refused_peers", 0) for name, box in boxes.items()}
    return [(name, count) for name, count in counts.items() if count]


def _cells(row: Mapping[str, object], columns: Sequence[str]) -> list[object]:
    """A row of a table; an id is a name, not a number to be read."""
    named = {**row, "strategy": row.get("strategy_name", row.get("strategy"))}
    return [str(named[name]) if name == "id" else named[name] for name in columns]
