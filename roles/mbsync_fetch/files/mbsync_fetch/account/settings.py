# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The account that is fetched, as the role describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


class AccountError(OSError):
    """There is no such account, or its file does not describe one."""


@dataclass(frozen=True)
class Account:
    """An account at a provider, and where its mail lands.

    mechanism: whether its secret is a password or an OAuth 2.0 access token.
    owner: the local login of the person whose account it is.
    folder: the folder of the owner's mailbox that its mailboxes land in.
    inbox: whether its INBOX lands in the owner's inbox instead, through the owner's Sieve rules.
    labelled: whether its mailboxes are labels, so that one message may be in many (Gmail).
    labels: whether such labels are fetched as folders.
    mailboxes: patterns of the mailboxes that are fetched; none means all.
    mirror: whether a message that is deleted at the provider is deleted locally.
    daily_megabytes: what the provider lets an account read in a day, if it says so.
    timeout: how long the provider may stay silent when an answer is due, in seconds.
    local_socket: path of the socket that leads to the owner's mailbox.
    uses: names of its mailboxes by their use (remote/special_use.py), where its server does not say that.
    """

    name: str
    host: str
    port: int
    ca_file: str
    username: str
    mechanism: Literal["password", "xoauth2"]
    owner: str
    folder: str
    inbox: bool
    labelled: bool
    labels: bool
    mailboxes: tuple[str, ...]
    skip_mailboxes: tuple[str, ...]
    mirror: bool
    daily_megabytes: int | None
    metrics: bool
    timeout: int
    local_socket: str
    uses: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Account:
        """Read the account's file, a JSON object with these keys; AccountError."""
        try:
            values: dict[str, Any] = json.loads(path.read_text("utf-8"))
            for patterns in ("mailboxes", "skip_mailboxes"):
                values[patterns] = tuple(values[patterns])
            return cls(**values)
        except FileNotFoundError:
            known = ", ".join(sorted(file.stem for file in path.parent.glob("*.json"))) or "none"
            raise AccountError(f"there is no account {path.stem!r}; there are: {known}") from None
        except (ValueError, LookupError, TypeError) as error:
            raise AccountError(
                f"{path} does not describe an account ({error!r}); run the site playbook"
            ) from error
