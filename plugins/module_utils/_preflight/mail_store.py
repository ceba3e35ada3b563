# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the mail that lies on a host would still be found by the options that a run brings.

Each function returns problems: sentences that name the variable, what was found and what to do.
"""

from __future__ import annotations

import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOW = "the README of dovecot_imap says how, in 'Moving the mail'"


@dataclass(frozen=True)
class MailStore:
    """Where a run will look for mail, and who will own it.

    directory: holds DOMAIN/NAME/Maildir. domain_old: the domain whose mail may stay behind, empty for none. yesterday:
    whether the folder Backup of each person will be the house's.
    """

    directory: Path
    domain: str
    domain_old: str
    user: str
    uid: int
    yesterday: bool = False


def store_problems(store: MailStore) -> Iterator[str]:
    """Check that no mail of this host is left behind."""
    yield from _owner_problems(store)
    yield from _directory_problems(store)
    yield from _domain_problems(store)
    yield from _folder_problems(store)


def domains_with_mail(directory: Path) -> list[str]:
    """Return the domains that have a mailbox in a directory, sorted."""
    try:
        return sorted(
            domain.name
            for domain in directory.iterdir()
            if domain.is_dir() and any((home / "Maildir").is_dir() for home in domain.iterdir())
        )
    except (FileNotFoundError, NotADirectoryError):
        return []


def _owner_problems(store: MailStore) -> Iterator[str]:
    owner = _user(store.user)
    if owner and owner.pw_uid != store.uid:
        yield (
            f"dovecot_imap_vmail_uid: {store.uid} is not the number of the user {store.user!r} of this host, which has "
            f"{owner.pw_uid}: mail of that number could not be read; write {owner.pw_uid}, or change the number of the "
            f"user and of its files first ({HOW})"
        )
    if not owner and (other := _user(store.uid)):
        yield (
            f"dovecot_imap_vmail_uid: {store.uid} is the number of the user {other.pw_name!r} of this host; "
            f"write mail_store_user: {other.pw_name} if mail is that user's, or another number"
        )


def _directory_problems(store: MailStore) -> Iterator[str]:
    owner = _user(store.user)
    before = Path(owner.pw_dir) if owner else store.directory
    if before != store.directory and domains_with_mail(before) and not domains_with_mail(store.directory):
        yield (
            f"mail_store_directory: {str(store.directory)!r} has no mail, but {str(before)!r} has: people would "
            f"find empty mailboxes; move the mail first ({HOW}), or write {str(before)!r}"
        )


def _domain_problems(store: MailStore) -> Iterator[str]:
    domains = domains_with_mail(store.directory)
    if domains and not {store.domain.lower(), store.domain_old.lower()} & set(domains):
        yield (
            f"mail_domain: {store.domain!r} has no mail in {str(store.directory)!r}, but {', '.join(domains)} has: "
            f"people would find empty mailboxes; move the mail first ({HOW}), or set mail_domain_old: {domains[0]} "
            "if it is to stay there, unread"
        )


def _folder_problems(store: MailStore) -> Iterator[str]:
    """Check that nobody has a folder that would be hidden by one of the house's."""
    homes = sorted((store.directory / store.domain.lower()).glob("*/Maildir")) if store.yesterday else []
    people = [
        f"{maildir.parent.name}@{store.domain.lower()}"
        for maildir in homes
        if any(path.name == ".Backup" or path.name.startswith(".Backup.") for path in maildir.iterdir())
    ]
    if people:
        yield (
            f"mail_backup_yesterday: would hide the folder 'Backup' of {', '.join(people)}; rename it, such as by "
            f"'doveadm mailbox rename -s -u {people[0]} Backup Backups', or write false"
        )


def _user(name: str | int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name) if isinstance(name, str) else pwd.getpwuid(name)
    except KeyError:
        return None
