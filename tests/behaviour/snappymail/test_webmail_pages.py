"""What people see of the real application: its words, colours and marks, and that what they do takes effect."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.browser import OpenTab
from ansible_collections.ilnmors.mail.tests.behaviour.support.contrast import faint
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve
from ansible_collections.ilnmors.mail.tests.behaviour.support.snappymail_page import SnappyMailMailbox
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from playwright.sync_api import expect
from testinfra.host import Host

WORDS = Path(__file__).parents[3] / "roles/snappymail/files/house-pages/langs"
CORE = "/usr/share/snappymail/current/*/v/*/app/localization"

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

DAILY = """COMPOSE CONTACTS EDITOR FOLDER_LIST GLOBAL LOGIN MESSAGE MESSAGE_LIST MESSAGE_TAGS NOTIFICATIONS POPUPS_ASK
POPUPS_CREATE_FOLDER POPUPS_FILTER POPUPS_IDENTITY POPUPS_SIEVE_SCRIPT SEARCH SETTINGS_ACCOUNTS SETTINGS_CONTACTS
SETTINGS_FILTERS SETTINGS_FOLDERS SETTINGS_GENERAL SETTINGS_LABELS SETTINGS_SECURITY SETTINGS_THEMES TITLES UPLOAD"""

OpenPage = Callable[..., SnappyMailMailbox]


@pytest.fixture
def open_page(open_tab: OpenTab, real_webmail: Webmail) -> OpenPage:
    """Return what opens the login page."""

    def open_one(**options: Any) -> SnappyMailMailbox:
        mailbox = SnappyMailMailbox(open_tab(**options))
        mailbox.page.goto(real_webmail.base)
        expect(mailbox.login_form).to_be_visible()
        return mailbox

    return open_one


@pytest.fixture
def log_in(open_page: OpenPage, house: House) -> OpenPage:
    """Return what opens somebody's mailbox."""

    def log_one_in(name: str, **options: Any) -> SnappyMailMailbox:
        mailbox = open_page(**options)
        mailbox.offer(house.login(name), house.password(name))
        mailbox.is_open()
        return mailbox

    return log_one_in


def post(house: House, subject: str, text: str, recipient: str = "il") -> str:
    """Let guest write to somebody in the house, and return the Message-ID."""
    new = clients.message(house.login("guest"), house.login(recipient), text)
    new.replace_header("Subject", subject)
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("guest", house.password("guest"))
        client.send_message(new)
    return str(new["Message-ID"])


def in_inbox(house: House, subject: str, text: str) -> None:
    message_id = post(house, subject, text)
    wait_for(lambda: house.received("il", message_id), f"{subject!r} in the inbox")


# --- what is done takes effect


def test_a_word_that_is_in_the_text_alone_is_found(log_in: OpenPage, house: House, mark: str) -> None:
    in_inbox(house, f"Dinner {mark}", f"Bring the text{mark} with you.\n")
    in_inbox(house, f"Supper {mark}", "Bring nothing.\n")
    mailbox = log_in("il")
    mailbox.search(f"text{mark}")
    expect(mailbox.messages).to_have_count(1)
    expect(mailbox.messages).to_contain_text(f"Dinner {mark}")
    assert not mailbox.tab.errors


def test_a_filter_that_is_saved_and_does_not_work_is_said_not_to(
    log_in: OpenPage, mark: str, filters: ManageSieve
) -> None:
    """Until it is the one that people choose."""
    filters.command("PUTSCRIPT", "mine", "keep;\r\n")
    filters.command("SETACTIVE", "mine")
    mailbox = log_in("guest")
    mailbox.fill_filter("Bills", subject=mark, folder="Archive")
    script = mailbox.popup("SieveScript")
    script.locator(".buttonSave").click()
    expect(script).to_contain_text("Saved, but not active: \u201cmine\u201d is.")
    mailbox.tab.picture("filter-not-active")
    assert filters.active() == "mine"
    script.locator("a.close").click()
    mailbox.page.locator("tr:has(.script-name)").first.locator("td").first.click()
    wait_for(lambda: filters.active() not in ("", "mine"), "the filter is active")
    assert not mailbox.tab.errors


