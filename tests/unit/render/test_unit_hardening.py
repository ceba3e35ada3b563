"""What systemd takes away from units, and what they keep."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.unit_hardening import (
    DAEMONS,
    STRICT,
    daemon_drop_ins,
    unit_hardening,
)

TEMPLATES = sorted((Path(__file__).parents[3] / "roles").glob("*/templates/*.service.j2"))


def settings(text: str) -> dict[str, list[str]]:
    """Read lines of a unit: all values of each setting, in order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator:
            found.setdefault(name, []).append(value)
    return found


def test_a_unit_without_needs_has_nothing() -> None:
    found = settings(unit_hardening({}))
    assert set(found) == set(STRICT)
    assert found["CapabilityBoundingSet"] == [""]
    assert found["ProtectSystem"] == ["strict"]
    assert found["PrivateDevices"] == ["yes"]
    assert found["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]


def test_a_unit_keeps_what_it_needs_and_may_lack_more() -> None:
    needs = {"CapabilityBoundingSet": "CAP_NET_ADMIN", "ProtectHome": False, "PrivateNetwork": True}
    found = settings(unit_hardening(needs))
    assert found["CapabilityBoundingSet"] == ["CAP_NET_ADMIN"]
    assert found["PrivateNetwork"] == ["yes"]
    assert "ProtectHome" not in found


def test_programs_that_get_more_rights_are_left_to_it() -> None:
    """Each of these would forbid new privileges for a unit with a user, before systemd 253."""
    found = settings(unit_hardening({}, new_privileges=True))
    assert found.keys().isdisjoint(
        {"NoNewPrivileges", "SystemCallFilter", "PrivateDevices", "LockPersonality", "ProtectHostname"}
    )
    assert {"CapabilityBoundingSet", "ProtectSystem", "ProtectHome", "PrivateTmp"} <= found.keys()


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_keeps_what_is_said_here_whatever_its_unit_says(daemon: str) -> None:
    __, file = daemon_drop_ins({f"{daemon}.service": daemon})["files"]
    found = settings(file["content"])
    for name in ("CapabilityBoundingSet", "RestrictAddressFamilies", "SystemCallFilter"):
        assert found[name][0] == "", "lines of the unit itself would add up with these"
        assert all(found[name][1:])
    assert "CAP_SYS_ADMIN" not in file["content"]


@pytest.mark.parametrize("harden", [True, False])
def test_daemons_come_back_whether_they_are_hardened_or_not(harden: bool) -> None:
    more = {"a.service": {"PIDFile": "/run/a.pid"}}
    found = daemon_drop_ins({"a.service": "postfix", "b.service": "nginx"}, harden, more)
    folder = "/etc/systemd/system/{}.service.d"
    contents = {file["path"]: settings(file["content"]) for file in found["files"]}
    restarts = {unit: contents[f"{folder.format(unit)}/restart.conf"] for unit in "ab"}
    assert all(restart["Restart"] == ["on-failure"] for restart in restarts.values())
    assert all(restart["OOMPolicy"] == ["continue"] for restart in restarts.values())
    assert all(restart["StartLimitIntervalSec"] == ["0"] for restart in restarts.values())
    assert restarts["a"]["PIDFile"] == ["/run/a.pid"]
    assert "PIDFile" not in restarts["b"]
    hardening = [f"{folder.format(unit)}/hardening.conf" for unit in "ab"]
    assert [path in contents for path in hardening] == [harden, harden]
    assert found["absent"] == hardening
    assert found["directories"] == [{"path": folder.format(unit)} for unit in "ab"]


@pytest.mark.parametrize("daemon", ["dovecot", "php-fpm", "postfix"])
def test_mail_can_be_sent_by_a_program_with_rights_of_its_group(daemon: str) -> None:
    assert "NoNewPrivileges" not in daemon_drop_ins({"some.service": daemon})["files"][1]["content"]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_every_unit_of_the_house_takes_it_from_here(template: Path) -> None:
    text = template.read_text()
    if "ExecStart=" not in text:
        pytest.skip("a drop-in")
    text += "".join((template.parent / name).read_text() for name in re.findall(r"include '([^']+)'", text))
    assert "ilnmors.mail.unit_hardening" in text
    assert not re.findall(rf"^({'|'.join(STRICT)})=", text, re.MULTILINE)
