"""The guide that people read to set up their devices."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.ilnmors.mail.plugins.module_utils._render.client_settings import INCOMING, OUTGOING

TEMPLATE = Path(__file__).parents[3] / "roles" / "webmail_host" / "templates" / "setup.html.j2"
AUTHORITY = {
    "name": "home.internal mail CA",
    "fingerprint": ":".join(["5A"] * 32),
    "domains": ["home.internal"],
}
VOID = {"meta", "link", "img", "wbr"}


class Page(HTMLParser):
    """What a reader finds in a page: its headings, its links, and what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.headings: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)

    def links(self) -> list[str | None]:
        return [attributes["href"] for tag, attributes in self.tags if tag == "a"]


def render(authority: dict[str, Any]) -> str:
    variables = {
        "__webmail_host": {"domain": "home.internal", "mail_hostname": "mail.home.internal"},
        "__webmail_host_url": "https://webmail.home.internal:8443",
        "__webmail_host_authority": authority,
    }
    templar = Templar(loader=DataLoader(), variables=variables)
    return str(templar.template(trust_as_template(TEMPLATE.read_text())))


@pytest.mark.parametrize("authority", [AUTHORITY, {}], ids=["own-authority", "known-authority"])
def test_the_page_is_well_formed_and_stays_at_home(authority: dict[str, Any]) -> None:
    page = Page(render(authority))
    assert page.open == []
    assert [tag for tag, attributes in page.tags if tag in ("script", "style") or "style" in attributes] == []
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert [source for source in sources if not str(source).startswith("/setup/")] == []
    assert [attributes for tag, attributes in page.tags if tag == "img" and not attributes.get("alt")] == []


@pytest.mark.parametrize(
    ("authority", "headings", "links"),
    [
        (
            AUTHORITY,
            ["1. Trust the house", "2. Set up your device", "3. Settings to copy by hand"],
            ["https://webmail.home.internal:8443/", "/setup/ca.crt", "/setup/home.internal.mobileconfig"],
        ),
        (
            {},
            ["1. Set up your device", "2. Settings to copy by hand"],
            ["https://webmail.home.internal:8443/", "/setup/home.internal.mobileconfig"],
        ),
    ],
    ids=["own-authority", "known-authority"],
)
def test_the_steps_that_a_house_needs(
    authority: dict[str, Any], headings: list[str], links: list[str]
) -> None:
    page = Page(render(authority))
    assert page.headings == headings
    assert page.links() == links


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        (["home.internal"], "counts for names in home.internal and for no others"),
        (
            ["home.internal", "home.example"],
            "counts for names in home.internal, home.example and for no others",
        ),
        ([], "is not limited to this house"),
    ],
)
def test_what_the_authority_could_do_is_said(domains: list[str], expected: str) -> None:
    assert expected in render({**AUTHORITY, "domains": domains})


def test_a_name_of_the_authority_is_no_markup() -> None:
    assert "<b>" not in render({**AUTHORITY, "name": "<b>"})


def test_the_ports_are_those_that_mail_programs_are_told() -> None:
    rows = re.findall(
        r"<tr><th scope=\"row\">\w+ \((\w+)\)</th><td>(\S+)</td><td>(\d+)</td></tr>", render({})
    )
    shown = {
        (protocol.lower(), int(port), tls)
        for protocol, *ports in rows
        for port, tls in zip(ports, ("SSL", "STARTTLS"), strict=True)
        if protocol != "ManageSieve"
    }
    assert shown == {(server.protocol, server.port, server.tls) for server in (*INCOMING, *OUTGOING)}
