# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The DNS records that lead clients to a house, in the words of the resolvers that homes run."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render.client_settings import INCOMING, OUTGOING


@dataclass(frozen=True)
class Service:
    """A service that clients look for by the house's domain (RFC 2782); a lower priority is preferred."""

    name: str
    port: int
    priority: int = 0


# RFC 6186, RFC 8314. Which a program prefers is the same wherever it reads it.
_NAMES = {"imap": "_imap", "pop3": "_pop3", "smtp": "_submission"}
MAIL_SERVICES = (
    *(
        Service(f"{_NAMES[server.protocol]}{'s' if server.tls == 'SSL' else ''}._tcp", server.port, 10 * rank)
        for servers in (INCOMING, OUTGOING)
        for rank, server in enumerate(servers)
    ),
    # RFC 5804
    Service("_sieve._tcp", 4190),
)

UNBOUND_HEAD = (
    "# Unbound: a file of its own, such as /etc/unbound/unbound.conf.d/mail.conf.",
    "# OPNsense: /usr/local/etc/unbound.opnsense.d/mail.conf, checked by `configctl unbound check`, taken by",
    "# `configctl unbound restart`; the web interface knows only addresses (Unbound DNS: Overrides).",
)
DNSMASQ_HEAD = ("# dnsmasq: a file of its own, such as /etc/dnsmasq.d/mail.conf; then restart dnsmasq.",)
HOSTS_HEAD = (
    "# /etc/hosts of each machine, where there is no DNS; phones have none. It knows no services: mail programs are",
    "# told the servers by hand.",
)
MAIL_EXCHANGER = (
    "# No MX: mail for this domain is handed to the mail host by name, and nobody outside sends any."
)
UNKNOWN = "ADDRESS"
ADDRESS_MISSING = (
    f"# {UNKNOWN} is not known here: write it, or that of a reverse proxy before it, and remove the #."
)


@dataclass(frozen=True)
class Records:
    """The records of a house.

    addresses: of each host by its name; none where they are not known. aliases: other names of hosts, each with
    the host's own. services: each with the host that has it, by its own name (RFC 2782).
    """

    domain: str
    addresses: dict[str, tuple[str, ...]]
    aliases: dict[str, str]
    services: tuple[tuple[Service, str], ...]


def host_addresses(variables: Mapping[str, Any], listen: Sequence[str]) -> list[str]:
    """Return the addresses that clients reach a host at.

    Those that it is told to listen on; else the one that it reaches others from, by its facts (subset network);
    else what Ansible connects to, if that is an address. variables: what Ansible knows of the host.
    """
    if chosen := [address for address in listen if not ipaddress.ip_address(address).is_loopback]:
        return chosen
    facts = variables.get("ansible_facts", {})
    for route in (facts.get(f"default_ipv{version}", {}) for version in (4, 6)):
        if route.get("address"):
            return [route["address"]]
    try:
        connected = ipaddress.ip_address(variables.get("ansible_host", ""))
    except ValueError:
        return []
    return [] if connected.is_loopback else [str(connected)]


def house_records(
    domain: str,
    mail: Mapping[str, Any],
    webmail: Mapping[str, Any] | None = None,
    aliases: Sequence[str] = (),
    https_port: int = 443,
) -> Records:
    """Return the records of a house; hosts have a name and addresses, and aliases are the webmail host's."""
    services = [(service, mail["name"]) for service in MAIL_SERVICES]
    if not webmail:
        return Records(domain, {mail["name"]: tuple(mail["addresses"])}, {}, tuple(services))
    return Records(
        domain=domain,
        addresses={host["name"]: tuple(host["addresses"]) for host in (mail, webmail)},
        aliases={name: webmail["name"] for name in aliases if name not in (webmail["name"], mail["name"])},
        services=(*services, (Service("_autodiscover._tcp", https_port), webmail["name"])),
    )


def unbound_lines(records: Records) -> list[str]:
    """Return a file for Unbound (unbound.conf(5): local-data).

    It answers a CNAME of its own without the address that it leads to, which clients do not ask for again:
    aliases have addresses instead.
    """
    lines = [*_head(UNBOUND_HEAD, records), "server:"]
    for name, host in {**{host: host for host in records.addresses}, **records.aliases}.items():
        found = records.addresses[host]
        lines += [
            f'  local-data: "{name}. {"AAAA" if ":" in address else "A"} {address}"' for address in found
        ] or [f'  # local-data: "{name}. A {UNKNOWN}"']
    lines += [
        f'  local-data: "{service.name}.{records.domain}. SRV {service.priority} 0 {service.port} {host}."'
        for service, host in records.services
    ]
    return lines


def dnsmasq_lines(records: Records) -> list[str]:
    """Return a file for dnsmasq (dnsmasq(8): host-record, cname, srv-host).

    A host-record holds one address of each family, so there is one for each address.
    The domain itself has an address: beside a CNAME a name can have nothing else (RFC 1034 section 3.6.2).
    """
    lines = _head(DNSMASQ_HEAD, records)
    for name, host in {**{host: host for host in records.addresses}, **records.aliases}.items():
        found = records.addresses[host]
        if name in records.aliases and name != records.domain:
            lines.append(f"cname={name},{host}")
        else:
            known = [f"host-record={name},{address}" for address in found]
            lines += known or [f"# host-record={name},{UNKNOWN}"]
    lines += [
        f"srv-host={service.name}.{records.domain},{host},{service.port},{service.priority},0"
        for service, host in records.services
    ]
    return lines


def hosts_lines(records: Records) -> list[str]:
    """Return lines for /etc/hosts (hosts(5)): each address with all names of its host."""
    lines = [*HOSTS_HEAD, *_missing(records)]
    for host, found in records.addresses.items():
        names = " ".join([host, *(name for name, of in records.aliases.items() if of == host)])
        lines += [f"{address} {names}" for address in found] or [f"# {UNKNOWN} {names}"]
    return lines


def _head(head: Sequence[str], records: Records) -> list[str]:
    return [*head, MAIL_EXCHANGER, *_missing(records)]


def _missing(records: Records) -> list[str]:
    return [] if all(records.addresses.values()) else [ADDRESS_MISSING]


LINES = {"unbound": unbound_lines, "dnsmasq": dnsmasq_lines, "hosts": hosts_lines}
