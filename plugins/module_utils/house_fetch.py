# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a house's description may say of what is fetched from providers, and where it lands.

Each function returns problems, as house.py does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.addresses import has_control_characters
from ansible_collections.ilnmors.mail.plugins.module_utils.provider_profiles import PROFILES, Profile

# Folders that the house makes in each mailbox (roles/dovecot_imap).
SPECIAL_FOLDERS = ("Drafts", "Sent", "Junk", "Trash", "Archive")
# Of each account's system user. utmp, and so systemd-sysusers, takes names of 31 characters.
_USER_PREFIX = "mbsync-fetch-"
_LONGEST_NAME = 31 - len(_USER_PREFIX)
_LONGEST_FOLDER = 120
# What a systemd unit takes for a path without quoting.
_PATH = re.compile(r"/[\w.@+/-]+", re.ASCII)
# systemd.time(7), from seconds on.
_UNIT = "seconds?|sec|s|minutes?|min|months?|m|M|hours?|hr|h|days?|d|weeks?|w|years?|y"  # a number alone means seconds
# One part after the other, so that no text can be divided in many ways.
_TIME_PART = re.compile(rf"\d+(?:\.\d+)?\s*(?:(?:{_UNIT})(?![A-Za-z]))?\s*", re.ASCII)

Entries = Sequence[Mapping[str, Any]]


def fetch_problems(providers: Entries) -> Iterator[str]:
    """Check the entries of `mail_providers` that are fetched, and that no two land in one folder."""
    landed: list[tuple[str, str, str]] = []
    for index, entry in enumerate(providers):
        name = entry.get("name")
        if not isinstance(name, str) or not entry.get("fetch", True):
            continue
        where = f"mail_providers[{index}] ({name})"
        profile = PROFILES.get(entry.get("profile") or "custom", Profile())
        yield from _entry_problems(where, entry, profile)

        folder = profile.folder or name if entry.get("folder") is None else str(entry["folder"])
        fault = _folder_fault(folder)
        if fault:
            yield f"{where}.folder: {folder!r} {fault}; write one such as 'Google'"
            continue
        owner = str(entry.get("owner")).lower()
        for other_owner, other, other_folder in landed:
            relation = _relation(folder, other_folder)
            if owner == other_owner and relation:
                yield (
                    f"{where}.folder: {folder!r} {relation} {other_folder!r}, where the mail of {other} lands; "
                    "write another one"
                )
        landed.append((owner, name, folder))


def _entry_problems(where: str, entry: Mapping[str, Any], profile: Profile) -> Iterator[str]:
    name = entry["name"]
    if len(name) > _LONGEST_NAME:
        yield (
            f"{where}.name: has {len(name)} characters, too many for the name of its system user; "
            f"write at most {_LONGEST_NAME}"
        )
    yield from _port_problems(f"{where}.imap_port", entry.get("imap_port"))
    if entry.get("labels") and not profile.labelled:
        labelled = ", ".join(known for known, other in PROFILES.items() if other.labelled)
        yield f"{where}.labels: only mailboxes of {labelled} are labels; remove it, all others are fetched as folders"
    for key in ("mailboxes", "skip_mailboxes"):
        yield from _pattern_problems(f"{where}.{key}", entry.get(key))
    file = entry.get("password_file")
    if file and not _PATH.fullmatch(str(file)):
        yield (
            f"{where}.password_file: {file!r} is not an absolute path of letters, digits and -_.@+/; "
            "write one such as '/etc/mail-passwords/gmail'"
        )


def _port_problems(where: str, port: object) -> Iterator[str]:
    if port is None:
        return
    if str(port) == "143":
        yield f"{where}: 143 begins without TLS, and fetching needs implicit TLS, port 993; write that, or remove it"
    elif not str(port).isdecimal() or not 0 < int(str(port)) < 65536:
        yield f"{where}: {port!r} is not a port; write 993, or remove it"


def _pattern_problems(where: str, patterns: object) -> Iterator[str]:
    if patterns is None:
        return
    if not isinstance(patterns, Sequence) or isinstance(patterns, str):
        yield f"{where}: is no list of mailboxes; write one such as ['INBOX', 'Work*']"
        return
    for index, pattern in enumerate(patterns):
        if not str(pattern).strip() or has_control_characters(str(pattern)):
            yield f"{where}[{index}]: {pattern!r} is no name of a mailbox; write one, with * for any text, or remove it"


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


def _is_time_span(text: str) -> bool:
    position = 0
    while part := _TIME_PART.match(text, position):
        position = part.end()
    return 0 < position == len(text)


def fetch_option_problems(interval: object, paths: Mapping[str, object]) -> Iterator[str]:
    """Check the time between two fetches, and paths on the mail host by the names of their variables."""
    span = str(interval).strip()
    if not _is_time_span(span) or not re.search("[1-9]", span):
        yield (
            f"mbsync_fetch_interval: {interval!r} is no time that systemd knows (systemd.time(7)); "
            "write one such as '5min' or '1h 30min'"
        )
    for variable, path in paths.items():
        if not _PATH.fullmatch(str(path)):
            yield (
                f"{variable}: {path!r} is not an absolute path of letters, digits and -_.@+/; "
                "write one such as '/srv/mail'"
            )
