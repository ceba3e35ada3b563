"""How people come into their mail in a browser and leave it, on each webmail that the house has."""

from __future__ import annotations

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import DESKTOP, PHONE, OpenTab
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.letters import post_to_inbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.mailbox import Mailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.snappymail_page import SnappyMailMailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmails import (
    Application,
    OpenMailbox,
    assert_quiet,
    only,
)
from playwright.sync_api import Page, expect

SIZES = {"desktop": DESKTOP, "phone": PHONE}

BRIGHTNESS = """() => {
    for (const element of document.elementsFromPoint(innerWidth / 2, innerHeight - 20)) {
        const [red, green, blue, alpha] = getComputedStyle(element).backgroundColor.match(/[\\d.]+/g).map(Number);
        if (alpha !== 0) {
            return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
        }
    }
    return 1;
}"""
"""How bright the ground is that is seen low in the middle: from 0, black, to 1."""


# --- coming in


@pytest.mark.any_house
@pytest.mark.parametrize("size", SIZES)
def test_the_login_form_is_whole(open_tab: OpenTab, application: Application, size: str) -> None:
    """Nothing is asked of others, nothing is refused by the page's own policy, and nothing is out of sight."""
    mailbox = application.page(open_tab(base_url=application.url, viewport=SIZES[size]))
    mailbox.page.goto("/")
    expect(mailbox.login_button).to_be_in_viewport()
    mailbox.page.wait_for_load_state("networkidle")
    mailbox.tab.picture(f"{application.role}-login-{size}")
    assert_quiet(mailbox, application)
    assert mailbox.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_person_logs_in_by_the_name_alone(
    open_tab: OpenTab, house: House, application: Application
) -> None:
    """As it is typed: without a scheme, which means plain HTTP first."""
    mailbox = application.page(open_tab())
    mailbox.page.goto(f"http://{application.hostname}/")
    expect(mailbox.page).to_have_url(f"{application.url}/")
    mailbox.offer(house.login("il"), house.password("il"))
    mailbox.is_open()
    mailbox.tab.picture(f"{application.role}-inbox")
    expect(mailbox.account).to_contain_text(house.login("il"))
    assert_quiet(mailbox, application)


def test_a_session_stays_with_the_site_and_the_browser(open_mailbox: OpenMailbox) -> None:
    mailbox = open_mailbox("il")
    kept = mailbox.page.context.cookies()
    assert mailbox.session_cookies <= {cookie["name"] for cookie in kept}
    for cookie in kept:
        assert cookie["secure"], cookie
        assert cookie["sameSite"] == "Strict", cookie
        assert cookie["httpOnly"] or cookie["name"] in mailbox.script_cookies, cookie


def test_two_people_see_their_own_mail(open_mailbox: OpenMailbox, house: House, mark: str) -> None:
    post_to_inbox(house, "guest", "il", f"For il alone {mark}")
    for name, messages in {"il": 1, "guest": 0}.items():
        mailbox = open_mailbox(name)
        expect(mailbox.account).to_contain_text(house.login(name))
        mailbox.search(mark)
        expect(mailbox.messages).to_have_count(messages)


@pytest.mark.parametrize("language", ["en-US", "ko-KR"])
def test_the_page_speaks_the_browsers_language(
    open_tab: OpenTab, house: House, application: Application, language: str
) -> None:
    mailbox = application.page(open_tab(base_url=application.url, locale=language))
    button, inbox = mailbox.words[language]
    mailbox.page.goto("/")
    expect(mailbox.login_button).to_have_text(button)
    mailbox.offer(house.login("il"), house.password("il"))
    mailbox.is_open()
    expect(mailbox.inbox).to_contain_text(inbox)
    mailbox.tab.picture(f"{application.role}-inbox-{language}")
    assert_quiet(mailbox, application)


@pytest.mark.parametrize(("scheme", "least", "most"), [("light", 0.8, 1.0), ("dark", 0.0, 0.25)])
def test_the_page_is_as_bright_as_the_device(
    open_mailbox: OpenMailbox,
    open_tab: OpenTab,
    application: Application,
    scheme: str,
    least: float,
    most: float,
) -> None:
    outside = application.page(open_tab(base_url=application.url, color_scheme=scheme))
    outside.page.goto("/")
    expect(outside.login_button).to_be_visible()
    inside = open_mailbox("il", color_scheme=scheme)
    for mailbox in (outside, inside):
        assert least <= brightness(mailbox.page) <= most


def brightness(page: Page) -> float:
    return float(page.evaluate(BRIGHTNESS))


# --- going away


@only("snappymail")
def test_who_is_remembered_need_not_log_in_again(
    open_tab: OpenTab, mailbox: Mailbox, house: House, application: Application
) -> None:
    """In a browser that was closed, until they log out."""
    assert isinstance(mailbox, SnappyMailMailbox)
    mailbox.offer(house.login("il"), house.password("il"), remember=True)
    mailbox.is_open()
    kept = [cookie for cookie in mailbox.page.context.cookies() if cookie["expires"] > 0]
    later = application.page(
        open_tab(base_url=application.url, storage_state={"cookies": kept, "origins": []})
    )
    later.page.goto("/")
    later.is_open()
    later.log_out()
    again = application.page(
        open_tab(base_url=application.url, storage_state={"cookies": kept, "origins": []})
    )
    again.page.goto("/")
    expect(again.login_form).to_be_visible()


def test_who_has_logged_out_leaves_nothing_behind(
    open_tab: OpenTab, mailbox: Mailbox, house: House, application: Application
) -> None:
    """Whoever sits down next and goes back, or kept the cookies, finds the login form."""
    mailbox.offer(house.login("il"), house.password("il"))
    mailbox.is_open()
    kept = mailbox.page.context.storage_state()
    mailbox.settings()
    mailbox.log_out()
    mailbox.page.go_back()
    mailbox.page.reload()
    expect(mailbox.login_form).to_be_visible()
    expect(mailbox.messages).to_have_count(0)
    thief = application.page(open_tab(base_url=application.url, storage_state=kept))
    thief.page.goto("/")
    expect(thief.login_form).to_be_visible()


def test_a_wrong_password_is_said_plainly(mailbox: Mailbox, house: House, application: Application) -> None:
    """Once, and last: whoever guesses is made to wait, and banned."""
    mailbox.offer(house.login("il"), "wrong")
    expect(mailbox.refusal).to_be_visible()
    mailbox.tab.picture(f"{application.role}-wrong-password")
    expect(mailbox.login_form).to_be_visible()
