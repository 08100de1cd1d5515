"""`python -m tradebot.actors.zygote_main DESCRIPTOR PARENT MODULE... ROOM`: a warm process that forks others when it is asked to.

It has loaded what they need and does nothing else: one thread, no loop, no ZeroMQ context, so that a fork is whole (POSIX: only
the thread that forks is there in the child). That is looked at before each fork. What a child is to be, and its descriptors,
come with the request.

It forks twice, and the process between ends at once, so that the child is its supervisor's, which takes in orphans: that one sees
its end, and the kernel ends it with that one. The child says itself that it is there, so that the end of the zygote at any moment
hides nobody. Until then it is in the zygote's process group, which the supervisor kills and reaps with the zygote.
"""

import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from tradebot.actors.life_line import end_with
from tradebot.actors.naming import name_process
from tradebot.actors.zygote_words import BYTES_MAX, DESCRIPTORS, WARM, Failed, Fork, Forked
from tradebot.domain.words import error_text

LOOK_S: Final = 0.0001


def main(words: list[str]) -> int:
    line, parent = socket.socket(fileno=int(words[0])), int(words[1])
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in words[2:-1]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # so that a child's collections do not copy the pages of what is loaded
    line.send(msgspec.msgpack.encode(Forked(WARM, os.getpid())))
    zygote = Zygote(line, parent)
    while zygote.answer():
        pass
    return 0


class Zygote:
    """Serves one supervisor, its parent, over a socket of its own."""

    def __init__(self, line: socket.socket, parent: int) -> None:
        self.line, self.parent = line, parent

    def answer(self) -> bool:
        """One request; False where there will be none any more."""
        data, descriptors, _, _ = socket.recv_fds(self.line, BYTES_MAX, DESCRIPTORS)
        if not data:
            return False
        request = msgspec.msgpack.decode(data, type=Fork)
        try:
            self.fork(request, descriptors)
        except (OSError, AssertionError) as error:
            self.line.send(msgspec.msgpack.encode(Failed(request.number, error_text(error))))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def fork(self, request: Fork, descriptors: list[int]) -> None:
        """Raises OSError where it cannot be."""
        assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads must not fork"
        assert len(descriptors) == DESCRIPTORS, f"expected {DESCRIPTORS} descriptors, found {len(descriptors)}"
        between = os.fork()
        if not between:
            leave_to_another()
            self.become(request, descriptors)
        _, status = os.waitpid(between, 0)
        code = os.waitstatus_to_exitcode(status)
        if code < 0:  # whether there is a child, only it can say; we end, and so does the line where there is none
            raise SystemExit(f"zygote: expected two forks, found that signal {-code} ended the process between them")
        if code:
            raise OSError(code, os.strerror(code))

    def become(self, request: Fork, descriptors: list[int]) -> NoReturn:
        """What the child does instead of returning; it ends by nothing of the zygote's."""
        code = 1
        try:
            gc.unfreeze()
            log, life_line, ready = descriptors
            module, _, function = request.target.partition(":")
            words = [*request.words, "--life-line", str(life_line), "--ready", str(ready)]
            name_process([sys.executable, "-m", module, *words])
            self.announce(request.number)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            for at in (1, 2):
                os.dup2(log, at)
            os.close(log)
            sys.argv = [module, *request.words]
            code = int(getattr(importlib.import_module(module), function)(words) or 0)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def announce(self, number: int) -> None:
        """Once we are the supervisor's child, leave the zygote's group and session and say so."""
        end_with(self.parent)
        os.setsid()
        with self.line:
            own = os.pidfd_open(os.getpid())
            socket.send_fds(self.line, [msgspec.msgpack.encode(Forked(number, os.getpid()))], [own])
            os.close(own)


def leave_to_another() -> None:
    """Fork and end; the call returns in the child, when its parent has ended. An exit code is the error that kept it from being
    made.
    """
    between = os.getpid()
    try:
        child = os.fork()
    except OSError as error:
        os._exit(error.errno or 1)
    if child:
        os._exit(0)
    while os.getppid() == between:
        time.sleep(LOOK_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
