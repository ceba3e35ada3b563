# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: who has a port that nginx is to have."""

from __future__ import annotations

DOCUMENTATION = r"""
name: webmail_port_conflicts
short_description: Programs that keep nginx from listening where the webmail is to be reached
version_added: 1.0.0
author: The ilnmors.mail maintainers
description:
  - Returns which lines of C(ss) are of another program than nginx on one of the addresses.
options:
  _input:
    description: The lines of C(ss --no-header --listening --tcp --numeric --processes) for the webmail's ports.
    type: list
    elements: str
    required: true
  wanted:
    description: Where nginx is to listen. C(*) is all of IPv4, and C(::) all of IPv6.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse ports that another program has
  ansible.builtin.assert:
    that: listeners.stdout_lines | ilnmors.mail.webmail_port_conflicts(['127.0.0.1', '192.168.1.3']) | length == 0
"""

RETURN = r"""
_value:
  description: The lines, with single spaces; empty when all is well.
  type: list
  elements: str
  sample: ['LISTEN 0 4096 *:443 *:* users:(("caddy",pid=745,fd=7))']
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils.webmail_network import port_conflicts


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"webmail_port_conflicts": port_conflicts}
