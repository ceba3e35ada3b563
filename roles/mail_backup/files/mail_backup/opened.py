# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Has Dovecot open a restored mailbox, and compares what it shows a client with what was recorded."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import DOVECOT, Config
from .maildir import KEYWORDS, read_keywords
from .manifest import INBOX, recorded_folders

Table = list[dict[str, str]]
Ask = Callable[..., Table]
"""Takes the words of a command of doveadm, the home of its user, and more words; returns the table that it prints."""

FLAGS = {"D": r"\Draft", "F": r"\Flagged", "R": r"\Answered", "S": r"\Seen", "T": r"\Deleted"}
"""How a client sees the capital letters in the name of a message's file."""


STATUS = "messages uidnext uidvalidity"


class OpenError(Exception):
    """Dovecot does not open a mailbox; the message has its own words."""


@dataclass(frozen=True)
class Opened:
    """What Dovecot made of a mailbox. messages: how many it showed. differences: what it should have shown instead."""

    messages: int = 0
    differences: tuple[str, ...] = ()


def open_maildir(config: Config, maildir: Path, manifest: Path, ask: Ask | None = None) -> Opened:
    """Have Dovecot open a restored Maildir, and compare what it shows with what was recorded of it.

    A host without Dovecot opens none.
    """
    recorded = recorded_folders(manifest)
    if not maildir.is_dir() or (ask is None and not shutil.which("doveadm")):
        return Opened()
    asked = ask or _asked(config)
    try:
        folders = {row["mailbox"]: row for row in asked("mailbox status", maildir.parent, STATUS, "*")}
        shown: dict[str, dict[str, set[str]]] = {}
        for row in asked("fetch", maildir.parent, "mailbox uid flags", "all"):
            shown.setdefault(row["mailbox"], {})[row["uid"]] = set(row["flags"].split())
    except OpenError as error:
        return Opened(differences=(f"Dovecot does not open the mailbox: {error}",))
    found = []
    for name, known in recorded.items():
        folder = name if name == INBOX else name[1:]
        keywords = read_keywords((maildir if name == INBOX else maildir / name) / KEYWORDS)
        if not known:
            # Said of its files already.
            continue
        if folder not in folders:
            found.append(f"{name}: Dovecot shows no such folder")
            continue
        found += [
            f"{name}: Dovecot shows {what}"
            for what in _differences(known, folders[folder], shown.get(folder, {}), keywords)
        ]
    return Opened(sum(map(len, shown.values())), tuple(found))


def _differences(
    known: Mapping[str, Any],
    folder: Mapping[str, str],
    shown: Mapping[str, set[str]],
    keywords: Mapping[str, str],
) -> Iterator[str]:
    messages = known["messages"].values()
    if int(folder["messages"]) != len(messages):
        yield f"{folder['messages']} messages, of {len(messages)}"
    # A folder that no client has opened yet gets both when it is.
    if known["validity"] and int(folder["uidvalidity"]) != known["validity"]:
        yield f"the UIDVALIDITY {folder['uidvalidity']}, which was {known['validity']}"
    if known["validity"] and int(folder["uidnext"]) < known["next_uid"]:
        yield f"{folder['uidnext']} as the next UID, which was {known['next_uid']}"
    for uid, flags, *__ in messages:
        if not uid:
            continue
        if str(uid) not in shown:
            yield f"no message with the UID {uid}"
            continue
        there = shown[str(uid)] - {r"\Recent"}
        if there != (wanted := _flags(flags, keywords)):
            yield f"the message with the UID {uid} as {_listed(there)}, which was {_listed(wanted)}"


def _flags(letters: str, keywords: Mapping[str, str]) -> set[str]:
    known = {**FLAGS, **keywords}
    return {known[letter] for letter in letters if letter in known}


def _listed(flags: set[str]) -> str:
    return " ".join(sorted(flags)) or "without flags"


def _asked(config: Config) -> Ask:
    """Return what asks Dovecot, by settings of its own (DOVECOT), as the owner of the mailbox."""

    def ask(command: str, home: Path, *words: str) -> Table:
        owner = home.stat()
        done = subprocess.run(
            ["doveadm", "-c", DOVECOT, "-f", "tab", *command.split(), *config.doveadm_options, *words],
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "USER": "drill"},
            cwd="/",
            user=owner.st_uid,
            group=owner.st_gid,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise OpenError(" ".join(done.stderr.split())[-300:] or "it says nothing")
        return table(done.stdout)

    return ask


def table(printed: str) -> Table:
    """Read what doveadm prints with `-f tab`: the names of the columns, and a row a line."""
    names, *rows = [line.split("\t") for line in printed.splitlines()] or [[]]
    return [dict(zip(names, row, strict=False)) for row in rows]
