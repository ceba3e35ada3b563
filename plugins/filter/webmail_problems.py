# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: problems of the webmail's variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: webmail_problems
short_description: Problems of the webmail's variables
version_added: 1.0.0
author: The ilnmors.mail maintainers
description:
  - Returns one sentence for each problem, naming the variable, what it holds, and what to write instead.
  - Reads the archive file, if one is named, on the controller.
options:
  _input:
    description: The checked variables of the role C(snappymail), by name. An empty string is not given.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse variables that cannot work
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('\n') }}"
  vars:
    problems: "{{ variables | ilnmors.mail.webmail_problems }}"
"""

RETURN = r"""
_value:
  description: The sentences; empty when all is well.
  type: list
  elements: str
  sample:
    - snappymail_domain is 'house', which is no domain. Write a full DNS name such as ilnmors.internal.
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils.webmail import problems


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"webmail_problems": problems}
