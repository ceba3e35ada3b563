# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: settings as Dovecot reads them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dovecot_settings
version_added: 1.0.0
short_description: Write a dictionary as settings of Dovecot
description:
  - Writes a line C(name = value) for each value, and a block for each dictionary. C(true) and C(false) become C(yes)
    and C(no).
options:
  _input:
    type: dict
    required: true
    description: The settings, in the words of the host's series of Dovecot.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Show a block of dovecot.conf
  ansible.builtin.debug:
    msg: "{{ {'service imap': {'process_limit': 4000}} | ilnmors.mail.dovecot_settings }}"
"""

RETURN = r"""
_value:
  type: str
  description: The lines.
  sample: "service imap {\n  process_limit = 4000\n}\n"
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.dovecot_settings import dovecot_settings


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"dovecot_settings": dovecot_settings}
