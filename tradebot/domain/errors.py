"""The exceptions: what is raised when the world, a file or a caller fails us.

::

    TradebotError
    ├── UsageError              exit 2: the call or the configuration is wrong
    │   ├── ConfigError         a key, a type, a value: names the file, the path and the nearest valid key
    │   ├── UnknownInstrument
    │   └── EmptyRange          a selection that holds no facts
    ├── LocalError              exit 1: we broke a rule
    │   ├── Diverged            a journal that is stepped again comes to something else than it holds
    │   ├── NotBuiltYet         a part that a later version brings
    │   └── StrategyFailed      a strategy raised and is quarantined
    ├── RemoteError             exit 1: they broke a rule, or were not there
    │   ├── BadContainer        an archive or file that cannot be read as what it claims to be
    │   └── DownloadFailed
    ├── StoreError              exit 1
    │   ├── StoreOwned          another process holds the path and cannot be asked
    │   ├── StoreGone           the process that held it, and was asked, is no longer there
    │   └── StoreFull           the disk is full
    ├── NotRunning              exit 3
    ├── Refused                 exit 4: by risk or policy
    └── TimedOut                exit 5
        └── StrategyBlocked     a callback did not return

A bug is an `assert`, not one of these. A refusal of an order is a value, `Reject`. Each message is one line that
says what was expected, what was found and what to do.
"""

WORDS_MAX, HEAD, TAIL = 1_500, 1_000, 300

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3
EXIT_REFUSED = 4
EXIT_TIMED_OUT = 5


class TradebotError(Exception):
    """The root; `exit_code` is what the command line ends with."""

    exit_code = EXIT_FAILED

    def __str__(self) -> str:
        """Its beginning and its end, which holds the remedy, where a damaged file got its bytes into the words of a library."""
        text = super().__str__()
        return text if len(text) <= WORDS_MAX else f"{text[:HEAD]} ... {text[-TAIL:]}"


class UsageError(TradebotError):
    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    pass


class UnknownInstrument(UsageError):
    pass


class EmptyRange(UsageError):
    pass


class LocalError(TradebotError):
    pass


class Diverged(LocalError):
    pass


class NotBuiltYet(LocalError):
    pass


class StrategyFailed(LocalError):
    pass


class RemoteError(TradebotError):
    pass


class BadContainer(RemoteError):
    pass


class DownloadFailed(RemoteError):
    pass


class StoreError(TradebotError):
    pass


class StoreOwned(StoreError):
    pass


class StoreGone(StoreError):
    pass


class StoreFull(StoreError):
    pass


class NotRunning(TradebotError):
    exit_code = EXIT_NOT_RUNNING


class Refused(TradebotError):
    exit_code = EXIT_REFUSED


class TimedOut(TradebotError):
    exit_code = EXIT_TIMED_OUT


class StrategyBlocked(TimedOut):
    """Raised inside a callback, and yet not the strategy's own failure: the kernel lets it through."""

    aborts_run = True
