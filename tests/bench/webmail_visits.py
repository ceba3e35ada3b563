# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one person does in a webmail, step by step: over HTTP as its page does it, and in a browser."""

from __future__ import annotations

import contextlib
import random
import re
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from ansible_collections.ilnmors.mail.tests.behaviour.support import browser
from ansible_collections.ilnmors.mail.tests.behaviour.support.roundcube_client import Roundcube, environment
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmails import PAGES
from ansible_collections.ilnmors.mail.tests.bench import machines
from ansible_collections.ilnmors.mail.tests.bench.webmail_sites import MESSAGES, PASSWORD, PEOPLE, Site, word
from playwright.sync_api import Browser, expect, sync_playwright

STEPS = ("login form", "inbox", "search", "message open", "message sent")
Times = dict[str, float]
"""Milliseconds that each step took."""


class Visit(ABC):
    """A person at a webmail, over HTTP: each step asks for what the page asks for, one after another."""

    def __init__(self, site: Site, person: str, address: str) -> None:
        self.site = site
        self.email = f"{person}@{site.domain}"
        self.address = address
        """Of the client, as a proxy tells it."""
        self.kept: set[str] = set()
        """What the browser has in its cache."""

    @abstractmethod
    def get(self, path: str) -> str:
        """Return what is at a path."""

    def get_parts(self, page: str, pattern: str) -> None:
        """Load the parts of a page that were not loaded before."""
        for part in dict.fromkeys(re.findall(pattern, page)):
            if part not in self.kept:
                self.kept.add(part)
                self.get(urljoin("/", part))

    @abstractmethod
    def open(self) -> None:
        """Load the login form."""

    @abstractmethod
    def enter(self) -> None:
        """Log in, and list the inbox."""

    @abstractmethod
    def search(self, words: str) -> list[int]:
        """Search the inbox; return the UIDs that are found."""

    @abstractmethod
    def read(self, uid: int) -> None:
        """Open a message."""

    @abstractmethod
    def send(self) -> None:
        """Send a message to oneself."""

    @abstractmethod
    def leave(self) -> None:
        """Log out."""


class SnappyMailVisit(Visit):
    """Somebody at SnappyMail."""

    def __init__(self, site: Site, person: str, address: str) -> None:
        super().__init__(site, person, address)
        self.client = Webmail(site.hostname, site.ca_file)
        self.client.session.headers["X-Forwarded-For"] = address
        self.data: dict[str, Any] = {}

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        answer.raise_for_status()
        return answer.text

    def act(self, action: str, **parameters: object) -> Any:
        """Return the result of an action."""
        answer = self.client.act(action, **parameters)
        if not answer["Result"]:
            sys.exit(f"{self.site.hostname}: {action}: {answer}")
        return answer["Result"]

    def open(self) -> None:
        self.get_parts(self.get("/"), r'(?:href|url\()"?"?(/[^">)]+(?:css|svg|png|jpg))')
        self.data = self.client.start()
        for path in self.scripts("libs", "app"):
            self.get(path)
        self.get(self.scripts("libs")[0].split("/js/")[0] + "/css/fonts/snappymail.woff2")

    def scripts(self, *names: str) -> list[str]:
        """Return the paths of scripts."""
        return [str(self.data["StaticLibsJs"]).replace("/libs.", f"/{name}.") for name in names]

    def enter(self) -> None:
        result = self.act("Login", Email=self.email, Password=PASSWORD, language="", signMe="0")
        self.client.token = result["System"]["token"]
        self.act("Folders")
        folders = {name: name for name in ("Sent", "Drafts", "Junk", "Trash", "Archive")}
        self.client.act("SystemFoldersUpdate", Inbox="INBOX", **folders)
        for path in self.scripts("openpgp"):
            self.get(path)
        for action in ("SMimeGetCertificates", "AccountsAndIdentities", "GetPGPKeys"):
            self.client.act(action)
        self.search("")

    def search(self, words: str) -> list[int]:
        options: dict[str, object] = {"folder": "INBOX", "offset": 0, "limit": 20, "search": words}
        found = self.act("MessageList", **options, uidNext=0, sort="", threadUid=0)["@Collection"]
        return [int(one["uid"]) for one in found]

    def read(self, uid: int) -> None:
        self.act("Message", folder="INBOX", uid=uid)

    def send(self) -> None:
        empty = dict.fromkeys(("identityID", "messageFolder", "cc", "bcc", "replyTo", "inReplyTo"), "")
        none = dict.fromkeys(("messageUid", "dsn", "requireTLS", "readReceiptRequest", "markAsImportant"), 0)
        message = {
            "from": self.email,
            "to": self.email,
            "subject": "Benchmark",
            "plain": "Hello.",
            "html": "",
        }
        lists: dict[str, object] = {
            "attachments": {},
            "linkedData": [],
            "autocrypt": [],
            "draftInfo": None,
            "references": "",
        }
        self.act("SendMessage", **empty, **none, **message, **lists, saveFolder="Sent")
        self.client.act("FolderInformation", folder="Drafts", flagsUids=[], uidNext=1)

    def leave(self) -> None:
        self.act("Logout")


