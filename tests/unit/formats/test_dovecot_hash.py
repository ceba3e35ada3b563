# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hashes: what Dovecot accepts, what is refused, what is kept."""

from __future__ import annotations

import os
import sys
import time

import argon2.exceptions
import argon2.low_level
import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_hash import (
    Argon2id,
    BlfCrypt,
    CostError,
    MalformedHashError,
    MissingLibraryError,
    Scheme,
    Sha512Crypt,
    UnknownSchemeError,
    in_parallel,
    make_scheme,
    normalise,
)

PASSWORD = "sécret".encode()

# Each was accepted by `doveadm pw -t` of Dovecot 2.3.19 and 2.4.1 for PASSWORD.
ARGON2ID = "$argon2id$v=19$m=64,t=2,p=1$c3Nzc3Nzc3Nzc3Nzc3Nzcw$V5EkqS+nrwblWEvBX8gpmmcAw0r9QCliyxC6tC0KKAI"
BCRYPT = "$2b$04$wqOs2s0djSSGOLXosjUS2OYKY05kFfhMelY2ZQp3iC4XY/tK3xOqS"
SHA512 = (
    "$6$rounds=1000$ssssssss$"
    "rLajZF5FEYlSOvbUTH3T.XMwn00WovQgOghIvvO0jtvjpTMs8mj9cIAnCdszbQKgotWqh5PaR6vrwB/kCq7KM."
)
SHA512_DEFAULT = (
    "$6$ssssssss$WnBev5RAPWWy/oJOlmZKlfeI22IuBJBtpPxIJmrkwfXY.7kfDGBc4TlSjj3M6nuV4i6kM2ydSnxnJDI.yrDxo1"
)

CHEAP: list[Scheme] = [Argon2id(8, 1, 1), BlfCrypt(4), Sha512Crypt(1000)]
DEARER: list[Scheme] = [Argon2id(16, 1, 1), BlfCrypt(5), Sha512Crypt(1001)]


def scheme_name(scheme: object) -> str:
    return getattr(scheme, "name", "")


@pytest.mark.parametrize("scheme", CHEAP, ids=scheme_name)
class TestEachScheme:
    def test_a_hash_verifies_against_its_password_alone(self, scheme: Scheme) -> None:
        crypt = scheme.hash(PASSWORD)
        assert scheme.verify(PASSWORD, crypt)
        assert not scheme.verify(b"another", crypt)

    def test_a_hash_has_the_shape_that_dovecot_reads(self, scheme: Scheme) -> None:
        labelled = f"{{{scheme.name}}}{scheme.hash(PASSWORD)}"
        assert normalise(labelled) == labelled

    def test_each_hash_has_its_own_salt(self, scheme: Scheme) -> None:
        assert scheme.hash(PASSWORD) != scheme.hash(PASSWORD)


@pytest.mark.parametrize(("cheap", "dearer"), list(zip(CHEAP, DEARER, strict=True)), ids=scheme_name)
def test_a_hash_tells_its_cost(cheap: Scheme, dearer: Scheme) -> None:
    assert cheap.has_cost(cheap.hash(PASSWORD))
    assert not dearer.has_cost(cheap.hash(PASSWORD))


@pytest.mark.parametrize("other", [Argon2id(64, 3, 1), Argon2id(64, 2, 2), Argon2id(65, 2, 1)])
def test_each_cost_of_argon2_counts(other: Argon2id) -> None:
    assert Argon2id(64, 2, 1).has_cost(ARGON2ID)
    assert not other.has_cost(ARGON2ID)


def test_sha512_without_rounds_has_the_default_of_crypt() -> None:
    assert Sha512Crypt(5000).has_cost(SHA512_DEFAULT)
    assert not Sha512Crypt(1000).has_cost(SHA512_DEFAULT)


@pytest.mark.parametrize("identifier", ["$2a$", "$2b$", "$2y$"])
def test_bcrypt_verifies_under_each_of_its_identifiers(identifier: str) -> None:
    assert BlfCrypt(4).verify(PASSWORD, identifier + BCRYPT[4:])


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (ARGON2ID, "{ARGON2ID}" + ARGON2ID),
        ("{ARGON2ID}" + ARGON2ID, "{ARGON2ID}" + ARGON2ID),
        ("{argon2id}" + ARGON2ID, "{ARGON2ID}" + ARGON2ID),
        ("{CRYPT}" + ARGON2ID, "{ARGON2ID}" + ARGON2ID),
        (BCRYPT, "{BLF-CRYPT}" + BCRYPT),
        ("$2y$" + BCRYPT[4:], "{BLF-CRYPT}$2y$" + BCRYPT[4:]),
        ("{CRYPT}" + BCRYPT, "{BLF-CRYPT}" + BCRYPT),
        (SHA512, "{SHA512-CRYPT}" + SHA512),
        (SHA512_DEFAULT, "{SHA512-CRYPT}" + SHA512_DEFAULT),
    ],
)
def test_ready_made_hash_is_written_with_its_scheme(given: str, written: str) -> None:
    assert normalise(given) == written


