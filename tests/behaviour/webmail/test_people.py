"""What people do with their mail in a browser, on each webmail that the house has; logins are in test_logins.py."""

from __future__ import annotations

import secrets
from email.message import EmailMessage
from pathlib import Path

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.letters import post, post_to_inbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve
from ansible_collections.ilnmors.mail.tests.behaviour.support.snappymail_page import SnappyMailMailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmails import (
    Application,
    OpenMailbox,
    assert_quiet,
    only,
)
from playwright.sync_api import expect


def arrived(house: House, name: str, mark: str) -> EmailMessage:
    """Return the message that arrives in an inbox with this word in its subject."""
    with house.imap(name) as imap:

        def find() -> bytes:
            imap.select("INBOX", readonly=True)
            return bytes(imap.uid("SEARCH", "SUBJECT", mark)[1][0])

        return clients.parse(clients.fetch(imap, wait_for(find, f"{mark} arrives")))


# --- reading and writing


def test_a_message_is_found_and_read(
    open_mailbox: OpenMailbox, application: Application, house: House, mark: str
) -> None:
    """By a word of its subject, and by one of its text alone."""
    word = secrets.token_hex(6)
    post_to_inbox(house, "guest", "il", f"Lunch on Sunday {mark}", f"We eat at noon, {word}.")
    mailbox = open_mailbox("il")
    for search in (mark, word):
        mailbox.search(search)
        expect(mailbox.messages).to_have_count(1)
    mailbox.read(mark)
    expect(mailbox.text).to_have_text(f"We eat at noon, {word}.")
    mailbox.tab.picture(f"{application.role}-message")
    assert_quiet(mailbox, application)


def test_a_message_is_written_and_arrives_with_its_attachment(
    open_mailbox: OpenMailbox, application: Application, house: House, mark: str, tmp_path: Path
) -> None:
    attachment = tmp_path / "Einkauf 목록.bin"
    attachment.write_bytes(secrets.token_bytes(100_000))
    mailbox = open_mailbox("il")
    mailbox.write(house.login("guest"), mark, "Here is the list.", attachment)
    mailbox.tab.picture(f"{application.role}-compose")
    mailbox.send()
    message = arrived(house, "guest", mark)
    found = next(message.iter_attachments())
    assert (found.get_filename(), found.get_content()) == (attachment.name, attachment.read_bytes())
    text = message.get_body(("plain",))
    assert text
    assert text.get_content().strip() == "Here is the list."
    assert message["From"].addresses[0].addr_spec == house.login("il")
    with house.imap("il") as imap:
        wait_for(lambda: clients.find(imap, message["Message-ID"], "Sent"), "a copy in Sent")
    assert_quiet(mailbox, application)


# --- what is set up once


def test_a_filter_files_a_message(
    open_mailbox: OpenMailbox, application: Application, house: House, mark: str, filters: ManageSieve
) -> None:
    mailbox = open_mailbox("guest")
    mailbox.add_filter("Bills", subject=mark, folder="Archive")
    wait_for(filters.active, "the filter is active")
    sent = post(house, "il", "guest", f"A bill {mark}")
    with house.imap("guest") as imap:
        wait_for(lambda: clients.find(imap, sent, "Archive"), "the message in Archive")
    assert_quiet(mailbox, application)


def test_who_is_away_answers(
    open_mailbox: OpenMailbox, application: Application, house: House, mark: str, filters: ManageSieve
) -> None:
    mailbox = open_mailbox("guest")
    mailbox.go_away(f"I am away {mark}.")
    wait_for(filters.active, "the answer is active")
    post(house, "il", "guest", f"Are you there? {mark}")
    answer = arrived(house, "il", mark).get_body(("plain",))
    assert answer
    assert f"I am away {mark}." in answer.get_content()
    assert_quiet(mailbox, application)


def test_who_is_in_the_address_book_is_offered_as_recipient(
    open_mailbox: OpenMailbox, application: Application, house: House, mark: str
) -> None:
    mailbox = open_mailbox("il")
    address = f"{mark}@{house.domain}"
    mailbox.add_contact(mark, address)
    try:
        mailbox.begin()
        mailbox.recipient.press_sequentially(mark[:-2])
        expect(mailbox.suggestions).to_contain_text([address])
    finally:
        mailbox.remove_contact(mark)
    assert_quiet(mailbox, application)


def test_people_write_as_their_own_addresses_alone(
    open_mailbox: OpenMailbox, application: Application, house: House
) -> None:
    """They are made ready, and no other is to be had."""
    mailbox = open_mailbox("il")
    identities = mailbox.identities()
    expect(identities.first).to_contain_text(house.login("il"))
    mailbox.tab.picture(f"{application.role}-identities")
    mailbox.try_identity(house.login("guest"))
    mailbox.tab.picture(f"{application.role}-identity-refused")
    expect(mailbox.identities().filter(has_text=house.login("guest"))).to_have_count(0)


@only("snappymail")
def test_nobody_changes_a_password_here(open_mailbox: OpenMailbox) -> None:
    """Passwords are in the inventory, or in a directory; the application says nothing of changing them."""
    mailbox = open_mailbox("il")
    assert isinstance(mailbox, SnappyMailMailbox)
    mailbox.settings_of("security")
    pages = mailbox.page.locator("nav a[href^='#/settings/']").evaluate_all(
        "links => links.map(link => link.getAttribute('href').split('/').pop())"
    )
    assert pages == ["general", "contacts", "accounts", "filters", "security", "folders", "themes"]
    expect(mailbox.page.locator("input[type=password]:visible")).to_have_count(0)
