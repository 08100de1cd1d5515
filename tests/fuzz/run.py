"""Runs the fuzzer for a number of seconds, in processes that may die of what they find.

A worker writes target and seed into a file before each execution; so when it crashes, hangs or is ended by a sanitizer, the
parent knows which it was, reports it with what the worker said, and starts the next one behind it. The last line is the
summary; the exit code is 1 where anything was found.

    python -m tests.fuzz.run [--seconds 600] [--sanitized] [--seed FIRST] [--only TARGET] [--once]
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests import variants

HANG_S: Final = 90  # of one execution; the slowest takes a second under sanitizers
WORKERS: Final = 2
FINDINGS_MAX: Final = 40


def targets() -> list[str]:
    from tests.fuzz.samples import samples

    return [*engine_targets(), *samples()]


def engine_targets() -> dict[str, Callable[[random.Random], str]]:
    from tests.fuzz import accounts, engines

    return engines.TARGETS | accounts.TARGETS


def execute(target: str, seed: int, store: object = None) -> str:
    """One execution. Raises whatever breaks a rule."""
    from tests.fuzz.importers import run
    from tradebot.store.client import Store

    if target in engine_targets():
        return engine_targets()[target](random.Random(f"{target} {seed}"))
    assert store is None or isinstance(store, Store)
    return run(target, seed, store)


class Worker:
    """One child, the file that says what it is at, and the file of what it said."""

    def __init__(self, number: int, first: int, words: argparse.Namespace, scratch: Path, seconds: float) -> None:
        self.number = number
        self.state, self.said = scratch / f"state-{number}-{first}", scratch / f"said-{number}-{first}"
        self.state.write_text("starting\n0\n{}")
        command = [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.run", "--worker", str(self.state)]
        command += ["--seed", str(first), "--seconds", str(seconds), *(["--only", words.only] if words.only else [])]
        environment = variants.environment("sanitized" if words.sanitized else None)
        with self.said.open("wb") as said:
            self.child = subprocess.Popen(command, cwd=variants.ROOT, env=environment, stdout=said, stderr=said)

    def at(self) -> tuple[str, int, Counter[str]]:
        target, seed, counts = self.state.read_text().split("\n", 2)
        return target, int(seed), Counter(json.loads(counts))

    def hangs(self) -> bool:
        return time.time() - self.state.stat().st_mtime > HANG_S


def work(words: argparse.Namespace) -> None:
    """The child: executions by seed, every target in turn, until time is over. A broken rule ends it, as a crash would."""
    state, counts = Path(words.worker), Counter[str]()
    chosen = [words.only] if words.only else targets()
    seed = words.seed
    with store_of_another() as store:
        deadline = time.time() + words.seconds
        while seed == words.seed or time.time() < deadline:     # one at least, however long the start took
            for target in chosen:
                replace(state, target, seed, counts)
                counts[f"{target}: {execute(target, seed, store)}"] += 1
                if time.time() >= deadline:
                    break
            seed += WORKERS
        replace(state, "done", seed, counts)


@contextmanager
def store_of_another() -> Iterator[object]:
    """A store that a process without sanitizers owns: the embedded engine cannot be loaded under them. It ends with us."""
    from tests.store.support import HOLD
    from tradebot.store.client import open_store

    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-c", HOLD, f"{home}/data"]
        told = {name: value for name, value in variants.environment(None).items() if name not in variants.SANITIZED}
        owner = subprocess.Popen(command, cwd=variants.ROOT, env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        try:
            with open_store(Path(home) / "data") as store:
                yield store
        finally:
            owner.kill()
            owner.wait()


def replace(state: Path, target: str, seed: int, counts: Counter[str]) -> None:
    """In one step, so that the parent never reads half of it."""
    new = state.with_suffix(".new")
    new.write_text(f"{target}\n{seed}\n{json.dumps(counts)}")
    new.rename(state)


def supervise(words: argparse.Namespace, scratch: Path) -> tuple[Counter[str], list[str]]:
    """Keep the workers at it until time is over; returns counts and findings."""
    deadline, counts, findings = time.time() + words.seconds, Counter[str](), []
    workers = [Worker(number, words.seed + number, words, scratch, words.seconds) for number in range(WORKERS)]
    while workers:
        time.sleep(0.2)
        for worker in list(workers):
            if worker.child.poll() is None and not worker.hangs():
                continue
            workers.remove(worker)
            hung = worker.child.poll() is None
            worker.child.kill()
            code = worker.child.wait()
            target, seed, done = worker.at()
            counts += done
            if target == "done":
                continue
            findings.append(report(target, seed, "hangs" if hung else f"exit {code}", worker.said))
            if len(findings) < FINDINGS_MAX and time.time() + 5 < deadline:
                workers.append(Worker(worker.number, seed + WORKERS, words, scratch, deadline - time.time()))
    return counts, findings


def report(target: str, seed: int, how: str, said: Path) -> str:
    tail = said.read_text(errors="replace")[-6000:]
    again = f"python -m tests.fuzz.run --once --only {target!r} --seed {seed}"
    print(f"--- {target} {seed}: {how}\n{tail}\nagain: {again}\n", flush=True)
    return f"{target} {seed}"


def commit_now() -> str:
    """What is fuzzed; told by the summary as it was at the start."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=variants.ROOT, capture_output=True, text=True).stdout.strip() or "unknown"


def summary(words: argparse.Namespace, commit: str, counts: Counter[str], findings: list[str], seconds: float) -> str:
    kinds = Counter[str]()
    for name, number in counts.items():
        kinds[name.rpartition(": ")[2]] += number
    build = "address and undefined-behaviour sanitizers" if words.sanitized else "the build in place"
    return (
        f"fuzz: {sum(counts.values()):,} executions ({kinds['taken']:,} taken, {kinds['refused']:,} refused) of "
        f"{len({name.rpartition(': ')[0] for name in counts})} targets in {seconds:.0f} s under {build}, "
        f"seeds from {words.seed}, commit {commit}: {len(findings)} findings"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", "600")))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FUZZ_SEED", "1")))
    parser.add_argument("--only", help="one target")
    parser.add_argument("--once", action="store_true", help="one execution, in this process")
    parser.add_argument("--sanitized", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.worker:
        work(words)
        return 0
    if words.once:
        return once(words)
    if words.sanitized:
        variants.build("sanitized")
    started, commit = time.time(), commit_now()
    with tempfile.TemporaryDirectory() as scratch:
        counts, findings = supervise(words, Path(scratch))
    for name, number in sorted(counts.items()):
        print(f"{number:9,} {name}")
    print(summary(words, commit, counts, findings, time.time() - started))
    return 1 if findings or not counts else 0  # nothing tried is nothing proven


def once(words: argparse.Namespace) -> int:
    if words.sanitized and "LD_PRELOAD" not in os.environ:
        variants.build("sanitized")
        command = [sys.executable, "-m", "tests.fuzz.run", *sys.argv[1:]]
        return subprocess.run(command, env=variants.environment("sanitized")).returncode
    try:
        print(execute(words.only, words.seed))
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
