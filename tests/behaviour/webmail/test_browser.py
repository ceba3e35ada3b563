"""The webmail and the setup of clients, seen in a real browser.

What only the real application can show is skipped where the stand-in is deployed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import (
    DESKTOP,
    PHONE,
    OpenTab,
    Tab,
    launch,
    trusting_home,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_page import Mailbox
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Playwright, expect

SIZES = {"desktop": DESKTOP, "phone": PHONE}


# --- what needs no application


def test_a_name_that_the_certificate_lacks_is_refused(tab: Tab, house: House) -> None:
    refusal = "ERR_SSL_UNRECOGNIZED_NAME_ALERT|ERR_CERT_COMMON_NAME_INVALID"
    with pytest.raises(PlaywrightError, match=refusal):
        tab.page.goto(f"https://other.{house.domain}/")


@pytest.mark.usefixtures("authority")
def test_a_device_that_lacks_the_authority_opens_nothing(
    playwright: Playwright, house: House, names: dict[str, str], tmp_path: Path
) -> None:
    browser = launch(playwright, trusting_home(tmp_path, None), names)
    try:
        with pytest.raises(PlaywrightError, match="ERR_CERT_AUTHORITY_INVALID"):
            browser.new_page().goto(f"https://{house.webmail_hostname}/")
    finally:
        browser.close()


@pytest.mark.parametrize("size", SIZES)
def test_the_login_page_is_whole(open_tab: OpenTab, house: House, size: str) -> None:
    """Nothing is asked of others, nothing is refused by the page's own policy, and nothing is out of sight."""
    tab = open_tab(viewport=SIZES[size])
    tab.page.goto("/")
    expect(tab.page.locator("input[name=Email]")).to_be_visible()
    tab.page.wait_for_load_state("networkidle")
    tab.picture(f"login-{size}", full_page=True)
    assert not tab.errors
    assert not tab.strangers(house.webmail_hostname)
    assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_what_mail_programs_ask_for_is_well_formed(tab: Tab, house: House) -> None:
    """The browser shows a tree of elements, and an error for what is no XML."""
    for name in (*house.autoconfig_hostnames[:1], house.webmail_hostname):
        answer = tab.page.goto(f"https://{name}/mail/config-v1.1.xml")
        assert answer
        assert answer.status == 200
        assert "xml" in answer.headers["content-type"]
        expect(tab.page.locator("body")).to_contain_text(house.mail_hostname)
        assert not tab.strangers(name)
        tab.requests.clear()
    tab.picture("autoconfig")


@pytest.mark.parametrize("path", ["/nowhere", "/setup/nowhere", "/data/"])
def test_what_is_not_there_is_said_plainly(tab: Tab, path: str) -> None:
    answer = tab.page.goto(path)
    assert answer
    assert answer.status == 404
    assert tab.page.locator("body").inner_text().split() == ["404", "Not", "Found", "nginx"]
    assert answer.headers["x-content-type-options"] == "nosniff"


# --- what only the real application has

OpenMailbox = Callable[..., Mailbox]


@pytest.fixture(scope="session")
def cookies() -> dict[str, Any]:
    """Return what the browser of each person keeps once they are logged in."""
    return {}


@pytest.fixture
def open_mailbox(
    open_tab: OpenTab, house: House, real_webmail: Webmail, cookies: dict[str, Any]
) -> OpenMailbox:
    """Return what opens somebody's mailbox; nobody logs in more often than needed."""

    def open_one(name: str, **options: Any) -> Mailbox:
        mailbox = Mailbox(open_tab(storage_state=cookies.get(name), **options))
        mailbox.page.goto(real_webmail.base)
        if name not in cookies:
            mailbox.offer(house.login(name), house.password(name))
        mailbox.is_open()
        cookies[name] = mailbox.page.context.storage_state()
        return mailbox

    return open_one


def post(house: House, sender: str, recipient: str, subject: str) -> EmailMessage:
    """Send a message to somebody, and return it."""
    new = clients.message(house.login(sender), house.login(recipient), "We eat at noon.\n")
    new.replace_header("Subject", subject)
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(sender, house.password(sender))
        client.send_message(new)
    return new


def post_to_inbox(house: House, sender: str, recipient: str, subject: str) -> None:
    """Send a message to somebody, and wait until it is in their inbox."""
    new = post(house, sender, recipient, subject)
    wait_for(lambda: house.received(recipient, new["Message-ID"]), f"{subject!r} in the inbox of {recipient}")


