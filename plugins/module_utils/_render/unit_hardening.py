# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What systemd takes away from services (systemd.exec(5)): the one place for it, for units of Debian and our own.

A unit names what it needs of what STRICT takes away. Whatever it does not name, it does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Needs = Mapping[str, object]
"""Settings of systemd.exec(5) by their names: another value, several, or false for none."""

STRICT: Needs = {
    "CapabilityBoundingSet": "",
    "LockPersonality": True,
    "MemoryDenyWriteExecute": True,
    "NoNewPrivileges": True,
    "PrivateDevices": True,
    "PrivateTmp": True,
    "ProtectClock": True,
    "ProtectControlGroups": True,
    "ProtectHome": True,
    "ProtectHostname": True,
    "ProtectKernelLogs": True,
    "ProtectKernelModules": True,
    "ProtectKernelTunables": True,
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": True,
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": True,
    "RestrictRealtime": True,
    "RestrictSUIDSGID": True,
    "SystemCallArchitectures": "native",
    "SystemCallFilter": ["@system-service", "~@privileged @resources"],
}

# Daemons that begin as root, and give each process to the user that it is for. Some of their programs run others with
# more rights than their own, such as Postfix's postdrop, which has its group's. What they read and write is the house's
# to say, so that only the system itself is kept from them.
_STARTS_AS_ROOT: Needs = {
    "CapabilityBoundingSet": "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_KILL "
    "CAP_NET_BIND_SERVICE CAP_SETGID CAP_SETUID CAP_SYS_CHROOT",
    "NoNewPrivileges": False,
    "ProtectHome": False,
    "ProtectSystem": "full",
    "RemoveIPC": False,
    # Resolvers ask the kernel for the host's own addresses.
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_NETLINK AF_UNIX",
    "RestrictSUIDSGID": False,
    "SystemCallFilter": ["@system-service chroot"],
}

HARDENING = "/etc/systemd/system/{}.d/hardening.conf"
RESTART = "/etc/systemd/system/{}.d/restart.conf"
# Settings whose lines add up (systemd.exec(5)).
_ADDING = {"CapabilityBoundingSet", "RestrictAddressFamilies", "SystemCallFilter"}

DAEMONS: Mapping[str, Needs] = {
    "dovecot": _STARTS_AS_ROOT,
    # Debian 13's own unit takes as much away.
    "postfix": _STARTS_AS_ROOT,
    # Other sites of the host may use modules that compile, such as LuaJIT.
    "nginx": {**_STARTS_AS_ROOT, "MemoryDenyWriteExecute": False, "NoNewPrivileges": True},
    # PHP compiles patterns. Other pools of the host may mail by a sendmail that has its group's rights.
    "php-fpm": {**_STARTS_AS_ROOT, "MemoryDenyWriteExecute": False},
    # Reads logs, and has packet filters refuse addresses. Other actions of the host write /etc/hosts.deny.
    "fail2ban": {
        **_STARTS_AS_ROOT,
        "CapabilityBoundingSet": "CAP_AUDIT_READ CAP_DAC_READ_SEARCH CAP_NET_ADMIN CAP_NET_RAW",
        "ProtectHome": "read-only",
        "ProtectSystem": True,
        "SystemCallFilter": ["@system-service"],
    },
}
"""Daemons of Debian that the house relies on, and what they need."""


# For a unit that is not root's, what filters system calls forbids new privileges (systemd before 253).
_FILTERS = {
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallFilter",
}


def unit_hardening(needs: Needs, new_privileges: bool = False) -> str:
    """Return lines of a [Service] section for a unit of the house.

    new_privileges: whether its programs run others with more rights than their own, such as Postfix's postdrop, and the
    unit has a user.
    """
    taken = set() if not new_privileges else {"NoNewPrivileges", *_FILTERS}
    strict = {name: value for name, value in STRICT.items() if name not in taken}
    return "\n".join(_lines({**strict, **needs}))


def daemon_drop_ins(
    units: Mapping[str, str], harden: bool = True, more: Mapping[str, Mapping[str, object]] | None = None
) -> dict[str, list[Any]]:
    """Return what the module config_files makes of drop-ins of Debian's units: directories, files and absent.

    A daemon is started again when its main process is killed, and loses what it does not need where that is wanted.
    units: the daemon of each unit. more: further settings of a unit's section [Service].
    """
    hardening = [
        {"path": HARDENING.format(unit), "content": _drop_in(daemon)} for unit, daemon in units.items()
    ]
    restarts = [
        {"path": RESTART.format(unit), "content": _restart((more or {}).get(unit, {}))} for unit in units
    ]
    return {
        "directories": [{"path": file["path"].rpartition("/")[0]} for file in restarts],
        "files": [*restarts, *(hardening if harden else [])],
        "absent": [file["path"] for file in hardening],
    }


def _restart(more: Needs) -> str:
    """Write a drop-in that lets systemd start a daemon again, however often."""
    settings: Needs = {
        # Where memory runs out, the one process goes that took it, not all of them.
        "OOMPolicy": "continue",
        "Restart": "on-failure",
        "RestartPreventExitStatus": "",
        "RestartSec": "2s",
        **more,
    }
    unit = ["[Unit]", "# Tried for ever: what keeps it from starting may pass.", "StartLimitIntervalSec=0"]
    return "\n".join(["# Ansible managed", *unit, "", "[Service]", *_lines(settings), ""])


def _drop_in(daemon: str) -> str:
    lines = _lines({**STRICT, **DAEMONS[daemon]}, anew=True)
    return "\n".join(["# Ansible managed", "[Service]", *lines, ""])


def _lines(settings: Needs, anew: bool = False) -> Iterator[str]:
    """Write settings in the order of their names; anew: without what the unit says of those that add up."""
    for name, value in sorted(settings.items()):
        if value is False:
            continue
        if anew and name in _ADDING:
            yield f"{name}="
        values: Sequence[object] = value if isinstance(value, list) else [value]
        yield from (f"{name}={'yes' if one is True else one}" for one in values)
