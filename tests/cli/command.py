"""Run the command as a process of its own, as people and scripts do."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import tradebot

ROOT = str(Path(tradebot.__file__).parents[1])


class Demo(NamedTuple):
    """The demo run twice in `folder`, on its own home: for people, then as JSON."""

    folder: Path
    first: subprocess.CompletedProcess[str]
    second: subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    """This process's, without what a user may have set for tradebot."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRADEBOT_")}
    return {**kept, "PYTHONPATH": ROOT, **more}


# What is told of work that takes longer than a second: on a busy machine any work may.
PROGRESS = re.compile(r"^[^\n:]+: (?:took [\d.]+ s|[\d,]+(?: of [\d,]+)?)\n", re.MULTILINE)


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`tradebot ARGUMENTS` in `folder`; progress is taken out of what it said on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "tradebot.cli.main", *arguments],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    done.stderr = PROGRESS.sub("", done.stderr)
    return done


def failure(folder: Path, code: int, *arguments: str, **more: str) -> str:
    """The one line of a call that must fail with `code`."""
    done = run(folder, *arguments, **more)
    assert done.returncode == code, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("tradebot: "), done.stderr
    return done.stderr.strip()
