"""The webmails of a house: the tests of what people do run on each that is deployed.

A test that asks for `application`, or for what is built on it, runs once for each application that the collection can
deploy, and skips visibly where the house has none. What one application alone has is marked with `only`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import OpenTab
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.mailbox import Mailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.roundcube_page import RoundcubeMailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.snappymail_page import SnappyMailMailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail

PAGES: dict[str, type[Mailbox]] = {"roundcube": RoundcubeMailbox, "snappymail": SnappyMailMailbox}
"""The page of each application, by the role that deploys it."""


@dataclass(frozen=True)
class Application:
    """A webmail that the house has."""

    role: str
    hostname: str

    @property
    def url(self) -> str:
        return f"https://{self.hostname}"

    @property
    def page(self) -> type[Mailbox]:
        return PAGES[self.role]


def only(*roles: str) -> pytest.MarkDecorator:
    """Mark a test of what these applications alone have."""
    return pytest.mark.parametrize("application", roles, indirect=True)


@pytest.fixture(scope="session", params=PAGES)
def application(request: pytest.FixtureRequest, house: House) -> Application:
    """Return a webmail of the house, the real application."""
    found = Application(request.param, house.webmails.get(request.param, ""))
    if not found.hostname:
        pytest.skip(f"needs a house with {found.role} (mail_webmail)")
    if found.role == "snappymail" and Webmail(found.hostname, house.ca_file).is_standin():
        pytest.skip(
            "the webmail's stand-in is deployed; SNAPPYMAIL_ARCHIVE=/path/to/archive deploys the real one"
        )
    return found


@pytest.fixture
def mailbox(open_tab: OpenTab, application: Application) -> Mailbox:
    """Return a tab on a desktop where nobody is logged in, at the login form."""
    found = application.page(open_tab(base_url=application.url))
    found.page.goto("/")
    return found


OpenMailbox = Callable[..., Mailbox]
"""Opens somebody's mailbox; the options are those of a tab."""


@pytest.fixture(scope="session")
def cookies() -> dict[tuple[str, str], Any]:
    """Return what the browser of each person keeps once they are logged in, by application and person."""
    return {}


@pytest.fixture
def open_mailbox(
    open_tab: OpenTab, house: House, application: Application, cookies: dict[tuple[str, str], Any]
) -> OpenMailbox:
    """Return what opens somebody's mailbox; nobody logs in more often than needed."""

    def open_one(name: str, **options: Any) -> Mailbox:
        key = (application.role, name)
        tab = open_tab(base_url=application.url, storage_state=cookies.get(key), **options)
        mailbox = application.page(tab)
        mailbox.page.goto("/")
        if key not in cookies:
            mailbox.offer(house.login(name), house.password(name))
        mailbox.is_open()
        cookies[key] = mailbox.page.context.storage_state()
        return mailbox

    return open_one


def assert_quiet(mailbox: Mailbox, application: Application) -> None:
    """Nothing was asked of others, and nothing refused by the page's own policy."""
    assert not mailbox.tab.errors
    assert not mailbox.tab.strangers(application.hostname)
