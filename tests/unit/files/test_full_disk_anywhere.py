# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A disk that takes nothing more from any one moment on: a module ends in one sentence, and the next run converges."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.files import test_full_disk
from ansible_collections.ilnmors.mail.tests.unit.files.test_full_disk import MODULES, run

etc, postfix = test_full_disk.etc, test_full_disk.postfix
TAKES_ROOM = ("fsync", "link", "mkdir", "open", "rename", "replace", "symlink")
TOO_MANY = 300


@contextmanager
def full_at(number: int) -> Iterator[list[str]]:
    """Let the call of this number that takes room fail, and give the names of those that were made."""
    made: list[str] = []

    def failing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **more)
            made.append(name)
            if len(made) == number:
                path = None if name == "fsync" else os.fspath(arguments[0])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            return real(*arguments, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in TAKES_ROOM:
            patch.setattr(os, name, failing(name, getattr(os, name)))
        yield made


@pytest.mark.usefixtures("postfix")
@pytest.mark.parametrize("name", MODULES)
def test_a_module_ends_in_one_sentence_wherever_room_ends(
    capsys: pytest.CaptureFixture[str], etc: Path, name: str
) -> None:
    before, after = (MODULES[name][0](etc, text) for text in ("short", "another"))
    failed = 0
    for number in range(1, TOO_MANY):
        run(capsys, name, before)
        with full_at(number) as made:
            result = run(capsys, name, after)
        if result.get("failed"):
            failed += 1
            assert os.strerror(errno.ENOSPC) in result["msg"], (number, made)
            assert "\n" not in result["msg"], (number, made)
            assert "exception" not in result, (number, made)
        run(capsys, name, after)
        assert not run(capsys, name, after)["changed"], (number, made)
        if len(made) < number:
            break
    assert failed > 2
    assert number < TOO_MANY - 1
