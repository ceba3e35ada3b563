# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The types that values of a site's description have: names, addresses, passwords, paths, sizes, times, networks."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.addresses import (
    is_address,
    is_domain,
    is_local_part,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import Report, Unread, Wrong, shown
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import (
    Choice,
    Flag,
    Items,
    Number,
    OneOrMore,
    Path,
    Reader,
    Scalar,
    Text,
    kind_of,
)

# --- names

# RFC 5280, upper bound of a common name: longer ones cannot stand in a certificate. The authority's is the domain and
# " mail CA".
_LONGEST_HOSTNAME = 64
_LONGEST_DOMAIN = _LONGEST_HOSTNAME - len(" mail CA")
# What Dovecot lets log in (auth_username_chars), of that.
_LOGIN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\Z", re.IGNORECASE)
_LABELS = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z", re.IGNORECASE)


def _hostname(example: str) -> Text:
    return Text("a fully qualified domain name", example, is_domain, _LONGEST_HOSTNAME)


# Where everybody may have a mailbox: the addresses of these domains are other people's.
_PUBLIC = frozenset(
    (
        *("gmail.com", "googlemail.com", "naver.com", "daum.net", "hanmail.net", "kakao.com", "nate.com"),
        *("outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com", "ymail.com", "aol.com"),
        *("icloud.com", "me.com", "mac.com", "fastmail.com", "proton.me", "protonmail.com", "gmx.com"),
        *("gmx.net", "gmx.de", "web.de", "t-online.de", "zoho.com"),
        *("yandex.com", "yandex.ru", "mail.ru", "qq.com", "163.com", "126.com"),
    )
)


def _is_own_domain(text: str) -> bool:
    if text.lower() in _PUBLIC:
        raise Wrong(
            f"{text!r} is a public provider's, so other people's mail would be kept here",
            "write a domain of your own, or one below .internal, such as 'home.internal'",
        )
    if text.lower().endswith(".local"):
        raise Wrong(
            f"{text!r} would be asked for by multicast, not in your DNS (RFC 6762)",
            "write one below .internal, such as 'home.internal'",
        )
    return is_domain(text)


DOMAIN: Final = Text("a fully qualified domain name", "home.internal", _is_own_domain, _LONGEST_DOMAIN)
OLD_DOMAIN: Final = Text("a fully qualified domain name", "old.internal", is_domain, empty=True)
MAIL_HOSTNAME: Final = _hostname("mail.home.internal")
OLD_HOSTNAME: Final = Text("a fully qualified domain name", "mail.home.internal", is_domain, 64, empty=True)
WEBMAIL_HOSTNAME: Final = _hostname("webmail.home.internal")
OWN_WEBMAIL_HOSTNAME: Final = Text(
    "a fully qualified domain name", "old-webmail.home.internal", is_domain, _LONGEST_HOSTNAME, empty=True
)
HOSTNAMES: Final = Items(_hostname("autoconfig.home.internal"), "[autoconfig.home.internal]")
WEBMAIL: Final = Choice(("snappymail", "roundcube"))
WEBMAILS: Final = OneOrMore(WEBMAIL, "[roundcube, snappymail]")
CERTIFICATE_NAMES: Final = Items(_hostname("mail.home.internal"), "[mail.home.internal]")
CA_DOMAINS: Final = Items(
    Text("a domain", "home.internal", lambda text: bool(_LABELS.match(text))),
    "[home.internal]",
)
LOGIN_NAME: Final = Text(
    "a name to log in with, of letters, digits, '-', '_' and single dots inside",
    "il.home",
    lambda text: bool(_LOGIN.match(text)),
    64,
)
LOCAL_PART: Final = Text("the local part of an address", "postmaster", is_local_part, 64)
MAIL_ADDRESS: Final = Text("a mail address", "il@gmail.com", is_address)
DISPLAY_NAME: Final = Text("a name", "Alex", longest=200, empty=True)
INVENTORY_HOST: Final = Text("the name of a host of the inventory", "mail.home.internal")
UNIT: Final = Text(
    "the name of a systemd unit",
    "dovecot.service",
    lambda text: bool(re.fullmatch(r"[\w:.@\\-]+\.\w+", text, re.ASCII)),
)
# Users of Debian's base system (base-passwd) and of the services themselves, who have other work.
_OTHERS = frozenset(
    (
        *(
            "root",
            "daemon",
            "bin",
            "sys",
            "sync",
            "games",
            "man",
            "lp",
            "mail",
            "news",
            "uucp",
            "proxy",
            "www-data",
        ),
        *("backup", "list", "irc", "_apt", "nobody", "postfix", "dovecot", "dovenull", "sshd", "messagebus"),
    )
)


def _owns_mail(text: str) -> bool:
    if text in _OTHERS:
        raise Wrong(
            f"{text!r} is a user of the system, which the role would change",
            "write one for mail alone, such as 'vmail'",
        )
    return bool(re.fullmatch(r"[a-z_][a-z0-9_-]*", text))


MAIL_OWNER: Final = Text("the name of a system user", "vmail", _owns_mail, 31)

