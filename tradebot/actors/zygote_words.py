"""What a supervisor and its zygote say to each other, one datagram each; descriptors go beside it (unix(7), SCM_RIGHTS)."""

from typing import Final

from msgspec import Struct

BYTES_MAX: Final = 65_536
DESCRIPTORS: Final = 3
"""Of a fork: the log, the life line's end to be watched, the end to say "ready" into."""


class Fork(Struct, frozen=True, tag=1, array_like=True):
    """Be `target` ("module:function"), called with these words."""

    target: str
    words: list[str]


class Forked(Struct, frozen=True, tag=2, array_like=True):
    """A child, whose pidfd is beside this; 0: the zygote is warm."""

    pid: int


class Failed(Struct, frozen=True, tag=3, array_like=True):
    """The fork that was asked for is none."""

    why: str


class Exited(Struct, frozen=True, tag=4, array_like=True):
    """A child has ended, by `code`; negative for a signal."""

    pid: int
    code: int


Told = Forked | Failed | Exited
