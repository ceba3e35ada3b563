"""Roundcube's page with its skin Elastic, as a person uses it.

Whatever is chosen from a list is shown in a frame of the page: a message, a filter, an identity.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import Tab
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.mailbox import Mailbox
from playwright.sync_api import Frame, FrameLocator, Locator, Page, expect


class RoundcubeMailbox(Mailbox):
    """A tab in which somebody reads and writes mail in Roundcube."""

    session_cookies = frozenset({"roundcube_sessid", "roundcube_sessauth"})
    script_cookies = frozenset()
    place = "#messagebody .message-htmlpart, #messagebody .message-part"
    words: ClassVar = {"en-US": ("Login", "Inbox"), "ko-KR": ("로그인", "받은 편지함")}

    def __init__(self, tab: Tab) -> None:
        super().__init__(tab)
        self.login_form = self.page.locator("#login-form")
        self.login_button = self.page.locator("#rcmloginsubmit")
        self.refusal = self.page.locator("#messagestack .warning", has_text="Login failed")
        self.account = self.page.locator("#layout-sidebar .username")
        self.inbox = self.page.locator("#mailboxlist li.inbox > a")
        self.messages = self.page.locator("#messagelist tr.message")
        self.recipient = self.page.locator("#compose_to .recipient-input input")
        self.suggestions = self.page.locator("#rcmKSearchpane li")

    def _content(self, frame: str) -> FrameLocator:
        return self.page.frame_locator(f"#{frame}")

    def _is_idle(self) -> None:
        """Wait until nothing that was asked for is still to come."""
        expect(self.page.locator("#messagestack .loading")).to_have_count(0)

    # --- coming and going

    def offer(self, address: str, password: str) -> None:
        self.page.locator("#rcmloginuser").fill(address)
        self.page.locator("#rcmloginpwd").fill(password)
        self.login_button.click()

    def is_open(self) -> None:
        expect(self.account).to_have_count(1)
        expect(self.inbox).to_be_attached()
        expect(self.page.locator("#messagelist tbody")).to_be_attached()
        self._is_idle()

    def settle(self) -> None:
        expect(self.page.locator("#messagestack > *")).to_have_count(0)

    def settings(self) -> None:
        self.page.goto("/?_task=settings")
        expect(self.page.locator("#settings-menu")).to_be_visible()

    def log_out(self) -> None:
        self.page.locator("a.logout:visible").click()
        expect(self.login_form).to_be_visible()

    # --- reading

    def search(self, words: str) -> None:
        field = self.page.locator("#mailsearchform")
        # While the page waits for the list, which it asks for by itself, it passes over a search.
        self.page.wait_for_load_state("networkidle")
        wait_for(lambda: self.page.evaluate("() => window.rcmail?.busy === false"), "a page at rest")
        field.fill(words)
        with self.page.expect_response(lambda answer: "_action=search" in answer.url):
            field.press("Enter")
        self._is_idle()

    def open(self, subject: str) -> None:
        self.messages.filter(has_text=subject).locator(".subject a").click()
        expect(self.message.locator("h2.subject")).to_contain_text(subject)
        self.frame.wait_for_load_state()

    @property
    def frame(self) -> Frame:
        found = self.page.frame("messagecontframe")
        assert found, "no message is shown"
        return found

    @property
    def message(self) -> FrameLocator:
        return self._content("messagecontframe")

    @property
    def subject(self) -> Locator:
        return self.message.locator("h2.subject")

    def show_pictures(self) -> None:
        self.message.locator("#remote-objects-message a, #remote-objects-message button").first.click()
        self.message.locator("#remote-objects-message").wait_for(state="hidden")
        self.frame.wait_for_load_state()

    def print(self) -> Page:
        with self.page.expect_popup() as opened:
            self.message.locator("h2.subject a.extwin").click()
        opened.value.wait_for_load_state()
        return opened.value

    # --- writing

    def begin(self) -> None:
        self.page.locator("a.compose:visible").first.click()
        expect(self.recipient).to_be_visible()

    def write(self, to: str, subject: str, text: str, *attachments: Path) -> None:
        self.begin()
        self.recipient.fill(to)
        self.page.locator("#compose-subject").fill(subject)
        self.page.locator("#composebody").fill(text)
        if attachments:
            with self.page.expect_file_chooser() as chooser:
                self.page.locator("#compose-attachments button.attach").click()
            chooser.value.set_files(attachments)
            expect(self.page.locator("#attachment-list li:not(.uploading)")).to_have_count(len(attachments))

    def send(self) -> None:
        self.page.locator("#messagetoolbar a.send:visible, .formbuttons button.send:visible").first.click()
        self.is_open()

    def answer(self) -> None:
        where, searched = self.page.url, self.page.locator("#mailsearchform").input_value()
        subject = self.page.locator("#messagelist tr.selected .subject a").inner_text()
        self.page.locator("a.reply:not(.disabled):visible").first.click()
        expect(self.page.locator("#composebody")).to_be_attached()
        self._is_idle()
        self.page.once("dialog", lambda dialog: dialog.accept())
        self.page.goto(where)
        self.is_open()
        self.search(searched)
        self.open(subject)

    # --- what is set up once

    def _settings_of(self, action: str) -> None:
        self.page.goto(f"/?_task=settings&_action={action}")
        self._is_idle()

    def add_filter(self, name: str, *, subject: str, folder: str) -> None:
        self._settings_of("plugin.managesieve")
        self.page.locator("#layout-content a.create:not(.disabled)").click()
        new = self._content("filter-box")
        new.locator("#_name").fill(name)
        new.locator("select[name^='_header']").first.select_option("subject")
        new.locator("[id^=rule_target]:visible input, textarea[id^=rule_target]:visible").first.fill(subject)
        new.locator("select[name^='_action_type']").first.select_option("fileinto")
        new.locator("select[name^='_action_mailbox']").first.select_option(folder)
        self.tab.picture("filter")
        new.locator("button.submit").click()
        expect(self.page.locator("#filterslist tr", has_text=name)).to_be_visible()

    def go_away(self, text: str) -> None:
        self._settings_of("plugin.managesieve-vacation")
        self.page.locator("#vacation_reason").fill(text)
        self.page.locator("#vacation_status").select_option("on")
        self.tab.picture("vacation")
        self.page.locator("button.submit").click()
        expect(self.page.locator("#messagestack .confirmation")).to_be_visible()

    def _address_book(self) -> None:
        # The list that comes later would take away what was opened before.
        with self.page.expect_response(lambda answer: "_action=list" in answer.url):
            self.page.goto("/?_task=addressbook")
        self._is_idle()

    def add_contact(self, name: str, address: str) -> None:
        self._address_book()
        self.page.locator("#layout-content a.create:not(.disabled)").click()
        new = self._content("contact-frame")
        new.locator("input[name=_firstname]").fill(name)
        new.locator("input[name^=_email]").first.fill(address)
        new.locator("button.submit").click()
        expect(self.page.locator("#contacts-table tr", has_text=name)).to_be_visible()
        self.tab.picture("contacts")
        self.page.goto("/?_task=mail")
        self.is_open()

    def remove_contact(self, name: str) -> None:
        self._address_book()
        found = self.page.locator("#contacts-table tr", has_text=name)
        found.click()
        expect(self._content("contact-frame").locator("body")).to_contain_text(name)
        self.page.locator("#layout-content a.delete:not(.disabled)").click()
        self.page.locator(".ui-dialog button.delete").click()
        expect(found).to_be_hidden()

    def identities(self) -> Locator:
        self._settings_of("identities")
        return self.page.locator("#identities-table tbody tr")

    def try_identity(self, address: str) -> None:
        self.page.locator("#layout-content a.create:not(.disabled)").click()
        new = self._content("preferences-frame")
        new.locator("[name=_name]").fill("Somebody else")
        offered = new.locator("select[name=_email]")
        expect(offered.locator("option")).not_to_contain_text([address])
        # As whoever knows how pages are made.
        offered.evaluate("(all, one) => all.add(new Option(one, one, true, true))", address)
        new.locator("button.submit").click()
        expect(self.page.locator("#messagestack .error, #messagestack .warning")).to_be_visible()
