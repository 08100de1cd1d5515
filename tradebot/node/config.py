"""The configuration of a run, from its sources to a checked value, and back.

`load_config` merges the sources (`sources`), compares the tree with the schema (`shape`, `schema`), reads
each text (`values`) and says no in one line that names where the wrong thing was written. What comes out is
frozen, whole, and can be written into a manifest and read again.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, cast

import msgspec

from tradebot.domain.errors import ConfigError
from tradebot.domain.wire import STREAMS_PORT_AFTER
from tradebot.node.node_schema import Supervisor
from tradebot.node.places import parse_store
from tradebot.node.schema import Config, Download, FeeRates, Grid, Latency, StrategyUse
from tradebot.node.shape import Shape
from tradebot.node.sources import (
    FROM_DEFAULT,
    FROM_FILE,
    KeyPath,
    Layers,
    Table,
    Value,
    command_settings,
    environment_settings,
    leaves,
    merge_table,
    read_file,
    set_value,
    source_label,
    source_of,
)
from tradebot.node.tree_shape import RESERVED
from tradebot.node.values import (
    BUS_PORTS,
    Rate,
    Target,
    parse_actor_name,
    parse_asset,
    parse_balances,
    parse_bus,
    parse_client_name,
    parse_endpoint,
    parse_floor,
    parse_fraction,
    parse_fraction_from_zero,
    parse_fraction_positive,
    parse_from,
    parse_interval,
    parse_keep,
    parse_key,
    parse_latency,
    parse_latency_model,
    parse_lease,
    parse_positive,
    parse_public_key,
    parse_rate,
    parse_to,
    parse_use,
    parse_wait,
)

__all__ = [
    "Config",
    "Download",
    "FeeRates",
    "Grid",
    "Latency",
    "Loaded",
    "Rate",
    "StrategyUse",
    "Target",
    "config_from_dict",
    "config_identity",
    "config_to_dict",
    "explain",
    "json_schema",
    "load_config",
    "load_download",
    "load_store",
    "merge_sources",
]

# Keys and values of parts that a later version brings: refused by name, so that nobody trades without a limit
# that he believes he set.
KEYS_LATER: Final = frozenset(
    {"risk.daily_loss", "risk.drawdown", "risk.gross", "risk.on_breach"}
)
CHOICES_BUILT: Final = {
    "mode": ("backtest", "sandbox"),
}

SECRET: Final = frozenset({"account.key", "store"})

# How each text is read, for the check; `*` is any index. Texts that are a choice of words are in the schema.
READERS: Final[dict[str, Callable[[str], object]]] = {
    "account.start": parse_balances,
    "account.key": parse_key,
    "store": parse_store,
    "account.maintenance": parse_fraction_positive,
    "account.maintenance.*.floor": parse_floor,
    "account.maintenance.*.rate": parse_fraction_positive,
    "data.from": parse_from,
    "data.to": parse_to,
    "data.bars": parse_interval,
    "costs.fees": lambda text: None if text == "account" else _refuse_fees(text),
    "costs.fees.maker": parse_fraction,
    "costs.fees.taker": parse_fraction,
    "costs.spread": parse_fraction_from_zero,
    "costs.slippage": parse_fraction_from_zero,
    "costs.participation": parse_fraction_positive,
    "costs.fees.asset": parse_asset,
    "costs.fees.price": parse_positive,
    "costs.latency": parse_latency_model,
    "costs.latency.order": parse_latency_model,
    "costs.latency.answer": parse_latency_model,
    "risk.quantity_max": parse_positive,
    "risk.notional_max": parse_positive,
    "risk.position_max": parse_positive,
    "risk.price_band": parse_fraction_positive,
    "risk.order_rate": parse_rate,
    "strategy.*.use": parse_use,
    "report.sample": lambda text: None if text == "auto" else parse_interval(text),
    "report.grid.fees.*": parse_fraction,
    "report.grid.latencies.*": parse_latency,
    "download.timeout": parse_interval,
    "node.order_age": parse_interval,
    "node.lease": parse_lease,
    "node.reconcile": parse_interval,
    "node.keep": parse_keep,
    "node.bus": parse_bus,
    "node.api.address": parse_endpoint,
    "node.api.client.*.name": parse_client_name,
    "node.api.client.*.key": parse_public_key,
    "node.supervisor.period": parse_interval,
    "node.supervisor.backoff": parse_wait,
    "node.supervisor.backoff_max": parse_interval,
    "node.actors.period": parse_interval,
    "node.actors.backoff": parse_wait,
    "node.actors.backoff_max": parse_interval,
    "node.actors.supervisor.*.name": parse_actor_name,
    "node.actors.supervisor.*.period": parse_interval,
    "node.actors.supervisor.*.backoff": parse_wait,
    "node.actors.supervisor.*.backoff_max": parse_interval,
    "node.actors.actor.*.name": parse_actor_name,
    "node.actors.actor.*.use": parse_use,
    "node.actors.actor.*.shutdown": parse_wait,
    "node.actors.actor.*.patience": parse_interval,
}

_NUMBERED: Final = re.compile(r"(?:^|: )(?P<entry>(?:node\.[a-z.]+|strategy)\.[0-9]+)\.(?P<key>[^ .:]+)[^ :]*: ")


@dataclass(frozen=True)
class Loaded:
    """A checked configuration, the source of each leaf by dotted path, and its values as plain data."""

    config: Config
    sources: dict[str, str]
    values: Table


def load_config(files: Sequence[Path], environment: Mapping[str, str], settings: Sequence[str]) -> Loaded:
    """Defaults < files in order < environment < settings (`a.b=value`). Raises ConfigError, one line."""
    layers = merge_sources(files, environment, settings)
    try:
        for path in ("strategy", "node.actors.actor"):
            _resolve_code(layers, path)
        _resolve_latencies(layers)
        config = _checked(layers.values, layers.sources)
    except ConfigError as error:
        raise ConfigError(f"{error}{_named_entry(str(error), layers.values)}") from error
    values = config_to_dict(config)
    sources = {path: layers.sources.get(path, FROM_DEFAULT) for path, _ in leaves(values)}
    return Loaded(config, sources, values)


def load_download(files: Sequence[Path], environment: Mapping[str, str], settings: Sequence[str]) -> Download:
    """The section `download` alone, of sources that need not describe a run. Raises ConfigError, also for a key elsewhere
    that does not exist.
    """
    layers = merge_sources(files, environment, settings)
    present = _checked_tree(layers.values, layers.sources, whole=False)
    return msgspec.convert(present.get("download", {}), Download)


def load_store(files: Sequence[Path], environment: Mapping[str, str], settings: Sequence[str]) -> str | None:
    """The key `store` alone, of sources that need not describe a run. Raises ConfigError, as `load_download`."""
    layers = merge_sources(files, environment, settings)
    return cast(str | None, _checked_tree(layers.values, layers.sources, whole=False).get("store"))


def merge_sources(files: Sequence[Path], environment: Mapping[str, str], settings: Sequence[str]) -> Layers:
    """The merged tree before any check of its keys, for `explain` of a configuration that is not whole."""
    layers = Layers()
    for path in files:
        merge_table(layers, read_file(path), f"{FROM_FILE}{path}")
    for setting in (*environment_settings(environment), *command_settings(list(settings))):
        set_value(layers, setting, _fitting(setting.path, setting.value, setting.text))
    return layers


def config_to_dict(config: Config) -> Table:
    """The whole effective configuration as plain data, in the order of the schema; absent values are None."""
    return cast(Table, msgspec.to_builtins(config))


def config_from_dict(values: Mapping[str, object]) -> Config:
    """The configuration that `config_to_dict` wrote. Raises ConfigError."""
    return _checked(cast(Table, dict(values)), {})


def config_identity(config: Config) -> Table:
    """What makes two runs the same run: paths of strategy files are reduced to their names; how ticks are fetched, and where
    they are kept, is left out.
    """
    values = config_to_dict(config)
    del values["download"], values["store"], values["node"]
    for entry, use in zip(cast(list[Table], values["strategy"]), config.strategy, strict=True):
        if use.target.is_file:
            entry["use"] = f"{Path(use.target.module).name}:{use.target.name}"
    return values


def json_schema() -> dict[str, object]:
    """The JSON schema (2020-12) of a configuration file, with descriptions, defaults and examples."""
    schema = msgspec.json.schema(Config)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tradebot configuration",
        "$ref": schema["$ref"],
        "$defs": schema["$defs"],
    }


def explain(values: Table, sources: Mapping[str, str], key: str) -> dict[str, object]:
    """One key: value, source, type, default and meaning. Raises ConfigError that names the nearest key."""
    path = tuple(key.split("."))
    node = _shape().node_at(path)
    if node is None:
        raise ConfigError(_shape().unknown(path, {key: "config explain"}))
    described = {
        "key": key,
        "value": _value_shown(values, path),
        "source": source_of(sources, key),
        "type": _shape().expected(node),
        "default": node.get("default"),
        "doc": node.get("description"),
        "examples": node.get("examples", []),
    }
    keys = _shape().keys_at(path)
    return {**described, "keys": keys} if keys else described


def _value_shown(values: Table, path: KeyPath) -> Value | None:
    """A secret that is none by its form may be the secret itself."""
    value, key = _value_at(values, path), ".".join(path)
    if key in SECRET and isinstance(value, str):
        try:
            READERS[key](value)
        except ValueError:
            return "not shown: it is no reference"
    return value


@cache
def _shape() -> Shape:
    return Shape(json_schema())


def _fitting(path: KeyPath, value: Value, text: str) -> Value:
    """The typed text where its reading as a number does not fit: --set risk.quantity_max=2 means the text
    "2"."""
    is_meant = isinstance(value, list | dict) or _shape().admits(path, value)
    return value if is_meant or not _shape().admits(path, text) else text


def _checked(values: Table, sources: Mapping[str, str]) -> Config:
    named = _with_names(_checked_tree(values, sources))
    try:
        config = msgspec.convert(named, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_words_of(error, sources)) from error
    _refuse_later_choices(named, sources)
    _check_together(config, sources)
    return config


def _named_entry(said: str, values: Table) -> str:
    """Behind a path with the number of an entry the entry's name, which its writer knows it by."""
    found = _NUMBERED.search(said)
    if found is None or found["key"] == "name":
        return ""
    entry = _value_at(values, tuple(found["entry"].split(".")))
    name = entry.get("name") if isinstance(entry, dict) else None
    return f" ({'.'.join(found['entry'].split('.')[-2:])} is {name!r})" if isinstance(name, str) else ""


