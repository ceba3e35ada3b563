# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the guide for people says, in words of one language.

In a text, ``*Settings › General*`` is what people look for on their screen and a text in backticks is what they type or
see as it is. Each text may name the values of `guide.Values`, such as ``{domain}``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trust:
    """Why devices have to trust the house, and whom they trust."""

    heading: str
    why: str
    limited: str
    """Where the authority counts for some domains alone."""
    unlimited: str
    fingerprint: str
    get_certificate: str


@dataclass(frozen=True)
class Apple:
    """iPhones, iPads and Macs, which take a profile."""

    name: str
    open_profile: str
    phone: str
    phone_open: str
    phone_install: str
    phone_trust: str
    mac: str
    mac_open: str
    mac_install: str
    mac_trust: str


@dataclass(frozen=True)
class Android:
    """Phones and tablets with Android."""

    name: str
    install: str
    account: str
    others: str
    monitored: str
    """The words of the notice that Android shows once any authority was added."""
    monitored_limited: str
    monitored_unlimited: str


@dataclass(frozen=True)
class Windows:
    """Computers with Windows."""

    name: str
    install: str
    thunderbird: str
    outlook: str
    new_outlook: str


@dataclass(frozen=True)
class Linux:
    """Computers with Linux; and Thunderbird, which keeps authorities of its own."""

    name: str
    imported: str
    account: str
    system: str


@dataclass(frozen=True)
class Others:
    """Everything else: a table of settings to copy."""

    name: str
    intro: str
    column_use: str
    column_tls: str
    column_starttls: str
    reading: str
    sending: str
    fetching: str
    filtering: str


@dataclass(frozen=True)
class Texts:
    """All that the guide says. name: of the language, in that language."""

    name: str
    title: str
    intro: str
    read_in_browser: str
    code: str
    code_caption: str
    choose: str
    other_languages: str
    trust: Trust
    apple: Apple
    android: Android
    windows: Windows
    linux: Linux
    others: Others
