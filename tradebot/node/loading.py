"""Loads the code that a user's configuration names, a strategy's or an actor's, and says in one line what is wrong with it."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple, TypeVar

from tradebot.domain.errors import ConfigError, StrategyBlocked
from tradebot.domain.words import error_text
from tradebot.node.values import Parameter, Target
from tradebot.research.watchdog import limited

LOAD_LIMIT_S: Final = 10.0
Made = TypeVar("Made")


class Sort(NamedTuple):
    """What a user writes a class of; and in words: one, and many."""

    base: type
    one: str
    many: str


def load_class(what: str, target: Target, sort: Sort) -> type:
    """The class that `target` names; `what` says whose it is. Raises ConfigError: no such module, file or class, or code
    that does not load; StrategyBlocked where it does not return.
    """
    with limited(LOAD_LIMIT_S, f"{what} did not load"):
        module = load_file(what, Path(target.module)) if target.is_file else load_module(what, target.module)
    found = getattr(module, target.name, None)
    if not (inspect.isclass(found) and issubclass(found, sort.base)):
        known = ", ".join(name for name, value in vars(module).items() if _is_own(value, module, sort.base)) or "none"
        raise ConfigError(f"{what}: expected {sort.one} class {target.name!r}, found {sort.many}: {known}")
    return found


def make(what: str, found: Callable[[dict[str, Parameter]], Made], params: dict[str, Parameter]) -> Made:
    """One of a user's class. Raises ConfigError: a parameter that is unknown or out of bounds, a constructor that fails;
    StrategyBlocked where it does not return.
    """
    try:
        with limited(LOAD_LIMIT_S, f"{what} was not made"):
            return found(params)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}") from error
    except StrategyBlocked:
        raise
    except (Exception, SystemExit) as error:
        raise unloadable(what, error) from error


def source_hash(owner: type) -> str:
    """SHA-256 of the file that defines the class."""
    return hashlib.sha256(Path(inspect.getfile(owner)).read_bytes()).hexdigest()


def _is_own(value: object, module: ModuleType, base: type) -> bool:
    return inspect.isclass(value) and issubclass(value, base) and value.__module__ == module.__name__


def load_module(what: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise unloadable(what, error) from error


def load_file(what: str, path: Path) -> ModuleType:
    name = f"tradebot_user_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{what}: expected Python source in {path}, found something else")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise unloadable(what, error) from error
    return module


def unloadable(what: str, error: BaseException) -> ConfigError:
    """With the line that raised."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and frame.filename not in (__file__, importlib.__file__)
    ]
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return ConfigError(f"{what}: expected code that loads, found {error_text(error)}{place}; mend it")
