# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dovecot's passwd-file: what its lines can hold, written and read.

The format is ``user:password:uid:gid:(gecos):home:(shell):extra_fields``, without any escape:
https://doc.dovecot.org/2.4.0/core/config/auth/databases/passwd_file.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_hash import (
    Scheme,
    SchemeError,
    normalise,
    split_label,
)

HEADER = "# Managed by Ansible (ilnmors.mail.dovecot_passwd_file): changes made here are lost."


_COLUMNS = ("uid", "gid", "gecos", "home", "shell")


class PasswdFileError(ValueError):
    """An option that cannot be used; the text names it, what was found, and what to do."""


class AccountNameError(PasswdFileError):
    """A login name that the file cannot hold, or holds already."""


class PasswordError(PasswdFileError):
    """A password or hash that is missing, double or unusable. The text never shows it."""


class ExtraFieldError(PasswdFileError):
    """An extra field that the file cannot hold."""


@dataclass(frozen=True)
class Account:
    """A wanted account: a password, or a ready-made hash as ``{SCHEME}crypt``; ``fields`` is the 8th column."""

    name: str
    fields: str
    password: bytes | None = field(default=None, repr=False)
    hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Entry:
    """A line of the file. ``columns`` is all that follows the password, without the first colon."""

    name: str
    hash: str = field(repr=False)
    columns: str = field(repr=False)

    @property
    def line(self) -> str:
        """The line as it stands in the file."""
        return f"{self.name}:{self.hash}:{self.columns}"

    @property
    def summary(self) -> str:
        """The line without values: name, scheme, names of the columns and extra fields that are set."""
        *columns, extra = [*self.columns.split(":", 5), *[""] * 6][:6]
        names = [name for name, value in zip(_COLUMNS, columns, strict=True) if value]
        names += [item.partition("=")[0] for item in extra.split()]
        return f"{self.name}: {', '.join([split_label(self.hash)[0] or 'no scheme', *names])}"


def read_accounts(options: Sequence[Mapping[str, Any]], scheme: Scheme) -> list[Account]:
    """Check the module's ``accounts``; raise PasswdFileError for the first that cannot be used."""
    accounts = []
    seen: dict[str, int] = {}
    for index, option in enumerate(options):
        where = f"accounts[{index}]"
        name = _name(where, option["name"])
        first = seen.setdefault(name.casefold(), index)
        if first != index:
            raise AccountNameError(
                f"{where}.name: found {name!r}, which accounts[{first}] has already "
                "(Dovecot compares in lower case): list each account once"
            )
        where += f" ({name})"
        fields = read_fields(where, option.get("extra_fields") or {})
        password, ready = option.get("password"), option.get("password_hash")
        if (password is None) == (ready is None):
            found = "neither password nor" if password is None else "both password and"
            raise PasswordError(f"{where}: found {found} password_hash, write exactly one of them")
        if password is None:
            accounts.append(Account(name, fields, hash=read_hash(where, str(ready))))
        else:
            accounts.append(Account(name, fields, password=read_password(where, password, scheme)))
    return accounts


def _name(where: str, name: str) -> str:
    faults = {
        "is empty": not name,
        "contains whitespace": any(character.isspace() for character in name),
        "contains an unprintable character": not name.isprintable(),
        "contains ':'": ":" in name,
        "contains '/'": "/" in name,
        "begins with '#'": name.startswith("#"),
    }
    for fault, present in faults.items():
        if present:
            raise AccountNameError(
                f"{where}.name: {name!r} {fault}, which no line of a passwd-file can hold: "
                "write the login name, such as 'il@ilnmors.internal'"
            )
    return name


def read_password(where: str, password: str, scheme: Scheme) -> bytes:
    """Return the bytes that the scheme hashes; raise PasswordError. where: the account, as the error names it."""
    # Ansible hands over bytes that are no UTF-8 as surrogates; they are hashed as they were given.
    secret = password.encode("utf-8", "surrogateescape")
    if not secret:
        raise PasswordError(f"{where}.password: it is empty, write a password")
    if b"\0" in secret:
        raise PasswordError(f"{where}.password: it contains a NUL byte, which no login can send: remove it")
    if scheme.longest_password is not None and len(secret) > scheme.longest_password:
        raise PasswordError(
            f"{where}.password: it has {len(secret)} bytes and {scheme.name} takes {scheme.longest_password}: "
            "shorten it, or choose scheme ARGON2ID"
        )
    return secret


def read_hash(where: str, text: str) -> str:
    """Return a ready-made hash as ``{SCHEME}crypt``; raise PasswordError."""
    try:
        return normalise(text)
    except SchemeError as error:
        raise PasswordError(f"{where}.password_hash: {error}") from None


def read_fields(where: str, fields: Mapping[str, Any]) -> str:
    """Return the 8th column; raise ExtraFieldError."""
    # Dovecot splits the column at spaces and the line at CR LF, and knows no quotes (db-passwd-file.c).
    # A leading colon is a format of Dovecot 1.0 to Dovecot 2.3; the password has a column of its own.
    items = []
    for key, value in fields.items():
        option = f"{where}.extra_fields"
        if re.search(r"[\s=\0]", key) or not key or key.startswith(":"):
            raise ExtraFieldError(
                f"{option}: the field name {key!r} is empty, begins with ':', "
                "or contains whitespace, '=' or NUL: write a name such as 'userdb_quota_storage_size'"
            )
        if key in ("password", "password_noscheme"):
            raise ExtraFieldError(f"{option}.{key}: a line has one password: write password or password_hash")
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise ExtraFieldError(
                f"{option}.{key}: found {type(value).__name__}, write a string ('' for a field without value)"
            )
        if re.search(r"[ \r\n\0]", str(value)):
            raise ExtraFieldError(
                f"{option}.{key}: the value contains a space, line break or NUL, which the file cannot hold: remove it"
            )
        items.append(f"{key}={value}" if value != "" else key)
    return " ".join(items)


def parse(text: str) -> list[Entry | None]:
    """Return the file's lines but our header: entries, and None for each line that is no account."""
    lines = text.removesuffix("\n").split("\n") if text else []
    return [_parse_line(line) for line in lines if line != HEADER]


def _parse_line(line: str) -> Entry | None:
    name, colon, rest = line.removesuffix("\r").partition(":")
    if not name or not colon or name.startswith("#"):
        return None
    secret, __, columns = rest.partition(":")
    return Entry(name, secret, columns)