# --- colours and marks


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_device_and_can_be_read(
    open_page: OpenPage, house: House, mark: str, scheme: str
) -> None:
    in_inbox(house, f"Lunch {mark}", "We eat at noon.\n")
    mailbox = open_page(color_scheme=scheme)
    page = mailbox.page
    expect(page.get_by_text("Remember Me")).to_be_visible()
    seen = {"login": said_too_faintly(mailbox)}
    mailbox.tab.picture(f"login-{scheme}")
    mailbox.offer(house.login("il"), house.password("il"))
    mailbox.is_open()
    seen["inbox"] = said_too_faintly(mailbox)
    mailbox.read(mark)
    expect(mailbox.text).to_be_visible()
    seen["message"] = said_too_faintly(mailbox)
    mailbox.tab.picture(f"message-{scheme}")
    assert [words for words in seen.values() if words] == []
    ground = page.locator("#rl-right").evaluate("element => getComputedStyle(element).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", ground)[:3])) < 64) == (scheme == "dark")


def said_too_faintly(mailbox: SnappyMailMailbox) -> list[tuple[str, float]]:
    """Return the words that are hard to read; signs are not written for reading."""
    return [(text, rate) for text, rate in faint(mailbox.page) if re.search(r"\w", text)]


def test_mail_of_the_house_has_no_marks_of_doubt(log_in: OpenPage, house: House, mark: str) -> None:
    """It carries no DKIM signature, which the fork shows in red."""
    in_inbox(house, f"Lunch {mark}", "We eat at noon.\n")
    mailbox = log_in("il")
    mailbox.read(mark)
    header = mailbox.page.locator(".messageItemHeader")
    expect(header.first).to_be_visible()
    signs = header.locator("i:visible").evaluate_all("signs => signs.map(sign => sign.title)")
    assert [title for title in signs if re.match("(dkim|spf|dmarc)", title, re.IGNORECASE)] == []


# --- words


def test_the_page_has_the_houses_name(
    open_page: OpenPage, log_in: OpenPage, real_webmail: Webmail, house: House
) -> None:
    """While it loads, too; and nothing says what the application is called."""
    assert real_webmail.start()["loadingDescription"] == house.domain
    expect(open_page().page).to_have_title(house.domain)
    mailbox = log_in("il")
    expect(mailbox.page).to_have_title(re.compile(f"- {re.escape(house.domain)}$"))
    assert not re.search("snappymail|tachyon", mailbox.page.inner_text("body"), re.IGNORECASE)


