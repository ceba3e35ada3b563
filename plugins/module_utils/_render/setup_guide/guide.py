# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The guide by which people set up their devices: one page in each language, device by device.

A language is a file in ``languages``, whose ``TEXTS`` say everything; nothing else names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast

from ansible_collections.ilnmors.mail.plugins.module_utils._render.client_settings import ClientSettings
from ansible_collections.ilnmors.mail.plugins.module_utils._render.setup_guide.texts import Texts

try:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup, escape
except ImportError:  # on no controller: ansible-core itself needs them
    pass

DEFAULT = "en"
"""For whose language is not there."""

Filled = TypeVar("Filled")


@dataclass(frozen=True)
class Values:
    """What texts may name. domains: those that the authority is limited to; authority: its name, empty for none."""

    domain: str
    server: str
    url: str
    profile: str
    authority: str = ""
    domains: str = ""


@dataclass(frozen=True)
class Button:
    """What is pressed to get a file."""

    text: str
    href: str


@dataclass(frozen=True)
class Way:
    """Steps one after the other. name: which device they are for, empty where the section's name says it."""

    steps: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True)
class Note:
    """What is good to know. title: what people ask about, empty for none."""

    text: str
    title: str = ""


@dataclass(frozen=True)
class Device:
    """A section of the page. key: its anchor."""

    key: str
    name: str
    buttons: tuple[Button, ...]
    ways: tuple[Way, ...]
    notes: tuple[Note, ...] = ()


def languages() -> dict[str, Texts]:
    """Return the texts of each language by its code (ISO 639), the default one first."""
    folder = Path(__file__).parent / "languages"
    codes = sorted((path.stem for path in folder.glob("*.py")), key=lambda code: (code != DEFAULT, code))
    package = f"{__name__.rpartition('.')[0]}.languages"
    return {code: cast(Texts, import_module(f"{package}.{code}").TEXTS) for code in codes}


def accepted(codes: list[str]) -> dict[str, str]:
    """Return the regular expression for each language that matches an Accept-Language in which it comes first.

    Browsers name languages in the order in which people want them (RFC 9110 section 12.5.4 would have the weights
    decide). Those that are not there are passed over. The default needs none.
    """
    known = "|".join(codes)
    return {code: rf"^(?:(?!\s*(?:{known})\b)[^,]*,)*\s*{code}\b" for code in codes if code != DEFAULT}


def pages(house: ClientSettings, authority: Mapping[str, Any], template: str) -> dict[str, str]:
    """Return the page of each language by its code.

    authority: as `authority_details` describes it, empty where devices trust the certificate already. template: for
    Jinja, with `texts`, `devices`, `languages`, `language`, `house` and `authority`.
    """
    values = Values(
        domain=house.domain,
        server=house.server,
        url=house.setup_url,
        profile=house.name,
        authority=str(authority.get("name", "")),
        domains=", ".join(authority.get("domains", ())),
    )
    known = languages()
    page = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(template)
    return {
        code: page.render(
            house=house,
            authority=authority,
            language=code,
            languages={other: others.name for other, others in known.items()},
            texts=(filled := fill(texts, values)),
            devices=list(devices(filled, values)),
        )
        + "\n"
        for code, texts in known.items()
    }


def fill(texts: Filled, values: Values) -> Filled:
    """Return a record of texts as HTML, with the values in them."""
    parts = {}
    for field in fields(cast(Any, texts)):
        part = getattr(texts, field.name)
        parts[field.name] = fill(part, values) if is_dataclass(part) else _html(part, values)
    filled: Filled = cast(Any, type(texts))(**parts)
    return filled


def _html(text: str, values: Values) -> Markup:
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    html = re.sub(r"\*([^*]+)\*", r"<b>\1</b>", html)
    return Markup(html).format(**asdict(values))  # noqa: S704


def devices(texts: Texts, values: Values) -> Iterator[Device]:
    """Yield what to do on each kind of device; only a house with its own authority has to be trusted first."""
    own = bool(values.authority)
    certificate = (Button(texts.trust.get_certificate, "/setup/ca.crt"),) if own else ()

    def steps(*each: str, trusting: str = "", first: str = "") -> tuple[str, ...]:
        return (*((first,) if own and first else ()), *each, *((trusting,) if own and trusting else ()))

    apple, android, windows, linux = texts.apple, texts.android, texts.windows, texts.linux
    yield Device(
        "apple",
        apple.name,
        (Button(apple.open_profile, f"/setup/{values.domain}.mobileconfig"),),
        (
            Way(steps(apple.phone_open, apple.phone_install, trusting=apple.phone_trust), apple.phone),
            Way(steps(apple.mac_open, apple.mac_install, trusting=apple.mac_trust), apple.mac),
        ),
    )
    monitored = android.monitored_limited if values.domains else android.monitored_unlimited
    yield Device(
        "android",
        android.name,
        certificate,
        (Way(steps(android.account, first=android.install)),),
        (*((Note(monitored, android.monitored),) if own else ()), Note(android.others)),
    )
    yield Device(
        "windows",
        windows.name,
        certificate,
        (Way(steps(windows.thunderbird, windows.outlook, first=windows.install)),),
        (Note(windows.new_outlook),),
    )
    yield Device(
        "linux",
        linux.name,
        certificate,
        (Way(steps(linux.account, first=linux.imported)),),
        (Note(linux.system),) if own else (),
    )
