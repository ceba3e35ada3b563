# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: problems of where the webmail is reached."""

from __future__ import annotations

DOCUMENTATION = r"""
name: webmail_network_problems
short_description: Problems of where the webmail is reached, and of its proxies
version_added: 1.0.0
author: The ilnmors.mail maintainers
description:
  - Returns one sentence for each problem, naming the variable, what it holds, and what to write instead.
options:
  _input:
    description: The variables of the role C(snappymail) on ports, addresses, proxies and bans, by name.
    type: dict
    required: true
  facts:
    description: The host's C(ansible_facts), gathered with the subset C(network).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse variables that cannot work
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('\n') }}"
  vars:
    problems: "{{ variables | ilnmors.mail.webmail_network_problems(ansible_facts) }}"
"""

RETURN = r"""
_value:
  description: The sentences; empty when all is well.
  type: list
  elements: str
  sample:
    - "snappymail_https_port: 0 is no TCP port; write one from 1 to 65535, such as 8443"
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils.webmail_network import problems


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"webmail_network_problems": problems}