@pytest.mark.parametrize(
    "given",
    [
        "",
        "correct horse",
        ARGON2ID + "=",
        ARGON2ID + "\n",
        ARGON2ID + ":x",
        ARGON2ID.replace("m=64", "m=064"),
        ARGON2ID.replace("v=19", "v=16"),
        ARGON2ID[:-1] + "B",
        ARGON2ID[:-23],
        ARGON2ID.replace("Nzcw$", "Nzcx$"),
        ARGON2ID.replace("c3Nzc3Nzc3Nzc3Nzc3Nzcw", "c3Nzcw"),
        ARGON2ID.replace("argon2id", "argon2i"),
        "$2x$" + BCRYPT[4:],
        BCRYPT.replace("$04$", "$03$"),
        BCRYPT.replace("$04$", "$32$"),
        BCRYPT[:-1],
        BCRYPT[:-1] + "/",
        BCRYPT[:28] + "/" + BCRYPT[29:],
        SHA512.replace("1000", "999"),
        SHA512.replace("1000", "01000"),
        SHA512[:-1] + "2",
        SHA512.replace("ssssssss", "s" * 17),
    ],
)
def test_what_dovecot_cannot_verify_is_refused(given: str) -> None:
    with pytest.raises(MalformedHashError) as error:
        normalise(given)
    assert str(error.value) == (
        "found a hash that is not of a known scheme: "
        "make one with 'doveadm pw -s ARGON2ID|BLF-CRYPT|SHA512-CRYPT'"
    )


def test_a_hash_of_another_scheme_is_refused() -> None:
    with pytest.raises(MalformedHashError) as error:
        normalise("{BLF-CRYPT}" + ARGON2ID)
    assert str(error.value) == (
        "found a hash that is not of its scheme BLF-CRYPT: make one with 'doveadm pw -s BLF-CRYPT'"
    )


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(UnknownSchemeError) as error:
        normalise("{plain}hunter2")
    assert str(error.value) == (
        "found a hash of the unknown scheme PLAIN: make one with 'doveadm pw -s ARGON2ID|BLF-CRYPT|SHA512-CRYPT'"
    )


COSTS = {
    "argon2_memory": 19456,
    "argon2_time": 2,
    "argon2_parallelism": 1,
    "blf_rounds": 10,
    "sha512_rounds": 210000,
}


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("ARGON2ID", Argon2id(19456, 2, 1)),
        ("BLF-CRYPT", BlfCrypt(10)),
        ("SHA512-CRYPT", Sha512Crypt(210000)),
    ],
)
def test_scheme_takes_its_own_costs(name: str, scheme: Scheme) -> None:
    assert make_scheme(name, COSTS) == scheme


@pytest.mark.parametrize(
    ("name", "costs", "message"),
    [
        (
            "ARGON2ID",
            {"argon2_memory": 31, "argon2_parallelism": 4},
            "argon2_memory: found 31, write a number from 32 to 4294967295",
        ),
        ("ARGON2ID", {"argon2_time": 0}, "argon2_time: found 0, write a number from 1 to 4294967295"),
        (
            "ARGON2ID",
            {"argon2_parallelism": 0},
            "argon2_parallelism: found 0, write a number from 1 to 16777215",
        ),
        ("BLF-CRYPT", {"blf_rounds": 3}, "blf_rounds: found 3, write a number from 4 to 31"),
        ("BLF-CRYPT", {"blf_rounds": 32}, "blf_rounds: found 32, write a number from 4 to 31"),
        (
            "SHA512-CRYPT",
            {"sha512_rounds": 999},
            "sha512_rounds: found 999, write a number from 1000 to 999999999",
        ),
    ],
)
def test_cost_outside_of_the_algorithm_is_refused(name: str, costs: dict[str, int], message: str) -> None:
    with pytest.raises(CostError) as error:
        make_scheme(name, COSTS | costs)
    assert str(error.value) == message


def test_memory_that_the_host_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> bytes:
        raise argon2.exceptions.HashingError("Memory allocation error")

    monkeypatch.setattr(argon2.low_level, "hash_secret", refuse)
    with pytest.raises(CostError) as error:
        Argon2id(8, 1, 1).hash(PASSWORD)
    assert str(error.value) == "argon2_memory: 8 KiB failed on this host (Memory allocation error): lower it"


@pytest.mark.parametrize(
    ("scheme", "module", "message"),
    [
        (
            CHEAP[0],
            "argon2.low_level",
            "'argon2' is missing on this host: install the Debian package python3-argon2",
        ),
        (CHEAP[1], "bcrypt", "'bcrypt' is missing on this host: install the Debian package python3-bcrypt"),
        (
            CHEAP[2],
            "passlib.hash",
            "'passlib' is missing on this host: install the Debian package python3-passlib",
        ),
    ],
)
def test_missing_library_names_its_package(
    scheme: Scheme, module: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingLibraryError) as error:
        scheme.hash(PASSWORD)
    assert str(error.value) == f"the Python library {message}"


def slow_pid(number: int) -> tuple[int, int]:
    time.sleep(0.05)  # long enough that no process can take all the jobs
    return number, os.getpid()


def test_jobs_spread_over_processes_and_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    results = list(in_parallel(slow_pid, [(number,) for number in range(8)]))
    assert [number for number, __ in results] == list(range(8))
    assert len({pid for __, pid in results}) == 2


def test_one_job_starts_no_process() -> None:
    assert list(in_parallel(slow_pid, [(7,)])) == [(7, os.getpid())]


def fail(_number: int) -> None:
    raise MissingLibraryError("no library")


def test_an_error_in_a_process_arrives_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    with pytest.raises(MissingLibraryError, match="no library"):
        list(in_parallel(fail, [(1,), (2,)]))
