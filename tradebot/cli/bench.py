"""`bench`: how fast this machine runs it. Figures of a shared machine drift; compare ratios of one run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE

STORE_ROWS: Final = 10_000_000


def add(verbs: Verbs) -> None:
    group = verbs.add_group("bench", "measure speed")
    verb = group.add("replay", replay, "core throughput over a recorded stream of levels and trades")
    verb.add_argument(
        "--input", metavar="INPUT", required=True, help="hftbacktest's event file (.npz), or a stored instrument's name"
    )
    verb.add_argument("--from", dest="start", metavar="T", help="of stored ticks: first time; default: where they begin")
    verb.add_argument("--to", dest="end", metavar="T", help="of stored ticks: time to end before, or last day; default: all")
    verb.add_argument(
        "--strategy", choices=("none", "grid"), default="none", help="what trades (default none: one order a side rests)"
    )
    verb.add_argument("--face", choices=("python", "compiled"), default="python", help="how the grid is written (default python)")
    verb.add_argument("--interval", metavar="T", default="100ms", help="time between two steps of the grid (default 100ms)")
    verb.add_argument("--latency", metavar="T", default="1ms", help="of orders and answers each (default 1ms)")
    verb.add_argument("--tick", metavar="T", help="price step of the file (default 0.1); stored ticks have theirs")
    verb.add_argument("--lot", metavar="L", help="quantity step of the file (default 0.001); stored ticks have theirs")
    store_verb = group.add("store", store, "ticks into the store and back in order, beside the engine alone and Parquet")
    store_verb.add_argument(
        "--rows", metavar="N", type=int, default=STORE_ROWS, help=f"of trades and of levels each (default {STORE_ROWS:,})"
    )
    store_verb.add_argument("--input", metavar="PATH", type=Path, help="a recording that an importer knows, in their place")
    store_verb.add_argument("--format", metavar="F", default="auto", help="of the recording (default auto)")
    store_verb.add_argument("--instrument", metavar="I", help="of the recording, where it does not say")
    verb = group.add("match", match, "the matcher alone over a stream of orders")
    verb.add_argument("--input", metavar="FILE", type=Path, required=True, help="ops.npy of benchmarks/yardsticks/gen_stream.py")
    verb = group.add("latency", latency, "tick to order, from the intended time, beside bare hops at the same rate")
    verb.add_argument("--rate", metavar="N", type=int, default=1_000, help="facts a second that are offered (default 1000)")
    verb.add_argument(
        "--mode", choices=("inproc", "ipc", "tcp"), default="ipc", help="parts in one loop, or in processes (default ipc)"
    )
    verb.add_argument("--seconds", metavar="S", type=float, default=5.0, help="of each round (default 5)")
    verb.add_argument("--rounds", metavar="N", type=int, default=1, help="taken together (default 1)")
    verb = group.add("actors", actors, "questions, restarts and messages between actors, each beside its bare floor")
    verb.add_argument("--rounds", metavar="N", type=int, default=5, help="in turns, of which medians are taken (default 5)")
    verb.add_argument("--scale", metavar="X", type=float, default=1.0, help="how long a round is (default 1)")


def match(call: Call) -> int:
    call.refuse_config("a benchmark is one fixed run; choose it by its options")
    from tradebot.testing.calls import match_answer

    found = match_answer(call.words.input)
    call.output.answer(found, lambda: call.output.table(("bench match", "value"), list(found.items())))
    return EXIT_DONE


def latency(call: Call) -> int:
    call.refuse_config("a benchmark is one fixed run; choose it by its options")
    from tradebot.testing.calls import latency_answer

    words = call.words
    found = latency_answer(words.rate, words.mode, words.seconds, words.rounds)
    call.output.answer(found, lambda: call.output.table(("bench latency", "value"), list(found.items())))
    return EXIT_DONE


def actors(call: Call) -> int:
    call.refuse_config("a benchmark is one fixed run; choose it by its options")
    from tradebot.testing.calls import actors_answer

    found = actors_answer(call.words.rounds, call.words.scale)

    def draw() -> None:
        rows = [(f"{name} {part}", value) for name, one in found.items() if isinstance(one, dict) for part, value in one.items()]
        rows += [(name, one) for name, one in found.items() if not isinstance(one, dict)]
        call.output.table(("bench actors", "value"), rows)

    call.output.answer(found, draw)
    return EXIT_DONE


def replay(call: Call) -> int:
    call.refuse_config("a benchmark is one fixed run; choose it by its options")
    from tradebot.node.places import store_place
    from tradebot.testing.calls import ReplayWords, replay_answer

    words = ReplayWords(**{name: getattr(call.words, name) for name in ReplayWords.__struct_fields__})
    found = replay_answer(words, lambda: store_place(call.make_home(), call.load_dsn()))
    call.output.answer(found, lambda: call.output.table(("bench replay", "value"), list(found.items())))
    return EXIT_DONE


def store(call: Call) -> int:
    call.refuse_config("a benchmark is one fixed run; choose it by its options")
    from tradebot.testing.calls import store_answer

    words, progress = call.words, call.output.progress
    progress.start("measuring the store", None)
    found = store_answer(words.rows, words.input, words.format, words.instrument, call.make_home() / "data", progress.advance)
    progress.done()

    def draw() -> None:
        streams = cast(Mapping[str, Mapping[str, object]], found["streams"])
        names = [name for name in found if name != "streams"]
        call.output.table(
            ("bench store", "all", *streams), [(name, found[name], *(one[name] for one in streams.values())) for name in names]
        )

    call.output.answer(found, draw)
    return EXIT_DONE
