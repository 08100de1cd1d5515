"""The checksum that lies beside a downloaded file: its sha256 and its name, as `sha256sum` writes them."""

import hashlib
import re
from pathlib import Path
from typing import Final

from tradebot.domain.errors import BadContainer

SUFFIX: Final = ".CHECKSUM"

_LINE: Final = re.compile(r"([0-9a-fA-F]{64})(?:\s+\S.*)?\s*")


def verify_checksum(path: Path) -> bool:
    """Whether there was a checksum to hold it against. Raises BadContainer, with both sums, where it differs."""
    beside = path.with_name(path.name + SUFFIX)
    if not beside.is_file():
        return False
    wanted = _read_sum(beside)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise BadContainer(
            f"expected {path} to have the sha256 {wanted} that {beside.name} gives, found {found}; fetch both again"
        )
    return True


def _read_sum(path: Path) -> str:
    text = path.read_bytes()[:1024].decode("ascii", "replace")
    found = _LINE.fullmatch(text)
    if found is None:
        raise BadContainer(f"expected a sha256 and a name in {path}, found {text[:80]!r}; fetch the file again")
    return found[1].lower()
