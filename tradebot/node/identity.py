"""What makes two runs the same run: hashes of code, configuration, strategies and ticks, and the environment they ran in."""

import hashlib
import platform
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

import tradebot
from tradebot._core.digest import digest_bytes

_LIBRARIES: Final = ("numpy", "msgspec", "clickhouse-connect", "chdb-core-lite")
_CODE: Final = ("domain", "_core", "strategies", "engine")


def versions() -> dict[str, str]:
    """The environment a digest is promised within: Python, libraries, CPU architecture, and our own code."""
    found = {name: version(name) for name in _LIBRARIES}
    found["python"] = platform.python_version()
    found["machine"] = f"{platform.system().lower()}-{platform.machine()}"
    found["byte_order"] = sys.byteorder
    found["tradebot"] = tradebot.__version__
    found["code"] = code_hash()[:16]
    return dict(sorted(found.items()))


@cache
def code_hash() -> str:
    """SHA-256 over the sources that decide what a run does: the language, the core, the strategies' face, the engine."""
    root = Path(tradebot.__file__).parent
    total = hashlib.sha256()
    for folder in _CODE:
        for path in sorted((root / folder).glob("*")):
            if path.suffix in (".py", ".pyx", ".pxd", ".so"):
                total.update(f"{folder}/{path.name}".encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def identity(parts: object) -> str:
    """32 hex digits over plain data, equal for equal data."""
    return digest_bytes(msgspec.json.encode(parts, order="deterministic"))
