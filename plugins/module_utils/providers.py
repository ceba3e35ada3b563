# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The owner's accounts at public providers: entries of `mail_providers` with their profiles filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.ilnmors.mail.plugins.module_utils.provider_profiles import PROFILES


@dataclass(frozen=True)
class Provider:
    """One account at a public provider. Hosts are names, ports TCP ports."""

    name: str
    address: str
    username: str
    password: str
    owner: str
    relay: bool
    fetch: bool
    folder: str
    smtp_host: str
    smtp_port: int
    smtp_tls: Literal["starttls", "implicit"]
    imap_host: str
    imap_port: int
    skip_mailboxes: tuple[str, ...]

    @property
    def nexthop(self) -> str:
        """The provider as a Postfix nexthop: brackets keep Postfix from looking up MX records."""
        return f"[{self.smtp_host}]:{self.smtp_port}"

    @property
    def transport(self) -> str:
        """The service in Postfix's master.cf that talks to this provider."""
        return f"relay-{self.name}"


def resolve(entry: Mapping[str, Any]) -> Provider:
    """Fill in one checked entry of `mail_providers` (see house.py) from its profile.

    An explicit value in the entry wins over its profile.
    """
    profile = PROFILES.get(entry.get("profile") or "")

    def setting(key: str, default: Any) -> Any:  # noqa: ANN401 - an inventory value
        value = entry.get(key)
        return getattr(profile, key, default) if value is None else value

    smtp_port = int(setting("smtp_port", 587))
    return Provider(
        name=entry["name"],
        address=entry["address"],
        username=entry.get("username") or entry["address"],
        password=str(entry["password"]),
        owner=entry["owner"],
        relay=bool(entry.get("relay", True)),
        fetch=bool(entry.get("fetch", True)),
        folder=setting("folder", entry["name"]),
        smtp_host=setting("smtp_host", ""),
        smtp_port=smtp_port,
        smtp_tls=entry.get("smtp_tls") or ("implicit" if smtp_port == 465 else "starttls"),
        imap_host=setting("imap_host", ""),
        imap_port=int(setting("imap_port", 993)),
        skip_mailboxes=tuple(setting("skip_mailboxes", ())),
    )


def resolve_all(entries: Sequence[Mapping[str, Any]]) -> list[Provider]:
    """Fill in the whole of `mail_providers`."""
    return [resolve(entry) for entry in entries]
