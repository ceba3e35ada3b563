# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what systemd takes away from a unit of the house."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unit_hardening
version_added: 1.0.0
short_description: Write what systemd takes away from a unit of the house
description:
  - Returns lines of a C([Service]) section that leave a unit nothing but what it needs. See C(systemd.exec(5)).
options:
  _input:
    type: dict
    required: true
    description:
      - What the unit needs of what all units lack, and what it lacks more, by the names of settings. A list is written
        as several lines, and V(false) leaves a setting out.
  new_privileges:
    type: bool
    default: false
    description:
      - Whether programs of a unit that has a user run others with more rights, such as Postfix's C(sendmail). What
        would forbid that is left out.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Show what a unit without a network lacks
  ansible.builtin.debug:
    msg: "{{ {'PrivateNetwork': true, 'RestrictAddressFamilies': 'AF_UNIX'} | ilnmors.mail.unit_hardening }}"
"""

RETURN = r"""
_value:
  type: str
  description: The lines, without an end of line.
  sample: |-
    CapabilityBoundingSet=
    LockPersonality=yes
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.unit_hardening import unit_hardening


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"unit_hardening": unit_hardening}
