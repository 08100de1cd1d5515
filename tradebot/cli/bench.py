"""`bench`: how fast this machine runs it. Figures of a shared machine drift; compare ratios of one run."""

from pathlib import Path

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE


def add(verbs: Verbs) -> None:
    group = verbs.add_group("bench", "measure speed")
    verb = group.add("replay", replay, "core throughput over a recorded stream of levels and trades")
    verb.add_argument("--input", metavar="FILE", type=Path, required=True, help="hftbacktest's event file (.npz)")
    verb.add_argument(
        "--strategy", choices=("none", "grid"), default="none", help="what trades (default none: one order a side rests)"
    )
    verb.add_argument("--face", choices=("python", "compiled"), default="python", help="how the grid is written (default python)")
    verb.add_argument("--interval", metavar="T", default="100ms", help="time between two steps of the grid (default 100ms)")
    verb.add_argument("--latency", metavar="T", default="1ms", help="of orders and answers each (default 1ms)")
    verb.add_argument("--tick", metavar="T", default="0.1", help="price step of the file (default 0.1)")
    verb.add_argument("--lot", metavar="L", default="0.001", help="quantity step of the file (default 0.001)")


def replay(call: Call) -> int:
    call.refuse_config("a benchmark is one fixed run; choose it by its options")
    from tradebot.testing.calls import replay_answer

    words = call.words
    found = replay_answer(words.input, words.strategy, words.interval, words.latency, words.tick, words.lot, words.face)
    call.output.answer(found, lambda: call.output.table(("bench replay", "value"), list(found.items())))
    return EXIT_DONE
