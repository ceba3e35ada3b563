# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: one line of text for each check."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report_lines
short_description: One line of text for each check
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Lays out the checks of M(ilnmors.mail.mail_port_info), M(ilnmors.mail.mail_roundtrip), M(ilnmors.mail.fetch_info)
    and M(ilnmors.mail.mail_queue_info) in columns, with how each ended, its name, its time in seconds and its detail.
options:
  _input:
    description: The checks, as the modules return them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the checks
  ansible.builtin.debug:
    msg: "{{ ports.checks | ilnmors.mail.report_lines }}"
"""

RETURN = r"""
_value:
  description: The lines, in the order of the checks.
  type: list
  elements: str
  sample:
    - ok      993 imap (TLS)   0.03 s  TLSv1.3 TLS_AES_256_GCM_SHA384, certificate valid for 819 days
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

ENDS = {True: "ok", False: "FAILED", None: "note"}


def report_lines(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines; each check has name, ok (None: nothing to judge), seconds and detail."""
    width = max((len(check["name"]) for check in checks), default=0)
    return [
        f"{ENDS[check['ok']]:<7} {check['name']:<{width}} {check['seconds']:6.2f} s  {check['detail']}"
        for check in checks
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"report_lines": report_lines}
