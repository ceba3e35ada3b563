# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: checks as a report that programs read."""

from __future__ import annotations

DOCUMENTATION = r"""
name: house_report
short_description: Checks as a report that programs read
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Sums up checks of a living house, as the playbook C(verify) writes them with C(-e report=FILE).
options:
  _input:
    description: The checks, as P(ilnmors.mail.house_checks#filter) returns them.
    type: list
    elements: dict
    required: true
  house:
    description: The domain of the house.
    type: str
    required: true
  at:
    description: When it was checked, in UTC, such as V(2026-11-30T06:07:00Z).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Keep what was found
  ansible.builtin.copy:
    content: "{{ checks | ilnmors.mail.house_report('home.internal', '%Y-%m-%dT%H:%M:%SZ' | strftime) | to_nice_json }}"
    dest: /srv/reports/house.json
    mode: '0600'
"""

RETURN = r"""
_value:
  description:
    - The report.
  type: dict
  contains:
    version:
      description: V(1), until what is said here changes its meaning or goes. More may be added.
      type: int
    house:
      description: The domain of the house.
      type: str
    at:
      description: When it was checked, in UTC.
      type: str
    ok:
      description: Whether something was checked and nothing failed.
      type: bool
    failures:
      description: A line for each check that failed, with its name, what is wrong and what to do.
      type: list
      elements: str
    checks:
      description:
        - All checks, each with C(name), C(ok) (V(null) where nothing is judged), C(seconds) and C(detail).
      type: list
      elements: dict
  sample:
    version: 1
    house: home.internal
    at: '2026-11-30T06:07:00Z'
    ok: true
    failures: []
    checks:
      - {name: queue, ok: true, seconds: 0.0, detail: empty}
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.verify_report import report


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"house_report": report}
