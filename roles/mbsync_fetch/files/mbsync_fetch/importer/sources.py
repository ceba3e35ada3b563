# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which old files belong to which mailbox."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..imap.names import Mailbox, decode
from ..selection.names import MailboxNames
from ..selection.selection import Selected
from .maildirs import ImporterError, tree

STATE_IN_MAILDIR = ".mbsyncstate"


@dataclass(frozen=True)
class Source:
    """Where a mailbox lay before: its Maildir, mbsync's state of it, or both."""

    maildir: Path | None = None
    state: Path | None = None


def sources(
    folders: Sequence[Selected], names: MailboxNames, mailbox: str, maildir: Path | None, state: Path | None
) -> tuple[dict[str, Source], list[str]]:
    """Find what belongs to which planned mailbox, by its raw name; and the names of Maildirs that belong to none.

    mailbox: the one that the Maildir and the state are of, as people write it; empty for a whole tree of Maildirs.
    """
    if maildir is None and state is None:
        raise ImporterError("give a --maildir, a --state, or both")
    if mailbox:
        return {_planned(folders, names.matching(mailbox), mailbox): _source(maildir, state)}, []
    if maildir is None or state is not None:
        raise ImporterError("a --state is of one mailbox: give --mailbox as well")
    found: dict[str, Source] = {}
    left = []
    for name, directory in sorted(tree(maildir).items()):
        try:
            raw = _planned(folders, names.matching(name), name)
        except ImporterError:
            raw = ""
        if raw and raw not in found:
            found[raw] = _source(directory, None)
        else:
            left.append(name)
    if not found:
        raise ImporterError(f"{maildir}: no Maildir in it has the name of a mailbox that is fetched")
    return found, left


def _planned(folders: Sequence[Selected], matching: Iterable[Mailbox], name: str) -> str:
    planned = [folder.raw for folder in folders]
    match = [mailbox.raw for mailbox in matching if mailbox.raw in planned]
    if len(match) != 1:
        raise ImporterError(
            f"{name!r} is none of the mailboxes that are fetched: {', '.join(map(decode, planned))}"
        )
    return match[0]


def _source(maildir: Path | None, state: Path | None) -> Source:
    if maildir is not None and not (maildir / "cur").is_dir():
        raise ImporterError(f"{maildir} is no Maildir: it has no directory cur")
    if state is None and maildir is not None and (maildir / STATE_IN_MAILDIR).exists():
        state = maildir / STATE_IN_MAILDIR
    return Source(maildir, state)
