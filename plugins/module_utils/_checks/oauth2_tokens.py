# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether accounts that log in with OAuth 2.0 have the tokens that they need."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Job, Passed
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import CheckError


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
    # Where a person has to do something, the error says what.
    remedy = "" if status["refused"] else f"see 'journalctl --unit mail-oauth2@{directory.name}'"
    expires, error = float(status["expires"]), status["error"]
    if expires <= now:
        raise CheckError(
            f"its mail waits, for it has no valid access token: {error or 'the last one has expired'}", remedy
        )
    valid = f"valid until {datetime.fromtimestamp(expires, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if status["refused"]:
        raise CheckError(f"{valid}, and then its mail waits: {error}", remedy)
    return Passed(f"{valid}, but the last attempt at a new one failed: {error}" if error else valid)
