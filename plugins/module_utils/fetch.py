# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What mbsync needs to know of a house: one fetch for each account that is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.accounts import house_address
from ansible_collections.ilnmors.mail.plugins.module_utils.providers import resolve_all


def quoted(text: str) -> str:
    """Quote an argument for an mbsync configuration file (mbsync(1): backslash escapes inside quotes)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def patterns(skip_mailboxes: Sequence[str]) -> str:
    """Build mbsync's Patterns: every mailbox but INBOX, which has a channel of its own, and the skipped ones."""
    return " ".join(["*", "!INBOX", *(quoted(f"!{mailbox}") for mailbox in skip_mailboxes)])


def mbsync_fetches(providers: Sequence[Mapping[str, Any]], domain: str, directory: str) -> dict[str, Any]:
    """Describe the fetch of each account.

    directory: where the passwords lie, one file for each account.

    Returns {accounts, secrets}. Each account has name, host, port, username, login (the owner's in the house),
    inbox and path (where its inbox and its other mailboxes land there) and patterns; all but name, port and login
    are quoted for mbsync. Each secret is a file for the config_files module.
    """
    fetched = [provider for provider in resolve_all(providers) if provider.fetch]
    return {
        "accounts": [
            {
                "name": provider.name,
                "host": quoted(provider.imap_host),
                "port": provider.imap_port,
                "username": quoted(provider.username),
                "login": house_address(provider.owner, domain),
                "inbox": quoted(f":{provider.name}-house:{provider.folder}/INBOX"),
                "path": quoted(f"{provider.folder}/"),
                "patterns": patterns(provider.skip_mailboxes),
            }
            for provider in fetched
        ],
        "secrets": [
            {
                "path": f"{directory}/{provider.name}.password",
                "content": provider.password,
                "mode": "0600",
                "secret": True,
            }
            for provider in fetched
        ],
    }
