"""What a start costs: importing the package, and the first word of help, each in a fresh interpreter.

Run: python -m benchmarks.startup
"""

import subprocess
import sys
import time

GOALS_MS = {"import tradebot": 150.0, "tradebot --help": 300.0}
_COMMANDS = {
    "import tradebot": [sys.executable, "-c", "import tradebot"],
    "tradebot --help": [sys.executable, "-m", "tradebot", "--help"],
    "python alone": [sys.executable, "-c", "pass"],
}


def measure(rounds: int) -> list[dict[str, object]]:
    """Median milliseconds of each command, taken in turn so that drift meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in _COMMANDS}
    for _ in range(rounds):
        for name, command in _COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append((time.perf_counter() - started) * 1e3)
    return [{"what": name, "ms": sorted(each)[len(each) // 2], "goal_ms": GOALS_MS.get(name)} for name, each in times.items()]


def main() -> None:
    for row in measure(11):
        goal = "" if row["goal_ms"] is None else f" (goal {row['goal_ms']:.0f} ms)"
        print(f"startup: {row['what']} {row['ms']:.0f} ms{goal}")


if __name__ == "__main__":
    main()
