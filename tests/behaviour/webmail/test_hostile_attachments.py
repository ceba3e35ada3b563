"""Files of strangers that are pages or pictures with programs, opened in a browser."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients, hostile_mail
from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import OpenTab
from ansible_collections.ilnmors.mail.tests.behaviour.support.hostile_watch import (
    Stranger,
    harm,
    put,
    settle,
    url,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.mailbox import Mailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmails import Application, only
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page

ATTACHMENTS = ("text/html", "image/svg+xml", "application/xhtml+xml", "text/xml")


def hostile_attachment(where: str, kind: str) -> bytes:
    """Return a file of some kind that asks for more than itself, and has a script."""
    if kind == "image/svg+xml":
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{where}/d" width="9" height="9" />'
            "<script>window.owned = 1</script></svg>"
        ).encode()
    return (
        f'<html xmlns="http://www.w3.org/1999/xhtml"><body style="background:url({where}/a)"><img src="{where}/b" />'
        f'<form action="{where}/c"><input /></form><script>window.owned = 1</script>'
        f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{where}/d" /></svg></body></html>'
    ).encode()


def put_attachment(house: House, mark: str, content: bytes, kind: str) -> None:
    """Put a message with a file into the inbox of il."""
    new = clients.message("stranger@example.org", house.login("il"))
    new.replace_header("Subject", mark)
    hostile_mail.attach(new, "page", content, kind)
    put(house, new.as_bytes())


def owned(page: Page) -> list[str]:
    """Return the frames in which a script of the file has run."""
    for __ in range(10):
        # A frame may be of the page before, and go just now.
        with contextlib.suppress(PlaywrightError):
            page.wait_for_load_state("networkidle")
            return [frame.url for frame in page.frames if frame.evaluate("!!window.owned")]
    return [f"{page.url} does not come to rest"]


@only("roundcube")
def test_an_attachment_is_opened_without_its_scripts(
    reader: Mailbox, application: Application, house: House, stranger: Stranger, mark: str
) -> None:
    """As the application shows it in the message, and in a window of its own, by each address that it has."""
    for kind in ATTACHMENTS:
        put_attachment(house, f"{mark} {kind}.", hostile_attachment(url(stranger, mark), kind), kind)
    reader.search(mark)
    addresses = []
    for kind in ATTACHMENTS:
        reader.read(f"{mark} {kind}.")
        settle(reader.frame)
        assert harm(reader, application, stranger) == [], kind
        links = reader.message.locator("#attachment-list a.filename")
        addresses += links.evaluate_all("links => links.map(link => link.href)")
    assert len(addresses) == len(ATTACHMENTS)
    for address in addresses:
        for variant in (address, f"{address}&_frame=1", f"{address}&_embed=1", f"{address}&_mimewarning=1"):
            with contextlib.suppress(PlaywrightError):  # what is only downloaded is no page
                reader.page.goto(variant, wait_until="networkidle")
            assert owned(reader.page) == []
    assert stranger.connections == 0
    assert reader.tab.strangers(application.hostname, "") == []


@only("snappymail")
@pytest.mark.parametrize("kind", ATTACHMENTS)
@pytest.mark.usefixtures("application")
def test_an_attachment_is_no_page_of_the_webmail(
    real_webmail: Webmail, open_tab: OpenTab, house: House, stranger: Stranger, mark: str, kind: str
) -> None:
    """Opened in a window of its own, by its address."""
    where = url(stranger, mark)
    put_attachment(house, mark, hostile_attachment(where, kind), kind)
    real_webmail.log_in(house.login("il"), house.password("il"))
    (listed,) = real_webmail.find("INBOX", mark)
    (file,) = real_webmail.read("INBOX", listed["uid"])["attachments"]["@Collection"]
    tab = open_tab()
    for cookie in real_webmail.session.cookies:
        tab.page.context.add_cookies(
            [{"name": cookie.name, "value": cookie.value or "", "url": real_webmail.base, "secure": True}]
        )
    answer = tab.page.goto(f"{real_webmail.base}/?/Raw/&q[]=/0/View/&q[]=/{real_webmail.key(file)}")
    assert answer
    assert answer.headers["content-type"].startswith(kind)
    # No script runs there, which could tell more.
    assert "sandbox" in answer.headers["content-security-policy"]
    tab.page.wait_for_load_state("networkidle")
    assert stranger.connections == 0
