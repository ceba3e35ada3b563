# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells the owner of an account that it is no longer fetched."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

from ..account.settings import Account
from .status import Status

# Each line is a paragraph.
STOPPED = """\
Mail of your account {username} is no longer fetched into this mailbox.
The provider ({host}) refused the login {refusals} times, so that no more attempts are made: it might lock the \
account. It last said: {reason}
What was fetched before stays here. Nothing was changed at the provider, and new mail waits there.
What to do: {steps}
Then tell whoever runs this house to {remedy}. The account is called "{name}" there. Fetching goes on by itself after \
that.
"""
STEPS = {
    "password": (
        "see whether you can log in at the provider, and whether the password has been changed. Many providers want "
        "an app password for this, and IMAP turned on in their settings."
    ),
    "xoauth2": "see whether the provider still lists this house among the apps with access to your account.",
}


def owner_message(account: Account, status: Status, now: float) -> bytes:
    """Return the message (RFC 5322) that tells the owner that the fetch of the account has stopped."""
    # A fetch that works does without these, which take long to load.
    from email import policy
    from email.message import EmailMessage
    from email.utils import format_datetime, make_msgid

    domain = account.owner.rpartition("@")[2]
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = f"Mail at {domain} <postmaster@{domain}>"
    message["To"] = account.owner
    message["Subject"] = f"Mail of {account.username} is no longer fetched"
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    message["Message-ID"] = make_msgid(domain=domain)
    # RFC 3834: no vacation reply answers it.
    message["Auto-Submitted"] = "auto-generated"
    text = STOPPED.format(
        username=account.username,
        host=account.host,
        name=account.name,
        refusals=status.refusals,
        reason=status.reason,
        steps=STEPS[account.mechanism],
        remedy=status.remedy,
    )
    message.set_content("\n\n".join(textwrap.fill(line, 72) for line in text.splitlines()) + "\n")
    return message.as_bytes()