def flat(words: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in words.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{name}/")
        else:
            yield f"{path}{name}", str(value)


def shown_words(webmail: Webmail, language: str) -> dict[str, str]:
    """Return the words that the application shows in a language."""
    version = webmail.start()["System"]["version"]
    script = webmail.get(f"/?/Lang/0/App/{language}/{version}/").content.decode()
    found = re.search(r"^rl\.I18N=(\{.*\});$", script, re.MULTILINE)
    assert found, script[:200]
    return dict(flat(json.loads(found[1])))


def our_words(language: str) -> dict[str, str]:
    return dict(flat(json.loads((WORDS / f"{language}.json").read_text())))


def test_korean_words_say_what_they_mean(log_in: OpenPage, open_page: OpenPage) -> None:
    page = open_page(locale="ko-KR").page
    expect(page.get_by_text("로그인 상태 유지")).to_be_visible()
    expect(page.get_by_placeholder("비밀번호")).to_be_visible()
    mailbox = log_in("il", locale="ko-KR")
    expect(mailbox.page.locator(".inputSearch")).to_have_attribute("placeholder", "검색")
    mailbox.tab.picture("inbox-korean")


def test_the_houses_words_are_shown(real_webmail: Webmail) -> None:
    shown, ours = shown_words(real_webmail, "ko"), our_words("ko")
    assert {key: shown.get(key) for key in ours} == ours


def test_what_people_see_every_day_is_korean_throughout(real_webmail: Webmail) -> None:
    korean, english = shown_words(real_webmail, "ko"), shown_words(real_webmail, "en")
    assert [
        f"{key}: {text}"
        for key, text in korean.items()
        if key.partition("/")[0] in DAILY.split() and text == english.get(key) and re.search("[a-z]{3}", text)
    ] == []


def test_no_other_language_gets_english_words(real_webmail: Webmail, app: Host) -> None:
    """The application lays the English words of a plugin over all languages: they are words of its own alone."""
    core = json.loads(app.check_output(f"cat {CORE}/en/user.json"))
    assert our_words("en").keys() & dict(flat(core)).keys() == set()
    assert shown_words(real_webmail, "de")["GLOBAL/PASSWORD"] == "Passwort"


# --- PHP


def complaints(app: Host, since: str) -> list[str]:
    """Return what PHP has complained of since a second of the host's clock."""
    said = app.check_output(f"journalctl --since @{since} --output cat; cat /var/log/php*-fpm.log")
    return re.findall("PHP (?:Warning|Notice|Deprecated|Fatal|Parse|Recoverable).*", said)


def test_php_has_nothing_to_complain_of_at_the_end_of_a_request(
    real_webmail: Webmail, app: Host, house: House, mark: str
) -> None:
    """What needed few of its classes looks for more then, where open_basedir forbade it."""
    new = clients.message(house.login("guest"), house.login("il"), "With a picture.\n")
    new.replace_header("Subject", mark)
    new.add_attachment(PICTURE, maintype="image", subtype="png", filename="a.png")
    with house.imap("il") as imap:
        imap.append("INBOX", None, None, new.as_bytes())
    since = app.check_output("date +%s")
    real_webmail.log_in(house.login("il"), house.password("il"))
    (found,) = real_webmail.find("INBOX", mark)
    (attachment,) = real_webmail.read("INBOX", found["uid"])["attachments"]["@Collection"]
    key = real_webmail.key({**attachment, "folder": "INBOX", "uid": found["uid"]})
    for service in ("View", "Download"):
        assert real_webmail.raw(service, key) == PICTURE
    # What is asked for and is not there, too.
    real_webmail.get(f"/?/Raw/&q[]=/0/Nothing/&q[]=/{key}")
    assert real_webmail.act("AttachmentsActions", target="zip", hashes=[key], folder="INBOX")["Result"]
    assert complaints(app, since) == []


@pytest.mark.usefixtures("filters")
def test_php_has_nothing_to_complain_of(
    log_in: OpenPage, app: Host, house: House, mark: str, tmp_path: Path
) -> None:
    """In what people do every day; its complaints would hide what matters in the journal."""
    attachment = tmp_path / "목록.zip"
    attachment.write_bytes(b"PK\5\6" + bytes(18))
    since = app.check_output("date +%s")
    mailbox = log_in("guest")
    mailbox.write(house.login("guest"), f"To myself {mark}", "With a list.", attachment)
    mailbox.send()
    wait_for(lambda: mailbox.find(mark), "the message")
    mailbox.read(mark)
    expect(mailbox.text).to_contain_text("With a list.")
    mailbox.download("목록.zip")
    for page in ("general", "contacts", "accounts", "filters", "security", "folders", "themes"):
        mailbox.settings_of(page)
    mailbox.add_filter("Bills", subject=mark, folder="Archive")
    mailbox.page.goto("/")
    mailbox.is_open()
    mailbox.add_contact(mark, f"{mark}@example.org")
    mailbox.page.goto("/")
    mailbox.is_open()
    mailbox.remove_contact(mark)
    mailbox.page.goto("/")
    mailbox.is_open()
    mailbox.log_out()
    assert complaints(app, since) == []
    assert not mailbox.tab.errors
