# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells the postmaster once that backups have stopped, and once that they work again."""

from __future__ import annotations

import subprocess
import textwrap
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

from .status import Work, clock

SENDMAIL = Path("/usr/sbin/sendmail")
NAMES = {"backup": ("backup", "backups"), "drill": ("drill of the backup", "drills of the backup")}

# Each line is a paragraph.
STOPPED = """\
The {one} of the mail service at {domain} does not work any more. It runs on {host}.
What happened: {reason}
What to do: {remedy}.
The last good one ended {since}. Mail that has come since then is in the house alone: a dead disk would lose it.
It is tried again at the next time that it is due. You are told when it works again, and not before.
"""
WORKS = """\
The {one} of the mail service at {domain}, on {host}, works again. The last one ended {since}.
"""


def message(work: str, status: Work, notice: str, host: str, domain: str, now: float) -> bytes:
    """Return the message (RFC 5322). work: backup or drill. notice: stopped or works."""
    one, many = NAMES[work]
    text = (STOPPED if notice == "stopped" else WORKS).format(
        one=one,
        domain=domain,
        host=host,
        reason=status.reason,
        remedy=status.remedy,
        since=clock(status.last_success) if status.last_success else "never",
    )
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = f"Mail at {domain} <postmaster@{domain}>"
    mail["To"] = f"postmaster@{domain}"
    mail["Subject"] = (
        f"The {many} of {host} have stopped" if notice == "stopped" else f"The {many} of {host} work again"
    )
    mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    mail["Message-ID"] = make_msgid(domain=domain)
    # RFC 3834: no vacation reply answers it.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n\n".join(textwrap.fill(line, 72) for line in text.splitlines()) + "\n")
    return mail.as_bytes().replace(b"\r\n", b"\n")


def send(mail: bytes, domain: str) -> bool:
    """Give it to this host's Postfix; False if there is none, or it does not take it."""
    if not SENDMAIL.exists():
        return False
    done = subprocess.run(
        [SENDMAIL, "-i", "-f", "", f"postmaster@{domain}"],
        input=mail,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode == 0
