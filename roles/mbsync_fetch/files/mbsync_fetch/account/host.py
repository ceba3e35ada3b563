# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which host fetches an account: one, whose name is kept beside the mail and beside the state of the fetch.

Two hosts would bring the same mail twice into a mail store that both use, or that is moved between them.

Run as a program, `host.py NAME MARKER COMMAND…` becomes the command if this host fetches the account, and otherwise
says on standard output, where an IMAP client listens, why it does not. Without a command it only exits.
"""

from __future__ import annotations

import os
import sys

# pathlib and socket would take most of the time that a connection to the local mailbox needs.
# ruff: noqa: PTH103, PTH108, PTH120, PTH123

MACHINE_ID = "/etc/machine-id"


class ElsewhereError(Exception):
    """Another host fetches the account; the message says which, and what to do when it does not any more."""


def claim(name: str, marker: str, machine_id: str = MACHINE_ID) -> None:
    """Keep in a marker that this host fetches the account, or raise ElsewhereError if another one does.

    marker: path of a file that holds the host's machine-id (machine-id(5)) and its name; its directory is made.
    """
    this = _read(machine_id).strip()
    try:
        kept = _read(marker)
    except FileNotFoundError:
        _write_first(marker, this)
        kept = _read(marker)
    found, __, host = kept.strip().partition(" ")
    if found != this:
        raise ElsewhereError(
            f"{name} is fetched by the host {host or 'of an empty marker'}: if it is not any more, remove {marker}"
        )


def _write_first(marker: str, this: str) -> None:
    """Write the marker as a whole, or leave it to another host that is quicker."""
    os.makedirs(os.path.dirname(marker), mode=0o700, exist_ok=True)
    draft = f"{marker}.{this}"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(f"{this} {os.uname().nodename}\n")
    try:
        os.link(draft, marker)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def main(arguments: list[str]) -> None:
    """Go on as the command that is given, if this host fetches the account."""
    name, marker, *command = arguments
    try:
        claim(name, marker)
    except (ElsewhereError, OSError) as error:
        if command:
            print(f"* BYE [UNAVAILABLE] {error}", end="\r\n", flush=True)
        sys.exit(str(error))
    if command:
        os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