def _words_of(error: msgspec.ValidationError, sources: Mapping[str, str]) -> str:
    """What the schema cannot say, as everything else is said: where, and what was expected."""
    what, _, place = str(error).partition(" - at `$.")
    path = re.sub(r"\[(\d+)\]", r".\1", place.rstrip("`"))
    where = _where(sources, path) if path else "configuration"
    return f"{where}: {what[:1].lower()}{what[1:].replace('`', '')}"


def _checked_tree(values: Table, sources: Mapping[str, str], whole: bool = True) -> Table:
    """What is present, each key and text of it checked; where it is not `whole`, sections may be missing."""
    present = cast(Table, _without_nothing(values))
    _refuse_later_keys(present, sources)
    _shape().check(present, sources, SECRET, whole)
    for path, value in _texts(present):
        _read_text(path, value, sources)
    return present


def _refuse_later_keys(values: Table, sources: Mapping[str, str]) -> None:
    for path in (path for path, _ in leaves(values)):
        if any(path == key or path.startswith(f"{key}.") for key in KEYS_LATER):
            raise ConfigError(f"{_where(sources, path)}: comes with a later version: remove the key")


def _refuse_later_choices(values: Table, sources: Mapping[str, str]) -> None:
    for path, built in CHOICES_BUILT.items():
        value = _value_at(values, tuple(path.split(".")))
        if value is not None and value not in built:
            words = " and ".join(repr(one) for one in built)
            raise ConfigError(f"{_where(sources, path)}: {value!r} comes with a later version; this one has {words}")


