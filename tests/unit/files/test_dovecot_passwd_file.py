# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module dovecot_passwd_file as Ansible runs it."""

from __future__ import annotations

import json
import os
import stat
import sys
import syslog
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._files import dovecot_passwd, pending
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.dovecot_hash import Argon2id
from ansible_collections.ilnmors.mail.plugins.modules import dovecot_passwd_file

CHEAP = {"argon2_memory": 8, "argon2_time": 1}
# What a shell, JSON and Python each spell in their own way.
PASSWORD = "top'secret\\\"\t\u00e9"
HASH = "$argon2id$v=19$m=64,t=2,p=1$c3Nzc3Nzc3Nzc3Nzc3Nzcw$V5EkqS+nrwblWEvBX8gpmmcAw0r9QCliyxC6tC0KKAI"
ACCOUNTS: list[dict[str, Any]] = [
    {
        "name": "il@ilnmors.internal",
        "password": PASSWORD,
        "extra_fields": {"userdb_quota_storage_size": "5G"},
    },
    {"name": "guest@ilnmors.internal", "password_hash": HASH},
]
NONE_CHANGED: dict[str, list[str]] = {
    "added": [],
    "removed": [],
    "password_changed": [],
    "scheme_changed": [],
    "cost_changed": [],
    "fields_changed": [],
}


