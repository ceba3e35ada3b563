# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parts of a house that the site playbook sets up alone (--tags), and which options each of them applies.

A part may run alone only where every option that it does not apply is as it was when the host was last set up:
whatever the part leaves out would find nothing to do then. So an option is known to a host by a digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._site.description import ROLES
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import listed, nearest
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import keys

PARTS: Mapping[str, Sequence[str]] = {
    "users": (),
    "certificates": ("mail_tls",),
    "relay": ("mail_oauth2", "postfix_relay"),
    "store": ("dovecot_imap",),
    "fetch": ("mail_oauth2", "mbsync_fetch"),
    "webmail": ("webmail_host", "snappymail", "roundcube"),
    "backup": ("mail_backup",),
    "monitoring": ("mail_monitoring",),
}
"""Each part, by its tag, with the roles that run as a whole with it."""

_OF_USERS = ("users", "services", "providers", "default_provider")
"""Options that the part `users` applies in each role that has them."""

_OF_ONE_RUN = ("mail_tls_ca_replace", "mail_tls_ca_renew", "mbsync_fetch_hosts")
"""What says only what this run may do, or is only compared."""

COLLECTION, RELEASE = "the collection", "Debian's release"
"""What else a run depends on; no part alone applies it."""

_ROOT = Path(__file__).parents[3]


class PartsError(Exception):
    """Tags that cannot be told apart from a mistake; the message says what to write."""


@dataclass(frozen=True)
class Selection:
    """What of the house a run sets up: some parts of it, or (whole) all of it. neither: none of it.

    warning: why that is probably not meant.
    """

    parts: tuple[str, ...] = ()
    whole: bool = False
    warning: str = ""


def select(run: Sequence[str], skip: Sequence[str], inherited: Sequence[str]) -> Selection:
    """Read --tags and --skip-tags. inherited: tags that a playbook which imports the site's gives to all of it.

    Raises PartsError.
    """
    if skipped := [tag for tag in skip if tag in PARTS]:
        others = [part for part in PARTS if part not in skipped]
        raise PartsError(
            f"--skip-tags {','.join(skipped)}: what is skipped could be what the rest needs; "
            f"write --tags {','.join(others)} instead, which sees to that"
        )
    if {"all", "tagged", *inherited} & set(run):
        return Selection(whole=True)
    for tag in run:
        if tag not in PARTS and (meant := nearest(tag, PARTS)):
            raise PartsError(f"--tags {tag}: is no part of the house; write --tags {meant}")
    parts = tuple(part for part in PARTS if part in run)
    warning = (
        "" if parts else f"--tags {','.join(run)} sets up nothing of the house; its parts are {listed(PARTS)}"
    )
    return Selection(parts, warning=warning)


def appliers(name: str) -> list[str]:
    """Return the parts each of which applies what `digests` names so."""
    role, option = _split(name)
    of_users = option in _OF_USERS
    return [part for part, roles in PARTS.items() if role in roles or (part == "users" and of_users)]


def options_of(read: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, bool, object]]:
    """Yield each option that a host remembers: its role, its name, whether it may hold secrets, and its value.

    read: the options of each role that was read for the host, as the action role_options returns them.
    """
    for role, options in read.items():
        for known in keys(ROLES[role]):
            if f"{role}_{known.name}" not in _OF_ONE_RUN:
                value = options.get(known.name)
                yield role, known.name, known.reader.secret or _is_nested(value), value


def digests(read: Mapping[str, Mapping[str, Any]], host: str, release: str) -> dict[str, str]:
    """Return the digest of everything that a run on a host depends on, by the names of the options.

    host: its name in the inventory. release: its release of Debian.
    """
    found = {
        # Nothing is no secret.
        f"{role}_{option}": digest(json.dumps(value, sort_keys=True), host if secret and value else "")
        for role, option, secret, value in options_of(read)
    }
    return {COLLECTION: collection(), RELEASE: digest(release, ""), **found}


@cache
def digest(text: str, salt: str) -> str:
    """Return a digest. salt: for what may hold secrets, whose digest takes long, so that nobody guesses them by it."""
    data = text.encode()
    if salt:
        # As much memory and time as a password that Dovecot keeps costs: 16 MiB, 50 ms.
        return hashlib.scrypt(data, salt=salt.encode(), n=2**14, r=8, p=1, dklen=24).hex()
    return hashlib.sha256(data).hexdigest()[:48]


@cache
def collection() -> str:
    """Return a digest of the collection's own files, which say what is written of options."""
    found = hashlib.sha256()
    for folder in ("playbooks", "plugins", "roles"):
        for path in sorted((_ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix not in (".pyc", ".md", ".png"):
                found.update(f"{path.relative_to(_ROOT)}\0{path.stat().st_size}\0".encode())
                found.update(path.read_bytes())
    return found.hexdigest()[:48]


def refusal(parts: Sequence[str], left_out: Sequence[str], called: Mapping[str, Mapping[str, str]]) -> str:
    """Say why these parts cannot run alone, and what to run instead.

    left_out: what has changed and none of them applies, as `digests` names it. called: what people call the options of
    each role.
    """
    names: dict[str, None] = {}
    needed = [*parts]
    for name in left_out:
        role, option = _split(name)
        names[called.get(role, {}).get(option, name)] = None
        applying = appliers(name)
        if not set(applying) & set(needed):
            needed += applying[:1]
    together = ",".join(part for part in PARTS if part in needed)
    remedy = f"with --tags {together}, or " if all(map(appliers, left_out)) else ""
    return (
        f"--tags {','.join(parts)}: {listed(names)} {'has' if len(names) == 1 else 'have'} changed as well since this "
        f"host was last set up, and would be left half done; run this {remedy}without --tags"
    )


def _split(name: str) -> tuple[str, str]:
    """Return the role and its option of what `digests` names so; no role for what is not an option."""
    role = next((role for role in ROLES if name.startswith(f"{role}_")), "")
    return role, name.removeprefix(f"{role}_")


def _is_nested(value: object) -> bool:
    """Whether a value has dictionaries in it, some key of which may be secret."""
    return isinstance(value, Mapping) or (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and any(isinstance(item, Mapping) for item in value)
    )
