# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packages are installed where they are missing, and a mirror is asked only then."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._files import pending
from ansible_collections.ilnmors.mail.plugins.module_utils._host import packages
from ansible_collections.ilnmors.mail.plugins.modules import packages as module

CANNOT_LOCATE = "E: Unable to locate package isync\n"
CANNOT_FETCH = "W: GPG\nE: Failed to fetch http://deb.debian.org/isync.deb  404  Not Found\n"
NO_MIRROR = (
    "E: Failed to fetch http://deb.debian.org/InRelease  Could not connect\nE: Some index files failed\n"
)


class Host:
    """Stand for dpkg and apt-get.

    installed: what dpkg says of each package. lists: which packages the lists name. mirror: which it has, None where
    it is out of reach. broken: what apt-get says of an installation.
    """

    def __init__(self, folder: Path) -> None:
        self.installed: dict[str, str] = {}
        self.lists: set[str] = {"isync", "nginx"}
        self.mirror: set[str] | None = {"isync", "nginx"}
        self.broken = ""
        self.called: list[str] = []
        self.policies: list[str] = []
        self.journal = folder / "updates"
        self.journal.mkdir()
        self.lists_directory = folder / "lists"
        self.lists_directory.mkdir()

    def age(self, seconds: float) -> None:
        moment = time.time() - seconds
        os.utime(self.lists_directory, (moment, moment))

    def run(self, argv: Sequence[str], lock: int = -1) -> subprocess.CompletedProcess[str]:
        words = [word for word in argv if not word.startswith("-") and "::" not in word]
        program = {"dpkg-query": self.query, "dpkg": self.configure, "apt-get": self.apt}[argv[0]]
        if argv[0] != "dpkg-query":
            self.policies.append(packages.POLICY.read_text() if packages.POLICY.exists() else "")
            ours = self.policies[-1].startswith(packages.POLICY_HEAD)
            assert (lock >= 0) == ours or "update" in argv
        code, out, err = program(words[1:])
        return subprocess.CompletedProcess(argv, code, out, err)

    def query(self, names: Sequence[str]) -> tuple[int, str, str]:
        known = [name for name in names if name in self.installed]
        return int(known != names), "".join(f"{name} {self.installed[name]}\n" for name in known), ""

    def configure(self, __: Sequence[str]) -> tuple[int, str, str]:
        self.called.append("configure")
        for path in self.journal.iterdir():
            path.unlink()
        for name, state in self.installed.items():
            self.installed[name] = "installed" if state in packages.UNFINISHED else state
        return 0, "", ""

    def apt(self, words: Sequence[str]) -> tuple[int, str, str]:
        verb, *names = [word for word in words if "=" not in word]
        self.called.append(" ".join([verb, *names]))
        if any(self.journal.iterdir()):
            return 100, "", "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'\n"
        if verb == "update":
            if self.mirror is None:
                return 100, "", NO_MIRROR
            self.lists = set(self.mirror)
            return 0, "", ""
        if self.broken:
            return 100, "", self.broken
        if not set(names) <= self.lists:
            return 100, "", CANNOT_LOCATE
        if not set(names) <= (self.mirror or set()):
            return 100, "", CANNOT_FETCH
        self.installed |= dict.fromkeys(names, "installed")
        return 0, "", ""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path)
    monkeypatch.setattr(packages, "_run", host.run)
    monkeypatch.setattr(packages, "JOURNAL", host.journal)
    monkeypatch.setattr(packages, "LISTS", host.lists_directory)
    monkeypatch.setattr(packages, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(packages, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(pending, "DIRECTORY", tmp_path / "pending")
    return host


def run(
    capsys: pytest.CaptureFixture[str], *names: str, check: bool = False, **more: object
) -> dict[str, Any]:
    args = {"name": list(names), **more, "_ansible_check_mode": check}
    with patch_module_args(args), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_where_nothing_is_missing_nobody_is_asked(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.installed, host.mirror, host.lists = {"isync": "installed"}, None, set()
    host.age(10 * packages.OLD)
    result = run(capsys, "isync", pending=["restart-isync.service"])
    assert (result["changed"], result["installed"], host.called) == (False, [], [])
    assert pending.noted() == {}


def test_check_mode_needs_no_lists(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.lists, host.mirror = set(), None
    result = run(capsys, "isync", "nginx", check=True, pending=["restart-isync.service"])
    assert (result["changed"], result["installed"], host.called) == (True, ["isync", "nginx"], [])
    assert pending.noted() == {}


FRESH, OLD = 60, 2 * packages.OLD


@pytest.mark.parametrize(
    ("age", "lists", "mirror", "expected"),
    [
        (FRESH, {"isync"}, {"isync"}, ["install isync"]),
        (OLD, {"isync"}, {"isync"}, ["update", "install isync"]),
        # Emptied, while the time of the directory says that they are fresh.
        (FRESH, set(), {"isync"}, ["install isync", "update", "install isync"]),
        # Old, and what they name is in the cache of packages.
        (OLD, set(), {"isync"}, ["update", "install isync"]),
    ],
)
def test_lists_are_refreshed_where_they_are_old_or_do_not_do(
    host: Host,
    capsys: pytest.CaptureFixture[str],
    age: float,
    lists: set[str],
    mirror: set[str],
    expected: list[str],
) -> None:
    host.lists, host.mirror, host.installed = lists, mirror, {"nginx": "installed"}
    host.age(age)
    result = run(capsys, "nginx", "isync", pending=["reload-nginx.service"])
    assert (result["changed"], result["installed"], host.called) == (True, ["isync"], expected)
    assert set(pending.noted()) == {"reload-nginx.service"}
    assert not run(capsys, "nginx", "isync")["changed"]


@pytest.mark.parametrize(
    ("lists", "mirror", "age", "said"),
    [
        (
            set(),
            None,
            FRESH,
            "Unable to locate package isync; Failed to fetch http://deb.debian.org/InRelease Could not connect; "
            "Some index files failed",
        ),
        ({"isync"}, set(), FRESH, "Unable to locate package isync"),
        (set(), set(), OLD, "Unable to locate package isync"),
    ],
)
def test_what_cannot_be_installed_is_said_in_one_sentence(
    host: Host,
    capsys: pytest.CaptureFixture[str],
    lists: set[str],
    mirror: set[str] | None,
    age: float,
    said: str,
) -> None:
    host.lists, host.mirror = lists, mirror
    host.age(age)
    result = run(capsys, "isync")
    assert result["failed"]
    assert result["msg"] == (
        f"name: isync cannot be installed: {said}. "
        "Let this host reach its Debian mirror, see what 'apt-get update' says, and run this again"
    )


@pytest.mark.parametrize("state", [*packages.UNFINISHED, "half-installed", "config-files", ""])
def test_an_interrupted_installation_is_finished(
    host: Host, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    host.age(FRESH)
    host.installed = {"isync": state} if state else {}
    (host.journal / "0001").touch()
    assert run(capsys, "isync")["changed"]
    assert host.installed == {"isync": "installed"}
    assert host.called == ["configure"] + ([] if state in packages.UNFINISHED else ["install isync"])


def test_services_are_kept_from_starting_as_long_as_the_installation_runs(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    host.age(FRESH)
    run(capsys, "isync", not_started=["isync.service"])
    assert host.policies == [packages.policy_text(["isync.service"], packages.LOCK)]
    assert not packages.POLICY.exists()
    run(capsys, "nginx")
    assert host.policies[1:] == [""]


def test_a_policy_of_the_hosts_own_is_left_alone(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.age(FRESH)
    packages.POLICY.write_text("#!/bin/sh\nexit 101\n")
    run(capsys, "isync", not_started=["isync.service"])
    assert host.policies == ["#!/bin/sh\nexit 101\n"]
    assert packages.POLICY.read_text() == "#!/bin/sh\nexit 101\n"


def test_a_failed_installation_leaves_no_policy(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.age(FRESH)
    host.broken = "E: no\n"
    assert run(capsys, "isync", not_started=["isync.service"])["failed"]
    assert not packages.POLICY.exists()


def test_what_an_interrupted_installation_left_is_removed(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    host.installed = {"isync": "installed"}
    packages.POLICY.write_text(packages.policy_text(["isync.service"], packages.LOCK))
    assert run(capsys, "isync", check=True)["changed"]
    assert packages.POLICY.exists()
    assert run(capsys, "isync")["changed"]
    assert not packages.POLICY.exists()
    assert not run(capsys, "isync")["changed"]


def test_what_several_roles_ask_for_is_installed_at_once(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    host.installed = {"postfix": "installed"}
    host.age(FRESH)
    asked = [
        {"name": ["postfix"], "not_started": ["postfix.service"], "pending": ["reload-postfix.service"]},
        {"name": ["isync", "postfix"], "pending": ["restart-isync.service"]},
        {"name": ["nginx", "isync"], "not_started": ["nginx.service"], "pending": []},
    ]
    predicted = run(capsys, asked=asked, check=True)
    assert (predicted["installed"], host.called) == (["isync", "nginx"], [])
    assert [one["name"] for one in predicted["lacking"]] == [["isync", "postfix"], ["nginx", "isync"]]
    run(capsys, asked=predicted["lacking"])
    assert host.called == ["install isync nginx"]
    # Of those that lack nothing, nothing is to be applied.
    assert host.policies == [packages.policy_text(["nginx.service"], packages.LOCK)]
    assert list(pending.noted()) == ["restart-isync.service"]
    assert run(capsys, asked=asked)["lacking"] == []


@pytest.mark.parametrize("unit", ["", "nginx", "nginx.service|x.service", "*.service", "$(true).service"])
def test_what_is_no_name_of_a_unit_is_refused(unit: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no name of a unit" in run(capsys, "isync", not_started=[unit])["msg"]


@pytest.mark.skipif(not shutil.which("flock"), reason="needs flock")
def test_the_policy_forbids_only_while_the_installation_lives(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    policy = tmp_path / "policy-rc.d"
    policy.write_text(packages.policy_text(["nginx.service", "roundcube-gc.timer"], lock))
    policy.chmod(0o755)
    assert subprocess.run([policy, "nginx", "start"], check=False).returncode == 0
    holder = subprocess.Popen(["flock", lock, "sleep", "60"])
    try:
        deadline = time.monotonic() + 5
        while subprocess.run([policy, "nginx", "start"], check=False).returncode != 101:
            assert time.monotonic() < deadline
        for unit, code in (("nginx.service", 101), ("roundcube-gc.timer", 101), ("phpsessionclean.timer", 0)):
            assert subprocess.run([policy, unit, "start"], check=False).returncode == code, unit
    finally:
        subprocess.run(["pkill", "--parent", str(holder.pid)], check=False)
        holder.kill()
        holder.wait()
    # What the holder has started has the lock as well, until it has ended.
    deadline = time.monotonic() + 5
    while subprocess.run([policy, "nginx", "start"], check=False).returncode != 0:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("name", ["", "-y", "isync=1.5", "/tmp/x.deb", "Isync", "a b"])
def test_what_is_no_name_of_a_package_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no name of a package" in run(capsys, name)["msg"]