def _read_text(path: str, value: Value, sources: Mapping[str, str]) -> None:
    reader = READERS.get(_pattern(path))
    if reader is None:
        return
    try:
        reader(cast(str, value))
    except ValueError as error:
        raise ConfigError(f"{_where(sources, path)}: {error}") from error
    except ArithmeticError as error:
        where = _where(sources, path)
        raise ConfigError(f"{where}: expected a number of a usual size, found {value!r}") from error


def _check_together(config: Config, sources: Mapping[str, str]) -> None:
    """What single keys cannot show."""
    first_ns, end_ns = config.data.from_ns, config.data.to_ns
    if first_ns is not None and end_ns is not None and first_ns >= end_ns:
        raise ConfigError(
            f"{_where(sources, 'data.to')}: expected an end after {config.data.from_}, found {config.data.to}"
        )
    if config.data.bars is not None and config.data.grade != "bars":
        where = _where(sources, "data.bars")
        raise ConfigError(f'{where}: counts at bar grade only: set data.grade = "bars", or remove the key')
    fees = config.fee_rates
    if (fees.price is None) != (not fees.third):
        raise ConfigError(
            f"{_where(sources, 'costs.fees.price')}: expected a price where fees are paid in an asset such as BNB, and none for "
            f"quote and base, found asset {fees.asset} with {'no price' if fees.price is None else fees.price}"
        )
    if fees.third and not config.account.balances.get(fees.third):
        raise ConfigError(f"{_where(sources, 'account.start')}: expected some {fees.third}, in which fees are paid, found none")
    _check_clients(config, sources)
    _check_ports(config, sources)
    _check_actors(config, sources)
    _check_waits(config.node.supervisor, "node.supervisor", sources)
    if config.node.actors is not None:
        _check_waits(config.node.actors, "node.actors", sources)
        for index, one in enumerate(config.node.actors.supervisor):
            _check_waits(one, f"node.actors.supervisor.{index}", sources)
    names: set[str] = set()
    for index, use in enumerate(config.strategy):
        where = f"strategy.{index}"
        if use.name in names:
            raise ConfigError(
                f"{_where(sources, f'{where}.name')}: expected each name once, found {use.name!r} twice: "
                "give one of them a name of its own"
            )
        names.add(use.name)
        _check_instruments(use, config.account.venue, _where(sources, f"{where}.instruments"))


