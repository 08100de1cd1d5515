"""How the home's node stands: `status`, `orders`, `positions` and `pnl`, of one that runs as its engine says, of one that is down
as its journal says; then the call still ends as not running.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE, EXIT_NOT_RUNNING, NotRunning

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
    _take_no_config(call)
    found, code = _found(call, "status")
    if code == EXIT_DONE:
        found = _whole_status(call, found)
    earned = _earned(call, found, code)
    found |= {"pnl_totals": earned}
    if code != EXIT_DONE:
        found = {name: value for name, value in found.items() if name not in ("orders", "positions")}
    call.output.answer(found, lambda: _draw_status(call, found))
    for why in (*found.get("journals_damaged", ()), *found.get("journals_undone", ())):
        call.output.note(f"warning: {why}")
    return code


def _whole_status(call: Call, engine: dict[str, Any]) -> dict[str, Any]:
    """What the engine says, and beside it what gateway, parts and journals say."""
    from tradebot.node.health import api_health, journals_health, part_health
    from tradebot.node.remains import killed_of, last_cause_of
    from tradebot.node.running import ask_node

    try:
        gateway = ask_node(call.home, "gateway", "status")
    except NotRunning as error:
        gateway = {"error": str(error)}
    more = {"running": True, "killed": killed_of(call.home)}
    more["trading_cause"] = None if engine["trading"] == "active" else last_cause_of(call.home)
    parts = {"gateway": gateway, "parts": part_health(call.home, engine["facts"])}
    return {**engine, **parts, **journals_health(call.home), **api_health(call.home), **more}


def _earned(call: Call, found: Mapping[str, Any], code: int) -> dict[str, Any]:
    from tradebot.node.earnings import name_currency, totals_of
    from tradebot.node.running import ask_node

    rows = found["positions"] if code != EXIT_DONE else ask_node(call.home, "engine", "positions")["positions"]
    return totals_of(name_currency(call.home, rows))


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
    from tradebot.node.remains import read_remains
    from tradebot.node.running import ask_node

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
    _draw_parts(output.line, output.table, found["parts"])
    output.line("")
    output.table(("currency", "balance", "net of positions"), _money(found))
    for text in _troubles(found):
        output.line(text)


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
        rows += [_part_row(f"  {name}", inner) for name, inner in one.get("parts", {}).items()]
    if rows:
        line("")
        table(columns, rows)


def _part_row(name: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    box = one.get("mailbox") or {}
    figures = (box.get("messages"), box.get("most_waited"), box.get("step_us_p99"))
    pid = str(one.get("pid") or "-")
    return (name, pid, one.get("state"), one.get("starts"), one.get("last_exit"), one.get("behind"), *figures, one.get("error"))


def _money(found: Mapping[str, Any]) -> list[tuple[object, ...]]:
    totals, balances = found["pnl_totals"], found["balances"]
    return [(name, balances.get(name), totals.get(name, {}).get("net")) for name in sorted({*balances, *totals})]


def _troubles(found: Mapping[str, Any]) -> list[str]:
    """What needs somebody, each with its reason."""
    said = [f"QUARANTINED: strategy {one['strategy']}: {one['error']}" for one in found.get("quarantined", ())]
    said += [f"books differ: {one}" for one in found.get("reconcile", {}).get("differences", ())]
    said += [f"answer refused: {one}" for one in found.get("refused_answers", ())]
    said += [f"State not taken over: {one}" for one in found.get("states_not_taken_over", ())]
    said += [f"not usable: {one}" for one in found.get("unusable", ())]
    if error := found.get("gateway", {}).get("error"):
        said.append(f"gateway: {error}")
    if strangers := found.get("gateway", {}).get("strangers"):
        said.append(f"strangers at the venue: {', '.join(map(str, strangers))}")
    said += [f"{name} is {word}" for name, word in found.get("peers", {}).items() if word != "there"]
    said += [f"journal: {one}" for one in found.get("opened", ())]
    if error := found.get("api", {}).get("error"):
        said.append(f"api: {error}")
    return said


def _cells(row: Mapping[str, object], columns: Sequence[str]) -> list[object]:
    """A row of a table; an id is a name, not a number to be read."""
    named = {**row, "strategy": row.get("strategy_name", row.get("strategy"))}
    return [str(named[name]) if name == "id" else named[name] for name in columns]
