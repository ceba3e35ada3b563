# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dovecot's passwd-file: the wanted accounts in, the lines of the file and what changed out.

The format is ``user:password:uid:gid:(gecos):home:(shell):extra_fields``, without any escape:
https://doc.dovecot.org/2.4.0/core/config/auth/databases/passwd_file.html
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.disk import beside, describe, sync
from ansible_collections.ilnmors.mail.plugins.module_utils.dovecot_hash import (
    SHAPES,
    Scheme,
    SchemeError,
    in_parallel,
    normalise,
    split_label,
)
from ansible_collections.ilnmors.mail.plugins.module_utils.file_transaction import write_new

HEADER = "# Managed by Ansible (ilnmors.mail.dovecot_passwd_file): changes made here are lost."
REASONS = ("added", "removed", "password changed", "scheme changed", "cost changed", "fields changed")
_COLUMNS = ("uid", "gid", "gecos", "home", "shell")

# Told what was done with how many passwords of how many; says whether it is time to save what there is.
Watch = Callable[[str, int, int], bool]


def unwatched(_done: str, _number: int, _total: int) -> bool:
    """Watch nothing."""
    return False


class PasswdFileError(ValueError):
    """An option that cannot be used; the text names it, what was found, and what to do."""


class AccountNameError(PasswdFileError):
    """A login name that the file cannot hold, or holds already."""


class PasswordError(PasswdFileError):
    """A password or hash that is missing, double or unusable. The text never shows it."""


class ExtraFieldError(PasswdFileError):
    """An extra field that the file cannot hold."""


class PathError(PasswdFileError):
    """A path where no file can be written."""


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


# --- options


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


# --- the file


def parse(text: str) -> list[Entry | None]:
    """Return the file's lines but our header: entries, and None for each line that is no account."""
    lines = text.removesuffix("\n").split("\n") if text else []
    return [_parse_line(line) for line in lines if line != HEADER]


def _parse_line(line: str) -> Entry | None:
    name, colon, rest = line.removesuffix("\r").partition(":")
    if not name or not colon or name.startswith("#"):
        return None
    secret, _, columns = rest.partition(":")
    return Entry(name, secret, columns)


@dataclass(frozen=True)
class Change:
    """What becomes of one wanted account: the hash it keeps (None: hash its password), and why.

    ``entry`` is its line in the file, None for a new account.
    """

    account: Account
    entry: Entry | None = field(repr=False)
    kept: str | None = field(repr=False)
    reasons: tuple[str, ...]

    @property
    def columns(self) -> str:
        """The columns after the password; all are written, for with fewer Dovecot finds no user."""
        return f"{':' * len(_COLUMNS)}{self.account.fields}"