@pytest.mark.usefixtures("real_webmail")
def test_a_person_logs_in_by_the_name_alone(tab: Tab, house: House) -> None:
    """As it is typed: without a scheme, which means plain HTTP first."""
    mailbox = Mailbox(tab)
    tab.page.goto(f"http://{house.webmail_hostname}/")
    expect(tab.page).to_have_url(f"https://{house.webmail_hostname}/")
    expect(mailbox.login_form).to_be_visible()
    tab.picture("login")
    mailbox.offer(house.login("il"), house.password("il"))
    mailbox.is_open()
    tab.picture("inbox")
    expect(mailbox.account).to_contain_text(house.login("il"))
    assert not tab.errors
    assert not tab.strangers(house.webmail_hostname)


def test_a_session_stays_with_the_site_and_the_browser(open_mailbox: OpenMailbox) -> None:
    kept = open_mailbox("il").page.context.cookies()
    assert {"smtoken", "smaccount"} <= {cookie["name"] for cookie in kept}
    for cookie in kept:
        assert cookie["secure"], cookie
        assert cookie["sameSite"] == "Strict", cookie
        # The page itself makes smctoken, to know its connection.
        assert cookie["httpOnly"] or cookie["name"] == "smctoken", cookie


def test_a_message_is_found_and_read(open_mailbox: OpenMailbox, house: House, mark: str) -> None:
    post_to_inbox(house, "guest", "il", f"Lunch on Sunday {mark}")
    mailbox = open_mailbox("il")
    mailbox.search(mark)
    expect(mailbox.messages).to_have_count(1)
    mailbox.read(mark)
    expect(mailbox.text).to_have_text("We eat at noon.")
    mailbox.tab.picture("message")
    assert not mailbox.tab.errors
    assert not mailbox.tab.strangers(house.webmail_hostname)


def test_a_message_is_written_and_arrives_with_its_attachment(
    open_mailbox: OpenMailbox, house: House, mark: str, tmp_path: Path
) -> None:
    attachment = tmp_path / "Einkauf 목록.bin"
    attachment.write_bytes(secrets.token_bytes(100_000))
    mailbox = open_mailbox("il")
    mailbox.write(house.login("guest"), mark, "Here is the list.", attachment)
    mailbox.tab.picture("compose")
    mailbox.send()
    with house.imap("guest") as imap:

        def find() -> bytes:
            imap.select("INBOX", readonly=True)
            return bytes(imap.uid("SEARCH", "SUBJECT", mark)[1][0])

        message = clients.parse(clients.fetch(imap, wait_for(find, "the message arrives")))
    found = next(message.iter_attachments())
    assert (found.get_filename(), found.get_content()) == (attachment.name, attachment.read_bytes())
    text = message.get_body(("plain",))
    assert text
    assert text.get_content().strip() == "Here is the list."
    assert not mailbox.tab.errors


@pytest.fixture
def filters(house: House) -> Iterator[ManageSieve]:
    """Return ManageSieve of guest, who has no filters before and after the test."""
    with ManageSieve(house.mail_hostname, house.ca_file) as client:
        client.log_in(house.login("guest"), house.password("guest"))
        if client.scripts():
            pytest.skip("needs a person, guest, without Sieve scripts of their own")
        yield client
        client.command("SETACTIVE", "")
        for name in client.scripts():
            client.command("DELETESCRIPT", name)


def test_a_filter_files_a_message(
    open_mailbox: OpenMailbox, house: House, mark: str, filters: ManageSieve
) -> None:
    mailbox = open_mailbox("guest")
    mailbox.add_filter("Bills", subject=mark, folder="Archive")
    wait_for(filters.active, "the filter is active")
    message = post(house, "il", "guest", f"A bill {mark}")
    with house.imap("guest") as imap:
        wait_for(lambda: clients.find(imap, message["Message-ID"], "Archive"), "the message in Archive")
    assert not mailbox.tab.errors


