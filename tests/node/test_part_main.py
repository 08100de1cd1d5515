"""What a process writes down of the parts in it: `status` shows that as their last error."""

from io import StringIO

from tradebot.actors.child_spec import ChildSpec
from tradebot.node.part_main import Told


def test_an_end_that_was_wished_for_is_no_error() -> None:
    log = StringIO()
    told, child = Told(log), ChildSpec(id="a", start=None)
    for what, why in [
        ("stop", ""), ("exited", "normal"),
        ("started", ""), ("exited", "shutdown: enough"),
        ("stop", ""), ("exited", "signal SIGTERM"),
        ("exited", "signal SIGTERM"),  # of one that nobody here told to end
        ("stop", ""), ("exited", "ValueError: in its end"),
        ("stop", ""), ("kill", ""), ("exited", "killed"),
        ("failed", "exit 2"),
    ]:  # fmt: skip
        told(what, child, why)
    assert log.getvalue().splitlines() == ["a: signal SIGTERM", "a: ValueError: in its end", "a: killed", "a: exit 2"]
