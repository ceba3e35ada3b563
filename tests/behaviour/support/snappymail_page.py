"""SnappyMail's page, and that of its fork Tachyon, as a person uses it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import Tab
from ansible_collections.ilnmors.mail.tests.behaviour.support.mailbox import Mailbox
from playwright.sync_api import Frame, Locator, Page, expect


class SnappyMailMailbox(Mailbox):
    """A tab in which somebody reads and writes mail in SnappyMail or Tachyon."""

    session_cookies = frozenset({"smtoken", "smaccount"})
    script_cookies = frozenset({"smctoken"})
    place = "#messageItem .bodyText"
    words: ClassVar = {"en-US": ("Sign In", "Inbox"), "ko-KR": ("로그인", "받은 편지함")}

    def __init__(self, tab: Tab) -> None:
        super().__init__(tab)
        self.login_form = self.page.locator("form:has(input[name=Password])")
        self.login_button = self.page.locator("button.buttonLogin")
        self.refusal = self.page.locator(".alert:visible", has_text="Authentication failed")
        self.account = self.page.locator("#top-system-dropdown-id:visible")
        self.inbox = self.page.locator(".b-folders-system li").first
        self.messages = self.page.locator(".messageListItem")
        self.compose = self.popup("Compose")
        self.recipient = self.compose.locator("tr:has([data-i18n='GLOBAL/TO']) input:visible")
        self.suggestions = self.page.locator("#emailaddresses-datalist option")

    def popup(self, name: str) -> Locator:
        return self.page.locator(f"#V-Popups{name}")

    # --- coming and going

    def offer(self, address: str, password: str, *, remember: bool = False) -> None:
        self.page.locator("input[name=Email]").fill(address)
        self.page.locator("input[name=Password]").fill(password)
        if remember:
            self.login_form.locator("[data-i18n='LOGIN/LABEL_SIGN_ME']").click()
        self.login_button.click()

    def is_open(self) -> None:
        expect(self.account).to_be_visible()
        # Phones show the folders when they are asked for.
        expect(self.inbox).to_be_attached()
        expect(self.page.locator(".listLoading")).to_be_hidden()

    def settle(self) -> None:
        self.page.wait_for_load_state("networkidle")

    def settings(self) -> None:
        self.settings_of("general")

    def settings_of(self, page: str) -> None:
        """Open a page of the settings by its name in the address."""
        self.page.goto(f"/#/settings/{page}")
        expect(self.page.locator(f"nav a.selected[href$='{page}']")).to_be_visible()

    def log_out(self) -> None:
        self.account.click()
        self.page.locator("a[data-i18n='GLOBAL/LOGOUT']:visible").click()
        expect(self.login_form).to_be_visible()

    # --- reading

    def search(self, words: str) -> None:
        field = self.page.locator(".inputSearch")
        field.fill(words)
        field.press("Enter")
        expect(self.page.locator(".listSearchDesc")).to_be_visible()
        expect(self.page.locator(".listLoading")).to_be_hidden()

    def find(self, words: str) -> bool:
        """Search for words, and say whether anything is found."""
        self.search(words)
        return self.messages.count() > 0

    def download(self, name: str) -> bytes:
        """Return an attachment of the message that is open."""
        return self.tab.download(self.page.locator(".attachmentItem:visible", has_text=name))

    def open(self, subject: str) -> None:
        self.messages.filter(has_text=subject).locator(".subjectParent").click()
        expect(self.subject).to_contain_text(subject)
        expect(self.page.locator("#messageItem .loading")).to_be_hidden()
        expect(self.page.locator(f"{self.place} > :not([hidden])")).to_have_count(1)

    @property
    def frame(self) -> Frame:
        return self.page.main_frame

    @property
    def message(self) -> Page:
        return self.page

    @property
    def subject(self) -> Locator:
        return self.page.locator(".messageView .subject").first

    def show_pictures(self) -> None:
        self.page.locator("[data-i18n='MESSAGE/BUTTON_SHOW_IMAGES']:visible").click()

    def print(self) -> Page:
        self.page.locator("#more-view-dropdown-id:visible").click()
        with self.page.expect_popup() as opened:
            self.page.locator("[data-i18n='MESSAGE/BUTTON_IN_NEW_WINDOW']:visible").click()
        return opened.value

    # --- writing

    def begin(self) -> None:
        self.page.locator(".buttonCompose:visible").first.click()
        expect(self.recipient).to_be_visible()

    def write(self, to: str, subject: str, text: str, *attachments: Path) -> None:
        self.begin()
        self.recipient.fill(to)
        self.compose.locator("input[name=subject]").fill(subject)
        self.compose.locator("[contenteditable=true]").fill(text)
        if attachments:
            with self.page.expect_file_chooser() as chooser:
                self.compose.locator("#composeUploadButton").click()
            chooser.value.set_files(attachments)
            there = self.compose.locator(
                ".attachmentItem:not(.waiting):not(:has(.iconProgress:not([hidden], [style*='display: none'])))"
            )
            expect(there).to_have_count(len(attachments))

    def send(self) -> None:
        self.compose.locator("header a.btn:not(.disabled):has(.icon-paper-plane)").click()
        expect(self.compose).to_be_hidden()

    def answer(self) -> None:
        self.page.locator(".buttonReply:visible, .buttonReplyAll:visible").first.click()
        expect(self.compose.locator("[contenteditable=true]")).to_be_visible()
        self.compose.locator("header a.close:visible").first.click()
        self.popup("Ask").locator(".buttonYes").click()
        expect(self.compose).to_be_hidden()

    # --- what is set up once

    def _new_rule(self, name: str) -> Locator:
        """Begin a rule of the script that is made ready, and return the rule's popup."""
        self.settings_of("filters")
        self.page.locator(".script-name").first.click()
        script, new = self.popup("SieveScript"), self.popup("Filter")
        script.locator("[data-i18n='POPUPS_SIEVE_SCRIPT/BUTTON_ADD_FILTER']").click()
        new.get_by_placeholder("Name").fill(name)
        return new

    def _keep_rule(self, name: str) -> None:
        """Add the rule that is written to its script, which is left open and not saved."""
        self.popup("Filter").locator(".buttonSave").click()
        expect(self.popup("SieveScript").locator(".filter-name")).to_contain_text([name])

    def _save_script(self) -> None:
        script = self.popup("SieveScript")
        script.locator(".buttonSave").click()
        expect(script.locator("[data-i18n$=CHANGES_NEED_TO_BE_SAVED_DESC]")).to_be_hidden()
        script.locator("a.close").click()

    def fill_filter(self, name: str, *, subject: str, folder: str) -> None:
        """Write a filter, and leave the script that has it open and not saved."""
        new = self._new_rule(name)
        new.locator("[data-i18n='POPUPS_FILTER/BUTTON_ADD_CONDITION']").click()
        new.locator("select:has(option[value=Subject])").select_option("Subject")
        new.locator("input.span3").fill(subject)
        new.locator(f"select:has(option[value={folder}])").select_option(folder)
        self.tab.picture("filter")
        self._keep_rule(name)

    def add_filter(self, name: str, *, subject: str, folder: str) -> None:
        self.fill_filter(name, subject=subject, folder=folder)
        self._save_script()

    def go_away(self, text: str) -> None:
        new = self._new_rule("Away")
        new.locator("select:has(option[value=Vacation])").select_option("Vacation")
        new.locator("textarea:visible").first.fill(text)
        self.tab.picture("vacation")
        self._keep_rule("Away")
        self._save_script()

    def add_contact(self, name: str, address: str) -> None:
        self.page.locator(".buttonContacts:visible").click()
        book = self.popup("Contacts")
        book.locator("[data-i18n='CONTACTS/BUTTON_ADD_CONTACT']").click()
        book.get_by_placeholder("First name").fill(name)
        book.locator("[data-bind*=addEmail]:visible").click()
        book.locator("[data-bind='foreach: email'] input").fill(address)
        book.locator(".button-save-contact").click()
        expect(book.locator(".e-contact-item", has_text=name)).to_be_visible()
        self.tab.picture("contacts")
        book.locator("a.close").click()

    def remove_contact(self, name: str) -> None:
        self.page.goto("/")
        self.page.locator(".buttonContacts:visible").click()
        book = self.popup("Contacts")
        found = book.locator(".e-contact-item", has_text=name)
        found.click()
        book.locator("header a[data-bind='command: deleteCommand']:not(.disabled)").click()
        expect(found).to_have_count(0)

    def identities(self) -> Locator:
        self.settings_of("accounts")
        return self.page.locator(".identity-name")

    def try_identity(self, address: str) -> None:
        self.page.locator("[data-i18n='SETTINGS_ACCOUNTS/BUTTON_ADD_IDENTITY']").click()
        new = self.popup("Identity")
        new.locator("input[name=Name]").fill("Somebody else")
        new.locator("input[name=Email]").fill(address)
        new.locator(".buttonAddIdentity").click()
        expect(new.locator(".alert")).to_contain_text("You may not send as this address")