FLAG: Final = Flag()

# --- secrets


def has_no_edge(text: str) -> bool:
    """Whether nothing of a text would be lost at its edges."""
    if text != text.strip():
        raise Wrong("begins or ends with a space", "write it without, for not every program would send it")
    return True


def _is_password(text: str) -> bool:
    if text.lower() == "change-me":
        raise Wrong("is the one of the example, which everybody knows", "write one of your own")
    return has_no_edge(text)


PASSWORD: Final = Text("a password", "a long one of your own", _is_password, 1_000, empty=True, secret=True)
HASH: Final = Text("a hash", "{ARGON2ID}$argon2id$…", longest=500, empty=True, secret=True)
# RFC 6749 appendix A: printable ASCII.
_TOKEN_CHARACTERS = re.compile(r"[\x20-\x7e]+")


def _is_token(text: str) -> bool:
    if not _TOKEN_CHARACTERS.fullmatch(text):
        raise Wrong("has a line break or another character that it cannot have", "copy it anew")
    return True


_GIVEN = "what the provider gives, as the README of the role mail_oauth2 says"
REFRESH_TOKEN: Final = Text(_GIVEN, "1//0e…", _is_token, 8_000, empty=True, secret=True)
CLIENT_SECRET: Final = Text(_GIVEN, "GOCSPX-…", _is_token, 8_000, empty=True, secret=True)
CLIENT_ID: Final = Text(_GIVEN, "123….apps.googleusercontent.com", _is_token, 500)
SCOPE: Final = Text("a scope", "https://mail.google.com/", _is_token, 2_000, empty=True)

# --- paths

# What a systemd unit, and the configuration of every daemon, take for a path without quoting.
_PATH = re.compile(r"(/[\w.@+-]+)+/?", re.ASCII)
_TOP = "bin boot dev etc home lib lib32 lib64 lost+found media mnt opt proc root run sbin srv sys tmp usr var"
_VAR = "backups cache lib local lock log mail opt run spool tmp www lib/dovecot"
_SHARED = frozenset(
    (
        "/",
        *(f"/{name}" for name in _TOP.split()),
        *(
            f"/usr/{name}"
            for name in ("bin", "lib", "libexec", "local", "local/bin", "local/lib", "sbin", "share", "src")
        ),
        *(f"/var/{name}" for name in _VAR.split()),
        "/etc/dovecot",
        "/etc/postfix",
        "/var/spool/postfix",
    )
)


def _is_path(text: str) -> bool:
    return bool(_PATH.fullmatch(text)) and not {".", ".."} & set(text.split("/"))


def _is_own_directory(text: str) -> bool:
    if not _is_path(text):
        return False
    if text.rstrip("/") in _SHARED or text == "/":
        raise Wrong(
            f"{shown(text)} is a directory of the system, which the role would take for itself",
            "write one below it",
        )
    return True


_PATH_WORDS = "an absolute path of letters, digits and -_.@+/"
MAIL_DIRECTORY: Final = Path(_PATH_WORDS, "/var/vmail", _is_own_directory, 200)
CERTIFICATE_DIRECTORY: Final = Path(_PATH_WORDS, "/etc/ssl/ilnmors-mail", _is_own_directory, 200)
CERTIFICATE_FILE: Final = Path(_PATH_WORDS, "/etc/ssl/mail.pem", _is_path, 1_000, empty=True)
AUTHORITY_FILE: Final = Path(_PATH_WORDS, "/etc/ssl/certs/ca-certificates.crt", _is_path, 1_000)
PASSWORD_FILE: Final = Path(_PATH_WORDS, "/etc/mail-passwords/gmail", _is_path, 1_000, empty=True)
METRICS_DIRECTORY: Final = Path(_PATH_WORDS, "/var/lib/prometheus/node-exporter", _is_path, 200, empty=True)
PROMETHEUS_DIRECTORY: Final = Path(_PATH_WORDS, "/etc/prometheus/ilnmors-mail", _is_path, 200)
# On the controller, whose paths may be anything.
CONTROLLER_FILE: Final = Path("a path", "/home/il/snappymail.tar.gz", longest=4_000, empty=True)

# --- numbers

PORT: Final = Number(1, 65535, 8443)
WEB_PORT: Final = Number(0, 65535, 8080)
SMTP_PORT: Final = Number(1, 65535, 587)
IMAP_PORT: Final = Number(1, 65535, 993)
DAYS: Final = Number(0, 36_500, 30, "days")
SECONDS: Final = Number(1, 2**31 - 1, 600, "seconds")
ATTEMPTS: Final = Number(1, 1_000, 10, "wrong passwords")

# --- sizes and times


