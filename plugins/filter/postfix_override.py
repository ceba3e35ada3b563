# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: give a main.cf other values."""

from __future__ import annotations

DOCUMENTATION = r"""
name: postfix_override
version_added: 1.0.0
short_description: Give the text of a main.cf other values
description:
  - Replaces the value of a setting in place, or adds the setting at the end.
options:
  _input:
    type: str
    required: true
    description: Text of a main.cf, one setting a line.
  settings:
    type: dict
    required: true
    description: Names and values, see postconf(5).
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Make messages larger
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.template', 'main.cf.j2')
             | ilnmors.mail.postfix_override({'message_size_limit': 104857600}) }}"
"""

RETURN = r"""
_value:
  type: str
  description: The text with those values.
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.postfix import override_settings


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"postfix_override": override_settings}
