"""`config show / explain KEY / validate / schema`: what a configuration comes to, and which source said
so."""

import os

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE


def add(verbs: Verbs) -> None:
    group = verbs.add_group("config", "show, explain and check a configuration")
    group.add("show", show, "every effective value and the source that gave it")
    explain_verb = group.add("explain", explain, "one key: value, source, type, default and meaning")
    explain_verb.add_argument("key", metavar="KEY", help="dotted path, such as costs.latency")
    group.add("validate", validate, "check the configuration and run nothing")
    group.add("schema", schema, "the JSON schema of a configuration file")


def show(call: Call) -> int:
    from tradebot.node.sources import leaves

    loaded = call.load_config()
    rows = [(key, _shown(value), loaded.sources[key]) for key, value in leaves(loaded.values)]
    call.output.answer(
        {"values": loaded.values, "sources": loaded.sources},
        lambda: call.output.table(("key", "value", "source"), rows),
    )
    return EXIT_DONE


def explain(call: Call) -> int:
    """A configuration that is not whole yet is explained too: that is when the question comes up."""
    from tradebot.domain.errors import ConfigError
    from tradebot.node.config import explain, merge_sources

    try:
        loaded = call.load_config()
        values, sources = loaded.values, loaded.sources
    except ConfigError:
        layers = merge_sources(call.files, os.environ, call.settings)
        values, sources = layers.values, layers.sources
    found = explain(values, sources, call.words.key)
    rows = [(name, _shown(value)) for name, value in found.items() if value not in (None, [])]
    call.output.answer(found, lambda: call.output.table(("about", str(found["key"])), rows[1:]))
    return EXIT_DONE


def validate(call: Call) -> int:
    loaded = call.load_config()
    found = {"valid": True, "mode": loaded.config.mode, "files": [str(path) for path in call.files]}
    call.output.answer(found, lambda: call.output.line("valid"))
    return EXIT_DONE


def schema(call: Call) -> int:
    from json import dumps

    from tradebot.node.config import json_schema

    found = json_schema()
    call.output.answer(found, lambda: call.output.line(dumps(found, indent=2, ensure_ascii=False)))
    return EXIT_DONE


def _shown(value: object) -> str:
    from json import dumps

    return value if isinstance(value, str) else dumps(value, ensure_ascii=False)
