"""Recordings by hand, packed as one likes."""

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

PACK = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


def write(path: Path, *lines: str) -> Path:
    """The lines, packed as the path's suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pack = PACK.get(path.suffix, bytes)
    path.write_bytes(pack("".join(f"{line}\n" for line in lines).encode()))
    return path


def cut(path: Path, share: float = 0.5) -> Path:
    """The file without its end."""
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


def text(**fields: Any) -> str:
    return json.dumps(fields, separators=(",", ":"))
