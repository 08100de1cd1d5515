"""What a run did, from its journal: `explain` one order, `logs` of all that happened. The engine is never asked."""

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tradebot.cli.call import Call, Verbs, count_arg
from tradebot.cli.output import Output, json_text
from tradebot.domain.errors import EXIT_DONE, UsageError

POLL_S: Final = 0.1
CLOCK_AT: Final = slice(11, 26)  # of a time in text: hours to microseconds

_HEAD: Final = (
    "state", "strategy", "instrument", "side", "quantity", "price", "type", "time_in_force", "filled", "trigger", "stop_loss",
    "take_profit", "parent", "run_id",
)  # fmt: skip


def add(verbs: Verbs) -> None:
    explaining = verbs.add("explain", explain, "the whole life of an order: what led to it, each command, answer and fill")
    explaining.add_argument("order", metavar="ORDER", help="its client id, or the number in it")
    explaining.add_argument("--run", dest="run_name", metavar="RUN", help="another run than the home's node or last backtest")
    telling = verbs.add("logs", logs, "what happened in the home's run, one line each, from its journal")
    telling.add_argument("-f", "--follow", action="store_true", help="go on as it happens, until interrupted")
    telling.add_argument("--last", type=count_arg, default=0, metavar="N", help="begin with the last N alone")


def explain(call: Call) -> int:
    from tradebot.node.explanation import explain as explain_order

    if not call.words.order.isdecimal():
        raise UsageError(f"expected the id of an order, a whole number, found {call.words.order!r}: see `tradebot orders`")
    found = explain_order(call.home, int(call.words.order), call.words.run_name)
    call.output.answer(found, lambda: _draw(call.output, found))
    return EXIT_DONE


def _draw(output: Output, found: Mapping[str, Any]) -> None:
    output.table(
        (f"order {found['order']}", "value"), [(name, str(found[name])) for name in _HEAD if found.get(name) is not None]
    )
    if beginning := found.get("journal_from"):
        output.note(beginning["text"])
    rows = []
    for step in found["life"]:
        if cause := step.get("cause"):
            text = f"because: {cause.get('text', 'a market fact')} (fact {cause['sequence']})"
            rows.append((cause.get("time", "")[CLOCK_AT], "", "", text))
        rows.append((step["time"][CLOCK_AT], f"+{step['since_ms']:.3f}", f"{step['age_ms']:.3f}", step["text"]))
    output.table(("time", "since ms", "age ms", "what"), rows)


def logs(call: Call) -> int:
    """Raises NotRunning where the home never had a node."""
    from tradebot.node.chronicle import Chronicle
    from tradebot.node.session_files import find_current

    chronicle = Chronicle(find_current(call.home))
    line = json_text if call.output.is_json else log_line
    try:
        call.output.stream(f"{line(one)}\n" for one in _last(chronicle.events(), call.words.last))
        if call.words.follow:
            sys.stdout.flush()
            _follow(chronicle, lambda one: call.output.stream([f"{line(one)}\n"]), call.output)
    except KeyboardInterrupt:
        return EXIT_DONE  # how following ends
    finally:
        chronicle.close()
    return EXIT_DONE


def _follow(chronicle: Any, show: Any, output: Output) -> None:
    while True:
        for one in chronicle.events():
            show(one)
        output.flush()
        time.sleep(POLL_S)


def _last(events: Iterator[Mapping[str, Any]], count: int) -> Iterable[Mapping[str, Any]]:
    return deque(events, count) if count else events


def log_line(event: Mapping[str, Any]) -> str:
    """One event for people: the time, the order it is about, what happened."""
    order = f"{event['order']} " if "order" in event else ""
    return f"{event['time']}  {event['event']:<22}{order}{event['text']}"