class RoundcubeVisit(Visit):
    """Somebody at Roundcube."""

    PARTS = r'(?:href|src)="((?:skins|plugins|program)/[^"]+\.(?:css|js|svg|ico|png)[^"]*)"'

    def __init__(self, site: Site, person: str, address: str) -> None:
        super().__init__(site, person, address)
        self.client = Roundcube(site.hostname, site.ca_file)
        self.client.session.headers["X-Forwarded-For"] = address
        self.fields = ""

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        answer.raise_for_status()
        return answer.text

    def page(self, task: str, action: str = "", **parameters: str | int) -> str:
        """Open a page with all its parts."""
        answer = self.client.page(task, action, **parameters)
        answer.raise_for_status()
        self.get_parts(answer.text, self.PARTS)
        return answer.text

    def open(self) -> None:
        self.page("login")

    def enter(self) -> None:
        answer = self.client.post("login", "login", _user=self.email, _pass=PASSWORD, _timezone="UTC")
        if answer.status_code != 302:
            sys.exit(f"{self.site.hostname}: the login was answered with {answer.status_code}")
        mods = environment(self.page("mail")).get("search_mods", {})
        self.fields = ",".join(mods.get("INBOX", mods.get("*", {"subject": 1, "from": 1})))
        self.client.ask("mail", "list", _mbox="INBOX")
        self.client.ask("mail", "getunread", _mbox="INBOX")

    def search(self, words: str) -> list[int]:
        options = {"_q": words, "_headers": self.fields, "_scope": "base", "_mbox": "INBOX"}
        told = str(self.client.ask("mail", "search" if words else "list", **options)["exec"])
        return [int(uid) for uid in re.findall(r"this\.add_message_row\((\d+),", told)]

    def read(self, uid: int) -> None:
        self.page("mail", "preview", _uid=uid, _mbox="INBOX", _framed=1)

    def send(self) -> None:
        answer = self.client.send(self.email, "Benchmark", "Hello.")
        answer.raise_for_status()
        if "sent_successfully" not in answer.text:
            sys.exit(f"{self.site.hostname}: the message was not sent: {answer.text[-500:]}")

    def leave(self) -> None:
        self.client.page("logout", _token=self.client.token)


VISITS: dict[str, type[Visit]] = {"snappymail": SnappyMailVisit, "roundcube": RoundcubeVisit}


def begin(site: Site, turn: int = 0) -> Visit:
    """Return somebody who has not been there yet."""
    return VISITS[site.role](site, PEOPLE[turn % len(PEOPLE)], f"192.168.0.{turn + 1}")


def timed(steps: Sequence[Callable[[], object]]) -> Times:
    """Take the time of each step."""
    found = {}
    for name, step in zip(STEPS, steps, strict=True):
        start = time.monotonic()
        step()
        found[name] = (time.monotonic() - start) * 1000
    return found


def over_http(site: Site) -> Times:
    """Go all steps without a browser."""
    visit = begin(site, random.randrange(len(PEOPLE)))
    wanted = word(random.randrange(MESSAGES))
    uids: list[int] = []
    found = timed(
        [
            visit.open,
            visit.enter,
            lambda: uids.extend(visit.search(wanted)),
            lambda: visit.read(uids[0]),
            visit.send,
        ]
    )
    visit.leave()
    return found


def in_browser(browsers: dict[str, Browser], site: Site) -> Times:
    """Go all steps as a person does, in a browser that has not been there."""
    email = f"{random.choice(PEOPLE)}@{site.domain}"
    wanted = word(random.randrange(MESSAGES))
    with contextlib.closing(browsers[site.container].new_context()) as context:
        context.set_default_timeout(machines.DEADLINE * 1000)
        page = context.new_page()
        mailbox = PAGES[site.role](browser.Tab(page, Path()))

        def open_page() -> None:
            page.goto(f"https://{site.hostname}/", wait_until="commit")
            mailbox.login_button.wait_for()

        def enter() -> None:
            mailbox.offer(email, PASSWORD)
            mailbox.messages.first.wait_for()

        def search() -> None:
            mailbox.search(wanted)
            expect(mailbox.messages).to_have_count(1)

        steps = [open_page, enter, search, lambda: mailbox.read(wanted), mailbox.send]
        found = {}
        for name, step in zip(STEPS, steps, strict=True):
            if step == mailbox.send:
                mailbox.write(email, "Benchmark", "Hello.")
            start = time.monotonic()
            step()
            found[name] = (time.monotonic() - start) * 1000
        return found


@contextlib.contextmanager
def chromium(sites: Sequence[Site], directory: Path) -> Iterator[dict[str, Browser]]:
    """Start a browser for each machine that trusts its authority."""
    expect.set_options(timeout=machines.DEADLINE * 1000)
    with sync_playwright() as playwright, contextlib.ExitStack() as stack:
        found: dict[str, Browser] = {}
        for site in sites:
            names = {one.hostname: one.address for one in sites if one.container == site.container}
            if site.container not in found:
                home = browser.trusting_home(directory / site.container, site.ca_file)
                found[site.container] = browser.launch(playwright, home, names)
                stack.callback(found[site.container].close)
        yield found


def introduce(site: Site) -> None:
    """Log everyone in once, and answer what SnappyMail asks at the first login."""
    for turn, person in enumerate(PEOPLE):
        visit = begin(site, turn)
        visit.open()
        visit.enter()
        if isinstance(visit, SnappyMailVisit):
            identity = {"Id": "", "Name": person, "Email": visit.email, "Label": "", "ReplyTo": "", "Bcc": ""}
            visit.client.act("IdentityUpdate", **identity, Signature="")
        visit.leave()
