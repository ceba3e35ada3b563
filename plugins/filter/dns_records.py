# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the DNS records of a house."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dns_records
short_description: The DNS records that lead clients to a house
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Lists the addresses of the hosts and the services of the domain (RFC 6186, RFC 8314, RFC 5804, and
    C(_autodiscover._tcp)) as lines of a resolver's configuration.
options:
  _input:
    description: The house.
    type: dict
    required: true
    suboptions:
      domain:
        description: Its domain.
        type: str
        required: true
      mail:
        description: The mail host, as C(name) and C(addresses), which may be none.
        type: dict
        required: true
      webmail:
        description: The webmail's host likewise, if there is one.
        type: dict
      aliases:
        description: Other names of the webmail's host.
        type: list
        elements: str
        default: []
      https_port:
        description: Port at which the webmail's host answers autodiscovery.
        type: int
        default: 443
  resolver:
    description: The resolver whose configuration is wanted; V(hosts) is the file C(/etc/hosts).
    type: str
    choices: [unbound, dnsmasq, hosts]
    required: true
"""

EXAMPLES = r"""
- name: Show the records
  ansible.builtin.debug:
    msg: "{{ house | ilnmors.mail.dns_records('unbound') }}"
  vars:
    house: {domain: home.internal, mail: {name: mail.home.internal, addresses: [192.168.1.2]}}
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample: ['local-data: "mail.home.internal. A 192.168.1.2"']
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render.dns_records import LINES, house_records


def dns_records(house: Mapping[str, Any], resolver: str) -> list[str]:
    """Return the records; house: what house_records takes."""
    return LINES[resolver](house_records(**house))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"dns_records": dns_records}