def test_who_is_in_the_address_book_is_offered_as_recipient(
    open_mailbox: OpenMailbox, house: House, mark: str
) -> None:
    mailbox = open_mailbox("il")
    address = f"{mark}@{house.domain}"
    mailbox.add_contact(mark, address)
    mailbox.tab.picture("contacts")
    book = mailbox.popup("Contacts")
    try:
        book.locator("a.close").click()
        mailbox.begin()
        mailbox.recipient.press_sequentially(mark[:-2])
        expect(mailbox.page.locator("#emailaddresses-datalist option")).to_contain_text([address])
    finally:
        mailbox.page.goto("/")
        mailbox.remove_contact(mark)
    assert not mailbox.tab.errors


def test_people_write_as_their_own_addresses_alone(open_mailbox: OpenMailbox, house: House) -> None:
    mailbox = open_mailbox("il")
    mailbox.settings("accounts")
    identities = mailbox.page.locator(".identity-name")
    expect(identities.first).to_contain_text(house.login("il"))
    mailbox.tab.picture("identities")
    mailbox.page.locator("[data-i18n='SETTINGS_ACCOUNTS/BUTTON_ADD_IDENTITY']").click()
    new = mailbox.popup("Identity")
    new.locator("input[name=Name]").fill("Somebody else")
    new.locator("input[name=Email]").fill(house.login("guest"))
    new.locator(".buttonAddIdentity").click()
    expect(new.locator(".alert")).to_contain_text("You may not send as this address")
    mailbox.tab.picture("identity-refused")
    expect(identities.filter(has_text=house.login("guest"))).to_have_count(0)


def test_nobody_changes_a_password_here(open_mailbox: OpenMailbox) -> None:
    """Passwords are in the inventory, or in a directory; the application says nothing of changing them."""
    mailbox = open_mailbox("il")
    mailbox.settings("security")
    mailbox.tab.picture("settings")
    pages = mailbox.page.locator("nav a[href^='#/settings/']").evaluate_all(
        "links => links.map(link => link.getAttribute('href').split('/').pop())"
    )
    assert pages == ["general", "contacts", "accounts", "filters", "security", "folders", "themes"]
    expect(mailbox.page.locator("input[type=password]:visible")).to_have_count(0)


def test_two_people_see_their_own_mail(open_mailbox: OpenMailbox, house: House, mark: str) -> None:
    post_to_inbox(house, "guest", "il", f"For il alone {mark}")
    for name, messages in {"il": 1, "guest": 0}.items():
        mailbox = open_mailbox(name)
        expect(mailbox.account).to_contain_text(house.login(name))
        mailbox.search(mark)
        expect(mailbox.messages).to_have_count(messages)


def test_the_page_speaks_the_browsers_language(
    open_tab: OpenTab, house: House, real_webmail: Webmail
) -> None:
    mailbox = Mailbox(open_tab(locale="ko-KR"))
    mailbox.page.goto(real_webmail.base)
    expect(mailbox.page.locator("button.buttonLogin")).to_have_text("로그인")
    mailbox.offer(house.login("il"), house.password("il"))
    mailbox.is_open()
    expect(mailbox.page.locator(".b-folders-system li").first).to_contain_text("받은 편지함")
    mailbox.tab.picture("inbox-korean")
    assert not mailbox.tab.errors


def test_who_has_logged_out_leaves_nothing_behind(
    open_tab: OpenTab, house: House, real_webmail: Webmail
) -> None:
    """Whoever sits down next, and goes back, finds the login form."""
    mailbox = Mailbox(open_tab())
    mailbox.page.goto(real_webmail.base)
    mailbox.offer(house.login("il"), house.password("il"))
    mailbox.is_open()
    mailbox.settings("general")
    mailbox.log_out()
    mailbox.page.go_back()
    expect(mailbox.login_form).to_be_visible()
    mailbox.page.goto("/#/mailbox/INBOX")
    mailbox.page.reload()
    expect(mailbox.login_form).to_be_visible()
    expect(mailbox.messages).to_have_count(0)
    assert "smaccount" not in {cookie["name"] for cookie in mailbox.page.context.cookies()}


def test_a_wrong_password_is_said_plainly(tab: Tab, house: House, real_webmail: Webmail) -> None:
    """Once, and last: whoever guesses is made to wait, and banned."""
    mailbox = Mailbox(tab)
    tab.page.goto(real_webmail.base)
    mailbox.offer(house.login("il"), "wrong")
    expect(tab.page.locator(".alert:visible")).to_contain_text("Authentication failed")
    tab.picture("wrong-password")
    expect(mailbox.login_form).to_be_visible()
