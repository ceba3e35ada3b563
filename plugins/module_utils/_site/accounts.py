# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check people and machines together: no name belongs to two of them, and each has one way to log in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_hash import (
    Argon2id,
    SchemeError,
    make_scheme,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_passwd import (
    PasswdFileError,
    read_fields,
    read_hash,
    read_password,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.entries import Service, User
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import listed
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Choice, Number
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key

# KiB for one hash, which leaves a process of Dovecot half of its default_vsz_limit.
_MOST_MEMORY = 2**19
# Fields of the passwd-file that other options hold, or that the role writes: who an account is and where its mail lies.
_OWN_FIELDS = {
    "allow_nets": "write allowed_networks instead",
    "userdb_quota_rule": "write quota instead",
    "userdb_quota_storage_size": "write quota instead",
    "nopassword": "write password or password_hash",
    **dict.fromkeys(
        (
            *("user", "username", "domain", "login_user", "noauthenticate", "userdb_user", "userdb_uid"),
            *("userdb_gid", "userdb_home", "userdb_mail", "userdb_mail_location", "userdb_mail_driver"),
            *("userdb_mail_path", "userdb_mail_home", "userdb_chroot"),
        ),
        "remove it, for the role says that itself",
    ),
}


def account_problems(users: Sequence[User], services: Sequence[Service]) -> Iterator[str]:
    """Check passwords, and names that claim the same address."""
    owners: dict[str, str] = {}

    def claim(where: str, name: str) -> Iterator[str]:
        owner = owners.setdefault(name.lower(), where)
        if owner != where:
            yield f"{where}: {name!r} is taken by {owner} already; choose another name or remove one of them"

    entries: tuple[User | Service, ...] = (*users, *services)
    for entry in entries:
        yield from claim(f"{entry.where}.name", entry.name)
        yield from _proof_problems(entry)
        if entry.allowed_networks == ():
            yield (
                f"{entry.where}.allowed_networks: is an empty list; "
                "write one such as ['192.168.1.0/24'], or leave it out for everywhere"
            )
    for user in users:
        yield from _field_problems(user)
        for position, alias in enumerate(user.aliases):
            yield from claim(f"{user.where}.aliases[{position}]", alias)
    catch_alls = [user for user in users if user.catch_all]
    if len(catch_alls) > 1:
        second = catch_alls[1]
        others = listed(user.name for user in catch_alls if user is not second)
        yield f"{second.where}.catch_all: is true, as it is for {others}; write it for one of them alone"


def _proof_problems(entry: User | Service) -> Iterator[str]:
    if not entry.password and not entry.password_hash:
        yield f"{entry.where}: has neither password nor password_hash; set one of them"
    elif entry.password and entry.password_hash:
        yield f"{entry.where}: has both password and password_hash; remove one of them"
    elif entry.password_hash:
        yield from _refused(lambda: read_hash(entry.where, entry.password_hash))
    elif entry.password.lower() == entry.name.lower():
        yield f"{entry.where}.password: is the name, which is the first that a stranger tries; write another"


def _field_problems(user: User) -> Iterator[str]:
    for name in user.extra_fields:
        if name in _OWN_FIELDS:
            yield f"{user.where}.extra_fields.{name}: is no field for this; {_OWN_FIELDS[name]}"
    yield from _refused(lambda: read_fields(user.where, user.extra_fields))


def _refused(read: Callable[[], object]) -> Iterator[str]:
    """Say why what is read cannot stand in a passwd-file, as the module that writes it would."""
    try:
        read()
    except PasswdFileError as error:
        yield str(error)


@dataclass(frozen=True)
class HashingOptions(Options):
    """How passwords are hashed. argon2_memory: in KiB."""

    password_scheme: str = key(Choice(("ARGON2ID", "BLF-CRYPT", "SHA512-CRYPT")))
    argon2_memory: int = key(Number(8, 2**32 - 1, 19456, "KiB"))
    argon2_time: int = key(Number(1, 2**32 - 1, 2, "passes"))
    argon2_parallelism: int = key(Number(1, 2**24 - 1, 1, "lanes"))
    blf_rounds: int = key(Number(4, 31, 10))
    sha512_rounds: int = key(Number(1_000, 999_999_999, 210_000, "rounds"))

    def hashing_problems(self, users: Sequence[User], services: Sequence[Service]) -> Iterator[str]:
        """Check that the host can bear the cost, and that the scheme takes the passwords."""
        names = ("argon2_memory", "argon2_time", "argon2_parallelism", "blf_rounds", "sha512_rounds")
        try:
            scheme = make_scheme(self.password_scheme, {name: getattr(self, name) for name in names})
        except SchemeError as error:
            yield f"{self.role}_{error}"
            return
        if isinstance(scheme, Argon2id) and scheme.memory > _MOST_MEMORY:
            yield (
                f"{self.name('argon2_memory')}: is {scheme.memory}, with which nobody could log in, for it is more "
                f"than a process of Dovecot may have; write {_MOST_MEMORY} (512 MiB) or less"
            )
        entries: tuple[User | Service, ...] = (*users, *services)
        for entry in entries:
            if entry.password:
                yield from _refused(partial(read_password, entry.where, entry.password, scheme))


def postmaster_problems(
    users: Sequence[User], postmaster: str, has_directory: bool, variable: str
) -> Iterator[str]:
    """Check who receives the mail for postmaster, abuse and root; in a house of nobody, nobody does.

    has_directory: whether there are people whom users does not list.
    """
    names = [user.name for user in users]
    choice = f"write one of {listed(names)}" if names else "write the name of a person of the directory"
    if not postmaster and (names or has_directory):
        yield f"{variable}: is empty, and mail to postmaster, abuse and root would reach nobody; {choice}"
    elif names and not has_directory and postmaster.lower() not in map(str.lower, names):
        yield f"{variable}: {postmaster!r} is not a user; {choice}"
