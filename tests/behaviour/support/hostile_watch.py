"""Watches what a message does to somebody who reads it in a browser."""

from __future__ import annotations

import socket
import threading

from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.mailbox import Mailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmails import Application
from playwright.sync_api import Frame, Page

WATCH = """
    window.violations = [];
    addEventListener('securitypolicyviolation', event => violations.push(
        `${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""

VIOLATIONS = "window.violations || []"

HITS = """
    selector => {
        const found = [];
        for (const place of document.querySelectorAll(selector)) {
            const box = place.getBoundingClientRect();
            for (let x = 4; x < innerWidth; x += 16) {
                for (let y = 4; y < innerHeight; y += 16) {
                    const hit = document.elementFromPoint(x, y);
                    if (hit && hit !== place && place.contains(hit)
                        && (x < box.left - 1 || x > box.right + 1 || y < box.top - 1 || y > box.bottom + 1)
                    ) {
                        found.push([x, y, hit.outerHTML.slice(0, 200)]);
                    }
                }
            }
        }
        return found;
    }
"""
"""Points outside of the message's place where something of it is seen."""


LINKS = """
    selector => [...document.querySelectorAll(selector)]
        .flatMap(place => [...place.querySelectorAll('a, area')])
        .flatMap(link => [link.getAttribute('href'), link.getAttribute('xlink:href')])
        .filter(href => href && URL.canParse(href, document.baseURI))
        .map(href => new URL(href, document.baseURI))
        .filter(url => !/^(https?|mailto|tel):$/.test(url.protocol)
            || url.origin === location.origin && url.pathname + url.search !== location.pathname + location.search)
        .map(url => url.href)
"""
"""Links of the message that run a program, or lead back into the application."""


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


def url(stranger: Stranger, mark: str) -> str:
    return f"http://127.0.0.1:{stranger.port}/{mark}"


def put(house: House, *messages: bytes) -> None:
    """Put messages into the inbox of il."""
    with house.imap("il") as imap:
        for one in messages:
            assert imap.append("INBOX", None, None, one)[0] == "OK"


def settle(page: Page | Frame) -> None:
    """Wait until what is shown could have been loaded, and run."""
    page.evaluate("new Promise(done => setTimeout(done, 200))")


def harm(reader: Mailbox, application: Application, stranger: Stranger) -> list[str]:
    """Return what a message has done that it should not, and forget it."""
    shown = reader.frame
    done: list[str] = [
        *(f"a request: {one}" for one in reader.tab.strangers(application.hostname, "")),
        *(f"an error: {one}" for one in reader.tab.errors),
        *(f"a violation: {one}" for frame in reader.page.frames for one in frame.evaluate(VIOLATIONS)),
        *(f"over the page: {one}" for one in shown.evaluate(HITS, reader.place)),
        *("a script ran" for frame in reader.page.frames if frame.evaluate("!!window.owned")),
        *([f"{stranger.connections} connections"] if stranger.connections else []),
        *(f"a link: {one}" for one in shown.evaluate(LINKS, reader.place)),
    ]
    for frame in reader.page.frames:
        frame.evaluate("window.violations = [], delete window.owned")
    reader.tab.requests.clear()
    reader.tab.errors.clear()
    stranger.connections = 0
    return done
