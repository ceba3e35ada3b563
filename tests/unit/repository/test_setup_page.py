"""The guide that people read to set up their devices."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.filter.setup_pages import setup_pages
from ansible_collections.ilnmors.mail.plugins.module_utils._render.client_settings import INCOMING, OUTGOING
from ansible_collections.ilnmors.mail.plugins.module_utils._render.setup_guide.guide import (
    accepted,
    languages,
)

ROLE = Path(__file__).parents[3] / "roles" / "webmail_host"
TEMPLATE = (ROLE / "templates" / "setup.html.j2").read_text()
HOUSE = {
    "domain": "home.internal",
    "server": "mail.home.internal",
    "webmail_url": "https://webmail.home.internal:8443",
}
AUTHORITY = {
    "name": "home.internal mail CA",
    "fingerprint": ":".join(["5A"] * 32),
    "domains": ["home.internal"],
}
AUTHORITIES = pytest.mark.parametrize("authority", [AUTHORITY, {}], ids=["own-authority", "known-authority"])
LANGUAGES = pytest.mark.parametrize("language", languages())
VOID = {"meta", "link", "img", "wbr"}
HEADINGS = ("h1", "h2", "h3")


class Page(HTMLParser):
    """What a reader finds in a page: its headings, its links, and what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in HEADINGS:
            self.headings.append((self.open[-1], data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def links(self) -> list[str | None]:
        return [attributes["href"] for attributes in self.all("a")]


def render(authority: dict[str, Any], language: str = "en") -> str:
    made = setup_pages(HOUSE, authority, TEMPLATE, "/setup")
    assert [folder["path"] for folder in made["directories"]] == [f"/setup/{code}" for code in languages()]
    pages: dict[str, str] = {file["path"]: file["content"] for file in made["files"]}
    return pages[f"/setup/{language}/index.html"]


# --- each page


@LANGUAGES
@AUTHORITIES
def test_the_page_is_well_formed_and_stays_at_home(authority: dict[str, Any], language: str) -> None:
    page = Page(render(authority, language))
    assert page.open == []
    assert [tag for tag, attributes in page.tags if tag in ("script", "style") or "style" in attributes] == []
    sources = [image["src"] for image in page.all("img")] + [link["href"] for link in page.all("link")]
    assert [source for source in sources if not str(source).startswith("/setup/")] == []


@LANGUAGES
@AUTHORITIES
def test_the_page_can_be_heard_as_well_as_seen(authority: dict[str, Any], language: str) -> None:
    """A language, one main heading, none that is left out, pictures that are named, labels that are there."""
    page = Page(render(authority, language))
    assert page.all("html") == [{"lang": language}]
    levels = [int(level[1]) for level, __ in page.headings]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip([0, *levels], levels, strict=False))
    assert [image for image in page.all("img") if "alt" not in image] == []
    named = {attributes["id"] for __, attributes in page.tags if "id" in attributes}
    labels = {
        attributes["aria-labelledby"] for __, attributes in page.tags if "aria-labelledby" in attributes
    }
    anchors = {link[1:] for link in page.links() if link and link.startswith("#")}
    assert labels | anchors <= named
    assert {cell["scope"] for cell in page.all("th")} == {"col", "row"}


@LANGUAGES
def test_every_language_is_reached_from_every_page(language: str) -> None:
    page = Page(render(AUTHORITY, language))
    others = [link for link in page.all("a") if "hreflang" in link]
    assert [(link["href"], link["lang"]) for link in others] == [
        (f"/setup/{code}/", code) for code in languages()
    ]
    assert [link["lang"] for link in others if link.get("aria-current") == "page"] == [language]


@LANGUAGES
@AUTHORITIES
def test_every_language_says_the_same_steps(authority: dict[str, Any], language: str) -> None:
    def skeleton(text: str) -> list[str]:
        return [tag for tag, __ in Page(text).tags if tag not in ("b", "code", "html")]

    assert skeleton(render(authority, language)) == skeleton(render(authority))


# --- texts


def words(record: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text of a record with where it is."""
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if isinstance(value, str):
            yield f"{path}{field.name}", value
        else:
            yield from words(value, f"{path}{field.name}.")


@LANGUAGES
def test_a_language_names_the_same_values_as_the_first_one(language: str) -> None:
    """Nobody reads a step without the address, the name or the file that it is about."""

    def values(code: str) -> dict[str, tuple[set[str], set[str]]]:
        return {
            path: (set(re.findall(r"\{\w+\}", text)), set(re.findall(r"`[^`]+`", text)))
            for path, text in words(languages()[code])
        }

    assert values(language) == values("en")


@LANGUAGES
def test_no_text_is_empty_or_has_marks_that_are_not_closed(language: str) -> None:
    for path, text in words(languages()[language]):
        assert text.strip() == text != "", path
        assert text.count("*") % 2 == text.count("`") % 2 == 0, path


# --- what a house needs


def test_devices_that_trust_the_house_already_have_no_such_step() -> None:
    own, known = (Page(render(authority)) for authority in (AUTHORITY, {}))
    assert [text for level, text in own.headings if level == "h2"] == [
        "Why your device has to trust this house",
        "iPhone, iPad, Mac",
        "Android",
        "Windows",
        "Linux and Thunderbird",
        "Everything else: settings to copy",
    ]
    assert [heading for heading in own.headings if heading not in known.headings] == [
        ("h2", "Why your device has to trust this house")
    ]
    profile = "/setup/home.internal.mobileconfig"
    assert [link["href"] for link in own.all("a") if link.get("class") == "button"] == [
        profile,
        *["/setup/ca.crt"] * 3,
    ]
    assert [link["href"] for link in known.all("a") if link.get("class") == "button"] == [profile]
    assert "certificate" not in render({}).replace("accept no certificates that were added", "").lower()


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        (
            ["home.internal"],
            ["counts for names in home.internal and for no others", "a site in home.internal,"],
        ),
        (
            ["home.internal", "home.example"],
            [
                "names in home.internal, home.example and for no others",
                "a site in home.internal, home.example,",
            ],
        ),
        ([], ["is not limited to this house", "could pose as any site"]),
    ],
)
def test_what_the_authority_could_do_is_said(domains: list[str], expected: list[str]) -> None:
    page = render({**AUTHORITY, "domains": domains})
    assert [text for text in expected if text not in page] == []


def test_what_android_says_of_the_authority_is_explained() -> None:
    assert "<strong>\u201cNetwork may be monitored\u201d</strong>" in render(AUTHORITY)
    assert "monitored" not in render({})
    assert "<strong>\u201c네트워크가 모니터링될 수 있음\u201d</strong>" in render(AUTHORITY, "ko")


def test_a_name_of_the_authority_is_no_markup_and_no_text_of_the_guide() -> None:
    page = render({**AUTHORITY, "name": "<i>{domain} *a* `b`"})
    assert "\u201c&lt;i&gt;{domain} *a* `b`\u201d" in page
    assert "<i>" not in page


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


# --- which language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("*", "en"),
        ("en-US,en;q=0.5", "en"),
        ("ko", "ko"),
        ("KO-kr", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("fr-FR,fr;q=0.9,ko;q=0.8,en;q=0.7", "ko"),
        ("fr , ko", "ko"),
        ("fr-FR,fr;q=0.9,en;q=0.8,ko;q=0.7", "en"),
        ("kok-IN,en;q=0.5", "en"),
        ("enm,ko", "ko"),
        (" , " * 5_000, "en"),
    ],
)
def test_the_browsers_language_is_the_first_that_there_is(header: str, language: str) -> None:
    chosen = [
        code for code, pattern in accepted(["en", "ko"]).items() if re.search(pattern, header, re.IGNORECASE)
    ]
    assert chosen == [language] * (language != "en")


def test_a_third_language_stands_beside_the_others() -> None:
    patterns = accepted(["en", "ja", "ko"])
    assert [code for code, pattern in patterns.items() if re.search(pattern, "fr,ja;q=0.9,ko;q=0.8")] == [
        "ja"
    ]
