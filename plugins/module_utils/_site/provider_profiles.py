# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each public provider is like. Adding a provider is adding an entry to PROFILES.

Hosts, ports and login names are those of Thunderbird's database as well
(https://github.com/thunderbird/autoconfig, ispdb/). A limit that its provider does not publish is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Use = Literal["sent", "drafts", "junk", "trash"]
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Profile:
    r"""How a provider is reached by an ordinary client, and what it does to mail.

    smtp_port: 465 means implicit TLS, any other STARTTLS (RFC 8314 section 3.3). IMAP is always implicit TLS.
    folder: where its mail lands in the owner's mailbox; empty for the account's own name.
    uses: its mailboxes by what they are for, where its IMAP server does not say that (SPECIAL-USE, RFC 6154): the names
    that people see, of which the first that is there counts. Spam, deleted mail and drafts are not fetched.
    labelled: whether its mailboxes are labels, so that one message may be in many of them.
    daily_imap_megabytes: how many megabytes (10^6 bytes) of one account may be read in a day.
    imap_connections: how many IMAP connections of one account at once.
    auth: what it takes for a login: a password (an app password, where it has them), or OAuth 2.0 alone.
    token_url, scope: where an OAuth 2.0 refresh token becomes an access token (RFC 6749 section 6), and what for.
    device_url, authorize_url: where the first one is asked for: with a code that a person types in elsewhere (RFC 8628
    section 3.1), or else in a browser (RFC 6749 section 3.1).
    foreign_sender: what it does with a sender that is not the account's: it refuses or replaces it.
    daily_messages, messages_per_minute: what it takes from one account.
    connections: how many SMTP connections of one account at once.
    message_size: the largest message in bytes, attachments encoded.
    over_limit: replies with a permanent code that only mean "not now", as POSIX regular expressions of the enhanced
    status code without its class and the text after it, such as '4\.5'.
    """

    smtp_host: str = ""
    imap_host: str = ""
    folder: str = ""
    smtp_port: int = 587
    imap_port: int = 993
    uses: Mapping[Use, tuple[str, ...]] = field(default_factory=dict)
    labelled: bool = False
    daily_imap_megabytes: int | None = None
    imap_connections: int | None = None
    auth: Literal["password", "oauth2"] = "password"
    token_url: str = ""
    device_url: str = ""
    authorize_url: str = ""
    scope: str = ""
    foreign_sender: Literal["refused", "replaced"] | None = None
    daily_messages: int | None = None
    messages_per_minute: int | None = None
    connections: int = 2
    message_size: int | None = None
    over_limit: tuple[str, ...] = ()


PROFILES: dict[str, Profile] = {
    # Hosts and ports: https://support.google.com/mail/answer/7126229
    # Mailboxes are labels: https://developers.google.com/workspace/gmail/imap/imap-extensions
    # 2,500 MB a day by IMAP: https://support.google.com/a/answer/1071518
    # 15 IMAP connections: https://support.google.com/mail/answer/7126229
    # A foreign From is replaced, and kept as X-Google-Original-From: https://support.google.com/mail/answer/22370
    # 500 messages a day: https://support.google.com/mail/answer/22839; 25 MB, and "550 5.4.5" beyond the day's
    # limit: https://support.google.com/a/answer/3726730
    # OAuth 2.0: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
    # No mail by a code that is typed in elsewhere:
    # https://developers.google.com/identity/protocols/oauth2/limited-input-device#allowedscopes
    # In a browser: https://developers.google.com/identity/protocols/oauth2/native-app
    "gmail": Profile(
        smtp_host="smtp.gmail.com",
        imap_host="imap.gmail.com",
        folder="Google",
        labelled=True,
        daily_imap_megabytes=2_500,
        imap_connections=15,
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - no password
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        scope="https://mail.google.com/",
        foreign_sender="replaced",
        daily_messages=500,
        message_size=25 * MEBIBYTE,
        over_limit=(r"4\.5",),
    ),
    # Hosts and ports: https://help.naver.com/service/30029/contents/21344
    # A sender that is not the account's: "553 5.7.1 … Sender address rejected", as users of its SMTP report.
    # Its mailboxes, as users of its IMAP have them: https://github.com/barroit/etc (mutt/@naver.com)
    "naver": Profile(
        smtp_host="smtp.naver.com",
        imap_host="imap.naver.com",
        folder="Naver",
        uses={
            "sent": ("Sent Messages",),
            "drafts": ("Drafts",),
            "trash": ("Deleted Messages",),
            "junk": ("Junk",),
        },
        foreign_sender="refused",
    ),
    # Hosts and ports: https://support.microsoft.com/office/d088b986-291d-42b8-9564-9c414e2aa040
    # A personal account may have to set smtp_host: smtp-mail.outlook.com.
    # No passwords: https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online
    # A code that is typed in elsewhere: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
    # XOAUTH2 and its scopes:
    # https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
    # Three connections, 30 messages a minute, 10,000 recipients a day, "554 5.2.0 …SubmissionQuotaExceeded…" beyond:
    # https://learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements
    # It has no SPECIAL-USE; its mailboxes: https://github.com/huacnlee/omamail/pull/90, and of personal accounts
    # https://github.com/mjs/imapclient/issues/419
    # A foreign sender: "5.7.60 SMTP; Client does not have permissions to send as this sender":
    # https://learn.microsoft.com/troubleshoot/exchange/email-delivery/error-5-7-60-when-sending-mail
    "outlook": Profile(
        smtp_host="smtp.office365.com",
        imap_host="outlook.office365.com",
        folder="Outlook",
        uses={
            "sent": ("Sent Items", "Sent"),
            "drafts": ("Drafts",),
            "trash": ("Deleted Items", "Deleted"),
            "junk": ("Junk Email", "Junk E-mail", "Junk"),
        },
        auth="oauth2",
        token_url="https://login.microsoftonline.com/common/oauth2/v2.0/token",  # noqa: S106 - no password
        device_url="https://login.microsoftonline.com/common/oauth2/v2.0/devicecode",
        authorize_url="https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        scope=(
            "https://outlook.office.com/SMTP.Send https://outlook.office.com/IMAP.AccessAsUser.All offline_access"
        ),
        foreign_sender="refused",
        daily_messages=10_000,
        messages_per_minute=30,
        connections=3,
        over_limit=(r"2\.0 .*SubmissionQuotaExceeded",),
    ),
    # Hosts and ports: https://cs.daum.net/faq/266/12145.html; implicit TLS alone.
    # Its mailboxes, as users of its IMAP list them: those of Naver, but 스팸편지함 for spam;
    # https://github.com/jstedfast/MailKit/issues/1478 for drafts, of Kakao as well.
    "daum": Profile(
        smtp_host="smtp.daum.net",
        smtp_port=465,
        imap_host="imap.daum.net",
        folder="Daum",
        uses={
            "sent": ("Sent Messages",),
            "drafts": ("Drafts",),
            "trash": ("Deleted Messages",),
            "junk": ("스팸편지함",),
        },
        foreign_sender="refused",
    ),
    # The same service under its other name: https://cs.kakao.com/helps_html/1073193435
    "kakao": Profile(
        smtp_host="smtp.kakao.com",
        smtp_port=465,
        imap_host="imap.kakao.com",
        folder="Kakao",
        uses={
            "sent": ("Sent Messages",),
            "drafts": ("Drafts",),
            "trash": ("Deleted Messages",),
            "junk": ("스팸편지함",),
        },
        foreign_sender="refused",
    ),
    # Hosts and ports, app-specific password: https://support.apple.com/102525
    # It has no SPECIAL-USE; its mailboxes: https://github.com/nextcloud/mail/issues/3401
    # 1,000 messages a day, 20 MB, "550 5.7.1 … exceeded your daily sending limit": https://support.apple.com/102198
    "icloud": Profile(
        smtp_host="smtp.mail.me.com",
        imap_host="imap.mail.me.com",
        folder="iCloud",
        uses={
            "sent": ("Sent Messages",),
            "drafts": ("Drafts",),
            "trash": ("Deleted Messages",),
            "junk": ("Junk",),
        },
        foreign_sender="refused",
        daily_messages=1_000,
        message_size=20 * MEBIBYTE,
        over_limit=(r"7\.1 .*exceeded your daily sending limit",),
    ),
    # Hosts and ports, app password: https://help.yahoo.com/kb/SLN4075.html
    # Its servers have not always said what mailboxes are for: https://github.com/jstedfast/MailKit/issues/242, /274
    # 25 MB: https://help.yahoo.com/kb/SLN5673.html
    "yahoo": Profile(
        smtp_host="smtp.mail.yahoo.com",
        smtp_port=465,
        imap_host="imap.mail.yahoo.com",
        folder="Yahoo",
        uses={
            "sent": ("Sent",),
            "drafts": ("Draft", "Drafts"),
            "trash": ("Trash",),
            "junk": ("Bulk", "Bulk Mail", "Spam"),
        },
        foreign_sender="refused",
        message_size=25 * MEBIBYTE,
    ),
    # Hosts and ports, app password: https://www.fastmail.help/hc/articles/1500000278342
    # A sender that is no identity of the account is refused: https://www.fastmail.help/hc/articles/360060591153
    "fastmail": Profile(
        smtp_host="smtp.fastmail.com",
        smtp_port=465,
        imap_host="imap.fastmail.com",
        folder="Fastmail",
        foreign_sender="refused",
    ),
    # Any other: its entry says which hosts.
    "custom": Profile(),
}
