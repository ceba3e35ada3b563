"""A real browser: Debian's Chromium, driven by Playwright, that knows the house as a device of its people does.

It has a HOME of its own in which the house's CA is the only authority added, resolves the house's names to
the addresses of the inventory and no other name at all, and never overlooks a certificate that is wrong.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

PATIENCE = 20_000
"""Milliseconds that a page may take to show what is expected of it."""


@dataclass
class Tab:
    """A page with cookies of its own, and what happened in it and in the windows that it opened."""

    page: Page
    pictures: Path
    errors: list[str] = field(default_factory=list)
    """Errors of the console, among them violations of the Content-Security-Policy, and uncaught exceptions."""
    requests: list[str] = field(default_factory=list)
    """The address of each request, in order."""

    def __post_init__(self) -> None:
        self.page.context.on("console", self._hear)
        self.page.context.on("weberror", lambda raised: self.errors.append(str(raised.error)))
        self.page.context.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, said: ConsoleMessage) -> None:
        # A browser looks for an icon by itself where the page names none.
        if said.type == "error" and not said.location["url"].endswith("/favicon.ico"):
            self.errors.append(f"{said.text} ({said.location['url']})")

    def picture(self, name: str, *, full_page: bool = False) -> None:
        """Keep a screenshot."""
        self.page.screenshot(path=self.pictures / f"{name}.png", full_page=full_page)

    def download(self, link: Locator) -> bytes:
        """Follow a link whose content is for other programs, and return that."""
        with self.page.expect_download() as downloaded:
            link.click()
        return downloaded.value.path().read_bytes()

    def strangers(self, *hosts: str) -> list[str]:
        """Return the requests to other hosts than these."""
        return [url for url in self.requests if urlsplit(url).netloc not in hosts]

    def last_words(self, name: str) -> str:
        """Return what happened in the tab, and keep a last screenshot where it can still be made."""
        try:
            self.picture(name)
            seen = f"screenshot: {self.pictures / name}.png"
        except PlaywrightError as error:
            seen = f"no screenshot: {error}"
        return "\n".join([self.page.url, seen, *self.errors])


OpenTab = Callable[..., Tab]
"""Opens a tab; the options are those of Playwright's `Browser.new_context`."""

TABS = pytest.StashKey[list[Tab]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the tabs of a failed test said, and keep a screenshot of each."""
    report = yield
    if report.failed and report.when == "call":
        tabs: list[Tab] = item.stash.get(TABS, [])
        for number, tab in enumerate(tabs):
            report.sections.append(
                ("browser", tab.last_words(f"failed-{item.name}-{number}".replace("/", "_")))
            )
    return report


def trusting_home(home: Path, ca_file: str | None) -> Path:
    """Make a HOME whose certificate database adds one authority, or none, to those that the browser brings."""
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    clients.certificate_database(database, ca_file)
    return home


def launch(playwright: Playwright, home: Path, names: dict[str, str]) -> Browser:
    """Start a browser that resolves these names, to these addresses, and no others."""
    rules = [f"MAP {name} {address}" for name, address in names.items()]
    return playwright.chromium.launch(
        executable_path=shutil.which("chromium"),
        # Chromium's sandbox refuses to work for root.
        chromium_sandbox=os.geteuid() != 0,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        args=[
            "--no-proxy-server",
            # This machine stands for strangers, whom newer browsers would keep pages from by themselves.
            f"--host-resolver-rules={','.join([*rules, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1'])}",
            "--disable-features=LocalNetworkAccessChecks",
        ],
    )


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    for command, package in {"chromium": "chromium", "certutil": "libnss3-tools"}.items():
        if not shutil.which(command):
            pytest.skip(f"needs {command} on this machine (Debian's package {package})")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def names(house: House) -> dict[str, str]:
    """Return the addresses of the names that the browser resolves: the house's, and one that no certificate has."""
    return {**house.addresses, f"other.{house.domain}": house.webmail_address}


@pytest.fixture(scope="session")
def browser(
    playwright: Playwright, house: House, names: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """Return a browser on a device that trusts the house's CA."""
    home = trusting_home(tmp_path_factory.mktemp("browser"), house.ca_file)
    started = launch(playwright, home, names)
    yield started
    started.close()


@pytest.fixture(scope="session")
def pictures(request: pytest.FixtureRequest, inventory: dict[str, dict[str, Any]]) -> Path:
    """Return the folder of this house's screenshots, without those of an earlier run."""
    app = next(iter(inventory.values()))["groups"]["webmail"][0]
    folder = request.config.rootpath / ".lab/screenshots" / str(app)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    return folder


@pytest.fixture
def open_tab(
    request: pytest.FixtureRequest, browser: Browser, house: House, pictures: Path
) -> Iterator[OpenTab]:
    """Return what opens a tab that shares nothing with others, and closes it after the test."""
    tabs = request.node.stash.setdefault(TABS, [])

    def open_one(**options: Any) -> Tab:
        settings = {"base_url": f"https://{house.webmail_hostname}", "viewport": DESKTOP, "locale": "en-US"}
        context = browser.new_context(**{**settings, **options})
        context.set_default_timeout(PATIENCE)
        tab = Tab(context.new_page(), pictures)
        tabs.append(tab)
        return tab

    yield open_one
    for tab in tabs:
        tab.page.context.close()


@pytest.fixture
def tab(open_tab: OpenTab) -> Tab:
    """Return a tab on a desktop."""
    return open_tab()
