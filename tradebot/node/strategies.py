"""Loads users' strategy classes by the name the configuration gives, and says in one line what is wrong with them."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Final

import msgspec

from tradebot.domain.errors import ConfigError, StrategyBlocked
from tradebot.engine.plan import Plan
from tradebot.node import identity
from tradebot.node.schema import StrategyUse
from tradebot.research.watchdog import limited
from tradebot.strategies.strategy import Strategy

LOAD_LIMIT_S: Final = 10.0


def load_class(use: StrategyUse) -> type[Strategy]:
    """The class that `use` names. Raises ConfigError: no such module, file or class, or code that does not load."""
    target = use.target
    with limited(LOAD_LIMIT_S, f"strategy {use.use!r} did not load"):
        module = _load_file(Path(target.module)) if target.is_file else _load_module(target.module)
    found = getattr(module, target.name, None)
    if not (inspect.isclass(found) and issubclass(found, Strategy)):
        known = ", ".join(name for name, value in vars(module).items() if _is_strategy(value, module)) or "none"
        raise ConfigError(f"strategy {use.use!r}: expected a Strategy class {target.name!r}, found strategies: {known}")
    _check_callbacks(use, found)
    return found


def make_strategy(use: StrategyUse) -> Strategy:
    """An instance with its Params. Raises ConfigError on a parameter that is unknown or out of bounds, or code that fails."""
    strategy = load_class(use)
    try:
        with limited(LOAD_LIMIT_S, f"strategy {use.use!r} was not made"):
            return strategy(use.params)
    except ConfigError as error:
        raise ConfigError(f"strategy {use.name!r}: {error}") from error
    except StrategyBlocked:
        raise
    except (Exception, SystemExit) as error:
        raise _unloadable(use.use, error) from error


def source_hash(strategy: type[Strategy]) -> str:
    """SHA-256 of the file that defines the class."""
    return hashlib.sha256(Path(inspect.getfile(strategy)).read_bytes()).hexdigest()


def fingerprint_of(uses: Sequence[StrategyUse], plan: Plan) -> str:
    """Names code and parameters of the strategies, the plan with its limits and costs, and the engine: what decides whether a
    journal can be stepped again.
    """
    return identity.identity(
        [
            identity.code_hash(),
            hashlib.sha256(msgspec.msgpack.encode(plan)).hexdigest(),
            [[source_hash(load_class(use)), msgspec.to_builtins(make_strategy(use).params)] for use in uses],
        ]
    )


def _check_callbacks(use: StrategyUse, strategy: type[Strategy]) -> None:
    """A misspelt callback would never be called, and nobody would be told."""
    known = [name for name in dir(Strategy) if name.startswith("on_")]
    for name in dir(strategy):
        if name.startswith("on_") and name not in known and callable(getattr(strategy, name)):
            near = get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"strategy {use.use!r}: expected callbacks of Strategy, found {name}, which is none; the nearest is {near}, "
                "and a helper of your own needs another first word than on"
            )


def _is_strategy(value: object, module: ModuleType) -> bool:
    return inspect.isclass(value) and issubclass(value, Strategy) and value.__module__ == module.__name__


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise _unloadable(name, error) from error


def _load_file(path: Path) -> ModuleType:
    name = f"tradebot_user_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"strategy file {path}: expected Python source, found something else")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _unloadable(str(path), error) from error
    return module


def _unloadable(name: str, error: BaseException) -> ConfigError:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and frame.filename not in (__file__, importlib.__file__)
    ]
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return ConfigError(f"strategy {name}: expected code that loads, found {type(error).__name__}: {error}{place}; mend it")
