# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The passwd-file: which accounts are refused, what is kept, what is written."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._files.dovecot_passwd import (
    PathError,
    Plan,
    make_plan,
    read_file,
    replace_file,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._formats import dovecot_passwd
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_hash import (
    Argon2id,
    BlfCrypt,
    Scheme,
    Sha512Crypt,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_passwd import (
    HEADER,
    AccountNameError,
    ExtraFieldError,
    PasswdFileError,
    PasswordError,
    read_accounts,
)

SCHEME = Argon2id(8, 1, 1)
HASH = (
    "{ARGON2ID}$argon2id$v=19$m=64,t=2,p=1$c3Nzc3Nzc3Nzc3Nzc3Nzcw$V5EkqS+nrwblWEvBX8gpmmcAw0r9QCliyxC6tC0KKAI"
)
OTHER_HASH = HASH.replace("c3Nz", "dHR0")
BCRYPT_HASH = "{BLF-CRYPT}$2b$04$wqOs2s0djSSGOLXosjUS2OYKY05kFfhMelY2ZQp3iC4XY/tK3xOqS"


def hashed(name: str, **fields: str) -> dict[str, Any]:
    return {"name": name, "password_hash": HASH, "extra_fields": fields}


def plan(current: str, *accounts: dict[str, Any], scheme: Scheme = SCHEME) -> Plan:
    return make_plan(read_accounts(accounts, scheme), current, scheme)


def reasons(found: Plan) -> dict[str, list[str]]:
    return {reason: names for reason, names in found.by_reason().items() if names}


# --- accounts


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "is empty"),
        ("il il", "contains whitespace"),
        ("il\n", "contains whitespace"),
        ("il\u3000", "contains whitespace"),
        ("il\x07", "contains an unprintable character"),
        ("il\u200b", "contains an unprintable character"),
        ("il:x", "contains ':'"),
        ("../il", "contains '/'"),
        ("#il", "begins with '#'"),
    ],
)
def test_name_that_no_line_can_hold_is_refused(name: str, fault: str) -> None:
    with pytest.raises(AccountNameError) as error:
        read_accounts([hashed("guest"), hashed(name)], SCHEME)
    assert str(error.value) == (
        f"accounts[1].name: {name!r} {fault}, which no line of a passwd-file can hold: "
        "write the login name, such as 'il@ilnmors.internal'"
    )


@pytest.mark.parametrize(
    "name", ["il@ilnmors.internal", "gitea", "a+b=c@x", "il#1", "홍길동@ilnmors.internal"]
)
def test_other_names_are_written_as_they_are(name: str) -> None:
    assert plan("", hashed(name)).render() == f"{HEADER}\n{name}:{HASH}::::::\n"


def test_double_account_is_refused_whatever_its_case() -> None:
    with pytest.raises(AccountNameError) as error:
        read_accounts([hashed("guest"), hashed("il@x"), hashed("IL@x")], SCHEME)
    assert str(error.value) == (
        "accounts[2].name: found 'IL@x', which accounts[1] has already "
        "(Dovecot compares in lower case): list each account once"
    )


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({}, "accounts[0] (il): found neither password nor password_hash, write exactly one of them"),
        (
            {"password": "hunter2", "password_hash": HASH},
            "accounts[0] (il): found both password and password_hash, write exactly one of them",
        ),
        ({"password": ""}, "accounts[0] (il).password: it is empty, write a password"),
        (
            {"password": "hun\0ter2"},
            "accounts[0] (il).password: it contains a NUL byte, which no login can send: remove it",
        ),
        (
            {"password_hash": "hunter2"},
            "accounts[0] (il).password_hash: found a hash that is not of a known scheme: "
            "make one with 'doveadm pw -s ARGON2ID|BLF-CRYPT|SHA512-CRYPT'",
        ),
        (
            {"password_hash": "{BLF-CRYPT}hunter2"},
            "accounts[0] (il).password_hash: found a hash that is not of its scheme BLF-CRYPT: "
            "make one with 'doveadm pw -s BLF-CRYPT'",
        ),
    ],
)
def test_secret_that_is_unusable_is_refused_and_not_shown(secrets: dict[str, str], message: str) -> None:
    with pytest.raises(PasswordError) as error:
        read_accounts([{"name": "il", **secrets}], SCHEME)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("scheme", "password", "bytes_found"),
    [
        (BlfCrypt(4), "a" * 73, 73),
        (BlfCrypt(4), "é" * 37, 74),
        (Sha512Crypt(1000), "a" * 512, 512),
    ],
)
def test_password_longer_than_its_scheme_takes_is_refused(
    scheme: Scheme, password: str, bytes_found: int
) -> None:
    with pytest.raises(PasswordError) as error:
        read_accounts([{"name": "il", "password": password}], scheme)
    assert str(error.value) == (
        f"accounts[0] (il).password: it has {bytes_found} bytes and {scheme.name} takes "
        f"{scheme.longest_password}: shorten it, or choose scheme ARGON2ID"
    )


