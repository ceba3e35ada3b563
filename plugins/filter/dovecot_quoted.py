# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: a value of Dovecot's configuration in quotes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dovecot_quoted
version_added: 1.0.0
short_description: Quote a value for Dovecot's configuration
description:
  - Puts a text between quotes, so that Dovecot takes it as it is, whatever characters it has.
  - Variables, where a setting takes them, are variables in quotes as well.
options:
  _input:
    type: str
    required: true
    description: The text, without line breaks.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Write a password
  ansible.builtin.copy:
    content: "dnpass = {{ password | ilnmors.mail.dovecot_quoted }}"
    dest: /etc/dovecot/ldap.conf.ext
    mode: "0600"
"""

RETURN = r"""
_value:
  type: str
  description: The text in quotes.
  sample: '"a \"b\""'
"""

from collections.abc import Callable


def dovecot_quoted(text: str) -> str:
    """Quote a value."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"dovecot_quoted": dovecot_quoted}
