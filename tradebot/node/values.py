"""The texts of a configuration file, read into integers: percentages, balances, rates, times, references.

A user writes "0.3%", "10000 USD", "100/s" or a date; the engine counts in 1e-8, money units and nanoseconds.
Each reading is exact: text that is finer than its unit is refused, never rounded. Each function raises
ValueError with what was expected and what was found; `config` adds where it was written.
"""

import re
from contextlib import suppress
from datetime import date
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from tradebot._core.latency import LatencyKind
from tradebot.domain.published import published
from tradebot.domain.units import MONEY_SCALE, NS_PER_SECOND, parse_decimal, parse_duration, steps_exactly

Parameter = bool | int | float | str | list[bool | int | float | str]

FRACTION_SCALE: Final = 8  # a fraction of one is counted in 1e-8
FRACTION_ONE: Final = 10**FRACTION_SCALE
INTEGER_MAX: Final = 2**63 - 1
LATENCY_MAX_NS: Final = 3600 * NS_PER_SECOND
WAIT_MAX_NS: Final = 3_600 * NS_PER_SECOND
DAY_NS: Final = 86_400 * NS_PER_SECOND
INTERVAL_MAX_NS: Final = 365 * DAY_NS
KEEP_MIN_NS: Final = 3_600 * NS_PER_SECOND
RATE_COUNT_MAX: Final = 1_000_000

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_TIME = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>[Zz]|[+-]\d{2}:\d{2})?)?"
)
_ASSET = re.compile(r"[A-Za-z0-9._-]{1,20}")
_KEY = re.compile(r"vault:[A-Za-z0-9][A-Za-z0-9._-]*")
_TCP = re.compile(r"tcp://(?P<host>\*|\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
_NUMBERS = re.compile(r"[0-9.]+")
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ACTOR: Final = re.compile(r"[a-z][a-z0-9_-]{0,15}")
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_USE = re.compile(r"(?P<module>.+):(?P<name>[A-Za-z_][A-Za-z0-9_]*)")


class Moment(NamedTuple):
    """A time in nanoseconds since 1970 UTC, and whether the text named a whole day."""

    time_ns: int
    is_day: bool


class Balance(NamedTuple):
    """An amount of one asset, in money units (1e-8)."""

    asset: str
    units: int


class Rate(NamedTuple):
    """At most `count_max` in any `window_ns` nanoseconds."""

    count_max: int
    window_ns: int


class Target(NamedTuple):
    """Where a strategy class lives: a dotted module, or the path of a Python file."""

    module: str
    name: str

    @property
    def is_file(self) -> bool:
        return self.module.endswith(".py")


def parse_fraction(text: str) -> int:
    """ "0.3%" as 300_000 of 1e-8. The sign % is asked for, because a bare 0.3 has two readings."""
    number = text.removesuffix("%").strip()
    if number == text.strip():
        raise ValueError(f'expected a percentage such as "0.3%", found {text!r}')
    units = steps_exactly(parse_decimal(number), Decimal(1).scaleb(2 - FRACTION_SCALE))
    if abs(units) > FRACTION_ONE:
        raise ValueError(f'expected a percentage from "-100%" to "100%", found {text!r}')
    return units


def parse_fraction_positive(text: str) -> int:
    """As `parse_fraction`, above zero."""
    units = parse_fraction(text)
    if units <= 0:
        raise ValueError(f"expected a percentage above zero, found {text!r}")
    return units


def parse_fraction_from_zero(text: str) -> int:
    """As `parse_fraction`, not below zero."""
    units = parse_fraction(text)
    if units < 0:
        raise ValueError(f"expected a percentage of at least zero, found {text!r}")
    return units


def parse_balance(text: str) -> Balance:
    """ "10000 USD" as (USD, 10000 * 10**8)."""
    number, _, asset = text.strip().partition(" ")
    asset = asset.strip()
    if not _ASSET.fullmatch(asset):
        raise ValueError(f'expected an amount and its asset, such as "10000 USD", found {text!r}')
    units = steps_exactly(parse_decimal(number), Decimal(1).scaleb(-MONEY_SCALE))
    if not 0 <= units <= INTEGER_MAX:
        raise ValueError(f"expected an amount from 0 to {INTEGER_MAX // 10**MONEY_SCALE}, found {text!r}")
    return Balance(asset, units)


def parse_balances(start: str | list[str]) -> dict[str, int]:
    """Money units by asset, in the order written. An asset named twice is refused."""
    balances: dict[str, int] = {}
    for text in [start] if isinstance(start, str) else start:
        balance = parse_balance(text)
        if balance.asset in balances:
            raise ValueError(f"expected each asset once, found {balance.asset} twice")
        balances[balance.asset] = balance.units
    if not balances:
        raise ValueError('expected at least one amount such as "10000 USD", found an empty list')
    return balances


def parse_positive(text: str) -> Decimal:
    """A decimal above zero, and small enough to be counted in 1e-8."""
    value = parse_decimal(text)
    if not 0 < value <= INTEGER_MAX // 10**MONEY_SCALE:
        raise ValueError(
            f"expected a number above zero, at most {INTEGER_MAX // 10**MONEY_SCALE}, found {text!r}"
        )
    return value


def parse_asset(text: str) -> str:
    """ "quote", "base", or the name of an asset."""
    if text not in ("quote", "base") and not _ASSET.fullmatch(text):
        raise ValueError(f'expected "quote", "base" or an asset such as "BNB", found {text!r}')
    return text


def parse_floor(text: str) -> int:
    """An amount from nothing on, in 1e-8."""
    units = steps_exactly(parse_decimal(text), Decimal(1).scaleb(-MONEY_SCALE))
    if not 0 <= units <= INTEGER_MAX:
        raise ValueError(f"expected an amount from 0 to {INTEGER_MAX // 10**MONEY_SCALE}, found {text!r}")
    return units


def parse_latency(text: str) -> int:
    """A duration in nanoseconds, from nothing to an hour."""
    latency_ns = parse_duration(text)
    if not 0 <= latency_ns <= LATENCY_MAX_NS:
        raise ValueError(f'expected a latency from "0ms" to "1h", found {text!r}')
    return latency_ns


class LatencyModel(NamedTuple):
    """What a latency text says: the kind, and nanoseconds. See `_core.latency`."""

    kind: LatencyKind
    least_ns: int
    spread_ns: int


def parse_latency_model(text: str) -> LatencyModel:
    """ "50ms" always; "20ms..80ms" drawn evenly between; "20ms+15ms" at least the first, and a mean excess of the second."""
    least, dots, most = text.partition("..")
    if dots:
        least_ns, most_ns = parse_latency(least), parse_latency(most)
        if most_ns <= least_ns:
            raise ValueError(f'expected a range such as "20ms..80ms", the larger last, found {text!r}')
        return LatencyModel(LatencyKind.UNIFORM, least_ns, most_ns - least_ns)
    least, plus, excess = text.partition("+")
    if plus:
        return LatencyModel(LatencyKind.EXPONENTIAL, parse_latency(least), parse_latency(excess))
    return LatencyModel(LatencyKind.CONSTANT, parse_latency(text), 0)


def parse_interval(text: str) -> int:
    """A duration in nanoseconds, above zero."""
    interval_ns = parse_duration(text)
    if not 0 < interval_ns <= INTERVAL_MAX_NS:
        raise ValueError(f"expected a duration above zero, at most 365d, found {text!r}")
    return interval_ns


def parse_lease(text: str) -> int:
    """A duration in nanoseconds: who is asked once a second is not dead before it could have answered."""
    lease_ns = parse_duration(text)
    if not NS_PER_SECOND <= lease_ns <= INTERVAL_MAX_NS:
        raise ValueError(f'expected a lease from "1s" to "365d", found {text!r}')
    return lease_ns


def parse_wait(text: str) -> int:
    """A duration in nanoseconds, from nothing to an hour."""
    wait_ns = parse_duration(text)
    if not 0 <= wait_ns <= WAIT_MAX_NS:
        raise ValueError(f'expected a wait from "0s" to "1h", found {text!r}')
    return wait_ns


def parse_keep(text: str) -> int | None:
    """ "all" as None, or an age in nanoseconds."""
    if text.strip() == "all":
        return None
    try:
        keep_ns = parse_interval(text)
    except ValueError:
        keep_ns = 0
    if keep_ns < KEEP_MIN_NS:
        raise ValueError(f'expected "all", or an age from "1h" to "365d", found {text!r}')
    return keep_ns


def parse_rate(text: str) -> Rate:
    """ "100/s" or "10/100ms"."""
    count, slash, window = text.partition("/")
    if not slash or not count.strip().isdecimal() or not 0 < int(count) <= RATE_COUNT_MAX:
        raise ValueError(f'expected a rate such as "100/s" or "10/100ms", found {text!r}')
    window = window.strip()
    return Rate(int(count), parse_interval(window if window[:1].isdecimal() else f"1{window}"))


def parse_moment(text: str) -> Moment:
    """An ISO 8601 date or time with up to nine digits of a second; UTC where no offset is written."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"expected a date such as 2024-01-31 or a time such as 2024-01-31T12:00Z, found {text!r}"
        )
    day = date.fromisoformat(found["date"]).toordinal() - _EPOCH_DAY
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"expected a time of day up to 23:59:59, found {text!r}")
    fraction_ns = int((found["fraction"] or "").ljust(9, "0"))
    clock_ns = (hour * 3600 + minute * 60 + second) * NS_PER_SECOND + fraction_ns
    time_ns = day * DAY_NS + clock_ns - _offset_ns(found["zone"])
    if not 0 <= time_ns <= INTEGER_MAX - DAY_NS:
        raise ValueError(f"expected a time from 1970 to 2262, found {text!r}")
    return Moment(time_ns, found["hour"] is None)


def parse_from(text: str) -> int:
    """The first nanosecond of a selection."""
    return parse_moment(text).time_ns


def parse_to(text: str) -> int:
    """The nanosecond after a selection: a time is exclusive, a date means to the end of that day."""
    moment = parse_moment(text)
    return moment.time_ns + (DAY_NS if moment.is_day else 0)


def parse_instant(text: str) -> Moment:
    """A date or time as `parse_moment` takes it, or the nanoseconds since 1970 UTC that other tools print."""
    if not text.strip().isdecimal():
        return parse_moment(text)
    time_ns = int(text)
    if time_ns > INTEGER_MAX - DAY_NS:
        raise ValueError(f"expected nanoseconds up to the year 2262, found {text!r}")
    return Moment(time_ns, is_day=False)


def parse_key(text: str) -> str:
    """A reference to a secret. A value that is none is not shown: it may be the secret itself."""
    if not _KEY.fullmatch(text):
        raise ValueError('expected a reference such as "vault:main", found something else, not shown here')
    return text


def parse_use(text: str) -> Target:
    """ "module:Class" or "path/file.py:Class"."""
    found = _USE.fullmatch(text)
    if found is None:
        raise ValueError(f'expected "module:Class" or "path/file.py:Class", found {text!r}')
    target = Target(found["module"], found["name"])
    if not target.is_file and not all(part.isidentifier() for part in target.module.split(".")):
        raise ValueError(
            f'expected a module such as "package.module" or a path to a .py file, found {text!r}'
        )
    return target


def _offset_ns(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return (-minutes if zone[0] == "-" else minutes) * 60 * NS_PER_SECOND


BUS_PORTS: Final = 8
"""As many as a bus over tcp has, one for each mailbox."""


class Endpoint(NamedTuple):
    """A host and a port of tcp."""

    host: str
    port: int

    def address(self, ports_after: int = 0) -> str:
        return f"tcp://{self.host}:{self.port + ports_after}"


def parse_endpoint(text: str) -> Endpoint:
    """ "tcp://127.0.0.1:7700"; the port behind it must be one, too."""
    found = _endpoint(text, 65_534)
    if found is None:
        raise ValueError(f'expected tcp://HOST:PORT with a port from 1 to 65534, such as "tcp://127.0.0.1:7700", found {text!r}')
    return found


def parse_bus(text: str) -> Endpoint | None:
    """ "ipc", which is None, or the first of the ports of a bus over tcp."""
    if text == "ipc":
        return None
    found = _endpoint(text, 65_535 - BUS_PORTS)
    if found is None:
        raise ValueError(f'expected "ipc" or tcp://HOST:PORT with a port from 1 to {65_535 - BUS_PORTS}, found {text!r}')
    if found.host == "*" or ((address := _ip(found.host)) is not None and address.is_unspecified):
        raise ValueError(f'expected one address, where parts reach each other, such as "tcp://127.0.0.1:7710", found {text!r}')
    return found


def _endpoint(text: str, port_max: int) -> Endpoint | None:
    found = _TCP.fullmatch(text)
    with suppress(ValueError):
        if found is not None and 1 <= int(found["port"]) <= port_max:
            _ip(found["host"])
            return Endpoint(found["host"], int(found["port"]))
    return None


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    """None of a name. Raises ValueError where it looks like an address and is none."""
    if host.startswith("["):
        return IPv6Address(host[1:-1])
    return IPv4Address(host) if _NUMBERS.fullmatch(host) else None


def parse_client_name(text: str) -> str:
    """A name that stands in the journal."""
    if _CLIENT.fullmatch(text) is None:
        raise ValueError(f"expected a name of letters, digits, dots, dashes and underscores, at most 63, found {text[:70]!r}")
    return text


def is_actor_name(text: object) -> bool:
    """Whether it fits into a letter, and into a file's name."""
    return isinstance(text, str) and _ACTOR.fullmatch(text) is not None


def parse_actor_name(text: str) -> str:
    if not is_actor_name(text):
        raise ValueError(f"expected a name of a-z, 0-9, _ and - that begins with a letter, at most 16, found {text[:40]!r}")
    return text


def parse_public_key(text: str) -> str:
    """A CURVE key in Z85 (rfc.zeromq.org/spec/32): 40 characters for 32 bytes."""
    fives = [[_Z85.find(sign) for sign in text[at : at + 5]] for at in range(0, len(text), 5)]
    is_key = len(text) == 40 and all(min(five) >= 0 and _number(five) < 2**32 for five in fives)
    if not is_key:
        raise ValueError(
            f"expected a public key of 40 characters in Z85, found {len(text)} that are none: `python -m tradebot.client.keys "
            "FILE` makes a pair and prints it"
        )
    if said := published(text):
        raise ValueError(f"{said}: `python -m tradebot.client.keys FILE` makes a pair and prints the public one")
    return text


def _number(five: list[int]) -> int:
    value = 0
    for digit in five:
        value = value * 85 + digit
    return value
