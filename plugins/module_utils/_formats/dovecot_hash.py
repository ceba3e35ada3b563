# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Password hashes in the schemes of Dovecot.

A hash is stored as ``{SCHEME}crypt``. The shapes below are exactly what ``doveadm pw -t`` of Dovecot 2.3
and 2.4 verifies: libsodium's decoder for ARGON2ID, crypt_blowfish for BLF-CRYPT, libxcrypt (crypt(5)) for
SHA512-CRYPT. All of them compare text, so an encoding with stray bits never verifies and is refused here.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, TypeVar

Result = TypeVar("Result")


class SchemeError(ValueError):
    """A scheme, cost, hash or library that cannot be used; the text says what to do."""


class UnknownSchemeError(SchemeError):
    """A hash whose scheme is none of ours."""


class MalformedHashError(SchemeError):
    """A hash that Dovecot could never verify."""


class CostError(SchemeError):
    """A cost outside of what the algorithm allows."""


class MissingLibraryError(SchemeError):
    """A Python library that the host lacks."""


def _library(module: str, package: str) -> Any:  # noqa: ANN401 -- a module has no type of its own
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingLibraryError(
            f"the Python library '{module.partition('.')[0]}' is missing on this host: "
            f"install the Debian package {package}"
        ) from None


def _check_cost(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise CostError(f"{option}: found {value}, write a number from {least} to {most}")


# Base64 without padding, whose unused last bits are zero: RFC 4648, section 3.5.
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048])?"


@dataclass(frozen=True)
class Argon2id:
    """ARGON2ID (RFC 9106). ``memory`` is in KiB, ``time`` in passes, ``parallelism`` in lanes."""

    memory: int
    time: int
    parallelism: int

    name: ClassVar[str] = "ARGON2ID"
    longest_password: ClassVar[int | None] = None
    # Salt of 8 bytes and more, hash of 16 bytes and more: libsodium refuses less.
    shape: ClassVar[re.Pattern[str]] = re.compile(
        r"\$argon2id\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,7})"
        rf"\$(?=[^$]{{11}}){_BASE64}\$(?=[^$]{{22}}){_BASE64}"
    )

    def __post_init__(self) -> None:
        _check_cost("argon2_parallelism", self.parallelism, 1, 2**24 - 1)
        _check_cost("argon2_memory", self.memory, 8 * self.parallelism, 2**32 - 1)
        _check_cost("argon2_time", self.time, 1, 2**32 - 1)

    def hash(self, password: bytes) -> str:
        """Hash with a new salt."""
        argon2 = _library("argon2.low_level", "python3-argon2")
        try:
            hashed: bytes = argon2.hash_secret(
                password, os.urandom(16), self.time, self.memory, self.parallelism, 32, argon2.Type.ID
            )
        except importlib.import_module("argon2.exceptions").HashingError as error:
            raise CostError(
                f"argon2_memory: {self.memory} KiB failed on this host ({error}): lower it"
            ) from None
        return hashed.decode()

    def verify(self, password: bytes, crypt: str) -> bool:
        """Tell whether ``crypt``, of this shape, is a hash of ``password``."""
        argon2 = _library("argon2.low_level", "python3-argon2")
        try:
            return bool(argon2.verify_secret(crypt.encode(), password, argon2.Type.ID))
        except importlib.import_module("argon2.exceptions").VerificationError:
            return False

    def has_cost(self, crypt: str) -> bool:
        """Tell whether ``crypt``, of this shape, has the wanted cost."""
        return _groups(self.shape, crypt) == (str(self.memory), str(self.time), str(self.parallelism))


@dataclass(frozen=True)
class BlfCrypt:
    """BLF-CRYPT, which is bcrypt. ``rounds`` is the binary logarithm of the number of rounds."""

    rounds: int

    name: ClassVar[str] = "BLF-CRYPT"
    # bcrypt reads no further: two longer passwords with the same beginning would be one.
    longest_password: ClassVar[int | None] = 72
    shape: ClassVar[re.Pattern[str]] = re.compile(
        r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]"
    )

    def __post_init__(self) -> None:
        _check_cost("blf_rounds", self.rounds, 4, 31)

    def hash(self, password: bytes) -> str:
        """Hash with a new salt."""
        bcrypt = _library("bcrypt", "python3-bcrypt")
        hashed: bytes = bcrypt.hashpw(password, bcrypt.gensalt(self.rounds))
        return hashed.decode()

    def verify(self, password: bytes, crypt: str) -> bool:
        """Tell whether ``crypt``, of this shape, is a hash of ``password``."""
        return bool(_library("bcrypt", "python3-bcrypt").checkpw(password, crypt.encode()))

    def has_cost(self, crypt: str) -> bool:
        """Tell whether ``crypt``, of this shape, has the wanted cost."""
        return _groups(self.shape, crypt) == (f"{self.rounds:02}",)


