"""The real sample: 30 minutes of Bitstamp's BTC/USD book, which the wheel of ob-analytics 0.1.0 carries.

The wheel is fetched by the user's own pip with the user's own settings, checked against a fixed hash, and
kept as a file. It is neither installed nor imported: the importer reads the CSV files out of it.
"""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tradebot.domain.errors import DownloadFailed

REQUIREMENT: Final = "ob-analytics==0.1.0"
FILE_NAME: Final = "ob_analytics-0.1.0-py3-none-any.whl"
SHA256: Final = "0326a93aaee4ea08356d8dea59868d68592623a2434bbe4d9be379fa855c9c62"
TIMEOUT_S: Final = 120

_LINE_MAX: Final = 200


def fetch_sample(
    cache_dir: Path,
    progress: Callable[[str], None] | None = None,
    requirement: str = REQUIREMENT,
    sha256: str = SHA256,
    timeout_s: float = TIMEOUT_S,
) -> Path:
    """The verified wheel in `cache_dir` (made 0700), fetched only where it is not there yet.

    Raises DownloadFailed where no index can be reached in `timeout_s`, or the file is not the one expected; a
    wrong file is removed.
    """
    kept = cache_dir / FILE_NAME
    if kept.exists() and _hash(kept) == sha256:
        return kept
    cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir) as folder:
        if progress is not None:
            progress(f"fetching {requirement} from the package index")
        found = _download(Path(folder), requirement, timeout_s)
        digest = _hash(found)
        if digest != sha256:
            raise DownloadFailed(
                f"expected {found.name} with sha256 {sha256}, found {digest}; "
                "the index serves another file: check it and try again"
            )
        return found.replace(kept)


def _download(folder: Path, requirement: str, timeout_s: float) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "-d", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise DownloadFailed(
            f"expected {requirement} from the package index within {timeout_s:g} s, found no answer; "
            "check the network and pip's settings"
        ) from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise DownloadFailed(
            f"expected {requirement} from the package index, found: {_reason(done.stderr)}; "
            "check the network and pip's settings"
        )
    return wheels[0]


def _reason(text: str) -> str:
    """The last line that pip calls an error, or its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["pip gave no reason"])[-1][:_LINE_MAX]


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
