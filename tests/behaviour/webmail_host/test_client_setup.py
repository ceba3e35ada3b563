# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What mail programs set themselves up by, fetched as they do, and every server in it tried."""

from __future__ import annotations

import json
import plistlib
import ssl
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House

pytestmark = pytest.mark.any_house

OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
OUTLOOK_REQUEST = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
<Request><EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>\
http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\
</AcceptableResponseSchema></Request></Autodiscover>"""
TLS_FIRST = {993, 995, 465}
ASKED_OF_PEOPLE = {"EmailAddress", "EmailAccountName", "IncomingPassword", "OutgoingPassword"}
ASKED_OF_PEOPLE |= {"IncomingMailServerUsername", "OutgoingMailServerUsername"}


@pytest.fixture(params=["autoconfig", "webmail"])
def site(request: pytest.FixtureRequest, house: House) -> str:
    """Return each kind of name that the settings are found under."""
    if request.param == "webmail":
        return f"https://{house.webmail_hostname}"
    if not house.autoconfig_hostnames:
        pytest.skip("needs mail_autoconfig_hostnames")
    return f"https://{house.autoconfig_hostnames[0]}"


def ask(
    house: House, url: str, method: str = "GET", body: str | None = None, **headers: str
) -> requests.Response:
    """Send a request as a program does that trusts the house's authority, and follows no redirect."""
    headers |= {"Content-Type": "text/xml"} if body else {}
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method, url, data=body, headers=headers, verify=house.ca_file, timeout=30, allow_redirects=False
        )


def log_in(house: House, protocol: str, host: str, port: int, login: str) -> None:
    """Connect with TLS, verified, and log in."""
    password = house.password(house.reader)
    if protocol == "imap":
        with clients.imap(host, house.ca_file, port) as imap:
            imap.login(login, password)
    elif protocol == "pop3":
        pop3 = clients.pop3(host, house.ca_file, port)
        pop3.user(login)
        pop3.pass_(password)
        pop3.quit()
    else:
        with clients.submission(host, house.ca_file, port) as smtp:
            smtp.login(login, password)


# --- Thunderbird and others


@pytest.mark.parametrize("path", ["/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"])
def test_settings_are_found_where_programs_look(house: House, site: str, path: str) -> None:
    answer = ask(house, f"{site}{path}?emailaddress={house.login(house.reader)}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == "text/xml"
    provider = ElementTree.fromstring(answer.content).find("emailProvider")
    assert provider is not None
    assert provider.findtext("domain") == house.domain


@pytest.mark.lab_only("opens an inbox by POP3, which takes its marks of what is new")
def test_every_server_of_the_settings_takes_the_login_that_they_say(house: House) -> None:
    answer = ask(house, f"https://{house.webmail_hostname}/mail/config-v1.1.xml")
    root = ElementTree.fromstring(answer.content)
    tried = []
    for server in [*root.iter("incomingServer"), *root.iter("outgoingServer")]:
        protocol, port = server.get("type", ""), int(server.findtext("port", "0"))
        assert server.findtext("socketType") == ("SSL" if port in TLS_FIRST else "STARTTLS")
        login = server.findtext("username", "").replace("%EMAILADDRESS%", house.login(house.reader))
        log_in(house, protocol, server.findtext("hostname", ""), port, login)
        tried.append((protocol, port))
    assert tried == [("imap", 993), ("imap", 143), ("pop3", 995), ("pop3", 110), ("smtp", 465), ("smtp", 587)]


def test_the_pages_for_people_are_there(house: House) -> None:
    root = ElementTree.fromstring(
        ask(house, f"https://{house.webmail_hostname}/mail/config-v1.1.xml").content
    )
    pages = [root.find("emailProvider/documentation"), root.find("webMail/loginPage")]
    assert [ask(house, page.get("url", "")).status_code for page in pages if page is not None] == [200, 200]


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("", "en"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        ("en-GB,ko;q=0.9", "en"),
        ("fr,ko;q=0.5", "ko"),
        ("fr", "en"),
        (",".join(["x-y"] * 300), "en"),
    ],
    ids=["none", "ko", "en before ko", "ko before en", "another", "many"],
)
def test_the_guide_is_in_the_language_that_a_browser_wants(
    house: House, site: str, wanted: str, language: str
) -> None:
    answer = ask(house, f"{site}/setup/", **{"Accept-Language": wanted})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f'<html lang="{language}">' in answer.content.decode()
    assert ask(house, f"{site}/setup/{language}/").content == answer.content


@pytest.mark.parametrize("path", ["/setup/index.html", "/setup/de/", "/setup/en/nowhere"])
def test_the_guide_has_no_other_pages(house: House, site: str, path: str) -> None:
    assert ask(house, f"{site}{path}").status_code == 404


# --- Outlook


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"],
)
def test_outlook_is_answered(house: House, site: str, method: str, path: str) -> None:
    body = OUTLOOK_REQUEST.format(address=house.login(house.reader)) if method == "POST" else None
    answer = ask(house, f"{site}{path}", method, body)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == "text/xml"
    assert ElementTree.fromstring(answer.content).find(f".//{OUTLOOK}Protocol") is not None


