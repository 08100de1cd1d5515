"""What was set for a run, as flat names and texts, so that runs can be held against each other.

A run is decided by its strategies and their parameters, by its data, by its costs, by the rest of its configuration, and by
the code that ran it. Each is a group here. Parameters come from the manifest with their defaults filled in, and fees and
delays as they took effect: two files that say the same in other words do not differ. What only a report is made from is absent.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from tradebot.domain.units import duration_text, time_text
from tradebot.research.results import Manifest, StrategyEntry

_ELSEWHERE: Final = ("strategy", "report", "download")  # sections told in another group, or that decide nothing
_EFFECTIVE: Final = ("costs.fees", "costs.latency", "data.from", "data.to")  # told as they took effect

Key = tuple[str, str]  # (group, name)


class Setting(Struct, frozen=True):
    """Something that was not set alike: a text for each run, in their order; None where a run has no such thing."""

    group: str  # strategy, params, data, costs, config or versions
    name: str
    values: list[str | None]


def differing(manifests: Sequence[Manifest]) -> list[Setting]:
    """What was not set alike in all runs, group by group."""
    texts = [dict(_all(manifest)) for manifest in manifests]
    names = list(dict.fromkeys(key for one in texts for key in one))
    names.sort(key=lambda key: _GROUPS.index(key[0]))
    found = [Setting(*key, [one.get(key) for one in texts]) for key in names]
    return [one for one in found if len(set(one.values)) > 1]


_GROUPS: Final = ("strategy", "params", "data", "costs", "config", "versions")


def _all(manifest: Manifest) -> Iterator[tuple[Key, str]]:
    several = len(manifest.strategies) > 1
    for entry in manifest.strategies:
        yield from _of_strategy(entry, f"{entry.number}." if several else "")
    yield from _of_data(manifest)
    yield from _of_costs(manifest)
    for path, value in _leaves(manifest.config):
        group, _, name = path.partition(".")
        if group not in _ELSEWHERE and not path.startswith(_EFFECTIVE):
            yield ((group, name) if group in ("costs", "data") else ("config", path)), _text(value)
    for name, version in manifest.versions.items():
        yield ("versions", name), version


def _of_strategy(entry: StrategyEntry, number: str) -> Iterator[tuple[Key, str]]:
    yield ("strategy", f"{number}use"), entry.use
    yield ("strategy", f"{number}name"), entry.name
    yield ("strategy", f"{number}source"), entry.source_hash[:12]
    for name, value in entry.params.items():
        yield ("params", number + name), _text(value)


def _of_data(manifest: Manifest) -> Iterator[tuple[Key, str]]:
    selection = manifest.selection
    yield ("data", "instruments"), ", ".join(sorted(one.name for one in manifest.instruments))
    yield ("data", "from"), time_text(selection.first_ns)
    yield ("data", "to"), time_text(selection.last_ns)
    yield ("data", "rows"), f"{selection.rows:,}"
    yield ("data", "checksum"), str(selection.checksum)


def _of_costs(manifest: Manifest) -> Iterator[tuple[Key, str]]:
    costs = manifest.costs
    yield ("costs", "maker fee"), costs.maker_fee
    yield ("costs", "taker fee"), costs.taker_fee
    yield ("costs", "fee paid in"), costs.fee_asset
    yield ("costs", "latency to the venue"), costs.order_latency or duration_text(costs.order_latency_ns)
    yield ("costs", "latency of its answer"), costs.answer_latency or duration_text(costs.answer_latency_ns)


def _leaves(table: dict[str, object], path: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}.")
        elif value is not None:  # a key that is not set says no more than one that is not there
            yield path + name, value


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
