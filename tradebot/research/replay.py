"""Where two runs part: the first command or account fact that differs, in words."""

from itertools import zip_longest
from pathlib import Path
from typing import Final

import numpy as np

from tradebot._core.types import FACT_DTYPE, Kind
from tradebot.domain.units import time_text
from tradebot.engine.ports import Records
from tradebot.research.results import Manifest

BLOCK_FACTS: Final = 1 << 16


def first_difference(expected: Path, found: Path) -> str | None:
    """Compare two facts files in constant memory; None where they are equal byte for byte."""
    at = 0
    with expected.open("rb") as left, found.open("rb") as right:
        while True:
            one = left.read(BLOCK_FACTS * FACT_DTYPE.itemsize)
            other = right.read(BLOCK_FACTS * FACT_DTYPE.itemsize)
            if one != other:
                return _difference(at, _facts(one), _facts(other))
            if not one:
                return None
            at += BLOCK_FACTS


def _facts(body: bytes) -> Records:
    return np.frombuffer(body[: len(body) - len(body) % FACT_DTYPE.itemsize], dtype=FACT_DTYPE)


def _difference(base: int, expected: Records, found: Records) -> str:
    for at, (one, other) in enumerate(zip_longest(expected, found)):
        if one is None:
            return f"entry {base + at} of its commands and answers: expected the end, found {_text(other)}"
        if other is None:
            return f"entry {base + at} of its commands and answers: expected {_text(one)}, found the end"
        if one.tobytes() != other.tobytes():
            names = [name for name in FACT_DTYPE.names or () if one[name] != other[name]]
            slots = ", ".join(f"{name} {one[name]} -> {other[name]}" for name in names)
            return f"entry {base + at} of its commands and answers, {_text(one)}: {slots}"
    return f"the file of the earlier run is torn after entry {base + len(expected)}"


def _text(fact: np.void) -> str:
    kind = int(fact["kind"])
    name = Kind(kind).name if kind in set(Kind) else f"kind {kind}"
    return f"{name} of order {int(fact['id'])} at {time_text(int(fact['time_ns']))}"


def changed_environment(manifest: Manifest, versions: dict[str, str]) -> list[str]:
    """What differs between the run's environment and this one: "numpy 2.1.0 -> 2.2.0"."""
    names = sorted(set(manifest.versions) | set(versions))
    return [
        f"{name} {manifest.versions.get(name, 'absent')} -> {versions.get(name, 'absent')}"
        for name in names
        if manifest.versions.get(name) != versions.get(name)
    ]