@dataclass(frozen=True)
class Plan:
    """What the file becomes. Nothing is hashed before ``render``."""

    current: str = field(repr=False)
    scheme: Scheme
    changes: list[Change]
    removed: list[str]

    @property
    def changed(self) -> bool:
        """Tell whether the file would be written."""
        return any(change.kept is None for change in self.changes) or self.render() != self.current

    def render(self, watch: Watch = unwatched, save: Callable[[str], object] | None = None) -> str:
        """Return the new file, hashing the passwords that need it on all cores.

        save: takes the file meanwhile, where nobody is missing who was there and stays: a run that is cut off has
        lost nothing, and the next one carries on.
        """
        stale = [change for change in self.changes if change.kept is None]
        hashes: dict[str, str] = {}
        for change, crypt in zip(
            stale,
            in_parallel(self.scheme.hash, [(change.account.password,) for change in stale]),
            strict=True,
        ):
            hashes[change.account.name] = f"{{{self.scheme.name}}}{crypt}"
            if watch("hashed", len(hashes), len(stale)) and save:
                save(self._text(hashes))
        return self._text(hashes)

    def _text(self, hashes: Mapping[str, str]) -> str:
        lines = [HEADER]
        for change in self.changes:
            if secret := change.kept or hashes.get(change.account.name):
                lines.append(Entry(change.account.name, secret, change.columns).line)
            elif change.entry:
                lines.append(change.entry.line)
        return "\n".join(lines) + "\n"

    def by_reason(self) -> dict[str, list[str]]:
        """Return the names of the accounts for each of REASONS, spelt with underscores."""
        found: dict[str, list[str]] = {reason: [] for reason in REASONS}
        for change in self.changes:
            for reason in change.reasons:
                found[reason].append(change.account.name)
        found["removed"] = self.removed
        return {reason.replace(" ", "_"): names for reason, names in found.items()}

    def diff(self) -> dict[str, str]:
        """Return before and after with neither hashes nor values: a line for each account."""
        before = [entry.summary if entry else "(a line that is no account)" for entry in parse(self.current)]
        after = []
        for change in self.changes:
            secret = change.kept or f"{{{self.scheme.name}}}"
            summary = Entry(change.account.name, secret, change.columns).summary
            after.append(summary + (f" ({', '.join(change.reasons)})" if change.reasons else ""))
        after += [f"{name} (removed)" for name in self.removed]
        return {"before": _text(before), "after": _text(after)}


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def make_plan(
    accounts: Sequence[Account],
    current: str,
    scheme: Scheme,
    watch: Watch = unwatched,
) -> Plan:
    """Compare the wanted accounts with the file's text, verifying the passwords that need it on all cores."""
    # The first line of a name is the one that Dovecot takes.
    existing: dict[str, Entry] = {}
    for entry in parse(current):
        if entry:
            existing.setdefault(entry.name, entry)

    stale = {
        account.name: _stale_without_verifying(account, existing.get(account.name), scheme)
        for account in accounts
    }
    doubtful = [a for a in accounts if a.password is not None and a.name in existing and not stale[a.name]]
    verified = in_parallel(
        scheme.verify, [(a.password, split_label(existing[a.name].hash)[1]) for a in doubtful]
    )
    for number, (account, same) in enumerate(zip(doubtful, verified, strict=True), 1):
        stale[account.name] = "" if same else "password changed"
        watch("verified", number, len(doubtful))

    changes = [_change(account, existing.get(account.name), stale[account.name]) for account in accounts]
    wanted = {account.name for account in accounts}
    return Plan(current, scheme, changes, [name for name in existing if name not in wanted])


def _stale_without_verifying(account: Account, entry: Entry | None, scheme: Scheme) -> str:
    """Return why the entry's hash cannot stay, empty when it may; only the password is left to verify."""
    if entry is None:
        return "added"
    label, crypt = split_label(entry.hash)
    if account.hash is not None:
        if account.hash == entry.hash:
            return ""
        return "password changed" if label == split_label(account.hash)[0] else "scheme changed"
    if label != scheme.name:
        return "scheme changed"
    if not SHAPES[label].fullmatch(crypt):
        return "password changed"
    return "" if scheme.has_cost(crypt) else "cost changed"


def _change(account: Account, entry: Entry | None, stale: str) -> Change:
    kept = account.hash or (entry.hash if entry and not stale else None)
    change = Change(account, entry, kept, (stale,) if stale else ())
    if entry and entry.columns != change.columns:
        return Change(account, entry, kept, (*change.reasons, "fields changed"))
    return change


def read_file(path: str) -> str | None:
    """Return the file's text, None when there is none; raise PathError."""
    try:
        return Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PathError(f"path: cannot read {path} ({error.strerror}): name a file") from None


def replace_file(path: str, text: str, prepare: Callable[[str], object]) -> None:
    """Put ``text`` in place at once; ``prepare`` sets the owner and mode of the temporary file (0600) before.

    Raise PathError when the directory or the disk takes no file; the one that is there stays.
    """
    target = Path(path)
    temporary = beside(target)
    try:
        write_new(temporary, text.encode("utf-8", "surrogateescape"), mode=0o600)
        prepare(str(temporary))
        temporary.replace(target)
        sync(target.parent)
    except FileNotFoundError as error:
        raise PathError(
            f"path: cannot write in {target.parent} ({error.strerror}): create the directory"
        ) from None
    except OSError as error:
        raise PathError(f"path: {describe(error, target)}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
