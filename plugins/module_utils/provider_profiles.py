# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each public provider is like. Adding a provider is adding an entry to PROFILES."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Profile:
    """How a provider is reached by an ordinary client.

    smtp_port: 465 means implicit TLS, any other STARTTLS (RFC 8314 section 3.3). IMAP is always implicit TLS.
    folder: where its mail lands in the owner's mailbox.
    skip_mailboxes: mailboxes, as its IMAP server names them, that are not fetched.
    """

    smtp_host: str
    imap_host: str
    folder: str
    smtp_port: int = 587
    imap_port: int = 993
    skip_mailboxes: tuple[str, ...] = field(default=())


PROFILES: dict[str, Profile] = {
    # https://support.google.com/mail/answer/7126229 (hosts and ports).
    # All Mail holds every message of every label once more; Spam and Trash are not worth keeping.
    "gmail": Profile(
        smtp_host="smtp.gmail.com",
        imap_host="imap.gmail.com",
        folder="Google",
        skip_mailboxes=(
            "[Gmail]/All Mail",
            "[Gmail]/Important",
            "[Gmail]/Starred",
            "[Gmail]/Spam",
            "[Gmail]/Trash",
        ),
    ),
    # https://help.naver.com/service/30029/contents/21344 (hosts and ports).
    "naver": Profile(smtp_host="smtp.naver.com", imap_host="imap.naver.com", folder="Naver"),
}
