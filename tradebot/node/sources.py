"""Layers of settings, merged into one tree that remembers where each leaf was written.

Files come first, in the order given, then the environment (`TRADEBOT__A__B=value`), then `--set a.b=value`.
Tables merge key by key; anything else, a list too, replaces what was there. This file knows nothing of what a
key means: that is `shape` and `config`.
"""

import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Final, cast

from tradebot.domain.errors import ConfigError
from tradebot.domain.words import one_line

Value = str | int | float | bool | list["Value"] | dict[str, "Value"]
Table = dict[str, Value]
KeyPath = tuple[str, ...]

ENVIRONMENT_PREFIX: Final = "TRADEBOT__"
FROM_DEFAULT: Final = "default"
FROM_SET: Final = "--set"
FROM_FILE: Final = "file:"
FROM_ENVIRONMENT: Final = "env:"


@dataclass
class Layers:
    """The merged tree, and the source of each of its leaves by dotted path."""

    values: Table = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """One value from the environment or the command line, with the text as it was typed."""

    path: KeyPath
    value: Value
    text: str
    source: str


def read_file(path: Path) -> Table:
    """The tables of a TOML file. Raises ConfigError that names the file, and the line that is not TOML."""
    try:
        with path.open("rb") as stream:
            return cast(Table, _plain(tomllib.load(stream)))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: expected TOML, found: {one_line(str(error))}{_remedy(str(error))}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected TOML in UTF-8, found bytes that are not text") from error
    except ValueError as error:
        raise ConfigError(f"{path}: expected whole numbers of up to 64 bits, found one of thousands of digits") from error
    except FileNotFoundError:
        raise ConfigError(f"{path}: expected a configuration file, found none: check the path") from None
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable file, found: {error.strerror}") from error


def environment_settings(environment: Mapping[str, str]) -> Iterator[Setting]:
    """`TRADEBOT__ACCOUNT__VENUE=kraken` as account.venue, in the order of the names."""
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX):
            path = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
            source = f"{FROM_ENVIRONMENT}{name}"
            if not all(path):
                raise ConfigError(f"{name}: expected a name such as TRADEBOT__DATA__TO, found an empty part")
            yield Setting(path, parse_value(environment[name]), environment[name], source)


def command_settings(settings: list[str]) -> Iterator[Setting]:
    """`a.b=value` of --set, in the order given."""
    for setting in settings:
        key, equals, text = setting.partition("=")
        path = tuple(part.strip() for part in key.split("."))
        if not equals or not all(path):
            raise ConfigError(f"--set: expected KEY=VALUE such as costs.latency=50ms, found {setting!r}")
        yield Setting(path, parse_value(text.strip()), text.strip(), FROM_SET)


def parse_value(text: str) -> Value:
    """A TOML value; text that is none stands for itself."""
    try:
        found = tomllib.loads(f"value = {text}")
    except ValueError:  # it is no TOML, or a number of thousands of digits
        return text
    return cast(Table, _plain(found))["value"] if set(found) == {"value"} else text


def merge_table(layers: Layers, table: Table, source: str, path: KeyPath = ()) -> None:
    """Lay `table` over the tree at `path`."""
    target = _table_at(layers, path)
    for key, value in table.items():
        below = (*path, key)
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge_table(layers, value, source, below)
        else:
            _forget(layers, below)
            target[key] = deepcopy(value)
            _note(layers, below, value, source)


def set_value(layers: Layers, setting: Setting, value: Value) -> None:
    """Put one leaf into the tree; a number in its path is an index of a list. Raises ConfigError."""
    holder: Value = layers.values
    for index, part in enumerate(setting.path[:-1]):
        holder = _step(holder, part, setting, setting.path[: index + 1])
    _forget(layers, setting.path)
    last = setting.path[-1]
    if isinstance(holder, list):
        _put(holder, _position(holder, setting, setting.path), value)
        if not isinstance(value, dict):
            layers.sources[".".join(setting.path[:-1])] = setting.source
    else:
        assert isinstance(holder, dict)
        _forget_leaf(layers, setting.path[:-1])
        holder[last] = deepcopy(value)
    _note(layers, setting.path, value, setting.source)


def source_of(sources: Mapping[str, str], path: str) -> str:
    """Who wrote `path`: itself, or the nearest table above it, or the first leaf below it."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        found = sources.get(".".join(parts[:length]))
        if found is not None:
            return found
    return next((source for key, source in sources.items() if key.startswith(f"{path}.")), FROM_DEFAULT)


def source_label(source: str) -> str:
    """As people know it: the file's path, the variable's name, --set, default."""
    return source.removeprefix(FROM_FILE).removeprefix(FROM_ENVIRONMENT)


def leaves(value: Value, path: KeyPath = ()) -> Iterator[tuple[str, Value]]:
    """Each leaf with its dotted path; lists of tables are walked, other lists and empty tables are leaves."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    elif isinstance(value, list) and any(isinstance(below, dict) for below in value):
        for index, below in enumerate(value):
            yield from leaves(below, (*path, str(index)))
    else:
        yield ".".join(path), value


def _table_at(layers: Layers, path: KeyPath) -> Table:
    table = layers.values
    for part in path:
        below = table[part]
        assert isinstance(below, dict)
        table = below
    return table


def _step(holder: Value, part: str, setting: Setting, path: KeyPath) -> Value:
    """The table or list below `part`; a missing one is made, a plain value is replaced by a table."""
    if isinstance(holder, list):
        position = _position(holder, setting, path)
        if position == len(holder) or not isinstance(holder[position], dict | list):
            _put(holder, position, {})
        return holder[position]
    assert isinstance(holder, dict)
    if not isinstance(holder.get(part), dict | list):
        following = setting.path[len(path)]
        holder[part] = [] if following.isdecimal() else {}
    return holder[part]


def _position(holder: list[Value], setting: Setting, path: KeyPath) -> int:
    part = path[-1]
    label = source_label(setting.source)
    if not part.isdecimal() or int(part) > len(holder):
        whole = ".".join(path)
        raise ConfigError(
            f"{label}: {whole}: expected the number of an entry, 0 to {len(holder)}, found {part!r}"
        )
    return int(part)


def _put(holder: list[Value], position: int, value: Value) -> None:
    if position == len(holder):
        holder.append(deepcopy(value))
    else:
        holder[position] = deepcopy(value)


def _note(layers: Layers, path: KeyPath, value: Value, source: str) -> None:
    for key, _ in leaves(value, path):
        layers.sources[key] = source


def _forget(layers: Layers, path: KeyPath) -> None:
    """Drop the sources of `path` and of all below it."""
    whole = ".".join(path)
    for key in [key for key in layers.sources if key == whole or key.startswith(f"{whole}.")]:
        del layers.sources[key]


def _forget_leaf(layers: Layers, path: KeyPath) -> None:
    """What was a leaf and has become a table has no source of its own any more."""
    for length in range(1, len(path) + 1):
        layers.sources.pop(".".join(path[:length]), None)


def _plain(value: object) -> Value:
    """TOML's values with times as ISO text, so that what was read can be written as JSON."""
    if isinstance(value, dict):
        return {str(key): _plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_plain(below) for below in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    assert isinstance(value, str | int | float | bool)
    return value


def _remedy(found: str) -> str:
    """Of what people meet who append a table to a file that has the table above it in braces."""
    is_closed = "immutable" in found or " twice" in found
    return "; a table in braces, `a = { ... }`, is closed: write it as [a] to have [a.b] beside it" if is_closed else ""
