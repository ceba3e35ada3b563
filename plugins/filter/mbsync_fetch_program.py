# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the files of the program that fetches accounts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: mbsync_fetch_program
short_description: The program that fetches accounts, as config_files takes it
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Reads the program, a Python package, on the controller. Modules that an older program had, and this one has not, are
    named as absent.
options:
  _input:
    description: Path of the package on the controller.
    type: path
    required: true
  destination:
    description: Path of the package on the host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show how many files the program has
  ansible.builtin.debug:
    msg: "{{ (package | ilnmors.mail.mbsync_fetch_program('/usr/local/lib/fetch')).files | length }}"
  vars:
    package: "{{ role_path }}/files/mbsync_fetch"
"""

RETURN = r"""
_value:
  description:
    - C(directories), C(files) and C(absent) as the options of the same names of M(ilnmors.mail.config_files).
  type: dict
  sample:
    directories:
      - {path: /usr/local/lib/mbsync-fetch/mbsync_fetch}
    files:
      - {path: /usr/local/lib/mbsync-fetch/mbsync_fetch/__init__.py, content: ""}
    absent: [/usr/local/lib/mbsync-fetch/mbsync_fetch/*.py]
"""

from collections.abc import Callable
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._render.mbsync_fetch_program import (
    Program,
    program,
)


def mbsync_fetch_program(source: str, destination: str) -> Program:
    """Read the package on the controller."""
    return program(Path(source), destination)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"mbsync_fetch_program": mbsync_fetch_program}
