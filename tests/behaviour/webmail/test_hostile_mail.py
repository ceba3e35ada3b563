"""Hostile messages, opened in a browser: nothing leaves it without a question, and nothing lies over the page.

Whoever reads them is a `Reader`: the application's page in the words of these tests. Another webmail joins with a
reader of its own, given by `open_reader`.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients, hostile_mail
from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import OpenTab, Tab
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_page import Mailbox
from playwright.sync_api import Page, expect

WATCH = """
    window.violations = [];
    addEventListener('securitypolicyviolation', event => violations.push(
        `${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""

HITS = """
    selector => {
        const place = document.querySelector(selector), box = place.getBoundingClientRect(), found = [];
        for (let x = 4; x < innerWidth; x += 16) {
            for (let y = 4; y < innerHeight; y += 16) {
                const hit = document.elementFromPoint(x, y);
                if (hit && hit !== place && place.contains(hit)
                    && (x < box.left || x > box.right || y < box.top || y > box.bottom)
                ) {
                    found.push([x, y, hit.outerHTML.slice(0, 200)]);
                }
            }
        }
        return found;
    }
"""


class Reader(Protocol):
    """Somebody who reads their mail in a browser."""

    tab: Tab
    place: str
    """Selector of the element that a message is shown in."""

    def read(self, subject: str) -> None:
        """Open the one message with this subject, and wait until it is shown."""

    def show_pictures(self) -> None:
        """Answer that the pictures of the message that is open may be loaded."""

    def answer(self) -> None:
        """Begin an answer to the message that is open, and close it again."""

    def print(self) -> Page:
        """Open the message in a window of its own, as it is printed."""


class SnappyMailReader(Mailbox):
    """Somebody who reads in SnappyMail or Tachyon."""

    place = "#messageItem .bodyText"

    def read(self, subject: str) -> None:
        super().read(subject)
        expect(self.page.locator("#messageItem .loading")).to_be_hidden()
        expect(self.page.locator(f"{self.place} > :not([hidden])")).to_have_count(1)

    def show_pictures(self) -> None:
        self.page.locator("[data-i18n='MESSAGE/BUTTON_SHOW_IMAGES']:visible").click()

    def answer(self) -> None:
        self.page.locator(".buttonReply:visible, .buttonReplyAll:visible").first.click()
        expect(self.compose.locator("[contenteditable=true]")).to_be_visible()
        self.compose.locator("header a.close:visible").first.click()
        self.popup("Ask").locator(".buttonYes").click()
        expect(self.compose).to_be_hidden()

    def print(self) -> Page:
        self.page.locator("#more-view-dropdown-id:visible").click()
        with self.page.expect_popup() as opened:
            self.page.locator("[data-i18n='MESSAGE/BUTTON_IN_NEW_WINDOW']:visible").click()
        return opened.value


class Stranger:
    """A server that only counts who connects to it."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        try:
            while True:
                self.socket.accept()[0].close()
                self.connections += 1
        except OSError:
            return


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Return a server that messages lead to, by its address: no name has to be resolved."""
    server = Stranger()
    yield server
    server.socket.close()


OpenReader = Callable[[], Reader]


@pytest.fixture
def open_reader(open_tab: OpenTab, house: House, real_webmail: Webmail) -> OpenReader:
    """Return what opens the inbox of il, watched."""

    def open_one() -> Reader:
        tab = open_tab()
        tab.page.add_init_script(WATCH)
        reader = SnappyMailReader(tab)
        tab.page.goto(real_webmail.base)
        reader.offer(house.login("il"), house.password("il"))
        reader.is_open()
        return reader

    return open_one


def url(stranger: Stranger, mark: str) -> str:
    return f"http://127.0.0.1:{stranger.port}/{mark}"


def put(house: House, *messages: bytes) -> None:
    """Put messages into the inbox of il."""
    with house.imap("il") as imap:
        for one in messages:
            assert imap.append("INBOX", None, None, one)[0] == "OK"


def settle(page: Page) -> None:
    """Wait until what the page shows could have been loaded, and run."""
    page.evaluate("new Promise(done => setTimeout(done, 200))")


REFUSED = ("an error: Executing inline event handler violates", "a violation: script-src-attr inline")
"""What the page's policy refuses while the application reads a text, before anything cleans it; no script runs."""


def harm(reader: Reader, stranger: Stranger, mark: str) -> list[str]:
    """Return what a message has done that it should not."""
    page = reader.tab.page
    return [
        *(f"a request: {one}" for one in reader.tab.requests if mark in one),
        *(f"an error: {one}" for one in reader.tab.errors),
        *(f"a violation: {one}" for one in page.evaluate("violations")),
        *(f"over the page: {one}" for one in page.evaluate(HITS, reader.place)),
        *(["a script ran"] if page.evaluate("!!window.owned") else []),
        *([f"{stranger.connections} connections"] if stranger.connections else []),
        *(
            f"a link: {link}"
            for link in page.locator(f"{reader.place} a[href]").evaluate_all("all => all.map(a => a.href)")
            if not link.startswith(("http://", "https://", "mailto:", "tel:")) or "/?/" in link
        ),
    ]


def test_no_message_reaches_out_of_its_place(
    open_reader: OpenReader, house: House, stranger: Stranger, mark: str
) -> None:
    """Also when it is answered and opened in a window of its own; then, once pictures are allowed, they do load."""
    where = f"{url(stranger, mark)}/asked"
    asked = f'<p>Pictures</p><img src="{where}" alt=x><table background="{where}">'
    pages = {**hostile_mail.pages(url(stranger, mark)), "asked": f"{asked}<tr><td>x</table>"}
    put(
        house,
        *(
            hostile_mail.html_message(house.login("il"), f"{mark} {name}.", page).as_bytes()
            for name, page in pages.items()
        ),
    )
    reader = open_reader()
    reader.tab.page.goto(f"/#/mailbox/INBOX/{mark}")
    done: dict[str, list[str]] = {}
    for name in pages:
        reader.read(f"{mark} {name}.")
        settle(reader.tab.page)
        reader.tab.picture(f"hostile-{name}")
        if name in {"style", "element", "foreign", "asked"}:
            reader.answer()
            printed = reader.print()
            printed.on("request", lambda request: reader.tab.requests.append(request.url))
            settle(printed)
            printed.close()
        done[name] = harm(reader, stranger, mark)
        reader.tab.requests.clear()
        reader.tab.errors.clear()
        reader.tab.page.evaluate("violations.length = 0, delete window.owned")
        stranger.connections = 0
    assert {name: found for name, found in done.items() if found} == {}

    reader.show_pictures()
    settle(reader.tab.page)
    assert where in reader.tab.requests
    assert stranger.connections


BREAKS = """
See https://[x"/style="position:fixed;inset:0;z-index:99999;background:url({url}/text-1)"
https://x:99999"/onmouseover="window.owned=1"/style="border-image:url({url}/text-2)1"/
https://%"/srcset="{url}/text-3
https://[">/<img/srcset="{url}/text-4"/>
mailto:a@b"onfocus="window.owned=1"autofocus/ a"style="background:url({url}/text-5)"@b.example
tel:123"style="background:url({url}/text-6)
> quoted https://["/style="background:url({url}/text-7)
~~~blockquote~~~<img/srcset="{url}/text-8">~~~/blockquote~~~
"""


def test_what_is_no_page_reaches_out_no_further(
    open_reader: OpenReader, house: House, stranger: Stranger, mark: str
) -> None:
    """Text with broken addresses, and names of people and files that are HTML."""
    where = url(stranger, mark)
    text = clients.message("stranger@example.org", house.login("il"), BREAKS.replace("{url}", where))
    text.replace_header("Subject", f"{mark} text.")
    html = f"<img src={where}/name-1 onerror=window.owned=1><b style=position:fixed;inset:0>x"
    names = clients.message("stranger@example.org", house.login("il"), "Hello.\n")
    names.replace_header("Subject", f"{mark} names. {html.replace('name-1', 'name-2')}")
    for number, kind in enumerate(("text/plain", "text/html", "image/svg+xml"), 3):
        name = html.replace("name-1", f"name-{number}").replace("/", "\u2044")
        hostile_mail.attach(names, name, html.encode(), kind)
    raw = names.as_bytes().replace(b"From: stranger@example.org", f'From: "{html}"'.encode(), 1)
    put(house, text.as_bytes(), raw)
    reader = open_reader()
    reader.tab.page.goto(f"/#/mailbox/INBOX/{mark}")
    for name in ("text", "names"):
        reader.read(f"{mark} {name}.")
        settle(reader.tab.page)
        reader.tab.picture(f"hostile-{name}")
        printed = reader.print()
        printed.on("request", lambda request: reader.tab.requests.append(request.url))
        settle(printed)
        assert printed.evaluate(
            "!window.owned && !document.querySelector('b, img, [onerror], [style*=fixed]')"
        )
        printed.close()
        assert [one for one in harm(reader, stranger, mark) if not one.startswith(REFUSED)] == []


def test_what_the_browser_unpacks_reaches_out_no_further(
    open_reader: OpenReader, house: House, stranger: Stranger, mark: str, tmp_path: Path
) -> None:
    """A message within its own signature (S/MIME), which no server has looked into."""
    where = url(stranger, mark)
    snippets = [
        *hostile_mail.numbered("element", hostile_mail.ELEMENTS, where),
        *(
            f"<div style='{one}'>x</div>"
            for one in hostile_mail.numbered("style", hostile_mail.STYLES.replace("'", '"'), where)
        ),
        hostile_mail.OVERLAYS,
    ]
    inner = tmp_path / "inner.eml"
    inner.write_text(
        'Content-Type: text/html; charset="utf-8"\r\n\r\n' + "<p>Signed</p>" + "\r\n".join(snippets)
    )
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=stranger", "-addext", "subjectAltName=email:stranger@example.org"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run(
        [*make, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=30
    )
    headers = ["-from", "stranger@example.org", "-to", house.login("il"), "-subject", f"{mark} signed."]
    sign = [
        "openssl",
        "smime",
        "-sign",
        "-nodetach",
        "-in",
        str(inner),
        "-signer",
        str(certificate),
        "-inkey",
        str(key),
        *headers,
    ]
    signed = subprocess.run(sign, check=True, capture_output=True, timeout=30)
    put(house, signed.stdout.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    reader = open_reader()
    reader.tab.page.goto(f"/#/mailbox/INBOX/{mark}")
    reader.read(f"{mark} signed.")
    expect(reader.tab.page.locator(reader.place)).to_contain_text("Signed")
    settle(reader.tab.page)
    reader.tab.picture("hostile-signed")
    printed = reader.print()
    printed.on("request", lambda request: reader.tab.requests.append(request.url))
    settle(printed)
    printed.close()
    assert [one for one in harm(reader, stranger, mark) if not one.startswith(REFUSED)] == []


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml"])
def test_an_attachment_is_no_page_of_the_webmail(
    real_webmail: Webmail, open_tab: OpenTab, house: House, stranger: Stranger, mark: str, kind: str
) -> None:
    """Opened in a window of its own, by its address."""
    where = url(stranger, mark)
    page = (
        f'<html xmlns="http://www.w3.org/1999/xhtml"><body style="background:url({where}/a)"><img src="{where}/b" />'
        f'<form action="{where}/c"><input /></form><script>window.owned = 1</script>'
        f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{where}/d" /></svg></body></html>'
    )
    if kind == "image/svg+xml":
        page = (
            f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{where}/d" width="9" height="9" />'
            "<script>window.owned = 1</script></svg>"
        )
    new = clients.message("stranger@example.org", house.login("il"))
    new.replace_header("Subject", mark)
    hostile_mail.attach(new, "page", page.encode(), kind)
    put(house, new.as_bytes())
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
