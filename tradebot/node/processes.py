"""What is looked at of a process of the node."""

import os
from pathlib import Path


def memory_of(pid: int) -> int:
    """Resident bytes of a process; 0 of one that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError):
        return 0
