# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Accounts that log in with OAuth 2.0: what their units read, and how their tokens are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.mail_checks import Job, Passed
from ansible_collections.ilnmors.mail.plugins.module_utils.mail_client import CheckError
from ansible_collections.ilnmors.mail.plugins.module_utils.providers import resolve_all


def oauth2_accounts(
    providers: Sequence[Mapping[str, Any]], directory: str, ca_file: str
) -> list[dict[str, Any]]:
    """Describe what the unit of each account reads.

    directory: where that lies, one file for each account; ca_file: what providers are verified against (PEM).

    Returns a list of {name, file}, the latter a secret file for the config_files module.
    """
    return [
        {
            "name": provider.name,
            "file": {
                "path": f"{directory}/{provider.name}.json",
                "content": json.dumps({**asdict(provider.oauth2), "ca_file": ca_file}),
                "mode": "0600",
                "secret": True,
            },
        }
        for provider in resolve_all(providers)
        if provider.oauth2
    ]


def token_checks(accounts: Sequence[str], directory: Path, now: float) -> list[Job]:
    """Return one check for each account. directory: where their units keep their state; now: seconds since 1970."""
    return [(f"{name} token", partial(token_check, directory / name, now)) for name in accounts]


def token_check(directory: Path, now: float) -> Passed:
    """Check the token that a unit keeps in a directory (roles/mail_oauth2/files/mail_oauth2.py, Status)."""
    try:
        status = json.loads((directory / "status.json").read_bytes())
    except (OSError, ValueError):
        raise CheckError(
            f"its unit has not run; look at 'systemctl status mail-oauth2@{directory.name}'"
        ) from None
    expires, error = float(status["expires"]), status["error"]
    if expires <= now:
        raise CheckError(
            f"its mail waits, for it has no valid access token: {error or 'the last one has expired'}"
        )
    valid = f"valid until {datetime.fromtimestamp(expires, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if status["refused"]:
        raise CheckError(f"{valid}, and then its mail waits: {error}")
    return Passed(f"{valid}, but the last attempt at a new one failed: {error}" if error else valid)
