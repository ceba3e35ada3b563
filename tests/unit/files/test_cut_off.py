# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module that is killed at any of its changes to the disk: what it wrote is noted, and the next run converges."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._files import pending
from ansible_collections.ilnmors.mail.tests.unit.files import test_full_disk
from ansible_collections.ilnmors.mail.tests.unit.files.test_full_disk import MODULES, run

CALLS = (
    *("chmod", "chown", "fchmod", "fchown", "fsync", "link", "mkdir", "open", "rename", "replace", "rmdir"),
    *("symlink", "unlink", "utime"),
)
KILLED = 9
TOO_MANY = 500

etc, postfix = test_full_disk.etc, test_full_disk.postfix
NOTES = {"config_files": "reload-a.service", "dovecot_passwd_file": "forget-logins"}


def killed_at(number: int, act: Callable[[], object]) -> bool:
    """Do something in a process of its own that dies before its call of this number; False if it makes fewer."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    made = 0

    def counted(real: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        nonlocal made
        made += 1
        if made == number:
            os._exit(KILLED)
        return real(*arguments, **more)

    for name in CALLS:
        setattr(os, name, functools.partial(counted, getattr(os, name)))
    try:
        act()
    finally:
        sys.stdout.flush()
        os._exit(0)


def state(etc: Path) -> dict[str, object]:
    """Return what lies in a directory, with contents and what links point to."""
    return {
        str(path.relative_to(etc)): path.readlink()
        if path.is_symlink()
        else path.is_file() and path.read_bytes()
        for path in sorted(etc.rglob("*"))
    }


@pytest.mark.usefixtures("postfix")
@pytest.mark.parametrize("name", ["config_files", "dovecot_passwd_file", "postfix_map", "webmail_release"])
def test_a_run_that_is_killed_at_any_change_is_finished_by_the_next(
    capsys: pytest.CaptureFixture[str], etc: Path, name: str
) -> None:
    arguments, __ = MODULES[name]
    before, after = arguments(etc, "short"), arguments(etc, "another")
    run(capsys, name, after)
    run(capsys, name, before)
    lay = state(etc)
    for number in range(1, TOO_MANY):
        pending.forget(list(pending.noted()), pending.noted())
        ended = not killed_at(number, lambda: run(capsys, name, after))
        found = state(etc)
        if name in NOTES and any(found.get(path) != content for path, content in lay.items()):
            assert list(pending.noted()) == [NOTES[name]], f"killed before call {number}"
        run(capsys, name, after)
        assert [path for path in state(etc) if Path(path).name.startswith(".")] == []
        assert not run(capsys, name, after)["changed"], f"killed before call {number}"
        run(capsys, name, before)
        assert state(etc) == lay
        if ended:
            break
    assert 5 < number < TOO_MANY - 1