@pytest.mark.parametrize(
    ("scheme", "password"), [(BlfCrypt(4), "a" * 72), (Sha512Crypt(1000), "a" * 511), (SCHEME, "a" * 5000)]
)
def test_longest_password_counts_to_its_last_byte(scheme: Scheme, password: str) -> None:
    current = plan("", {"name": "il", "password": password}, scheme=scheme).render()
    assert not plan(current, {"name": "il", "password": password}, scheme=scheme).changed
    assert plan(current, {"name": "il", "password": password[:-1] + "b"}, scheme=scheme).changed


def test_password_is_hashed_as_its_bytes() -> None:
    # é composed and decomposed; and a byte that is no UTF-8, as Ansible hands it over.
    current = plan("", {"name": "il", "password": "\u00e9"}, {"name": "guest", "password": "\udce9"}).render()
    found = plan(current, {"name": "il", "password": "e\u0301"}, {"name": "guest", "password": "\udce9"})
    assert reasons(found) == {"password_changed": ["il"]}


# --- extra fields


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ({}, ""),
        ({"nologin": ""}, "nologin"),
        ({"userdb_quota_storage_size": "5G"}, "userdb_quota_storage_size=5G"),
        ({"b": "2", "a": "1"}, "b=2 a=1"),
        ({"userdb_uid": 5000}, "userdb_uid=5000"),
        ({"userdb_quota_rule": "*:storage=1G"}, "userdb_quota_rule=*:storage=1G"),
        ({"allow_nets": "fd00::/8,10.0.0.0/8"}, "allow_nets=fd00::/8,10.0.0.0/8"),
        ({"userdb_import": "a=1\tb=2"}, "userdb_import=a=1\tb=2"),
        ({"userdb_namespace/inbox/prefix": "%{user}"}, "userdb_namespace/inbox/prefix=%{user}"),
    ],
)
def test_extra_fields_are_written_in_their_order(fields: dict[str, Any], column: str) -> None:
    assert plan("", hashed("il", **fields)).render() == f"{HEADER}\nil:{HASH}::::::{column}\n"


@pytest.mark.parametrize("key", ["", "a b", "a=b", ":a", "a\n", "a\0"])
def test_field_name_that_the_file_cannot_hold_is_refused(key: str) -> None:
    with pytest.raises(ExtraFieldError) as error:
        read_accounts([hashed("il", **{key: "1"})], SCHEME)
    assert str(error.value) == (
        f"accounts[0] (il).extra_fields: the field name {key!r} is empty, begins with ':', "
        "or contains whitespace, '=' or NUL: write a name such as 'userdb_quota_storage_size'"
    )


@pytest.mark.parametrize("value", ["a b", "a\nroot:{PLAIN}x", "a\r", "a\0"])
def test_field_value_that_the_file_cannot_hold_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(ExtraFieldError) as error:
        read_accounts([hashed("il", userdb_home=value)], SCHEME)
    assert str(error.value) == (
        "accounts[0] (il).extra_fields.userdb_home: the value contains a space, line break or NUL, "
        "which the file cannot hold: remove it"
    )


@pytest.mark.parametrize(("value", "kind"), [(True, "bool"), (None, "NoneType"), (["a"], "list")])
def test_field_value_of_another_type_is_refused(value: object, kind: str) -> None:
    with pytest.raises(ExtraFieldError) as error:
        read_accounts([{**hashed("il"), "extra_fields": {"nologin": value}}], SCHEME)
    assert str(error.value) == (
        f"accounts[0] (il).extra_fields.nologin: found {kind}, write a string ('' for a field without value)"
    )


def test_second_password_among_the_fields_is_refused() -> None:
    with pytest.raises(ExtraFieldError) as error:
        read_accounts([hashed("il", password="hunter2")], SCHEME)
    assert str(error.value) == (
        "accounts[0] (il).extra_fields.password: a line has one password: write password or password_hash"
    )


# --- what changes

LINE = f"il:{HASH}::::::\n"


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        ("", {"added": ["il"]}),
        (LINE, {}),
        (LINE.replace("::::::", "::::::nologin"), {"fields_changed": ["il"]}),
        (LINE.replace("::::::", ""), {"fields_changed": ["il"]}),
        (LINE.replace("::::::", ":5000:5000::/home::"), {"fields_changed": ["il"]}),
        (LINE.replace(HASH, OTHER_HASH), {"password_changed": ["il"]}),
        (LINE.replace(HASH, BCRYPT_HASH), {"scheme_changed": ["il"]}),
        (
            LINE.replace(f"{HASH}::::::", f"{BCRYPT_HASH}:"),
            {"scheme_changed": ["il"], "fields_changed": ["il"]},
        ),
        (LINE + LINE.replace("il:", "guest:"), {"removed": ["guest"]}),
    ],
)
def test_ready_made_hash_replaces_what_differs(current: str, expected: dict[str, list[str]]) -> None:
    found = plan(f"{HEADER}\n{current}", hashed("il"))
    assert reasons(found) == expected
    assert found.changed == bool(expected)
    assert found.render() == f"{HEADER}\n{LINE}"