def test_every_server_that_outlook_is_told_of_takes_its_login(house: House) -> None:
    """Without a LoginName, that is the local part or the whole address."""
    answer = ask(house, f"https://{house.webmail_hostname}/autodiscover/autodiscover.xml", "POST", "<x/>")
    root = ElementTree.fromstring(answer.content)
    tried = []
    for server in root.iter(f"{OUTLOOK}Protocol"):
        said = {child.tag.removeprefix(OUTLOOK): child.text or "" for child in server}
        assert said["SSL"] == "on"
        assert int(said["Port"]) in TLS_FIRST
        assert said["SPA"] == "off"
        assert "LoginName" not in said
        for login in (house.reader, house.login(house.reader)):
            log_in(house, said["Type"].lower(), said["Server"], int(said["Port"]), login)
        tried.append(said["Type"])
    assert tried == ["IMAP", "SMTP"]


@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.json", "/Autodiscover/Autodiscover.json"])
def test_newer_outlooks_are_led_to_the_same(house: House, site: str, path: str) -> None:
    query = f"Email={house.login(house.reader)}&Protocol=AutodiscoverV1&RedirectCount=1"
    answer = ask(house, f"{site}{path}?{query}")
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, "application/json")
    found = json.loads(answer.content)
    assert found["Protocol"] == "AutodiscoverV1"
    settings = ask(house, found["Url"], "POST", OUTLOOK_REQUEST.format(address=house.login(house.reader)))
    assert ElementTree.fromstring(settings.content).find(f".//{OUTLOOK}Protocol") is not None


def test_the_address_may_be_part_of_the_path(house: House, site: str) -> None:
    answer = ask(
        house,
        f"{site}/autodiscover/autodiscover.json/v1.0/{house.login(house.reader)}?Protocol=AutodiscoverV1",
    )
    assert answer.status_code == 200


# --- Apple


@pytest.fixture
def signed(house: House, tmp_path: Path) -> Path:
    """Return the profile as it is fetched."""
    answer = ask(house, f"https://{house.webmail_hostname}/setup/{house.domain}.mobileconfig")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-apple-aspen-config")
    path = tmp_path / "mobileconfig"
    path.write_bytes(answer.content)
    return path


def verify(signed: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Verify a signed file; its content is the output."""
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", str(signed), "-binary", *options]
    return subprocess.run(command, capture_output=True, check=False)


def payloads(house: House, signed: Path) -> dict[str, dict[str, Any]]:
    """Return the payloads of the profile by their type, its signature verified."""
    done = verify(signed, "-purpose", "any", "-CAfile", house.ca_file)
    assert done.returncode == 0, done.stderr.decode()
    return {one["PayloadType"]: one for one in plistlib.loads(done.stdout)["PayloadContent"]}


def test_the_profile_is_signed_by_the_host(house: House, signed: Path, tmp_path: Path) -> None:
    signer = tmp_path / "signer.pem"
    assert verify(signed, "-purpose", "any", "-CAfile", house.ca_file, "-signer", str(signer)).returncode == 0
    served = ssl.get_server_certificate((house.webmail_hostname, 443), ca_certs=house.ca_file)
    assert ssl.PEM_cert_to_DER_cert(signer.read_text()) == ssl.PEM_cert_to_DER_cert(served)
    signed.write_bytes(signed.read_bytes().replace(b"EmailTypeIMAP", b"EmailTypeIMAQ"))
    assert verify(signed, "-noverify").returncode != 0


def test_every_server_of_the_profile_takes_a_login(house: House, signed: Path) -> None:
    account = payloads(house, signed)["com.apple.mail.managed"]
    assert account.keys().isdisjoint(ASKED_OF_PEOPLE)
    for protocol, way in (("imap", "Incoming"), ("smtp", "Outgoing")):
        said = {name.removeprefix(f"{way}MailServer"): value for name, value in account.items()}
        assert said["UseSSL"] is True
        assert said["PortNumber"] in TLS_FIRST
        log_in(house, protocol, said["HostName"], said["PortNumber"], house.login(house.reader))


def test_the_profile_brings_the_houses_authority(house: House, signed: Path, authority: bytes) -> None:
    assert payloads(house, signed)["com.apple.security.root"]["PayloadContent"] == authority


# --- all of them


@pytest.mark.parametrize(
    "path",
    [
        "/mail/config-v1.1.xml",
        "/.well-known/autoconfig/mail/config-v1.1.xml",
        "/autodiscover/autodiscover.xml",
        "/setup/",
    ],
)
def test_plain_http_says_nothing_but_where_https_is(house: House, site: str, path: str) -> None:
    url = f"{site}{path}"
    answer = ask(house, url.replace("https:", "http:"))
    assert (answer.status_code, answer.headers["Location"]) == (301, url)
    assert b"mail.managed" not in answer.content
    assert house.mail_hostname.encode() not in answer.content


def test_names_for_programs_show_nothing_of_the_webmail(house: House) -> None:
    for name in house.autoconfig_hostnames:
        assert [
            ask(house, f"https://{name}{path}").status_code for path in ("/", "/index.php", "/?admin")
        ] == [404] * 3
