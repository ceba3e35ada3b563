# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A port that another program has is told of before a service fails on it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.ports import (
    Listener,
    ask_listening,
    port_problems,
    read_listening,
)

EVERYWHERE = ["*", "::"]


def line(local: str, process: str = "caddy", unit: str = "caddy.service") -> str:
    """Return a line of ss; a container may see neither process nor unit."""
    users = f'users:(("{process}",pid=7,fd=5))' if process else ""
    cgroup = f"cgroup:/system.slice/{unit}" if unit else ""
    return f"LISTEN 0      511    {local}   0.0.0.0:* {users} {cgroup}  \n"


def nginx(addresses: list[str], port: int = 443) -> Listener:
    return Listener("snappymail_https_port", "nginx", addresses, [port])


SOCKETS = """\
[::1]:443                  web.socket   web.service
127.0.0.1:443              nginx.socket nginx.service
/run/dbus/system_bus_socket dbus.socket  dbus.service
"""


@pytest.mark.parametrize(
    ("local", "unit", "conflict"),
    [
        ("127.0.0.1:443", "system.slice/nginx.socket", False),
        ("127.0.0.1:443", "init.scope", False),
        ("[::1]:443", "init.scope", True),
        ("127.0.0.2:443", "init.scope", True),
    ],
)
def test_systemd_may_have_a_port_for_a_service(local: str, unit: str, conflict: bool) -> None:
    taken = read_listening(line(local, "systemd", unit), SOCKETS)
    assert bool(list(port_problems([nginx(EVERYWHERE)], taken))) is conflict


@pytest.mark.parametrize(
    ("local", "wanted", "conflict"),
    [
        # All addresses, with and without IPv6.
        ("192.168.1.3:443", EVERYWHERE, True),
        ("0.0.0.0:443", ["*"], True),
        ("[::1]:443", EVERYWHERE, True),
        ("[::1]:443", ["*"], False),
        ("[fe80::1]%eth0:443", EVERYWHERE, True),
        # Some of them.
        ("192.168.1.3:443", ["127.0.0.1", "192.168.1.3"], True),
        ("192.168.1.3:443", ["127.0.0.1", "192.168.1.4"], False),
        ("0.0.0.0:443", ["192.168.1.3"], True),
        ("0.0.0.0:443", ["fd00::3"], False),
        ("[::]:443", ["fd00::3"], True),
        ("[::]:443", ["192.168.1.3"], False),
        ("[fd00::3]:443", ["fd00:0::3"], True),
        ("127.0.0.53%lo:443", ["127.0.0.1"], False),
        # IPv6 and IPv4 by one socket.
        ("*:443", ["192.168.1.3"], True),
        # Another port, and nothing wanted.
        ("0.0.0.0:4430", ["*"], False),
        ("0.0.0.0:443", [], False),
    ],
)
def test_who_has_a_port(local: str, wanted: list[str], conflict: bool) -> None:
    assert bool(list(port_problems([nginx(wanted)], read_listening(line(local))))) is conflict


@pytest.mark.parametrize(
    ("service", "process", "unit", "own"),
    [
        ("nginx", "nginx", "nginx.service", True),
        ("nginx", "", "nginx.service", True),
        ("nginx", "nginx", "", True),
        ("nginx", "caddy", "caddy.service", False),
        # A site of its own, started by hand or by another unit.
        ("nginx", "nginx", "angie.service", False),
        ("postfix", "master", "postfix.service", True),
        ("postfix", "master", "", True),
        # A unit for each instance, below a slice of its own.
        ("postfix", "", "system-postfix.slice/postfix@-.service", True),
        # What apt removes for Postfix.
        ("postfix", "exim4", "exim4.service", True),
        ("dovecot", "exim4", "exim4.service", False),
        ("dovecot", "dovecot", "dovecot.service", True),
        ("dovecot", "systemd", "dovecot.socket", True),
        ("dovecot", "", "", False),
    ],
)
def test_a_service_keeps_its_ports(service: str, process: str, unit: str, own: bool) -> None:
    listener = Listener("mail_listen_addresses", service, EVERYWHERE, [143, 993])
    assert (list(port_problems([listener], read_listening(line("[::]:993", process, unit)))) == []) is own


@pytest.mark.parametrize(
    ("process", "unit", "who"),
    [
        ("caddy", "caddy.service", "caddy.service"),
        ("caddy", "", "caddy"),
        ("", "", "a program that cannot be told"),
    ],
)
def test_what_is_wrong_is_said(process: str, unit: str, who: str) -> None:
    taken = read_listening(line("0.0.0.0:80", "nginx", "nginx.service") + line("*:443", process, unit))
    assert list(port_problems([nginx(EVERYWHERE), nginx(EVERYWHERE, 80), nginx(EVERYWHERE, 0)], taken)) == [
        f"snappymail_https_port: nginx cannot listen on port 443, for {who} does already (on *:443); "
        "stop that, or write here what leaves both their own"
    ]


def test_what_ss_does_not_write_is_no_answer() -> None:
    with pytest.raises(ValueError, match="no line of ss: 'Netid State'"):
        read_listening("Netid State\n")


@pytest.mark.skipif(not Path("/usr/bin/ss").exists(), reason="needs ss, of Debian's iproute2")
def test_ss_is_understood() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert [taken.shown for taken in ask_listening() if taken.port == port] == [f"127.0.0.1:{port}"]