def test_ready_made_hash_of_another_scheme_stays_whatever_the_scheme() -> None:
    assert not plan(f"{HEADER}\n{LINE}", hashed("il"), scheme=BlfCrypt(4)).changed


IL = {"name": "il", "password": "secret"}
HASHED_IL = plan("", IL).render()


def test_hash_stays_while_it_verifies() -> None:
    found = plan(HASHED_IL, IL)
    assert reasons(found) == {}
    assert not found.changed
    assert found.render() == HASHED_IL


@pytest.mark.parametrize(
    ("current", "account", "scheme", "expected"),
    [
        (HASHED_IL, IL | {"password": "other"}, SCHEME, {"password_changed": ["il"]}),
        (HASHED_IL, IL, Argon2id(8, 2, 1), {"cost_changed": ["il"]}),
        (HASHED_IL, IL, BlfCrypt(4), {"scheme_changed": ["il"]}),
        (HASHED_IL, IL | {"name": "guest"}, SCHEME, {"added": ["guest"], "removed": ["il"]}),
        ("il:secret::::::\n", IL, SCHEME, {"scheme_changed": ["il"]}),
        ("il:{PLAIN}secret::::::\n", IL, SCHEME, {"scheme_changed": ["il"]}),
        ("il:{ARGON2ID}$argon2id$broken::::::\n", IL, SCHEME, {"password_changed": ["il"]}),
    ],
)
def test_password_is_hashed_anew_for_a_reason(
    current: str, account: dict[str, str], scheme: Scheme, expected: dict[str, list[str]]
) -> None:
    found = plan(current, account, scheme=scheme)
    assert found.changed
    assert reasons(found) == expected
    rendered = found.render()
    assert rendered != current
    assert not plan(rendered, account, scheme=scheme).changed


def test_hash_survives_a_change_of_fields() -> None:
    found = plan(HASHED_IL, IL | {"extra_fields": {"nologin": ""}})
    assert reasons(found) == {"fields_changed": ["il"]}
    assert found.render() == HASHED_IL.replace("::::::", "::::::nologin")


def test_only_what_needs_it_is_hashed_and_lands_on_its_account() -> None:
    accounts = [{"name": name, "password": f"{name}-secret"} for name in "abcdefgh"]
    half = plan("", *accounts[::2]).render()
    full = plan(half, *accounts).render()
    assert set(half.splitlines()) < set(full.splitlines())
    assert reasons(plan(full, *accounts)) == {}


def test_what_is_saved_meanwhile_misses_nobody_who_stays() -> None:
    names = ["new", "kept", "changed", "ready"]
    current = plan("", *({"name": name, "password": name} for name in ("changed", "kept", "gone"))).render()
    saved: list[str] = []
    accounts = [{"name": name, "password": f"{name}-1"} for name in names[:3]] + [hashed("ready")]
    accounts[1]["password"] = "kept"
    final = plan(current, *accounts).render(lambda _done, _number, _total: True, saved.append)
    assert [line.partition(":")[0] for line in saved[0].splitlines()[1:]] == names
    assert [line in current.splitlines() for line in saved[0].splitlines()[1:]] == [False, True, True, False]
    assert saved[-1] == final
    assert reasons(plan(saved[0], *accounts)) == {"password_changed": ["changed"]}
    assert reasons(plan(final, *accounts)) == {}


def test_who_is_new_is_there_as_soon_as_hashed() -> None:
    saved: list[str] = []
    accounts = [{"name": name, "password": name} for name in "abc"]
    plan("", *accounts).render(lambda _done, _number, _total: True, saved.append)
    assert ["".join(line[0] for line in text.splitlines()[1:]) for text in saved] == ["a", "ab", "abc"]


def test_each_password_is_counted() -> None:
    watched: list[tuple[str, int, int]] = []

    def watch(done: str, number: int, total: int) -> bool:
        watched.append((done, number, total))
        return False

    accounts = read_accounts([{"name": name, "password": f"{name}-1"} for name in "ab"], SCHEME)
    current = plan("", {"name": "a", "password": "a-1"}).render()
    make_plan(accounts, current, SCHEME, watch).render(watch)
    assert watched == [("verified", 1, 1), ("hashed", 1, 1)]


