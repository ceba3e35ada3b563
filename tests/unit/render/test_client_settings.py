# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What mail programs read of a house, read back as they do."""

from __future__ import annotations

import json
import plistlib
import ssl
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.ilnmors.mail.plugins.filter.client_settings import client_settings
from ansible_collections.ilnmors.mail.plugins.module_utils._render.client_settings import (
    ClientSettings,
    autoconfig,
    autodiscover,
    documents,
    profile,
)

HOUSE = ClientSettings("home.internal", "mail.home.internal", "https://webmail.home.internal:8443")
ODD = 'https://webmail.home.internal/?a=1&b="<x>"'
AUTHORITY = "-----BEGIN CERTIFICATE-----\nAAAABBBB\n-----END CERTIFICATE-----\n"
TYPES = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


# --- Thunderbird and others


@pytest.fixture
def provider() -> ElementTree.Element:
    found = ElementTree.fromstring(autoconfig(HOUSE)).find("emailProvider")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (
            "incomingServer",
            [
                ("imap", 993, "SSL"),
                ("imap", 143, "STARTTLS"),
                ("pop3", 995, "SSL"),
                ("pop3", 110, "STARTTLS"),
            ],
        ),
        ("outgoingServer", [("smtp", 465, "SSL"), ("smtp", 587, "STARTTLS")]),
    ],
)
def test_the_best_server_comes_first(
    provider: ElementTree.Element, way: str, expected: list[tuple[str, int, str]]
) -> None:
    servers = provider.findall(way)
    assert [
        (one.get("type"), int(one.findtext("port", "0")), one.findtext("socketType")) for one in servers
    ] == expected
    for server in servers:
        assert server.findtext("hostname") == "mail.home.internal"
        assert server.findtext("username") == "%EMAILADDRESS%"
        assert server.findtext("authentication") == "password-cleartext"


def test_the_house_is_named(provider: ElementTree.Element) -> None:
    assert provider.get("id") == "home.internal"
    texts = {child.tag: child.text for child in provider if child.tag.startswith(("domain", "display"))}
    assert texts == {
        "domain": "home.internal",
        "displayName": "Mail at home.internal",
        "displayShortName": "home.internal",
    }


def test_pages_for_people_are_named(provider: ElementTree.Element) -> None:
    root = ElementTree.fromstring(autoconfig(HOUSE))
    assert root.attrib == {"version": "1.1"}
    documentation = provider.find("documentation")
    assert documentation is not None
    assert documentation.get("url") == "https://webmail.home.internal:8443/setup/"
    page = root.find("webMail/loginPage")
    assert page is not None
    assert page.get("url") == "https://webmail.home.internal:8443/"


# --- Outlook


def test_outlook_is_told_of_imap_and_smtp() -> None:
    root = ElementTree.fromstring(autodiscover(HOUSE))
    assert root.tag == "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}Autodiscover"
    account = root.find(f"{TYPES}Response/{TYPES}Account")
    assert account is not None
    assert account.findtext(f"{TYPES}AccountType") == "email"
    assert account.findtext(f"{TYPES}Action") == "settings"
    same = {"Server": "mail.home.internal", "DomainRequired": "off", "SPA": "off", "SSL": "on"}
    same["AuthRequired"] = "on"
    found = [
        {child.tag.removeprefix(TYPES): child.text for child in protocol}
        for protocol in account.findall(f"{TYPES}Protocol")
    ]
    assert found == [
        {"Type": "IMAP", "Port": "993", **same},
        {"Type": "SMTP", "Port": "465", **same, "UsePOPAuth": "on", "SMTPLast": "off"},
    ]


def test_newer_outlooks_are_led_to_the_xml() -> None:
    assert json.loads(documents(HOUSE)["autodiscover.json"]) == {
        "Protocol": "AutodiscoverV1",
        "Url": "https://webmail.home.internal:8443/autodiscover/autodiscover.xml",
    }


# --- Apple


def read_profile(house: ClientSettings) -> dict[str, Any]:
    found: dict[str, Any] = plistlib.loads(profile(house).encode())
    return found


def test_a_profile_sets_up_one_account() -> None:
    whole = read_profile(HOUSE)
    (account,) = whole["PayloadContent"]
    assert account["PayloadType"] == "com.apple.mail.managed"
    settings = {name: value for name, value in account.items() if not name.startswith("Payload")}
    assert settings == {
        "EmailAccountDescription": "Mail at home.internal",
        "EmailAccountType": "EmailTypeIMAP",
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": "mail.home.internal",
        "IncomingMailServerPortNumber": 993,
        "IncomingMailServerUseSSL": True,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": "mail.home.internal",
        "OutgoingMailServerPortNumber": 465,
        "OutgoingMailServerUseSSL": True,
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    assert whole["PayloadType"] == "Configuration"
    assert whole["PayloadOrganization"] == "home.internal"
    assert whole["PayloadIdentifier"] == "internal.home.mail-setup"


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        (AUTHORITY, [AUTHORITY]),
        (f"What it is for.\n{AUTHORITY}", [AUTHORITY]),
        ("", []),
        (AUTHORITY * 2, []),
        ("no certificate", []),
    ],
    ids=["one", "with-text", "none", "store", "other"],
)
def test_a_profile_brings_the_houses_own_authority(authority: str, expected: list[str]) -> None:
    payloads = read_profile(replace(HOUSE, authority=authority))["PayloadContent"][1:]
    assert [ssl.DER_cert_to_PEM_cert(payload["PayloadContent"]) for payload in payloads] == expected
    assert {payload["PayloadType"] for payload in payloads} <= {"com.apple.security.root"}


def test_identifiers_are_of_the_house_and_stay() -> None:
    def identifiers(house: ClientSettings) -> list[tuple[str, str]]:
        whole = read_profile(house)
        return [(one["PayloadIdentifier"], one["PayloadUUID"]) for one in [whole, *whole["PayloadContent"]]]

    found = identifiers(replace(HOUSE, authority=AUTHORITY))
    assert len(set(found)) == 3
    other_server = replace(HOUSE, server="post.home.internal", authority=AUTHORITY)
    assert identifiers(other_server) == found
    other_house = replace(HOUSE, domain="other.internal", authority=AUTHORITY)
    assert not set(found) & set(identifiers(other_house))


# --- all of them


def test_marks_of_xml_in_a_name_stay_text() -> None:
    house = replace(HOUSE, domain="<&>.internal", webmail_url=ODD)
    page = ElementTree.fromstring(autoconfig(house)).find("webMail/loginPage")
    assert page is not None
    assert page.get("url") == f"{ODD}/"
    assert ElementTree.fromstring(autodiscover(house)) is not None
    assert read_profile(house)["PayloadOrganization"] == "<&>.internal"
    assert json.loads(documents(house)["autodiscover.json"])["Url"].startswith(ODD)


def test_texts_are_the_same_each_time_and_end_with_a_line() -> None:
    house = {
        "domain": "home.internal",
        "server": "mail.home.internal",
        "webmail_url": "https://w.home",
    }
    texts = client_settings(house)
    assert list(texts) == ["config-v1.1.xml", "autodiscover.xml", "autodiscover.json", "mobileconfig"]
    assert client_settings(house) == texts
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in texts.values())
