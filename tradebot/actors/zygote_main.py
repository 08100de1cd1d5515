"""`python -m tradebot.actors.zygote_main DESCRIPTOR MODULE... ROOM`: a warm process that forks others when it is asked to.

It has loaded what they need and does nothing else: one thread, no loop, no ZeroMQ context, so that a fork is whole (POSIX: only
the thread that forks is there in the child). That is looked at before each fork. What a child is to be, and its descriptors,
come with the request. It tells what its children ended with, and ends when its supervisor is gone; they do not.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from tradebot.actors.zygote_words import BYTES_MAX, DESCRIPTORS, Exited, Failed, Fork, Forked

PR_SET_PDEATHSIG: Final = 1


def main(words: list[str]) -> int:
    line = socket.socket(fileno=int(words[0]))
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in words[1:-1]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # so that a child's collections do not copy the pages of what is loaded
    line.send(msgspec.msgpack.encode(Forked(0)))
    Zygote(line).serve()
    return 0


def end_with_parent() -> None:
    """Also where it stands still and would not see that its line is closed (PR_SET_PDEATHSIG, prctl(2)); no fork inherits it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Zygote:
    """Serves one supervisor, over a socket of its own."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.children: dict[int, int] = {}  # pidfd: pid
        self.poll = select.poll()
        self.poll.register(line, select.POLLIN)

    def serve(self) -> None:
        """Until the supervisor is gone."""
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor in self.children:
                    self.tell_end(descriptor)
                elif not self.answer():
                    return

    def answer(self) -> bool:
        """One request; False where there will be none any more."""
        data, descriptors, _, _ = socket.recv_fds(self.line, BYTES_MAX, DESCRIPTORS)
        if not data:
            return False
        try:
            self.fork(msgspec.msgpack.decode(data, type=Fork), descriptors)
        except (OSError, AssertionError, msgspec.MsgspecError) as error:
            self.line.send(msgspec.msgpack.encode(Failed(f"{type(error).__name__}: {error}")))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def fork(self, request: Fork, descriptors: list[int]) -> None:
        assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads must not fork"
        assert len(descriptors) == DESCRIPTORS, f"expected {DESCRIPTORS} descriptors, found {len(descriptors)}"
        told, tell = os.pipe()
        pid = os.fork()
        if not pid:
            self.line.close()
            os.close(tell)
            for own in self.children:
                os.close(own)
            if os.read(told, 1):
                os.close(told)
                become(request, descriptors)
            os._exit(1)  # the zygote ended before anybody knew of this child: another is asked for in its place
        os.close(told)
        try:
            pidfd = os.pidfd_open(pid)
            self.children[pidfd] = pid
            self.poll.register(pidfd, select.POLLIN)
            socket.send_fds(self.line, [msgspec.msgpack.encode(Forked(pid))], [pidfd])
            os.write(tell, b"1")
        finally:
            os.close(tell)

    def tell_end(self, pidfd: int) -> None:
        pid = self.children.pop(pidfd)
        self.poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self.line.send(msgspec.msgpack.encode(Exited(pid, os.waitstatus_to_exitcode(status))))


def become(request: Fork, descriptors: list[int]) -> NoReturn:
    """What the child does instead of returning: its own session, log and words, then its end, by nothing of the zygote's."""
    code = 1
    try:
        gc.unfreeze()
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        log, life_line, ready = descriptors
        for at in (1, 2):
            os.dup2(log, at)
        os.close(log)
        module, _, function = request.target.partition(":")
        sys.argv = [module, *request.words]
        run = getattr(importlib.import_module(module), function)
        code = int(run([*request.words, "--life-line", str(life_line), "--ready", str(ready)]) or 0)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
