"""Who may hold how many connections: what the options come down to, and the program that keeps to it."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.connection_limits import connection_limits
from ansible_collections.ilnmors.mail.plugins.module_utils._site.host_network import Network

PROGRAM = Path(__file__).parents[3] / "roles/postfix_relay/files/connection_limits.py"
FACTS = {"default_ipv4": {"gateway": "192.168.1.1"}}
HOUSE = {
    "connections": 20,
    "webmail_hostname": "webmail.home.internal",
    "trusted_networks": ["127.0.0.0/8", "192.168.1.0/24", "fd00:1::/64"],
    "ignored": ["192.168.2.7", "fd00:2::7", "proxy.home.internal"],
    "facts": FACTS,
}


def load() -> Any:
    """Load the program as a module."""
    loader = SourceFileLoader("connection_limits_program", str(PROGRAM))
    spec = importlib.util.spec_from_loader("connection_limits_program", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        # Dataclasses look their module up.
        patch.setitem(sys.modules, "connection_limits_program", module)
        loader.exec_module(module)
    return module


program = load()


# --- what the options come down to


def test_the_program_is_told_who_is_exempt_and_who_never_is() -> None:
    assert connection_limits(HOUSE)["settings"] == {
        "ports": [25, 465, 587, 4190],
        "connections": 20,
        # Strangers come from the router's address, in a trusted network as it is.
        "counted": ["192.168.1.1"],
        "exempt": [
            "127.0.0.0/8",
            "192.168.1.0/24",
            "fd00:1::/64",
            "webmail.home.internal",
            "192.168.2.7",
            "fd00:2::7",
            "proxy.home.internal",
        ],
    }


def test_postfix_is_told_the_same() -> None:
    assert connection_limits(HOUSE)["exceptions"] == (
        "$mynetworks webmail.home.internal 192.168.2.7/32 [fd00:2::7]/128 proxy.home.internal"
    )


@pytest.mark.parametrize(("connections", "processes"), [(1, 100), (20, 100), (50, 250)])
def test_it_takes_five_addresses_to_use_up_the_processes_of_a_port(connections: int, processes: int) -> None:
    assert connection_limits({**HOUSE, "connections": connections})["processes"] == processes


# --- the program


class Table:
    """nftables, as far as the program knows it."""

    def __init__(self, complaint: str = "") -> None:
        self.complaint = complaint
        self.commands: list[str] = []
        self.packets = 0

    def execute(self, commands: str) -> str:
        self.commands.append(commands)
        return self.complaint

    def count(self) -> int:
        return self.packets


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(connection_limits(HOUSE)["settings"]))
    return program.read_settings(str(path))


def network(text: str) -> Network:
    found: Network = program.as_network(text)
    assert found
    return found


def test_names_are_told_from_addresses(settings: Any) -> None:
    assert settings.names == ("webmail.home.internal", "proxy.home.internal")
    assert network("192.168.2.7") in settings.exempt


def test_the_table_counts_and_never_accepts_what_others_refuse(settings: Any) -> None:
    text = program.build_table(settings)
    assert "flags owner" in text
    assert "policy accept" in text
    assert "tcp dport { 25, 465, 587, 4190 } ct state new" in text
    assert "ip saddr . tcp dport ct count over 20 " in text
    assert "ip6 saddr & ffff:ffff:ffff:ffff:: . tcp dport ct count over 80 " in text
    assert "add element inet ilnmors_mail counted4 { 192.168.1.1/32 }" in text
    assert "add element inet ilnmors_mail exempt6 { fd00:1::/64, fd00:2::7/128 }" in text


def test_overlapping_networks_are_one_element() -> None:
    """An interval that overlaps another is refused by nft."""
    networks = [network("10.0.0.0/8"), network("10.1.0.0/16"), network("fd00::/8")]
    assert program.elements(networks, 4) == "10.0.0.0/8"
    assert program.elements([], 6) == ""


def test_a_names_address_is_exempt_once_it_resolves(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses: dict[str, set[Network]] = {}
    monkeypatch.setattr(program, "resolve", lambda name: addresses.get(name, set()))
    table = Table()
    limits = program.Limits(settings, table.execute, table.count)
    limits.begin()
    limits.look()
    assert len(table.commands) == 1
    addresses["webmail.home.internal"] = {network("192.168.3.20")}
    limits.look()
    limits.look()
    assert len(table.commands) == 2
    assert "192.168.3.20/32" in table.commands[1]
    # The rest stays as it was, and an address stays while DNS is down.
    assert "192.168.1.0/24" in table.commands[1]
    addresses.clear()
    limits.look()
    assert len(table.commands) == 2
    addresses["webmail.home.internal"] = {network("192.168.3.21")}
    limits.look()
    assert "192.168.3.20/32" not in table.commands[2]


def test_refused_connections_are_told_of(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table()
    limits = program.Limits(settings, table.execute, table.count)
    limits.begin()
    for packets in (0, 30, 30, 42):
        table.packets = packets
        limits.look()
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["<5>30", "<5>12"]


def test_a_kernel_that_refuses_is_told_of_and_asked_no_more(
    settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table("Error: Could not process rule: Operation not permitted\nmore")
    limits = program.Limits(settings, table.execute, table.count)
    limits.begin()
    limits.look()
    assert len(table.commands) == 1
    said = capsys.readouterr().err
    assert said.startswith("<4>")
    assert "Operation not permitted\n" in said


def test_an_interface_of_a_link_local_address_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(10, 1, 6, "", ("fe80::1%eth0", 0, 0, 2)), (2, 1, 6, "", ("192.0.2.1", 0))]
    monkeypatch.setattr(program.socket, "getaddrinfo", lambda *_args, **__: found)
    assert program.resolve("webmail.home.internal") == {network("fe80::1"), network("192.0.2.1")}


def test_the_counter_is_read() -> None:
    answer = {"nftables": [{"metainfo": {}}, {"counter": {"name": "refused", "packets": 7}}]}
    assert program.counted_packets(answer) == 7