def test_a_thousand_ready_made_hashes_cost_neither_hashing_nor_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accounts = [hashed(f"user{number}") for number in range(1000)]
    current = plan("", *accounts).render()
    normalised: list[str] = []

    def count(text: str) -> str:
        normalised.append(text)
        return text

    def refuse(*_arguments: object) -> None:
        raise AssertionError("it works where there is nothing to do")

    monkeypatch.setattr(dovecot_passwd, "normalise", count)
    monkeypatch.setattr(Argon2id, "hash", refuse)
    monkeypatch.setattr(Argon2id, "verify", refuse)
    monkeypatch.setattr(multiprocessing, "get_context", refuse)
    assert not plan(current, *accounts).changed
    assert len(normalised) == len(accounts)


@pytest.mark.parametrize(
    "current",
    [
        LINE,
        f"{HEADER}\n{LINE}# a note\n",
        f"{HEADER}\n\n{LINE}",
        f"{HEADER}\n{LINE}no account\n",
        f"{HEADER}\n{LINE}{LINE.replace(HASH, OTHER_HASH)}",
        f"{HEADER}\n{LINE}".replace("\n", "\r\n"),
        f"{HEADER}\n{LINE}".removesuffix("\n"),
        f"{HEADER}\n{LINE}\udcff\n",
    ],
)
def test_lines_of_other_hands_are_dropped(current: str) -> None:
    found = plan(current, hashed("il"))
    assert found.changed
    assert reasons(found) == {}
    assert found.render() == f"{HEADER}\n{LINE}"


def test_accounts_stand_in_the_order_they_are_listed() -> None:
    current = plan("", hashed("a"), hashed("b")).render()
    found = plan(current, hashed("b"), hashed("a"))
    assert found.changed
    assert [line.split(":")[0] for line in found.render().splitlines()[1:]] == ["b", "a"]


def test_no_accounts_leave_the_header() -> None:
    assert plan(HASHED_IL).render() == f"{HEADER}\n"


def test_diff_shows_names_and_words_alone() -> None:
    current = (
        f"{HEADER}\n# note: secret-0\nkept:{HASH}::::::userdb_quota=5G\n"
        f"hand:{{PLAIN}}secret-1:5000:::/srv/secret-2::\nbare:secret-3\n" + HASHED_IL.partition("\n")[2]
    )
    found = plan(
        current,
        hashed("kept", userdb_quota="6G", nologin=""),
        IL | {"password": "secret-4"},
        {"name": "new", "password": "secret-5"},
    )
    assert found.diff() == {
        "before": (
            "(a line that is no account)\n"
            "kept: ARGON2ID, userdb_quota\n"
            "hand: PLAIN, uid, home\n"
            "bare: no scheme\n"
            "il: ARGON2ID\n"
        ),
        "after": (
            "kept: ARGON2ID, userdb_quota, nologin (fields changed)\n"
            "il: ARGON2ID (password changed)\n"
            "new: ARGON2ID (added)\n"
            "hand (removed)\n"
            "bare (removed)\n"
        ),
    }


def test_diff_of_an_unchanged_file_is_empty() -> None:
    diff = plan(HASHED_IL, IL).diff()
    assert diff["before"] == diff["after"] == "il: ARGON2ID\n"


def test_nothing_secret_stands_in_a_representation() -> None:
    shown = repr(plan(LINE, IL, hashed("guest")))
    assert "guest" in shown
    assert "secret" not in shown
    assert "$argon2id$" not in shown


# --- the file


def test_file_is_private_until_prepared_and_complete_when_in_place(tmp_path: Path) -> None:
    target = tmp_path / "users"
    target.write_text("old")

    def prepare(temporary: str) -> None:
        assert Path(temporary).parent == tmp_path
        assert stat.S_IMODE(Path(temporary).stat().st_mode) == 0o600
        assert target.read_text() == "old"
        Path(temporary).chmod(0o640)

    replace_file(str(target), "new\udce9\n", prepare)
    assert target.read_bytes() == b"new\xe9\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [target]


def test_failure_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "users"
    target.write_text("old")

    def refuse(_temporary: str) -> None:
        raise PasswdFileError("no such owner")

    with pytest.raises(PasswdFileError, match="no such owner"):
        replace_file(str(target), "new", refuse)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(PathError) as error:
        replace_file(str(tmp_path / "missing" / "users"), "", print)
    assert str(error.value) == (
        f"path: cannot write in {tmp_path}/missing (No such file or directory): create the directory"
    )


def test_path_that_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PathError) as error:
        read_file(str(tmp_path))
    assert str(error.value) == f"path: cannot read {tmp_path} (Is a directory): name a file"


def test_absent_file_has_no_text(tmp_path: Path) -> None:
    assert read_file(str(tmp_path / "users")) is None
