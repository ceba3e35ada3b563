# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dovecot's passwd-file: the wanted accounts in, the lines of the file and what changed out.

The format is ``user:password:uid:gid:(gecos):home:(shell):extra_fields``, without any escape:
https://doc.dovecot.org/2.4.0/core/config/auth/databases/passwd_file.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import beside, describe, sync
from ansible_collections.ilnmors.mail.plugins.module_utils._files.file_transaction import write_new
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_hash import (
    SHAPES,
    Scheme,
    in_parallel,
    split_label,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_passwd import (
    _COLUMNS,
    HEADER,
    Account,
    Entry,
    PasswdFileError,
    parse,
)

REASONS = ("added", "removed", "password changed", "scheme changed", "cost changed", "fields changed")

# Told what was done with how many passwords of how many; says whether it is time to save what there is.
Watch = Callable[[str, int, int], bool]


def unwatched(_done: str, _number: int, _total: int) -> bool:
    """Watch nothing."""
    return False


class PathError(PasswdFileError):
    """A path where no file can be written."""


# --- options


# --- the file


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
