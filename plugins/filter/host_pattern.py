# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the hosts of those groups that an inventory has."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_pattern
short_description: The hosts of those groups that an inventory has
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Writes a pattern of the hosts of some groups, without those that an inventory does not have, of which Ansible would
    warn.
options:
  _input:
    description: The groups of the inventory, each with its hosts.
    type: dict
    required: true
  names:
    description: The groups that are meant. If an inventory has none of them, the pattern names them all.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Greet the house
  hosts: "{{ groups | ilnmors.mail.host_pattern(['mail', 'webmail', 'monitoring']) }}"
"""

RETURN = r"""
_value:
  description: The pattern.
  type: str
  sample: mail:webmail
"""

from collections.abc import Callable, Mapping, Sequence


def host_pattern(groups: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    """Return the pattern of those groups that have hosts."""
    return ":".join([name for name in names if groups.get(name)] or names)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"host_pattern": host_pattern}