@dataclass(frozen=True)
class Size(Scalar[str]):
    """The size of a mailbox. A number without a unit means bytes to Dovecot 2.4, and kilobytes to 2.3."""

    kind = "str"

    def convert(self, value: object) -> str:
        """Return the size with its unit, or an empty text for none."""
        if value in ("", "0") or (value == 0 and isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
        found = re.fullmatch(r"([1-9][0-9]{0,18})([BKMGT])", str(value), re.IGNORECASE | re.ASCII)
        # Dovecot counts in signed 64 bits; 2.4 takes what is more for no limit.
        if (
            not isinstance(value, str)
            or not found
            or int(found[1]) << 10 * "BKMGT".index(found[2].upper()) >= 1 << 63
        ):
            raise Wrong(f"{kind_of(value)}, which is no size", f"write {self.wanted()}")
        return value.upper()

    def wanted(self) -> str:
        """Say what to write."""
        return "a whole number with B, K, M, G or T, such as '5G', or '0' for none"


QUOTA: Final = Size()
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def _postfix_time(least: int, example: str) -> Text:
    """Read a time of postconf(5), with a unit: people are told of it. least: in seconds."""

    def is_time(text: str) -> bool:
        found = re.fullmatch(r"([0-9]{1,9})([smhdw])", text, re.ASCII)
        # Postfix counts seconds in 31 bits.
        return bool(found) and least <= int(found[1]) * _SECONDS[found[2]] < 2**31  # type: ignore[index]

    return Text("a time, a number with s, m, h, d or w", example, is_time, 20)


DELAY_WARNING: Final = _postfix_time(0, "4h")
QUEUE_LIFETIME: Final = _postfix_time(1, "5d")

# systemd.time(7), from seconds on. A number alone means seconds.
_UNIT = r"s|sec|seconds?|m|min|minutes?|h|hr|hours?|d|days?|w|weeks?|M|months?|y|years?"
_TIME_SPAN = re.compile(
    rf"(?:[0-9]{{1,9}}(?:\.[0-9]{{1,9}})?\s{{0,5}}(?:(?:{_UNIT})(?![a-zA-Z])\s{{0,5}}|(?![0-9a-zA-Z.])))+"
)


def _is_time_span(text: str) -> bool:
    return bool(_TIME_SPAN.fullmatch(text.strip()) and re.search("[1-9]", text))


FETCH_INTERVAL: Final = Text("a time that systemd knows (systemd.time(7))", "1h 30min", _is_time_span, 100)

# --- networks


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_network_or_name(text: str) -> bool:
    return _is_network(text) or is_domain(text)


IP_ADDRESS: Final = Text("an IP address", "192.168.1.2", _is_ip_address)
METRICS_ADDRESS: Final = Text("an IP address", "127.0.0.1", _is_ip_address, empty=True)
IP_ADDRESSES: Final = Items(IP_ADDRESS, "[192.168.1.2]")
NETWORK: Final = Text(
    "an address or a network in CIDR form (no bits set beyond the prefix)", "192.168.1.0/24", _is_network
)
NETWORKS: Final = Items(NETWORK, "[192.168.1.0/24, 'fd00:1::/64']")
IGNORED: Final = Items(
    Text("an address, a network in CIDR form or a host name", "192.168.1.0/24", _is_network_or_name),
    "[192.168.1.0/24]",
)

# --- what is free to say


@dataclass(frozen=True)
class Settings(Reader[Mapping[str, object]]):
    """A dictionary of settings that no option covers. nested: whether a value may be such a dictionary itself.

    lists: whether a value may be a list of single values. secret: whether values are not to be shown; none is anyway.
    """

    example: str
    nested: bool = False
    lists: bool = False
    kind = "dict"

    def read(self, value: object, where: str, report: Report) -> Mapping[str, object]:
        """Return the settings: texts, numbers, booleans and null."""
        if not isinstance(value, Mapping):
            report.add(
                where, Wrong(f"{kind_of(value, True)}, where a dictionary is due", f"write {self.wanted()}")
            )
            raise Unread
        found: dict[str, object] = {}
        for name, item in value.items():
            if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > 200:
                report.add(where, Wrong(f"{shown(name)} is no name of a setting", f"write {self.wanted()}"))
            else:
                self._read_item(name, item, f"{where}.{name}", report, found)
        if len(found) < len(value):
            raise Unread
        return found

    def _read_item(
        self, name: str, item: object, where: str, report: Report, found: dict[str, object]
    ) -> None:
        if isinstance(item, Mapping) and self.nested:
            try:
                found[name] = self.read(item, where, report)
            except Unread:
                return
        elif isinstance(item, list | tuple) and self.lists:
            found[name] = self._read_list(item, where, report)
        elif isinstance(item, str) and len(item.splitlines()) > 1:
            report.add(where, Wrong("has several lines", "write the value on one line"))
        elif item is None or isinstance(item, str | int | float):
            found[name] = item
        else:
            report.add(
                where,
                Wrong(f"{kind_of(item, True)}, where a single value is due", "write a text or a number"),
            )

    def _read_list(self, items: Sequence[object], where: str, report: Report) -> list[object]:
        found: dict[str, object] = {}
        single = Settings(self.example)
        for index, item in enumerate(items):
            single._read_item(str(index), item, f"{where}[{index}]", report, found)
        return list(found.values())

    def wanted(self) -> str:
        """Say what to write."""
        return f"each setting as 'name: value', such as {self.example}"
