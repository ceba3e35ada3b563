# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let a daemon's own checker judge a set of files before it is put in place."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_set import (
    ConfigFilesError,
    FileSet,
    TextFile,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_transaction import write_new
from ansible_collections.ilnmors.mail.plugins.module_utils._files.redact import hide_secrets

ROOT_MARK = "%s"
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
OUTPUT_LINES = 40


def missing_checkers(file_set: FileSet) -> list[str]:
    """List the checkers' programs that this host does not have."""
    return [argv[0] for argv in file_set.checkers if find_program(argv[0]) is None]


def find_program(name: str) -> str | None:
    """Find a program, also for a login without the system's directories in PATH."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN)))


def check_staged(file_set: FileSet, parent: Path) -> None:
    """Stage the set in a private directory under `parent` and run every checker on it.

    Files are staged at their absolute paths below the staging root, with their modes but the caller's owner:
    checkers run as the caller, and nobody else can look in. Raises ConfigFilesError with the checker's words.
    """
    with tempfile.TemporaryDirectory(prefix="ansible-config-", dir=parent) as root:
        for file in file_set.files:
            _stage(file, root)
        for argv in file_set.checkers:
            _run_checker(argv, root, file_set)


def _stage(file: TextFile, root: str) -> None:
    staged = Path(root + str(file.path))
    content = file.content.replace(ROOT_MARK, root) if file.stage_only else file.content
    try:
        staged.parent.mkdir(parents=True, exist_ok=True)
        write_new(staged, content.encode(), mode=file.attributes.mode)
    except OSError as error:
        raise ConfigFilesError(f"files: {file.path} could not be staged: {error.strerror}") from error


def _run_checker(argv: Sequence[str], root: str, file_set: FileSet) -> None:
    program = find_program(argv[0])
    if program is None:
        raise ConfigFilesError(f"validate: '{argv[0]}' was not found on this host; install it first")
    done = subprocess.run(  # pylint: disable=ansible-bad-function
        [program, *(word.replace(ROOT_MARK, root) for word in argv[1:])],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    if done.returncode == 0 and not (file_set.strict and done.stderr.strip()):
        return
    output = (done.stderr.strip() or done.stdout.strip() or "(it printed nothing)").replace(root, "")
    shown = "\n".join(hide_secrets(output, file_set.files).splitlines()[-OUTPUT_LINES:])
    raise ConfigFilesError(
        f"{_blamed(argv, file_set.files)}: '{shlex.join(argv)}' refused the files with exit code {done.returncode},"
        f" nothing was put in place; mend what it names:\n{shown}"
    )


def _blamed(argv: Sequence[str], files: Sequence[TextFile]) -> str:
    """Name the option whose file is the last one that the checker is given, by itself or by its directory."""
    for word in reversed(argv):
        given = [file for file in files if _is_given(file, word)]
        if given:
            return ", ".join(file.option for file in given if file.option) or "validate"
    return "validate"


def _is_given(file: TextFile, word: str) -> bool:
    if not word.startswith(f"{ROOT_MARK}/"):
        return False
    path = Path(word.removeprefix(ROOT_MARK))
    return path in (file.path, *file.path.parents)