class House:
    """Runs the module on one file, and keeps all that it said and logged."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.capsys = capsys
        self.said = ""

    def state(self) -> tuple[int, ...]:
        """Return what a write would change of the file; reading it changes its time of access alone."""
        found = self.path.stat()
        return (
            found.st_ino,
            found.st_mode,
            found.st_uid,
            found.st_gid,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )

    def run(self, *, check: bool = False, diff: bool = False, **options: object) -> dict[str, Any]:
        arguments = {"path": str(self.path), "accounts": ACCOUNTS, **CHEAP, **options}
        arguments |= {"_ansible_check_mode": check, "_ansible_diff": diff}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            dovecot_passwd_file.main()
        output = self.capsys.readouterr().out
        self.said += output
        result: dict[str, Any] = json.loads(output)
        return result

    @property
    def mode(self) -> int:
        return stat.S_IMODE(self.path.stat().st_mode)


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> House:
    found = House(tmp_path / "users", capsys)

    def log(_module: AnsibleModule, msg: str, log_args: object = None) -> None:
        found.said += f"{msg} {log_args}"

    monkeypatch.setattr(AnsibleModule, "log", log)
    return found


def test_first_run_writes_all_accounts(house: House) -> None:
    result = house.run(mode="0640")
    assert result["changed"]
    assert result["changes"] == NONE_CHANGED | {"added": ["il@ilnmors.internal", "guest@ilnmors.internal"]}
    header, il, guest = house.path.read_text().splitlines()
    assert header.startswith("# Managed by Ansible")
    assert il.startswith("il@ilnmors.internal:{ARGON2ID}$argon2id$v=19$m=8,t=1,p=1$")
    assert il.endswith("::::::userdb_quota_storage_size=5G")
    assert guest == f"guest@ilnmors.internal:{{ARGON2ID}}{HASH}::::::"
    assert house.mode == 0o640
    assert list(house.path.parent.iterdir()) == [house.path]


def test_second_run_writes_nothing(house: House) -> None:
    house.run(mode="0640")
    before = house.state()
    result = house.run(mode="0640", diff=True)
    assert not result["changed"]
    assert result["changes"] == NONE_CHANGED
    assert result["diff"][0]["before"] == result["diff"][0]["after"]
    assert house.state() == before


def test_changed_password_and_dropped_account(house: House) -> None:
    house.run()
    result = house.run(accounts=[ACCOUNTS[0] | {"password": "another-secret"}])
    assert result["changed"]
    assert result["changes"] == NONE_CHANGED | {
        "password_changed": ["il@ilnmors.internal"],
        "removed": ["guest@ilnmors.internal"],
    }
    assert "guest" not in house.path.read_text()


@pytest.mark.parametrize(
    ("options", "reason"), [({"argon2_time": 2}, "cost_changed"), ({"scheme": "BLF-CRYPT"}, "scheme_changed")]
)
def test_changed_cost_and_scheme_hash_passwords_anew(
    house: House, options: dict[str, Any], reason: str
) -> None:
    house.run(blf_rounds=4)
    result = house.run(blf_rounds=4, **options)
    assert result["changes"] == NONE_CHANGED | {reason: ["il@ilnmors.internal"]}
    assert not house.run(blf_rounds=4, **options)["changed"]


@pytest.mark.parametrize(
    ("scheme", "beginning"),
    [
        ("ARGON2ID", "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"),
        ("BLF-CRYPT", "{BLF-CRYPT}$2b$10$"),
        ("SHA512-CRYPT", "{SHA512-CRYPT}$6$rounds=210000$"),
    ],
)
def test_default_costs(house: House, scheme: str, beginning: str) -> None:
    arguments = {"path": str(house.path), "accounts": ACCOUNTS[:1], "scheme": scheme}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        dovecot_passwd_file.main()
    assert house.path.read_text().splitlines()[1].startswith(f"il@ilnmors.internal:{beginning}")


def test_new_file_is_private_by_default(house: House) -> None:
    house.run()
    assert house.mode == 0o600


def test_replaced_file_keeps_mode_and_owner(house: House) -> None:
    house.path.write_text("")
    house.path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(house.path, 12345, 12345)
    before = house.path.stat()
    assert house.run()["changed"]
    after = house.path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_mode_alone_is_a_change(house: House) -> None:
    house.run(mode="0600")
    content = house.path.read_text()
    result = house.run(mode="0640", diff=True)
    assert result["changed"]
    assert result["changes"] == NONE_CHANGED
    assert result["diff"][1] == {"before": {"mode": "0600"}, "after": {"mode": "0640"}}
    assert (house.mode, house.path.read_text()) == (0o640, content)


def test_unknown_owner_leaves_the_file_as_it_was(house: House) -> None:
    house.run()
    before = house.path.read_text()
    result = house.run(owner="no-such-user", accounts=[])
    assert result["failed"]
    assert house.path.read_text() == before
    assert list(house.path.parent.iterdir()) == [house.path]


def test_unknown_owner_leaves_no_new_file(house: House) -> None:
    assert house.run(owner="no-such-user")["failed"]
    assert list(house.path.parent.iterdir()) == []


# --- long runs


def test_a_run_that_is_cut_off_keeps_what_it_has_hashed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [{"name": name, "password": f"secret-{name}"} for name in "abcd"]
    house.run(accounts=people[2:], mode="0640")
    old = house.path.read_text().splitlines()[1:]
    said: list[str] = []
    real = Argon2id.hash
    left = iter(["a"])

    def cut_off(scheme: Argon2id, password: bytes) -> str:
        if not next(left, ""):
            raise KeyboardInterrupt
        return real(scheme, password)

    monkeypatch.setattr(dovecot_passwd_file, "SECONDS", 0)
    monkeypatch.setattr(syslog, "syslog", said.append)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    monkeypatch.setattr(Argon2id, "hash", cut_off)
    with (
        patch_module_args({"path": str(house.path), "accounts": people, **CHEAP}),
        pytest.raises(KeyboardInterrupt),
    ):
        dovecot_passwd_file.main()
    a, *rest = house.path.read_text().splitlines()[1:]
    assert a.startswith("a:{ARGON2ID}$argon2id$")
    assert rest == old
    assert house.mode == 0o640
    assert list(house.path.parent.iterdir()) == [house.path]
    assert said == [
        f"{house.path}: verified 1 of 2 passwords",
        f"{house.path}: verified 2 of 2 passwords",
        f"{house.path}: hashed 1 of 2 passwords",
    ]

    monkeypatch.setattr(Argon2id, "hash", real)
    assert house.run(accounts=people)["changes"] == NONE_CHANGED | {"added": ["b"]}


def test_a_short_run_says_nothing_in_the_journal(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dovecot_passwd_file, "SECONDS", 3600)
    monkeypatch.setattr(syslog, "syslog", pytest.fail)
    assert house.run()["changed"]


# --- check mode


def test_check_mode_predicts_a_new_file_without_a_library_owner_or_directory(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "argon2.low_level", None)
    house.path = house.path.parent / "missing" / "users"
    result = house.run(check=True, owner="not-yet-there", mode="0640")
    assert result["changed"]
    assert result["changes"]["added"] == ["il@ilnmors.internal", "guest@ilnmors.internal"]
    assert not house.path.parent.exists()


def test_check_mode_changes_neither_content_nor_mode(house: House) -> None:
    house.run(mode="0600")
    before = house.state()
    result = house.run(check=True, mode="0640", accounts=[])
    assert result["changed"]
    assert result["changes"]["removed"] == ["il@ilnmors.internal", "guest@ilnmors.internal"]
    assert house.state() == before


def test_check_mode_predicts_no_change(house: House) -> None:
    house.run()
    assert not house.run(check=True)["changed"]


# --- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"accounts": [{"name": "il", "password_hash": "{BLF-CRYPT}" + HASH}]},
            "accounts[0] (il).password_hash: found a hash that is not of its scheme BLF-CRYPT: "
            "make one with 'doveadm pw -s BLF-CRYPT'",
        ),
        (
            {"accounts": [{"name": "il"}]},
            "accounts[0] (il): found neither password nor password_hash, write exactly one of them",
        ),
        ({"argon2_memory": 7}, "argon2_memory: found 7, write a number from 8 to 4294967295"),
        (
            {"scheme": "MD5"},
            "value of scheme must be one of: ARGON2ID, BLF-CRYPT, SHA512-CRYPT, got: MD5",
        ),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_bad_input_is_refused_before_anything_changes(
    house: House, options: dict[str, Any], message: str, check: bool
) -> None:
    house.run()
    before = house.path.read_text()
    result = house.run(check=check, **options)
    assert result["failed"]
    assert result["msg"] == message
    assert house.path.read_text() == before


def test_missing_library_is_an_error_that_names_the_package(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "argon2.low_level", None)
    assert house.run()["msg"] == (
        "the Python library 'argon2' is missing on this host: install the Debian package python3-argon2"
    )


# --- secrets


def test_no_secret_is_said_or_logged(house: House) -> None:
    house.run(diff=True)
    house.run(check=True, diff=True, accounts=[ACCOUNTS[0] | {"password": PASSWORD * 2}])
    house.run(accounts=[*ACCOUNTS, {"name": "a b", "password": PASSWORD}])
    assert "il@ilnmors.internal" in house.said
    assert "Invoked with" in house.said
    for secret in ("top", "secret\\", "$argon2id$"):
        assert secret not in house.said


def test_what_makes_dovecot_take_the_file_is_noted_before_it_changes(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "pending"
    monkeypatch.setattr(pending, "DIRECTORY", notes)
    found: list[bool] = []
    real = dovecot_passwd.replace_file

    def replace_file(*arguments: Any) -> None:
        found.append((notes / "forget-logins").exists())
        real(*arguments)

    monkeypatch.setattr(dovecot_passwd_file, "replace_file", replace_file)
    house.run(check=True, pending=["forget-logins"])
    assert not notes.exists()
    house.run(pending=["forget-logins"])
    (notes / "forget-logins").unlink()
    house.run(pending=["forget-logins"])
    assert found == [True]
    assert list(notes.iterdir()) == []
