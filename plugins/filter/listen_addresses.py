# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: where the daemons of a mail host listen."""

from __future__ import annotations

DOCUMENTATION = r"""
name: listen_addresses
version_added: 1.0.0
short_description: List the addresses that the daemons of a mail host listen on
description:
  - Returns the loopback addresses of a host and those that are wanted, or nothing where all are.
options:
  _input:
    type: list
    elements: str
    required: true
    description: The addresses that are wanted. None for all.
  facts:
    type: dict
    required: true
    description: The host's C(ansible_facts), gathered with the subset C(network).
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Show where Postfix listens
  ansible.builtin.debug:
    msg: "{{ ['192.168.1.2'] | ilnmors.mail.listen_addresses(ansible_facts) }}"
"""

RETURN = r"""
_value:
  type: list
  elements: str
  description: The addresses. None for all.
  sample: [127.0.0.1, "::1", 192.168.1.2]
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._site.host_network import listen_addresses


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"listen_addresses": listen_addresses}
