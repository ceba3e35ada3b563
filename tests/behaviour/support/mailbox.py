"""A webmail as a person uses it, whichever application it is.

Tests say what somebody does and sees in these words. Each application has a page object that knows where that is on its
page (snappymail_page.py, roundcube_page.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import Tab
from playwright.sync_api import Frame, FrameLocator, Locator, Page, expect


class Mailbox(ABC):
    """A tab in which somebody reads and writes mail."""

    session_cookies: ClassVar[frozenset[str]]
    """Cookies without which nobody is logged in."""
    script_cookies: ClassVar[frozenset[str]]
    """Cookies that the page itself makes, and nobody gets in by."""
    place: ClassVar[str]
    """Selector of the element that a message is shown in."""
    words: ClassVar[dict[str, tuple[str, str]]]
    """What the log-in button and the inbox say, by the browser's language."""

    login_form: Locator
    login_button: Locator
    refusal: Locator
    """What is said of a wrong password."""
    account: Locator
    """Whose mail it is."""
    inbox: Locator
    """The inbox among the folders."""
    messages: Locator
    """Those that are listed."""
    recipient: Locator
    """Where a new message says to whom it goes."""
    suggestions: Locator
    """The addresses that are offered while a recipient is written."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.page = tab.page

    # --- coming and going

    @abstractmethod
    def offer(self, address: str, password: str) -> None:
        """Fill in the login form and send it."""

    @abstractmethod
    def is_open(self) -> None:
        """Wait until the folders and the messages are shown."""

    @abstractmethod
    def settle(self) -> None:
        """Wait until the page says nothing more that goes by itself."""

    @abstractmethod
    def settings(self) -> None:
        """Open the settings."""

    @abstractmethod
    def log_out(self) -> None:
        """Log out, and wait for the login form."""

    # --- reading

    @abstractmethod
    def search(self, words: str) -> None:
        """Search the folder that is shown, as the search box does that everybody sees."""

    @abstractmethod
    def open(self, subject: str) -> None:
        """Open the one message that is listed with these words in its subject, and wait until it is shown."""

    @property
    @abstractmethod
    def frame(self) -> Frame:
        """The document that a message is shown in, with its subject."""

    @property
    @abstractmethod
    def message(self) -> FrameLocator | Page:
        """What finds things in that document, and waits for it."""

    @property
    def text(self) -> Locator:
        """The text of the message that is shown."""
        return self.message.locator(self.place)

    @property
    @abstractmethod
    def subject(self) -> Locator:
        """The subject of the message that is shown."""

    def read(self, subject: str) -> None:
        """Open the one message that is listed with these words in its subject."""
        self.open(subject)
        expect(self.subject).to_contain_text(subject)

    @abstractmethod
    def show_pictures(self) -> None:
        """Answer that the pictures of the message that is shown may be loaded."""

    @abstractmethod
    def print(self) -> Page:
        """Open the message in a window of its own."""

    # --- writing

    @abstractmethod
    def begin(self) -> None:
        """Open a new message."""

    @abstractmethod
    def write(self, to: str, subject: str, text: str, *attachments: Path) -> None:
        """Write a message, and leave it open."""

    @abstractmethod
    def send(self) -> None:
        """Send what is written."""

    @abstractmethod
    def answer(self) -> None:
        """Begin an answer to the message that is shown, and close it again."""

    # --- what is set up once

    @abstractmethod
    def add_filter(self, name: str, *, subject: str, folder: str) -> None:
        """Let a filter move messages whose subject contains some words; it works from then on."""

    @abstractmethod
    def go_away(self, text: str) -> None:
        """Let messages be answered with a text from now on."""

    @abstractmethod
    def add_contact(self, name: str, address: str) -> None:
        """Write somebody into the address book."""

    @abstractmethod
    def remove_contact(self, name: str) -> None:
        """Take somebody out of the address book."""

    @abstractmethod
    def identities(self) -> Locator:
        """Open what a person may write as."""

    @abstractmethod
    def try_identity(self, address: str) -> None:
        """Try to add an address to write as, as far as the page lets somebody, and see it refused."""
