"""`make bench`: every benchmark at full scale, one line a figure, after a line about the machine.

Figures of a shared machine drift; what counts are the ratios of one run. Nothing here fails: speed is a goal, and a
miss is written down with its floor in docs/speed.md.
"""

import os
import platform

from benchmarks import backtest, indicators, journal, l3_book, match, memory, order_path, startup


def main() -> None:
    system = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    print(f"machine: {system}, Python {platform.python_version()}")
    for benchmark in (l3_book, match, indicators, order_path, journal, backtest, startup, memory):
        benchmark.main()


if __name__ == "__main__":
    main()
