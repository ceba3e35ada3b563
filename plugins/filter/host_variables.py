# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what the hosts of a play have for a variable."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_variables
short_description: What each host has for a variable
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Looks a variable up for several hosts, and returns its values by the hosts' names.
options:
  _input:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  name:
    description: Name of the variable.
    type: str
    required: true
  default:
    description: What counts for a host that does not have it.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show the accounts of each host
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | ilnmors.mail.host_variables(hostvars, 'mail_providers', []) }}"
"""

RETURN = r"""
_value:
  description: The values by the names of the hosts.
  type: dict
  sample: {mail: [{name: gmail}], webmail: []}
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.host_variables import host_variables


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"host_variables": host_variables}
