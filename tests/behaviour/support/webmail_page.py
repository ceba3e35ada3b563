"""The webmail's page as a person uses it, in the words of SnappyMail's page structure."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import Tab
from playwright.sync_api import Locator, expect


class Mailbox:
    """A tab in which somebody reads and writes mail."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.page = tab.page
        self.messages = self.page.locator(".messageListItem")
        self.login_form = self.page.locator("form:has(input[name=Password])")
        self.account = self.page.locator("#top-system-dropdown-id:visible")
        self.subject = self.page.locator(".messageView .subject").first
        self.text = self.page.locator(".bodyText")
        self.compose = self.popup("Compose")
        self.recipient = self.compose.locator("tr:has([data-i18n='GLOBAL/TO']) input:visible")

    def popup(self, name: str) -> Locator:
        return self.page.locator(f"#V-Popups{name}")

    def offer(self, address: str, password: str) -> None:
        """Fill in the login form and send it."""
        self.page.locator("input[name=Email]").fill(address)
        self.page.locator("input[name=Password]").fill(password)
        self.page.locator("button.buttonLogin").click()

    def is_open(self) -> None:
        """Wait until the folders and the messages are shown."""
        expect(self.account).to_be_visible()
        expect(self.page.locator(".b-folders-system li").first).to_be_visible()
        expect(self.page.locator(".listLoading")).to_be_hidden()

    def search(self, words: str) -> None:
        """Search the folder that is shown."""
        field = self.page.locator(".inputSearch")
        field.fill(words)
        field.press("Enter")
        expect(self.page.locator(".listSearchDesc")).to_be_visible()

    def find(self, words: str) -> bool:
        """Search for words, and say whether anything is found."""
        self.search(words)
        expect(self.page.locator(".listLoading")).to_be_hidden()
        return self.messages.count() > 0

    def download(self, name: str) -> bytes:
        """Return an attachment of the message that is open."""
        return self.tab.download(self.page.locator(".attachmentItem:visible", has_text=name))

    def read(self, subject: str) -> None:
        """Open the one message whose subject contains these words."""
        self.messages.filter(has_text=subject).locator(".subjectParent").click()
        expect(self.subject).to_contain_text(subject)

    def begin(self) -> None:
        """Open a new message."""
        self.page.locator(".buttonCompose:visible").first.click()
        expect(self.recipient).to_be_visible()

    def write(self, to: str, subject: str, text: str, *attachments: Path) -> None:
        """Write a message, and leave it open."""
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
        """Send what is written."""
        self.compose.locator("header a.btn:not(.disabled):has(.icon-paper-plane)").click()
        expect(self.compose).to_be_hidden()

    def add_filter(self, name: str, *, subject: str, folder: str) -> None:
        """Let a filter move messages whose subject contains some words; it works from then on."""
        self.fill_filter(name, subject=subject, folder=folder)
        script = self.popup("SieveScript")
        script.locator(".buttonSave").click()
        expect(script.locator("[data-i18n$=CHANGES_NEED_TO_BE_SAVED_DESC]")).to_be_hidden()
        script.locator("a.close").click()

    def fill_filter(self, name: str, *, subject: str, folder: str) -> None:
        """Write such a filter, and leave the script that has it open and not saved."""
        self.settings("filters")
        self.page.locator(".script-name").first.click()
        script, new = self.popup("SieveScript"), self.popup("Filter")
        script.locator("[data-i18n='POPUPS_SIEVE_SCRIPT/BUTTON_ADD_FILTER']").click()
        new.get_by_placeholder("Name").fill(name)
        new.locator("[data-i18n='POPUPS_FILTER/BUTTON_ADD_CONDITION']").click()
        new.locator("select:has(option[value=Subject])").select_option("Subject")
        new.locator("input.span3").fill(subject)
        new.locator(f"select:has(option[value={folder}])").select_option(folder)
        self.tab.picture("filter")
        new.locator(".buttonSave").click()
        expect(script.locator(".filter-name")).to_contain_text([name])

    def add_contact(self, name: str, address: str) -> None:
        """Write somebody into the address book, and leave it open."""
        self.page.locator(".buttonContacts:visible").click()
        book = self.popup("Contacts")
        book.locator("[data-i18n='CONTACTS/BUTTON_ADD_CONTACT']").click()
        book.get_by_placeholder("First name").fill(name)
        book.locator("[data-bind*=addEmail]:visible").click()
        book.locator("[data-bind='foreach: email'] input").fill(address)
        book.locator(".button-save-contact").click()
        expect(book.locator(".e-contact-item", has_text=name)).to_be_visible()

    def remove_contact(self, name: str) -> None:
        """Take somebody out of the address book."""
        self.page.locator(".buttonContacts:visible").click()
        book = self.popup("Contacts")
        found = book.locator(".e-contact-item", has_text=name)
        found.click()
        book.locator("header a[data-bind='command: deleteCommand']:not(.disabled)").click()
        expect(found).to_have_count(0)

    def settings(self, page: str) -> None:
        """Open a page of the settings by its name in the address."""
        self.page.goto(f"/#/settings/{page}")
        expect(self.page.locator(f"nav a.selected[href$='{page}']")).to_be_visible()

    def log_out(self) -> None:
        self.account.click()
        self.page.locator("a[data-i18n='GLOBAL/LOGOUT']:visible").click()
        expect(self.login_form).to_be_visible()