@dataclass(frozen=True)
class Sha512Crypt:
    """SHA512-CRYPT (crypt(5), "sha512crypt"). ``rounds`` is the number of rounds."""

    rounds: int

    name: ClassVar[str] = "SHA512-CRYPT"
    # Dovecot verifies with libxcrypt, which refuses more: CRYPT_MAX_PASSPHRASE_SIZE in crypt(3).
    longest_password: ClassVar[int | None] = 511
    default_rounds: ClassVar[str] = "5000"
    shape: ClassVar[re.Pattern[str]] = re.compile(
        r"\$6\$(?:rounds=([1-9]\d{3,8})\$)?[./A-Za-z0-9]{0,16}\$[./A-Za-z0-9]{85}[./01]"
    )

    def __post_init__(self) -> None:
        _check_cost("sha512_rounds", self.rounds, 1000, 999_999_999)

    def hash(self, password: bytes) -> str:
        """Hash with a new salt."""
        passlib = _library("passlib.hash", "python3-passlib")
        return str(passlib.sha512_crypt.using(rounds=self.rounds).hash(password))

    def verify(self, password: bytes, crypt: str) -> bool:
        """Tell whether ``crypt``, of this shape, is a hash of ``password``."""
        return bool(_library("passlib.hash", "python3-passlib").sha512_crypt.verify(password, crypt))

    def has_cost(self, crypt: str) -> bool:
        """Tell whether ``crypt``, of this shape, has the wanted cost."""
        return (_groups(self.shape, crypt)[0] or self.default_rounds) == str(self.rounds)


Scheme: TypeAlias = "Argon2id | BlfCrypt | Sha512Crypt"

SHAPES = {scheme.name: scheme.shape for scheme in (Argon2id, BlfCrypt, Sha512Crypt)}


def _groups(shape: re.Pattern[str], crypt: str) -> tuple[str | None, ...]:
    match = shape.fullmatch(crypt)
    return match.groups() if match else ()


def make_scheme(name: str, costs: dict[str, int]) -> Scheme:
    """Return the scheme of this name with its cost, out of the module's cost options; raise CostError."""
    if name == Argon2id.name:
        return Argon2id(costs["argon2_memory"], costs["argon2_time"], costs["argon2_parallelism"])
    if name == BlfCrypt.name:
        return BlfCrypt(costs["blf_rounds"])
    return Sha512Crypt(costs["sha512_rounds"])


def split_label(text: str) -> tuple[str, str]:
    """Split ``{SCHEME}crypt`` into the scheme in upper case, as Dovecot reads it, and the rest.

    The scheme of a text without label is empty.
    """
    match = re.match(r"\{([A-Za-z0-9.-]+)\}", text)
    return (match[1].upper(), text[match.end() :]) if match else ("", text)


def normalise(text: str) -> str:
    """Return ``{SCHEME}crypt`` for a ready-made hash with that label, with ``{CRYPT}`` or with none.

    Raise UnknownSchemeError or MalformedHashError, which never show the hash.
    """
    label, crypt = split_label(text)
    if label in ("", "CRYPT"):
        for name, shape in SHAPES.items():
            if shape.fullmatch(crypt):
                return f"{{{name}}}{crypt}"
        raise MalformedHashError(f"found a hash that is not of a known scheme: {_remedy(*SHAPES)}")
    if label not in SHAPES:
        raise UnknownSchemeError(f"found a hash of the unknown scheme {label}: {_remedy(*SHAPES)}")
    if not SHAPES[label].fullmatch(crypt):
        raise MalformedHashError(f"found a hash that is not of its scheme {label}: {_remedy(label)}")
    return f"{{{label}}}{crypt}"


def _remedy(*names: str) -> str:
    return f"make one with 'doveadm pw -s {'|'.join(names)}'"


def in_parallel(function: Callable[..., Result], jobs: Sequence[tuple[Any, ...]]) -> Iterator[Result]:
    """Call ``function`` with the arguments of each job on all cores; yield the results in the jobs' order.

    Processes, because passlib holds the interpreter's lock while it hashes.
    """
    workers = min(len(os.sched_getaffinity(0)), len(jobs))
    if workers < 2:
        yield from (function(*job) for job in jobs)
        return
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        pending = [pool.apply_async(function, job) for job in jobs]
        yield from (result.get() for result in pending)
