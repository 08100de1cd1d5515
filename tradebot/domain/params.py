"""Values that a user's class declares, a strategy's or an actor's, from the plain ones of a configuration."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from tradebot.domain.errors import ConfigError


class NoParams(Struct, frozen=True, forbid_unknown_fields=True):
    """The Params of a class that declares none."""


def make_params(owner: type, params: type[Struct], values: Mapping[str, object]) -> Struct:
    """The `params` of the class `owner`. Raises ConfigError that names the key and what it expects."""
    known = {field.name for field in msgspec.structs.fields(params)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"params.{unknown[0]} is no parameter of {owner.__name__}: expected one of {', '.join(sorted(known)) or 'none'}"
        )
    try:
        return msgspec.convert(dict(values), params)
    except msgspec.ValidationError as error:
        raise ConfigError(f"params of {owner.__name__}: {error}; see its Params class for the bounds") from error
