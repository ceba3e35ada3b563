"""What a real browser sees of the webmail's host, whichever application is behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import (
    Tab,
    launch,
    trusting_home,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Playwright, expect

pytestmark = pytest.mark.any_house


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
