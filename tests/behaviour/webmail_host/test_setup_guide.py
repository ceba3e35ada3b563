"""The guide by which people set up their devices, as a browser shows it."""

from __future__ import annotations

import hashlib
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.setup_guide.guide import languages
from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import DESKTOP, PHONE, OpenTab, Tab
from ansible_collections.ilnmors.mail.tests.behaviour.support.contrast import faint
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from playwright.sync_api import expect

pytestmark = pytest.mark.any_house

SIZES = {"desktop": DESKTOP, "phone": PHONE, "narrow": {"width": 320, "height": 640}}
LANGUAGES = pytest.mark.parametrize("language", languages())


@LANGUAGES
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_whole_and_can_be_read(
    open_tab: OpenTab, house: House, language: str, size: str, scheme: str
) -> None:
    """Nothing is asked of others, nothing is refused by the page's own policy, nothing is out of sight or faint."""
    tab = open_tab(viewport=SIZES[size], color_scheme=scheme)
    tab.page.goto(f"/setup/{language}/")
    tab.page.wait_for_load_state("networkidle")
    tab.picture(f"setup-{language}-{size}-{scheme}", full_page=True)
    assert not tab.errors
    assert not tab.strangers(house.webmail_hostname)
    assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert faint(tab.page) == []
    ground = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", ground))) < 64) == (scheme == "dark")


@pytest.mark.parametrize(
    ("locale", "language"), [("en-US", "en"), ("ko-KR", "ko"), ("de-DE", "en")], ids=["en", "ko", "another"]
)
def test_the_page_speaks_the_browsers_language(open_tab: OpenTab, locale: str, language: str) -> None:
    tab = open_tab(locale=locale)
    answer = tab.page.goto("/setup")
    assert answer
    assert answer.headers["vary"].lower() == "accept-language"
    expect(tab.page.locator("html")).to_have_attribute("lang", language)


def test_another_language_is_a_link_away(tab: Tab) -> None:
    tab.page.goto("/setup")
    for code, texts in languages().items():
        tab.page.get_by_role("link", name=texts.name, exact=True).click()
        expect(tab.page.locator("html")).to_have_attribute("lang", code)
        expect(tab.page.locator("h2#others")).to_have_text(texts.others.name)


def test_the_page_is_used_by_keyboard(tab: Tab) -> None:
    """Each link is reached in order and is seen to be the one."""
    tab.page.goto("/setup/en/")
    links = tab.page.locator("a:visible").evaluate_all("links => links.map(link => link.href)")
    reached = []
    for __ in links:
        tab.page.keyboard.press("Tab")
        href, outline = tab.page.evaluate(
            "[document.activeElement.href, getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert outline == "solid", href
        reached.append(href)
    assert reached == links


def test_a_device_is_a_step_away(open_tab: OpenTab) -> None:
    tab = open_tab(viewport=PHONE)
    tab.page.goto("/setup/en/")
    tab.page.get_by_role("link", name="Android", exact=True).click()
    expect(tab.page.get_by_role("heading", name="Android", exact=True)).to_be_in_viewport()


def test_the_page_has_an_icon(tab: Tab, house: House) -> None:
    site = Webmail(house.webmail_hostname, house.ca_file)
    tab.page.goto("/setup")
    icon = site.get(str(tab.page.locator("link[rel=icon]").get_attribute("href")))
    assert (icon.status_code, icon.headers["Content-Type"].partition(";")[0]) == (200, "image/svg+xml")
    assert tab.page.locator(".top img").evaluate("image => image.naturalWidth") > 0


def test_the_page_is_found_without_tls(tab: Tab, house: House) -> None:
    """As people type it, before they trust anything."""
    tab.page.goto(f"http://{house.webmail_hostname}/setup")
    expect(tab.page).to_have_url(f"https://{house.webmail_hostname}/setup/")
    expect(tab.page.locator("h1")).to_contain_text(house.domain)


def test_the_page_hands_out_the_houses_certificate(tab: Tab, authority: bytes) -> None:
    tab.page.goto("/setup")
    found = tab.download(tab.page.locator("a[href$='.crt']").first).decode()
    assert ssl.PEM_cert_to_DER_cert(found) == authority
    fingerprint = hashlib.sha256(authority).hexdigest().upper()
    shown = tab.page.locator(".fingerprint code").inner_text()
    assert re.sub("[^0-9A-F]", "", shown) == fingerprint


def test_the_page_hands_out_a_profile(tab: Tab, house: House) -> None:
    tab.page.goto("/setup")
    found = tab.download(tab.page.get_by_role("link", name="Open the profile"))
    for expected in ("com.apple.mail.managed", house.mail_hostname, house.domain):
        assert expected.encode() in found


def test_the_pages_code_leads_to_it(tab: Tab, house: House, pictures: Path) -> None:
    if not shutil.which("zbarimg"):
        pytest.skip("needs zbarimg on this machine (Debian's package zbar-tools)")
    tab.page.goto("/setup")
    code = tab.page.locator("img[src$='qr.svg']")
    expect(code).to_be_visible()
    assert code.evaluate("image => image.naturalWidth") > 0
    code.screenshot(path=pictures / "qr.png")
    read = subprocess.run(
        ["zbarimg", "--quiet", "--raw", pictures / "qr.png"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert read.stdout.strip().rstrip("/") == f"https://{house.webmail_hostname}/setup"


@LANGUAGES
def test_the_page_fits_on_one_sheet(tab: Tab, language: str) -> None:
    tab.page.goto(f"/setup/{language}/")
    assert len(re.findall(rb"/Type\s*/Page\b", tab.page.pdf(format="A4"))) == 1


@LANGUAGES
def test_every_link_leads_somewhere(tab: Tab, house: House, language: str) -> None:
    site = Webmail(house.webmail_hostname, house.ca_file)
    tab.page.goto(f"/setup/{language}/")
    links = tab.page.locator("a").evaluate_all("links => links.map(link => link.href)")
    assert links
    assert [link for link in links if not link.startswith(f"{site.base}/")] == []
    assert [link for link in links if site.get(link.removeprefix(site.base)).status_code != 200] == []
