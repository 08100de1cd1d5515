"""The shape of a configuration: is this tree what the schema says, and if not, which key is wrong and what is
near it.

msgspec decodes; this walk comes before it, because a person needs the file, the dotted path, what was
expected, what was found and the nearest valid key, in one line.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final, cast

from tradebot.domain.errors import ConfigError
from tradebot.node.sources import KeyPath, Table, Value, source_label, source_of

Node = dict[str, object]

WHOLE: Final[Node] = {"minimum": -(2**63), "maximum": 2**63 - 1}
"""Bounds of every whole number that has none of its own: parts tell each other, and the engine counts in, those of 64 bits."""

SHOWN_MAX: Final = 60  # characters of a value in a message
BESIDE: Final = 0.6  # how alike a key must be that is suggested
ELSEWHERE: Final = 0.85  # the same of one in another table, where the table that was named is there

_WORDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}
_ADMITS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class Shape:
    """A JSON schema, walked by dotted paths."""

    def __init__(self, schema: Mapping[str, object]) -> None:
        self._definitions = cast(dict[str, Node], schema["$defs"])
        self.root: Node = {"$ref": schema["$ref"]}

    def node_at(self, path: KeyPath) -> Node | None:
        """The schema of one key; None where there is no such key. An index of a list may be left out."""
        node: Node | None = self.root
        for part in path:
            if node is None:
                return None
            node = self._below(node, part)
        return node

    def keys_at(self, path: KeyPath) -> list[str]:
        """The keys of a table, in the order declared; empty where it is none or a free one."""
        node = self.node_at(path)
        return [] if node is None else [key for branch in self._tables(node) for key in _properties(branch)]

    def paths(self, path: KeyPath = ()) -> Iterator[str]:
        """Every dotted path that has a meaning of its own."""
        for key in self.keys_at(path):
            below = (*path, key)
            yield ".".join(below)
            yield from self.paths(below)

    def branches(self, node: Node) -> list[Node]:
        """What a value there may be, references and alternatives resolved, nothing (null) left out."""
        if "$ref" in node:
            return self.branches(self._definitions[str(node["$ref"]).rpartition("/")[2]])
        if "anyOf" in node:
            return [found for branch in cast(list[Node], node["anyOf"]) for found in self.branches(branch)]
        return [] if node.get("type") == "null" else [node]

    def admits(self, path: KeyPath, value: Value) -> bool:
        """Whether a value of this type may stand at `path`; its content is not looked at."""
        node = self.node_at(path)
        return node is not None and self._branch(node, value) is not None

    def expected(self, node: Node) -> str:
        """In words: text such as "50ms", or a table."""
        words: list[str] = []
        for branch in self.branches(node):
            word = _choices(branch) if "enum" in branch else _WORDS[str(branch["type"])]
            if word not in words:
                words.append(word)
        examples = cast(list[object], node.get("examples") or [])
        example = f" such as {_shown(examples[0])}" if examples and words[0] == "text" else ""
        return " or ".join([words[0] + example, *words[1:]])

    def nearest(self, path: KeyPath) -> str | None:
        """The valid path most like this one: beside it, else by its last part anywhere, else as a whole."""
        beside = get_close_matches(path[-1], self.keys_at(path[:-1]), n=1)
        if beside:
            return ".".join((*path[:-1], beside[0]))
        siblings, everywhere = self.keys_at(path[:-1]), list(self.paths())
        by_last = {key.rpartition(".")[2]: key for key in reversed(everywhere)}
        for text, keys in ((path[-1], by_last), (".".join(path), {key: key for key in everywhere})):
            found = get_close_matches(text, list(keys), n=1, cutoff=ELSEWHERE if siblings else BESIDE)
            if found:
                return keys[found[0]]
        if siblings:
            near = get_close_matches(path[-1], siblings, n=1, cutoff=0) if path[:-1] else siblings
            return ".".join((*path[:-1], near[0]))
        return next(iter(everywhere), None)

    def check(
        self, values: Table, sources: Mapping[str, str], secret: frozenset[str] = frozenset(), whole: bool = True
    ) -> None:
        """Raise ConfigError at the first key or value that does not fit; `secret` values are not shown. Where the tree is not
        `whole`, top-level keys may be missing.
        """
        root = self.branches(self.root)[0]
        self._check_table(values, root if whole else {**root, "required": []}, (), sources, secret)

    def _check(
        self, value: Value, node: Node, path: KeyPath, sources: Mapping[str, str], secret: frozenset[str]
    ) -> None:
        branch = self._branch(node, value)
        where = _where(sources, path)
        hidden = ".".join(path) in secret
        if branch is None:
            found = _kind(value) if hidden else f"{_kind(value)} {_shown(value)}"
            remedy = self._remedy(node, value)
            raise ConfigError(f"{where}: expected {self.expected(node)}, found {found}{remedy}")
        problem = _out_of_bounds(branch, value)
        if problem:
            raise ConfigError(f"{where}: expected {problem}")
        if isinstance(value, dict):
            self._check_table(value, branch, path, sources, secret)
        elif isinstance(value, list):
            for index, below in enumerate(value):
                self._check(below, cast(Node, branch["items"]), (*path, str(index)), sources, secret)

    def _check_table(
        self, value: Table, branch: Node, path: KeyPath, sources: Mapping[str, str], secret: frozenset[str]
    ) -> None:
        for key, below in value.items():
            node = self._below_table(branch, key)
            if node is None:
                raise ConfigError(self.unknown((*path, key), sources))
            self._check(below, node, (*path, key), sources, secret)
        for key in cast(list[str], branch.get("required") or []):
            if key not in value:
                raise ConfigError(
                    f"{_where(sources, path)}: expected the key {'.'.join((*path, key))!r}, found none: "
                    "add it to a -c file, or pass it with --set"
                )

    def unknown(self, path: KeyPath, sources: Mapping[str, str]) -> str:
        """The message for a key that does not exist."""
        nearest = self.nearest(path)
        remedy = f"; the nearest valid key is {nearest}" if nearest else ""
        return f"{_where(sources, path)}: unknown key{remedy}"

    def _remedy(self, node: Node, value: Value) -> str:
        takes_text = any(branch.get("type") == "string" for branch in self.branches(node))
        return ": put it in quotes" if takes_text and isinstance(value, int | float) else ""

    def _branch(self, node: Node, value: Value) -> Node | None:
        for branch in self.branches(node):
            if "enum" in branch:
                if isinstance(value, str) and value in cast(list[str], branch["enum"]):
                    return branch
            elif _is_of_type(value, str(branch["type"])):
                return branch
        return None

    def _below(self, node: Node, part: str) -> Node | None:
        for branch in self.branches(node):
            if branch.get("type") == "array":
                items = cast(Node, branch["items"])
                return items if part.isdecimal() else self._below(items, part)
            if branch.get("type") == "object":
                return self._below_table(branch, part)
        return None

    def _below_table(self, branch: Node, key: str) -> Node | None:
        found = _properties(branch).get(key)
        free = branch.get("additionalProperties")
        return cast(Node | None, found if found is not None else (free if isinstance(free, dict) else None))

    def _tables(self, node: Node) -> Iterator[Node]:
        for branch in self.branches(node):
            if branch.get("type") == "object":
                yield branch
            elif branch.get("type") == "array":
                yield from self._tables(cast(Node, branch["items"]))


def _properties(branch: Node) -> dict[str, object]:
    return cast(dict[str, object], branch.get("properties") or {})


def _where(sources: Mapping[str, str], path: KeyPath) -> str:
    key = ".".join(path)
    return f"{source_label(source_of(sources, key))}: {key}" if key else "configuration"


def _is_of_type(value: Value, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _ADMITS[name])


def _out_of_bounds(branch: Node, value: Value) -> str | None:
    bounds = {**(WHOLE if isinstance(value, int) else {}), **branch}
    low, high = cast(float | None, bounds.get("minimum")), cast(float | None, bounds.get("maximum"))
    if isinstance(value, int | float):
        found = _shown(value) if isinstance(value, int) else str(value)
        if low is not None and not value >= low:  # nan is neither
            return f"a number of at least {low}, found {found}"
        if high is not None and not value <= high:
            return f"a number of at most {high}, found {found}"
    if isinstance(value, list | str) and not value and (branch.get("minItems") or branch.get("minLength")):
        return f"{_WORDS[str(branch['type'])]} with something in it, found an empty one"
    return None


def _choices(branch: Node) -> str:
    return " or ".join(_shown(choice) for choice in cast(list[object], branch["enum"]))


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "the switch"
    if isinstance(value, str):
        return "the text"
    if isinstance(value, list):
        return "the list"
    return "the table" if isinstance(value, dict) else "the number"


def _shown(value: object) -> str:
    from json import dumps

    try:
        text = dumps(value, ensure_ascii=False)
    except ValueError:
        return "one of more digits than Python writes"
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."
