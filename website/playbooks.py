# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print the page of the reference that lists the playbooks, by what each says of itself in its first comment."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

COMMAND = "ansible-playbook -i hosts.yml --ask-vault-pass ilnmors.mail.{name}"


def about(playbook: str) -> str:
    """Return the comment that the text of a playbook begins with, in one line."""
    found = re.match(r"---\n((?:#.*\n)+)", playbook)
    if not found:
        raise ValueError("does not begin with a comment that says what it does")
    return " ".join(line.removeprefix("#").strip() for line in found[1].splitlines())


def page(playbooks: Iterable[Path]) -> Iterator[str]:
    """Return the lines of the page, in Markdown."""
    yield "# Playbooks"
    for path in playbooks:
        yield f"\n## {path.stem}\n"
        yield about(path.read_text())
        yield f"\n```console\n$ {COMMAND.format(name=path.stem)}\n```"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in page(map(Path, sys.argv[1:])))
