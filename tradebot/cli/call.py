"""One call of the command line: the parsed words, the options that every verb shares, and how verbs are
declared."""

import os
import shlex
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from tradebot.cli.output import Output
from tradebot.domain.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from tradebot.node.config import Loaded

HOME_DEFAULT: Final = "tradebot_home"


def count_arg(text: str) -> int:
    """A number of things on the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number from 1 on, found {text!r}")
    return int(text)


@dataclass(frozen=True)
class Call:
    """What a verb is given."""

    words: Namespace
    files: list[Path]
    settings: list[str]
    home: Path
    output: Output
    command: str

    def load_config(self) -> "Loaded":
        """The effective configuration of this call. Raises ConfigError."""
        from tradebot.node.config import load_config

        return load_config(self.files, os.environ, self.settings)

    def load_dsn(self) -> str | None:
        """The server that the configuration names as the store; None: the home's own. Raises ConfigError."""
        from tradebot.node.config import load_store

        return load_store(self.files, os.environ, self.settings)

    def refuse_config(self, why: str) -> None:
        """For verbs that take none: a setting that changes nothing would be believed. Raises UsageError."""
        if self.files or self.settings:
            raise UsageError(f"expected no --config and no --set here, found one: {why}")

    def make_home(self) -> Path:
        """The home, made where it is missing. Raises UsageError."""
        from tradebot.node.home import make_home

        return make_home(self.home)


Run = Callable[[Call], int]


class Parser(ArgumentParser):
    """argparse that raises one line, and never guesses what an abbreviation means."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{_nearest(message)}; see `{self.prog} --help`")


class Verbs:
    """The verbs of one level."""

    def __init__(self, parser: Parser, shared: Parser) -> None:
        self._shared = shared
        self._choices: _SubParsersAction[Parser] = parser.add_subparsers(
            title="verbs", metavar="VERB", required=True, parser_class=Parser
        )

    def add(self, name: str, run: Run, help_text: str, description: str | None = None) -> Parser:
        """A verb that runs `run`; `description` is for its own help, where that says more."""
        parser = self._add(name, help_text, description)
        parser.set_defaults(run=run, verb_name=parser.prog.removeprefix("tradebot "))
        return parser

    def add_group(self, name: str, help_text: str) -> "Verbs":
        """A word that verbs follow."""
        return Verbs(self._add(name, help_text), self._shared)

    def _add(self, name: str, help_text: str, description: str | None = None) -> Parser:
        return self._choices.add_parser(
            name, help=help_text, description=description or help_text, parents=[self._shared], allow_abbrev=False
        )


def shared_options() -> Parser:
    """The options that stand before or after the verb, as people type them."""
    shared = Parser(prog="tradebot", add_help=False, allow_abbrev=False, argument_default=SUPPRESS)
    options = shared.add_argument_group("options of every verb")
    options.add_argument(
        "--home", metavar="DIR", help="folder for everything written (default ./tradebot_home)"
    )
    options.add_argument(
        "-c", "--config", metavar="FILE", action="append", help="TOML file; again: the later wins"
    )
    options.add_argument(
        "--set", metavar="KEY=VALUE", action="append", help="one value, over files and environment"
    )
    options.add_argument(
        "--json", action="store_true", help="one JSON object on stdout and nothing else there"
    )
    options.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options.add_argument("--version", action="store_true", help="say which version this is")
    return shared


def make_call(words: Namespace, shared: Namespace, arguments: list[str], output: Output) -> Call:
    """Put the call together; the environment names the home where no option does."""
    home = getattr(shared, "home", None) or os.environ.get("TRADEBOT_HOME") or HOME_DEFAULT
    return Call(
        words=words,
        files=[Path(text) for text in getattr(shared, "config", [])],
        settings=list(getattr(shared, "set", [])),
        home=Path(home),
        output=output,
        command=shlex.join(["tradebot", *arguments]),
    )


def _nearest(message: str) -> str:
    """Shorten argparse's list of choices to the nearest one, where one is near."""
    start, choice, rest = message.partition("invalid choice: ")
    if not choice:
        return message
    from ast import literal_eval
    from difflib import get_close_matches

    found, _, choices = rest.partition(" (choose from ")
    names = [name.strip(" '") for name in choices.rstrip(")").split(",")]
    near = get_close_matches(str(literal_eval(found)), names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(names)}"
    return f"{start}unknown {found}: {hint}"
