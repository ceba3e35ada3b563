# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows from a failure: the state of the fetch, what somebody can do, and when the next attempt is made."""

from __future__ import annotations

import random
from typing import Literal

from ..account.failures import DAY, HOUR, MINUTE, Kind

State = Literal["new", "ok", "retrying", "refused", "stopped", "house full", "limit"]
FIRST_DELAY, LAST_DELAY = MINUTE, HOUR
"""Seconds to the next attempt after a first failure, doubled with each, up to the last."""
PART_DELAY = 5 * MINUTE
"""Seconds to the next attempt, at most, where only some mailboxes failed: the others do not wait for them."""
REFUSED_DELAYS = (15 * MINUTE, HOUR)
"""Seconds to the next attempt after each refused login. After one more there is none: providers lock accounts."""
LIMIT_DELAYS = (HOUR, 4 * HOUR)
"""The same as for failures, where the provider says that it is asked for too much."""
JITTER = 0.2
"""What part of a delay is added to it at most, so that accounts do not all return at once."""

STATES: dict[Kind, State] = {
    "unreachable": "retrying",
    "tls": "retrying",
    "refused": "refused",
    "provider limit": "limit",
    "budget": "limit",
    "house full": "house full",
    "house unavailable": "retrying",
    "error": "retrying",
}
REMEDIES: dict[Kind, str] = {
    "tls": (
        "if the provider's own certificate is right, look at imap_host of the account in mail_providers "
        "and at mbsync_fetch_provider_ca"
    ),
    "refused": "write the right (app) password of the account in mail_providers and run the site playbook",
    "house full": "delete mail in the owner's mailbox, or raise the owner's quota in mail_users",
    "house unavailable": "look at 'systemctl status dovecot'",
    "error": "look at the journal of the unit",
}
AUTHORIZE = "run: ansible-playbook ilnmors.mail.authorize -e account={name}"
AUTHORIZE_AGAIN = "authorize the account again with the playbook ilnmors.mail.authorize"

random_part = random.SystemRandom().random
"""Returns a number from 0 to 1."""


def remedy(kind: Kind, *, token: bool = False) -> str:
    """Return what somebody can do, "" if there is nothing. token: whether it is an access token that was refused."""
    return AUTHORIZE_AGAIN if kind == "refused" and token else REMEDIES.get(kind, "")


def next_try(
    now: float, kind: Kind, attempts: int, *, wait: float = 0.0, partly: bool = False, jitter: float = 0.0
) -> float:
    """Return when the next attempt is made.

    attempts: how many in a row have failed, or, where the login is refused, how many were refused. wait: how many
    seconds the provider says to wait, 0 if it does not say. partly: whether some mailboxes were fetched.
    """
    delay = _delay(now, kind, attempts)
    if wait and kind != "refused":
        delay = max(wait, FIRST_DELAY)
    elif partly:
        delay = min(delay, PART_DELAY)
    return now + delay * (1 + JITTER * jitter)


def _delay(now: float, kind: Kind, attempts: int) -> float:
    if kind == "refused":
        return REFUSED_DELAYS[attempts - 1]
    if kind == "budget":
        return DAY - now % DAY
    first, last = LIMIT_DELAYS if kind == "provider limit" else (FIRST_DELAY, LAST_DELAY)
    return min(first << min(attempts - 1, 10), last)
