"""What a supervisor and its zygote say to each other, one datagram each; descriptors go beside it (unix(7), SCM_RIGHTS)."""

from typing import Final

from msgspec import Struct

BYTES_MAX: Final = 65_536
DESCRIPTORS: Final = 3
"""Of a fork: the log, the life line's end to be watched, the end to say "ready" into."""

WARM: Final = 0
"""The number of what no fork was asked for: the zygote has loaded its modules."""


class Fork(Struct, frozen=True, tag=1, array_like=True):
    """Be `target` ("module:function"), called with these words. What is answered bears the same number."""

    number: int
    target: str
    words: list[str]


class Forked(Struct, frozen=True, tag=2, array_like=True):
    """Said by the child itself, whose pidfd is beside this."""

    number: int
    pid: int


class Failed(Struct, frozen=True, tag=3, array_like=True):
    """The fork that was asked for is none."""

    number: int
    why: str


Told = Forked | Failed