def _check_clients(config: Config, sources: Mapping[str, str]) -> None:
    """A name or a key that is there twice would leave open who did something, or what a key may do."""
    clients = config.node.api.client if config.node.api is not None else []
    for field in ("name", "key"):
        found: set[str] = set()
        for index, client in enumerate(clients):
            value = getattr(client, field)
            if value in found:
                where = _where(sources, f"node.api.client.{index}.{field}")
                raise ConfigError(f"{where}: expected each {field} once, found {value!r} twice: give each client its own")
            found.add(value)


def _check_ports(config: Config, sources: Mapping[str, str]) -> None:
    """Parts and clients are not in each other's way."""
    bus, api = parse_bus(config.node.bus), config.node.api
    if bus is None or api is None:
        return
    port, last = api.endpoint.port, bus.port + BUS_PORTS - 1
    if bus.port - STREAMS_PORT_AFTER <= port <= last:
        raise ConfigError(
            f"{_where(sources, 'node.api.address')}: expected a port, and one behind it, beside those of node.bus, {bus.port} to "
            f"{last}, found {port}: choose others"
        )


def _check_actors(config: Config, sources: Mapping[str, str]) -> None:
    """Names of actors and of their supervisors, and that these belong together."""
    if (actors := config.node.actors) is None:
        return
    found: set[str] = set()
    named = [(f"supervisor.{index}", one.name) for index, one in enumerate(actors.supervisor)]
    for path, name in [*named, *((f"actor.{index}", one.name) for index, one in enumerate(actors.actor))]:
        if name in found or name in RESERVED:
            why = "is there twice" if name in found else "is a part of the node"
            where = _where(sources, f"node.actors.{path}.name")
            raise ConfigError(f"{where}: expected a name of its own for each actor, found {name!r}, which {why}")
        found.add(name)
    for index, use in enumerate(actors.actor):
        if use.supervisor and use.supervisor not in [name for _, name in named]:
            where = _where(sources, f"node.actors.actor.{index}.supervisor")
            known = ", ".join(name for _, name in named) or "of which there are none"
            raise ConfigError(f"{where}: expected a [[node.actors.supervisor]] by its name, {known}, found {use.supervisor!r}")
    for path, name in named:
        if name not in [use.supervisor for use in actors.actor]:
            where = _where(sources, f"node.actors.{path}.name")
            raise ConfigError(f"{where}: expected an actor with supervisor = {name!r}, found none: add one or leave this out")


