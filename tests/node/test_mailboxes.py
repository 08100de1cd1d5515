"""Nobody else can stand behind the sockets of a run: neither one who made their folder, nor one who leads to another."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradebot.domain.errors import LocalError
from tradebot.node.preparing import make_ipc
from tradebot.node.session_files import forget_mailboxes, ipc_folder, mailboxes_of

STRANGER = 65_534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another user")


@pytest.fixture(params=["near", "far"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A run's folder; `far`: its path is too long for a socket, so that its sockets are where everybody may write."""
    found = tmp_path / ("run" if request.param == "near" else "r" * 120)
    found.mkdir()
    yield found
    ipc = ipc_folder(found)
    if ipc.is_symlink():
        ipc.unlink()
    shutil.rmtree(ipc, ignore_errors=True)


def test_where_no_node_is_nobody_is_asked(folder: Path) -> None:
    assert mailboxes_of(folder) is None
    make_ipc(folder)
    assert mailboxes_of(folder) == ipc_folder(folder)
    forget_mailboxes(folder)


def test_a_folder_that_others_may_enter_is_shut_at_a_start_and_not_asked_at_before(folder: Path) -> None:
    make_ipc(folder)
    ipc_folder(folder).chmod(0o777)
    with pytest.raises(LocalError, match="nothing was asked; remove it and start the node again"):
        mailboxes_of(folder)
    make_ipc(folder)
    assert stat.S_IMODE(ipc_folder(folder).stat().st_mode) == 0o700


@as_root
def test_a_folder_of_another_user_is_neither_asked_at_nor_bound_in(folder: Path) -> None:
    ipc_folder(folder).mkdir(mode=0o700)
    os.chown(ipc_folder(folder), STRANGER, STRANGER)
    with pytest.raises(LocalError, match="nothing was asked"):
        mailboxes_of(folder)
    with pytest.raises(LocalError, match="found another's; remove it"):
        make_ipc(folder)


def test_a_link_to_another_folder_is_no_folder_of_ours(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir(mode=0o700)
    ipc_folder(folder).symlink_to(tmp_path / "other")
    with pytest.raises(LocalError, match="nothing was asked"):
        mailboxes_of(folder)
    with pytest.raises(LocalError, match="found another's; remove it"):
        make_ipc(folder)
