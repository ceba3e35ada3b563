# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the checks of several modules, also of those that had none."""

from __future__ import annotations

DOCUMENTATION = r"""
name: house_checks
short_description: The checks of several modules, also of those that ended without any
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Collects the checks of M(ilnmors.mail.mail_port_info), M(ilnmors.mail.mail_roundtrip) and the other modules that
    check a living house, from what their tasks registered.
  - A task that failed before it had checks, or whose host could not be reached, becomes a check that failed; one that
    was skipped, a note.
options:
  _input:
    description:
      - What the tasks registered, by what each is called where it has no checks. V(null) is a task that was not chosen.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Fail if a check failed
  ansible.builtin.assert:
    that: checks | selectattr('ok', 'sameas', false) | length == 0
  vars:
    checks: "{{ {'queue': queue, 'guards': guards | default(none)} | ilnmors.mail.house_checks }}"
"""

RETURN = r"""
_value:
  description: The checks, each with C(name), C(ok) (V(null) where nothing is judged), C(seconds) and C(detail).
  type: list
  elements: dict
  sample:
    - {name: queue, ok: true, seconds: 0.0, detail: empty}
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.verify_report import house_checks


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"house_checks": house_checks}