def _check_waits(supervisor: Supervisor, path: str, sources: Mapping[str, str]) -> None:
    """Waits grow from the first to the longest."""
    if supervisor.backoff_s > supervisor.backoff_max_s:
        written = f"{path}.backoff" if source_of(sources, f"{path}.backoff_max") == FROM_DEFAULT else f"{path}.backoff_max"
        raise ConfigError(
            f"{_where(sources, written)}: expected a first wait, backoff, that is no longer than the longest, backoff_max, found "
            f"{supervisor.backoff} and {supervisor.backoff_max}"
        )


def _check_instruments(use: StrategyUse, venue: str, where: str) -> None:
    names = use.instrument_names(venue)
    for name in names:
        symbol, _, place = name.partition("@")
        if not symbol or not place:
            raise ConfigError(f'{where}: expected a name such as "BTC/USD@bitstamp", found {name!r}')
        if place != venue:
            raise ConfigError(
                f"{where}: expected an instrument of the account's venue {venue}, found {name!r}"
            )
        if names.count(name) > 1:
            raise ConfigError(f"{where}: expected each instrument once, found {name!r} twice")


def _resolve_code(layers: Layers, path: str) -> None:
    """Make the path of each strategy's or actor's file whole: relative to the file that names it, else to where we are."""
    entries = _value_at(layers.values, tuple(path.split(".")))
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        use = entry.get("use") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(use, str):
            continue
        module, colon, name = use.rpartition(":")
        if colon and module.endswith(".py"):
            entry["use"] = f"{_named_file(Path(module), layers.sources, f'{path}.{index}.use', 'a Python file')}:{name}"


def _resolve_latencies(layers: Layers) -> None:
    """The same for the file of measured latencies."""
    costs = layers.values.get("costs")
    latency = costs.get("latency") if isinstance(costs, dict) else None
    recorded = latency.get("recorded") if isinstance(latency, dict) else None
    if isinstance(latency, dict) and isinstance(recorded, str):
        latency["recorded"] = str(_named_file(Path(recorded), layers.sources, "costs.latency.recorded", "a CSV file"))


def _named_file(named: Path, sources: Mapping[str, str], path: str, what: str) -> Path:
    source = source_of(sources, path)
    folder = Path(source.removeprefix(FROM_FILE)).parent if source.startswith(FROM_FILE) else Path()
    found = (folder / named).resolve()
    if not found.is_file():
        raise ConfigError(f"{_where(sources, path)}: expected {what}, found none at {found}")
    return found


def _with_names(values: Table) -> Table:
    """Each strategy with its name: the class name in lower case where none is written."""
    entries = cast(list[Table], values["strategy"])
    named = [
        {**entry, "name": entry.get("name") or parse_use(cast(str, entry["use"])).name.lower()}
        for entry in entries
    ]
    return {**values, "strategy": cast(list[Value], named)}


def _texts(values: Table) -> Iterator[tuple[str, Value]]:
    """The leaves that a reader may want: lists whole, and each of their entries too."""
    for path, value in leaves(values):
        yield path, value
        for index, entry in enumerate(value if isinstance(value, list) else []):
            yield f"{path}.{index}", entry


def _pattern(path: str) -> str:
    return ".".join("*" if part.isdecimal() else part for part in path.split("."))


def _value_at(values: Value, path: KeyPath) -> Value | None:
    """The value at a path; None where there is none."""
    value: Value | None = values
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _without_nothing(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _without_nothing(below) for key, below in value.items() if below is not None}
    if isinstance(value, list):
        return [_without_nothing(below) for below in value]
    return value


def _where(sources: Mapping[str, str], path: str) -> str:
    source = source_of(sources, path)
    return path if source == FROM_DEFAULT else f"{source_label(source)}: {path}"


def _refuse_fees(text: str) -> None:
    raise ValueError(f'expected "account" or a table {{ maker = "0.3%", taker = "0.4%" }}, found {text!r}')
