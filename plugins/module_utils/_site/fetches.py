# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check what is fetched from providers, and where it lands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.addresses import has_control_characters
from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import ProviderAccount
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import Wrong, shown
from ansible_collections.ilnmors.mail.plugins.module_utils._site.provider_profiles import PROFILES, Profile
from ansible_collections.ilnmors.mail.plugins.module_utils._site.providers import profile_of
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Flag

# Folders that the house makes in each mailbox (roles/dovecot_imap).
SPECIAL_FOLDERS = ("Drafts", "Sent", "Junk", "Trash", "Archive")
# Of each account's system user. utmp, and so systemd-sysusers, takes names of 31 characters.
_LONGEST_NAME = 31 - len("mbsync-fetch-")
_LONGEST_FOLDER = 120


def fetch_problems(providers: Sequence[ProviderAccount]) -> Iterator[str]:
    """Check the accounts that are fetched, and that no two land in one folder."""
    landed: list[tuple[str, str, str]] = []
    for account in providers:
        if not account.fetch:
            continue
        yield from _account_problems(account)
        folder = profile_of(account).folder or account.name if account.folder is None else account.folder
        fault = _folder_fault(folder)
        if fault:
            yield f"{account.where}.folder: {shown(folder)} {fault}; write one such as 'Google'"
            continue
        owner = account.owner.lower()
        for other_owner, other, other_folder in landed:
            relation = _relation(folder, other_folder)
            if owner == other_owner and relation:
                yield (
                    f"{account.where}.folder: {folder!r} {relation} {other_folder!r}, where the mail of {other} lands; "
                    "write another one"
                )
        landed.append((owner, account.name, folder))


def _account_problems(account: ProviderAccount) -> Iterator[str]:
    if len(account.name) > _LONGEST_NAME:
        yield (
            f"{account.where}.name: has {len(account.name)} characters, too many for the name of its system user; "
            f"write at most {_LONGEST_NAME}"
        )
    if account.labels and not profile_of(account).labelled:
        labelled = ", ".join(known for known, other in PROFILES.items() if other.labelled)
        yield (
            f"{account.where}.labels: only mailboxes of {labelled} are labels; "
            "remove it, all others are fetched as folders"
        )


def _folder_fault(folder: str) -> str:
    parts = folder.split("/")
    if has_control_characters(folder):
        return "holds a line break or another control character"
    if any(not part.strip() for part in parts):
        return "has an empty part"
    # Dovecot refuses "." and "~": the one separates folders on disk, the other is a home. The rest are wildcards.
    if re.search(r"[.%*]|\A~", folder):
        return "holds '.', '%' or '*', or begins with '~'"
    # On disk a folder is one name of 255 bytes at most, and mailboxes of the provider lie in it.
    if len(folder.encode()) > _LONGEST_FOLDER:
        return f"has more than {_LONGEST_FOLDER} bytes"
    if folder.upper() == "INBOX":
        return "is the inbox itself (inbox: true lets new mail arrive there)"
    if parts[0].lower() in map(str.lower, SPECIAL_FOLDERS):
        return "is a folder that the house has for another use"
    return ""


def _relation(folder: str, other: str) -> str:
    """Say how a folder lies to another one, '' if they are apart."""
    folder, other = (unicodedata.normalize("NFC", name).casefold() for name in (folder, other))
    if folder == other:
        return "is"
    if folder.startswith(f"{other}/"):
        return "lies in"
    return "holds" if other.startswith(f"{folder}/") else ""


def twice_problems(
    own: Sequence[ProviderAccount], host: str, hosts: Mapping[str, Sequence[object]]
) -> Iterator[str]:
    """Check that no account is fetched by two hosts.

    Each would fetch everything, and the provider would count their connections and bytes together.
    own: the accounts of this host. hosts: `mail_providers` of each host, as it is written there.
    """
    elsewhere = {
        fetched: other for other, entries in hosts.items() if other != host for fetched in _fetched(entries)
    }
    for account in own:
        at, login = account.imap_host or profile_of(account).imap_host, account.username or account.address
        other = elsewhere.get((at.lower(), login))
        if account.fetch and other:
            first, second = sorted((host, other))
            yield (
                f"{account.where}: {login!r} at {at!r} is fetched by both {first!r} and {second!r}; "
                "set fetch: false for one of them"
            )


def _fetched(entries: Sequence[object]) -> Iterator[tuple[str, str]]:
    """Yield the server and the login of each account that another host fetches; what is wrong is said there."""
    for entry in entries:
        if isinstance(entry, Mapping) and _is_fetched(entry.get("fetch")):
            profile = PROFILES.get(str(entry.get("profile")), Profile())
            at = str(entry.get("imap_host") or profile.imap_host)
            yield at.lower(), str(entry.get("username") or entry.get("address"))


def _is_fetched(value: object) -> bool:
    try:
        return value is None or Flag().convert(value)
    except Wrong:
        return True
