# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the addresses that clients reach a host at."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_addresses
short_description: The addresses that clients reach a host at
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Returns the addresses that a host is told to listen on, else the one that it reaches other machines from, else
    what Ansible connects to, if that is an address.
options:
  _input:
    description: What Ansible knows of the host, with the facts of the subset C(network) if it was reached.
    type: dict
    required: true
  listen:
    description: The addresses that the host is told to listen on. None for all.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show where clients reach the mail host
  ansible.builtin.debug:
    msg: "{{ hostvars['mail.home.internal'] | ilnmors.mail.host_addresses([]) }}"
"""

RETURN = r"""
_value:
  description: The addresses. None where none is known.
  type: list
  elements: str
  sample: [192.168.1.2]
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render import dns_records


def host_addresses(variables: Mapping[str, Any], listen: Sequence[str]) -> list[str]:
    """Return the addresses."""
    return dns_records.host_addresses(variables, listen)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"host_addresses": host_addresses}
