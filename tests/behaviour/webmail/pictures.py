"""Take the pictures of the READMEs: each webmail, light and dark, on a desktop and on a phone (`make pictures`).

It writes them into the folders of the roles, and is no test: its name keeps it out of the others. What is seen in them
is put into the inbox of il before, as if it had come today, and removed in the end.
"""

from __future__ import annotations

import imaplib
import shutil
import subprocess
import time
from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import DESKTOP, PHONE
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmails import Application, OpenMailbox
from playwright.sync_api import expect

SIZES = {"desktop": DESKTOP, "phone": PHONE}

COLOURS = 96
"""In a picture: few make it small."""

OPENED = "Lunch on Sunday"
PAGE = """\
<p>Dear Il,</p>
<p>the weather will be fine on Sunday, and the pear tree is full. Would you like to come for lunch, at noon?
Bring a basket.</p>
<ul><li>Pumpkin soup</li><li>Kimchi pancakes</li><li>Pear cake</li></ul>
<p>Yours,<br>guest</p>
"""
LETTERS = [
    # Minutes ago, from whom, subject; the newest first.
    (4, ("Guest", "guest@{domain}"), OPENED),
    (31, ("Gitea", "gitea@{domain}"), "[house/recipes] Pull request: less salt (#12)"),
    (55, ("산악회", "hikers@example.org"), "주말에 산에 갈까요?"),
    (160, ("OPNsense", "opnsense@{domain}"), "Firmware update installed"),
    (1_500, ("Prometheus", "prometheus@{domain}"), "[RESOLVED] Disk almost full on nas"),
    (1_720, ("City library", "loans@example.net"), "Two books are due on Friday"),
    (2_990, ("NAS", "nas@{domain}"), "Backup finished: 3 folders, no error"),
    (4_400, ("Kindergarten", "office@example.net"), "Fotos vom Ausflug"),
]


def letter(house: House, minutes: int, sender: tuple[str, str], subject: str) -> EmailMessage:
    """Return a message that came some minutes ago."""
    name, address = sender
    new = EmailMessage()
    new["From"] = Address(name, addr_spec=address.format(domain=house.domain))
    new["To"] = house.login("il")
    new["Subject"] = subject
    new["Date"] = formatdate(time.time() - minutes * 60, localtime=True)
    new["Message-ID"] = make_msgid(domain=house.domain)
    new.set_content("Good news.\n")
    if subject == OPENED:
        new.add_alternative(PAGE, subtype="html")
    return new


@pytest.fixture
def _inbox(house: House) -> Iterator[None]:
    """Let the inbox of il hold some letters, the newest of them unread."""
    letters = [letter(house, *one) for one in reversed(LETTERS)]
    with house.imap("il") as imap:
        for number, new in enumerate(letters):
            minutes = LETTERS[-1 - number][0]
            flags = r"(\Seen)" if minutes > 100 else None
            date = imaplib.Time2Internaldate(time.time() - minutes * 60)
            assert imap.append("INBOX", flags, date, new.as_bytes())[0] == "OK"
        yield
        imap.select("INBOX")
        for new in letters:
            found = (
                imap.uid("SEARCH", "HEADER", "Message-ID", new["Message-ID"])[1][0].decode().replace(" ", ",")
            )
            imap.uid("STORE", found, "+FLAGS", r"(\Deleted)")
        imap.expunge()


@pytest.mark.usefixtures("_inbox")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_take_a_picture(
    open_mailbox: OpenMailbox,
    application: Application,
    request: pytest.FixtureRequest,
    size: str,
    scheme: str,
) -> None:
    """With a message open where there is room for it."""
    if not shutil.which("pngquant"):
        pytest.skip("needs pngquant on this machine (Debian's package pngquant)")
    mailbox = open_mailbox("il", viewport=SIZES[size], color_scheme=scheme)
    expect(mailbox.messages.filter(has_text=OPENED)).to_be_visible()
    if size == "desktop":
        mailbox.read(OPENED)
        expect(mailbox.text).to_contain_text("Pear cake")
    # The folders of most providers stay closed, and nothing is pointed at.
    for open_folder in reversed(
        mailbox.page.locator("#mailboxlist > li > .treetoggle.expanded:visible").all()[1:]
    ):
        open_folder.click()
    mailbox.page.mouse.move(SIZES[size]["width"] - 10, SIZES[size]["height"] // 2)
    mailbox.settle()
    folder = request.config.rootpath / "roles" / application.role / "pictures"
    folder.mkdir(exist_ok=True)
    raw = mailbox.page.screenshot(animations="disabled", caret="hide")
    small = subprocess.run(
        ["pngquant", "--strip", "--speed", "1", str(COLOURS), "-"], input=raw, capture_output=True, check=True
    )
    (folder / f"{size}-{scheme}.png").write_bytes(small.stdout)
