# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lookup: a template's text, without a copy of all variables for each template."""

from __future__ import annotations

DOCUMENTATION = r"""
name: template
short_description: The text of a template, without a copy of all variables for each
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Does what P(ansible.builtin.template#lookup) does, which copies all variables of the host deeply for each template.
    In a house of many people that takes longer than all else.
options:
  _terms:
    description: The templates, as they lie in the role's folder C(templates).
    type: list
    elements: str
    required: true
  template_vars:
    description: Variables that these templates know beside those of the host.
    type: dict
    default: {}
seealso:
  - plugin: ansible.builtin.template
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Show a unit as it would be installed
  ansible.builtin.debug:
    msg: "{{ lookup('ilnmors.mail.template', 'mail-backup.service.j2') }}"
"""

RETURN = r"""
_raw:
  description: The text of each template.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase


class ReadOnly(dict[str, Any]):
    """Variables that are only read: who copies them deeply gets a dict of his own with the same values."""

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        """Return what a template may add its own variables to."""
        return dict(self)


class LookupModule(LookupBase):  # type: ignore[misc]
    """Hands Ansible's own lookup the variables as what it does not have to copy."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: object) -> list[str]:
        """Return the text of each template."""
        builtin = lookup_loader.get("ansible.builtin.template", loader=self._loader, templar=self._templar)
        texts: list[str] = builtin.run(terms, variables=ReadOnly(variables or {}), **kwargs)
        return texts
